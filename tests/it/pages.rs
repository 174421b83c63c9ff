//! Pages without a browser: what protects them, and what every one of them has.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use scraper::{Html, Selector};
use wallet_client::QrCode;
use wallet_core::crypto::RsaSigner as _;
use wallet_core::{Transport, form};
use wallet_crypto::{PrivateKey, PublicKey, RsaSign};
use wallet_platform::{
    Audits, ByOperator, Decision, DeliveryId, OperatorAct, ReviewVas, SendAgain, VasAppId,
};
use wallet_tests::{Call, Merchant, World};

use crate::chain::Shop;

/// The memory of a browser: cookies, and forms with their values.
pub(crate) struct Visitor<'w> {
    world: &'w World,
    pub(crate) cookies: HashMap<String, String>,
    lang: &'static str,
}

pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Got {
    pub(crate) fn location(&self) -> &str {
        self.headers.get("location").map_or("", |to| to.to_str().unwrap())
    }

    pub(crate) fn csrf(&self) -> String {
        self.field("csrf")
    }

    /// The value of a form's field.
    pub(crate) fn field(&self, name: &str) -> String {
        let page = Html::parse_document(&self.text);
        let field = page.select(&Selector::parse(&format!("input[name={name}]")).unwrap()).next();
        field.expect("a field").value().attr("value").unwrap().to_owned()
    }
}

impl<'w> Visitor<'w> {
    pub(crate) fn new(world: &'w World, lang: &'static str) -> Self {
        Self { world, cookies: HashMap::new(), lang }
    }

    async fn send(&mut self, mut request: http::Request<Vec<u8>>) -> Got {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers = request.headers_mut();
        if !cookies.is_empty() {
            headers.insert("cookie", cookies.join("; ").parse().unwrap());
        }
        headers.insert("accept-language", self.lang.parse().unwrap());
        headers.insert("accept", "text/html".parse().unwrap());
        let (parts, body) = self.world.transport().send(request).await.unwrap().into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            match value.is_empty() {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        Got { status: parts.status, headers: parts.headers, text: String::from_utf8(body).unwrap() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.world.described().url)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Got {
        self.send(http::Request::get(self.url(path)).body(Vec::new()).unwrap()).await
    }

    pub(crate) async fn post_with(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        header: Option<(&str, &str)>,
    ) -> Got {
        let mut body = Vec::new();
        fields.iter().for_each(|(name, value)| form::append(name, value, &mut body));
        let mut request =
            http::Request::post(self.url(path)).header("content-type", "application/x-www-form-urlencoded");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        self.send(request.body(body).unwrap()).await
    }

    /// With the token of the page at `from`.
    pub(crate) async fn post(&mut self, from: &str, path: &str, fields: &[(&str, &str)]) -> Got {
        let csrf = self.get(from).await.csrf();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post_with(path, &all, None).await
    }

    pub(crate) async fn sign_in(&mut self, name: &str, next: &str) -> Got {
        let pwd = match name {
            "owner" => self.world.described().fomo.owner_pwd.clone(),
            "operator" => "operator-password".to_owned(),
            "dora" => "dora-password".to_owned(),
            name => self.world.user(name).pwd.clone(),
        };
        self.post(
            "/openfomo/login.html",
            "/openfomo/login.html",
            &[("login_name", name), ("pwd", &pwd), ("next", next)],
        )
        .await
    }
}

/// The name of a sandbox's session cookie: with its port, so that two sandboxes do not sign each other's users out.
fn session_cookie(world: &World) -> String {
    format!("wallop_session_{}", world.described().url.rsplit(':').next().unwrap())
}

#[tokio::test]
async fn sandboxes_on_one_machine_keep_their_own_sessions() {
    let (here, there) = (World::start().await, World::start().await);
    let mut visitor = Visitor::new(&here, "en");
    visitor.sign_in("alice", "/apps").await;
    // A browser sends the cookies of one port to all others.
    let mut elsewhere = Visitor::new(&there, "en");
    elsewhere.cookies = visitor.cookies.clone();
    elsewhere.sign_in("bob", "/apps").await;
    visitor.cookies = elsewhere.cookies.clone();
    assert!(visitor.get("/apps").await.text.contains("Alice"), "still signed in");
    assert!(elsewhere.get("/apps").await.text.contains("Bob"));
    // The session of a program of before has the plain name.
    let mut old = Visitor::new(&here, "en");
    old.cookies.insert("wallop_session".to_owned(), visitor.cookies[&session_cookie(&here)].clone());
    assert_eq!(old.get("/apps").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_form_without_its_token_or_from_elsewhere_does_nothing() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/apps").await;
    let app = [("client_id", "made_by_force"), ("name", "x"), ("redirect_uri", "x")];
    let made = async |alice: &mut Visitor<'_>| alice.get("/apps").await.text.contains("made_by_force");
    // Without a token, with another visitor's, with the one of before the sign-in.
    let mut other = Visitor::new(&world, "en");
    other.sign_in("bob", "/apps").await;
    let foreign = other.get("/apps/new").await.csrf();
    let before = Visitor::new(&world, "en").get("/openfomo/login.html").await.csrf();
    for token in ["", "0000000000000000000000000000000000000000", &foreign, &before] {
        let mut fields = vec![("csrf", token)];
        fields.extend(app);
        let got = alice.post_with("/apps/new/fomo", &fields, None).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN);
        assert!(got.text.contains("Nothing was done"), "{}", got.text);
        assert!(!made(&mut alice).await);
    }
    // With the right token, sent by a page elsewhere.
    let token = alice.get("/apps/new").await.csrf();
    let mut fields = vec![("csrf", token.as_str())];
    fields.extend(app);
    for from in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(
            alice.post_with("/apps/new/fomo", &fields, Some(from)).await.status,
            StatusCode::FORBIDDEN
        );
        assert!(!made(&mut alice).await);
    }
    let own = world.described().url.clone();
    let got = alice.post_with("/apps/new/fomo", &fields, Some(("origin", &own))).await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    assert!(made(&mut alice).await, "the same form from here does it");
}

#[tokio::test]
async fn no_form_is_taken_without_its_token() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/apps").await;
    let routes = [
        include_str!("../../crates/wallet-server/src/pages/mod.rs"),
        include_str!("../../crates/wallet-server/src/fomo/app_page.rs"),
        include_str!("../../crates/wallet-server/src/fomo/consent.rs"),
        include_str!("../../crates/wallet-server/src/fomo/new_app.rs"),
        include_str!("../../crates/wallet-server/src/vas/app_page.rs"),
        include_str!("../../crates/wallet-server/src/vas/new_app.rs"),
        include_str!("../../crates/wallet-server/src/vas/review.rs"),
        include_str!("../../crates/wallet-sandbox/src/pages/mod.rs"),
    ];
    let mut tried = 0;
    let routes = routes.iter().flat_map(|text| text.split(".route(").skip(1));
    for route in routes.filter(|route| route.split(".route(").next().unwrap().contains("post(")) {
        let Some(path) = route.split('"').nth(1) else { continue };
        if path.starts_with("/shop/callback/") {
            continue; // a platform's, not a page's
        }
        let path = path.replace(['{', '}'], "");
        let csrf = alice.get("/wallet").await.csrf();
        let wrong = ["", "0000000000000000000000000000000000000000", &csrf[1..]];
        for token in wrong {
            let body = match path.as_str() {
                "/wallet/scan" => multipart(token, b"x"),
                _ => form_of(&[("csrf", token)]).into_bytes(),
            };
            let kind = match path.as_str() {
                "/wallet/scan" => "multipart/form-data; boundary=b",
                _ => "application/x-www-form-urlencoded",
            };
            let request = http::Request::post(alice.url(&path)).header("content-type", kind);
            let got = alice.send(request.body(body).unwrap()).await;
            assert_eq!(got.status, StatusCode::FORBIDDEN, "{path}");
        }
        tried += 1;
    }
    assert_eq!(tried, 45, "every form of all");
}

#[tokio::test]
async fn a_session_is_a_new_one_after_every_sign_in() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    // A session that somebody else has planted is nobody's, and is not taken over.
    visitor.cookies.insert(session_cookie(&world), "a".repeat(40));
    assert_eq!(visitor.get("/apps").await.location(), "/openfomo/login.html?next=%2Fapps");
    visitor.sign_in("alice", "/apps").await;
    let first = visitor.cookies[&session_cookie(&world)].clone();
    assert_ne!(first, "a".repeat(40));
    assert_eq!(visitor.get("/apps").await.status, StatusCode::OK);
    visitor.sign_in("alice", "/apps").await;
    let second = visitor.cookies[&session_cookie(&world)].clone();
    assert_ne!(second, first);
    // The one before is over, and so is this one after signing out.
    let mut thief = Visitor::new(&world, "en");
    thief.cookies.insert(session_cookie(&world), first);
    assert_eq!(thief.get("/apps").await.status, StatusCode::SEE_OTHER);
    visitor.post("/apps", "/openfomo/logout", &[]).await;
    assert!(!visitor.cookies.contains_key(&session_cookie(&world)));
    thief.cookies.insert(session_cookie(&world), second);
    assert_eq!(thief.get("/apps").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
    let world = World::start().await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""] {
        let got = Visitor::new(&world, "en").sign_in("alice", next).await;
        assert_eq!((got.status, got.location()), (StatusCode::SEE_OTHER, "/apps"), "{next:?}");
    }
    for next in ["/.//evil.example", "/..//evil.example", "/%2e%2E//evil.example", "/x//y"] {
        assert_eq!(Visitor::new(&world, "en").sign_in("alice", next).await.location(), "/apps", "{next}");
    }
    // No link of ours begins with two slashes, whatever address was asked for.
    let asked = Visitor::new(&world, "en").get("//evil.example/x?a=b").await;
    assert_eq!(asked.status, StatusCode::NOT_FOUND);
    assert!(
        !asked.text.contains("href=\"//") && asked.text.contains("href=\"/evil.example/x"),
        "{}",
        asked.text
    );
    let got = Visitor::new(&world, "en").sign_in("alice", "/wallet?scan=x").await;
    assert_eq!(got.location(), "/wallet?scan=x");
    // Consent goes back to the registered address only, and says so before anybody signs in.
    let fomo = &world.described().fomo;
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/apps").await;
    for (client_id, redirect_uri) in [
        (fomo.client_id.as_str(), "https://evil.example/back"),
        (&fomo.client_id, "https://shop.example/back/"),
        (&fomo.client_id, "https://shop.example/back?x=1"),
        ("no_such_app", &fomo.redirect_uri),
        (&fomo.client_id, ""),
    ] {
        let mut query = Vec::new();
        for (name, value) in [("client_id", client_id), ("redirect_uri", redirect_uri), ("state", "s")] {
            form::append(name, value, &mut query);
        }
        let asked = alice.get(&format!("/fomo/oauth2/authorize?{}", String::from_utf8(query).unwrap())).await;
        assert_eq!((asked.status, asked.location()), (StatusCode::BAD_REQUEST, ""), "{redirect_uri}");
        let fields =
            [("client_id", client_id), ("redirect_uri", redirect_uri), ("state", "s"), ("authorized", "yes")];
        let answered = alice.post("/apps/new", "/openfomo/consent", &fields).await;
        assert_eq!((answered.status, answered.location()), (StatusCode::BAD_REQUEST, ""), "{redirect_uri}");
    }
}

