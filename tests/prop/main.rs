//! Properties of the platform: a model against it, batches against single commands, and what always holds of money.

mod links;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_executor::block_on;
use proptest::prelude::*;
use wallet_api::fomo::{CoinId, Refusal, ServerUri, UserId};
use wallet_core::{Amount, Secret, Units, UnixTime, VerifyingKey};
use wallet_engine::{Command, Engine, Job, job};
use wallet_platform::{
    AnyRow, AppId, Authorize, Coin, ConfirmPay, CreateApp, CreateUser, Deposit, Digest, ExchangeCode, FEES,
    FindApp, ISSUER, Login, PasswordKind, PayUser, PrePay, Proof, PutCoin, Reservation, ReservePassword,
    Seed, SetFees, TransferSeq, Vault, Who,
};
use wallet_platform::{FIRST_ID, Failure, Platform};
use wallet_store::Memory;
use wallet_tests::test_vault;

const USERS: usize = 3;
const START: i128 = 1_000_000;
/// Of direction 1, in millionths.
const FEE: u32 = 12_345;
const COIN: CoinId = CoinId::new(5);

/// A platform in memory, run by hand.
struct World {
    engine: Engine<Platform, Memory<Platform>>,
    memory: Memory<Platform>,
    now: UnixTime,
    vault: Vault,
    seeds: u64,
    owner: UserId,
    app: AppId,
    users: Vec<UserId>,
    sessions: Vec<Digest>,
    tokens: Vec<Digest>,
}

impl World {
    fn new() -> Self {
        let (memory, vault) = (Memory::starting_at(FIRST_ID), test_vault());
        let mut this = Self {
            engine: memory.engine(vault.clone()),
            memory,
            now: UnixTime::from_secs(1_574_510_444),
            vault,
            seeds: 0,
            owner: UserId::new(0),
            app: AppId(0),
            users: Vec::new(),
            sessions: Vec::new(),
            tokens: Vec::new(),
        };
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
            decimals: 0,
            min_amount: text(),
            next_start: text(),
            is_active: true,
            sort_id: 0,
        };
        this.run(PutCoin(coin)).unwrap();
        let mut ids = Vec::new();
        for number in 0..=USERS {
            let secret = || Secret::new("phc".to_owned());
            let (login_name, name) = (format!("user{number}"), String::new());
            let user = CreateUser {
                login_name,
                name,
                pwd: secret(),
                wallet_pwd: Some(secret()),
                developer: number == 0,
            };
            let id = this.run(user).unwrap();
            this.run(Deposit { user: id, coin: COIN, amount: START.to_string().parse().unwrap() }).unwrap();
            ids.push(id);
        }
        this.owner = ids.remove(0);
        this.users = ids;
        let (seed, owner) = (this.seed(), this.owner);
        let app =
            CreateApp { owner, client_id: "app".into(), name: "App".into(), redirect_uri: "r".into(), seed };
        let app = this.run(app).unwrap();
        this.app = app.app;
        this.run(SetFees { app: app.app, user_to_app: FEE, app_to_user: 0 }).unwrap();
        for number in 0..USERS {
            let login_name = format!("user{}", number + 1);
            let proof = this.proof(Who::Login(login_name.clone()), PasswordKind::Login);
            let seed = this.seed();
            let session = this.run(Login { login_name, proof, seed }).unwrap().0.hash;
            let keys = this.engine.read(this.now, FindApp::new("app")).unwrap();
            let client = keys.check_secret(app.client_secret.expose()).unwrap();
            let (client_id, redirect_uri) = ("app".to_owned(), "r".to_owned());
            let (seed, state, authorized) = (this.seed(), text(), "yes".to_owned());
            let grant = Authorize {
                session,
                client_id: client_id.into(),
                redirect_uri: redirect_uri.clone().into(),
                state: state.into(),
                authorized,
                challenge: None,
                scope: String::new(),
                seed,
            };
            let code = this.run(grant).unwrap().hash;
            let seed = this.seed();
            let pair = this
                .run(ExchangeCode { client, code, redirect_uri: redirect_uri.into(), verifier: None, seed })
                .unwrap();
            this.sessions.push(session);
            this.tokens.push(this.vault.hash(pair.access.expose()));
        }
        this
    }

    /// Different each time, the same in every run.
    fn seed(&mut self) -> Seed {
        self.seeds += 1;
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.seeds.to_be_bytes());
        Seed::new(bytes)
    }

    fn run<C: Command<Platform>>(&mut self, command: C) -> Result<C::Outcome, Failure> {
        let (job, outcome) = job(command);
        let now = self.now;
        self.engine.batch(&|| now, [job]).unwrap();
        block_on(outcome).unwrap()
    }

    fn proof(&mut self, who: Who, kind: PasswordKind) -> Proof {
        match self.run(ReservePassword { who, kind }).unwrap() {
            Reservation::Challenge(challenge) => challenge.proven(),
            Reservation::Busy => panic!("nobody else is there"),
        }
    }

    /// Balances by owner, after checking what always holds.
    fn balances(&self) -> BTreeMap<UserId, i128> {
        let (mut balances, mut sums) = (BTreeMap::new(), BTreeMap::new());
        let (mut done, mut deliveries) = (Vec::new(), HashMap::new());
        for row in self.memory.rows() {
            match row {
                AnyRow::Account(account) => drop(balances.insert(account.owner, account.balance.get())),
                AnyRow::Entry(entry) => *sums.entry(entry.owner).or_insert(0) += entry.amount.get(),
                AnyRow::Transfer(transfer) if transfer.done => done.push(transfer.id),
                AnyRow::DeliveryRow(row) => *deliveries.entry(TransferSeq(row.subject)).or_insert(0) += 1,
                _ => {}
            }
        }
        assert_eq!(balances, sums, "the entries of an account are its balance");
        assert_eq!(balances.values().sum::<i128>(), 0, "the entries of a coin sum to zero");
        assert!(
            balances.iter().all(|(owner, balance)| *owner == ISSUER || *balance >= 0),
            "below zero: {balances:?}"
        );
        assert_eq!(done.len(), deliveries.len());
        assert!(done.iter().all(|id| deliveries.get(id) == Some(&1)), "each payment has its one callback");
        balances
    }
}

