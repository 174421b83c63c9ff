//! A change of the master key: everything that is sealed under another key is sealed again, row by row. It may be interrupted at
//! any row and begun again.

use wallet_engine::{Col, Command, HasTable, List, Query, Row};

use crate::notices::{Notice, NoticeId};
use crate::operators::Operator;
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};
use crate::vault::{SealedKey, Seed, Vault};
use crate::{fomo, vas};

/// A row with something sealed in it.
pub(crate) trait Sealed: Row {
    /// The row with everything sealed under the current key; `None` if it is so already.
    fn sealed_again(&self, vault: &Vault, seed: &Seed) -> Option<Self>;
}

/// Seals a field again; `None` if it is sealed under the current key.
pub(crate) fn field(vault: &Vault, seed: &Seed, context: &str, sealed: &mut Vec<u8>) -> bool {
    match vault.sealed_again(seed, context, sealed) {
        Some(again) => {
            *sealed = again;
            true
        }
        None => false,
    }
}

/// The same of a field that need not be there.
pub(crate) fn optional(vault: &Vault, seed: &Seed, context: &str, sealed: &mut Option<Vec<u8>>) -> bool {
    sealed.as_mut().is_some_and(|sealed| field(vault, seed, context, sealed))
}

impl Sealed for SealedKey {
    fn sealed_again(&self, vault: &Vault, seed: &Seed) -> Option<Self> {
        let mut row = self.clone();
        field(vault, seed, &self.name, &mut row.sealed).then_some(row)
    }
}

/// Rows that are sealed under another key.
#[derive(Debug)]
pub struct Reseal {
    keys: Vec<<SealedKey as Row>::Key>,
    apps: Vec<<fomo::apps::App as Row>::Key>,
    vas_apps: Vec<<vas::apps::VasApp as Row>::Key>,
    operators: Vec<<Operator as Row>::Key>,
    notices: Vec<<Notice as Row>::Key>,
    seed: Seed,
}

impl Reseal {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Self { keys, apps, vas_apps, operators, notices, seed: _ } = self;
        keys.is_empty()
            && apps.is_empty()
            && vas_apps.is_empty()
            && operators.is_empty()
            && notices.is_empty()
    }
}

/// Finds rows that are sealed under another key, for a command that seals them again.
#[derive(Debug)]
pub struct SealedUnderAnother {
    /// The seed of the command.
    pub seed: Seed,
    /// The largest number of rows of each table.
    pub limit: usize,
}

impl SealedUnderAnother {
    fn of<E: Sealed, T>(&self, rows: &Rows, cx: &Context<'_>, by: Col<E, T>) -> Result<Vec<E::Key>, Stop>
    where
        Platform: HasTable<E>,
    {
        let all = rows.list(List::new().ascending(by))?.into_iter();
        let others = all.filter(|row| row.sealed_again(cx.vault, &self.seed).is_some());
        Ok(others.take(self.limit).map(Row::key).collect())
    }
}

impl Query<Platform> for SealedUnderAnother {
    type Answer = Reseal;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Reseal, Stop> {
        Ok(Reseal {
            keys: self.of(rows, cx, SealedKey::name)?,
            apps: self.of(rows, cx, fomo::apps::App::id)?,
            vas_apps: self.of(rows, cx, vas::apps::VasApp::id)?,
            operators: self.of(rows, cx, Operator::user)?,
            notices: self.of::<_, NoticeId>(rows, cx, Notice::id)?,
            seed: self.seed.clone(),
        })
    }
}

impl Command<Platform> for Reseal {
    /// The number of rows that were sealed again.
    type Outcome = usize;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<usize, Stop> {
        fn again<E: Sealed>(
            keys: &[E::Key],
            rows: &Rows,
            cx: &Context<'_>,
            out: &mut Changes,
            seed: &Seed,
        ) -> Result<usize, Stop>
        where
            Platform: HasTable<E>,
        {
            let found = rows.find_all::<E>(keys.iter().cloned())?;
            let sealed: Vec<E> =
                found.into_iter().filter_map(|row| row.sealed_again(cx.vault, seed)).collect();
            let count = sealed.len();
            sealed.into_iter().for_each(|row| out.put(row));
            Ok(count)
        }
        Ok(again::<SealedKey>(&self.keys, rows, cx, out, &self.seed)?
            + again::<fomo::apps::App>(&self.apps, rows, cx, out, &self.seed)?
            + again::<vas::apps::VasApp>(&self.vas_apps, rows, cx, out, &self.seed)?
            + again::<Operator>(&self.operators, rows, cx, out, &self.seed)?
            + again::<Notice>(&self.notices, rows, cx, out, &self.seed)?)
    }
}
