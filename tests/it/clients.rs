//! The clients: ours on two runtimes, and one that knows nothing of this platform.

use std::sync::Arc;

use wallet_client::{
    FomoClient, FomoCredentials, FomoReceiver, FomoWallet, InLanguage, Payment, system_time,
};
use wallet_core::{Lang, Transport};
use wallet_crypto::Portable;
use wallet_tests::{Merchant, World};

/// RFC 6749 as the `oauth2` crate speaks it: nothing set but addresses and credentials.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_a_plain_oauth2_client_gets_and_refreshes_a_token() {
    use oauth2::basic::BasicClient;
    use oauth2::{AuthUrl, AuthorizationCode, ClientId, ClientSecret, RedirectUrl, TokenResponse, TokenUrl};

    let world = World::start().await;
    let fomo = &world.described().fomo;
    let transport = wallet_hyper::HyperTransport::new(
        hyper_util::client::legacy::connect::HttpConnector::new(),
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioTimer::new(),
    );
    let http = |request: oauth2::HttpRequest| {
        let transport = transport.clone();
        async move { transport.send(request).await }
    };
    let client = BasicClient::new(ClientId::new(fomo.client_id.clone()))
        .set_client_secret(ClientSecret::new(fomo.client_secret.clone()))
        .set_auth_uri(AuthUrl::new(format!("{}oauth2/authorize", fomo.base_url)).unwrap())
        .set_token_uri(TokenUrl::new(format!("{}oauth2/authorize/token", fomo.base_url)).unwrap())
        .set_redirect_uri(RedirectUrl::new(fomo.redirect_uri.clone()).unwrap());
    let code = world.call(&world.authorize("alice").await).await.ok().data("code").to_owned();
    let tokens =
        client.exchange_code(AuthorizationCode::new(code.clone())).request_async(&http).await.unwrap();
    assert_eq!(tokens.expires_in().unwrap().as_secs(), 3600);
    let scopes: Vec<String> = tokens.scopes().unwrap().iter().map(|scope| scope.to_string()).collect();
    assert_eq!(scopes, ["userinfo", "paytoken"]);
    let fresh =
        client.exchange_refresh_token(tokens.refresh_token().unwrap()).request_async(&http).await.unwrap();
    assert_ne!(fresh.access_token().secret(), tokens.access_token().secret());
    let info =
        wallet_tests::Call::post("oauth2/resource/get_user_info").bearer(fresh.access_token().secret());
    world.call(&info).await.ok();
    // And it understands a refusal.
    let again = client.exchange_code(AuthorizationCode::new(code)).request_async(&http).await.unwrap_err();
    let oauth2::RequestTokenError::ServerResponse(refusal) = again else { panic!("{again:?}") };
    assert_eq!(refusal.error().as_ref(), "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_in_the_language_that_the_client_asks_for() {
    let world = World::start().await;
    let base_url = &world.described().fomo.base_url;
    for (lang, words) in [(Lang::En, "Wrong user name or password"), (Lang::Zh, "密码错误")] {
        let wallet = FomoWallet::new(InLanguage(world.transport().clone(), lang), base_url);
        let refused = wallet.login("alice", "wrong").await.unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

/// A whole payment by our client over any transport.
async fn pays<T: Transport + Clone>(world: &World, merchant: &Merchant, transport: T) {
    let fomo = &world.described().fomo;
    let alice = world.user("alice");
    let credentials = FomoCredentials {
        client_id: fomo.client_id.clone().into(),
        client_secret: fomo.client_secret.clone().into(),
        redirect_uri: fomo.redirect_uri.clone().into(),
    };
    let app = FomoClient::new(transport.clone(), &fomo.base_url).with_credentials(
        credentials,
        Arc::new(Portable::new()),
        system_time,
    );
    let wallet = FomoWallet::new(transport, &fomo.base_url);
    let session = wallet.login(&alice.login_name, &alice.pwd).await.unwrap().session_key;
    let grant = wallet.authorize(&session, &fomo.client_id, &fomo.redirect_uri, "s").await.unwrap();
    let tokens = app.exchange_code(grant.code.as_str()).await.unwrap();
    assert_eq!(app.user_info(&tokens.access_token).await.unwrap().name, "Alice");
    let payment = Payment {
        trade_id: world.fresh("client").into(),
        amount: "0.000001".parse().unwrap(),
        coin: wallet_api::fomo::CoinId::new(5),
        server_uri: wallet_api::fomo::ServerUri::new(merchant.url.clone()).unwrap(),
        state: "s".into(),
    };
    let trade_id = payment.trade_id.clone();
    let transfer = app.pre_pay(&tokens.access_token, payment.clone()).await.unwrap();
    let taken = app.pre_pay(&tokens.access_token, payment).await.unwrap_err();
    assert_eq!(taken.code().unwrap().code(), 211);
    assert_eq!(wallet.pending(&session, transfer, &trade_id).await.unwrap().amount.as_str(), "0.000001");
    wallet.confirm_pay(&session, transfer, &trade_id, &alice.wallet_pwd).await.unwrap();
    assert_eq!(app.trade(&trade_id).await.unwrap().transfer_id, transfer);
    let received = merchant.wait_for(1).await;
    let receiver = FomoReceiver::new(Arc::new(Portable::new()), fomo.client_secret.clone().into());
    assert_eq!(receiver.receive(&received[0], system_time()).unwrap().transfer_id, transfer);
    let refused = wallet.deny(&session, &fomo.client_id, &fomo.redirect_uri, "s").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), 54);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_pays_on_tokio() {
    let (world, merchant) = (World::start().await, Merchant::open().await);
    let connector = wallet_hyper::https(hyper_util::client::legacy::connect::HttpConnector::new());
    let (executor, timer) = (hyper_util::rt::TokioExecutor::new(), hyper_util::rt::TokioTimer::new());
    pays(&world, &merchant, wallet_hyper::HyperTransport::new(connector, executor, timer)).await;
}

mod on_smol {
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::{Duration, Instant};

    use hyper_util::client::legacy::connect::{Connected, Connection};
    use smol_hyper::rt::FuturesIo;

    /// A connector without tokio.
    #[derive(Clone)]
    pub struct SmolConnector;

    pub struct Stream(FuturesIo<smol::net::TcpStream>);

    impl Connection for Stream {
        fn connected(&self) -> Connected {
            Connected::new()
        }
    }

    impl hyper::rt::Read for Stream {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: hyper::rt::ReadBufCursor<'_>,
        ) -> Poll<std::io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }

    impl hyper::rt::Write for Stream {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, buf)
        }
        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }
        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }

    impl tower_service::Service<http::Uri> for SmolConnector {
        type Response = Stream;
        type Error = std::io::Error;
        type Future = Pin<Box<dyn Future<Output = std::io::Result<Stream>> + Send>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, uri: http::Uri) -> Self::Future {
            Box::pin(async move {
                let address = (uri.host().unwrap().to_owned(), uri.port_u16().unwrap_or(80));
                smol::net::TcpStream::connect(address).await.map(|stream| Stream(FuturesIo::new(stream)))
            })
        }
    }

    #[derive(Clone)]
    pub struct SmolExecutor;

    impl hyper::rt::Executor<Pin<Box<dyn Future<Output = ()> + Send>>> for SmolExecutor {
        fn execute(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
            smol::spawn(future).detach();
        }
    }

    pub struct SmolTimer;

    struct SmolSleep(smol::Timer);

    impl Future for SmolSleep {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            Pin::new(&mut self.0).poll(cx).map(|_| ())
        }
    }

    impl hyper::rt::Sleep for SmolSleep {}

    impl hyper::rt::Timer for SmolTimer {
        fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
            Box::pin(SmolSleep(smol::Timer::after(duration)))
        }
        fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
            Box::pin(SmolSleep(smol::Timer::at(deadline)))
        }
    }
}

