//! A third-party app of the VAS and Lafi wallets, seen from its own server.

use std::fmt;

use wallet_api::vas::{
    AccessToken, AppUuid, Application, ApplicationId, Currency, ErrorCode, OpenCode, OrderId, Profile,
    SessionKey, Wallet, aid_info, applications, apply, approve_login, credentials, order, payment, price,
    submit_pay,
};
use wallet_core::crypto::RsaVerifier;
use wallet_core::{Amount, Callback, Fault, Secret, SignatureFault, Transport, UnixTime, VerifyingKey};

use crate::call::{CallError, Called, base, call};

/// The calls of an app. Logins and payments begin with links:
/// [`login::Link`](wallet_api::vas::login::Link), [`pay::Link`](wallet_api::vas::pay::Link).
#[derive(Clone)]
pub struct VasClient<T> {
    transport: T,
    base_url: String,
    app_id: AppUuid<'static>,
    access_token: Secret<String>,
}

impl<T> fmt::Debug for VasClient<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VasClient")
            .field("base_url", &self.base_url)
            .field("app_id", &self.app_id)
            .finish_non_exhaustive()
    }
}

impl<T: Transport> VasClient<T> {
    /// An app with what it was given when its application was approved.
    pub fn new(transport: T, base_url: &str, uuid: &str, access_token: &str) -> Self {
        let app_id = AppUuid::new(uuid.to_owned());
        Self { transport, base_url: base(base_url), app_id, access_token: access_token.into() }
    }

    fn token(&self) -> AccessToken<'_> {
        AccessToken::new(self.access_token.expose().as_str())
    }

    /// Who logged in. An openCode works once and for a minute.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn aid_info(&self, open_code: &str) -> Called<T, aid_info::Request<'_>> {
        let (access_token, app_id) = (self.token(), self.app_id.clone());
        let request = aid_info::Request { open_code: OpenCode::new(open_code), access_token, app_id };
        call(&self.transport, &self.base_url, None, None, request).await
    }

    /// What a profile's coin is worth. Ten times a minute, then the platform refuses (R57).
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn price(
        &self,
        profile: Profile,
        currency: Currency,
    ) -> Result<Amount<'static>, CallError<T::Error, ErrorCode>> {
        let request = price::Request {
            currency: currency.as_str().into(),
            coin_type: Some(profile.coin_type().into()),
            access_token: self.token(),
        };
        Ok(call(&self.transport, &self.base_url, None, None, request).await?.price)
    }
}

impl<T: Transport> VasClient<T> {
    /// Where an order stands: also when its callback or a reply was lost (R83).
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn order(&self, order_id: &str) -> Called<T, order::Request<'_>> {
        let (app_id, access_token) = (self.app_id.clone(), self.token());
        let request = order::Request { app_id, access_token, order_id: OrderId::new(order_id.to_owned()) };
        call(&self.transport, &self.base_url, None, None, request).await
    }
}

/// The wallet's side: what a user consents to, and the applications of those who develop (R60, R61).
#[derive(Debug, Clone)]
pub struct VasWallet<T> {
    transport: T,
    base_url: String,
}

impl<T: Transport> VasWallet<T> {
    /// A wallet that speaks to the platform at this base URL.
    pub fn new(transport: T, base_url: &str) -> Self {
        Self { transport, base_url: base(base_url) }
    }

    /// The user consents to log in: where the wallet goes now. The address holds the openCode.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn approve_login(
        &self,
        session: &SessionKey<'_>,
        link: &str,
    ) -> Called<T, approve_login::Request<'_>> {
        let request = approve_login::Request { session_key: session.clone(), link: link.into() };
        call(&self.transport, &self.base_url, None, None, request).await
    }

    /// The user pays an order. Without `txid` the platform's wallet pays; with it the wallet has broadcast it itself.
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
        let request = submit_pay::Request {
            session_key: session.clone(),
            wallet_pwd: wallet_pwd.into(),
            link: link.into(),
            txid: txid.map(|txid| txid.to_owned().into()),
        };
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
        let request = apply::Request {
            session_key: session.clone(),
            wallet,
            name: name.into(),
            safe_domain: given(safe_domain),
            scheme: given(scheme),
        };
        call(&self.transport, &self.base_url, None, None, request).await
    }

    /// The user's applications and what became of them.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn applications(
        &self,
        session: &SessionKey<'_>,
    ) -> Result<Vec<Application>, CallError<T::Error, ErrorCode>> {
        let request = applications::Request { session_key: session.clone() };
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
        let request = credentials::Request { session_key: session.clone(), pwd: pwd.into(), application_id };
        call(&self.transport, &self.base_url, None, None, request).await
    }
}

