//! Orders on the embedded chain, under a clock that is moved by hand: what is paid, what is not, and what a
//! reorganisation undoes.

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;
use wallet_api::fomo::UserId;
use wallet_api::vas::{OrderFault, OrderState, Profile, Refusal, Txid, pay};
use wallet_chain::embedded::{
    DevBalance, DevIssue, DevMine, DevNewAddress, DevNextBlock, DevPay, DevReorg, DevTick, DevTip,
    DevTransaction,
};
use wallet_core::{Callback as _, DeliveryState, UnixTime, VerifyingKey};
use wallet_crypto::{PrivateKey, RsaSign, RsaVerify};
use wallet_platform::{
    Attempt, AttemptResult, AttemptsOf, CallbackKind, Claimed, DueDeliveries, Failure, NextDue,
    ObservePayment, OrderChain, OrderOf, OrderSeq, OrdersPaidBy, PasswordKind, PasswordState, Proof,
    SendAgain, StillToBeMade, SubmitPay, SubmittedPay, VasOrder, WatchedOrders,
};
use wallet_store::Clock as _;
use wallet_tests::{ANY_TIME, TestStore, trials, with};

use crate::deliveries::{claim, finish, run};
use crate::races::{at_once, count};
use crate::vas::{Approved, approve, refused};

const CALLBACK: &str = "https://www.shop.example/pay?orderId=1";

/// An app of the VAS wallet whose address is its owner's, and a payer with money on the chain.
pub(crate) struct Shop {
    pub(crate) world: TestStore,
    pub(crate) app: Approved,
    pub(crate) to_addr: String,
    pub(crate) from_addr: String,
}

impl Shop {
    pub(crate) async fn of(world: TestStore) -> Self {
        let app = approve(&world.store, world.owner, Profile::Vas).await;
        let vault = world.store.vault();
        let (to_addr, from_addr) = (vault.address(world.owner), vault.address(world.users[0].0));
        for asset in ["VAS", "L-F"] {
            let users = world.users.iter().map(|(user, _)| vault.address(*user));
            for to in users.chain([to_addr.clone()]) {
                let (asset, amount) = (asset.to_owned(), "1000".parse().unwrap());
                world.store.submit(DevIssue { to, asset, amount }).await.unwrap();
            }
        }
        world.store.submit(DevMine { blocks: 6 }).await.unwrap();
        Self { world, app, to_addr, from_addr }
    }

    async fn open() -> Self {
        Self::of(TestStore::memory(2).await).await
    }

    pub(crate) fn link(&self, order_id: &str, amount: &str) -> pay::Link<'static> {
        pay::Link::new(
            self.app.app.uuid.clone(),
            order_id.to_owned().into(),
            self.to_addr.clone().into(),
            "VAS".into(),
            amount.parse().unwrap(),
            CALLBACK.into(),
        )
    }

    pub(crate) fn submission(&self, who: usize, link: pay::Link<'static>, txid: Option<&str>) -> SubmitPay {
        let (user, session) = self.world.users[who];
        let proof = Proof::remembered(&PasswordState { user, version: 1 }, PasswordKind::Wallet);
        SubmitPay {
            session,
            proof,
            link,
            txid: txid.map(|txid| txid.to_owned().into()),
            seen: None,
            missing: None,
            chain: OrderChain::Embedded,
        }
    }

    /// Somebody else pays.
    async fn other_pays(&self, link: pay::Link<'static>) -> Result<SubmittedPay, Failure> {
        self.world.store.submit(self.submission(1, link, None)).await
    }

    pub(crate) async fn submit(&self, link: pay::Link<'static>) -> Result<SubmittedPay, Failure> {
        self.world.store.submit(self.submission(0, link, None)).await
    }

    async fn pays(&self, order_id: &str) -> String {
        self.submit(self.link(order_id, "1.50")).await.unwrap().txid.to_string()
    }

    pub(crate) async fn broadcast(&self, order_id: &str, txid: &str) -> Result<SubmittedPay, Failure> {
        let command = self.submission(0, self.link(order_id, "1.50"), Some(txid));
        self.world.store.submit(command).await
    }

    pub(crate) async fn send(&self, from: &str, to: &str, asset: &str, amount: &str, data: &str) -> String {
        let (from, to, asset) = (from.to_owned(), to.to_owned(), asset.to_owned());
        let (amount, data) = (amount.parse().unwrap(), data.to_owned());
        self.world.store.submit(DevPay { from, to, asset, amount, data }).await.unwrap()
    }

    pub(crate) async fn mine(&self, blocks: u64) {
        self.world.store.submit(DevMine { blocks }).await.unwrap();
        self.look().await;
    }

    pub(crate) async fn reorg(&self, depth: u64, double_spend: &[&str]) {
        let double_spend = double_spend.iter().map(|txid| (*txid).to_owned()).collect();
        self.world.store.submit(DevReorg { depth, double_spend }).await.unwrap();
        self.look().await;
    }

    /// What the watcher does.
    pub(crate) async fn look(&self) {
        self.look_for(1).await;
    }

    async fn look_for(&self, confirmations: u64) {
        let store = &self.world.store;
        for (order, txid) in store.view(WatchedOrders { after: OrderSeq(0), limit: 1000 }).await.unwrap() {
            let seen = store.view(DevTransaction(txid.to_string())).await.unwrap();
            store.submit(ObservePayment { order, txid, seen, confirmations }).await.unwrap();
        }
    }

    pub(crate) async fn order(&self, order_id: &str) -> VasOrder {
        let access_token = self.world.store.vault().hash(&self.app.access_token);
        let (uuid, order_id) = (self.app.app.uuid.clone(), order_id.to_owned());
        self.world.store.view(OrderOf { access_token, uuid, order_id: order_id.into() }).await.unwrap()
    }

    async fn next_due(&self) -> Option<UnixTime> {
        self.world.store.view(NextDue).await.unwrap()
    }

    async fn attempts(&self, order: &VasOrder) -> Vec<Attempt> {
        self.world.store.view(AttemptsOf(order.delivery.unwrap())).await.unwrap()
    }

    /// Signs what was claimed, as the worker does.
    async fn signed(&self, claimed: &Claimed) -> String {
        let store = &self.world.store;
        let key =
            claimed.subject.private_key(store.vault()).unwrap().expect("it is signed before it is sent");
        assert_eq!(*key.expose(), self.app.rsa_private);
        let key = RsaSign::new(&PrivateKey::load(key.expose()).unwrap()).unwrap();
        claimed.subject.sign(&key, ANY_TIME).unwrap()
    }
}

