//! Callbacks under load: how late first attempts are at 300 payments a second, what 99 dead or slow receivers cost a healthy one, and
//! claims on PostgreSQL while a great many callbacks wait and one transaction stays open.
//!
//! With the argument `claims` only the last, with `drained` only the callbacks that are due at once. `WALLOP_LONG=1` takes 1,000,000 waiting callbacks and ten minutes for the last; without it, 50,000 and ten seconds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use wallet_api::fomo::ServerUri;
use wallet_benches::people::{COIN, People, populate, trade_id};
use wallet_benches::{Figure, report};
use wallet_core::{Secret, UnixTime};
use wallet_crypto::Portable;
use wallet_platform::{
    AttemptResult, CallbackKind, Claim, DueOf, FinishAttempt, Look, PasswordKind, PasswordState, PayUser,
    Proof, ReceiverId, Share,
};
use wallet_server::Server;
use wallet_server::store::{self, Options, Store};
use wallet_store::SystemClock;
use wallet_tests::{Postgres, settings, trials};

const ROUNDS: usize = 5;
/// Payments a second, and for how long.
const RATE: u64 = 300;
const SECONDS: u64 = 5;

fn options() -> Options {
    Options::new(Arc::new(SystemClock), Arc::new(Portable::new()), Secret::new([7; 32]))
}

fn serve(store: &Store) -> Server {
    let server = Server::new(store.clone(), settings(store));
    tokio::spawn(server.clone().work(std::future::pending()));
    server
}

/// A receiver that acknowledges at once, and keeps when each trade_id arrived.
#[derive(Default)]
struct Receiver {
    arrived: Mutex<HashMap<String, Instant>>,
    count: AtomicU64,
}

impl Receiver {
    /// Opens it; `keeps` tells whether it keeps its connections.
    async fn open(self: Arc<Self>, keeps: bool) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}/callback", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(self.clone().answer(stream, keeps));
            }
        });
        url
    }

    async fn answer(self: Arc<Self>, mut stream: TcpStream, keeps: bool) {
        let reply: &[u8] = match keeps {
            true => b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            false => b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        };
        loop {
            let (mut text, mut buffer) = (String::new(), [0; 4096]);
            // A request ends with its body, whose length its head gives.
            let body = loop {
                let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
                text += &String::from_utf8_lossy(&buffer[..read]);
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
                });
                if body.len() >= length.unwrap_or(0) {
                    break body.to_owned();
                }
            };
            let trade = body.split('&').find_map(|pair| pair.strip_prefix("trade_id="));
            let trade = trade.unwrap_or_default().to_owned();
            self.arrived.lock().expect("kept").insert(trade, Instant::now());
            self.count.fetch_add(1, Ordering::Relaxed);
            if stream.write_all(reply).await.is_err() || !keeps {
                return;
            }
        }
    }
}

/// What 99 receivers are beside the healthy one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    None,
    /// They take connections and never answer.
    Dead,
    /// They acknowledge after so long.
    Slow,
}

/// The time that a slow receiver takes: less than the deadline of an attempt.
const SLOWNESS: Duration = Duration::from_secs(4);

impl Others {
    /// Opens one.
    async fn open(self) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}/callback", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                match self {
                    Self::None | Self::Dead => kept.push(stream),
                    Self::Slow => drop(tokio::spawn(async move {
                        tokio::time::sleep(SLOWNESS).await;
                        let _ = stream.read(&mut [0; 4096]).await;
                        let _ = stream
                            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                            .await;
                    })),
                }
            }
        });
        url
    }
}

/// One payment through a server, by the owner of an app, reported to an address. Returns its trade_id.
async fn pay_at(server: &Server, people: &People, payer: usize, to: &ServerUri<'static>) -> String {
    let trade = pay(server.store(), people, payer, to).await;
    server.callbacks().wake(); // as an endpoint does
    trade
}

/// One payment by the owner of an app, reported to an address. Returns its trade_id.
async fn pay(store: &Store, people: &People, payer: usize, to: &ServerUri<'static>) -> String {
    let (owner, app) = people.owners[payer];
    let trade = trade_id();
    let command = PayUser {
        app,
        trade_id: trade.clone().into(),
        amount: "0.000001".parse().expect("an amount"),
        coin: COIN,
        user: people.owners[(payer + 1) % people.owners.len()].0,
        server_uri: to.clone(),
        state: "s".into(),
        proof: Proof::remembered(&PasswordState { user: owner, version: 1 }, PasswordKind::Wallet),
    };
    store.submit(command).await.expect("paid");
    trade
}

fn uri(url: String) -> ServerUri<'static> {
    ServerUri::new(url).expect("an address")
}

/// Payments of `payer` at a steady rate. Returns when each was committed.
async fn steadily(
    server: &Server,
    people: &People,
    payer: usize,
    to: &ServerUri<'static>,
) -> Vec<(String, Instant)> {
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
    let mut paid = Vec::new();
    for _ in 0..RATE * SECONDS {
        ticks.tick().await;
        paid.push((pay_at(server, people, payer, to).await, Instant::now()));
    }
    paid
}

