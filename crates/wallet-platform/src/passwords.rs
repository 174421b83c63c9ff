//! Passwords and their limits (R22). A password itself never comes here: a command reserves an attempt, the
//! caller checks the hash, and the next command brings a [`Proof`].

use std::time::Duration;

use wallet_core::crypto::hex_text;
use wallet_core::{Secret, UnixTime};
use wallet_engine::{Command, Query, rows};

use crate::accounts::{UserId, lifetimes, limits};
use crate::refusal::{Reason, Refused, Stop};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::second_factors;
use crate::spans::is_over;
use crate::unknown_names;
use crate::users;
use crate::users::User;
use crate::vault::Digest;

rows! { in Platform;
    /// The wrong attempts of a user at one kind of password (R22).
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
        /// The time at which undecided reservations lapse.
        pending_until: UnixTime,
        /// The time of the last reservation or failure.
        touched_at: UnixTime,
    }
}

/// One of the passwords of a user, or a verification code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PasswordKind {
    /// For signing in; a wrong one is 12.
    Login,
    /// The login password, asked again of a signed-in user. A limit of its own counts its failures: an attacker without
    /// a session cannot lock a user out of such actions as ending a leaked secret.
    LoginAgain,
    /// For payments; a wrong one is 26.
    Wallet,
    /// A code of an operator's second factor. The [`Challenge`] has its sealed secret, in hexadecimal digits.
    SecondFactor,
    /// The verification codes sent for one login name. They share one limit, so that many registrations of a name give no
    /// more guesses than one.
    Verification,
}

impl PasswordKind {
    fn refusal(self) -> Reason {
        match self {
            Self::Login | Self::LoginAgain => Reason::PasswordWrong,
            Self::Wallet => Reason::PaymentPasswordWrong,
            Self::Verification => Reason::VerificationWrong,
            Self::SecondFactor => Reason::SecondFactorWrong,
        }
    }

    fn of(self, user: &User) -> (Option<&Secret<String>>, u32) {
        match self {
            Self::Login | Self::LoginAgain => (Some(&user.pwd), user.pwd_version),
            Self::Wallet => (user.wallet_pwd.as_ref(), user.wallet_pwd_version),
            Self::Verification | Self::SecondFactor => (None, 0),
        }
    }
}

/// The user whose password is checked.
#[derive(Debug, Clone)]
pub enum Who {
    /// The user of a session.
    Session(Digest),
    /// A user.
    User(UserId),
    /// The user of a login name.
    Login(String),
}

/// The user whose password is checked, and its hash.
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
            Self::Login(name) => match users::named(rows, name)? {
                Some(user) => user,
                None => return Ok(Subject::nobody(cx, name)),
            },
        };
        let user = rows.find::<User>(&(id,))?.ok_or(Reason::UserUnknown)?;
        if kind == PasswordKind::SecondFactor {
            let factor = second_factors::sealed(rows, user.id)?.ok_or(Reason::SecondFactorWrong)?;
            let (phc, version) = (Some(Secret::new(hex_text(&factor.sealed))), factor.version);
            return Ok(Subject { user: user.id, phc, version });
        }
        let (phc, version) = kind.of(user);
        Ok(Subject { user: user.id, phc: phc.cloned(), version })
    }
}

impl Subject {
    /// An unknown login name gets a lock of its own, so that it cannot be distinguished from a known one (R29).
    fn nobody(cx: &Context<'_>, name: &str) -> Self {
        Self { user: nobody(cx, name), phc: Some(Secret::default()), version: 0 }
    }
}

/// The smallest user id that means an unknown login name; far above any row number.
pub const NOBODY: u64 = 1 << 62;

/// The user id of an unknown login name in attempt limits.
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
    keep(rows, cx, out, limit)
}

/// The hash that an entered password is checked against, with the user and the version it belongs to.
#[derive(Debug, Clone)]
pub struct Challenge {
    user: UserId,
    kind: PasswordKind,
    version: u32,
    phc: Secret<String>,
    lapses_at: UnixTime,
}

impl Challenge {
    /// The hash to check the password against; empty when there is no such user. The caller must then check
    /// any other hash, so that the work is the same, and call [`Challenge::failed`].
    pub fn phc(&self) -> &str {
        self.phc.expose()
    }