#[test]
fn the_client_pays_on_smol() {
    // The server needs tokio; the client's futures are polled by smol, outside of it.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (world, merchant) = runtime.block_on(async { (World::start().await, Merchant::open().await) });
    let connector = wallet_hyper::https(on_smol::SmolConnector);
    let transport = wallet_hyper::HyperTransport::new(connector, on_smol::SmolExecutor, on_smol::SmolTimer);
    let fomo = &world.described().fomo;
    let credentials = FomoCredentials {
        client_id: fomo.client_id.clone().into(),
        client_secret: fomo.client_secret.clone().into(),
        redirect_uri: fomo.redirect_uri.clone().into(),
    };
    let app = FomoClient::new(transport.clone(), &fomo.base_url).with_credentials(
        credentials,
        Arc::new(Portable::new()),
        system_time,
    );
    let wallet = FomoWallet::new(transport, &fomo.base_url);
    let alice = world.user("alice");
    smol::block_on(async {
        assert_eq!(app.coins().await.unwrap().len(), 4);
        let session = wallet.login(&alice.login_name, &alice.pwd).await.unwrap().session_key;
        let grant = wallet.authorize(&session, &fomo.client_id, &fomo.redirect_uri, "s").await.unwrap();
        let tokens = app.exchange_code(grant.code.as_str()).await.unwrap();
        let payment = Payment {
            trade_id: "on-smol".into(),
            amount: "1".parse().unwrap(),
            coin: wallet_api::fomo::CoinId::new(5),
            server_uri: wallet_api::fomo::ServerUri::new(merchant.url.clone()).unwrap(),
            state: "s".into(),
        };
        let trade_id = payment.trade_id.clone();
        let transfer = app.pre_pay(&tokens.access_token, payment).await.unwrap();
        wallet.confirm_pay(&session, transfer, &trade_id, &alice.wallet_pwd).await.unwrap();
        app.transfer_detail(&tokens.access_token, transfer).await.unwrap();
        app.refresh(&tokens.refresh_token).await.unwrap();
        assert_eq!(wallet.records(&session, wallet_api::fomo::CoinId::new(5), 1).await.unwrap().total, 2);
    });
    runtime.block_on(async { merchant.wait_for(1).await });
}