#[tokio::test]
async fn r53_an_order_is_paid_by_its_block_and_not_by_being_broadcast() {
    let shop = Shop::open().await;
    let txid = shop.pays("o-1").await;
    shop.look().await;
    let order = shop.order("o-1").await;
    assert_eq!(
        (order.state, order.txid.as_ref().map(Txid::as_str)),
        (OrderState::Submitted, Some(txid.as_str()))
    );
    assert_eq!(shop.next_due().await, None, "no callback before the block");
    shop.mine(1).await;
    let order = shop.order("o-1").await;
    assert_eq!((order.state, order.from_addr.as_str()), (OrderState::Paid, shop.from_addr.as_str()));
    let claimed = claim(&shop.world.store).await;
    let query = shop.signed(&claimed[0]).await;
    // What is signed and sent, by another reader; the address keeps its own parameter (R45).
    let again = claimed[0].request(shop.world.store.vault(), shop.world.clock.now());
    assert!(again.is_err(), "what was claimed before it was signed is not sent");
    let key = PrivateKey::load(&shop.app.rsa_private).unwrap();
    let payload = wallet_api::vas::payment::Callback::decode(query.as_bytes()).unwrap();
    let payload = payload.verify([VerifyingKey::Rsa(&RsaVerify::new(&key.public()))], ANY_TIME).unwrap();
    assert_eq!(payload.order_id.as_str(), "o-1");
    assert_eq!((payload.amount.as_str(), payload.asset_type.as_str()), ("1.50", "VAS"));
    assert_eq!((payload.txid.as_str(), payload.callback_url.as_str()), (txid.as_str(), CALLBACK));
    assert_eq!((payload.from_addr.as_str(), payload.to_addr.as_str()), (&*shop.from_addr, &*shop.to_addr));
    assert_eq!(finish(&shop.world.store, &claimed[0], received()).await, DeliveryState::Acknowledged);
    // With more confirmations wanted, later.
    shop.pays("o-2").await;
    shop.world.store.submit(DevMine { blocks: 1 }).await.unwrap();
    shop.look_for(3).await;
    assert_eq!(shop.order("o-2").await.state, OrderState::Submitted);
    shop.world.store.submit(DevMine { blocks: 2 }).await.unwrap();
    shop.look_for(3).await;
    assert_eq!(shop.order("o-2").await.state, OrderState::Paid);
}

fn received() -> AttemptResult {
    answered(200, wallet_client::VasReceiver::acknowledgement())
}

fn answered(status: u16, body: &str) -> AttemptResult {
    AttemptResult::reply(CallbackKind::Payment, status, body.as_bytes())
}

#[tokio::test]
async fn r65_an_order_is_its_signed_content_and_has_one_payment() {
    let shop = Shop::open().await;
    let first = shop.pays("o-1").await;
    assert_eq!(shop.pays("o-1").await, first, "a lost reply is given again, and nothing is paid again");
    assert_eq!(refused(shop.other_pays(shop.link("o-1", "1.50")).await), Refusal::OrderTaken);
    let good = || shop.link("o-1", "1.50");
    for (what, link) in [
        // The same amount in other digits is another text, and another signature.
        ("amount", shop.link("o-1", "1.5")),
        (
            "toAddr",
            with(good(), |link| link.to_addr = shop.world.store.vault().address(UserId::new(9)).into()),
        ),
        ("callbackUrl", with(good(), |link| link.callback_url = "https://www.shop.example/other".into())),
    ] {
        assert_eq!(refused(shop.submit(link).await), Refusal::OrderDiffers, "{what}");
    }
    // What is not signed may differ: it is the same order.
    let described = with(good(), |link| link.description = Some("x".into()));
    assert_eq!(shop.submit(described.clone()).await.unwrap().txid.as_str(), first);
    assert_eq!(refused(shop.other_pays(described).await), Refusal::OrderTaken);
    // Another app's order of the same id is another order.
    let other = approve(&shop.world.store, shop.world.users[1].0, Profile::Vas).await;
    let theirs = with(good(), |link| link.app_uuid = other.app.uuid.clone());
    assert_ne!(shop.submit(theirs).await.unwrap().txid.as_str(), first);
    assert_eq!(shop.order("o-1").await.txid, Some(first.into()));
}

