//! The outbox: verification codes are sent by a program or by mail, survive a crash, and are sent once.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use wallet_core::Secret;
use wallet_platform::{BeginRegister, ClaimNotices, DueNotices, FinishNotice};
use wallet_tests::{Database, Node, Postgres, TestStore, configure, wallop};

fn begin(world: &TestStore, name: &str) -> BeginRegister {
    let pwd = Secret::new("phc".to_owned());
    BeginRegister { login_name: name.to_owned(), pwd, seed: world.store.vault().seed() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_claimed_once_an_attempt_and_lasts_until_it_is_sent_or_useless() {
    for world in TestStore::everywhere(0).await {
        let store = &world.store;
        let first = store.submit(begin(&world, "dave")).await.unwrap().notice;
        assert_eq!((first.attempt, &*first.recipient, first.secret.expose().len()), (1, "dave", 6));
        if !matches!(world.database, Database::Memory) {
            assert_eq!(world.database.count("SELECT count(*) FROM notice"), 1);
            let code = first.secret.expose().as_bytes();
            let sealed = match world.database {
                Database::Postgres(_) => "SELECT encode(sealed, 'escape') FROM notice",
                _ => "SELECT hex(sealed) FROM notice",
            };
            let text = world.database.rows(sealed)[0][0].clone();
            assert!(!text.as_bytes().windows(6).any(|part| part == code), "the code is sealed");
        }
        let due = || store.view(DueNotices { limit: 10 });
        assert!(due().await.unwrap().is_empty(), "its first attempt is under way");
        // It failed: the next one is due after 5 s.
        store.submit(FinishNotice { id: first.id, attempt: 1, sent: false }).await.unwrap();
        world.clock.advance(Duration::from_secs(4));
        assert!(due().await.unwrap().is_empty());
        world.clock.advance(Duration::from_secs(1));
        let ids = due().await.unwrap();
        assert_eq!(ids, [first.id]);
        // Two workers look at once; one gets it.
        let (one, two) =
            tokio::join!(store.submit(ClaimNotices(ids.clone())), store.submit(ClaimNotices(ids.clone())));
        let claimed = [one.unwrap(), two.unwrap()].concat();
        assert_eq!(claimed.len(), 1);
        assert_eq!((claimed[0].attempt, &claimed[0].secret), (2, &first.secret));
        // Its process died: after the lease another one sends it. The late end of the second attempt changes nothing.
        world.clock.advance(Duration::from_secs(60));
        let third = store.submit(ClaimNotices(ids.clone())).await.unwrap();
        assert_eq!(third[0].attempt, 3);
        store.submit(FinishNotice { id: first.id, attempt: 2, sent: false }).await.unwrap();
        world.clock.advance(Duration::from_secs(30));
        assert!(due().await.unwrap().is_empty(), "the third attempt is under way");
        store.submit(FinishNotice { id: first.id, attempt: 3, sent: true }).await.unwrap();
        world.clock.advance(Duration::from_secs(120));
        assert!(due().await.unwrap().is_empty());
        assert!(store.submit(ClaimNotices(ids)).await.unwrap().is_empty(), "it is gone");
        // One that nobody could send is deleted once its code is of no use.
        let other = store.submit(begin(&world, "erin")).await.unwrap().notice;
        world.clock.advance(Duration::from_secs(601));
        assert_eq!(due().await.unwrap(), [other.id]);
        assert!(store.submit(ClaimNotices(vec![other.id])).await.unwrap().is_empty());
        assert!(due().await.unwrap().is_empty());
    }
}

/// Waits for lines of a file.
fn lines(path: &Path, count: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= count {
            return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} of {count} lines: {text}",
            text.lines().count()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_program_gets_the_code_even_after_a_crash() {
    let (directory, cluster) = (tempfile::tempdir().unwrap(), Postgres::of_the_tests());
    let config = configure(directory.path(), &cluster.url(&cluster.new_database()));
    assert!(wallop(&["key", "new", directory.path().join("key").to_str().unwrap()]).status.success());
    let (send, out) = (directory.path().join("send"), directory.path().join("out"));
    program(&send, "#!/bin/sh\nexit 1\n");
    let command = format!("notify.command={}", send.display());
    let settings = ["--set", "notify.by=command", "--set", &*command];
    let node = Node::start_with(&config, &settings);
    let fields = [("user_name", "dave"), ("pwd", "a long password")];
    let begun = node.call("/fomo/customer/register", &fields);
    assert_eq!(begun["success"], true, "{begun}");
    drop(node); // SIGKILL, before the code was sent
    program(&send, &format!("#!/bin/sh\ncat >> {}\n", out.display()));
    let node = Node::start_with(&config, &settings);
    let sent = lines(&out, 1);
    assert_eq!((&sent[0]["to"], &sent[0]["kind"]), (&"dave".into(), &"verification_code".into()));
    assert_eq!(sent[0]["about"], begun["data"]["verify_id"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (code, verify, tmp) =
        (text(&sent[0]["code"]), text(&begun["data"]["verify_id"]), text(&begun["data"]["tmp_user_id"]));
    let fields = [("verify_code", &*code), ("verify_id", &verify), ("tmp_user_id", &tmp)];
    let done = node.call("/fomo/customer/complete_register", &fields);
    assert_eq!(done["success"], true, "{done}");
    let login = [("login_name", "dave"), ("pwd", "a long password")];
    assert_eq!(node.call("/fomo/customer/login", &login)["success"], true);
    assert_eq!(lines(&out, 1).len(), 1, "sent once");
}

/// A mail server that takes one mail, and returns its text.
fn mail_server() -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let (mut mail, mut in_data) = (String::new(), false);
        stream.write_all(b"220 test\r\n").unwrap();
        while let Some(Ok(line)) = lines.next() {
            if in_data && line != "." {
                mail += &(line + "\n");
                continue;
            }
            let reply = match line.split(' ').next().unwrap_or_default() {
                "EHLO" => "250 test",
                "DATA" => {
                    in_data = true;
                    "354 go on"
                }
                "." => {
                    stream.write_all(b"250 taken\r\n").unwrap();
                    return mail;
                }
                _ => "250 ok",
            };
            stream.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
        }
        mail
    });
    (port, thread)
}

#[test]
fn a_code_arrives_by_mail() {
    let directory = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", directory.path().join("db").display());
    let config = configure(directory.path(), &database);
    assert!(wallop(&["key", "new", directory.path().join("key").to_str().unwrap()]).status.success());
    let (port, server) = mail_server();
    let url = format!("notify.smtp_url=smtp://127.0.0.1:{port}");
    let from = "notify.from=Wallet <codes@wallet.example>";
    let node = Node::start_with(&config, &["--set", "notify.by=smtp", "--set", &url, "--set", from]);
    let fields = [("user_name", "dave@shop.example"), ("pwd", "a long password")];
    let begun = node.call("/fomo/customer/register", &fields);
    assert_eq!(begun["success"], true, "{begun}");
    let mail = server.join().unwrap();
    assert!(
        mail.contains("To: dave@shop.example") && mail.contains("From: Wallet <codes@wallet.example>"),
        "{mail}"
    );
    assert!(mail.contains("Subject: "), "{mail}");
}
