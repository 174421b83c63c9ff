//! The FOMO endpoints: one exhaustive match. An endpoint of the spec without a handler does not compile.

mod app_page;
pub(crate) mod consent;
mod metadata;
mod new_app;
mod own_app;
mod snippets;

use axum::Router;
use axum::response::Response;
use bytes::Bytes;
use wallet_api::fomo::*;
use wallet_core::{
    Auth, Bearer, DecodeError, Endpoint, EndpointMeta, Lang, Platform as _, PlatformMeta, Secret, Unverified,
};
use wallet_platform::fomo::{answer, wire as rows};
use wallet_platform::{
    ActiveCoins, AppEvents, AppKeys, AppsOf, Authorize as AuthorizeCommand, Balances, BearerOf,
    BeginRegister, CompleteRegister, ConfirmPay, ConfirmedPay, ExchangeCode, Failure, FindApp, GrantsOf,
    Login as LoginCommand, PasswordKind, PayUser, PaymentKeys, Pending, PrePay, ProvenClient, Reason,
    Records, RecordsPage, Refresh, Refused, RevokeToken, SessionUser, SetWalletPwd, TokenPair, TradeOf,
    Transfer, TransferDetail, Verifier, Who, check_login_name, scope_of,
};

use self::own_app::FomoApp;
use crate::context::{self, Answered, Context, Documents, Server};
use crate::own_app::{FormPage, GrantedApp, Later, OwnApp, RegistrationForm};
use crate::passwords::{Place, Proven};
use crate::reply::{self, Handled};
use crate::store::Store;

/// The newest consents of a user that a page looks at; those of one app count as one.
const GRANTS: u64 = 1_000;

/// FOMO.
pub(crate) struct Protocol;

impl context::Protocol for Protocol {
    fn meta(&self) -> &'static PlatformMeta {
        Fomo::META
    }

    fn documents(&self) -> Option<&'static Documents> {
        const DOCUMENTS: Documents = Documents {
            guide: [include_str!("../../guides/fomo.zh.md"), include_str!("../../guides/fomo.en.md")],
            reference: [
                include_str!("../../reference/fomo.zh.md"),
                include_str!("../../reference/fomo.en.md"),
            ],
            files: &[
                ("openapi.json", include_str!("../../openapi/fomo.json")),
                ("postman.json", include_str!("../../postman/fomo.json")),
            ],
        };
        Some(&DOCUMENTS)
    }

    fn apps<'a>(
        &'a self,
        store: &'a Store,
        owner: UserId,
    ) -> Later<'a, Result<Vec<Box<dyn OwnApp>>, Failure>> {
        Box::pin(async move {
            let apps = store.view(AppsOf(owner)).await?;
            Ok(apps.into_iter().map(|app| Box::new(FomoApp(app)) as Box<dyn OwnApp>).collect())
        })
    }

    fn app<'a>(
        &'a self,
        store: &'a Store,
        owner: UserId,
        id: &'a str,
    ) -> Later<'a, Result<Option<Box<dyn OwnApp>>, Failure>> {
        Box::pin(async move {
            let app = own_app::find(store, owner, id).await?;
            Ok(app.map(|app| Box::new(FomoApp(app)) as Box<dyn OwnApp>))
        })
    }

    fn granted<'a>(&'a self, store: &'a Store, user: UserId) -> Later<'a, Result<Vec<GrantedApp>, Failure>> {
        Box::pin(async move {
            let grants = store.view(GrantsOf { user, limit: GRANTS }).await?;
            let granted = grants.into_iter().filter(|grant| grant.app.is_open()).map(|grant| GrantedApp {
                name: grant.app.name,
                platform: Fomo::META.doc,
                protocol: Fomo::META.id,
                id: grant.app.client_id.as_str().to_owned(),
                families: grant.families,
            });
            Ok(granted.collect())
        })
    }

    fn pages(&self) -> Router<Server> {
        app_page::routes().merge(new_app::routes()).merge(consent::routes())
    }

    fn addresses(&self) -> Router<Server> {
        metadata::routes()
    }

    fn registration_form(&self, page: &FormPage<'_>) -> Option<RegistrationForm> {
        Some(new_app::form(page))
    }

    fn waiting_app(&self, next: &str) -> Option<String> {
        consent::waiting_app(next)
    }

    fn answer<'a>(
        &'a self,
        context: &'a Context,
        request: &'a http::Request<Bytes>,
        lang: Lang,
    ) -> Later<'a, Answered> {
        Box::pin(context.fomo(request, lang))
    }
}

