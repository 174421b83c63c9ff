//! The building blocks of generated types: newtypes by macro, and how plain types are written in JSON.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serializer};

use crate::{Amount, UnixTime};

/// Reads a text that is a string, a whole number or null in JSON (R11).
struct Lenient;

impl Visitor<'_> for Lenient {
    type Value = String;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a whole number")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
    fn visit_string<E: de::Error>(self, text: String) -> Result<String, E> {
        Ok(text)
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
    fn visit_unit<E: de::Error>(self) -> Result<String, E> {
        Ok(String::new())
    }
}

/// Text in replies.
pub mod text {
    use super::*;

    /// Reads a string or a whole number.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(Lenient)
    }

    /// Writes a string.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }
}

/// Text in replies that may be absent.
pub mod optional_text {
    use super::*;

    /// Reads a string, a whole number or nothing.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
        text::deserialize(deserializer).map(|text| Some(text).filter(|text| !text.is_empty()))
    }

    /// Writes a string or null.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
        match text {
            Some(text) => serializer.serialize_str(text),
            None => serializer.serialize_none(),
        }
    }
}

/// Whole numbers in replies, written as strings.
pub mod integer {
    use super::*;

    /// Reads a string or a number.
    ///
    /// # Errors
    /// The deserializer's, or that the text is no number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        whole(&text::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("not a whole number"))
    }

    /// Writes a string.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }
}

/// A whole number; programs without integers write `3600.0`.
fn whole(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    (!fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0')).then(|| whole.parse().ok())?
}

/// Whole numbers in replies that may be absent, written as strings.
pub mod optional_integer {
    use super::*;

    /// Reads a string, a number or nothing; an empty string is nothing.
    ///
    /// # Errors
    /// The deserializer's, or that the text is no number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        match optional_text::deserialize(deserializer)? {
            Some(text) => whole(&text).map(Some).ok_or_else(|| de::Error::custom("not a whole number")),
            None => Ok(None),
        }
    }

    /// Writes a string or null.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(number: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => serializer.collect_str(number),
            None => serializer.serialize_none(),
        }
    }
}

/// Whole numbers in replies that may be absent, written as numbers.
pub mod optional_number {
    pub use super::optional_integer::deserialize;
    use super::*;

    /// Writes a number or null.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(number: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => serializer.serialize_u64(*number),
            None => serializer.serialize_none(),
        }
    }
}

/// Whole numbers in replies, written as numbers.
pub mod number {
    pub use super::integer::deserialize;
    use super::*;

    /// Writes a number.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(*number)
    }
}

/// Times in replies: Unix seconds, written as strings.
pub mod time {
    use super::*;

    /// Reads a string or a number.
    ///
    /// # Errors
    /// The deserializer's, or that the text is no number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixTime, D::Error> {
        let text = text::deserialize(deserializer)?;
        text.parse().map(UnixTime::from_secs).map_err(|_| de::Error::custom("not a time in Unix seconds"))
    }

    /// Writes a string.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(time: &UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&time.secs())
    }
}

impl serde::Serialize for Amount<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Amount<'static> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Amount::parse(text::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A newtype over text that borrows. `min` and `chars` say what [`well_formed`](#method.well_formed) checks; decoding
/// does not, since an unknown id has a code of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident, min: $min:expr, max: $max:expr, chars: $chars:expr) => {
        $(#[$meta])*
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::cmp::PartialEq, ::core::cmp::Eq, ::core::cmp::PartialOrd, ::core::cmp::Ord, ::core::hash::Hash)]
        pub struct $name<'a>($crate::__private::Cow<'a, str>);
        $crate::text_type!(@common $name);
        impl $name<'_> {
            /// The minimum and maximum length of a new value, and its ASCII characters: single ones and ranges.
            pub const SHAPE: (usize, usize, &'static str) = ($min, $max, $chars);
            /// Whether its length and its characters are allowed in a new value.
            pub fn well_formed(&self) -> bool {
                $crate::types::well_formed(&self.0, $min, $max, $chars)
            }
        }
        impl ::core::fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
    (@common $name:ident) => {
        impl<'a> $name<'a> {
            /// From text.
            pub fn new(text: impl ::core::convert::Into<$crate::__private::Cow<'a, str>>) -> Self {
                Self(::core::convert::Into::into(text))
            }
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
            /// Converts to an owned value.
            pub fn into_owned(self) -> $name<'static> {
                $name($crate::__private::Cow::Owned(self.0.into_owned()))
            }
        }
        impl<'a> ::core::convert::From<&'a str> for $name<'a> {
            fn from(text: &'a str) -> Self {
                Self($crate::__private::Cow::Borrowed(text))
            }
        }
        impl ::core::convert::From<::std::string::String> for $name<'_> {
            fn from(text: ::std::string::String) -> Self {
                Self($crate::__private::Cow::Owned(text))
            }
        }
        impl<'a> $crate::Field<'a> for $name<'a> {
            fn read(value: $crate::Value<'a>) -> ::core::result::Result<Self, $crate::Malformed> {
                ::core::result::Result::Ok(Self(value.text))
            }
            fn write(&self, put: &mut dyn ::core::ops::FnMut(&str)) {
                put(&self.0);
            }
        }
        impl $crate::__private::serde::Serialize for $name<'_> {
            fn serialize<S: $crate::__private::serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> $crate::__private::serde::Deserialize<'de> for $name<'static> {
            fn deserialize<D: $crate::__private::serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                $crate::types::text::deserialize(deserializer)
                    .map(<Self as ::core::convert::From<::std::string::String>>::from)
            }
        }
    };
}

