//! The apps as receivers of callbacks: which fail, what their owners learn, and how workers share what is due.

use std::collections::HashSet;
use std::time::Duration;

use wallet_core::{DeliveryState, Lang, UnixTime};
use wallet_platform::{
    AppEvents, AttemptResult, AttemptsOf, CallbackKind, Claim, ClaimNotices, DeliveryId, DueDeliveries,
    DueNotices, DueOf, DueOfApp, EventKind, FAILS_AFTER, Look, NewDeliveries, NewestDelivery, NoticeKind,
    ReceiverId, Share, Shares, SignOfLife, WaitingApps,
};
use wallet_server::administration::{Task, administer};
use wallet_tests::TestStore;

use crate::deliveries::{claim, finish, replied};

/// The notices that were written and not sent, which this sends.
async fn notices(world: &TestStore) -> Vec<(NoticeKind, String, String)> {
    let due = world.store.view(DueNotices { limit: 100 }).await.unwrap();
    let claimed = world.store.submit(ClaimNotices(due)).await.unwrap();
    for notice in &claimed {
        assert_eq!(notice.secret.expose(), "");
        let sent = wallet_platform::FinishNotice { id: notice.id, attempt: notice.attempt, sent: true };
        world.store.submit(sent).await.unwrap();
    }
    claimed.into_iter().map(|notice| (notice.kind, notice.recipient, notice.about)).collect()
}

/// Payments of one app, each with a callback that is due.
async fn payments(world: &TestStore, count: usize) {
    let tokens = world.tokens(0).await;
    for number in 0..count {
        world.pay(&tokens, &format!("trade {number}")).await.unwrap();
    }
    world.clock.advance(Duration::from_secs(1));
}

