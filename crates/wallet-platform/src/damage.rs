//! What is wrong with a row, and how a check finds it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use wallet_core::{DeliveryState, Lang, Units};
use wallet_engine::{Halt, HasTable, Row, journal};

use crate::accounts::{CoinId, UserId};
use crate::coins::Coin;
use crate::deliveries::{Attempt, DeliveryRow};
use crate::money::{Entry, EntryMark, FEES, ISSUER};
use crate::schema::{AnyRow, Platform, Rows};
use crate::users::{LoginCase, LoginName, User};
use crate::vault::Vault;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// A column holds a value that its type does not have: the rest of the table was not checked.
    Unreadable,
    /// A row that it refers to does not exist.
    Lacks(&'static str),
    /// A row that it refers to does not fit it.
    Contradicts(&'static str),
    /// The balance is not the sum of the entries.
    Balance {
        /// The account's.
        stored: Units,
        /// The sum of its entries.
        sum: i128,
    },
    /// The balance of an account that may not be overdrawn is below zero.
    Overdrawn(Units),
    /// A journal has another number of rows, or ends with another one, than its owner's row says.
    JournalEnds,
    /// A row of a journal does not follow its owner's row before it.
    JournalCut,
    /// The entries of a movement do not sum to zero.
    Unbalanced(i128),
    /// The entries do not move what the payment says.
    OtherMovement,
    /// A payment is done and no entry moved its money.
    NotMoved,
    /// Entries moved the money of a payment that is not done.
    NotDone,
    /// A payment is done and has no callback.
    NoCallback,
    /// The master key does not open a secret.
    Sealed,
    /// The balances of a coin do not sum to zero.
    CoinSum(i128),
    /// What was refunded differs from the refunds, or from their entries.
    Refunded {
        /// The payment's.
        stored: i128,
        /// The sum of the others.
        found: i128,
    },
    /// A count differs from the rows that it counts.
    Count {
        /// The count.
        stored: u64,
        /// The number of rows.
        found: u64,
    },
}

impl Damage {
    /// A sentence.
    pub fn in_words(&self, lang: Lang) -> String {
        let (zh, en) = match self {
            Self::Unreadable => (
                "有一列的值不合其类型；这张表余下的行没有检查".to_owned(),
                "a column has a value that its type does not have; the rest of this table was not checked"
                    .to_owned(),
            ),
            Self::Lacks(table) => (
                format!("它引用的 {table} 行不存在"),
                format!("refers to a row of {table} that does not exist"),
            ),
            Self::Contradicts(table) => (
                format!("它与引用的 {table} 行不一致"),
                format!("the row of {table} that it refers to does not fit it"),
            ),
            Self::Balance { stored, sum } => (
                format!("余额是 {}，而分录之和是 {sum}", stored.get()),
                format!("the balance is {}, and its entries sum to {sum}", stored.get()),
            ),
            Self::Overdrawn(units) => {
                (format!("余额为负：{}", units.get()), format!("the balance is below zero: {}", units.get()))
            }
            Self::JournalEnds => (
                "流水的条数或末条与所属行的记录不同".to_owned(),
                "its journal has another number of rows, or ends with another row, than it says".to_owned(),
            ),
            Self::JournalCut => (
                "流水在此处断开：它不接在前一条之后".to_owned(),
                "the journal is cut here: it does not follow the row before it".to_owned(),
            ),
            Self::Unbalanced(sum) => (
                format!("这笔划转的分录之和是 {sum}，不是 0"),
                format!("the entries of its movement sum to {sum}, not to 0"),
            ),
            Self::OtherMovement => (
                "分录划转的金额、手续费或双方与付款不同".to_owned(),
                "its entries move another amount, fee or party than the payment says".to_owned(),
            ),
            Self::NotMoved => (
                "付款已完成，却没有分录".to_owned(),
                "the payment is done, and no entry moved its money".to_owned(),
            ),
            Self::NotDone => (
                "付款未完成，却有分录".to_owned(),
                "entries moved its money, and the payment is not done".to_owned(),
            ),
            Self::NoCallback => {
                ("付款已完成，却没有回调".to_owned(), "the payment is done and has no callback".to_owned())
            }
            Self::Sealed => {
                ("这把主密钥解不开它的密文".to_owned(), "this master key does not open its secret".to_owned())
            }
            Self::CoinSum(sum) => (
                format!("这种币全部余额之和是 {sum}，不是 0"),
                format!("all balances of this coin sum to {sum}, not to 0"),
            ),
            Self::Refunded { stored, found } => (
                format!("已退款记为 {stored}，而退款或分录之和是 {found}"),
                format!("{stored} was refunded, and its refunds or their entries sum to {found}"),
            ),
            Self::Count { stored, found } => (
                format!("记录的数目是 {stored}，实际有 {found} 行"),
                format!("it counts {stored}, and there are {found}"),
            ),
        };
        match lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}

/// A damaged row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// Its table.
    pub table: &'static str,
    /// Its key.
    pub key: String,
    /// What is wrong.
    pub damage: Damage,
}

/// What a protocol brings to a check: its own tables.
pub(crate) trait Part {
    /// What a row changes in the sums and journals of this protocol.
    fn follow(&mut self, row: &AnyRow, found: &mut Found);

    /// The entries of one movement.
    fn moved(&mut self, movement: &[Entry]);

    /// Looks up what a row refers to.
    fn refer(&self, row: &AnyRow, look: &mut Look<'_>);

    /// Looks up the payment of a movement.
    fn refer_movement(&self, movement: &[Entry], look: &mut Look<'_>);

    /// What only the end of all tables shows.
    fn end(&mut self, found: &mut Found);
}

/// The largest number of damages that a check names.
const MOST: usize = 1_000;

/// The end of a journal so far.
pub(crate) struct End<Id> {
    pub(crate) n: u64,
    pub(crate) last: Option<Id>,
}

impl<Id> Default for End<Id> {
    fn default() -> Self {
        Self { n: 0, last: None }
    }
}

impl<Id: PartialEq> End<Id> {
    /// Goes on to row `n`, whose number is `id`. Whether it follows the row before.
    pub(crate) fn goes_on(&mut self, n: u64, id: Id, previous: Option<Id>) -> bool {
        let follows = n == self.n + 1 && previous == self.last;
        (self.n, self.last) = (n, Some(id));
        follows
    }
}

/// What was found so far.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) damaged: Vec<Damaged>,
    pub(crate) count: u64,
}

impl Found {
    pub(crate) fn at(&mut self, table: &'static str, key: impl Into<String>, damage: Damage) {
        self.count += 1;
        if self.damaged.len() < MOST {
            self.damaged.push(Damaged { table, key: key.into(), damage });
        }
    }

    pub(crate) fn row<E: Row>(&mut self, row: &E, damage: Damage) {
        self.at(E::TABLE.name, shown(&row.key()), damage);
    }
}

pub(crate) fn sorted<K: Ord, V>(map: HashMap<K, V>) -> BTreeMap<K, V> {
    map.into_iter().collect()
}

/// A key as text, without the names of types: `(TransferSeq(7),)` is `7`. A keyed hash stays as it is: it is no secret.
pub(crate) fn shown(key: &impl Debug) -> String {
    let text = format!("{key:?}");
    let text = text.trim_start_matches('(').trim_end_matches(')').trim_end_matches(',');
    text.split(", ").map(bare).collect::<Vec<_>>().join(", ")
}

fn bare(part: &str) -> &str {
    let part = part.trim_end_matches(',');
    match part.split_once('(') {
        Some((name, rest)) if name.chars().all(char::is_alphanumeric) => bare(rest.trim_end_matches(')')),
        _ => part.trim_end_matches(')'),
    }
}

/// Looks up what rows refer to.
pub(crate) struct Look<'r> {
    rows: &'r Rows,
    pub(crate) vault: &'r Vault,
    found: Vec<Damaged>,
    /// Why the look must be repeated, or cannot go on.
    stop: Option<Halt>,
}

impl<'r> Look<'r> {
    pub(crate) fn new(rows: &'r Rows, vault: &'r Vault) -> Self {
        Self { rows, vault, found: Vec::new(), stop: None }
    }

    /// What was found; an error while a row is not loaded.
    pub(crate) fn end(self) -> Result<Vec<Damaged>, Halt> {
        self.stop.map_or(Ok(self.found), Err)
    }

    pub(crate) fn damage<E: Row>(&mut self, row: &E, damage: Damage) {
        self.found.push(Damaged { table: E::TABLE.name, key: shown(&row.key()), damage });
    }

    /// The row of a key, if there is one; `None` also while it is not loaded.
    pub(crate) fn row<E: Row>(&mut self, key: &E::Key) -> Option<Option<&'r E>>
    where
        Platform: HasTable<E>,
    {
        match self.rows.find::<E>(key) {
            Ok(row) => Some(row),
            Err(halt) => {
                self.stop = Some(halt);
                None
            }
        }
    }

    /// A row of this key must fit the row, if there is one.
    pub(crate) fn fits<R: Row, E: Row>(&mut self, row: &R, key: &E::Key, fits: impl Fn(&E) -> bool)
    where
        Platform: HasTable<E>,
    {
        if let Some(Some(_)) = self.row::<E>(key) {
            self.needs(row, key, fits);
        }
    }

    /// The row must have a row of this key, and that one must fit.
    pub(crate) fn needs<R: Row, E: Row>(&mut self, row: &R, key: &E::Key, fits: impl Fn(&E) -> bool)
    where
        Platform: HasTable<E>,
    {
        match self.row::<E>(key) {
            None => {}
            Some(None) => self.damage(row, Damage::Lacks(E::TABLE.name)),
            Some(Some(other)) if fits(other) => {}
            Some(Some(_)) => self.damage(row, Damage::Contradicts(E::TABLE.name)),
        }
    }

    pub(crate) fn user<R: Row>(&mut self, row: &R, id: UserId) {
        if id != ISSUER && id != FEES {
            self.needs::<R, User>(row, &(id,), |_| true);
        }
    }

    pub(crate) fn coin<R: Row>(&mut self, row: &R, id: CoinId) {
        self.needs::<R, Coin>(row, &(id,), |_| true);
    }

    pub(crate) fn opens<R: Row>(&mut self, row: &R, opens: bool) {
        if !opens {
            self.damage(row, Damage::Sealed);
        }
    }

    /// What the rows of the shared tables refer to.
    pub(crate) fn at(&mut self, row: &AnyRow) {
        match row {
            AnyRow::User(user) => {
                self.needs::<_, LoginName>(user, &(user.login_name.clone(),), |name| name.user == user.id);
                let folded = user.login_name.to_ascii_lowercase();
                self.needs::<_, LoginCase>(user, &(folded,), |_| true);
            }
            AnyRow::LoginName(name) => {
                self.needs::<_, User>(name, &(name.user,), |user| user.login_name == name.login_name);
            }
            AnyRow::LoginCase(name) => {
                self.needs::<_, User>(name, &(name.user,), |user| {
                    user.login_name.eq_ignore_ascii_case(&name.folded)
                });
            }
            AnyRow::Session(session) => self.user(session, session.user),
            AnyRow::Account(account) => {
                self.user(account, account.owner);
                self.coin(account, account.coin);
            }
            AnyRow::Entry(entry) if journal::has_mark(entry.n) => {
                let key = (entry.owner, entry.coin, entry.n);
                self.needs::<_, EntryMark>(entry, &key, |mark| mark.entry == entry.id);
            }
            AnyRow::EntryMark(mark) => self.needs::<_, Entry>(mark, &(mark.entry,), |entry| {
                (entry.owner, entry.coin, entry.n) == (mark.owner, mark.coin, mark.n)
            }),
            AnyRow::DeliveryRow(delivery) if delivery.attempts > 0 => {
                self.needs::<_, Attempt>(delivery, &(delivery.id, delivery.attempts), |attempt| {
                    delivery.state != DeliveryState::Acknowledged || attempt.failure.is_none()
                });
            }
            AnyRow::Attempt(attempt) => {
                self.needs::<_, DeliveryRow>(attempt, &(attempt.delivery,), |delivery| {
                    attempt.n <= delivery.attempts
                });
            }
            AnyRow::SealedKey(key) => self.opens(key, self.vault.open(&key.name, &key.sealed).is_some()),
            AnyRow::Notice(notice) => self.opens(notice, notice.opens(self.vault)),
            AnyRow::Operator(operator) => {
                self.user(operator, operator.user);
                self.opens(operator, operator.opens(self.vault));
            }
            AnyRow::Audit(audit) => {
                if let Some(operator) = audit.operator {
                    self.user(audit, operator);
                }
            }
            _ => {}
        }
    }
}
