//! The inspector: every request to the platforms and every callback to the shop, raw and decoded.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use wallet_core::{CallbackMeta, Caller, EndpointMeta, PlatformMeta, acknowledges, form};
use wallet_server::pages::{Params, View, code_page, page as render};
use wallet_server::platforms;

use super::{Pages, shown_time};
use crate::recorder::{CALLBACKS, Exchange};

/// An exchange with its verdict by the spec.
pub(super) struct Seen {
    pub(super) exchange: Arc<Exchange>,
    at: String,
    /// The time of the day.
    clock: String,
    about: &'static str,
    pub(super) verdict: Verdict,
    fields: Vec<(String, String)>,
    curl: String,
}

/// The verdict on an exchange, by the spec.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) mood: &'static str,
    pub(super) words: String,
    /// The page of the status code.
    code: Option<String>,
    /// The status code's advice.
    hint: &'static str,
    /// The rules that apply to it.
    rules: Vec<&'static str>,
}

/// The platform and the endpoint of a path.
fn called(path: &str) -> Option<(&'static PlatformMeta, &'static EndpointMeta)> {
    platforms().find_map(|meta| Some((meta, meta.endpoint_at(path)?)))
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
fn callback(exchange: &Exchange) -> Option<&'static CallbackMeta> {
    exchange.sent.as_ref().map(|(callback, _)| *callback).or_else(|| received(&exchange.path))
}

fn mood(exchange: &Exchange) -> &'static str {
    if exchange.status.is_some_and(|status| status < 400) { "ok" } else { "bad" }
}

impl Verdict {
    fn of(view: &View, exchange: &Exchange) -> Self {
        let Some(callback) = callback(exchange) else {
            return match called(&exchange.path) {
                Some((platform, endpoint)) => Self::of_reply(view, exchange, platform, endpoint),
                None => Self { mood: mood(exchange), ..Self::default() },
            };
        };
        let wanted = callback.schedule.acknowledged_by;
        let delivered =
            exchange.status.is_some_and(|status| acknowledges(wanted, status, exchange.reply.as_bytes()));
        Self {
            mood: if delivered { "ok" } else { "bad" },
            words: match (delivered, exchange.status) {
                (true, _) => view.say("已送达", "delivered").to_owned(),
                (false, Some(_)) => {
                    let takes = view.say("未送达；须为", "not delivered; expected");
                    format!("{takes} {}", wanted.in_words(view.lang))
                }
                (false, None) => view.say("没有回答", "no answer").to_owned(),
            },
            rules: callback.origin.rule.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The verdict by the envelope of the reply.
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
            return Self { mood: mood(exchange), rules, ..Self::default() };
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
    let host = exchange.sent.as_ref().map_or(url, |(_, host)| host);
    let address = quoted(&format!("{host}{}{query}", exchange.path));
    let mut text = format!("curl -s -X {} {address}", quoted(&exchange.method));
    for (name, value) in &exchange.headers {
        text.push_str(&format!(" \\\n  -H {}", quoted(&format!("{name}: {value}"))));
    }
    if !exchange.body.is_empty() {
        text.push_str(&format!(" \\\n  --data-raw {}", quoted(&exchange.body)));
    }
    text
}

impl Seen {
    /// The address of the request; the path alone for a request to the sandbox.
    pub(super) fn address(&self) -> String {
        let host = self.exchange.sent.as_ref().map_or("", |(_, host)| host);
        format!("{host}{}", self.exchange.path)
    }

    pub(super) fn status(&self) -> String {
        self.exchange.status.map_or_else(|| "—".to_owned(), |status| status.to_string())
    }

    fn of(view: &View, url: &str, exchange: Arc<Exchange>) -> Self {
        let about = match called(&exchange.path) {
            _ if callback(&exchange).is_some() => {
                view.say("平台发出的回调", "A callback, made by the platform")
            }
            Some((_, meta)) => meta.doc.in_lang(view.lang),
            None if exchange.is_callback() => {
                view.say("登录后钱包的返回", "The wallet's return after a login")
            }
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
        let at = shown_time(exchange.at);
        Self {
            clock: at.split(' ').nth(1).unwrap_or_default().to_owned(),
            at,
            about,
            verdict: Verdict::of(view, &exchange),
            fields,
            curl: curl(url, &exchange),
            exchange,
        }
    }
}

/// The exchanges that are shown.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Show {
    /// The calls of apps and their callbacks, without the calls of a wallet.
    Apps,
    /// Refused calls and undelivered callbacks.
    Refused,
    /// All exchanges; also for an unknown word.
    #[default]
    #[serde(other)]
    All,
}

impl Show {
    const EACH: [(Self, &'static str, &'static str, &'static str); 3] = [
        (Self::All, "all", "全部", "Everything"),
        (Self::Apps, "apps", "应用的调用与回调", "Calls and callbacks of apps"),
        (Self::Refused, "refused", "被拒绝的", "Refused"),
    ];

    fn shows(self, seen: &Seen) -> bool {
        match self {
            Self::All => true,
            Self::Apps => {
                let called = called(&seen.exchange.path);
                seen.exchange.is_callback()
                    || called.is_none_or(|(_, endpoint)| endpoint.caller != Caller::Wallet)
            }
            Self::Refused => seen.verdict.mood == "bad",
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    show: Show,
    /// The number of newer exchanges that are skipped.
    #[serde(default)]
    from: usize,
}

#[derive(Template)]
#[template(path = "inspect.html")]
struct InspectPage<'a> {
    view: &'a View,
    show: Show,
    from: usize,
    seen: Vec<Seen>,
    /// Whether there are older ones.
    more: bool,
}

impl InspectPage<'_> {
    fn word(&self) -> &'static str {
        Show::EACH.iter().find(|(show, ..)| *show == self.show).map_or("all", |(_, word, ..)| word)
    }

    /// The address that reloads the list. Only the newest page changes.
    fn live(&self) -> Option<String> {
        (self.from == 0).then(|| format!("/inspect/live?show={}", self.word()))
    }

    fn older(&self) -> Option<String> {
        self.more.then(|| format!("/inspect?show={}&from={}", self.word(), self.from.saturating_add(SHOWN)))
    }
}

#[derive(Template)]
#[template(path = "seen.html")]
struct SeenList<'a> {
    view: &'a View,
    seen: Vec<Seen>,
}

/// The most exchanges on a page.
const SHOWN: usize = 50;

/// The exchanges of a filter, newest first.
pub(super) fn seen(pages: &Pages, view: &View, show: Show, from: usize, count: usize) -> Vec<Seen> {
    let all = pages.recorder.newest().into_iter();
    let all = all.map(|exchange| Seen::of(view, &pages.shared.url, exchange));
    all.filter(|seen| show.shows(seen)).skip(from).take(count).collect()
}

pub(crate) async fn page(
    State(pages): State<Pages>,
    view: View,
    Params(Wanted { show, from }): Params<Wanted>,
) -> Response {
    let mut seen = seen(&pages, &view, show, from, SHOWN + 1); // one more, to see whether there are older ones
    let more = seen.len() > SHOWN;
    seen.truncate(SHOWN);
    render(&InspectPage { view: &view, show, from, seen, more })
}

pub(crate) async fn live(
    State(pages): State<Pages>,
    view: View,
    Params(Wanted { show, .. }): Params<Wanted>,
) -> Response {
    render(&SeenList { view: &view, seen: seen(&pages, &view, show, 0, SHOWN) })
}