fn reply<E: Endpoint>(lang: Lang, handled: Handled<E>) -> Response {
    reply::handled::<E>(lang, answer, handled)
}

/// Logs the number of a payment's callback in the request that has made it.
fn log_paid(transfer: &Transfer) {
    let delivery = transfer.delivery.map(|delivery| delivery.0);
    tracing::debug!(payment = transfer.id.0, delivery, "paid");
}

impl Context {
    async fn fomo(&self, request: &http::Request<Bytes>, lang: Lang) -> Answered {
        let decoded = match AnyRequest::decode(request) {
            Ok(decoded) => decoded,
            Err(error) => {
                // The access token is judged before the parameters (R29).
                if let DecodeError::Bad { endpoint, .. } = error
                    && let Err(no) = self.judge_bearer(endpoint, request).await
                {
                    let response = reply::refused_by(endpoint, lang, answer, &no);
                    return Answered { endpoint: endpoint.id, response };
                }
                return reply::undecoded(self, lang, error);
            }
        };
        let endpoint = decoded.meta().id;
        let response = match decoded {
            AnyRequest::Authorize(request) => {
                reply::<authorize::Endpoint>(lang, self.authorize(request).await)
            }
            AnyRequest::Token(request) => reply::<token::Endpoint>(lang, self.token(request).await),
            AnyRequest::RefreshToken(request) => {
                reply::<refresh_token::Endpoint>(lang, self.refresh(request).await)
            }
            AnyRequest::Revoke(request) => reply::<revoke::Endpoint>(lang, self.revoke(request).await),
            AnyRequest::GetUserInfo(request) => {
                reply::<get_user_info::Endpoint>(lang, self.user_info(request).await)
            }
            AnyRequest::PrePay(request) => reply::<pre_pay::Endpoint>(lang, self.pre_pay(request).await),
            AnyRequest::ConfirmPay(request) => {
                reply::<confirm_pay::Endpoint>(lang, self.confirm_pay(request).await)
            }
            AnyRequest::PayUser(request) => reply::<pay_user::Endpoint>(lang, self.pay_user(request).await),
            AnyRequest::GetTransferDetail(request) => {
                reply::<get_transfer_detail::Endpoint>(lang, self.transfer_detail(request).await)
            }
            AnyRequest::GetActiveCoins(_) => {
                reply::<get_active_coins::Endpoint>(lang, self.active_coins().await)
            }
            AnyRequest::Register(request) => reply::<register::Endpoint>(lang, self.register(request).await),
            AnyRequest::CompleteRegister(request) => {
                reply::<complete_register::Endpoint>(lang, self.complete_register(request).await)
            }
            AnyRequest::Login(request) => reply::<login::Endpoint>(lang, self.login(request).await),
            AnyRequest::GetCustomerInfo(request) => {
                reply::<get_customer_info::Endpoint>(lang, self.customer_info(request).await)
            }
            AnyRequest::SetWalletPwd(request) => {
                reply::<set_wallet_pwd::Endpoint>(lang, self.set_wallet_pwd(request).await)
            }
            AnyRequest::GetUserCoins(request) => {
                reply::<get_user_coins::Endpoint>(lang, self.user_coins(request).await)
            }
            AnyRequest::CoinsRecord(request) => {
                reply::<coins_record::Endpoint>(lang, self.coins_record(request).await)
            }
            AnyRequest::GetPending(request) => {
                reply::<get_pending::Endpoint>(lang, self.pending(request).await)
            }
            AnyRequest::GetEvents(request) => reply::<get_events::Endpoint>(lang, self.events(request).await),
            AnyRequest::GetTrade(request) => reply::<get_trade::Endpoint>(lang, self.trade(request).await),
        };
        Answered { endpoint, response }
    }

    // ------------------------------------------------------------------------------------------ OAuth2

