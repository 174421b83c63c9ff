//! The VAS and Lafi platform: application and review, openCodes, prices; on the stores and over HTTP.

use std::sync::Arc;
use std::time::Duration;

use wallet_api::fomo::UserId;
use wallet_api::vas::{Currency, Profile, Refusal, Review, limits, login};
use wallet_core::Secret;
use wallet_crypto::PrivateKey;
use wallet_platform::{
    AddAddress, AddressFault, AddressesOf, AidInfo, ApplicationFault, ApplyVas, ApproveLogin, ApprovedLogin,
    AskPrice, Decision, Digest, Failure, FindVasApp, OrderChain, PutQuote, RedeemOpenCode, ReviewVas, VasApp,
};
use wallet_server::Store;
use wallet_tests::{TestStore, options, trials, with};

use crate::races::{at_once, count};
use crate::rsa::vector;

/// An approved app with its credentials.
pub(crate) struct Approved {
    pub(crate) app: VasApp,
    pub(crate) access_token: String,
    pub(crate) rsa_private: String,
}

fn key() -> PrivateKey {
    PrivateKey::load(vector("vas-rsa-1024.json")["private_pkcs8_base64"].as_str().unwrap()).unwrap()
}

fn application(owner: UserId, profile: Profile) -> ApplyVas {
    let (name, safe_domain, scheme) = ("Shop".into(), "www.Shop.example".into(), "payApp".into());
    ApplyVas { owner, profile, name, safe_domain, scheme }
}

