//! The pre_pay form body out and in, beside serde_urlencoded with an equal owned struct; canonical JSON and links out and
//! in, beside serde_json with percent-encoding.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use wallet_api::fomo::{CoinId, ServerUri, pre_pay};
use wallet_api::vas::{AnyLink, Platform, Profile, login, pay};
use wallet_benches::{Counting, Figure, interleaved, report, subject};
use wallet_core::link::{self, OutgoingLink as _};
use wallet_core::{Endpoint as _, OutgoingRequest as _, Signer, UnixTime};
use wallet_crypto::Portable;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What serde_urlencoded reads and writes: the same twelve fields, owned.
#[derive(Serialize, Deserialize)]
struct Owned {
    direction: String,
    timestamp: String,
    sign: String,
    trade_id: String,
    amount: String,
    coin_id: String,
    client_id: String,
    server_uri: String,
    redirect_uri: String,
    state: String,
    scope: String,
    response_type: String,
}

fn main() {
    let crypto = Portable::new();
    let signer = Signer::secret(
        &crypto,
        "d1301e2dac45eaa8cbb2610e0ce51f1665792635",
        UnixTime::from_secs(1_574_510_444),
    );
    // Values as apps send them; the addresses are encoded, so that decoding has work to do.
    let request = pre_pay::Request::new(
        "20191123-000017".into(),
        "12.50".parse().expect("an amount"),
        CoinId::new(5),
        "wen_jing".into(),
        ServerUri::new("https://shop.example/fomo/callback").expect("an address"),
        "wenjing.example/back.php".into(),
        "a8f5f167f44f4964e6c998dee827110c".into(),
    );
    let mut body = Vec::new();
    request.encode_form(Some(&signer), &mut body).expect("signed");
    let text = String::from_utf8(body.clone()).expect("a form is ASCII");
    let owned: Owned = serde_urlencoded::from_str(&text).expect("the same fields");
    assert_eq!(
        serde_urlencoded::to_string(&owned).expect("the same form"),
        text,
        "both write the same bytes"
    );
    let http = http::Request::post("/fomo/oauth2/resource/pre_pay")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", "Bearer d1301e2dac45eaa8cbb2610e0ce51f1665792635")
        .body(body.clone())
        .expect("a request");
    assert!(pre_pay::Endpoint::decode(&http).is_ok());

    let mut out = Vec::with_capacity(1024);
    // Out: ours also signs; so the hash is added to the other, which finds its signature ready.
    let mut figures = interleaved(vec![
        subject("out: the generated type, signing included", || {
            out.clear();
            request.encode_form(Some(&signer), &mut out).is_ok()
        }),
        subject("out: serde_urlencoded, the signature being ready", || {
            serde_urlencoded::to_string(&owned).is_ok()
        }),
        subject("in: the generated type", || pre_pay::Endpoint::decode(&http).is_ok()),
        subject("in: serde_urlencoded into an owned struct", || {
            serde_urlencoded::from_bytes::<Owned>(&body).is_ok()
        }),
    ]);
    figures.extend(links());
    for (name, ours, theirs) in [
        ("form out", 0, 1),
        ("form in", 2, 3),
        ("canonical JSON", 4, 5),
        ("link out", 6, 7),
        ("link in", 8, 9),
        ("signed link in", 10, 11),
    ] {
        let ratio = |ours: f64, theirs: f64| theirs / ours;
        let (a, b) = (&figures[ours], &figures[theirs]);
        let mut figure =
            Figure::of(format!("{name}: how many times faster"), "×", vec![ratio(a.median, b.median)]);
        (figure.q1, figure.q3) = (ratio(a.q3, b.q1), ratio(a.q1, b.q3));
        figures.push(figure);
    }
    report("encoding", &figures);
}

/// What must be encoded of a link's JSON beside what `encodeURI` encodes anyway.
const LINK: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'\'')
    .add(b'+')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A login's link, as serde_json reads and writes it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Login {
    r#type: String,
    platform: String,
    callback_url: String,
    uuid: String,
    web_token: String,
}

/// A payment's, with everything that is signed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pay {
    r#type: String,
    app_uuid: String,
    order_id: String,
    to_addr: String,
    asset_type: String,
    amount: String,
    callback_url: String,
    description: String,
    signed_content: String,
}

/// What a signature covers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Canonical<'a> {
    amount: &'a str,
    app_uuid: &'a str,
    asset_type: &'a str,
    callback_url: &'a str,
    order_id: &'a str,
    to_addr: &'a str,
}

