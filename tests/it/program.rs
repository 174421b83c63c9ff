//! The program as a harness and as a newcomer meet it.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wallet_core::crypto::RsaSigner as _;
use wallet_crypto::{KeyForm, PrivateKey, RsaSign};
use wallet_platform::FindUser;
use wallet_sandbox::{Sandbox, SandboxOptions};
use wallet_tests::{Wallop, sign, wallop_path};

#[test]
fn dev_json_tells_what_a_harness_needs_on_a_directory_with_other_files_and_again() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mine.txt"), "mine").unwrap();
    let first = Wallop::start(directory.path());
    let described = first.described.clone();
    assert!(
        described.url.starts_with("http://127.0.0.1:") && described.clock_url.starts_with(&described.url)
    );
    assert_eq!(described.fomo.base_url, format!("{}/fomo/", described.url));
    assert_eq!(described.fomo.client_secret.len(), 40);
    assert!(described.users.len() >= 2);
    for user in &described.users {
        assert_ne!(user.user_id, described.fomo.owner_user_id);
        let usdt: u64 = user.balances["5"].parse().unwrap();
        assert!(usdt >= 100);
    }
    println!("ready after {:?}", first.ready_after);
    let (status, rest) = first.stop();
    assert!(status.success(), "SIGTERM stops it cleanly: {status}");
    assert_eq!(rest, "", "one line on stdout and nothing else");
    let second = Wallop::start(directory.path());
    assert_eq!(second.described.fomo.client_secret, described.fomo.client_secret);
    assert_eq!(second.described.users[0].user_id, described.users[0].user_id);
    assert_eq!(second.described.users[0].balances, described.users[0].balances);
    assert_eq!(std::fs::read_to_string(directory.path().join("mine.txt")).unwrap(), "mine");
    drop(second);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(directory.path().join("master.key")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_demo_passes_in_both_languages_on_its_own_and_on_a_given_sandbox() {
    let own = Command::new(wallop_path()).args(["demo", "fomo"]).output().unwrap();
    let text = String::from_utf8_lossy(&own.stdout).into_owned();
    assert!(own.status.success() && text.contains("All values are as expected."), "{text}");
    let directory = tempfile::tempdir().unwrap();
    let wallop = Wallop::start(directory.path());
    let given = Command::new(wallop_path())
        .args(["demo", "fomo", "--lang", "zh", "--url", &wallop.described.url])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&given.stdout).into_owned();
    assert!(given.status.success() && text.contains("一切相符"), "{text}");
    for platform in ["vas", "lafi"] {
        for (more, end) in [
            (&["--lang", "zh"][..], "一切相符"),
            (&["--url", &wallop.described.url], "All values are as expected."),
        ] {
            let shown = Command::new(wallop_path()).args(["demo", platform]).args(more).output().unwrap();
            let text = String::from_utf8_lossy(&shown.stdout).into_owned();
            let described = String::from_utf8_lossy(&shown.stderr).into_owned();
            assert!(shown.status.success(), "{platform} {more:?}: {text}{described}");
            assert!(text.contains(end), "{text}");
        }
    }
    // No sandbox there: it says so and fails.
    wallop.stop();
    let nobody =
        Command::new(wallop_path()).args(["demo", "fomo", "--url", "http://127.0.0.1:9"]).output().unwrap();
    let text = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(!nobody.status.success() && text.contains("wallop dev"), "{text}");
}

