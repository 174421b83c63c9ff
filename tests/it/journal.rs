//! Journals: entries page by page, events from any cursor, and databases of before there were journals.

use std::path::Path;

use wallet_api::fomo::CoinId;
use wallet_core::Units;
use wallet_platform::{AppEvents, AppId, DeliveryId, Deposit, DueDeliveries, FindApp, ReceiverId, Records};
use wallet_server::Store;
use wallet_tests::{ManualClock, TestStore, options};

const COIN: CoinId = CoinId::new(5);

#[tokio::test]
async fn entries_are_read_page_by_page_the_newest_first() {
    for world in TestStore::everywhere(2).await {
        let mut expected: Vec<Vec<i128>> = vec![vec![1_000_000_000_000]; 2];
        for number in 1..=150_i128 {
            for (who, expected) in expected.iter_mut().enumerate() {
                // Not in step, so that neighbours in an account are not neighbours in the table.
                if (number as usize + who).is_multiple_of(who + 2) {
                    continue;
                }
                let units = number * 10 + who as i128;
                let amount = Units::new(units).to_amount(6).unwrap();
                world.store.submit(Deposit { user: world.users[who].0, coin: COIN, amount }).await.unwrap();
                expected.insert(0, units);
            }
        }
        for (who, expected) in expected.iter().enumerate() {
            let pages = expected.len().div_ceil(20);
            assert!(pages > 3, "more than two marks");
            for page in 1..=pages + 2 {
                let records = Records { user: world.users[who].0, coin: COIN, page: page as u64 };
                let found = world.store.view(records).await.unwrap();
                assert_eq!(found.total, expected.len() as u64);
                let amounts: Vec<i128> = found.records.iter().map(|(entry, _)| entry.amount.get()).collect();
                let wanted: Vec<i128> = expected.iter().skip((page - 1) * 20).take(20).copied().collect();
                assert_eq!(amounts, wanted, "page {page}");
                let numbers: Vec<u64> = found.records.iter().map(|(entry, _)| entry.n).collect();
                let last = found.total.saturating_sub(20 * (page as u64 - 1));
                assert_eq!(numbers, (last.saturating_sub(20) + 1..=last).rev().collect::<Vec<_>>());
            }
        }
    }
}

#[tokio::test]
async fn events_are_read_from_any_cursor_the_oldest_first() {
    for world in TestStore::everywhere(1).await {
        let tokens = world.tokens(0).await;
        for number in 0..70 {
            world.waiting(&tokens, &format!("t{number}"), "1").await;
        }
        let app = world.app.app;
        for after in 0..=71 {
            for limit in [0, 1, 7, 100] {
                let events = world.store.view(AppEvents { app, after, limit }).await.unwrap();
                let numbers: Vec<u64> = events.iter().map(|(event, _)| event.n).collect();
                let wanted: Vec<u64> = (after + 1..=70).take(limit as usize).collect();
                assert_eq!(numbers, wanted, "{limit} after {after}");
                for (event, transfer) in events {
                    assert_eq!(transfer.unwrap().trade_id, format!("t{}", event.n - 1).into());
                }
            }
        }
    }
}

/// A database as a migration left it, with the texts and checksums of this program.
fn database_as_of(path: &Path, last: &str) -> rusqlite::Connection {
    let newest = path.with_extension("newest");
    drop(wallet_server::store::open(&newest, options(ManualClock::new())).unwrap());
    let newest = rusqlite::Connection::open(&newest).unwrap();
    let old = rusqlite::Connection::open(path).unwrap();
    old.execute_batch("CREATE TABLE migration (name TEXT PRIMARY KEY, checksum INTEGER NOT NULL) STRICT")
        .unwrap();
    let mut names =
        newest.prepare("SELECT name, checksum FROM migration WHERE name <= ?1 ORDER BY name").unwrap();
    let mut names = names.query([last]).unwrap();
    while let Some(row) = names.next().unwrap() {
        let (name, checksum): (String, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/wallet-store/migrations");
        let text = std::fs::read_to_string(directory.join(format!("{name}.sql"))).unwrap();
        old.execute_batch(&text).unwrap();
        old.execute("INSERT INTO migration (name, checksum) VALUES (?1, ?2)", (name, checksum)).unwrap();
    }
    old
}

#[tokio::test]
async fn a_database_of_before_orders_keeps_its_callbacks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    database_as_of(&path, "0002_vas")
        .execute_batch(
            "INSERT INTO delivery (id, transfer, app, state, attempts, next_at, leased_until)
             VALUES (77, 78, 79, 0, 3, 1000, 0);",
        )
        .unwrap();
    let store = wallet_server::store::open(&path, options(ManualClock::new())).unwrap();
    let due = DueDeliveries { by: store.now(), limit: 10 };
    assert_eq!(store.view(due).await.unwrap(), [(DeliveryId(77), ReceiverId(79))]);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let kept = connection.query_row("SELECT subject, callback, attempts FROM delivery", [], |row| {
        Ok::<(i64, i64, i64), _>((row.get(0)?, row.get(1)?, row.get(2)?))
    });
    assert_eq!(kept.unwrap(), (78, 1, 3), "a transfer's, with its attempts");
}

