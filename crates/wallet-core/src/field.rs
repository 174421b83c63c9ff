//! Conversion between Rust types and the fields of requests and callbacks.

use std::borrow::Cow;
use std::fmt;

use crate::{Amount, UnixTime};

/// The text of one field.
#[derive(Debug, Clone)]
pub struct Value<'a> {
    /// The text, decoded once.
    pub text: Cow<'a, str>,
    /// Whether the JSON value was a number.
    pub number: bool,
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self { text, number: false }
    }
}

/// A field's text is not of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is not of the field's type")
    }
}

impl std::error::Error for Malformed {}

/// A type that one field of a request or callback carries.
pub trait Field<'a>: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// [`Malformed`] when the text is not of this type.
    fn read(value: Value<'a>) -> Result<Self, Malformed>;

    /// Passes the field's wire text to `put`, without allocating.
    fn write(&self, put: &mut dyn FnMut(&str));
}

impl<'a> Field<'a> for Cow<'a, str> {
    fn read(value: Value<'a>) -> Result<Self, Malformed> {
        Ok(value.text)
    }
    fn write(&self, put: &mut dyn FnMut(&str)) {
        put(self);
    }
}

impl<'a> Field<'a> for u64 {
    fn read(value: Value<'a>) -> Result<Self, Malformed> {
        whole_number(&value.text).ok_or(Malformed)
    }
    fn write(&self, put: &mut dyn FnMut(&str)) {
        put(itoa::Buffer::new().format(*self));
    }
}

impl<'a> Field<'a> for Amount<'a> {
    fn read(value: Value<'a>) -> Result<Self, Malformed> {
        if value.number {
            return Err(Malformed); // R12: a JSON number is refused
        }
        Amount::parse(value.text).map_err(|_| Malformed)
    }
    fn write(&self, put: &mut dyn FnMut(&str)) {
        put(self.as_str());
    }
}

impl<'a> Field<'a> for UnixTime {
    fn read(value: Value<'a>) -> Result<Self, Malformed> {
        let secs = whole_number(&value.text).ok_or(Malformed)?;
        i64::try_from(secs).map(UnixTime::from_secs).map_err(|_| Malformed)
    }
    fn write(&self, put: &mut dyn FnMut(&str)) {
        put(itoa::Buffer::new().format(self.secs().unsigned_abs()));
    }
}

/// Parses a canonical decimal number: digits, no leading zero, below 2^63.
pub(crate) fn whole_number(text: &str) -> Option<u64> {
    let plain = text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok().filter(|number| *number <= i64::MAX as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for (text, number) in [("0", Some(0)), ("7", Some(7)), ("9223372036854775807", Some(i64::MAX as u64))]
        {
            assert_eq!(whole_number(text), number);
        }
        for text in
            ["", "00", "01", "+1", "-1", " 1", "9223372036854775808", "18446744073709551616", "１", "1e3"]
        {
            assert_eq!(whole_number(text), None, "{text}");
        }
    }
}
