//! What is over is taken away, and nothing else is.

use std::time::{Duration, Instant};

use wallet_api::fomo::Refusal;
use wallet_platform::{
    AppEvents, AttemptResult, AttemptsOf, CallbackKind, DeliveryId, Event, EventKind, Failure, FindApp,
    OldAttempts, OldUnpaid, Over, PasswordKind, Refresh, Reservation, ReservePassword, SessionUser,
    TokenPair, Transfer, TransferSeq, Who,
};
use wallet_server::{Retention, Server, Settings};
use wallet_tests::{TestStore, settings};

use crate::deliveries::{claim, finish};

const DAY: Duration = Duration::from_secs(86_400);

async fn fail(world: &TestStore, name: &str) {
    let reserve = ReservePassword { who: Who::Login(name.to_owned()), kind: PasswordKind::Login };
    let Reservation::Challenge(challenge) = world.store.submit(reserve).await.unwrap() else {
        panic!("nothing else is under way")
    };
    let Err(Failure::Refused(_)) = world.store.submit(challenge.failed()).await else { panic!("counted") };
}

/// Takes away what is over, in steps of one row of each kind.
async fn purge(world: &TestStore) -> usize {
    let mut gone = 0;
    loop {
        let over = world.store.view(Over { limit: 1 }).await.unwrap();
        if over.is_empty() {
            return gone;
        }
        gone += world.store.submit(over).await.unwrap();
    }
}

async fn refresh(world: &TestStore, tokens: &TokenPair) -> Refresh {
    let keys = world.store.view(FindApp::new("shop")).await.unwrap();
    let client = keys.check_secret(world.app.client_secret.expose()).unwrap();
    Refresh::new(world.store.vault(), client, tokens.refresh.expose(), None)
}

async fn what_is_over_goes(world: TestStore) {
    let first = world.tokens(0).await;
    fail(&world, "nobody").await;
    fail(&world, "user1").await;
    assert_eq!(purge(&world).await, 0, "nothing is over");
    world.clock.advance(Duration::from_secs(3601));
    assert_eq!(purge(&world).await, 1, "the access token");

    world.clock.advance(29 * DAY);
    let second = world.tokens(0).await;
    world.clock.advance(DAY + Duration::from_secs(3600));
    let over = world.store.view(Over { limit: 9 }).await.unwrap();
    fail(&world, "nobody").await; // found as over, and then touched: it stays
    let (session, used) = (world.users[0].1, world.users[1].1);
    world.store.submit(SessionUser(session)).await.expect("used when it authorized, 30 days from then");
    let gone = world.store.submit(over).await.unwrap();
    // The first refresh token and code, the second access token, the session that was not used.
    assert_eq!(gone, 4);
    let Err(Failure::Refused(refused)) = world.store.submit(SessionUser(used)).await else { panic!("gone") };
    assert_eq!(refused.reason, Refusal::SessionUnknown);

    // What is left works, what is gone is refused as it was when it was over.
    world.store.submit(refresh(&world, &second).await).await.expect("fourteen days");
    let refused = world.store.submit(refresh(&world, &first).await).await;
    let Err(Failure::Refused(refused)) = refused else { panic!("over") };
    assert_eq!(refused.reason, Refusal::InvalidGrant);

    world.clock.advance(400 * DAY);
    purge(&world).await;
    for _ in 0..4 {
        fail(&world, "user1").await;
    }
    let reserve = ReservePassword { who: Who::Login("user1".to_owned()), kind: PasswordKind::Login };
    let Err(Failure::Refused(locked)) = world.store.submit(reserve).await else { panic!("five in all") };
    assert!(locked.wait.is_some(), "a user's own failures are never forgotten");
}

