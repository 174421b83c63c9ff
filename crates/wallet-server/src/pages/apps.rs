//! The developer's apps: registering, credentials after a fresh password, rotation, a first call in seven languages.

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use wallet_api::fomo::{Fomo, Refusal};
use wallet_api::vas::{Profile, Review, Vas};
use wallet_core::Platform as _;
use wallet_crypto::{KeyForm, PrivateKey, PublicKey};
use wallet_platform::{
    App, ApplicationFault, ApplyVas, AppsOf, CallbackKind, CreateApp, EndOldSecret, EnrolDeveloper,
    PasswordKind, RotateSecret, ShowCredentials, ShowSecret, User, VasApp, VasApps, Who, safe_domain,
};
use wallet_store::{Clock as _, Failure, SystemClock};

use super::sign_in::encoded;
use super::view::SignedIn;
use super::{
    Asked, Posted, View, failure, in_words, in_words_of_its_own, page, page_with, problem, see_other,
};
use crate::passwords::Place;
use crate::server::Server;
use crate::snippets::{Snippet, order_snippets, snippets};

/// Who is signed in; everybody else signs in first.
macro_rules! signed_in {
    ($view:expr) => {
        match &$view.signed_in {
            Some(signed_in) => signed_in,
            None => return see_other(&format!("/openfomo/login.html?next={}", encoded(&$view.here()))),
        }
    };
}

/// The outcome, or the page that says why there is none.
macro_rules! done {
    ($view:expr, $result:expr) => {
        match $result {
            Ok(done) => done,
            Err(no) => return failure($view, &no),
        }
    };
}

/// The app of an address `/apps/{platform}/{id}`, of whoever is signed in; or the page that says why there is none.
macro_rules! own {
    ($server:expr, $view:expr, $platform:expr, $id:expr) => {
        match OwnApp::find($server, $view, signed_in!($view), $platform, $id).await {
            Ok(app) => app,
            Err(response) => return response,
        }
    };
}

pub(super) use {done, own, signed_in};

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
            id: app.client_id.clone(),
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
            id: if app.uuid.is_empty() { app.id.0.to_string() } else { app.uuid.clone() },
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

pub(crate) async fn list(State(server): State<Server>, view: View) -> Response {
    let SignedIn { user, .. } = signed_in!(view);
    let fomo = done!(&view, server.inner.store.view(AppsOf(user.id)).await);
    let vas = done!(&view, server.inner.store.view(VasApps { owner: Some(user.id) }).await);
    let mut apps: Vec<Shown> = fomo.iter().map(|app| Shown::fomo(&view, app)).collect();
    apps.extend(vas.iter().map(|app| Shown::vas(&view, app)));
    page(&AppsPage { view: &view, apps })
}

/// What was filled in.
#[derive(Default)]
struct Given {
    client_id: String,
    name: String,
    redirect_uri: String,
    wallet: String,
    vas_name: String,
    safe_domain: String,
    scheme: String,
}

#[derive(Template)]
#[template(path = "app_new.html")]
struct NewPage<'a> {
    view: &'a View,
    problem: Option<String>,
    given: Given,
    /// The wallets, by their ids and names.
    profiles: Vec<(&'static str, &'static str)>,
}

fn new_page(view: &View, status: StatusCode, given: Given, problem: Option<String>) -> Response {
    let profiles = Profile::ALL.iter().map(|profile| profile.meta());
    let profiles = profiles.map(|profile| (profile.id, profile.doc.in_lang(view.lang))).collect();
    page_with(status, &NewPage { view, problem, given, profiles })
}

pub(crate) async fn new(view: View) -> Response {
    signed_in!(view);
    new_page(&view, StatusCode::OK, Given::default(), None)
}

/// Whoever registers an app is a developer from then on.
async fn enrol(server: &Server, user: &User) -> Result<(), Failure> {
    if user.developer { Ok(()) } else { server.inner.store.submit(EnrolDeveloper(user.id)).await }
}

