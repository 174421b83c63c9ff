//! The SQLite backend: one writer connection and several reader connections.

use std::fmt;
use std::fs::{File, TryLockError};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, StatementStatus};
use wallet_engine::{
    Backend, Begun, Cell, CellSource, ColumnKind, Engine, HasTable, IN_A_ROW, ListOf, Operand, Row, Scan,
    Schema, StoreError, TableMeta, Test,
};

use crate::error::OpenError;
use crate::log::Log;
use crate::migrations::{self, Migration};

/// A 128-bit integer as SQLite stores it: big-endian with the sign bit flipped, so that byte order is numeric order.
fn wide_bytes(units: i128) -> [u8; 16] {
    (units.cast_unsigned() ^ (1 << 127)).to_be_bytes()
}

fn wide_number(bytes: &[u8]) -> Option<i128> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    Some((u128::from_be_bytes(bytes) ^ (1 << 127)).cast_signed())
}

pub(crate) fn database(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        // After a failed fsync the content of the disk is unknown.
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Broken(error.to_string())
        }
        _ => StoreError::Database(error.to_string()),
    }
}

/// The settings of the connection that writes.
///
/// `synchronous` FULL: a commit returns after the fsync, so a crash loses no acknowledged commit. `foreign_keys` OFF:
/// commands keep references intact. The page cache is 64 MiB. `log.rs` runs the checkpoints.
pub const WRITER_PRAGMAS: &[(&str, &str)] = &[
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("foreign_keys", "OFF"),
    ("cache_size", "-65536"),
    ("temp_store", "MEMORY"),
];

const READER_PRAGMAS: &[(&str, &str)] = &[("query_only", "ON"), ("cache_size", "-16384")];

fn set(connection: &Connection, pragmas: &[(&str, &str)]) -> rusqlite::Result<()> {
    pragmas.iter().try_for_each(|(name, value)| connection.pragma_update(None, name, value))
}

/// The settings of the connection that writes, read back from SQLite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterSettings {
    /// `PRAGMA journal_mode`.
    pub journal_mode: String,
    /// `PRAGMA synchronous`; 2 is FULL.
    pub synchronous: i64,
}

/// A database file that this process has locked and brought up to date. [`Store::start`](crate::Store::start) runs it.
pub struct Database<S> {
    path: PathBuf,
    connection: Connection,
    settings: WriterSettings,
    log: Arc<Log>,
    /// Dropped last: to close a file gives back what SQLite has locked in it.
    lock: Locks,
    schema: PhantomData<fn() -> S>,
}

/// The locks of this process on a database: that of a file beside it, which older programs know too, and that of the database.
pub(crate) type Locks = [File; 2];

impl<S> fmt::Debug for Database<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A database's writer connection, its settings and log, and the locks of this process.
pub(crate) type Parts = (Connection, WriterSettings, Arc<Log>, Locks);

impl<S: Schema> Database<S> {
    /// Opens the database at `path`, creating it if it does not exist, and runs the migrations that it lacks. One process
    /// at a time can have it open.
    ///
    /// # Errors
    /// [`OpenError`]: the file cannot be opened, is locked, or its migrations differ.
    pub fn open(path: &Path, migrations: &[Migration]) -> Result<Self, OpenError> {
        let beside = lock(path)?;
        let failed = |error: &dyn fmt::Display| cannot_open(path, error);
        not_cut_off(path)?;
        keep_private(path).map_err(|error| failed(&error))?;
        // The file itself too: the one beside it may be removed, and a hard link has another name.
        let options = File::options().read(true).open(path).map_err(|error| failed(&error))?;
        let lock = [beside, locked(options, path)?];
        let mut connection = Connection::open(path).map_err(|error| failed(&error))?;
        let settings = set(&connection, WRITER_PRAGMAS).and_then(|()| {
            Ok(WriterSettings {
                journal_mode: connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
                synchronous: connection.pragma_query_value(None, "synchronous", |row| row.get(0))?,
            })
        });
        let settings = settings.map_err(|error| failed(&error))?;
        let log = Log::of(&mut connection).map_err(|error| failed(&error))?;
        migrations::run(&mut connection, migrations).map_err(|error| failed(&error))?;
        Ok(Self { path: path.to_owned(), connection, settings, log, lock, schema: PhantomData })
    }

