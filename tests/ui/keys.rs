//! Every key of the spec format is obeyed. Each is changed in a toy protocol, and the change must be seen: in what the
//! protocol does (the bytes, the decoded value, the route, the schedule), or, for a key that is there for people, in the
//! reference; or the changed spec is refused. A key that changes nothing fails.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use wallet_spec::{Arena, Lang, Source, Spec};

const WHOLE: &str = include_str!("whole.toml");
const OBSERVE: &str = include_str!("observe.rs");
const RULES: &str = "[[rule]]\nid = \"R1\"\nwhat = { zh = \"一\", en = \"one\" }\nzh = \"一\"\nen = \"one\"\n\
                     [[rule]]\nid = \"R2\"\nof = \"toy\"\nwhat = { zh = \"二\", en = \"two\" }\nzh = \"二\"\nen = \"two\"\n";

/// Where a change is seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    /// What the generated code does.
    Done,
    /// What people read.
    Reference,
    /// The spec is refused.
    Refused,
}
use Seen::{Done, Reference, Refused};

/// The kind of table, the key, the text that is replaced (its first occurrence), by what, and where that is seen.
#[rustfmt::skip] // a table, one line a key
const CASES: &[(&str, &str, &str, &str, Seen)] = &[
    ("platform", "id", "id = \"toy\"", "id = \"boy\"", Reference),
    ("platform", "base_path", "base_path = \"/toy/\"", "base_path = \"/boy/\"", Done),
    ("platform", "doc", "en = \"A toy\"", "en = \"A boy\"", Reference),
    ("profile", "id", "id = \"plain\"\nscheme", "id = \"Plain\"\nscheme", Refused),
    ("profile", "scheme", "scheme = \"toyapp\"", "scheme = \"boyapp\"", Done),
    ("profile", "read_also", "read_also = [\"oldtoy\"]", "read_also = []", Done),
    ("profile", "values", "colour = \"red\"", "colour = \"blue\"", Done),
    ("profile", "doc", "en = \"Plain\"", "en = \"Simple\"", Reference),
    ("envelope", "success", "success = \"done\"", "success = \"good\"", Done),
    ("envelope", "status", "status = \"code\"", "status = \"number\"", Done),
    ("envelope", "message", "message = \"text\"", "message = \"words\"", Done),
    ("envelope", "data", "data = \"result\"", "data = \"data\"", Done),
    ("envelope", "ok", "ok = 7\n", "", Done),
    ("envelope", "digits", "digits = 4", "digits = 5", Done),
    ("envelope", "read_also", "read_also = [\"doen\"]", "read_also = []", Done),
    // Two of the six are of the endpoint that is looked at, which has its own: those of the platform are in the reference.
    ("faults", "field", "field = \"very_bad\"", "field = \"worse\"", Done),
    ("faults", "body", "body = \"very_bad\"", "body = \"worse\"", Reference),
    ("faults", "body_too_large", "body_too_large = \"very_bad\"", "body_too_large = \"worse\"", Reference),
    ("faults", "bearer", "bearer = \"worse\"", "bearer = \"bad\"", Done),
    ("faults", "internal", "internal = \"very_bad\"", "internal = \"worse\"", Reference),
    ("faults", "overloaded", "overloaded = \"very_bad\"", "overloaded = \"worse\"", Reference),
    ("type", "name", "name = \"shop\"\nbase", "name = \"result\"\nbase", Refused),
    ("type", "base", "base = \"text\"\nmax = 8\nmin = 2\nchars = \"a-z\"", "base = \"id\"\nmax = 8", Reference),
    ("type", "max", "max = 8", "max = 9", Done),
    ("type", "min", "min = 2", "min = 1", Done),
    ("type", "chars", "chars = \"a-z\"", "chars = \"a-z0-9\"", Done),
    ("type", "doc", "en = \"A shop\"", "en = \"A store\"", Reference),
    ("choice", "name", "name = \"size\"\ndoc", "name = \"option\"\ndoc", Refused),
    ("choice", "doc", "en = \"A size\"", "en = \"How big\"", Reference),
    ("choice", "values", "  { id = \"large\", value = \"L\", doc = { zh = \"大\", en = \"Large\" } },\n", "", Reference),
    ("value", "id", "id = \"small\", value", "id = \"large\", value", Refused),
    ("value", "value", "value = \"L\"", "value = \"XL\"", Done),
    ("value", "doc", "en = \"Large\"", "en = \"Big\"", Reference),
    ("scope", "id", "id = \"see\"\ndoc", "id = \"read\"\ndoc", Refused),
    ("scope", "doc", "doc = { zh = \"看\", en = \"See\" }", "doc = { zh = \"看\", en = \"Look\" }", Reference),
    ("lifetime", "id", "id = \"visit\"\nseconds", "id = \"stay\"\nseconds", Reference),
    ("lifetime", "seconds", "seconds = 60", "seconds = 61", Done),
    ("lifetime", "doc", "en = \"A visit\"", "en = \"A stay\"", Reference),
    ("limit", "id", "id = \"visits\"", "id = \"stays\"", Reference),
    ("limit", "value", "value = 3", "value = 4", Done),
    ("limit", "doc", "en = \"Visits\"", "en = \"Stays\"", Reference),
    ("code", "id", "id = \"fine\"", "id = \"unknown\"", Refused),
    ("code", "code", "code = 9", "code = 10", Done),
    ("code", "sent", "sent = true", "sent = false", Refused),
    ("code", "text", "text = { zh = \"更坏\", en = \"Worse\" }", "text = { zh = \"更坏\", en = \"Worst\" }", Done),
    ("code", "check", "check = { zh = \"查\", en = \"Look\" }", "check = { zh = \"查\", en = \"Look up\" }", Reference),
    ("refusal", "id", "id = \"very_bad\"", "id = \"awful\"", Refused),
    ("refusal", "code", "id = \"very_bad\"\ncode = \"bad\"", "id = \"very_bad\"\ncode = \"worse\"", Done),
    ("refusal", "http", "http = 400", "http = 401", Done),
    ("refusal", "oauth", "oauth = \"invalid_request\"\n", "", Done),
    ("refusal", "doc", "en = \"Very bad\"", "en = \"Awful\"", Reference),
    ("refusal", "in_message", "in_message = true\n", "", Done),
    ("signing", "id", "id = \"plainly\"", "id = \"plain\"", Refused),
    ("signing", "algorithm", "algorithm = \"sha1\"\ncanonical = [\"key\", ", "algorithm = \"hmac_sha256\"\ncanonical = [", Done),
    ("signing", "encoding", "encoding = \"hex_lower\"", "encoding = \"base64\"", Done),
    ("signing", "canonical", "canonical = [\"key\", \"shop\", ", "canonical = [\"shop\", \"key\", ", Done),
    ("signing", "form", "form = \"concat\"", "form = \"json\"", Done),
    ("signing", "window", "window = { field = \"at\", seconds = 5 }\ninvalid", "invalid", Refused),
    ("signing", "key", "key = \"key\"", "key = \"shop\"", Refused),
    ("signing", "derive", "derive = \"toy v1\"", "derive = \"toy v2\"", Done),
    ("signing", "key_id", "key_id = \"shop\"", "key_id = \"sum\"", Done),
    ("signing", "field", "field = \"toy-mark\"", "field = \"toy-sign\"", Done),
    ("signing", "invalid", "invalid = \"very_bad\"", "invalid = \"worse\"", Refused),
    ("signing", "expired", "expired = \"very_bad\"", "expired = \"worse\"", Refused),
    ("signing", "doc", "en = \"Signs\"", "en = \"Marks\"", Reference),
    ("window", "field", "field = \"toy-time\"", "field = \"toy-id\"", Done),
    ("window", "seconds", "seconds = 5", "seconds = 15", Done),
    ("object", "name", "name = \"thing\"\ndoc", "name = \"vec\"\ndoc", Refused),
    ("object", "doc", "en = \"A thing\"", "en = \"A matter\"", Reference),
    ("object", "fields", "fields = [{ name = \"name\"", "fields = [{ name = \"title\"", Reference),
    ("endpoint", "id", "id = \"buy\"", "id = \"meta\"", Refused),
    ("endpoint", "method", "method = [\"POST\"]", "method = [\"GET\", \"POST\"]", Done),
    ("endpoint", "path", "path = \"buy\"", "path = \"take\"", Done),
    ("endpoint", "also_at", "also_at = [\"purchase\"]", "also_at = []", Done),
    ("endpoint", "parameters", "parameters = \"body\"", "parameters = \"query\"", Done),
    ("endpoint", "caller", "caller = \"app_server\"", "caller = \"wallet\"", Reference),
    ("endpoint", "auth", "auth = \"signature\"", "auth = \"none\"", Reference),
    ("endpoint", "scope", "scope = \"see\"\n", "", Reference),
    ("endpoint", "signing", "signing = \"plainly\"\nerrors = [\"very_bad\"]\nfaults", "errors = [\"very_bad\"]\nfaults", Refused),
    ("endpoint", "errors", "errors = [\"very_bad\"]\nfaults", "errors = [\"very_bad\", \"worse\"]\nfaults", Reference),
    ("endpoint", "faults", "faults = { bearer = \"worse\" }\n", "", Done),
    ("endpoint", "refusal_data", "refusal_data = \"thing\"", "refusal_data = \"other\"", Reference),
    ("endpoint", "browser", "en = \"A page\"", "en = \"A sheet\"", Reference),
    ("endpoint", "doc", "en = \"Buy\"", "en = \"Take\"", Reference),
    ("endpoint", "request", "  { name = \"note\", type = \"text\", max = 4, required = false, line = 5, doc = { zh = \"注\", en = \"A note\" } },\n", "", Reference),
    ("endpoint", "response", "{ name = \"thing\", object = \"thing\", doc", "{ name = \"item\", object = \"thing\", doc", Reference),
    ("endpoint", "response_object", "response_object = \"thing\"", "response_object = \"other\"", Reference),
    ("endpoint", "response_value", "response_value = { name = \"price\", type = \"amount\"", "response_value = { name = \"price\", type = \"text\"", Reference),
    ("field", "name", "{ name = \"sum\", type = \"amount\", basis", "{ name = \"s&m\", type = \"amount\", basis", Refused),
    ("field", "type", "name = \"number\", type = \"text\"", "name = \"number\", type = \"integer\"", Reference),
    ("field", "fixed", "fixed = \"1\"", "fixed = \"2\"", Done),
    ("field", "otherwise", "otherwise = \"worse\"", "otherwise = \"bad\"", Done),
    ("field", "read_also", "read_also = [\"store\"]", "read_also = []", Done),
    ("field", "object", "object = \"thing\", doc", "object = \"other\", doc", Reference),
    ("field", "list", "list = \"thing\"", "list = \"other\"", Reference),
    ("field", "max", "max = 4", "max = 5", Done),
    ("field", "required", "{ name = \"size\", required = false }", "{ name = \"size\", required = true }", Reference),
    ("field", "top", "top = true", "top = false", Done),
    ("field", "doc", "en = \"A note\"", "en = \"A remark\"", Reference),
    ("callback", "id", "id = \"bought\"", "id = \"limits\"", Refused),
    ("callback", "method", "id = \"bought\"\nmethod = \"POST\"", "id = \"bought\"\nmethod = \"GET\"", Done),
    ("callback", "target", "target = \"shop\"", "target = \"sum\"", Reference),
    ("callback", "signing", "signing = \"in_headers\"", "signing = \"plainly\"", Refused),
    ("callback", "acknowledged_by", "acknowledged_by = { http_status = 204 }", "acknowledged_by = { json = \"taken\" }", Done),
    ("callback", "retry", "retry = [{ times = 2, wait = \"50ms\" }]", "retry = [{ times = 2, wait = \"50ms\" }, { times = 1, wait = \"1s\" }]", Done),
    ("callback", "deadline", "deadline = \"1s\"", "deadline = \"2s\"", Reference),
    ("callback", "max_reply_bytes", "max_reply_bytes = 10", "max_reply_bytes = 11", Reference),
    ("callback", "doc", "en = \"Bought\"", "en = \"Taken\"", Reference),
    ("callback", "fields", "fields = [{ name = \"shop\" }]", "fields = [{ name = \"shop\" }, { name = \"size\" }]", Reference),
    ("acknowledged_by", "http_status", "http_status = 204", "http_status = 200", Done),
    ("acknowledged_by", "json", "json = \"acknowledged\"", "json = \"taken\"", Done),
    ("retry", "times", "times = 2", "times = 3", Done),
    ("retry", "wait", "wait = \"50ms\"", "wait = \"60ms\"", Done),
    ("link", "id", "id = \"visit\"\nqr_scheme", "id = \"lifetimes\"\nqr_scheme", Refused),
    ("link", "qr_scheme", "qr_scheme = \"toyqr\"", "qr_scheme = \"boyqr\"", Done),
    ("link", "signing", "signing = \"plainly\"\nerrors = [\"very_bad\"]\ndoc", "errors = [\"very_bad\"]\ndoc", Refused),
    ("link", "errors", "errors = [\"very_bad\"]\ndoc", "errors = [\"very_bad\", \"worse\"]\ndoc", Reference),
    ("link", "doc", "en = \"Visit\"", "en = \"Stay\"", Reference),
    ("link", "fields", "{ name = \"type\", fixed = \"visit\" }", "{ name = \"type\", fixed = \"stay\" }", Done),
    ("text", "zh", "zh = \"已买\"", "zh = \"买了\"", Reference),
    ("text", "en", "en = \"Bought\"", "en = \"Taken\"", Reference),
];

