//! The PostgreSQL backend: any number of processes share a database, and their batches take turns.
//!
//! Every transaction that writes first locks the row of table `baton`. So there is one writer at a time over all processes, as
//! with SQLite: a row that does not exist needs no lock, row numbers are dense and in commit order, and there are no
//! deadlocks. A *flight* is a group of statements that are sent at once, with one wait.

mod clock;
mod connection;
mod migrate;
mod types;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::Row as Found;
use wallet_core::UnixTime;
use wallet_engine::{
    Backend, Begun, Cell, CellSource, ColumnKind, Engine, HasTable, IN_A_ROW, ListOf, Look, Operand, Row,
    Scan, Schema, StoreError, TableMeta, Test, Turn, Version,
};

use self::clock::DatabaseClock;
use self::connection::{Connection, Failed, Link, Statement};
use self::types::{Parameter, Raw, type_name};
use crate::clock::Clock;
use crate::error::OpenError;
use crate::migrations::Migration;

/// How long interruptions in a row may last before the callers are answered.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first wait after an interruption; each further one is twice as long, up to a second.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// A step back of the database's clock by at most this is ignored.
const STEP_BACK: Duration = Duration::from_secs(2);

const BEGIN_TURN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SET LOCAL idle_in_transaction_session_timeout = '1s'; SET LOCAL lock_timeout = '10s'";
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const BATON: &str = "SELECT next_id, batch, last_now FROM baton WHERE id = 1 FOR UPDATE";
const VERSION: &str = "SELECT batch, last_now FROM baton WHERE id = 1";
const NODE: &str = "SELECT attempt FROM node WHERE id = $1 AND epoch = $2 FOR UPDATE";
const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const PASS_ON: &str = "UPDATE baton SET next_id = $1, batch = batch + 1, last_now = $2 WHERE id = 1";
const ATTEMPT: &str = "UPDATE node SET attempt = $1, seen_at = $2 WHERE id = $3 AND epoch = $4";
/// Waits for the server process of a lost connection, which has locked the row, and fences it for good.
const FENCE: &str = "UPDATE node SET epoch = epoch + 1 WHERE id = $1 AND epoch = $2 RETURNING attempt";

/// An identifier in SQL.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// A database that this process shares, brought up to date. [`Store::start_postgres`](crate::Store::start_postgres) runs it.
pub struct Shared<S> {
    link: Link,
    clock: Arc<DatabaseClock>,
    schema: PhantomData<fn() -> S>,
}

impl<S> fmt::Debug for Shared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("link", &self.link).finish_non_exhaustive()
    }
}

impl<S: Schema> Shared<S> {
    /// Connects to the database of a URL (`postgres://user@host/name`, or the driver's `host=… dbname=…`), and runs the
    /// migrations that it lacks. Not to be called on a thread of an asynchronous runtime: it waits.
    ///
    /// # Errors
    /// [`OpenError`]: the URL is malformed, the database cannot be reached, or its migrations differ.
    pub fn open(url: &str, migrations: &[Migration]) -> Result<Self, OpenError> {
        Self::with_clock(url, migrations, DatabaseClock::default())
    }

