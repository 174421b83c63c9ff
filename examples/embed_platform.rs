//! The platform in memory, under your own clock: a user gets money, and a refusal writes nothing. No socket, no clock.

use std::cell::Cell;
use std::sync::Arc;

use wallet_api::fomo::CoinId;
use wallet_core::{Secret, UnixTime};
use wallet_crypto::Portable;
use wallet_engine::{Command, Engine, job};
use wallet_platform::{
    Balances, Coin, CreateUser, Deposit, FIRST_ID, Failure, MasterKeys, Platform, PutCoin, locked_vault,
    start,
};
use wallet_store::Memory;

/// An engine and the time of its next decision.
struct World {
    engine: Engine<Platform, Memory<Platform>>,
    now: Cell<UnixTime>,
}

impl World {
    fn submit<C: Command<Platform>>(&mut self, command: C) -> Result<C::Outcome, Failure> {
        let (job, mut outcome) = job(command);
        self.engine.batch(&|| self.now.get(), [job])?;
        outcome.take().expect("a batch answers each command")
    }
}

pub fn main() {
    // The master key protects every secret of a database. This database is not kept, so any key will do.
    let (crypto, master) = (Arc::new(Portable::new()), MasterKeys::only(Secret::new([7; 32])));
    let now = UnixTime::from_secs(1_574_510_444);
    let mut engine = Memory::starting_at(FIRST_ID).engine(locked_vault(crypto, &master));
    start(&mut engine, &master, now).expect("a new database opens");
    let mut world = World { engine, now: Cell::new(now) };

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
    world.submit(PutCoin(coin)).expect("a coin");
    let alice = CreateUser {
        login_name: "alice".into(),
        name: "Alice".into(),
        pwd: Secret::new("a PHC text: hashing is the caller's".into()),
        wallet_pwd: None,
        developer: false,
    };
    let alice = world.submit(alice).expect("a user");
    let amount = "12.50".parse().expect("an amount");
    world.submit(Deposit { user: alice, coin: CoinId::new(5), amount }).expect("money");

    // Coin 6 does not exist: the platform refuses, and nothing is written.
    let amount = "1".parse().expect("an amount");
    let refused =
        world.submit(Deposit { user: alice, coin: CoinId::new(6), amount }).expect_err("no such coin");
    println!("{refused}");
    assert!(refused.refused().is_some());

    let balances = world.engine.read(world.now.get(), Balances(alice)).expect("balances");
    let (coin, units) = &balances[0];
    println!("{} {}", units.to_decimal(coin.decimals), coin.name);
    assert_eq!(units.get(), 12_500_000);
}
