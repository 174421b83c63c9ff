//! Deletion of expired rows. Each command checks the expiry of the rows that it reads; the deletion only saves space,
//! so it changes no answer and may be late.

use std::time::Duration;

use wallet_core::UnixTime;
use wallet_engine::{Col, Command, Filter, HasTable, List, Query, Row};

use crate::accounts::UserId;
use crate::fomo::oauth::{Code, Token};
use crate::passwords::{AttemptLimit, NOBODY};
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users::{Registration, Session};
use crate::vas::apps::OpenCode;

/// A code is kept after its expiry, so that its second use is still recognised (R15).
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// A row that expires.
trait Passes: Row {
    /// The time for which the row is kept after its expiry.
    const KEPT: Duration = Duration::ZERO;
    /// The column with the expiry.
    const OVER: Col<Self, UnixTime>;
    /// The expiry.
    fn over(&self) -> UnixTime;
    /// The rows of the table that may be deleted; all of them unless a row type limits them.
    fn which() -> Option<Filter<Self>> {
        None
    }
}

macro_rules! passes {
    ($($Row:ident: $over:ident { $($rest:tt)* })+) => {
        $(impl Passes for $Row {
            const OVER: Col<Self, UnixTime> = Self::$over;
            fn over(&self) -> UnixTime {
                self.$over
            }
            $($rest)*
        })+
    };
}

passes! {
    Code: expires_at { const KEPT: Duration = KEPT; }
    Token: expires_at {}
    Session: expires_at {}
    Registration: expires_at {}
    OpenCode: expires_at {}
    AttemptLimit: touched_at {
        const KEPT: Duration = KEPT;
        // Limits of verification codes, and of the unknown login names that programs before migration 0018 wrote. The condition is
        // that of the index `attempt_limit_over`.
        fn which() -> Option<Filter<Self>> {
            Some(Self::user.at_least(UserId::new(NOBODY)).always())
        }
    }
}

/// Finds up to `limit` expired rows of each kind, and returns the command that deletes them.
#[derive(Debug)]
pub struct Over {
    /// The largest number of rows of each kind that one command deletes.
    pub limit: u64,
}

impl Over {
    fn of<E: Passes>(&self, rows: &Rows, now: UnixTime) -> Result<Vec<E::Key>, Stop>
    where
        Platform: HasTable<E>,
    {
        let list = List::new()
            .only_if(E::which())
            .only(E::OVER.below(now - E::KEPT))
            .ascending(E::OVER)
            .limit(self.limit);
        Ok(rows.list(list)?.into_iter().map(Row::key).collect())
    }
}

impl Query<Platform> for Over {
    type Answer = Purge;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Purge, Stop> {
        Ok(Purge {
            codes: self.of::<Code>(rows, cx.now)?,
            tokens: self.of::<Token>(rows, cx.now)?,
            sessions: self.of::<Session>(rows, cx.now)?,
            registrations: self.of::<Registration>(rows, cx.now)?,
            open_codes: self.of::<OpenCode>(rows, cx.now)?,
            limits: self.of::<AttemptLimit>(rows, cx.now)?,
        })
    }
}

/// Deletes the rows that [`Over`] found, except those that were renewed since. Returns the number of deleted rows.
#[derive(Debug)]
pub struct Purge {
    codes: Vec<<Code as Row>::Key>,
    tokens: Vec<<Token as Row>::Key>,
    sessions: Vec<<Session as Row>::Key>,
    registrations: Vec<<Registration as Row>::Key>,
    open_codes: Vec<<OpenCode as Row>::Key>,
    limits: Vec<<AttemptLimit as Row>::Key>,
}

impl Purge {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Self { codes, tokens, sessions, registrations, open_codes, limits } = self;
        [codes, tokens, sessions, open_codes].iter().all(|keys| keys.is_empty())
            && registrations.is_empty()
            && limits.is_empty()
    }
}

fn take_away<E: Passes>(
    keys: &[E::Key],
    rows: &Rows,
    cx: &Context<'_>,
    out: &mut Changes,
) -> Result<usize, Stop>
where
    Platform: HasTable<E>,
{
    let over = rows.find_all::<E>(keys.iter().cloned())?;
    let over: Vec<_> = over.into_iter().filter(|row| row.over() < cx.now - E::KEPT).collect();
    over.iter().for_each(|row| out.delete::<E>(&row.key()));
    Ok(over.len())
}

impl Command<Platform> for Purge {
    type Outcome = usize;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<usize, Stop> {
        Ok(take_away::<Code>(&self.codes, rows, cx, out)?
            + take_away::<Token>(&self.tokens, rows, cx, out)?
            + take_away::<Session>(&self.sessions, rows, cx, out)?
            + take_away::<Registration>(&self.registrations, rows, cx, out)?
            + take_away::<OpenCode>(&self.open_codes, rows, cx, out)?
            + take_away::<AttemptLimit>(&self.limits, rows, cx, out)?)
    }
}