/// A newtype over text that `Debug` never shows and that is compared in constant time.
#[doc(hidden)]
#[macro_export]
macro_rules! secret_type {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(::core::clone::Clone)]
        pub struct $name<'a>($crate::__private::Cow<'a, str>);
        $crate::text_type!(@common $name);
        /// Compares texts of equal length in constant time.
        impl ::core::cmp::PartialEq for $name<'_> {
            fn eq(&self, other: &Self) -> bool {
                $crate::crypto::equal(self.0.as_bytes(), other.0.as_bytes())
            }
        }
        impl ::core::cmp::Eq for $name<'_> {}
        impl ::core::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str("[redacted]")
            }
        }
    };
}

/// A newtype over a decimal id.
#[doc(hidden)]
#[macro_export]
macro_rules! id_type {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy, ::core::cmp::PartialEq, ::core::cmp::Eq, ::core::cmp::PartialOrd, ::core::cmp::Ord, ::core::hash::Hash)]
        pub struct $name(u64);
        impl $name {
            /// From a number below 2^63.
            pub const fn new(id: u64) -> Self {
                Self(id)
            }
            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }
        }
        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(&self.0, f)
            }
        }
        impl<'a> $crate::Field<'a> for $name {
            fn read(value: $crate::Value<'a>) -> ::core::result::Result<Self, $crate::Malformed> {
                <u64 as $crate::Field<'a>>::read(value).map(Self)
            }
            fn write(&self, put: &mut dyn ::core::ops::FnMut(&str)) {
                <u64 as $crate::Field<'_>>::write(&self.0, put);
            }
        }
        impl $crate::__private::serde::Serialize for $name {
            fn serialize<S: $crate::__private::serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }
        impl<'de> $crate::__private::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::__private::serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                $crate::types::integer::deserialize(deserializer).map(Self)
            }
        }
    };
}

/// A newtype over an http or https address.
#[doc(hidden)]
#[macro_export]
macro_rules! url_type {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::cmp::PartialEq, ::core::cmp::Eq, ::core::hash::Hash)]
        pub struct $name<'a>($crate::__private::Cow<'a, str>);
        impl<'a> $name<'a> {
            /// From text.
            ///
            /// # Errors
            /// [`Malformed`]($crate::Malformed) when it is not an absolute http or https address without user
            /// information.
            pub fn new(text: impl ::core::convert::Into<$crate::__private::Cow<'a, str>>) -> ::core::result::Result<Self, $crate::Malformed> {
                let text = ::core::convert::Into::into(text);
                if $crate::address::is_http_url(&text) { ::core::result::Result::Ok(Self(text)) } else { ::core::result::Result::Err($crate::Malformed) }
            }
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
            /// Converts to an owned value.
            pub fn into_owned(self) -> $name<'static> {
                $name($crate::__private::Cow::Owned(self.0.into_owned()))
            }
        }
        impl<'a> $crate::Field<'a> for $name<'a> {
            fn read(value: $crate::Value<'a>) -> ::core::result::Result<Self, $crate::Malformed> {
                Self::new(value.text)
            }
            fn write(&self, put: &mut dyn ::core::ops::FnMut(&str)) {
                put(&self.0);
            }
        }
        impl $crate::__private::serde::Serialize for $name<'_> {
            fn serialize<S: $crate::__private::serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> $crate::__private::serde::Deserialize<'de> for $name<'static> {
            fn deserialize<D: $crate::__private::serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                let text = $crate::types::text::deserialize(deserializer)?;
                Self::new(text).map_err(|_| <D::Error as $crate::__private::serde::de::Error>::custom("not an http address"))
            }
        }
    };
}

