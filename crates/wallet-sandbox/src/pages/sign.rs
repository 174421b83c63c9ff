//! The signature debugger: explains why a signature does not fit its message.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use wallet_api::vas::pay;
use wallet_core::form;
use wallet_core::link::OutgoingLink;
use wallet_crypto::{Portable, PublicKey};
use wallet_explain::{Cause, Finding, SentLink, fomo, rsa};
use wallet_server::pages::{Params, SubmittedForm, View, in_words, page as render};

use super::{Pages, sentence};

/// The values of the forms, without secrets.
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
    fomo: Option<Result<Shown, String>>,
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

/// The parameters of the page, without secrets.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    timestamp: String,
    #[serde(default)]
    sign: String,
    #[serde(default)]
    link: String,
    #[serde(default)]
    key: String,
}

/// The forms. A pay link in the address is explained at once: nothing about it is secret.
pub(crate) async fn page(State(pages): State<Pages>, view: View, Params(asked): Params<Wanted>) -> Response {
    let Wanted { timestamp, sign, link, key } = asked;
    let rsa =
        if link.is_empty() { None } else { Some(explain(&pages, &view, link.trim(), key.trim()).await) };
    render(&SignPage { view: &view, given: Given { timestamp, sign, link, key }, fomo: None, rsa })
}

/// `sign` of FOMO. The link to the other language does not carry the secret: the user enters it again.
pub(crate) async fn explain_fomo(view: View, posted: SubmittedForm) -> Response {
    let (timestamp, sign) = (posted.text("timestamp").trim(), posted.text("sign").trim());
    let view = view.at(&format!("/sign?{}", form::query(&[("timestamp", timestamp), ("sign", sign)])));
    let explained = match posted.text("client_secret").trim() {
        "" => Err(view.say("请填写 client_secret。", "Enter the client_secret.").to_owned()),
        secret => Ok(shown(&view, &fomo(&Portable::new(), secret, timestamp, sign))),
    };
    let given = Given { timestamp: timestamp.to_owned(), sign: sign.to_owned(), ..Given::default() };
    render(&SignPage { view: &view, given, fomo: Some(explained), rsa: None })
}

/// The signature of a pay link; without `key` the app's own key is used.
pub(crate) async fn explain_link(State(pages): State<Pages>, view: View, posted: SubmittedForm) -> Response {
    let (text, key) = (posted.text("link").trim(), posted.text("key").trim());
    let view = view.at(&format!("/sign?{}", form::query(&[("link", text), ("key", key)])));
    let explained = explain(&pages, &view, text, key).await;
    let given = Given { link: text.to_owned(), key: key.to_owned(), ..Given::default() };
    render(&SignPage { view: &view, given, fomo: None, rsa: Some(explained) })
}

async fn explain(pages: &Pages, view: &View, text: &str, key: &str) -> Result<Shown, String> {
    let kind = <pay::Link<'_> as OutgoingLink>::META;
    let sent = SentLink::read(kind, text).map_err(|why| sentence(&why.in_words(view.lang)))?;
    let key = match key {
        "" => {
            let app = pages.vas_app(&sent.key_id).await.map_err(|failure| in_words(view.lang, &failure))?;
            let app = app.ok_or_else(|| {
                view.say(
                    "没有这个 appUuid；请粘贴公钥。",
                    "There is no app with this appUuid: paste its public key.",
                )
            })?;
            PublicKey::load(&app.rsa_public)
        }
        given => PublicKey::load(given),
    };
    let key = key
        .map_err(|error| format!("{}{error}", view.say("公钥不可用：", "The public key cannot be used: ")))?;
    let crypto = Portable::new();
    let fields = sent.fields();
    let finding = rsa(&crypto, &|signature| key.recover_message(signature), kind, &fields, &sent.signature);
    Ok(shown(view, &finding))
}
