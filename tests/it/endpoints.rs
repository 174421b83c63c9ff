//! Every endpoint, in every encoding and in every outcome that the spec names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wallet_api::fomo::Fomo;
use wallet_core::{EndpointMeta, Platform as _};
use wallet_engine::{Command, Query};
use wallet_platform::{
    ActiveCoins, Changes, Coin, Context, CreateApp, CreateUser, EnrolDeveloper, FindApp, FindUser,
    FreezeUser, Platform, PutCoin, Rows, SessionUser, Stop, SuspendApp,
};
use wallet_tests::{Call, Format, Reply, World, fast_passwords, sign};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_every_endpoint_takes_exactly_the_documents_parameters_in_every_encoding() {
    let world = World::start().await;
    for meta in Fomo::META.endpoints {
        for format in Format::ALL {
            let call = world.valid(meta.id).await;
            // Exactly the parameters that the document lists, no more and no less.
            let sent: Vec<&str> = call.fields.iter().map(|(name, _)| name.as_str()).collect();
            for field in meta.request {
                assert_eq!(
                    sent.contains(&field.name),
                    field.required
                        || (field.name == "scope" && meta.id == "refresh_token")
                        || field.name == "page",
                    "{}.{}",
                    meta.id,
                    field.name
                );
            }
            assert!(
                sent.iter().all(|name| meta.request.iter().any(|field| field.name == *name)),
                "{}",
                meta.id
            );
            world.call_as(&call, format).await.ok();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r39_methods_are_the_documents_own() {
    let world = World::start().await;
    for meta in Fomo::META.endpoints {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let mut call = world.valid(meta.id).await;
            call.method = method;
            if (method, meta.id) == ("GET", "authorize") {
                // R25: at this address GET is the page that asks for consent; without a query it asks for nothing.
                let page = world.get("/fomo/oauth2/authorize").await;
                assert_eq!((page.http, &page.headers["x-frame-options"]), (400, &"DENY".parse().unwrap()));
                continue;
            }
            let reply = world.call(&call).await;
            let known: Vec<&str> = meta.methods.iter().map(|method| method.word()).collect();
            match known.contains(&method) {
                true => drop(reply.ok()),
                false => {
                    assert_eq!(reply.http, 405, "{method} {}", meta.path);
                    let head = if known.contains(&"GET") { ", HEAD" } else { "" }; // RFC 9110, 9.1
                    assert_eq!(reply.headers["allow"], format!("{}{head}", known.join(", ")));
                }
            }
        }
    }
    assert_eq!(world.call(&Call::post("no/such/path")).await.http, 404);
    assert_eq!(world.get("/elsewhere").await.http, 404);
}

/// Changes a call that would succeed so that it meets with this refusal.
async fn provoke(world: &World, meta: &EndpointMeta, refusal: &str) -> Call {
    let id = meta.id;
    let call = match (id, refusal) {
        // Made from the ground up below.
        ("confirm_pay" | "get_pending", "transfer_expired" | "transfer_done") => Call::post(meta.path),
        _ => world.valid(id).await,
    };
    let first = meta.request.first().map_or("", |field| field.name);
    match (id, refusal) {
        (_, "missing_parameter" | "invalid_request") => call.without(first),
        // The app is suspended, or alice frozen, once the call is made.
        (_, "app_suspended" | "client_suspended" | "user_frozen") => call,
        (_, "not_logged_in") => call.bearer("0000000000000000000000000000000000000000"),
        (_, "scope_lacking") => {
            let other =
                if meta.scope.is_some_and(|scope| scope.id == "userinfo") { "paytoken" } else { "userinfo" };
            let narrow = world.refresh("alice").await.with("scope", other);
            let token = world.call(&narrow).await.ok().data("access_token").to_owned();
            call.bearer(&token)
        }
        (_, "session_unknown") => call.with("session_key", "0000000000000000000000000000000000000000"),
        (_, "client_id_unknown" | "unknown_client") => call.with("client_id", "nobody"),
        (_, "invalid_client") => call.with("client_secret", "wrong"),
        (_, "access_denied") => call.with("authorized", "no"),
        (_, "scope_unregistered") => call.with("scope", "email"),
        (_, "unsupported_grant_type") => call.with("grant_type", "password"),
        ("token", "invalid_grant") => call.with("code", "0000"),
        ("refresh_token", "invalid_grant") => call.with("refresh_token", "0000"),
        (_, "invalid_scope") => call.with("scope", "userinfo everything"),
        (_, "sign_invalid") => call.with("sign", "0000000000000000000000000000000000000000"),
        (_, "sign_expired") => {
            let then = (world.timestamp().parse::<i64>().unwrap() - 601).to_string();
            let sign = sign(&world.described().fomo.client_secret, &then);
            call.with("timestamp", &then).with("sign", &sign)
        }
        ("authorize", "no_permission") | ("pre_pay", "redirect_uri_differs") => {
            call.with("redirect_uri", "https://shop.example/other")
        }
        ("pre_pay", "client_id_differs") => {
            let (shop, timestamp) = (&world.described().shop, world.timestamp());
            call.with("client_id", &shop.client_id)
                .with("sign", &sign(&shop.client_secret, &timestamp))
                .with("timestamp", &timestamp)
        }
        ("pre_pay", "own_payment") => world.pre_pay("owner").await,
        ("get_pending", "no_permission") => call.with("session_key", &world.session("bob").await),
        ("confirm_pay", "no_permission") => call
            .with("session_key", &world.session("bob").await)
            .with("wallet_pwd", &world.user("bob").wallet_pwd),
        ("pay_user", "own_payment") => call.with("user_id", &world.described().fomo.owner_user_id),
        ("get_transfer_detail", "no_permission") => call.bearer(&world.tokens("bob").await.0),
        ("complete_register", "no_permission") => call.with("verify_code", "not it"),
        (_, "coin_unknown") => call.with("coin_id", "999"),
        ("confirm_pay", "coin_inactive") => {
            let pre_pay = world.pre_pay("alice").await.with("coin_id", "77");
            put_coin(world, 77, true).await;
            let confirm = world.confirm_of("alice", &pre_pay).await;
            put_coin(world, 77, false).await;
            confirm
        }
        (_, "coin_inactive") => {
            put_coin(world, 78, false).await;
            call.with("coin_id", "78")
        }
        (_, "user_unknown") => call.with("user_id", "999"),
        (_, "trade_id_taken") => {
            world.call(&call).await.ok();
            call
        }
        (_, "transfer_unknown") if id == "get_trade" => world.get_trade("never"),
        (_, "transfer_unknown") => call.with("transfer_id", "12345"),
        (_, "transfer_done") => {
            let confirm = world.confirm_pay("alice").await;
            world.call(&confirm).await.ok();
            if id == "confirm_pay" {
                confirm
            } else {
                Call { path: meta.path.to_owned(), ..confirm.without("wallet_pwd") }
            }
        }
        (_, "transfer_expired") => {
            let confirm = world.confirm_pay("alice").await;
            world.jump(std::time::Duration::from_secs(181));
            if id == "confirm_pay" {
                confirm
            } else {
                Call { path: meta.path.to_owned(), ..confirm.without("wallet_pwd") }
            }
        }
        ("confirm_pay", "wallet_pwd_unset") => {
            let complete = world.complete_register(&world.fresh("bare")).await;
            world.call(&complete).await.ok();
            // Any session of a user without a payment password: that is seen before the transfer is.
            let name = world.get("/sandbox/codes").await.json[0]["login_name"].as_str().unwrap().to_owned();
            let login = Call::post("customer/login").with("login_name", &name).with("pwd", "a new password");
            let session = world.call(&login).await.ok().data("session_key").to_owned();
            call.with("session_key", &session)
        }
        ("pay_user", "wallet_pwd_unset") => {
            let store = world.store();
            let pwd = wallet_core::Secret::new(
                fast_passwords().hash(&wallet_crypto::Portable::new(), "x").unwrap(),
            );
            let name = world.fresh("owner");
            let user = CreateUser {
                login_name: name.clone(),
                name: name.clone(),
                pwd,
                wallet_pwd: None,
                developer: true,
            };
            let owner = store.submit(user).await.unwrap();
            store.submit(EnrolDeveloper(owner)).await.unwrap();
            let seed = store.vault().seed();
            let app = CreateApp {
                owner,
                client_id: name.clone().into(),
                name: name.clone(),
                redirect_uri: "x".into(),
                seed,
            };
            store.submit(app).await.unwrap();
            let keys = store.view(FindApp::new(&name)).await.unwrap();
            let sign = sign(keys.secrets().next().unwrap(), call.field("timestamp"));
            call.with("client_id", &name).with("sign", &sign)
        }
        (_, "wallet_pwd_wrong") => call.with("wallet_pwd", "wrong"),
        (_, "insufficient_balance") if id == "confirm_pay" => {
            let pre_pay = world.pre_pay("alice").await.with("amount", "1000000");
            world.confirm_of("alice", &pre_pay).await
        }
        (_, "insufficient_balance") => call.with("amount", "1000000"),
        ("complete_register", "login_name_invalid") => world.complete_register("alice").await,
        ("register", "login_name_invalid") => call.with("user_name", "a b"),
        ("login", "login_name_invalid") => call.with("login_name", "a b"),
        (_, "pwd_wrong") => call.with("pwd", "wrong"),
        (id, refusal) => {
            panic!("no call provokes {refusal} of {id}: add one to `provoke` in tests/it/endpoints.rs")
        }
    }
}

/// Suspends the app or freezes alice for a refusal of that, or lifts it.
async fn stopped(world: &World, refusal: &str, stop: bool) {
    let store = world.store();
    match refusal {
        "app_suspended" | "client_suspended" => {
            let client_id = &world.described().fomo.client_id;
            let app = store.view(FindApp::even_suspended(client_id)).await.unwrap().app.id;
            store.submit(SuspendApp { app, suspended: stop }).await.unwrap();
        }
        "user_frozen" => {
            let user = store.view(FindUser("alice".to_owned())).await.unwrap().unwrap().id;
            store.submit(FreezeUser { user, frozen: stop }).await.unwrap();
        }
        _ => {}
    }
}

async fn put_coin(world: &World, id: u64, is_active: bool) {
    let text = String::new;
    let coin = Coin {
        id: wallet_api::fomo::CoinId::new(id),
        chain_id: text(),
        coin_type: text(),
        price: text(),
        name: format!("coin {id}"),
        description: text(),
        explorer: text(),
        contract: text(),
        decimals: 6,
        min_amount: text(),
        next_start: text(),
        is_active,
        sort_id: 9,
    };
    world.store().submit(PutCoin(coin)).await.unwrap();
}

/// What is different at every run, by a name that says which of them it is: swapped ids do not look alike.
#[derive(Default)]
struct Names(BTreeMap<&'static str, Vec<String>>);

impl Names {
    fn of(&mut self, kind: &'static str, text: &str) -> String {
        const ORDINALS: [&str; 8] =
            ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"];
        let known = self.0.entry(kind).or_default();
        let at = known.iter().position(|seen| seen == text).unwrap_or_else(|| {
            known.push(text.to_owned());
            known.len() - 1
        });
        format!("<{} {kind}>", ORDINALS[at])
    }

    fn normal(&mut self, world: &World, value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let of_member = |(name, value): (&String, &Value)| match (&**name, value) {
                    // Callbacks that fail meanwhile are events too.
                    ("n", Value::String(text)) => (name.clone(), json!(self.of("n", text))),
                    _ => (name.clone(), self.normal(world, value)),
                };
                map.iter().map(of_member).collect()
            }
            Value::Array(list) => list.iter().map(|value| self.normal(world, value)).collect(),
            Value::String(text) => {
                let sandbox = world.described();
                let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                json!(if text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    self.of("40 hex", text)
                } else if digits && text.len() == 10 && text.starts_with('1') {
                    "<time>".to_owned() // two may fall into the same second, or not
                } else if digits && text.len() >= 15 {
                    self.of("transfer_id", text)
                } else if *text == world.user("alice").user_id {
                    "<alice>".to_owned()
                } else if *text == world.user("bob").user_id {
                    "<bob>".to_owned()
                } else if *text == sandbox.fomo.owner_user_id {
                    "<owner>".to_owned()
                } else if digits && text.len() == 6 && text.starts_with("100") && text != "100100" {
                    self.of("id", text)
                } else if text.starts_with("trade-") || text.starts_with("payout-") {
                    self.of("trade_id", text)
                } else if text.starts_with("fomo_") {
                    self.of("fomo_id", text)
                } else {
                    text.clone()
                })
            }
            other => other.clone(),
        }
    }
}

