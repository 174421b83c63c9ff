//! [`View`]: the visitor of a page and the page's language.

use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use serde::de::DeserializeOwned;
use wallet_core::crypto::hex_text;
use wallet_core::{Lang, Text, form};
use wallet_platform::accounts::lifetimes;
use wallet_platform::{Digest, Failure, LookAtSession, SessionUser, User};

use super::{FormProblem, NavItem, PageSettings, SIGN_IN, problem, see_other, sign_in_first};
use crate::context::Server;
use crate::wire::accepted;

/// The cookie with the session_key of the signed-in user.
pub(crate) const SESSION_COOKIE: &str = "wallop_session";
/// The cookie with the visitor id, from which the CSRF token is derived.
pub(crate) const VISITOR_COOKIE: &str = "wallop_visitor";
/// The cookie with the sealed secret of an app that was just registered, for the page that the browser opens next.
pub(crate) const NEW_SECRET_COOKIE: &str = "wallop_new_secret";
/// The cookie with the chosen language.
pub(crate) const LANG_COOKIE: &str = "wallop_lang";

/// The longest address of a link on a page, in bytes.
const LONGEST_ADDRESS: usize = 8_000;

/// The shortest time between two extensions of a session.
const PROLONGED_EVERY: Duration = Duration::from_secs(60);

/// The session of the signed-in user. A handler that takes it redirects a signed-out visitor to the sign-in page.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session.
    pub session: Digest,
    /// The user.
    pub user: User,
}

