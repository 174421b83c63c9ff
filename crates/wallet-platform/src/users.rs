//! Users, their sessions and their balances (R26, R36).

use wallet_core::{Secret, Units, UnixTime};
use wallet_engine::{Command, List, Query, rows};

use crate::accounts::{LoginText, UserId, lifetimes, limits};
use crate::coins::{Coin, every_coin};
use crate::money::Account;
use crate::notices::{self, ClaimedNotice, NoticeKind};
use crate::passwords::{AttemptLimit, PasswordKind, Proof, may_verify, wrong_verify_code};
use crate::refusal::{Reason, Refused, Stop};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::spans::is_over;
use crate::vault::{Digest, Minted, Seed};

rows! { in Platform;
    /// A person with a wallet. An app's owner is one too (R34).
    user: User {
        key {
            /// The id on the wire.
            id: UserId,
        }
        /// The name that the user signs in with.
        login_name: String,
        /// The public handle.
        fomo_id: String,
        /// The user's display name.
        name: String,
        /// The address of a portrait, or empty.
        portrait: String,
        /// The login password's PHC text.
        pwd: Secret<String>,
        /// Counts changes of the login password.
        pwd_version: u32,
        /// The payment password's PHC text.
        wallet_pwd: Option<Secret<String>>,
        /// Counts changes of the payment password.
        wallet_pwd_version: u32,
        /// Whether the user may register apps.
        developer: bool,
        /// When the user was registered.
        created_at: UnixTime,
        /// Whether the user is an operator.
        operator: bool,
        /// Whether an operator has frozen the user: no sign-in, and no money moves (R86).
        frozen: bool,
        /// When the user last took a grant back: codes from before are void.
        codes_from: UnixTime,
    }

    /// Makes login names unique.
    login: LoginName {
        key {
            /// The login name.
            login_name: String,
        }
        /// The user who has the name.
        user: UserId,
    }

    /// Keeps login names apart that differ by case alone. Of those that were registered before this was so, the first one has the row.
    login_case: LoginCase {
        key {
            /// The login name in lower case.
            folded: String,
        }
        /// The user.
        user: UserId,
    }

    /// A registration that waits for its verification code (R36).
    registration: Registration {
        key {
            /// The registration's id on the wire.
            verify_id: String,
        }
        /// The registration's second id on the wire.
        tmp_user_id: String,
        /// The requested login name.
        login_name: String,
        /// The PHC text of the requested password.
        pwd: Secret<String>,
        /// The verification code.
        code: Digest,
        /// Wrong codes so far.
        tries: u32,
        /// When the code expires.
        expires_at: UnixTime,
    }

    /// A user's session in the wallet.
    session: Session {
        key {
            /// The keyed hash of the session_key.
            hash: Digest,
        }
        /// The user who is signed in.
        user: UserId,
        /// The expiry; each use moves it (R30).
        expires_at: UnixTime,
        /// The version of the operator's second factor whose code was given in it (R88); 0 before.
        second_factor: u32,
    }
}

/// The session with this hash; an unknown and an expired one are both 3 (R29).
pub(crate) fn session(rows: &Rows, hash: Digest, now: UnixTime) -> Result<&Session, Stop> {
    let session = rows.find::<Session>(&(hash,))?.filter(|session| now <= session.expires_at);
    session.ok_or(Reason::SessionUnknown.into())
}

/// The user of a session; the call moves the session's expiry (R30).
pub(crate) fn signed_in<'r>(
    rows: &'r Rows,
    cx: &Context<'_>,
    out: &mut Changes,
    hash: Digest,
) -> Result<&'r User, Stop> {
    let session = session(rows, hash, cx.now)?;
    let user = rows.find::<User>(&(session.user,))?.ok_or(Reason::SessionUnknown)?;
    let expires_at = cx.now + lifetimes::SESSION;
    if expires_at != session.expires_at {
        out.put(Session { expires_at, ..session.clone() });
    }
    Ok(user)
}

impl User {
    /// Refuses a frozen user with 54 (R86).
    pub(crate) fn may_move_money(&self) -> Result<(), Stop> {
        if self.frozen { Err(Reason::UserFrozen.into()) } else { Ok(()) }
    }
}

/// Refuses a malformed login name with 11 (R29).
fn login_name(name: &str) -> Result<String, Stop> {
    if LoginText::from(name).well_formed() {
        Ok(name.to_owned())
    } else {
        Err(Reason::LoginNameInvalid.into())
    }
}