    /// An engine on the writer connection, for commands before the store starts. Use one at a time: each counts row
    /// numbers in its own memory.
    ///
    /// # Errors
    /// The database's.
    pub fn engine(&mut self, vault: S::Vault) -> Result<Engine<S, Sqlite<'_, S>>, StoreError> {
        writer(&self.connection, self.log.clone(), vault)
    }

    /// Another connection, which reads.
    pub(crate) fn reader(&self) -> Result<Connection, OpenError> {
        connect(&self.path, READER_PRAGMAS)
    }

    /// Records that a copy into this database has begun or is whole. Until it is, no program opens the database.
    ///
    /// # Errors
    /// The database's.
    pub fn mark_unfinished(&mut self, unfinished: bool) -> Result<(), StoreError> {
        let sql = if unfinished { migrations::MARK_UNFINISHED } else { migrations::MARK_FINISHED };
        self.connection.execute_batch(sql).map_err(|error| database(&error))
    }

    pub(crate) fn into_parts(self) -> Parts {
        (self.connection, self.settings, self.log, self.lock)
    }
}

/// Refuses a database file that was cut off: SQLite would begin an empty one, or fail in the middle of a payment.
fn not_cut_off(path: &Path) -> Result<(), OpenError> {
    let Ok(mut file) = File::open(path) else { return Ok(()) };
    let failed = |error: std::io::Error| cannot_open(path, &error);
    let length = file.metadata().map_err(failed)?.len();
    let mut head = [0; 100];
    // A process that died while it folded the log into the file may have written the number of pages before the pages: the log still
    // has them.
    let [log, ..] = logs(path);
    let has_log = std::fs::metadata(log).is_ok_and(|log| log.len() > 0);
    // https://www.sqlite.org/fileformat.html, 1.3: the page size, and the number of pages if it is valid.
    let expected = match std::io::Read::read_exact(&mut file, &mut head) {
        Ok(()) if has_log => 0,
        Ok(()) if head[24..28] == head[92..96] => {
            let page = match u16::from_be_bytes([head[16], head[17]]) {
                1 => 65_536,
                size => u64::from(size),
            };
            page * u64::from(u32::from_be_bytes([head[28], head[29], head[30], head[31]]))
        }
        Ok(()) => 0,
        Err(_) => head.len() as u64,
    };
    if length >= expected {
        return Ok(());
    }
    Err(OpenError::new(format!(
        "the database {} is cut off: it has {length} bytes of {expected}. Restore a backup; to begin with an empty database, \
         move the file away",
        path.display()
    )))
}

/// Makes a database, and the files beside it, readable by this user alone: they hold the hashes of payment passwords. SQLite gives a new
/// log the mode of the database.
fn keep_private(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
        File::options().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        for file in logs(path).iter().map(PathBuf::as_path).chain([path]) {
            let Ok(known) = std::fs::metadata(file) else { continue };
            if known.permissions().mode() & 0o077 != 0 {
                std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))?;
            }
        }
    }
    Ok(())
}

/// A database file that is read, also beside a process that writes to it.
pub struct ReadOnly<S> {
    connection: Connection,
    schema: PhantomData<fn() -> S>,
}

impl<S> fmt::Debug for ReadOnly<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOnly").finish_non_exhaustive()
    }
}

impl<S: Schema> ReadOnly<S> {
    /// Opens the database at `path`, which must exist and have every migration.
    ///
    /// # Errors
    /// [`OpenError`]: the file cannot be opened, or its migrations differ.
    pub fn open(path: &Path, migrations: &[Migration]) -> Result<Self, OpenError> {
        let connection = connect(path, READER_PRAGMAS)?;
        let missing = migrations::missing(&connection, migrations);
        missing
            .and_then(|missing| migrations::none_missing(&missing))
            .map_err(|error| cannot_open(path, &error))?;
        Ok(Self { connection, schema: PhantomData })
    }

    /// The migrations that the database at `path` lacks, in order: all of them if it does not exist.
    ///
    /// # Errors
    /// [`OpenError`]: the file cannot be opened, or its migrations differ.
    pub fn missing_migrations(path: &Path, migrations: &[Migration]) -> Result<Vec<&'static str>, OpenError> {
        if !path.exists() {
            return Ok(migrations.iter().map(|migration| migration.name).collect());
        }
        let missing = migrations::missing(&connect(path, READER_PRAGMAS)?, migrations);
        let missing = missing.map_err(|error| cannot_open(path, &error))?;
        Ok(missing.into_iter().map(|migration| migration.name).collect())
    }

    /// An engine that reads.
    ///
    /// # Errors
    /// The database's.
    pub fn engine(&mut self, vault: S::Vault) -> Result<Engine<S, Sqlite<'_, S>>, StoreError> {
        reader(&self.connection, vault)
    }
}