/// What is due for the app of the world, in a share.
async fn due_of(world: &TestStore, share: Share, low: UnixTime, limit: u64) -> DueOfApp {
    let looks = vec![Look { app: ReceiverId(world.app.app.0), low, limit }];
    world.store.view(DueOf { looks, by: world.store.now(), share }).await.unwrap().remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_learns_that_callbacks_fail_were_given_up_and_work_again() {
    for world in TestStore::everywhere(1).await {
        payments(&world, 2).await;
        let owner = ("user0".to_owned(), "Shop".to_owned());
        let got = |kind| (kind, owner.0.clone(), owner.1.clone());
        let fails = async || due_of(&world, Share::ALL, UnixTime::default(), 9).await.fails;
        // One attempt after the other, of either callback.
        let claimed = claim(&world.store).await;
        assert_eq!(claimed.len(), 2);
        finish(&world.store, &claimed[0], replied(500)).await;
        finish(&world.store, &claimed[1], replied(500)).await;
        let mut attempts = 2;
        while attempts < FAILS_AFTER {
            assert_eq!((fails().await, notices(&world).await), (false, vec![]), "after {attempts}");
            world.clock.advance(Duration::from_secs(600));
            let claimed = claim(&world.store).await;
            finish(&world.store, &claimed[0], replied(500)).await;
            attempts += 1;
        }
        assert!(fails().await);
        assert_eq!(notices(&world).await, [got(NoticeKind::ReceiverFails)], "once");
        // Every attempt of both fails: one notice.
        let mut given_up = 0;
        while given_up < 2 {
            world.clock.advance(Duration::from_secs(600));
            for claimed in claim(&world.store).await {
                let state = finish(&world.store, &claimed, replied(500)).await;
                given_up += u32::from(state == DeliveryState::Exhausted);
            }
        }
        assert_eq!(notices(&world).await, [got(NoticeKind::CallbackGivenUp)]);
        // Sent again by an operator: those of a span, and each once.
        let resend = async |from: &str, to: &str| {
            let (app, reason) = ("shop".to_owned(), "repaired".to_owned());
            let task = Task::CallbacksResendAll { app, from: from.to_owned(), to: to.to_owned(), reason };
            administer(&world.store, task, Lang::En).await.map(|done| done.json)
        };
        assert!(resend("yesterday", "").await.unwrap_err().contains("2026-01-31T13:45"));
        assert_eq!(resend("2100-01-01T00:00", "").await.unwrap(), r#"{"sent":0}"#);
        assert_eq!(resend("", "1999-01-01T00:00").await.unwrap(), r#"{"sent":0}"#);
        assert_eq!(resend("", "").await.unwrap(), r#"{"sent":2}"#);
        assert_eq!(resend("", "").await.unwrap(), r#"{"sent":0}"#);
        world.clock.advance(Duration::from_secs(1));
        assert!(fails().await, "until one is acknowledged");
        let claimed = claim(&world.store).await;
        finish(&world.store, &claimed[0], replied(200)).await;
        assert!(!fails().await);
        assert_eq!(notices(&world).await, [got(NoticeKind::ReceiverRecovered)]);
        // An acknowledgement begins the count again. Whatever a receiver answers can be stored.
        let odd = AttemptResult::reply(CallbackKind::Payment, 500, b"a\0b\xff");
        finish(&world.store, &claimed[1], odd).await;
        let kept = world.store.view(AttemptsOf(claimed[1].delivery)).await.unwrap();
        assert_eq!(kept.last().unwrap().reply.as_deref(), Some("a\u{fffd}b\u{fffd}"));
        assert_eq!((fails().await, notices(&world).await), (false, vec![]));
        // The feed of the app says the same.
        let events = world.store.view(AppEvents { app: world.app.app, after: 4, limit: 9 }).await.unwrap();
        let kinds: Vec<EventKind> = events.iter().map(|(event, _)| event.kind).collect();
        let given_up = EventKind::CallbackExhausted;
        assert_eq!(kinds, [EventKind::ReceiverFails, given_up, given_up, EventKind::ReceiverRecovered]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_share_what_is_due_and_take_over_what_is_late() {
    for world in TestStore::everywhere(1).await {
        payments(&world, 60).await;
        let store = &world.store;
        let all: HashSet<DeliveryId> = {
            let due = store.view(DueDeliveries { by: store.now(), limit: 100 }).await.unwrap();
            due.into_iter().map(|(id, _)| id).collect()
        };
        assert_eq!(all.len(), 60);
        assert_eq!(
            store.view(WaitingApps { after: ReceiverId(0), limit: 9 }).await.unwrap().len(),
            1,
            "one app, whatever waits for it"
        );
        let newest = store.view(NewestDelivery).await.unwrap().unwrap();
        assert_eq!(all.iter().map(|id| id.0).max(), Some(newest.0));
        let new = store.view(NewDeliveries { after: DeliveryId(0), limit: 100 }).await.unwrap();
        assert_eq!(new.iter().map(|(id, ..)| *id).collect::<HashSet<_>>(), all);
        assert_eq!(store.view(NewDeliveries { after: newest, limit: 100 }).await.unwrap(), []);
        // Three workers: the shares are disjoint, and together everything.
        let mut seen = HashSet::new();
        for number in 0..3 {
            let found = due_of(&world, Share { number, of: 3 }, UnixTime::default(), 100).await;
            assert!(found.due.iter().all(|id| seen.insert(*id)), "{found:?}");
            assert!(!found.due.is_empty() && found.due.len() < all.len(), "{found:?}");
            let late = found.next.unwrap();
            assert_eq!(
                late,
                store.now() + Duration::from_secs(2),
                "the others' callbacks, when they are late"
            );
        }
        assert_eq!(seen, all);
        // A look for fewer says that there are more.
        let found = due_of(&world, Share::ALL, UnixTime::default(), 4).await;
        assert_eq!((found.due.len(), found.next), (4, Some(store.now())));
        assert_eq!(found.earliest, Some(store.now()));
        // Nothing before the bound.
        let later = store.now() + Duration::from_millis(1);
        assert_eq!(due_of(&world, Share::ALL, later, 4).await.due, []);
        // A lease hides them; two seconds late, they are every worker's.
        let some = found.due.clone();
        store.submit(Claim { deliveries: some.clone(), lease: Duration::from_secs(60) }).await.unwrap();
        assert_eq!(due_of(&world, Share::ALL, UnixTime::default(), 100).await.due.len(), 56);
        world.clock.advance(Duration::from_secs(2));
        let found = due_of(&world, Share { number: 1, of: 3 }, UnixTime::default(), 100).await;
        assert_eq!(found.due.len(), 56);
        world.clock.advance(Duration::from_secs(60));
        let found = due_of(&world, Share { number: 1, of: 3 }, UnixTime::default(), 100).await;
        assert_eq!(found.due.len(), 60, "their leases have run out");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_gives_no_sign_of_life_loses_its_share() {
    for world in TestStore::everywhere(0).await {
        let store = &world.store;
        let live = async |worker, gone| store.submit(SignOfLife { worker, gone }).await.unwrap();
        let (one, two) = (live(None, vec![]).await, live(None, vec![]).await);
        let share = async |worker| store.view(Shares(worker)).await.unwrap();
        assert_eq!(share(one).await, (Share { number: 0, of: 2 }, vec![]));
        assert_eq!(share(two).await, (Share { number: 1, of: 2 }, vec![]));
        world.clock.advance(Duration::from_secs(10));
        live(Some(two), vec![]).await;
        assert_eq!(share(two).await, (Share { number: 1, of: 2 }, vec![]), "just in time");
        world.clock.advance(Duration::from_millis(1));
        assert_eq!(share(two).await, (Share::ALL, vec![one]));
        // It is deleted, unless it has come back meanwhile.
        live(Some(one), vec![]).await;
        live(Some(two), vec![one]).await;
        assert_eq!(share(two).await, (Share { number: 1, of: 2 }, vec![]));
        world.clock.advance(Duration::from_millis(10_001));
        live(Some(two), vec![one]).await;
        assert_eq!(share(two).await, (Share::ALL, vec![]));
    }
}
