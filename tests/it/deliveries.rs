//! The schedule of callbacks under simulated time: no network, the platform's own decisions on a store.

use std::path::Path;
use std::time::Duration;

use wallet_core::{DeliveryState, UnixTime};
use wallet_platform::{
    AppEvents, AttemptResult, AttemptsOf, CallbackKind, Claim, Claimed, ConfirmPay, DueDeliveries, EventKind,
    FinishAttempt, NextDue, PasswordKind, Who,
};
use wallet_server::Store;
use wallet_store::Clock;
use wallet_tests::{ManualClock, TestStore, options};

/// A store with one payment that was just confirmed.
async fn paid(path: &Path) -> TestStore {
    let world = TestStore::sqlite(path, 1).await;
    let tokens = world.tokens(0).await;
    let transfer = Some(world.waiting(&tokens, "trade", "1").await);
    let session = world.users[0].1;
    let proof = world.proof(Who::Session(session), PasswordKind::Wallet).await;
    world.store.submit(ConfirmPay { session, transfer, trade_id: "trade".into(), proof }).await.unwrap();
    world
}

pub(crate) async fn claim(store: &Store) -> Vec<Claimed> {
    let due = store.view(DueDeliveries { by: store.now(), limit: 10 }).await.unwrap();
    let due = due.into_iter().map(|(id, _)| id).collect();
    store.submit(Claim { deliveries: due, lease: Duration::from_secs(60) }).await.unwrap()
}

pub(crate) async fn finish(store: &Store, claimed: &Claimed, result: AttemptResult) -> DeliveryState {
    let (delivery, attempt, started_at) = (claimed.delivery, claimed.attempt, store.now());
    let signed = claimed.signed.clone();
    store.submit(FinishAttempt { delivery, attempt, started_at, result, signed }).await.unwrap().state
}

/// An answer of which only the status counts.
pub(crate) fn replied(status: u16) -> AttemptResult {
    AttemptResult::reply(CallbackKind::PaymentResult, status, b"")
}

/// Makes every attempt as it falls due until there are no more; says when each was made, counted from `begun`.
pub(crate) async fn run(
    store: &Store,
    clock: &ManualClock,
    begun: UnixTime,
    takes: Duration,
) -> Vec<Duration> {
    let mut times = Vec::new();
    while let Some(next) = store.view(NextDue).await.unwrap() {
        // Nothing is due a millisecond before.
        clock.set(next - Duration::from_millis(1));
        assert!(claim(store).await.is_empty());
        clock.set(next);
        let claimed = claim(store).await;
        assert_eq!(claimed.len(), 1);
        times.push(next.since(begun));
        clock.advance(takes);
        finish(store, &claimed[0], replied(500)).await;
    }
    times
}

/// R3: 1 at +1 s, 4 at +60 s each, 95 at +600 s each.
fn schedule(takes: Duration) -> Vec<Duration> {
    let mut at = Duration::ZERO;
    let waits = std::iter::once(1).chain([60; 4]).chain([600; 95]);
    waits
        .map(|wait| {
            let due = at + Duration::from_secs(wait);
            at = due + takes;
            due
        })
        .collect()
}

#[tokio::test]
async fn r03_exactly_a_hundred_attempts_at_their_times() {
    for takes in [Duration::ZERO, Duration::from_millis(9_700)] {
        let directory = tempfile::tempdir().unwrap();
        let world = paid(&directory.path().join("db")).await;
        let begun = world.store.now();
        let times = run(&world.store, &world.clock, begun, takes).await;
        assert_eq!(times, schedule(takes));
        assert_eq!(times.len(), 100);
        if takes.is_zero() {
            assert_eq!(times.last(), Some(&Duration::from_secs(57_241)));
        }
        let events = world.store.view(AppEvents { app: world.app.app, after: 0, limit: 9 }).await.unwrap();
        let kinds: Vec<EventKind> = events.iter().map(|(event, _)| event.kind).collect();
        let (fails, given_up) = (EventKind::ReceiverFails, EventKind::CallbackExhausted);
        assert_eq!(kinds, [EventKind::Created, EventKind::Paid, fails, given_up]);
    }
}

