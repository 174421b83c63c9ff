//! The sandbox's clock: the system's plus an offset (R82). It stops while time is moved.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wallet_core::UnixTime;
use wallet_store::{Clock, SystemClock};

#[derive(Debug, Default)]
struct State {
    /// Milliseconds ahead of the system's clock; negative after a move that took longer than its own length.
    offset: i64,
    stands_at: Option<UnixTime>,
}

/// A clock that can be moved forward and stopped, and returned to the system's time.
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

    /// Follows the system's clock again. This is the only step back that the clock makes.
    pub fn return_to_machine_time(&self) {
        *self.state() = State::default();
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

/// The clock of the timestamps that callbacks are signed with: the sandbox's, or the machine's, for a receiver that
/// compares the timestamp with its own clock.
#[derive(Debug)]
pub(crate) struct CallbackClock {
    sandbox: Arc<SandboxClock>,
    is_machine: AtomicBool,
}

impl CallbackClock {
    pub(crate) fn new(sandbox: Arc<SandboxClock>) -> Self {
        Self { sandbox, is_machine: AtomicBool::new(false) }
    }

    /// Whether callbacks have the machine's time.
    pub(crate) fn is_machine(&self) -> bool {
        self.is_machine.load(Ordering::Relaxed)
    }

    /// Signs callbacks with the machine's time, or with the sandbox's again.
    pub(crate) fn follow_machine(&self, machine: bool) {
        self.is_machine.store(machine, Ordering::Relaxed);
    }
}

impl Clock for CallbackClock {
    fn now(&self) -> UnixTime {
        if self.is_machine() { SystemClock.now() } else { self.sandbox.now() }
    }
}
