//! The ids of requests, for the log and the caller.

use std::sync::atomic::{AtomicU64, Ordering};

use wallet_core::crypto::hex_text;

use crate::store::Store;

/// Numbers the requests of a process, after a random text that tells it from others.
pub(crate) struct RequestIds {
    process: String,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(store: &Store) -> Self {
        let mut process = [0; 4];
        store.vault().crypto().fill(&mut process);
        Self { process: hex_text(&process), next: AtomicU64::new(1) }
    }

    /// The id of a new request.
    pub(crate) fn next(&self) -> String {
        format!("{}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }
}
