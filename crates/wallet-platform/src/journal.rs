//! Journals: lists that only grow, those of all owners in one table.
//!
//! What a commit costs is the pages that it touches. So the rows of every owner are appended to their table by row number,
//! wherever their owner's rows before them stand, and each names the one before it. Every [`EVERY`]th is found by its
//! number too, through a mark; any other is reached from the mark after it, or from the newest, step by step.

use std::ops::RangeInclusive;

use wallet_api::fomo::Refusal;

use crate::entities::Rows;
use crate::machine::Stop;
use crate::rows::{Entity, Has};

/// One row in so many has a mark.
const EVERY: u64 = 32;

/// A row of a journal.
pub(crate) trait Journaled: Entity {
    /// Whose journal.
    type Owner: Copy;
    /// Finds a row by its number.
    type Mark: Entity;
    /// Its number within the journal, from 1 without gaps.
    fn n(&self) -> u64;
    /// The row before it.
    fn previous(&self) -> Option<Self::Key>;
    /// The mark of row `n`.
    fn mark(owner: Self::Owner, n: u64) -> <Self::Mark as Entity>::Key;
    /// The row that a mark names.
    fn marked(mark: &Self::Mark) -> Self::Key;
}

/// Whether the row of this number has a mark.
pub(crate) fn has_mark(n: u64) -> bool {
    n.is_multiple_of(EVERY)
}

/// The rows of these numbers, the newest first. `newest` is the last row of the journal and its number; numbers beyond it
/// are passed over.
pub(crate) fn read<J: Journaled>(
    rows: &Rows,
    owner: J::Owner,
    newest: Option<(J::Key, u64)>,
    numbers: RangeInclusive<u64>,
) -> Result<Vec<&J>, Stop>
where
    Rows: Has<J> + Has<J::Mark>,
{
    let Some((newest, last)) = newest else { return Ok(Vec::new()) };
    let (from, to) = (*numbers.start(), last.min(*numbers.end()));
    if from > to {
        return Ok(Vec::new());
    }
    let mut next = match to.checked_next_multiple_of(EVERY) {
        Some(n) if n <= last => {
            Some(J::marked(rows.find::<J::Mark>(&J::mark(owner, n))?.ok_or(Refusal::Internal)?))
        }
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
