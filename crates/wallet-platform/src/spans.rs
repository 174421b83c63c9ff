//! Spans of time whose ends are stored. The clock may be set back after that: a machine is restored, or its time was wrong.

use std::time::Duration;

use wallet_core::UnixTime;

/// A step back by at most this changes nothing: a span goes on.
const STEP: Duration = Duration::from_secs(5);

/// Whether a span of this length that ends at `until` has not begun yet.
pub(crate) fn is_ahead(now: UnixTime, until: UnixTime, length: Duration) -> bool {
    now + length + STEP < until
}

/// Whether a span of this length is over that ends after `until`. One that has not begun yet was stored before the clock was set
/// back: nobody can tell how much of it has passed, and it must not last longer than its length, so it is over too.
pub(crate) fn is_over(now: UnixTime, until: UnixTime, length: Duration) -> bool {
    now > until || is_ahead(now, until, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_over_after_its_end_and_before_its_beginning() {
        let (at, minute) = (UnixTime::from_secs, Duration::from_secs(60));
        for (now, over) in [
            (939, false),
            (940, false),
            (1_000, false),
            (1_001, true),
            (936, false),
            (934, true),
            (-7_000, true),
        ] {
            assert_eq!(is_over(at(now), at(1_000), minute), over, "{now}");
        }
    }
}
