//! A merchant of the VAS wallet on axum: it signs a pay link, verifies the callback, finds the payment on the chain, and
//! books the order once. Lafi differs in scheme and asset only. The platform here is a sandbox in this process; for `wallop dev`, read the same values
//! from GET `/sandbox`.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::routing::get;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use wallet_api::vas::SessionKey;
use wallet_chain::rpc::{Credentials, Node};
use wallet_client::{
    Booked, FomoWallet, Order, OrderBook, VasPayment, VasReceiver, VasWallet, system_time, verify_on_chain,
};
use wallet_core::link::OutgoingLink as _;
use wallet_core::{Secret, Signer};
use wallet_crypto::{PrivateKey, rsa_signer, rsa_verifier};
use wallet_hyper::HyperTransport;
use wallet_sandbox::{Sandbox, SandboxOptions};

type Transport = HyperTransport<HttpConnector>;

fn transport() -> Transport {
    HyperTransport::new(HttpConnector::new(), TokioExecutor::new(), TokioTimer::new())
}

/// The merchant's state.
struct Merchant {
    receiver: VasReceiver,
    orders: Mutex<OrderBook>,
    node: Node<Transport>,
    handed_over: mpsc::UnboundedSender<String>,
}

impl Merchant {
    /// Whether the chain has the payment that a callback reports. The callback alone proves nothing: the holder of the
    /// merchant's own key could have made it.
    async fn proven(&self, paid: &VasPayment<'_>) -> bool {
        let id = paid.payment().order_id.as_str();
        let order = self.orders().order(id).map(|(order, _)| order.clone());
        match (order, self.node.transaction(paid.payment().txid.as_str()).await) {
            (Some(order), Ok(Some(transaction))) => verify_on_chain(&order, &transaction, 1).is_ok(),
            _ => false,
        }
    }

    fn orders(&self) -> MutexGuard<'_, OrderBook> {
        self.orders.lock().expect("no holder of the lock panics")
    }
}

/// The callback. The order book compares orderId, toAddr, assetType and amount, and books each order once.
async fn callback(State(merchant): State<Arc<Merchant>>, RawQuery(query): RawQuery) -> &'static str {
    let query = query.unwrap_or_default();
    let Ok(paid) = merchant.receiver.receive(&query, system_time()) else { return VasReceiver::rejection() };
    if !merchant.proven(&paid).await {
        return VasReceiver::rejection(); // the platform sends it again
    }
    let Ok(booked) = merchant.orders().book(&paid) else { return VasReceiver::rejection() };
    if booked == Booked::Now {
        let _ = merchant.handed_over.send(paid.payment().order_id.as_str().to_owned());
    }
    VasReceiver::acknowledgement()
}

#[tokio::main]
pub async fn main() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await.expect("a sandbox");
    let (fomo, vas, alice) =
        (&sandbox.described().fomo, &sandbox.described().vas, &sandbox.described().users[0]);
    let key = PrivateKey::load(&vas.rsa_private_pkcs8).expect("the app's private key");

    // The merchant's server, below the app's safe domain: the platform signs with its copy of the app's key.
    let (handed_over, mut orders) = mpsc::unbounded_channel();
    let verifier = rsa_verifier(&key.public()).expect("the app's public key");
    let receiver = VasReceiver::new(vas.uuid.clone().into(), verifier);
    let chain = &vas.chain;
    let credentials =
        Credentials { user: chain.rpc_user.clone(), password: Secret::new(chain.rpc_password.clone()) };
    let node = Node::new(transport(), &chain.rpc_url, credentials, &vas.asset);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let merchant = Arc::new(Merchant { receiver, orders: Mutex::default(), node, handed_over });
    let routes = Router::new().route("/paid", get(callback)).with_state(merchant.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await });

    // The merchant opens an order and signs its link. It is the text of a QR code.
    let order = Order {
        order_id: "coffee-1".into(),
        to_addr: vas.to_addr.clone().into(),
        asset: vas.asset.clone().into(),
        amount: "3.20".parse().expect("an amount"),
        callback_url: format!("http://{}:{port}/paid", vas.safe_domain).into(),
    };
    let signer = rsa_signer(&key).expect("the app's private key");
    let link = order.link(&vas.uuid).qr(Some(&Signer::rsa(&*signer, system_time()))).expect("a signed link");
    merchant.orders().open(order);
    println!("{link}");

    // Alice scans it. Her wallet signs in by FOMO's login and pays on the sandbox's chain.
    let wallet = FomoWallet::new(transport(), &fomo.base_url);
    let session = wallet.login(&alice.login_name, &alice.pwd).await.expect("signed in").session_key;
    let session = SessionKey::new(session.as_str());
    let wallet = VasWallet::new(transport(), &vas.base_url);
    let paid = wallet.pay(&session, &alice.wallet_pwd, &link, None).await.expect("paid");
    println!("paid by {}; the chain mines a block within five seconds", paid.txid);

    // The callback comes with the block that confirms the payment.
    let order = orders.recv().await.expect("a callback");
    println!("{order} is paid: hand it over");
    assert_eq!(order, "coffee-1");
    sandbox.stop().await;
}