fn links() -> Vec<Figure> {
    let canonical = Canonical {
        amount: "12.50",
        app_uuid: "73f2dc3d-bcf9-3449-ab35-3fc4bcb1e815",
        asset_type: "VAS",
        callback_url: "https://www.shop.example/pay?orderId=201911087855441",
        order_id: "201911087855441",
        to_addr: "Vt1LBNcKVQR45vWpAxxhZs4PLNASqEXYE7",
    };
    let mut pay = pay::Link::new(
        canonical.app_uuid.into(),
        canonical.order_id.into(),
        canonical.to_addr.into(),
        canonical.asset_type.into(),
        canonical.amount.parse().expect("an amount"),
        canonical.callback_url.into(),
    );
    pay.description = Some("一杯咖啡".into());
    let (mut ours, mut theirs) = (Vec::with_capacity(1024), Vec::with_capacity(1024));
    pay.signed_text(&mut ours);
    serde_json::to_writer(&mut theirs, &canonical).expect("written");
    assert_eq!(ours, theirs, "both write the same bytes");

    let mut asks =
        login::Link::new("https://www.shop.example/login?from=qr".into(), canonical.app_uuid.into());
    asks.platform = Some(Platform::Web);
    asks.web_token = Some("a8f5f167f44f4964e6c998dee827110c".into());
    let login = Login {
        r#type: "login".into(),
        platform: "web".into(),
        callback_url: asks.callback_url.as_str().into(),
        uuid: canonical.app_uuid.into(),
        web_token: "a8f5f167f44f4964e6c998dee827110c".into(),
    };
    let scheme = Profile::Vas.scheme();
    let encoded = |json: &str| format!("{scheme}://{}", utf8_percent_encode(json, LINK));
    let link = asks.app(scheme, None).expect("a link");
    assert_eq!(link, encoded(&serde_json::to_string(&login).expect("written")), "both write the same bytes");
    let signed = Pay {
        r#type: "pay".into(),
        app_uuid: canonical.app_uuid.into(),
        order_id: canonical.order_id.into(),
        to_addr: canonical.to_addr.into(),
        asset_type: "VAS".into(),
        amount: "12.50".into(),
        callback_url: canonical.callback_url.into(),
        description: "一杯咖啡".into(),
        // As long as a signature of 2048 bits, and as varied.
        signed_content: "mF3c+0Zk9/QxW7bLrT2aYpHsVjD8gUeN1oKi5RtCzEwB6qMlXfGyJdOhSnPuAv4I".repeat(5)
            + "mF3c+0Zk9/QxW7bLrT2aYg==",
    };
    let signed = encoded(&serde_json::to_string(&signed).expect("written"));
    let read = |link: &str| link::payload(link).is_ok_and(|payload| AnyLink::read(&payload).is_ok());
    assert!(read(&link) && read(&signed));

    let mut canonical_out = Vec::with_capacity(1024);
    let mut canonical_theirs = Vec::with_capacity(1024);
    let mut out = Vec::with_capacity(1024);
    let mut json = Vec::with_capacity(1024);
    let mut text = String::with_capacity(1024);
    let parts = |link: &str| {
        let (_, rest) = link.split_once("://").expect("a link");
        percent_decode_str(rest).decode_utf8().expect("UTF-8").into_owned()
    };
    interleaved(vec![
        subject("canonical JSON: what a payment's signature covers", || {
            canonical_out.clear();
            pay.signed_text(&mut canonical_out);
        }),
        subject("canonical JSON: serde_json into a buffer", || {
            canonical_theirs.clear();
            serde_json::to_writer(&mut canonical_theirs, &canonical).is_ok()
        }),
        subject("link out: a login", || {
            out.clear();
            asks.app_into(scheme, None, &mut out).is_ok()
        }),
        subject("link out: serde_json and percent-encoding into buffers", || {
            json.clear();
            text.clear();
            serde_json::to_writer(&mut json, &login).expect("written");
            text.push_str(scheme);
            text.push_str("://");
            text.extend(utf8_percent_encode(std::str::from_utf8(&json).expect("JSON"), LINK));
        }),
        subject("link in: a login", || read(&link)),
        subject("link in: percent-encoding and serde_json into an owned struct", || {
            serde_json::from_str::<Login>(&parts(&link)).is_ok()
        }),
        subject("signed link in: a payment", || read(&signed)),
        subject("signed link in: percent-encoding and serde_json into an owned struct", || {
            serde_json::from_str::<Pay>(&parts(&signed)).is_ok()
        }),
    ])
}
