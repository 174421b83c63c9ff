//! The edge of `wallop serve`: TLS of its own and to the database, cookies, client addresses, readiness and systemd.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use wallet_tests::{Node, Postgres, configure, said, wallop};

/// Writes a certificate of a new authority for 127.0.0.1 and its key; returns the authority's certificate.
pub(crate) fn certify(certificate: &Path, key: &Path) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let own = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "127.0.0.1");
    let signed = params.signed_by(&own, &authority).unwrap();
    std::fs::write(certificate, signed.pem()).unwrap();
    std::fs::write(key, own.serialize_pem()).unwrap();
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    authority.pem()
}

fn curl(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("curl").args(["-s", "-S", "-m", "20"]).args(arguments).output().unwrap();
    said(&output)
}

#[test]
fn tls_is_served_renewed_and_named_in_the_cookies() {
    let directory = tempfile::tempdir().unwrap();
    let config = configure(directory.path(), &format!("sqlite:{}", directory.path().join("db").display()));
    assert!(wallop(&["key", "new", directory.path().join("key").to_str().unwrap()]).status.success());
    let (certificate, key) = (directory.path().join("tls.pem"), directory.path().join("tls.key"));
    let root = directory.path().join("root.pem");
    std::fs::write(&root, certify(&certificate, &key)).unwrap();
    let settings = [
        "--set".to_owned(),
        format!("listen.tls_certificate={}", certificate.display()),
        "--set".to_owned(),
        format!("listen.tls_key={}", key.display()),
        "--set".to_owned(),
        "listen.drain_seconds=2".to_owned(),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    // A key that others can read is refused, and so is one of another certificate.
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, text) = said(&wallop(&[&["serve", "--config", &config], &settings[..]].concat()));
    assert!(code == Some(3) && text.contains("mode 644"), "{text}");
    let other = directory.path().join("other.pem");
    certify(&other, &key);
    let (code, text) = said(&wallop(&[&["serve", "--config", &config], &settings[..]].concat()));
    assert!(code == Some(3) && text.contains("for TLS"), "{text}");
    std::fs::write(&root, certify(&certificate, &key)).unwrap();
    let mut node = Node::start_with(&config, &settings);
    let url = format!("https://127.0.0.1:{}/openfomo/login.html", node.port);
    let trusting = ["--cacert", root.to_str().unwrap(), "-i", &url];
    let (code, page) = curl(&trusting);
    assert_eq!(code, Some(0), "{page}");
    let page = page.to_ascii_lowercase();
    assert!(page.contains("strict-transport-security: max-age=31536000"), "{page}");
    let cookies: Vec<&str> = page.lines().filter(|line| line.starts_with("set-cookie:")).collect();
    assert!(!cookies.is_empty());
    for cookie in cookies {
        assert!(cookie.contains("__host-wallop_") && cookie.contains("; secure"), "{cookie}");
        assert!(cookie.contains("; path=/;") && !cookie.contains("domain"), "{cookie}");
    }
    // In clear nothing is served there.
    assert_ne!(curl(&[&url.replacen("https", "http", 1)]).0, Some(0));
    // Another authority's certificate takes the place of the first while it runs.
    let renewed = directory.path().join("renewed.pem");
    std::fs::write(&renewed, certify(&certificate, &key)).unwrap();
    let began = Instant::now();
    while curl(&["--cacert", renewed.to_str().unwrap(), &url]).0 != Some(0) {
        assert!(began.elapsed() < Duration::from_secs(40), "the certificate is not renewed");
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_ne!(curl(&trusting).0, Some(0), "the first authority knows nothing of it");
    // A stop: not ready first, still serving, then gone.
    assert_eq!(Node::curl(node.internal, &[], "/readyz"), "ready\n");
    assert!(Command::new("kill").args(["-TERM", &node.child.id().to_string()]).status().unwrap().success());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(Node::curl(node.internal, &[], "/readyz"), "not ready: it is about to stop\n");
    assert_eq!(curl(&["--cacert", renewed.to_str().unwrap(), &url]).0, Some(0), "still served");
    assert!(node.child.wait().unwrap().success());
}

#[test]
fn a_client_address_has_a_limit_and_only_a_trusted_proxy_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let config = configure(directory.path(), &format!("sqlite:{}", directory.path().join("db").display()));
    assert!(wallop(&["key", "new", directory.path().join("key").to_str().unwrap()]).status.success());
    let limit = ["--set", "limits.requests_per_second=1", "--set", "limits.requests_at_once=5"];
    let status = |node: &Node, from: &str| {
        let header = format!("X-Forwarded-For: {from}");
        let arguments = ["-o", "/dev/null", "-w", "%{http_code}", "-H", &*header];
        Node::curl(node.port, &arguments, "/openfomo/login.html")
    };
    let node = Node::start_with(&config, &limit);
    // Whatever it says of itself, it is one client.
    let statuses: Vec<String> = (0..10).map(|number| status(&node, &format!("203.0.113.{number}"))).collect();
    assert!(statuses.iter().filter(|status| *status == "429").count() >= 3, "{statuses:?}");
    let reply = Node::curl(node.port, &["-i"], "/openfomo/login.html").to_ascii_lowercase();
    assert!(reply.contains("retry-after: "), "{reply}");
    assert_eq!(Node::curl(node.internal, &[], "/readyz"), "ready\n", "the internal address has no limit");
    drop(node);
    let trusting = [&limit[..], &["--set", "listen.trusted_proxies=127.0.0.0/8"]].concat();
    let node = Node::start_with(&config, &trusting);
    let statuses: Vec<String> = (0..10).map(|number| status(&node, &format!("203.0.113.{number}"))).collect();
    assert!(statuses.iter().all(|status| status == "200"), "{statuses:?}");
    // What a client writes before the proxy's own entry counts for nothing.
    let statuses: Vec<String> =
        (0..10).map(|number| status(&node, &format!("192.0.2.{number}, 198.51.100.1"))).collect();
    assert!(statuses.iter().filter(|status| *status == "429").count() >= 3, "{statuses:?}");
}