/// What a refusal is about. Two codes say that an accessToken is wrong (R58).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The accessToken or the appId is wrong: 900001, 900013.
    Credentials,
    /// The openCode is used, expired or of another app: 900002.
    OpenCode,
    /// There is no price, or it was asked for too often: 900014.
    Price,
    /// There is no such currency: 900015.
    Currency,
    /// The user's session has ended, or the password is wrong.
    User,
    /// The link, the order or the sum cannot be paid like this.
    Payment,
    /// Anything else.
    Other,
}

impl From<ErrorCode> for Kind {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::AccessTokenWrong | ErrorCode::PriceAccessTokenWrong => Self::Credentials,
            ErrorCode::OpenCodeUnknown => Self::OpenCode,
            ErrorCode::PriceUnavailable => Self::Price,
            ErrorCode::CurrencyUnknown => Self::Currency,
            ErrorCode::SessionUnknown | ErrorCode::PwdWrong => Self::User,
            ErrorCode::LinkRefused
            | ErrorCode::SignatureWrong
            | ErrorCode::NotRegistered
            | ErrorCode::NotPayable
            | ErrorCode::OrderDiffers
            | ErrorCode::OrderTaken
            | ErrorCode::TxidTaken
            | ErrorCode::InsufficientBalance => Self::Payment,
            _ => Self::Other,
        }
    }
}

/// Why a callback is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PaymentError {
    /// It cannot be read.
    Malformed(Fault),
    /// It is of another app.
    OtherApp,
    /// Its signature does not fit.
    Signature(SignatureFault),
}

impl fmt::Display for PaymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(fault) => fault.fmt(f),
            Self::OtherApp => f.write_str("the callback is of another app"),
            Self::Signature(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for PaymentError {}

/// The callback of a payment, verified. Its signature proves that the platform **or the holder of the app's own key** made
/// it (R54): compare orderId, toAddr, assetType and amount with the order, and the transaction with the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentCallback<'a> {
    payment: payment::Payload<'a>,
    repeated: bool,
}

impl<'a> PaymentCallback<'a> {
    /// Reads the query of a callback as it was received, and verifies it with the app's public key.
    ///
    /// # Errors
    /// [`PaymentError`]; answer [`PaymentCallback::rejection`].
    pub fn receive(
        query: &'a str,
        uuid: &str,
        key: &dyn RsaVerifier,
        now: UnixTime,
    ) -> Result<Self, PaymentError> {
        let unverified = payment::Callback::decode(query.as_bytes()).map_err(PaymentError::Malformed)?;
        if unverified.key_id() != uuid {
            return Err(PaymentError::OtherApp);
        }
        let repeated = unverified.is_repeated();
        let payment = unverified.verify([VerifyingKey::Rsa(key)], now).map_err(PaymentError::Signature)?;
        Ok(Self { payment, repeated })
    }

    /// A warning, not a fault (R45): the callback's address brought a parameter of the same name and another value. What
    /// counts is what is signed; an address without such parameters is easier to read.
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// What it tells.
    pub fn payment(&self) -> &payment::Payload<'a> {
        &self.payment
    }

    /// The JSON body that ends the delivery, with any 2xx (R52). The same callback may come again: book each order once.
    pub fn acknowledgement() -> &'static str {
        r#"{"success":true,"errorCode":"","errorMsg":""}"#
    }

    /// The JSON body for a callback that is not believed; it will be sent again.
    pub fn rejection() -> &'static str {
        r#"{"success":false,"errorCode":"1","errorMsg":"the callback is not believed"}"#
    }
}
