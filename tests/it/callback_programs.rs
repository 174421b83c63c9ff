//! The programs of the guide on callbacks: each verifies a callback of a running sandbox and refuses forged ones.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use wallet_api::fomo::payment_result;
use wallet_api::vas::payment;
use wallet_client::FomoReceiver;
use wallet_core::{Callback as _, UnixTime, VerifyingKey, webhook};
use wallet_crypto::{Portable, PublicKey, RsaVerify};
use wallet_tests::{Merchant, World};

use crate::chain::Shop;

const ENGLISH: &str = include_str!("../../docs/guides/callbacks.en.md");
const CHINESE: &str = include_str!("../../docs/guides/callbacks.zh.md");

/// The fenced blocks of a guide: each with the word behind its fence.
fn blocks(guide: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    let mut rest = guide;
    while let Some((_, after)) = rest.split_once("\n```") {
        let (word, body) = after.split_once('\n').unwrap();
        let (body, after) = body.split_once("\n```\n").unwrap();
        found.push((word, body));
        rest = after;
    }
    found
}

/// A part of the guide: from the heading on.
fn part(guide: &'static str, from: &str, to: &str) -> &'static str {
    let begins = guide.find(from).unwrap();
    &guide[begins..begins + guide[begins..].find(to).unwrap()]
}

/// The first programs under a heading, one for each language.
fn programs(part: &'static str) -> HashMap<&'static str, &'static str> {
    let mut found = HashMap::new();
    for (word, body) in blocks(part) {
        if ["bash", "php", "java", "python", "go", "js", "rust"].contains(&word) {
            found.entry(word).or_insert(body);
        }
    }
    assert_eq!(found.len(), 7);
    found
}

const FOMO: (&str, &str) = ("## FOMO", "## VAS and Lafi");
const VAS: (&str, &str) = ("## VAS and Lafi", "## What else to check");

/// Programs that the tests use and `cargo xtask test` installs.
pub(crate) fn tool(path: &str) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools").join(path);
    assert!(tools.exists(), "{} is missing: `cargo xtask test` installs it", tools.display());
    tools.canonicalize().unwrap_or(tools)
}

/// What a program takes from CGI.
type Request = (Vec<(String, String)>, Vec<u8>);

fn header_variables(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let variable = |name: &str| format!("HTTP_{}", name.replace('-', "_").to_uppercase());
    names.iter().map(|name| (variable(name), headers[*name].to_str().unwrap().to_owned())).collect()
}

