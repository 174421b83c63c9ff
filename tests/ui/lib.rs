//! The cases are beside this file; see `main.rs`.
