//! Refusals of the platform: reasons that every protocol answers, or a protocol's own refusal.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use wallet_core::RefusalMeta;
use wallet_engine::{Halt, TableMeta};

/// The reason why a command or query stopped.
#[derive(Debug)]
pub enum Stop {
    /// A row is not loaded, or the database is damaged.
    Halt(Halt),
    /// The platform refuses.
    Refused(Box<Refused>),
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl wallet_engine::Stop for Stop {
    type Refused = Refused;
    fn into_refused(self) -> Result<Box<Refused>, Halt> {
        match self {
            Self::Refused(refused) => Ok(refused),
            Self::Halt(halt) => Err(halt),
        }
    }
}

/// The reason of a refusal. Each protocol answers every reason with one of its codes: its match is
/// exhaustive, so a new reason does not compile until every protocol has an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The platform itself has failed.
    Internal,
    /// Too much is under way: try again.
    Busy,
    /// A field is wrong: `field` of [`Refused`] names it.
    Field,
    /// There is no such session, or it has expired.
    SessionUnknown,
    /// There is no such user.
    UserUnknown,
    /// The user, the app or the operator may not do this.
    NotAllowed,
    /// An operator has frozen the user.
    UserFrozen,
    /// An operator has suspended the app.
    AppSuspended,
    /// The code of the second factor is wrong, was used before, or is locked.
    SecondFactorWrong,
    /// The login name is malformed or taken.
    LoginNameInvalid,
    /// The login password is wrong, or locked: `wait` of [`Refused`] says for how long.
    PasswordWrong,
    /// The payment password is wrong, or locked: `wait` of [`Refused`] says for how long.
    PaymentPasswordWrong,
    /// The user's payment password is not set.
    PaymentPasswordUnset,
    /// The verification code is wrong, used up or expired.
    VerificationWrong,
    /// There is no such coin.
    CoinUnknown,
    /// The coin cannot be used now.
    CoinInactive,
    /// The payer's balance is too small.
    InsufficientBalance,
    /// A protocol's own refusal.
    Own(&'static RefusalMeta),
}

/// A refusal, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The reason.
    pub reason: Reason,
    /// The field that is wrong.
    pub field: Option<&'static str>,
    /// The wait before another attempt is accepted.
    pub wait: Option<Duration>,
    /// The `data` of the reply.
    pub data: Option<RefusedData>,
}

/// The `data` of a refusal's reply: JSON, in its protocol's own types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedData(String);

impl RefusedData {
    /// The JSON of a value.
    ///
    /// # Errors
    /// [`Reason::Internal`] if JSON cannot hold the value.
    pub(crate) fn of(value: &impl Serialize) -> Result<Self, Stop> {
        serde_json::to_string(value).map(Self).map_err(|_| Reason::Internal.into())
    }
}

impl Serialize for RefusedData {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        json.serialize(serializer)
    }
}

impl Refused {
    /// A refusal with its reason only.
    pub fn new(reason: impl Into<Reason>) -> Self {
        Self { reason: reason.into(), field: None, wait: None, data: None }
    }

    /// The same, and the field that is wrong.
    #[must_use]
    pub fn at(self, field: &'static str) -> Self {
        Self { field: Some(field), ..self }
    }

    pub(crate) fn field(field: &'static str) -> Self {
        Self::new(Reason::Field).at(field)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::Own(refusal) => f.write_str(refusal.id),
            reason => write!(f, "{reason:?}"),
        }
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Refused::new(reason).into()
    }
}

impl From<Refused> for crate::schema::Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

/// Converts a protocol's refusals into reasons, and compares a reason by the protocol's answer to it.
macro_rules! answers {
    ($Refusal:ty, $answer:path) => {
        impl From<$Refusal> for crate::refusal::Reason {
            fn from(refusal: $Refusal) -> Self {
                Self::Own(refusal.meta())
            }
        }

        impl From<$Refusal> for crate::refusal::Stop {
            fn from(refusal: $Refusal) -> Self {
                crate::refusal::Reason::from(refusal).into()
            }
        }

        /// Whether the protocol answers this reason with this refusal.
        impl PartialEq<$Refusal> for crate::refusal::Reason {
            fn eq(&self, refusal: &$Refusal) -> bool {
                $answer(*self) == refusal.meta()
            }
        }
    };
}
pub(crate) use answers;

/// The error of a row that cannot be sent.
pub(crate) const fn damaged(table: &'static TableMeta) -> Halt {
    Halt::Damaged { table: table.name }
}
