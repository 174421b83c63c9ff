//! The second factor of operators: a secret that they share with the platform, from which both derive a code for each time step
//! (RFC 6238). The code itself is checked by the caller, which has the crypto for it; the platform accepts each step once (R88).

use wallet_core::Secret;
use wallet_engine::{Command, Halt, Query, Row as _};

use crate::accounts::{UserId, lifetimes};
use crate::operators::{Act, Audited, Operator, OperatorAct, Role};
use crate::passwords::Proof;
use crate::refusal::{Reason, Stop};
use crate::reseal::{self, Sealed};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users::{Session, User, session, signed_in};
use crate::vault::{Digest, Seed, Vault};

/// The bytes of a secret: as many as its hash has.
const SECRET: usize = 20;

fn seal_context(user: UserId) -> String {
    format!("second factor {user}")
}

/// The sealed secret of a second factor.
pub(crate) struct SealedSecret {
    pub(crate) sealed: Vec<u8>,
    pub(crate) version: u32,
}

/// The secret that codes of a user are checked with: the confirmed one, else the one that waits for its first code.
pub(crate) fn sealed(rows: &Rows, user: UserId) -> Result<Option<SealedSecret>, Stop> {
    let Some(operator) = rows.find::<Operator>(&(user,))? else { return Ok(None) };
    let sealed = operator.totp.clone().or_else(|| operator.totp_next.clone());
    Ok(sealed.map(|sealed| SealedSecret { sealed, version: operator.totp_version }))
}

/// The version of the secret that a proof of this time step must have; `None` if the step, or a later one, was used.
pub(crate) fn version(rows: &Rows, user: UserId, step: u64) -> Result<Option<u32>, Stop> {
    let operator = rows.find::<Operator>(&(user,))?;
    Ok(operator.filter(|operator| step > operator.totp_step).map(|operator| operator.totp_version))
}

/// Uses a time step up.
pub(crate) fn use_step(rows: &Rows, out: &mut Changes, user: UserId, step: u64) -> Result<(), Stop> {
    let operator = rows.get::<Operator>(&(user,))?;
    out.put(Operator { totp_step: step, ..operator.clone() });
    Ok(())
}

/// Opens the secret of a [`Challenge`](crate::Challenge) of a second factor.
pub fn open_second_factor(vault: &Vault, user: UserId, sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
    vault.open(&seal_context(user), sealed)
}

impl Operator {
    /// Whether the master key opens its secrets.
    pub(crate) fn opens(&self, vault: &Vault) -> bool {
        [&self.totp, &self.totp_next]
            .into_iter()
            .flatten()
            .all(|sealed| open_second_factor(vault, self.user, sealed).is_some())
    }
}

impl Sealed for Operator {
    fn sealed_again(&self, vault: &Vault, seed: &Seed) -> Option<Self> {
        let (mut row, context) = (self.clone(), seal_context(self.user));
        let is_new =
            [&mut row.totp, &mut row.totp_next].map(|sealed| reseal::optional(vault, seed, &context, sealed));
        is_new.contains(&true).then_some(row)
    }
}

/// Makes a secret that waits for its first code; `proof` proves the operator's login password. One that is confirmed is only
/// removed on the machine itself.
#[derive(Debug)]
pub struct BeginSecondFactor {
    /// The session of the operator.
    pub session: Digest,
    /// The proof of the login password.
    pub proof: Proof,
    /// The seed of the secret.
    pub seed: Seed,
}

/// The operator of a session, by a proof, who has a confirmed second factor or has none.
fn proven<'r>(
    rows: &'r Rows,
    cx: &Context<'_>,
    out: &mut Changes,
    (session, proof): (Digest, &Proof),
    is_confirmed: bool,
) -> Result<(&'r User, &'r Operator), Stop> {
    let user = signed_in(rows, cx, out, session)?;
    proof.check(rows, cx, out, user)?;
    let operator = rows.find::<Operator>(&(user.id,))?;
    let operator = operator.filter(|operator| operator.totp.is_some() == is_confirmed);
    Ok((user, operator.ok_or(Reason::NotAllowed)?))
}