#[tokio::test]
async fn what_cannot_be_paid_is_refused_and_leaves_nothing() {
    let shop = Shop::open().await;
    let good = || shop.link("o-1", "1.50");
    let own: String = shop.from_addr.clone();
    for (field, link) in [
        ("assetType", with(good(), |link| link.asset_type = "L-F".into())),
        ("amount", shop.link("o-1", "0")),
        ("amount", shop.link("o-1", "0.000000001")),
        ("toAddr", with(good(), |link| link.to_addr = "Vxyz".into())),
        ("toAddr", with(good(), |link| link.to_addr = own.into())),
    ] {
        let Err(Failure::Refused(no)) = shop.submit(link).await else { panic!("{field}") };
        assert_eq!((no.reason, no.field), (Refusal::NotPayable.into(), Some(field)));
    }
    for callback_url in [
        "https://shop.example/pay",
        "https://www.shop.example@evil.example/",
        "payapp://pay",
        "https://evil.example/?https://www.shop.example",
    ] {
        let link = with(good(), |link| link.callback_url = callback_url.into());
        assert_eq!(refused(shop.submit(link).await), Refusal::NotRegistered, "{callback_url}");
    }
    // R67: the registered scheme, compared without case, written as given; R48, R68: or nothing is opened.
    let scheme = |scheme: &str| with(good(), |link| link.callback_scheme = Some(scheme.to_owned().into()));
    assert_eq!(refused(shop.submit(scheme("other")).await), Refusal::NotRegistered);
    assert_eq!(refused(shop.submit(scheme("payAppX://")).await), Refusal::NotRegistered);
    assert_eq!(refused(shop.submit(shop.link("o-1", "1000.00000001")).await), Refusal::InsufficientBalance);
    let balance = DevBalance { address: shop.from_addr.clone(), asset: "VAS".into() };
    assert_eq!(shop.world.store.view(balance).await.unwrap().as_str(), "1000", "nothing was spent");
    assert_eq!(shop.submit(scheme("PAYApp")).await.unwrap().opens.as_deref(), Some("PAYApp://"));
    let minimise = with(scheme("payApp"), |link| {
        link.open_call_back_type = Some(wallet_api::vas::OpenCallbackType::Minimise);
        link.order_id = "o-2".into();
    });
    assert_eq!(shop.submit(minimise).await.unwrap().opens, None);
    assert_eq!(shop.submit(shop.link("o-3", "1")).await.unwrap().opens, None);
}

#[tokio::test]
async fn a_reorganisation_before_the_callback_takes_it_back() {
    let shop = Shop::open().await;
    shop.pays("o-1").await;
    shop.mine(1).await;
    assert_eq!(shop.order("o-1").await.state, OrderState::Paid);
    shop.reorg(1, &[]).await;
    let order = shop.order("o-1").await;
    assert_eq!((order.state, order.delivery, order.fault), (OrderState::Submitted, None, None));
    assert_eq!(shop.next_due().await, None, "no false callback is due");
    shop.mine(1).await;
    let order = shop.order("o-1").await;
    assert_eq!(order.state, OrderState::Paid);
    assert!(order.delivery.is_some() && shop.next_due().await.is_some());
    // An attempt that was under way when its block was taken back ends without a trace.
    let claimed = claim(&shop.world.store).await;
    shop.reorg(1, &[]).await;
    finish(&shop.world.store, &claimed[0], received()).await;
    assert_eq!(shop.order("o-1").await.state, OrderState::Submitted);
    assert_eq!(shop.next_due().await, None);
    shop.mine(1).await;
    assert_eq!(claim(&shop.world.store).await.len(), 1, "it is due when the order is paid again");
}

#[tokio::test]
async fn a_reorganisation_after_the_callback_is_seen_and_tells_nothing_twice() {
    let shop = Shop::open().await;
    let txid = shop.pays("o-1").await;
    shop.mine(1).await;
    let claimed = claim(&shop.world.store).await;
    finish(&shop.world.store, &claimed[0], received()).await;
    shop.reorg(1, &[]).await;
    assert_eq!(shop.order("o-1").await.state, OrderState::Submitted, "no false paid");
    shop.mine(1).await;
    assert_eq!(shop.order("o-1").await.state, OrderState::Paid);
    assert_eq!(shop.next_due().await, None, "the app knows already");
    // Double-spent at last: the order says so, and is open again.
    shop.reorg(1, &[&txid]).await;
    let order = shop.order("o-1").await;
    assert_eq!((order.state, order.fault), (OrderState::Open, Some(OrderFault::DoubleSpent)));
    let again = shop.pays("o-1").await;
    assert_ne!(again, txid);
    shop.mine(6).await;
    let order = shop.order("o-1").await;
    assert_eq!(
        (order.state, order.txid.as_ref().map(Txid::as_str), order.watched),
        (OrderState::Paid, Some(&*again), false)
    );
    assert_eq!(claim(&shop.world.store).await.len(), 1, "another payment has a callback of its own");
}

#[tokio::test]
async fn a_double_spend_before_the_callback_tells_nothing() {
    let shop = Shop::open().await;
    let txid = shop.pays("o-1").await;
    // While it waits for its block.
    shop.reorg(0, &[&txid]).await;
    let order = shop.order("o-1").await;
    assert_eq!((order.state, order.fault), (OrderState::Open, Some(OrderFault::DoubleSpent)));
    shop.mine(7).await;
    assert_eq!(shop.order("o-1").await.state, OrderState::Open);
    // In its block.
    let txid = shop.pays("o-1").await;
    shop.mine(1).await;
    assert_eq!(shop.order("o-1").await.state, OrderState::Paid);
    shop.reorg(2, &[&txid]).await;
    assert_eq!(shop.order("o-1").await.state, OrderState::Open);
    assert_eq!(shop.next_due().await, None);
    let balance = |address: &str| DevBalance { address: address.to_owned(), asset: "VAS".into() };
    for address in [&shop.from_addr, &shop.to_addr] {
        assert_eq!(shop.world.store.view(balance(address)).await.unwrap().as_str(), "1000");
    }
    // Too deep to be undone: nobody looks any more.
    shop.pays("o-1").await;
    shop.mine(6).await;
    shop.reorg(6, &[]).await;
    let order = shop.order("o-1").await;
    assert_eq!((order.state, order.watched), (OrderState::Paid, false));
}

