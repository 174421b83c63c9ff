//! Request signatures: made when a request is encoded, and checked before what was signed is believed.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::body::FieldWriter;
use crate::crypto::{self, RsaSigner, RsaVerifier, Sha1};
use crate::json;
use crate::{Algorithm, EncodeError, Lead, SigningMeta, UnixTime};

/// What a client signs with.
#[derive(Clone, Copy)]
pub enum Signer<'a> {
    /// A secret that is hashed together with the time.
    Sha1 {
        /// The hash.
        sha1: &'a dyn Sha1,
        /// The key: for FOMO the client_secret.
        key: &'a str,
        /// The time of signing.
        now: UnixTime,
    },
    /// A private key of RSA.
    Rsa(&'a dyn RsaSigner),
}

impl fmt::Debug for Signer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha1 { now, .. } => f.debug_struct("Sha1").field("now", now).finish_non_exhaustive(),
            Self::Rsa(_) => f.debug_struct("Rsa").finish_non_exhaustive(),
        }
    }
}

/// A signature ready to be written, with the time that it covers where it covers one.
#[derive(Debug, Clone)]
pub struct Signature {
    timestamp: [u8; 20],
    timestamp_len: u8,
    sign: Written,
}

#[derive(Debug, Clone)]
enum Written {
    Hex([u8; 40]),
    Base64(String),
}

