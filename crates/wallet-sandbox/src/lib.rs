//! The sandbox: a server with demo users, coins and an app, and a clock that can be moved. Offline, on loopback, on one
//! port. [`Sandbox::start`] runs one in this process, like `wallop dev`. [`demo`] plays the integrator. Never run it in
//! production.
//!
//! ```no_run
//! # async fn example() -> Result<(), wallet_sandbox::SandboxError> {
//! use wallet_sandbox::{Sandbox, SandboxOptions};
//!
//! let sandbox = Sandbox::start(SandboxOptions::default()).await?; // any free port of loopback
//! println!("{}", sandbox.described().url);
//! # Ok(())
//! # }
//! ```

mod chain;
mod clock;
mod data;
pub mod demo;
mod explained;
mod merchant;
mod operator;
mod pages;
mod recorder;
mod routes;
mod sandbox;
mod state;
mod words;

pub use clock::SandboxClock;
pub use data::{
    Described, DescribedChain, DescribedFomo, DescribedShop, DescribedSignIn, DescribedUser, DescribedVas,
};
pub use sandbox::{Log, Sandbox, SandboxError, SandboxOptions, clock_of};
