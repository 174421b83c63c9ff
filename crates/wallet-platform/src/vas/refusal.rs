//! The answers of the VAS and Lafi wallets to the platform's refusals.

use wallet_api::vas::Refusal;
use wallet_core::RefusalMeta;

use crate::refusal::{Reason, answers};

answers!(Refusal, answer);

/// The wallets' refusal for a reason.
pub fn answer(reason: Reason) -> &'static RefusalMeta {
    let refusal = match reason {
        Reason::Own(own) => return own,
        Reason::Internal => Refusal::Internal,
        Reason::Busy => Refusal::Overloaded,
        Reason::Field => Refusal::UnknownError,
        // A session whose user no longer exists is unknown.
        Reason::SessionUnknown | Reason::UserUnknown => Refusal::SessionUnknown,
        Reason::PasswordWrong | Reason::PaymentPasswordWrong | Reason::PaymentPasswordUnset => {
            Refusal::PwdWrong
        }
        Reason::InsufficientBalance => Refusal::InsufficientBalance,
        Reason::UserFrozen => Refusal::UserFrozen,
        Reason::AppSuspended => Refusal::AppSuspended,
        // No endpoint of these wallets takes a login name, a verification code or a coin.
        Reason::NotAllowed
        | Reason::SecondFactorWrong
        | Reason::LoginNameInvalid
        | Reason::VerificationWrong
        | Reason::CoinUnknown
        | Reason::CoinInactive => Refusal::Internal,
    };
    refusal.meta()
}