/// The user of a login name: the one of exactly this spelling, or else the one of the same letters.
///
/// # Errors
/// [`Stop`] if a row is not loaded.
pub(crate) fn named(rows: &Rows, name: &str) -> Result<Option<UserId>, Stop> {
    let case = (name.to_ascii_lowercase(),);
    rows.want::<LoginCase>(&case);
    if let Some(exact) = rows.find::<LoginName>(&(name.to_owned(),))? {
        return Ok(Some(exact.user));
    }
    Ok(rows.find::<LoginCase>(&case)?.map(|like_it| like_it.user))
}

fn new_user(
    rows: &Rows,
    cx: &Context<'_>,
    out: &mut Changes,
    login_name: &str,
    name: &str,
    pwd: &Secret<String>,
) -> Result<User, Stop> {
    if named(rows, login_name)?.is_some() {
        return Err(Reason::LoginNameInvalid.into());
    }
    let id = UserId::new(cx.ids.next());
    let user = User {
        id,
        login_name: login_name.to_owned(),
        fomo_id: format!("fomo_{id}"),
        name: name.to_owned(),
        portrait: String::new(),
        pwd: pwd.clone(),
        pwd_version: 1,
        wallet_pwd: None,
        wallet_pwd_version: 0,
        developer: false,
        created_at: cx.now,
        operator: false,
        frozen: false,
        codes_from: UnixTime::default(),
    };
    out.put(LoginName { login_name: login_name.to_owned(), user: id });
    out.put(LoginCase { folded: login_name.to_ascii_lowercase(), user: id });
    Ok(user)
}

/// Makes a user at once, without a verification code: for an operator and for the sandbox.
#[derive(Debug)]
pub struct CreateUser {
    /// The name that the user signs in with.
    pub login_name: String,
    /// The user's display name.
    pub name: String,
    /// The login password's PHC text.
    pub pwd: Secret<String>,
    /// The payment password's PHC text.
    pub wallet_pwd: Option<Secret<String>>,
    /// Whether the user may register apps.
    pub developer: bool,
}

impl Command<Platform> for CreateUser {
    type Outcome = UserId;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<UserId, Stop> {
        let login_name = login_name(&self.login_name)?;
        let mut user = new_user(rows, cx, out, &login_name, &self.name, &self.pwd)?;
        user.wallet_pwd.clone_from(&self.wallet_pwd);
        user.wallet_pwd_version = u32::from(self.wallet_pwd.is_some());
        user.developer = self.developer;
        let id = user.id;
        out.put(user);
        Ok(id)
    }
}

/// Begins a registration. Only the owner of the name learns whether it is free, when the registration is completed.
#[derive(Debug)]
pub struct BeginRegister {
    /// The requested login name.
    pub login_name: String,
    /// The PHC text of the requested password.
    pub pwd: Secret<String>,
    /// The seed of the ids and the code.
    pub seed: Seed,
}

/// A registration that was begun, and the code to send.
#[derive(Debug)]
pub struct BegunRegister {
    /// The registration's id.
    pub verify_id: String,
    /// The registration's second id.
    pub tmp_user_id: String,
    /// The code that goes to the user over another channel: the caller makes the first attempt.
    pub notice: ClaimedNotice,
}