/// The same of `rules.toml`.
const OF_RULES: &[(&str, &str, &str)] = &[
    ("id", "id = \"R1\"", "id = \"R3\""),
    ("of", "of = \"toy\"", "of = \"boy\""),
    ("what", "en = \"one\" }", "en = \"first\" }"),
    ("zh", "\nzh = \"一\"", "\nzh = \"壹\""),
    ("en", "\nen = \"one\"", "\nen = \"first\""),
];

/// Kinds of table that say where a fact comes from, with a place in the toy for these keys.
const WITH_ORIGIN: &[&str] = &[
    "profile", "envelope", "faults", "type", "choice", "scope", "lifetime", "limit", "code", "refusal",
    "signing", "object", "endpoint", "callback", "link",
];

/// What people read of a spec; `Err` when it is refused.
fn documents(spec: &str, rules: &str) -> Result<String, String> {
    let (arena, source, rules) =
        (Arena::new(), Source::new("whole.toml", spec), Source::new("rules.toml", rules));
    let (spec, faults) = Spec::read(&arena, &source, Some(&rules));
    if let Some(fault) = faults.first() {
        return Err(fault.to_string());
    }
    let mut text =
        xtask::reference::reference(&spec, Lang::Zh) + &xtask::reference::reference(&spec, Lang::En);
    write!(text, "{}", xtask::reference::openapi(&spec)).unwrap();
    Ok(text)
}

