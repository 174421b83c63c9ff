//! The signature debugger: every cause is found in a signature that was made so.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde_json::Value;
use sha1::{Digest as _, Sha1};
use wallet_api::vas::pay;
use wallet_core::crypto::{RsaSigner as _, Sha256 as _, hex_text};
use wallet_core::link::OutgoingLink;
use wallet_core::{Lang, LinkMeta};
use wallet_crypto::{Portable, PrivateKey, PublicKey, RsaSign};
use wallet_explain::{Cause, Finding, FomoSign, Spelling, fomo, rsa as explain, serializers};

fn sha1(text: &str) -> Vec<u8> {
    Sha1::digest(text.as_bytes()).to_vec()
}

fn request<'a>(secret: &'a str, timestamp: &'a str, sign: &'a str) -> FomoSign<'a> {
    FomoSign { secret, client_id: "", timestamp, sign, now: None, others: &[] }
}

#[test]
fn every_mistake_with_sign_is_explained() {
    let (secret, now) = ("d1301e2dac45eaa8cbb2610e0ce51f1665792635", "1574510444");
    let made = |text: String| hex_text(&sha1(&text));
    let right = made(format!("{secret}{now}"));
    let other = made(format!("{secret}1574510441"));
    for (timestamp, sign, cause) in [
        (now, right.clone(), Cause::Fits),
        (now, right.to_uppercase(), Cause::Spelled(Spelling::UpperCase)),
        ("1574510444123", right.clone(), Cause::Milliseconds),
        ("157451044", right.clone(), Cause::NotTenDigits),
        ("+157451044", right.clone(), Cause::NotTenDigits),
        (now, "0".repeat(32), Cause::OtherHash("MD5")),
        (now, "0".repeat(64), Cause::OtherHash("SHA-256")),
        (now, "no sign at all".to_owned(), Cause::NotHex),
        (now, STANDARD.encode(sha1(&format!("{secret}{now}"))), Cause::Spelled(Spelling::Base64)),
        (now, made(format!("{now}{secret}")), Cause::Swapped),
        (now, made(format!("{secret}&{now}")), Cause::Separator("&")),
        (now, made(format!("{secret}{now}\n")), Cause::LineEnd),
        (now, made(format!("{secret}\n{now}")), Cause::LineEnd),
        (now, other, Cause::OtherTimestamp(1_574_510_441)),
        (now, made(format!("another{now}")), Cause::OtherSecret),
    ] {
        let found = fomo(&Portable::new(), &request(secret, timestamp, &sign));
        assert_eq!(found.cause, cause);
        assert!(
            !found.expected.contains(secret) && !format!("{found:?}").contains(secret),
            "no secret is shown"
        );
        for lang in [Lang::Zh, Lang::En] {
            assert!(found.cause.in_words(lang).len() > 5);
        }
    }
}

#[test]
fn milliseconds_are_explained_with_the_right_seconds_and_a_secret_is_asked_for() {
    let sign = "0".repeat(40);
    let found = fomo(&Portable::new(), &request("secret", "1574510444123", &sign));
    assert_eq!(found.expected, "client_secret + 1574510444");
    assert_eq!(
        (found.found.as_deref(), found.differs_at()),
        (Some("client_secret + 1574510444123"), Some(26))
    );
    let right = hex_text(&sha1("1574510444"));
    assert_eq!(fomo(&Portable::new(), &request("", "1574510444", &right)).cause, Cause::NoSecret);
}