#[tokio::test]
async fn r56_what_does_not_pay_the_order_does_not_count() {
    let shop = Shop::open().await;
    let (from, to) = (shop.from_addr.as_str(), shop.to_addr.as_str());
    let stranger = shop.world.store.submit(DevNewAddress).await.unwrap();
    for (fault, txid) in [
        (OrderFault::Underpaid, shop.send(from, to, "VAS", "1.49999999", "o-1").await),
        (OrderFault::Overpaid, shop.send(from, to, "VAS", "1.50000001", "o-1").await),
        (OrderFault::WrongAsset, shop.send(from, to, "L-F", "1.50", "o-1").await),
        (OrderFault::WrongOrder, shop.send(from, to, "VAS", "1.50", "o-10").await),
        (OrderFault::WrongOrder, shop.send(from, to, "VAS", "1.50", "").await),
        (OrderFault::WrongReceiver, shop.send(from, &stranger, "VAS", "1.50", "o-1").await),
        (OrderFault::OwnAddress, shop.send(to, to, "VAS", "1.50", "o-1").await),
        // The change that comes back to the receiver is no payment.
        (OrderFault::OwnAddress, shop.send(to, &stranger, "VAS", "998.5", "o-1").await),
    ] {
        shop.broadcast("o-1", &txid).await.unwrap();
        shop.mine(2).await;
        let order = shop.order("o-1").await;
        assert_eq!((order.state, order.fault), (OrderState::Open, Some(fault)));
        assert_eq!(shop.next_due().await, None, "{fault:?}");
    }
    // Right at last, and only for this order.
    let txid = shop.send(from, to, "VAS", "1.5", "o-1").await;
    shop.broadcast("o-1", &txid).await.unwrap();
    assert_eq!(
        shop.broadcast("o-1", &txid).await.unwrap().txid.as_str(),
        txid,
        "a lost reply is given again"
    );
    assert_eq!(refused(shop.broadcast("o-2", &txid).await), Refusal::TxidTaken);
    // Somebody pays a second time: it is not the order's payment.
    let second = shop.send(from, to, "VAS", "1.5", "o-1").await;
    assert_eq!(refused(shop.broadcast("o-1", &second).await), Refusal::OrderTaken);
    shop.mine(1).await;
    let order = shop.order("o-1").await;
    assert_eq!((order.state, order.txid), (OrderState::Paid, Some(txid.into())));
    assert_eq!(claim(&shop.world.store).await.len(), 1, "one callback for two payments");
}

#[tokio::test]
async fn a_transaction_that_never_comes_frees_its_order_after_an_hour() {
    let shop = Shop::open().await;
    for odd in ["", "x", &"ab".repeat(31), &"zz".repeat(32), &"ab".repeat(33)] {
        let Err(Failure::Refused(no)) = shop.broadcast("o-1", odd).await else { panic!("{odd}") };
        assert_eq!((no.reason, no.field), (Refusal::NotPayable.into(), Some("txid")), "{odd}");
    }
    shop.broadcast("o-1", &"ab".repeat(32)).await.unwrap();
    shop.look().await;
    shop.world.clock.advance(Duration::from_secs(3600));
    shop.look().await;
    assert_eq!(shop.order("o-1").await.state, OrderState::Submitted);
    shop.world.clock.advance(Duration::from_millis(1));
    shop.look().await;
    let order = shop.order("o-1").await;
    assert_eq!((order.state, order.fault), (OrderState::Open, Some(OrderFault::Missing)));
    shop.pays("o-1").await;
}

#[tokio::test]
async fn r51_seven_requests_and_the_operator_sends_again() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::of(TestStore::sqlite(&directory.path().join("db"), 1).await).await;
    let (store, clock) = (&shop.world.store, &shop.world.clock);
    shop.pays("o-1").await;
    shop.mine(6).await;
    let paid_at = clock.now();
    let seconds = |times: Vec<Duration>| times.iter().map(Duration::as_secs).collect::<Vec<_>>();
    let times = run(store, clock, paid_at, Duration::ZERO).await;
    assert_eq!(seconds(times), [0, 15, 30, 45, 60, 75, 90]);
    let order = shop.order("o-1").await;
    assert_eq!(order.state, OrderState::Paid, "all seven lost: it stays answerable");
    let attempts = shop.attempts(&order).await;
    assert_eq!(attempts.len(), 7);
    assert_eq!(
        attempts[0].failure.as_deref(),
        Some("HTTP 500; only HTTP 2xx with JSON whose `success` is true acknowledges")
    );
    let lost = order.delivery.unwrap();
    clock.advance(Duration::from_secs(86_400));
    let begun = clock.now();
    let again = store.submit(SendAgain(lost)).await.unwrap().unwrap();
    assert_eq!(store.submit(SendAgain(lost)).await.unwrap(), None, "once");
    assert_eq!(store.submit(SendAgain(again)).await.unwrap(), None, "it is under way");
    // Each attempt takes a while: the waits are counted from its end.
    let times = run(store, clock, begun, Duration::from_secs(4)).await;
    assert_eq!(seconds(times), [0, 19, 38, 57, 76, 95, 114]);
    assert_eq!(shop.attempts(&shop.order("o-1").await).await.len(), 7);
    let third = store.submit(SendAgain(again)).await.unwrap().unwrap();
    let claimed = claim(store).await;
    assert_eq!(
        finish(store, &claimed[0], answered(204, "")).await,
        DeliveryState::Waiting,
        "R52: JSON is wanted"
    );
    clock.advance(Duration::from_secs(15));
    let claimed = claim(store).await;
    assert_eq!((claimed[0].delivery, claimed[0].attempt), (third, 2));
    assert_eq!(finish(store, &claimed[0], received()).await, DeliveryState::Acknowledged);
    assert_eq!(store.submit(SendAgain(third)).await.unwrap(), None, "it was delivered");
}

