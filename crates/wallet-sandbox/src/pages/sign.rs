//! The signature debugger: explains why a signature does not fit its message, for requests, links and both callbacks.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use wallet_core::form;
use wallet_explain::{Cause, Finding};
use wallet_server::pages::{Params, SubmittedForm, View, page as render};

use super::Pages;
use crate::explained::{self, Explained, FomoCallback};

/// What is signed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A FOMO request.
    #[default]
    Fomo,
    /// A pay link of VAS or Lafi.
    Link,
    /// A FOMO callback.
    FomoCallback,
    /// A callback of VAS or Lafi.
    VasCallback,
}

impl Kind {
    /// Each kind, its word in addresses, and its name.
    pub(crate) const ALL: [(Self, &'static str, &'static str, &'static str); 4] = [
        (Self::Fomo, "fomo", "FOMO 请求：sign", "FOMO request: sign"),
        (Self::Link, "link", "付款链接：signedContent", "Pay link: signedContent"),
        (
            Self::FomoCallback,
            "fomo_callback",
            "FOMO 回调：webhook-signature",
            "FOMO callback: webhook-signature",
        ),
        (Self::VasCallback, "vas_callback", "VAS · Lafi 回调：rsaContent", "VAS · Lafi callback: rsaContent"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, word, ..)| word)
    }

    fn of(word: &str) -> Self {
        Self::ALL.iter().find(|(_, known, ..)| *known == word).map_or(Self::Fomo, |(kind, ..)| *kind)
    }
}

/// The fields of the forms, without secrets; also the parameters of the page.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Given {
    kind: Kind,
    client_id: String,
    timestamp: String,
    sign: String,
    link: String,
    key: String,
    id: String,
    signature: String,
    body: String,
    computed: String,
    query: String,
    text: String,
}

impl Given {
    fn of(posted: &SubmittedForm) -> Self {
        let text = |name: &str| posted.text(name).trim().to_owned();
        Self {
            kind: Kind::of(posted.text("kind")),
            client_id: text("client_id"),
            timestamp: text("timestamp"),
            sign: text("sign"),
            link: text("link"),
            key: text("key"),
            id: text("id"),
            signature: text("signature"),
            body: text("body"),
            computed: text("computed"),
            query: text("query"),
            text: posted.text("text").to_owned(),
        }
    }

    /// The address of the filled-in form.
    pub(super) fn address(&self) -> String {
        let fields = [
            ("kind", self.kind.word()),
            ("client_id", &self.client_id),
            ("timestamp", &self.timestamp),
            ("sign", &self.sign),
            ("link", &self.link),
            ("key", &self.key),
            ("id", &self.id),
            ("signature", &self.signature),
            ("body", &self.body),
            ("computed", &self.computed),
            ("query", &self.query),
            ("text", &self.text),
        ];
        let filled: Vec<_> = fields.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        format!("/sign?{}", form::query(&filled))
    }

    /// The form for the `sign` of a request.
    pub(super) fn request(client_id: &str, timestamp: &str, sign: &str) -> Self {
        let [client_id, timestamp, sign] = [client_id, timestamp, sign].map(str::to_owned);
        Self { client_id, timestamp, sign, ..Self::default() }
    }

    /// The form for a pay link.
    pub(super) fn link(link: &str) -> Self {
        Self { kind: Kind::Link, link: link.to_owned(), ..Self::default() }
    }

    /// The form for a FOMO callback.
    pub(super) fn fomo_callback(
        client_id: &str,
        id: &str,
        timestamp: &str,
        signature: &str,
        body: &str,
    ) -> Self {
        let [client_id, id, timestamp] = [client_id, id, timestamp].map(str::to_owned);
        let [signature, body] = [signature, body].map(str::to_owned);
        Self { kind: Kind::FomoCallback, client_id, id, timestamp, signature, body, ..Self::default() }
    }

    /// The form for a VAS or Lafi callback.
    pub(super) fn vas_callback(query: &str) -> Self {
        Self { kind: Kind::VasCallback, query: query.to_owned(), ..Self::default() }
    }

