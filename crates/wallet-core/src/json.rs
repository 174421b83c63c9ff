//! Flat JSON objects: the compact form that signatures cover (R44), and a reader that takes what people really write
//! into links (R41).
//!
//! ```
//! use wallet_core::json;
//!
//! let mut out = Vec::new();
//! json::write_object([("orderId", "a\"b\\c\u{1}/回"), ("amount", "1.50")], &mut out);
//! assert_eq!(out, "{\"orderId\":\"a\\\"b\\\\c\\u0001/回\",\"amount\":\"1.50\"}".as_bytes());
//! ```

use std::borrow::Cow;
use std::fmt;

use crate::Lang;
use crate::field::Value;
use crate::scan::{self, Plain};

/// Bytes that need no escape in a string: all but `"`, `\` and control characters. `/`, DEL and everything beyond
/// ASCII are not escaped.
pub(crate) const PLAIN: Plain = {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte < 0x20 {
        plain[byte] = false;
        byte += 1;
    }
    plain[b'"' as usize] = false;
    plain[b'\\' as usize] = false;
    plain
};

/// Marks the bytes of a word that are not [`PLAIN`].
#[inline]
pub(crate) fn marks(word: u64) -> u64 {
    scan::mark_equal(word, b'"') | scan::mark_equal(word, b'\\') | scan::mark_below(word, 0x20)
}

/// How one byte that is not plain is written: `\b \t \n \f \r \" \\` short, other control characters `\u00xx`.
pub(crate) fn escape(byte: u8) -> ([u8; 6], usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        b'"' | b'\\' => byte,
        _ => {
            let (high, low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
            return ([b'\\', b'u', b'0', b'0', high, low], 6);
        }
    };
    ([b'\\', short, 0, 0, 0, 0], 2)
}

/// Appends the content of a string, without its quotes.
#[inline]
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    if scan::any_marked(text.as_bytes(), marks) {
        return write_escaped(text, out);
    }
    out.extend_from_slice(text.as_bytes());
}

#[cold]
fn write_escaped(text: &str, out: &mut Vec<u8>) {
    scan::copy_escaped(&PLAIN, text, out, |byte, out| {
        let (escaped, length) = escape(byte);
        out.extend_from_slice(&escaped[..length]);
    });
}

/// Appends a member. `lead` begins with a comma; the first one's becomes the brace of [`end_object`].
#[inline(always)] // each lead is a constant, whose length the compiler then knows
pub(crate) fn write_member(lead: &str, value: &str, out: &mut Vec<u8>) {
    out.reserve(lead.len() + value.len() + 2);
    out.extend_from_slice(lead.as_bytes());
    write_text(value, out);
    out.push(b'"');
}

/// Ends an object whose members were appended from `start` on.
pub(crate) fn end_object(start: usize, out: &mut Vec<u8>) {
    match out.get_mut(start) {
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}

/// Appends an object of strings, compact, in the order in which they come.
pub fn write_object<'t>(members: impl IntoIterator<Item = (&'t str, &'t str)>, out: &mut Vec<u8>) {
    let start = out.len();
    for (name, value) in members {
        out.extend_from_slice(b",\"");
        write_text(name, out);
        write_member("\":\"", value, out);
    }
    end_object(start, out);
}

/// A deviation that was accepted (R41).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Warning {
    /// The JSON is in the link as it is, not percent-encoded.
    Raw,
    /// Spaces between the members.
    Spaces,
    /// Line ends or tabs between the members.
    LineBreaks,
    /// A comma after the last member.
    TrailingComma,
}

impl Warning {
    /// Every warning.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Spaces, Self::LineBreaks, Self::TrailingComma];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw_json",
            Self::Spaces => "spaces",
            Self::LineBreaks => "line_breaks",
            Self::TrailingComma => "trailing_comma",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "the JSON is not percent-encoded; iOS refuses such links",
            Self::Spaces => "there are spaces between the members",
            Self::LineBreaks => "there are line ends or tabs between the members",
            Self::TrailingComma => "there is a comma after the last member",
        })
    }
}

/// A set of [`Warning`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Warnings(u8);

impl Warnings {
    pub(crate) fn add(&mut self, warning: Warning) {
        self.0 |= 1 << warning as u8;
    }