fn changed(table: &str, key: &str, old: &str, new: &str) -> String {
    assert!(WHOLE.contains(old), "{table}.{key}: the toy has no {old:?}");
    WHOLE.replacen(old, new, 1)
}

#[test]
fn every_key_of_the_format_is_listed() {
    let (source, rules) = (Source::new("whole.toml", WHOLE), Source::new("rules.toml", RULES));
    let mut keys = Spec::keys(&source, Some(&rules));
    keys.retain(|(table, _)| *table != "file"); // the sections themselves
    let mut listed: BTreeSet<(&str, &str)> = CASES.iter().map(|(table, key, ..)| (*table, *key)).collect();
    listed.extend(OF_RULES.iter().map(|(key, ..)| ("rule", *key)));
    for table in WITH_ORIGIN.iter().chain(&["field"]) {
        listed.extend(["basis", "line", "rule"].map(|key| (*table, key)));
    }
    assert_eq!(keys, listed);
    assert!(keys.len() > 150, "{}", keys.len());

    // The documentation of the format lists the same keys, each in the section of its table.
    let mut documented = BTreeSet::new();
    for section in include_str!("../../docs/spec-format.md").split("\n## `").skip(1) {
        let (table, text) = section.split_once('`').unwrap();
        let rows =
            text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(key, _)| key));
        match table {
            "origin" => {
                let keys: Vec<&str> = rows.collect();
                for table in WITH_ORIGIN.iter().chain(&["field"]) {
                    assert!(
                        text.contains(&format!("`{table}`")),
                        "docs/spec-format.md: {table} has an origin"
                    );
                    documented.extend(keys.iter().map(|key| (*table, *key)));
                }
            }
            table => documented.extend(rows.map(|key| (table, key))),
        }
    }
    assert_eq!(documented, keys, "docs/spec-format.md lists other keys than the reader reads");
}

