//! The background work of a [`Server`], and its public methods.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use wallet_core::UnixTime;
use wallet_crypto::{DEFAULT_BITS, Passwords, PrivateKey};
use wallet_engine::StoreError;
use wallet_platform::{Decision, Failure, NextDue, Ping};

use crate::callbacks::{Callbacks, Drained};
use crate::chain::ChainError;
use crate::context::{Context, Protocol, Server};
use crate::metrics::Metrics;
use crate::notify::Outbox;
use crate::passwords::Prover;
use crate::purge;
use crate::rate::Rate;
use crate::request_ids::RequestIds;
use crate::rotation;
use crate::settings::Settings;
use crate::store::Store;
use crate::vas::watch::Watcher;
use crate::workers::Workers;

/// How long after an error of the database the server is ready again.
const WELL_AFTER: Duration = Duration::from_secs(5);

impl Server {
    /// Creates a server. The caller must run its [`work`](Self::work).
    pub fn new(store: Store, settings: Settings) -> Self {
        let metrics = Arc::new(Metrics::new());
        let workers = Workers::new(store.clone());
        let callbacks = Callbacks::new(
            store.clone(),
            metrics.clone(),
            settings.callback_addresses,
            settings.observer,
            settings.callback_clock,
            settings.callback_places,
            workers.clone(),
        );
        let watcher = Watcher::new(
            store.clone(),
            settings.chain,
            callbacks.clone(),
            settings.confirmations,
            workers.clone(),
        );
        Self {
            inner: Arc::new(Context {
                protocols: settings.protocols,
                prover: Prover::new(store.clone(), Passwords::new(settings.password_cost), settings.hashes),
                callbacks,
                watcher,
                workers,
                outbox: Outbox::new(store.clone(), settings.notifier, metrics.clone()),
                metrics,
                request_ids: RequestIds::new(&store),
                pre_pays: Rate::new(settings.pre_pays_per_second),
                retention: settings.retention,
                milestones: Default::default(),
                draining: Default::default(),
                pages: settings.pages,
                public_url: settings.public_url,
                store,
            }),
        }
    }

    /// The background work: delivers callbacks, watches the chain and deletes expired rows. Runs
    /// until `stop` resolves, then waits for the running attempts.
    pub async fn work(self, stop: impl Future<Output = ()>) {
        let purging = {
            let (store, workers) = (self.inner.store.clone(), self.inner.workers.clone());
            tokio::spawn(purge::run(store, workers, self.inner.retention))
        };
        let notifying = tokio::spawn(self.inner.outbox.clone().run());
        let resealing = tokio::spawn(rotation::run(self.inner.store.clone()));
        let living = tokio::spawn(self.inner.workers.clone().run());
        let watcher = self.inner.watcher.clone();
        let watching = tokio::spawn(async move {
            if !watcher.chain().is_absent() {
                watcher.run().await;
            }
        });
        self.inner.callbacks.clone().run(stop).await;
        notifying.abort();
        resealing.abort();
        watching.abort();
        living.abort();
        purging.abort();
    }

    /// Does all due work and waits for its end, for a caller that stops and moves the clock.
    ///
    /// # Errors
    /// The error text of the store or the chain.
    pub async fn drain(&self, until: Instant) -> Result<Drained, ChainError> {
        loop {
            let moved = self.inner.watcher.catch_up().await?;
            if self.inner.callbacks.drain(until).await? == Drained::TimeUp {
                return Ok(Drained::TimeUp);
            }
            if !moved {
                return Ok(Drained::Idle);
            }
        }
    }

    /// The time of the next callback attempt or block.
    ///
    /// # Errors
    /// The error text of the store or the chain.
    pub async fn next_event(&self) -> Result<Option<UnixTime>, ChainError> {
        let (attempt, block) = (self.inner.store.view(NextDue).await?, self.inner.watcher.next().await?);
        Ok([attempt, block].into_iter().flatten().min())
    }

    /// The approval of an application, with a new key pair, generated on a blocking thread.
    ///
    /// # Errors
    /// The error text.
    pub async fn approval(&self) -> Result<Decision, &'static str> {
        approval(&self.inner.store, self.inner.watcher.chain().is_embedded()).await
    }

    /// Resolves with the error when the store has stopped by itself: the process should then stop too.
    pub async fn broken(&self) -> StoreError {
        loop {
            if let Some(error) = self.inner.store.broken() {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// From now on the server is not ready: it is about to stop.
    pub fn announce_stop(&self) {
        self.inner.draining.store(true, Ordering::Release);
    }

    /// Whether this server can read and write.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn is_ready(&self) -> Result<(), String> {
        if self.inner.draining.load(Ordering::Acquire) {
            return Err("it is about to stop".to_owned());
        }
        let store = &self.inner.store;
        if let Some(error) = store.broken() {
            return Err(error.to_string());
        }
        store.submit(Ping).await.map_err(|failure| failure.to_string())?;
        // A small write may still succeed on a disk that is full for others.
        match store.since_failure() {
            Some(ago) if ago < WELL_AFTER => {
                Err("the database reported an error a moment ago; see the log".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The watcher of the chain.
    pub fn watcher(&self) -> &Watcher {
        &self.inner.watcher
    }

    /// Deletes expired rows now, without waiting for [`work`](Self::work), and returns their number.
    ///
    /// # Errors
    /// The store's.
    pub async fn purge(&self) -> Result<usize, Failure> {
        purge::purge(&self.inner.store).await
    }

    /// The callback worker.
    pub fn callbacks(&self) -> &Callbacks {
        &self.inner.callbacks
    }

    /// The server's protocols.
    pub fn protocols(&self) -> &[&'static dyn Protocol] {
        &self.inner.protocols
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }
}

/// The approval of an application, with a new key pair, and with an address of the platform's own chain.
pub(crate) async fn approval(store: &Store, address: bool) -> Result<Decision, &'static str> {
    let key = tokio::task::spawn_blocking(|| PrivateKey::generate(DEFAULT_BITS)).await;
    let key = key.ok().and_then(Result::ok).ok_or("cannot generate a key pair")?;
    Ok(Decision::Approve {
        rsa_private: key.to_base64(),
        rsa_public: key.public().pkcs1().to_vec(),
        seed: store.vault().seed(),
        address,
    })
}
