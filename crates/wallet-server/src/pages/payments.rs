//! The payments of an app: a list with states, a bar chart over time, and the statement as CSV.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use http_body_util::channel::Channel;
use serde::Deserialize;
use wallet_core::{Amount, DeliveryState, Units, UnixTime, form};
use wallet_platform::CallbacksOf;

use super::apps::{Tab, own_app};
use super::{OrPage as _, Page, Params, SignedIn, View, page as render, problem, shown_time};
use crate::context::Server;
use crate::own_app::{AppSummary, OwnApp, ShownPayment, Stage};

/// The fewest payments on a page before a link to older ones.
const EACH_PAGE: usize = 25;
/// The number of payments that one query reads, and the number of queries: the totals and the chart are of these payments.
const LOOKED_AT: u64 = 50;
const LOOKS: usize = 10;

/// The number of events or orders of an app that one part of a statement reads.
const PART: u64 = 64;

/// The number of bars in the chart, and the height of the tallest in pixels.
const BARS: usize = 24;
const TALLEST: usize = 60;

/// The filters of the list.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    /// The start of the part, a number; any other text starts at the newest.
    before: String,
    /// `open`, `paid` or `expired`.
    state: String,
    /// The coin's name.
    coin: String,
    /// A part of an id of the payment.
    q: String,
}

impl Wanted {
    fn fits(&self, payment: &ShownPayment) -> bool {
        let stage = match payment.stage {
            Stage::Open => "open",
            Stage::Paid => "paid",
            Stage::Expired => "expired",
        };
        let part = self.q.trim();
        (self.state.is_empty() || self.state == stage)
            && (self.coin.is_empty() || self.coin == payment.coin)
            && (payment.about.contains(part) || payment.id.contains(part))
    }

    fn is_filtered(&self) -> bool {
        [&self.state, &self.coin, &self.q].iter().any(|text| !text.is_empty())
    }

    /// The address of the next part, with the same filters.
    fn address(&self, href: &str, before: u64) -> String {
        let before = before.to_string();
        let fields = [("before", &before), ("state", &self.state), ("coin", &self.coin), ("q", &self.q)];
        let filled = fields.into_iter().filter(|(_, text)| !text.is_empty());
        let filled: Vec<(&str, &str)> = filled.map(|(name, text)| (name, &**text)).collect();
        format!("{href}/payments?{}", form::query(&filled))
    }
}

/// A bar of the chart: the payments of one time span, with the paid ones at the bottom.
struct Bar {
    x: usize,
    done: usize,
    open: usize,
    title: String,
}

/// The chart: payments in equal time spans, from the oldest to the newest.
struct Chart {
    bars: Vec<Bar>,
    /// The number of payments of the tallest bar.
    most: usize,
    from: String,
    to: String,
}

impl Chart {
    fn of(payments: &[ShownPayment]) -> Option<Self> {
        let times = || payments.iter().map(|shown| shown.since.secs());
        let (first, last) = times().min().zip(times().max())?;
        let span = (last - first) / (BARS as i64) + 1;
        let mut counts = [(0, 0); BARS];
        for ShownPayment { since, paid, .. } in payments {
            let at = usize::try_from((since.secs() - first) / span).unwrap_or(0);
            if let Some((done, open)) = counts.get_mut(at) {
                *if *paid { done } else { open } += 1;
            }
        }
        let most = counts.iter().map(|(done, open)| done + open).max().unwrap_or(0).max(1);
        let time = |seconds| shown_time(UnixTime::from_secs(seconds));
        let bars = (counts.iter().enumerate()).map(|(at, &(done, open))| Bar {
            x: at * 10,
            done: done * TALLEST / most,
            open: open * TALLEST / most,
            title: format!("{}: {done} + {open}", time(first + span * (at as i64))),
        });
        Some(Self { bars: bars.collect(), most, from: time(first), to: time(last) })
    }
}

/// The paid amounts of a coin.
struct Total {
    coin: String,
    received: String,
    paid_out: String,
    count: usize,
}

/// The decimals with which totals are added: no coin has more.
const DECIMALS: u8 = 18;

/// The totals of the paid payments by coin. A sum beyond the largest amount stops there.
fn totals(payments: &[ShownPayment]) -> Vec<Total> {
    let mut sums: BTreeMap<&str, (Units, Units, usize)> = BTreeMap::new();
    for payment in payments.iter().filter(|payment| payment.paid) {
        let units = Amount::parse(&*payment.amount).and_then(|amount| amount.units(DECIMALS));
        let sum = sums.entry(&payment.coin).or_insert((Units::ZERO, Units::ZERO, 0));
        let part = if payment.received { &mut sum.0 } else { &mut sum.1 };
        if let Ok(added) = units.and_then(|units| part.plus(units)) {
            *part = added;
            sum.2 += 1;
        }
    }
    let shown = |units: Units| {
        let text = units.to_decimal(DECIMALS);
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    let total = |(coin, (received, paid_out, count)): (&str, (Units, Units, usize))| Total {
        coin: coin.to_owned(),
        received: shown(received),
        paid_out: shown(paid_out),
        count,
    };
    sums.into_iter().map(total).collect()
}

#[derive(Template)]
#[template(path = "payments.html")]
struct PaymentsPage<'a> {
    view: &'a View,
    app: AppSummary,
    tab: Tab,
    asked: &'a Wanted,
    coins: Vec<String>,
    totals: Vec<Total>,
    shown: Vec<ShownPayment>,
    chart: Option<Chart>,
    older: Option<String>,
    /// Whether the app has no payment at all.
    none_yet: bool,
}