    /// The same, at the time of another clock than the database's: for tests, and for a sandbox whose time is moved.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_at(url: &str, migrations: &[Migration], clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::with_clock(url, migrations, DatabaseClock::fixed_to(clock))
    }

    /// The same for reading: runs no migration, and fails if one is missing.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_to_read(url: &str, migrations: &[Migration]) -> Result<Self, OpenError> {
        let (link, missing) = Self::missing(url, migrations)?;
        crate::migrations::none_missing(&missing)
            .map_err(|error| OpenError::new(format!("cannot open the database {link:?}: {error}")))?;
        Ok(Self { link, clock: Arc::default(), schema: PhantomData })
    }

    fn missing<'m>(url: &str, migrations: &'m [Migration]) -> Result<(Link, Vec<&'m Migration>), OpenError> {
        let link = Link::parse(url)?;
        let missing = Connection::open(&link)
            .map_err(|error| error.to_string())
            .and_then(|mut connection| migrate::missing(&mut connection, migrations));
        match missing {
            Ok(missing) => Ok((link, missing)),
            Err(error) => Err(OpenError::new(format!("cannot open the database {link:?}: {error}"))),
        }
    }

    /// The migrations that the database of a URL lacks, in order.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn missing_migrations(url: &str, migrations: &[Migration]) -> Result<Vec<&'static str>, OpenError> {
        let (_, missing) = Self::missing(url, migrations)?;
        Ok(missing.into_iter().map(|migration| migration.name).collect())
    }

    /// An engine that reads.
    ///
    /// # Errors
    /// The database's.
    pub fn reading(&mut self, vault: S::Vault) -> Result<Engine<S, Postgres<S>>, StoreError> {
        Ok(Engine::new(self.reader()?, vault, 0))
    }

    /// Records that a copy into this database has begun or is whole. Until it is, no program opens the database.
    ///
    /// # Errors
    /// The database's.
    pub fn mark_unfinished(&mut self, unfinished: bool) -> Result<(), StoreError> {
        let sql =
            if unfinished { crate::migrations::MARK_UNFINISHED } else { crate::migrations::MARK_FINISHED };
        let mut connection =
            Connection::open(&self.link).map_err(|error| StoreError::Database(error.to_string()))?;
        let marked = connection.fly(&[Statement::Simple(sql)]);
        marked.map(drop).map_err(|error| StoreError::Database(error.to_string()))
    }

    fn with_clock(url: &str, migrations: &[Migration], clock: DatabaseClock) -> Result<Self, OpenError> {
        let link = Link::parse(url)?;
        let failed =
            |why: &dyn fmt::Display| OpenError::new(format!("cannot open the database {link:?}: {why}"));
        let mut connection = Connection::open(&link).map_err(|error| failed(&error))?;
        let asked = Statement::Query { sql: "SELECT current_setting('synchronous_commit')", parameters: &[] };
        let settings = connection.fly(&[asked]).map_err(|error| failed(&error))?;
        if settings.iter().flatten().any(|row| row.get::<_, &str>(0) == "off") {
            let why =
                "synchronous_commit is off: a crash would lose payments that were acknowledged; set it to on";
            return Err(failed(&why));
        }
        migrate::run(&mut connection, migrations).map_err(|error| failed(&error))?;
        drop(connection);
        Ok(Self { link, clock: Arc::new(clock), schema: PhantomData })
    }

    /// An engine for commands before the store starts.
    ///
    /// # Errors
    /// The database's.
    pub fn engine(&mut self, vault: S::Vault) -> Result<Engine<S, Postgres<S>>, StoreError> {
        Ok(Engine::new(self.writer()?, vault, 0))
    }

    /// The clock of decisions.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    pub(crate) fn writer(&self) -> Result<Postgres<S>, StoreError> {
        let mut connection =
            Connection::open(&self.link).map_err(|error| StoreError::Database(error.to_string()))?;
        let node = connection.register().map_err(|error| StoreError::Database(error.to_string()))?;
        let writer =
            Writer { node, epoch: 0, attempt: 0, last_now: 0, in_doubt: None, fence_in_doubt: false };
        Ok(Postgres::new(self, connection, Some(writer)))
    }

    pub(crate) fn reader(&self) -> Result<Postgres<S>, StoreError> {
        let connection =
            Connection::open(&self.link).map_err(|error| StoreError::Database(error.to_string()))?;
        Ok(Postgres::new(self, connection, None))
    }
}

/// The part of a backend that writes.
#[derive(Debug)]
struct Writer {
    /// Its row in table `node`, for one connection of one process start, and the epoch of that row: a
    /// process that finds another epoch there is fenced.
    node: i64,
    epoch: i64,
    /// The number of the last attempt to commit; failed ones count too.
    attempt: i64,
    /// The time of the last batch of any process, in milliseconds.
    last_now: i64,
    /// The attempt whose COMMIT has no answer.
    in_doubt: Option<i64>,
    /// Whether a fence of this epoch may have no answer: then the row may have the next epoch, and be this writer's own.
    fence_in_doubt: bool,
}