/// What is done to the platform.
#[derive(Debug, Clone)]
enum Op {
    PrePay { user: usize, trade: u8, amount: i128 },
    Confirm { user: usize, trade: u8 },
    Payout { user: usize, trade: u8, amount: i128 },
    Wait { seconds: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let amount = prop_oneof![Just(0_i128), 1..1000_i128, 100_000..2_000_000_i128];
    prop_oneof![
        4 => (0..USERS, any::<u8>(), amount.clone()).prop_map(|(user, trade, amount)| Op::PrePay { user, trade, amount }),
        6 => (0..USERS, any::<u8>()).prop_map(|(user, trade)| Op::Confirm { user, trade }),
        3 => (0..USERS, any::<u8>(), amount).prop_map(|(user, trade, amount)| Op::Payout { user, trade, amount }),
        1 => prop_oneof![Just(1_u64), Just(60), Just(181)].prop_map(|seconds| Op::Wait { seconds }),
    ]
}

/// The same in a few lines: what every operation must answer, and what everybody has afterwards.
struct Model {
    now: u64,
    balances: BTreeMap<usize, i128>,
    owner: i128,
    fees: i128,
    /// Direction 1 or 2, user, amount, when made, done.
    trades: HashMap<u8, (u8, usize, i128, u64, bool)>,
}

impl Model {
    fn new() -> Self {
        let balances = (0..USERS).map(|user| (user, START)).collect();
        Self { now: 0, balances, owner: START, fees: 0, trades: HashMap::new() }
    }

    fn expect(&mut self, op: &Op) -> Result<(), Refusal> {
        match *op {
            Op::Wait { seconds } => self.now += seconds,
            Op::PrePay { user, trade, amount } => {
                if amount == 0 {
                    return Err(Refusal::MissingParameter);
                }
                if self.trades.contains_key(&trade) {
                    return Err(Refusal::TradeIdTaken);
                }
                self.trades.insert(trade, (1, user, amount, self.now, false));
            }
            Op::Confirm { user, trade } => {
                let Some((direction, payer, amount, made, done)) = self.trades.get_mut(&trade) else {
                    return Err(Refusal::TransferUnknown);
                };
                if *direction == 2 || *payer != user {
                    return Err(Refusal::NoPermission);
                }
                if *done {
                    return Err(Refusal::TransferDone);
                }
                if self.now > *made + 180 {
                    return Err(Refusal::TransferExpired);
                }
                let balance = self.balances.entry(user).or_default();
                if *balance < *amount {
                    return Err(Refusal::InsufficientBalance);
                }
                let fee = (*amount * i128::from(FEE) + 999_999) / 1_000_000;
                *balance -= *amount;
                self.owner += *amount - fee;
                self.fees += fee;
                *done = true;
            }
            Op::Payout { user, trade, amount } => {
                if amount == 0 {
                    return Err(Refusal::MissingParameter);
                }
                if self.trades.contains_key(&trade) {
                    return Err(Refusal::TradeIdTaken);
                }
                if self.owner < amount {
                    return Err(Refusal::InsufficientBalance);
                }
                self.owner -= amount;
                *self.balances.entry(user).or_default() += amount;
                self.trades.insert(trade, (2, user, amount, self.now, true));
            }
        }
        Ok(())
    }
}

fn server_uri() -> ServerUri<'static> {
    ServerUri::new("http://127.0.0.1:9/").unwrap()
}

