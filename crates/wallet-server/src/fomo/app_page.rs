//! The page of a FOMO app: shows the secret after a password check, rotates the secret.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use wallet_api::fomo::{Fomo, get_trade};
use wallet_core::{Endpoint as _, Platform as _};
use wallet_platform::{App, EndOldSecret, RotateSecret, ShowSecret, User};
use wallet_store::{Clock as _, SystemClock};

use super::own_app::{find, summary};
use super::snippets::snippets;
use crate::context::Server;
use crate::own_app::Later;
use crate::pages::apps::{
    After, AppPage, ClockOff, Fact, fresh_password, masked, shown_once, unknown, wrong, wrong_password,
};
use crate::pages::{
    FormProblem, OrPage as _, Page, Params, SignedIn, SubmittedForm, View, failure, page_with, shown_time,
};

/// The routes.
pub(crate) fn routes() -> Router<Server> {
    Router::new()
        .route("/apps/fomo/{client_id}", get(show))
        .route("/apps/fomo/{client_id}/reveal", post(with_act(Act::Reveal)))
        .route("/apps/fomo/{client_id}/rotate", post(with_act(Act::Rotate)))
        .route("/apps/fomo/{client_id}/end_old", post(with_act(Act::EndOld)))
}

/// The difference between the platform's time and the machine's time, with which a program signs; `None` if it is at most
/// half of the signature's window (R8).
fn clock_off(server: &Server) -> Option<ClockOff> {
    let window = get_trade::Endpoint::META.signing?.window?.seconds;
    let ahead = server.inner.store.now().secs() - SystemClock.now().secs();
    (ahead.unsigned_abs() > window / 2).then_some(ClockOff { ahead, window })
}

fn fomo_page(server: &Server, view: &View, app: &App, secret: Option<&str>, after: After) -> Response {
    let base = server.inner.public_url(Fomo::META.base_path);
    let facts = vec![
        Fact { id: "", name: "base_url", value: base.clone() },
        Fact { id: "", name: "client_id", value: app.client_id.to_string() },
        Fact { id: "client_secret", name: "client_secret", value: masked(secret) },
        Fact { id: "", name: "redirect_uri", value: app.redirect_uri.to_string() },
        Fact { id: "", name: "scope", value: app.scopes.clone() },
    ];
    page_with(
        after.status,
        &AppPage {
            view,
            app: summary(app),
            problem: after.problem,
            done: after.done,
            note: None,
            facts,
            secrets_may_be_seen: true,
            secret_version: Some(app.secret_version),
            old_until: app.old_secret_lives(server.inner.store.now()).map(shown_time),
            snippets: snippets(&base, app, view.tag()),
            clock_off: clock_off(server),
        },
    )
}

async fn own_app(server: &Server, view: &View, user: &User, client_id: &str) -> Result<App, Response> {
    find(&server.inner.store, user.id, client_id).await.or_page(view)?.ok_or_else(|| unknown(view))
}

async fn show(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    Path(client_id): Path<String>,
    Params(form_problem): Params<FormProblem>,
) -> Page {
    let app = own_app(&server, &view, &user, &client_id).await?;
    Ok(fomo_page(&server, &view, &app, None, After::failed(&view, &form_problem)))
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
    let href = format!("/apps/fomo/{client_id}");
    let view = view.at(&href);
    let app = own_app(server, &view, &signed_in.user, &client_id).await?;
    let again = |form_problem: FormProblem| {
        let (view, after) = wrong(&view, &href, &form_problem);
        fomo_page(server, &view, &app, None, after)
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
        Err(no) => return wrong_password(&no).map(again).ok_or_else(|| failure(&view, &no)),
    };
    if act == Act::Reveal {
        return Ok(fomo_page(server, &view, &app, keys.secrets().next(), shown_once(&view)));
    }
    // The app after the action.
    let page_after = async |secret: Option<&str>, done: &str| {
        let after = After { done: Some(done.to_owned()), ..After::default() };
        let app = own_app(server, &view, &signed_in.user, &client_id).await?;
        Ok(fomo_page(server, &view, &app, secret, after))
    };
    if act == Act::EndOld {
        let stays = posted.text("secret_version").parse().unwrap_or_default();
        if !store.submit(EndOldSecret { app: keys.app.id, stays }).await.or_page(&view)? {
            return Ok(again(FormProblem::of("rotated")));
        }
        let done = view
            .say("旧的 client_secret 已失效，仅当前的有效。", "The old client_secret is no longer accepted.");
        return page_after(None, done).await;
    }
    let rotated = store.submit(RotateSecret { app: keys.app.id, seed: store.vault().seed() }).await;
    let Ok(rotated) = rotated.or_page(&view)? else {
        return Ok(again(FormProblem::of("old"))); // the page says until when
    };
    let done = view.say(
        "client_secret 已更换；旧的 24 小时内仍可验签。离开本页或切换语言后，要再次输入密码才会显示。",
        "client_secret is a new one; the old one still verifies for 24 hours. To see it again after you leave this page, enter your password.",
    );
    page_after(Some(rotated.client_secret.expose()), done).await
}

/// The handler of one act on the secret.
fn with_act(
    act: Act,
) -> impl Fn(State<Server>, View, SignedIn, Path<String>, SubmittedForm) -> Later<'static, Page> + Clone {
    move |State(server), view, signed_in, Path(client_id), posted| {
        Box::pin(async move { with_secret(&server, view, &signed_in, client_id, &posted, act).await })
    }
}
