//! Registration of a FOMO app: it is active at once.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use wallet_api::fomo::{ClientId, Fomo, Refusal};
use wallet_core::crypto::hex_text;
use wallet_core::{Platform as _, Secret};
use wallet_platform::{CreateApp, Digest, EnrolDeveloper, Failure, Reason, User};

use crate::context::Server;
use crate::forms::FormMessage;
use crate::own_app::{FormPage, RegistrationForm};
use crate::pages::apps::new::{NEW_APP, form_again, name_fault};
use crate::pages::{
    Faults, NEW_SECRET_COOKIE, OrPage as _, Page, SignedIn, SubmittedForm, View, failure, see_other,
    set_cookie, shape,
};

/// The routes.
pub(crate) fn routes() -> Router<Server> {
    Router::new().route("/apps/new/fomo", post(create))
}

/// The faults of the form.
const FAULTS: [FormMessage; 5] = [
    FormMessage {
        id: "client_id",
        field: "client_id",
        zh: "client_id 太短、太长，或含有不允许的字符。",
        en: "The client_id is too short, too long, or has a character that is not allowed.",
    },
    FormMessage {
        id: "taken",
        field: "client_id",
        zh: "这个 client_id 已有应用使用，请换一个。",
        en: "Another app has this client_id. Choose a different one.",
    },
    FormMessage {
        id: "too_many",
        field: "client_id",
        zh: "您的应用已达上限。请先关闭不用的应用，再登记新的。",
        en: "You have as many apps as one user may have. Close one that you do not use, then register this one.",
    },
    name_fault("name"),
    FormMessage {
        id: "redirect_uri",
        field: "redirect_uri",
        zh: "redirect_uri 须是浏览器可以打开的地址，例如 https://shop.example/back：不含 # 和 @。",
        en: "The redirect_uri must be an address for a browser, such as https://shop.example/back (no # or @).",
    },
];

#[derive(Template)]
#[template(path = "fomo/new_app.html")]
struct Form<'a> {
    view: &'a FormPage<'a>,
    client_id: String,
    name: &'a str,
    redirect_uri: &'a str,
    /// The allowed length and characters of a client_id.
    shape: String,
    faults: Faults,
}

/// The redirect_uri that the form proposes: a name of the developer's own machine.
const PROPOSED: &str = "http://my-shop.localhost:9100/back";

/// The form. A new one proposes a client_id and a redirect_uri.
pub(crate) fn form(page: &FormPage<'_>) -> RegistrationForm {
    let given = |id, proposed: String| match page.filled_in.is_empty() {
        true => proposed,
        false => page.text(id).to_owned(),
    };
    let form = Form {
        view: page,
        client_id: given("client_id", format!("my_shop_{}", page.fresh)),
        name: page.text("name"),
        redirect_uri: &given("redirect_uri", PROPOSED.to_owned()),
        shape: shape(page.lang, ClientId::SHAPE),
        faults: page.faults(&FAULTS),
    };
    RegistrationForm { name: "FOMO", html: form.to_string() }
}

/// Makes the user a developer at the first registration of an app.
async fn enrol(server: &Server, user: &User) -> Result<(), Failure> {
    if user.developer { Ok(()) } else { server.inner.store.submit(EnrolDeveloper(user.id)).await }
}

async fn create(
    State(server): State<Server>,
    view: View,
    SignedIn { session, user }: SignedIn,
    posted: SubmittedForm,
) -> Page {
    let view = view.at(NEW_APP);
    enrol(&server, &user).await.or_page(&view)?;
    let [client_id, name, redirect_uri] = ["client_id", "name", "redirect_uri"].map(|id| posted.text(id));
    let command = CreateApp {
        owner: user.id,
        client_id: client_id.to_owned().into(),
        name: name.to_owned(),
        redirect_uri: redirect_uri.to_owned().into(),
        seed: server.inner.store.vault().seed(),
    };
    let faults: Vec<&str> = command.faults().into_iter().map(|field| field.name()).collect();
    let fields = [("client_id", client_id), ("name", name), ("redirect_uri", redirect_uri)];
    if !faults.is_empty() {
        return Ok(form_again(&server, &view, Fomo::META.id, &fields, &faults));
    }
    let created = match server.inner.store.submit(command).await {
        Ok(created) => created,
        Err(no) if no.refused().is_some_and(|no| no.reason == Refusal::ClientIdTaken) => {
            return Ok(form_again(&server, &view, Fomo::META.id, &fields, &["taken"]));
        }
        Err(no) if no.refused().is_some_and(|no| no.reason == Reason::NotAllowed) => {
            return Ok(form_again(&server, &view, Fomo::META.id, &fields, &["too_many"]));
        }
        Err(no) => return Err(failure(&view, &no)),
    };
    Ok(to_new_app(&server, session, client_id, &created.client_secret))
}

/// Leads to the page of a new app, which shows its secret once: after a redirect, a reload sends no form again.
fn to_new_app(server: &Server, session: Digest, client_id: &str, secret: &Secret<String>) -> Response {
    let vault = server.inner.store.vault();
    let sealed = vault.seal(&vault.seed(), &new_secret(session, client_id), secret.expose().as_bytes());
    let mut response = see_other(&format!("/apps/fomo/{client_id}"));
    let cookies = server.inner.pages.cookies;
    set_cookie(response.headers_mut(), NEW_SECRET_COOKIE, &URL_SAFE_NO_PAD.encode(sealed), cookies);
    response
}

/// The secret that [`to_new_app`] has left for the page of this app, if the browser comes from there.
pub(crate) fn left_secret(
    server: &Server,
    headers: &HeaderMap,
    session: Digest,
    client_id: &str,
) -> Option<Secret<String>> {
    let sealed = server.inner.pages.cookies.of(headers, NEW_SECRET_COOKIE)?;
    let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    server.inner.store.vault().open_text(&new_secret(session, client_id), &sealed)
}

/// What a left secret is sealed for: one app, in one session.
fn new_secret(session: Digest, client_id: &str) -> String {
    format!("new secret {} {client_id}", hex_text(session.as_bytes()))
}
