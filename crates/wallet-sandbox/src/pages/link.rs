//! The link inspector: the layers of a link or QR code, and warnings about its spelling.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use wallet_api::vas::{AnyLink, Profile, login, pay};
use wallet_client::QrCode;
use wallet_core::json::{self, JsonError, Member, Warning, Warnings};
use wallet_core::link::OutgoingLink;
use wallet_core::{VerifyingKey, form, link};
use wallet_crypto::{PublicKey, RsaVerify};
use wallet_platform::{CheckPay, Failure, OrderChain};
use wallet_server::pages::{Params, View, in_words, page as render};

use super::Pages;
use super::wallet::cannot_be_paid;
use crate::words::sentence;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    text: String,
}

/// A link taken apart.
struct Layers {
    scheme: String,
    json: String,
    members: Vec<(String, String)>,
    /// The kind of the link, or why it is not a link.
    kind: Result<&'static str, String>,
    warnings: Vec<String>,
    /// The platform's findings: whether each is good, and its text.
    known: Vec<(bool, String)>,
    /// The link in canonical form, if the text is a link.
    made: Option<Made>,
}

/// A link in its canonical forms.
struct Made {
    canonical: String,
    encoded: String,
    qr_text: String,
    /// The drawing of `qr_text`; empty if the text is too long for a code.
    qr: String,
    modules: usize,
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage<'a> {
    view: &'a View,
    text: &'a str,
    layers: Option<Result<Layers, String>>,
}

fn warning_in(view: &View, warning: Warning) -> String {
    match warning {
        Warning::Raw => view.say(
            "JSON 没有百分号编码；iOS 会拒绝这样的链接，二维码里可以。",
            "The JSON is not percent-encoded: iOS refuses such links; in a QR code it is usual.",
        ),
        Warning::Spaces => view.say("成员之间有空格。", "There are spaces between the members."),
        Warning::LineBreaks => {
            view.say("成员之间有换行或制表符。", "There are line ends or tabs between the members.")
        }
        Warning::TrailingComma => {
            view.say("最后一个成员后有逗号。", "There is a comma after the last member.")
        }
        _ => "",
    }
    .to_owned()
}

/// The members of a link's JSON as the page shows them; unusual spelling becomes a warning (R41).
fn members(json: &str, warnings: &mut Warnings) -> Result<Vec<(String, String)>, JsonError> {
    let mut members = Vec::new();
    json::read_object::<JsonError>(json, warnings, |name, member| {
        let shown = match member {
            Member::Value(value) => value.text.into_owned(),
            Member::Null => "null".to_owned(),
            Member::Nested => "{…}".to_owned(),
        };
        members.push((name.into_owned(), shown));
        Ok(())
    })?;
    Ok(members)
}

/// The platform's findings about a link: its app, its callbackUrl, its signature and its payment; and the app's wallet.
async fn known(
    pages: &Pages,
    view: &View,
    link: AnyLink<'_>,
    json: &str,
) -> (Vec<(bool, String)>, Option<Profile>) {
    let (uuid, back) = match &link {
        AnyLink::Login(asks) => (asks.uuid.as_str(), Some(asks.callback_url.as_str().to_owned())),
        AnyLink::Pay(asks) => {
            (asks.key_id(), link::peek(json, "callbackUrl").ok().flatten().map(|url| url.into_owned()))
        }
    };
    let app = match pages.vas_app(uuid).await {
        Ok(Some(app)) => app,
        Ok(None) => {
            let unknown = view.say("没有这个 uuid 的应用。", "There is no app with this uuid.");
            return (vec![(false, unknown.to_owned())], None);
        }
        Err(failure) => return (vec![(false, in_words(view.lang, &failure))], None),
    };
    let wallet = app.profile.meta().doc.in_lang(view.lang);
    let whose = format!("{} {} ({wallet})", view.say("应用：", "The app is"), app.name);
    let allowed = back.is_some_and(|back| app.registered().allows(&back));
    let back = match allowed {
        true => view.say(
            "callbackUrl 在应用登记的安全域名内，或为登记的 scheme（R49）。",
            "The callbackUrl is within the app's safe domain, or of its scheme (R49).",
        ),
        false => view.say(
            "callbackUrl 不在应用登记的安全域名内，也不是登记的 scheme，会被拒绝（R49）。",
            "The callbackUrl is outside the app's safe domain and not of its scheme: it is refused (R49).",
        ),
    };
    let mut known = vec![(true, whose), (allowed, back.to_owned())];
    if let AnyLink::Pay(asks) = link {
        let key = PublicKey::load(&app.rsa_public).map(|key| RsaVerify::new(&key));
        let verified =
            key.ok().and_then(|key| asks.verify([VerifyingKey::Rsa(&key)], pages.shared.store.now()).ok());
        let Some(asks) = verified else {
            let words = view.say(
                "签名与应用的公钥不符，会被拒绝；签名页说明哪里不同。",
                "The signature does not match the app's key, so the link is refused. The signature page shows the difference.",
            );
            known.push((false, words.to_owned()));
            return (known, Some(app.profile));
        };
        known
            .push((true, view.say("签名与应用的公钥相符。", "The signature fits the app's key.").to_owned()));
        let asset = asks.asset_type.as_str().to_owned();
        let checked = pages
            .shared
            .store
            .view(CheckPay { link: asks.into_owned(), payer: None, chain: OrderChain::Embedded })
            .await;
        known.push(match checked {
            Ok(()) => (
                true,
                view.say("金额、资产与地址可以支付。", "Amount, asset and address can be paid.").to_owned(),
            ),
            Err(Failure::Refused(no)) => (false, cannot_be_paid(view.lang, &no, &app, &asset)),
            Err(failure) => (false, in_words(view.lang, &failure)),
        });
    }
    (known, Some(app.profile))
}

