//! A third-party app.

use std::fmt;
use std::sync::Arc;

use wallet_api::fomo::{
    AccessToken, ClientId, ClientSecret, Coin, CoinId, ErrorCode, RefreshToken, ServerUri, State, Trade,
    TradeId, TransferId, User, UserId, get_active_coins, get_trade, get_transfer_detail, get_user_info,
    pay_user, pre_pay, refresh_token, token,
};
use wallet_core::crypto::Crypto;
use wallet_core::types::SecretText;
use wallet_core::{Amount, Endpoint, OutgoingRequest, Secret, Signer, Transport, UnixTime};

use crate::call::{CallError, base, call};

type Result<T, R> = std::result::Result<R, CallError<<T as Transport>::Error>>;

/// A third-party app, seen from its own server.
#[derive(Clone)]
pub struct FomoApp<T> {
    transport: T,
    base_url: String,
    crypto: Arc<dyn Crypto>,
    now: Arc<dyn Fn() -> UnixTime + Send + Sync>,
    client_id: ClientId<'static>,
    client_secret: Secret<String>,
    redirect_uri: String,
}

impl<T> fmt::Debug for FomoApp<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FomoApp")
            .field("base_url", &self.base_url)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// A payment that an app asks its user for.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The app's own id; used once, ever.
    pub trade_id: TradeId<'static>,
    /// How much, with at most the coin's decimals.
    pub amount: Amount<'static>,
    /// Which coin.
    pub coin: CoinId,
    /// Where the callback goes.
    pub server_uri: ServerUri<'static>,
    /// Comes back unchanged.
    pub state: State<'static>,
}

/// A payment from an app to a user.
#[derive(Debug, Clone)]
pub struct Payout {
    /// The app's own id; used once, ever.
    pub trade_id: TradeId<'static>,
    /// How much, with at most the coin's decimals.
    pub amount: Amount<'static>,
    /// Which coin.
    pub coin: CoinId,
    /// Who receives.
    pub user: UserId,
    /// Where the callback goes.
    pub server_uri: ServerUri<'static>,
    /// Comes back unchanged.
    pub state: State<'static>,
}

impl<T: Transport> FomoApp<T> {
    /// An app without credentials: it can list coins. `now` is the clock that requests are signed by.
    pub fn new(
        transport: T,
        base_url: &str,
        crypto: Arc<dyn Crypto>,
        now: impl Fn() -> UnixTime + Send + Sync + 'static,
    ) -> Self {
        Self {
            transport,
            base_url: base(base_url),
            crypto,
            now: Arc::new(now),
            client_id: ClientId::new(""),
            client_secret: Secret::default(),
            redirect_uri: String::new(),
        }
    }

    /// The same with the credentials that the platform gave it and the redirect_uri that is registered.
    #[must_use]
    pub fn with_credentials(mut self, client_id: &str, client_secret: &str, redirect_uri: &str) -> Self {
        self.client_id = ClientId::new(client_id.to_owned());
        self.client_secret = client_secret.into();
        redirect_uri.clone_into(&mut self.redirect_uri);
        self
    }

    async fn call<R>(
        &self,
        bearer: Option<&AccessToken<'_>>,
        request: R,
    ) -> Result<T, <R::Endpoint as Endpoint>::Response>
    where
        R: OutgoingRequest,
        R::Endpoint: Endpoint<Error = ErrorCode>,
    {
        let signer = Signer::secret(&*self.crypto, self.client_secret.expose(), (self.now)());
        call(&self.transport, &self.base_url, bearer.map(AccessToken::as_str), Some(signer), request).await
    }

    fn secret(&self) -> ClientSecret<'_> {
        ClientSecret::new(self.client_secret.expose().as_str())
    }

    /// Exchanges the code of a redirect for tokens. A code works once and for a minute.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn exchange_code(&self, code: &str) -> Result<T, token::Response> {
        self.exchange(code, None).await
    }

    /// The same for a code that was asked for with a PKCE challenge.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn exchange_code_with_verifier(
        &self,
        code: &str,
        verifier: &str,
    ) -> Result<T, token::Response> {
        self.exchange(code, Some(verifier)).await
    }

    async fn exchange(&self, code: &str, verifier: Option<&str>) -> Result<T, token::Response> {
        self.call(
            None,
            token::Request {
                code: code.into(),
                client_id: self.client_id.clone(),
                client_secret: self.secret(),
                redirect_uri: self.redirect_uri.as_str().into(),
                code_verifier: verifier.map(SecretText::from),
            },
        )
        .await
    }

    /// Exchanges a refresh token for a new pair. Within a minute the same token gives the same reply again.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn refresh(&self, refresh_token: &RefreshToken<'_>) -> Result<T, refresh_token::Response> {
        self.call(
            None,
            refresh_token::Request {
                refresh_token: refresh_token.clone(),
                client_id: self.client_id.clone(),
                client_secret: self.secret(),
                scope: None,
            },
        )
        .await
    }

    /// Who the user of an access token is.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn user_info(&self, token: &AccessToken<'_>) -> Result<T, User> {
        self.call(Some(token), get_user_info::Request {}).await
    }

    /// The coins that can be used.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn coins(&self) -> Result<T, Vec<Coin>> {
        self.call(None, get_active_coins::Request {}).await.map(|reply| reply.active_coins)
    }

    /// Asks the user of an access token for a payment, which the user then confirms within three minutes.
    ///
    /// # Errors
    /// [`CallError`]; code 211 carries the first trade of this trade_id in its data.
    pub async fn pre_pay(&self, token: &AccessToken<'_>, payment: Payment) -> Result<T, TransferId> {
        let reply = self
            .call(
                Some(token),
                pre_pay::Request {
                    trade_id: payment.trade_id,
                    amount: payment.amount,
                    coin_id: payment.coin,
                    client_id: self.client_id.clone(),
                    server_uri: payment.server_uri,
                    redirect_uri: self.redirect_uri.as_str().into(),
                    state: payment.state,
                },
            )
            .await?;
        Ok(reply.transfer_id)
    }

    /// Pays a user from the account of the app's owner, whose payment password it takes. `httpcode` of the reply is the
    /// HTTP status of the first callback, 0 when none came in time.
    ///
    /// # Errors
    /// [`CallError`]. After a lost reply ask [`FomoApp::trade`]: the trade_id is used once, ever.
    pub async fn pay_user(&self, payout: Payout, wallet_pwd: &str) -> Result<T, pay_user::Response> {
        self.call(
            None,
            pay_user::Request {
                trade_id: payout.trade_id,
                amount: payout.amount,
                coin_id: payout.coin,
                user_id: payout.user,
                client_id: self.client_id.clone(),
                server_uri: payout.server_uri,
                state: payout.state,
                wallet_pwd: wallet_pwd.into(),
            },
        )
        .await
    }

    /// A transfer with its parties and its coin.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn transfer_detail(
        &self,
        token: &AccessToken<'_>,
        transfer_id: TransferId,
    ) -> Result<T, get_transfer_detail::Response> {
        self.call(Some(token), get_transfer_detail::Request { transfer_id }).await
    }

    /// A trade and its state by the app's own id: what became of a call whose reply was lost.
    ///
    /// # Errors
    /// [`CallError`]; code 212 when the platform does not know it.
    pub async fn trade(&self, trade_id: &TradeId<'_>) -> Result<T, Trade> {
        self.call(None, get_trade::Request { client_id: self.client_id.clone(), trade_id: trade_id.clone() })
            .await
    }
}
