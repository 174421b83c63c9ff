//! A server, and its routes.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use tokio::time::Instant;
use wallet_core::UnixTime;
use wallet_crypto::{DEFAULT_BITS, PasswordCost, Passwords, PrivateKey};
use wallet_platform::{Decision, Failure, NextDue};

use crate::callbacks::{Callbacks, Settled};
use crate::chain::{Chain, ChainError};
use crate::context::Context;
use crate::guard::Addresses;
use crate::metrics::Metrics;
use crate::notify::{Notifier, Observer};
use crate::pages::{self, PageSettings};
use crate::passwords::Prover;
use crate::protocol::Protocol;
use crate::reply::text;
use crate::store::Store;
use crate::watch::Watcher;
use crate::{purge, wire};

/// What a server is set up with.
#[derive(Clone)]
pub struct Settings {
    /// Where callbacks may go.
    pub callback_addresses: Addresses,
    /// The work of one password hash.
    pub password_cost: PasswordCost,
    /// How verification codes reach their users.
    pub notifier: Arc<dyn Notifier>,
    /// Who sees callbacks go, if anybody.
    pub observer: Option<Arc<dyn Observer>>,
    /// The chain that orders are paid on.
    pub chain: Arc<dyn Chain>,
    /// How many confirmations make an order paid (R53).
    pub confirmations: u64,
    /// How pages are set up.
    pub pages: PageSettings,
    /// Where the server is reached from outside, without a slash at the end.
    pub public_url: String,
    /// The protocols that it speaks: [`PROTOCOLS`](crate::PROTOCOLS), or others.
    pub protocols: Vec<&'static dyn Protocol>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("callback_addresses", &self.callback_addresses)
            .field("confirmations", &self.confirmations)
            .finish_non_exhaustive()
    }
}

/// A server on a store. Clones share it.
#[derive(Clone)]
pub struct Server {
    pub(crate) inner: Arc<Context>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// A server; its [`work`](Self::work) is to be run by whoever owns it.
    pub fn new(store: Store, settings: Settings) -> Self {
        let metrics = Arc::new(Metrics::new());
        let callbacks =
            Callbacks::new(store.clone(), metrics.clone(), settings.callback_addresses, settings.observer);
        let watcher = Watcher::new(store.clone(), settings.chain, callbacks.clone(), settings.confirmations);
        Self {
            inner: Arc::new(Context {
                protocols: settings.protocols,
                prover: Prover::new(store.clone(), Passwords::new(settings.password_cost)),
                callbacks,
                watcher,
                notifier: settings.notifier,
                metrics,
                pages: settings.pages,
                public_url: settings.public_url,
                store,
            }),
        }
    }

    /// What is done beside answering: callbacks are delivered, the chain is watched, and what is over is taken away. Runs
    /// until `stop` resolves, then waits for attempts under way.
    pub async fn work(self, stop: impl Future<Output = ()>) {
        let purging = tokio::spawn(purge::run(self.inner.store.clone()));
        let watching = tokio::spawn(self.inner.watcher.clone().run());
        self.inner.callbacks.clone().run(stop).await;
        watching.abort();
        purging.abort();
    }

    /// Does everything that is due now and waits for its end: for a clock that stands while time is moved.
    ///
    /// # Errors
    /// The store's or the chain's, in words.
    pub async fn settle(&self, until: Instant) -> Result<Settled, ChainError> {
        loop {
            let moved = self.inner.watcher.settle().await?;
            if self.inner.callbacks.settle(until).await? == Settled::TimeUp {
                return Ok(Settled::TimeUp);
            }
            if !moved {
                return Ok(Settled::Quiet);
            }
        }
    }

    /// When something is due next: an attempt, or a block.
    ///
    /// # Errors
    /// The store's or the chain's, in words.
    pub async fn next_event(&self) -> Result<Option<UnixTime>, ChainError> {
        let (attempt, block) =
            (self.inner.store.view(NextDue::default()).await?, self.inner.watcher.next().await?);
        Ok([attempt, block].into_iter().flatten().min())
    }

    /// What an approval of an application needs: a key pair, made away from the threads that answer.
    ///
    /// # Errors
    /// In words.
    pub async fn approval(&self) -> Result<Decision, &'static str> {
        let key = tokio::task::spawn_blocking(|| PrivateKey::generate(DEFAULT_BITS)).await;
        let key = key.ok().and_then(Result::ok).ok_or("no key pair could be made")?;
        Ok(Decision::Approve {
            rsa_private: key.to_base64(),
            rsa_public: key.public().pkcs1().to_vec(),
            seed: self.inner.store.vault().seed(),
        })
    }

    /// The watcher of the chain.
    pub fn watcher(&self) -> &Watcher {
        &self.inner.watcher
    }

    /// Takes away what is over by now, without waiting for [`work`](Self::work) to do so; says how many rows.
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

    /// The protocols that it speaks.
    pub fn protocols(&self) -> &[&'static dyn Protocol] {
        &self.inner.protocols
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Every route: the documents' own paths, the developer's pages, and `/healthz`, `/readyz`, `/metrics`.
    pub fn router(&self) -> Router {
        self.pages(pages::router())
            .merge(pages::assets())
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .fallback(wire::wire)
            .with_state(self.clone())
    }
}

async fn ready(State(server): State<Server>) -> Response {
    let broken = server.inner.store.broken().map(|error| error.to_string());
    let failed = match broken {
        Some(broken) => Some(broken),
        None => server.inner.store.view(NextDue::default()).await.err().map(|failure| failure.to_string()),
    };
    match failed {
        None => text(StatusCode::OK, "ready\n"),
        Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

async fn metrics(State(server): State<Server>) -> Response {
    let body = server.inner.metrics.text(server.inner.store.batch_sizes());
    let mut response = text(StatusCode::OK, body);
    let kind = http::HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}
