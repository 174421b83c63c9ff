//! Reads a platform's spec: one TOML file in which every fact of its protocol stands once.
//!
//! [`Spec::read`] walks the recovered TOML table by hand, so that **all** faults of a file are reported together,
//! each with its place and the nearest valid name, and so that what could be read is still there: the macro
//! makes skeleton types of it, and the users of a type are not buried in follow-up errors.
//!
//! This crate knows kinds (endpoint, callback, signing rule, …) and never a platform. It opens no file.
//!
//! ```
//! use wallet_spec::{Source, Spec};
//!
//! let source = Source::new("toy.toml", "[platform]\nid = \"toy\"\nbase_path = \"/toy\"\n");
//! let (_, faults) = Spec::read(&source, None);
//! let place = "toy.toml:3:13: base_path must begin and end with `/`";
//! assert!(faults.iter().any(|fault| fault.to_string().starts_with(place)), "{faults:?}");
//! ```

mod check;
mod fault;
mod model;
mod read;
mod table;

pub use fault::{Fault, Source};
pub use model::*;