/// Checks a reply against what the OpenAPI file says of its endpoint and status: a client that validates must survive it.
fn is_described(openapi: &Value, meta: &EndpointMeta, reply: &Reply) {
    let method = meta.methods.last().unwrap().word().to_ascii_lowercase();
    let path = format!("~1{}", meta.path.trim_start_matches('/').replace('/', "~1"));
    let at = format!("/paths/{path}/{method}/responses/{}/content/application~1json/schema", reply.http);
    assert!(openapi.pointer(&at).is_some(), "{} has no HTTP {} in its OpenAPI file", meta.id, reply.http);
    let mut schema = openapi.clone();
    schema["$ref"] = json!(format!("#{at}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(&reply.json).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{} HTTP {}: {} {faults:#?}", meta.id, reply.http, reply.text);
}

/// What each operation of an OpenAPI file calls itself by, once.
#[test]
fn the_openapi_files_describe_refusals_and_security() {
    for (file, meta) in [("fomo", Fomo::META), ("vas", wallet_api::vas::Vas::META)] {
        let path = format!("{}/../docs/openapi/{file}.json", env!("CARGO_MANIFEST_DIR"));
        let openapi: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for endpoint in meta.endpoints {
            let path = format!("/{}", endpoint.path.trim_start_matches('/'));
            let operation = &openapi["paths"][&path][endpoint.methods[0].word().to_ascii_lowercase()];
            let responses = operation["responses"].as_object().unwrap();
            for refusal in endpoint.errors {
                let text = responses[&refusal.http.to_string()].to_string();
                let code = match meta.envelope.digits {
                    Some(_) => format!("\"{}\"", meta.envelope.code_text(refusal.code.code)),
                    None => refusal.code.code.to_string(),
                };
                assert!(
                    text.contains(&code) && text.contains("\"const\":false"),
                    "{} {}",
                    endpoint.id,
                    refusal.id
                );
            }
            for status in ["413", "500", "503"] {
                assert!(responses.contains_key(status), "{} {status}", endpoint.id);
            }
            for scheme in
                operation["security"].as_array().unwrap().iter().filter_map(Value::as_object).flatten()
            {
                assert!(openapi["components"]["securitySchemes"].get(scheme.0).is_some(), "{}", scheme.0);
            }
        }
    }
}

fn shown(world: &World, reply: &Reply) -> Value {
    let mut headers = serde_json::Map::new();
    for name in ["content-type", "cache-control", "www-authenticate", "retry-after"] {
        if let Some(value) = reply.headers.get(name) {
            headers.insert(name.to_owned(), json!(value.to_str().unwrap()));
        }
    }
    let body = Names::default().normal(world, &reply.json);
    json!({ "http": reply.http, "headers": headers, "body": body })
}

/// One file an endpoint: its success and each refusal that the spec lists for it. WALLOP_BLESS=1 rewrites them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_golden_replies_of_every_endpoint_in_every_outcome() {
    let world = World::start().await;
    let mut outcomes = 0;
    let openapi: Value = serde_json::from_str(include_str!("../../docs/openapi/fomo.json")).unwrap();
    for meta in Fomo::META.endpoints {
        let mut replies: BTreeMap<String, Value> = BTreeMap::new();
        let reply = world.call(&world.valid(meta.id).await).await.ok();
        is_described(&openapi, meta, &reply);
        replies.insert("success".to_owned(), shown(&world, &reply));
        for refusal in meta.errors {
            let call = provoke(&world, meta, refusal.id).await;
            stopped(&world, refusal.id, true).await;
            let reply = world.call(&call).await;
            stopped(&world, refusal.id, false).await;
            let (id, name) = (meta.id, refusal.id);
            assert_eq!(reply.status(), i64::from(refusal.code.code), "{id}: {name}: {}", reply.text);
            assert_eq!(reply.http, refusal.http, "{id}: {name}: {}", reply.text);
            assert_eq!(reply.json["success"], false, "{id}: {name}");
            is_described(&openapi, meta, &reply);
            assert_eq!(reply.json.get("error").and_then(Value::as_str), refusal.oauth, "{id}: {name}");
            replies.insert(refusal.id.to_owned(), shown(&world, &reply));
        }
        outcomes += replies.len();
        let path: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "it", "golden", &format!("{}.json", meta.id)].iter().collect();
        replies.values_mut().for_each(Value::sort_all_objects); // whatever order this build's maps have
        let text = serde_json::to_string_pretty(&replies).unwrap() + "\n";
        if std::env::var_os("WALLOP_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let bless = "WALLOP_BLESS=1 cargo test -p wallet-tests --test it golden";
        let Ok(golden) = std::fs::read_to_string(&path) else {
            panic!("{} does not exist: `{bless}` writes it; review it", path.display());
        };
        assert_eq!(text, golden, "{} differs: `{bless}` writes it; review the diff", path.display());
    }
    println!("{outcomes} outcomes of {} endpoints", Fomo::META.endpoints.len());
    let directory: PathBuf = [env!("CARGO_MANIFEST_DIR"), "it", "golden"].iter().collect();
    let kept = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name());
    let mut kept: Vec<_> = kept.map(|name| name.into_string().unwrap()).collect();
    let mut all: Vec<_> = Fomo::META.endpoints.iter().map(|meta| format!("{}.json", meta.id)).collect();
    kept.sort();
    all.sort();
    assert_eq!(kept, all, "a golden file belongs to no endpoint");
}

