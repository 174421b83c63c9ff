//! Reads a platform's spec: one TOML file which states every fact of its protocol once.
//!
//! [`Spec::read`] walks the recovered TOML table by hand, so that **all** faults of a file are reported together,
//! each with its place and the nearest valid name, and so that what could be read is still there: the macro
//! makes skeleton types of it, and the users of a type are not buried in follow-up errors.
//!
//! This crate knows kinds (endpoint, callback, signing scheme, …) and never a platform. It opens no file. Without the
//! feature `read` it is the model alone, and has no dependencies: so `wallet-core` has it as its module `spec`.
//!
//! ```
//! # #[cfg(feature = "read")] {
//! use wallet_spec::{Arena, Source, Spec};
//!
//! let (arena, source) =
//!     (Arena::new(), Source::new("toy.toml", "[platform]\nid = \"toy\"\nbase_path = \"/toy\"\n"));
//! let (_, faults) = Spec::read(&arena, &source, None);
//! let place = "toy.toml:3:13: base_path must begin and end with `/`";
//! assert!(faults.iter().any(|fault| fault.to_string().starts_with(place)), "{faults:?}");
//! # }
//! ```

#[cfg(feature = "read")]
mod check;
#[cfg(feature = "read")]
mod constant;
#[cfg(feature = "read")]
mod fault;
#[cfg(feature = "read")]
mod file;
mod model;
#[cfg(feature = "read")]
pub mod names;
#[cfg(feature = "read")]
mod read;
#[cfg(feature = "read")]
mod table;
#[cfg(feature = "read")]
mod writer;

#[cfg(feature = "read")]
pub use fault::{Diagnostic, Source};
#[cfg(feature = "read")]
pub use file::Arena;
pub use model::*;
