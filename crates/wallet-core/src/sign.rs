//! Request signatures: made when a request is encoded, and verified before the signed data is used.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::{self, Hashes, RsaSigner, RsaVerifier, Sha256};
use crate::json;
use crate::writer::FieldWriter;
use crate::{Algorithm, EncodeError, Encoding, Form, Lead, SigningMeta, UnixTime};

/// The key and the time for signing.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    key: SigningKey<'a>,
    now: UnixTime,
}

#[derive(Clone, Copy)]
enum SigningKey<'a> {
    Secret(&'a dyn Hashes, &'a str),
    Rsa(&'a dyn RsaSigner),
}

impl<'a> Signer<'a> {
    /// With a secret that is hashed with the text, or keys an HMAC: for FOMO the client_secret.
    pub const fn secret(hashes: &'a dyn Hashes, secret: &'a str, now: UnixTime) -> Self {
        Self { key: SigningKey::Secret(hashes, secret), now }
    }

    /// With a private key of RSA. `now` is the timestamp of schemes that sign one; VAS and Lafi sign none.
    pub const fn rsa(key: &'a dyn RsaSigner, now: UnixTime) -> Self {
        Self { key: SigningKey::Rsa(key), now }
    }
}

impl fmt::Debug for Signer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("now", &self.now).finish_non_exhaustive()
    }
}

/// The key for verifying a signature.
#[derive(Clone, Copy)]
pub enum VerifyingKey<'a> {
    /// The secret that it was made with.
    Secret(&'a dyn Hashes, &'a str),
    /// The public key of RSA.
    Rsa(&'a dyn RsaVerifier),
}

impl fmt::Debug for VerifyingKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(..) => "Secret",
            Self::Rsa(_) => "Rsa",
        })
    }
}

/// A signature ready to be written, with the time that it covers, if any.
#[derive(Debug, Clone)]
pub struct Signature {
    now: UnixTime,
    sign: Written,
}

#[derive(Debug, Clone)]
enum Written {
    /// The digits of a digest, and how many there are.
    Digits([u8; 64], u8),
    Text(String),
}