pub(crate) async fn approve(store: &Store, owner: UserId, profile: Profile) -> Approved {
    let app = store.submit(application(owner, profile)).await.unwrap().unwrap();
    let decision = Decision::Approve {
        rsa_private: key().to_base64(),
        rsa_public: key().public().pkcs1().to_vec(),
        seed: store.vault().seed(),
        address: true,
    };
    let app = store.submit(ReviewVas { app, decision }).await.unwrap().unwrap();
    let (access_token, rsa_private) = app.credentials(store.vault()).unwrap();
    Approved { app, access_token: access_token.expose().clone(), rsa_private: rsa_private.expose().clone() }
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Failure>) -> Refusal {
    match result {
        Err(Failure::Refused(no)) => {
            let meta = wallet_platform::vas::answer(no.reason);
            *Refusal::ALL.iter().find(|refusal| refusal.meta() == meta).expect("a refusal of these wallets")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_application_is_reviewed_once_and_its_secrets_are_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let world = TestStore::sqlite(&path, 1).await;
    let (store, owner) = (&world.store, world.users[0].0);
    for (fault, change) in [
        (ApplicationFault::SafeDomain, ("https://www.shop.example", "payapp", "Shop")),
        (ApplicationFault::SafeDomain, ("www.shop.example/x", "payapp", "Shop")),
        (ApplicationFault::SafeDomain, ("www.shop.example:80", "payapp", "Shop")),
        (ApplicationFault::SafeDomain, ("*.shop.example", "payapp", "Shop")),
        (ApplicationFault::SafeDomain, ("www.shop.example.", "payapp", "Shop")),
        (ApplicationFault::SafeDomain, ("localhost", "payapp", "Shop")),
        (ApplicationFault::SafeDomain, ("3232235777", "payapp", "Shop")),
        (ApplicationFault::SafeDomain, ("127.1", "payapp", "Shop")),
        (ApplicationFault::SafeDomain, ("10.0.0.1", "payapp", "Shop")),
        (ApplicationFault::SafeDomain, ("a.0x7f", "payapp", "Shop")),
        (ApplicationFault::SafeDomain, ("[::1]", "payapp", "Shop")),
        (ApplicationFault::Scheme, ("", "itms-services", "Shop")),
        (ApplicationFault::Name, ("www.shop.example", "", "Shop\u{202e}")),
        (ApplicationFault::Scheme, ("", "https", "Shop")),
        (ApplicationFault::Scheme, ("", "javascript", "Shop")),
        (ApplicationFault::Scheme, ("", "VasWallet", "Shop")),
        (ApplicationFault::Scheme, ("", "vaspay", "Shop")),
        (ApplicationFault::Scheme, ("", "pay app", "Shop")),
        (ApplicationFault::Scheme, ("", "payapp://", "Shop")),
        (ApplicationFault::Nowhere, ("", "", "Shop")),
        (ApplicationFault::Name, ("www.shop.example", "", " ")),
    ] {
        let (safe_domain, scheme, name) = change;
        let (safe_domain, scheme, name) = (safe_domain.to_owned(), scheme.to_owned(), name.to_owned());
        let apply = ApplyVas { owner, profile: Profile::Vas, name, safe_domain, scheme };
        assert_eq!(store.submit(apply).await.unwrap(), Err(fault), "{change:?}");
    }

    let pending = store.submit(application(owner, Profile::Lafi)).await.unwrap().unwrap();
    let reject = || ReviewVas { app: pending, decision: Decision::Reject { reason: "no such shop".into() } };
    let rejected = store.submit(reject()).await.unwrap().unwrap();
    assert_eq!((rejected.state, rejected.reason.as_str()), (Review::Rejected, "no such shop"));
    assert_eq!((rejected.safe_domain.as_str(), rejected.scheme.as_str()), ("www.shop.example", "payapp"));
    assert_eq!(store.submit(reject()).await.unwrap().unwrap_err(), ApplicationFault::Decided);
    assert!(rejected.credentials(store.vault()).is_err(), "there are none");

    let approved = approve(store, owner, Profile::Vas).await;
    assert_eq!(approved.app.state, Review::Approved);
    assert_eq!(PrivateKey::load(&approved.rsa_private).unwrap().public(), key().public());
    let found = store.view(FindVasApp(approved.app.uuid.to_string())).await.unwrap();
    assert_eq!(found, approved.app);
    assert_eq!(refused(store.view(FindVasApp("x".into())).await), Refusal::AppUnknown);

    // R54, R80: the file contains neither the token nor the key.
    let Approved { access_token, rsa_private, .. } = &approved;
    drop(world);
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in [access_token.as_bytes(), rsa_private.as_bytes()] {
            let secret = &secret[..32.min(secret.len())];
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}

pub(crate) fn link(uuid: &str) -> login::Link<'static> {
    login::Link::new("payApp://login".into(), uuid.to_owned().into())
}

/// The user consents; the openCode as the app receives it.
async fn open_code(store: &Store, session: Digest, uuid: &str) -> Digest {
    let approve = ApproveLogin {
        session,
        link: link(uuid),
        address: None,
        chain: OrderChain::Embedded,
        seed: store.vault().seed(),
    };
    code_in(store, &store.submit(approve).await.unwrap())
}

/// The openCode of an approved login.
pub(crate) fn code_in(store: &Store, approved: &ApprovedLogin) -> Digest {
    let code = approved.goes.address.strip_prefix("payApp://login?openCode=").unwrap().to_owned();
    assert_eq!(code.len(), 40, "R47");
    store.vault().hash(&code)
}

pub(crate) fn redeem(store: &Store, code: Digest, app: &Approved) -> RedeemOpenCode {
    RedeemOpenCode { code, access_token: store.vault().hash(&app.access_token), uuid: app.app.uuid.clone() }
}

async fn r50_on(world: TestStore) {
    let store = &world.store;
    let (user, session) = world.users[0];
    let shop = approve(store, world.owner, Profile::Vas).await;
    let other = approve(store, world.owner, Profile::Vas).await;

    // To the millisecond.
    let code = open_code(store, session, shop.app.uuid.as_str()).await;
    world.clock.advance(Duration::from_secs(60));
    let info: AidInfo = store.submit(redeem(store, code, &shop)).await.unwrap();
    assert_eq!((info.user, info.aid.as_str()), (user, format!("aid{user}").as_str()));
    assert!(info.address.starts_with('V') && info.address.len() > 30, "{}", info.address);
    assert_eq!(refused(store.submit(redeem(store, code, &shop)).await), Refusal::OpenCodeUnknown, "used");
    let code = open_code(store, session, shop.app.uuid.as_str()).await;
    world.clock.advance(Duration::from_millis(60_001));
    assert_eq!(refused(store.submit(redeem(store, code, &shop)).await), Refusal::OpenCodeUnknown, "expired");

    // Another app that comes with it learns nothing and burns nothing.
    let code = open_code(store, session, shop.app.uuid.as_str()).await;
    assert_eq!(refused(store.submit(redeem(store, code, &other)).await), Refusal::OpenCodeUnknown);
    let mixed = RedeemOpenCode { uuid: shop.app.uuid.clone(), ..redeem(store, code, &other) };
    assert_eq!(refused(store.submit(mixed).await), Refusal::AccessTokenWrong);
    let nobody = RedeemOpenCode { access_token: store.vault().hash("x"), ..redeem(store, code, &shop) };
    assert_eq!(refused(store.submit(nobody).await), Refusal::AccessTokenWrong);
    store.submit(redeem(store, code, &shop)).await.expect("still there");

    let approve = |uuid: &str, callback_url: &'static str| {
        let link = with(link(uuid), |link| link.callback_url = callback_url.into());
        store.submit(ApproveLogin {
            session,
            link,
            address: None,
            chain: OrderChain::Embedded,
            seed: store.vault().seed(),
        })
    };
    assert_eq!(refused(approve("x", "payApp://login").await), Refusal::AppUnknown);
    assert_eq!(
        refused(approve(shop.app.uuid.as_str(), "https://evil.example/").await),
        Refusal::NotRegistered
    );
    let nobody = ApproveLogin {
        session: store.vault().hash("x"),
        link: link(shop.app.uuid.as_str()),
        address: None,
        chain: OrderChain::Embedded,
        seed: store.vault().seed(),
    };
    assert_eq!(refused(store.submit(nobody).await), Refusal::SessionUnknown);
}

#[tokio::test]
async fn r61_one_user_buries_nobody_elses_applications() {
    let world = TestStore::memory(2).await;
    let [one, other] = [world.users[0].0, world.users[1].0];
    let apply = async |owner| world.store.submit(application(owner, Profile::Vas)).await.unwrap();
    let mut first = None;
    for count in 0..limits::PENDING_APPLICATIONS + 2 {
        let applied = apply(one).await;
        assert_eq!(applied.is_ok(), count < limits::PENDING_APPLICATIONS, "{count}");
        first = first.or(applied.ok());
    }
    assert_eq!(apply(one).await.unwrap_err(), ApplicationFault::TooMany);
    assert!(apply(other).await.is_ok(), "another user's are another matter");
    // What is decided makes room for one more.
    let decision = Decision::Reject { reason: "x".to_owned() };
    world.store.submit(ReviewVas { app: first.unwrap(), decision }).await.unwrap().unwrap();
    assert!(apply(one).await.is_ok() && apply(one).await.is_err());
}

#[tokio::test]
async fn r50_an_open_code_works_once_within_its_minute_for_its_app() {
    for world in TestStore::everywhere(1).await {
        r50_on(world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r50_sixteen_redemptions_have_one_winner() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let world = Arc::new(TestStore::sqlite(&path, 1).await);
    let shop = Arc::new(approve(&world.store, world.owner, Profile::Vas).await);
    for _ in 0..trials(2_000, 10_000) {
        let code = open_code(&world.store, world.users[0].1, shop.app.uuid.as_str()).await;
        assert_eq!(count(&path, "SELECT count(*) FROM open_code"), 1);
        let results = at_once(|_| {
            let (world, shop) = (world.clone(), shop.clone());
            async move { world.store.submit(redeem(&world.store, code, &shop)).await }
        })
        .await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let losers: Vec<Refusal> = results.into_iter().filter(Result::is_err).map(refused).collect();
        assert_eq!(losers, [Refusal::OpenCodeUnknown; 15]);
        assert_eq!(count(&path, "SELECT count(*) FROM open_code"), 0, "judged by the rows");
    }
}

fn ask(store: &Store, app: &Approved, currency: &str, coin_type: Option<&str>) -> AskPrice {
    AskPrice {
        access_token: store.vault().hash(&app.access_token),
        currency: currency.to_owned(),
        coin_type: coin_type.map(str::to_owned),
    }
}

async fn quote(store: &Store, market: u32, price: &str, volume: &str) {
    let (price, volume) = (price.parse().unwrap(), volume.parse().unwrap());
    let max_age = Duration::from_secs(300);
    let (profile, currency) = (Profile::Vas, Currency::Usd);
    store.submit(PutQuote { profile, currency, market, price, volume, max_age }).await.unwrap();
}

#[tokio::test]
async fn r57_the_price_is_weighted_fresh_and_asked_for_ten_times_a_minute() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let world = TestStore::sqlite(&path, 1).await;
    let (store, clock) = (world.store.clone(), world.clock.clone());
    let shop = approve(&store, world.owner, Profile::Vas).await;
    let other = approve(&store, world.owner, Profile::Lafi).await;
    quote(&store, 0, "1", "3").await;
    quote(&store, 1, "2", "1").await;
    assert_eq!(store.submit(ask(&store, &shop, "USD", None)).await.unwrap().as_str(), "1.25");
    assert_eq!(store.submit(ask(&store, &shop, "USD", Some("VASUSDT"))).await.unwrap().as_str(), "1.25");
    // R70: exact and upper case.
    assert_eq!(refused(store.submit(ask(&store, &shop, "usd", None)).await), Refusal::CurrencyUnknown);
    assert_eq!(refused(store.submit(ask(&store, &shop, "XAU", None)).await), Refusal::CurrencyUnknown);
    for coin_type in ["vasusdt", "BTC", ""] {
        assert_eq!(
            refused(store.submit(ask(&store, &shop, "USD", Some(coin_type))).await),
            Refusal::PriceUnavailable
        );
    }
    assert_eq!(
        refused(store.submit(ask(&store, &shop, "EUR", None)).await),
        Refusal::PriceUnavailable,
        "no market"
    );
    let nobody = AskPrice { access_token: store.vault().hash("x"), ..ask(&store, &shop, "USD", None) };
    assert_eq!(refused(store.submit(nobody).await), Refusal::PriceAccessTokenWrong);
    // Eight so far, refused ones too; the one without a valid token not.
    for _ in 0..2 {
        store.submit(ask(&store, &shop, "USD", None)).await.unwrap();
    }
    assert_eq!(refused(store.submit(ask(&store, &shop, "USD", None)).await), Refusal::PriceTooOften);
    store.submit(ask(&store, &other, "USD", None)).await.expect("each app has its own ten");
    // Rows, not memory.
    let (vault_token, uuid) = (shop.access_token.clone(), shop.app.uuid.clone());
    drop((world, store));
    let store = wallet_server::store::open(&path, options(clock.clone())).unwrap();
    assert_eq!(store.view(FindVasApp(uuid.to_string())).await.unwrap().id, shop.app.id);
    let again = || AskPrice {
        access_token: store.vault().hash(&vault_token),
        currency: "USD".into(),
        coin_type: None,
    };
    clock.advance(Duration::from_millis(59_999));
    assert_eq!(refused(store.submit(again()).await), Refusal::PriceTooOften);
    clock.advance(Duration::from_millis(1));
    for _ in 0..10 {
        store.submit(again()).await.expect("those that the limit refused did not count");
    }
    assert_eq!(refused(store.submit(again()).await), Refusal::PriceTooOften);
    // A window that slides: half of it spent later comes back later.
    clock.advance(Duration::from_secs(60));
    for _ in 0..5 {
        store.submit(again()).await.unwrap();
    }
    clock.advance(Duration::from_secs(30));
    for _ in 0..5 {
        store.submit(again()).await.unwrap();
    }
    clock.advance(Duration::from_secs(30));
    for _ in 0..5 {
        store.submit(again()).await.unwrap();
    }
    assert_eq!(refused(store.submit(again()).await), Refusal::PriceTooOften);
    // Stale markets count no more.
    clock.advance(Duration::from_secs(120));
    quote(&store, 1, "2", "1").await;
    clock.advance(Duration::from_millis(1));
    assert_eq!(store.submit(again()).await.unwrap().as_str(), "2", "the other is older than its age");
    clock.advance(Duration::from_secs(301));
    assert_eq!(refused(store.submit(again()).await), Refusal::PriceUnavailable);
}

#[tokio::test]
async fn an_approved_app_gets_addresses_and_takes_an_own_one_that_is_valid() {
    let directory = tempfile::tempdir().unwrap();
    let world = TestStore::sqlite(&directory.path().join("db"), 1).await;
    let (store, owner) = (&world.store, world.users[0].0);
    let app = approve(store, owner, Profile::Vas).await.app.id;
    let first = store.view(AddressesOf(app)).await.unwrap();
    assert_eq!((first.len(), first[0].entered), (1, false));
    let vault = store.vault();
    assert!(vault.is_address(first[0].address.as_str()));
    assert_ne!(first[0].address.as_str(), vault.address(owner), "the owner can pay his own app (R56)");
    let add = async |entered: Option<&str>| {
        let entered = entered.map(str::to_owned);
        store.submit(AddAddress { owner, app, entered, chain: OrderChain::Embedded }).await.unwrap()
    };
    let second = add(None).await.unwrap();
    assert!(vault.is_address(second.address.as_str()) && second.address != first[0].address);
    let own = vault.address(owner);
    assert!(add(Some(&own)).await.unwrap().entered);
    assert_eq!(add(Some(&own)).await, Err(AddressFault::Known));
    let mut wrong = own.clone();
    let last = wrong.pop().unwrap();
    wrong.push(if last == 'x' { 'y' } else { 'x' });
    for malformed in ["", &wrong, "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"] {
        assert_eq!(add(Some(malformed)).await, Err(AddressFault::Malformed), "{malformed}");
    }
    let stranger = UserId::new(owner.get() + 1);
    let other = store
        .submit(AddAddress { owner: stranger, app, entered: None, chain: OrderChain::Embedded })
        .await
        .unwrap();
    assert_eq!(other, Err(AddressFault::Unknown));
    for _ in 3..limits::RECEIVING_ADDRESSES {
        add(None).await.unwrap();
    }
    assert_eq!(add(None).await, Err(AddressFault::TooMany));
    let all = store.view(AddressesOf(app)).await.unwrap();
    let distinct: std::collections::HashSet<_> = all.iter().map(|one| one.address.to_string()).collect();
    assert_eq!(distinct.len() as u64, limits::RECEIVING_ADDRESSES);
}

/// Debug does not show a secret.
#[test]
fn nothing_of_a_verdict_shows() {
    let decision = Decision::Approve {
        rsa_private: Secret::new("MIIC".into()),
        rsa_public: Vec::new(),
        seed: wallet_platform::Seed::new([7; 32]),
        address: false,
    };
    assert!(!format!("{decision:?}").contains("MIIC"));
}
