//! The three headers of Standard Webhooks that go with a callback (R9): `webhook-id`, `webhook-timestamp`,
//! `webhook-signature`. The signature is HMAC-SHA256 over `id.timestamp.body`, in base64 after `v1,`; one for each live
//! key, separated by spaces.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::{Sha256, equal};
use crate::{SigningMeta, UnixTime};

/// The header with the message's id, the same at every attempt.
pub const ID: &str = "webhook-id";
/// The header with the attempt's time, Unix seconds.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// The value of the signature header.
pub fn sign<'k>(
    crypto: &dyn Sha256,
    rule: &SigningMeta,
    secrets: impl IntoIterator<Item = &'k [u8]>,
    id: &str,
    now: UnixTime,
    body: &[u8],
) -> String {
    let timestamp = now.secs().to_string();
    let mut header = String::new();
    for secret in secrets {
        if !header.is_empty() {
            header.push(' ');
        }
        header.push_str("v1,");
        STANDARD.encode_string(mac(crypto, rule, secret, id, &timestamp, body), &mut header);
    }
    header
}

fn mac(
    crypto: &dyn Sha256,
    rule: &SigningMeta,
    secret: &[u8],
    id: &str,
    timestamp: &str,
    body: &[u8],
) -> [u8; 32] {
    let key = crypto.hkdf(secret, rule.derive.unwrap_or_default().as_bytes());
    crypto.hmac(&key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body])
}

/// Why a callback is not believed.
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
    let (id, timestamp, signatures) = (text(ID)?, text(TIMESTAMP)?, text(SIGNATURE)?);
    let seconds: i64 = timestamp.parse().map_err(|_| WebhookError::MissingHeader(TIMESTAMP))?;
    let expected = mac(crypto, rule, secret, id, timestamp, body);
    let fits = signatures
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .any(|one| STANDARD.decode(one).is_ok_and(|given| equal(&given, &expected)));
    if !fits {
        return Err(WebhookError::Forged);
    }
    match rule.window {
        Some((_, window)) if now.secs().abs_diff(seconds) > window => Err(WebhookError::Stale),
        _ => Ok(()),
    }
}
