//! A client that keeps connections, and asks before each request which peers it may send it to.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "tls")]
use std::task::Context;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_channel::oneshot;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::rt::{Executor, Read, Timer, Write};
use hyper_util::client::legacy::connect::Connection;
use wallet_core::Transport;

use crate::client::{Exec, Limits, TransportError, read_body, within};
use crate::reply_head::{Seen, Watched};

/// The largest number of header lines of a reply.
const HEADERS: usize = 1_000;
/// The most connections that are kept without a request under way.
const KEPT: usize = 64;
/// How long one is kept. Servers close theirs after 5 s (Node), 15 s (Apache) or 75 s (nginx).
const KEPT_FOR: Duration = Duration::from_secs(15);
/// How long a connection may take to close.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);
/// How often those that are kept for too long are closed.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Finds the peers of an address and connects to them.
pub trait Dial: Clone + Send + Sync + 'static {
    /// A connection, without TLS.
    type Io: Read + Write + Connection + Unpin + Send + 'static;

    /// The peers to which a request to this address may go now.
    ///
    /// # Errors
    /// If the name does not resolve, or no address of it may be used.
    fn peers(&self, uri: &Uri) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Connects to one of these peers; tells which.
    ///
    /// # Errors
    /// When none of them can be reached.
    fn dial(&self, peers: &[SocketAddr]) -> impl Future<Output = io::Result<(Self::Io, SocketAddr)>> + Send;
}

/// Sends requests over connections that it keeps: up to 64 without a request under way, for 15 s each. A kept connection takes another
/// request of its group to the same scheme, host and port, and only if its peer is among those that [`Dial::peers`] finds at that time.
///
/// It reads replies of HTTP/1.0 with chunks, and heads whose lines are folded, have a space before their colon or no colon, or are many.
/// A connection is closed after such a reply, and after one whose body was not read to its end. When a kept connection ends before the
/// first byte of a reply, the request goes out once more, over a new one.
#[derive(Clone)]
pub struct PeerTransport<D> {
    dial: D,
    #[cfg(feature = "tls")]
    tls: Arc<rustls::ClientConfig>,
    pool: Arc<Pool>,
    executor: Arc<dyn Executor<Task> + Send + Sync>,
    timer: Arc<dyn Timer + Send + Sync>,
    limits: Limits,
    group: u64,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[cfg(feature = "tls")]
type MaybeTls<I> = hyper_rustls::MaybeHttpsStream<I>;
#[cfg(not(feature = "tls"))]
type MaybeTls<I> = I;

impl<D: fmt::Debug> fmt::Debug for PeerTransport<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut s = f.debug_struct("PeerTransport");
        s.field("dial", &self.dial)
            .field("limits", &self.limits)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// What a connection may be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    https: bool,
    host: String,
    port: u16,
    group: u64,
}

/// A connection, and what has come on it.
#[derive(Debug)]
struct Open {
    key: Key,
    peer: SocketAddr,
    sender: http1::SendRequest<Full<Bytes>>,
    seen: Arc<Seen>,
    /// When its last reply ended.
    since: Instant,
    /// Its task ends some time after this was dropped.
    _alive: oneshot::Sender<()>,
}

impl Open {
    async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        self.seen.begin();
        self.sender.send_request(request).await
    }
}

/// The connections without a request under way, the oldest first.
#[derive(Debug, Default)]
struct Pool {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    open: Vec<Open>,
    /// Whether a task closes what is kept for too long.
    swept: bool,
}

impl Kept {
    fn sweep(&mut self, now: Instant) {
        self.open.retain(|open| !open.sender.is_closed() && now.duration_since(open.since) < KEPT_FOR);
    }
}

impl Pool {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last, of those for `key` whose peer is one of `peers`.
    fn take(&self, key: &Key, peers: &[SocketAddr], now: Instant) -> Option<Open> {
        let mut kept = self.kept();
        kept.sweep(now);
        let at = kept
            .open
            .iter()
            .rposition(|open| open.key == *key && peers.contains(&open.peer) && open.sender.is_ready())?;
        Some(kept.open.remove(at))
    }

