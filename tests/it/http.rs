//! HTTP as clients, proxies and attackers really speak it, byte by byte.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wallet_tests::{Format, Reply, World};

/// A connection to the sandbox.
async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.described().url.strip_prefix("http://").unwrap()).await.unwrap()
}

fn host(world: &World) -> String {
    world.described().url.strip_prefix("http://").unwrap().to_owned()
}

/// Sends bytes and reads until the connection closes.
async fn exchange(world: &World, bytes: impl AsRef<[u8]>, half_close: bool) -> String {
    let mut stream = connect(world).await;
    stream.write_all(bytes.as_ref()).await.unwrap();
    if half_close {
        stream.shutdown().await.unwrap();
    }
    let mut reply = Vec::new();
    let read = stream.read_to_end(&mut reply);
    let _ = tokio::time::timeout(Duration::from_secs(8), read).await.expect("the connection closes");
    String::from_utf8_lossy(&reply).into_owned()
}

fn status(reply: &str) -> u16 {
    reply.strip_prefix("HTTP/1.").and_then(|rest| rest[2..5].parse().ok()).unwrap_or(0)
}

/// A request for `target` with these header lines, after which the connection closes.
async fn get(world: &World, target: &str, lines: &str) -> u16 {
    status(
        &exchange(world, format!("GET {target} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"), false).await,
    )
}

/// RFC 9112, 3.2.
#[tokio::test]
async fn hosts_are_judged_before_anything_is_answered() {
    let world = World::start().await;
    let own = format!("Host: {}\r\n", host(&world));
    for path in ["/healthz", "/sandbox", "/fomo/wallet/get_active_coins"] {
        assert_eq!(get(&world, path, &own).await, 200, "{path}");
        assert_eq!(get(&world, path, &format!("{own}{own}")).await, 400, "{path} two equal ones");
        assert_eq!(
            get(&world, path, &format!("{own}Host: evil.example\r\n")).await,
            400,
            "{path} another one"
        );
        assert_eq!(get(&world, path, "").await, 400, "{path} none");
        assert_eq!(
            get(&world, path, "Host: 127.0.0.1:1@evil.example\r\n").await,
            400,
            "{path} user information"
        );
        assert_eq!(get(&world, path, "Host: LocalHost\r\n").await, 200, "{path}");
        // The target's host counts (3.2.2), whatever the header says.
        let absolute = format!("http://evil.example{path}");
        assert_eq!(get(&world, &absolute, &own).await, 403, "{absolute}");
        let absolute = format!("http://{}{path}", host(&world));
        assert_eq!(get(&world, &absolute, "Host: evil.example\r\n").await, 200, "{absolute}");
    }
    // HTTP/1.0 knows no Host; probes speak it.
    assert_eq!(status(&exchange(&world, "GET /healthz HTTP/1.0\r\n\r\n", false).await), 200);
}

/// RFC 9112, 6.1, 6.3 and 7.1.
#[tokio::test]
async fn codings_that_are_unknown_and_chunks_that_are_malformed_are_refused_at_once() {
    let world = World::start().await;
    let login = "login_name=alice&pwd=alice-password";
    let chunk = format!("{:x}\r\n{login}\r\n", login.len());
    let post = |lines: &str, body: &str| {
        format!(
            "POST /fomo/customer/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Connection: close\r\n{lines}\r\n{body}",
            host(&world)
        )
    };
    let chunked = "Transfer-Encoding: chunked\r\n";
    let whole = format!("{chunk}0\r\n\r\n");
    assert!(exchange(&world, post(chunked, &whole), false).await.contains("\"status\":1"));
    assert!(
        exchange(&world, post(chunked, &format!("{chunk}0\r\nX: y\r\n\r\n")), false)
            .await
            .contains("\"status\":1")
    );
    for (lines, body, expected) in [
        ("Transfer-Encoding: gzip, chunked\r\n", &*whole, 501),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", &whole, 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", &whole, 400),
        ("Transfer-Encoding: chunked, chunked\r\n", &whole, 400),
        (chunked, "zz\r\n\r\n", 400),
        (chunked, "-1\r\n\r\n", 400),
        (chunked, "\r\n\r\n", 400),
        (chunked, "fffffffffffffffff\r\n", 400),
        (chunked, "3\r\nabcdef\r\n", 400),
    ] {
        let began = Instant::now();
        let reply = exchange(&world, post(lines, body), false).await;
        assert_eq!(status(&reply), expected, "{lines}{body}: {reply}");
        assert!(began.elapsed() < Duration::from_secs(5), "{lines}{body}: not after a deadline");
    }
    let unknown = status(&exchange(&world, post("Transfer-Encoding: xchunked\r\n", &whole), false).await);
    assert!([400, 501].contains(&unknown), "{unknown}");
}

