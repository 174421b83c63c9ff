//! Addresses of apps: where one leads, and whether the wallet may go there.

use std::net::{Ipv4Addr, Ipv6Addr};

use wallet_core::address::{Address, is_scheme};

/// The target of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A web server, by its host: ASCII, lower case.
    Http(String),
    /// An app, by its scheme: lower case.
    App(String),
}

/// Reads the target of an address, strictly: an address in which two parsers could see two hosts is
/// refused (R49).
pub fn target(address: &str) -> Option<Target> {
    // Browsers drop tabs and line ends anywhere; an address has no invisible character.
    if address.chars().any(|c| c.is_control() || c.is_whitespace() || is_invisible(c)) {
        return None;
    }
    if let Some(scheme) = private_scheme(address) {
        return Some(Target::App(scheme.to_ascii_lowercase()));
    }
    let parts = Address::split(address)?;
    if !parts.is_http() {
        return Some(Target::App(parts.scheme.to_ascii_lowercase()));
    }
    let (host, _) = parts.host()?;
    host_name(host).map(Target::Http)
}

/// The scheme of an app's address with one slash, `com.example.app:/back` (RFC 8252, 7.1). It has a point, as one is the reverse of a
/// domain; so `javascript:/x` does not count.
pub(crate) fn private_scheme(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once(':')?;
    let is_one = is_scheme(scheme) && scheme.contains('.') && !scheme.ends_with('.');
    (is_one && rest.starts_with('/') && !rest.starts_with("//")).then_some(scheme)
}

/// The address that a browser opens: `https://` is added if the address has no scheme (R7).
pub fn browser_address(address: &str) -> String {
    let has_scheme = address.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme));
    if has_scheme || private_scheme(address).is_some() {
        address.to_owned()
    } else {
        format!("https://{address}")
    }
}

/// Whether a character is invisible, or changes the display of its neighbours.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A host in its canonical form: ASCII, lower case, an IDN converted.
pub fn host_name(host: &str) -> Option<String> {
    if let Some(inner) = host.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    if host.is_empty() || host.ends_with('.') {
        return None;
    }
    let ascii = match host.is_ascii() {
        true => host.to_ascii_lowercase(),
        false => {
            let ascii = idna::domain_to_ascii_cow(host.as_bytes(), idna::AsciiDenyList::URL).ok()?;
            // A label that only looks like ASCII (full-width letters, dots) is another spelling of a host, not an IDN.
            let labels = host.split('.').zip(ascii.split('.'));
            let same = host.split('.').count() == ascii.split('.').count();
            let honest = labels.into_iter().all(|(given, made)| given.is_ascii() || made.starts_with("xn--"));
            (same && honest).then(|| ascii.into_owned())?
        }
    };
    let well_formed = ascii.split('.').all(|label| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    });
    // A browser reads a host that ends in a number as an IPv4 address: only a complete address is accepted.
    let honest = !ends_in_a_number(&ascii) || ascii.parse::<Ipv4Addr>().is_ok();
    (well_formed && honest && ascii.len() <= 253).then_some(ascii)
}

/// Whether browsers read a host, in lower case, as an IPv4 address.
pub(crate) fn ends_in_a_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The address with its host in ASCII: parsers convert some IDNs (`ß`, `ς`) differently, so the wallet writes the host
/// that it has compared.
pub(crate) fn with_ascii_host(address: &str) -> Option<String> {
    let Address { scheme, authority, after } = Address::split(address)?;
    match target(address)? {
        Target::Http(host) if !authority.is_ascii() => {
            let port = authority.rsplit_once(':').map(|(_, port)| format!(":{port}")).unwrap_or_default();
            Some(format!("{scheme}://{host}{port}{after}"))
        }
        _ => Some(address.to_owned()),
    }
}

/// An address in the form that a request takes: its host in ASCII, unsafe characters percent-encoded. `None` if it
/// is not an http address.
pub(crate) fn callable(address: &str) -> Option<String> {
    let Target::Http(_) = target(address)? else { return None };
    let address = with_ascii_host(address)?;
    let mut out = String::with_capacity(address.len());
    for byte in address.bytes() {
        match byte {
            b'!'..=b'~' if !b"\"<>\\^`{|}".contains(&byte) => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out.parse::<http::Uri>().is_ok().then_some(out)
}

/// The registered return targets of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered<'a> {
    /// Its safe domain, as [`host_name`] gives it; empty when it has none.
    pub safe_domain: &'a str,
    /// Its scheme, lower case; empty when it has none.
    pub scheme: &'a str,
}

impl Registered<'_> {
    /// Whether the wallet may go to an address (R49, R67).
    pub fn allows(&self, address: &str) -> bool {
        match target(address) {
            Some(Target::Http(host)) => !self.safe_domain.is_empty() && host == self.safe_domain,
            Some(Target::App(scheme)) => !self.scheme.is_empty() && scheme == self.scheme,
            None => false,
        }
    }
}
