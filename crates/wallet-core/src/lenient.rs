//! One member of a JSON object, whatever the others hold.

/// The text of a member's value, the last one if there are several; `None` without such a member, or if the bytes are not an object. Only
/// the object's own structure is read: texts may have any encoding, and other values may be of any kind and depth.
pub(crate) fn member<'a>(json: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    // In GBK the second byte of a character may be a backslash, which would escape the quote after it.
    read(json, name, false).or_else(|| match std::str::from_utf8(json) {
        Ok(_) => None,
        Err(_) => read(json, name, true),
    })?
}

/// Reads the object; `None` if the bytes are not one.
fn read<'a>(json: &'a [u8], name: &[u8], gbk: bool) -> Option<Option<&'a [u8]>> {
    let mut rest = json.trim_ascii().strip_prefix(b"{")?.trim_ascii_start();
    let mut found = None;
    if rest == b"}" {
        return Some(None);
    }
    loop {
        let key = &rest[..text(rest, gbk)?];
        rest = rest[key.len()..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let value = &rest[..value(rest, gbk)?];
        if key[1..key.len() - 1] == *name {
            found = Some(value);
        }
        rest = rest[value.len()..].trim_ascii_start();
        match rest.split_first()? {
            (b',', after) => rest = after.trim_ascii_start(),
            (b'}', []) => return Some(found),
            _ => return None,
        }
    }
}

/// The length of the text that the bytes begin with, its quotes included.
fn text(bytes: &[u8], gbk: bool) -> Option<usize> {
    let mut at = 1;
    bytes.strip_prefix(b"\"")?;
    loop {
        match (*bytes.get(at)?, bytes.get(at + 1)) {
            (b'"', _) => return Some(at + 1),
            (b'\\', _) => at += 2,
            (0x81..=0xfe, Some(0x40..=0x7e)) if gbk => at += 2,
            _ => at += 1,
        }
    }
}

/// The length of the value that the bytes begin with.
fn value(bytes: &[u8], gbk: bool) -> Option<usize> {
    match bytes.first()? {
        b'"' => text(bytes, gbk),
        b'{' | b'[' => nested(bytes, gbk),
        b',' | b'}' | b']' | b':' => None,
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            Some(bytes.iter().position(ends).unwrap_or(bytes.len()))
        }
    }
}

/// The length of the object or array that the bytes begin with.
fn nested(bytes: &[u8], gbk: bool) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at += text(&bytes[at..], gbk)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_beside_anything() {
        let deep = [&b"{\"x\":"[..], &[b'['; 5_000], &[b']'; 5_000], b",\"success\":true}"].concat();
        for json in [
            &b"{\"success\":true}"[..],
            b" {\n\"success\" : true }\r\n",
            b"\xef\xbb\xbf{\"success\":true}",
            b"{\"errorMsg\":\"\xb3\xc9\xb9\xa6\",\"success\":true}",
            b"{\"errorMsg\":\"\x81\x5c\",\"success\":true}", // GBK, its last byte a backslash
            b"{\"success\":true,\"errorMsg\":\"caf\xe9\"}",  // Latin-1
            b"{\"success\":true,\"errorMsg\":\"\\ud83d\"}",
            b"{\"errorMsg\":\"\\\"success\\\":false\",\"success\":true}",
            b"{\"a\":{\"success\":false},\"success\":true}",
            b"{\"success\":true,\"a\":{\"success\":false}}",
            b"{\"success\":false,\"success\":true}",
            b"{\"a\":1e999,\"b\":NaN,\"success\":true}",
            &deep,
        ] {
            assert_eq!(member(json, b"success"), Some(&b"true"[..]), "{}", String::from_utf8_lossy(json));
        }
        for none in [
            &b""[..],
            b"true",
            b"[{\"success\":true}]",
            b"{\"success\":true",
            b"{\"success\":true}}",
            b"{\"success\":true} true",
            b"{\"success\":true,}",
            b"{\"success\" true}",
            b"{success:true}",
            b"{\"a\":{\"success\":true}}",
            b"{\"a\":\"\",\"success\":}",
            b"success=true",
        ] {
            assert_eq!(member(none, b"success"), None, "{}", String::from_utf8_lossy(none));
        }
    }
}
