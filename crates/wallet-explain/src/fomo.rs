//! `sign` of FOMO: SHA-1 over client_secret and timestamp (R8).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use wallet_core::UnixTime;
use wallet_core::crypto::{Hashes, hex_text};

use crate::{Cause, Finding, Spelling};

/// The span around a timestamp within which other timestamps are tried, in seconds.
const AROUND: i64 = 30;
/// The largest difference of a time zone, in hours.
const ZONES: i64 = 14;

/// A signature of FOMO and what it should cover.
#[derive(Clone, Copy)]
pub struct FomoSign<'a> {
    /// The client_secret.
    pub secret: &'a str,
    /// The client_id, if it is known.
    pub client_id: &'a str,
    /// The timestamp as it was sent.
    pub timestamp: &'a str,
    /// The sign as it was sent.
    pub sign: &'a str,
    /// The platform's time at the request and the largest difference in seconds; `None` does not check the age.
    pub now: Option<(UnixTime, u64)>,
    /// Secrets of other apps of the same developer, each with its client_id.
    pub others: &'a [(String, String)],
}

impl std::fmt::Debug for FomoSign<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FomoSign").field("timestamp", &self.timestamp).finish_non_exhaustive()
    }
}

/// The digest of a text, however it is spelled.
#[derive(PartialEq)]
enum Digest {
    Sha1([u8; 20]),
    Sha256([u8; 32]),
}

/// The bytes of a sign and how they are spelled; `None` for no digest at all.
fn read(sign: &str) -> Option<(Vec<u8>, Option<Spelling>)> {
    let lower = sign.to_ascii_lowercase();
    if let Some(bytes) = wallet_core::crypto::from_hex(&lower) {
        return Some((bytes, (lower != sign).then_some(Spelling::UpperCase)));
    }
    if let Some(bytes) = lower.strip_prefix("0x").and_then(wallet_core::crypto::from_hex) {
        return Some((bytes, Some(Spelling::Prefixed)));
    }
    let base64 = [STANDARD, STANDARD_NO_PAD].iter().find_map(|engine| engine.decode(sign).ok());
    let base64 = base64.map(|bytes| (bytes, Some(Spelling::Base64)));
    base64.or_else(|| {
        let url = [URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|engine| engine.decode(sign).ok());
        url.map(|bytes| (bytes, Some(Spelling::UrlSafe)))
    })
}

/// The texts that are hashed by mistake, each with its cause and the text without the secret.
fn mistakes(of: &FomoSign<'_>) -> Vec<(String, Cause, String)> {
    let FomoSign { secret, timestamp, client_id, .. } = *of;
    let mut tried = Vec::new();
    let mut add = |text: String, cause, shown: String| tried.push((text, cause, shown));
    add(format!("{timestamp}{secret}"), Cause::Swapped, format!("{timestamp} + client_secret"));
    for between in ["&", ":", " ", "+", "|", "_", "-", ".", ","] {
        let shown = format!("client_secret + {} + {timestamp}", between.escape_debug());
        add(format!("{secret}{between}{timestamp}"), Cause::Separator(between), shown);
    }
    for end in ["\n", "\r\n", " "] {
        let shown = format!("client_secret + {timestamp} + {}", end.escape_debug());
        add(format!("{secret}{timestamp}{end}"), Cause::LineEnd, shown);
        let shown = format!("client_secret + {} + {timestamp}", end.escape_debug());
        add(format!("{secret}{end}{timestamp}"), Cause::LineEnd, shown);
    }
    for quote in ["\"", "'"] {
        let shown = format!("{quote}client_secret{quote} + {timestamp}");
        add(format!("{quote}{secret}{quote}{timestamp}"), Cause::Quoted, shown);
    }
    add(secret.to_owned(), Cause::OnlySecret, "client_secret".to_owned());
    add(timestamp.to_owned(), Cause::OnlyTimestamp, timestamp.to_owned());
    add(
        format!("client_secret={secret}&timestamp={timestamp}"),
        Cause::NamedParts,
        format!("client_secret=…&timestamp={timestamp}"),
    );
    add(
        format!("{}{timestamp}", secret.to_ascii_uppercase()),
        Cause::UpperCaseSecret,
        format!("CLIENT_SECRET + {timestamp}"),
    );
    if !client_id.is_empty() {
        let added = |shown: &str| Cause::ClientIdToo(shown.to_owned());
        for (text, shown) in [
            (format!("{client_id}{secret}{timestamp}"), format!("client_id + client_secret + {timestamp}")),
            (format!("{secret}{client_id}{timestamp}"), format!("client_secret + client_id + {timestamp}")),
            (format!("{client_id}{timestamp}{secret}"), format!("client_id + {timestamp} + client_secret")),
            (format!("{client_id}{timestamp}"), format!("client_id + {timestamp}")),
        ] {
            add(text, added(&shown), shown.clone());
        }
    }
    for (other, other_secret) in of.others {
        if other_secret != secret {
            let shown = format!("client_secret of {other} + {timestamp}");
            add(format!("{other_secret}{timestamp}"), Cause::SecretOf(other.clone()), shown);
        }
    }
    tried
}

