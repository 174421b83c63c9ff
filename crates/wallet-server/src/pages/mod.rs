//! Pages and their shared parts: the language, the CSRF token of forms, the session and the security headers.
//!
//! A page is an askama template over a [`View`]. A template has each text in both languages:
//! `{{ view.say("登录", "Sign in") }}`; so none can be missing. A form is a [`SubmittedForm`]: a form without the visitor's
//! CSRF token is refused. Every page works without JavaScript.

mod account;
pub(crate) mod admin;
pub(crate) mod apps;
mod deliveries;
mod docs;
mod operate;
mod payments;
mod posted;
pub(crate) mod settings;
mod sign_in;
mod view;

use std::fmt::{self, Write as _};

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use wallet_core::{Lang, UnixTime};
use wallet_engine::StoreError;
use wallet_platform::Failure;
use wallet_platform::fomo::answer;

pub use crate::forms::Faults;
pub use crate::snippets::quoted;
pub use apps::new::form_again;
pub use docs::code_page;
pub use posted::{SubmittedFile, SubmittedForm};
pub use settings::{Cookies, Hint, NavItem, PageSettings, cookie_of};
pub use sign_in::{SIGN_IN, sign_in_first};
pub use view::{Params, SignedIn, View};

use crate::context::Server;
pub(crate) use crate::forms::{FormMessage, FormProblem};

pub(crate) use view::NEW_SECRET_COOKIE;
use view::{LANG_COOKIE, VISITOR_COOKIE};

/// The navigation entry of the apps.
pub const APPS: NavItem = NavItem { href: "/apps", zh: "应用", en: "Apps" };
/// The navigation entry of the documents.
pub const DOCS: NavItem = NavItem { href: "/docs", zh: "文档", en: "Docs" };
/// The navigation entry of the operators' page.
pub(crate) const ADMIN: NavItem = NavItem { href: "/admin", zh: "运营", en: "Operate" };

/// The routes of the pages that know no protocol.
pub(crate) fn router() -> Router<Server> {
    Router::new()
        .route("/openfomo/login.html", get(sign_in::form).post(sign_in::sign_in))
        .route("/openfomo/logout", post(sign_in::sign_out))
        .route("/openfomo/register.html", get(sign_in::register_form).post(sign_in::register))
        .route("/openfomo/register/verify", post(sign_in::verify))
        .route("/account", get(account::page))
        .route("/account/password", post(account::change_password))
        .route("/account/revoke", post(account::revoke))
        .route("/account/sign_out_everywhere", post(account::sign_out_everywhere))
        .route("/apps", get(apps::list))
        .route("/apps/new", get(apps::new::registration))
        .route("/apps/{platform}/{id}/deliveries", get(deliveries::page).post(deliveries::send_again))
        .route("/apps/{platform}/{id}/deliveries/{delivery}", get(deliveries::one))
        .route("/apps/{platform}/{id}/payments", get(payments::page))
        .route("/apps/{platform}/{id}/payments/one", get(payments::one))
        .route("/apps/{platform}/{id}/payments.csv", get(payments::statement))
        .route("/docs", get(docs::index))
        .route("/docs/callbacks", get(docs::callbacks))
        .route("/docs/rules", get(docs::rules))
        .route("/docs/guides/{platform}", get(docs::guide))
        .route("/docs/{platform}", get(docs::reference))
        .route("/docs/{platform}/{file}", get(docs::file))
        .route("/docs/{platform}/codes/{code}", get(docs::code))
        .route("/admin", get(admin::page))
        .route("/admin/send_again", post(admin::send_again))
        .route("/admin/limits", get(admin::limits_page))
        .route("/admin/find", get(operate::find))
        .route("/admin/second_factor", get(operate::second_factor).post(operate::set_second_factor))
        .route("/admin/{kind}/{id}", get(operate::sheet).post(operate::do_act))
        .merge(docs::search_routes())
}

/// The assets of the pages.
pub(crate) fn assets() -> Router<Server> {
    Router::new()
        .route(
            "/assets/wallop.css",
            get(|| asset("text/css; charset=utf-8", include_str!("../../assets/wallop.css"))),
        )
        .route(
            "/assets/page.js",
            get(|| asset("text/javascript; charset=utf-8", include_str!("../../assets/page.js"))),
        )
        .route("/assets/icon.svg", get(|| asset("image/svg+xml", include_str!("../../assets/icon.svg"))))
}

