//! The operator's page: applications, the callback queue and its failed callbacks, prices, limits, and the record of
//! operator acts.

use askama::Template;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use wallet_core::QuantityMeta;
use wallet_platform::{
    Audit, Audits, ByOperator, DeliveryId, DeliverySummary, DueDeliveries, Failing, NextDue, OperatorOf,
    PendingApplications, PendingDomains, PricesNow, Pulse, SendAgain, Undelivered,
};

use super::docs::inline;
use super::{
    OrPage as _, Page, SignedIn, SubmittedForm, View, page as render, problem, see_other, shown_time,
};
use crate::context::Server;

/// The address of the page.
pub(crate) const OPERATE: &str = "/admin";
/// The page of the operator's second factor.
pub(crate) const SECOND_FACTOR: &str = "/admin/second_factor";
/// The largest number of rows of a table.
const ROWS: u64 = 50;
/// The largest count of due callbacks and of applications.
const COUNTED: u64 = 1_000;
/// How many of the newest payments and callbacks the figures are made of.
const PULSE: u64 = 200;

struct Application {
    id: u64,
    name: String,
    wallet: &'static str,
    safe_domain: String,
    scheme: String,
    since: String,
}

struct Receiver {
    delivery: u64,
    app: String,
    about: String,
    attempts: u32,
    why: String,
    next: Option<String>,
    may_be_sent_again: bool,
}

impl Receiver {
    fn of(view: &View, summaries: DeliverySummary, waits: bool) -> Self {
        Self {
            delivery: summaries.delivery.id.0,
            app: summaries.app,
            about: summaries.about,
            attempts: summaries.delivery.attempts,
            why: (summaries.last)
                .map(|attempt| attempt.in_words(summaries.delivery.callback, view.lang))
                .unwrap_or_default(),
            next: waits.then(|| shown_time(summaries.delivery.next_at)),
            may_be_sent_again: summaries.may_be_sent_again,
        }
    }
}

struct Act {
    at: String,
    operator: String,
    act: &'static str,
    about: String,
    /// The values before and after, and the reason.
    more: String,
}

#[derive(Template)]
#[template(path = "admin.html")]
struct AdminPage<'a> {
    view: &'a View,
    applications: Vec<Application>,
    /// The safe domains that wait for a decision: the app's row id, its name, the current one and the wanted one.
    domains: Vec<(u64, String, String, String)>,
    /// The number of all applications.
    waiting: String,
    payments_an_hour: u64,
    /// In percent.
    succeeded: Option<u64>,
    /// In milliseconds.
    answered_within: Option<u128>,
    due: String,
    oldest: Option<String>,
    failing: Vec<Receiver>,
    undelivered: Vec<Receiver>,
    prices: Vec<(String, String, usize)>,
    undelivered_count: String,
    failing_count: String,
    acts: Vec<Act>,
}

/// An operator's session. A handler that takes it refuses every other user with a page, and asks an operator with a second
/// factor for a code of it once in each session.
pub(crate) struct Operator(pub(crate) SignedIn);

/// The same before the code was given, for the page that asks for it.
pub(crate) struct OperatorWithoutCode(pub(crate) SignedIn);

/// The signed-in operator, and whether a code is missing.
async fn operator(parts: &mut Parts, server: &Server) -> Result<(SignedIn, bool), Response> {
    let signed_in = SignedIn::from_request_parts(parts, server).await?;
    let view = View::from_request_parts(parts, server).await.map_err(IntoResponse::into_response)?;
    if !signed_in.user.operator {
        return Err(not_for_you(&view));
    }
    match server.inner.store.view(OperatorOf(signed_in.session)).await.or_page(&view)? {
        Some((_, may_operate)) => Ok((signed_in, !may_operate)),
        None => Err(not_for_you(&view)),
    }
}

impl FromRequestParts<Server> for Operator {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Response> {
        match operator(parts, server).await? {
            (signed_in, false) => Ok(Self(signed_in)),
            (_, true) => Err(see_other(SECOND_FACTOR)),
        }
    }
}

impl FromRequestParts<Server> for OperatorWithoutCode {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Response> {
        Ok(Self(operator(parts, server).await?.0))
    }
}

fn not_for_you(view: &View) -> Response {
    problem(
        view,
        StatusCode::FORBIDDEN,
        view.say("这是运营人员的页面", "This page is for operators"),
        view.say("当前登录的用户不是运营人员。", "The signed-in user is not an operator."),
        view.say(
            "沙箱里请以 operator 登录；否则在服务器上运行 wallop admin operator add 用户名 --config 文件。",
            "In a sandbox, sign in as operator. Elsewhere type on the server: wallop admin operator add NAME --config FILE",
        ),
    )
}

/// A number that a spec fixes.
struct Limit {
    /// The description as HTML, trusted: it comes from the spec.
    what: String,
    value: String,
    /// The name in the spec.
    id: &'static str,
}

