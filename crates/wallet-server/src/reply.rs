//! Replies in the platform's envelope, as HTTP.

use axum::body::Body;
use axum::response::Response;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use wallet_api::fomo::{Denied, Refusal};
use wallet_api::vas;
use wallet_core::{
    Auth, DecodeError, Endpoint, EndpointMeta, Fault, Lang, RefusalBody, RefusalMeta, fault_body,
    refusal_body, success_body,
};
use wallet_engine::StoreError;
use wallet_platform::{Failure, Reason, Refused, RefusedData, wire};

use crate::store::Store;

fn json(status: u16, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    // Replies hold tokens and balances (R17; RFC 6749 §5.1).
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A success.
pub(crate) fn success<E: Endpoint>(lang: Lang, data: &E::Response) -> Response {
    json(200, success_body::<E>(lang, data))
}

/// A refusal's HTTP status and the headers that go with it.
fn refusing(meta: &EndpointMeta, refusal: &RefusalMeta, body: Vec<u8>) -> Response {
    let mut response = json(refusal.http, body);
    let headers = response.headers_mut();
    match refusal.http {
        401 => {
            let scheme =
                if meta.auth == Auth::Client { "Basic realm=\"wallop\"" } else { "Bearer realm=\"wallop\"" };
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
        413 => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        503 => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    response
}

/// The answer to a request that could not be read.
fn fault(meta: &EndpointMeta, lang: Lang, fault: Fault) -> Response {
    refusing(meta, fault.refusal, fault_body(meta, lang, fault))
}

/// A refusal without particulars.
pub(crate) fn plain(meta: &EndpointMeta, lang: Lang, refusal: &'static RefusalMeta) -> Response {
    let body = RefusalBody::<()> { refusal, field: None, wait: None, data: None };
    refusing(meta, refusal, refusal_body(meta.envelope, lang, &body))
}

fn refused(meta: &EndpointMeta, lang: Lang, store: &Store, refused: &Refused) -> Response {
    // A field that a decision finds wrong is answered like one that decoding finds wrong.
    let refusal = match refused.refusal {
        Reason::Fomo(Refusal::MissingParameter) | Reason::Vas(vas::Refusal::UnknownError) => {
            meta.faults.field
        }
        Reason::Fomo(Refusal::Internal) | Reason::Vas(vas::Refusal::Internal) => meta.faults.internal,
        Reason::Fomo(Refusal::Overloaded) | Reason::Vas(vas::Refusal::Overloaded) => meta.faults.overloaded,
        Reason::Fomo(other) => other.meta(),
        Reason::Vas(other) => other.meta(),
    };
    let Refused { field, wait, .. } = *refused;
    let body = match &refused.data {
        None => refusal_body(meta.envelope, lang, &RefusalBody::<()> { refusal, field, wait, data: None }),
        Some(RefusedData::Transfer { transfer, decimals }) => {
            match wire::trade_state(store.vault(), transfer, *decimals, store.now()) {
                Ok(data) => {
                    let data = Some(data);
                    refusal_body(meta.envelope, lang, &RefusalBody { refusal, field, wait, data })
                }
                Err(damaged) => return failure(meta, lang, store, &damaged.into()),
            }
        }
        Some(RefusedData::Denied { state }) => {
            let data = Some(Denied { error: refusal.id.to_owned(), state: state.clone().into() });
            refusal_body(meta.envelope, lang, &RefusalBody { refusal, field, wait, data })
        }
    };
    refusing(meta, refusal, body)
}

/// The answer to a command or query that has no outcome.
pub(crate) fn failure(meta: &EndpointMeta, lang: Lang, store: &Store, failure: &Failure) -> Response {
    match failure {
        Failure::Refused(no) => refused(meta, lang, store, no),
        Failure::Store(StoreError::Overloaded | StoreError::Stopped) => {
            plain(meta, lang, meta.faults.overloaded)
        }
        Failure::Store(error) => {
            tracing::error!(endpoint = meta.id, %error, "a request failed inside");
            plain(meta, lang, meta.faults.internal)
        }
    }
}

/// Plain text, for what is outside the platform's own replies.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The answer to a request that no endpoint could read, with the name of the endpoint where one was meant.
pub(crate) fn undecoded(lang: Lang, error: DecodeError) -> (&'static str, Response) {
    match error {
        DecodeError::NoRoute => ("none", not_found()),
        DecodeError::WrongMethod { allow } => ("none", wrong_method(allow)),
        DecodeError::Bad { endpoint, fault } => (endpoint.id, self::fault(endpoint, lang, fault)),
    }
}

/// 404 for what is below no platform.
pub(crate) fn not_found() -> Response {
    let bases: Vec<&str> = crate::wire::PLATFORMS.iter().map(|platform| platform.base_path).collect();
    let text = format!(
        "there is nothing at this address; the platforms' endpoints are below {}\n",
        bases.join(" and ")
    );
    self::text(StatusCode::NOT_FOUND, text)
}

/// 405 with the methods that there are.
fn wrong_method(allow: &'static str) -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, format!("this address takes {allow}\n"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}