async fn asset(kind: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl Server {
    /// Makes pages of routes: adds the [`View`] to each request and the page headers to each response, and answers a GET
    /// of an address that only takes a form.
    pub fn pages<S: Clone + Send + Sync + 'static>(&self, routes: Router<S>) -> Router<S> {
        routes.method_not_allowed_fallback(no_page).layer(from_fn_with_state(self.clone(), shell))
    }
}

async fn shell(State(server): State<Server>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let (view, fresh) = match View::of(&server, &parts).await {
        Ok(found) => found,
        Err(failure) => return busy(&failure),
    };
    parts.extensions.insert(view.clone());
    let response = next.run(Request::from_parts(parts, body)).await;
    dressed(response, &server, &view, fresh)
}

/// The reply of a busy store, which must not look like an ended session.
fn busy(failure: &Failure) -> Response {
    tracing::warn!(%failure, "cannot read the session of a page");
    crate::reply::text(StatusCode::SERVICE_UNAVAILABLE, "the server is busy: try again in a moment\n")
}

/// Whether the request is a browser's: a GET that accepts `text/html`.
pub fn is_for_people(method: &Method, headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    method == Method::GET && accepts.is_some_and(|accepts| accepts.contains("text/html"))
}

/// The page for an unknown address.
pub(crate) async fn nowhere(server: &Server, request: &Parts) -> Response {
    let (view, fresh) = match View::of(server, request).await {
        Ok(found) => found,
        Err(failure) => return busy(&failure),
    };
    let platform = server.inner.protocol(request.uri.path()).map(|protocol| protocol.meta());
    let response = match platform {
        Some(platform) => page_with(
            StatusCode::NOT_FOUND,
            &ProblemPage {
                view: &view,
                what: view.say("这里没有接口", "There is no call here"),
                why: &format!(
                    "{}{}",
                    platform.doc.in_lang(view.lang),
                    view.say("没有这个地址。", ": there is nothing at this address.")
                ),
                next: view.say("全部接口都在参考里。", "The reference has all of its calls."),
                onward: Some((format!("/docs/{}", platform.id), view.say("参考", "Reference"))),
            },
        ),
        None => problem(
            &view,
            StatusCode::NOT_FOUND,
            view.say("页面不存在", "There is no page here"),
            view.say("地址有误，或页面已移除。", "The address may be mistyped, or the page is gone."),
            view.say("请从上方导航选择。", "Choose from the navigation."),
        ),
    };
    dressed(response, server, &view, fresh)
}

/// The reply to a method that an address does not take: to a person a page, since the address takes a form.
async fn no_page(view: View, method: Method, headers: HeaderMap) -> Response {
    if method == Method::OPTIONS {
        return crate::reply::no_content(); // the router adds `Allow`
    }
    if !is_for_people(&method, &headers) {
        return crate::reply::text(
            StatusCode::METHOD_NOT_ALLOWED,
            "this address does not take this method\n",
        );
    }
    problem(
        &view,
        StatusCode::METHOD_NOT_ALLOWED,
        view.say("这个地址只接收表单", "This address takes a form"),
        view.say("它没有可以打开的页面；没有执行任何操作。", "This address has no page. Nothing was done."),
        view.say("从页面上的按钮提交。", "Use the button on the form's page."),
    )
}

/// Adds the headers of every page.
fn dressed(mut response: Response, server: &Server, view: &View, fresh: Option<String>) -> Response {
    const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; \
        connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let cookies = server.inner.pages.cookies;
    if let Some(lang) = view.asked {
        set_cookie(headers, LANG_COOKIE, if lang == Lang::Zh { "zh" } else { "en" }, cookies);
    }
    if let Some(visitor) = fresh {
        set_cookie(headers, VISITOR_COOKIE, &visitor, cookies);
    }
    response
}

/// Sets an `HttpOnly`, `SameSite=Lax` cookie. An empty value deletes the cookie.
pub(crate) fn set_cookie(headers: &mut HeaderMap, plain: &str, value: &str, cookies: Cookies) {
    let (name, secure) = (cookies.name(plain), if cookies == Cookies::Host { "; Secure" } else { "" });
    let gone = if value.is_empty() { "; Max-Age=0" } else { "" };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{gone}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        headers.append(SET_COOKIE, cookie);
    }
}

/// A page from a template.
pub fn page(template: &impl fmt::Display) -> Response {
    page_with(StatusCode::OK, template)
}

