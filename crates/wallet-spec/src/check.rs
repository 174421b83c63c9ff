//! Checks that need the whole spec: the relations between its parts.

use std::collections::HashMap;

use crate::file::File;
use crate::model::*;

/// The largest number of texts that a signing scheme covers: `Unverified` keeps them without allocating.
pub(crate) const MAX_SIGNED: usize = 8;

pub(crate) fn check<'s>(spec: &Spec<'s>, file: &File<'s>) {
    let check = Check { spec, file };
    check.names();
    check.codes();
    check.fields();
    spec.signings.iter().for_each(|signing| check.signing(signing));
    spec.endpoints.iter().for_each(|endpoint| check.endpoint(endpoint));
    for link in spec.links {
        check.signed(link.id, link.signing, link.fields);
        check.refused(link.id, link.signing, link.errors);
    }
    if let (Some(link), true) = (spec.links.first(), spec.profiles.is_empty()) {
        let help = Some("an app link has the scheme of a profile".to_owned());
        file.report(file.place(link.id), "there is a link and no `[[profile]]`", help);
    }
    if let (Some(link), None) = (spec.links.last(), spec.link_discriminator()) {
        let help = Some("for example { name = \"type\", fixed = \"login\" }".to_owned());
        let message = "this link cannot be distinguished from others: give each a member with a `fixed` value of its own";
        file.report(file.place(link.id), message, help);
    }
    spec.callbacks.iter().for_each(|callback| check.callback(callback));
    check.paths();
    if spec.faults.bearer.id.is_empty()
        && spec
            .endpoints
            .iter()
            .any(|endpoint| endpoint.auth == Auth::Bearer && endpoint.faults.bearer.id.is_empty())
    {
        file.report(0..0, "[faults] lacks `bearer`", Some("the id of a refusal".to_owned()));
    }
}

struct Check<'c, 's> {
    spec: &'c Spec<'s>,
    file: &'c File<'s>,
}

