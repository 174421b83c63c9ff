//! The working set: rows as loaded and as changed by commands, and the keys to load next.

use std::cell::RefCell;
use std::fmt;

use foldhash::fast::FixedState;
use indexmap::{IndexMap, IndexSet};

use crate::backend::Backend;
use crate::command::Halt;
use crate::error::StoreError;
use crate::list::{List, ListOf};
use crate::schema::{HasTable, Row, Schema};

/// The row of one key, and whether it must be written.
#[derive(Debug, Clone)]
struct Slot<E> {
    row: Option<E>,
    stored: bool,
    dirty: bool,
}

/// The largest number of rows of a table that are kept between batches.
const KEPT: usize = 16_384;

/// The rows of one table, in the order in which they were first touched.
#[derive(Debug)]
pub struct Table<E: Row> {
    slots: IndexMap<E::Key, Slot<E>, FixedState>,
    /// The positions of the rows that have changed.
    dirty: Vec<usize>,
    /// The number of slots that earlier batches have left, the first ones.
    kept: usize,
}

impl<E: Row> Default for Table<E> {
    fn default() -> Self {
        Self { slots: IndexMap::with_hasher(FixedState::default()), dirty: Vec::new(), kept: 0 }
    }
}

impl<E: Row> Table<E> {
    /// Records the backend's row.
    pub fn loaded(&mut self, key: E::Key, row: Option<E>) {
        let stored = row.is_some();
        self.slots.entry(key).or_insert(Slot { row, stored, dirty: false });
    }

    /// Records a command's change; `None` if it deleted the row.
    pub fn put(&mut self, key: E::Key, row: Option<E>) {
        // A key that was never loaded has no row: `apply` looked before it decided to insert.
        let entry = self.slots.entry(key);
        let at = entry.index();
        let slot = entry.or_insert(Slot { row: None, stored: false, dirty: false });
        slot.row = row;
        if !std::mem::replace(&mut slot.dirty, true) {
            self.dirty.push(at);
        }
    }

    fn changed(&self) -> impl Iterator<Item = (&E::Key, &Slot<E>)> {
        self.dirty.iter().filter_map(|at| self.slots.get_index(*at))
    }

    /// Whether any row has changed.
    pub fn is_dirty(&self) -> bool {
        // A row that was inserted and deleted again leaves nothing to write.
        self.changed().any(|(_, slot)| slot.row.is_some() || slot.stored)
    }

    /// Forgets every row and keeps the memory.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.dirty.clear();
        self.kept = 0;
    }

    /// Keeps rows for the next batch, now that the changes are committed. New rows are not among them: most belong to a journal,
    /// which nobody reads soon.
    pub fn keep(&mut self) {
        for at in self.dirty.drain(..) {
            if let Some((_, slot)) = self.slots.get_index_mut(at).filter(|_| at < self.kept) {
                (slot.stored, slot.dirty) = (slot.row.is_some(), false);
            }
        }
        let touched: Vec<_> = self.slots.drain(self.kept..).collect();
        let stays = touched.into_iter().filter(|(_, slot)| slot.stored && slot.row.is_some());
        self.slots.extend(stays.map(|(key, slot)| (key, Slot { dirty: false, ..slot })));
        if self.slots.len() > KEPT {
            self.slots.drain(..self.slots.len() - KEPT / 2);
        }
        self.kept = self.slots.len();
    }

    /// Writes every changed row, by key: neighbours in a table are written one after the other.
    ///
    /// # Errors
    /// The backend's.
    pub fn write<S: HasTable<E>, B: Backend<S>>(&self, backend: &mut B) -> Result<(), StoreError> {
        let (mut new, mut changed, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let mut dirty: Vec<_> = self.changed().collect();
        dirty.sort_unstable_by_key(|(key, _)| *key);
        for (key, slot) in dirty {
            match (&slot.row, slot.stored) {
                (Some(row), false) => new.push(row),
                (Some(row), true) => changed.push(row),
                (None, true) => gone.push(key),
                (None, false) => {}
            }
        }
        if !changed.is_empty() {
            backend.update(&changed)?;
        }
        if !gone.is_empty() {
            backend.delete::<E>(&gone)?;
        }
        if new.is_empty() { Ok(()) } else { backend.insert(&new) }
    }
}

