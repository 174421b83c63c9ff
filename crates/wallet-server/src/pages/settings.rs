//! The settings of the pages.

use http::HeaderMap;
use http::header::COOKIE;

/// An entry of the pages' main navigation.
#[derive(Debug, Clone, Copy)]
pub struct NavItem {
    /// The address.
    pub href: &'static str,
    /// The Chinese text.
    pub zh: &'static str,
    /// The English text.
    pub en: &'static str,
}

/// A user with passwords on the sign-in page, in a sandbox only.
#[derive(Debug, Clone, Copy)]
pub struct Hint {
    /// The login name.
    pub login_name: &'static str,
    /// The login password.
    pub pwd: &'static str,
    /// The payment password; empty if the user has no wallet password.
    pub wallet_pwd: &'static str,
    /// The user's role in Chinese.
    pub zh: &'static str,
    /// The user's role in English.
    pub en: &'static str,
}

/// The settings of the pages.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageSettings {
    /// The main navigation.
    pub nav: &'static [NavItem],
    /// The users with shown passwords.
    pub hints: &'static [Hint],
    /// Whether the server is a sandbox: it registers users without a verification code, and developers approve their own
    /// applications.
    pub sandbox: bool,
    /// How the pages name their cookies.
    pub cookies: Cookies,
}

/// How the pages name their cookies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cookies {
    /// By their plain names, over http.
    #[default]
    Plain,
    /// With the prefix `__Host-` and `Secure`: a browser takes and sends them over https only, for this very host.
    Host,
    /// With a port: cookies know no ports, so that two servers on one machine would sign each other's users out.
    Port(u16),
}

impl Cookies {
    /// The name of a cookie.
    pub fn name(self, plain: &str) -> String {
        match self {
            Self::Plain => plain.to_owned(),
            Self::Host => format!("__Host-{plain}"),
            Self::Port(port) => format!("{plain}_{port}"),
        }
    }

    /// The value of a cookie. Beside a port, one with the plain name is of a sandbox of before: its session goes on. Beside `__Host-`
    /// a plain one may be planted by a neighbour under the same domain.
    pub fn of<'h>(self, headers: &'h HeaderMap, plain: &str) -> Option<&'h str> {
        let own = cookie_of(headers, &self.name(plain));
        if self == Self::Host { own } else { own.or_else(|| cookie_of(headers, plain)) }
    }
}

/// The value of a cookie of this name. Cookies beside it may have any bytes.
pub fn cookie_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies =
        headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let mut pairs = cookies.filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        Some((pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii()))
    });
    let (_, value) = pairs.find(|(known, _)| *known == name.as_bytes())?;
    std::str::from_utf8(value).ok()
}
