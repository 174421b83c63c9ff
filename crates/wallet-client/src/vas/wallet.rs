//! The wallet's side: the user's logins and payments, and the developer's applications.

use wallet_api::vas::{
    Application, ApplicationId, ErrorCode, SessionKey, Wallet, applications, apply, approve_login,
    credentials, submit_pay,
};
use wallet_core::Transport;

use crate::call::{CallError, Called, base, call};

/// The wallet's side: the user's logins and payments, and the developer's applications (R60, R61).
///
/// Its sessions are those of [`FomoWallet::login`](crate::FomoWallet::login): `SessionKey::new(session_key.as_str())`.
#[derive(Debug, Clone)]
pub struct VasWallet<T> {
    transport: T,
    base_url: String,
}

impl<T: Transport> VasWallet<T> {
    /// A wallet that speaks to the platform at this base URL, for example `http://127.0.0.1:7070/vas/server/`.
    pub fn new(transport: T, base_url: &str) -> Self {
        Self { transport, base_url: base(base_url) }
    }

    /// The user consents to log in. The wallet opens the reply's address, which holds the openCode. `address` is the user's on
    /// the chain, from a wallet that has its keys; where the platform's wallet pays, it is not needed.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn approve_login(
        &self,
        session: &SessionKey<'_>,
        link: &str,
        address: Option<&str>,
    ) -> Called<T, approve_login::Request<'_>> {
        let mut request = approve_login::Request::new(session.clone(), link.into());
        request.address = address.map(|address| address.to_owned().into());
        call(&self.transport, &self.base_url, None, None, request).await
    }

    /// The user pays an order. Without `txid` the platform's wallet pays; with it the wallet has broadcast the payment.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn pay(
        &self,
        session: &SessionKey<'_>,
        wallet_pwd: &str,
        link: &str,
        txid: Option<&str>,
    ) -> Called<T, submit_pay::Request<'_>> {
        let mut request = submit_pay::Request::new(session.clone(), wallet_pwd.into(), link.into());
        request.txid = txid.map(|txid| txid.to_owned().into());
        call(&self.transport, &self.base_url, None, None, request).await
    }

    /// Applies for access; the safe domain and the scheme may be empty, but not both.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn apply(
        &self,
        session: &SessionKey<'_>,
        wallet: Wallet,
        name: &str,
        safe_domain: &str,
        scheme: &str,
    ) -> Called<T, apply::Request<'_>> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned().into());
        let mut request = apply::Request::new(session.clone(), wallet, name.into());
        request.safe_domain = given(safe_domain);
        request.scheme = given(scheme);
        call(&self.transport, &self.base_url, None, None, request).await
    }

    /// The user's applications and their reviews.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn applications(
        &self,
        session: &SessionKey<'_>,
    ) -> Result<Vec<Application>, CallError<T::Error, ErrorCode>> {
        let request = applications::Request::new(session.clone());
        Ok(call(&self.transport, &self.base_url, None, None, request).await?.applications)
    }

    /// The credentials of an application that was approved.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn credentials(
        &self,
        session: &SessionKey<'_>,
        pwd: &str,
        application_id: ApplicationId,
    ) -> Called<T, credentials::Request<'_>> {
        let request = credentials::Request::new(session.clone(), pwd.into(), application_id);
        call(&self.transport, &self.base_url, None, None, request).await
    }
}
