//! The endpoints of the VAS and Lafi wallets: one exhaustive match, as for FOMO.

use axum::response::Response;
use bytes::Bytes;
use wallet_api::vas::*;
use wallet_core::{Endpoint, Lang};
use wallet_platform::{ApproveLogin, AskPrice, How as Going, RedeemOpenCode};
use wallet_store::Failure;

use crate::reply;
use crate::server::Inner;

type Handled<E> = Result<<E as Endpoint>::Response, Failure>;

impl Inner {
    /// Answers a request below the base path of VAS and Lafi.
    pub(crate) async fn vas(&self, request: &http::Request<Bytes>, lang: Lang) -> (&'static str, Response) {
        let decoded = match AnyRequest::decode(request) {
            Ok(decoded) => decoded,
            Err(error) => return reply::undecoded(lang, error),
        };
        let name = decoded.meta().id;
        let response = match decoded {
            AnyRequest::AidInfo(request) => {
                self.reply::<aid_info::Endpoint>(lang, self.aid_info(request).await)
            }
            AnyRequest::Price(request) => self.reply::<price::Endpoint>(lang, self.price(request).await),
            AnyRequest::ApproveLogin(request) => {
                self.reply::<approve_login::Endpoint>(lang, self.approve_login(request).await)
            }
        };
        (name, response)
    }

    async fn aid_info(&self, request: aid_info::Request<'_>) -> Handled<aid_info::Endpoint> {
        let vault = self.store.vault();
        let command = RedeemOpenCode {
            code: vault.hash(request.open_code.as_str()),
            access_token: vault.hash(request.access_token.as_str()),
            uuid: request.app_id.as_str().to_owned(),
        };
        let info = self.store.submit(command).await?;
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

    async fn approve_login(&self, request: approve_login::Request<'_>) -> Handled<approve_login::Endpoint> {
        let vault = self.store.vault();
        let session = vault.hash(request.session_key.as_str());
        let command = ApproveLogin::read(session, request.link.as_str(), vault.seed())?;
        let approved = self.store.submit(command).await?;
        let how = match approved.goes.how {
            Going::Open => How::Open,
            Going::Get => How::Get,
        };
        Ok(approve_login::Response {
            app_name: approved.app_name,
            address: approved.goes.address.into(),
            how,
        })
    }
}
