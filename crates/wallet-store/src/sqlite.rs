//! SQLite: one connection that writes, some that read.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, ErrorCode, Row, Statement, params_from_iter};
use wallet_platform::{
    AnyRow, Cell, CellSource, ColumnKind, Entity, List, Loader, Passing, TABLES, TableMeta, Writer, read_row,
};

use crate::backend::Backend;
use crate::error::StoreError;

/// The first row number of a new database. Below it are the system accounts.
pub const FIRST_ID: u64 = 100_000;

/// Units as SQLite keeps them: big-endian with the sign bit flipped, so that byte order is numeric order.
fn wide_bytes(units: i128) -> [u8; 16] {
    (units.cast_unsigned() ^ (1 << 127)).to_be_bytes()
}

fn wide_number(bytes: &[u8]) -> Option<i128> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    Some((u128::from_be_bytes(bytes) ^ (1 << 127)).cast_signed())
}

pub(crate) fn database(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        // After a failed fsync nobody knows what is on disk.
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Broken(error.to_string())
        }
        _ => StoreError::Database(error.to_string()),
    }
}

/// What the writer's connection has set, read back from SQLite itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterSettings {
    /// `PRAGMA journal_mode`.
    pub journal_mode: String,
    /// `PRAGMA synchronous`; 2 is FULL.
    pub synchronous: i64,
}

/// Sets up a connection that writes: WAL, and a commit that has been synced when it returns.
///
/// # Errors
/// The database's.
pub fn prepare_for_writing(connection: &Connection) -> rusqlite::Result<WriterSettings> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit has been synced when it returns. What is acknowledged is never lost.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "OFF")?; // rows refer by decision; see wallet-platform
    connection.pragma_update(None, "cache_size", -65_536)?; // 64 MiB
    connection.pragma_update(None, "wal_autocheckpoint", 10_000)?; // 40 MiB: checkpoints are rare
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(WriterSettings {
        journal_mode: connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
        synchronous: connection.pragma_query_value(None, "synchronous", |row| row.get(0))?,
    })
}

pub(crate) fn prepare_reader(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "query_only", "ON")?;
    connection.pragma_update(None, "cache_size", -16_384)
}

/// Rows of a table that one statement inserts, where a batch has so many: most of an insert's time is the statement's.
const AT_ONCE: usize = 16;

struct TableStatements<'c> {
    load: Statement<'c>,
    insert: Statement<'c>,
    insert_many: Statement<'c>,
    update: Statement<'c>,
    delete: Statement<'c>,
}

impl<'c> TableStatements<'c> {
    fn prepare(connection: &'c Connection, table: &TableMeta) -> rusqlite::Result<Self> {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        let at = |name: &str| columns.iter().position(|column| *column == name).map_or(0, |at| at + 1);
        let equal = |keys: bool| -> Vec<String> {
            let picked = table.columns.iter().filter(|column| column.key == keys);
            picked.map(|column| format!("{} = ?{}", column.name, at(column.name))).collect()
        };
        let (name, list, by_key, set) =
            (table.name, columns.join(", "), equal(true).join(" AND "), equal(false).join(", "));
        let row = format!("({})", vec!["?"; columns.len()].join(", "));
        // A batch with a failed insert is rolled back whole. Said to SQLite, so that it keeps no copy of each page that an
        // insert of many rows touches, to undo that insert alone.
        let insert = |rows: usize| {
            format!("INSERT OR ROLLBACK INTO {name} ({list}) VALUES {}", vec![&*row; rows].join(", "))
        };
        Ok(Self {
            load: connection.prepare(&format!("SELECT {list} FROM {name} WHERE {by_key}"))?,
            insert: connection.prepare(&insert(1))?,
            insert_many: connection.prepare(&insert(AT_ONCE))?,
            update: connection.prepare(&format!("UPDATE {name} SET {set} WHERE {by_key}"))?,
            delete: connection.prepare(&format!("DELETE FROM {name} WHERE {by_key}"))?,
        })
    }
}

