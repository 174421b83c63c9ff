//! The protocols that the server speaks: each is a value, registered in one list.

use std::future::Future;
use std::pin::Pin;

use axum::response::Response;
use bytes::Bytes;
use wallet_core::{Lang, PlatformMeta};

use crate::context::Context;
use crate::{fomo, vas};

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

/// The protocols of this server.
pub const PROTOCOLS: &[&dyn Protocol] = &[&fomo::Protocol, &vas::Protocol];

/// What the specs of [`PROTOCOLS`] say.
pub fn platforms() -> impl Iterator<Item = &'static PlatformMeta> {
    PROTOCOLS.iter().map(|protocol| protocol.meta())
}
