//! Deletes expired rows in small commits, so that other commands do not wait.

use std::time::Duration;

use wallet_platform::{Failure, Over};

use crate::store::Store;

/// The pause between two runs.
const INTERVAL: Duration = Duration::from_secs(60);
/// The largest number of rows of each kind that one command deletes.
const ROWS_PER_COMMIT: u64 = 256;

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

/// Deletes expired rows every `INTERVAL`, forever.
pub(crate) async fn run(store: Store) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        match purge(&store).await {
            Ok(0) => {}
            Ok(gone) => tracing::debug!(gone, "deleted expired rows"),
            Err(error) => tracing::warn!(%error, "cannot delete expired rows; next try in 60 s"),
        }
    }
}
