//! The state machine of a callback's delivery. It alone computes when the next attempt is due.

use crate::{Acknowledgement, Schedule, UnixTime, lenient};

/// Whether a receiver's answer acknowledges a callback. Of a JSON body the one member decides, whatever the others hold: a text may
/// be in GBK or end in half a surrogate, and an array may be nested as deep as it likes.
pub fn acknowledges(wanted: Acknowledgement, status: u16, body: &[u8]) -> bool {
    match wanted {
        Acknowledgement::Status(wanted) => status == wanted,
        Acknowledgement::Json(member) => {
            let value = lenient::member(body, member.as_bytes());
            (200..300).contains(&status)
                && value.is_some_and(|value| value == b"true" || value == b"\"true\"")
        }
    }
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// An attempt is due at [`Snapshot::next_at`].
    Waiting,
    /// The receiver acknowledged it.
    Acknowledged,
    /// Every attempt failed.
    Exhausted,
}

/// The stored state of a delivery: the columns of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Its state.
    pub state: DeliveryState,
    /// Attempts that have ended.
    pub attempts: u32,
    /// When the next attempt is due (meaningful while waiting).
    pub next_at: UnixTime,
}

/// The result of the attempt in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The receiver acknowledged it: [`acknowledges`].
    Acknowledged,
    /// The receiver answered something else.
    Refused,
    /// It did not answer within the deadline.
    Timeout,
    /// No exchange took place: no connection, no address, a broken reply.
    Failed,
}

/// The next action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Make an attempt now, then call [`Delivery::handle_input`].
    Transmit,
    /// Nothing until then; call [`Delivery::poll_output`] again at that time.
    Timeout(UnixTime),
    /// An attempt is under way; call [`Delivery::handle_input`] when it has ended.
    Awaiting,
    /// Nothing: the delivery has ended.
    Finished,
}

/// The delivery of one callback.
///
/// ```
/// use wallet_core::{Acknowledgement, Delivery, Input, Output, Schedule, Stretch, UnixTime, acknowledges};
/// use std::time::Duration;
///
/// const SCHEDULE: Schedule = Schedule {
///     stretches: &[Stretch { times: 2, wait_ms: 1000 }],
///     acknowledged_by: Acknowledgement::Status(200),
/// };
/// let t0 = UnixTime::from_secs(1_574_510_444);
/// let mut delivery = Delivery::new(SCHEDULE, t0);
/// let due = t0 + Duration::from_secs(1);
/// assert_eq!(delivery.poll_output(t0), Output::Timeout(due));
/// assert_eq!(delivery.poll_output(due), Output::Transmit);
/// assert!(!acknowledges(SCHEDULE.acknowledged_by, 204, b""));
/// delivery.handle_input(Input::Refused, due);
/// assert_eq!(delivery.poll_output(due), Output::Timeout(due + Duration::from_secs(1)));
/// ```
#[derive(Debug, Clone)]
pub struct Delivery {
    schedule: Schedule,
    snapshot: Snapshot,
    awaiting: bool,
}

impl Delivery {
    /// A delivery whose first wait begins now.
    pub fn new(schedule: Schedule, now: UnixTime) -> Self {
        let first = schedule.wait_before(0);
        let state = if first.is_some() { DeliveryState::Waiting } else { DeliveryState::Exhausted };
        let snapshot = Snapshot { state, attempts: 0, next_at: now + first.unwrap_or_default() };
        Self { schedule, snapshot, awaiting: false }
    }

    /// Restores a stored delivery. An attempt that was in flight counts as not made.
    pub fn restore(schedule: Schedule, snapshot: Snapshot) -> Self {
        Self { schedule, snapshot, awaiting: false }
    }

    /// The state to store.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot
    }

    /// The next action. After [`Output::Transmit`] it answers [`Output::Awaiting`] until the attempt has ended.
    pub fn poll_output(&mut self, now: UnixTime) -> Output {
        match self.snapshot.state {
            DeliveryState::Acknowledged | DeliveryState::Exhausted => Output::Finished,
            DeliveryState::Waiting if self.awaiting => Output::Awaiting,
            DeliveryState::Waiting if now < self.snapshot.next_at => Output::Timeout(self.snapshot.next_at),
            DeliveryState::Waiting => {
                self.awaiting = true;
                Output::Transmit
            }
        }
    }

    /// Records the result of an attempt. Without an attempt in flight, late or repeated input changes nothing.
    pub fn handle_input(&mut self, input: Input, now: UnixTime) {
        if !std::mem::take(&mut self.awaiting) {
            return;
        }
        self.snapshot.attempts += 1;
        if input == Input::Acknowledged {
            self.snapshot.state = DeliveryState::Acknowledged;
            return;
        }
        // Counted from the end of this attempt: after a long stop there is no burst.
        match self.schedule.wait_before(self.snapshot.attempts) {
            Some(wait) => self.snapshot.next_at = now + wait,
            None => self.snapshot.state = DeliveryState::Exhausted,
        }
    }
}
