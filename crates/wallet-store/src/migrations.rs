//! Versioned changes of the schema, each with a checksum, so that a file that was changed after it had run is noticed.

use rusqlite::{Connection, OptionalExtension, params};

const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_fomo", include_str!("../migrations/0001_fomo.sql")),
    ("0002_vas", include_str!("../migrations/0002_vas.sql")),
    ("0003_orders", include_str!("../migrations/0003_orders.sql")),
    ("0004_journals", include_str!("../migrations/0004_journals.sql")),
    ("0005_pages", include_str!("../migrations/0005_pages.sql")),
    ("0006_operators", include_str!("../migrations/0006_operators.sql")),
    ("0007_history", include_str!("../migrations/0007_history.sql")),
    ("0008_deliveries", include_str!("../migrations/0008_deliveries.sql")),
];

/// FNV-1a over the text: it notices an edit, and keeps nobody out.
fn checksum(text: &str) -> i64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

/// Brings a database up to date. Each migration is one transaction with its own record.
///
/// # Errors
/// A text that says what is wrong and what to do.
pub(crate) fn run(connection: &mut Connection) -> Result<(), String> {
    let failed = |error: rusqlite::Error| error.to_string();
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, checksum INTEGER NOT NULL) STRICT",
        )
        .map_err(failed)?;
    for (name, text) in MIGRATIONS {
        let transaction = connection.transaction().map_err(failed)?;
        let known: Option<i64> = transaction
            .query_row("SELECT checksum FROM migration WHERE name = ?1", [name], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        match known {
            Some(known) if known == checksum(text) => {}
            Some(_) => {
                return Err(format!(
                    "migration {name} of this database is not the one of this program: it was changed after it had run. \
                     Use the program that made the database, or restore a backup"
                ));
            }
            None => {
                transaction.execute_batch(text).map_err(failed)?;
                transaction
                    .execute(
                        "INSERT INTO migration (name, checksum) VALUES (?1, ?2)",
                        params![name, checksum(text)],
                    )
                    .map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)?;
    }
    let newest: Option<String> =
        connection.query_row("SELECT max(name) FROM migration", [], |row| row.get(0)).map_err(failed)?;
    match newest {
        Some(newest) if !MIGRATIONS.iter().any(|(name, _)| *name == newest) => Err(format!(
            "this database has migration {newest}, which this program does not know: use a newer program"
        )),
        _ => Ok(()),
    }
}