#[tokio::test]
async fn a_database_of_before_journals_keeps_its_entries_and_events() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let filled = directory.path().join("filled");
    let (user, app) = {
        let world = TestStore::sqlite(&filled, 1).await;
        let tokens = world.tokens(0).await;
        for number in 0..40 {
            world.waiting(&tokens, &format!("t{number}"), "1").await;
            let amount = Units::new(number + 1).to_amount(6).unwrap();
            world.store.submit(Deposit { user: world.users[0].0, coin: COIN, amount }).await.unwrap();
        }
        (world.users[0].0, world.app.app)
    };
    let old = database_as_of(&path, "0003_orders");
    old.execute("ATTACH ?1 AS filled", [filled.to_str().unwrap()]).unwrap();
    old.execute_batch(
        "INSERT INTO sealed_key SELECT * FROM filled.sealed_key;
         INSERT INTO user
         SELECT id, login_name, fomo_id, name, portrait, pwd, pwd_version, wallet_pwd, wallet_pwd_version, developer,
             created_at
         FROM filled.user;
         INSERT INTO app
         SELECT id, client_id, owner, name, redirect_uri, scopes, secret, secret_version, old_secret, old_secret_until,
             fee_user_to_app, fee_app_to_user, created_at
         FROM filled.app;
         INSERT INTO client SELECT * FROM filled.client;
         INSERT INTO coin SELECT * FROM filled.coin;
         INSERT INTO transfer
         SELECT id, app, direction, payer, payee, coin, amount, amount_text, cut, trade_id, state, server_uri,
             redirect_uri, done, created_at, updated_at
         FROM filled.transfer;
         INSERT INTO account SELECT owner, coin, balance, entries FROM filled.account;
         INSERT INTO entry SELECT owner, coin, n, amount, transfer, created_at FROM filled.entry;
         INSERT INTO feed SELECT app, last FROM filled.feed;
         INSERT INTO event SELECT app, n, kind, transfer, at FROM filled.event;
         UPDATE sequence SET next_id = (SELECT next_id FROM filled.sequence);",
    )
    .unwrap();
    drop(old);

    type Contents = (Vec<(u64, i128)>, Vec<(u64, String)>);
    async fn contents(store: &Store, user: wallet_api::fomo::UserId, app: AppId) -> Contents {
        let mut entries = Vec::new();
        for page in 1..=3 {
            let page = store.view(Records { user, coin: COIN, page }).await.unwrap();
            assert_eq!(page.total, 41);
            entries.extend(page.records.iter().map(|(entry, _)| (entry.n, entry.amount.get())));
        }
        let events = store.view(AppEvents { app, after: 0, limit: 100 }).await.unwrap();
        (
            entries,
            events
                .into_iter()
                .map(|(event, transfer)| (event.n, transfer.unwrap().trade_id.to_string()))
                .collect(),
        )
    }
    let before = {
        let store = wallet_server::store::open(&filled, options(ManualClock::new())).unwrap();
        contents(&store, user, app).await
    };
    assert_eq!((before.0.len(), before.1.len()), (41, 40));
    let store = wallet_server::store::open(&path, options(ManualClock::new())).unwrap();
    assert_eq!(contents(&store, user, app).await, before);
    // And it goes on: with numbers of its own, in the account and among the rows.
    store.submit(Deposit { user, coin: COIN, amount: "7".parse().unwrap() }).await.unwrap();
    let page = store.view(Records { user, coin: COIN, page: 1 }).await.unwrap();
    assert_eq!((page.total, page.records[0].0.n, page.records[1].0.n), (42, 42, 41));
    assert_eq!(page.records[0].0.previous, Some(page.records[1].0.id));
    assert!(store.view(FindApp::new("shop")).await.is_ok());
}
