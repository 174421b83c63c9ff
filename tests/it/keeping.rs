//! Keeping a database safe: `wallop check`, `backup`, `restore`, `copy` and `migrate`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use wallet_core::Secret;
use wallet_crypto::Portable;
use wallet_server::keeping::MasterKey;
use wallet_server::store::Location;
use wallet_tests::{Database, Postgres, TestStore, Wallop, configure, said, trials};

/// Runs the program: its exit code, its stdout, and both outputs.
fn wallop(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = wallet_tests::wallop(arguments);
    let (code, all) = said(&output);
    (code, String::from_utf8(output.stdout).unwrap(), all)
}

/// The database of a sandbox in which every demo was played.
fn played(directory: &Path) -> PathBuf {
    let sandbox = Wallop::start(directory);
    for demo in ["fomo", "vas", "lafi"] {
        let (code, _, all) = wallop(&["demo", demo, "--json", "--url", &sandbox.described.url]);
        assert_eq!(code, Some(0), "{all}");
    }
    sandbox.stop();
    directory.join("wallop.db")
}

/// Damages of a database: SQL, the table that the check must name, and what it must say about it.
const DAMAGES: &[(&str, &str, &str)] = &[
    (
        "UPDATE account SET balance = X'80000000000000000000000000000001' WHERE owner > 2",
        "account",
        "its entries sum to",
    ),
    ("UPDATE account SET entries = entries + 1 WHERE owner > 2", "account", "another number of rows"),
    ("DELETE FROM entry WHERE id = (SELECT max(id) FROM entry)", "entry", "sum to"),
    ("DELETE FROM entry WHERE transfer IS NOT NULL", "transfer", "no entry moved its money"),
    ("DELETE FROM entry WHERE id = (SELECT min(previous) FROM entry)", "entry", "the journal is cut"),
    (
        "UPDATE entry SET owner = 2 WHERE id = (SELECT min(id) FROM entry WHERE transfer IS NOT NULL)",
        "transfer",
        "another amount, fee or party",
    ),
    ("UPDATE transfer SET delivery = NULL WHERE done = 1", "transfer", "has no callback"),
    ("DELETE FROM delivery WHERE callback = 1", "transfer", "a row of delivery that does not exist"),
    (
        "UPDATE delivery SET subject = subject + 1 WHERE callback = 1",
        "transfer",
        "delivery that it refers to does not fit",
    ),
    ("UPDATE transfer SET done = 0 WHERE done = 1", "transfer", "is not done"),
    ("DELETE FROM trade", "transfer", "a row of trade that does not exist"),
    ("UPDATE transfer SET coin = 999 WHERE done = 1", "transfer", "a row of coin that does not exist"),
    ("UPDATE app SET secret = zeroblob(60)", "app", "does not open its secret"),
    (
        "UPDATE sealed_key SET sealed = zeroblob(60) WHERE name <> 'transfer_id'; UPDATE vas_app SET rsa_private = zeroblob(60)",
        "vas_app",
        "does not open its secret",
    ),
    ("DELETE FROM event WHERE n = 1", "event", "the journal is cut"),
    ("UPDATE feed SET last = last + 1", "feed", "another number of rows"),
    ("DELETE FROM feed", "event", "a row of feed that does not exist"),
    ("DELETE FROM login", "user", "a row of login that does not exist"),
    ("DELETE FROM client", "app", "a row of client that does not exist"),
    ("DELETE FROM attempt", "delivery", "a row of attempt that does not exist"),
    ("UPDATE vas_order SET delivery = NULL WHERE state = 2", "vas_order", "has no callback"),
    ("DELETE FROM vas_order_name", "vas_order", "a row of vas_order_name that does not exist"),
    ("UPDATE applicant SET pending = pending + 1", "applicant", "it counts"),
    ("UPDATE coin SET decimals = 300", "coin", "a value that its type does not have"),
];

