//! The ledger of a database, read with plain SQL, for tests to compare with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::Postgres;

/// Whose account, in which coin.
pub type Account = (i64, i64);

/// What a database says about money.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Balances as the account rows have them.
    pub balances: BTreeMap<Account, i128>,
    /// Balances as the entries add up to them.
    pub sums: BTreeMap<Account, i128>,
    /// Transfers that are done: trade_id and amount.
    pub done: Vec<(String, i128)>,
    /// Callback rows by trade_id.
    pub deliveries: BTreeMap<String, i64>,
}

/// Reads the ledger of a SQLite file.
pub fn ledger_of(path: &Path) -> Ledger {
    Database::Sqlite(path.to_owned()).ledger()
}

/// Where a store's rows are, for a test that looks at them with plain SQL.
#[derive(Debug, Clone)]
pub enum Database {
    /// Nowhere that SQL reaches.
    Memory,
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A database of the tests' PostgreSQL.
    Postgres(String),
}

/// A value of SQLite as text; units of money as a number.
fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(int) => int.to_string(),
        ValueRef::Real(real) => real.to_string(),
        ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
        ValueRef::Blob(bytes) => {
            ((u128::from_be_bytes(bytes.try_into().unwrap()) ^ (1 << 127)).cast_signed()).to_string()
        }
    }
}

impl Database {
    /// The rows of a query, each value as text.
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        match self {
            Self::Memory => panic!("a store in memory has no SQL"),
            Self::Sqlite(path) => {
                let connection =
                    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
                connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
                let mut statement = connection.prepare(sql).unwrap();
                let width = statement.column_count();
                let rows = statement
                    .query_map([], |row| (0..width).map(|at| Ok(text(row.get_ref(at)?))).collect())
                    .unwrap();
                rows.map(Result::unwrap).collect()
            }
            Self::Postgres(name) => {
                let rows = Postgres::of_the_tests().sql(name, sql);
                rows.lines().map(|row| row.split('|').map(str::to_owned).collect()).collect()
            }
        }
    }

    /// Runs a change, and waits for others that write.
    pub fn change(&self, sql: &str) {
        match self {
            Self::Memory => panic!("a store in memory has no SQL"),
            Self::Sqlite(path) => {
                let connection =
                    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
                connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
                connection.execute_batch(sql).unwrap();
            }
            Self::Postgres(name) => drop(Postgres::of_the_tests().sql(name, sql)),
        }
    }

    /// The names of the schema's tables.
    pub fn tables(&self) -> Vec<String> {
        let sql = match self {
            Self::Postgres(_) => "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
            _ => "SELECT name FROM sqlite_master WHERE type = 'table'",
        };
        let own = ["sequence", "baton", "node", "migration"];
        self.rows(sql)
            .into_iter()
            .map(|row| row[0].clone())
            .filter(|name| !own.contains(&name.as_str()))
            .collect()
    }

    /// The number that a query gives.
    pub fn count(&self, sql: &str) -> i64 {
        self.rows(sql)[0][0].parse().unwrap()
    }

    /// The ledger.
    pub fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        let account = |row: &[String]| (row[0].parse().unwrap(), row[1].parse().unwrap());
        for row in self.rows("SELECT owner, coin, balance FROM account") {
            ledger.balances.insert(account(&row), row[2].parse().unwrap());
        }
        for row in self.rows("SELECT owner, coin, amount FROM entry") {
            *ledger.sums.entry(account(&row)).or_default() += row[2].parse::<i128>().unwrap();
        }
        for row in self.rows("SELECT trade_id, amount FROM transfer WHERE done = 1") {
            ledger.done.push((row[0].clone(), row[1].parse().unwrap()));
        }
        let deliveries =
            "SELECT trade_id, count(*) FROM delivery JOIN transfer ON transfer.id = delivery.subject
            WHERE delivery.callback = 1 GROUP BY 1";
        for row in self.rows(deliveries) {
            ledger.deliveries.insert(row[0].clone(), row[1].parse().unwrap());
        }
        ledger
    }
}

impl Ledger {
    /// What must hold at every moment: entries make balances, each coin sums to zero, only the issuer is below zero, and
    /// each transfer that is done has exactly one callback row.
    pub fn check(&self) {
        assert_eq!(self.balances, self.sums, "the entries of an account are its balance");
        let mut coins: BTreeMap<i64, i128> = BTreeMap::new();
        for ((owner, coin), balance) in &self.balances {
            *coins.entry(*coin).or_default() += balance;
            assert!(*owner == 1 || *balance >= 0, "account {owner} of coin {coin} is below zero: {balance}");
        }
        assert!(coins.values().all(|sum| *sum == 0), "the balances of a coin sum to zero: {coins:?}");
        for (trade_id, _) in &self.done {
            assert_eq!(self.deliveries.get(trade_id), Some(&1), "callback rows of {trade_id}");
        }
        assert_eq!(self.deliveries.len(), self.done.len(), "no callback without a payment");
    }
}
