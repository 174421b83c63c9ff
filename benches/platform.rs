//! Transfers a second through `wallet-store` on SQLite with synchronous=FULL, beside a plain rusqlite loop that makes the
//! same reads and writes the same rows: one transfer a commit, and 100 a commit. On a fresh file and on one grown to
//! 300,000 transfers; random accounts and one hot account. Rounds are interleaved.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Statement, params};
use tokio::runtime::Runtime;
use wallet_benches::people::{
    COIN, People, Random, pair, people_of, per_second, populate, through_the_store, trade_id,
};
use wallet_benches::{Figure, report};
use wallet_core::Secret;
use wallet_crypto::Portable;
use wallet_server::store::{self, Options, Store};
use wallet_store::{Clock as _, SystemClock, WRITER_PRAGMAS};

const PEOPLE: usize = 1_000;
const GROWN: u64 = 300_000;
const ROUNDS: usize = 7;

fn open(path: &Path) -> Store {
    let options = Options::new(Arc::new(SystemClock), Arc::new(Portable::new()), Secret::new([7; 32]));
    store::open(path, options).expect("the store opens")
}

/// The plain loop: the statements that a transfer needs, on one connection.
struct Plain<'c> {
    reads: [Statement<'c>; 7],
    account: Statement<'c>,
    update_account: Statement<'c>,
    entry: Statement<'c>,
    entry_mark: Statement<'c>,
    transfer: Statement<'c>,
    trade: Statement<'c>,
    delivery: Statement<'c>,
    feed: Statement<'c>,
    event: Statement<'c>,
    event_mark: Statement<'c>,
    next_id: i64,
    sequence: Statement<'c>,
}

fn all(connection: &Connection, table: &str) -> String {
    let mut info = connection.prepare(&format!("PRAGMA table_info({table})")).expect("a table");
    let names: Vec<String> =
        info.query_map([], |row| row.get(1)).expect("columns").map(|name| name.expect("a name")).collect();
    names.join(", ")
}

