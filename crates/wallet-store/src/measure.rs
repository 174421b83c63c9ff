//! What a store counts of itself, for metrics.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use wallet_engine::StoreError;

/// Counts values by their size.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [u64],
    /// One more than bounds: the last one counts what is above them.
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

/// The values of a histogram so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The number of values up to each bound, and above the one before; the last bound is `u64::MAX`.
    pub buckets: Vec<(u64, u64)>,
    /// The sum of the values.
    pub sum: u64,
}

impl Distribution {
    /// The number of values.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    fn count(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.counts.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    fn distribution(&self) -> Distribution {
        let bounds = self.bounds.iter().copied().chain([u64::MAX]);
        let buckets = bounds.zip(&self.counts).map(|(bound, count)| (bound, count.load(Ordering::Relaxed)));
        Distribution { buckets: buckets.collect(), sum: self.sum.load(Ordering::Relaxed) }
    }
}

/// The bounds of the number of commands in a batch.
const COMMANDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
/// The bounds of the time of a batch, in microseconds.
const MICROS: &[u64] = &[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 10_000_000,
];

/// The counts of a store.
#[derive(Debug)]
pub(crate) struct Measures {
    commands: Histogram,
    micros: Histogram,
    /// Below 0 for a moment, while a command ends before it was counted.
    queued: AtomicI64,
    errors: [AtomicU64; StoreError::CLASSES.len()],
    /// When the database last reported an error.
    database_failed: Mutex<Option<Instant>>,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            commands: Histogram::new(COMMANDS),
            micros: Histogram::new(MICROS),
            queued: AtomicI64::new(0),
            errors: Default::default(),
            database_failed: Mutex::default(),
        }
    }
}

impl Measures {
    pub(crate) fn queued(&self) {
        self.queued.fetch_add(1, Ordering::Relaxed);
    }

    /// A batch of so many commands has ended.
    pub(crate) fn batch(&self, commands: usize, took: Duration) {
        self.queued.fetch_sub(commands as i64, Ordering::Relaxed);
        self.commands.count(commands as u64);
        self.micros.count(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// How long ago the database reported an error.
    pub(crate) fn since_failure(&self) -> Option<Duration> {
        let failed = *self.database_failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.map(|at| at.elapsed())
    }

    pub(crate) fn failed(&self, error: &StoreError) {
        if matches!(error, StoreError::Database(_)) {
            *self.database_failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        let class = StoreError::CLASSES.iter().position(|class| *class == error.class());
        if let Some(count) = class.and_then(|at| self.errors.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// With the pages in the log, and the number of failed checkpoints.
    pub(crate) fn measured(&self, (log_pages, failed_checkpoints): (u64, u64)) -> Measured {
        let errors = StoreError::CLASSES.iter().zip(&self.errors);
        Measured {
            batch_commands: self.commands.distribution(),
            batch_micros: self.micros.distribution(),
            queued: self.queued.load(Ordering::Relaxed).max(0).cast_unsigned(),
            errors: errors.map(|(class, count)| (*class, count.load(Ordering::Relaxed))).collect(),
            log_pages,
            failed_checkpoints,
        }
    }
}

/// What a store has counted since it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The number of commands of each batch.
    pub batch_commands: Distribution,
    /// The time of each batch, in microseconds.
    pub batch_micros: Distribution,
    /// The commands that wait or are being decided.
    pub queued: u64,
    /// The commands and queries that failed, by the [class](StoreError::class) of the error.
    pub errors: Vec<(&'static str, u64)>,
    /// The pages of 4 KiB in the write-ahead log of SQLite; 0 on another store.
    pub log_pages: u64,
    /// The times that the pages of the log could not be copied into the database's file.
    pub failed_checkpoints: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_up_to_their_bounds() {
        let histogram = Histogram::new(&[1, 10]);
        [0, 1, 2, 10, 11, 1_000].into_iter().for_each(|value| histogram.count(value));
        let found = histogram.distribution();
        assert_eq!(found.buckets, [(1, 2), (10, 2), (u64::MAX, 2)]);
        assert_eq!((found.sum, found.count()), (1_024, 6));
    }
}
