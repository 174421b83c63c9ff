//! The trait [`Chain`] and its two adapters: [`EmbeddedChain`] in the store, and [`NodeChain`],
//! a node over JSON-RPC, which [`node_chain`] connects over HTTP.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use wallet_chain::Transaction;
use wallet_chain::embedded::{DevNextBlock, DevTick, DevTip, DevTransaction};
use wallet_chain::rpc::{Credentials, Node, NodeKind, RpcError, Tip};
use wallet_core::{Transport, UnixTime, in_words};
use wallet_hyper::{HyperTransport, Limits, https};
use wallet_platform::{Failure, OrderChain};

use crate::store::Store;

/// The error of a chain query.
#[derive(Debug)]
#[non_exhaustive]
pub enum ChainError {
    /// The chain is unreachable; the text is the cause. Retry later.
    Unreachable(String),
    /// The node rejects its credentials; the text is the cause.
    Unauthorized(String),
    /// The chain's answer about this transaction is invalid; the text is the cause.
    Answer(String),
    /// The store failed.
    Store(Failure),
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) | Self::Unauthorized(why) | Self::Answer(why) => f.write_str(why),
            Self::Store(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for ChainError {}

impl From<Failure> for ChainError {
    fn from(failure: Failure) -> Self {
        Self::Store(failure)
    }
}

impl<E: std::error::Error + 'static> From<RpcError<E>> for ChainError {
    fn from(error: RpcError<E>) -> Self {
        let words = in_words(&error);
        match error {
            RpcError::Unauthorized => Self::Unauthorized(words),
            error if error.is_answer() => Self::Answer(words),
            _ => Self::Unreachable(words),
        }
    }
}

/// The future of a chain query.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ChainError>> + Send + 'a>>;

/// A chain on which orders are paid. Each query fails with [`ChainError`].
pub trait Chain: Send + Sync + 'static {
    /// The newest block.
    fn tip(&self) -> Answer<'_, Tip>;

    /// A transaction, with the addresses of its inputs; `None` if the chain does not have it.
    fn transaction<'a>(&'a self, txid: &'a str) -> Answer<'a, Option<Transaction>>;

    /// What a decision must know of the chain, of an address and of an order's asset.
    fn order_chain<'a>(&'a self, address: &'a str, asset: Option<&'a str>) -> Answer<'a, OrderChain>;

    /// Whether there is no chain at all: nothing is watched then.
    fn is_absent(&self) -> bool {
        false
    }

    /// Whether the chain reports every transaction: `None` if its node lacks the index for it, `Some(false)` while the node
    /// builds that index.
    fn transaction_index(&self) -> Answer<'_, Option<bool>> {
        Box::pin(async { Ok(Some(true)) })
    }

    /// Whether this is the chain in the store, on which the platform's wallet pays without a node.
    fn is_embedded(&self) -> bool {
        false
    }

    /// Makes the block that is due by the store's clock; `true` if a block was due.
    fn tick(&self) -> Answer<'_, bool> {
        Box::pin(async { Ok(false) })
    }

    /// The time of the next event.
    fn next(&self) -> Answer<'_, Option<UnixTime>> {
        Box::pin(async { Ok(None) })
    }
}

/// The chain that is embedded in the store.
#[derive(Debug)]
pub struct EmbeddedChain(pub Store);

impl Chain for EmbeddedChain {
    fn tip(&self) -> Answer<'_, Tip> {
        Box::pin(async { Ok(self.0.view(DevTip).await?) })
    }

    fn transaction<'a>(&'a self, txid: &'a str) -> Answer<'a, Option<Transaction>> {
        Box::pin(async { Ok(self.0.view(DevTransaction(txid.to_owned())).await?) })
    }

    fn order_chain<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> Answer<'a, OrderChain> {
        Box::pin(async { Ok(OrderChain::Embedded) })
    }

    fn is_embedded(&self) -> bool {
        true
    }

    fn tick(&self) -> Answer<'_, bool> {
        Box::pin(async {
            // Usually no block is due: then no command.
            match self.0.view(DevNextBlock).await? {
                Some(at) if at <= self.0.now() => Ok(self.0.submit(DevTick).await?),
                _ => Ok(false),
            }
        })
    }

    fn next(&self) -> Answer<'_, Option<UnixTime>> {
        Box::pin(async { Ok(self.0.view(DevNextBlock).await?) })
    }
}

/// No chain: the protocols that need one are not offered. It is not the embedded one, which has none of the orders' transactions.
#[derive(Debug)]
pub struct NoChain;

fn absent() -> ChainError {
    ChainError::Unreachable("no chain is configured".to_owned())
}

impl Chain for NoChain {
    fn tip(&self) -> Answer<'_, Tip> {
        Box::pin(async { Err(absent()) })
    }

    fn transaction<'a>(&'a self, _: &'a str) -> Answer<'a, Option<Transaction>> {
        Box::pin(async { Err(absent()) })
    }

    fn order_chain<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> Answer<'a, OrderChain> {
        Box::pin(async { Err(absent()) })
    }

    fn is_absent(&self) -> bool {
        true
    }
}

/// A node of the chain, over JSON-RPC.
#[derive(Debug)]
pub struct NodeChain<T>(pub Node<T>);

impl<T: Transport + 'static> Chain for NodeChain<T> {
    fn tip(&self) -> Answer<'_, Tip> {
        Box::pin(async { Ok(self.0.tip().await?) })
    }

    fn transaction<'a>(&'a self, txid: &'a str) -> Answer<'a, Option<Transaction>> {
        Box::pin(async { Ok(self.0.transaction(txid).await?) })
    }

    fn order_chain<'a>(&'a self, address: &'a str, asset: Option<&'a str>) -> Answer<'a, OrderChain> {
        Box::pin(async move {
            // A node reads more than an address has; nothing longer than this is one.
            let is_address = (1..=128).contains(&address.len()) && self.0.is_address(address).await?;
            let has_asset = asset.is_none_or(|asset| self.0.has_asset(asset));
            Ok(OrderChain::Node { is_address, has_asset, data_limit: self.0.kind().data_limit() })
        })
    }

    fn transaction_index(&self) -> Answer<'_, Option<bool>> {
        Box::pin(async { Ok(self.0.transaction_index().await?) })
    }
}

/// The bounds of one call. A block has many transactions, and a transaction may be large.
const LIMITS: Limits = Limits { deadline: Duration::from_secs(10), max_body: 16 << 20 };

/// The chain of the node at `url`, over HTTP. `asset` is the name of the chain's own asset.
pub fn node_chain(url: &str, credentials: Credentials, asset: &str, kind: NodeKind) -> Arc<dyn Chain> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false); // https goes through it, too
    let connector = https(connector);
    let transport =
        HyperTransport::new(connector, TokioExecutor::new(), TokioTimer::new()).with_limits(LIMITS);
    Arc::new(NodeChain(Node::new(transport, url, credentials, asset).of_kind(kind)))
}
