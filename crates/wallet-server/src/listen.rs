//! Accepting connections.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;
use wallet_hyper::serve_connection;

use crate::edge::{Networks, PeerAddress, network};
use crate::message::well_formed;
use crate::tls::Tls;

/// How many connections there may be, and how long they may go on after a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connections {
    /// The largest number that are open at once.
    pub most: usize,
    /// The same for one address, or one IPv6 network of 64 bits.
    pub per_address: usize,
    /// The proxies, which bring the connections of many clients: they may have all.
    pub trusted: Networks,
    /// The time that open requests have to finish after a stop.
    pub grace: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self { most: 4096, per_address: 1024, trusted: Networks::default(), grace: Duration::from_secs(15) }
    }
}

/// The longest time without progress of a write: a client that does not read its reply is cut off after it.
const READ_DEADLINE: Duration = Duration::from_secs(60);

/// The descriptors that connections of clients leave: for 256 attempts of callbacks, 64 kept connections, 64 replies that are read to their
/// end, and the store and everything else.
const KEPT_BACK: usize = 448;
/// The most descriptors that this process asks for.
const WANTED: u64 = 65_536;

/// The number of descriptors that this process may have, once it has asked for more.
fn descriptors() -> usize {
    #[cfg(unix)]
    return usize::try_from(rlimit::increase_nofile_limit(WANTED).unwrap_or(1_024)).unwrap_or(usize::MAX);
    #[cfg(not(unix))]
    usize::MAX
}

/// Serves `router` until `stop` resolves; then stops accepting connections, finishes the requests in flight, and returns. Each
/// request has its [`PeerAddress`].
///
/// # Errors
/// The listener's error, if the listener cannot accept any more.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) -> io::Result<()> {
    serve_with(listener, None, Connections::default(), router, stop).await
}

/// The same under TLS.
///
/// # Errors
/// As [`serve`].
pub async fn serve_tls(
    listener: TcpListener,
    tls: Tls,
    router: Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    serve_with(listener, Some(tls), Connections::default(), router, stop).await
}

/// The same with bounds of its own, under TLS if it is given.
///
/// # Errors
/// As [`serve`].
pub async fn serve_with(
    listener: TcpListener,
    tls: Option<Tls>,
    connections: Connections,
    router: Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (stopping, stopped) = watch::channel(false);
    let most = connections.most.min(descriptors().saturating_sub(KEPT_BACK).max(1));
    let (grace, permits) = (connections.grace, Arc::new(Semaphore::new(most)));
    let open = Arc::new(Open { bounds: connections, ..Open::default() });
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &permits, &open) => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // A broken connection or a lack of file descriptors does not end the server.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (routes, entry) = (router.clone(), open.enter(peer.ip(), permit));
        let (requests, close) = (entry.clone(), entry.clone());
        let service = tower::service_fn(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(PeerAddress(peer));
            let (request, routes) = (well_formed(request.map(Body::new)), routes.clone());
            let under_way = requests.begin();
            async move {
                let _under_way = under_way;
                match request {
                    Ok(request) => routes.oneshot(request).await,
                    Err(response) => Ok(response),
                }
            }
        });
        let (mut stopped, tls) = (stopped.clone(), tls.clone());
        let mut stream = Box::pin(TimeoutStream::new(stream));
        stream.as_mut().set_write_timeout_pinned(Some(READ_DEADLINE));
        tokio::spawn(async move {
            let stop = async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            let service = TowerToHyperService::new(service);
            let served = async {
                match tls {
                    None => serve_connection(TokioIo::new(stream), service, TokioTimer::new(), stop).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => {
                            serve_connection(TokioIo::new(stream), service, TokioTimer::new(), stop).await
                        }
                        Err(error) => {
                            tracing::debug!(%error, "a TLS handshake failed");
                            Ok(())
                        }
                    },
                }
            };
            let served = tokio::select! {
                served = served => served,
                () = close.closed.notified() => Ok(()), // another connection has its place
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a connection broke");
            }
            drop(entry);
        });
    }
    drop(listener);
    let _ = stopping.send(true);
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    if tokio::time::timeout(grace, permits.acquire_many(all)).await.is_err() {
        tracing::warn!("some connections did not finish in time; closing them");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    open: &Arc<Open>,
) -> io::Result<(tokio::net::TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let (stream, peer) = loop {
        let (stream, peer) = listener.accept().await?;
        if open.admits(peer.ip()) {
            break (stream, peer);
        }
        tracing::debug!(peer = %peer.ip(), "a connection is refused: its address has its share, and every one is busy");
    };
    stream.set_nodelay(true)?;
    let permit = match permits.clone().try_acquire_owned() {
        Ok(permit) => permit,
        Err(_) => loop {
            open.entries().close_idlest(|_| true);
            // All may be at work for now.
            let permit = tokio::time::timeout(LOOK_AGAIN, permits.clone().acquire_owned()).await;
            if let Ok(permit) = permit {
                break permit.map_err(io::Error::other)?;
            }
        },
    };
    Ok((stream, peer, permit))
}

