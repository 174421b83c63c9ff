//! The protocols that the server speaks: each is a value in one list.

use wallet_core::PlatformMeta;

use crate::context::Protocol;
use crate::{fomo, vas};

/// The protocols of this server.
pub const PROTOCOLS: &[&dyn Protocol] = &[&fomo::Protocol, &vas::Protocol];

/// The spec metadata of [`PROTOCOLS`].
pub fn platforms() -> impl Iterator<Item = &'static PlatformMeta> {
    PROTOCOLS.iter().map(|protocol| protocol.meta())
}
