//! Request bodies, read from urlencoded, multipart, JSON or nothing into one slot per field (R10).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::fault::{Fault, FaultKind};
use crate::field::Value;
use crate::json::{self, Member, Warnings};
use crate::link::LinkError;
use crate::{FaultsMeta, FieldMeta, form, link_text, multipart};

/// One slot for each field of a declaration, filled by one pass over the body.
pub struct Slots<'a, const N: usize> {
    values: [Option<Value<'a>>; N],
    fields: &'static [FieldMeta],
    faults: &'static FaultsMeta,
    last_wins: bool,
    repeated: bool,
}

impl<'a, const N: usize> Slots<'a, N> {
    /// Uses the last value of a repeated field, even if the values differ.
    pub(crate) fn last_wins(&mut self) {
        self.last_wins = true;
    }

    /// Whether a repeated field had different values; the last one counts (R45).
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// Empty slots for these fields.
    #[inline]
    pub fn of(fields: &'static [FieldMeta], faults: &'static FaultsMeta) -> Self {
        Self { values: std::array::from_fn(|_| None), fields, faults, last_wins: false, repeated: false }
    }

    /// Reads `body` by its content type. `index` finds a field by the name on the wire.
    pub(crate) fn read(
        &mut self,
        index: fn(&[u8]) -> Option<usize>,
        content_type: Option<&str>,
        body: &'a [u8],
    ) -> Result<(), Fault> {
        if body.is_empty() {
            return Ok(());
        }
        let faults = self.faults;
        let unreadable = || Fault::new(FaultKind::Body, Some("body"), faults.body);
        let (essence, parameters) = match content_type {
            Some(text) => text.split_once(';').unwrap_or((text, "")),
            None => return Err(unreadable()),
        };
        let essence = essence.trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            self.read_form(index, body)?;
        } else if essence.eq_ignore_ascii_case("application/json") {
            let text = std::str::from_utf8(body).map_err(|_| unreadable())?;
            self.read_json(index, text, unreadable)?;
        } else if essence.eq_ignore_ascii_case("multipart/form-data") {
            let boundary = multipart::boundary(parameters).ok_or_else(unreadable)?;
            multipart::parts(body, &boundary, |name, content| {
                let Some(at) = index(name.as_bytes()) else { return Ok(()) };
                match std::str::from_utf8(content) {
                    Ok(text) => self.put(at, Cow::Borrowed(text).into()),
                    Err(_) => Err(self.fault(at, FaultKind::NotUtf8)),
                }
            })
            .ok_or_else(unreadable)??;
        } else {
            return Err(unreadable());
        }
        Ok(())
    }

    /// Reads a form body, the only body of a callback.
    pub(crate) fn read_form(
        &mut self,
        index: fn(&[u8]) -> Option<usize>,
        body: &'a [u8],
    ) -> Result<(), Fault> {
        let Ok(text) = std::str::from_utf8(body) else { return self.read_broken_form(index, body) };
        let (mut next, mut broken, mut rest) = (0, None, text);
        while !rest.is_empty() {
            // Fields mostly come in the document's order: then a comparison with the next name finds the field.
            let expected = self.fields.get(next).and_then(|field| rest.strip_prefix(&field.lead.form[1..]));
            let at = match expected {
                Some(value) => {
                    rest = value;
                    next
                }
                None => {
                    let (pair, after) = form::first(rest);
                    let (name, value) = form::split(pair);
                    let Some(at) = find(index, name) else {
                        rest = after;
                        continue;
                    };
                    rest = &rest[pair.len() - value.len()..];
                    at
                }
            };
            next = at + 1;
            let (value, after) = form::value(rest);
            rest = after;
            let kind = match value {
                Ok(text) => {
                    self.put(at, text.into())?;
                    broken = broken.filter(|(known, _)| *known != at);
                    continue;
                }
                Err(form::FormError::NotUtf8) => FaultKind::NotUtf8,
                Err(_) => FaultKind::Malformed,
            };
            if !self.last_wins {
                return Err(self.fault(at, kind));
            }
            broken = Some((at, kind)); // unless a later value replaces it
        }
        broken.map_or(Ok(()), |(at, kind)| Err(self.fault(at, kind)))
    }

    /// A form with bytes that are not UTF-8: names the field that has them, or the body when no field has.
    #[cold]
    fn read_broken_form(&mut self, index: fn(&[u8]) -> Option<usize>, body: &'a [u8]) -> Result<(), Fault> {
        let broken = body.split(|byte| *byte == b'&').find(|pair| std::str::from_utf8(pair).is_err());
        let name = broken.and_then(|pair| std::str::from_utf8(pair.split(|byte| *byte == b'=').next()?).ok());
        Err(match name.and_then(|name| find(index, name)) {
            Some(at) => self.fault(at, FaultKind::NotUtf8),
            None => Fault::new(FaultKind::Body, Some("body"), self.faults.body),
        })
    }

    /// Reads the JSON of a link.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn read_object(
        &mut self,
        index: fn(&[u8]) -> Option<usize>,
        text: &'a str,
        warnings: &mut Warnings,
    ) -> Result<(), LinkError> {
        // Members mostly come in the document's order, as the fields of a form do.
        let mut next = 0;
        json::read_object::<LinkError>(text, warnings, |name, member| {
            let expected = self.fields.get(next).is_some_and(|field| field.name == name);
            let found = if expected { Some(next) } else { index(name.as_bytes()) };
            let Some(at) = found else { return Ok(()) };
            next = at + 1;
            match member {
                Member::Value(value) => Ok(self.put(at, value)?),
                Member::Null => Ok(()),
                Member::Nested => Err(self.fault(at, FaultKind::Malformed).into()),
            }
        })
    }

    /// Reads the next member of an encoded link if it begins with `lead`, the text before its value. Returns the text
    /// after the member; `None` if the link has to be decoded first.
    #[doc(hidden)]
    #[inline(always)] // each lead is a constant, which is compared as such
    pub fn read_encoded(&mut self, at: usize, lead: &'static str, rest: &'a str) -> Option<&'a str> {
        match rest.strip_prefix(lead) {
            Some(value) => self.read_encoded_value(at, value),
            None => Some(rest),
        }
    }

    #[inline(never)]
    fn read_encoded_value(&mut self, at: usize, value: &'a str) -> Option<&'a str> {
        let (text, after) = link_text::encoded_text(value)?;
        self.values[at] = Some(text.into());
        Some(after)
    }

    /// Fills a slot with a text that the reader knows.
    #[doc(hidden)]
    pub fn fill(&mut self, at: usize, text: &'static str) {
        self.values[at] = Some(Cow::Borrowed(text).into());
    }

    fn read_json(
        &mut self,
        index: fn(&[u8]) -> Option<usize>,
        text: &'a str,
        unreadable: impl Fn() -> Fault,
    ) -> Result<(), Fault> {
        // RFC 8259, 8.1: a reader may ignore a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if has_no_members(text) {
            return Ok(());
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let filled = json.deserialize_map(Members { slots: self, index }).map_err(|_| unreadable())?;
        json.end().map_err(|_| unreadable())?;
        filled
    }

    #[inline]
    pub(crate) fn put(&mut self, at: usize, value: Value<'a>) -> Result<(), Fault> {
        // An empty value counts as absent (RFC 6749, 3.2).
        let known = self.values[at].as_ref();
        if value.text.is_empty() && known.is_some() {
            return Ok(());
        }
        // No field has it, and PostgreSQL stores no text with it.
        if value.text.as_bytes().contains(&0) {
            return Err(self.fault(at, FaultKind::Malformed));
        }
        match &mut self.values[at] {
            Some(before) if before.text == value.text => Ok(()),
            Some(before) if before.text.is_empty() => {
                *before = value;
                Ok(())
            }
            Some(before) if self.last_wins => {
                self.repeated = true;
                *before = value;
                Ok(())
            }
            Some(_) => Err(self.fault(at, FaultKind::Repeated)),
            empty => {
                *empty = Some(value);
                Ok(())
            }
        }
    }

    fn fault(&self, at: usize, kind: FaultKind) -> Fault {
        Fault::new(kind, Some(self.fields[at].name), self.faults.field)
    }

    /// Checks every field: present, not empty, not too long, equal to its fixed value.
    ///
    /// # Errors
    /// A [`Fault`] that names the field.
    pub fn check(&mut self) -> Result<(), Fault> {
        // A wrong value with its own refusal is more specific than a missing field.
        for (at, field) in self.fields.iter().enumerate() {
            if let (Some(refusal), Some(fixed), Some(value)) =
                (field.otherwise, field.fixed, &self.values[at])
                && !value.text.is_empty()
                && value.text != fixed
            {
                return Err(Fault::new(FaultKind::WrongValue, Some(self.fields[at].name), refusal));
            }
        }
        for (at, field) in self.fields.iter().enumerate() {
            let Some(value) = &self.values[at] else {
                if field.required {
                    return Err(self.fault(at, FaultKind::Missing));
                }
                continue;
            };
            if value.text.is_empty() {
                if field.required {
                    return Err(self.fault(at, FaultKind::Empty));
                }
                self.values[at] = None;
                continue;
            }
            if let Some(max) = field.max {
                let max = max as usize;
                // A text has at least as many bytes as characters, so counting is rarely needed.
                if value.text.len() > max && value.text.chars().count() > max {
                    return Err(self.fault(at, FaultKind::TooLong));
                }
            }
            if let Some(fixed) = field.fixed
                && value.text != fixed
            {
                return Err(self.fault(at, FaultKind::WrongValue));
            }
        }
        Ok(())
    }

    /// The text of a slot, for signatures and discriminators.
    pub fn text(&self, at: usize) -> Option<&Cow<'a, str>> {
        self.values[at].as_ref().map(|value| &value.text)
    }

    /// Takes a required field.
    ///
    /// # Errors
    /// A [`Fault`] that names the field.
    pub fn required<T: crate::Field<'a>>(&mut self, at: usize) -> Result<T, Fault> {
        let value = self.values[at].take().ok_or_else(|| self.fault(at, FaultKind::Missing))?;
        T::read(value).map_err(|_| self.fault(at, FaultKind::Malformed))
    }

    /// Takes an optional field.
    ///
    /// # Errors
    /// A [`Fault`] that names the field.
    pub fn optional<T: crate::Field<'a>>(&mut self, at: usize) -> Result<Option<T>, Fault> {
        let Some(value) = self.values[at].take() else { return Ok(None) };
        T::read(value).map(Some).map_err(|_| self.fault(at, FaultKind::Malformed))
    }
}

