//! The pages of a FOMO app: its overview with the secrets after a password check, and its settings.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::HeaderMap;
use wallet_api::fomo::{Fomo, get_trade, payment_result};
use wallet_core::{Callback as _, Endpoint as _, Platform as _, Secret, webhook};
use wallet_platform::{
    App, CloseApp, EditApp, EndOldRedirect, EndOldSecret, Failure, RecordMilestone, RotateSecret, ShowSecret,
    Step, User,
};
use wallet_store::{Clock as _, SystemClock};

use super::new_app::left_secret;
use super::own_app::{find, summary};
use super::snippets::snippets;
use crate::context::Server;
use crate::own_app::{AppSummary, Later};
use crate::pages::apps::{
    After, AppPage, ClockOff, Fact, SecretsForm, Tab, check_list, fresh_password, refused_note, shown_once,
    unknown, wrong, wrong_password,
};
use crate::pages::{
    Faults, FormProblem, NEW_SECRET_COOKIE, OrPage as _, Page, Params, SignedIn, SubmittedForm, View,
    failure, page_with, see_other, set_cookie, shown_time,
};

/// The routes.
pub(crate) fn routes() -> Router<Server> {
    Router::new()
        .route("/apps/fomo/{client_id}", get(show))
        .route("/apps/fomo/{client_id}/settings", get(settings))
        .route("/apps/fomo/{client_id}/reveal", post(with_act(Act::Reveal)))
        .route("/apps/fomo/{client_id}/rotate", post(with_act(Act::Rotate)))
        .route("/apps/fomo/{client_id}/end_old", post(with_act(Act::EndOld)))
        .route("/apps/fomo/{client_id}/end_old_redirect", post(end_old_redirect))
        .route("/apps/fomo/{client_id}/close", post(close))
        .route("/apps/fomo/{client_id}/edit", post(edit))
}

/// The difference between the platform's time and the machine's time, with which a program signs; `None` if it is at most
/// half of the signature's window (R8).
fn clock_off(server: &Server) -> Option<ClockOff> {
    let window = get_trade::Endpoint::META.signing?.window?.seconds;
    let ahead = server.inner.store.now().secs() - SystemClock.now().secs();
    (ahead.unsigned_abs() > window / 2).then_some(ClockOff { ahead, window })
}

/// The secret that verifies callbacks with a Standard Webhooks library (R9).
fn webhook_secret(server: &Server, client_secret: &str) -> Option<String> {
    let rule = payment_result::Callback::META.signing?;
    let crypto = server.inner.store.vault().crypto();
    Some(webhook::library_secret(crypto, rule, client_secret.as_bytes()).expose().clone())
}

async fn overview(
    server: &Server,
    view: &View,
    app: &App,
    secret: Option<&str>,
    after: After,
) -> Result<Response, Failure> {
    let (store, base) = (&server.inner.store, server.inner.public_url(Fomo::META.base_path));
    if secret.is_some() {
        store.submit(RecordMilestone { app: app.id.into(), step: Step::SecretShown }).await?;
    }
    let webhook = secret.and_then(|secret| webhook_secret(server, secret));
    let facts = vec![
        Fact::new("", "base_url", base.clone()),
        Fact::new("", "client_id", app.client_id.as_str()),
        Fact::secret("client_secret", "client_secret", secret),
        Fact::secret("webhook_secret", view.say("回调密钥", "callback secret"), webhook.as_deref()),
        Fact::new("", "redirect_uri", app.redirect_uri.as_str()),
        Fact::new("", "scope", app.scopes.as_str()),
    ];
    let (faults, app_summary, clock_off) = (after.faults(view), summary(app), clock_off(server));
    let steps = check_list(store, view, app.id.into(), &app_summary.href, Fomo::META.id).await?;
    let clock = clock_off.as_ref().map(|_| server.inner.public_url(""));
    let snippets = match app.is_open() {
        true => snippets(&base, app, view.tag(), clock.as_deref()),
        false => Vec::new(),
    };
    Ok(page_with(
        after.status,
        &AppPage {
            view,
            app: app_summary,
            tab: Tab::Overview,
            problem: faults.whole().map(str::to_owned),
            done: after.done,
            note: refused_note(view, app.closed_at, app.suspended),
            may_approve: false,
            steps,
            facts,
            secrets: app.is_open().then_some(SecretsForm { faults, key_files: false }),
            addresses: None,
            snippets,
            variable: ("CLIENT_SECRET", secret.map(str::to_owned)),
            call: get_trade::Endpoint::META,
            clock_off,
        },
    ))
}

