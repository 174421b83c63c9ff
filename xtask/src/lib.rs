//! What chores and tests share: the documents that are derived from a spec.

pub mod postman;
pub mod reference;
