//! What can only be judged once everything has been read: references, uniqueness, and what belongs together.

use std::collections::HashMap;
use std::ops::Range;

use crate::model::*;
use crate::table::Faults as FaultList;

/// How many fields a signing rule may cover: `Unverified` keeps their texts without allocating.
pub(crate) const MAX_SIGNED: usize = 8;

pub(crate) fn check(spec: &Spec, with_rules: bool, faults: &FaultList<'_>) {
    let c = Check { spec, with_rules, faults };
    c.unique(
        "type",
        spec.types
            .iter()
            .map(|t| &t.name)
            .chain(spec.choices.iter().map(|c| &c.name))
            .chain(spec.objects.iter().map(|o| &o.name)),
    );
    c.unique("scope", spec.scopes.iter().map(|s| &s.id));
    c.unique("lifetime", spec.lifetimes.iter().map(|l| &l.id));
    c.unique("limit", spec.limits.iter().map(|l| &l.id));
    c.unique("code", spec.codes.iter().map(|code| &code.id));
    c.unique("refusal", spec.refusals.iter().map(|refusal| &refusal.id));
    c.unique("signing", spec.signings.iter().map(|signing| &signing.id));
    c.unique(
        "endpoint, callback or link",
        (spec.endpoints.iter().map(|e| &e.id))
            .chain(spec.callbacks.iter().map(|c| &c.id))
            .chain(spec.links.iter().map(|link| &link.id)),
    );
    c.codes();
    c.faults_refer(&spec.faults);
    for (name, given) in [
        ("field", &spec.faults.field),
        ("body", &spec.faults.body),
        ("body_too_large", &spec.faults.body_too_large),
        ("bearer", &spec.faults.bearer),
        ("internal", &spec.faults.internal),
        ("overloaded", &spec.faults.overloaded),
    ] {
        // Without bearer tokens nobody can lack one.
        let needed = name != "bearer" || spec.endpoints.iter().any(|e| e.auth == Auth::Bearer);
        if needed && given.is_none() {
            faults.report(0..0, format!("[faults] lacks `{name}`"), Some("the id of a refusal".to_owned()));
        }
    }
    for choice in &spec.choices {
        c.unique("value", choice.values.iter().map(|value| &value.id));
    }
    for object in &spec.objects {
        c.fields(&object.fields, object.name.span.clone());
    }
    for signing in &spec.signings {
        c.signing(signing);
    }
    for endpoint in &spec.endpoints {
        c.endpoint(endpoint);
    }
    for link in &spec.links {
        c.fields(&link.fields, link.id.span.clone());
        c.signed(&link.id, link.signing.as_ref(), &link.fields);
        c.rule(&link.origin, link.id.span.clone());
        link.errors.iter().for_each(|error| c.refusal(Some(error)));
    }
    c.unique("profile", spec.profiles.iter().map(|profile| &profile.id));
    if let (Some(link), true) = (spec.links.first(), spec.profiles.is_empty()) {
        let help = Some("an app link has the scheme of a profile".to_owned());
        faults.report(link.id.span.clone(), "there is a link and no `[[profile]]`", help);
    }
    for callback in &spec.callbacks {
        c.fields(&callback.fields, callback.id.span.clone());
        c.refers("signing", callback.signing.as_ref(), spec.signings.iter().map(|s| &s.id));
        c.rule(&callback.origin, callback.id.span.clone());
        let mut lists =
            spec.endpoints.iter().map(|e| &e.request).chain(spec.links.iter().map(|link| &link.fields));
        if !lists.any(|fields| fields.iter().any(|field| field.name.text == callback.target.text)) {
            let help = Some("name the field that carries the callback's address".to_owned());
            faults.report(
                callback.target.span.clone(),
                format!("no endpoint and no link has a field `{}`", callback.target.text),
                help,
            );
        }
    }
    c.paths();
    c.rule(&spec.envelope.origin, 0..0);
    for (origin, name) in (spec.types.iter().map(|t| (&t.origin, &t.name)))
        .chain(spec.choices.iter().map(|x| (&x.origin, &x.name)))
        .chain(spec.scopes.iter().map(|x| (&x.origin, &x.id)))
        .chain(spec.lifetimes.iter().chain(&spec.limits).map(|x| (&x.origin, &x.id)))
        .chain(spec.codes.iter().map(|x| (&x.origin, &x.id)))
        .chain(spec.refusals.iter().map(|x| (&x.origin, &x.id)))
        .chain(spec.signings.iter().map(|x| (&x.origin, &x.id)))
        .chain(spec.objects.iter().map(|x| (&x.origin, &x.name)))
        .chain(spec.endpoints.iter().map(|x| (&x.origin, &x.id)))
    {
        c.rule(origin, name.span.clone());
    }
}

struct Check<'a> {
    spec: &'a Spec,
    with_rules: bool,
    faults: &'a FaultList<'a>,
}

