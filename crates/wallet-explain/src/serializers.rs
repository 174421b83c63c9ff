//! How other serializers write the object that a signature covers.

use std::fmt::Write as _;

use wallet_core::{FieldMeta, Kind, form};

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

/// A text that a pretty-printer writes: each member on a line of its own.
fn pretty(fields: &[(&str, &str)], indent: &str, end: &str) -> String {
    let member = |(name, value): &(&str, &str)| {
        format!("{indent}{}: {}", string(name, nothing), string(value, nothing))
    };
    let members = fields.iter().map(member).collect::<Vec<_>>().join(&format!(",{end}"));
    format!("{{{end}{members}{end}}}")
}

/// `encodeURIComponent` of JavaScript: everything but letters, digits and some marks.
fn encode_component(text: &str, kept: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            true => out.push(char::from(byte)),
            false => {
                let _ = write!(out, "%{byte:02X}"); // into a String
            }
        }
        out
    })
}

/// The output of each known serializer for these fields, in the order of the rule; `members` are all that the message
/// has. Outputs that are the same as R44 are included: the first match is reported.
pub fn serializers(members: &[FieldMeta], fields: &[(&str, &str)]) -> Vec<Serializer> {
    let known = KNOWN.map(|(name, zh, en, escape, comma, colon)| Serializer {
        name,
        zh,
        en,
        text: object(fields, escape, comma, colon),
    });
    let mut found = Vec::from(known);
    let mut add = |name, zh, en, text| found.push(Serializer { name, zh, en, text });
    let mut by_link = fields.to_vec();
    by_link.sort_by_key(|(name, _)| members.iter().position(|field| field.name == *name));
    add(
        "a serializer that keeps the order of the message",
        "签名文本的字段顺序是固定的，见正确的待签名文本。",
        "Sign the fields in the order of the text that should be signed, not in the order of the message.",
        object(&by_link, nothing, ",", ":"),
    );
    let canonical = object(fields, nothing, ",", ":");
    let mut numbers = canonical.clone();
    for (name, value) in fields {
        if members.iter().any(|field| field.name == *name && field.kind == Kind::Amount) {
            numbers = numbers.replacen(&format!("\"{name}\":\"{value}\""), &format!("\"{name}\":{value}"), 1);
        }
    }
    add(
        "a serializer that writes amounts as numbers",
        "金额是字符串：要带引号。",
        "An amount is a string: it has quotes.",
        numbers,
    );
    for end in ["\n", "\r\n"] {
        add(
            "a program that appends a line end",
            "去掉末尾的换行再签名（例如 echo 会多写一个换行）。",
            "Cut off the line end before signing: `echo` appends one, `printf %s` does not.",
            format!("{canonical}{end}"),
        );
    }
    for indent in ["  ", "    ", "\t"] {
        for end in ["\n", "\r\n"] {
            add(
                "a serializer that pretty-prints",
                "输出紧凑的 JSON：没有空格和换行。",
                "Write compact JSON, without spaces and line ends.",
                pretty(fields, indent, end),
            );
        }
    }
    for kept in ["-_.!~*'()", "-_.!~*'();/?:@&=+$,#", "-_.*"] {
        add(
            "a program that percent-encodes the JSON",
            "先对未编码的 JSON 签名，再编码整个链接。",
            "Sign the JSON as it is, and percent-encode the link afterwards.",
            encode_component(&canonical, kept),
        );
    }
    let pairs = |between: &str| {
        fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(between)
    };
    let encoded = form::query(fields);
    for text in [pairs("&"), encoded, pairs(""), pairs(",")] {
        add(
            "a form (name=value joined by &)",
            "签名的是 JSON，不是表单。",
            "What is signed is JSON, not a form.",
            text,
        );
    }
    add(
        "a program that joins the values",
        "签名的是 JSON，包含字段名。",
        "What is signed is JSON, with the names of the fields.",
        fields.iter().map(|(_, value)| *value).collect(),
    );
    add(
        "a program that signs a text in quotes",
        "不要对 JSON 文本再做一次 JSON 编码。",
        "Do not write the JSON as a JSON string once more.",
        string(&canonical, nothing),
    );
    add(
        "an editor that writes a byte order mark",
        "去掉开头的 BOM。",
        "Remove the byte order mark (BOM) at the beginning.",
        format!("\u{feff}{canonical}"),
    );
    found
}

