//! Reads the sections of a spec, each after those that it refers to.

use std::collections::{BTreeSet, HashSet};

use toml::de::DeTable;

use crate::check;
use crate::fault::{Diagnostic, Source};
use crate::file::{Arena, File};
use crate::model::*;
use crate::names::{self, pascal};
use crate::table::Table;

impl<'s> Spec<'s> {
    /// Reads a spec and, if given, its rules. Returns the readable part together with all faults; the spec
    /// is complete only if there are no faults. `arena` owns all parts and texts.
    pub fn read(arena: &'s Arena, source: &'s Source, rules: Option<&'s Source>) -> (Self, Vec<Diagnostic>) {
        let (spec, faults, _) = read(arena, source, rules);
        (spec, faults)
    }

    /// Every key that reading this spec looked up, after the kind of its table: `("signing", "form")`.
    /// For a spec with every kind of table, this is the whole format.
    pub fn keys(source: &Source, rules: Option<&Source>) -> BTreeSet<(&'static str, &'static str)> {
        let arena = Arena::new();
        let (_, _, keys) = read(&arena, source, rules);
        keys
    }
}

fn read<'s>(
    arena: &'s Arena,
    source: &'s Source,
    rules: Option<&'s Source>,
) -> (Spec<'s>, Vec<Diagnostic>, BTreeSet<(&'static str, &'static str)>) {
    let (mut faults, mut keys) = (Vec::new(), BTreeSet::new());
    let rules = rules.map(|rules| {
        let file = File::new(arena, rules);
        let read = with_root(rules, &file, read_rules);
        let (found, asked) = file.into_parts();
        faults.extend(found);
        keys.extend(asked);
        read
    });
    let file = File::new(arena, source);
    let spec = with_root(source, &file, |root| Reader::new(&file, rules).spec(root));
    check::check(&spec, &file);
    let (found, asked) = file.into_parts();
    faults.extend(found);
    keys.extend(asked);
    (spec, faults, keys)
}

fn with_root<'s, T>(source: &Source, file: &File<'s>, read: impl FnOnce(&Table<'_, 's>) -> T) -> T {
    let (root, errors) = DeTable::parse_recoverable(source.text());
    for error in errors {
        file.report(error.span().unwrap_or(0..0), format!("this is not TOML: {}", error.message()), None);
    }
    let table = Table::new(file, root.get_ref(), 0..0, "file", "the file");
    let value = read(&table);
    table.finish();
    value
}

fn read_rules<'s>(root: &Table<'_, 's>) -> Vec<Rule<'s>> {
    each(root, "rule", "rule", |table| {
        let (id, of, what) = (table.required_text("id"), table.text("of"), table.both("what", true));
        let text = |language| table.required_text(language).unwrap_or_default();
        let text = Text { zh: text("zh"), en: text("en") };
        Some(Rule { id: id?, of, what, text })
    })
}

/// Reads each table of an array; one that cannot be read is left out, its faults being reported.
fn each<'s, T>(
    parent: &Table<'_, 's>,
    key: &'static str,
    kind: &'static str,
    mut read: impl FnMut(&Table<'_, 's>) -> Option<T>,
) -> Vec<T> {
    let mut list = Vec::new();
    for table in parent.tables(key, kind) {
        list.extend(read(&table));
        table.finish();
    }
    list
}

/// A name that becomes a Rust identifier, and is not reserved.
fn identifier<'s>(table: &Table<'_, 's>, key: &'static str, taken: &[&str]) -> Option<&'s str> {
    let name = table.required_text(key)?;
    let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.ends_with('_');
    if !well_formed {
        let help = Some("lower-case letters, digits and `_`, beginning with a letter".to_owned());
        table.file.report(table.span_of(key), format!("`{name}` cannot be a name"), help);
        return None;
    }
    if taken.contains(&name) || names::KEYWORDS.contains(&name) {
        let help = Some("Rust or the generated code uses this name; choose another".to_owned());
        table.file.report(table.span_of(key), format!("the name `{name}` is taken"), help);
        return None;
    }
    Some(name)
}

fn quantity<'s>(table: &Table<'_, 's>, key: &'static str) -> (Option<&'s str>, Option<u64>) {
    let value: Option<u64> = table.required(key);
    if value == Some(0) {
        table.file.report(table.span_of(key), format!("`{key}` must be more than 0"), None);
    }
    (identifier(table, "id", &[]), value)
}