/// The settings of a FOMO app.
#[derive(Template)]
#[template(path = "fomo/settings.html")]
struct SettingsPage<'a> {
    view: &'a View,
    app: AppSummary,
    tab: Tab,
    done: Option<String>,
    faults: Faults,
    is_open: bool,
    name: String,
    redirect_uri: String,
    /// The redirect_uri before the last change, and the time until which it is accepted.
    old_redirect: Option<(String, String)>,
    secret_version: u32,
    /// The time until which the previous secret verifies.
    old_until: Option<String>,
}

fn settings_page(server: &Server, view: &View, app: &App, after: After) -> Response {
    let (name, redirect_uri) =
        after.edited.clone().unwrap_or((app.name.clone(), app.redirect_uri.to_string()));
    let old = app.accepted_old_redirect(server.inner.store.now());
    let page = SettingsPage {
        view,
        app: summary(app),
        tab: Tab::Settings,
        faults: after.faults(view),
        done: after.done,
        is_open: app.is_open(),
        name,
        redirect_uri,
        old_redirect: old.map(|(old, until)| (old.to_string(), shown_time(until))),
        secret_version: app.secret_version,
        old_until: app.old_secret_lives(server.inner.store.now()).map(shown_time),
    };
    page_with(after.status, &page)
}

/// The page of a new app, with its secret, once.
async fn new_app(server: &Server, view: &View, app: &App, secret: &Secret<String>) -> Page {
    let done = view.say(
        "应用已注册。client_secret 在下面，请复制保存；之后再看需要输入密码。",
        "The app is registered. Copy its client_secret below: to see it again later, enter your password.",
    );
    let shown = overview(server, view, app, Some(secret.expose()), After::done(done)).await;
    let mut response = shown.or_page(view)?;
    set_cookie(response.headers_mut(), NEW_SECRET_COOKIE, "", server.inner.pages.cookies);
    Ok(response)
}

async fn own_app(server: &Server, view: &View, user: &User, client_id: &str) -> Result<App, Response> {
    find(&server.inner.store, user.id, client_id).await.or_page(view)?.ok_or_else(|| unknown(view))
}

async fn show(
    State(server): State<Server>,
    view: View,
    SignedIn { session, user }: SignedIn,
    Path(client_id): Path<String>,
    headers: HeaderMap,
    Params(form_problem): Params<FormProblem>,
) -> Page {
    let app = own_app(&server, &view, &user, &client_id).await?;
    if let Some(secret) = left_secret(&server, &headers, session, &client_id) {
        return new_app(&server, &view, &app, &secret).await;
    }
    overview(&server, &view, &app, None, After::failed(form_problem)).await.or_page(&view)
}

async fn settings(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    Path(client_id): Path<String>,
    Params(form_problem): Params<FormProblem>,
) -> Page {
    let app = own_app(&server, &view, &user, &client_id).await?;
    Ok(settings_page(&server, &view, &app, After::failed(form_problem)))
}

/// Changes the app's name and redirect_uri.
async fn edit(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    Path(client_id): Path<String>,
    posted: SubmittedForm,
) -> Page {
    let href = format!("/apps/fomo/{client_id}/settings");
    let view = view.at(&href);
    let app = own_app(&server, &view, &user, &client_id).await?;
    let (name, redirect_uri) = (posted.text("name").trim(), posted.text("redirect_uri").trim());
    let command = EditApp {
        owner: user.id,
        app: app.id,
        name: name.to_owned(),
        redirect_uri: redirect_uri.to_owned().into(),
    };
    let faults: Vec<&str> = command.faults().into_iter().map(|field| field.name()).collect();
    if !faults.is_empty() {
        let (view, after) = wrong(&view, &href, FormProblem::of(&faults.join(",")));
        let edited = Some((name.to_owned(), redirect_uri.to_owned()));
        return Ok(settings_page(&server, &view, &app, After { edited, ..after }));
    }
    server.inner.store.submit(command).await.or_page(&view)?;
    let app = own_app(&server, &view, &user, &client_id).await?;
    let done = view.say("已保存。", "Saved.");
    Ok(settings_page(&server, &view, &app, After::done(done)))
}

