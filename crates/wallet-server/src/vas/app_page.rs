//! The page of a VAS or Lafi app: review state, credentials after a password check, keys as files, receiving addresses.

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use wallet_api::vas::{Review, Vas, order};
use wallet_chain::embedded::DevBalance;
use wallet_core::{Endpoint as _, Platform as _};
use wallet_crypto::{KeyForm, PrivateKey, PublicKey};
use wallet_engine::StoreError;
use wallet_platform::{
    AddAddress, AddressFault, AddressesOf, ApplicationFault, CloseVasApp, DomainRequestOf, EditVasApp,
    Failure, ReceiverId, RecordMilestone, ReviewVas, ShowCredentials, Step, User, VasApp,
};

use super::own_app::{find, summary};
use super::snippets::snippets;
use crate::context::Server;
use crate::own_app::AppSummary;
use crate::pages::apps::{
    Addresses, After, AppPage, Fact, SecretsForm, ShownAddress, Tab, check_list, fresh_password,
    refused_note, shown_once, unknown, wrong, wrong_password,
};
use crate::pages::{
    Faults, FormProblem, OrPage as _, Page, Params, SignedIn, SubmittedForm, View, failure, page_with,
    see_other,
};

/// The routes.
pub(crate) fn routes() -> Router<Server> {
    Router::new()
        .route("/apps/vas/{id}", get(show))
        .route("/apps/vas/{id}/reveal", post(reveal_vas))
        .route("/apps/vas/{id}/approve", post(approve))
        .route("/apps/vas/{id}/address", post(add_address))
        .route("/apps/vas/{id}/settings", get(settings))
        .route("/apps/vas/{id}/edit", post(edit))
        .route("/apps/vas/{id}/close", post(close))
        .route("/apps/vas/{id}/key/{form}", post(private_key))
        .route("/apps/vas/{id}/rsa_public/{form}", get(public_key))
}

/// The next step of a pending app, as text.
fn in_review(view: &View) -> &str {
    view.say(
        "运营人员在 /admin 审核。通过后，uuid、accessToken、密钥与收款地址会出现在这里。",
        "An operator reviews it at /admin. Once it is approved, uuid, accessToken, keys and a receiving address appear here.",
    )
}

/// The credentials of a VAS or Lafi app after its approval.
struct VasSecrets {
    app: VasApp,
    access_token: String,
    rsa_private: String,
}

/// The receiving addresses of an approved app.
async fn addresses(
    server: &Server,
    app: &VasApp,
    faults: Faults,
    entered: String,
) -> Result<Addresses, Failure> {
    let (store, asset) = (&server.inner.store, app.profile.asset());
    let makes = server.inner.watcher.chain().is_embedded();
    let mut list = Vec::new();
    for one in store.view(AddressesOf(app.id)).await? {
        let address = one.address.to_string();
        let balance = match makes {
            true => {
                let has = DevBalance { address: address.clone(), asset: asset.to_owned() };
                Some(store.view(has).await?.to_string())
            }
            false => None,
        };
        list.push(ShownAddress { address, entered: one.entered, balance });
    }
    Ok(Addresses { list, asset, makes, faults, entered })
}

async fn overview(
    server: &Server,
    view: &View,
    app: &VasApp,
    secrets: Option<&VasSecrets>,
    after: After,
) -> Result<Response, Failure> {
    let (store, base) = (&server.inner.store, server.inner.public_url(Vas::META.base_path));
    let receiver = ReceiverId::from(app.id);
    let mut facts = vec![
        Fact::new("", "base_url", base.clone()),
        Fact::new("", view.say("安全域名", "safe domain"), app.safe_domain.as_str()),
        Fact::new("", view.say("应用 scheme", "app scheme"), app.scheme.as_str()),
    ];
    let approved = app.may_be_used();
    let (mut steps, mut receiving, mut code) = (Vec::new(), None, Vec::new());
    let app_summary = summary(app);
    if approved {
        if secrets.is_some() {
            store.submit(RecordMilestone { app: receiver, step: Step::SecretShown }).await?;
        }
        let public = PublicKey::load(&app.rsa_public).map(|key| key.to_base64()).unwrap_or_default();
        facts.push(Fact::new("uuid", "uuid", app.uuid.as_str()));
        let token = secrets.map(|secrets| &*secrets.access_token);
        facts.push(Fact::secret("access_token", "accessToken", token));
        facts.push(Fact::secret("rsa_private", "rsaPrivate", secrets.map(|secrets| &*secrets.rsa_private)));
        facts.push(Fact::new("rsa_public", "rsaPublic", public));
        steps = check_list(store, view, receiver, &app_summary.href, Vas::META.id).await?;
        receiving = Some(addresses(server, app, after.faults(view), after.entered.clone()).await?);
        code = snippets(&base, app.uuid.as_str(), view.tag());
    }
    let faults = after.faults(view);
    let reason = (app.state == Review::Rejected)
        .then(|| format!("{} {}", view.say("未通过的原因：", "Reason of the rejection:"), app.reason));
    let pending = app.state == Review::Pending;
    Ok(page_with(
        after.status,
        &AppPage {
            view,
            app: app_summary,
            tab: Tab::Overview,
            problem: faults.whole().map(str::to_owned).or(reason),
            done: after.done,
            note: refused_note(view, app.closed_at, app.suspended)
                .or_else(|| pending.then(|| in_review(view).to_owned())),
            may_approve: pending && server.inner.pages.sandbox,
            steps,
            facts,
            secrets: approved.then_some(SecretsForm { faults, key_files: true }),
            addresses: receiving,
            variable: ("ACCESS_TOKEN", secrets.map(|secrets| secrets.access_token.clone())),
            call: order::Endpoint::META,
            clock_off: None,
            snippets: code,
        },
    ))
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
    let (view, secrets) = match vas_secrets(&server, view, &signed_in, &id, &posted).await? {
        Ok(shown) => shown,
        Err(again) => return Ok(again),
    };
    match (PrivateKey::load(&secrets.rsa_private), key_form(&form)) {
        (Ok(key), Some(known)) => Ok(pem(&format!("rsa_private_{form}"), key.to_pem(known).expose().clone())),
        _ => Err(unknown(&view)),
    }
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
    overview(&server, &view, &app, None, After::failed(form_problem)).await.or_page(&view)
}

