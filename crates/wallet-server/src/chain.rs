//! The chain that payments stand on, as the server sees it, and its two adapters: the one that is embedded in the store,
//! and a node.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use wallet_chain::Transaction;
use wallet_chain::rpc::{Node, RpcError, Tip};
use wallet_core::{Transport, UnixTime, in_words};
use wallet_platform::{DevNextBlock, DevTick, DevTip, DevTransaction, Failure};

use crate::store::Store;

/// Why a chain does not answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum ChainError {
    /// It cannot be asked now, in words: ask again later.
    Unreachable(String),
    /// It answers, and what it says of this transaction is of no use.
    Answer(String),
    /// The store failed.
    Store(Failure),
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) | Self::Answer(why) => f.write_str(why),
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
        if error.is_answer() { Self::Answer(words) } else { Self::Unreachable(words) }
    }
}

/// What a chain answers, in a while.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ChainError>> + Send + 'a>>;

/// A chain that is watched for payments. Each question fails with [`ChainError`].
pub trait Chain: Send + Sync + 'static {
    /// Where it ends.
    fn tip(&self) -> Answer<'_, Tip>;

    /// A transaction, with the addresses of its inputs; `None` when the chain has none of this id.
    fn transaction<'a>(&'a self, txid: &'a str) -> Answer<'a, Option<Transaction>>;

    /// Whether it is the one in the store, on which the platform's wallet pays by itself.
    fn is_embedded(&self) -> bool {
        false
    }

    /// Does what is due by the store's clock; says whether anything was.
    fn tick(&self) -> Answer<'_, bool> {
        Box::pin(async { Ok(false) })
    }

    /// When something is due next.
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

    fn is_embedded(&self) -> bool {
        true
    }

    fn tick(&self) -> Answer<'_, bool> {
        Box::pin(async {
            // Most of the time nothing is: no command then.
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

/// A node of the chain, asked by JSON-RPC.
#[derive(Debug)]
pub struct VasChain<T>(pub Node<T>);

impl<T: Transport + 'static> Chain for VasChain<T> {
    fn tip(&self) -> Answer<'_, Tip> {
        Box::pin(async { Ok(self.0.tip().await?) })
    }

    fn transaction<'a>(&'a self, txid: &'a str) -> Answer<'a, Option<Transaction>> {
        Box::pin(async { Ok(self.0.transaction(txid).await?) })
    }
}
