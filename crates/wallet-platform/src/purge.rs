//! Rows that nothing can come of any more. Expiry itself is judged when a row is read; taking it away only saves space,
//! so it changes no answer and may be late.

use std::time::Duration;

use wallet_api::fomo::UserId;
use wallet_core::UnixTime;
use wallet_engine::{Col, Command, Entity, Filter, List, Query, Row};

use crate::fomo::oauth::{Code, Token};
use crate::passwords::{AttemptLimit, NOBODY};
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users::{Registration, Session};
use crate::vas::apps::OpenCode;

/// A code is kept beyond its end: a second use of it must still be seen as one (R15). The limit of a login name that
/// nobody has is kept as long, so that forgetting it tells names apart no sooner than that.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// A row that is of no use after a time.
trait Passes: Entity<Schema = Platform> {
    /// How long it is kept after its time.
    const KEPT: Duration = Duration::ZERO;
    /// The column with its time.
    const OVER: Col<Self, UnixTime>;
    /// Its time.
    fn over(&self) -> UnixTime;
    /// Which rows of the table may go; every row unless a row type says otherwise.
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
        // Limits of login names that nobody has. The condition is that of the index `attempt_limit_over`.
        fn which() -> Option<Filter<Self>> {
            Some(Self::user.at_least(UserId::new(NOBODY)).always())
        }
    }
}

/// Looks for rows that may go, a few of each kind, and gives the command that takes them away.
#[derive(Debug)]
pub struct Over {
    /// How many of each kind at most.
    pub limit: u64,
}

impl Over {
    fn of<E: Passes>(&self, rows: &Rows, now: UnixTime) -> Result<Vec<E::Key>, Stop> {
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
) -> Result<usize, Stop> {
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
