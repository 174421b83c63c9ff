//! Links and callbacks of the VAS and Lafi wallets: the document's samples, signatures over what was received, and what
//! is refused.

use wallet_api::vas::{AnyLink, CallbackType, OpenCallbackType, Platform, Profile, login, pay, payment};
use wallet_core::json::Warning;
use wallet_core::link::{self, LinkError, OutgoingLink as _};
use wallet_core::{Callback as _, FaultKind, Signer, VerifyingKey};
use wallet_crypto::{PrivateKey, RsaSign};
use wallet_tests::{ANY_TIME, fields, with};

use crate::rsa::{signers, vector, verifiers};

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn r40_the_documents_links_byte_for_byte() {
    let file = vector("vas-links.json");
    let cases = file["cases"].as_array().unwrap();
    let encoded: Vec<_> = cases.iter().filter(|case| case["json"].is_string()).collect();
    assert_eq!((cases.len(), encoded.len()), (4, 2));
    for case in encoded {
        let mut link = b"vaswallet://".to_vec();
        link::encode_into(case["json"].as_str().unwrap(), &mut link);
        assert_eq!(String::from_utf8(link).unwrap(), text(&case["link"]));
    }
}

#[test]
fn r41_all_four_samples_are_read_with_their_warnings() {
    let file = vector("vas-links.json");
    let links: Vec<String> =
        file["cases"].as_array().unwrap().iter().map(|case| text(&case["link"])).collect();
    let read = |link: &str, check: &dyn Fn(AnyLink<'_>)| {
        let payload = link::payload(link).unwrap();
        let (read, warnings) = AnyLink::read(&payload).unwrap();
        check(read);
        warnings.iter().collect::<Vec<_>>()
    };
    let warnings = read(&links[0], &|link| {
        let AnyLink::Login(link) = link else { panic!("a login") };
        assert_eq!(link.uuid.as_str(), "121212-121212-121212");
        let url = "appscheme://login/a/b?d=1&redirect=http%3A%2F%2Fwww.google.com%2Fs%3Fwd%3D12345";
        assert_eq!(link.callback_url.as_str(), url, "encoding within it is the caller's (R63)");
        assert_eq!((link.platform, link.callback_type, link.web_token), (None, None, None));
    });
    assert_eq!(warnings, []);
    let pay = |link: AnyLink<'_>| {
        let AnyLink::Pay(link) = link else { panic!("a payment") };
        assert_eq!(link.key_id(), "8888-9999-1111-6666");
        assert!(!format!("{link:?}").contains("20191108"), "unverified: only the key's id can be read");
    };
    assert_eq!(read(&links[1], &pay), [Warning::Spaces, Warning::LineBreaks]);
    let warnings = read(&links[2], &|link| {
        let AnyLink::Login(link) = link else { panic!("a login") };
        assert_eq!(link.platform, Some(Platform::Web));
        assert_eq!(link.web_token.unwrap().as_str(), "SSFJIEKALSM");
    });
    assert_eq!(warnings, [Warning::Raw, Warning::Spaces]);
    assert_eq!(read(&links[3], &pay), [Warning::Raw, Warning::Spaces, Warning::TrailingComma]);
    let names: Vec<&str> = Warning::ALL.iter().map(|warning| warning.name()).collect();
    assert_eq!(names, ["raw_json", "spaces", "line_breaks", "trailing_comma"]);
}

fn key() -> PrivateKey {
    PrivateKey::load(text(&vector("vas-rsa-1024.json")["private_pkcs8_base64"])).unwrap()
}

fn order<'a>() -> pay::Link<'a> {
    let mut link = pay::Link::new(
        "8888-9999".into(),
        "订单-\"2\"\\+#'%".into(),
        "V179lygq1dpowbQz".into(),
        "VAS".into(),
        "1.00000".parse().unwrap(),
        "https://www.shop.example/pay?orderId=1&a=b#f".into(),
    );
    link.callback_scheme = Some("payApp".into());
    link.description = Some("a + b".into());
    link.open_call_back_type = Some(OpenCallbackType::Minimise);
    link
}

