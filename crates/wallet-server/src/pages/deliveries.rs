//! The callbacks of an app: each attempt drawn on a line of time, why it failed, what comes next, what was sent and
//! answered, and sending again: one, or all of a span of time.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use time::{Date, Month, PrimitiveDateTime, Time};
use wallet_core::{DeliveryState, UnixTime};
use wallet_platform::{
    Attempt, AttemptsOf, CallbackKind, DeliveriesOf, DeliveryId, DeliveryRow, OrdersOf, SendAgain, ToldAgain,
};
use wallet_store::Failure;

use super::apps::{OwnApp, done, own, signed_in};
use super::sign_in::sign_in_first;
use super::{Posted, View, failure, page as render, problem, see_other, shown_time};
use crate::server::Server;

/// How many events or orders of an app are looked at.
const LOOKED_AT: u64 = 100;

/// A callback with what it tells of.
struct Callback {
    delivery: DeliveryRow,
    attempts: Vec<Attempt>,
    about: String,
    amount: String,
    address: String,
    paid_at: UnixTime,
}

async fn callbacks_of(server: &Server, app: &OwnApp) -> Result<Vec<Callback>, Failure> {
    let store = &server.inner.store;
    match app {
        OwnApp::Fomo(app) => {
            let told = store.view(DeliveriesOf { app: app.id, limit: LOOKED_AT }).await?;
            let callback = told.into_iter().map(|told| Callback {
                delivery: told.delivery,
                attempts: told.attempts,
                about: told.transfer.trade_id,
                amount: told.transfer.amount_text,
                address: told.transfer.server_uri.to_string(),
                paid_at: told.transfer.updated_at,
            });
            Ok(callback.collect())
        }
        OwnApp::Vas(app) => {
            let orders = store.view(OrdersOf { app: app.id, before: None, limit: LOOKED_AT }).await?;
            let callback = orders.into_iter().filter_map(|told| {
                let (delivery, attempts) = told.told?;
                Some(Callback {
                    delivery,
                    attempts,
                    about: told.order.order_id,
                    amount: format!("{} {}", told.order.amount, told.order.asset),
                    address: told.order.callback_url,
                    paid_at: told.order.created_at,
                })
            });
            Ok(callback.collect())
        }
    }
}

/// An attempt on the line: where, and whether it was heard.
struct Dot {
    x: usize,
    class: &'static str,
    title: String,
}

struct Shown {
    id: u64,
    about: String,
    amount: String,
    address: String,
    state: &'static str,
    mood: &'static str,
    dots: Vec<Dot>,
    width: usize,
    verdict: String,
    next: Option<String>,
    may_be_sent_again: bool,
}

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage<'a> {
    view: &'a View,
    name: &'a str,
    href: String,
    acknowledged_by: String,
    shown: Vec<Shown>,
    /// How many were never heard.
    unheard: usize,
}

/// Pixels from one attempt to the next.
const STEP: usize = 14;

fn verdict(view: &View, attempt: &Attempt) -> String {
    match (attempt.http_status, &attempt.failure) {
        (Some(status), None) => format!("HTTP {status}"),
        (_, Some(why)) => why.clone(),
        (None, None) => view.say("没有回答", "no answer").to_owned(),
    }
}