fn amount(units: i128) -> Amount<'static> {
    Units::new(units).to_amount(0).unwrap()
}

impl World {
    fn pre_pay(&self, user: usize, trade: u8, units: i128) -> PrePay {
        PrePay {
            token: self.tokens[user],
            client_id: "app".into(),
            trade_id: trade.to_string().into(),
            amount: amount(units),
            coin: COIN,
            server_uri: server_uri(),
            redirect_uri: "r".into(),
            state: String::new().into(),
        }
    }

    fn payout(&mut self, user: usize, trade: u8, units: i128) -> PayUser {
        let proof = self.proof(Who::User(self.owner), PasswordKind::Wallet);
        PayUser {
            app: self.app,
            trade_id: trade.to_string().into(),
            amount: amount(units),
            coin: COIN,
            user: self.users[user],
            server_uri: server_uri(),
            state: String::new().into(),
            proof,
        }
    }

    fn confirm(&mut self, user: usize, trade: u8, transfer: Option<TransferSeq>) -> ConfirmPay {
        let session = self.sessions[user];
        let proof = self.proof(Who::Session(session), PasswordKind::Wallet);
        ConfirmPay { session, transfer, trade_id: trade.to_string().into(), proof }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// Every answer is the model's, money is where the model has it, and what was acknowledged is there.
    #[test]
    fn the_platform_does_what_a_model_of_a_few_lines_does(ops in proptest::collection::vec(op(), 200..260)) {
        let (mut platform, mut model) = (World::new(), Model::new());
        let mut transfers: HashMap<u8, TransferSeq> = HashMap::new();
        for op in &ops {
            let expected = model.expect(op);
            let found = match *op {
                Op::Wait { seconds } => {
                    platform.now = platform.now + Duration::from_secs(seconds);
                    Ok(())
                }
                Op::PrePay { user, trade, amount } => {
                    let command = platform.pre_pay(user, trade, amount);
                    platform.run(command).map(|id| {
                        transfers.insert(trade, id);
                    })
                }
                Op::Payout { user, trade, amount } => {
                    let command = platform.payout(user, trade, amount);
                    platform.run(command).map(|transfer| {
                        transfers.insert(trade, transfer.id);
                    })
                }
                Op::Confirm { user, trade } => {
                    let command = platform.confirm(user, trade, transfers.get(&trade).copied());
                    platform.run(command).map(|_| ())
                }
            };
            let found = found.map_err(|failure| {
                failure.refused().map(|refused| wallet_platform::fomo::answer(refused.reason).id)
            });
            prop_assert_eq!(found, expected.map_err(|refusal| Some(refusal.meta().id)), "{:?}", op);
        }
        let balances = platform.balances();
        for (number, user) in platform.users.iter().enumerate() {
            prop_assert_eq!(balances[user], model.balances[&number]);
        }
        prop_assert_eq!(balances[&platform.owner], model.owner);
        prop_assert_eq!(balances.get(&FEES).copied().unwrap_or(0), model.fees);
        let done = platform.memory.rows().into_iter().filter(|row| matches!(row, AnyRow::Transfer(t) if t.done)).count();
        prop_assert_eq!(done, model.trades.values().filter(|trade| trade.4).count(), "what was acknowledged is there, once");
    }

    /// A batch gives the same rows and answers as its commands one by one, also where one depends on another: payments
    /// from accounts that others of the batch empty or fill, trade_ids and transfers that others of the batch have made.
    #[test]
    fn a_batch_is_its_commands_one_by_one(ops in proptest::collection::vec(op(), 200..220), cuts in proptest::collection::vec(1..40_usize, 30)) {
        let (mut single, mut batched) = (World::new(), World::new());
        // Numbers that the first commands of a batch will get are known ahead: a confirmation can name what its own batch makes.
        let mut made: HashMap<u8, TransferSeq> = HashMap::new();
        let mut rest = &ops[..];
        for cut in cuts {
            if rest.is_empty() {
                break;
            }
            let (batch, after) = rest.split_at(cut.min(rest.len()));
            rest = after;
            let mut one_by_one = Vec::new();
            let mut jobs: Vec<Box<dyn Job<Platform>>> = Vec::new();
            let mut waiting: Vec<Box<dyn FnOnce() -> String>> = Vec::new();
            for op in batch {
                // Proofs are made on both platforms before the batch, so that their rows stay the same.
                match *op {
                    Op::Wait { .. } => {}
                    Op::PrePay { user, trade, amount } => {
                        let answer = single.run(single.pre_pay(user, trade, amount));
                        if let Ok(id) = &answer {
                            made.insert(trade, *id);
                        }
                        one_by_one.push(format!("{answer:?}"));
                        let (task, answer) = job(batched.pre_pay(user, trade, amount));
                        jobs.push(task);
                        waiting.push(Box::new(move || format!("{:?}", block_on(answer).unwrap())));
                    }
                    Op::Payout { user, trade, amount } => {
                        let state = wallet_platform::PasswordState { user: single.owner, version: 1 };
                        let proof = Proof::remembered(&state, PasswordKind::Wallet);
                        let make = |platform: &World| PayUser {
                            app: platform.app, trade_id: trade.to_string().into(), amount: self::amount(amount), coin: COIN,
                            user: platform.users[user], server_uri: server_uri(), state: String::new().into(), proof,
                        };
                        let command = make(&single);
                        one_by_one.push(format!("{:?}", single.run(command)));
                        let (task, answer) = job(make(&batched));
                        jobs.push(task);
                        waiting.push(Box::new(move || format!("{:?}", block_on(answer).unwrap())));
                    }
                    Op::Confirm { user, trade } => {
                        let state = wallet_platform::PasswordState { user: single.users[user], version: 1 };
                        let proof = Proof::remembered(&state, PasswordKind::Wallet);
                        let transfer = made.get(&trade).copied();
                        let make = |session| ConfirmPay { session, transfer, trade_id: trade.to_string().into(), proof };
                        let command = make(single.sessions[user]);
                        one_by_one.push(format!("{:?}", single.run(command).map(|done| done.0)));
                        let (task, answer) = job(make(batched.sessions[user]));
                        jobs.push(task);
                        waiting.push(Box::new(move || format!("{:?}", block_on(answer).unwrap().map(|done| done.0))));
                    }
                }
            }
            let now = batched.now;
            batched.engine.batch(&|| now, jobs).unwrap();
            let together: Vec<String> = waiting.into_iter().map(|answer| answer()).collect();
            prop_assert_eq!(together, one_by_one);
        }
        let rows = |platform: &World| -> HashMap<_, _> {
            platform.memory.rows().into_iter().map(|row| (<Platform as wallet_engine::Schema>::key(&row), row)).collect()
        };
        prop_assert_eq!(rows(&single), rows(&batched));
        single.balances();
    }

    /// A transfer id is a permutation of the row's number: back and forth, within 62 bits, none twice.
    #[test]
    fn r30_transfer_ids_are_a_permutation(seq in 0..(1_u64 << 62), other in 0..(1_u64 << 62)) {
        let vault = test_vault();
        let id = vault.transfer_id(TransferSeq(seq));
        prop_assert!(id.get() < 1 << 62);
        prop_assert_eq!(vault.transfer_seq(id), Some(TransferSeq(seq)));
        prop_assert_eq!(vault.transfer_id(TransferSeq(other)) == id, other == seq);
    }

    /// Any text survives form, JSON and multipart out and in.
    #[test]
    fn any_values_survive_encoding_and_decoding(state in "\\PC{1,200}", trade in "\\PC{1,64}", redirect in "[ -~]{1,60}") {
        use wallet_api::fomo::{AnyRequest, pre_pay};
        use wallet_core::{BodyFormat, EncodeCx, OutgoingRequest, Signer};
        let crypto = wallet_crypto::Portable::new();
        let now = UnixTime::from_secs(1_574_510_444);
        let request = pre_pay::Request::new(trade.as_str().into(), "1.50".parse().unwrap(), COIN, "app".into(), server_uri(), redirect.as_str().into(), state.as_str().into());
        for format in [BodyFormat::Form, BodyFormat::Json, BodyFormat::Multipart] {
            let signer = Some(Signer::secret(&crypto, "secret", now));
            let cx = EncodeCx { base_url: "http://x/fomo/", format, bearer: Some("t"), signer };
            let http = request.encode(&cx).unwrap();
            let Ok(AnyRequest::PrePay(bearer)) = AnyRequest::decode(&http) else { panic!("{http:?}") };
            prop_assert_eq!(bearer.inner.verify([VerifyingKey::Secret(&crypto, "secret")], now).unwrap(), request.clone());
        }
    }

    /// Whatever bytes come, decoding ends with a value or a fault, and a form survives being decoded and encoded.
    #[test]
    fn decoding_never_panics(body in proptest::collection::vec(any::<u8>(), 0..300), kind in 0..3_usize, path in 0..18_usize) {
        use wallet_api::fomo::{AnyRequest, Fomo};
        use wallet_core::Platform as _;
        let kind = ["application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=b"][kind];
        let endpoint = Fomo::META.endpoints[path];
        let request = http::Request::post(format!("/fomo/{}", endpoint.path)).header("content-type", kind)
            .header("authorization", "Bearer t").body(body).unwrap();
        let _ = AnyRequest::decode(&request);
    }
}
