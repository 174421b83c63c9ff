//! What the engine needs of a database.

use wallet_platform::{AnyRow, List, Loader, Writer};

use crate::error::StoreError;

/// A database under one engine. Loads within a transaction see what it began with.
pub trait Backend: Loader<Error = StoreError> + Writer<Error = StoreError> {
    /// Begins a transaction.
    ///
    /// # Errors
    /// The database's.
    fn begin(&mut self) -> Result<(), StoreError>;
    /// Commits it; on return it is on disk. `next_id` is the row number to go on with.
    ///
    /// # Errors
    /// The database's. [`StoreError::Broken`] when it is not known what is on disk.
    fn commit(&mut self, next_id: u64) -> Result<(), StoreError>;
    /// Leaves it.
    fn rollback(&mut self);
    /// The rows of a list.
    ///
    /// # Errors
    /// The database's.
    fn list(&mut self, list: &List) -> Result<Vec<AnyRow>, StoreError>;
}
