//! How other serializers write the object that a signature covers.

use std::fmt::Write as _;

use wallet_core::{Kind, LinkMeta};

/// A serializer whose output differs from R44, and the setting that fixes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serializer {
    /// The name that its users know it by.
    pub name: &'static str,
    /// What to do, in Chinese.
    pub zh: &'static str,
    /// What to do, in English.
    pub en: &'static str,
    /// Its output for the fields.
    pub text: String,
}

/// The escape of a serializer for one character that R44 does not escape.
type Escape = fn(char) -> Option<String>;

fn unicode(c: char) -> String {
    let mut units = [0; 2];
    c.encode_utf16(&mut units).iter().fold(String::new(), |mut text, unit| {
        let _ = write!(text, "\\u{unit:04x}"); // into a String
        text
    })
}

fn ascii_only(c: char) -> Option<String> {
    (!c.is_ascii()).then(|| unicode(c))
}

/// Python escapes DEL too.
fn python(c: char) -> Option<String> {
    (c > '~').then(|| unicode(c))
}

fn php(c: char) -> Option<String> {
    if c == '/' { Some("\\/".to_owned()) } else { ascii_only(c) }
}

/// PHP still escapes line and paragraph separators, unless JSON_UNESCAPED_LINE_TERMINATORS is given too.
fn php_unescaped_unicode(c: char) -> Option<String> {
    match c {
        '/' => Some("\\/".to_owned()),
        '\u{2028}' | '\u{2029}' => Some(unicode(c)),
        _ => None,
    }
}

fn gson(c: char) -> Option<String> {
    matches!(c, '<' | '>' | '&' | '=' | '\'' | '\u{2028}' | '\u{2029}').then(|| unicode(c))
}

fn go(c: char) -> Option<String> {
    matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}').then(|| unicode(c))
}

fn nothing(_: char) -> Option<String> {
    None
}

/// A string as R44 writes it, with what `escape` does beside.
fn string(text: &str, escape: Escape) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&unicode(c)),
            c => match escape(c) {
                Some(escaped) => out.push_str(&escaped),
                None => out.push(c),
            },
        }
    }
    out.push('"');
    out
}

fn object(fields: &[(&str, &str)], escape: Escape, comma: &str, colon: &str) -> String {
    let member =
        |(name, value): &(&str, &str)| format!("{}{colon}{}", string(name, escape), string(value, escape));
    format!("{{{}}}", fields.iter().map(member).collect::<Vec<_>>().join(comma))
}

