//! The way of an integrator: a user, an app, its secrets, a first call, receiving addresses.

use http::StatusCode;
use wallet_tests::{World, sign};

use crate::pages::{Visitor, texts};

/// A new user, signed in.
async fn newcomer<'w>(world: &'w World, name: &'static str) -> Visitor<'w> {
    let mut visitor = Visitor::new(world, "en");
    let register = "/openfomo/register.html";
    let fields = [("user_name", name), ("pwd", "a-long-password"), ("next", "/apps/new")];
    assert_eq!(visitor.post(register, register, &fields).await.location(), "/apps/new");
    visitor
}

#[tokio::test]
async fn a_newcomer_makes_the_first_call_of_an_own_app_without_a_password_prompt() {
    let world = World::start().await;
    let mut erin = newcomer(&world, "erin").await;
    let form = erin.get("/apps/new").await;
    let (client_id, redirect_uri) = (form.field("client_id"), form.field("redirect_uri"));
    assert!(client_id.starts_with("my_shop_") && redirect_uri.starts_with("http://my-shop.localhost"));
    let fields = [("client_id", &*client_id), ("name", "Erin's"), ("redirect_uri", &*redirect_uri)];
    let made = erin.post("/apps/new", "/apps/new/fomo", &fields).await;
    let page = format!("/apps/fomo/{client_id}");
    assert_eq!(made.location(), page, "a reload of what follows sends no form again");
    let app = erin.get(&page).await;
    let secret = texts(&app.text, "#client_secret code").remove(0);
    assert_eq!(secret.len(), 40);
    assert!(texts(&app.text, "#webhook_secret code")[0].starts_with("whsec_"));
    assert!(app.text.contains(&format!("export CLIENT_SECRET={secret}")), "the first program is complete");
    let tags = |page: &str| texts(page, "#steps h2 .tag");
    assert_eq!(tags(&app.text), ["1/4"]);
    // The switch of languages, like a reload, does not show it again.
    assert!(!erin.get(&page).await.text.contains(&secret));
    let timestamp = world.timestamp();
    let call = world.get_trade("none").with("client_id", &client_id).with("timestamp", &timestamp);
    assert_eq!(world.call(&call.with("sign", &sign(&secret, &timestamp))).await.status(), 212);
    for _ in 0..100 {
        if tags(&erin.get(&page).await.text) == ["2/4"] {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the first call is not on the check list");
}

#[tokio::test]
async fn several_faults_of_a_registration_are_reported_at_once_each_at_its_field() {
    let world = World::start().await;
    let mut erin = newcomer(&world, "erin").await;
    let wrong = [("client_id", "a b"), ("name", ""), ("redirect_uri", "javascript:x")];
    let page = erin.post("/apps/new", "/apps/new/fomo", &wrong).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["client_id", "name", "redirect_uri"] {
        assert_eq!(
            texts(&page.text, &format!("#{field}[aria-invalid] ~ #{field}_fault")).len(),
            1,
            "{field}"
        );
    }
    assert_eq!(page.text.matches("autofocus").count(), 1);
    let wrong = [("wallet", "vas"), ("name", ""), ("safe_domain", "localhost"), ("scheme", "https")];
    let page = erin.post("/apps/new?protocol=vas", "/apps/new/vas", &wrong).await;
    for field in ["vas_name", "safe_domain", "scheme"] {
        assert_eq!(texts(&page.text, &format!("#{field}_fault")).len(), 1, "{field}");
    }
    assert!(page.text.contains("value=\"my-shop.localhost\""), "{}", page.text);
}

#[tokio::test]
async fn a_developer_approves_an_own_application_in_a_sandbox_and_gets_addresses() {
    let world = World::start().await;
    let mut erin = newcomer(&world, "erin").await;
    // One click replaces `localhost`.
    let applied = [
        ("wallet", "vas"),
        ("name", "Erin's"),
        ("safe_domain", "localhost"),
        ("scheme", ""),
        ("proposed_domain", "my-shop.localhost"),
    ];
    let page = erin.post("/apps/new?protocol=vas", "/apps/new/vas", &applied).await.location().to_owned();
    let pending = erin.get(&page).await;
    assert!(pending.text.contains("Approve (sandbox)") && pending.text.contains("my-shop.localhost"));
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/apps").await;
    let foreign = alice.post("/apps/new", &format!("{page}/approve"), &[]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "only the owner approves");
    let approved = erin.post(&page, &format!("{page}/approve"), &[]).await;
    assert_eq!(texts(&approved.text, "#access_token code")[0].len(), 40, "{}", approved.text);
    let addresses = |page: &str| texts(page, "#receiving .address");
    let first = addresses(&approved.text);
    assert!(first.len() == 1 && world.store().vault().is_address(&first[0]), "{first:?}");
    // More on demand; an own one is validated.
    let add = format!("{page}/address");
    erin.post(&page, &add, &[("new", "1")]).await;
    assert_eq!(addresses(&erin.get(&page).await.text).len(), 2);
    let refused = erin.post(&page, &add, &[("address", "V179lygq1dpowbQz")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.field("address"), "V179lygq1dpowbQz");
    assert!(texts(&refused.text, "#address_fault")[0].contains("checksum"), "{}", refused.text);
    let own = world.user("alice").address.clone();
    erin.post(&page, &add, &[("address", &own)]).await;
    assert_eq!(addresses(&erin.get(&page).await.text)[2], own);
    let foreign = alice.post("/apps/new", &add, &[("new", "1")]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    assert_eq!(alice.get(&page).await.status, StatusCode::NOT_FOUND);
}
