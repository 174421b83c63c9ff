//! The developer's apps: registration, credentials after a password check, rotation, a first call in seven languages.

pub(crate) mod new;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use wallet_platform::{Failure, PasswordKind, Proof, Reason, Who};

use super::{FormMessage, FormProblem, OrPage as _, Page, SignedIn, SubmittedForm, View, page, problem};
use crate::context::Server;
use crate::own_app::{AppSummary, OwnApp};
use crate::passwords::Place;
use crate::snippets::Snippet;

#[derive(Template)]
#[template(path = "apps.html")]
struct AppsPage<'a> {
    view: &'a View,
    apps: Vec<AppSummary>,
}

pub(crate) async fn list(State(server): State<Server>, view: View, SignedIn { user, .. }: SignedIn) -> Page {
    let mut apps = Vec::new();
    for protocol in &server.inner.protocols {
        let own = protocol.apps(&server.inner.store, user.id).await.or_page(&view)?;
        apps.extend(own.iter().map(|app| app.summary()));
    }
    Ok(page(&AppsPage { view: &view, apps }))
}

/// A fact about an app. `id` is the element's id, for tests and scripts.
pub(crate) struct Fact {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

#[derive(Template)]
#[template(path = "app.html")]
pub(crate) struct AppPage<'a> {
    pub(crate) view: &'a View,
    pub(crate) app: AppSummary,
    pub(crate) problem: Option<String>,
    pub(crate) done: Option<String>,
    /// The next step of a pending app.
    pub(crate) note: Option<String>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) secrets_may_be_seen: bool,
    /// The version of the client_secret; `None` for apps whose secret cannot be rotated.
    pub(crate) secret_version: Option<u32>,
    /// The time until which the previous secret verifies.
    pub(crate) old_until: Option<String>,
    pub(crate) snippets: Vec<Snippet>,
    /// The clock difference, if it makes a first call fail.
    pub(crate) clock_off: Option<ClockOff>,
}

pub(crate) struct ClockOff {
    /// The platform's time minus the machine's time, in seconds.
    pub(crate) ahead: i64,
    /// The largest allowed difference of a signature's timestamp, in seconds (R8).
    pub(crate) window: u64,
}

const MASK: &str = "••••••••••••";

pub(crate) fn masked(secret: Option<&str>) -> String {
    secret.unwrap_or(MASK).to_owned()
}

/// The result of the form on an app's page.
#[derive(Default)]
pub(crate) struct After {
    pub(crate) status: StatusCode,
    pub(crate) problem: Option<String>,
    pub(crate) done: Option<String>,
}

impl After {
    /// The result for the fault in the page's address.
    pub(crate) fn failed(view: &View, form_problem: &FormProblem) -> Self {
        Self { problem: form_problem.in_words(view, &FAULTS), ..Self::default() }
    }
}

/// The result of a page that shows secrets once.
pub(crate) fn shown_once(view: &View) -> After {
    let done = view.say(
        "密钥在下面。离开本页或切换语言后，要再次输入密码才会显示。",
        "The secrets are shown below. After you leave this page or switch the language, your password is required again.",
    );
    After { done: Some(done.to_owned()), ..After::default() }
}

/// The faults of the form that shows and rotates secrets.
const FAULTS: [FormMessage; 3] = [
    FormMessage { id: "pwd", zh: "这不是你的登录密码。", en: "That is not your password." },
    FormMessage {
        id: "old",
        zh: "上一个密钥仍可用于验签：请先让它失效，或等它过期。",
        en: "The previous secret still verifies: end it first, or wait until it expires.",
    },
    FormMessage {
        id: "rotated",
        zh: "密钥在此期间再次更换过，因此未使任何密钥失效：请核对当前密钥后再试。",
        en: "The secret was rotated again meanwhile, so none was ended: look at the current one, then end the old one.",
    },
];

/// Checks the login password of the signed-in user again.
pub(crate) async fn fresh_password(
    server: &Server,
    signed_in: &SignedIn,
    posted: &SubmittedForm,
) -> Result<Proof, Failure> {
    let (prover, who) = (&server.inner.prover, Who::Session(signed_in.session));
    let pwd = posted.text("pwd");
    Ok(prover.prove(who, PasswordKind::LoginAgain, Place::Nowhere, pwd).await?.proof)
}

/// The form's fault, if the failure is a wrong password.
pub(crate) fn wrong_password(no: &Failure) -> Option<FormProblem> {
    FormProblem::by(no, Reason::PasswordWrong, "pwd")
}

/// The view and the result of a form with a fault.
pub(crate) fn wrong(view: &View, href: &str, form_problem: &FormProblem) -> (View, After) {
    let problem = form_problem.in_words(view, &FAULTS);
    let after = After { status: StatusCode::UNPROCESSABLE_ENTITY, problem, done: None };
    (view.clone().again(href, &[], form_problem), after)
}

pub(crate) fn unknown(view: &View) -> Response {
    problem(
        view,
        StatusCode::NOT_FOUND,
        view.say("没有这个应用", "There is no such app"),
        view.say("它不存在，或不属于你。", "The app does not exist, or it belongs to another user."),
        view.say("在「我的应用」里查看你的应用。", "See your apps under Apps."),
    )
}

/// The app at `/apps/{protocol}/{id}`, if the signed-in user owns it; else the page for an unknown app.
pub(super) async fn own_app(
    server: &Server,
    view: &View,
    signed_in: &SignedIn,
    protocol: &str,
    id: &str,
) -> Result<Box<dyn OwnApp>, Response> {
    let protocol = server.inner.protocol_named(protocol).ok_or_else(|| unknown(view))?;
    let app = protocol.app(&server.inner.store, signed_in.user.id, id).await.or_page(view)?;
    app.ok_or_else(|| unknown(view))
}
