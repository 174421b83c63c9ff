//! Journals: lists that only grow, those of all owners in one table.
//!
//! The cost of a commit is the number of pages that it touches. So the rows of every owner are appended to their table by
//! row number, and each row refers to its owner's row before it. Every 32nd row of an owner has a mark, by which it is
//! found by its number; the others are reached from the next mark, or from the newest row, step by step.

use std::ops::RangeInclusive;

use crate::command::Halt;
use crate::rows::Rows;
use crate::schema::{Entity, Row};

/// One row in so many has a mark.
const EVERY: u64 = 32;

/// A row of a journal.
pub trait Journaled: Entity {
    /// The owner of a journal.
    type Owner: Copy;
    /// Finds a row by its number.
    type Mark: Entity<Schema = Self::Schema>;
    /// Its number within the journal, from 1 without gaps.
    fn n(&self) -> u64;
    /// The key of the row before it.
    fn previous(&self) -> Option<Self::Key>;
    /// The key of the mark of row `n`.
    fn mark(owner: Self::Owner, n: u64) -> <Self::Mark as Row>::Key;
    /// The key of the row that a mark refers to.
    fn marked(mark: &Self::Mark) -> Self::Key;
}

/// Whether the row of this number has a mark.
pub fn has_mark(n: u64) -> bool {
    n.is_multiple_of(EVERY)
}

/// The rows of these numbers, the newest first. `newest` is the last row of the journal and its number; numbers beyond it
/// are ignored.
///
/// # Errors
/// [`Halt`].
pub fn read<J: Journaled>(
    rows: &Rows<J::Schema>,
    owner: J::Owner,
    newest: Option<(J::Key, u64)>,
    numbers: RangeInclusive<u64>,
) -> Result<Vec<&J>, Halt> {
    let Some((newest, last)) = newest else { return Ok(Vec::new()) };
    let (from, to) = (*numbers.start(), last.min(*numbers.end()));
    if from > to {
        return Ok(Vec::new());
    }
    let mut next = match to.checked_next_multiple_of(EVERY) {
        Some(n) if n <= last => Some(J::marked(rows.get::<J::Mark>(&J::mark(owner, n))?)),
        _ => Some(newest),
    };
    let mut found = Vec::new();
    while let Some(key) = next {
        let Some(row) = rows.find::<J>(&key)?.filter(|row| row.n() >= from) else { break };
        if row.n() <= to {
            found.push(row);
        }
        next = row.previous();
    }
    Ok(found)
}