#[test]
fn a_check_finds_each_damage_and_none_in_a_whole_database() {
    let directory = tempfile::tempdir().unwrap();
    let whole = played(directory.path());
    let key = directory.path().join("master.key");
    let check = |database: &Path| {
        let config = configure(directory.path(), &format!("sqlite:{}", database.display()));
        let key = format!("key.file={}", key.display());
        let (code, stdout, all) = wallop(&["check", "--json", "--config", &config, "--set", &key]);
        (code, serde_json::from_str::<Value>(&stdout).unwrap_or_else(|error| panic!("{error}: {all}")))
    };
    let (code, report) = check(&whole);
    assert_eq!((code, &report["count"], &report["damaged"]), (Some(0), &0.into(), &Value::Array(Vec::new())));
    assert!(report["rows"].as_u64().unwrap() > 150, "{report}");
    for (sql, table, what) in DAMAGES {
        let damaged = directory.path().join("damaged.db");
        std::fs::copy(&whole, &damaged).unwrap();
        let database = Database::Sqlite(damaged.clone());
        database.change(&format!("PRAGMA ignore_check_constraints = ON; {sql}"));
        let (code, report) = check(&damaged);
        let found = report["damaged"].as_array().unwrap();
        let is_named = found.iter().any(|one| {
            one["table"] == *table && one["damage"].as_str().is_some_and(|text| text.contains(what))
        });
        assert!(code == Some(1) && is_named, "{sql}: {report:#}");
    }
    assert!(DAMAGES.len() >= 12);
}

