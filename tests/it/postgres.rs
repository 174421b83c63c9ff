//! The store on PostgreSQL: what only a shared database has. The decisions are tested on each store where they are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use wallet_engine::{ColumnKind, Schema as _};
use wallet_platform::{Failure, Platform, TransferSeq};
use wallet_server::Server;
use wallet_server::store::open_postgres_at;
use wallet_tests::{
    Cut, Database, ManualClock, Merchant, Postgres, Proxy, TestStore, options, settings, trials,
};

#[tokio::test]
async fn the_migrations_of_postgres_make_the_columns_that_the_platform_declares() {
    let world = TestStore::postgres(1).await;
    for table in Platform::TABLES {
        let columns = format!(
            "SELECT c.column_name, c.data_type, c.is_nullable, c.collation_name, k.column_name IS NOT NULL \
             FROM information_schema.columns AS c \
             LEFT JOIN information_schema.key_column_usage AS k ON k.table_name = c.table_name \
             AND k.column_name = c.column_name WHERE c.table_name = '{}' ORDER BY c.ordinal_position",
            table.name
        );
        let declared: Vec<Vec<String>> = (table.columns.iter())
            .map(|column| {
                let (kind, collation) = match column.kind {
                    ColumnKind::Int => ("bigint", ""),
                    ColumnKind::Wide => ("numeric", ""),
                    ColumnKind::Text => ("text", "C"),
                    ColumnKind::Blob => ("bytea", ""),
                };
                let nullable = if column.nullable { "YES" } else { "NO" };
                let key = if column.key { "t" } else { "f" };
                [column.name, kind, nullable, collation, key].map(str::to_owned).to_vec()
            })
            .collect();
        assert_eq!(world.database.rows(&columns), declared, "table {}", table.name);
    }
}

/// Rows that a node keeps between its batches hold for one state of the database only.
#[tokio::test]
async fn a_node_forgets_its_rows_once_the_database_is_in_another_state() {
    let world = TestStore::postgres(1).await;
    let Database::Postgres(name) = &world.database else { unreachable!("it is on PostgreSQL") };
    let (tokens, payer) = (world.tokens(0).await, world.users[0].0);
    let set = |balance: u64, and: &str| {
        let sql = format!("UPDATE account SET balance = {balance} WHERE owner = {payer}; {and}");
        Postgres::of_the_tests().sql(name, &sql);
    };
    world.pay(&tokens, "alone").await.unwrap();
    // Nothing says that somebody else wrote: the node still has the balance that it left.
    set(0, "SELECT");
    world.pay(&tokens, "kept").await.unwrap();
    // Another commit; then as many commits at another time, as on a standby that was promoted without the last ones.
    for other in ["UPDATE baton SET batch = batch + 1", "UPDATE baton SET last_now = last_now - 1"] {
        set(0, other);
        let refused = world.pay(&tokens, &format!("refused: {other}")).await.unwrap_err();
        assert!(matches!(refused, Failure::Refused(_)), "{refused:?}");
        set(5_000_000, other);
        world.pay(&tokens, &format!("paid: {other}")).await.unwrap();
    }
}

#[test]
fn processes_that_start_at_once_make_the_tables_once() {
    let cluster = Postgres::of_the_tests();
    let start_at_once = || {
        let name = cluster.new_database();
        let start = || open_postgres_at(&cluster.url(&name), options(ManualClock::new()));
        let nodes: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().unwrap().unwrap()).collect()
        });
        let shown: BTreeSet<String> = nodes
            .iter()
            .map(|node| format!("{:?}", node.vault().transfer_id(TransferSeq(100_000))))
            .collect();
        assert_eq!(shown.len(), 1, "all know the same transfer ids: {shown:?}");
        name
    };
    let names: Vec<String> = (0..4).map(|_| start_at_once()).collect();
    let name = &names[0];
    let database = Database::Postgres(name.clone());
    let migrations = database.count("SELECT count(*) FROM migration");
    assert_eq!(usize::try_from(migrations).unwrap(), wallet_store::WALLOP.len());
    assert_eq!(database.count("SELECT count(*) FROM sealed_key"), 1, "one permutation key");
    let refused =
        || open_postgres_at(&cluster.url(name), options(ManualClock::new())).unwrap_err().to_string();
    cluster.sql(name, "UPDATE migration SET checksum = 1 WHERE name = '0010_edits'");
    assert!(refused().contains("edited after it had run"), "{}", refused());
    cluster.sql(name, "INSERT INTO migration VALUES ('9999_later', 1)");
    assert!(refused().contains("needs a newer program"), "{}", refused());
    let nowhere = open_postgres_at("postgres://postgres@127.0.0.1:1/none", options(ManualClock::new()));
    let said = nowhere.unwrap_err().to_string();
    assert!(said.contains("cannot open the database") && said.contains("refused"), "{said}");
}