    /// Keeps a connection. Returns whether a task has to be started that sweeps.
    fn put(&self, mut open: Open, now: Instant) -> bool {
        let mut kept = self.kept();
        kept.sweep(now);
        if kept.open.len() >= KEPT {
            kept.open.remove(0);
        }
        open.since = now;
        kept.open.push(open);
        !std::mem::replace(&mut kept.swept, true)
    }

    /// Closes what is kept for too long, until nothing is kept.
    async fn keep_swept(self: Arc<Self>, timer: Arc<dyn Timer + Send + Sync>) {
        loop {
            timer.sleep(SWEEP_EVERY).await;
            let mut kept = self.kept();
            kept.sweep(timer.now());
            kept.swept = !kept.open.is_empty();
            if !kept.swept {
                return;
            }
        }
    }
}

impl<D: Dial> PeerTransport<D> {
    /// A transport whose connections run on `executor`.
    pub fn new(dial: D, executor: impl Exec, timer: impl Timer + Send + Sync + 'static) -> Self {
        Self {
            dial,
            #[cfg(feature = "tls")]
            tls: Arc::new(crate::client::tls_config()),
            pool: Arc::default(),
            executor: Arc::new(executor),
            timer: Arc::new(timer),
            limits: Limits::default(),
            group: 0,
        }
    }

    /// Sets the bounds.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the group of the requests. No connection carries requests of two groups.
    #[must_use]
    pub fn with_group(mut self, group: u64) -> Self {
        self.group = group;
        self
    }

    fn key(&self, uri: &Uri) -> Key {
        let https = uri.scheme() == Some(&Scheme::HTTPS);
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        Key { https, host, port: uri.port_u16().unwrap_or(if https { 443 } else { 80 }), group: self.group }
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, io: D::Io, uri: Uri) -> Result<MaybeTls<D::Io>, BoxError> {
        use tower_service::Service as _;
        let mut connector = hyper_rustls::HttpsConnector::from((Opened(Some(io)), self.tls.clone()));
        connector.call(uri).await
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, io: D::Io, uri: Uri) -> Result<MaybeTls<D::Io>, BoxError> {
        match uri.scheme() == Some(&Scheme::HTTPS) {
            true => Err("https needs the feature `tls`".into()),
            false => Ok(io),
        }
    }

    async fn open(&self, key: Key, uri: Uri, peers: &[SocketAddr]) -> Result<Open, BoxError> {
        let (io, peer) = self.dial.dial(peers).await?;
        let (io, seen) = Watched::new(self.secure(io, uri).await?);
        let (mut sender, connection) = http1::Builder::new()
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .ignore_invalid_headers_in_responses(true)
            .max_headers(HEADERS)
            .handshake(io)
            .await?;
        let (alive, dropped) = oneshot::channel();
        self.executor.execute(Box::pin(until_dropped(connection, dropped, self.timer.clone())));
        sender.ready().await?;
        Ok(Open { key, peer, sender, seen, since: self.timer.now(), _alive: alive })
    }

    /// Sends a request and returns the head of the reply.
    async fn head(&self, request: Request<Vec<u8>>) -> Result<(Open, Response<Incoming>), TransportError> {
        let uri = request.uri().clone();
        let request = in_origin_form(request);
        let key = self.key(&uri);
        let peers = self.dial.peers(&uri).await.map_err(|error| TransportError::Connect(error.into()))?;
        let mut sent = false;
        if let Some(mut open) = self.pool.take(&key, &peers, self.timer.now()) {
            match open.send(request.clone()).await {
                Ok(response) => return Ok((open, response)),
                // hyper had not begun to write it.
                Err(error) if error.is_canceled() => {}
                Err(error) if open.seen.any() => return Err(TransportError::Broken(error.into())),
                Err(_) => sent = true, // its peer has closed it
            }
        }
        let failed = if sent { TransportError::Broken } else { TransportError::Connect };
        let mut open = self.open(key, uri, &peers).await.map_err(failed)?;
        match open.send(request).await {
            Ok(response) => Ok((open, response)),
            Err(error) => Err(TransportError::Broken(error.into())),
        }
    }