impl Signature {
    /// Signs. `parts` passes the parts that the scheme covers, in its order.
    ///
    /// # Errors
    /// [`EncodeError::NoSigner`] when the signer is not of the scheme's kind, [`EncodeError::Signing`] when it fails.
    pub fn new(
        signer: &Signer<'_>,
        rule: &SigningMeta,
        parts: impl Fn(&mut Canonical<'_>),
    ) -> Result<Self, EncodeError> {
        let mut buffer = itoa::Buffer::new();
        let now = timestamp(signer.now, &mut buffer);
        let sign = match (rule.algorithm, signer.key) {
            (Algorithm::Sha1, SigningKey::Secret(hashes, secret)) => {
                digest(rule.encoding, &sha1(rule, hashes, secret, now, parts))
            }
            (Algorithm::HmacSha256, SigningKey::Secret(hashes, secret)) => {
                digest(rule.encoding, &hmac(rule, hashes, secret, now, parts))
            }
            (Algorithm::RsaSha1, SigningKey::Rsa(key)) => {
                let mut text = Vec::with_capacity(256);
                write_canonical(rule, "", now, parts, &mut text);
                let signature = key.sign_sha1(&text).map_err(|_| EncodeError::Signing)?;
                Written::Text(match rule.encoding {
                    Encoding::HexLower => crypto::hex_text(&signature),
                    Encoding::Base64 => STANDARD.encode(signature),
                })
            }
            (Algorithm::Sha1 | Algorithm::HmacSha256 | Algorithm::RsaSha1, _) => {
                return Err(EncodeError::NoSigner);
            }
        };
        Ok(Self { now: signer.now, sign })
    }

    /// Writes the time of signing.
    pub fn write_timestamp(&self, lead: &'static Lead, writer: &mut FieldWriter<'_>) {
        writer.plain(lead, timestamp(self.now, &mut itoa::Buffer::new()).as_bytes());
    }

    /// Writes the signature.
    pub fn write_sign(&self, lead: &'static Lead, writer: &mut FieldWriter<'_>) {
        match &self.sign {
            Written::Digits(digits, length) => writer.plain(lead, &digits[..usize::from(*length)]),
            Written::Text(text) => writer.field(lead, text),
        }
    }
}

/// Signs by the scheme, if there is one.
///
/// # Errors
/// [`EncodeError`] when there is no signer of the right kind, or it fails.
#[doc(hidden)]
pub fn sign(
    rule: Option<&'static SigningMeta>,
    signer: Option<&Signer<'_>>,
    parts: impl Fn(&mut Canonical<'_>),
) -> Result<Option<Signature>, EncodeError> {
    match (rule, signer) {
        (None, _) => Ok(None),
        (Some(_), None) => Err(EncodeError::NoSigner),
        (Some(rule), Some(signer)) => Signature::new(signer, rule, parts).map(Some),
    }
}

/// The time as it is signed and written: decimal digits.
fn timestamp(now: UnixTime, buffer: &mut itoa::Buffer) -> &str {
    buffer.format(now.secs().unsigned_abs())
}

/// A digest as it is written. Its length is a constant, so that the loop over its digits unrolls.
#[inline(always)]
fn digest<const N: usize>(encoding: Encoding, digest: &[u8; N]) -> Written {
    const { assert!(N <= 32, "64 digits hold at most 32 bytes") };
    match encoding {
        Encoding::HexLower => {
            let mut digits = [0; 64];
            crypto::hex_lower(digest, &mut digits[..2 * N]);
            Written::Digits(digits, 2 * N as u8)
        }
        Encoding::Base64 => Written::Text(STANDARD.encode(digest)),
    }
}

/// SHA-1 of the canonical text. Nothing is allocated where it is joined.
#[inline]
fn sha1(
    rule: &SigningMeta,
    hashes: &dyn Hashes,
    key: &str,
    now: &str,
    parts: impl Fn(&mut Canonical<'_>),
) -> [u8; 20] {
    match rule.form {
        Form::Concat => hashes.sha1(&mut |put| parts(&mut Canonical { sink: Sink::Joined(put), key, now })),
        Form::Json => {
            let mut text = Vec::with_capacity(256);
            write_canonical(rule, key, now, parts, &mut text);
            hashes.sha1(&mut |put| put(&text))
        }
    }
}

fn hmac(
    rule: &SigningMeta,
    hashes: &dyn Hashes,
    key: &str,
    now: &str,
    parts: impl Fn(&mut Canonical<'_>),
) -> [u8; 32] {
    let mut text = Vec::with_capacity(256);
    write_canonical(rule, key, now, parts, &mut text);
    mac(rule, hashes, key.as_bytes(), &[&text])
}

/// HMAC-SHA256 of a text in parts, under the key or the key derived from it.
pub(crate) fn mac(rule: &SigningMeta, hashes: &dyn Sha256, key: &[u8], text: &[&[u8]]) -> [u8; 32] {
    match rule.derive {
        Some(info) => hashes.hmac(&hashes.hkdf(key, info.as_bytes()), text),
        None => hashes.hmac(key, text),
    }
}

/// Builds the signed text from the parts that a signing scheme covers, in its order.
pub struct Canonical<'c> {
    sink: Sink<'c>,
    key: &'c str,
    now: &'c str,
}

enum Sink<'c> {
    /// One after the other.
    Joined(&'c mut dyn FnMut(&[u8])),
    /// The members of a JSON object (R44).
    Json(&'c mut Vec<u8>),
}

impl fmt::Debug for Canonical<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canonical")
    }
}

impl Canonical<'_> {
    /// The key itself.
    pub fn key(&mut self, lead: &'static Lead) {
        self.field(lead, self.key);
    }

    /// The time of signing.
    pub fn now(&mut self, lead: &'static Lead) {
        self.field(lead, self.now);
    }

    /// A field.
    #[inline(always)]
    pub fn field(&mut self, lead: &'static Lead, text: &str) {
        match &mut self.sink {
            Sink::Joined(put) => put(text.as_bytes()),
            Sink::Json(out) => json::write_member(lead.json, text, out),
        }
    }
}

/// Appends the text that a signature covers, with this key and this time where the scheme covers them.
#[inline]
pub(crate) fn write_canonical(
    rule: &SigningMeta,
    key: &str,
    now: &str,
    parts: impl Fn(&mut Canonical<'_>),
    out: &mut Vec<u8>,
) {
    match rule.form {
        Form::Concat => {
            parts(&mut Canonical { sink: Sink::Joined(&mut |part| out.extend_from_slice(part)), key, now });
        }
        Form::Json => {
            let start = out.len();
            parts(&mut Canonical { sink: Sink::Json(out), key, now });
            json::end_object(start, out);
        }
    }
}

/// The largest number of fields that a signing rule covers; `wallet-spec` refuses more.
pub(crate) const MAX_SIGNED: usize = 8;

/// The received texts that a request's signature covers.
#[doc(hidden)]
pub struct Signed<'a> {
    rule: &'static SigningMeta,
    key_id: Cow<'a, str>,
    texts: [Option<Cow<'a, str>>; MAX_SIGNED],
    given: Cow<'a, str>,
    repeated: bool,
}

impl<'a> Signed<'a> {
    /// Keeps the texts of the fields that the rule's `canonical` names, in its order, beside the key's id and the
    /// signature.
    pub fn new<const N: usize>(
        rule: &'static SigningMeta,
        key_id: Option<Cow<'a, str>>,
        signed: [Option<Cow<'a, str>>; N],
        given: Option<Cow<'a, str>>,
    ) -> Self {
        const { assert!(N <= MAX_SIGNED, "wallet-spec refuses rules over more fields") };
        let mut texts = [const { None }; MAX_SIGNED];
        for (slot, text) in texts.iter_mut().zip(signed) {
            *slot = text;
        }
        let (key_id, given) = (key_id.unwrap_or_default(), given.unwrap_or_default());
        Self { rule, key_id, texts, given, repeated: false }
    }

    /// The same, and whether a field came twice with different values.
    #[must_use]
    pub fn repeated(self, repeated: bool) -> Self {
        Self { repeated, ..self }
    }
}

/// Signed data, not yet verified. Until [`Unverified::verify`] succeeds, only the key's id can be read.
///
/// What is checked is the canonical text rebuilt from the field texts **as they were received**, never from typed values.
#[must_use = "what is unverified proves nothing"]
pub struct Unverified<'a, T> {
    value: T,
    signed: Signed<'a>,
}

/// Why a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureFault {
    /// No key verifies the signature over this text.
    Invalid,
    /// The signature is valid, but its time is outside the window.
    Expired,
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "the signature does not fit the text and the key",
            Self::Expired => "the signature's time is outside its window",
        })
    }
}