impl Command<Platform> for BeginSecondFactor {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let (user, operator) = proven(rows, cx, out, (self.session, &self.proof), false)?;
        let secret = cx.vault.mint(&self.seed, "second factor").hash;
        let secret: &[u8; SECRET] = secret.as_bytes();
        let sealed = cx.vault.seal(&self.seed, &seal_context(user.id), secret);
        out.put(Operator {
            totp_next: Some(sealed),
            totp_version: operator.totp_version + 1,
            ..operator.clone()
        });
        Ok(())
    }
}

/// The secret that waits for its first code, for the operator's own page.
#[derive(Debug)]
pub struct PendingSecondFactor(pub UserId);

impl Query<Platform> for PendingSecondFactor {
    type Answer = Option<Secret<Vec<u8>>>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        let Some(operator) = rows.find::<Operator>(&(self.0,))? else { return Ok(None) };
        let Some(sealed) = operator.totp_next.as_ref().filter(|_| operator.totp.is_none()) else {
            return Ok(None);
        };
        let opened = open_second_factor(cx.vault, self.0, sealed);
        opened.map(Some).ok_or(Halt::Damaged { table: Operator::TABLE.name }.into())
    }
}

/// Confirms a second factor with its first code.
#[derive(Debug)]
pub struct ConfirmSecondFactor {
    /// The session of the operator.
    pub session: Digest,
    /// The proof of the code.
    pub proof: Proof,
}

impl Command<Platform> for ConfirmSecondFactor {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let (user, operator) = proven(rows, cx, out, (self.session, &self.proof), false)?;
        let (totp, totp_step) = (operator.totp_next.clone(), self.proof.step());
        out.put(Operator { totp, totp_next: None, totp_step, ..operator.clone() });
        mark(rows, cx, out, self.session, operator)?;
        let act = Act::new(OperatorAct::SecondFactorSet, &*user.login_name);
        crate::operators::record(cx, out, Some(user.id), act, "");
        Ok(())
    }
}

/// Records in a session that a code of the operator's second factor was given.
fn mark(
    rows: &Rows,
    cx: &Context<'_>,
    out: &mut Changes,
    hash: Digest,
    operator: &Operator,
) -> Result<(), Stop> {
    let session = session(rows, hash, cx.now)?;
    let (second_factor, expires_at) = (operator.totp_version, cx.now + lifetimes::SESSION);
    out.put(Session { second_factor, expires_at, ..session.clone() });
    Ok(())
}

/// An operator gives a code of the second factor, once in each session.
#[derive(Debug)]
pub struct GiveSecondFactor {
    /// The session of the operator.
    pub session: Digest,
    /// The proof of the code.
    pub proof: Proof,
}

impl Command<Platform> for GiveSecondFactor {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let (_, operator) = proven(rows, cx, out, (self.session, &self.proof), true)?;
        mark(rows, cx, out, self.session, operator)
    }
}

/// Removes an operator's second factor: a lost one. Only the machine itself does this.
#[derive(Debug)]
pub struct RemoveSecondFactor(pub UserId);

impl Command<Platform> for RemoveSecondFactor {
    /// The user; `None` if there is no second factor.
    type Outcome = Option<User>;
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<Option<User>, Stop> {
        let user = rows.find::<User>(&(self.0,))?.ok_or(Reason::UserUnknown)?;
        let operator = rows.find::<Operator>(&(self.0,))?;
        let Some(operator) = operator.filter(|one| one.totp.is_some() || one.totp_next.is_some()) else {
            return Ok(None);
        };
        out.put(Operator { totp: None, totp_next: None, ..operator.clone() });
        Ok(Some(user.clone()))
    }
}

impl Audited for RemoveSecondFactor {
    const ROLE: Option<Role> = None;
    fn done(&self, outcome: &Option<User>) -> Option<Act> {
        outcome.as_ref().map(|user| Act::new(OperatorAct::SecondFactorRemoved, &*user.login_name))
    }
}
