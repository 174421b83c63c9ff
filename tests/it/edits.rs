//! Developers edit and close their apps.

use std::time::Duration;

use http::StatusCode;
use wallet_api::vas::SessionKey;
use wallet_core::Signer;
use wallet_core::link::OutgoingLink as _;
use wallet_crypto::{PrivateKey, RsaSign};
use wallet_tests::{ANY_TIME, Call, Merchant, World};

use crate::pages::{Visitor, texts};

const SETTINGS: &str = "/apps/fomo/demo_app/settings";

async fn owner(world: &World) -> Visitor<'_> {
    let mut owner = Visitor::new(world, "en");
    owner.sign_in("owner", "/apps").await;
    owner
}

async fn edit_to(owner: &mut Visitor<'_>, redirect_uri: &str) {
    let edit = [("name", "New name"), ("redirect_uri", redirect_uri)];
    let saved = owner.post(SETTINGS, "/apps/fomo/demo_app/edit", &edit).await;
    assert!(saved.text.contains("Saved"), "{}", saved.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r07_a_changed_redirect_uri_is_accepted_beside_the_old_one_for_a_day() {
    let world = World::start().await;
    let mut owner = owner(&world).await;
    let (old, new) = (world.described().fomo.redirect_uri.clone(), "https://shop.example/new");
    let wrong = [("name", ""), ("redirect_uri", "javascript:x")];
    let refused = owner.post(SETTINGS, "/apps/fomo/demo_app/edit", &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(texts(&refused.text, "p.problem").len(), 2, "{}", refused.text);
    let edit = [("name", "New name"), ("redirect_uri", new)];
    let saved = owner.post(SETTINGS, "/apps/fomo/demo_app/edit", &edit).await;
    assert!(saved.text.contains("Saved") && saved.text.contains("New name"), "{}", saved.text);
    assert!(texts(&saved.text, "#old_redirect")[0].contains(&old));
    let authorize = async |redirect_uri: &str| {
        world.call(&world.authorize("alice").await.with("redirect_uri", redirect_uri)).await
    };
    let exchange = async |code: &str, redirect_uri: &str| {
        let call = world.token("bob").await.with("code", code).with("redirect_uri", redirect_uri);
        world.call(&call).await.http
    };
    for (issued_for, other) in [(&*old, new), (new, &*old)] {
        let code = authorize(issued_for).await.ok().data("code").to_owned();
        assert_eq!(exchange(&code, other).await, 400, "only the one that the code was issued for");
        let code = authorize(issued_for).await.ok().data("code").to_owned();
        assert_eq!(exchange(&code, issued_for).await, 200);
    }
    // Consent for the old one says and allows where the code goes.
    let consent = format!(
        "/fomo/oauth2/authorize?{}",
        wallet_tests::form(&[
            ("response_type", "code"),
            ("client_id", "demo_app"),
            ("redirect_uri", &old),
            ("state", "s")
        ])
    );
    edit_to(&mut owner, &old).await;
    edit_to(&mut owner, "https://elsewhere.example/new").await;
    let page = owner.get(&consent).await;
    assert!(page.text.contains(&old), "{}", page.text);
    // Who returns to the old one has given up the one between.
    edit_to(&mut owner, "https://shop.example/typo").await;
    edit_to(&mut owner, "https://elsewhere.example/new").await;
    assert_eq!(authorize("https://shop.example/typo").await.status(), 54);
    // The old one can be ended at once.
    edit_to(&mut owner, new).await;
    authorize("https://elsewhere.example/new").await.ok();
    let code = authorize("https://elsewhere.example/new").await.ok().data("code").to_owned();
    owner.post(SETTINGS, "/apps/fomo/demo_app/end_old_redirect", &[]).await;
    assert_eq!(authorize("https://elsewhere.example/new").await.status(), 54);
    let fomo = &world.described().fomo;
    let late = Call::post("oauth2/authorize/token")
        .with("code", &code)
        .with("client_id", &fomo.client_id)
        .with("client_secret", &fomo.client_secret)
        .with("grant_type", "authorization_code")
        .with("redirect_uri", "https://elsewhere.example/new");
    assert_eq!(world.call(&late).await.json["error"], "invalid_grant", "its address was given up");
    edit_to(&mut owner, &old).await;
    edit_to(&mut owner, new).await;
    world.jump(Duration::from_secs(86_401));
    assert_eq!(authorize(&old).await.status(), 54);
    authorize(new).await.ok();
    // The consent page shows the owner both values, and where they differ.
    let query =
        "client_id=demo_app&redirect_uri=https%3A%2F%2Fshop.example%2Fother&response_type=code&state=s";
    let page = Visitor::new(&world, "en").get(&format!("/fomo/oauth2/authorize?{query}")).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(texts(&page.text, "pre mark"), ["new", "other"], "{}", page.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_a_closed_app_takes_no_call_and_keeps_its_history_and_its_pending_callbacks() {
    let world = World::start().await;
    let merchant = Merchant::open().await;
    merchant.answer(&[503, 200]);
    let (access, refresh) = world.tokens("alice").await;
    let waiting = world.pre_pay("alice").await;
    let confirm = world.confirm_of("alice", &waiting).await;
    world.call(&world.pay_user("bob").with("server_uri", &merchant.url)).await.ok();
    merchant.wait_for(1).await;
    let mut owner = owner(&world).await;
    let close = "/apps/fomo/demo_app/close";
    let wrong = owner.post(SETTINGS, close, &[("pwd", "wrong")]).await;
    assert!(texts(&wrong.text, "#close_pwd_fault").len() == 1, "{}", wrong.text);
    let mut bob = Visitor::new(&world, "en");
    bob.sign_in("bob", "/apps").await;
    let foreign = bob.post("/apps/new", close, &[("pwd", &world.user("bob").pwd)]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    let pwd = world.described().fomo.owner_pwd.clone();
    assert_eq!(owner.post(SETTINGS, close, &[("pwd", &pwd)]).await.location(), "/apps/fomo/demo_app");

    let bearer = world.call(&Call::post("oauth2/resource/get_user_info").bearer(&access)).await;
    assert_eq!((bearer.http, bearer.status()), (401, 2), "its tokens are revoked");
    assert_eq!(world.call(&world.refresh_of(&refresh)).await.status(), 82);
    assert_eq!(world.call(&world.get_trade("none")).await.status(), 82);
    assert_eq!(world.call(&world.pay_user("bob")).await.status(), 82);
    assert_eq!(world.call(&world.authorize("alice").await).await.status(), 82);
    assert_eq!(world.call(&confirm).await.status(), 213, "a waiting payment cannot be confirmed");
    let pending = Call::post("oauth2/authorize/get_pending")
        .with("session_key", confirm.field("session_key"))
        .with("transfer_id", confirm.field("transfer_id"))
        .with("trade_id", confirm.field("trade_id"));
    assert_eq!(world.call(&pending).await.status(), 213, "and the wallet does not ask for it");
    // What was paid before is reported all the same.
    world.advance(120).await;
    assert_eq!(merchant.wait_for(2).await.len(), 2);
    let page = owner.get("/apps/fomo/demo_app").await.text;
    assert!(page.contains("This app is closed") && texts(&page, "#credentials form").is_empty(), "{page}");
    let payments = owner.get("/apps/fomo/demo_app/payments").await.text;
    assert!(payments.contains("payout-"), "{payments}");
    let again = [("client_id", "demo_app"), ("name", "x"), ("redirect_uri", "https://x.example/")];
    let taken = owner.post("/apps/new", "/apps/new/fomo", &again).await;
    assert!(taken.text.contains("Another app has this client_id"), "{}", taken.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_safe_domain_waits_for_a_review_and_a_closed_vas_app_is_unknown() {
    let world = World::start().await;
    let mut owner = owner(&world).await;
    let list = owner.get("/apps").await.text;
    let page =
        format!("/apps/vas/{}", list.split("href=\"/apps/vas/").nth(1).unwrap().split('"').next().unwrap());
    let settings = format!("{page}/settings");
    // An order, whose page stays after the app is closed.
    let vas = world.described().vas.clone();
    let order = wallet_client::Order {
        order_id: "o-1".into(),
        to_addr: vas.to_addr.clone().into(),
        asset: "VAS".into(),
        amount: "1.5".parse().unwrap(),
        callback_url: "http://www.shop.localhost:9/paid".into(),
    };
    let key = RsaSign::new(&PrivateKey::load(&vas.rsa_private_pkcs8).unwrap()).unwrap();
    let link = order.link(&vas.uuid).qr(Some(&Signer::rsa(&key, ANY_TIME))).unwrap();
    let session = world.session("alice").await;
    let wallet = wallet_client::VasWallet::new(world.transport(), &vas.base_url);
    let pwd = &world.user("alice").wallet_pwd;
    wallet.pay(&SessionKey::new(session.as_str()), pwd, &link, None).await.unwrap();
    let wrong = [("name", "x"), ("safe_domain", "https://x")];
    let refused = owner.post(&settings, &format!("{page}/edit"), &wrong).await;
    assert_eq!(texts(&refused.text, "#safe_domain_fault").len(), 1, "{}", refused.text);
    let edit = [("name", "Renamed"), ("safe_domain", "new.shop.localhost")];
    let saved = owner.post(&settings, &format!("{page}/edit"), &edit).await.text;
    assert!(
        texts(&saved, "#wanted")[0].contains("new.shop.localhost") && saved.contains("Renamed"),
        "{saved}"
    );
    assert!(owner.get(&page).await.text.contains("www.shop.localhost"), "the current one holds");
    // A new name repeats the request; another domain replaces it.
    let form = owner.get(&settings).await;
    let rename = [("name", "Renamed"), ("safe_domain", &*form.field("safe_domain"))];
    let saved = owner.post(&settings, &format!("{page}/edit"), &rename).await.text;
    assert!(texts(&saved, "#wanted")[0].contains("new.shop.localhost"), "{saved}");
    let edit = [("name", "Renamed"), ("safe_domain", "other.shop.localhost")];
    let saved = owner.post(&settings, &format!("{page}/edit"), &edit).await.text;
    assert!(texts(&saved, "#wanted")[0].contains("other.shop.localhost"), "{saved}");
    let mut operator = Visitor::new(&world, "en");
    operator.sign_in("operator", "/admin").await;
    let admin = operator.get("/admin").await.text;
    assert!(texts(&admin, "#domains td").iter().any(|cell| cell == "other.shop.localhost"), "{admin}");
    let edit = [("name", "Renamed"), ("safe_domain", "new.shop.localhost")];
    owner.post(&settings, &format!("{page}/edit"), &edit).await;
    let admin = operator.get("/admin").await.text;
    assert!(texts(&admin, "#domains td").iter().any(|cell| cell == "new.shop.localhost"), "{admin}");
    let id = page.rsplit('/').next().unwrap().to_owned();
    // The verdict is about the domain that the operator saw, and is one of two.
    for (seen, verdict) in [("other.shop.localhost", "approve"), ("new.shop.localhost", "bogus")] {
        let verdict = [("application", &*id), ("safe_domain", seen), ("verdict", verdict)];
        let refused = operator.post("/admin", "/admin/review_domain", &verdict).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
        let wanted = texts(&owner.get(&settings).await.text, "#wanted").concat();
        assert!(wanted.contains("new.shop.localhost"), "{wanted}");
    }
    let verdict = [("application", &*id), ("safe_domain", "new.shop.localhost"), ("verdict", "approve")];
    operator.post("/admin", "/admin/review_domain", &verdict).await;
    assert!(operator.get("/admin").await.text.contains("new.shop.localhost"), "in the record of acts");
    assert!(owner.get(&page).await.text.contains("new.shop.localhost"));

    let order = async || {
        let query = format!("appId={}&accessToken={}&orderId=none", vas.uuid, vas.access_token);
        let request = http::Request::get(format!("{}oauth/pay/order?{query}", vas.base_url));
        world.exchange(request.body(Vec::new()).unwrap()).await.json["errorCode"].as_str().unwrap().to_owned()
    };
    let price = async || {
        let query = format!("currency=USD&accessToken={}", vas.access_token);
        let request = http::Request::post(format!("{}oauth/pay/price?{query}", vas.base_url));
        world.exchange(request.body(Vec::new()).unwrap()).await.json["errorCode"].as_str().unwrap().to_owned()
    };
    assert_eq!(price().await, "");
    let before = order().await;
    let pwd = world.described().fomo.owner_pwd.clone();
    owner.post(&settings, &format!("{page}/close"), &[("pwd", &pwd)]).await;
    assert!(owner.get(&page).await.text.contains("This app is closed"));
    assert_ne!(before, order().await);
    assert_eq!(order().await, "900001");
    assert_eq!(price().await, "900013");
    let payment = owner.get(&format!("{page}/payments/one?id=o-1")).await;
    assert!(payment.text.contains("1.5") && payment.text.contains("o-1"), "{}", payment.text);
}