impl Shown {
    fn of(view: &View, callback: Callback, now: UnixTime) -> Self {
        let delivery = &callback.delivery;
        let (state, mood) = match delivery.state {
            DeliveryState::Waiting => (view.say("重试中", "waiting"), "warn"),
            DeliveryState::Acknowledged => (view.say("已送达", "delivered"), "ok"),
            DeliveryState::Exhausted => (view.say("未送达", "not delivered"), "bad"),
        };
        let dots: Vec<Dot> = (callback.attempts.iter().enumerate())
            .map(|(at, attempt)| Dot {
                x: STEP / 2 + at * STEP,
                class: if attempt.failure.is_none() { "heard" } else { "unheard" },
                title: format!(
                    "{}. {}: {}",
                    attempt.n,
                    shown_time(attempt.started_at),
                    verdict(view, attempt)
                ),
            })
            .collect();
        let waits = delivery.state == DeliveryState::Waiting;
        let next = waits.then(|| {
            let seconds = delivery.next_at.since(now).as_millis().div_ceil(1000);
            format!("{} ({} s)", shown_time(delivery.next_at), seconds)
        });
        Self {
            id: delivery.id.0,
            state,
            mood,
            width: (dots.len() + usize::from(waits)).max(1) * STEP,
            dots,
            verdict: callback.attempts.last().map(|attempt| verdict(view, attempt)).unwrap_or_default(),
            next,
            may_be_sent_again: delivery.state == DeliveryState::Exhausted,
            about: callback.about,
            amount: callback.amount,
            address: callback.address,
        }
    }
}

pub(crate) async fn page(
    State(server): State<Server>,
    view: View,
    Path((platform, id)): Path<(String, String)>,
) -> Response {
    let app = own!(&server, &view, &platform, &id);
    let callbacks = done!(&view, callbacks_of(&server, &app).await);
    let now = server.inner.store.now();
    let shown: Vec<Shown> = callbacks.into_iter().map(|callback| Shown::of(&view, callback, now)).collect();
    let kind = app.callback().meta();
    render(&DeliveriesPage {
        view: &view,
        name: app.name(),
        href: app.href(),
        acknowledged_by: kind.schedule.acknowledged_by.in_words(view.lang),
        unheard: shown.iter().filter(|shown| shown.may_be_sent_again).count(),
        shown,
    })
}

/// An attempt as a line of a table.
struct Line {
    n: u32,
    started_at: String,
    took: String,
    verdict: String,
    reply: Option<String>,
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct DeliveryPage<'a> {
    view: &'a View,
    href: String,
    shown: Shown,
    lines: Vec<Line>,
    request: Option<String>,
    /// Whether a receiver's answer is read, and not its status alone.
    read: bool,
}

/// A request as it goes over the wire, for people.
fn raw(request: &http::Request<Vec<u8>>) -> String {
    let uri = request.uri();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let mut text = format!("{} {target} HTTP/1.1\n", request.method());
    if let Some(authority) = uri.authority() {
        text.push_str(&format!("host: {authority}\n"));
    }
    for (name, value) in request.headers() {
        text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    text + "\n" + &String::from_utf8_lossy(request.body())
}

/// One callback: every attempt, what was sent and what came back.
pub(crate) async fn one(
    State(server): State<Server>,
    view: View,
    Path((platform, id, delivery)): Path<(String, String, String)>,
) -> Response {
    let app = own!(&server, &view, &platform, &id);
    let callbacks = done!(&view, callbacks_of(&server, &app).await);
    let wanted = delivery.parse().map(DeliveryId);
    let found = callbacks.into_iter().find(|one| wanted.as_ref().is_ok_and(|id| one.delivery.id == *id));
    let Some(callback) = found else {
        return problem(
            &view,
            StatusCode::NOT_FOUND,
            view.say("没有这个回调", "There is no such callback"),
            view.say(
                "它不属于这个应用，或已不在最近的记录里。",
                "It is none of this app's, or not among the latest.",
            ),
            view.say("返回回调列表。", "Go back to the callbacks."),
        );
    };
    let (store, id) = (&server.inner.store, callback.delivery.id);
    let attempts = done!(&view, store.view(AttemptsOf(id)).await);
    let last = attempts.last();
    let (attempt, at) = last.map_or((1, store.now()), |last| (last.n, last.started_at));
    let told = done!(&view, store.view(ToldAgain { delivery: id, attempt }).await);
    let request = told.and_then(|told| told.request(store.vault(), at).ok()).map(|request| raw(&request));
    let lines = attempts.iter().rev().map(|attempt| Line {
        n: attempt.n,
        started_at: shown_time(attempt.started_at),
        took: format!("{} ms", attempt.ended_at.since(attempt.started_at).as_millis()),
        verdict: verdict(&view, attempt),
        reply: attempt.reply.clone(),
    });
    let lines = lines.collect();
    let read = app.callback() == CallbackKind::Payment;
    let (href, shown) = (app.href(), Shown::of(&view, callback, store.now()));
    render(&DeliveryPage { view: &view, href, shown, lines, request, read })
}

/// A time as a field of a form writes it: `2026-01-31T13:45`, UTC.
fn time_of(text: &str) -> Option<UnixTime> {
    let (date, clock) = text.split_once('T')?;
    let mut date = date.splitn(3, '-');
    let mut number = || date.next()?.parse().ok();
    let (year, month, day): (u16, u16, u16) = (number()?, number()?, number()?);
    let mut clock = clock.splitn(3, ':');
    let mut number = || clock.next()?.parse().ok();
    let (hour, minute): (u8, u8) = (number()?, number()?);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year.into(), month, u8::try_from(day).ok()?).ok()?;
    let time = PrimitiveDateTime::new(date, Time::from_hms(hour, minute, 0).ok()?);
    Some(UnixTime::from_secs(time.assume_utc().unix_timestamp()))
}

