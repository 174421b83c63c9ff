//! Reading whole tables on one snapshot: for a check of a database, and for a copy.

use std::fmt;

use crate::backend::Backend;
use crate::batch::Engine;
use crate::command::Halt;
use crate::error::StoreError;
use crate::list::Operand;
use crate::rows::{Change, Rows};
use crate::schema::Schema;

/// A backend whose tables can be read from their beginning to their end.
pub trait Scan<S: Schema>: Backend<S> {
    /// At most `limit` rows of the table at this position of [`Schema::TABLES`], by key, beginning after the key `after`.
    ///
    /// # Errors
    /// The database's; [`StoreError::Damaged`] if one of the rows cannot be read.
    fn page(
        &mut self,
        table: usize,
        after: Option<&S::AnyKey>,
        limit: u32,
    ) -> Result<Vec<S::AnyRow>, StoreError>;
}

/// A snapshot of a database: what was committed when it began. It ends when it is dropped.
pub struct Snapshot<'e, S: Schema, B: Backend<S>> {
    backend: &'e mut B,
    rows: Rows<S>,
}

impl<S: Schema, B: Backend<S>> fmt::Debug for Snapshot<'_, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

impl<S: Schema, B: Backend<S>> Engine<S, B> {
    /// Begins a snapshot.
    ///
    /// # Errors
    /// The database's.
    pub fn snapshot(&mut self) -> Result<Snapshot<'_, S, B>, StoreError> {
        let backend = self.backend();
        match backend.begin(&[]) {
            Ok(_) => Ok(Snapshot { backend, rows: Rows::default() }),
            Err(error) => {
                backend.rollback();
                Err(error)
            }
        }
    }
}

impl<S: Schema, B: Backend<S>> Snapshot<'_, S, B> {
    /// Runs `read` until every row that it asks for is loaded.
    ///
    /// # Errors
    /// The database's, and [`StoreError::Damaged`].
    pub fn read<T>(&mut self, mut read: impl FnMut(&Rows<S>) -> Result<T, Halt>) -> Result<T, StoreError> {
        self.rows.clear();
        loop {
            match read(&self.rows) {
                Ok(answer) => return Ok(answer),
                Err(Halt::Missing) => self.rows.load_wanted(self.backend)?,
                Err(Halt::Damaged { table }) => return Err(StoreError::damaged(table)),
            }
        }
    }
}

impl<S: Schema, B: Scan<S>> Snapshot<'_, S, B> {
    /// A page of a table; see [`Scan::page`].
    ///
    /// # Errors
    /// As [`Scan::page`].
    pub fn page(
        &mut self,
        table: usize,
        after: Option<&S::AnyKey>,
        limit: u32,
    ) -> Result<Vec<S::AnyRow>, StoreError> {
        self.backend.page(table, after, limit)
    }
}

/// The number of rows of a page of a copy.
const PAGE: u32 = 1_000;

impl<S: Schema, B: Scan<S>> Snapshot<'_, S, B> {
    /// Passes the rows of a table to `each`, a page at a time, by key.
    ///
    /// # Errors
    /// The database's, and that of `each`.
    pub fn pages(
        &mut self,
        table: usize,
        mut each: impl FnMut(&mut Self, &[S::AnyRow]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.page(table, after.as_ref(), PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(S::key(last));
            each(self, &page)?;
        }
    }

    /// The number of rows in the tables of both, which must be equal row by row; otherwise the first difference, in words.
    ///
    /// # Errors
    /// Of either database.
    pub fn compare<C: Scan<S>>(
        &mut self,
        other: &mut Snapshot<'_, S, C>,
        mut progress: impl FnMut(&'static str, u64),
    ) -> Result<Result<u64, String>, StoreError> {
        let mut all = 0;
        for (at, table) in S::TABLES.iter().enumerate() {
            let (mut after, mut count) = (None, 0);
            loop {
                let page = self.page(at, after.as_ref(), PAGE)?;
                let others = other.page(at, after.as_ref(), PAGE)?;
                let differs = page.iter().zip(&others).find(|(a, b)| cells::<S>(a) != cells::<S>(b));
                if let Some((row, _)) = differs {
                    return Ok(Err(format!("table {}: {:?}", table.name, S::key(row))));
                }
                if page.len() != others.len() {
                    let (more, fewer) =
                        if page.len() > others.len() { (&page, &others) } else { (&others, &page) };
                    let key = more.get(fewer.len()).map(S::key);
                    return Ok(Err(format!("table {}: only one has {key:?}", table.name)));
                }
                count += page.len() as u64;
                let Some(last) = page.last() else { break };
                after = Some(S::key(last));
            }
            progress(table.name, count);
            all += count;
        }
        Ok(Ok(all))
    }
}

/// The values of a row.
fn cells<S: Schema>(row: &S::AnyRow) -> Vec<Operand> {
    let mut cells = Vec::new();
    S::cells(row, &mut |cell| cells.push(Operand::from(cell)));
    cells
}

impl<S: Schema, B: Backend<S>> Engine<S, B> {
    /// Writes rows that a database does not have, in a transaction of their own. For a copy: they were decided elsewhere.
    /// `next_id` is the next row number.
    ///
    /// # Errors
    /// The database's.
    pub fn write(&mut self, rows: &[S::AnyRow], next_id: u64) -> Result<(), StoreError> {
        let mut tables = S::Tables::default();
        rows.iter().for_each(|row| S::absorb(&mut tables, Change::Put(row.clone())));
        let backend = self.backend();
        let written = backend
            .begin(&[])
            .and_then(|_| S::write(&tables, backend))
            .and_then(|()| backend.commit(next_id));
        if written.is_err() {
            backend.rollback();
        }
        written
    }
}

impl<S: Schema, B: Backend<S>> Drop for Snapshot<'_, S, B> {
    fn drop(&mut self) {
        self.backend.rollback();
    }
}