impl<'s> Check<'_, 's> {
    fn report(&self, at: &str, message: String, help: Option<&str>) {
        self.file.report(self.file.place(at), message, help.map(str::to_owned));
    }

    /// Names that share a Rust module, though they are declared in different sections.
    fn names(&self) {
        let spec = self.spec;
        let types = (spec.types.iter().map(|part| part.name))
            .chain(spec.choices.iter().map(|part| part.name))
            .chain(spec.objects.iter().map(|part| part.name));
        let modules = (spec.endpoints.iter().map(|part| part.id))
            .chain(spec.callbacks.iter().map(|part| part.id))
            .chain(spec.links.iter().map(|part| part.id));
        for (name, _) in spec.profiles.iter().flat_map(|profile| profile.values) {
            if ["meta", "scheme"].contains(name) {
                self.report(name, format!("a profile has a `{name}` already"), None);
            }
        }
        for (what, names) in
            [("type", types.collect::<Vec<_>>()), ("endpoint, callback or link", modules.collect())]
        {
            for (at, name) in names.iter().enumerate() {
                if names[..at].contains(name) {
                    self.report(name, format!("{what} `{name}` is declared twice"), None);
                }
            }
        }
    }

    fn codes(&self) {
        let mut seen: HashMap<u32, &str> = HashMap::new();
        for code in self.spec.codes {
            if let Some(first) = seen.insert(code.code, code.id) {
                let help = Some("one code in two situations is two refusals");
                self.report(code.id, format!("code {} is `{first}` already", code.code), help);
            }
        }
    }

    fn fields(&self) {
        let spec = self.spec;
        let lists = (spec.objects.iter().map(|object| object.fields))
            .chain(spec.endpoints.iter().flat_map(|endpoint| [endpoint.request, endpoint.response]))
            .chain(spec.callbacks.iter().map(|callback| callback.fields))
            .chain(spec.links.iter().map(|link| link.fields));
        for field in lists.flatten() {
            if !field.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                // Such names are written as they are, in a form, in JSON and in a link.
                let message = format!("no field can be named `{}`", field.name);
                self.report(field.name, message, Some("letters, digits and `_`"));
            }
        }
        let sent = (spec.endpoints.iter().map(|endpoint| endpoint.request))
            .chain(spec.callbacks.iter().map(|callback| callback.fields))
            .chain(spec.links.iter().map(|link| link.fields));
        for field in sent.flatten().filter(|field| matches!(field.kind, Kind::Object(_) | Kind::List(_))) {
            self.report(field.name, format!("only a reply holds objects: `{}`", field.name), None);
        }
        let replies = (spec.objects.iter().map(|object| object.fields))
            .chain(spec.endpoints.iter().map(|endpoint| endpoint.response));
        for field in replies.flatten().filter(|field| matches!(field.kind, Kind::Timestamp | Kind::Signature))
        {
            self.report(field.name, format!("a reply is not signed: `{}`", field.name), None);
        }
    }

    fn signing(&self, signing: &Signing<'s>) {
        if let Some(part) = signing.canonical.get(MAX_SIGNED) {
            self.report(part.name, format!("`canonical` may have at most {MAX_SIGNED} parts"), None);
        }
        let covers_key = signing.canonical.iter().any(|part| part.name == signing.key);
        match signing.algorithm {
            Algorithm::Sha1 if !covers_key => {
                let message =
                    format!("`canonical` does not name the key `{}`: anyone could sign", signing.key);
                self.report(signing.key, message, None);
            }
            Algorithm::HmacSha256 | Algorithm::RsaSha1 if covers_key => {
                let message = format!("`canonical` names the key `{}`", signing.key);
                self.report(signing.key, message, Some("only `sha1` hashes the key with the text"));
            }
            _ => {}
        }
        if let (Some(derive), false) = (signing.derive, signing.algorithm == Algorithm::HmacSha256) {
            self.report(derive, "only a key of `hmac_sha256` is derived".to_owned(), None);
        }
        if let Some(window) = signing.window
            && !signing.canonical.iter().any(|part| part.name == window.field)
        {
            let message = format!("the window's field `{}` is not part of `canonical`", window.field);
            self.report(window.field, message, Some("a time that is not signed proves nothing"));
        }
        if signing.in_headers() {
            self.headers(signing);
        }
    }

    /// A scheme for the headers of a callback: an id, a time and the body.
    fn headers(&self, signing: &Signing<'s>) {
        if signing.form != Form::Concat || signing.algorithm != Algorithm::HmacSha256 {
            let message =
                format!("`{}` signs a body: that takes `hmac_sha256` and `form = \"concat\"`", signing.id);
            self.report(signing.id, message, None);
        }
        if signing.window.is_none() || signing.message_id().is_none() {
            let help = Some("for example [\"webhook-id\", \".\", \"webhook-timestamp\", \".\", \"body\"]");
            let message =
                format!("`{}` signs a body and lacks a header with an id, or a `window`", signing.id);
            self.report(signing.id, message, help);
        }
    }

    fn endpoint(&self, endpoint: &Endpoint<'s>) {
        let has = |name: &str| endpoint.request.iter().any(|field| field.name == name);
        self.signed(endpoint.id, endpoint.signing, endpoint.request);
        self.refused(endpoint.id, endpoint.signing, endpoint.errors);
        let needs = |fields: &[&str], help| {
            for field in fields.iter().filter(|field| !has(field)) {
                let (id, auth) = (endpoint.id, endpoint.auth.word());
                let message =
                    format!("endpoint `{id}` has `auth = \"{auth}\"` and lacks the field `{field}`");
                self.report(id, message, help);
            }
        };
        match endpoint.auth {
            Auth::Client => needs(&["client_id", "client_secret"], None),
            Auth::Session => needs(&["session_key"], None),
            Auth::AccessToken => {
                needs(
                    &["accessToken"],
                    Some("for a token in the header `Authorization`, use `auth = \"bearer\"`"),
                );
            }
            Auth::Signature if endpoint.signing.is_none() => {
                let message =
                    format!("endpoint `{}` is known by its signature and has no `signing`", endpoint.id);
                self.report(endpoint.id, message, None);
            }
            Auth::Signature | Auth::Bearer | Auth::None => {}
        }
        if endpoint.scope.is_some() && endpoint.auth != Auth::Bearer {
            let message = format!("endpoint `{}` has a scope and no bearer token", endpoint.id);
            self.report(endpoint.id, message, None);
        }
    }

    fn callback(&self, callback: &Callback<'s>) {
        if !callback.signing.is_some_and(Signing::in_headers) {
            self.signed(callback.id, callback.signing, callback.fields);
        }
        let mut lists = (self.spec.endpoints.iter().map(|endpoint| endpoint.request))
            .chain(self.spec.links.iter().map(|link| link.fields));
        if !lists.any(|fields| fields.iter().any(|field| field.name == callback.target)) {
            let message = format!("no endpoint and no link has a field `{}`", callback.target);
            self.report(callback.target, message, Some("name the field that carries the callback's address"));
        }
    }

    /// Checks a signed part for its scheme's fields and their types, and an unsigned part for stray signature fields.
    fn signed(&self, id: &str, signing: Option<&Signing<'s>>, fields: &[Field<'s>]) {
        let Some(scheme) = signing else {
            for field in fields.iter().filter(|f| matches!(f.kind, Kind::Signature | Kind::Timestamp)) {
                let message = format!("`{}` belongs to a signature, and `{id}` has no `signing`", field.name);
                self.report(field.name, message, None);
            }
            return;
        };
        if scheme.id.is_empty() {
            return; // an unresolved name, already reported
        }
        let named = |name: &str| fields.iter().find(|field| field.name == name);
        for part in scheme.canonical.iter().filter(|_| scheme.form == Form::Json) {
            if let Some(field) = named(part.name).filter(|field| !field.required) {
                let message = format!("`{}` is signed by `{}` and must be required", field.name, scheme.id);
                self.report(field.name, message, Some("absent and empty would be signed alike"));
            }
        }
        let needed = (scheme.canonical.iter().map(|part| part.name).filter(|name| *name != scheme.key))
            .chain([scheme.field])
            .chain(scheme.key_id);
        for name in needed.filter(|name| named(name).is_none()) {
            let message = format!("`{id}` is signed by `{}` and lacks its field `{name}`", scheme.id);
            self.report(id, message, None);
        }
        let time = scheme.window.map(|window| window.field);
        for field in fields {
            let fault = match field.kind {
                Kind::Signature if field.name != scheme.field => "is not the signature of",
                Kind::Timestamp if Some(field.name) != time => "is not the time of",
                Kind::Signature | Kind::Timestamp => continue,
                _ if field.name == scheme.field => "must be of type `signature`: it carries that of",
                _ if Some(field.name) == time => "must be of type `timestamp`: it is the time of",
                _ => continue,
            };
            self.report(field.name, format!("`{}` {fault} `{}`", field.name, scheme.id), None);
        }
    }

    /// Checks that a signed part lists its scheme's refusals in `errors`.
    fn refused(&self, id: &str, signing: Option<&Signing<'s>>, errors: &[&Refusal<'s>]) {
        let refusals = signing.iter().flat_map(|scheme| [scheme.invalid, scheme.expired]).flatten();
        for refusal in refusals.filter(|refusal| errors.iter().all(|known| known.id != refusal.id)) {
            let message = format!(
                "`{id}` is signed, which may be refused as `{}`: that is not in `errors`",
                refusal.id
            );
            self.report(id, message, None);
        }
    }

    /// Two endpoints may share a path if a field with different fixed values distinguishes them.
    fn paths(&self) {
        let mut seen: Vec<(&str, Method, &Endpoint<'_>)> = Vec::new();
        for endpoint in self.spec.endpoints {
            for path in endpoint.paths() {
                for method in endpoint.methods {
                    for (_, _, other) in seen.iter().filter(|(p, m, _)| *p == path && m == method) {
                        if endpoint.discriminator(other).is_none() {
                            let message = format!("`{path}` is the path of endpoint `{}` already", other.id);
                            let help =
                                Some("give both a field with different `fixed` values, or another path");
                            self.report(path, message, help);
                        }
                    }
                    seen.push((path, *method, endpoint));
                }
            }
        }
    }
}
