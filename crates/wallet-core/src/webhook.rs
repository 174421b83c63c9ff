//! The headers that sign a callback's body (R9), in the format of Standard Webhooks: an id that is the same at every
//! attempt, the attempt's time, and `v1,` with the signature; one for each live key, separated by spaces. The spec has
//! the names of the headers and the parts that the signature covers.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::{self, Sha256, equal};
use crate::sign::{MAX_SIGNED, mac};
use crate::{Encoding, Secret, SigningMeta, UnixTime};

const VERSION: &str = "v1,";

/// The headers of one attempt, each a name and its value.
pub type Headers = [(&'static str, String); 3];

/// The header names of the id, the time and the signatures. `wallet-spec` refuses a scheme that signs a body
/// without them.
fn names(rule: &SigningMeta) -> (&'static str, &'static str, &'static str) {
    let time = rule.window.map_or("", |window| window.field);
    (rule.message_id().unwrap_or_default(), time, rule.field)
}

/// Signs a body with each secret.
pub fn sign<'k>(
    crypto: &dyn Sha256,
    rule: &SigningMeta,
    secrets: impl IntoIterator<Item = &'k [u8]>,
    id: &str,
    now: UnixTime,
    body: &[u8],
) -> Headers {
    let timestamp = now.secs().to_string();
    let mut signatures = String::new();
    for secret in secrets {
        if !signatures.is_empty() {
            signatures.push(' ');
        }
        signatures.push_str(VERSION);
        let signature = signature(crypto, rule, secret, id, &timestamp, body);
        match rule.encoding {
            Encoding::Base64 => STANDARD.encode_string(signature, &mut signatures),
            Encoding::HexLower => signatures.push_str(&crypto::hex_text(&signature)),
        }
    }
    let (id_name, time_name, signature_name) = names(rule);
    [(id_name, id.to_owned()), (time_name, timestamp), (signature_name, signatures)]
}

/// The secret that the official Standard Webhooks libraries take, `whsec_` and the key in base64: derived from the
/// scheme's secret, which it does not reveal. It verifies callbacks and signs nothing else.
pub fn library_secret(crypto: &dyn Sha256, rule: &SigningMeta, secret: &[u8]) -> Secret<String> {
    let key = match rule.derive {
        Some(info) => STANDARD.encode(crypto.hkdf(secret, info.as_bytes())),
        None => STANDARD.encode(secret),
    };
    Secret::new(format!("whsec_{key}"))
}

fn signature(
    crypto: &dyn Sha256,
    rule: &SigningMeta,
    secret: &[u8],
    id: &str,
    timestamp: &str,
    body: &[u8],
) -> [u8; 32] {
    let (id_name, time_name, _) = names(rule);
    let mut parts: [&[u8]; MAX_SIGNED] = [&[]; MAX_SIGNED];
    for (part, named) in parts.iter_mut().zip(rule.canonical) {
        *part = match named.name {
            SigningMeta::BODY => body,
            name if name == id_name => id.as_bytes(),
            name if name == time_name => timestamp.as_bytes(),
            separator => separator.as_bytes(),
        };
    }
    mac(rule, crypto, secret, &parts)
}

/// Why a callback is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookError {
    /// One of the three headers is not there, or not readable.
    MissingHeader(&'static str),
    /// The timestamp is too far from now: an old callback sent again, or clocks that differ.
    Stale,
    /// No signature fits the body and the secret.
    Forged,
}

impl fmt::Display for WebhookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingHeader(name) => write!(f, "the header {name} is missing or unreadable"),
            Self::Stale => f.write_str("the callback's timestamp is too far from now"),
            Self::Forged => f.write_str("no signature of the callback fits its body and the client_secret"),
        }
    }
}

impl std::error::Error for WebhookError {}

/// Checks the headers of a callback against its body.
///
/// # Errors
/// [`WebhookError`], saying which check failed.
pub fn verify(
    crypto: &dyn Sha256,
    rule: &SigningMeta,
    secret: &[u8],
    headers: &http::HeaderMap,
    body: &[u8],
    now: UnixTime,
) -> Result<(), WebhookError> {
    let text = |name| {
        headers.get(name).and_then(|value| value.to_str().ok()).ok_or(WebhookError::MissingHeader(name))
    };
    let (id_name, time_name, signature_name) = names(rule);
    let (id, timestamp, signatures) = (text(id_name)?, text(time_name)?, text(signature_name)?);
    let seconds: i64 = timestamp.parse().map_err(|_| WebhookError::MissingHeader(time_name))?;
    let expected = signature(crypto, rule, secret, id, timestamp, body);
    let fits =
        signatures.split(' ').filter_map(|one| one.strip_prefix(VERSION)).any(|one| match rule.encoding {
            Encoding::Base64 => STANDARD.decode(one).is_ok_and(|given| equal(&given, &expected)),
            Encoding::HexLower => equal(one.as_bytes(), crypto::hex_text(&expected).as_bytes()),
        });
    if !fits {
        return Err(WebhookError::Forged);
    }
    match rule.window {
        Some(window) if now.secs().abs_diff(seconds) > window.seconds => Err(WebhookError::Stale),
        _ => Ok(()),
    }
}
