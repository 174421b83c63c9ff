//! The sandbox: a server with demo users, coins and an app, and a clock that can be moved. Offline, on loopback, on one
//! port. [`Sandbox::start`] runs one in this process; `wallop dev` is nothing else. [`demo`] plays the integrator.

mod clock;
mod data;
pub mod demo;
mod routes;
mod sandbox;

pub use clock::SandboxClock;
pub use data::{Described, DescribedFomo, DescribedUser};
pub use sandbox::{Sandbox, SandboxError, SandboxOptions};
