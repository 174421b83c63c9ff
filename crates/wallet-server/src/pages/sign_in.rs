//! Signing in and out, and registering: the document's own addresses.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use wallet_api::fomo::{LoginName, complete_register, limits, login, register};
use wallet_core::{Secret, form};
use wallet_platform::{CreateUser, EndSession, Reason, check_login_name};

use super::view::{LANG_COOKIE, SESSION_COOKIE, VISITOR_COOKIE, local};
use super::{
    Faults, FormMessage, FormProblem, Hint, Params, SubmittedForm, View, failure, page_with, see_other,
    set_cookie, shape,
};
use crate::context::Server;

/// The sign-in page: the address in the document.
pub const SIGN_IN: &str = "/openfomo/login.html";
const REGISTER: &str = "/openfomo/register.html";

/// The address of the sign-in page that continues at `next`.
pub fn sign_in_first(next: &str) -> String {
    format!("{SIGN_IN}?next={}", encoded(next))
}

/// The query parameters of these forms: the address after the sign-in, and the filled-in fields.
#[derive(Default, Deserialize)]
pub(crate) struct Onward {
    #[serde(default)]
    next: String,
    /// Not empty right after a registration.
    #[serde(default)]
    registered: String,
    /// The id of the registration that needs its code; empty without one.
    #[serde(default)]
    verify_id: String,
    #[serde(default)]
    tmp_user_id: String,
    /// The filled-in login name.
    #[serde(default)]
    name: String,
    #[serde(flatten)]
    form_problem: FormProblem,
}

/// The faults of the sign-in form.
const SIGN_IN_FAULTS: [FormMessage; 2] = [
    FormMessage {
        id: "pwd", field: "pwd", zh: "用户名或密码不对。", en: "Wrong login name or password."
    },
    FormMessage {
        id: "locked",
        field: "pwd",
        zh: "这个用户名的密码错了太多次。",
        en: "Too many wrong passwords for this name.",
    },
];

/// The faults of the registration form and of the code's form.
const FAULTS: [FormMessage; 4] = [
    FormMessage {
        id: "short",
        field: "pwd",
        zh: "密码至少 8 个字符。",
        en: "The password needs at least 8 characters.",
    },
    FormMessage {
        id: "name",
        field: "user_name",
        zh: "用户名太短、太长，或含有不允许的字符。",
        en: "This login name is too short, too long, or has a character that is not allowed.",
    },
    FormMessage {
        id: "taken",
        field: "user_name",
        zh: "这个用户名已有人使用，请换一个再注册。",
        en: "This name is taken. Register with another one.",
    },
    FormMessage {
        id: "code",
        field: "verify_code",
        zh: "验证码不对，或已失效。请核对后再填，或重新注册。",
        en: "This is not the code that was sent, or it is no longer valid. Check it, or register again.",
    },
];

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    view: &'a View,
    /// The app that asks for consent after the sign-in, if any.
    app: Option<String>,
    faults: Faults,
    done: Option<&'a str>,
    login_name: &'a str,
    next: &'a str,
    hints: &'a [Hint],
}

fn login_page(server: &Server, view: &View, status: StatusCode, onward: &Onward) -> Response {
    let next = local(&onward.next);
    let done = (!onward.registered.is_empty()).then(|| {
        view.say("注册完成。现在用它登录。", "You are registered. Sign in with your new name and password.")
    });
    let app = server.inner.protocols.iter().find_map(|protocol| protocol.waiting_app(next));
    let (hints, faults) = (view.hints(), Faults::of(&onward.form_problem, &SIGN_IN_FAULTS, view.lang));
    page_with(status, &LoginPage { view, app, faults, done, login_name: &onward.name, next, hints })
}

pub(crate) async fn form(
    State(server): State<Server>,
    view: View,
    Params(onward): Params<Onward>,
) -> Response {
    login_page(&server, &view, StatusCode::OK, &onward)
}