fn vector(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn finding(key: &PublicKey, fields: &[(&str, &str)], signature: &[u8]) -> Finding {
    let crypto = Portable::new();
    explain(
        &crypto,
        &|signature| key.recover_message(signature),
        LINK.fields,
        fields,
        &STANDARD.encode(signature),
    )
}

/// SHA1withRSA by the project's own backend.
fn signer(keys: &Value) -> impl Fn(&str) -> Vec<u8> {
    let key = PrivateKey::load(keys["private_pkcs8_base64"].as_str().unwrap()).unwrap();
    let signer = RsaSign::new(&key).unwrap();
    move |text| signer.sign_sha1(text.as_bytes()).unwrap()
}

/// The link whose signature is looked at.
const LINK: &LinkMeta = <pay::Link<'_> as OutgoingLink>::META;

const FIELDS: [(&str, &str); 6] = [
    ("amount", "0.001"),
    ("appUuid", "73f2dc3d-bcf9-3449-ab35-3fc4bcb1e815"),
    ("assetType", "VAS"),
    ("callbackUrl", "https://www.shop.example/付款?orderId=1&t=<2>"),
    ("orderId", "订单-1"),
    ("toAddr", "V179lygq1dpowbQz"),
];

#[test]
fn every_serializer_is_recognised_by_its_output() {
    let keys = vector("vas-rsa-1024.json");
    let (sign, public) =
        (signer(&keys), PublicKey::load(keys["public_spki_base64"].as_str().unwrap()).unwrap());
    let canonical = finding(&public, &FIELDS, b"").expected;
    assert_eq!(finding(&public, &FIELDS, &sign(&canonical)).cause, Cause::Fits);
    let known = serializers(LINK.fields, &FIELDS);
    assert!(known.len() >= 11);
    for serializer in known {
        assert_ne!(serializer.text, canonical, "{}", serializer.name);
        let found = finding(&public, &FIELDS, &sign(&serializer.text));
        assert_eq!(found.cause, Cause::Serializer { serializer: serializer.clone(), other_hash: None });
        assert_eq!(found.found.as_deref(), Some(&*serializer.text));
        let at = found.differs_at().unwrap();
        assert_eq!(found.expected.as_bytes()[..at], serializer.text.as_bytes()[..at]);
        assert_ne!(found.expected.as_bytes().get(at), serializer.text.as_bytes().get(at));
    }
    // Known texts of the ones that are not run here.
    let text = |name: &str| {
        serializers(LINK.fields, &FIELDS).into_iter().find(|known| known.name == name).unwrap().text
    };
    assert!(text("Gson").contains("orderId\\u003d1\\u0026t\\u003d\\u003c2\\u003e"));
    assert!(text("PHP json_encode").contains("https:\\/\\/www.shop.example\\/\\u4ed8\\u6b3e?"));
    assert!(text("Go encoding/json").contains("付款?orderId=1\\u0026t=\\u003c2\\u003e"));
    assert_eq!(finding(&public, &FIELDS, &sign("something else")).cause, Cause::OtherText);
}

#[test]
fn another_order_and_unsigned_fields_are_reported() {
    let keys = vector("vas-rsa-1024.json");
    let (sign, public) =
        (signer(&keys), PublicKey::load(keys["public_spki_base64"].as_str().unwrap()).unwrap());
    let text = |fields: &[(&str, &str)]| {
        let mut out = Vec::new();
        wallet_core::json::write_object(fields.iter().copied(), &mut out);
        String::from_utf8(out).unwrap()
    };
    let mut reversed = FIELDS;
    reversed.reverse();
    let mut swapped = FIELDS;
    swapped.swap(1, 4);
    let kind = ("type", "pay");
    let first: Vec<_> = [kind].into_iter().chain(FIELDS).collect();
    let last: Vec<_> = FIELDS.into_iter().chain([kind]).collect();
    for (fields, told_as) in [
        (&reversed[..], "in another order"),
        (&swapped[..], "in another order"),
        (&first, "does not cover `type`"),
        (&last, "does not cover `type`"),
    ] {
        let found = finding(&public, &FIELDS, &sign(&text(fields)));
        assert!(found.cause.in_words(Lang::En).contains(told_as), "{:?}", found.cause);
        assert_eq!(found.found, Some(text(fields)));
    }
    // Not of whatever length: all orders of much text are much work.
    let long = "x".repeat(1_024);
    let mut much = FIELDS;
    much[3].1 = &long;
    let mut swapped = much;
    swapped.swap(1, 4);
    assert_eq!(finding(&public, &much, &sign(&text(&swapped))).cause, Cause::OtherText);
    let mut other = FIELDS;
    other[0].1 = "0.002";
    assert_eq!(finding(&public, &FIELDS, &sign(&text(&other))).cause, Cause::OtherText);
}

#[test]
fn other_keys_hashes_and_lengths_are_reported() {
    let (one, two) = (vector("vas-rsa-1024.json"), vector("vas-rsa-2048.json"));
    let der = STANDARD.decode(two["private_pkcs8_base64"].as_str().unwrap()).unwrap();
    let private = RsaPrivateKey::from_pkcs8_der(&der).unwrap();
    let public = PublicKey::load(two["public_spki_base64"].as_str().unwrap()).unwrap();
    let canonical = finding(&public, &FIELDS, b"").expected;
    let crypto = Portable::new();
    let mut info = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20".to_vec();
    info.extend(crypto.sha256(canonical.as_bytes()));
    let unprefixed = Pkcs1v15Sign::new_unprefixed();
    let sha256 = private.sign(unprefixed.clone(), &info).unwrap();
    assert_eq!(finding(&public, &FIELDS, &sha256).cause, Cause::RightTextOtherHash("SHA-256"));
    let last = info.len() - 1;
    info[last] ^= 1;
    let other = private.sign(unprefixed, &info).unwrap();
    let cause = finding(&public, &FIELDS, &other).cause;
    assert_eq!(cause, Cause::HashedWith("SHA-256"));
    assert!(cause.in_words(Lang::En).starts_with("It was hashed with SHA-256: use SHA1withRSA"));
    // What PHP writes, with SHA-256: both are reported.
    let php = serializers(LINK.fields, &FIELDS).swap_remove(0);
    let mut info = info[..19].to_vec();
    info.extend(crypto.sha256(php.text.as_bytes()));
    let both = private.sign(Pkcs1v15Sign::new_unprefixed(), &info).unwrap();
    let cause = finding(&public, &FIELDS, &both).cause;
    assert_eq!(cause, Cause::Serializer { serializer: php, other_hash: Some("SHA-256") });
    assert!(
        cause.in_words(Lang::En).contains("JSON_UNESCAPED_SLASHES")
            && cause.in_words(Lang::En).contains("SHA-1")
    );
    let short = signer(&one)(&canonical);
    assert_eq!(finding(&public, &FIELDS, &short).cause, Cause::WrongLength);
    let stranger = RsaSign::new(&PrivateKey::generate(2048).unwrap()).unwrap();
    let stranger = stranger.sign_sha1(canonical.as_bytes()).unwrap();
    let beyond_the_modulus = vec![255; stranger.len()];
    for other in [&stranger[..], &beyond_the_modulus] {
        assert_eq!(finding(&public, &FIELDS, other).cause, Cause::OtherKey);
    }
    let found =
        explain(&crypto, &|signature| public.recover_message(signature), LINK.fields, &FIELDS, "no base64!");
    assert_eq!(found.cause, Cause::NotBase64);
}

/// What Python and Node write, byte for byte.
#[test]
fn the_table_is_what_the_serializers_really_write() {
    let vectors = vector("serializers.json");
    let mut compared = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let fields: Vec<(&str, &str)> = (case["fields"].as_array().unwrap().iter())
            .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
            .collect();
        let mut canonical = Vec::new();
        wallet_core::json::write_object(fields.iter().copied(), &mut canonical);
        assert_eq!(String::from_utf8(canonical).unwrap(), case["canonical"].as_str().unwrap());
        for serializer in serializers(LINK.fields, &fields) {
            if let Some(real) = case[serializer.name].as_str() {
                assert_eq!(serializer.text, real, "{}", serializer.name);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 14);
}

#[test]
fn a_callback_with_two_signatures_or_an_absurd_time_is_explained() {
    use wallet_core::{Callback as _, UnixTime};
    let (crypto, rule) = (Portable::new(), wallet_api::fomo::payment_result::Callback::META.signing.unwrap());
    let (secret, body) = ("d1301e2dac45eaa8cbb2610e0ce51f1665792635", "trade_id=o-1");
    let key = crypto.hkdf(secret.as_bytes(), rule.derive.unwrap().as_bytes());
    let mac = |key: &[u8], text: &str| STANDARD.encode(crypto.hmac(key, &[text.as_bytes()]));
    let explained = |timestamp: &str, signature: &str, computed: &str| {
        let received = wallet_explain::Received {
            rule,
            secret,
            id: "1",
            timestamp,
            signature,
            body,
            computed,
            now: Some(UnixTime::from_secs(1_574_510_444)),
        };
        wallet_explain::webhook(&crypto, &received).cause
    };
    let now = "1574510444";
    let right = mac(&key, &format!("1.{now}.{body}"));
    let raw = mac(secret.as_bytes(), &format!("1.{now}.{body}"));
    let other = mac(b"another", "text");
    // After a rotation there are two (R37): one of them is right, or has a mistake.
    assert_eq!(explained(now, &format!("v1,{other} v1,{right}"), ""), Cause::Fits);
    assert_eq!(explained(now, &format!("v1,{other} v1,{raw}"), ""), Cause::KeyNotDerived);
    assert_eq!(explained(now, &format!("v1,{other}"), ""), Cause::OtherWebhookKey);
    assert_eq!(explained(now, &right, ""), Cause::NoVersion, "a header without its version");
    assert_eq!(explained(now, &format!("v1,{other}"), &format!("v1,{right}")), Cause::HeaderForged);
    for absurd in ["-9223372036854775808", "9223372036854775807"] {
        let right = mac(&key, &format!("1.{absurd}.{body}"));
        assert!(matches!(explained(absurd, &format!("v1,{right}"), ""), Cause::Stale { .. }), "{absurd}");
    }
}
