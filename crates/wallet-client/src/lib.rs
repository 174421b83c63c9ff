//! The integrator's client, over any [`Transport`](wallet_core::Transport).
//!
//! [`FomoApp`] is a third-party app: it exchanges codes, asks for payments, pays users, looks trades up.
//! [`FomoWallet`] is the wallet's side: it signs users in and confirms payments. [`CallbackReceiver`] checks a callback
//! before it yields a value. For the VAS and Lafi wallets there are [`VasClient`], [`VasWallet`] and [`PaymentCallback`];
//! [`Order`] makes signed links and [`OrderBook`] books each order once, [`verify_on_chain`] asks the chain, [`QrCode`]
//! draws. Signatures, fixed fields and encodings are made here and cannot be got wrong.
//! This crate opens no socket.
//!
//! ```no_run
//! # async fn example(transport: impl wallet_core::Transport, crypto: std::sync::Arc<dyn wallet_core::crypto::Crypto>) -> Result<(), Box<dyn std::error::Error>> {
//! use wallet_api::fomo::{CoinId, ServerUri};
//! use wallet_client::{FomoApp, Payment, system_time};
//!
//! let app = FomoApp::new(transport, "http://127.0.0.1:7070/fomo/", crypto, system_time)
//!     .with_credentials("demo_app", "…", "https://shop.example/back");
//! let tokens = app.exchange_code("the code from the redirect").await?;
//! let transfer = app
//!     .pre_pay(&tokens.access_token, Payment {
//!         trade_id: "order-1".into(),
//!         amount: "1.50".parse()?,
//!         coin: CoinId::new(5),
//!         server_uri: ServerUri::new("https://shop.example/callback").map_err(|_| "not an address")?,
//!         state: "s1".into(),
//!     })
//!     .await?;
//! println!("ask the user to confirm {transfer}");
//! # Ok(())
//! # }
//! ```

mod app;
mod call;
mod orders;
mod qr;
mod receiver;
mod vas;
mod wallet;

pub use app::{FomoApp, Payment, Payout};
pub use call::{CallError, system_time};
pub use orders::{Booked, NotBooked, NotPaid, Order, OrderBook, verify_on_chain};
pub use qr::{QrCode, QrTooLong, TooNarrow};
pub use receiver::{CallbackError, CallbackReceiver};
pub use vas::{Kind, PaymentCallback, PaymentError, VasClient, VasWallet};
pub use wallet::FomoWallet;
