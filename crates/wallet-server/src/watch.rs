//! Watches the chain for payments that were stirred. It looks up transactions and hands over what it finds; what that
//! means for an order is the platform's to say.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;
use wallet_api::vas::{OrderState, Txid};
use wallet_chain::Transaction;
use wallet_core::UnixTime;
use wallet_core::crypto::from_hex;
use wallet_platform::{ObservePayment, OrderSeq, VasOrder, WatchedOrders};

use crate::callbacks::Callbacks;
use crate::chain::{Chain, ChainError};
use crate::store::Store;

/// Orders looked up in one go.
const AT_ONCE: u64 = 256;
/// Between two looks at a chain that has its own time.
const NAP: Duration = Duration::from_secs(5);
/// How long a payment that is just submitted is looked for.
const GLANCE: Duration = Duration::from_secs(2);
/// A payment that is missing is given up after a while, whether or not a block comes.
const LOOK_ANYWAY: Duration = Duration::from_secs(60);

/// The watcher of the chain. Clones share it.
#[derive(Clone)]
pub struct Watcher {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    chain: Arc<dyn Chain>,
    callbacks: Callbacks,
    confirmations: u64,
    /// The hash of the newest block at the last whole look, and when that was.
    looked: Mutex<Option<(String, Instant)>>,
    /// Payments that were submitted since.
    submitted: std::sync::Mutex<Vec<(OrderSeq, Txid<'static>)>>,
    /// Whether the clock was set since, or the last look did not come to its end.
    stirred: AtomicBool,
    wake: Notify,
}

impl Inner {
    fn submitted(&self) -> std::sync::MutexGuard<'_, Vec<(OrderSeq, Txid<'static>)>> {
        self.submitted.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("confirmations", &self.inner.confirmations).finish_non_exhaustive()
    }
}

impl Watcher {
    pub(crate) fn new(store: Store, chain: Arc<dyn Chain>, callbacks: Callbacks, confirmations: u64) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                chain,
                callbacks,
                confirmations,
                looked: Mutex::default(),
                submitted: std::sync::Mutex::default(),
                stirred: AtomicBool::new(true),
                wake: Notify::new(),
            }),
        }
    }

    /// The chain.
    pub fn chain(&self) -> &Arc<dyn Chain> {
        &self.inner.chain
    }

    /// What the chain has of a transaction right now; none when it does not say so soon: a submitter need not wait
    /// for a node.
    pub(crate) async fn look_up_now(&self, txid: &Txid<'_>) -> Option<Option<Transaction>> {
        let txid = txid.as_str();
        if txid.len() != 64 || from_hex(txid).is_none() {
            return None; // it is refused
        }
        let txid = txid.to_ascii_lowercase();
        tokio::time::timeout(GLANCE, self.inner.chain.transaction(&txid)).await.ok()?.ok()
    }

    /// The transaction of an order that waits, if the chain has never shown it, and says now that it has none.
    pub async fn missing(&self, order: &VasOrder) -> Option<Txid<'static>> {
        let txid = order.txid.as_ref().filter(|_| order.state == OrderState::Submitted && !order.known)?;
        self.look_up_now(txid).await?.is_none().then(|| txid.clone())
    }

    /// Says that a payment was submitted.
    pub(crate) fn submitted(&self, order: OrderSeq, txid: Txid<'static>) {
        self.inner.submitted().push((order, txid));
        self.inner.wake.notify_one();
    }

    /// Says that everything is to be looked at: a block was made, or the clock set.
    pub fn wake(&self) {
        self.inner.stirred.store(true, Ordering::Release);
        self.inner.wake.notify_one();
    }

    /// Looks up every payment that is watched when the chain has changed, else those that were just submitted.
    async fn look(&self) -> Result<(), ChainError> {
        let inner = &*self.inner;
        let mut looked = inner.looked.lock().await;
        let tip = inner.chain.tip().await?.hash;
        let stirred = inner.stirred.swap(false, Ordering::AcqRel);
        let submitted = std::mem::take(&mut *inner.submitted());
        let fresh = |(hash, at): &(String, Instant)| *hash == tip && at.elapsed() < LOOK_ANYWAY;
        if !stirred && looked.as_ref().is_some_and(fresh) {
            return self.observe(&submitted).await;
        }
        *looked = None; // an error on the way: look again
        let mut after = OrderSeq(0);
        loop {
            let orders = inner.store.view(WatchedOrders { after, limit: AT_ONCE }).await?;
            self.observe(&orders).await?;
            match orders.last() {
                Some((last, _)) => after = *last,
                None => break,
            }
        }
        *looked = Some((tip, Instant::now()));
        Ok(())
    }

    async fn observe(&self, orders: &[(OrderSeq, Txid<'static>)]) -> Result<(), ChainError> {
        let inner = &*self.inner;
        for (order, txid) in orders {
            let seen = match inner.chain.transaction(txid.as_str()).await {
                Ok(seen) => seen,
                // One that the node has no use for must not hide the others.
                Err(ChainError::Answer(error)) => {
                    tracing::warn!(order = order.0, error, "a payment cannot be looked up");
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (order, txid, confirmations) = (*order, txid.clone(), inner.confirmations);
            let observed = ObservePayment { order, txid, seen, confirmations };
            if inner.store.submit(observed).await? == OrderState::Paid {
                inner.callbacks.wake(); // perhaps for nothing: they look for themselves
            }
        }
        Ok(())
    }

    /// Does what is due on the chain, and looks at what came of it. Says whether anything was due.
    ///
    /// # Errors
    /// The chain's, or the store's.
    pub async fn catch_up(&self) -> Result<bool, ChainError> {
        let mut moved = false;
        self.inner.stirred.store(true, Ordering::Release);
        while self.inner.chain.tick().await? {
            moved = true;
            self.look().await?;
        }
        self.look().await?;
        Ok(moved)
    }

    /// When something is due next.
    ///
    /// # Errors
    /// The chain's, or the store's.
    pub async fn next(&self) -> Result<Option<UnixTime>, ChainError> {
        self.inner.chain.next().await
    }

    async fn step(&self) -> Result<Duration, ChainError> {
        self.inner.chain.tick().await?;
        self.look().await?;
        Ok(match self.next().await? {
            Some(next) => next.since(self.inner.store.now()).clamp(Duration::from_millis(1), NAP),
            None => NAP,
        })
    }

    /// Runs for ever.
    pub(crate) async fn run(self) {
        loop {
            let nap = match self.step().await {
                Ok(nap) => nap,
                Err(error) => {
                    tracing::warn!(%error, "the chain cannot be watched; orders stay as they are until it can");
                    self.inner.stirred.store(true, Ordering::Release);
                    NAP
                }
            };
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                () = self.inner.wake.notified() => {}
            }
        }
    }
}
