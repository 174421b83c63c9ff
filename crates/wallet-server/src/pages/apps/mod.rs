//! The developer's apps: registering, credentials after a fresh password, rotation, a first call in seven languages.

mod new;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use wallet_api::fomo::{Refusal, get_trade};
use wallet_core::Endpoint as _;
use wallet_platform::Failure;
use wallet_platform::{PasswordKind, Proof, Who};
use wallet_store::{Clock as _, SystemClock};

pub(crate) use self::new::{apply, check_safe_domain, create, new};
use super::{FormMessage, FormProblem, OrPage as _, Page, SignedIn, SubmittedForm, View, page, problem};
use crate::own_app::{AppSummary, OwnApp};
use crate::passwords::Place;
use crate::server::Server;
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

/// A fact about an app. `id` marks those that tests and scripts look for.
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
    /// What the app waits for.
    pub(crate) note: Option<String>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) secrets_may_be_seen: bool,
    /// Which of its secrets it is, where the secret can be changed: FOMO's.
    pub(crate) secret_version: Option<u32>,
    /// Until when the secret before this one verifies.
    pub(crate) old_until: Option<String>,
    pub(crate) snippets: Vec<Snippet>,
    /// By how many seconds the platform's time is not the machine's, where that makes a first call fail.
    pub(crate) clock_off: Option<ClockOff>,
}

pub(crate) struct ClockOff {
    /// Seconds that the platform is ahead.
    pub(crate) ahead: i64,
    /// How many are too many (R8).
    pub(crate) window: u64,
}

/// By how much the machine's own time, with which a program signs, is not the platform's, where a first call is refused for
/// it, or soon will be (R8).
pub(crate) fn clock_off(server: &Server) -> Option<ClockOff> {
    let window = get_trade::Endpoint::META.signing?.window?.seconds;
    let ahead = server.inner.store.now().secs() - SystemClock.now().secs();
    (ahead.unsigned_abs() > window / 2).then_some(ClockOff { ahead, window })
}

const MASK: &str = "••••••••••••";

pub(crate) fn masked(secret: Option<&str>) -> String {
    secret.unwrap_or(MASK).to_owned()
}

/// What becomes of a page after its form.
#[derive(Default)]
pub(crate) struct After {
    pub(crate) status: StatusCode,
    pub(crate) problem: Option<String>,
    pub(crate) done: Option<String>,
}

impl After {
    /// A form that the page's address tells of.
    pub(crate) fn failed(view: &View, form_problem: &FormProblem) -> Self {
        Self { problem: form_problem.in_words(view, &FAULTS), ..Self::default() }
    }
}

/// A page that is not made again without the password.
pub(crate) fn shown_once(view: &View) -> After {
    let done = view.say(
        "密钥在下面。离开本页或切换语言后，要再次输入密码才会显示。",
        "The secrets stand below. Once you leave this page or switch the language, they take your password again.",
    );
    After { done: Some(done.to_owned()), ..After::default() }
}

/// What may be wrong with the form that shows and changes secrets.
const FAULTS: [FormMessage; 3] = [
    FormMessage { id: "pwd", zh: "这不是你的登录密码。", en: "That is not your password." },
    FormMessage {
        id: "old",
        zh: "上一个密钥仍在验签：先让它失效，或等到它过期。",
        en: "The secret before this one still verifies: end it first, or wait until it has ended.",
    },
    FormMessage {
        id: "rotated",
        zh: "密钥在此期间又更换过，没有让任何密钥失效：请核对现在的密钥再试。",
        en: "The secret was rotated again meanwhile, so none was ended: look at the current one, then end the old one.",
    },
];

/// Asks again for the password of the user who is signed in: [`Err`] says what is wrong with it.
pub(crate) async fn fresh_password(
    server: &Server,
    signed_in: &SignedIn,
    posted: &SubmittedForm,
) -> Result<Proof, Failure> {
    let (prover, who) = (&server.inner.prover, Who::Session(signed_in.session));
    let pwd = posted.text("pwd");
    Ok(prover.prove(who, PasswordKind::LoginAgain, Place::Nowhere, pwd).await?.proof)
}

/// What a failure is to the form that asks for the password.
pub(crate) fn wrong_password(no: &Failure) -> Option<FormProblem> {
    FormProblem::by(no, Refusal::PwdWrong, "pwd")
}

/// The page with what was wrong with its form, and its address.
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
        view.say("它不存在，或不属于你。", "It does not exist, or it is not yours."),
        view.say("在「我的应用」里查看你的应用。", "Your apps stand under Apps."),
    )
}

/// The app at `/apps/{protocol}/{id}`, of the user who is signed in; everybody else's is unknown.
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
