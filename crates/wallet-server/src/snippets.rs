//! A first call in several languages, with an app's values filled in. The programs read secrets from the environment, so
//! that no secret is pasted into a file.

/// The first call in one language.
pub(crate) struct Snippet {
    /// The language.
    pub(crate) name: &'static str,
    /// The program.
    pub(crate) text: String,
}

/// The placeholder for the language tag in `Accept-Language`.
pub(crate) const LANG: &str = "LANG_TAG";

/// The templates, with each placeholder replaced by its value.
pub(crate) fn filled(templates: [(&'static str, &str); 7], values: &[(&str, &str)]) -> Vec<Snippet> {
    let fill =
        |text: &str| values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    templates.into_iter().map(|(name, text)| Snippet { name, text: fill(text) }).collect()
}

/// A text as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_word_of_a_shell() {
        for text in ["", "plain", "it's", "$(rm -rf x)", "a\\b'\"`c"] {
            let echoed = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(text))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(echoed.stdout).unwrap(), text);
        }
    }
}
