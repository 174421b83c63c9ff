//! The page of the embedded chain: its newest blocks and their transactions, and the form that makes or removes blocks.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use wallet_chain::Transaction;
use wallet_chain::embedded::{
    DevBlockAt, DevBlockOf, DevMine, DevNextBlock, DevReorg, DevTip, DevTransaction,
};
use wallet_platform::Failure;
use wallet_server::Store;
use wallet_server::pages::{SubmittedForm, View, failure, page as render, problem, see_other};

use super::shown_time;
use crate::state::Shared;

/// An output as it is shown.
struct Paid {
    to: String,
    amount: String,
    asset: String,
    /// The output's data where it is text: the orderId.
    data: String,
}

struct Tx {
    txid: String,
    paid: Vec<Paid>,
}

struct Shown {
    height: u64,
    hash: String,
    at: String,
    transactions: Vec<Tx>,
}

#[derive(Template)]
#[template(path = "chain.html")]
struct ChainPage<'a> {
    view: &'a View,
    height: u64,
    next: Option<String>,
    blocks: Vec<Shown>,
}

/// The number of blocks on the page.
const BLOCKS: u64 = 10;
/// The number of transactions of a block on the page.
const TRANSACTIONS: usize = 20;

fn shown(transaction: Transaction) -> Tx {
    let paid = transaction.outputs.into_iter().map(|output| Paid {
        to: output.addresses.join(" "),
        amount: output.value.to_string(),
        asset: output.asset,
        data: output
            .data
            .into_iter()
            .filter_map(|data| String::from_utf8(data).ok())
            .collect::<Vec<_>>()
            .join(" "),
    });
    Tx { txid: transaction.txid, paid: paid.collect() }
}

async fn blocks(store: &Store, height: u64) -> Result<Vec<Shown>, Failure> {
    let mut blocks = Vec::new();
    for height in (height.saturating_sub(BLOCKS) + 1..=height).rev() {
        let Some(hash) = store.view(DevBlockAt(height)).await? else { continue };
        let Some((block, made_at)) = store.view(DevBlockOf(hash)).await? else { continue };
        let mut transactions = Vec::new();
        for txid in block.txids.into_iter().take(TRANSACTIONS) {
            transactions.extend(store.view(DevTransaction(txid)).await?.map(shown));
        }
        blocks.push(Shown { height, hash: block.hash, at: shown_time(made_at), transactions });
    }
    Ok(blocks)
}

pub(crate) async fn page(State(shared): State<Shared>, view: View) -> Response {
    let read = async {
        let tip = shared.store.view(DevTip).await?;
        let next = shared.store.view(DevNextBlock).await?.map(shown_time);
        Ok::<_, Failure>((tip.height, next, blocks(&shared.store, tip.height).await?))
    };
    match read.await {
        Ok((height, next, blocks)) => render(&ChainPage { view: &view, height, next, blocks }),
        Err(no) => failure(&view, &no),
    }
}

fn not_changed(view: &View, why: &str) -> Response {
    let what = view.say("链未改动", "The chain was not changed");
    problem(view, StatusCode::BAD_REQUEST, what, why, view.say("返回后再试。", "Go back and try again."))
}

/// Makes blocks, or replaces the newest blocks by another branch.
pub(crate) async fn change(State(shared): State<Shared>, view: View, posted: SubmittedForm) -> Response {
    let view = view.at("/chain");
    let number = |name: &str| posted.text(name).parse::<u64>().ok();
    let changed = match (number("mine"), number("reorg")) {
        (Some(blocks), _) => shared.store.submit(DevMine { blocks }).await,
        (None, Some(depth)) => shared.store.submit(DevReorg { depth, double_spend: Vec::new() }).await,
        (None, None) => {
            return not_changed(
                &view,
                view.say("区块数须为整数。", "The number of blocks must be a whole number."),
            );
        }
    };
    shared.settle().await;
    match changed {
        Ok(_) => see_other("/chain"),
        Err(Failure::Refused(_)) => {
            not_changed(&view, view.say("一次最多 1000 个区块。", "At most 1,000 blocks at a time."))
        }
        Err(no) => failure(&view, &no),
    }
}
