//! The payments of an app: where each stands, a picture of them over time, and the statement as CSV.

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http_body_util::channel::Channel;
use serde::Deserialize;
use wallet_api::fomo::{Direction, TransferStatus};
use wallet_api::vas::OrderState;
use wallet_core::UnixTime;
use wallet_platform::{AppPayment, Failure, OrderSeq, OrdersOf, PaymentsOf, StatementOf, VasOrder};

use super::apps::OwnApp;
use super::{OrPage as _, Page, Params, SignedIn, View, page as render, shown_time};
use crate::server::Server;

/// How many events or orders of an app a page looks at.
const LOOKED_AT: u64 = 50;

/// How many events or orders of an app one part of a statement looks at.
const PART: u64 = 64;

/// Bars in the picture, and the pixels of the tallest.
const BARS: usize = 24;
const TALLEST: usize = 60;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    /// A number; anything else begins with the newest.
    #[serde(default)]
    before: String,
}

/// A bar of the picture: the payments of a span of time, the settled ones below.
struct Bar {
    x: usize,
    done: usize,
    open: usize,
    title: String,
}

struct Shown {
    /// The app's own id.
    about: String,
    /// The platform's: a transfer_id, or the transaction.
    id: String,
    received: bool,
    amount: String,
    fee: String,
    coin: String,
    state: &'static str,
    mood: &'static str,
    at: String,
    /// When it was first seen, and whether it is paid: for the picture.
    drawn: (UnixTime, bool),
}

impl Shown {
    fn transfer(server: &Server, view: &View, listed: &AppPayment, now: UnixTime) -> Self {
        let (transfer, coin) = (&listed.transfer, &listed.coin);
        let (state, mood) = match transfer.status(now) {
            TransferStatus::Done => (view.say("已付款", "paid"), "ok"),
            TransferStatus::Waiting => (view.say("待付款", "waiting"), "warn"),
            TransferStatus::Expired => (view.say("已过期", "expired"), "bad"),
        };
        Self {
            about: transfer.trade_id.to_string(),
            id: server.inner.store.vault().transfer_id(transfer.id).to_string(),
            received: transfer.direction == Direction::UserToApp,
            amount: transfer.amount_text.to_string(),
            fee: transfer.cut.to_decimal(coin.decimals),
            coin: coin.name.clone(),
            state,
            mood,
            at: shown_time(transfer.updated_at),
            drawn: (transfer.created_at, transfer.done),
        }
    }

    fn order(view: &View, order: &VasOrder) -> Self {
        let (state, mood) = match order.state {
            OrderState::Open => (view.say("待付款", "waiting"), "warn"),
            OrderState::Submitted => (view.say("待确认", "waits for confirmations"), "warn"),
            OrderState::Paid => (view.say("已付款", "paid"), "ok"),
        };
        Self {
            about: order.order_id.to_string(),
            id: txid_of(order),
            received: true,
            amount: order.amount.to_string(),
            fee: String::new(),
            coin: order.asset.to_string(),
            state,
            mood,
            at: shown_time(order.created_at),
            drawn: (order.created_at, order.state == OrderState::Paid),
        }
    }
}

/// The payments in equal spans of time from the oldest to the newest.
fn bars(payments: &[Shown]) -> Vec<Bar> {
    let times = || payments.iter().map(|shown| shown.drawn.0.secs());
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Vec::new() };
    let span = (last - first) / (BARS as i64) + 1;
    let mut counts = [(0, 0); BARS];
    for Shown { drawn: (time, paid), .. } in payments {
        let at = usize::try_from((time.secs() - first) / span).unwrap_or(0);
        if let Some((done, open)) = counts.get_mut(at) {
            *if *paid { done } else { open } += 1;
        }
    }
    let most = counts.iter().map(|(done, open)| done + open).max().unwrap_or(0).max(1);
    (counts.iter().enumerate())
        .map(|(at, &(done, open))| Bar {
            x: at * 10,
            done: done * TALLEST / most,
            open: open * TALLEST / most,
            title: format!(
                "{}: {done} + {open}",
                shown_time(UnixTime::from_secs(first + span * (at as i64)))
            ),
        })
        .collect()
}

#[derive(Template)]
#[template(path = "payments.html")]
struct PaymentsPage<'a> {
    view: &'a View,
    name: &'a str,
    href: String,
    shown: Vec<Shown>,
    bars: Vec<Bar>,
    spans: Option<(String, String)>,
    older: Option<u64>,
    /// Whether the whole list is empty, and not this page alone.
    none_yet: bool,
}

pub(crate) async fn page(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path((platform, id)): Path<(String, String)>,
    Params(asked): Params<Wanted>,
) -> Page {
    let app = OwnApp::find(&server, &view, &signed_in, &platform, &id).await?;
    let before = asked.before.parse().ok();
    let store = &server.inner.store;
    let (shown, older): (Vec<Shown>, _) = match &app {
        OwnApp::Fomo(app) => {
            let query = PaymentsOf { app: app.id, before, limit: LOOKED_AT };
            let listed = store.view(query).await.or_page(&view)?;
            let now = store.now();
            let shown = listed.payments.iter().map(|listed| Shown::transfer(&server, &view, listed, now));
            (shown.collect(), listed.older)
        }
        OwnApp::Vas(app) => {
            let query = OrdersOf { app: app.id, before: before.map(OrderSeq), limit: LOOKED_AT };
            let (orders, older) = store.view(query).await.or_page(&view)?;
            (orders.iter().map(|order| Shown::order(&view, order)).collect(), older.map(|older| older.0))
        }
    };
    let times = || shown.iter().map(|shown| shown.drawn.0);
    Ok(render(&PaymentsPage {
        view: &view,
        name: app.name(),
        href: app.href(),
        bars: bars(&shown),
        spans: times().min().zip(times().max()).map(|(from, to)| (shown_time(from), shown_time(to))),
        none_yet: shown.is_empty() && before.is_none() && older.is_none(),
        shown,
        older,
    }))
}

