//! The Rust items generated from a spec.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use wallet_spec::{Auth, Callback, Endpoint, Field, Kind, Link, Quantity, Signing, Spec};

use crate::names::{constant, doc, pascal, snake};
use crate::wire;

pub(crate) fn expand(spec: &Spec<'_>, platform: &Ident, vis: &syn::Visibility) -> TokenStream {
    let meta = meta(spec);
    let types = types(spec);
    let objects = objects(spec);
    let codes = codes(spec);
    let refusals = refusals(spec);
    let lifetimes = quantities("lifetimes", "Lifetimes of the platform.", spec.lifetimes, true);
    let limits = quantities("limits", "Limits of the platform.", spec.limits, false);
    let endpoints = spec.endpoints.iter().map(|endpoint| endpoint_module(endpoint));
    let callbacks = spec.callbacks.iter().map(|callback| callback_module(callback));
    let links = spec.links.iter().map(|link| link_module(spec, link));
    let (any_link, profiles) = (any_link(spec, vis), profiles(spec));
    let router = router(spec, vis);
    quote! {
        #meta
        #types
        #objects
        #codes
        #refusals
        #lifetimes
        #limits
        #(#endpoints)*
        #(#callbacks)*
        #(#links)*
        #any_link
        #profiles
        #router
        impl ::wallet_core::Platform for #platform {
            const META: &'static ::wallet_core::PlatformMeta = meta::PLATFORM;
        }
    }
}

