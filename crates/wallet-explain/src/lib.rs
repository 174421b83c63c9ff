//! Explains why a signature does not match, from the data alone.
//!
//! [`fomo`] tries what goes wrong with `sign`, and [`webhook`] with the headers of a callback; [`rsa`] opens a signature of
//! the VAS and Lafi wallets with the public key, so that it sees what was hashed and how, and compares it with what
//! [`serializers`] make of the same fields. Crypto is handed in; nothing here keeps or sends anything.
//!
//! ```
//! use wallet_explain::{Cause, FomoSign, fomo};
//! # struct Plain; // a stand-in for the hashes: it mixes what it is fed
//! # impl wallet_core::crypto::Sha1 for Plain {
//! #     fn sha1(&self, text: &mut wallet_core::crypto::Feed<'_>) -> [u8; 20] {
//! #         let (mut digest, mut at) = ([0; 20], 0);
//! #         text(&mut |bytes| for byte in bytes { digest[at % 20] ^= byte; at += 1 });
//! #         digest
//! #     }
//! # }
//! # impl wallet_core::crypto::Sha256 for Plain {
//! #     fn sha256(&self, _: &[u8]) -> [u8; 32] { [0; 32] }
//! #     fn hmac(&self, _: &[u8], _: &[&[u8]]) -> [u8; 32] { [0; 32] }
//! #     fn hkdf(&self, _: &[u8], _: &[u8]) -> [u8; 32] { [0; 32] }
//! # }
//! # let hashes = Plain;
//! let swapped = "sha1(timestamp + client_secret), in hexadecimal";
//! # let digest = wallet_core::crypto::Sha1::sha1(&hashes, &mut |put| put(b"1574510444secret"));
//! # let swapped = wallet_core::crypto::hex_text(&digest);
//! # let swapped = &*swapped;
//! let sent =
//!     FomoSign { secret: "secret", client_id: "", timestamp: "1574510444", sign: swapped, now: None, others: &[] };
//! assert_eq!(fomo(&hashes, &sent).cause, Cause::Swapped);
//! ```

mod fomo;
mod rsa;
mod sent;
mod serializers;
mod webhook;
mod words;

pub use fomo::{FomoSign, fomo};
pub use rsa::{Opens, compare, rsa};
pub use sent::{NotSigned, Sent};
pub use serializers::{Serializer, serializers};
pub use webhook::{Received, webhook};

/// The diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The cause.
    pub cause: Cause,
    /// The text that should have been signed, without secrets.
    pub expected: String,
    /// The text that was signed instead, where it could be found.
    pub found: Option<String>,
}

impl Finding {
    /// The offset of the first difference, in bytes.
    pub fn differs_at(&self) -> Option<usize> {
        self.difference().map(|(from, _)| from)
    }

    /// The numbers of bytes before and after the part that differs, the same in both texts.
    pub fn difference(&self) -> Option<(usize, usize)> {
        let (expected, found) = (self.expected.as_bytes(), self.found.as_deref()?.as_bytes());
        if expected == found {
            return None;
        }
        let before = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
        let (expected, found) = (&expected[before..], &found[before..]);
        let after = expected.iter().rev().zip(found.iter().rev()).take_while(|(a, b)| a == b).count();
        Some((before, after))
    }
}

/// How a signature is written, if not as the document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spelling {
    /// Upper-case hexadecimal digits.
    UpperCase,
    /// Hexadecimal digits after `0x`.
    Prefixed,
    /// Base64 instead of hexadecimal digits.
    Base64,
    /// The base64 alphabet of addresses.
    UrlSafe,
    /// Hexadecimal digits instead of base64.
    Hex,
    /// Base64 without its padding.
    NoPadding,
    /// Base64 of base64.
    Twice,
    /// Percent-encoded once too often.
    PercentEncoded,
}

/// Why a signature does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The signature is valid.
    Fits,
    /// There is no client_secret to try.
    NoSecret,
    /// There is no signature.
    NoSignature,
    /// The signature is right and written in another way.
    Spelled(Spelling),
    /// The timestamp is in milliseconds.
    Milliseconds,
    /// The sent timestamp is right, the signed one is in milliseconds.
    SignedMilliseconds,
    /// The timestamp is not ten digits.
    NotTenDigits,
    /// It is as long as the output of another hash: its name.
    OtherHash(&'static str),
    /// It is neither 40 hexadecimal digits nor of another hash's length.
    NotHex,
    /// The timestamp was put before the secret.
    Swapped,
    /// There is a text between secret and timestamp.
    Separator(&'static str),
    /// A line end or a space was hashed too.
    LineEnd,
    /// The secret was hashed with its quotes.
    Quoted,
    /// Only the secret was hashed.
    OnlySecret,
    /// Only the timestamp was hashed.
    OnlyTimestamp,
    /// The names of the parts were hashed too.
    NamedParts,
    /// The secret was hashed in upper case.
    UpperCaseSecret,
    /// The client_id was hashed too: the hashed parts.
    ClientIdToo(String),
    /// The secret of this other app was used: its client_id.
    SecretOf(String),
    /// It was made for this other timestamp.
    OtherTimestamp(i64),
    /// A keyed hash was used: its name.
    Keyed(&'static str),
    /// The hash was hashed once more.
    HashOfHash,
    /// The secret was hashed before it was put before the timestamp.
    HashedSecret,
    /// No usual mistake: most likely another secret.
    OtherSecret,
    /// It is not base64.
    NotBase64,
    /// It is not as long as signatures of this key are.
    WrongLength,
    /// It was made with another key.
    OtherKey,
    /// It looks like RSA-PSS.
    Pss,
    /// A digest was encrypted without its DigestInfo.
    BareDigest,
    /// The text itself was encrypted, without a hash.
    NotHashed,
    /// The right text, hashed with another hash.
    RightTextOtherHash(&'static str),
    /// Hashed with another hash; whether the text is right is known only once the hash is right.
    HashedWith(&'static str),
    /// A serializer wrote the text in another way.
    Serializer {
        /// The serializer, with the setting that changes its output.
        serializer: Serializer,
        /// The hash, if it is wrong too.
        other_hash: Option<&'static str>,
    },
    /// A value was signed in another spelling than it was sent.
    OtherValue {
        /// The field.
        field: String,
        /// The signed value; `None` if the field was not signed at all.
        signed: Option<String>,
    },
    /// The right key and hash over a text that no known serializer makes of these fields.
    OtherText,
    /// The signature is right, and its timestamp is too far from the other side's time.
    Stale {
        /// The seconds by which the timestamp is ahead.
        off: i64,
        /// The largest difference.
        allowed: u64,
    },
    /// The client_secret itself was taken as the key.
    KeyNotDerived,
    /// The callback secret was used as text, without decoding its base64.
    KeyNotDecoded,
    /// The key was used in hexadecimal digits.
    KeyInHex,
    /// Other parts were signed: which.
    OtherParts(String),
    /// The body was changed before it was hashed.
    OtherBody,
    /// The version before the signature is missing.
    NoVersion,
    /// The program computes the right signature; that of the header is another one.
    HeaderForged,
    /// The signature of requests was computed instead.
    RequestSign,
    /// No usual mistake with a callback's signature.
    OtherWebhookKey,
}