/// The clock set back must not hold up callbacks for as long.
#[tokio::test]
async fn r03_callbacks_are_due_again_when_the_clock_was_set_back() {
    use wallet_platform::{BringForward, DueTooLate, ReceiverId};
    let directory = tempfile::tempdir().unwrap();
    let world = paid(&directory.path().join("db")).await;
    let (store, clock) = (&world.store, &world.clock);
    let app = ReceiverId::from(world.app.app);
    let late = || async { store.view(DueTooLate { app, limit: 10 }).await.unwrap() };
    let begun = store.now();
    // Within the longest wait of the schedule nothing is wrong.
    for back in [0, 599] {
        clock.set(begun - Duration::from_secs(back));
        assert_eq!(late().await, [], "{back} s");
    }
    clock.set(begun - Duration::from_secs(7_200));
    let found = late().await;
    assert_eq!(found.len(), 1);
    assert!(DueTooLate::is_one(store.now(), store.view(NextDue).await.unwrap().unwrap()));
    store.submit(BringForward(found.clone())).await.unwrap();
    assert_eq!(store.view(NextDue).await.unwrap(), Some(store.now()));
    assert_eq!(late().await, []);
    // One that is not late stays where it is.
    let claimed = claim(store).await;
    finish(store, &claimed[0], replied(500)).await;
    let next = store.view(NextDue).await.unwrap();
    store.submit(BringForward(found)).await.unwrap();
    assert_eq!(
        (store.view(NextDue).await.unwrap(), next),
        (next, Some(store.now() + Duration::from_secs(60)))
    );
}

/// Before each attempt the store is closed and opened again, every other time with an attempt under way.
#[tokio::test]
async fn r03_a_restart_before_any_attempt_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let TestStore { store, clock, .. } = paid(&path).await;
    let begun = store.now();
    let (mut store, mut times) = (Some(store), Vec::new());
    for number in 0..101 {
        drop(store.take());
        let open = wallet_server::store::open(&path, options(clock.clone())).unwrap();
        let Some(next) = open.view(NextDue).await.unwrap() else {
            assert_eq!(number, 100);
            break;
        };
        clock.set(next);
        let mut claimed = claim(&open).await;
        let open = if number % 2 == 0 {
            // Dies while the attempt is under way: it counts as not made.
            drop(open);
            let open = wallet_server::store::open(&path, options(clock.clone())).unwrap();
            claimed = claim(&open).await;
            open
        } else {
            open
        };
        times.push(next.since(begun));
        finish(&open, &claimed[0], AttemptResult::Timeout).await;
        store = Some(open);
    }
    assert_eq!(times, schedule(Duration::ZERO));
}

#[tokio::test]
async fn r04_only_200_ends_it_and_the_log_says_what_came() {
    let directory = tempfile::tempdir().unwrap();
    let world = paid(&directory.path().join("db")).await;
    let results = [
        replied(201),
        replied(204),
        replied(302),
        AttemptResult::Failed("refused".into()),
        AttemptResult::Timeout,
        replied(200),
    ];
    let mut delivery = None;
    for result in &results {
        let next = world.store.view(NextDue).await.unwrap().unwrap();
        world.clock.set(next);
        let claimed = claim(&world.store).await;
        delivery = Some(claimed[0].delivery);
        let state = finish(&world.store, &claimed[0], result.clone()).await;
        let ended = *result == replied(200);
        assert_eq!(
            state,
            if ended { DeliveryState::Acknowledged } else { DeliveryState::Waiting },
            "{result:?}"
        );
    }
    assert_eq!(world.store.view(NextDue).await.unwrap(), None, "success ends it");
    let log = world.store.view(AttemptsOf(delivery.unwrap())).await.unwrap();
    let log: Vec<(Option<u16>, String)> =
        log.into_iter().map(|attempt| (attempt.http_status, attempt.failure.unwrap_or_default())).collect();
    assert_eq!(log[0], (Some(201), "HTTP 201; only HTTP 200 acknowledges".to_owned()));
    assert_eq!(log[3], (None, "refused".to_owned()));
    assert_eq!(log[5], (Some(200), String::new()));
}

