//! FOMO: a third-party app, the wallet, and the receiver of callbacks.

mod app;
mod receiver;
mod wallet;

pub use app::{FomoApp, FomoClient, FomoCredentials, Payment, Payout};
pub use receiver::{FomoCallbackError, FomoReceiver};
pub use wallet::FomoWallet;
