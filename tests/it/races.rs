//! Races behind a start barrier, judged by the rows in the database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use wallet_api::fomo::Refusal;
use wallet_platform::{ConfirmPay, Failure, PasswordKind, Refresh, Who};
use wallet_tests::{Call, Reply, TestStore, World, trials};

const PARALLEL: usize = 16;

/// Runs the same thing sixteen times at once.
pub(crate) async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    make: impl Fn(usize) -> F,
) -> Vec<T> {
    let barrier = Arc::new(Barrier::new(PARALLEL));
    let mut set = JoinSet::new();
    for number in 0..PARALLEL {
        let (barrier, run) = (barrier.clone(), make(number));
        set.spawn(async move {
            barrier.wait().await;
            run.await
        });
    }
    set.join_all().await
}

pub(crate) fn count(path: &Path, sql: &str) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn refused<T: std::fmt::Debug>(results: &[Result<T, Failure>], refusal: Refusal) -> usize {
    results
        .iter()
        .filter(|result| matches!(result, Err(Failure::Refused(no)) if no.reason == refusal))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_store_a_code_is_exchanged_once_under_concurrency() {
    for world in TestStore::on_disk(1).await.map(Arc::new) {
        let rounds = trials(1_000, 10_000);
        for _ in 0..rounds {
            let code = world.code(0).await.unwrap();
            let results = at_once(|_| {
                let world = world.clone();
                async move { world.store.submit(world.exchange(code).await).await }
            })
            .await;
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
            assert_eq!(refused(&results, Refusal::InvalidGrant), PARALLEL - 1);
        }
        let rounds = i64::from(rounds);
        assert_eq!(world.database.count("SELECT count(*) FROM code WHERE family IS NOT NULL"), rounds);
        assert_eq!(world.database.count("SELECT count(*) FROM family"), rounds);
        assert_eq!(
            world.database.count("SELECT count(*) FROM family WHERE revoked = 1"),
            rounds,
            "reuse revokes"
        );
        assert_eq!(world.database.count("SELECT count(*) FROM token"), 2 * rounds);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_store_r16_sixteen_refreshes_make_one_rotation() {
    for world in TestStore::on_disk(1).await.map(Arc::new) {
        let rounds = trials(1_000, 10_000);
        let mut tokens = world.tokens(0).await;
        let client = wallet_platform::FindApp::new("shop");
        let proven =
            world.store.view(client).await.unwrap().check_secret(world.app.client_secret.expose()).unwrap();
        for _ in 0..rounds {
            let text = tokens.refresh.expose().clone();
            let results = at_once(|_| {
                let (world, text) = (world.clone(), text.clone());
                async move { world.store.submit(Refresh::new(world.store.vault(), proven, &text, None)).await }
            })
            .await;
            let pairs: Vec<_> = results.into_iter().map(Result::unwrap).collect();
            assert!(pairs.iter().all(|pair| *pair == pairs[0]), "equal replies");
            tokens = pairs[0].clone();
        }
        let rounds = i64::from(rounds);
        assert_eq!(world.database.count("SELECT count(*) FROM token"), 2 + 2 * rounds, "one rotation each");
        assert_eq!(world.database.count("SELECT count(*) FROM token WHERE used_at IS NOT NULL"), rounds);
        assert_eq!(world.database.count("SELECT count(*) FROM family WHERE revoked = 1"), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_store_a_payment_is_confirmed_once_and_a_trade_id_made_once() {
    for world in TestStore::on_disk(1).await.map(Arc::new) {
        let rounds = trials(1_000, 10_000);
        let mut tokens = world.tokens(0).await;
        let session = world.users[0].1;
        for round in 0..rounds {
            if round % 1000 == 999 {
                tokens = world.tokens(0).await;
            }
            let trade_id = format!("race-{round}");
            let made = at_once(|_| {
                let (world, command) = (world.clone(), world.pre_pay(&tokens, &trade_id, "1"));
                async move { world.store.submit(command).await }
            })
            .await;
            assert_eq!(refused(&made, Refusal::TradeIdTaken), PARALLEL - 1);
            let transfer = *made.iter().flatten().next().unwrap();
            let confirmed = at_once(|_| {
                let (world, trade_id) = (world.clone(), trade_id.clone());
                async move {
                    let proof = world.proof(Who::Session(session), PasswordKind::Wallet).await;
                    world
                        .store
                        .submit(ConfirmPay {
                            session,
                            transfer: Some(transfer),
                            trade_id: trade_id.into(),
                            proof,
                        })
                        .await
                        .map(|_| ())
                }
            })
            .await;
            assert_eq!(confirmed.iter().filter(|result| result.is_ok()).count(), 1);
            assert_eq!(refused(&confirmed, Refusal::TransferDone), PARALLEL - 1);
        }
        let ledger = world.database.ledger();
        ledger.check();
        assert_eq!(ledger.done.len(), rounds as usize);
        assert_eq!(
            ledger.balances[&(world.users[0].0.get() as i64, 5)],
            (1_000_000 - i128::from(rounds)) * 1_000_000
        );
        assert_eq!(world.database.count("SELECT count(*) FROM transfer"), i64::from(rounds));
    }
}

/// The clock passes the payment's last moment while sixteen confirm it: each sees either before or after, the row one of
/// the two, and money has moved exactly if a reply says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_store_expiry_against_confirm_has_one_outcome() {
    for world in TestStore::on_disk(1).await.map(Arc::new) {
        let session = world.users[0].1;
        let (mut paid, mut expired) = (0_i64, 0_i64);
        for round in 0..trials(1_000, 10_000) {
            let tokens = world.tokens(0).await;
            let trade_id = format!("late-{round}");
            let transfer = world.waiting(&tokens, &trade_id, "1").await;
            world.clock.advance(Duration::from_secs(180));
            let results = at_once(|number| {
                let (world, trade_id) = (world.clone(), trade_id.clone());
                // One of them lets the last millisecond pass: before its own attempt, in the middle of it, or after it.
                let passes = |moment: u32| {
                    let mine = number == usize::try_from(round).unwrap() % PARALLEL && round % 3 == moment;
                    let clock = world.clock.clone();
                    move || {
                        if mine {
                            clock.advance(Duration::from_millis(1));
                        }
                    }
                };
                let (before, amid, after) = (passes(0), passes(1), passes(2));
                async move {
                    before();
                    let proof = world.proof(Who::Session(session), PasswordKind::Wallet).await;
                    amid();
                    let confirm =
                        ConfirmPay { session, transfer: Some(transfer), trade_id: trade_id.into(), proof };
                    let confirmed = world.store.submit(confirm).await.map(|_| ());
                    after();
                    confirmed
                }
            })
            .await;
            let won = results.iter().filter(|result| result.is_ok()).count();
            assert!(won <= 1);
            assert_eq!(
                refused(&results, Refusal::TransferDone) + refused(&results, Refusal::TransferExpired),
                PARALLEL - won
            );
            assert!(won == 0 || refused(&results, Refusal::TransferExpired) == 0, "paid is never expired");
            paid += won as i64;
            expired += 1 - won as i64;
        }
        assert_eq!(world.database.count("SELECT count(*) FROM transfer WHERE done = 1"), paid);
        assert_eq!(world.database.count("SELECT count(*) FROM transfer WHERE done = 0"), expired);
        assert!(paid > 0 && expired > 0, "both happened: {paid} paid, {expired} expired");
        world.database.ledger().check();
    }
}

/// The same over HTTP.
async fn race(world: &Arc<World>, call: &Call) -> Vec<Reply> {
    at_once(|_| {
        let (world, call) = (world.clone(), call.clone());
        async move { world.call(&call).await }
    })
    .await
}

fn with(replies: &[Reply], status: i64) -> usize {
    replies.iter().filter(|reply| reply.status() == status).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_codes_tokens_payments_and_trade_ids_have_one_winner() {
    let world = Arc::new(World::start().await);
    let rounds = trials(2_000, 10_000);
    let (alice, authorize) = (world.session("alice").await, world.authorize("alice").await);
    let mut exchange = world.token("alice").await;
    let confirm_pwd = world.user("alice").wallet_pwd.clone();
    let mut late = 0;
    for _ in 0..rounds {
        let code = world.call(&authorize).await.ok().data("code").to_owned();
        exchange = exchange.with("code", &code);
        let replies = race(&world, &exchange).await;
        assert_eq!(replies.iter().filter(|reply| reply.http == 200).count(), 1, "one 2xx");
        assert_eq!(with(&replies, 54), PARALLEL - 1);

        // The exchange above revoked its own family by being repeated; the rest goes on with a fresh one.
        let code = world.call(&authorize).await.ok().data("code").to_owned();
        let tokens = world.call(&exchange.clone().with("code", &code)).await.ok();
        let replies = race(&world, &world.refresh_of(tokens.data("refresh_token"))).await;
        assert!(
            replies.iter().all(|reply| reply.http == 200 && reply.text == replies[0].text),
            "equal replies"
        );

        let confirm_of = |pre_pay: &Call, id: &str| {
            Call::post("oauth2/authorize/confirm_pay")
                .with("trade_id", pre_pay.field("trade_id"))
                .with("transfer_id", id)
                .with("wallet_pwd", &confirm_pwd)
                .with("session_key", &alice)
        };
        let pre_pay = world.pre_pay_with(tokens.data("access_token")).with("amount", "0.001");
        let replies = race(&world, &pre_pay).await;
        assert_eq!((with(&replies, 1), with(&replies, 211)), (1, PARALLEL - 1));
        let id = replies[0].data("transfer_id").to_owned();
        assert!(
            replies.iter().all(|reply| reply.data("transfer_id") == id),
            "all replies name the same transfer"
        );
        let replies = race(&world, &confirm_of(&pre_pay, &id)).await;
        assert_eq!((with(&replies, 1), with(&replies, 214)), (1, PARALLEL - 1));

        // Expiry against confirm: the clock passes the last moment while they come in.
        let pre_pay = world.pre_pay_with(tokens.data("access_token")).with("amount", "0.001");
        let id = world.call(&pre_pay).await.ok().data("transfer_id").to_owned();
        world.jump(Duration::from_millis(179_990));
        let replies = race(&world, &confirm_of(&pre_pay, &id)).await;
        let paid = with(&replies, 1);
        assert!(paid <= 1);
        assert_eq!(with(&replies, 213) + with(&replies, 214) + paid, PARALLEL);
        late += paid;
    }
    println!("{late} of {rounds} late payments were confirmed in time");
    let ledger = world.database().ledger();
    ledger.check();
    let alice: i64 = world.user("alice").user_id.parse().unwrap();
    assert_eq!(ledger.balances[&(alice, 5)], 1_000_000_000 - 1_000 * ledger.done.len() as i128);
    let count = |sql: &str| world.database().count(sql);
    assert_eq!(count("SELECT count(*) FROM transfer"), 2 * i64::from(rounds));
    assert_eq!(ledger.done.len(), rounds as usize + late);
    assert_eq!(count("SELECT count(*) FROM code WHERE family IS NOT NULL"), 2 * i64::from(rounds));
}

/// A full pool of hashes must not lock out a user who entered the right password.
#[tokio::test]
async fn r22_an_attempt_that_no_hash_reached_is_given_back() {
    use wallet_platform::{GiveBack, PasswordKind, Reservation, ReservePassword, Who};
    let directory = tempfile::tempdir().unwrap();
    let world = TestStore::sqlite(&directory.path().join("db"), 1).await;
    let reserve = || async {
        let (who, kind) = (Who::Session(world.users[0].1), PasswordKind::Wallet);
        match world.store.submit(ReservePassword { who, kind }).await.unwrap() {
            Reservation::Challenge(challenge) => Some(challenge),
            Reservation::Busy => None,
        }
    };
    let mut held = Vec::new();
    while let Some(challenge) = reserve().await {
        held.push(challenge);
    }
    assert_eq!(held.len() as u64, wallet_api::fomo::limits::WRONG_PASSWORDS);
    // One more than there are is no attempt more.
    for challenge in [held[0].clone(), held[1].clone()] {
        world.store.submit(GiveBack(challenge)).await.unwrap();
    }
    assert!(reserve().await.is_some() && reserve().await.is_some() && reserve().await.is_none());
    // Nothing was counted as wrong.
    for challenge in held {
        world.store.submit(GiveBack(challenge)).await.unwrap();
    }
    let tokens = world.tokens(0).await;
    world.pay(&tokens, "after").await.unwrap();
}