/// How late the callbacks of payments arrived after their commit, in milliseconds: the median and the 99th of 100, and the share that
/// arrived within `SECONDS` of the last payment.
async fn lateness(receiver: &Receiver, paid: &[(String, Instant)]) -> (f64, f64, f64) {
    tokio::time::sleep(Duration::from_secs(3)).await;
    let arrived = receiver.arrived.lock().expect("kept").clone();
    let mut late: Vec<f64> = paid
        .iter()
        .filter_map(|(trade, at)| Some(arrived.get(trade)?.duration_since(*at).as_secs_f64() * 1_000.0))
        .collect();
    late.sort_by(f64::total_cmp);
    let at = |part: usize| late.get(late.len().saturating_sub(1) * part / 100).copied().unwrap_or(f64::NAN);
    (at(50), at(99), late.len() as f64 / paid.len() as f64)
}

/// First attempts at a steady rate: alone, and beside 99 dead or slow receivers with a backlog.
fn first_attempts(runtime: &Runtime, figures: &mut Vec<Figure>) {
    let mut all = [const { [const { Vec::new() }; 3] }; 3];
    for round in 0..=ROUNDS {
        for (others, into) in [Others::None, Others::Dead, Others::Slow].into_iter().zip(&mut all) {
            let directory = tempfile::tempdir().expect("a directory");
            let measured = runtime.block_on(async {
                let store = store::open(&directory.path().join("db"), options()).expect("a store");
                let people = populate(&store, 100).await;
                let server = serve(&store);
                if others != Others::None {
                    for app in 1..100 {
                        let to = uri(others.open().await);
                        for _ in 0..20 {
                            pay_at(&server, &people, app, &to).await;
                        }
                    }
                    // Until it is known what they are.
                    tokio::time::sleep(Duration::from_secs(12)).await;
                }
                let receiver = Arc::new(Receiver::default());
                let to = uri(receiver.clone().open(false).await);
                let paid = steadily(&server, &people, 0, &to).await;
                let measured = lateness(&receiver, &paid).await;
                drop(server);
                measured
            });
            eprintln!("round {round} of {ROUNDS}, others {others:?}: {measured:.3?}");
            if round > 0 {
                into[0].push(measured.0);
                into[1].push(measured.1);
                into[2].push(measured.2);
            }
        }
    }
    let mut add = |name: &str, unit, values: &Vec<f64>| figures.push(Figure::of(name, unit, values.clone()));
    let [alone, dead, slow] = &all;
    add("first attempt after the commit, 300 payments/s: median", "ms", &alone[0]);
    add("first attempt after the commit, 300 payments/s: 99th of 100", "ms", &alone[1]);
    add("the same beside 99 dead receivers: median", "ms", &dead[0]);
    add("the same beside 99 dead receivers: 99th of 100", "ms", &dead[1]);
    add("delivered beside 99 dead receivers, of those paid", "ratio", &dead[2]);
    add("the same beside 99 that answer after 4 s: median", "ms", &slow[0]);
    add("the same beside 99 that answer after 4 s: 99th of 100", "ms", &slow[1]);
    add("delivered beside 99 that answer after 4 s, of those paid", "ratio", &slow[2]);
}

/// The number of callbacks that are due at once.
const DUE: usize = 10_000;

/// Callbacks a second, from the start of a server on which all are due to the last one's arrival: to a receiver that closes its connections,
/// and to one that keeps them.
fn drained(runtime: &Runtime, figures: &mut Vec<Figure>) {
    let mut rates = [const { Vec::new() }; 2];
    for round in 0..=ROUNDS {
        for (keeps, into) in [false, true].into_iter().zip(&mut rates) {
            let directory = tempfile::tempdir().expect("a directory");
            let rate = runtime.block_on(async {
                let store = store::open(&directory.path().join("db"), options()).expect("a store");
                let people = populate(&store, 10).await;
                let receiver = Arc::new(Receiver::default());
                let to = uri(receiver.clone().open(keeps).await);
                for _ in 0..DUE / 100 {
                    let some = (0..100).map(|_| pay(&store, &people, 0, &to));
                    futures_util::future::join_all(some).await;
                }
                // The first attempt is due a second after its payment (R3).
                tokio::time::sleep(Duration::from_millis(1_100)).await;
                let began = Instant::now();
                let server = serve(&store);
                while receiver.count.load(Ordering::Relaxed) < DUE as u64 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let rate = DUE as f64 / began.elapsed().as_secs_f64();
                assert_eq!(receiver.arrived.lock().expect("kept").len(), DUE, "each of them");
                drop(server);
                rate
            });
            eprintln!("round {round} of {ROUNDS}, keeps {keeps}: {rate:.0} a second");
            if round > 0 {
                into.push(rate);
            }
        }
    }
    let [closes, keeps] = rates;
    let ratios = keeps.iter().zip(&closes).map(|(keeps, closes)| keeps / closes).collect();
    let due = format!("{DUE} callbacks that are due, one app");
    figures.push(Figure::of(format!("{due}: to a receiver that closes connections"), "1/s", closes));
    figures.push(Figure::of(format!("{due}: to one that keeps them"), "1/s", keeps));
    figures.push(Figure::of("kept connections beside closed ones", "×", ratios));
}

