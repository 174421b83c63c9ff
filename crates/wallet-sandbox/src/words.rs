//! Texts for people.

/// An error text as a sentence for a page, without backquotes.
pub(crate) fn sentence(words: &str) -> String {
    let words = words.replace('`', "");
    let mut letters = words.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if words.ends_with(['.', '。', '！', '!']) {
        ""
    } else if words.is_ascii() {
        "."
    } else {
        "。"
    };
    format!("{first}{}{end}", letters.as_str())
}