impl<'a> Check<'a> {
    fn unique(&self, what: &str, names: impl Iterator<Item = &'a Name>) {
        let mut seen = HashMap::new();
        for name in names {
            if seen.insert(name.text.as_str(), ()).is_some() {
                self.faults.report(
                    name.span.clone(),
                    format!("{what} `{}` is declared twice", name.text),
                    None,
                );
            }
        }
    }

    fn refers(&self, what: &str, name: Option<&Name>, valid: impl Iterator<Item = &'a Name>) {
        let Some(name) = name else { return };
        let valid: Vec<&str> = valid.map(|name| name.text.as_str()).collect();
        if !valid.contains(&name.text.as_str()) {
            self.faults.unknown(what, &name.text, name.span.clone(), valid);
        }
    }

    fn refusal(&self, name: Option<&Name>) {
        self.refers("refusal", name, self.spec.refusals.iter().map(|refusal| &refusal.id));
    }

    fn rule(&self, origin: &Origin, span: Range<usize>) {
        let Some(rule) = &origin.rule else { return };
        if self.with_rules && !self.spec.rules.iter().any(|known| known.id.text == *rule) {
            self.faults.unknown("rule", rule, span, self.spec.rules.iter().map(|rule| rule.id.text.as_str()));
        }
    }

    fn codes(&self) {
        let mut seen: HashMap<u32, &str> = HashMap::new();
        for code in &self.spec.codes {
            if let Some(first) = seen.insert(code.code, &code.id.text) {
                let message = format!("code {} is `{first}` already", code.code);
                let help = Some("one code in two situations is two refusals".to_owned());
                self.faults.report(code.id.span.clone(), message, help);
            }
        }
        if let Some(ok) = self.spec.envelope.ok
            && !self.spec.codes.is_empty()
            && !seen.contains_key(&ok)
        {
            let message = format!("no code has the number {ok} of success");
            self.faults.report(0..0, message, None);
        }
        for refusal in &self.spec.refusals {
            self.refers("code", Some(&refusal.code), self.spec.codes.iter().map(|code| &code.id));
        }
    }

    fn faults_refer(&self, faults: &Faults) {
        for name in [
            &faults.field,
            &faults.body,
            &faults.body_too_large,
            &faults.bearer,
            &faults.internal,
            &faults.overloaded,
        ] {
            self.refusal(name.as_ref());
        }
    }

