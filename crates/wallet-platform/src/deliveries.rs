//! Callbacks under delivery. When the next attempt is due is [`Delivery`]'s to say, never a store's or a worker's.

use std::time::Duration;

use wallet_api::fomo::{Refusal, payment_result};
use wallet_core::{Callback, Delivery, DeliveryState, Input, Output, UnixTime};

use crate::entities::{App, AppId, Attempt, Coin, DeliveryId, DeliveryRow, EventKind, Rows, Transfer};
use crate::machine::{Command, Context, Query, Stop};
use crate::payments::tell;
use crate::rows::{Changes, List};

fn restore(row: &DeliveryRow) -> Delivery {
    Delivery::restore(payment_result::Callback::META.schedule, row.snapshot())
}

/// Deliveries that are due by a time and not leased, the earliest first, each with its app.
#[derive(Debug)]
pub struct DueDeliveries {
    /// By when.
    pub by: UnixTime,
    /// Apps to pass over, since as many of their attempts are under way as may be.
    pub except: Vec<AppId>,
    /// How many at most.
    pub limit: u64,
}

impl Query for DueDeliveries {
    type Answer = Vec<(DeliveryId, AppId)>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let list = List::Due { by: self.by, except: self.except.clone(), limit: self.limit };
        Ok(rows.list::<DeliveryRow>(list)?.into_iter().map(|row| (row.id, row.app)).collect())
    }
}

/// When the next delivery is due that nobody has leased.
#[derive(Debug, Default)]
pub struct NextDue {
    /// Apps to pass over.
    pub except: Vec<AppId>,
}

impl Query for NextDue {
    type Answer = Option<UnixTime>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let far = UnixTime::from_millis(i64::MAX);
        let list = List::Due { by: far, except: self.except.clone(), limit: 1 };
        let next = rows.list::<DeliveryRow>(list)?;
        Ok(next.first().map(|row| row.next_at))
    }
}

/// Takes deliveries for an attempt each. What is not due, or leased, is passed over.
#[derive(Debug)]
pub struct Claim {
    /// Which.
    pub deliveries: Vec<DeliveryId>,
    /// For how long; longer than an attempt may take.
    pub lease: Duration,
}

/// An attempt to be made.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// What it tells.
    pub transfer: Transfer,
    /// The transfer's coin.
    pub coin: Coin,
    /// Whom it tells.
    pub app: App,
}

