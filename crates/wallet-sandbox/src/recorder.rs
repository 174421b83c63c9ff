//! The exchanges that the inspector shows: the last requests to the platforms, and the callbacks to
//! the shop and to other apps.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::USER_AGENT;
use http::{HeaderMap, StatusCode};
use tokio::sync::broadcast;
use wallet_core::{CallbackMeta, UnixTime};
use wallet_platform::AttemptResult;
use wallet_server::body::{self, BodyError};
use wallet_server::consent_page;
use wallet_server::{Attempted, Observer, platforms};
use wallet_store::Clock;

use crate::clock::SandboxClock;

/// A request and its reply. It holds passwords and session keys of the sandbox's users: never log it.
pub(crate) struct Exchange {
    /// Its number, from 1.
    pub(crate) id: u64,
    /// Whether a page of the sandbox made the request.
    pub(crate) own: bool,
    pub(crate) at: UnixTime,
    /// The callback, with its scheme and host; `None` for a request to the sandbox.
    pub(crate) sent: Option<(&'static CallbackMeta, String)>,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// `None` without a reply: `reply` is then the cause.
    pub(crate) status: Option<u16>,
    pub(crate) reply: String,
    pub(crate) micros: u64,
}

impl Exchange {
    /// Whether the platform sent the request.
    pub(crate) fn is_callback(&self) -> bool {
        self.sent.is_some() || self.path.starts_with(CALLBACKS)
    }
}

/// The User-Agent of the calls that the sandbox's own pages make.
pub(crate) const OWN_PAGES: &str = "wallop-sandbox-pages";

/// The path at which the shop receives callbacks.
pub(crate) const CALLBACKS: &str = "/shop/callback/";
/// The number of exchanges that are kept.
const KEPT: usize = 200;
/// The number of these that pages of the sandbox may have made when there are others.
const OWN_KEPT: usize = 50;
/// The most characters of a body, a query, a path or a header.
const SHOWN: usize = 4096;
/// The limit in bytes: the recorder skips larger bodies, and bodies of unknown size.
const LARGEST: u64 = 1 << 20;

fn is_small(body: &Body) -> bool {
    body.size_hint().upper().is_some_and(|size| size < LARGEST)
}

#[derive(Clone)]
pub(crate) struct Recorder {
    ring: Arc<Mutex<VecDeque<Arc<Exchange>>>>,
    last_id: Arc<AtomicU64>,
    /// Each exchange once it is kept.
    kept: broadcast::Sender<Arc<Exchange>>,
    clock: Arc<SandboxClock>,
    /// The shop's port: [`record`] keeps its callbacks, and the observer skips them.
    port: u16,
}

impl Recorder {
    pub(crate) fn new(clock: Arc<SandboxClock>, port: u16) -> Self {
        let (kept, _) = broadcast::channel(KEPT);
        Self { ring: Arc::default(), last_id: Arc::default(), kept, clock, port }
    }

    fn ring(&self) -> MutexGuard<'_, VecDeque<Arc<Exchange>>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kept exchanges, newest first.
    pub(crate) fn newest(&self) -> Vec<Arc<Exchange>> {
        self.ring().iter().cloned().collect()
    }

    fn keep(&self, mut exchange: Exchange) {
        let mut ring = self.ring();
        exchange.id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        if ring.len() >= KEPT {
            // The pages' own calls, which repeat, never evict those of apps.
            let own = ring.iter().filter(|kept| kept.own).count();
            let oldest = ring.iter().rposition(|kept| kept.own).filter(|_| own > OWN_KEPT);
            ring.remove(oldest.unwrap_or(KEPT - 1));
        }
        let exchange = Arc::new(exchange);
        ring.push_front(exchange.clone());
        let _ = self.kept.send(exchange); // nobody may be listening
    }

    /// The exchanges from now on. A slow reader misses some.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<Exchange>> {
        self.kept.subscribe()
    }
}

impl Observer for Recorder {
    /// Keeps a callback to an app other than the demo shop.
    fn attempted(&self, attempted: &Attempted<'_>) {
        let (uri, headers) = (attempted.request.uri(), attempted.request.headers());
        if uri.port_u16() == Some(self.port) && uri.path().starts_with(CALLBACKS) {
            return;
        }
        let (status, reply) = match attempted.result {
            AttemptResult::Reply { status, beginning, .. } => {
                (Some(*status), beginning.clone().unwrap_or_default())
            }
            AttemptResult::Timeout => (None, "no answer within the deadline".to_owned()),
            AttemptResult::Failed(why) => (None, why.clone()),
        };
        let host = format!(
            "{}://{}",
            uri.scheme_str().unwrap_or_default(),
            uri.authority().map_or("", |authority| authority.as_str())
        );
        self.keep(Exchange {
            id: 0,
            own: false,
            at: attempted.started_at,
            sent: Some((attempted.callback.meta(), host)),
            method: attempted.request.method().to_string(),
            path: shown(uri.path().as_bytes()),
            query: shown(uri.query().unwrap_or_default().as_bytes()),
            headers: shown_headers(headers),
            body: shown(attempted.request.body()),
            status,
            reply: shown(reply.as_bytes()),
            micros: u64::try_from(attempted.took.as_micros()).unwrap_or(u64::MAX),
        });
    }
}

fn is_recorded(path: &str) -> bool {
    let bases = platforms().map(|platform| platform.base_path);
    bases.chain([CALLBACKS]).any(|prefix| path.starts_with(prefix))
}

/// The headers that belong to the protocols.
fn shown_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let belongs = |name: &str| {
        name.starts_with("webhook-") || ["content-type", "authorization", "accept-language"].contains(&name)
    };
    let text = |value: &http::HeaderValue| shown(value.as_bytes());
    let headers = headers.iter().filter(|(name, _)| belongs(name.as_str()));
    headers.map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// The response to a request whose body cannot be read.
pub(crate) fn not_read(error: BodyError) -> Response {
    let (status, why) = match error {
        BodyError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n"),
        BodyError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy: try again in a moment\n"),
        BodyError::Malformed => (StatusCode::BAD_REQUEST, "the body's chunks are malformed\n"),
        BodyError::Incomplete => (StatusCode::REQUEST_TIMEOUT, "the body is incomplete\n"),
    };
    (status, why).into_response()
}

/// Keeps a request and its reply.
pub(crate) async fn record(State(recorder): State<Recorder>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    // GET authorize is a page.
    let page = request.method() == http::Method::GET && path == consent_page();
    if !is_recorded(&path) || page || !is_small(request.body()) {
        return next.run(request).await;
    }
    let (at, began) = (recorder.clock.now(), Instant::now());
    let (parts, body) = request.into_parts();
    let body = match body::read(body, LARGEST as usize).await {
        Ok(body) => body,
        Err(error) => return not_read(error),
    };
    let own = parts.headers.get(USER_AGENT).is_some_and(|agent| agent == OWN_PAGES);
    let mut exchange = Exchange {
        id: 0,
        own,
        at,
        sent: None,
        method: parts.method.to_string(),
        path: shown(path.as_bytes()),
        query: shown(parts.uri.query().unwrap_or_default().as_bytes()),
        headers: shown_headers(&parts.headers),
        body: shown(&body),
        status: None,
        reply: String::new(),
        micros: 0,
    };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if !is_small(response.body()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let reply = to_bytes(body, LARGEST as usize).await.unwrap_or_default();
    exchange.status = Some(parts.status.as_u16());
    exchange.reply = shown(&reply);
    exchange.micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    recorder.keep(exchange);
    Response::from_parts(parts, Body::from(reply))
}
