//! Masks the secrets of an exchange, so that a page or a picture of it reveals none.

use serde_json::Value;
use wallet_core::form;
use wallet_server::pages::quoted;

use crate::recorder::Exchange;

/// The names of secret fields in requests and replies, and the shell variable for the value.
const NAMES: [(&str, &str); 12] = [
    ("client_secret", "CLIENT_SECRET"),
    ("accessToken", "ACCESS_TOKEN"),
    ("access_token", "ACCESS_TOKEN"),
    ("refresh_token", "REFRESH_TOKEN"),
    ("session_key", "SESSION_KEY"),
    ("pwd", "PWD_OF_USER"),
    ("wallet_pwd", "WALLET_PWD"),
    ("rsaPrivate", "RSA_PRIVATE"),
    ("verify_code", "VERIFY_CODE"),
    ("code", "CODE"),
    ("openCode", "OPEN_CODE"),
    ("code_verifier", "CODE_VERIFIER"),
];
/// The shortest text that is taken for a secret: shorter ones occur in other places of a request.
const SHORTEST: usize = 4;

/// The secrets of an exchange.
pub(super) struct Secrets(Vec<(String, &'static str)>);

fn variable(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, variable)| *variable)
}

/// The secret members of a JSON value, at any depth.
fn in_json(value: &Value, found: &mut Vec<(String, &'static str)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (variable(name), value) {
                    (Some(variable), Value::String(text)) => found.push((text.clone(), variable)),
                    (_, value) => in_json(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| in_json(value, found)),
        _ => {}
    }
}

impl Secrets {
    /// Finds them by the names of fields, headers and members.
    pub(super) fn of(exchange: &Exchange, fields: &[(String, String)]) -> Self {
        let mut found = Vec::new();
        for (name, value) in fields {
            if let Some(variable) = variable(name) {
                found.push((value.clone(), variable));
            }
        }
        // Also as they are in the query or the body, percent-encoded.
        for (name, value) in
            [&exchange.query, &exchange.body].into_iter().flat_map(|text| form::pairs(text)).map(form::split)
        {
            if let Some(variable) = variable(name) {
                found.push((value.to_owned(), variable));
            }
        }
        for (name, value) in &exchange.headers {
            if name == "authorization"
                && let Some((_, token)) = value.split_once(' ')
            {
                found.push((token.to_owned(), "ACCESS_TOKEN"));
            }
        }
        for text in [&exchange.body, &exchange.reply] {
            if let Ok(value) = serde_json::from_str(text) {
                in_json(&value, &mut found);
            }
        }
        // Also as JSON writes them.
        let escaped = found.iter().filter_map(|(secret, variable)| {
            let text = serde_json::to_string(secret).ok()?;
            Some((text.trim_matches('"').to_owned(), *variable))
        });
        let escaped: Vec<_> = escaped.collect();
        found.extend(escaped);
        found.retain(|(secret, _)| secret.chars().count() >= SHORTEST);
        // The longest first: a secret may be a part of another one.
        found.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        found.dedup();
        Self(found)
    }

    /// The text with dots in the place of each secret, after its first two characters.
    pub(super) fn masked(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (secret, _)| {
            let begins: String = secret.chars().take(2).collect();
            text.replace(secret.as_str(), &format!("{begins}••••••"))
        })
    }

    /// A text as one word of a shell, with a variable in the place of each secret.
    pub(super) fn quoted(&self, text: &str) -> String {
        // The marks take the secrets out of the text before its quotes are written.
        let mark = |at: usize| format!("\u{1}{at}\u{2}");
        let marked = (self.0.iter().enumerate())
            .fold(text.to_owned(), |text, (at, (secret, _))| text.replace(secret.as_str(), &mark(at)));
        (self.0.iter().enumerate()).fold(quoted(&marked), |text, (at, (_, variable))| {
            text.replace(&mark(at), &format!("'\"${variable}\"'"))
        })
    }
}
