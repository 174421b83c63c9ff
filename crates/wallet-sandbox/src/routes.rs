//! The sandbox's own addresses: `/sandbox` describes the sandbox, `/clock` moves time, `/chain` is the embedded chain,
//! `/sandbox/codes` lists codes, `/sandbox/review` and `/sandbox/send_again` are the operator's. Loopback `Host` only.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};
use wallet_server::pages::{View, is_for_people};
use wallet_store::Clock;

use crate::data::describe;
use crate::pages::{self, Pages};
use crate::state::{NotMoved, Sent, Shared, failed, move_clock};
use crate::{chain, operator};

/// The sandbox's own addresses and pages.
pub(crate) fn router(shared: Shared, pages: Pages) -> Router {
    let addresses = Router::new()
        .route("/sandbox", get(sandbox))
        .route("/sandbox/codes", get(codes))
        .route("/sandbox/review", post(operator::review))
        .route("/sandbox/send_again", post(operator::send_again))
        .route("/clock", get(clock).post(advance))
        .route("/clock/seconds", get(seconds))
        .route("/chain/rpc", post(chain::rpc))
        .route("/chain/mine", post(chain::mine))
        .route("/chain/reorg", post(chain::reorg))
        .route("/chain/pay", post(chain::pay))
        .with_state(shared.clone());
    shared.server.pages(addresses.merge(pages::router(pages))).layer(from_fn(from_here))
}

async fn from_here(request: Request, next: Next) -> Response {
    if came_from_elsewhere(request.method(), request.headers()) {
        return (StatusCode::FORBIDDEN, "the request came from a page of another origin\n").into_response();
    }
    next.run(request).await
}

/// Requires a loopback `Host`, so that no web page elsewhere reaches the sandbox by DNS rebinding.
pub(crate) async fn loopback_only(request: Request, next: Next) -> Response {
    if is_of_this_machine(request.headers()) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "the sandbox answers on 127.0.0.1 and localhost only\n").into_response()
}

fn is_of_this_machine(headers: &HeaderMap) -> bool {
    // HTTP/1.0 knows no Host, and no browser speaks it. HTTP/1.1 without one does not get here.
    let Some(host) = headers.get("host") else { return true };
    let host = host.to_str().unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// A page elsewhere can send a form without permission, but browsers add its origin. A link on a page
/// elsewhere is allowed: only the user sees the page that it opens.
fn came_from_elsewhere(method: &Method, headers: &HeaderMap) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = header("host").unwrap_or_default();
    let followed = method == Method::GET
        && header("sec-fetch-mode") == Some("navigate")
        && header("sec-fetch-dest") == Some("document");
    header("origin").is_some_and(|origin| origin != format!("http://{host}"))
        || (header("sec-fetch-site") == Some("cross-site") && !followed)
}

/// JSON for programs, a page for browsers.
async fn sandbox(State(shared): State<Shared>, view: View, headers: HeaderMap) -> Response {
    match describe(&shared.store, &shared.url).await {
        Ok(described) if is_for_people(&Method::GET, &headers) => pages::described_page(&view, &described),
        Ok(described) => Json(described).into_response(),
        Err(failure) => failed(&failure),
    }
}

/// JSON for programs, a page for browsers.
async fn codes(State(shared): State<Shared>, view: View, headers: HeaderMap) -> Response {
    let codes = shared.codes.list();
    if is_for_people(&Method::GET, &headers) {
        return pages::codes_page(&view, &codes);
    }
    Json(codes).into_response()
}

#[derive(Serialize)]
struct Now {
    /// Unix milliseconds.
    now_ms: i64,
    /// The milliseconds ahead of the system's clock.
    offset_ms: i64,
}

/// JSON for programs, a page for browsers.
async fn clock(State(shared): State<Shared>, view: View, headers: HeaderMap) -> Response {
    if is_for_people(&Method::GET, &headers) {
        return pages::clock_page(&shared, &view).await;
    }
    Json(Now { now_ms: shared.clock.now().millis(), offset_ms: shared.clock.offset_ms() }).into_response()
}

#[derive(Deserialize)]
struct Advance {
    advance: u64,
}

/// The time in Unix seconds, as plain text, for a program's timestamp.
async fn seconds(State(shared): State<Shared>) -> String {
    shared.clock.now().secs().to_string()
}

async fn advance(State(shared): State<Shared>, Sent(Advance { advance }): Sent<Advance>) -> Response {
    match move_clock(shared, advance).await {
        Ok(advanced) => Json(advanced).into_response(),
        Err(NotMoved::TooFar) => (StatusCode::BAD_REQUEST, format!("{}\n", NotMoved::TooFar)).into_response(),
        Err(failure) => failed(&failure),
    }
}