/// Which callbacks are to be sent again.
enum Wanted {
    One(DeliveryId),
    /// Every one that was never heard, of payments from one moment to another.
    Span(UnixTime, UnixTime),
}

impl Wanted {
    /// What a form asks for; an empty end of a span is open.
    fn of(posted: &Posted) -> Option<Self> {
        if !posted.text("delivery").is_empty() {
            return posted.text("delivery").parse().ok().map(|id| Self::One(DeliveryId(id)));
        }
        let end = |name: &str, open| match posted.text(name) {
            "" => Some(UnixTime::from_millis(open)),
            text => time_of(text),
        };
        Some(Self::Span(end("from", i64::MIN)?, end("to", i64::MAX)?))
    }

    fn has(&self, callback: &Callback) -> bool {
        match self {
            Self::One(id) => callback.delivery.id == *id,
            // A field of a form has no seconds: the whole minute of the end is meant.
            Self::Span(from, to) => {
                callback.paid_at >= *from && callback.paid_at.secs() / 60 <= to.secs() / 60
            }
        }
    }
}

/// Sends callbacks again that were never heard.
pub(crate) async fn send_again(
    State(server): State<Server>,
    view: View,
    Path((platform, id)): Path<(String, String)>,
    posted: Posted,
) -> Response {
    let view = view.at(&format!("/apps/{platform}/{id}/deliveries"));
    let app = own!(&server, &view, &platform, &id);
    let mut sent = 0;
    if let Some(wanted) = Wanted::of(&posted) {
        let callbacks = done!(&view, callbacks_of(&server, &app).await);
        for callback in callbacks.iter().filter(|callback| wanted.has(callback)) {
            let again = server.inner.store.submit(SendAgain(callback.delivery.id)).await;
            sent += usize::from(done!(&view, again).is_some());
        }
    }
    if sent == 0 {
        return problem(
            &view,
            StatusCode::UNPROCESSABLE_ENTITY,
            view.say("没有再次发送", "It was not sent again"),
            view.say(
                "没有符合的回调：它已送达，或仍在重试，或时间不可读。",
                "No callback fits: it was heard, or it is still being tried, or the time cannot be read.",
            ),
            view.say("返回查看它的状态。", "Go back and see where it stands."),
        );
    }
    server.inner.callbacks.wake();
    see_other(&format!("{}/deliveries", app.href()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_forms_are_read() {
        assert_eq!(time_of("1970-01-02T01:01"), Some(UnixTime::from_secs(90_060)));
        assert_eq!(time_of("2026-11-25T12:34:56"), time_of("2026-11-25T12:34"));
        for bad in [
            "",
            "x",
            "2026-13-01T00:00",
            "2026-02-30T00:00",
            "2026-01-01T24:00",
            "2026-01-01",
            "T",
            "2026-01-01T12",
        ] {
            assert_eq!(time_of(bad), None, "{bad}");
        }
    }
}
