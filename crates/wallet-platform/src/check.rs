//! The check of a whole database: balances against entries, journals, payments against callbacks, and every reference.
//!
//! It reads each table once, on one snapshot, and looks up what each row refers to. It keeps the sum of each account and the
//! ids of the payments that have moved money; everything else is forgotten page by page.

use std::collections::{BTreeMap, HashMap};

use wallet_core::Units;
use wallet_engine::{Engine, Row as _, Scan, Schema as _, Snapshot, StoreError};

use crate::accounts::{CoinId, UserId};
use crate::coins::Coin;
use crate::damage::{Damage, Damaged, End, Found, Look, Part, shown, sorted};
use crate::money::{Account, Entry, EntryId, ISSUER};
use crate::schema::{AnyRow, Platform, Rows};
use crate::vault::Vault;
use crate::{fomo, vas};

/// The parts of the protocols.
fn parts() -> [Box<dyn Part>; 2] {
    [Box::<fomo::check::Fomo>::default(), Box::<vas::check::Vas>::default()]
}

/// The result of a check.
#[derive(Debug)]
pub struct Checked {
    /// The number of rows.
    pub rows: u64,
    /// What is wrong, in the order in which it was found; at most 1,000, the rest is counted.
    pub damaged: Vec<Damaged>,
    /// The number of all damages.
    pub count: u64,
}

