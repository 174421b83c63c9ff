//! `application/x-www-form-urlencoded`, borrowing on the way in and writing into the caller's buffer on the way out.
//!
//! ```
//! use wallet_core::form;
//!
//! let mut out = Vec::new();
//! form::encode_into("a+b 回", &mut out);
//! assert_eq!(out, b"a%2Bb+%E5%9B%9E");
//! assert_eq!(form::decode(&out).unwrap(), "a+b 回");
//! ```

use std::borrow::Cow;

use crate::scan::{self, Plain};

/// Bytes that need no escape in a value: letters, digits and `*-._`.
const PLAIN: Plain = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        plain[byte] = b.is_ascii_alphanumeric() || matches!(b, b'*' | b'-' | b'.' | b'_');
        byte += 1;
    }
    plain
};

/// Appends `text`, encoded.
pub fn encode_into(text: &str, out: &mut Vec<u8>) {
    scan::copy_escaped(&PLAIN, text, out, |byte, out| match byte {
        b' ' => out.push(b'+'),
        byte => scan::push_percent(byte, out),
    });
}

/// Appends a pair, after `&` where `out` is not empty.
pub fn append(name: &str, value: &str, out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b'&');
    }
    encode_into(name, out);
    out.push(b'=');
    encode_into(value, out);
}

/// Pairs as a query or a form.
pub fn query(pairs: &[(&str, &str)]) -> String {
    let mut out = Vec::new();
    pairs.iter().for_each(|(name, value)| append(name, value, &mut out));
    String::from_utf8(out).expect("a form is ASCII")
}

/// The first value of a name in a query or a form; none when it is not there, or does not decode.
pub fn value_of<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let (_, value) = pairs(query).map(split).find(|(known, _)| *known == name)?;
    decode(value.as_bytes()).ok()
}

/// Why a text is not form-encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormError {
    /// `%` without two hexadecimal digits.
    Escape,
    /// The decoded bytes are not UTF-8.
    NotUtf8,
}

/// Decodes one name or value, once. Borrows when nothing is encoded.
///
/// # Errors
/// [`FormError`] when an escape is broken or the result is not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, FormError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => decode_text(text),
        Err(_) => Err(FormError::NotUtf8),
    }
}

/// [`decode`] for a text whose bytes are known to be UTF-8, so that a body is checked once and not pair by pair.
pub(crate) fn decode_text(text: &str) -> Result<Cow<'_, str>, FormError> {
    decode_escapes(text, b'+')
}

/// Decodes percent escapes, once. Each `space` is one; `%` is not one.
#[inline]
pub(crate) fn decode_escapes(text: &str, space: u8) -> Result<Cow<'_, str>, FormError> {
    let marks = |word| scan::mark_equal(word, b'%') | scan::mark_equal(word, space);
    match scan::find_marked(text.as_bytes(), marks) {
        first if first == text.len() => Ok(Cow::Borrowed(text)),
        first => unescape(text.as_bytes(), first, space).map(Cow::Owned),
    }
}

/// Copies the text before `first`, and decodes the rest. It goes from escape to escape by a mask of
/// 64 bytes, and the text between two is copied sixteen bytes at once, also when it is less: so the processor has next
/// to no branch to guess.
pub(crate) fn unescape(text: &[u8], first: usize, space: u8) -> Result<String, FormError> {
    const BLOCK: usize = 64;
    const RUN: usize = 16;
    let mut decoded = vec![0; text.len() + RUN];
    // What is copied next, and where to.
    let (mut from, mut to) = (0, 0);
    let run = |decoded: &mut [u8], from: usize, to: usize, length: usize| match (
        text.get(from..from + RUN),
        decoded.get_mut(to..to + RUN),
    ) {
        (Some(source), Some(target)) if length <= RUN => target.copy_from_slice(source),
        _ => decoded[to..to + length].copy_from_slice(&text[from..from + length]),
    };
    let marks = |block: &[u8; BLOCK]| {
        scan::mask_equal(block, b'%') | if space == b'%' { 0 } else { scan::mask_equal(block, space) }
    };
    let mut block = first / BLOCK * BLOCK;
    while block < text.len() {
        let mut mask = match text[block..].first_chunk::<BLOCK>() {
            Some(bytes) => marks(bytes),
            None => {
                let mut last = [b'a'; BLOCK];
                last[..text.len() - block].copy_from_slice(&text[block..]);
                marks(&last)
            }
        };
        while mask != 0 {
            let at = block + mask.trailing_zeros() as usize;
            mask &= mask - 1;
            // A `%` in the place of a digit was refused with the escape before it.
            run(&mut decoded, from, to, at - from);
            to += at - from;
            if text[at] == b'%' {
                let digits = text.get(at + 1..at + 3).ok_or(FormError::Escape)?;
                decoded[to] = scan::hex_byte(digits[0], digits[1]).ok_or(FormError::Escape)?;
                from = at + 3;
            } else {
                decoded[to] = b' ';
                from = at + 1;
            }
            to += 1;
        }
        block += BLOCK;
    }
    run(&mut decoded, from, to, text.len() - from);
    decoded.truncate(to + text.len() - from);
    String::from_utf8(decoded).map_err(|_| FormError::NotUtf8)
}

