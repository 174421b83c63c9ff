//! The outbox: messages to users over another channel, such as a verification code. A notice is written in the commit of
//! its cause and deleted when it was sent, so none is lost; one whose sender died is sent again, so a user may get it twice.

use std::time::Duration;

use wallet_core::{Secret, UnixTime};
use wallet_engine::{Command, Halt, List, Query, Row as _, row_ids, rows};

use crate::refusal::Stop;
use crate::reseal::{self, Sealed};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::vault::{Seed, Vault};

row_ids! {
    /// The row number of a notice.
    NoticeId;
}

rows! { in Platform;
    /// A message to a user that was not sent yet.
    notice: Notice {
        key {
            /// Its row number.
            id: NoticeId,
        }
        /// The login name of the recipient.
        recipient: String,
        /// The kind of message.
        kind: NoticeKind,
        /// What it is about: of a verification code, the `verify_id`; of callbacks, the app's name.
        about: String,
        /// The secret in it, sealed; empty if it has none.
        sealed: Vec<u8>,
        /// The number of attempts that were begun.
        attempts: u32,
        /// The time of the next attempt: while one is under way, the end of its lease.
        next_at: UnixTime,
        /// The time after which it is of no use.
        expires_at: UnixTime,
    }
}

/// The kind of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// The verification code of a registration.
    VerificationCode,
    /// The callbacks of an app of the recipient fail.
    ReceiverFails,
    /// A callback of an app of the recipient was given up.
    CallbackGivenUp,
    /// The callbacks of an app of the recipient are acknowledged again.
    ReceiverRecovered,
}

/// The time within which an attempt must end: then another process makes the next one.
const LEASE: Duration = Duration::from_secs(60);
/// The wait after the first attempt that failed; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(5);

fn seal_context(id: NoticeId) -> String {
    format!("notice {}", id.0)
}

/// A notice to send, with its secret.
#[derive(Debug, Clone)]
pub struct ClaimedNotice {
    /// Its row number.
    pub id: NoticeId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The login name of the recipient.
    pub recipient: String,
    /// The kind of message.
    pub kind: NoticeKind,
    /// What it is about.
    pub about: String,
    /// The secret in it: the code; empty if it has none.
    pub secret: Secret<String>,
}

impl Sealed for Notice {
    fn sealed_again(&self, vault: &Vault, seed: &Seed) -> Option<Self> {
        if self.sealed.is_empty() {
            return None;
        }
        let mut row = self.clone();
        reseal::field(vault, seed, &seal_context(self.id), &mut row.sealed).then_some(row)
    }
}

impl Notice {
    fn claimed(&self, vault: &Vault) -> Result<ClaimedNotice, Stop> {
        let secret = match self.sealed.is_empty() {
            true => Some(Secret::new(String::new())),
            false => vault.open_text(&seal_context(self.id), &self.sealed),
        };
        Ok(ClaimedNotice {
            id: self.id,
            attempt: self.attempts,
            recipient: self.recipient.clone(),
            kind: self.kind,
            about: self.about.clone(),
            secret: secret.ok_or(Halt::Damaged { table: Self::TABLE.name })?,
        })
    }

    /// Whether the master key opens its secret.
    pub(crate) fn opens(&self, vault: &Vault) -> bool {
        self.sealed.is_empty() || vault.open(&seal_context(self.id), &self.sealed).is_some()
    }
}

/// Writes a notice whose first attempt the caller makes at once.
pub(crate) fn notify(
    cx: &Context<'_>,
    out: &mut Changes,
    kind: NoticeKind,
    (recipient, about): (&str, &str),
    (secret, seed): (&Secret<String>, &Seed),
    expires_at: UnixTime,
) -> ClaimedNotice {
    let id = NoticeId(cx.ids.next());
    let notice = Notice {
        id,
        recipient: recipient.to_owned(),
        kind,
        about: about.to_owned(),
        sealed: cx.vault.seal(seed, &seal_context(id), secret.expose().as_bytes()),
        attempts: 1,
        next_at: cx.now + LEASE,
        expires_at,
    };
    out.put(notice.clone());
    let Notice { attempts: attempt, recipient, about, .. } = notice;
    ClaimedNotice { id, attempt, recipient, kind, about, secret: secret.clone() }
}

/// Writes a notice without a secret. The outbox makes its first attempt.
pub(crate) fn announce(
    cx: &Context<'_>,
    out: &mut Changes,
    kind: NoticeKind,
    (recipient, about): (&str, &str),
    expires_at: UnixTime,
) {
    let (id, next_at) = (NoticeId(cx.ids.next()), cx.now);
    let (recipient, about, sealed) = (recipient.to_owned(), about.to_owned(), Vec::new());
    out.put(Notice { id, recipient, kind, about, sealed, attempts: 0, next_at, expires_at });
}

/// The notices that are due, the earliest first.
#[derive(Debug)]
pub struct DueNotices {
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for DueNotices {
    type Answer = Vec<NoticeId>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        let due =
            List::new().only(Notice::next_at.at_most(cx.now)).ascending(Notice::next_at).limit(self.limit);
        Ok(rows.list(due)?.into_iter().map(|notice| notice.id).collect())
    }
}

/// Claims notices that are due, for one attempt each. One that has expired is deleted.
#[derive(Debug)]
pub struct ClaimNotices(pub Vec<NoticeId>);

impl Command<Platform> for ClaimNotices {
    type Outcome = Vec<ClaimedNotice>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let mut claimed = Vec::new();
        for notice in rows.find_all::<Notice>(self.0.iter().map(|id| (*id,)))? {
            if cx.now > notice.expires_at {
                out.delete::<Notice>(&(notice.id,));
            } else if cx.now >= notice.next_at {
                let notice =
                    Notice { attempts: notice.attempts + 1, next_at: cx.now + LEASE, ..notice.clone() };
                claimed.push(notice.claimed(cx.vault)?);
                out.put(notice);
            }
        }
        Ok(claimed)
    }
}

/// Records the end of an attempt: a notice that was sent is deleted, another one is tried again later.
#[derive(Debug)]
pub struct FinishNotice {
    /// The notice.
    pub id: NoticeId,
    /// The number of the attempt.
    pub attempt: u32,
    /// Whether it was sent.
    pub sent: bool,
}

impl Command<Platform> for FinishNotice {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let Some(notice) = rows.find::<Notice>(&(self.id,))? else { return Ok(()) };
        if self.sent {
            out.delete::<Notice>(&(self.id,));
        } else if notice.attempts == self.attempt {
            let wait = FIRST_WAIT.saturating_mul(1 << (self.attempt - 1).min(10));
            out.put(Notice { next_at: cx.now + wait, ..notice.clone() });
        }
        Ok(())
    }
}
