//! The link inspector: what a link or QR code says, layer by layer, and what is unusual about it.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;
use wallet_api::vas::AnyLink;
use wallet_client::QrCode;
use wallet_core::json::{self, JsonError, Member, Warning, Warnings};
use wallet_core::link;
use wallet_server::pages::{Asked, View, page as render};

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
    /// What kind of link it is, or why it is none.
    kind: Result<&'static str, String>,
    warnings: Vec<(&'static str, String)>,
    canonical: String,
    encoded: String,
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

/// The members of a link's JSON as a reader may see them, whatever is unusual about how it is written (R41).
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

fn take_apart(view: &View, text: &str) -> Result<Layers, String> {
    let payload = link::payload(text).map_err(|error| error.in_words(view.lang))?;
    let json = payload.json().map_err(|error| error.in_words(view.lang))?;
    let mut warnings = Warnings::default();
    let read = members(json, &mut warnings);
    let kind = match (&read, AnyLink::read(&payload)) {
        (Err(error), _) => Err(error.in_words(view.lang)),
        (Ok(_), Ok((AnyLink::Login(_), _))) => Ok(view.say("登录", "a login")),
        (Ok(_), Ok((AnyLink::Pay(_), _))) => Ok(view.say("付款", "a payment")),
        (Ok(_), Err(error)) => Err(error.in_words(view.lang)),
    };
    let members = read.unwrap_or_default();
    let warnings = payload.warnings.iter().chain(warnings.iter());
    let warnings = warnings.map(|warning| (warning.name(), warning_in(view, warning))).collect();
    let mut canonical = Vec::new();
    json::write_object(members.iter().map(|(name, value)| (name.as_str(), value.as_str())), &mut canonical);
    let canonical = String::from_utf8(canonical).unwrap_or_default(); // made of strings
    let mut encoded = Vec::new();
    link::encode_into(&canonical, &mut encoded);
    let encoded = format!("{}://{}", payload.scheme, String::from_utf8(encoded).unwrap_or_default());
    let code = QrCode::new(&format!("{}://{canonical}", payload.scheme)).ok();
    Ok(Layers {
        scheme: payload.scheme.to_owned(),
        json: json.to_owned(),
        members,
        kind,
        warnings,
        canonical,
        encoded,
        modules: code.as_ref().map_or(0, QrCode::modules),
        qr: code.map(|code| code.to_svg()).unwrap_or_default(),
    })
}

pub(crate) async fn page(view: View, Asked(asked): Asked<Wanted>) -> Response {
    let text = asked.text.trim();
    let layers = (!text.is_empty()).then(|| take_apart(&view, text));
    render(&LinkPage { view: &view, text, layers })
}
