//! Request signatures.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use wallet_api::fomo::{Fomo, get_trade};
use wallet_core::crypto::{Feed, RsaSigner as _, Sha1, Sha256};
use wallet_core::{
    Algorithm, Canonical, EncodeError, Encoding, Endpoint, FieldWriter, Form, Lead, OutgoingRequest,
    Platform, Signature, SignatureFault, Signed, Signer, SigningMeta, UnixTime, Unverified, VerifyingKey,
    lead,
};
use wallet_crypto::{Portable, PrivateKey, RsaSign, RsaVerify};
use wallet_tests::{World, fields, sign};

struct Counting(AtomicU32);

impl Sha1 for Counting {
    fn sha1(&self, text: &mut Feed<'_>) -> [u8; 20] {
        self.0.fetch_add(1, Ordering::Relaxed);
        Portable::new().sha1(text)
    }
}

impl Sha256 for Counting {
    fn sha256(&self, _: &[u8]) -> [u8; 32] {
        unreachable!("FOMO's requests are hashed with SHA-1")
    }
    fn hmac(&self, _: &[u8], _: &[&[u8]]) -> [u8; 32] {
        unreachable!("FOMO's requests are hashed with SHA-1")
    }
    fn hkdf(&self, _: &[u8], _: &[u8]) -> [u8; 32] {
        unreachable!("FOMO's requests are hashed with SHA-1")
    }
}

fn vectors() -> Vec<(String, i64, String)> {
    let text = include_str!("../vectors/fomo-sign.json");
    let json: Value = serde_json::from_str(text).unwrap();
    let cases = json["cases"].as_array().unwrap();
    let case = |case: &Value| {
        let text = |name: &str| case[name].as_str().unwrap().to_owned();
        (text("client_secret"), case["timestamp"].as_i64().unwrap(), text("sign"))
    };
    cases.iter().map(case).collect()
}

fn request(timestamp: &str, sign: &str) -> http::Request<Vec<u8>> {
    http::Request::post("/fomo/oauth2/authorize/get_trade")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("client_id=a&trade_id=t&timestamp={timestamp}&sign={sign}").into_bytes())
        .unwrap()
}

#[test]
fn r08_published_samples_sign_and_verify() {
    let cases = vectors();
    assert_eq!(cases.len(), 2);
    for (secret, timestamp, expected) in cases {
        let now = UnixTime::from_secs(timestamp);
        let crypto = Portable::new();
        let signer = Signer::secret(&crypto, &secret, now);
        let mut body = Vec::new();
        let outgoing = get_trade::Request::new("a".into(), "t".into());
        outgoing.encode_form(Some(&signer), &mut body).unwrap();
        assert_eq!(
            body,
            format!("client_id=a&trade_id=t&timestamp={timestamp}&sign={expected}").into_bytes()
        );
        let incoming = request(&timestamp.to_string(), &expected);
        let unverified = get_trade::Endpoint::decode(&incoming).unwrap();
        assert_eq!(unverified.key_id(), "a");
        assert_eq!(
            unverified
                .verify([VerifyingKey::Secret(&Portable::new(), secret.as_str())], now)
                .unwrap()
                .trade_id
                .as_str(),
            "t"
        );
    }
}

#[test]
fn r08_what_is_no_timestamp_is_refused_before_anything_is_hashed() {
    let hasher = Counting(AtomicU32::new(0));
    let now = UnixTime::from_secs(1_574_510_444);
    let verify = |timestamp: &str| {
        let incoming = request(timestamp, "873b0ce5134c4007e61dbd453d1b3f72c79e1d5a");
        let unverified =
            get_trade::Endpoint::decode(&incoming).map_err(|fault| (fault.refusal.code.code, fault.field))?;
        Ok::<_, (u32, Option<&str>)>(
            unverified
                .verify([VerifyingKey::Secret(&hasher, "d1301e2dac45eaa8cbb2610e0ce51f1665792635")], now)
                .is_ok(),
        )
    };
    for timestamp in [
        "1574510444%80",
        "%2B1574510444",
        "+1574510444",
        "%201574510444",
        "01574510444",
        "1574510444%20",
        "157451044",
        "15745104440",
        "1574510444.0",
        "0x5dd92b6c11",
        "%EF%BC%91%EF%BC%95%EF%BC%97%EF%BC%94%EF%BC%95%EF%BC%91%EF%BC%90%EF%BC%94%EF%BC%94%EF%BC%94",
        "1574510444%00",
        "-157451044",
    ] {
        assert_eq!(verify(timestamp), Err((0, Some("timestamp"))), "{timestamp}");
    }
    assert_eq!(hasher.0.load(Ordering::Relaxed), 0, "nothing was hashed");
    assert_eq!(verify("1574510444"), Ok(true));
    assert_eq!(hasher.0.load(Ordering::Relaxed), 1, "and the counter counts");
}

