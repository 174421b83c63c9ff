//! Endpoints in both directions: the traits of generated types, and their common code.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap};

use crate::body::Slots;
use crate::fault::{EncodeError, Fault, FaultKind};
use crate::reply::{FromCode, Reply, ResponseError, read_reply};
use crate::sign::{Canonical, Signature, Signer, sign};
use crate::types::SecretText;
use crate::writer::{BodyFormat, FieldWriter};
use crate::{Auth, CallbackMeta, EndpointMeta, Method, Place, PlatformMeta, form, link};

/// A platform: a marker type that carries the whole spec.
pub trait Platform: 'static {
    /// Its spec.
    const META: &'static PlatformMeta;
}

/// An endpoint: a marker type, one each (`pre_pay::Endpoint`).
pub trait Endpoint: 'static {
    /// Its declaration in the spec.
    const META: &'static EndpointMeta;
    /// Its request.
    type Request<'a>;
    /// The decoded request, inside the wrappers that must be checked first, for example
    /// `Bearer<'a, Unverified<'a, Request<'a>>>`.
    type Decoded<'a>;
    /// The `data` of its reply.
    type Response: Reply;
    /// Its platform's status codes.
    type Error: FromCode;

    /// Reads a request of this endpoint, borrowing from it.
    ///
    /// # Errors
    /// A [`Fault`] that says what could not be read and how to answer it.
    fn decode<'a, B: AsRef<[u8]>>(request: &'a http::Request<B>) -> Result<Self::Decoded<'a>, Fault>;
}

/// An outgoing request; implemented by each `Request<'_>`.
pub trait OutgoingRequest {
    /// Its endpoint.
    type Endpoint: Endpoint;

    /// Passes every field to `writer`, in the document's order. `signature` is `Some` if the endpoint is signed.
    fn write_fields(&self, signature: Option<&Signature>, writer: &mut FieldWriter<'_>);

    /// Passes the parts that the endpoint's signature covers to `canonical`, in the rule's order.
    fn write_signed(&self, canonical: &mut Canonical<'_>);

    /// The whole HTTP request.
    ///
    /// # Errors
    /// [`EncodeError`] when the context lacks what the endpoint needs.
    fn encode(&self, cx: &EncodeCx<'_>) -> Result<http::Request<Vec<u8>>, EncodeError> {
        write_request(
            <Self::Endpoint as Endpoint>::META,
            cx,
            |canonical| self.write_signed(canonical),
            |signature, writer| {
                self.write_fields(signature, writer);
            },
        )
    }

    /// Appends the form body alone to `out`, for callers who make the HTTP request themselves. Nothing is allocated but
    /// `out`'s own growth.
    ///
    /// # Errors
    /// [`EncodeError::NoSigner`] when the endpoint is signed and there is no signer.
    fn encode_form(&self, signer: Option<&Signer<'_>>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let rule = <Self::Endpoint as Endpoint>::META.signing;
        let signature = sign(rule, signer, |canonical| self.write_signed(canonical))?;
        self.write_fields(signature.as_ref(), &mut FieldWriter::form(out));
        Ok(())
    }

    /// Reads the reply.
    ///
    /// # Errors
    /// [`ResponseError`]: the platform refused, or the reply is not one of this platform.
    fn decode_response(
        response: &http::Response<impl AsRef<[u8]>>,
    ) -> Result<<Self::Endpoint as Endpoint>::Response, ResponseError<<Self::Endpoint as Endpoint>::Error>>
    {
        read_reply::<Self::Endpoint>(response.status().as_u16(), response.body().as_ref())
    }
}

/// The context for encoding a request.
#[derive(Clone, Copy)]
pub struct EncodeCx<'a> {
    /// The platform's base URL, ending with a slash: `http://127.0.0.1:7070/fomo/`.
    pub base_url: &'a str,
    /// How the body is written.
    pub format: BodyFormat,
    /// The access token, for endpoints with bearer authentication.
    pub bearer: Option<&'a str>,
    /// The signer, for signed endpoints.
    pub signer: Option<Signer<'a>>,
}

impl fmt::Debug for EncodeCx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodeCx").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Builds the HTTP request of an endpoint from its fields.
///
/// # Errors
/// [`EncodeError`] when the context lacks what the endpoint needs.
pub fn write_request(
    meta: &'static EndpointMeta,
    cx: &EncodeCx<'_>,
    signed: impl Fn(&mut Canonical<'_>),
    fields: impl Fn(Option<&Signature>, &mut FieldWriter<'_>),
) -> Result<http::Request<Vec<u8>>, EncodeError> {
    let signature = sign(meta.signing, cx.signer.as_ref(), signed)?;
    let mut uri = format!("{}{}", cx.base_url, meta.path);
    if meta.parameters == Place::Query {
        let (query, _) = FieldWriter::body(BodyFormat::Form, |writer| fields(signature.as_ref(), writer));
        uri = link::append_query(&uri, std::str::from_utf8(&query).expect("a form is ASCII"));
    }
    let mut request = http::Request::builder()
        .method(meta.methods.last().map_or("POST", |method| method.word()))
        .uri(uri)
        .header(ACCEPT, "application/json");
    if meta.auth == Auth::Bearer {
        let token = cx.bearer.ok_or(EncodeError::NoBearer)?;
        let mut value =
            http::HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| EncodeError::NoBearer)?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let (body, content_type) = if meta.request.is_empty() || meta.parameters == Place::Query {
        (Vec::new(), None)
    } else {
        let (body, content_type) = FieldWriter::body(cx.format, |writer| fields(signature.as_ref(), writer));
        (body, Some(content_type))
    };
    if let Some(content_type) = content_type {
        request = request.header(CONTENT_TYPE, content_type);
    }
    request.body(body).map_err(|_| EncodeError::BadUrl)
}

/// A request with an access token. The token is a claim until the platform has looked it up.
#[derive(Debug)]
pub struct Bearer<'a, T> {
    /// The access token.
    pub token: SecretText<'a>,
    /// The request.
    pub inner: T,
}

/// A request that no endpoint can decode. It names the endpoint, which determines the format of the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// No endpoint has this path.
    NoRoute,
    /// Endpoints have this path with other methods.
    WrongMethod {
        /// The methods that it has, for the `Allow` header.
        allow: &'static str,
    },
    /// The endpoint is known, the request cannot be read.
    Bad {
        /// The endpoint.
        endpoint: &'static EndpointMeta,
        /// The fault.
        fault: Fault,
    },
}

fn header<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    // UTF-8 is checked faster than HeaderValue::to_str looks for visible ASCII, and what is not expected fits nothing.
    headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
}

