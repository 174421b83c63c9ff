//! Delivers callbacks: makes each due attempt and stores its result. The platform sets the time of the next attempt.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::Instant;
use wallet_core::crypto::RsaSigner;
use wallet_core::{Acknowledgement, CallbackMeta, Transport as _, UnixTime, in_words};
use wallet_crypto::PrivateKey;
use wallet_engine::StoreError;
use wallet_hyper::{HttpsConnector, HyperTransport, Limits, TransportError, https};
use wallet_platform::{
    AttemptResult, CallbackKind, Claim, Claimed, DeliveryId, DueDeliveries, Failure, FinishAttempt, NextDue,
    PostponeDamaged, ReceiverId, StillToBeMade,
};
use wallet_store::Clock;

use crate::guard::{Addresses, GuardedConnector};
use crate::metrics::Metrics;
use crate::notify::{Attempted, Observer};
use crate::store::Store;

/// The largest number of concurrent attempts to one host.
const PER_HOST: usize = 8;
/// The largest number of concurrent attempts to all hosts.
const CONCURRENT_ATTEMPTS: usize = 256;
/// The largest number of deliveries that one `Claim` takes.
const CLAIMED: u64 = 256;
/// The largest number of claimed, unfinished deliveries of one app. At this number the worker skips the app's other due
/// deliveries until one attempt ends, so a receiver that never answers does not block other apps.
const PER_APP: usize = 32;
/// The lease of a claimed delivery. A worker that has waited so long that an attempt could outlast its lease gives it up, so
/// that no other worker makes the same attempt. The leases of a process that died run out.
const LEASE: Duration = Duration::from_secs(60);
/// The longest wait for one `ended` notification at shutdown; then the loop checks `claimed` again.
const NAP_AT_END: Duration = Duration::from_millis(50);
/// The longest sleep. The worker notices a changed clock after at most this time.
const NAP: Duration = Duration::from_secs(30);
/// The same on a shared database: other processes bring deliveries too, and do not wake this worker.
const SHARED_NAP: Duration = Duration::from_millis(250);

/// The worker that delivers callbacks. Clones share it.
#[derive(Clone)]
pub struct Callbacks {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    metrics: Arc<Metrics>,
    transport: HyperTransport<HttpsConnector<GuardedConnector>>,
    observer: Option<Arc<dyn Observer>>,
    /// The clock of the signed timestamps; `None`: the store's.
    clock: Option<Arc<dyn Clock>>,
    all: Semaphore,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// The number of claimed, unfinished deliveries of each app; an app with 0 has no entry.
    claimed: Mutex<HashMap<ReceiverId, usize>>,
    /// The claimed, unfinished deliveries. Their leases may run out early, when the clock is moved.
    under_way: Mutex<HashSet<DeliveryId>>,
    attempts: AtomicU64,
    wake: Notify,
    ended: Notify,
    claiming: tokio::sync::Mutex<()>,
    waiters: Mutex<HashMap<DeliveryId, oneshot::Sender<u16>>>,
    /// Keys that sign callbacks, parsed once.
    keys: Mutex<HashMap<ReceiverId, Arc<dyn RsaSigner>>>,
}

/// The largest number of cached keys.
const KEYS: usize = 1_000;

/// The deadline of one attempt and the largest reply body.
fn limits(meta: &CallbackMeta) -> Limits {
    Limits {
        deadline: Duration::from_millis(meta.deadline_ms),
        max_body: usize::try_from(meta.max_reply_bytes).unwrap_or(usize::MAX),
    }
}

/// The largest deadline of any callback kind.
fn longest() -> Duration {
    CallbackKind::ALL.iter().map(|kind| limits(kind.meta()).deadline).max().unwrap_or_default()
}

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callbacks").finish_non_exhaustive()
    }
}

/// The result of [`Callbacks::drain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// No delivery is due and no attempt is running.
    Idle,
    /// `until` passed before the worker was idle.
    TimeUp,
}

