//! How the platform refuses.

use std::fmt;
use std::time::Duration;

use wallet_api::fomo::Refusal;
use wallet_api::vas;
use wallet_engine::Halt;

use crate::coins::Coin;
use crate::payments::Transfer;
use crate::schema::Rows;

/// Why a command or query has not run to its end.
#[derive(Debug)]
pub enum Stop {
    /// It could not go on.
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

/// A refusal of one of the platforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Of FOMO.
    Fomo(Refusal),
    /// Of the VAS and Lafi wallets.
    Vas(vas::Refusal),
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        Self::Fomo(refusal)
    }
}

impl From<vas::Refusal> for Reason {
    fn from(refusal: vas::Refusal) -> Self {
        Self::Vas(refusal)
    }
}

impl PartialEq<Refusal> for Reason {
    fn eq(&self, other: &Refusal) -> bool {
        *self == Self::Fomo(*other)
    }
}

impl PartialEq<vas::Refusal> for Reason {
    fn eq(&self, other: &vas::Refusal) -> bool {
        *self == Self::Vas(*other)
    }
}

/// A refusal, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which refusal.
    pub refusal: Reason,
    /// The field that is wrong.
    pub field: Option<&'static str>,
    /// How long to wait before another try makes sense.
    pub wait: Option<Duration>,
    /// What the reply's `data` holds.
    pub data: Option<RefusedData>,
}

/// What a refusal tells beside its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusedData {
    /// The transfer that is in the way (R21, R38).
    Transfer {
        /// The transfer.
        transfer: Box<Transfer>,
        /// Its coin's decimals.
        decimals: u8,
    },
    /// The user refused (R31).
    Denied {
        /// Returned unchanged.
        state: String,
    },
}

impl Refused {
    /// A refusal without particulars.
    pub fn new(refusal: impl Into<Reason>) -> Self {
        Self { refusal: refusal.into(), field: None, wait: None, data: None }
    }

    /// The same, and the field that is wrong.
    #[must_use]
    pub fn at(self, field: &'static str) -> Self {
        Self { field: Some(field), ..self }
    }

    pub(crate) fn field(field: &'static str) -> Self {
        Self::new(Refusal::MissingParameter).at(field)
    }

    /// A refusal that tells the transfer in the way.
    pub(crate) fn transfer(rows: &Rows, refusal: Refusal, transfer: &Transfer) -> Stop {
        let coin = match rows.find::<Coin>(&(transfer.coin,)) {
            Ok(coin) => coin,
            Err(halt) => return halt.into(),
        };
        let decimals = coin.map_or(0, |coin| coin.decimals);
        let data = Some(RefusedData::Transfer { transfer: Box::new(transfer.clone()), decimals });
        Self { data, ..Self::new(refusal) }.into()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refusal {
            Reason::Fomo(refusal) => write!(f, "{refusal:?}"),
            Reason::Vas(refusal) => write!(f, "{refusal:?}"),
        }
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Refused::new(refusal).into()
    }
}

impl From<vas::Refusal> for Stop {
    fn from(refusal: vas::Refusal) -> Self {
        Refused::new(refusal).into()
    }
}

impl From<Refused> for crate::schema::Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}
