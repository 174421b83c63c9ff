//! The store's clock: the source of `now` for every decision (R82).

use std::time::{SystemTime, UNIX_EPOCH};

use wallet_core::UnixTime;

/// A clock.
pub trait Clock: Send + Sync + 'static {
    /// The time.
    fn now(&self) -> UnixTime;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
