//! Small programs that embed the crates of `wallop`. Run one with `cargo run -p wallet-examples --example NAME`.
//!
//! | example | shows | crates |
//! |---|---|---|
//! | `std_client` | the sans-IO core over plain `std::net`: no runtime, no HTTP library | `wallet-core`, `wallet-api` |
//! | `axum_merchant` | a FOMO merchant: a payment, and goods after its genuine callback | `wallet-client`, `wallet-hyper` |
//! | `vas_merchant` | a merchant of the VAS wallet: a signed link, and an order that is booked once | `wallet-client`, `wallet-hyper` |
//! | `verify_callback` | a FOMO callback that is verified before it is read | `wallet-client` |
//! | `delivery_machine` | when a callback is attempted, by its state machine | `wallet-core`, `wallet-api` |
//! | `embed_platform` | a deposit, a refusal and a balance in memory, under a clock of your own | `wallet-platform`, `wallet-engine` |
//! | `custom_backend` | a schema of your own, on a database of your own | `wallet-engine` |
//! | `own_protocol` | a protocol of your own: its TOML, rows on SQLite, three commands, hyper | all but the platform |
