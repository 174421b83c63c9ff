//! The page of a VAS or Lafi app: review state, credentials after a password check, keys as files.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use wallet_api::vas::{Review, Vas};
use wallet_core::Platform as _;
use wallet_crypto::{KeyForm, PrivateKey, PublicKey};
use wallet_engine::StoreError;
use wallet_platform::{ShowCredentials, User, VasApp};

use super::own_app::{find, summary};
use super::snippets::snippets;
use crate::context::Server;
use crate::pages::apps::{
    After, AppPage, Fact, fresh_password, masked, shown_once, unknown, wrong, wrong_password,
};
use crate::pages::{
    FormProblem, OrPage as _, Page, Params, SignedIn, SubmittedForm, View, failure, page_with,
};

/// The routes.
pub(crate) fn routes() -> Router<Server> {
    Router::new()
        .route("/apps/vas/{id}", get(show))
        .route("/apps/vas/{id}/reveal", post(reveal_vas))
        .route("/apps/vas/{id}/key/{form}", post(private_key))
        .route("/apps/vas/{id}/rsa_public/{form}", get(public_key))
}

/// The next step of a pending app, as text.
fn in_review(view: &View) -> String {
    let who = view.say(
        "运营人员在 /admin 审核。通过后，uuid、accessToken 与密钥会出现在这里。",
        "An operator reviews it at /admin. Once it is approved, uuid, accessToken and keys appear here.",
    );
    // Only a sandbox has users with shown passwords.
    let here = view.say(
        "在这个沙箱里你可以自己来：以 operator 登录。",
        "In this sandbox you can review it yourself: sign in as operator.",
    );
    if view.hints().is_empty() { who.to_owned() } else { format!("{who} {here}") }
}

/// The credentials of a VAS or Lafi app after its approval.
struct VasSecrets {
    app: VasApp,
    access_token: String,
    rsa_private: String,
}

fn vas_page(
    server: &Server,
    view: &View,
    app: &VasApp,
    secrets: Option<&VasSecrets>,
    after: After,
) -> Response {
    let fact = |id, name, value: &str| Fact { id, name, value: value.to_owned() };
    let base = server.inner.public_url(Vas::META.base_path);
    let mut facts = vec![
        fact("", "base_url", &base),
        fact("", view.say("安全域名", "safe domain"), &app.safe_domain),
        fact("", view.say("应用 scheme", "app scheme"), &app.scheme),
    ];
    let approved = app.state == Review::Approved;
    if approved {
        let public = PublicKey::load(&app.rsa_public).map(|key| key.to_base64()).unwrap_or_default();
        facts.push(fact("uuid", "uuid", app.uuid.as_str()));
        facts.push(Fact {
            id: "access_token",
            name: "accessToken",
            value: masked(secrets.map(|secrets| &*secrets.access_token)),
        });
        facts.push(Fact {
            id: "rsa_private",
            name: "rsaPrivate",
            value: masked(secrets.map(|secrets| &*secrets.rsa_private)),
        });
        facts.push(Fact { id: "rsa_public", name: "rsaPublic", value: public });
    }
    let reason = (app.state == Review::Rejected)
        .then(|| format!("{} {}", view.say("未通过的原因：", "Reason of the rejection:"), app.reason));
    page_with(
        after.status,
        &AppPage {
            view,
            app: summary(app),
            problem: after.problem.or(reason),
            done: after.done,
            note: (app.state == Review::Pending).then(|| in_review(view)),
            facts,
            secrets_may_be_seen: approved,
            secret_version: None,
            old_until: None,
            clock_off: None,
            snippets: if approved { snippets(&base, app.uuid.as_str(), view.tag()) } else { Vec::new() },
        },
    )
}

fn pem(name: &str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file"));
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}.pem\"")) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    response
}

/// The key form in an address: `pkcs1`, or `pkcs8` (for the public key: `spki`).
fn key_form(text: &str) -> Option<KeyForm> {
    match text {
        "pkcs1" => Some(KeyForm::Pkcs1),
        "pkcs8" | "spki" => Some(KeyForm::Pkcs8),
        _ => None,
    }
}

/// rsaPublic as a file.
async fn public_key(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    Path((id, form)): Path<(String, String)>,
) -> Page {
    let app = own_vas_app(&server, &view, &user, &id).await?;
    match (PublicKey::load(&app.rsa_public), key_form(&form)) {
        (Ok(key), Some(known)) => Ok(pem(&format!("rsa_public_{form}"), key.to_pem(known))),
        _ => Err(unknown(&view)),
    }
}

/// rsaPrivate as a file, after a password check.
async fn private_key(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path((id, form)): Path<(String, String)>,
    posted: SubmittedForm,
) -> Page {
    with_vas_secrets(&server, view, &signed_in, &id, &posted, |view, secrets| {
        match (PrivateKey::load(&secrets.rsa_private), key_form(&form)) {
            (Ok(key), Some(known)) => pem(&format!("rsa_private_{form}"), key.to_pem(known).expose().clone()),
            _ => unknown(view),
        }
    })
    .await
}

async fn own_vas_app(server: &Server, view: &View, user: &User, id: &str) -> Result<VasApp, Response> {
    find(&server.inner.store, user.id, id).await.or_page(view)?.ok_or_else(|| unknown(view))
}

async fn show(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    Path(id): Path<String>,
    Params(form_problem): Params<FormProblem>,
) -> Page {
    let app = own_vas_app(&server, &view, &user, &id).await?;
    Ok(vas_page(&server, &view, &app, None, After::failed(&view, &form_problem)))
}

async fn reveal_vas(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path(id): Path<String>,
    posted: SubmittedForm,
) -> Page {
    with_vas_secrets(&server, view, &signed_in, &id, &posted, |view, secrets| {
        vas_page(&server, view, &secrets.app, Some(secrets), shown_once(view))
    })
    .await
}

/// The page with the app's credentials, after a password check.
async fn with_vas_secrets(
    server: &Server,
    view: View,
    signed_in: &SignedIn,
    id: &str,
    posted: &SubmittedForm,
    answer: impl FnOnce(&View, &VasSecrets) -> Response,
) -> Page {
    let href = format!("/apps/vas/{id}");
    let view = view.at(&href);
    let app = own_vas_app(server, &view, &signed_in.user, id).await?;
    let store = &server.inner.store;
    let shown = async {
        let proof = fresh_password(server, signed_in, posted).await?;
        store.submit(ShowCredentials { session: signed_in.session, proof, app: app.id }).await
    };
    let shown = match shown.await {
        Ok(shown) => shown,
        Err(no) => {
            let form_problem = wrong_password(&no).ok_or_else(|| failure(&view, &no))?;
            let (view, after) = wrong(&view, &href, &form_problem);
            return Ok(vas_page(server, &view, &app, None, after));
        }
    };
    let (access_token, rsa_private) = shown.credentials(store.vault()).map_err(|_| {
        let why = format!("cannot decrypt the credentials of app {}", shown.id.0);
        failure(&view, &StoreError::Database(why).into())
    })?;
    let (access_token, rsa_private) = (access_token.expose().clone(), rsa_private.expose().clone());
    Ok(answer(&view, &VasSecrets { app: shown, access_token, rsa_private }))
}
