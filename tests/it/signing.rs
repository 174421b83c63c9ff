//! Request signatures.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use wallet_api::fomo::{Fomo, get_trade};
use wallet_core::crypto::{Feed, Sha1};
use wallet_core::{Endpoint, OutgoingRequest, Platform, SignatureFault, Signer, UnixTime};
use wallet_crypto::Portable;
use wallet_tests::{World, sign};

struct Counting(AtomicU32);

impl Sha1 for Counting {
    fn sha1(&self, text: &mut Feed<'_>) -> [u8; 20] {
        self.0.fetch_add(1, Ordering::Relaxed);
        Portable::new().sha1(text)
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
        let signer = Signer::Sha1 { sha1: &Portable::new(), key: &secret, now };
        let mut body = Vec::new();
        let outgoing = get_trade::Request { client_id: "a".into(), trade_id: "t".into() };
        outgoing.encode_form(Some(&signer), &mut body).unwrap();
        assert_eq!(
            body,
            format!("client_id=a&trade_id=t&timestamp={timestamp}&sign={expected}").into_bytes()
        );
        let incoming = request(&timestamp.to_string(), &expected);
        let unverified = get_trade::Endpoint::decode(&incoming).unwrap();
        assert_eq!(unverified.key_id(), "a");
        assert_eq!(
            unverified.verify(&Portable::new(), [secret.as_str()], now).unwrap().trade_id.as_str(),
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
            unverified.verify(&hasher, ["d1301e2dac45eaa8cbb2610e0ce51f1665792635"], now).is_ok(),
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
fn r08_wrong_is_told_before_late_and_the_window_is_exact() {
    let secret = "secret";
    let at = |signed: i64, now: i64, key: &str| {
        let incoming = request(&signed.to_string(), &sign(key, &signed.to_string()));
        let unverified = get_trade::Endpoint::decode(&incoming).unwrap();
        unverified.verify(&Portable::new(), [secret], UnixTime::from_millis(now)).map(|_| ())
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
    assert_eq!(rule.window, Some(("timestamp", 600)));
    let signed: Vec<&str> =
        Fomo::META.endpoints.iter().filter(|e| e.signing.is_some()).map(|e| e.id).collect();
    assert_eq!(signed, ["pre_pay", "pay_user", "get_trade"]);
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