    /// The password was right.
    pub fn proven(self) -> Proof {
        let Self { user, kind, version, lapses_at, .. } = self;
        Proof { user, kind, version, reserved_until: Some(lapses_at), step: 0 }
    }

    /// The code of a second factor was right, at this time step.
    pub fn proven_at(self, step: u64) -> Proof {
        Proof { step, ..self.proven() }
    }

    /// The password was right, and this is its hash in the form of today.
    pub fn renewed(&self, phc: Secret<String>) -> RenewHash {
        RenewHash { challenge: self.clone(), phc }
    }

    /// The password was wrong.
    pub fn failed(self) -> FailPassword {
        FailPassword(self)
    }
}

/// Proof that a user's password was given, at this version of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    user: UserId,
    kind: PasswordKind,
    version: u32,
    /// The end of its reservation; `None` for a remembered password.
    reserved_until: Option<UnixTime>,
    /// The time step of a second factor's code.
    step: u64,
}

/// The outcome of [`ReservePassword`].
#[derive(Debug, Clone)]
pub enum Reservation {
    /// Check the password.
    Challenge(Challenge),
    /// Too many attempts are under way: try again in a moment. Never reported as a business error (R84).
    Busy,
}

fn limit(rows: &Rows, user: UserId, kind: PasswordKind, now: UnixTime) -> Result<AttemptLimit, Stop> {
    let none = AttemptLimit {
        user,
        kind,
        failures: 0,
        locked_until: UnixTime::default(),
        pending: 0,
        pending_until: UnixTime::default(),
        touched_at: now,
    };
    let mut limit = match (user.get(), kind) {
        (NOBODY.., PasswordKind::Login) => unknown_names::limit(rows, now, none)?,
        _ => rows.find::<AttemptLimit>(&(user, kind))?.cloned().unwrap_or(none),
    };
    if is_over(now, limit.pending_until, RESERVED_FOR) {
        limit.pending = 0; // the process that reserved has died
    }
    Ok(limit)
}

fn keep(rows: &Rows, cx: &Context<'_>, out: &mut Changes, limit: AttemptLimit) -> Result<(), Stop> {
    match (limit.user.get(), limit.kind) {
        // Verification codes have a row for each name: nobody may use up the guesses of another one's registration.
        (NOBODY.., PasswordKind::Login) => unknown_names::keep(rows, out, cx.now, limit)?,
        _ => out.put(limit),
    }
    Ok(())
}

fn refuse_locked(limit: &AttemptLimit, now: UnixTime) -> Result<(), Stop> {
    let lock = lock_after(limit.failures).unwrap_or_default();
    if now < limit.locked_until && !is_over(now, limit.locked_until, lock) {
        let wait = Some(limit.locked_until.since(now));
        return Err(Refused { wait, ..Refused::new(limit.kind.refusal()) }.into());
    }
    Ok(())
}

/// The length of a reservation, during which the caller checks the hash.
const RESERVED_FOR: Duration = Duration::from_secs(30);

/// Reserves one attempt, in a commit of its own, so that parallel guesses cannot share one attempt.
#[derive(Debug)]
pub struct ReservePassword {
    /// The user whose password it is.
    pub who: Who,
    /// The login or the payment password.
    pub kind: PasswordKind,
}

impl Command<Platform> for ReservePassword {
    type Outcome = Reservation;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Reservation, Stop> {
        let Subject { user, phc, version } = self.who.subject(rows, cx, self.kind)?;
        let phc = phc.ok_or(Reason::PaymentPasswordUnset)?;
        let mut limit = limit(rows, user, self.kind, cx.now)?;
        refuse_locked(&limit, cx.now)?;
        // Guesses under way are limited to the failures left before the lock; after a lock, to one.
        let free = (limits::WRONG_PASSWORDS as u32).saturating_sub(limit.failures).max(1);
        if limit.pending >= free {
            return Ok(Reservation::Busy);
        }
        limit.pending += 1;
        limit.pending_until = cx.now + RESERVED_FOR;
        limit.touched_at = cx.now;
        keep(rows, cx, out, limit)?;
        Ok(Reservation::Challenge(Challenge {
            user,
            kind: self.kind,
            version,
            phc,
            lapses_at: cx.now + RESERVED_FOR,
        }))
    }
}

/// Gives back a reserved attempt whose password was not checked: nothing was guessed.
#[derive(Debug)]
pub struct GiveBack(pub Challenge);