/// Most fields whose orders are all tried, and most bytes of them: 5,040 texts of a kilobyte are hashed soon.
const REORDERED: usize = 7;
const REORDERED_BYTES: usize = 1_024;

/// The same fields in whichever order, alone or with the members that say what a link is, which no signature covers.
pub(crate) fn another_order(
    members: &[FieldMeta],
    fields: &[(&str, &str)],
    fits: &dyn Fn(&str) -> bool,
) -> Option<Serializer> {
    let fixed = members.iter().filter_map(|field| Some((field.name, field.fixed?)));
    let with_fixed: Vec<_> = fixed.chain(fields.iter().copied()).collect();
    let tried = [
        (
            fields.to_vec(),
            "a serializer with an order of its own",
            "字段的值都对，顺序不对：见正确的待签名文本。",
            "The values are right, but in another order: use the order of the text that should be signed.",
        ),
        (
            with_fixed,
            "a program that signs the link's `type` too",
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

/// An amount without trailing zeros, and with 2, 4 and 8 decimals.
fn amounts(text: &str) -> Vec<String> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let short = decimals.trim_end_matches('0');
    let mut spelled = vec![if short.is_empty() { whole.to_owned() } else { format!("{whole}.{short}") }];
    for length in [1, 2, 4, 8] {
        if short.len() <= length {
            spelled.push(format!("{whole}.{short:0<length$}"));
        }
    }
    spelled
}

/// Other spellings of a value, which a program signs instead of the one that it sends.
fn spellings(kind: &Kind, value: &str) -> Vec<String> {
    let mut spelled = vec![
        value.trim().to_owned(),
        format!("{value} "),
        value.to_ascii_lowercase(),
        value.to_ascii_uppercase(),
        String::new(),
        "null".to_owned(),
    ];
    if *kind == Kind::Amount {
        spelled.extend(amounts(value));
    }
    if value.contains("://") {
        spelled.push(encode_component(value, "-_.!~*'()"));
        spelled.push(encode_component(value, "-_.!~*'();/?:@&=+$,#"));
        spelled.push(encode_component(value, "-_.*"));
        spelled.extend(form::decode(value.as_bytes()).ok().map(|decoded| decoded.into_owned()));
        spelled.push(value.split(['?', '#']).next().unwrap_or_default().to_owned());
        spelled.push(format!("{value}/"));
        spelled.push(value.trim_end_matches('/').to_owned());
        spelled.push(value.replacen("https://", "http://", 1));
        spelled.push(value.replacen("http://", "https://", 1));
        spelled.push(value.replace("&amp;", "&"));
        spelled.push(value.replace('&', "&amp;"));
    }
    spelled
}

/// The field whose value was signed in another spelling, or not at all: its name, the signed value and the signed text.
pub(crate) fn another_value(
    members: &[FieldMeta],
    fields: &[(&str, &str)],
    fits: &dyn Fn(&str) -> bool,
) -> Option<(String, Option<String>, String)> {
    for (at, (name, value)) in fields.iter().enumerate() {
        let mut rest = fields.to_vec();
        rest.remove(at);
        let text = object(&rest, nothing, ",", ":");
        if fits(&text) {
            return Some(((*name).to_owned(), None, text));
        }
        let kind = members.iter().find(|field| field.name == *name).map(|field| &field.kind);
        for spelled in spellings(kind.unwrap_or(&Kind::Text), value) {
            let mut other = fields.to_vec();
            other[at].1 = &spelled;
            let text = object(&other, nothing, ",", ":");
            if spelled != *value && fits(&text) {
                return Some(((*name).to_owned(), Some(spelled), text));
            }
        }
    }
    None
}
