//! A third-party app of the VAS and Lafi wallets, seen from its own server.

use std::fmt;

use wallet_api::vas::{
    AccessToken, AppUuid, Currency, ErrorCode, OpenCode, OrderId, Profile, aid_info, order, price,
};
use wallet_core::{Amount, Transport};

use crate::call::{CallError, Called, base, call};

/// The credentials of an approved app.
#[derive(Clone)]
pub struct VasCredentials {
    /// The app's id: `appUuid` in links, `appId` in calls, `uuid` in callbacks.
    pub app_id: AppUuid<'static>,
    /// The token that authenticates the app's calls.
    pub access_token: AccessToken<'static>,
}

impl fmt::Debug for VasCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VasCredentials").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

/// A third-party app with its credentials: every call needs them. Logins and payments begin with links:
/// [`login::Link`](wallet_api::vas::login::Link), [`pay::Link`](wallet_api::vas::pay::Link).
#[derive(Clone)]
pub struct VasApp<T> {
    transport: T,
    base_url: String,
    credentials: VasCredentials,
}

impl<T> fmt::Debug for VasApp<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VasApp")
            .field("base_url", &self.base_url)
            .field("app_id", &self.credentials.app_id)
            .finish_non_exhaustive()
    }
}

impl<T: Transport> VasApp<T> {
    /// An app of the platform at this base URL, for example `http://127.0.0.1:7070/vas/server/`.
    pub fn new(transport: T, base_url: &str, credentials: VasCredentials) -> Self {
        Self { transport, base_url: base(base_url), credentials }
    }

    /// The user who logged in. An openCode can be redeemed once, within a minute.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn aid_info(&self, open_code: &str) -> Called<T, aid_info::Request<'_>> {
        let VasCredentials { app_id, access_token } = self.credentials.clone();
        let request = aid_info::Request::new(OpenCode::new(open_code), access_token, app_id);
        call(&self.transport, &self.base_url, None, None, request).await
    }

    /// The price of a profile's coin. The platform refuses more than ten calls a minute (R57).
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn price(
        &self,
        profile: Profile,
        currency: Currency,
    ) -> Result<Amount<'static>, CallError<T::Error, ErrorCode>> {
        let mut request =
            price::Request::new(currency.as_str().into(), self.credentials.access_token.clone());
        request.coin_type = Some(profile.coin_type().into());
        Ok(call(&self.transport, &self.base_url, None, None, request).await?.price)
    }

    /// The state of an order, also after a lost callback or reply (R83).
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn order(&self, order_id: &str) -> Called<T, order::Request<'_>> {
        let VasCredentials { app_id, access_token } = self.credentials.clone();
        let request = order::Request::new(app_id, access_token, OrderId::new(order_id.to_owned()));
        call(&self.transport, &self.base_url, None, None, request).await
    }
}

/// The kind of a refusal. Two codes mean a wrong accessToken (R58).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VasErrorKind {
    /// The accessToken or the appId is wrong: 900001, 900013.
    Credentials,
    /// The openCode is used, expired or of another app: 900002.
    OpenCode,
    /// There is no price, or the calls are too frequent: 900014.
    Price,
    /// There is no such currency: 900015.
    Currency,
    /// The user's session has ended, or the password is wrong.
    User,
    /// The link, the order or the amount cannot be paid.
    Payment,
    /// Anything else.
    Other,
}

impl From<ErrorCode> for VasErrorKind {
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
