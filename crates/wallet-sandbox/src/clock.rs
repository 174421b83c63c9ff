//! The sandbox's clock: the system's plus an offset (R82). It stops while time is moved.

use std::sync::{Mutex, MutexGuard, PoisonError};
use wallet_core::UnixTime;
use wallet_store::{Clock, SystemClock};

#[derive(Debug, Default)]
struct State {
    /// Milliseconds ahead of the system's clock; negative after a move that took longer than its own length.
    offset: i64,
    stands_at: Option<UnixTime>,
}

/// A clock that can be moved forward and stopped; never backward.
#[derive(Debug, Default)]
pub struct SandboxClock {
    state: Mutex<State>,
}

impl SandboxClock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the clock and returns its time.
    pub fn stop(&self) -> UnixTime {
        let now = self.now();
        self.state().stands_at = Some(now);
        now
    }

    /// Moves the stopped clock forward to `at`; an earlier `at` changes nothing.
    pub fn stand_at(&self, at: UnixTime) {
        let mut state = self.state();
        state.stands_at = Some(state.stands_at.map_or(at, |before| before.max(at)));
    }

    /// Starts the clock again at `at`, or at its own time if that is later.
    pub fn run_on_from(&self, at: UnixTime) {
        let mut state = self.state();
        let at = state.stands_at.take().map_or(at, |before| before.max(at));
        state.offset = at.millis() - SystemClock.now().millis();
    }

    /// The milliseconds ahead of the system's clock.
    pub fn offset_ms(&self) -> i64 {
        self.state().offset
    }

    /// A clock that is `offset_ms` milliseconds ahead of the system's.
    pub fn ahead_by(offset_ms: i64) -> Self {
        Self { state: Mutex::new(State { offset: offset_ms, stands_at: None }) }
    }
}

impl Clock for SandboxClock {
    fn now(&self) -> UnixTime {
        let state = self.state();
        let running = || UnixTime::from_millis(SystemClock.now().millis().saturating_add(state.offset));
        state.stands_at.unwrap_or_else(running)
    }
}