/// The keys that a decision needs and that are not loaded.
struct Wanted<S: Schema> {
    keys: IndexSet<S::AnyKey, FixedState>,
    lists: Vec<ListOf>,
}

impl<S: Schema> Default for Wanted<S> {
    fn default() -> Self {
        Self { keys: IndexSet::with_hasher(FixedState::default()), lists: Vec::new() }
    }
}

/// The working set of a batch.
///
/// A decision that asks for a row which is not loaded ends with [`Halt::Missing`]. Its caller loads the wanted rows
/// ([`load_wanted`](Self::load_wanted)) and runs it again from the start.
pub struct Rows<S: Schema> {
    tables: S::Tables,
    wanted: RefCell<Wanted<S>>,
    lists: IndexMap<ListOf, Vec<S::AnyRow>, FixedState>,
}

impl<S: Schema> fmt::Debug for Rows<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("tables", &self.tables).finish_non_exhaustive()
    }
}

impl<S: Schema> Default for Rows<S> {
    fn default() -> Self {
        let lists = IndexMap::with_hasher(FixedState::default());
        Self { tables: S::Tables::default(), wanted: RefCell::default(), lists }
    }
}

impl<S: Schema> Rows<S> {
    /// Asks for a row ahead of need, so that it is loaded together with others. This affects speed only.
    pub fn want<E: Row>(&self, key: &E::Key)
    where
        S: HasTable<E>,
    {
        if !S::table(&self.tables).slots.contains_key(key) {
            self.wanted.borrow_mut().keys.insert(S::any_key(key.clone()));
        }
    }

    /// The row of a key, if there is one.
    ///
    /// # Errors
    /// [`Halt::Missing`] if it is not loaded.
    pub fn find<E: Row>(&self, key: &E::Key) -> Result<Option<&E>, Halt>
    where
        S: HasTable<E>,
    {
        match S::table(&self.tables).slots.get(key) {
            Some(slot) => Ok(slot.row.as_ref()),
            None => {
                self.want::<E>(key);
                Err(Halt::Missing)
            }
        }
    }

    /// The row of a key that another row refers to.
    ///
    /// # Errors
    /// [`Halt::Missing`] if it is not loaded, [`Halt::Damaged`] if there is no such row.
    pub fn get<E: Row>(&self, key: &E::Key) -> Result<&E, Halt>
    where
        S: HasTable<E>,
    {
        self.find::<E>(key)?.ok_or(Halt::Damaged { table: E::TABLE.name })
    }

    /// The rows that exist of these keys, in their order.
    ///
    /// # Errors
    /// [`Halt::Missing`] if one is not loaded.
    pub fn find_all<E: Row>(&self, keys: impl Iterator<Item = E::Key> + Clone) -> Result<Vec<&E>, Halt>
    where
        S: HasTable<E>,
    {
        keys.clone().for_each(|key| self.want::<E>(&key));
        keys.filter_map(|key| self.find(&key).transpose()).collect()
    }

    /// The loaded state of a key: not loaded (`None`), no row, or the row.
    pub fn known<E: Row>(&self, key: &E::Key) -> Option<Option<&E>>
    where
        S: HasTable<E>,
    {
        S::table(&self.tables).slots.get(key).map(|slot| slot.row.as_ref())
    }

    /// Inserts or replaces a row in this working set alone.
    pub fn put<E: Row>(&mut self, row: E)
    where
        S: HasTable<E>,
    {
        S::table_mut(&mut self.tables).put(row.key(), Some(row));
    }

    /// The rows of a list, as they are committed. Only for queries: a list does not see what a batch has changed.
    ///
    /// # Errors
    /// [`Halt::Missing`] if it is not loaded.
    pub fn list<E: Row>(&self, list: List<E>) -> Result<Vec<&E>, Halt>
    where
        S: HasTable<E>,
    {
        let list = list.into_data::<S>();
        match self.lists.get(&list) {
            Some(rows) => Ok(rows.iter().filter_map(S::row_of).collect()),
            None => {
                self.wanted.borrow_mut().lists.push(list);
                Err(Halt::Missing)
            }
        }
    }

