//! Replies in the platform's envelope, as HTTP.

use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderValue, StatusCode};
use wallet_core::{
    Auth, DecodeError, Endpoint, EndpointMeta, Fault, FaultKind, Lang, RefusalBody, RefusalMeta, fault_body,
    refusal_body, success_body,
};
use wallet_platform::{Failure, Reason, Refused};

use crate::context::{Answered, Context};

fn json(status: u16, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    // Replies hold tokens and balances (R17; RFC 6749 §5.1).
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The platform's code in a reply, for the metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplyCode(pub(crate) u32);

/// A refusal's HTTP status and headers.
fn refusing(meta: &EndpointMeta, refusal: &RefusalMeta, had_token: bool, body: Vec<u8>) -> Response {
    let mut response = json(refusal.http, body);
    response.extensions_mut().insert(ReplyCode(refusal.code.code));
    let headers = response.headers_mut();
    match refusal.http {
        401 | 403 => {
            let challenge = match (meta.auth, refusal.http) {
                (Auth::Client, _) => "Basic realm=\"wallop\"".to_owned(),
                // RFC 6750, 3.1: a request without a token gets no error code.
                _ if !had_token => "Bearer".to_owned(),
                (_, 401) => "Bearer error=\"invalid_token\"".to_owned(),
                _ => {
                    let scope = meta.scope.map_or("", |scope| scope.id);
                    format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")
                }
            };
            if let Ok(challenge) = HeaderValue::try_from(challenge) {
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
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

/// The reply to a request that could not be decoded.
fn fault(meta: &EndpointMeta, lang: Lang, fault: Fault) -> Response {
    refusing(meta, fault.refusal, fault.kind != FaultKind::NoBearer, fault_body(meta, lang, fault))
}

/// A refusal without `field`, `wait` and `data`.
pub(crate) fn plain(meta: &EndpointMeta, lang: Lang, refusal: &'static RefusalMeta) -> Response {
    let body = RefusalBody::<()> { refusal, field: None, wait: None, data: None };
    refusing(meta, refusal, true, refusal_body(meta.envelope, lang, &body))
}

/// The map from the platform's [`Reason`] to the protocol's refusal.
pub type Answers = fn(Reason) -> &'static RefusalMeta;

/// The result of an endpoint's handler.
pub type Handled<E> = Result<<E as Endpoint>::Response, Failure>;

/// The reply of an endpoint.
pub fn handled<E: Endpoint>(lang: Lang, answers: Answers, handled: Handled<E>) -> Response {
    match handled {
        Ok(data) => {
            let mut response = json(200, success_body::<E>(lang, &data));
            response.extensions_mut().insert(ReplyCode(0));
            response
        }
        Err(failure) => refused_by(E::META, lang, answers, &failure),
    }
}

fn refused(meta: &EndpointMeta, lang: Lang, answers: Answers, refused: &Refused) -> Response {
    let refusal = match refused.reason {
        // An invalid field gets the same refusal from a decision as from decoding.
        Reason::Field => meta.faults.field,
        Reason::Internal => meta.faults.internal,
        Reason::Busy => meta.faults.overloaded,
        reason => answers(reason),
    };
    let Refused { field, wait, data, .. } = refused;
    let body = RefusalBody { refusal, field: *field, wait: *wait, data: data.as_ref() };
    refusing(meta, refusal, true, refusal_body(meta.envelope, lang, &body))
}

/// The reply to a failed command or query.
pub(crate) fn refused_by(meta: &EndpointMeta, lang: Lang, answers: Answers, failure: &Failure) -> Response {
    match failure {
        Failure::Refused(no) => refused(meta, lang, answers, no),
        Failure::Store(error) if error.is_temporary() => plain(meta, lang, meta.faults.overloaded),
        Failure::Store(error) => {
            tracing::error!(endpoint = meta.id, %error, "internal error in a request");
            plain(meta, lang, meta.faults.internal)
        }
    }
}

/// The reply to OPTIONS at an address that takes these methods.
pub(crate) fn options(allow: &str) -> Response {
    let mut response = no_content();
    if let Ok(allow) = HeaderValue::try_from(allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// A reply without content.
pub(crate) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The reply to HEAD: that to GET, without its body.
pub(crate) fn without_body(mut response: Response) -> Response {
    let length = response.body().size_hint().exact();
    *response.body_mut() = Body::empty();
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// A plain text reply, for addresses outside the platforms.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The reply to a request that no endpoint could decode.
pub fn undecoded(context: &Context, lang: Lang, error: DecodeError) -> Answered {
    match error {
        DecodeError::NoRoute => Answered { endpoint: "none", response: not_found(context) },
        DecodeError::WrongMethod { allow } => Answered { endpoint: "none", response: wrong_method(allow) },
        DecodeError::Bad { endpoint, fault } => {
            Answered { endpoint: endpoint.id, response: self::fault(endpoint, lang, fault) }
        }
    }
}

/// 404 for a path outside every platform's base path.
pub(crate) fn not_found(context: &Context) -> Response {
    let bases: Vec<&str> = context.protocols.iter().map(|protocol| protocol.meta().base_path).collect();
    let text = format!(
        "there is nothing at this address; the platforms' endpoints are below {}\n",
        bases.join(" and ")
    );
    self::text(StatusCode::NOT_FOUND, text)
}

/// 405 with the allowed methods.
fn wrong_method(allow: &'static str) -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, format!("this address allows {allow} only\n"));
    // HEAD is where GET is (RFC 9110, 9.1).
    let and_head = if allow.contains("GET") { format!("{allow}, HEAD") } else { allow.to_owned() };
    if let Ok(allow) = HeaderValue::try_from(and_head) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}
