//! Conversion of rows into FOMO's types.

use wallet_api::fomo::{self, TransferLog};
use wallet_core::{Amount, Units, UnixTime};
use wallet_engine::{Halt, Row as _};

use crate::coins::Coin;
use crate::fomo::events::{Event, EventKind};
use crate::fomo::payments::Transfer;
use crate::money::Account;
use crate::refusal::damaged;
use crate::users::User;
use crate::vault::Vault;

/// The public fields of a user.
pub fn user(user: &User) -> fomo::User {
    fomo::User {
        user_id: user.id,
        id: user.id,
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
        action: transfer.direction.into(),
        target_id: transfer.trade_id.clone(),
        memo: transfer.state.to_string(),
        status: transfer.status(now).into(),
        create_time: transfer.created_at,
        update_time: transfer.updated_at,
    }
}

/// An event, as get_events has it (R89).
pub fn event(vault: &Vault, event: &Event, transfer: Option<&Transfer>) -> fomo::Event {
    let kind = match event.kind {
        EventKind::Created => fomo::EventKind::Created,
        EventKind::Paid => fomo::EventKind::Paid,
        EventKind::CallbackExhausted => fomo::EventKind::CallbackExhausted,
        EventKind::Refunded => fomo::EventKind::Refunded,
        EventKind::ReceiverFails => fomo::EventKind::ReceiverFails,
        EventKind::ReceiverRecovered => fomo::EventKind::ReceiverRecovered,
    };
    fomo::Event {
        n: event.n,
        kind: kind.into(),
        transfer_id: vault.transfer_id(event.transfer),
        trade_id: transfer.map(|transfer| transfer.trade_id.clone()),
        time: event.at,
    }
}

/// A transfer and its state, as get_trade and the data of 211, 213 and 214 have it.
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
        trade_id: transfer.trade_id.clone(),
        status: transfer.status(now).into(),
        direction: transfer.direction.into(),
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
