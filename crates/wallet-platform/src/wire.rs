//! Between rows and the wire's own types.

use std::borrow::Cow;

use wallet_api::fomo::{self, CallbackStatus, TransferLog, payment_result};
use wallet_api::vas::{self, OrderState, payment};
use wallet_core::crypto::RsaSigner;
use wallet_core::{Amount, Callback, Signer, UnixTime, link, webhook};

use crate::apps::{App, AppKeys};
use crate::coins::Coin;
use crate::deliveries::{Claimed, News};
use crate::orders::VasOrder;
use crate::payments::Transfer;
use crate::refusal::Stop;
use crate::returns::callable;
use crate::users::User;
use crate::vas::VasApp;
use crate::vault::Vault;

/// A stored amount text. It was an amount when it came in; should a row be damaged, nothing is shown rather than a wrong
/// sum.
pub(crate) fn amount(text: &str) -> Amount<'static> {
    Amount::parse(text.to_owned()).unwrap_or_else(|_| wallet_core::Units::ZERO.to_amount(0))
}

/// A user, as told to others.
pub fn user(user: &User) -> fomo::User {
    fomo::User {
        user_id: user.id,
        fomo_id: user.fomo_id.clone(),
        name: user.name.clone(),
        portrait_uri: user.portrait.clone(),
    }
}

/// A coin, member by member as the document prints it.
pub fn coin(coin: &Coin) -> fomo::Coin {
    fomo::Coin {
        id: coin.id,
        chain_id: coin.chain_id.clone(),
        coin_type: coin.coin_type.clone(),
        price: coin.price.clone(),
        name: coin.name.clone(),
        description: coin.description.clone(),
        bc_expolorer: coin.explorer.clone(),
        contract: coin.contract.clone(),
        decimals: coin.decimals.to_string(),
        min_amount: coin.min_amount.clone(),
        next_start: coin.next_start.clone(),
        is_active: u8::from(coin.is_active).to_string(),
        sort_id: coin.sort_id.to_string(),
    }
}

/// A transfer, as its parties see it.
pub fn transfer_log(vault: &Vault, transfer: &Transfer, now: UnixTime) -> TransferLog {
    TransferLog {
        id: vault.transfer_id(transfer.id),
        from_user_id: transfer.payer,
        to_user_id: transfer.payee,
        coin_id: transfer.coin,
        amount: amount(&transfer.amount_text),
        action: transfer.direction,
        target_id: transfer.trade_id.clone().into(),
        memo: transfer.state.clone(),
        status: transfer.status(now),
        create_time: transfer.created_at,
        update_time: transfer.updated_at,
    }
}

/// A transfer and its state, as get_trade and the data of 211, 213 and 214 tell it.
pub fn trade_state(vault: &Vault, transfer: &Transfer, decimals: u8, now: UnixTime) -> fomo::Trade {
    fomo::Trade {
        transfer_id: vault.transfer_id(transfer.id),
        trade_id: transfer.trade_id.clone().into(),
        status: transfer.status(now),
        direction: transfer.direction,
        user_id: transfer.user(),
        coin_id: transfer.coin,
        amount: amount(&transfer.amount_text),
        cut_amount: transfer.cut.to_amount(decimals),
        create_time: transfer.created_at,
        update_time: transfer.updated_at,
    }
}

impl Claimed {
    /// Where the callback goes, as it stands in a request.
    pub fn address(&self) -> Cow<'_, str> {
        match &self.news {
            News::Transfer { transfer, .. } => transfer.server_uri.as_str().into(),
            News::Order { order, .. } => callable(&order.callback_url).unwrap_or_default().into(),
        }
    }

    /// The callback of this attempt.
    ///
    /// # Errors
    /// A fault of the platform when the app's secret does not open, the stored address is none, or its parameters are not
    /// signed yet.
    pub fn request(&self, vault: &Vault, now: UnixTime) -> Result<http::Request<Vec<u8>>, Stop> {
        match &self.news {
            News::Transfer { transfer, coin, app } => payment_result_request(vault, transfer, coin, app, now),
            News::Order { signed, .. } => {
                let query = signed.as_ref().ok_or(fomo::Refusal::Internal)?;
                let address = link::append_query(&self.address(), query);
                // The fragment is for browsers.
                let address = address.split('#').next().unwrap_or_default();
                let request = http::Request::builder().method(payment::Callback::META.method).uri(address);
                request.body(Vec::new()).map_err(|_| fomo::Refusal::Internal.into())
            }
        }
    }
}

