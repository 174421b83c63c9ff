//! The endpoints of the VAS and Lafi wallets: one exhaustive match, as for FOMO.

mod app_page;
mod new_app;
mod own_app;
mod review;
mod snippets;
pub(crate) mod watch;

use axum::Router;
use axum::response::Response;
use bytes::Bytes;
use wallet_api::fomo;
use wallet_api::vas::*;
use wallet_core::{DecodeError, Endpoint, Lang, Platform as _, PlatformMeta, VerifyingKey, form, link};
use wallet_crypto::{PublicKey, RsaVerify};
use wallet_platform::vas::{answer, wire};
use wallet_platform::{
    ApplyVas, ApproveLogin, AskPrice, CountPrice, Failure, FindOrder, FindVasApp, OrderOf, PasswordKind,
    Reason, RedeemOpenCode, Refused, SessionUser, ShowCredentials, SubmitPay, VasApp, VasAppId, VasApps, Who,
    read_pay,
};

use crate::context::{self, Answered, Context, Documents, Server};
use crate::own_app::{FormPage, Later, OwnApp, RegistrationForm};
use crate::passwords::{Place, Proven};
use crate::reply::{self, Handled};
use crate::store::Store;
use crate::wire::Head;

/// The VAS and Lafi wallets.
pub(crate) struct Protocol;

impl context::Protocol for Protocol {
    fn meta(&self) -> &'static PlatformMeta {
        Vas::META
    }

    fn documents(&self) -> Option<&'static Documents> {
        const DOCUMENTS: Documents = Documents {
            guide: [include_str!("../../guides/vas.zh.md"), include_str!("../../guides/vas.en.md")],
            reference: [include_str!("../../reference/vas.zh.md"), include_str!("../../reference/vas.en.md")],
            files: &[
                ("openapi.json", include_str!("../../openapi/vas.json")),
                ("postman.json", include_str!("../../postman/vas.json")),
            ],
        };
        Some(&DOCUMENTS)
    }

    fn apps<'a>(
        &'a self,
        store: &'a Store,
        owner: fomo::UserId,
    ) -> Later<'a, Result<Vec<Box<dyn OwnApp>>, Failure>> {
        Box::pin(async move {
            let apps = store.view(VasApps { owner }).await?;
            Ok(apps.into_iter().map(|app| Box::new(own_app::VasApp(app)) as Box<dyn OwnApp>).collect())
        })
    }

    fn app<'a>(
        &'a self,
        store: &'a Store,
        owner: fomo::UserId,
        id: &'a str,
    ) -> Later<'a, Result<Option<Box<dyn OwnApp>>, Failure>> {
        Box::pin(async move {
            let app = own_app::find(store, owner, id).await?;
            Ok(app.map(|app| Box::new(own_app::VasApp(app)) as Box<dyn OwnApp>))
        })
    }

    fn pages(&self) -> Router<Server> {
        app_page::routes().merge(new_app::routes()).merge(review::routes())
    }

    fn registration_form(&self, page: &FormPage<'_>) -> Option<RegistrationForm> {
        Some(new_app::form(page))
    }

    fn answer<'a>(
        &'a self,
        context: &'a Context,
        request: &'a http::Request<Bytes>,
        lang: Lang,
    ) -> Later<'a, Answered> {
        Box::pin(context.vas(request, lang))
    }
}

fn reply<E: Endpoint>(lang: Lang, handled: Handled<E>) -> Response {
    reply::handled::<E>(lang, answer, handled)
}

impl Context {
    async fn vas(&self, request: &http::Request<Bytes>, lang: Lang) -> Answered {
        let decoded = match AnyRequest::decode(request) {
            Ok(decoded) => decoded,
            Err(error) => {
                if let DecodeError::Bad { endpoint, .. } = error
                    && endpoint.id == price::Endpoint::META.id
                    && let Err(no) = self.count_price(request).await
                {
                    let response = reply::<price::Endpoint>(lang, Err(no));
                    return Answered { endpoint: endpoint.id, response };
                }
                return reply::undecoded(self, lang, error);
            }
        };
        let endpoint = decoded.meta().id;
        let response = match decoded {
            // It would use up the openCode.
            AnyRequest::AidInfo(_) if request.extensions().get::<Head>().is_some() => Response::default(),
            AnyRequest::AidInfo(request) => reply::<aid_info::Endpoint>(lang, self.aid_info(request).await),
            AnyRequest::Price(request) => reply::<price::Endpoint>(lang, self.price(request).await),
            AnyRequest::ApproveLogin(request) => {
                reply::<approve_login::Endpoint>(lang, self.approve_login(request).await)
            }
            AnyRequest::SubmitPay(request) => {
                reply::<submit_pay::Endpoint>(lang, self.submit_pay(request).await)
            }
            AnyRequest::Order(request) => reply::<order::Endpoint>(lang, self.order(request).await),
            AnyRequest::Apply(request) => reply::<apply::Endpoint>(lang, self.apply(request).await),
            AnyRequest::Applications(request) => {
                reply::<applications::Endpoint>(lang, self.applications(request).await)
            }
            AnyRequest::Credentials(request) => {
                reply::<credentials::Endpoint>(lang, self.credentials(request).await)
            }
        };
        Answered { endpoint, response }
    }

