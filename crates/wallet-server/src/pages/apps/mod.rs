//! The developer's apps: the list, and the parts of an app's page that every protocol has.

pub(crate) mod new;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use wallet_core::{Basis, EndpointMeta, UnixTime};
use wallet_platform::{
    CallbacksOf, Failure, HasMilestone, PasswordKind, Proof, Reason, ReceiverId, Step, Who,
};

use super::{
    Faults, FormMessage, FormProblem, OrPage as _, Page, SignedIn, SubmittedForm, View, page, problem,
    shown_time,
};
use crate::context::Server;
use crate::own_app::{AppSummary, OwnApp};
use crate::passwords::Place;
use crate::snippets::Snippet;
use crate::store::Store;

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

/// A tab of an app's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Overview,
    Payments,
    Callbacks,
    Settings,
}

impl Tab {
    /// Each tab, the end of its address, and its name.
    pub(crate) const ALL: [(Self, &'static str, &'static str, &'static str); 4] = [
        (Self::Overview, "", "概览", "Overview"),
        (Self::Payments, "/payments", "付款", "Payments"),
        (Self::Callbacks, "/deliveries", "回调", "Callbacks"),
        (Self::Settings, "/settings", "设置", "Settings"),
    ];
}

/// A fact about an app. `id` is the element's id, for tests and scripts.
pub(crate) struct Fact {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// Whether the value is a secret that the page does not show.
    pub(crate) masked: bool,
}

impl Fact {
    pub(crate) fn new(id: &'static str, name: &'static str, value: impl Into<String>) -> Self {
        Self { id, name, value: value.into(), masked: false }
    }

    /// A secret, or dots in its place.
    pub(crate) fn secret(id: &'static str, name: &'static str, secret: Option<&str>) -> Self {
        Self { id, name, value: secret.unwrap_or(MASK).to_owned(), masked: secret.is_none() }
    }
}

const MASK: &str = "••••••••••••";

/// A step of the check list.
pub(crate) struct CheckedStep {
    pub(crate) done: bool,
    pub(crate) words: &'static str,
    /// The address that helps with the step.
    pub(crate) href: String,
}

/// The check list of an app.
pub(crate) async fn check_list(
    store: &Store,
    view: &View,
    app: ReceiverId,
    href: &str,
    platform: &str,
) -> Result<Vec<CheckedStep>, Failure> {
    let reached = async |step| store.view(HasMilestone { app, step }).await;
    let (callbacks, _) =
        store.view(CallbacksOf { app, undelivered: false, before: None, limit: NEWEST }).await?;
    let acknowledged =
        callbacks.iter().any(|one| one.delivery.state == wallet_core::DeliveryState::Acknowledged);
    let step = |done, words, href: String| CheckedStep { done, words, href };
    Ok(vec![
        step(
            reached(Step::SecretShown).await?,
            view.say("查看并保存密钥", "See and keep the secret"),
            format!("{href}#credentials"),
        ),
        step(
            reached(Step::Called).await?,
            view.say("用应用的凭据完成第一次调用", "Make a first call with the app's credentials"),
            format!("{href}#first_call"),
        ),
        step(
            !callbacks.is_empty(),
            view.say("收到第一笔付款", "Take a first payment"),
            format!("/docs/guides/{platform}"),
        ),
        step(
            acknowledged,
            view.say("验签并确认第一个回调", "Verify and acknowledge a first callback"),
            "/docs/callbacks".to_owned(),
        ),
    ])
}

/// The number of callbacks among which the check list looks for an acknowledged one.
const NEWEST: u64 = 50;

/// The receiving addresses of an app, and the form that adds one.
pub(crate) struct Addresses {
    /// Each address, whether the developer entered it, and the received amount if the chain is embedded.
    pub(crate) list: Vec<ShownAddress>,
    /// The asset of the app's payments.
    pub(crate) asset: &'static str,
    /// Whether the server makes addresses.
    pub(crate) makes: bool,
    pub(crate) faults: Faults,
    /// The text that was entered.
    pub(crate) entered: String,
}

pub(crate) struct ShownAddress {
    pub(crate) address: String,
    pub(crate) entered: bool,
    /// The balance on the embedded chain.
    pub(crate) balance: Option<String>,
}

/// The overview of an app.
#[derive(Template)]
#[template(path = "app.html")]
pub(crate) struct AppPage<'a> {
    pub(crate) view: &'a View,
    pub(crate) app: AppSummary,
    pub(crate) tab: Tab,
    pub(crate) problem: Option<String>,
    pub(crate) done: Option<String>,
    /// The next step of a pending app.
    pub(crate) note: Option<String>,
    /// Whether the developer of a sandbox may approve the application.
    pub(crate) may_approve: bool,
    pub(crate) steps: Vec<CheckedStep>,
    pub(crate) facts: Vec<Fact>,
    /// The form that shows the secrets; `None` while there are none.
    pub(crate) secrets: Option<SecretsForm>,
    pub(crate) addresses: Option<Addresses>,
    pub(crate) snippets: Vec<Snippet>,
    /// The environment variable of the snippets, and its value if the page shows the secret.
    pub(crate) variable: (&'static str, Option<String>),
    /// The endpoint that the snippets call.
    pub(crate) call: &'static EndpointMeta,
    /// The clock difference, if it makes a first call fail.
    pub(crate) clock_off: Option<ClockOff>,
}

impl AppPage<'_> {
    /// Whether the called endpoint is in the platform's document.
    fn call_is_documented(&self) -> bool {
        self.call.origin.basis == Basis::Documented
    }

