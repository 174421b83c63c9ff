//! FOMO's answers to the platform's refusals.

use wallet_api::fomo::Refusal;
use wallet_core::RefusalMeta;

use crate::coins::Coin;
use crate::fomo::payments::Transfer;
use crate::fomo::wire;
use crate::refusal::{Reason, Refused, RefusedData, Stop, answers};
use crate::schema::{Context, Rows};

answers!(Refusal, answer);

/// FOMO's refusal for a reason.
pub fn answer(reason: Reason) -> &'static RefusalMeta {
    let refusal = match reason {
        Reason::Own(own) => return own,
        Reason::Internal => Refusal::Internal,
        Reason::Busy => Refusal::Overloaded,
        Reason::Field => Refusal::MissingParameter,
        Reason::SessionUnknown => Refusal::SessionUnknown,
        Reason::UserUnknown => Refusal::UserUnknown,
        Reason::NotAllowed | Reason::VerificationWrong | Reason::SecondFactorWrong => Refusal::NoPermission,
        Reason::UserFrozen => Refusal::UserFrozen,
        Reason::AppSuspended => Refusal::AppSuspended,
        Reason::LoginNameInvalid => Refusal::LoginNameInvalid,
        Reason::PasswordWrong => Refusal::PwdWrong,
        Reason::PaymentPasswordWrong => Refusal::WalletPwdWrong,
        Reason::PaymentPasswordUnset => Refusal::WalletPwdUnset,
        Reason::CoinUnknown => Refusal::CoinUnknown,
        Reason::CoinInactive => Refusal::CoinInactive,
        Reason::InsufficientBalance => Refusal::InsufficientBalance,
    };
    refusal.meta()
}

/// A refusal whose `data` is the conflicting transfer (R21, R38).
pub(crate) fn by_transfer(rows: &Rows, cx: &Context<'_>, refusal: Refusal, transfer: &Transfer) -> Stop {
    let data = || {
        let decimals = rows.find::<Coin>(&(transfer.coin,))?.map_or(0, |coin| coin.decimals);
        RefusedData::of(&wire::trade_state(cx.vault, transfer, decimals, cx.now)?)
    };
    match data() {
        Ok(data) => Refused { data: Some(data), ..Refused::new(refusal) }.into(),
        Err(stop) => stop,
    }
}
