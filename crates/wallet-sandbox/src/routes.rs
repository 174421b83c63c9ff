//! The sandbox's own addresses: `/sandbox` tells what is there, `/clock` moves time, `/chain` is the embedded chain,
//! `/sandbox/codes` shows verification codes, `/sandbox/review` and `/sandbox/send_again` are the operator's. They answer only to a loopback `Host`, so that no web page elsewhere reads them by a name of its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Form, FromRequest, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use http::{HeaderMap, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use wallet_core::Lang;
use wallet_server::pages::{View, is_for_people};
use wallet_server::{ChainError, Notification, Notifier, Server, Settled, Store};
use wallet_store::Clock;

use crate::clock::SandboxClock;
use crate::data::describe;
use crate::pages::{self, Pages};
use crate::{chain, operator};

/// The wall time that one move of the clock may take.
const LONGEST_MOVE: Duration = Duration::from_secs(25);
/// A hundred years ahead of the system's clock, in all: beyond it a timestamp would not be ten digits some day.
const FARTHEST: u64 = 100 * 365 * 86_400;

/// How many verification codes are kept, and how many of each name: whoever begins many registrations pushes out few others.
const CODES: usize = 1000;
const CODES_EACH: usize = 5;

/// Verification codes, shown instead of sent.
#[derive(Debug, Default)]
pub(crate) struct Codes(Mutex<VecDeque<Notification>>);

impl Notifier for Codes {
    fn notify(&self, notification: Notification) {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut same = 0;
        codes.retain(|sent| {
            same += usize::from(sent.login_name == notification.login_name);
            sent.login_name != notification.login_name || same < CODES_EACH
        });
        codes.truncate(CODES - 1);
        codes.push_front(notification);
    }
}

#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) url: Arc<str>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<SandboxClock>,
    pub(crate) server: Server,
    pub(crate) codes: Arc<Codes>,
    /// Where the clock's offset is kept.
    pub(crate) offset_file: Arc<std::path::Path>,
    /// One move at a time.
    pub(crate) moving: Arc<tokio::sync::Mutex<()>>,
}

/// The sandbox's own addresses and pages.
pub(crate) fn router(shared: Shared, pages: Pages) -> Router {
    let addresses = Router::new()
        .route("/sandbox", get(sandbox))
        .route("/sandbox/codes", get(codes))
        .route("/sandbox/review", post(operator::review))
        .route("/sandbox/send_again", post(operator::send_again))
        .route("/clock", get(clock).post(advance))
        .route("/chain/rpc", post(chain::rpc))
        .route("/chain/mine", post(chain::mine))
        .route("/chain/reorg", post(chain::reorg))
        .route("/chain/pay", post(chain::pay))
        .with_state(shared.clone());
    shared.server.pages(addresses.merge(pages::router(pages))).layer(from_fn(from_here))
}

async fn from_here(request: Request, next: Next) -> Response {
    if came_from_elsewhere(request.method(), request.headers()) {
        return (StatusCode::FORBIDDEN, "this came from a page elsewhere\n").into_response();
    }
    next.run(request).await
}

/// Answers by the names of this machine alone, so that no web page elsewhere reaches the sandbox by a name of its own.
pub(crate) async fn loopback_only(request: Request, next: Next) -> Response {
    if is_of_this_machine(request.headers()) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "the sandbox answers on 127.0.0.1 and localhost only\n").into_response()
}

fn is_of_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].contains(&name)
}

/// A form of a page elsewhere needs no leave of ours to be sent; browsers say where it came from. A link of a page
/// elsewhere may be followed: it shows a page, and to nobody but the reader.
fn came_from_elsewhere(method: &Method, headers: &HeaderMap) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = header("host").unwrap_or_default();
    let followed = method == Method::GET
        && header("sec-fetch-mode") == Some("navigate")
        && header("sec-fetch-dest") == Some("document");
    header("origin").is_some_and(|origin| origin != format!("http://{host}"))
        || (header("sec-fetch-site") == Some("cross-site") && !followed)
}

pub(crate) fn failed(failure: &impl std::fmt::Display) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("the sandbox cannot answer: {failure}\n")).into_response()
}

async fn sandbox(State(shared): State<Shared>) -> Response {
    match describe(&shared.store, &shared.url).await {
        Ok(described) => Json(described).into_response(),
        Err(failure) => failed(&failure),
    }
}

#[derive(Serialize)]
pub(crate) struct Code {
    pub(crate) login_name: String,
    verify_id: String,
    pub(crate) verify_code: String,
}

/// JSON for programs, a page for browsers.
async fn codes(State(shared): State<Shared>, view: View, headers: HeaderMap) -> Response {
    let codes = shared.codes.0.lock().unwrap_or_else(PoisonError::into_inner);
    let codes: Vec<Code> = codes
        .iter()
        .map(|sent| Code {
            login_name: sent.login_name.clone(),
            verify_id: sent.verify_id.clone(),
            verify_code: sent.verify_code.expose().clone(),
        })
        .collect();
    if is_for_people(&Method::GET, &headers) {
        return pages::codes_page(&view, &codes);
    }
    Json(codes).into_response()
}

#[derive(Serialize)]
struct Now {
    /// Unix milliseconds.
    now_ms: i64,
    /// How far ahead of the system's clock, in milliseconds.
    offset_ms: i64,
}

