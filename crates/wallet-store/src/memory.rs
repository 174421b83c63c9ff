//! A store in memory, for tests and simulations. The same decisions run on it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wallet_core::DeliveryState;
use wallet_platform::{AnyKey, AnyRow, Entity, List, Loader, NOBODY, Passing, Writer};

use crate::backend::Backend;
use crate::error::StoreError;

#[derive(Debug, Default)]
struct Committed {
    rows: HashMap<AnyKey, AnyRow>,
    next_id: u64,
}

/// Rows in a hash map. Clones share what is committed.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    committed: Arc<Mutex<Committed>>,
    staged: Vec<(AnyKey, Option<AnyRow>)>,
}

impl Memory {
    fn committed(&self) -> MutexGuard<'_, Committed> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every committed row, in no particular order.
    pub fn rows(&self) -> Vec<AnyRow> {
        self.committed().rows.values().cloned().collect()
    }

    /// The row number to go on with.
    pub fn next_id(&self) -> u64 {
        self.committed().next_id
    }

    fn select<T>(&self, pick: impl Fn(&AnyRow) -> Option<T>) -> Vec<(T, AnyRow)> {
        self.committed().rows.values().filter_map(|row| Some((pick(row)?, row.clone()))).collect()
    }
}

fn sorted<T: Ord>(mut rows: Vec<(T, AnyRow)>, skip: u64, limit: u64) -> Vec<AnyRow> {
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    let take = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    rows.into_iter().skip(take(skip)).take(take(limit)).map(|(_, row)| row).collect()
}

impl Loader for Memory {
    type Error = StoreError;
    fn load<E: Entity>(&mut self, key: &E::Key) -> Result<Option<E>, StoreError> {
        Ok(self.committed().rows.get(&E::any_key(key)).and_then(E::of).cloned())
    }
}

impl Writer for Memory {
    type Error = StoreError;
    fn insert<E: Entity>(&mut self, rows: &[&E]) -> Result<(), StoreError> {
        for row in rows {
            let key = E::any_key(&row.key());
            if self.committed().rows.contains_key(&key) {
                return Err(StoreError::Database(format!("{} {key:?} is there already", E::TABLE.name)));
            }
            self.staged.push((key, Some((*row).clone().into_any())));
        }
        Ok(())
    }
    fn update<E: Entity>(&mut self, row: &E) -> Result<(), StoreError> {
        self.staged.push((E::any_key(&row.key()), Some(row.clone().into_any())));
        Ok(())
    }
    fn delete<E: Entity>(&mut self, key: &E::Key) -> Result<(), StoreError> {
        self.staged.push((E::any_key(key), None));
        Ok(())
    }
}