    /// Loads the rows that were wanted since the last call.
    ///
    /// # Errors
    /// The backend's, or that nothing was asked for: a decision that ends with [`Halt::Missing`] and names no row would be
    /// repeated for ever.
    pub fn load_wanted<B: Backend<S>>(&mut self, backend: &mut B) -> Result<(), StoreError> {
        let wanted = self.wanted.take();
        if wanted.keys.is_empty() && wanted.lists.is_empty() {
            let why = "a decision ended because a row is missing, but asked for no row";
            return Err(StoreError::Database(why.to_owned()));
        }
        if !wanted.keys.is_empty() {
            let keys: Vec<S::AnyKey> = wanted.keys.into_iter().collect();
            let found = backend.load(&keys)?;
            self.loaded(keys, found);
        }
        for list in wanted.lists {
            let found = backend.list(&list)?;
            self.lists.insert(list, found);
        }
        Ok(())
    }

    /// The keys that were wanted since the last call.
    pub(crate) fn take_wanted_keys(&self) -> Vec<S::AnyKey> {
        self.wanted.take().keys.into_iter().collect()
    }

    /// Records what was loaded: the rows that exist of these keys.
    pub(crate) fn loaded(&mut self, keys: Vec<S::AnyKey>, found: Vec<S::AnyRow>) {
        for row in found {
            S::loaded(&mut self.tables, S::key(&row), Some(row));
        }
        for key in keys {
            S::loaded(&mut self.tables, key, None);
        }
    }

    /// Applies a command's changes, in order.
    pub fn absorb(&mut self, changes: &mut Changes<S>) {
        for change in changes.0.drain(..) {
            S::absorb(&mut self.tables, change);
        }
    }

    /// Whether any row must be written.
    pub fn is_dirty(&self) -> bool {
        S::is_dirty(&self.tables)
    }

    /// Writes every changed row.
    ///
    /// # Errors
    /// The backend's.
    pub fn write<B: Backend<S>>(&self, backend: &mut B) -> Result<(), StoreError> {
        S::write(&self.tables, backend)
    }

    /// Keeps rows for the next batch, now that the changes are committed.
    pub(crate) fn keep(&mut self) {
        self.wanted.take();
        self.lists.clear();
        S::keep(&mut self.tables);
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.wanted.take();
        self.lists.clear();
        S::clear(&mut self.tables);
    }
}

/// One change of a row.
#[derive(Clone)]
pub enum Change<S: Schema> {
    /// The new row.
    Put(S::AnyRow),
    /// The row is deleted.
    Delete(S::AnyKey),
}

impl<S: Schema> fmt::Debug for Change<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(row) => f.debug_tuple("Put").field(row).finish(),
            Self::Delete(key) => f.debug_tuple("Delete").field(key).finish(),
        }
    }
}

/// The change list of a command. It reaches the working set only after the command ran to its end.
pub struct Changes<S: Schema>(Vec<Change<S>>);

impl<S: Schema> fmt::Debug for Changes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl<S: Schema> Default for Changes<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: Schema> Changes<S> {
    /// Inserts or replaces a row. Its key must have been looked up before: a row that was not loaded counts as new, and the
    /// backend then refuses to insert one that exists.
    pub fn put<E: Row>(&mut self, row: E)
    where
        S: HasTable<E>,
    {
        self.0.push(Change::Put(S::any_row(row)));
    }

    /// Deletes a row. Its key must have been looked up before: a row that was not loaded is not deleted.
    pub fn delete<E: Row>(&mut self, key: &E::Key)
    where
        S: HasTable<E>,
    {
        self.0.push(Change::Delete(S::any_key(key.clone())));
    }

    /// The number of changes so far, for [`undo_since`](Self::undo_since).
    pub fn mark(&self) -> usize {
        self.0.len()
    }

    /// Drops the changes that were made since a mark.
    pub fn undo_since(&mut self, mark: usize) {
        self.0.truncate(mark);
    }

    /// Drops every change.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
#[expect(unreachable_pub, dead_code)] // the macros make public items, and a constant for each column
mod tests {
    use super::*;
    use crate::command::StopWith;
    use crate::list::ListOf;
    use crate::{Begun, rows, schema};

    rows! { in Toy;
        /// A row of the tests.
        thing: Thing {
            key {
                /// Its number.
                id: u64,
            }
            /// What it holds.
            value: u64,
        }
    }