    fn steps_done(&self) -> usize {
        self.steps.iter().filter(|step| step.done).count()
    }
}

/// The form that shows an app's secrets after a password check.
pub(crate) struct SecretsForm {
    pub(crate) faults: Faults,
    /// Whether the app has an RSA key, which can be downloaded as a file.
    pub(crate) key_files: bool,
}

pub(crate) struct ClockOff {
    /// The platform's time minus the machine's time, in seconds.
    pub(crate) ahead: i64,
    /// The largest allowed difference of a signature's timestamp, in seconds (R8).
    pub(crate) window: u64,
}

/// The result of a form on an app's page.
#[derive(Default)]
pub(crate) struct After {
    pub(crate) status: StatusCode,
    pub(crate) problem: FormProblem,
    pub(crate) done: Option<String>,
    /// The text of the address form.
    pub(crate) entered: String,
    /// The name and the address that were filled in.
    pub(crate) edited: Option<(String, String)>,
}

impl After {
    /// The result for the fault in the page's address.
    pub(crate) fn failed(problem: FormProblem) -> Self {
        Self { problem, ..Self::default() }
    }

    /// The result of a form without a fault.
    pub(crate) fn done(words: &str) -> Self {
        Self { done: Some(words.to_owned()), ..Self::default() }
    }

    pub(crate) fn faults(&self, view: &View) -> Faults {
        Faults::of(&self.problem, &FAULTS, view.lang)
    }
}

/// What the owner of an app reads that is closed or suspended.
pub(crate) fn refused_note(view: &View, closed_at: Option<UnixTime>, suspended: bool) -> Option<String> {
    if let Some(at) = closed_at {
        let words = view.say(
            "应用已关闭：不再接受调用，付款与回调记录保留。关闭时间：",
            "This app is closed: the platform refuses its calls. Its payments and callbacks stay visible. Closed at",
        );
        return Some(format!("{words} {}", shown_time(at)));
    }
    suspended.then(|| {
        view.say(
            "应用已被平台停用：每个调用都被拒绝，已完成付款的回调仍会发出。请联系平台运营方。",
            "The platform has suspended this app: it refuses each of its calls. Callbacks of payments that were made are still sent. Ask the platform's operator.",
        )
        .to_owned()
    })
}

/// The result of a page that shows secrets once.
pub(crate) fn shown_once(view: &View) -> After {
    After::done(view.say(
        "密钥在下面。离开本页或切换语言后，要再次输入密码才会显示。",
        "The secrets are shown below. After you leave this page or switch the language, your password is required again.",
    ))
}

/// The faults of the forms on an app's pages.
const FAULTS: [FormMessage; 10] = [
    FormMessage {
        id: "close_pwd",
        field: "close_pwd",
        zh: "这不是你的登录密码。",
        en: "That is not your password.",
    },
    new::name_fault("name"),
    FormMessage {
        id: "redirect_uri",
        field: "redirect_uri",
        zh: "redirect_uri 须是浏览器可以打开的地址，例如 https://shop.example/back：不含 # 和 @。",
        en: "The redirect_uri must be an address for a browser, such as https://shop.example/back (no # or @).",
    },
    FormMessage {
        id: "safe_domain",
        field: "safe_domain",
        zh: "安全域名须是一个完整的主机名，例如 www.shop.example。",
        en: "The safe domain must be one whole host name, such as www.shop.example.",
    },
    FormMessage {
        id: "pwd", field: "pwd", zh: "这不是你的登录密码。", en: "That is not your password."
    },
    FormMessage {
        id: "old",
        field: "",
        zh: "上一个密钥仍可用于验签：请先让它失效，或等它过期。",
        en: "The previous secret still verifies: end it first, or wait until it expires.",
    },
    FormMessage {
        id: "rotated",
        field: "",
        zh: "密钥在此期间再次更换过，因此未使任何密钥失效：请核对当前密钥后再试。",
        en: "The secret was rotated again meanwhile, so none was ended: look at the current one, then end the old one.",
    },
    FormMessage {
        id: "address",
        field: "address",
        zh: "这不是链上的地址：版本或校验和不对。请整段复制。",
        en: "This is not an address of the chain: its version or checksum is wrong. Copy the whole address.",
    },
    FormMessage {
        id: "address_known",
        field: "address",
        zh: "应用已有这个地址。",
        en: "The app already has this address.",
    },
    FormMessage {
        id: "addresses",
        field: "",
        zh: "应用的收款地址数已达上限。",
        en: "The app has the largest number of receiving addresses.",
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

/// The form's fault, if the failure is a wrong password; `field` is the id of its message.
pub(crate) fn wrong_password(no: &Failure, field: &str) -> Option<FormProblem> {
    FormProblem::by(no, Reason::PasswordWrong, field)
}

/// The view and the result of a form with a fault.
pub(crate) fn wrong(view: &View, href: &str, problem: FormProblem) -> (View, After) {
    let view = view.clone().again(href, &[], &problem);
    (view, After { status: StatusCode::UNPROCESSABLE_ENTITY, problem, ..After::default() })
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
