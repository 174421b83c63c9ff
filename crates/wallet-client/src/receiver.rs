//! Callbacks, checked before they are believed.

use std::fmt;
use std::sync::Arc;

use wallet_api::fomo::payment_result;
use wallet_core::crypto::Crypto;
use wallet_core::webhook::{self, WebhookError};
use wallet_core::{Callback, Fault, Secret, UnixTime};

/// Checks callbacks with an app's client_secret (R9). The platform's own signature headers are required; a platform that
/// sends none is asked by [`FomoApp::trade`](crate::FomoApp::trade) instead.
#[derive(Clone)]
pub struct CallbackReceiver {
    crypto: Arc<dyn Crypto>,
    secret: Secret<String>,
}

impl fmt::Debug for CallbackReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackReceiver").finish_non_exhaustive()
    }
}

/// Why a callback is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackError {
    /// Its signature headers do not fit.
    Signature(WebhookError),
    /// It is signed and cannot be read.
    Malformed(Fault),
}

impl fmt::Display for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature(error) => error.fmt(f),
            Self::Malformed(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for CallbackError {}

impl CallbackReceiver {
    /// A receiver for the app with this secret.
    pub fn new(crypto: Arc<dyn Crypto>, client_secret: &str) -> Self {
        Self { crypto, secret: client_secret.into() }
    }

    /// Verifies a callback and reads it. The same callback may come again: book each transfer_id once, then answer
    /// [`CallbackReceiver::acknowledgement`].
    ///
    /// # Errors
    /// [`CallbackError`]; answer [`CallbackReceiver::rejection`].
    pub fn receive<'a>(
        &self,
        request: &'a http::Request<impl AsRef<[u8]>>,
        now: UnixTime,
    ) -> Result<payment_result::Payload<'a>, CallbackError> {
        let body = request.body().as_ref();
        if let Some(rule) = payment_result::Callback::META.signing {
            webhook::verify(
                &*self.crypto,
                rule,
                self.secret.expose().as_bytes(),
                request.headers(),
                body,
                now,
            )
            .map_err(CallbackError::Signature)?;
        }
        payment_result::Callback::decode(body).map_err(CallbackError::Malformed)
    }

    /// What ends the delivery: exactly HTTP 200.
    pub fn acknowledgement() -> http::Response<Vec<u8>> {
        let mut response = http::Response::new(b"ok".to_vec());
        *response.status_mut() = http::StatusCode::OK;
        response
    }

    /// What a callback that is not believed is answered with; the platform will send it again.
    pub fn rejection(error: CallbackError) -> http::Response<Vec<u8>> {
        let mut response = http::Response::new(error.to_string().into_bytes());
        *response.status_mut() = http::StatusCode::BAD_REQUEST;
        response
    }
}