fn maximum(table: &Table<'_, '_>) -> Option<u32> {
    let max = table.small("max");
    if max == Some(0) {
        table.file.report(table.span_of("max"), "`max` must be more than 0", None);
    }
    max
}

fn scheme<'s>(table: &Table<'_, 's>, key: &'static str) -> Option<&'s str> {
    let name = table.required_text(key)?;
    let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !well_formed {
        let help = Some("lower-case letters and digits, without `://`".to_owned());
        table.file.report(table.span_of(key), format!("`{name}` is no scheme"), help);
        return None;
    }
    Some(name)
}

/// `"600s"` or `"50ms"`, in milliseconds.
fn duration(table: &Table<'_, '_>, key: &'static str) -> Option<u64> {
    let name = table.required_text(key)?;
    let parsed = match (name.strip_suffix("ms"), name.strip_suffix('s')) {
        (Some(number), _) => number.parse().ok(),
        (None, Some(number)) => number.parse().ok().and_then(|seconds: u64| seconds.checked_mul(1000)),
        (None, None) => None,
    };
    if parsed.is_none() {
        let help = Some("a number with `s` or `ms`, for example \"60s\"".to_owned());
        table.file.report(table.span_of(key), format!("`{name}` is no duration"), help);
    }
    parsed
}

/// The array of fields that a field belongs to: some keys are allowed in some arrays only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// A request, a callback or a link.
    Sent,
    /// The members of a reply.
    Reply,
    /// An object, or the one value of a reply.
    Part,
}

/// The parts read so far, for later references.
struct Reader<'f, 's> {
    file: &'f File<'s>,
    /// The id of the platform.
    id: &'s str,
    /// The rules of every platform.
    rules: Option<Vec<Rule<'s>>>,
    codes: Vec<&'s Code<'s>>,
    refusals: Vec<&'s Refusal<'s>>,
    scopes: Vec<&'s Scope<'s>>,
    types: Vec<&'s Type<'s>>,
    choices: Vec<&'s Choice<'s>>,
    signings: Vec<&'s Signing<'s>>,
    objects: Vec<&'s Object<'s>>,
    /// The placeholder for a name that does not resolve.
    nowhere: &'s Refusal<'s>,
}

impl<'f, 's> Reader<'f, 's> {
    fn new(file: &'f File<'s>, rules: Option<Vec<Rule<'s>>>) -> Self {
        let nowhere = file.arena.part(Refusal::nowhere(file.arena.part(Code::nowhere())));
        Self {
            file,
            id: "",
            rules,
            codes: Vec::new(),
            refusals: Vec::new(),
            scopes: Vec::new(),
            types: Vec::new(),
            choices: Vec::new(),
            signings: Vec::new(),
            objects: Vec::new(),
            nowhere,
        }
    }

