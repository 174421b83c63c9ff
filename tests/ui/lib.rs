//! The cases stand beside this file; see `main.rs`.
