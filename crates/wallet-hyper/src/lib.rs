//! hyper on any runtime: a client [`HyperTransport`] that takes its connector, executor and timer as values, and
//! [`serve_connection`] for one connection of a server. A [`PeerTransport`] asks before each request which peers it may send it to.
//! Nothing here names a runtime.
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

/// Writes to a wrapped connection as they come; what wraps it looks at reads alone.
macro_rules! writes_through {
    ($Wrapper:ident) => {
        impl<I: hyper::rt::Write + Unpin> hyper::rt::Write for $Wrapper<I> {
            fn poll_write(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut self.io).poll_write(cx, buf)
            }
            fn poll_flush(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.io).poll_flush(cx)
            }
            fn poll_shutdown(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.io).poll_shutdown(cx)
            }
            fn is_write_vectored(&self) -> bool {
                self.io.is_write_vectored()
            }
            fn poll_write_vectored(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
            }
        }
    };
}

mod client;
mod peers;
mod reply_head;
mod server;

pub use client::{Connect, Exec, HyperTransport, Limits, TransportError};
#[cfg(feature = "tls")]
pub use client::{HttpsConnector, https};
pub use peers::{Dial, PeerTransport};
pub use server::serve_connection;
