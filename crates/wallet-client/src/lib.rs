//! The integrator's client, over any [`Transport`](wallet_core::Transport).
//!
//! | | FOMO | VAS and Lafi |
//! |---|---|---|
//! | a third-party app, with its credentials | [`FomoApp`] | [`VasApp`] |
//! | without credentials: it signs nothing | [`FomoClient`] | |
//! | the wallet's side | [`FomoWallet`] | [`VasWallet`] |
//! | verifies a callback before it yields a value | [`FomoReceiver`] | [`VasReceiver`] |
//!
//! [`Order`] makes signed links, [`OrderBook`] books each order once, [`verify_on_chain`] judges its transaction.
//! The crate makes signatures, fixed fields and encodings itself.
//!
//! Features, none on by default: `qr` draws QR codes as SVG and in a terminal, `png` as PNG too.
//!
//! This crate opens no socket.
//!
//! ```no_run
//! # async fn example(transport: impl wallet_core::Transport, crypto: std::sync::Arc<dyn wallet_core::crypto::Crypto>) -> Result<(), Box<dyn std::error::Error>> {
//! use wallet_api::fomo::{CoinId, ServerUri};
//! use wallet_client::{FomoClient, FomoCredentials, Payment, system_time};
//!
//! let credentials = FomoCredentials {
//!     client_id: "demo_app".into(),
//!     client_secret: "…".into(),
//!     redirect_uri: "https://shop.example/back".into(),
//! };
//! let app = FomoClient::new(transport, "http://127.0.0.1:7070/fomo/")
//!     .with_credentials(credentials, crypto, system_time);
//! let tokens = app.exchange_code("the code from the redirect").await?;
//! let transfer = app
//!     .pre_pay(&tokens.access_token, Payment {
//!         trade_id: "order-1".into(),
//!         amount: "1.50".parse()?,
//!         coin: CoinId::new(5),
//!         server_uri: ServerUri::new("https://shop.example/callback")?,
//!         state: "s1".into(),
//!     })
//!     .await?;
//! println!("ask the user to confirm {transfer}");
//! # Ok(())
//! # }
//! ```

mod call;
mod fomo;
#[cfg(feature = "qr")]
mod qr;
mod vas;

pub use call::{CallError, InLanguage, system_time};
pub use fomo::{
    FomoApp, FomoCallbackError, FomoClient, FomoCredentials, FomoReceiver, FomoWallet, Payment, Payout,
};
#[cfg(feature = "qr")]
pub use qr::{QrCode, QrTooLong, TooNarrow};
pub use vas::{
    Booked, NotBooked, NotPaid, Order, OrderBook, VasApp, VasCallbackError, VasCredentials, VasErrorKind,
    VasPayment, VasReceiver, VasWallet, verify_on_chain,
};
