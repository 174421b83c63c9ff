//! Links and callbacks with any values at all.

use proptest::prelude::*;
use wallet_api::vas::{AnyLink, CallbackType, OpenCallbackType, Platform, login, pay, payment};
use wallet_core::crypto::{RsaSigner, RsaVerifier, SigningFailed};
use wallet_core::link::{self, LinkError, OutgoingLink as _};
use wallet_core::{Callback as _, Signer, VerifyingKey};
use wallet_tests::ANY_TIME;

/// A signature that is the text itself. It shows what was signed, and what is verified.
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

/// Any text of so many characters, but U+0000, which no field has.
fn text(most: usize) -> impl Strategy<Value = String> {
    let character = any::<char>().prop_filter("U+0000", |character| *character != '\0');
    prop::collection::vec(character, 1..=most).prop_map(String::from_iter)
}

/// Names of members: those that there are, and others.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec!["type", "uuid", "callbackUrl", "platform", "callbackType", "webToken", "appUuid"])
            .prop_map(str::to_owned),
        1 => text(5),
    ]
}

/// Values as people write them, as JSON.
fn value() -> impl Strategy<Value = String> {
    let string = |text: String| serde_json::to_string(&text).unwrap();
    prop_oneof![
        4 => prop::sample::select(vec!["login", "pay", "web", "1", "", "https://a.example/?b=%20+#c"])
            .prop_map(move |text| string(text.to_owned())),
        3 => text(12).prop_map(string),
        1 => prop::sample::select(vec!["1", "null", "true", "{}", "[\"x\"]", "1.5", "\"\\u0041\""]).prop_map(str::to_owned),
    ]
}

/// What was read, whichever link it is.
fn shown(link: AnyLink<'_>) -> String {
    match link {
        AnyLink::Login(link) => {
            let token = link.web_token.as_ref().map(|token| token.as_str().to_owned());
            format!("{link:?} {token:?}")
        }
        AnyLink::Pay(link) => format!("{:?}", link.verify([VerifyingKey::Rsa(&Plain)], ANY_TIME)),
    }
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
        let mut link = login::Link::new(callback_url.into(), uuid.into());
        link.platform = web.map(|web| if web { Platform::Web } else { Platform::Mobile });
        link.callback_type = glued.map(|glued| if glued { CallbackType::Glued } else { CallbackType::Parameter });
        link.open_call_back_type = minimise
                .map(|minimise| if minimise { OpenCallbackType::Minimise } else { OpenCallbackType::Open });
        link.web_token = web_token.map(Into::into);
        for made in [link.app("vaswallet", None).unwrap(), link.qr(None).unwrap()] {
            let payload = link::payload(&made).unwrap();
            let (AnyLink::Login(read), _) = AnyLink::read(&payload).unwrap() else { panic!("a login") };
            prop_assert_eq!(&read, &link);
            // It is JSON for everybody else, too.
            let json: serde_json::Value = serde_json::from_str(payload.json().unwrap()).unwrap();
            prop_assert_eq!(json["callbackUrl"].as_str().unwrap(), link.callback_url.as_str());
        }
    }

    #[test]
    fn any_payment_survives_and_its_signature_covers_what_it_must(
        app_uuid in text(64), order_id in text(128), to_addr in text(128), asset_type in text(16),
        amount in amount(), callback_url in text(200), description in prop::option::of(text(100)),
    ) {
        let mut link = pay::Link::new(app_uuid.into(), order_id.into(), to_addr.into(), asset_type.into(), amount.parse().unwrap(), callback_url.into());
        link.description = description.map(Into::into);
        let made = link.app("lafiwallet", Some(&Signer::rsa(&Plain, ANY_TIME))).unwrap();
        let payload = link::payload(&made).unwrap();
        let (AnyLink::Pay(read), warnings) = AnyLink::read(&payload).unwrap() else { panic!("a payment") };
        prop_assert!(warnings.is_empty());
        prop_assert_eq!(read.key_id(), link.app_uuid.as_str());
        prop_assert_eq!(&read.verify([VerifyingKey::Rsa(&Plain)], ANY_TIME).unwrap(), &link);
    }

    /// Links are read while they are encoded where that is possible. The content of a link changes nothing about that.
    #[test]
    fn an_encoded_link_reads_as_the_same_link_decoded(
        members in prop::collection::vec((name(), value()), 0..8), cut in prop::option::of(any::<prop::sample::Index>()),
        also in prop::collection::vec(any::<u8>(), 8), spaced in any::<bool>(),
    ) {
        let separator = if spaced { ", " } else { "," };
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("{}:{value}", serde_json::to_string(name).unwrap())).collect();
        let mut json = format!("{{{}}}", members.join(separator));
        if let Some(cut) = cut {
            json.remove(json.char_indices().map(|(at, _)| at).nth(cut.index(json.chars().count())).unwrap());
        }
        // Some bytes are encoded that need not be.
        let mut encoded = String::new();
        for (at, c) in json.chars().enumerate() {
            let mut one = Vec::new();
            link::encode_into(c.encode_utf8(&mut [0; 4]), &mut one);
            match one.as_slice() {
                [byte] if c.is_ascii() && also[at % 8] < 16 => encoded.push_str(&format!("%{byte:02X}")),
                one => encoded.push_str(std::str::from_utf8(one).unwrap()),
            }
        }
        let as_it_is = |json: &str| -> Result<String, LinkError> {
            let payload = link::payload(json)?;
            // What begins with another byte than `{` would be decoded.
            let (read, _) = AnyLink::read(&payload)?;
            Ok(shown(read))
        };
        let (raw, encoded) = (format!("vaswallet://{json}"), format!("vaswallet://{encoded}"));
        if json.starts_with('{') {
            prop_assert_eq!(as_it_is(&encoded), as_it_is(&raw), "{}", raw);
        }
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
        let payload = payment::Payload::new("u".into(), order_id.into(), "Va".into(), "Vb".into(), "VAS".into(), amount.parse().unwrap(), txid.into(), format!("https://www.shop.example/pay{query}{fragment}").into());
        let mut form = Vec::new();
        payment::Callback::encode(&payload, Some(&Signer::rsa(&Plain, ANY_TIME)), &mut form).unwrap();
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
            Ok(read) => prop_assert_eq!(&read.verify([VerifyingKey::Rsa(&Plain)], ANY_TIME).unwrap(), &payload),
            Err(_) => prop_assert!(query.contains('%')),
        }
        // A single bit of what was sent.
        let mut changed = form.clone().into_bytes();
        let at = cut.index(changed.len());
        changed[at] ^= 1 << bit;
        if let Ok(read) = payment::Callback::decode(&changed)
            && let Ok(read) = read.verify([VerifyingKey::Rsa(&Plain)], ANY_TIME)
        {
            prop_assert_eq!(&read, &payload, "a change that changes nothing, such as the case of an escape");
        }
    }
}