#[test]
fn systemd_hears_of_ready_watchdog_and_stop() {
    let directory = tempfile::tempdir().unwrap();
    let config = configure(directory.path(), &format!("sqlite:{}", directory.path().join("db").display()));
    assert!(wallop(&["key", "new", directory.path().join("key").to_str().unwrap()]).status.success());
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let next = || {
        let mut bytes = [0; 256];
        let count = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..count]).trim().to_owned()
    };
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "2000000")];
    let mut node = Node::start_in(&config, &["--set", "listen.drain_seconds=0"], &variables);
    assert_eq!(next(), "READY=1");
    assert_eq!((next(), next()), ("WATCHDOG=1".to_owned(), "WATCHDOG=1".to_owned()));
    assert!(Command::new("kill").args(["-TERM", &node.child.id().to_string()]).status().unwrap().success());
    let last = std::iter::repeat_with(next).find(|state| state != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
    assert!(node.child.wait().unwrap().success());
}

#[test]
fn the_database_is_reached_under_tls_and_its_name_is_verified() {
    let cluster = Postgres::start(&[("fsync", "off")]);
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("tls.pem"), directory.path().join("tls.key"));
    let root = directory.path().join("root.pem");
    std::fs::write(&root, certify(&certificate, &key)).unwrap();
    cluster.use_tls(&std::fs::read_to_string(&certificate).unwrap(), &std::fs::read_to_string(&key).unwrap());
    let config = configure(directory.path(), &cluster.url(&cluster.new_database()));
    let migrate = |more: &str| {
        let url = format!("{}?sslmode={more}", cluster.url(&cluster.new_database()));
        said(&wallop(&["migrate", "--config", &config, "--set", &format!("database.url={url}")]))
    };
    let trusting = format!("verify-full&sslrootcert={}", root.display());
    let (code, text) = migrate(&trusting);
    assert!(code == Some(0) && text.contains("have run"), "{text}");
    // The machine knows no such authority, and another authority did not sign it.
    for mode in ["require", "verify-full"] {
        let (code, text) = migrate(mode);
        assert!(code == Some(3) && text.contains("certificate"), "{mode}: {text}");
    }
    let other = directory.path().join("other.pem");
    std::fs::write(&other, certify(&directory.path().join("x.pem"), &directory.path().join("x.key")))
        .unwrap();
    let (code, text) = migrate(&format!("verify-full&sslrootcert={}", other.display()));
    assert!(code == Some(3) && text.contains("certificate"), "{text}");
    let (code, text) = migrate("verify-full&sslrootcert=/nowhere/root.pem");
    assert!(code == Some(3) && text.contains("cannot read sslrootcert /nowhere/root.pem"), "{text}");
    let (code, text) = migrate("sometimes");
    assert!(code == Some(3) && text.contains("there is no sslmode sometimes"), "{text}");
    // A session under TLS is one that the server calls so.
    let in_use = cluster.sql("postgres", "SELECT count(*) FROM pg_stat_ssl WHERE ssl");
    println!("sessions under TLS now: {in_use}");
}
