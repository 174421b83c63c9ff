//! The VAS and Lafi endpoints over HTTP: the document's replies, and the typed client.

use std::sync::Arc;

use wallet_api::vas::{AnyLink, Currency, ErrorCode, Platform, Profile, login};
use wallet_client::{VasApp, VasCallbackError, VasCredentials, VasErrorKind, VasReceiver};
use wallet_core::link::{self, OutgoingLink as _};
use wallet_core::{Acknowledgement, Callback as _, Platform as _, Signer, Transport as _, acknowledges};
use wallet_crypto::{PrivateKey, RsaSign, RsaVerify};
use wallet_hyper::HyperTransport;
use wallet_platform::PutQuote;
use wallet_tests::{ANY_TIME, Reply, World, form, with};

use crate::rsa::vector;
use crate::vas::{Approved, approve};

struct Shop {
    world: World,
    app: Approved,
}

impl Shop {
    async fn open() -> Self {
        let world = World::start().await;
        let owner = world.described().fomo.owner_user_id.parse().map(wallet_api::fomo::UserId::new).unwrap();
        let app = approve(world.store(), owner, Profile::Vas).await;
        let quote = PutQuote {
            profile: Profile::Vas,
            currency: Currency::Usd,
            market: 0,
            price: "0.0123".parse().unwrap(),
            volume: "1000".parse().unwrap(),
            max_age: std::time::Duration::from_secs(3600),
        };
        world.store().submit(quote).await.unwrap();
        Self { world, app }
    }

