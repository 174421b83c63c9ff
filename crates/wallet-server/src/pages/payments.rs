//! The payments of an app: a list with states, a bar chart over time, and the statement as CSV.

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http_body_util::channel::Channel;
use serde::Deserialize;
use wallet_core::UnixTime;

use super::apps::{Tab, own_app};
use super::{OrPage as _, Page, Params, SignedIn, View, page as render, shown_time};
use crate::context::Server;
use crate::own_app::{AppSummary, OwnApp, ShownPayment};

/// The number of events or orders of an app that a page reads.
const LOOKED_AT: u64 = 50;

/// The number of events or orders of an app that one part of a statement reads.
const PART: u64 = 64;

/// The number of bars in the chart, and the height of the tallest in pixels.
const BARS: usize = 24;
const TALLEST: usize = 60;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    /// The start of the part, a number; any other text starts at the newest.
    #[serde(default)]
    before: String,
}

/// A bar of the chart: the payments of one time span, with the paid ones at the bottom.
struct Bar {
    x: usize,
    done: usize,
    open: usize,
    title: String,
}

/// The payments in equal time spans, from the oldest to the newest.
fn bars(payments: &[ShownPayment]) -> Vec<Bar> {
    let times = || payments.iter().map(|shown| shown.since.secs());
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Vec::new() };
    let span = (last - first) / (BARS as i64) + 1;
    let mut counts = [(0, 0); BARS];
    for ShownPayment { since, paid, .. } in payments {
        let at = usize::try_from((since.secs() - first) / span).unwrap_or(0);
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
    app: AppSummary,
    tab: Tab,
    shown: Vec<ShownPayment>,
    bars: Vec<Bar>,
    spans: Option<(String, String)>,
    older: Option<u64>,
    /// Whether the app has no payment at all.
    none_yet: bool,
}

impl PaymentsPage<'_> {
    fn time(&self, payment: &ShownPayment) -> String {
        shown_time(payment.at)
    }
}

pub(crate) async fn page(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path((platform, id)): Path<(String, String)>,
    Params(asked): Params<Wanted>,
) -> Page {
    let app = own_app(&server, &view, &signed_in, &platform, &id).await?;
    let before = asked.before.parse().ok();
    let found = app.payments(&server.inner.store, before, LOOKED_AT).await.or_page(&view)?;
    let (shown, older) = (found.found, found.next);
    let times = || shown.iter().map(|shown| shown.since);
    Ok(render(&PaymentsPage {
        view: &view,
        app: app.summary(),
        tab: Tab::Payments,
        bars: bars(&shown),
        spans: times().min().zip(times().max()).map(|(from, to)| (shown_time(from), shown_time(to))),
        none_yet: shown.is_empty() && before.is_none() && older.is_none(),
        shown,
        older,
    }))
}

/// The statement as CSV (RFC 4180). For FOMO: settled payments in the order of settlement. For VAS and Lafi:
/// paid orders, newest first.
///
/// The response streams the statement. If a read fails, the connection is aborted, so that the client does not take a
/// partial file for the whole statement.
pub(crate) async fn statement(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path((platform, id)): Path<(String, String)>,
) -> Page {
    let app = own_app(&server, &view, &signed_in, &platform, &id).await?;
    let (parts, body) = Channel::<Bytes, std::io::Error>::new(2);
    tokio::spawn(write_statement(server, app, parts));
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"statement.csv\""));
    Ok(response)
}

async fn write_statement(
    server: Server,
    app: Box<dyn OwnApp>,
    mut parts: http_body_util::channel::Sender<Bytes, std::io::Error>,
) {
    let (store, mut next) = (&server.inner.store, Some(None));
    while let Some(from) = next {
        let mut part = match app.statement(store, from, PART).await {
            Ok(part) => part,
            Err(failure) => {
                tracing::warn!(%failure, "cannot read the rest of a statement; aborting the download");
                return parts.abort(std::io::Error::other("cannot read the rest of the statement"));
            }
        };
        if from.is_none() {
            part.found.insert(0, app.statement_head().iter().map(|name| (*name).to_owned()).collect());
        }
        match csv_of(part.found) {
            Ok(text) => {
                // The client has disconnected.
                if parts.send_data(text).await.is_err() {
                    return;
                }
            }
            Err(error) => return parts.abort(error),
        }
        next = part.next.map(Some);
    }
}

fn csv_of(rows: Vec<Vec<String>>) -> std::io::Result<Bytes> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(writer.into_inner().map_err(|error| error.into_error())?.into())
}