impl Callbacks {
    pub(crate) fn new(
        store: Store,
        metrics: Arc<Metrics>,
        addresses: Addresses,
        observer: Option<Arc<dyn Observer>>,
        clock: Option<Arc<dyn Clock>>,
    ) -> Self {
        let connector = https(GuardedConnector::new(addresses));
        let transport = HyperTransport::unpooled(connector, TokioExecutor::new(), TokioTimer::new());
        Self {
            inner: Arc::new(Inner {
                store,
                metrics,
                transport,
                observer,
                clock,
                all: Semaphore::new(CONCURRENT_ATTEMPTS),
                hosts: Mutex::default(),
                claimed: Mutex::default(),
                under_way: Mutex::default(),
                attempts: AtomicU64::new(0),
                wake: Notify::new(),
                ended: Notify::new(),
                claiming: tokio::sync::Mutex::new(()),
                waiters: Mutex::default(),
                keys: Mutex::default(),
            }),
        }
    }

    /// Wakes the worker after a payment or a change of the clock.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// The number of ended attempts since the start.
    pub fn attempts(&self) -> u64 {
        self.inner.attempts.load(Ordering::Relaxed)
    }

    /// The HTTP status of the delivery's next attempt; 0 if it does not end within `wait` (R5; wall time). Call first.
    pub(crate) fn first_status(
        &self,
        delivery: DeliveryId,
        wait: Duration,
    ) -> impl Future<Output = u16> + use<> {
        let (sender, receiver) = oneshot::channel();
        let inner = self.inner.clone();
        inner.waiters().insert(delivery, sender);
        async move {
            let status = tokio::time::timeout(wait, receiver).await;
            inner.waiters().remove(&delivery);
            status.ok().and_then(Result::ok).unwrap_or(0)
        }
    }

