//! What old callbacks lose: the attempts before the last one, and what their receivers answered. The rows of payments, of callbacks and of the
//! last attempts stay, as does everything of the ledger and of the audit.

use wallet_core::UnixTime;
use wallet_engine::{Command, List, Query};

use crate::deliveries::{Attempt, DeliveryId, DeliveryRow};
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};

/// Looks for attempts that ended before a time, from the oldest callback on.
#[derive(Debug)]
pub struct OldAttempts {
    /// Only callbacks after this one.
    pub after: DeliveryId,
    /// The time.
    pub before: UnixTime,
    /// The largest number of attempts to look at; more than one callback has.
    pub limit: u64,
}

/// What was found.
#[derive(Debug)]
pub struct FoundAttempts {
    /// The command that sheds it.
    pub shed: ShedAttempts,
    /// Where to go on; `None` if everything that is left is younger.
    pub after: Option<DeliveryId>,
}

impl Query<Platform> for OldAttempts {
    type Answer = FoundAttempts;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<FoundAttempts, Stop> {
        let list = List::new().only(Attempt::delivery.above(self.after));
        let list = list.ascending(Attempt::delivery).ascending(Attempt::n).limit(self.limit);
        let mut found = rows.list(list)?;
        // The last callback may have more attempts than were read.
        let is_full = found.len() as u64 == self.limit;
        if let Some(last) = found.last().filter(|_| is_full).map(|attempt| attempt.delivery) {
            found.retain(|attempt| attempt.delivery != last);
        }
        let young = found.iter().position(|attempt| attempt.ended_at >= self.before);
        let old: Vec<_> = found.into_iter().take(young.unwrap_or(usize::MAX)).collect();
        let after = old.last().map(|attempt| attempt.delivery).filter(|_| is_full && young.is_none());
        // A callback's last attempt has only a reply to lose.
        let next = old.iter().skip(1).map(|attempt| Some(attempt.delivery)).chain([None]);
        let pairs = old.iter().zip(next);
        let sheds =
            pairs.filter(|(attempt, next)| attempt.reply.is_some() || *next == Some(attempt.delivery));
        let keys = sheds.map(|(attempt, _)| (attempt.delivery, attempt.n)).collect();
        Ok(FoundAttempts { shed: ShedAttempts(keys), after })
    }
}

/// Deletes attempts before the last one of their callback, and the reply of the last one. An attempt of a callback that still waits stays.
#[derive(Debug)]
pub struct ShedAttempts(Vec<(DeliveryId, u32)>);

impl ShedAttempts {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Command<Platform> for ShedAttempts {
    /// The number of rows that were deleted or changed.
    type Outcome = usize;
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<usize, Stop> {
        self.0.iter().for_each(|(id, _)| rows.want::<DeliveryRow>(&(*id,)));
        let mut shed = 0;
        for attempt in rows.find_all::<Attempt>(self.0.iter().copied())? {
            let delivery = rows.get::<DeliveryRow>(&(attempt.delivery,))?;
            if delivery.state == wallet_core::DeliveryState::Waiting {
                continue;
            }
            if attempt.n < delivery.attempts {
                out.delete::<Attempt>(&(attempt.delivery, attempt.n));
            } else if attempt.reply.is_some() {
                out.put(Attempt { reply: None, ..attempt.clone() });
            } else {
                continue;
            }
            shed += 1;
        }
        Ok(shed)
    }
}
