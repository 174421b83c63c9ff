//! The payment on one screen: each step by its button, with its calls.

use wallet_tests::World;

use crate::pages::{Visitor, texts};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_watched_from_the_sign_in_to_the_callback() {
    let world = World::start().await;
    for round in 0..2 {
        let mut visitor = Visitor::new(&world, "en");
        let page = visitor.get("/live").await.location().to_owned();
        let id = page.split("id=").nth(1).unwrap().to_owned();
        let calls = |text: &str| {
            let calls = texts(text, ".events code");
            calls.iter().map(|call| call.split(' ').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert!(calls(&visitor.get(&page).await.text).is_empty(), "a new one begins at the beginning");
        let mut press = async || {
            let next = visitor.post(&page, "/live", &[("id", &id)]).await.location().to_owned();
            visitor.get(&next).await.text
        };
        assert_eq!(calls(&press().await), ["authorize", "token", "get_user_info"], "{round}");
        let ordered = press().await;
        assert_eq!(calls(&ordered).last().unwrap(), "pre_pay");
        assert_eq!(texts(&ordered, "#state"), ["waiting"]);
        assert_eq!(calls(&press().await)[4..], ["get_pending", "confirm_pay"]);
        world.advance(2).await;
        let done = visitor.get(&page).await.text;
        assert_eq!(texts(&done, "#state"), ["paid"], "{done}");
        assert_eq!(calls(&done).last().unwrap(), "payment_result");
    }
}

#[tokio::test]
async fn the_sandbox_is_a_page_for_people_and_json_for_programs() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    let page = visitor.get("/sandbox").await;
    assert!(page.text.contains("<h2>FOMO</h2>") && page.text.contains(&world.described().vas.to_addr));
    let request = http::Request::get(format!("{}/sandbox", world.described().url)).body(Vec::new()).unwrap();
    let json = world.exchange(request).await;
    assert_eq!(json.json["fomo"]["client_id"], "demo_app", "{}", json.text);
    // The start page leads to an own app, and to the form at once when somebody is signed in.
    assert!(visitor.get("/").await.text.contains("register.html?next=%2Fapps%2Fnew"));
    visitor.sign_in("alice", "/apps").await;
    assert!(visitor.get("/").await.text.contains("id=\"connect\" href=\"/apps/new\""));
}