/// A serializer that writes the fields in the rule's order and changes bytes: its name, what to do in Chinese and English,
/// what it escapes, and what it puts between members and after names.
type Known = (&'static str, &'static str, &'static str, Escape, &'static str, &'static str);

const KNOWN: [Known; 7] = [
    (
        "PHP json_encode",
        "加上 JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE。",
        "Give it JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE.",
        php,
        ",",
        ":",
    ),
    (
        "PHP json_encode with JSON_UNESCAPED_UNICODE",
        "再加上 JSON_UNESCAPED_SLASHES。",
        "Give it JSON_UNESCAPED_SLASHES too.",
        php_unescaped_unicode,
        ",",
        ":",
    ),
    (
        "Gson",
        "用 new GsonBuilder().disableHtmlEscaping().create()。",
        "Use new GsonBuilder().disableHtmlEscaping().create().",
        gson,
        ",",
        ":",
    ),
    (
        "Go encoding/json",
        "用 Encoder 并 SetEscapeHTML(false)，再去掉末尾换行。",
        "Use an Encoder with SetEscapeHTML(false), and cut off its line end.",
        go,
        ",",
        ":",
    ),
    (
        "Python json.dumps",
        "用 json.dumps(…, separators=(\",\", \":\"), ensure_ascii=False)。",
        "Use json.dumps(…, separators=(\",\", \":\"), ensure_ascii=False).",
        python,
        ", ",
        ": ",
    ),
    (
        "Python json.dumps with ensure_ascii=False",
        "加上 separators=(\",\", \":\")。",
        "Give it separators=(\",\", \":\").",
        nothing,
        ", ",
        ": ",
    ),
    (
        "a serializer that escapes all but ASCII",
        "关闭非 ASCII 转义（Python：ensure_ascii=False）。",
        "Set it to write non-ASCII characters unescaped (Python: ensure_ascii=False).",
        python,
        ",",
        ":",
    ),
];

/// The output of each known serializer for these fields of a link, in the order of the rule. Outputs that are the same
/// as R44 are included: the first match is reported.
pub fn serializers(link: &LinkMeta, fields: &[(&str, &str)]) -> Vec<Serializer> {
    let known = KNOWN.map(|(name, zh, en, escape, comma, colon)| Serializer {
        name,
        zh,
        en,
        text: object(fields, escape, comma, colon),
    });
    let mut found = Vec::from(known);
    let mut add = |name, zh, en, text| found.push(Serializer { name, zh, en, text });
    let mut by_link = fields.to_vec();
    by_link.sort_by_key(|(name, _)| link.fields.iter().position(|field| field.name == *name));
    add(
        "a serializer that keeps the link's order",
        "签名文本的字段顺序是固定的，见正确的待签名文本。",
        "What is signed has an order of its own: that of the text that should be signed.",
        object(&by_link, nothing, ",", ":"),
    );
    let canonical = object(fields, nothing, ",", ":");
    let mut numbers = canonical.clone();
    for (name, value) in fields {
        if link.fields.iter().any(|field| field.name == *name && field.kind == Kind::Amount) {
            numbers = numbers.replacen(&format!("\"{name}\":\"{value}\""), &format!("\"{name}\":{value}"), 1);
        }
    }
    add(
        "a serializer to which an amount is a number",
        "金额是字符串：要带引号。",
        "An amount is a string: it has quotes.",
        numbers,
    );
    add(
        "one that appends a line end",
        "去掉末尾的换行再签名。",
        "Cut off the line end before signing.",
        format!("{canonical}\n"),
    );
    let form: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    add(
        "a form (name=value joined by &)",
        "签名的是 JSON，不是表单。",
        "What is signed is JSON, not a form.",
        form.join("&"),
    );
    found
}

/// Most fields whose orders are all tried, and most bytes of them: 5,040 texts of a kilobyte are hashed soon.
const REORDERED: usize = 7;
const REORDERED_BYTES: usize = 1_024;

/// The same fields in whichever order, alone or with the members that say what a link is, which no signature covers.
pub(crate) fn another_order(
    link: &LinkMeta,
    fields: &[(&str, &str)],
    fits: &dyn Fn(&str) -> bool,
) -> Option<Serializer> {
    let fixed = link.fields.iter().filter_map(|field| Some((field.name, field.fixed?)));
    let with_fixed: Vec<_> = fixed.chain(fields.iter().copied()).collect();
    let tried = [
        (
            fields.to_vec(),
            "a serializer with an order of its own",
            "字段的值都对，顺序不对：见正确的待签名文本。",
            "The values are right and their order is not: it is that of the text that should be signed.",
        ),
        (
            with_fixed,
            "one that signs the link's `type` too",
            "type 不参与签名：见正确的待签名文本。",
            "The signature does not cover `type`: see the text that should be signed.",
        ),
    ];
    let bytes = |fields: &[(&str, &str)]| -> usize {
        fields.iter().map(|(name, value)| name.len() + value.len()).sum()
    };
    let few = |fields: &[(&str, &str)]| fields.len() <= REORDERED && bytes(fields) <= REORDERED_BYTES;
    tried.into_iter().filter(|(fields, ..)| few(fields)).find_map(|(mut fields, name, zh, en)| {
        let text = ordered(&mut fields, 0, fits)?;
        Some(Serializer { name, zh, en, text })
    })
}

/// The first order of the fields from `from` on whose text fits.
fn ordered(fields: &mut [(&str, &str)], from: usize, fits: &dyn Fn(&str) -> bool) -> Option<String> {
    if from + 1 >= fields.len() {
        return Some(object(fields, nothing, ",", ":")).filter(|text| fits(text));
    }
    for next in from..fields.len() {
        fields.swap(from, next);
        if let Some(found) = ordered(fields, from + 1, fits) {
            return Some(found);
        }
        fields.swap(from, next);
    }
    None
}