fn master() -> MasterKey {
    MasterKey { crypto: Arc::new(Portable::new()), key: Secret::new([7; 32]) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_runs_beside_a_writer_on_each_store() {
    for world in TestStore::on_disk(1).await {
        let at = match &world.database {
            Database::Sqlite(path) => Location::Sqlite(path.clone()),
            Database::Postgres(name) => Location::Postgres(Postgres::of_the_tests().url(name)),
            Database::Memory => unreachable!(),
        };
        let tokens = world.tokens(0).await;
        let writer = async {
            for number in 0..100 {
                world.pay(&tokens, &format!("trade {number}")).await.unwrap();
            }
        };
        let checks = tokio::task::spawn_blocking(move || {
            (0..5).map(|_| at.check(&master(), &|_, _| {}).unwrap()).collect::<Vec<_>>()
        });
        let (checks, ()) = tokio::join!(checks, writer);
        for checked in checks.unwrap() {
            assert_eq!(checked.damaged, [], "{:?}", world.database);
        }
    }
}

/// Many payments, by many at once: time and memory of a check, and the slowest payment beside a backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_and_a_backup_of_many_payments() {
    const AT_ONCE: u32 = 64;
    let count = trials(1_000, 1_000_000);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let world = Arc::new(TestStore::sqlite(&path, AT_ONCE as usize).await);
    let owner = world.owner;
    let pay = async |from: u32, to: u32| {
        let payers = (0..AT_ONCE).map(|payer| {
            let world = world.clone();
            tokio::spawn(async move {
                let tokens = world.tokens(payer as usize).await;
                for number in (from..to).skip(payer as usize).step_by(AT_ONCE as usize) {
                    world.pay_as(payer as usize, &tokens, &format!("trade {number}")).await.unwrap();
                }
            })
        });
        for payer in payers.collect::<Vec<_>>() {
            payer.await.unwrap();
        }
    };
    let began = Instant::now();
    pay(0, count).await;
    println!("{count} payments in {:?}, to {owner}", began.elapsed());
    let at = Location::Sqlite(path);
    let (one, began) = (at.clone(), Instant::now());
    let checked =
        tokio::task::spawn_blocking(move || one.check(&master(), &|_, _| {}).unwrap()).await.unwrap();
    assert_eq!(checked.damaged, []);
    println!("{} rows checked in {:?}", checked.rows, began.elapsed());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    // A writer that commits every 4 ms beside a backup.
    let (from, into) = (at, directory.path().join("backup.db"));
    let backup = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        from.back_up(&into).unwrap();
        began.elapsed()
    });
    let tokens = world.tokens(0).await;
    let (mut slowest, mut commits) = (Duration::ZERO, 0);
    while !backup.is_finished() || commits < 20 {
        let began = Instant::now();
        world.waiting(&tokens, &format!("beside {commits}"), "1").await;
        slowest = slowest.max(began.elapsed());
        commits += 1;
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    println!(
        "a backup took {:?}; the slowest of {commits} commits beside it {slowest:?}",
        backup.await.unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_server_is_restored_with_its_key_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (path, file) = (directory.path().join("db"), directory.path().join("backup.db"));
    let world = TestStore::sqlite(&path, 1).await;
    let tokens = world.tokens(0).await;
    world.pay(&tokens, "before").await.unwrap();
    let writer = async {
        let mut slowest = Duration::ZERO;
        for number in 0..200 {
            let began = Instant::now();
            world.pay(&tokens, &format!("trade {number}")).await.unwrap();
            slowest = slowest.max(began.elapsed());
        }
        slowest
    };
    let at = Location::Sqlite(path);
    let (from, into) = (at.clone(), file.clone());
    let backup = tokio::task::spawn_blocking(move || from.back_up(&into));
    let (backup, slowest) = tokio::join!(backup, writer);
    backup.unwrap().unwrap();
    println!("the slowest payment beside a backup took {slowest:?}");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // A second backup does not replace the first.
    let refused = at.back_up(&file).unwrap_err().to_string();
    assert!(refused.contains("exists: give another file"), "{refused}");

    let restored = tempfile::tempdir().unwrap();
    let there = Location::Sqlite(restored.path().join("db"));
    let wrong = MasterKey { key: Secret::new([8; 32]), ..master() };
    let refused = there.restore(&file, &wrong).unwrap_err().to_string();
    assert!(refused.contains("master key does not open the database"), "{refused}");
    assert!(!restored.path().join("db").exists(), "nothing is left of a restore that was refused");
    let refused = there.restore(Path::new("/nowhere/backup.db"), &master()).unwrap_err().to_string();
    assert!(refused.contains("cannot restore /nowhere/backup.db"), "{refused}");
    let cut = restored.path().join("cut");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let refused = there.restore(&cut, &master()).unwrap_err().to_string();
    assert!(refused.contains("damaged") || refused.contains("malformed"), "{refused}");
    // The log of the database before is not played into the restored one.
    let log = restored.path().join("db-wal");
    std::fs::write(&log, "old").unwrap();
    let refused = there.restore(&file, &master()).unwrap_err().to_string();
    assert!(refused.contains("db-wal of another database is beside it"), "{refused}");
    std::fs::remove_file(&log).unwrap();
    there.restore(&file, &master()).unwrap();
    let refused = there.restore(&file, &master()).unwrap_err().to_string();
    assert!(refused.contains("exists"), "{refused}");
    assert_eq!(there.check(&master(), &|_, _| {}).unwrap().damaged, []);
    // A payment goes on in the restored database.
    let store =
        wallet_server::store::open(&restored.path().join("db"), wallet_tests::options(world.clock.clone()))
            .unwrap();
    let again = world.in_store(store);
    again.pay(&tokens, "after").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_equal_row_by_row_and_an_unfinished_one_opens_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let world = TestStore::sqlite(&path, 2).await;
    let tokens = world.tokens(0).await;
    for number in 0..50 {
        world.pay(&tokens, &format!("trade {number}")).await.unwrap();
    }
    let cluster = Postgres::of_the_tests();
    let name = cluster.new_database();
    let (from, to) = (Location::Sqlite(path.clone()), Location::Postgres(cluster.url(&name)));
    let refused = from.copy_to(&to, &|_, _| {}).unwrap_err().to_string();
    assert!(refused.contains("in use by another process"), "{refused}");
    let clock = world.clock.clone();
    let elsewhere = wallet_server::store::open_memory(wallet_tests::options(clock.clone())).unwrap().0;
    let moved = world.in_store(elsewhere);
    drop(world);
    let rows = from.copy_to(&to, &|_, _| {}).unwrap();
    assert!(rows > 300, "{rows}");
    assert_eq!(to.check(&master(), &|_, _| {}).unwrap().rows, rows);
    let refused = from.copy_to(&to, &|_, _| {}).unwrap_err().to_string();
    assert!(refused.contains("copy into an empty one"), "{refused}");
    // The platform goes on there, with the next row number and the same secrets.
    let store =
        wallet_server::store::open_postgres_at(&cluster.url(&name), wallet_tests::options(clock.clone()));
    let again = moved.in_store(store.unwrap());
    again.pay(&tokens, "after").await.unwrap();
    assert_eq!(to.check(&master(), &|_, _| {}).unwrap().damaged, []);

    // A copy that fails half-way, here for a constraint.
    let name = cluster.new_database();
    let half = Location::Postgres(cluster.url(&name));
    half.migrate().unwrap();
    cluster.sql(&name, "ALTER TABLE entry ADD CONSTRAINT none CHECK (n < 20)");
    let refused = from.copy_to(&half, &|_, _| {}).unwrap_err().to_string();
    assert!(refused.contains("none"), "{refused}");
    for refused in [
        half.check(&master(), &|_, _| {}).map(drop),
        half.missing_migrations().map(drop),
        half.open(wallet_tests::options(again.clock.clone())).map(drop),
    ] {
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("a copy into this database was not finished"), "{refused}");
    }
}