#[tokio::test]
async fn a_callback_is_signed_once_and_every_attempt_sends_the_same() {
    let shop = Shop::open().await;
    shop.pays("o-1").await;
    shop.mine(1).await;
    let store = &shop.world.store;
    let claimed = claim(store).await;
    assert_eq!(claimed[0].signed, None);
    let query = shop.signed(&claimed[0]).await;
    let first = Claimed { signed: Some(query.clone()), ..claimed[0].clone() };
    finish(store, &first, answered(500, "")).await;
    for attempt in 2..=7 {
        shop.world.clock.advance(Duration::from_secs(15));
        let mut next = claim(store).await.remove(0);
        assert_eq!(next.signed.as_ref(), Some(&query));
        let request = next.request(store.vault(), shop.world.clock.now()).unwrap();
        assert_eq!(next.attempt, attempt);
        assert_eq!(request.uri().to_string(), format!("{CALLBACK}&{query}"));
        // What was kept first stays.
        next.signed = Some("x".into());
        finish(store, &next, answered(500, "")).await;
    }
    let lost = shop.order("o-1").await.delivery.unwrap();
    store.submit(SendAgain(lost)).await.unwrap().unwrap();
    assert_eq!(claim(store).await[0].signed, Some(query));
}

#[tokio::test]
async fn r71_an_order_is_shown_to_its_own_app_only() {
    let shop = Shop::open().await;
    shop.pays("o-1").await;
    let other = approve(&shop.world.store, shop.world.users[1].0, Profile::Vas).await;
    let vault = shop.world.store.vault();
    let ask = async |token: &str, uuid: &str, order_id: &str| {
        let (access_token, uuid, order_id) = (vault.hash(token), uuid.to_owned(), order_id.to_owned());
        shop.world.store.view(OrderOf { access_token, uuid: uuid.into(), order_id: order_id.into() }).await
    };
    let (mine, theirs) = (&shop.app, &other);
    assert!(ask(&mine.access_token, mine.app.uuid.as_str(), "o-1").await.is_ok());
    assert_eq!(refused(ask(&mine.access_token, mine.app.uuid.as_str(), "o-2").await), Refusal::OrderUnknown);
    assert_eq!(
        refused(ask(&theirs.access_token, theirs.app.uuid.as_str(), "o-1").await),
        Refusal::OrderUnknown
    );
    assert_eq!(
        refused(ask(&theirs.access_token, mine.app.uuid.as_str(), "o-1").await),
        Refusal::AccessTokenWrong
    );
}

