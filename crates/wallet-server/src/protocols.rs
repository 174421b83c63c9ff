//! The protocols that the server speaks: each is a value in one list, with its own pages.

use axum::Router;
use wallet_core::PlatformMeta;

use crate::context::Protocol;
use crate::server::Server;
use crate::{fomo, vas};

/// The protocols of this server.
pub const PROTOCOLS: &[&dyn Protocol] = &[&fomo::Protocol, &vas::Protocol];

/// The spec metadata of [`PROTOCOLS`].
pub fn platforms() -> impl Iterator<Item = &'static PlatformMeta> {
    PROTOCOLS.iter().map(|protocol| protocol.meta())
}

/// The pages of all protocols.
pub(crate) fn pages() -> Router<Server> {
    let fomo = fomo::app_page::routes().merge(fomo::new_app::routes()).merge(fomo::consent::routes());
    fomo.merge(vas::app_page::routes()).merge(vas::new_app::routes())
}