/// The shared data of every page.
#[derive(Clone)]
pub struct View {
    /// The language.
    pub lang: Lang,
    /// The display name of the signed-in user.
    pub user: Option<String>,
    /// The CSRF token for forms.
    pub csrf: String,
    /// The language in this request's `lang` parameter.
    pub(crate) asked: Option<Lang>,
    pub(crate) signed_in: Option<SignedIn>,
    /// The path and query of the request.
    sent_to: String,
    /// The path at which a GET shows the page again.
    path: String,
    query: String,
    settings: PageSettings,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A path that starts with exactly one slash: two slashes lead to another host; some browsers read `\` as `/`.
fn of_this_host(path: &str) -> String {
    format!("/{}", path.trim_start_matches(['/', '\\']))
}

fn language(text: &str) -> Option<Lang> {
    match text {
        "zh" => Some(Lang::Zh),
        "en" => Some(Lang::En),
        _ => None,
    }
}

impl View {
    /// The session_key in a request's cookies; empty without one.
    pub fn session_key<'h>(&self, headers: &'h HeaderMap) -> &'h str {
        self.settings.cookies.of(headers, SESSION_COOKIE).unwrap_or_default()
    }

    /// The view of a request, and a new visitor id if the request has none.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn of(server: &Server, request: &Parts) -> Result<(Self, Option<String>), Failure> {
        let (headers, uri, vault) = (&request.headers, &request.uri, server.inner.store.vault());
        let cookies = server.inner.pages.cookies;
        let query = uri.query().unwrap_or_default();
        let asked = form::pairs(query).map(form::split).filter(|(name, _)| *name == "lang");
        let asked = asked.filter_map(|(_, value)| language(value)).last();
        let lang = asked
            .or_else(|| cookies.of(headers, LANG_COOKIE).and_then(language))
            .or_else(|| accepted(headers))
            .unwrap_or(Lang::En);
        let known = cookies
            .of(headers, VISITOR_COOKIE)
            .filter(|known| known.len() == 40 && known.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let (visitor, fresh) = match known {
            Some(known) => (known.to_owned(), None),
            None => {
                let mut random = [0; 20];
                vault.crypto().fill(&mut random);
                let visitor = hex_text(&random);
                (visitor.clone(), Some(visitor))
            }
        };
        let key = cookies.of(headers, SESSION_COOKIE).filter(|key| key.len() == 40);
        let signed_in = match key {
            None => None,
            Some(key) => {
                let session = vault.hash(key);
                let mut found = server.inner.store.view(LookAtSession(session)).await?;
                if let Some((_, expires_at)) = &found
                    && *expires_at < server.inner.store.now() + lifetimes::SESSION - PROLONGED_EVERY
                {
                    // R30: a use extends the session. At most one write every `PROLONGED_EVERY`.
                    match server.inner.store.submit(SessionUser(session)).await {
                        Ok(_) => {}
                        Err(Failure::Refused(_)) => found = None, // the session has ended
                        Err(failure) => return Err(failure),
                    }
                }
                found.map(|(user, _)| SignedIn { session, user })
            }
        };
        // A GET cannot repeat a POST: its handler sets the address for the language switch with `at`.
        let opened = request.method == Method::GET;
        let (path, query) =
            if opened { (of_this_host(uri.path()), query.to_owned()) } else { Default::default() };
        // The token depends on the session: a token from before the sign-in is invalid after it.
        let session = if signed_in.is_some() { key.unwrap_or_default() } else { "" };
        let csrf = hex_text(vault.hash(&format!("csrf {visitor} {session}")).as_bytes());
        let view = Self {
            lang,
            user: signed_in.as_ref().map(|signed_in| signed_in.user.name.clone()),
            csrf,
            asked,
            signed_in,
            sent_to: uri.path().to_owned(),
            path,
            query,
            settings: server.inner.pages,
        };
        Ok((view, fresh))
    }

    /// The view of a form's result page, which belongs to the page at this address.
    #[must_use]
    pub fn at(self, address: &str) -> Self {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let path = of_this_host(path);
        // The page also opens without the query if the address is too long.
        let query = if address.len() > LONGEST_ADDRESS { "" } else { query };
        Self { path, query: query.to_owned(), ..self }
    }

    /// The view of a form that is shown again. Its address holds the filled-in fields and the fault, so that the
    /// page in the other language shows them too.
    #[must_use]
    pub(crate) fn again(self, path: &str, filled_in: &[(&str, &str)], form_problem: &FormProblem) -> Self {
        let form_problem = form_problem.pairs();
        let pairs: Vec<_> =
            filled_in.iter().copied().chain(form_problem).filter(|(_, text)| !text.is_empty()).collect();
        self.at(&format!("{path}?{}", form::query(&pairs)))
    }

    /// A text in the visitor's language.
    pub fn text(&self, text: &Text) -> &'static str {
        text.in_lang(self.lang)
    }

    /// The text in the page's language.
    pub fn say<'t>(&self, zh: &'t str, en: &'t str) -> &'t str {
        match self.lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    /// Whether the page is in Chinese.
    pub fn is_zh(&self) -> bool {
        self.lang == Lang::Zh
    }

    /// The language's tag.
    pub fn tag(&self) -> &'static str {
        if self.is_zh() { "zh-CN" } else { "en" }
    }

    /// The other language's tag.
    pub fn other_tag(&self) -> &'static str {
        if self.is_zh() { "en" } else { "zh-CN" }
    }

    /// The other language's name, in that language.
    pub fn other_name(&self) -> &'static str {
        if self.is_zh() { "English" } else { "中文" }
    }

    /// The address of this page in the other language.
    pub fn switch(&self) -> String {
        let kept = form::pairs(&self.query).filter(|pair| form::split(pair).0 != "lang");
        let lang = if self.is_zh() { "lang=en" } else { "lang=zh" };
        let path = if self.path.is_empty() { "/" } else { &self.path };
        format!("{path}?{}", kept.chain([lang]).collect::<Vec<_>>().join("&"))
    }

    /// The page's path and query.
    pub fn here(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// The address of the sign-in page that returns to this page.
    pub fn sign_in(&self) -> String {
        let here = self.here();
        if here.is_empty() || here.starts_with("/openfomo/") {
            SIGN_IN.to_owned()
        } else {
            sign_in_first(&here)
        }
    }

    /// Whether the signed-in user is an operator.
    pub fn is_operator(&self) -> bool {
        self.signed_in.as_ref().is_some_and(|signed_in| signed_in.user.operator)
    }

    /// The visitor's main navigation.
    pub fn nav(&self) -> impl Iterator<Item = &'static NavItem> + use<> {
        self.settings.nav.iter().chain(self.is_operator().then_some(&super::ADMIN))
    }

    pub(crate) fn hints(&self) -> &'static [super::Hint] {
        self.settings.hints
    }

    /// Whether the page is at or below this address.
    pub fn is_at(&self, href: &str) -> bool {
        self.sent_to == href
            || (href != "/" && self.sent_to.starts_with(href) && self.sent_to[href.len()..].starts_with('/'))
    }

    /// Whether the page is at this address.
    pub(crate) fn is_exactly(&self, href: &str) -> bool {
        self.sent_to == href
    }

    /// The entry of the main navigation that this page belongs to.
    pub(crate) fn section(&self) -> Option<&'static NavItem> {
        self.nav().find(|item| self.is_at(item.href))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for View {
    type Rejection = StatusCode;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        // Its routes go through `Server::pages`.
        parts.extensions.get::<View>().cloned().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Response;
    /// Redirects a signed-out visitor to the sign-in page, which returns to this page, or for a POST to its section.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let view = View::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let section = view.section().map_or("/apps", |section| section.href);
        let here = if parts.method == Method::GET { view.here() } else { section.to_owned() };
        view.signed_in.ok_or_else(|| see_other(&sign_in_first(&here)))
    }
}

/// The query parameters of a page. A repeated parameter or an invalid number gets a problem page.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        if let Ok(Query(asked)) = Query::<T>::from_request_parts(parts, state).await {
            return Ok(Self(asked));
        }
        let Ok(view) = View::from_request_parts(parts, state).await else {
            return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response());
        };
        Err(problem(
            &view,
            StatusCode::BAD_REQUEST,
            view.say("无法读取地址", "The address cannot be read"),
            view.say(
                "其中有参数重复出现，或应为数字的参数不是数字。",
                "A parameter is repeated, or is not a number although it must be one.",
            ),
            view.say("从页面上的链接打开。", "Use a link on a page."),
        ))
    }
}

/// `next` if it is a local address, else `/apps`. A browser removes dot segments from a path, and a path that then starts
/// with two slashes leads to another host; so `//` is refused anywhere in the path.
pub(crate) fn local(next: &str) -> &str {
    let path = next.split(['?', '#']).next().unwrap_or_default();
    let plain = next.starts_with('/')
        && !path.contains("//")
        && !next.contains(|c: char| c.is_control() || c == '\\' || c.is_whitespace());
    if plain { next } else { "/apps" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_addresses_are_gone_on_to() {
        for good in ["/", "/apps", "/fomo/oauth2/authorize?client_id=a&state=%2F%2Fx"] {
            assert_eq!(local(good), good);
        }
        for bad in [
            "",
            "apps",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "\\/x",
            "/ /x",
            "/.//evil.example",
            "/..//evil.example",
            "/%2e/%2E%2e//evil.example",
            "/x/../..//evil.example",
            "/x//y",
        ] {
            assert_eq!(local(bad), "/apps", "{bad}");
        }
    }
}