async fn reveal_vas(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path(id): Path<String>,
    posted: SubmittedForm,
) -> Page {
    let (view, secrets) = match vas_secrets(&server, view, &signed_in, &id, &posted).await? {
        Ok(shown) => shown,
        Err(again) => return Ok(again),
    };
    overview(&server, &view, &secrets.app, Some(&secrets), shown_once(&view)).await.or_page(&view)
}

/// The credentials of an approved app, decrypted.
fn opened(server: &Server, app: VasApp) -> Result<VasSecrets, Failure> {
    let (access_token, rsa_private) = app
        .credentials(server.inner.store.vault())
        .map_err(|_| StoreError::Database(format!("cannot decrypt the credentials of app {}", app.id.0)))?;
    let (access_token, rsa_private) = (access_token.expose().clone(), rsa_private.expose().clone());
    Ok(VasSecrets { app, access_token, rsa_private })
}

/// The app's credentials after a password check; the page with the fault if the password is wrong.
async fn vas_secrets(
    server: &Server,
    view: View,
    signed_in: &SignedIn,
    id: &str,
    posted: &SubmittedForm,
) -> Result<Result<(View, VasSecrets), Response>, Response> {
    let href = format!("/apps/vas/{id}");
    let view = view.at(&href);
    let app = own_vas_app(server, &view, &signed_in.user, id).await?;
    let shown = async {
        let proof = fresh_password(server, signed_in, posted).await?;
        let command = ShowCredentials { session: signed_in.session, proof, app: app.id };
        server.inner.store.submit(command).await
    };
    match shown.await {
        Ok(shown) => {
            let secrets = opened(server, shown).or_page(&view)?;
            Ok(Ok((view, secrets)))
        }
        Err(no) => {
            let form_problem = wrong_password(&no, "pwd").ok_or_else(|| failure(&view, &no))?;
            let (view, after) = wrong(&view, &href, form_problem);
            overview(server, &view, &app, None, after).await.or_page(&view).map(Err)
        }
    }
}

/// Approves the developer's own application, in a sandbox only, and shows the credentials.
async fn approve(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    Path(id): Path<String>,
    _posted: SubmittedForm,
) -> Page {
    let href = format!("/apps/vas/{id}");
    let view = view.at(&href);
    let app = own_vas_app(&server, &view, &user, &id).await?;
    if !server.inner.pages.sandbox {
        return Err(unknown(&view));
    }
    let decision = server.approval().await.map_err(|why| {
        tracing::error!(why, "cannot approve an application");
        failure(&view, &StoreError::Database(why.to_owned()).into())
    })?;
    match server.inner.store.submit(ReviewVas { app: app.id, decision }).await.or_page(&view)? {
        Ok(approved) => {
            let secrets = opened(&server, approved).or_page(&view)?;
            let done = view.say(
                "申请已通过。密钥与收款地址在下面，请复制保存；之后再看密钥需要输入密码。",
                "The application is approved. Copy the secrets below: to see them again later, enter your password.",
            );
            overview(&server, &view, &secrets.app, Some(&secrets), After::done(done)).await.or_page(&view)
        }
        Err(_) => Ok(see_other(&href)), // decided before: the page says how
    }
}