impl Command<Platform> for BeginRegister {
    type Outcome = BegunRegister;
    fn apply(&self, _: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<BegunRegister, Stop> {
        let login_name = login_name(&self.login_name)?;
        let mint = |label| cx.vault.mint(&self.seed, label).text;
        let (verify_id, tmp_user_id) =
            (mint("verify_id").expose().clone(), mint("tmp_user_id").expose().clone());
        // Six digits suffice: a code allows five tries, and each further wrong code doubles the lock of the name.
        let digits =
            u64::from_str_radix(&mint("verify_code").expose()[..15], 16).unwrap_or_default() % 1_000_000;
        let verify_code = Secret::new(format!("{digits:06}"));
        let expires_at = cx.now + lifetimes::VERIFICATION;
        out.put(Registration {
            verify_id: verify_id.clone(),
            tmp_user_id: tmp_user_id.clone(),
            login_name: login_name.clone(),
            pwd: self.pwd.clone(),
            code: cx.vault.hash(&format!("{verify_id}:{}", verify_code.expose())),
            tries: 0,
            expires_at,
        });
        let kind = NoticeKind::VerificationCode;
        let notice =
            notices::notify(cx, out, kind, (&login_name, &verify_id), (&verify_code, &self.seed), expires_at);
        Ok(BegunRegister { verify_id, tmp_user_id, notice })
    }
}

/// Completes a registration with its code.
#[derive(Debug)]
pub struct CompleteRegister {
    /// The value that [`BeginRegister`] returned.
    pub verify_id: String,
    /// The value that [`BeginRegister`] returned.
    pub tmp_user_id: String,
    /// The code that the user received.
    pub verify_code: Secret<String>,
}

impl Command<Platform> for CompleteRegister {
    type Outcome = User;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<User, Stop> {
        let key = (self.verify_id.clone(),);
        let begun = rows.find::<Registration>(&key)?.ok_or(Reason::VerificationWrong)?;
        may_verify(rows, cx, &begun.login_name)?;
        let tries_left = u64::from(begun.tries) < limits::WRONG_VERIFY_CODES;
        if begun.tmp_user_id != self.tmp_user_id
            || is_over(cx.now, begun.expires_at, lifetimes::VERIFICATION)
            || !tries_left
        {
            return Err(Reason::VerificationWrong.into());
        }
        if cx.vault.hash(&format!("{}:{}", self.verify_id, self.verify_code.expose())) != begun.code {
            wrong_verify_code(rows, cx, out, &begun.login_name)?;
            out.put(Registration { tries: begun.tries + 1, ..begun.clone() });
            return Err(Reason::VerificationWrong.into());
        }
        out.delete::<Registration>(&key);
        let user = new_user(rows, cx, out, &begun.login_name, &begun.login_name, &begun.pwd)?;
        out.put(user.clone());
        Ok(user)
    }
}

/// Signs a user in; `proof` proves the login password.
#[derive(Debug)]
pub struct Login {
    /// The login name.
    pub login_name: String,
    /// The proof of the login password.
    pub proof: Proof,
    /// The seed of the session_key.
    pub seed: Seed,
}

impl Command<Platform> for Login {
    type Outcome = (Minted, User);
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(Minted, User), Stop> {
        let id = named(rows, &self.login_name)?.ok_or(Reason::PasswordWrong)?;
        let user = rows.find::<User>(&(id,))?.ok_or(Reason::PasswordWrong)?;
        self.proof.check(rows, cx, out, user)?;
        // Only who knows the password learns that the user is frozen.
        if user.frozen {
            return Err(Reason::UserFrozen.into());
        }
        let key = cx.vault.mint(&self.seed, "session_key");
        let expires_at = cx.now + lifetimes::SESSION;
        out.put(Session { hash: key.hash, user: user.id, expires_at, second_factor: 0 });
        Ok((key, user.clone()))
    }
}

/// Checks that a login name is well-formed, before the caller hashes a password for it.
pub fn check_login_name(name: &str) -> Result<(), Refused> {
    match LoginText::from(name).well_formed() {
        true => Ok(()),
        false => Err(Refused::new(Reason::LoginNameInvalid)),
    }
}

/// The user who is signed in.
#[derive(Debug)]
pub struct SessionUser(pub Digest);

impl Command<Platform> for SessionUser {
    type Outcome = User;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<User, Stop> {
        signed_in(rows, cx, out, self.0).cloned()
    }
}

/// The user of a session, and the session's expiry. Writes nothing; `None` without a session.
#[derive(Debug)]
pub struct LookAtSession(pub Digest);

impl Query<Platform> for LookAtSession {
    type Answer = Option<(User, UnixTime)>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        let found = rows.find::<Session>(&(self.0,))?.filter(|session| cx.now <= session.expires_at);
        let Some(session) = found else { return Ok(None) };
        Ok(rows.find::<User>(&(session.user,))?.map(|user| (user.clone(), session.expires_at)))
    }
}

/// Ends a session.
#[derive(Debug)]
pub struct EndSession(pub Digest);

impl Command<Platform> for EndSession {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        if rows.find::<Session>(&(self.0,))?.is_some() {
            out.delete::<Session>(&(self.0,));
        }
        Ok(())
    }
}

/// Changes the login password, and clears its lock; `proof` proves the old one. Sessions go on: see [`EndSessionsOf`].
#[derive(Debug)]
pub struct ChangePassword {
    /// The session.
    pub session: Digest,
    /// The proof of the old password.
    pub proof: Proof,
    /// The PHC text of the new password.
    pub pwd: Secret<String>,
}

impl Command<Platform> for ChangePassword {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let user = signed_in(rows, cx, out, self.session)?;
        self.proof.check(rows, cx, out, user)?;
        let limit = (user.id, PasswordKind::Login);
        if rows.find::<AttemptLimit>(&limit)?.is_some() {
            out.delete::<AttemptLimit>(&limit);
        }
        out.put(User { pwd: self.pwd.clone(), pwd_version: user.pwd_version + 1, ..user.clone() });
        Ok(())
    }
}

