//! The wrong attempts to sign in with login names that nobody has (R22). With a row for each name anyone could fill the database, so
//! the names share blocks of a bounded size: 130 MiB in all.
//!
//! Its keyed hash gives a name a block, and there an entry with the same count and lock as a user's row. A full block gives up its oldest
//! entry, if that is older than the longest lock. Otherwise all further names of the block share one entry, which may count too much and
//! never too little.

use std::time::Duration;

use wallet_core::UnixTime;
use wallet_engine::rows;

use crate::accounts::{UserId, lifetimes};
use crate::passwords::{AttemptLimit, NOBODY, PasswordKind};
use crate::refusal::Stop;
use crate::schema::{Changes, Platform, Rows};

rows! { in Platform;
    /// The attempts at some of the login names that nobody has.
    unknown_names: UnknownNames {
        key {
            /// The number of the block, below 65,536.
            block: u32,
        }
        /// Entries of 30 bytes: see `Entry`.
        entries: Vec<u8>,
    }
}

/// The number of blocks.
const BLOCKS: u64 = 1 << 16;
/// The most entries of a block, beside the one that names share.
const MOST: usize = 64;
/// The time for which an entry is kept after the last attempt, if there is room.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// The mark of an entry that names share.
const SHARED: u32 = 0;

/// The attempts at one name, or at several that share the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// A part of the name's keyed hash.
    mark: u32,
    limit: AttemptLimit,
}

/// The bytes of an entry: mark, failures, pending, then three times in milliseconds.
type Bytes = [u8; 30];

impl Entry {
    fn bytes(&self) -> Bytes {
        let AttemptLimit { failures, locked_until, pending, pending_until, touched_at, .. } = &self.limit;
        let mut bytes = [0; 30];
        bytes[..4].copy_from_slice(&self.mark.to_be_bytes());
        bytes[4] = u8::try_from(*failures).unwrap_or(u8::MAX);
        bytes[5] = u8::try_from(*pending).unwrap_or(u8::MAX);
        for (at, time) in [(6, locked_until), (14, pending_until), (22, touched_at)] {
            bytes[at..at + 8].copy_from_slice(&time.millis().to_be_bytes());
        }
        bytes
    }

    /// As the entry of a name whose hash is `user`.
    fn read(bytes: &Bytes, user: UserId) -> Option<Self> {
        let time = |at: usize| {
            let millis = bytes.get(at..at + 8)?.try_into().ok()?;
            Some(UnixTime::from_millis(i64::from_be_bytes(millis)))
        };
        let limit = AttemptLimit {
            user,
            kind: PasswordKind::Login,
            failures: bytes[4].into(),
            locked_until: time(6)?,
            pending: bytes[5].into(),
            pending_until: time(14)?,
            touched_at: time(22)?,
        };
        Some(Self { mark: u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]), limit })
    }

    /// Whether a lock cannot last from the last attempt until now.
    fn is_old(&self, now: UnixTime) -> bool {
        self.limit.touched_at + lifetimes::LONGEST_LOCK < now
    }
}

/// The block and the mark of the hash of a name.
fn place(user: UserId) -> (u32, u32) {
    let hash = user.get() & (NOBODY - 1);
    let block = u32::try_from(hash % BLOCKS).unwrap_or_default();
    (block, u32::try_from((hash / BLOCKS) & u64::from(u32::MAX)).unwrap_or_default().max(SHARED + 1))
}

/// The entries of a block that are not forgotten.
fn entries(bytes: &[u8], user: UserId, now: UnixTime) -> Vec<Entry> {
    let (whole, _) = bytes.as_chunks::<30>();
    let known = whole.iter().filter_map(|bytes| Entry::read(bytes, user));
    known.filter(|entry| entry.limit.touched_at + KEPT >= now).collect()
}

/// Where the attempts at a name are, or will be.
enum Slot {
    /// In its entry, or in one that is pushed.
    Own(Option<usize>),
    /// In the place of an old entry.
    Old(usize),
    /// In the entry that names share.
    Shared(Option<usize>),
}

fn position(entries: &[Entry], mark: u32) -> Option<usize> {
    entries.iter().position(|entry| entry.mark == mark)
}

fn slot(entries: &[Entry], mark: u32, now: UnixTime) -> Slot {
    if let Some(own) = position(entries, mark) {
        return Slot::Own(Some(own));
    }
    if entries.iter().filter(|entry| entry.mark != SHARED).count() < MOST {
        return Slot::Own(None);
    }
    let old = entries.iter().enumerate().filter(|(_, entry)| entry.mark != SHARED && entry.is_old(now));
    match old.min_by_key(|(_, entry)| entry.limit.touched_at) {
        Some((at, _)) => Slot::Old(at),
        None => Slot::Shared(position(entries, SHARED)),
    }
}

/// The attempts at a name, by the entries of its block. `none` has no attempt.
fn read(entries: &[Entry], mark: u32, now: UnixTime, none: AttemptLimit) -> AttemptLimit {
    let at = match slot(entries, mark, now) {
        Slot::Own(Some(own)) => Some(own),
        // It may have shared that entry until now.
        Slot::Own(None) | Slot::Old(_) => {
            position(entries, SHARED).filter(|shared| !entries[*shared].is_old(now))
        }
        Slot::Shared(shared) => shared,
    };
    at.map_or(none, |at| entries[at].limit.clone())
}

