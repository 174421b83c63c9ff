//! A third-party app.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use wallet_api::fomo::{
    AccessToken, ClientId, ClientSecret, Coin, CoinId, ErrorCode, Event, RedirectUri, RefreshToken,
    ServerUri, State, Trade, TradeId, TransferId, User, UserId, get_active_coins, get_events, get_trade,
    get_transfer_detail, get_user_info, pay_user, pre_pay, refresh_token, revoke, token,
};
use wallet_core::crypto::Crypto;
use wallet_core::types::SecretText;
use wallet_core::{Amount, Endpoint, OutgoingRequest, Signer, Transport, UnixTime};

use crate::call::{CallError, base, call};

type Called<T, R> = Result<R, CallError<<T as Transport>::Error>>;

/// FOMO without an app's credentials: the public calls, and those that need an access token only. It signs nothing.
#[derive(Clone)]
pub struct FomoClient<T> {
    transport: T,
    base_url: String,
}

/// The credentials of an app, and its redirect_uri.
#[derive(Clone)]
pub struct FomoCredentials {
    /// The app's id.
    pub client_id: ClientId<'static>,
    /// The app's secret.
    pub client_secret: ClientSecret<'static>,
    /// The redirect_uri that is registered.
    pub redirect_uri: RedirectUri<'static>,
}

/// A third-party app, seen from its own server: with its credentials it exchanges codes and signs. The calls without
/// credentials are on [`FomoClient`].
#[derive(Clone)]
pub struct FomoApp<T> {
    client: FomoClient<T>,
    crypto: Arc<dyn Crypto>,
    now: Arc<dyn Fn() -> UnixTime + Send + Sync>,
    credentials: FomoCredentials,
}

impl<T> fmt::Debug for FomoClient<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FomoClient").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl fmt::Debug for FomoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FomoCredentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for FomoApp<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FomoApp")
            .field("base_url", &self.client.base_url)
            .field("client_id", &self.credentials.client_id)
            .finish_non_exhaustive()
    }
}

impl<T> Deref for FomoApp<T> {
    type Target = FomoClient<T>;
    fn deref(&self) -> &FomoClient<T> {
        &self.client
    }
}

/// A payment that an app asks its user for.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The app's own id; used once, ever.
    pub trade_id: TradeId<'static>,
    /// The amount, with at most the decimals of the coin.
    pub amount: Amount<'static>,
    /// The coin.
    pub coin: CoinId,
    /// The address that receives the callback.
    pub server_uri: ServerUri<'static>,
    /// The app's state, which comes back unchanged.
    pub state: State<'static>,
}

/// A payment from an app to a user.
#[derive(Debug, Clone)]
pub struct Payout {
    /// The app's own id; used once, ever.
    pub trade_id: TradeId<'static>,
    /// The amount, with at most the decimals of the coin.
    pub amount: Amount<'static>,
    /// The coin.
    pub coin: CoinId,
    /// The user who receives.
    pub user: UserId,
    /// The address that receives the callback.
    pub server_uri: ServerUri<'static>,
    /// The app's state, which comes back unchanged.
    pub state: State<'static>,
}

impl<T: Transport> FomoClient<T> {
    /// A client of the platform at this base URL.
    pub fn new(transport: T, base_url: &str) -> Self {
        Self { transport, base_url: base(base_url) }
    }

    /// An app with its credentials. `now` is the clock for the timestamps of its signatures.
    pub fn with_credentials(
        self,
        credentials: FomoCredentials,
        crypto: Arc<dyn Crypto>,
        now: impl Fn() -> UnixTime + Send + Sync + 'static,
    ) -> FomoApp<T> {
        FomoApp { client: self, crypto, now: Arc::new(now), credentials }
    }

    async fn call<R>(
        &self,
        bearer: Option<&AccessToken<'_>>,
        signer: Option<Signer<'_>>,
        request: R,
    ) -> Called<T, <R::Endpoint as Endpoint>::Response>
    where
        R: OutgoingRequest,
        R::Endpoint: Endpoint<Error = ErrorCode>,
    {
        call(&self.transport, &self.base_url, bearer.map(AccessToken::as_str), signer, request).await
    }

    /// The user of an access token.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn user_info(&self, token: &AccessToken<'_>) -> Called<T, User> {
        self.call(Some(token), None, get_user_info::Request::new()).await
    }

    /// The coins that can be used.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn coins(&self) -> Called<T, Vec<Coin>> {
        self.call(None, None, get_active_coins::Request::new()).await.map(|reply| reply.active_coins)
    }

    /// A transfer with its parties and its coin.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn transfer_detail(
        &self,
        token: &AccessToken<'_>,
        transfer_id: TransferId,
    ) -> Called<T, get_transfer_detail::Response> {
        self.call(Some(token), None, get_transfer_detail::Request::new(transfer_id)).await
    }
}

