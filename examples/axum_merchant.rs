//! A merchant's server on axum: it asks for a payment, and hands over the goods once a genuine callback
//! confirms the payment. The platform here is a sandbox in this process; for `wallop dev`, read the base URL and the
//! credentials from GET `/sandbox`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use wallet_api::fomo::payment_result::Payload;
use wallet_api::fomo::{CallbackStatus, CoinId, Direction, ServerUri, TradeId};
use wallet_client::{FomoClient, FomoCredentials, FomoReceiver, FomoWallet, Payment, system_time};
use wallet_core::Amount;
use wallet_crypto::Portable;
use wallet_hyper::HyperTransport;
use wallet_sandbox::{Sandbox, SandboxOptions};

const PRICE: &str = "3.20";
/// The sandbox's usdt.
const COIN: CoinId = CoinId::new(5);

/// The merchant's state.
pub(crate) struct Merchant {
    pub(crate) receiver: FomoReceiver,
    /// The amount of each order that waits for its payment, by its trade_id.
    pub(crate) open: Mutex<HashMap<String, Amount<'static>>>,
    pub(crate) handed_over: mpsc::UnboundedSender<String>,
}

impl Merchant {
    /// The open order that a callback pays, once. The platform also reports the merchant's own payouts and failed payments,
    /// and it may report a payment more than once.
    pub(crate) fn paid_order(&self, paid: &Payload<'_>) -> Option<String> {
        let mut open = self.open.lock().expect("no holder of the lock panics");
        let pays = paid.direction == Direction::UserToApp
            && paid.status == CallbackStatus::Paid
            && paid.coin_id == COIN
            && open.get(paid.trade_id.as_str()) == Some(&paid.amount);
        if pays { open.remove_entry(paid.trade_id.as_str()).map(|(order, _)| order) } else { None }
    }
}

/// The callback. A forged one gets no acknowledgement; a genuine one always does, or the platform repeats it.
async fn callback(State(merchant): State<Arc<Merchant>>, headers: HeaderMap, body: Bytes) -> Response {
    let answer = match merchant.receiver.receive_parts(&headers, &body, system_time()) {
        Ok(paid) => {
            match merchant.paid_order(&paid) {
                Some(order) => drop(merchant.handed_over.send(order)),
                None => println!("transfer {} pays no open order", paid.transfer_id),
            }
            FomoReceiver::acknowledgement()
        }
        Err(error) => FomoReceiver::rejection(error),
    };
    answer.map(Body::from)
}

#[tokio::main]
pub async fn main() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await.expect("a sandbox");
    let (fomo, alice) = (&sandbox.described().fomo, &sandbox.described().users[0]);
    let transport = || HyperTransport::new(HttpConnector::new(), TokioExecutor::new(), TokioTimer::new());

    // The merchant's server.
    let (handed_over, mut orders) = mpsc::unbounded_channel();
    let receiver = FomoReceiver::new(Arc::new(Portable::new()), fomo.client_secret.clone().into());
    let price: Amount<'_> = PRICE.parse().expect("an amount");
    let open = Mutex::new(HashMap::from([("coffee-1".to_owned(), price.clone())]));
    let merchant = Arc::new(Merchant { receiver, open, handed_over });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server_uri = format!("http://{}/callback", listener.local_addr().expect("an address"));
    let routes = Router::new().route("/callback", post(callback)).with_state(merchant);
    tokio::spawn(async move { axum::serve(listener, routes).await });

    // Alice signs in to her wallet and grants the merchant's app access; her browser brings the code back.
    let wallet = FomoWallet::new(transport(), &fomo.base_url);
    let session = wallet.login(&alice.login_name, &alice.pwd).await.expect("signed in").session_key;
    let grant = wallet.authorize(&session, &fomo.client_id, &fomo.redirect_uri, "s1").await.expect("granted");

    // The merchant exchanges the code and asks for a payment; she confirms it in her wallet.
    let credentials = FomoCredentials {
        client_id: fomo.client_id.clone().into(),
        client_secret: fomo.client_secret.clone().into(),
        redirect_uri: fomo.redirect_uri.clone().into(),
    };
    let app = FomoClient::new(transport(), &fomo.base_url).with_credentials(
        credentials,
        Arc::new(Portable::new()),
        system_time,
    );
    let tokens = app.exchange_code(grant.code.as_str()).await.expect("tokens");
    let trade_id = TradeId::from("coffee-1");
    let payment = Payment {
        trade_id: trade_id.clone(),
        amount: price,
        coin: COIN,
        server_uri: ServerUri::new(server_uri).expect("an address"),
        state: "table 7".into(),
    };
    let transfer = app.pre_pay(&tokens.access_token, payment).await.expect("asked for");
    println!("{PRICE} for {} waits as transfer {transfer}", trade_id.as_str());
    wallet.confirm_pay(&session, transfer, &trade_id, &alice.wallet_pwd).await.expect("confirmed");

    // The callback is due a second later.
    let order = orders.recv().await.expect("a callback");
    println!("{order} is paid: hand it over");
    assert_eq!(order, "coffee-1");
    sandbox.stop().await;
}