/// The settings of a VAS or Lafi app.
#[derive(Template)]
#[template(path = "vas/settings.html")]
struct SettingsPage<'a> {
    view: &'a View,
    app: AppSummary,
    tab: Tab,
    done: Option<String>,
    faults: Faults,
    is_open: bool,
    name: String,
    safe_domain: String,
    /// The safe domain that waits for an operator.
    wanted: Option<String>,
}

async fn settings_page(server: &Server, view: &View, app: &VasApp, after: After) -> Page {
    let wanted = server.inner.store.view(DomainRequestOf(app.id)).await.or_page(view)?;
    // Saving a new name repeats a pending request for a domain.
    let asked = || (app.name.clone(), wanted.clone().unwrap_or_else(|| app.safe_domain.clone()));
    let (name, safe_domain) = after.edited.clone().unwrap_or_else(asked);
    let page = SettingsPage {
        view,
        app: summary(app),
        tab: Tab::Settings,
        faults: after.faults(view),
        done: after.done,
        is_open: app.may_be_used(),
        name,
        safe_domain,
        wanted,
    };
    Ok(page_with(after.status, &page))
}

async fn settings(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    Path(id): Path<String>,
    Params(form_problem): Params<FormProblem>,
) -> Page {
    let app = own_vas_app(&server, &view, &user, &id).await?;
    settings_page(&server, &view, &app, After::failed(form_problem)).await
}

/// Changes the app's name, and asks for another safe domain.
async fn edit(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    Path(id): Path<String>,
    posted: SubmittedForm,
) -> Page {
    let href = format!("/apps/vas/{id}/settings");
    let view = view.at(&href);
    let app = own_vas_app(&server, &view, &user, &id).await?;
    let (name, safe_domain) =
        (posted.text("name").trim().to_owned(), posted.text("safe_domain").trim().to_owned());
    let command =
        EditVasApp { owner: user.id, app: app.id, name: name.clone(), safe_domain: safe_domain.clone() };
    let mut faults: Vec<&str> = command.faults().into_iter().map(ApplicationFault::field).collect();
    if faults.is_empty() {
        match server.inner.store.submit(command).await.or_page(&view)? {
            Ok(()) => {
                let app = own_vas_app(&server, &view, &user, &id).await?;
                return settings_page(&server, &view, &app, After::done(view.say("已保存。", "Saved.")))
                    .await;
            }
            Err(ApplicationFault::Unknown) => return Err(unknown(&view)),
            Err(fault) => faults.push(fault.field()),
        }
    }
    let (view, after) = wrong(&view, &href, FormProblem::of(&faults.join(",")));
    let edited = Some((name, safe_domain));
    settings_page(&server, &view, &app, After { edited, ..after }).await
}

/// Closes the app after a password check.
async fn close(
    State(server): State<Server>,
    view: View,
    signed_in: SignedIn,
    Path(id): Path<String>,
    posted: SubmittedForm,
) -> Page {
    let href = format!("/apps/vas/{id}/settings");
    let view = view.at(&href);
    let app = own_vas_app(&server, &view, &signed_in.user, &id).await?;
    let closed = async {
        let proof = fresh_password(&server, &signed_in, &posted).await?;
        server.inner.store.submit(CloseVasApp { session: signed_in.session, proof, app: app.id }).await
    };
    match closed.await {
        Ok(()) => Ok(see_other(&format!("/apps/vas/{id}"))),
        Err(no) => match wrong_password(&no, "close_pwd") {
            Some(problem) => {
                let (view, after) = wrong(&view, &href, problem);
                settings_page(&server, &view, &app, after).await
            }
            None => Err(failure(&view, &no)),
        },
    }
}

/// Adds a receiving address: the entered one, or a new one of the embedded chain.
async fn add_address(
    State(server): State<Server>,
    view: View,
    SignedIn { user, .. }: SignedIn,
    Path(id): Path<String>,
    posted: SubmittedForm,
) -> Page {
    let href = format!("/apps/vas/{id}");
    let view = view.at(&href);
    let app = own_vas_app(&server, &view, &user, &id).await?;
    let entered = posted.text("address").trim().to_owned();
    let is_new = !posted.text("new").is_empty() && server.inner.watcher.chain().is_embedded();
    let chain = server.inner.watcher.order_chain(&entered, None).await.or_page(&view)?;
    let (owner, app_id, given) = (user.id, app.id, (!is_new).then(|| entered.clone()));
    let command = AddAddress { owner, app: app_id, entered: given, chain };
    let fault = match server.inner.store.submit(command).await.or_page(&view)? {
        Ok(_) => return Ok(see_other(&format!("{href}#receiving"))),
        Err(AddressFault::Malformed) => "address",
        Err(AddressFault::Known) => "address_known",
        Err(AddressFault::TooMany) => "addresses",
        Err(_) => return Err(unknown(&view)),
    };
    let (view, after) = wrong(&view, &href, FormProblem::of(fault));
    overview(&server, &view, &app, None, After { entered, ..after }).await.or_page(&view)
}
