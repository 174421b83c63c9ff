//! The apps as receivers of callbacks: which of them fail. A receiver that fails gets one attempt at a time, whatever waits for it, until
//! one is acknowledged; its owner gets a notice when it begins to fail, when a callback is given up, and when it works again.

use std::time::Duration;

use wallet_core::UnixTime;
use wallet_engine::rows;

use crate::accounts::UserId;
use crate::deliveries::ReceiverId;
use crate::notices::{self, NoticeKind};
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users::User;

/// The number of attempts in a row, of any of its callbacks, after which a receiver fails.
pub const FAILS_AFTER: u32 = 5;
/// How long a notice to an owner is worth sending.
const NOTICE_KEPT: Duration = Duration::from_secs(86_400);

rows! { in Platform;
    /// An app some of whose last callbacks were not acknowledged.
    receiver: Receiver {
        key {
            /// The app.
            app: ReceiverId,
        }
        /// The number of attempts since the last one that was acknowledged.
        failures: u32,
        /// The time since which it fails.
        failing_since: Option<UnixTime>,
        /// Whether its owner knows that a callback was given up since then.
        gave_up: bool,
    }
}

impl Receiver {
    /// Whether an app fails.
    pub(crate) fn fails(rows: &Rows, app: ReceiverId) -> Result<bool, Stop> {
        Ok(rows.find::<Self>(&(app,))?.is_some_and(|receiver| receiver.failing_since.is_some()))
    }
}

/// What an app's owner learns from the end of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReceiverEvent {
    /// Every attempt of a callback failed.
    GivenUp,
    /// The receiver fails from now on.
    Fails,
    /// The receiver works again.
    Recovered,
}

/// The result of an attempt, for its receiver.
pub(crate) struct Ended<'a> {
    /// The app.
    pub(crate) app: ReceiverId,
    /// The app's name.
    pub(crate) name: &'a str,
    /// The owner of the app.
    pub(crate) owner: UserId,
    /// Whether the receiver acknowledged the callback.
    pub(crate) acknowledged: bool,
    /// Whether no attempt follows, although it was not acknowledged.
    pub(crate) given_up: bool,
}

impl Ended<'_> {
    /// Counts an attempt. Returns whether the receiver fails now, and whether that has changed.
    ///
    /// # Errors
    /// [`Stop`] if a row is not loaded.
    pub(crate) fn count(
        &self,
        rows: &Rows,
        cx: &Context<'_>,
        out: &mut Changes,
    ) -> Result<(bool, Option<ReceiverEvent>), Stop> {
        let before = rows.find::<Receiver>(&(self.app,))?;
        let known = before.cloned().unwrap_or(Receiver {
            app: self.app,
            failures: 0,
            failing_since: None,
            gave_up: false,
        });
        if self.acknowledged {
            if before.is_some() {
                out.delete::<Receiver>(&(self.app,));
            }
            if known.failing_since.is_none() {
                return Ok((false, None));
            }
            self.tell_owner(rows, cx, out, NoticeKind::ReceiverRecovered)?;
            return Ok((false, Some(ReceiverEvent::Recovered)));
        }
        let mut after = Receiver { failures: known.failures.saturating_add(1), ..known.clone() };
        let begins = after.failing_since.is_none() && after.failures >= FAILS_AFTER;
        if begins {
            after.failing_since = Some(cx.now);
            self.tell_owner(rows, cx, out, NoticeKind::ReceiverFails)?;
        }
        if self.given_up && !known.gave_up {
            after.gave_up = true;
            self.tell_owner(rows, cx, out, NoticeKind::CallbackGivenUp)?;
        }
        let fails = after.failing_since.is_some();
        out.put(after);
        Ok((fails, begins.then_some(ReceiverEvent::Fails)))
    }

    fn tell_owner(
        &self,
        rows: &Rows,
        cx: &Context<'_>,
        out: &mut Changes,
        kind: NoticeKind,
    ) -> Result<(), Stop> {
        let owner = rows.get::<User>(&(self.owner,))?;
        notices::announce(cx, out, kind, (&owner.login_name, self.name), cx.now + NOTICE_KEPT);
        Ok(())
    }
}
