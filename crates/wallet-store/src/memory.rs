//! A backend in memory, for tests and simulations. The same decisions run on it.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wallet_engine::{
    Backend, Begun, Cell, Engine, HasTable, ListOf, Operand, Order, Row, Scan, Schema, StoreError,
};

struct Committed<S: Schema> {
    rows: HashMap<S::AnyKey, S::AnyRow>,
    next_id: u64,
}

/// Rows in a hash map. Clones share what is committed.
pub struct Memory<S: Schema> {
    committed: Arc<Mutex<Committed<S>>>,
    staged: Vec<(S::AnyKey, Option<S::AnyRow>)>,
}

impl<S: Schema> Clone for Memory<S> {
    fn clone(&self) -> Self {
        Self { committed: self.committed.clone(), staged: self.staged.clone() }
    }
}

impl<S: Schema> fmt::Debug for Memory<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl<S: Schema> Memory<S> {
    /// An empty database whose first row number is `next_id`.
    pub fn starting_at(next_id: u64) -> Self {
        let committed = Committed { rows: HashMap::new(), next_id };
        Self { committed: Arc::new(Mutex::new(committed)), staged: Vec::new() }
    }

    fn committed(&self) -> MutexGuard<'_, Committed<S>> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn must_have<E: Row>(&self, key: &E::Key) -> Result<(), StoreError>
    where
        S: HasTable<E>,
    {
        if self.committed().rows.contains_key(&S::any_key(key.clone())) {
            return Ok(());
        }
        Err(StoreError::Database(format!("table {} has no {key:?}", E::TABLE.name)))
    }

    /// Every committed row, in no particular order.
    pub fn rows(&self) -> Vec<S::AnyRow> {
        self.committed().rows.values().cloned().collect()
    }

    /// The next row number.
    pub fn next_id(&self) -> u64 {
        self.committed().next_id
    }

    /// An engine on a clone of this database.
    pub fn engine(&self, vault: S::Vault) -> Engine<S, Self> {
        Engine::new(self.clone(), vault, self.next_id())
    }
}

impl<S: Schema> Backend<S> for Memory<S> {
    fn begin(&mut self, _: &[S::AnyKey]) -> Result<Begun<S>, StoreError> {
        Ok(Begun::alone())
    }

    fn load(&mut self, keys: &[S::AnyKey]) -> Result<Vec<S::AnyRow>, StoreError> {
        let committed = self.committed();
        Ok(keys.iter().filter_map(|key| committed.rows.get(key).cloned()).collect())
    }

    fn list(&mut self, list: &ListOf) -> Result<Vec<S::AnyRow>, StoreError> {
        let mut found: Vec<(Vec<Operand>, S::AnyRow)> = Vec::new();
        for row in self.committed().rows.values().filter(|row| S::table_of(row) == list.table) {
            let mut values = Vec::new();
            S::cells(row, &mut |cell| values.push(Operand::from(cell)));
            let meets = |at: usize| values.get(at).map_or(Cell::Null, Operand::cell);
            if list.conditions.iter().all(|condition| condition.accepts(meets(condition.column))) {
                found.push((values, row.clone()));
            }
        }
        found.sort_by(|(a, _), (b, _)| compare(&list.order, a, b));
        let limit = list.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found.into_iter().take(limit).map(|(_, row)| row).collect())
    }

    fn insert<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
    where
        S: HasTable<E>,
    {
        for row in rows {
            let key = S::any_key(row.key());
            if self.committed().rows.contains_key(&key) {
                return Err(StoreError::Database(format!("table {} already has {key:?}", E::TABLE.name)));
            }
            self.staged.push((key, Some(S::any_row((*row).clone()))));
        }
        Ok(())
    }

    fn update<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
    where
        S: HasTable<E>,
    {
        for row in rows {
            self.must_have::<E>(&row.key())?;
            self.staged.push((S::any_key(row.key()), Some(S::any_row((*row).clone()))));
        }
        Ok(())
    }

    fn delete<E: Row>(&mut self, keys: &[&E::Key]) -> Result<(), StoreError>
    where
        S: HasTable<E>,
    {
        for key in keys {
            self.must_have::<E>(key)?;
            self.staged.push((S::any_key((*key).clone()), None));
        }
        Ok(())
    }

    fn commit(&mut self, next_id: u64) -> Result<(), StoreError> {
        let staged = std::mem::take(&mut self.staged);
        let mut committed = self.committed();
        for (key, row) in staged {
            match row {
                Some(row) => committed.rows.insert(key, row),
                None => committed.rows.remove(&key),
            };
        }
        committed.next_id = next_id;
        Ok(())
    }

    fn rollback(&mut self) {
        self.staged.clear();
    }
}

impl<S: Schema> Scan<S> for Memory<S> {
    fn page(
        &mut self,
        table: usize,
        after: Option<&S::AnyKey>,
        limit: u32,
    ) -> Result<Vec<S::AnyRow>, StoreError> {
        let cells = |key: &S::AnyKey| {
            let mut cells = Vec::new();
            S::key_cells(key, &mut |cell| cells.push(Operand::from(cell)));
            cells
        };
        let by_cell =
            |a: &[Operand], b: &[Operand]| a.iter().map(Operand::cell).cmp(b.iter().map(Operand::cell));
        let after = after.map(cells);
        let committed = self.committed();
        let of_table = committed.rows.iter().filter(|(_, row)| S::table_of(row) == table);
        let mut rows: Vec<_> = of_table.map(|(key, row)| (cells(key), row)).collect();
        rows.retain(|(key, _)| after.as_ref().is_none_or(|after| by_cell(key, after) == Ordering::Greater));
        rows.sort_by(|(a, _), (b, _)| by_cell(a, b));
        Ok(rows.into_iter().take(limit as usize).map(|(_, row)| row.clone()).collect())
    }
}

fn compare(order: &[Order], a: &[Operand], b: &[Operand]) -> Ordering {
    let at = |row: &[Operand], column: usize| row.get(column).cloned().unwrap_or(Operand::Null);
    order.iter().fold(Ordering::Equal, |so_far, Order { column, descending }| {
        so_far.then_with(|| {
            let (a, b) = (at(a, *column), at(b, *column));
            if *descending { b.cell().cmp(&a.cell()) } else { a.cell().cmp(&b.cell()) }
        })
    })
}
