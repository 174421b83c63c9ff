//! Signing in and out, and registering: the document's own addresses.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use wallet_api::fomo::{LoginName, Refusal, complete_register, login, register};
use wallet_platform::{EndSession, Reason};
use wallet_store::Failure;

use super::view::{LANG_COOKIE, VISITOR_COOKIE, local};
use super::{
    Asked, Hint, Posted, SESSION_COOKIE, View, in_words, in_words_of_its_own, page, page_with, see_other,
    set_cookie, shape,
};
use crate::server::Server;

/// Where one signs in: the document's own address.
pub const SIGN_IN: &str = "/openfomo/login.html";
const REGISTER: &str = "/openfomo/register.html";

/// Where one signs in, to go on to a local address afterwards.
pub fn sign_in_first(next: &str) -> String {
    format!("{SIGN_IN}?next={}", encoded(next))
}

/// Where to go on to afterwards.
#[derive(Deserialize)]
pub(crate) struct Onward {
    #[serde(default)]
    next: String,
    /// Not empty right after a registration.
    #[serde(default)]
    registered: String,
    /// The registration that waits for its code, where one does.
    #[serde(default)]
    verify_id: String,
    #[serde(default)]
    tmp_user_id: String,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    view: &'a View,
    /// The app that waits for consent, where one does.
    app: Option<String>,
    problem: Option<String>,
    done: Option<&'a str>,
    login_name: &'a str,
    next: &'a str,
    hints: &'a [Hint],
}

/// The client_id of the consent page that is gone on to.
fn waiting_app(next: &str) -> Option<String> {
    let query = next.strip_prefix(&super::consent_page())?.strip_prefix('?')?;
    let mut pairs = wallet_core::form::pairs(query).map(wallet_core::form::split);
    let (_, id) = pairs.find(|(name, _)| *name == "client_id")?;
    wallet_core::form::decode(id.as_bytes()).ok().map(|id| id.into_owned())
}

/// The form again, with the reason.
fn not_signed_in(view: &View, failure: &Failure, login_name: &str, next: &str) -> Response {
    let next = local(next);
    let problem = Some(match failure.refused().and_then(|no| no.wait) {
        None => in_words(view.lang, failure),
        Some(wait) => {
            let why = view.say("这个用户名的密码错了太多次", "Too many wrong passwords for this name");
            wallet_core::with_wait(why, wait, view.lang)
        }
    });
    let app = waiting_app(next);
    let page = LoginPage { view, app, problem, done: None, login_name, next, hints: view.hints() };
    page_with(refused(failure), &page)
}

pub(crate) async fn form(view: View, Asked(Onward { next, registered, .. }): Asked<Onward>) -> Response {
    let next = local(&next);
    let done = (!registered.is_empty()).then(|| {
        view.say("注册完成。现在用它登录。", "You are registered. Sign in with your new name and password.")
    });
    let app = waiting_app(next);
    page(&LoginPage { view: &view, app, problem: None, done, login_name: "", next, hints: view.hints() })
}

