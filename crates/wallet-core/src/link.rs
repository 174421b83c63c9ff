//! Deep links: `scheme://` and a JSON object, percent-encoded for apps and raw in QR codes (R40, R41).
//!
//! No URL parser ever touches a link; URL parsers reject them.
//!
//! ```
//! use wallet_core::link;
//!
//! let mut out = Vec::new();
//! link::encode_into(r#"{"type":"login","uuid":"1+2#3'"}"#, &mut out);
//! assert_eq!(out, b"%7B%22type%22:%22login%22,%22uuid%22:%221%2B2%233%27%22%7D");
//!
//! let payload = link::payload("vaswallet://%7B%22type%22:%22login%22%7D")?;
//! assert_eq!((payload.scheme, payload.json()?), ("vaswallet", r#"{"type":"login"}"#));
//! # Ok::<(), link::LinkError>(())
//! ```

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use crate::form::{self, FormError};
use crate::json::{self, JsonError, Member, Warning, Warnings};
pub use crate::link_text::encode_into;
use crate::scan;
use crate::sign::{Canonical, Signature, Signer, sign, write_canonical};
use crate::writer::FieldWriter;
use crate::{EncodeError, Fault, Lang, LinkMeta, Text};

/// Why a text is not a link of this platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkError {
    /// There is no `scheme://`, or nothing after it.
    NoPayload,
    /// The platform has no such scheme.
    UnknownScheme,
    /// A percent sign without two hexadecimal digits after it.
    Escape,
    /// The percent-encoded bytes are not UTF-8.
    NotUtf8,
    /// The payload is not a JSON object.
    Json(JsonError),
    /// No link has this `type`.
    UnknownType,
    /// A member is missing or not of its type.
    Member(Fault),
}

impl LinkError {
    /// The cause, in words.
    pub fn in_words(&self, lang: Lang) -> String {
        let text = match self {
            Self::NoPayload => Text {
                zh: "链接应为 scheme:// 后跟 JSON，此处不完整",
                en: "a link is `scheme://` and then JSON, and something of it is missing",
            },
            Self::UnknownScheme => {
                Text { zh: "不是钱包支持的 scheme", en: "the wallet has no such scheme" }
            }
            Self::Escape => Text {
                zh: "% 后面不是两位十六进制数字",
                en: "a `%` is not followed by two hexadecimal digits",
            },
            Self::NotUtf8 => Text {
                zh: "百分号编码的字节不是 UTF-8",
                en: "the percent-encoded bytes are not UTF-8",
            },
            Self::Json(error) => return error.in_words(lang),
            Self::UnknownType => {
                Text { zh: "钱包不认识这个 type", en: "the wallet does not know this `type`" }
            }
            Self::Member(fault) => return fault.in_words(lang),
        };
        text.in_lang(lang).to_owned()
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words(Lang::En))
    }
}

impl std::error::Error for LinkError {}

impl From<FormError> for LinkError {
    fn from(error: FormError) -> Self {
        match error {
            FormError::Escape => Self::Escape,
            FormError::NotUtf8 => Self::NotUtf8,
        }
    }
}

impl From<JsonError> for LinkError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl From<Fault> for LinkError {
    fn from(fault: Fault) -> Self {
        Self::Member(fault)
    }
}

/// A split link: its scheme and its JSON.
#[derive(Clone)]
pub struct Payload<'a> {
    /// The text before `://`.
    pub scheme: &'a str,
    /// The warnings so far.
    pub warnings: Warnings,
    /// The text after it.
    text: &'a str,
    /// The same, decoded on first use.
    json: OnceLock<Result<Cow<'a, str>, LinkError>>,
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The JSON may hold a webToken.
        f.debug_struct("Payload").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// Splits a link: the text after `scheme://` is plain JSON if it begins with `{`; else it is
