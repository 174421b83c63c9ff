//! The only parser of addresses. It is strict: a text in which two parsers may find different hosts has no host here.

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

/// Bytes that are allowed in an http address: visible ASCII without those that some parsers replace.
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

/// Whether a text is an absolute http or https address with a host and without user information. Checked without
/// allocating; the connector parses it again.
pub fn is_http_url(text: &str) -> bool {
    let host_is_fine = |host: &str| match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok()),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')),
    };
    text.bytes().all(|byte| IN_URL[usize::from(byte)])
        && Address::split(text)
            .filter(Address::is_http)
            .and_then(|address| address.host())
            .is_some_and(|(host, _)| host_is_fine(host))
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
            "http://h:/",
            "http://a b/",
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