/// RFC 9112, 9.6.
#[tokio::test]
async fn a_client_that_has_sent_everything_still_gets_its_reply() {
    let world = World::start().await;
    let host = host(&world);
    for path in ["/healthz", "/fomo/wallet/get_active_coins", "/", "/sandbox"] {
        for connection in ["close", "keep-alive"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\n\r\n");
            assert_eq!(status(&exchange(&world, request, true).await), 200, "{path}");
        }
    }
    // The password takes a while to check: the client is gone half by then.
    let login = "login_name=alice&pwd=alice-password";
    let request = format!(
        "POST /fomo/customer/login HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{login}",
        login.len()
    );
    assert!(exchange(&world, request, true).await.contains("\"status\":1"));
}

/// RFC 9110, 9.3.2 and 9.3.7.
#[tokio::test]
async fn head_is_where_get_is_and_options_lists_the_methods() {
    let world = World::start().await;
    let own = format!("Host: {}\r\nConnection: close\r\n\r\n", host(&world));
    let (access, _) = world.tokens("alice").await;
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/",
        "/docs",
        "/assets/wallop.css",
        "/fomo/wallet/get_active_coins",
    ] {
        let head = exchange(&world, format!("HEAD {path} HTTP/1.1\r\n{own}"), false).await;
        let get = exchange(&world, format!("GET {path} HTTP/1.1\r\n{own}"), false).await;
        assert_eq!((status(&head), status(&get)), (200, 200), "{path}");
        let (head_lines, rest) = head.split_once("\r\n\r\n").unwrap();
        assert_eq!(rest, "", "{path}: no body");
        let kind =
            |lines: &str| lines.lines().find(|line| line.starts_with("content-type")).map(str::to_owned);
        assert_eq!(kind(head_lines), kind(&get), "{path}");
    }
    let bearer = format!("Authorization: Bearer {access}\r\n{own}");
    let head =
        exchange(&world, format!("HEAD /fomo/oauth2/resource/get_user_info HTTP/1.1\r\n{bearer}"), false)
            .await;
    assert_eq!(status(&head), 200);
    assert_eq!(
        status(
            &exchange(&world, format!("HEAD /fomo/oauth2/resource/get_user_info HTTP/1.1\r\n{own}"), false)
                .await
        ),
        401
    );
    for (path, allow) in [
        ("/fomo/wallet/get_active_coins", "GET, POST, HEAD, OPTIONS"),
        ("/fomo/oauth2/authorize", "GET, POST, HEAD, OPTIONS"),
        ("/fomo/oauth2/authorize/token", "POST, OPTIONS"),
        ("/healthz", "GET,HEAD"),
        ("/apps", "GET,HEAD"),
        ("/openfomo/login.html", "GET,HEAD,POST"),
    ] {
        let reply = exchange(&world, format!("OPTIONS {path} HTTP/1.1\r\n{own}"), false).await;
        let allowed = reply.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap_or_default();
        assert_eq!((status(&reply), allowed), (204, allow), "{path}: {reply}");
    }
    assert_eq!(
        status(&exchange(&world, format!("HEAD /fomo/customer/login HTTP/1.1\r\n{own}"), false).await),
        405
    );
}

