//! The state that the sandbox's addresses and pages share: store, clock, verification codes; and moves of the clock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Form, FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use wallet_core::Lang;
use wallet_platform::ClaimedNotice;
use wallet_server::{ChainError, Drained, Later, Notifier, Server, Store};
use wallet_store::Clock;

use crate::clock::{CallbackClock, SandboxClock};

/// The longest wall time of one move of the clock.
const LONGEST_MOVE: Duration = Duration::from_secs(25);
/// The most seconds ahead of the system's clock, a hundred years: timestamps keep their ten digits.
const FARTHEST: u64 = 100 * 365 * 86_400;

/// The most verification codes, and the most per login name: no login name evicts the codes of all others.
const CODES: usize = 1000;
const CODES_EACH: usize = 5;

/// Verification codes, shown instead of sent.
#[derive(Debug, Default)]
pub(crate) struct Codes(Mutex<VecDeque<ClaimedNotice>>);

impl Notifier for Codes {
    fn notify<'a>(&'a self, notice: &'a ClaimedNotice) -> Later<'a, Result<(), String>> {
        self.keep(notice);
        Box::pin(async { Ok(()) })
    }
}

impl Codes {
    fn keep(&self, notice: &ClaimedNotice) {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut same = 0;
        codes.retain(|sent| {
            same += usize::from(sent.recipient == notice.recipient);
            sent.recipient != notice.recipient || same < CODES_EACH
        });
        codes.truncate(CODES - 1);
        codes.push_front(notice.clone());
    }

    /// The kept codes, newest first.
    pub(crate) fn list(&self) -> Vec<Code> {
        let codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes
            .iter()
            .map(|sent| Code {
                login_name: sent.recipient.clone(),
                verify_id: sent.about.clone(),
                verify_code: sent.secret.expose().clone(),
            })
            .collect()
    }
}

#[derive(Serialize)]
pub(crate) struct Code {
    pub(crate) login_name: String,
    verify_id: String,
    pub(crate) verify_code: String,
}

#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) url: Arc<str>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<SandboxClock>,
    pub(crate) server: Server,
    pub(crate) codes: Arc<Codes>,
    /// The file with the clock's offset.
    pub(crate) offset_file: Arc<std::path::Path>,
    /// The clock of the callbacks' timestamps.
    pub(crate) callback_clock: Arc<CallbackClock>,
    /// One move at a time.
    pub(crate) moving: Arc<tokio::sync::Mutex<()>>,
}

pub(crate) fn failed(failure: &impl std::fmt::Display) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("the sandbox cannot answer: {failure}\n")).into_response()
}

/// The form of a request from a program.
pub(crate) struct Sent<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Response;
    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match Form::from_request(request, state).await {
            Ok(Form(sent)) => Ok(Self(sent)),
            Err(why) => {
                let why = format!(
                    "{}\nnothing was changed; the guide on the sandbox (/docs/guides/sandbox) lists the parameters of each address\n",
                    why.body_text()
                );
                Err((StatusCode::BAD_REQUEST, why).into_response())
            }
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Advanced {
    now_ms: i64,
    /// The number of callback attempts, each made at its due time.
    attempted: u64,
    /// Whether the wall time ran out before the move made all attempts that were due. The others
    /// are overdue now and follow at once.
    not_attempted: bool,
}

/// Why the clock was not moved, or not to the end.
#[derive(Debug)]
pub(crate) enum NotMoved {
    TooFar,
    Failed(String),
}

impl NotMoved {
    pub(crate) fn in_words(&self, lang: Lang) -> String {
        match (self, lang) {
            (Self::TooFar, Lang::Zh) => format!("时钟一共最多拨快一百年（{FARTHEST} 秒）"),
            (Self::TooFar, Lang::En) => {
                format!("the clock can be at most a hundred years ahead ({FARTHEST} seconds in all)")
            }
            (Self::Failed(why), _) => why.clone(),
        }
    }
}

impl std::fmt::Display for NotMoved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.in_words(Lang::En))
    }
}

/// Moves the clock event by event: at each due time it stops until the attempt or the block is done.
pub(crate) async fn move_clock(shared: Shared, advance: u64) -> Result<Advanced, NotMoved> {
    let ahead = u64::try_from(shared.clock.offset_ms() / 1000).unwrap_or(0);
    if ahead.saturating_add(advance) > FARTHEST {
        return Err(NotMoved::TooFar);
    }
    // In a task of its own: a client that disconnects must not leave the clock stopped.
    let moved = tokio::spawn(async move {
        let _one_at_a_time = shared.moving.lock().await;
        let until = Instant::now() + LONGEST_MOVE;
        let before = shared.server.callbacks().attempts();
        let target = shared.clock.stop() + Duration::from_secs(advance);
        let result = move_to(&shared, target, until).await;
        shared.clock.run_on_from(target);
        if let Err(error) = std::fs::write(&*shared.offset_file, shared.clock.offset_ms().to_string()) {
            tracing::warn!(%error, "cannot save the clock's offset; a restart sets the clock back to the system's time");
        }
        shared.server.callbacks().stir();
        shared.server.watcher().wake();
        result.map(|quiet| Advanced {
            now_ms: shared.clock.now().millis(),
            attempted: shared.server.callbacks().attempts() - before,
            not_attempted: quiet == Drained::TimeUp,
        })
    });
    match moved.await {
        Ok(moved) => moved.map_err(|failure| NotMoved::Failed(failure.to_string())),
        Err(error) => Err(NotMoved::Failed(format!("the clock could not be moved: {error}"))),
    }
}

/// Returns to the machine's time. What happened in the moved time lies in the future then.
pub(crate) async fn return_to_machine_time(shared: &Shared) {
    let _one_at_a_time = shared.moving.lock().await;
    shared.clock.return_to_machine_time();
    if let Err(error) = std::fs::write(&*shared.offset_file, "0") {
        tracing::warn!(%error, "cannot save the clock's offset; a restart moves the clock forward again");
    }
    shared.server.callbacks().stir();
    shared.server.watcher().wake();
}

async fn move_to(
    shared: &Shared,
    target: wallet_core::UnixTime,
    until: Instant,
) -> Result<Drained, ChainError> {
    loop {
        if shared.server.drain(until).await? == Drained::TimeUp {
            return Ok(Drained::TimeUp);
        }
        match shared.server.next_event().await? {
            Some(next) if next <= target => {
                if Instant::now() >= until {
                    return Ok(Drained::TimeUp);
                }
                shared.clock.stand_at(next);
            }
            _ => {
                shared.clock.stand_at(target);
                // Some decisions depend on the time alone, such as giving up a payment that is missing.
                return shared.server.drain(until).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wallet_core::Secret;
    use wallet_platform::{NoticeId, NoticeKind};

    use super::*;

    #[test]
    fn whoever_begins_many_registrations_pushes_out_no_other_names_code() {
        let codes = Codes::default();
        let notify = |recipient: &str| {
            codes.keep(&ClaimedNotice {
                id: NoticeId(1),
                attempt: 1,
                recipient: recipient.to_owned(),
                kind: NoticeKind::VerificationCode,
                about: String::new(),
                secret: Secret::new("123456".to_owned()),
            });
        };
        notify("hers");
        (0..2 * CODES).for_each(|_| notify("his"));
        let kept = codes.0.lock().unwrap();
        assert_eq!(kept.len(), 1 + CODES_EACH);
        assert!(kept.iter().any(|sent| sent.recipient == "hers"));
    }
}
