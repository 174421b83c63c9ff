//! A merchant's callback address on loopback with prepared answers; it keeps what it received.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use wallet_hyper::serve_connection;

type Received = Arc<Mutex<Vec<http::Request<Bytes>>>>;

/// A merchant.
pub struct Merchant {
    /// Its callback address.
    pub url: String,
    received: Received,
    answers: Arc<Mutex<VecDeque<u16>>>,
    arrived: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Merchant {
    /// Opens one that answers 200.
    pub async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/callback", listener.local_addr().unwrap());
        let received: Received = Received::default();
        let answers: Arc<Mutex<VecDeque<u16>>> = Arc::default();
        let arrived = Arc::new(Notify::new());
        let (keep, given, tell) = (received.clone(), answers.clone(), arrived.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (keep, given, tell) = (keep.clone(), given.clone(), tell.clone());
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (keep, given, tell) = (keep.clone(), given.clone(), tell.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await?.to_bytes();
                        keep.lock().unwrap().push(http::Request::from_parts(parts, body));
                        let mut given = given.lock().unwrap();
                        let status = if given.len() > 1 { given.pop_front() } else { given.front().copied() };
                        tell.notify_waiters();
                        let response = http::Response::builder().status(status.unwrap_or(200));
                        Ok::<_, hyper::Error>(
                            response.body(Full::new(Bytes::from_static(br#"{"success":true}"#))).unwrap(),
                        )
                    }
                });
                tokio::spawn(serve_connection(
                    TokioIo::new(stream),
                    service,
                    TokioTimer::new(),
                    std::future::pending(),
                ));
            }
        });
        Self { url, received, answers, arrived, task }
    }

    /// What it answers from now on: these in order, the last one for ever.
    pub fn answer(&self, statuses: &[u16]) {
        *self.answers.lock().unwrap() = statuses.iter().copied().collect();
    }

    /// The callbacks received so far.
    pub fn received(&self) -> Vec<http::Request<Bytes>> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until it has received so many.
    pub async fn wait_for(&self, count: usize) -> Vec<http::Request<Bytes>> {
        let wait = async {
            loop {
                let arrived = self.arrived.notified();
                if self.received.lock().unwrap().len() >= count {
                    return self.received();
                }
                arrived.await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), wait).await.unwrap_or_else(|_| {
            panic!("the merchant received {} callbacks, not {count}", self.received().len())
        })
    }
}

impl Drop for Merchant {
    fn drop(&mut self) {
        self.task.abort();
    }
}
