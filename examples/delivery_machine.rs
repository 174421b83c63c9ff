//! The attempts of a FOMO callback. [`Delivery`] is a state machine: the caller passes the time and each result, and
//! it returns the next step. It sends nothing itself, so a receiver that fails for sixteen hours takes no time here.

use wallet_api::fomo::payment_result;
use wallet_core::{Callback as _, Delivery, Input, Output, UnixTime};

pub fn main() {
    let paid_at = UnixTime::from_secs(1_574_510_444);
    let schedule = payment_result::Callback::META.schedule;
    println!("{} attempts; acknowledged by {:?}", schedule.attempts(), schedule.acknowledged_by);

    let mut delivery = Delivery::new(schedule, paid_at);
    let mut now = paid_at;
    let mut attempts = Vec::new();
    loop {
        match delivery.poll_output(now) {
            Output::Timeout(next) => now = next,
            Output::Transmit => {
                attempts.push(now.secs() - paid_at.secs());
                // Here a worker sends the request. This receiver answers HTTP 500 each time.
                delivery.handle_input(Input::Refused, now);
            }
            Output::Awaiting => unreachable!("each attempt above ends at once"),
            Output::Finished => break,
        }
    }
    println!("attempts after {:?} … {:?} s", &attempts[..7], attempts.last());
    assert_eq!((attempts.len(), attempts.last()), (100, Some(&57_241)));

    // The snapshot is all that a database needs to keep; an attempt that a crash interrupts counts as not made.
    let mut interrupted = Delivery::new(schedule, paid_at);
    let due = UnixTime::from_secs(paid_at.secs() + 1);
    assert_eq!(interrupted.poll_output(due), Output::Transmit);
    let mut restored = Delivery::restore(schedule, interrupted.snapshot());
    assert_eq!(restored.poll_output(due), Output::Transmit);
}