fn bind(statement: &mut Statement<'_>, cells: impl FnOnce(&mut dyn FnMut(Cell<'_>))) -> rusqlite::Result<()> {
    let mut at = 0;
    let mut result = Ok(());
    cells(&mut |cell| {
        at += 1;
        let bound = match cell {
            Cell::Null => statement.raw_bind_parameter(at, rusqlite::types::Null),
            Cell::Int(number) => statement.raw_bind_parameter(at, number),
            Cell::Wide(units) => statement.raw_bind_parameter(at, &wide_bytes(units)[..]),
            Cell::Text(text) => statement.raw_bind_parameter(at, text),
            Cell::Blob(bytes) => statement.raw_bind_parameter(at, bytes),
        };
        if bound.is_err() {
            result = bound;
        }
    });
    result
}

struct Columns<'r, 's>(&'r Row<'s>);

impl CellSource for Columns<'_, '_> {
    fn cell(&self, at: usize, kind: ColumnKind) -> Option<Cell<'_>> {
        match (self.0.get_ref(at).ok()?, kind) {
            (ValueRef::Null, _) => Some(Cell::Null),
            (ValueRef::Integer(number), ColumnKind::Int) => Some(Cell::Int(number)),
            (ValueRef::Text(text), ColumnKind::Text) => std::str::from_utf8(text).ok().map(Cell::Text),
            (ValueRef::Blob(bytes), ColumnKind::Blob) => Some(Cell::Blob(bytes)),
            (ValueRef::Blob(bytes), ColumnKind::Wide) => wide_number(bytes).map(Cell::Wide),
            _ => None,
        }
    }
}

/// A connection with the statements that it needs, prepared once.
pub struct Sqlite<'c> {
    connection: &'c Connection,
    tables: Vec<TableStatements<'c>>,
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    next_id: Statement<'c>,
    last_next_id: u64,
}

impl std::fmt::Debug for Sqlite<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").finish_non_exhaustive()
    }
}

impl<'c> Sqlite<'c> {
    /// Prepares every statement. `writes`: whether transactions take the write lock when they begin.
    ///
    /// # Errors
    /// The database's.
    pub fn new(connection: &'c Connection, writes: bool) -> Result<Self, StoreError> {
        Self::prepare(connection, writes).map_err(|error| database(&error))
    }

    fn prepare(connection: &'c Connection, writes: bool) -> rusqlite::Result<Self> {
        let tables = TABLES
            .iter()
            .map(|table| TableStatements::prepare(connection, table))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            connection,
            tables,
            begin: connection.prepare(if writes { "BEGIN IMMEDIATE" } else { "BEGIN" })?,
            commit: connection.prepare("COMMIT")?,
            rollback: connection.prepare("ROLLBACK")?,
            next_id: connection.prepare("UPDATE sequence SET next_id = ?1 WHERE id = 1")?,
            last_next_id: 0,
        })
    }

    /// The row number to go on with.
    ///
    /// # Errors
    /// The database's.
    pub fn next_id(&self) -> Result<u64, StoreError> {
        let next = self
            .connection
            .query_row("SELECT next_id FROM sequence WHERE id = 1", [], |row| row.get::<_, i64>(0));
        next.map(i64::cast_unsigned).map_err(|error| database(&error))
    }

    fn table<E: Entity>(&mut self) -> &mut TableStatements<'c> {
        &mut self.tables[E::AT]
    }
}

fn damaged(table: &TableMeta) -> StoreError {
    StoreError::Database(format!(
        "a row of table {} holds what it cannot: the database is damaged",
        table.name
    ))
}

impl Loader for Sqlite<'_> {
    type Error = StoreError;

    fn load<E: Entity>(&mut self, key: &E::Key) -> Result<Option<E>, StoreError> {
        let statement = &mut self.table::<E>().load;
        let found = bind(statement, |put| E::key_cells(key, put)).and_then(|()| {
            let mut rows = statement.raw_query();
            rows.next().map(|row| row.map(|row| E::read(&Columns(row))))
        });
        match found.map_err(|error| database(&error))? {
            None => Ok(None),
            Some(Some(row)) => Ok(Some(row)),
            Some(None) => Err(damaged(E::TABLE)),
        }
    }
}

