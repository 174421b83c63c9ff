//! The guide's test values: each row is sent as it is written, and gives the code that it names.

use std::collections::HashMap;
use std::time::Duration;

use wallet_client::{Order, VasWallet};
use wallet_core::link::OutgoingLink as _;
use wallet_core::{Signer, form};
use wallet_crypto::{PrivateKey, RsaSign};
use wallet_tests::{ANY_TIME, Call, Reply, World};

/// The rows of a table, by the names in its head; the text of a code span without its backquotes.
fn rows(guide: &str, heading: &str) -> Vec<Vec<String>> {
    let section = guide.split(&format!("\n## {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    lines
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
        })
        .collect()
}

const ENGLISH: &str = include_str!("../../docs/guides/test-values.en.md");
const CHINESE: &str = include_str!("../../docs/guides/test-values.zh.md");

async fn advance(world: &World, first: &str) -> bool {
    let Some(seconds) = first.strip_prefix("advance=") else { return false };
    world.jump(Duration::from_secs(seconds.parse().unwrap()));
    true
}

async fn fomo(world: &World, call: &str, user: &str, change: (&str, &str), first: &str) -> i64 {
    let mut request = match call {
        "pre_pay" => world.pre_pay(user).await,
        "confirm_pay" => {
            let (amount, pre_pay) = (change, world.pre_pay(user).await);
            let pre_pay = if amount.0 == "amount" { pre_pay.with("amount", amount.1) } else { pre_pay };
            world.confirm_of(user, &pre_pay).await
        }
        "pay_user" => world.pay_user(user),
        "token" => world.token(user).await,
        "login" => {
            Call::post("customer/login").with("login_name", user).with("pwd", &world.passwords(user).0)
        }
        other => panic!("{other}"),
    };
    request = match change {
        ("", _) => request,
        ("amount", _) if call == "confirm_pay" => request,
        ("access_token", token) => request.bearer(token),
        (name, value) => request.with(name, value),
    };
    if !first.is_empty() && !advance(world, first).await {
        assert_eq!(first, call);
        world.call(&request).await.ok();
    }
    world.call(&request).await.status()
}

/// The `errorCode` of a call of the VAS wallet.
async fn vas(world: &World, call: &str, change: (&str, &str), first: &str) -> String {
    let vas = &world.described().vas;
    let alice = world.user("alice");
    let session = world.session("alice").await;
    let or = |name: &str, value: &str| if change.0 == name { change.1.to_owned() } else { value.to_owned() };
    let order_id = world.fresh("order");
    let link = |changed: bool| {
        let or = |name: &str, value: &str| if changed { or(name, value) } else { value.to_owned() };
        let key = PrivateKey::load(&vas.rsa_private_pkcs8).unwrap();
        let order = Order {
            order_id: order_id.clone().into(),
            to_addr: or("toAddr", &vas.to_addr).into(),
            asset: or("assetType", "VAS").into(),
            amount: or("amount", "1.5").parse().unwrap(),
            callback_url: or("callbackUrl", "http://www.shop.localhost:9/paid").into(),
        };
        let link = order.link(&or("appUuid", &vas.uuid));
        let link = link.qr(Some(&Signer::rsa(&RsaSign::new(&key).unwrap(), ANY_TIME))).unwrap();
        match (changed, change) {
            (true, ("signedContent", signature)) => {
                let (before, _) = link.split_once("\"signedContent\":\"").unwrap();
                format!("{before}\"signedContent\":\"{signature}\"}}")
            }
            _ => link,
        }
    };
    let send = async |method: &str, path: &str, fields: &[(&str, String)]| -> Reply {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
        let (url, encoded) = (format!("{}{path}", vas.base_url), form::query(&fields));
        let request = match method {
            "GET" => http::Request::get(format!("{url}?{encoded}")).body(Vec::new()),
            "QUERY" => http::Request::post(format!("{url}?{encoded}")).body(Vec::new()),
            _ => http::Request::post(url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(encoded.into_bytes()),
        };
        world.exchange(request.unwrap()).await
    };
    let submit = async |changed: bool| {
        let fields = [
            ("session_key", or("session_key", &session)),
            ("wallet_pwd", or("wallet_pwd", &alice.wallet_pwd)),
            ("link", link(changed)),
        ];
        send("POST", "wallet/pay/submit", &fields).await
    };
    let mut code = String::new();
    if call == "aid_info" {
        let link = format!(
            r#"vaslogin://{{"type":"login","platform":"web","callbackUrl":"http://www.shop.localhost:9/x","uuid":"{}","webToken":"t"}}"#,
            vas.uuid
        );
        let wallet = VasWallet::new(world.transport(), &vas.base_url);
        let key = wallet_api::vas::SessionKey::new(session.as_str());
        let approved = wallet.approve_login(&key, &link, None).await.unwrap();
        let address = approved.address.as_str().to_owned();
        code = address.split("openCode=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    }
    let access_token = || ("accessToken", or("accessToken", &vas.access_token));
    let once = async || match call {
        "submit_pay" => submit(true).await,
        "aid_info" => {
            let fields = [("openCode", or("openCode", &code)), access_token(), ("appId", vas.uuid.clone())];
            send("GET", "oauth/login/aidInfo", &fields).await
        }
        "order" => {
            let fields = [("appId", vas.uuid.clone()), access_token(), ("orderId", or("orderId", &order_id))];
            send("GET", "oauth/pay/order", &fields).await
        }
        "price" => {
            send("QUERY", "oauth/pay/price", &[("currency", or("currency", "USD")), access_token()]).await
        }
        other => panic!("{other}"),
    };
    if first == "submit_pay" {
        let reply = submit(false).await;
        assert_eq!(reply.json["success"], true, "{}", reply.text);
    } else if !first.is_empty() && !advance(world, first).await {
        assert_eq!(first, call);
        once().await;
    }
    let reply = once().await;
    assert!(!reply.json["errorCode"].is_null(), "{call}: {} {}", reply.http, reply.text);
    reply.json["errorCode"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_test_value_gives_its_code() {
    let mut faults = Vec::new();
    let mut codes = HashMap::<String, u32>::new();
    for row in rows(ENGLISH, "FOMO") {
        let world = World::start().await;
        let [call, user, change, first, code] = &row[..] else { panic!("{row:?}") };
        let change = change.split_once('=').unwrap_or_default();
        let given = fomo(&world, call, user, change, first).await;
        if given.to_string() != *code {
            faults.push(format!("{given} instead of {code}: {row:?}"));
        }
        *codes.entry(code.clone()).or_default() += 1;
    }
    for row in rows(ENGLISH, "VAS and Lafi") {
        let world = World::start().await;
        let [call, change, first, code] = &row[..] else { panic!("{row:?}") };
        let change = change.split_once('=').unwrap_or_default();
        let given = vas(&world, call, change, first).await;
        if given != *code {
            faults.push(format!("{given} instead of {code}: {row:?}"));
        }
        *codes.entry(code.clone()).or_default() += 1;
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(codes.len() > 25, "{codes:?}");
}

#[test]
fn both_languages_have_the_same_test_values() {
    for (english, chinese) in [("FOMO", "FOMO"), ("VAS and Lafi", "VAS 与 Lafi")] {
        assert_eq!(rows(ENGLISH, english), rows(CHINESE, chinese));
    }
}
