//! Orders that are paid on the chain of a node like Bitcoin Core: Litecoin Core in its regression-test mode.

use std::sync::Arc;

use wallet_api::vas::{Address, OrderFault, OrderState, Refusal};
use wallet_chain::{Verdict, judge};
use wallet_client::{Order, verify_on_chain};
use wallet_core::Secret;
use wallet_platform::{
    AddAddress, AddressFault, ApproveLogin, CheckPay, Failure, OrderChain, SubmitPay, SubmittedPay,
};
use wallet_server::{Chain, ChainError, Credentials, NodeKind, Server, Settings, node_chain};
use wallet_tests::{LITECOIN_PASSWORD, LITECOIN_USER, Litecoin, TestStore, said, settings, wallop};

use crate::orders::Shop;
use crate::vas::{code_in, link, redeem, refused};

fn connect(node: &Litecoin, password: &str) -> Arc<dyn Chain> {
    let credentials =
        Credentials { user: LITECOIN_USER.to_owned(), password: Secret::new(password.to_owned()) };
    node_chain(&node.url(), credentials, "VAS", NodeKind::Core)
}

/// A shop that is paid on the chain of a node, and the server that watches it.
struct OnChain {
    shop: Shop,
    node: Litecoin,
    server: Server,
    to: String,
}

impl OnChain {
    async fn open() -> Self {
        let shop = Shop::of(TestStore::memory(2).await).await;
        let node = tokio::task::spawn_blocking(Litecoin::start).await.unwrap();
        let chain = connect(&node, LITECOIN_PASSWORD);
        let settings = Settings { chain, ..settings(&shop.world.store) };
        let server = Server::new(shop.world.store.clone(), settings);
        let to = node.new_address("shop");
        Self { shop, node, server, to }
    }

    fn chain(&self) -> &Arc<dyn Chain> {
        self.server.watcher().chain()
    }

    /// The submission of a transaction, as the server makes it.
    async fn submission(&self, to: &str, order: &str, txid: &str) -> SubmitPay {
        let mut link = self.shop.link(order, "1.50");
        link.to_addr = to.to_owned().into();
        let chain = self.chain().order_chain(to, Some("VAS")).await.unwrap();
        let seen = self.chain().transaction(txid).await.unwrap();
        SubmitPay { chain, seen, ..self.shop.submission(0, link, Some(txid)) }
    }

    async fn submit(&self, order: &str, txid: &str) -> Result<SubmittedPay, Failure> {
        self.shop.world.store.submit(self.submission(&self.to, order, txid).await).await
    }

    /// The same, if the node has not seen the transaction yet.
    async fn submit_unseen(&self, order: &str, txid: &str) -> Result<SubmittedPay, Failure> {
        let submission = SubmitPay { seen: None, ..self.submission(&self.to, order, txid).await };
        self.shop.world.store.submit(submission).await
    }