fn execute(
    statement: &mut Statement<'_>,
    rows: usize,
    cells: impl FnOnce(&mut dyn FnMut(Cell<'_>)),
) -> Result<(), StoreError> {
    match bind(statement, cells).and_then(|()| statement.raw_execute()) {
        Ok(changed) if changed == rows => Ok(()),
        Ok(changed) => Err(StoreError::Database(format!("a write of {rows} rows changed {changed}"))),
        Err(error) => Err(database(&error)),
    }
}

impl Writer for Sqlite<'_> {
    type Error = StoreError;

    fn insert<E: Entity>(&mut self, rows: &[&E]) -> Result<(), StoreError> {
        let statements = self.table::<E>();
        let (many, few) = rows.as_chunks::<AT_ONCE>();
        for rows in many {
            execute(&mut statements.insert_many, AT_ONCE, |put| rows.iter().for_each(|row| row.cells(put)))?;
        }
        for row in few {
            execute(&mut statements.insert, 1, |put| row.cells(put))?;
        }
        Ok(())
    }

    fn update<E: Entity>(&mut self, row: &E) -> Result<(), StoreError> {
        execute(&mut self.table::<E>().update, 1, |put| row.cells(put))
    }

    fn delete<E: Entity>(&mut self, key: &E::Key) -> Result<(), StoreError> {
        execute(&mut self.table::<E>().delete, 1, |put| E::key_cells(key, put))
    }
}

impl Backend for Sqlite<'_> {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.begin.raw_execute().map(|_| ()).map_err(|error| database(&error))
    }

    fn commit(&mut self, next_id: u64) -> Result<(), StoreError> {
        if next_id != self.last_next_id {
            self.next_id
                .raw_bind_parameter(1, next_id.cast_signed())
                .and_then(|()| self.next_id.raw_execute())
                .map_err(|error| database(&error))?;
            self.last_next_id = next_id;
        }
        self.commit.raw_execute().map(|_| ()).map_err(|error| database(&error))
    }

    fn rollback(&mut self) {
        self.last_next_id = 0;
        if !self.connection.is_autocommit()
            && let Err(error) = self.rollback.raw_execute()
        {
            tracing::warn!(%error, "a rollback failed");
        }
    }

    fn list(&mut self, list: &List) -> Result<Vec<AnyRow>, StoreError> {
        let (table, rest, parameters) = list_sql(list);
        let Some(meta) = TABLES.iter().find(|meta| meta.name == table) else {
            return Err(StoreError::Database(format!("there is no table {table}")));
        };
        let columns: Vec<&str> = meta.columns.iter().map(|column| column.name).collect();
        let sql = format!("SELECT {} FROM {table} {rest}", columns.join(", "));
        let mut statement = self.connection.prepare_cached(&sql).map_err(|error| database(&error))?;
        let mut rows = statement.query(params_from_iter(parameters)).map_err(|error| database(&error))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|error| database(&error))? {
            found.push(read_row(meta, &Columns(row)).ok_or_else(|| damaged(meta))?);
        }
        Ok(found)
    }
}

