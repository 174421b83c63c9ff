//! The developer's apps: registering, credentials after a fresh password, rotation, a first call in seven languages.

mod fomo;
mod new;
mod vas;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use wallet_api::fomo::{Refusal, get_trade};
use wallet_api::vas::Review;
use wallet_core::Endpoint as _;
use wallet_platform::Failure;
use wallet_platform::{App, AppsOf, CallbackKind, PasswordKind, Proof, ReceiverId, VasApp, VasApps, Who};
use wallet_store::{Clock as _, SystemClock};

pub(crate) use self::fomo::{end_old, fomo, reveal, rotate};
pub(crate) use self::new::{apply, check_safe_domain, create, new};
pub(crate) use self::vas::{private_key, public_key, reveal_vas, vas};
use super::{FormMessage, FormProblem, OrPage as _, Page, SignedIn, SubmittedForm, View, page, problem};
use crate::passwords::Place;
use crate::server::Server;
use crate::snippets::Snippet;

/// An app as lists and heads of pages show it.
struct Shown {
    name: String,
    platform: &'static str,
    id: String,
    href: String,
    state: &'static str,
    mood: &'static str,
}

impl Shown {
    fn fomo(view: &View, app: &App) -> Self {
        Self {
            name: app.name.clone(),
            platform: "FOMO",
            id: app.client_id.to_string(),
            href: format!("/apps/fomo/{}", app.client_id),
            state: view.say("可用", "active"),
            mood: "ok",
        }
    }

    fn vas(view: &View, app: &VasApp) -> Self {
        let (state, mood) = match app.state {
            Review::Pending => (view.say("待审核", "in review"), "warn"),
            Review::Approved => (view.say("已通过", "approved"), "ok"),
            Review::Rejected => (view.say("未通过", "rejected"), "bad"),
        };
        Self {
            name: app.name.clone(),
            platform: app.profile.meta().doc.in_lang(view.lang),
            id: if app.uuid.as_str().is_empty() { app.id.0.to_string() } else { app.uuid.to_string() },
            href: format!("/apps/vas/{}", app.id.0),
            state,
            mood,
        }
    }
}

#[derive(Template)]
#[template(path = "apps.html")]
struct AppsPage<'a> {
    view: &'a View,
    apps: Vec<Shown>,
}

pub(crate) async fn list(State(server): State<Server>, view: View, SignedIn { user, .. }: SignedIn) -> Page {
    let fomo = server.inner.store.view(AppsOf(user.id)).await.or_page(&view)?;
    let vas = server.inner.store.view(VasApps { owner: user.id }).await.or_page(&view)?;
    let mut apps: Vec<Shown> = fomo.iter().map(|app| Shown::fomo(&view, app)).collect();
    apps.extend(vas.iter().map(|app| Shown::vas(&view, app)));
    Ok(page(&AppsPage { view: &view, apps }))
}

/// A fact about an app. `id` marks those that tests and scripts look for.
struct Fact {
    id: &'static str,
    name: &'static str,
    value: String,
}

#[derive(Template)]
#[template(path = "app.html")]
struct AppPage<'a> {
    view: &'a View,
    app: Shown,
    problem: Option<String>,
    done: Option<String>,
    /// What the app waits for.
    note: Option<String>,
    facts: Vec<Fact>,
    secrets_may_be_seen: bool,
    /// Which of its secrets it is, where the secret can be changed: FOMO's.
    secret_version: Option<u32>,
    /// Until when the secret before this one verifies.
    old_until: Option<String>,
    snippets: Vec<Snippet>,
    /// By how many seconds the platform's time is not the machine's, where that makes a first call fail.
    clock_off: Option<ClockOff>,
}

struct ClockOff {
    /// Seconds that the platform is ahead.
    ahead: i64,
    /// How many are too many (R8).
    window: u64,
}

