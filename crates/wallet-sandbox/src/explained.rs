//! Explains signatures with the keys of the sandbox's apps: for the debugger and the inspector.

use wallet_api::fomo::{get_trade, payment_result};
use wallet_api::vas::{pay, payment};
use wallet_core::link::OutgoingLink;
use wallet_core::{Callback as _, Endpoint as _, Lang, SigningMeta, UnixTime};
use wallet_crypto::{Portable, PublicKey};
use wallet_explain::{Finding, FomoSign, Received, Sent, compare};
use wallet_platform::{AppKeys, AppsOf, Failure, FindApp, FindVasApp};
use wallet_server::Store;
use wallet_server::pages::in_words;

use crate::data::found;
use crate::words::sentence;

/// Why nothing can be explained, in the page's language.
pub(crate) type Explained = Result<Finding, String>;

/// A key, given or looked up.
enum Missing {
    /// The store failed.
    Failed(Failure),
    /// There is no such app, and no key was given.
    Unknown,
}

impl Missing {
    fn in_words(&self, lang: Lang, zh: &str, en: &str) -> String {
        match (self, lang) {
            (Self::Failed(failure), lang) => in_words(lang, failure),
            (Self::Unknown, Lang::Zh) => zh.to_owned(),
            (Self::Unknown, Lang::En) => en.to_owned(),
        }
    }
}

/// The client_secret: the given one, or the app's own; and the secrets of the other apps of its owner.
async fn secrets(
    store: &Store,
    client_id: &str,
    given: &str,
) -> Result<(String, Vec<(String, String)>), Missing> {
    let keys = found(store.view(FindApp::even_suspended(client_id)).await).map_err(Missing::Failed)?;
    let Some(keys) = keys else {
        return if given.is_empty() { Err(Missing::Unknown) } else { Ok((given.to_owned(), Vec::new())) };
    };
    let apps = store.view(AppsOf(keys.app.owner)).await.map_err(Missing::Failed)?;
    let now = store.now();
    let others = apps.iter().filter(|app| app.id != keys.app.id).filter_map(|app| {
        let keys = AppKeys::open(app, now, store.vault()).ok()?;
        Some((app.client_id.to_string(), keys.secrets().next()?.to_owned()))
    });
    let others = others.collect();
    let own = keys.secrets().next().unwrap_or_default();
    Ok((if given.is_empty() { own } else { given }.to_owned(), others))
}

const NO_SECRET: (&str, &str) = (
    "这里没有这个 client_id 的应用；在「签名」页可以填写 client_secret。",
    "There is no app with this client_id here. On the page Signatures, enter the client_secret.",
);

/// `sign` of a FOMO request.
pub(crate) async fn fomo(
    store: &Store,
    lang: Lang,
    client_id: &str,
    secret: &str,
    timestamp: &str,
    sign: &str,
    now: Option<UnixTime>,
) -> Explained {
    let (secret, others) = secrets(store, client_id, secret)
        .await
        .map_err(|missing| missing.in_words(lang, NO_SECRET.0, NO_SECRET.1))?;
    let window =
        get_trade::Endpoint::META.signing.and_then(|rule| rule.window).map_or(0, |window| window.seconds);
    let now = now.map(|now| (now, window));
    let sent = FomoSign { secret: &secret, client_id, timestamp, sign, now, others: &others };
    Ok(wallet_explain::fomo(&Portable::new(), &sent))
}

/// The headers of a FOMO callback as they arrived.
#[derive(Default)]
pub(crate) struct FomoCallback<'a> {
    pub(crate) id: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) body: &'a str,
    /// The signature that the receiver's program computes.
    pub(crate) computed: &'a str,
    /// The time of arrival.
    pub(crate) now: Option<UnixTime>,
}

/// The signature of a FOMO callback.
pub(crate) async fn fomo_callback(
    store: &Store,
    lang: Lang,
    client_id: &str,
    secret: &str,
    callback: &FomoCallback<'_>,
) -> Explained {
    let (secret, _) = secrets(store, client_id, secret)
        .await
        .map_err(|missing| missing.in_words(lang, NO_SECRET.0, NO_SECRET.1))?;
    let rule: &SigningMeta = payment_result::Callback::META.signing.expect("the spec signs this callback");
    let FomoCallback { id, timestamp, signature, body, computed, now } = *callback;
    let received = Received { rule, secret: &secret, id, timestamp, signature, body, computed, now };
    Ok(wallet_explain::webhook(&Portable::new(), &received))
}

/// The public key: the given one, or that of the app with this uuid.
async fn public_key(store: &Store, lang: Lang, uuid: &str, given: &str) -> Result<PublicKey, String> {
    let key = match given {
        "" => {
            let app = match found(store.view(FindVasApp(uuid.to_owned())).await) {
                Ok(app) => app.ok_or(Missing::Unknown),
                Err(failure) => Err(Missing::Failed(failure)),
            };
            let app = app.map_err(|missing| {
                missing.in_words(
                    lang,
                    "没有这个 uuid 的应用：请粘贴公钥。",
                    "There is no app with this uuid: paste its public key.",
                )
            })?;
            PublicKey::load(&app.rsa_public)
        }
        given => PublicKey::load(given),
    };
    key.map_err(|error| match lang {
        Lang::Zh => format!("公钥不可用：{error}"),
        Lang::En => format!("The public key cannot be used: {error}"),
    })
}

/// The signature of a pay link.
pub(crate) async fn link(store: &Store, lang: Lang, text: &str, key: &str) -> Explained {
    let kind = <pay::Link<'_> as OutgoingLink>::META;
    let sent = Sent::link(kind, text).map_err(|why| sentence(&why.in_words(lang)))?;
    let key = public_key(store, lang, &sent.key_id, key).await?;
    let opens = |signature: &[u8]| key.recover_message(signature);
    Ok(wallet_explain::rsa(&Portable::new(), &opens, kind.fields, &sent.fields(), &sent.signature))
}

/// The signature of a VAS or Lafi callback. `text` is what the receiver's program verifies, if it is known.
pub(crate) async fn vas_callback(store: &Store, lang: Lang, query: &str, key: &str, text: &str) -> Explained {
    let kind = payment::Callback::META;
    let sent = Sent::query(kind, query).map_err(|why| sentence(&why.in_words(lang)))?;
    let key = public_key(store, lang, &sent.key_id, key).await?;
    let opens = |signature: &[u8]| key.recover_message(signature);
    let finding = wallet_explain::rsa(&Portable::new(), &opens, kind.fields, &sent.fields(), &sent.signature);
    if finding.cause == wallet_explain::Cause::Fits && !text.is_empty() {
        return Ok(compare(kind.fields, &sent.fields(), text));
    }
    Ok(finding)
}
