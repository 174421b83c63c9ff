//! The same commands in the same batches on memory, SQLite and PostgreSQL: the same outcomes, and the same rows at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use wallet_api::fomo::{CoinId, ServerUri, UserId};
use wallet_core::Secret;
use wallet_engine::{Backend, Command, Engine, Job, ListOf, Query, Scan, Schema as _, job};
use wallet_platform::{
    AppId, AttemptResult, Authorize, CallbackKind, Challenge, Claim, Claimed, Coin, ConfirmPay, CreateApp,
    CreateUser, Deposit, Digest, DueDeliveries, EnrolDeveloper, ExchangeCode, FIRST_ID, FindApp,
    FinishAttempt, Login, Over, PasswordKind, PasswordState, PayUser, Platform, PrePay, Proof, PutCoin,
    Reservation, ReservePassword, Seed, SetFees, TransferSeq, Who, check,
};
use wallet_store::{Clock as _, Database, Memory, Shared, WALLOP};
use wallet_tests::{ManualClock, Postgres, test_vault, trials};

const COIN: CoinId = CoinId::new(5);
const USERS: usize = 20;

/// A generator of numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

/// Takes what an outcome tells, and returns its line.
type After = Box<dyn FnOnce(&mut Known) -> String>;

/// One store, and what is known of it from the outcomes so far.
struct Play<'e, B> {
    engine: &'e mut Engine<Platform, B>,
    clock: &'e ManualClock,
    seeds: u64,
    secret: Option<Secret<String>>,
    /// A line for each outcome.
    outcomes: Vec<String>,
    batch: Vec<Box<dyn Job<Platform>>>,
    /// What to do with the outcomes of the batch.
    after: Vec<After>,
    known: Known,
}

#[derive(Default)]
struct Known {
    owner: Option<UserId>,
    app: Option<AppId>,
    users: Vec<UserId>,
    sessions: Vec<Digest>,
    tokens: Vec<Digest>,
    transfers: BTreeMap<usize, TransferSeq>,
    /// Trades that wait for a user's confirmation, and the user.
    waiting: Vec<(usize, usize)>,
    challenges: Vec<Challenge>,
    claimed: Vec<Claimed>,
}