impl<'c> Plain<'c> {
    fn new(connection: &'c Connection) -> Self {
        let sql = |text: &str| connection.prepare(text).expect("a statement");
        let read = |table: &str, key: &str| {
            sql(&format!("SELECT {} FROM {table} WHERE {key}", all(connection, table)))
        };
        let insert = |table: &str| {
            let columns = all(connection, table);
            let places: Vec<String> = (1..=columns.split(',').count()).map(|at| format!("?{at}")).collect();
            sql(&format!("INSERT INTO {table} ({columns}) VALUES ({})", places.join(", ")))
        };
        let next_id =
            connection.query_row("SELECT next_id FROM sequence", [], |row| row.get(0)).expect("a number");
        Self {
            reads: [
                read("coin", "id = ?1"),
                read("user", "id = ?1"),
                read("trade", "app = ?1 AND trade_id = ?2"),
                read("feed", "app = ?1"),
                read("app", "id = ?1"),
                read("user", "id = ?1"),
                read("attempt_limit", "user = ?1 AND kind = ?2"),
            ],
            account: read("account", "owner = ?1 AND coin = ?2"),
            update_account: sql(
                "UPDATE account SET balance = ?3, entries = ?4, last_entry = ?5 WHERE owner = ?1 AND coin = ?2",
            ),
            entry: insert("entry"),
            entry_mark: insert("entry_mark"),
            transfer: insert("transfer"),
            trade: insert("trade"),
            delivery: insert("delivery"),
            feed: sql("INSERT INTO feed (app, last, last_event) VALUES (?1, ?2, ?3)
                 ON CONFLICT (app) DO UPDATE SET last = ?2, last_event = ?3"),
            event: insert("event"),
            event_mark: insert("event_mark"),
            next_id,
            sequence: sql("UPDATE sequence SET next_id = ?1 WHERE id = 1"),
        }
    }

    /// Reads a row and looks at every column, as a decision would. Its last two integers.
    fn read(statement: &mut Statement<'_>, key: impl rusqlite::Params) -> Option<(i64, i64)> {
        let columns = statement.column_count();
        let mut rows = statement.query(key).expect("a read");
        let row = rows.next().expect("a row")?;
        let mut last = (0, 0);
        for at in 0..columns {
            match row.get_ref(at).expect("a column") {
                rusqlite::types::ValueRef::Integer(number) => last = (last.1, number),
                rusqlite::types::ValueRef::Text(text) => {
                    drop(std::hint::black_box(String::from_utf8_lossy(text).into_owned()))
                }
                rusqlite::types::ValueRef::Blob(bytes) => drop(std::hint::black_box(bytes.to_vec())),
                _ => {}
            }
        }
        Some(last)
    }

    fn one(&mut self, people: &People, payer: usize, payee: usize) {
        let ((owner, app), (user, _)) = (people.owners[payer], people.owners[payee]);
        let (owner, app, user, coin) =
            (owner.get() as i64, app.0 as i64, user.get() as i64, COIN.get() as i64);
        let (trade, now) = (trade_id(), SystemClock.now().millis());
        let [coins, payees, trades, feeds, apps, owners, limits] = &mut self.reads;
        Self::read(coins, [coin]);
        Self::read(payees, [user]);
        assert!(Self::read(trades, params![app, trade]).is_none());
        let feed = Self::read(feeds, [app]);
        Self::read(apps, [app]);
        Self::read(owners, [owner]);
        Self::read(limits, [owner, 2]);
        let id = self.next_id;
        self.next_id += 5;
        for (whose, sign, entry) in [(owner, -1_i128, id + 1), (user, 1, id + 2)] {
            let (balance, entries, previous): (Vec<u8>, i64, Option<i64>) = self
                .account
                .query_row([whose, coin], |row| Ok((row.get(2)?, row.get(3)?, row.get(4)?)))
                .expect("an account");
            let wide = |number: i128| (number.cast_unsigned() ^ (1 << 127)).to_be_bytes();
            let balance = (u128::from_be_bytes(balance.try_into().expect("16 bytes")) ^ (1 << 127))
                .cast_signed()
                + sign;
            assert!(balance >= 0);
            let n = entries + 1;
            self.update_account.execute(params![whose, coin, wide(balance), n, entry]).expect("written");
            self.entry
                .execute(params![entry, whose, coin, n, previous, wide(sign), id, now])
                .expect("written");
            if n % 32 == 0 {
                self.entry_mark.execute([whose, coin, n, entry]).expect("written");
            }
        }
        let amount = (1_u128 | 1 << 127).to_be_bytes();
        let nothing = (1_u128 << 127).to_be_bytes();
        self.transfer
            .execute(params![
                id,
                app,
                2,
                owner,
                user,
                coin,
                amount,
                "0.000001",
                nothing,
                trade,
                "s",
                people.server_uri.as_str(),
                "shop.example/back",
                1,
                now,
                now,
                id + 3,
                nothing
            ])
            .expect("written");
        self.trade.execute(params![app, trade, id]).expect("written");
        self.delivery.execute(params![id + 3, id, app, 0, 0, now + 1000, 0, 1]).expect("written");
        let (event, n) = (id + 4, feed.map_or(0, |(last, _)| last) + 1);
        self.feed.execute([app, n, event]).expect("written");
        self.event
            .execute(params![event, app, n, feed.map(|(_, event)| event), 2, id, now])
            .expect("written");
        if n % 32 == 0 {
            self.event_mark.execute([app, n, event]).expect("written");
        }
    }

    fn run(&mut self, connection: &Connection, people: &People, transfers: usize, a_commit: usize) {
        let mut random = Random(0x2545_f491_4f6c_dd1d ^ self.next_id as u64);
        let mut left = transfers;
        while left > 0 {
            let now = left.min(a_commit);
            connection.execute_batch("BEGIN IMMEDIATE").expect("begun");
            for _ in 0..now {
                let (payer, payee) = pair(&mut random, PEOPLE, false);
                self.one(people, payer, payee);
            }
            self.sequence.execute([self.next_id]).expect("written");
            connection.execute_batch("COMMIT").expect("committed");
            left -= now;
        }
    }
}

fn measure(runtime: &Runtime, directory: &Path, prepared: &Path, label: &str, figures: &mut Vec<Figure>) {
    let copy = |name: &str| -> PathBuf {
        let path = directory.join(format!("{label}-{name}.db"));
        std::fs::copy(prepared, &path).expect("copied");
        path
    };
    let (ours, plain) = (copy("store"), copy("plain"));
    let store = open(&ours);
    let people = runtime.block_on(people_of(&store, PEOPLE));
    let connection = Connection::open(&plain).expect("opened");
    for (name, value) in WRITER_PRAGMAS {
        connection.pragma_update(None, name, value).expect("set up");
    }
    let mut one_by_one = Plain::new(&connection);

    let names = [
        "plain loop, 1 a commit",
        "plain loop, 100 a commit",
        "store, 64 submitters",
        "store, 256 submitters",
        "store, 256 submitters, one hot account",
    ];
    let mut rates: Vec<Vec<f64>> = names.iter().map(|_| Vec::new()).collect();
    let mut batches = [(0, 0); 2];
    for round in 0..=ROUNDS {
        let mut row = [0.0; 5];
        row[0] = per_second(1_000, || one_by_one.run(&connection, &people, 1_000, 1));
        row[1] = per_second(8_000, || one_by_one.run(&connection, &people, 8_000, 100));
        for (at, (submitters, hot)) in [(64, false), (256, false), (256, true)].into_iter().enumerate() {
            let before = store.measured().batch_commands;
            row[at + 2] = per_second(8_000, || {
                runtime.block_on(through_the_store(&store, &people, submitters, 8_000, hot));
            });
            let after = store.measured().batch_commands;
            if at < 2 && round > 0 {
                batches[at].0 += after.sum - before.sum;
                batches[at].1 += after.count() - before.count();
            }
        }
        eprintln!("{label}: round {round} of {ROUNDS}: {row:.0?}");
        if round > 0 {
            for (rates, rate) in rates.iter_mut().zip(row) {
                rates.push(rate);
            }
        }
    }
    let ratio = |name: &str, a: usize, b: usize| {
        let values = rates[a].iter().zip(&rates[b]).map(|(a, b)| a / b).collect();
        Figure::of(format!("{label}: {name}"), "×", values)
    };
    let ratios = [
        ratio("256 submitters beside the loop with 1 a commit", 3, 0),
        ratio("256 submitters beside the loop with 100 a commit", 3, 1),
        ratio("64 submitters beside the loop with 100 a commit", 2, 1),
        ratio("one hot account beside random accounts", 4, 3),
    ];
    for (at, (name, values)) in names.iter().zip(rates.clone()).enumerate() {
        let mut figure = Figure::of(format!("{label}: {name}"), "transfers/s", values);
        if let Some((commands, count)) = at.checked_sub(2).and_then(|at| batches.get(at)) {
            figure.note = format!("{:.0} a batch", *commands as f64 / *count as f64);
        }
        figures.push(figure);
    }
    figures.extend(ratios);
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let fresh = directory.path().join("prepared.db");
    let store = open(&fresh);
    let people = runtime.block_on(populate(&store, PEOPLE));
    drop(store); // the last connection folds the log into the file
    let mut figures = Vec::new();
    measure(&runtime, directory.path(), &fresh, "fresh file", &mut figures);

    let grown = directory.path().join("grown.db");
    std::fs::copy(&fresh, &grown).expect("copied");
    let store = open(&grown);
    for part in 0..10 {
        runtime.block_on(through_the_store(&store, &people, 256, GROWN as usize / 10, false));
        eprintln!("growing: {} %", (part + 1) * 10);
    }
    drop(store);
    measure(&runtime, directory.path(), &grown, "300,000 transfers", &mut figures);
    report("platform", &figures);
}