/// The module of constants. Their text is made by the model itself.
fn meta(spec: &Spec<'_>) -> TokenStream {
    let constants = spec.constants("::wallet_core").parse::<TokenStream>();
    let constants = constants.unwrap_or_else(|error| {
        let message = format!("the constants of this spec are no Rust: {error}");
        quote!(::core::compile_error!(#message);)
    });
    quote! {
        #[allow(dead_code, unreachable_pub, missing_docs)]
        mod meta { #constants }
    }
}

fn types(spec: &Spec<'_>) -> TokenStream {
    let types = spec.types.iter().map(|known| {
        let (doc, name) = (doc(&known.doc, &known.origin), pascal(known.name));
        match known.base {
            Kind::Secret => quote!(::wallet_core::secret_type! { #doc #name }),
            Kind::Id => quote!(::wallet_core::id_type! { #doc #name }),
            Kind::Url => quote!(::wallet_core::url_type! { #doc #name }),
            _ => {
                let (min, max) =
                    (known.min.unwrap_or(1) as usize, known.max.map_or(usize::MAX, |max| max as usize));
                let chars = known.chars.unwrap_or_default();
                quote!(::wallet_core::text_type! { #doc #name, min: #min, max: #max, chars: #chars })
            }
        }
    });
    let choices = spec.choices.iter().map(|choice| {
        let (text, name) = (doc(&choice.doc, &choice.origin), pascal(choice.name));
        let values = choice.values.iter().map(|value| {
            let (text, variant, wire) = (doc(&value.doc, &Default::default()), pascal(value.id), value.value);
            quote!(#text #variant = #wire)
        });
        quote!(::wallet_core::choice_type! { #text #name { #(#values),* } })
    });
    quote!(#(#types)* #(#choices)*)
}

/// The derives of every reply struct.
fn reply_derives() -> TokenStream {
    quote! {
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::cmp::PartialEq, ::core::cmp::Eq, ::wallet_core::__private::serde::Serialize, ::wallet_core::__private::serde::Deserialize)]
        #[serde(crate = "::wallet_core::__private::serde")]
    }
}

fn objects(spec: &Spec<'_>) -> TokenStream {
    let objects = spec.objects.iter().map(|object| {
        let (doc, name, derives) = (doc(&object.doc, &object.origin), pascal(object.name), reply_derives());
        let members = wire::reply_members(object.fields, &TokenStream::new());
        quote!(#doc #derives pub struct #name { #members } impl ::wallet_core::Reply for #name {})
    });
    quote!(#(#objects)*)
}

fn codes(spec: &Spec<'_>) -> TokenStream {
    let codes: Vec<_> =
        spec.codes.iter().filter(|code| spec.envelope.ok.is_none_or(|ok| ok.code != code.code)).collect();
    let variants = codes.iter().map(|code| {
        let (doc, name) = (doc(&code.text, &code.origin), pascal(code.id));
        quote!(#doc #name)
    });
    let names: Vec<_> = codes.iter().map(|code| pascal(code.id)).collect();
    let numbers: Vec<_> = codes.iter().map(|code| code.code).collect();
    quote! {
        /// The platform's status codes other than success; codes that the spec does not know keep their number.
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy, ::core::cmp::PartialEq, ::core::cmp::Eq, ::core::hash::Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            #(#variants,)*
            /// A code that the spec does not know.
            Unknown(u32),
        }
        impl ErrorCode {
            /// The number on the wire.
            pub const fn code(self) -> u32 {
                match self { #(Self::#names => #numbers,)* Self::Unknown(code) => code }
            }
        }
        impl ::wallet_core::FromCode for ErrorCode {
            fn from_code(code: u32) -> Self {
                match code { #(#numbers => Self::#names,)* code => Self::Unknown(code) }
            }
        }
        impl ::core::fmt::Display for ErrorCode {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::write!(f, "code {} ({self:?})", self.code())
            }
        }
    }
}

fn refusals(spec: &Spec<'_>) -> TokenStream {
    let variants = spec.refusals.iter().map(|refusal| {
        let (doc, name) = (doc(&refusal.doc, &refusal.origin), pascal(refusal.id));
        quote!(#doc #name)
    });
    let names: Vec<_> = spec.refusals.iter().map(|refusal| pascal(refusal.id)).collect();
    let constants = spec.refusals.iter().map(|refusal| constant("REFUSAL_", refusal.id));
    quote! {
        /// The situations in which the platform refuses.
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy, ::core::cmp::PartialEq, ::core::cmp::Eq, ::core::hash::Hash)]
        pub enum Refusal { #(#variants),* }
        impl Refusal {
            /// Every refusal, in the spec's order.
            pub const ALL: &'static [Self] = &[#(Self::#names),*];
            /// Its code, HTTP status and text.
            pub const fn meta(self) -> &'static ::wallet_core::RefusalMeta {
                match self { #(Self::#names => meta::#constants,)* }
            }
        }
    }
}

fn quantities(module: &str, about: &str, list: &[Quantity<'_>], durations: bool) -> TokenStream {
    if list.is_empty() {
        return TokenStream::new();
    }
    let module = snake(module);
    let items = list.iter().map(|quantity| {
        let (doc, name, value) = (doc(&quantity.doc, &quantity.origin), constant("", quantity.id), quantity.value);
        match durations {
            true => quote!(#doc pub const #name: ::std::time::Duration = ::std::time::Duration::from_secs(#value);),
            false => quote!(#doc pub const #name: u64 = #value;),
        }
    });
    quote!(#[doc = #about] pub mod #module { #(#items)* })
}

fn endpoint_module(endpoint: &Endpoint<'_>) -> TokenStream {
    let (about, module) = (doc(&endpoint.doc, &endpoint.origin), snake(endpoint.id));
    let meta = constant("ENDPOINT_", endpoint.id);
    let fields = endpoint.request;
    let (generics, count, record) =
        (wire::generics(fields), fields.len(), wire::record("Request", &about, fields));
    let elided = if generics.is_empty() { TokenStream::new() } else { quote!(<'_>) };
    let (read, write) = (wire::read(fields), wire::write(fields));
    let write_signed = wire::signed(endpoint.signing, fields);

    // The wrappers that must be checked before the request is used, outermost last.
    let mut decoded = quote!(Request #generics);
    let mut value = quote!(request);
    let mut capture = TokenStream::new();
    if let Some(signing) = endpoint.signing {
        capture = self::capture(signing, fields);
        decoded = quote!(::wallet_core::Unverified<'a, #decoded>);
        value = quote!(::wallet_core::Unverified::new(#value, signed));
    }
    let mut bearer = TokenStream::new();
    if endpoint.auth == Auth::Bearer {
        bearer =
            quote!(let token = ::core::convert::Into::into(::wallet_core::bearer(Self::META, request)?););
        decoded = quote!(::wallet_core::Bearer<'a, #decoded>);
        value = quote!(::wallet_core::Bearer { token, inner: #value });
    }
    let checks = checks(fields);

    let response = response(endpoint);
    let unused_slots = fields.is_empty().then(|| quote!(let _ = &mut slots;));
    quote! {
        #about
        pub mod #module {
            /// The endpoint.
            #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy)]
            pub struct Endpoint;

            #record

            #response

            impl ::wallet_core::Endpoint for Endpoint {
                const META: &'static ::wallet_core::EndpointMeta = super::meta::#meta;
                type Request<'a> = Request #generics;
                type Decoded<'a> = #decoded;
                type Response = Response;
                type Error = super::ErrorCode;

                fn decode<'a, B: ::core::convert::AsRef<[u8]>>(
                    request: &'a ::wallet_core::__private::http::Request<B>,
                ) -> ::core::result::Result<Self::Decoded<'a>, ::wallet_core::Fault> {
                    #bearer
                    let mut slots = ::wallet_core::Slots::<#count>::of(Self::META.request, &Self::META.faults);
                    ::wallet_core::decode_fields(Self::META, index, request, &mut slots)?;
                    #unused_slots
                    #capture
                    #checks
                    let request = Request { #read };
                    ::core::result::Result::Ok(#value)
                }
            }

            impl ::wallet_core::OutgoingRequest for Request #elided {
                type Endpoint = Endpoint;
                #[allow(unused_variables)]
                fn write_fields(
                    &self,
                    signature: ::core::option::Option<&::wallet_core::Signature>,
                    writer: &mut ::wallet_core::FieldWriter<'_>,
                ) {
                    #write
                }
                #[allow(unused_variables)]
                fn write_signed(&self, canonical: &mut ::wallet_core::Canonical<'_>) {
                    #write_signed
                }
            }
        }
    }
}

/// `Response`: what the reply's `data` is.
fn response(endpoint: &Endpoint<'_>) -> TokenStream {
    match endpoint.response_object {
        Some(object) => {
            let object = pascal(object.name);
            quote! {
                /// The reply's `data`.
                pub type Response = super::#object;
            }
        }
        _ if endpoint.response_value.is_some() => {
            let value = endpoint.response_value.as_slice();
            let (members, derives) = (wire::reply_members(value, &quote!(super::)), reply_derives());
            quote! {
                /// The reply's `data`.
                #derives
                #[serde(transparent)]
                pub struct Response { #members }
                impl ::wallet_core::Reply for Response {}
            }
        }
        _ => {
            let members = wire::reply_members(endpoint.response, &quote!(super::));
            let derives = reply_derives();
            let top = endpoint.response.iter().filter(|field| field.top).map(|field| {
                let (name, wire) = (snake(field.name), field.name);
                match field.required {
                    true => quote!(map.serialize_entry(#wire, &self.#name)?;),
                    false => quote!(if let ::core::option::Option::Some(value) = &self.#name { map.serialize_entry(#wire, value)?; }),
                }
            });
            let top = endpoint.response.iter().any(|field| field.top).then(|| {
                quote! {
                    fn top<M: ::wallet_core::__private::serde::ser::SerializeMap>(&self, map: &mut M) -> ::core::result::Result<(), M::Error> {
                        #(#top)*
                        ::core::result::Result::Ok(())
                    }
                }
            });
            quote! {
                /// The content of the reply's `data`.
                #derives
                pub struct Response { #members }
                impl ::wallet_core::Reply for Response { #top }
            }
        }
    }
}

/// Keeps the received texts of the signed fields.
fn capture(signing: &Signing<'_>, fields: &[Field<'_>]) -> TokenStream {
    let rule = constant("SIGNING_", signing.id);
    // Where each text that the scheme names is among the fields; the key is in none.
    let text = |name: &str| match fields.iter().position(|field| field.name == name) {
        Some(at) => quote!(slots.text(#at).cloned()),
        None => quote!(::core::option::Option::None),
    };
    let texts = signing.canonical.iter().map(|part| text(part.name));
    let key_id = text(signing.key_id.unwrap_or_default());
    let given = match fields.iter().position(|field| field.kind == Kind::Signature) {
        Some(at) => quote!(::core::option::Option::Some(slots.required(#at)?)),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        let signed = ::wallet_core::Signed::new(super::meta::#rule, #key_id, [#(#texts),*], #given)
            .repeated(slots.is_repeated());
    }
}

/// Fields that are checked although they are not in the type: a malformed time is refused before anything is hashed (R8).
fn checks(fields: &[Field<'_>]) -> TokenStream {
    let checks = fields.iter().enumerate().filter_map(|(at, field)| match field.kind {
        Kind::Timestamp => Some(quote!(let _: ::wallet_core::types::Timestamp = slots.required(#at)?;)),
        _ => None,
    });
    quote!(#(#checks)*)
}

/// The signing scheme, if the signature is in a field.
fn signed_in_fields<'s>(signing: Option<&'s Signing<'s>>) -> Option<&'s Signing<'s>> {
    signing.filter(|signing| !signing.in_headers())
}

/// Reads the members of a link in the document's order, while they are encoded.
fn encoded_members(spec: &Spec<'_>, link: &Link<'_>) -> TokenStream {
    let by = spec.link_discriminator().unwrap_or_default();
    let members = link.fields.iter().enumerate().map(|(at, Field { name, fixed, .. })| match fixed {
        Some(fixed) if *name == by => quote!(slots.fill(#at, #fixed);),
        _ => quote!(let rest = slots.read_encoded(#at, ::wallet_core::lead!(#name).link, rest)?;),
    });
    quote!(#(#members)*)
}

fn link_module(spec: &Spec<'_>, link: &Link<'_>) -> TokenStream {
    let (about, module) = (doc(&link.doc, &link.origin), snake(link.id));
    let meta = constant("LINK_", link.id);
    let fields = link.fields;
    let (generics, count, record) =
        (wire::generics(fields), fields.len(), wire::record("Link", &about, fields));
    let elided = if generics.is_empty() { TokenStream::new() } else { quote!(<'_>) };
    let (read, write) = (wire::read(fields), wire::write(fields));
    let signing = signed_in_fields(link.signing);
    let write_signed = wire::signed(signing, fields);
    let (mut decoded, mut value, mut capture) = (quote!(Link #generics), quote!(link), TokenStream::new());
    if let Some(signing) = signing {
        capture = self::capture(signing, fields);
        decoded = quote!(::wallet_core::Unverified<'a, Link #generics>);
        value = quote!(::wallet_core::Unverified::new(link, signed));
    }
    let checks = checks(fields);
    let members = encoded_members(spec, link);
    quote! {
        #about
        pub mod #module {
            #record

            /// The decoded link, inside the wrapper that must be verified first.
            pub type Decoded<'a> = #decoded;

            /// Reads the JSON text of a link.
            ///
            /// # Errors
            /// [`LinkError`](::wallet_core::link::LinkError).
            pub fn decode<'a>(
                json: &'a str,
                warnings: &mut ::wallet_core::json::Warnings,
            ) -> ::core::result::Result<Decoded<'a>, ::wallet_core::link::LinkError> {
                let mut slots = slots();
                slots.read_object(index, json, warnings)?;
                finish(&mut slots)
            }

            /// Empty slots.
            pub(super) fn slots<'a>() -> ::wallet_core::Slots<'a, #count> {
                ::wallet_core::Slots::of(super::meta::#meta.fields, &super::meta::PLATFORM.faults)
            }

            /// Fills `slots` from the text after the member that distinguishes links, while it is percent-encoded, as encoders
            /// write it: compact, the members in the document's order, each a string in which JSON escapes nothing. It is
            /// not decoded as a whole, so that values are borrowed. `None` for everything else, which [`decode`] reads too.
            pub(super) fn read_encoded<'a>(
                slots: &mut ::wallet_core::Slots<'a, #count>,
                rest: &'a str,
            ) -> ::core::option::Option<()> {
                #members
                (rest == "%7D").then_some(())
            }

            pub(super) fn finish<'a>(
                slots: &mut ::wallet_core::Slots<'a, #count>,
            ) -> ::core::result::Result<Decoded<'a>, ::wallet_core::link::LinkError> {
                slots.check()?;
                #capture
                #checks
                let link = Link { #read };
                ::core::result::Result::Ok(#value)
            }

            impl ::wallet_core::link::OutgoingLink for Link #elided {
                const META: &'static ::wallet_core::LinkMeta = super::meta::#meta;
                #[allow(unused_variables)]
                fn write_fields(
                    &self,
                    signature: ::core::option::Option<&::wallet_core::Signature>,
                    writer: &mut ::wallet_core::FieldWriter<'_>,
                ) {
                    #write
                }
                #[allow(unused_variables)]
                fn write_signed(&self, canonical: &mut ::wallet_core::Canonical<'_>) {
                    #write_signed
                }
            }
        }
    }
}

/// `AnyLink`: one variant per link; a member with a fixed value selects it.
fn any_link(spec: &Spec<'_>, vis: &syn::Visibility) -> TokenStream {
    if spec.links.is_empty() {
        return TokenStream::new();
    }
    let by = spec.link_discriminator().unwrap_or_default();
    let variants = spec.links.iter().map(|link| {
        let (doc, name, module) = (doc(&link.doc, &link.origin), pascal(link.id), snake(link.id));
        quote!(#doc #name(#module::Decoded<'a>))
    });
    let arms = spec.links.iter().map(|link| {
        let (name, module, value) = (pascal(link.id), snake(link.id), link.fixed(by).unwrap_or_default());
        quote!(::core::option::Option::Some(#value) => #module::decode(json, &mut warnings).map(Self::#name)?)
    });
    let encoded_arms = spec.links.iter().map(|link| {
        let (name, module, value) = (pascal(link.id), snake(link.id), link.fixed(by).unwrap_or_default());
        let first = format!("%7B%22{by}%22:%22{value}%22");
        quote! {
            if let ::core::option::Option::Some(rest) = encoded.strip_prefix(#first) {
                let mut slots = #module::slots();
                if #module::read_encoded(&mut slots, rest).is_some() {
                    return ::core::result::Result::Ok((Self::#name(#module::finish(&mut slots)?), payload.warnings));
                }
            }
        }
    });
    let schemes = (spec.profiles.iter())
        .flat_map(|profile| [profile.scheme].into_iter().chain(profile.read_also.iter().copied()))
        .chain(spec.links.iter().map(|link| link.qr_scheme));
    quote! {
        /// A link of any kind of this platform.
        #[derive(::core::fmt::Debug)]
        #vis enum AnyLink<'a> { #(#variants),* }

        impl<'a> AnyLink<'a> {
            /// Reads a link that [`payload`](::wallet_core::link::payload) has split, together with the
            /// warnings.
            ///
            /// # Errors
            /// [`LinkError`](::wallet_core::link::LinkError).
            pub fn read(
                payload: &'a ::wallet_core::link::Payload<'_>,
            ) -> ::core::result::Result<(Self, ::wallet_core::json::Warnings), ::wallet_core::link::LinkError> {
                const SCHEMES: &[&str] = &[#(#schemes),*];
                if !::wallet_core::link::is_one_of(payload.scheme, SCHEMES) {
                    return ::core::result::Result::Err(::wallet_core::link::LinkError::UnknownScheme);
                }
                if let ::core::option::Option::Some(encoded) = payload.encoded() {
                    #(#encoded_arms)*
                }
                let (json, mut warnings) = (payload.json()?, payload.warnings);
                let link = match ::wallet_core::link::peek(json, #by)?.as_deref() {
                    #(#arms,)*
                    _ => return ::core::result::Result::Err(::wallet_core::link::LinkError::UnknownType),
                };
                ::core::result::Result::Ok((link, warnings))
            }
        }
    }
}

/// `Profile`: the platforms that speak this protocol.
fn profiles(spec: &Spec<'_>) -> TokenStream {
    if spec.profiles.is_empty() {
        return TokenStream::new();
    }
    let variants = spec.profiles.iter().map(|profile| {
        let (doc, name) = (doc(&profile.doc, &profile.origin), pascal(profile.id));
        quote!(#doc #name)
    });
    let names: Vec<_> = spec.profiles.iter().map(|profile| pascal(profile.id)).collect();
    let constants = spec.profiles.iter().map(|profile| constant("PROFILE_", profile.id));
    let mut keys: Vec<&str> =
        spec.profiles.iter().flat_map(|profile| profile.values).map(|(name, _)| *name).collect();
    keys.sort_unstable();
    keys.dedup();
    let values = keys.into_iter().map(|key| {
        let (about, method) = (format!("Its {}.", key.replace('_', " ")), snake(key));
        let arms = spec.profiles.iter().map(|profile| {
            let value = profile.values.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| *value);
            let name = pascal(profile.id);
            quote!(Self::#name => #value)
        });
        quote! {
            #[doc = #about]
            pub const fn #method(self) -> &'static str {
                match self { #(#arms),* }
            }
        }
    });
    quote! {
        /// A platform that speaks this protocol.
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy, ::core::cmp::PartialEq, ::core::cmp::Eq, ::core::cmp::PartialOrd, ::core::cmp::Ord, ::core::hash::Hash)]
        pub enum Profile { #(#variants),* }

        impl Profile {
            /// Every profile, in the spec's order.
            pub const ALL: &'static [Self] = &[#(Self::#names),*];

            /// Its declaration in the spec.
            pub const fn meta(self) -> &'static ::wallet_core::ProfileMeta {
                match self { #(Self::#names => meta::#constants,)* }
            }

            /// The scheme of its app links.
            pub const fn scheme(self) -> &'static str {
                self.meta().scheme
            }

            #(#values)*
        }
    }
}

fn callback_module(callback: &Callback<'_>) -> TokenStream {
    let (about, module) = (doc(&callback.doc, &callback.origin), snake(callback.id));
    let meta = constant("CALLBACK_", callback.id);
    let fields = callback.fields;
    let (generics, count, record) =
        (wire::generics(fields), fields.len(), wire::record("Payload", &about, fields));
    let (read, write) = (wire::read(fields), wire::write(fields));
    let signing = signed_in_fields(callback.signing);
    let write_signed = wire::signed(signing, fields);
    let (mut decoded, mut value, mut capture) =
        (quote!(Payload #generics), quote!(payload), TokenStream::new());
    let mut rule = quote!(::core::option::Option::None);
    if let Some(signing) = signing {
        capture = self::capture(signing, fields);
        decoded = quote!(::wallet_core::Unverified<'a, Payload #generics>);
        value = quote!(::wallet_core::Unverified::new(payload, signed));
        rule = quote!(super::meta::#meta.signing);
    }
    let checks = checks(fields);
    quote! {
        #about
        pub mod #module {
            /// The callback.
            #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy)]
            pub struct Callback;

            #record

            impl #generics Payload #generics {
                #[allow(unused_variables)]
                fn write(
                    &self,
                    signature: ::core::option::Option<&::wallet_core::Signature>,
                    writer: &mut ::wallet_core::FieldWriter<'_>,
                ) {
                    #write
                }

                #[allow(unused_variables)]
                fn write_signed(&self, canonical: &mut ::wallet_core::Canonical<'_>) {
                    #write_signed
                }
            }

            impl ::wallet_core::Callback for Callback {
                const META: &'static ::wallet_core::CallbackMeta = super::meta::#meta;
                type Payload<'a> = Payload #generics;
                type Decoded<'a> = #decoded;

                fn decode(form: &[u8]) -> ::core::result::Result<Self::Decoded<'_>, ::wallet_core::Fault> {
                    let mut slots = ::wallet_core::decode_callback::<#count>(Self::META, index, form)?;
                    #capture
                    #checks
                    let payload = Payload { #read };
                    ::core::result::Result::Ok(#value)
                }

                fn encode(
                    payload: &Self::Payload<'_>,
                    signer: ::core::option::Option<&::wallet_core::Signer<'_>>,
                    out: &mut ::std::vec::Vec<u8>,
                ) -> ::core::result::Result<(), ::wallet_core::EncodeError> {
                    let signature =
                        ::wallet_core::sign(#rule, signer, |canonical| payload.write_signed(canonical))?;
                    payload.write(signature.as_ref(), &mut ::wallet_core::FieldWriter::form(out));
                    ::core::result::Result::Ok(())
                }
            }
        }
    }
}

/// `AnyRequest`: one variant per endpoint, routed and decoded in one step.
fn router(spec: &Spec<'_>, vis: &syn::Visibility) -> TokenStream {
    let variants = spec.endpoints.iter().map(|endpoint| {
        let (doc, name, module) =
            (doc(&endpoint.doc, &endpoint.origin), pascal(endpoint.id), snake(endpoint.id));
        quote!(#doc #name(<#module::Endpoint as ::wallet_core::Endpoint>::Decoded<'a>))
    });
    let metas = spec.endpoints.iter().map(|endpoint| {
        let (name, module) = (pascal(endpoint.id), snake(endpoint.id));
        quote!(Self::#name(_) => <#module::Endpoint as ::wallet_core::Endpoint>::META)
    });
    let mut paths: Vec<&str> = Vec::new();
    for endpoint in spec.endpoints {
        for path in endpoint.paths() {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    let arms = paths.iter().map(|path| {
        let at_path = |endpoint: &&Endpoint<'_>| endpoint.paths().any(|known| known == *path);
        let here: Vec<&Endpoint<'_>> = spec.endpoints.iter().copied().filter(at_path).collect();
        let mut methods: Vec<&str> =
            here.iter().flat_map(|e| e.methods).map(|method| method.word()).collect();
        methods.sort_unstable();
        methods.dedup();
        let allow = methods.join(", ");
        let by_method = methods.iter().map(|name| {
            let has = |endpoint: &&Endpoint<'_>| endpoint.methods.iter().any(|method| method.word() == *name);
            let here: Vec<&Endpoint<'_>> = here.iter().copied().filter(has).collect();
            let decode = one_of(&here);
            quote!(#name => #decode,)
        });
        quote! {
            #path => match request.method().as_str() {
                #(#by_method)*
                _ => ::core::result::Result::Err(::wallet_core::DecodeError::WrongMethod { allow: #allow }),
            },
        }
    });
    let (base, lifetime) = (spec.base_path, (!spec.endpoints.is_empty()).then(|| quote!(<'a>)));
    quote! {
        /// A request of any endpoint of this platform.
        #[derive(::core::fmt::Debug)]
        #vis enum AnyRequest #lifetime { #(#variants),* }

        impl #lifetime AnyRequest #lifetime {
            /// Routes and decodes a request.
            ///
            /// # Errors
            /// [`DecodeError`](::wallet_core::DecodeError): no such path, another method, or a fault of the endpoint.
            #[allow(unused_variables)]
            pub fn decode<B: ::core::convert::AsRef<[u8]>>(
                request: &'a ::wallet_core::__private::http::Request<B>,
            ) -> ::core::result::Result<Self, ::wallet_core::DecodeError> {
                let ::core::option::Option::Some(path) = request.uri().path().strip_prefix(#base) else {
                    return ::core::result::Result::Err(::wallet_core::DecodeError::NoRoute);
                };
                match path {
                    #(#arms)*
                    _ => ::core::result::Result::Err(::wallet_core::DecodeError::NoRoute),
                }
            }

            /// The declaration of its endpoint in the spec.
            pub fn meta(&self) -> &'static ::wallet_core::EndpointMeta {
                match self { #(#metas),* }
            }
        }

        fn decode_as<'a, E: ::wallet_core::Endpoint, B: ::core::convert::AsRef<[u8]>>(
            request: &'a ::wallet_core::__private::http::Request<B>,
        ) -> ::core::result::Result<E::Decoded<'a>, ::wallet_core::DecodeError> {
            E::decode(request).map_err(|fault| ::wallet_core::DecodeError::Bad { endpoint: E::META, fault })
        }
    }
}

/// Decodes as the one endpoint, or as that whose fixed field fits; the first reports what fits none.
fn one_of(here: &[&Endpoint<'_>]) -> TokenStream {
    let Some((first, others)) = here.split_first() else {
        return quote!(::core::result::Result::Err(::wallet_core::DecodeError::NoRoute));
    };
    let decode = |endpoint: &Endpoint<'_>| {
        let (name, module) = (pascal(endpoint.id), snake(endpoint.id));
        quote!(decode_as::<#module::Endpoint, B>(request).map(Self::#name))
    };
    let mut all = decode(first);
    let module = snake(first.id);
    let count = first.request.len();
    for other in others.iter().rev() {
        let Some(field) = first.discriminator(other) else { continue };
        let at = first.request.iter().position(|known| known.name == field.name);
        let wanted = other.request.iter().find(|known| known.name == field.name).and_then(|f| f.fixed);
        let decode = decode(other);
        all = quote! {
            if ::wallet_core::peek::<#count, B>(<#module::Endpoint as ::wallet_core::Endpoint>::META, #module::index, request, #at)
                .as_deref() == ::core::option::Option::Some(#wanted) { #decode } else { #all }
        };
    }
    all
}
