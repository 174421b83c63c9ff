//! Deletes expired rows, and what old callbacks need not keep, in small commits, so that other commands do not wait.

use std::time::Duration;

use wallet_platform::{DeliveryId, Failure, OldAttempts, Over};

use crate::store::Store;
use crate::workers::Workers;

/// The pause between two runs.
const INTERVAL: Duration = Duration::from_secs(60);
/// The largest number of rows of each kind that one command deletes.
const ROWS_PER_COMMIT: u64 = 256;

/// The pause between two looks for old attempts: there may be a great many, and no haste.
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

/// Deletes attempts of callbacks that ended longer ago than `kept`, from a callback on. Returns where to go on: what is before it has
/// nothing to delete.
///
/// # Errors
/// The store's.
pub(crate) async fn shed(
    store: &Store,
    kept: Duration,
    mut after: DeliveryId,
) -> Result<DeliveryId, Failure> {
    loop {
        let before = store.now() - kept;
        let found = store.view(OldAttempts { after, before, limit: ROWS_PER_COMMIT }).await?;
        if !found.shed.is_empty() {
            store.submit(found.shed).await?;
        }
        match found.after {
            Some(next) => after = next,
            None => return Ok(after),
        }
        tokio::time::sleep(BETWEEN_PAGES).await;
    }
}

/// Deletes expired rows and old attempts every `INTERVAL`, forever.
pub(crate) async fn run(store: Store, workers: Workers, kept: Duration) {
    let mut after = DeliveryId(0);
    loop {
        tokio::time::sleep(INTERVAL).await;
        match purge(&store).await {
            Ok(0) => {}
            Ok(gone) => tracing::debug!(gone, "deleted expired rows"),
            Err(error) => tracing::warn!(%error, "cannot delete expired rows; next try in 60 s"),
        }
        if !workers.is_first() {
            continue; // one of several nodes is enough
        }
        match shed(&store, kept, after).await {
            Ok(next) => after = next,
            Err(error) => tracing::warn!(%error, "cannot delete old attempts; next try in 60 s"),
        }
    }
}
