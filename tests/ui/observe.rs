// What a toy protocol does: made into text, so that two protocols can be compared. `keys.rs` puts a module for each
// changed spec before it.

/// A fixed key, time and hash for everything.
const NOW: wallet_core::UnixTime = wallet_core::UnixTime::from_secs(1_600_000_000);

/// Hashes that are none: what is looked at is what goes into them and how it comes out.
struct Hashes;

fn mixed<const N: usize>(bytes: impl IntoIterator<Item = u8>) -> [u8; N] {
    let mut out = [0_u8; N];
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes.into_iter().chain([0; N]) {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        out.rotate_left(1);
        out[0] ^= (state >> 32) as u8;
    }
    out
}

impl wallet_core::crypto::Sha1 for Hashes {
    fn sha1(&self, text: &mut wallet_core::crypto::Feed<'_>) -> [u8; 20] {
        let mut all = Vec::new();
        text(&mut |part| all.extend_from_slice(part));
        mixed(all)
    }
}

impl wallet_core::crypto::Sha256 for Hashes {
    fn sha256(&self, data: &[u8]) -> [u8; 32] {
        mixed(data.to_vec())
    }
    fn hmac(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        mixed([b"hmac", key, &parts.concat()].concat())
    }
    fn hkdf(&self, secret: &[u8], info: &[u8]) -> [u8; 32] {
        mixed([b"hkdf", secret, info].concat())
    }
}