#[test]
fn r44_links_and_callbacks_are_signed_as_java_does_on_every_backend() {
    for bits in [1024, 2048] {
        let file = vector(&format!("vas-rsa-{bits}.json"));
        let private = PrivateKey::load(text(&file["private_pkcs8_base64"])).unwrap();
        let mut kinds = [0, 0];
        for case in file["cases"].as_array().unwrap() {
            let field = |name: &str| text(&case["fields"][name]);
            let signature = text(&case["signature_base64"]);
            for (name, signer) in signers(&private) {
                let signer = Signer::rsa(&*signer, ANY_TIME);
                if case["rule"] == "pay_link" {
                    kinds[0] += 1;
                    let order = with(order(), |order| {
                        order.app_uuid = field("appUuid").into();
                        order.order_id = field("orderId").into();
                        order.to_addr = field("toAddr").into();
                        order.asset_type = field("assetType").into();
                        order.amount = field("amount").parse().unwrap();
                        order.callback_url = field("callbackUrl").into();
                    });
                    for made in [order.app("vaswallet", Some(&signer)), order.qr(Some(&signer))] {
                        let made = made.unwrap();
                        let payload = link::payload(&made).unwrap();
                        let json: serde_json::Value = serde_json::from_str(payload.json().unwrap()).unwrap();
                        assert_eq!(json["signedContent"], signature, "{name}");
                        for (_, verifier) in verifiers(&private.public()) {
                            let (AnyLink::Pay(read), _) = AnyLink::read(&payload).unwrap() else { panic!() };
                            assert_eq!(
                                read.verify([VerifyingKey::Rsa(&*verifier)], ANY_TIME).unwrap(),
                                order
                            );
                        }
                    }
                } else {
                    kinds[1] += 1;
                    let payload = payment::Payload::new(
                        field("uuid").into(),
                        field("orderId").into(),
                        field("fromAddr").into(),
                        field("toAddr").into(),
                        field("assetType").into(),
                        field("amount").parse().unwrap(),
                        field("txid").into(),
                        field("callbackUrl").into(),
                    );
                    let mut query = Vec::new();
                    payment::Callback::encode(&payload, Some(&signer), &mut query).unwrap();
                    let query = String::from_utf8(query).unwrap();
                    let address = link::append_query(payload.callback_url.as_str(), &query);
                    assert!(
                        fields(&query).contains(&("rsaContent".to_owned(), signature.to_owned())),
                        "{name}"
                    );
                    // What the receiver sees: all of the address's query, up to the fragment.
                    let received = address.split('#').next().unwrap().split_once('?').unwrap().1;
                    for (_, verifier) in verifiers(&private.public()) {
                        let read = payment::Callback::decode(received.as_bytes()).unwrap();
                        assert_eq!(read.key_id(), field("uuid"));
                        assert_eq!(read.verify([VerifyingKey::Rsa(&*verifier)], ANY_TIME).unwrap(), payload);
                    }
                }
            }
        }
        assert!(kinds[0] >= 6 && kinds[1] >= 6);
    }
}

#[test]
fn r41_the_builder_writes_compact_json() {
    let signer = RsaSign::new(&key()).unwrap();
    let signer = Signer::rsa(&signer, ANY_TIME);
    let (app, qr) =
        (order().app(Profile::Lafi.scheme(), Some(&signer)).unwrap(), order().qr(Some(&signer)).unwrap());
    assert!(app.starts_with("lafiwallet://%7B%22type%22:%22pay%22,%22appUuid%22:%228888-9999%22,"));
    assert!(app.is_ascii() && !app.contains(['+', '#', '\'', ' ', '"']), "R40: {app}");
    assert!(qr.starts_with(
        "vaspay://{\"type\":\"pay\",\"appUuid\":\"8888-9999\",\"orderId\":\"订单-\\\"2\\\"\\\\+#'%\","
    ));
    let (app, qr) = (link::payload(&app).unwrap(), link::payload(&qr).unwrap());
    assert_eq!(app.json(), qr.json());
    assert_eq!(
        (app.warnings.iter().count(), qr.warnings.iter().collect::<Vec<_>>()),
        (0, vec![Warning::Raw])
    );
    // One pass writes what two would.
    let mut twice = Vec::new();
    link::encode_into(qr.json().unwrap(), &mut twice);
    assert_eq!(
        order().app("x", Some(&signer)).unwrap(),
        format!("x://{}", String::from_utf8(twice).unwrap())
    );
    assert!(order().app("vaswallet", None).is_err(), "a payment is signed");
}