/// The programs of one protocol in a directory, ready to run.
struct Programs {
    directory: tempfile::TempDir,
    commands: Vec<(&'static str, Vec<String>)>,
}

impl Programs {
    /// `change` is applied to each text: the known answer is too old for the programs.
    fn new(protocol: &str, part: &'static str, change: impl Fn(&str) -> String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut commands = Vec::new();
        for (language, text) in programs(part) {
            let class =
                text.split("\nclass ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
            let (file, command) = match language {
                "bash" => ("verify.sh".to_owned(), vec!["bash".to_owned()]),
                "php" => ("verify.php".to_owned(), vec!["php".to_owned()]),
                "java" => (format!("{class}.java"), vec!["java".to_owned()]),
                "python" => {
                    let python = std::path::absolute(tool("venv").join("bin/python3")).unwrap();
                    ("verify.py".to_owned(), vec![python.display().to_string()])
                }
                "js" => ("verify.mjs".to_owned(), vec!["node".to_owned()]),
                "go" => ("verify.go".to_owned(), Vec::new()),
                "rust" => {
                    commands.push((language, vec![example(protocol)]));
                    continue;
                }
                other => panic!("{other}"),
            };
            let path = directory.path().join(&file);
            std::fs::write(&path, change(text)).unwrap();
            let path = path.display().to_string();
            let command = match language {
                "go" => {
                    let binary = directory.path().join("verify").display().to_string();
                    let built = Command::new("go").args(["build", "-o", &binary, &path]).output().unwrap();
                    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
                    vec![binary]
                }
                _ => command.into_iter().chain([path]).collect(),
            };
            commands.push((language, command));
        }
        Self { directory, commands }
    }

    /// The languages that call the callback genuine.
    fn verdicts(&self, (variables, body): &Request) -> HashMap<&'static str, bool> {
        let run = |command: &[String]| {
            let mut child = Command::new(&command[0])
                .args(&command[1..])
                .envs(variables.iter().cloned())
                .current_dir(self.directory.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask test` installs it", command[0]));
            let _ = child.stdin.take().unwrap().write_all(body); // a program that refuses may not read it
            let done = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&done.stdout).contains("genuine");
            assert_eq!(said, done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            said
        };
        self.commands.iter().map(|(language, command)| (*language, run(command))).collect()
    }

    #[track_caller]
    fn all(&self, request: &Request, genuine: bool, what: &str) {
        let verdicts = self.verdicts(request);
        assert_eq!(verdicts.len(), 7);
        for (language, verdict) in verdicts {
            assert_eq!(verdict, genuine, "{language}: {what}");
        }
    }
}

/// The built example, whose text is the guide's Rust program.
fn example(protocol: &str) -> String {
    let name = format!("callback_{protocol}");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace", "--example", &name])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success());
    let own = std::env::current_exe().unwrap();
    own.parent().unwrap().parent().unwrap().join("examples").join(name).display().to_string()
}

#[test]
fn both_guides_have_the_same_programs_and_none_is_longer_than_20_lines() {
    assert_eq!(blocks(ENGLISH), blocks(CHINESE));
    for (from, to) in [FOMO, VAS] {
        for (language, text) in programs(part(ENGLISH, from, to)) {
            assert!(text.lines().count() <= 20, "{language}: {}", text.lines().count());
        }
    }
    for (protocol, (from, to)) in [("fomo", FOMO), ("vas", VAS)] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/callback_{protocol}.rs"));
        let file = std::fs::read_to_string(file).unwrap();
        let program = file.split_once("\n\n").unwrap().1.trim_end();
        assert_eq!(programs(part(ENGLISH, from, to))["rust"], program);
    }
}

/// The sample request of a part, as CGI passes it.
fn sample(part: &'static str) -> http::Request<Vec<u8>> {
    let (_, text) = blocks(part).into_iter().find(|(word, _)| *word == "http").unwrap();
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let mut request = http::Request::builder().method(first.next().unwrap()).uri(first.next().unwrap());
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.body(body.as_bytes().to_vec()).unwrap()
}

/// The age check of each program is off: the sample is years old.
fn timeless(text: &str) -> String {
    let changed = text.replace("-le 300", "-le 999999999").replace("<= 300", "<= 999999999");
    changed.replace("> 300", "> 999999999").replace("< -300", "< -999999999")
}

#[test]
fn every_program_finds_the_known_signature_of_fomo() {
    let part = part(ENGLISH, FOMO.0, FOMO.1);
    let request = sample(part);
    let code = |before: &str| part.split(before).nth(1).unwrap().split('`').next().unwrap().to_owned();
    let (client_secret, secret) = (code("| client_secret | `"), code("| callback secret | `"));
    let rule = payment_result::Callback::META.signing.unwrap();
    let derived = webhook::library_secret(&Portable::new(), rule, client_secret.as_bytes());
    assert_eq!(*derived.expose(), secret);
    let receiver = FomoReceiver::new(std::sync::Arc::new(Portable::new()), client_secret.clone().into());
    receiver.receive(&request, UnixTime::from_secs(1_574_510_444)).unwrap();
    let mut programs = Programs::new("fomo", part, timeless);
    programs.commands.retain(|(language, _)| *language != "rust"); // it has just received the sample
    let mut variables = header_variables(request.headers());
    variables.push(("WEBHOOK_SECRET".to_owned(), secret));
    for (language, genuine) in programs.verdicts(&(variables, request.body().clone())) {
        assert!(genuine, "{language}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_program_verifies_a_fomo_callback_and_refuses_a_forged_one() {
    let world = World::start().await;
    let merchant = Merchant::open().await;
    world.call(&world.pay_user("alice").with("server_uri", &merchant.url)).await.ok();
    let received: http::Request<Bytes> = merchant.wait_for(1).await.remove(0);
    let client_secret = world.described().fomo.client_secret.clone();
    let rule = payment_result::Callback::META.signing.unwrap();
    let secret = webhook::library_secret(&Portable::new(), rule, client_secret.as_bytes());
    let programs = Programs::new("fomo", part(ENGLISH, FOMO.0, FOMO.1), str::to_owned);
    let of = |headers: &http::HeaderMap, body: &[u8], secret: &str, client_secret: &str| {
        let mut variables = header_variables(headers);
        variables.push(("WEBHOOK_SECRET".to_owned(), secret.to_owned()));
        variables.push(("CLIENT_SECRET".to_owned(), client_secret.to_owned()));
        (variables, body.to_vec())
    };
    let (headers, body) = (received.headers(), received.body());
    programs.all(&of(headers, body, secret.expose(), &client_secret), true, "the sandbox's callback");
    let changed = String::from_utf8_lossy(body).replace("amount=0.25", "amount=9.25").into_bytes();
    assert_ne!(changed, *body);
    programs.all(&of(headers, &changed, secret.expose(), &client_secret), false, "another amount");
    let other = webhook::library_secret(&Portable::new(), rule, b"another");
    programs.all(&of(headers, body, other.expose(), "another"), false, "another secret");
    // Right, and an hour old: somebody sends it again.
    let old = UnixTime::from_secs(world.timestamp().parse::<i64>().unwrap() - 3_600);
    let keys = [client_secret.as_bytes()];
    let mut headers = headers.clone();
    for (name, value) in webhook::sign(&Portable::new(), rule, keys, "1", old, body) {
        headers.insert(name, value.parse().unwrap());
    }
    programs.all(&of(&headers, body, secret.expose(), &client_secret), false, "an hour old");
}

#[test]
fn every_program_finds_the_known_signature_of_vas() {
    let part = part(ENGLISH, VAS.0, VAS.1);
    let block = |word: &str| blocks(part).into_iter().find(|(known, _)| *known == word).unwrap().1;
    let query = sample(part).uri().query().unwrap().to_owned();
    let key = PublicKey::load(block("text")).unwrap();
    let unverified = payment::Callback::decode(query.as_bytes()).unwrap();
    let uuid = unverified.key_id().to_owned();
    unverified.verify([VerifyingKey::Rsa(&RsaVerify::new(&key))], UnixTime::from_secs(0)).unwrap();
    let programs = Programs::new("vas", part, str::to_owned);
    let request = vas_request(&programs, block("text"), &uuid, &query);
    programs.all(&request, true, "the sample");
}

fn vas_request(programs: &Programs, public_key: &str, uuid: &str, query: &str) -> Request {
    let file = programs.directory.path().join("rsa_public.pem");
    std::fs::write(&file, format!("{public_key}\n")).unwrap();
    let variables = [
        ("RSA_PUBLIC", file.display().to_string()),
        ("UUID", uuid.to_owned()),
        ("QUERY_STRING", query.to_owned()),
    ];
    (variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), Vec::new())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_program_verifies_a_vas_callback_and_refuses_a_forged_one() {
    let shop = Shop::open().await;
    let order = shop.order("order \"1\"/回\\");
    shop.pay(&order).await;
    shop.world.advance(5).await;
    let received = shop.merchant.wait_for(1).await.remove(0);
    let query = received.uri().query().unwrap().to_owned();
    let programs = Programs::new("vas", part(ENGLISH, VAS.0, VAS.1), str::to_owned);
    let vas = shop.world.described().vas.clone();
    let pem = |base64: &str| PublicKey::load(base64).unwrap().to_pem(wallet_crypto::KeyForm::Pkcs8);
    let own = pem(&vas.rsa_public_spki);
    let of = |key: &str, query: &str| vas_request(&programs, key, &vas.uuid, query);
    programs.all(&of(&own, &query), true, "the sandbox's callback");
    let changed = query.replace("amount=1.50", "amount=9.50");
    assert_ne!(changed, query);
    programs.all(&of(&own, &changed), false, "another amount");
    let lafi = pem(&shop.world.described().lafi.rsa_public_spki);
    programs.all(&of(&lafi, &query), false, "another key");
    // R45: of a repeated parameter the last one counts.
    programs.all(&of(&own, &format!("{query}&amount=9.50")), false, "a second amount behind the signed one");
}

/// The result of a Standard Webhooks library: the class of the error, or `ok`.
fn library(command: &Path, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(command)
        .args(arguments)
        .current_dir(tool(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_libraries_do_with_a_callback_what_the_guide_says() {
    let world = World::start().await;
    let merchant = Merchant::open().await;
    world.call(&world.pay_user("alice").with("server_uri", &merchant.url)).await.ok();
    let received = merchant.wait_for(1).await.remove(0);
    let rule = payment_result::Callback::META.signing.unwrap();
    let client_secret = world.described().fomo.client_secret.clone();
    let secret = webhook::library_secret(&Portable::new(), rule, client_secret.as_bytes());
    let header = |name: &str| received.headers()[name].to_str().unwrap().to_owned();
    let input = |body: &str| {
        let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        let headers: serde_json::Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), header(name).into())).collect();
        serde_json::json!({ "secret": secret.expose(), "headers": headers, "body": body }).to_string()
    };
    let genuine = input(std::str::from_utf8(received.body()).unwrap());
    let forged = input("transfer_id=1&amount=9");
    let python = |package: &str, call: &str, input: &str| {
        let program = format!(
            "import json,sys\nfrom {package} import Webhook\nx=json.load(sys.stdin)\nbody,headers=x['body'],x['headers']\n\
             try:\n Webhook(x['secret']).{call}; print('ok')\nexcept Exception as e: print(type(e).__name__)"
        );
        let python = std::path::absolute(tool("venv").join("bin/python3")).unwrap();
        library(&python, &["-c", &program], input)
    };
    let node = |package: &str, call: &str, input: &str| {
        let program = format!(
            "import {{ Webhook }} from '{package}'; import {{ readFileSync }} from 'node:fs';\n\
             const {{ secret, headers, body }} = JSON.parse(readFileSync(0));\n\
             try {{ new Webhook(secret).{call}; console.log('ok'); }} catch (error) {{ console.log(error.constructor.name); }}"
        );
        library(Path::new("node"), &["--input-type=module", "-e", &program], input)
    };
    let refused = "WebhookVerificationError";
    for (package, call, verdict) in [
        ("standardwebhooks", "verify(body, headers, json_parse=False)", "ok"),
        ("standardwebhooks", "verify(body, headers)", "JSONDecodeError"),
        ("svix.webhooks", "verify(body, headers)", "ok"),
    ] {
        assert_eq!(python(package, call, &genuine), verdict, "{package} {call}");
        assert_eq!(python(package, call, &forged), refused, "{package} {call}");
    }
    for (package, call, verdict) in [
        ("standardwebhooks", "verify(body, headers, { jsonParse: false })", "ok"),
        ("standardwebhooks", "verify(body, headers)", "SyntaxError"),
        ("svix", "verify(body, headers)", "SyntaxError"),
    ] {
        assert_eq!(node(package, call, &genuine), verdict, "{package} {call}");
        assert_eq!(node(package, call, &forged), refused, "{package} {call}");
    }
}