impl std::error::Error for SignatureFault {}

impl<'a, T> Unverified<'a, T> {
    /// Wraps a decoded value.
    #[doc(hidden)]
    pub fn new(value: T, signed: Signed<'a>) -> Self {
        Self { value, signed }
    }

    /// The id by which the key is found. It is a claim: the sender may have written anything.
    pub fn key_id(&self) -> &str {
        &self.signed.key_id
    }

    /// Whether a field came twice with different values. The last one counts, and is what a signature must fit (R45).
    pub fn is_repeated(&self) -> bool {
        self.signed.repeated
    }

    /// Checks the signature against each live key (R37) and the time against the window, in this order, so that only
    /// a holder of a key learns about the time. The comparison takes constant time.
    ///
    /// # Errors
    /// [`SignatureFault::Invalid`] or [`SignatureFault::Expired`].
    pub fn verify<'k>(
        self,
        keys: impl IntoIterator<Item = VerifyingKey<'k>>,
        now: UnixTime,
    ) -> Result<T, SignatureFault> {
        if !keys.into_iter().any(|key| self.signed.fits(key)) {
            return Err(SignatureFault::Invalid);
        }
        if let Some(window) = self.signed.rule.window {
            let at = self.signed.rule.canonical.iter().position(|part| part.name == window.field);
            let text = at.and_then(|at| self.signed.texts[at].as_deref()).unwrap_or_default();
            // Decoding accepts ten digits only.
            let signed_at: i64 = text.parse().map_err(|_| SignatureFault::Expired)?;
            if now.secs().abs_diff(signed_at) > window.seconds {
                return Err(SignatureFault::Expired);
            }
        }
        Ok(self.value)
    }
}

impl Signed<'_> {
    /// Whether this key made the signature over the received texts.
    fn fits(&self, key: VerifyingKey<'_>) -> bool {
        let rule = self.rule;
        let parts = |canonical: &mut Canonical<'_>| {
            for (part, text) in rule.canonical.iter().zip(&self.texts) {
                match part.name == rule.key {
                    true => canonical.key(part),
                    false => canonical.field(part, text.as_deref().unwrap_or_default()),
                }
            }
        };
        match (rule.algorithm, key) {
            (Algorithm::Sha1, VerifyingKey::Secret(hashes, secret)) => {
                self.equals(&sha1(rule, hashes, secret, "", parts))
            }
            (Algorithm::HmacSha256, VerifyingKey::Secret(hashes, secret)) => {
                self.equals(&hmac(rule, hashes, secret, "", parts))
            }
            (Algorithm::RsaSha1, VerifyingKey::Rsa(key)) => {
                let mut text = Vec::with_capacity(256);
                write_canonical(rule, "", "", parts, &mut text);
                self.given().is_some_and(|signature| key.verify_sha1(&text, &signature))
            }
            // A key of another kind cannot have signed this.
            (Algorithm::Sha1 | Algorithm::HmacSha256 | Algorithm::RsaSha1, _) => false,
        }
    }

    fn equals(&self, digest: &[u8]) -> bool {
        match self.rule.encoding {
            Encoding::HexLower => {
                let mut digits = [0; 64];
                let digits = &mut digits[..digest.len() * 2];
                crypto::hex_lower(digest, digits);
                crypto::equal(digits, self.given.as_bytes())
            }
            Encoding::Base64 => self.given().is_some_and(|given| crypto::equal(digest, &given)),
        }
    }

    /// The bytes of the signature.
    fn given(&self) -> Option<Vec<u8>> {
        match self.rule.encoding {
            Encoding::HexLower if self.given.contains(|c: char| c.is_ascii_uppercase()) => None,
            Encoding::HexLower => crypto::from_hex(&self.given),
            // R46: a `+` that was not encoded has become a space on its way through a query.
            // And some encoders break lines.
            Encoding::Base64 if self.given.contains([' ', '\r', '\n']) => {
                STANDARD.decode(self.given.replace(['\r', '\n'], "").replace(' ', "+")).ok()
            }
            Encoding::Base64 => STANDARD.decode(&*self.given).ok(),
        }
    }
}

impl<T> fmt::Debug for Unverified<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("key_id", &self.signed.key_id).finish_non_exhaustive()
    }
}
