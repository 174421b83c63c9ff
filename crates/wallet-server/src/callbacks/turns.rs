//! Whose turn it is: for which apps callbacks are due, and how many attempts each may have under way.
//!
//! Every app is looked at by itself, so the backlog of one costs the others nothing. An app begins with few places and gets more while its
//! receiver acknowledges quickly. A receiver that fails has one place. Slow receivers share half of all places, so that
//! dead ones never take the places of the others. The apps of one owner share a quarter of them. Owners with fewer attempts under way
//! come first, then their apps with fewer.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;
use wallet_core::UnixTime;
use wallet_platform::accounts::UserId;
use wallet_platform::{DueOfApp, Look, ReceiverId};

/// How many attempts may be under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// In all.
    pub at_once: usize,
    /// For the apps of one owner.
    pub per_owner: usize,
    /// For one app.
    pub per_app: usize,
    /// To one port of a host, whichever apps share it.
    pub per_host: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self { at_once: 256, per_owner: 64, per_app: 32, per_host: 32 }
    }
}

/// The places of an app at first.
const FIRST_PLACES: usize = 2;
/// An attempt that takes longer is slow.
const SLOW: Duration = Duration::from_secs(1);
/// How long the earliest time of an app's callbacks bounds its looks; see [`Look::low`].
const LOW_HOLDS: Duration = Duration::from_secs(10);
/// No commit takes longer.
const COMMITS_WITHIN: Duration = Duration::from_secs(60);
/// The largest number of apps that one look covers.
const APPS_PER_LOOK: usize = 64;

/// An app for which callbacks wait or are under way.
#[derive(Debug)]
struct App {
    /// Its owner, once a look has found a callback.
    owner: Option<UserId>,
    /// The time at which its next callback may be due; `None`: none is known to wait, or every place is taken.
    head: Option<UnixTime>,
    /// The earliest time that was reported since its last look: what the look has not seen.
    reported: Option<UnixTime>,
    /// Whether it waits for a place.
    blocked: bool,
    /// The number of its attempts under way.
    under_way: usize,
    /// The number of attempts that it may have under way.
    places: usize,
    /// Whether its last attempt was slow.
    slow: bool,
    /// Whether its receiver fails.
    fails: bool,
    /// No callback of it has an earlier time; found when.
    low: Option<(UnixTime, Instant)>,
}

impl App {
    fn allowed(&self) -> usize {
        if self.fails { 1 } else { self.places }
    }

    fn is_slow(&self) -> bool {
        self.slow || self.fails
    }

    fn slow_under_way(&self) -> usize {
        if self.is_slow() { self.under_way } else { 0 }
    }
}

/// The owner of apps for which callbacks wait or are under way.
#[derive(Debug, Default)]
struct Owner {
    /// The number of their attempts under way.
    under_way: usize,
    /// The apps that wait for a place of their owner.
    blocked: Vec<ReceiverId>,
}

/// The result of an attempt, for the next turns of its app.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) acknowledged: bool,
    pub(super) took: Duration,
    /// The time of the next attempt of this callback.
    pub(super) retry_at: Option<UnixTime>,
    /// Whether the receiver fails.
    pub(super) fails: bool,
}

/// The turns of all apps.
#[derive(Debug)]
pub(super) struct Turns {
    places: Places,
    apps: HashMap<ReceiverId, App>,
    /// The owners that have an attempt under way or a blocked app.
    owners: HashMap<UserId, Owner>,
    /// The `head` of each app that has one, in order.
    heads: BTreeSet<(UnixTime, ReceiverId)>,
    under_way: usize,
    /// The attempts under way to slow receivers.
    slow: usize,
}

impl Turns {
    pub(super) fn new(places: Places) -> Self {
        Self {
            places,
            apps: HashMap::new(),
            owners: HashMap::new(),
            heads: BTreeSet::new(),
            under_way: 0,
            slow: 0,
        }
    }