#[test]
fn what_people_read_follows_every_key_that_is_for_them() {
    let before = documents(WHOLE, RULES).unwrap();
    for (table, key, old, new, seen) in CASES {
        let after = documents(&changed(table, key, old, new), RULES);
        assert_eq!(*seen == Refused, after.is_err(), "{table}.{key}: {}", after.err().unwrap_or_default());
        assert!(*seen != Reference || after.as_ref() != Ok(&before), "{table}.{key} changes nothing");
    }
    for table in WITH_ORIGIN {
        let place = format!(" # origin: {table}\n");
        assert_eq!(WHOLE.matches(&place).count(), 1, "{table}");
        for line in ["basis = \"public\"", "line = 77", "rule = \"R2\""] {
            let after = documents(&WHOLE.replace(&place, &format!("\n{line}\n")), RULES);
            assert_ne!(Ok(&before), after.as_ref(), "{table}: {line} changes nothing");
            assert!(after.is_ok(), "{table}: {after:?}");
        }
    }
    for (old, new) in [
        ("basis = \"ours\"", "basis = \"public\""),
        ("rule = \"R1\"", "rule = \"R2\""),
        ("line = 5", "line = 6"),
    ] {
        let after = documents(&changed("field", "origin", old, new), RULES);
        assert_ne!(Ok(&before), after.as_ref(), "field: {old} changes nothing");
    }
    for (key, old, new) in OF_RULES {
        assert!(RULES.contains(old), "{key}");
        let after = documents(WHOLE, &RULES.replacen(old, new, 1));
        assert_ne!(Ok(&before), after.as_ref(), "rule.{key} changes nothing");
    }
}

