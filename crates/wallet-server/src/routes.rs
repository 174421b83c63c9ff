//! Every route of a server.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, Method, StatusCode};

use crate::context::Server;
use crate::metrics::{self, State as Read};
use crate::pages;
use crate::reply::{no_content, text};
use crate::wire::wire;

impl Server {
    /// Every route: [`public_router`](Self::public_router) and [`internal_router`](Self::internal_router).
    pub fn router(&self) -> Router {
        self.public_router().merge(self.internal_router())
    }

    /// What users, apps and their developers call: the documents' own paths, and the pages.
    pub fn public_router(&self) -> Router {
        let protocols = self.inner.protocols.iter();
        let routes =
            protocols.clone().fold(pages::router(), |routes, protocol| routes.merge(protocol.pages()));
        let others = protocols.fold(pages::assets(), |routes, protocol| routes.merge(protocol.addresses()));
        self.pages(routes).merge(others).fallback(wire).with_state(self.clone())
    }

    /// What an operator's programs call, for an address that is not public: `/healthz`, `/readyz`, `/metrics`.
    pub fn internal_router(&self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .method_not_allowed_fallback(wrong_method)
            .with_state(self.clone())
    }
}

async fn wrong_method(method: Method) -> Response {
    match method {
        Method::OPTIONS => no_content(), // the router adds `Allow`
        _ => text(StatusCode::METHOD_NOT_ALLOWED, "this address allows GET only\n"),
    }
}

async fn ready(State(server): State<Server>) -> Response {
    match server.is_ready().await {
        Ok(()) => text(StatusCode::OK, "ready\n"),
        Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

async fn metrics(State(server): State<Server>, headers: HeaderMap) -> Response {
    let inner = &server.inner;
    let due = inner.callbacks.earliest_due();
    let body = inner.metrics.text(Read {
        store: inner.store.measured(),
        broken: inner.store.broken().is_some(),
        attempts_under_way: inner.callbacks.under_way(),
        backlog: due.map_or(Duration::ZERO, |due| inner.store.now().since(due)),
        hashes: inner.prover.in_use(),
    });
    let (body, kind) = match metrics::reads_open_metrics(&headers) {
        true => (body, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        false => (metrics::classic(&body), "text/plain; version=0.0.4; charset=utf-8"),
    };
    let mut response = text(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    headers.insert(http::header::VARY, http::HeaderValue::from_static("Accept"));
    response
}