impl PaymentsPage<'_> {
    fn time(&self, payment: &ShownPayment) -> String {
        shown_time(payment.at)
    }

    /// The address of a payment's own page.
    fn one(&self, payment: &ShownPayment) -> String {
        format!("{}/payments/one?{}", self.app.href, form::query(&[("id", &payment.about)]))
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
    let before: Option<u64> = asked.before.parse().ok();
    let (mut shown, mut coins, mut is_empty) = (Vec::new(), BTreeSet::new(), true);
    // The list ends with the part that fills its page; the totals and the chart look further.
    let (mut next, mut end) = (Some(before), None);
    for _ in 0..LOOKS {
        let Some(from) = next else { break };
        let part = app.payments(&server.inner.store, from, LOOKED_AT).await.or_page(&view)?;
        is_empty = is_empty && part.found.is_empty();
        coins.extend(part.found.iter().map(|payment| payment.coin.clone()));
        shown.extend(part.found.into_iter().filter(|payment| asked.fits(payment)));
        next = part.next.map(Some);
        if shown.len() >= EACH_PAGE && end.is_none() {
            end = Some((shown.len(), part.next));
        }
    }
    let (listed, older) = end.unwrap_or((shown.len(), next.flatten()));
    let (chart, totals) = (Chart::of(&shown), totals(&shown));
    shown.truncate(listed);
    let summary = app.summary();
    Ok(render(&PaymentsPage {
        view: &view,
        none_yet: is_empty && before.is_none() && older.is_none(),
        older: older.map(|older| asked.address(&summary.href, older)),
        app: summary,
        tab: Tab::Payments,
        asked: &asked,
        coins: coins.into_iter().collect(),
        totals,
        shown,
        chart,
    }))
}

/// A callback of a payment.
struct Sent {
    href: String,
    state: &'static str,
    mood: &'static str,
    attempts: u32,
}

#[derive(Template)]
#[template(path = "payment.html")]
struct PaymentPage<'a> {
    view: &'a View,
    app: AppSummary,
    tab: Tab,
    one: ShownPayment,
    made: String,
    changed: String,
    callbacks: Vec<Sent>,
}

#[derive(Deserialize)]
pub(crate) struct WantedOne {
    #[serde(default)]
    id: String,
}

/// The number of callbacks among which those of a payment are looked for, newest first.
const CALLBACKS: u64 = 200;

/// The page of one payment: its facts and its callbacks.
pub(crate) async fn one(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path((platform, id)): Path<(String, String)>,
    Params(asked): Params<WantedOne>,
) -> Page {
    let app = own_app(&server, &view, &signed_in, &platform, &id).await?;
    let store = &server.inner.store;
    let found = app.payment(store, &asked.id).await.or_page(&view)?.ok_or_else(|| {
        problem(
            &view,
            StatusCode::NOT_FOUND,
            view.say("没有这笔付款", "There is no such payment"),
            view.say("应用没有这个单号的付款。", "The app has no payment with this id."),
            view.say("返回付款列表。", "Go back to the payments."),
        )
    })?;
    let query = CallbacksOf { app: app.receiver(), undelivered: false, before: None, limit: CALLBACKS };
    let (callbacks, _) = store.view(query).await.or_page(&view)?;
    let summary = app.summary();
    let own = callbacks.iter().filter(|callback| callback.subject.reference() == found.about);
    let sent = own.map(|callback| {
        let (state, mood) = match callback.delivery.state {
            DeliveryState::Waiting => (view.say("重试中", "waiting"), "warn"),
            DeliveryState::Acknowledged => (view.say("已送达", "delivered"), "ok"),
            DeliveryState::Exhausted => (view.say("未送达", "not delivered"), "bad"),
        };
        let href = format!("{}/deliveries/{}", summary.href, callback.delivery.id.0);
        Sent { href, state, mood, attempts: callback.delivery.attempts }
    });
    let callbacks = sent.collect();
    Ok(render(&PaymentPage {
        view: &view,
        app: summary,
        tab: Tab::Payments,
        made: shown_time(found.since),
        changed: shown_time(found.at),
        one: found,
        callbacks,
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
