//! GET `oauth2/authorize`: the sign-in and consent page of the web (R25).

use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use wallet_api::fomo::{self, Fomo, Refusal};
use wallet_core::address::Address;
use wallet_core::{Endpoint as _, Platform as _, form};
use wallet_platform::{App, Authorize, Failure, FindApp, after_consent, browser_address};

use crate::context::Server;
use crate::pages::{
    LeadsTo, Page, SignedIn, SubmittedForm, View, failure, page, page_with, problem, see_other, sign_in_first,
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
    state: String,
    challenge: Option<(String, Option<String>)>,
}

const FIELDS: [&str; 5] = ["client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method"];

impl ConsentRequest {
    fn of(text: impl Fn(&str) -> String) -> Self {
        let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
        Self {
            client_id: text("client_id"),
            redirect_uri: text("redirect_uri"),
            state: text("state"),
            challenge: given("code_challenge").map(|challenge| (challenge, given("code_challenge_method"))),
        }
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let (challenge, method) = self.challenge.clone().unwrap_or_default();
        let values = [
            self.client_id.clone(),
            self.redirect_uri.clone(),
            self.state.clone(),
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

/// The only response_type of the spec.
fn response_type() -> Option<&'static str> {
    let fields = fomo::authorize::Endpoint::META.request;
    fields.iter().find(|field| field.name == "response_type").and_then(|field| field.fixed)
}

/// The origin of an address for the `form-action` policy; for an app scheme, the scheme.
fn origin(address: &str) -> String {
    let Some(parts) = Address::split(address) else { return String::new() };
    let scheme = parts.scheme.to_ascii_lowercase();
    let plain = parts.authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    match () {
        // Without a valid host the policy allows no redirect.
        () if parts.authority.is_empty() || !plain => String::new(),
        () if parts.is_http() => format!("{scheme}://{}", parts.authority),
        () => format!("{scheme}:"),
    }
}

/// Shows the consent request; redirects a signed-out user to the sign-in page.
async fn authorize(State(server): State<Server>, view: View, RawQuery(query): RawQuery) -> Page {
    let (server, view, query) = (&server, &view, query.unwrap_or_default());
    let text = |name: &str| form::value_of(&query, name).unwrap_or_default().into_owned();
    let asked = ConsentRequest::of(text);
    let app = asked.app(server, view).await?;
    // The response_type is optional (R25). RFC 6749 redirects with an error; this page never redirects a user to an app
    // without the user's answer (RFC 9700, 4.11.2).
    let given = text("response_type");
    if !given.is_empty() && Some(&*given) != response_type() {
        let why = view.say(
            "response_type 只能是 code。",
            "Its response_type is not code: no other value is supported.",
        );
        return Err(stop(view, why));
    }
    let signed_in = view.signed_in.as_ref().ok_or_else(|| see_other(&sign_in_first(&view.here())))?;
    // The address that the code goes to: the registered one, or the one before it (R7).
    let back = browser_address(&asked.redirect_uri);
    let granted: Vec<&str> = app.scopes.split(' ').collect();
    let scopes = Fomo::META.scopes.iter().filter(|scope| granted.contains(&scope.id));
    let mut response = page(&ConsentPage {
        view,
        app: &app.name,
        client_id: app.client_id.as_str(),
        user: &signed_in.user.name,
        scopes: scopes.map(|scope| scope.doc.in_lang(view.lang)).collect(),
        back: back.clone(),
        fields: asked.fields(),
    });
    response.extensions_mut().insert(LeadsTo(origin(&back)));
    Ok(response)
}

/// Takes the user's answer and redirects to the app with a code or an error.
async fn answer(
    State(server): State<Server>,
    view: View,
    SignedIn { session, .. }: SignedIn,
    posted: SubmittedForm,
) -> Page {
    let asked = ConsentRequest::of(|name| posted.text(name).to_owned());
    asked.app(&server, &view).await?;
    let command = Authorize {
        session,
        client_id: asked.client_id.clone().into(),
        redirect_uri: asked.redirect_uri.clone().into(),
        state: asked.state.clone().into(),
        authorized: posted.text("authorized").to_owned(),
        challenge: asked.challenge.clone(),
        seed: server.inner.store.vault().seed(),
    };
    let back = match server.inner.store.submit(command).await {
        Ok(code) => after_consent(&asked.redirect_uri, Some(code.text.expose()), &asked.state),
        Err(Failure::Refused(no)) if no.reason == Refusal::AccessDenied => {
            after_consent(&asked.redirect_uri, None, &asked.state)
        }
        Err(no) => return Err(failure(&view, &no)),
    };
    Ok(see_other(&back))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_an_origin_and_nothing_else() {
        for (address, expected) in [
            ("https://x.example:8443/b?c=d", "https://x.example:8443"),
            ("http://127.0.0.1:1/", "http://127.0.0.1:1"),
            ("https://x.example; script-src *", ""),
            ("https://x.example@evil.example/", ""),
            ("HTTPS://X.example/", "https://X.example"),
            ("https:///x", ""),
            ("shopapp://back", "shopapp:"),
        ] {
            assert_eq!(origin(address), expected);
        }
    }
}