#[tokio::test]
async fn an_idle_chain_makes_no_blocks() {
    let shop = Shop::open().await;
    let store = &shop.world.store;
    assert_eq!(store.view(DevNextBlock).await.unwrap(), None);
    let begun = shop.world.clock.now();
    shop.pays("o-1").await;
    let mut times = Vec::new();
    while let Some(at) = store.view(DevNextBlock).await.unwrap() {
        shop.world.clock.set(at - Duration::from_millis(1));
        assert!(!store.submit(DevTick).await.unwrap());
        shop.world.clock.set(at);
        assert!(store.submit(DevTick).await.unwrap());
        times.push(at.since(begun).as_secs());
    }
    assert_eq!(times, [5, 10, 15, 20, 25, 30], "one for the payment, five more for its confirmations");
    assert_eq!(store.view(DevTip).await.unwrap().height, 12);
    // After a long stop there is no burst: the next wait begins with the block.
    shop.pays("o-2").await;
    shop.world.clock.advance(Duration::from_secs(86_400));
    assert!(store.submit(DevTick).await.unwrap());
    assert!(!store.submit(DevTick).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_paid_once_under_concurrency() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let shop = Shop::of(TestStore::sqlite(&path, 2).await).await;
    let trials = trials(200, 2_000);
    for trial in 0..trials {
        // Eight times each of two users: one pays, and the other is refused.
        let results = at_once(|number| {
            let link = shop.link(&format!("o-{trial}"), "0.01");
            let command = shop.submission(number % 2, link, None);
            let store = shop.world.store.clone();
            async move { store.submit(command).await }
        })
        .await;
        let (paid, taken): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!((paid.len(), taken.len()), (8, 8));
        let txids: HashSet<_> = paid.into_iter().map(|paid| paid.unwrap().txid).collect();
        assert_eq!(txids.len(), 1, "one transaction in eight replies");
        assert!(taken.into_iter().map(refused).all(|refusal| refusal == Refusal::OrderTaken));
        if trial % 100 == 0 {
            shop.mine(1).await; // so that what waits for a block stays short
        }
    }
    let trials = i64::from(trials);
    assert_eq!(count(&path, "SELECT count(*) FROM vas_order WHERE txid IS NOT NULL"), trials);
    assert_eq!(count(&path, "SELECT count(*) FROM vas_payment"), trials);
    // Six issues, and one transaction an order.
    assert_eq!(count(&path, "SELECT count(*) FROM dev_tx"), trials + 6);
    assert_eq!(count(&path, "SELECT count(DISTINCT txid) FROM vas_order"), trials);
}

#[tokio::test]
async fn a_double_spend_takes_along_what_was_paid_with_its_change() {
    let shop = Shop::open().await;
    let first = shop.pays("o-1").await;
    shop.pays("o-2").await; // with the change of the first
    shop.reorg(0, &[&first]).await;
    for order in ["o-1", "o-2"] {
        assert_eq!(shop.order(order).await.fault, Some(OrderFault::DoubleSpent), "{order}");
    }
    shop.check().await;
    shop.pays("o-2").await;
    shop.mine(1).await;
    shop.check().await;
    assert_eq!(shop.order("o-2").await.state, OrderState::Paid);
}

#[tokio::test]
async fn a_transaction_belongs_to_the_order_that_it_pays() {
    let shop = Shop::open().await;
    let txid = shop.send(&shop.from_addr, &shop.to_addr, "VAS", "1.5", "o-1").await;
    // Submitted for another order by mistake, or out of malice: that fails, and frees it.
    shop.broadcast("o-2", &txid).await.unwrap();
    assert_eq!(refused(shop.broadcast("o-1", &txid).await), Refusal::TxidTaken, "until it was looked at");
    shop.look().await;
    assert_eq!(shop.order("o-2").await.fault, Some(OrderFault::WrongOrder));
    // Another spelling is the same transaction.
    shop.broadcast("o-1", &txid.to_ascii_uppercase()).await.unwrap();
    assert_eq!(refused(shop.broadcast("o-2", &txid).await), Refusal::TxidTaken);
    // What another owner's app claims does not keep it from this one's.
    let other = approve(&shop.world.store, shop.world.users[1].0, Profile::Vas).await;
    let theirs = with(shop.link("o-1", "1.50"), |link| link.app_uuid = other.app.uuid.clone());
    shop.world.store.submit(shop.submission(0, theirs, Some(&txid))).await.unwrap();
    shop.mine(1).await;
    assert_eq!(shop.order("o-1").await.state, OrderState::Paid);
}

#[tokio::test]
async fn an_invented_transaction_keeps_nobody_from_paying() {
    let shop = Shop::open().await;
    // However often somebody invents one, and before anybody has looked at the chain.
    for (order_id, invented) in [("o-1", "ab"), ("o-2", "cd")] {
        shop.broadcast(order_id, &invented.repeat(32)).await.unwrap();
    }
    let other = shop.broadcast("o-1", &"ef".repeat(32)).await;
    assert_eq!(refused(other), Refusal::OrderTaken, "one that nobody has seen either");
    let store = &shop.world.store;
    let missing = |invented: &str| Some(Txid::from(invented.repeat(32)));
    let pay = async |missing| {
        store.submit(SubmitPay { missing, ..shop.submission(1, shop.link("o-1", "1.50"), None) }).await
    };
    // Not while a node may only be late with a payment, and not for another one that is missing.
    assert_eq!(refused(pay(None).await), Refusal::OrderTaken);
    assert_eq!(refused(pay(missing("cd")).await), Refusal::OrderTaken);
    let paid = pay(missing("ab")).await.unwrap();
    // One that the chain shows takes the place, if it pays this order.
    let broadcast = async |data: &str, missing| {
        let txid = shop.send(&shop.from_addr, &shop.to_addr, "VAS", "1.5", data).await;
        let seen = store.view(DevTransaction(txid.clone())).await.unwrap();
        let submission = shop.submission(0, shop.link("o-2", "1.50"), Some(&txid));
        store.submit(SubmitPay { seen, missing, ..submission }).await
    };
    let other = broadcast("o-3", missing("cd")).await;
    assert_eq!(refused(other), Refusal::NotPayable, "nobody squats on what pays another order");
    assert_eq!(refused(broadcast("o-2", None).await), Refusal::OrderTaken);
    let shown = broadcast("o-2", missing("cd")).await.unwrap();
    // A repeated submission gets the same reply, and does not change the payer.
    let again = shop.submission(1, shop.link("o-2", "1.50"), Some(shown.txid.as_str()));
    assert_eq!(store.submit(again).await.unwrap(), shown);
    assert_eq!(shop.order("o-2").await.payer, shop.world.users[0].0);
    // And what pays is not pushed out again, by nobody.
    for (order_id, txid) in [("o-1", &paid.txid), ("o-2", &shown.txid)] {
        assert_eq!(refused(shop.broadcast(order_id, &"12".repeat(32)).await), Refusal::OrderTaken);
        assert_eq!(shop.order(order_id).await.txid.as_ref(), Some(txid));
    }
    let late =
        SubmitPay { missing: Some(shown.txid.clone()), ..shop.submission(1, shop.link("o-2", "1.50"), None) };
    assert_eq!(refused(store.submit(late).await), Refusal::OrderTaken, "the chain has shown it");
    shop.mine(1).await;
    for (order_id, txid) in [("o-1", paid.txid), ("o-2", shown.txid)] {
        let order = shop.order(order_id).await;
        assert_eq!((order.state, order.txid), (OrderState::Paid, Some(txid)));
    }
}

#[tokio::test]
async fn a_payment_that_the_chain_has_lost_for_an_hour_can_be_made_again() {
    let shop = Shop::open().await;
    let lost = shop.pays("o-1").await;
    let store = &shop.world.store;
    let (order, confirmations) = (shop.order("o-1").await.id, 1);
    let unseen = || ObservePayment { order, txid: lost.clone().into(), seen: None, confirmations };
    store.submit(unseen()).await.unwrap();
    assert_eq!(shop.pays("o-1").await, lost, "it may come back: nobody pays twice");
    shop.world.clock.advance(Duration::from_secs(3_601));
    store.submit(unseen()).await.unwrap();
    let second = shop.pays("o-1").await;
    assert_ne!(second, lost);
    assert_eq!(shop.order("o-1").await.txid, Some(second.into()));
}

#[tokio::test]
async fn what_a_node_forgets_or_garbles_undoes_no_payment() {
    let shop = Shop::open().await;
    let txid = shop.pays("o-1").await;
    shop.mine(1).await;
    let store = &shop.world.store;
    let (order, confirmations) = (shop.order("o-1").await.id, 1);
    let found = store.view(DevTransaction(txid.clone())).await.unwrap();
    let observe = async |seen: Option<wallet_chain::Transaction>| {
        store.submit(ObservePayment { order, txid: txid.clone().into(), seen, confirmations }).await.unwrap()
    };
    shop.world.clock.advance(Duration::from_secs(7200));
    // Not paid as long as nobody sees it, and watched on.
    assert_eq!(observe(None).await, OrderState::Submitted);
    assert_eq!(shop.next_due().await, None);
    shop.world.clock.advance(Duration::from_secs(86_400));
    assert_eq!(observe(None).await, OrderState::Submitted, "it may come back with its block");
    let mut garbled = found.clone();
    garbled.as_mut().unwrap().outputs[0].data.clear();
    assert_eq!(observe(garbled).await, OrderState::Submitted);
    assert_eq!(observe(found).await, OrderState::Paid);
    assert_eq!(claim(store).await.len(), 1);
    // A late observation of another transaction does not change this order.
    let late = ObservePayment { order, txid: "x".into(), seen: None, confirmations };
    assert_eq!(store.submit(late).await.unwrap(), OrderState::Paid);
}

#[tokio::test]
async fn an_attempt_that_waited_is_not_made_when_its_payment_was_undone() {
    let shop = Shop::open().await;
    let store = &shop.world.store;
    shop.pays("o-1").await;
    shop.mine(1).await;
    let claimed = claim(store).await.remove(0);
    let (delivery, attempt) = (claimed.delivery, claimed.attempt);
    assert!(store.view(StillToBeMade { delivery, attempt }).await.unwrap());
    assert!(!store.view(StillToBeMade { delivery, attempt: attempt + 1 }).await.unwrap());
    shop.reorg(1, &[]).await;
    assert!(!store.view(StillToBeMade { delivery, attempt }).await.unwrap());
    // One that was under way leaves nothing.
    let late = Claimed { signed: Some("x".into()), ..claimed };
    assert_eq!(finish(store, &late, received()).await, DeliveryState::Exhausted);
    assert!(store.view(AttemptsOf(delivery)).await.unwrap().is_empty());
}

#[tokio::test]
async fn dust_does_not_lock_a_purse() {
    let shop = Shop::open().await;
    for number in 0..60 {
        shop.send(&shop.to_addr, &shop.from_addr, "VAS", "0.00000001", &number.to_string()).await;
    }
    let paid = shop.submit(shop.link("o-1", "900")).await.unwrap();
    let transaction = shop.world.store.view(DevTransaction(paid.txid.to_string())).await.unwrap().unwrap();
    assert_eq!(transaction.inputs.len(), 1, "the largest first");
    let rest = shop.link("o-2", "100.0000006");
    let transaction = shop.submit(rest).await.unwrap().txid;
    let transaction = shop.world.store.view(DevTransaction(transaction.to_string())).await.unwrap().unwrap();
    assert_eq!((transaction.inputs.len(), transaction.outputs.len()), (61, 1), "all of it");
}

#[tokio::test]
async fn a_user_sees_what_was_paid_by_it_and_nobody_elses() {
    for world in TestStore::everywhere(2).await {
        let shop = Shop::of(world).await;
        let store = &shop.world.store;
        for order in ["o-1", "o-2", "o-3"] {
            shop.pays(order).await;
        }
        let other = shop.submission(1, shop.link("o-4", "1.50"), None);
        store.submit(other).await.unwrap();
        let of = async |user: usize, asset: &str, before: Option<OrderSeq>, limit: u64| {
            let (payer, asset) = (shop.world.users[user].0, asset.to_owned().into());
            let orders = store.view(OrdersPaidBy { payer, asset, before, limit }).await.unwrap();
            assert!(orders.iter().all(|(_, app)| *app == shop.app.app.name));
            orders.into_iter().map(|(order, _)| (order.id, order.order_id.to_string())).collect::<Vec<_>>()
        };
        let ids = |orders: &[(OrderSeq, String)]| -> Vec<String> {
            orders.iter().map(|(_, order_id)| order_id.clone()).collect()
        };
        let newest = of(0, "VAS", None, 2).await;
        assert_eq!(ids(&newest), ["o-3", "o-2"]);
        assert_eq!(ids(&of(0, "VAS", Some(newest[1].0), 2).await), ["o-1"]);
        assert_eq!(ids(&of(1, "VAS", None, 9).await), ["o-4"]);
        assert_eq!(of(0, "L-F", None, 9).await, []);
    }
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// An order is submitted, perhaps again.
    Pay(u8),
    /// Somebody broadcasts a payment of the wrong sum and submits it.
    Misfit(u8),
    /// Blocks are made.
    Mine(u64),
    /// Blocks are taken back, and the payment of an order double-spent.
    Reorg(u64, Option<u8>),
    /// Time passes, with the blocks that fall due.
    Wait(u64),
    /// Due callbacks are claimed.
    Claim,
    /// A claimed callback is sent if its payment is still paid; the receiver acknowledges it or not.
    Tell(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..6_u8).prop_map(Step::Pay),
        1 => (0..6_u8).prop_map(Step::Misfit),
        4 => (1..4_u64).prop_map(Step::Mine),
        3 => (0..5_u64, prop::option::of(0..6_u8)).prop_map(|(depth, order)| Step::Reorg(depth, order)),
        1 => (1..40_u64).prop_map(Step::Wait),
        3 => Just(Step::Claim),
        4 => any::<bool>().prop_map(Step::Tell),
    ];
    prop::collection::vec(step, 60..100)
}

