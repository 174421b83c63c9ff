//! What the accounts of every protocol share: the ids of users and coins, the form of a login name, and the limits and
//! lifetimes of sessions, passwords and verification codes.
//!
//! FOMO's document defines them, so `spec/fomo.toml` declares them.

pub(crate) use wallet_api::fomo::LoginName as LoginText;
pub use wallet_api::fomo::{CoinId, UserId};

/// Lifetimes.
pub mod lifetimes {
    pub use wallet_api::fomo::lifetimes::{FIRST_LOCK, LONGEST_LOCK, SESSION, VERIFICATION};
}

/// Limits.
pub mod limits {
    pub use wallet_api::fomo::limits::{BODY_BYTES, WRONG_PASSWORDS, WRONG_VERIFY_CODES};
}
