//! The server's side.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::rt::{Read, Timer, Write};
use hyper::server::conn::http1;
use hyper::service::HttpService;

/// The time limit for the head of a request.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// Serves one connection until the client closes it, or until `stop` resolves and the requests in flight are answered.
///
/// # Errors
/// hyper's, when the connection breaks.
pub async fn serve_connection<I, S, B>(
    io: I,
    service: S,
    timer: impl Timer + Send + Sync + 'static,
    stop: impl Future<Output = ()>,
) -> Result<(), hyper::Error>
where
    I: Read + Write + Unpin,
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connection =
        http1::Builder::new().timer(timer).header_read_timeout(HEAD_DEADLINE).serve_connection(io, service);
    let (mut connection, mut stop) = (pin!(connection), pin!(stop));
    let mut stopping = false;
    poll_fn(|cx| {
        if !stopping && stop.as_mut().poll(cx).is_ready() {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        match connection.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
