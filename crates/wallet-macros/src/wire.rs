//! Fields as Rust: which type they have and how they are read and written.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use wallet_spec::{Field, Kind, Signing};

use crate::names::{doc, pascal, snake};

/// Whether a field borrows from a request or callback, or is owned by a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Borrowed,
    Owned,
}

/// The type of a field, from within a module one level below the spec's (`super::TradeId`) or beside it.
fn rust_type(kind: Kind<'_>, side: Side, above: &TokenStream) -> TokenStream {
    let lifetime = match side {
        Side::Borrowed => quote!('a),
        Side::Owned => quote!('static),
    };
    match kind {
        // Only a named type is based on `Url`, and it has a newtype.
        Kind::Text | Kind::Url => match side {
            Side::Owned => quote!(::std::string::String),
            Side::Borrowed => quote!(::wallet_core::__private::Cow<'a, str>),
        },
        Kind::Secret => quote!(::wallet_core::types::SecretText<#lifetime>),
        Kind::Id | Kind::Integer | Kind::Number => quote!(u64),
        Kind::Amount => quote!(::wallet_core::Amount<#lifetime>),
        Kind::Time => quote!(::wallet_core::UnixTime),
        Kind::Timestamp => quote!(::wallet_core::types::Timestamp),
        Kind::Signature => quote!(::wallet_core::types::SignatureText<#lifetime>),
        Kind::Type(named) => {
            let (ident, lifetime) =
                (pascal(named.name), (named.base != Kind::Id).then(|| quote!(<#lifetime>)));
            quote!(#above #ident #lifetime)
        }
        Kind::Choice(choice) => {
            let ident = pascal(choice.name);
            quote!(#above #ident)
        }
        Kind::Object(object) => {
            let ident = pascal(object.name);
            quote!(#above #ident)
        }
        Kind::List(object) => {
            let ident = pascal(object.name);
            quote!(::std::vec::Vec<#above #ident>)
        }
    }
}

fn borrows(kind: Kind<'_>) -> bool {
    use Kind::{Amount, Secret, Signature, Text, Url};
    matches!(kind.on_the_wire(), Text | Secret | Url | Amount | Signature)
}

/// Fields that are in the Rust type: not the fixed ones, and not those that signing makes.
fn typed<'f, 's>(fields: &'f [Field<'s>]) -> impl Iterator<Item = (usize, &'f Field<'s>)> {
    fields.iter().enumerate().filter(|(_, field)| {
        field.fixed.is_none() && !matches!(field.kind, Kind::Timestamp | Kind::Signature)
    })
}

/// The generics of the struct of such fields: `<'a>` or nothing.
pub(crate) fn generics(fields: &[Field<'_>]) -> TokenStream {
    match typed(fields).any(|(_, field)| borrows(field.kind)) {
        true => quote!(<'a>),
        false => TokenStream::new(),
    }
}

/// A borrowing struct for a request, a link or a callback's payload, and the function
/// that finds a field by its name.
pub(crate) fn record(name: &str, about: &TokenStream, fields: &[Field<'_>]) -> TokenStream {
    let name = pascal(name);
    let (generics, members, into_owned) = (generics(fields), members(fields), owned(fields));
    let new = new(fields);
    let owned = if generics.is_empty() { TokenStream::new() } else { quote!(<'static>) };
    let index = index(fields);
    quote! {
        #about
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::cmp::PartialEq, ::core::cmp::Eq)]
        #[non_exhaustive]
        pub struct #name #generics { #members }

        impl #generics #name #generics {
            #new

            /// Converts to an owned value.
            pub fn into_owned(self) -> #name #owned {
                #name { #into_owned }
            }
        }

        #index
    }
}

/// The constructor: required fields, in the document's order. It takes newtypes, so that two of them are not confused.
fn new(fields: &[Field<'_>]) -> TokenStream {
    let (mut parameters, mut members) = (TokenStream::new(), TokenStream::new());
    for (_, field) in typed(fields) {
        let name = snake(field.name);
        if field.required {
            let plain = rust_type(field.kind, Side::Borrowed, &quote!(super::));
            parameters.extend(quote!(#name: #plain,));
            members.extend(quote!(#name,));
        } else {
            members.extend(quote!(#name: ::core::option::Option::None,));
        }
    }
    let about = match typed(fields).all(|(_, field)| field.required) {
        true => "With every field.",
        false => "With the required fields; the other fields are `None` and can be set.",
    };
    quote! {
        #[doc = #about]
        #[allow(clippy::too_many_arguments, clippy::new_without_default)]
        pub fn new(#parameters) -> Self {
            Self { #members }
        }
    }
}

/// The members of a request or callback struct.
fn members(fields: &[Field<'_>]) -> TokenStream {
    let above = quote!(super::);
    let members = typed(fields).map(|(_, field)| {
        let (doc, name) = (doc(&field.doc, &field.origin), snake(field.name));
        let plain = rust_type(field.kind, Side::Borrowed, &above);
        match field.required {
            true => quote!(#doc pub #name: #plain,),
            false => quote!(#doc pub #name: ::core::option::Option<#plain>,),
        }
    });
    quote!(#(#members)*)
}

/// The members of a reply or object struct, with their serde attributes.
pub(crate) fn reply_members(fields: &[Field<'_>], above: &TokenStream) -> TokenStream {
    let members = fields.iter().map(|field| {
        let (doc, name, wire) = (doc(&field.doc, &field.origin), snake(field.name), field.name);
        let aliases = field.read_also.iter().map(|alias| quote!(#[serde(alias = #alias)]));
        let plain = match (field.kind, rust_type(field.kind, Side::Owned, above)) {
            // A platform may learn new values before its readers do.
            (Kind::Choice(_), plain) => quote!(::wallet_core::Open<#plain>),
            (_, plain) => plain,
        };
        let rename = (name != wire).then(|| quote!(#[serde(rename = #wire)]));
        let with = match (field.kind, field.required) {
            (Kind::Text, true) => Some("::wallet_core::types::text"),
            (Kind::Text, false) => Some("::wallet_core::types::optional_text"),
            (Kind::Id | Kind::Integer, true) => Some("::wallet_core::types::integer"),
            (Kind::Integer, false) => Some("::wallet_core::types::optional_integer"),
            (Kind::Number, true) => Some("::wallet_core::types::number"),
            (Kind::Number, false) => Some("::wallet_core::types::optional_number"),
            (Kind::Time, true) => Some("::wallet_core::types::time"),
            _ => None,
        };
        let with = with.map(|with| quote!(#[serde(with = #with)]));
        let (plain, optional) = match field.required {
            true => (plain, None),
            false => (
                quote!(::core::option::Option<#plain>),
                Some(quote!(#[serde(default, skip_serializing_if = "::core::option::Option::is_none")])),
            ),
        };
        quote!(#doc #rename #(#aliases)* #with #optional pub #name: #plain,)
    });
    quote!(#(#members)*)
}

/// `name: slots.required(3)?, …`
pub(crate) fn read(fields: &[Field<'_>]) -> TokenStream {
    let members = typed(fields).map(|(at, field)| {
        let name = snake(field.name);
        match field.required {
            true => quote!(#name: slots.required(#at)?,),
            false => quote!(#name: slots.optional(#at)?,),
        }
    });
    quote!(#(#members)*)
}

/// Writes every field in the document's order.
pub(crate) fn write(fields: &[Field<'_>]) -> TokenStream {
    let writes = fields.iter().map(|field| {
        let (name, wire) = (snake(field.name), field.name);
        let lead = quote!(&::wallet_core::lead!(#wire));
        let signature = |write: TokenStream| {
            quote!(if let ::core::option::Option::Some(signature) = signature { signature.#write(#lead, writer); })
        };
        match (field.fixed, field.kind) {
            (Some(fixed), _) => quote!(writer.field(#lead, #fixed);),
            (None, Kind::Timestamp) => signature(quote!(write_timestamp)),
            (None, Kind::Signature) => signature(quote!(write_sign)),
            _ if field.required => {
                quote!(::wallet_core::Field::write(&self.#name, &mut |text| writer.field(#lead, text));)
            }
            _ => quote! {
                if let ::core::option::Option::Some(value) = &self.#name {
                    ::wallet_core::Field::write(value, &mut |text| writer.field(#lead, text));
                }
            },
        }
    });
    quote!(#(#writes)*)
}

/// Passes the parts that a signing scheme covers, in its order.
pub(crate) fn signed(signing: Option<&Signing<'_>>, fields: &[Field<'_>]) -> TokenStream {
    let time = signing.and_then(|signing| signing.window).map(|window| window.field);
    let parts = signing.iter().flat_map(|signing| signing.canonical).map(|part| {
        let wire = part.name;
        let lead = quote!(&::wallet_core::lead!(#wire));
        let Some(field) = fields.iter().find(|field| field.name == wire) else {
            return quote!(canonical.key(#lead);); // the one part that is no field
        };
        let name = snake(field.name);
        match field.fixed {
            _ if Some(wire) == time => quote!(canonical.now(#lead);),
            Some(fixed) => quote!(canonical.field(#lead, #fixed);),
            None if field.required => {
                quote!(::wallet_core::Field::write(&self.#name, &mut |text| canonical.field(#lead, text));)
            }
            None => quote! {
                if let ::core::option::Option::Some(value) = &self.#name {
                    ::wallet_core::Field::write(value, &mut |text| canonical.field(#lead, text));
                }
            },
        }
    });
    quote!(#(#parts)*)
}

/// `name: name.into_owned(), …`
fn owned(fields: &[Field<'_>]) -> TokenStream {
    let members = typed(fields).map(|(_, field)| {
        let name = snake(field.name);
        let owned = |value: TokenStream| match field.kind {
            kind if !borrows(kind) => value,
            Kind::Text => quote!(::wallet_core::__private::Cow::Owned(#value.into_owned())),
            _ => quote!(#value.into_owned()),
        };
        match field.required {
            true => {
                let value = owned(quote!(self.#name));
                quote!(#name: #value,)
            }
            false => {
                let value = owned(quote!(value));
                quote!(#name: self.#name.map(|value| #value),)
            }
        }
    });
    quote!(#(#members)*)
}

/// The function that finds a field by its name on the wire.
fn index(fields: &[Field<'_>]) -> TokenStream {
    let arms = fields.iter().enumerate().map(|(at, field)| {
        let names = std::iter::once(field.name)
            .chain(field.read_also.iter().copied())
            .map(|name| Literal::byte_string(name.as_bytes()));
        quote!(#(#names)|* => ::core::option::Option::Some(#at),)
    });
    quote! {
        pub(super) fn index(name: &[u8]) -> ::core::option::Option<usize> {
            match name { #(#arms)* _ => ::core::option::Option::None }
        }
    }
}
