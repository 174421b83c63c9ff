//! The chain, the wallet's side and the operator, over HTTP.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wallet_api::vas::{ErrorCode, OrderState, Profile, Vas, Wallet};
use wallet_chain::embedded::DevTransaction;
use wallet_chain::rpc::{Credentials, Node, RpcError, Tip};
use wallet_chain::{Transaction, Verdict};
use wallet_client::{
    Booked, NotBooked, NotPaid, Order, OrderBook, VasApp, VasCredentials, VasReceiver, VasWallet,
    verify_on_chain,
};
use wallet_core::link::OutgoingLink as _;
use wallet_core::{Amount, Platform as _, Secret, Signer, Transport};
use wallet_crypto::{PrivateKey, PublicKey, RsaSign, RsaVerify};
use wallet_hyper::HyperTransport;
use wallet_platform::{FindUser, FindVasApp, FreezeUser, OrderChain, SuspendVasApp};
use wallet_sandbox::DescribedVas;
use wallet_server::{Answer, Chain, ChainError, EmbeddedChain, NodeChain, Server, Settings};
use wallet_tests::{ANY_TIME, Merchant, Reply, TestStore, World, form, settings};

type Http = HyperTransport<hyper_util::client::legacy::connect::HttpConnector>;

/// The sandbox's own VAS app, with a callback address that hears.
pub(crate) struct Shop {
    pub(crate) world: World,
    pub(crate) merchant: Merchant,
    session: String,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let world = World::start().await;
        let session = world.session("alice").await;
        Self { merchant: Merchant::open().await, session, world }
    }

    fn described(&self) -> &DescribedVas {
        &self.world.described().vas
    }

    fn client(&self) -> VasApp<Http> {
        let described = self.described();
        let credentials = VasCredentials {
            app_id: described.uuid.clone().into(),
            access_token: described.access_token.clone().into(),
        };
        VasApp::new(self.world.transport().clone(), &described.base_url, credentials)
    }

    fn wallet(&self) -> VasWallet<Http> {
        VasWallet::new(self.world.transport().clone(), &self.described().base_url)
    }

    fn credentials(&self) -> Credentials {
        let chain = &self.described().chain;
        Credentials { user: chain.rpc_user.clone(), password: Secret::new(chain.rpc_password.clone()) }
    }

    fn node(&self) -> Node<Http> {
        Node::new(self.world.transport().clone(), &self.described().chain.rpc_url, self.credentials(), "VAS")
    }

    fn verifier(&self) -> RsaVerify {
        RsaVerify::new(&PublicKey::load(&self.described().rsa_public_spki).unwrap())
    }

    pub(crate) fn order(&self, order_id: &str) -> Order {
        let port = self.merchant.url.rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
        Order {
            order_id: order_id.to_owned().into(),
            to_addr: self.described().to_addr.clone().into(),
            asset: self.described().asset.clone().into(),
            amount: "1.50".parse().unwrap(),
            callback_url: format!("http://{}:{port}/pay?table=7#x", self.described().safe_domain).into(),
        }
    }

    fn link(&self, order: &Order) -> String {
        let key = PrivateKey::load(&self.described().rsa_private_pkcs8).unwrap();
        order
            .link(&self.described().uuid)
            .qr(Some(&Signer::rsa(&RsaSign::new(&key).unwrap(), ANY_TIME)))
            .unwrap()
    }

    pub(crate) async fn pay(&self, order: &Order) -> String {
        let (session, pwd) = (self.session.as_str().into(), &self.world.user("alice").wallet_pwd);
        let paid = self.wallet().pay(&session, pwd, &self.link(order), None).await.unwrap();
        paid.txid.as_str().to_owned()
    }

    async fn post(&self, path: &str, form: &str) -> Reply {
        let request = http::Request::post(format!("{}{path}", self.world.described().url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.as_bytes().to_vec())
            .unwrap();
        self.world.exchange(request).await
    }

    async fn state(&self, order: &Order) -> OrderState {
        self.client().order(order.order_id.as_str()).await.unwrap().state.known().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r85_r86_a_suspended_app_and_a_frozen_user_have_codes_of_their_own() {
    let shop = Shop::open().await;
    let (store, described) = (shop.world.store(), shop.described());
    let order = shop.order("order 1");
    shop.pay(&order).await;
    let pwd = &shop.world.user("alice").wallet_pwd;
    let code = |reply: &Reply| reply.json["errorCode"].as_str().map(str::to_owned);
    let submit = async |order: &Order| {
        let form = form(&[("session_key", &*shop.session), ("wallet_pwd", pwd), ("link", &shop.link(order))]);
        code(&shop.post("/vas/server/wallet/pay/submit", &form).await)
    };
    let of_app = async |path: &str, more: &str| {
        let is_post = path == "pay/price";
        let (token, app) = (&described.access_token, &described.uuid);
        let path = format!("/vas/server/oauth/{path}?accessToken={token}&appId={app}&{more}");
        code(&if is_post { shop.post(&path, "").await } else { shop.world.get(&path).await })
    };
    let app = store.view(FindVasApp(described.uuid.clone())).await.unwrap().id;
    let suspend = async |suspended| {
        store.submit(SuspendVasApp { app, suspended }).await.unwrap().unwrap();
    };
    suspend(true).await;
    assert_eq!(submit(&shop.order("order 2")).await.as_deref(), Some("910015"));
    for (path, more) in
        [("login/aidInfo", "openCode=x"), ("pay/order", "orderId=order%201"), ("pay/price", "currency=USD")]
    {
        assert_eq!(of_app(path, more).await.as_deref(), Some("910015"), "{path}");
    }
    suspend(false).await;
    assert_eq!(of_app("pay/order", "orderId=order%201").await.as_deref(), Some(""));
    // What was paid is confirmed and reported, whatever has become of the app.
    suspend(true).await;
    shop.world.advance(30).await;
    assert_eq!(shop.merchant.wait_for(1).await.len(), 1);
    suspend(false).await;
    let owner = store.view(FindVasApp(described.uuid.clone())).await.unwrap().owner;
    store.submit(FreezeUser { user: owner, frozen: true }).await.unwrap().unwrap();
    assert_eq!(submit(&shop.order("order 3")).await.as_deref(), Some("910016"), "nor to a frozen owner");
    store.submit(FreezeUser { user: owner, frozen: false }).await.unwrap().unwrap();
    let user = store.view(FindUser("alice".to_owned())).await.unwrap().unwrap().id;
    store.submit(FreezeUser { user, frozen: true }).await.unwrap().unwrap();
    assert_eq!(submit(&shop.order("order 3")).await.as_deref(), Some("910016"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_paid_confirmed_told_booked_and_found_on_the_chain() {
    let shop = Shop::open().await;
    let order = shop.order("order 1/回");
    let mut book = OrderBook::new();
    assert!(book.open(order.clone()) && !book.open(order.clone()));
    let txid = shop.pay(&order).await;
    assert_eq!(shop.state(&order).await, OrderState::Submitted);
    let found = shop.node().transaction(&txid).await.unwrap().unwrap();
    assert_eq!(verify_on_chain(&order, &found, 1), Err(NotPaid::Unconfirmed { confirmations: 0 }));
    // The clock brings the block, and the block the callback, within one move.
    shop.world.advance(5).await;
    let received = shop.merchant.wait_for(1).await;
    assert_eq!((received[0].method().as_str(), received[0].uri().path()), ("GET", "/pay"));
    let query = received[0].uri().query().unwrap();
    assert!(query.starts_with("table=7&uuid="), "R45: {query}");
    let receiver = VasReceiver::new(shop.described().uuid.clone().into(), Arc::new(shop.verifier()));
    let callback = receiver.receive(query, ANY_TIME).unwrap();
    assert_eq!(callback.payment().order_id.as_str(), "order 1/回");
    assert_eq!(callback.payment().callback_url.as_str(), order.callback_url.as_str(), "R69: as it was given");
    assert_eq!(callback.payment().from_addr.as_str(), shop.world.user("alice").address);
    assert_eq!((book.book(&callback), book.book(&callback)), (Ok(Booked::Now), Ok(Booked::Before)));
    assert_eq!(book.order("order 1/回").unwrap().1, Some(txid.as_str()));
    assert_eq!(OrderBook::new().book(&callback), Err(NotBooked::Unknown));
    let dearer = Order { amount: "1.51".parse().unwrap(), ..order.clone() };
    assert_eq!(dearer.book(None, &callback), Err(NotBooked::Differs("amount")));
    let same = Order { amount: "1.5".parse().unwrap(), ..order.clone() };
    assert_eq!(same.book(Some("another"), &callback), Err(NotBooked::PaidTwice));
    let found = shop.node().transaction(&txid).await.unwrap().unwrap();
    assert_eq!(verify_on_chain(&order, &found, 1), Ok(()));
    assert_eq!(verify_on_chain(&order, &found, 2), Err(NotPaid::Unconfirmed { confirmations: 1 }));
    assert!(matches!(verify_on_chain(&dearer, &found, 1), Err(NotPaid::Wrong(Verdict::Underpaid { .. }))));
    let described = shop.client().order("order 1/回").await.unwrap();
    assert_eq!(
        (described.state.known(), described.txid.unwrap().as_str()),
        (Some(OrderState::Paid), txid.as_str())
    );
    assert_eq!(described.amount.as_str(), "1.50");
    // It was acknowledged: a day brings no second one.
    shop.world.advance(86_400).await;
    assert_eq!(shop.merchant.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r51_callbacks_are_repeated_every_fifteen_seconds_and_sent_again_by_the_operator() {
    let shop = Shop::open().await;
    shop.merchant.answer(&[500]);
    let order = shop.order("o-1");
    shop.pay(&order).await;
    shop.world.advance(5).await;
    for (seconds, received) in [(0, 1), (14, 1), (1, 2), (60, 6), (14, 6), (1, 7), (86_400, 7)] {
        shop.world.advance(seconds).await;
        assert_eq!(shop.merchant.received().len(), received, "after {seconds} s more");
    }
    let received = shop.merchant.received();
    assert!(received.iter().all(|request| request.uri() == received[0].uri()), "signed once");
    assert_eq!(shop.state(&order).await, OrderState::Paid, "R83: answerable");
    shop.merchant.answer(&[200]);
    let again = format!("uuid={}&orderId=o-1", shop.described().uuid);
    assert_eq!(shop.post("/sandbox/send_again", &again).await.http, 200);
    shop.merchant.wait_for(8).await;
    shop.world.advance(3600).await;
    assert_eq!(shop.merchant.received().len(), 8);
    let refused = shop.post("/sandbox/send_again", &again).await;
    assert_eq!(refused.http, 400, "{}", refused.text);
    assert_eq!(shop.post("/sandbox/send_again", "uuid=x&orderId=o-1").await.http, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watcher_sees_reorganisations_and_double_spends() {
    let shop = Shop::open().await;
    shop.merchant.answer(&[500]);
    let order = shop.order("o-1");
    let txid = shop.pay(&order).await;
    shop.post("/chain/mine", "").await;
    assert_eq!(shop.state(&order).await, OrderState::Paid);
    shop.merchant.wait_for(1).await;
    let reply = shop.post("/chain/reorg", "depth=1").await;
    assert_eq!(reply.http, 200, "{}", reply.text);
    assert_eq!(shop.state(&order).await, OrderState::Submitted);
    // The next block has it again, and the callback begins again.
    shop.world.advance(5).await;
    assert_eq!(shop.state(&order).await, OrderState::Paid);
    shop.merchant.wait_for(2).await;
    shop.post("/chain/reorg", &format!("depth=1&double_spend={txid}")).await;
    let described = shop.client().order("o-1").await.unwrap();
    assert_eq!(described.state, OrderState::Open);
    assert_eq!(described.fault.unwrap(), wallet_api::vas::OrderFault::DoubleSpent);
    assert_eq!(described.from_addr, None);
    let received = shop.merchant.received().len();
    shop.world.advance(600).await;
    assert_eq!(shop.merchant.received().len(), received, "no callback follows");
    for wrong in
        [format!("depth=0&double_spend={txid}"), "depth=1001".into(), "depth=0&double_spend=x".into()]
    {
        assert_eq!(shop.post("/chain/reorg", &wrong).await.http, 400, "{wrong}");
    }
    assert_eq!(shop.post("/chain/mine", "blocks=1001").await.http, 400);
    // A wallet of one's own broadcasts, and submits what it broadcast.
    let (from, to) = (&shop.world.user("alice").address, &shop.described().to_addr);
    let paid = shop.post("/chain/pay", &format!("from={from}&to={to}&asset=VAS&amount=1.5&data=o-1")).await;
    let txid = paid.json["txid"].as_str().unwrap();
    let (session, pwd) = (shop.session.as_str().into(), &shop.world.user("alice").wallet_pwd);
    shop.wallet().pay(&session, pwd, &shop.link(&order), Some(txid)).await.unwrap();
    shop.world.advance(5).await;
    assert_eq!(shop.state(&order).await, OrderState::Paid);
    assert_eq!(
        shop.post("/chain/pay", &format!("from={from}&to={to}&asset=VAS&amount=9999")).await.http,
        400
    );
    assert_eq!(shop.post("/chain/pay", &format!("from={from}&to={to}&asset=VAS&amount=x")).await.http, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_is_refused_in_the_platforms_words() {
    let shop = Shop::open().await;
    let (order, alice) = (shop.order("o-1"), shop.world.user("alice").clone());
    let submit = async |session: &str, pwd: &str, link: &str| {
        let session = session.to_owned().into();
        shop.wallet().pay(&session, pwd, link, None).await.map(|_| ()).map_err(|error| error.code().unwrap())
    };
    let link = shop.link(&order);
    assert_eq!(submit("x", &alice.wallet_pwd, &link).await, Err(ErrorCode::SessionUnknown));
    assert_eq!(submit(&shop.session, "000000", &link).await, Err(ErrorCode::PwdWrong));
    let forged = link.replace("1.50", "1.49");
    assert_eq!(submit(&shop.session, &alice.wallet_pwd, &forged).await, Err(ErrorCode::SignatureWrong));
    let (lafi, vas) = (&shop.world.described().lafi.uuid, &shop.described().uuid);
    let other = link.replace(vas.as_str(), lafi);
    assert_eq!(submit(&shop.session, &alice.wallet_pwd, &other).await, Err(ErrorCode::SignatureWrong));
    let nobody = link.replace(vas.as_str(), "nobody");
    assert_eq!(submit(&shop.session, &alice.wallet_pwd, &nobody).await, Err(ErrorCode::AppUnknown));
    for bad in
        ["vaspay://", r#"vaslogin://{"type":"login"}"#, "vaspay://{}", &link.replace("signedContent", "s")]
    {
        assert_eq!(submit(&shop.session, &alice.wallet_pwd, bad).await, Err(ErrorCode::LinkRefused), "{bad}");
    }
    // R66: as many decimals as there are, and R65.
    let fine = Order { amount: "0.000000001".parse().unwrap(), ..order.clone() };
    assert_eq!(submit(&shop.session, &alice.wallet_pwd, &shop.link(&fine)).await, Err(ErrorCode::NotPayable));
    submit(&shop.session, &alice.wallet_pwd, &link).await.unwrap();
    let (other, bob) = (shop.world.session("bob").await, shop.world.user("bob").clone());
    assert_eq!(submit(&other, &bob.wallet_pwd, &link).await, Err(ErrorCode::OrderTaken));
    let dearer = Order { amount: "1.51".parse().unwrap(), ..order };
    assert_eq!(
        submit(&shop.session, &alice.wallet_pwd, &shop.link(&dearer)).await,
        Err(ErrorCode::OrderDiffers)
    );
    let dear = Order { amount: "1000000".parse().unwrap(), ..shop.order("o-2") };
    assert_eq!(
        submit(&shop.session, &alice.wallet_pwd, &shop.link(&dear)).await,
        Err(ErrorCode::InsufficientBalance)
    );
    // R22: five wrong passwords lock, whichever platform they are tried on.
    for _ in 0..5 {
        let link = shop.link(&shop.order("o-3"));
        assert_eq!(submit(&shop.session, "000000", &link).await, Err(ErrorCode::PwdWrong));
    }
    let link = shop.link(&shop.order("o-3"));
    assert_eq!(submit(&shop.session, &alice.wallet_pwd, &link).await, Err(ErrorCode::PwdWrong));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_that_is_missing_or_too_long_is_named() {
    let shop = Shop::open().await;
    let mut seen = 0;
    for meta in Vas::META.endpoints {
        for field in meta.request.iter().filter(|field| field.required) {
            for value in [None, Some("x".repeat(20_000))] {
                let others = meta.request.iter().filter(|other| other.required && other.name != field.name);
                let mut sent: Vec<_> = others
                    .map(|other| (other.name, if other.name == "wallet" { "vas" } else { "1" }))
                    .collect();
                sent.extend(value.as_deref().map(|value| (field.name, value)));
                let (mut uri, form) = (format!("{}{}", shop.described().base_url, meta.path), form(&sent));
                let mut request = http::Request::builder().method(meta.methods[0].word());
                let body = if meta.parameters == wallet_core::Place::Query {
                    uri = format!("{uri}?{form}");
                    String::new()
                } else {
                    request = request.header("content-type", "application/x-www-form-urlencoded");
                    form
                };
                let request =
                    request.header("accept-language", "en").uri(uri).body(body.into_bytes()).unwrap();
                let reply = shop.world.exchange(request).await;
                assert_eq!(reply.http, 200, "{} {}: {}", meta.id, field.name, reply.text);
                assert_eq!(reply.json["errorCode"], "010001", "{} {}: {}", meta.id, field.name, reply.text);
                assert_eq!(reply.json["errorMsg"], format!("Unknown error: {}", field.name));
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 40, "each required field, missing and too long");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r61_an_application_is_shown_where_it_was_made_and_its_secrets_to_its_owner() {
    let shop = Shop::open().await;
    let (alice, bob) = (shop.world.user("alice").clone(), shop.world.user("bob").clone());
    let (mine, theirs) = (shop.session.as_str().into(), shop.world.session("bob").await.into());
    let wallet = shop.wallet();
    let code = |error: wallet_client::CallError<_, ErrorCode>| error.code().unwrap();
    let id = wallet.apply(&mine, Wallet::Lafi, "Tea", "www.tea.example", "").await.unwrap().application_id;
    for (name, domain, scheme) in
        [("", "www.a.example", ""), ("A", "", ""), ("A", "a.example/", ""), ("A", "", "http")]
    {
        let refused = wallet.apply(&mine, Wallet::Vas, name, domain, scheme).await.map(|_| ()).map_err(code);
        let expected = if name.is_empty() { ErrorCode::UnknownError } else { ErrorCode::ApplicationInvalid };
        assert_eq!(refused, Err(expected), "{name} {domain} {scheme}");
    }
    let credentials = async |session, pwd: &str| {
        wallet.credentials(session, pwd, id).await.map_err(|error| error.code().unwrap())
    };
    assert_eq!(
        credentials(&mine, &alice.pwd).await.map(|_| ()),
        Err(ErrorCode::ApplicationUnknown),
        "not approved"
    );
    let rejected = wallet.apply(&mine, Wallet::Vas, "Tea", "", "tea").await.unwrap().application_id;
    let review = |id, verdict: &str| format!("application_id={id}&{verdict}");
    assert_eq!(shop.post("/sandbox/review", &review(rejected, "approve=perhaps")).await.http, 400);
    shop.post("/sandbox/review", &review(rejected, "approve=no&reason=no+such+shop")).await;
    let approved = shop.post("/sandbox/review", &review(id, "approve=yes")).await;
    assert_eq!(shop.post("/sandbox/review", &review(id, "approve=yes")).await.http, 400, "decided");
    assert_eq!(shop.post("/sandbox/review", "application_id=1&approve=no").await.http, 400);
    let known = wallet.applications(&mine).await.unwrap();
    assert_eq!((known[1].reason.as_str(), known[1].uuid.as_str()), ("no such shop", ""));
    assert_eq!(known[0].uuid.as_str(), approved.json["uuid"]);
    assert_eq!(wallet.applications(&theirs).await.unwrap(), vec![]);
    // R61: a fresh password, and one's own.
    assert_eq!(credentials(&mine, "wrong").await.map(|_| ()), Err(ErrorCode::PwdWrong));
    assert_eq!(credentials(&theirs, &bob.pwd).await.map(|_| ()), Err(ErrorCode::ApplicationUnknown));
    let shown = credentials(&mine, &alice.pwd).await.unwrap();
    let private = PrivateKey::load(shown.rsa_private.as_str()).unwrap();
    assert_eq!(private.public(), PublicKey::load(&shown.rsa_public).unwrap());
    assert_eq!(private.public().bits(), 2048);
    let credentials = VasCredentials { app_id: shown.uuid, access_token: shown.access_token };
    let app = VasApp::new(shop.world.transport().clone(), &shop.described().base_url, credentials);
    app.price(Profile::Lafi, wallet_api::vas::Currency::Usd).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_answers_as_a_node_does() {
    let shop = Shop::open().await;
    let node = shop.node();
    let order = shop.order("o-1");
    let txid = shop.pay(&order).await;
    shop.world.advance(30).await;
    // The adapter of a node, asked over HTTP, says what the embedded chain says.
    let (embedded, remote) = (EmbeddedChain(shop.world.store().clone()), NodeChain(shop.node()));
    assert_eq!(remote.tip().await.unwrap(), embedded.tip().await.unwrap());
    let found = remote.transaction(&txid).await.unwrap().unwrap();
    assert_eq!(Some(&found), embedded.transaction(&txid).await.unwrap().as_ref());
    assert_eq!(remote.transaction(&"0".repeat(64)).await.unwrap(), None);
    assert!(!remote.is_embedded() && remote.next().await.unwrap().is_none());
    assert_eq!(
        found.outputs.iter().map(|output| output.value.as_str()).collect::<Vec<_>>(),
        ["1.50", "998.5"]
    );
    let tip = node.tip().await.unwrap();
    let block = node.block(found.block.as_deref().unwrap()).await.unwrap().unwrap();
    assert_eq!((block.height, block.txids.as_slice()), (tip.height - 5, std::slice::from_ref(&txid)));
    assert_eq!(node.block("x").await.unwrap(), None);
    let fresh = node.new_address().await.unwrap();
    assert!(fresh.starts_with('V') && fresh != node.new_address().await.unwrap());
    assert!(
        node.is_address(&fresh).await.unwrap() && node.is_address(&shop.described().to_addr).await.unwrap()
    );
    let mut other = fresh.clone();
    other.replace_range(5..6, if &fresh[5..6] == "x" { "y" } else { "x" });
    assert!(!node.is_address(&other).await.unwrap() && !node.is_address("").await.unwrap());
    // Without the password nothing is revealed.
    let nobody = Credentials { user: "demo".into(), password: Secret::new("x".into()) };
    let nobody = Node::new(shop.world.transport().clone(), &shop.described().chain.rpc_url, nobody, "VAS");
    assert!(matches!(nobody.tip().await, Err(RpcError::Unauthorized)));
    // As people call it: any content type, any id, positions as text.
    let raw = async |body: &str, content_type: Option<&str>| {
        let chain = &shop.described().chain;
        let basic = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            format!("{}:{}", chain.rpc_user, chain.rpc_password),
        );
        let mut request =
            http::Request::post(&chain.rpc_url).header("authorization", format!("Basic {basic}"));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        shop.world.exchange(request.body(body.as_bytes().to_vec()).unwrap()).await
    };
    let call =
        |method: &str, params: Value| json!({"id": "a", "method": method, "params": params}).to_string();
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("x")] {
        let reply = raw(&call("getrawtransaction", json!([txid, 4])), content_type).await;
        assert_eq!((reply.http, &reply.json["id"]), (200, &json!("a")), "{}", reply.text);
        assert_eq!(reply.json["result"]["vout"][0]["data"], json!(["6f2d31"]));
        assert_eq!(reply.json["result"]["vout"][0]["value"], json!("1.50"), "R56: text");
    }
    for (body, http, code) in [
        (call("getrawtransaction", json!([txid])), 500, -8),
        (call("getrawtransaction", json!([])), 500, -8),
        (call("getrawtransaction", json!(["x", 4])), 500, -5),
        (call("getblock", json!([1_000_000])), 500, -5),
        (call("stop", json!([])), 404, -32601),
        ("[]".to_owned(), 400, -32600),
        ("{".to_owned(), 500, -32700),
        ("1".to_owned(), 400, -32600),
        ("{\"id\":1}".to_owned(), 400, -32600),
        ("{\"method\":\"getblockcount\",\"params\":1}".to_owned(), 400, -32600),
        ("{\"method\":\"getblock\",\"params\":{\"blockhash\":1,\"x\":1}}".to_owned(), 500, -8),
    ] {
        let reply = raw(&body, None).await;
        assert_eq!((reply.http, reply.json["error"]["code"].as_i64()), (http, Some(code)), "{body}");
    }
    assert_eq!(raw(&call("getblock", json!([1])), None).await.json["result"]["height"], 1);
    // As Bitcoin Core takes it: parameters that are null or named, 2.0, batches, notifications.
    let null = raw(r#"{"method":"getblockchaininfo","params":null,"id":7}"#, None).await.json;
    assert_eq!((&null["id"], &null["error"]), (&json!(7), &Value::Null));
    let best = raw(&call("getbestblockhash", json!([])), None).await.json["result"].clone();
    let height = raw(&call("getblockcount", Value::Null), None).await.json["result"].clone();
    assert_eq!((&null["result"]["bestblockhash"], &null["result"]["blocks"]), (&best, &height));
    assert_eq!(raw(&call("getblockhash", json!({"height": height})), None).await.json["result"], best);
    assert_eq!(raw(&call("getblockhash", json!([1_000_000])), None).await.json["error"]["code"], -8);
    let named = json!({"verbose": true, "txid": txid});
    assert_eq!(raw(&call("getrawtransaction", named), None).await.json["result"]["txid"], json!(txid));
    let second = |more: Value| {
        let mut request = json!({"jsonrpc": "2.0", "method": "getblockcount"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let reply = raw(&second(json!({"id": "x"})).to_string(), None).await;
    assert_eq!((reply.http, &reply.json), (200, &json!({"jsonrpc": "2.0", "result": height, "id": "x"})));
    let reply = raw(&second(json!({"id": 1, "method": "stop"})).to_string(), None).await;
    assert_eq!(
        (reply.http, reply.json["error"]["code"].as_i64(), reply.json.get("result")),
        (200, Some(-32601), None)
    );
    let batch = json!([
        {"method": "getblockcount", "params": [], "id": 1},
        second(json!({})),
        second(json!({"id": 2, "method": "stop"})),
        3,
    ]);
    let reply = raw(&batch.to_string(), None).await;
    let ids: Vec<&Value> = reply.json.as_array().unwrap().iter().map(|reply| &reply["id"]).collect();
    assert_eq!((reply.http, ids), (200, vec![&json!(1), &json!(2), &Value::Null]), "{}", reply.text);
    // RFC 9110, 11.1: the scheme has no case; the rest has.
    let body = call("getblockcount", json!([]));
    for (scheme, good) in [("basic", true), ("BASIC", true), ("Basic", true), ("Bearer", false)] {
        let node = &shop.world.described().vas.chain;
        let pair = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            format!("{}:{}", node.rpc_user, node.rpc_password),
        );
        let request = http::Request::post(&node.rpc_url).header("authorization", format!("{scheme} {pair}"));
        let reply = shop.world.exchange(request.body(body.clone().into_bytes()).unwrap()).await;
        assert_eq!(reply.http == 200, good, "{scheme}");
    }
}

/// A node that says what was recorded.
struct Recorded(HashMap<String, Value>, Mutex<Vec<String>>);

impl Transport for Recorded {
    type Error = std::io::Error;
    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, std::io::Error> {
        let call: Value = serde_json::from_slice(request.body()).unwrap();
        let asked = format!("{} {}", call["method"].as_str().unwrap(), call["params"]);
        self.1.lock().unwrap().push(asked.clone());
        let missing =
            json!({"result": null, "error": {"code": -5, "message": "No such transaction"}, "id": 1});
        let (status, body) = match self.0.get(&asked) {
            Some(result) => (200, json!({"result": result, "error": null, "id": 1})),
            None => (500, missing),
        };
        Ok(http::Response::builder().status(status).body(body.to_string().into_bytes()).unwrap())
    }
}

#[tokio::test]
async fn a_node_that_names_no_senders_is_asked_for_what_was_spent() {
    let spent = json!({"txid": "s", "vin": [{"coinbase": "00"}], "vout": [
        {"value": "5", "n": 0, "scriptPubKey": {"addresses": ["Vother"]}},
        {"value": "2", "n": 1, "scriptPubKey": {"addresses": ["Vpayer"]}},
    ]});
    // As nodes of this kind print it: members that nobody asked for, and no addresses beside the inputs.
    let paying = json!({"hex": "01", "txid": "t", "version": 1, "locktime": 0, "confirmations": 4, "blockhash": "b",
        "vin": [{"txid": "s", "vout": 1, "scriptSig": {"asm": "", "hex": ""}, "sequence": 4294967295_u32}],
        "vout": [
            {"value": "1.50", "n": 0, "scriptPubKey": {"asm": "", "reqSigs": 1, "type": "pubkeyhash", "addresses": ["Vshop"]},
             "assets": [], "permissions": [], "items": []},
            {"value": "0.00000000", "n": 1, "scriptPubKey": {"asm": "OP_RETURN 6f2d31", "type": "nulldata"}, "data": ["6f2d31"]},
        ], "time": 1574510444, "blocktime": 1574510444});
    let said = HashMap::from([
        ("getrawtransaction [\"t\",4]".to_owned(), paying.clone()),
        ("getrawtransaction [\"s\",4]".to_owned(), spent),
        ("getblockchaininfo []".to_owned(), json!({"chain": "vas", "blocks": 9, "bestblockhash": "b"})),
    ]);
    let credentials = || Credentials { user: "u".into(), password: Secret::new("p".into()) };
    let node = Node::new(Recorded(said.clone(), Mutex::default()), "http://node/", credentials(), "VAS");
    let found = node.transaction("t").await.unwrap().unwrap();
    assert_eq!(found.inputs[0].addresses, ["Vpayer"]);
    let order = Order {
        order_id: "o-1".into(),
        to_addr: "Vshop".into(),
        asset: "VAS".into(),
        amount: Amount::parse("1.5").unwrap(),
        callback_url: "https://www.shop.example/".into(),
    };
    assert_eq!(verify_on_chain(&order, &found, 4), Ok(()));
    let own = Order { to_addr: "Vpayer".into(), ..order };
    assert_eq!(verify_on_chain(&own, &found, 1), Err(NotPaid::Wrong(Verdict::OwnAddress)));
    assert_eq!(node.tip().await.unwrap().height, 9);
    assert_eq!(node.transaction("x").await.unwrap(), None);
    // What is not understood is not guessed: a sum as a number, an input of nowhere.
    let mut odd = said.clone();
    odd.get_mut("getrawtransaction [\"t\",4]").unwrap()["vout"][0]["value"] = json!(1.5);
    let node = Node::new(Recorded(odd, Mutex::default()), "http://node/", credentials(), "VAS");
    assert!(matches!(node.transaction("t").await, Err(RpcError::UnexpectedReply("value"))));
    let mut odd = said;
    odd.remove("getrawtransaction [\"s\",4]");
    let node = Node::new(Recorded(odd, Mutex::default()), "http://node/", credentials(), "VAS");
    assert!(matches!(node.transaction("t").await, Err(RpcError::UnexpectedReply("vin"))));
}

/// A chain with prepared answers.
#[derive(Default)]
struct Scripted {
    tip: Mutex<String>,
    /// What it answers of a transaction: none at all, or that the node has no use for the question.
    transactions: Mutex<HashMap<String, Result<Option<Transaction>, String>>>,
    down: AtomicBool,
}

impl Chain for Scripted {
    fn tip(&self) -> Answer<'_, Tip> {
        Box::pin(async {
            if self.down.load(Ordering::SeqCst) {
                return Err(ChainError::Unreachable("the node is down".into()));
            }
            Ok(Tip { height: 1, hash: self.tip.lock().unwrap().clone() })
        })
    }
    fn transaction<'a>(&'a self, txid: &'a str) -> Answer<'a, Option<Transaction>> {
        Box::pin(async {
            let known = self.transactions.lock().unwrap().get(txid).cloned();
            known.unwrap_or(Ok(None)).map_err(ChainError::Answer)
        })
    }
    fn order_chain<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> Answer<'a, OrderChain> {
        Box::pin(async { Ok(OrderChain::Embedded) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_payment_that_cannot_be_looked_up_does_not_hide_the_others() {
    use crate::orders::Shop;
    let shop = Shop::of(TestStore::memory(2).await).await;
    let chain = Arc::new(Scripted::default());
    let server = Server::new(
        shop.world.store.clone(),
        Settings { chain: chain.clone(), ..settings(&shop.world.store) },
    );
    let state = async |order: &str| shop.order(order).await.state;
    let (bad, good) = ("ab".repeat(32), shop.send(&shop.from_addr, &shop.to_addr, "VAS", "1.5", "o-2").await);
    shop.broadcast("o-1", &bad).await.unwrap();
    shop.broadcast("o-2", &good).await.unwrap();
    let mut paying = shop.world.store.view(DevTransaction(good.clone())).await.unwrap().unwrap();
    paying.confirmations = 1;
    // Missing is what a node says it has not; one that says nothing of use may only be late.
    let missing = async |order: &str| server.watcher().missing(&shop.order(order).await).await;
    assert_eq!(
        (missing("o-1").await, missing("o-2").await),
        (Some(bad.clone().into()), Some(good.clone().into()))
    );
    chain.transactions.lock().unwrap().insert(bad, Err("no such parameter".into()));
    chain.transactions.lock().unwrap().insert(good.clone(), Ok(Some(paying)));
    assert_eq!((missing("o-1").await, missing("o-2").await), (None, None));
    // A node that is down changes nothing, and is asked again.
    chain.down.store(true, Ordering::SeqCst);
    assert!(matches!(server.watcher().catch_up().await, Err(ChainError::Unreachable(_))));
    assert_eq!(state("o-2").await, OrderState::Submitted);
    chain.down.store(false, Ordering::SeqCst);
    server.watcher().catch_up().await.unwrap();
    assert_eq!((state("o-1").await, state("o-2").await), (OrderState::Submitted, OrderState::Paid));
    // It forgets the payment: not paid any more, and paid again when it is back.
    let transaction = chain.transactions.lock().unwrap().remove(&good).unwrap();
    server.watcher().catch_up().await.unwrap();
    assert_eq!(state("o-2").await, OrderState::Submitted);
    chain.transactions.lock().unwrap().insert(good, transaction);
    server.watcher().catch_up().await.unwrap();
    assert_eq!(state("o-2").await, OrderState::Paid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_elsewhere_cannot_drive_the_sandbox() {
    let shop = Shop::open().await;
    let url = &shop.world.described().url;
    let with = async |name: &str, value: &str| {
        let request = http::Request::post(format!("{url}/chain/mine"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header(name, value)
            .body(b"blocks=1".to_vec())
            .unwrap();
        shop.world.exchange(request).await.http
    };
    for (name, value, http) in [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://127.0.0.1:1", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("host", "evil.example", 403),
        ("origin", url.as_str(), 200),
        ("sec-fetch-site", "same-origin", 200),
    ] {
        assert_eq!(with(name, value).await, http, "{name}: {value}");
    }
}
