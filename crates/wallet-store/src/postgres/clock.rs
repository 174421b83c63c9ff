//! The time of a shared database.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use wallet_core::UnixTime;

use crate::clock::{Clock, SystemClock};

/// The clock of a database that several processes share: the system's, corrected by the last look at the database's.
#[derive(Default)]
pub(crate) struct DatabaseClock {
    /// Milliseconds ahead of the system's clock.
    ahead: AtomicI64,
    /// A clock that takes the database's place.
    fixed: Option<Arc<dyn Clock>>,
}

impl fmt::Debug for DatabaseClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseClock").field("ahead", &self.ahead).finish_non_exhaustive()
    }
}

impl DatabaseClock {
    pub(crate) fn fixed_to(clock: Arc<dyn Clock>) -> Self {
        Self { ahead: AtomicI64::new(0), fixed: Some(clock) }
    }

    /// Takes note of the database's time, and returns the time of decisions.
    pub(crate) fn read(&self, database: UnixTime) -> UnixTime {
        let ahead = database.millis().saturating_sub(SystemClock.now().millis());
        self.ahead.store(ahead, Ordering::Relaxed);
        self.fixed.as_ref().map_or(database, |clock| clock.now())
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> UnixTime {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let corrected = || UnixTime::from_millis(SystemClock.now().millis().saturating_add(ahead));
        self.fixed.as_ref().map_or_else(corrected, |clock| clock.now())
    }
}