#[allow(unused_macros)]
macro_rules! observe {
    ($toy:ident) => {{
        use std::fmt::Write as _;
        use wallet_core::link::OutgoingLink as _;
        use wallet_core::{Callback, OutgoingRequest, Platform, Signer, VerifyingKey};
        use $toy::{AnyLink, AnyRequest, ErrorCode, Profile, Size, Toy, bought, buy, lifetimes, limits, price, see, sold, visit};

        let mut seen = String::new();
        let hashes = Hashes;
        let keys = || [VerifyingKey::Secret(&hashes, "secret")];

        // Bytes: a request, a link, a callback.
        let request = buy::Request {
            shop: "ab".into(),
            sum: "1.50".parse().unwrap(),
            note: None,
            size: Some(Size::Large),
        };
        let signer = Signer::secret(&hashes, "secret", NOW);
        let cx = wallet_core::EncodeCx {
            base_url: "http://x/toy/",
            format: wallet_core::BodyFormat::Form,
            bearer: Some("t"),
            signer: Some(signer),
        };
        writeln!(seen, "request: {:?}", request.encode(&cx)).unwrap();
        let link = visit::Link { shop: "ab".into(), sum: "1.50".parse().unwrap() };
        writeln!(seen, "link: {:?} {:?}", link.app(Profile::Plain.scheme(), Some(&signer)), link.qr(Some(&signer))).unwrap();
        let mut form = Vec::new();
        bought::Callback::encode(&bought::Payload { shop: "ab".into() }, None, &mut form).unwrap();
        let rule = bought::Callback::META.signing.unwrap();
        let headers = wallet_core::webhook::sign(&hashes, rule, [&b"secret"[..]], "1", NOW, &form);
        writeln!(seen, "callback: {} {form:?} {headers:?}", bought::Callback::META.method).unwrap();

        // Decoded values, routes and refusals.
        let read = |method: &str, uri: &str, body: &str| {
            let request = http::Request::builder().method(method).uri(uri);
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let request = request.header("authorization", "Bearer t").body(body.to_owned()).unwrap();
            let read = |later: i64| match AnyRequest::decode(&request) {
                Ok(AnyRequest::Buy(read)) => {
                    let id = read.key_id().to_owned();
                    let at = wallet_core::UnixTime::from_secs(NOW.secs() + later);
                    format!("{id} {:?}", read.verify(keys(), at))
                }
                Ok(other) => format!("{other:?}"),
                Err(wallet_core::DecodeError::Bad { endpoint, fault }) => {
                    let body = wallet_core::fault_body(endpoint, wallet_core::Lang::En, fault);
                    format!("{} {}", fault.refusal.http, String::from_utf8(body).unwrap())
                }
                Err(other) => format!("{other:?}"),
            };
            format!("{} | 10 s later: {}", read(0), read(10))
        };
        let good = String::from_utf8(request.encode(&cx).unwrap().into_body()).unwrap();
        // Signed as the unchanged toy signs.
        let mark = wallet_core::crypto::hex_text(&mixed::<20>(*b"secretab1.501600000000"));
        let fixed = &*format!("kind=1&shop=ab&sum=1.50&at=1600000000&mark={mark}");
        for (method, uri, body) in [
            ("POST", "/toy/buy", &*good),
            ("POST", "/toy/buy", fixed),
            ("POST", "/toy/purchase", fixed),
            ("GET", "/toy/buy", ""),
            ("POST", "/toy/buy", &format!("{fixed}&size=S")),
            ("POST", "/toy/buy", &format!("{fixed}&note=12345")),
            ("POST", "/toy/buy", &fixed.replace("shop", "store")),
            ("POST", "/toy/buy", &fixed.replace("kind=1", "kind=2")),
            ("POST", "/toy/buy", "kind=1&sum=1.50"),
            ("POST", "/toy/buy", "kind=1&shop=abcdefghi&sum=1.50"),
            ("POST", "/toy/buy", "{"),
            ("GET", "/toy/see", ""),
            ("GET", "/toy/price", ""),
        ] {
            writeln!(seen, "{method} {uri} {body}: {}", read(method, uri, body)).unwrap();
        }
        let bare = http::Request::get("/toy/see").body("").unwrap();
        if let Err(wallet_core::DecodeError::Bad { fault, .. }) = AnyRequest::decode(&bare) {
            writeln!(seen, "without a bearer: {:?}", fault.refusal.code.code).unwrap();
        }
        for scheme in ["toyapp", "oldtoy", "toyqr"] {
            let text = format!("{scheme}://{{\"type\":\"visit\",\"shop\":\"ab\",\"sum\":\"1\",\"at\":\"1600000000\",\"mark\":\"m\"}}");
            let payload = wallet_core::link::payload(&text).unwrap();
            writeln!(seen, "{text}: {:?}", AnyLink::read(&payload).map(|(link, _)| link)).unwrap();
        }
        writeln!(seen, "callback read: {:?} {:?}", bought::Callback::decode(b"shop=ab"), sold::Callback::decode(b"shop=a&shop=b")).unwrap();

        // Replies in both directions.
        for reply in [
            r#"{"done":true,"code":"0007","text":"ok","result":{"number":"5","things":[],"thing":{"name":"n"}}}"#,
            r#"{"doen":false,"code":"0007","text":"ok","number":"5","result":{"things":[],"thing":{"name":"n"}}}"#,
            r#"{"done":false,"code":"0009","text":"no","result":{"name":"n"}}"#,
            r#"{"done":false,"code":"0008","text":"no"}"#,
        ] {
            let reply = http::Response::new(reply.as_bytes().to_vec());
            writeln!(seen, "reply: {:?}", buy::Request::decode_response(&reply)).unwrap();
        }
        let reply = http::Response::new(br#"{"done":true,"code":"0007","text":"ok","result":"1.5"}"#.to_vec());
        writeln!(seen, "price: {:?}", price::Request::decode_response(&reply)).unwrap();
        let response = see::Response { name: "n".to_owned() };
        let body = wallet_core::success_body::<see::Endpoint>(wallet_core::Lang::En, &response);
        writeln!(seen, "success: {}", String::from_utf8(body).unwrap()).unwrap();
        let response = buy::Response { number: "5".to_owned(), things: Vec::new(), thing: response };
        let body = wallet_core::success_body::<buy::Endpoint>(wallet_core::Lang::En, &response);
        writeln!(seen, "success: {}", String::from_utf8(body).unwrap()).unwrap();
        writeln!(seen, "codes: {:?} {}", ErrorCode::Bad, ErrorCode::Bad.code()).unwrap();

        // Schedules and numbers.
        for meta in Toy::META.callbacks {
            let waits: Vec<_> = (0..4).map(|attempt| meta.schedule.wait_before(attempt)).collect();
            let accepted: Vec<bool> = [(200, "{}"), (204, ""), (200, r#"{"received":true}"#), (200, r#"{"taken":true}"#)]
                .iter()
                .map(|(status, body)| wallet_core::acknowledges(meta.schedule.acknowledged_by, *status, body.as_bytes()))
                .collect();
            writeln!(seen, "schedule: {waits:?} {accepted:?}").unwrap();
        }
        writeln!(seen, "{:?} {} {}", lifetimes::VISIT, limits::VISITS, Profile::Plain.colour()).unwrap();
        let well: Vec<bool> = ["a", "ab", "a1", "abcdefghi"].iter().map(|text| $toy::Shop::from(*text).well_formed()).collect();
        writeln!(seen, "well formed: {well:?}").unwrap();
        seen
    }};
}