    fn app(&mut self, app: ReceiverId) -> &mut App {
        let places = FIRST_PLACES.min(self.places.per_app);
        self.apps.entry(app).or_insert(App {
            owner: None,
            head: None,
            reported: None,
            blocked: false,
            under_way: 0,
            places,
            slow: false,
            fails: false,
            low: None,
        })
    }

    fn set_head(&mut self, app: ReceiverId, head: Option<UnixTime>) {
        let before = std::mem::replace(&mut self.app(app).head, head);
        if let Some(at) = before {
            self.heads.remove(&(at, app));
        }
        self.heads.extend(head.map(|at| (at, app)));
    }

    /// A callback of an app waits until a time.
    pub(super) fn waits(&mut self, app: ReceiverId, at: UnixTime) {
        let known = self.app(app);
        known.reported = Some(known.reported.map_or(at, |reported| reported.min(at)));
        if !known.blocked && known.head.is_none_or(|head| at < head) {
            self.set_head(app, Some(at));
        }
    }

    /// The clock has moved, or the times of callbacks were changed: what is known of the earliest ones does not hold any more.
    pub(super) fn forget_lows(&mut self) {
        self.apps.values_mut().for_each(|app| app.low = None);
    }

    /// The number of attempts under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }

    /// The time at which the next callback may be due.
    pub(super) fn next(&self) -> Option<UnixTime> {
        self.heads.first().map(|(at, _)| *at)
    }

    /// Where to look now, and for how many callbacks.
    pub(super) fn looks(&mut self, now: UnixTime) -> Vec<Look> {
        let mut free = self.places.at_once.saturating_sub(self.under_way);
        let mut free_slow = self.free_slow();
        let due = self.heads.range(..=(now, ReceiverId(u64::MAX)));
        let due = due.map(|(at, id)| {
            let app = self.apps.get(id);
            let of_owner = app.and_then(|app| app.owner).map_or(0, |owner| self.of_owner(owner));
            (of_owner, app.map_or(0, |app| app.under_way), *at, *id)
        });
        let mut due: Vec<(usize, usize, UnixTime, ReceiverId)> = due.collect();
        due.sort_unstable();
        let mut looks = Vec::new();
        // What the looks before leave to an owner.
        let mut left = HashMap::new();
        for (of_owner, under_way, _, id) in due {
            if free == 0 || looks.len() == APPS_PER_LOOK {
                break;
            }
            let per_owner = self.places.per_owner;
            let app = self.app(id);
            let (slow, places, owner) = (app.is_slow(), app.allowed().saturating_sub(under_way), app.owner);
            let owner = owner.filter(|_| of_owner >= per_owner);
            if places == 0 || owner.is_some() {
                app.blocked = true;
                self.set_head(id, None);
                if let Some(owner) = owner {
                    self.owners.entry(owner).or_default().blocked.push(id);
                }
                continue;
            }
            let left = app.owner.map(|owner| left.entry(owner).or_insert(per_owner - of_owner));
            let places = places.min(free).min(left.as_ref().map_or(usize::MAX, |left| **left));
            let limit = if slow { places.min(free_slow) } else { places };
            if limit == 0 {
                continue;
            }
            app.reported = None;
            free -= limit;
            if let Some(left) = left {
                *left -= limit;
            }
            free_slow -= if slow { limit } else { 0 };
            let low = app.low.filter(|(_, found)| found.elapsed() < LOW_HOLDS);
            let low = low.map_or(UnixTime::default(), |(low, _)| low);
            looks.push(Look { app: id, low, limit: limit as u64 });
        }
        looks
    }

    /// The number of attempts under way for the apps of an owner.
    fn of_owner(&self, owner: UserId) -> usize {
        self.owners.get(&owner).map_or(0, |owner| owner.under_way)
    }

    /// The owner of an app, once a look has found a callback.
    pub(super) fn owner(&self, app: ReceiverId) -> Option<UserId> {
        self.apps.get(&app)?.owner
    }

