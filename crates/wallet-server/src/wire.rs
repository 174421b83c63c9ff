//! What every request that is not a page goes through: its body is read, it is answered in a task of its own, counted,
//! and logged. Which platform it is for, its path says.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header::ACCEPT_LANGUAGE;
use wallet_api::fomo::{Fomo, limits};
use wallet_api::vas::Vas;
use wallet_core::{EndpointMeta, Lang, Platform, PlatformMeta};

use crate::body::{self, BodyError};
use crate::server::{Inner, Server};
use crate::{pages, reply};

/// Every platform that is served.
pub const PLATFORMS: [&PlatformMeta; 2] = [Fomo::META, Vas::META];

/// Every request that is not a page.
pub(crate) async fn wire(State(server): State<Server>, request: Request) -> Response {
    let began = Instant::now();
    let inner = &*server.inner;
    let lang = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let lang = lang.map_or(Lang::default(), Lang::from_accept_language);
    let (parts, body) = request.into_parts();
    if at_path(parts.uri.path()).is_none() && pages::is_for_people(&parts.method, &parts.headers) {
        return pages::nowhere(&server, &parts).await;
    }
    let (name, response) = match body::read(body, limits::BODY_BYTES as usize).await {
        Ok(body) => {
            // In a task of its own: a client that goes away must not leave a payment without its callback being woken
            // for, or a password's attempt reserved.
            let (server, request) = (server.clone(), http::Request::from_parts(parts, body));
            let answered = tokio::spawn(async move { server.inner.answer(&request, lang).await });
            answered.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a handler failed");
                ("none", reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; see its log\n"))
            })
        }
        Err(error) => match (at_path(parts.uri.path()), error) {
            (None, _) => ("none", reply::not_found()),
            (Some(meta), BodyError::TooLarge) => {
                (meta.id, reply::plain(meta, lang, meta.faults.body_too_large))
            }
            (Some(meta), BodyError::Incomplete) => (
                meta.id,
                reply::text(StatusCode::REQUEST_TIMEOUT, "the request's body did not come to its end\n"),
            ),
        },
    };
    let (status, took) = (response.status().as_u16(), began.elapsed());
    inner.metrics.request(name, status, took);
    tracing::debug!(endpoint = name, status, micros = took.as_micros() as u64, "request");
    response
}

fn at_path(path: &str) -> Option<&'static EndpointMeta> {
    PLATFORMS.iter().find_map(|platform| platform.endpoint_at(path))
}

impl Inner {
    async fn answer(&self, request: &http::Request<Bytes>, lang: Lang) -> (&'static str, Response) {
        if request.uri().path().starts_with(Vas::META.base_path) {
            self.vas(request, lang).await
        } else {
            self.fomo(request, lang).await
        }
    }
}
