//! Double entry. The one place where balances change.

use wallet_core::{Amount, Units, UnixTime};
use wallet_engine::journal::JournalRow;
use wallet_engine::{Command, Halt, Row as _, journal, row_ids, rows};

use crate::accounts::{CoinId, UserId};
use crate::coins;
use crate::coins::Coin;
use crate::refusal::{Reason, Refused, Stop};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users::User;

row_ids! {
    /// The row number of an entry.
    EntryId;
    /// The row number of a transfer. The wire has another number: see [`Vault::transfer_id`](crate::Vault::transfer_id).
    TransferSeq;
}

rows! { in Platform;
    /// The balance of a user in one coin.
    account: Account {
        key {
            /// The owner's user id.
            owner: UserId,
            /// The coin.
            coin: CoinId,
        }
        /// Balance in base units. Only the issuer's may be negative.
        balance: Units,
        /// The number of its entries.
        entries: u64,
        /// The account's newest entry.
        last_entry: Option<EntryId>,
    }

    /// One side of a movement of money; the row never changes. The entries of an account are a journal.
    entry: Entry {
        key {
            /// Its row number.
            id: EntryId,
        }
        /// The account's owner.
        owner: UserId,
        /// The account's coin.
        coin: CoinId,
        /// Its number within the account, from 1 without gaps.
        n: u64,
        /// The account's previous entry.
        previous: Option<EntryId>,
        /// Amount in base units; negative if it leaves the account.
        amount: Units,
        /// The transfer; `None` for a deposit.
        transfer: Option<TransferSeq>,
        /// The time of the movement.
        created_at: UnixTime,
    }

    /// Finds an entry by its number within the account.
    entry_mark: EntryMark {
        key {
            /// The account's owner.
            owner: UserId,
            /// The account's coin.
            coin: CoinId,
            /// The entry's number.
            n: u64,
        }
        /// The entry.
        entry: EntryId,
    }
}

impl JournalRow for Entry {
    type Owner = (UserId, CoinId);
    type Mark = EntryMark;
    fn n(&self) -> u64 {
        self.n
    }
    fn previous(&self) -> Option<(EntryId,)> {
        self.previous.map(|id| (id,))
    }
    fn mark((owner, coin): Self::Owner, n: u64) -> (UserId, CoinId, u64) {
        (owner, coin, n)
    }
    fn marked(mark: &EntryMark) -> (EntryId,) {
        (mark.entry,)
    }
}

/// The system account that deposits come from; the only account whose balance may be negative.
pub const ISSUER: UserId = UserId::new(1);
/// The system account that fees go to (R23).
pub const FEES: UserId = UserId::new(2);

/// A movement of money between two accounts, with a fee that the receiver pays.
pub(crate) struct Movement {
    pub(crate) from: UserId,
    pub(crate) to: UserId,
    pub(crate) coin: CoinId,
    pub(crate) amount: Units,
    pub(crate) cut: Units,
    pub(crate) transfer: Option<TransferSeq>,
}

/// The base units of an amount to move; refused with 0 and the field's name if not exact or not positive (R12).
pub(crate) fn moving_units(amount: &Amount<'_>, coin: &Coin) -> Result<Units, Stop> {
    match amount.units(coin.decimals) {
        Ok(units) if units > Units::ZERO => Ok(units),
        _ => Err(Refused::field("amount").into()),
    }
}

impl Movement {
    /// Requests the accounts ahead.
    pub(crate) fn want(&self, rows: &Rows) {
        rows.want::<Account>(&(self.from, self.coin));
        rows.want::<Account>(&(self.to, self.coin));
        if self.cut > Units::ZERO {
            rows.want::<Account>(&(FEES, self.coin));
        }
    }

    /// Writes balanced entries and the new balances, all or none. The entries of a movement sum to zero:
    /// `−amount + (amount − cut) + cut`.
    pub(crate) fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        // The changes of a command that is refused are kept.
        let before = out.mark();
        self.write(rows, cx, out).inspect_err(|_| out.undo_since(before))
    }

    fn write(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        // Amounts are below 10^36 and a cut is at most the amount.
        let too_large = |_| Halt::Damaged { table: Account::TABLE.name };
        let arrives = self.amount.minus(self.cut).map_err(too_large)?;
        assert!(arrives >= Units::ZERO, "a fee is at most the amount");
        let mut legs = vec![(self.from, self.amount.negated().map_err(too_large)?), (self.to, arrives)];
        if self.cut > Units::ZERO {
            legs.push((FEES, self.cut));
        }
        assert!(self.from != self.to && self.amount > Units::ZERO, "money moves between two accounts");
        assert!(
            legs.iter().map(|(_, units)| units.get()).sum::<i128>() == 0,
            "the entries of a movement sum to zero"
        );
        self.want(rows);
        for (owner, units) in legs {
            let account = rows.find::<Account>(&(owner, self.coin))?;
            let (balance, entries, previous) = account.map_or((Units::ZERO, 0, None), |account| {
                (account.balance, account.entries, account.last_entry)
            });
            let balance = balance.plus(units).map_err(too_large)?;
            if balance < Units::ZERO && owner != ISSUER {
                return Err(Reason::InsufficientBalance.into());
            }
            // A balance is an amount on the wire; the balances of the system accounts are not sent.
            if balance >= Units::LIMIT {
                return Err(Refused::field("amount").into());
            }
            let (id, n, coin) = (EntryId(cx.ids.next()), entries + 1, self.coin);
            let (transfer, created_at) = (self.transfer, cx.now);
            out.put(Account { owner, coin, balance, entries: n, last_entry: Some(id) });
            out.put(Entry { id, owner, coin, n, previous, amount: units, transfer, created_at });
            if journal::has_mark(n) {
                out.put(EntryMark { owner, coin, n, entry: id });
            }
        }
        Ok(())
    }
}

/// Moves money from the issuer to a user: the first balances of a sandbox, and later a chain's deposits.
#[derive(Debug)]
pub struct Deposit {
    /// The user whose account grows.
    pub user: UserId,
    /// The coin.
    pub coin: CoinId,
    /// The amount.
    pub amount: Amount<'static>,
}

impl Command<Platform> for Deposit {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        rows.want::<User>(&(self.user,));
        let coin = coins::usable(rows, self.coin)?;
        rows.find::<User>(&(self.user,))?.ok_or(Reason::UserUnknown)?;
        let amount = moving_units(&self.amount, coin)?;
        Movement { from: ISSUER, to: self.user, coin: self.coin, amount, cut: Units::ZERO, transfer: None }
            .apply(rows, cx, out)
    }
}
