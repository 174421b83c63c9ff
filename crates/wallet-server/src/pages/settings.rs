//! How pages are set up.

/// An entry of the pages' main navigation.
#[derive(Debug, Clone, Copy)]
pub struct NavItem {
    /// Where it goes.
    pub href: &'static str,
    /// In Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
}

/// A user whose passwords the sign-in page shows: in a sandbox only.
#[derive(Debug, Clone, Copy)]
pub struct Hint {
    /// What the user signs in with.
    pub login_name: &'static str,
    /// The login password.
    pub pwd: &'static str,
    /// The payment password; empty when the user has none.
    pub wallet_pwd: &'static str,
    /// Who that is, in Chinese.
    pub zh: &'static str,
    /// Who that is, in English.
    pub en: &'static str,
}

/// How pages are set up.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageSettings {
    /// The main navigation.
    pub nav: &'static [NavItem],
    /// Users whose passwords are shown.
    pub hints: &'static [Hint],
    /// Whether cookies are for https only.
    pub https: bool,
}
