//! GET `oauth2/authorize`: the sign-in and consent page of the web (R25).

use std::collections::HashSet;

use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use wallet_api::fomo::{self, Fomo, Refusal};
use wallet_core::{Endpoint as _, FieldMeta, Platform as _, form};
use wallet_platform::{
    App, Authorize, Failure, FindApp, after_consent, browser_address, granted, kept_challenge,
};

use crate::context::Server;
use crate::pages::{
    Page, SignedIn, SubmittedForm, View, failure, go_on, page, page_with, problem, see_other, sign_in_first,
};
use crate::wire::wire;

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    view: &'a View,
    app: &'a str,
    client_id: &'a str,
    user: &'a str,
    scopes: Vec<&'static str>,
    /// The address that the browser opens.
    back: String,
    fields: Vec<(&'static str, String)>,
}

/// The page for an invalid request; it makes no redirect.
fn stop(view: &View, why: &str) -> Response {
    problem(
        view,
        StatusCode::BAD_REQUEST,
        view.say("无法授权", "This app cannot ask for access"),
        why,
        view.say(
            "不会跳转到任何地方。请联系应用的开发者。",
            "There is no redirect. Tell the app's developer.",
        ),
    )
}

/// An app's consent request.
struct ConsentRequest {
    client_id: String,
    redirect_uri: String,
    response_type: String,
    state: String,
    scope: String,
    challenge: Option<(String, Option<String>)>,
}

const FIELDS: [&str; 6] =
    ["client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method"];

impl ConsentRequest {
    fn of(text: impl Fn(&str) -> String) -> Self {
        let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
        Self {
            client_id: text("client_id"),
            redirect_uri: text("redirect_uri"),
            response_type: text("response_type"),
            state: text("state"),
            scope: text("scope"),
            challenge: given("code_challenge").map(|challenge| (challenge, given("code_challenge_method"))),
        }
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let (challenge, method) = self.challenge.clone().unwrap_or_default();
        let values = [
            self.client_id.clone(),
            self.redirect_uri.clone(),
            self.state.clone(),
            self.scope.clone(),
            challenge,
            method.unwrap_or_default(),
        ];
        FIELDS.into_iter().zip(values).filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The app, if `redirect_uri` equals the registered one. The page makes no redirect before this check.
    async fn app(&self, server: &Server, view: &View) -> Result<App, Response> {
        let stop = |why: &str| stop(view, why);
        match server.inner.store.view(FindApp::new(&self.client_id)).await {
            Ok(keys) if keys.app.returns_to(&self.redirect_uri.as_str().into(), server.inner.store.now()) => {
                Ok(keys.app)
            }
            Ok(_) if self.redirect_uri.is_empty() => {
                Err(stop(view.say("地址里缺少 redirect_uri。", "The request's address has no redirect_uri.")))
            }
            Ok(keys) => {
                let is_owner = view.signed_in.as_ref().is_some_and(|own| own.user.id == keys.app.owner);
                // The registered address is the owner's business; in a sandbox everybody is a developer.
                if !is_owner && !server.inner.pages.sandbox {
                    return Err(stop(view.say(
                        "redirect_uri 与注册的不一致（逐字节比较）。",
                        "The redirect_uri is not the registered one (compared byte for byte).",
                    )));
                }
                Err(mismatch(view, keys.app.redirect_uri.as_str(), &self.redirect_uri))
            }
            Err(Failure::Refused(_)) if self.client_id.is_empty() => {
                Err(stop(view.say("地址里缺少 client_id。", "The request's address has no client_id.")))
            }
            Err(Failure::Refused(_)) => {
                Err(stop(view.say("没有这个 client_id。", "There is no app of this client_id.")))
            }
            Err(no) => Err(failure(view, &no)),
        }
    }
}

/// Two texts, split where they begin to differ.
#[derive(Template)]
#[template(path = "fomo/mismatch.html")]
struct MismatchPage<'a> {
    view: &'a View,
    registered: (&'a str, &'a str),
    given: (&'a str, &'a str),
}

/// The page about a redirect_uri that is not the registered one, with the first differing byte marked.
fn mismatch(view: &View, registered: &str, given: &str) -> Response {
    let same = registered.bytes().zip(given.bytes()).take_while(|(a, b)| a == b).count();
    let split = |text: &str| {
        let at = (0..=same).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        (at, text.len())
    };
    let (a, b) = (split(registered).0, split(given).0);
    let page = MismatchPage { view, registered: registered.split_at(a), given: given.split_at(b) };
    page_with(StatusCode::BAD_REQUEST, &page)
}

/// The routes. At the page's address the endpoint handles every method except GET (R25).
pub(crate) fn routes() -> Router<Server> {
    Router::new()
        .route(&consent_page(), get(authorize).fallback(wire))
        .route("/openfomo/consent", post(answer))
}

/// The address of the consent page: the `authorize` endpoint's path.
pub fn consent_page() -> String {
    format!("{}{}", Fomo::META.base_path, fomo::authorize::Endpoint::META.path)
}

