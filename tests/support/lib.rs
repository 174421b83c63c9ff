//! What the tests share: a sandbox in this process, raw HTTP, a merchant with prepared answers, and stores with a
//! clock that is moved by hand.

mod browser;
mod litecoin;
mod merchant;
mod model;
mod patroni;
mod postgres;
mod proxy;
mod serve;
mod stores;
mod wallop;
mod world;

pub use browser::Browser;
pub use litecoin::{Litecoin, PASSWORD as LITECOIN_PASSWORD, USER as LITECOIN_USER};
pub use merchant::Merchant;
pub use model::{Account, Database, Ledger, ledger_of};
pub use patroni::Patroni;
pub use postgres::Postgres;
pub use proxy::{Cut, Proxy};
pub use serve::{Node, configure, free_port, said, wallop, write_secret};
pub use stores::{ManualClock, TestStore, fast_passwords, options, settings, test_vault};
pub use wallop::{Wallop, wallop_path};
pub use world::{Call, Format, Reply, World, fields, form, plain_client, sign};

/// The time of signatures that cover none.
pub const ANY_TIME: wallet_core::UnixTime = wallet_core::UnixTime::from_secs(0);

/// `value` after `change`: what `..value` says of a struct that may grow.
pub fn with<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}

/// How many trials a race or crash test makes: fewer by default, more when WALLOP_LONG is set.
pub fn trials(usual: u32, long: u32) -> u32 {
    if std::env::var_os("WALLOP_LONG").is_some() { long } else { usual }
}