impl Shop {
    async fn take(&self, step: &Step, claimed: &mut Vec<Claimed>) {
        let (store, id) = (&self.world.store, |order: u8| format!("o-{order}"));
        match step {
            Step::Pay(order) => {
                let _refused_when_taken = self.submit(self.link(&id(*order), "1.50")).await;
            }
            Step::Misfit(order) => {
                let txid = self.send(&self.from_addr, &self.to_addr, "VAS", "1.49", &id(*order)).await;
                let _refused_when_taken = self.broadcast(&id(*order), &txid).await;
            }
            Step::Mine(blocks) => self.mine(*blocks).await,
            Step::Reorg(depth, order) => {
                let txid = match order {
                    Some(order) => self.known(&id(*order)).await.and_then(|order| order.txid),
                    None => None,
                };
                let double_spend: Vec<_> = txid.iter().map(ToString::to_string).collect();
                // Refused when its block stays.
                if store.submit(DevReorg { depth: *depth, double_spend }).await.is_err() {
                    self.reorg(*depth, &[]).await;
                }
            }
            Step::Wait(seconds) => {
                self.world.clock.advance(Duration::from_secs(*seconds));
                store.submit(DevTick).await.unwrap();
                self.look().await;
            }
            Step::Claim => claimed.extend(claim(store).await),
            Step::Tell(hears) => {
                for claimed in claimed.drain(..) {
                    let (delivery, attempt) = (claimed.delivery, claimed.attempt);
                    if !store.view(StillToBeMade { delivery, attempt }).await.unwrap() {
                        continue;
                    }
                    let now = self.known(claimed.subject.reference()).await.unwrap();
                    assert_eq!(now.state, OrderState::Paid, "a callback is for a paid order");
                    assert_eq!(now.delivery, Some(claimed.delivery), "and by this delivery");
                    finish(store, &claimed, if *hears { received() } else { answered(500, "") }).await;
                }
            }
        }
    }