/// How a form is answered whose decision was refused: the form again, with the reason.
fn refused(failure: &Failure) -> StatusCode {
    match failure {
        Failure::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Failure::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

pub(crate) async fn sign_in(State(server): State<Server>, view: View, posted: Posted) -> Response {
    let (login_name, next) = (posted.text("login_name"), posted.text("next"));
    let view = view.at(&sign_in_first(local(next)));
    let request = login::Request { login_name: login_name.into(), pwd: posted.text("pwd").into() };
    match server.inner.login(request).await {
        Ok(done) => signed_in(&server, &view, done.session_key.as_str(), next).await,
        Err(failure) => not_signed_in(&view, &failure, login_name, next),
    }
}

/// A new session: the one before ends, and so does the visitor's token that was seen before it.
async fn signed_in(server: &Server, view: &View, session_key: &str, next: &str) -> Response {
    if let Some(before) = &view.signed_in {
        let _ = server.inner.store.submit(EndSession(before.session)).await; // it ends by itself otherwise
    }
    let mut response = see_other(local(next));
    let https = server.inner.pages.https;
    set_cookie(response.headers_mut(), SESSION_COOKIE, session_key, https);
    set_cookie(response.headers_mut(), VISITOR_COOKIE, "", https);
    let lang = if view.is_zh() { "zh" } else { "en" };
    set_cookie(response.headers_mut(), LANG_COOKIE, lang, https);
    response
}

pub(crate) async fn sign_out(State(server): State<Server>, view: View, _posted: Posted) -> Response {
    if let Some(signed_in) = &view.signed_in
        && let Err(failure) = server.inner.store.submit(EndSession(signed_in.session)).await
    {
        return super::failure(&view, &failure);
    }
    let mut response = see_other(SIGN_IN);
    let https = server.inner.pages.https;
    set_cookie(response.headers_mut(), SESSION_COOKIE, "", https);
    set_cookie(response.headers_mut(), VISITOR_COOKIE, "", https);
    response
}

struct Begun {
    verify_id: String,
    tmp_user_id: String,
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage<'a> {
    view: &'a View,
    problem: Option<String>,
    user_name: &'a str,
    /// What a login name is made of.
    shape: String,
    next: &'a str,
    begun: Option<Begun>,
    /// Whether codes are shown instead of sent.
    codes: bool,
}

/// The form, or the one for the code where a registration waits for it.
fn register_page(
    view: &View,
    status: StatusCode,
    user_name: &str,
    next: &str,
    begun: Option<Begun>,
    problem: Option<String>,
) -> Response {
    let (next, codes) = (local(next), !view.hints().is_empty());
    let shape = shape(view, LoginName::SHAPE);
    page_with(status, &RegisterPage { view, problem, user_name, shape, next, begun, codes })
}

/// The address at which a registration waits for its code. It is worth nothing without the code.
fn code_step(begun: &Begun, next: &str) -> String {
    let [id, tmp, next] = [&begun.verify_id, &begun.tmp_user_id, local(next)].map(encoded);
    format!("{REGISTER}?verify_id={id}&tmp_user_id={tmp}&next={next}")
}

pub(crate) async fn register_form(view: View, Asked(onward): Asked<Onward>) -> Response {
    let Onward { next, verify_id, tmp_user_id, .. } = onward;
    let begun = (!verify_id.is_empty()).then_some(Begun { verify_id, tmp_user_id });
    register_page(&view, StatusCode::OK, "", &next, begun, None)
}

/// Fewest characters of a password that is chosen on a page.
const SHORTEST_PASSWORD: usize = 8;

pub(crate) async fn register(State(server): State<Server>, view: View, posted: Posted) -> Response {
    let (user_name, pwd, next) = (posted.text("user_name"), posted.text("pwd"), posted.text("next"));
    let view = view.at(&format!("{REGISTER}?next={}", encoded(local(next))));
    if pwd.chars().count() < SHORTEST_PASSWORD {
        let problem = view.say("密码至少 8 个字符。", "The password needs at least 8 characters.").to_owned();
        return register_page(&view, StatusCode::UNPROCESSABLE_ENTITY, user_name, next, None, Some(problem));
    }
    // Whether the name is taken is told only to who proves to own it, when it is completed.
    match server.inner.register(register::Request { user_name: user_name.into(), pwd: pwd.into() }).await {
        Ok(begun) => {
            let begun = Begun { verify_id: begun.verify_id, tmp_user_id: begun.tmp_user_id };
            see_other(&code_step(&begun, next))
        }
        Err(failure) => {
            let name = view.say("用户名须为", "A login name is");
            let malformed = format!("{name} {}", shape(&view, LoginName::SHAPE));
            let problem = in_words_of_its_own(&view, &failure, Refusal::LoginNameInvalid, &malformed);
            register_page(&view, refused(&failure), user_name, next, None, Some(problem))
        }
    }
}

pub(crate) async fn verify(State(server): State<Server>, view: View, posted: Posted) -> Response {
    let next = local(posted.text("next"));
    let begun = Begun {
        verify_id: posted.text("verify_id").to_owned(),
        tmp_user_id: posted.text("tmp_user_id").to_owned(),
    };
    let view = view.at(&code_step(&begun, next));
    let request = complete_register::Request {
        verify_code: posted.text("verify_code").into(),
        verify_id: begun.verify_id.as_str().into(),
        tmp_user_id: begun.tmp_user_id.as_str().into(),
    };
    let failure = match server.inner.complete_register(request).await {
        Ok(_) => return see_other(&format!("{SIGN_IN}?registered=1&next={}", encoded(next))),
        Err(failure) => failure,
    };
    if failure.refused().is_some_and(|no| no.refusal == Reason::Fomo(Refusal::LoginNameInvalid)) {
        let taken = view.say(
            "这个用户名已有人使用，请换一个再注册。",
            "Somebody has this name already. Register with another.",
        );
        let view = view.clone().at(&format!("{REGISTER}?next={}", encoded(next)));
        return register_page(&view, refused(&failure), "", next, None, Some(taken.to_owned()));
    }
    let wrong = view.say(
        "验证码不对，或已失效。请核对后再填，或重新注册。",
        "That is not the code that was sent, or it is no longer valid. Look again, or register anew.",
    );
    let problem = in_words_of_its_own(&view, &failure, Refusal::NoPermission, wrong);
    register_page(&view, refused(&failure), "", next, Some(begun), Some(problem))
}

/// For the query of an address.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = Vec::new();
    wallet_core::form::encode_into(text, &mut out);
    String::from_utf8(out).unwrap_or_default() // a form is ASCII
}