/// A stored amount that is not to be shown but to be signed.
fn exact(text: &str) -> Result<Amount<'static>, Stop> {
    Amount::parse(text.to_owned()).map_err(|_| vas::Refusal::Internal.into())
}

/// The parameters of an order's callback, signed with the app's own key (R54). It takes milliseconds: do it outside of
/// the store's writer.
///
/// # Errors
/// A fault of the platform: the row is damaged, or the key cannot sign.
pub fn signed_payment(order: &VasOrder, app: &VasApp, key: &dyn RsaSigner) -> Result<String, Stop> {
    let payload = payment::Payload {
        uuid: app.uuid.as_str().into(),
        order_id: order.order_id.as_str().into(),
        from_addr: order.from_addr.as_str().into(),
        to_addr: order.to_addr.as_str().into(),
        asset_type: order.asset.as_str().into(),
        amount: exact(&order.amount)?,
        txid: order.txid.as_deref().ok_or(vas::Refusal::Internal)?.into(),
        callback_url: order.callback_url.as_str().into(),
    };
    let mut query = Vec::with_capacity(1024);
    payment::Callback::encode(&payload, Some(&Signer::Rsa(key)), &mut query)
        .map_err(|_| vas::Refusal::Internal)?;
    Ok(String::from_utf8(query).unwrap_or_default()) // a form is ASCII
}

/// An order, as its app is told (R71). Who has paid is known once it is paid.
///
/// # Errors
/// A fault of the platform when the row is damaged.
pub fn order(order: &VasOrder) -> Result<vas::order::Response, Stop> {
    let paid = order.state == OrderState::Paid;
    Ok(vas::order::Response {
        order_id: order.order_id.clone().into(),
        state: order.state,
        to_addr: order.to_addr.clone().into(),
        asset_type: order.asset.clone().into(),
        amount: exact(&order.amount)?,
        from_addr: paid.then(|| order.from_addr.clone().into()),
        txid: order.txid.clone().map(Into::into),
        fault: order.fault,
    })
}

/// FOMO's callback: the documented body (R35), and a signature header for each live secret (R9, R37).
fn payment_result_request(
    vault: &Vault,
    transfer: &Transfer,
    coin: &Coin,
    app: &App,
    now: UnixTime,
) -> Result<http::Request<Vec<u8>>, Stop> {
    let meta = payment_result::Callback::META;
    let transfer_id = vault.transfer_id(transfer.id);
    let payload = payment_result::Payload {
        transfer_id,
        user_id: transfer.user(),
        trade_id: transfer.trade_id.as_str().into(),
        coin_id: transfer.coin,
        amount: amount(&transfer.amount_text),
        cut_amount: transfer.cut.to_amount(coin.decimals),
        direction: transfer.direction,
        status: CallbackStatus::Paid,
    };
    let mut body = Vec::with_capacity(256);
    // Its signature stands in headers, not in a field.
    payment_result::Callback::encode(&payload, None, &mut body).map_err(|_| fomo::Refusal::Internal)?;
    let mut request = http::Request::builder()
        .method(meta.method)
        .uri(transfer.server_uri.as_str())
        .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(rule) = meta.signing {
        let keys = AppKeys::open(app, now, vault)?;
        let id = transfer_id.to_string();
        let signature =
            webhook::sign(vault.crypto(), rule, keys.secrets().map(str::as_bytes), &id, now, &body);
        request = request
            .header(webhook::ID, id)
            .header(webhook::TIMESTAMP, now.secs().to_string())
            .header(webhook::SIGNATURE, signature);
    }
    request.body(body).map_err(|_| fomo::Refusal::Internal.into())
}
