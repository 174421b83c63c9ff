//! The tables that the platform declares and the tables that the migrations make are the same.

use wallet_engine::{ColumnKind, Schema};
use wallet_platform::Platform;
use wallet_tests::{ManualClock, options};

#[test]
fn the_migrations_make_the_columns_that_the_platform_declares() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    drop(wallet_server::store::open(&path, options(ManualClock::new())).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    for table in Platform::TABLES {
        let mut info = connection.prepare(&format!("PRAGMA table_info(\"{}\")", table.name)).unwrap();
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
