//! Explains why a signature does not match, from the data alone.
//!
//! [`fomo`] tries what goes wrong with `sign`; [`rsa`] opens a signature of the VAS and Lafi wallets with the public key,
//! so that it sees what was hashed and how, and compares it with what [`serializers`] make of the same fields. Crypto is
//! handed in; nothing here keeps or sends anything.
//!
//! ```
//! use wallet_explain::{Cause, fomo};
//! # struct Plain; // a stand-in for a hash: what is fed
//! # impl wallet_core::crypto::Sha1 for Plain {
//! #     fn sha1(&self, text: &mut wallet_core::crypto::Feed<'_>) -> [u8; 20] {
//! #         let (mut digest, mut at) = ([0; 20], 0);
//! #         text(&mut |bytes| for byte in bytes { digest[at % 20] ^= byte; at += 1 });
//! #         digest
//! #     }
//! # }
//! # let sha1 = Plain;
//! let swapped = "what sha1(timestamp + secret) says, in hexadecimal";
//! # let mut digest = [0; 20]; let mut hex = [0; 40];
//! # digest = wallet_core::crypto::Sha1::sha1(&sha1, &mut |put| put(b"1574510444secret"));
//! # wallet_core::crypto::hex_lower(&digest, &mut hex);
//! # let swapped = std::str::from_utf8(&hex).unwrap();
//! assert_eq!(fomo(&sha1, "secret", "1574510444", swapped).cause, Cause::Swapped);
//! ```

mod fomo;
mod rsa;
mod sent;
mod serializers;

pub use fomo::fomo;
pub use rsa::{Opens, rsa};
pub use sent::{NotSigned, SentLink};
pub use serializers::{Serializer, serializers};
use wallet_core::Lang;

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
        let (expected, found) = (self.expected.as_bytes(), self.found.as_deref()?.as_bytes());
        let same = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
        (same < expected.len() || same < found.len()).then_some(same)
    }
}

/// Why a signature does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The signature is valid.
    Fits,
    /// There is no client_secret to try.
    NoSecret,
    /// The timestamp is in milliseconds.
    Milliseconds,
    /// The timestamp is not ten digits.
    NotTenDigits,
    /// The digits are upper case.
    UpperCase,
    /// It is as long as the output of another hash: its name.
    OtherHash(&'static str),
    /// It is neither 40 hexadecimal digits nor of another hash's length.
    NotHex,
    /// The timestamp was put before the secret.
    Swapped,
    /// There is a text between secret and timestamp.
    Separator(&'static str),
    /// A line end was hashed too.
    LineEnd,
    /// It was made for this other timestamp.
    OtherTimestamp(i64),
    /// No usual mistake: most likely another secret.
    OtherSecret,
    /// It is not base64.
    NotBase64,
    /// It is not as long as signatures of this key are.
    WrongLength,
    /// It was made with another key.
    OtherKey,
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
    /// The right key and hash over a text that no known serializer makes of these fields.
    OtherText,
}

impl Cause {
    /// In words, with what to do.
    pub fn in_words(&self, lang: Lang) -> String {
        let (zh, en): (String, String) = match self {
            Self::Fits => ("签名正确。".into(), "It fits.".into()),
            Self::NoSecret => (
                "没有给出 client_secret。".into(),
                "There is no client_secret to try: give it, on the command line by stdin.".into(),
            ),
            Self::Milliseconds => (
                "timestamp 是毫秒；应为 10 位秒数。".into(),
                "The timestamp is in milliseconds; it is seconds, ten digits.".into(),
            ),
            Self::NotTenDigits => {
                ("timestamp 须是恰好 10 位数字。".into(), "The timestamp is exactly ten digits.".into())
            }
            Self::UpperCase => (
                "签名正确，但十六进制是大写；应为小写。".into(),
                "The digits are upper-case, otherwise the signature is right: write lower-case hexadecimal.".into(),
            ),
            Self::OtherHash(hash) => (
                format!("长度与 {hash} 的输出相同；应使用 SHA-1。"),
                format!("It is as long as the output of {hash}; the hash is SHA-1."),
            ),
            Self::NotHex => {
                ("sign 须是 40 位小写十六进制。".into(), "`sign` is 40 lower-case hexadecimal digits.".into())
            }
            Self::Swapped => (
                "顺序反了：应为 sha1(client_secret + timestamp)。".into(),
                "The order is reversed: it is sha1(client_secret + timestamp).".into(),
            ),
            Self::Separator(between) => (
                format!("client_secret 与 timestamp 之间多了「{between}」；两者直接相连。"),
                format!("`{between}` is between client_secret and timestamp, which must follow each other directly."),
            ),
            Self::LineEnd => (
                "多算了一个换行（例如 echo 而非 printf）。".into(),
                "A line end was hashed too, as `echo` writes one; `printf %s` does not.".into(),
            ),
            Self::OtherTimestamp(at) => (
                format!("它对应另一个 timestamp：{at}；签名与发送须用同一个值。"),
                format!("It was made for another timestamp, {at}: sign and send the same one."),
            ),
            Self::OtherSecret => (
                "与常见错误都不符：多半是另一个 client_secret。".into(),
                "None of the usual mistakes: most likely another client_secret.".into(),
            ),
            Self::NotBase64 => ("签名不是 base64。".into(), "The signature is not base64.".into()),
            Self::WrongLength => (
                "签名长度与密钥不符：多半是另一个密钥，或被截断。".into(),
                "It is not as long as this key's signatures are: another key, or cut off.".into(),
            ),
            Self::OtherKey => (
                "用另一个私钥签的：请核对应用的 rsaPrivate。".into(),
                "It was made with another private key: compare with the app's rsaPrivate.".into(),
            ),
            Self::RightTextOtherHash(hash) => (
                format!("文本正确，但用了 {hash}；应为 SHA1withRSA。"),
                format!("The text is right, but hashed with {hash}: use SHA1withRSA."),
            ),
            Self::HashedWith(hash) => (
                format!("签名用了 {hash}；应为 SHA1withRSA。请换成 SHA-1 签名，再核对文本是否正确。"),
                format!("It was hashed with {hash}: use SHA1withRSA, then check the text again."),
            ),
            Self::Serializer { serializer: Serializer { name, zh, en, .. }, other_hash } => {
                let (zh_hash, en_hash) = other_hash.map_or(Default::default(), |hash| {
                    (format!("哈希也应由 {hash} 改为 SHA-1。"), format!(" The hash is {hash}; it is SHA-1."))
                });
                (
                    format!("签的是 {name} 写出的文本。{zh}{zh_hash}"),
                    format!("The signed text is the output of {name}. {en}{en_hash}"),
                )
            }
            Self::OtherText => (
                "密钥与哈希算法都正确，但签名的是另一段文本，且差异不只在顺序：请逐个核对字段的值。".into(),
                "The key and the hash are right; the text is another, and not by its order alone: compare the fields' values one by one."
                    .into(),
            ),
        };
        match lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}
