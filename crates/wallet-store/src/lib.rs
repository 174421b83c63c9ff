//! Backends of [`wallet_engine`]: SQLite, and memory for tests and simulations. No platform is known here: the schema is a
//! type parameter.
//!
//! A [`Store`] has one writer thread. It forms a batch of the commands that wait, decides them in order on one working set,
//! writes once, commits once, and answers after the commit: a caller that was answered reads what was written, and a
//! commit's cost is shared. Queries run on read connections of their own.
//!
//! All SQL of the project is in this crate.

mod clock;
mod error;
mod memory;
mod migrations;
mod sqlite;
mod store;

pub use clock::{Clock, SystemClock};
pub use error::OpenError;
pub use memory::Memory;
pub use migrations::{Migration, WALLOP};
pub use sqlite::{Database, Sqlite, WRITER_PRAGMAS, WriterSettings};
pub use store::{BatchSizes, Options, Store};