impl<B: Backend<Platform>> Play<'_, B> {
    fn seed(&mut self) -> Seed {
        self.seeds += 1;
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&self.seeds.to_be_bytes());
        Seed::new(bytes)
    }

    /// Adds a command to the batch; `keep` takes what its outcome tells.
    fn add<C: Command<Platform>>(&mut self, command: C, keep: impl FnOnce(&mut Known, C::Outcome) + 'static)
    where
        C::Outcome: std::fmt::Debug,
    {
        let (job, mut outcome) = job(command);
        self.batch.push(job);
        self.after.push(Box::new(move |known| {
            let outcome = outcome.take().expect("each command is answered");
            let line = format!("{outcome:?}");
            if let Ok(outcome) = outcome {
                keep(known, outcome);
            }
            line
        }));
    }

    fn run(&mut self) {
        let (clock, batch) = (self.clock, std::mem::take(&mut self.batch));
        self.engine.batch(&|| clock.now(), batch).unwrap();
        for after in std::mem::take(&mut self.after) {
            self.outcomes.push(after(&mut self.known));
        }
    }

    /// A command in a batch of its own.
    fn alone<C: Command<Platform>>(&mut self, command: C) -> C::Outcome {
        let (job, mut outcome) = job(command);
        self.engine.batch(&|| self.clock.now(), [job]).unwrap();
        outcome.take().unwrap().unwrap()
    }

    fn read<Q: Query<Platform>>(&mut self, query: Q) -> Q::Answer {
        self.engine.read(self.clock.now(), query).unwrap()
    }

    fn people(&mut self) {
        let text = String::new;
        let coin = Coin {
            id: COIN,
            chain_id: text(),
            coin_type: text(),
            price: text(),
            name: text(),
            description: text(),
            explorer: text(),
            contract: text(),
            decimals: 2,
            min_amount: text(),
            next_start: text(),
            is_active: true,
            sort_id: 0,
        };
        self.add(PutCoin(coin), |_, ()| {});
        for number in 0..=USERS {
            let phc = || Secret::new("phc".to_owned());
            let (login_name, name) = (format!("user{number}"), format!("用户 {number}"));
            let (pwd, wallet_pwd) = (phc(), Some(phc()));
            let user = CreateUser { login_name, name, pwd, wallet_pwd, developer: false };
            self.add(user, move |known, id| match number {
                0 => known.owner = Some(id),
                _ => known.users.push(id),
            });
        }
        self.run();
        let owner = self.known.owner.unwrap();
        for user in self.known.users.clone().into_iter().chain([owner]) {
            self.add(Deposit { user, coin: COIN, amount: "1000".parse().unwrap() }, |_, _| {});
        }
        self.add(EnrolDeveloper(owner), |_, _| {});
        self.run();
        let seed = self.seed();
        let app = CreateApp {
            owner,
            client_id: "shop".into(),
            name: "Shop".into(),
            redirect_uri: "r".into(),
            seed,
        };
        let created = self.alone(app);
        self.known.app = Some(created.app);
        self.add(SetFees { app: created.app, user_to_app: 12_345, app_to_user: 0 }, |_, _| {});
        self.run();
        self.secret = Some(created.client_secret);
    }

    /// New sessions and tokens for all, after an hour in which the old ones and all locks have ended.
    fn sign_in(&mut self) {
        self.clock.advance(Duration::from_secs(3_600));
        self.known.sessions.clear();
        self.known.tokens.clear();
        for number in 0..USERS {
            let (user, login_name) = (self.known.users[number], format!("user{}", number + 1));
            let proof = self.proof(user, PasswordKind::Login);
            let seed = self.seed();
            let session = self.alone(Login { login_name, proof, seed }).0.hash;
            let seed = self.seed();
            let grant = Authorize {
                session,
                client_id: "shop".into(),
                redirect_uri: "r".into(),
                state: "s".into(),
                authorized: "yes".into(),
                challenge: None,
                scope: String::new(),
                seed,
            };
            let code = self.alone(grant).hash;
            let client =
                self.read(FindApp::new("shop")).check_secret(self.secret.as_ref().unwrap().expose()).unwrap();
            let seed = self.seed();
            let exchange = ExchangeCode { client, code, redirect_uri: "r".into(), verifier: None, seed };
            let pair = self.alone(exchange);
            self.known.sessions.push(session);
            self.known.tokens.push(self.engine.vault().hash(pair.access.expose()));
        }
    }

    fn proof(&self, user: UserId, kind: PasswordKind) -> Proof {
        Proof::remembered(&PasswordState { user, version: 1 }, kind)
    }

    /// One command of the play.
    fn next(&mut self, numbers: &mut Numbers, trades: usize) {
        let (who, trade) = (numbers.below(USERS), numbers.below(trades));
        let trade_id = format!("trade-{trade}");
        let amount = ["0", "0.01", "1.5", "0.2", "999999"][numbers.below(5)].parse().unwrap();
        let server_uri = || ServerUri::new("https://shop.example/paid").unwrap();
        match numbers.below(100) {
            0..30 => {
                let pay = PrePay {
                    token: self.known.tokens[who],
                    client_id: "shop".into(),
                    trade_id: trade_id.into(),
                    amount,
                    coin: COIN,
                    server_uri: server_uri(),
                    redirect_uri: "r".into(),
                    state: "状态".into(),
                };
                self.add(pay, move |known, id| {
                    known.transfers.insert(trade, id);
                    known.waiting.push((trade, who));
                });
            }
            30..60 => {
                // Most confirm what waits for them; the others what does not, or is not theirs.
                let waiting = if numbers.below(4) > 0 { self.known.waiting.pop() } else { None };
                let (trade, who) = waiting.unwrap_or((trade, who));
                let trade_id = format!("trade-{trade}");
                let proof = self.proof(self.known.users[who], PasswordKind::Wallet);
                let (session, transfer) =
                    (self.known.sessions[who], self.known.transfers.get(&trade).copied());
                self.add(ConfirmPay { session, transfer, trade_id: trade_id.into(), proof }, |_, _| {});
            }
            60..68 => {
                let (app, user) = (self.known.app.unwrap(), self.known.users[who]);
                let proof = self.proof(self.known.owner.unwrap(), PasswordKind::Wallet);
                let (trade_id, server_uri, state) = (trade_id.into(), server_uri(), "s".into());
                let pay = PayUser { app, trade_id, amount, coin: COIN, user, server_uri, state, proof };
                self.add(pay, move |known, transfer| {
                    known.transfers.insert(trade, transfer.id);
                });
            }
            68..72 => {
                let user = self.known.users[who];
                self.add(Deposit { user, coin: COIN, amount: "3.21".parse().unwrap() }, |_, _| {});
            }
            72 => {
                let by = self.clock.now();
                let due = self.read(DueDeliveries { by, limit: 64 });
                let deliveries = due.into_iter().map(|(id, _)| id).collect();
                let claim = Claim { deliveries, lease: Duration::from_secs(60) };
                self.add(claim, |known, claimed| known.claimed.extend(claimed));
            }
            73..88 => {
                let Some(claimed) = self.known.claimed.pop() else { return };
                let result = match numbers.below(4) {
                    0 => AttemptResult::Timeout,
                    1 => AttemptResult::Failed("refused".to_owned()),
                    2 => AttemptResult::reply(CallbackKind::PaymentResult, 500, b""),
                    _ => AttemptResult::reply(CallbackKind::PaymentResult, 200, b""),
                };
                let (delivery, attempt) = (claimed.delivery, claimed.attempt);
                let started_at = self.clock.now();
                self.add(FinishAttempt { delivery, attempt, started_at, result, signed: None }, |_, _| {});
            }
            88..92 => {
                let who = Who::Login(format!("user{}", numbers.below(USERS + 4)));
                self.add(ReservePassword { who, kind: PasswordKind::Login }, |known, reservation| {
                    if let Reservation::Challenge(challenge) = reservation {
                        known.challenges.push(challenge);
                    }
                });
            }
            92..95 => {
                if let Some(challenge) = self.known.challenges.pop() {
                    let (job, mut outcome) = job(challenge.failed());
                    self.batch.push(job);
                    self.after.push(Box::new(move |_| format!("{:?}", outcome.take().unwrap().err())));
                }
            }
            95..97 => {
                let name = format!("new{}", numbers.below(500));
                let pwd = Secret::new("phc".to_owned());
                let user =
                    CreateUser { login_name: name.clone(), name, pwd, wallet_pwd: None, developer: false };
                self.add(user, |_, _| {});
            }
            97..99 => self
                .clock
                .advance(Duration::from_millis([1, 1, 100, 100, 900, 900, 900, 181_000][numbers.below(8)])),
            _ if numbers.below(10) == 0 => {
                let over = self.read(Over { limit: 256 });
                self.add(over, |_, _| {});
            }
            _ => {}
        }
    }
}