    async fn aid_info(&self, request: aid_info::Request<'_>) -> Handled<aid_info::Endpoint> {
        let vault = self.store.vault();
        let command = RedeemOpenCode {
            code: vault.hash(request.open_code.as_str()),
            access_token: vault.hash(request.access_token.as_str()),
            uuid: request.app_id.into_owned(),
        };
        let uuid = command.uuid.clone();
        let info = self.store.submit(command).await?;
        self.called(uuid).await?;
        Ok(aid_info::Response { aid: info.aid.into(), address: info.address.into() })
    }

    async fn price(&self, request: price::Request<'_>) -> Handled<price::Endpoint> {
        let command = AskPrice {
            access_token: self.store.vault().hash(request.access_token.as_str()),
            currency: request.currency.into_owned(),
            coin_type: request.coin_type.map(|coin| coin.into_owned()),
        };
        Ok(price::Response { price: self.store.submit(command).await? })
    }

    /// R57: counts a malformed request too if its accessToken is readable. Returns only the limit's refusal.
    async fn count_price(&self, request: &http::Request<Bytes>) -> Result<(), Failure> {
        let query = request.uri().query().unwrap_or_default();
        let token = form::pairs(query).map(form::split).find(|(name, _)| *name == "accessToken");
        let Some(Ok(token)) = token.map(|(_, token)| form::decode(token.as_bytes())) else { return Ok(()) };
        let access_token = self.store.vault().hash(&token);
        match self.store.submit(CountPrice(access_token)).await {
            Err(Failure::Refused(no)) if no.reason != Refusal::PriceTooOften => Ok(()),
            other => other,
        }
    }

    async fn approve_login(&self, request: approve_login::Request<'_>) -> Handled<approve_login::Endpoint> {
        let vault = self.store.vault();
        let session = vault.hash(request.session_key.as_str());
        let link = ApproveLogin::read(request.link.as_str())?;
        let address = request.address.map(Address::into_owned);
        let chain = self.watcher.order_chain(address.as_ref().map_or("", Address::as_str), None).await?;
        let command = ApproveLogin { session, link, address, chain, seed: vault.seed() };
        let approved = self.store.submit(command).await?;
        Ok(approve_login::Response {
            app_name: approved.app_name,
            address: approved.goes.address.into(),
            how: approved.goes.how.into(),
        })
    }

    async fn submit_pay(&self, request: submit_pay::Request<'_>) -> Handled<submit_pay::Endpoint> {
        let refused = |refusal: Refusal| Failure::from(Refused::new(refusal));
        let vault = self.store.vault();
        let session = vault.hash(request.session_key.as_str());
        let payload = link::payload(request.link.as_str()).map_err(|_| refused(Refusal::LinkRefused))?;
        let link = read_pay(&payload)?;
        // Before the password check: the link's signature must be by the app that the link names.
        let app = self.store.view(FindVasApp(link.key_id().to_owned())).await?;
        let key =
            PublicKey::load(&app.rsa_public).map_err(|_| Failure::from(Refused::new(Reason::Internal)))?;
        let key = RsaVerify::new(&key);
        let verified = link.verify([VerifyingKey::Rsa(&key)], self.store.now());
        let link = verified.map_err(|_| refused(Refusal::SignatureWrong))?;
        let order_id = link.order_id.clone().into_owned();
        let Proven { proof, memory } =
            self.prover.prove_payment(session, request.wallet_pwd.as_str()).await?;
        let txid = request.txid.map(Txid::into_owned);
        let seen = match &txid {
            Some(txid) => self.watcher.look_up_now(txid).await.flatten(),
            None => None,
        };
        let missing = self.missing(link.app_uuid.clone().into_owned(), order_id.clone()).await?;
        let chain = self.watcher.order_chain(link.to_addr.as_str(), Some(link.asset_type.as_str())).await?;
        let command = SubmitPay { session, proof, link: link.into_owned(), txid, seen, missing, chain };
        let submitted = self.store.submit(command).await?;
        self.prover.remember(memory);
        self.watcher.submitted(submitted.order, submitted.txid.clone());
        Ok(submit_pay::Response { order_id, txid: submitted.txid, address: submitted.opens })
    }