/// Sets the payment password and clears its lock; `proof` proves the login password.
#[derive(Debug)]
pub struct SetWalletPwd {
    /// The session.
    pub session: Digest,
    /// The proof of the login password.
    pub proof: Proof,
    /// The PHC text of the new payment password.
    pub wallet_pwd: Secret<String>,
}

impl Command<Platform> for SetWalletPwd {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let user = signed_in(rows, cx, out, self.session)?;
        self.proof.check(rows, cx, out, user)?;
        let limit = (user.id, PasswordKind::Wallet);
        if rows.find::<AttemptLimit>(&limit)?.is_some() {
            out.delete::<AttemptLimit>(&limit);
        }
        let wallet_pwd_version = user.wallet_pwd_version + 1;
        out.put(User { wallet_pwd: Some(self.wallet_pwd.clone()), wallet_pwd_version, ..user.clone() });
        Ok(())
    }
}

/// A user's balance in each active coin.
#[derive(Debug)]
pub struct Balances(pub UserId);

impl Query<Platform> for Balances {
    type Answer = Vec<(Coin, Units)>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let coins = every_coin(rows)?;
        for coin in &coins {
            rows.want::<Account>(&(self.0, coin.id));
        }
        let mut balances = Vec::new();
        for coin in coins.into_iter().filter(|coin| coin.is_active) {
            let balance =
                rows.find::<Account>(&(self.0, coin.id))?.map_or(Units::ZERO, |account| account.balance);
            balances.push((coin.clone(), balance));
        }
        Ok(balances)
    }
}

/// Finds a user by login name, for an operator and for the sandbox.
#[derive(Debug)]
pub struct FindUser(pub String);

impl Query<Platform> for FindUser {
    type Answer = Option<User>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        match named(rows, &self.0)? {
            Some(id) => Ok(rows.find::<User>(&(id,))?.cloned()),
            None => Ok(None),
        }
    }
}

/// Freezes a user, or lifts that (R86).
#[derive(Debug)]
pub struct FreezeUser {
    /// The user.
    pub user: UserId,
    /// Whether the user is to be frozen.
    pub frozen: bool,
}

impl Command<Platform> for FreezeUser {
    /// The user; `None` if that changed nothing.
    type Outcome = Option<User>;
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<Option<User>, Stop> {
        let user = rows.find::<User>(&(self.user,))?.ok_or(Reason::UserUnknown)?;
        if user.frozen == self.frozen {
            return Ok(None);
        }
        let user = User { frozen: self.frozen, ..user.clone() };
        out.put(user.clone());
        Ok(Some(user))
    }
}

/// The sessions of a user.
#[derive(Debug)]
pub struct SessionsOf {
    /// The user.
    pub user: UserId,
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for SessionsOf {
    type Answer = Vec<Digest>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let sessions = List::new().only(Session::user.is(self.user)).limit(self.limit);
        Ok(rows.list(sessions)?.into_iter().map(|session| session.hash).collect())
    }
}

/// Ends sessions of a user, which [`SessionsOf`] found.
#[derive(Debug)]
pub struct EndSessionsOf {
    /// The user.
    pub user: UserId,
    /// The sessions.
    pub sessions: Vec<Digest>,
}

impl Command<Platform> for EndSessionsOf {
    /// The user, and the number of sessions that were ended.
    type Outcome = (User, usize);
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(User, usize), Stop> {
        let user = rows.find::<User>(&(self.user,))?.ok_or(Reason::UserUnknown)?;
        let sessions = rows.find_all::<Session>(self.sessions.iter().map(|hash| (*hash,)))?;
        let own: Vec<_> = sessions.into_iter().filter(|session| session.user == self.user).collect();
        own.iter().for_each(|session| out.delete::<Session>(&(session.hash,)));
        Ok((user.clone(), own.len()))
    }
}

/// Gives a user another login password, and clears its lock. Only an operator does this.
#[derive(Debug)]
pub struct ResetPassword {
    /// The user.
    pub user: UserId,
    /// The PHC text of the new password.
    pub pwd: Secret<String>,
}

impl Command<Platform> for ResetPassword {
    type Outcome = User;
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<User, Stop> {
        let user = rows.find::<User>(&(self.user,))?.ok_or(Reason::UserUnknown)?;
        for kind in [PasswordKind::Login, PasswordKind::LoginAgain] {
            if rows.find::<AttemptLimit>(&(self.user, kind))?.is_some() {
                out.delete::<AttemptLimit>(&(self.user, kind));
            }
        }
        let user = User { pwd: self.pwd.clone(), pwd_version: user.pwd_version + 1, ..user.clone() };
        out.put(user.clone());
        Ok(user)
    }
}