    /// Changes an app. Its attempts under way count in the class that it has then.
    fn change<T>(&mut self, id: ReceiverId, change: impl FnOnce(&mut App) -> T) -> T {
        let app = self.app(id);
        let before = app.slow_under_way();
        let changed = change(app);
        let after = app.slow_under_way();
        self.slow = self.slow.saturating_sub(before) + after;
        changed
    }

    /// The places that slow and failing receivers have left.
    fn free_slow(&self) -> usize {
        (self.places.at_once / 2).max(1).saturating_sub(self.slow)
    }

    /// What a look has found. Returns the number of attempts that may begin.
    pub(super) fn found(&mut self, look: &Look, found: &DueOfApp, now: UnixTime) -> usize {
        let known = self.change(look.app, |app| {
            app.fails = found.fails;
            let known = app.owner;
            app.owner = known.or(found.owner);
            (known.is_none() && app.owner.is_some()).then_some(app.under_way)
        });
        if let (Some(under_way), Some(owner)) = (known, found.owner) {
            self.owners.entry(owner).or_default().under_way += under_way;
        }
        let left = found
            .owner
            .map_or(usize::MAX, |owner| self.places.per_owner.saturating_sub(self.of_owner(owner)));
        let free_slow = self.free_slow();
        let app = self.app(look.app);
        if look.low == UnixTime::default() {
            // A commit that is under way may still bring a callback that was due before.
            let low = found.earliest.map_or(now, |earliest| earliest.min(now)) - COMMITS_WITHIN;
            app.low = Some((low, Instant::now()));
        }
        // Only the look may have shown the owner, and that the receiver fails: then it has one place.
        let mut begin = found.due.len().min(left);
        if found.fails {
            begin = begin.min(1_usize.saturating_sub(app.under_way)).min(free_slow);
        }
        let next = if begin < found.due.len() { Some(now) } else { found.next };
        let next = [next, app.reported].into_iter().flatten().min();
        self.set_head(look.app, next);
        begin
    }

    /// An attempt of an app begins.
    pub(super) fn begin(&mut self, app: ReceiverId) {
        self.under_way += 1;
        let owner = self.change(app, |app| {
            app.under_way += 1;
            app.owner
        });
        if let Some(owner) = owner {
            self.owners.entry(owner).or_default().under_way += 1;
        }
    }

