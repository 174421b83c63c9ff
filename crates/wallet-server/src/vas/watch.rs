//! Watches the chain for submitted payments. The watcher looks up transactions and submits [`ObservePayment`]; the
//! platform decides the order's state.

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
use wallet_platform::{
    Failure, ObservePayment, OrderChain, OrderSeq, Reason, Refused, VasOrder, WatchedOrders,
};

use crate::callbacks::Callbacks;
use crate::chain::{Chain, ChainError};
use crate::store::Store;
use crate::workers::Workers;

/// The number of orders that one query reads.
const ORDERS_PER_QUERY: u64 = 256;
/// The longest pause between two polls of the chain.
const NAP: Duration = Duration::from_secs(5);
/// The time limit of the lookup during a submission.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest time between two full scans without a new block, so that a missing payment can expire.
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
    workers: Workers,
    /// The hash of the newest block at the last full scan, and the time of the scan.
    looked: Mutex<Option<(String, Instant)>>,
    /// Payments submitted since the last scan.
    submitted: std::sync::Mutex<Vec<(OrderSeq, Txid<'static>)>>,
    /// Whether the next scan must be full: the clock changed, or the last scan failed.
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
    pub(crate) fn new(
        store: Store,
        chain: Arc<dyn Chain>,
        callbacks: Callbacks,
        confirmations: u64,
        workers: Workers,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                chain,
                callbacks,
                confirmations,
                workers,
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

    /// The transaction on the chain now. The outer `None`: the txid is invalid, or the chain failed or did not answer
    /// within `LOOKUP_TIMEOUT`.
    pub(crate) async fn look_up_now(&self, txid: &Txid<'_>) -> Option<Option<Transaction>> {
        let txid = txid.as_str();
        if txid.len() != 64 || from_hex(txid).is_none() {
            return None; // `SubmitPay` refuses this txid
        }
        let txid = txid.to_ascii_lowercase();
        tokio::time::timeout(LOOKUP_TIMEOUT, self.inner.chain.transaction(&txid)).await.ok()?.ok()
    }

    /// The chain, and what it says of an address.
    ///
    /// # Errors
    /// Busy, if the chain did not answer within `LOOKUP_TIMEOUT`: the caller may try again.
    pub(crate) async fn order_chain(
        &self,
        address: &str,
        asset: Option<&str>,
    ) -> Result<OrderChain, Failure> {
        let asked = self.inner.chain.order_chain(address, asset);
        match tokio::time::timeout(LOOKUP_TIMEOUT, asked).await {
            Ok(Ok(chain)) => Ok(chain),
            Ok(Err(ChainError::Store(failure))) => Err(failure),
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot ask the chain whether an address is one of its");
                Err(Refused::new(Reason::Busy).into())
            }
            Err(_) => Err(Refused::new(Reason::Busy).into()),
        }
    }

    /// The txid of a submitted order, if the watcher has never seen it and the chain answers now that it does not exist.
    pub async fn missing(&self, order: &VasOrder) -> Option<Txid<'static>> {
        let txid = order.txid.as_ref().filter(|_| order.state == OrderState::Submitted && !order.known)?;
        self.look_up_now(txid).await?.is_none().then(|| txid.clone())
    }

    /// Queues a submitted payment for the next scan.
    pub(crate) fn submitted(&self, order: OrderSeq, txid: Txid<'static>) {
        self.inner.submitted().push((order, txid));
        self.inner.wake.notify_one();
    }

    /// Requests a full scan after a new block or a change of the clock.
    pub fn wake(&self) {
        self.inner.stirred.store(true, Ordering::Release);
        self.inner.wake.notify_one();
    }

    /// Looks up every watched payment if the chain has a new block, else only the payments submitted since.
    async fn look(&self) -> Result<(), ChainError> {
        let inner = &*self.inner;
        let mut looked = inner.looked.lock().await;
        let tip = inner.chain.tip().await?.hash;
        let stirred = inner.stirred.swap(false, Ordering::AcqRel);
        let submitted = std::mem::take(&mut *inner.submitted());
        let fresh = |(hash, at): &(String, Instant)| *hash == tip && at.elapsed() < LOOK_ANYWAY;
        // Of several nodes one looks at all of them; each looks at those that were submitted to it.
        // A node that is not the first looks at them from time to time: the first one's own node of the chain may be down.
        let recent = |(_, at): &(String, Instant)| at.elapsed() < LOOK_ANYWAY;
        let skips = match inner.workers.is_first() {
            true => !stirred && looked.as_ref().is_some_and(fresh),
            false => looked.as_ref().is_some_and(recent),
        };
        if skips {
            let observed = self.observe(&submitted).await;
            if observed.is_err() {
                inner.submitted().extend(submitted);
            }
            return observed;
        }
        *looked = None; // an error below leaves `None`: the next scan is full
        let mut after = OrderSeq(0);
        loop {
            let orders = inner.store.view(WatchedOrders { after, limit: ORDERS_PER_QUERY }).await?;
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
                // An invalid answer about one transaction must not stop the others.
                Err(ChainError::Answer(error)) => {
                    tracing::warn!(order = order.0, error, "cannot look up a payment");
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (order, txid, confirmations) = (*order, txid.clone(), inner.confirmations);
            let observed = ObservePayment { order, txid, seen, confirmations };
            if inner.store.submit(observed).await? == OrderState::Paid {
                inner.callbacks.wake(); // the worker queries the due deliveries itself
            }
        }
        Ok(())
    }

    /// Makes each due block of the chain and scans after it. `true` if a block was due.
    ///
    /// # Errors
    /// The error of the chain or the store.
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

    /// The time of the next event.
    ///
    /// # Errors
    /// The error of the chain or the store.
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

    /// Runs forever.
    pub(crate) async fn run(self) {
        loop {
            let nap = match self.step().await {
                Ok(nap) => nap,
                Err(error) => {
                    tracing::warn!(%error, "cannot read the chain; orders keep their state; next try in 5 s");
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
