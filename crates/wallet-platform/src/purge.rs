//! Rows that nothing can come of any more. Expiry itself is judged when a row is read; taking it away only saves space,
//! so it changes no answer and may be late.

use std::time::Duration;

use wallet_core::UnixTime;

use crate::entities::{AttemptLimit, Code, OpenCode, Registration, Rows, Session, Token};
use crate::machine::{Command, Context, Query, Stop};
use crate::rows::{Changes, Entity, Has, List, Passing};

/// A code is kept beyond its end: a second use of it must still be seen as one (R15). The limit of a login name that
/// nobody has is kept as long, so that forgetting it tells names apart no sooner than that.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// A row whose time passes.
trait Passes: Entity {
    const WHAT: Passing;
    /// How long it is kept after its time.
    const KEPT: Duration = Duration::ZERO;
    /// Its time.
    fn over(&self) -> UnixTime;
}

macro_rules! passes {
    ($($Row:ident: $what:ident { $($rest:tt)* })+) => {
        $(impl Passes for $Row { const WHAT: Passing = Passing::$what; $($rest)* })+
    };
}

passes! {
    Code: Codes {
        const KEPT: Duration = KEPT;
        fn over(&self) -> UnixTime { self.expires_at }
    }
    Token: Tokens { fn over(&self) -> UnixTime { self.expires_at } }
    Session: Sessions { fn over(&self) -> UnixTime { self.expires_at } }
    Registration: Registrations { fn over(&self) -> UnixTime { self.expires_at } }
    OpenCode: OpenCodes { fn over(&self) -> UnixTime { self.expires_at } }
    AttemptLimit: NobodysLimits {
        const KEPT: Duration = KEPT;
        fn over(&self) -> UnixTime { self.touched_at }
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
        let list = List::Over { what: E::WHAT, by: now - E::KEPT, limit: self.limit };
        Ok(rows.list::<E>(list)?.into_iter().map(Entity::key).collect())
    }
}

impl Query for Over {
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

/// Takes rows away that [`Over`] has found, unless they have come to life again since. Says how many.
#[derive(Debug)]
pub struct Purge {
    codes: Vec<<Code as Entity>::Key>,
    tokens: Vec<<Token as Entity>::Key>,
    sessions: Vec<<Session as Entity>::Key>,
    registrations: Vec<<Registration as Entity>::Key>,
    open_codes: Vec<<OpenCode as Entity>::Key>,
    limits: Vec<<AttemptLimit as Entity>::Key>,
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
    Rows: Has<E>,
{
    let over = rows.find_all::<E>(keys.iter().cloned())?;
    let over: Vec<_> = over.into_iter().filter(|row| row.over() < cx.now - E::KEPT).collect();
    over.iter().for_each(|row| out.delete::<E>(&row.key()));
    Ok(over.len())
}

impl Command for Purge {
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
