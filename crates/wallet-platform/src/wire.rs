//! Between rows and the wire's own types.

use wallet_api::fomo::{self, CallbackStatus, TransferLog, payment_result};
use wallet_core::{Amount, Callback, UnixTime, webhook};

use crate::apps::AppKeys;
use crate::deliveries::Claimed;
use crate::entities::{Coin, Transfer, User};
use crate::machine::Stop;
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
    /// The callback of this attempt: the documented body (R35), and a signature header for each live secret (R9, R37).
    ///
    /// # Errors
    /// A fault of the platform when the app's secret does not open or the stored address is none.
    pub fn request(&self, vault: &Vault, now: UnixTime) -> Result<http::Request<Vec<u8>>, Stop> {
        let meta = payment_result::Callback::META;
        let transfer_id = vault.transfer_id(self.transfer.id);
        let payload = payment_result::Payload {
            transfer_id,
            user_id: self.transfer.user(),
            trade_id: self.transfer.trade_id.as_str().into(),
            coin_id: self.transfer.coin,
            amount: amount(&self.transfer.amount_text),
            cut_amount: self.transfer.cut.to_amount(self.coin.decimals),
            direction: self.transfer.direction,
            status: CallbackStatus::Paid,
        };
        let mut body = Vec::with_capacity(256);
        // Its signature stands in headers, not in a field.
        payment_result::Callback::encode(&payload, None, &mut body).map_err(|_| fomo::Refusal::Internal)?;
        let mut request = http::Request::builder()
            .method(meta.method)
            .uri(self.transfer.server_uri.as_str())
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(rule) = meta.signing {
            let keys = AppKeys::open(&self.app, now, vault)?;
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
}