/// Whether JSON is another way to write an object without members: PHP writes `[]`, others `null`.
fn has_no_members(json: &str) -> bool {
    const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
    let json = json.trim_matches(SPACE);
    let inner = json.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    json == "null" || inner.is_some_and(|inner| inner.trim_matches(SPACE).is_empty())
}

/// The field of a name in a form. Names are plain in practice; one that is encoded is decoded before it is looked up.
fn find(index: fn(&[u8]) -> Option<usize>, name: &str) -> Option<usize> {
    index(name.as_bytes()).or_else(|| match form::decode_text(name) {
        Ok(Cow::Owned(name)) => index(name.as_bytes()),
        _ => None,
    })
}

struct Members<'s, 'a, const N: usize> {
    slots: &'s mut Slots<'a, N>,
    index: fn(&[u8]) -> Option<usize>,
}

/// A JSON string, borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct JsonText<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a, const N: usize> Visitor<'a> for Members<'_, 'a, N> {
    /// JSON that does not parse is the visitor's error; a fault in a field is its value.
    type Value = Result<(), Fault>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the request's fields")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut result = Ok(());
        while let Some(name) = map.next_key::<JsonText<'a>>()? {
            let raw: &'a RawValue = map.next_value()?;
            let Some(at) = (self.index)(name.0.as_bytes()) else { continue };
            if result.is_err() {
                continue;
            }
            let raw = raw.get();
            result = match raw.as_bytes() {
                [b'"', ..] => match serde_json::from_str::<JsonText<'a>>(raw) {
                    Ok(text) => self.slots.put(at, text.0.into()),
                    Err(_) => Err(self.slots.fault(at, FaultKind::NotUtf8)), // a lone surrogate
                },
                b"null" => Ok(()),
                [b'0'..=b'9' | b'-', ..] => {
                    self.slots.put(at, Value { text: Cow::Borrowed(raw), number: true })
                }
                _ => Err(self.slots.fault(at, FaultKind::Malformed)),
            };
        }
        Ok(result)
    }
}