/// The statements of a table.
#[derive(Debug)]
struct TableSql {
    load: Arc<str>,
    insert: Arc<str>,
    update: Arc<str>,
    delete: Arc<str>,
}

impl TableSql {
    fn of(table: &TableMeta) -> Self {
        Self {
            load: load_sql(table).into(),
            insert: insert_sql(table).into(),
            update: update_sql(table).into(),
            delete: delete_sql(table).into(),
        }
    }
}

/// Rows that wait for the commit's flight.
#[derive(Debug)]
struct Write {
    sql: Arc<str>,
    columns: Vec<Parameter>,
    rows: u64,
}

/// One connection to a database that several processes share.
pub struct Postgres<S> {
    link: Link,
    connection: Option<Connection>,
    clock: Arc<DatabaseClock>,
    writer: Option<Writer>,
    tables: Vec<TableSql>,
    writes: Vec<Write>,
    in_transaction: bool,
    /// Since when every attempt was interrupted, and the next wait.
    trouble: Option<(Instant, Duration)>,
    /// Whether this attempt was interrupted.
    is_failing: bool,
    schema: PhantomData<fn() -> S>,
}

impl<S> fmt::Debug for Postgres<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("link", &self.link)
            .field("writer", &self.writer)
            .finish_non_exhaustive()
    }
}

impl<S: Schema> Postgres<S> {
    fn new(shared: &Shared<S>, connection: Connection, writer: Option<Writer>) -> Self {
        Self {
            link: shared.link.clone(),
            connection: Some(connection),
            clock: shared.clock.clone(),
            writer,
            tables: S::TABLES.iter().map(|table| TableSql::of(table)).collect(),
            writes: Vec::new(),
            in_transaction: false,
            trouble: None,
            is_failing: false,
            schema: PhantomData,
        }
    }

    fn connection(&mut self) -> Result<&mut Connection, Failed> {
        if self.connection.as_ref().is_none_or(Connection::is_closed) {
            if std::mem::take(&mut self.in_transaction) {
                // What follows belongs to the transaction, and must not run outside one.
                return Err(Failed::Lost("the connection was lost during a transaction".to_owned()));
            }
            // Whatever it is, it may pass: the database was reached before.
            let opened = Connection::open(&self.link).map_err(|error| Failed::Lost(error.to_string()))?;
            self.connection = Some(opened);
        }
        self.connection.as_mut().ok_or(Failed::Lost(String::new()))
    }