#[tokio::test]
async fn a_clock_that_is_set_back_during_an_attempt_does_not_lose_it() {
    let directory = tempfile::tempdir().unwrap();
    let world = paid(&directory.path().join("db")).await;
    let due = world.store.view(NextDue).await.unwrap().unwrap();
    world.clock.set(due);
    let claimed = claim(&world.store).await;
    world.clock.set(due - Duration::from_secs(5));
    let state = finish(&world.store, &claimed[0], replied(500)).await;
    assert_eq!(state, DeliveryState::Waiting);
    let next = world.store.view(NextDue).await.unwrap().expect("it is not leased for ever");
    assert_eq!(next, due - Duration::from_secs(5) + Duration::from_secs(60));
    world.clock.set(next);
    let claimed = claim(&world.store).await;
    world.clock.set(next - Duration::from_millis(1));
    assert_eq!(finish(&world.store, &claimed[0], replied(200)).await, DeliveryState::Acknowledged);
}

#[tokio::test]
async fn r03_after_a_stop_of_a_day_there_is_no_burst() {
    let directory = tempfile::tempdir().unwrap();
    let world = paid(&directory.path().join("db")).await;
    world.clock.advance(Duration::from_secs(86_400));
    let resumed = world.store.now();
    let mut times = Vec::new();
    for _ in 0..3 {
        let next = world.store.view(NextDue).await.unwrap().unwrap();
        world.clock.set(next.max(world.clock.now()));
        let claimed = claim(&world.store).await;
        assert_eq!(claimed.len(), 1);
        times.push(world.clock.now().since(resumed).as_secs());
        finish(&world.store, &claimed[0], AttemptResult::Timeout).await;
        assert!(claim(&world.store).await.is_empty(), "nothing more is due at once");
    }
    assert_eq!(times, [0, 60, 120], "counted from the end of the attempt before");
}

#[tokio::test]
async fn late_and_repeated_ends_of_an_attempt_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let world = paid(&directory.path().join("db")).await;
    world.clock.advance(Duration::from_secs(1));
    let first = claim(&world.store).await;
    assert!(claim(&world.store).await.is_empty(), "leased to one");
    finish(&world.store, &first[0], AttemptResult::Timeout).await;
    let next = world.store.view(NextDue).await.unwrap();
    finish(&world.store, &first[0], replied(200)).await;
    assert_eq!(world.store.view(NextDue).await.unwrap(), next);
    world.clock.advance(Duration::from_secs(60));
    let second = claim(&world.store).await;
    finish(&world.store, &first[0], replied(200)).await;
    assert_eq!(finish(&world.store, &second[0], replied(200)).await, DeliveryState::Acknowledged);
}

#[tokio::test]
async fn the_lease_of_a_process_that_died_runs_out() {
    for world in TestStore::everywhere(1).await {
        let tokens = world.tokens(0).await;
        world.pay(&tokens, "trade").await.unwrap();
        world.clock.advance(Duration::from_secs(1));
        let died = claim(&world.store).await;
        assert_eq!(died.len(), 1);
        world.clock.advance(Duration::from_millis(59_999));
        assert!(claim(&world.store).await.is_empty(), "it may still be under way");
        world.clock.advance(Duration::from_millis(1));
        let again = claim(&world.store).await;
        assert_eq!((again[0].delivery, again[0].attempt), (died[0].delivery, 1), "the same attempt");
        assert_eq!(finish(&world.store, &again[0], replied(200)).await, DeliveryState::Acknowledged);
        // The one that was taken for dead ends, too late to count.
        finish(&world.store, &died[0], AttemptResult::Timeout).await;
        assert_eq!(world.store.view(AttemptsOf(again[0].delivery)).await.unwrap().len(), 1);
    }
}
