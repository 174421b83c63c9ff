//! Refunds: an operator gives back what a user paid to an app (R87). It is no `pay_user`: no app asks for it, and no payment
//! password is needed.

use wallet_api::fomo::Direction;
use wallet_core::{Amount, Units, UnixTime};
use wallet_engine::{Command, Halt, List, Query, Row as _, row_ids, rows};

use crate::coins::Coin;
use crate::fomo::events::EventKind;
use crate::fomo::payments::{Transfer, record_event};
use crate::money::{Movement, TransferSeq, moving_units};
use crate::operators::{Act, Audited, OperatorAct, Role, shown_reason};
use crate::refusal::{Reason, Stop};
use crate::schema::{Changes, Context, Platform, Rows};

row_ids! {
    /// The row number of a refund.
    RefundId;
}

rows! { in Platform;
    /// A refund of a payment, or of a part of it.
    refund: Refund {
        key {
            /// Its row number.
            id: RefundId,
        }
        /// The payment.
        transfer: TransferSeq,
        /// Amount in base units.
        amount: Units,
        /// Why, for both sides.
        reason: String,
        /// The time at which the money moved.
        created_at: UnixTime,
    }
}

/// Moves money of a payment from the app's owner back to the payer: at most the amount less earlier refunds, and never more
/// than the owner has. The fee is not given back.
#[derive(Debug)]
pub struct RefundPayment {
    /// The payment.
    pub transfer: TransferSeq,
    /// The amount.
    pub amount: Amount<'static>,
    /// Why, for both sides.
    pub reason: String,
}

/// Why a payment cannot be refunded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundFault {
    /// There is no such payment.
    Unknown,
    /// Its money has not moved, or it is one from the app to the user.
    NotAPayment,
    /// So much is left to refund, in base units.
    TooMuch(Units),
    /// The reason is empty.
    NoReason,
}

impl Command<Platform> for RefundPayment {
    type Outcome = Result<Transfer, RefundFault>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let Some(transfer) = rows.find::<Transfer>(&(self.transfer,))? else {
            return Ok(Err(RefundFault::Unknown));
        };
        if !transfer.done || transfer.direction != Direction::UserToApp {
            return Ok(Err(RefundFault::NotAPayment));
        }
        let reason = shown_reason(&self.reason);
        if reason.is_empty() {
            return Ok(Err(RefundFault::NoReason));
        }
        let coin = rows.find::<Coin>(&(transfer.coin,))?.ok_or(Reason::CoinUnknown)?;
        let amount = moving_units(&self.amount, coin)?;
        let damaged = |_| Halt::Damaged { table: Transfer::TABLE.name };
        let left = transfer.amount.minus(transfer.refunded).map_err(damaged)?;
        if amount > left {
            return Ok(Err(RefundFault::TooMuch(left)));
        }
        let (from, to, id) = (transfer.payee, transfer.payer, RefundId(cx.ids.next()));
        let (coin, cut, moved) = (transfer.coin, Units::ZERO, Some(transfer.id));
        Movement { from, to, coin, amount, cut, transfer: moved }.apply(rows, cx, out)?;
        let refunded = transfer.refunded.plus(amount).map_err(damaged)?;
        let transfer = Transfer { refunded, ..transfer.clone() };
        out.put(Refund { id, transfer: transfer.id, amount, reason, created_at: cx.now });
        out.put(transfer.clone());
        record_event(rows, cx, out, transfer.app, EventKind::Refunded, transfer.id)?;
        Ok(Ok(transfer))
    }
}

impl Audited for RefundPayment {
    const ROLE: Option<Role> = Some(Role::Money);
    const SECOND_FACTOR: bool = true;
    fn done(&self, outcome: &Self::Outcome) -> Option<Act> {
        let transfer = outcome.as_ref().ok()?;
        let about = format!("{} ({}): {}", transfer.trade_id.as_str(), transfer.id.0, self.amount.as_str());
        let before = transfer.refunded.get();
        Some(Act::new(OperatorAct::Refunded, about).changing("", before.to_string()))
    }
}

/// The refunds of a payment, the oldest first.
#[derive(Debug)]
pub struct RefundsOf(pub TransferSeq);

impl Query<Platform> for RefundsOf {
    type Answer = Vec<Refund>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let refunds = List::new().only(Refund::transfer.is(self.0)).ascending(Refund::id);
        Ok(rows.list(refunds)?.into_iter().cloned().collect())
    }
}