    /// Sends statements at once, and waits for all.
    fn fly(&mut self, flight: &[Statement<'_>]) -> Result<Vec<Vec<Found>>, StoreError> {
        let sent = self.connection().and_then(|connection| connection.fly(flight));
        sent.map_err(|failed| self.failed(failed))
    }

    /// The engine's error for a failed flight. Waits before a repetition, and bounds repetitions.
    fn failed(&mut self, failed: Failed) -> StoreError {
        let why = match failed {
            Failed::Rejected(why) => return StoreError::Database(why),
            Failed::Lost(why) => {
                self.connection = None;
                self.in_transaction = false;
                why
            }
            Failed::Collided(why) => why,
        };
        self.is_failing = true;
        let (since, wait) = *self.trouble.get_or_insert_with(|| (Instant::now(), FIRST_WAIT));
        // From then on each batch is tried once, until one succeeds.
        if since.elapsed() > PATIENCE {
            tracing::error!(why, "the database does not answer; callers get the error of an overload");
            return StoreError::Overloaded;
        }
        tracing::warn!(why, "the database interrupted a batch, which runs again");
        self.trouble = Some((since, (wait * 2).min(LONGEST_WAIT)));
        std::thread::sleep(wait);
        StoreError::Interrupted(why)
    }

    /// Finds out whether the COMMIT without an answer holds. Until that is known, nothing else is written here.
    fn settle(&mut self) -> Result<bool, StoreError> {
        let Some((node, mut epoch, attempt)) =
            (self.writer.as_ref()).and_then(|writer| Some((writer.node, writer.epoch, writer.in_doubt?)))
        else {
            return Ok(false);
        };
        let (since, mut wait) = (Instant::now(), FIRST_WAIT);
        loop {
            self.connection = None;
            let parameters = [Parameter::one(Cell::Int(node)), Parameter::one(Cell::Int(epoch))];
            let fence = Statement::Query { sql: FENCE, parameters: &parameters };
            let why = match self.connection().and_then(|connection| connection.fly(&[fence])) {
                Ok(answers) => {
                    let last = answers.iter().flatten().next().and_then(|row| int(row, 0));
                    let Some(writer) = &mut self.writer else { return Ok(false) };
                    match last {
                        Some(last) => {
                            (writer.epoch, writer.in_doubt, writer.fence_in_doubt) = (epoch + 1, None, false);
                            tracing::warn!(held = last == attempt, "a commit without an answer is settled");
                            return Ok(last == attempt);
                        }
                        None if std::mem::take(&mut writer.fence_in_doubt) => {
                            epoch += 1;
                            writer.epoch = epoch;
                            continue;
                        }
                        None => return Err(StoreError::Broken(FENCED.to_owned())),
                    }
                }
                Err(failed) => {
                    if let Some(writer) = &mut self.writer {
                        writer.fence_in_doubt = true;
                    }
                    failed.to_string()
                }
            };
            if since.elapsed() > PATIENCE {
                tracing::error!(why, "a commit without an answer could not be settled");
                return Err(StoreError::Unknown(why));
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// The time of a transaction: the database's, unless that went back a little.
    fn time(&mut self, clock: i64, last_now: i64) -> UnixTime {
        let now = self.clock.read(UnixTime::from_millis(clock));
        let back = UnixTime::from_millis(last_now).since(now);
        if now.millis() >= last_now {
            return now;
        }
        if back <= STEP_BACK {
            return UnixTime::from_millis(last_now);
        }
        tracing::warn!(milliseconds = back.as_millis(), "the database's clock went back");
        now
    }
}

const FENCED: &str = "another process has taken the place of this one in table node";

fn version(batch: i64, last_now: i64) -> Version {
    Version { batch: batch.cast_unsigned(), at: UnixTime::from_millis(last_now) }
}

fn int(row: &Found, at: usize) -> Option<i64> {
    row.try_get(at).ok()
}

/// The columns of a table, as SQL lists them, each with a prefix.
fn columns(table: &TableMeta, prefix: &str) -> String {
    let names: Vec<String> =
        table.columns.iter().map(|column| format!("{prefix}{}", quoted(column.name))).collect();
    names.join(", ")
}

/// `SELECT unnest($1::bigint[]) AS "a", …`: the rows of arrays of one length, one a column. Among the results, since PostgreSQL
/// would write the rows of `FROM unnest($1, …)` into a store of its own first.
fn unnested<'t>(columns: impl Iterator<Item = &'t wallet_engine::ColumnMeta>) -> String {
    let arrays = columns.zip(1..).map(|(column, at)| {
        format!("unnest(${at}::{}[]) AS {}", type_name(column.kind), quoted(column.name))
    });
    format!("SELECT {}", arrays.collect::<Vec<_>>().join(", "))
}

/// `t."a" = u."a" AND …` over the key's columns.
fn same_key(table: &TableMeta) -> String {
    let keys = table.columns.iter().filter(|column| column.key);
    let equal: Vec<String> = keys.map(|column| format!("t.{0} = u.{0}", quoted(column.name))).collect();
    equal.join(" AND ")
}

fn load_sql(table: &TableMeta) -> String {
    let keys: Vec<_> = table.columns.iter().filter(|column| column.key).collect();
    let (list, name) = (columns(table, ""), quoted(table.name));
    match keys[..] {
        [key] => {
            format!(
                "SELECT {list} FROM {name} WHERE {} = ANY($1::{}[])",
                quoted(key.name),
                type_name(key.kind)
            )
        }
        // OFFSET 0 keeps the planner from joining the whole table.
        _ => format!(
            "SELECT r.* FROM ({}) AS u CROSS JOIN LATERAL (SELECT {list} FROM {name} AS t WHERE {} OFFSET 0) AS r",
            unnested(keys.into_iter()),
            same_key(table)
        ),
    }
}

fn insert_sql(table: &TableMeta) -> String {
    let (list, name) = (columns(table, ""), quoted(table.name));
    format!("INSERT INTO {name} ({list}) {}", unnested(table.columns.iter()))
}

fn update_sql(table: &TableMeta) -> String {
    let rest = table.columns.iter().filter(|column| !column.key);
    let set: Vec<String> = rest.map(|column| format!("{0} = u.{0}", quoted(column.name))).collect();
    let (name, rows) = (quoted(table.name), unnested(table.columns.iter()));
    format!("UPDATE {name} AS t SET {} FROM ({rows}) AS u WHERE {}", set.join(", "), same_key(table))
}

fn delete_sql(table: &TableMeta) -> String {
    let rows = unnested(table.columns.iter().filter(|column| column.key));
    format!("DELETE FROM {} AS t USING ({rows}) AS u WHERE {}", quoted(table.name), same_key(table))
}

/// The values of several rows or keys, column by column.
fn arrays<T>(
    width: usize,
    rows: impl Iterator<Item = T>,
    cells: impl Fn(T, &mut dyn FnMut(Cell<'_>)),
) -> Vec<Parameter> {
    let mut arrays: Vec<Parameter> = (0..width).map(|_| Parameter::many()).collect();
    for row in rows {
        let mut columns = arrays.iter_mut();
        cells(row, &mut |cell| {
            if let Some(column) = columns.next() {
                column.push(cell);
            }
        });
    }
    arrays
}

struct Columns<'r>(&'r Found);

impl CellSource for Columns<'_> {
    fn cell(&self, at: usize, kind: ColumnKind) -> Option<Cell<'_>> {
        self.0.try_get::<_, Raw<'_>>(at).ok()?.cell(kind)
    }
}

/// Rows of one table.
fn read<S: Schema>(at: usize, found: &[Found], rows: &mut Vec<S::AnyRow>) -> Result<(), StoreError> {
    for row in found {
        rows.push(S::read(at, &Columns(row)).ok_or_else(|| StoreError::damaged(S::TABLES[at].name))?);
    }
    Ok(())
}

/// The loads of some keys: a table's position, its SQL and its arrays.
type Loads = Vec<(usize, Arc<str>, Vec<Parameter>)>;

/// Whether a key can be that of a row: no text in PostgreSQL has U+0000, and a query for one is an error.
fn storable<S: Schema>(key: &S::AnyKey) -> bool {
    let mut storable = true;
    S::key_cells(key, &mut |cell| storable &= !matches!(cell, Cell::Text(text) if text.contains('\0')));
    storable
}

fn loads<S: Schema>(tables: &[TableSql], keys: &[S::AnyKey]) -> Loads {
    let mut of_table: Vec<Vec<&S::AnyKey>> = vec![Vec::new(); S::TABLES.len()];
    for key in keys.iter().filter(|key| storable::<S>(key)) {
        if let Some(keys) = of_table.get_mut(S::table_of_key(key)) {
            keys.push(key);
        }
    }
    let wanted = of_table.into_iter().zip(tables).enumerate().filter(|(_, (keys, _))| !keys.is_empty());
    let load = wanted.map(|(at, (keys, sql))| {
        let width = S::TABLES[at].columns.iter().filter(|column| column.key).count();
        (at, sql.load.clone(), arrays(width, keys.into_iter(), |key, put| S::key_cells(key, put)))
    });
    load.collect()
}

fn queries(loads: &Loads) -> impl Iterator<Item = Statement<'_>> {
    loads.iter().map(|(_, sql, parameters)| Statement::Query { sql, parameters })
}

fn rows_of<S: Schema>(loads: &Loads, answers: &[Vec<Found>]) -> Result<Vec<S::AnyRow>, StoreError> {
    let mut rows = Vec::new();
    for ((at, ..), found) in loads.iter().zip(answers) {
        read::<S>(*at, found, &mut rows)?;
    }
    Ok(rows)
}

impl<S: Schema> Backend<S> for Postgres<S> {
    const SHARED: bool = true;

