//! The settings of the pages.

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
    /// Whether cookies are for https only.
    pub https: bool,
}