/// Writes the attempts at a name into the entries of its block.
fn write(entries: &mut Vec<Entry>, mark: u32, now: UnixTime, limit: AttemptLimit) {
    match slot(entries, mark, now) {
        Slot::Own(Some(at)) | Slot::Shared(Some(at)) => entries[at].limit = limit,
        Slot::Old(at) => entries[at] = Entry { mark, limit },
        Slot::Own(None) => entries.push(Entry { mark, limit }),
        Slot::Shared(None) => entries.push(Entry { mark: SHARED, limit }),
    }
}

/// The attempts at the name whose hash is the user id of `none`, which has no attempt.
pub(crate) fn limit(rows: &Rows, now: UnixTime, none: AttemptLimit) -> Result<AttemptLimit, Stop> {
    let (block, mark) = place(none.user);
    let row = rows.find::<UnknownNames>(&(block,))?;
    Ok(match row {
        Some(row) => read(&entries(&row.entries, none.user, now), mark, now, none),
        None => none,
    })
}

/// Stores the attempts at a name.
pub(crate) fn keep(rows: &Rows, out: &mut Changes, now: UnixTime, limit: AttemptLimit) -> Result<(), Stop> {
    let (block, mark) = place(limit.user);
    let row = rows.find::<UnknownNames>(&(block,))?;
    let mut entries = row.map_or_else(Vec::new, |row| entries(&row.entries, limit.user, now));
    write(&mut entries, mark, now, limit);
    out.put(UnknownNames { block, entries: entries.iter().flat_map(Entry::bytes).collect() });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const T0: i64 = 1_700_000_000_000;

    fn none(user: u64, now: UnixTime) -> AttemptLimit {
        let never = UnixTime::default();
        let (kind, user) = (PasswordKind::Login, UserId::new(NOBODY | user));
        AttemptLimit {
            user,
            kind,
            failures: 0,
            locked_until: never,
            pending: 0,
            pending_until: never,
            touched_at: now,
        }
    }

    /// A failure of one of the names of a block, as the commands count it.
    fn fail(block: &mut Vec<u8>, name: u64, now: UnixTime) -> AttemptLimit {
        let (mark, none) = (u32::try_from(name + 1).unwrap(), none(name, now));
        let mut known = entries(block, none.user, now);
        let mut limit = read(&known, mark, now, none);
        limit.count_failure(now);
        write(&mut known, mark, now, limit.clone());
        *block = known.iter().flat_map(Entry::bytes).collect();
        limit
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let now = UnixTime::from_millis(T0);
        let limit = AttemptLimit {
            failures: 7,
            locked_until: now + Duration::from_millis(1),
            pending: 3,
            pending_until: now + Duration::from_secs(30),
            ..none(9, now)
        };
        let entry = Entry { mark: 0xfedc_ba98, limit };
        assert_eq!(Entry::read(&entry.bytes(), entry.limit.user), Some(entry));
    }

    /// A name with an entry of its own has exactly the failures of a user; others have more, never fewer, for as long as the longest
    /// lock lasts. The block does not grow.
    #[test]
    fn a_full_block_counts_too_much_and_never_forgets_within_a_lock() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for (names, minutes) in [(MOST as u64, 30), (80, 1), (80, 60), (500, 5), (500, 120)] {
            let (mut block, mut exact) = (Vec::new(), HashMap::<u64, (u32, UnixTime)>::new());
            let (mut now, mut longest) = (UnixTime::from_millis(T0), 0);
            for _ in 0..5_000 {
                now = now + Duration::from_secs(60 * random(minutes));
                let name = random(names);
                let counted = fail(&mut block, name, now);
                let (failures, touched) = exact.entry(name).or_insert((0, now));
                let forgotten = *touched + lifetimes::LONGEST_LOCK < now;
                *failures = if forgotten { counted.failures } else { *failures + 1 };
                *touched = now;
                let counted = counted.failures;
                if names <= MOST as u64 {
                    assert_eq!(counted, (*failures).min(255));
                } else {
                    assert!(counted >= (*failures).min(255), "{names} names: {counted} of {failures}");
                    *failures = counted; // it may have shared an entry
                }
                longest = longest.max(block.len());
            }
            assert!(longest <= (MOST + 1) * 30, "{longest} bytes");
        }
    }

    #[test]
    fn names_spread_over_the_blocks_and_marks() {
        let mut blocks = HashMap::<u32, u32>::new();
        for name in 0..1_000_000_u64 {
            // The keyed hash is uniform; this one is too.
            let hash =
                name.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (name.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 29);
            let (block, mark) = place(UserId::new(NOBODY | (hash >> 8)));
            assert!(u64::from(block) < BLOCKS && mark != SHARED);
            *blocks.entry(block).or_default() += 1;
        }
        let fullest = blocks.values().copied().max().unwrap();
        assert!(fullest as usize <= MOST, "a million names fit into entries of their own: {fullest}");
    }
}
