//! Passwords and their limits (R22). A password itself never comes here: an attempt is reserved, its hash checked
//! elsewhere, and the decision brings a proof.

use std::time::Duration;

use wallet_api::fomo::{UserId, lifetimes, limits};
use wallet_core::{Secret, UnixTime};
use wallet_engine::{Command, Query, rows};

use crate::refusal::{Reason, Refused, Stop};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users;
use crate::users::{LoginName, User};
use crate::vault::Digest;

rows! { in Platform;
    /// Wrong passwords of a user (R22).
    attempt_limit: AttemptLimit {
        key {
            /// The user's id.
            user: UserId,
            /// The kind of password.
            kind: PasswordKind,
        }
        /// Proven failures since the last success.
        failures: u32,
        /// The time before which no attempt is accepted.
        locked_until: UnixTime,
        /// Attempts reserved and not yet decided.
        pending: u32,
        /// When reservations that nobody decided lapse.
        pending_until: UnixTime,
        /// When it was last reserved or failed.
        touched_at: UnixTime,
    }
}

/// Which of a user's two passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PasswordKind {
    /// For signing in; a wrong one is 12.
    Login,
    /// The same, asked again of the user who is signed in. Its guesses are counted apart: who has no session keeps no user from
    /// what only the user can do, such as ending a secret that has leaked.
    LoginAgain,
    /// For payments; a wrong one is 26.
    Wallet,
    /// No password but the verification codes sent for one login name, so that many registrations of a name give no
    /// more guesses than one.
    Verification,
}

impl PasswordKind {
    fn refusal(self) -> Reason {
        match self {
            Self::Login | Self::LoginAgain => Reason::PasswordWrong,
            Self::Wallet => Reason::PaymentPasswordWrong,
            Self::Verification => Reason::VerificationWrong,
        }
    }

    fn of(self, user: &User) -> (Option<&Secret<String>>, u32) {
        match self {
            Self::Login | Self::LoginAgain => (Some(&user.pwd), user.pwd_version),
            Self::Wallet => (user.wallet_pwd.as_ref(), user.wallet_pwd_version),
            Self::Verification => (None, 0),
        }
    }
}

/// Whose password it is said to be.
#[derive(Debug, Clone)]
pub enum Who {
    /// The user of a session.
    Session(Digest),
    /// A user.
    User(UserId),
    /// The user of a login name.
    Login(String),
}

/// Whose password is asked for, and what it is checked against.
struct Subject {
    user: UserId,
    /// None when unset; empty when there is no such user.
    phc: Option<Secret<String>>,
    version: u32,
}

impl Who {
    fn subject(&self, rows: &Rows, cx: &Context<'_>, kind: PasswordKind) -> Result<Subject, Stop> {
        let id = match self {
            Self::Session(hash) => users::session(rows, *hash, cx.now)?.user,
            Self::User(user) => *user,
            Self::Login(name) => match rows.find::<LoginName>(&(name.clone(),))? {
                Some(name) => name.user,
                None => return Ok(Subject::nobody(cx, name)),
            },
        };
        let user = rows.find::<User>(&(id,))?.ok_or(Reason::UserUnknown)?;
        let (phc, version) = kind.of(user);
        Ok(Subject { user: user.id, phc: phc.cloned(), version })
    }
}

impl Subject {
    /// A login name that nobody has gets a lock of its own, so that it looks like one that somebody has (R29).
    fn nobody(cx: &Context<'_>, name: &str) -> Self {
        Self { user: nobody(cx, name), phc: Some(Secret::default()), version: 0 }
    }
}

/// From here on, far above any row number, an attempt limit's `user` stands for a login name that nobody had.
pub const NOBODY: u64 = 1 << 62;

/// The user id in limits of a login name that is nobody's yet.
fn nobody(cx: &Context<'_>, name: &str) -> UserId {
    let hash = cx.vault.hash(&format!("nobody {name}"));
    let [a, b, c, d, e, f, g, ..] = *hash.as_bytes();
    UserId::new(NOBODY | u64::from_be_bytes([0, a, b, c, d, e, f, g]))
}

