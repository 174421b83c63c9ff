//! Versioned changes of the tables, each with a checksum, so that a migration that was edited after it had run is noticed.

use rusqlite::{Connection, params};

/// One change of the tables. Its name orders it; neither name nor text may change once a database has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// For example `0001_fomo`.
    pub name: &'static str,
    /// SQL statements for SQLite.
    pub sqlite: &'static str,
    /// SQL statements for PostgreSQL; empty if its tables need no change.
    pub postgres: &'static str,
}

macro_rules! migrations {
    ($($name:literal: $postgres:expr),+ $(,)?) => {
        &[$(Migration {
            name: $name,
            sqlite: include_str!(concat!("../migrations/", $name, ".sql")),
            postgres: $postgres,
        },)+]
    };
}

/// The migrations of `wallop`'s own databases.
pub const WALLOP: &[Migration] = migrations![
    "0001_fomo": "",
    "0002_vas": "",
    "0003_orders": "",
    "0004_journals": "",
    "0005_pages": "",
    "0006_operators": "",
    "0007_history": "",
    "0008_deliveries": "",
    "0009_integrators": "",
    // No database of PostgreSQL is older than this one, which makes all tables.
    "0010_edits": include_str!("../migrations/postgres/0010_edits.sql"),
    "0011_leases": include_str!("../migrations/postgres/0011_leases.sql"),
];

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

/// The migrations that a database lacks, which has the `known` ones: names with checksums, in order.
///
/// # Errors
/// The fault and the remedy.
pub(crate) fn check<'m>(
    migrations: &'m [Migration],
    dialect: fn(&Migration) -> &'static str,
    known: &[(String, i64)],
) -> Result<Vec<&'m Migration>, String> {
    let newest = known.iter().map(|(name, _)| name).max();
    if let Some(newest) =
        newest.filter(|newest| !migrations.iter().any(|migration| migration.name == **newest))
    {
        return Err(format!(
            "this database has migration {newest}, which this program does not know: use a newer program"
        ));
    }
    let mut missing = Vec::new();
    for migration in migrations {
        match known.iter().find(|(name, _)| name == migration.name) {
            None => missing.push(migration),
            Some((_, known)) if *known == checksum(dialect(migration)) => {}
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

/// Brings a database of SQLite up to date. Each migration is one transaction together with its record.
///
/// # Errors
/// The fault and the remedy.
pub(crate) fn run(connection: &mut Connection, migrations: &[Migration]) -> Result<(), String> {
    let failed = |error: rusqlite::Error| error.to_string();
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, checksum INTEGER NOT NULL) STRICT",
        )
        .map_err(failed)?;
    let known = {
        let mut known =
            connection.prepare("SELECT name, checksum FROM migration ORDER BY name").map_err(failed)?;
        let rows = known.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
        rows.collect::<Result<Vec<(String, i64)>, _>>().map_err(failed)?
    };
    for Migration { name, sqlite, .. } in check(migrations, |migration| migration.sqlite, &known)? {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(sqlite).map_err(failed)?;
        transaction
            .execute(
                "INSERT INTO migration (name, checksum) VALUES (?1, ?2)",
                params![name, checksum(sqlite)],
            )
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    connection.execute_batch(SEQUENCE).map_err(failed)
}
