//! The sandbox's clock: the system's plus an offset (R82). While time is moved it stands.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wallet_core::UnixTime;
use wallet_store::{Clock, SystemClock};

#[derive(Debug, Default)]
struct State {
    offset: Duration,
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

    /// Stands still from now on.
    pub fn stop(&self) -> UnixTime {
        let now = self.now();
        self.state().stands_at = Some(now);
        now
    }

    /// Stands at a later moment.
    pub fn stand_at(&self, at: UnixTime) {
        let mut state = self.state();
        state.stands_at = Some(state.stands_at.map_or(at, |before| before.max(at)));
    }

    /// Runs on from `at`, or from where it stands when that is later.
    pub fn run_on_from(&self, at: UnixTime) {
        let mut state = self.state();
        let at = state.stands_at.take().map_or(at, |before| before.max(at));
        let system = SystemClock.now();
        state.offset = state.offset.max(at.since(system));
    }

    /// How far it is ahead of the system's clock.
    pub fn offset(&self) -> Duration {
        self.state().offset
    }
}

impl Clock for SandboxClock {
    fn now(&self) -> UnixTime {
        let state = self.state();
        state.stands_at.unwrap_or_else(|| SystemClock.now() + state.offset)
    }
}
