//! Names of the spec as Rust identifiers, and its texts as documentation.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use wallet_spec::{Basis, Origin, Text};

/// `trade_id` is `trade_id`; keywords become raw; `portraitUri` becomes `portrait_uri`.
pub(crate) fn snake(name: &str) -> Ident {
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
    identifier(&out)
}

/// `trade_id` becomes `TradeId`.
pub(crate) fn pascal(name: &str) -> Ident {
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
    identifier(&out)
}

/// `trade_id` becomes `PREFIX_TRADE_ID`.
pub(crate) fn constant(prefix: &str, name: &str) -> Ident {
    Ident::new(&format!("{prefix}{}", name.to_ascii_uppercase()), Span::call_site())
}

fn identifier(text: &str) -> Ident {
    syn::parse_str::<Ident>(text)
        .or_else(|_| syn::parse_str::<Ident>(&format!("r#{text}")))
        .unwrap_or_else(|_| Ident::new("unnamed", Span::call_site()))
}

/// Documentation: the English text, the Chinese one beside it, and where the fact stands.
pub(crate) fn doc(text: &Text, origin: &Origin) -> TokenStream {
    let mut lines = format!("{} ({}).", text.en.trim_end_matches('.'), text.zh.trim_end_matches('。'));
    let place = match (origin.basis, origin.line) {
        (Basis::Documented, Some(line)) => format!("Line {line} of the document"),
        (Basis::Documented, None) => String::new(),
        (Basis::Public, _) => "From other public documents of the platform".to_owned(),
        (Basis::Ours, _) => "A choice of this project".to_owned(),
    };
    let rule = origin.rule.as_deref().map(|rule| format!("rule {rule}"));
    let note: Vec<String> = std::iter::once(place).filter(|place| !place.is_empty()).chain(rule).collect();
    if !note.is_empty() {
        let mut note = note.join("; ");
        if let Some(first) = note.get(..1) {
            note = first.to_uppercase() + &note[1..];
        }
        lines = format!("{lines}\n\n{note}.");
    }
    let lines = lines.replace('[', "\\[").replace("<", "\\<");
    quote!(#[doc = #lines])
}
