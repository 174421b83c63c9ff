//! `wallop serve`: what it refuses, and two nodes on one database.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use wallet_tests::{Database, Node, Postgres, Wallop, configure, free_port, said, wallop, wallop_path};

#[test]
fn a_configuration_is_shown_with_its_sources_and_checked_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = configure(directory.path(), "postgres://wallop:geheim@db/wallop");
    let (code, text) = said(&wallop(&["config", "check", "--config", &path]));
    assert_eq!((code, text.trim()), (Some(0), "The configuration is valid."));
    let shown = wallop(&["config", "show", "--json", "--config", &path, "--set", "store.readers=7"]);
    let rows: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let row = |name: &str| rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    assert_eq!(
        (&row("store.readers")["value"], &row("store.readers")["from"]),
        (&"7".into(), &"--set".into())
    );
    assert_eq!(row("database.url")["from"], format!("{path}:2:7"));
    assert_eq!(row("store.queue")["from"], "default");
    assert!(!String::from_utf8_lossy(&shown.stdout).contains("geheim"));
    std::fs::write(&path, "[listen]\naddress = 80\n[stor]\n").unwrap();
    let (code, text) = said(&wallop(&["config", "check", "--config", &path]));
    assert_eq!((code, text.lines().count()), (Some(1), 5), "{text}");
    assert!(
        text.contains("wallop.toml:2:11: listen.address") && text.contains("wallop.toml:3:2: "),
        "{text}"
    );
    let (code, chinese) = said(&wallop(&["config", "check", "--lang", "zh", "--config", &path]));
    assert!(code == Some(1) && chinese.contains("缺少 key.file"), "{chinese}");
    let (code, text) = said(&wallop(&["serve", "--config", &path]));
    assert!(code == Some(2) && text.lines().count() == 5, "{text}");
}

#[test]
fn serve_refuses_what_is_unsafe() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    let key = key.to_str().unwrap();
    let (code, text) = said(&wallop(&["key", "new", key]));
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, text) = said(&wallop(&["key", "new", key]));
    assert!(code == Some(3) && text.contains("give a file that does not exist"), "{text}");
    let database = directory.path().join("wallop.db");
    let path = configure(directory.path(), &format!("sqlite:{}", database.display()));
    let refused = |more: &[&str], code: i32, why: &str| {
        let (found, text) = said(&wallop(&[&["serve", "--config", &path], more].concat()));
        assert!(found == Some(code) && text.contains(why), "{found:?} {text}");
    };
    refused(&["--set", "listen.public_url=http://wallet.example"], 2, "plain http");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o640)).unwrap();
    refused(&[], 3, "mode 640");
    let (code, text) = said(&wallop(&["key", "check", key]));
    assert!(code == Some(3) && text.contains("chmod 600"), "{text}");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    refused(&["--set", "key.file=/nowhere/key"], 3, "cannot read /nowhere/key");
    refused(&["--set", "database.url=postgres://postgres@127.0.0.1:1/none"], 3, "cannot open the database");
    refused(&["--set", "database.url=sqlite:/nowhere/wallop.db"], 3, "Does the directory exist");
    // A sandbox's data, with the sandbox's own key.
    let sandbox = tempfile::tempdir().unwrap();
    Wallop::start(sandbox.path()).stop();
    let (data, key) = (sandbox.path().join("wallop.db"), sandbox.path().join("master.key"));
    let (data, key) =
        (format!("database.url=sqlite:{}", data.display()), format!("key.file={}", key.display()));
    refused(&["--set", &data, "--set", &key], 3, "the database of a sandbox");
    // Another key does not open the database.
    refused(&["--set", &data], 3, "master key");
    let cluster = Postgres::of_the_tests();
    let name = cluster.new_database();
    cluster.sql("postgres", &format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    let url = format!("database.url={}", cluster.url(&name));
    refused(&["--set", &url], 3, "synchronous_commit");
}

