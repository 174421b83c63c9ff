//! `#[derive(WalletApi)]`: one spec file in, Rust items out.
//!
//! ```text
//! /// The FOMO open platform.
//! #[derive(wallet_macros::WalletApi)]
//! #[wallet(spec = "spec/fomo.toml", rules = "spec/rules.toml")]
//! pub struct Fomo;
//! ```
//!
//! Beside the struct it makes a module for each endpoint (`pre_pay::{Endpoint, Request, Response}`) and callback, the
//! spec's types and objects, `enum ErrorCode`, `enum Refusal`, `mod lifetimes`, `mod limits`, `enum AnyRequest` that
//! routes and decodes in one step, and `impl Platform`. Put each spec into its own module, so that names never
//! collide. `#[wallet(spec_text = "…")]` takes the text itself, and `#[wallet(crate = "facade::core")]` gives the path of
//! `wallet-core` for a crate that depends on it through another.
//!
//! All faults of a spec are reported at once, and the readable part is still generated, so that code that uses it is not
//! buried in follow-up errors. This crate knows kinds and never a platform.

mod expand;
mod names;
mod wire;

use std::path::Path;

use proc_macro2::{Group, Literal, Span, TokenStream, TokenTree};
use quote::quote;
use syn::{DeriveInput, LitStr};
use wallet_spec::{Arena, Source, Spec};

/// Makes sans-IO types of a platform's spec. See the [crate's documentation](crate).
#[proc_macro_derive(WalletApi, attributes(wallet))]
pub fn derive_wallet_api(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    derive(&input).unwrap_or_else(|error| error.into_compile_error()).into()
}

#[derive(Default)]
struct Arguments {
    spec: Option<LitStr>,
    rules: Option<LitStr>,
    spec_text: Option<LitStr>,
    core: Option<LitStr>,
}

fn arguments(input: &DeriveInput) -> syn::Result<Arguments> {
    let mut arguments = Arguments::default();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("wallet")) {
        attribute.parse_nested_meta(|meta| {
            let slot = match meta.path.get_ident().map(ToString::to_string).as_deref() {
                Some("spec") => &mut arguments.spec,
                Some("rules") => &mut arguments.rules,
                Some("spec_text") => &mut arguments.spec_text,
                Some("crate") => &mut arguments.core,
                _ => return Err(meta.error("expected `spec`, `rules`, `spec_text` or `crate`")),
            };
            *slot = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    if arguments.spec.is_none() == arguments.spec_text.is_none() {
        let message = "say where the spec is: #[wallet(spec = \"spec/name.toml\")]";
        return Err(syn::Error::new(Span::call_site(), message));
    }
    Ok(arguments)
}

/// Reads a file beside the crate's manifest, and makes cargo rebuild when it changes.
fn file(path: &LitStr) -> syn::Result<(Source, TokenStream)> {
    let root = std::env::var("CARGO_MANIFEST_DIR")
        .map_err(|_| syn::Error::new(path.span(), "CARGO_MANIFEST_DIR is not set: build with cargo"))?;
    let name = path.value();
    let text = std::fs::read_to_string(Path::new(&root).join(&name)).map_err(|error| {
        syn::Error::new(
            path.span(),
            format!("cannot read {name} (paths are relative to Cargo.toml): {error}"),
        )
    })?;
    let from_root = format!("/{name}");
    let rebuild = quote!(
        const _: &str = ::core::include_str!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #from_root));
    );
    Ok((Source::new(name, text), rebuild))
}

fn derive(input: &DeriveInput) -> syn::Result<TokenStream> {
    let arguments = arguments(input)?;
    let mut rebuild = TokenStream::new();
    let mut place = Span::call_site();
    let source = match (&arguments.spec, &arguments.spec_text) {
        (Some(path), _) => {
            let (source, tracked) = file(path)?;
            rebuild.extend(tracked);
            place = path.span();
            source
        }
        (None, Some(text)) => {
            place = text.span();
            Source::new("spec_text", text.value())
        }
        (None, None) => Source::new("spec_text", ""),
    };
    let rules = match &arguments.rules {
        Some(path) => {
            let (rules, tracked) = file(path)?;
            rebuild.extend(tracked);
            Some(rules)
        }
        None => None,
    };
    let arena = Arena::new();
    let (spec, faults) = Spec::read(&arena, &source, rules.as_ref());
    let errors = faults.iter().map(|fault| syn::Error::new(place, fault).into_compile_error());
    let named = (spec.types.iter().map(|named| named.name))
        .chain(spec.choices.iter().map(|choice| choice.name))
        .chain(spec.objects.iter().map(|object| object.name));
    if let Some(name) = named.into_iter().find(|name| input.ident == wallet_spec::names::pascal(name)) {
        let message = format!("the spec declares `{name}`, and this struct has its name: rename one of them");
        return Err(syn::Error::new(input.ident.span(), message));
    }
    let items = expand::expand(&spec, &input.ident, &input.vis);
    let items = match &arguments.core {
        Some(path) => in_crate(items, &path.parse::<syn::Path>()?),
        None => items,
    };
    Ok(quote!(#rebuild #(#errors)* #items))
}

/// Generated code says `::wallet_core`, in paths and in the texts of attributes. Puts another path in its place.
fn in_crate(tokens: TokenStream, core: &syn::Path) -> TokenStream {
    const CORE: &str = "::wallet_core";
    let path = quote!(#core);
    let text = path.to_string().replace(' ', "");
    let mut out = TokenStream::new();
    // The two colons of a path that may turn out to be the core's.
    let mut colons: Vec<TokenTree> = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                colons.push(TokenTree::Punct(punct));
                continue;
            }
            TokenTree::Ident(ident) if ident == "wallet_core" && colons.len() >= 2 => {
                colons.truncate(colons.len() - 2); // a third is that of `name: ::wallet_core::Type`
                out.extend(colons.drain(..));
                out.extend(path.clone());
            }
            other => {
                out.extend(colons.drain(..));
                out.extend([match other {
                    TokenTree::Group(group) => {
                        let mut inner = Group::new(group.delimiter(), in_crate(group.stream(), core));
                        inner.set_span(group.span());
                        TokenTree::Group(inner)
                    }
                    TokenTree::Literal(literal) if literal.to_string().contains(CORE) => {
                        match syn::parse_str::<LitStr>(&literal.to_string()) {
                            Ok(known) => {
                                TokenTree::Literal(Literal::string(&known.value().replace(CORE, &text)))
                            }
                            Err(_) => TokenTree::Literal(literal),
                        }
                    }
                    other => other,
                }]);
            }
        }
    }
    out.extend(colons);
    out
}