#[test]
fn what_cannot_start_says_why_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let wallop = Wallop::start(directory.path());
    let port = wallop.described.url.rsplit(':').next().unwrap().to_owned();
    let taken = Command::new(wallop_path()).args(["dev", "--json", "--port", &port]).output().unwrap();
    assert!(!taken.status.success() && String::from_utf8_lossy(&taken.stderr).contains("--port"));
    let second = Command::new(wallop_path())
        .args(["dev", "--json", "--port", "0", "--data"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert!(!second.status.success() && String::from_utf8_lossy(&second.stderr).contains("another process"));
    drop(wallop);
    std::fs::remove_file(directory.path().join("master.key")).unwrap();
    let lost = Command::new(wallop_path())
        .args(["dev", "--json", "--port", "0", "--data"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert!(!lost.status.success() && String::from_utf8_lossy(&lost.stderr).contains("restore it"));
}

/// Every command that the README shows, as it is typed there, but the test command itself, which runs this.
#[test]
fn the_readmes_commands_run_as_typed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let commands = commands_of("README.md");
    assert_eq!(commands, commands_of("README.zh.md"), "both READMEs have the same commands");
    let commands: Vec<String> = commands.lines().map(str::to_owned).collect();
    assert!(
        commands.contains(&"cargo run --release".to_owned())
            && commands.contains(&"cargo xtask test".to_owned())
    );
    let mut running = None;
    let mut faults = Vec::new();
    for command in commands {
        match command.as_str() {
            "cargo xtask test" => {}
            "cargo run --release" => {
                // Started, asked once, and stopped at the end.
                let mut child = Command::new("cargo")
                    .args(["run", "--release", "--quiet"])
                    .current_dir(root)
                    .stdout(std::process::Stdio::piped())
                    .spawn()
                    .unwrap();
                let mut line = String::new();
                let out = child.stdout.take().unwrap();
                std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
                running = Some(child);
                // Faults are judged when the program has been stopped: a failure leaves nothing running.
                if !line.contains("open http://127.0.0.1:7070 in a browser") {
                    faults.push(format!("the greeting: {line}"));
                }
            }
            other => {
                let done = Command::new("sh").args(["-c", other]).current_dir(root).output().unwrap();
                if !done.status.success() || done.stdout.is_empty() {
                    faults.push(format!("{other}: {}", String::from_utf8_lossy(&done.stderr)));
                }
            }
        }
    }
    let mut child = running.expect("README starts the sandbox");
    // cargo hands the signal on to nobody: the program is ended by its own id.
    let listening =
        Command::new("sh").args(["-c", &format!("ps -o pid= --ppid {}", child.id())]).output().unwrap();
    let id = String::from_utf8_lossy(&listening.stdout).trim().to_owned();
    let target = if id.is_empty() { child.id().to_string() } else { id };
    assert!(Command::new("kill").args(["-TERM", &target]).status().unwrap().success());
    child.wait().unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The commands of a document, unchanged.
fn commands_of(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join(path)).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.collect()
}

/// What the guides show, typed into one shell from the first command to the last; the same in both languages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guides_commands_run_as_typed() {
    let world = wallet_tests::World::start().await;
    for (guide, described) in [
        (
            "fomo",
            ["\"name\":\"Alice\"", "/wallet?transfer_id=", "\"status\":\"100\"", "-back\",\"httpcode\":"],
        ),
        ("vas", ["openCode=", "\"aid\":\"aid", "\"state\":\"paid\"", "\"confirmations\":1"]),
    ] {
        let [zh, en] = ["zh", "en"].map(|lang| {
            let commands = commands_of(&format!("docs/guides/{guide}.{lang}.md"));
            assert!(commands.contains(&format!("Accept-Language: {lang}")));
            commands.replace(&format!("Accept-Language: {lang}"), "Accept-Language: en")
        });
        assert_eq!(zh, en);
        let replies = tempfile::NamedTempFile::new().unwrap();
        let kept = format!("\"$@\" | tee -a {}; }}", replies.path().display());
        let here = en.replace("http://127.0.0.1:7070", &world.described().url).replace("\"$@\"; }", &kept);
        assert!(here.contains(&kept) && here.contains(&world.described().url));
        let shell = tokio::task::spawn_blocking(move || Command::new("sh").args(["-ec", &here]).output());
        let done = shell.await.unwrap().unwrap();
        let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        assert!(done.status.success(), "{said}");
        for described in described {
            assert!(said.contains(described), "{described}: {said}");
        }
        assert!(!said.contains("\"success\":false"), "{said}");
        // Each sample of a reply is one of the replies, in this order, but for ids, times and tokens.
        let replies = std::fs::read_to_string(replies.path()).unwrap();
        let replies: Vec<serde_json::Value> =
            replies.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        for lang in ["en", "zh"] {
            let samples = samples_of(&format!("docs/guides/{guide}.{lang}.md"));
            assert!(samples.len() >= 4, "{samples:?}");
            let mut rest = replies.iter();
            for sample in samples {
                let found = rest.any(|reply| shape(reply) == shape(&sample));
                assert!(found, "{guide}: no reply like {sample}: {replies:#?}");
            }
        }
    }
}

/// The samples of replies in a document.
fn samples_of(path: &str) -> Vec<serde_json::Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join(path)).unwrap();
    let blocks = text.split("```json\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.map(|block| serde_json::from_str(block).unwrap()).collect()
}

