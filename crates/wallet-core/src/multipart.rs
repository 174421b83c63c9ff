//! `multipart/form-data` (RFC 7578) out of a complete body, borrowing from it.

use std::borrow::Cow;

use memchr::memmem;

/// The boundary parameter of a content type's parameters (`boundary=…`, quoted or not).
pub fn boundary(parameters: &str) -> Option<Cow<'_, str>> {
    let value = parameter(parameters.as_bytes(), "boundary")?;
    (!value.is_empty() && value.len() <= 70).then_some(value)
}

/// The value of one `name=value` among parameters, each after a `;`. A value may be a quoted string, which may hold `;` and `\"`
/// (RFC 9110, 5.6.6). The other values may have any encoding.
fn parameter<'a>(parameters: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    let mut rest = parameters;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let Some(value) = after.strip_prefix(b"=") else {
            rest = after.get(1..).unwrap_or_default(); // a word without a value
            continue;
        };
        let value = value.trim_ascii_start();
        let (value, after) = match value.strip_prefix(b"\"") {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
                (Cow::Borrowed(value[..end].trim_ascii()), &value[end..])
            }
        };
        if key.trim_ascii().eq_ignore_ascii_case(name.as_bytes()) {
            return match value {
                Cow::Borrowed(value) => std::str::from_utf8(value).ok().map(Cow::Borrowed),
                Cow::Owned(value) => String::from_utf8(value).ok().map(Cow::Owned),
            };
        }
        let end = after.iter().position(|byte| *byte == b';').map_or(after.len(), |end| end + 1);
        rest = &after[end..];
    }
    None
}

/// The content of a quoted string after its first quote, and what follows its last one.
fn unquoted(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let end = text.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    if text[end] == b'"' {
        return Some((Cow::Borrowed(&text[..end]), &text[end + 1..]));
    }
    let mut content = text[..end].to_vec();
    let mut bytes = text.iter().enumerate().skip(end);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((Cow::Owned(content), &text[at + 1..])),
            b'\\' => content.push(*bytes.next()?.1),
            byte => content.push(*byte),
        }
    }
    None
}

/// Calls `part` with each part's field name and content.
///
/// Returns `None` when the body is not of this form (no first boundary, a part without a name, no closing boundary);
/// `part` stops the walk with an error of its own.
///
/// ```
/// let body = b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--";
/// let mut seen = Vec::new();
/// let read = wallet_core::multipart::parts(body, "b", |name, content| {
///     seen.push((name.into_owned(), content));
///     Ok::<(), ()>(())
/// });
/// assert_eq!((read, seen), (Some(Ok(())), vec![("a".to_owned(), &b"1"[..])]));
/// ```
///
/// # Errors
/// What `part` returns.
pub fn parts<'a, E>(
    body: &'a [u8],
    boundary: &str,
    mut part: impl FnMut(Cow<'a, str>, &'a [u8]) -> Result<(), E>,
) -> Option<Result<(), E>> {
    let delimiter = format!("\r\n--{boundary}");
    // The first boundary may begin the body, without a line end before it.
    let mut rest = if body.starts_with(&delimiter.as_bytes()[2..]) {
        &body[delimiter.len() - 2..]
    } else {
        &body[memmem::find(body, delimiter.as_bytes())? + delimiter.len()..]
    };
    loop {
        if rest.starts_with(b"--") {
            return Some(Ok(()));
        }
        // RFC 2046, 5.1.1: white space may follow a boundary.
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        rest = rest[padding..].strip_prefix(b"\r\n")?;
        // A part without any header begins with the empty line itself.
        let (headers, content) = match memmem::find(rest, b"\r\n\r\n") {
            Some(end) => (&rest[..end], &rest[end + 4..]),
            None => return None,
        };
        let end = memmem::find(content, delimiter.as_bytes())?;
        let name = lines(headers).find_map(|header| {
            let colon = header.iter().position(|byte| *byte == b':')?;
            let is_it = header[..colon].trim_ascii().eq_ignore_ascii_case(b"content-disposition");
            // Its parameters follow the word `form-data`.
            is_it.then(|| parameter(&header[colon + 1..], "name"))?
        })?;
        if let Err(error) = part(name, &content[..end]) {
            return Some(Err(error));
        }
        rest = &content[end + delimiter.len()..];
    }
}

/// The lines of a part's headers.
fn lines(headers: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(headers);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = memmem::find(text, b"\r\n");
        rest = end.map(|end| &text[end + 2..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: impl AsRef<[u8]>, boundary: &str) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        let walk = parts(body.as_ref(), boundary, |name, value| {
            found.push((name.into_owned(), String::from_utf8_lossy(value).into_owned()));
            Ok::<(), ()>(())
        });
        walk.map(|_| found)
    }

    #[test]
    fn parts_are_read_and_broken_bodies_refused() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b\r\n\
                    content-disposition: form-data; name=\"c\"; filename=\"x\"\r\nContent-Type: text/plain\r\n\r\n\r\nx\r\n--b--\r\n";
        let found = read(body, "b").unwrap();
        assert_eq!(found, [("a".to_owned(), "1".to_owned()), ("c".to_owned(), "\r\nx".to_owned())]);
        for broken in
            ["", "--b", "--b\r\n", "--b\r\n\r\n\r\n--b--", "--x\r\n", "--b\r\nA: b\r\n\r\n1\r\n--b--"]
        {
            assert_eq!(read(broken, "b"), None, "{broken:?}");
        }
    }

    /// RFC 9110, 5.6.6 (quoted strings); RFC 7578, 4.2 (file names in any encoding); RFC 2046, 5.1.1 (padding).
    #[test]
    fn a_name_is_the_parameter_of_that_name_and_nothing_in_a_quoted_string() {
        for (disposition, name) in [
            ("form-data; name=\"a\"", "a"),
            ("form-data; name=a", "a"),
            ("form-data;name = \"a\" ; filename=x", "a"),
            ("form-data; filename=\"a; name=pwd; .txt\"; name=\"file\"", "file"),
            ("form-data; filename=\"a\\\"; name=pwd; \"; name=file", "file"),
            ("form-data; filename=\"\\\\\"; name=\"file\"", "file"),
            ("form-data; filename*=UTF-8''name%3Dpwd; NAME=\"file\"", "file"),
            ("form-data; name=\"p\\wd\"", "pwd"),
            ("form-data; name=\"a;b\"", "a;b"),
            ("form-data; name=\"caf\u{e9}\"", "caf\u{e9}"),
        ] {
            let body = format!("--b \t\r\nContent-Disposition: {disposition}\r\n\r\n1\r\n--b--");
            assert_eq!(read(&body, "b"), Some(vec![(name.to_owned(), "1".to_owned())]), "{disposition}");
        }
        // A file name in Latin-1, beside a field.
        let mut body =
            b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"caf\xe9\"\r\n\r\n1\r\n".to_vec();
        body.extend_from_slice(b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n2\r\n--b--");
        let found = read(&body, "b").unwrap();
        assert_eq!(found.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["f", "a"]);
        for broken in ["form-data; filename=\"a", "form-data; filename=\"a\\", "form-data; filename=x"] {
            let body = format!("--b\r\nContent-Disposition: {broken}\r\n\r\n1\r\n--b--");
            assert_eq!(read(&body, "b"), None, "{broken}");
        }
        for (parameters, boundary) in [("boundary=b", "b"), ("charset=x; boundary=\"b;c\"", "b;c")] {
            assert_eq!(super::boundary(parameters).as_deref(), Some(boundary));
        }
    }
}