    fn begin(&mut self, keys: &[S::AnyKey]) -> Result<Begun<S>, StoreError> {
        match self.settle() {
            // This batch has not begun: it is the one before that is in doubt.
            Err(StoreError::Unknown(_)) => return Err(StoreError::Overloaded),
            settled => settled.map(drop)?,
        }
        self.is_failing = false;
        self.writes.clear();
        let loads = loads::<S>(&self.tables, keys);
        let node: Vec<Parameter> = (self.writer.iter())
            .flat_map(|writer| [writer.node, writer.epoch].map(|int| Parameter::one(Cell::Int(int))))
            .collect();
        let clock = Statement::Query { sql: CLOCK, parameters: &[] };
        let mut flight = match self.writer {
            Some(_) => vec![
                Statement::Simple(BEGIN_TURN),
                Statement::Query { sql: BATON, parameters: &[] },
                Statement::Query { sql: NODE, parameters: &node },
                clock, // its own statement: one that waits for a lock keeps the clock of its start
            ],
            None => vec![Statement::Simple(BEGIN_READ), clock],
        };
        let head = flight.len();
        flight.extend(queries(&loads));
        if let Err(failed) = self.connection().map(drop) {
            return Err(self.failed(failed));
        }
        self.in_transaction = true;
        let mut answers = self.fly(&flight)?;
        let rows = rows_of::<S>(&loads, &answers.split_off(head))?;
        let number = |statement: usize, column| {
            let row = answers.get(statement).and_then(|rows: &Vec<Found>| rows.first());
            row.and_then(|row| int(row, column))
        };
        let missing = |what: &str| StoreError::Broken(format!("{what} is missing in the database"));
        let time = number(head - 1, 0).ok_or_else(|| missing("the time"))?;
        let (next_id, version, last_now) = match &mut self.writer {
            None => (0, None, i64::MIN),
            Some(writer) => {
                if number(2, 0).is_none() {
                    return Err(StoreError::Broken(FENCED.to_owned()));
                }
                let baton = |column| number(1, column).ok_or_else(|| missing("the row of table baton"));
                writer.last_now = baton(2)?;
                let version = version(baton(1)?, writer.last_now);
                (baton(0)?.cast_unsigned(), Some(version), writer.last_now)
            }
        };
        let now = self.time(time, last_now);
        if let Some(writer) = &mut self.writer {
            writer.last_now = now.millis();
        }
        Ok(Begun { rows, turn: Some(Turn { next_id, version, now }) })
    }

