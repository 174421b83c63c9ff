//! The verdict on an exchange, by the spec: its call, its status code, what to check.

use wallet_core::{CallbackMeta, Caller, EndpointMeta, Lang, PlatformMeta, acknowledges};
use wallet_server::pages::code_page;
use wallet_server::platforms;

use crate::recorder::{CALLBACKS, Exchange};

/// The verdict on an exchange, by the spec.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) mood: &'static str,
    /// The status code, or the HTTP status of a reply without one.
    pub(crate) result: String,
    pub(crate) words: String,
    /// The page of the status code.
    pub(super) code: Option<String>,
    /// The status code's advice.
    pub(super) hint: &'static str,
    /// The rules that apply to it.
    pub(super) rules: Vec<&'static str>,
    /// Whether the request was refused for its signature.
    pub(super) is_signature: bool,
}

/// The platform and the endpoint of a path.
pub(super) fn called(path: &str) -> Option<(&'static PlatformMeta, &'static EndpointMeta)> {
    platforms().find_map(|meta| Some((meta, meta.endpoint_at(path)?)))
}

/// Whether a path is an endpoint of the wallet itself, not of an app.
pub(super) fn is_of_wallet(path: &str) -> bool {
    called(path).is_some_and(|(_, endpoint)| endpoint.caller == Caller::Wallet)
}

/// The callback that the shop received: each profile has an address of its own. The return after a login is no callback.
fn received(path: &str) -> Option<&'static CallbackMeta> {
    let of = path.strip_prefix(CALLBACKS).filter(|of| !of.ends_with("/login"))?;
    let platform = platforms().find(|platform| {
        let profiles = platform.profiles.iter().map(|profile| profile.id);
        profiles.chain([platform.id]).any(|id| of.split('/').next() == Some(id))
    });
    platform?.callbacks.first().copied()
}

/// The callback of an exchange, if it is one.
pub(super) fn callback(exchange: &Exchange) -> Option<&'static CallbackMeta> {
    exchange.sent.as_ref().map(|(callback, _)| *callback).or_else(|| received(&exchange.path))
}

fn say(lang: Lang, zh: &'static str, en: &'static str) -> &'static str {
    if lang == Lang::Zh { zh } else { en }
}

fn status(exchange: &Exchange) -> String {
    exchange.status.map_or_else(|| "—".to_owned(), |status| status.to_string())
}

/// A verdict by the HTTP status alone.
fn by_status(exchange: &Exchange) -> Verdict {
    let good = exchange.status.is_some_and(|status| status < 400);
    Verdict { mood: if good { "ok" } else { "bad" }, result: status(exchange), ..Verdict::default() }
}

impl Verdict {
    pub(crate) fn of(lang: Lang, exchange: &Exchange) -> Self {
        let Some(callback) = callback(exchange) else {
            return match called(&exchange.path) {
                Some((platform, endpoint)) => Self::of_reply(lang, exchange, platform, endpoint),
                None => by_status(exchange),
            };
        };
        let wanted = callback.schedule.acknowledged_by;
        let delivered =
            exchange.status.is_some_and(|status| acknowledges(wanted, status, exchange.reply.as_bytes()));
        Self {
            mood: if delivered { "ok" } else { "bad" },
            result: status(exchange),
            words: match (delivered, exchange.status) {
                (true, _) => say(lang, "已送达", "delivered").to_owned(),
                (false, Some(_)) => {
                    let takes = say(lang, "未送达；须为", "not delivered; expected");
                    format!("{takes} {}", wanted.in_words(lang))
                }
                (false, None) => format!("{}: {}", say(lang, "没有应答", "no answer"), exchange.reply),
            },
            rules: callback.origin.rule.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The verdict by the envelope of the reply.
    fn of_reply(
        lang: Lang,
        exchange: &Exchange,
        platform: &'static PlatformMeta,
        endpoint: &'static EndpointMeta,
    ) -> Self {
        let envelope = endpoint.envelope;
        let mut rules: Vec<&str> = endpoint.origin.rule.into_iter().collect();
        rules.extend(endpoint.signing.and_then(|signing| signing.origin.rule));
        let reply: serde_json::Value = serde_json::from_str(&exchange.reply).unwrap_or_default();
        let status = match &reply[envelope.status] {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let code = platform.codes.iter().find(|code| envelope.code_text(code.code) == status);
        let refused = code.filter(|code| envelope.ok.is_none_or(|ok| ok.id != code.id));
        let Some(code) = refused else {
            return Self { rules, ..by_status(exchange) };
        };
        rules.extend(code.origin.rule);
        let because = platform.refusals.iter().filter(|refusal| refusal.code.id == code.id);
        rules.extend(because.filter_map(|refusal| refusal.origin.rule));
        rules.sort_unstable();
        rules.dedup();
        let mut by_signature =
            platform.signings.iter().flat_map(|rule| [rule.invalid, rule.expired]).flatten();
        Self {
            mood: "bad",
            result: status.clone(),
            words: format!("{status}: {}", code.text.in_lang(lang)),
            code: Some(code_page(platform, code.code)),
            hint: code.check.in_lang(lang),
            rules,
            is_signature: by_signature.any(|refusal| refusal.code.id == code.id)
                || code.id.contains("signature"),
        }
    }
}
