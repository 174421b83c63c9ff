//! The settings of a server.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use wallet_crypto::PasswordCost;
use wallet_store::Clock;

use crate::callbacks::Places;
use crate::chain::Chain;
use crate::context::Protocol;
use crate::guard::Addresses;
use crate::notify::{Notifier, Observer};
use crate::pages::settings::PageSettings;
use crate::passwords::Hashes;
use crate::purge::Retention;

/// The settings of a server.
#[derive(Clone)]
pub struct Settings {
    /// The addresses that callbacks may be sent to.
    pub callback_addresses: Addresses,
    /// How many callback attempts may be under way at once.
    pub callback_places: Places,
    /// The calls of `pre_pay` that an app may make in a second, in this process; `None`: no bound.
    pub pre_pays_per_second: Option<NonZeroU32>,
    /// How long rows are kept that are needed no more.
    pub retention: Retention,
    /// The cost parameters of a password hash.
    pub password_cost: PasswordCost,
    /// How many password hashes are made at once, and how many may wait.
    pub hashes: Hashes,
    /// The sender of verification codes.
    pub notifier: Arc<dyn Notifier>,
    /// The observer of callbacks, if there is one.
    pub observer: Option<Arc<dyn Observer>>,
    /// The clock of the timestamps that callbacks are signed with; `None`: the store's.
    pub callback_clock: Option<Arc<dyn Clock>>,
    /// The chain that orders are paid on.
    pub chain: Arc<dyn Chain>,
    /// The number of confirmations that makes an order paid (R53).
    pub confirmations: u64,
    /// The settings of the pages.
    pub pages: PageSettings,
    /// The public base URL, without a slash at the end.
    pub public_url: String,
    /// The server's protocols: [`PROTOCOLS`](crate::PROTOCOLS), or others.
    pub protocols: Vec<&'static dyn Protocol>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("callback_addresses", &self.callback_addresses)
            .field("confirmations", &self.confirmations)
            .finish_non_exhaustive()
    }
}