    fn look(&mut self, keys: &[S::AnyKey]) -> Result<Look<S>, StoreError> {
        let loads = loads::<S>(&self.tables, keys);
        // The version is read first: what is read after it may be newer, never older.
        let mut flight = vec![Statement::Query { sql: VERSION, parameters: &[] }];
        flight.extend(queries(&loads));
        let mut answers = self.fly(&flight)?;
        let rows = rows_of::<S>(&loads, &answers.split_off(1))?;
        let baton = answers.iter().flatten().next();
        let version = baton.and_then(|row| Some(version(int(row, 0)?, int(row, 1)?)));
        let missing = || StoreError::Broken("the row of table baton is missing in the database".to_owned());
        Ok(Look { version: version.ok_or_else(missing)?, rows })
    }

    fn load(&mut self, keys: &[S::AnyKey]) -> Result<Vec<S::AnyRow>, StoreError> {
        let loads = loads::<S>(&self.tables, keys);
        let answers = self.fly(&queries(&loads).collect::<Vec<_>>())?;
        rows_of::<S>(&loads, &answers)
    }

    fn list(&mut self, list: &ListOf) -> Result<Vec<S::AnyRow>, StoreError> {
        let operands = list.conditions.iter().map(|condition| &condition.operand);
        if operands.into_iter().any(|operand| matches!(operand, Operand::Text(text) if text.contains('\0'))) {
            return Ok(Vec::new());
        }
        let (sql, parameters) = list_sql(S::TABLES[list.table], list);
        let answers = self.fly(&[Statement::Query { sql: &sql, parameters: &parameters }])?;
        let mut rows = Vec::new();
        answers.iter().try_for_each(|found| read::<S>(list.table, found, &mut rows))?;
        Ok(rows)
    }