/// JSON for programs, a page for browsers.
async fn clock(State(shared): State<Shared>, view: View, headers: HeaderMap) -> Response {
    if is_for_people(&Method::GET, &headers) {
        return pages::clock_page(&shared, &view).await;
    }
    Json(Now { now_ms: shared.clock.now().millis(), offset_ms: shared.clock.offset_ms() }).into_response()
}

/// A program's form.
pub(crate) struct Sent<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Response;
    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match Form::from_request(request, state).await {
            Ok(Form(sent)) => Ok(Self(sent)),
            Err(why) => {
                let why = format!(
                    "{}\nnothing was done; docs/sandbox.md says what each address takes\n",
                    why.body_text()
                );
                Err((StatusCode::BAD_REQUEST, why).into_response())
            }
        }
    }
}

#[derive(Deserialize)]
struct Advance {
    advance: u64,
}

#[derive(Serialize)]
pub(crate) struct Advanced {
    now_ms: i64,
    /// Callback attempts that were made, each at its own time.
    attempted: u64,
    /// Whether attempts that fell into this stretch of time are still to be made, because the wall time was up. They
    /// are overdue now and follow at once.
    not_attempted: bool,
}

async fn advance(State(shared): State<Shared>, Sent(Advance { advance }): Sent<Advance>) -> Response {
    match move_clock(shared, advance).await {
        Ok(advanced) => Json(advanced).into_response(),
        Err(NotMoved::TooFar) => (StatusCode::BAD_REQUEST, format!("{}\n", NotMoved::TooFar)).into_response(),
        Err(failure) => failed(&failure),
    }
}

/// Why the clock was not moved, or not to the end.
#[derive(Debug)]
pub(crate) enum NotMoved {
    TooFar,
    Failed(String),
}

impl NotMoved {
    pub(crate) fn in_words(&self, lang: Lang) -> String {
        match (self, lang) {
            (Self::TooFar, Lang::Zh) => format!("时钟一共最多拨快一百年（{FARTHEST} 秒）"),
            (Self::TooFar, Lang::En) => {
                format!("the clock goes a hundred years ahead at most ({FARTHEST} seconds in all)")
            }
            (Self::Failed(why), _) => why.clone(),
        }
    }
}

impl std::fmt::Display for NotMoved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.in_words(Lang::En))
    }
}

/// Moves the clock event by event: it stands at each time at which an attempt or a block is due until that is done.
pub(crate) async fn move_clock(shared: Shared, advance: u64) -> Result<Advanced, NotMoved> {
    let ahead = u64::try_from(shared.clock.offset_ms() / 1000).unwrap_or(0);
    if ahead.saturating_add(advance) > FARTHEST {
        return Err(NotMoved::TooFar);
    }
    // In a task of its own: a client that goes away must not leave the clock standing.
    let moved = tokio::spawn(async move {
        let _one_at_a_time = shared.moving.lock().await;
        let until = Instant::now() + LONGEST_MOVE;
        let before = shared.server.callbacks().attempts();
        let target = shared.clock.stop() + Duration::from_secs(advance);
        let result = move_to(&shared, target, until).await;
        shared.clock.run_on_from(target);
        if let Err(error) = std::fs::write(&*shared.offset_file, shared.clock.offset_ms().to_string()) {
            tracing::warn!(%error, "the clock's offset is not kept: after a restart it will be back at the system's time");
        }
        shared.server.callbacks().wake();
        shared.server.watcher().wake();
        result.map(|quiet| Advanced {
            now_ms: shared.clock.now().millis(),
            attempted: shared.server.callbacks().attempts() - before,
            not_attempted: quiet == Settled::TimeUp,
        })
    });
    match moved.await {
        Ok(moved) => moved.map_err(|failure| NotMoved::Failed(failure.to_string())),
        Err(error) => Err(NotMoved::Failed(format!("the clock could not be moved: {error}"))),
    }
}

async fn move_to(
    shared: &Shared,
    target: wallet_core::UnixTime,
    until: Instant,
) -> Result<Settled, ChainError> {
    loop {
        if shared.server.settle(until).await? == Settled::TimeUp {
            return Ok(Settled::TimeUp);
        }
        match shared.server.next_event().await? {
            Some(next) if next <= target => {
                if Instant::now() >= until {
                    return Ok(Settled::TimeUp);
                }
                shared.clock.stand_at(next);
            }
            _ => {
                shared.clock.stand_at(target);
                // What is judged by the time alone, such as a payment that has been missing for long.
                return shared.server.settle(until).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wallet_core::Secret;

    use super::*;

    #[test]
    fn whoever_begins_many_registrations_pushes_out_no_other_names_code() {
        let codes = Codes::default();
        let notify = |login_name: &str| {
            let verify_code = Secret::new("123456".to_owned());
            codes.notify(Notification {
                login_name: login_name.to_owned(),
                verify_id: String::new(),
                verify_code,
            });
        };
        notify("hers");
        (0..2 * CODES).for_each(|_| notify("his"));
        let kept = codes.0.lock().unwrap();
        assert_eq!(kept.len(), 1 + CODES_EACH);
        assert!(kept.iter().any(|sent| sent.login_name == "hers"));
    }
}