impl Command<Platform> for GiveBack {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let mut limit = limit(rows, self.0.user, self.0.kind, cx.now)?;
        if limit.pending > 0 {
            limit.pending -= 1;
            keep(rows, cx, out, limit)?;
        }
        Ok(())
    }
}

/// Replaces the hash of a password that was proven, unless the password has changed since.
#[derive(Debug)]
pub struct RenewHash {
    challenge: Challenge,
    phc: Secret<String>,
}

impl Command<Platform> for RenewHash {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let Challenge { user, kind, phc: old, .. } = &self.challenge;
        let user = rows.find::<User>(&(*user,))?.ok_or(Reason::UserUnknown)?;
        let (known, _) = kind.of(user);
        if known.is_none_or(|known| known.expose() != old.expose()) {
            return Ok(());
        }
        let user = user.clone();
        out.put(match kind {
            PasswordKind::Wallet => User { wallet_pwd: Some(self.phc.clone()), ..user },
            _ => User { pwd: self.phc.clone(), ..user },
        });
        Ok(())
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
        keep(rows, cx, out, limit)?;
        Err(Refused { wait, ..Refused::new(kind.refusal()) }.into())
    }
}

/// The length of the lock after so many failures, if there is one.
fn lock_after(failures: u32) -> Option<Duration> {
    let doublings = failures.checked_sub(limits::WRONG_PASSWORDS as u32)?;
    let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
    Some(lifetimes::FIRST_LOCK.saturating_mul(factor).min(lifetimes::LONGEST_LOCK))
}

impl AttemptLimit {
    /// Counts one more proven failure; returns the length of the lock, if it locks.
    pub(crate) fn count_failure(&mut self, now: UnixTime) -> Option<Duration> {
        self.touched_at = now;
        self.failures = self.failures.saturating_add(1);
        let wait = lock_after(self.failures)?;
        self.locked_until = now + wait;
        Some(wait)
    }
}

impl Proof {
    /// The proof of a password that this process has already checked at this version.
    pub fn remembered(state: &PasswordState, kind: PasswordKind) -> Self {
        Self { user: state.user, kind, version: state.version, reserved_until: None, step: 0 }
    }

    /// Requests ahead the rows that [`Proof::check`] reads.
    pub(crate) fn want(&self, rows: &Rows) {
        rows.want::<User>(&(self.user,));
        rows.want::<AttemptLimit>(&(self.user, self.kind));
    }

    /// The time step of a second factor's code.
    pub(crate) fn step(&self) -> u64 {
        self.step
    }

    /// The user whose password was proven.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    /// Checks that the proof is of this user, and records the success.
    pub(crate) fn check(
        &self,
        rows: &Rows,
        cx: &Context<'_>,
        out: &mut Changes,
        user: &User,
    ) -> Result<(), Stop> {
        let mut limit = limit(rows, self.user, self.kind, cx.now)?;
        let version = match self.kind {
            PasswordKind::SecondFactor => second_factors::version(rows, user.id, self.step)?,
            kind => {
                let (phc, version) = kind.of(user);
                phc.ok_or(Reason::PaymentPasswordUnset)?;
                Some(version)
            }
        };
        match self.reserved_until {
            // Another attempt may have taken the lapsed reservation's place: this one has to try again.
            Some(lapsed) if cx.now > lapsed => return Err(Reason::Busy.into()),
            Some(_) => limit.pending = limit.pending.saturating_sub(1),
            None => {}
        }
        if self.user != user.id || Some(self.version) != version {
            out.put(limit);
            return Err(self.kind.refusal().into());
        }
        if self.reserved_until.is_none() {
            refuse_locked(&limit, cx.now)?;
        }
        if self.kind == PasswordKind::SecondFactor {
            second_factors::use_step(rows, out, user.id, self.step)?;
        }
        // Success resets the failures. A row without failures and reservations is deleted.
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

/// The user and the password version that a remembered password must match.
#[derive(Debug, Clone)]
pub struct PasswordState {
    /// The user whose password it is.
    pub user: UserId,
    /// The password's version.
    pub version: u32,
}

/// Finds a [`PasswordState`]: an unset password is refused with 25, a locked one with its wait.
#[derive(Debug)]
pub struct FindPassword {
    /// The user whose password it is.
    pub who: Who,
    /// The login or the payment password.
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
