//! Reads the sections of a spec, top down, in the order in which they stand in the file.

use toml::de::DeTable;

use crate::check;
use crate::fault::{Fault, Source};
use crate::model::*;
use crate::table::{Faults as FaultList, Table};

impl Spec {
    /// Reads a spec and, when given, the rules it refers to. What could be read is returned beside all faults;
    /// the spec may be relied on only when there are none.
    pub fn read(source: &Source, rules: Option<&Source>) -> (Spec, Vec<Fault>) {
        let mut faults = Vec::new();
        let rule_list = rules.map(|rules| {
            let list = FaultList::new(rules);
            let read = with_root(rules, &list, read_rules);
            faults.extend(list.into_sorted());
            read
        });
        let list = FaultList::new(source);
        let mut spec = with_root(source, &list, read_spec);
        spec.rules = rule_list.unwrap_or_default();
        spec.rules.retain(|rule| rule.of.as_ref().is_none_or(|of| *of == spec.id));
        check::check(&spec, rules.is_some(), &list);
        faults.extend(list.into_sorted());
        spec.keep_first_of_each_name();
        (spec, faults)
    }
}

impl Spec {
    /// A name that is declared twice is a fault; what comes of it is made once, so that the compiler has nothing to add.
    fn keep_first_of_each_name(&mut self) {
        fn once<T>(list: &mut Vec<T>, name: impl Fn(&T) -> &str) {
            let mut seen = std::collections::HashSet::new();
            list.retain(|item| seen.insert(name(item).to_owned()));
        }
        once(&mut self.types, |item| &item.name);
        once(&mut self.choices, |item| &item.name);
        once(&mut self.objects, |item| &item.name);
        once(&mut self.scopes, |item| &item.id);
        once(&mut self.lifetimes, |item| &item.id);
        once(&mut self.limits, |item| &item.id);
        once(&mut self.codes, |item| &item.id);
        once(&mut self.refusals, |item| &item.id);
        once(&mut self.signings, |item| &item.id);
        once(&mut self.endpoints, |item| &item.id);
        once(&mut self.callbacks, |item| &item.id);
        once(&mut self.links, |item| &item.id);
        once(&mut self.profiles, |item| &item.id);
        for choice in &mut self.choices {
            once(&mut choice.values, |item| &item.id);
        }
        let lists = (self.objects.iter_mut().map(|object| &mut object.fields))
            .chain(self.endpoints.iter_mut().flat_map(|e| [&mut e.request, &mut e.response]))
            .chain(self.callbacks.iter_mut().map(|callback| &mut callback.fields))
            .chain(self.links.iter_mut().map(|link| &mut link.fields));
        for fields in lists {
            once(fields, |item| &item.name);
        }
    }
}

fn with_root<T>(source: &Source, faults: &FaultList<'_>, read: impl FnOnce(&Table<'_>) -> T) -> T {
    let (root, errors) = DeTable::parse_recoverable(source.text());
    for error in errors {
        faults.report(error.span().unwrap_or(0..0), format!("this is not TOML: {}", error.message()), None);
    }
    let table = Table::new(faults, root.get_ref(), 0..0, "the file");
    let value = read(&table);
    table.finish();
    value
}

fn read_rules(root: &Table<'_>) -> Vec<Rule> {
    each(root, "rule", |table| {
        Some(Rule {
            id: table.required_text("id")?,
            of: table.text("of").map(|name| name.text),
            what: table.both("what", true),
            text: Text {
                zh: table.required_text("zh").map(|name| name.text).unwrap_or_default(),
                en: table.required_text("en").map(|name| name.text).unwrap_or_default(),
            },
        })
    })
}