    fn insert<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
    where
        S: HasTable<E>,
    {
        self.write(self.tables[S::AT].insert.clone(), E::TABLE.columns.len(), rows, |row, put| {
            row.cells(put)
        });
        Ok(())
    }

    fn update<E: Row>(&mut self, rows: &[&E]) -> Result<(), StoreError>
    where
        S: HasTable<E>,
    {
        self.write(self.tables[S::AT].update.clone(), E::TABLE.columns.len(), rows, |row, put| {
            row.cells(put)
        });
        Ok(())
    }

    fn delete<E: Row>(&mut self, keys: &[&E::Key]) -> Result<(), StoreError>
    where
        S: HasTable<E>,
    {
        let width = E::TABLE.columns.iter().filter(|column| column.key).count();
        self.write(self.tables[S::AT].delete.clone(), width, keys, |key, put| E::key_cells(key, put));
        Ok(())
    }

    fn commit(&mut self, next_id: u64) -> Result<(), StoreError> {
        let Some(writer) = &mut self.writer else {
            return Err(StoreError::Database("this connection reads".to_owned()));
        };
        writer.attempt += 1;
        let (attempt, now) = (writer.attempt, writer.last_now);
        let ints = |ints: &[i64]| -> Vec<Parameter> {
            ints.iter().map(|int| Parameter::one(Cell::Int(*int))).collect()
        };
        let baton = ints(&[next_id.cast_signed(), now]);
        let node = ints(&[attempt, now, writer.node, writer.epoch]);
        let writes = std::mem::take(&mut self.writes);
        let mut flight = vec![
            Statement::Change { sql: PASS_ON, parameters: &baton, rows: 1 },
            Statement::Change { sql: ATTEMPT, parameters: &node, rows: 1 },
        ];
        flight.extend(writes.iter().map(|write| Statement::Change {
            sql: &write.sql,
            parameters: &write.columns,
            rows: write.rows,
        }));
        self.fly(&flight)?;
        // Alone: behind a statement that failed, a COMMIT is answered without an error.
        let committed =
            self.connection().and_then(|connection| connection.fly(&[Statement::Simple("COMMIT")]));
        self.in_transaction = false;
        if let Err(failed) = committed {
            tracing::warn!(%failed, "a commit has no answer");
            if let Some(writer) = &mut self.writer {
                writer.in_doubt = Some(attempt);
            }
            let held = self.settle().map_err(|error| match error {
                // The next batch stops the store; whether this one holds, nobody here can tell.
                StoreError::Broken(why) => StoreError::Unknown(why),
                error => error,
            })?;
            if !held {
                return Err(self.failed(Failed::Collided("the commit did not hold".to_owned())));
            }
        }
        self.trouble = None;
        Ok(())
    }