/// The socket of a service, and what the program says, as systemd does both.
#[test]
fn a_service_takes_the_socket_of_systemd_and_tells_its_state() {
    let directory = tempfile::tempdir().unwrap();
    let path = configure(directory.path(), &format!("sqlite:{}", directory.path().join("db").display()));
    assert!(wallop(&["key", "new", directory.path().join("key").to_str().unwrap()]).status.success());
    let notified = directory.path().join("notify");
    let states = UnixDatagram::bind(&notified).unwrap();
    states.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let await_state = |wanted: &str| {
        let mut buffer = [0; 1024];
        loop {
            let length = states.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted}: {error}"));
            let said = String::from_utf8_lossy(&buffer[..length]);
            if said.lines().any(|line| line == wanted) {
                return;
            }
        }
    };
    let public = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, internal) = (public.local_addr().unwrap().port(), free_port());
    // The socket, which comes as standard input, becomes number 3, and its owner the process that the program becomes.
    let activate = "import os, sys\nos.dup2(0, 3)\nos.set_inheritable(3, True)\n\
        os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\nos.execv(sys.argv[1], sys.argv[1:])";
    let started = Command::new("python3")
        .args(["-c", activate])
        .arg(wallop_path())
        .args(["serve", "--config", &path, "--set", &format!("listen.internal=127.0.0.1:{internal}")])
        .env("NOTIFY_SOCKET", &notified)
        .env("WATCHDOG_USEC", "1000000")
        .stdin(std::os::fd::OwnedFd::from(public.try_clone().unwrap()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut service = started.unwrap();
    await_state("READY=1");
    assert_eq!(Node::curl(internal, &[], "/readyz"), "ready\n");
    let status = ["-o", "/dev/null", "-w", "%{http_code}"];
    assert_eq!(Node::curl(port, &status, "/apps"), "303", "on the socket that was handed over");
    await_state("WATCHDOG=1");
    await_state("WATCHDOG=1");
    assert!(Command::new("kill").args(["-TERM", &service.id().to_string()]).status().unwrap().success());
    await_state("STOPPING=1");
    assert!(service.wait().unwrap().success());
}

#[test]
fn two_nodes_serve_one_database_and_one_may_die() {
    let (directory, cluster) = (tempfile::tempdir().unwrap(), Postgres::of_the_tests());
    let name = cluster.new_database();
    let path = configure(directory.path(), &cluster.url(&name));
    assert!(wallop(&["key", "new", directory.path().join("key").to_str().unwrap()]).status.success());
    let (first, mut second) = (Node::start(&path), Node::start(&path));
    for node in [&first, &second] {
        assert_eq!(Node::curl(node.internal, &[], "/readyz"), "ready\n");
        assert!(Node::curl(node.internal, &[], "/metrics").contains("\nwallop_store_broken 0"));
        let status = ["-o", "/dev/null", "-w", "%{http_code}"];
        assert_eq!(Node::curl(node.port, &status, "/metrics"), "404", "not in public");
        assert_eq!(Node::curl(node.port, &status, "/apps"), "303");
        // A production server has no sandbox.
        for page in ["/sandbox", "/inspect", "/clock", "/wallet"] {
            assert_eq!(Node::curl(node.port, &status, page), "404", "{page}");
        }
    }
    let added = wallop(&["admin", "operator", "add", "carol", "--json", "--config", &path]);
    let carol: Value = serde_json::from_slice(&added.stdout).unwrap_or_else(|_| panic!("{:?}", said(&added)));
    // A session of one node is a session of the other.
    let login = [("login_name", "carol"), ("pwd", carol["pwd"].as_str().unwrap())];
    let session = first.call("/fomo/customer/login", &login);
    assert_eq!(session["success"], true, "{session}");
    let session = session["data"]["session_key"].as_str().unwrap().to_owned();
    let session = [("session_key", &*session)];
    assert_eq!(second.call("/fomo/wallet/get_user_coins", &session)["success"], true);
    // One dies as a machine does; the other goes on.
    drop(first);
    let began = Instant::now();
    let again = second.call("/fomo/customer/login", &login);
    assert_eq!(again["success"], true, "{again}");
    assert!(began.elapsed() < Duration::from_secs(15));
    assert_eq!(second.call("/fomo/wallet/get_user_coins", &session)["success"], true);
    assert!(Command::new("kill").args(["-TERM", &second.child.id().to_string()]).status().unwrap().success());
    assert!(second.child.wait().unwrap().success(), "SIGTERM stops it cleanly");
    assert!(Database::Postgres(name).count("SELECT count(*) FROM node") >= 3, "a row for each start");
}
