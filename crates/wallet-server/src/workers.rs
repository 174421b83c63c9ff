//! This process among those that share a database: each takes its share of the callbacks, and the first one watches the chain.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wallet_platform::{Failure, Share, Shares, SignOfLife, WorkerId};

use crate::store::Store;

/// The pause between two signs of life; well below the time after which a worker counts as gone.
const PAUSE: Duration = Duration::from_secs(3);

/// This process among the workers. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Workers {
    store: Store,
    share: Arc<Mutex<Share>>,
}

impl Workers {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, share: Arc::new(Mutex::new(Share::ALL)) }
    }

    /// The share of this process: everything until it knows of others.
    pub(crate) fn share(&self) -> Share {
        *self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process does what one does for all.
    pub(crate) fn is_first(&self) -> bool {
        self.share().number == 0
    }

    async fn step(
        &self,
        worker: Option<WorkerId>,
        gone: Vec<WorkerId>,
    ) -> Result<(WorkerId, Vec<WorkerId>), Failure> {
        let worker = self.store.submit(SignOfLife { worker, gone }).await?;
        let (share, gone) = self.store.view(Shares(worker)).await?;
        let mut known = self.share.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != share {
            tracing::info!(number = share.number, of = share.of, "the share of this node in the callbacks");
            *known = share;
        }
        Ok((worker, gone))
    }

    /// Gives signs of life, forever; a process that has its database to itself needs none.
    pub(crate) async fn run(self) {
        if !self.store.is_shared() {
            return;
        }
        let (mut worker, mut gone) = (None, Vec::new());
        loop {
            match self.step(worker, std::mem::take(&mut gone)).await {
                Ok((id, others)) => (worker, gone) = (Some(id), others),
                Err(error) => tracing::warn!(%error, "cannot give a sign of life; the next try is in 3 s"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