#[test]
fn r11_replies_are_read_with_numbers_strings_and_without_data() {
    use wallet_api::fomo::{
        TransferStatus, get_active_coins, get_events, get_trade, pay_user, pre_pay, refresh_token,
        set_wallet_pwd, token,
    };
    use wallet_core::OutgoingRequest;
    let read = |body: &str| http::Response::builder().status(200).body(body.as_bytes().to_vec()).unwrap();

    let coins = read(
        r#"{"sucess":"true","status":"1","data":{"active_coins":[{"id":5,"chain_id":3,"coin_type":0,"price":0.100000000000000000001,"name":"usdt",
        "description":null,"bc_explorer":"x","contract":"","decimals":6,"min_amount":1,"next_start":0,"is_active":1,"sort_id":0}]}}"#,
    );
    let coins = get_active_coins::Request::decode_response(&coins).unwrap().active_coins;
    assert_eq!(
        (coins[0].id.get(), coins[0].decimals.as_str(), coins[0].bc_expolorer.as_str()),
        (5, "6", "x")
    );
    assert_eq!(coins[0].price, "0.100000000000000000001", "numbers are read digit by digit");
    for data in ["null", "{}", "[]"] {
        let reply = read(&format!(r#"{{"success":true,"status":1,"data":{data}}}"#));
        set_wallet_pwd::Request::decode_response(&reply).unwrap();
    }
    set_wallet_pwd::Request::decode_response(&read(r#"{"success":true,"status":1}"#)).unwrap();
    // R28: at the top level only, as the document lists it.
    let reply = read(r#"{"success":true,"status":1,"transfer_id":"77","data":[]}"#);
    assert_eq!(pre_pay::Request::decode_response(&reply).unwrap().transfer_id.get(), 77);
    // R17: a bare object, and a refresh without a new refresh token.
    let reply = read(
        r#"{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"r","scope":"userinfo"}"#,
    );
    assert_eq!(token::Request::decode_response(&reply).unwrap().access_token.as_str(), "a");
    let reply = read(r#"{"status":1,"data":{"access_token":"a","token_type":"Bearer","expires_in":"3600"}}"#);
    assert_eq!(refresh_token::Request::decode_response(&reply).unwrap().refresh_token, None);
    // RFC 6749, 5.1: only access_token and token_type are required, and servers leave out the second one too.
    for (rest, expires_in, scope) in [
        ("", None, None),
        (r#","token_type":"bearer","expires_in":3600.0"#, Some(3_600), None),
        (r#","expires_in":"3600","scope":"""#, Some(3_600), None),
        (r#","expires_in":3.6E3,"scope":"userinfo""#, Some(3_600), Some("userinfo")),
        (r#","expires_in":null,"scope":null"#, None, None),
        (r#","expires_in":"""#, None, None),
    ] {
        let reply = read(&format!(r#"{{"access_token":"a","refresh_token":"r"{rest}}}"#));
        let tokens =
            token::Request::decode_response(&reply).unwrap_or_else(|error| panic!("{rest}: {error}"));
        assert_eq!((tokens.expires_in, tokens.scope.as_deref()), (expires_in, scope), "{rest}");
    }
    for broken in ["3600.5", "-1", "\"soon\"", "1e99"] {
        let reply = read(&format!(r#"{{"access_token":"a","refresh_token":"r","expires_in":{broken}}}"#));
        assert!(token::Request::decode_response(&reply).is_err(), "{broken}");
    }
    // What PHP and Java write: no httpcode, an exponent, a list of which elements were removed.
    for (httpcode, read_as) in [
        ("", None),
        (r#","httpcode":null"#, None),
        (r#","httpcode":"""#, None),
        (r#","httpcode":200"#, Some(200)),
    ] {
        let reply = read(&format!(r#"{{"status":1,"data":{{"transfer_id":"1","trade_id":"t"{httpcode}}}}}"#));
        assert_eq!(pay_user::Request::decode_response(&reply).unwrap().httpcode, read_as, "{httpcode}");
    }
    let price = |number: &str| {
        let reply = read(&format!(r#"{{"success":true,"errorCode":0,"errorMsg":"","result":{number}}}"#));
        let price = wallet_api::vas::price::Request::decode_response(&reply).ok()?;
        Some(price.price.as_str().to_owned())
    };
    for (number, plain) in [
        ("4.0E-4", "0.0004"),
        ("1.25e+2", "125"),
        ("12E-1", "1.2"),
        ("1.10", "1.10"),
        ("0e0", "0"),
        ("\"0.5\"", "0.5"),
    ] {
        assert_eq!(price(number).unwrap(), plain, "{number}");
    }
    for broken in ["-4.0E-4", "1e400", "null", "\"4.0E-4\""] {
        assert_eq!(price(broken), None, "{broken}");
    }
    let event = |n: u64| format!(r#"{{"n":{n},"kind":"paid","transfer_id":1,"trade_id":"t","time":1}}"#);
    let gaps = format!(r#"{{"status":1,"data":{{"events":{{"10":{},"2":{}}}}}}}"#, event(7), event(3));
    let events = get_events::Request::decode_response(&read(&gaps)).unwrap().events;
    assert_eq!(events.iter().map(|event| event.n).collect::<Vec<_>>(), [3, 7]);
    // A state that the spec does not know keeps its text; what the spec knows compares as before.
    let trade = |status: &str| {
        let reply = read(&format!(
            r#"{{"status":1,"data":{{"transfer_id":1,"trade_id":"t","status":{status},"direction":1,"user_id":2,
            "coin_id":5,"amount":"1","cut_amount":"0","create_time":1,"update_time":1}}}}"#
        ));
        get_trade::Request::decode_response(&reply).unwrap().status
    };
    assert_eq!((trade("\"75\"").as_str(), trade("75").known()), ("75", None));
    assert_eq!(
        (trade("100"), trade("100").known()),
        (TransferStatus::Done.into(), Some(TransferStatus::Done))
    );
    assert!(trade("100") == TransferStatus::Done && trade("75") != TransferStatus::Done);
    assert_eq!(serde_json::to_string(&trade("75")).unwrap(), "\"75\"");
    // R14: codes that the spec does not know keep their number and text.
    let reply = read(r#"{"success":false,"status":"999","msg":"new","data":[]}"#);
    let error = pre_pay::Request::decode_response(&reply).unwrap_err();
    assert_eq!(error.code(), Some(&wallet_api::fomo::ErrorCode::Unknown(999)));
    // An unexpected reply is an error that does not show its body.
    let reply = read("<html>secret</html>");
    let error = pre_pay::Request::decode_response(&reply).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[test]
fn r09_a_callback_is_believed_only_as_it_was_signed() {
    use wallet_core::{Callback, UnixTime, webhook};
    let rule = wallet_api::fomo::payment_result::Callback::META.signing.unwrap();
    let (crypto, now) = (Portable::new(), UnixTime::from_secs(1_574_510_444));
    let body = b"transfer_id=1&user_id=2&trade_id=t&coin_id=5&amount=1.50&cut_amount=0&direction=1&status=1";
    let headers = webhook::sign(&crypto, rule, [&b"new"[..], b"old"], "1", now, body);
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    assert_eq!(headers.each_ref().map(|(name, _)| *name), names);
    let [_, _, (_, header)] = headers;
    let request = |body: &[u8], id: &str, at: i64, signature: &str| {
        let builder =
            http::Request::post("/").header("webhook-id", id).header("webhook-timestamp", at.to_string());
        builder.header("webhook-signature", signature).body(body.to_vec()).unwrap()
    };
    let receiver = |secret: &str| FomoReceiver::new(Arc::new(Portable::new()), secret.to_owned().into());
    let good = request(body, "1", now.secs(), &header);
    for secret in ["new", "old"] {
        assert_eq!(receiver(secret).receive(&good, now).unwrap().amount.as_str(), "1.50");
    }
    assert!(receiver("another").receive(&good, now).is_err());
    let late = UnixTime::from_secs(now.secs() + 301);
    assert!(receiver("new").receive(&good, late).is_err());
    assert!(receiver("new").receive(&request(body, "2", now.secs(), &header), now).is_err());
    assert!(receiver("new").receive(&request(body, "1", now.secs() + 1, &header), now).is_err());
    assert!(receiver("new").receive(&request(body, "1", now.secs(), "v1,"), now).is_err());
    assert!(receiver("new").receive(&http::Request::post("/").body(body.to_vec()).unwrap(), now).is_err());
    for at in 0..body.len() {
        for bit in 0..8 {
            let mut changed = body.to_vec();
            changed[at] ^= 1 << bit;
            assert!(receiver("new").receive(&request(&changed, "1", now.secs(), &header), now).is_err());
        }
    }
    // R2, R35: a failed payment is read, although this platform never sends one.
    let failed =
        b"transfer_id=1&user_id=2&trade_id=t&coin_id=5&amount=1.50&cut_amount=0&direction=2&status=0";
    let [_, _, (_, header)] = webhook::sign(&crypto, rule, [&b"new"[..]], "1", now, failed);
    let request = request(failed, "1", now.secs(), &header);
    let payload = receiver("new").receive(&request, now).unwrap();
    assert_eq!(payload.status, wallet_api::fomo::CallbackStatus::Failed);
}
