//! Registering an app: of FOMO at once, of the VAS and Lafi wallets for review.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use wallet_api::fomo::ClientId;
use wallet_api::vas::Profile;
use wallet_platform::{ApplicationFault, ApplyVas, CreateApp, EnrolDeveloper, User, safe_domain};
use wallet_store::Failure;

use super::super::sign_in::sign_in_first;
use super::super::view::SignedIn;
use super::super::{Asked, Posted, View, failure, in_words, page, page_with, see_other, shape};
use super::{done, signed_in};
use crate::server::Server;

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
    /// What a client_id is made of.
    shape: String,
    /// The wallets, by their ids and names.
    profiles: Vec<(&'static str, &'static str)>,
}

fn new_page(view: &View, status: StatusCode, given: Given, problem: Option<String>) -> Response {
    let profiles = Profile::ALL.iter().map(|profile| profile.meta());
    let profiles = profiles.map(|profile| (profile.id, profile.doc.in_lang(view.lang))).collect();
    page_with(status, &NewPage { view, problem, given, shape: shape(view, ClientId::SHAPE), profiles })
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