    fn spec(mut self, root: &Table<'_, 's>) -> Spec<'s> {
        let arena = self.file.arena;
        let (id, base_path, doc) = self.platform(root);
        self.id = id;
        self.codes = self.parts(root, "code", "code", |reader, table| reader.code(table));
        let envelope = arena.part(self.envelope(root));
        self.refusals = self.parts(root, "refusal", "refusal", |reader, table| reader.refusal_of(table));
        // Each code that is sent is a refusal of its own name, unless one is declared.
        for code in
            self.codes.iter().filter(|code| code.sent && envelope.ok.is_none_or(|ok| ok.code != code.code))
        {
            if !self.refusals.iter().any(|refusal| refusal.id == code.id) {
                self.refusals.push(arena.part(Refusal {
                    id: code.id,
                    code,
                    http: 200,
                    oauth: None,
                    doc: code.text,
                    in_message: false,
                    origin: code.origin,
                }));
            }
        }
        let faults = self.platform_faults(root);
        self.scopes = self.parts(root, "scope", "scope", |reader, table| {
            let id = identifier(table, "id", &[]);
            let (doc, origin) = (table.both("doc", true), reader.origin(table));
            Some((id?, Scope { id: id?, doc, origin }))
        });
        self.types = self.parts(root, "type", "type", |reader, table| reader.named_type(table));
        self.choices = self.parts(root, "choice", "choice", |reader, table| reader.choice(table));
        self.signings = self.parts(root, "signing", "signing", |reader, table| reader.signing(table));
        for table in root.tables("object", "object") {
            // One after the other: an object has fields of those before it.
            let object = self.object(&table);
            table.finish();
            let Some(object) = object else { continue };
            if self.once("object", object.name, self.objects.iter().map(|known| known.name)) {
                self.objects.push(arena.part(object));
            }
        }
        let quantities = |reader: &Self, kind: &'static str, key: &'static str| {
            let list = reader.parts(root, kind, kind, |reader, table| {
                let (id, value) = quantity(table, key);
                let (doc, origin) = (table.both("doc", true), reader.origin(table));
                Some((id?, Quantity { id: id?, value: value?, doc, origin }))
            });
            arena.list(list.into_iter().cloned().collect())
        };
        let (lifetimes, limits) =
            (quantities(&self, "lifetime", "seconds"), quantities(&self, "limit", "value"));
        let endpoints = self
            .parts(root, "endpoint", "endpoint", |reader, table| reader.endpoint(table, envelope, faults));
        let callbacks =
            self.parts(root, "callback", "callback", |reader, table| reader.callback(table, faults));
        let links = self.parts(root, "link", "link", |reader, table| reader.link(table));
        let profiles = self.parts(root, "profile", "profile", |reader, table| reader.profile(table));
        let mut rules = self.rules.unwrap_or_default();
        rules.retain(|rule| rule.of.is_none_or(|of| of == id));
        Spec {
            id,
            base_path,
            doc,
            envelope,
            faults,
            lifetimes,
            limits,
            types: arena.list(self.types),
            choices: arena.list(self.choices),
            scopes: arena.list(self.scopes),
            codes: arena.list(self.codes),
            refusals: arena.list(self.refusals),
            signings: arena.list(self.signings),
            objects: arena.list(self.objects),
            endpoints: arena.list(endpoints),
            callbacks: arena.list(callbacks),
            links: arena.list(links),
            profiles: arena.list(profiles),
            rules: arena.list(rules),
        }
    }

    /// Reads each table of an array into the arena. If a name is declared twice, keeps the first, so that the
    /// compiler adds no error of its own.
    fn parts<T>(
        &self,
        parent: &Table<'_, 's>,
        key: &'static str,
        kind: &'static str,
        read: impl Fn(&Self, &Table<'_, 's>) -> Option<(&'s str, T)>,
    ) -> Vec<&'s T> {
        let mut names = Vec::new();
        let mut list = Vec::new();
        for (name, part) in each(parent, key, kind, |table| read(self, table)) {
            if self.once(kind, name, names.iter().copied()) {
                names.push(name);
                list.push(self.file.arena.part(part));
            }
        }
        list
    }

    /// Whether a name differs from those before it, as Rust spells them.
    fn once<'n>(&self, what: &str, name: &str, mut before: impl Iterator<Item = &'n str>) -> bool {
        let spelt = pascal(name);
        let first = before.all(|known| pascal(known) != spelt);
        if !first {
            self.file.report(self.file.place(name), format!("{what} `{name}` is declared twice"), None);
        }
        first
    }

    /// The part of a list that has this name; a fault when the list has no such part.
    fn resolve<T>(&self, what: &str, name: &str, list: &[&'s T], of: impl Fn(&T) -> &str) -> Option<&'s T> {
        let found = list.iter().copied().find(|part| of(part) == name);
        if found.is_none() {
            self.file.unknown(what, name, self.file.place(name), list.iter().map(|part| of(part)));
        }
        found
    }

    fn refusal(&self, name: &str) -> Option<&'s Refusal<'s>> {
        self.resolve("refusal", name, &self.refusals, |refusal| refusal.id)
    }

    fn refusals(&self, table: &Table<'_, 's>, key: &'static str) -> &'s [&'s Refusal<'s>] {
        let names = table.texts(key);
        let mut seen = HashSet::new();
        for name in &names {
            if !seen.insert(*name) {
                self.file.report(self.file.place(name), format!("error `{name}` is declared twice"), None);
            }
        }
        self.file.arena.list(names.into_iter().filter_map(|name| self.refusal(name)).collect())
    }

    fn signed_by(&self, table: &Table<'_, 's>) -> Option<&'s Signing<'s>> {
        let name = table.text("signing")?;
        let found = self.resolve("signing", name, &self.signings, |signing| signing.id);
        // A signed request stays `Unverified`, so that code which uses it shows no further errors.
        Some(found.unwrap_or_else(|| self.file.arena.part(Signing::nowhere())))
    }

    fn object_named(&self, name: &str) -> Option<&'s Object<'s>> {
        self.resolve("object", name, &self.objects, |object| object.name)
    }

    /// Whether a rule is of this platform, or of every one.
    fn is_own(&self, rule: &Rule<'s>) -> bool {
        rule.of.is_none_or(|of| of == self.id)
    }

    fn origin(&self, table: &Table<'_, 's>) -> Origin<'s> {
        let origin = Origin {
            basis: table.word("basis", Basis::WORDS).unwrap_or_default(),
            line: table.small("line"),
            rule: table.text("rule"),
        };
        if origin.basis != Basis::Documented && origin.line.is_some() {
            let message = "only what is documented has a `line` in the document";
            self.file.report(table.span_of("line"), message, None);
        }
        if let (Some(rule), Some(rules)) = (origin.rule, &self.rules)
            && !rules.iter().any(|known| known.id == rule && self.is_own(known))
        {
            let span = table.span_of("rule");
            match rules.iter().find(|known| known.id == rule).and_then(|other| other.of) {
                Some(of) => {
                    self.file.report(span, format!("rule `{rule}` is of `{of}`, not of `{}`", self.id), None);
                }
                None => {
                    let own = rules.iter().filter(|known| self.is_own(known));
                    self.file.unknown("rule", rule, span, own.map(|known| known.id));
                }
            }
        }
        origin
    }

    fn platform(&self, root: &Table<'_, 's>) -> (&'s str, &'s str, Text<'s>) {
        let Some(table) = root.table("platform", "platform") else {
            root.missing("[platform]");
            return ("", "", Text::default());
        };
        let id = identifier(&table, "id", &[]).unwrap_or_default();
        let base_path = table.required_text("base_path").unwrap_or_default();
        if table.has("base_path") && !(base_path.starts_with('/') && base_path.ends_with('/')) {
            let help = Some("for example \"/fomo/\"".to_owned());
            self.file.report(table.span_of("base_path"), "base_path must begin and end with `/`", help);
        }
        let doc = table.both("doc", true);
        table.finish();
        (id, base_path, doc)
    }

    fn envelope(&self, root: &Table<'_, 's>) -> Envelope<'s> {
        let Some(table) = root.table("envelope", "envelope") else {
            root.missing("[envelope]");
            let origin = Origin::default();
            let (success, status, message, data) = ("", "", "", "");
            return Envelope {
                success,
                status,
                message,
                data,
                ok: None,
                digits: None,
                read_also: &[],
                origin,
            };
        };
        let member = |key| table.required_text(key).unwrap_or_default();
        let number: Option<u32> = table.small("ok");
        let ok = self.codes.iter().copied().find(|code| Some(code.code) == number);
        if let (Some(number), None, false) = (number, ok, self.codes.is_empty()) {
            let message = format!("no code has the number {number} of success");
            self.file.report(table.span_of("ok"), message, None);
        }
        let envelope = Envelope {
            success: member("success"),
            status: member("status"),
            message: member("message"),
            data: member("data"),
            ok,
            digits: table.small("digits"),
            read_also: self.file.arena.list(table.texts("read_also")),
            origin: self.origin(&table),
        };
        table.finish();
        envelope
    }

    fn code(&self, table: &Table<'_, 's>) -> Option<(&'s str, Code<'s>)> {
        let id = identifier(table, "id", names::CODES);
        let (code, sent) = (table.required("code"), table.boolean("sent", true));
        let (text, check, origin) =
            (table.both("text", true), table.both("check", false), self.origin(table));
        Some((id?, Code { id: id?, code: code?, sent, text, check, origin }))
    }

    fn refusal_of(&self, table: &Table<'_, 's>) -> Option<(&'s str, Refusal<'s>)> {
        let (id, code) = (identifier(table, "id", &[]), table.required_text("code"));
        let http = table.small("http").unwrap_or(200);
        if !(100..=599).contains(&http) {
            self.file.report(table.span_of("http"), format!("{http} is no HTTP status"), None);
        }
        let (oauth, doc, origin) = (table.text("oauth"), table.both("doc", true), self.origin(table));
        let in_message = table.boolean("in_message", false);
        let code = self.resolve("code", code?, &self.codes, |code| code.id).unwrap_or(self.nowhere.code);
        Some((id?, Refusal { id: id?, code, http, oauth, doc, in_message, origin }))
    }

    /// The refusals of `[faults]`, or of an endpoint; missing keys come from `otherwise`.
    fn faults(&self, table: &Table<'_, 's>, otherwise: Option<Faults<'s>>) -> Faults<'s> {
        let pick = |key, otherwise: Option<&'s Refusal<'s>>| {
            let own = table.text(key).map(|name| self.refusal(name).unwrap_or(self.nowhere));
            own.or(otherwise)
        };
        let must = |key, otherwise: Option<&'s Refusal<'s>>| {
            let found = pick(key, otherwise);
            if found.is_none() {
                let help = Some("the id of a refusal".to_owned());
                self.file.report(table.span.clone(), format!("[faults] lacks `{key}`"), help);
            }
            found.unwrap_or(self.nowhere)
        };
        let field = must("field", otherwise.map(|all| all.field));
        Faults {
            field,
            body: must("body", otherwise.map(|all| all.body)),
            body_too_large: must("body_too_large", otherwise.map(|all| all.body_too_large)),
            // A spec without bearer tokens needs no refusal for a missing one; `check` demands one where it is needed.
            bearer: pick("bearer", otherwise.map(|all| all.bearer)).unwrap_or(self.nowhere),
            internal: must("internal", otherwise.map(|all| all.internal)),
            overloaded: must("overloaded", otherwise.map(|all| all.overloaded)),
            origin: self.origin(table),
        }
    }

    fn platform_faults(&self, root: &Table<'_, 's>) -> Faults<'s> {
        let Some(table) = root.table("faults", "faults") else {
            root.missing("[faults]");
            let (nowhere, origin) = (self.nowhere, Origin::default());
            return Faults {
                field: nowhere,
                body: nowhere,
                body_too_large: nowhere,
                bearer: nowhere,
                internal: nowhere,
                overloaded: nowhere,
                origin,
            };
        };
        let faults = self.faults(&table, None);
        table.finish();
        faults
    }

    fn named_type(&self, table: &Table<'_, 's>) -> Option<(&'s str, Type<'s>)> {
        const BASES: &[(&str, Kind<'static>)] =
            &[("text", Kind::Text), ("secret", Kind::Secret), ("id", Kind::Id), ("url", Kind::Url)];
        let name = identifier(table, "name", names::TYPES);
        let base = table.required_word("base", BASES).unwrap_or(Kind::Text);
        let (max, min, chars) = (maximum(table), table.small("min"), table.text("chars"));
        if let (Some(max), Some(min)) = (max, min)
            && min > max
        {
            self.file.report(table.span_of("min"), "`min` is more than `max`", None);
        }
        for key in ["min", "chars"] {
            if base != Kind::Text && table.has(key) {
                let message = format!("only a type of `base = \"text\"` has `{key}`");
                self.file.report(table.span_of(key), message, None);
            }
        }
        let (doc, origin) = (table.both("doc", true), self.origin(table));
        Some((name?, Type { name: name?, base, max, min, chars, doc, origin }))
    }

    fn choice(&self, table: &Table<'_, 's>) -> Option<(&'s str, Choice<'s>)> {
        let name = identifier(table, "name", names::TYPES);
        let values = self.parts(table, "values", "value", |_, value| {
            let (id, text) = (identifier(value, "id", &[]), value.required_text("value"));
            let doc = value.both("doc", true);
            let (id, value) = (id?, text?);
            Some((id, ChoiceValue { id, value, doc }))
        });
        for (at, value) in values.iter().enumerate() {
            if values[..at].iter().any(|before| before.value == value.value) {
                let message = format!("the value `{}` is declared twice", value.value);
                self.file.report(self.file.place(value.value), message, None);
            }
        }
        if values.is_empty() {
            self.file.report(table.span.clone(), "a choice needs `values`", None);
        }
        let (doc, origin) = (table.both("doc", true), self.origin(table));
        let values = self.file.arena.list(values.into_iter().cloned().collect());
        Some((name?, Choice { name: name?, doc, values, origin }))
    }

    fn signing(&self, table: &Table<'_, 's>) -> Option<(&'s str, Signing<'s>)> {
        let id = identifier(table, "id", &[]);
        let algorithm = table.required_word("algorithm", Algorithm::WORDS).unwrap_or(Algorithm::Sha1);
        let encoding = table.required_word("encoding", Encoding::WORDS).unwrap_or(Encoding::HexLower);
        let canonical = table.texts("canonical");
        if canonical.is_empty() {
            self.file.report(table.span_of("canonical"), "a signing rule needs `canonical`", None);
        }
        let form = table.word("form", Form::WORDS).unwrap_or(Form::Concat);
        let window = table.table("window", "window").and_then(|window| {
            let (field, seconds) = (window.required_text("field"), window.required("seconds"));
            window.finish();
            Some(Window { field: field?, seconds: seconds? })
        });
        let (key, derive, key_id) = (table.required_text("key"), table.text("derive"), table.text("key_id"));
        let field = table.required_text("field");
        let refusal = |key| table.text(key).and_then(|name| self.refusal(name));
        let (invalid, expired) = (refusal("invalid"), refusal("expired"));
        let (doc, origin) = (table.both("doc", true), self.origin(table));
        let (id, key, field) = (id?, key?, field?);
        let canonical = canonical.into_iter().map(|name| self.lead(name)).collect();
        let canonical = self.file.arena.list(canonical);
        let signing = Signing {
            id,
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
        };
        Some((id, signing))
    }

    fn lead(&self, name: &'s str) -> Lead<'s> {
        let arena = self.file.arena;
        Lead {
            name,
            form: arena.text(&format!("&{name}=")),
            json: arena.text(&format!(",\"{name}\":\"")),
            link: arena.text(&format!(",%22{name}%22:%22")),
        }
    }

    fn object(&self, table: &Table<'_, 's>) -> Option<Object<'s>> {
        let name = identifier(table, "name", names::TYPES);
        let (doc, fields) = (table.both("doc", true), self.fields(table, "fields", Within::Part));
        let origin = self.origin(table);
        Some(Object { name: name?, doc, fields, origin })
    }

    fn fields(&self, parent: &Table<'_, 's>, key: &'static str, within: Within) -> &'s [Field<'s>] {
        let list = self.parts(parent, key, "field", |reader, table| {
            let field = reader.field(table, within)?;
            Some((field.name, field))
        });
        self.file.arena.list(list.into_iter().cloned().collect())
    }

    /// The kind of a field whose type is `word`, with the defaults of that type: its text, its length and its rule.
    fn kind_named(&self, word: &'s str) -> Option<(Kind<'s>, Text<'s>, Option<u32>, Option<&'s str>)> {
        if let Some(named) = self.types.iter().find(|named| named.name == word) {
            return Some((Kind::Type(named), named.doc, named.max, named.origin.rule));
        }
        if let Some(choice) = self.choices.iter().find(|choice| choice.name == word) {
            return Some((Kind::Choice(choice), choice.doc, None, choice.origin.rule));
        }
        let plain = PLAIN.iter().find(|(name, _)| *name == word)?;
        Some((plain.1, Text::default(), None, None))
    }

    /// The text of a field: its own, that of its type, or a fixed one.
    fn field_doc(
        &self,
        table: &Table<'_, 's>,
        kind: Kind<'s>,
        fixed: Option<&'s str>,
        inherited: Text<'s>,
    ) -> Text<'s> {
        let given = table.both("doc", false);
        match (kind, fixed) {
            _ if table.has("doc") => given,
            _ if !inherited.en.is_empty() => inherited,
            (_, Some(fixed)) => Text {
                zh: self.file.arena.text(&format!("固定为 `{fixed}`")),
                en: self.file.arena.text(&format!("Always `{fixed}`")),
            },
            (Kind::Timestamp, _) => {
                Text { zh: "当前时间戳（秒）", en: "The time of signing, Unix seconds" }
            }
            (Kind::Signature, _) => Text { zh: "签名", en: "The signature" },
            _ => {
                table.missing("doc");
                Text::default()
            }
        }
    }

    fn field(&self, table: &Table<'_, 's>, within: Within) -> Option<Field<'s>> {
        let name = table.required_text("name");
        if name.is_some_and(|name| names::KEYWORDS.contains(&&*names::snake(name))) {
            let help = Some("Rust has no such identifier; choose another name".to_owned());
            self.file.report(table.span_of("name"), "no field can have this name", help);
            return None;
        }
        let fixed = table.text("fixed");
        let (object, list, given) = (table.text("object"), table.text("list"), table.text("type"));
        if [object, list, given].iter().flatten().count() > 1 {
            self.file.report(table.span.clone(), "a field has one of `type`, `object` and `list`", None);
        }
        let known = if let Some(object) = object {
            self.object_named(object).map(|object| (Kind::Object(object), Text::default(), None, None))
        } else if let Some(list) = list {
            self.object_named(list).map(|object| (Kind::List(object), Text::default(), None, None))
        } else if fixed.is_some() && given.is_none() {
            Some((Kind::Text, Text::default(), None, None))
        } else {
            let word = given.or(name)?;
            let known = self.kind_named(word);
            if known.is_none() {
                let valid = (PLAIN.iter().map(|(name, _)| *name))
                    .chain(self.types.iter().map(|named| named.name))
                    .chain(self.choices.iter().map(|choice| choice.name));
                self.file.unknown("type", word, self.file.place(word), valid);
            }
            known
        };
        let unknown = (Kind::Text, Text { zh: "?", en: "?" }, None, None); // its text may come with the type
        let (kind, inherited, longest, rule) = known.unwrap_or(unknown);
        let max = maximum(table).or(longest);
        let doc = self.field_doc(table, kind, fixed, inherited);
        let required = table.boolean("required", true);
        let otherwise = table.text("otherwise");
        if otherwise.is_some() && fixed.is_none() {
            self.file.report(table.span_of("otherwise"), "`otherwise` goes with `fixed`", None);
        }
        if within != Within::Sent && fixed.is_some() {
            let message = "a reply has no `fixed` fields: nothing would write or check them";
            self.file.report(table.span_of("fixed"), message, None);
        }
        let otherwise = otherwise.and_then(|name| self.refusal(name));
        let read_also = self.file.arena.list(table.texts("read_also"));
        let top = table.boolean("top", false);
        if top && within != Within::Reply {
            self.file.report(table.span_of("top"), "`top` is for the members of a `response`", None);
        }
        let mut origin = self.origin(table);
        origin.rule = origin.rule.or(rule);
        let name = name?;
        Some(Field {
            name,
            lead: self.lead(name),
            kind,
            required,
            max,
            fixed,
            otherwise,
            read_also,
            top,
            doc,
            origin,
        })
    }

    fn endpoint(
        &self,
        table: &Table<'_, 's>,
        envelope: &'s Envelope<'s>,
        faults: Faults<'s>,
    ) -> Option<(&'s str, Endpoint<'s>)> {
        let arena = self.file.arena;
        let id = identifier(table, "id", names::MODULES);
        let mut methods = Vec::new();
        for name in table.texts("method") {
            match Method::WORDS.iter().find(|(word, _)| *word == name) {
                Some((_, method)) => methods.push(*method),
                None => {
                    let valid = Method::WORDS.iter().map(|(word, _)| *word);
                    self.file.unknown("method", name, self.file.place(name), valid);
                }
            }
        }
        if !table.holds_any("method") {
            table.missing("method");
        }
        let path = table.required_text("path").map(|path| self.without_slash(path));
        let also_at = table.texts("also_at").into_iter().map(|path| self.without_slash(path)).collect();
        let response_object = table.text("response_object").and_then(|name| self.object_named(name));
        let response = self.fields(table, "response", Within::Reply);
        let response_value = table.table("response_value", "field").and_then(|value| {
            let read = self.field(&value, Within::Part);
            value.finish();
            read
        });
        let shapes = ["response", "response_object", "response_value"];
        if shapes.iter().filter(|key| table.has(key)).count() > 1 {
            let message = "an endpoint has one of `response`, `response_object` and `response_value`";
            self.file.report(table.span.clone(), message, None);
        }
        let scope = table.text("scope");
        let refusal_data = table.text("refusal_data").and_then(|name| self.object_named(name));
        let endpoint = Endpoint {
            id: id.unwrap_or_default(),
            methods: arena.list(methods),
            path: path.unwrap_or_default(),
            also_at: arena.list(also_at),
            parameters: table.word("parameters", Place::WORDS).unwrap_or(Place::Body),
            caller: table.required_word("caller", Caller::WORDS).unwrap_or(Caller::Anyone),
            auth: table.required_word("auth", Auth::WORDS).unwrap_or(Auth::None),
            scope: scope.and_then(|name| self.resolve("scope", name, &self.scopes, |scope| scope.id)),
            signing: self.signed_by(table),
            errors: self.refusals(table, "errors"),
            faults: match table.table("faults", "faults") {
                Some(own) => {
                    let read = self.faults(&own, Some(faults));
                    own.finish();
                    read
                }
                None => faults,
            },
            refusal_data,
            request: self.fields(table, "request", Within::Sent),
            response: response_object.map_or(response, |object| object.fields),
            response_object,
            response_value,
            envelope,
            browser: table.both("browser", false),
            doc: table.both("doc", true),
            origin: self.origin(table),
        };
        path?;
        Some((id?, endpoint))
    }

    /// R6: a path may be written with a leading slash; the base path ends with one.
    fn without_slash(&self, path: &'s str) -> &'s str {
        match path.strip_prefix('/') {
            None => path,
            Some(_) => self.file.keep(path.trim_start_matches('/'), self.file.place(path)),
        }
    }

    fn callback(&self, table: &Table<'_, 's>, faults: Faults<'s>) -> Option<(&'s str, Callback<'s>)> {
        let id = identifier(table, "id", names::MODULES);
        let method = table.required_word("method", Method::WORDS).unwrap_or(Method::Post);
        let target = table.required_text("target");
        let acknowledged_by = match table.table("acknowledged_by", "acknowledged_by") {
            Some(by) => {
                let acknowledgement = match by.text("json") {
                    Some(member) => Acknowledgement::Json(member),
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
        let stretches: Vec<Stretch> = each(table, "retry", "retry", |stretch| {
            let (times, wait_ms) = (stretch.required("times"), duration(stretch, "wait"));
            Some(Stretch { times: times?, wait_ms: wait_ms? })
        });
        let attempts: u64 = stretches.iter().map(|stretch| u64::from(stretch.times)).sum();
        if attempts == 0 && (!stretches.is_empty() || !table.holds_any("retry")) {
            let message = "a callback needs at least one attempt in `retry`";
            self.file.report(table.span_of("retry"), message, None);
        }
        let schedule = Schedule { stretches: self.file.arena.list(stretches), acknowledged_by };
        let deadline_ms = duration(table, "deadline").unwrap_or(10_000);
        let max_reply_bytes = table.required("max_reply_bytes").unwrap_or(65_536);
        let signing = self.signed_by(table);
        let fields = self.fields(table, "fields", Within::Sent);
        let (doc, origin) = (table.both("doc", true), self.origin(table));
        let (id, target) = (id?, target?);
        let callback = Callback {
            id,
            method,
            target,
            signing,
            schedule,
            deadline_ms,
            max_reply_bytes,
            faults,
            fields,
            doc,
            origin,
        };
        Some((id, callback))
    }

    fn link(&self, table: &Table<'_, 's>) -> Option<(&'s str, Link<'s>)> {
        let (id, qr_scheme) = (identifier(table, "id", names::MODULES), scheme(table, "qr_scheme"));
        let (signing, errors) = (self.signed_by(table), self.refusals(table, "errors"));
        let fields = self.fields(table, "fields", Within::Sent);
        let (doc, origin) = (table.both("doc", true), self.origin(table));
        Some((id?, Link { id: id?, qr_scheme: qr_scheme?, signing, errors, fields, doc, origin }))
    }

    fn profile(&self, table: &Table<'_, 's>) -> Option<(&'s str, Profile<'s>)> {
        let (id, scheme) = (identifier(table, "id", &[]), scheme(table, "scheme"));
        let read_also = self.file.arena.list(table.texts("read_also"));
        let values = self.file.arena.list(table.pairs("values"));
        let (doc, origin) = (table.both("doc", true), self.origin(table));
        Some((id?, Profile { id: id?, scheme: scheme?, read_also, values, doc, origin }))
    }
}

/// The types that a field may have without declaring them.
const PLAIN: &[(&str, Kind<'static>)] = &[
    ("text", Kind::Text),
    ("secret", Kind::Secret),
    ("id", Kind::Id),
    ("integer", Kind::Integer),
    ("number", Kind::Number),
    ("amount", Kind::Amount),
    ("time", Kind::Time),
    ("timestamp", Kind::Timestamp),
    ("signature", Kind::Signature),
];
