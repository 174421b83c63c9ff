//! A first call in several languages, with an app's values filled in. Secrets are taken from the environment, so that nobody
//! pastes one into a file.

/// One language's.
pub(crate) struct Snippet {
    /// The language.
    pub(crate) name: &'static str,
    /// The program.
    pub(crate) text: String,
}

/// The name of a language in `Accept-Language`: replies are in it.
pub(crate) const LANG: &str = "LANG_TAG";

/// The templates with these values.
pub(crate) fn filled(templates: [(&'static str, &str); 7], values: &[(&str, &str)]) -> Vec<Snippet> {
    let fill =
        |text: &str| values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    templates.into_iter().map(|(name, text)| Snippet { name, text: fill(text) }).collect()
}
