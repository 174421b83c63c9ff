//! The traits [`Notifier`] for messages to users and [`Observer`] for callback attempts, and the worker that empties the outbox.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use wallet_core::UnixTime;
use wallet_engine::StoreError;
use wallet_platform::{
    AttemptResult, CallbackKind, ClaimNotices, ClaimedNotice, DueNotices, Failure, FinishNotice,
};

use crate::metrics::Metrics;
use crate::own_app::Later;
use crate::store::Store;

/// Sends messages to users, such as verification codes: by mail, by a program, or onto a page of the sandbox.
pub trait Notifier: Send + Sync + 'static {
    /// Sends one message. An error says why it was not sent, without the secret; it is then tried again.
    fn notify<'a>(&'a self, notice: &'a ClaimedNotice) -> Later<'a, Result<(), String>>;
}

/// A notifier that sends nothing: no registration can be completed.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Notifier for Silent {
    fn notify<'a>(&'a self, _: &'a ClaimedNotice) -> Later<'a, Result<(), String>> {
        Box::pin(async { Err("no notifier is configured".to_owned()) })
    }
}

/// The longest attempt; shorter than the platform's lease of one.
const DEADLINE: Duration = Duration::from_secs(30);
/// The time for which a caller waits for the first attempt.
const FIRST: Duration = Duration::from_secs(1);
/// The pause between two looks at the outbox.
const NAP: Duration = Duration::from_secs(2);
/// The largest number of concurrent attempts.
const CONCURRENT: usize = 16;

/// Empties the outbox. Clones share it.
#[derive(Clone)]
pub(crate) struct Outbox {
    store: Store,
    notifier: Arc<dyn Notifier>,
    metrics: Arc<Metrics>,
}

impl Outbox {
    pub(crate) fn new(store: Store, notifier: Arc<dyn Notifier>, metrics: Arc<Metrics>) -> Self {
        Self { store, notifier, metrics }
    }

    /// Makes the first attempt of a notice, and waits for it a moment: a quick one has ended when the caller is answered.
    pub(crate) async fn first(&self, notice: ClaimedNotice) {
        let attempt = tokio::spawn(self.clone().attempt(notice));
        let _ = tokio::time::timeout(FIRST, attempt).await;
    }

    async fn attempt(self, notice: ClaimedNotice) {
        let sent = tokio::time::timeout(DEADLINE, self.notifier.notify(&notice)).await;
        let sent = sent.unwrap_or_else(|_| Err(format!("no answer within {DEADLINE:?}")));
        self.metrics.notice(sent.is_ok());
        if let Err(why) = &sent {
            tracing::warn!(
                recipient = notice.recipient,
                attempt = notice.attempt,
                why,
                "a notice was not sent"
            );
        }
        let done = FinishNotice { id: notice.id, attempt: notice.attempt, sent: sent.is_ok() };
        if let Err(error) = self.store.submit(done).await {
            tracing::warn!(%error, "cannot record that a notice was sent: it will be sent again");
        }
    }

    /// Makes every attempt that is due. Returns the number of attempts.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn empty(&self) -> Result<usize, Failure> {
        let due = self.store.view(DueNotices { limit: CONCURRENT as u64 }).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let claimed = self.store.submit(ClaimNotices(due)).await?;
        let count = claimed.len();
        let attempts: JoinSet<()> = claimed.into_iter().map(|notice| self.clone().attempt(notice)).collect();
        attempts.join_all().await;
        Ok(count)
    }

    /// Empties the outbox, forever.
    pub(crate) async fn run(self) {
        loop {
            match self.empty().await {
                Ok(count) if count == CONCURRENT => continue,
                Ok(_) | Err(Failure::Store(StoreError::Stopped)) => {}
                Err(error) => tracing::warn!(%error, "cannot read the outbox"),
            }
            tokio::time::sleep(NAP).await;
        }
    }
}

/// An attempt to deliver a callback.
#[derive(Debug)]
pub struct Attempted<'a> {
    /// The kind of the callback.
    pub callback: CallbackKind,
    /// The request, as sent.
    pub request: &'a http::Request<Vec<u8>>,
    /// The result.
    pub result: &'a AttemptResult,
    /// The start, by the store's clock.
    pub started_at: UnixTime,
    /// The duration.
    pub took: Duration,
}

/// An observer of callback attempts. The requests are signed and hold data for the app only.
pub trait Observer: Send + Sync + 'static {
    /// Called after each attempt. Must not block.
    fn attempted(&self, attempted: &Attempted<'_>);
}