fn cannot_open(path: &Path, error: &dyn fmt::Display) -> OpenError {
    OpenError::new(format!("cannot open the database {}: {error}", path.display()))
}

/// Connects to a database that exists.
fn connect(path: &Path, pragmas: &[(&str, &str)]) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .and_then(|connection| set(&connection, pragmas).map(|()| connection))
        .map_err(|error| cannot_open(path, &error))
}

/// Writes a copy of the database at `path`, as it is at this moment, into the new file `into`, which only this user can read. The process
/// that writes to the database goes on meanwhile.
///
/// # Errors
/// [`OpenError`]: the database cannot be read, or the file exists or cannot be written.
pub fn back_up(path: &Path, into: &Path) -> Result<(), OpenError> {
    let failed = |error: &dyn fmt::Display| {
        OpenError::new(format!("cannot back up {} into {}: {error}", path.display(), into.display()))
    };
    let connection = connect(path, &[])?;
    new_file(into, |unfinished| {
        let name = unfinished.to_str().ok_or_else(|| failed(&"the file's name is not UTF-8"))?;
        let copy =
            || connection.execute("VACUUM INTO ?1", [name]).map(|_| ()).map_err(|error| failed(&error));
        let file = File::open(unfinished).map_err(|error| failed(&error))?;
        in_small_writes(&file, copy)
    })
}

/// The pause between two writes to the disk of a file that grows.
const BETWEEN_WRITES: Duration = Duration::from_millis(10);

/// Runs `copy`, which fills a file, and writes the file to the disk piece by piece meanwhile: its last sync would otherwise have
/// everything to write, and the commits of the process that writes to the database would wait for it.
fn in_small_writes<T>(file: &File, copy: impl FnOnce() -> T) -> T {
    let (done, is_done) = sync_channel::<()>(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while is_done.recv_timeout(BETWEEN_WRITES) == Err(RecvTimeoutError::Timeout) {
                let _ = file.sync_data(); // a disk that fails is reported by the copy's own sync
            }
        });
        let copied = copy();
        drop(done);
        copied
    })
}

/// Puts a backup in the place of a database that does not exist yet. The backup's pages are checked first, then `check` gets
/// the name of a copy.
///
/// # Errors
/// [`OpenError`]: the backup cannot be read or is damaged, or the database exists; and the error of `check`.
pub fn restore(
    backup: &Path,
    path: &Path,
    check: impl FnOnce(&Path) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let failed = |error: &dyn fmt::Display| {
        OpenError::new(format!("cannot restore {} to {}: {error}", backup.display(), path.display()))
    };
    let _lock = lock(path)?;
    // SQLite would play another database's log into the restored one.
    if let Some(log) = logs(path).into_iter().find(|log| log.exists()) {
        return Err(failed(&format!(
            "{} of another database is beside it: move that away, too",
            log.display()
        )));
    }
    new_file(path, |unfinished| {
        for log in logs(unfinished) {
            let _ = std::fs::remove_file(log);
        }
        std::fs::copy(backup, unfinished).map_err(|error| failed(&error))?;
        let copy = connect(unfinished, &[])?;
        let verdict: String = copy
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(|error| failed(&error))?;
        if verdict != "ok" {
            return Err(failed(&format!("the backup is damaged: {verdict}")));
        }
        drop(copy);
        check(unfinished)
    })
}

/// The files that SQLite keeps beside a database.
fn logs(path: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    })
}

/// Makes a file by `write`, which gets the name of an empty file beside it; the file has its own name only when it is whole and
/// on disk.
fn new_file(path: &Path, write: impl FnOnce(&Path) -> Result<(), OpenError>) -> Result<(), OpenError> {
    let failed = |error: std::io::Error| OpenError::new(format!("cannot write {}: {error}", path.display()));
    if path.exists() {
        return Err(OpenError::new(format!("{} exists: give another file, or move it away", path.display())));
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    let unfinished = PathBuf::from(name);
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&unfinished).map_err(failed)?;
    write(&unfinished).inspect_err(|_| drop(std::fs::remove_file(&unfinished)))?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(failed)?;
    std::fs::rename(&unfinished, path).map_err(failed)?;
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new("."))).and_then(|directory| directory.sync_all()).map_err(failed)
}

