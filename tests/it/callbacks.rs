//! The worker that delivers callbacks, over real sockets.

use wallet_api::fomo::{CoinId, ServerUri, UserId};
use wallet_core::Secret;
use wallet_crypto::Portable;
use wallet_platform::{
    CreateApp, CreateUser, CreatedApp, Deposit, PasswordKind, PasswordState, PayUser, Proof,
};
use wallet_tests::{Merchant, World, fast_passwords};

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
    let store = world.store();
    let pay = |app: &CreatedApp, owner: UserId, uri: &str, trade: usize| {
        let state = PasswordState { user: owner, version: 1 };
        store.submit(PayUser {
            app: app.app,
            trade_id: format!("trade-{trade}").into(),
            amount: "0.01".parse().unwrap(),
            coin: CoinId::new(5),
            user: world.user("alice").user_id.parse().map(UserId::new).unwrap(),
            server_uri: ServerUri::new(uri.to_owned()).unwrap(),
            state: "s".to_owned().into(),
            proof: Proof::remembered(&state, PasswordKind::Wallet),
        })
    };
    let mut apps = Vec::new();
    for client_id in ["slow", "quick"] {
        let phc = || Secret::new(fast_passwords().hash(&Portable::new(), "secret").unwrap());
        let user = CreateUser {
            login_name: format!("{client_id}-owner"),
            name: "Owner".to_owned(),
            pwd: phc(),
            wallet_pwd: Some(phc()),
            developer: true,
        };
        let owner = store.submit(user).await.unwrap();
        let money = Deposit { user: owner, coin: CoinId::new(5), amount: "100".parse().unwrap() };
        store.submit(money).await.unwrap();
        let (client_id, name, seed) = (client_id.to_owned(), "App".to_owned(), store.vault().seed());
        let app = CreateApp {
            owner,
            client_id: client_id.into(),
            name,
            redirect_uri: "shop.example/back".into(),
            seed,
        };
        apps.push((store.submit(app).await.unwrap(), owner));
    }
    for trade in 0..100 {
        pay(&apps[0].0, apps[0].1, &slow, trade).await.unwrap();
    }
    let merchant = Merchant::open().await;
    pay(&apps[1].0, apps[1].1, &merchant.url, 100).await.unwrap();
    world.sandbox.server().callbacks().wake();
    merchant.wait_for(1).await;
    let slow = apps[0].0.app.0;
    let leased = world
        .database()
        .count(&format!("SELECT count(*) FROM delivery WHERE app = {slow} AND leased_until > 0"));
    assert!((1..=32).contains(&leased), "of a hundred that are due: {leased}");
}
