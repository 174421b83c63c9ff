//! The callbacks of an app: a timeline of attempts, the causes of failures, the next attempt, the request and the
//! reply, and a form that sends again one callback or all of a time span.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use wallet_core::{Acknowledgement, DeliveryState, Lang, UnixTime};
use wallet_platform::{
    AttemptNow, AttemptsOf, CallbackOf, CallbacksOf, DeliveryId, SendAgain, ShownCallback,
};

use super::apps::{Tab, own_app};
use super::{
    OrPage as _, Page, Params, SignedIn, SubmittedForm, View, failure, page as render, problem, see_other,
    shown_time,
};
use crate::context::Server;
use crate::own_app::AppSummary;
use crate::undelivered::{Span, UndeliveredIn};

/// The number of callbacks on a page.
const EACH_PAGE: u64 = 50;
/// The number of undelivered callbacks that one form sends again.
const SENT_PER_FORM: usize = 500;

/// An attempt on the timeline: its position, and the class for its outcome.
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
    may_be_sent_now: bool,
}

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage<'a> {
    view: &'a View,
    app: AppSummary,
    tab: Tab,
    acknowledged_by: String,
    shown: Vec<Shown>,
    /// Whether only undelivered callbacks are shown.
    undelivered: bool,
    /// Whether the app has an undelivered callback that may be sent again.
    some_undelivered: bool,
    /// The number of callbacks that the form sends again.
    at_once: usize,
    /// The number of callbacks that the last form sent again.
    sent: Option<u64>,
    older: Option<String>,
    /// Whether the app has no callback at all.
    none_yet: bool,
}

/// Pixels from one attempt to the next.
const STEP: usize = 14;

