//! Versioned changes of the tables, each with a checksum, so that a migration that was edited after it had run is noticed.

use rusqlite::{Connection, OptionalExtension, params};

/// One change of the tables. Its name orders it; neither name nor text may change once a database has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// For example `0001_fomo`.
    pub name: &'static str,
    /// SQL statements for SQLite.
    pub sqlite: &'static str,
}

macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        &[$(Migration { name: $name, sqlite: include_str!(concat!("../migrations/", $name, ".sql")) },)+]
    };
}

/// The migrations of `wallop`'s own databases.
pub const WALLOP: &[Migration] = migrations![
    "0001_fomo",
    "0002_vas",
    "0003_orders",
    "0004_journals",
    "0005_pages",
    "0006_operators",
    "0007_history",
    "0008_deliveries",
    "0009_integrators",
    "0010_edits",
];

/// Creates the table that stores the next row number, if no migration did. A first migration that wants another first
/// number creates it in this very shape.
const SEQUENCE: &str = "
    CREATE TABLE IF NOT EXISTS sequence (id INTEGER PRIMARY KEY CHECK (id = 1), next_id INTEGER NOT NULL) STRICT;
    INSERT OR IGNORE INTO sequence (id, next_id) VALUES (1, 1);";

/// FNV-1a of the text: it notices an edit, and is no protection against an attacker.
fn checksum(text: &str) -> i64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

/// Brings a database up to date. Each migration is one transaction together with its record.
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
    for Migration { name, sqlite } in migrations {
        let transaction = connection.transaction().map_err(failed)?;
        let known: Option<i64> = transaction
            .query_row("SELECT checksum FROM migration WHERE name = ?1", [name], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        match known {
            Some(known) if known == checksum(sqlite) => {}
            Some(_) => {
                return Err(format!(
                    "migration {name} of this database differs from this program's: it was edited after it had run. \
                     Use the program that made the database, or restore a backup"
                ));
            }
            None => {
                transaction.execute_batch(sqlite).map_err(failed)?;
                transaction
                    .execute(
                        "INSERT INTO migration (name, checksum) VALUES (?1, ?2)",
                        params![name, checksum(sqlite)],
                    )
                    .map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)?;
    }
    connection.execute_batch(SEQUENCE).map_err(failed)?;
    let newest: Option<String> =
        connection.query_row("SELECT max(name) FROM migration", [], |row| row.get(0)).map_err(failed)?;
    match newest {
        Some(newest) if !migrations.iter().any(|migration| migration.name == newest) => Err(format!(
            "this database has migration {newest}, which this program does not know: use a newer program"
        )),
        _ => Ok(()),
    }
}