#[tokio::test]
async fn r25_consent_gives_a_code_and_the_state_and_a_refusal_says_so() {
    let world = World::start().await;
    let fomo = &world.described().fomo;
    let mut alice = Visitor::new(&world, "en");
    let page = format!(
        "/fomo/oauth2/authorize?response_type=code&client_id={}&redirect_uri=https%3A%2F%2Fshop.example%2Fback&state=a%26b+c",
        fomo.client_id
    );
    let asked = alice.get(&page).await;
    assert!(
        asked.location().starts_with("/openfomo/login.html?next=%2Ffomo%2Foauth2%2Fauthorize%3F"),
        "{}",
        asked.location()
    );
    alice.sign_in("alice", &page).await;
    let shown = alice.get(&page).await;
    assert!(shown.text.contains("Demo shop") && shown.text.contains("https://shop.example/back"));
    // A name may be another app's too; the client_id may not.
    assert_eq!(texts(&shown.text, "main .hint code"), ["demo_app"]);
    // Browsers hold this against the app's own redirects too: the platform's own page leads on (see `go_on`).
    let policy = shown.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self';"), "{policy}");
    let fields = |answer: &'static str| {
        [
            ("client_id", fomo.client_id.as_str()),
            ("redirect_uri", "https://shop.example/back"),
            ("state", "a&b c"),
            ("authorized", answer),
        ]
    };
    let granted = alice.post(&page, "/openfomo/consent", &fields("yes")).await;
    assert_eq!(
        (granted.status, &granted.headers["referrer-policy"]),
        (StatusCode::OK, &"no-referrer".parse().unwrap())
    );
    assert_eq!(granted.headers["cache-control"], "no-store");
    let address = granted.location().replace('&', "&#38;");
    assert!(
        granted.text.contains(&format!("http-equiv=\"refresh\" content=\"0;url={address}\"")),
        "{}",
        granted.text
    );
    assert_eq!(crate::docs::links(&granted.text, "main .actions a"), [granted.location()]);
    let (base, query) = granted.location().split_once('?').unwrap();
    assert_eq!(base, "https://shop.example/back");
    let (code, state) = query.split_once('&').unwrap();
    assert_eq!((code.len(), state), ("code=".len() + 40, "state=a%26b%20c"));
    // Exactly `yes` grants (R24).
    for other in ["no", "YES", "true", ""] {
        let refused = alice.post(&page, "/openfomo/consent", &fields(other)).await;
        assert_eq!(
            refused.location(),
            "https://shop.example/back?error=access_denied&state=a%26b%20c",
            "{other:?}"
        );
    }
}

