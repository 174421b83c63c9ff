//! The migrations of PostgreSQL, all in one transaction: a database is at one version or at another.

use wallet_engine::Cell;

use super::connection::{Connection, Failed, Statement};
use super::types::Parameter;
use crate::migrations::{Migration, check, checksum};

/// The tables beside those of the schema. The first row number is 1, unless the first migration sets another.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS migration (name text COLLATE \"C\" PRIMARY KEY, checksum bigint NOT NULL);
    CREATE TABLE IF NOT EXISTS node (
        id bigint PRIMARY KEY, epoch bigint NOT NULL, attempt bigint NOT NULL, name text NOT NULL,
        started_at bigint NOT NULL, seen_at bigint NOT NULL
    ) WITH (fillfactor = 10);
    CREATE TABLE IF NOT EXISTS baton (
        id int PRIMARY KEY CHECK (id = 1), next_id bigint NOT NULL, batch bigint NOT NULL, last_now bigint NOT NULL
    ) WITH (fillfactor = 10);
    INSERT INTO baton (id, next_id, batch, last_now) VALUES (1, 1, 0, 0) ON CONFLICT DO NOTHING";

/// Brings a database up to date.
///
/// # Errors
/// The fault and the remedy.
pub(super) fn run(connection: &mut Connection, migrations: &[Migration]) -> Result<(), String> {
    let failed = |error: Failed| error.to_string();
    connection.be_patient();
    // Several processes may start at once on an empty database: IF NOT EXISTS does not keep them from colliding.
    if connection.fly(&[Statement::Simple(TABLES)]).is_err() {
        connection.fly(&[Statement::Simple(TABLES)]).map_err(failed)?;
    }
    let answers = connection
        .fly(&[
            // Batches of older processes wait behind a migration that waits for its lock.
            Statement::Simple(
                "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '10s'; SET LOCAL lock_timeout = '5s'; \
                 LOCK TABLE migration IN ACCESS EXCLUSIVE MODE",
            ),
            Statement::Query { sql: "SELECT name, checksum FROM migration ORDER BY name", parameters: &[] },
        ])
        .map_err(failed)?;
    let known = answers.iter().flatten().map(|row| (row.get(0), row.get(1)));
    let missing = check(migrations, |migration| migration.postgres, &known.collect::<Vec<(String, i64)>>())?;
    for migration in missing {
        let Migration { name, postgres, .. } = migration;
        let record = [Parameter::one(Cell::Text(name)), Parameter::one(Cell::Int(checksum(postgres)))];
        connection
            .fly(&[
                Statement::Simple(postgres),
                Statement::Change {
                    sql: "INSERT INTO migration (name, checksum) VALUES ($1::text, $2::bigint)",
                    parameters: &record,
                    rows: 1,
                },
            ])
            .map_err(|error| format!("migration {name} failed: {error}"))?;
    }
    connection.fly(&[Statement::Simple("COMMIT")]).map(|_| ()).map_err(failed)
}