/// By how much the machine's own time, with which a program signs, is not the platform's, where a first call is refused for
/// it, or soon will be (R8).
fn clock_off(server: &Server) -> Option<ClockOff> {
    let window = get_trade::Endpoint::META.signing?.window?.seconds;
    let ahead = server.inner.store.now().secs() - SystemClock.now().secs();
    (ahead.unsigned_abs() > window / 2).then_some(ClockOff { ahead, window })
}

const MASK: &str = "••••••••••••";

fn masked(secret: Option<&str>) -> String {
    secret.unwrap_or(MASK).to_owned()
}

/// What becomes of a page after its form.
#[derive(Default)]
struct After {
    status: StatusCode,
    problem: Option<String>,
    done: Option<String>,
}

impl After {
    /// A form that the page's address tells of.
    fn failed(view: &View, form_problem: &FormProblem) -> Self {
        Self { problem: form_problem.in_words(view, &FAULTS), ..Self::default() }
    }
}

/// A page that is not made again without the password.
fn shown_once(view: &View) -> After {
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
async fn fresh_password(
    server: &Server,
    signed_in: &SignedIn,
    posted: &SubmittedForm,
) -> Result<Proof, Failure> {
    let (prover, who) = (&server.inner.prover, Who::Session(signed_in.session));
    let pwd = posted.text("pwd");
    Ok(prover.prove(who, PasswordKind::LoginAgain, Place::Nowhere, pwd).await?.proof)
}

/// What a failure is to the form that asks for the password.
fn wrong_password(no: &Failure) -> Option<FormProblem> {
    FormProblem::by(no, Refusal::PwdWrong, "pwd")
}

/// The page with what was wrong with its form, and its address.
fn wrong(view: &View, href: &str, form_problem: &FormProblem) -> (View, After) {
    let problem = form_problem.in_words(view, &FAULTS);
    let after = After { status: StatusCode::UNPROCESSABLE_ENTITY, problem, done: None };
    (view.clone().again(href, &[], form_problem), after)
}

fn unknown(view: &View) -> Response {
    problem(
        view,
        StatusCode::NOT_FOUND,
        view.say("没有这个应用", "There is no such app"),
        view.say("它不存在，或不属于你。", "It does not exist, or it is not yours."),
        view.say("在「我的应用」里查看你的应用。", "Your apps stand under Apps."),
    )
}

/// The app that a page is about: it is of the user who is signed in.
pub(super) enum OwnApp {
    /// Of FOMO.
    Fomo(App),
    /// Of the VAS or the Lafi wallet.
    Vas(VasApp),
}

impl OwnApp {
    /// By the address's `/apps/{platform}/{id}`; everybody else's is unknown.
    pub(super) async fn find(
        server: &Server,
        view: &View,
        signed_in: &SignedIn,
        platform: &str,
        id: &str,
    ) -> Result<Self, Response> {
        match platform {
            "fomo" => fomo::own_app(server, view, &signed_in.user, id).await.map(Self::Fomo),
            "vas" => vas::own_vas_app(server, view, &signed_in.user, id).await.map(Self::Vas),
            _ => Err(unknown(view)),
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Fomo(app) => &app.name,
            Self::Vas(app) => &app.name,
        }
    }

    pub(super) fn href(&self) -> String {
        match self {
            Self::Fomo(app) => format!("/apps/fomo/{}", app.client_id),
            Self::Vas(app) => format!("/apps/vas/{}", app.id.0),
        }
    }

    /// As whom callbacks tell it.
    pub(super) fn receiver(&self) -> ReceiverId {
        match self {
            Self::Fomo(app) => app.id.into(),
            Self::Vas(app) => app.id.into(),
        }
    }

    /// The kind of its callbacks.
    pub(super) fn callback(&self) -> CallbackKind {
        match self {
            Self::Fomo(_) => CallbackKind::PaymentResult,
            Self::Vas(_) => CallbackKind::Payment,
        }
    }
}