pub(crate) async fn create(State(server): State<Server>, view: View, posted: Posted) -> Response {
    let view = view.at("/apps/new");
    let SignedIn { user, .. } = signed_in!(view);
    done!(&view, enrol(&server, user).await);
    let text = |name: &str| posted.text(name).to_owned();
    let command = CreateApp {
        owner: user.id,
        client_id: text("client_id"),
        name: text("name"),
        redirect_uri: text("redirect_uri"),
        seed: server.inner.store.vault().seed(),
    };
    match server.inner.store.submit(command).await {
        Ok(_) => see_other(&format!("/apps/fomo/{}", posted.text("client_id"))),
        Err(no @ Failure::Refused(_)) => {
            let given = Given {
                client_id: text("client_id"),
                name: text("name"),
                redirect_uri: text("redirect_uri"),
                ..Given::default()
            };
            let why = match no.refused().and_then(|no| no.field) {
                Some("name") => {
                    view.say("名称须为 1 到 64 个可见字符。", "The name is 1 to 64 visible characters.").to_owned()
                }
                Some("redirect_uri") => view
                    .say(
                        "redirect_uri 须是浏览器可以打开的地址，例如 https://shop.example/back：不含 # 和 @。",
                        "The redirect_uri is an address that a browser can open, such as https://shop.example/back: without # and @.",
                    )
                    .to_owned(),
                _ => in_words(view.lang, &no),
            };
            new_page(&view, StatusCode::UNPROCESSABLE_ENTITY, given, Some(why))
        }
        Err(no) => failure(&view, &no),
    }
}

pub(crate) async fn apply(State(server): State<Server>, view: View, posted: Posted) -> Response {
    let view = view.at("/apps/new");
    let SignedIn { user, .. } = signed_in!(view);
    let text = |name: &str| posted.text(name).to_owned();
    let profile = Profile::ALL.iter().copied().find(|profile| profile.meta().id == posted.text("wallet"));
    let again = |why: String| {
        let given = Given {
            wallet: text("wallet"),
            vas_name: text("name"),
            safe_domain: text("safe_domain"),
            scheme: text("scheme"),
            ..Given::default()
        };
        new_page(&view, StatusCode::UNPROCESSABLE_ENTITY, given, Some(why))
    };
    let Some(profile) = profile else {
        return again(view.say("请选择钱包。", "Choose a wallet.").to_owned());
    };
    let trimmed = |name: &str| posted.text(name).trim().to_owned();
    let (name, safe_domain, scheme) = (trimmed("name"), trimmed("safe_domain"), trimmed("scheme"));
    let command = ApplyVas { owner: user.id, profile, name, safe_domain, scheme };
    match done!(&view, server.inner.store.submit(command).await) {
        Ok(id) => see_other(&format!("/apps/vas/{}", id.0)),
        Err(ApplicationFault::TooMany) => again(
            view.say(
                "待审核的申请太多，请先等待结论。",
                "Too many of your applications wait for review: wait until they are decided.",
            )
            .to_owned(),
        ),
        Err(fault) => again(match fault.field() {
            "safe_domain" => view.say(
                "安全域名须是一个完整的主机名，例如 www.shop.example；也可只填应用协议。",
                "The safe domain is one whole host name such as www.shop.example; or give an app scheme alone.",
            ),
            "scheme" => view.say(
                "应用协议须是自己的协议名，例如 shopapp。",
                "The app scheme is a scheme of your own, such as shopapp.",
            ),
            _ => view.say("名称须为 1 到 64 个可见字符。", "The name is 1 to 64 visible characters."),
        }
        .to_owned()),
    }
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
    /// Whether its secret can be changed: FOMO's.
    rotates: bool,
    /// Until when the secret before this one verifies.
    old_until: Option<String>,
    snippets: Vec<Snippet>,
    /// By how many seconds the platform's time is not the machine's, where that makes a first call fail.
    clock_off: Option<i64>,
}

/// How far the platform's time may be from the machine's until a page says so.
const CLOCK_OFF: i64 = 60;