impl Command for Claim {
    type Outcome = Vec<Claimed>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Vec<Claimed>, Stop> {
        for id in &self.deliveries {
            rows.want::<DeliveryRow>(&(*id,));
        }
        let mut due = Vec::new();
        for id in &self.deliveries {
            let Some(row) = rows.find::<DeliveryRow>(&(*id,))? else { continue };
            if row.leased_until <= cx.now && restore(row).poll_output(cx.now) == Output::Transmit {
                due.push(row);
            }
        }
        // All at once, so that a long list is not run through once a row.
        for row in &due {
            rows.want::<App>(&(row.app,));
            rows.want::<Transfer>(&(row.transfer,));
        }
        for row in &due {
            let transfer = rows.find::<Transfer>(&(row.transfer,))?.ok_or(Refusal::Internal)?;
            rows.want::<Coin>(&(transfer.coin,));
        }
        let mut claimed = Vec::new();
        for row in due {
            let transfer = rows.find::<Transfer>(&(row.transfer,))?.ok_or(Refusal::Internal)?;
            let coin = rows.find::<Coin>(&(transfer.coin,))?.ok_or(Refusal::Internal)?;
            let app = rows.find::<App>(&(row.app,))?.ok_or(Refusal::Internal)?;
            let (transfer, coin, app) = (transfer.clone(), coin.clone(), app.clone());
            claimed.push(Claimed { delivery: row.id, attempt: row.attempts + 1, transfer, coin, app });
            out.put(DeliveryRow { leased_until: cx.now + self.lease, ..row.clone() });
        }
        Ok(claimed)
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptResult {
    /// The receiver answered with this HTTP status.
    Reply(u16),
    /// It did not answer in time.
    Timeout,
    /// No exchange took place, for this reason.
    Failed(String),
}

/// Takes note of the end of an attempt.
#[derive(Debug)]
pub struct FinishAttempt {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Which attempt.
    pub attempt: u32,
    /// When it was begun.
    pub started_at: UnixTime,
    /// How it ended.
    pub result: AttemptResult,
}

/// Where a delivery stands after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Whether it is over.
    pub state: DeliveryState,
    /// When the next attempt is due, while it waits.
    pub next_at: UnixTime,
}

impl Command for FinishAttempt {
    type Outcome = Finished;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Finished, Stop> {
        let row = rows.find::<DeliveryRow>(&(self.delivery,))?.ok_or(Refusal::Internal)?;
        let mut delivery = restore(row);
        // Late or repeated: another attempt has been counted since. That it was due is known, since it was claimed: a
        // clock that was set back meanwhile must not lose it.
        let due = delivery.poll_output(cx.now.max(row.next_at)) == Output::Transmit;
        if row.attempts + 1 != self.attempt || !due {
            return Ok(Finished { state: row.state, next_at: row.next_at });
        }
        let wanted = payment_result::Callback::META.schedule.acknowledged_by;
        let (input, http_status, failure) = match &self.result {
            AttemptResult::Reply(status) if wanted.accepts(*status, b"") => {
                (Input::Acknowledged, Some(*status), None)
            }
            // R4: other statuses than 200 are failures, and the log says so.
            AttemptResult::Reply(status) => {
                (Input::Refused, Some(*status), Some(format!("HTTP {status}; only {wanted} acknowledges")))
            }
            AttemptResult::Timeout => {
                (Input::Timeout, None, Some("no answer within the deadline".to_owned()))
            }
            AttemptResult::Failed(why) => (Input::Failed, None, Some(why.clone())),
        };
        delivery.handle_input(input, cx.now);
        let after = delivery.snapshot();
        if after.state == DeliveryState::Exhausted {
            tell(rows, cx, out, row.app, EventKind::CallbackExhausted, row.transfer)?;
        }
        out.put(Attempt {
            delivery: row.id,
            n: self.attempt,
            started_at: self.started_at,
            ended_at: cx.now,
            http_status,
            failure,
        });
        out.put(DeliveryRow {
            state: after.state,
            attempts: after.attempts,
            next_at: after.next_at,
            leased_until: UnixTime::default(),
            ..row.clone()
        });
        Ok(Finished { state: after.state, next_at: after.next_at })
    }
}

/// The leases that a dead process has left.
#[derive(Debug)]
pub struct LeasedDeliveries;

impl Query for LeasedDeliveries {
    type Answer = Vec<DeliveryId>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        Ok(rows.list::<DeliveryRow>(List::Leased)?.into_iter().map(|row| row.id).collect())
    }
}

/// Gives leased deliveries free again; their attempts count as not made.
#[derive(Debug)]
pub struct ReleaseLeases(pub Vec<DeliveryId>);

impl Command for ReleaseLeases {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        for id in &self.0 {
            rows.want::<DeliveryRow>(&(*id,));
        }
        for id in &self.0 {
            if let Some(row) = rows.find::<DeliveryRow>(&(*id,))? {
                out.put(DeliveryRow { leased_until: UnixTime::default(), ..row.clone() });
            }
        }
        Ok(())
    }
}

/// The attempts of a delivery so far, in order.
#[derive(Debug)]
pub struct AttemptsOf(pub DeliveryId);

impl Query for AttemptsOf {
    type Answer = Vec<Attempt>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let ended = rows.find::<DeliveryRow>(&(self.0,))?.map_or(0, |row| row.attempts);
        let attempts = rows.find_all::<Attempt>((1..=ended).map(|n| (self.0, n)))?;
        Ok(attempts.into_iter().cloned().collect())
    }
}
