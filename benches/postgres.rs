//! Transfers a second through `wallet-store` on PostgreSQL, beside what PostgreSQL does by itself in the same cluster: pgbench's
//! TPC-B-like transaction, and the same transfer as one SQL statement, each by 8 clients. The cluster syncs every commit. Rounds
//! are interleaved.
//!
//! With the argument `accounts`, only random transfers between many people beside those between few: 1,000,000 with `WALLOP_LONG=1`,
//! else 100,000.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;
use wallet_benches::people::{COIN, People, per_second, populate, through_the_store};
use wallet_benches::{Figure, report, show};
use wallet_core::Secret;
use wallet_crypto::Portable;
use wallet_server::store::{self, Options, Store};
use wallet_store::SystemClock;
use wallet_tests::Postgres;

const PEOPLE: usize = 10_000;
const ROUNDS: usize = 5;
const TRANSFERS: usize = 40_000;
const SECONDS: &str = "3";

fn open(cluster: &Postgres, database: &str) -> Store {
    let options = Options::new(Arc::new(SystemClock), Arc::new(Portable::new()), Secret::new([7; 32]));
    store::open_postgres(&cluster.url(database), options).expect("the store opens")
}

/// The rows that a transfer writes, in one statement. Both accounts are locked in the order of their keys, as otherwise two
/// transfers between the same people would deadlock.
fn one_statement(people: &People, hot: bool) -> String {
    let (first, last) = (people.owners[0].0.get(), people.owners[people.owners.len() - 1].0.get());
    let (payer, app) = if hot {
        (format!("{first}"), people.owners[0].1.0.to_string())
    } else {
        (format!("random({first}, {last})"), people.owners[0].1.0.to_string())
    };
    format!(
        "\\set payer {payer}\n\\set payee random({first}, {last})\n\
         WITH ids AS (SELECT nextval('bench_id') AS t, nextval('bench_id') AS e1, nextval('bench_id') AS e2, \
              nextval('bench_id') AS d, nextval('bench_id') AS ev), \
         known AS (SELECT c.id FROM coin AS c, \"user\" AS u, app AS a WHERE c.id = {coin} AND u.id = :payee AND a.id = {app}), \
         locked AS (SELECT owner, entries, last_entry FROM account WHERE owner IN (:payer, :payee) AND coin = {coin} \
              ORDER BY owner FOR UPDATE), \
         paid AS (UPDATE account AS a SET balance = a.balance + CASE WHEN a.owner = :payer THEN -1 ELSE 1 END, \
              entries = a.entries + 1, last_entry = CASE WHEN a.owner = :payer THEN ids.e1 ELSE ids.e2 END \
              FROM ids, locked, known WHERE a.owner = locked.owner AND a.coin = {coin} RETURNING a.owner, a.entries), \
         entries AS (INSERT INTO entry (id, owner, coin, n, previous, amount, transfer, created_at) \
              SELECT CASE WHEN paid.owner = :payer THEN ids.e1 ELSE ids.e2 END, paid.owner, {coin}, paid.entries, \
              locked.last_entry, CASE WHEN paid.owner = :payer THEN -1 ELSE 1 END, ids.t, 1 \
              FROM ids, paid JOIN locked ON locked.owner = paid.owner), \
         trades AS (INSERT INTO trade (app, trade_id, transfer) SELECT {app}, 'bench-' || t, t FROM ids), \
         deliveries AS (INSERT INTO delivery (id, subject, app, state, attempts, next_at, leased_until, callback) \
              SELECT d, t, {app}, 0, 0, 1, 0, 1 FROM ids), \
         feeds AS (INSERT INTO feed (app, last, last_event) SELECT :payer, 1, ev FROM ids \
              ON CONFLICT (app) DO UPDATE SET last = feed.last + 1, last_event = excluded.last_event), \
         events AS (INSERT INTO event (id, app, n, previous, kind, transfer, at) SELECT ev, :payer, 1, NULL, 2, t, 1 FROM ids) \
         INSERT INTO transfer (id, app, direction, payer, payee, coin, amount, amount_text, cut, trade_id, state, server_uri, \
              redirect_uri, done, created_at, updated_at, delivery) \
         SELECT t, {app}, 2, :payer, :payer + 1, {coin}, 1, '0.000001', 0, 'bench-' || t, 's', 'https://shop.example/x', \
              'shop.example/back', 1, 1, 1, d FROM ids;\n",
        coin = COIN.get(),
    )
}

/// Transactions a second of pgbench.
fn pgbench(cluster: &Postgres, database: &str, arguments: &[&str]) -> f64 {
    let output = cluster.pgbench(
        database,
        &[&["-c", "8", "-j", "2", "-M", "prepared", "-T", SECONDS, "-n"], arguments].concat(),
    );
    let line = output.lines().find(|line| line.starts_with("tps")).expect("a rate");
    let rate = line.split(['=', '(']).nth(1).expect("a number");
    rate.trim().parse().expect("a number")
}

