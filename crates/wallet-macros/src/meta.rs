//! The tables: every fact of the spec as a constant.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use wallet_spec::{
    Acknowledgement, Algorithm, Auth, Basis, Caller, Endpoint, Faults, Field, Form, Kind, Method, Name,
    Origin, Quantity, Spec, Text,
};

use crate::names::constant;

/// The constants' module. Names that did not resolve (a fault has been reported) fall back, so that it still compiles.
pub(crate) struct Meta<'s> {
    pub(crate) spec: &'s Spec,
}

pub(crate) fn text(text: &Text) -> TokenStream {
    let (zh, en) = (&text.zh, &text.en);
    quote!(::wallet_core::Text { zh: #zh, en: #en })
}

fn option<T: quote::ToTokens>(value: Option<T>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

pub(crate) fn origin(origin: &Origin) -> TokenStream {
    let basis = match origin.basis {
        Basis::Documented => quote!(Documented),
        Basis::Public => quote!(Public),
        Basis::Ours => quote!(Ours),
    };
    let (line, rule) = (option(origin.line), option(origin.rule.as_ref()));
    quote!(::wallet_core::Origin { basis: ::wallet_core::Basis::#basis, line: #line, rule: #rule })
}

pub(crate) fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
    }
}

fn algorithm(algorithm: Algorithm) -> TokenStream {
    match algorithm {
        Algorithm::Sha1 => quote!(::wallet_core::Algorithm::Sha1),
        Algorithm::HmacSha256 => quote!(::wallet_core::Algorithm::HmacSha256),
        Algorithm::RsaSha1 => quote!(::wallet_core::Algorithm::RsaSha1),
    }
}

fn form(form: Form) -> TokenStream {
    match form {
        Form::Concat => quote!(::wallet_core::Form::Concat),
        Form::Json => quote!(::wallet_core::Form::Json),
    }
}

impl Meta<'_> {
    fn code(&self, name: &str) -> Ident {
        match self.spec.codes.iter().any(|code| code.id.text == name) {
            true => constant("CODE_", name),
            false => format_ident!("CODE_FALLBACK"),
        }
    }

    fn refusal(&self, name: Option<&Name>) -> Ident {
        match name.filter(|name| self.spec.refusals.iter().any(|refusal| refusal.id.text == name.text)) {
            Some(name) => constant("REFUSAL_", name),
            None => format_ident!("REFUSAL_FALLBACK"),
        }
    }

    fn signing(&self, name: &Name) -> Ident {
        match self.spec.signings.iter().any(|signing| signing.id.text == name.text) {
            true => constant("SIGNING_", name),
            false => format_ident!("SIGNING_FALLBACK"),
        }
    }

    fn object(&self, name: &str) -> Option<Ident> {
        self.spec.objects.iter().any(|object| object.name.text == name).then(|| constant("OBJECT_", name))
    }

    fn kind(&self, kind: &Kind) -> TokenStream {
        let plain = match kind {
            Kind::Text => quote!(Text),
            Kind::Secret => quote!(Secret),
            Kind::Id => quote!(Id),
            Kind::Integer => quote!(Integer),
            Kind::Number => quote!(Number),
            Kind::Amount => quote!(Amount),
            Kind::Time => quote!(Time),
            Kind::Timestamp => quote!(Timestamp),
            Kind::Signature => quote!(Signature),
            Kind::Type(name) => match self.spec.types.iter().find(|t| t.name.text == *name).map(|t| t.base) {
                Some(wallet_spec::Base::Secret) => quote!(Secret),
                Some(wallet_spec::Base::Id) => quote!(Id),
                Some(wallet_spec::Base::Url) => quote!(Url),
                _ => quote!(Text),
            },
            Kind::Choice(name) => {
                let choice = constant("CHOICE_", name);
                quote!(Choice(#choice))
            }
            Kind::Object(name) => match self.object(name) {
                Some(object) => quote!(Object(#object)),
                None => quote!(Text),
            },
            Kind::List(name) => match self.object(name) {
                Some(object) => quote!(List(#object)),
                None => quote!(Text),
            },
        };
        quote!(::wallet_core::Kind::#plain)
    }

    fn field(&self, field: &Field) -> TokenStream {
        let name = &field.name.text;
        let (kind, required, max, fixed) =
            (self.kind(&field.kind), field.required, option(field.max), option(field.fixed.as_ref()));
        let otherwise = option(field.otherwise.as_ref().map(|name| self.refusal(Some(name))));
        let (read_also, top, doc, origin) =
            (&field.read_also, field.top, text(&field.doc), origin(&field.origin));
        quote!(::wallet_core::FieldMeta {
            name: #name, lead: ::wallet_core::lead!(#name), kind: #kind, required: #required, max: #max, fixed: #fixed, otherwise: #otherwise,
            read_also: &[#(#read_also),*], top: #top, doc: #doc, origin: #origin,
        })
    }

    fn fields(&self, fields: &[Field]) -> TokenStream {
        let fields = fields.iter().map(|field| self.field(field));
        quote!(&[#(#fields),*])
    }

    fn faults(&self, own: &Faults) -> TokenStream {
        let all = &self.spec.faults;
        let pick = |own: &Option<Name>, all: &Option<Name>| self.refusal(own.as_ref().or(all.as_ref()));
        let field = pick(&own.field, &all.field);
        let body = pick(&own.body, &all.body);
        let body_too_large = pick(&own.body_too_large, &all.body_too_large);
        // Without bearer tokens nobody can lack one.
        let bearer = pick(&own.bearer, if all.bearer.is_some() { &all.bearer } else { &all.field });
        let internal = pick(&own.internal, &all.internal);
        let overloaded = pick(&own.overloaded, &all.overloaded);
        quote!(::wallet_core::FaultsMeta {
            field: #field, body: #body, body_too_large: #body_too_large, bearer: #bearer,
            internal: #internal, overloaded: #overloaded,
        })
    }

    fn endpoint(&self, endpoint: &Endpoint) -> TokenStream {
        let constant = constant("ENDPOINT_", &endpoint.id);
        let (id, path) = (&endpoint.id.text, &endpoint.path.text);
        let methods = endpoint.methods.iter().map(|m| method(*m));
        let also_at = endpoint.also_at.iter().map(|path| &path.text);
        let caller = match endpoint.caller {
            Caller::Wallet => quote!(Wallet),
            Caller::AppClient => quote!(AppClient),
            Caller::AppServer => quote!(AppServer),
            Caller::Anyone => quote!(Anyone),
        };
        let auth = match endpoint.auth {
            Auth::None => quote!(None),
            Auth::Bearer => quote!(Bearer),
            Auth::Client => quote!(Client),
            Auth::Session => quote!(Session),
            Auth::Signature => quote!(Signature),
            Auth::AccessToken => quote!(AccessToken),
        };
        let scope = option(endpoint.scope.as_ref().map(|scope| &scope.text));
        let signing = option(endpoint.signing.as_ref().map(|name| self.signing(name)));
        let errors = endpoint.errors.iter().map(|name| self.refusal(Some(name)));
        let faults = self.faults(&endpoint.faults);
        let refusal_data = option(endpoint.refusal_data.as_ref().and_then(|name| self.object(name)));
        let request = self.fields(&endpoint.request);
        let response = match endpoint.response_object.as_ref().and_then(|name| self.object(name)) {
            Some(object) => quote!(#object.fields),
            None => self.fields(&endpoint.response),
        };
        let in_query = endpoint.in_query;
        let response_value = option(endpoint.response_value.as_ref().map(|field| {
            let field = self.field(field);
            quote!(&#field)
        }));
        let (browser, doc, origin) = (text(&endpoint.browser), text(&endpoint.doc), origin(&endpoint.origin));
        quote! {
            pub const #constant: &::wallet_core::EndpointMeta = &::wallet_core::EndpointMeta {
                id: #id, methods: &[#(#methods),*], path: #path, also_at: &[#(#also_at),*],
                caller: ::wallet_core::Caller::#caller, auth: ::wallet_core::Auth::#auth, scope: #scope,
                signing: #signing, errors: &[#(#errors),*], faults: #faults, refusal_data: #refusal_data,
                in_query: #in_query, request: #request, response: #response, response_value: #response_value,
                envelope: ENVELOPE, browser: #browser, doc: #doc, origin: #origin,
            };
        }
    }

    fn quantities(&self, prefix: &str, list: &[Quantity]) -> TokenStream {
        let items = list.iter().map(|quantity| {
            let constant = constant(prefix, &quantity.id);
            let (id, value) = (&quantity.id.text, quantity.value);
            let (doc, origin) = (text(&quantity.doc), origin(&quantity.origin));
            quote! {
                pub const #constant: &::wallet_core::QuantityMeta =
                    &::wallet_core::QuantityMeta { id: #id, value: #value, doc: #doc, origin: #origin };
            }
        });
        quote!(#(#items)*)
    }

    /// The module.
    pub(crate) fn module(&self) -> TokenStream {
        let spec = self.spec;
        let codes = spec.codes.iter().map(|code| {
            let constant = constant("CODE_", &code.id);
            let (id, number, sent) = (&code.id.text, code.code, code.sent);
            let (text, check, origin) = (text(&code.text), text(&code.check), origin(&code.origin));
            quote! {
                pub const #constant: &::wallet_core::CodeMeta = &::wallet_core::CodeMeta {
                    id: #id, code: #number, sent: #sent, text: #text, check: #check, origin: #origin,
                };
            }
        });
        let refusals = spec.refusals.iter().map(|refusal| {
            let constant = constant("REFUSAL_", &refusal.id);
            let (id, code, http) = (&refusal.id.text, self.code(&refusal.code), refusal.http);
            let (oauth, doc, origin) =
                (option(refusal.oauth.as_ref()), text(&refusal.doc), origin(&refusal.origin));
            quote! {
                pub const #constant: &::wallet_core::RefusalMeta = &::wallet_core::RefusalMeta {
                    id: #id, code: #code, http: #http, oauth: #oauth, doc: #doc, origin: #origin,
                };
            }
        });
        let signings = spec.signings.iter().map(|signing| {
            let constant = constant("SIGNING_", &signing.id);
            let (id, algorithm) = (&signing.id.text, algorithm(signing.algorithm));
            let (canonical, form) = (signing.canonical.iter().map(|part| &part.text), form(signing.form));
            let (key, derive) = (&signing.key.text, option(signing.derive.as_ref()));
            let (key_id, field) = (option(signing.key_id.as_ref().map(|id| &id.text)), &signing.field.text);
            let window = option(signing.window.as_ref().map(|(field, seconds)| {
                let field = &field.text;
                quote!((#field, #seconds))
            }));
            let invalid = option(signing.invalid.as_ref().map(|name| self.refusal(Some(name))));
            let expired = option(signing.expired.as_ref().map(|name| self.refusal(Some(name))));
            let (doc, origin) = (text(&signing.doc), origin(&signing.origin));
            quote! {
                pub const #constant: &::wallet_core::SigningMeta = &::wallet_core::SigningMeta {
                    id: #id, algorithm: #algorithm, canonical: &[#(::wallet_core::lead!(#canonical)),*], form: #form,
                    key: #key, derive: #derive,
                    key_id: #key_id, field: #field, window: #window, invalid: #invalid, expired: #expired,
                    doc: #doc, origin: #origin,
                };
            }
        });
        let choices = spec.choices.iter().map(|choice| {
            let constant = constant("CHOICE_", &choice.name);
            let (name, doc) = (&choice.name.text, text(&choice.doc));
            let values = choice.values.iter().map(|value| {
                let (wire, doc) = (&value.value, text(&value.doc));
                quote!((#wire, #doc))
            });
            quote! {
                pub const #constant: &::wallet_core::ChoiceMeta =
                    &::wallet_core::ChoiceMeta { name: #name, doc: #doc, values: &[#(#values),*] };
            }
        });
        let objects = spec.objects.iter().map(|object| {
            let constant = constant("OBJECT_", &object.name);
            let name = &object.name.text;
            let (doc, fields, origin) =
                (text(&object.doc), self.fields(&object.fields), origin(&object.origin));
            quote! {
                pub const #constant: &::wallet_core::ObjectMeta =
                    &::wallet_core::ObjectMeta { name: #name, doc: #doc, fields: #fields, origin: #origin };
            }
        });
        let endpoints = spec.endpoints.iter().map(|endpoint| self.endpoint(endpoint));
        let callbacks = spec.callbacks.iter().map(|callback| {
            let constant = constant("CALLBACK_", &callback.id);
            let (id, method, target) = (&callback.id.text, method(callback.method), &callback.target.text);
            let signing = option(callback.signing.as_ref().map(|name| self.signing(name)));
            let stretches = callback.retry.iter().map(|stretch| {
                let (times, wait_ms) = (stretch.times, stretch.wait_ms);
                quote!(::wallet_core::Stretch { times: #times, wait_ms: #wait_ms })
            });
            let (deadline_ms, max_reply_bytes) = (callback.deadline_ms, callback.max_reply_bytes);
            let acknowledged_by = match &callback.acknowledged_by {
                Acknowledgement::Status(status) => quote!(::wallet_core::Acknowledgement::Status(#status)),
                Acknowledgement::Json(member) => quote!(::wallet_core::Acknowledgement::Json(#member)),
            };
            let (fields, doc, origin) = (self.fields(&callback.fields), text(&callback.doc), origin(&callback.origin));
            quote! {
                pub const #constant: &::wallet_core::CallbackMeta = &::wallet_core::CallbackMeta {
                    id: #id, method: #method, target: #target, signing: #signing,
                    schedule: ::wallet_core::Schedule { stretches: &[#(#stretches),*], acknowledged_by: #acknowledged_by },
                    deadline_ms: #deadline_ms, max_reply_bytes: #max_reply_bytes, fields: #fields, doc: #doc, origin: #origin,
                };
            }
        });
        let links = spec.links.iter().map(|link| {
            let constant = constant("LINK_", &link.id);
            let (id, qr_scheme) = (&link.id.text, &link.qr_scheme);
            let signing = option(link.signing.as_ref().map(|name| self.signing(name)));
            let errors = link.errors.iter().map(|name| self.refusal(Some(name)));
            let (fields, doc, origin) = (self.fields(&link.fields), text(&link.doc), origin(&link.origin));
            quote! {
                pub const #constant: &::wallet_core::LinkMeta = &::wallet_core::LinkMeta {
                    id: #id, qr_scheme: #qr_scheme, signing: #signing, errors: &[#(#errors),*], fields: #fields,
                    doc: #doc, origin: #origin,
                };
            }
        });
        let profiles = spec.profiles.iter().map(|profile| {
            let constant = constant("PROFILE_", &profile.id);
            let (id, scheme, read_also) = (&profile.id.text, &profile.scheme, &profile.read_also);
            let values = profile.values.iter().map(|(name, value)| {
                let name = &name.text;
                quote!((#name, #value))
            });
            let (doc, origin) = (text(&profile.doc), origin(&profile.origin));
            quote! {
                pub const #constant: &::wallet_core::ProfileMeta = &::wallet_core::ProfileMeta {
                    id: #id, scheme: #scheme, read_also: &[#(#read_also),*], values: &[#(#values),*], doc: #doc,
                    origin: #origin,
                };
            }
        });
        let scopes = spec.scopes.iter().map(|scope| {
            let (id, doc) = (&scope.id.text, text(&scope.doc));
            quote!(&::wallet_core::ScopeMeta { id: #id, doc: #doc })
        });
        let rules = spec.rules.iter().map(|rule| {
            let (id, what, text) = (&rule.id.text, text(&rule.what), text(&rule.text));
            quote!(::wallet_core::RuleMeta { id: #id, what: #what, text: #text })
        });
        let (lifetimes, limits) =
            (self.quantities("LIFETIME_", &spec.lifetimes), self.quantities("LIMIT_", &spec.limits));
        let list = |prefix: &str, names: Vec<&Name>| {
            let names = names.into_iter().map(|name| constant(prefix, name));
            quote!(&[#(#names),*])
        };
        let all_endpoints = list("ENDPOINT_", spec.endpoints.iter().map(|x| &x.id).collect());
        let all_callbacks = list("CALLBACK_", spec.callbacks.iter().map(|x| &x.id).collect());
        let all_links = list("LINK_", spec.links.iter().map(|x| &x.id).collect());
        let all_profiles = list("PROFILE_", spec.profiles.iter().map(|x| &x.id).collect());
        let all_signings = list("SIGNING_", spec.signings.iter().map(|x| &x.id).collect());
        let all_codes = list("CODE_", spec.codes.iter().map(|x| &x.id).collect());
        let all_refusals = list("REFUSAL_", spec.refusals.iter().map(|x| &x.id).collect());
        let all_objects = list("OBJECT_", spec.objects.iter().map(|x| &x.name).collect());
        let all_lifetimes = list("LIFETIME_", spec.lifetimes.iter().map(|x| &x.id).collect());
        let all_limits = list("LIMIT_", spec.limits.iter().map(|x| &x.id).collect());
        let envelope = &spec.envelope;
        let ok = option(envelope.ok.map(|ok| {
            let code = spec.codes.iter().find(|code| code.code == ok);
            self.code(code.map_or("", |code| &code.id.text))
        }));
        let digits = option(envelope.digits);
        let (success, status, message, data, read_also) =
            (&envelope.success, &envelope.status, &envelope.message, &envelope.data, &envelope.read_also);
        let (id, base_path, doc) = (&spec.id, &spec.base_path, text(&spec.doc));
        let faults = self.faults(&Faults::default());
        let none = quote!(::wallet_core::Text { zh: "", en: "" });
        let nowhere = origin(&Origin::default());
        quote! {
            #[allow(dead_code, unreachable_pub, missing_docs)]
            mod meta {
                pub const CODE_FALLBACK: &::wallet_core::CodeMeta =
                    &::wallet_core::CodeMeta { id: "", code: 0, sent: false, text: #none, check: #none, origin: #nowhere };
                pub const REFUSAL_FALLBACK: &::wallet_core::RefusalMeta = &::wallet_core::RefusalMeta {
                    id: "", code: CODE_FALLBACK, http: 500, oauth: ::core::option::Option::None, doc: #none, origin: #nowhere,
                };
                pub const SIGNING_FALLBACK: &::wallet_core::SigningMeta = &::wallet_core::SigningMeta {
                    id: "", algorithm: ::wallet_core::Algorithm::Sha1, canonical: &[],
                    form: ::wallet_core::Form::Concat, key: "",
                    derive: ::core::option::Option::None, key_id: ::core::option::Option::None, field: "",
                    window: ::core::option::Option::None, invalid: ::core::option::Option::None,
                    expired: ::core::option::Option::None, doc: #none, origin: #nowhere,
                };
                #(#codes)*
                #(#refusals)*
                #(#signings)*
                #(#choices)*
                #(#objects)*
                #lifetimes
                #limits
                pub const ENVELOPE: &::wallet_core::EnvelopeMeta = &::wallet_core::EnvelopeMeta {
                    success: #success, status: #status, message: #message, data: #data, ok: #ok, digits: #digits,
                    read_also: &[#(#read_also),*],
                };
                pub const FAULTS: &::wallet_core::FaultsMeta = &#faults;
                #(#endpoints)*
                #(#callbacks)*
                #(#links)*
                #(#profiles)*
                pub const PLATFORM: &::wallet_core::PlatformMeta = &::wallet_core::PlatformMeta {
                    id: #id, base_path: #base_path, doc: #doc, envelope: ENVELOPE, endpoints: #all_endpoints,
                    callbacks: #all_callbacks, links: #all_links, profiles: #all_profiles, signings: #all_signings, codes: #all_codes, refusals: #all_refusals,
                    objects: #all_objects, scopes: &[#(#scopes),*], lifetimes: #all_lifetimes, limits: #all_limits,
                    rules: &[#(#rules),*],
                };
            }
        }
    }
}