/// The client_id in `next`, if `next` is the consent page.
pub(crate) fn waiting_app(next: &str) -> Option<String> {
    let query = next.strip_prefix(&consent_page())?.strip_prefix('?')?;
    form::value_of(query, "client_id").map(|id| id.into_owned())
}

/// The error of an authorization request whose app and redirect_uri are right (RFC 6749, 4.1.2.1).
fn fault_of(asked: &ConsentRequest, app: &App, query: &str) -> Option<&'static str> {
    let is_repeated = {
        let mut seen = HashSet::new();
        form::pairs(query).map(form::split).any(|(name, _)| !seen.insert(form::decode(name.as_bytes()).ok()))
    };
    let challenge = asked.challenge.as_ref();
    let challenge = challenge.map(|(text, method)| kept_challenge(text, method.as_deref()));
    match () {
        () if is_repeated || asked.response_type.is_empty() => Some("invalid_request"),
        () if declared("response_type").is_some_and(|field| field.fixed != Some(&asked.response_type)) => {
            Some("unsupported_response_type")
        }
        () if challenge.is_some_and(|kept| kept.is_err()) => Some("invalid_request"),
        () if asked.state.chars().count() > longest_state() => Some("invalid_request"),
        () if granted(&app.scopes, &asked.scope).is_none() => Some("invalid_scope"),
        () => None,
    }
}

/// A parameter of an authorization request, by the spec.
fn declared(name: &str) -> Option<&'static FieldMeta> {
    fomo::authorize::Endpoint::META.request.iter().find(|field| field.name == name)
}

/// The largest number of characters in a state.
fn longest_state() -> usize {
    declared("state").and_then(|field| field.max).map_or(usize::MAX, |max| max as usize)
}

/// Shows the consent request; redirects a signed-out user to the sign-in page.
async fn authorize(State(server): State<Server>, view: View, RawQuery(query): RawQuery) -> Page {
    let (server, view, query) = (&server, &view, query.unwrap_or_default());
    // Which of two would count, nobody can tell: there is no redirect.
    for name in ["client_id", "redirect_uri"] {
        let named = |pair: &(&str, &str)| form::decode(pair.0.as_bytes()).is_ok_and(|known| known == name);
        if form::pairs(&query).map(form::split).filter(named).count() > 1 {
            let (zh, en) =
                (format!("地址里有两个 {name}。"), format!("The request's address has two of {name}."));
            return Err(stop(view, view.say(&zh, &en)));
        }
    }
    let asked = ConsentRequest::of(|name| form::value_of(&query, name).unwrap_or_default().into_owned());
    let app = asked.app(server, view).await?;
    if let Some(error) = fault_of(&asked, &app, &query) {
        // What is too long to be taken is not sent back either.
        let state = if asked.state.chars().count() > longest_state() { "" } else { &asked.state };
        return Err(see_other(&after_consent(&asked.redirect_uri, Err(error), state)));
    }
    let signed_in = view.signed_in.as_ref().ok_or_else(|| see_other(&sign_in_first(&view.here())))?;
    // The address that the code goes to: the registered one, or the one before it (R7).
    let back = browser_address(&asked.redirect_uri);
    let scopes = granted(&app.scopes, &asked.scope).unwrap_or_default();
    let granted: Vec<&str> = scopes.split(' ').collect();
    let scopes = Fomo::META.scopes.iter().filter(|scope| granted.contains(&scope.id));
    Ok(page(&ConsentPage {
        view,
        app: &app.name,
        client_id: app.client_id.as_str(),
        user: &signed_in.user.name,
        scopes: scopes.map(|scope| scope.doc.in_lang(view.lang)).collect(),
        back: back.clone(),
        fields: asked.fields(),
    }))
}

/// Takes the user's answer, and leads on to the app with a code or an error.
async fn answer(
    State(server): State<Server>,
    view: View,
    SignedIn { session, .. }: SignedIn,
    posted: SubmittedForm,
) -> Page {
    let asked = ConsentRequest::of(|name| posted.text(name).to_owned());
    let app = asked.app(&server, &view).await?;
    let command = Authorize {
        session,
        client_id: asked.client_id.clone().into(),
        redirect_uri: asked.redirect_uri.clone().into(),
        state: asked.state.clone().into(),
        authorized: posted.text("authorized").to_owned(),
        challenge: asked.challenge.clone(),
        scope: asked.scope.clone(),
        seed: server.inner.store.vault().seed(),
    };
    let back = match server.inner.store.submit(command).await {
        Ok(code) => after_consent(&asked.redirect_uri, Ok(code.text.expose()), &asked.state),
        Err(Failure::Refused(no)) if no.reason == Refusal::AccessDenied => {
            after_consent(&asked.redirect_uri, Err("access_denied"), &asked.state)
        }
        Err(no) => return Err(failure(&view, &no)),
    };
    Ok(go_on(&view, &app.name, &back))
}
