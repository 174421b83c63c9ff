//! The JSON of a link, percent-encoded (R40): written, and its strings read while they are encoded.

use std::borrow::Cow;

use crate::json;
use crate::scan::{self, Plain};

/// Bytes that need no escape: those that JavaScript's `encodeURI` keeps, without `+`, `#` and `'`, since some
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
    scan::copy_escaped(&KEPT, json, out, scan::push_percent);
}

/// Bytes that need no escape in a JSON string of an encoded link.
const KEPT_IN_STRING: Plain = {
    let mut kept = KEPT;
    let mut byte = 0;
    while byte < 256 {
        kept[byte] &= json::PLAIN[byte];
        byte += 1;
    }
    kept
};

/// Appends the content of a JSON string, percent-encoded, in one pass.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    scan::copy_escaped(&KEPT_IN_STRING, text, out, |byte, out| {
        if json::PLAIN[usize::from(byte)] {
            return scan::push_percent(byte, out);
        }
        let (escaped, length) = json::escape(byte);
        for byte in &escaped[..length] {
            if KEPT[usize::from(*byte)] { out.push(*byte) } else { scan::push_percent(*byte, out) }
        }
    });
}

/// The offset of the first byte that is not itself within a JSON string of an encoded link: a percent sign, a quote, a
/// backslash or a control character.
#[inline(always)]
fn until_special(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        // Two tests instead of four find few bytes too many: all of those up to the percent sign.
        at += scan::find_marked(&bytes[at..], |word| {
            scan::mark_below(word, b'%' + 1) | scan::mark_equal(word, b'\\')
        });
        match bytes.get(at) {
            Some(b' ' | b'!' | b'#' | b'$') => at += 1,
            _ => return at,
        }
    }
}

/// The text of a JSON string that is percent-encoded in a link, and what follows its closing quote `%22`. Borrowed when
/// nothing in it is encoded. `None` when it holds anything that JSON writes in another way than as itself.
#[inline(always)] // so that what it says stays in registers
pub(crate) fn encoded_text(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let bytes = text.as_bytes();
    let end = until_special(bytes);
    match bytes.get(end..)? {
        [b'%', b'2', b'2', ..] => Some((Cow::Borrowed(&text[..end]), &text[end + 3..])),
        [b'%', ..] => escaped_text(text, end),
        _ => None,
    }
}

/// [`encoded_text`] with the first escape at `first`: decoded and looked at in one pass, up to the closing quote.
#[inline(never)]
fn escaped_text(text: &str, first: usize) -> Option<(Cow<'_, str>, &str)> {
    let bytes = text.as_bytes();
    // As long as what is left, so that a text is one allocation; a long link's texts grow.
    let mut decoded = Vec::with_capacity(bytes.len().min(512));
    let (mut start, mut escape) = (0, first);
    loop {
        if start < escape {
            decoded.extend_from_slice(&bytes[start..escape]);
        }
        let digits = bytes.get(escape + 1..escape + 3)?;
        start = escape + 3;
        match scan::hex_byte(digits[0], digits[1])? {
            b'"' => break,
            byte if json::PLAIN[usize::from(byte)] => decoded.push(byte),
            _ => return None,
        }
        escape = match bytes.get(start)? {
            b'%' => start,
            _ => start + until_special(&bytes[start..]),
        };
        if *bytes.get(escape)? != b'%' {
            return None;
        }
    }
    Some((Cow::Owned(String::from_utf8(decoded).ok()?), &text[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_while_they_are_encoded() {
        for (text, read) in [
            ("%22", Some(("", "", true))),
            ("b/c%22,", Some(("b/c", ",", true))),
            ("%E5%9B%9E+%2B%22:", Some(("回++", ":", false))),
            ("a%41%22%41", Some(("aA", "%41", false))),
            ("%2522%22%22", Some(("%22", "%22", false))),
            ("", None),
            ("b", None),
            ("b%2", None),
            ("%41", None),
            ("%41b", None),
            ("%5C%22", None),
            ("%41%5C%22", None),
            ("%09%22", None),
            ("\"%22", None),
            ("a b!#$&'c%22,", Some(("a b!#$&'c", ",", true))),
            ("$%41# !%24%22,", Some(("$A# !$", ",", false))),
            ("a\u{7f}回%22", Some(("a\u{7f}回", "", true))),
            ("a\u{1f}%22", None),
            ("a #\\%22", None),
            ("a!\"%22", None),
            ("%41 \"%22", None),
            ("%41#$", None),
            ("!", None),
            ("%41\"%22", None),
            ("%41\\%22", None),
            ("%41\t%22", None),
            ("%2%22", None),
            ("%zz%22", None),
            ("%ff%22", None),
        ] {
            let found = encoded_text(text);
            let found =
                (found.as_ref()).map(|(text, rest)| (&**text, *rest, matches!(text, Cow::Borrowed(_))));
            assert_eq!(found, read, "{text}");
        }
    }
}
