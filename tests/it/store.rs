//! The store: what it sets, what it refuses, and which commands it answers.

use std::sync::Arc;
use std::time::Duration;

use wallet_api::fomo::{Refusal, UserId};
use wallet_engine::{Command, StoreError};
use wallet_platform::{Account, Changes, Context, Failure, Platform, Rows, SessionUser, Stop};
use wallet_server::store::{Options, open};
use wallet_tests::{ManualClock, TestStore, ledger_of, options};

#[tokio::test]
async fn the_writers_connection_is_wal_and_synchronous_full() {
    let directory = tempfile::tempdir().unwrap();
    let world = TestStore::sqlite(&directory.path().join("db"), 1).await;
    // Read from SQLite on the writer's own connection when it was opened.
    let settings = world.store.writer_settings().unwrap();
    assert_eq!((settings.journal_mode.as_str(), settings.synchronous), ("wal", 2));
}

/// SQLite folds the log when the last connection closes, and only the writer's may: it closes last.
#[test]
fn after_a_store_has_ended_its_one_file_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..100 {
        let path = directory.path().join(format!("{round}.db"));
        drop(open(&path, options(ManualClock::new())).unwrap());
        let log = directory.path().join(format!("{round}.db-wal"));
        assert!(path.exists() && !log.exists(), "round {round}: the log is left");
    }
}

#[tokio::test]
async fn one_process_has_a_database_and_only_its_own_master_key_opens_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let clock = ManualClock::new();
    let store = open(&path, options(clock.clone())).unwrap();
    let second = open(&path, options(clock.clone())).unwrap_err().to_string();
    assert!(second.contains("in use by another process"), "{second}");
    let id = store.vault().transfer_id(wallet_platform::TransferSeq(1));
    drop(store);
    let other = Options {
        master: wallet_platform::MasterKeys::only(wallet_core::Secret::new([8; 32])),
        ..options(clock.clone())
    };
    let wrong = open(&path, other).unwrap_err().to_string();
    assert!(wrong.contains("master key"), "{wrong}");
    let again = open(&path, options(clock.clone())).unwrap();
    assert_eq!(
        again.vault().transfer_id(wallet_platform::TransferSeq(1)),
        id,
        "the permutation is made once"
    );
    drop(again);
    // A migration that was changed after it had run is noticed.
    rusqlite::Connection::open(&path).unwrap().execute("UPDATE migration SET checksum = 1", []).unwrap();
    let changed = open(&path, options(clock)).unwrap_err().to_string();
    assert!(changed.contains("edited after it had run"), "{changed}");
}

/// The lock is on the database itself: the file beside it may be gone, and a link has another name.
#[tokio::test]
async fn a_second_writer_is_refused_and_one_that_came_in_anyhow_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let clock = ManualClock::new();
    let world = TestStore::sqlite(&path, 4).await;
    std::fs::remove_file(directory.path().join("db.lock")).unwrap();
    let second = open(&path, options(clock.clone())).unwrap_err().to_string();
    assert!(second.contains("in use by another process"), "{second}");
    let link = directory.path().join("another_name");
    std::fs::hard_link(&path, &link).unwrap();
    let second = open(&link, options(clock.clone())).unwrap_err().to_string();
    assert!(second.contains("in use by another process"), "{second}");
    let tokens = world.tokens(0).await;
    world.pay(&tokens, "first").await.unwrap();
    // A program that knows no locks takes row numbers: this one stops before it gives one of them away again.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute("UPDATE sequence SET next_id = next_id + 1", []).unwrap();
    let error = world.pay(&tokens, "second").await.unwrap_err();
    assert!(
        matches!(&error, Failure::Store(StoreError::Broken(why)) if why.contains("another process")),
        "{error}"
    );
    // The caller has its answer a moment before the thread has stopped.
    let stopped = async {
        while world.store.broken().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), stopped).await.expect("it stops");
    drop(world);
    // A database whose next row number went back is set right when it is opened.
    let largest: i64 = other.query_row("SELECT max(id) FROM event", [], |row| row.get(0)).unwrap();
    other.execute("UPDATE sequence SET next_id = 100000", []).unwrap();
    drop(other);
    drop(open(&path, options(clock.clone())).unwrap());
    let read = rusqlite::Connection::open(&path).unwrap();
    let next: i64 = read.query_row("SELECT next_id FROM sequence", [], |row| row.get(0)).unwrap();
    assert!(next > largest, "{next} {largest}");
}

/// SQLite begins an empty database where it finds an empty file.
#[tokio::test]
async fn a_database_that_was_cut_off_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let clock = ManualClock::new();
    drop(TestStore::sqlite(&path, 4).await);
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 1, 99, 100, 4_096, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = open(&path, options(clock.clone())).unwrap_err().to_string();
        assert!(error.contains("is cut off") && error.contains("Restore a backup"), "{length}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), &whole[..length], "{length}: left alone");
    }
    std::fs::write(&path, &whole).unwrap();
    drop(open(&path, options(clock.clone())).unwrap());
    // A master key without its database: somebody has lost one.
    let data = wallet_server::DataDirectory::new(directory.path().join("data"));
    drop(data.open(clock.clone()).unwrap());
    std::fs::remove_file(data.path().join("wallop.db")).unwrap();
    let error = data.open(clock).unwrap_err().to_string();
    assert!(error.contains("wallop.db is missing") && error.contains("backup"), "{error}");
    assert!(!data.path().join("wallop.db").exists());
}

