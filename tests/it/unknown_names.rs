//! Wrong attempts at login names that nobody has: counted like those of a user, in bounded space (R22).

use std::time::Duration;

use wallet_core::Secret;
use wallet_engine::{Backend, Command, Engine, Failure, job};
use wallet_platform::{
    CreateUser, FIRST_ID, PasswordKind, Platform, Refused, Reservation, ReservePassword, Who,
};
use wallet_store::{Clock as _, Memory};
use wallet_tests::{ManualClock, TestStore, test_vault};

/// Runs commands as one batch.
fn run<B: Backend<Platform>, C: Command<Platform>>(
    engine: &mut Engine<Platform, B>,
    clock: &ManualClock,
    commands: impl IntoIterator<Item = C>,
) -> Vec<Result<C::Outcome, Failure<Refused>>> {
    let (jobs, outcomes): (Vec<_>, Vec<_>) = commands.into_iter().map(job).unzip();
    engine.batch(&|| clock.now(), jobs).unwrap();
    outcomes.into_iter().map(|outcome| futures_executor::block_on(outcome).unwrap()).collect()
}

fn reserve(name: &str) -> ReservePassword {
    ReservePassword { who: Who::Login(name.to_owned()), kind: PasswordKind::Login }
}

/// The refusals of ten attempts, each made when the lock before it is over, and of one during each lock.
fn ten_failures<B: Backend<Platform>>(
    engine: &mut Engine<Platform, B>,
    clock: &ManualClock,
    name: &str,
) -> Vec<(String, Option<Duration>)> {
    let mut found = Vec::new();
    let mut add = |refused: Failure<Refused>| {
        let Failure::Refused(refused) = refused else { panic!("{refused:?}") };
        let Refused { reason, wait, .. } = *refused;
        found.push((format!("{reason:?}"), wait));
        wait
    };
    for _ in 0..10 {
        let Ok(Reservation::Challenge(challenge)) = run(engine, clock, [reserve(name)]).remove(0) else {
            panic!("the lock is over")
        };
        let Err(refused) = run(engine, clock, [challenge.failed()]).remove(0);
        if let Some(wait) = add(refused) {
            clock.advance(wait - Duration::from_millis(1));
            add(run(engine, clock, [reserve(name)]).remove(0).unwrap_err());
            clock.advance(Duration::from_millis(2));
        }
    }
    found
}

/// A million names leave 64 MB and not a row each; then an unknown name is still answered like a known one.
#[test]
fn a_flood_of_names_takes_bounded_space_and_reveals_nothing() {
    let clock = ManualClock::new();
    let memory = Memory::<Platform>::starting_at(FIRST_ID);
    let mut engine = memory.engine(test_vault());
    let user = CreateUser {
        login_name: "alice".to_owned(),
        name: "Alice".to_owned(),
        pwd: Secret::new("a hash".to_owned()),
        wallet_pwd: None,
        developer: false,
    };
    run(&mut engine, &clock, [user]).remove(0).unwrap();
    let before = memory.rows().len();
    for flood in 0..1_000_000 / 500 {
        let names = (0..500).map(|at| reserve(&format!("name {flood} {at}")));
        let challenges = run(&mut engine, &clock, names).into_iter().map(|reserved| match reserved {
            Ok(Reservation::Challenge(challenge)) => challenge.failed(),
            other => panic!("the first attempt at a name: {other:?}"),
        });
        let challenges: Vec<_> = challenges.collect();
        run(&mut engine, &clock, challenges);
    }
    assert!(memory.rows().len() - before <= 65_536, "{}", memory.rows().len());
    let known = ten_failures(&mut engine, &clock, "alice");
    let unknown = ten_failures(&mut engine, &clock, "nobody");
    assert_eq!(known, unknown);
    assert_eq!(known.iter().filter(|(_, wait)| wait.is_some()).count(), 12, "{known:?}");
}

/// The same on each store, where the blocks are columns of bytes.
#[tokio::test]
async fn five_failures_lock_an_unknown_name_on_each_store() {
    for world in TestStore::everywhere(1).await {
        for _ in 0..5 {
            let Ok(Reservation::Challenge(challenge)) = world.store.submit(reserve("nobody")).await else {
                panic!("not locked yet")
            };
            world.store.submit(challenge.failed()).await.unwrap_err();
        }
        let Err(Failure::Refused(refused)) = world.store.submit(reserve("nobody")).await else {
            panic!("locked")
        };
        assert_eq!(refused.wait, Some(Duration::from_secs(60)));
    }
}
