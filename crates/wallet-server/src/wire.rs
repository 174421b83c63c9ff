//! The handler of every request that is not a page. It reads the body, answers in a separate task, then counts
//! and logs the request. The path determines the platform.
//!
//! Each request has an id, which the reply repeats in `X-Request-Id` and the log has in the span `request`. A payment logs the number
//! of its callback there, and the span `callback` of each attempt has that number.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT_LANGUAGE, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tracing::Instrument as _;
use wallet_core::Lang;
use wallet_platform::accounts::limits;

use crate::body::{self, BodyError};
use crate::context::Server;
use crate::context::{Answered, Context};
use crate::reply::ReplyCode;
use crate::{pages, reply};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers a request that is not a page.
pub(crate) async fn wire(State(server): State<Server>, request: Request) -> Response {
    let began = Instant::now();
    let inner = &*server.inner;
    let lang = accepted(request.headers()).unwrap_or_default();
    let (mut parts, body) = request.into_parts();
    if let Some(allow) = inner.allowed_at(&parts) {
        return reply::options(&allow);
    }
    // A HEAD is a GET whose answer stays here (RFC 9110, 9.3.2).
    let is_head = parts.method == Method::HEAD;
    if is_head {
        parts.method = Method::GET;
        parts.extensions.insert(Head);
    }
    let id = inner.request_ids.next();
    // Beside the id: what OpenTelemetry calls these facts.
    let span = tracing::debug_span!(
        "request",
        id,
        otel.kind = "server",
        otel.name = inner.endpoint_at(parts.uri.path()).map_or("none", |meta| meta.id),
        http.request.method = %parts.method,
        http.response.status_code = tracing::field::Empty,
    );
    if pages::is_for_people(&parts.method, &parts.headers) && inner.endpoint_at(parts.uri.path()).is_none() {
        return pages::nowhere(&server, &parts).await;
    }
    let Answered { endpoint: name, mut response } = match body::read(body, limits::BODY_BYTES as usize).await
    {
        Ok(body) => {
            // A separate task: a disconnected client must not leave a payment without a wake of the callback worker,
            // or a reserved password attempt.
            let (server, request) = (server.clone(), http::Request::from_parts(parts, body));
            let answering = async move { server.inner.answer(&request, lang).await };
            let answered = tokio::spawn(answering.instrument(span.clone()));
            answered.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a handler failed");
                let response =
                    reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; see its log\n");
                Answered { endpoint: "none", response }
            })
        }
        Err(error) => match (inner.endpoint_at(parts.uri.path()), error) {
            (None, _) => Answered { endpoint: "none", response: reply::not_found(inner) },
            (Some(meta), BodyError::TooLarge) => {
                let response = reply::plain(meta, lang, meta.faults.body_too_large);
                Answered { endpoint: meta.id, response }
            }
            (Some(meta), BodyError::Busy) => {
                Answered { endpoint: meta.id, response: reply::plain(meta, lang, meta.faults.overloaded) }
            }
            (Some(meta), BodyError::Malformed) => {
                let response =
                    reply::text(StatusCode::BAD_REQUEST, "the request body's chunks are malformed\n");
                Answered { endpoint: meta.id, response }
            }
            (Some(meta), BodyError::Incomplete) => {
                let response =
                    reply::text(StatusCode::REQUEST_TIMEOUT, "request body incomplete: send it again\n");
                Answered { endpoint: meta.id, response }
            }
        },
    };
    let (status, took) = (response.status().as_u16(), began.elapsed());
    let code = response.extensions().get::<ReplyCode>().map(|code| code.0);
    inner.metrics.request(name, status, code, took);
    let micros = took.as_micros() as u64;
    span.record("http.response.status_code", status);
    span.in_scope(|| tracing::debug!(endpoint = name, status, code, micros, "request"));
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if is_head { reply::without_body(response) } else { response }
}

/// The mark of a request that was a HEAD: it must not use up what a GET would.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head;

/// The language that the headers of a request prefer, if they name one.
pub(crate) fn accepted(headers: &HeaderMap) -> Option<Lang> {
    Lang::accepted(headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok()))
}

impl Context {
    /// The methods at the address of an OPTIONS request; `None` if it is another request, or there is no endpoint.
    fn allowed_at(&self, parts: &Parts) -> Option<String> {
        let path = parts.uri.path();
        if parts.method != Method::OPTIONS || self.endpoint_at(path).is_none() {
            return None;
        }
        let meta = self.protocol(path)?.meta();
        let below = path.strip_prefix(meta.base_path)?;
        let here = meta.endpoints.iter().filter(|endpoint| endpoint.paths().any(|known| known == below));
        let mut methods: Vec<&str> =
            here.clone().flat_map(|endpoint| endpoint.methods).map(|method| method.word()).collect();
        // A page of the web at the same address.
        methods.extend(here.clone().any(|endpoint| !endpoint.browser.en.is_empty()).then_some("GET"));
        methods.sort_unstable();
        methods.dedup();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        Some(methods.join(", "))
    }

    async fn answer(&self, request: &http::Request<Bytes>, lang: Lang) -> Answered {
        match self.protocol(request.uri().path()) {
            Some(protocol) => protocol.answer(self, request, lang).await,
            None => Answered { endpoint: "none", response: reply::not_found(self) },
        }
    }
}