impl Shown {
    fn of(view: &View, callback: &ShownCallback, now: UnixTime) -> Self {
        let (delivery, subject) = (&callback.delivery, &*callback.subject);
        let may_be_sent_again = callback.may_be_sent_again();
        let (state, mood) = match delivery.state {
            DeliveryState::Waiting => (view.say("重试中", "waiting"), "warn"),
            DeliveryState::Acknowledged => (view.say("已送达", "delivered"), "ok"),
            DeliveryState::Exhausted if may_be_sent_again => (view.say("未送达", "not delivered"), "bad"),
            DeliveryState::Exhausted => (view.say("未送达，已重发", "not delivered, sent again"), ""),
        };
        let dots: Vec<Dot> = (callback.attempts.iter().enumerate())
            .map(|(at, attempt)| Dot {
                x: STEP / 2 + at * STEP,
                class: if attempt.failure.is_none() { "delivered" } else { "undelivered" },
                title: format!(
                    "{}. {}: {}",
                    attempt.n,
                    shown_time(attempt.started_at),
                    attempt.in_words(delivery.callback, view.lang)
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
            verdict: (callback.attempts.last())
                .map(|attempt| {
                    let words = attempt.in_words(delivery.callback, view.lang);
                    plain(&words, subject.given_address(), view.lang)
                })
                .unwrap_or_default(),
            next,
            may_be_sent_again,
            may_be_sent_now: waits && delivery.next_at > now,
            about: subject.reference().to_owned(),
            amount: subject.amount(),
            address: subject.given_address().to_owned(),
        }
    }
}

/// The cause of a failed connection in plain words, with the address that the app gave; other texts stay as they are.
fn plain(words: &str, address: &str, lang: Lang) -> String {
    let Ok(uri) = address.parse::<http::Uri>() else { return words.to_owned() };
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let (zh, en) = if has(&["Connection refused"]) {
        (format!("{host}:{port} 上没有程序在监听"), format!("nothing listens on {host}:{port}"))
    } else if has(&["failed to lookup", "Name or service not known", "No address associated"]) {
        (format!("域名 {host} 无法解析"), format!("the name {host} does not resolve"))
    } else if has(&["Connection reset", "connection closed before"]) {
        let en = format!("{host}:{port} closed the connection before it replied");
        (format!("{host}:{port} 在应答之前断开了连接"), en)
    } else if has(&["certificate"]) {
        let en = format!("the TLS certificate of {host} is not valid: {words}");
        (format!("{host} 的 TLS 证书无效：{words}"), en)
    } else {
        return words.to_owned();
    };
    if lang == Lang::Zh { zh } else { en }
}

/// The query parameters of the list.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Listed {
    /// `undelivered`: only undelivered callbacks.
    show: String,
    /// Only callbacks before this delivery id.
    before: Option<u64>,
    /// The number of callbacks that the last form sent again.
    sent: Option<u64>,
}

pub(crate) async fn page(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path((platform, id)): Path<(String, String)>,
    Params(Listed { show, before, sent }): Params<Listed>,
) -> Page {
    let app = own_app(&server, &view, &signed_in, &platform, &id).await?;
    let store = &server.inner.store;
    let (receiver, undelivered) = (app.receiver(), show == "undelivered");
    let query = CallbacksOf { app: receiver, undelivered, before: before.map(DeliveryId), limit: EACH_PAGE };
    let (callbacks, older) = store.view(query).await.or_page(&view)?;
    let undelivered_one = UndeliveredIn::new(receiver, Span::ALL).first(store, 1).await.or_page(&view)?;
    let some_undelivered = !undelivered_one.is_empty();
    let now = store.now();
    let shown: Vec<Shown> = callbacks.iter().map(|callback| Shown::of(&view, callback, now)).collect();
    let summary = app.summary();
    let href = &summary.href;
    let older = older.map(|older| {
        let show = if undelivered { "show=undelivered&" } else { "" };
        format!("{href}/deliveries?{show}before={}", older.0)
    });
    Ok(render(&DeliveriesPage {
        view: &view,
        acknowledged_by: app.callback().meta().schedule.acknowledged_by.in_words(view.lang),
        none_yet: shown.is_empty() && before.is_none() && !undelivered,
        app: summary,
        tab: Tab::Callbacks,
        shown,
        undelivered,
        some_undelivered,
        at_once: SENT_PER_FORM,
        sent,
        older,
    }))
}

/// An attempt as a table row.
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
    /// Whether the platform reads the reply's body, not only its status.
    read: bool,
}

/// A request as HTTP text.
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

/// The page of one callback: its attempts, requests and replies.
pub(crate) async fn one(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path((platform, id, delivery)): Path<(String, String, String)>,
) -> Page {
    let app = own_app(&server, &view, &signed_in, &platform, &id).await?;
    let store = &server.inner.store;
    let found = match delivery.parse().map(DeliveryId) {
        Ok(delivery) => store.view(CallbackOf { app: app.receiver(), delivery }).await.or_page(&view)?,
        Err(_) => None,
    };
    let callback = found.ok_or_else(|| no_callback(&view))?;
    let attempts = store.view(AttemptsOf(callback.delivery.id)).await.or_page(&view)?;
    let lines = attempts.iter().rev().map(|attempt| Line {
        n: attempt.n,
        started_at: shown_time(attempt.started_at),
        took: format!("{} ms", attempt.ended_at.since(attempt.started_at).as_millis()),
        verdict: plain(
            &attempt.in_words(app.callback(), view.lang),
            callback.subject.given_address(),
            view.lang,
        ),
        reply: attempt.reply.clone(),
    });
    let lines = lines.collect();
    let (n, at) = attempts.last().map_or((1, store.now()), |last| (last.n, last.started_at));
    let (href, shown) = (app.summary().href, Shown::of(&view, &callback, store.now()));
    let request = callback.claimed(n).request(store.vault(), at).ok().map(|request| raw(&request));
    let read = matches!(app.callback().meta().schedule.acknowledged_by, Acknowledgement::Json(_));
    Ok(render(&DeliveryPage { view: &view, href, shown, lines, request, read }))
}

