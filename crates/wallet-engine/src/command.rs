//! The traits of commands and queries.

use std::cell::Cell;
use std::fmt;

use wallet_core::UnixTime;

use crate::rows::{Changes, Rows};
use crate::schema::Schema;

/// Why a decision could not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// A row is not loaded: load the requested row and run the decision again.
    Missing,
    /// A row that another row refers to does not exist: the database is damaged.
    Damaged {
        /// The table without the row.
        table: &'static str,
    },
}

/// How a decision of a schema ends early: it could not go on, or it refused.
pub trait Stop: From<Halt> {
    /// A refusal.
    type Refused: fmt::Debug + Send + 'static;
    /// The refusal.
    ///
    /// # Errors
    /// Why the decision could not go on, if it did not refuse.
    fn into_refused(self) -> Result<Box<Self::Refused>, Halt>;
}

/// The [`Stop`] of a schema that refuses with an `R` and needs nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopWith<R> {
    /// It could not go on.
    Halt(Halt),
    /// It refused.
    Refused(R),
}

impl<R> From<Halt> for StopWith<R> {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl<R: fmt::Debug + Send + 'static> Stop for StopWith<R> {
    type Refused = R;
    fn into_refused(self) -> Result<Box<R>, Halt> {
        match self {
            Self::Refused(refusal) => Ok(Box::new(refusal)),
            Self::Halt(halt) => Err(halt),
        }
    }
}

/// The refusals of a schema.
pub type RefusedOf<S> = <<S as Schema>::Stop as Stop>::Refused;

/// Hands out row numbers. One counter serves every table.
#[derive(Debug)]
pub struct Ids(Cell<u64>);

impl Ids {
    /// The next number is `next`.
    pub fn starting_at(next: u64) -> Self {
        Self(Cell::new(next))
    }

    /// The number that is handed out next, without handing it out.
    pub fn peek(&self) -> u64 {
        self.0.get()
    }

    /// Sets the counter.
    pub fn reset(&self, next: u64) {
        self.0.set(next);
    }

    /// A new number: dense, and in commit order.
    pub fn next(&self) -> u64 {
        let id = self.0.get();
        self.0.set(id + 1);
        id
    }
}

/// The context of a decision: everything except its rows.
pub struct Context<'a, S: Schema> {
    /// The time of the decision.
    pub now: UnixTime,
    /// Row numbers.
    pub ids: &'a Ids,
    /// Keys and settings.
    pub vault: &'a S::Vault,
}

impl<S: Schema> Clone for Context<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Schema> Copy for Context<'_, S> {}

impl<S: Schema> fmt::Debug for Context<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("now", &self.now).field("ids", &self.ids).finish_non_exhaustive()
    }
}

/// Decides, and may change rows.
pub trait Command<S: Schema>: Send + 'static {
    /// Its result.
    type Outcome: Send + 'static;

    /// Decides. The same rows, time, keys and row numbers give the same result. Changes in `out` are kept if the command
    /// succeeds or refuses (a refusal may count a failure), and discarded if it could not go on.
    ///
    /// # Errors
    /// A refusal, or [`Halt`].
    fn apply(
        &self,
        rows: &Rows<S>,
        cx: &Context<'_, S>,
        out: &mut Changes<S>,
    ) -> Result<Self::Outcome, S::Stop>;
}

/// Reads.
pub trait Query<S: Schema>: Send + 'static {
    /// Its result.
    type Answer: Send + 'static;

    /// Reads.
    ///
    /// # Errors
    /// A refusal, or [`Halt`].
    fn read(&self, rows: &Rows<S>, cx: &Context<'_, S>) -> Result<Self::Answer, S::Stop>;
}