/// The texts before and after the first `&`.
#[inline]
pub(crate) fn first(body: &str) -> (&str, &str) {
    match memchr::memchr(b'&', body.as_bytes()) {
        Some(end) => (&body[..end], &body[end + 1..]),
        None => (body, ""),
    }
}

/// A value, decoded, and what follows the `&` after it: in one look where nothing of it is encoded.
#[inline]
pub(crate) fn value(body: &str) -> (Result<Cow<'_, str>, FormError>, &str) {
    let marks =
        |word| scan::mark_equal(word, b'&') | scan::mark_equal(word, b'%') | scan::mark_equal(word, b'+');
    let plain = scan::find_marked(body.as_bytes(), marks);
    match body.as_bytes().get(plain) {
        None => (Ok(Cow::Borrowed(body)), ""),
        Some(b'&') => (Ok(Cow::Borrowed(&body[..plain])), &body[plain + 1..]),
        Some(_) => {
            let (value, rest) = first(body);
            (unescape(value.as_bytes(), plain, b'+').map(Cow::Owned), rest)
        }
    }
}

/// The pairs of a form body, `name=value` each and not yet decoded; empty ones are passed over.
pub fn pairs(body: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        loop {
            let body = rest?;
            let end = memchr::memchr(b'&', body.as_bytes());
            let pair = &body[..end.unwrap_or(body.len())];
            rest = end.map(|end| &body[end + 1..]);
            if !pair.is_empty() {
                return Some(pair);
            }
        }
    })
}

/// Name and value of a pair; one without `=` is a name with an empty value.
pub fn split(pair: &str) -> (&str, &str) {
    pair.split_once('=').unwrap_or((pair, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_split_once_and_broken_escapes_refused() {
        let found: Vec<_> = pairs("a=1&&b==2&c&=d&").map(split).collect();
        assert_eq!(found, [("a", "1"), ("b", "=2"), ("c", ""), ("", "d")]);
        for length in 0..40 {
            let text = format!("{}+{}", "a".repeat(length), "b".repeat(39 - length));
            let mut out = Vec::new();
            encode_into(&text, &mut out);
            assert_eq!(out, text.replace('+', "%2B").as_bytes(), "at every position");
        }
        for (body, read, rest) in [
            ("", Ok(""), ""),
            ("a+b&c", Ok("a b"), "c"),
            ("a%26b&c&d", Ok("a&b"), "c&d"),
            ("&c", Ok(""), "c"),
            ("a&", Ok("a"), ""),
            ("a%&b", Err(FormError::Escape), "b"),
            ("a%2&6", Err(FormError::Escape), "6"),
        ] {
            let (found, after) = value(body);
            assert_eq!((found.as_deref().map_err(|error| *error), after), (read, rest), "{body}");
        }
        assert_eq!(decode(b"%"), Err(FormError::Escape));
        assert_eq!(decode(b"%4"), Err(FormError::Escape));
        assert_eq!(decode(b"%zz"), Err(FormError::Escape));
        assert_eq!(decode(b"%80"), Err(FormError::NotUtf8));
        assert_eq!(decode(b"\xff"), Err(FormError::NotUtf8));
        assert!(matches!(decode(b"plain"), Ok(Cow::Borrowed("plain"))));
        assert_eq!(decode(b"%61b+c%2Bd+"), Ok(Cow::Owned("ab c+d ".to_owned())));
    }
}