/// Table, the rest of the statement, and its parameters.
fn list_sql(list: &List) -> (&'static str, &'static str, Vec<Value>) {
    let int = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    match list {
        List::Coins => ("coin", "ORDER BY sort_id, id", vec![]),
        List::Apps { owner } => ("app", "WHERE owner = ?1 ORDER BY id", vec![int(owner.get())]),
        List::VasApps { owner } => ("vas_app", "WHERE owner = ?1 ORDER BY id", vec![int(owner.get())]),
        // The condition is that of the partial index.
        List::PendingApplications { limit } => {
            ("vas_app", "WHERE state = 0 ORDER BY id LIMIT ?1", vec![int(*limit)])
        }
        // The conditions are those of the partial index.
        List::Due { by, except, limit } => {
            let except: Vec<String> = except.iter().map(|app| app.0.to_string()).collect();
            (
                "delivery",
                "WHERE state = 0 AND leased_until = 0 AND next_at <= ?1
                 AND app NOT IN (SELECT value FROM json_each(?2)) ORDER BY next_at, id LIMIT ?3",
                vec![by.millis().into(), format!("[{}]", except.join(",")).into(), int(*limit)],
            )
        }
        List::WatchedOrders { after, limit } => (
            "vas_order",
            "WHERE watched = 1 AND id > ?1 ORDER BY id LIMIT ?2",
            vec![int(*after), int(*limit)],
        ),
        List::Failing { limit } => (
            "delivery",
            "WHERE state = 0 AND leased_until = 0 AND attempts > 0 ORDER BY next_at, id LIMIT ?1",
            vec![int(*limit)],
        ),
        List::Unheard { limit } => {
            ("delivery", "WHERE state = 2 ORDER BY id DESC LIMIT ?1", vec![int(*limit)])
        }
        List::DeliveriesOf { app, unheard, before, limit } => (
            "delivery",
            match unheard {
                true => "WHERE app = ?1 AND state = 2 AND id < ?2 ORDER BY id DESC LIMIT ?3",
                false => "WHERE app = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
            },
            vec![int(app.0), int(*before), int(*limit)],
        ),
        List::Orders { app, before, limit } => (
            "vas_order",
            "WHERE app = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
            vec![int(app.0), int(*before), int(*limit)],
        ),
        List::OrdersPaidBy { payer, asset, before, limit } => (
            "vas_order",
            "WHERE payer = ?1 AND asset = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4",
            vec![int(payer.get()), Value::Text(asset.clone()), int(*before), int(*limit)],
        ),
        List::Audits { limit } => ("audit", "ORDER BY id DESC LIMIT ?1", vec![int(*limit)]),
        List::Leased => ("delivery", "WHERE leased_until > 0 ORDER BY id", vec![]),
        List::Over { what, by, limit } => {
            let by_expiry = "WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2";
            let (table, rest) = match what {
                Passing::Codes => ("code", by_expiry),
                Passing::Tokens => ("token", by_expiry),
                Passing::Sessions => ("session", by_expiry),
                Passing::Registrations => ("registration", by_expiry),
                Passing::OpenCodes => ("open_code", by_expiry),
                // The condition on users is that of the partial index: NOBODY.
                Passing::NobodysLimits => (
                    "attempt_limit",
                    "WHERE user >= 4611686018427387904 AND touched_at < ?1 ORDER BY touched_at LIMIT ?2",
                ),
            };
            (table, rest, vec![by.millis().into(), int(*limit)])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_keep_their_order_as_bytes() {
        let units = [i128::MIN, -(10_i128.pow(36)), -1, 0, 1, 10_i128.pow(36), i128::MAX];
        for pair in units.windows(2) {
            assert!(wide_bytes(pair[0]) < wide_bytes(pair[1]));
        }
        for number in units {
            assert_eq!(wide_number(&wide_bytes(number)), Some(number));
        }
        assert_eq!(wide_number(&[0; 15]), None);
    }

    /// The tables of the schema are those that the platform declares, column by column.
    #[test]
    fn the_schema_has_the_columns_that_the_platform_declares() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::migrations::run(&mut connection).unwrap();
        for table in TABLES {
            let mut info = connection.prepare(&format!("PRAGMA table_info({})", table.name)).unwrap();
            let columns: Vec<(String, String, bool, bool)> = info
                .query_map([], |row| {
                    Ok((row.get(1)?, row.get(2)?, row.get::<_, i64>(3)? == 1, row.get::<_, i64>(5)? > 0))
                })
                .unwrap()
                .map(Result::unwrap)
                .collect();
            let declared: Vec<(String, String, bool, bool)> = (table.columns.iter())
                .map(|column| {
                    let kind = match column.kind {
                        ColumnKind::Int => "INTEGER",
                        ColumnKind::Text => "TEXT",
                        ColumnKind::Blob | ColumnKind::Wide => "BLOB",
                    };
                    (column.name.to_owned(), kind.to_owned(), !column.nullable, column.key)
                })
                .collect();
            assert_eq!(columns, declared, "table {}", table.name);
        }
    }
}
