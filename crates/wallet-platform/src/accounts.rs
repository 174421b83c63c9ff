//! What the accounts of every protocol share: the ids of users and coins, the form of a login name, and the limits and
//! lifetimes of sessions, passwords and verification codes.
//!
//! FOMO's document defines them, so `spec/fomo.toml` declares them. The rest of the shared code names no protocol.

pub(crate) use wallet_api::fomo::LoginName as LoginText;
pub use wallet_api::fomo::{CoinId, UserId};
pub use wallet_api::fomo::{lifetimes, limits};