/// The credentials of an `Authorization` header of this scheme.
fn credentials<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let (scheme, rest) = header(headers, &AUTHORIZATION)?.split_at_checked(wanted.len())?;
    let rest = rest.strip_prefix(' ')?.trim_ascii();
    (scheme.eq_ignore_ascii_case(wanted) && !rest.is_empty()).then_some(rest)
}

/// The bearer token of a request.
///
/// # Errors
/// The endpoint's fault for a request without one.
pub fn bearer<'a, B>(meta: &'static EndpointMeta, request: &'a http::Request<B>) -> Result<&'a str, Fault> {
    credentials(request.headers(), "bearer")
        .ok_or_else(|| Fault::new(FaultKind::NoBearer, None, meta.faults.bearer))
}

/// Reads all fields of a request into slots and checks every field.
///
/// # Errors
/// A [`Fault`] that names the first field that is wrong.
pub fn decode_fields<'a, const N: usize, B: AsRef<[u8]>>(
    meta: &'static EndpointMeta,
    index: fn(&[u8]) -> Option<usize>,
    request: &'a http::Request<B>,
    slots: &mut Slots<'a, N>,
) -> Result<(), Fault> {
    let content_type = header(request.headers(), &CONTENT_TYPE);
    if meta.parameters == Place::Query {
        slots.read_form(index, request.uri().query().unwrap_or_default().as_bytes())?;
    }
    slots.read(index, content_type, request.body().as_ref())?;
    if meta.auth == Auth::Client
        && let Some(basic) = credentials(request.headers(), "basic")
    {
        // RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
        let broken = || Fault::new(FaultKind::Malformed, Some("authorization"), meta.faults.field);
        let pair = STANDARD.decode(basic).map_err(|_| broken())?;
        let colon = pair.iter().position(|byte| *byte == b':').ok_or_else(broken)?;
        for (name, half) in [("client_id", &pair[..colon]), ("client_secret", &pair[colon + 1..])] {
            let text = form::decode(half).map_err(|_| broken())?.into_owned();
            if let Some(at) = index(name.as_bytes()) {
                slots.put(at, Cow::<str>::Owned(text).into())?;
            }
        }
    }
    slots.check()
}

/// The text of one field, read ahead of decoding, to distinguish endpoints at the same path.
pub fn peek<const N: usize, B: AsRef<[u8]>>(
    meta: &'static EndpointMeta,
    index: fn(&[u8]) -> Option<usize>,
    request: &http::Request<B>,
    at: usize,
) -> Option<String> {
    let content_type = header(request.headers(), &CONTENT_TYPE);
    let mut slots = Slots::<N>::of(meta.request, &meta.faults);
    slots.read(index, content_type, request.body().as_ref()).ok()?;
    slots.text(at).map(|text| text.to_string())
}

/// A callback: a marker type, one each (`payment_result::Callback`).
pub trait Callback: 'static {
    /// Its declaration in the spec.
    const META: &'static CallbackMeta;
    /// Its payload.
    type Payload<'a>;
    /// The decoded payload, inside [`Unverified`](crate::Unverified) when its fields are signed.
    type Decoded<'a>;

    /// Reads a callback's form: the body of a POST, the query of a GET. Before using a payload without signed fields,
    /// call [`webhook::verify`](crate::webhook::verify).
    ///
    /// # Errors
    /// A [`Fault`] that names the first field that is wrong.
    fn decode(form: &[u8]) -> Result<Self::Decoded<'_>, Fault>;

    /// Appends the form to `out`.
    ///
    /// # Errors
    /// [`EncodeError`] when the fields are signed and the signer is missing or fails.
    fn encode(
        payload: &Self::Payload<'_>,
        signer: Option<&Signer<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError>;
}

/// Reads the fields of a callback and checks every field.
///
/// # Errors
/// A [`Fault`] that names the first field that is wrong.
pub fn decode_callback<'a, const N: usize>(
    meta: &'static CallbackMeta,
    index: fn(&[u8]) -> Option<usize>,
    body: &'a [u8],
) -> Result<Slots<'a, N>, Fault> {
    let mut slots = Slots::of(meta.fields, &meta.faults);
    if meta.method == Method::Get {
        slots.last_wins(); // R45: the address may have had a query of its own
    }
    slots.read_form(index, body)?;
    slots.check()?;
    Ok(slots)
}
