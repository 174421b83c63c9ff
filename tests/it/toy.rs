//! A third platform, which nobody has: the macro knows kinds, never a platform.

use wallet_core::{
    BodyFormat, Callback, EncodeCx, OutgoingRequest, Platform, Signer, UnixTime, VerifyingKey,
};
use wallet_crypto::Portable;

mod toy_platform {
    /// A toy.
    #[derive(wallet_macros::WalletApi, Debug)]
    #[wallet(spec_text = r#"
[platform]
id = "toy"
base_path = "/toy/v1/"
doc = { zh = "玩具", en = "A toy" }
[envelope]
success = "ok"
status = "code"
message = "text"
data = "result"
ok = 0
[faults]
field = "bad"
body = "bad"
body_too_large = "bad"
bearer = "who"
internal = "bad"
overloaded = "bad"
[[type]]
name = "shop"
base = "text"
max = 8
doc = { zh = "店", en = "A shop" }
[[choice]]
name = "colour"
doc = { zh = "颜色", en = "A colour" }
values = [
  { id = "red", value = "R", doc = { zh = "红", en = "Red" } },
  { id = "deep_blue", value = "B", doc = { zh = "深蓝", en = "Deep blue" } },
]
[[code]]
id = "fine"
code = 0
text = { zh = "好", en = "Fine" }
[[code]]
id = "bad"
code = 9
text = { zh = "坏", en = "Bad" }
[[code]]
id = "who"
code = 8
text = { zh = "谁", en = "Who" }
[[signing]]
id = "everything"
algorithm = "sha1"
canonical = ["key", "shop", "sum", "at"]
key = "key"
key_id = "shop"
field = "mark"
encoding = "hex_lower"
window = { field = "at", seconds = 5 }
doc = { zh = "签名", en = "Signs shop and sum" }
[[endpoint]]
id = "buy"
method = ["POST"]
path = "buy"
caller = "app_server"
auth = "signature"
signing = "everything"
errors = ["bad"]
doc = { zh = "买", en = "Buy" }
request = [
  { name = "shop" },
  { name = "sum", type = "amount", doc = { zh = "金额", en = "How much" } },
  { name = "type", type = "colour", required = false },
  { name = "at", type = "timestamp" },
  { name = "mark", type = "signature" },
]
response = [{ name = "n", type = "integer", doc = { zh = "号", en = "A number" } }]
[[endpoint]]
id = "look"
method = ["GET"]
path = "look"
caller = "anyone"
auth = "none"
doc = { zh = "看", en = "Look" }
[[callback]]
id = "bought"
method = "POST"
target = "shop"
acknowledged_by = { http_status = 204 }
retry = [{ times = 2, wait = "50ms" }]
deadline = "1s"
max_reply_bytes = 10
doc = { zh = "已买", en = "Bought" }
fields = [{ name = "shop" }, { name = "type", type = "colour" }]
"#)]
    pub struct Toy;
}

use toy_platform::{AnyRequest, Colour, Toy, bought, buy};

fn request() -> buy::Request<'static> {
    buy::Request { shop: "a & b".into(), sum: "1.50".parse().unwrap(), r#type: Some(Colour::DeepBlue) }
}

#[test]
fn a_third_platform_encodes_routes_decodes_and_verifies() {
    let (crypto, now) = (Portable::new(), UnixTime::from_secs(1_600_000_000));
    for format in [BodyFormat::Form, BodyFormat::Json, BodyFormat::Multipart] {
        let signer = Some(Signer::secret(&crypto, "k", now));
        let cx = EncodeCx { base_url: "http://x/toy/v1/", format, bearer: None, signer };
        let http = request().encode(&cx).unwrap();
        let Ok(AnyRequest::Buy(unverified)) = AnyRequest::decode(&http) else { panic!("{http:?}") };
        assert_eq!(unverified.key_id(), "a & b");
        assert_eq!(unverified.verify([VerifyingKey::Secret(&Portable::new(), "k")], now).unwrap(), request());
    }
    // Every signed field is covered.
    let signer = Signer::secret(&crypto, "k", now);
    let mut body = Vec::new();
    request().encode_form(Some(&signer), &mut body).unwrap();
    for (from, to) in [("sum=1.50", "sum=1.5"), ("shop=a", "shop=b"), ("at=1600000000", "at=1600000001")] {
        let changed = String::from_utf8(body.clone()).unwrap().replace(from, to);
        let http =
            http::Request::post("/toy/v1/buy").header("content-type", "application/x-www-form-urlencoded");
        let http = http.body(changed.into_bytes()).unwrap();
        let Ok(AnyRequest::Buy(unverified)) = AnyRequest::decode(&http) else { panic!() };
        assert!(unverified.verify([VerifyingKey::Secret(&Portable::new(), "k")], now).is_err(), "{to}");
    }
    assert!(matches!(
        AnyRequest::decode(&http::Request::get("/toy/v1/look").body("").unwrap()),
        Ok(AnyRequest::Look(_))
    ));
    let other = AnyRequest::decode(&http::Request::get("/toy/v1/buy").body("").unwrap()).unwrap_err();
    assert_eq!(other, wallet_core::DecodeError::WrongMethod { allow: "POST" });
    assert!(AnyRequest::decode(&http::Request::get("/fomo/buy").body("").unwrap()).is_err());
    assert_eq!(Toy::META.endpoints.len(), 2);
}

#[test]
fn a_third_platforms_replies_and_callbacks_are_its_own() {
    let reply = wallet_core::success_body::<buy::Endpoint>(wallet_core::Lang::En, &buy::Response { n: 7 });
    assert_eq!(
        String::from_utf8(reply.clone()).unwrap(),
        r#"{"ok":true,"code":0,"text":"Fine","result":{"n":"7"}}"#
    );
    let reply = http::Response::builder().body(reply).unwrap();
    assert_eq!(buy::Request::decode_response(&reply).unwrap().n, 7);
    let mut body = Vec::new();
    let payload = bought::Payload { shop: "s".into(), r#type: Colour::Red };
    bought::Callback::encode(&payload, None, &mut body).unwrap();
    assert_eq!(body, b"shop=s&type=R");
    assert_eq!(bought::Callback::decode(&body).unwrap().r#type, Colour::Red);
    assert!(bought::Callback::decode(b"shop=s&type=X").is_err());
    assert_eq!(bought::Callback::META.schedule.attempts(), 2);
}