    /// The state and the fault of an order, after the watcher has looked.
    async fn state(&self, order: &str) -> (OrderState, Option<OrderFault>) {
        self.server.watcher().catch_up().await.unwrap();
        let order = self.shop.order(order).await;
        (order.state, order.fault)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_paid_with_its_id_after_op_return() {
    let here = OnChain::open().await;
    assert_eq!(here.chain().transaction_index().await.unwrap(), Some(true));
    let txid = here.node.pay(&here.to, "1.5", "o-1/回");
    here.submit("o-1/回", &txid).await.unwrap();
    assert_eq!(here.state("o-1/回").await, (OrderState::Submitted, None), "it waits for a block");
    here.node.mine(1);
    assert_eq!(here.state("o-1/回").await, (OrderState::Paid, None));
    // The payer is the address whose money was spent.
    let seen = here.chain().transaction(&txid).await.unwrap().unwrap();
    let payers: Vec<&str> =
        seen.inputs.iter().flat_map(|input| &input.addresses).map(String::as_str).collect();
    assert_eq!(here.shop.order("o-1/回").await.from_addr.as_str(), payers[0]);
    assert_eq!((seen.confirmations, seen.block.is_some()), (1, true));
    let paid = seen.outputs.iter().find(|output| output.addresses == [here.to.as_str()]).unwrap();
    assert_eq!((paid.value.as_str(), paid.asset.as_str()), ("1.50000000", "VAS"), "the node's own digits");
    // An integrator who asks the node finds the same.
    let order = Order {
        order_id: "o-1/回".into(),
        to_addr: here.to.clone().into(),
        asset: "VAS".into(),
        amount: "1.50".parse().unwrap(),
        callback_url: "https://www.shop.example/".into(),
    };
    assert_eq!(verify_on_chain(&order, &seen, 1), Ok(()));
    assert_eq!(here.chain().transaction(&"0".repeat(64)).await.unwrap(), None);
    // Six blocks, and nothing can undo it: the order is not watched any more.
    here.node.mine(5);
    assert_eq!(here.state("o-1/回").await, (OrderState::Paid, None));
    assert!(!here.shop.order("o-1/回").await.watched);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reorganisation_takes_a_payment_back_and_brings_it_again() {
    let here = OnChain::open().await;
    let txid = here.node.pay(&here.to, "1.5", "o-1");
    here.submit("o-1", &txid).await.unwrap();
    here.node.mine(1);
    assert_eq!(here.state("o-1").await, (OrderState::Paid, None));
    assert!(here.shop.order("o-1").await.delivery.is_some());
    here.node.remove_block();
    assert_eq!(here.state("o-1").await, (OrderState::Submitted, None), "the node has it without a block");
    assert_eq!(here.shop.order("o-1").await.delivery, None, "its callback was not sent yet: it never is");
    here.node.mine(1);
    assert_eq!(here.state("o-1").await, (OrderState::Paid, None));
    // Removed again, and another transaction spends the same money in the block instead.
    here.node.remove_block();
    let other = here.node.conflicting(&txid);
    here.node.mine_only(&[&other]);
    assert_eq!(here.state("o-1").await, (OrderState::Open, Some(OrderFault::DoubleSpent)));
    assert_eq!(here.shop.order("o-1").await.delivery, None);
    here.node.mine(7);
    assert_eq!(here.state("o-1").await, (OrderState::Open, Some(OrderFault::DoubleSpent)), "it stays so");
    // The order can be paid once more.
    let txid = here.node.pay(&here.to, "1.5", "o-1");
    here.submit("o-1", &txid).await.unwrap();
    here.node.mine(1);
    assert_eq!(here.state("o-1").await, (OrderState::Paid, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_never_reaches_a_block_does_not_count() {
    let here = OnChain::open().await;
    let txid = here.node.pay(&here.to, "1.5", "o-1");
    let other = here.node.conflicting(&txid);
    here.submit("o-1", &txid).await.unwrap();
    assert_eq!(here.state("o-1").await, (OrderState::Submitted, None));
    here.node.mine_only(&[&other]);
    // The node forgets it. Another payment takes its place after `missing_payment`.
    assert_eq!(here.chain().transaction(&txid).await.unwrap(), None);
    assert_eq!(here.state("o-1").await, (OrderState::Submitted, None));
    let again = here.node.pay(&here.to, "1.5", "o-1");
    assert_eq!(refused(here.submit("o-1", &again).await), Refusal::OrderTaken);
    here.shop
        .world
        .clock
        .advance(wallet_api::vas::lifetimes::MISSING_PAYMENT + std::time::Duration::from_secs(1));
    here.submit("o-1", &again).await.unwrap();
    here.node.mine(1);
    assert_eq!(here.state("o-1").await, (OrderState::Paid, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_amount_order_id_or_receiver_pays_nothing() {
    let here = OnChain::open().await;
    let elsewhere = here.node.new_address("shop");
    let cases = [
        (&here.to, "1.49999999", "o-1", OrderFault::Underpaid),
        (&here.to, "1.50000001", "o-2", OrderFault::Overpaid),
        (&here.to, "1.5", "o-4", OrderFault::WrongOrder),
        (&elsewhere, "1.5", "o-5", OrderFault::WrongReceiver),
    ];
    for (number, (to, amount, data, fault)) in cases.into_iter().enumerate() {
        let order = if data == "o-4" { "o-3".to_owned() } else { data.to_owned() };
        let txid = here.node.pay(to, amount, data);
        // The node knows it: it is refused, and occupies nothing.
        assert_eq!(refused(here.submit(&order, &txid).await), Refusal::NotPayable, "{number}");
        // The node did not know it when it was submitted.
        here.submit_unseen(&order, &txid).await.unwrap();
        assert_eq!(here.state(&order).await, (OrderState::Open, Some(fault)), "{number}");
    }
    // Money of the shop's own wallet is no payment.
    let seen = here.node.pay(&here.to, "1.5", "o-9");
    let mut seen = here.chain().transaction(&seen).await.unwrap().unwrap();
    seen.inputs[0].addresses = vec![here.to.clone()];
    let amount = "1.5".parse().unwrap();
    let order =
        wallet_chain::Expected { order_id: "o-9", to: &here.to, asset: "VAS", amount: &amount, decimals: 8 };
    assert_eq!(judge(&seen, &order), Verdict::OwnAddress);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_the_chain_cannot_carry_is_refused_when_it_is_made() {
    let here = OnChain::open().await;
    let store = &here.shop.world.store;
    let check = async |to: &str, order: &str| {
        let mut link = here.shop.link(order, "1.50");
        link.to_addr = to.to_owned().into();
        let chain = here.chain().order_chain(to, Some("VAS")).await.unwrap();
        match store.view(CheckPay { link, payer: Some(here.shop.world.users[0].0), chain }).await {
            Ok(()) => None,
            Err(failure) => failure.refused().unwrap().field,
        }
    };
    let (longest, longer) = ("x".repeat(80), "x".repeat(81));
    assert_eq!(check(&here.to, &longest).await, None);
    assert_eq!(check(&here.to, &longer).await, Some("orderId"));
    assert_eq!(check(&here.to, &"回".repeat(27)).await, Some("orderId"), "81 bytes of UTF-8");
    let txid = here.node.pay(&here.to, "1.5", &longest);
    assert_eq!(refused(here.submit(&longer, &txid).await), Refusal::NotPayable);
    here.submit(&longest, &txid).await.unwrap();
    here.node.mine(1);
    assert_eq!(here.state(&longest).await, (OrderState::Paid, None), "the node carries 80 bytes");
    // Only the node knows which texts are addresses of its chain; those of the embedded chain are not.
    for wrong in [here.shop.to_addr.as_str(), "", "x", &here.to[1..], &"1".repeat(128), "回"] {
        assert_eq!(check(wrong, "o-1").await, Some("toAddr"), "{wrong}");
    }
    // The node reads an address in capitals, and reports payments to it in small letters only.
    assert_eq!(check(&here.to.to_ascii_uppercase(), "o-1").await, Some("toAddr"));
    // It has one asset.
    let has = async |asset| here.chain().order_chain(&here.to, Some(asset)).await.unwrap();
    assert!(matches!(has("VAS").await, OrderChain::Node { is_address: true, has_asset: true, .. }));
    let link = here.shop.link("o-1", "1.50");
    let other = CheckPay { link, payer: None, chain: has("L-F").await };
    assert_eq!(store.view(other).await.unwrap_err().refused().unwrap().field, Some("assetType"));
    // The platform's wallet pays on the embedded chain only.
    let link = here.shop.link("o-1", "1.50");
    let chain = here.chain().order_chain(&here.to, Some("VAS")).await.unwrap();
    let unpaid = SubmitPay { chain, ..here.shop.submission(0, link, None) };
    assert_eq!(refused(store.submit(unpaid).await), Refusal::NotPayable);
    // A developer enters addresses of the node's chain.
    let (owner, app) = (here.shop.world.owner, here.shop.app.app.id);
    let add = async |address: &str| {
        let chain = here.chain().order_chain(address, None).await.unwrap();
        let added = AddAddress { owner, app, entered: Some(address.to_owned()), chain };
        store.submit(added).await.unwrap().map(|added| added.address.to_string())
    };
    assert_eq!(add(&here.to).await.as_deref(), Ok(here.to.as_str()));
    assert_eq!(add(&here.shop.from_addr).await, Err(AddressFault::Malformed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wallet_says_with_which_address_a_user_logs_in() {
    let here = OnChain::open().await;
    let (store, app) = (&here.shop.world.store, &here.shop.app);
    let (_, session) = here.shop.world.users[0];
    let approve = async |address: Option<&str>, chain| {
        let (link, seed) = (link(app.app.uuid.as_str()), store.vault().seed());
        let address = address.map(|address| Address::from(address.to_owned()));
        store.submit(ApproveLogin { session, link, address, chain, seed }).await
    };
    let redeemed =
        async |approved| store.submit(redeem(store, code_in(store, &approved), app)).await.unwrap();
    for wrong in [None, Some(""), Some("x"), Some(here.shop.from_addr.as_str())] {
        let chain = here.chain().order_chain(wrong.unwrap_or_default(), None).await.unwrap();
        let no = approve(wrong, chain).await.unwrap_err();
        assert_eq!(no.refused().unwrap().field, Some("address"), "{wrong:?}");
    }
    let own = here.node.new_address("payer");
    let chain = here.chain().order_chain(&own, None).await.unwrap();
    let approved = approve(Some(&own), chain).await.unwrap();
    assert_eq!(redeemed(approved).await.address, own);
    // On the embedded chain the platform knows the user's address, whatever a wallet says.
    let approved = approve(Some(&own), OrderChain::Embedded).await.unwrap();
    assert_eq!(redeemed(approved).await.address, here.shop.from_addr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_incomplete_node_lacks_may_exist() {
    // Without an index of transactions, and without a block of today.
    for options in [&[][..], &["-txindex=1"]] {
        let node = tokio::task::spawn_blocking(move || Litecoin::start_with(options)).await.unwrap();
        let answer = connect(&node, LITECOIN_PASSWORD).transaction(&"0".repeat(64)).await;
        assert!(matches!(answer, Err(ChainError::Unreachable(_))), "{options:?}: {answer:?}");
    }
}

#[test]
fn serve_refuses_a_node_that_cannot_find_payments() {
    let (directory, node) = (tempfile::tempdir().unwrap(), Litecoin::start_with(&[]));
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let config = wallet_tests::configure(directory.path(), &format!("sqlite:{}", path("wallop.db")));
    assert!(wallop(&["key", "new", &path("key")]).status.success());
    let serve = |password: &str| {
        let _ = std::fs::remove_file(path("password"));
        wallet_tests::write_secret(&path("password"), password);
        let settings = [
            "chain.node=core".to_owned(),
            format!("chain.url={}", node.url()),
            format!("chain.password_file={}", path("password")),
        ];
        let sets: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting.as_str()]).collect();
        said(&wallop(&[&["serve", "--config", &config], &sets[..]].concat()))
    };
    let (code, text) = serve(&format!("{LITECOIN_USER}:{LITECOIN_PASSWORD}"));
    assert!(code == Some(3) && text.contains("start it with -txindex"), "{code:?} {text}");
    let (code, text) = serve(&format!("{LITECOIN_USER}:wrong"));
    assert!(code == Some(3) && text.contains("check chain.user and chain.password_file"), "{code:?} {text}");
}
