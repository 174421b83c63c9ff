//! The wallet's return to an app after a user's consent: the exact final address, and whether the wallet may open it.

use std::net::{Ipv4Addr, Ipv6Addr};

use wallet_api::vas::{CallbackType, How, OpenCallbackType, Platform, login};
use wallet_core::address::{Address, is_scheme};
use wallet_core::{form, link};

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
    let parts = Address::split(address)?;
    if !parts.is_http() {
        return Some(Target::App(parts.scheme.to_ascii_lowercase()));
    }
    let (host, _) = parts.host()?;
    host_name(host).map(Target::Http)
}

/// The address that a browser opens: `https://` is added if the address has no scheme (R7).
pub fn browser_address(address: &str) -> String {
    if address.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme)) {
        address.to_owned()
    } else {
        format!("https://{address}")
    }
}

/// The address that the browser opens after the user has answered: with a code, or with a refusal (R25).
pub fn after_consent(redirect_uri: &str, code: Option<&str>, state: &str) -> String {
    let answer = code.map_or(("error", "access_denied"), |code| ("code", code));
    link::append_query(&browser_address(redirect_uri), &form::query(&[answer, ("state", state)]))
}

/// The address that the FOMO wallet opens after a payment (R32).
pub fn after_payment(
    redirect_uri: &str,
    state: &str,
    trade_id: &str,
    transfer_id: &str,
    status: &str,
) -> String {
    let parameters =
        [("state", state), ("trade_id", trade_id), ("transfer_id", transfer_id), ("status", status)];
    link::append_query(&browser_address(redirect_uri), &form::query(&parameters))
}

/// Whether a character is invisible, or changes the display of its neighbours.
pub(crate) fn is_invisible(c: char) -> bool {
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
fn with_ascii_host(address: &str) -> Option<String> {
    let Address { scheme, authority, after } = Address::split(address)?;
    match target(address)? {
        Target::Http(host) if !authority.is_ascii() => {
            let port = authority.rsplit_once(':').map(|(_, port)| format!(":{port}")).unwrap_or_default();
            Some(format!("{scheme}://{host}{port}{after}"))
        }
        _ => Some(address.to_owned()),
    }
}

/// Whether an address already has a parameter that the wallet will add. An app that reads the first of two would
/// take the code of another user for its own user's.
fn brings_its_own(address: &str) -> bool {
    let before = address.split('#').next().unwrap_or_default();
    let query = before.split_once('?').map(|(_, query)| query).unwrap_or_default();
    form::pairs(query).any(|pair| match form::decode(form::split(pair).0.as_bytes()) {
        Ok(name) => name == "openCode" || name == "webToken",
        Err(_) => true, // another parser may decode it to one of these names
    })
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

/// The wallet's return to an app.
#[derive(Clone, PartialEq, Eq)]
pub struct Return {
    /// The final address. It holds the openCode.
    pub address: String,
    /// The way of the return: a GET request, or opening the address.
    pub how: How,
}

impl std::fmt::Debug for Return {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Return").field("how", &self.how).finish_non_exhaustive()
    }
}

/// The wallet's return after a login: `None` if its target is not registered. The check is made on the
/// **final** address, since `https://www.x.com` with a code glued to it is another host (R47).
pub fn after_login(link: &login::Link<'_>, open_code: &str, app: Registered<'_>) -> Option<Return> {
    target(link.callback_url.as_str())?; // R63: an address with nothing after `scheme://` is refused
    if brings_its_own(link.callback_url.as_str()) {
        return None;
    }
    let web_token = link.web_token.as_ref().map(|token| token.as_str());
    let address = match link.callback_type.unwrap_or(CallbackType::Parameter) {
        CallbackType::Glued => {
            format!("{}{open_code}{}", link.callback_url.as_str(), web_token.unwrap_or_default())
        }
        CallbackType::Parameter => {
            let mut parameters = b"openCode=".to_vec();
            form::encode_into(open_code, &mut parameters);
            if let Some(token) = web_token {
                parameters.extend_from_slice(b"&webToken=");
                form::encode_into(token, &mut parameters);
            }
            let parameters = String::from_utf8(parameters).expect("a form is ASCII");
            link::append_query(link.callback_url.as_str(), &parameters)
        }
    };
    let address = with_ascii_host(&address)?;
    // R62: the browser is on another device. R48: otherwise only on request.
    let get =
        link.platform == Some(Platform::Web) || link.open_call_back_type == Some(OpenCallbackType::Minimise);
    let how = if get { How::Get } else { How::Open };
    let reachable = how == How::Open || matches!(target(&address), Some(Target::Http(_)));
    (reachable && app.allows(&address)).then_some(Return { address, how })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r07_an_address_without_a_scheme_is_https_and_keeps_its_query() {
        for (redirect, expected) in [
            ("wenjing.com/back.php", "https://wenjing.com/back.php?code=1&state=a+b"),
            ("https://x.example/b?c=d#e", "https://x.example/b?c=d&code=1&state=a+b#e"),
            ("shopapp://back", "shopapp://back?code=1&state=a+b"),
            ("a.example/b?u=http://c.example", "https://a.example/b?u=http://c.example&code=1&state=a+b"),
        ] {
            assert_eq!(after_consent(redirect, Some("1"), "a b"), expected);
        }
        assert_eq!(after_consent("x://b", None, "s"), "x://b?error=access_denied&state=s");
    }

    #[test]
    fn r32_the_app_learns_which_payment_it_was() {
        assert_eq!(
            after_payment("a.example/b", "a&b", "t 1", "7", "2"),
            "https://a.example/b?state=a%26b&trade_id=t+1&transfer_id=7&status=2"
        );
    }
}
