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

use crate::body::{FieldWriter, Slots};
use crate::endpoint::sign;
use crate::form::{self, FormError};
use crate::json::{self, JsonError, Member, Warning, Warnings};
use crate::scan::{self, Plain};
use crate::sign::{Signature, Signer};
use crate::{EncodeError, Fault, FaultsMeta, LinkMeta};

/// Bytes that stand for themselves: those that JavaScript's `encodeURI` keeps, without `+`, `#` and `'`, since some
/// decoders turn `+` into a space and cut at `#` (R40).
const KEPT: Plain = {
    let mut kept = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        kept[byte] = b.is_ascii_alphanumeric()
            || matches!(b, b';' | b',' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'$')
            || matches!(b, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'(' | b')');
        byte += 1;
    }
    kept
};

/// Appends a link's JSON text, percent-encoded.
pub fn encode_into(json: &str, out: &mut Vec<u8>) {
    scan::copy(&KEPT, json, out, scan::percent);
}

/// Bytes that stand for themselves in a JSON string of an encoded link.
const KEPT_IN_STRING: Plain = {
    let mut kept = KEPT;
    let mut byte = 0;
    while byte < 256 {
        kept[byte] &= json::PLAIN[byte];
        byte += 1;
    }
    kept
};

/// Appends a JSON string with its quotes, percent-encoded, in one pass.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"%22");
    scan::copy(&KEPT_IN_STRING, text, out, |byte, out| {
        if json::PLAIN[usize::from(byte)] {
            return scan::percent(byte, out);
        }
        let (escaped, length) = json::escape(byte);
        for byte in &escaped[..length] {
            if KEPT[usize::from(*byte)] { out.push(*byte) } else { scan::percent(*byte, out) }
        }
    });
    out.extend_from_slice(b"%22");
}

/// Why a text is no link of this platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkError {
    /// There is no `scheme://`, or nothing after it.
    NoPayload,
    /// The scheme is none of the platform's.
    UnknownScheme,
    /// A percent sign without two hexadecimal digits after it.
    Escape,
    /// What is encoded is not UTF-8.
    NotUtf8,
    /// What is encoded is not a JSON object.
    Json(JsonError),
    /// No link has this `type`.
    UnknownType,
    /// A member is missing or not of its type.
    Member(Fault),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPayload => {
                f.write_str("a link is `scheme://` and then JSON, and something of it is missing")
            }
            Self::UnknownScheme => f.write_str("the scheme is none of the wallet's"),
            Self::Escape => f.write_str("a `%` is not followed by two hexadecimal digits"),
            Self::NotUtf8 => f.write_str("the percent-encoded bytes are not UTF-8"),
            Self::Json(error) => error.fmt(f),
            Self::UnknownType => f.write_str("`type` is none that the wallet knows"),
            Self::Member(fault) => fault.fmt(f),
        }
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

/// A link taken apart: its scheme, and its JSON.
#[derive(Clone)]
pub struct Payload<'a> {
    /// What stands before `://`.
    pub scheme: &'a str,
    /// What was unusual so far.
    pub warnings: Warnings,
    /// What stands after it.
    text: &'a str,
    /// That, decoded, once somebody has asked for it.
    json: OnceLock<Result<Cow<'a, str>, LinkError>>,
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The JSON may hold a webToken.
        f.debug_struct("Payload").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// Takes a link apart: what follows `scheme://` is JSON as it stands when it begins with `{`, else it is
/// percent-decoded once (R40, R63).
///
/// # Errors
/// [`LinkError::NoPayload`].
pub fn payload(link: &str) -> Result<Payload<'_>, LinkError> {
    let (scheme, text) = link.split_once("://").ok_or(LinkError::NoPayload)?;
    if scheme.is_empty() || text.is_empty() {
        return Err(LinkError::NoPayload);
    }
    let mut warnings = Warnings::default();
    if text.starts_with('{') {
        warnings.add(Warning::Raw);
    }
    Ok(Payload { scheme, warnings, text, json: OnceLock::new() })
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

    /// The JSON text, percent-encoded; none when the link has it as it is.
    #[doc(hidden)]
    pub fn encoded(&self) -> Option<&'a str> {
        (!self.text.starts_with('{')).then_some(self.text)
    }
}

/// Where a string ends whose first byte is the first of `text`, encoded as links are: at `%22`. And whether something in
/// it is encoded. `None` when it holds anything that JSON writes in another way than as itself.
fn string_end(text: &[u8]) -> Option<(usize, bool)> {
    let marks = |word| scan::equal(word, b'%') | json::marks(word);
    let (mut at, mut encoded) = (0, false);
    loop {
        at += scan::until(&text[at..], marks);
        match text.get(at..)? {
            [b'%', b'2', b'2', ..] => return Some((at, encoded)),
            [b'%', high, low, ..] => {
                let byte = scan::byte(*high, *low)?;
                if !json::PLAIN[usize::from(byte)] {
                    return None;
                }
                (at, encoded) = (at + 3, true);
            }
            _ => return None,
        }
    }
}

/// A member of an encoded object of strings, and what follows it.
fn encoded_member(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let text = text.strip_prefix("%22")?;
    let (end, false) = string_end(text.as_bytes())? else { return None };
    let (name, text) = (&text[..end], text[end..].strip_prefix("%22:%22")?);
    let (end, encoded) = string_end(text.as_bytes())?;
    let value = &text[..end];
    let value = if encoded { form::decode_escapes(value, b'%').ok()? } else { Cow::Borrowed(value) };
    Some((name, value, &text[end + 3..]))
}