fn no_callback(view: &View) -> Response {
    problem(
        view,
        StatusCode::NOT_FOUND,
        view.say("没有这个回调", "There is no such callback"),
        view.say(
            "它不属于这个应用，或它所说的付款已被撤销。",
            "The callback belongs to another app, or its payment was undone.",
        ),
        view.say("返回回调列表。", "Go back to the callbacks."),
    )
}

/// The action of the form.
enum Wanted {
    /// Makes the next attempt of this delivery now.
    Now(DeliveryId),
    /// Sends this delivery again.
    One(DeliveryId),
    /// Sends again every undelivered callback of payments in a span of time.
    InSpan(Span),
}

impl Wanted {
    /// Reads the form; an empty end leaves the span open.
    fn of(posted: &SubmittedForm) -> Option<Self> {
        let number = |name| posted.text(name).parse().map(DeliveryId).ok();
        if !posted.text("now").is_empty() {
            return number("now").map(Self::Now);
        }
        if !posted.text("delivery").is_empty() {
            return number("delivery").map(Self::One);
        }
        Span::parse(posted.text("from"), posted.text("to")).map(Self::InSpan)
    }
}

/// Sends undelivered callbacks again, or makes the next attempt of a waiting one now.
pub(crate) async fn send_again(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path((platform, id)): Path<(String, String)>,
    posted: SubmittedForm,
) -> Page {
    let view = view.at(&format!("/apps/{platform}/{id}/deliveries"));
    let app = own_app(&server, &view, &signed_in, &platform, &id).await?;
    let (store, receiver) = (&server.inner.store, app.receiver());
    let own = async |delivery| {
        let found = store.view(CallbackOf { app: receiver, delivery }).await.or_page(&view)?;
        found.map(|found| found.delivery.id).ok_or_else(|| no_callback(&view))
    };
    let mut sent = 0;
    match Wanted::of(&posted) {
        None => {}
        Some(Wanted::Now(delivery)) => {
            let waits = store.submit(AttemptNow(own(delivery).await?)).await.or_page(&view)?;
            sent += u64::from(waits);
        }
        Some(Wanted::One(delivery)) => {
            let again = store.submit(SendAgain(own(delivery).await?)).await.or_page(&view)?;
            sent += u64::from(again.is_some());
        }
        Some(Wanted::InSpan(span)) => {
            let undelivered = UndeliveredIn::new(receiver, span).first(store, SENT_PER_FORM).await;
            for delivery in undelivered.or_page(&view)? {
                match store.submit(SendAgain(delivery)).await {
                    Ok(again) => sent += u64::from(again.is_some()),
                    // The earlier callbacks are queued; the page shows their number.
                    Err(_) if sent > 0 => break,
                    Err(no) => return Err(failure(&view, &no)),
                }
            }
        }
    }
    if sent == 0 {
        return Err(problem(
            &view,
            StatusCode::UNPROCESSABLE_ENTITY,
            view.say("没有重发", "No callback was sent again"),
            view.say(
                "没有符合的回调：它已送达，或已重发，或时间不可读。",
                "No callback matches: it was delivered or sent again before, or the time is invalid.",
            ),
            view.say("返回查看它的状态。", "Go back to see the callback's state."),
        ));
    }
    server.inner.callbacks.stir();
    Ok(see_other(&format!("{}/deliveries?sent={sent}", app.summary().href)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_connection_is_reported_in_plain_words() {
        let address = "http://127.0.0.1:9100/paid";
        let refused = "client error (Connect): Connection refused (os error 111)";
        assert_eq!(plain(refused, address, Lang::En), "nothing listens on 127.0.0.1:9100");
        assert_eq!(plain(refused, "https://shop.example", Lang::Zh), "shop.example:443 上没有程序在监听");
        assert_eq!(plain("HTTP 503", address, Lang::En), "HTTP 503");
    }
}
