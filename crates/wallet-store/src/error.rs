//! Why there is no outcome.

use std::fmt;

use wallet_platform::Refused;

/// What can go wrong beside the platform saying no.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The queue is full: try again later.
    Overloaded,
    /// The store has stopped.
    Stopped,
    /// The database refused; nothing was written.
    Database(String),
    /// The decision itself failed, which is a fault of this program; nothing was written.
    Panicked(String),
    /// The disk failed in a commit. What is on it is not known until the store is opened again, so this store stops.
    Broken(String),
}

impl StoreError {
    /// Whether the same may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Overloaded)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overloaded => f.write_str("the store's queue is full; try again in a moment"),
            Self::Stopped => f.write_str("the store has stopped"),
            Self::Database(why) => write!(f, "the database refused, nothing was written: {why}"),
            Self::Panicked(why) => write!(f, "a decision failed, nothing was written: {why}"),
            Self::Broken(why) => write!(f, "the disk failed in a commit, the store stops: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The platform says no.
    Refused(Box<Refused>),
    /// The store could not.
    Store(StoreError),
}

impl Failure {
    /// The refusal, if it is one.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Store(_) => None,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => write!(f, "refused: {:?}", refused.refusal),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}
