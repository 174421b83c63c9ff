//! The worker that delivers callbacks, over real sockets.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wallet_api::fomo::{CoinId, ServerUri, UserId};
use wallet_core::Secret;
use wallet_crypto::Portable;
use wallet_platform::{
    CreateApp, CreateUser, CreatedApp, Deposit, PasswordKind, PasswordState, PayUser, Proof,
};
use wallet_tests::{Merchant, World, fast_passwords};

/// Money that an app pays to alice, with a callback.
async fn pay(world: &World, (app, owner): &(CreatedApp, UserId), uri: &str, trade: usize) {
    let state = PasswordState { user: *owner, version: 1 };
    let payment = PayUser {
        app: app.app,
        trade_id: format!("trade-{trade}").into(),
        amount: "0.01".parse().unwrap(),
        coin: CoinId::new(5),
        user: world.user("alice").user_id.parse().map(UserId::new).unwrap(),
        server_uri: ServerUri::new(uri.to_owned()).unwrap(),
        state: "s".to_owned().into(),
        proof: Proof::remembered(&state, PasswordKind::Wallet),
    };
    world.store().submit(payment).await.unwrap();
}

/// A developer with money, and so many apps.
async fn developer(world: &World, name: &str, apps: usize) -> Vec<(CreatedApp, UserId)> {
    let store = world.store();
    let phc = || Secret::new(fast_passwords().hash(&Portable::new(), "secret").unwrap());
    let user = CreateUser {
        login_name: format!("{name}-owner"),
        name: "Owner".to_owned(),
        pwd: phc(),
        wallet_pwd: Some(phc()),
        developer: true,
    };
    let owner = store.submit(user).await.unwrap();
    let money = Deposit { user: owner, coin: CoinId::new(5), amount: "100".parse().unwrap() };
    store.submit(money).await.unwrap();
    let mut created = Vec::new();
    for number in 0..apps {
        let app = CreateApp {
            owner,
            client_id: format!("{name}-{number}").into(),
            name: "App".to_owned(),
            redirect_uri: "shop.example/back".into(),
            seed: store.vault().seed(),
        };
        created.push((store.submit(app).await.unwrap(), owner));
    }
    created
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merchant_that_never_answers_keeps_no_place_from_the_others() {
    let world = World::start().await;
    let tar_pit = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let slow = format!("http://localhost:{}/cb", tar_pit.local_addr().unwrap().port());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = tar_pit.accept().await {
            held.push(stream); // never answers
        }
    });
    let (slow_app, quick) = (developer(&world, "slow", 1).await, developer(&world, "quick", 1).await);
    for trade in 0..100 {
        pay(&world, &slow_app[0], &slow, trade).await;
    }
    let merchant = Merchant::open().await;
    pay(&world, &quick[0], &merchant.url, 100).await;
    world.sandbox.server().callbacks().wake();
    merchant.wait_for(1).await;
    let slow = slow_app[0].0.app.0;
    let leased = world
        .database()
        .count(&format!("SELECT count(*) FROM delivery WHERE app = {slow} AND leased_until > 0"));
    assert!((1..=32).contains(&leased), "of a hundred that are due: {leased}");
}

/// R3 says when a merchant's callback is due. Another developer may name the merchant's host in `server_uri`: forty apps of theirs must not
/// take its places, nor all places of the worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apps_of_one_owner_take_no_turns_from_another_ones_merchant() {
    let world = World::start().await;
    let shop = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = |path: &str| format!("http://{}/{path}", shop.local_addr().unwrap());
    let (victim_url, flood_url) = (url("victim"), url("flood"));
    let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = shop.accept().await {
            let arrived = arrived.clone();
            tokio::spawn(async move {
                let mut head = [0; 4_096];
                let length = stream.read(&mut head).await.unwrap_or(0);
                let is_victim = head[..length].starts_with(b"POST /victim ");
                let _ = arrived.send(is_victim);
                if is_victim {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
                } else {
                    std::future::pending::<()>().await; // the host is slow
                }
            });
        }
    });
    let (flood, victim) = (developer(&world, "flood", 40).await, developer(&world, "victim", 1).await);
    for (number, app) in flood.iter().enumerate() {
        for trade in 0..3 {
            pay(&world, app, &flood_url, number * 3 + trade).await;
        }
    }
    let callbacks = world.sandbox.server().callbacks();
    callbacks.wake();
    for _ in 0..24 {
        assert_eq!(arrivals.recv().await, Some(false), "three quarters of the host's places");
    }
    pay(&world, &victim[0], &victim_url, 1_000).await;
    callbacks.wake();
    assert_eq!(arrivals.recv().await, Some(true), "the next one is the merchant's");
    assert!(callbacks.attempts() <= 1, "nothing had to end before: {}", callbacks.attempts());
    let count = |sql: &str| world.database().count(sql);
    let leased = count("SELECT count(*) FROM delivery WHERE leased_until > 0 AND state = 0");
    assert!((24..=65).contains(&leased), "of 120 that are due: {leased}");
}

/// A callback address as people write it: https://url.spec.whatwg.org/ percent-encodes what http does not take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_another_script_is_called_as_a_browser_calls_it() {
    let (world, merchant) = (World::start().await, Merchant::open().await);
    for (written, called) in [
        ("/回调|a?名=值", "/%E5%9B%9E%E8%B0%83%7Ca?%E5%90%8D=%E5%80%BC"),
        ("/a b", "/a%20b"),
        ("", "/callback"),
    ] {
        let before = merchant.received().len();
        let url = match written {
            "" => merchant.url.clone(),
            written => merchant.url.replace("/callback", written),
        };
        let reply = world.call(&world.pay_user("alice").with("server_uri", &url)).await.ok();
        assert_eq!(reply.data("httpcode"), "200", "{written}");
        assert_eq!(merchant.received()[before].uri().to_string(), called);
    }
    let refused = world.call(&world.pay_user("alice").with("server_uri", "http://回/")).await;
    assert_eq!(refused.status(), 0, "a host is in ASCII: {}", refused.text);
}
