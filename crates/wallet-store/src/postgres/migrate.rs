//! The migrations of PostgreSQL, all in one transaction: a database is at one version or at another.

use wallet_engine::Cell;

use super::connection::{Connection, Failed, Statement};
use super::types::Parameter;
use crate::migrations::{Known, Migration, check, checksum};

/// The tables beside those of the schema. The first row number is 1, unless the first migration sets another.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS migration (name text COLLATE \"C\" PRIMARY KEY, checksum bigint NOT NULL);
    ALTER TABLE migration ADD COLUMN IF NOT EXISTS oldest text COLLATE \"C\";
    CREATE TABLE IF NOT EXISTS node (
        id bigint PRIMARY KEY, epoch bigint NOT NULL, attempt bigint NOT NULL, name text NOT NULL,
        started_at bigint NOT NULL, seen_at bigint NOT NULL
    ) WITH (fillfactor = 10);
    CREATE TABLE IF NOT EXISTS baton (
        id int PRIMARY KEY CHECK (id = 1), next_id bigint NOT NULL, batch bigint NOT NULL, last_now bigint NOT NULL
    ) WITH (fillfactor = 10);
    INSERT INTO baton (id, next_id, batch, last_now) VALUES (1, 1, 0, 0) ON CONFLICT DO NOTHING";

const LACKS_OLDEST: &str = "SELECT NOT EXISTS (SELECT FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = 'migration' AND column_name = 'oldest')";
const KNOWN: &str = "SELECT name, checksum, oldest FROM migration ORDER BY name";

fn lacking<'m>(
    migrations: &'m [Migration],
    answers: &[Vec<tokio_postgres::Row>],
) -> Result<Vec<&'m Migration>, String> {
    let known = answers.iter().flatten();
    let known = known
        .map(|row| Known { name: row.get(0), checksum: row.get(1), oldest: row.get(2) })
        .collect::<Vec<_>>();
    check(migrations, |migration| migration.postgres, &known)
}

/// The migrations that the database of a connection lacks.
///
/// # Errors
/// The fault and the remedy.
pub(super) fn missing<'m>(
    connection: &mut Connection,
    migrations: &'m [Migration],
) -> Result<Vec<&'m Migration>, String> {
    let query = |sql| Statement::Query { sql, parameters: &[] };
    let lacks = connection.fly(&[query(LACKS_OLDEST)]).map_err(|error| error.to_string())?;
    if lacks.iter().flatten().any(|row| row.get(0)) {
        // Before that column no program is new enough to leave an older one running.
        return Ok(migrations.iter().collect());
    }
    lacking(migrations, &connection.fly(&[query(KNOWN)]).map_err(|error| error.to_string())?)
}

/// Brings a database up to date. One that lacks nothing is only read: a node of an older program starts beside newer ones.
///
/// # Errors
/// The fault and the remedy.
pub(super) fn run(connection: &mut Connection, migrations: &[Migration]) -> Result<(), String> {
    if missing(connection, migrations)?.is_empty() {
        return Ok(());
    }
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
            Statement::Query { sql: KNOWN, parameters: &[] },
            // A turn like a batch's: it may change rows that other processes keep.
            Statement::Simple("UPDATE baton SET batch = batch + 1 WHERE id = 1"),
        ])
        .map_err(failed)?;
    for migration in lacking(migrations, &answers)? {
        let Migration { name, oldest, postgres, .. } = migration;
        let record = [
            Parameter::one(Cell::Text(name)),
            Parameter::one(Cell::Int(checksum(postgres))),
            Parameter::one(Cell::Text(oldest)),
        ];
        connection
            .fly(&[
                Statement::Simple(postgres),
                Statement::Change {
                    sql: "INSERT INTO migration (name, checksum, oldest) VALUES ($1::text, $2::bigint, $3::text)",
                    parameters: &record,
                    rows: 1,
                },
            ])
            .map_err(|error| format!("migration {name} failed: {error}"))?;
    }
    connection.fly(&[Statement::Simple("COMMIT")]).map(|_| ()).map_err(failed)
}
