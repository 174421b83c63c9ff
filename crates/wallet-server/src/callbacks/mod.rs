//! Delivers callbacks: makes each due attempt and stores its result. The platform sets the time of the next attempt.

mod hosts;
mod turns;

use std::collections::{HashMap, HashSet};
use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use http::header::{ACCEPT, USER_AGENT};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::Instant;
use tracing::Instrument as _;
use wallet_core::crypto::RsaSigner;
use wallet_core::{Acknowledgement, CallbackMeta, DeliveryState, Transport as _, UnixTime, in_words};
use wallet_crypto::{BatchSigner, PrivateKey};
use wallet_engine::StoreError;
use wallet_hyper::{Limits, PeerTransport, TransportError};
use wallet_platform::accounts::UserId;
use wallet_platform::{
    AttemptResult, BringForward, CallbackKind, Claim, Claimed, DeliveryId, DueOf, DueTooLate, Failure,
    FinishAttempt, Finished, NewDeliveries, NewestDelivery, PostponeDamaged, ReceiverId, ReleaseLeases,
    StillToBeMade, WaitingApps,
};
use wallet_store::Clock;

use crate::guard::{Addresses, GuardedConnector};
use crate::metrics::Metrics;
use crate::notify::{Attempted, Observer};
use crate::store::Store;
use crate::workers::Workers;

use hosts::Hosts;
pub use turns::Places;
use turns::{Ended, Turns};

/// What callbacks say of their sender.
const AGENT: &str = concat!("wallop/", env!("CARGO_PKG_VERSION"));
/// The number of new deliveries that one query reads.
const NEW_PER_QUERY: u64 = 1_024;
/// The number of apps that one query of a scan finds.
const APPS_PER_QUERY: usize = 64;
/// The pause between two scans of all apps for which callbacks wait: for those that no other way has shown, such as the
/// callbacks of a process that died.
const SCAN_EVERY: Duration = Duration::from_secs(10);
/// The pause while callbacks are due and every place for them is taken; an attempt that ends cuts it short.
const FULL_NAP: Duration = Duration::from_millis(50);
/// The lease of a claimed delivery. A worker that has waited so long that an attempt could outlast its lease gives it up, so
/// that no other worker makes the same attempt. The leases of a process that died run out.
const LEASE: Duration = Duration::from_secs(60);
/// The longest wait for one `ended` notification at shutdown; then the loop checks `claimed` again.
const NAP_AT_END: Duration = Duration::from_millis(50);
/// The longest sleep. The worker notices a changed clock after at most this time.
const NAP: Duration = Duration::from_secs(10);
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
    transport: PeerTransport<GuardedConnector>,
    observer: Option<Arc<dyn Observer>>,
    /// The clock of the signed timestamps; `None`: the store's.
    clock: Option<Arc<dyn Clock>>,
    workers: Workers,
    hosts: Arc<Hosts>,
    turns: Mutex<Turns>,
    /// The claimed, unfinished deliveries. Their leases may run out early, when the clock is moved.
    under_way: Mutex<HashSet<DeliveryId>>,
    attempts: AtomicU64,
    /// The number of callbacks in a row that could not be sent because of this machine.
    local_failures: AtomicU32,
    wake: Notify,
    ended: Notify,
    /// Whether what is known of the waiting callbacks may be wrong: at the start, and after a change of times or of the clock.
    stirred: AtomicBool,
    /// Whether a scan is under way, which goes on with the next dispatch.
    scanning: AtomicBool,
    search: tokio::sync::Mutex<Search>,
    waiters: Mutex<HashMap<DeliveryId, oneshot::Sender<u16>>>,
    /// Keys that sign callbacks, parsed once.
    keys: Mutex<HashMap<ReceiverId, Arc<dyn RsaSigner>>>,
    /// Signs what several attempts sign at one time.
    signer: BatchSigner,
    /// The replies whose rest is read after their status.
    rests: Arc<Semaphore>,
}

/// How far the worker has searched for waiting callbacks.
#[derive(Debug, Default)]
struct Search {
    /// The newest delivery that is known.
    newest: Option<DeliveryId>,
    /// The last app of the scan that is under way.
    scanned: Option<ReceiverId>,
    /// The end of the last scan.
    ended: Option<Instant>,
}

/// The most replies whose rest is read after their status.
const RESTS: usize = 64;
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

/// Whether nothing was sent because this machine has no descriptor, memory or port left.
fn is_of_this_machine(error: &TransportError) -> bool {
    if !error.was_not_sent() {
        return false;
    }
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.filter_map(|error| error.downcast_ref::<io::Error>()).any(|error| {
        // 23 and 24 are ENFILE and EMFILE on every Unix, 105 is ENOBUFS of Linux.
        matches!(error.raw_os_error(), Some(23 | 24 | 105))
            || matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::AddrNotAvailable)
    })
}