/// An engine on a connection that writes.
pub(crate) fn writer<S: Schema>(
    connection: &Connection,
    log: Arc<Log>,
    vault: S::Vault,
) -> Result<Engine<S, Sqlite<'_, S>>, StoreError> {
    let mut backend = Sqlite::new(connection, Some(log))?;
    let next_id = backend.next_id()?;
    Ok(Engine::new(backend, vault, next_id))
}

/// An engine on a connection that reads.
pub(crate) fn reader<S: Schema>(
    connection: &Connection,
    vault: S::Vault,
) -> Result<Engine<S, Sqlite<'_, S>>, StoreError> {
    Ok(Engine::new(Sqlite::new(connection, None)?, vault, 0))
}

/// How long to wait for another process to give the lock back.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// Locks a database for this process.
fn lock(path: &Path) -> Result<File, OpenError> {
    // A link to the file leads to the same lock.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&name).map_err(|error| {
        OpenError::new(format!(
            "cannot open {}: {error}. Does the directory exist, and may this user write to it?",
            name.display()
        ))
    })?;
    locked(file, path)
}

/// Locks a file of a database for this process.
fn locked(file: File, path: &Path) -> Result<File, OpenError> {
    // A process that ends, or a child that has not begun its own program yet, gives it back in a moment.
    let begun = Instant::now();
    let mut locked = file.try_lock();
    while matches!(locked, Err(TryLockError::WouldBlock)) && begun.elapsed() < LOCK_WAIT {
        std::thread::sleep(Duration::from_millis(10));
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::new(format!(
            "{} is in use by another process: stop it, or use another directory",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => {
            Err(OpenError::new(format!("cannot lock {}: {error}", path.display())))
        }
    }
}

/// An identifier in SQL.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The columns of a table, as SQL lists them.
fn columns(table: &TableMeta) -> String {
    let names: Vec<String> = table.columns.iter().map(|column| quoted(column.name)).collect();
    names.join(", ")
}

/// Rows per multi-row INSERT. Most of an insert's time is the fixed cost of the statement.
const ROWS_PER_INSERT: usize = 16;

struct TableStatements<'c> {
    load: Statement<'c>,
    insert: Statement<'c>,
    insert_many: Statement<'c>,
    update: Statement<'c>,
    delete: Statement<'c>,
}

impl<'c> TableStatements<'c> {
    fn prepare(connection: &'c Connection, table: &TableMeta) -> rusqlite::Result<Self> {
        let equal = |keys: bool| -> Vec<String> {
            let columns = table.columns.iter().zip(1..).filter(|(column, _)| column.key == keys);
            columns.map(|(column, at)| format!("{} = ?{at}", quoted(column.name))).collect()
        };
        let (name, list) = (quoted(table.name), columns(table));
        let (by_key, set) = (equal(true).join(" AND "), equal(false).join(", "));
        let row = format!("({})", vec!["?"; table.columns.len()].join(", "));
        // A failed insert rolls back the whole batch. OR ROLLBACK lets SQLite skip the statement journal, which
        // would copy each page that a multi-row insert touches.
        let insert = |rows: usize| {
            format!("INSERT OR ROLLBACK INTO {name} ({list}) VALUES {}", vec![&*row; rows].join(", "))
        };
        Ok(Self {
            load: connection.prepare(&format!("SELECT {list} FROM {name} WHERE {by_key}"))?,
            insert: connection.prepare(&insert(1))?,
            insert_many: connection.prepare(&insert(ROWS_PER_INSERT))?,
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

struct Columns<'r, 's>(&'r rusqlite::Row<'s>);

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

/// A connection with its statements, each prepared once.
pub struct Sqlite<'c, S> {
    connection: &'c Connection,
    tables: Vec<TableStatements<'c>>,
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    next_id: Statement<'c>,
    stored_next_id: Statement<'c>,
    /// The log, on the connection that writes.
    log: Option<Arc<Log>>,
    /// The next row number that the database has, on the connection that writes.
    last_next_id: Option<u64>,
    schema: PhantomData<fn() -> S>,
}

impl<S> fmt::Debug for Sqlite<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").finish_non_exhaustive()
    }
}

impl<'c, S: Schema> Sqlite<'c, S> {
    /// Prepares every statement. With a log, transactions begin with BEGIN IMMEDIATE and take the write lock.
    fn new(connection: &'c Connection, log: Option<Arc<Log>>) -> Result<Self, StoreError> {
        Self::prepare(connection, log).map_err(|error| database(&error))
    }

    fn prepare(connection: &'c Connection, log: Option<Arc<Log>>) -> rusqlite::Result<Self> {
        connection.set_prepared_statement_cache_capacity(LISTS_PREPARED);
        let tables = S::TABLES.iter().map(|table| TableStatements::prepare(connection, table));
        Ok(Self {
            connection,
            tables: tables.collect::<Result<_, _>>()?,
            begin: connection.prepare(if log.is_some() { "BEGIN IMMEDIATE" } else { "BEGIN" })?,
            commit: connection.prepare("COMMIT")?,
            rollback: connection.prepare("ROLLBACK")?,
            next_id: connection.prepare("UPDATE sequence SET next_id = ?1 WHERE id = 1")?,
            stored_next_id: connection.prepare("SELECT next_id FROM sequence WHERE id = 1")?,
            log,
            last_next_id: None,
            schema: PhantomData,
        })
    }

    /// The row number that the database says is next.
    fn stored_next_id(&mut self) -> rusqlite::Result<i64> {
        self.stored_next_id.query_row([], |row| row.get(0))
    }

    /// The next free row number: above those of all rows, whatever the database says is next.
    fn next_id(&mut self) -> Result<u64, StoreError> {
        let next = self.free_id().map_err(|error| database(&error))?;
        self.last_next_id = Some(next.cast_unsigned());
        Ok(next.cast_unsigned())
    }

    fn free_id(&mut self) -> rusqlite::Result<i64> {
        let stored = self.stored_next_id()?;
        let mut next = stored;
        for table in S::TABLES {
            let mut keys = table.columns.iter().filter(|column| column.key);
            let (Some(key), None) = (keys.next(), keys.next()) else { continue };
            if (key.name, key.kind) != ("id", ColumnKind::Int) {
                continue;
            }
            let sql = format!("SELECT max(id) FROM {} WHERE id < ?1", quoted(table.name));
            let largest: Option<i64> =
                self.connection.query_row(&sql, [stored.saturating_add(FAR)], |row| row.get(0))?;
            next = next.max(largest.map_or(0, |id| id + 1));
        }
        if next != stored {
            tracing::error!(stored, next, "the next row number was below that of a row; it is set right");
            self.connection.execute("UPDATE sequence SET next_id = ?1 WHERE id = 1", [next])?;
        }
        Ok(next)
    }

    fn table<E: Row>(&mut self) -> &mut TableStatements<'c>
    where
        S: HasTable<E>,
    {
        &mut self.tables[<S as HasTable<E>>::AT]
    }
}

/// An id that is this far beyond the next row number is not one: an operator chooses the ids of some rows.
const FAR: i64 = 1 << 32;

/// The number of prepared list statements of a connection.
const LISTS_PREPARED: usize = 64;

fn execute(
    statement: &mut Statement<'_>,
    rows: usize,
    cells: impl FnOnce(&mut dyn FnMut(Cell<'_>)),
) -> Result<(), StoreError> {
    match bind(statement, cells).and_then(|()| statement.raw_execute()) {
        Ok(changed) if changed == rows => Ok(()),
        Ok(changed) => Err(StoreError::Database(format!("expected to write {rows} rows, wrote {changed}"))),
        Err(error) => Err(database(&error)),
    }
}

impl<S: Schema> Backend<S> for Sqlite<'_, S> {
    fn begin(&mut self, _: &[S::AnyKey]) -> Result<Begun<S>, StoreError> {
        if let Some(log) = &self.log {
            log.may_grow(self.connection)?;
        }
        self.begin.raw_execute().map_err(|error| database(&error))?;
        if let Some(expected) = self.last_next_id {
            let stored = self.stored_next_id().map_err(|error| database(&error))?.cast_unsigned();
            if stored != expected {
                let why =
                    "another process writes to this database: it has taken row numbers that this one counts";
                return Err(StoreError::Broken(why.to_owned()));
            }
        }
        Ok(Begun::alone())
    }

    fn load(&mut self, keys: &[S::AnyKey]) -> Result<Vec<S::AnyRow>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let at = S::table_of_key(key);
            let statement = &mut self.tables[at].load;
            let row = bind(statement, |put| S::key_cells(key, put)).and_then(|()| {
                let mut rows = statement.raw_query();
                rows.next().map(|row| row.map(|row| S::read(at, &Columns(row))))
            });
            match row.map_err(|error| database(&error))? {
                None => {}
                Some(Some(row)) => found.push(row),
                Some(None) => return Err(StoreError::damaged(S::TABLES[at].name)),
            }
        }
        Ok(found)
    }

    fn list(&mut self, list: &ListOf) -> Result<Vec<S::AnyRow>, StoreError> {
        let table = S::TABLES[list.table];
        let mut statement =
            self.connection.prepare_cached(&sql(table, list)).map_err(|error| database(&error))?;
        bind_list(&mut statement, list).map_err(|error| database(&error))?;
        let found = collect::<S>(&mut statement, list.table)?;
        if cfg!(debug_assertions) {
            uses_an_index(&mut statement, found.len());
        }
        Ok(found)
    }

    fn insert<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
    where
        S: HasTable<E>,
    {
        let statements = self.table::<E>();
        let (many, few) = rows.as_chunks::<ROWS_PER_INSERT>();
        for rows in many {
            execute(&mut statements.insert_many, ROWS_PER_INSERT, |put| {
                rows.iter().for_each(|row| row.cells(put))
            })?;
        }
        for row in few {
            execute(&mut statements.insert, 1, |put| row.cells(put))?;
        }
        Ok(())
    }

    fn update<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
    where
        S: HasTable<E>,
    {
        let statement = &mut self.table::<E>().update;
        rows.iter().try_for_each(|row| execute(statement, 1, |put| row.cells(put)))
    }

    fn delete<E: Row>(&mut self, keys: &[&E::Key]) -> Result<(), StoreError>
    where
        S: HasTable<E>,
    {
        let statement = &mut self.table::<E>().delete;
        keys.iter().try_for_each(|key| execute(statement, 1, |put| E::key_cells(key, put)))
    }

    fn commit(&mut self, next_id: u64) -> Result<(), StoreError> {
        if Some(next_id) != self.last_next_id {
            self.next_id
                .raw_bind_parameter(1, next_id.cast_signed())
                .and_then(|()| self.next_id.raw_execute())
                .map_err(|error| database(&error))?;
        }
        self.commit.raw_execute().map_err(|error| database(&error))?;
        self.last_next_id = Some(next_id);
        Ok(())
    }

    fn rollback(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.rollback.raw_execute()
        {
            tracing::warn!(%error, "a rollback failed");
        }
    }
}

impl<S: Schema> Scan<S> for Sqlite<'_, S> {
    fn page(
        &mut self,
        table: usize,
        after: Option<&S::AnyKey>,
        limit: u32,
    ) -> Result<Vec<S::AnyRow>, StoreError> {
        let sql = page_sql(S::TABLES[table], after.is_some());
        let mut statement = self.connection.prepare_cached(&sql).map_err(|error| database(&error))?;
        let bound = bind(&mut statement, |put| {
            if let Some(key) = after {
                S::key_cells(key, put);
            }
            put(Cell::Int(limit.into()));
        });
        bound.map_err(|error| database(&error))?;
        collect::<S>(&mut statement, table)
    }
}

