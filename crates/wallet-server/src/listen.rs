//! Accepting connections.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;
use wallet_hyper::serve_connection;

use crate::edge::PeerAddress;
use crate::message::well_formed;
use crate::tls::Tls;

/// How many connections there may be, and how long they may go on after a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// The largest number that are open at once.
    pub most: usize,
    /// The time that open requests have to finish after a stop.
    pub grace: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self { most: 4096, grace: Duration::from_secs(15) }
    }
}

/// The longest time without progress of a write: a client that does not read its reply is cut off after it.
const READ_DEADLINE: Duration = Duration::from_secs(60);

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
    let permits = Arc::new(Semaphore::new(connections.most));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &permits) => accepted,
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
        let routes = router.clone();
        let service = tower::service_fn(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(PeerAddress(peer));
            let (request, routes) = (well_formed(request.map(Body::new)), routes.clone());
            async move {
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
            let served = match tls {
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
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a connection broke");
            }
            drop(permit);
        });
    }
    drop(listener);
    let _ = stopping.send(true);
    let all = u32::try_from(connections.most).unwrap_or(u32::MAX);
    if tokio::time::timeout(connections.grace, permits.acquire_many(all)).await.is_err() {
        tracing::warn!("some connections did not finish in time; closing them");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, permit))
}
