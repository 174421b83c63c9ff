//! Deletes expired rows, payments that nobody confirmed, and what old callbacks need not keep, in small commits, so that other commands
//! do not wait.

use std::time::Duration;

use wallet_platform::{DeliveryId, Failure, OldAttempts, OldUnpaid, Over, TransferSeq};

use crate::store::Store;
use crate::workers::Workers;

/// The pause between two runs.
const INTERVAL: Duration = Duration::from_secs(60);
/// The largest number of rows of each kind that one command deletes.
const ROWS_PER_COMMIT: u64 = 256;

/// The pause between two looks for old rows: there may be a great many, and no haste.
const BETWEEN_PAGES: Duration = Duration::from_millis(100);

/// Deletes expired rows and returns their number.
///
/// # Errors
/// The store's.
pub(crate) async fn purge(store: &Store) -> Result<usize, Failure> {
    let mut gone = 0;
    loop {
        let over = store.view(Over { limit: ROWS_PER_COMMIT }).await?;
        if over.is_empty() {
            return Ok(gone);
        }
        match store.submit(over).await? {
            0 => return Ok(gone),
            more => gone += more,
        }
    }
}

/// How long rows are kept that are needed no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// For all attempts of a callback, with what the receiver answered, from their end on.
    pub callback_attempts: Duration,
    /// For payments that nobody confirmed, from their expiry on (R90).
    pub unpaid_payments: Duration,
}

impl Default for Retention {
    /// A year and a month for attempts, three months for unpaid payments.
    fn default() -> Self {
        Self { callback_attempts: 400 * DAY, unpaid_payments: 90 * DAY }
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// Deletes attempts of callbacks that ended longer ago than `kept`, from a callback on. Returns where to go on: what is before it has
/// nothing to delete.
async fn shed(store: &Store, kept: Duration, mut after: DeliveryId) -> Result<DeliveryId, Failure> {
    loop {
        let before = store.now() - kept;
        let found = store.view(OldAttempts { after, before, limit: ROWS_PER_COMMIT }).await?;
        if !found.shed.is_empty() {
            store.submit(found.shed).await?;
        }
        let Some(next) = found.after else { return Ok(after) };
        after = next;
        tokio::time::sleep(BETWEEN_PAGES).await;
    }
}

/// The same for payments that expired unconfirmed.
async fn delete_unpaid(
    store: &Store,
    kept: Duration,
    mut after: TransferSeq,
) -> Result<TransferSeq, Failure> {
    loop {
        let before = store.now() - kept;
        let found = store.view(OldUnpaid { after, before, limit: ROWS_PER_COMMIT }).await?;
        if !found.delete.is_empty() {
            store.submit(found.delete).await?;
        }
        let Some(next) = found.after else { return Ok(after) };
        after = next;
        tokio::time::sleep(BETWEEN_PAGES).await;
    }
}

/// Deletes expired and old rows now and every `INTERVAL`, forever.
pub(crate) async fn run(store: Store, workers: Workers, retention: Retention) {
    let (mut attempts, mut unpaid) = (DeliveryId(0), TransferSeq(0));
    loop {
        match purge(&store).await {
            Ok(0) => {}
            Ok(gone) => tracing::debug!(gone, "deleted expired rows"),
            Err(error) => tracing::warn!(%error, "cannot delete expired rows; next try in 60 s"),
        }
        // One of several nodes is enough.
        if workers.is_first() {
            match shed(&store, retention.callback_attempts, attempts).await {
                Ok(next) => attempts = next,
                Err(error) => tracing::warn!(%error, "cannot delete old attempts; next try in 60 s"),
            }
            match delete_unpaid(&store, retention.unpaid_payments, unpaid).await {
                Ok(next) => unpaid = next,
                Err(error) => tracing::warn!(%error, "cannot delete unpaid payments; next try in 60 s"),
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