/// Plays so many commands on an engine: the outcomes, and every row at the end.
fn play<B: Scan<Platform>>(
    engine: &mut Engine<Platform, B>,
    clock: &ManualClock,
    count: usize,
) -> (Vec<String>, Vec<String>) {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (outcomes, batch, after) = (Vec::new(), Vec::new(), Vec::new());
    let mut play =
        Play { engine, clock, seeds: 0, secret: None, outcomes, batch, after, known: Known::default() };
    play.people();
    let (mut left, mut signed_in) = (count, usize::MAX);
    while left > 0 {
        if signed_in - left > 2_000 {
            play.sign_in();
            signed_in = left;
        }
        let size = (1 + numbers.below(64)).min(left);
        for _ in 0..size {
            play.next(&mut numbers, 1 + count / 3);
        }
        left -= size;
        play.run();
    }
    let outcomes = play.outcomes;
    let mut rows = Vec::new();
    engine.backend().begin(&[]).unwrap();
    for table in 0..Platform::TABLES.len() {
        let list = ListOf { table, conditions: Vec::new(), order: Vec::new(), limit: None };
        rows.extend(engine.backend().list(&list).unwrap().iter().map(|row| format!("{row:?}")));
    }
    engine.backend().rollback();
    rows.sort_unstable();
    let checked = check(engine, |_, _| {}).unwrap();
    assert_eq!((checked.rows, checked.damaged), (rows.len() as u64, Vec::new()));
    (outcomes, rows)
}

#[test]
fn the_same_commands_have_the_same_outcomes_on_each_store() {
    let count = trials(100_000, 1_000_000) as usize;
    let (memory, clock) = (Memory::<Platform>::starting_at(FIRST_ID), ManualClock::new());
    let (outcomes, rows) = play(&mut memory.engine(test_vault()), &clock, count);
    let of_kind = |text: &str| outcomes.iter().filter(|outcome| outcome.contains(text)).count();
    let kinds = [
        "Ok(ConfirmedPay",
        "InsufficientBalance",
        "trade_id_taken",
        "transfer_expired",
        "Ok([Claimed",
        "Acknowledged",
    ];
    let counts = kinds.map(of_kind);
    println!(
        "{} outcomes, {} refusals, {} rows; {kinds:?}: {counts:?}",
        outcomes.len(),
        of_kind("Refused"),
        rows.len()
    );
    assert!(counts.iter().all(|found| *found > count / 2_000), "each kind often: {counts:?}");
    let same = |name: &str, found: (Vec<String>, Vec<String>)| {
        let differs = outcomes.iter().zip(&found.0).position(|(a, b)| a != b);
        assert_eq!(differs.map(|at| (at, &outcomes[at], &found.0[at])), None, "{name}");
        assert_eq!((outcomes.len(), rows.len()), (found.0.len(), found.1.len()), "{name}");
        let differs = rows.iter().zip(&found.1).find(|(a, b)| a != b);
        assert_eq!(differs, None, "{name}");
    };
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let mut sqlite = Database::<Platform>::open(&directory.path().join("db"), WALLOP).unwrap();
    same("SQLite", play(&mut sqlite.engine(test_vault()).unwrap(), &clock, count));
    let (cluster, clock) = (Postgres::of_the_tests(), ManualClock::new());
    let url = cluster.url(&cluster.new_database());
    let mut postgres = Shared::<Platform>::open_at(&url, WALLOP, clock.clone()).unwrap();
    same("PostgreSQL", play(&mut postgres.engine(test_vault()).unwrap(), &clock, count));
}
