//! The inspector: every request to the platforms and every callback to the shop, raw and decoded.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use wallet_api::fomo::Fomo;
use wallet_api::vas::Vas;
use wallet_core::{EndpointMeta, Platform, PlatformMeta, form};
use wallet_server::pages::{View, page as render};

use super::{Pages, shown_time};
use crate::recorder::Exchange;

/// An exchange, with what the spec says of it.
struct Seen {
    exchange: Arc<Exchange>,
    at: String,
    about: &'static str,
    rule: &'static str,
    fields: Vec<(String, String)>,
    curl: String,
    mood: &'static str,
}

const PLATFORMS: [&PlatformMeta; 2] = [Fomo::META, Vas::META];

fn endpoint(exchange: &Exchange) -> Option<&'static EndpointMeta> {
    PLATFORMS.iter().find_map(|platform| {
        let path = exchange.path.strip_prefix(platform.base_path)?;
        platform.endpoints.iter().copied().find(|meta| meta.path.trim_start_matches('/') == path)
    })
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
        let meta = endpoint(&exchange);
        let about = match meta {
            Some(meta) => meta.doc.in_lang(view.lang),
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
        let refused =
            exchange.reply.contains("\"success\":false") || exchange.reply.contains("\"sucess\":false");
        Self {
            at: shown_time(exchange.at),
            about,
            rule: meta.and_then(|meta| meta.origin.rule).unwrap_or_default(),
            fields,
            curl: curl(url, &exchange),
            mood: if exchange.status == 200 && !refused { "ok" } else { "bad" },
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