/// An enum with a fixed set of wire values.
#[doc(hidden)]
#[macro_export]
macro_rules! choice_type {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $value:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy, ::core::cmp::PartialEq, ::core::cmp::Eq, ::core::cmp::PartialOrd, ::core::cmp::Ord, ::core::hash::Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }
        impl $name {
            /// Every value, in the spec's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The text on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $value),+ }
            }
            /// The value of a text on the wire.
            pub fn from_wire(text: &str) -> ::core::option::Option<Self> {
                match text { $($value => ::core::option::Option::Some(Self::$variant),)+ _ => ::core::option::Option::None }
            }
        }
        impl<'a> $crate::Field<'a> for $name {
            fn read(value: $crate::Value<'a>) -> ::core::result::Result<Self, $crate::Malformed> {
                Self::from_wire(&value.text).ok_or($crate::Malformed)
            }
            fn write(&self, put: &mut dyn ::core::ops::FnMut(&str)) {
                put(self.as_str());
            }
        }
        impl $crate::Choice for $name {
            fn as_str(self) -> &'static str {
                $name::as_str(self)
            }
            fn from_wire(text: &str) -> ::core::option::Option<Self> {
                $name::from_wire(text)
            }
        }
    };
}

/// A `[[choice]]` of the spec: one of a list of texts.
pub trait Choice: Copy {
    /// The text on the wire.
    fn as_str(self) -> &'static str;
    /// The value of a text on the wire.
    fn from_wire(text: &str) -> Option<Self>;
}

/// A choice in a reply: a value that the spec names, or the text of a value that the spec does not name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Open<C> {
    /// A value that the spec names.
    Known(C),
    /// Another text.
    Unknown(String),
}

impl<C: Choice> Open<C> {
    /// The value, when the spec names it.
    pub fn known(&self) -> Option<C> {
        match self {
            Self::Known(value) => Some(*value),
            Self::Unknown(_) => None,
        }
    }

    /// The text on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(value) => value.as_str(),
            Self::Unknown(text) => text,
        }
    }
}

impl<C> From<C> for Open<C> {
    fn from(value: C) -> Self {
        Self::Known(value)
    }
}

impl<C: PartialEq> PartialEq<C> for Open<C> {
    fn eq(&self, other: &C) -> bool {
        matches!(self, Self::Known(value) if value == other)
    }
}

impl<C: Choice> serde::Serialize for Open<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, C: Choice> Deserialize<'de> for Open<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = text::deserialize(deserializer)?;
        Ok(C::from_wire(&text).map_or(Self::Unknown(text), Self::Known))
    }
}

crate::secret_type! {
    /// A secret text without a type of its own: `Debug` shows nothing of it.
    SecretText
}

crate::secret_type! {
    /// The signature of a request, as sent.
    SignatureText
}

/// The time of signing: exactly ten ASCII digits, nothing else is ever hashed (R8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp(UnixTime);

impl Timestamp {
    /// As a point in time.
    pub const fn time(self) -> UnixTime {
        self.0
    }
}

impl<'a> crate::Field<'a> for Timestamp {
    fn read(value: crate::Value<'a>) -> Result<Self, crate::Malformed> {
        let text = value.text.as_bytes();
        if text.len() != 10 || !text.iter().all(u8::is_ascii_digit) {
            return Err(crate::Malformed);
        }
        value.text.parse().map(|secs| Self(UnixTime::from_secs(secs))).map_err(|_| crate::Malformed)
    }
    fn write(&self, put: &mut dyn FnMut(&str)) {
        self.0.write(put);
    }
}

/// Whether a text has `min` to `max` characters, all of the class `chars` (`A-Za-z0-9_.-`; empty: any).
pub fn well_formed(text: &str, min: usize, max: usize, chars: &str) -> bool {
    let count = text.chars().count();
    (min..=max).contains(&count) && (chars.is_empty() || text.chars().all(|c| in_class(c, chars)))
}

fn in_class(wanted: char, class: &str) -> bool {
    let class: Vec<char> = class.chars().collect();
    let mut at = 0;
    while at < class.len() {
        if at + 2 < class.len() && class[at + 1] == '-' {
            if (class[at]..=class[at + 2]).contains(&wanted) {
                return true;
            }
            at += 3;
        } else {
            if class[at] == wanted {
                return true;
            }
            at += 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_characters_are_read_as_ranges_and_singles() {
        assert!(well_formed("gift2.win", 3, 64, "A-Za-z0-9_.-"));
        assert!(well_formed("a-b", 3, 64, "A-Za-z0-9_.-"));
        assert!(!well_formed("ab", 3, 64, "A-Za-z0-9_.-"));
        assert!(!well_formed("a b", 3, 64, "A-Za-z0-9_.-"));
        assert!(!well_formed("微信号", 3, 64, "A-Za-z0-9_.-"));
    }
}
