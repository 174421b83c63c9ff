//! The database interface of the engine.

use wallet_core::UnixTime;

use crate::error::StoreError;
use crate::list::ListOf;
use crate::schema::{HasTable, Row, Schema};

/// The state of a shared database. The number alone would not do: a standby that was promoted without the last transactions
/// may have as many as the lost primary, but not at the same times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The number of transactions that were committed. A commit counts as one, whatever it changes.
    pub batch: u64,
    /// The time of the last one.
    pub at: UnixTime,
}

/// What a transaction of a shared database begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The next row number.
    pub next_id: u64,
    /// The state before the transaction; `None` if the transaction only reads.
    pub version: Option<Version>,
    /// The time of every decision in the transaction: the database's.
    pub now: UnixTime,
}

/// Rows of a shared database, read before the transaction begins.
#[derive(Debug)]
pub struct Look<S: Schema> {
    /// The state just before the rows were read.
    pub version: Version,
    /// The rows that exist of the keys that were given, in any order.
    pub rows: Vec<S::AnyRow>,
}

/// A transaction that has begun.
#[derive(Debug)]
pub struct Begun<S: Schema> {
    /// The rows that exist of the keys that were given, in any order.
    pub rows: Vec<S::AnyRow>,
    /// `None` if only this process writes to the database: the engine then counts row numbers itself, and the time of a
    /// decision is its caller's.
    pub turn: Option<Turn>,
}

impl<S: Schema> Begun<S> {
    /// Of a database to which only this process writes.
    pub fn alone() -> Self {
        Self { rows: Vec::new(), turn: None }
    }
}

/// A database with the tables of a schema. Between [`begin`](Self::begin) and [`commit`](Self::commit) or
/// [`rollback`](Self::rollback), loads and lists see what was committed when the transaction began.
///
/// Every method fails with the database's error: [`StoreError::Database`] if nothing was written,
/// [`StoreError::Interrupted`] if nothing was written and the same batch may succeed, [`StoreError::Unknown`] if a commit
/// has no answer, [`StoreError::Broken`] if the store must stop.
pub trait Backend<S: Schema> {
    /// Whether other processes write to the database too. Their transactions take turns. The engine then finds out which
    /// keys a batch needs before its turn, so that the turn is short.
    const SHARED: bool = false;

    /// Begins a transaction and loads the rows of these keys. `keys` is empty unless [`SHARED`](Self::SHARED).
    ///
    /// # Errors
    /// The database's.
    fn begin(&mut self, keys: &[S::AnyKey]) -> Result<Begun<S>, StoreError>;
    /// The rows that exist of these keys, as they are committed now, before the transaction begins. The engine calls this only
    /// if [`SHARED`](Self::SHARED).
    ///
    /// # Errors
    /// The database's.
    fn look(&mut self, keys: &[S::AnyKey]) -> Result<Look<S>, StoreError> {
        let version = Version { batch: 0, at: UnixTime::default() };
        Ok(Look { version, rows: self.load(keys)? })
    }
    /// The rows that exist of these keys, in any order. Each key is there once.
    ///
    /// # Errors
    /// The database's.
    fn load(&mut self, keys: &[S::AnyKey]) -> Result<Vec<S::AnyRow>, StoreError>;
    /// The rows of a list.
    ///
    /// # Errors
    /// The database's.
    fn list(&mut self, list: &ListOf) -> Result<Vec<S::AnyRow>, StoreError>;
    /// Inserts rows, ordered by key. A row that exists is an error, here or at the commit.
    ///
    /// # Errors
    /// The database's.
    fn insert<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
    where
        S: HasTable<E>;
    /// Replaces rows, ordered by key. A row that does not exist is an error, here or at the commit.
    ///
    /// # Errors
    /// The database's.
    fn update<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
    where
        S: HasTable<E>;
    /// Deletes the rows of these keys, which are in order. A row that does not exist is an error, here or at the commit.
    ///
    /// # Errors
    /// The database's.
    fn delete<E: Row>(&mut self, keys: &[&E::Key]) -> Result<(), StoreError>
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
