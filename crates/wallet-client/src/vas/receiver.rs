//! The callback of a payment, verified before it yields a value.

use std::fmt;
use std::sync::Arc;

use wallet_api::vas::{AppUuid, payment};
use wallet_core::crypto::RsaVerifier;
use wallet_core::{Callback, Fault, SignatureFault, UnixTime, VerifyingKey};

/// Why a callback is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VasCallbackError {
    /// The callback cannot be read.
    Malformed(Fault),
    /// The callback belongs to another app.
    OtherApp,
    /// The signature does not fit.
    Signature(SignatureFault),
}

impl fmt::Display for VasCallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(fault) => fault.fmt(f),
            Self::OtherApp => f.write_str("the callback belongs to another app"),
            Self::Signature(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for VasCallbackError {}

/// Verifies callbacks with an app's public key.
#[derive(Clone)]
pub struct VasReceiver {
    app_id: AppUuid<'static>,
    key: Arc<dyn RsaVerifier>,
}

impl fmt::Debug for VasReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VasReceiver").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

impl VasReceiver {
    /// A receiver for the app with this id and this public key, the app's own:
    /// `wallet_crypto::rsa_verifier(&private_key.public())`.
    pub fn new(app_id: AppUuid<'static>, key: Arc<dyn RsaVerifier>) -> Self {
        Self { app_id, key }
    }

    /// Verifies a callback and reads its query: what follows the `?`, as it was received. The same callback may come again:
    /// book each order once, then answer [`VasReceiver::acknowledgement`].
    ///
    /// # Errors
    /// [`VasCallbackError`]; answer [`VasReceiver::rejection`].
    pub fn receive<'a>(&self, query: &'a str, now: UnixTime) -> Result<VasPayment<'a>, VasCallbackError> {
        let unverified = payment::Callback::decode(query.as_bytes()).map_err(VasCallbackError::Malformed)?;
        if unverified.key_id() != self.app_id.as_str() {
            return Err(VasCallbackError::OtherApp);
        }
        let repeated = unverified.is_repeated();
        let payment =
            unverified.verify([VerifyingKey::Rsa(&*self.key)], now).map_err(VasCallbackError::Signature)?;
        Ok(VasPayment { payment, repeated })
    }

    /// The JSON body that ends the delivery, with any 2xx (R52).
    pub fn acknowledgement() -> &'static str {
        r#"{"success":true,"errorCode":"","errorMsg":""}"#
    }

    /// The JSON body that rejects a callback; the platform sends the callback again.
    pub fn rejection() -> &'static str {
        r#"{"success":false,"errorCode":"1","errorMsg":"callback rejected: its signature or a field does not match"}"#
    }
}

/// A payment whose callback was verified. Its signature proves that the platform **or the holder of the app's own key** made
/// it (R54): compare orderId, toAddr, assetType and amount with the order ([`Order::book`](crate::Order::book)), and the
/// transaction with the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VasPayment<'a> {
    payment: payment::Payload<'a>,
    repeated: bool,
}

impl<'a> VasPayment<'a> {
    /// A warning, not a fault (R45): the callback's address brought a parameter of the same name and another value. Only
    /// the signed value counts; an address without such parameters is easier to read.
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// The signed payload.
    pub fn payment(&self) -> &payment::Payload<'a> {
        &self.payment
    }
}
