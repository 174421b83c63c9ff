//! The generated types of the wallet open platforms, one module each. Everything in them comes from `spec/*.toml`.
//! Calls are `wallet-client`'s, answers `wallet-server`'s.
//!
//! ```
//! use wallet_api::fomo::{Fomo, get_transfer_detail};
//! use wallet_core::{EncodeCx, OutgoingRequest, Platform};
//!
//! let request = get_transfer_detail::Request::new(wallet_api::fomo::TransferId::new(42));
//! let cx = EncodeCx { base_url: "http://127.0.0.1:7070/fomo/", format: Default::default(), bearer: Some("…token…".trim_matches('…')), signer: None };
//! let http = request.encode(&cx)?;
//! assert_eq!(http.uri().path(), "/fomo/oauth2/resource/get_transfer_detail");
//! assert_eq!(http.body(), b"transfer_id=42");
//! assert_eq!(Fomo::META.endpoints[0].path, "oauth2/authorize");
//! # Ok::<(), wallet_core::EncodeError>(())
//! ```

pub mod fomo;
pub mod vas;
