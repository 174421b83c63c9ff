//! A change of the master key: under load, with a kill in the middle, on nodes with different files of it.

use std::sync::Arc;

use wallet_core::Secret;
use wallet_crypto::Portable;
use wallet_platform::{MasterKeys, SealedUnderAnother};
use wallet_server::keeping::MasterKey;
use wallet_server::store::{Location, Options, Store};
use wallet_tests::{Database, ManualClock, Node, Postgres, TestStore, configure, options, said, wallop};

fn key(byte: u8) -> Secret<[u8; 32]> {
    Secret::new([byte; 32])
}

fn keys(current: u8, previous: Option<u8>, next: Option<u8>) -> MasterKeys {
    MasterKeys { current: key(current), previous: previous.map(key), next: next.map(key) }
}

/// Opens a database with these keys.
fn open(at: &Location, clock: &Arc<ManualClock>, master: MasterKeys) -> Result<Store, String> {
    let options = Options { master, ..options(clock.clone()) };
    let opened = match at {
        Location::Sqlite(path) => wallet_server::store::open(path, options),
        Location::Postgres(url) => wallet_server::store::open_postgres_at(url, options),
    };
    opened.map_err(|error| error.to_string())
}

/// The number of secrets that a key alone does not open.
fn closed(at: &Location, byte: u8) -> Option<usize> {
    let master = MasterKey { crypto: Arc::new(Portable::new()), key: key(byte) };
    at.check(&master, &|_, _| {}).ok().map(|checked| checked.damaged.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_secret_is_readable_at_every_step_of_a_change() {
    const OLD: u8 = 7; // as the tests' options have it
    const NEW: u8 = 8;
    let directory = tempfile::tempdir().unwrap();
    let sqlite = TestStore::sqlite(&directory.path().join("db"), 2).await;
    for world in [sqlite, TestStore::postgres(2).await] {
        let at = match &world.database {
            Database::Sqlite(path) => Location::Sqlite(path.clone()),
            Database::Postgres(name) => Location::Postgres(Postgres::of_the_tests().url(name)),
            Database::Memory => unreachable!(),
        };
        let is_shared = matches!(at, Location::Postgres(_));
        let clock = world.clock.clone();
        let tokens = world.tokens(0).await;
        world.pay(&tokens, "before").await.unwrap();
        // SQLite has one process: it is stopped for each step.
        let elsewhere = wallet_server::store::open_memory(options(clock.clone())).unwrap().0;
        let people = world.in_store(elsewhere);
        let other_node = is_shared.then_some(world);
        let works = async |store: &Store, trade: &str| {
            // The session, the token and the app's secret of before.
            let there = people.in_store(store.clone());
            there.pay(&tokens, trade).await.unwrap();
            there.tokens(1).await;
        };
        // Step 1: every node reads what is sealed under the next key.
        let reading = open(&at, &clock, keys(OLD, None, Some(NEW))).unwrap();
        works(&reading, "next").await;
        drop((reading, other_node));
        // Step 2: a node seals under the new key, while payments go on, and dies half-way.
        let sealing = open(&at, &clock, keys(NEW, Some(OLD), None)).unwrap();
        works(&sealing, "new").await;
        let half = SealedUnderAnother { seed: sealing.vault().seed(), limit: 1 };
        let half = sealing.view(half).await.unwrap();
        assert!(!half.is_empty());
        let (sealed, ()) = tokio::join!(sealing.submit(half), works(&sealing, "while sealing"));
        assert!(sealed.unwrap() > 0);
        drop(sealing);
        assert_ne!((closed(&at, OLD), closed(&at, NEW)), (Some(0), Some(0)), "half-way");
        // Nodes of step 1 read both.
        let reading = open(&at, &clock, keys(OLD, None, Some(NEW))).unwrap();
        works(&reading, "half-way").await;
        drop(reading);
        // The next start goes on until nothing is left.
        let sealing = open(&at, &clock, keys(NEW, Some(OLD), None)).unwrap();
        loop {
            let more = SealedUnderAnother { seed: sealing.vault().seed(), limit: 1 };
            let more = sealing.view(more).await.unwrap();
            if more.is_empty() {
                break;
            }
            sealing.submit(more).await.unwrap();
            works(&sealing, &format!("trade {}", sealing.measured().batch_commands.sum)).await;
        }
        drop(sealing);
        // Step 3: the new key alone.
        assert_eq!(closed(&at, NEW), Some(0));
        assert_eq!(closed(&at, OLD), None, "the old key opens nothing any more");
        let refused = open(&at, &clock, keys(OLD, None, None)).unwrap_err();
        assert!(refused.contains("master key"), "{refused}");
        let after = open(&at, &clock, keys(NEW, None, None)).unwrap();
        works(&after, "after").await;
        drop(after);
        // And once more: the token keys are still those of the first key.
        let again = open(&at, &clock, keys(9, Some(NEW), None)).unwrap();
        works(&again, "again").await;
    }
}

#[test]
fn a_running_server_seals_by_itself_and_by_command() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let config = configure(directory.path(), &format!("sqlite:{}", file("wallop.db")));
    for name in ["key", "key2"] {
        assert!(wallop(&["key", "new", &file(name)]).status.success());
    }
    assert!(wallop(&["admin", "operator", "add", "carol", "--config", &config]).status.success());
    let (current, previous) = (format!("key.file={}", file("key2")), format!("key.previous={}", file("key")));
    let changing = ["--set", &*current, "--set", &*previous];
    let node = Node::start_with(&config, &changing);
    let rotate = [&["key", "rotate", "--json", "--config", &config], &changing[..]].concat();
    let (code, text) = said(&wallop(&rotate));
    assert!(code == Some(0) && text.contains("\"sealed\":"), "{text}");
    drop(node);
    let check = |more: &[&str]| said(&wallop(&[&["check", "--config", &config], more].concat()));
    assert_eq!(check(&["--set", &current]).0, Some(0), "the new key alone");
    let (code, text) = check(&[]);
    assert!(code == Some(3) && text.contains("master key"), "{text}");
}
