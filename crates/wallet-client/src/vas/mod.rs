//! The VAS and Lafi wallets: a third-party app, the wallet, the receiver of callbacks, and an app's orders.

mod app;
mod orders;
mod receiver;
mod wallet;

pub use app::{VasApp, VasCredentials, VasErrorKind};
pub use orders::{Booked, NotBooked, NotPaid, Order, OrderBook, verify_on_chain};
pub use receiver::{VasCallbackError, VasPayment, VasReceiver};
pub use wallet::VasWallet;
