//! Backends of [`wallet_engine`]: SQLite, PostgreSQL, and memory for tests and simulations. No platform is known here: the
//! schema is a type parameter.
//!
//! A [`Store`] has one writer thread. It forms a batch of the commands that wait, decides them in order on one working set,
//! writes once, commits once, and answers after the commit: a caller that was answered reads what was written, and a
//! commit's cost is shared. Queries run on read connections of their own.
//!
//! Any number of processes may share a database of PostgreSQL (feature `postgres`); then their batches take turns.
//!
//! All SQL of the project is in this crate.
//!
//! ```no_run
//! # // A schema of your own; `examples/own_protocol.rs` has a whole one.
//! # fn start<S: wallet_engine::Schema<Vault = ()>>(tables: &[wallet_store::Migration]) -> Result<(), wallet_store::OpenError> {
//! use std::sync::Arc;
//! use wallet_store::{Database, Options, Store, SystemClock};
//!
//! let database = Database::<S>::open("cards.db".as_ref(), tables)?;
//! let store = Store::start(database, (), Options::new(Arc::new(SystemClock)))?;
//! // `store.submit(command).await` decides and commits; `store.view(query).await` reads.
//! # drop(store);
//! # Ok(())
//! # }
//! ```

mod clock;
mod error;
mod log;
mod measure;
mod memory;
mod migrations;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
mod store;

pub use clock::{Clock, SystemClock};
pub use error::OpenError;
pub use measure::{Distribution, Measured};
pub use memory::Memory;
pub use migrations::{Migration, WALLOP};
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, Shared};
pub use sqlite::{Database, ReadOnly, Sqlite, WRITER_PRAGMAS, WriterSettings, back_up, restore};
pub use store::{Options, Store};
