//! Versioned changes of the tables, each with a checksum, so that a migration that was edited after it had run is noticed.

use rusqlite::{Connection, params};

/// One change of the tables. Its name orders it; neither name nor text may change once a database has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// For example `0001_fomo`.
    pub name: &'static str,
    /// The newest migration that a program must know to run on a database which has this one: its own name, unless this
    /// one only adds what an older program does not see. Then nodes of both programs run beside one another.
    pub oldest: &'static str,
    /// SQL statements for SQLite.
    pub sqlite: &'static str,
    /// SQL statements for PostgreSQL; empty if its tables need no change.
    pub postgres: &'static str,
}

impl Migration {
    /// One that no program of before can run beside.
    pub const fn new(name: &'static str, sqlite: &'static str, postgres: &'static str) -> Self {
        Self { name, oldest: name, sqlite, postgres }
    }
}

/// `name, oldest: SQL for PostgreSQL`. The SQL for SQLite is the file of that name.
macro_rules! migrations {
    ($($name:literal, $oldest:literal: $postgres:expr),+ $(,)?) => {
        &[$(Migration {
            name: $name,
            oldest: $oldest,
            sqlite: include_str!(concat!("../migrations/", $name, ".sql")),
            postgres: $postgres,
        },)+]
    };
}

/// The migrations of `wallop`'s own databases.
pub const WALLOP: &[Migration] = migrations![
    "0001_fomo", "0001_fomo": "",
    "0002_vas", "0002_vas": "",
    "0003_orders", "0003_orders": "",
    "0004_journals", "0004_journals": "",
    "0005_pages", "0005_pages": "",
    "0006_operators", "0006_operators": "",
    "0007_history", "0007_history": "",
    "0008_deliveries", "0008_deliveries": "",
    "0009_integrators", "0009_integrators": "",
    // No database of PostgreSQL is older than this one, which makes all tables.
    "0010_edits", "0010_edits": include_str!("../migrations/postgres/0010_edits.sql"),
    "0011_leases", "0011_leases": include_str!("../migrations/postgres/0011_leases.sql"),
    "0012_notices", "0011_leases": include_str!("../migrations/postgres/0012_notices.sql"),
    // A program of before would let a suspended app go on.
    "0013_operators", "0013_operators": include_str!("../migrations/postgres/0013_operators.sql"),
    "0014_addresses", "0013_operators": include_str!("../migrations/postgres/0014_addresses.sql"),
    // A program of before does not know its new kinds of notices.
    "0015_callbacks", "0015_callbacks": include_str!("../migrations/postgres/0015_callbacks.sql"),
    // An older program does not know its kinds of events.
    "0016_events", "0016_events": include_str!("../migrations/postgres/0016_events.sql"),
    // An older program would register names that differ by case alone.
    "0017_names", "0017_names": include_str!("../migrations/postgres/0017_names.sql"),
    // An older program does not know the hashes of normalised passwords.
    "0018_bounds", "0018_bounds": include_str!("../migrations/postgres/0018_bounds.sql"),
    "0019_codes", "0018_bounds": include_str!("../migrations/postgres/0019_codes.sql"),
];

/// The name of the record of a copy that has begun and is not whole.
const UNFINISHED: &str = "unfinished copy";
pub(crate) const MARK_UNFINISHED: &str =
    "INSERT INTO migration (name, checksum, oldest) VALUES ('unfinished copy', 0, 'unfinished copy')";
pub(crate) const MARK_FINISHED: &str = "DELETE FROM migration WHERE name = 'unfinished copy'";

/// Creates the table that stores the next row number, if no migration did. A first migration that wants another first
/// number creates it in this very shape.
const SEQUENCE: &str = "
    CREATE TABLE IF NOT EXISTS sequence (id INTEGER PRIMARY KEY CHECK (id = 1), next_id INTEGER NOT NULL) STRICT;
    INSERT OR IGNORE INTO sequence (id, next_id) VALUES (1, 1);";

/// FNV-1a of the text: it notices an edit, and is no protection against an attacker.
pub(crate) fn checksum(text: &str) -> i64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

