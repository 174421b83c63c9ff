//! The inspector: every request to the platforms and every callback, in a list; and one of them in detail, with the cause
//! of a wrong signature.

mod secrets;
mod verdict;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use wallet_api::fomo::payment_result;
use wallet_api::vas::payment;
use wallet_core::{Callback as _, Lang, Transport as _, form, link};
use wallet_explain::Cause;
use wallet_server::pages::{Params, SubmittedForm, View, page as render, problem, see_other};

use self::secrets::Secrets;
use self::verdict::{Verdict, callback, called, is_of_wallet};
use super::sign::{Given, Shown};
use super::{Pages, shown_time};
use crate::explained::{self, FomoCallback};
use crate::recorder::Exchange;

/// An exchange as a row of a list.
pub(crate) struct Row {
    pub(crate) exchange: Arc<Exchange>,
    /// The time of the day.
    pub(super) clock: String,
    /// The app's client_id or uuid.
    pub(super) app: String,
    /// The endpoint's or callback's id.
    pub(super) call: String,
    /// The trade_id, orderId or transfer_id.
    pub(super) about: String,
    pub(super) verdict: Verdict,
    fields: Vec<(String, String)>,
}

fn decoded(text: &str) -> Vec<(String, String)> {
    let decode =
        |text: &str| form::decode(text.as_bytes()).map_or_else(|_| text.to_owned(), |text| text.into_owned());
    form::pairs(text).map(form::split).map(|(name, value)| (decode(name), decode(value))).collect()
}

/// The parameters of a request: of its query, and of a body that is a form or a JSON object.
fn fields(exchange: &Exchange) -> Vec<(String, String)> {
    let mut fields = decoded(&exchange.query);
    let kind = exchange.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, kind)| kind);
    if kind.contains("urlencoded") {
        fields.extend(decoded(&exchange.body));
    } else if let Ok(Value::Object(members)) = serde_json::from_str(&exchange.body) {
        fields.extend(members.into_iter().map(|(name, value)| match value {
            Value::String(text) => (name, text),
            value => (name, value.to_string()),
        }));
    }
    fields
}

/// A member of the link in a request.
fn in_link(fields: &[(String, String)], name: &str) -> Option<String> {
    let (_, text) = fields.iter().find(|(name, _)| name == "link")?;
    let payload = link::payload(text).ok()?;
    Some(link::peek(payload.json().ok()?, name).ok()??.into_owned())
}

/// The most characters of an id or a call in the list.
const LONGEST_CELL: usize = 80;

impl Row {
    pub(crate) fn of(lang: Lang, exchange: Arc<Exchange>) -> Self {
        let fields = fields(&exchange);
        let first = |names: &[&str]| {
            let field = |name: &&str| {
                let given = fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
                given.or_else(|| in_link(&fields, name)).filter(|value| !value.is_empty())
            };
            names.iter().find_map(field).unwrap_or_default()
        };
        let call = match (callback(&exchange), called(&exchange.path)) {
            (Some(callback), _) => callback.id.to_owned(),
            (None, Some((_, endpoint))) => endpoint.id.to_owned(),
            (None, None) if exchange.is_callback() => "login".to_owned(),
            (None, None) => exchange.path.clone(),
        };
        let at = shown_time(exchange.at);
        let cut = |text: String| text.chars().take(LONGEST_CELL).collect();
        Self {
            clock: at.split(' ').nth(1).unwrap_or_default().to_owned(),
            app: cut(first(&["client_id", "uuid", "appId", "appUuid"])),
            about: cut(first(&["trade_id", "orderId", "transfer_id"])),
            call: cut(call),
            verdict: Verdict::of(lang, &exchange),
            fields,
            exchange,
        }
    }

    /// Whether the row belongs to a page of the sandbox: the wallet reads balances with each of its pages.
    fn is_own(&self) -> bool {
        self.exchange.own && is_of_wallet(&self.exchange.path)
    }

    /// The exchange in a line of a log; `None` for a call that a page of the sandbox made.
    pub(crate) fn line(&self) -> Option<String> {
        if self.is_own() {
            return None;
        }
        let arrow = if self.exchange.is_callback() { "<--" } else { "-->" };
        let about = [&self.app, &self.about].into_iter().filter(|text| !text.is_empty());
        let about: Vec<&str> = about.map(|text| &**text).collect();
        let words = if self.verdict.mood == "bad" { &*self.verdict.words } else { "" };
        let line = format!(
            "{} {arrow} {:<18} {:>6}  {:>7} ms  {}  {words}",
            self.clock,
            self.call,
            self.verdict.result,
            self.millis(),
            about.join(" ")
        );
        // A terminal reads no control character out of a request, and none that turns the direction of the text.
        let hidden = |c: char| c.is_control() || wallet_platform::is_invisible(c);
        Some(line.trim_end().chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect())
    }