    async fn authorize(&self, request: authorize::Request<'_>) -> Handled<authorize::Endpoint> {
        let vault = self.store.vault();
        let challenge = request.code_challenge.map(|challenge| {
            (challenge.into_owned(), request.code_challenge_method.map(|method| method.into_owned()))
        });
        let command = AuthorizeCommand {
            session: vault.hash(request.session_key.as_str()),
            client_id: request.client_id.into_owned(),
            redirect_uri: request.redirect_uri.into_owned(),
            state: request.state.clone().into_owned(),
            authorized: request.authorized.into_owned(),
            challenge,
            scope: request.scope.unwrap_or_default().into_owned(),
            seed: vault.seed(),
        };
        let code = self.store.submit(command).await?;
        Ok(authorize::Response { code: code.text.expose().clone().into(), state: request.state.into_owned() })
    }

    async fn client(&self, id: &ClientId<'_>, secret: &ClientSecret<'_>) -> Result<ProvenClient, Failure> {
        let keys = self.store.view(FindApp::for_token(id.as_str())).await?;
        let client = keys.check_secret(secret.as_str())?;
        self.milestones.called(&self.store, client.app().into());
        Ok(client)
    }

    async fn token(&self, request: token::Request<'_>) -> Handled<token::Endpoint> {
        let client = self.client(&request.client_id, &request.client_secret).await?;
        let vault = self.store.vault();
        let command = ExchangeCode {
            client,
            code: vault.hash(request.code.as_str()),
            redirect_uri: request.redirect_uri.into_owned(),
            verifier: request.code_verifier.map(|verifier| Verifier::new(vault, verifier.as_str())),
            seed: vault.seed(),
        };
        let TokenPair { access, refresh, scopes } = self.store.submit(command).await?;
        Ok(token::Response {
            access_token: access.expose().clone().into(),
            token_type: Some("Bearer".to_owned()),
            expires_in: Some(lifetimes::ACCESS_TOKEN.as_secs()),
            refresh_token: refresh.expose().clone().into(),
            scope: Some(scopes),
        })
    }

    async fn refresh(&self, request: refresh_token::Request<'_>) -> Handled<refresh_token::Endpoint> {
        let client = self.client(&request.client_id, &request.client_secret).await?;
        let (presented, scope) = (request.refresh_token.as_str(), request.scope.as_deref());
        let command = Refresh::new(self.store.vault(), client, presented, scope);
        let TokenPair { access, refresh, scopes } = self.store.submit(command).await?;
        Ok(refresh_token::Response {
            access_token: access.expose().clone().into(),
            token_type: Some("Bearer".to_owned()),
            expires_in: Some(lifetimes::ACCESS_TOKEN.as_secs()),
            refresh_token: Some(refresh.expose().clone().into()),
            scope: Some(scopes),
        })
    }

    /// The refusal of a request's access token, if the endpoint takes one and the request has one.
    async fn judge_bearer(
        &self,
        meta: &'static EndpointMeta,
        request: &http::Request<Bytes>,
    ) -> Result<(), Failure> {
        if meta.auth != Auth::Bearer {
            return Ok(());
        }
        let Ok(token) = wallet_core::bearer(meta, request) else { return Ok(()) };
        let (token, scope) = (self.store.vault().hash(token), meta.scope.map_or("", |scope| scope.id));
        self.store.view(BearerOf { token, scope }).await.map(drop)
    }

    async fn revoke(&self, request: revoke::Request<'_>) -> Handled<revoke::Endpoint> {
        let client = self.client(&request.client_id, &request.client_secret).await?;
        let token = self.store.vault().hash(request.token.as_str());
        self.store.submit(RevokeToken { client, token }).await?;
        Ok(revoke::Response {})
    }

    async fn user_info(
        &self,
        request: Bearer<'_, get_user_info::Request>,
    ) -> Handled<get_user_info::Endpoint> {
        let token = self.store.vault().hash(request.token.as_str());
        let user = self.store.view(BearerOf { token, scope: scope_of::<get_user_info::Endpoint>() }).await?;
        Ok(rows::user(&user))
    }

    // ------------------------------------------------------------------------------------------ payments

