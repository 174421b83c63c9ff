//! How the platform does now, in a few figures: from its newest payments and callbacks.

use std::time::Duration;

use wallet_core::UnixTime;
use wallet_engine::{List, Query};

use crate::deliveries::{Attempt, DeliveryRow};
use crate::fomo::payments::Transfer;
use crate::refusal::Stop;
use crate::schema::{Context, Platform, Rows};

const HOUR: Duration = Duration::from_secs(3_600);

/// Looks at the newest payments and callbacks.
#[derive(Debug)]
pub struct Pulse {
    /// How many of each.
    pub newest: u64,
}

/// The figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PulseNow {
    /// Payments of the last hour; if there were more than [`Pulse::newest`], as many an hour as these.
    pub payments_an_hour: u64,
    /// Of the payments looked at, in percent: those whose money has moved, among these and the expired ones. `None` without any.
    pub succeeded: Option<u64>,
    /// The time within which 95 of 100 receivers answered the last attempt; `None` without an attempt.
    pub answered_within: Option<Duration>,
}

/// The value that 95 of 100 do not exceed.
fn p95(mut values: Vec<Duration>) -> Option<Duration> {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) * 95 / 100).copied()
}

/// The number of payments an hour, of those looked at, the newest first.
fn an_hour(times: &[UnixTime], newest: u64, now: UnixTime) -> u64 {
    let recent: Vec<&UnixTime> = times.iter().filter(|at| now.since(**at) < HOUR).collect();
    match recent.last() {
        // There may be more than were looked at.
        Some(oldest) if recent.len() as u64 == newest => {
            let millis = now.since(**oldest).as_millis().max(1);
            u64::try_from(u128::from(newest) * HOUR.as_millis() / millis).unwrap_or(u64::MAX)
        }
        _ => recent.len() as u64,
    }
}

impl Query<Platform> for Pulse {
    type Answer = PulseNow;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<PulseNow, Stop> {
        let deliveries = rows.list(List::new().descending(DeliveryRow::id).limit(self.newest));
        let payments = rows.list(List::new().descending(Transfer::id).limit(self.newest))?;
        let attempted = deliveries?.into_iter().filter(|row: &&DeliveryRow| row.attempts > 0);
        let keys: Vec<_> = attempted.map(|row| (row.id, row.attempts)).collect();
        let attempts = rows.find_all::<Attempt>(keys.into_iter())?;
        let done = payments.iter().filter(|payment| payment.done).count() as u64;
        let expired =
            payments.iter().filter(|payment| !payment.done && cx.now > payment.expires_at()).count();
        let ended = done + expired as u64;
        let times: Vec<UnixTime> = payments.iter().map(|payment| payment.created_at).collect();
        Ok(PulseNow {
            payments_an_hour: an_hour(&times, self.newest, cx.now),
            succeeded: (ended > 0).then(|| done * 100 / ended),
            answered_within: p95(attempts
                .iter()
                .map(|attempt| attempt.ended_at.since(attempt.started_at))
                .collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_what_was_looked_at() {
        let now = UnixTime::from_secs(10_000);
        let ago = |seconds: &[u64]| -> Vec<UnixTime> {
            seconds.iter().map(|ago| now - Duration::from_secs(*ago)).collect()
        };
        assert_eq!(an_hour(&[], 3, now), 0);
        assert_eq!(an_hour(&ago(&[1, 3_599, 3_600]), 4, now), 2, "an hour ago is not within it");
        assert_eq!(an_hour(&ago(&[1, 10, 36]), 3, now), 300, "three in 36 s");
        assert_eq!(an_hour(&[now, now, now], 3, now), 10_800_000, "all at once");
        let millis = |values: &[u64]| values.iter().map(|value| Duration::from_millis(*value)).collect();
        assert_eq!(p95(vec![]), None);
        assert_eq!(p95(millis(&[7])), Some(Duration::from_millis(7)));
        assert_eq!(p95(millis(&(1..=100).rev().collect::<Vec<_>>())), Some(Duration::from_millis(95)));
    }
}