    fn matches(&self, text: &str) -> bool {
        let shown = [&self.app, &self.about, &self.call, &self.exchange.path, &self.verdict.words];
        let fields = self.fields.iter().map(|(_, value)| value);
        let parts: Vec<&str> =
            shown.into_iter().chain(fields).chain([&self.exchange.reply]).map(String::as_str).collect();
        // As the page shows it: a search must not find out a secret.
        let secrets = Secrets::of(&self.exchange, &self.fields);
        secrets.masked(&parts.join("\n")).to_lowercase().contains(&text.to_lowercase())
    }

    /// `→` for a call, `←` for a callback.
    pub(super) fn direction(&self) -> &'static str {
        if self.exchange.is_callback() { "←" } else { "→" }
    }

    /// The time of the exchange in milliseconds.
    fn millis(&self) -> String {
        format!("{}.{}", self.exchange.micros / 1_000, self.exchange.micros % 1_000 / 100)
    }

    /// The address of the request; the path alone for a request to the sandbox.
    pub(super) fn address(&self) -> String {
        let host = self.exchange.sent.as_ref().map_or("", |(_, host)| host);
        format!("{host}{}", self.exchange.path)
    }

    fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    fn header(&self, name: &str) -> &str {
        self.exchange.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// The filters of the list.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    /// `refused`: only refused calls and undelivered callbacks.
    show: String,
    /// Only exchanges with this text.
    q: String,
    /// Only exchanges of this app.
    app: String,
    /// Not empty: the calls of the sandbox's own pages too.
    own: String,
    /// The number of newer exchanges that are skipped.
    from: usize,
}

impl Wanted {
    fn query(&self, from: usize) -> String {
        let from = if from == 0 { String::new() } else { from.to_string() };
        let fields =
            [("show", &self.show), ("q", &self.q), ("app", &self.app), ("own", &self.own), ("from", &from)];
        let filled: Vec<(&str, &str)> = fields
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| (name, &**text))
            .collect();
        if filled.is_empty() { String::new() } else { format!("?{}", form::query(&filled)) }
    }

    fn is_refused(&self) -> bool {
        self.show == "refused"
    }
}

/// The most exchanges on a page.
const SHOWN: usize = 50;

/// All kept exchanges, newest first. A callback without an app gets that of the call with the same id.
fn rows(pages: &Pages, view: &View) -> Vec<Row> {
    let all = pages.recorder.newest().into_iter();
    let mut rows: Vec<Row> = all.map(|exchange| Row::of(view.lang, exchange)).collect();
    let known: std::collections::HashMap<String, String> = rows
        .iter()
        .filter(|row| !row.app.is_empty() && !row.about.is_empty())
        .map(|row| (row.about.clone(), row.app.clone()))
        .collect();
    for row in rows.iter_mut().filter(|row| row.app.is_empty()) {
        if let Some(app) = known.get(&row.about) {
            row.app.clone_from(app);
        }
    }
    rows
}

/// The exchanges that match the filters, newest first.
fn listed(pages: &Pages, view: &View, asked: &Wanted) -> Vec<Row> {
    let fits = |row: &Row| {
        (!asked.is_refused() || row.verdict.mood == "bad")
            && (!asked.own.is_empty() || !row.is_own())
            && (asked.app.is_empty() || row.app == asked.app)
            && (asked.q.is_empty() || row.matches(asked.q.trim()))
    };
    rows(pages, view).into_iter().filter(fits).collect()
}

/// The last exchanges, for the start page.
pub(super) fn latest(pages: &Pages, view: &View, count: usize) -> Vec<Row> {
    listed(pages, view, &Wanted::default()).into_iter().take(count).collect()
}

/// The exchanges after the one with this number, newest first.
pub(super) fn latest_after(pages: &Pages, view: &View, after: u64) -> Vec<Row> {
    rows(pages, view).into_iter().filter(|row| row.exchange.id > after).collect()
}

/// One exchange in detail.
struct Detail {
    row: Row,
    at: String,
    about: &'static str,
    secrets: Secrets,
    curl: String,
    explained: Option<Result<Shown, String>>,
}

