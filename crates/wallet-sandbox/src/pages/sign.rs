//! The signature debugger: what was signed and sent, and why it does not fit.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use wallet_api::vas::pay;
use wallet_core::crypto::Sha256 as _;
use wallet_core::link::OutgoingLink;
use wallet_crypto::{Portable, PublicKey};
use wallet_explain::{Cause, Finding, SentLink, fomo, rsa};
use wallet_platform::FindVasApp;
use wallet_server::pages::{Posted, View, page as render};

use super::Pages;

/// What was filled in, but for secrets.
#[derive(Default)]
struct Given {
    timestamp: String,
    sign: String,
    link: String,
    key: String,
}

/// A text, split where it begins to differ.
struct Split {
    same: String,
    differs: String,
}

struct Shown {
    fits: bool,
    words: String,
    expected: Split,
    found: Option<Split>,
}

#[derive(Template)]
#[template(path = "sign.html")]
struct SignPage<'a> {
    view: &'a View,
    given: Given,
    fomo: Option<Shown>,
    rsa: Option<Result<Shown, String>>,
}

fn split(text: &str, at: Option<usize>) -> Split {
    // At a character: the bytes may differ within one.
    let at = (0..=at.unwrap_or(text.len()).min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    let (same, differs) = text.split_at(at.unwrap_or(0));
    Split { same: same.to_owned(), differs: differs.to_owned() }
}

fn shown(view: &View, finding: &Finding) -> Shown {
    let at = finding.differs_at();
    Shown {
        fits: finding.cause == Cause::Fits,
        words: finding.cause.in_words(view.lang),
        expected: split(&finding.expected, at),
        found: finding.found.as_deref().map(|found| split(found, at)),
    }
}

pub(crate) async fn page(view: View) -> Response {
    render(&SignPage { view: &view, given: Given::default(), fomo: None, rsa: None })
}

/// `sign` of FOMO.
pub(crate) async fn explain_fomo(view: View, posted: Posted) -> Response {
    let view = view.at("/sign");
    let (timestamp, sign) = (posted.text("timestamp").trim(), posted.text("sign").trim());
    let finding = fomo(&Portable::new(), posted.text("client_secret").trim(), timestamp, sign);
    let given = Given { timestamp: timestamp.to_owned(), sign: sign.to_owned(), ..Given::default() };
    render(&SignPage { view: &view, given, fomo: Some(shown(&view, &finding)), rsa: None })
}

/// The signature of a pay link; the app's own key is looked up where none is given.
pub(crate) async fn explain_link(State(pages): State<Pages>, view: View, posted: Posted) -> Response {
    let view = view.at("/sign");
    let (text, key) = (posted.text("link").trim(), posted.text("key").trim());
    let explained = explain(&pages, &view, text, key).await;
    let given = Given { link: text.to_owned(), key: key.to_owned(), ..Given::default() };
    render(&SignPage { view: &view, given, fomo: None, rsa: Some(explained) })
}

async fn explain(pages: &Pages, view: &View, text: &str, key: &str) -> Result<Shown, String> {
    let kind = <pay::Link<'_> as OutgoingLink>::META;
    let sent = SentLink::read(kind, text).map_err(|why| why.in_words(view.lang))?;
    let key = match key {
        "" => {
            let app = pages.shared.store.view(FindVasApp(sent.key_id.clone())).await;
            let app = app.map_err(|_| {
                view.say(
                    "没有这个 appUuid；请粘贴公钥。",
                    "There is no app of this appUuid: paste its public key.",
                )
            })?;
            PublicKey::load(&app.rsa_public)
        }
        given => PublicKey::load(given),
    };
    let key = key.map_err(|error| error.to_string())?;
    let crypto = Portable::new();
    let fields = sent.fields();
    let finding = rsa(
        &crypto,
        &|text| crypto.sha256(text),
        &|signature| key.open(signature),
        kind,
        &fields,
        &sent.signature,
    );
    Ok(shown(view, &finding))
}