/// By how much the machine's own time, with which a program signs, is not the platform's.
fn clock_off(server: &Server) -> Option<i64> {
    let off = server.inner.store.now().secs() - SystemClock.now().secs();
    (off.abs() > CLOCK_OFF).then_some(off)
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

/// A page that is not made again without the password.
fn shown_once(view: &View) -> After {
    let done = view.say(
        "密钥在下面。离开本页或切换语言后，要再次输入密码才会显示。",
        "The secrets stand below. Once you leave this page or switch the language, they take your password again.",
    );
    After { done: Some(done.to_owned()), ..After::default() }
}

fn fomo_page(server: &Server, view: &View, app: &App, secret: Option<&str>, after: After) -> Response {
    let base = server.inner.public_url(Fomo::META.base_path);
    let facts = vec![
        Fact { id: "", name: "base_url", value: base.clone() },
        Fact { id: "", name: "client_id", value: app.client_id.clone() },
        Fact { id: "client_secret", name: "client_secret", value: masked(secret) },
        Fact { id: "", name: "redirect_uri", value: app.redirect_uri.clone() },
        Fact { id: "", name: "scope", value: app.scopes.clone() },
    ];
    page_with(
        after.status,
        &AppPage {
            view,
            app: Shown::fomo(view, app),
            problem: after.problem,
            done: after.done,
            note: None,
            facts,
            secrets_may_be_seen: true,
            rotates: true,
            old_until: app.old_secret_lives(server.inner.store.now()).map(super::shown_time),
            snippets: snippets(&base, &app.client_id),
            clock_off: clock_off(server),
        },
    )
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

async fn own_app(server: &Server, view: &View, user: &User, client_id: &str) -> Result<App, Response> {
    let apps = server.inner.store.view(AppsOf(user.id)).await.map_err(|no| failure(view, &no))?;
    apps.into_iter().find(|app| app.client_id == client_id).ok_or_else(|| unknown(view))
}

/// The app that a page is about: it is of whoever is signed in.
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
            "fomo" => own_app(server, view, &signed_in.user, id).await.map(Self::Fomo),
            "vas" => own_vas_app(server, view, &signed_in.user, id).await.map(Self::Vas),
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

    /// What it is told by.
    pub(super) fn callback(&self) -> CallbackKind {
        match self {
            Self::Fomo(_) => CallbackKind::PaymentResult,
            Self::Vas(_) => CallbackKind::Payment,
        }
    }
}

pub(crate) async fn fomo(
    State(server): State<Server>,
    view: View,
    Path(client_id): Path<String>,
) -> Response {
    let SignedIn { user, .. } = signed_in!(view);
    match own_app(&server, &view, user, &client_id).await {
        Ok(app) => fomo_page(&server, &view, &app, None, After::default()),
        Err(response) => response,
    }
}

/// A failure after the password of whoever is signed in was asked for.
fn not_your_password(view: &View, no: &Failure) -> String {
    let own = view.say("这不是你的登录密码。", "That is not your password.");
    in_words_of_its_own(view, no, Refusal::PwdWrong, own)
}

/// What is done with an app's secret.
#[derive(PartialEq, Eq)]
enum Act {
    Reveal,
    Rotate,
    EndOld,
}

/// Does it, after a fresh password each time.
async fn with_secret(server: Server, view: View, client_id: String, posted: Posted, act: Act) -> Response {
    let view = view.at(&format!("/apps/fomo/{client_id}"));
    let SignedIn { session, user } = signed_in!(view);
    let app = match own_app(&server, &view, user, &client_id).await {
        Ok(app) => app,
        Err(response) => return response,
    };
    let refused = |no: Failure| match &no {
        Failure::Refused(_) => {
            let problem = Some(not_your_password(&view, &no));
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            fomo_page(&server, &view, &app, None, After { status, problem, done: None })
        }
        Failure::Store(_) => failure(&view, &no),
    };
    let who = Who::Session(*session);
    let proven =
        server.inner.prover.prove(who, PasswordKind::Login, Place::Nowhere, posted.text("pwd")).await;
    let proof = match proven {
        Ok(proven) => proven.proof,
        Err(no) => return refused(no),
    };
    let keys = match server.inner.store.submit(ShowSecret { session: *session, proof, client_id }).await {
        Ok(keys) => keys,
        Err(no) => return refused(no),
    };
    if act == Act::Reveal {
        return fomo_page(&server, &view, &app, keys.secrets().next(), shown_once(&view));
    }
    if act == Act::EndOld {
        done!(&view, server.inner.store.submit(EndOldSecret(keys.app.id)).await);
        let app = App { old_secret: None, ..app };
        let done = view.say(
            "旧的 client_secret 不再验签；只有现在的有效。",
            "The old client_secret verifies no more: the one of now alone does.",
        );
        let after = After { done: Some(done.to_owned()), ..After::default() };
        return fomo_page(&server, &view, &app, None, after);
    }
    let seed = server.inner.store.vault().seed();
    let rotated = done!(&view, server.inner.store.submit(RotateSecret { app: keys.app.id, seed }).await);
    let rotated = match rotated {
        Ok(rotated) => rotated,
        Err(until) => {
            let why = view.say(
                "上一个密钥仍在验签：先让它失效，或等到",
                "The secret before this one still verifies: end it first, or wait until",
            );
            let problem = Some(format!("{why} {}", super::shown_time(until)));
            let after = After { status: StatusCode::UNPROCESSABLE_ENTITY, problem, done: None };
            return fomo_page(&server, &view, &app, None, after);
        }
    };
    let done = view.say(
        "client_secret 已更换；旧的 24 小时内仍可验签。离开本页或切换语言后，要再次输入密码才会显示。",
        "client_secret is a new one; the old one still verifies for 24 hours. Once you leave this page or switch the language, it takes your password again.",
    );
    let after = After { done: Some(done.to_owned()), ..After::default() };
    let app = App { old_secret: Some(app.secret.clone()), old_secret_until: rotated.old_until, ..app };
    fomo_page(&server, &view, &app, Some(rotated.client_secret.expose()), after)
}

pub(crate) async fn reveal(
    State(server): State<Server>,
    view: View,
    Path(client_id): Path<String>,
    posted: Posted,
) -> Response {
    with_secret(server, view, client_id, posted, Act::Reveal).await
}

pub(crate) async fn rotate(
    State(server): State<Server>,
    view: View,
    Path(client_id): Path<String>,
    posted: Posted,
) -> Response {
    with_secret(server, view, client_id, posted, Act::Rotate).await
}

pub(crate) async fn end_old(
    State(server): State<Server>,
    view: View,
    Path(client_id): Path<String>,
    posted: Posted,
) -> Response {
    with_secret(server, view, client_id, posted, Act::EndOld).await
}

/// Who decides, and what comes then.
fn in_review(view: &View) -> String {
    let who = view.say(
        "运营者在 /admin 审核。通过后，uuid、accessToken 与密钥会出现在这里。",
        "An operator reviews it at /admin. Once it is approved, uuid, accessToken and keys appear here.",
    );
    // A sandbox shows who can sign in.
    let here = view.say(
        "在这个沙箱里你可以自己来：以 operator 登录。",
        "In this sandbox that may be you: sign in as operator.",
    );
    if view.hints().is_empty() { who.to_owned() } else { format!("{who} {here}") }
}

/// The credentials of an app of the VAS and Lafi wallets, once they may be seen.
struct VasSecrets {
    app: VasApp,
    access_token: String,
    rsa_private: String,
}

fn vas_page(
    server: &Server,
    view: &View,
    app: &VasApp,
    secrets: Option<&VasSecrets>,
    after: After,
) -> Response {
    let fact = |id, name, value: &str| Fact { id, name, value: value.to_owned() };
    let base = server.inner.public_url(Vas::META.base_path);
    let mut facts = vec![
        fact("", "base_url", &base),
        fact("", view.say("安全域名", "safe domain"), &app.safe_domain),
        fact("", view.say("应用协议", "app scheme"), &app.scheme),
    ];
    let approved = app.state == Review::Approved;
    if approved {
        let public = PublicKey::load(&app.rsa_public).map(|key| key.to_base64()).unwrap_or_default();
        facts.push(fact("uuid", "uuid", &app.uuid));
        facts.push(Fact {
            id: "access_token",
            name: "accessToken",
            value: masked(secrets.map(|secrets| &*secrets.access_token)),
        });
        facts.push(Fact {
            id: "rsa_private",
            name: "rsaPrivate",
            value: masked(secrets.map(|secrets| &*secrets.rsa_private)),
        });
        facts.push(Fact { id: "rsa_public", name: "rsaPublic", value: public });
    }
    let reason = (app.state == Review::Rejected)
        .then(|| format!("{} {}", view.say("未通过的原因：", "Rejected because:"), app.reason));
    page_with(
        after.status,
        &AppPage {
            view,
            app: Shown::vas(view, app),
            problem: after.problem.or(reason),
            done: after.done,
            note: (app.state == Review::Pending).then(|| in_review(view)),
            facts,
            secrets_may_be_seen: approved,
            rotates: false,
            old_until: None,
            clock_off: None,
            snippets: if approved { order_snippets(&base, &app.uuid) } else { Vec::new() },
        },
    )
}

/// What becomes of a safe domain as it is typed: in words, for whoever types it.
pub(crate) async fn check_safe_domain(view: View, Asked(typed): Asked<Typed>) -> Response {
    let text = typed.safe_domain.trim();
    let (mood, words) = match safe_domain(text) {
        _ if text.is_empty() => ("", String::new()),
        Some(host) if host == text => ("ok", view.say("可用", "Good").to_owned()),
        Some(host) => ("ok", format!("{} {host}", view.say("登记为", "Registered as"))),
        None => {
            // What is meant is often seen.
            let meant = text.split_once("://").map_or(text, |(_, rest)| rest);
            let meant = meant.split(['/', ':', '?', '#']).next().and_then(safe_domain);
            let hint =
                meant.map_or_else(String::new, |meant| format!(" {} {meant}", view.say("应填：", "Write")));
            let why = view.say(
                "须是完整的主机名，没有协议、端口和路径。",
                "It is one whole host name, without scheme, port and path.",
            );
            ("bad", format!("{why}{hint}"))
        }
    };
    page(&CheckedPart { mood, words })
}

#[derive(Template)]
#[template(path = "checked.html")]
struct CheckedPart {
    mood: &'static str,
    words: String,
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    safe_domain: String,
}

fn pem(name: &str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file"));
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}.pem\"")) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    response
}

