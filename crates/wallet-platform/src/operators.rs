//! Operators: their enrolment, their decisions, and the audit of both.

use wallet_core::{DeliveryState, UnixTime};
use wallet_engine::{Command, List, Query, row_ids, rows};

use crate::accounts::UserId;
use crate::deliveries::{Attempt, DeliveryId, DeliveryRow, SendAgain, waiting};
use crate::refusal::{Reason, Stop};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users::{User, signed_in};
use crate::vault::Digest;

row_ids! {
    /// The row number of an operator's act.
    AuditId;
}

rows! { in Platform;
    /// An act of an operator.
    audit: Audit {
        key {
            /// The audit's row id.
            id: AuditId,
        }
        /// The time of the act.
        at: UnixTime,
        /// The operator; `None` for a command on the machine itself.
        operator: Option<UserId>,
        /// The kind of act.
        act: OperatorAct,
        /// The object of the act, in words.
        about: String,
    }
}

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperatorAct {
    /// Makes a user an operator.
    Enrolled,
    /// Approves an application.
    Approved,
    /// Turns an application down.
    Rejected,
    /// Sends a callback again.
    SentAgain,
}

fn record(cx: &Context<'_>, out: &mut Changes, operator: Option<UserId>, act: OperatorAct, about: String) {
    out.put(Audit { id: AuditId(cx.ids.next()), at: cx.now, operator, act, about });
}

/// Makes a user an operator. Only the machine itself does this: there is no address for it.
#[derive(Debug)]
pub struct EnrolOperator(pub UserId);

impl Command<Platform> for EnrolOperator {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let user = rows.find::<User>(&(self.0,))?.ok_or(Reason::UserUnknown)?;
        if !user.operator {
            record(cx, out, None, OperatorAct::Enrolled, user.login_name.clone());
            out.put(User { operator: true, ..user.clone() });
        }
        Ok(())
    }
}

/// A command that an operator may give, and its audit record.
pub trait Audited: Command<Platform> {
    /// The act and its object; `None` if the command changed nothing.
    fn done(&self, outcome: &Self::Outcome) -> Option<(OperatorAct, String)>;
}

impl Audited for SendAgain {
    fn done(&self, outcome: &Option<DeliveryId>) -> Option<(OperatorAct, String)> {
        outcome.map(|again| (OperatorAct::SentAgain, format!("{} → {}", self.0.0, again.0)))
    }
}

/// Runs an operator's command and records the act in the same commit; another user is refused with 206.
#[derive(Debug)]
pub struct ByOperator<C> {
    /// The session of the user.
    pub session: Digest,
    /// The command.
    pub command: C,
}

impl<C: Audited> Command<Platform> for ByOperator<C> {
    type Outcome = C::Outcome;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<C::Outcome, Stop> {
        let user = signed_in(rows, cx, out, self.session)?;
        if !user.operator {
            return Err(Reason::NotAllowed.into());
        }
        let outcome = self.command.apply(rows, cx, out)?;
        if let Some((act, about)) = self.command.done(&outcome) {
            record(cx, out, Some(user.id), act, about);
        }
        Ok(outcome)
    }
}

/// The last acts of operators, the newest first.
#[derive(Debug)]
pub struct Audits {
    /// The largest number of rows in the answer.
    pub limit: u64,
}

/// An act of an operator.
#[derive(Debug, Clone)]
pub struct ShownAudit {
    /// The audit row.
    pub audit: Audit,
    /// The login name of the operator; `None` for a command on the machine itself.
    pub operator: Option<String>,
}

impl Query<Platform> for Audits {
    type Answer = Vec<ShownAudit>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let audits = rows.list(List::new().descending(Audit::id).limit(self.limit))?;
        audits.iter().filter_map(|audit| audit.operator).for_each(|id| rows.want::<User>(&(id,)));
        let shown = |audit: &Audit| {
            let operator = audit.operator.map(|id| rows.find::<User>(&(id,))).transpose()?.flatten();
            let operator = operator.map(|user| user.login_name.clone());
            Ok(ShownAudit { audit: audit.clone(), operator })
        };
        audits.into_iter().map(shown).collect()
    }
}

/// A callback that waits for an attempt, or is undelivered.
#[derive(Debug, Clone)]
pub struct DeliverySummary {
    /// Its delivery row.
    pub delivery: DeliveryRow,
    /// The name of the app that receives it.
    pub app: String,
    /// The app's own id of the payment that it reports.
    pub about: String,
    /// The last attempt.
    pub last: Option<Attempt>,
    /// Whether it may be sent again.
    pub may_be_sent_again: bool,
}

fn summaries(rows: &Rows, list: List<DeliveryRow>) -> Result<Vec<DeliverySummary>, Stop> {
    let deliveries = rows.list(list)?;
    for row in &deliveries {
        row.want(rows);
        rows.want::<Attempt>(&(row.id, row.attempts));
    }
    let mut found = Vec::new();
    for row in deliveries {
        let subject = row.about(rows)?;
        found.push(DeliverySummary {
            delivery: row.clone(),
            app: subject.app_name().to_owned(),
            about: subject.reference().to_owned(),
            last: rows.find::<Attempt>(&(row.id, row.attempts))?.cloned(),
            may_be_sent_again: subject.delivery() == Some(row.id),
        });
    }
    Ok(found)
}

/// Callbacks that wait after an attempt that failed, the soonest first.
#[derive(Debug)]
pub struct Failing {
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for Failing {
    type Answer = Vec<DeliverySummary>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let waiting =
            summaries(rows, waiting().only(DeliveryRow::attempts.above(0).always()).limit(self.limit))?;
        Ok(waiting.into_iter().map(|one| DeliverySummary { may_be_sent_again: false, ..one }).collect())
    }
}

/// Callbacks that wait, the soonest first.
#[derive(Debug)]
pub struct Upcoming {
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for Upcoming {
    type Answer = Vec<DeliverySummary>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        summaries(rows, waiting().limit(self.limit))
    }
}

/// Callbacks that were given up, the newest first.
#[derive(Debug)]
pub struct Undelivered {
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for Undelivered {
    type Answer = Vec<DeliverySummary>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let exhausted = DeliveryRow::state.is(DeliveryState::Exhausted).always();
        summaries(rows, List::new().only(exhausted).descending(DeliveryRow::id).limit(self.limit))
    }
}