/// Reads an object of strings, percent-encoded as encoders write it: compact, and nothing in it that JSON escapes. It is
/// not decoded as a whole, so that values are borrowed. `None` for everything else: [`json::read_object`] reads that too.
pub(crate) fn read_encoded<'a>(
    encoded: &'a str,
    mut member: impl FnMut(&'a str, Cow<'a, str>) -> Result<(), Fault>,
) -> Option<Result<(), Fault>> {
    let mut rest = encoded.strip_prefix("%7B")?;
    loop {
        let (name, value, after) = encoded_member(rest)?;
        if let Err(fault) = member(name, value) {
            return Some(Err(fault));
        }
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => return (after == "%7D").then_some(Ok(())),
        }
    }
}

/// [`peek`] for an encoded object of which it is the first member.
#[doc(hidden)]
pub fn peek_encoded<'a>(encoded: &'a str, wanted: &str) -> Option<Cow<'a, str>> {
    let (name, value, _) = encoded_member(encoded.strip_prefix("%7B")?)?;
    (name == wanted).then_some(value)
}

/// The text of one member, read ahead, to tell links apart: the first of that name. What comes after it is not looked at.
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

/// A link on its way out; implemented by each `Link<'_>`.
pub trait OutgoingLink {
    /// What the spec says of it.
    const META: &'static LinkMeta;

    /// Hands every member to `writer`, in the document's order. `signature` is there when the link is signed.
    fn write_fields(&self, signature: Option<&Signature>, writer: &mut FieldWriter<'_>);

    /// Hands the text of one member to `put`, for the signature.
    fn write_field(&self, name: &str, put: &mut dyn FnMut(&str));

    /// Appends the link for an app: `scheme` is the profile's, and the JSON is percent-encoded.
    ///
    /// # Errors
    /// [`EncodeError`] when the link is signed and the signer is none or fails.
    fn app_into(
        &self,
        scheme: &str,
        signer: Option<&Signer<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let signature = sign(Self::META.signing, signer, |name, put| self.write_field(name, put))?;
        out.extend_from_slice(scheme.as_bytes());
        out.extend_from_slice(b"://");
        let mut writer = FieldWriter::link(out);
        self.write_fields(signature.as_ref(), &mut writer);
        writer.end();
        Ok(())
    }

    /// Appends the text of the QR code: compact JSON as it stands (R41).
    ///
    /// # Errors
    /// [`EncodeError`] when the link is signed and the signer is none or fails.
    fn qr_into(&self, signer: Option<&Signer<'_>>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let signature = sign(Self::META.signing, signer, |name, put| self.write_field(name, put))?;
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
        Ok(String::from_utf8(out).unwrap_or_default()) // percent-encoded: ASCII
    }

    /// The text of the QR code.
    ///
    /// # Errors
    /// [`EncodeError`].
    fn qr(&self, signer: Option<&Signer<'_>>) -> Result<String, EncodeError> {
        let mut out = Vec::with_capacity(512);
        self.qr_into(signer, &mut out)?;
        Ok(String::from_utf8(out).unwrap_or_default()) // made of strings
    }
}

/// Reads the members of a link into slots and checks what holds for every one.
///
/// # Errors
/// [`LinkError`].
pub fn decode_fields<'a, const N: usize>(
    meta: &'static LinkMeta,
    faults: &'static FaultsMeta,
    index: fn(&[u8]) -> Option<usize>,
    json: &'a str,
    warnings: &mut Warnings,
) -> Result<Slots<'a, N>, LinkError> {
    let mut slots = Slots::empty(meta.fields, faults);
    slots.read_object(index, json, warnings)?;
    slots.check()?;
    Ok(slots)
}

/// [`decode_fields`] for an object that is still encoded; `None` when it has to be decoded first.
#[doc(hidden)]
pub fn decode_encoded_fields<'a, const N: usize>(
    meta: &'static LinkMeta,
    faults: &'static FaultsMeta,
    index: fn(&[u8]) -> Option<usize>,
    encoded: &'a str,
) -> Option<Result<Slots<'a, N>, LinkError>> {
    let mut slots = Slots::empty(meta.fields, faults);
    let read = slots.read_encoded(index, encoded)?;
    Some(read.and_then(|()| slots.check()).map(|()| slots).map_err(LinkError::from))
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
    fn what_encoders_write_is_read_while_it_is_encoded() {
        let read = |encoded| {
            let mut members = Vec::new();
            let read = read_encoded(encoded, |name, value| {
                members.push((name.to_owned(), value.to_string(), matches!(value, Cow::Borrowed(_))));
                Ok(())
            });
            read.map(|read| (read, members))
        };
        let member = |name: &str, value: &str, borrowed| (name.to_owned(), value.to_owned(), borrowed);
        assert_eq!(
            read("%7B%22a%22:%22b/c%22,%22d%22:%22%E5%9B%9E+%2B%22,%22e%22:%22%22%7D"),
            Some((Ok(()), vec![member("a", "b/c", true), member("d", "回++", false), member("e", "", true)]))
        );
        // Everything else is decoded first: other writers, what JSON escapes, what is broken.
        for other in [
            "",
            "%7B%7D",
            "%7b%22a%22:%22b%22%7d",
            "{%22a%22:%22b%22}",
            "%7B%22a%22:%22b%22",
            "%7B%22a%22:%22b%22%7D ",
            "%7B%22a%22:%22b%22,%7D",
            "%7B%22a%22: %22b%22%7D",
            "%7B%22a%22:1%7D",
            "%7B%22%61%22:%22b%22%7D",
            "%7B%22a%22:%22%5C%22%22%7D",
            "%7B%22a%22:%22%09%22%7D",
            "%7B%22a%22:%22\"%22%7D",
            "%7B%22a%22:%22%2%22%7D",
            "%7B%22a%22:%22%ff%22%7D",
            "%7B%22a%22:%22b%2",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
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