/// The SELECT of a page.
fn page_sql(table: &TableMeta, begins_after_a_key: bool) -> String {
    let keys: Vec<_> =
        table.columns.iter().filter(|column| column.key).map(|column| quoted(column.name)).collect();
    let (list, name, order) = (columns(table), quoted(table.name), keys.join(", "));
    let after = match begins_after_a_key {
        true => format!(" WHERE ({order}) > ({})", vec!["?"; keys.len()].join(", ")),
        false => String::new(),
    };
    format!("SELECT {list} FROM {name}{after} ORDER BY {order} LIMIT ?")
}

/// The rows of a statement that was bound.
fn collect<S: Schema>(statement: &mut Statement<'_>, table: usize) -> Result<Vec<S::AnyRow>, StoreError> {
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(|error| database(&error))? {
        let row = S::read(table, &Columns(row));
        found.push(row.ok_or_else(|| StoreError::damaged(S::TABLES[table].name))?);
    }
    Ok(found)
}

/// Stops a debug build at a list that steps over rows that it does not return: such a list gets slower as its table grows.
fn uses_an_index(statement: &mut Statement<'_>, returned: usize) {
    let stepped = statement.reset_status(StatementStatus::FullscanStep);
    assert!(
        usize::try_from(stepped).unwrap_or(0) <= returned,
        "{stepped} rows were read for {returned}: the list needs an index; {:?}",
        statement.expanded_sql()
    );
}

