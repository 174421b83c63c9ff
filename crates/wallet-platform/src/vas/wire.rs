//! Between rows and the types of the VAS and Lafi wallets.

use wallet_api::vas::{self, OrderState, payment};
use wallet_core::crypto::RsaSigner;
use wallet_core::{Callback, Signer, UnixTime};
use wallet_engine::{Halt, Row as _};

use crate::refusal::damaged;
use crate::vas::apps::VasApp;
use crate::vas::orders::VasOrder;

/// The parameters of an order's callback, signed with the app's own key (R54). It takes milliseconds: do it outside of
/// the store's writer.
///
/// # Errors
/// A fault of the platform: the row is damaged, or the key cannot sign.
pub fn signed_payment(
    order: &VasOrder,
    app: &VasApp,
    key: &dyn RsaSigner,
    now: UnixTime,
) -> Result<String, Halt> {
    let payload = payment::Payload {
        uuid: app.uuid.as_str().into(),
        order_id: order.order_id.as_str().into(),
        from_addr: order.from_addr.as_str().into(),
        to_addr: order.to_addr.as_str().into(),
        asset_type: order.asset.as_str().into(),
        amount: order.amount.clone(),
        txid: order.txid.as_deref().ok_or(damaged(VasOrder::TABLE))?.into(),
        callback_url: order.callback_url.as_str().into(),
    };
    let mut query = Vec::with_capacity(1024);
    payment::Callback::encode(&payload, Some(&Signer::rsa(key, now)), &mut query)
        .map_err(|_| damaged(VasOrder::TABLE))?;
    Ok(String::from_utf8(query).unwrap_or_default()) // a form is ASCII
}

/// An order, as its app is told (R71). Who has paid is known once it is paid.
pub fn order(order: &VasOrder) -> vas::order::Response {
    let paid = order.state == OrderState::Paid;
    vas::order::Response {
        order_id: order.order_id.clone().into(),
        state: order.state,
        to_addr: order.to_addr.clone().into(),
        asset_type: order.asset.clone().into(),
        amount: order.amount.clone(),
        from_addr: paid.then(|| order.from_addr.clone().into()),
        txid: order.txid.clone().map(Into::into),
        fault: order.fault,
    }
}
