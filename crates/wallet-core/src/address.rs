//! The only parser of addresses. It is strict: a text in which two parsers may find different hosts has no host here.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// A parsed address: `scheme://authority` and the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    /// The scheme, as it was written.
    pub scheme: &'a str,
    /// Host and port of an http address; anything for an app's own scheme.
    pub authority: &'a str,
    /// The path, the query and the fragment, each with its leading character.
    pub after: &'a str,
}

/// Whether a text is a scheme (RFC 3986, 3.1).
pub fn is_scheme(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

impl<'a> Address<'a> {
    /// Splits an address. `None` without a scheme, or with nothing after `://`.
    pub fn split(text: &'a str) -> Option<Self> {
        // A scheme has no colon, so the first one ends it. By bytes: requests are checked on their way in.
        let (scheme, rest) = text.split_at(text.bytes().position(|byte| byte == b':')?);
        let rest = rest.strip_prefix("://").filter(|rest| !rest.is_empty())?;
        if !is_scheme(scheme) {
            return None;
        }
        let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        let (authority, after) = rest.split_at(end.unwrap_or(rest.len()));
        Some(Self { scheme, authority, after })
    }

    /// Whether its scheme is http or https.
    pub fn is_http(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("http") || self.scheme.eq_ignore_ascii_case("https")
    }

    /// The host as it was written, and the port. `None` for user information, for a character that some parsers
    /// decode or end a host at, for an empty host, or for a port that is not a number below 65,536.
    pub fn host(&self) -> Option<(&'a str, Option<&'a str>)> {
        if self.authority.bytes().any(|byte| matches!(byte, b'@' | b'\\' | b'%')) {
            return None;
        }
        let colon = self.authority.bytes().rposition(|byte| byte == b':');
        let (host, port) = match colon.map(|at| (&self.authority[..at], &self.authority[at + 1..])) {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (self.authority, None),
        };
        let is_port =
            |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        (!host.is_empty() && port.is_none_or(is_port)).then_some((host, port))
    }
}

/// Bytes that an http address may have as they are: visible ASCII without those that browsers encode or replace.
const IN_URL: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        allowed[byte] = b.is_ascii_graphic()
            && !matches!(b, b'\\' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}');
        byte += 1;
    }
    allowed
};

/// Bytes that a browser percent-encodes behind the host: all but controls, and `\`, which it takes for `/`.
const fn is_encoded(byte: u8) -> bool {
    !IN_URL[byte as usize] && byte >= b' ' && byte != 0x7f && byte != b'\\'
}

/// Splits an http address behind its host and port. `None` if it is not one that is called as it was meant: see [`is_http_url`].
fn http_url(text: &str) -> Option<(&str, &str)> {
    let host_is_fine = |host: &str| match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok()),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')),
    };
    let address = Address::split(text).filter(Address::is_http)?;
    let before = &text[..text.len() - address.after.len()];
    // A port that is empty is the scheme's own (RFC 3986, 3.2.3).
    let authority = address.authority.strip_suffix(':').unwrap_or(address.authority);
    let (host, _) = Address { authority, ..address }.host()?;
    let after = address.after.bytes().all(|byte| IN_URL[usize::from(byte)] || is_encoded(byte));
    let is_one = before.bytes().all(|byte| IN_URL[usize::from(byte)]) && host_is_fine(host) && after;
    (is_one && !text.ends_with(' ')).then_some((before, address.after))
}

/// Whether a text is an absolute http or https address with a host in ASCII and without user information, as browsers take it: what is
/// behind the host may be written in any script. Checked without allocating; the connector parses it again.
pub fn is_http_url(text: &str) -> bool {
    http_url(text).is_some()
}

/// An http address in the form in which it is called: percent-encoded where a browser does it, and without an empty port.
pub fn as_called(text: &str) -> Cow<'_, str> {
    let Some((before, after)) = http_url(text) else { return Cow::Borrowed(text) };
    let origin = before.strip_suffix(':').unwrap_or(before);
    if origin.len() == before.len() && after.bytes().all(|byte| IN_URL[usize::from(byte)]) {
        return Cow::Borrowed(text);
    }
    let mut called = origin.to_owned();
    for byte in after.bytes() {
        match is_encoded(byte) {
            true => called.push_str(&format!("%{byte:02X}")),
            false => called.push(char::from(byte)),
        }
    }
    Cow::Owned(called)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let address = Address::split("https://a.b:80/c?d#e").unwrap();
        assert_eq!((address.scheme, address.authority, address.after), ("https", "a.b:80", "/c?d#e"));
        assert_eq!(address.host(), Some(("a.b", Some("80"))));
        assert_eq!(Address::split("http://[::1]").unwrap().host(), Some(("[::1]", None)));
        let app = Address::split("shop+app://back?x=1").unwrap();
        assert_eq!((app.is_http(), app.authority, app.after), (false, "back", "?x=1"));
        assert!(Address::split("HTTP://x").unwrap().is_http());
        for none in ["", "a.b/c", "://a", "1a://b", "a b://c", "http://", "mailto:x"] {
            assert_eq!(Address::split(none), None, "{none}");
        }
        for hostless in
            ["http:///x", "http://u@h", "http://h:/", "http://h:x", "http://a\\b", "http://%61", "http://:80"]
        {
            assert_eq!(Address::split(hostless).and_then(|address| address.host()), None, "{hostless}");
        }
    }

    /// The URL standard's parser, as browsers and node have it (https://url.spec.whatwg.org/): what `new URL(text).href` says.
    #[test]
    fn an_address_is_called_as_a_browser_calls_it() {
        for (text, called) in [
            ("http://a.b/c?d=e", "http://a.b/c?d=e"),
            ("http://a.b/回调?名=值", "http://a.b/%E5%9B%9E%E8%B0%83?%E5%90%8D=%E5%80%BC"),
            ("https://a.b/x|y?z={1}", "https://a.b/x%7Cy?z=%7B1%7D"),
            ("http://a.b/one two", "http://a.b/one%20two"),
            ("http://a.b:/x", "http://a.b/x"),
            ("http://a.b:", "http://a.b"),
            ("http://[::1]:/", "http://[::1]/"),
            ("http://a.b/%7C|", "http://a.b/%7C%7C"),
        ] {
            assert!(is_http_url(text), "{text}");
            assert_eq!(as_called(text), called);
            assert_eq!(as_called(called), called, "once is enough");
        }
    }

    #[test]
    fn only_plain_http_addresses_pass() {
        for good in
            ["http://a", "https://a.b/c?d=e#f", "HTTP://127.0.0.1:8080/x", "http://[::1]:80/", "http://a_b/"]
        {
            assert!(is_http_url(good), "{good}");
        }
        for bad in [
            "",
            "a.b/c",
            "ftp://a",
            "http://",
            "http:///x",
            "http://u@h/",
            "http://u:p@h/",
            "http://h:99999/",
            "http://h:x/",
            "http://h:+80/",
            "http://h::/",
            "http://a b/",
            "http://a/b ",
            "http://a\\b/",
            "http://[::1",
            "http://[x]/",
            "http://回/",
            "javascript:alert(1)",
            "http://h\n/",
        ] {
            assert!(!is_http_url(bad), "{bad}");
        }
    }
}
