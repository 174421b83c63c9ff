//! A user's view of an account: its entries, each with its transfer (R36).

use wallet_api::fomo::{CoinId, UserId, limits};
use wallet_engine::{Query, journal};

use crate::coins::Coin;
use crate::fomo::payments::Transfer;
use crate::money::{Account, Entry};
use crate::refusal::{Reason, Refused, Stop};
use crate::schema::{Context, Platform, Rows};

/// One page of the entries of a user's account, newest first.
#[derive(Debug)]
pub struct Records {
    /// The user.
    pub user: UserId,
    /// The coin.
    pub coin: CoinId,
    /// The number of the page, from 1.
    pub page: u64,
}

/// A page of [`Records`].
#[derive(Debug)]
pub struct RecordsPage {
    /// The coin.
    pub coin: Coin,
    /// Entries in all.
    pub total: u64,
    /// The entries, each with its transfer.
    pub records: Vec<(Entry, Option<Transfer>)>,
}

impl Query<Platform> for Records {
    type Answer = RecordsPage;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<RecordsPage, Stop> {
        rows.want::<Account>(&(self.user, self.coin));
        let coin = rows.find::<Coin>(&(self.coin,))?.ok_or(Reason::CoinUnknown)?;
        let account = rows.find::<Account>(&(self.user, self.coin))?;
        let total = account.map_or(0, |account| account.entries);
        let limit = limits::RECORDS_PER_PAGE;
        let skip = self.page.checked_sub(1).ok_or_else(|| Refused::field("page"))?.saturating_mul(limit);
        let mut records = Vec::new();
        if let Some(to) = total.checked_sub(skip).filter(|to| *to > 0) {
            let newest = account.and_then(|account| Some(((account.last_entry?,), total)));
            let from = to.saturating_sub(limit) + 1;
            let entries = journal::read::<Entry, _>(rows, (self.user, self.coin), newest, from..=to)?;
            for transfer in entries.iter().filter_map(|entry| entry.transfer) {
                rows.want::<Transfer>(&(transfer,));
            }
            for entry in entries {
                let transfer = match entry.transfer {
                    Some(transfer) => rows.find::<Transfer>(&(transfer,))?.cloned(),
                    None => None,
                };
                records.push((entry.clone(), transfer));
            }
        }
        Ok(RecordsPage { coin: coin.clone(), total, records })
    }
}
