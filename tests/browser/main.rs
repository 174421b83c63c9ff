//! The pages in a real browser: whole ways of newcomers and developers, with and without scripts, in both languages. Each
//! way ends with a look at what the browser has logged: no error, no report of the policy, no request to another host.

mod axe;
mod consent;
mod newcomer;

use std::time::Duration;

use wallet_tests::{Browser, Merchant, World};

async fn open(world: &World, lang: &str, scripts: bool) -> Browser {
    Browser::open(&world.described().url, lang, scripts).await
}

async fn sign_in(browser: &Browser, world: &World, name: &str) {
    browser.fill("#login_name", name).await;
    browser.fill("#pwd", &world.user(name).pwd).await;
    browser.press("main form button").await;
    browser.see(if browser.is_chinese() { "退出" } else { "Sign out" }).await;
}

/// Signs in to the shop by FOMO, buys and pays a coffee.
async fn buy_by_fomo(browser: &Browser, world: &World) {
    browser.go("/").await;
    browser.press("a[href='/shop']").await;
    browser.press("a[href='/shop/sign_in/fomo']").await;
    sign_in(browser, world, "alice").await;
    browser.see("The corner café").await;
    browser.press("button[value='yes']").await;
    browser.see("Welcome, Alice").await;
    browser.press("button[value='coffee']").await;
    browser.see("waiting").await;
    browser.press("main a.button").await;
    browser.see("Time left").await;
    browser.fill("#wallet_pwd", "wrong").await;
    browser.press(".phone form button").await;
    browser.see("Wrong payment password").await;
    browser.fill("#wallet_pwd", &world.user("alice").wallet_pwd).await;
    browser.press(".phone form button").await;
    browser.see("Paid").await;
    browser.press("#onward").await;
    browser.see_in("#state", "paid").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_buys_a_coffee_by_fomo_and_is_paid_back() {
    let world = World::start().await;
    let browser = open(&world, "en", true).await;
    buy_by_fomo(&browser, &world).await;
    browser.press("form[action$='/refund'] button").await;
    browser.see_in("#state", "refunded").await;
    browser.go("/inspect").await;
    for call in ["pre_pay", "payment_result", "pay_user"] {
        browser.see_in(".exchanges", call).await;
    }
    browser.press(".exchanges tbody a").await;
    browser.see_in("#detail", "Reply").await;
    browser.close_quietly().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_work_without_scripts() {
    let world = World::start().await;
    let browser = open(&world, "en", false).await;
    buy_by_fomo(&browser, &world).await;
    browser.close_quietly().await;
}

async fn buy_by_link(wallet: &str, asset: &str) {
    let world = World::start().await;
    let browser = open(&world, "zh", true).await;
    browser.go("/shop").await;
    browser.press(&format!("a[href='/shop/sign_in/{wallet}']")).await;
    browser.see("扫码登录").await;
    let link = browser.attribute("#link", "textContent").await;
    browser.go("/link").await;
    browser.fill("#text", &link).await;
    browser.press("main form button").await;
    browser.see("类型：登录").await;
    browser.see("R49").await;
    browser.go(&format!("/shop/sign_in/{wallet}")).await;
    browser.press("a.button").await;
    sign_in(&browser, &world, "bob").await;
    browser.see("登录 The corner café").await;
    browser.press(".phone form button").await;
    browser.see("已登录 The corner café").await;
    browser.go("/shop").await;
    browser.see(&world.user("bob").aid).await;
    browser.press("button[value='tea']").await;
    browser.see("待支付").await;
    browser.see(asset).await;
    browser.press("main a.button").await;
    browser.see("付款给 The corner café").await;
    browser.fill("#wallet_pwd", &world.user("bob").wallet_pwd).await;
    browser.press(".phone form button").await;
    browser.see("已提交").await;
    // The chain has it as soon as somebody asks for a block.
    browser.go("/chain").await;
    let height: u64 = browser.text("#height").await.parse().unwrap();
    browser.press("button[name='mine'][value='1']").await;
    assert!(browser.text("#height").await.parse::<u64>().unwrap() > height);
    browser.press("button[name='reorg']").await;
    browser.go("/shop").await;
    browser.press("main table a").await;
    // A block comes within five seconds, and the page sees by itself that the order is paid.
    browser.see_in("#state", "已支付").await;
    browser.close_quietly().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_signs_in_and_pays_by_vas_in_chinese() {
    buy_by_link("vas", "VAS").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_signs_in_and_pays_by_lafi_in_chinese() {
    buy_by_link("lafi", "L-F").await;
}

/// The shop on one screen, the wallet on another: the shop's pages follow what the wallet does.
async fn the_shop_follows_the_wallet(scripts: bool) {
    let world = World::start().await;
    let shop = open(&world, "en", scripts).await;
    let phone = open(&world, "en", true).await;
    shop.go("/shop/sign_in/vas").await;
    shop.see("Waiting for the scan").await;
    let scan = |link: &str| format!("/wallet?{}", wallet_core::form::query(&[("scan", link)]));
    phone.go(&scan(&shop.attribute("#link", "textContent").await)).await;
    sign_in(&phone, &world, "bob").await;
    phone.see("Sign in to The corner café").await;
    shop.see("Scanned").await;
    phone.press(".phone form button").await;
    shop.see("Welcome").await;
    shop.press("button[value='tea']").await;
    shop.see_in("#state", "waiting").await;
    // A camera reads the code: all of it is there, with four pixels a module or more.
    let side = shop.number("return document.querySelector('.qr svg').viewBox.baseVal.width").await;
    let shown = shop.number("return document.querySelector('.qr svg').getBoundingClientRect().width").await;
    let place = shop.number("return document.querySelector('.qr').clientWidth").await;
    assert!(shown >= 4.0 * side && shown <= place, "{side} modules in {shown} of {place} pixels");
    let before = phone.text("tbody").await;
    phone.go(&shop.attribute("main a.button", "href").await).await;
    phone.fill("#wallet_pwd", &world.user("bob").wallet_pwd).await;
    phone.press(".phone form button").await;
    shop.see_in("#state", "Waiting for a block (1 of 1)").await;
    shop.see_in("#state", "paid").await;
    // The wallet's balance has changed, and leads back to the order.
    assert_ne!(phone.text("tbody").await, before);
    assert!(phone.attribute("#onward", "href").await.contains("/shop/orders/"));
    shop.close_quietly().await;
    phone.close_quietly().await;
}

/// A browser has six connections to a host: a page that is not seen must not hold one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tabs_with_live_parts_leave_connections_for_others() {
    let world = World::start().await;
    let browser = open(&world, "en", true).await;
    browser.go("/inspect").await;
    for _ in 0..9 {
        browser.new_tab().await;
        browser.go("/inspect").await;
        browser.see("Inspector").await;
    }
    browser.close_quietly().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_follows_the_wallet_by_events() {
    the_shop_follows_the_wallet(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_follows_the_wallet_without_scripts() {
    the_shop_follows_the_wallet(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_developer_registers_makes_an_app_and_rotates_its_secret() {
    let world = World::start().await;
    let browser = open(&world, "en", true).await;
    browser.go("/openfomo/register.html").await;
    browser.fill("#user_name", "carol").await;
    browser.fill("#pwd", "carol-password").await;
    browser.press("main form button").await;
    browser.see("There is no app yet").await;
    // The same account has a wallet, whose payment password is hers to set.
    browser.go("/wallet").await;
    browser.press("a[href^='/wallet/password']").await;
    browser.fill("#pwd", "carol-password").await;
    browser.fill("#wallet_pwd", "carol-pays").await;
    browser.fill("#again", "carol-pays").await;
    browser.press("form[action='/wallet/password'] button").await;
    browser.see("Your payment password is set").await;
    browser.go("/apps").await;
    browser.press("main a.button").await;
    browser.fill("#client_id", "carols_shop").await;
    browser.fill("#name", "Carol's shop").await;
    browser.fill("#redirect_uri", "https://carol.example/back").await;
    browser.press("form[action='/apps/new/fomo'] button").await;
    browser.see("Carol's shop").await;
    let secret = "#client_secret code";
    let first = browser.text(secret).await;
    assert_eq!(first.len(), 40, "shown once, right after the registration");
    browser.go("/apps/fomo/carols_shop").await;
    browser.see_in("#client_secret", "••••").await;
    browser.fill("#pwd", "not it").await;
    browser.press("#credentials form button").await;
    browser.see_in("#pwd_fault", "That is not your password").await;
    browser.fill("#pwd", "carol-password").await;
    browser.press("#credentials form button").await;
    assert_eq!(browser.text(secret).await, first, "shown after a fresh password");
    // A rotation asks first.
    browser.press("a[href$='/settings']").await;
    browser.press_in("main details summary", "Your password").await;
    browser.fill("#pwd", "carol-password").await;
    browser.press("form[action$='/rotate'] button").await;
    browser.see("the old one still verifies for 24 hours").await;
    let second = browser.text(secret).await;
    assert!(second.len() == 40 && second != first);
    browser.press("a[href$='/settings']").await;
    browser.press_in("main details summary", "Your password").await;
    browser.fill("#pwd", "carol-password").await;
    browser.press("form[action$='/end_old'] button").await;
    browser.see("The old client_secret is no longer accepted").await;
    browser.press("nav.tabs a").await;
    // The page in the other language is the same page.
    browser.press("a[data-switch]").await;
    browser.see("凭据").await;
    browser.see("Carol's shop").await;
    browser.close_quietly().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_expires_when_the_clock_is_moved() {
    let world = World::start().await;
    let browser = open(&world, "en", true).await;
    browser.go("/shop/sign_in/fomo").await;
    sign_in(&browser, &world, "alice").await;
    browser.press("button[value='yes']").await;
    browser.press("button[value='cake']").await;
    browser.see("waiting").await;
    let wallet = browser.attribute("main a.button", "href").await;
    browser.go("/clock").await;
    let before = browser.text("#now").await;
    browser.press("button[value='180']").await;
    browser.press("button[value='15']").await;
    assert_ne!(browser.text("#now").await, before);
    browser.go(&wallet).await;
    browser.see("expired").await;
    browser.close_quietly().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_of_a_code_is_scanned_and_a_buyer_without_money_sees_why() {
    let world = World::start().await;
    let browser = open(&world, "en", true).await;
    browser.go("/shop/sign_in/vas").await;
    let login = browser.attribute("#link", "textContent").await;
    let directory = tempfile::tempdir().unwrap();
    let picture = directory.path().join("code.png");
    std::fs::write(&picture, wallet_client::QrCode::new(&login).unwrap().to_png(5)).unwrap();
    sign_in_as(&browser, "dora", "dora-password").await;
    browser.go("/wallet").await;
    browser.attach("#file", &picture).await;
    browser.press("form[action='/wallet/scan'] button").await;
    browser.see("Sign in to The corner café").await;
    browser.press(".phone form button").await;
    browser.see("Signed in to The corner café").await;
    browser.go("/shop").await;
    browser.press("button[value='coffee']").await;
    browser.see("waiting").await;
    browser.press("main a.button").await;
    browser.press_in(".tries summary", "Wrong password").await;
    browser.press("button[value='wrong_password']").await;
    browser.see("Wrong payment password").await;
    browser.fill("#wallet_pwd", "400400").await;
    browser.press(".phone form button").await;
    browser.see("The balance is too low").await;
    // The sandbox gives her some; the sheet is still there, and her history has the payment.
    browser.press("form[action='/wallet/money'] button").await;
    browser.see("The money has arrived").await;
    browser.fill("#wallet_pwd", "400400").await;
    browser.press("form[action='/wallet/pay'] button").await;
    browser.see("Submitted").await;
    browser.go("/wallet/history?of=VAS").await;
    browser.see("The corner café").await;
    browser.see("−1.50 VAS").await;
    browser.close_quietly().await;
}

async fn sign_in_as(browser: &Browser, name: &str, pwd: &str) {
    browser.go("/openfomo/login.html").await;
    browser.fill("#login_name", name).await;
    browser.fill("#pwd", pwd).await;
    browser.press("main form button").await;
    browser.see(if browser.is_chinese() { "退出" } else { "Sign out" }).await;
}

async fn sign_out(browser: &Browser) {
    browser.press("form[action='/openfomo/logout'] button").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_is_rejected_with_a_reason_and_the_next_one_approved() {
    let world = World::start().await;
    let browser = open(&world, "en", true).await;
    sign_in_as(&browser, "bob", &world.user("bob").pwd).await;
    for name in ["Bob's books", "Bob's second try"] {
        browser.go("/apps/new?protocol=vas").await;
        browser.fill("#vas_name", name).await;
        browser.fill("#safe_domain", "https://books.example/pay").await;
        browser.see_in("#safe_domain_checked", "Write books.example").await;
        browser.fill("#safe_domain", "books.example").await;
        browser.see_in("#safe_domain_checked", "Good").await;
        browser.press("form[action='/apps/new/vas'] button").await;
        browser.see("in review").await;
    }
    sign_out(&browser).await;
    sign_in_as(&browser, "operator", "operator-password").await;
    browser.press("a[href='/admin']").await;
    browser.see_in("#applications", "Bob's books").await;
    browser.fill("#applications form:nth-of-type(1) input[name='reason']", "The domain is not yours.").await;
    browser.press("#applications form:nth-of-type(1) button[value='reject']").await;
    browser.see_in("#audit", "The domain is not yours.").await;
    browser.press("#applications button[value='approve']").await;
    browser.see_in("#applications", "None.").await;
    sign_out(&browser).await;
    sign_in_as(&browser, "bob", &world.user("bob").pwd).await;
    browser.go("/apps").await;
    browser.see("rejected").await;
    browser.see("approved").await;
    browser.press("tbody tr:nth-of-type(1) a").await;
    browser.see("The domain is not yours.").await;
    browser.go("/apps").await;
    browser.press("tbody tr:nth-of-type(2) a").await;
    assert_eq!(browser.text("#uuid code").await.len(), 36);
    browser.fill("#pwd", &world.user("bob").pwd).await;
    browser.press("#credentials form button").await;
    assert_eq!(browser.text("#access_token code").await.len(), 40);
    browser.close_quietly().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_fails_is_seen_and_sent_again() {
    let world = World::start().await;
    let merchant = Merchant::open().await;
    merchant.answer(&[503]);
    world.call(&world.pay_user("alice").with("server_uri", &merchant.url)).await.ok();
    world.advance(60_000).await;
    let browser = open(&world, "en", true).await;
    sign_in_as(&browser, "owner", &world.described().fomo.owner_pwd).await;
    browser.press("a[href='/apps/fomo/demo_app']").await;
    browser.press("a[href$='/deliveries']").await;
    browser.see("not delivered").await;
    browser.see("HTTP 503").await;
    assert_eq!(browser.count("circle.undelivered").await, 20, "the last attempts are drawn");
    merchant.answer(&[200]);
    browser.press("button[name='delivery']").await;
    world.advance(5).await;
    browser.go("/apps/fomo/demo_app/deliveries").await;
    assert_eq!(browser.text(".delivery .tag").await, "delivered");
    assert_eq!(browser.count("circle.delivered").await, 1);
    browser.close_quietly().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_have_written_is_shown_as_text() {
    let world = World::start().await;
    let browser = open(&world, "en", true).await;
    browser.go("/openfomo/login.html").await;
    sign_in(&browser, &world, "alice").await;
    let hostile = "<img src=x onerror=alert(1)>&\"'";
    browser.go("/apps/new").await;
    browser.fill("#client_id", "hostile").await;
    browser.fill("#name", hostile).await;
    browser.fill("#redirect_uri", "https://x.example/\"><script>alert(1)</script>").await;
    browser.press("form[action='/apps/new/fomo'] button").await;
    browser.see_in("h1", hostile).await;
    browser.see("<script>alert(1)</script>").await;
    browser.go("/apps").await;
    browser.see(hostile).await;
    // A refused form keeps what was typed, as text.
    browser.go("/apps/new").await;
    browser.fill("#client_id", hostile).await;
    browser.fill("#name", "x").await;
    browser.fill("#redirect_uri", "x").await;
    browser.press("form[action='/apps/new/fomo'] button").await;
    assert_eq!(browser.attribute("#client_id", "value").await, hostile);
    for scan in [
        hostile,
        "vaslogin://{\"type\":\"login\",\"uuid\":\"<b>x</b>\",\"callbackUrl\":\"javascript:alert(1)\"}",
    ] {
        browser.go("/wallet").await;
        browser.fill("#scan", scan).await;
        browser.press("form[action='/wallet'] button").await;
        browser.see("Wallet").await;
        assert_eq!(browser.count(".phone img, .phone b, .phone script").await, 0);
    }
    tokio::time::timeout(Duration::from_secs(20), browser.close_quietly()).await.unwrap();
}
