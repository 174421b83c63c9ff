//! The trait [`Protocol`]; [`Context`], the state that handlers, pages and workers share; and [`Server`], a handle to it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::response::Response;
use bytes::Bytes;
use wallet_core::{EndpointMeta, Lang, PlatformMeta};
use wallet_platform::Failure;
use wallet_platform::accounts::UserId;

use crate::callbacks::Callbacks;
use crate::metrics::Metrics;
use crate::milestones::Milestones;
use crate::notify::Outbox;
use crate::own_app::{FormPage, GrantedApp, Later, OwnApp, RegistrationForm};
use crate::pages::settings::PageSettings;
use crate::passwords::Prover;
use crate::purge::Retention;
use crate::rate::Rate;
use crate::request_ids::RequestIds;
use crate::store::Store;
use crate::vas::watch::Watcher;
use crate::workers::Workers;

/// A protocol that the server speaks.
pub trait Protocol: Send + Sync {
    /// The protocol's metadata from its spec. The server routes requests below `base_path` to this protocol.
    fn meta(&self) -> &'static PlatformMeta;

    /// The guide and the reference, if the protocol has them.
    fn documents(&self) -> Option<&'static Documents> {
        None
    }

    /// The apps of a user.
    fn apps<'a>(
        &'a self,
        store: &'a Store,
        owner: UserId,
    ) -> Later<'a, Result<Vec<Box<dyn OwnApp>>, Failure>> {
        let _ = (store, owner);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The app at `/apps/{protocol}/{id}`; `None` if the id is unknown or another user owns the app.
    fn app<'a>(
        &'a self,
        store: &'a Store,
        owner: UserId,
        id: &'a str,
    ) -> Later<'a, Result<Option<Box<dyn OwnApp>>, Failure>> {
        let _ = (store, owner, id);
        Box::pin(async { Ok(None) })
    }

    /// The apps that a user has granted access and that keep it until the user takes it back.
    fn granted<'a>(&'a self, store: &'a Store, user: UserId) -> Later<'a, Result<Vec<GrantedApp>, Failure>> {
        let _ = (store, user);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The pages of the protocol, in addition to those that know no protocol.
    fn pages(&self) -> Router<Server> {
        Router::new()
    }

    /// Addresses of the protocol that are neither its endpoints nor pages.
    fn addresses(&self) -> Router<Server> {
        Router::new()
    }

    /// The form that registers an app; `None` if apps of this protocol are not registered on the pages.
    fn registration_form(&self, page: &FormPage<'_>) -> Option<RegistrationForm> {
        let _ = page;
        None
    }

    /// The id of the app that asks for consent at the page `next`; `None` if it is another page.
    fn waiting_app(&self, next: &str) -> Option<String> {
        let _ = next;
        None
    }

    /// Answers a request below its base path.
    fn answer<'a>(
        &'a self,
        context: &'a Context,
        request: &'a http::Request<Bytes>,
        lang: Lang,
    ) -> Later<'a, Answered>;
}

/// A protocol's guide and reference in Markdown, for app developers: Chinese, then English.
#[derive(Debug)]
pub struct Documents {
    /// The getting-started guide.
    pub guide: [&'static str; 2],
    /// The reference: every endpoint and status code.
    pub reference: [&'static str; 2],
    /// Files for other programs, by name: `openapi.json`, `postman.json`.
    pub files: &'static [(&'static str, &'static str)],
}

/// A response and the id of its endpoint; the id is `none` if no endpoint matched.
#[derive(Debug)]
pub struct Answered {
    /// The endpoint's id, for the metrics and the log.
    pub endpoint: &'static str,
    /// The reply.
    pub response: Response,
}

/// The state that handlers, pages and workers share.
pub struct Context {
    pub(crate) store: Store,
    pub(crate) protocols: Vec<&'static dyn Protocol>,
    pub(crate) prover: Prover,
    pub(crate) callbacks: Callbacks,
    pub(crate) watcher: Watcher,
    pub(crate) workers: Workers,
    pub(crate) outbox: Outbox,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) request_ids: RequestIds,
    pub(crate) pre_pays: Rate,
    pub(crate) retention: Retention,
    pub(crate) milestones: Milestones,
    /// Whether the server is about to stop.
    pub(crate) draining: AtomicBool,
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

    /// The protocol whose base path is a prefix of `path`.
    pub(crate) fn protocol(&self, path: &str) -> Option<&'static dyn Protocol> {
        self.protocols.iter().copied().find(|protocol| path.starts_with(protocol.meta().base_path))
    }

    /// The protocol of this name.
    pub(crate) fn protocol_named(&self, name: &str) -> Option<&'static dyn Protocol> {
        self.protocols.iter().copied().find(|protocol| protocol.meta().id == name)
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

/// A server on a store. Clones share it.
#[derive(Clone)]
pub struct Server {
    pub(crate) inner: Arc<Context>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}