pub(crate) async fn sign_in(State(server): State<Server>, view: View, posted: SubmittedForm) -> Response {
    let mut onward = Onward {
        next: local(posted.text("next")).to_owned(),
        name: posted.text("login_name").to_owned(),
        ..Onward::default()
    };
    let request = login::Request::new(onward.name.as_str().into(), posted.text("pwd").into());
    match server.inner.login(request).await {
        Ok(done) => signed_in(&server, &view, done.session_key.as_str(), &onward.next).await,
        Err(no) => {
            let form_problem = FormProblem::by(&no, Reason::PasswordWrong, "pwd")
                .map(|form_problem| form_problem.or_locked("locked"));
            // No user has an invalid name.
            let Some(form_problem) =
                form_problem.or_else(|| FormProblem::by(&no, Reason::LoginNameInvalid, "pwd"))
            else {
                return failure(&view.at(&sign_in_first(&onward.next)), &no);
            };
            let view = view.again(SIGN_IN, &[("next", &onward.next), ("name", &onward.name)], &form_problem);
            onward.form_problem = form_problem;
            login_page(&server, &view, StatusCode::UNPROCESSABLE_ENTITY, &onward)
        }
    }
}

/// Starts the new session; ends the previous session and its CSRF token.
async fn signed_in(server: &Server, view: &View, session_key: &str, next: &str) -> Response {
    if let Some(before) = &view.signed_in {
        let _ = server.inner.store.submit(EndSession(before.session)).await; // on failure the session expires
    }
    let mut response = see_other(local(next));
    let cookies = server.inner.pages.cookies;
    set_cookie(response.headers_mut(), SESSION_COOKIE, session_key, cookies);
    set_cookie(response.headers_mut(), VISITOR_COOKIE, "", cookies);
    let lang = if view.is_zh() { "zh" } else { "en" };
    set_cookie(response.headers_mut(), LANG_COOKIE, lang, cookies);
    response
}

pub(crate) async fn sign_out(State(server): State<Server>, view: View, _posted: SubmittedForm) -> Response {
    if let Some(signed_in) = &view.signed_in
        && let Err(failure) = server.inner.store.submit(EndSession(signed_in.session)).await
    {
        return super::failure(&view, &failure);
    }
    let mut response = see_other(SIGN_IN);
    let cookies = server.inner.pages.cookies;
    set_cookie(response.headers_mut(), SESSION_COOKIE, "", cookies);
    set_cookie(response.headers_mut(), VISITOR_COOKIE, "", cookies);
    response
}

struct Begun<'a> {
    verify_id: &'a str,
    tmp_user_id: &'a str,
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage<'a> {
    view: &'a View,
    faults: Faults,
    user_name: &'a str,
    /// The allowed length and characters of a login name.
    shape: String,
    next: &'a str,
    begun: Option<Begun<'a>>,
}

/// The registration form, or the code form if a registration needs its code.
fn register_page(view: &View, status: StatusCode, onward: &Onward) -> Response {
    let Onward { next, name, verify_id, tmp_user_id, .. } = onward;
    let begun = (!verify_id.is_empty()).then_some(Begun { verify_id, tmp_user_id });
    let (next, shape) = (local(next), shape(view.lang, LoginName::SHAPE));
    let faults = Faults::of(&onward.form_problem, &FAULTS, view.lang);
    page_with(status, &RegisterPage { view, faults, user_name: name, shape, next, begun })
}

pub(crate) async fn register_form(view: View, Params(onward): Params<Onward>) -> Response {
    register_page(&view, StatusCode::OK, &onward)
}

