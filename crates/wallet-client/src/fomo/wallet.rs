//! The wallet's side.

use wallet_api::fomo::{
    ClientId, CoinId, ErrorCode, SessionKey, TradeId, TransferId, User, UserCoin, authorize, coins_record,
    complete_register, confirm_pay, get_customer_info, get_pending, get_user_coins, login, register,
    set_wallet_pwd,
};
use wallet_core::{Endpoint, OutgoingRequest, Transport};

use crate::call::{CallError, base, call};

type Called<T, R> = Result<R, CallError<<T as Transport>::Error>>;

/// The calls that the wallet app makes for its user.
#[derive(Debug, Clone)]
pub struct FomoWallet<T> {
    transport: T,
    base_url: String,
}

impl<T: Transport> FomoWallet<T> {
    /// A wallet that speaks to the platform at this base URL.
    pub fn new(transport: T, base_url: &str) -> Self {
        Self { transport, base_url: base(base_url) }
    }

    async fn call<R>(&self, request: R) -> Called<T, <R::Endpoint as Endpoint>::Response>
    where
        R: OutgoingRequest,
        R::Endpoint: Endpoint<Error = ErrorCode>,
    {
        call(&self.transport, &self.base_url, None, None, request).await
    }

    /// Begins a registration; the verification code goes to the user by another channel.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn register(&self, user_name: &str, pwd: &str) -> Called<T, register::Response> {
        self.call(register::Request::new(user_name.into(), pwd.into())).await
    }

    /// Completes a registration with its verification code.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn complete_register(
        &self,
        begun: &register::Response,
        verify_code: &str,
    ) -> Called<T, complete_register::Response> {
        self.call(complete_register::Request::new(
            verify_code.into(),
            begun.verify_id.as_str().into(),
            begun.tmp_user_id.as_str().into(),
        ))
        .await
    }

    /// Signs a user in.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn login(&self, login_name: &str, pwd: &str) -> Called<T, login::Response> {
        self.call(login::Request::new(login_name.into(), pwd.into())).await
    }

    /// The user who is signed in.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn user_info(&self, session: &SessionKey<'_>) -> Called<T, User> {
        Ok(self.call(get_customer_info::Request::new(session.clone())).await?.user_info)
    }

    /// Sets the payment password; `pwd` is the login password.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn set_wallet_pwd(
        &self,
        session: &SessionKey<'_>,
        pwd: &str,
        wallet_pwd: &str,
    ) -> Called<T, set_wallet_pwd::Response> {
        let request = set_wallet_pwd::Request::new(session.clone(), pwd.into(), wallet_pwd.into());
        self.call(request).await
    }

    /// The user grants an app access; the reply's code goes to the app.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn authorize(
        &self,
        session: &SessionKey<'_>,
        client_id: &str,
        redirect_uri: &str,
        state: &str,
    ) -> Called<T, authorize::Response> {
        self.answer(session, client_id, redirect_uri, state, "yes").await
    }

    /// The user refuses an app access. The platform answers with its refusal, code 54.
    ///
    /// # Errors
    /// [`CallError`], always.
    pub async fn deny(
        &self,
        session: &SessionKey<'_>,
        client_id: &str,
        redirect_uri: &str,
        state: &str,
    ) -> Called<T, authorize::Response> {
        self.answer(session, client_id, redirect_uri, state, "no").await
    }

    async fn answer(
        &self,
        session: &SessionKey<'_>,
        client_id: &str,
        redirect_uri: &str,
        state: &str,
        authorized: &str,
    ) -> Called<T, authorize::Response> {
        self.call(authorize::Request::new(
            ClientId::from(client_id),
            redirect_uri.into(),
            state.into(),
            authorized.into(),
            session.clone(),
        ))
        .await
    }

    /// The payment that the user is asked to confirm.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn pending(
        &self,
        session: &SessionKey<'_>,
        transfer_id: TransferId,
        trade_id: &TradeId<'_>,
    ) -> Called<T, get_pending::Response> {
        self.call(get_pending::Request::new(session.clone(), transfer_id, trade_id.clone())).await
    }

    /// The user confirms a payment.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn confirm_pay(
        &self,
        session: &SessionKey<'_>,
        transfer_id: TransferId,
        trade_id: &TradeId<'_>,
        wallet_pwd: &str,
    ) -> Called<T, confirm_pay::Response> {
        self.call(confirm_pay::Request::new(
            trade_id.clone(),
            transfer_id,
            wallet_pwd.into(),
            session.clone(),
        ))
        .await
    }

    /// The user's coins and balances.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn coins(&self, session: &SessionKey<'_>) -> Called<T, Vec<UserCoin>> {
        self.call(get_user_coins::Request::new(session.clone())).await.map(|reply| reply.user_coins)
    }

    /// One page of the movements on one coin, newest first; pages begin with 1.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn records(
        &self,
        session: &SessionKey<'_>,
        coin_id: CoinId,
        page: u64,
    ) -> Called<T, coins_record::Response> {
        let mut request = coins_record::Request::new(session.clone(), coin_id);
        request.page = Some(page);
        self.call(request).await
    }
}
