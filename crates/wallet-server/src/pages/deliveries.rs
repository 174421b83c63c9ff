//! The callbacks of an app: each attempt drawn on a line of time, why it failed, what comes next, and sending again.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use wallet_core::{DeliveryState, UnixTime};
use wallet_platform::{DeliveriesOf, DeliveryId, SendAgain, ToldTransfer};

use super::apps::{done, own_app, signed_in};
use super::sign_in::encoded;
use super::view::SignedIn;
use super::{Posted, View, failure, page as render, problem, see_other, shown_time};
use crate::server::Server;

/// How many events of an app are looked at.
const EVENTS: u64 = 100;

/// An attempt on the line: where, and whether it was heard.
struct Dot {
    x: usize,
    class: &'static str,
    title: String,
}

struct Shown {
    id: u64,
    trade_id: String,
    amount: String,
    server_uri: String,
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
    name: String,
    href: String,
    shown: Vec<Shown>,
}

/// Pixels from one attempt to the next.
const STEP: usize = 14;

impl Shown {
    fn of(view: &View, told: &ToldTransfer, now: UnixTime) -> Self {
        let (delivery, transfer) = (&told.delivery, &told.transfer);
        let (state, mood) = match delivery.state {
            DeliveryState::Waiting => (view.say("重试中", "waiting"), "warn"),
            DeliveryState::Acknowledged => (view.say("已送达", "delivered"), "ok"),
            DeliveryState::Exhausted => (view.say("未送达", "not delivered"), "bad"),
        };
        let verdict = |attempt: &wallet_platform::Attempt| match (attempt.http_status, &attempt.failure) {
            (Some(200), None) => "HTTP 200".to_owned(),
            (Some(status), _) => format!("HTTP {status}"),
            (None, Some(why)) => why.clone(),
            (None, None) => view.say("没有回答", "no answer").to_owned(),
        };
        let dots: Vec<Dot> = (told.attempts.iter().enumerate())
            .map(|(at, attempt)| Dot {
                x: STEP / 2 + at * STEP,
                class: if attempt.http_status == Some(200) { "heard" } else { "unheard" },
                title: format!("{}. {}: {}", attempt.n, shown_time(attempt.started_at), verdict(attempt)),
            })
            .collect();
        let waits = delivery.state == DeliveryState::Waiting;
        let next = waits.then(|| {
            let seconds = delivery.next_at.since(now).as_millis().div_ceil(1000);
            format!("{} ({} s)", shown_time(delivery.next_at), seconds)
        });
        Self {
            id: delivery.id.0,
            trade_id: transfer.trade_id.clone(),
            amount: transfer.amount_text.clone(),
            server_uri: transfer.server_uri.clone(),
            state,
            mood,
            width: (dots.len() + usize::from(waits)).max(1) * STEP,
            dots,
            verdict: told.attempts.last().map(verdict).unwrap_or_default(),
            next,
            may_be_sent_again: delivery.state == DeliveryState::Exhausted,
        }
    }
}

pub(crate) async fn page(
    State(server): State<Server>,
    view: View,
    Path(client_id): Path<String>,
) -> Response {
    let SignedIn { user, .. } = signed_in!(view);
    let app = match own_app(&server, &view, user, &client_id).await {
        Ok(app) => app,
        Err(response) => return response,
    };
    let told = done!(&view, server.inner.store.view(DeliveriesOf { app: app.id, limit: EVENTS }).await);
    let now = server.inner.store.now();
    let shown = told.iter().map(|told| Shown::of(&view, told, now)).collect();
    render(&DeliveriesPage { view: &view, name: app.name, href: format!("/apps/fomo/{client_id}"), shown })
}

/// Sends a callback again that was never heard.
pub(crate) async fn send_again(
    State(server): State<Server>,
    view: View,
    Path(client_id): Path<String>,
    posted: Posted,
) -> Response {
    let href = format!("/apps/fomo/{client_id}/deliveries");
    let view = view.at(&href);
    let SignedIn { user, .. } = signed_in!(view);
    let app = match own_app(&server, &view, user, &client_id).await {
        Ok(app) => app,
        Err(response) => return response,
    };
    let told = done!(&view, server.inner.store.view(DeliveriesOf { app: app.id, limit: EVENTS }).await);
    let wanted = posted.text("delivery").parse().map(DeliveryId);
    let own = told.iter().find(|told| wanted.as_ref().is_ok_and(|wanted| told.delivery.id == *wanted));
    let sent = match own {
        Some(own) => done!(&view, server.inner.store.submit(SendAgain(own.delivery.id)).await).is_some(),
        None => false,
    };
    if !sent {
        return problem(
            &view,
            StatusCode::UNPROCESSABLE_ENTITY,
            view.say("没有再次发送", "It was not sent again"),
            view.say("它已送达，或仍在重试。", "It was heard, or it is still being tried."),
            view.say("返回查看它的状态。", "Go back and see where it stands."),
        );
    }
    server.inner.callbacks.wake();
    see_other(&href)
}
