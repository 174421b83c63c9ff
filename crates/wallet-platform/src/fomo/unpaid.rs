//! Deletes payments that nobody confirmed, a while after they expired (R90). The trade_id stays taken, and the event keeps its number.

use wallet_api::fomo::TransferStatus;
use wallet_core::UnixTime;
use wallet_engine::{Command, List, Query};

use crate::fomo::payments::Transfer;
use crate::money::TransferSeq;
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};

/// Looks for payments that expired before a time, from the oldest on.
#[derive(Debug)]
pub struct OldUnpaid {
    /// Only payments after this one.
    pub after: TransferSeq,
    /// The time.
    pub before: UnixTime,
    /// The largest number of payments to look at.
    pub limit: u64,
}

/// What was found.
#[derive(Debug)]
pub struct FoundUnpaid {
    /// The command that deletes it.
    pub delete: DeleteUnpaid,
    /// Where to go on; `None` if everything that is left is younger.
    pub after: Option<TransferSeq>,
}

impl Query<Platform> for OldUnpaid {
    type Answer = FoundUnpaid;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<FoundUnpaid, Stop> {
        let list = List::new().only(Transfer::id.above(self.after));
        let found = rows.list(list.ascending(Transfer::id).limit(self.limit))?;
        let old = found.into_iter().take_while(|transfer| transfer.expires_at() < self.before);
        let old: Vec<_> = old.collect();
        let after = old.last().map(|last| last.id).filter(|_| old.len() as u64 == self.limit);
        let unpaid = old.iter().filter(|transfer| !transfer.done).map(|transfer| transfer.id);
        Ok(FoundUnpaid { delete: DeleteUnpaid(unpaid.collect()), after })
    }
}

/// Deletes payments that expired unconfirmed.
#[derive(Debug)]
pub struct DeleteUnpaid(Vec<TransferSeq>);

impl DeleteUnpaid {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Command<Platform> for DeleteUnpaid {
    /// The number of payments that were deleted.
    type Outcome = usize;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<usize, Stop> {
        let found = rows.find_all::<Transfer>(self.0.iter().map(|id| (*id,)))?;
        let expired = found.iter().filter(|transfer| transfer.status(cx.now) == TransferStatus::Expired);
        let expired = expired.map(|transfer| out.delete::<Transfer>(&(transfer.id,)));
        Ok(expired.count())
    }
}