/// The reply of the second appendix, member by member and in its order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r13_active_coins_are_member_by_member_as_the_document_prints_them() {
    let world = World::start().await;
    let reply = world.call(&Call { headers: vec![], ..Call::post("wallet/get_active_coins") }).await.ok();
    let data = &reply.text[reply.text.find("\"data\"").unwrap()..];
    let coin = |id: &str,
                chain: &str,
                price: &str,
                name: &str,
                description: &str,
                explorer: &str,
                contract: &str,
                decimals: &str,
                next: &str| {
        format!(
            "{{\"id\":\"{id}\",\"chain_id\":\"{chain}\",\"coin_type\":\"0\",\"price\":\"{price}\",\"name\":\"{name}\",\
             \"description\":\"{description}\",\"bc_expolorer\":\"{explorer}\",\"contract\":\"{contract}\",\
             \"decimals\":\"{decimals}\",\"min_amount\":\"1\",\"next_start\":\"{next}\",\"is_active\":\"1\",\"sort_id\":\"0\"}}"
        )
    };
    let coins = [
        coin("1", "3", "0.1", "vnt", "", "", "", "8", "0"),
        coin("3", "3", "188.93", "eth", "", "", "", "18", "6739398"),
        coin(
            "5",
            "3",
            "0.9993",
            "usdt",
            "",
            "",
            "0x3551206D38A1D76C3616b8cf2A239Bc3893E4119",
            "6",
            "6739398",
        ),
        coin("8", "1", "9027.06", "btc", "bitcoin", "bitcoin.org", "", "18", "0"),
    ];
    assert_eq!(data, format!("\"data\":{{\"active_coins\":[{}]}}}}", coins.join(",")));
    assert!(reply.text.starts_with("{\"success\":true,\"status\":1,\"msg\":"));
}