    fn rollback(&mut self) {
        self.writes.clear();
        if !std::mem::take(&mut self.in_transaction) {
            return;
        }
        let Some(connection) = &mut self.connection else { return };
        match connection.fly(&[Statement::Simple("ROLLBACK")]) {
            Ok(_) if self.is_failing => {}
            Ok(_) => self.trouble = None,
            Err(_) => self.connection = None,
        }
    }
}

impl<S: Schema> Scan<S> for Postgres<S> {
    fn page(
        &mut self,
        table: usize,
        after: Option<&S::AnyKey>,
        limit: u32,
    ) -> Result<Vec<S::AnyRow>, StoreError> {
        let mut parameters = Vec::new();
        if let Some(key) = after {
            S::key_cells(key, &mut |cell| parameters.push(Parameter::one(cell)));
        }
        let sql = page_sql(S::TABLES[table], after.is_some());
        parameters.push(Parameter::one(Cell::Int(limit.into())));
        let answers = self.fly(&[Statement::Query { sql: &sql, parameters: &parameters }])?;
        let mut rows = Vec::new();
        answers.iter().try_for_each(|found| read::<S>(table, found, &mut rows))?;
        Ok(rows)
    }
}

/// The SELECT of a page.
fn page_sql(table: &TableMeta, begins_after_a_key: bool) -> String {
    let keys: Vec<_> = table.columns.iter().filter(|column| column.key).collect();
    let order = keys.iter().map(|column| quoted(column.name)).collect::<Vec<_>>().join(", ");
    let typed = keys.iter().zip(1..).map(|(column, at)| format!("${at}::{}", type_name(column.kind)));
    let (after, limit) = match begins_after_a_key {
        true => {
            let typed = typed.collect::<Vec<_>>().join(", ");
            (format!(" WHERE ({order}) > ({typed})"), keys.len() + 1)
        }
        false => (String::new(), 1),
    };
    let (list, name) = (columns(table, ""), quoted(table.name));
    format!("SELECT {list} FROM {name}{after} ORDER BY {order} LIMIT ${limit}::bigint")
}

impl<S: Schema> Postgres<S> {
    /// Keeps rows for the commit's flight.
    fn write<T>(
        &mut self,
        sql: Arc<str>,
        width: usize,
        rows: &[&T],
        cells: impl Fn(&T, &mut dyn FnMut(Cell<'_>)),
    ) {
        let columns = arrays(width, rows.iter(), |row, put| cells(row, put));
        self.writes.push(Write { sql, columns, rows: rows.len() as u64 });
    }
}

/// The SELECT of a list, and its parameters.
fn list_sql(table: &TableMeta, list: &ListOf) -> (String, Vec<Parameter>) {
    let mut sql = format!("SELECT {} FROM {}", columns(table, ""), quoted(table.name));
    let mut parameters = Vec::new();
    for (at, condition) in list.conditions.iter().enumerate() {
        sql += if at == 0 { " WHERE " } else { " AND " };
        let Some(column) = table.columns.get(condition.column) else { continue };
        let (name, of_type) = (quoted(column.name), type_name(column.kind));
        let mut bound = |parameter| {
            parameters.push(parameter);
            parameters.len()
        };
        let test = match condition.test {
            Test::Equal => "=",
            Test::Less => "<",
            Test::LessOrEqual => "<=",
            Test::Greater => ">",
            Test::GreaterOrEqual => ">=",
            Test::InShare { of } => &format!("/ {IN_A_ROW} % {of} ="),
            Test::NoneOf => {
                let mut ints = Parameter::many();
                if let Operand::Ints(values) = &condition.operand {
                    values.iter().for_each(|int| ints.push(Cell::Int(*int)));
                }
                // NULL <> ALL (empty array) is true.
                sql += &format!("{name} IS NOT NULL AND {name} <> ALL(${}::bigint[])", bound(ints));
                continue;
            }
        };
        sql += &match condition.operand {
            Operand::Int(int) if condition.literal => format!("{name} {test} {int}"),
            ref operand => format!("{name} {test} ${}::{of_type}", bound(Parameter::one(operand.cell()))),
        };
    }
    for (at, order) in list.order.iter().enumerate() {
        sql += if at == 0 { " ORDER BY " } else { ", " };
        let Some(column) = table.columns.get(order.column) else { continue };
        sql += &quoted(column.name);
        sql += if order.descending { " DESC" } else { "" };
        if column.nullable {
            // Null is the smallest value.
            sql += if order.descending { " NULLS LAST" } else { " NULLS FIRST" };
        }
    }
    if let Some(limit) = list.limit {
        parameters.push(Parameter::one(Cell::Int(i64::try_from(limit).unwrap_or(i64::MAX))));
        sql += &format!(" LIMIT ${}::bigint", parameters.len());
    }
    (sql, parameters)
}