    fn fields(&self, fields: &'a [Field], span: Range<usize>) {
        self.unique("field", fields.iter().map(|field| &field.name));
        for field in fields {
            let at = if field.name.span.is_empty() { span.clone() } else { field.name.span.clone() };
            if let Kind::Object(object) | Kind::List(object) = &field.kind
                && !self.spec.objects.iter().any(|known| known.name.text == *object)
            {
                let valid = self.spec.objects.iter().map(|known| known.name.text.as_str());
                self.faults.unknown("object", object, at.clone(), valid);
            }
            if !field.name.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                // Such names are written as they stand, in a form, in JSON and in a link.
                let help = Some("letters, digits and `_`".to_owned());
                self.faults.report(at.clone(), format!("no field can be named `{}`", field.name.text), help);
            }
            self.refusal(field.otherwise.as_ref());
            self.rule(&field.origin, at);
        }
    }

    fn signing(&self, signing: &Signing) {
        self.refusal(signing.invalid.as_ref());
        self.refusal(signing.expired.as_ref());
        if signing.canonical.len() > MAX_SIGNED {
            let message = format!("`canonical` may have at most {MAX_SIGNED} parts");
            self.faults.report(signing.canonical[MAX_SIGNED].span.clone(), message, None);
        }
        if signing.algorithm == Algorithm::Sha1
            && !signing.canonical.iter().any(|part| part.text == signing.key.text)
        {
            let message =
                format!("`canonical` does not name the key `{}`: anyone could sign", signing.key.text);
            self.faults.report(signing.key.span.clone(), message, None);
        }
        if let Some((field, _)) = &signing.window
            && !signing.canonical.iter().any(|part| part.text == field.text)
        {
            let message = format!("the window's field `{}` is not part of `canonical`", field.text);
            let help = Some("a time that is not signed proves nothing".to_owned());
            self.faults.report(field.span.clone(), message, help);
        }
    }

    fn endpoint(&self, endpoint: &'a Endpoint) {
        let spec = self.spec;
        self.fields(&endpoint.request, endpoint.id.span.clone());
        self.fields(&endpoint.response, endpoint.id.span.clone());
        self.refers("scope", endpoint.scope.as_ref(), spec.scopes.iter().map(|scope| &scope.id));
        for error in &endpoint.errors {
            self.refusal(Some(error));
        }
        self.unique("error", endpoint.errors.iter());
        self.faults_refer(&endpoint.faults);
        for object in [&endpoint.refusal_data, &endpoint.response_object] {
            self.refers("object", object.as_ref(), spec.objects.iter().map(|object| &object.name));
        }
        for part in
            endpoint.request.iter().filter(|field| matches!(field.kind, Kind::Object(_) | Kind::List(_)))
        {
            let message = format!("a request field cannot be an object: `{}`", part.name.text);
            self.faults.report(part.name.span.clone(), message, None);
        }
        let has = |name: &str| endpoint.request.iter().any(|field| field.name.text == name);
        self.signed(&endpoint.id, endpoint.signing.as_ref(), &endpoint.request);
        let needs = |fields: &[&str], what: &str| {
            for field in fields.iter().filter(|field| !has(field)) {
                let message = format!(
                    "endpoint `{}` has `auth = \"{what}\"` and lacks the field `{field}`",
                    endpoint.id.text
                );
                self.faults.report(endpoint.id.span.clone(), message, None);
            }
        };
        match endpoint.auth {
            Auth::Client => needs(&["client_id", "client_secret"], "client"),
            Auth::Session => needs(&["session_key"], "session"),
            Auth::Signature if endpoint.signing.is_none() => {
                let message =
                    format!("endpoint `{}` is known by its signature and has no `signing`", endpoint.id.text);
                self.faults.report(endpoint.id.span.clone(), message, None);
            }
            Auth::AccessToken => needs(&["accessToken"], "access_token"),
            Auth::Signature | Auth::Bearer | Auth::None => {}
        }
        if endpoint.scope.is_some() && endpoint.auth != Auth::Bearer {
            let message = format!("endpoint `{}` has a scope and no bearer token", endpoint.id.text);
            self.faults.report(endpoint.id.span.clone(), message, None);
        }
    }

    /// What is signed has the fields that its rule names; what is not has none of a signature.
    fn signed(&self, id: &Name, signing: Option<&Name>, fields: &'a [Field]) {
        let has = |name: &str| fields.iter().any(|field| field.name.text == name);
        let Some(signing) = signing else {
            for field in fields.iter().filter(|f| matches!(f.kind, Kind::Signature | Kind::Timestamp)) {
                let message = format!(
                    "`{}` belongs to a signature, and `{}` has no `signing`",
                    field.name.text, id.text
                );
                self.faults.report(field.name.span.clone(), message, None);
            }
            return;
        };
        let Some(rule) = self.spec.signings.iter().find(|rule| rule.id.text == signing.text) else {
            return self.refers("signing", Some(signing), self.spec.signings.iter().map(|rule| &rule.id));
        };
        for part in rule.canonical.iter().filter(|_| rule.form == Form::Json) {
            let optional = fields.iter().find(|field| field.name.text == part.text && !field.required);
            if let Some(field) = optional {
                let message =
                    format!("`{}` is signed by `{}` and must be required", field.name.text, rule.id.text);
                let help = Some("absent and empty would be signed alike".to_owned());
                self.faults.report(field.name.span.clone(), message, help);
            }
        }
        let needed = (rule.canonical.iter().filter(|part| part.text != rule.key.text))
            .chain([&rule.field])
            .chain(rule.key_id.as_ref());
        for part in needed.filter(|part| !has(part)) {
            let message =
                format!("`{}` is signed by `{}` and lacks its field `{}`", id.text, rule.id.text, part.text);
            self.faults.report(id.span.clone(), message, None);
        }
    }

    /// Two endpoints may share a path when a field with different fixed values tells them apart.
    fn paths(&self) {
        let mut seen: Vec<(&str, Method, &Endpoint)> = Vec::new();
        for endpoint in &self.spec.endpoints {
            for path in std::iter::once(&endpoint.path).chain(&endpoint.also_at) {
                for method in &endpoint.methods {
                    for (_, _, other) in seen.iter().filter(|(p, m, _)| *p == path.text && m == method) {
                        if discriminator(endpoint, other).is_none() {
                            let message = format!(
                                "`{}` is the path of endpoint `{}` already",
                                path.text, other.id.text
                            );
                            let help = Some(
                                "give both a field with different `fixed` values, or another path".to_owned(),
                            );
                            self.faults.report(path.span.clone(), message, help);
                        }
                    }
                    seen.push((&path.text, *method, endpoint));
                }
            }
        }
    }
}

/// The field that has a different fixed value in each of two endpoints.
pub(crate) fn discriminator<'a>(a: &'a Endpoint, b: &Endpoint) -> Option<&'a Field> {
    a.request.iter().find(|field| {
        let other = b.request.iter().find(|other| other.name.text == field.name.text);
        field.fixed.is_some()
            && other.is_some_and(|other| other.fixed.is_some() && other.fixed != field.fixed)
    })
}

impl Endpoint {
    /// The field whose fixed value tells this endpoint from another at the same path.
    pub fn discriminator(&self, other: &Endpoint) -> Option<&Field> {
        discriminator(self, other)
    }
}