    /// An attempt of an app has ended, or was not made.
    pub(super) fn end(&mut self, id: ReceiverId, ended: Option<Ended>, now: UnixTime) {
        let per_app = self.places.per_app;
        self.under_way = self.under_way.saturating_sub(1);
        let (blocked, owner) = self.change(id, |app| {
            app.under_way = app.under_way.saturating_sub(1);
            if let Some(ended) = ended {
                app.fails = ended.fails;
                app.slow = ended.took >= SLOW;
                app.places = match (ended.acknowledged, app.slow) {
                    (true, false) => (app.places * 2).min(per_app),
                    (true, true) => app.places,
                    (false, _) => (app.places / 2).max(1),
                };
            }
            (std::mem::take(&mut app.blocked), app.owner)
        });
        if let Some(owner) = owner
            && let Some(known) = self.owners.get_mut(&owner)
        {
            known.under_way = known.under_way.saturating_sub(1);
            let blocked = std::mem::take(&mut known.blocked);
            if known.under_way == 0 {
                self.owners.remove(&owner);
            }
            for app in blocked {
                self.app(app).blocked = false;
                self.waits(app, now);
            }
        }
        if blocked {
            self.waits(id, now);
        }
        if let Some(at) = ended.and_then(|ended| ended.retry_at) {
            self.waits(id, at);
        }
        if self.apps.get(&id).is_some_and(|app| app.head.is_none() && app.under_way == 0) {
            self.apps.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wallet_platform::DeliveryId;

    const NOW: UnixTime = UnixTime::from_secs(1_000_000);

    fn app(id: u64) -> ReceiverId {
        ReceiverId(id)
    }

    fn turns(at_once: usize) -> Turns {
        Turns::new(Places { at_once, per_owner: at_once, per_app: 8, per_host: 8 })
    }

    /// Takes every turn there is; each app has a backlog without end. Returns the number of attempts begun for each app.
    fn take(turns: &mut Turns, fails: &dyn Fn(ReceiverId) -> bool) -> HashMap<ReceiverId, usize> {
        let mut begun = HashMap::new();
        loop {
            let looks = turns.looks(NOW);
            if looks.is_empty() {
                return begun;
            }
            for look in looks {
                let due = (0..look.limit).map(DeliveryId).collect();
                let (earliest, next, fails) = (Some(NOW), Some(NOW), fails(look.app));
                let owner = Some(UserId::new(look.app.0 / 1_000));
                let found = DueOfApp { app: look.app, owner, due, earliest, next, fails };
                let begin = turns.found(&look, &found, NOW);
                (0..begin).for_each(|_| turns.begin(look.app));
                *begun.entry(look.app).or_default() += begin;
            }
        }
    }

    fn ended(acknowledged: bool, millis: u64, fails: bool) -> Option<Ended> {
        Some(Ended { acknowledged, took: Duration::from_millis(millis), retry_at: None, fails })
    }

    #[test]
    fn an_app_begins_with_few_places_and_gets_more_while_it_acknowledges() {
        let mut turns = turns(100);
        turns.waits(app(1), NOW);
        let none = |_| false;
        assert_eq!(take(&mut turns, &none)[&app(1)], 2);
        assert!(take(&mut turns, &none).is_empty(), "every place is taken");
        turns.end(app(1), ended(true, 5, false), NOW);
        assert_eq!(take(&mut turns, &none)[&app(1)], 3, "four places");
        turns.end(app(1), ended(true, 5, false), NOW);
        assert_eq!(take(&mut turns, &none)[&app(1)], 5, "eight, the most");
        turns.end(app(1), ended(false, 5, false), NOW);
        assert!(take(&mut turns, &none).is_empty(), "four again, and seven under way");
        (0..7).for_each(|_| turns.end(app(1), ended(false, 5, true), NOW));
        assert_eq!(take(&mut turns, &|_| true)[&app(1)], 1, "it fails: one place");
        assert!(take(&mut turns, &|_| true).is_empty());
        turns.end(app(1), ended(true, 5, false), NOW);
        assert_eq!(take(&mut turns, &none)[&app(1)], 2, "it works again");
    }

    #[test]
    fn slow_and_failing_receivers_leave_half_of_the_places() {
        let mut turns = turns(40);
        (1..=99).for_each(|dead| turns.waits(app(dead), NOW));
        let fails = |id: ReceiverId| id.0 < 100;
        take(&mut turns, &fails);
        // A look shows that they fail: each has one place, and all have half of them.
        assert_eq!((turns.slow, turns.under_way), (20, 20));
        for _ in 0..10 {
            let under_way: Vec<ReceiverId> =
                turns.apps.iter().filter(|(_, app)| app.under_way > 0).map(|(id, _)| *id).collect();
            for id in under_way {
                (0..turns.apps[&id].under_way).for_each(|_| turns.end(id, ended(false, 5_000, true), NOW));
            }
            take(&mut turns, &fails);
            assert_eq!((turns.slow, turns.under_way), (20, 20));
        }
        turns.waits(app(100), NOW);
        assert_eq!(take(&mut turns, &fails)[&app(100)], 2);
        (0..4).for_each(|_| {
            turns.end(app(100), ended(true, 5, false), NOW);
            take(&mut turns, &fails);
        });
        assert_eq!(turns.apps[&app(100)].under_way, 8, "the healthy one has all of its places");
    }

    #[test]
    fn the_app_with_the_fewest_attempts_comes_first() {
        let mut turns = turns(4);
        turns.waits(app(1), NOW - Duration::from_secs(100));
        let none = |_| false;
        take(&mut turns, &none);
        for _ in 0..3 {
            turns.end(app(1), ended(true, 5, false), NOW);
            take(&mut turns, &none);
        }
        assert_eq!(turns.apps[&app(1)].under_way, 4, "alone it takes every place");
        turns.waits(app(2), NOW);
        turns.end(app(1), ended(true, 5, false), NOW);
        assert_eq!(take(&mut turns, &none)[&app(2)], 1, "whose callbacks have not waited as long");
    }

    #[test]
    fn the_apps_of_one_owner_share_their_places() {
        let mut turns = Turns::new(Places { at_once: 40, per_owner: 10, per_app: 8, per_host: 8 });
        let none = |_| false;
        (1..=20).for_each(|many| turns.waits(app(many), NOW)); // all of owner 0
        turns.waits(app(1_000), NOW); // of owner 1
        let begun = take(&mut turns, &none);
        let of_first: usize = (1..=20).filter_map(|id| begun.get(&app(id))).sum();
        assert_eq!((of_first, begun[&app(1_000)]), (10, 2), "{begun:?}");
        // The first owner's receivers are quick, and get no more for it; those that wait take turns.
        for _ in 0..10 {
            let one =
                turns.apps.iter().find(|(id, known)| id.0 <= 20 && known.under_way > 0).map(|(id, _)| *id);
            turns.end(one.unwrap(), ended(true, 5, false), NOW);
            take(&mut turns, &none);
            assert_eq!(turns.of_owner(UserId::new(0)), 10);
        }
        turns.end(app(1_000), ended(true, 5, false), NOW);
        assert_eq!(take(&mut turns, &none)[&app(1_000)], 3, "four places");
        // Everything ends, and nothing is left.
        turns.heads.clear();
        let ids: Vec<ReceiverId> = turns.apps.keys().copied().collect();
        for id in ids {
            turns.app(id).head = None;
            let under_way = turns.app(id).under_way;
            (0..under_way).for_each(|_| turns.end(id, None, NOW));
        }
        assert_eq!((turns.under_way, turns.owners.len()), (0, 0), "{:?}", turns.owners);
    }

    #[test]
    fn an_idle_app_is_forgotten_and_the_counts_come_back_to_nothing() {
        let mut turns = turns(10);
        turns.waits(app(1), NOW);
        let look = turns.looks(NOW)[0];
        turns.begin(app(1));
        let found =
            DueOfApp { app: app(1), owner: None, due: vec![], earliest: None, next: None, fails: false };
        turns.found(&look, &found, NOW);
        assert_eq!((turns.under_way(), turns.next()), (1, None));
        let later = NOW + Duration::from_secs(60);
        let failed = Ended { acknowledged: false, took: SLOW, retry_at: Some(later), fails: false };
        turns.end(app(1), Some(failed), NOW);
        assert_eq!((turns.under_way(), turns.slow, turns.next()), (0, 0, Some(later)));
        assert!(turns.looks(NOW).is_empty());
        assert_eq!(turns.looks(later)[0].low, NOW - COMMITS_WITHIN, "nothing earlier waits");
        turns.begin(app(1));
        turns.found(&look, &found, NOW);
        turns.end(app(1), None, NOW);
        assert!(turns.apps.is_empty() && turns.heads.is_empty());
        assert_eq!((turns.under_way, turns.slow), (0, 0));
    }

    #[test]
    fn a_retry_that_is_reported_during_a_look_is_not_lost() {
        let mut turns = turns(10);
        turns.waits(app(1), NOW);
        let look = turns.looks(NOW)[0];
        // The look sees the callback leased; then its attempt ends, and is to be made again.
        let (retry, nothing) = (NOW + Duration::from_secs(15), None);
        turns.waits(app(1), retry);
        let found = DueOfApp {
            app: app(1),
            owner: None,
            due: vec![],
            earliest: nothing,
            next: nothing,
            fails: false,
        };
        turns.found(&look, &found, NOW);
        assert_eq!(turns.next(), Some(retry));
    }
}
