//! Request bodies, bounded in size and time.

use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The reason why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// The body is larger than the limit.
    TooLarge,
    /// The body did not arrive before the deadline, or the connection broke.
    Incomplete,
    /// The bodies that are being read have all of the memory for them: try again in a moment.
    Busy,
    /// The body's chunks are malformed.
    Malformed,
}

const DEADLINE: Duration = Duration::from_secs(10);
/// The bytes of an oversized body that [`read`] discards before it fails, so that the client can read the reply.
const DRAINED: usize = 8 << 20;

/// What is wrong with a body that cannot be read further.
fn broken(error: &axum::Error) -> BodyError {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let io = causes.filter_map(|error| error.downcast_ref::<io::Error>()).next();
    match io.map(io::Error::kind) {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => BodyError::Malformed,
        _ => BodyError::Incomplete,
    }
}

/// The memory for bodies that are being read, in KiB, over all connections: a body that comes slowly keeps its part meanwhile.
static MEMORY: Semaphore = Semaphore::const_new(64 * 1024);

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// [`BodyError`].
pub async fn read(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let whole = async {
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        let mut length = 0;
        let mut memory: Option<SemaphorePermit<'static>> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            length += data.len();
            if length > DRAINED {
                return Err(BodyError::TooLarge);
            }
            if length > limit {
                continue;
            }
            let held = memory.as_ref().map_or(0, SemaphorePermit::num_permits);
            let more = u32::try_from((length / 1024 + 1).saturating_sub(held)).unwrap_or(u32::MAX);
            let more = MEMORY.try_acquire_many(more).map_err(|_| BodyError::Busy)?;
            match &mut memory {
                Some(memory) => memory.merge(more),
                none => *none = Some(more),
            }
            // A body of one frame needs no copy.
            match first.take() {
                None if rest.is_empty() => first = Some(data),
                None => rest.extend_from_slice(&data),
                Some(before) => {
                    rest.extend_from_slice(&before);
                    rest.extend_from_slice(&data);
                }
            }
        }
        if length > limit { Err(BodyError::TooLarge) } else { Ok(first.unwrap_or_else(|| rest.freeze())) }
    };
    tokio::time::timeout(DEADLINE, whole).await.unwrap_or(Err(BodyError::Incomplete))
}
