//! The working set: rows that were loaded, what became of them, and what is still wanted.

use std::cell::RefCell;
use std::hash::Hash;

use foldhash::fast::FixedState;
use indexmap::IndexMap;
use wallet_api::fomo::UserId;
use wallet_core::UnixTime;

use crate::column::{Cell, CellSource, Column, ColumnKind};
use crate::entities::{AnyKey, AnyRow, ReceiverId, Rows as AllRows, VasAppId};
use crate::machine::Stop;

/// A keyed row of one table.
pub trait Entity: Clone + Sized {
    /// As any row.
    fn into_any(self) -> AnyRow;
    /// Its key.
    type Key: Clone + Ord + Hash;
    /// Where its table stands in [`TABLES`](crate::TABLES).
    const AT: usize;
    /// Its table.
    const TABLE: &'static TableMeta;
    /// The key of this row.
    fn key(&self) -> Self::Key;
    /// Hands over the value of each column, keys first.
    fn cells(&self, put: &mut dyn FnMut(Cell<'_>));
    /// Hands over the value of each key column.
    fn key_cells(key: &Self::Key, put: &mut dyn FnMut(Cell<'_>));
    /// Reads a row; `None` when a column holds what it cannot.
    fn read(cells: &dyn CellSource) -> Option<Self>;
    /// This entity out of any row.
    fn of(any: &AnyRow) -> Option<&Self>;
    /// As any key.
    fn any_key(key: &Self::Key) -> AnyKey;
}

/// A table, as stores need it.
#[derive(Debug, PartialEq, Eq)]
pub struct TableMeta {
    /// Its name.
    pub name: &'static str,
    /// Its columns, keys first.
    pub columns: &'static [ColumnMeta],
}

/// A column.
#[derive(Debug, PartialEq, Eq)]
pub struct ColumnMeta {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether it is part of the key.
    pub key: bool,
}

impl ColumnMeta {
    pub(crate) const fn of<C: Column>(name: &'static str, key: bool) -> Self {
        Self { name, kind: C::KIND, nullable: C::NULLABLE, key }
    }
}

/// What is known of one key: the row as it now stands, and whether a store has to be told.
#[derive(Debug, Clone)]
pub struct Slot<E> {
    row: Option<E>,
    stored: bool,
    dirty: bool,
}

/// The rows of one table, in the order in which they were first touched.
#[derive(Debug)]
pub struct Table<E: Entity>(IndexMap<E::Key, Slot<E>, FixedState>);

impl<E: Entity> Default for Table<E> {
    fn default() -> Self {
        Self(IndexMap::with_hasher(FixedState::default()))
    }
}

impl<E: Entity> Table<E> {
    /// Takes note of what the store has.
    pub fn loaded(&mut self, key: E::Key, row: Option<E>) {
        let stored = row.is_some();
        self.0.entry(key).or_insert(Slot { row, stored, dirty: false });
    }

    /// What is known of a key: nothing, that there is no such row, or the row.
    pub(crate) fn known(&self, key: &E::Key) -> Option<Option<&E>> {
        self.0.get(key).map(|slot| slot.row.as_ref())
    }

    fn put(&mut self, key: E::Key, row: Option<E>) {
        // What was never loaded is not there: `apply` has looked.
        let slot = self.0.entry(key).or_insert(Slot { row: None, stored: false, dirty: false });
        slot.row = row;
        slot.dirty = true;
    }

    fn write<W: Writer>(&self, writer: &mut W) -> Result<(), W::Error> {
        let mut new = Vec::new();
        // By key: neighbours in a table are written one after the other.
        let mut dirty: Vec<_> = self.0.iter().filter(|(_, slot)| slot.dirty).collect();
        dirty.sort_unstable_by_key(|(key, _)| *key);
        for (key, slot) in dirty {
            match (&slot.row, slot.stored) {
                (Some(row), false) => new.push(row),
                (Some(row), true) => writer.update(row)?,
                (None, true) => writer.delete::<E>(key)?,
                (None, false) => {}
            }
        }
        writer.insert(&new)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn write_all<W: Writer>(&self, writer: &mut W) -> Result<(), W::Error> {
        self.write(writer)
    }

    pub(crate) fn absorb(&mut self, key: E::Key, row: Option<E>) {
        self.put(key, row);
    }
}

/// A set of tables that has one of `E`.
pub trait Has<E: Entity> {
    /// The table.
    fn table(&self) -> &Table<E>;
    /// The table.
    fn table_mut(&mut self) -> &mut Table<E>;
}

/// Loads rows from a store.
pub trait Loader {
    /// What can go wrong.
    type Error;
    /// The row of a key.
    ///
    /// # Errors
    /// The store's.
    fn load<E: Entity>(&mut self, key: &E::Key) -> Result<Option<E>, Self::Error>;
}

/// Writes rows to a store.
pub trait Writer {
    /// What can go wrong.
    type Error;
    /// Rows that are new.
    ///
    /// # Errors
    /// The store's.
    fn insert<E: Entity>(&mut self, rows: &[&E]) -> Result<(), Self::Error>;
    /// A row that has changed.
    ///
    /// # Errors
    /// The store's.
    fn update<E: Entity>(&mut self, row: &E) -> Result<(), Self::Error>;
    /// A row that is gone.
    ///
    /// # Errors
    /// The store's.
    fn delete<E: Entity>(&mut self, key: &E::Key) -> Result<(), Self::Error>;
}

/// A list of rows that only queries ask for. The store answers it from what is committed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum List {
    /// Every coin, by sort_id, then id.
    Coins,
    /// The FOMO apps of one owner, in the order in which they were made.
    Apps {
        /// Whose.
        owner: UserId,
    },
    /// The apps of one owner that applied for access to the VAS and Lafi wallets, in this order.
    VasApps {
        /// Whose.
        owner: UserId,
    },
    /// The applications that wait for review, in the order in which they came.
    PendingApplications {
        /// How many at most.
        limit: u64,
    },
    /// Deliveries that wait, are due by then and have no lease (the leases of a process that died are freed when the
    /// store is opened), earliest first.
    Due {
        /// By when.
        by: UnixTime,
        /// Apps whose deliveries are passed over.
        except: Vec<ReceiverId>,
        /// How many at most.
        limit: u64,
    },
    /// Deliveries that have a lease.
    Leased,
    /// Deliveries that wait after an attempt that failed and have no lease, the soonest first.
    Failing {
        /// How many at most.
        limit: u64,
    },
    /// Deliveries that were never heard, the newest first.
    Unheard {
        /// How many at most.
        limit: u64,
    },
    /// The deliveries of an app, the newest first.
    DeliveriesOf {
        /// Whose.
        app: ReceiverId,
        /// Whether only those that were never heard.
        unheard: bool,
        /// Below which number.
        before: u64,
        /// How many at most.
        limit: u64,
    },
    /// The orders of an app of the VAS and Lafi wallets, the newest first.
    Orders {
        /// Whose.
        app: VasAppId,
        /// Below which number.
        before: u64,
        /// How many at most.
        limit: u64,
    },
    /// The orders of the VAS and Lafi wallets that a user submitted payments for in an asset, the newest first.
    OrdersPaidBy {
        /// Who submitted.
        payer: UserId,
        /// In which asset.
        asset: String,
        /// Below which number.
        before: u64,
        /// How many at most.
        limit: u64,
    },
    /// What operators did, the newest first.
    Audits {
        /// How many at most.
        limit: u64,
    },
    /// Orders whose payment is watched, from this number on.
    WatchedOrders {
        /// After which.
        after: u64,
        /// How many at most.
        limit: u64,
    },
    /// Rows whose time was over by then, the longest first.
    Over {
        /// Which rows.
        what: Passing,
        /// By when.
        by: UnixTime,
        /// How many at most.
        limit: u64,
    },
}

/// A number above every row's.
pub(crate) const ALL: u64 = i64::MAX.unsigned_abs();

/// Rows whose time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Passing {
    /// Codes, by `expires_at`.
    Codes,
    /// Tokens, by `expires_at`.
    Tokens,
    /// Sessions, by `expires_at`.
    Sessions,
    /// Registrations, by `expires_at`.
    Registrations,
    /// openCodes, by `expires_at`.
    OpenCodes,
    /// Attempt limits of login names that nobody had ([`NOBODY`](crate::NOBODY)), by `touched_at`.
    NobodysLimits,
}

/// What a command or query asked for and did not find loaded.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Rows.
    pub keys: Vec<AnyKey>,
    /// Lists.
    pub lists: Vec<List>,
}

/// The part of [`Rows`] that is the same for all tables.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    wanted: RefCell<Wanted>,
    lists: IndexMap<List, Vec<AnyRow>, FixedState>,
}

impl AllRows {
    /// Asks for a row ahead of need, so that it is loaded together with others.
    pub fn want<E: Entity>(&self, key: &E::Key)
    where
        Self: Has<E>,
    {
        if !self.table().0.contains_key(key) {
            self.asked.wanted.borrow_mut().keys.push(E::any_key(key));
        }
    }