fn curl(url: &str, exchange: &Exchange, secrets: &Secrets) -> String {
    let query = if exchange.query.is_empty() { String::new() } else { format!("?{}", exchange.query) };
    let host = exchange.sent.as_ref().map_or(url, |(_, host)| host);
    let address = secrets.quoted(&format!("{host}{}{query}", exchange.path));
    let mut text = format!("curl -s -X {} {address}", secrets.quoted(&exchange.method));
    for (name, value) in &exchange.headers {
        text.push_str(&format!(" \\\n  -H {}", secrets.quoted(&format!("{name}: {value}"))));
    }
    if !exchange.body.is_empty() {
        text.push_str(&format!(" \\\n  --data-raw {}", secrets.quoted(&exchange.body)));
    }
    text
}

impl Detail {
    async fn of(pages: &Pages, view: &View, row: Row) -> Self {
        let about = match called(&row.exchange.path) {
            _ if callback(&row.exchange).is_some() => {
                view.say("平台发出的回调", "A callback, made by the platform")
            }
            Some((_, meta)) => meta.doc.in_lang(view.lang),
            None if row.exchange.is_callback() => {
                view.say("登录后钱包的返回", "The wallet's return after a login")
            }
            None => "",
        };
        let secrets = Secrets::of(&row.exchange, &row.fields);
        let curl = curl(&pages.shared.url, &row.exchange, &secrets);
        let explained = explain(pages, view, &row).await;
        Self { at: shown_time(row.exchange.at), about, secrets, curl, explained, row }
    }

    fn masked(&self, text: &str) -> String {
        self.secrets.masked(text)
    }

    /// A body as it is read: JSON is indented.
    fn pretty(&self, text: &str) -> String {
        let json =
            serde_json::from_str::<Value>(text).ok().filter(|value| value.is_object() || value.is_array());
        let pretty = json.and_then(|value| serde_json::to_string_pretty(&value).ok());
        self.masked(pretty.as_deref().unwrap_or(text))
    }

    /// Whether the exchange was a request to this sandbox, which can be sent again as it was.
    fn may_be_sent_again(&self) -> bool {
        self.row.exchange.sent.is_none() && !self.row.exchange.is_callback()
    }
}

/// The cause of a refused signature, where it was refused: a call's, or that of a callback that was not acknowledged.
async fn explain(pages: &Pages, view: &View, row: &Row) -> Option<Result<Shown, String>> {
    let (store, lang) = (&pages.shared.store, view.lang);
    if let Some(callback) = callback(&row.exchange) {
        if row.verdict.mood != "bad" || row.exchange.status.is_none() {
            return None;
        }
        let (finding, form) = if callback.id == payment_result::Callback::META.id {
            let [id, timestamp, signature] =
                ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| row.header(name));
            let body = &*row.exchange.body;
            let now = Some(row.exchange.at);
            let sent = FomoCallback { id, timestamp, signature, body, computed: "", now };
            let finding = explained::fomo_callback(store, lang, &row.app, "", &sent).await;
            (finding, Given::fomo_callback(&row.app, id, timestamp, signature, body))
        } else if callback.id == payment::Callback::META.id {
            let query = &*row.exchange.query;
            (explained::vas_callback(store, lang, query, "", "").await, Given::vas_callback(query))
        } else {
            return None;
        };
        return Some(finding.map(|finding| Shown::of(view, &finding, form.address())));
    }
    let (link, timestamp, sign) = (row.field("link"), row.field("timestamp"), row.field("sign"));
    // A malformed timestamp is refused before the signature is looked at.
    let is_signed = called(&row.exchange.path).is_some_and(|(_, endpoint)| endpoint.signing.is_some());
    if row.verdict.mood != "bad" || !(row.verdict.is_signature || (is_signed && !sign.is_empty())) {
        return None;
    }
    let (finding, form) = if link.is_empty() {
        let now = Some(row.exchange.at);
        let finding = explained::fomo(store, lang, &row.app, "", timestamp, sign, now).await;
        if !row.verdict.is_signature && finding.as_ref().is_ok_and(|finding| finding.cause == Cause::Fits) {
            return None; // refused for another reason
        }
        (finding, Given::request(&row.app, timestamp, sign))
    } else {
        (explained::link(store, lang, link, "").await, Given::link(link))
    };
    Some(finding.map(|finding| Shown::of(view, &finding, form.address())))
}