    /// The submitted txid of an order, if the chain answers now that it does not exist; see `Watcher::missing`.
    async fn missing(
        &self,
        uuid: AppUuid<'static>,
        order_id: OrderId<'static>,
    ) -> Result<Option<Txid<'static>>, Failure> {
        match self.store.view(FindOrder { uuid, order_id }).await {
            Ok(order) => Ok(self.watcher.missing(&order).await),
            Err(Failure::Refused(_)) => Ok(None), // there is no order yet
            Err(failure) => Err(failure),
        }
    }

    /// Records a call with the credentials of the app.
    async fn called(&self, uuid: AppUuid<'static>) -> Result<(), Failure> {
        let app = self.store.view(FindVasApp(uuid.to_string())).await?;
        self.milestones.called(&self.store, app.id.into());
        Ok(())
    }

    async fn order(&self, request: order::Request<'_>) -> Handled<order::Endpoint> {
        let uuid = request.app_id.clone().into_owned();
        let query = OrderOf {
            access_token: self.store.vault().hash(request.access_token.as_str()),
            uuid: request.app_id.into_owned(),
            order_id: request.order_id.into_owned(),
        };
        let order = self.store.view(query).await;
        // An unknown order is a reply to an app with the right credentials.
        match &order {
            Ok(_) => self.called(uuid).await?,
            Err(no) if no.refused().is_some_and(|no| no.reason == Refusal::OrderUnknown) => {
                self.called(uuid).await?;
            }
            Err(_) => {}
        }
        Ok(wire::order(&order?))
    }

    /// The user of a session.
    async fn owner(&self, session_key: &SessionKey<'_>) -> Result<fomo::UserId, Failure> {
        let session = self.store.vault().hash(session_key.as_str());
        Ok(self.store.submit(SessionUser(session)).await?.id)
    }

    async fn apply(&self, request: apply::Request<'_>) -> Handled<apply::Endpoint> {
        let owner = self.owner(&request.session_key).await?;
        let text = |given: Option<std::borrow::Cow<'_, str>>| given.unwrap_or_default().into_owned();
        let command = ApplyVas {
            owner,
            profile: request.wallet.into(),
            name: request.name.into_owned(),
            safe_domain: text(request.safe_domain),
            scheme: text(request.scheme),
        };
        let id = self
            .store
            .submit(command)
            .await?
            .map_err(|fault| Refused::new(Refusal::ApplicationInvalid).at(fault.field()))?;
        Ok(apply::Response { application_id: ApplicationId::new(id.0) })
    }

    async fn applications(&self, request: applications::Request<'_>) -> Handled<applications::Endpoint> {
        let owner = self.owner(&request.session_key).await?;
        let apps = self.store.view(VasApps { owner }).await?;
        Ok(applications::Response { applications: apps.into_iter().map(application).collect() })
    }

    async fn credentials(&self, request: credentials::Request<'_>) -> Handled<credentials::Endpoint> {
        let session = self.store.vault().hash(request.session_key.as_str());
        // R61: a password check each time.
        let Proven { proof, .. } = self
            .prover
            .prove(Who::Session(session), PasswordKind::LoginAgain, Place::Nowhere, request.pwd.as_str())
            .await?;
        let command = ShowCredentials { session, proof, app: VasAppId(request.application_id.get()) };
        let app = self.store.submit(command).await?;
        let internal = || Failure::from(Refused::new(Reason::Internal));
        let (access_token, rsa_private) = app.credentials(self.store.vault()).map_err(|_| internal())?;
        let rsa_public = PublicKey::load(&app.rsa_public).map_err(|_| internal())?.to_base64();
        Ok(credentials::Response {
            uuid: app.uuid,
            access_token: access_token.expose().clone().into(),
            rsa_private: rsa_private.expose().clone().into(),
            rsa_public,
        })
    }
}

fn application(app: VasApp) -> Application {
    Application {
        application_id: ApplicationId::new(app.id.0),
        wallet: Wallet::from(app.profile).into(),
        name: app.name,
        safe_domain: app.safe_domain,
        scheme: app.scheme,
        review: app.state.into(),
        reason: app.reason,
        uuid: app.uuid,
    }
}
