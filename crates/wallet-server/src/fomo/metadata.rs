//! The description of the authorization server for OAuth libraries (RFC 8414).

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use wallet_api::fomo::{Fomo, authorize, revoke, token};
use wallet_core::{Endpoint, Platform as _};

use crate::context::Server;

/// The address at which OAuth libraries look for it.
pub(crate) fn routes() -> Router<Server> {
    Router::new().route("/.well-known/oauth-authorization-server", get(metadata))
}

/// The members of RFC 8414, 2.
#[derive(Serialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    revocation_endpoint: String,
    scopes_supported: Vec<&'static str>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 2],
    token_endpoint_auth_methods_supported: [&'static str; 2],
    revocation_endpoint_auth_methods_supported: [&'static str; 2],
    code_challenge_methods_supported: [&'static str; 2],
    service_documentation: String,
    ui_locales_supported: [&'static str; 2],
}

/// The methods by which a client authenticates (RFC 6749, 2.3.1).
const AUTH_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// Answers with the metadata.
async fn metadata(State(server): State<Server>) -> Response {
    let at = |path: &str| server.inner.public_url(path);
    let endpoint = |path: &str| at(&format!("{}{}", Fomo::META.base_path, path.trim_start_matches('/')));
    let metadata = Metadata {
        issuer: at(""),
        authorization_endpoint: endpoint(authorize::Endpoint::META.path),
        token_endpoint: endpoint(token::Endpoint::META.path),
        revocation_endpoint: endpoint(revoke::Endpoint::META.path),
        scopes_supported: Fomo::META.scopes.iter().map(|scope| scope.id).collect(),
        response_types_supported: ["code"],
        response_modes_supported: ["query"],
        grant_types_supported: ["authorization_code", "refresh_token"],
        token_endpoint_auth_methods_supported: AUTH_METHODS,
        revocation_endpoint_auth_methods_supported: AUTH_METHODS,
        code_challenge_methods_supported: ["S256", "plain"],
        service_documentation: at(&format!("/docs/{}", Fomo::META.id)),
        ui_locales_supported: ["zh-CN", "en"],
    };
    let mut response = Json(metadata).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    response
}