/// The SELECT of a list. Lists that differ only in their bound operands share one statement.
fn sql(table: &TableMeta, list: &ListOf) -> String {
    let name = |at: usize| quoted(table.columns.get(at).map_or("", |column| column.name));
    let mut sql = format!("SELECT {} FROM {}", columns(table), quoted(table.name));
    let mut parameters = 0..;
    for (at, condition) in list.conditions.iter().enumerate() {
        sql += if at == 0 { " WHERE " } else { " AND " };
        let operand = match condition.operand {
            Operand::Int(int) if condition.literal => int.to_string(),
            _ => format!("?{}", parameters.by_ref().next().map_or(0, |at: usize| at + 1)),
        };
        let test = match condition.test {
            Test::Equal => "=",
            Test::Less => "<",
            Test::LessOrEqual => "<=",
            Test::Greater => ">",
            Test::GreaterOrEqual => ">=",
            Test::InShare { of } => &format!("/ {IN_A_ROW} % {of} ="),
            Test::NoneOf => {
                let name = name(condition.column);
                if table.columns.get(condition.column).is_some_and(|column| column.nullable) {
                    sql += &format!("{name} IS NOT NULL AND "); // NULL NOT IN (empty list) is true
                }
                sql += &format!("{name} NOT IN (SELECT value FROM json_each({operand}))");
                continue;
            }
        };
        sql += &format!("{} {test} {operand}", name(condition.column));
    }
    for (at, order) in list.order.iter().enumerate() {
        sql += if at == 0 { " ORDER BY " } else { ", " };
        sql += &name(order.column);
        sql += if order.descending { " DESC" } else { "" };
    }
    if list.limit.is_some() {
        sql += " LIMIT ?";
    }
    sql
}