/// Ends the redirect_uri before the last change.
async fn end_old_redirect(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    Path(client_id): Path<String>,
    _posted: SubmittedForm,
) -> Page {
    let href = format!("/apps/fomo/{client_id}/settings");
    let view = view.at(&href);
    let app = own_app(&server, &view, &user, &client_id).await?;
    let command = EndOldRedirect { owner: user.id, app: app.id };
    server.inner.store.submit(command).await.or_page(&view)?;
    Ok(see_other(&href))
}

/// An action on the app's secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Reveal,
    Rotate,
    EndOld,
}

/// Runs the action after a password check.
async fn with_secret(
    server: &Server,
    view: View,
    signed_in: &SignedIn,
    client_id: String,
    posted: &SubmittedForm,
    act: Act,
) -> Page {
    let mut href = format!("/apps/fomo/{client_id}");
    if act != Act::Reveal {
        href.push_str("/settings");
    }
    let view = view.at(&href);
    let app = own_app(server, &view, &signed_in.user, &client_id).await?;
    let again = async |form_problem: FormProblem| {
        let (view, after) = wrong(&view, &href, form_problem);
        match act {
            Act::Reveal => overview(server, &view, &app, None, after).await.or_page(&view),
            Act::Rotate | Act::EndOld => Ok(settings_page(server, &view, &app, after)),
        }
    };
    let store = &server.inner.store;
    let shown = async {
        let proof = fresh_password(server, signed_in, posted).await?;
        store
            .submit(ShowSecret { session: signed_in.session, proof, client_id: client_id.clone().into() })
            .await
    };
    let keys = match shown.await {
        Ok(keys) => keys,
        Err(no) => {
            return match wrong_password(&no, "pwd") {
                Some(form_problem) => again(form_problem).await,
                None => Err(failure(&view, &no)),
            };
        }
    };
    match act {
        Act::Reveal => {
            let secret = keys.secrets().next();
            overview(server, &view, &app, secret, shown_once(&view)).await.or_page(&view)
        }
        Act::EndOld => {
            let stays = posted.text("secret_version").parse().unwrap_or_default();
            if !store.submit(EndOldSecret { app: keys.app.id, stays }).await.or_page(&view)? {
                return again(FormProblem::of("rotated")).await;
            }
            let done = view.say(
                "旧的 client_secret 已失效，仅当前的有效。",
                "The old client_secret is no longer accepted.",
            );
            let app = own_app(server, &view, &signed_in.user, &client_id).await?;
            Ok(settings_page(server, &view, &app, After::done(done)))
        }
        Act::Rotate => {
            let rotated = store.submit(RotateSecret { app: keys.app.id, seed: store.vault().seed() }).await;
            let Ok(rotated) = rotated.or_page(&view)? else {
                return again(FormProblem::of("old")).await; // the page says until when
            };
            let done = view.say(
                "client_secret 已更换；旧的 24 小时内仍可验签。离开本页或切换语言后，要再次输入密码才会显示。",
                "client_secret is a new one; the old one still verifies for 24 hours. To see it again after you leave this page, enter your password.",
            );
            let view = view.at(&format!("/apps/fomo/{client_id}"));
            let app = own_app(server, &view, &signed_in.user, &client_id).await?;
            let secret = rotated.client_secret.expose();
            overview(server, &view, &app, Some(secret), After::done(done)).await.or_page(&view)
        }
    }
}

/// Closes the app after a password check.
async fn close(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path(client_id): Path<String>,
    posted: SubmittedForm,
) -> Page {
    let page = format!("/apps/fomo/{client_id}");
    let href = format!("{page}/settings");
    let view = view.at(&href);
    let app = own_app(&server, &view, &signed_in.user, &client_id).await?;
    let closed = async {
        let proof = fresh_password(&server, &signed_in, &posted).await?;
        server.inner.store.submit(CloseApp { session: signed_in.session, proof, app: app.id }).await
    };
    match closed.await {
        Ok(()) => Ok(see_other(&page)),
        Err(no) => match wrong_password(&no, "close_pwd") {
            Some(problem) => {
                let (view, after) = wrong(&view, &href, problem);
                Ok(settings_page(&server, &view, &app, after))
            }
            None => Err(failure(&view, &no)),
        },
    }
}

/// The handler of one act on the secret.
fn with_act(
    act: Act,
) -> impl Fn(State<Server>, View, SignedIn, Path<String>, SubmittedForm) -> Later<'static, Page> + Clone {
    move |State(server), view, signed_in, Path(client_id), posted| {
        Box::pin(async move { with_secret(&server, view, &signed_in, client_id, &posted, act).await })
    }
}
