//! Three nodes on one PostgreSQL under load, while nodes are killed and stopped, the database crashes, and connections break in the
//! middle of a commit: nothing acknowledged is lost or doubled, and no callback is lost.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wallet_core::Secret;
use wallet_crypto::Portable;
use wallet_platform::{CreateApp, CreateUser};
use wallet_server::keeping::MasterKey;
use wallet_server::store::{self, Location, Options};
use wallet_store::SystemClock;
use wallet_tests::{Cut, ManualClock, Merchant, Patroni, Postgres, Proxy, TestStore, trials};

/// How many payments a node has under way.
const AT_ONCE: usize = 8;
/// The most callbacks that a node has under way: those of one app.
const CALLBACKS_AT_ONCE: usize = 32;

/// What became of the payments, by their trade_ids.
#[derive(Default)]
struct Outcomes {
    acknowledged: BTreeSet<String>,
    unknown: BTreeSet<String>,
    refused: BTreeSet<String>,
}

/// A node that is started again whenever it ends, and always has payments to make.
struct Node {
    pid: AtomicU32,
    number: usize,
    environment: Vec<(&'static str, String)>,
    outcomes: Arc<Mutex<Outcomes>>,
    /// No more payments.
    quiet: AtomicBool,
    /// Not started again.
    ended: AtomicBool,
}

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().unwrap().parent().unwrap().join("examples/node");
    if !built.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "wallet-tests", "--example", "node"]);
        if built.components().any(|part| part.as_os_str() == "release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the node does not build");
    }
    built
}

