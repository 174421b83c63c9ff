//! What is wrong with a request that cannot be read, and how it is answered.

use std::fmt;

use crate::RefusalMeta;

/// What is wrong with a request that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// A field is not there.
    Missing,
    /// A field is there and empty.
    Empty,
    /// A field has more characters than it may.
    TooLong,
    /// A field's text is not of its type.
    Malformed,
    /// A field's bytes are not UTF-8.
    NotUtf8,
    /// A field is there more than once, with different values.
    Repeated,
    /// A field has another value than the only one it may have.
    WrongValue,
    /// The body is of an unknown content type or does not decode.
    Body,
    /// There is no bearer token.
    NoBearer,
}

/// A request that cannot be read, and how to answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// With which field.
    pub field: Option<&'static str>,
    /// How it is answered.
    pub refusal: &'static RefusalMeta,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, field: Option<&'static str>, refusal: &'static RefusalMeta) -> Self {
        Self { kind, field, refusal }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            FaultKind::Missing => "is missing",
            FaultKind::Empty => "is empty",
            FaultKind::TooLong => "is too long",
            FaultKind::Malformed => "is malformed",
            FaultKind::NotUtf8 => "is not UTF-8",
            FaultKind::Repeated => "is repeated with different values",
            FaultKind::WrongValue => "has another value than the one it must have",
            FaultKind::Body => "cannot be decoded",
            FaultKind::NoBearer => "has no bearer token",
        };
        write!(f, "{} {what}", self.field.unwrap_or("the request"))
    }
}

impl std::error::Error for Fault {}