#[tokio::test]
async fn secrets_are_shown_to_their_owner_alone_after_a_fresh_password() {
    let world = World::start().await;
    let mut bob = Visitor::new(&world, "en");
    bob.sign_in("bob", "/apps").await;
    let fields = [("client_id", "bobs"), ("name", "Bob's"), ("redirect_uri", "https://bob.example/")];
    bob.post("/apps/new", "/apps/new/fomo", &fields).await;
    let page = bob.get("/apps/fomo/bobs").await;
    assert_eq!(page.headers["cache-control"], "no-store");
    assert!(texts(&page.text, "#client_secret code")[0].len() == 40, "once, on the page of the new app");
    let page = bob.get("/apps/fomo/bobs").await;
    assert!(page.text.contains("••••"));
    let pwd = world.user("bob").pwd.clone();
    let wrong = bob.post("/apps/fomo/bobs", "/apps/fomo/bobs/reveal", &[("pwd", "no")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("••••"));
    let right = bob.post("/apps/fomo/bobs", "/apps/fomo/bobs/reveal", &[("pwd", &pwd)]).await;
    let shown = |got: &Got| {
        let page = Html::parse_document(&got.text);
        let secret = page.select(&Selector::parse("#client_secret code").unwrap()).next();
        secret.map(|secret| secret.text().collect::<String>()).unwrap_or_default()
    };
    assert_eq!(shown(&right).len(), 40);
    assert_eq!(right.headers["cache-control"], "no-store");
    // For everybody else there is no such app.
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/apps").await;
    let pwd = world.user("alice").pwd.clone();
    assert_eq!(alice.get("/apps/fomo/bobs").await.status, StatusCode::NOT_FOUND);
    for action in ["reveal", "rotate"] {
        let got = alice.post("/apps/new", &format!("/apps/fomo/bobs/{action}"), &[("pwd", &pwd)]).await;
        assert_eq!((got.status, shown(&got)), (StatusCode::NOT_FOUND, String::new()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_are_listed_and_the_statement_tells_each_settled_one_once() {
    let world = World::start().await;
    let mut owner = Visitor::new(&world, "en");
    owner.sign_in("owner", "/apps").await;
    let app = format!("/apps/fomo/{}", world.described().fomo.client_id);
    let (list, csv) = (format!("{app}/payments"), format!("{app}/payments.csv"));
    assert!(owner.get(&list).await.text.contains("There is no payment yet"));
    assert_eq!(owner.get(&csv).await.text.lines().count(), 1, "the head alone");

    // More than one page and more than one part of a statement: 80 settled, one waiting.
    let hostile = "=cmd|' /C calc'!A1,\"<b>";
    world.call(&world.pay_user("alice").with("trade_id", hostile)).await.ok();
    let mut settled = Vec::new();
    for _ in 0..78 {
        let payout = world.pay_user("bob");
        world.call(&payout).await.ok();
        settled.push(payout.field("trade_id").to_owned());
    }
    let order = world.pre_pay("alice").await;
    let confirm = world.confirm_of("alice", &order).await;
    world.call(&confirm).await.ok();
    let open = world.pre_pay("alice").await;
    world.call(&open).await.ok();

    let first = owner.get(&list).await.text;
    let newest = table(&first);
    assert!(newest[0].contains(open.field("trade_id")) && newest[0].contains("waiting"), "{newest:?}");
    assert!(newest[1].contains(order.field("trade_id")) && newest[1].contains("paid"), "{newest:?}");
    assert!(newest[2].contains(settled.last().unwrap()) && newest[2].contains("\u{2212}0.25"), "{newest:?}");
    assert_eq!(newest.iter().filter(|row| row.contains(order.field("trade_id"))).count(), 1);
    assert_eq!(texts(&first, "#totals tbody td"), ["usdt", "1.5", "19.75", "80"]);
    let next = first.split("/payments?before=").nth(1).expect("older payments").split('"').next().unwrap();
    let older = table(&owner.get(&format!("{list}?before={next}")).await.text);
    assert_eq!(newest.len() + older.len(), 81);
    assert!(older.last().unwrap().contains(hostile), "{older:?}");

    let got = owner.get(&csv).await;
    assert_eq!(got.headers["content-type"], "text/csv; charset=utf-8");
    let mut reader = csv::Reader::from_reader(got.text.as_bytes());
    let statement: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let trades: Vec<&str> = statement.iter().map(|row| &row[2]).collect();
    let mut expected = vec![format!("'{hostile}")];
    expected.extend(settled);
    expected.push(order.field("trade_id").to_owned());
    assert_eq!(trades, expected, "in the order in which money moved, what waits not at all");
    let columns = |row: &csv::StringRecord| [3, 5, 8].map(|at| row[at].to_owned());
    assert_eq!(columns(&statement[1]), ["app to user", "0.25", &world.user("bob").user_id]);
    assert_eq!(columns(&statement[79]), ["user to app", "1.5", &world.user("alice").user_id]);

    // A day later the open one has expired, and the statement is the same.
    world.jump(std::time::Duration::from_secs(86_400));
    let mut owner = Visitor::new(&world, "en");
    owner.sign_in("owner", "/apps").await;
    let expired = table(&owner.get(&list).await.text).remove(0);
    assert!(expired.contains("expired") && !expired.contains('+'), "no money moved: {expired}");
    // Filters, and a page of its own.
    let filtered = table(&owner.get(&format!("{list}?state=expired")).await.text);
    assert_eq!(filtered.len(), 1, "{filtered:?}");
    let found = table(&owner.get(&format!("{list}?q={}", order.field("trade_id"))).await.text);
    assert!(found.len() == 1 && found[0].contains("paid"), "{found:?}");
    let one = owner.get(&format!("{list}/one?id={}", order.field("trade_id"))).await.text;
    assert!(one.contains("transfer_id") && one.contains("+1.5"), "{one}");
    assert_eq!(owner.get(&format!("{list}/one?id=none")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(owner.get(&csv).await.text, got.text);
    // Nobody else's business.
    let mut bob = Visitor::new(&world, "en");
    for path in [&list, &csv] {
        assert_eq!(bob.get(path).await.status, StatusCode::SEE_OTHER);
    }
    bob.sign_in("bob", "/apps").await;
    for path in [&list, &csv] {
        assert_eq!(bob.get(path).await.status, StatusCode::NOT_FOUND);
    }
}

/// The rows of a page's table.
fn table(page: &str) -> Vec<String> {
    let page = Html::parse_document(page);
    let rows = Selector::parse("table.many tbody tr").unwrap();
    page.select(&rows).map(|row| row.text().collect()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_fails_is_seen_and_sent_again() {
    let world = World::start().await;
    let merchant = Merchant::open().await;
    let mut bob = Visitor::new(&world, "en");
    bob.sign_in("bob", "/apps").await;
    let fields = [("client_id", "bobs"), ("name", "Bob's"), ("redirect_uri", "https://bob.example/")];
    bob.post("/apps/new", "/apps/new/fomo", &fields).await;
    let pwd = world.user("bob").pwd.clone();
    let shown = bob.post("/apps/fomo/bobs", "/apps/fomo/bobs/reveal", &[("pwd", &pwd)]).await;
    let page = Html::parse_document(&shown.text);
    let secret: String =
        page.select(&Selector::parse("#client_secret code").unwrap()).next().unwrap().text().collect();
    drop(page);
    let empty = bob.get("/apps/fomo/bobs/deliveries").await;
    assert!(empty.text.contains("There is no callback yet"));
    // A payment whose callback is never delivered: a hundred attempts, all of them by the clock.
    merchant.answer(&[503]);
    let timestamp = world.timestamp();
    let payout = Call::post("oauth2/authorize/pay_user")
        .with("client_id", "bobs")
        .with("direction", "2")
        .with("trade_id", "payout-1")
        .with("amount", "2")
        .with("coin_id", "5")
        .with("user_id", &world.user("alice").user_id)
        .with("server_uri", &merchant.url)
        .with("state", "s")
        .with("scope", "paytoken")
        .with("response_type", "code")
        .with("wallet_pwd", &world.user("bob").wallet_pwd)
        .with("timestamp", &timestamp)
        .with("sign", &wallet_tests::sign(&secret, &timestamp));
    world.call(&payout).await.ok();
    world.advance(10).await;
    let waiting = bob.get("/apps/fomo/bobs/deliveries").await.text;
    assert_eq!(texts(&waiting, ".delivery .tag"), ["waiting"]);
    assert!(waiting.contains("HTTP 503") && !waiting.contains("Send again"), "{waiting}");
    // What went to an app elsewhere is in the inspector, with what came back.
    let refused = bob.get("/inspect?show=refused").await.text;
    let row = refused.split("href=\"/inspect/").find(|row| row.contains("payment_result"));
    let row = row.unwrap_or_else(|| panic!("{refused}"));
    let detail = bob.get(&format!("/inspect/{}", row.split(['"', '?']).next().unwrap())).await.text;
    assert!(
        detail.contains(&merchant.url) && detail.contains("not delivered; expected HTTP 200"),
        "{detail}"
    );
    assert!(detail.contains("payout-1") && detail.contains("webhook-signature"), "{detail}");
    // The owner of a repaired receiver need not wait; another user cannot send again.
    world.advance(600).await;
    let waiting = bob.get("/apps/fomo/bobs/deliveries").await.text;
    let now = texts_of(&waiting, "button[name=now]").remove(0);
    let id = waiting.split("name=\"now\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(now.is_empty() || now == id);
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/apps").await;
    let foreign = alice.post("/apps/new", "/apps/fomo/bobs/deliveries", &[("now", &id)]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    // Nor by way of an app of one's own.
    let mut owner = Visitor::new(&world, "en");
    owner.sign_in("owner", "/apps").await;
    let own = "/apps/fomo/demo_app/deliveries";
    for field in ["now", "delivery"] {
        assert_eq!(owner.post("/apps/new", own, &[(field, &id)]).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(owner.get(&format!("{own}/{id}")).await.status, StatusCode::NOT_FOUND);
    let before = merchant.received().len();
    let list = "/apps/fomo/bobs/deliveries";
    let sent = bob.post(list, list, &[("now", &id)]).await;
    assert_eq!(sent.location(), "/apps/fomo/bobs/deliveries?sent=1");
    merchant.wait_for(before + 1).await;
    assert!(bob.get(sent.location()).await.text.contains("On their way: 1"));
    world.advance(60_000).await;
    let failed = bob.get("/apps/fomo/bobs/deliveries").await;
    assert_eq!(texts(&failed.text, ".delivery .tag"), ["not delivered"]);
    assert!(failed.text.contains("Send again"), "{}", failed.text);
    // Not by somebody else, and not twice.
    let id =
        failed.text.split("name=\"delivery\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let foreign = alice.post("/apps/new", "/apps/fomo/bobs/deliveries", &[("delivery", &id)]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    let before = merchant.received().len();
    merchant.answer(&[200]);
    let sent =
        bob.post("/apps/fomo/bobs/deliveries", "/apps/fomo/bobs/deliveries", &[("delivery", &id)]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    world.advance(5).await;
    assert_eq!(merchant.received().len(), before + 1);
    // The attempts before it are still there.
    let listing = bob.get("/apps/fomo/bobs/deliveries").await.text;
    assert_eq!(texts(&listing, ".delivery .tag"), ["delivered", "not delivered, sent again"]);
    let undelivered = bob.get("/apps/fomo/bobs/deliveries?show=undelivered").await.text;
    assert_eq!(texts(&undelivered, ".delivery .tag"), ["not delivered, sent again"]);
    assert!(!undelivered.contains("id=\"span\""), "nothing is left to be sent again");
    let beyond = bob.get("/apps/fomo/bobs/deliveries?before=1").await.text;
    assert!(beyond.contains("There is no callback here") && !beyond.contains("There is no callback yet"));
    let again =
        bob.post("/apps/fomo/bobs/deliveries", "/apps/fomo/bobs/deliveries", &[("delivery", &id)]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    let old = DeliveryId(id.parse().unwrap());
    assert_eq!(world.store().submit(SendAgain(old)).await.unwrap(), None, "not by the owner either");
}

/// An application of this user; its page.
async fn apply(visitor: &mut Visitor<'_>, name: &str) -> String {
    let fields = [("wallet", "vas"), ("name", name), ("safe_domain", "www.a.example"), ("scheme", "")];
    visitor.post("/apps/new", "/apps/new/vas", &fields).await.location().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_alone_review_and_what_they_did_is_recorded() {
    let world = World::start().await;
    let mut bob = Visitor::new(&world, "en");
    bob.sign_in("bob", "/apps").await;
    let (first, second) = (apply(&mut bob, "First").await, apply(&mut bob, "Second").await);
    let number = |page: &str| page.rsplit('/').next().unwrap().to_owned();
    let (one, two) = (number(&first), number(&second));

    // For everybody else the page is not there, and its forms do nothing.
    assert_eq!(bob.get("/admin").await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        Visitor::new(&world, "en").get("/admin").await.location(),
        "/openfomo/login.html?next=%2Fadmin"
    );
    let approve = |id: &'static str| [("application", id), ("verdict", "approve")];
    let id: &'static str = one.clone().leak();
    let forced = bob.post("/apps/new", "/admin/review", &approve(id)).await;
    assert_eq!(forced.status, StatusCode::FORBIDDEN);
    assert!(bob.get(&first).await.text.contains("in review"));
    let session = world.store().vault().hash(&bob.cookies[&session_cookie(&world)]);
    let decision = Decision::Reject { reason: "by force".to_owned() };
    let command = ReviewVas { app: VasAppId(one.parse().unwrap()), decision };
    assert!(
        world.store().submit(ByOperator::new(session, command)).await.is_err(),
        "decided by the platform too"
    );
    assert!(bob.get(&first).await.text.contains("in review"));

    let mut operator = Visitor::new(&world, "en");
    operator.sign_in("operator", "/admin").await;
    let page = operator.get("/admin").await.text;
    assert!(page.contains("First") && page.contains("Second") && page.contains("www.a.example"));
    let silent = [("application", two.as_str()), ("verdict", "reject"), ("reason", " ")];
    let hidden = [("application", two.as_str()), ("verdict", "reject"), ("reason", "\u{202e}a\u{1}b\n")];
    let third = number(&apply(&mut bob, "Third").await);
    let hidden = [("application", third.as_str()), hidden[1], hidden[2]];
    operator.post("/admin", "/admin/review", &hidden).await;
    let newest = world.store().view(Audits { limit: 1 }).await.unwrap().remove(0).audit;
    assert_eq!(newest.about, format!("Third ({third})"));
    assert_eq!(newest.after, " a b", "nothing that hides is kept");
    let refused = operator.post("/admin", "/admin/review", &silent).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "the applicant must see the reason");
    assert_eq!(operator.post("/admin", "/admin/review", &approve(id)).await.location(), "/admin");
    assert_eq!(
        operator.post("/admin", "/admin/review", &approve(id)).await.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "once"
    );
    let why = [("application", two.as_str()), ("verdict", "reject"), ("reason", "No such <b>shop</b>")];
    assert_eq!(operator.post("/admin", "/admin/review", &why).await.location(), "/admin");
    let approved = bob.get(&first).await.text;
    assert!(approved.contains("approved") && approved.contains("id=\"uuid\""), "{approved}");
    assert!(
        bob.get(&second).await.text.contains("No such &#60;b&#62;shop"),
        "shown to the applicant, as text"
    );

    let audits = world.store().view(Audits { limit: 9 }).await.unwrap();
    let shown: Vec<_> = audits.iter().map(|one| (one.audit.act, one.operator.as_deref())).collect();
    assert_eq!(
        shown,
        [
            (OperatorAct::Rejected, Some("operator")),
            (OperatorAct::Approved, Some("operator")),
            (OperatorAct::Rejected, Some("operator")),
            (OperatorAct::Enrolled, None)
        ]
    );
    let page = operator.get("/admin").await.text;
    assert!(page.contains("No such &#60;b&#62;shop") && page.contains("None. They appear here"), "{page}");
    // Nobody buries the others' applications.
    for count in 0..12 {
        let page = apply(&mut bob, &format!("Number {count}")).await;
        assert_eq!(page.is_empty(), count >= 10, "{count}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_what_nobody_hears_and_sends_it_again() {
    let world = World::start().await;
    let merchant = Merchant::open().await;
    merchant.answer(&[503]);
    world.call(&world.pay_user("alice").with("server_uri", &merchant.url)).await.ok();
    world.advance(70).await;
    let mut operator = Visitor::new(&world, "en");
    operator.sign_in("operator", "/admin").await;
    let failing = operator.get("/admin").await.text;
    assert!(failing.contains("HTTP 503; only HTTP 200 acknowledges") && !failing.contains("Send again"));
    world.advance(60_000).await;
    let page = operator.get("/admin").await.text;
    let id = page.split("name=\"delivery\" value=\"").nth(1).expect("an undelivered one");
    let id = id.split('"').next().unwrap().to_owned();
    let again = |visitor: &'static str| (visitor, [("delivery", id.as_str())]);
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/apps").await;
    let (from, fields) = again("/apps/new");
    assert_eq!(alice.post(from, "/admin/send_again", &fields).await.status, StatusCode::FORBIDDEN);
    let before = merchant.received().len();
    merchant.answer(&[200]);
    let (from, fields) = again("/admin");
    assert_eq!(operator.post(from, "/admin/send_again", &fields).await.location(), "/admin");
    world.advance(5).await;
    assert_eq!(merchant.received().len(), before + 1);
    let (from, fields) = again("/admin");
    assert_eq!(
        operator.post(from, "/admin/send_again", &fields).await.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "once"
    );
    let audits = world.store().view(Audits { limit: 9 }).await.unwrap();
    assert_eq!(audits.iter().filter(|one| one.audit.act == OperatorAct::SentAgain).count(), 1);
}

#[tokio::test]
async fn keys_are_handed_out_in_every_form_to_their_owner_after_a_fresh_password() {
    let world = World::start().await;
    let shown = &world.described().vas;
    let key = PrivateKey::load(&shown.rsa_private_pkcs8).unwrap();
    let mut owner = Visitor::new(&world, "en");
    owner.sign_in("owner", "/apps").await;
    let apps = owner.get("/apps").await.text;
    let app = apps.split("href=\"/apps/vas/").nth(1).unwrap().split('"').next().unwrap();
    let page = format!("/apps/vas/{app}");
    let pwd = world.described().fomo.owner_pwd.clone();
    for (form, head) in
        [("pkcs8", "-----BEGIN PRIVATE KEY-----"), ("pkcs1", "-----BEGIN RSA PRIVATE KEY-----")]
    {
        let address = format!("{page}/key/{form}");
        let wrong = owner.post(&page, &address, &[("pwd", "no")]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(!wrong.text.contains("BEGIN"), "{}", wrong.text);
        let got = owner.post(&page, &address, &[("pwd", &pwd)]).await;
        assert!(got.text.starts_with(head), "{form}");
        assert_eq!(PrivateKey::load(&got.text).unwrap().pkcs1().expose(), key.pkcs1().expose());
        assert_eq!(
            got.headers["content-disposition"],
            format!("attachment; filename=\"rsa_private_{form}.pem\"").as_str()
        );
        assert_eq!(got.headers["cache-control"], "no-store");
    }
    for (form, head) in [("spki", "-----BEGIN PUBLIC KEY-----"), ("pkcs1", "-----BEGIN RSA PUBLIC KEY-----")]
    {
        let got = owner.get(&format!("{page}/rsa_public/{form}")).await;
        assert!(got.text.starts_with(head), "{form}");
        assert_eq!(PublicKey::load(&got.text).unwrap(), key.public());
    }
    assert_eq!(owner.get(&format!("{page}/rsa_public/other")).await.status, StatusCode::NOT_FOUND);
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/apps").await;
    let pwd = world.user("alice").pwd.clone();
    let foreign = alice.post("/apps/new", &format!("{page}/key/pkcs8"), &[("pwd", &pwd)]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    assert_eq!(alice.get(&format!("{page}/rsa_public/spki")).await.status, StatusCode::NOT_FOUND);
}

/// The texts of the elements of a page.
pub(crate) fn texts(page: &str, css: &str) -> Vec<String> {
    let page = Html::parse_document(page);
    page.select(&Selector::parse(css).unwrap()).map(|found| found.text().collect()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_a_first_call_that_works() {
    let world = World::start().await;
    let mut owner = Visitor::new(&world, "en");
    owner.sign_in("owner", "/apps").await;
    let apps = owner.get("/apps").await.text;
    let vas = apps.split("href=\"/apps/vas/").nth(1).unwrap().split('"').next().unwrap();
    let run = async |page: String, name: &str, secret: &str| {
        let snippets = texts(&page, "details pre code");
        assert_eq!(snippets.len(), 7, "{page}");
        for placeholder in
            ["BASE_URL", "GET_TRADE", "ORDER", "CLIENT_ID'", "UUID", "LANG_TAG", "REDIRECT_URI"]
        {
            assert!(
                snippets.iter().all(|snippet| !snippet.contains(placeholder)),
                "{placeholder}: {snippets:?}"
            );
        }
        let mut said = Vec::new();
        for (program, at) in [("sh", 0), ("python3", 4)] {
            let mut program = std::process::Command::new(program);
            program.args(["-c", &snippets[at]]).env(name, secret);
            let done = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
            said.push(String::from_utf8(done.stdout).unwrap());
        }
        assert_eq!(said[0].trim(), said[1].trim(), "in one language as in the other");
        said.remove(0)
    };
    let fomo = &world.described().fomo;
    let page = owner.get(&format!("/apps/fomo/{}", fomo.client_id)).await.text;
    let said = run(page, "CLIENT_SECRET", &fomo.client_secret).await;
    assert!(said.contains("No such transfer"), "in the page's language: {said}");
    assert!(said.contains("\"status\":212"), "signed right, and there is no such trade: {said}");
    let page = owner.get(&format!("/apps/vas/{vas}")).await.text;
    let shown = if page.contains(&world.described().vas.uuid) {
        &world.described().vas
    } else {
        &world.described().lafi
    };
    let said = run(page, "ACCESS_TOKEN", &shown.access_token).await;
    assert!(said.contains("910012"), "known, and there is no such order: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_others_write_is_shown_as_text() {
    let shop = Shop::open().await;
    let world = &shop.world;
    let mut operator = Visitor::new(world, "en");
    operator.sign_in("operator", "/admin").await;
    let mut owner = Visitor::new(world, "en");
    owner.sign_in("owner", "/apps").await;
    let apps = owner.get("/apps").await.text;
    let vas =
        format!("/apps/vas/{}", apps.split("href=\"/apps/vas/").nth(1).unwrap().split('"').next().unwrap());
    let long = "x".repeat(10 * 1024);
    shop.merchant.answer(&[500]);
    for (at, hostile) in
        ["<img src=x onerror=alert(1)>", "\u{202e}gnp.exe\u{202c}", "👩‍👩‍👧 <b>😀", "\"'><svg onload=x>", &long]
            .into_iter()
            .enumerate()
    {
        // Through the platforms: ids, states, addresses, notes. Some are refused, which is as well.
        let short: String = hostile.chars().take(60).collect();
        let payout = world.pay_user("alice").with("trade_id", &format!("{at}{short}")).with("state", hostile);
        world.call(&payout.with("server_uri", &format!("{}?{short}", shop.merchant.url))).await;
        let order = shop.order(&format!("{at}{short}"));
        if at < 4 {
            shop.pay(&order).await;
        }
        let name = visible(&short);
        let app = [
            ("client_id", format!("hostile{at}")),
            ("name", name.clone()),
            ("redirect_uri", format!("https://x.example/{short}")),
        ];
        let app: Vec<(&str, &str)> = app.iter().map(|(name, value)| (*name, value.as_str())).collect();
        owner.post("/apps/new", "/apps/new/fomo", &app).await;
        let applied =
            [("wallet", "vas"), ("name", name.as_str()), ("safe_domain", "www.x.example"), ("scheme", "")];
        let page = owner.post("/apps/new", "/apps/new/vas", &applied).await.location().to_owned();
        if let Some(id) = page.strip_prefix("/apps/vas/") {
            let reject = [("application", id), ("verdict", "reject"), ("reason", hostile)];
            operator.post("/admin", "/admin/review", &reject).await;
        }
        // What is typed into forms that show it again.
        let asked =
            form_of(&[("text", hostile), ("scan", hostile), ("safe_domain", &short), ("before", &short)]);
        let link = form_of(&[(
            "text",
            &format!("vaspay://{{\"type\":\"pay\",\"amount\":{}}}", serde_json::json!(hostile)),
        )]);
        for page in [
            format!("/link?{asked}"),
            format!("/link?{link}"),
            format!("/wallet?{asked}"),
            format!("/wallet/password?{asked}"),
            format!("/wallet/history?{}", form_of(&[("of", hostile)])),
            format!("/sign?{}", form_of(&[("link", hostile), ("timestamp", hostile), ("key", hostile)])),
            format!("/apps/new/safe_domain?{asked}"),
            format!("{vas}/payments?{asked}"),
        ] {
            plain(&owner.get(&page).await, &page);
        }
        for (form, fields) in [
            ("/sign", vec![("client_secret", hostile), ("timestamp", hostile), ("sign", hostile)]),
            ("/sign", vec![("kind", "link"), ("link", hostile), ("key", hostile)]),
        ] {
            plain(&owner.post("/sign", form, &fields).await, form);
        }
    }
    world.advance(60).await;
    let app = format!("/apps/fomo/{}", world.described().fomo.client_id);
    let mut seen = String::new();
    for page in [
        "/",
        "/inspect",
        "/clock",
        "/chain",
        "/wallet",
        "/apps",
        "/apps/fomo/hostile0",
        "/apps/fomo/hostile3",
        &vas,
        &format!("{app}/deliveries"),
        &format!("{app}/payments"),
        &format!("{vas}/deliveries"),
        &format!("{vas}/payments"),
    ] {
        let got = owner.get(page).await;
        plain(&got, page);
        seen += &got.text;
    }
    let admin = operator.get("/admin").await;
    plain(&admin, "/admin");
    seen += &admin.text;
    assert!(seen.matches("&#60;img src=x onerror=alert(1)&#62;").count() > 5, "it was really shown, as text");
    assert!(seen.matches("😀").count() > 5);
}

/// A name that may be registered: without what hides.
fn visible(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\u{200d}' | '\u{202a}'..='\u{202e}')).collect()
}

/// A page on which nothing of what others wrote has become markup.
fn plain(got: &Got, page: &str) {
    assert!(got.status != StatusCode::INTERNAL_SERVER_ERROR, "{page}");
    let document = Html::parse_document(&got.text);
    let hostile = "[onerror], [onload], img, svg[onload], b";
    assert_eq!(document.select(&Selector::parse(hostile).unwrap()).count(), 0, "{page}: {}", got.text);
    if got.text.contains("<!doctype html>") {
        assert!(document.errors.is_empty(), "{page}: {:?}", document.errors);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_inspector_shows_what_is_asked_for() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    // A login by VAS at the shop: the wallet asks, the app exchanges, and the wallet returns.
    let code = alice.get("/shop/sign_in/vas").await.text;
    let link = texts(&code, "#link").remove(0);
    let sheet = format!("/wallet?{}", form_of(&[("scan", &link)]));
    let got = alice.post(&sheet, "/wallet/approve", &[("link", &link)]).await;
    assert!(alice.get(got.location()).await.text.contains("200 OK"));
    world.call(&world.pre_pay("alice").await.with("sign", "0")).await;
    let rows = async |alice: &mut Visitor<'_>, asked: &str| {
        let page = alice.get(&format!("/inspect?{asked}")).await.text;
        let live = alice.get(&format!("/inspect/live?{asked}")).await.text;
        let [page, live] = [page, live].map(|page| texts(&page, ".exchanges tbody tr"));
        assert_eq!(page, live);
        page.join("\n")
    };
    // The wallet's own pages call too; they are listed when they are asked for.
    let quiet = rows(&mut alice, "").await;
    for call in ["aid_info", "login", "pre_pay"] {
        assert!(quiet.contains(call), "{call}: {quiet}");
    }
    assert!(!quiet.contains("get_user_coins") && !quiet.contains("approve_login"), "{quiet}");
    let all = rows(&mut alice, "own=1").await;
    assert!(all.contains("get_user_coins") && all.contains("approve_login"), "{all}");
    let refused = rows(&mut alice, "show=refused").await;
    // What the wallet returns to after a login is no callback of a payment: a plain 200 is enough.
    assert!(refused.contains("pre_pay") && !refused.contains("aid_info"), "{refused}");
    // A refused call shows its status code, not HTTP 200.
    let code = texts(&alice.get("/inspect?show=refused").await.text, ".exchanges .tag.bad");
    assert_eq!(code, ["7"]);
    let found = rows(&mut alice, "q=PRE_PAY").await;
    assert_eq!(found.lines().filter(|line| line.contains("pre_pay")).count(), 1, "{found}");
    let of_app = rows(&mut alice, &format!("app={}", world.described().vas.uuid)).await;
    assert!(of_app.contains("aid_info") && !of_app.contains("pre_pay"), "{of_app}");
    // However much a request says, a page shows the beginning of it.
    let long = "a".repeat(30_000);
    let request = http::Request::post(alice.url(&format!("/fomo/customer/login?{long}")))
        .header("authorization", &long)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(long.clone().into_bytes())
        .unwrap();
    world.transport().send(request).await.unwrap();
    let list = alice.get("/inspect?show=refused").await.text;
    let newest = list.split("href=\"/inspect/").nth(1).unwrap().split(['"', '?']).next().unwrap();
    let shown = alice.get(&format!("/inspect/{newest}")).await.text;
    assert!(shown.contains("/fomo/customer/login") && shown.len() < 50_000, "{}", shown.len());
    // A secret is masked; a request can be sent again as it was.
    let pwd = world.user("bob").pwd.clone();
    let login = Call::post("customer/login").with("login_name", "bob").with("pwd", &pwd);
    world.call(&login).await.ok();
    let list = alice.get("/inspect").await.text;
    let newest = list.split("href=\"/inspect/").nth(1).unwrap().split(['"', '?']).next().unwrap().to_owned();
    let shown = alice.get(&format!("/inspect/{newest}")).await.text;
    assert!(shown.contains("••••••") && !shown.contains(&pwd), "{shown}");
    assert!(shown.contains("$PWD_OF_USER"), "the curl command has a variable: {shown}");
    let again = alice.post(&format!("/inspect/{newest}"), &format!("/inspect/{newest}/again"), &[]).await;
    let repeated = alice.get(again.location()).await.text;
    assert_ne!(again.location(), format!("/inspect/{newest}"));
    assert_eq!(texts(&repeated, "#detail h2"), ["200 login"]);
    assert_eq!(alice.get("/inspect/999999").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_inspector_says_why_by_code_rule_and_what_to_check() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    let forged = world.pay_user("alice").with("sign", &"0".repeat(40));
    world.call(&forged).await;
    let url = world.described().url.clone();
    let price =
        http::Request::post(format!("{url}/vas/server/oauth/pay/price?currency=CNY&accessToken=none"));
    world.exchange(price.body(Vec::new()).unwrap()).await;
    let callback = http::Request::get(format!("{url}/shop/callback/vas/pay?uuid=x"));
    world.exchange(callback.header("host", "127.0.0.1").body(Vec::new()).unwrap()).await;
    let list = visitor.get("/inspect").await.text;
    let mut page = String::new();
    for row in list.split("href=\"/inspect/").skip(1).take(3) {
        page += &visitor.get(&format!("/inspect/{}", row.split('"').next().unwrap())).await.text;
    }
    for part in [
        "<a href=\"/docs/fomo/codes/7\">7: Wrong signature</a>",
        "The signature is the SHA-1 of client_secret and timestamp",
        "<a href=\"/docs/vas/codes/900013\">900013: The accessToken is wrong</a>",
        "not delivered; expected HTTP 2xx with JSON whose",
        "href=\"/docs/rules#r",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

/// A form with a file, as a browser sends it.
fn multipart(csrf: &str, file: &[u8]) -> Vec<u8> {
    let mut body =
        format!("--b\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n").into_bytes();
    let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"code.png\"\r\nContent-Type: image/png\r\n\r\n";
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--b--\r\n");
    body
}

#[tokio::test]
async fn a_picture_of_a_code_is_read_and_other_pictures_are_refused() {
    let world = World::start().await;
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    let csrf = alice.get("/wallet").await.csrf();
    let address = alice.url("/wallet/scan");
    let upload = |csrf: &str, file: &[u8]| {
        let request = http::Request::post(&address).header("content-type", "multipart/form-data; boundary=b");
        request.body(multipart(csrf, file)).unwrap()
    };
    let text = "vaslogin://{\"type\":\"login\",\"uuid\":\"a+b&c=d\"}";
    let code = QrCode::new(text).unwrap().to_png(6);
    let got = alice.send(upload(&csrf, &code)).await;
    assert_eq!(got.location(), format!("/wallet?{}", form_of(&[("scan", text)])));
    let mut nobody = Visitor::new(&world, "en");
    let token = nobody.get("/openfomo/login.html").await.csrf();
    assert!(nobody.send(upload(&token, &code)).await.location().starts_with("/openfomo/login.html"));
    let forged = alice.send(upload("0", &code)).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "without the visitor's token");
    // A picture that says it is far larger than any, half a picture, none, and too much of one.
    let mut huge = code.clone();
    huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    for other in [&huge[..], &code[..code.len() / 2], b"", b"GIF89a", &[0xff; 1000]] {
        let got = alice.send(upload(&csrf, other)).await;
        assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(got.text.contains("No QR code was found"));
    }
    assert_eq!(alice.send(upload(&csrf, &vec![0; 5 << 20])).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wallets_switches_show_what_goes_wrong() {
    let world = World::start().await;
    let waiting = async |name: &str| {
        let order = world.pre_pay(name).await;
        let reply = world.call(&order).await.ok();
        let id = reply.json["data"]["transfer_id"].to_string().trim_matches('"').to_owned();
        (id, order.field("trade_id").to_owned())
    };
    let page =
        |id: &str, trade: &str| format!("/wallet?{}", form_of(&[("transfer_id", id), ("trade_id", trade)]));
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    let (id, trade) = waiting("alice").await;
    let pwd = world.user("alice").wallet_pwd.clone();
    let fields = |more: [(&'static str, String); 2]| {
        [("transfer_id", id.clone()), ("trade_id", trade.clone()), more[0].clone(), more[1].clone()]
    };
    let post = async |visitor: &mut Visitor<'_>, to: &str, fields: &[(&'static str, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        visitor.post(&page(&id, &trade), to, &fields).await
    };
    let wrong = fields([("wallet_pwd", pwd.clone()), ("try", "wrong_password".to_owned())]);
    let got = post(&mut alice, "/wallet/confirm", &wrong).await;
    let got = alice.get(got.location()).await;
    assert!(got.text.contains("Wrong payment password") && got.text.contains("Time left"), "{}", got.text);
    let none = fields([("wallet_pwd", String::new()), ("x", String::new())]);
    let got = post(&mut alice, "/wallet/confirm", &none).await;
    let got = alice.get(got.location()).await;
    assert!(got.text.contains("Enter your payment password") && got.text.contains("Time left"));
    let expire = fields([("seconds", "900".to_owned()), ("x", String::new())]);
    let got = post(&mut alice, "/wallet/expire", &expire).await;
    assert_eq!(got.location(), page(&id, &trade));
    let (location, csrf) = (got.location().to_owned(), alice.get("/wallet").await.csrf());
    assert!(alice.get(&location).await.text.contains("expired"));
    let began = std::time::Instant::now();
    let slow = [
        ("csrf", csrf.as_str()),
        ("transfer_id", &id),
        ("trade_id", &trade),
        ("wallet_pwd", &pwd),
        ("try", "slow"),
    ];
    let got = alice.post_with("/wallet/confirm", &slow, None).await;
    assert!(began.elapsed() >= std::time::Duration::from_secs(4));
    assert!(alice.get(got.location()).await.text.contains("expired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_payment_can_be_loaded_again_and_read_in_the_other_language() {
    let world = World::start().await;
    let order = world.pre_pay("alice").await;
    let reply = world.call(&order).await.ok();
    let id = reply.json["data"]["transfer_id"].to_string().trim_matches('"').to_owned();
    let trade = order.field("trade_id").to_owned();
    let sheet = format!("/wallet?{}", form_of(&[("transfer_id", &id), ("trade_id", &trade)]));
    let mut alice = Visitor::new(&world, "en");
    alice.sign_in("alice", "/wallet").await;
    let pwd = world.user("alice").wallet_pwd.clone();
    let fields = [("transfer_id", id.as_str()), ("trade_id", &trade), ("wallet_pwd", &pwd)];
    // A refusal keeps the sheet, in either language.
    let wrong = [("transfer_id", id.as_str()), ("trade_id", &trade), ("wallet_pwd", "000000")];
    let refused = alice.post(&sheet, "/wallet/confirm", &wrong).await.location().to_owned();
    let in_chinese = alice.get(&format!("{refused}&lang=zh")).await;
    assert!(in_chinese.text.contains("剩余时间") && !in_chinese.text.contains("Wrong payment password"));
    alice.get("/wallet?lang=en").await;
    let paid = alice.post(&sheet, "/wallet/confirm", &fields).await;
    assert_eq!(paid.status, StatusCode::SEE_OTHER);
    let shown = paid.location().to_owned();
    for _ in 0..2 {
        let got = alice.get(&shown).await;
        let onward = Html::parse_document(&got.text);
        let onward = onward.select(&Selector::parse("#onward").unwrap()).next().expect("the way back");
        assert!(got.text.contains("Paid") && onward.value().attr("href").unwrap().contains(&trade));
    }
    assert!(alice.get(&format!("{shown}&lang=zh")).await.text.contains("已支付"));
    // Another user sees nothing of it, and an unknown outcome shows nothing.
    let mut bob = Visitor::new(&world, "en");
    bob.sign_in("bob", "/wallet").await;
    assert!(!bob.get(&shown).await.text.contains(&trade));
    for other in ["/wallet?outcome=999", "/wallet?outcome=x"] {
        assert_eq!(alice.get(other).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_address_without_a_page_says_so_and_where_to_go() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    for (path, status, words, link) in [
        ("/nosuch", 404, "There is no page here", "/"),
        ("/shop/nosuch", 404, "There is no page here", "/shop"),
        ("/fomo/nosuch", 404, "There is no call here", "/docs/fomo"),
        ("/vas/server/nosuch", 404, "There is no call here", "/docs/vas"),
        ("/docs/nosuch", 404, "There is no such document", "/docs"),
        ("/wallet/confirm", 405, "This address takes a form", "/wallet"),
        ("/shop/buy", 405, "This address takes a form", "/shop"),
        ("/apps/new/fomo", 405, "This address takes a form", "/apps"),
        ("/apps/fomo/x/rotate", 405, "This address takes a form", "/apps"),
    ] {
        let got = visitor.get(path).await;
        assert_eq!(got.status.as_u16(), status, "{path}");
        assert!(got.text.contains(words), "{path}: {}", got.text);
        let main = Html::parse_document(&got.text);
        let links: Vec<_> = main.select(&Selector::parse("main a").unwrap()).collect();
        assert!(links.iter().any(|to| to.value().attr("href") == Some(link)), "{path}");
        assert!(got.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    }
    for path in ["/wallet?scan=a&scan=b", "/link?text=a&text=b"] {
        let mut owner = Visitor::new(&world, "en");
        owner.sign_in("owner", "/apps").await;
        let got = owner.get(path).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(got.text.contains("The address cannot be read"), "{path}: {}", got.text);
    }
    // A program is answered as before: it reads no pages.
    let request = http::Request::get(visitor.url("/fomo/nosuch")).body(Vec::new()).unwrap();
    let reply = world.transport().send(request).await.unwrap();
    assert_eq!((reply.status(), reply.body().starts_with(b"<")), (StatusCode::NOT_FOUND, false));
    // What a consent page lacks is named.
    for (query, words) in [
        ("", "no client_id"),
        ("client_id=nosuch", "no app of this client_id"),
        ("client_id=demo_app", "no redirect_uri"),
        ("client_id=demo_app&redirect_uri=x", "not the registered one"),
    ] {
        let got = visitor.get(&format!("/fomo/oauth2/authorize?{query}")).await;
        assert!(got.status == StatusCode::BAD_REQUEST && got.text.contains(words), "{query}: {}", got.text);
    }
    // The shop speaks the visitor's language, and leads back to itself.
    let back = visitor.get("/shop/back?code=x&state=y&lang=zh").await;
    assert!(back.text.contains("state 不是商店发给这个浏览器的") && back.text.contains("href=\"/shop\""));
    // A link that cannot be read, in the language of the page.
    for (link, zh, en) in [
        ("x", "此处不完整", "something of it is missing"),
        ("vaslogin://{", "不是 JSON 对象", "Not a JSON object"),
        ("vaslogin://{\"type\":\"login\"}", "缺失", "is missing"),
        ("other://{\"type\":\"login\"}", "不是钱包支持的 scheme", "The wallet has no such scheme"),
    ] {
        for (lang, words) in [("zh", zh), ("en", en)] {
            let got = visitor.get(&format!("/link?{}&lang={lang}", form_of(&[("text", link)]))).await;
            let shown = texts(&got.text, ".problem").join(" ");
            assert!(shown.contains(words), "{link} {lang}: {shown}");
        }
    }
    // What an encoder has done is named.
    let object = r#"{"type": "login", "callbackUrl": "https://www.shop.example/in", "uuid": "1"}"#;
    let (once, mut twice) = (link_text(object), Vec::new());
    wallet_core::link::encode_into(&once, &mut twice);
    let form_encoded = form::query(&[("", object)]);
    for (text, zh, en) in [
        (String::from_utf8(twice).unwrap(), "两次百分号编码", "percent-encoded twice"),
        (form_encoded.trim_start_matches('=').to_owned(), "空格写成了 +", "Spaces are written as +"),
        (object.replace(": ", ":+"), "空格写成了 +", "Spaces are written as +"),
    ] {
        for (lang, words) in [("zh", zh), ("en", en)] {
            let link = format!("vaswallet://{text}");
            let got = visitor.get(&format!("/link?{}&lang={lang}", form_of(&[("text", &link)]))).await;
            let shown = texts(&got.text, ".problem").join(" ");
            assert!(shown.contains(words), "{link} {lang}: {shown}");
        }
    }
    // The canonical forms are written with the schemes of R42, whatever the scheme of the given text.
    let json = r#"{"type":"login","callbackUrl":"https://www.shop.example/in","uuid":"1"}"#;
    for (scheme, warned, app) in [
        ("vaslogin", false, "vaswallet"),
        ("vaswallet", true, "vaswallet"),
        ("LAFIWALLET", true, "lafiwallet"),
    ] {
        let got =
            visitor.get(&format!("/link?{}", form_of(&[("text", &format!("{scheme}://{json}"))]))).await;
        assert_eq!(texts(&got.text, ".note").join(" ").contains("iOS refuses"), warned, "{scheme}");
        let forms = texts(&got.text, "pre");
        assert!(forms.iter().any(|form| form.starts_with(&format!("{app}://%7B%22type%22"))), "{forms:?}");
        assert!(forms.iter().any(|form| form.starts_with("vaslogin://{\"type\"")), "{forms:?}");
    }
    // A program's form that cannot be read.
    for (path, body) in [("/clock", "advance=abc"), ("/chain/mine", "blocks=-1"), ("/sandbox/review", "")] {
        let request = http::Request::post(visitor.url(path))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.as_bytes().to_vec())
            .unwrap();
        let reply = world.transport().send(request).await.unwrap();
        let text = String::from_utf8(reply.body().clone()).unwrap();
        assert!(reply.status() == StatusCode::BAD_REQUEST && text.contains("nothing was changed"), "{text}");
    }
}

#[tokio::test]
async fn a_wrong_code_and_a_wrong_password_are_explained_on_the_page() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    let form = "/openfomo/register.html";
    // A sandbox registers without a code, so the wallet's call begins the registration.
    let begin = async || {
        let call = Call::post("customer/register").with("user_name", "carol").with("pwd", "carol-password");
        let begun = world.call(&call).await.ok();
        let (verify_id, tmp_user_id) = (begun.data("verify_id"), begun.data("tmp_user_id"));
        format!("{form}?verify_id={verify_id}&tmp_user_id={tmp_user_id}&next=%2Fwallet%3Fscan%3Dx")
    };
    // The step has an address: it can be loaded again, and read in the other language.
    let step = begin().await;
    let begun = visitor.get(&step).await;
    assert!(visitor.get(&format!("{step}&lang=zh")).await.text.contains("完成注册"));
    visitor.get(&format!("{step}&lang=en")).await;
    let (verify_id, tmp_user_id) = (begun.field("verify_id"), begun.field("tmp_user_id"));
    assert_eq!(begun.field("next"), "/wallet?scan=x");
    let mut verify = async |code: &str| {
        let fields = [
            ("verify_id", verify_id.as_str()),
            ("tmp_user_id", &tmp_user_id),
            ("next", "/wallet?scan=x"),
            ("verify_code", code),
        ];
        visitor.post(form, "/openfomo/register/verify", &fields).await
    };
    let got = verify("000000x").await;
    assert_eq!(texts(&got.text, "#verify_code_fault").len(), 1, "{}", got.text);
    assert!(got.text.contains("This is not the code that was sent"), "{}", got.text);
    let done = verify(&newest_code(&world).await).await;
    let next = done.location().to_owned();
    let shown = visitor.get(&next).await;
    assert!(shown.text.contains("You are registered"), "{next}");
    assert_eq!(shown.field("next"), "/wallet?scan=x");
    // Only who proves to own a taken name learns that it is taken.
    let malformed = visitor.post(form, form, &[("user_name", "c a"), ("pwd", "short")]).await;
    assert!(malformed.text.contains("letters, digits and _ . @ + -"), "{}", malformed.text);
    assert_eq!(texts(&malformed.text, "p.problem").len(), 2, "both faults at once");
    assert_eq!(malformed.text.matches("aria-invalid").count(), 2);
    assert_eq!(malformed.text.matches("autofocus").count(), 1, "the first wrong field has the focus");
    let step = begin().await;
    let begun = visitor.get(&step).await;
    let code = newest_code(&world).await;
    let (verify_id, tmp_user_id) = (begun.field("verify_id"), begun.field("tmp_user_id"));
    let fields = [("verify_id", &*verify_id), ("tmp_user_id", &tmp_user_id), ("verify_code", &code)];
    let taken = visitor.post(&step, "/openfomo/register/verify", &fields).await;
    assert!(taken.text.contains("This name is taken"), "{}", taken.text);
    assert!(taken.text.contains("name=\"user_name\""), "the name can be changed");
    let mut owner = Visitor::new(&world, "en");
    owner.sign_in("owner", "/apps").await;
    let got = owner.post("/apps/fomo/demo_app", "/apps/fomo/demo_app/reveal", &[("pwd", "wrong")]).await;
    assert!(got.text.contains("That is not your password"), "{}", got.text);
}

/// Where the switch of languages leads, and the page there; the visitor stays in English.
async fn other_language(visitor: &mut Visitor<'_>, got: &Got) -> Got {
    let switch = {
        let page = Html::parse_document(&got.text);
        let link = page.select(&Selector::parse("a[data-switch]").unwrap()).next().unwrap();
        link.value().attr("href").unwrap().to_owned()
    };
    assert!(switch.ends_with("lang=zh"), "{switch}");
    let other = visitor.get(&switch).await;
    assert_eq!(other.status, StatusCode::OK, "{switch}");
    visitor.get("/openfomo/login.html?lang=en").await;
    other
}

#[tokio::test]
async fn a_refused_form_says_what_is_wrong_in_the_other_language_too() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    let (sign_in, register) = ("/openfomo/login.html", "/openfomo/register.html");
    let scan = "/wallet?scan=a%26b";

    let typed = [("login_name", "al<i>ce"), ("pwd", "wrong"), ("next", scan)];
    let refused = visitor.post(sign_in, sign_in, &typed).await;
    assert_eq!(texts(&refused.text, "p.problem"), ["Wrong login name or password."]);
    let other = other_language(&mut visitor, &refused).await;
    assert_eq!(texts(&other.text, "p.problem"), ["用户名或密码不对。"]);
    assert_eq!((&*other.field("login_name"), &*other.field("next")), ("al<i>ce", scan));

    let typed = [("user_name", "carol"), ("pwd", "short"), ("next", scan)];
    let refused = visitor.post(register, register, &typed).await;
    let other = other_language(&mut visitor, &refused).await;
    assert_eq!(texts(&other.text, "p.problem"), ["密码至少 8 个字符。"]);
    assert_eq!((&*other.field("user_name"), &*other.field("next")), ("carol", scan));

    let typed = [("verify_id", "a"), ("tmp_user_id", "b"), ("next", scan), ("verify_code", "000000")];
    let refused = visitor.post(register, "/openfomo/register/verify", &typed).await;
    let other = other_language(&mut visitor, &refused).await;
    assert!(texts(&other.text, "p.problem")[0].starts_with("验证码不对"), "{}", other.text);
    assert_eq!((&*other.field("verify_id"), &*other.field("tmp_user_id")), ("a", "b"));

    let mut owner = Visitor::new(&world, "en");
    owner.sign_in("owner", "/apps").await;
    let back = "https://x.example/back";
    for (form, typed, wrong) in [
        ("fomo", [("client_id", "a b"), ("name", "Cafe"), ("redirect_uri", back)], "client_id 太短"),
        ("fomo", [("client_id", "demo_app"), ("name", "Cafe"), ("redirect_uri", back)], "已有应用使用"),
        ("fomo", [("client_id", "free"), ("name", ""), ("redirect_uri", back)], "名称须为"),
        ("fomo", [("client_id", "free"), ("name", "Cafe"), ("redirect_uri", "a#b")], "redirect_uri 须是"),
        ("vas", [("wallet", "lafi"), ("name", "Cafe"), ("safe_domain", "https://x")], "安全域名须是"),
        ("vas", [("wallet", "lafi"), ("name", "Cafe"), ("scheme", "https")], "应用 scheme 须为"),
        ("vas", [("wallet", "none"), ("name", "Cafe"), ("scheme", "shopapp")], "请选择钱包"),
    ] {
        let refused = owner.post("/apps/new", &format!("/apps/new/{form}"), &typed).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{typed:?}");
        let other = other_language(&mut owner, &refused).await;
        assert!(texts(&other.text, "p.problem")[0].contains(wrong), "{wrong}: {}", other.text);
        for (name, value) in typed {
            let name = if form == "vas" && name == "name" { "vas_name" } else { name };
            assert!(name == "wallet" || texts_of(&other.text, &format!("#{name}")) == [value], "{name}");
        }
    }
    let page = "/apps/fomo/demo_app";
    let refused = owner.post(page, &format!("{page}/reveal"), &[("pwd", "wrong")]).await;
    let other = other_language(&mut owner, &refused).await;
    assert_eq!(texts(&other.text, "p.problem"), ["这不是你的登录密码。"]);
    // What is too long for an address is not kept; the page still is.
    let long = "x".repeat(9_000);
    let typed = [("client_id", "a b"), ("name", &*long), ("redirect_uri", back)];
    let refused = owner.post("/apps/new", "/apps/new/fomo", &typed).await;
    assert!(texts(&other_language(&mut owner, &refused).await.text, "p.problem").is_empty());
    // Anybody can write such an address: it says no more than the page's own words.
    let got = visitor.get(&format!("{sign_in}?fault=%3Cb%3Ecall+0900&wait=%3Ci%3E")).await;
    assert_eq!(texts(&got.text, "p.problem").len(), 1);
    assert!(!got.text.contains("call 0900") && !got.text.contains("<i>"), "{}", got.text);
}

/// The values of fields.
fn texts_of(page: &str, fields: &str) -> Vec<String> {
    let page = Html::parse_document(page);
    let fields = Selector::parse(fields).unwrap();
    page.select(&fields).map(|field| field.value().attr("value").unwrap_or_default().to_owned()).collect()
}

/// The verification code that was sent last.
pub(crate) async fn newest_code(world: &World) -> String {
    let codes =
        http::Request::get(world.described().url.clone() + "/sandbox/codes").body(Vec::new()).unwrap();
    let codes = world.transport().send(codes).await.unwrap().into_body();
    let codes: serde_json::Value = serde_json::from_slice(&codes).unwrap();
    codes[0]["verify_code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_moved_clock_is_shown_beside_the_first_call() {
    let world = World::start().await;
    let mut owner = Visitor::new(&world, "en");
    owner.sign_in("owner", "/apps").await;
    world.advance(180).await; // it is within the window of a signature (R8)
    assert_eq!(texts(&owner.get("/apps/fomo/demo_app").await.text, "#clock_off"), [""; 0]);
    world.advance(3420).await;
    let shown = texts(&owner.get("/apps/fomo/demo_app").await.text, "#clock_off strong");
    let seconds: i64 = shown.first().expect("a note").parse().unwrap();
    assert!((3600..3660).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_code_has_its_page_at_its_text_on_the_wire() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    let index = visitor.get("/docs").await.text;
    for (path, status) in
        [("/docs/vas/codes/010001", 200), ("/docs/vas/codes/10001", 404), ("/docs/fomo/codes/8", 200)]
    {
        let got = visitor.get(path).await;
        assert_eq!(got.status.as_u16(), status, "{path}");
        assert_eq!(index.contains(&format!("href=\"{path}\"")), status == 200, "{path}");
    }
    // Two codes of one text are distinguished by their calls.
    let row = |code: &str| {
        index.split(&format!("{code}</a>")).nth(1).unwrap().split("</tr>").next().unwrap().to_owned()
    };
    assert!(row("900001").contains("aid_info") && row("900013").contains("price"));
}

#[tokio::test]
async fn a_sandbox_tells_everybody_who_can_sign_in() {
    let world = World::start().await;
    let shown = world.described();
    let mut names: Vec<(&str, &str)> =
        shown.users.iter().map(|user| (user.login_name.as_str(), user.pwd.as_str())).collect();
    names.push(("owner", &shown.fomo.owner_pwd));
    for other in [&shown.poor_user, &shown.operator] {
        names.push((&other.login_name, &other.pwd));
    }
    for (login_name, pwd) in names {
        let mut visitor = Visitor::new(&world, "en");
        let fields = [("login_name", login_name), ("pwd", pwd), ("next", "/apps")];
        let got = visitor.post("/openfomo/login.html", "/openfomo/login.html", &fields).await;
        assert_eq!(got.location(), "/apps", "{login_name}");
    }
    let request = http::Request::get(format!("{}/sandbox", shown.url)).body(Vec::new()).unwrap();
    let now = world.transport().send(request).await.unwrap().into_body();
    let now: serde_json::Value = serde_json::from_slice(&now).unwrap();
    assert_eq!(now["shop"]["client_id"], "corner_cafe");
    assert_eq!(
        now["shop"]["client_secret"].as_str().unwrap().len(),
        now["fomo"]["client_secret"].as_str().unwrap().len()
    );
    assert_eq!(
        (&now["poor_user"]["login_name"], &now["operator"]["login_name"]),
        (&"dora".into(), &"operator".into())
    );
}

#[tokio::test]
async fn a_safe_domain_is_judged_as_it_is_typed() {
    let world = World::start().await;
    let mut visitor = Visitor::new(&world, "en");
    for (typed, said) in [
        ("www.shop.example", "Good"),
        ("WWW.Shop.Example", "Registered as www.shop.example"),
        ("https://www.shop.example/pay", "Write www.shop.example"),
        ("www.shop.example:8080", "Write www.shop.example"),
        ("localhost", "one whole host name"),
        ("<b>", "one whole host name"),
        ("", ""),
    ] {
        let typed_encoded = form_of(&[("safe_domain", typed)]);
        let got = visitor.get(&format!("/apps/new/safe_domain?{typed_encoded}")).await;
        assert!(got.text.contains(said) && !got.text.contains("<b>"), "{typed}: {}", got.text);
        assert!(!typed.is_empty() || got.text.trim().is_empty());
    }
}

pub(crate) fn form_of(pairs: &[(&str, &str)]) -> String {
    let mut out = Vec::new();
    pairs.iter().for_each(|(name, value)| form::append(name, value, &mut out));
    String::from_utf8(out).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_and_their_callbacks_are_seen_raw_and_a_span_of_time_is_sent_again() {
    let shop = Shop::open().await;
    let world = &shop.world;
    let mut owner = Visitor::new(world, "en");
    owner.sign_in("owner", "/apps").await;
    let apps = owner.get("/apps").await.text;
    let app = apps.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let app = app.filter(|href| href.starts_with("/apps/vas/")).collect::<Vec<_>>();
    let (list, payments) = (format!("{}/deliveries", app[0]), format!("{}/payments", app[0]));
    assert!(owner.get(&list).await.text.contains("There is no callback yet"));
    assert!(owner.get(&payments).await.text.contains("There is no payment yet"));

    shop.merchant.answer(&[500]);
    let mut txids = Vec::new();
    for order in ["\u{ff1d}first", "second"] {
        txids.push(shop.pay(&shop.order(order)).await);
        world.advance(5).await;
    }
    let waiting = owner.get(&list).await.text;
    assert!(
        waiting.contains("second") && waiting.contains("1.50 VAS") && waiting.contains("JSON whose"),
        "{waiting}"
    );
    assert!(!waiting.contains("Send again") && !waiting.contains("id=\"span\""));
    world.advance(3_600).await;
    let page = owner.get(&list).await.text;
    let ids: Vec<&str> =
        page.split(&format!("{list}/")).skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(ids.len(), 2);

    // One callback whole: what was sent, and what came back.
    let one = owner.get(&format!("{list}/{}", ids[0])).await.text;
    let received = shop.merchant.received();
    let sent =
        received.iter().rfind(|received| received.uri().query().unwrap().contains("orderId=second")).unwrap();
    let document = Html::parse_document(&one);
    let request = document.select(&Selector::parse("#request").unwrap()).next().unwrap();
    let request: String = request.text().collect();
    assert!(
        request.starts_with(&format!("GET {} HTTP/1.1\nhost: www.shop.localhost:", sent.uri())),
        "{request}"
    );
    drop(document);
    assert_eq!(one.matches("{&#34;success&#34;:true}").count(), 7, "what the receiver answered: {one}");
    for nowhere in ["0", "x", "999999999"] {
        assert_eq!(owner.get(&format!("{list}/{nowhere}")).await.status, StatusCode::NOT_FOUND);
    }
    let mut alice = Visitor::new(world, "en");
    alice.sign_in("alice", "/apps").await;
    for page in [list.clone(), format!("{list}/{}", ids[0]), payments.clone(), format!("{payments}.csv")] {
        assert_eq!(alice.get(&page).await.status, StatusCode::NOT_FOUND, "{page}");
    }
    let everything = [("from", ""), ("to", "")];
    assert_eq!(alice.post("/apps/new", &list, &everything).await.status, StatusCode::NOT_FOUND);

    // A span of time: none of these fits, then all.
    for (from, to) in [("2999-01-01T00:00", ""), ("", "1999-01-01T00:00"), ("yesterday", "")] {
        let got = owner.post(&list, &list, &[("from", from), ("to", to)]).await;
        assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY, "{from} {to}");
    }
    let before = shop.merchant.received().len();
    shop.merchant.answer(&[200]);
    let span = [("from", "1999-01-01T00:00"), ("to", "2999-01-01T00:00")];
    assert_eq!(owner.post(&list, &list, &span).await.location(), format!("{list}?sent=2"));
    shop.merchant.wait_for(before + 2).await;
    world.advance(60).await;
    assert_eq!(shop.merchant.received().len(), before + 2, "each once");
    assert_eq!(owner.post(&list, &list, &span).await.status, StatusCode::UNPROCESSABLE_ENTITY);

    // A page beyond all payments says so of itself alone, and leads on.
    let beyond = owner.get(&format!("{payments}?before=1")).await.text;
    assert!(
        beyond.contains("There is no payment on this page") && beyond.contains("payments.csv"),
        "{beyond}"
    );
    let shown = table(&owner.get(&payments).await.text);
    assert!(
        shown[0].contains("second") && shown[0].contains(&txids[1]) && shown[0].contains("paid"),
        "{shown:?}"
    );
    let csv = owner.get(&format!("{payments}.csv")).await.text;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let orders: Vec<&str> = rows.iter().map(|row| &row[2]).collect();
    assert_eq!(orders, ["second", "'\u{ff1d}first"]);
    assert_eq!((&rows[0][3], &rows[0][4], &rows[0][5]), ("VAS", "1.50", &*world.user("alice").address));
}

#[tokio::test]
async fn a_sandbox_answers_by_the_names_of_this_machine_alone() {
    let world = World::start().await;
    let ask = async |path: &str, headers: &[(&str, &str)]| {
        let mut request = http::Request::get(format!("{}{path}", world.described().url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        world.transport().send(request.body(Vec::new()).unwrap()).await.unwrap().status()
    };
    for path in
        ["/", "/openfomo/login.html", "/apps", "/fomo/wallet/get_active_coins", "/sandbox", "/healthz"]
    {
        for host in ["evil.example", "www.shop.localhost", "127.0.0.1.evil.example"] {
            assert_eq!(ask(path, &[("host", host)]).await, StatusCode::FORBIDDEN, "{path} as {host:?}");
        }
        // RFC 9112, 3.2; names of hosts have no case.
        assert_eq!(ask(path, &[("host", "")]).await, StatusCode::BAD_REQUEST, "{path}");
        assert_ne!(ask(path, &[("host", "LOCALHOST")]).await, StatusCode::FORBIDDEN, "{path}");
    }
    // A link elsewhere may be followed; what a page elsewhere loads by itself may not.
    let followed =
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    let loaded =
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
    let framed =
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
    assert_eq!(ask("/shop", &followed).await, StatusCode::OK);
    assert_eq!(ask("/shop", &loaded).await, StatusCode::FORBIDDEN);
    assert_eq!(ask("/shop", &framed).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn r37_a_secret_that_still_verifies_is_not_pushed_out() {
    let world = World::start().await;
    let mut bob = Visitor::new(&world, "en");
    bob.sign_in("bob", "/apps").await;
    let fields = [("client_id", "bobs"), ("name", "Bob's"), ("redirect_uri", "https://bob.example/")];
    bob.post("/apps/new", "/apps/new/fomo", &fields).await;
    let pwd = world.user("bob").pwd.clone();
    let rotate = "/apps/fomo/bobs/rotate";
    assert_eq!(bob.post("/apps/fomo/bobs", rotate, &[("pwd", &pwd)]).await.status, StatusCode::OK);
    let second = bob.post("/apps/fomo/bobs", rotate, &[("pwd", &pwd)]).await;
    assert_eq!(second.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(second.text.contains("still verifies"), "{}", second.text);
    world.jump(std::time::Duration::from_secs(86_401));
    assert_eq!(texts(&bob.get("/apps/fomo/bobs").await.text, "#old_until"), [""; 0]);
    assert_eq!(bob.post("/apps/fomo/bobs", rotate, &[("pwd", &pwd)]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn r37_an_old_secret_that_somebody_knows_is_ended_by_its_owner() {
    let world = World::start().await;
    let shown = world.described();
    let (mut owner, pwd) = (Visitor::new(&world, "en"), shown.fomo.owner_pwd.clone());
    owner.sign_in("owner", "/apps").await;
    let (page, end) = ("/apps/fomo/demo_app", "/apps/fomo/demo_app/end_old");
    let rotated = owner.post(page, "/apps/fomo/demo_app/rotate", &[("pwd", &pwd)]).await;
    let fresh = texts(&rotated.text, "#client_secret code").remove(0);
    let settings = "/apps/fomo/demo_app/settings";
    assert_eq!(texts(&owner.get(settings).await.text, "#old_until").len(), 1);
    // 212 where the signature fits, 7 where it does not.
    let code = async |secret: &str| {
        let timestamp = world.timestamp();
        let call = world.get_trade("none").with("timestamp", &timestamp);
        world.call(&call.with("sign", &wallet_tests::sign(secret, &timestamp))).await.status()
    };
    let old = &shown.fomo.client_secret;
    assert_eq!((code(old).await, code(&fresh).await), (212, 212));
    // Not without the password, and not by others.
    assert_eq!(owner.post(page, end, &[("pwd", "wrong")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut bob = Visitor::new(&world, "en");
    bob.sign_in("bob", "/apps").await;
    let others = bob.post("/apps/new", end, &[("pwd", &world.user("bob").pwd)]).await;
    assert_eq!(others.status, StatusCode::NOT_FOUND);
    assert_eq!((code(old).await, code(&fresh).await), (212, 212));
    // A page that is older than another rotation ends nothing.
    let stale = owner.post(page, end, &[("pwd", &pwd), ("secret_version", "1")]).await;
    assert!(stale.text.contains("none was ended"), "{}", stale.text);
    assert_eq!((code(old).await, code(&fresh).await), (212, 212));
    // Guessing at the sign-in locks out no user who is signed in.
    let mut outsider = Visitor::new(&world, "en");
    let guess = [("login_name", "owner"), ("pwd", "no"), ("next", "/apps")];
    for _ in 0..6 {
        outsider.post("/openfomo/login.html", "/openfomo/login.html", &guess).await;
    }
    let guessed = outsider.post("/openfomo/login.html", "/openfomo/login.html", &guess).await;
    assert!(guessed.text.contains("try again in"), "{}", guessed.text);
    let version = owner.get(settings).await.field("secret_version");
    let ended = owner.post(page, end, &[("pwd", &pwd), ("secret_version", &version)]).await;
    assert!(ended.text.contains("is no longer accepted"), "{}", ended.text);
    assert_eq!((code(old).await, code(&fresh).await), (7, 212));
    assert_eq!(texts(&owner.get(settings).await.text, "#old_until"), [""; 0]);
    // Guesses with a session are counted too.
    for _ in 0..5 {
        owner.post(page, "/apps/fomo/demo_app/reveal", &[("pwd", "wrong")]).await;
    }
    let locked = owner.post(page, "/apps/fomo/demo_app/reveal", &[("pwd", &pwd)]).await;
    assert!(locked.text.contains("not your password; try again in") && !locked.text.contains(&fresh));
}

#[tokio::test]
async fn an_address_that_no_browser_should_be_sent_to_is_not_registered() {
    let world = World::start().await;
    let mut bob = Visitor::new(&world, "en");
    bob.sign_in("bob", "/apps").await;
    for (at, (redirect_uri, good)) in [
        ("https://bob.example/back", true),
        ("bob.example/back.php", true),
        ("bobapp://back", true),
        ("http://127.0.0.1:3000/back?x=http://y.example", true),
        ("javascript://x/%0aalert(1)//", false),
        ("JavaScript://x", false),
        ("data://text/html,x", false),
        ("https://trusted.example@evil.example/", false),
        ("/apps", false),
        ("\\\\evil.example", false),
        ("https://", false),
        ("httpbin.example:8080/back", true),
        ("localhost:3000/back", true),
        ("http://[::1]:3000/back", true),
        ("javascript:alert(1)", false),
        ("javascript:80/alert(1)", false),
        ("https:443/evil.example", false),
        ("HTTPS:443/x", false),
        ("vaspay:80/x", false),
        ("ms-settings:80/x", false),
        ("[::1]:3000/back", true),
        ("x-safari-https://evil.example", false),
        ("smb://evil.example/x", false),
        ("com.example.app:/oauth2redirect", true), // RFC 8252, 7.1
        ("com.example.app:/oauth2redirect/x?y=z", true),
        ("com.example.app:/", false),
        ("com.example.app:", false),
        ("javascript:/x", false),
        ("data:/x", false),
        ("com.example.app:/a b", false),
        ("vscode.git://x", false),
        ("itms-appss://x", false),
        ("vaspay://x", false),
        ("lafiwallet://x", false),
        ("googlechromes://evil.example", false),
        ("ms-msdt://x", false),
        ("https.://good.example/", false),
        ("https+x://good.example/", false),
        ("http://2130706433/", false),
        ("http://127.1/", false),
        ("http://0x7f.0x1/", false),
        ("data:text/html,x", false),
        ("https://bob.example:x/", false),
        ("https://bob.example/back#here", false),
        ("bobapp://", false),
        ("https://例え.example/", false),
        ("", false),
    ]
    .into_iter()
    .enumerate()
    {
        let client_id = format!("bobs{at}");
        let fields = [("client_id", client_id.as_str()), ("name", "x"), ("redirect_uri", redirect_uri)];
        let got = bob.post("/apps/new", "/apps/new/fomo", &fields).await;
        let expected = if good { StatusCode::SEE_OTHER } else { StatusCode::UNPROCESSABLE_ENTITY };
        assert_eq!(got.status, expected, "{redirect_uri}");
    }
}

#[tokio::test]
async fn the_signature_debugger_tells_the_cause_and_no_secret() {
    let world = World::start().await;
    for (lang, swapped, php) in
        [("en", "The order is reversed", "The signed text is"), ("zh", "顺序反了", "签的是 PHP json_encode")]
    {
        let mut visitor = Visitor::new(&world, lang);
        let (secret, timestamp) = ("a-secret-of-somebody", "1574510444");
        let sign = wallet_tests::sign(timestamp, secret);
        let fields = [("kind", "fomo"), ("client_secret", secret), ("timestamp", timestamp), ("sign", &sign)];
        let shown = visitor.post("/sign", "/sign", &fields).await;
        assert!(shown.text.contains(swapped), "{}", shown.text);
        assert!(!shown.text.contains(secret), "the secret is not written back");
        // A pay link whose JSON was signed as PHP writes it.
        let vas = &world.described().vas;
        let fields = [
            ("amount", "0.001"),
            ("appUuid", vas.uuid.as_str()),
            ("assetType", "VAS"),
            ("callbackUrl", "http://www.shop.localhost/pay"),
            ("orderId", "1"),
            ("toAddr", vas.to_addr.as_str()),
        ];
        let pay_link = <wallet_api::vas::pay::Link<'_> as wallet_core::link::OutgoingLink>::META;
        let known = wallet_explain::serializers(pay_link.fields, &fields);
        let text = &known.iter().find(|known| known.name == "PHP json_encode").unwrap().text;
        let key = RsaSign::new(&PrivateKey::load(vas.rsa_private_pkcs8.as_str()).unwrap()).unwrap();
        let link_signed_over = |text: &[u8]| {
            let signed = STANDARD.encode(key.sign_sha1(text).unwrap());
            let mut members = vec![("type", "pay")];
            members.extend(fields);
            members.push(("signedContent", &signed));
            let mut json = Vec::new();
            wallet_core::json::write_object(members, &mut json);
            format!("vaspay://{}", String::from_utf8(json).unwrap())
        };
        let link = link_signed_over(text.as_bytes());
        let shown = visitor.post("/sign", "/sign", &[("kind", "link"), ("link", &link)]).await;
        assert!(shown.text.contains(php) && shown.text.contains("JSON_UNESCAPED_SLASHES"), "{}", shown.text);
        assert!(Html::parse_document(&shown.text).errors.is_empty());
        // What is unusual and read all the same (R41) is read here too, and by the wallet's page.
        let unusual = |link: &str| link.replace("{", "{ ").replace("}", ",\n}");
        let shown = visitor.post("/sign", "/sign", &[("kind", "link"), ("link", &unusual(&link))]).await;
        assert!(shown.text.contains(php), "{}", shown.text);
        visitor.sign_in("alice", "/wallet").await;
        let mut canonical = Vec::new();
        wallet_core::json::write_object(fields, &mut canonical);
        let good = unusual(&link_signed_over(&canonical));
        let asked = visitor.get(&format!("/wallet?{}", form_of(&[("scan", &good)]))).await;
        assert!(asked.text.contains("0.001") && asked.text.contains("/wallet/pay"), "{}", asked.text);
        let none = visitor.post("/sign", "/sign", &[("kind", "link"), ("link", "vaspay://{}")]).await;
        assert!(none.text.contains("amount"), "{}", none.text);
    }
}

/// Every page that a visitor and a signed-in user can open, in both languages.
#[tokio::test]
async fn every_page_is_whole_in_both_languages() {
    let world = World::start().await;
    for lang in ["en", "zh"] {
        let mut visitor = Visitor::new(&world, lang);
        let mut seen = 0;
        for path in [
            "/",
            "/openfomo/login.html",
            "/openfomo/register.html",
            "/openfomo/register.html?verify_id=a&tmp_user_id=b",
            "/sign?link=nonsense",
            "/sandbox/codes",
            "/shop",
            "/inspect",
            "/clock",
            "/shop/sign_in/vas",
            "/link",
            "/link?text=nonsense",
            "/link?text=vaspay%3A%2F%2F%7B%22type%22%3A%20%22pay%22%2C%7D",
            "/sign",
            "/chain",
            "/docs",
            "/docs/fomo",
            "/docs/vas",
            "/docs/guides/fomo",
            "/docs/guides/vas",
            "/docs/guides/embed",
            "/docs/guides/go-live",
            "/docs/guides/test-values",
            "/docs/guides/sandbox",
            "/docs/callbacks",
            "/docs/search",
            "/docs/search?q=timestamp",
            "/docs/search?q=nosuchword",
            "/docs/rules",
            "/docs/fomo/codes/7",
            "/docs/vas/codes/910006",
        ] {
            whole(&mut visitor, path, lang).await;
            seen += 1;
        }
        visitor.sign_in("alice", "/apps").await;
        let name = format!("app_{lang}");
        let fields =
            [("client_id", name.as_str()), ("name", "An app"), ("redirect_uri", "https://a.example/")];
        let made = visitor.post("/apps/new", "/apps/new/fomo", &fields).await;
        visitor.get(made.location()).await;
        let applied =
            [("wallet", "vas"), ("name", "A shop"), ("safe_domain", "www.a.example"), ("scheme", "")];
        let vas = visitor.post("/apps/new", "/apps/new/vas", &applied).await.location().to_owned();
        assert!(vas.starts_with("/apps/vas/"), "{vas}");
        let app = format!("/apps/fomo/{name}");
        let callbacks = format!("{app}/deliveries");
        let payments = format!("{app}/payments");
        let consent = format!(
            "/fomo/oauth2/authorize?response_type=code&client_id={}&redirect_uri=https%3A%2F%2Fshop.example%2Fback&state=s",
            world.described().fomo.client_id
        );
        for path in [
            "/",
            "/apps",
            "/apps/new",
            &app,
            &callbacks,
            &payments,
            &vas,
            &consent,
            "/wallet",
            "/wallet?scan=nonsense",
            "/wallet/history",
            "/wallet/history?of=VAS",
            "/wallet/password",
            "/inspect",
            "/shop",
            "/nowhere_known",
        ] {
            if path == "/nowhere_known" {
                assert_eq!(visitor.get(path).await.status, StatusCode::NOT_FOUND);
                continue;
            }
            whole(&mut visitor, path, lang).await;
            seen += 1;
        }
        for path in [format!("{vas}/deliveries"), format!("{vas}/payments")] {
            whole(&mut visitor, &path, lang).await;
            seen += 1;
        }
        visitor.sign_in("operator", "/admin").await;
        whole(&mut visitor, "/admin", lang).await;
        seen += 1;
        assert_eq!(seen, 49);
    }
}

async fn whole(visitor: &mut Visitor<'_>, path: &str, lang: &str) {
    let got = visitor.get(path).await;
    assert_eq!(got.status, StatusCode::OK, "{path}");
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(got.headers[name], value, "{path}");
    }
    let policy = got.headers["content-security-policy"].to_str().unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "script-src 'self';", "base-uri 'none'"] {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    // The references are long.
    let most = if ["/docs/fomo", "/docs/vas"].contains(&path) { 100 } else { 60 };
    assert!(got.text.len() < most * 1024, "{path} weighs {}", got.text.len());
    let page = Html::parse_document(&got.text);
    assert!(page.errors.is_empty(), "{path}: {:?}\n{}", page.errors, got.text);
    let all = |css: &str| Selector::parse(css).map(|css| page.select(&css).collect::<Vec<_>>()).unwrap();
    let html = all("html")[0].value();
    assert_eq!(html.attr("lang"), Some(if lang == "zh" { "zh-CN" } else { "en" }), "{path}");
    assert_eq!(all("title").len(), 1);
    assert!(all("title")[0].text().collect::<String>().len() > " · wallop".len(), "{path} has a title");
    assert_eq!(all("h1").len(), 1, "{path} has one h1");
    assert_eq!(all("main").len(), 1);
    assert!(all("[style], style, script:not([src])").is_empty(), "{path}: the policy lets none of it pass");
    // Every field has a label, every picture a name.
    for field in all("input:not([type=hidden]):not([hidden]), select, textarea") {
        let id = field.value().attr("id").unwrap_or_else(|| panic!("{path}: a field without an id"));
        assert_eq!(all(&format!("label[for='{id}']")).len(), 1, "{path}: {id} has a label");
    }
    for picture in all("img, [role=img]") {
        let named = picture.value().attr("alt").or(picture.value().attr("aria-label"));
        assert!(named.is_some_and(|name| !name.is_empty()), "{path}");
    }
    let mut ids: Vec<&str> = all("[id]").iter().filter_map(|element| element.value().attr("id")).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "{path}: an id is unique");
    // Nothing of another host, but where the reader goes by choice.
    for element in all("[src], link[href], form[action]") {
        let value = element.value();
        let to = value.attr("src").or(value.attr("href")).or(value.attr("action")).unwrap();
        assert!(to.starts_with('/') && !to.starts_with("//"), "{path}: {to}");
    }
    // The switch keeps the page.
    let switch = all("a[data-switch]")[0].value().attr("href").unwrap().to_owned();
    assert!(switch.starts_with(path.split('?').next().unwrap()), "{path}: {switch}");
    // The page's own words are in its language; texts of others are in `code`, `bdi`, or a field.
    let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let words = |css: &str| {
        let found = all(css).into_iter().map(|found| {
            let code = Selector::parse("code, bdi, pre").unwrap();
            let foreign: Vec<_> = found.select(&code).map(|code| code.text().collect::<String>()).collect();
            foreign.iter().fold(found.text().collect::<String>(), |text, foreign| text.replace(foreign, ""))
        });
        found.filter(|text| text.chars().any(char::is_alphabetic)).collect::<Vec<_>>()
    };
    let own = "h1, h2, h3, h4, button, label, th, summary, [role=alert], [role=status], p.muted, p.hint, p.lead, p.note";
    for text in words(&format!("main :is({own})")) {
        let mut parts =
            text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|part| !part.is_empty());
        let is_name = parts.all(|part| NAMES.contains(&part) || part.contains('_'))
            || (path.starts_with("/docs/") && !text.trim().contains(' ')); // an endpoint or an object
        assert!(is_name || is_chinese(&text) == (lang == "zh"), "{path} in {lang}: {text}");
    }
}

/// What is called the same in every language.
const NAMES: &[&str] = &[
    "curl",
    "openssl",
    "FOMO",
    "VAS",
    "Lafi",
    "timestamp",
    "sign",
    "curl",
    "Rust",
    "Java",
    "PHP",
    "Python",
    "Go",
    "JavaScript",
];

fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

/// WCAG's AA for text: 4.5 to 1, light and dark.
#[test]
fn the_colours_of_the_design_have_contrast() {
    let css = include_str!("../../crates/wallet-server/assets/wallop.css");
    let blocks: Vec<&str> =
        css.split(":root {").skip(1).map(|block| block.split('}').next().unwrap()).collect();
    assert_eq!(blocks.len(), 2, "light and dark");
    for block in blocks {
        let token = |name: &str| {
            let line = block.lines().find_map(|line| line.trim().strip_prefix(&format!("--{name}: ")));
            luminance(line.unwrap_or_else(|| panic!("no token {name}")).trim_end_matches(';'))
        };
        for (text, grounds) in [
            ("text", &["ground", "surface", "sunken"][..]),
            ("muted", &["ground", "surface", "sunken"]),
            ("accent", &["ground", "surface", "accent-weak"]),
            ("on-accent", &["accent"]),
            ("ok", &["ok-weak"]),
            ("warn", &["warn-weak"]),
            ("bad", &["bad-weak"]),
        ] {
            for ground in grounds {
                let (a, b) = (token(text), token(ground));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2}");
            }
        }
    }
}

/// A text as a link has it: percent-encoded once.
fn link_text(text: &str) -> String {
    let mut out = Vec::new();
    wallet_core::link::encode_into(text, &mut out);
    String::from_utf8(out).unwrap()
}