/// Another timestamp, for which the sign was made: a few seconds or whole hours away, or in milliseconds.
fn other_timestamp(of: &FomoSign<'_>, fits: &dyn Fn(&str) -> bool) -> Option<(Cause, String)> {
    let FomoSign { secret, timestamp, .. } = *of;
    let seconds: i64 = timestamp.parse().ok()?;
    let near = (seconds - AROUND..=seconds + AROUND).filter(|other| *other != seconds);
    let zones = (-ZONES..=ZONES).filter(|hours| *hours != 0).map(|hours| seconds + hours * 3_600);
    let text = |other: &str| format!("client_secret + {other}");
    for other in near.chain(zones) {
        let other_text = other.to_string();
        if fits(&format!("{secret}{other_text}")) {
            return Some((Cause::OtherTimestamp(other), text(&other_text)));
        }
    }
    for millis in 0..1_000 {
        let other = format!("{timestamp}{millis:03}");
        if fits(&format!("{secret}{other}")) {
            return Some((Cause::SignedMilliseconds, text(&other)));
        }
    }
    None
}

/// Whether the signed timestamp is too far from the platform's time.
fn stale(of: &FomoSign<'_>) -> Option<Cause> {
    let (now, allowed) = of.now?;
    let off = of.timestamp.parse::<i64>().ok()? - now.secs();
    (off.unsigned_abs() > allowed).then_some(Cause::Stale { off, allowed })
}

/// Why `sign` does not fit.
pub fn fomo(crypto: &dyn Hashes, of: &FomoSign<'_>) -> Finding {
    let FomoSign { secret, timestamp, sign, .. } = *of;
    let expected = format!("client_secret + {timestamp}");
    let finding = |cause, found: Option<String>| Finding { cause, expected: expected.clone(), found };
    let digits = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    if secret.is_empty() {
        return finding(Cause::NoSecret, None);
    }
    if sign.is_empty() {
        return finding(Cause::NoSignature, None);
    }
    if timestamp.len() == 13 && digits {
        let right = format!("client_secret + {}", &timestamp[..10]);
        return Finding { cause: Cause::Milliseconds, expected: right, found: Some(expected) };
    }
    if timestamp.len() != 10 || !digits {
        return finding(Cause::NotTenDigits, None);
    }
    let sha1 = |text: &[u8]| crypto.sha1(&mut |put| put(text));
    let Some((bytes, spelling)) = read(sign) else { return finding(Cause::NotHex, None) };
    let digest = match (<[u8; 20]>::try_from(&*bytes), <[u8; 32]>::try_from(&*bytes)) {
        (Ok(digest), _) => Digest::Sha1(digest),
        (_, Ok(digest)) => Digest::Sha256(digest),
        _ => {
            return finding(
                match bytes.len() {
                    16 => Cause::OtherHash("MD5"),
                    64 => Cause::OtherHash("SHA-512"),
                    _ => Cause::NotHex,
                },
                None,
            );
        }
    };
    let fits = |text: &str| match digest {
        Digest::Sha1(digest) => sha1(text.as_bytes()) == digest,
        Digest::Sha256(digest) => crypto.sha256(text.as_bytes()) == digest,
    };
    let right = format!("{secret}{timestamp}");
    let is_sha1 = matches!(digest, Digest::Sha1(_));
    if fits(&right) {
        return finding(
            match (is_sha1, spelling) {
                (true, None) => stale(of).unwrap_or(Cause::Fits),
                (true, Some(spelling)) => Cause::Spelled(spelling),
                (false, _) => Cause::RightTextOtherHash("SHA-256"),
            },
            None,
        );
    }
    if let Digest::Sha256(digest) = digest {
        let keyed = crypto.hmac(secret.as_bytes(), &[timestamp.as_bytes()]);
        if keyed == digest {
            return finding(Cause::Keyed("HMAC-SHA256"), None);
        }
    }
    if let Digest::Sha1(digest) = digest {
        let once = sha1(right.as_bytes());
        let twice =
            [sha1(hex_text(&once).as_bytes()), sha1(&once), sha1(hex_text(&once).to_uppercase().as_bytes())];
        if twice.contains(&digest) {
            return finding(Cause::HashOfHash, None);
        }
        let hashed_secret = format!("{}{timestamp}", hex_text(&sha1(secret.as_bytes())));
        if sha1(hashed_secret.as_bytes()) == digest {
            return finding(Cause::HashedSecret, Some(format!("sha1(client_secret) + {timestamp}")));
        }
        if hmac_sha1(&sha1, secret.as_bytes(), timestamp.as_bytes()) == digest {
            return finding(Cause::Keyed("HMAC-SHA1"), None);
        }
    }
    if let Some((_, cause, shown)) = mistakes(of).into_iter().find(|(text, ..)| fits(text)) {
        return finding(cause, Some(shown));
    }
    if let Some((cause, shown)) = other_timestamp(of, &fits) {
        return finding(cause, Some(shown));
    }
    finding(if is_sha1 { Cause::OtherSecret } else { Cause::OtherHash("SHA-256") }, None)
}

/// HMAC-SHA1 (RFC 2104), which some take for the signature.
fn hmac_sha1(sha1: &dyn Fn(&[u8]) -> [u8; 20], key: &[u8], text: &[u8]) -> [u8; 20] {
    let mut block = [0; 64];
    match key.len() {
        0..=64 => block[..key.len()].copy_from_slice(key),
        _ => block[..20].copy_from_slice(&sha1(key)),
    }
    let padded = |pad: u8, text: &[u8]| [&block.map(|byte| byte ^ pad)[..], text].concat();
    sha1(&padded(0x5c, &sha1(&padded(0x36, text))))
}
