//! Registration of a FOMO app: it is active at once.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use wallet_api::fomo::{ClientId, Fomo, Refusal};
use wallet_core::Platform as _;
use wallet_platform::{CreateApp, EnrolDeveloper, Failure, Refused, User};

use crate::context::Server;
use crate::own_app::{FormMessage, FormPage, RegistrationForm};
use crate::pages::apps::new::{NAME_FAULT, NEW_APP, form_again};
use crate::pages::{OrPage as _, Page, SignedIn, SubmittedForm, View, failure, see_other, shape};

/// The routes.
pub(crate) fn routes() -> Router<Server> {
    Router::new().route("/apps/new/fomo", post(create))
}

/// The faults of the form.
const FAULTS: [FormMessage; 4] = [
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
    NAME_FAULT,
    FormMessage {
        id: "redirect_uri",
        zh: "redirect_uri 须是浏览器可以打开的地址，例如 https://shop.example/back：不含 # 和 @。",
        en: "The redirect_uri must be an address for a browser, such as https://shop.example/back (no # or @).",
    },
];

#[derive(Template)]
#[template(path = "fomo/new_app.html")]
struct Form<'a> {
    view: &'a FormPage<'a>,
    client_id: &'a str,
    name: &'a str,
    redirect_uri: &'a str,
    /// The allowed length and characters of a client_id.
    shape: String,
}

/// The form.
pub(crate) fn form(page: &FormPage<'_>) -> RegistrationForm {
    let form = Form {
        view: page,
        client_id: page.text("client_id"),
        name: page.text("name"),
        redirect_uri: page.text("redirect_uri"),
        shape: shape(page.lang, ClientId::SHAPE),
    };
    RegistrationForm { html: form.to_string(), faults: &FAULTS }
}

/// Makes the user a developer at the first registration of an app.
async fn enrol(server: &Server, user: &User) -> Result<(), Failure> {
    if user.developer { Ok(()) } else { server.inner.store.submit(EnrolDeveloper(user.id)).await }
}

async fn create(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
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
    let fields = [("client_id", client_id), ("name", name), ("redirect_uri", redirect_uri)];
    Ok(form_again(&server, &view, Fomo::META.id, &fields, fault))
}