/// How long a new connection waits for a place until another idle connection is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The open connections. When there are as many as there may be, a new one takes the place of an idle one: of the address that has the
/// most, the one that has waited longest for a request. When an address has as many as one may have, its own idlest makes room; a new
/// one beside connections that are all at work is closed.
#[derive(Debug, Default)]
struct Open {
    bounds: Connections,
    entries: Mutex<Entries>,
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct Entries {
    known: HashMap<u64, Arc<Known>>,
    of_peer: HashMap<IpAddr, usize>,
}

impl Entries {
    fn of(&self, peer: &IpAddr) -> usize {
        self.of_peer.get(peer).copied().unwrap_or(0)
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Known>> {
        let known = self.known.remove(&id)?;
        if let Some(count) = self.of_peer.get_mut(&known.peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_peer.remove(&known.peer);
            }
        }
        Some(known)
    }

    /// Closes the connection that has waited longest for a request, of those that are meant; of several addresses, of the one that has
    /// the most. Returns whether there was one.
    fn close_idlest(&mut self, is_meant: impl Fn(&Known) -> bool) -> bool {
        let idle = self.known.iter().filter(|(_, known)| is_meant(known));
        let idle = idle.filter_map(|(id, known)| Some((*id, known.peer, known.idle_since()?)));
        let idlest = idle.max_by_key(|(_, peer, since)| (self.of(peer), Reverse(*since)));
        // It is closed once.
        let closed = idlest.and_then(|(id, ..)| self.remove(id));
        closed.inspect(|known| known.closed.notify_one()).is_some()
    }
}

/// An open connection.
#[derive(Debug)]
struct Known {
    peer: IpAddr,
    /// The number of requests under way, and the time at which the last one ended.
    requests: Mutex<(usize, Instant)>,
    closed: Notify,
}

/// A place among the open connections.
#[derive(Debug, Clone)]
struct Entry(Arc<Place>);

#[derive(Debug)]
struct Place {
    open: Arc<Open>,
    id: u64,
    known: Arc<Known>,
    /// Given back after the connection is forgotten: otherwise one that is gone could be closed for another one.
    _permit: OwnedSemaphorePermit,
}

impl std::ops::Deref for Entry {
    type Target = Known;
    fn deref(&self) -> &Known {
        &self.0.known
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.entries().remove(self.id);
    }
}

impl Open {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, peer: IpAddr, permit: OwnedSemaphorePermit) -> Entry {
        let peer = network(peer.to_canonical());
        let known =
            Arc::new(Known { peer, requests: Mutex::new((0, Instant::now())), closed: Notify::new() });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries();
        entries.known.insert(id, known.clone());
        *entries.of_peer.entry(peer).or_default() += 1;
        drop(entries);
        Entry(Arc::new(Place { open: self.clone(), id, known, _permit: permit }))
    }

    /// Whether an address may have one more connection.
    fn admits(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        if self.bounds.trusted.contains(&peer) {
            return true;
        }
        let (peer, mut entries) = (network(peer), self.entries());
        entries.of(&peer) < self.bounds.per_address || entries.close_idlest(|known| known.peer == peer)
    }
}

impl Known {
    fn requests(&self) -> MutexGuard<'_, (usize, Instant)> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle_since(&self) -> Option<Instant> {
        let (requests, since) = *self.requests();
        (requests == 0).then_some(since)
    }
}

impl Entry {
    /// A request begins; it ends when what is returned is dropped.
    fn begin(&self) -> UnderWay {
        self.requests().0 += 1;
        UnderWay(self.clone())
    }
}

/// A request under way.
struct UnderWay(Entry);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut requests = self.0.requests();
        *requests = (requests.0.saturating_sub(1), Instant::now());
    }
}
