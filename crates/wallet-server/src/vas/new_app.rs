//! Application for a VAS or Lafi app: an operator reviews it.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use wallet_api::vas::{Profile, Vas};
use wallet_core::Platform as _;
use wallet_platform::{ApplicationFault, ApplyVas, safe_domain};

use crate::context::Server;
use crate::forms::FormMessage;
use crate::own_app::{FormPage, RegistrationForm};
use crate::pages::apps::new::{NEW_APP, form_again, name_fault};
use crate::pages::{Faults, OrPage as _, Page, Params, SignedIn, SubmittedForm, View, page, see_other};

/// The routes.
pub(crate) fn routes() -> Router<Server> {
    Router::new().route("/apps/new/vas", post(apply)).route("/apps/new/safe_domain", get(check_safe_domain))
}

/// The faults of the form.
const FAULTS: [FormMessage; 6] = [
    FormMessage { id: "wallet", field: "wallet", zh: "请选择钱包。", en: "Choose a wallet." },
    name_fault("vas_name"),
    FormMessage {
        id: "too_many",
        field: "",
        zh: "待审核的申请太多，请先等待结论。",
        en: "Too many of your applications are in review. Wait for a decision, then apply again.",
    },
    FormMessage {
        id: "safe_domain",
        field: "safe_domain",
        zh: "安全域名须是一个完整的主机名，例如 www.shop.example；也可只填应用 scheme。",
        en: "The safe domain must be one whole host name, such as www.shop.example. Or enter only an app scheme.",
    },
    FormMessage {
        id: "localhost",
        field: "safe_domain",
        zh: "localhost 与 IP 地址不是完整的主机名；.localhost 下的名称同样指向本机，例如 my-shop.localhost。",
        en: "localhost and IP addresses are not whole host names. A name below localhost is this machine too, such as my-shop.localhost.",
    },
    FormMessage {
        id: "scheme",
        field: "scheme",
        zh: "应用 scheme 须为应用自己的 scheme，例如 shopapp。",
        en: "The app scheme must be a scheme of your own, such as shopapp.",
    },
];

#[derive(Template)]
#[template(path = "vas/new_app.html")]
struct Form<'a> {
    view: &'a FormPage<'a>,
    wallet: &'a str,
    name: &'a str,
    safe_domain: &'a str,
    scheme: &'a str,
    /// The ids and names of the wallets.
    profiles: Vec<(&'static str, &'static str)>,
    faults: Faults,
    /// Whether the safe domain is `localhost`, for which the form proposes another name.
    local_name: bool,
}

/// The form.
pub(crate) fn form(page: &FormPage<'_>) -> RegistrationForm {
    let profiles = Profile::ALL.iter().map(|profile| profile.meta());
    let form = Form {
        view: page,
        wallet: page.text("wallet"),
        name: page.text("vas_name"),
        // A new form proposes a name of the developer's own machine.
        safe_domain: if page.filled_in.is_empty() { LOCAL_NAME } else { page.text("safe_domain") },
        scheme: page.text("scheme"),
        profiles: profiles.map(|profile| (profile.id, profile.doc.in_lang(page.lang))).collect(),
        faults: page.faults(&FAULTS),
        local_name: is_local(page.text("safe_domain")),
    };
    RegistrationForm { name: "VAS · Lafi", html: form.to_string() }
}

/// A host name of the developer's own machine.
const LOCAL_NAME: &str = "my-shop.localhost";

/// Whether a host is this machine without a whole name.
fn is_local(host: &str) -> bool {
    let host = host.trim();
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

async fn apply(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    posted: SubmittedForm,
) -> Page {
    let view = view.at(NEW_APP);
    let [wallet, name, mut safe_domain, scheme] =
        ["wallet", "name", "safe_domain", "scheme"].map(|id| posted.text(id).trim());
    let proposed = posted.text("proposed_domain");
    if !proposed.is_empty() && is_local(safe_domain) {
        safe_domain = proposed;
    }
    let fields = [("wallet", wallet), ("vas_name", name), ("safe_domain", safe_domain), ("scheme", scheme)];
    let again = |faults: &[&str]| form_again(&server, &view, Vas::META.id, &fields, faults);
    let profile = Profile::ALL.iter().copied().find(|profile| profile.meta().id == wallet);
    let command = ApplyVas {
        owner: user.id,
        profile: profile.unwrap_or(Profile::Vas),
        name: name.to_owned(),
        safe_domain: safe_domain.to_owned(),
        scheme: scheme.to_owned(),
    };
    let mut faults: Vec<&str> = profile.is_none().then_some("wallet").into_iter().collect();
    faults.extend(command.faults().into_iter().map(|fault| match fault {
        ApplicationFault::SafeDomain if is_local(safe_domain) => "localhost",
        fault => fault.field(),
    }));
    if !faults.is_empty() {
        return Ok(again(&faults));
    }
    Ok(match server.inner.store.submit(command).await.or_page(&view)? {
        Ok(id) => see_other(&format!("/apps/vas/{}", id.0)),
        Err(ApplicationFault::TooMany) => again(&["too_many"]),
        Err(fault) => again(&[fault.field()]),
    })
}

/// Checks a safe domain while the user types it; the reply is text.
async fn check_safe_domain(view: View, Params(typed): Params<Typed>) -> Response {
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
struct Typed {
    #[serde(default)]
    safe_domain: String,
}
