//! The inspector: every request to the platforms and every callback to the shop, raw and decoded.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use wallet_core::{CallbackMeta, EndpointMeta, PlatformMeta, form};
use wallet_server::PLATFORMS;
use wallet_server::pages::{View, code_page, page as render};

use super::{Pages, shown_time};
use crate::recorder::{CALLBACKS, Exchange};

/// An exchange, with what the spec says of it.
struct Seen {
    exchange: Arc<Exchange>,
    at: String,
    about: &'static str,
    verdict: Verdict,
    fields: Vec<(String, String)>,
    curl: String,
}

/// What came of a request, by the spec.
#[derive(Default)]
struct Verdict {
    mood: &'static str,
    words: String,
    /// The page of the status code.
    code: Option<String>,
    /// What to check.
    hint: &'static str,
    /// The rules that were held against it.
    rules: Vec<&'static str>,
}

/// The platform that is called, and its endpoint.
fn called(path: &str) -> Option<(&'static PlatformMeta, &'static EndpointMeta)> {
    PLATFORMS.iter().find_map(|platform| Some((*platform, platform.endpoint_at(path)?)))
}

/// The callback that the shop heard: the profiles' addresses carry theirs.
fn told(path: &str) -> Option<&'static CallbackMeta> {
    let of = path.strip_prefix(CALLBACKS)?;
    let platform = PLATFORMS.iter().find(|platform| {
        let profiles = platform.profiles.iter().map(|profile| profile.id);
        profiles.chain([platform.id]).any(|id| of.split('/').next() == Some(id))
    });
    platform?.callbacks.first().copied()
}

impl Verdict {
    fn of(view: &View, exchange: &Exchange) -> Self {
        if let Some((platform, endpoint)) = called(&exchange.path) {
            return Self::of_reply(view, exchange, platform, endpoint);
        }
        let Some(callback) = told(&exchange.path) else {
            let found = exchange.status < 400;
            return Self { mood: if found { "ok" } else { "bad" }, ..Self::default() };
        };
        let wanted = callback.schedule.acknowledged_by;
        let heard = wanted.accepts(exchange.status, exchange.reply.as_bytes());
        Self {
            mood: if heard { "ok" } else { "bad" },
            words: match heard {
                true => view.say("已送达", "heard").to_owned(),
                false => format!("{} {wanted}", view.say("未送达；须为", "not heard; that takes")),
            },
            rules: callback.origin.rule.into_iter().collect(),
            ..Self::default()
        }
    }

    /// By the envelope of the reply.
    fn of_reply(
        view: &View,
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
            let mood = if exchange.status < 400 { "ok" } else { "bad" };
            return Self { mood, rules, ..Self::default() };
        };
        rules.extend(code.origin.rule);
        let because = platform.refusals.iter().filter(|refusal| refusal.code.id == code.id);
        rules.extend(because.filter_map(|refusal| refusal.origin.rule));
        rules.sort_unstable();
        rules.dedup();
        Self {
            mood: "bad",
            words: format!("{status}: {}", code.text.in_lang(view.lang)),
            code: Some(code_page(platform, code.code)),
            hint: code.check.in_lang(view.lang),
            rules,
        }
    }
}

fn decoded(text: &str) -> Vec<(String, String)> {
    let decode =
        |text: &str| form::decode(text.as_bytes()).map_or_else(|_| text.to_owned(), |text| text.into_owned());
    form::pairs(text).map(form::split).map(|(name, value)| (decode(name), decode(value))).collect()
}

/// For a shell: within single quotes only a single quote is special.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn curl(url: &str, exchange: &Exchange) -> String {
    let query = if exchange.query.is_empty() { String::new() } else { format!("?{}", exchange.query) };
    let mut text =
        format!("curl -s -X {} {}", exchange.method, quoted(&format!("{url}{}{query}", exchange.path)));
    for (name, value) in &exchange.headers {
        text.push_str(&format!(" \\\n  -H {}", quoted(&format!("{name}: {value}"))));
    }
    if !exchange.body.is_empty() {
        text.push_str(&format!(" \\\n  --data-raw {}", quoted(&exchange.body)));
    }
    text
}

impl Seen {
    fn of(view: &View, url: &str, exchange: Arc<Exchange>) -> Self {
        let about = match called(&exchange.path) {
            Some((_, meta)) => meta.doc.in_lang(view.lang),
            None if exchange.is_callback() => view.say("平台发出的回调", "A callback, made by the platform"),
            None => "",
        };
        let form = exchange
            .headers
            .iter()
            .any(|(name, value)| name == "content-type" && value.contains("urlencoded"));
        let mut fields = decoded(&exchange.query);
        if form {
            fields.extend(decoded(&exchange.body));
        }
        Self {
            at: shown_time(exchange.at),
            about,
            verdict: Verdict::of(view, &exchange),
            fields,
            curl: curl(url, &exchange),
            exchange,
        }
    }
}

#[derive(Template)]
#[template(path = "inspect.html")]
struct InspectPage<'a> {
    view: &'a View,
    seen: Vec<Seen>,
}

#[derive(Template)]
#[template(path = "seen.html")]
struct SeenList<'a> {
    view: &'a View,
    seen: Vec<Seen>,
}

fn seen(pages: &Pages, view: &View) -> Vec<Seen> {
    let newest = pages.recorder.newest(50);
    newest.into_iter().map(|exchange| Seen::of(view, &pages.shared.url, exchange)).collect()
}

pub(crate) async fn page(State(pages): State<Pages>, view: View) -> Response {
    render(&InspectPage { view: &view, seen: seen(&pages, &view) })
}

pub(crate) async fn live(State(pages): State<Pages>, view: View) -> Response {
    render(&SeenList { view: &view, seen: seen(&pages, &view) })
}
