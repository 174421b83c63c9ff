//! One node of the tests of faults: a process that pays what it reads and delivers callbacks, until it is killed.
//!
//! `NODE_KEY`, `NODE_PREVIOUS` and `NODE_NEXT` are bytes: master keys of 32 of them. Each line of its input is a trade_id; it prints `ok`, `unknown` or `refused`, and the trade_id, when the payment has ended.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;

use wallet_api::fomo::{CoinId, ServerUri, UserId};
use wallet_core::Secret;
use wallet_crypto::Portable;
use wallet_platform::{AppId, Failure, PasswordKind, PasswordState, PayUser, Proof};
use wallet_server::Server;
use wallet_server::store::{self, Options};
use wallet_store::SystemClock;
use wallet_tests::settings;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is missing: the tests start this program"))
}

fn number(name: &str) -> u64 {
    variable(name).parse().expect("a number")
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let key = |name: &str| {
        let byte = std::env::var(name).ok()?.parse().expect("a byte");
        Some(Secret::new([byte; 32]))
    };
    let current = key("NODE_KEY").unwrap_or(Secret::new([7; 32]));
    let mut options = Options::new(Arc::new(SystemClock), Arc::new(Portable::new()), current);
    (options.master.previous, options.master.next) = (key("NODE_PREVIOUS"), key("NODE_NEXT"));
    let store = store::open_postgres(&variable("NODE_DATABASE"), options).expect("the store opens");
    let (app, owner, user) = (AppId(number("NODE_APP")), number("NODE_OWNER"), number("NODE_USER"));
    let server_uri = ServerUri::new(variable("NODE_SERVER_URI")).expect("an address");
    let server = Server::new(store.clone(), settings(&store));
    runtime.spawn(server.work(std::future::pending()));
    for trade in std::io::stdin().lock().lines() {
        let trade = trade.expect("a line");
        let pay = PayUser {
            app,
            trade_id: trade.clone().into(),
            amount: "0.01".parse().expect("an amount"),
            coin: CoinId::new(5),
            user: UserId::new(user),
            server_uri: server_uri.clone(),
            state: "s".into(),
            proof: Proof::remembered(
                &PasswordState { user: UserId::new(owner), version: 1 },
                PasswordKind::Wallet,
            ),
        };
        let store = store.clone();
        runtime.spawn(async move {
            let outcome = match store.submit(pay).await {
                Ok(_) => "ok",
                Err(Failure::Store(error)) if error.is_temporary() => "unknown",
                Err(_) => "refused",
            };
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{outcome} {trade}").and_then(|()| out.flush());
        });
    }
    runtime.block_on(std::future::pending::<()>()); // callbacks go on
}
