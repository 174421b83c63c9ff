//! What a command and a query are.

use std::cell::Cell;
use std::time::Duration;

use wallet_api::fomo::Refusal;
use wallet_api::vas;
use wallet_core::UnixTime;

use crate::entities::{Coin, Rows, Transfer};
use crate::rows::Changes;
use crate::vault::Vault;

/// Why a command or query has not run to its end.
#[derive(Debug)]
pub enum Stop {
    /// A row was not loaded: load what is wanted and run it again.
    Missing,
    /// The platform says no.
    Refused(Box<Refused>),
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

/// The platform says no, and why.
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
            Err(missing) => return missing,
        };
        let decimals = coin.map_or(0, |coin| coin.decimals);
        let data = Some(RefusedData::Transfer { transfer: Box::new(transfer.clone()), decimals });
        Self { data, ..Self::new(refusal) }.into()
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

/// Hands out row numbers. One counter serves every table.
#[derive(Debug)]
pub struct Ids(Cell<u64>);

impl Ids {
    /// The next number will be `next`.
    pub fn starting_at(next: u64) -> Self {
        Self(Cell::new(next))
    }

    /// The number that will be handed out next: what a store keeps, and what it sets back when a command stopped.
    pub fn peek(&self) -> u64 {
        self.0.get()
    }

    /// Sets the counter back (or on).
    pub fn reset(&self, next: u64) {
        self.0.set(next);
    }

    pub(crate) fn next(&self) -> u64 {
        let id = self.0.get();
        self.0.set(id + 1);
        id
    }
}

/// What a decision may know beside its rows.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time.
    pub now: UnixTime,
    /// Row numbers.
    pub ids: &'a Ids,
    /// Keyed hashes and sealed texts.
    pub vault: &'a Vault,
}

/// Decides, and may change rows.
pub trait Command: Send + 'static {
    /// What it answers.
    type Outcome: Send + 'static;

    /// Decides. The same rows, time and numbers give the same result. What stands in `out` after a refusal is kept (a
    /// counter, a revocation); after [`Stop::Missing`] it is discarded.
    ///
    /// # Errors
    /// [`Stop`].
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop>;
}

/// Reads.
pub trait Query: Send + 'static {
    /// What it answers.
    type Answer: Send + 'static;

    /// Reads.
    ///
    /// # Errors
    /// [`Stop`].
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop>;
}