/// The hashes of six-digit payment passwords are nobody else's business.
#[cfg(unix)]
#[tokio::test]
async fn the_files_of_a_database_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let modes = || -> Vec<(String, u32)> {
        let files = std::fs::read_dir(directory.path()).unwrap().map(Result::unwrap);
        let mode = |file: std::fs::DirEntry| {
            (file.file_name().into_string().unwrap(), file.metadata().unwrap().permissions().mode() & 0o777)
        };
        files.map(mode).collect()
    };
    for _ in 0..2 {
        let world = TestStore::sqlite(&path, 1).await;
        assert!(modes().len() >= 4 && modes().iter().all(|(_, mode)| *mode == 0o600), "{:?}", modes());
        drop(world);
        // One that an older program has made is made private, too.
        for (name, _) in modes() {
            std::fs::set_permissions(directory.path().join(name), std::fs::Permissions::from_mode(0o644))
                .unwrap();
        }
        std::fs::remove_file(directory.path().join("db.lock")).unwrap();
        let store = open(&path, options(ManualClock::new())).unwrap();
        assert!(modes().iter().all(|(_, mode)| *mode == 0o600), "{:?}", modes());
        drop(store);
        std::fs::remove_file(&path).unwrap();
    }
}

struct Panics;
impl Command<Platform> for Panics {
    type Outcome = ();
    fn apply(&self, _: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        out.put(Account {
            owner: UserId::new(77),
            coin: wallet_api::fomo::CoinId::new(5),
            balance: Default::default(),
            entries: 0,
            last_entry: None,
        });
        panic!("on purpose")
    }
}