#[test]
fn r42_schemes_are_read_and_the_type_decides() {
    let json = r#"{"type":"login","callbackUrl":"app://x","uuid":"u"}"#;
    for scheme in ["vaswallet", "vaslogin", "vaspay", "vas", "lafiwallet", "VASWALLET"] {
        let link = format!("{scheme}://{json}");
        let payload = link::payload(&link).unwrap();
        assert!(matches!(AnyLink::read(&payload).unwrap().0, AnyLink::Login(_)), "{scheme}");
    }
    let refused = |link: &str| {
        let payload = link::payload(link).unwrap();
        AnyLink::read(&payload).map(|_| ()).unwrap_err()
    };
    assert_eq!(refused(&format!("other://{json}")), LinkError::UnknownScheme);
    assert_eq!(refused(r#"vaswallet://{"type":"x"}"#), LinkError::UnknownType);
    assert_eq!(refused(r#"vaswallet://{"callbackUrl":"app://x"}"#), LinkError::UnknownType);
    assert!(matches!(refused(r#"vaswallet://{"type":"login"#), LinkError::Json(_)));
    assert_eq!(link::payload("vaswallet://").unwrap_err(), LinkError::NoPayload, "R63");
}

#[test]
fn r48_what_the_wallet_does_afterwards_is_read_in_every_spelling() {
    let read = |members: &str| {
        let link = format!(r#"vaswallet://{{"type":"login","callbackUrl":"app://x","uuid":"u"{members}}}"#);
        let payload = link::payload(&link).unwrap();
        match AnyLink::read(&payload) {
            Ok((AnyLink::Login(link), _)) => Ok((link.callback_type, link.open_call_back_type)),
            Ok(_) => panic!("a login"),
            Err(error) => Err(error),
        }
    };
    let (zero, one) = (OpenCallbackType::Open, OpenCallbackType::Minimise);
    for (members, expected) in [
        ("", None),
        (r#","openCallBackType":null"#, None),
        (r#","openCallBackType":"""#, None),
        (r#","openCallBackType":"0""#, Some(zero)),
        (r#","openCallBackType":0"#, Some(zero)),
        (r#","openCallBackType":"1""#, Some(one)),
        (r#","openCallBackType":1"#, Some(one)),
    ] {
        assert_eq!(read(members).unwrap().1, expected, "{members}");
        let members = members.replace("openCallBackType", "callbackType");
        let expected =
            expected.map(|open| if open == one { CallbackType::Glued } else { CallbackType::Parameter });
        assert_eq!(read(&members).unwrap().0, expected, "{members}");
    }
    for bad in ["2", "\"2\"", "true", "01", "\"01\"", "1.0", "-1", "{}", "[1]", "\" 1\""] {
        for name in ["openCallBackType", "callbackType"] {
            assert!(read(&format!(",\"{name}\":{bad}")).is_err(), "{name}: {bad}");
        }
    }
    let twice = r#","callbackType":"0","callbackType":"1""#;
    assert!(matches!(read(twice), Err(LinkError::Member(fault)) if fault.kind == FaultKind::Repeated));
}

/// Every single bit of every signed text, and of the signature.
#[test]
fn every_single_bit_counts() {
    let key = key();
    let signer = RsaSign::new(&key).unwrap();
    let link = order().qr(Some(&Signer::rsa(&signer, ANY_TIME))).unwrap();
    let json: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(link::payload(&link).unwrap().json().unwrap()).unwrap();
    let verifier = &verifiers(&key.public())[1].1;
    let (mut tried, mut unsigned) = (0, 0);
    for (name, value) in &json {
        let value = value.as_str().unwrap();
        for at in 0..value.len() * 8 {
            let mut bytes = value.as_bytes().to_vec();
            bytes[at / 8] ^= 1 << (at % 8);
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            if changed.contains('\0') {
                continue; // refused, whatever it covers
            }
            let mut json = json.clone();
            json.insert(name.clone(), changed.into());
            let link = format!("vaspay://{}", serde_json::to_string(&json).unwrap());
            let payload = link::payload(&link).unwrap();
            let verified = match AnyLink::read(&payload) {
                Ok((AnyLink::Pay(read), _)) => {
                    read.verify([VerifyingKey::Rsa(&**verifier)], ANY_TIME).is_ok()
                }
                _ => false,
            };
            if ["description", "callbackScheme"].contains(&name.as_str()) {
                unsigned += 1; // R55
                assert!(verified, "{name} is not covered");
            } else if name != "type" && name != "openCallBackType" {
                tried += 1;
                assert!(!verified, "{name}, bit {at}");
            }
        }
    }
    assert!(tried > 1_500 && unsigned > 50, "{tried}, {unsigned}");
}

#[test]
fn r45_r46_a_callback_is_read_whatever_became_of_it_on_its_way() {
    let key = key();
    let signer = RsaSign::new(&key).unwrap();
    let payload = payment::Payload::new(
        "u".into(),
        "201911087855441".into(),
        "Va".into(),
        "Vb".into(),
        "VAS".into(),
        "0.001".parse().unwrap(),
        "00".repeat(32).into(),
        "https://www.shop.example/pay?orderId=another&x=y".into(),
    );
    let mut query = Vec::new();
    payment::Callback::encode(&payload, Some(&Signer::rsa(&signer, ANY_TIME)), &mut query).unwrap();
    let query = String::from_utf8(query).unwrap();
    let verifier = &verifiers(&key.public())[0].1;
    let read = |query: &str| {
        let decoded = payment::Callback::decode(query.as_bytes()).unwrap();
        decoded.verify([VerifyingKey::Rsa(&**verifier)], ANY_TIME).map(payment::Payload::into_owned)
    };
    // The address's own orderId comes first; the last one counts.
    let address = link::append_query(payload.callback_url.as_str(), &query);
    let received = address.split_once('?').unwrap().1;
    assert!(received.starts_with("orderId=another&x=y&uuid=u&orderId=201911087855441&"));
    assert_eq!(read(received).unwrap(), payload);
    // In any order; but what comes behind must verify.
    let mut parts: Vec<&str> = query.split('&').collect();
    parts.reverse();
    assert_eq!(read(&parts.join("&")).unwrap(), payload);
    assert!(read(&format!("{query}&orderId=another")).is_err());
    // What the address itself brings may be no form at all.
    assert_eq!(read(&format!("amount=100%&orderId=%ff&{query}")).unwrap(), payload);
    assert!(
        payment::Callback::decode(format!("{query}&amount=100%").as_bytes()).is_err(),
        "the last one counts"
    );
    // R46: a decoder that knows no `+` sent it bare, and a space arrived.
    assert!(query.contains("%2B"), "the signature has a plus: choose another text if not");
    assert_eq!(read(&query.replace("%2B", "+")).unwrap(), payload);
    assert_eq!(read(&query.replace("%2B", "%20")).unwrap(), payload);
    assert_eq!(read(&query.replace("%2B", "%0D%0A%2B")).unwrap(), payload, "some encoders break lines");
    // A missing signature is a fault of its own.
    let without: Vec<&str> = query.split('&').filter(|part| !part.starts_with("rsaContent")).collect();
    let fault = payment::Callback::decode(without.join("&").as_bytes()).unwrap_err();
    assert_eq!((fault.kind, fault.field), (FaultKind::Missing, Some("rsaContent")));
}

#[test]
fn a_web_login_goes_out_and_in() {
    let mut login = login::Link::new("https://www.shop.example/login".into(), "123-123-123".into());
    login.platform = Some(Platform::Web);
    login.callback_type = Some(CallbackType::Glued);
    login.web_token = Some("SSFJIEKALSM".into());
    let qr = login.qr(None).unwrap();
    assert_eq!(
        qr,
        r#"vaslogin://{"type":"login","platform":"web","callbackUrl":"https://www.shop.example/login","uuid":"123-123-123","callbackType":"1","webToken":"SSFJIEKALSM"}"#
    );
    let payload = link::payload(&qr).unwrap();
    let (AnyLink::Login(read), _) = AnyLink::read(&payload).unwrap() else { panic!("a login") };
    assert_eq!(read, login);
}