/// A duration as text, in the largest unit that divides it.
fn stretch(view: &View, seconds: u64) -> String {
    let units = [(86_400, "天", "d"), (3_600, "小时", "h"), (60, "分钟", "min"), (1, "秒", "s")];
    let whole = units.into_iter().find(|(unit, ..)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let (unit, zh, en) = whole.unwrap_or((1, "秒", "s"));
    format!("{} {}", seconds / unit, view.say(zh, en))
}

/// The lifetimes and limits of the specs.
fn limits(server: &Server, view: &View) -> Vec<Limit> {
    let mut all = Vec::new();
    for meta in server.inner.protocols.iter().map(|protocol| protocol.meta()) {
        let limit =
            |one: &QuantityMeta, value| Limit { what: inline(one.doc.in_lang(view.lang)), value, id: one.id };
        all.extend(meta.lifetimes.iter().map(|one| limit(one, stretch(view, one.value))));
        all.extend(meta.limits.iter().map(|one| limit(one, one.value.to_string())));
    }
    all
}

pub(crate) async fn page(State(server): State<Server>, view: View, _: Operator) -> Page {
    let store = &server.inner.store;
    let mut pending = store.view(PendingApplications { limit: COUNTED }).await.or_page(&view)?;
    let waiting = counted(pending.len());
    pending.truncate(ROWS as usize);
    let wanted = server.inner.store.view(PendingDomains { limit: ROWS }).await.or_page(&view)?;
    let domains = wanted.into_iter();
    let domains =
        domains.map(|(app, wanted)| (app.id.0, app.name, app.safe_domain, wanted.safe_domain)).collect();
    let applications = pending.into_iter().map(|app| Application {
        id: app.id.0,
        name: app.name,
        wallet: app.profile.meta().doc.in_lang(view.lang),
        safe_domain: app.safe_domain,
        scheme: app.scheme,
        since: shown_time(app.created_at),
    });
    let applications = applications.collect();
    let now = store.now();
    let due = store.view(DueDeliveries { by: now, limit: COUNTED }).await.or_page(&view)?;
    let next = store.view(NextDue).await.or_page(&view)?;
    let overdue = next.filter(|next| *next < now).map(|next| now.since(next).as_secs());
    let pulse = store.view(Pulse { newest: PULSE }).await.or_page(&view)?;
    let receivers = |all: Vec<DeliverySummary>, waits| {
        all.into_iter().map(|one| Receiver::of(&view, one, waits)).collect()
    };
    let failing = store.view(Failing { limit: ROWS }).await.or_page(&view)?;
    let undelivered = store.view(Undelivered { limit: ROWS }).await.or_page(&view)?;
    let prices = store.view(PricesNow).await.or_page(&view)?.into_iter().map(|price| {
        let worth = price.mean.map_or_else(|| "—".to_owned(), |mean| mean.as_str().to_owned());
        let pair = format!("{} / {}", price.profile.coin_type(), price.currency.as_str());
        (pair, worth, price.fresh)
    });
    let acts = store.view(Audits { limit: ROWS }).await.or_page(&view)?.into_iter().map(|shown| Act {
        at: shown_time(shown.audit.at),
        operator: shown.operator.unwrap_or_else(|| view.say("本机", "the machine").to_owned()),
        act: shown.audit.act.in_words(view.lang),
        more: more_of(&shown.audit),
        about: shown.audit.about,
    });
    Ok(render(&AdminPage {
        view: &view,
        payments_an_hour: pulse.payments_an_hour,
        succeeded: pulse.succeeded,
        answered_within: pulse.answered_within.map(|took| took.as_millis()),
        applications,
        domains,
        waiting,
        due: counted(due.len()),
        oldest: overdue.map(|seconds| stretch(&view, seconds)),
        failing_count: counted_to(failing.len(), ROWS),
        undelivered_count: counted_to(undelivered.len(), ROWS),
        failing: receivers(failing, true),
        undelivered: receivers(undelivered, false),
        prices: prices.collect(),
        acts: acts.collect(),
    }))
}

/// What an act changed, and why.
fn more_of(audit: &Audit) -> String {
    let change = match (audit.before.is_empty(), audit.after.is_empty()) {
        (true, true) => String::new(),
        (true, false) => audit.after.clone(),
        _ => format!("{} → {}", audit.before, audit.after),
    };
    let parts: Vec<&str> = [&*change, &*audit.reason].into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" · ")
}

/// A count as text, with a plus sign at `COUNTED`.
fn counted(found: usize) -> String {
    counted_to(found, COUNTED)
}

/// A count as text, with a plus sign at the largest that is counted to.
fn counted_to(found: usize, most: u64) -> String {
    if found as u64 == most { format!("{most}+") } else { found.to_string() }
}

#[derive(Template)]
#[template(path = "admin_limits.html")]
struct LimitsPage<'a> {
    view: &'a View,
    limits: Vec<Limit>,
}

/// The page of the lifetimes and limits of the specs.
pub(crate) async fn limits_page(State(server): State<Server>, view: View, _: Operator) -> Page {
    Ok(render(&LimitsPage { view: &view, limits: limits(&server, &view) }))
}

/// The page after an act that was refused.
pub(crate) fn not_done(view: &View, why: &str) -> Response {
    problem(
        view,
        StatusCode::UNPROCESSABLE_ENTITY,
        view.say("没有执行", "Nothing was done"),
        why,
        view.say("返回查看现在的状态。", "Go back to see the current state."),
    )
}

pub(crate) async fn send_again(
    State(server): State<Server>,
    view: View,
    Operator(SignedIn { session, .. }): Operator,
    posted: SubmittedForm,
) -> Page {
    let view = view.at(OPERATE);
    let not_again = || {
        not_done(
            &view,
            view.say("它已送达，或仍在重试。", "The callback was delivered, or it is still retrying."),
        )
    };
    let delivery = posted.text("delivery").parse().map(DeliveryId).map_err(|_| not_again())?;
    let command = ByOperator::new(session, SendAgain(delivery));
    server.inner.store.submit(command).await.or_page(&view)?.ok_or_else(not_again)?;
    server.inner.callbacks.wake();
    Ok(see_other(OPERATE))
}
