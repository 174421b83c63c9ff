//! The replies of callback receivers as they really come: old servers, proxies and scripts write odd heads.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wallet_tests::World;

/// A receiver that answers each request with these pieces, with pauses between them. Returns its address and what it received.
async fn receiver(pieces: Vec<(Duration, Vec<u8>)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/cb", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(Vec::new()));
    let kept = received.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (pieces, kept) = (pieces.clone(), kept.clone());
            tokio::spawn(async move {
                let mut request = vec![0; 8_192];
                let read = stream.read(&mut request).await.unwrap_or(0);
                kept.lock().unwrap().push(String::from_utf8_lossy(&request[..read]).into_owned());
                for (pause, piece) in pieces {
                    tokio::time::sleep(pause).await;
                    if stream.write_all(&piece).await.is_err() {
                        return;
                    }
                }
                let _ = stream.shutdown().await;
            });
        }
    });
    (url, received)
}

async fn httpcode(world: &World, pieces: Vec<(Duration, Vec<u8>)>) -> String {
    let (url, _) = receiver(pieces).await;
    let reply = world.call(&world.pay_user("alice").with("server_uri", &url)).await.ok();
    reply.data("httpcode").to_owned()
}

fn at_once(reply: impl Into<Vec<u8>>) -> Vec<(Duration, Vec<u8>)> {
    vec![(Duration::ZERO, reply.into())]
}

/// R4, R5: the final status line decides, however odd the rest of the head is, and whatever follows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r05_the_status_line_decides_whatever_follows_it() {
    let world = World::start().await;
    let many: String = (0..150).map(|n| format!("X-{n}: y\r\n")).collect();
    for (what, reply) in [
        ("plain", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned()),
        ("no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("a folded line", "HTTP/1.1 200 OK\r\nX: a\r\n  b\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("a space before a colon", "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("a line without a colon", "HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("150 fields", format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n")),
        ("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nok".to_owned()),
        ("HTTP/1.0 with chunks", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_owned()),
        ("lines that end in LF alone", "HTTP/1.1 200 OK\nContent-Length: 0\n\n".to_owned()),
        ("interim replies", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n".to_owned()),
        ("a body that is cut off", "HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\nabc".to_owned()),
        ("a chunk that is cut off", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc".to_owned()),
        ("a body that is too large", format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1 << 20))),
    ] {
        assert_eq!(httpcode(&world, at_once(reply)).await, "200", "{what}");
    }
    assert_eq!(httpcode(&world, at_once("HTTP/1.1 500 No\r\nX : y\r\n\r\n")).await, "500");
    assert_eq!(httpcode(&world, at_once("nonsense\r\n\r\n")).await, "0");
    // The status counts when it is there: two bytes that come later hold up nobody.
    let began = Instant::now();
    let late = vec![
        (Duration::ZERO, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".to_vec()),
        (Duration::from_secs(6), b"ok".to_vec()),
    ];
    assert_eq!(httpcode(&world, late).await, "200");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// Firewalls refuse requests that do not say who they are: AWS's NoUserAgent_HEADER, the OWASP rule 920300.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_say_who_sends_them_and_what_they_take() {
    let world = World::start().await;
    let (url, received) = receiver(at_once("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).await;
    world.call(&world.pay_user("alice").with("server_uri", &url)).await.ok();
    let request = received.lock().unwrap()[0].to_ascii_lowercase();
    let version = env!("CARGO_PKG_VERSION");
    assert!(request.contains(&format!("\r\nuser-agent: wallop/{version}\r\n")), "{request}");
    assert!(request.contains("\r\naccept: */*\r\n"), "{request}");
}

/// Connections of clients leave descriptors for callbacks: a payment's callback goes out while every place for a client is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_leave_descriptors_for_callbacks() {
    let directory = tempfile::tempdir().unwrap();
    let running = wallet_tests::Wallop::start_with_descriptors(directory.path(), 528);
    let address = running.described.url.strip_prefix("http://").unwrap().to_owned();
    let mut held = Vec::new();
    for _ in 0..300 {
        match tokio::net::TcpStream::connect(&address).await {
            Ok(stream) => held.push(stream),
            Err(error) => panic!("{error}"),
        }
    }
    let (url, received) = receiver(at_once("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).await;
    let reply = running.pay_user("many-connections", &url).await;
    assert!(reply.contains("\"httpcode\":\"200\""), "{reply}");
    assert_eq!(received.lock().unwrap().len(), 1);
    drop(held);
}
