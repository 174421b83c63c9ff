//! The user's own account: the login password, the sessions, and the apps that were granted access.

use askama::Template;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use wallet_core::Secret;
use wallet_platform::{ChangePassword, Digest, EndSessionsOf, Failure, Reason, RevokeGrant, SessionsOf};

use super::apps::fresh_password;
use super::sign_in::{SHORTEST_PASSWORD, SIGN_IN};
use super::{
    Faults, FormMessage, FormProblem, OrPage as _, Page, Params, SignedIn, SubmittedForm, View, failure,
    page_with, see_other,
};
use crate::context::Server;
use crate::own_app::GrantedApp;
use crate::store::Store;

const ACCOUNT: &str = "/account";
/// The sessions that one command ends.
const AT_ONCE: u64 = 256;

const FAULTS: [FormMessage; 3] = [
    FormMessage { id: "pwd", field: "pwd", zh: "密码不对。", en: "Wrong password." },
    FormMessage {
        id: "locked", field: "pwd", zh: "密码错了太多次。", en: "Too many wrong passwords."
    },
    FormMessage {
        id: "short",
        field: "new_pwd",
        zh: "新密码至少 8 个字符。",
        en: "The new password needs at least 8 characters.",
    },
];

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    view: &'a View,
    faults: Faults,
    done: Option<&'static str>,
    /// The sessions of the user, this one among them; at most [`AT_ONCE`].
    sessions: usize,
    granted: Vec<GrantedApp>,
}

/// The query of the page's address.
#[derive(Default, Deserialize)]
pub(crate) struct Shown {
    #[serde(default)]
    done: String,
    #[serde(flatten)]
    problem: FormProblem,
}

async fn shown(
    server: &Server,
    view: &View,
    signed_in: &SignedIn,
    status: StatusCode,
    shown: &Shown,
) -> Page {
    let (store, user) = (&server.inner.store, signed_in.user.id);
    let sessions = store.view(SessionsOf { user, limit: AT_ONCE }).await.or_page(view)?.len();
    let mut granted = Vec::new();
    for protocol in &server.inner.protocols {
        granted.extend(protocol.granted(store, user).await.or_page(view)?);
    }
    let done = match shown.done.as_str() {
        "password" => Some(view.say(
            "密码已修改，其他设备上的登录已全部退出。",
            "Your password is changed, and every other session has ended.",
        )),
        "revoked" => Some(view.say("授权已收回。", "The app no longer has access.")),
        _ => None,
    };
    let faults = Faults::of(&shown.problem, &FAULTS, view.lang);
    Ok(page_with(status, &AccountPage { view, faults, done, sessions, granted }))
}

pub(crate) async fn page(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Params(query): Params<Shown>,
) -> Page {
    shown(&server, &view.at(ACCOUNT), &signed_in, StatusCode::OK, &query).await
}

/// Ends the sessions of a user but one.
async fn end_sessions(store: &Store, signed_in: &SignedIn, but: Option<Digest>) -> Result<(), Failure> {
    let user = signed_in.user.id;
    loop {
        let mut sessions = store.view(SessionsOf { user, limit: AT_ONCE }).await?;
        sessions.retain(|session| Some(*session) != but);
        if sessions.is_empty() {
            return Ok(());
        }
        store.submit(EndSessionsOf { user, sessions }).await?;
    }
}

/// Changes the login password. A thief of the old one may have signed in: every other session ends.
pub(crate) async fn change_password(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    posted: SubmittedForm,
) -> Page {
    let (view, new) = (view.at(ACCOUNT), posted.text("new_pwd"));
    let again = async |view: &View, problem: FormProblem| {
        let view = view.clone().again(ACCOUNT, &[], &problem);
        let form = Shown { problem, ..Shown::default() };
        shown(&server, &view, &signed_in, StatusCode::UNPROCESSABLE_ENTITY, &form).await
    };
    if new.chars().count() < SHORTEST_PASSWORD {
        return again(&view, FormProblem::of("short")).await;
    }
    let (store, session) = (&server.inner.store, signed_in.session);
    let changed = async {
        let proof = fresh_password(&server, &signed_in, &posted).await?;
        let pwd = Secret::new(server.inner.prover.hash(new).await?);
        store.submit(ChangePassword { session, proof, pwd }).await?;
        end_sessions(store, &signed_in, Some(session)).await
    };
    match changed.await {
        Ok(()) => Ok(see_other(&format!("{ACCOUNT}?done=password"))),
        Err(no) => match FormProblem::by(&no, Reason::PasswordWrong, "pwd") {
            Some(problem) => again(&view, problem.or_locked("locked")).await,
            None => Err(failure(&view, &no)),
        },
    }
}

/// Ends every session of the user, this one too.
pub(crate) async fn sign_out_everywhere(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    _posted: SubmittedForm,
) -> Page {
    end_sessions(&server.inner.store, &signed_in, None).await.or_page(&view.at(ACCOUNT))?;
    Ok(see_other(SIGN_IN))
}

/// Takes back what the user has granted to an app.
pub(crate) async fn revoke(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    posted: SubmittedForm,
) -> Page {
    let (view, store) = (view.at(ACCOUNT), &server.inner.store);
    let protocol =
        server.inner.protocols.iter().find(|protocol| protocol.meta().id == posted.text("platform"));
    let Some(protocol) = protocol else { return Ok(see_other(ACCOUNT)) };
    loop {
        let granted = protocol.granted(store, signed_in.user.id).await.or_page(&view)?;
        let Some(app) = granted.into_iter().find(|app| app.id == posted.text("app")) else {
            return Ok(see_other(&format!("{ACCOUNT}?done=revoked")));
        };
        let command = RevokeGrant { session: signed_in.session, families: app.families };
        store.submit(command).await.or_page(&view)?;
    }
}
