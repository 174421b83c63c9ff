//! Records the first call of each app, for the check list on its page.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use wallet_platform::{ReceiverId, RecordMilestone, Step};

use crate::store::Store;

/// The apps whose first call this process has recorded.
#[derive(Debug, Default)]
pub(crate) struct Milestones(Arc<Mutex<HashSet<ReceiverId>>>);

impl Milestones {
    /// Records that a call with the app's credentials has succeeded. A repeated call costs one lookup in a set.
    pub(crate) fn called(&self, store: &Store, app: ReceiverId) {
        if !self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(app) {
            return;
        }
        let (store, recorded) = (store.clone(), self.0.clone());
        tokio::spawn(async move {
            if let Err(failure) = store.submit(RecordMilestone { app, step: Step::Called }).await {
                tracing::debug!(%failure, "cannot record an app's first call");
                recorded.lock().unwrap_or_else(PoisonError::into_inner).remove(&app); // the next call tries again
            }
        });
    }
}
