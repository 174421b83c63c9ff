//! What a chain is to an order of the VAS and Lafi wallets: transactions as a node reports them, whether one pays an order
//! (R56), and a node's JSON-RPC over any [`Transport`](wallet_core::Transport).
//!
//! This crate has no socket and knows no platform.

pub mod rpc;
mod transaction;

pub use transaction::*;
