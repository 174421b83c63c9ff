//! The sandbox's wallet and shop, without a browser.

use http::StatusCode;
use scraper::{Html, Selector};
use wallet_api::vas::SessionKey;
use wallet_client::{Order, VasWallet};
use wallet_core::Signer;
use wallet_core::link::OutgoingLink as _;
use wallet_crypto::{PrivateKey, RsaSign};
use wallet_tests::{ANY_TIME, World, fields};

use crate::pages::{Got, Visitor, form_of, texts};

/// A FOMO payment that waits for this user: the address of its sheet, and its trade_id.
async fn waiting(world: &World, user: &str) -> (String, String) {
    let order = world.pre_pay(user).await;
    let reply = world.call(&order).await.ok();
    let id = reply.json["data"]["transfer_id"].to_string().trim_matches('"').to_owned();
    let trade = order.field("trade_id").to_owned();
    (format!("/wallet?{}", form_of(&[("transfer_id", &id), ("trade_id", &trade)])), trade)
}

/// Sends the form of a page with its hidden fields.
async fn send(visitor: &mut Visitor<'_>, page: &str, action: &str, typed: &[(&str, &str)]) -> Got {
    let got = visitor.get(page).await;
    let fields: Vec<(String, String)> = {
        let document = Html::parse_document(&got.text);
        let form = document.select(&Selector::parse(&format!("form[action='{action}']")).unwrap()).next();
        let form = form.unwrap_or_else(|| panic!("no form to {action} at {page}: {}", got.text));
        let hidden = Selector::parse("input[type=hidden]").unwrap();
        let hidden = form.select(&hidden).map(|field| {
            let value = |name| field.value().attr(name).unwrap_or_default().to_owned();
            (value("name"), value("value"))
        });
        hidden.collect()
    };
    let mut all: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.extend_from_slice(typed);
    visitor.post_with(action, &all, None).await
}

