//! Operators: roles, suspended apps, frozen users, refunds, the second factor, and what the record keeps of it.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use totp_rs::{Builder, Secret as TotpSecret};
use wallet_api::fomo::CoinId;
use wallet_core::Secret;
use wallet_crypto::Portable;
use wallet_platform::{
    Audited, Audits, ByOperator, Damage, Decision, DeliveryId, Deposit, Digest, EndSessionsOf, EnrolOperator,
    FindApp, FindUser, FreezeUser, OperatorAct, Reason, RefundFault, RefundPayment, RemoveOperator,
    RemoveSecondFactor, ReviewDomain, ReviewVas, Role, Roles, SendAgain, SetSuspended, SheetKind,
    TransferSeq, VasAppId,
};
use wallet_server::Store;
use wallet_server::keeping::MasterKey;
use wallet_server::store::Location;
use wallet_tests::{Call, Database, Merchant, Node, Postgres, World, configure, said, wallop};

use crate::pages::Visitor;

async fn suspend(world: &World, suspended: bool) {
    let app =
        world.store().view(FindApp::even_suspended(&world.described().fomo.client_id)).await.unwrap().app;
    let command = SetSuspended { kind: SheetKind::App, id: app.id.0, suspended };
    world.store().submit(ByOperator::machine("test", command)).await.unwrap().unwrap();
}