/// Refuses while too many wrong verification codes were entered for a name.
pub(crate) fn may_verify(rows: &Rows, cx: &Context<'_>, name: &str) -> Result<(), Stop> {
    refuse_locked(&limit(rows, nobody(cx, name), PasswordKind::Verification, cx.now)?, cx.now)
}

/// Counts a wrong verification code for a name.
pub(crate) fn wrong_verify_code(
    rows: &Rows,
    cx: &Context<'_>,
    out: &mut Changes,
    name: &str,
) -> Result<(), Stop> {
    let mut limit = limit(rows, nobody(cx, name), PasswordKind::Verification, cx.now)?;
    limit.count_failure(cx.now);
    out.put(limit);
    Ok(())
}

/// What a claim to know a password is checked against.
#[derive(Debug, Clone)]
pub struct Challenge {
    user: UserId,
    kind: PasswordKind,
    version: u32,
    phc: Secret<String>,
    lapses_at: UnixTime,
}

impl Challenge {
    /// The hash to check the password against; empty when there is no such user. Then the same work must be done on
    /// any other hash, and the answer is that it failed.
    pub fn phc(&self) -> &str {
        self.phc.expose()
    }

    /// The password was right.
    pub fn proven(self) -> Proof {
        let Self { user, kind, version, lapses_at, .. } = self;
        Proof { user, kind, version, reserved_until: Some(lapses_at) }
    }

    /// The password was wrong.
    pub fn failed(self) -> FailPassword {
        FailPassword(self)
    }
}

/// That somebody has shown a user's password, at this version of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    user: UserId,
    kind: PasswordKind,
    version: u32,
    /// Until when its attempt is reserved; none for a remembered password.
    reserved_until: Option<UnixTime>,
}

/// What an answer to a reservation is.
#[derive(Debug, Clone)]
pub enum Reservation {
    /// Check the password.
    Challenge(Challenge),
    /// Too many attempts are under way: try again in a moment. No answer says so (R84).
    Busy,
}

fn limit(rows: &Rows, user: UserId, kind: PasswordKind, now: UnixTime) -> Result<AttemptLimit, Stop> {
    let mut limit = rows.find::<AttemptLimit>(&(user, kind))?.cloned().unwrap_or(AttemptLimit {
        user,
        kind,
        failures: 0,
        locked_until: UnixTime::default(),
        pending: 0,
        pending_until: UnixTime::default(),
        touched_at: now,
    });
    if now > limit.pending_until {
        limit.pending = 0; // the process that reserved has died
    }
    Ok(limit)
}

fn refuse_locked(limit: &AttemptLimit, now: UnixTime) -> Result<(), Stop> {
    if now < limit.locked_until {
        let wait = Some(limit.locked_until.since(now));
        return Err(Refused { wait, ..Refused::new(limit.kind.refusal()) }.into());
    }
    Ok(())
}

/// How long a reservation is kept while the hash is checked.
const RESERVED_FOR: Duration = Duration::from_secs(30);

/// Reserves one attempt, in a commit of its own, so that parallel guesses cannot share a try.
#[derive(Debug)]
pub struct ReservePassword {
    /// Whose.
    pub who: Who,
    /// Which.
    pub kind: PasswordKind,
}

impl Command<Platform> for ReservePassword {
    type Outcome = Reservation;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Reservation, Stop> {
        let Subject { user, phc, version } = self.who.subject(rows, cx, self.kind)?;
        let phc = phc.ok_or(Reason::PaymentPasswordUnset)?;
        let mut limit = limit(rows, user, self.kind, cx.now)?;
        refuse_locked(&limit, cx.now)?;
        // As many guesses may be under way as may still fail; after a lock, one.
        let free = (limits::WRONG_PASSWORDS as u32).saturating_sub(limit.failures).max(1);
        if limit.pending >= free {
            return Ok(Reservation::Busy);
        }
        limit.pending += 1;
        limit.pending_until = cx.now + RESERVED_FOR;
        limit.touched_at = cx.now;
        out.put(limit);
        Ok(Reservation::Challenge(Challenge {
            user,
            kind: self.kind,
            version,
            phc,
            lapses_at: cx.now + RESERVED_FOR,
        }))
    }
}

