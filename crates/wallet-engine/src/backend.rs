//! The database interface of the engine.

use crate::error::StoreError;
use crate::list::ListOf;
use crate::schema::{HasTable, Row, Schema};

/// A database with the tables of a schema. Between [`begin`](Self::begin) and [`commit`](Self::commit) or
/// [`rollback`](Self::rollback), loads and lists see what was committed when the transaction began.
///
/// Every method fails with the database's error: [`StoreError::Database`] if nothing was written, [`StoreError::Broken`]
/// if the state on disk is unknown.
pub trait Backend<S: Schema> {
    /// Begins a transaction.
    ///
    /// # Errors
    /// The database's.
    fn begin(&mut self) -> Result<(), StoreError>;
    /// The row of a key, if there is one.
    ///
    /// # Errors
    /// The database's.
    fn load<E: Row>(&mut self, key: &E::Key) -> Result<Option<E>, StoreError>
    where
        S: HasTable<E>;
    /// The rows of a list.
    ///
    /// # Errors
    /// The database's.
    fn list(&mut self, list: &ListOf) -> Result<Vec<S::AnyRow>, StoreError>;
    /// Inserts rows, ordered by key. A row that exists is an error.
    ///
    /// # Errors
    /// The database's.
    fn insert<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
    where
        S: HasTable<E>;
    /// Replaces a row. A row that does not exist is an error.
    ///
    /// # Errors
    /// The database's.
    fn update<E: Row>(&mut self, row: &E) -> Result<(), StoreError>
    where
        S: HasTable<E>;
    /// Deletes a row. A row that does not exist is an error.
    ///
    /// # Errors
    /// The database's.
    fn delete<E: Row>(&mut self, key: &E::Key) -> Result<(), StoreError>
    where
        S: HasTable<E>;
    /// Commits; the changes are on disk when it returns. `next_id` is the next row number.
    ///
    /// # Errors
    /// The database's.
    fn commit(&mut self, next_id: u64) -> Result<(), StoreError>;
    /// Ends the transaction without a change.
    fn rollback(&mut self);
}
