//! The user's own account: password, sessions, and the apps with access.

use http::StatusCode;
use wallet_tests::{Call, World};

use crate::pages::Visitor;

/// Whether a visitor is signed in.
async fn is_in(visitor: &mut Visitor<'_>) -> bool {
    visitor.get("/account").await.status == StatusCode::OK
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_ends_the_other_sessions_and_no_other() {
    let world = World::start().await;
    let (mut here, mut thief, mut bob) =
        (Visitor::new(&world, "en"), Visitor::new(&world, "en"), Visitor::new(&world, "zh"));
    assert!(here.get("/account").await.location().starts_with("/openfomo/login.html?next="));
    for (visitor, name) in [(&mut here, "alice"), (&mut thief, "alice"), (&mut bob, "bob")] {
        visitor.sign_in(name, "/account").await;
    }
    assert!(here.get("/account").await.text.contains("Number of sessions: 2"));
    let old = world.user("alice").pwd.clone();
    let change = [("pwd", old.as_str()), ("new_pwd", "another-password")];
    for (pwd, new, fault) in [
        (&*old, "short", "at least 8 characters"),
        ("not-the-password", "another-password", "Wrong password"),
        ("", "another-password", "Wrong password"),
    ] {
        let refused = here.post("/account", "/account/password", &[("pwd", pwd), ("new_pwd", new)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.text.contains(fault), "{fault}: {}", refused.text);
    }
    let forged = here.post_with("/account/password", &change, None).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "a form of another site has no token");
    assert!(is_in(&mut thief).await, "nothing has changed yet");

    let changed = here.post("/account", "/account/password", &change).await;
    assert_eq!(changed.location(), "/account?done=password");
    assert!(here.get("/account?done=password").await.text.contains("every other session has ended"));
    assert!(is_in(&mut here).await && is_in(&mut bob).await);
    assert!(!is_in(&mut thief).await);
    let login = async |pwd: &str| {
        let call = Call::post("customer/login").with("login_name", "alice").with("pwd", pwd);
        world.call(&call).await.status()
    };
    assert_eq!((login(&old).await, login("another-password").await), (12, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_everywhere_ends_every_session() {
    let world = World::start().await;
    let (mut here, mut there, mut bob) =
        (Visitor::new(&world, "en"), Visitor::new(&world, "en"), Visitor::new(&world, "zh"));
    for (visitor, name) in [(&mut here, "alice"), (&mut there, "alice"), (&mut bob, "bob")] {
        visitor.sign_in(name, "/account").await;
    }
    let session_key = world.session("alice").await;
    let out = here.post("/account", "/account/sign_out_everywhere", &[]).await;
    assert_eq!(out.location(), "/openfomo/login.html");
    assert!(!is_in(&mut here).await && !is_in(&mut there).await && is_in(&mut bob).await);
    let coins = Call::post("wallet/get_user_coins").with("session_key", &session_key);
    assert_eq!(world.call(&coins).await.status(), 3, "a session of the API too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_that_was_granted_is_taken_back() {
    let world = World::start().await;
    let (mut alice, mut bob) = (Visitor::new(&world, "en"), Visitor::new(&world, "zh"));
    alice.sign_in("alice", "/account").await;
    bob.sign_in("bob", "/account").await;
    assert!(alice.get("/account").await.text.contains("An app asks you before it gets access"));
    let tokens = [world.tokens("alice").await, world.tokens("alice").await];
    let of_bob = world.tokens("bob").await;
    let shown = alice.get("/account").await.text;
    let client_id = &world.described().fomo.client_id;
    // One code is not exchanged yet.
    let (of_alice_code, of_bob_code) = (world.token("alice").await, world.token("bob").await);
    assert_eq!(shown.matches(&format!("<code class=\"nowrap\">{client_id}</code>")).count(), 1, "{shown}");

    let works = async |access: &str| {
        world.call(&Call::post("oauth2/resource/get_user_info").bearer(access)).await.status()
    };
    for (access, _) in tokens.iter().chain([&of_bob]) {
        assert_eq!(works(access).await, 1);
    }
    let back = alice.post("/account", "/account/revoke", &[("platform", "fomo"), ("app", client_id)]).await;
    assert_eq!(back.location(), "/account?done=revoked");
    for (access, refresh) in &tokens {
        assert_eq!(works(access).await, 2, "a revoked token");
        let again = world.refresh_of(refresh);
        assert_eq!(world.call(&again).await.status(), 54);
    }
    assert_eq!(world.call(&of_alice_code).await.status(), 54, "a code of before");
    world.call(&of_bob_code).await.ok();
    assert_eq!(works(&of_bob.0).await, 1, "another user's consent stays");
    assert!(bob.get("/account").await.text.contains(client_id.as_str()));
    assert!(alice.get("/account?done=revoked").await.text.contains("An app asks you before it gets access"));
    let (later, _) = world.tokens("alice").await;
    assert_eq!(works(&later).await, 1, "a later consent");
    // Whatever the form says, nothing else happens.
    for (platform, app) in [("fomo", "nobody"), ("vas", client_id.as_str()), ("", "")] {
        let done = bob.post("/account", "/account/revoke", &[("platform", platform), ("app", app)]).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER);
    }
    assert_eq!(works(&of_bob.0).await, 1);
}
