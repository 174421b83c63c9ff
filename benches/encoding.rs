//! The pre_pay form body out and in, beside serde_urlencoded with an equal owned struct.

use serde::{Deserialize, Serialize};
use wallet_api::fomo::{CoinId, ServerUri, pre_pay};
use wallet_benches::{Counting, Figure, interleaved, report, subject};
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
    let signer = Signer::Sha1 {
        sha1: &crypto,
        key: "d1301e2dac45eaa8cbb2610e0ce51f1665792635",
        now: UnixTime::from_secs(1_574_510_444),
    };
    // Values as apps send them; the addresses are encoded, so that decoding has work to do.
    let request = pre_pay::Request {
        trade_id: "20191123-000017".into(),
        amount: "12.50".parse().expect("an amount"),
        coin_id: CoinId::new(5),
        client_id: "wen_jing".into(),
        server_uri: ServerUri::new("https://shop.example/fomo/callback").expect("an address"),
        redirect_uri: "wenjing.example/back.php".into(),
        state: "a8f5f167f44f4964e6c998dee827110c".into(),
    };
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
    for (name, ours, theirs) in [("out", 0, 1), ("in", 2, 3)] {
        let ratio = |ours: f64, theirs: f64| theirs / ours;
        let (a, b) = (&figures[ours], &figures[theirs]);
        let mut figure =
            Figure::of(format!("{name}: how many times faster"), "×", vec![ratio(a.median, b.median)]);
        (figure.q1, figure.q3) = (ratio(a.q3, b.q1), ratio(a.q1, b.q3));
        figures.push(figure);
    }
    report("encoding", &figures);
}
