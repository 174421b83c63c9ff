//! Links and callbacks with any values at all.

use proptest::prelude::*;
use wallet_api::vas::{AnyLink, CallbackType, OpenCallbackType, Platform, login, pay, payment};
use wallet_core::crypto::{RsaSigner, RsaVerifier, SigningFailed};
use wallet_core::link::{self, OutgoingLink as _};
use wallet_core::{Callback as _, Signer};

/// Stands for a signature: the text itself. It shows what was signed, and what is verified.
struct Plain;

impl RsaSigner for Plain {
    fn sign_sha1(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        Ok(message.to_vec())
    }
}

impl RsaVerifier for Plain {
    fn verify_sha1(&self, message: &[u8], signature: &[u8]) -> bool {
        message == signature
    }
}

/// Any text of so many characters, none excepted.
fn text(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>(), 1..=most).prop_map(String::from_iter)
}

fn amount() -> impl Strategy<Value = String> {
    ("(0|[1-9][0-9]{0,8})", prop::option::of("[0-9]{1,8}")).prop_map(|(whole, fraction)| match fraction {
        Some(fraction) => format!("{whole}.{fraction}"),
        None => whole,
    })
}

proptest! {
    #[test]
    fn any_login_survives_out_and_in(
        uuid in text(64), callback_url in text(200), web_token in prop::option::of(text(100)),
        glued in any::<Option<bool>>(), minimise in any::<Option<bool>>(), web in any::<Option<bool>>(),
    ) {
        let link = login::Link {
            platform: web.map(|web| if web { Platform::Web } else { Platform::Mobile }),
            callback_url: callback_url.into(),
            uuid: uuid.into(),
            callback_type: glued.map(|glued| if glued { CallbackType::Glued } else { CallbackType::Parameter }),
            open_call_back_type: minimise
                .map(|minimise| if minimise { OpenCallbackType::Minimise } else { OpenCallbackType::Open }),
            web_token: web_token.map(Into::into),
        };
        for made in [link.app("vaswallet", None).unwrap(), link.qr(None).unwrap()] {
            let payload = link::payload(&made).unwrap();
            let (AnyLink::Login(read), _) = AnyLink::read(&payload).unwrap() else { panic!("a login") };
            prop_assert_eq!(&read, &link);
            // It is JSON for everybody else, too.
            let json: serde_json::Value = serde_json::from_str(&payload.json).unwrap();
            prop_assert_eq!(json["callbackUrl"].as_str().unwrap(), link.callback_url.as_str());
        }
    }

    #[test]
    fn any_payment_survives_and_its_signature_covers_what_it_must(
        app_uuid in text(64), order_id in text(128), to_addr in text(128), asset_type in text(16),
        amount in amount(), callback_url in text(200), description in prop::option::of(text(100)),
    ) {
        let link = pay::Link {
            app_uuid: app_uuid.into(),
            order_id: order_id.into(),
            to_addr: to_addr.into(),
            asset_type: asset_type.into(),
            amount: amount.parse().unwrap(),
            callback_url: callback_url.into(),
            callback_scheme: None,
            description: description.map(Into::into),
            open_call_back_type: None,
        };
        let made = link.app("lafiwallet", Some(&Signer::Rsa(&Plain))).unwrap();
        let payload = link::payload(&made).unwrap();
        let (AnyLink::Pay(read), warnings) = AnyLink::read(&payload).unwrap() else { panic!("a payment") };
        prop_assert!(warnings.is_empty());
        prop_assert_eq!(read.key_id(), link.app_uuid.as_str());
        prop_assert_eq!(&read.verify_rsa(&Plain).unwrap(), &link);
    }

    /// A callback verifies whatever query and fragment its address has, or is refused; it is never misread.
    #[test]
    fn any_callback_verifies_or_is_refused(
        order_id in text(64), txid in "[0-9a-f]{64}", amount in amount(),
        query in prop::option::of("[a-zA-Z0-9=&%+_-]{0,40}"), fragment in prop::option::of("[a-z?&=#]{0,10}"),
        shuffled in Just((0..9).collect::<Vec<usize>>()).prop_shuffle(),
        cut in any::<prop::sample::Index>(), bit in 0..7_u8,
    ) {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
        let payload = payment::Payload {
            uuid: "u".into(),
            order_id: order_id.into(),
            from_addr: "Va".into(),
            to_addr: "Vb".into(),
            asset_type: "VAS".into(),
            amount: amount.parse().unwrap(),
            txid: txid.into(),
            callback_url: format!("https://www.shop.example/pay{query}{fragment}").into(),
        };
        let mut form = Vec::new();
        payment::Callback::encode(&payload, Some(&Signer::Rsa(&Plain)), &mut form).unwrap();
        let form = String::from_utf8(form).unwrap();
        let mut parts: Vec<&str> = form.split('&').collect();
        prop_assert_eq!(parts.len(), 9);
        parts = shuffled.iter().map(|at| parts[*at]).collect();
        let address = link::append_query(payload.callback_url.as_str(), &parts.join("&"));
        let (before, after) = address.split_once('#').unwrap_or((&address, ""));
        prop_assert_eq!(after, fragment.strip_prefix('#').unwrap_or_default());
        let received = before.split_once('?').unwrap().1;
        // The address's own query may be no form at all: then the callback is refused, not misread.
        match payment::Callback::decode(received.as_bytes()) {
            Ok(read) => prop_assert_eq!(&read.verify_rsa(&Plain).unwrap(), &payload),
            Err(_) => prop_assert!(query.contains('%')),
        }
        // A single bit of what was sent.
        let mut changed = form.clone().into_bytes();
        let at = cut.index(changed.len());
        changed[at] ^= 1 << bit;
        if let Ok(read) = payment::Callback::decode(&changed)
            && let Ok(read) = read.verify_rsa(&Plain)
        {
            prop_assert_eq!(&read, &payload, "a change that changes nothing, such as the case of an escape");
        }
    }
}
