//! `multipart/form-data` (RFC 7578) out of a complete body, borrowing from it.

use memchr::memmem;

/// The boundary parameter of a content type's parameters (`boundary=…`, quoted or not).
pub fn boundary(parameters: &str) -> Option<&str> {
    let value = parameter(parameters, "boundary")?;
    (!value.is_empty() && value.len() <= 70).then_some(value)
}

/// The value of one `name=value` among `; `-separated parameters.
fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
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
///     seen.push((name, content));
///     Ok::<(), ()>(())
/// });
/// assert_eq!((read, seen), (Some(Ok(())), vec![("a", &b"1"[..])]));
/// ```
///
/// # Errors
/// What `part` returns.
pub fn parts<'a, E>(
    body: &'a [u8],
    boundary: &str,
    mut part: impl FnMut(&'a str, &'a [u8]) -> Result<(), E>,
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
        rest = rest.strip_prefix(b"\r\n")?;
        // A part without any header begins with the empty line itself.
        let (headers, content) = match memmem::find(rest, b"\r\n\r\n") {
            Some(end) => (&rest[..end], &rest[end + 4..]),
            None => return None,
        };
        let end = memmem::find(content, delimiter.as_bytes())?;
        let name = std::str::from_utf8(headers).ok()?.split("\r\n").find_map(|header| {
            let (key, value) = header.split_once(':')?;
            key.trim().eq_ignore_ascii_case("content-disposition").then(|| parameter(value, "name"))?
        })?;
        if let Err(error) = part(name, &content[..end]) {
            return Some(Err(error));
        }
        rest = &content[end + delimiter.len()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, boundary: &str) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        let walk = parts(body.as_bytes(), boundary, |name, value| {
            found.push((name.to_owned(), String::from_utf8_lossy(value).into_owned()));
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
}
