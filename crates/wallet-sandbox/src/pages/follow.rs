//! The parts of pages that change, as server-sent events at the address that has the part alone.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_channel::mpsc;
use http::StatusCode;
use http::header::ACCEPT;

use super::Pages;

/// The time between two looks at a part.
pub(super) const SOON: Duration = Duration::from_millis(500);
/// The same for a part that is made of several calls.
pub(super) const LATER: Duration = Duration::from_secs(2);
/// The time without a change after which a comment shows whether the reader is still there.
const QUIET: Duration = Duration::from_secs(15);
/// The most parts that are followed at once.
pub(crate) const FOLLOWERS: usize = 64;
/// The most bytes of a part.
const LARGEST: usize = 1 << 20;

/// Answers a request for events: sends the part, then sends it again whenever it has changed, until the reader goes
/// away or the sandbox stops. All other requests are passed on, and so are those that get no part, after a sign-out say.
pub(super) async fn follow(
    State((pages, every)): State<(Pages, Duration)>,
    request: Request,
    next: Next,
) -> Response {
    let events = request.headers().get(ACCEPT).is_some_and(|accept| accept == "text/event-stream");
    if !events {
        return next.run(request).await;
    }
    let Ok(one) = pages.followers.clone().try_acquire_owned() else {
        return next.run(request).await; // the part without its changes
    };
    let (parts, body) = request.into_parts();
    let first = next.clone().run(Request::from_parts(parts.clone(), body)).await;
    if first.status() != StatusCode::OK {
        return first;
    }
    let (mut reader, received) = mpsc::channel::<Result<Event, Infallible>>(1);
    let mut stopped = pages.stopped.clone();
    tokio::spawn(async move {
        let _one = one;
        let (mut part, mut sent, mut quiet) = (first, None::<Bytes>, Duration::ZERO);
        loop {
            let Ok(body) = to_bytes(part.into_body(), LARGEST).await else {
                tracing::warn!(path = parts.uri.path(), "a part of a page is too large to be followed");
                return;
            };
            let event = match sent.as_ref() == Some(&body) {
                false => Some(Event::default().data(String::from_utf8_lossy(&body))),
                true if quiet >= QUIET => Some(Event::default().comment("")),
                true => None,
            };
            // A slow reader gets the next state instead of this one.
            if let Some(event) = event
                && reader.try_send(Ok(event)).is_ok()
            {
                (sent, quiet) = (Some(body), Duration::ZERO);
            }
            tokio::select! {
                () = tokio::time::sleep(every) => quiet += every,
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            if reader.is_closed() {
                return;
            }
            part = next.clone().run(Request::from_parts(parts.clone(), Body::empty())).await;
            if part.status() != StatusCode::OK {
                return; // the browser asks again, and gets this reply
            }
        }
    });
    Sse::new(received).into_response()
}