    /// The row of a key, if there is one.
    ///
    /// # Errors
    /// [`Stop::Missing`] when it has not been loaded.
    pub fn find<E: Entity>(&self, key: &E::Key) -> Result<Option<&E>, Stop>
    where
        Self: Has<E>,
    {
        match self.table().0.get(key) {
            Some(slot) => Ok(slot.row.as_ref()),
            None => {
                self.want::<E>(key);
                Err(Stop::Missing)
            }
        }
    }

    /// The rows that there are of these keys, in their order.
    ///
    /// # Errors
    /// [`Stop::Missing`] when one has not been loaded.
    pub fn find_all<E: Entity>(&self, keys: impl Iterator<Item = E::Key> + Clone) -> Result<Vec<&E>, Stop>
    where
        Self: Has<E>,
    {
        keys.clone().for_each(|key| self.want::<E>(&key));
        keys.filter_map(|key| self.find(&key).transpose()).collect()
    }

    /// The rows of a list.
    ///
    /// # Errors
    /// [`Stop::Missing`] when it has not been loaded.
    pub fn list<E: Entity>(&self, list: List) -> Result<Vec<&E>, Stop> {
        match self.asked.lists.get(&list) {
            Some(rows) => Ok(rows.iter().filter_map(E::of).collect()),
            None => {
                self.asked.wanted.borrow_mut().lists.push(list);
                Err(Stop::Missing)
            }
        }
    }