    /// Keeps a connection whose reply was read to its end, unless there is doubt where that is.
    fn keep(&self, open: Open, doubtful: bool) {
        if doubtful || open.seen.odd() || open.sender.is_closed() {
            return;
        }
        if self.pool.put(open, self.timer.now()) {
            self.executor.execute(Box::pin(self.pool.clone().keep_swept(self.timer.clone())));
        }
    }

    /// Sends a request and returns the status of the reply as soon as it is there, and a future that reads the rest of the reply within
    /// the limits and discards it, so that its sender can finish.
    ///
    /// # Errors
    /// [`TransportError`], when no status came within the deadline.
    pub async fn status(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<(StatusCode, impl Future<Output = ()> + Send + use<D>), TransportError> {
        let (open, response) = within(&*self.timer, self.limits.deadline, self.head(request)).await?;
        let status = response.status();
        let transport = self.clone();
        let rest = async move {
            let limits = transport.limits;
            let doubtful = has_two_lengths(&response);
            let body = read_body(response.into_body(), limits.max_body);
            if within(&*transport.timer, limits.deadline, body).await.is_ok() {
                transport.keep(open, doubtful);
            }
        };
        Ok((status, rest))
    }
}

impl<D: Dial> Transport for PeerTransport<D> {
    type Error = TransportError;

    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        within(&*self.timer, self.limits.deadline, async {
            let (open, response) = self.head(request).await?;
            let doubtful = has_two_lengths(&response);
            let (parts, body) = response.into_parts();
            let body = read_body(body, self.limits.max_body).await?;
            self.keep(open, doubtful);
            Ok(Response::from_parts(parts, body))
        })
        .await
    }
}

/// Runs a connection to its end, or until some time after its [`Open`] was dropped: a peer that reads nothing would hold up its end for
/// ever, since hyper writes first what it was given.
async fn until_dropped(
    connection: impl Future<Output = hyper::Result<()>>,
    mut dropped: oneshot::Receiver<()>,
    timer: Arc<dyn Timer + Send + Sync>,
) {
    let (mut connection, mut end) = (pin!(connection), None);
    poll_fn(|cx| {
        // The request under way has the error, too.
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if end.is_none() && Pin::new(&mut dropped).poll(cx).is_ready() {
            end = Some(timer.sleep(CLOSES_WITHIN));
        }
        end.as_mut().map_or(Poll::Pending, |end| end.as_mut().poll(cx))
    })
    .await;
}

/// Whether a reply gives its length twice: programs differ in which one they take (RFC 9112, section 6.3).
fn has_two_lengths(response: &Response<Incoming>) -> bool {
    let headers = response.headers();
    headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH)
}

/// The request as it goes over a connection to its host: with the path alone, and a `Host`.
fn in_origin_form(request: Request<Vec<u8>>) -> Request<Full<Bytes>> {
    let mut request = request.map(|body| Full::new(Bytes::from(body)));
    let uri = request.uri();
    let port = uri.port_u16().filter(|port| match uri.scheme_str() {
        Some("https") => *port != 443,
        _ => *port != 80,
    });
    let host = uri.host().unwrap_or_default();
    let host = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = path.into();
    if let Ok(host) = HeaderValue::try_from(host) {
        request.headers_mut().entry(HOST).or_insert(host);
    }
    request
}

/// A connector that has connected.
#[cfg(feature = "tls")]
struct Opened<I>(Option<I>);

#[cfg(feature = "tls")]
impl<I> tower_service::Service<Uri> for Opened<I> {
    type Response = I;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<I>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        std::future::ready(self.0.take().ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}
