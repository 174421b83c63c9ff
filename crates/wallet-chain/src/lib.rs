//! Payments of VAS and Lafi orders on a chain: a node's transactions, the check whether a transaction pays an order
//! (R56), and a node's JSON-RPC over any [`Transport`](wallet_core::Transport).
//!
//! This crate has no socket and knows no platform. The feature `embedded` adds a chain of its own, for experiments and
//! tests.
//!
//! ```
//! use wallet_chain::{Expected, Transaction, Verdict, judge};
//!
//! let reply = r#"{"txid":"ab","confirmations":0,"vin":[],
//!   "vout":[{"n":0,"value":"1.50","assetType":"VAS","scriptPubKey":{"addresses":["Vshop"]},"data":["6f726465722d31"]}]}"#;
//! let transaction = Transaction::from_json(&serde_json::from_str(reply)?, "VAS")?;
//! let amount = wallet_core::Amount::parse("2")?;
//! let order = Expected { order_id: "order-1", to: "Vshop", asset: "VAS", amount: &amount, decimals: 8 };
//! assert!(matches!(judge(&transaction, &order), Verdict::Underpaid { .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "embedded")]
pub mod embedded;
pub mod rpc;
mod transaction;

pub use transaction::*;
