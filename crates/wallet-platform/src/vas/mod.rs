//! The VAS and Lafi wallets: apps, logins by openCode, orders on a chain, prices.

pub(crate) mod addresses;
pub(crate) mod apps;
pub(crate) mod callbacks;
pub(crate) mod chain;
pub(crate) mod check;
pub(crate) mod edits;
pub(crate) mod orders;
pub(crate) mod prices;
mod refusal;
pub(crate) mod returns;
pub(crate) mod sheets;
pub mod wire;

pub use refusal::answer;