/// The canonical forms: the app link with the wallet's scheme, the QR code with the scheme of the link's type (R42).
fn make(app_scheme: &str, qr_scheme: &str, members: &[(String, String)]) -> Made {
    let mut canonical = Vec::new();
    json::write_object(members.iter().map(|(name, value)| (name.as_str(), value.as_str())), &mut canonical);
    let canonical = String::from_utf8(canonical).expect("JSON made of strings");
    let mut encoded = Vec::new();
    link::encode_into(&canonical, &mut encoded);
    let encoded =
        format!("{app_scheme}://{}", String::from_utf8(encoded).expect("percent-encoded text is ASCII"));
    let qr_text = format!("{qr_scheme}://{canonical}");
    let code = QrCode::new(&qr_text).ok();
    let modules = code.as_ref().map_or(0, QrCode::modules);
    Made { canonical, encoded, qr_text, modules, qr: code.map(|code| code.to_svg()).unwrap_or_default() }
}

/// The wallet whose app links have this scheme; `None` for the scheme of a QR code, which all wallets share.
fn of_scheme(scheme: &str) -> Option<Profile> {
    Profile::ALL.iter().copied().find(|profile| profile.scheme().eq_ignore_ascii_case(scheme))
}

/// What an encoder has done to a text that would be an object without it.
fn misencoded<'t>(view: &View, json: &str) -> Option<&'t str> {
    let reads = |text: &str| members(text, &mut Warnings::default()).is_ok();
    let decoded = form::decode(json.as_bytes()).ok().filter(|decoded| reads(decoded));
    if decoded.is_some() && json.contains('%') && !json.trim_start().starts_with('{') {
        return Some(view.say(
            "链接做了两次百分号编码：只编码一次（JavaScript 用一次 encodeURIComponent）。",
            "The link is percent-encoded twice: encode it once (encodeURIComponent, one time).",
        ));
    }
    reads(&json.replace('+', " ")).then(|| {
        view.say(
            "空格写成了 +：用了表单的编码。请用 %20（JavaScript 用 encodeURIComponent，PHP 用 rawurlencode）。",
            "Spaces are written as +, as a form encoder does. Write %20 (encodeURIComponent, rawurlencode in PHP).",
        )
    })
}

async fn take_apart(pages: &Pages, view: &View, text: &str) -> Result<Layers, String> {
    let payload = link::payload(text).map_err(|error| sentence(&error.in_words(view.lang)))?;
    let json = payload.json().map_err(|error| sentence(&error.in_words(view.lang)))?;
    let mut warnings = Warnings::default();
    let (members, unread) = match members(json, &mut warnings) {
        Ok(members) => (members, None),
        Err(error) => {
            let why =
                misencoded(view, json).map_or_else(|| sentence(&error.in_words(view.lang)), str::to_owned);
            (Vec::new(), Some(why))
        }
    };
    let (mut known_of, mut made) = (Vec::new(), None);
    let kind = match (unread, AnyLink::read(&payload)) {
        (Some(why), _) => Err(why),
        (None, Ok((link, _))) => {
            let (kind, meta) = match &link {
                AnyLink::Login(_) => (view.say("登录", "a login"), <login::Link<'_> as OutgoingLink>::META),
                AnyLink::Pay(_) => (view.say("付款", "a payment"), <pay::Link<'_> as OutgoingLink>::META),
            };
            let profile;
            (known_of, profile) = known(pages, view, link, json).await;
            let profile = profile.or_else(|| of_scheme(payload.scheme)).unwrap_or(Profile::Vas);
            made = Some(make(profile.scheme(), meta.qr_scheme, &members));
            Ok(kind)
        }
        (None, Err(error)) => Err(sentence(&error.in_words(view.lang))),
    };
    // Raw JSON is the documented form of a QR code (R41).
    let is_qr = [<login::Link<'_> as OutgoingLink>::META, <pay::Link<'_> as OutgoingLink>::META]
        .iter()
        .any(|meta| payload.scheme.eq_ignore_ascii_case(meta.qr_scheme));
    let warnings = (payload.warnings.iter().filter(|warning| !(is_qr && *warning == Warning::Raw)))
        .chain(warnings.iter())
        .map(|warning| warning_in(view, warning))
        .collect();
    Ok(Layers {
        made,
        scheme: payload.scheme.to_owned(),
        json: json.to_owned(),
        members,
        kind,
        known: known_of,
        warnings,
    })
}

pub(crate) async fn page(State(pages): State<Pages>, view: View, Params(asked): Params<Wanted>) -> Response {
    let text = asked.text.trim();
    let layers = if text.is_empty() { None } else { Some(take_apart(&pages, &view, text).await) };
    render(&LinkPage { view: &view, text, layers })
}