#[test]
fn a_newer_database_is_used_if_its_migrations_allow_it() {
    let (directory, cluster) = (tempfile::tempdir().unwrap(), Postgres::of_the_tests());
    let path = directory.path().join("db");
    let name = cluster.new_database();
    let stores = [
        (Location::Sqlite(path.clone()), Database::Sqlite(path)),
        (Location::Postgres(cluster.url(&name)), Database::Postgres(name)),
    ];
    for (at, database) in stores {
        let missing = at.missing_migrations().unwrap();
        assert_eq!(missing.first(), Some(&"0001_fomo"), "nothing has run");
        at.migrate().unwrap();
        assert_eq!(at.missing_migrations().unwrap(), Vec::<&str>::new());
        let newest = *missing.last().unwrap();
        let record = |oldest: &str| {
            database.change("DELETE FROM migration WHERE name = '9999_newer'");
            let sql =
                format!("INSERT INTO migration (name, checksum, oldest) VALUES ('9999_newer', 1, {oldest})");
            database.change(&sql);
        };
        // It only added what this program does not see.
        record(&format!("'{newest}'"));
        assert_eq!(at.missing_migrations().unwrap(), Vec::<&str>::new());
        at.migrate().unwrap();
        // It changed what this program reads, or does not say.
        for oldest in ["'9999_newer'", "NULL"] {
            record(oldest);
            let refused = at.migrate().unwrap_err().to_string();
            assert!(refused.contains("9999_newer, which needs a newer program"), "{refused}");
        }
    }
}

#[test]
fn the_commands_say_what_they_do() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    assert_eq!(wallop(&["key", "new", key.to_str().unwrap()]).0, Some(0));
    let database = directory.path().join("wallop.db");
    let config = configure(directory.path(), &format!("sqlite:{}", database.display()));
    let (code, stdout, _) = wallop(&["migrate", "--plan", "--config", &config]);
    assert!(
        code == Some(0) && stdout.starts_with("0001_fomo\n") && stdout.ends_with("have not run.\n"),
        "{stdout}"
    );
    assert!(!database.exists(), "a plan changes nothing");
    let (code, stdout, _) = wallop(&["migrate", "--config", &config]);
    assert!(code == Some(0) && stdout.ends_with("These migrations have run.\n"), "{stdout}");
    assert_eq!(wallop(&["migrate", "--config", &config]).1, "The database is up to date.\n");
    // Nothing has started on it yet, so that it has no key.
    let (code, _, all) = wallop(&["check", "--config", &config]);
    assert!(code == Some(3) && all.contains("sealed_key"), "{all}");
    assert_eq!(wallop(&["admin", "operator", "add", "carol", "--config", &config]).0, Some(0));
    let (code, stdout, _) = wallop(&["check", "--config", &config]);
    assert!(
        code == Some(0) && stdout.contains(" rows, ") && stdout.ends_with("No damage was found.\n"),
        "{stdout}"
    );
    let file = directory.path().join("backup.db");
    let (code, stdout, _) = wallop(&["backup", file.to_str().unwrap(), "--config", &config]);
    assert!(code == Some(0) && stdout.contains("The master key is not in it"), "{stdout}");
    let (code, _, all) = wallop(&["restore", file.to_str().unwrap(), "--config", &config]);
    assert!(code == Some(3) && all.contains("wallop.db exists"), "{all}");
    std::fs::remove_file(&database).unwrap();
    let (code, stdout, _) = wallop(&["restore", file.to_str().unwrap(), "--config", &config]);
    assert!(code == Some(0) && stdout.contains("Run wallop check"), "{stdout}");
    assert_eq!(wallop(&["check", "--config", &config]).0, Some(0));
    // PostgreSQL has tools of its own.
    let url = "database.url=postgres://postgres@127.0.0.1:1/none";
    let (code, _, all) = wallop(&["backup", "/tmp/never", "--config", &config, "--set", url]);
    assert!(code == Some(3) && all.contains("pg_basebackup"), "{all}");
}
