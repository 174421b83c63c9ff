//! The connections of callbacks: kept for the next request to the same peer, and never used where that is in doubt.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use wallet_core::Transport as _;
use wallet_hyper::{Dial, Limits, PeerTransport, TransportError};
use wallet_tests::{Wallop, World};

const PLAIN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What a server does about a request.
#[derive(Clone)]
enum Does {
    Reply(Vec<u8>),
    /// Sends these bytes and closes.
    Close(Vec<u8>),
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    /// The connections that are open.
    open: AtomicUsize,
    requests: AtomicUsize,
}

impl Counts {
    /// The connections and the requests so far.
    fn seen(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

/// A server on this address whose requests have no body, or a body of one read. `does` is asked with the number of the connection and of the
/// request on it, from 1.
async fn server(
    address: &str,
    does: impl Fn(usize, usize) -> Does + Send + Sync + 'static,
) -> (SocketAddr, Arc<Counts>) {
    serve(address, None, does).await
}

/// The same over TLS, on 127.0.0.1, with a certificate and its key.
async fn tls_server(certificate: &Path, key: &Path) -> (SocketAddr, Arc<Counts>) {
    let certificates = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(key).unwrap())
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    serve("127.0.0.1:0", Some(tls), |_, _| Does::Reply(PLAIN.to_vec())).await
}

async fn serve(
    address: &str,
    tls: Option<TlsAcceptor>,
    does: impl Fn(usize, usize) -> Does + Send + Sync + 'static,
) -> (SocketAddr, Arc<Counts>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let (address, counts) = (listener.local_addr().unwrap(), Arc::<Counts>::default());
    let (kept, does) = (counts.clone(), Arc::new(does));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = kept.connections.fetch_add(1, Ordering::SeqCst) + 1;
            let (kept, does, tls) = (kept.clone(), does.clone(), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => answer(stream, &kept, |n| does(connection, n)).await,
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else { return };
                        answer(stream, &kept, |n| does(connection, n)).await;
                    }
                }
            });
        }
    });
    (address, counts)
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    counts: &Counts,
    does: impl Fn(usize) -> Does,
) {
    counts.open.fetch_add(1, Ordering::SeqCst);
    let mut request = vec![0; 8_192];
    for number in 1.. {
        if stream.read(&mut request).await.unwrap_or(0) == 0 {
            break;
        }
        counts.requests.fetch_add(1, Ordering::SeqCst);
        let (bytes, close) = match does(number) {
            Does::Reply(bytes) => (bytes, false),
            Does::Close(bytes) => (bytes, true),
        };
        if stream.write_all(&bytes).await.is_err() || close {
            break;
        }
    }
    counts.open.fetch_sub(1, Ordering::SeqCst);
}

/// Peers as the test sets them.
#[derive(Clone, Default)]
struct Peers {
    /// Whether no new connection can be made.
    fails: Arc<AtomicBool>,
    peers: Arc<Mutex<Vec<SocketAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl Peers {
    fn of(peers: &[SocketAddr]) -> Self {
        Self { peers: Arc::new(Mutex::new(peers.to_vec())), ..Self::default() }
    }

    fn set(&self, peers: &[SocketAddr]) {
        *self.peers.lock().unwrap() = peers.to_vec();
    }
}

impl Dial for Peers {
    type Io = TokioIo<TcpStream>;

    async fn peers(&self, _: &http::Uri) -> io::Result<Vec<SocketAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let peers = self.peers.lock().unwrap().clone();
        if peers.is_empty() { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(peers) }
    }

    async fn dial(&self, peers: &[SocketAddr]) -> io::Result<(Self::Io, SocketAddr)> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let stream = TcpStream::connect(peers).await?;
        let peer = stream.peer_addr()?;
        Ok((TokioIo::new(stream), peer))
    }
}

fn transport(peers: &Peers) -> PeerTransport<Peers> {
    let limits = Limits { deadline: Duration::from_secs(10), max_body: 1_000 };
    PeerTransport::new(peers.clone(), TokioExecutor::new(), TokioTimer::new()).with_limits(limits)
}

fn get(uri: &str) -> http::Request<Vec<u8>> {
    http::Request::get(uri).body(Vec::new()).unwrap()
}

const SHOP: &str = "http://shop.example/cb?a=b";