/// RFC 9112, 9.3 and 9.5: proxies keep their connections for a minute.
#[tokio::test]
async fn an_idle_connection_is_kept_and_a_slow_head_is_not() {
    let world = World::start().await;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", host(&world));
    let mut idle = connect(&world).await;
    let mut buffer = [0; 1024];
    idle.write_all(request.as_bytes()).await.unwrap();
    assert!(idle.read(&mut buffer).await.unwrap() > 0);
    let began = Instant::now();
    let mut slow = connect(&world).await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost:").await.unwrap();
    // The deadline is for the whole head, whatever comes of it meanwhile.
    let ended = async {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if slow.write_all(b"x").await.is_err() {
                break;
            }
            if let Ok(Ok(0) | Err(_)) =
                tokio::time::timeout(Duration::from_millis(1), slow.read(&mut buffer)).await
            {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("a slow head is cut off");
    assert!(began.elapsed() > Duration::from_secs(8), "{:?}", began.elapsed());
    tokio::time::sleep(Duration::from_secs(13).saturating_sub(began.elapsed())).await;
    // A head has 10 s; the connection that waits for one has more.
    idle.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = [0; 1024];
    let read = idle.read(&mut buffer).await.unwrap();
    assert_eq!(status(&String::from_utf8_lossy(&buffer[..read])), 200);
}

/// RFC 8259, 8.1; what PHP and .NET write.
#[tokio::test]
async fn json_bodies_of_other_languages_are_read() {
    let world = World::start().await;
    let (access, _) = world.tokens("alice").await;
    let ok = |reply: Reply, what: &str| assert_eq!(reply.status(), 1, "{what}: {}", reply.text);
    for body in
        ["", "[]", "{}", "null", " [ ]\r\n", "\u{feff}{}", "\u{feff}null", "{\"unknown\":[1,{\"a\":null}]}"]
    {
        for (path, bearer) in [("wallet/get_active_coins", false), ("oauth2/resource/get_user_info", true)] {
            let mut call = wallet_tests::Call::post(path);
            if bearer {
                call = call.bearer(&access);
            }
            ok(world.send(&call, body.into(), Some("application/json")).await, body);
        }
    }
    let login = wallet_tests::Call::post("customer/login");
    for body in [
        "\u{feff}{\"login_name\":\"alice\",\"pwd\":\"alice-password\"}",
        "{\"login_name\":\"alice\",\"pwd\":\"alice-password\",\"x\":[]}",
    ] {
        ok(world.send(&login, body.into(), Some("application/json; charset=utf-8")).await, body);
    }
}

/// RFC 7578: a file whose name looks like a parameter is no field.
#[tokio::test]
async fn a_file_name_is_no_field_name() {
    let world = World::start().await;
    let login = wallet_tests::Call::post("customer/login");
    let part = |disposition: &str, content: &str| {
        format!("--b\r\nContent-Disposition: {disposition}\r\n\r\n{content}\r\n")
    };
    let body = [
        part("form-data; name=\"photo\"; filename=\"a; name=pwd; .txt\"", "not the password"),
        part("form-data; name=\"photo\"; filename=\"a\\\"; name=\\\"pwd\\\"; .txt\"", "not it either"),
        part("form-data; name=\"login_name\"", "alice"),
        part("form-data; name=\"pwd\"", "alice-password"),
        "--b--\r\n".to_owned(),
    ]
    .concat();
    let mut bytes = body.into_bytes();
    // A file name in Latin-1, as old clients send it.
    let latin = b"--b \r\nContent-Disposition: form-data; name=\"f\"; filename=\"caf\xe9\"\r\n\r\nx\r\n";
    bytes.splice(0..0, latin.iter().copied());
    let reply = world.send(&login, bytes, Some("multipart/form-data; boundary=b")).await;
    assert_eq!(reply.status(), 1, "{}", reply.text);
    assert!(Format::ALL.len() >= 3);
}

/// Sends a request and reads the reply; empty text if the connection is closed.
async fn ask(stream: &mut TcpStream, path: &str) -> std::io::Result<String> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await?;
    let mut buffer = [0; 512];
    let read = stream.read(&mut buffer).await?;
    Ok(String::from_utf8_lossy(&buffer[..read]).into_owned())
}

/// One address has its share of the connections, whatever its requests do; a proxy has all.
#[tokio::test]
async fn an_address_has_its_share_of_the_connections() {
    use axum::routing::{get, post};
    for (trusted, of_one) in [("", 3), ("127.0.0.1", 8)] {
        let body = post(|body: axum::body::Bytes| async move { body.len().to_string() });
        let routes = axum::Router::new().route("/", get(|| async { "quick" })).route("/body", body);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let trusted = wallet_server::Networks::parse(trusted).unwrap();
        let bounds = wallet_server::Connections { most: 8, per_address: 3, trusted, ..Default::default() };
        tokio::spawn(wallet_server::serve_with(listener, None, bounds, routes, std::future::pending()));
        let connect = async |from: &str| {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
            socket.connect(format!("127.0.0.1:{port}").parse().unwrap()).await.unwrap()
        };
        // Half a body on each: all of them are at work.
        let mut held = Vec::new();
        for _ in 0..of_one {
            let mut stream = connect("127.0.0.1").await;
            stream.write_all(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx").await.unwrap();
            held.push(stream);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        if of_one == 3 {
            let more = ask(&mut connect("127.0.0.1").await, "/").await.unwrap_or_default();
            assert_eq!(more, "", "a fourth is closed");
            let other = ask(&mut connect("127.0.0.2").await, "/").await.unwrap();
            assert!(other.ends_with("quick"), "another address is served: {other:?}");
        }
        for stream in &mut held {
            stream.write_all(b"y").await.unwrap();
            let mut buffer = [0; 512];
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(buffer[..read].ends_with(b"\r\n\r\n2"), "what is at work ends");
        }
        // They are idle now: a new one takes the place of the one that has waited longest.
        if of_one == 3 {
            let mut new = connect("127.0.0.1").await;
            assert!(ask(&mut new, "/").await.unwrap().ends_with("quick"));
            assert_eq!(ask(&mut held[0], "/").await.unwrap_or_default(), "");
            assert!(ask(&mut held[1], "/").await.unwrap().ends_with("quick"));
        }
    }
}

/// RFC 9112, 9.3.2: pipelined requests are answered in order. One is carried out at a time, so that a connection has the weight of one.
#[tokio::test]
async fn a_connection_has_one_request_under_way() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let routes = axum::Router::new().route(
        "/{number}",
        axum::routing::get(|axum::extract::Path(number): axum::extract::Path<String>| async move {
            MOST.fetch_max(AT_ONCE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(1)).await;
            AT_ONCE.fetch_sub(1, Ordering::SeqCst);
            format!("<{number}>")
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(wallet_server::serve(listener, routes, std::future::pending()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let requests: String =
        (0..500).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    stream.write_all(requests.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    let order: Vec<usize> =
        replies.split('<').skip(1).map(|after| after.split_once('>').unwrap().0.parse().unwrap()).collect();
    assert_eq!(order, (0..500).collect::<Vec<_>>());
    assert_eq!(MOST.load(Ordering::SeqCst), 1);
}

/// When there are as many connections as there may be, a new one takes the place of the idlest of the address that has the most.
#[tokio::test]
async fn a_new_connection_takes_the_place_of_an_idle_one() {
    use axum::routing::get;
    let slow = get(|| async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        "slow"
    });
    let routes = axum::Router::new().route("/", get(|| async { "quick" })).route("/slow", slow);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bounds = wallet_server::Connections { most: 4, ..Default::default() };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        wallet_server::serve_with(listener, None, bounds, routes, async { drop(stopped.await) }).await
    });
    // One is at work, one has begun a head and never ends it, two are idle; the first of all has waited longest.
    let mut connections = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut stream, "/").await.unwrap().ends_with("quick"));
        connections.push(stream);
    }
    let mut at_work = connections.remove(0);
    at_work.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    connections[0].write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..20 {
        let mut new = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut new, "/").await.unwrap().ends_with("quick"), "it does not wait");
    }
    let mut buffer = [0; 512];
    let read = at_work.read(&mut buffer).await.unwrap();
    assert!(String::from_utf8_lossy(&buffer[..read]).ends_with("slow"), "a request under way is answered");
    assert_eq!(connections[0].read(&mut buffer).await.unwrap_or(0), 0, "half a head is no request");
    drop(stop);
    server.await.unwrap().unwrap();
}