    /// Finds the key of a signed request and checks the signature (R8, R37).
    async fn verified<T>(&self, signed: Unverified<'_, T>) -> Result<(T, AppKeys), Failure> {
        let keys = self.store.view(FindApp::new(signed.key_id())).await?;
        let request = keys.verify(signed, self.store.vault(), self.store.now())?;
        self.milestones.called(&self.store, keys.app.id.into());
        Ok((request, keys))
    }

    async fn pre_pay(
        &self,
        request: Bearer<'_, Unverified<'_, pre_pay::Request<'_>>>,
    ) -> Handled<pre_pay::Endpoint> {
        let vault = self.store.vault();
        let (token, signed) = (vault.hash(request.token.as_str()), request.inner);
        let keys =
            self.store.view(PaymentKeys { token, client_id: signed.key_id().to_owned().into() }).await?;
        let request = keys.verify(signed, vault, self.store.now())?.into_owned();
        self.pre_pays.count(keys.app.id)?;
        let command = PrePay {
            token,
            client_id: request.client_id,
            trade_id: request.trade_id,
            amount: request.amount,
            coin: request.coin_id,
            server_uri: request.server_uri,
            redirect_uri: request.redirect_uri,
            state: request.state,
        };
        let transfer = self.store.submit(command).await?;
        Ok(pre_pay::Response { transfer_id: vault.transfer_id(transfer) })
    }

    async fn confirm_pay(&self, request: confirm_pay::Request<'_>) -> Handled<confirm_pay::Endpoint> {
        let vault = self.store.vault();
        let session = vault.hash(request.session_key.as_str());
        let Proven { proof, memory } =
            self.prover.prove_payment(session, request.wallet_pwd.as_str()).await?;
        let command = ConfirmPay {
            session,
            transfer: vault.transfer_seq(request.transfer_id),
            trade_id: request.trade_id.clone().into_owned(),
            proof,
        };
        let ConfirmedPay(transfer) = self.store.submit(command).await?;
        log_paid(&transfer);
        self.prover.remember(memory);
        self.callbacks.wake();
        Ok(confirm_pay::Response {
            transfer_id: request.transfer_id,
            trade_id: request.trade_id.into_owned(),
            status: transfer.status(self.store.now()).into(),
            redirect_uri: transfer.redirect_uri,
            state: transfer.state,
        })
    }

    async fn pay_user(&self, signed: Unverified<'_, pay_user::Request<'_>>) -> Handled<pay_user::Endpoint> {
        let (request, keys) = self.verified(signed).await?;
        let request = request.into_owned();
        let (app, version) = (keys.app.id, keys.app.secret_version);
        let place = [&app.0.to_be_bytes()[..], &version.to_be_bytes()[..]];
        let Proven { proof, memory } = self
            .prover
            .prove(
                Who::User(keys.app.owner),
                PasswordKind::Wallet,
                Place::Here(&place),
                request.wallet_pwd.as_str(),
            )
            .await?;
        let command = PayUser {
            app,
            trade_id: request.trade_id.clone(),
            amount: request.amount,
            coin: request.coin_id,
            user: request.user_id,
            server_uri: request.server_uri,
            state: request.state,
            proof,
        };
        let transfer = self.store.submit(command).await?;
        log_paid(&transfer);
        self.prover.remember(memory);
        let first =
            transfer.delivery.map(|delivery| self.callbacks.first_status(delivery, lifetimes::HTTPCODE_WAIT));
        self.callbacks.wake();
        let httpcode = match first {
            Some(first) => first.await,
            None => 0,
        };
        Ok(pay_user::Response {
            transfer_id: self.store.vault().transfer_id(transfer.id),
            trade_id: request.trade_id,
            httpcode: Some(u64::from(httpcode)),
        })
    }

    async fn transfer_detail(
        &self,
        request: Bearer<'_, get_transfer_detail::Request>,
    ) -> Handled<get_transfer_detail::Endpoint> {
        let vault = self.store.vault();
        let transfer = vault.transfer_seq(request.inner.transfer_id);
        let view =
            self.store.view(TransferDetail { token: vault.hash(request.token.as_str()), transfer }).await?;
        Ok(get_transfer_detail::Response {
            from_user: rows::user(&view.from),
            to_user: rows::user(&view.to),
            coin_info: rows::coin(&view.coin),
            transfer_log: rows::transfer_log(vault, &view.transfer, self.store.now()),
        })
    }

