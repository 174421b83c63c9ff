//! The callback of the VAS and Lafi wallets, which reports an order.

use std::borrow::Cow;
use std::sync::Arc;

use wallet_api::vas::payment;
use wallet_core::crypto::RsaSigner;
use wallet_core::{Callback as _, CallbackMeta, Secret, Signer, UnixTime, link};
use wallet_engine::{Halt, Row as _};

use crate::accounts::UserId;
use crate::deliveries::{DeliveryId, DeliveryRow, ReceiverId, SignedCallback, Source, Subject};
use crate::receivers::ReceiverEvent;
use crate::refusal::{Stop, damaged};
use crate::returns::callable;
use crate::schema::{Changes, Context, Rows};
use crate::vas::apps::{VasApp, VasAppId};
use crate::vas::orders::{OrderSeq, VasOrder};
use crate::vault::Vault;

impl From<VasAppId> for ReceiverId {
    fn from(app: VasAppId) -> Self {
        Self(app.0)
    }
}

/// The callbacks of orders.
pub(crate) struct Payment;

fn key(row: &DeliveryRow) -> (OrderSeq,) {
    (OrderSeq(row.subject),)
}

impl Source for Payment {
    fn meta(&self) -> &'static CallbackMeta {
        payment::Callback::META
    }

    fn want(&self, rows: &Rows, row: &DeliveryRow) {
        rows.want::<VasApp>(&(VasAppId(row.app.0),));
        rows.want::<VasOrder>(&key(row));
    }

    fn want_more(&self, _: &Rows, _: &DeliveryRow) -> Result<(), Stop> {
        Ok(())
    }

    fn subject(&self, rows: &Rows, row: &DeliveryRow) -> Result<Arc<dyn Subject>, Stop> {
        let order = rows.get::<VasOrder>(&key(row))?.clone();
        let app = rows.get::<VasApp>(&(order.app,))?.clone();
        Ok(Arc::new(Paid { order, app }))
    }

    fn owner(&self, rows: &Rows, row: &DeliveryRow) -> Result<(UserId, String), Stop> {
        let app = rows.get::<VasApp>(&(VasAppId(row.app.0),))?;
        Ok((app.owner, app.name.clone()))
    }

    fn renew(
        &self,
        rows: &Rows,
        out: &mut Changes,
        row: &DeliveryRow,
        again: DeliveryId,
    ) -> Result<(), Stop> {
        let order = rows.get::<VasOrder>(&key(row))?;
        out.put(VasOrder { delivery: Some(again), ..order.clone() });
        Ok(())
    }

    fn record(
        &self,
        _: &Rows,
        _: &Context<'_>,
        _: &mut Changes,
        _: &DeliveryRow,
        _: &[ReceiverEvent],
    ) -> Result<(), Stop> {
        Ok(()) // these apps have no feed of events
    }
}

/// An order that is paid.
#[derive(Debug)]
struct Paid {
    order: VasOrder,
    app: VasApp,
}

impl Subject for Paid {
    fn app_name(&self) -> &str {
        &self.app.name
    }

    fn reference(&self) -> &str {
        self.order.order_id.as_str()
    }

    fn amount(&self) -> String {
        format!("{} {}", self.order.amount, self.order.asset)
    }

    fn given_address(&self) -> &str {
        self.order.callback_url.as_str()
    }

    fn address(&self) -> Cow<'_, str> {
        callable(self.order.callback_url.as_str()).unwrap_or_default().into()
    }

    fn paid_at(&self) -> UnixTime {
        self.order.created_at
    }

    fn delivery(&self) -> Option<DeliveryId> {
        self.order.delivery
    }

    fn private_key(&self, vault: &Vault) -> Result<Option<Secret<String>>, Stop> {
        self.app.credentials(vault).map(|(_, rsa_private)| Some(rsa_private))
    }

    fn sign(&self, key: &dyn RsaSigner, now: UnixTime) -> Result<String, Halt> {
        signed_payment(&self.order, &self.app, key, now)
    }

    fn request(&self, _: &Vault, _: UnixTime, signed: Option<&str>) -> Result<http::Request<Vec<u8>>, Halt> {
        let query = signed.ok_or(damaged(SignedCallback::TABLE))?;
        let address = link::append_query(&self.address(), query);
        // The fragment is for browsers.
        let address = address.split('#').next().unwrap_or_default();
        let request = http::Request::builder().method(payment::Callback::META.method.word()).uri(address);
        request.body(Vec::new()).map_err(|_| damaged(VasOrder::TABLE))
    }
}

/// The parameters of an order's callback, signed with the app's own key (R54). It takes milliseconds: call it outside of
/// the store's writer.
///
/// # Errors
/// A fault of the platform: the row is damaged, or the key cannot sign.
fn signed_payment(
    order: &VasOrder,
    app: &VasApp,
    key: &dyn RsaSigner,
    now: UnixTime,
) -> Result<String, Halt> {
    let payload = payment::Payload::new(
        app.uuid.as_str().into(),
        order.order_id.as_str().into(),
        order.from_addr.as_str().into(),
        order.to_addr.as_str().into(),
        order.asset.as_str().into(),
        order.amount.clone(),
        order.txid.as_ref().ok_or(damaged(VasOrder::TABLE))?.as_str().into(),
        order.callback_url.as_str().into(),
    );
    let mut query = Vec::with_capacity(1024);
    payment::Callback::encode(&payload, Some(&Signer::rsa(key, now)), &mut query)
        .map_err(|_| damaged(VasOrder::TABLE))?;
    Ok(String::from_utf8(query).expect("a form is ASCII"))
}