#[tokio::test]
async fn what_is_over_goes_from_each_store() {
    for world in TestStore::everywhere(2).await {
        what_is_over_goes(world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_callbacks_keep_their_last_attempt_and_lose_the_others() {
    for world in TestStore::everywhere(1).await {
        let (store, tokens) = (&world.store, world.tokens(0).await);
        let reply = |status, body: &[u8]| AttemptResult::reply(CallbackKind::Payment, status, body);
        let attempts = async |id| store.view(AttemptsOf(id)).await.unwrap();
        let shed = async |after: DeliveryId, limit| {
            let before = store.now() - 400 * DAY;
            let found = store.view(OldAttempts { after, before, limit }).await.unwrap();
            (store.submit(found.shed).await.unwrap(), found.after)
        };
        // Three payments, of which the second is acknowledged at its third attempt and the third still waits.
        for trade in ["first", "second", "third"] {
            world.pay(&tokens, trade).await.unwrap();
        }
        world.clock.advance(Duration::from_secs(1));
        let claimed = claim(store).await;
        let [first, second, third] = [0, 1, 2].map(|at| claimed[at].delivery);
        finish(store, &claimed[0], reply(200, br#"{"success":true}"#)).await;
        finish(store, &claimed[1], reply(500, b"busy")).await;
        finish(store, &claimed[2], reply(500, b"busy")).await;
        for status in [500, 200] {
            world.clock.advance(Duration::from_secs(60));
            for one in claim(store).await {
                let status = if one.delivery == second { status } else { 500 };
                finish(store, &one, reply(status, br#"{"success":true}"#)).await;
            }
        }
        assert_eq!(attempts(second).await.len(), 3);
        assert_eq!(shed(DeliveryId(0), 256).await, (0, None), "nothing is old");
        world.clock.advance(401 * DAY);
        // Pages end between callbacks: of four attempts, the first callback's one and the second's three do not fit.
        let (changed, after) = shed(DeliveryId(0), 4).await;
        assert_eq!((changed, after), (1, Some(first)), "the reply of the first");
        assert_eq!(
            shed(first, 256).await,
            (3, None),
            "two attempts of the second, and the reply of its last"
        );
        assert_eq!(shed(DeliveryId(0), 256).await, (0, None), "nothing is left to shed");
        let kept = attempts(second).await;
        assert_eq!((kept.len(), kept[0].n, kept[0].http_status, &kept[0].reply), (1, 3, Some(200), &None));
        assert_eq!(attempts(first).await[0].reply, None);
        assert_eq!(attempts(third).await.len(), 3, "it waits");
        assert!(attempts(third).await.iter().all(|attempt| attempt.reply.is_some()));
        crate::operators::check_whole(&world.database);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unpaid_payments_are_deleted_in_steps_and_paid_ones_stay() {
    for world in TestStore::everywhere(1).await {
        let (store, tokens) = (&world.store, world.tokens(0).await);
        let mut ids = Vec::new();
        for n in 0..6 {
            ids.push(world.waiting(&tokens, &format!("unpaid-{n}"), "1").await);
            world.pay(&tokens, &format!("paid-{n}")).await.unwrap();
        }
        let step = async |after, limit| {
            let found = store.view(OldUnpaid { after, before: store.now() - DAY, limit }).await.unwrap();
            (store.submit(found.delete).await.unwrap(), found.after)
        };
        let all = async || {
            let app = world.app.app;
            let events = store.view(AppEvents { app, after: 0, limit: 100 }).await.unwrap();
            let is_left = |(event, transfer): &(Event, Option<Transfer>)| {
                (event.kind == EventKind::Paid, transfer.is_some())
            };
            events.iter().map(is_left).collect::<Vec<_>>()
        };
        let before = all().await;
        assert_eq!(step(TransferSeq(0), 100).await, (0, None), "they wait");
        world.clock.advance(DAY);
        let late = world.waiting(&world.tokens(0).await, "late", "1").await;
        world.clock.advance(Duration::from_secs(181));
        // Four at a time: two that were paid, two that were not.
        assert_eq!(step(TransferSeq(0), 4).await.0, 2);
        let (deleted, after) = step(ids[2], 4).await;
        assert!(deleted == 2 && after > Some(ids[2]), "{deleted} {after:?}");
        let mut at = TransferSeq(0);
        while let (_, Some(next)) = step(at, 4).await {
            assert!(next > at && next < late);
            at = next;
        }
        assert_eq!(step(TransferSeq(0), 100).await, (0, None));
        // What is left: every event, and every payment that was made.
        let after = all().await;
        assert_eq!(after.len(), before.len() + 1);
        assert_eq!(
            after.iter().filter(|(_, left)| *left).count(),
            6 * 2 + 1,
            "created, paid, and the late one"
        );
        assert!(after.iter().all(|(paid, left)| *left || !paid));
        crate::operators::check_whole(&world.database);
    }
}

/// The server does it by itself, as long after the expiry as its settings say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_deletes_unpaid_payments() {
    let world = TestStore::memory(1).await;
    world.waiting(&world.tokens(0).await, "unpaid", "1").await;
    world.clock.advance(DAY);
    let young = world.waiting(&world.tokens(0).await, "young", "1").await;
    world.clock.advance(Duration::from_secs(181));
    let retention = Retention { unpaid_payments: DAY, ..Retention::default() };
    let settings = Settings { retention, ..settings(&world.store) };
    let server = Server::new(world.store.clone(), settings);
    let working = tokio::spawn(server.work(std::future::pending()));
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let events = AppEvents { app: world.app.app, after: 0, limit: 9 };
        let events = world.store.view(events).await.unwrap();
        let left: Vec<TransferSeq> = events.into_iter().filter_map(|(_, found)| Some(found?.id)).collect();
        if left == [young] {
            break;
        }
        assert!(left.contains(&young) && Instant::now() < end, "{left:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    working.abort();
}