    async fn known(&self, order_id: &str) -> Option<VasOrder> {
        let query = wallet_platform::FindOrder {
            uuid: self.app.app.uuid.clone(),
            order_id: order_id.to_owned().into(),
        };
        self.world.store.view(query).await.ok()
    }

    /// What holds whenever everything has been looked at.
    async fn check(&self) {
        let store = &self.world.store;
        let mut waiting = Vec::new();
        for order in 0..6 {
            let Some(order) = self.known(&format!("o-{order}")).await else { continue };
            let seen = store.view(DevTransaction(order.txid.as_ref().unwrap().to_string())).await.unwrap();
            let confirmations = seen.map_or(-1, |seen| seen.confirmations);
            match order.state {
                OrderState::Paid if order.watched => assert!(confirmations > 0, "{order:?}"),
                OrderState::Paid => {}
                OrderState::Submitted => assert_eq!(confirmations, 0, "{order:?}"),
                OrderState::Open => {
                    assert!(confirmations < 0 || order.fault == Some(OrderFault::Underpaid), "{order:?}");
                }
            }
            match order.delivery {
                Some(delivery) => waiting.push((delivery, order.state)),
                None => assert_ne!(order.state, OrderState::Paid, "a paid order has a callback"),
            }
        }
        let due = DueDeliveries { by: UnixTime::from_millis(i64::MAX), limit: 100 };
        for (delivery, _) in store.view(due).await.unwrap() {
            assert!(waiting.contains(&(delivery, OrderState::Paid)), "there is no other callback");
        }
        for asset in ["VAS", "L-F"] {
            let mut sum = 0;
            for address in
                [self.from_addr.clone(), self.to_addr.clone(), store.vault().address(self.world.users[1].0)]
            {
                let balance = DevBalance { address: address.clone(), asset: asset.to_owned() };
                sum += store.view(balance).await.unwrap().units(8).unwrap().get();
            }
            assert_eq!(sum, 3000 * 100_000_000, "nothing is made or lost");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: trials(48, 1_000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_chain_does_only_the_truth_is_reported(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let shop = Shop::open().await;
            let mut claimed = Vec::new();
            for step in &steps {
                shop.take(step, &mut claimed).await;
                shop.look().await;
                shop.check().await;
            }
        });
    }
}
