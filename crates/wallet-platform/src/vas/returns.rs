//! The wallet's return to an app after a login: the exact final address, and whether the wallet may open it.

use wallet_api::vas::{CallbackType, How, OpenCallbackType, Platform, login};
use wallet_core::{form, link};

use crate::returns::{Registered, Target, target, with_ascii_host};

/// Whether an address already has a parameter that the wallet will add. An app that reads the first of two would
/// take the code of another user for its own user's.
fn brings_its_own(address: &str) -> bool {
    let before = address.split('#').next().unwrap_or_default();
    let query = before.split_once('?').map(|(_, query)| query).unwrap_or_default();
    form::pairs(query).any(|pair| match form::decode(form::split(pair).0.as_bytes()) {
        Ok(name) => name == "openCode" || name == "webToken",
        Err(_) => true, // another parser may decode it to one of these names
    })
}

/// The wallet's return to an app.
#[derive(Clone, PartialEq, Eq)]
pub struct Return {
    /// The final address. It holds the openCode.
    pub address: String,
    /// The way of the return: a GET request, or opening the address.
    pub how: How,
}

impl std::fmt::Debug for Return {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Return").field("how", &self.how).finish_non_exhaustive()
    }
}

/// The wallet's return after a login: `None` if its target is not registered. The check is made on the
/// **final** address, since `https://www.x.com` with a code glued to it is another host (R47).
pub fn after_login(link: &login::Link<'_>, open_code: &str, app: Registered<'_>) -> Option<Return> {
    target(link.callback_url.as_str())?; // R63: an address with nothing after `scheme://` is refused
    if brings_its_own(link.callback_url.as_str()) {
        return None;
    }
    let web_token = link.web_token.as_ref().map(|token| token.as_str());
    let address = match link.callback_type.unwrap_or(CallbackType::Parameter) {
        CallbackType::Glued => {
            format!("{}{open_code}{}", link.callback_url.as_str(), web_token.unwrap_or_default())
        }
        CallbackType::Parameter => {
            let mut parameters = b"openCode=".to_vec();
            form::encode_into(open_code, &mut parameters);
            if let Some(token) = web_token {
                parameters.extend_from_slice(b"&webToken=");
                form::encode_into(token, &mut parameters);
            }
            let parameters = String::from_utf8(parameters).expect("a form is ASCII");
            link::append_query(link.callback_url.as_str(), &parameters)
        }
    };
    let address = with_ascii_host(&address)?;
    // R62: the browser is on another device. R48: otherwise only on request.
    let get =
        link.platform == Some(Platform::Web) || link.open_call_back_type == Some(OpenCallbackType::Minimise);
    let how = if get { How::Get } else { How::Open };
    let reachable = how == How::Open || matches!(target(&address), Some(Target::Http(_)));
    (reachable && app.allows(&address)).then_some(Return { address, how })
}
