//! How often an app may ask for a payment. Each one is a row that stays: without a bound one app could fill the disk.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use wallet_engine::StoreError;
use wallet_platform::{AppId, Failure};

/// The calls of `pre_pay` that an app may make in a second if nothing else is set.
pub const PRE_PAYS_PER_SECOND: NonZeroU32 = NonZeroU32::new(1_000).unwrap();
/// The calls that may come at once are those of this many seconds.
const BURST: u32 = 5;
/// The number of calls after which apps that are quiet are forgotten.
const FORGET_EVERY: u32 = 65_536;

/// The calls of every app, in this process.
pub(crate) struct Rate {
    apps: Option<DefaultKeyedRateLimiter<AppId>>,
    calls: AtomicU32,
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rate").finish_non_exhaustive()
    }
}

impl Rate {
    /// With a bound for each app; `None`: no bound.
    pub(crate) fn new(per_second: Option<NonZeroU32>) -> Self {
        let quota = |per_second: NonZeroU32| {
            let burst = per_second.saturating_mul(NonZeroU32::new(BURST).unwrap_or(NonZeroU32::MIN));
            Quota::per_second(per_second).allow_burst(burst)
        };
        Self {
            apps: per_second.map(|per_second| RateLimiter::keyed(quota(per_second))),
            calls: AtomicU32::new(0),
        }
    }

    /// Counts a call, or refuses it: the app has to wait, as when the store is full (R84).
    pub(crate) fn count(&self, app: AppId) -> Result<(), Failure> {
        let Some(apps) = &self.apps else { return Ok(()) };
        if self.calls.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            apps.retain_recent();
        }
        apps.check_key(&app).map_err(|_| StoreError::Overloaded.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_app_has_a_bound_of_its_own() {
        let rate = Rate::new(NonZeroU32::new(1));
        let calls = |app: u64| (0..20).filter(|_| rate.count(AppId(app)).is_ok()).count();
        // The burst, and what a slow machine adds to it.
        assert!((5..10).contains(&calls(1)));
        assert!((5..10).contains(&calls(2)), "another app has not called yet");
        let none = Rate::new(None);
        assert_eq!((0..20).filter(|_| none.count(AppId(1)).is_ok()).count(), 20);
    }
}