async fn freeze(world: &World, name: &str, frozen: bool) {
    let user = world.store().view(FindUser(name.to_owned())).await.unwrap().unwrap().id;
    world.store().submit(ByOperator::machine("test", FreezeUser { user, frozen })).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r85_a_suspended_app_is_refused_everywhere_and_goes_on_when_it_is_resumed() {
    let world = World::start().await;
    let merchant = Merchant::open().await;
    let (token, refresh) = world.tokens("alice").await;
    let code = world.token("alice").await;
    let confirm = world.confirm_pay("alice").await;
    merchant.answer(&[503, 200]);
    let paid = world.pay_user("alice").with("server_uri", &merchant.url);
    world.call(&paid).await.ok();
    let mut owner = Visitor::new(&world, "en");
    owner.sign_in("owner", "/apps").await;
    suspend(&world, true).await;
    let own = owner.get("/apps/fomo/demo_app").await.text;
    assert!(own.contains("has suspended this app") && !own.contains(">active<"), "{own}");
    assert!(owner.get("/apps").await.text.contains("suspended"));
    let info = Call::post("oauth2/resource/get_user_info").bearer(&token);
    for call in [&info, &world.pre_pay_with(&token), &confirm, &world.pay_user("bob"), &world.get_trade("x")]
    {
        let reply = world.call(call).await;
        assert_eq!((reply.http, reply.status()), (200, 54), "{}: {}", call.path, reply.text);
        assert!(reply.text.contains("suspended") || reply.text.contains("停用"), "{}", reply.text);
    }
    for call in [&code, &world.refresh_of(&refresh)] {
        let reply = world.call(call).await;
        assert_eq!((reply.http, reply.status()), (400, 54), "{}", reply.text);
        assert_eq!(reply.json["error"], "unauthorized_client");
        let wrong = world.call(&call.clone().with("client_secret", "wrong")).await;
        assert_eq!(wrong.json["error"], "invalid_client", "only the app itself learns of it here");
    }
    assert_eq!(world.call(&world.authorize("bob").await).await.status(), 54);
    // What was paid is still reported.
    world.advance(120).await;
    assert_eq!(merchant.wait_for(2).await.len(), 2, "the callback was sent again");
    suspend(&world, false).await;
    for call in [&info, &world.token("alice").await, &world.refresh_of(&refresh), &world.pay_user("bob")] {
        world.call(call).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r86_a_frozen_user_neither_signs_in_nor_pays_nor_is_paid() {
    let world = World::start().await;
    let (token, _) = world.tokens("alice").await;
    let confirm = world.confirm_pay("alice").await;
    let login = |pwd: &str| Call::post("customer/login").with("login_name", "alice").with("pwd", pwd);
    let session = world.session("alice").await;
    freeze(&world, "alice", true).await;
    assert_eq!(world.call(&login(&world.user("alice").pwd)).await.status(), 54);
    assert_eq!(world.call(&login("wrong")).await.status(), 12, "only who knows the password learns of it");
    for call in [&world.pre_pay_with(&token), &confirm, &world.pay_user("alice")] {
        let reply = world.call(call).await;
        assert_eq!(reply.status(), 54, "{}: {}", call.path, reply.text);
    }
    let coins = Call::post("wallet/get_user_coins").with("session_key", &session);
    world.call(&coins).await.ok();
    freeze(&world, "alice", false).await;
    world.call(&login(&world.user("alice").pwd)).await.ok();
    world.call(&confirm).await.ok();
    // A frozen owner's app neither pays nor is paid.
    let waiting = world.confirm_pay("bob").await;
    freeze(&world, "owner", true).await;
    for call in [&world.pay_user("bob"), &waiting, &world.pre_pay("bob").await] {
        assert_eq!(world.call(call).await.status(), 54, "{}", call.path);
    }
}

/// Gives an operator these roles.
async fn roles(world: &World, name: &str, roles: Roles) {
    let user = world.store().view(FindUser(name.to_owned())).await.unwrap().unwrap().id;
    world.store().submit(ByOperator::machine("test", EnrolOperator { user, roles })).await.unwrap();
}

/// The code of a secret at a time.
pub(crate) fn totp(secret: &str, seconds: u64) -> String {
    let secret = TotpSecret::try_from_base32(secret).unwrap();
    Builder::new().with_secret(secret).build().unwrap().generate(seconds).to_string()
}

fn text(page: &str, selector: &str) -> String {
    let page = scraper::Html::parse_document(page);
    let found = page.select(&scraper::Selector::parse(selector).unwrap()).next();
    found.map(|found| found.text().collect()).unwrap_or_default()
}

/// Sets the second factor of the signed-in operator, and returns its secret.
async fn second_factor(world: &World, operator: &mut Visitor<'_>) -> String {
    const PAGE: &str = "/admin/second_factor";
    let begun = operator.post(PAGE, PAGE, &[("act", "begin"), ("pwd", "operator-password")]).await;
    assert_eq!(begun.location(), PAGE, "{}", begun.text);
    let secret = text(&operator.get(PAGE).await.text, "#secret");
    let now: u64 = world.timestamp().parse().unwrap();
    let confirmed = operator.post(PAGE, PAGE, &[("act", "confirm"), ("code", &totp(&secret, now))]).await;
    assert_eq!(confirmed.location(), PAGE, "{}", confirmed.text);
    assert!(operator.get(PAGE).await.text.contains("id=\"confirmed\""));
    secret
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r87_r88_a_refund_takes_a_role_a_fresh_code_and_a_reason_and_both_sides_see_it() {
    let world = World::start().await;
    let confirm = world.confirm_pay("alice").await; // 1.5 usdt or so, by alice
    world.call(&confirm).await.ok();
    let balance = async |name: &str| world.balances(name).await["5"].clone();
    let (alice_before, owner_before) = (balance("alice").await, balance("owner").await);
    let mut operator = Visitor::new(&world, "en");
    operator.sign_in("operator", "/admin").await;
    // It is found by the app's own id.
    let trade_id = confirm.field("trade_id");
    let found = operator.get(&format!("/admin/find?q={trade_id}")).await;
    let page = found.location().to_owned();
    assert!(page.starts_with("/admin/payment/"), "{page} {}", found.text);
    let by_wire_id = operator.get(&format!("/admin/find?q={}", confirm.field("transfer_id"))).await;
    assert_eq!(by_wire_id.location(), page);
    let refund = async |operator: &mut Visitor<'_>, amount: &str, reason: &str, code: &str| {
        let fields = [("act", "refund"), ("amount", amount), ("reason", reason), ("code", code)];
        operator.post(&page, &page, &fields).await
    };
    let refused = |got: &crate::pages::Got, why: &str| {
        assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(text(&got.text, "#fault").contains(why), "{why}: {}", text(&got.text, "#fault"));
    };
    // Without a second factor.
    refused(&refund(&mut operator, "0.5", "broken", "123456").await, "no second factor is set");
    let wrong = [("act", "begin"), ("pwd", "wrong")];
    let wrong = operator.post("/admin/second_factor", "/admin/second_factor", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let secret = second_factor(&world, &mut operator).await;
    let now = || world.timestamp().parse::<u64>().unwrap();
    // The code that confirmed the factor is used up.
    refused(&refund(&mut operator, "0.5", "broken", &totp(&secret, now())).await, "were used");
    world.jump(Duration::from_secs(60));
    refused(&refund(&mut operator, "0.5", " ", &totp(&secret, now())).await, "Enter the reason");
    refused(&refund(&mut operator, "1000000", "broken", &totp(&secret, now())).await, "left to refund");
    world.jump(Duration::from_secs(60));
    refused(&refund(&mut operator, "0.5x", "broken", &totp(&secret, now())).await, "no decimal number");
    let done = refund(&mut operator, "0.5", "broken <b>box</b>", &totp(&secret, now())).await;
    assert_eq!(done.location(), page, "{}", text(&done.text, "#fault"));
    // The same code again.
    refused(&refund(&mut operator, "0.5", "broken", &totp(&secret, now())).await, "were used");
    let shown = operator.get(&page).await.text;
    assert!(shown.contains("0.5 usdt") && shown.contains("broken &#60;b&#62;box"), "{shown}");
    let units = |text: &str| (text.parse::<f64>().unwrap() * 1e6).round() as i64;
    assert_eq!(units(&balance("alice").await) - units(&alice_before), 500_000);
    assert_eq!(units(&owner_before) - units(&balance("owner").await), 500_000);
    // Both see it in their records.
    for name in ["alice", "owner"] {
        let session = world.session(name).await;
        let records = Call::post("wallet/coins_record")
            .with("session_key", &session)
            .with("coin_id", "5")
            .with("page", "1");
        let newest = &world.call(&records).await.ok().json["data"]["records"][0].clone();
        assert!(newest.to_string().contains("0.5"), "{newest}");
    }
    // Another session of the operator must give a code before anything else, on the pages and by the platform.
    let mut stolen = Visitor::new(&world, "en");
    stolen.sign_in("operator", "/admin").await;
    for address in ["/admin", &*page, "/admin/find?q=alice"] {
        assert_eq!(stolen.get(address).await.location(), "/admin/second_factor", "{address}");
    }
    let freeze = [("act", "freeze"), ("reason", "by force")];
    let forced = stolen.post("/admin/second_factor", "/admin/user/1", &freeze).await;
    assert_eq!(forced.location(), "/admin/second_factor");
    let name = format!("wallop_session_{}", world.described().url.rsplit(':').next().unwrap());
    let session = world.store().vault().hash(&stolen.cookies[&name]);
    let user = world.store().view(FindUser("alice".to_owned())).await.unwrap().unwrap().id;
    let forced = ByOperator::new(session, FreezeUser { user, frozen: true });
    assert!(world.store().submit(forced).await.unwrap_err().to_string().contains("SecondFactorWrong"));
    world.jump(Duration::from_secs(60));
    let give = [("act", "give"), ("code", &*totp(&secret, now()))];
    let given = stolen.post("/admin/second_factor", "/admin/second_factor", &give).await;
    assert_eq!(given.location(), "/admin", "{}", text(&given.text, "#fault"));
    assert_eq!(stolen.get(&page).await.status, StatusCode::OK);
    let mut owner = Visitor::new(&world, "en");
    owner.sign_in("owner", "/apps").await;
    let seen = owner.get(&format!("/apps/fomo/demo_app/payments/one?id={trade_id}")).await;
    assert!(seen.text.contains("refunded") && seen.text.contains("0.5 usdt"), "{}", seen.text);
    // What is no number is no page.
    assert_eq!(operator.get("/admin/user/alice").await.status, StatusCode::NOT_FOUND);
    // A second factor that was removed and set again opens no session of before.
    let command = ByOperator::machine(
        "lost",
        RemoveSecondFactor(world.store().view(FindUser("operator".to_owned())).await.unwrap().unwrap().id),
    );
    world.store().submit(command).await.unwrap().unwrap();
    world.jump(Duration::from_secs(60));
    let secret = second_factor(&world, &mut operator).await;
    assert_eq!(
        stolen.get("/admin").await.location(),
        "/admin/second_factor",
        "the code before counts no more"
    );
    world.jump(Duration::from_secs(60));
    // Without the role.
    roles(&world, "operator", Roles::of([Role::Review, Role::Support])).await;
    world.jump(Duration::from_secs(60));
    assert!(!operator.get(&page).await.text.contains("act-refund"));
    let got = refund(&mut operator, "0.1", "broken", &totp(&secret, now())).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    roles(&world, "operator", Roles::of([Role::Money])).await;
    assert!(!operator.get("/admin/find?q=alice").await.text.contains("act-freeze"));
    // Wrong codes lock, as passwords do.
    for _ in 0..4 {
        refused(&refund(&mut operator, "0.1", "broken", "000000").await, "wrong");
    }
    refused(&refund(&mut operator, "0.1", "broken", "000000").await, "wait");
    refused(&refund(&mut operator, "0.1", "broken", &totp(&secret, now())).await, "wait");
    // The record says who, what and why.
    let audits = world.store().view(Audits { limit: 20 }).await.unwrap();
    let record = audits.iter().find(|one| one.audit.act == OperatorAct::Refunded).unwrap();
    assert_eq!(record.operator.as_deref(), Some("operator"));
    assert!(record.audit.about.contains(trade_id) && record.audit.about.ends_with(": 0.5"), "{record:?}");
    assert_eq!(record.audit.reason, "broken <b>box</b>");
    assert_eq!(audits.iter().filter(|one| one.audit.act == OperatorAct::SecondFactorSet).count(), 2);
}

fn location(database: &Database) -> Option<(Location, MasterKey)> {
    let at = match database {
        Database::Memory => return None,
        Database::Sqlite(path) => Location::Sqlite(path.clone()),
        Database::Postgres(name) => Location::Postgres(Postgres::of_the_tests().url(name)),
    };
    Some((at, MasterKey { crypto: Arc::new(Portable::new()), key: Secret::new([7; 32]) }))
}

/// A check of the whole database finds nothing.
pub(crate) fn check_whole(database: &Database) {
    let Some((at, master)) = location(database) else { return };
    assert_eq!(at.check(&master, &|_, _| {}).unwrap().damaged, []);
}

/// A refund that was not paid out is found.
fn check_refunds(database: &Database) {
    let Some((at, master)) = location(database) else { return };
    database.change("UPDATE refund SET amount = (SELECT amount FROM transfer WHERE done = 1 LIMIT 1)");
    let found = at.check(&master, &|_, _| {}).unwrap().damaged;
    assert!(found.iter().any(|one| matches!(one.damage, Damage::Refunded { .. })), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r87_refunds_never_exceed_the_payment_nor_overdraw_the_owner() {
    for world in wallet_tests::TestStore::everywhere(1).await {
        let store = &world.store;
        let tokens = world.tokens(0).await;
        world.pay(&tokens, "first").await.unwrap();
        let waiting = world.waiting(&tokens, "waiting", "1").await;
        let paid = TransferSeq(waiting.0 - 1);
        let paid = (1..40).map(|back| TransferSeq(paid.0 - back + 1));
        let refund = async |transfer: TransferSeq, amount: &str| {
            let amount = amount.parse().unwrap();
            let reason = "test".to_owned();
            store.submit(ByOperator::machine("test", RefundPayment { transfer, amount, reason })).await
        };
        assert_eq!(refund(waiting, "1").await.unwrap().unwrap_err(), RefundFault::NotAPayment);
        assert_eq!(refund(TransferSeq(1), "1").await.unwrap().unwrap_err(), RefundFault::Unknown);
        // The payment is the row that can be refunded.
        let mut id = None;
        for candidate in paid {
            if refund(candidate, "0.25").await.unwrap().is_ok() {
                id = Some(candidate);
                break;
            }
        }
        let id = id.expect("the payment");
        // Two at once, of which one is too much.
        let (one, two) = tokio::join!(refund(id, "0.5"), refund(id, "0.5"));
        let outcomes = [one.unwrap(), two.unwrap()];
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert!(refund(id, "0.250001").await.unwrap().is_err());
        assert!(refund(id, "0").await.is_err());
        refund(id, "0.25").await.unwrap().unwrap();
        let over = refund(id, "0.000001").await.unwrap();
        assert!(matches!(over, Err(RefundFault::TooMuch(left)) if left.get() == 0), "{over:?}");
        // A deposit beyond the largest balance is refused whole.
        let most = Deposit {
            user: world.users[0].0,
            coin: CoinId::new(5),
            amount: "999999999999999999999999999999".parse().unwrap(),
        };
        let refused = store.submit(ByOperator::machine("test", most)).await.unwrap_err();
        assert!(refused.to_string().contains("Field"), "{refused}");
        check_whole(&world.database);
        check_refunds(&world.database);
    }
}

/// Whether a command of an operator is refused for the operator's roles.
async fn is_refused<C: Audited + Send + 'static>(store: &Store, session: Digest, command: C) -> bool
where
    C::Outcome: Send,
{
    let done = store.submit(ByOperator::new(session, command).because("test")).await;
    done.is_err_and(|failure| failure.refused().is_some_and(|no| no.reason == Reason::NotAllowed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r88_each_act_takes_its_role_and_none_gives_roles() {
    let world = wallet_tests::TestStore::memory(2).await;
    let (store, (operator, session), user) = (&world.store, world.users[0], world.users[1].0);
    let amount = || "1".parse().unwrap();
    let app = VasAppId(1);
    for role in [Role::Review, Role::Support, Role::Money] {
        let roles = Roles::of([role]);
        store.submit(ByOperator::machine("", EnrolOperator { user: operator, roles })).await.unwrap();
        macro_rules! takes {
            ($needed:expr, $command:expr) => {
                let refused = is_refused(store, session, $command).await;
                assert_eq!(refused, $needed != Some(role), "{} as {role:?}", stringify!($command));
            };
        }
        takes!(Some(Role::Review), ReviewVas { app, decision: Decision::Reject { reason: "no".to_owned() } });
        takes!(Some(Role::Review), ReviewDomain { app, safe_domain: "a.example".to_owned(), approve: true });
        takes!(Some(Role::Support), FreezeUser { user, frozen: false });
        takes!(Some(Role::Support), EndSessionsOf { user, sessions: vec![] });
        takes!(Some(Role::Support), SendAgain(DeliveryId(1)));
        takes!(Some(Role::Support), SetSuspended { kind: SheetKind::App, id: 1, suspended: true });
        takes!(Some(Role::Money), Deposit { user, coin: CoinId::new(5), amount: amount() });
        takes!(
            Some(Role::Money),
            RefundPayment { transfer: TransferSeq(1), amount: amount(), reason: "no".to_owned() }
        );
        // An operator who could give roles would have every role.
        takes!(None, EnrolOperator { user: operator, roles: Roles::ALL });
        takes!(None, RemoveOperator(user));
        takes!(None, RemoveSecondFactor(operator));
    }
}

#[test]
fn every_admin_command_reaches_a_running_server_and_prints_json() {
    let (directory, cluster) = (tempfile::tempdir().unwrap(), Postgres::of_the_tests());
    assert!(wallop(&["key", "new", directory.path().join("key").to_str().unwrap()]).status.success());
    let file = directory.path().join("wallop.db");
    for database in [format!("sqlite:{}", file.display()), cluster.url(&cluster.new_database())] {
        let config = configure(directory.path(), &database);
        let node = Node::start(&config);
        let admin = |arguments: &[&str]| {
            let output = wallop(&[&["admin"], arguments, &["--config", &config, "--json"]].concat());
            let (code, all) = said(&output);
            (code, serde_json::from_slice::<Value>(&output.stdout).unwrap_or(Value::Null), all)
        };
        let ok = |arguments: &[&str]| {
            let (code, value, all) = admin(arguments);
            assert_eq!(code, Some(0), "{arguments:?}: {all}");
            value
        };
        let refused = |arguments: &[&str], why: &str| {
            let (code, _, all) = admin(arguments);
            assert!(code == Some(1) && all.contains(why), "{arguments:?}: {code:?} {all}");
        };
        let carol = ok(&["operator", "add", "carol", "--role", "review", "--role", "support"]);
        assert_eq!(carol["roles"], "review, support");
        refused(&["operator", "add", "dan", "--role", "boss"], "there is no role boss");
        assert_eq!(ok(&["operator", "list"])[0]["login_name"], "carol");
        let login = |pwd: &Value| {
            let fields = [("login_name", "carol"), ("pwd", pwd.as_str().unwrap())];
            node.call("/fomo/customer/login", &fields)
        };
        let session = login(&carol["pwd"]);
        assert_eq!(session["success"], true, "{session}");
        let coins = || {
            let session = session["data"]["session_key"].as_str().unwrap();
            node.call("/fomo/wallet/get_user_coins", &[("session_key", session)])["status"].clone()
        };
        assert_eq!(coins(), 1);
        assert_eq!(ok(&["user", "find", "carol"])[0]["login_name"], "carol");
        let id = ok(&["user", "show", "carol"])[0]["user_id"].as_str().unwrap().to_owned();
        assert_eq!(ok(&["find", &id])[0]["login_name"], "carol");
        assert_eq!(ok(&["user", "freeze", &id, "--reason", "stolen phone"])[0]["frozen"], true);
        refused(&["user", "freeze", "carol", "--reason", "again"], "nothing changed");
        assert_eq!(login(&carol["pwd"])["status"], 54);
        assert_eq!(ok(&["user", "unfreeze", "carol", "--reason", "found"])[0]["frozen"], false);
        assert_eq!(ok(&["user", "end-sessions", "carol", "--reason", "stolen phone"])["ended"], 1);
        assert_eq!(coins(), 3);
        let again = ok(&["operator", "reset-password", "carol"]);
        assert_eq!(
            (login(&carol["pwd"])["status"].clone(), login(&again["pwd"])["success"].clone()),
            (12.into(), true.into())
        );
        refused(&["operator", "reset-second-factor", "carol"], "no second factor");
        refused(&["user", "freeze", "nobody", "--reason", "x"], "nothing has the id nobody");
        // A login name that reads as somebody else's number: nothing is done to either.
        ok(&["operator", "add", &id]);
        refused(&["user", "freeze", &id, "--reason", "x"], "is the id of more than one");
        ok(&["coin", "put", "7", "eur", "--decimals", "2"]);
        assert_eq!(ok(&["coin", "list"])[0]["name"], "eur");
        refused(&["coin", "put", "7", "eur", "--decimals", "3"], "");
        refused(&["deposit", &id, "7", "1", "--reason", "x"], "is the id of more than one");
        assert_eq!(ok(&["deposit", "carol", "7", "1.5", "--reason", "paid in"])[0]["balance"], "1.5 eur");
        assert_eq!(ok(&["app", "list"]), Value::Array(Vec::new()));
        for arguments in [
            &["app", "show", "none"][..],
            &["app", "suspend", "none", "--reason", "x"],
            &["app", "resume", "none", "--reason", "x"],
            &["app", "approve", "1"],
            &["app", "reject", "1", "--reason", "x"],
            &["find", "none"],
            &["callbacks", "resend", "1", "--reason", "x"],
        ] {
            let (code, _, all) = admin(arguments);
            assert_eq!(code, Some(1), "{arguments:?}: {all}");
        }
        assert_eq!(ok(&["callbacks", "failing"]), Value::Array(Vec::new()));
        ok(&["operator", "remove", "carol"]);
        refused(&["operator", "remove", "carol"], "is no operator");
        let audit = ok(&["audit"]);
        let acts: Vec<&str> =
            audit.as_array().unwrap().iter().map(|act| act["act"].as_str().unwrap()).collect();
        assert_eq!(
            acts,
            [
                "ended sessions",
                "removed from the operators",
                "deposited",
                "set a coin",
                "made an operator",
                "reset the password",
                "ended sessions",
                "lifted the freeze",
                "froze",
                "made an operator"
            ]
        );
        assert_eq!(audit[8]["reason"], "stolen phone");
        drop(node);
    }
    // The socket of a killed server is in nobody's way.
    assert!(file.with_extension("db.admin").exists());
    let config = configure(directory.path(), &format!("sqlite:{}", file.display()));
    let listed = wallop(&["admin", "operator", "list", "--config", &config]);
    assert_eq!(said(&listed).0, Some(0), "{}", said(&listed).1);
}