    /// Whether it is among them.
    pub fn has(self, warning: Warning) -> bool {
        self.0 & 1 << warning as u8 != 0
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = Warning> {
        Warning::ALL.into_iter().filter(move |warning| self.has(*warning))
    }

    /// Whether the list is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A text is not a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    /// The offset of the fault, in bytes.
    pub at: usize,
}

impl JsonError {
    /// The position of the fault, in words.
    pub fn in_words(&self, lang: Lang) -> String {
        match lang {
            Lang::Zh => format!("不是 JSON 对象：第 {} 字节不符", self.at),
            Lang::En => format!("not a JSON object: byte {} is unexpected", self.at),
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words(Lang::En))
    }
}

impl std::error::Error for JsonError {}

/// What a member holds.
#[derive(Debug, Clone)]
pub enum Member<'a> {
    /// A string, a number or a boolean, as text.
    Value(Value<'a>),
    /// `null`: as if it were not there.
    Null,
    /// An object or a list.
    Nested,
}

/// Reads an object, member by member. Strict JSON, but for a comma after the last member.
///
/// # Errors
/// [`JsonError`], or what `member` returns.
pub fn read_object<'a, E: From<JsonError>>(
    text: &'a str,
    warnings: &mut Warnings,
    mut member: impl FnMut(Cow<'a, str>, Member<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = Reader { text, at: 0, warnings };
    reader.expect(b'{')?;
    let mut first = true;
    loop {
        reader.space();
        if reader.take(b'}') {
            if !first {
                reader.warnings.add(Warning::TrailingComma);
            }
            break;
        }
        let name = reader.string()?;
        reader.space();
        reader.expect(b':')?;
        reader.space();
        let value = reader.value()?;
        member(name, value)?;
        first = false;
        reader.space();
        if reader.take(b'}') {
            break;
        }
        reader.expect(b',')?;
    }
    reader.space();
    if reader.at < text.len() { Err(reader.error().into()) } else { Ok(()) }
}

struct Reader<'a, 'w> {
    text: &'a str,
    at: usize,
    warnings: &'w mut Warnings,
}

/// Deeper than anything that is ever sent; a nested value is only passed over.
const DEEPEST: usize = 32;

impl<'a> Reader<'a, '_> {
    fn error(&self) -> JsonError {
        JsonError { at: self.at }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(self.error()) }
    }

    #[inline]
    fn space(&mut self) {
        if self.peek().is_none_or(|byte| byte > b' ') {
            return;
        }
        self.spaces();
    }

    #[cold]
    fn spaces(&mut self) {
        loop {
            match self.peek() {
                Some(b' ') => self.warnings.add(Warning::Spaces),
                Some(b'\n' | b'\r' | b'\t') => self.warnings.add(Warning::LineBreaks),
                _ => return,
            }
            self.at += 1;
        }
    }

    /// A string; borrowed when nothing in it is escaped.
    #[inline]
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.expect(b'"')?;
        let start = self.at;
        self.at += scan::find_marked(&self.text.as_bytes()[start..], marks);
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
        }
        self.unescaped(start)
    }

    /// The rest of a string of which something is escaped.
    #[cold]
    fn unescaped(&mut self, start: usize) -> Result<Cow<'a, str>, JsonError> {
        let mut unescaped = self.text[start..self.at].to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(unescaped));
                }
                Some(b'\\') => {
                    self.at += 1;
                    unescaped.push(self.escaped()?);
                }
                // The end, or a control character, which JSON does not allow in a string.
                _ => return Err(self.error()),
            }
            let start = self.at;
            self.at += scan::find_marked(&self.text.as_bytes()[start..], marks);
            unescaped.push_str(&self.text[start..self.at]);
        }
    }

    fn escaped(&mut self) -> Result<char, JsonError> {
        let byte = self.peek().ok_or(self.error())?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                let low = match unit {
                    0xd800..=0xdbff => self.low_surrogate(),
                    _ => None,
                };
                let point = low.map_or(unit, |low| 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
                // Half a character: JavaScript cuts texts by its UTF-16 units, and encodes a half as this one, too.
                char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(self.error()),
        })
    }

    /// The second half of a character, if it follows.
    fn low_surrogate(&mut self) -> Option<u32> {
        let before = self.at;
        let low = (self.take(b'\\') && self.take(b'u')).then(|| self.unit().ok()).flatten();
        let low = low.filter(|low| (0xdc00..=0xdfff).contains(low));
        if low.is_none() {
            self.at = before;
        }
        low
    }

    fn unit(&mut self) -> Result<u32, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(scan::hex_digit).ok_or(self.error())?;
            unit = unit << 4 | u32::from(digit);
            self.at += 1;
        }
        Ok(unit)
    }

    #[inline]
    fn value(&mut self) -> Result<Member<'a>, JsonError> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => Ok(Member::Value(self.string()?.into())),
            Some(b'{' | b'[') => {
                self.nested(DEEPEST)?;
                Ok(Member::Nested)
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Ok(Member::Value(Value { text: Cow::Borrowed(&self.text[start..self.at]), number: true }))
            }
            _ => {
                for word in ["true", "false", "null"] {
                    if self.text[start..].starts_with(word) {
                        self.at += word.len();
                        return Ok(match word {
                            "null" => Member::Null,
                            word => Member::Value(Cow::Borrowed(word).into()),
                        });
                    }
                }
                Err(self.error())
            }
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.error()) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(())
    }

    /// Passes over an object or a list.
    fn nested(&mut self, depth: usize) -> Result<(), JsonError> {
        let Some(depth) = depth.checked_sub(1) else { return Err(self.error()) };
        let object = self.take(b'{');
        if !object {
            self.expect(b'[')?;
        }
        let end = if object { b'}' } else { b']' };
        self.space();
        if self.take(end) {
            return Ok(());
        }
        loop {
            self.space();
            if object {
                self.string()?;
                self.space();
                self.expect(b':')?;
                self.space();
            }
            match self.peek() {
                Some(b'{' | b'[') => self.nested(depth)?,
                _ => drop(self.value()?),
            }
            self.space();
            if self.take(end) {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Vec<(String, String)>, Warnings), JsonError> {
        let (mut warnings, mut members) = (Warnings::default(), Vec::new());
        read_object::<JsonError>(text, &mut warnings, |name, value| {
            let value = match value {
                Member::Value(value) => value.text.into_owned(),
                Member::Null => "<null>".to_owned(),
                Member::Nested => "<nested>".to_owned(),
            };
            members.push((name.into_owned(), value));
            Ok(())
        })?;
        Ok((members, warnings))
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let text =
            r#"{"a":"x\u0041\ud83d\ude00\/","b":-1.5e+3,"c":true,"d":null,"e":{"f":[1,{"g":[]}]},"h":""}"#;
        let (members, warnings) = read(text).unwrap();
        let values: Vec<&str> = members.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["xA\u{1f600}/", "-1.5e+3", "true", "<null>", "<nested>", ""]);
        assert!(warnings.is_empty());
        let (members, warnings) = read("{ \"a\" :\n1 ,\t}").unwrap();
        assert_eq!(members, [("a".to_owned(), "1".to_owned())]);
        let expected = [Warning::Spaces, Warning::LineBreaks, Warning::TrailingComma];
        assert_eq!(warnings.iter().collect::<Vec<_>>(), expected);
        assert!(read("{}").unwrap().0.is_empty());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
        for bad in [
            "",
            "{",
            "}",
            "[]",
            "1",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1}x",
            "{\"a\":01}",
            "{\"a\":1,,}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":+1}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":tru}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\\ud800\\u00\"}",
            "{\"a\":\"\\ud800\\x\"}",
            "{\"a\":\"",
            "{\"a\":\"\\",
            "\u{feff}{}",
            &deep,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    /// JavaScript cuts texts by UTF-16 units; its own encoder writes a half as U+FFFD, too.
    #[test]
    fn half_a_character_is_a_replacement_character() {
        for (json, text) in [
            (r#"{"a":"\ud83d"}"#, "\u{fffd}"),
            (r#"{"a":"x\ud83dy"}"#, "x\u{fffd}y"),
            (r#"{"a":"\ude00"}"#, "\u{fffd}"),
            (r#"{"a":"\ud83d\u0041"}"#, "\u{fffd}A"),
            (r#"{"a":"\ud83d\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
            (r#"{"a":"\ud83d\n"}"#, "\u{fffd}\n"),
            (r#"{"a":"\ud83d\ude00"}"#, "\u{1f600}"),
        ] {
            let mut found = Vec::new();
            read_object::<JsonError>(json, &mut Warnings::default(), |_, member| {
                if let Member::Value(value) = member {
                    found.push(value.text.into_owned());
                }
                Ok(())
            })
            .unwrap();
            assert_eq!(found, [text], "{json}");
        }
    }

    #[test]
    fn r44_only_what_must_be_escaped_is() {
        for code in (0..0x80).chain([0xe9, 0x2028, 0x2029, 0xfeff, 0x1f600]) {
            let text = format!("<{}>", char::from_u32(code).unwrap());
            let mut out = b"\"".to_vec();
            write_member("", &text, &mut out);
            let written = String::from_utf8(out).unwrap();
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
            let expected = match code {
                8 => "\"<\\b>\"".to_owned(),
                9 => "\"<\\t>\"".to_owned(),
                10 => "\"<\\n>\"".to_owned(),
                12 => "\"<\\f>\"".to_owned(),
                13 => "\"<\\r>\"".to_owned(),
                34 => "\"<\\\">\"".to_owned(),
                92 => "\"<\\\\>\"".to_owned(),
                0..0x20 => format!("\"<\\u{code:04x}>\""),
                _ => format!("\"{text}\""),
            };
            assert_eq!(written, expected);
        }
    }
}