async fn sent(transport: &PeerTransport<Peers>, uri: &str) -> u16 {
    let status = transport.send(get(uri)).await.map_or(0, |reply| reply.status().as_u16());
    // The task of the connection has to see the end of the reply.
    tokio::time::sleep(Duration::from_millis(20)).await;
    status
}

#[tokio::test]
async fn a_connection_takes_the_next_request_and_its_peer_is_looked_up_each_time() {
    let (address, counts) = server("127.0.0.1:0", |_, _| Does::Reply(PLAIN.to_vec())).await;
    let peers = Peers::of(&[address]);
    let transport = transport(&peers);
    for _ in 0..10 {
        assert_eq!(sent(&transport, SHOP).await, 200);
        let (status, rest) = transport.status(get("http://SHOP.example:80")).await.unwrap();
        rest.await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(status, 200);
    }
    assert_eq!(counts.seen(), (1, 20));
    assert_eq!(peers.asked.load(Ordering::SeqCst), 20);
}

/// R81: a name may lead elsewhere by the next request.
#[tokio::test]
async fn r81_a_kept_connection_is_not_used_once_its_peer_is_not_allowed() {
    let (one, of_one) = server("127.0.0.1:0", |_, _| Does::Reply(PLAIN.to_vec())).await;
    let (other, of_other) = server("127.0.0.2:0", |_, _| Does::Reply(PLAIN.to_vec())).await;
    let peers = Peers::of(&[one]);
    let transport = transport(&peers);
    assert_eq!(sent(&transport, SHOP).await, 200);
    peers.set(&[]);
    assert!(transport.send(get(SHOP)).await.unwrap_err().was_not_sent());
    peers.set(&[other]);
    assert_eq!(sent(&transport, SHOP).await, 200);
    assert_eq!((of_one.seen(), of_other.seen()), ((1, 1), (1, 1)));
    // Either may be used while both are allowed.
    peers.set(&[other, one]);
    assert_eq!(sent(&transport, SHOP).await, 200);
    assert_eq!((of_one.seen().0, of_other.seen().0), (1, 1));
}

