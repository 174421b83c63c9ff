//! The processes that deliver callbacks from one database. Each takes its share of the callbacks, so that no two work on the same ones;
//! a lease, not the share, decides who makes an attempt.

use std::time::Duration;

use wallet_core::UnixTime;
use wallet_engine::{Command, List, Query, row_ids, rows};

use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};

/// How long after its last sign of life a worker counts as one.
const ALIVE: Duration = Duration::from_secs(10);

row_ids! {
    /// The row number of a worker.
    WorkerId;
}

rows! { in Platform;
    /// A process that delivers callbacks.
    worker: Worker {
        key {
            /// Its row number.
            id: WorkerId,
        }
        /// Its last sign of life.
        seen_at: UnixTime,
    }

    /// The last time that a server was asked whether it can write.
    ping: Pinged {
        key {
            /// 0: there is one.
            id: u64,
        }
        /// The time.
        at: UnixTime,
    }
}

/// One of so many equal shares of the callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The number of the share, from 0.
    pub number: u32,
    /// The number of shares, at least 1.
    pub of: u32,
}

impl Share {
    /// Everything: there is one worker.
    pub const ALL: Self = Self { number: 0, of: 1 };
}

/// A worker's sign of life. It deletes the workers in `gone`, if they have given none since.
#[derive(Debug)]
pub struct SignOfLife {
    /// The worker; `None` makes a new one.
    pub worker: Option<WorkerId>,
    /// Workers that were gone when [`Shares`] looked.
    pub gone: Vec<WorkerId>,
}

impl Command<Platform> for SignOfLife {
    type Outcome = WorkerId;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<WorkerId, Stop> {
        self.worker.iter().for_each(|id| rows.want::<Worker>(&(*id,)));
        let known = rows.find_all::<Worker>(self.gone.iter().map(|id| (*id,)))?;
        for worker in known.into_iter().filter(|worker| worker.seen_at + ALIVE < cx.now) {
            out.delete::<Worker>(&(worker.id,));
        }
        let id = match self.worker {
            Some(id) => rows.find::<Worker>(&(id,))?.map_or(id, |worker| worker.id),
            None => WorkerId(cx.ids.next()),
        };
        out.put(Worker { id, seen_at: cx.now });
        Ok(id)
    }
}

/// The share of a worker among those that are alive, and the workers that are gone.
#[derive(Debug)]
pub struct Shares(pub WorkerId);

impl Query<Platform> for Shares {
    type Answer = (Share, Vec<WorkerId>);
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        let all = rows.list(List::new().ascending(Worker::id).limit(1_000))?;
        let (alive, gone): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|worker| worker.seen_at + ALIVE >= cx.now || worker.id == self.0);
        let number = alive.iter().position(|worker| worker.id == self.0);
        let of = u32::try_from(alive.len()).unwrap_or(1).max(1);
        let share = number.and_then(|number| Some(Share { number: u32::try_from(number).ok()?, of }));
        Ok((share.unwrap_or(Share::ALL), gone.into_iter().map(|worker| worker.id).collect()))
    }
}

/// Whether the writer can write: it records that it was asked.
#[derive(Debug)]
pub struct Ping;

impl Command<Platform> for Ping {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let key = (0,);
        rows.find::<Pinged>(&key)?;
        out.put(Pinged { id: 0, at: cx.now });
        Ok(())
    }
}
