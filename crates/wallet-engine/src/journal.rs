//! Journals: append-only logs, one per owner, all in one table.
//!
//! The cost of a commit is the number of pages that it dirties. So a journal appends the rows of all owners by
//! row number, and each row links to its owner's previous row. Every 32nd row of an owner has a mark, which is
//! an index entry from `n` to the row's key; a reader walks back to the other rows from the next mark or the newest row.

use std::ops::RangeInclusive;

use crate::command::Halt;
use crate::rows::Rows;
use crate::schema::{HasTable, Row};

/// The distance between two marked rows of an owner.
const MARK_INTERVAL: u64 = 32;

/// A row of a journal.
pub trait JournalRow: Row {
    /// The owner of a journal.
    type Owner: Copy;
    /// The row type of the marks: an index entry from `n` to a row's key.
    type Mark: Row;
    /// The row's number within its owner's journal, from 1 without gaps.
    fn n(&self) -> u64;
    /// The key of the owner's previous row.
    fn previous(&self) -> Option<Self::Key>;
    /// The key of the mark of row `n`.
    fn mark(owner: Self::Owner, n: u64) -> <Self::Mark as Row>::Key;
    /// The key of the row that a mark refers to.
    fn marked(mark: &Self::Mark) -> Self::Key;
}

/// Whether the row of this number has a mark.
pub fn has_mark(n: u64) -> bool {
    n.is_multiple_of(MARK_INTERVAL)
}

/// The rows `numbers`, newest first. `newest` is the key and number of the journal's last row; greater numbers
/// are ignored.
///
/// # Errors
/// [`Halt`].
pub fn read<J: JournalRow, S: HasTable<J> + HasTable<J::Mark>>(
    rows: &Rows<S>,
    owner: J::Owner,
    newest: Option<(J::Key, u64)>,
    numbers: RangeInclusive<u64>,
) -> Result<Vec<&J>, Halt> {
    let Some((newest, last)) = newest else { return Ok(Vec::new()) };
    let (from, to) = (*numbers.start(), last.min(*numbers.end()));
    if from > to {
        return Ok(Vec::new());
    }
    let mut next = match to.checked_next_multiple_of(MARK_INTERVAL) {
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