/// Reads each table of an array; one that cannot be read is left out, its faults being reported.
fn each<T>(parent: &Table<'_>, key: &'static str, read: impl Fn(&Table<'_>) -> Option<T>) -> Vec<T> {
    let mut list = Vec::new();
    for table in parent.tables(key) {
        list.extend(read(&table));
        table.finish();
    }
    list
}

fn read_spec(root: &Table<'_>) -> Spec {
    let mut spec = Spec::default();
    match root.table("platform") {
        None => root.missing("[platform]"),
        Some(table) => {
            spec.id = identifier(&table, "id").map(|name| name.text).unwrap_or_default();
            if let Some(path) = table.required_text("base_path") {
                if !(path.starts_with('/') && path.ends_with('/')) {
                    let help = Some("for example \"/fomo/\"".to_owned());
                    table.faults.report(path.span.clone(), "base_path must begin and end with `/`", help);
                }
                spec.base_path = path.text;
            }
            spec.doc = table.both("doc", true);
            table.finish();
        }
    }
    match root.table("envelope") {
        None => root.missing("[envelope]"),
        Some(table) => {
            let member = |key| table.required_text(key).map(|name| name.text).unwrap_or_default();
            spec.envelope = Envelope {
                success: member("success"),
                status: member("status"),
                message: member("message"),
                data: member("data"),
                ok: table.small("ok"),
                digits: table.small("digits"),
                read_also: table.texts("read_also").into_iter().map(|name| name.text).collect(),
                origin: origin(&table),
            };
            table.finish();
        }
    }
    if let Some(table) = root.table("faults") {
        spec.faults = faults(&table);
        origin(&table);
        table.finish();
    }
    spec.types = each(root, "type", read_type);
    spec.choices = each(root, "choice", read_choice);
    spec.scopes = each(root, "scope", |table| {
        Some(Scope { id: identifier(table, "id")?, doc: table.both("doc", true), origin: origin(table) })
    });
    spec.lifetimes = each(root, "lifetime", |table| quantity(table, "seconds"));
    spec.limits = each(root, "limit", |table| quantity(table, "value"));
    spec.codes = each(root, "code", read_code);
    spec.refusals = each(root, "refusal", read_refusal);
    // Each code that is sent is a refusal of its own name, unless one is declared.
    for code in spec.codes.iter().filter(|code| code.sent && Some(code.code) != spec.envelope.ok) {
        if !spec.refusals.iter().any(|refusal| refusal.id.text == code.id.text) {
            spec.refusals.push(Refusal {
                id: code.id.clone(),
                code: code.id.clone(),
                http: 200,
                oauth: None,
                doc: code.text.clone(),
                origin: code.origin.clone(),
            });
        }
    }
    spec.signings = each(root, "signing", read_signing);
    let kinds = Kinds {
        types: spec
            .types
            .iter()
            .map(|t| (t.name.text.clone(), t.doc.clone(), t.max, t.origin.clone()))
            .collect(),
        choices: spec
            .choices
            .iter()
            .map(|c| (c.name.text.clone(), c.doc.clone(), c.origin.clone()))
            .collect(),
    };
    spec.objects = each(root, "object", |table| {
        Some(Object {
            name: identifier(table, "name")?,
            doc: table.both("doc", true),
            fields: fields(table, "fields", &kinds),
            origin: origin(table),
        })
    });
    spec.endpoints = each(root, "endpoint", |table| read_endpoint(table, &kinds));
    spec.callbacks = each(root, "callback", |table| read_callback(table, &kinds));
    spec.links = each(root, "link", |table| read_link(table, &kinds));
    spec.profiles = each(root, "profile", read_profile);
    spec
}

const BASIS: &[(&str, Basis)] =
    &[("documented", Basis::Documented), ("public", Basis::Public), ("ours", Basis::Ours)];

fn origin(table: &Table<'_>) -> Origin {
    let origin = Origin {
        basis: table.word("basis", BASIS).unwrap_or_default(),
        line: table.small("line"),
        rule: table.text("rule").map(|name| name.text),
    };
    if origin.basis != Basis::Documented && origin.line.is_some() {
        table.faults.report(
            table.span_of("line"),
            "only what is documented has a `line` in the document",
            None,
        );
    }
    origin
}

/// A name that becomes a Rust identifier.
fn identifier(table: &Table<'_>, key: &'static str) -> Option<Name> {
    let name = table.required_text(key)?;
    let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.ends_with('_');
    if !well_formed {
        let help = Some("lower-case letters, digits and `_`, beginning with a letter".to_owned());
        table.faults.report(name.span.clone(), format!("`{}` cannot be a name", name.text), help);
        return None;
    }
    Some(name)
}

fn quantity(table: &Table<'_>, key: &'static str) -> Option<Quantity> {
    let id = identifier(table, "id");
    let value: Option<u64> = table.required(key);
    if value == Some(0) {
        table.faults.report(table.span_of(key), format!("`{key}` must be more than 0"), None);
    }
    let (doc, origin) = (table.both("doc", true), origin(table));
    Some(Quantity { id: id?, value: value?, doc, origin })
}

const BASES: &[(&str, Base)] =
    &[("text", Base::Text), ("secret", Base::Secret), ("id", Base::Id), ("url", Base::Url)];

fn read_type(table: &Table<'_>) -> Option<Type> {
    let name = identifier(table, "name");
    if !table.has("base") {
        table.missing("base");
    }
    let base = table.word("base", BASES).unwrap_or(Base::Text);
    let (max, min) = (maximum(table), table.small("min"));
    if let (Some(max), Some(min)) = (max, min)
        && min > max
    {
        table.faults.report(table.span_of("min"), "`min` is more than `max`", None);
    }
    let (chars, doc, origin) =
        (table.text("chars").map(|name| name.text), table.both("doc", true), origin(table));
    Some(Type { name: name?, base, max, min, chars, doc, origin })
}

fn maximum(table: &Table<'_>) -> Option<u32> {
    let max = table.small("max");
    if max == Some(0) {
        table.faults.report(table.span_of("max"), "`max` must be more than 0", None);
    }
    max
}

fn read_choice(table: &Table<'_>) -> Option<Choice> {
    let name = identifier(table, "name");
    let values = each(table, "values", |value| {
        let id = identifier(value, "id");
        let text = value.required_text("value");
        let doc = value.both("doc", true);
        Some(ChoiceValue { id: id?, value: text?.text, doc })
    });
    if values.is_empty() {
        table.faults.report(table.span.clone(), "a choice needs `values`", None);
    }
    let (doc, origin) = (table.both("doc", true), origin(table));
    Some(Choice { name: name?, doc, values, origin })
}

fn read_code(table: &Table<'_>) -> Option<Code> {
    let id = identifier(table, "id");
    let code = table.required("code");
    let sent = table.boolean("sent", true);
    let (text, check, origin) = (table.both("text", true), table.both("check", false), origin(table));
    Some(Code { id: id?, code: code?, sent, text, check, origin })
}

fn read_refusal(table: &Table<'_>) -> Option<Refusal> {
    let id = identifier(table, "id");
    let code = table.required_text("code");
    let http = table.small("http").unwrap_or(200);
    if !(100..=599).contains(&http) {
        table.faults.report(table.span_of("http"), format!("{http} is no HTTP status"), None);
    }
    let oauth = table.text("oauth").map(|name| name.text);
    let (doc, origin) = (table.both("doc", true), origin(table));
    Some(Refusal { id: id?, code: code?, http, oauth, doc, origin })
}

const ALGORITHMS: &[(&str, Algorithm)] =
    &[("sha1", Algorithm::Sha1), ("hmac_sha256", Algorithm::HmacSha256), ("rsa_sha1", Algorithm::RsaSha1)];
const FORMS: &[(&str, Form)] = &[("concat", Form::Concat), ("json", Form::Json)];
const ENCODINGS: &[(&str, Encoding)] = &[("hex_lower", Encoding::HexLower), ("base64", Encoding::Base64)];

fn read_signing(table: &Table<'_>) -> Option<Signing> {
    let id = identifier(table, "id");
    for key in ["algorithm", "encoding"] {
        if !table.has(key) {
            table.missing(key);
        }
    }
    let algorithm = table.word("algorithm", ALGORITHMS).unwrap_or(Algorithm::Sha1);
    let encoding = table.word("encoding", ENCODINGS).unwrap_or(Encoding::HexLower);
    let canonical = table.texts("canonical");
    if canonical.is_empty() {
        table.faults.report(table.span_of("canonical"), "a signing rule needs `canonical`", None);
    }
    let form = table.word("form", FORMS).unwrap_or_default();
    let window = table.table("window").and_then(|window| {
        let field = window.required_text("field");
        let seconds = window.required("seconds");
        window.finish();
        Some((field?, seconds?))
    });
    let key = table.required_text("key");
    let derive = table.text("derive").map(|name| name.text);
    let key_id = table.text("key_id");
    let field = table.required_text("field");
    let (invalid, expired) = (table.text("invalid"), table.text("expired"));
    let (doc, origin) = (table.both("doc", true), origin(table));
    let (key, field) = (key?, field?);
    Some(Signing {
        id: id?,
        algorithm,
        canonical,
        form,
        key,
        derive,
        key_id,
        field,
        encoding,
        window,
        invalid,
        expired,
        doc,
        origin,
    })
}

fn faults(table: &Table<'_>) -> Faults {
    Faults {
        field: table.text("field"),
        body: table.text("body"),
        body_too_large: table.text("body_too_large"),
        bearer: table.text("bearer"),
        internal: table.text("internal"),
        overloaded: table.text("overloaded"),
    }
}

/// The named types, for fields that take their type and text from their name.
struct Kinds {
    types: Vec<(String, Text, Option<u32>, Origin)>,
    choices: Vec<(String, Text, Origin)>,
}

fn fields(parent: &Table<'_>, key: &'static str, kinds: &Kinds) -> Vec<Field> {
    each(parent, key, |table| field(table, kinds))
}

fn field(table: &Table<'_>, kinds: &Kinds) -> Option<Field> {
    let name = table.required_text("name");
    let fixed = table.text("fixed").map(|name| name.text);
    let (object, list, given) = (table.text("object"), table.text("list"), table.text("type"));
    let mut doc = Text::default();
    let mut max = maximum(table);
    let mut inherited = Origin::default();
    let kind = if let Some(object) = object {
        Kind::Object(object.text)
    } else if let Some(list) = list {
        Kind::List(list.text)
    } else if fixed.is_some() && given.is_none() {
        Kind::Text
    } else {
        let word = given.or_else(|| name.clone())?;
        match word.text.as_str() {
            "text" => Kind::Text,
            "secret" => Kind::Secret,
            "id" => Kind::Id,
            "integer" => Kind::Integer,
            "number" => Kind::Number,
            "amount" => Kind::Amount,
            "time" => Kind::Time,
            "timestamp" => Kind::Timestamp,
            "signature" => Kind::Signature,
            other => {
                if let Some((_, text, most, origin)) = kinds.types.iter().find(|(name, ..)| name == other) {
                    doc = text.clone();
                    max = max.or(*most);
                    inherited = origin.clone();
                    Kind::Type(word.text)
                } else if let Some((_, text, origin)) = kinds.choices.iter().find(|(name, ..)| name == other)
                {
                    doc = text.clone();
                    inherited = origin.clone();
                    Kind::Choice(word.text)
                } else {
                    const PLAIN: [&str; 9] = [
                        "text",
                        "secret",
                        "id",
                        "integer",
                        "number",
                        "amount",
                        "time",
                        "timestamp",
                        "signature",
                    ];
                    let valid = (kinds.types.iter().map(|(name, ..)| name.as_str()))
                        .chain(kinds.choices.iter().map(|(name, ..)| name.as_str()))
                        .chain(PLAIN);
                    table.faults.unknown("type", &word, word.span.clone(), valid);
                    doc = Text { zh: "?".into(), en: "?".into() }; // it may come with the type
                    Kind::Text
                }
            }
        }
    };
    let given_doc = table.both("doc", false);
    if !given_doc.en.is_empty() {
        doc = given_doc;
    } else if doc.en.is_empty() && !table.has("doc") {
        doc = match (&kind, &fixed) {
            (_, Some(fixed)) => Text { zh: format!("固定为 `{fixed}`"), en: format!("Always `{fixed}`") },
            (Kind::Timestamp, _) => {
                Text { zh: "当前时间戳（秒）".into(), en: "The time of signing, Unix seconds".into() }
            }
            (Kind::Signature, _) => Text { zh: "签名".into(), en: "The signature".into() },
            _ => {
                table.missing("doc");
                Text::default()
            }
        };
    }
    let required = table.boolean("required", true);
    let otherwise = table.text("otherwise");
    if let (Some(otherwise), None) = (&otherwise, &fixed) {
        table.faults.report(otherwise.span.clone(), "`otherwise` goes with `fixed`", None);
    }
    let read_also = table.texts("read_also").into_iter().map(|name| name.text).collect();
    let top = table.boolean("top", false);
    let mut origin = origin(table);
    origin.rule = origin.rule.or(inherited.rule);
    Some(Field { name: name?, kind, required, max, fixed, otherwise, read_also, top, doc, origin })
}

const CALLERS: &[(&str, Caller)] = &[
    ("wallet", Caller::Wallet),
    ("app_client", Caller::AppClient),
    ("app_server", Caller::AppServer),
    ("anyone", Caller::Anyone),
];
const AUTHS: &[(&str, Auth)] = &[
    ("none", Auth::None),
    ("bearer", Auth::Bearer),
    ("client", Auth::Client),
    ("session", Auth::Session),
    ("signature", Auth::Signature),
    ("access_token", Auth::AccessToken),
];
const PLACES: &[(&str, bool)] = &[("body", false), ("query", true)];
const METHODS: &[(&str, Method)] = &[("GET", Method::Get), ("POST", Method::Post)];

fn read_endpoint(table: &Table<'_>, kinds: &Kinds) -> Option<Endpoint> {
    let id = identifier(table, "id");
    let mut methods = Vec::new();
    for name in table.texts("method") {
        match METHODS.iter().find(|(word, _)| *word == name.text) {
            Some((_, method)) => methods.push(*method),
            None => {
                table.faults.unknown(
                    "method",
                    &name,
                    name.span.clone(),
                    METHODS.iter().map(|(word, _)| *word),
                );
            }
        }
    }
    if !table.has("method") {
        table.missing("method");
    }
    // R6: a path may be written with a leading slash; the base path ends with one.
    let strip = |mut name: Name| {
        name.text = name.text.trim_start_matches('/').to_owned();
        name
    };
    let path = table.required_text("path").map(strip);
    let also_at = table.texts("also_at").into_iter().map(strip).collect();
    for key in ["caller", "auth"] {
        if !table.has(key) {
            table.missing(key);
        }
    }
    let endpoint = Endpoint {
        id: id.clone().unwrap_or_default(),
        methods,
        path: path.clone().unwrap_or_default(),
        also_at,
        caller: table.word("caller", CALLERS).unwrap_or(Caller::Anyone),
        auth: table.word("auth", AUTHS).unwrap_or(Auth::None),
        scope: table.text("scope"),
        signing: table.text("signing"),
        errors: table.texts("errors"),
        faults: table
            .table("faults")
            .map(|own| {
                let read = faults(&own);
                own.finish();
                read
            })
            .unwrap_or_default(),
        refusal_data: table.text("refusal_data"),
        in_query: table.word("parameters", PLACES).unwrap_or(false),
        request: fields(table, "request", kinds),
        response: fields(table, "response", kinds),
        response_value: table.table("response_value").and_then(|value| {
            let read = field(&value, kinds);
            value.finish();
            read
        }),
        response_object: table.text("response_object"),
        browser: table.both("browser", false),
        doc: table.both("doc", true),
        origin: origin(table),
    };
    (id.is_some() && path.is_some()).then_some(endpoint)
}

fn read_callback(table: &Table<'_>, kinds: &Kinds) -> Option<Callback> {
    let id = identifier(table, "id");
    let method = table.word("method", METHODS);
    let target = table.required_text("target");
    let acknowledged_by = match table.table("acknowledged_by") {
        Some(by) => {
            let acknowledgement = match by.text("json") {
                Some(member) => Acknowledgement::Json(member.text),
                None => Acknowledgement::Status(by.required("http_status").unwrap_or(200)),
            };
            by.finish();
            acknowledgement
        }
        None => {
            table.missing("acknowledged_by");
            Acknowledgement::Status(200)
        }
    };
    let retry: Vec<Retry> = each(table, "retry", |stretch| {
        let times = stretch.required("times");
        let wait = duration(stretch, "wait");
        Some(Retry { times: times?, wait_ms: wait? })
    });
    let attempts: u64 = retry.iter().map(|stretch| u64::from(stretch.times)).sum();
    if attempts == 0 && (!retry.is_empty() || !table.holds_any("retry")) {
        table.faults.report(table.span_of("retry"), "a callback needs at least one attempt in `retry`", None);
    }
    let deadline_ms = duration(table, "deadline").unwrap_or(10_000);
    let max_reply_bytes = table.required("max_reply_bytes").unwrap_or(65_536);
    let signing = table.text("signing");
    let fields = fields(table, "fields", kinds);
    let (doc, origin) = (table.both("doc", true), origin(table));
    let target = target?;
    Some(Callback {
        id: id?,
        method: method.unwrap_or(Method::Post),
        target,
        signing,
        acknowledged_by,
        retry,
        deadline_ms,
        max_reply_bytes,
        fields,
        doc,
        origin,
    })
}

fn read_link(table: &Table<'_>, kinds: &Kinds) -> Option<Link> {
    let id = identifier(table, "id");
    let qr_scheme = scheme(table, "qr_scheme");
    let (signing, errors) = (table.text("signing"), table.texts("errors"));
    let fields = fields(table, "fields", kinds);
    let (doc, origin) = (table.both("doc", true), origin(table));
    Some(Link { id: id?, qr_scheme: qr_scheme?, signing, errors, fields, doc, origin })
}

fn read_profile(table: &Table<'_>) -> Option<Profile> {
    let id = identifier(table, "id");
    let scheme = scheme(table, "scheme");
    let read_also = table.texts("read_also").into_iter().map(|name| name.text).collect();
    let values = table.pairs("values");
    let (doc, origin) = (table.both("doc", true), origin(table));
    Some(Profile { id: id?, scheme: scheme?, read_also, values, doc, origin })
}

fn scheme(table: &Table<'_>, key: &'static str) -> Option<String> {
    let name = table.required_text(key)?;
    let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !well_formed {
        let help = Some("lower-case letters and digits, without `://`".to_owned());
        table.faults.report(name.span.clone(), format!("`{}` is no scheme", name.text), help);
        return None;
    }
    Some(name.text)
}

/// `"600s"` or `"50ms"`, in milliseconds.
fn duration(table: &Table<'_>, key: &'static str) -> Option<u64> {
    let name = table.required_text(key)?;
    let parsed = match (name.strip_suffix("ms"), name.strip_suffix('s')) {
        (Some(number), _) => number.parse().ok(),
        (None, Some(number)) => number.parse().ok().and_then(|seconds: u64| seconds.checked_mul(1000)),
        (None, None) => None,
    };
    if parsed.is_none() {
        let help = Some("a number with `s` or `ms`, for example \"60s\"".to_owned());
        table.faults.report(name.span.clone(), format!("`{}` is no duration", name.text), help);
    }
    parsed
}
