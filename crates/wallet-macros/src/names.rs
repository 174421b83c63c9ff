//! Names of the spec as Rust identifiers, and its texts as documentation.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use wallet_spec::{Basis, Origin, Text, names};

/// A module, field or function; keywords become raw.
pub(crate) fn snake(name: &str) -> Ident {
    identifier(&names::snake(name))
}

/// A type or variant.
pub(crate) fn pascal(name: &str) -> Ident {
    identifier(&names::pascal(name))
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

/// Documentation: the English text, the Chinese one beside it, and the source line of the fact.
pub(crate) fn doc(text: &Text<'_>, origin: &Origin<'_>) -> TokenStream {
    let mut lines = format!("{} ({}).", text.en.trim_end_matches('.'), text.zh.trim_end_matches('。'));
    let place = match (origin.basis, origin.line) {
        (Basis::Documented, Some(line)) => format!("Line {line} of the document"),
        (Basis::Documented, None) => String::new(),
        (Basis::Public, _) => "From other public documents of the platform".to_owned(),
        (Basis::Ours, _) => "A choice of this project".to_owned(),
    };
    let rule = origin.rule.map(|rule| format!("rule {rule}"));
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