/// Counts a proven failure, and locks from the fifth on.
#[derive(Debug)]
pub struct FailPassword(Challenge);

impl Command<Platform> for FailPassword {
    type Outcome = std::convert::Infallible;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let Challenge { user, kind, .. } = self.0;
        let mut limit = limit(rows, user, kind, cx.now)?;
        limit.pending = limit.pending.saturating_sub(1);
        let wait = limit.count_failure(cx.now);
        out.put(limit);
        Err(Refused { wait, ..Refused::new(kind.refusal()) }.into())
    }
}

impl AttemptLimit {
    /// One more proven failure; says for how long it locks.
    fn count_failure(&mut self, now: UnixTime) -> Option<Duration> {
        self.touched_at = now;
        self.failures = self.failures.saturating_add(1);
        let doublings = self.failures.checked_sub(limits::WRONG_PASSWORDS as u32)?;
        let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
        let wait = lifetimes::FIRST_LOCK.saturating_mul(factor).min(lifetimes::LONGEST_LOCK);
        self.locked_until = now + wait;
        Some(wait)
    }
}

impl Proof {
    /// A password that this process has seen proven before, at this version of it.
    pub fn remembered(state: &PasswordState, kind: PasswordKind) -> Self {
        Self { user: state.user, kind, version: state.version, reserved_until: None }
    }

    /// Asks ahead for what [`Proof::check`] will need.
    pub(crate) fn want(&self, rows: &Rows) {
        rows.want::<User>(&(self.user,));
        rows.want::<AttemptLimit>(&(self.user, self.kind));
    }

    /// Whose password it proves.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    /// Checks the proof against the user whom it must be of, and takes note of the success.
    pub(crate) fn check(
        &self,
        rows: &Rows,
        cx: &Context<'_>,
        out: &mut Changes,
        user: &User,
    ) -> Result<(), Stop> {
        let mut limit = limit(rows, self.user, self.kind, cx.now)?;
        let (phc, version) = self.kind.of(user);
        if phc.is_none() {
            return Err(Reason::PaymentPasswordUnset.into());
        }
        match self.reserved_until {
            // Another may have been let in for it since: this one has to try again.
            Some(lapsed) if cx.now > lapsed => return Err(Reason::Busy.into()),
            Some(_) => limit.pending = limit.pending.saturating_sub(1),
            None => {}
        }
        if self.user != user.id || self.version != version {
            out.put(limit);
            return Err(self.kind.refusal().into());
        }
        if self.reserved_until.is_none() {
            refuse_locked(&limit, cx.now)?;
        }
        // Success resets. A row that says nothing is not kept.
        limit.failures = 0;
        limit.locked_until = UnixTime::default();
        if limit.pending == 0 {
            if rows.find::<AttemptLimit>(&(self.user, self.kind))?.is_some() {
                out.delete::<AttemptLimit>(&(self.user, self.kind));
            }
        } else {
            out.put(limit);
        }
        Ok(())
    }
}

/// What must be known before a remembered password may be used.
#[derive(Debug, Clone)]
pub struct PasswordState {
    /// Whose password it is.
    pub user: UserId,
    /// The version of it.
    pub version: u32,
}

/// Asks for a [`PasswordState`]: 25 when unset, locked with the wait.
#[derive(Debug)]
pub struct FindPassword {
    /// Whose.
    pub who: Who,
    /// Which.
    pub kind: PasswordKind,
}

impl Query<Platform> for FindPassword {
    type Answer = PasswordState;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<PasswordState, Stop> {
        let Subject { user, phc, version } = self.who.subject(rows, cx, self.kind)?;
        phc.ok_or(Reason::PaymentPasswordUnset)?;
        refuse_locked(&limit(rows, user, self.kind, cx.now)?, cx.now)?;
        Ok(PasswordState { user, version })
    }
}
