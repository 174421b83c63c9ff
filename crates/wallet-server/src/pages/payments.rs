//! The payments of an app: where each stands, a picture of them over time, and the statement as CSV.

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http_body_util::channel::Channel;
use serde::Deserialize;
use wallet_api::fomo::{Direction, TransferStatus};
use wallet_core::UnixTime;
use wallet_platform::{AppId, AppPayment, PaymentsOf, StatementOf};

use super::apps::{done, own_app, signed_in};
use super::sign_in::encoded;
use super::view::SignedIn;
use super::{View, failure, page as render, see_other, shown_time};
use crate::server::Server;

/// How many events of an app a page looks at.
const EVENTS: u64 = 50;

/// How many events of an app one part of a statement looks at.
const PART: u64 = 64;

/// Bars in the picture, and the pixels of the tallest.
const BARS: usize = 24;
const TALLEST: usize = 60;

#[derive(Deserialize)]
pub(crate) struct Asked {
    before: Option<u64>,
}

/// A bar of the picture: the payments of a span of time, the settled ones below.
struct Bar {
    x: usize,
    done: usize,
    open: usize,
    title: String,
}

struct Shown {
    trade_id: String,
    transfer_id: String,
    received: bool,
    amount: String,
    fee: String,
    coin: String,
    state: &'static str,
    mood: &'static str,
    at: String,
}

impl Shown {
    fn of(server: &Server, view: &View, told: &AppPayment, now: UnixTime) -> Self {
        let (transfer, coin) = (&told.transfer, &told.coin);
        let (state, mood) = match transfer.status(now) {
            TransferStatus::Done => (view.say("已付款", "paid"), "ok"),
            TransferStatus::Waiting => (view.say("待付款", "waiting"), "warn"),
            TransferStatus::Expired => (view.say("已过期", "expired"), "bad"),
        };
        Self {
            trade_id: transfer.trade_id.clone(),
            transfer_id: server.inner.store.vault().transfer_id(transfer.id).to_string(),
            received: transfer.direction == Direction::UserToApp,
            amount: transfer.amount.to_amount(coin.decimals).to_string(),
            fee: transfer.cut.to_amount(coin.decimals).to_string(),
            coin: coin.name.clone(),
            state,
            mood,
            at: shown_time(transfer.updated_at),
        }
    }
}

/// The payments in equal spans of time from the oldest to the newest.
fn bars(payments: &[AppPayment]) -> Vec<Bar> {
    let times = || payments.iter().map(|told| told.transfer.created_at.secs());
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Vec::new() };
    let span = (last - first) / (BARS as i64) + 1;
    let mut counts = [(0, 0); BARS];
    for told in payments {
        let at = usize::try_from((told.transfer.created_at.secs() - first) / span).unwrap_or(0);
        if let Some((done, open)) = counts.get_mut(at) {
            *if told.transfer.done { done } else { open } += 1;
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
    name: String,
    href: String,
    shown: Vec<Shown>,
    bars: Vec<Bar>,
    spans: Option<(String, String)>,
    older: Option<u64>,
}

pub(crate) async fn page(
    State(server): State<Server>,
    view: View,
    Path(client_id): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let SignedIn { user, .. } = signed_in!(view);
    let app = match own_app(&server, &view, user, &client_id).await {
        Ok(app) => app,
        Err(response) => return response,
    };
    let query = PaymentsOf { app: app.id, before: asked.before, limit: EVENTS };
    let told = done!(&view, server.inner.store.view(query).await);
    let now = server.inner.store.now();
    let times = || told.payments.iter().map(|told| told.transfer.created_at);
    render(&PaymentsPage {
        view: &view,
        name: app.name,
        href: format!("/apps/fomo/{client_id}"),
        shown: told.payments.iter().map(|told| Shown::of(&server, &view, told, now)).collect(),
        bars: bars(&told.payments),
        spans: times().min().zip(times().max()).map(|(from, to)| (shown_time(from), shown_time(to))),
        older: told.older,
    })
}

/// The statement as CSV (RFC 4180): what moved, in the order in which it did.
///
/// It is written while it is read. When reading fails half way the connection breaks, so that what has arrived is
/// not taken for the whole.
pub(crate) async fn statement(
    State(server): State<Server>,
    view: View,
    Path(client_id): Path<String>,
) -> Response {
    let SignedIn { user, .. } = signed_in!(view);
    let app = match own_app(&server, &view, user, &client_id).await {
        Ok(app) => app,
        Err(response) => return response,
    };
    let (parts, body) = Channel::<Bytes, std::io::Error>::new(2);
    tokio::spawn(write_statement(server, app.id, parts));
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"statement.csv\""));
    response
}

/// The head of the statement.
const HEAD: [&str; 9] =
    ["settled_at", "transfer_id", "trade_id", "direction", "coin", "amount", "fee", "made_at", "user_id"];

async fn write_statement(
    server: Server,
    app: AppId,
    mut parts: http_body_util::channel::Sender<Bytes, std::io::Error>,
) {
    let mut after = Some(0);
    let mut head = Some(HEAD.map(str::to_owned));
    while let Some(from) = after {
        let told = match server.inner.store.view(StatementOf { app, after: from, limit: PART }).await {
            Ok(told) => told,
            Err(failure) => {
                tracing::warn!(%failure, "a statement ends half way");
                return parts.abort(std::io::Error::other("the statement could not be read to its end"));
            }
        };
        let rows = head.take().into_iter().chain(told.payments.iter().map(|told| row(&server, told)));
        match csv_of(rows) {
            Ok(text) => {
                // The reader has gone away.
                if parts.send_data(text).await.is_err() {
                    return;
                }
            }
            Err(error) => return parts.abort(error),
        }
        after = told.newer;
    }
}

fn row(server: &Server, told: &AppPayment) -> [String; HEAD.len()] {
    let (transfer, coin) = (&told.transfer, &told.coin);
    let vault = server.inner.store.vault();
    [
        shown_time(transfer.updated_at),
        vault.transfer_id(transfer.id).to_string(),
        plain(&transfer.trade_id),
        match transfer.direction {
            Direction::UserToApp => "user to app".to_owned(),
            Direction::AppToUser => "app to user".to_owned(),
        },
        plain(&coin.name),
        transfer.amount.to_amount(coin.decimals).to_string(),
        transfer.cut.to_amount(coin.decimals).to_string(),
        shown_time(transfer.created_at),
        transfer.user().to_string(),
    ]
}

/// Text that no spreadsheet takes for a formula: an apostrophe stands before what would begin one.
fn plain(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("{}{text}", if formula { "'" } else { "" })
}

fn csv_of<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> std::io::Result<Bytes> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(writer.into_inner().map_err(|error| error.into_error())?.into())
}