/// The statement as CSV (RFC 4180). FOMO's: what moved, in the order in which it did. That of the VAS and Lafi wallets:
/// orders that are paid, the newest first.
///
/// It is written while it is read. When reading fails half way the connection breaks, so that what has arrived is
/// not taken for the whole.
pub(crate) async fn statement(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path((platform, id)): Path<(String, String)>,
) -> Page {
    let app = OwnApp::find(&server, &view, &signed_in, &platform, &id).await?;
    let (parts, body) = Channel::<Bytes, std::io::Error>::new(2);
    tokio::spawn(write_statement(server, app, parts));
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"statement.csv\""));
    Ok(response)
}

/// The head of FOMO's statement.
const HEAD: [&str; 9] =
    ["settled_at", "transfer_id", "trade_id", "direction", "coin", "amount", "fee", "made_at", "user_id"];
/// The head of a statement of the VAS and Lafi wallets.
const ORDERS_HEAD: [&str; 6] = ["seen_at", "txid", "orderId", "asset", "amount", "from"];

async fn write_statement(
    server: Server,
    app: OwnApp,
    mut parts: http_body_util::channel::Sender<Bytes, std::io::Error>,
) {
    let mut next = Some(None);
    while let Some(from) = next {
        let part = match part(&server, &app, from).await {
            Ok(part) => part,
            Err(failure) => {
                tracing::warn!(%failure, "a statement ends half way");
                return parts.abort(std::io::Error::other("the statement could not be read to its end"));
            }
        };
        match csv_of(part.rows) {
            Ok(text) => {
                // The reader has gone away.
                if parts.send_data(text).await.is_err() {
                    return;
                }
            }
            Err(error) => return parts.abort(error),
        }
        next = part.next.map(Some);
    }
}

/// A part of a statement, and where the next one begins.
struct Part {
    rows: Vec<Vec<String>>,
    next: Option<u64>,
}

/// The part that begins at this place; without one it is the first, with the head.
async fn part(server: &Server, app: &OwnApp, from: Option<u64>) -> Result<Part, Failure> {
    let store = &server.inner.store;
    let with_head = |head: &[&str], rows: Vec<Vec<String>>| {
        let head = from.is_none().then(|| head.iter().map(|name| (*name).to_owned()).collect());
        head.into_iter().chain(rows).collect()
    };
    match app {
        OwnApp::Fomo(app) => {
            let query = StatementOf { app: app.id, after: from.unwrap_or(0), limit: PART };
            let listed = store.view(query).await?;
            let rows = listed.payments.iter().map(|listed| row(server, listed)).collect();
            Ok(Part { rows: with_head(&HEAD, rows), next: listed.newer })
        }
        OwnApp::Vas(app) => {
            let query = OrdersOf { app: app.id, before: from.map(OrderSeq), limit: PART };
            let (orders, older) = store.view(query).await?;
            let paid = orders.iter().filter(|order| order.state == OrderState::Paid);
            let rows = with_head(&ORDERS_HEAD, paid.map(order_row).collect());
            Ok(Part { rows, next: older.map(|older| older.0) })
        }
    }
}

/// The transaction that was submitted for an order; empty before.
fn txid_of(order: &VasOrder) -> String {
    order.txid.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn order_row(order: &VasOrder) -> Vec<String> {
    vec![
        shown_time(order.created_at),
        txid_of(order),
        plain(order.order_id.as_str()),
        plain(order.asset.as_str()),
        order.amount.to_string(),
        order.from_addr.to_string(),
    ]
}

fn row(server: &Server, listed: &AppPayment) -> Vec<String> {
    let (transfer, coin) = (&listed.transfer, &listed.coin);
    let vault = server.inner.store.vault();
    vec![
        shown_time(transfer.updated_at),
        vault.transfer_id(transfer.id).to_string(),
        plain(transfer.trade_id.as_str()),
        match transfer.direction {
            Direction::UserToApp => "user to app".to_owned(),
            Direction::AppToUser => "app to user".to_owned(),
        },
        plain(&coin.name),
        transfer.amount.to_decimal(coin.decimals),
        transfer.cut.to_decimal(coin.decimals),
        shown_time(transfer.created_at),
        transfer.user().to_string(),
    ]
}

/// Text that no spreadsheet takes for a formula: an apostrophe stands before what would begin one.
fn plain(text: &str) -> String {
    let formula = text.starts_with(['\t', '\r', '\n'])
        || text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    format!("{}{text}", if formula { "'" } else { "" })
}

fn csv_of(rows: Vec<Vec<String>>) -> std::io::Result<Bytes> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(writer.into_inner().map_err(|error| error.into_error())?.into())
}
