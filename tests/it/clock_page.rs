//! The page of the clock: the timestamps of callbacks, and the way back to the machine's time.

use std::time::{SystemTime, UNIX_EPOCH};

use wallet_tests::{Merchant, World};

use crate::pages::Visitor;

fn machine_secs() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_have_the_machines_time_if_asked_for_and_the_clock_returns() {
    let world = World::start().await;
    let merchant = Merchant::open().await;
    let mut visitor = Visitor::new(&world, "en");
    world.advance(7_200).await;
    let stamp = async |count: usize| {
        world.call(&world.pay_user("alice").with("server_uri", &merchant.url)).await.ok();
        let received = merchant.wait_for(count).await.pop().unwrap();
        received.headers()["webhook-timestamp"].to_str().unwrap().parse::<i64>().unwrap() - machine_secs()
    };
    assert!(stamp(1).await > 7_000, "it follows the sandbox's time");
    visitor.post("/clock", "/clock/callbacks", &[("time", "machine")]).await;
    assert!(visitor.get("/clock").await.text.contains("its own clock accepts it"));
    assert!(stamp(2).await.abs() < 60, "it is the machine's time");
    visitor.post("/clock", "/clock/callbacks", &[("time", "sandbox")]).await;
    assert!(stamp(3).await > 7_000);
    visitor.post("/clock", "/clock/real", &[]).await;
    assert!((world.timestamp().parse::<i64>().unwrap() - machine_secs()).abs() < 60);
    assert!(!visitor.get("/clock").await.text.contains("Return to the machine"));
    assert!(stamp(4).await.abs() < 60, "payments go on after the step back");
}