impl<T: Transport> FomoApp<T> {
    async fn call<R>(
        &self,
        bearer: Option<&AccessToken<'_>>,
        request: R,
    ) -> Called<T, <R::Endpoint as Endpoint>::Response>
    where
        R: OutgoingRequest,
        R::Endpoint: Endpoint<Error = ErrorCode>,
    {
        let signer = Signer::secret(&*self.crypto, self.credentials.client_secret.as_str(), (self.now)());
        self.client.call(bearer, Some(signer), request).await
    }

    fn client_id(&self) -> ClientId<'static> {
        self.credentials.client_id.clone()
    }

    /// Exchanges the code of a redirect for tokens. A code works once and for a minute: a second use is refused, and
    /// revokes the tokens of the first (R15).
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn exchange_code(&self, code: &str) -> Called<T, token::Response> {
        self.exchange(code, None).await
    }

    /// Exchanges a code that was requested with a PKCE challenge.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn exchange_code_with_verifier(
        &self,
        code: &str,
        verifier: &str,
    ) -> Called<T, token::Response> {
        self.exchange(code, Some(verifier)).await
    }

    async fn exchange(&self, code: &str, verifier: Option<&str>) -> Called<T, token::Response> {
        let mut request = token::Request::new(
            code.into(),
            self.client_id(),
            self.credentials.client_secret.clone(),
            self.credentials.redirect_uri.clone(),
        );
        request.code_verifier = verifier.map(SecretText::from);
        self.call(None, request).await
    }

    /// Exchanges a refresh token for a new pair. Within a minute the same token gives the same reply again.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn refresh(&self, refresh_token: &RefreshToken<'_>) -> Called<T, refresh_token::Response> {
        self.call(
            None,
            refresh_token::Request::new(
                refresh_token.clone(),
                self.client_id(),
                self.credentials.client_secret.clone(),
            ),
        )
        .await
    }

    /// Revokes the grant of a token: all of its access and refresh tokens. A token that the platform does not know is no error.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn revoke(&self, token: &RefreshToken<'_>) -> Called<T, ()> {
        let secret = self.credentials.client_secret.clone();
        let request = revoke::Request::new(token.as_str().into(), self.client_id(), secret);
        self.call(None, request).await.map(drop)
    }

    /// Asks the user of an access token for a payment, which the user then confirms within three minutes.
    ///
    /// # Errors
    /// [`CallError`]; code 211 carries the first trade of this trade_id in its data.
    pub async fn pre_pay(&self, token: &AccessToken<'_>, payment: Payment) -> Called<T, TransferId> {
        let reply = self
            .call(
                Some(token),
                pre_pay::Request::new(
                    payment.trade_id,
                    payment.amount,
                    payment.coin,
                    self.client_id(),
                    payment.server_uri,
                    self.credentials.redirect_uri.clone(),
                    payment.state,
                ),
            )
            .await?;
        Ok(reply.transfer_id)
    }

    /// Pays a user from the account of the app's owner with the owner's payment password. `httpcode` of the reply is the
    /// HTTP status of the first callback, 0 when none came in time.
    ///
    /// # Errors
    /// [`CallError`]. After a lost reply ask [`FomoApp::trade`]: the trade_id is used once, ever.
    pub async fn pay_user(&self, payout: Payout, wallet_pwd: &str) -> Called<T, pay_user::Response> {
        self.call(
            None,
            pay_user::Request::new(
                payout.trade_id,
                payout.amount,
                payout.coin,
                payout.user,
                self.client_id(),
                payout.server_uri,
                payout.state,
                wallet_pwd.into(),
            ),
        )
        .await
    }

    /// A trade and its state by the app's own id, also after a lost reply.
    ///
    /// # Errors
    /// [`CallError`]; code 212 when the platform does not know it.
    pub async fn trade(&self, trade_id: &TradeId<'_>) -> Called<T, Trade> {
        self.call(None, get_trade::Request::new(self.client_id(), trade_id.clone())).await
    }
    /// The events of the app's payments after a cursor, in order, at most 100 (R89): whatever its callbacks missed. Keep the number
    /// of the last one that you have handled; 0 begins with the first.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn events(&self, after: u64) -> Called<T, Vec<Event>> {
        let request = get_events::Request::new(self.client_id(), after);
        Ok(self.call(None, request).await?.events)
    }
}