/// The time of each of some transfers that are alone in their batch, in milliseconds: the 99th of 100.
fn alone(runtime: &Runtime, store: &Store, people: &People) -> f64 {
    let mut times: Vec<f64> = (0..400)
        .map(|_| {
            let began = Instant::now();
            runtime.block_on(through_the_store(store, people, 1, 1, false));
            began.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() * 99 / 100]
}

fn cluster() -> Postgres {
    Postgres::start(&[("shared_buffers", "512MB"), ("max_wal_size", "4GB"), ("checkpoint_timeout", "30min")])
}

/// Transfers between many people, beside those between few, each in a database of its own.
fn many_accounts(runtime: &Runtime) {
    let many = if std::env::var_os("WALLOP_LONG").is_some() { 1_000_000 } else { 100_000 };
    let cluster = cluster();
    let stores = [PEOPLE, many].map(|count| {
        let database = cluster.new_database();
        let store = open(&cluster, &database);
        let people = runtime.block_on(populate(&store, count));
        cluster.sql(&database, "VACUUM ANALYZE");
        eprintln!("{count} people have accounts");
        (store, people)
    });
    let mut rates = [const { Vec::new() }; 2];
    for round in 0..=ROUNDS {
        for ((store, people), rates) in stores.iter().zip(&mut rates) {
            let rate = per_second(TRANSFERS, || {
                runtime.block_on(through_the_store(store, people, 256, TRANSFERS, false));
            });
            eprintln!("round {round} of {ROUNDS}: {} people: {rate:.0}", people.owners.len());
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    let ratio = rates[1].iter().zip(&rates[0]).map(|(many, few)| many / few).collect();
    show(&[
        Figure::of(format!("{PEOPLE} accounts"), "transfers/s", rates[0].clone()),
        Figure::of(format!("{many} accounts"), "transfers/s", rates[1].clone()),
        Figure::of("many beside few", "×", ratio),
    ]);
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    if std::env::args().any(|argument| argument == "accounts") {
        return many_accounts(&runtime);
    }
    let cluster = cluster();
    let (database, tpcb) = (cluster.new_database(), cluster.new_database());
    let nodes: Vec<Store> = (0..3).map(|_| open(&cluster, &database)).collect();
    let people = runtime.block_on(populate(&nodes[0], PEOPLE));
    cluster.pgbench(&tpcb, &["-i", "-s", "10", "-q"]);
    cluster.sql(&database, "CREATE SEQUENCE bench_id START 4000000000");
    let directory = tempfile::tempdir().expect("a directory");
    let script = |hot: bool| {
        let path = directory.path().join(if hot { "hot.sql" } else { "random.sql" });
        std::fs::write(&path, one_statement(&people, hot)).expect("written");
        path.to_str().expect("a path").to_owned()
    };
    let (one_hot, one_random) = (script(true), script(false));
    cluster.sql(&database, "VACUUM ANALYZE");

    let names = [
        "pgbench TPC-B-like, 8 clients",
        "one statement, 8 clients, one hot account",
        "one statement, 8 clients",
        "store, 256 submitters, one hot account",
        "store, 256 submitters",
        "store, 3 nodes of 256 submitters",
    ];
    let mut rates: Vec<Vec<f64>> = names.iter().map(|_| Vec::new()).collect();
    let mut late = Vec::new();
    for round in 0..=ROUNDS {
        let by_store = |hot| {
            per_second(TRANSFERS, || {
                runtime.block_on(through_the_store(&nodes[0], &people, 256, TRANSFERS, hot));
            })
        };
        let by_nodes = || {
            per_second(TRANSFERS, || {
                runtime.block_on(async {
                    let mut tasks = tokio::task::JoinSet::new();
                    for node in &nodes {
                        let (node, people) = (node.clone(), people.clone());
                        tasks.spawn(async move {
                            through_the_store(&node, &people, 256, TRANSFERS / 3, false).await
                        });
                    }
                    tasks.join_all().await;
                });
            })
        };
        let row = [
            pgbench(&cluster, &tpcb, &[]),
            pgbench(&cluster, &database, &["--max-tries=10", "-f", &one_hot]),
            pgbench(&cluster, &database, &["--max-tries=10", "-f", &one_random]),
            by_store(true),
            by_store(false),
            by_nodes(),
        ];
        let p99 = alone(&runtime, &nodes[0], &people);
        eprintln!("round {round} of {ROUNDS}: {row:.0?}, alone p99 {p99:.2} ms");
        if round > 0 {
            late.push(p99);
            for (rates, rate) in rates.iter_mut().zip(row) {
                rates.push(rate);
            }
        }
    }
    let ratio = |name: &str, a: usize, b: usize| {
        Figure::of(name, "×", rates[a].iter().zip(&rates[b]).map(|(a, b)| a / b).collect())
    };
    let mut figures: Vec<Figure> = names
        .iter()
        .zip(&rates)
        .map(|(name, values)| Figure::of(*name, "transfers/s", values.clone()))
        .collect();
    figures.extend([
        ratio("one hot account, beside one statement", 3, 1),
        ratio("random accounts, beside one statement", 4, 2),
        ratio("one hot account beside random accounts", 3, 4),
        ratio("3 nodes beside one", 5, 4),
        Figure::of("alone in a batch, 99th percentile", "ms", late),
    ]);
    report("postgres", &figures);
}