    /// Whether there is enough to explain.
    fn is_filled(&self) -> bool {
        let fields = match self.kind {
            Kind::Fomo => [&self.timestamp, &self.sign],
            Kind::Link => [&self.link, &self.link],
            Kind::FomoCallback => [&self.id, &self.body],
            Kind::VasCallback => [&self.query, &self.query],
        };
        fields.iter().all(|field| !field.is_empty())
    }

    async fn explained(&self, pages: &Pages, view: &View, secret: &str) -> Explained {
        let (store, lang) = (&pages.shared.store, view.lang);
        match self.kind {
            Kind::Fomo => {
                explained::fomo(store, lang, &self.client_id, secret, &self.timestamp, &self.sign, None).await
            }
            Kind::Link => explained::link(store, lang, &self.link, &self.key).await,
            Kind::FomoCallback => {
                let callback = FomoCallback {
                    id: &self.id,
                    timestamp: &self.timestamp,
                    signature: &self.signature,
                    body: &self.body,
                    computed: &self.computed,
                    now: None,
                };
                explained::fomo_callback(store, lang, &self.client_id, secret, &callback).await
            }
            Kind::VasCallback => {
                explained::vas_callback(store, lang, &self.query, &self.key, &self.text).await
            }
        }
    }
}

/// A text, with the part that differs from the other one.
pub(super) struct Split {
    pub(super) before: String,
    pub(super) differs: String,
    pub(super) after: String,
}

/// A finding as pages show it.
pub(super) struct Shown {
    pub(super) fits: bool,
    pub(super) words: String,
    pub(super) expected: Split,
    pub(super) found: Option<Split>,
    /// The address of the debugger with everything filled in; empty on the debugger's own page.
    pub(super) debugger: String,
}

#[derive(Template)]
#[template(path = "sign.html")]
struct SignPage<'a> {
    view: &'a View,
    given: &'a Given,
    shown: Option<Result<Shown, String>>,
}

/// The text, split at the offsets of its part that differs.
fn split(text: &str, from: usize, to: usize) -> Split {
    // At characters: the bytes may differ within one.
    let from = (0..=from.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let to = (to.max(from)..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    Split {
        before: text[..from].to_owned(),
        differs: text[from..to].to_owned(),
        after: text[to..].to_owned(),
    }
}

impl Shown {
    pub(super) fn of(view: &View, finding: &Finding, debugger: String) -> Self {
        let found = finding.found.as_deref();
        let (from, tail) = finding.difference().unwrap_or((finding.expected.len(), 0));
        let part = |text: &str| split(text, from, text.len() - tail.min(text.len()));
        Self {
            fits: finding.cause == Cause::Fits,
            words: finding.cause.in_words(view.lang),
            expected: part(&finding.expected),
            found: found.map(part),
            debugger,
        }
    }
}

async fn explained(pages: &Pages, view: &View, given: &Given, secret: &str) -> Option<Result<Shown, String>> {
    if !given.is_filled() && secret.is_empty() {
        return None;
    }
    let finding = given.explained(pages, view, secret).await;
    Some(finding.map(|finding| Shown::of(view, &finding, String::new())))
}

/// The forms. What an address fills in is explained at once, with the sandbox's own keys.
pub(crate) async fn page(State(pages): State<Pages>, view: View, Params(given): Params<Given>) -> Response {
    let shown = explained(&pages, &view, &given, "").await;
    render(&SignPage { view: &view, given: &given, shown })
}

/// Explains a filled-in form. The link to the other language does not carry the secret: the user enters it again.
pub(crate) async fn explain(State(pages): State<Pages>, view: View, posted: SubmittedForm) -> Response {
    let given = Given::of(&posted);
    let view = view.at(&given.address());
    let shown = explained(&pages, &view, &given, posted.text("client_secret").trim()).await;
    let shown = shown.or_else(|| Some(Err(view.say("请填写表单。", "Fill in the form.").to_owned())));
    render(&SignPage { view: &view, given: &given, shown })
}
