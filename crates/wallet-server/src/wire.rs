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
use http::{HeaderValue, StatusCode};
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
    let lang = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let lang = lang.map_or(Lang::default(), Lang::from_accept_language);
    let (parts, body) = request.into_parts();
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
    response
}

impl Context {
    async fn answer(&self, request: &http::Request<Bytes>, lang: Lang) -> Answered {
        match self.protocol(request.uri().path()) {
            Some(protocol) => protocol.answer(self, request, lang).await,
            None => Answered { endpoint: "none", response: reply::not_found(self) },
        }
    }
}
