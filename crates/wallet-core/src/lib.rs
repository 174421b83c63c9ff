//! The sans-IO core of `wallop`: what every wallet open platform is made of, without a socket, a clock, a random source
//! or a crypto library. Time is an argument ([`UnixTime`]), crypto is a value that is passed in ([`crypto`]).
//!
//! The types of a platform are generated from its spec by `wallet-macros` on top of this crate; [`Endpoint`] and
//! [`OutgoingRequest`] are what they implement. By themselves useful are [`Amount`], [`form`], [`Delivery`] and
//! [`webhook`].
//!
//! ```
//! use wallet_core::Amount;
//!
//! let amount: Amount = "1.50".parse()?;
//! assert_eq!(amount.units(6)?.get(), 1_500_000);
//! assert_eq!(amount.as_str(), "1.50"); // the text is kept for replies
//! assert_eq!(amount, "1.5".parse()?); // and compared by value
//! # Ok::<(), wallet_core::AmountError>(())
//! ```

pub mod address;
mod amount;
mod body;
pub mod crypto;
mod delivery;
mod endpoint;
mod fault;
mod field;
pub mod form;
pub mod json;
mod lenient;
pub mod link;
mod link_text;
mod meta;
pub mod multipart;
mod reply;
mod scan;
mod secret;
mod sign;
mod time;
mod transport;
pub mod types;
pub mod webhook;
mod writer;

pub use amount::{Amount, AmountError, Units};
pub use body::Slots;
pub use delivery::{Delivery, DeliveryState, Input, Output, Snapshot, acknowledges};
pub use endpoint::{
    Bearer, Callback, DecodeError, EncodeCx, Endpoint, OutgoingRequest, Platform, bearer, decode_callback,
    decode_fields, peek, write_request,
};
pub use fault::{EncodeError, Fault, FaultKind};
pub use field::{Field, Malformed, Value};
pub use meta::*;
pub use reply::{
    Data, FromCode, RefusalBody, Refused, Reply, ResponseError, fault_body, message, read_reply,
    refusal_body, success_body, with_wait,
};
pub use secret::{Secret, Wipe};
pub use sign::{Canonical, Signature, SignatureFault, Signed, Signer, Unverified, VerifyingKey, sign};
pub use time::UnixTime;
pub use transport::Transport;
pub use types::{Choice, Open};
/// The model of a spec.
pub use wallet_spec as spec;
pub use writer::{BodyFormat, FieldWriter};

/// An error with its causes, in one line: for logs and for people. At most 300 characters.
pub fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words.truncate(words.char_indices().nth(300).map_or(words.len(), |(at, _)| at));
    words
}

/// What generated code names; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use http;
    pub use serde;
    pub use std::borrow::Cow;
}
