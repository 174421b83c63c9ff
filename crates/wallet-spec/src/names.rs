//! Names of the spec as Rust writes them, and those that Rust or generated code has taken.

/// `portraitUri` becomes `portrait_uri`.
pub fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
        } else if c.is_ascii_alphanumeric() || c == '_' {
            out.push(c);
        } else {
            out.push('_');
        }
    }
    if !out.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        out.insert(0, '_');
    }
    out
}

/// `trade_id` becomes `TradeId`.
pub fn pascal(name: &str) -> String {
    let mut out = String::new();
    let mut upper = true;
    for c in name.chars() {
        if c == '_' || !c.is_ascii_alphanumeric() {
            upper = true;
        } else if upper {
            out.push(c.to_ascii_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    out
}

/// Names that are no identifier of Rust in any spelling.
pub(crate) const KEYWORDS: &[&str] = &["self", "super", "crate", "_"];

/// Modules that generated code has beside those of endpoints, callbacks and links.
pub(crate) const MODULES: &[&str] = &["meta", "lifetimes", "limits"];

/// Types that generated code has beside those of the spec, and those of Rust's prelude, which a type of the same name
/// would hide from the module around it.
pub(crate) const TYPES: &[&str] = &[
    "error_code",
    "refusal",
    "any_request",
    "any_link",
    "profile",
    "option",
    "result",
    "string",
    "vec",
    "box",
];

/// The variant that `ErrorCode` has beside the codes.
pub(crate) const CODES: &[&str] = &["unknown"];
