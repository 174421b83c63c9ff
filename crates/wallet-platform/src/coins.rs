//! Coins.

use wallet_api::fomo::{CoinId, Refusal};

use crate::entities::{Coin, Rows};
use crate::machine::{Command, Context, Query, Stop};
use crate::rows::{Changes, List};

/// Adds a coin or replaces what is known of it. Its decimals never change: balances are in base units.
#[derive(Debug)]
pub struct PutCoin(pub Coin);

impl Command for PutCoin {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        if let Some(known) = rows.find::<Coin>(&(self.0.id,))?
            && known.decimals != self.0.decimals
        {
            return Err(Refusal::NoPermission.into());
        }
        out.put(self.0.clone());
        Ok(())
    }
}

/// The coins that can be used, by sort_id, then id.
#[derive(Debug)]
pub struct ActiveCoins;

impl Query for ActiveCoins {
    type Answer = Vec<Coin>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Vec<Coin>, Stop> {
        Ok(rows.list::<Coin>(List::Coins)?.into_iter().filter(|coin| coin.is_active).cloned().collect())
    }
}

/// A coin that money may move in: unknown is 23, inactive 21 (R29).
pub(crate) fn usable(rows: &Rows, id: CoinId) -> Result<&Coin, Stop> {
    let coin = rows.find::<Coin>(&(id,))?.ok_or(Refusal::CoinUnknown)?;
    if coin.is_active { Ok(coin) } else { Err(Refusal::CoinInactive.into()) }
}
