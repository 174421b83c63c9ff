//! People who pay each other, for the benchmarks of the stores.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use wallet_api::fomo::{CoinId, ServerUri, UserId};
use wallet_core::Secret;
use wallet_platform::{
    AppId, Coin, CreateApp, CreateUser, Deposit, FindApp, PasswordKind, PasswordState, PayUser, Proof,
    PutCoin,
};
use wallet_server::store::Store;

/// The coin that they pay in.
pub const COIN: CoinId = CoinId::new(5);

/// How many people are made at once: fewer than a store's queue holds.
const AT_ONCE: usize = 1_000;

/// Everybody owns an app, so that anybody's account may pay.
#[derive(Clone)]
pub struct People {
    /// Each with its app.
    pub owners: Arc<Vec<(UserId, AppId)>>,
    /// Where callbacks go.
    pub server_uri: ServerUri<'static>,
}

/// A generator of numbers that need only look random.
pub struct Random(pub u64);

impl Random {
    /// A number below an end.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

/// Makes so many people, each with an app and much money.
pub async fn populate(store: &Store, count: usize) -> People {
    let text = String::new;
    let coin = Coin {
        id: COIN,
        chain_id: text(),
        coin_type: text(),
        price: text(),
        name: "usdt".into(),
        description: text(),
        explorer: text(),
        contract: text(),
        decimals: 6,
        min_amount: text(),
        next_start: text(),
        is_active: true,
        sort_id: 0,
    };
    store.submit(PutCoin(coin)).await.expect("a coin");
    let (mut tasks, mut owners) = (tokio::task::JoinSet::new(), Vec::new());
    for number in 0..count {
        let store = store.clone();
        if tasks.len() == AT_ONCE {
            owners.extend(tasks.join_next().await.expect("a task"));
        }
        tasks.spawn(async move {
            let phc =
                || Secret::new("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b".to_owned());
            let login_name = format!("user{number}");
            let user = CreateUser {
                name: login_name.clone(),
                login_name,
                pwd: phc(),
                wallet_pwd: Some(phc()),
                developer: true,
            };
            let owner = store.submit(user).await.expect("a user");
            store
                .submit(Deposit { user: owner, coin: COIN, amount: "1000000000".parse().expect("an amount") })
                .await
                .expect("money");
            let (client_id, name, seed) = (format!("app{number}"), "App".to_owned(), store.vault().seed());
            let app = CreateApp {
                owner,
                client_id: client_id.into(),
                name,
                redirect_uri: "shop.example/back".into(),
                seed,
            };
            (number, owner, store.submit(app).await.expect("an app").app)
        });
    }
    owners.extend(tasks.join_all().await);
    owners.sort_by_key(|(number, ..)| *number);
    let owners = Arc::new(owners.into_iter().map(|(_, owner, app)| (owner, app)).collect());
    People { owners, server_uri: ServerUri::new("https://shop.example/fomo/callback").expect("an address") }
}

/// The people of a store that has some.
pub async fn people_of(store: &Store, count: usize) -> People {
    let mut owners = Vec::new();
    for number in 0..count {
        let keys = store.view(FindApp::new(&format!("app{number}"))).await.expect("an app");
        owners.push((keys.app.owner, keys.app.id));
    }
    People {
        owners: Arc::new(owners),
        server_uri: ServerUri::new("https://shop.example/fomo/callback").expect("an address"),
    }
}

/// Payer and payee of a transfer.
pub fn pair(random: &mut Random, people: usize, hot: bool) -> (usize, usize) {
    let payer = if hot { 0 } else { random.below(people) };
    (payer, (payer + 1 + random.below(people - 1)) % people)
}

/// Every trade_id is used once in a process.
static TRADES: AtomicU64 = AtomicU64::new(0);

/// A new trade_id.
pub fn trade_id() -> String {
    format!("order-{:012}", TRADES.fetch_add(1, Ordering::Relaxed))
}

/// Makes transfers by so many submitters at once.
pub async fn through_the_store(
    store: &Store,
    people: &People,
    submitters: usize,
    transfers: usize,
    hot: bool,
) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..submitters {
        let (store, people) = (store.clone(), people.clone());
        let mine = transfers / submitters + usize::from(number < transfers % submitters);
        tasks.spawn(async move {
            let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1) << 20);
            for _ in 0..mine {
                let (payer, payee) = pair(&mut random, people.owners.len(), hot);
                let (owner, app) = people.owners[payer];
                let command = PayUser {
                    app,
                    trade_id: trade_id().into(),
                    amount: "0.000001".parse().expect("an amount"),
                    coin: COIN,
                    user: people.owners[payee].0,
                    server_uri: people.server_uri.clone(),
                    state: "s".into(),
                    proof: Proof::remembered(
                        &PasswordState { user: owner, version: 1 },
                        PasswordKind::Wallet,
                    ),
                };
                store.submit(command).await.expect("paid");
            }
        });
    }
    tasks.join_all().await;
}

/// Transfers a second.
pub fn per_second(transfers: usize, run: impl FnOnce()) -> f64 {
    let began = Instant::now();
    run();
    transfers as f64 / began.elapsed().as_secs_f64()
}