#[derive(Template)]
#[template(path = "inspect.html")]
struct InspectPage<'a> {
    view: &'a View,
    asked: &'a Wanted,
    apps: Vec<String>,
    rows: Vec<Row>,
    /// The id of the exchange in detail; 0 without one.
    chosen: u64,
    detail: Option<Detail>,
    /// Whether there are older ones.
    more: bool,
}

impl InspectPage<'_> {
    /// The address that reloads the list. Only the newest page changes.
    fn live(&self) -> Option<String> {
        let chosen = if self.chosen == 0 { String::new() } else { format!("/{}", self.chosen) };
        (self.asked.from == 0).then(|| format!("/inspect/live{chosen}{}", self.asked.query(0)))
    }

    fn older(&self) -> Option<String> {
        self.more.then(|| format!("/inspect{}", self.asked.query(self.asked.from.saturating_add(SHOWN))))
    }
}

#[derive(Template)]
#[template(path = "inspect_rows.html")]
struct RowList<'a> {
    view: &'a View,
    asked: &'a Wanted,
    rows: Vec<Row>,
    chosen: u64,
}

async fn shown(pages: &Pages, view: &View, asked: &Wanted, chosen: u64) -> Response {
    let all = rows(pages, view);
    let mut apps: Vec<String> = all.iter().map(|row| row.app.clone()).filter(|app| !app.is_empty()).collect();
    apps.sort_unstable();
    apps.dedup();
    let detail = match chosen {
        0 => None,
        id => match all.into_iter().find(|row| row.exchange.id == id) {
            Some(row) => Some(Detail::of(pages, view, row).await),
            None => return gone(view),
        },
    };
    // One more, to see whether there are older ones.
    let mut rows: Vec<Row> =
        listed(pages, view, asked).into_iter().skip(asked.from).take(SHOWN + 1).collect();
    let more = rows.len() > SHOWN;
    rows.truncate(SHOWN);
    render(&InspectPage { view, asked, apps, rows, chosen, detail, more })
}

fn gone(view: &View) -> Response {
    problem(
        view,
        StatusCode::NOT_FOUND,
        view.say("没有这条记录", "There is no such exchange"),
        view.say("沙箱只保留最近的记录。", "The sandbox keeps only the last exchanges."),
        view.say("返回列表。", "Go back to the list."),
    )
}

pub(crate) async fn page(State(pages): State<Pages>, view: View, Params(asked): Params<Wanted>) -> Response {
    shown(&pages, &view, &asked, 0).await
}

pub(crate) async fn one(
    State(pages): State<Pages>,
    view: View,
    Path(id): Path<String>,
    Params(asked): Params<Wanted>,
) -> Response {
    match id.parse() {
        Ok(id) => shown(&pages, &view, &asked, id).await,
        Err(_) => gone(&view),
    }
}

pub(crate) async fn live(
    State(pages): State<Pages>,
    view: View,
    id: Option<Path<String>>,
    Params(asked): Params<Wanted>,
) -> Response {
    let rows = listed(&pages, &view, &asked).into_iter().take(SHOWN).collect();
    let chosen = id.and_then(|Path(id)| id.parse().ok()).unwrap_or(0);
    render(&RowList { view: &view, asked: &asked, rows, chosen })
}

/// Sends a request to the sandbox again, as it was.
pub(crate) async fn send_again(
    State(pages): State<Pages>,
    view: View,
    Path(id): Path<String>,
    _posted: SubmittedForm,
) -> Response {
    let all = pages.recorder.newest();
    let found = id.parse().ok().and_then(|id: u64| all.into_iter().find(|exchange| exchange.id == id));
    let Some(exchange) = found.filter(|exchange| exchange.sent.is_none() && !exchange.is_callback()) else {
        return gone(&view);
    };
    let query = if exchange.query.is_empty() { String::new() } else { format!("?{}", exchange.query) };
    let mut request = http::Request::builder()
        .method(&*exchange.method)
        .uri(format!("{}{}{query}", pages.shared.url, exchange.path));
    for (name, value) in &exchange.headers {
        request = request.header(name, value);
    }
    let Ok(request) = request.body(exchange.body.clone().into_bytes()) else { return gone(&view) };
    // The reply is in the list, whatever it is.
    let _ = pages.transport.send(request).await;
    match pages.recorder.newest().first() {
        Some(newest) => see_other(&format!("/inspect/{}", newest.id)),
        None => see_other("/inspect"),
    }
}