/// A page with another HTTP status.
pub fn page_with(status: StatusCode, template: &impl fmt::Display) -> Response {
    let mut text = String::new();
    let mut response = match write!(text, "{template}") {
        Ok(()) => Response::new(Body::from(text)),
        Err(error) => {
            tracing::error!(%error, "cannot render a page");
            let mut response = Response::new(Body::from("cannot render the page; see the server's log\n"));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return response;
        }
    };
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// A redirect (303) after a form.
pub fn see_other(address: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    match HeaderValue::try_from(address) {
        Ok(address) => drop(response.headers_mut().insert(LOCATION, address)),
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}

#[derive(Template)]
#[template(path = "go_on.html")]
struct GoOnPage<'a> {
    view: &'a View,
    app: &'a str,
    address: &'a str,
}

/// A page that leads on to an app's address at once, and by a link. A redirect would not do: browsers hold `form-action` against
/// every redirect after a form, the app's own ones too. The address is a registered one, which no browser runs as a program.
pub(crate) fn go_on(view: &View, app: &str, address: &str) -> Response {
    let mut response = page(&GoOnPage { view, app, address });
    // For programs that fill in the form; a browser ignores it beside a status 200.
    if let Ok(address) = HeaderValue::try_from(address) {
        response.headers_mut().insert(LOCATION, address);
    }
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    view: &'a View,
    what: &'a str,
    why: &'a str,
    next: &'a str,
    /// The address of a link to continue at, and its text.
    onward: Option<(String, &'a str)>,
}

/// A page with the problem, its cause and the next step.
pub fn problem(view: &View, status: StatusCode, what: &str, why: &str, next: &str) -> Response {
    let onward = view.section().map(|section| (section.href.to_owned(), view.say(section.zh, section.en)));
    page_with(status, &ProblemPage { view, what, why, next, onward })
}

/// The result of a page's handler: its page, or a problem page.
pub(crate) type Page = Result<Response, Response>;

/// Turns the failure of a decision into a problem page.
pub(crate) trait OrPage<T> {
    #[expect(clippy::result_large_err, reason = "a response is passed on unchanged, once a request")]
    fn or_page(self, view: &View) -> Result<T, Response>;
}

impl<T> OrPage<T> for Result<T, Failure> {
    fn or_page(self, view: &View) -> Result<T, Response> {
        self.map_err(|no| failure(view, &no))
    }
}

/// The problem page of a failure.
pub fn failure(view: &View, failure: &Failure) -> Response {
    let words = in_words(view.lang, failure);
    let (status, next) = match failure {
        Failure::Refused(_) => (
            StatusCode::BAD_REQUEST,
            view.say("返回并更正后再试。", "Go back, correct the form and try again."),
        ),
        Failure::Store(StoreError::Unknown(_)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            view.say("先查看当前状态，再决定是否重做。", "Look at the current state before you do it again."),
        ),
        Failure::Store(error) if error.is_temporary() => {
            (StatusCode::SERVICE_UNAVAILABLE, view.say("请稍候再试。", "Try again in a moment."))
        }
        Failure::Store(error) => {
            tracing::error!(%error, "internal error in a page");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                view.say("平台日志里有原因。", "The server's log has the cause."),
            )
        }
    };
    problem(view, status, view.say("没有完成", "That did not work"), &words, next)
}

/// The allowed length and characters of a new name, from the spec, as text.
pub(crate) fn shape(lang: Lang, (fewest, most, chars): (usize, usize, &str)) -> String {
    let others: Vec<String> = chars.trim_start_matches("A-Za-z0-9").chars().map(String::from).collect();
    let (to, and) = match lang {
        Lang::Zh => ("到", "个字符：字母、数字和"),
        Lang::En => ("to", "characters: letters, digits and"),
    };
    format!("{fewest} {to} {most} {and} {}", others.join(" "))
}

/// The text of a failure. FOMO's texts serve for what every protocol refuses.
pub fn in_words(lang: Lang, failure: &Failure) -> String {
    match failure {
        Failure::Refused(no) => wallet_core::message(answer(no.reason), no.field, no.wait, lang),
        Failure::Store(StoreError::Unknown(_)) => match lang {
            Lang::Zh => "数据库没有确认，这一操作可能已经生效",
            Lang::En => "The database did not confirm it: it may or may not be done",
        }
        .to_owned(),
        Failure::Store(error) if error.is_temporary() => {
            if lang == Lang::Zh { "系统繁忙" } else { "The system is busy" }.to_owned()
        }
        Failure::Store(_) => if lang == Lang::Zh { "系统内部错误" } else { "An internal error" }.to_owned(),
    }
}

/// A time in UTC, to the second.
pub fn shown_time(at: UnixTime) -> String {
    let time =
        time::OffsetDateTime::from_unix_timestamp(at.secs()).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (time.date(), time.time());
    let month = u8::from(date.month());
    format!(
        "{:04}-{month:02}-{:02} {:02}:{:02}:{:02} UTC",
        date.year(),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}
