//! One call: encode, send, decode.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use wallet_api::fomo::ErrorCode;
use wallet_core::{
    BodyFormat, EncodeCx, EncodeError, Endpoint, OutgoingRequest, Refused, ResponseError, Secret, Signer,
    Transport, UnixTime,
};

/// Why a call has no answer. `C` is the platform's enum of status codes.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError<E, C = ErrorCode> {
    /// The request cannot be made.
    Encode(EncodeError),
    /// It did not get through, or the reply did not come back.
    Transport(E),
    /// The platform refused.
    Refused(Refused<C>),
    /// The reply is not this platform's.
    NotUnderstood {
        /// Its HTTP status.
        http: u16,
        /// What was expected and not found.
        reason: String,
        /// The beginning of the body.
        body: Secret<String>,
    },
}

impl<E, C: Copy> CallError<E, C> {
    /// The status code, when the platform refused.
    pub fn code(&self) -> Option<C> {
        match self {
            Self::Refused(refused) => Some(refused.code),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without anything being changed. What moves money is to be looked up by its
    /// trade_id first ([`FomoApp::trade`](crate::FomoApp::trade)); a trade_id is never used twice, so repeating is safe.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(_) | Self::NotUnderstood { .. } => true,
            Self::Refused(refused) => refused.http >= 500,
            Self::Encode(_) => false,
        }
    }
}

impl<E, C: fmt::Display> fmt::Display for CallError<E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(_) => f.write_str("the request cannot be made"),
            Self::Transport(_) => f.write_str("the exchange with the platform failed"),
            Self::Refused(refused) => {
                write!(f, "the platform refused with {}: {}", refused.code, refused.message)
            }
            Self::NotUnderstood { http, reason, .. } => {
                write!(f, "the reply (HTTP {http}) is not this platform's: {reason}; is the base URL right?")
            }
        }
    }
}

impl<E, C> std::error::Error for CallError<E, C>
where
    E: std::error::Error + 'static,
    C: fmt::Display + fmt::Debug,
{
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Transport(error) => Some(error),
            Self::Refused(_) | Self::NotUnderstood { .. } => None,
        }
    }
}

/// The operating system's time, for clients that have no other clock.
pub fn system_time() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What a call of `R` over `T` comes to.
pub(crate) type Called<T, R> = Result<
    <<R as OutgoingRequest>::Endpoint as Endpoint>::Response,
    CallError<<T as Transport>::Error, <<R as OutgoingRequest>::Endpoint as Endpoint>::Error>,
>;

/// Sends one request and reads its reply.
pub(crate) async fn call<T, R>(
    transport: &T,
    base_url: &str,
    bearer: Option<&str>,
    signer: Option<Signer<'_>>,
    request: R,
) -> Called<T, R>
where
    T: Transport,
    R: OutgoingRequest,
{
    let cx = EncodeCx { base_url, format: BodyFormat::Form, bearer, signer };
    let request = request.encode(&cx).map_err(CallError::Encode)?;
    let response = transport.send(request).await.map_err(CallError::Transport)?;
    R::decode_response(&response).map_err(|error| match error {
        ResponseError::Refused(refused) => CallError::Refused(refused),
        ResponseError::NotUnderstood { http, reason, body } => {
            CallError::NotUnderstood { http, reason, body }
        }
        other => CallError::NotUnderstood {
            http: response.status().as_u16(),
            reason: other.to_string(),
            body: Secret::default(),
        },
    })
}

/// A base URL with its closing slash.
pub(crate) fn base(url: &str) -> String {
    if url.ends_with('/') { url.to_owned() } else { format!("{url}/") }
}
