//! Undelivered callbacks of an app that are sent again: those of a span of time, by its owner or an operator.

use time::{Date, Month, PrimitiveDateTime, Time};
use wallet_core::UnixTime;
use wallet_platform::{CallbacksOf, DeliveryId, Failure, ReceiverId, ShownCallback};

use crate::store::Store;

/// The number of callbacks that one query reads.
const LOOKED_AT: u64 = 100;
/// The largest number of queries of one form.
const LOOKS: usize = 50;

/// Parses a time of a `datetime-local` field: `2026-01-31T13:45`, UTC.
pub(crate) fn time_of(text: &str) -> Option<UnixTime> {
    let (date, clock) = text.split_once('T')?;
    let mut date = date.splitn(3, '-');
    let mut number = || date.next()?.parse().ok();
    let (year, month, day): (u16, u16, u16) = (number()?, number()?, number()?);
    let mut clock = clock.splitn(3, ':');
    let mut number = || clock.next()?.parse().ok();
    let (hour, minute): (u8, u8) = (number()?, number()?);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year.into(), month, u8::try_from(day).ok()?).ok()?;
    let time = PrimitiveDateTime::new(date, Time::from_hms(hour, minute, 0).ok()?);
    Some(UnixTime::from_secs(time.assume_utc().unix_timestamp()))
}

/// A span of time, which includes the whole last minute: a field of a form has no seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: UnixTime,
    pub(crate) to: UnixTime,
}

impl Span {
    /// All of it.
    pub(crate) const ALL: Self =
        Self { from: UnixTime::from_millis(i64::MIN), to: UnixTime::from_millis(i64::MAX) };

    /// Reads both ends; an empty one is open. `None` if one is malformed.
    pub(crate) fn parse(from: &str, to: &str) -> Option<Self> {
        let end = |text: &str, open| match text {
            "" => Some(UnixTime::from_millis(open)),
            text => time_of(text),
        };
        Some(Self { from: end(from, i64::MIN)?, to: end(to, i64::MAX)? })
    }

    fn has(self, callback: &ShownCallback) -> bool {
        let paid_at = callback.subject.paid_at();
        paid_at >= self.from && paid_at.secs() / 60 <= self.to.secs() / 60
    }
}

/// The undelivered callbacks of an app that may be sent again and whose payments are in a span, the newest first.
#[derive(Debug)]
pub(crate) struct UndeliveredIn {
    app: ReceiverId,
    span: Span,
    before: Option<DeliveryId>,
    ended: bool,
}

impl UndeliveredIn {
    pub(crate) fn new(app: ReceiverId, span: Span) -> Self {
        Self { app, span, before: None, ended: false }
    }

    /// The next ones; `None` after the last.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn next(&mut self, store: &Store) -> Result<Option<Vec<DeliveryId>>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let query = CallbacksOf { app: self.app, undelivered: true, before: self.before, limit: LOOKED_AT };
        let (callbacks, older) = store.view(query).await?;
        (self.before, self.ended) = (older, older.is_none());
        let again = callbacks.iter().filter(|one| one.may_be_sent_again() && self.span.has(one));
        Ok(Some(again.map(|one| one.delivery.id).collect()))
    }

    /// At most so many of them, within `LOOKS` queries: those that were sent again before are passed over.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn first(mut self, store: &Store, most: usize) -> Result<Vec<DeliveryId>, Failure> {
        let mut found = Vec::new();
        for _ in 0..LOOKS {
            match self.next(store).await? {
                Some(more) if found.len() < most => found.extend(more),
                _ => break,
            }
        }
        found.truncate(most);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_forms_are_read() {
        assert_eq!(time_of("1970-01-02T01:01"), Some(UnixTime::from_secs(90_060)));
        assert_eq!(time_of("2026-11-25T12:34:56"), time_of("2026-11-25T12:34"));
        for bad in [
            "",
            "x",
            "2026-13-01T00:00",
            "2026-02-30T00:00",
            "2026-01-01T24:00",
            "2026-01-01",
            "T",
            "2026-01-01T12",
        ] {
            assert_eq!(time_of(bad), None, "{bad}");
        }
    }
}