/// The host and port of an address: receivers on other ports of a host are other programs.
fn host_of(uri: &http::Uri) -> String {
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    format!("{}:{port}", uri.host().unwrap_or_default().to_ascii_lowercase())
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
        places: Places,
        workers: Workers,
    ) -> Self {
        let dial = GuardedConnector::new(addresses);
        let transport = PeerTransport::new(dial, TokioExecutor::new(), TokioTimer::new());
        Self {
            inner: Arc::new(Inner {
                store,
                metrics,
                transport,
                observer,
                clock,
                workers,
                hosts: Hosts::new(places.per_host),
                turns: Mutex::new(Turns::new(places)),
                under_way: Mutex::default(),
                attempts: AtomicU64::new(0),
                local_failures: AtomicU32::new(0),
                wake: Notify::new(),
                ended: Notify::new(),
                stirred: AtomicBool::new(true),
                scanning: AtomicBool::new(false),
                search: tokio::sync::Mutex::default(),
                waiters: Mutex::default(),
                keys: Mutex::default(),
                rests: Arc::new(Semaphore::new(RESTS)),
                signer: BatchSigner::new(std::thread::available_parallelism().map_or(1, NonZero::get)),
            }),
        }
    }

    /// Wakes the worker after a payment.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// Wakes the worker after a change of the clock, or of the time of a callback: it looks at every app again.
    pub fn stir(&self) {
        self.inner.stirred.store(true, Ordering::Release);
        self.wake();
    }

    /// The number of attempts under way.
    pub(crate) fn under_way(&self) -> usize {
        self.inner.turns().under_way()
    }

    /// The time at which the earliest callback that waits in this process is due, as far as it knows.
    pub(crate) fn earliest_due(&self) -> Option<UnixTime> {
        self.inner.turns().next()
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
                Ok(0) => self.until_next(),
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
        while self.inner.turns().under_way() > 0 && Instant::now() < end {
            let nap = (Instant::now() + NAP_AT_END).min(end);
            let _ = tokio::time::timeout_at(nap, self.inner.ended.notified()).await;
        }
    }

    fn until_next(&self) -> Duration {
        let nap = match self.inner.store.is_shared() {
            _ if self.inner.scanning.load(Ordering::Acquire) => FULL_NAP,
            true => SHARED_NAP,
            false => NAP,
        };
        match self.inner.turns().next() {
            Some(next) => match next.since(self.inner.store.now()) {
                Duration::ZERO => FULL_NAP,
                wait => wait.clamp(Duration::from_millis(1), nap),
            },
            None => nap,
        }
    }

    /// Learns for which apps callbacks wait: from the new deliveries, and from time to time from all that wait.
    async fn learn(&self, search: &mut Search) -> Result<(), Failure> {
        let store = &self.inner.store;
        let stirred = self.inner.stirred.swap(false, Ordering::AcqRel);
        if stirred {
            self.inner.turns().forget_lows();
            search.scanned = Some(ReceiverId(0));
        }
        let learned = self.learn_new(search).await;
        if search.scanned.is_none() && search.ended.is_none_or(|ended| ended.elapsed() >= SCAN_EVERY) {
            search.scanned = Some(ReceiverId(0));
        }
        let scanned = async {
            learned?;
            while let Some(after) = search.scanned {
                let found = store.view(WaitingApps { after, limit: APPS_PER_QUERY }).await?;
                for (app, at) in &found {
                    let late = DueTooLate::is_one(store.now(), *at);
                    let at = if late { self.bring_forward(*app).await? } else { *at };
                    self.inner.turns().waits(*app, at);
                }
                match found.last().filter(|_| found.len() == APPS_PER_QUERY) {
                    Some((last, _)) => search.scanned = Some(*last),
                    None => (search.scanned, search.ended) = (None, Some(Instant::now())),
                }
                if !stirred {
                    break; // the rest of the scan comes between the attempts
                }
            }
            Ok(())
        };
        let scanned = scanned.await;
        if scanned.is_err() && stirred {
            self.inner.stirred.store(true, Ordering::Release);
        }
        scanned
    }

    /// Makes an app's callbacks due now that the clock, set back since, would hold up. Returns the time at which one is due.
    async fn bring_forward(&self, app: ReceiverId) -> Result<UnixTime, Failure> {
        let store = &self.inner.store;
        loop {
            let late = store.view(DueTooLate { app, limit: NEW_PER_QUERY }).await?;
            if late.is_empty() {
                return Ok(store.now());
            }
            tracing::warn!(app = app.0, count = late.len(), "the clock was set back: callbacks are due now");
            store.submit(BringForward(late)).await?;
        }
    }

    async fn learn_new(&self, search: &mut Search) -> Result<(), Failure> {
        let store = &self.inner.store;
        let Some(mut newest) = search.newest else {
            search.newest = Some(store.view(NewestDelivery).await?.unwrap_or(DeliveryId(0)));
            return Ok(()); // the first scan finds all of before
        };
        loop {
            let new = store.view(NewDeliveries { after: newest, limit: NEW_PER_QUERY }).await?;
            new.iter().for_each(|(_, app, at)| self.inner.turns().waits(*app, *at));
            newest = new.last().map_or(newest, |(id, ..)| *id);
            search.newest = Some(newest);
            if (new.len() as u64) < NEW_PER_QUERY {
                return Ok(());
            }
        }
    }

    /// Starts an attempt for each callback that is due and has a place, and returns the number of attempts.
    async fn dispatch(&self) -> Result<usize, Failure> {
        let mut search = self.inner.search.lock().await;
        let learned = self.learn(&mut search).await;
        self.inner.scanning.store(search.scanned.is_some(), Ordering::Release);
        learned?;
        let store = &self.inner.store;
        let now = store.now();
        let looks = self.inner.turns().looks(now);
        if looks.is_empty() {
            return Ok(0);
        }
        let due = DueOf { looks: looks.clone(), by: now, share: self.inner.workers.share() };
        let found = store.view(due).await?;
        let mut held = HashMap::new();
        for (look, found) in looks.iter().zip(&found) {
            let begin = self.inner.turns().found(look, found, now);
            let free = found.due.iter().filter(|id| !self.inner.under_way().contains(id)).take(begin);
            let free: Vec<&DeliveryId> = free.collect();
            held.extend(free.into_iter().map(|id| (*id, Place::take(&self.inner, look.app, *id))));
        }
        let mut deliveries: Vec<DeliveryId> = held.keys().copied().collect();
        if deliveries.is_empty() {
            return Ok(0);
        }
        deliveries.sort_unstable_by_key(|id| id.0);
        // By the monotonic clock, from before the claim: the lease ends later.
        let send_by = Instant::now() + LEASE.saturating_sub(longest() + Duration::from_secs(1));
        let claimed = match store.submit(Claim { deliveries: deliveries.clone(), lease: LEASE }).await {
            // One damaged row must not stop the callbacks of others.
            Err(Failure::Store(StoreError::Damaged(_))) => self.claim_singly(deliveries).await,
            claimed => claimed,
        };
        if claimed.is_err() {
            // None of them has begun: they are due again.
            looks.iter().for_each(|look| self.inner.turns().waits(look.app, now));
        }
        let claimed = claimed?;
        let count = claimed.len();
        for one in claimed {
            let Some(place) = held.remove(&one.delivery) else { continue };
            let (delivery, attempt) = (one.delivery.0, one.attempt);
            let span = tracing::debug_span!("callback", otel.kind = "client", delivery, attempt);
            let attempt = async move {
                let ended = place.inner.attempt(one, send_by).await;
                place.give_back(ended);
            };
            tokio::spawn(attempt.instrument(span));
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
        self.stir();
        loop {
            let ended = self.inner.ended.notified();
            let begun = self.dispatch().await?;
            if begun == 0 && self.inner.turns().under_way() == 0 {
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

/// The place of one attempt. `drop` gives it back, whatever the result of the attempt.
struct Place {
    inner: Arc<Inner>,
    app: ReceiverId,
    delivery: DeliveryId,
    /// The result of the attempt, if it was made.
    ended: Option<Ended>,
}

impl Place {
    fn take(inner: &Arc<Inner>, app: ReceiverId, delivery: DeliveryId) -> Self {
        inner.turns().begin(app);
        inner.under_way().insert(delivery);
        Self { inner: inner.clone(), app, delivery, ended: None }
    }

    fn give_back(mut self, ended: Option<Ended>) {
        self.ended = ended;
        drop(self);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner.under_way().remove(&self.delivery);
        self.inner.turns().end(self.app, self.ended, self.inner.store.now());
        self.inner.ended.notify_waiters();
        self.inner.wake.notify_one(); // for what waited for the place
    }
}

impl Inner {
    fn waiters(&self) -> std::sync::MutexGuard<'_, HashMap<DeliveryId, oneshot::Sender<u16>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turns(&self) -> std::sync::MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, HashSet<DeliveryId>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an attempt; `None` if it was not made, or its result was not stored.
    async fn attempt(self: &Arc<Self>, mut claimed: Claimed, send_by: Instant) -> Option<Ended> {
        let began = Instant::now();
        let (started_at, result) = self.exchange(&mut claimed, send_by).await;
        let result = result?; // the payment was undone, or the claim given up
        let took = began.elapsed();
        let (outcome, status) = match &result {
            AttemptResult::Reply { status, acknowledges: true, .. } => ("acknowledged", *status),
            AttemptResult::Reply { status, .. } => ("refused", *status),
            AttemptResult::Timeout => ("timeout", 0),
            AttemptResult::Failed(_) => ("failed", 0),
        };
        self.metrics.callback(outcome, started_at.since(claimed.due_at), took);
        tracing::debug!(outcome, "callback attempt");
        // Retries while the store is busy: a result must not be lost.
        let finished = loop {
            let finish = FinishAttempt {
                delivery: claimed.delivery,
                attempt: claimed.attempt,
                started_at,
                result: result.clone(),
                signed: claimed.signed.clone(),
            };
            match self.store.submit(finish).await {
                Ok(finished) => break Some(finished),
                // The lease runs out, and the attempt is made again.
                Err(Failure::Store(StoreError::Stopped | StoreError::Broken(_))) => break None,
                // By now the lease has run out, and another attempt may be under way.
                Err(error) if began.elapsed() > LEASE => {
                    tracing::error!(%error, "cannot store an attempt's result: it is made again");
                    break None;
                }
                Err(error) => {
                    tracing::warn!(delivery = claimed.delivery.0, %error, "cannot store an attempt's result; next try in 100 ms");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        };
        self.attempts.fetch_add(1, Ordering::Relaxed);
        if let Some(waiter) = self.waiters().remove(&claimed.delivery) {
            let _ = waiter.send(status);
        }
        let Finished { state, next_at, fails } = finished?;
        let retry_at = (state == DeliveryState::Waiting).then_some(next_at);
        Some(Ended { acknowledged: outcome == "acknowledged", took, retry_at, fails })
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
        let key = self.signer.signer(&key).map_err(|error| error.to_string())?;
        let key: Arc<dyn RsaSigner> = Arc::new(key);
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

    /// Gives the lease of a callback back after a while: nothing was sent, because of this machine. It is no attempt.
    fn send_later(self: &Arc<Self>, delivery: DeliveryId, app: ReceiverId) {
        let before = self.local_failures.fetch_add(1, Ordering::Relaxed);
        // Beyond this the lease ends by itself: another process may have the callback by then.
        let Some(pause) = 1_u64.checked_shl(before).filter(|seconds| *seconds <= 32) else { return };
        let inner = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            if let Err(error) = inner.store.submit(ReleaseLeases(vec![delivery])).await {
                tracing::debug!(%error, "a lease ends by itself");
            }
            inner.turns().waits(app, inner.store.now());
            inner.wake.notify_one();
        });
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
        let failed = |why: String| Some(AttemptResult::Failed(why));
        let host = host_of(&claimed.subject.address().parse().unwrap_or_default());
        let owner = self.turns().owner(claimed.app).unwrap_or(UserId::new(0));
        let _turn = self.hosts.turn_at(&host, owner).await;
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
        let Ok(mut request) = claimed.request(self.store.vault(), signed_at) else {
            let why =
                "cannot build the callback request: the callback address or the app's secret is invalid";
            tracing::error!(delivery = claimed.delivery.0, why);
            return (started_at, failed(why.to_owned()));
        };
        // Common firewalls refuse requests without these two.
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
        let (seen, began) =
            (self.observer.as_ref().map(|observer| (observer, request.clone())), Instant::now());
        let meta = claimed.callback.meta();
        let transport = self.transport.clone().with_limits(limits(meta)).with_group(claimed.app.0);
        let reply = match meta.schedule.acknowledged_by {
            // R4: only the status counts. What follows it may take its time.
            Acknowledgement::Status(_) => transport.status(request).await.map(|(status, rest)| {
                // Without a permit the rest is not read, and the connection ends.
                if let Ok(permit) = self.rests.clone().try_acquire_owned() {
                    tokio::spawn(async move {
                        rest.await;
                        drop(permit);
                    });
                }
                (status, Vec::new())
            }),
            Acknowledgement::Json(_) => {
                transport.send(request).await.map(|reply| (reply.status(), reply.into_body()))
            }
        };
        if let Err(error) = &reply
            && is_of_this_machine(error)
        {
            tracing::warn!(
                delivery = claimed.delivery.0,
                error = in_words(error),
                "a callback could not be sent from here"
            );
            self.metrics.callback("not_sent", started_at.since(claimed.due_at), began.elapsed());
            self.send_later(claimed.delivery, claimed.app);
            return (started_at, None);
        }
        self.local_failures.store(0, Ordering::Relaxed);
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