/// percent-decoded once (R40, R63).
///
/// # Errors
/// [`LinkError::NoPayload`].
pub fn payload(link: &str) -> Result<Payload<'_>, LinkError> {
    let (scheme, rest) =
        link.split_at(scan::find_marked(link.as_bytes(), |word| scan::mark_equal(word, b':')));
    let text = rest.strip_prefix("://").ok_or(LinkError::NoPayload)?;
    if scheme.is_empty() || text.is_empty() {
        return Err(LinkError::NoPayload);
    }
    let mut warnings = Warnings::default();
    if text.starts_with('{') {
        warnings.add(Warning::Raw);
    }
    Ok(Payload { scheme, warnings, text, json: OnceLock::new() })
}

/// Whether `scheme` is one of `known`, ignoring case.
#[doc(hidden)]
pub fn is_one_of(scheme: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(scheme))
}

impl<'a> Payload<'a> {
    /// The JSON text.
    ///
    /// # Errors
    /// [`LinkError::Escape`] or [`LinkError::NotUtf8`].
    pub fn json(&self) -> Result<&str, LinkError> {
        let decoded = self.json.get_or_init(|| match self.encoded() {
            Some(encoded) => Ok(form::decode_escapes(encoded, b'%')?), // `+` stays what it is
            None => Ok(Cow::Borrowed(self.text)),
        });
        decoded.as_deref().map_err(|error| *error)
    }

    /// The JSON text, percent-encoded; `None` if the link has plain JSON.
    #[doc(hidden)]
    pub fn encoded(&self) -> Option<&'a str> {
        (!self.text.starts_with('{')).then_some(self.text)
    }
}

/// The text of the first member named `wanted`, read ahead to distinguish links. The rest is not parsed.
///
/// # Errors
/// [`JsonError`].
pub fn peek<'a>(json: &'a str, wanted: &str) -> Result<Option<Cow<'a, str>>, JsonError> {
    /// Why reading ended.
    enum End<'a> {
        Found(Cow<'a, str>),
        Broken(JsonError),
    }
    impl From<JsonError> for End<'_> {
        fn from(error: JsonError) -> Self {
            Self::Broken(error)
        }
    }
    let read = json::read_object(json, &mut Warnings::default(), |name, value| match value {
        Member::Value(value) if name == wanted => Err(End::Found(value.text)),
        _ => Ok(()),
    });
    match read {
        Ok(()) => Ok(None),
        Err(End::Found(text)) => Ok(Some(text)),
        Err(End::Broken(error)) => Err(error),
    }
}

/// An outgoing link; implemented by each `Link<'_>`.
pub trait OutgoingLink {
    /// Its declaration in the spec.
    const META: &'static LinkMeta;

