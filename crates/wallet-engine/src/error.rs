//! The errors of commands and queries.

use std::fmt;

use crate::command::Halt;

/// A failure of the store, as opposed to a refusal of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The queue is full: try again later.
    Overloaded,
    /// The store has stopped.
    Stopped,
    /// The database reported an error; nothing was written.
    Database(String),
    /// The connection was lost, or another process was in the way; nothing was written. The engine runs the batch again.
    Interrupted(String),
    /// A commit has no answer, and could not be settled in time: it may or may not hold.
    Unknown(String),
    /// A row that another row refers to does not exist, or a column holds a value outside its type; nothing was
    /// written.
    Damaged(String),
    /// A command or query panicked, which is a bug; nothing was written.
    Panicked(String),
    /// The disk failed during a commit. The commit's state is unknown until the store is reopened, so this store stops.
    Broken(String),
}

impl StoreError {
    /// The classes of errors, each for one variant.
    pub const CLASSES: [&'static str; 8] =
        ["overloaded", "stopped", "database", "interrupted", "unknown", "damaged", "panicked", "broken"];

    /// The class of the error, for metrics.
    pub const fn class(&self) -> &'static str {
        let at = match self {
            Self::Overloaded => 0,
            Self::Stopped => 1,
            Self::Database(_) => 2,
            Self::Interrupted(_) => 3,
            Self::Unknown(_) => 4,
            Self::Damaged(_) => 5,
            Self::Panicked(_) => 6,
            Self::Broken(_) => 7,
        };
        Self::CLASSES[at]
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Overloaded | Self::Interrupted(_))
    }

    /// Whether the fault is one of the moment: the caller may look, and try again, in a while.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Overloaded | Self::Stopped | Self::Interrupted(_) | Self::Unknown(_))
    }

    /// [`StoreError::Damaged`] for a table.
    pub fn damaged(table: &str) -> Self {
        Self::Damaged(format!("table {table}"))
    }
}

impl From<Halt> for StoreError {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Damaged { table } => Self::damaged(table),
            Halt::Missing => Self::Database("a row was not loaded".to_owned()),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overloaded => f.write_str("the store's queue is full; try again in a moment"),
            Self::Stopped => f.write_str("the store has stopped"),
            Self::Database(why) => write!(f, "database error, nothing was written: {why}"),
            Self::Interrupted(why) => write!(f, "interrupted, nothing was written; try again: {why}"),
            Self::Unknown(why) => write!(
                f,
                "the database did not confirm the commit, which may or may not hold; look before you repeat: {why}"
            ),
            Self::Damaged(place) => {
                write!(f, "the database is damaged ({place}), nothing was written; restore a backup")
            }
            Self::Panicked(why) => write!(f, "a decision panicked, nothing was written: {why}"),
            Self::Broken(why) => {
                write!(f, "disk error during commit; the store has shut down to avoid data loss: {why}")
            }
        }
    }
}

impl std::error::Error for StoreError {}

/// Why a command or query has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure<R> {
    /// The platform refused.
    Refused(Box<R>),
    /// The store failed.
    Store(StoreError),
}

impl<R> Failure<R> {
    /// The refusal, if it is one.
    pub fn refused(&self) -> Option<&R> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Store(_) => None,
        }
    }
}

impl<R> From<StoreError> for Failure<R> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<R> From<Halt> for Failure<R> {
    fn from(halt: Halt) -> Self {
        Self::Store(halt.into())
    }
}

impl<R: fmt::Display> fmt::Display for Failure<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => write!(f, "refused: {refused}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl<R: fmt::Debug + fmt::Display> std::error::Error for Failure<R> {}