    schema! {
        /// A schema of one table.
        pub struct Toy;
        vault: ();
        stop: StopWith<&'static str>;
        thing: Thing,
    }

    /// Notes the writes.
    #[derive(Default)]
    struct Written(Vec<String>);

    impl Backend<Toy> for Written {
        fn begin(&mut self, _: &[AnyKey]) -> Result<Begun<Toy>, StoreError> {
            Ok(Begun::alone())
        }
        fn load(&mut self, _: &[AnyKey]) -> Result<Vec<AnyRow>, StoreError> {
            Ok(Vec::new())
        }
        fn list(&mut self, _: &ListOf) -> Result<Vec<AnyRow>, StoreError> {
            Ok(Vec::new())
        }
        fn insert<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
        where
            Toy: HasTable<E>,
        {
            self.0.extend(rows.iter().map(|row| format!("insert {:?}", row.key())));
            Ok(())
        }
        fn update<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
        where
            Toy: HasTable<E>,
        {
            self.0.extend(rows.iter().map(|row| format!("update {:?}", row.key())));
            Ok(())
        }
        fn delete<E: Row>(&mut self, keys: &[&E::Key]) -> Result<(), StoreError>
        where
            Toy: HasTable<E>,
        {
            self.0.extend(keys.iter().map(|key| format!("delete {key:?}")));
            Ok(())
        }
        fn commit(&mut self, _: u64) -> Result<(), StoreError> {
            Ok(())
        }
        fn rollback(&mut self) {}
    }

    /// Writes the changes, and keeps rows for the next batch.
    fn commit(table: &mut Table<Thing>) -> Vec<String> {
        let mut written = Written::default();
        table.write::<Toy, _>(&mut written).unwrap();
        table.keep();
        assert!(!table.is_dirty());
        written.0
    }

    fn value(table: &Table<Thing>, id: u64) -> Option<Option<u64>> {
        table.slots.get(&(id,)).map(|slot| slot.row.as_ref().map(|row| row.value))
    }

    #[test]
    fn rows_are_kept_as_they_were_committed() {
        let mut table = Table::default();
        let thing = |id, value| Some(Thing { id, value });
        for id in [1, 2, 3] {
            table.loaded((id,), thing(id, 10));
        }
        table.loaded((4,), None);
        table.put((2,), thing(2, 20));
        table.put((3,), None);
        table.put((4,), thing(4, 40));
        table.put((5,), thing(5, 50));
        table.put((5,), None);
        assert_eq!(commit(&mut table), ["update (2,)", "delete (3,)", "insert (4,)"]);
        assert_eq!([1, 2].map(|id| value(&table, id)), [Some(Some(10)), Some(Some(20))]);
        assert_eq!([3, 4, 5].map(|id| value(&table, id)), [None; 3], "gone, or new");
        // What is loaded again does not replace a row that is kept.
        table.loaded((2,), thing(2, 0));
        table.loaded((6,), thing(6, 60));
        table.put((1,), None);
        table.put((6,), thing(6, 61));
        table.put((2,), thing(2, 21));
        assert_eq!(commit(&mut table), ["update (2,)", "update (6,)", "delete (1,)"]);
        // A kept row that was deleted is inserted, not updated, when it comes back.
        table.put((1,), thing(1, 11));
        assert_eq!(commit(&mut table), ["insert (1,)"]);
        assert_eq!([1, 2, 6].map(|id| value(&table, id)), [Some(Some(11)), Some(Some(21)), Some(Some(61))]);
    }

    #[test]
    fn the_oldest_of_too_many_rows_are_forgotten() {
        let mut table = Table::default();
        let ids = 0..=KEPT as u64;
        ids.clone().for_each(|id| table.loaded((id,), Some(Thing { id, value: id })));
        assert_eq!(commit(&mut table), [""; 0]);
        assert_eq!(table.slots.len(), KEPT / 2);
        let (oldest, newest) = (*ids.start(), *ids.end());
        assert_eq!((value(&table, oldest), value(&table, newest)), (None, Some(Some(newest))));
        // The positions of changes are those after the move.
        table.put((newest,), Some(Thing { id: newest, value: 1 }));
        assert_eq!(commit(&mut table), [format!("update ({newest},)")]);
        assert_eq!(value(&table, newest), Some(Some(1)));
    }
}