/// Checks a database on one snapshot. `progress` gets each table that was read and the number of its rows.
///
/// # Errors
/// The database's.
pub fn check<B: Scan<Platform>>(
    engine: &mut Engine<Platform, B>,
    mut progress: impl FnMut(&'static str, u64),
) -> Result<Checked, StoreError> {
    let vault = engine.vault().clone();
    let mut snapshot = engine.snapshot()?;
    let mut check = Check { parts: parts(), found: Found::default(), ledger: Ledger::default() };
    let mut all = 0;
    for (at, table) in Platform::TABLES.iter().enumerate() {
        let mut count = 0;
        let read = snapshot.pages(at, |snapshot, page| {
            count += page.len() as u64;
            let movements = check.follow(page);
            check.refer(snapshot, page, &movements, &vault)
        });
        match read {
            Err(StoreError::Damaged(_)) => check.found.at(table.name, "…", Damage::Unreadable),
            read => read?,
        }
        progress(table.name, count);
        all += count;
    }
    check.ledger.end(&mut check.found);
    check.parts.iter_mut().for_each(|part| part.end(&mut check.found));
    Ok(Checked { rows: all, damaged: check.found.damaged, count: check.found.count })
}

/// The balances and the entries.
#[derive(Default)]
struct Ledger {
    accounts: BTreeMap<(UserId, CoinId), Account>,
    entries: HashMap<(UserId, CoinId), (End<EntryId>, i128)>,
    /// The entries of a movement that has not reached zero.
    movement: Vec<Entry>,
}

fn sum(movement: &[Entry]) -> i128 {
    movement.iter().fold(0, |sum: i128, entry| sum.saturating_add(entry.amount.get()))
}

impl Ledger {
    fn account(&mut self, account: &Account, found: &mut Found) {
        if account.balance < Units::ZERO && account.owner != ISSUER {
            found.row(account, Damage::Overdrawn(account.balance));
        }
        self.accounts.insert((account.owner, account.coin), account.clone());
    }

    /// Returns a movement that ends with this entry: its entries follow one another, and sum to zero with the last one.
    fn entry(&mut self, entry: &Entry, found: &mut Found) -> Option<Vec<Entry>> {
        let (end, total) = self.entries.entry((entry.owner, entry.coin)).or_default();
        *total = total.saturating_add(entry.amount.get());
        if !end.goes_on(entry.n, entry.id, entry.previous) {
            found.row(entry, Damage::JournalCut);
        }
        let is_another = |first: &Entry| first.coin != entry.coin || first.transfer != entry.transfer;
        if self.movement.first().is_some_and(is_another) {
            self.unbalanced(found);
        }
        self.movement.push(entry.clone());
        (sum(&self.movement) == 0).then(|| std::mem::take(&mut self.movement))
    }

    fn unbalanced(&mut self, found: &mut Found) {
        let movement = std::mem::take(&mut self.movement);
        if let Some(first) = movement.first() {
            found.row(first, Damage::Unbalanced(sum(&movement)));
        }
    }

    fn end(&mut self, found: &mut Found) {
        self.unbalanced(found);
        let mut coins: BTreeMap<CoinId, i128> = BTreeMap::new();
        for (key, account) in std::mem::take(&mut self.accounts) {
            let (end, total) = self.entries.remove(&key).unwrap_or_default();
            let sum = coins.entry(account.coin).or_default();
            *sum = sum.saturating_add(account.balance.get());
            if account.balance.get() != total {
                found.row(&account, Damage::Balance { stored: account.balance, sum: total });
            }
            if (account.entries, account.last_entry) != (end.n, end.last) {
                found.row(&account, Damage::JournalEnds);
            }
        }
        for (key, _) in sorted(std::mem::take(&mut self.entries)) {
            found.at(Entry::TABLE.name, shown(&key), Damage::Lacks(Account::TABLE.name));
        }
        for (coin, sum) in coins.into_iter().filter(|(_, sum)| *sum != 0) {
            found.at(Coin::TABLE.name, shown(&coin), Damage::CoinSum(sum));
        }
    }
}

struct Check {
    parts: [Box<dyn Part>; 2],
    found: Found,
    ledger: Ledger,
}

impl Check {
    /// Follows the rows of a page, and returns the movements that they complete.
    fn follow(&mut self, page: &[AnyRow]) -> Vec<Vec<Entry>> {
        let mut movements = Vec::new();
        for row in page {
            match row {
                AnyRow::Account(account) => self.ledger.account(account, &mut self.found),
                AnyRow::Entry(entry) => movements.extend(self.ledger.entry(entry, &mut self.found)),
                _ => self.parts.iter_mut().for_each(|part| part.follow(row, &mut self.found)),
            }
        }
        for part in &mut self.parts {
            movements.iter().for_each(|movement| part.moved(movement));
        }
        movements
    }

    /// Looks up what the rows of a page refer to.
    fn refer<B: Scan<Platform>>(
        &mut self,
        snapshot: &mut Snapshot<'_, Platform, B>,
        page: &[AnyRow],
        movements: &[Vec<Entry>],
        vault: &Vault,
    ) -> Result<(), StoreError> {
        let parts = &self.parts;
        let all = |rows: &Rows, page: &[AnyRow], movements: &[Vec<Entry>]| {
            let mut look = Look::new(rows, vault);
            for row in page {
                look.at(row);
                parts.iter().for_each(|part| part.refer(row, &mut look));
            }
            for movement in movements {
                parts.iter().for_each(|part| part.refer_movement(movement, &mut look));
            }
            look.end()
        };
        let found = match snapshot.read(|rows| all(rows, page, movements)) {
            Err(StoreError::Damaged(_)) => {
                // A row that is referred to cannot be read. Its own table's check says so; here the others are checked.
                let mut found = Vec::new();
                for row in page {
                    let row = std::slice::from_ref(row);
                    found.extend(unless_damaged(snapshot.read(|rows| all(rows, row, &[])))?);
                }
                for movement in movements {
                    let movement = std::slice::from_ref(movement);
                    found.extend(unless_damaged(snapshot.read(|rows| all(rows, &[], movement)))?);
                }
                found
            }
            found => found?,
        };
        found.into_iter().for_each(|Damaged { table, key, damage }| self.found.at(table, key, damage));
        Ok(())
    }
}

fn unless_damaged<T: Default>(result: Result<T, StoreError>) -> Result<T, StoreError> {
    match result {
        Err(StoreError::Damaged(_)) => Ok(T::default()),
        result => result,
    }
}
