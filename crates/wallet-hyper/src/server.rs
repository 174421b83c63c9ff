//! The server's side.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::rt::{Read, ReadBufCursor, Sleep, Timer, Write};
use hyper::server::conn::http1;
use hyper::service::Service;

/// The time limit for the head of a request, from its first byte.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// The time that a connection may wait for its next request. Proxies keep theirs for 60 s; one that is closed first, just as a
/// request is sent, leaves the proxy without an answer.
const IDLE: Duration = Duration::from_secs(90);

/// What a connection is doing.
#[derive(Debug, Default)]
struct Activity {
    /// The number of reads that brought something.
    reads: AtomicU64,
    /// The same when a request was last under way.
    seen: AtomicU64,
    /// The requests under way.
    requests: AtomicUsize,
}

impl Activity {
    /// Whether the beginning of a request has come, and nothing answers it yet.
    fn is_in_head(&self) -> bool {
        self.requests.load(Ordering::Acquire) == 0
            && self.reads.load(Ordering::Acquire) != self.seen.load(Ordering::Acquire)
    }

    fn look(&self) {
        self.seen.store(self.reads.load(Ordering::Acquire), Ordering::Release);
    }
}

/// Counts the reads of a connection.
struct Counted<I> {
    io: I,
    activity: Arc<Activity>,
}

impl<I: Read + Unpin> Read for Counted<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if read.is_ready() {
            self.activity.reads.fetch_add(1, Ordering::AcqRel);
        }
        read
    }
}

writes_through!(Counted);

/// Counts the requests of a connection.
struct Answering<S> {
    service: S,
    activity: Arc<Activity>,
}

/// A request under way.
struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.look();
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for Answering<S>
where
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.activity.requests.fetch_add(1, Ordering::AcqRel);
        let (under_way, answer) = (UnderWay(self.activity.clone()), self.service.call(request));
        Box::pin(async move {
            let _under_way = under_way;
            answer.await
        })
    }
}

/// Serves one connection until the client closes it, or until `stop` resolves and the requests in flight are answered. A client
/// that closes its sending half still gets its answers. A connection that waits for a request is kept for 90 s; the head of a request
/// must arrive within 10 s.
///
/// # Errors
/// hyper's, when the connection breaks.
pub async fn serve_connection<I, S, B, T>(
    io: I,
    service: S,
    timer: T,
    stop: impl Future<Output = ()>,
) -> Result<(), hyper::Error>
where
    I: Read + Write + Unpin,
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    T: Timer + Clone + Send + Sync + 'static,
{
    let activity = Arc::new(Activity::default());
    let connection = http1::Builder::new()
        .timer(timer.clone())
        .header_read_timeout(IDLE)
        .half_close(true)
        .serve_connection(
            Counted { io, activity: activity.clone() },
            Answering { service, activity: activity.clone() },
        );
    let (mut connection, mut stop) = (pin!(connection), pin!(stop));
    let mut stopping = false;
    let mut head: Option<Pin<Box<dyn Sleep>>> = None;
    poll_fn(|cx| {
        if !stopping && stop.as_mut().poll(cx).is_ready() {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(done) = connection.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        if !activity.is_in_head() {
            head = None;
            return Poll::Pending;
        }
        // The rest of the head is late: the connection closes.
        head.get_or_insert_with(|| timer.sleep(HEAD_DEADLINE)).as_mut().poll(cx).map(Ok)
    })
    .await
}