impl Onward {
    /// The query parameters. A registration id in an address is useless without the code.
    fn filled_in(&self) -> [(&'static str, &str); 4] {
        let Self { next, name, verify_id, tmp_user_id, .. } = self;
        [("verify_id", verify_id), ("tmp_user_id", tmp_user_id), ("next", local(next)), ("name", name)]
    }

    /// The registration form with its fault.
    fn register_again(mut self, view: View, form_problem: FormProblem) -> Response {
        let view = view.again(REGISTER, &self.filled_in(), &form_problem);
        self.form_problem = form_problem;
        register_page(&view, StatusCode::UNPROCESSABLE_ENTITY, &self)
    }
}

/// The fewest characters of a new password.
pub(super) const SHORTEST_PASSWORD: usize = limits::SHORTEST_PASSWORD as usize;

pub(crate) async fn register(State(server): State<Server>, view: View, posted: SubmittedForm) -> Response {
    let (name, next) = (posted.text("user_name").to_owned(), posted.text("next").to_owned());
    let (pwd, mut onward) = (posted.text("pwd"), Onward { name, next, ..Onward::default() });
    let faults = [
        check_login_name(&onward.name).err().map(|_| "name"),
        (pwd.chars().count() < SHORTEST_PASSWORD).then_some("short"),
    ];
    let faults: Vec<&str> = faults.into_iter().flatten().collect();
    if !faults.is_empty() {
        return onward.register_again(view, FormProblem::of(&faults.join(",")));
    }
    if server.inner.pages.sandbox {
        return register_at_once(&server, view, onward, pwd).await;
    }
    // Only a user with the verification code learns whether the name is taken.
    let request = register::Request::new(onward.name.as_str().into(), pwd.into());
    match server.inner.register(request).await {
        Ok(begun) => {
            onward = Onward {
                verify_id: begun.verify_id,
                tmp_user_id: begun.tmp_user_id,
                name: String::new(),
                ..onward
            };
            see_other(&format!("{REGISTER}?{}", form::query(&onward.filled_in())))
        }
        Err(no) => failure(&view.at(REGISTER), &no),
    }
}

/// Registers a user of a sandbox, without a verification code, and signs the user in.
async fn register_at_once(server: &Server, view: View, onward: Onward, pwd: &str) -> Response {
    let created = async {
        let hash = Secret::new(server.inner.prover.hash(pwd).await?);
        let (login_name, name) = (onward.name.clone(), onward.name.clone());
        let user = CreateUser { login_name, name, pwd: hash, wallet_pwd: None, developer: false };
        server.inner.store.submit(user).await?;
        server.inner.login(login::Request::new(onward.name.as_str().into(), pwd.into())).await
    };
    match created.await {
        Ok(done) => signed_in(server, &view, done.session_key.as_str(), &onward.next).await,
        Err(no) => match FormProblem::by(&no, Reason::LoginNameInvalid, "taken") {
            Some(taken) => onward.register_again(view, taken),
            None => failure(&view.at(REGISTER), &no),
        },
    }
}

pub(crate) async fn verify(State(server): State<Server>, view: View, posted: SubmittedForm) -> Response {
    let text = |name: &str| posted.text(name).to_owned();
    let (next, verify_id, tmp_user_id) = (text("next"), text("verify_id"), text("tmp_user_id"));
    let onward = Onward { next, verify_id, tmp_user_id, ..Onward::default() };
    let request = complete_register::Request::new(
        posted.text("verify_code").into(),
        onward.verify_id.as_str().into(),
        onward.tmp_user_id.as_str().into(),
    );
    let no = match server.inner.complete_register(request).await {
        Ok(_) => {
            let onward = form::query(&[("registered", "1"), ("next", local(&onward.next))]);
            return see_other(&format!("{SIGN_IN}?{onward}"));
        }
        Err(no) => no,
    };
    if let Some(taken) = FormProblem::by(&no, Reason::LoginNameInvalid, "taken") {
        return Onward { next: onward.next, ..Onward::default() }.register_again(view, taken);
    }
    match FormProblem::by(&no, Reason::VerificationWrong, "code") {
        Some(form_problem) => onward.register_again(view, form_problem),
        None => failure(&view.at(REGISTER), &no),
    }
}

/// Percent-encodes text for a query.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = Vec::new();
    form::encode_into(text, &mut out);
    String::from_utf8(out).expect("a form is ASCII")
}
