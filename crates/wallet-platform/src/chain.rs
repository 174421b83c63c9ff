//! The embedded chain in the platform's schema. [`Platform`](crate::Platform) lists its tables, so that the wallet's
//! payment is on the chain with the very commit that stores it for its order.

use wallet_api::vas::{Refusal, limits};
use wallet_chain::embedded::{CONFIRMATIONS, ChainVault, DECIMALS, Refused};

use crate::refusal::{Reason, Stop};
use crate::vault::Vault;

const _: () =
    assert!(DECIMALS as u64 == limits::AMOUNT_DECIMALS && CONFIRMATIONS == limits::FINAL_CONFIRMATIONS);

impl ChainVault for Vault {
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
            _ => Refusal::NotPayable.into(),
        }
    }
}
