//! What handlers, pages and workers share, and what a protocol is to them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use wallet_core::{EndpointMeta, Lang, PlatformMeta};

use crate::callbacks::Callbacks;
use crate::metrics::Metrics;
use crate::notify::Notifier;
use crate::pages::settings::PageSettings;
use crate::passwords::Prover;
use crate::store::Store;
use crate::watch::Watcher;

/// A protocol that the server speaks.
pub trait Protocol: Send + Sync {
    /// What its spec says. Requests below its base path are its own.
    fn meta(&self) -> &'static PlatformMeta;

    /// Answers a request below its base path.
    fn answer<'a>(
        &'a self,
        context: &'a Context,
        request: &'a http::Request<Bytes>,
        lang: Lang,
    ) -> Answering<'a>;
}

/// An answer under way.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Answered> + Send + 'a>>;

/// An answer, with the endpoint that gave it: `none` when there is no such endpoint.
#[derive(Debug)]
pub struct Answered {
    /// The endpoint's id, for the metrics and the log.
    pub endpoint: &'static str,
    /// The reply.
    pub response: Response,
}

/// What handlers, pages and workers share.
pub struct Context {
    pub(crate) store: Store,
    pub(crate) protocols: Vec<&'static dyn Protocol>,
    pub(crate) prover: Prover,
    pub(crate) callbacks: Callbacks,
    pub(crate) watcher: Watcher,
    pub(crate) notifier: Arc<dyn Notifier>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pages: PageSettings,
    pub(crate) public_url: String,
}

impl Context {
    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The address of a path of this server.
    pub(crate) fn public_url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// The protocol below whose base path a path is.
    pub(crate) fn protocol(&self, path: &str) -> Option<&'static dyn Protocol> {
        self.protocols.iter().copied().find(|protocol| path.starts_with(protocol.meta().base_path))
    }

    /// The endpoint at a path.
    pub(crate) fn endpoint_at(&self, path: &str) -> Option<&'static EndpointMeta> {
        self.protocol(path)?.meta().endpoint_at(path)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}
