//! FOMO: apps and their secrets, OAuth2, payments.

pub(crate) mod apps;
pub(crate) mod callbacks;
pub(crate) mod check;
pub(crate) mod events;
pub(crate) mod oauth;
pub(crate) mod payments;
pub(crate) mod pulse;
pub(crate) mod records;
pub(crate) mod refunds;
mod refusal;
pub(crate) mod returns;
pub(crate) mod sheets;
pub(crate) mod unpaid;
pub mod wire;

pub use refusal::answer;
pub(crate) use refusal::by_transfer;
