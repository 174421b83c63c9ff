//! hyper on any runtime: a client [`HyperTransport`] that takes its connector, executor and timer as values, and
//! [`serve_connection`] for one connection of a server. Nothing here names a runtime.
//!
//! Features: `tls` (default) adds https, by rustls.
//!
//! ```no_run
//! # // The runtime's parts come from elsewhere; with tokio they are hyper-util's.
//! # async fn on_tokio(connector: impl wallet_hyper::Connect, executor: impl wallet_hyper::Exec, timer: impl hyper::rt::Timer + Send + Sync + 'static) {
//! use wallet_core::Transport;
//!
//! let transport = wallet_hyper::HyperTransport::new(connector, executor, timer);
//! let request = http::Request::get("http://127.0.0.1:7070/healthz").body(Vec::new()).unwrap();
//! println!("{}", transport.send(request).await.unwrap().status());
//! # }
//! ```

mod client;
mod old_http;
mod server;

pub use client::{Connect, Exec, HyperTransport, Limits, TransportError};
#[cfg(feature = "tls")]
pub use client::{HttpsConnector, https};
pub use old_http::{OldHttp, OldHttpStream};
pub use server::serve_connection;