/// Claims and acknowledgements a second by one worker, on PostgreSQL: at the beginning, and at the end of a transaction that stays
/// open meanwhile.
fn claims(runtime: &Runtime, figures: &mut Vec<Figure>) {
    let waiting = u64::from(trials(50_000, 1_000_000));
    let open_for = Duration::from_secs(u64::from(trials(10, 600)));
    let (due, measured) = (waiting / 4, waiting / 40);
    let cluster = Postgres::start(&[
        ("shared_buffers", "512MB"),
        ("max_wal_size", "4GB"),
        ("checkpoint_timeout", "30min"),
    ]);
    let database = cluster.new_database();
    let store = store::open_postgres(&cluster.url(&database), options()).expect("the store opens");
    let people = runtime.block_on(populate(&store, 10));
    let to = uri("https://shop.example/callback".to_owned());
    runtime.block_on(async { pay(&store, &people, 0, &to).await });
    // The one callback that there is, many times over: a quarter of them due, the others in a day.
    cluster.sql(
        &database,
        &format!(
            "INSERT INTO delivery (id, subject, app, state, attempts, next_at, leased_until, callback) \
             SELECT (SELECT next_id FROM baton) + n, subject, app, 0, 0, CASE WHEN n <= {due} THEN 1 + n ELSE next_at + 86400000 END, 0, callback \
             FROM delivery, generate_series(1, {waiting}) AS n; \
             UPDATE baton SET next_id = next_id + {waiting} + 1;"
        ),
    );
    cluster.sql(&database, "VACUUM ANALYZE delivery");
    let open = cluster.open_transaction(&database);
    let (app, began) = (ReceiverId(people.owners[0].1.0), Instant::now());
    let (mut low, mut looked) = (UnixTime::default(), Instant::now());
    let mut work = |count: u64| {
        runtime.block_on(async {
            let mut done = 0;
            while done < count {
                // As the worker does: the bound is renewed every ten seconds.
                if looked.elapsed() > Duration::from_secs(10) {
                    (low, looked) = (UnixTime::default(), Instant::now());
                }
                let look = Look { app, low, limit: 256 };
                let due = DueOf { looks: vec![look], by: store.now(), share: Share::ALL };
                let found = store.view(due).await.expect("a look").remove(0);
                low = found.earliest.unwrap_or_default();
                let claim = Claim { deliveries: found.due, lease: Duration::from_secs(60) };
                let claimed = store.submit(claim).await.expect("claims");
                assert!(!claimed.is_empty(), "nothing is due after {done}");
                done += claimed.len() as u64;
                let mut ends = tokio::task::JoinSet::new();
                for one in claimed {
                    let store = store.clone();
                    ends.spawn(async move {
                        let result = AttemptResult::reply(CallbackKind::PaymentResult, 200, b"");
                        let (delivery, attempt, started_at) = (one.delivery, one.attempt, store.now());
                        let end = FinishAttempt { delivery, attempt, started_at, result, signed: None };
                        store.submit(end).await.expect("an end");
                    });
                }
                ends.join_all().await;
            }
        });
    };
    let rate = |work: &mut dyn FnMut(u64), count: u64| {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            work(count / ROUNDS as u64);
            rates.push((count / ROUNDS as u64) as f64 / began.elapsed().as_secs_f64());
        }
        rates
    };
    let first = rate(&mut work, measured);
    work(due - 3 * measured);
    std::thread::sleep(open_for.saturating_sub(began.elapsed()));
    let last = rate(&mut work, measured);
    eprintln!("{waiting} waiting: {first:.0?} a second at the beginning, {last:.0?} at the end");
    drop(open);
    let what = format!("callbacks claimed and acknowledged, {waiting} waiting, a transaction open");
    figures.push(Figure::of(format!("{what}: at the beginning"), "1/s", first));
    figures.push(Figure::of(format!("{what}: at the end, after {} s", open_for.as_secs()), "1/s", last));
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut figures = Vec::new();
    let only = std::env::args().find(|argument| ["claims", "drained"].contains(&argument.as_str()));
    if only.is_none() {
        first_attempts(&runtime, &mut figures);
    }
    if only.as_deref() != Some("claims") {
        drained(&runtime, &mut figures);
    }
    if only.as_deref() != Some("drained") {
        claims(&runtime, &mut figures);
    }
    match only {
        Some(_) => wallet_benches::show(&figures),
        None => report("callbacks", &figures),
    }
}
