//! How a client sends a request, whatever the runtime.

use std::future::Future;

/// Sends one HTTP request and returns the whole reply. `wallet-hyper` implements it over hyper; a test may do so over a
/// function.
pub trait Transport: Send + Sync {
    /// The error of a failed exchange.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Sends `request`, whose URI is absolute. The transport enforces the deadline.
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> impl Future<Output = Result<http::Response<Vec<u8>>, Self::Error>> + Send;
}

impl<T: Transport> Transport for &T {
    type Error = T::Error;

    fn send(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> impl Future<Output = Result<http::Response<Vec<u8>>, Self::Error>> + Send {
        (**self).send(request)
    }
}