    /// Runs until `stop` resolves, then waits for the running attempts.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let pause = match self.dispatch().await {
                Ok(0) => self.until_next().await,
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    tracing::warn!(%error, "cannot read the due callbacks; next try in 1 s");
                    Duration::from_secs(1)
                }
            };
            if pause.is_zero() {
                tokio::select! {
                    biased;
                    () = &mut stop => break,
                    () = tokio::task::yield_now() => continue,
                }
            }
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(pause) => {}
                () = self.inner.wake.notified() => {}
            }
        }
        let end = Instant::now() + longest() + Duration::from_secs(1);
        while !self.inner.claimed().is_empty() && Instant::now() < end {
            let nap = (Instant::now() + NAP_AT_END).min(end);
            let _ = tokio::time::timeout_at(nap, self.inner.ended.notified()).await;
        }
    }

    async fn until_next(&self) -> Duration {
        let except = self.inner.busy_apps();
        let nap = if self.inner.store.is_shared() { SHARED_NAP } else { NAP };
        match self.inner.store.view(NextDue { except }).await {
            Ok(Some(next)) => next.since(self.inner.store.now()).clamp(Duration::from_millis(1), nap),
            Ok(None) => nap,
            Err(_) => Duration::from_secs(1), // the store is busy: query again in 1 s
        }
    }

    /// Starts an attempt for each due delivery and returns the number of attempts.
    async fn dispatch(&self) -> Result<usize, Failure> {
        let _one_at_a_time = self.inner.claiming.lock().await;
        let store = &self.inner.store;
        let mut except = self.inner.busy_apps();
        let mut free: HashMap<ReceiverId, usize> = HashMap::new();
        let mut deliveries = Vec::new();
        loop {
            let due = DueDeliveries { by: store.now(), except: except.clone(), limit: CLAIMED };
            let due = store.view(due).await?;
            let (found, before) = (due.len(), deliveries.len());
            for (id, app) in due {
                let free = free.entry(app).or_insert_with(|| self.inner.free(app));
                if *free > 0 && !self.inner.under_way().contains(&id) {
                    *free -= 1;
                    deliveries.push(id);
                }
            }
            // A full list may hold only the backlog of a few apps: query again without these apps.
            let passed_over = deliveries.len() - before < found;
            if !passed_over || (found as u64) < CLAIMED {
                break;
            }
            except.extend(free.keys().copied().filter(|app| !except.contains(app)).collect::<Vec<_>>());
        }
        if deliveries.is_empty() {
            return Ok(0);
        }
        // By the monotonic clock, from before the claim: the lease ends later.
        let send_by = Instant::now() + LEASE.saturating_sub(longest() + Duration::from_secs(1));
        let claimed = match store.submit(Claim { deliveries: deliveries.clone(), lease: LEASE }).await {
            // One damaged row must not stop the callbacks of others.
            Err(Failure::Store(StoreError::Damaged(_))) => self.claim_singly(deliveries).await?,
            claimed => claimed?,
        };
        let count = claimed.len();
        for one in claimed {
            let held = ClaimSlot::new(&self.inner, one.app, one.delivery);
            tokio::spawn(async move { held.inner.attempt(one, send_by).await });
        }
        Ok(count)
    }

    /// Claims each delivery in its own command and postpones each delivery with a damaged row.
    async fn claim_singly(&self, deliveries: Vec<DeliveryId>) -> Result<Vec<Claimed>, Failure> {
        let mut claimed = Vec::new();
        for delivery in deliveries {
            match self.inner.store.submit(Claim { deliveries: vec![delivery], lease: LEASE }).await {
                Ok(one) => claimed.extend(one),
                Err(Failure::Store(error @ StoreError::Damaged(_))) => {
                    tracing::error!(delivery = delivery.0, %error, "damaged row: the callback is postponed");
                    self.inner.store.submit(PostponeDamaged(delivery)).await?;
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(claimed)
    }

    /// Makes every attempt that is due now and waits for its end, for a caller that stops and moves the clock.
    ///
    /// # Errors
    /// The store's.
    pub async fn drain(&self, until: Instant) -> Result<Drained, Failure> {
        loop {
            let ended = self.inner.ended.notified();
            let begun = self.dispatch().await?;
            if begun == 0 && self.inner.claimed().is_empty() {
                return Ok(Drained::Idle);
            }
            if begun > 0 {
                continue;
            }
            let nap = Duration::from_millis(5); // catches an attempt that ended before the wait began
            tokio::select! {
                () = ended => {}
                () = tokio::time::sleep(nap) => {}
            }
            if Instant::now() >= until {
                return Ok(Drained::TimeUp);
            }
        }
    }
}

/// One claimed delivery of an app. `drop` releases it, whatever the result of the attempt.
struct ClaimSlot {
    inner: Arc<Inner>,
    app: ReceiverId,
    delivery: DeliveryId,
}

impl ClaimSlot {
    fn new(inner: &Arc<Inner>, app: ReceiverId, delivery: DeliveryId) -> Self {
        *inner.claimed().entry(app).or_default() += 1;
        inner.under_way().insert(delivery);
        Self { inner: inner.clone(), app, delivery }
    }
}

impl Drop for ClaimSlot {
    fn drop(&mut self) {
        self.inner.under_way().remove(&self.delivery);
        self.inner.release(self.app);
    }
}

impl Inner {
    fn waiters(&self) -> std::sync::MutexGuard<'_, HashMap<DeliveryId, oneshot::Sender<u16>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claimed(&self) -> std::sync::MutexGuard<'_, HashMap<ReceiverId, usize>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, HashSet<DeliveryId>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Apps with `PER_APP` claimed deliveries.
    fn busy_apps(&self) -> Vec<ReceiverId> {
        let claimed = self.claimed();
        claimed.iter().filter(|(_, count)| **count >= PER_APP).map(|(app, _)| *app).collect()
    }

    /// The number of further deliveries of an app that the worker may claim.
    fn free(&self, app: ReceiverId) -> usize {
        PER_APP.saturating_sub(self.claimed().get(&app).copied().unwrap_or(0))
    }

    /// Counts one claimed delivery of an app as ended.
    fn release(&self, app: ReceiverId) {
        let mut claimed = self.claimed();
        let left = claimed.get(&app).copied().unwrap_or(0);
        if left <= 1 {
            claimed.remove(&app);
        } else {
            claimed.insert(app, left - 1);
        }
        drop(claimed);
        self.ended.notify_waiters();
        // `dispatch` may have skipped deliveries of the app while it had `PER_APP` claimed ones.
        if left >= PER_APP {
            self.wake.notify_one();
        }
    }

    fn host(&self, uri: &http::Uri) -> Arc<Semaphore> {
        // Without the port: all ports of a host share its limit.
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() > 10_000 {
            hosts.retain(|_, permits| permits.available_permits() < PER_HOST);
        }
        hosts.entry(host).or_insert_with(|| Arc::new(Semaphore::new(PER_HOST))).clone()
    }

    async fn attempt(self: &Arc<Self>, mut claimed: Claimed, send_by: Instant) {
        let (started_at, result) = self.exchange(&mut claimed, send_by).await;
        let Some(result) = result else { return }; // the payment was undone, or the claim given up
        let (outcome, status) = match &result {
            AttemptResult::Reply { status, acknowledges: true, .. } => ("acknowledged", *status),
            AttemptResult::Reply { status, .. } => ("refused", *status),
            AttemptResult::Timeout => ("timeout", 0),
            AttemptResult::Failed(_) => ("failed", 0),
        };
        self.metrics.callback(outcome);
        tracing::debug!(
            delivery = claimed.delivery.0,
            attempt = claimed.attempt,
            outcome,
            "callback attempt"
        );
        // Retries while the store is busy: a result must not be lost.
        loop {
            let finish = FinishAttempt {
                delivery: claimed.delivery,
                attempt: claimed.attempt,
                started_at,
                result: result.clone(),
                signed: claimed.signed.clone(),
            };
            match self.store.submit(finish).await {
                Ok(_) => break,
                // The lease runs out, and the attempt is made again.
                Err(Failure::Store(StoreError::Stopped | StoreError::Broken(_))) => break,
                Err(error) => {
                    tracing::warn!(delivery = claimed.delivery.0, %error, "cannot store an attempt's result; next try in 100 ms");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        self.attempts.fetch_add(1, Ordering::Relaxed);
        if let Some(waiter) = self.waiters().remove(&claimed.delivery) {
            let _ = waiter.send(status);
        }
    }

    /// The key that signs the app's callbacks; `None` if the protocol has no RSA signature.
    fn key(&self, claimed: &Claimed) -> Result<Option<Arc<dyn RsaSigner>>, String> {
        let keys = || self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys().get(&claimed.app) {
            return Ok(Some(key.clone()));
        }
        let sealed =
            |_| "cannot decrypt the app's private key: wrong master key; restore master.key".to_owned();
        let private_key = claimed.subject.private_key(self.store.vault()).map_err(sealed)?;
        let Some(private_key) = private_key else { return Ok(None) };
        let key = PrivateKey::load(private_key.expose()).map_err(|error| error.to_string())?;
        let key = wallet_crypto::rsa_signer(&key).map_err(|error| error.to_string())?;
        let key: Arc<dyn RsaSigner> = key.into();
        let mut keys = keys();
        if keys.len() >= KEYS {
            keys.clear();
        }
        keys.insert(claimed.app, key.clone());
        Ok(Some(key))
    }

    /// Signs the callback's parameters on a blocking thread if its protocol has a signature. The signed parameters are
    /// stored with the attempt's result: the same key and parameters give the same signature.
    async fn sign(self: &Arc<Self>, claimed: &Claimed) -> Result<Option<String>, String> {
        let (inner, claimed, now) = (self.clone(), claimed.clone(), self.store.now());
        let signed = tokio::task::spawn_blocking(move || {
            let Some(key) = inner.key(&claimed)? else { return Ok(None) };
            let damaged = |_| "the payment's row is damaged, or the key cannot sign".to_owned();
            claimed.subject.sign(&*key, now).map(Some).map_err(damaged)
        });
        signed.await.map_err(|error| error.to_string())?
    }

    /// Whether the attempt is still due after the waits for a permit; `true` if the store fails.
    async fn is_due(&self, claimed: &Claimed) -> bool {
        let still = StillToBeMade { delivery: claimed.delivery, attempt: claimed.attempt };
        self.store.view(still).await.unwrap_or(true)
    }

    /// The attempt's beginning and result; no result if nothing was sent.
    async fn exchange(
        self: &Arc<Self>,
        claimed: &mut Claimed,
        send_by: Instant,
    ) -> (UnixTime, Option<AttemptResult>) {
        let host = self.host(&claimed.subject.address().parse().unwrap_or_default());
        let failed = |why: String| Some(AttemptResult::Failed(why));
        let (Ok(_host), Ok(_all)) = (host.acquire().await, self.all.acquire().await) else {
            return (self.store.now(), failed("the server is stopping".to_owned()));
        };
        if claimed.signed.is_none()
            && claimed.callback.meta().signing.is_some_and(|scheme| !scheme.in_headers())
        {
            match self.sign(claimed).await {
                Ok(signed) => claimed.signed = signed,
                Err(why) => {
                    tracing::error!(delivery = claimed.delivery.0, why, "cannot sign a callback");
                    return (self.store.now(), failed(why));
                }
            }
        }
        let started_at = self.store.now();
        if !self.is_due(claimed).await {
            return (started_at, None);
        }
        if Instant::now() > send_by {
            tracing::debug!(
                delivery = claimed.delivery.0,
                "waited too long for the host: the lease runs out"
            );
            return (started_at, None);
        }
        let signed_at = self.clock.as_ref().map_or(started_at, |clock| clock.now());
        let Ok(request) = claimed.request(self.store.vault(), signed_at) else {
            let why =
                "cannot build the callback request: the callback address or the app's secret is invalid";
            tracing::error!(delivery = claimed.delivery.0, why);
            return (started_at, failed(why.to_owned()));
        };
        let (seen, began) =
            (self.observer.as_ref().map(|observer| (observer, request.clone())), Instant::now());
        let meta = claimed.callback.meta();
        let transport = self.transport.clone().with_limits(limits(meta));
        let reply = match meta.schedule.acknowledged_by {
            // R4: only the status counts.
            Acknowledgement::Status(_) => transport.status(request).await.map(|status| (status, Vec::new())),
            Acknowledgement::Json(_) => {
                transport.send(request).await.map(|reply| (reply.status(), reply.into_body()))
            }
        };
        let result = match reply {
            Ok((status, body)) => AttemptResult::reply(claimed.callback, status.as_u16(), &body),
            Err(TransportError::Timeout(_)) => AttemptResult::Timeout,
            Err(error) => AttemptResult::Failed(in_words(&error)),
        };
        if let Some((observer, request)) = &seen {
            let (callback, took) = (claimed.callback, began.elapsed());
            observer.attempted(&Attempted { callback, request, result: &result, started_at, took });
        }
        (started_at, Some(result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_has_the_limits_of_its_own_callback() {
        for (deadline_ms, max_reply_bytes) in [(1_500, 9), (20_000, 1 << 20)] {
            let meta = CallbackMeta { deadline_ms, max_reply_bytes, ..CallbackKind::Payment.meta().clone() };
            let found = limits(&meta);
            assert_eq!(found.deadline, Duration::from_millis(deadline_ms));
            assert_eq!(found.max_body as u64, max_reply_bytes);
        }
    }
}
