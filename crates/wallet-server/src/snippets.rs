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
    templates.into_iter().map(|(name, text)| Snippet { name, text: replaced(text, values) }).collect()
}

/// A text with each name replaced by its value, in one pass: no name is looked for inside a value.
pub(crate) fn replaced(text: &str, values: &[(&str, &str)]) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    loop {
        let next = values.iter().filter_map(|(name, value)| Some((rest.find(name)?, *name, *value)));
        let next = next.min_by_key(|(at, name, _)| (*at, std::cmp::Reverse(name.len())));
        let Some((at, name, value)) = next else { return out + rest };
        out.push_str(&rest[..at]);
        out.push_str(value);
        rest = &rest[at + name.len()..];
    }
}

/// A text as one word of a shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_looked_for_inside_a_value() {
        let values = [("CLIENT_ID", "REDIRECT_URI"), ("REDIRECT_URI", "$(CLIENT_ID)"), ("CLIENT", "x")];
        assert_eq!(replaced("-d CLIENT_ID -d REDIRECT_URI", &values), "-d REDIRECT_URI -d $(CLIENT_ID)");
        assert_eq!(replaced("none", &values), "none");
    }

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
