//! Stores under a clock that is moved by hand.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use wallet_api::fomo::{CoinId, ServerUri, UserId};
use wallet_core::{Secret, UnixTime};
use wallet_crypto::{PasswordCost, Passwords, Portable};
use wallet_platform::{
    Authorize, Coin, ConfirmPay, CreateApp, CreateUser, CreatedApp, Deposit, Digest, EnrolDeveloper,
    ExchangeCode, Failure, FindApp, Login, PasswordKind, PrePay, Proof, PutCoin, Reservation,
    ReservePassword, TokenPair, TransferSeq, Vault, Who,
};
use wallet_server::store::{self, Options, Store};
use wallet_server::{Addresses, EmbeddedChain, PROTOCOLS, Retention, Settings, Silent};
use wallet_store::Clock;

use crate::{Database, Postgres};

/// A clock that is moved by hand.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock at a usual time.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_574_510_444_000)))
    }

    /// Moves it.
    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(span.as_millis() as i64, Ordering::SeqCst);
    }

    /// Sets it.
    pub fn set(&self, at: UnixTime) {
        self.0.store(at.millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Options with a known master key.
pub fn options(clock: Arc<dyn Clock>) -> Options {
    Options::new(clock, Arc::new(Portable::new()), Secret::new([7; 32]))
}

/// A vault with known keys.
pub fn test_vault() -> Vault {
    Vault::new(Arc::new(Portable::new()), &Secret::new([7; 32]), [9; 32])
}

/// Passwords whose hashing costs next to nothing.
pub fn fast_passwords() -> Passwords {
    Passwords::new(PasswordCost { memory_kib: 8, passes: 1 })
}

/// A store with an owner, an app, users with money and sessions.
pub struct TestStore {
    /// The store.
    pub store: Store,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// The app.
    pub app: Arc<CreatedApp>,
    /// Its owner.
    pub owner: UserId,
    /// Users with their sessions.
    pub users: Vec<(UserId, Digest)>,
    /// Where callbacks go.
    pub server_uri: String,
    /// Its rows.
    pub database: Database,
    /// The directory of its file, removed with it.
    _directory: Option<TempDir>,
}

/// The settings of a server on a store: the embedded chain, callbacks to this machine too, cheap passwords, every protocol.
pub fn settings(store: &Store) -> Settings {
    Settings {
        callback_addresses: Addresses::PublicAndLoopback,
        callback_places: Default::default(),
        pre_pays_per_second: None,
        retention: Retention::default(),
        hashes: Default::default(),
        callback_clock: None,
        observer: None,
        password_cost: PasswordCost { memory_kib: 8, passes: 1 },
        notifier: Arc::new(Silent),
        chain: Arc::new(EmbeddedChain(store.clone())),
        confirmations: 1,
        pages: Default::default(),
        protocols: PROTOCOLS.to_vec(),
        public_url: "http://127.0.0.1".to_owned(),
    }
}

/// The app's redirect_uri.
pub const REDIRECT: &str = "shop.example/back";

impl TestStore {
    /// On SQLite at `path`, with so many users of 1,000,000 usdt each.
    pub async fn sqlite(path: &Path, users: usize) -> Self {
        let clock = ManualClock::new();
        let store = store::open(path, options(clock.clone())).unwrap();
        Self { database: Database::Sqlite(path.to_owned()), ..Self::fill(store, clock, users).await }
    }

    /// On a new database of the tests' PostgreSQL.
    pub async fn postgres(users: usize) -> Self {
        let (cluster, clock) = (Postgres::of_the_tests(), ManualClock::new());
        let name = cluster.new_database();
        let store = store::open_postgres_at(&cluster.url(&name), options(clock.clone())).unwrap();
        let database = Database::Postgres(name);
        Self { database, ..Self::fill(store, clock, users).await }
    }

    /// The same world through another process' store, which reaches its database at this URL.
    pub fn at(&self, url: &str) -> Self {
        let store = store::open_postgres_at(url, options(self.clock.clone())).unwrap();
        Self { database: self.database.clone(), ..self.in_store(store) }
    }

    /// The same world in another store, which has its rows.
    pub fn in_store(&self, store: Store) -> Self {
        let (clock, app, users) = (self.clock.clone(), self.app.clone(), self.users.clone());
        Self {
            store,
            clock,
            app,
            owner: self.owner,
            users,
            server_uri: self.server_uri.clone(),
            database: Database::Memory,
            _directory: None,
        }
    }

    /// On SQLite in a directory of its own, and on PostgreSQL.
    pub async fn on_disk(users: usize) -> [Self; 2] {
        let directory = tempfile::tempdir().unwrap();
        let sqlite = Self::sqlite(&directory.path().join("db"), users).await;
        [Self { _directory: Some(directory), ..sqlite }, Self::postgres(users).await]
    }

    /// On each store.
    pub async fn everywhere(users: usize) -> [Self; 3] {
        let [sqlite, postgres] = Self::on_disk(users).await;
        [Self::memory(users).await, sqlite, postgres]
    }

    /// In memory.
    pub async fn memory(users: usize) -> Self {
        let clock = ManualClock::new();
        Self::fill(store::open_memory(options(clock.clone())).unwrap().0, clock, users).await
    }

    /// In a new store.
    pub async fn on(store: Store, clock: Arc<ManualClock>, users: usize) -> Self {
        Self::fill(store, clock, users).await
    }

    async fn fill(store: Store, clock: Arc<ManualClock>, count: usize) -> Self {
        let coin = Coin {
            id: CoinId::new(5),
            chain_id: "3".into(),
            coin_type: "0".into(),
            price: "1".into(),
            name: "usdt".into(),
            description: String::new(),
            explorer: String::new(),
            contract: String::new(),
            decimals: 6,
            min_amount: "1".into(),
            next_start: "0".into(),
            is_active: true,
            sort_id: 0,
        };
        store.submit(PutCoin(coin)).await.unwrap();
        let phc = Secret::new(fast_passwords().hash(&Portable::new(), "secret").unwrap());
        let mut ids = Vec::new();
        for number in 0..=count {
            let user = CreateUser {
                login_name: format!("user{number}"),
                name: format!("User {number}"),
                pwd: phc.clone(),
                wallet_pwd: Some(phc.clone()),
                developer: false,
            };
            let id = store.submit(user).await.unwrap();
            let amount = "1000000".parse().unwrap();
            store.submit(Deposit { user: id, coin: CoinId::new(5), amount }).await.unwrap();
            ids.push(id);
        }
        let owner = ids.remove(0);
        store.submit(EnrolDeveloper(owner)).await.unwrap();
        let seed = store.vault().seed();
        let (client_id, name, redirect_uri) = ("shop".to_owned(), "Shop".to_owned(), REDIRECT.to_owned());
        let app = store
            .submit(CreateApp {
                owner,
                client_id: client_id.into(),
                name,
                redirect_uri: redirect_uri.into(),
                seed,
            })
            .await
            .unwrap();
        let (database, users) = (Database::Memory, Vec::new());
        let server_uri = "http://127.0.0.1:9/callback".to_owned();
        let app = Arc::new(app);
        let mut this = Self { store, clock, app, owner, users, server_uri, database, _directory: None };
        for (number, id) in ids.into_iter().enumerate() {
            let login_name = format!("user{}", number + 1);
            let proof = this.proof(Who::Login(login_name.clone()), PasswordKind::Login).await;
            let seed = this.store.vault().seed();
            let (session, _) = this.store.submit(Login { login_name, proof, seed }).await.unwrap();
            this.users.push((id, session.hash));
        }
        this
    }

    /// A proof of a password that is taken as right.
    pub async fn proof(&self, who: Who, kind: PasswordKind) -> Proof {
        loop {
            match self.store.submit(ReservePassword { who: who.clone(), kind }).await.unwrap() {
                Reservation::Challenge(challenge) => return challenge.proven(),
                Reservation::Busy => tokio::task::yield_now().await,
            }
        }
    }

    /// A fresh code that a user granted.
    pub async fn code(&self, user: usize) -> Result<Digest, Failure> {
        let command = Authorize {
            session: self.users[user].1,
            client_id: "shop".into(),
            redirect_uri: REDIRECT.into(),
            state: "s".into(),
            authorized: "yes".into(),
            challenge: None,
            scope: String::new(),
            seed: self.store.vault().seed(),
        };
        self.store.submit(command).await.map(|code| code.hash)
    }

    /// The exchange of a code.
    pub async fn exchange(&self, code: Digest) -> ExchangeCode {
        let keys = self.store.view(FindApp::new("shop")).await.unwrap();
        let client = keys.check_secret(self.app.client_secret.expose()).unwrap();
        let seed = self.store.vault().seed();
        ExchangeCode { client, code, redirect_uri: REDIRECT.into(), verifier: None, seed }
    }

    /// Fresh tokens of a user.
    pub async fn tokens(&self, user: usize) -> TokenPair {
        let code = self.code(user).await.unwrap();
        self.store.submit(self.exchange(code).await).await.unwrap()
    }

    /// A payment that a token asks for.
    pub fn pre_pay(&self, tokens: &TokenPair, trade_id: &str, amount: &str) -> PrePay {
        PrePay {
            token: self.store.vault().hash(tokens.access.expose()),
            client_id: "shop".into(),
            trade_id: trade_id.to_owned().into(),
            amount: amount.parse().unwrap(),
            coin: CoinId::new(5),
            server_uri: ServerUri::new(self.server_uri.clone()).unwrap(),
            redirect_uri: REDIRECT.into(),
            state: "s".into(),
        }
    }

    /// A payment of 1 usdt by the first user, from its request to its confirmation.
    ///
    /// # Errors
    /// The first failure.
    pub async fn pay(&self, tokens: &TokenPair, trade_id: &str) -> Result<(), Failure> {
        self.pay_as(0, tokens, trade_id).await
    }

    /// The same by another user, whose tokens these are.
    ///
    /// # Errors
    /// The first failure.
    pub async fn pay_as(&self, user: usize, tokens: &TokenPair, trade_id: &str) -> Result<(), Failure> {
        let session = self.users[user].1;
        let transfer = Some(self.store.submit(self.pre_pay(tokens, trade_id, "1")).await?);
        let proof = loop {
            let who = Who::Session(session);
            match self.store.submit(ReservePassword { who, kind: PasswordKind::Wallet }).await? {
                Reservation::Challenge(challenge) => break challenge.proven(),
                Reservation::Busy => tokio::task::yield_now().await,
            }
        };
        let confirm = ConfirmPay { session, transfer, trade_id: trade_id.to_owned().into(), proof };
        self.store.submit(confirm).await.map(|_| ())
    }

    /// A payment that waits for its user.
    pub async fn waiting(&self, tokens: &TokenPair, trade_id: &str, amount: &str) -> TransferSeq {
        self.store.submit(self.pre_pay(tokens, trade_id, amount)).await.unwrap()
    }
}