    /// Passes every member to `writer`, in the document's order. `signature` is `Some` if the link is signed.
    fn write_fields(&self, signature: Option<&Signature>, writer: &mut FieldWriter<'_>);

    /// Passes the parts that the link's signature covers to `canonical`, in the rule's order.
    fn write_signed(&self, canonical: &mut Canonical<'_>);

    /// Appends the text that the signature covers (R44).
    fn signed_text(&self, out: &mut Vec<u8>) {
        if let Some(rule) = Self::META.signing {
            write_canonical(rule, "", "", |canonical| self.write_signed(canonical), out);
        }
    }

    /// Appends the link for an app: `scheme` is the profile's, and the JSON is percent-encoded.
    ///
    /// # Errors
    /// [`EncodeError`] when the link is signed and the signer is missing or fails.
    fn app_into(
        &self,
        scheme: &str,
        signer: Option<&Signer<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let signature = sign(Self::META.signing, signer, |canonical| self.write_signed(canonical))?;
        out.extend_from_slice(scheme.as_bytes());
        out.extend_from_slice(b"://");
        let mut writer = FieldWriter::link(out);
        self.write_fields(signature.as_ref(), &mut writer);
        writer.end();
        Ok(())
    }

    /// Appends the text of the QR code: compact JSON, not encoded (R41).
    ///
    /// # Errors
    /// [`EncodeError`] when the link is signed and the signer is missing or fails.
    fn qr_into(&self, signer: Option<&Signer<'_>>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let signature = sign(Self::META.signing, signer, |canonical| self.write_signed(canonical))?;
        out.extend_from_slice(Self::META.qr_scheme.as_bytes());
        out.extend_from_slice(b"://");
        let mut writer = FieldWriter::json(out);
        self.write_fields(signature.as_ref(), &mut writer);
        writer.end();
        Ok(())
    }

    /// The link for an app, as text.
    ///
    /// # Errors
    /// [`EncodeError`].
    fn app(&self, scheme: &str, signer: Option<&Signer<'_>>) -> Result<String, EncodeError> {
        let mut out = Vec::with_capacity(512);
        self.app_into(scheme, signer, &mut out)?;
        Ok(String::from_utf8(out).expect("percent-encoded text is ASCII"))
    }

    /// The text of the QR code.
    ///
    /// # Errors
    /// [`EncodeError`].
    fn qr(&self, signer: Option<&Signer<'_>>) -> Result<String, EncodeError> {
        let mut out = Vec::with_capacity(512);
        self.qr_into(signer, &mut out)?;
        Ok(String::from_utf8(out).expect("JSON made of strings"))
    }
}

/// Appends parameters to an address, form-encoded, after its own query and before its fragment (R45).
pub fn append_query(address: &str, parameters: &str) -> String {
    let (before, fragment) = match address.find('#') {
        Some(at) => address.split_at(at),
        None => (address, ""),
    };
    let separator = match before.find('?') {
        None => "?",
        Some(_) if before.ends_with(['?', '&']) => "",
        Some(_) => "&",
    };
    format!("{before}{separator}{parameters}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_survives() {
        let text: String = (0..0x500).chain([0x20ac, 0x1f600]).filter_map(char::from_u32).collect();
        let mut out = b"x://".to_vec();
        encode_into(&text, &mut out);
        let link = String::from_utf8(out).unwrap();
        assert!(link.is_ascii() && !link.contains(['+', '#', '\'', ' ', '"']));
        assert_eq!(payload(&link).unwrap().json(), Ok(&*text));
    }

    #[test]
    fn broken_links_are_refused() {
        for (link, error) in [
            ("", LinkError::NoPayload),
            ("vaswallet", LinkError::NoPayload),
            ("vaswallet:", LinkError::NoPayload),
            ("vaswallet:/{}", LinkError::NoPayload),
            ("vaswallet://", LinkError::NoPayload),
            ("://{}", LinkError::NoPayload),
            ("x://%", LinkError::Escape),
            ("x://%7", LinkError::Escape),
            ("x://%7B%zz", LinkError::Escape),
            ("x://%ff", LinkError::NotUtf8),
        ] {
            let read = payload(link);
            assert_eq!(read.and_then(|read| read.json().map(str::to_owned)).unwrap_err(), error, "{link}");
        }
        // Once: what was encoded twice stays encoded once, and `+` is no space.
        assert_eq!(payload("x://%257B+").unwrap().json(), Ok("%7B+"));
        assert_eq!(payload("x://{\"a\":\"%41\"}").unwrap().json(), Ok("{\"a\":\"%41\"}"));
    }

    #[test]
    fn r45_parameters_go_before_the_fragment() {
        for (address, expected) in [
            ("https://a/b", "https://a/b?p=1"),
            ("https://a/b?", "https://a/b?p=1"),
            ("https://a/b?c=d", "https://a/b?c=d&p=1"),
            ("https://a/b?c=d&", "https://a/b?c=d&p=1"),
            ("https://a/b#f", "https://a/b?p=1#f"),
            ("https://a/b?c#f?g", "https://a/b?c&p=1#f?g"),
            ("app://x", "app://x?p=1"),
        ] {
            assert_eq!(append_query(address, "p=1"), expected);
        }
    }
}
