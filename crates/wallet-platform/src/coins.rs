//! Coins.

use wallet_engine::{Command, Halt, List, Query, rows};

use crate::accounts::CoinId;
use crate::refusal::{Reason, Stop};
use crate::schema::{Changes, Context, Platform, Rows};

rows! { in Platform;
    /// A coin.
    coin: Coin {
        key {
            /// The id on the wire.
            id: CoinId,
        }
        /// The id of its chain.
        chain_id: String,
        /// Its kind.
        coin_type: String,
        /// Its price, a decimal text.
        price: String,
        /// Its name.
        name: String,
        /// A short description.
        description: String,
        /// Its block explorer.
        explorer: String,
        /// The address of its contract.
        contract: String,
        /// Digits behind the point.
        decimals: u8,
        /// The amount from which deposits are gathered.
        min_amount: String,
        /// The block at which the next scan for deposits starts.
        next_start: String,
        /// Whether it can be used.
        is_active: bool,
        /// Its weight in lists.
        sort_id: u32,
    }
}

/// Adds or replaces a coin. A known coin's decimals never change: balances are in base units.
#[derive(Debug)]
pub struct PutCoin(pub Coin);

impl Command<Platform> for PutCoin {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        if let Some(known) = rows.find::<Coin>(&(self.0.id,))?
            && known.decimals != self.0.decimals
        {
            return Err(Reason::NotAllowed.into());
        }
        out.put(self.0.clone());
        Ok(())
    }
}

/// The coins that can be used, by sort_id, then id.
#[derive(Debug)]
pub struct ActiveCoins;

impl Query<Platform> for ActiveCoins {
    type Answer = Vec<Coin>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Vec<Coin>, Stop> {
        Ok(every_coin(rows)?.into_iter().filter(|coin| coin.is_active).cloned().collect())
    }
}

/// A coin, whether it can be used or not.
#[derive(Debug)]
pub struct FindCoin(pub CoinId);

impl Query<Platform> for FindCoin {
    type Answer = Option<Coin>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        Ok(rows.find::<Coin>(&(self.0,))?.cloned())
    }
}

/// An active coin; an unknown one is 23, an inactive one 21 (R29).
pub(crate) fn usable(rows: &Rows, id: CoinId) -> Result<&Coin, Stop> {
    let coin = rows.find::<Coin>(&(id,))?.ok_or(Reason::CoinUnknown)?;
    if coin.is_active { Ok(coin) } else { Err(Reason::CoinInactive.into()) }
}

/// Every coin, in the order in which lists show them.
pub(crate) fn every_coin(rows: &Rows) -> Result<Vec<&Coin>, Halt> {
    rows.list(List::new().ascending(Coin::sort_id).ascending(Coin::id))
}
