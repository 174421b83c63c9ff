//! The demos: each plays the integrator and the wallet against a sandbox over real HTTP, prints each step, and fails on
//! any unexpected value.

mod fomo;
mod vas;

pub use fomo::fomo;
pub use vas::vas;

use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use wallet_client::system_time;
use wallet_core::{Lang, Transport, UnixTime, in_words};
use wallet_hyper::{HyperTransport, serve_connection};
use wallet_server::{Addresses, GuardedConnector};

use crate::data::Described;

/// Why a demo failed.
#[derive(Debug)]
pub struct DemoError(String);

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DemoError {}

fn failed(what: &str) -> impl FnOnce(Box<dyn std::error::Error>) -> DemoError {
    move |error| DemoError(format!("{what}: {}", in_words(&*error)))
}

/// Runs a call; the error names it.
macro_rules! call {
    ($what:expr, $call:expr) => {
        $call.await.map_err(|error| failed($what)(Box::new(error)))?
    };
}
use call;

pub(crate) type HyperTokio = HyperTransport<GuardedConnector>;

/// A transport that sends names below `localhost` to this machine, whatever the resolver says.
pub(crate) fn transport() -> HyperTokio {
    let connector = GuardedConnector::new(Addresses::PublicAndLoopback);
    HyperTransport::new(connector, TokioExecutor::new(), TokioTimer::new())
}

/// The description of the sandbox at this address.
///
/// # Errors
/// [`DemoError`] if no sandbox of this version answers.
pub async fn describe(url: &str) -> Result<Described, DemoError> {
    let url = url.trim_end_matches('/');
    let body = get(url, "/sandbox").await?;
    serde_json::from_slice(&body)
        .map_err(|error| DemoError(format!("{url} is not a sandbox of this version: {error}")))
}

async fn get(url: &str, path: &str) -> Result<Vec<u8>, DemoError> {
    exchange(url, http::Request::get(format!("{url}{path}")), "").await
}

/// Posts a form to one of the sandbox's own addresses.
async fn post(url: &str, path: &str, form: &str) -> Result<Vec<u8>, DemoError> {
    let request = http::Request::post(format!("{url}{path}"))
        .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    exchange(url, request, form).await
}

async fn exchange(url: &str, request: http::request::Builder, body: &str) -> Result<Vec<u8>, DemoError> {
    let request = request
        .body(body.as_bytes().to_vec())
        .map_err(|_| DemoError(format!("{url} is not a URL; give one such as http://127.0.0.1:7070")))?;
    let response = transport().send(request).await.map_err(|error| {
        failed(&format!("no sandbox answers at {url}; start one by `wallop dev`"))(Box::new(error))
    })?;
    if response.status() != http::StatusCode::OK {
        let said = String::from_utf8_lossy(response.body()).trim().to_owned();
        return Err(DemoError(format!("the sandbox at {url} answered {}: {said}", response.status())));
    }
    Ok(response.into_body())
}

/// Prints the steps of a demo, each with its endpoint and its results.
struct Telling<'o> {
    out: &'o mut dyn Write,
    lang: Lang,
    step: u32,
}

impl Telling<'_> {
    fn say(&mut self, text: &str) {
        // A closed output must not interrupt a payment.
        let _ = writeln!(self.out, "{text}");
    }

    fn step(&mut self, zh: &str, en: &str, endpoint: &str) {
        self.step += 1;
        let title = match self.lang {
            Lang::Zh => zh,
            Lang::En => en,
        };
        let number = self.step;
        self.say(&format!("\n{number:>2}. {title}"));
        if !endpoint.is_empty() {
            self.say(&format!("    {endpoint}"));
        }
    }

    fn fact(&mut self, zh: &str, en: &str, value: impl fmt::Display) {
        let name = match self.lang {
            Lang::Zh => zh,
            Lang::En => en,
        };
        self.say(&format!("    → {name}: {value}"));
    }
}

/// The shop's server on loopback: `answer` gets each request, and returns the reply and a value for [`Shop::next`].
struct Shop<H> {
    address: SocketAddr,
    received: mpsc::UnboundedReceiver<H>,
    task: tokio::task::JoinHandle<()>,
}

impl<H: Send + 'static> Shop<H> {
    async fn open(
        answer: impl Fn(http::Request<bytes::Bytes>) -> (http::Response<Vec<u8>>, H) + Send + Sync + 'static,
    ) -> Result<Self, DemoError> {
        let no_listener = |error: std::io::Error| DemoError(format!("cannot listen for callbacks: {error}"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(no_listener)?;
        let address = listener.local_addr().map_err(no_listener)?;
        let (sender, received) = mpsc::unbounded_channel();
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, sender) = (answer.clone(), sender.clone());
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (answer, sender) = (answer.clone(), sender.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await?.to_bytes();
                        let (response, request) = answer(http::Request::from_parts(parts, body));
                        let _ = sender.send(request);
                        Ok::<_, hyper::Error>(response.map(|body| Full::new(bytes::Bytes::from(body))))
                    }
                });
                let stream = TokioIo::new(stream);
                tokio::spawn(serve_connection(stream, service, TokioTimer::new(), std::future::pending()));
            }
        });
        Ok(Self { address, received, task })
    }

    async fn next(&mut self, what: &str) -> Result<H, DemoError> {
        match tokio::time::timeout(Duration::from_secs(20), self.received.recv()).await {
            Ok(Some(received)) => Ok(received),
            Ok(None) | Err(_) => Err(DemoError(format!("no {what} came within 20 s"))),
        }
    }
}

impl<H> Drop for Shop<H> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Compares, and fails with both values.
fn same<F, W>(what: &str, found: &F, wanted: &W) -> Result<(), DemoError>
where
    F: PartialEq<W> + fmt::Debug,
    W: fmt::Debug,
{
    if found == wanted {
        return Ok(());
    }
    Err(DemoError(format!("{what} is {found:?}, and should be {wanted:?}")))
}

/// The offset of the sandbox's clock from the system's.
async fn clock_offset(sandbox: &Described) -> Result<Duration, DemoError> {
    #[derive(serde::Deserialize)]
    struct Clock {
        now_ms: i64,
    }
    let body = get(&sandbox.url, "/clock").await?;
    let clock: Clock = serde_json::from_slice(&body)
        .map_err(|error| DemoError(format!("the reply of the sandbox's clock cannot be read: {error}")))?;
    Ok(UnixTime::from_millis(clock.now_ms).since(system_time()))
}