impl Signature {
    /// Signs. `parts` hands over what the rule covers, in its order.
    ///
    /// # Errors
    /// [`EncodeError::NoSigner`] when the signer is not of the rule's kind, [`EncodeError::Signing`] when it fails.
    pub fn new(
        signer: &Signer<'_>,
        rule: &SigningMeta,
        parts: impl Fn(&mut Canonical<'_>),
    ) -> Result<Self, EncodeError> {
        match (rule.algorithm, signer) {
            (Algorithm::Sha1, Signer::Sha1 { sha1, key, now }) => Ok(Self::hashed(*sha1, key, *now, parts)),
            (Algorithm::RsaSha1, Signer::Rsa(key)) => {
                let mut text = Vec::with_capacity(256);
                canonical_json(parts, &mut text);
                let signature = key.sign_sha1(&text).map_err(|_| EncodeError::Signing)?;
                let sign = Written::Base64(STANDARD.encode(signature));
                Ok(Self { timestamp: [0; 20], timestamp_len: 0, sign })
            }
            _ => Err(EncodeError::NoSigner),
        }
    }

    fn hashed(sha1: &dyn Sha1, key: &str, now: UnixTime, parts: impl Fn(&mut Canonical<'_>)) -> Self {
        let mut buffer = itoa::Buffer::new();
        let text = buffer.format(now.secs().unsigned_abs());
        let mut timestamp = [0; 20];
        timestamp[..text.len()].copy_from_slice(text.as_bytes());
        let timestamp_len = text.len() as u8; // at most 20
        let digest = sha1.sha1(&mut |put| parts(&mut Canonical(Parts::Joined { put, key, now: text })));
        let mut hex = [0; 40];
        crypto::hex_lower(&digest, &mut hex);
        Self { timestamp, timestamp_len, sign: Written::Hex(hex) }
    }

    /// Writes the time of signing.
    pub fn write_timestamp(&self, lead: &'static Lead, writer: &mut FieldWriter<'_>) {
        writer.plain(lead, &self.timestamp[..usize::from(self.timestamp_len)]);
    }

    /// Writes the signature.
    pub fn write_sign(&self, lead: &'static Lead, writer: &mut FieldWriter<'_>) {
        match &self.sign {
            Written::Hex(hex) => writer.plain(lead, hex),
            Written::Base64(text) => writer.field(lead, text),
        }
    }
}

/// Takes the parts that a signing rule covers, in the rule's order, and makes the text of them that is signed.
pub struct Canonical<'c>(Parts<'c>);

enum Parts<'c> {
    /// One after the other; the key and the time among them.
    Joined { put: &'c mut dyn FnMut(&[u8]), key: &'c str, now: &'c str },
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
    pub fn key(&mut self) {
        if let Parts::Joined { put, key, .. } = &mut self.0 {
            put(key.as_bytes());
        }
    }

    /// The time of signing.
    pub fn now(&mut self) {
        if let Parts::Joined { put, now, .. } = &mut self.0 {
            put(now.as_bytes());
        }
    }

    /// A field.
    #[inline(always)]
    pub fn field(&mut self, lead: &'static Lead, text: &str) {
        match &mut self.0 {
            Parts::Joined { put, .. } => put(text.as_bytes()),
            Parts::Json(out) => json::write_member(lead.json, text, out),
        }
    }
}

/// Appends the JSON that a signature covers (R44).
#[inline]
pub(crate) fn canonical_json(parts: impl Fn(&mut Canonical<'_>), out: &mut Vec<u8>) {
    let start = out.len();
    parts(&mut Canonical(Parts::Json(out)));
    json::end_object(start, out);
}

/// How many fields a signing rule may cover; `wallet-spec` refuses more.
pub(crate) const MAX_SIGNED: usize = 8;

/// The texts of a signed request that its rule names, as they were received.
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

/// Something that was signed, not yet checked. Until [`Unverified::verify`] succeeds only the key's id can be read.
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
    /// It was not made with any of the keys over this text.
    Invalid,
    /// It is right, and its time is outside the window.
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
    /// What decoding makes.
    #[doc(hidden)]
    pub fn new(value: T, signed: Signed<'a>) -> Self {
        Self { value, signed }
    }

    /// The id by which the key is found. It is a claim: whoever sent this may have written anything.
    pub fn key_id(&self) -> &str {
        &self.signed.key_id
    }

    /// Whether a field came twice with different values. The last one counts, and is what a signature must fit (R45).
    pub fn is_repeated(&self) -> bool {
        self.signed.repeated
    }

    /// Checks the signature against each live key (R37) and the time against the window, in this order, so that only
    /// who has a key learns about the time. The comparison takes constant time.
    ///
    /// # Errors
    /// [`SignatureFault::Invalid`] or [`SignatureFault::Expired`].
    pub fn verify<'k>(
        self,
        sha1: &dyn Sha1,
        keys: impl IntoIterator<Item = &'k str>,
        now: UnixTime,
    ) -> Result<T, SignatureFault> {
        if self.signed.rule.algorithm != Algorithm::Sha1 {
            return Err(SignatureFault::Invalid); // signed another way
        }
        let fits = keys.into_iter().any(|key| {
            let digest = sha1.sha1(&mut |put| {
                for (part, text) in self.signed.rule.canonical.iter().zip(&self.signed.texts) {
                    if part.name == self.signed.rule.key {
                        put(key.as_bytes());
                    } else {
                        put(text.as_deref().unwrap_or_default().as_bytes());
                    }
                }
            });
            let mut hex = [0; 40];
            crypto::hex_lower(&digest, &mut hex);
            crypto::equal(&hex, self.signed.given.as_bytes())
        });
        if !fits {
            return Err(SignatureFault::Invalid);
        }
        if let Some((field, seconds)) = self.signed.rule.window {
            let at = self.signed.rule.canonical.iter().position(|part| part.name == field);
            let text = at.and_then(|at| self.signed.texts[at].as_deref()).unwrap_or_default();
            // Decoding has let through ten digits only.
            let signed_at: i64 = text.parse().map_err(|_| SignatureFault::Expired)?;
            if now.secs().abs_diff(signed_at) > seconds {
                return Err(SignatureFault::Expired);
            }
        }
        Ok(self.value)
    }

    /// Checks the signature against a public key of RSA.
    ///
    /// # Errors
    /// [`SignatureFault::Invalid`].
    pub fn verify_rsa(self, key: &dyn RsaVerifier) -> Result<T, SignatureFault> {
        let rule = self.signed.rule;
        let mut text = Vec::with_capacity(256);
        canonical_json(
            |json| {
                let parts = rule.canonical.iter().zip(&self.signed.texts);
                parts.for_each(|(part, value)| json.field(part, value.as_deref().unwrap_or_default()));
            },
            &mut text,
        );
        // R46: a `+` that was not encoded has become a space on its way through a query.
        // And some encoders break lines.
        let given = match self.signed.given.contains([' ', '\r', '\n']) {
            true => Cow::Owned(self.signed.given.replace(['\r', '\n'], "").replace(' ', "+")),
            false => Cow::Borrowed(&*self.signed.given),
        };
        let fits = rule.algorithm == Algorithm::RsaSha1
            && STANDARD.decode(&*given).is_ok_and(|signature| key.verify_sha1(&text, &signature));
        if fits { Ok(self.value) } else { Err(SignatureFault::Invalid) }
    }
}

impl<T> fmt::Debug for Unverified<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("key_id", &self.signed.key_id).finish_non_exhaustive()
    }
}