    /// Takes note of the rows of a list.
    pub fn listed(&mut self, list: List, rows: Vec<AnyRow>) {
        self.asked.lists.insert(list, rows);
    }

    /// What has been asked for since, to be loaded.
    pub fn take_wanted(&self) -> Wanted {
        self.asked.wanted.take()
    }

    pub(crate) fn forget_asked(&mut self) {
        self.asked.wanted.take();
        self.asked.lists.clear();
    }

    /// Whether any row waits to be written.
    pub fn is_dirty(&self) -> bool {
        struct Any;
        impl Writer for Any {
            type Error = ();
            fn insert<E: Entity>(&mut self, rows: &[&E]) -> Result<(), ()> {
                if rows.is_empty() { Ok(()) } else { Err(()) }
            }
            fn update<E: Entity>(&mut self, _: &E) -> Result<(), ()> {
                Err(())
            }
            fn delete<E: Entity>(&mut self, _: &E::Key) -> Result<(), ()> {
                Err(())
            }
        }
        self.write(&mut Any).is_err()
    }
}

/// One change of a row.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // nearly all of them are rows
pub enum AnyChange {
    /// The row now stands like this.
    Put(AnyRow),
    /// The row is gone.
    Delete(AnyKey),
}

/// What a command changes. Written to the rows only when it has run to its end.
#[derive(Debug, Default)]
pub struct Changes(pub(crate) Vec<AnyChange>);

impl Changes {
    /// The row now stands like this.
    pub fn put(&mut self, row: impl Into<AnyRow>) {
        self.0.push(AnyChange::Put(row.into()));
    }

    /// The row is gone.
    pub fn delete<E: Entity>(&mut self, key: &E::Key) {
        self.0.push(AnyChange::Delete(E::any_key(key)));
    }

    /// How much has been put so far.
    pub(crate) fn mark(&self) -> usize {
        self.0.len()
    }

    /// Forgets what was put since a mark.
    pub(crate) fn back_to(&mut self, mark: usize) {
        self.0.truncate(mark);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