/// A migration that a database has.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) checksum: i64,
    /// See [`Migration::oldest`]; `None` in a database of before that column.
    pub(crate) oldest: Option<String>,
}

/// The migrations that a database lacks, in order.
///
/// # Errors
/// The fault and the remedy.
pub(crate) fn check<'m>(
    migrations: &'m [Migration],
    dialect: fn(&Migration) -> &'static str,
    known: &[Known],
) -> Result<Vec<&'m Migration>, String> {
    let newest = migrations.iter().map(|migration| migration.name).max().unwrap_or_default();
    for Known { name, oldest, .. } in known {
        if name == UNFINISHED {
            return Err(
                "a copy into this database was not finished: remove the database, and copy again".to_owned()
            );
        }
        let is_of_this_program = migrations.iter().any(|migration| migration.name == *name);
        if !is_of_this_program && oldest.as_deref().is_none_or(|oldest| oldest > newest) {
            return Err(format!(
                "this database has migration {name}, which needs a newer program than this one (it ends with {newest})"
            ));
        }
    }
    let mut missing = Vec::new();
    for migration in migrations {
        match known.iter().find(|known| known.name == migration.name) {
            None => missing.push(migration),
            Some(known) if known.checksum == checksum(dialect(migration)) => {}
            Some(_) => {
                return Err(format!(
                    "migration {} of this database differs from this program's: it was edited after it had run. \
                     Use the program that made the database, or restore a backup",
                    migration.name
                ));
            }
        }
    }
    Ok(missing)
}

/// Fails if a migration is missing, and names it.
pub(crate) fn none_missing(missing: &[&Migration]) -> Result<(), String> {
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|migration| migration.name).collect();
    Err(format!("this database lacks migrations of this program ({}): run wallop migrate", names.join(", ")))
}

/// What this program would change: the migrations that the database of a connection lacks.
///
/// # Errors
/// The fault and the remedy.
pub(crate) fn missing<'m>(
    connection: &Connection,
    migrations: &'m [Migration],
) -> Result<Vec<&'m Migration>, String> {
    let failed = |error: rusqlite::Error| error.to_string();
    let columns = |name: &str| -> rusqlite::Result<bool> {
        connection.query_row(
            "SELECT count(*) > 0 FROM pragma_table_info('migration') WHERE name = ?1",
            params![name],
            |row| row.get(0),
        )
    };
    if !columns("name").map_err(failed)? {
        return Ok(migrations.iter().collect());
    }
    let oldest = if columns("oldest").map_err(failed)? { "oldest" } else { "NULL" };
    let sql = format!("SELECT name, checksum, {oldest} FROM migration ORDER BY name");
    let mut known = connection.prepare(&sql).map_err(failed)?;
    let rows = known
        .query_map([], |row| Ok(Known { name: row.get(0)?, checksum: row.get(1)?, oldest: row.get(2)? }))
        .map_err(failed)?;
    check(migrations, |migration| migration.sqlite, &rows.collect::<Result<Vec<_>, _>>().map_err(failed)?)
}

/// Brings a database of SQLite up to date. Each migration is one transaction together with its record.
///
/// # Errors
/// The fault and the remedy.
pub(crate) fn run(connection: &mut Connection, migrations: &[Migration]) -> Result<(), String> {
    let failed = |error: rusqlite::Error| error.to_string();
    let missing = missing(connection, migrations)?;
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, checksum INTEGER NOT NULL) STRICT",
        )
        .map_err(failed)?;
    let has_oldest = "SELECT count(*) > 0 FROM pragma_table_info('migration') WHERE name = 'oldest'";
    if !connection.query_row(has_oldest, [], |row| row.get::<_, bool>(0)).map_err(failed)? {
        connection.execute_batch("ALTER TABLE migration ADD COLUMN oldest TEXT").map_err(failed)?;
    }
    for Migration { name, oldest, sqlite, .. } in missing {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(sqlite).map_err(failed)?;
        transaction
            .execute(
                "INSERT INTO migration (name, checksum, oldest) VALUES (?1, ?2, ?3)",
                params![name, checksum(sqlite), oldest],
            )
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    connection.execute_batch(SEQUENCE).map_err(failed)
}
