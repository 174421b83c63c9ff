//! Registration of an app: a FOMO app is active at once; a VAS or Lafi app needs a review.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use wallet_api::fomo::{ClientId, Refusal};
use wallet_api::vas::Profile;
use wallet_platform::{
    ApplicationFault, ApplyVas, CreateApp, EnrolDeveloper, Failure, Refused, User, safe_domain,
};

use super::super::{
    FormMessage, FormProblem, OrPage as _, Page, Params, SignedIn, SubmittedForm, View, failure, page,
    page_with, see_other, shape,
};
use crate::server::Server;

const HERE: &str = "/apps/new";

/// The filled-in fields.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Given {
    client_id: String,
    name: String,
    redirect_uri: String,
    wallet: String,
    vas_name: String,
    safe_domain: String,
    scheme: String,
    #[serde(flatten)]
    form_problem: FormProblem,
}

/// The faults of the form.
const FAULTS: [FormMessage; 8] = [
    FormMessage {
        id: "client_id",
        zh: "client_id 太短、太长，或含有不允许的字符。",
        en: "The client_id is too short, too long, or has a character that is not allowed.",
    },
    FormMessage {
        id: "taken",
        zh: "这个 client_id 已有应用使用，请换一个。",
        en: "Another app has this client_id. Choose a different one.",
    },
    FormMessage {
        id: "name",
        zh: "名称须为 1 到 64 个可见字符。",
        en: "The name must have 1 to 64 visible characters.",
    },
    FormMessage {
        id: "redirect_uri",
        zh: "redirect_uri 须是浏览器可以打开的地址，例如 https://shop.example/back：不含 # 和 @。",
        en: "The redirect_uri must be an address for a browser, such as https://shop.example/back (no # or @).",
    },
    FormMessage { id: "wallet", zh: "请选择钱包。", en: "Choose a wallet." },
    FormMessage {
        id: "too_many",
        zh: "待审核的申请太多，请先等待结论。",
        en: "Too many of your applications are in review. Wait for a decision, then apply again.",
    },
    FormMessage {
        id: "safe_domain",
        zh: "安全域名须是一个完整的主机名，例如 www.shop.example；也可只填应用 scheme。",
        en: "The safe domain must be one whole host name, such as www.shop.example. Or enter only an app scheme.",
    },
    FormMessage {
        id: "scheme",
        zh: "应用 scheme 须为应用自己的 scheme，例如 shopapp。",
        en: "The app scheme must be a scheme of your own, such as shopapp.",
    },
];

#[derive(Template)]
#[template(path = "app_new.html")]
struct NewPage<'a> {
    view: &'a View,
    problem: Option<String>,
    given: Given,
    /// The allowed length and characters of a client_id.
    shape: String,
    /// The ids and names of the wallets.
    profiles: Vec<(&'static str, &'static str)>,
}

fn new_page(view: &View, status: StatusCode, given: Given) -> Response {
    let profiles = Profile::ALL.iter().map(|profile| profile.meta());
    let profiles = profiles.map(|profile| (profile.id, profile.doc.in_lang(view.lang))).collect();
    let (problem, shape) = (given.form_problem.in_words(view, &FAULTS), shape(view, ClientId::SHAPE));
    page_with(status, &NewPage { view, problem, given, shape, profiles })
}

pub(crate) async fn new(view: View, _: SignedIn, Params(given): Params<Given>) -> Response {
    new_page(&view, StatusCode::OK, given)
}

/// The form with its fault.
fn again(view: View, given: Given) -> Response {
    let filled_in = [
        ("client_id", &*given.client_id),
        ("name", &given.name),
        ("redirect_uri", &given.redirect_uri),
        ("wallet", &given.wallet),
        ("vas_name", &given.vas_name),
        ("safe_domain", &given.safe_domain),
        ("scheme", &given.scheme),
    ];
    let view = view.again(HERE, &filled_in, &given.form_problem);
    new_page(&view, StatusCode::UNPROCESSABLE_ENTITY, given)
}

/// Makes the user a developer at the first registration of an app.
async fn enrol(server: &Server, user: &User) -> Result<(), Failure> {
    if user.developer { Ok(()) } else { server.inner.store.submit(EnrolDeveloper(user.id)).await }
}

pub(crate) async fn create(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    posted: SubmittedForm,
) -> Page {
    let view = view.at(HERE);
    enrol(&server, &user).await.or_page(&view)?;
    let text = |name: &str| posted.text(name).to_owned();
    let (client_id, name, redirect_uri) = (text("client_id"), text("name"), text("redirect_uri"));
    let command = CreateApp {
        owner: user.id,
        client_id: client_id.clone().into(),
        name: name.clone(),
        redirect_uri: redirect_uri.clone().into(),
        seed: server.inner.store.vault().seed(),
    };
    let no = match server.inner.store.submit(command).await {
        Ok(_) => return Ok(see_other(&format!("/apps/fomo/{client_id}"))),
        Err(no) => no,
    };
    let fault = match no.refused() {
        Some(no) if no.reason == Refusal::ClientIdMalformed => "client_id",
        Some(no) if no.reason == Refusal::ClientIdTaken => "taken",
        Some(Refused { field: Some(field), .. }) => field,
        _ => return Err(failure(&view, &no)),
    };
    let form_problem = FormProblem::of(fault);
    Ok(again(view, Given { client_id, name, redirect_uri, form_problem, ..Given::default() }))
}

pub(crate) async fn apply(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    posted: SubmittedForm,
) -> Page {
    let view = view.at(HERE);
    let text = |name: &str| posted.text(name).trim().to_owned();
    let (name, safe_domain, scheme) = (text("name"), text("safe_domain"), text("scheme"));
    let again = |fault| {
        let (wallet, vas_name) = (text("wallet"), text("name"));
        let (safe_domain, scheme, form_problem) =
            (text("safe_domain"), text("scheme"), FormProblem::of(fault));
        again(view.clone(), Given { wallet, vas_name, safe_domain, scheme, form_problem, ..Given::default() })
    };
    let wallet = posted.text("wallet");
    let Some(profile) = Profile::ALL.iter().copied().find(|profile| profile.meta().id == wallet) else {
        return Ok(again("wallet"));
    };
    let command = ApplyVas { owner: user.id, profile, name, safe_domain, scheme };
    Ok(match server.inner.store.submit(command).await.or_page(&view)? {
        Ok(id) => see_other(&format!("/apps/vas/{}", id.0)),
        Err(ApplicationFault::TooMany) => again("too_many"),
        Err(fault) => again(fault.field()),
    })
}

/// Checks a safe domain while the user types it; the reply is text.
pub(crate) async fn check_safe_domain(view: View, Params(typed): Params<Typed>) -> Response {
    let text = typed.safe_domain.trim();
    let (mood, words) = match safe_domain(text) {
        _ if text.is_empty() => ("", String::new()),
        Some(host) if host == text => ("ok", view.say("可用", "Good").to_owned()),
        Some(host) => ("ok", format!("{} {host}", view.say("登记为", "Registered as"))),
        None => {
            // The host in the text is the likely domain.
            let meant = text.split_once("://").map_or(text, |(_, rest)| rest);
            let meant = meant.split(['/', ':', '?', '#']).next().and_then(safe_domain);
            let hint =
                meant.map_or_else(String::new, |meant| format!(" {} {meant}", view.say("应填：", "Write")));
            let why = view.say(
                "须是完整的主机名，没有协议、端口和路径。",
                "It must be one whole host name, without scheme, port or path.",
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
