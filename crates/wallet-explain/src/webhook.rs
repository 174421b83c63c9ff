//! The headers that sign FOMO's callback (R9): why a receiver's own computation gives another signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wallet_core::crypto::{Hashes, hex_text};
use wallet_core::{SigningMeta, UnixTime, form};

use crate::{Cause, Finding};

/// A callback as it arrived, and what the receiver made of it.
#[derive(Clone, Copy)]
pub struct Received<'a> {
    /// The signing scheme of the callback.
    pub rule: &'a SigningMeta,
    /// The client_secret.
    pub secret: &'a str,
    /// The header with the id.
    pub id: &'a str,
    /// The header with the timestamp.
    pub timestamp: &'a str,
    /// The header with the signatures.
    pub signature: &'a str,
    /// The body.
    pub body: &'a str,
    /// The signature that the receiver's program computes; empty if it is not known.
    pub computed: &'a str,
    /// The time of arrival; `None` does not check the age.
    pub now: Option<UnixTime>,
}

impl std::fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Received")
            .field("id", &self.id)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

/// A mistake: its cause, the key, the signed text, and how the text is shown.
struct Tried {
    cause: Cause,
    key: Vec<u8>,
    text: String,
    shown: String,
}

const VERSION: &str = "v1,";

fn mistakes(of: &Received<'_>, key: &[u8]) -> Vec<Tried> {
    let Received { secret, id, timestamp, body, .. } = *of;
    let right = format!("{id}.{timestamp}.{body}");
    let mut tried = Vec::new();
    let mut add = |cause, key: &[u8], text: String, shown: String| {
        tried.push(Tried { cause, key: key.to_vec(), text, shown });
    };
    let encoded = format!("whsec_{}", STANDARD.encode(key));
    let keys = [
        (Cause::KeyNotDerived, secret.as_bytes()),
        (Cause::KeyNotDecoded, encoded.as_bytes()),
        (Cause::KeyNotDecoded, &encoded.as_bytes()["whsec_".len()..]),
        (Cause::KeyInHex, &hex_text(key).into_bytes()),
    ];
    for (cause, other) in keys {
        add(cause, other, right.clone(), "id.timestamp.body".to_owned());
    }
    let parts = |shown: &str| Cause::OtherParts(shown.to_owned());
    for (text, shown) in [
        (body.to_owned(), "body"),
        (format!("{timestamp}.{body}"), "timestamp.body"),
        (format!("{id}.{body}"), "id.body"),
        (format!("{timestamp}.{id}.{body}"), "timestamp.id.body"),
        (format!("{id}{timestamp}{body}"), "id + timestamp + body"),
        (format!("{id}\n{timestamp}\n{body}"), "id, line end, timestamp, line end, body"),
        (format!("{id}.{timestamp}"), "id.timestamp"),
    ] {
        for key in [key, secret.as_bytes()] {
            add(parts(shown), key, text.clone(), shown.to_owned());
        }
    }
    // What frameworks make of the body before a program sees it.
    let pairs: Vec<(String, String)> = form::pairs(body)
        .map(form::split)
        .filter_map(|(name, value)| {
            let decode = |text: &str| form::decode(text.as_bytes()).ok().map(|text| text.into_owned());
            Some((decode(name)?, decode(value)?))
        })
        .collect();
    let borrowed: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
    let mut sorted = borrowed.clone();
    sorted.sort_unstable();
    let json = |pairs: &[(&str, &str)]| {
        let mut out = Vec::new();
        wallet_core::json::write_object(pairs.iter().copied(), &mut out);
        String::from_utf8(out).unwrap_or_default()
    };
    let plain: Vec<String> = borrowed.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for other in [
        format!("{body}\n"),
        format!("{body}\r\n"),
        body.trim().to_owned(),
        plain.join("&"),
        form::query(&borrowed),
        form::query(&sorted),
        json(&borrowed),
        json(&sorted),
        json(&borrowed).replace(':', ": ").replace(",\"", ", \""),
        String::new(),
    ] {
        if other != body {
            let text = format!("{id}.{timestamp}.{other}");
            add(Cause::OtherBody, key, text.clone(), text);
        }
    }
    let millis = format!("{id}.{timestamp}000.{body}");
    add(Cause::Milliseconds, key, millis.clone(), millis);
    tried
}

/// Why a callback's signature does not fit, or why the receiver's program computes another one.
pub fn webhook(crypto: &dyn Hashes, of: &Received<'_>) -> Finding {
    let Received { rule, secret, id, timestamp, signature, body, computed, now } = *of;
    let expected = format!("{id}.{timestamp}.{body}");
    let finding = |cause, found| Finding { cause, expected: expected.clone(), found };
    if secret.is_empty() {
        return finding(Cause::NoSecret, None);
    }
    if id.is_empty() || timestamp.is_empty() || signature.is_empty() {
        return finding(Cause::NoSignature, None);
    }
    let Ok(seconds) = timestamp.parse::<i64>() else { return finding(Cause::NotTenDigits, None) };
    let key = match rule.derive {
        Some(info) => crypto.hkdf(secret.as_bytes(), info.as_bytes()).to_vec(),
        None => secret.as_bytes().to_vec(),
    };
    let mac = |key: &[u8], text: &str| crypto.hmac(key, &[text.as_bytes()]);
    let right = mac(&key, &expected);
    let sent: Vec<Vec<u8>> =
        signature.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix(VERSION)?).ok()).collect();
    let is_genuine = sent.iter().any(|sent| sent[..] == right);
    let window = rule.window.map_or(0, |window| window.seconds);
    let off = now.map_or(0, |now| seconds.saturating_sub(now.secs()));
    if computed.is_empty() && is_genuine {
        let is_stale = off.unsigned_abs() > window;
        let cause = if is_stale { Cause::Stale { off, allowed: window } } else { Cause::Fits };
        return finding(cause, None);
    }
    // The program's own signature; else each one of the header: after a rotation there are two (R37).
    let is_own = !computed.is_empty();
    let looked_at: Vec<&str> = if is_own { vec![computed] } else { signature.split(' ').collect() };
    let bare: Vec<&str> = looked_at.iter().map(|one| one.strip_prefix(VERSION).unwrap_or(one)).collect();
    let spelled =
        |digest: &[u8; 32]| [STANDARD.encode(digest), hex_text(digest), hex_text(digest).to_uppercase()];
    let is_seen = |text: &String| bare.contains(&text.as_str());
    if let Some(at) = spelled(&right).iter().position(is_seen) {
        let cause = match at {
            0 if is_own && !is_genuine => Cause::HeaderForged,
            0 if is_own && computed.starts_with(VERSION) => Cause::Fits,
            0 => Cause::NoVersion,
            _ => Cause::Spelled(crate::Spelling::Hex),
        };
        return finding(cause, None);
    }
    for tried in mistakes(of, &key) {
        if spelled(&mac(&tried.key, &tried.text)).iter().any(is_seen) {
            return finding(tried.cause, Some(tried.shown));
        }
    }
    let sign = hex_text(&crypto.sha1(&mut |put| {
        put(secret.as_bytes());
        put(timestamp.as_bytes());
    }));
    if bare.iter().any(|one| one.to_ascii_lowercase() == sign) {
        return finding(Cause::RequestSign, Some(format!("client_secret + {timestamp}")));
    }
    finding(Cause::OtherWebhookKey, None)
}
