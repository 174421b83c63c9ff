//! The embedded chain in the platform's schema. [`Platform`](crate::Platform) lists its tables, so that the wallet's
//! payment is on the chain with the very commit that stores it for its order. Each user has an address on the chain.

use wallet_api::vas::{Refusal, limits};
use wallet_chain::embedded::{ChainVault, Refused};

use crate::accounts::UserId;
use crate::refusal::{Reason, Stop};
use crate::vas::apps::VasAppId;
use crate::vault::Vault;

/// The chain that orders are paid on, as far as a decision needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum OrderChain {
    /// The embedded chain: the platform derives the users' addresses, and pays by itself.
    Embedded,
    /// The chain of a node: only the holder of a user's keys can pay.
    Node {
        /// Whether the node has found the address in question to be one of its chain.
        is_address: bool,
        /// Whether the chain has the order's asset.
        has_asset: bool,
        /// The most bytes of an orderId that a transaction can carry.
        data_limit: Option<usize>,
    },
}

impl OrderChain {
    /// Whether a text is an address of the chain.
    pub(super) fn has(self, vault: &Vault, address: &str) -> bool {
        match self {
            Self::Embedded => vault.is_address(address),
            Self::Node { is_address, .. } => is_address,
        }
    }

    /// Whether the chain has the order's asset.
    pub(super) fn has_asset(self) -> bool {
        match self {
            Self::Embedded => true,
            Self::Node { has_asset, .. } => has_asset,
        }
    }

    /// The address of a user that the platform knows by itself.
    pub(super) fn address_of(self, vault: &Vault, user: UserId) -> Option<String> {
        (self == Self::Embedded).then(|| vault.address(user))
    }

    /// Whether a transaction can carry this orderId.
    pub(super) fn carries(self, order_id: &str) -> bool {
        match self {
            Self::Embedded => true,
            Self::Node { data_limit, .. } => data_limit.is_none_or(|limit| order_id.len() <= limit),
        }
    }
}

/// The first byte of an address.
const ADDRESS_VERSION: u8 = limits::ADDRESS_VERSION as u8;

impl Vault {
    /// A user's address on the chain: base58check of 160 bits under version 71, so that it begins with `V`.
    pub fn address(&self, user: UserId) -> String {
        self.address_of(&user.to_string())
    }

    /// An app's receiving address of this number.
    pub(crate) fn app_address(&self, app: VasAppId, number: u32) -> String {
        self.address_of(&format!("app {} {number}", app.0))
    }

    fn address_of(&self, name: &str) -> String {
        let hash = self.hash(&format!("address {name}"));
        let mut bytes = vec![ADDRESS_VERSION];
        bytes.extend_from_slice(hash.as_bytes());
        bytes.extend_from_slice(&self.check(&bytes));
        bs58::encode(bytes).into_string()
    }

    fn check(&self, bytes: &[u8]) -> [u8; 4] {
        let [a, b, c, d, ..] = self.crypto().sha256(&self.crypto().sha256(bytes));
        [a, b, c, d]
    }

    /// Whether a text is an address of the chain: its version and its checksum are right.
    pub fn is_address(&self, text: &str) -> bool {
        // A longer text is not an address, and decoding takes quadratic time.
        let bytes =
            if text.len() <= 40 { bs58::decode(text).into_vec().unwrap_or_default() } else { Vec::new() };
        match bytes.split_last_chunk::<4>() {
            Some((body, check)) => {
                body.len() == 21 && body[0] == ADDRESS_VERSION && self.check(body) == *check
            }
            None => false,
        }
    }
}

impl ChainVault for Vault {
    const DECIMALS: u8 = limits::AMOUNT_DECIMALS as u8;
    const CONFIRMATIONS: u64 = limits::FINAL_CONFIRMATIONS;

    fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
        self.crypto().sha256(bytes)
    }

    fn new_address(&self, number: u64) -> String {
        self.address_of(&format!("new {number}"))
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::InsufficientBalance => Reason::InsufficientBalance.into(),
            Refused::NotPayable => Refusal::NotPayable.into(),
        }
    }
}