#[test]
fn r08_a_wrong_signature_is_reported_before_a_late_one_and_the_window_is_exact() {
    let secret = "secret";
    let at = |signed: i64, now: i64, key: &str| {
        let incoming = request(&signed.to_string(), &sign(key, &signed.to_string()));
        let unverified = get_trade::Endpoint::decode(&incoming).unwrap();
        unverified
            .verify([VerifyingKey::Secret(&Portable::new(), secret)], UnixTime::from_millis(now))
            .map(|_| ())
    };
    let t = 1_574_510_444;
    for (offset, expected) in [
        (0, Ok(())),
        (600_000, Ok(())),
        (600_999, Ok(())),
        (601_000, Err(SignatureFault::Expired)),
        (-600_000, Ok(())),
        (-600_001, Err(SignatureFault::Expired)),
    ] {
        assert_eq!(at(t, t * 1000 + offset, secret), expected, "{offset} ms");
    }
    assert_eq!(at(t, t * 1000 + 9_000_000, "another"), Err(SignatureFault::Invalid));
}

#[test]
fn every_signed_field_is_one_that_the_rule_names() {
    let rule = Fomo::META.signings.iter().find(|rule| rule.id == "secret_timestamp").unwrap();
    assert!(rule.canonical.iter().map(|part| part.name).eq(["client_secret", "timestamp"]));
    let window = rule.window.unwrap();
    assert_eq!((window.field, window.seconds), ("timestamp", 600));
    let signed: Vec<&str> =
        Fomo::META.endpoints.iter().filter(|e| e.signing.is_some()).map(|e| e.id).collect();
    assert_eq!(
        signed,
        ["pre_pay", "pay_user", "get_trade", "get_events"],
        "add a new signed endpoint to this list"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r08_the_same_signature_serves_several_requests_of_one_second() {
    let world = World::start().await;
    let (token, _) = world.tokens("alice").await;
    let first = world.pre_pay_with(&token);
    for number in 0..5 {
        world.call(&first.clone().with("trade_id", &format!("same-second-{number}"))).await.ok();
    }
}

/// A signing scheme of the test's own: every algorithm, form and encoding, whether a platform has it or not.
fn scheme(algorithm: Algorithm, form: Form, encoding: Encoding) -> &'static SigningMeta {
    let key: &[Lead] = match algorithm {
        Algorithm::Sha1 => &[lead!("key")],
        Algorithm::HmacSha256 | Algorithm::RsaSha1 => &[],
    };
    let parts = [key, &[lead!("order"), lead!("at")]].concat();
    Box::leak(Box::new(SigningMeta {
        id: "every",
        algorithm,
        canonical: parts.leak(),
        form,
        key: "key",
        derive: None,
        key_id: Some("order"),
        field: "sign",
        encoding,
        window: Some(wallet_core::spec::Window { field: "at", seconds: 5 }),
        invalid: None,
        expired: None,
        doc: Default::default(),
        origin: Default::default(),
    }))
}

#[test]
fn every_combination_of_algorithm_form_and_encoding_signs_and_verifies() {
    let (crypto, now) = (Portable::new(), UnixTime::from_secs(1_600_000_000));
    let pem = include_str!("../vectors/rsa-1024.pem");
    let private = PrivateKey::load(pem).unwrap();
    let (rsa, public) = (RsaSign::new(&private).unwrap(), RsaVerify::new(&private.public()));
    for (algorithm, form, encoding) in [Algorithm::Sha1, Algorithm::HmacSha256, Algorithm::RsaSha1]
        .into_iter()
        .flat_map(|algorithm| [Form::Concat, Form::Json].map(|form| (algorithm, form)))
        .flat_map(|(algorithm, form)| {
            [Encoding::HexLower, Encoding::Base64].map(|encoding| (algorithm, form, encoding))
        })
    {
        let rule = scheme(algorithm, form, encoding);
        let order = "1/2\"+é";
        let parts = |canonical: &mut Canonical<'_>| {
            if algorithm == Algorithm::Sha1 {
                canonical.key(&lead!("key"));
            }
            canonical.field(&lead!("order"), order);
            canonical.now(&lead!("at"));
        };
        let (secret, key) = (Signer::secret(&crypto, "s3cret", now), Signer::rsa(&rsa, now));
        let (right, wrong) = match algorithm {
            Algorithm::RsaSha1 => (key, secret),
            Algorithm::Sha1 | Algorithm::HmacSha256 => (secret, key),
        };
        assert_eq!(Signature::new(&wrong, rule, parts).unwrap_err(), EncodeError::NoSigner);
        let mut form_text = Vec::new();
        let signature = Signature::new(&right, rule, parts).unwrap();
        signature.write_sign(&lead!("sign"), &mut FieldWriter::form(&mut form_text));
        let (name, given) = fields(std::str::from_utf8(&form_text).unwrap()).remove(0);
        assert_eq!(name, "sign");

        // What is signed, written down by hand.
        let key_first = if algorithm == Algorithm::Sha1 { "s3cret" } else { "" };
        let text = match form {
            Form::Concat => format!("{key_first}{order}1600000000"),
            Form::Json if key_first.is_empty() => r#"{"order":"1/2\"+é","at":"1600000000"}"#.to_owned(),
            Form::Json => r#"{"key":"s3cret","order":"1/2\"+é","at":"1600000000"}"#.to_owned(),
        };
        let bytes = match algorithm {
            Algorithm::Sha1 => crypto.sha1(&mut |put| put(text.as_bytes())).to_vec(),
            Algorithm::HmacSha256 => crypto.hmac(b"s3cret", &[text.as_bytes()]).to_vec(),
            Algorithm::RsaSha1 => rsa.sign_sha1(text.as_bytes()).unwrap(),
        };
        let expected = match encoding {
            Encoding::HexLower => wallet_core::crypto::hex_text(&bytes),
            Encoding::Base64 => STANDARD.encode(&bytes),
        };
        assert_eq!(given, expected, "{algorithm:?} {form:?} {encoding:?}");

        let verify = |order: &'static str, at: &'static str, sign: String, keys: &[VerifyingKey<'_>], now| {
            let texts = [Some(order.into()), Some(at.into())];
            let signed = match algorithm {
                Algorithm::Sha1 => {
                    let [order, at] = texts;
                    Signed::new(rule, Some("id".into()), [None, order, at], Some(sign.into()))
                }
                _ => Signed::new(rule, Some("id".into()), texts, Some(sign.into())),
            };
            Unverified::new((), signed).verify(keys.iter().copied(), now)
        };
        let (other, good) = match algorithm {
            Algorithm::RsaSha1 => (VerifyingKey::Secret(&crypto, "s3cret"), VerifyingKey::Rsa(&public)),
            _ => (VerifyingKey::Rsa(&public), VerifyingKey::Secret(&crypto, "s3cret")),
        };
        let at = "1600000000";
        let invalid = Err(SignatureFault::Invalid);
        assert_eq!(verify("1/2\"+é", at, given.clone(), &[other, good], now), Ok(()));
        assert_eq!(verify("1/2\"+é", at, given.clone(), &[other], now), invalid);
        assert_eq!(verify("1/2\"+e", at, given.clone(), &[good], now), invalid);
        assert_eq!(verify("1/2\"+é", "1600000001", given.clone(), &[good], now), invalid);
        assert_eq!(verify("1/2\"+é", at, given.to_uppercase(), &[good], now), invalid);
        assert_eq!(verify("1/2\"+é", at, String::new(), &[good], now), invalid);
        let late = UnixTime::from_secs(1_600_000_006);
        assert_eq!(verify("1/2\"+é", at, given, &[good], late), Err(SignatureFault::Expired));
    }
}
