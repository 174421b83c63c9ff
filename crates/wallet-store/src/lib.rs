//! Runs the platform's commands in batches, and its queries beside them.
//!
//! A [`Store`] has one writer thread. It forms a batch of what waits, decides each command in order on one working set of
//! rows, writes once, commits once, and answers after the commit: whoever was answered reads what was written, and a
//! commit's cost is shared. Queries run on read connections of their own.
//!
//! All SQL of the project stands in this crate.

mod backend;
mod clock;
mod engine;
mod error;
mod memory;
mod migrations;
mod sqlite;
mod store;

pub use clock::{Clock, SystemClock};
pub use engine::{Awaited, Engine, Job, job};
pub use error::{Failure, StoreError};
pub use memory::Memory;
pub use sqlite::{FIRST_ID, Sqlite, WriterSettings, prepare_for_writing};
pub use store::{BatchSizes, OpenError, Options, Store};