/// One program with a module for each changed toy, each of which must do something else than the unchanged one.
#[test]
fn what_a_protocol_does_follows_every_key_that_is_for_machines() {
    let done = || CASES.iter().filter(|(.., seen)| *seen == Done);
    let module = |name: &str, spec: &str| {
        format!(
            "#[allow(dead_code)]\nmod {name} {{\n    #[derive(wallet_macros::WalletApi, Debug)]\n    \
             #[wallet(spec_text = r##\"{spec}\"##)]\n    pub struct Toy;\n}}\n\n"
        )
    };
    let mut program = format!("#![allow(unused)]\n{OBSERVE}\n{}", module("base", WHOLE));
    let mut main = String::from("    let base = observe!(base);\n    let mut same = Vec::new();\n");
    for (table, key, old, new, _) in done() {
        program.push_str(&module(&format!("{table}_{key}"), &changed(table, key, old, new)));
        writeln!(main, "    if observe!({table}_{key}) == base {{ same.push(\"{table}.{key}\"); }}").unwrap();
    }
    main.push_str("    assert!(same.is_empty(), \"these keys change nothing: {same:?}\\n{base}\");\n");
    write!(program, "fn main() {{\n{main}}}\n").unwrap();
    assert!(done().count() > 50);
    passes("keys.rs", &program);
}

#[test]
fn generated_code_names_everything_by_absolute_paths() {
    passes("nothing_in_scope.rs", &include_str!("nothing_in_scope.rs").replace("SPEC", WHOLE));
}

/// The program builds, and does not fail.
fn passes(name: &str, program: &str) {
    // Beside what else this package has built: no test may write into the sources.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, program).unwrap();
    trybuild::TestCases::new().pass(&file);
}
