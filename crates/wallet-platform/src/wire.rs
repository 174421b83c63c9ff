//! Between rows and the wire's own types.

use std::borrow::Cow;

use wallet_api::fomo::{self, CallbackStatus, TransferLog, payment_result};
use wallet_api::vas::{self, OrderState, payment};
use wallet_core::crypto::RsaSigner;
use wallet_core::{Amount, Callback, Signer, Units, UnixTime, link, webhook};
use wallet_engine::{Halt, Row as _, TableMeta};

use crate::apps::{App, AppKeys};
use crate::coins::Coin;
use crate::deliveries::{Claimed, News};
use crate::money::Account;
use crate::orders::{VasCallback, VasOrder};
use crate::payments::Transfer;
use crate::returns::callable;
use crate::users::User;
use crate::vas::VasApp;
use crate::vault::Vault;

/// The error of a row that cannot be sent.
const fn damaged(table: &'static TableMeta) -> Halt {
    Halt::Damaged { table: table.name }
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
        amount: transfer.amount_text.clone(),
        action: transfer.direction,
        target_id: transfer.trade_id.clone().into(),
        memo: transfer.state.clone(),
        status: transfer.status(now),
        create_time: transfer.created_at,
        update_time: transfer.updated_at,
    }
}

/// A transfer and its state, as get_trade and the data of 211, 213 and 214 tell it.
///
/// # Errors
/// [`Halt::Damaged`] if the fee is not an amount.
pub fn trade_state(
    vault: &Vault,
    transfer: &Transfer,
    decimals: u8,
    now: UnixTime,
) -> Result<fomo::Trade, Halt> {
    Ok(fomo::Trade {
        transfer_id: vault.transfer_id(transfer.id),
        trade_id: transfer.trade_id.clone().into(),
        status: transfer.status(now),
        direction: transfer.direction,
        user_id: transfer.user(),
        coin_id: transfer.coin,
        amount: transfer.amount_text.clone(),
        cut_amount: cut_amount(transfer, decimals)?,
        create_time: transfer.created_at,
        update_time: transfer.updated_at,
    })
}

/// A balance or entry without its sign, as an amount of its coin.
///
/// # Errors
/// [`Halt::Damaged`] if it is not an amount.
pub fn size(units: Units, decimals: u8) -> Result<Amount<'static>, Halt> {
    let size = if units < Units::ZERO { units.negated() } else { Ok(units) };
    size.and_then(|size| size.to_amount(decimals)).map_err(|_| damaged(Account::TABLE))
}

/// The fee of a transfer, as an amount of its coin.
///
/// # Errors
/// [`Halt::Damaged`] if it is not an amount.
pub fn cut_amount(transfer: &Transfer, decimals: u8) -> Result<Amount<'static>, Halt> {
    transfer.cut.to_amount(decimals).map_err(|_| damaged(Transfer::TABLE))
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
    pub fn request(&self, vault: &Vault, now: UnixTime) -> Result<http::Request<Vec<u8>>, Halt> {
        match &self.news {
            News::Transfer { transfer, coin, app } => payment_result_request(vault, transfer, coin, app, now),
            News::Order { signed, .. } => {
                let query = signed.as_ref().ok_or(damaged(VasCallback::TABLE))?;
                let address = link::append_query(&self.address(), query);
                // The fragment is for browsers.
                let address = address.split('#').next().unwrap_or_default();
                let method = payment::Callback::META.method.word();
                let request = http::Request::builder().method(method).uri(address);
                request.body(Vec::new()).map_err(|_| damaged(VasOrder::TABLE))
            }
        }
    }
}

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
    let payload = payment_result::Payload {
        transfer_id,
        user_id: transfer.user(),
        trade_id: transfer.trade_id.as_str().into(),
        coin_id: transfer.coin,
        amount: transfer.amount_text.clone(),
        cut_amount: cut_amount(transfer, coin.decimals)?,
        direction: transfer.direction,
        status: CallbackStatus::Paid,
    };
    let mut body = Vec::with_capacity(256);
    // Its signature stands in headers, not in a field.
    payment_result::Callback::encode(&payload, None, &mut body).map_err(|_| damaged(Transfer::TABLE))?;
    let mut request = http::Request::builder()
        .method(meta.method.word())
        .uri(transfer.server_uri.as_str())
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
