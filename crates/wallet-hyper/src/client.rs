//! The client's side.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::rt::Timer;
use hyper_util::client::legacy::Client;
use wallet_core::Transport;

/// A connector that hyper's pooling client can use.
pub trait Connect: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static {}
impl<C: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static> Connect for C {}

/// An executor of connection tasks.
pub trait Exec:
    hyper::rt::Executor<Pin<Box<dyn Future<Output = ()> + Send>>> + Clone + Send + Sync + 'static
{
}
impl<E: hyper::rt::Executor<Pin<Box<dyn Future<Output = ()> + Send>>> + Clone + Send + Sync + 'static> Exec
    for E
{
}

/// Bounds of one exchange.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The time limit of an exchange, with everything that it takes: finding the peer, connecting, the request and the reply.
    pub deadline: Duration,
    /// The largest body of a reply, in bytes.
    pub max_body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(30), max_body: 4 << 20 }
    }
}

/// Sends requests with hyper's pooling client.
#[derive(Clone)]
pub struct HyperTransport<C> {
    client: Client<C, Full<Bytes>>,
    timer: Arc<dyn Timer + Send + Sync>,
    limits: Limits,
}

impl<C> fmt::Debug for HyperTransport<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperTransport").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<C: Connect> HyperTransport<C> {
    /// A transport over `connector`, whose connections run on `executor`.
    pub fn new(connector: C, executor: impl Exec, timer: impl Timer + Send + Sync + 'static) -> Self {
        Self {
            client: Client::builder(executor).build(connector),
            timer: Arc::new(timer),
            limits: Limits::default(),
        }
    }

    /// Sets the bounds.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// Why an exchange failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum TransportError {
    /// It took longer than its deadline. Whether the request was carried out is not known.
    Timeout(Duration),
    /// The reply's body is larger than allowed.
    TooLarge(usize),
    /// No connection could be made, and no byte of the request was sent.
    Connect(Box<dyn std::error::Error + Send + Sync>),
    /// The connection broke. Whether the request was carried out is not known.
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

impl TransportError {
    /// Whether the request was certainly not carried out.
    pub fn was_not_sent(&self) -> bool {
        matches!(self, Self::Connect(_))
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(deadline) => write!(f, "no complete reply within {} ms", deadline.as_millis()),
            Self::TooLarge(limit) => write!(f, "the reply is larger than {limit} bytes"),
            Self::Connect(_) => f.write_str("cannot connect"),
            Self::Broken(_) => f.write_str("the connection broke"),
        }
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) | Self::Broken(error) => Some(&**error),
            Self::Timeout(_) | Self::TooLarge(_) => None,
        }
    }
}

/// The result of an exchange, or its time-out.
pub(crate) async fn within<T>(
    timer: &(dyn Timer + Send + Sync),
    deadline: Duration,
    exchange: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    let mut exchange = pin!(exchange);
    let mut end = timer.sleep(deadline);
    poll_fn(|cx| match exchange.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(done),
        Poll::Pending => end.as_mut().poll(cx).map(|()| Err(TransportError::Timeout(deadline))),
    })
    .await
}

/// A body to its end, at most `limit` bytes.
pub(crate) async fn read_body(body: Incoming, limit: usize) -> Result<Vec<u8>, TransportError> {
    let body =
        Limited::new(body, limit).collect().await.map_err(|error| match error.is::<LengthLimitError>() {
            true => TransportError::TooLarge(limit),
            false => TransportError::Broken(error),
        })?;
    Ok(body.to_bytes().to_vec())
}

impl<C: Connect> Transport for HyperTransport<C> {
    type Error = TransportError;

    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, TransportError> {
        let request = request.map(|body| Full::new(Bytes::from(body)));
        within(&*self.timer, self.limits.deadline, async {
            let response = self.client.request(request).await.map_err(|error| match error.is_connect() {
                true => TransportError::Connect(error.into()),
                false => TransportError::Broken(error.into()),
            })?;
            let (parts, body) = response.into_parts();
            let body = read_body(body, self.limits.max_body).await?;
            Ok(http::Response::from_parts(parts, body))
        })
        .await
    }
}

/// TLS that trusts the authorities that this machine trusts, or those of the file that `SSL_CERT_FILE` names; without any, those that
/// browsers trust.
#[cfg(feature = "tls")]
pub(crate) fn tls_config() -> rustls::ClientConfig {
    use hyper_rustls::ConfigBuilderExt as _;
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let builder =
        rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of TLS 1.2 and 1.3");
    let config = match roots.is_empty() {
        true => builder.with_webpki_roots(),
        false => builder.with_root_certificates(roots),
    };
    config.with_no_client_auth()
}

/// A connector that speaks TLS for https (rustls) over `inner`, whatever its runtime. It trusts the authorities that this machine
/// trusts, or those of the file that `SSL_CERT_FILE` names; without any, those that browsers trust.
#[cfg(feature = "tls")]
pub fn https<C>(inner: C) -> HttpsConnector<C> {
    HttpsConnector::from((inner, tls_config()))
}

/// The connector that [`https`] returns.
#[cfg(feature = "tls")]
pub type HttpsConnector<C> = hyper_rustls::HttpsConnector<C>;