    async fn pending(&self, request: get_pending::Request<'_>) -> Handled<get_pending::Endpoint> {
        let vault = self.store.vault();
        let command = Pending {
            session: vault.hash(request.session_key.as_str()),
            transfer: vault.transfer_seq(request.transfer_id),
            trade_id: request.trade_id.clone().into_owned(),
        };
        let (transfer, app, coin) = self.store.submit(command).await?;
        let log = rows::transfer_log(vault, &transfer, self.store.now());
        Ok(get_pending::Response {
            transfer_id: request.transfer_id,
            trade_id: request.trade_id.into_owned(),
            client_id: app.client_id,
            app_name: app.name,
            amount: log.amount,
            cut_amount: rows::cut_amount(&transfer, coin.decimals)?,
            coin_id: coin.id,
            coin_name: coin.name,
            expire_time: transfer.expires_at(),
        })
    }

    async fn trade(&self, signed: Unverified<'_, get_trade::Request<'_>>) -> Handled<get_trade::Endpoint> {
        let (request, keys) = self.verified(signed).await?;
        let trade_id = request.trade_id.into_owned();
        let (transfer, coin) = self.store.view(TradeOf { app: keys.app.id, trade_id }).await?;
        Ok(rows::trade_state(self.store.vault(), &transfer, coin.decimals, self.store.now())?)
    }

    async fn events(&self, signed: Unverified<'_, get_events::Request<'_>>) -> Handled<get_events::Endpoint> {
        let (request, keys) = self.verified(signed).await?;
        let query = AppEvents { app: keys.app.id, after: request.after, limit: limits::EVENTS_PER_CALL };
        let events = self.store.view(query).await?;
        let vault = self.store.vault();
        let events = events.iter().map(|(event, transfer)| rows::event(vault, event, transfer.as_ref()));
        Ok(get_events::Response { events: events.collect() })
    }

    async fn active_coins(&self) -> Handled<get_active_coins::Endpoint> {
        let coins = self.store.view(ActiveCoins).await?;
        Ok(get_active_coins::Response { active_coins: coins.iter().map(rows::coin).collect() })
    }

    // ------------------------------------------------------------------------------------------ the wallet

    pub(crate) async fn register(&self, request: register::Request<'_>) -> Handled<register::Endpoint> {
        check_login_name(&request.user_name)?;
        long_enough("pwd", request.pwd.as_str(), limits::SHORTEST_PASSWORD)?;
        let pwd = Secret::new(self.prover.hash(request.pwd.as_str()).await?);
        let login_name = request.user_name.into_owned();
        let seed = self.store.vault().seed();
        let begun = self.store.submit(BeginRegister { login_name, pwd, seed }).await?;
        self.outbox.first(begun.notice).await;
        Ok(register::Response { verify_id: begun.verify_id, tmp_user_id: begun.tmp_user_id })
    }

    pub(crate) async fn complete_register(
        &self,
        request: complete_register::Request<'_>,
    ) -> Handled<complete_register::Endpoint> {
        let command = CompleteRegister {
            verify_id: request.verify_id.into_owned(),
            tmp_user_id: request.tmp_user_id.into_owned(),
            verify_code: request.verify_code.as_str().into(),
        };
        let user = self.store.submit(command).await?;
        Ok(complete_register::Response { user_id: user.id, fomo_id: user.fomo_id })
    }

    pub(crate) async fn login(&self, request: login::Request<'_>) -> Handled<login::Endpoint> {
        check_login_name(&request.login_name)?;
        let login_name = request.login_name.into_owned();
        let who = Who::Login(login_name.clone());
        let Proven { proof, .. } =
            self.prover.prove(who, PasswordKind::Login, Place::Nowhere, request.pwd.as_str()).await?;
        let seed = self.store.vault().seed();
        let (key, user) = self.store.submit(LoginCommand { login_name, proof, seed }).await?;
        Ok(login::Response { session_key: key.text.expose().clone().into(), user_info: rows::user(&user) })
    }