    fn base_url(&self) -> String {
        format!("{}{}", self.world.described().url, wallet_api::vas::Vas::META.base_path)
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base_url()))
            .header("accept-language", "en")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.as_bytes().to_vec())
            .unwrap();
        self.world.exchange(request).await
    }

    /// The user consents in the wallet; where the wallet goes.
    async fn consent(&self, link: &str) -> Reply {
        let session = self.world.session("alice").await;
        let body = form(&[("session_key", session.as_str()), ("link", link)]);
        self.send("POST", "wallet/login/approve", &body).await
    }

    fn login(&self) -> login::Link<'_> {
        let mut link =
            login::Link::new("https://www.shop.example/login".into(), self.app.app.uuid.as_str().into());
        link.platform = Some(Platform::Web);
        link.web_token = Some("browser-1".into());
        link
    }

    async fn open_code(&self) -> String {
        let reply = self.consent(&self.login().qr(None).unwrap()).await;
        assert_eq!(reply.json["result"]["app_name"], "Shop", "{}", reply.text);
        assert_eq!(reply.json["result"]["how"], "get");
        let address = reply.json["result"]["address"].as_str().unwrap();
        let code = address.strip_prefix("https://www.shop.example/login?openCode=").unwrap();
        code.strip_suffix("&webToken=browser-1").unwrap().to_owned()
    }

    fn aid_info(&self, code: &str, token: &str, app: &str) -> String {
        format!("oauth/login/aidInfo?openCode={code}&accessToken={token}&appId={app}")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r64_aid_info_answers_as_the_document_prints_it() {
    let shop = Shop::open().await;
    let (token, uuid) = (shop.app.access_token.clone(), shop.app.app.uuid.clone());
    let code = shop.open_code().await;
    let expect = |reply: &Reply, code: &str, message: &str| {
        assert_eq!(reply.http, 200, "{}", reply.text);
        let expected =
            format!(r#"{{"success":false,"errorCode":"{code}","errorMsg":"{message}","result":null}}"#);
        assert_eq!(reply.text, expected);
    };
    // A HEAD uses up nothing (RFC 9110, 9.2.1).
    for _ in 0..2 {
        let head = http::Request::head(format!(
            "{}{}",
            shop.base_url(),
            shop.aid_info(&code, &token, uuid.as_str())
        ));
        let reply = shop.world.transport().send(head.body(Vec::new()).unwrap()).await.unwrap();
        assert_eq!((reply.status().as_u16(), reply.body().len()), (200, 0));
    }
    // Wrong credentials burn nothing.
    let wrong = shop.send("GET", &shop.aid_info(&code, "x", uuid.as_str()), "").await;
    expect(&wrong, "900001", "The accessToken is wrong");
    let wrong = shop.send("GET", &shop.aid_info(&code, &token, "x"), "").await;
    expect(&wrong, "900001", "The accessToken is wrong");
    let missing = shop.send("GET", &format!("oauth/login/aidInfo?openCode={code}&appId={uuid}"), "").await;
    expect(&missing, "010001", "Unknown error: accessToken");
    let reply = shop.send("GET", &shop.aid_info(&code, &token, uuid.as_str()), "").await;
    let user = shop.world.user("alice");
    let address = reply.json["result"]["address"].as_str().unwrap();
    assert!(address.starts_with('V'));
    let expected = format!(
        r#"{{"success":true,"errorCode":"","errorMsg":"","result":{{"aid":"aid{}","address":"{address}"}}}}"#,
        user.user_id
    );
    assert_eq!((reply.http, reply.text.as_str()), (200, expected.as_str()));
    let again = shop.send("GET", &shop.aid_info(&code, &token, uuid.as_str()), "").await;
    expect(&again, "900002", "The query has timed out, or there is no such AID");
    assert_eq!(shop.send("POST", &shop.aid_info(&code, &token, uuid.as_str()), "").await.http, 405);
    assert_eq!(shop.send("GET", "oauth/login/other", "").await.http, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r60_a_login_is_consented_to_only_where_the_app_is_registered() {
    let shop = Shop::open().await;
    let consent =
        async |link: String| shop.consent(&link).await.json["errorCode"].as_str().unwrap().to_owned();
    let elsewhere = with(shop.login(), |link| link.callback_url = "https://evil.example/".into());
    assert_eq!(consent(elsewhere.qr(None).unwrap()).await, "910004");
    let unknown = with(shop.login(), |link| link.uuid = "x".into());
    assert_eq!(consent(unknown.qr(None).unwrap()).await, "910003");
    for bad in ["https://www.shop.example", "vaswallet://", "vaswallet://{", r#"vaspay://{"type":"pay"}"#] {
        assert_eq!(consent(bad.to_owned()).await, "910002", "{bad}");
    }
    let link = shop.login().app("lafiwallet", None).unwrap();
    assert!(matches!(AnyLink::read(&link::payload(&link).unwrap()).unwrap().0, AnyLink::Login(_)));
    let body = form(&[("session_key", "x"), ("link", &link)]);
    let reply = shop.send("POST", "wallet/login/approve", &body).await;
    assert_eq!(reply.json["errorCode"], "910001");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_logs_in_and_asks_for_prices() {
    let shop = Shop::open().await;
    let client = |token: &str| {
        let transport: HyperTransport<_> = shop.world.transport().clone();
        let credentials =
            VasCredentials { app_id: shop.app.app.uuid.clone(), access_token: token.to_owned().into() };
        VasApp::new(transport, &shop.base_url(), credentials)
    };
    let app = client(&shop.app.access_token);
    let info = app.aid_info(&shop.open_code().await).await.unwrap();
    assert_eq!(info.aid.as_str(), format!("aid{}", shop.world.user("alice").user_id));
    let used = app.aid_info("0000").await.unwrap_err().code().unwrap();
    assert_eq!((used, VasErrorKind::from(used)), (ErrorCode::OpenCodeUnknown, VasErrorKind::OpenCode));
    assert_eq!(app.price(Profile::Vas, Currency::Usd).await.unwrap().as_str(), "0.0123");
    assert_eq!(app.price(Profile::Vas, Currency::Eur).await.unwrap().as_str(), "0.037", "the sandbox's own");
    // R58: two codes, one kind.
    for error in [
        client("x").aid_info("0000").await.unwrap_err().code().unwrap(),
        client("x").price(Profile::Vas, Currency::Usd).await.unwrap_err().code().unwrap(),
    ] {
        assert_eq!(VasErrorKind::from(error), VasErrorKind::Credentials, "{error}");
    }
    // R57: a number as text, and beyond ten a minute 429.
    let path = format!("oauth/pay/price?currency=USD&accessToken={}", shop.app.access_token);
    for at in 0..8 {
        // One that cannot be read counts as well.
        if at == 3 {
            let path = format!("oauth/pay/price?accessToken={}", shop.app.access_token);
            let reply = shop.send("POST", &path, "").await;
            assert_eq!((reply.http, reply.json["errorMsg"].as_str()), (200, Some("Unknown error: currency")));
            continue;
        }
        let reply = shop.send("POST", &path, "").await;
        assert_eq!(reply.text, r#"{"success":true,"errorCode":"","errorMsg":"","result":"0.0123"}"#);
    }
    let unread =
        shop.send("POST", &format!("oauth/pay/price?accessToken={}", shop.app.access_token), "").await;
    assert_eq!((unread.http, unread.json["errorCode"].as_str()), (429, Some("900014")));
    let reply = shop.send("POST", &path, "").await;
    assert_eq!((reply.http, reply.json["errorCode"].as_str()), (429, Some("900014")));
    assert!(reply.json["result"].is_null());
}

#[test]
fn a_payment_callback_yields_nothing_before_it_is_verified() {
    let key =
        PrivateKey::load(vector("vas-rsa-2048.json")["private_pkcs8_base64"].as_str().unwrap()).unwrap();
    let (signer, verifier) = (RsaSign::new(&key).unwrap(), Arc::new(RsaVerify::new(&key.public())));
    let receiver = VasReceiver::new("u".into(), verifier.clone());
    let payload = wallet_api::vas::payment::Payload::new(
        "u".into(),
        "1".into(),
        "Va".into(),
        "Vb".into(),
        "VAS".into(),
        "1.50".parse().unwrap(),
        "t".into(),
        "https://www.shop.example/pay".into(),
    );
    let mut query = Vec::new();
    wallet_api::vas::payment::Callback::encode(&payload, Some(&Signer::rsa(&signer, ANY_TIME)), &mut query)
        .unwrap();
    let query = String::from_utf8(query).unwrap();
    let received = receiver.receive(&query, ANY_TIME).unwrap();
    assert_eq!((received.payment(), received.is_repeated()), (&payload, false));
    // R45: an earlier one of another value is a warning, and of the same value none.
    let twice = format!("amount=2&{query}");
    let warned = receiver.receive(&twice, ANY_TIME).unwrap();
    assert_eq!((warned.payment(), warned.is_repeated()), (&payload, true));
    assert!(!receiver.receive(&format!("amount=1.50&{query}"), ANY_TIME).unwrap().is_repeated());
    assert_eq!(
        VasReceiver::new("other".into(), verifier).receive(&query, ANY_TIME),
        Err(VasCallbackError::OtherApp)
    );
    let forged = query.replace("amount=1.50", "amount=1.51");
    assert!(matches!(receiver.receive(&forged, ANY_TIME), Err(VasCallbackError::Signature(_))));
    assert!(matches!(receiver.receive("uuid=u", ANY_TIME), Err(VasCallbackError::Malformed(_))));
    // R52: what the platform takes for an acknowledgement.
    let by = wallet_api::vas::payment::Callback::META.schedule.acknowledged_by;
    assert_eq!(by, Acknowledgement::Json("success"));
    for (status, body, accepted) in [
        (200, VasReceiver::acknowledgement(), true),
        (204, r#"{"success":"true"}"#, true),
        (299, r#"{"a":1,"success":true}"#, true),
        (200, VasReceiver::rejection(), false),
        (302, VasReceiver::acknowledgement(), false),
        (500, VasReceiver::acknowledgement(), false),
        (200, "success", false),
        (200, "", false),
        (200, r#"{"success":1}"#, false),
        (200, r#"[true]"#, false),
        (200, r#"{"success":"True"}"#, false),
    ] {
        assert_eq!(acknowledges(by, status, body.as_bytes()), accepted, "{status} {body}");
    }
    // R51: seven requests, fifteen seconds apart.
    let schedule = wallet_api::vas::payment::Callback::META.schedule;
    let waits: Vec<u64> =
        (0..8).filter_map(|at| schedule.wait_before(at)).map(|wait| wait.as_secs()).collect();
    assert_eq!(waits, [0, 15, 15, 15, 15, 15, 15]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandboxs_own_apps_work_in_both_wallets() {
    let world = World::start().await;
    for (profile, described) in
        [(Profile::Vas, &world.described().vas), (Profile::Lafi, &world.described().lafi)]
    {
        assert_eq!(described.asset, profile.asset());
        let client = VasApp::new(
            world.transport().clone(),
            &described.base_url,
            VasCredentials {
                app_id: described.uuid.clone().into(),
                access_token: described.access_token.clone().into(),
            },
        );
        for currency in Currency::ALL {
            client.price(profile, *currency).await.unwrap();
        }
        let session = world.session("alice").await;
        let link = login::Link::new(
            format!("https://{}/login", described.safe_domain).into(),
            described.uuid.as_str().into(),
        );
        let link = link.app(profile.scheme(), None).unwrap();
        let body = form(&[("session_key", session.as_str()), ("link", link.as_str())]).into_bytes();
        let request = http::Request::post(format!("{}wallet/login/approve", described.base_url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .unwrap();
        let reply = world.exchange(request).await.json;
        let address = reply["result"]["address"].as_str().unwrap();
        let code = address.split_once("openCode=").unwrap().1.split('&').next().unwrap();
        let info = client.aid_info(code).await.unwrap();
        let alice = world.user("alice");
        assert_eq!((info.aid.as_str(), info.address.as_str()), (alice.aid.as_str(), alice.address.as_str()));
        let private = PrivateKey::load(&described.rsa_private_pkcs8).unwrap();
        assert_eq!(private.public().to_base64(), described.rsa_public_spki);
    }
}