/// The key pair's form of an address: `pkcs1`, or `pkcs8` of which the public half is SPKI.
fn key_form(text: &str) -> Option<KeyForm> {
    match text {
        "pkcs1" => Some(KeyForm::Pkcs1),
        "pkcs8" | "spki" => Some(KeyForm::Pkcs8),
        _ => None,
    }
}

/// rsaPublic as a file.
pub(crate) async fn public_key(
    State(server): State<Server>,
    view: View,
    Path((id, form)): Path<(String, String)>,
) -> Response {
    let SignedIn { user, .. } = signed_in!(view);
    let app = match own_vas_app(&server, &view, user, &id).await {
        Ok(app) => app,
        Err(response) => return response,
    };
    match (PublicKey::load(&app.rsa_public), key_form(&form)) {
        (Ok(key), Some(known)) => pem(&format!("rsa_public_{form}"), key.to_pem(known)),
        _ => unknown(&view),
    }
}

/// rsaPrivate as a file, after a fresh password.
pub(crate) async fn private_key(
    State(server): State<Server>,
    view: View,
    Path((id, form)): Path<(String, String)>,
    posted: Posted,
) -> Response {
    with_vas_secrets(server, view, id, posted, |view, secrets| {
        match (PrivateKey::load(&secrets.rsa_private), key_form(&form)) {
            (Ok(key), Some(known)) => pem(&format!("rsa_private_{form}"), key.to_pem(known).expose().clone()),
            _ => unknown(view),
        }
    })
    .await
}