    async fn customer_info(
        &self,
        request: get_customer_info::Request<'_>,
    ) -> Handled<get_customer_info::Endpoint> {
        let user = rows::user(&self.signed_in(&request.session_key).await?);
        Ok(get_customer_info::Response {
            user_id: user.user_id,
            fomo_id: user.fomo_id.clone(),
            name: user.name.clone(),
            portrait_uri: user.portrait_uri.clone(),
            user_info: user,
        })
    }

    async fn signed_in(&self, session: &SessionKey<'_>) -> Result<wallet_platform::User, Failure> {
        let session = self.store.vault().hash(session.as_str());
        self.store.submit(SessionUser(session)).await
    }

    async fn set_wallet_pwd(
        &self,
        request: set_wallet_pwd::Request<'_>,
    ) -> Handled<set_wallet_pwd::Endpoint> {
        long_enough("wallet_pwd", request.wallet_pwd.as_str(), limits::SHORTEST_WALLET_PWD)?;
        let session = self.store.vault().hash(request.session_key.as_str());
        let place = [session.as_bytes().as_slice()];
        let Proven { proof, memory } = self
            .prover
            .prove(Who::Session(session), PasswordKind::LoginAgain, Place::Here(&place), request.pwd.as_str())
            .await?;
        let wallet_pwd = Secret::new(self.prover.hash(request.wallet_pwd.as_str()).await?);
        self.store.submit(SetWalletPwd { session, proof, wallet_pwd }).await?;
        self.prover.remember(memory);
        Ok(set_wallet_pwd::Response {})
    }

    async fn user_coins(&self, request: get_user_coins::Request<'_>) -> Handled<get_user_coins::Endpoint> {
        let user = self.signed_in(&request.session_key).await?;
        let balances = self.store.view(Balances(user.id)).await?;
        let user_coins = balances.into_iter().map(|(coin, units)| {
            let balance = rows::size(units, coin.decimals)?;
            Ok(UserCoin {
                coin_id: coin.id,
                chain_id: coin.chain_id,
                coin_name: coin.name,
                logo: String::new(),
                price: coin.price,
                available: balance.clone(),
                balance,
                frozen: rows::size(wallet_core::Units::ZERO, coin.decimals)?,
            })
        });
        Ok(get_user_coins::Response { user_coins: user_coins.collect::<Result<_, Failure>>()? })
    }

    async fn coins_record(&self, request: coins_record::Request<'_>) -> Handled<coins_record::Endpoint> {
        let user = self.signed_in(&request.session_key).await?;
        let page = request.page.unwrap_or(1);
        let query = Records { user: user.id, coin: request.coin_id, page };
        let RecordsPage { coin, total, records } = self.store.view(query).await?;
        let records =
            records.into_iter().map(|(entry, transfer)| record(&self.store, &coin, entry, transfer));
        Ok(coins_record::Response {
            page,
            each_page_count: limits::RECORDS_PER_PAGE,
            total,
            records: records.collect::<Result<_, Failure>>()?,
        })
    }
}

/// Refuses a new password that is too short, as the pages do.
fn long_enough(field: &'static str, password: &str, fewest: u64) -> Result<(), Failure> {
    match password.chars().count() as u64 {
        length if length < fewest => Err(Refused::new(Reason::Field).at(field).into()),
        _ => Ok(()),
    }
}

fn record(
    store: &Store,
    coin: &wallet_platform::Coin,
    entry: wallet_platform::Entry,
    transfer: Option<Transfer>,
) -> Result<Record, Failure> {
    let out = entry.amount < wallet_core::Units::ZERO;
    let (tx_scene, target_id) = match &transfer {
        None => ("deposit", String::new()),
        Some(transfer) => (
            match transfer.direction {
                Direction::UserToApp => "pre_pay",
                Direction::AppToUser => "pay_user",
            },
            store.vault().transfer_id(transfer.id).to_string(),
        ),
    };
    Ok(Record {
        id: entry.n,
        user_id: entry.owner,
        coin_id: entry.coin,
        amount: rows::size(entry.amount, coin.decimals)?,
        in_out: if out { InOut::Out.into() } else { InOut::In.into() },
        tx_scene: tx_scene.to_owned(),
        target_id,
        create_time: entry.created_at,
        status: TransferStatus::Done.into(),
    })
}