/// A value without what differs each time: texts become their kind, lists and objects keep their members.
fn shape(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), shape(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(values) => values.iter().map(shape).collect(),
        Value::String(text) if text.len() < 4 || text.parse::<f64>().is_err() && text.len() < 8 => {
            // Codes, amounts, names and states are the same each time; the message is in the guide's language.
            if ["Success", "成功"].contains(&text.as_str()) { "message".into() } else { value.clone() }
        }
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => "digits".into(),
        Value::String(_) => "text".into(),
        other => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_is_added_on_the_machine_while_no_server_runs() {
    let directory = tempfile::tempdir().unwrap();
    let add = |name: &str| {
        let mut add = Command::new(wallop_path());
        let done =
            add.args(["admin", "operator", "add", name, "--data"]).arg(directory.path()).output().unwrap();
        let text = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(text).unwrap())
    };
    let (done, text) = add("carol");
    assert!(!done && text.contains("give the directory that the server was started with"), "{text}");
    let wallop = Wallop::start(directory.path());
    let (done, text) = add("carol");
    assert!(!done && text.contains("in use by another process"), "{text}");
    wallop.stop();
    let (done, text) = add("carol");
    assert!(done && text.starts_with("carol is an operator, with the password "), "{text}");
    let (done, text) = add("alice");
    assert!(done && text.contains("the password is unchanged"), "{text}");
    let (done, text) = add("x");
    assert!(!done && text.contains("Malformed or unavailable user name"), "{text}");
    let options = SandboxOptions { data: Some(directory.path().to_owned()), ..SandboxOptions::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    for (name, operator) in [("carol", true), ("alice", true), ("bob", false)] {
        let user = sandbox.server().store().view(FindUser(name.to_owned())).await.unwrap().unwrap();
        assert_eq!(user.operator, operator, "{name}");
    }
    sandbox.stop().await;
}

#[test]
fn a_signature_is_explained_on_the_command_line() {
    use std::io::Write as _;
    let explain = |arguments: &[&str], stdin: &str| {
        let mut child = Command::new(wallop_path())
            .arg("explain")
            .args(arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        let text = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        (done.status.success(), text)
    };
    let right = sign("a-secret", "1574510444");
    let (fits, text) = explain(&["fomo", "1574510444", &right], "a-secret\n");
    assert!(fits && text.contains("The signature is valid.") && !text.contains("a-secret"), "{text}");
    let (fits, text) = explain(&["fomo", "1574510444", &right.to_uppercase(), "--lang", "zh"], "a-secret\n");
    assert!(!fits && text.contains("大写"), "{text}");

    let key = PrivateKey::load(include_str!("../vectors/rsa-1024.pem")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let public = directory.path().join("public.pem");
    std::fs::write(&public, key.public().to_pem(KeyForm::Pkcs8)).unwrap();
    let public = public.to_str().unwrap();
    let signed = |text: &str| {
        let signature = RsaSign::new(&key).unwrap().sign_sha1(text.as_bytes()).unwrap();
        let signature = STANDARD.encode(signature).replace('+', "%2B");
        format!(
            "vaspay://%7B%22type%22:%22pay%22,%22amount%22:%221%22,%22appUuid%22:%22u%22,%22assetType%22:%22VAS%22,\
             %22callbackUrl%22:%22https://a.example/%22,%22orderId%22:%22o%22,%22toAddr%22:%22V%22,\
             %22signedContent%22:%22{signature}%22%7D"
        )
    };
    let canonical = r#"{"amount":"1","appUuid":"u","assetType":"VAS","callbackUrl":"https://a.example/","orderId":"o","toAddr":"V"}"#;
    let (fits, text) = explain(&["link", &signed(canonical), "--key", public], "");
    assert!(fits && text.contains("The signature is valid."), "{text}");
    let (fits, text) = explain(&["link", "--key", public], &signed(&canonical.replace('/', "\\/")));
    assert!(!fits && text.contains("PHP json_encode") && text.contains("they differ from byte"), "{text}");
    let (fits, text) = explain(&["link", "vaspay://{\"amount\":\"1\"}", "--key", public], "");
    assert!(!fits && text.contains("There is no appUuid"), "{text}");
}

/// Runs `wallop` with this stdin: the exit code, stdout and stderr.
fn wallop(arguments: &[&str], stdin: &str) -> (i32, String, String) {
    use std::io::Write as _;
    let mut child = Command::new(wallop_path())
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes()); // not every command reads it
    let done = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

#[test]
fn the_four_signatures_are_made_and_verified_on_the_command_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = PrivateKey::load(include_str!("../vectors/rsa-1024.pem")).unwrap();
    let public = file("public.pem", &key.public().to_pem(KeyForm::Pkcs8));
    let private = file("private.pem", include_str!("../vectors/rsa-1024.pem"));
    let made = |arguments: &[&str], stdin: &str| {
        let (code, out, err) = wallop(&[&["sign", "make"], arguments].concat(), stdin);
        assert_eq!(code, 0, "{err}");
        out.trim().to_owned()
    };
    let verify =
        |arguments: &[&str], stdin: &str| wallop(&[&["sign", "verify"], arguments].concat(), stdin).0;

    let form = made(&["fomo", "--timestamp", "1574510444"], "a-secret\n");
    let made_sign = form.split("sign=").nth(1).unwrap();
    assert_eq!(made_sign, sign("a-secret", "1574510444"));
    assert_eq!(verify(&["fomo", "1574510444", made_sign], "a-secret"), 0);
    assert_eq!(verify(&["fomo", "1574510445", made_sign], "a-secret"), 1);

    let order = [
        "link",
        "--key",
        &private,
        "--app-uuid",
        "u",
        "--asset-type",
        "VAS",
        "--amount",
        "1.50",
        "--callback-url",
        "https://a.example/",
        "--order-id",
        "o",
        "--to-addr",
        "V",
    ];
    let links = made(&order, "");
    let (app, qr) = links.split_once('\n').unwrap();
    assert!(app.starts_with("vaswallet://%7B") && qr.starts_with("vaspay://{"), "{links}");
    for link in [app, qr] {
        assert_eq!(verify(&["link", "--key", &public, link], ""), 0);
    }
    assert_eq!(verify(&["link", "--key", &public, &qr.replace("1.50", "9.50")], ""), 1);
    let mut lafi = order;
    lafi[6] = "L-F";
    assert!(made(&lafi, "").starts_with("lafiwallet://%7B"));

    let body = file("body.txt", "trade_id=1&amount=2");
    let headers =
        made(&["fomo-callback", "--id", "7", "--timestamp", "1574510444", "--body", &body], "a-secret");
    let signature = headers.lines().find_map(|line| line.strip_prefix("webhook-signature: ")).unwrap();
    let callback = |id: &str| {
        let arguments = [
            "fomo-callback",
            "--id",
            id,
            "--timestamp",
            "1574510444",
            "--signature",
            signature,
            "--body",
            &body,
        ];
        verify(&arguments, "a-secret")
    };
    assert_eq!((callback("7"), callback("8")), (0, 1));

    let query = "uuid=u&orderId=o&fromAddr=F&toAddr=V&assetType=VAS&amount=1&txid=t&callbackUrl=https%3A%2F%2Fa.example%2F";
    let signed = made(&["vas-callback", "--key", &private, query], "");
    assert_eq!(verify(&["vas-callback", "--key", &public, &signed], ""), 0);
    assert_eq!(verify(&["vas-callback", "--key", &public, &signed.replace("amount=1", "amount=2")], ""), 1);

    // The callback secret: from a file or stdin, the same.
    let secret = file("client_secret.txt", "8f14e45fceea167a5a36dedd4bea2543f2a1b0c9\n");
    let (code, from_file, _) = wallop(&["webhook-secret", &secret], "");
    let (_, from_stdin, _) = wallop(&["webhook-secret"], "8f14e45fceea167a5a36dedd4bea2543f2a1b0c9");
    assert_eq!((code, &*from_file), (0, "whsec_yZZ4/oAHILdVAnk/a8d1CQbbVJVbTYyLSrCflvDnq8g=\n"));
    assert_eq!(from_stdin, from_file);
}

#[test]
fn the_exit_code_says_what_kind_of_end_it_is_and_errors_are_translated() {
    let directory = tempfile::tempdir().unwrap();
    let private = directory.path().join("private.pem");
    std::fs::write(&private, include_str!("../vectors/rsa-1024.pem")).unwrap();
    let private = private.to_str().unwrap();
    let sign = "0".repeat(40);
    for (arguments, stdin, code, words, zh) in [
        (vec!["explain", "fomo", "1574510444", &sign], "secret", 1, "does not fit", "签名不符"),
        (vec!["explain", "link", "--key", private, "x"], "", 2, "is a private key", "是私钥"),
        (vec!["explain", "link", "--key", "/nowhere", "x"], "", 3, "cannot read /nowhere", "无法读取"),
        (vec!["webhook-secret"], "", 2, "no client_secret", "没有 client_secret"),
        (vec!["dev", "--host", "0.0.0.0"], "", 2, "127.0.0.1 only", "只在本机"),
        (vec!["demo", "fomo", "--url", "https://a.example"], "", 2, "not https", "不支持 https"),
        (vec!["demo", "fomo", "--url", "http://127.0.0.1:9"], "", 3, "wallop dev", "wallop dev"),
        (vec!["no-such-command"], "", 2, "unrecognized subcommand", "unrecognized subcommand"),
        (vec!["qr", "--png", "/nowhere/x.png", "x"], "", 3, "cannot write", "无法写入"),
    ] {
        let (exit, _, err) = wallop(&arguments, stdin);
        assert_eq!(exit, code, "{arguments:?}: {err}");
        assert!(err.contains(words), "{arguments:?}: {err}");
        let (exit, _, err) = wallop(&[&arguments[..], &["--lang", "zh"]].concat(), stdin);
        assert!(exit == code && err.contains(zh), "{arguments:?}: {err}");
    }
    for command in ["dev", "demo", "admin", "explain", "sign", "webhook-secret", "qr"] {
        let (code, help, _) = wallop(&[command, "--help"], "");
        assert!(code == 0 && help.contains("Examples:\n  wallop "), "{command}: {help}");
    }
    let odd = Command::new(wallop_path()).args(["qr", "x"]).env("WALLOP_LOG", "a=b=c").output().unwrap();
    let said = String::from_utf8_lossy(&odd.stderr).into_owned();
    assert!(odd.status.success() && said.contains("WALLOP_LOG=\"a=b=c\" is not a log filter"), "{said}");
}

#[test]
fn output_is_json_where_a_program_asks_for_it_and_a_closed_pipe_is_no_error() {
    let json = |arguments: &[&str], stdin: &str| {
        let (code, out, err) = wallop(arguments, stdin);
        let value: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        assert_eq!(out.lines().count(), 1, "{out}");
        (code, value)
    };
    let (code, explained) = json(&["explain", "fomo", "1574510444", &sign("1574510444", "s"), "--json"], "s");
    assert_eq!((code, &explained["fits"]), (1, &false.into()));
    assert!(explained["cause"].as_str().unwrap().contains("reversed"), "{explained}");
    let (code, drawn) = json(&["qr", "x", "--json"], "");
    assert!(code == 0 && drawn["modules"] == 21 && drawn["svg"].as_str().unwrap().starts_with("<svg"));
    let (code, played) = json(&["demo", "fomo", "--json"], "");
    assert!(code == 0 && played["ok"] == true && played["steps"].as_array().unwrap().len() > 10, "{played}");
    let pipe = format!("{} qr x | head -n 1", wallop_path().display());
    let done = Command::new("bash").args(["-o", "pipefail", "-c", &pipe]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let drawn = wallop(&["qr", "x"], "").1;
    assert!(drawn.lines().count() > 10, "into a pipe it is drawn as in a terminal: {drawn}");
}

#[test]
fn dev_prints_calls_and_callbacks_as_they_happen() {
    use std::io::{BufRead as _, BufReader};
    let mut child = Command::new(wallop_path())
        .args(["dev", "--port", "0"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    let url = first.split("open ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let demo = Command::new(wallop_path()).args(["demo", "fomo", "--url", &url]).output().unwrap();
    assert!(demo.status.success());
    let rest: Vec<String> = lines
        .by_ref()
        .skip_while(|line| !line.contains("--> "))
        .take_while(|line| !line.contains("<-- "))
        .collect();
    assert!(rest.iter().any(|line| line.contains("--> token") && line.contains(" ms ")), "{rest:?}");
    assert!(!first.contains("whsec_") && rest.iter().all(|line| !line.contains("whsec_")));
    let stopped = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(stopped.success() && child.wait().unwrap().success());
}
