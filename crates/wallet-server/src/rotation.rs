//! A change of the master key, in the background: every row that is sealed under another key is sealed again.

use std::time::Duration;

use wallet_platform::{Failure, SealedUnderAnother};

use crate::store::Store;

/// The largest number of rows of each table that one command seals again.
const ROWS: usize = 100;
/// The wait after a failure.
const NAP: Duration = Duration::from_secs(10);

/// Seals every row again that is sealed under another key, and returns their number. It may be interrupted and begun again.
///
/// # Errors
/// The store's.
pub(crate) async fn reseal(store: &Store) -> Result<usize, Failure> {
    let mut sealed = 0;
    loop {
        let found = store.view(SealedUnderAnother { seed: store.vault().seed(), limit: ROWS }).await?;
        if found.is_empty() {
            return Ok(sealed);
        }
        sealed += store.submit(found).await?;
    }
}

/// Reseals until nothing is left.
pub(crate) async fn run(store: Store) {
    while store.vault().opens_others() {
        match reseal(&store).await {
            Ok(sealed) => {
                return tracing::info!(
                    sealed,
                    "every secret is sealed under the current master key: remove key.previous once every node says so"
                );
            }
            Err(error) => {
                tracing::warn!(%error, "cannot seal every secret under the current master key yet");
                tokio::time::sleep(NAP).await;
            }
        }
    }
}
