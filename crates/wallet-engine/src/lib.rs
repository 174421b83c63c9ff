//! A row engine: pure commands on rows, run in batches on any database.
//!
//! A [`Command`] decides on [`Rows`] that its caller loaded, at a time and with keys that its caller passes in
//! ([`Context`]), and lists what changes ([`Changes`]). A [`Query`] reads. Neither knows a database, a clock or a random
//! source. An [`Engine`] runs many commands as one batch on a [`Backend`]: it loads what they ask for, decides them in
//! order on one working set, writes, commits once, and answers each caller after the commit.
//!
//! This crate knows no platform and no database. [`rows!`] and [`schema!`] declare tables; `wallet-store` implements
//! [`Backend`] for SQLite and for memory.
//!
//! ```
//! use wallet_engine::{Changes, Command, Context, Halt, Rows, rows, schema};
//!
//! /// A decision ends early because it could not go on, or because the account has too little.
//! #[derive(Debug)]
//! pub enum Stop { Halt(Halt), TooLittle }
//! impl From<Halt> for Stop {
//!     fn from(halt: Halt) -> Self { Self::Halt(halt) }
//! }
//! impl wallet_engine::Stop for Stop {
//!     type Refused = &'static str;
//!     fn into_refused(self) -> Result<Box<&'static str>, Halt> {
//!         match self { Self::Halt(halt) => Err(halt), Self::TooLittle => Ok(Box::new("too little")) }
//!     }
//! }
//!
//! rows! { in Bank;
//!     /// An account.
//!     account: Account {
//!         key {
//!             /// Its number.
//!             id: u64,
//!         }
//!         /// Cents.
//!         cents: u64,
//!     }
//! }
//!
//! schema! {
//!     /// A bank with one table.
//!     pub struct Bank;
//!     vault: ();
//!     stop: Stop;
//!     account: Account,
//! }
//!
//! struct Withdraw { account: u64, cents: u64 }
//! impl Command<Bank> for Withdraw {
//!     type Outcome = u64;
//!     fn apply(&self, rows: &Rows<Bank>, _: &Context<'_, Bank>, out: &mut Changes<Bank>) -> Result<u64, Stop> {
//!         let before = rows.find::<Account>(&(self.account,))?.map_or(0, |account| account.cents);
//!         let cents = before.checked_sub(self.cents).ok_or(Stop::TooLittle)?;
//!         out.put(Account { id: self.account, cents });
//!         Ok(cents)
//!     }
//! }
//! ```

mod backend;
mod batch;
mod column;
mod command;
mod error;
pub mod journal;
mod list;
mod rows;
mod schema;
mod snapshot;

pub use backend::{Backend, Begun, Look, Turn, Version};
pub use batch::{Awaited, Engine, Job, QueryJob, job, query_job};
pub use column::{Cell, CellSource, Column, ColumnKind};
pub use command::{Command, Context, Halt, Ids, Query, RefusedOf, Stop, StopWith};
pub use error::{Failure, StoreError};
pub use list::{Col, Condition, Filter, IN_A_ROW, List, ListOf, Operand, Order, Test, share_of};
pub use rows::{Change, Changes, Rows, Table};
pub use schema::{ColumnMeta, HasTable, Row, Schema, TableMeta};
pub use snapshot::{Scan, Snapshot};