#[tokio::test]
async fn a_connection_serves_one_group_and_one_port_of_one_name() {
    let (address, counts) = server("127.0.0.1:0", |_, _| Does::Reply(PLAIN.to_vec())).await;
    let transport = transport(&Peers::of(&[address]));
    for (n, (group, uri)) in [
        (0, SHOP),
        (1, SHOP),
        (0, "http://shop.example:81/"),
        (0, "http://shop.example./"),
        (0, "http://www.shop.example/"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(sent(&transport.clone().with_group(group), uri).await, 200);
        assert_eq!(counts.seen().0, n + 1, "{group} {uri}");
    }
    assert_eq!(sent(&transport, SHOP).await, 200);
    assert_eq!(counts.seen().0, 5);
}

/// RFC 9112, sections 2.2, 5.1, 5.2, 6.3 and 9.3: after these replies it is in doubt where the next one begins, or the connection ends.
#[tokio::test]
async fn a_connection_is_kept_after_a_plain_reply_alone() {
    let many: String = (0..150).map(|n| format!("X-{n}: y\r\n")).collect();
    let large = "x".repeat(1_001);
    for (kept, what, reply) in [
        (true, "plain", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        (true, "chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        (true, "no content", "HTTP/1.1 204 No Content\r\n\r\n"),
        (true, "a refusal", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
        (true, "interim", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (false, "close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
        (false, "HTTP/1.0", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"),
        (false, "folded", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
        (false, "a space before a colon", "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n"),
        (false, "no colon", "HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 0\r\n\r\n"),
        (false, "LF alone", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
        (false, "150 fields", &format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n")),
        (
            false,
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        (false, "more than it says", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n"),
        (false, "too large", &format!("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n{large}")),
        (false, "chunks that break off", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ] {
        let bytes = reply.as_bytes().to_vec();
        let (address, counts) = server("127.0.0.1:0", move |_, _| Does::Reply(bytes.clone())).await;
        let transport = transport(&Peers::of(&[address]));
        for _ in 0..3 {
            let (_, rest) = transport.status(get(SHOP)).await.unwrap();
            rest.await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(counts.seen(), (if kept { 1 } else { 3 }, 3), "{what}");
        // The same where the body counts.
        let connections = counts.seen().0;
        sent(&transport, SHOP).await;
        sent(&transport, SHOP).await;
        assert_eq!(counts.seen().0, connections + if kept { 0 } else { 2 }, "{what}");
    }
}

/// RFC 9112, section 9.3.1: a kept connection may end while the request is on its way.
#[tokio::test]
async fn a_request_goes_out_once_more_when_a_kept_connection_ends_before_its_reply() {
    let close = |bytes: &[u8]| Does::Close(bytes.to_vec());
    let reply = || Does::Reply(PLAIN.to_vec());
    // The first connection ends at its second request.
    let (address, counts) =
        server(
            "127.0.0.1:0",
            move |connection, n| if (connection, n) == (1, 2) { close(b"") } else { reply() },
        )
        .await;
    let one = transport(&Peers::of(&[address]));
    assert_eq!((sent(&one, SHOP).await, sent(&one, SHOP).await), (200, 200));
    assert_eq!(counts.seen(), (2, 3));
    // A new connection that ends is a failure.
    let (address, counts) = server("127.0.0.1:0", move |_, _| close(b"")).await;
    assert_eq!(sent(&transport(&Peers::of(&[address])), SHOP).await, 0);
    assert_eq!(counts.seen(), (1, 1));
    // So is the one that takes the request once more.
    let (address, counts) =
        server(
            "127.0.0.1:0",
            move |connection, n| if (connection, n) == (1, 1) { reply() } else { close(b"") },
        )
        .await;
    let one = transport(&Peers::of(&[address]));
    assert_eq!((sent(&one, SHOP).await, sent(&one, SHOP).await), (200, 0));
    assert_eq!(counts.seen(), (2, 3));
    // A byte of the reply has come: the request was carried out.
    let (address, counts) =
        server("127.0.0.1:0", move |_, n| if n == 1 { reply() } else { close(b"H") }).await;
    let one = transport(&Peers::of(&[address]));
    assert_eq!((sent(&one, SHOP).await, sent(&one, SHOP).await), (200, 0));
    assert_eq!(counts.seen(), (1, 2));
    // It may have been carried out, although no new connection can be made.
    let (address, counts) =
        server("127.0.0.1:0", move |_, n| if n == 1 { reply() } else { close(b"") }).await;
    let peers = Peers::of(&[address]);
    let one = transport(&peers);
    assert_eq!(sent(&one, SHOP).await, 200);
    peers.fails.store(true, Ordering::SeqCst);
    assert!(!one.send(get(SHOP)).await.unwrap_err().was_not_sent());
    assert_eq!(counts.seen(), (1, 2));
    assert!(one.send(get(SHOP)).await.unwrap_err().was_not_sent(), "none was kept");
    // A kept connection that ended before the request is not used.
    let (address, counts) = server("127.0.0.1:0", move |_, _| close(PLAIN)).await;
    let one = transport(&Peers::of(&[address]));
    assert_eq!((sent(&one, SHOP).await, sent(&one, SHOP).await), (200, 200));
    assert_eq!(counts.seen(), (2, 2));
}

/// Time that passes fifty times as fast.
#[derive(Clone)]
struct Fast(Instant);

const FASTER: u32 = 50;

impl Timer for Fast {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        TokioTimer::new().sleep(duration / FASTER)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> Instant {
        self.0 + self.0.elapsed() * FASTER
    }
}

/// Waits until so many connections are open.
async fn until_open(counts: &Counts, wanted: usize) {
    let end = Instant::now() + Duration::from_secs(20);
    while counts.open.load(Ordering::SeqCst) != wanted {
        assert!(Instant::now() < end, "{} are open, not {wanted}", counts.open.load(Ordering::SeqCst));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One request of each of 200 groups, all at once.
async fn of_200_groups(transport: &PeerTransport<Peers>) {
    let mut all = tokio::task::JoinSet::new();
    for group in 0..200 {
        let transport = transport.clone().with_group(group);
        all.spawn(async move { transport.send(get(SHOP)).await.map(|_| ()) });
    }
    while let Some(sent) = all.join_next().await {
        sent.unwrap().unwrap();
    }
}

#[tokio::test]
async fn sixty_four_connections_are_kept() {
    let (address, counts) = server("127.0.0.1:0", |_, _| Does::Reply(PLAIN.to_vec())).await;
    let transport = transport(&Peers::of(&[address]));
    of_200_groups(&transport).await;
    until_open(&counts, 64).await;
    // The last one is the newest of them.
    let newest = transport.clone().with_group(1_000);
    assert_eq!((sent(&newest, SHOP).await, sent(&newest, SHOP).await), (200, 200));
    assert_eq!(counts.seen(), (201, 202));
    until_open(&counts, 64).await;
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_after_a_while() {
    let (address, counts) = server("127.0.0.1:0", |_, _| Does::Reply(PLAIN.to_vec())).await;
    let deadline = Duration::from_secs(10) * FASTER;
    let transport = PeerTransport::new(Peers::of(&[address]), TokioExecutor::new(), Fast(Instant::now()))
        .with_limits(Limits { deadline, max_body: 1_000 });
    of_200_groups(&transport).await;
    until_open(&counts, 0).await;
    // What closes them begins again with the next one.
    transport.send(get(SHOP)).await.unwrap();
    assert_eq!(counts.seen(), (201, 201));
    until_open(&counts, 0).await;
}

/// A receiver that reads nothing: what is left to write does not hold the connection.
#[tokio::test]
async fn a_connection_ends_although_its_peer_reads_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = Peers::of(&[listener.local_addr().unwrap()]);
    // A fifth of a second for the exchange, a tenth for the end.
    let limits = Limits { deadline: Duration::from_secs(10), max_body: 1_000 };
    let transport = PeerTransport::new(peers, TokioExecutor::new(), Fast(Instant::now())).with_limits(limits);
    let large = vec![b'x'; 64 << 20];
    let sent = transport.send(http::Request::post(SHOP).body(large).unwrap());
    let (sent, accepted) = tokio::join!(sent, listener.accept());
    assert!(matches!(sent.unwrap_err(), TransportError::Timeout(_)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (mut stream, _) = accepted.unwrap();
    let mut read = 0;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(more @ 1..) = stream.read(&mut buffer).await {
        read += more;
    }
    assert!(read < 64 << 20, "the whole request came in the end");
}

/// R4: what follows the status may take its time, of so many replies at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_replies_are_read_to_their_end() {
    let world = World::start().await;
    let (address, counts) = server("127.0.0.1:0", |_, _| {
        Does::Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n".to_vec())
    })
    .await;
    let url = format!("http://{address}/cb");
    let call = || async { world.call(&world.pay_user("alice").with("server_uri", &url)).await.ok() };
    let replies = futures_util::future::join_all((0..100).map(|_| call())).await;
    assert!(replies.iter().all(|reply| reply.data("httpcode") == "200"));
    assert_eq!(counts.seen(), (100, 100));
    until_open(&counts, 64).await;
}

/// Through the platform: many callbacks, few connections, each callback once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_of_an_app_share_connections() {
    let world = World::start().await;
    let (address, counts) =
        server("127.0.0.1:0", |_, _| Does::Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()))
            .await;
    let url = format!("http://{address}/cb");
    for _ in 0..12 {
        let reply = world.call(&world.pay_user("alice").with("server_uri", &url)).await.ok();
        assert_eq!(reply.data("httpcode"), "200");
    }
    let (connections, requests) = counts.seen();
    assert_eq!(requests, 12);
    assert!(connections <= 3, "{connections} connections for {requests} callbacks, one after another");
}

/// Over TLS, too: the machine's authorities, among them those of `SSL_CERT_FILE`, vouch for the receiver.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_over_tls_share_connections_to_receivers_of_known_authorities() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    std::fs::write(file("root.pem"), crate::network::certify(&file("known.pem"), &file("known.key")))
        .unwrap();
    crate::network::certify(&file("other.pem"), &file("other.key"));
    let known = tls_server(&file("known.pem"), &file("known.key")).await;
    let other = tls_server(&file("other.pem"), &file("other.key")).await;
    let running = Wallop::start_with_variable(&file("data"), "SSL_CERT_FILE", file("root.pem"));
    let pays = |trade: usize, address: SocketAddr| {
        let (trade, url) = (format!("trade-{trade}"), format!("https://localhost:{}/cb", address.port()));
        let running = &running;
        async move { running.pay_user(&trade, &url).await }
    };
    for trade in 0..8 {
        let reply = pays(trade, known.0).await;
        assert!(reply.contains("\"httpcode\":\"200\""), "{reply}");
    }
    let (connections, requests) = known.1.seen();
    assert_eq!(requests, 8);
    assert!(connections <= 3, "{connections}");
    let reply = pays(100, other.0).await;
    assert!(reply.contains("\"httpcode\":\"0\""), "{reply}");
    assert_eq!(other.1.seen().1, 0, "nothing was sent");
}