impl Backend for Memory {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.staged.clear();
        Ok(())
    }

    fn commit(&mut self, next_id: u64) -> Result<(), StoreError> {
        let staged = std::mem::take(&mut self.staged);
        let mut committed = self.committed();
        for (key, row) in staged {
            match row {
                Some(row) => committed.rows.insert(key, row),
                None => committed.rows.remove(&key),
            };
        }
        committed.next_id = next_id;
        Ok(())
    }

    fn rollback(&mut self) {
        self.staged.clear();
    }

    fn list(&mut self, list: &List) -> Result<Vec<AnyRow>, StoreError> {
        const ALL: u64 = u64::MAX;
        Ok(match list {
            List::Coins => sorted(
                self.select(|row| match row {
                    AnyRow::Coin(coin) => Some((coin.sort_id, coin.id)),
                    _ => None,
                }),
                0,
                ALL,
            ),
            List::Apps { owner } => sorted(
                self.select(|row| match row {
                    AnyRow::App(app) if app.owner == *owner => Some(app.id),
                    _ => None,
                }),
                0,
                ALL,
            ),
            List::VasApps { owner } => sorted(
                self.select(|row| match row {
                    AnyRow::VasApp(app) if app.owner == *owner => Some(app.id),
                    _ => None,
                }),
                0,
                ALL,
            ),
            List::PendingApplications { limit } => sorted(
                self.select(|row| match row {
                    AnyRow::VasApp(app) if app.waits_for_review() => Some(app.id),
                    _ => None,
                }),
                0,
                *limit,
            ),
            List::Due { by, except, limit } => sorted(
                self.select(|row| match row {
                    AnyRow::DeliveryRow(row)
                        if row.state == DeliveryState::Waiting
                            && row.next_at <= *by
                            && !except.contains(&row.app)
                            && row.leased_until.millis() == 0 =>
                    {
                        Some((row.next_at, row.id))
                    }
                    _ => None,
                }),
                0,
                *limit,
            ),
            List::WatchedOrders { after, limit } => sorted(
                self.select(|row| match row {
                    AnyRow::VasOrder(order) if order.watched && order.id.0 > *after => Some(order.id),
                    _ => None,
                }),
                0,
                *limit,
            ),
            List::Failing { limit } => sorted(
                self.select(|row| match row {
                    AnyRow::DeliveryRow(row)
                        if row.state == DeliveryState::Waiting
                            && row.leased_until.millis() == 0
                            && row.attempts > 0 =>
                    {
                        Some((row.next_at, row.id))
                    }
                    _ => None,
                }),
                0,
                *limit,
            ),
            List::Unheard { limit } => sorted(
                self.select(|row| match row {
                    AnyRow::DeliveryRow(row) if row.state == DeliveryState::Exhausted => {
                        Some(Reverse(row.id))
                    }
                    _ => None,
                }),
                0,
                *limit,
            ),
            List::DeliveriesOf { app, unheard, before, limit } => sorted(
                self.select(|row| match row {
                    AnyRow::DeliveryRow(row)
                        if row.app == *app
                            && row.id.0 < *before
                            && (!unheard || row.state == DeliveryState::Exhausted) =>
                    {
                        Some(Reverse(row.id))
                    }
                    _ => None,
                }),
                0,
                *limit,
            ),
            List::Orders { app, before, limit } => sorted(
                self.select(|row| match row {
                    AnyRow::VasOrder(order) if order.app == *app && order.id.0 < *before => {
                        Some(Reverse(order.id))
                    }
                    _ => None,
                }),
                0,
                *limit,
            ),
            List::OrdersPaidBy { payer, asset, before, limit } => sorted(
                self.select(|row| match row {
                    AnyRow::VasOrder(order)
                        if order.payer == *payer && order.asset == *asset && order.id.0 < *before =>
                    {
                        Some(Reverse(order.id))
                    }
                    _ => None,
                }),
                0,
                *limit,
            ),
            List::Audits { limit } => sorted(
                self.select(|row| match row {
                    AnyRow::Audit(audit) => Some(Reverse(audit.id)),
                    _ => None,
                }),
                0,
                *limit,
            ),
            List::Leased => sorted(
                self.select(|row| match row {
                    AnyRow::DeliveryRow(row) if row.leased_until.millis() != 0 => Some(row.id),
                    _ => None,
                }),
                0,
                ALL,
            ),
            List::Over { what, by, limit } => sorted(
                self.select(|row| {
                    let over = match (what, row) {
                        (Passing::Codes, AnyRow::Code(row)) => row.expires_at,
                        (Passing::Tokens, AnyRow::Token(row)) => row.expires_at,
                        (Passing::Sessions, AnyRow::Session(row)) => row.expires_at,
                        (Passing::Registrations, AnyRow::Registration(row)) => row.expires_at,
                        (Passing::OpenCodes, AnyRow::OpenCode(row)) => row.expires_at,
                        (Passing::NobodysLimits, AnyRow::AttemptLimit(row)) if row.user.get() >= NOBODY => {
                            row.touched_at
                        }
                        _ => return None,
                    };
                    Some(over).filter(|over| over < by)
                }),
                0,
                *limit,
            ),
        })
    }
}
