//! FOMO's callback, which reports a transfer.

use std::borrow::Cow;
use std::sync::Arc;

use wallet_api::fomo::{CallbackStatus, payment_result};
use wallet_core::address::as_called;
use wallet_core::crypto::RsaSigner;
use wallet_core::{Callback as _, CallbackMeta, Secret, UnixTime, webhook};
use wallet_engine::{Halt, Row as _};

use crate::accounts::UserId;
use crate::coins::Coin;
use crate::deliveries::{DeliveryId, DeliveryRow, ReceiverId, Source, Subject};
use crate::fomo::apps::{App, AppId, AppKeys};
use crate::fomo::events::EventKind;
use crate::fomo::payments::{Transfer, record_events};
use crate::fomo::wire::cut_amount;
use crate::money::TransferSeq;
use crate::receivers::ReceiverEvent;
use crate::refusal::{Stop, damaged};
use crate::schema::{Changes, Context, Rows};
use crate::vault::Vault;

impl From<AppId> for ReceiverId {
    fn from(app: AppId) -> Self {
        Self(app.0)
    }
}

/// The callbacks of transfers.
pub(crate) struct PaymentResult;

fn key(row: &DeliveryRow) -> (TransferSeq,) {
    (TransferSeq(row.subject),)
}

impl Source for PaymentResult {
    fn meta(&self) -> &'static CallbackMeta {
        payment_result::Callback::META
    }

    fn want(&self, rows: &Rows, row: &DeliveryRow) {
        rows.want::<App>(&(AppId(row.app.0),));
        rows.want::<Transfer>(&key(row));
    }

    fn want_more(&self, rows: &Rows, row: &DeliveryRow) -> Result<(), Stop> {
        rows.want::<Coin>(&(rows.get::<Transfer>(&key(row))?.coin,));
        Ok(())
    }

    fn subject(&self, rows: &Rows, row: &DeliveryRow) -> Result<Arc<dyn Subject>, Stop> {
        let transfer = rows.get::<Transfer>(&key(row))?.clone();
        let coin = rows.get::<Coin>(&(transfer.coin,))?.clone();
        let app = rows.get::<App>(&(transfer.app,))?.clone();
        Ok(Arc::new(Paid { transfer, coin, app }))
    }

    fn owner(&self, rows: &Rows, row: &DeliveryRow) -> Result<(UserId, String), Stop> {
        let app = rows.get::<App>(&(AppId(row.app.0),))?;
        Ok((app.owner, app.name.clone()))
    }

    fn renew(
        &self,
        rows: &Rows,
        out: &mut Changes,
        row: &DeliveryRow,
        again: DeliveryId,
    ) -> Result<(), Stop> {
        let transfer = rows.get::<Transfer>(&key(row))?;
        out.put(Transfer { delivery: Some(again), ..transfer.clone() });
        Ok(())
    }

    fn record(
        &self,
        rows: &Rows,
        cx: &Context<'_>,
        out: &mut Changes,
        row: &DeliveryRow,
        events: &[ReceiverEvent],
    ) -> Result<(), Stop> {
        let kinds = events.iter().map(|event| match event {
            ReceiverEvent::GivenUp => EventKind::CallbackExhausted,
            ReceiverEvent::Fails => EventKind::ReceiverFails,
            ReceiverEvent::Recovered => EventKind::ReceiverRecovered,
        });
        let kinds: Vec<EventKind> = kinds.collect();
        record_events(rows, cx, out, AppId(row.app.0), &kinds, TransferSeq(row.subject))
    }
}

/// A transfer that is done.
#[derive(Debug)]
struct Paid {
    transfer: Transfer,
    coin: Coin,
    app: App,
}

impl Subject for Paid {
    fn app_name(&self) -> &str {
        &self.app.name
    }

    fn reference(&self) -> &str {
        self.transfer.trade_id.as_str()
    }

    fn amount(&self) -> String {
        format!("{} {}", self.transfer.amount_text, self.coin.name)
    }

    fn given_address(&self) -> &str {
        self.transfer.server_uri.as_str()
    }

    fn address(&self) -> Cow<'_, str> {
        as_called(self.transfer.server_uri.as_str())
    }

    fn paid_at(&self) -> UnixTime {
        self.transfer.updated_at
    }

    fn delivery(&self) -> Option<DeliveryId> {
        self.transfer.delivery
    }

    fn private_key(&self, _: &Vault) -> Result<Option<Secret<String>>, Stop> {
        Ok(None) // the app's live secrets sign each request, in its headers
    }

    fn sign(&self, _: &dyn RsaSigner, _: UnixTime) -> Result<String, Halt> {
        Err(damaged(Transfer::TABLE))
    }

    fn request(&self, vault: &Vault, now: UnixTime, _: Option<&str>) -> Result<http::Request<Vec<u8>>, Halt> {
        payment_result_request(vault, &self.transfer, &self.coin, &self.app, now)
    }
}

/// FOMO's callback: the documented body (R35), and a signature header for each live secret (R9, R37).
fn payment_result_request(
    vault: &Vault,
    transfer: &Transfer,
    coin: &Coin,
    app: &App,
    now: UnixTime,
) -> Result<http::Request<Vec<u8>>, Halt> {
    let meta = payment_result::Callback::META;
    let transfer_id = vault.transfer_id(transfer.id);
    let payload = payment_result::Payload::new(
        transfer_id,
        transfer.user(),
        transfer.trade_id.as_str().into(),
        transfer.coin,
        transfer.amount_text.clone(),
        cut_amount(transfer, coin.decimals)?,
        transfer.direction,
        CallbackStatus::Paid,
    );
    let mut body = Vec::with_capacity(256);
    // Its signature is in headers, not in a field.
    payment_result::Callback::encode(&payload, None, &mut body).map_err(|_| damaged(Transfer::TABLE))?;
    let mut request = http::Request::builder()
        .method(meta.method.word())
        .uri(&*as_called(transfer.server_uri.as_str()))
        .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(rule) = meta.signing {
        let keys = AppKeys::open(app, now, vault)?;
        let id = transfer_id.to_string();
        let secrets = keys.secrets().map(str::as_bytes);
        for (name, value) in webhook::sign(vault.crypto(), rule, secrets, &id, now, &body) {
            request = request.header(name, value);
        }
    }
    request.body(body).map_err(|_| damaged(Transfer::TABLE))
}
