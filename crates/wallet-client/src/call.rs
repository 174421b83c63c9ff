//! One call: encode, send, decode.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use http::header::ACCEPT_LANGUAGE;
use wallet_api::fomo::ErrorCode;
use wallet_core::{
    BodyFormat, EncodeCx, EncodeError, Endpoint, Lang, OutgoingRequest, Refused, ResponseError, Secret,
    Signer, Transport, UnixTime,
};

/// Why a call failed. `C` is the platform's enum of status codes.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError<E, C = ErrorCode> {
    /// The request cannot be encoded.
    Encode(EncodeError),
    /// The transport failed: the request or the reply was lost, so the platform may have executed the request.
    Transport(E),
    /// The platform refused.
    Refused(Refused<C>),
    /// An unexpected reply.
    UnexpectedReply {
        /// Its HTTP status.
        http: u16,
        /// The member that the reply lacks, or the parse error.
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

    /// Whether the same call, unchanged, may succeed later. Before you repeat a payment, look it up by its
    /// trade_id ([`FomoApp::trade`](crate::FomoApp::trade)); the platform accepts a trade_id only once.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(_) | Self::UnexpectedReply { .. } => true,
            Self::Refused(refused) => refused.http >= 500,
            Self::Encode(_) => false,
        }
    }
}

impl<E, C: fmt::Display> fmt::Display for CallError<E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(_) => f.write_str("cannot encode the request"),
            Self::Transport(_) => f.write_str("cannot reach the platform, or its reply was lost"),
            Self::Refused(refused) => {
                write!(f, "the platform refused with {}: {}", refused.code, refused.message)?;
                match &refused.oauth_error {
                    Some(error) => write!(f, " ({error})"),
                    None => Ok(()),
                }
            }
            Self::UnexpectedReply { http, reason, .. } => {
                write!(f, "unexpected response (HTTP {http}): {reason}; check the base URL")
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
            Self::Refused(_) | Self::UnexpectedReply { .. } => None,
        }
    }
}

/// A transport whose requests ask for texts in a language. Without it, the platform's texts are Chinese.
///
/// ```
/// # fn example<T: wallet_core::Transport>(transport: T) {
/// use wallet_client::{FomoClient, InLanguage};
/// use wallet_core::Lang;
///
/// let client = FomoClient::new(InLanguage(transport, Lang::En), "http://127.0.0.1:7070/fomo/");
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct InLanguage<T>(pub T, pub Lang);

impl<T: Transport> Transport for InLanguage<T> {
    type Error = T::Error;

    fn send(
        &self,
        mut request: http::Request<Vec<u8>>,
    ) -> impl Future<Output = Result<http::Response<Vec<u8>>, Self::Error>> + Send {
        let language = match self.1 {
            Lang::Zh => "zh",
            Lang::En => "en",
        };
        request.headers_mut().insert(ACCEPT_LANGUAGE, HeaderValue::from_static(language));
        self.0.send(request)
    }
}

/// The operating system's time; a client without its own clock uses it.
pub fn system_time() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The result of a call of `R` over `T`.
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
        ResponseError::UnexpectedReply { http, reason, body } => {
            CallError::UnexpectedReply { http, reason, body }
        }
        other => CallError::UnexpectedReply {
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