/// Binds the operands of a list to its [statement](sql).
fn bind_list(statement: &mut Statement<'_>, list: &ListOf) -> rusqlite::Result<()> {
    let bound = list
        .conditions
        .iter()
        .filter(|condition| !(condition.literal && matches!(condition.operand, Operand::Int(_))));
    let ints: Vec<Option<String>> = bound
        .clone()
        .map(|condition| match &condition.operand {
            Operand::Ints(ints) => {
                let ints: Vec<String> = ints.iter().map(i64::to_string).collect();
                Some(format!("[{}]", ints.join(",")))
            }
            _ => None,
        })
        .collect();
    bind(statement, |put| {
        for (condition, ints) in bound.zip(&ints) {
            put(ints.as_deref().map_or_else(|| condition.operand.cell(), Cell::Text));
        }
        if let Some(limit) = list.limit {
            put(Cell::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the log still has is not cut off.
    #[test]
    fn a_file_may_be_short_of_the_pages_that_its_log_has() {
        let directory = std::env::temp_dir().join(format!("wallop-cut-off-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("db");
        let [log, ..] = logs(&path);
        let mut page = vec![0; 4_096];
        page[16..18].copy_from_slice(&4_096_u16.to_be_bytes());
        page[28..32].copy_from_slice(&10_u32.to_be_bytes());
        for (database, log_bytes, good) in [
            (&page[..], None, false),
            (&page[..], Some(0), false),
            (&page[..], Some(32), true),
            (&page[..50], Some(32), false),
            (&[], Some(32), false),
        ] {
            std::fs::write(&path, database).unwrap();
            let _ = std::fs::remove_file(&log);
            if let Some(length) = log_bytes {
                std::fs::write(&log, vec![1; length]).unwrap();
            }
            assert_eq!(not_cut_off(&path).is_ok(), good, "{} {log_bytes:?}", database.len());
        }
        std::fs::remove_dir_all(directory).unwrap();
    }

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
}
