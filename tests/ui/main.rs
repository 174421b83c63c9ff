//! The macro's diagnostics: one file a fault, and all faults of a spec at once. WALLOP_BLESS=1 rewrites the goldens.

use std::fmt::Write as _;
use std::path::Path;

use wallet_spec::{Arena, Source, Spec};

/// The spec that every case changes in one place: `old` becomes `new`.
const GOOD: &str = include_str!("good.toml");

const CASES: &[(&str, &str, &str)] = &[
    ("not_toml", "id = \"toy\"", "id = \"toy"),
    ("unknown_key", "caller = \"anyone\"", "callr = \"anyone\""),
    ("missing_key", "auth = \"none\"\n", ""),
    ("wrong_kind_of_value", "seconds = 60", "seconds = \"60\""),
    ("unknown_type", "type = \"shop\"", "type = \"shpo\""),
    ("unknown_refusal", "errors = [\"bad\"]", "errors = [\"bat\"]"),
    ("unknown_scope", "scope = \"read\"", "scope = \"reed\""),
    ("unknown_signing", "signing = \"everything\"", "signing = \"everythin\""),
    ("unknown_rule", "seconds = 60\nrule = \"R1\"", "seconds = 60\nrule = \"R11\""),
    ("rule_of_another_platform", "seconds = 60\nrule = \"R1\"", "seconds = 60\nrule = \"R3\""),
    ("no_type_of_this_name", "type = \"shop\"", "type = \"wholly_unlike\""),
    ("unknown_object", "list = \"thing\"", "list = \"thin\""),
    ("unknown_word", "auth = \"none\"", "auth = \"nune\""),
    ("unknown_method", "method = [\"GET\"]", "method = [\"FETCH\"]"),
    ("endpoint_twice", "id = \"look\"", "id = \"buy\""),
    ("field_twice", "{ name = \"sum\"", "{ name = \"shop\""),
    ("path_twice", "method = [\"POST\"]\npath = \"look\"", "method = [\"POST\"]\npath = \"buy\""),
    ("code_twice", "code = 9", "code = 8"),
    ("not_a_field_name", "{ name = \"sum\"", "{ name = \"s&m\""),
    ("not_a_name", "id = \"look\"", "id = \"Look-At\""),
    (
        "signed_field_missing",
        "  { name = \"sum\", type = \"amount\", doc = { zh = \"金额\", en = \"How much\" } },\n",
        "",
    ),
    (
        "key_not_signed",
        "canonical = [\"key\", \"shop\", \"sum\", \"at\"]",
        "canonical = [\"shop\", \"sum\", \"at\"]",
    ),
    (
        "time_not_signed",
        "canonical = [\"key\", \"shop\", \"sum\", \"at\"]",
        "canonical = [\"key\", \"shop\", \"sum\"]",
    ),
    ("nothing_allowed", "max = 8", "max = 0"),
    ("no_attempts", "retry = [{ times = 2, wait = \"50ms\" }]", "retry = []"),
    ("no_duration", "wait = \"50ms\"", "wait = \"soon\""),
    ("one_language", "doc = { zh = \"看\", en = \"Look\" }", "doc = { en = \"Look\" }"),
    ("scope_without_bearer", "auth = \"bearer\"", "auth = \"none\""),
    ("bad_base_path", "base_path = \"/toy/\"", "base_path = \"toy\""),
    ("line_of_no_document", "basis = \"ours\"", "basis = \"ours\"\nline = 3"),
    ("no_http_status", "http = 400", "http = 4000"),
    ("no_scheme", "qr_scheme = \"toyqr\"", "qr_scheme = \"toyqr://\""),
    (
        "link_signed_by_nothing",
        "fields = [{ name = \"type\"",
        "fields = [{ name = \"mac\", type = \"signature\" }, { name = \"type\"",
    ),
    ("value_of_a_profile_no_text", "colour = \"red\"", "colour = 3"),
    (
        "links_without_a_profile",
        "[[profile]]\nid = \"plain\"\nscheme = \"toyapp\"\nvalues = { colour = \"red\" }\ndoc = { zh = \"素\", en = \"Plain\" }\n",
        "",
    ),
];

fn rules() -> Source {
    Source::new(
        "rules.toml",
        "[[rule]]\nid = \"R1\"\nwhat = { zh = \"一\", en = \"one\" }\nzh = \"一\"\nen = \"one\"\n\
         [[rule]]\nid = \"R3\"\nof = \"other\"\nwhat = { zh = \"三\", en = \"three\" }\nzh = \"三\"\nen = \"three\"\n",
    )
}

fn report(spec: &str) -> (usize, String) {
    let (arena, source, rules) = (Arena::new(), Source::new("toy.toml", spec), rules());
    let (_, faults) = Spec::read(&arena, &source, Some(&rules));
    let mut text = String::new();
    for fault in &faults {
        writeln!(text, "{fault}\n").unwrap();
    }
    (faults.len(), text)
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults").join(format!("{name}.txt"));
    if std::env::var_os("WALLOP_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(
        text,
        std::fs::read_to_string(&path).unwrap_or_default(),
        "{name}: look at it, then WALLOP_BLESS=1"
    );
}

#[test]
fn the_spec_that_the_cases_change_has_no_fault() {
    assert_eq!(report(GOOD), (0, String::new()));
}

#[test]
fn each_fault_is_reported_with_its_place_and_the_valid_names() {
    assert!(CASES.len() >= 15);
    for (name, old, new) in CASES {
        assert!(GOOD.contains(old), "{name}: the good spec has no {old:?}");
        let (count, text) = report(&GOOD.replacen(old, new, 1));
        assert!(count >= 1, "{name} is no fault");
        assert!(text.starts_with("toy.toml:"), "{text}");
        golden(name, &text);
    }
}

#[test]
fn five_faults_of_one_spec_are_reported_at_once() {
    let mut spec = GOOD.to_owned();
    for name in ["unknown_key", "unknown_type", "unknown_refusal", "nothing_allowed", "no_duration"] {
        let (_, old, new) = CASES.iter().find(|(case, ..)| *case == name).unwrap();
        spec = spec.replacen(old, new, 1);
    }
    let (count, text) = report(&spec);
    golden("five_at_once", &text);
    assert_eq!(count, 5, "{text}");
}

/// Through the compiler: every fault is an error of its own at the spec's line, and the users of the types that could be
/// made have no errors beside.
#[test]
fn the_compiler_shows_all_faults_and_no_follow_up_errors() {
    let cases = trybuild::TestCases::new();
    cases.pass("pass/*.rs");
    cases.compile_fail("fail/*.rs");
}
