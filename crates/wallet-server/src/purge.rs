//! Takes rows away that nothing can come of any more, a few at a time, so that a busy writer is never held up.

use std::time::Duration;

use wallet_platform::{Failure, Over};

use crate::store::Store;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);
/// Rows of each kind taken away by one command.
const AT_ONCE: u64 = 256;

/// Takes away what is over by now; says how many rows.
///
/// # Errors
/// The store's.
pub(crate) async fn purge(store: &Store) -> Result<usize, Failure> {
    let mut gone = 0;
    loop {
        let over = store.view(Over { limit: AT_ONCE }).await?;
        if over.is_empty() {
            return Ok(gone);
        }
        match store.submit(over).await? {
            0 => return Ok(gone),
            more => gone += more,
        }
    }
}

/// Does so now and then, for ever.
pub(crate) async fn run(store: Store) {
    loop {
        tokio::time::sleep(EVERY).await;
        match purge(&store).await {
            Ok(0) => {}
            Ok(gone) => tracing::debug!(gone, "rows whose time was over are gone"),
            Err(error) => tracing::warn!(%error, "rows whose time is over cannot be taken away"),
        }
    }
}