async fn own_vas_app(server: &Server, view: &View, user: &User, id: &str) -> Result<VasApp, Response> {
    let apps = server.inner.store.view(VasApps { owner: Some(user.id) }).await;
    let apps = apps.map_err(|no| failure(view, &no))?;
    apps.into_iter().find(|app| app.id.0.to_string() == id).ok_or_else(|| unknown(view))
}

pub(crate) async fn vas(State(server): State<Server>, view: View, Path(id): Path<String>) -> Response {
    let SignedIn { user, .. } = signed_in!(view);
    match own_vas_app(&server, &view, user, &id).await {
        Ok(app) => vas_page(&server, &view, &app, None, After::default()),
        Err(response) => response,
    }
}

pub(crate) async fn reveal_vas(
    State(server): State<Server>,
    view: View,
    Path(id): Path<String>,
    posted: Posted,
) -> Response {
    let shown = server.clone();
    with_vas_secrets(server, view, id, posted, |view, secrets| {
        vas_page(&shown, view, &secrets.app, Some(secrets), shown_once(view))
    })
    .await
}

/// Answers with an app's credentials after a fresh password.
async fn with_vas_secrets(
    server: Server,
    view: View,
    id: String,
    posted: Posted,
    answer: impl FnOnce(&View, &VasSecrets) -> Response,
) -> Response {
    let view = view.at(&format!("/apps/vas/{id}"));
    let SignedIn { session, user } = signed_in!(view);
    let app = match own_vas_app(&server, &view, user, &id).await {
        Ok(app) => app,
        Err(response) => return response,
    };
    let who = Who::Session(*session);
    let shown = async {
        let prover = &server.inner.prover;
        let proof = prover.prove(who, PasswordKind::Login, Place::Nowhere, posted.text("pwd")).await?.proof;
        server.inner.store.submit(ShowCredentials { session: *session, proof, app: app.id }).await
    };
    match shown.await {
        Ok(shown) => match shown.credentials(server.inner.store.vault()) {
            Ok((access_token, rsa_private)) => {
                let (access_token, rsa_private) =
                    (access_token.expose().clone(), rsa_private.expose().clone());
                answer(&view, &VasSecrets { app: shown, access_token, rsa_private })
            }
            Err(_) => unknown(&view),
        },
        Err(no @ Failure::Refused(_)) => {
            let problem = Some(not_your_password(&view, &no));
            let after = After { status: StatusCode::UNPROCESSABLE_ENTITY, problem, done: None };
            vas_page(&server, &view, &app, None, after)
        }
        Err(no) => failure(&view, &no),
    }
}
