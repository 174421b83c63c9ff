//! Fields as Rust: which type they have and how they are read and written.

use proc_macro2::TokenStream;
use quote::quote;
use wallet_spec::{Base, Field, Kind, Name, Spec};

use crate::names::{doc, pascal, snake};

/// Where a field stands: borrowed from a request or callback, or owned in a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Borrowed,
    Owned,
}

pub(crate) struct Wire<'s> {
    pub(crate) spec: &'s Spec,
}

impl Wire<'_> {
    fn base(&self, name: &str) -> Base {
        self.spec.types.iter().find(|known| known.name.text == name).map_or(Base::Text, |known| known.base)
    }

    /// The type, from within a module one level below the spec's (`super::TradeId`) or beside it.
    fn rust_type(&self, kind: &Kind, side: Side, above: &TokenStream) -> TokenStream {
        let lifetime = match side {
            Side::Borrowed => quote!('a),
            Side::Owned => quote!('static),
        };
        match kind {
            Kind::Text if side == Side::Owned => quote!(::std::string::String),
            Kind::Text => quote!(::wallet_core::__private::Cow<'a, str>),
            Kind::Secret => quote!(::wallet_core::types::SecretText<#lifetime>),
            Kind::Id | Kind::Integer | Kind::Number => quote!(u64),
            Kind::Amount => quote!(::wallet_core::Amount<#lifetime>),
            Kind::Time => quote!(::wallet_core::UnixTime),
            Kind::Timestamp => quote!(::wallet_core::types::Timestamp),
            Kind::Signature => quote!(::wallet_core::types::SignatureText<#lifetime>),
            Kind::Type(name) => {
                let ident = pascal(name);
                match self.base(name) {
                    Base::Id => quote!(#above #ident),
                    Base::Text | Base::Secret | Base::Url => quote!(#above #ident<#lifetime>),
                }
            }
            Kind::Choice(name) => {
                let ident = pascal(name);
                quote!(#above #ident)
            }
            Kind::Object(name) | Kind::List(name) => {
                let known = self.spec.objects.iter().any(|object| object.name.text == *name);
                let ident = pascal(name);
                match (known, kind) {
                    (false, _) => quote!(::std::string::String),
                    (true, Kind::List(_)) => quote!(::std::vec::Vec<#above #ident>),
                    (true, _) => quote!(#above #ident),
                }
            }
        }
    }

    fn borrows(&self, kind: &Kind) -> bool {
        match kind {
            Kind::Text | Kind::Secret | Kind::Amount | Kind::Signature => true,
            Kind::Type(name) => self.base(name) != Base::Id,
            _ => false,
        }
    }

    /// Fields that stand in the Rust type: not the fixed ones, and not those that signing makes.
    pub(crate) fn typed(fields: &[Field]) -> impl Iterator<Item = (usize, &Field)> {
        fields.iter().enumerate().filter(|(_, field)| {
            field.fixed.is_none() && !matches!(field.kind, Kind::Timestamp | Kind::Signature)
        })
    }

    /// The generics of the struct of such fields: `<'a>` or nothing.
    pub(crate) fn generics(&self, fields: &[Field]) -> TokenStream {
        match Self::typed(fields).any(|(_, field)| self.borrows(&field.kind)) {
            true => quote!(<'a>),
            false => TokenStream::new(),
        }
    }

    /// What goes over the wire as a struct that borrows: a request, a link, a callback's payload. With it comes the
    /// function that finds a field by its name.
    pub(crate) fn record(&self, name: &str, about: &TokenStream, fields: &[Field]) -> TokenStream {
        let name = pascal(name);
        let (generics, members, into_owned) =
            (self.generics(fields), self.members(fields), self.owned(fields));
        let owned = if generics.is_empty() { TokenStream::new() } else { quote!(<'static>) };
        let index = Self::index(fields);
        quote! {
            #about
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct #name #generics { #members }

            impl #generics #name #generics {
                /// The same with texts of its own.
                pub fn into_owned(self) -> #name #owned {
                    #name { #into_owned }
                }
            }

            #index
        }
    }

    /// The members of a request or callback struct.
    fn members(&self, fields: &[Field]) -> TokenStream {
        let above = quote!(super::);
        let members = Self::typed(fields).map(|(_, field)| {
            let (doc, name) = (doc(&field.doc, &field.origin), snake(&field.name));
            let plain = self.rust_type(&field.kind, Side::Borrowed, &above);
            match field.required {
                true => quote!(#doc pub #name: #plain,),
                false => quote!(#doc pub #name: ::core::option::Option<#plain>,),
            }
        });
        quote!(#(#members)*)
    }

    /// The members of a reply or object struct, with what serde needs.
    pub(crate) fn reply_members(&self, fields: &[Field], above: &TokenStream) -> TokenStream {
        let members = fields.iter().map(|field| {
            let (doc, name, wire) = (doc(&field.doc, &field.origin), snake(&field.name), &field.name.text);
            let aliases = field.read_also.iter().map(|alias| quote!(#[serde(alias = #alias)]));
            let plain = self.rust_type(&field.kind, Side::Owned, above);
            let rename = (name != wire.as_str()).then(|| quote!(#[serde(rename = #wire)]));
            let is_text = plain.to_string() == quote!(::std::string::String).to_string();
            let with = match (&field.kind, field.required) {
                (_, true) if is_text => Some("::wallet_core::types::text"),
                (_, false) if is_text => Some("::wallet_core::types::optional_text"),
                (Kind::Id | Kind::Integer, true) => Some("::wallet_core::types::integer"),
                (Kind::Number, true) => Some("::wallet_core::types::number"),
                (Kind::Time, true) => Some("::wallet_core::types::time"),
                _ => None,
            };
            let with = with.map(|with| quote!(#[serde(with = #with)]));
            let (plain, optional) = match field.required {
                true => (plain, None),
                false => (
                    quote!(::core::option::Option<#plain>),
                    Some(quote!(#[serde(default, skip_serializing_if = "Option::is_none")])),
                ),
            };
            quote!(#doc #rename #(#aliases)* #with #optional pub #name: #plain,)
        });
        quote!(#(#members)*)
    }

    /// `name: slots.required(3)?, …`
    pub(crate) fn read(fields: &[Field]) -> TokenStream {
        let members = Self::typed(fields).map(|(at, field)| {
            let name = snake(&field.name);
            match field.required {
                true => quote!(#name: slots.required(#at)?,),
                false => quote!(#name: slots.optional(#at)?,),
            }
        });
        quote!(#(#members)*)
    }

    /// Writes every field in the document's order.
    pub(crate) fn write(fields: &[Field]) -> TokenStream {
        let writes = fields.iter().map(|field| {
            let (name, wire) = (snake(&field.name), &field.name.text);
            match (&field.fixed, &field.kind) {
                (Some(fixed), _) => quote!(writer.field(&::wallet_core::lead!(#wire), #fixed);),
                (None, Kind::Timestamp) => {
                    quote!(if let Some(signature) = signature { signature.write_timestamp(&::wallet_core::lead!(#wire), writer); })
                }
                (None, Kind::Signature) => {
                    quote!(if let Some(signature) = signature { signature.write_sign(&::wallet_core::lead!(#wire), writer); })
                }
                _ if field.required => {
                    quote!(::wallet_core::Field::write(&self.#name, &mut |text| writer.field(&::wallet_core::lead!(#wire), text));)
                }
                _ => quote! {
                    if let Some(value) = &self.#name {
                        ::wallet_core::Field::write(value, &mut |text| writer.field(&::wallet_core::lead!(#wire), text));
                    }
                },
            }
        });
        quote!(#(#writes)*)
    }

    /// Hands over what a signing rule covers, in its order.
    pub(crate) fn signed(spec: &Spec, signing: Option<&Name>, fields: &[Field]) -> TokenStream {
        let rule = signing.and_then(|name| spec.signings.iter().find(|known| known.id.text == name.text));
        let parts = rule.iter().flat_map(|rule| &rule.canonical).map(|part| {
            let wire = &part.text;
            let window =
                rule.and_then(|rule| rule.window.as_ref()).is_some_and(|(field, _)| field.text == *wire);
            let Some(field) = fields.iter().find(|field| field.name.text == *wire) else {
                return quote!(canonical.key();); // the one part that is no field
            };
            let name = snake(&field.name);
            match &field.fixed {
                _ if window => quote!(canonical.now();),
                Some(fixed) => quote!(canonical.field(&::wallet_core::lead!(#wire), #fixed);),
                None if field.required => quote! {
                    ::wallet_core::Field::write(&self.#name, &mut |text| {
                        canonical.field(&::wallet_core::lead!(#wire), text)
                    });
                },
                None => quote! {
                    if let Some(value) = &self.#name {
                        ::wallet_core::Field::write(value, &mut |text| {
                            canonical.field(&::wallet_core::lead!(#wire), text)
                        });
                    }
                },
            }
        });
        quote!(#(#parts)*)
    }

    /// `name: name.into_owned(), …`
    fn owned(&self, fields: &[Field]) -> TokenStream {
        let members = Self::typed(fields).map(|(_, field)| {
            let name = snake(&field.name);
            let owned = |value: TokenStream| match (&field.kind, self.borrows(&field.kind)) {
                (_, false) => value,
                (Kind::Text, true) => quote!(::wallet_core::__private::Cow::Owned(#value.into_owned())),
                (_, true) => quote!(#value.into_owned()),
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
    fn index(fields: &[Field]) -> TokenStream {
        if fields.is_empty() {
            return quote! {
                pub(super) fn index(_: &[u8]) -> ::core::option::Option<usize> {
                    ::core::option::Option::None
                }
            };
        }
        let arms = fields.iter().enumerate().map(|(at, field)| {
            let names = std::iter::once(&field.name.text)
                .chain(&field.read_also)
                .map(|name| proc_macro2::Literal::byte_string(name.as_bytes()));
            quote!(#(#names)|* => ::core::option::Option::Some(#at),)
        });
        quote! {
            pub(super) fn index(name: &[u8]) -> ::core::option::Option<usize> {
                match name { #(#arms)* _ => ::core::option::Option::None }
            }
        }
    }
}
