//! The ledger of a database, read with plain SQL, for tests to compare with.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

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

fn units(bytes: Vec<u8>) -> i128 {
    (u128::from_be_bytes(bytes.try_into().unwrap()) ^ (1 << 127)) as i128
}

/// Reads the ledger of a database file.
pub fn ledger_of(path: &Path) -> Ledger {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = Connection::open_with_flags(path, flags).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    let mut ledger = Ledger::default();
    let mut statement = connection.prepare("SELECT owner, coin, balance FROM account").unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        ledger.balances.insert((row.get(0).unwrap(), row.get(1).unwrap()), units(row.get(2).unwrap()));
    }
    let mut statement = connection.prepare("SELECT owner, coin, amount FROM entry").unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        *ledger.sums.entry((row.get(0).unwrap(), row.get(1).unwrap())).or_default() +=
            units(row.get(2).unwrap());
    }
    let mut statement = connection.prepare("SELECT trade_id, amount FROM transfer WHERE done = 1").unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        ledger.done.push((row.get(0).unwrap(), units(row.get(1).unwrap())));
    }
    let sql = "SELECT trade_id, count(*) FROM delivery JOIN transfer ON transfer.id = delivery.subject
         WHERE delivery.callback = 1 GROUP BY 1";
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        ledger.deliveries.insert(row.get(0).unwrap(), row.get(1).unwrap());
    }
    ledger
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
