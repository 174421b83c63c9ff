//! A database that an earlier version made: it opens, and logins, payments and callbacks go on in it.

use std::time::Duration;

use wallet_api::vas::Profile;
use wallet_core::{DeliveryState, Lang};
use wallet_crypto::PasswordCost;
use wallet_platform::{AttemptsOf, DeliveryId, TradeOf};
use wallet_sandbox::{Sandbox, SandboxOptions, demo};

/// The master key of the fixture; it protects demo data only.
const MASTER_KEY: &str = "2fafe220097088b77bbfeb55d663226913bc64a3305057eea96c8a7e0ff88820";
/// The callback that waits in it, and the payment that it reports.
const WAITING: DeliveryId = DeliveryId(100_051);
const PAID: &str = "demo-1795937754370-in";

/// A sandbox on the fixture.
async fn open_fixture() -> (Sandbox, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let made = rusqlite::Connection::open(directory.path().join("wallop.db")).unwrap();
    made.execute_batch(include_str!("../fixtures/database_0008.sql")).unwrap();
    drop(made);
    std::fs::write(directory.path().join("master.key"), MASTER_KEY).unwrap();
    let options = SandboxOptions {
        data: Some(directory.path().to_owned()),
        password_cost: PasswordCost { memory_kib: 8, passes: 1 },
        ..SandboxOptions::default()
    };
    (Sandbox::start(options).await.unwrap(), directory)
}

/// A payment whose row is damaged is not sent, and holds up no other callback.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_payment_stops_no_other_callback() {
    const DAMAGED: DeliveryId = DeliveryId(100_056);
    let (sandbox, directory) = open_fixture().await;
    let connection = rusqlite::Connection::open(directory.path().join("wallop.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
        .execute_batch(
            "BEGIN IMMEDIATE;
             UPDATE transfer SET amount_text = '' WHERE id = 100053;
             UPDATE delivery SET state = 0, attempts = 0, next_at = 1 WHERE id = 100056;
             DELETE FROM attempt WHERE delivery = 100056;
             COMMIT;",
        )
        .unwrap();
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    sandbox.server().callbacks().drain(until).await.unwrap();
    let store = sandbox.server().store();
    assert_eq!(store.view(AttemptsOf(WAITING)).await.unwrap().len(), 1, "the sound one is attempted");
    assert!(store.view(AttemptsOf(DAMAGED)).await.unwrap().is_empty(), "the damaged one is not");
    let far = store.now() + Duration::from_secs(3600);
    let due = wallet_platform::DueDeliveries { by: far, limit: 10 };
    let due = store.view(due).await.unwrap();
    assert!(due.iter().any(|(id, _)| *id == DAMAGED), "it is tried again later: {due:?}");
    let now = wallet_platform::DueDeliveries { by: store.now(), limit: 10 };
    assert!(store.view(now).await.unwrap().is_empty());
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_migration_0008_goes_on() {
    let (sandbox, directory) = open_fixture().await;
    let path = directory.path().join("wallop.db");
    let store = sandbox.server().store();

    // What was paid is known, and the callback that waited is attempted: nobody listens there any more.
    let app = store.view(wallet_platform::FindApp::new(&sandbox.described().fomo.client_id)).await.unwrap();
    let trade = TradeOf { app: app.app.id, trade_id: PAID.to_owned().into() };
    let (transfer, _) = store.view(trade).await.unwrap();
    assert!(transfer.done && transfer.amount_text.as_str() == "12.50" && transfer.delivery == Some(WAITING));
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    sandbox.server().callbacks().drain(until).await.unwrap();
    let attempts = store.view(AttemptsOf(WAITING)).await.unwrap();
    assert!(
        attempts.first().is_some_and(|attempt| attempt.n == 1 && attempt.failure.is_some()),
        "{attempts:?}"
    );

    // Each demo logs a user in, pays, receives the callback and compares every balance.
    let mut out = Vec::new();
    demo::fomo(sandbox.described(), Lang::En, &mut out).await.unwrap();
    for profile in Profile::ALL {
        demo::vas(sandbox.described(), *profile, Lang::En, 80, &mut out).await.unwrap();
    }
    let connection = rusqlite::Connection::open(&path).unwrap();
    let acknowledged = "SELECT count(*) FROM delivery WHERE state = ?1";
    let state = DeliveryState::Acknowledged as i64;
    let count: i64 = connection.query_row(acknowledged, [state], |row| row.get(0)).unwrap();
    assert_eq!(count, 2 + 4, "two of the fixture, two of FOMO, one each of VAS and Lafi");
    sandbox.stop().await;
}
