//! What a server is set up with.

use std::fmt;
use std::sync::Arc;

use wallet_crypto::PasswordCost;

use crate::chain::Chain;
use crate::context::Protocol;
use crate::guard::Addresses;
use crate::notify::{Notifier, Observer};
use crate::pages::settings::PageSettings;

/// What a server is set up with.
#[derive(Clone)]
pub struct Settings {
    /// Where callbacks may go.
    pub callback_addresses: Addresses,
    /// The work of one password hash.
    pub password_cost: PasswordCost,
    /// How verification codes reach their users.
    pub notifier: Arc<dyn Notifier>,
    /// Who sees callbacks go, if anybody.
    pub observer: Option<Arc<dyn Observer>>,
    /// The chain that orders are paid on.
    pub chain: Arc<dyn Chain>,
    /// How many confirmations make an order paid (R53).
    pub confirmations: u64,
    /// How pages are set up.
    pub pages: PageSettings,
    /// Where the server is reached from outside, without a slash at the end.
    pub public_url: String,
    /// The protocols that it speaks: [`PROTOCOLS`](crate::PROTOCOLS), or others.
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
