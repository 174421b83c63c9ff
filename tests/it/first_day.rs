//! The first day of an operator: from the key to payments behind TLS on two nodes, of which one dies; with a second factor, an app
//! that is reviewed, and an order that is paid on a chain.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use scraper::{Html, Selector};
use serde_json::Value;
use wallet_client::Order;
use wallet_core::Signer;
use wallet_core::link::OutgoingLink as _;
use wallet_crypto::{PrivateKey, RsaSign};
use wallet_tests::{
    ANY_TIME, LITECOIN_PASSWORD, LITECOIN_USER, Litecoin, Node, Postgres, configure, said, sign, wallop,
    wallop_path, write_secret,
};

use crate::network::certify;
use crate::operators::totp;

/// A caller of two nodes that trusts the authority, and keeps its cookies in a file.
struct Caller<'d> {
    directory: &'d Path,
    port: u16,
    cookies: &'static str,
}

impl Caller<'_> {
    fn curl(&self, arguments: &[&str], path: &str) -> String {
        let (root, jar) = (self.directory.join("root.pem"), self.directory.join(self.cookies));
        let url = format!("https://localhost:{}{path}", self.port);
        let mut command = Command::new("curl");
        command.args(["-s", "-S", "-m", "20", "--cacert"]).arg(root).arg("-b").arg(&jar).arg("-c").arg(&jar);
        let output = command.args(arguments).arg(url).output().unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn form(fields: &[(&str, &str)]) -> Vec<String> {
        fields
            .iter()
            .flat_map(|(name, value)| ["--data-urlencode".to_owned(), format!("{name}={value}")])
            .collect()
    }

    /// A call of the documents, which succeeds.
    fn call(&self, path: &str, bearer: Option<&str>, fields: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut arguments = Self::form(fields);
        if let Some(token) = bearer {
            arguments.extend(["-H".to_owned(), format!("Authorization: Bearer {token}")]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let text = self.curl(&arguments, path);
        let reply: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"));
        assert_eq!(reply["success"], true, "{path}: {text}");
        texts(&reply["data"])
    }

    /// A call of the VAS wallet, which succeeds.
    fn vas(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let arguments = Self::form(fields);
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if path.starts_with("oauth/") {
            arguments.push("-G");
        }
        let text = self.curl(&arguments, &format!("/vas/server/{path}"));
        let reply: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"));
        assert_eq!(reply["success"], true, "{path}: {text}");
        reply["result"].clone()
    }

    /// Sends the form of a page, as a browser does.
    fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> String {
        let csrf = value_of(&self.curl(&[], page), "input[name=csrf]");
        let arguments = Self::form(&[&[("csrf", &*csrf)], fields].concat());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.curl(&arguments, action)
    }
}

/// The members of an object.
fn texts(data: &Value) -> BTreeMap<String, String> {
    let Value::Object(data) = data else { return BTreeMap::new() };
    data.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn value_of(page: &str, selector: &str) -> String {
    let page = Html::parse_document(page);
    let found = page.select(&Selector::parse(selector).unwrap()).next().expect("found on the page");
    found.value().attr("value").map_or_else(|| found.text().collect(), str::to_owned)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The package of the program of these tests.
fn package(directory: &Path) -> PathBuf {
    let mut xtask = Command::new(env!("CARGO"));
    xtask.args(["run", "--quiet", "--package", "xtask", "--", "dist"]).arg(directory).arg(wallop_path());
    let done = xtask.output().unwrap();
    let (code, text) = said(&done);
    assert_eq!(code, Some(0), "{text}");
    text.split(" (").next().unwrap().into()
}

/// Unpacks it, and checks that what it has is complete: the program of these tests, and settings that are valid.
fn unpack(package: &Path, directory: &Path) {
    let unpacked = directory.join("usr");
    std::fs::create_dir(&unpacked).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--gzip", "--strip-components=1", "--file"]).arg(package);
    assert!(tar.arg("--directory").arg(&unpacked).status().unwrap().success());
    let program = unpacked.join("bin/wallop");
    assert!(std::fs::read(&program).unwrap() == std::fs::read(wallop_path()).unwrap(), "this very program");
    let settings = unpacked.join("etc/wallop.toml");
    let checked = Command::new(program).args(["config", "check", "--config"]).arg(settings).output();
    assert_eq!(said(&checked.unwrap()), (Some(0), "The configuration is valid.\n".to_owned()));
    let service = std::fs::read_to_string(unpacked.join("lib/systemd/system/wallop.service")).unwrap();
    assert!(service.contains("ExecStart=/usr/local/bin/wallop serve --config /etc/wallop.toml"));
    assert!(unpacked.join("share/doc/wallop/operations.md").exists());
}

#[test]
fn from_the_key_to_a_payment_on_two_nodes_of_which_one_dies() {
    let (directory, cluster) = (tempfile::tempdir().unwrap(), Postgres::of_the_tests());
    let directory = directory.path();
    let package = package(directory); // before the clock runs
    let began = Instant::now();
    let step = |what: &str| println!("{:6.1} s  {what}", began.elapsed().as_secs_f64());
    unpack(&package, directory);
    step("the package is unpacked");
    let file = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let config = configure(directory, &cluster.url(&cluster.new_database()));
    let run = |arguments: &[&str]| {
        let output = wallop(&[arguments, &["--config", &config]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", said(&output).1);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(wallop(&["key", "new", &file("key")]).status.success());
    run(&["config", "check"]);
    run(&["migrate", "--plan"]);
    run(&["migrate"]);
    step("key, configuration and tables");
    std::fs::write(file("root.pem"), certify(&directory.join("tls.pem"), &directory.join("tls.key")))
        .unwrap();
    std::fs::write(file("send"), format!("#!/bin/sh\ncat >> {}\n", file("codes"))).unwrap();
    std::fs::set_permissions(file("send"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let node = Litecoin::start();
    write_secret(&file("cookie"), &format!("{LITECOIN_USER}:{LITECOIN_PASSWORD}"));
    step("a node of a chain, in its regression-test mode");
    let settings = [
        "chain.node=core".to_owned(),
        format!("chain.url={}", node.url()),
        format!("chain.password_file={}", file("cookie")),
        format!("listen.tls_certificate={}", file("tls.pem")),
        format!("listen.tls_key={}", file("tls.key")),
        "notify.by=command".to_owned(),
        format!("notify.command={}", file("send")),
    ];
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let (first, second) = (Node::start_with(&config, &settings), Node::start_with(&config, &settings));
    let caller = |port, cookies| Caller { directory, port, cookies };
    let (one, two) = (caller(first.port, "owner"), caller(second.port, "owner"));
    step("two nodes serve under TLS");
    let carol: Value = serde_json::from_str(&run(&["admin", "operator", "add", "carol", "--json"])).unwrap();
    let (carol, pwd) = (caller(second.port, "carol"), carol["pwd"].as_str().unwrap().to_owned());
    let page = "/openfomo/login.html";
    carol.submit(page, page, &[("login_name", "carol"), ("pwd", &pwd), ("next", "/admin")]);
    let page = "/admin/second_factor";
    carol.submit(page, page, &[("act", "begin"), ("pwd", &pwd)]);
    let secret = value_of(&carol.curl(&[], page), "#secret");
    carol.submit(page, page, &[("act", "confirm"), ("code", &totp(&secret, now()))]);
    assert!(carol.curl(&[], page).contains("id=\"confirmed\""));
    step("an operator has a second factor");
    run(&["admin", "coin", "put", "5", "usdt", "--decimals", "6"]);
    // A shop's owner and a customer register; each code arrives by the program.
    let mut sessions = BTreeMap::new();
    for (number, name) in ["owner", "alice"].into_iter().enumerate() {
        let (login, wallet) = (format!("{name}-password"), format!("{name}-wallet"));
        let begun = one.call("/fomo/customer/register", None, &[("user_name", name), ("pwd", &login)]);
        let codes = std::fs::read_to_string(file("codes")).unwrap();
        let sent: Value = serde_json::from_str(codes.lines().nth(number).unwrap()).unwrap();
        let code = sent["code"].as_str().unwrap();
        let ids = [
            ("verify_code", code),
            ("verify_id", &begun["verify_id"]),
            ("tmp_user_id", &begun["tmp_user_id"]),
        ];
        two.call("/fomo/customer/complete_register", None, &ids);
        let signed_in = two.call("/fomo/customer/login", None, &[("login_name", name), ("pwd", &login)]);
        let session = signed_in["session_key"].clone();
        let set = [("session_key", &*session), ("pwd", &login), ("wallet_pwd", &wallet)];
        one.call("/fomo/customer/set_wallet_pwd", None, &set);
        sessions.insert(name, session);
    }
    step("two people have registered");
    run(&["admin", "deposit", "alice", "5", "100", "--reason", "paid in at the counter"]);
    let page = "/openfomo/login.html";
    one.submit(page, page, &[("login_name", "owner"), ("pwd", "owner-password"), ("next", "/apps")]);
    let back = "https://shop.example/back";
    let app = [("client_id", "corner_shop"), ("name", "Corner shop"), ("redirect_uri", back)];
    one.submit("/apps/new", "/apps/new/fomo", &app);
    let made = one.curl(&[], "/apps/fomo/corner_shop");
    let secret = value_of(&made, "#client_secret code");
    assert_eq!(secret.len(), 40, "{made}");
    step("an app is registered");
    let pay = |at: &Caller<'_>, other: &Caller<'_>, trade: &str| {
        let session = &*sessions["alice"];
        let grant = [
            ("response_type", "code"),
            ("client_id", "corner_shop"),
            ("redirect_uri", back),
            ("state", "s"),
            ("authorized", "yes"),
            ("session_key", session),
        ];
        let code = at.call("/fomo/oauth2/authorize", None, &grant)["code"].clone();
        let exchange = [
            ("code", &*code),
            ("client_id", "corner_shop"),
            ("client_secret", &secret),
            ("grant_type", "authorization_code"),
            ("redirect_uri", back),
        ];
        let token = other.call("/fomo/oauth2/authorize/token", None, &exchange)["access_token"].clone();
        let now = now().to_string();
        let fields = [
            ("direction", "1"),
            ("trade_id", trade),
            ("amount", "1.50"),
            ("coin_id", "5"),
            ("client_id", "corner_shop"),
            ("server_uri", "https://shop.example/callback"),
            ("redirect_uri", back),
            ("state", "s"),
            ("scope", "paytoken"),
            ("response_type", "code"),
            ("timestamp", &now),
            ("sign", &sign(&secret, &now)),
        ];
        let transfer = at.call("/fomo/oauth2/resource/pre_pay", Some(&token), &fields)["transfer_id"].clone();
        let confirm = [
            ("trade_id", trade),
            ("transfer_id", &*transfer),
            ("wallet_pwd", "alice-wallet"),
            ("session_key", session),
        ];
        other.call("/fomo/oauth2/authorize/confirm_pay", None, &confirm);
    };
    pay(&one, &two, "first");
    step("a payment by the document's own calls, on both nodes");
    // An app of the VAS wallet: applied for, reviewed, and paid on the chain.
    let (owner, alice) = (&*sessions["owner"], &*sessions["alice"]);
    let application = [
        ("session_key", owner),
        ("wallet", "vas"),
        ("name", "Tea"),
        ("safe_domain", "tea.example"),
        ("scheme", "tea"),
    ];
    let id = one.vas("wallet/app/apply", &application)["application_id"].as_str().unwrap().to_owned();
    carol.submit("/admin", "/admin/review", &[("application", &id), ("verdict", "approve")]);
    let shown = [("session_key", owner), ("pwd", "owner-password"), ("application_id", &*id)];
    let app = texts(&two.vas("wallet/app/credentials", &shown));
    step("an app is reviewed");
    let (payer, receiver) = (node.new_address("payer"), node.new_address("shop"));
    let login = wallet_api::vas::login::Link::new("tea://login".into(), app["uuid"].clone().into());
    let login = login.qr(None).unwrap();
    let consent = [("session_key", alice), ("link", &*login), ("address", &*payer)];
    let goes = one.vas("wallet/login/approve", &consent)["address"].as_str().unwrap().to_owned();
    let code = goes.split_once("openCode=").unwrap().1;
    let ids = [("accessToken", &*app["accessToken"]), ("appId", &*app["uuid"])];
    let user = two.vas("oauth/login/aidInfo", &[&ids[..], &[("openCode", code)]].concat());
    assert_eq!(user["address"], *payer);
    let order = Order {
        order_id: "tea-1".into(),
        to_addr: receiver.clone().into(),
        asset: "VAS".into(),
        amount: "1.50".parse().unwrap(),
        callback_url: "https://tea.example/paid".into(),
    };
    let key = PrivateKey::load(&app["rsaPrivate"]).unwrap();
    let link =
        order.link(&app["uuid"]).qr(Some(&Signer::rsa(&RsaSign::new(&key).unwrap(), ANY_TIME))).unwrap();
    let txid = node.pay(&receiver, "1.5", "tea-1");
    let submitted =
        [("session_key", alice), ("wallet_pwd", "alice-wallet"), ("link", &*link), ("txid", &*txid)];
    one.vas("wallet/pay/submit", &submitted);
    node.mine(1);
    let state = || two.vas("oauth/pay/order", &[&ids[..], &[("orderId", "tea-1")]].concat())["state"].clone();
    while state() != "paid" {
        assert!(began.elapsed().as_secs() < 120, "{}", state());
        std::thread::sleep(Duration::from_millis(200));
    }
    step("an order is paid on the chain");
    drop(first); // SIGKILL
    pay(&two, &two, "second");
    step("one node is killed, the other goes on");
    let shown: Value = serde_json::from_str(&run(&["admin", "find", "second", "--json"])).unwrap();
    assert_eq!((&shown[0]["status"], &shown[0]["amount"]), (&"done".into(), &"1.5 usdt".into()), "{shown}");
    let alice: Value = serde_json::from_str(&run(&["admin", "user", "show", "alice", "--json"])).unwrap();
    assert_eq!(alice[0]["balance"], "97 usdt");
    assert!(run(&["check"]).contains("No damage was found"));
    step("the whole database is checked");
}