impl Node {
    /// A node on a database, which it reaches at this URL, and the thread that runs it.
    fn start(
        number: usize,
        url: String,
        world: &TestStore,
        merchant: &Merchant,
        outcomes: &Arc<Mutex<Outcomes>>,
        keys: &[(&'static str, &str)],
    ) -> (Arc<Self>, JoinHandle<()>) {
        let mut environment = vec![
            ("NODE_DATABASE", url),
            ("NODE_APP", world.app.app.0.to_string()),
            ("NODE_OWNER", world.owner.to_string()),
            ("NODE_USER", world.users[0].0.to_string()),
            ("NODE_SERVER_URI", merchant.url.clone()),
        ];
        environment.extend(keys.iter().map(|(name, key)| (*name, (*key).to_owned())));
        let (outcomes, quiet, ended) = (outcomes.clone(), AtomicBool::new(false), AtomicBool::new(false));
        let node = Arc::new(Self { pid: AtomicU32::new(0), number, environment, outcomes, quiet, ended });
        let running = node.clone();
        (node, std::thread::spawn(move || running.run()))
    }

    fn signal(&self, signal: &str) {
        let pid = self.pid.load(Ordering::SeqCst);
        if pid > 0 {
            let _ = Command::new("kill").args([signal, &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }

    /// Ends it.
    fn end(&self) {
        self.quiet.store(true, Ordering::SeqCst);
        self.ended.store(true, Ordering::SeqCst);
        self.signal("-KILL");
    }

    /// Runs it until `ended`.
    fn run(&self) {
        let mut next = 0_u64;
        while !self.ended.load(Ordering::SeqCst) {
            let mut child: Child = Command::new(program())
                .envs(self.environment.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            self.pid.store(child.id(), Ordering::SeqCst);
            let mut input = child.stdin.take().unwrap();
            let mut under_way = BTreeSet::new();
            let mut begin = |under_way: &mut BTreeSet<String>| {
                if !self.quiet.load(Ordering::SeqCst) {
                    let trade = format!("t-{}-{next}", self.number);
                    next += 1;
                    // A node that has just died gets nothing: nobody paid this.
                    if writeln!(input, "{trade}").is_ok() {
                        under_way.insert(trade);
                    }
                }
            };
            (0..AT_ONCE).for_each(|_| begin(&mut under_way));
            for line in BufReader::new(child.stdout.take().unwrap()).lines() {
                let Some((outcome, trade)) = line.as_ref().ok().and_then(|line| line.split_once(' ')) else {
                    break;
                };
                under_way.remove(trade);
                let mut outcomes = self.outcomes.lock().unwrap();
                match outcome {
                    "ok" => outcomes.acknowledged.insert(trade.to_owned()),
                    "unknown" => outcomes.unknown.insert(trade.to_owned()),
                    _ => outcomes.refused.insert(trade.to_owned()),
                };
                drop(outcomes);
                begin(&mut under_way);
            }
            self.outcomes.lock().unwrap().unknown.append(&mut under_way);
            self.pid.store(0, Ordering::SeqCst);
            let _ = (child.kill(), child.wait());
        }
    }
}

/// What happens to the system, and how often it did.
#[derive(Debug, Default)]
struct Happened {
    kills: u32,
    stops: u32,
    crashes: u32,
    cuts: u32,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_lose_nothing_whatever_breaks() {
    let events = trials(100, 1_000);
    let cluster = Arc::new(Postgres::start(&[]));
    let (database, merchant) = (cluster.new_database(), Merchant::open().await);
    let options = Options::new(Arc::new(SystemClock), Arc::new(Portable::new()), Secret::new([7; 32]));
    let store = store::open_postgres(&cluster.url(&database), options).unwrap();
    let world = TestStore::on(store, ManualClock::new(), 1).await;
    let outcomes: Arc<Mutex<Outcomes>> = Arc::default();
    let mut proxies = Vec::new();
    for _ in 0..3 {
        proxies.push(Proxy::start(cluster.port(), "COMMIT\0").await);
    }
    let (mut nodes, mut running) = (Vec::new(), Vec::new());
    for (number, proxy) in proxies.iter().enumerate() {
        let url = Postgres::url_at(proxy.port(), &database);
        let (node, runs) = Node::start(number, url, &world, &merchant, &outcomes, &[]);
        nodes.push(node);
        running.push(runs);
    }
    drop(world);
    progress(&outcomes, 30).await;
    let mut happened = Happened::default();
    for event in 0..events {
        let node = &nodes[(event as usize * 7 + event as usize / 3) % 3];
        match event % 10 {
            0 | 5 => {
                node.signal("-KILL");
                happened.kills += 1;
            }
            3 => {
                // Longer than the database lets a transaction idle: the others take its turn.
                node.signal("-STOP");
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                node.signal("-CONT");
                happened.stops += 1;
            }
            7 => {
                let crashing = cluster.clone();
                let crash = move || {
                    crashing.crash();
                    crashing.run_server();
                };
                tokio::task::spawn_blocking(crash).await.unwrap();
                happened.crashes += 1;
            }
            other => {
                proxies[event as usize % 3].cut_next(if other % 2 == 0 { Cut::Before } else { Cut::After });
                happened.cuts += 1;
            }
        }
        progress(&outcomes, 10).await; // so that each event meets load
    }
    if events == 1_000 {
        // Longer than the lease of a callback: the others deliver what this node had claimed.
        nodes[1].signal("-STOP");
        tokio::time::sleep(Duration::from_secs(70)).await;
        progress(&outcomes, 10).await;
        nodes[1].signal("-CONT");
        happened.stops += 1;
        progress(&outcomes, 10).await;
    }
    nodes.iter().for_each(|node| node.quiet.store(true, Ordering::SeqCst));
    // The leases of killed nodes run out within a minute.
    let rows = |sql: &str| cluster.sql(&database, sql).trim().to_owned();
    let since = Instant::now();
    while rows("SELECT count(*) FROM delivery WHERE state <> 1") != "0" {
        assert!(
            since.elapsed() < Duration::from_secs(240),
            "callbacks wait: {}",
            rows("SELECT count(*) FROM delivery WHERE state <> 1")
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    nodes.iter().for_each(|node| node.end());
    running.into_iter().for_each(|running| running.join().unwrap());

    let outcomes = outcomes.lock().unwrap();
    assert!(outcomes.refused.is_empty(), "{:?}", outcomes.refused);
    let done: BTreeSet<String> =
        rows("SELECT trade_id FROM transfer WHERE done = 1").lines().map(str::to_owned).collect();
    let lost: Vec<_> = outcomes.acknowledged.difference(&done).collect();
    assert!(lost.is_empty(), "acknowledged, and lost: {lost:?}");
    assert_eq!(
        rows("SELECT count(*) - count(DISTINCT trade_id) FROM transfer"),
        "0",
        "no payment is doubled"
    );
    assert!(done.iter().all(|id| outcomes.acknowledged.contains(id) || outcomes.unknown.contains(id)));
    let unbalanced = "SELECT count(*) FROM account AS a WHERE balance <> \
        (SELECT sum(amount) FROM entry AS e WHERE e.owner = a.owner AND e.coin = a.coin)";
    assert_eq!(rows(unbalanced), "0");
    assert_eq!(rows("SELECT count(*) FROM delivery"), done.len().to_string(), "a callback each");
    // Each callback arrived, and was repeated only if a node died with it under way.
    let mut arrived: HashMap<Vec<u8>, usize> = HashMap::new();
    for request in merchant.received() {
        *arrived.entry(request.headers()["webhook-id"].as_bytes().to_owned()).or_default() += 1;
    }
    let received: HashSet<_> = arrived.keys().collect();
    assert_eq!(received.len(), done.len(), "no callback is lost");
    let repeated: usize = arrived.values().map(|times| times - 1).sum();
    let died = (happened.kills + happened.stops) as usize;
    assert!(repeated <= died * CALLBACKS_AT_ONCE, "{repeated} callbacks were repeated, after {died} deaths");
    let cut: u32 = proxies.iter().map(Proxy::cut).sum();
    println!(
        "{happened:?} ({cut} connections were cut): {} payments acknowledged, {} unknown, {} made; {repeated} callbacks repeated",
        outcomes.acknowledged.len(),
        outcomes.unknown.len(),
        done.len()
    );
    assert!(cut * 2 >= happened.cuts, "{cut} of {} cuts happened", happened.cuts);
}

/// Waits until so many more payments have succeeded. Returns for how long none did at most.
async fn progress(outcomes: &Mutex<Outcomes>, more: usize) -> Duration {
    let acknowledged = || outcomes.lock().unwrap().acknowledged.len();
    let (from, since) = (acknowledged(), Instant::now());
    let (mut seen, mut seen_at, mut longest) = (from, since, Duration::ZERO);
    while seen < from + more {
        assert!(seen_at.elapsed() < Duration::from_secs(60), "no payment succeeds any more");
        tokio::time::sleep(Duration::from_millis(5)).await;
        let now = acknowledged();
        if now > seen {
            longest = longest.max(seen_at.elapsed());
            (seen, seen_at) = (now, Instant::now());
        }
    }
    longest
}

/// A node that pays until a primary is lost and its standby is promoted. Returns what it acknowledged, and what the promoted one has.
async fn fail_over(is_synchronous: bool) -> (BTreeSet<String>, BTreeSet<String>) {
    let primary = Postgres::start(&[]);
    let (database, merchant) = (primary.new_database(), Merchant::open().await);
    let options = Options::new(Arc::new(SystemClock), Arc::new(Portable::new()), Secret::new([7; 32]));
    let store = store::open_postgres(&primary.url(&database), options).unwrap();
    let world = TestStore::on(store, ManualClock::new(), 1).await;
    let standby = primary.standby();
    let following = |state: &str| {
        let count = format!("SELECT count(*) FROM pg_stat_replication WHERE sync_state = '{state}'");
        primary.sql("postgres", &count).trim() == "1"
    };
    if is_synchronous {
        primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        primary.sql("postgres", "SELECT pg_reload_conf()");
    }
    let (state, since) = (if is_synchronous { "sync" } else { "async" }, Instant::now());
    while !following(state) {
        assert!(since.elapsed() < Duration::from_secs(30), "the standby does not follow");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let hosts = format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/{database}?target_session_attrs=read-write",
        primary.port(),
        standby.port()
    );
    let outcomes: Arc<Mutex<Outcomes>> = Arc::default();
    let (node, running) = Node::start(0, hosts, &world, &merchant, &outcomes, &[]);
    drop(world);
    progress(&outcomes, 100).await;
    if !is_synchronous {
        // The standby gets nothing any more, as on a broken line.
        standby.crash();
        progress(&outcomes, 100).await;
    }
    primary.crash();
    if !is_synchronous {
        standby.run_server();
    }
    standby.promote();
    progress(&outcomes, 100).await;
    node.end();
    running.join().unwrap();
    let done = standby.sql(&database, "SELECT trade_id FROM transfer WHERE done = 1");
    let done = done.lines().map(str::to_owned).collect();
    let acknowledged = outcomes.lock().unwrap().acknowledged.clone();
    (acknowledged, done)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_synchronous_standby_has_everything_that_was_acknowledged() {
    let (acknowledged, done) = fail_over(true).await;
    let lost: Vec<_> = acknowledged.difference(&done).collect();
    assert!(lost.is_empty(), "acknowledged, and lost: {lost:?}");
    // An asynchronous one that was behind has not: this test would see a loss.
    let (acknowledged, done) = fail_over(false).await;
    assert!(acknowledged.difference(&done).count() >= 100, "the standby was not behind");
}

/// Takes minutes, and needs Patroni and etcd: with `WALLOP_LONG` only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patroni_switches_over_and_replaces_a_lost_server() {
    if trials(0, 1) == 0 {
        return;
    }
    let cluster = tokio::task::spawn_blocking(Patroni::start).await.unwrap();
    cluster.sql("postgres", "CREATE DATABASE paid");
    let options = Options::new(Arc::new(SystemClock), Arc::new(Portable::new()), Secret::new([7; 32]));
    let url = cluster.url("paid");
    let store = store::open_postgres(&url, options).unwrap();
    let world = TestStore::on(store, ManualClock::new(), 1).await;
    let (merchant, outcomes) = (Merchant::open().await, Arc::<Mutex<Outcomes>>::default());
    let (node, running) = Node::start(0, url, &world, &merchant, &outcomes, &[]);
    drop(world);
    progress(&outcomes, 100).await;
    let (cluster, switched) = tokio::join!(
        async {
            let switched = tokio::task::spawn_blocking(move || {
                cluster.switch_over();
                cluster
            });
            switched.await.unwrap()
        },
        progress(&outcomes, 2_000),
    );
    progress(&outcomes, 100).await;
    cluster.lose_leader();
    let lost = progress(&outcomes, 2_000).await;
    node.end();
    running.join().unwrap();
    let done = cluster.sql("paid", "SELECT trade_id FROM transfer WHERE done = 1");
    let done: BTreeSet<String> = done.lines().map(str::to_owned).collect();
    let outcomes = outcomes.lock().unwrap();
    let missing: Vec<_> = outcomes.acknowledged.difference(&done).collect();
    assert!(missing.is_empty(), "acknowledged, and lost: {missing:?}");
    println!(
        "no payment for {switched:.1?} at the switchover, for {lost:.1?} when the server was lost; {} acknowledged, {} unknown, {} refused, {} made",
        outcomes.acknowledged.len(),
        outcomes.unknown.len(),
        outcomes.refused.len(),
        done.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_master_key_survives_kills_under_load() {
    const APPS: usize = 3_000;
    let cluster = Postgres::start(&[("fsync", "off")]);
    let (database, merchant) = (cluster.new_database(), Merchant::open().await);
    let options = Options::new(Arc::new(SystemClock), Arc::new(Portable::new()), Secret::new([7; 32]));
    let store = store::open_postgres(&cluster.url(&database), options).unwrap();
    let world = TestStore::on(store, ManualClock::new(), 1).await;
    // Secrets to seal again: one of each app.
    let mut made = tokio::task::JoinSet::new();
    for number in 0..APPS {
        let store = world.store.clone();
        made.spawn(async move {
            let (pwd, name) = (Secret::new("x".to_owned()), format!("maker{number}"));
            let user = CreateUser {
                login_name: name.clone(),
                name: name.clone(),
                pwd,
                wallet_pwd: None,
                developer: true,
            };
            let owner = store.submit(user).await.unwrap();
            let (seed, redirect_uri) = (store.vault().seed(), "shop.example/back".into());
            let app = CreateApp { owner, client_id: name.clone().into(), name, redirect_uri, seed };
            store.submit(app).await.unwrap();
        });
    }
    made.join_all().await;
    let outcomes: Arc<Mutex<Outcomes>> = Arc::default();
    let closed = |byte: u8| {
        let master = MasterKey { crypto: Arc::new(Portable::new()), key: Secret::new([byte; 32]) };
        let at = Location::Postgres(cluster.url(&database));
        at.check(&master, &|_, _| {}).ok().map(|checked| checked.damaged.len())
    };
    let node = |number, keys: &[(&'static str, &str)]| {
        Node::start(number, cluster.url(&database), &world, &merchant, &outcomes, keys)
    };
    // One node seals with the old key and knows the next one; the other has changed, seals everything again, and dies.
    let (old, old_runs) = node(0, &[("NODE_KEY", "7"), ("NODE_NEXT", "8")]);
    let acknowledged = || outcomes.lock().unwrap().acknowledged.len();
    let since = Instant::now();
    let wait = async |what: &str, done: &dyn Fn() -> bool| {
        while !done() {
            assert!(since.elapsed() < Duration::from_secs(120), "{what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    wait("no payment succeeds", &|| acknowledged() > 50).await;
    let (new, new_runs) = node(1, &[("NODE_KEY", "8"), ("NODE_PREVIOUS", "7")]);
    let by_new =
        || outcomes.lock().unwrap().acknowledged.iter().filter(|trade| trade.starts_with("t-1-")).count();
    let (mut kills, mut half_way) = (0, 0);
    while closed(8) != Some(0) && kills < 8 {
        // It has begun; it dies between two of its commits, or in one.
        let from = by_new();
        wait("the node that seals does not start", &|| by_new() > from).await;
        tokio::time::sleep(Duration::from_millis(10 * kills)).await;
        new.signal("-KILL");
        kills += 1;
        half_way += u32::from(closed(7) != Some(0) && closed(8) != Some(0));
    }
    assert!(half_way > 0, "it was never killed half-way");
    wait("the change does not end", &|| closed(8) == Some(0)).await;
    let from = acknowledged();
    wait("no payment succeeds after the change", &|| acknowledged() > from + 50).await;
    for node in [&old, &new] {
        node.quiet.store(true, Ordering::SeqCst);
    }
    let rows = |sql: &str| cluster.sql(&database, sql).trim().to_owned();
    wait("callbacks wait", &|| rows("SELECT count(*) FROM delivery WHERE state <> 1") == "0").await;
    [&old, &new].iter().for_each(|node| node.end());
    old_runs.join().unwrap();
    new_runs.join().unwrap();
    // Each callback is signed with the app's secret: none ever failed for the lack of it.
    assert_eq!(rows("SELECT count(*) FROM attempt WHERE failure IS NOT NULL"), "0");
    assert!(outcomes.lock().unwrap().refused.is_empty());
    assert_eq!(closed(8), Some(0), "the new key alone opens everything");
    assert_eq!(closed(7), None, "the old one opens nothing");
    println!(
        "{kills} kills of the node that seals, {half_way} half-way; {} payments meanwhile",
        acknowledged()
    );
}
