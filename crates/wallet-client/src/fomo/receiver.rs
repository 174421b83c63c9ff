//! Callbacks, verified before they are read.

use std::fmt;
use std::sync::Arc;

use wallet_api::fomo::{ClientSecret, payment_result};
use wallet_core::crypto::Crypto;
use wallet_core::webhook::{self, WebhookError};
use wallet_core::{Callback, Fault, SigningMeta, UnixTime};

/// Checks callbacks with an app's client_secret (R9). The platform's own signature headers are required; if a platform
/// sends none, call [`FomoApp::trade`](crate::FomoApp::trade) instead.
#[derive(Clone)]
pub struct FomoReceiver {
    crypto: Arc<dyn Crypto>,
    secret: ClientSecret<'static>,
}

impl fmt::Debug for FomoReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FomoReceiver").finish_non_exhaustive()
    }
}

/// Why a callback is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FomoCallbackError {
    /// The signature headers do not fit.
    Signature(WebhookError),
    /// The signature fits, but the body cannot be read.
    Malformed(Fault),
}

impl fmt::Display for FomoCallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature(error) => error.fmt(f),
            Self::Malformed(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for FomoCallbackError {}

/// The signing scheme. A spec that signs no callback does not compile here.
const SCHEME: &SigningMeta = match payment_result::Callback::META.signing {
    Some(scheme) => scheme,
    None => panic!("the spec signs this callback"),
};

impl FomoReceiver {
    /// A receiver for the app with this secret.
    pub fn new(crypto: Arc<dyn Crypto>, secret: ClientSecret<'static>) -> Self {
        Self { crypto, secret }
    }

    /// Verifies a callback and reads it. Compare its direction, status, amount and coin with the order of its trade_id: the
    /// platform also reports the app's own payouts and failed payments. The same callback may come again: book each order
    /// once, then answer [`FomoReceiver::acknowledgement`].
    ///
    /// # Errors
    /// [`FomoCallbackError`]; answer [`FomoReceiver::rejection`].
    pub fn receive<'a>(
        &self,
        request: &'a http::Request<impl AsRef<[u8]>>,
        now: UnixTime,
    ) -> Result<payment_result::Payload<'a>, FomoCallbackError> {
        self.receive_parts(request.headers(), request.body().as_ref(), now)
    }

    /// The same, from the headers and the body of a request.
    ///
    /// # Errors
    /// [`FomoCallbackError`]; answer [`FomoReceiver::rejection`].
    pub fn receive_parts<'a>(
        &self,
        headers: &http::HeaderMap,
        body: &'a [u8],
        now: UnixTime,
    ) -> Result<payment_result::Payload<'a>, FomoCallbackError> {
        let secret = self.secret.as_str().as_bytes();
        webhook::verify(&*self.crypto, SCHEME, secret, headers, body, now)
            .map_err(FomoCallbackError::Signature)?;
        payment_result::Callback::decode(body).map_err(FomoCallbackError::Malformed)
    }

    /// The response that ends the delivery: exactly HTTP 200.
    pub fn acknowledgement() -> http::Response<Vec<u8>> {
        let mut response = http::Response::new(b"ok".to_vec());
        *response.status_mut() = http::StatusCode::OK;
        response
    }

    /// The response to a rejected callback; the platform sends the callback again.
    pub fn rejection(error: FomoCallbackError) -> http::Response<Vec<u8>> {
        let mut response = http::Response::new(error.to_string().into_bytes());
        *response.status_mut() = http::StatusCode::BAD_REQUEST;
        response
    }
}