/// What is left after payments: each acknowledged one is there once, and no other but those whose answer was unknown.
fn check(database: &Database, acknowledged: &BTreeSet<String>, unknown: &BTreeSet<String>) {
    let ledger = database.ledger();
    ledger.check();
    let done: BTreeSet<String> = ledger.done.iter().map(|(trade_id, _)| trade_id.clone()).collect();
    assert_eq!(done.len(), ledger.done.len(), "no payment is doubled");
    let lost: Vec<_> = acknowledged.difference(&done).collect();
    assert!(lost.is_empty(), "acknowledged, and lost: {lost:?}");
    let more: Vec<_> =
        done.iter().filter(|id| !acknowledged.contains(*id) && !unknown.contains(*id)).collect();
    assert!(more.is_empty(), "refused, and made: {more:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_share_a_database_and_number_their_rows_in_one_order() {
    let world = TestStore::postgres(1).await;
    let Database::Postgres(name) = &world.database else { unreachable!() };
    let url = Postgres::of_the_tests().url(name);
    let nodes: Vec<Arc<TestStore>> = (0..3).map(|_| Arc::new(world.at(&url))).collect();
    let tokens = Arc::new(world.tokens(0).await);
    let mut payments = JoinSet::new();
    for number in 0..trials(150, 3_000) {
        let (node, tokens) = (nodes[number as usize % 3].clone(), tokens.clone());
        payments.spawn(async move {
            let trade_id = format!("t-{number}");
            node.pay(&tokens, &trade_id).await.map(|()| trade_id)
        });
    }
    let paid: BTreeSet<String> = payments.join_all().await.into_iter().map(Result::unwrap).collect();
    check(&world.database, &paid, &BTreeSet::new());
    let count = |sql: &str| world.database.count(sql);
    let numbers = "SELECT id FROM transfer UNION ALL SELECT id FROM delivery UNION ALL SELECT id FROM entry \
         UNION ALL SELECT id FROM event UNION ALL SELECT id FROM family UNION ALL SELECT id FROM app \
         UNION ALL SELECT id FROM \"user\"";
    assert_eq!(count(&format!("SELECT count(*) - count(DISTINCT id) FROM ({numbers}) AS ids")), 0);
    assert!(count(&format!("SELECT max(id) FROM ({numbers}) AS ids")) < count("SELECT next_id FROM baton"));
    // What one node has answered, the others read.
    world.waiting(&tokens, "seen", "1").await;
    for node in nodes {
        let trade = wallet_platform::TradeOf { app: world.app.app, trade_id: "seen".into() };
        assert_eq!(node.store.view(trade).await.unwrap().0.trade_id.to_string(), "seen");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_an_answer_is_settled() {
    let world = TestStore::postgres(1).await;
    let Database::Postgres(name) = &world.database else { unreachable!() };
    let proxy = Proxy::start(Postgres::of_the_tests().port(), "COMMIT\0").await;
    let node = Arc::new(world.at(&Postgres::url_at(proxy.port(), name)));
    let tokens = Arc::new(world.tokens(0).await);
    let (mut acknowledged, rounds) = (BTreeSet::new(), trials(40, 400));
    for round in 0..rounds {
        proxy.cut_next(if round % 2 == 0 { Cut::Before } else { Cut::After });
        let mut payments = JoinSet::new();
        for number in 0..4 {
            let (node, tokens) = (node.clone(), tokens.clone());
            payments.spawn(async move {
                let trade_id = format!("t-{round}-{number}");
                node.pay(&tokens, &trade_id).await.map(|()| trade_id)
            });
        }
        // A commit that held is not repeated, so that no trade_id is taken by its own first try.
        acknowledged.extend(payments.join_all().await.into_iter().map(Result::unwrap));
    }
    assert!(proxy.cut() >= rounds, "{} of {rounds} rounds were cut", proxy.cut());
    check(&world.database, &acknowledged, &BTreeSet::new());
    assert!(world.database.count("SELECT max(epoch) FROM node") >= i64::from(rounds), "each was settled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_server_loses_no_acknowledged_payment() {
    let cluster = Arc::new(Postgres::start(&[]));
    let (name, clock) = (cluster.new_database(), ManualClock::new());
    let world =
        TestStore::on(open_postgres_at(&cluster.url(&name), options(clock.clone())).unwrap(), clock, 1).await;
    let nodes: Vec<Arc<TestStore>> = (0..3).map(|_| Arc::new(world.at(&cluster.url(&name)))).collect();
    let tokens = Arc::new(world.tokens(0).await);
    let (mut acknowledged, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..trials(4, 50) {
        let mut payments = JoinSet::new();
        for (number, node) in nodes.iter().enumerate() {
            let (node, tokens) = (node.clone(), tokens.clone());
            payments.spawn(async move {
                let mut ended: Vec<(String, Result<(), Failure>)> = Vec::new();
                for payment in 0..60 {
                    let trade_id = format!("t-{round}-{number}-{payment}");
                    let paid = node.pay(&tokens, &trade_id).await;
                    ended.push((trade_id, paid));
                }
                ended
            });
        }
        tokio::time::sleep(Duration::from_millis(100 + 37 * u64::from(round % 10))).await;
        let crashed = cluster.clone();
        tokio::task::spawn_blocking(move || {
            crashed.crash();
            crashed.run_server();
        })
        .await
        .unwrap();
        for (trade_id, paid) in payments.join_all().await.into_iter().flatten() {
            match paid {
                Ok(()) => acknowledged.insert(trade_id),
                Err(Failure::Store(error)) if error.is_temporary() => unknown.insert(trade_id),
                Err(other) => panic!("{trade_id}: {other}"),
            };
        }
    }
    assert!(unknown.len() * 10 < acknowledged.len(), "{} of {} unknown", unknown.len(), acknowledged.len());
    let rows = |sql: &str| cluster.sql(&name, sql);
    let done: BTreeSet<String> =
        rows("SELECT trade_id FROM transfer WHERE done = 1").lines().map(str::to_owned).collect();
    assert!(acknowledged.is_subset(&done), "{:?}", acknowledged.difference(&done).collect::<Vec<_>>());
    assert!(done.iter().all(|id| acknowledged.contains(id) || unknown.contains(id)));
    assert_eq!(rows("SELECT count(*) - count(DISTINCT trade_id) FROM transfer WHERE done = 1").trim(), "0");
    let unbalanced = "SELECT count(*) FROM account AS a WHERE balance <> \
        (SELECT sum(amount) FROM entry AS e WHERE e.owner = a.owner AND e.coin = a.coin)";
    assert_eq!(rows(unbalanced).trim(), "0");
    assert_eq!(rows("SELECT count(*) FROM delivery").trim(), done.len().to_string(), "a callback each");
}

fn server(node: &TestStore) -> Server {
    Server::new(node.store.clone(), settings(&node.store))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_send_each_callback_once() {
    let merchant = Merchant::open().await;
    let mut world = TestStore::postgres(1).await;
    world.server_uri = merchant.url.clone();
    let Database::Postgres(name) = &world.database else { unreachable!() };
    let url = Postgres::of_the_tests().url(name);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let node = world.at(&url);
        let mut stopped = stopped.clone();
        let working = tokio::spawn(server(&node).work(async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }));
        nodes.push((node, working));
    }
    let tokens = world.tokens(0).await;
    let payments = trials(60, 1_000) as usize;
    for number in 0..payments {
        nodes[number % 3].0.pay(&tokens, &format!("t-{number}")).await.unwrap();
    }
    // Now all are due, and each node sees all of them.
    world.clock.advance(Duration::from_secs(1));
    let received = merchant.wait_for(payments).await;
    let _ = stop.send(true);
    for (_, working) in nodes {
        working.await.unwrap();
    }
    let ids: BTreeSet<_> =
        received.iter().map(|request| request.headers()["webhook-id"].as_bytes()).collect();
    assert_eq!((ids.len(), merchant.received().len()), (payments, payments), "each once");
    assert_eq!(world.database.count("SELECT count(*) FROM delivery WHERE state <> 1"), 0, "all acknowledged");
    assert_eq!(world.database.count("SELECT max(attempts) FROM delivery"), 1);
}

#[tokio::test]
async fn a_text_that_postgres_cannot_store_is_no_key() {
    for world in TestStore::everywhere(1).await {
        let found = world.store.view(wallet_platform::FindUser("user\0".to_owned())).await.unwrap();
        assert!(found.is_none());
        let none = world.store.view(wallet_platform::FindApp::new("shop\0")).await;
        assert!(none.unwrap_err().refused().is_some());
    }
}
