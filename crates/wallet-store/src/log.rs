//! The write-ahead log of a SQLite database: when its pages are copied into the file, and what happens if they cannot be.
//!
//! SQLite can do this by itself (`wal_autocheckpoint`) and then reports no failure: the log grows until the disk is full.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use wallet_engine::StoreError;

/// The pages of the log at which a checkpoint copies them into the file: 40 MiB.
const CHECKPOINT_AT: u64 = 10_000;
/// The pages that the log grows by before the next attempt, if a checkpoint left pages in it.
const TRY_AGAIN_AFTER: u64 = 1_000;
/// The pages of the log, 160 MiB, at which commands are refused while checkpoints fail.
const MOST: u64 = 40_000;

/// The state of a log. The connection that writes changes it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pages: AtomicU64,
    /// The checkpoints that failed since the database was opened.
    failed: AtomicU64,
    /// Whether the last checkpoint failed.
    failing: AtomicBool,
    /// The failure after which the content of the file is unknown.
    broken: Mutex<Option<StoreError>>,
}

impl Log {
    /// Checks the log after each commit of this connection.
    pub(crate) fn of(connection: &mut Connection) -> rusqlite::Result<Arc<Self>> {
        let log = Arc::new(Self::default());
        let (state, mut at) = (log.clone(), CHECKPOINT_AT);
        connection.wal_hook(Some(move |wal: &mut rusqlite::hooks::Wal, pages| {
            let pages = u64::try_from(pages).unwrap_or(0);
            state.pages.store(pages, Ordering::Relaxed);
            if pages < CHECKPOINT_AT {
                at = CHECKPOINT_AT;
            } else if pages >= at {
                at = pages + TRY_AGAIN_AFTER;
                state.ended(wal.checkpoint());
            }
            Ok(()) // an error here would be reported as one of the commit, which is done
        }))?;
        Ok(log)
    }

    /// The pages in the log.
    pub(crate) fn pages(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }

    /// The checkpoints that failed since the database was opened.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Allows the next command, or tells why nothing more can be written. A full log is tried again each time.
    pub(crate) fn may_grow(&self, connection: &Connection) -> Result<(), StoreError> {
        if !self.failing.load(Ordering::Relaxed) {
            return Ok(());
        }
        if let Some(broken) = self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(broken);
        }
        let pages = self.pages();
        if pages < MOST {
            return Ok(());
        }
        // PASSIVE waits for no reader. Its first column is 1 if another connection is at it.
        let tried = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        let why = tried.as_ref().err().map(ToString::to_string);
        self.ended(tried);
        match why {
            None => Ok(()),
            Some(why) => Err(StoreError::Database(format!(
                "the log of the database has {pages} pages, and copying them into its file failed: {why}"
            ))),
        }
    }

    /// A checkpoint has ended.
    fn ended(&self, result: rusqlite::Result<()>) {
        let was_failing = self.failing.swap(result.is_err(), Ordering::Relaxed);
        let Err(error) = result else {
            if was_failing {
                tracing::info!("the log of the database is copied into its file again");
            }
            return;
        };
        self.failed.fetch_add(1, Ordering::Relaxed);
        if !was_failing {
            tracing::error!(
                %error,
                pages = self.pages(),
                most = MOST,
                "a checkpoint failed: the database's file cannot be written, and its log grows. Commits are safe in the log; \
                 commands are refused once it has the most pages. Check the disk and the file's permissions"
            );
        }
        // After a failed fsync the content of the disk is unknown: the log may not be begun again.
        if error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_FSYNC)
        {
            *self.broken.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(StoreError::Broken(error.to_string()));
        }
    }
}