/// Writes what the database refuses: a user account below zero.
struct BelowZero;
impl Command<Platform> for BelowZero {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let coin = wallet_api::fomo::CoinId::new(5);
        rows.find::<Account>(&(UserId::new(78), coin))?;
        let balance = wallet_core::Units::new(-1);
        out.put(Account { owner: UserId::new(78), coin, balance, entries: 0, last_entry: None });
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_culprit_of_a_batch_hears_of_its_failure() {
    for world in TestStore::on_disk(1).await.map(Arc::new) {
        let session = world.users[0].1;
        for _ in 0..20 {
            let mut set = tokio::task::JoinSet::new();
            for number in 0..60 {
                let world = world.clone();
                set.spawn(async move {
                    match number {
                        20 => {
                            world.store.submit(Panics).await.map_err(|error| (number, error)).map(|()| number)
                        }
                        40 => world
                            .store
                            .submit(BelowZero)
                            .await
                            .map_err(|error| (number, error))
                            .map(|()| number),
                        _ => {
                            let done = world.store.submit(SessionUser(session)).await;
                            done.map(|_| number).map_err(|error| (number, error))
                        }
                    }
                });
            }
            let failed: Vec<(i32, Failure)> =
                set.join_all().await.into_iter().filter_map(Result::err).collect();
            assert_eq!(failed.len(), 2, "{failed:?}");
            for (number, failure) in failed {
                match number {
                    20 => assert!(matches!(failure, Failure::Store(StoreError::Panicked(_))), "{failure}"),
                    40 => assert!(matches!(failure, Failure::Store(StoreError::Database(_))), "{failure}"),
                    other => panic!("{other} is innocent: {failure}"),
                }
            }
        }
        let ledger = world.database.ledger();
        ledger.check();
        assert!(
            !ledger.balances.contains_key(&(77, 5)) && !ledger.balances.contains_key(&(78, 5)),
            "nothing of them is kept"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_was_answered_reads_what_was_written() {
    for world in TestStore::on_disk(1).await {
        let tokens = world.tokens(0).await;
        for number in 0..300 {
            let trade_id = format!("read-{number}");
            let id = world.store.submit(world.pre_pay(&tokens, &trade_id, "1")).await.unwrap();
            let (transfer, _) = world
                .store
                .view(wallet_platform::TradeOf { app: world.app.app, trade_id: trade_id.into() })
                .await
                .unwrap();
            assert_eq!(transfer.id, id);
        }
    }
}

#[tokio::test]
async fn a_refusal_keeps_what_it_counted_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let world = TestStore::sqlite(&path, 1).await;
    let tokens = world.tokens(0).await;
    let transfer = Some(world.waiting(&tokens, "poor", "999999999").await);
    let session = world.users[0].1;
    let proof =
        world.proof(wallet_platform::Who::Session(session), wallet_platform::PasswordKind::Wallet).await;
    world.clock.advance(Duration::from_secs(5));
    let confirm = wallet_platform::ConfirmPay { session, transfer, trade_id: "poor".into(), proof };
    let refused = world.store.submit(confirm).await.unwrap_err();
    assert_eq!(refused.refused().unwrap().reason, Refusal::InsufficientBalance);
    let ledger = ledger_of(&path);
    ledger.check();
    assert!(ledger.done.is_empty());
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM delivery"), 0);
    assert_eq!(count("SELECT count(*) FROM attempt_limit"), 0, "the reservation is settled");
    let prolonged = "SELECT max(expires_at) FROM session";
    assert_eq!(count(prolonged), world.store.now().millis() + 2_592_000_000, "and the session was used");
}

#[tokio::test]
async fn what_was_submitted_is_finished_before_a_store_closes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let TestStore { store, clock, users, .. } = TestStore::sqlite(&path, 1).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (store, session) = (store.clone(), users[0].1);
        waiting.spawn(async move { store.submit(SessionUser(session)).await.is_ok() });
    }
    tokio::task::yield_now().await;
    drop(store);
    assert!(waiting.join_all().await.into_iter().all(|done| done));
    assert!(open(&path, options(clock)).is_ok());
}

struct When;
impl Command<Platform> for When {
    type Outcome = wallet_core::UnixTime;
    fn apply(&self, _: &Rows, cx: &Context<'_>, _: &mut Changes) -> Result<wallet_core::UnixTime, Stop> {
        Ok(cx.now)
    }
}

/// A batch takes jobs as they come. One that came later is decided at its own time, not at the batch's first.
#[tokio::test]
async fn nothing_is_decided_at_a_time_before_it_was_submitted() {
    let clock = ManualClock::new();
    let mut engine = wallet_store::Memory::starting_at(1).engine(wallet_tests::test_vault());
    let mut waiting = Vec::new();
    let jobs = (0..3_u64).map(|second| {
        clock.advance(Duration::from_secs(second));
        let (job, outcome) = wallet_engine::job(When);
        waiting.push((wallet_store::Clock::now(&*clock), outcome));
        job
    });
    engine.batch(&|| wallet_store::Clock::now(&*clock), jobs).unwrap();
    assert_eq!(waiting.len(), 3);
    for (submitted, outcome) in waiting {
        assert_eq!(outcome.await.unwrap().unwrap(), submitted);
    }
}

/// What a damaged row says is neither sent nor shown: a callback with another sum than the one that was paid would be worse
/// than none.
#[tokio::test]
async fn a_damaged_amount_is_an_error_on_every_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let world = TestStore::sqlite(&path, 1).await;
    let tokens = world.tokens(0).await;
    let transfer = Some(world.waiting(&tokens, "damaged", "1.50").await);
    let session = world.users[0].1;
    let who = wallet_platform::Who::Session(session);
    let proof = world.proof(who, wallet_platform::PasswordKind::Wallet).await;
    let trade_id = "damaged".to_owned();
    let confirm = wallet_platform::ConfirmPay { session, transfer, trade_id: trade_id.clone().into(), proof };
    world.store.submit(confirm).await.unwrap();
    world.clock.advance(Duration::from_secs(2));
    let due = wallet_platform::DueDeliveries { by: world.store.now(), limit: 10 };
    let due: Vec<_> = world.store.view(due).await.unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(due.len(), 1);
    // Another start, whose writer has kept no row from before.
    let clock = world.clock.clone();
    drop(world.store);
    let store = open(&path, options(clock)).unwrap();

    let damage = |text: &str| {
        let connection = rusqlite::Connection::open(&path).unwrap();
        assert_eq!(connection.execute("UPDATE transfer SET amount_text = ?1", [text]).unwrap(), 1);
    };
    let damaged = |failure: Failure| matches!(failure, Failure::Store(StoreError::Damaged(_)));
    for text in ["", "-1.50", "1e9", "1.50x"] {
        damage(text);
        let trade = wallet_platform::TradeOf { app: world.app.app, trade_id: trade_id.clone().into() };
        assert!(damaged(store.view(trade).await.unwrap_err()), "{text}");
        let claim = wallet_platform::Claim { deliveries: due.clone(), lease: Duration::from_secs(60) };
        assert!(damaged(store.submit(claim).await.unwrap_err()), "{text}");
    }
    damage("1.50");
    let claim = wallet_platform::Claim { deliveries: due, lease: Duration::from_secs(60) };
    let claimed = store.submit(claim).await.unwrap();
    let request = claimed[0].request(store.vault(), store.now()).unwrap();
    assert!(String::from_utf8_lossy(request.body()).contains("amount=1.50"));
}

/// A balance is an amount on the wire, so none reaches 10^36 base units.
#[tokio::test]
async fn a_balance_stays_below_the_limit_of_amounts() {
    let world = TestStore::memory(1).await;
    let (user, coin) = (world.users[0].0, wallet_api::fomo::CoinId::new(5));
    let most = || wallet_platform::Deposit { user, coin, amount: "9".repeat(30).parse().unwrap() };
    let refused = world.store.submit(most()).await.unwrap_err(); // the user has some already
    assert_eq!(refused.refused().unwrap().field, Some("amount"));
    let balances = world.store.view(wallet_platform::Balances(user)).await.unwrap();
    assert!(balances[0].1.to_amount(6).is_ok());
}