/// Blocks the thread that runs it until it is released.
struct Hold {
    until: Mutex<Receiver<()>>,
    begun: Arc<AtomicUsize>,
}

impl Hold {
    fn new(releases: &mut Vec<Sender<()>>, begun: &Arc<AtomicUsize>) -> Self {
        let (release, held) = channel();
        releases.push(release);
        Self { until: Mutex::new(held), begun: begun.clone() }
    }

    fn hold(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let _ = self.until.lock().unwrap().recv();
    }
}

impl Command<Platform> for Hold {
    type Outcome = ();
    fn apply(&self, _: &Rows, _: &Context<'_>, _: &mut Changes) -> Result<(), Stop> {
        self.hold();
        Ok(())
    }
}

impl Query<Platform> for Hold {
    type Answer = ();
    fn read(&self, _: &Rows, _: &Context<'_>) -> Result<(), Stop> {
        self.hold();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_every_endpoint_answers_an_overload_and_a_fault() {
    let world = World::start().await;
    let mut calls = Vec::new();
    for meta in Fomo::META.endpoints {
        calls.push((meta.id, world.valid(meta.id).await));
    }
    let store = world.store().clone();
    let session = store.vault().hash(&world.session("alice").await);

    // The writer and both readers are held, and more wait before each than its queue has room for.
    let mut releases = Vec::new();
    let (mut held, begun) = (tokio::task::JoinSet::new(), Arc::default());
    let (writing, command) = (store.clone(), Hold::new(&mut releases, &begun));
    held.spawn(async move { writing.submit(command).await.unwrap() });
    for _ in 0..2 {
        let (reading, query) = (store.clone(), Hold::new(&mut releases, &begun));
        held.spawn(async move { reading.view(query).await.unwrap() });
    }
    // Before anything else is in a queue: else one of them may find it full.
    while begun.load(Ordering::SeqCst) < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..6_000 {
        let (writing, reading) = (store.clone(), store.clone());
        waiting.spawn(async move { drop(writing.submit(SessionUser(session)).await) });
        waiting.spawn(async move { drop(reading.view(ActiveCoins).await) });
    }
    let full = |result: Result<bool, tokio::time::error::Elapsed>| result.unwrap_or(false);
    let a_moment = std::time::Duration::from_millis(50);
    tokio::time::timeout(std::time::Duration::from_secs(30), async {
        loop {
            let written = async { store.submit(SessionUser(session)).await.is_err() };
            let read = async { store.view(ActiveCoins).await.is_err() };
            let written = full(tokio::time::timeout(a_moment, written).await);
            if written && full(tokio::time::timeout(a_moment, read).await) {
                break;
            }
        }
    })
    .await
    .unwrap();
    for (id, call) in &calls {
        let reply = world.call(call).await;
        assert_eq!((reply.http, reply.status()), (503, 5), "{id}: {}", reply.text);
        assert_eq!(reply.headers["retry-after"], "1", "{id}");
    }
    releases.into_iter().for_each(|release| release.send(()).unwrap());
    held.join_all().await;
    waiting.join_all().await;

    // A database that has lost its tables.
    let tables = world.database().tables();
    let rename = |from: &str, to: &str| {
        let sql = |table: &String| format!("ALTER TABLE \"{from}{table}\" RENAME TO \"{to}{table}\";");
        world.database().change(&tables.iter().map(sql).collect::<String>());
    };
    rename("", "lost_");
    for (id, call) in &calls {
        let reply = world.call(call).await;
        assert_eq!((reply.http, reply.status()), (500, 5), "{id}: {}", reply.text);
    }
    // Nothing of it is for ever.
    rename("lost_", "");
    for (_, call) in &calls {
        world.call(call).await.ok();
    }
}