/// Where the link that says this leads.
fn link(page: &str, words: &str) -> String {
    let page = Html::parse_document(page);
    let links = Selector::parse("a").unwrap();
    let found = page.select(&links).find(|link| link.text().collect::<String>() == words);
    found.unwrap_or_else(|| panic!("no link {words}")).value().attr("href").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_user_sets_a_payment_password_gets_money_and_pays() {
    let world = World::start().await;
    let mut carol = Visitor::new(&world, "en");
    let register = "/openfomo/register.html";
    let named = [("user_name", "carol"), ("pwd", "carol-password"), ("next", "/shop")];
    let signed_in = carol.post(register, register, &named).await;
    assert_eq!(signed_in.location(), "/shop", "signed in at once, without a code");

    // The shop, by FOMO: consent, an order, its sheet.
    let consent = carol.get("/shop/sign_in/fomo").await.location().to_owned();
    let consent = consent.strip_prefix(&world.described().url).unwrap_or(&consent).to_owned();
    let back = send(&mut carol, &consent, "/openfomo/consent", &[("authorized", "yes")]).await;
    carol.get(back.location().strip_prefix(&world.described().url).unwrap()).await;
    let order = send(&mut carol, "/shop", "/shop/buy", &[("item", "coffee")]).await.location().to_owned();
    let sheet = link(&carol.get(&order).await.text, "Pay in the wallet");

    // Nobody is asked for a password who has none, but led to where one is set, and back.
    let asked = carol.get(&sheet).await;
    assert!(asked.text.contains("You have no payment password yet"), "{}", asked.text);
    assert_eq!(texts(&asked.text, "#wallet_pwd"), [""; 0]);
    let page = link(&asked.text, "Set a payment password");
    for (pwd, chosen, again, why) in [
        ("carol-password", "12345", "12345", "at least 6 characters"),
        ("carol-password", "123456", "123457", "differ"),
        ("wrong-password", "123456", "123456", "That is not your login password"),
    ] {
        let typed = [("pwd", pwd), ("wallet_pwd", chosen), ("again", again)];
        let refused = send(&mut carol, &page, "/wallet/password", &typed).await.location().to_owned();
        let shown = carol.get(&refused).await;
        assert!(shown.text.contains(why), "{why}: {}", shown.text);
        assert_eq!(link(&shown.text, "← Wallet"), sheet, "what is paid is not forgotten");
        let in_chinese = carol.get(&link(&shown.text, "中文")).await;
        assert_eq!(texts(&in_chinese.text, "p.problem").len(), 1, "{}", in_chinese.text);
        carol.get(&link(&in_chinese.text, "English")).await;
    }
    let typed = [("pwd", "carol-password"), ("wallet_pwd", "123456"), ("again", "123456")];
    let set = send(&mut carol, &page, "/wallet/password", &typed).await.location().to_owned();
    let shown = carol.get(&set).await;
    assert!(shown.text.contains("Your payment password is set") && shown.text.contains("Time left"));

    // Without money the refusal says what helps, in either language; the sheet is still there after that.
    let poor = send(&mut carol, &set, "/wallet/confirm", &[("wallet_pwd", "123456")]).await;
    let refused = carol.get(poor.location()).await;
    assert!(refused.text.contains("The balance is too small"), "{}", refused.text);
    assert_eq!(link(&refused.text, "Get some of the sandbox's money"), "#money");
    let in_chinese = carol.get(&format!("{}&lang=zh", poor.location())).await;
    assert!(in_chinese.text.contains("余额不足") && in_chinese.text.contains("领取沙箱的测试资金"));
    carol.get("/wallet?lang=en").await;
    let rich = send(&mut carol, poor.location(), "/wallet/money", &[]).await.location().to_owned();
    let shown = carol.get(&rich).await;
    assert!(shown.text.contains("The money has arrived") && shown.text.contains("Time left"));
    let paid = send(&mut carol, &rich, "/wallet/confirm", &[("wallet_pwd", "123456")]).await;
    let shown = carol.get(paid.location()).await.text;
    let facts = texts(&shown, ".phone dl.facts dd");
    assert_eq!(facts[..2], ["The corner café", "1.50 usdt"], "{facts:?}");
    let history = texts(&carol.get("/wallet").await.text, ".phone tbody tr").join("\n");
    assert!(history.contains("payment · The corner café") && history.contains("coffee-"), "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_is_shown_in_both_languages_and_a_new_password_ends_it() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    let (sheet, _) = waiting(&world, "alice").await;
    let mut shown = String::new();
    for _ in 0..wallet_api::fomo::limits::WRONG_PASSWORDS {
        assert!(!shown.contains("try again in"), "{shown}");
        let refused = send(&mut alice, &sheet, "/wallet/confirm", &[("wallet_pwd", "no")]).await;
        let english = alice.get(refused.location()).await.text;
        shown = texts(&english, "[role=alert]").join("");
        let chinese = alice.get(&format!("{}&lang=zh", refused.location())).await.text;
        let chinese = texts(&chinese, "[role=alert]").join("");
        assert!(shown.contains("Wrong payment password") && chinese.contains("支付密码错误"), "{shown}");
        assert_eq!(shown.contains("; try again in 60 s"), chinese.contains("，请 60 秒后再试"), "{chinese}");
        alice.get("/wallet?lang=en").await;
    }
    assert!(shown.contains("Wrong payment password; try again in 60 s"), "{shown}");
    assert!(shown.contains("set a new payment password: that ends the lock"), "{shown}");
    let pwd = world.user("alice").pwd.clone();
    let typed = [("pwd", pwd.as_str()), ("wallet_pwd", "a new one"), ("again", "a new one")];
    let page = sheet.replace("/wallet?", "/wallet/password?");
    send(&mut alice, &page, "/wallet/password", &typed).await;
    let paid = send(&mut alice, &sheet, "/wallet/confirm", &[("wallet_pwd", "a new one")]).await;
    assert!(alice.get(paid.location()).await.text.contains("Paid"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_tells_what_was_paid_by_each_wallet_and_to_whom() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    assert!(alice.get("/wallet").await.text.contains("deposit"));
    let pwd = world.user("alice").wallet_pwd.clone();
    let (sheet, trade) = waiting(&world, "alice").await;
    send(&mut alice, &sheet, "/wallet/confirm", &[("wallet_pwd", &pwd)]).await;
    let mut orders = vec![("usdt", trade)];
    for (way, asset) in [("vas", "VAS"), ("lafi", "L-F")] {
        let code = alice.get(&format!("/shop/sign_in/{way}")).await.text;
        let scan = link(&code, "Open in the wallet");
        send(&mut alice, &scan, "/wallet/approve", &[]).await;
        let order = send(&mut alice, "/shop", "/shop/buy", &[("item", "tea")]).await.location().to_owned();
        let page = alice.get(&order).await.text;
        let sheet = link(&page, "Pay in the wallet");
        let paid = send(&mut alice, &sheet, "/wallet/pay", &[("wallet_pwd", &pwd)]).await;
        assert!(alice.get(paid.location()).await.text.contains("Submitted"));
        // A submitted payment is not offered again: its payer sees the txid, others do not.
        let again = alice.get(&sheet).await.text;
        assert!(again.contains("A payment was submitted") && again.contains("txid"), "{again}");
        assert_eq!(texts(&again, "#wallet_pwd"), [""; 0]);
        let mut bob = Visitor::new(&world, "en");
        bob.sign_in("bob", "/wallet").await;
        let others = bob.get(&sheet).await.text;
        assert!(others.contains("A payment was submitted") && !others.contains("txid"), "{others}");
        orders.push((asset, order.strip_prefix("/shop/orders/").unwrap().to_owned()));
    }
    let lately = texts(&alice.get("/wallet").await.text, ".phone tbody tr").join("\n");
    for (unit, order) in &orders {
        assert!(lately.contains(order), "{unit}: {lately}");
        let page = alice.get(&format!("/wallet/history?of={unit}")).await.text;
        let rows = texts(&page, ".phone tbody tr");
        let row = rows.iter().find(|row| row.contains(order)).expect("the payment");
        assert!(row.contains('−') && row.contains(unit), "{row}");
        let name = if *unit == "usdt" { "Demo shop" } else { "The corner café" };
        assert!(row.contains(name), "{row}");
        assert_eq!(row.contains("waits for a block"), *unit != "usdt", "{row}");
        let others = orders.iter().filter(|(other, _)| other != unit);
        others.for_each(|(_, other)| assert!(!rows.join(" ").contains(other), "one account at a time"));
    }
    // All accounts together, the newest first.
    let all = texts(&alice.get("/wallet/history").await.text, ".phone tbody tr");
    let paid: Vec<bool> =
        orders.iter().rev().map(|(_, order)| all.iter().any(|row| row.contains(order))).collect();
    assert!(paid == [true; 3] && all[0].contains(&orders[2].1), "{all:?}");
    // A block later it is done; and it is nobody else's.
    world.advance(10).await;
    let page = alice.get("/wallet/history?of=VAS").await.text;
    assert!(page.contains(&orders[1].1) && !page.contains("waits for a block"), "{page}");
    let mut bob = Visitor::new(&world, "en");
    bob.sign_in("bob", "/wallet").await;
    for unit in ["usdt", "VAS", "L-F", "nosuch"] {
        let page = bob.get(&format!("/wallet/history?of={unit}")).await.text;
        orders.iter().for_each(|(_, order)| assert!(!page.contains(order), "{unit}"));
    }
    let nobody = Visitor::new(&world, "en").get("/wallet/history?of=VAS").await;
    assert_eq!(nobody.location(), "/openfomo/login.html?next=%2Fwallet%2Fhistory%3Fof%3DVAS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_history_goes_on_at_another_address() {
    let world = World::start().await;
    let mut bob = Visitor::new(&world, "en");
    bob.sign_in("bob", "/wallet").await;
    for _ in 0..20 {
        send(&mut bob, "/wallet", "/wallet/money", &[]).await;
    }
    let newest = bob.get("/wallet/history?of=btc").await.text;
    let rows = texts(&newest, ".phone tbody tr");
    assert!(rows.len() == 20 && rows.iter().all(|row| row.contains("+100 ")), "{rows:?}");
    let oldest = texts(&bob.get(&link(&newest, "Older")).await.text, ".phone tbody tr");
    assert!(oldest.len() == 1 && oldest[0].contains("+1000 "), "{oldest:?}");
    let none = bob.get("/wallet/history?of=btc&from=99").await;
    assert_eq!(none.status, StatusCode::OK);
    for of in ["btc", "VAS", "nosuch"] {
        for from in ["0", "9223372036854775807", "18446744073709551615"] {
            let odd = format!("/wallet/history?of={of}&from={from}");
            assert!(bob.get(&odd).await.status.is_success(), "{odd}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_was_not_paid_in_time_is_said_to_be_over() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/shop").await;
    let consent = alice.get("/shop/sign_in/fomo").await.location().to_owned();
    let consent = consent.strip_prefix(&world.described().url).unwrap_or(&consent).to_owned();
    let back = send(&mut alice, &consent, "/openfomo/consent", &[("authorized", "yes")]).await;
    alice.get(back.location().strip_prefix(&world.described().url).unwrap()).await;
    let order = send(&mut alice, "/shop", "/shop/buy", &[("item", "cake")]).await.location().to_owned();
    assert_eq!(texts(&alice.get(&order).await.text, "#state"), ["waiting"]);
    let lives = wallet_api::fomo::lifetimes::UNCONFIRMED_PAYMENT.as_secs();
    world.advance(lives - 60).await;
    assert_eq!(texts(&alice.get(&order).await.text, "#state"), ["waiting"]);
    world.advance(61).await;
    let page = alice.get(&order).await.text;
    assert_eq!(texts(&page, "#state"), ["expired"]);
    assert_eq!(link(&page, "Order again"), "/shop");
    assert!(alice.get("/shop").await.text.contains("was not paid in time"), "the log has the reason");
    // What is not there is not found.
    for nowhere in ["/shop/orders/nosuch", "/shop/sign_in/nosuch"] {
        assert_eq!(alice.get(nowhere).await.status, StatusCode::NOT_FOUND, "{nowhere}");
    }
    // Refusing is no failure.
    let refused = send(&mut alice, &consent, "/openfomo/consent", &[("authorized", "no")]).await;
    let shown = alice.get(refused.location().strip_prefix(&world.described().url).unwrap()).await;
    assert!(shown.status == StatusCode::OK && shown.text.contains("You refused access"), "{}", shown.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browsers_name_that_somebody_else_has_chosen_is_worth_nothing() {
    let world = World::start().await;
    let planted = "a".repeat(32);
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    alice.cookies.insert("shop_visitor".to_owned(), planted.clone());
    let mut attacker = Visitor::new(&world, "en");
    attacker.cookies.insert("shop_visitor".to_owned(), planted.clone());
    // By FOMO and by a link: a planted name signs in no attacker.
    let consent = alice.get("/shop/sign_in/fomo").await.location().to_owned();
    let consent = consent.strip_prefix(&world.described().url).unwrap().to_owned();
    let back = send(&mut alice, &consent, "/openfomo/consent", &[("authorized", "yes")]).await;
    alice.get(back.location().strip_prefix(&world.described().url).unwrap()).await;
    assert!(alice.get("/shop").await.text.contains("Welcome"));
    assert!(!attacker.get("/shop").await.text.contains("Welcome"));
    let order = send(&mut alice, "/shop", "/shop/buy", &[("item", "tea")]).await.location().to_owned();
    assert_eq!(attacker.get(&order).await.status, StatusCode::NOT_FOUND);
    alice.cookies.insert("shop_visitor".to_owned(), planted);
    let code = alice.get("/shop/sign_in/vas").await.text;
    send(&mut alice, &link(&code, "Open in the wallet"), "/wallet/approve", &[]).await;
    let shop = alice.get("/shop").await.text;
    assert!(shop.contains("Welcome") && !attacker.get("/shop").await.text.contains("Welcome"));
    // What was bought belongs to the customer who is signed in, and not to the browser.
    assert!(
        shop.contains("There is no order yet") && alice.get(&order).await.status == StatusCode::NOT_FOUND
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_the_app_does_not_take_is_not_called_done() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    let code = alice.get("/shop/sign_in/vas").await.text;
    let sheet = link(&code, "Open in the wallet");
    let first = send(&mut alice, &sheet, "/wallet/approve", &[]).await.location().to_owned();
    assert!(alice.get(&first).await.text.contains("Signed in to The corner café"));
    // The same code again: the shop has no browser that waits for it.
    let second = send(&mut alice, &sheet, "/wallet/approve", &[]).await.location().to_owned();
    let shown = alice.get(&second).await.text;
    assert_eq!(texts(&shown, "p.good"), [""; 0], "{shown}");
    assert!(
        texts(&shown, "p.problem")[0].contains("The corner café did not accept the login: 400"),
        "{shown}"
    );
    let declined = alice.get("/wallet?declined=pay").await.text;
    assert!(declined.contains("nothing was charged"), "{declined}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_paid_is_said_before_a_password_is_asked_for() {
    let world = World::start().await;
    let vas = &world.described().vas;
    let key = PrivateKey::load(&vas.rsa_private_pkcs8).unwrap();
    let signer = RsaSign::new(&key).unwrap();
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    let own = &world.user("alice").address;
    let good = (vas.to_addr.as_str(), "VAS", "1.5", "http://www.shop.localhost/x");
    for (what, why) in [
        (good, ""),
        ((good.0, "BTC", good.2, good.3), "the app takes VAS, but the link has BTC"),
        (("Vxyz", good.1, good.2, good.3), "not an address of the chain"),
        ((good.0, good.1, "0", good.3), "above 0"),
        ((good.0, good.1, "0.123456789", good.3), "at most 8 decimals"),
        ((good.0, good.1, good.2, "https://evil.example/"), "outside the app"),
        ((own, good.1, good.2, good.3), ""),
    ] {
        let (to_addr, asset, amount, back) = what;
        let order = Order {
            order_id: "o-1".into(),
            to_addr: to_addr.to_owned().into(),
            asset: asset.to_owned().into(),
            amount: amount.parse().unwrap(),
            callback_url: back.to_owned().into(),
        };
        let text = order.link(&vas.uuid).qr(Some(&Signer::rsa(&signer, ANY_TIME))).unwrap();
        let shown = alice.get(&format!("/link?{}", form_of(&[("text", &text)]))).await.text;
        let problems = texts(&shown, "p.problem");
        assert_eq!(problems.is_empty(), why.is_empty(), "{what:?}: {problems:?}");
        let sheet = alice.get(&format!("/wallet?{}", form_of(&[("scan", &text)]))).await.text;
        let asked = !texts(&sheet, "form[action='/wallet/pay']").is_empty();
        assert_eq!(asked, why.is_empty() && to_addr != own, "{what:?}: {sheet}");
        if asked {
            continue;
        }
        let refused = texts(&sheet, "p.problem").remove(0);
        assert!(refused.contains(if why.is_empty() { "is yours" } else { why }), "{what:?}: {refused}");
        assert!(why.is_empty() || problems.iter().any(|problem| problem.contains(why)), "{problems:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_leads_elsewhere_is_refused_before_consent() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    let uuid = &world.described().vas.uuid;
    for (back, asked) in [
        ("http://www.shop.localhost:9000/login", true),
        ("https://evil.example:8443/login", false),
        ("http://www.shop.localhost.evil.example/login", false),
        ("other://login", false),
        // The wallet adds these itself.
        ("http://www.shop.localhost:9000/login?openCode=1", false),
    ] {
        let json = serde_json::json!({"type": "login", "platform": "web", "uuid": uuid, "callbackUrl": back});
        let scan = format!("/wallet?{}", form_of(&[("scan", &format!("vaslogin://{json}"))]));
        let page = alice.get(&scan).await.text;
        assert_eq!(!texts(&page, "form[action='/wallet/approve']").is_empty(), asked, "{back}: {page}");
        let problems = texts(&page, "p.problem");
        assert_eq!(problems.is_empty(), asked, "{problems:?}");
        let host = back.split('/').nth(2).unwrap();
        // Both hosts, where the host is the reason.
        let said = |words: &String| match back.contains('?') {
            true => words.contains("has an openCode"),
            false => {
                words.contains(&format!("returns to {host},"))
                    && words.contains("registered for www.shop.localhost")
            }
        };
        assert!(problems.iter().all(said), "{back}: {problems:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_payment_by_link_the_wallet_leads_back_to_its_app() {
    let world = World::start().await;
    let vas = &world.described().vas;
    let key = PrivateKey::load(&vas.rsa_private_pkcs8).unwrap();
    let order = Order {
        order_id: "o-1".into(),
        to_addr: vas.to_addr.clone().into(),
        asset: "VAS".into(),
        amount: "1.5".parse().unwrap(),
        callback_url: "http://www.shop.localhost:9000/paid?of=me".into(),
    };
    let text = order.link(&vas.uuid).qr(Some(&Signer::rsa(&RsaSign::new(&key).unwrap(), ANY_TIME))).unwrap();
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    let sheet = format!("/wallet?{}", form_of(&[("scan", &text)]));
    let pwd = [("wallet_pwd", &*world.user("alice").wallet_pwd)];
    let done = send(&mut alice, &sheet, "/wallet/pay", &pwd).await.location().to_owned();
    for page in [&done, &sheet] {
        let page = alice.get(page).await.text;
        assert_eq!(link(&page, "Back to the app"), "http://www.shop.localhost:9000/", "{page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_page_says_whether_a_link_would_be_followed() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    let uuid = &world.described().vas.uuid;
    for (uuid, back, shown, made) in [
        (&**uuid, "http://www.shop.localhost/x", &["The corner café", "within the app"][..], true),
        (uuid, "https://evil.example/x", &["The corner café", "outside the app"], true),
        ("73f2dc3d-bcf9-3449-ab35-3fc4bcb1e815", "https://x.example", &["no app with this uuid"], true),
        (uuid, "", &["not readable"], false),
    ] {
        let mut json = serde_json::json!({"type": "login", "uuid": uuid, "callbackUrl": back});
        if back.is_empty() {
            json["type"] = "none".into();
        }
        let text = format!("vaslogin://{json}");
        let page = alice.get(&format!("/link?{}", form_of(&[("text", &text)]))).await.text;
        shown.iter().for_each(|shown| assert!(page.contains(shown), "{shown}: {page}"));
        assert_eq!(page.contains("Canonical form"), made, "nothing is made of what is no link");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_was_tampered_with_is_refused_before_a_password_is_asked_for() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    let code = alice.get("/shop/sign_in/vas").await.text;
    send(&mut alice, &link(&code, "Open in the wallet"), "/wallet/approve", &[]).await;
    let order = send(&mut alice, "/shop", "/shop/buy", &[("item", "tea")]).await.location().to_owned();
    let sheet = link(&alice.get(&order).await.text, "Pay in the wallet");
    let good = alice.get(&sheet).await.text;
    assert_eq!(texts(&good, ".amount"), ["0.80 VAS"]);
    let shown = alice.get(&sheet.replace("/wallet?scan=", "/link?text=")).await.text;
    assert!(shown.contains("The signature fits the app"), "{shown}");
    let bad = sheet.replace("0.80", "0.08");
    assert_ne!(bad, sheet);
    let refused = alice.get(&bad).await.text;
    assert!(refused.contains("signature does not fit"), "{refused}");
    assert_eq!(texts(&refused, "#wallet_pwd"), [""; 0]);
    assert!(texts(&refused, "#scan")[0].contains("0.08"), "what was pasted can be mended");
    let shown = alice.get(&bad.replace("/wallet?scan=", "/link?text=")).await.text;
    assert!(shown.contains("The signature does not match"), "{shown}");
    // What is no link says what one looks like; another user's sheet leads to where one signs in, and back.
    let nonsense = alice.get("/wallet?scan=hello").await.text;
    assert!(nonsense.contains("begins with vaswallet://"), "{nonsense}");
    let (sheet, _) = waiting(&world, "bob").await;
    let others = alice.get(&sheet).await.text;
    let next = link(&others, "It is another user's: sign in as the user who ordered.");
    assert_eq!(next, format!("/openfomo/login.html?{}", form_of(&[("next", &sheet)])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invented_transaction_keeps_nobody_from_paying() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    let code = alice.get("/shop/sign_in/vas").await.text;
    send(&mut alice, &link(&code, "Open in the wallet"), "/wallet/approve", &[]).await;
    let order = send(&mut alice, "/shop", "/shop/buy", &[("item", "tea")]).await.location().to_owned();
    let sheet = link(&alice.get(&order).await.text, "Pay in the wallet");
    // Bob has seen the link, and says that he has broadcast its payment.
    let scanned = sheet.strip_prefix("/wallet?scan=").unwrap();
    let (_, scanned) = fields(&format!("scan={scanned}")).remove(0);
    let session = world.session("bob").await;
    let (session, pwd) = (SessionKey::new(session.as_str()), &world.user("bob").wallet_pwd);
    let wallet = VasWallet::new(world.transport().clone(), &world.described().vas.base_url);
    wallet.pay(&session, pwd, &scanned, Some(&"ab".repeat(32))).await.unwrap();
    // The chain has never shown it: the platform's rule leaves the place free, and so does the wallet.
    let asked = alice.get(&sheet).await.text;
    assert_eq!(texts(&asked, ".amount"), ["0.80 VAS"], "{asked}");
    let pwd = world.user("alice").wallet_pwd.clone();
    let paid = send(&mut alice, &sheet, "/wallet/pay", &[("wallet_pwd", &pwd)]).await;
    assert!(alice.get(paid.location()).await.text.contains("Submitted"));
    world.advance(10).await;
    assert_eq!(texts(&alice.get(&order).await.text, "#state"), ["paid"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_signature_page_keeps_what_is_no_secret_in_the_other_language() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    let typed = [("client_secret", "a-secret-of-mine"), ("timestamp", "1574510444"), ("sign", "0a")];
    let shown = send(&mut alice, "/sign", "/sign", &typed).await.text;
    let other = link(&shown, "中文");
    assert!(!other.contains("secret-of-mine"), "{other}");
    assert_eq!(alice.get(&other).await.field("timestamp"), "1574510444");
    let none = [("client_secret", " "), ("timestamp", "1574510444"), ("sign", "0a")];
    let shown = send(&mut alice, "/sign?lang=en", "/sign", &none).await.text;
    assert!(shown.contains("enter the client_secret"), "{shown}");
    let typed = [("link", "vaspay://{\"type\":\"login\"}"), ("key", "")];
    let shown = send(&mut alice, "/sign?kind=link&lang=en", "/sign", &typed).await.text;
    let verdict = texts(&shown, "[role=alert]");
    let other = alice.get(&link(&shown, "中文")).await.text;
    let in_chinese = texts(&other, "[role=alert]");
    assert!(verdict.len() == 1 && in_chinese.len() == 1 && verdict != in_chinese, "{in_chinese:?}");
}
