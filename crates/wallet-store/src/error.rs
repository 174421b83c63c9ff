//! Why a store does not open.

use std::fmt;

use wallet_engine::StoreError;

/// Why a store does not open. The text says what happened and what to do.
#[derive(Debug)]
pub struct OpenError(String);

impl OpenError {
    /// With a text that says what happened and what to do.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OpenError {}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}
