//! Operators: their enrolment, their decisions, and the audit of both.

use wallet_core::{DeliveryState, Lang, UnixTime};
use wallet_engine::{Cell, Column, ColumnKind, Command, List, Query, row_ids, rows};

use crate::accounts::UserId;
use crate::coins::{Coin, PutCoin};
use crate::deliveries::{Attempt, DeliveryId, DeliveryRow, SendAgain, waiting};
use crate::money::Deposit;
use crate::names::hides;
use crate::passwords::Proof;
use crate::refusal::{Reason, Stop};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users::{EndSessionsOf, FreezeUser, ResetPassword, User, session, signed_in};
use crate::vault::Digest;

row_ids! {
    /// The row number of an operator's act.
    AuditId;
}

rows! { in Platform;
    /// What an operator may do.
    operator: Operator {
        key {
            /// The user.
            user: UserId,
        }
        /// The roles.
        roles: Roles,
        /// The second factor's secret, sealed; `None` until it was confirmed.
        totp: Option<Vec<u8>>,
        /// Counts second factors.
        totp_version: u32,
        /// The time step of the last code that was accepted: no code is accepted twice.
        totp_step: u64,
        /// A second factor that waits for its first code, sealed.
        totp_next: Option<Vec<u8>>,
    }

    /// An act of an operator.
    audit: Audit {
        key {
            /// The audit's row id.
            id: AuditId,
        }
        /// The time of the act.
        at: UnixTime,
        /// The operator; `None` for a command on the machine itself.
        operator: Option<UserId>,
        /// The kind of act.
        act: OperatorAct,
        /// The object of the act, in words.
        about: String,
        /// Why, in the operator's words.
        reason: String,
        /// What was changed, before the act; empty if nothing had a value.
        before: String,
        /// The same after it.
        after: String,
    }
}

/// A role of operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Decides on applications.
    Review,
    /// Helps users and apps: suspends, freezes, ends sessions, sends callbacks again.
    Support,
    /// Refunds payments.
    Money,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Review, Self::Support, Self::Money];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Support => "support",
            Self::Money => "money",
        }
    }

    const fn bit(self) -> u32 {
        match self {
            Self::Review => 1,
            Self::Support => 2,
            Self::Money => 4,
        }
    }
}

/// A set of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles(u32);

impl Roles {
    /// Every role.
    pub const ALL: Self = Self(7);

    /// These roles.
    pub fn of(roles: impl IntoIterator<Item = Role>) -> Self {
        Self(roles.into_iter().fold(0, |bits, role| bits | role.bit()))
    }

    /// Whether a role is among them.
    pub const fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }
}

impl std::fmt::Display for Roles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = Role::ALL.into_iter().filter(|role| self.has(*role)).map(Role::name).collect();
        f.write_str(&names.join(", "))
    }
}

impl Column<Platform> for Roles {
    const KIND: ColumnKind = ColumnKind::Int;
    fn cell(&self) -> Cell<'_> {
        Cell::Int(self.0.into())
    }
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        <u32 as Column<Platform>>::from_cell(cell).filter(|bits| *bits <= Self::ALL.0).map(Self)
    }
}

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperatorAct {
    /// Makes a user an operator, or changes the roles.
    Enrolled,
    /// Approves an application.
    Approved,
    /// Turns an application down.
    Rejected,
    /// Sends a callback again.
    SentAgain,
    /// Makes an operator a user like any other.
    Removed,
    /// Suspends an app.
    Suspended,
    /// Lifts the suspension of an app.
    Resumed,
    /// Freezes a user.
    Frozen,
    /// Lifts the freeze of a user.
    Unfrozen,
    /// Ends the sessions of a user.
    SessionsEnded,
    /// Gives a user another login password.
    PasswordReset,
    /// Sets an operator's second factor.
    SecondFactorSet,
    /// Removes an operator's second factor.
    SecondFactorRemoved,
    /// Refunds a payment.
    Refunded,
    /// Adds a coin, or changes one.
    CoinPut,
    /// Credits a user with a deposit.
    Deposited,
}

impl OperatorAct {
    /// The act in words.
    pub fn in_words(self, lang: Lang) -> &'static str {
        let (zh, en) = match self {
            Self::Enrolled => ("成为运营人员", "made an operator"),
            Self::Approved => ("通过申请", "approved"),
            Self::Rejected => ("拒绝申请", "rejected"),
            Self::SentAgain => ("重发回调", "sent again"),
            Self::Removed => ("不再是运营人员", "removed from the operators"),
            Self::Suspended => ("停用应用", "suspended"),
            Self::Resumed => ("恢复应用", "resumed"),
            Self::Frozen => ("冻结用户", "froze"),
            Self::Unfrozen => ("解冻用户", "lifted the freeze"),
            Self::SessionsEnded => ("结束会话", "ended sessions"),
            Self::PasswordReset => ("重设密码", "reset the password"),
            Self::SecondFactorSet => ("设置第二因素", "set the second factor"),
            Self::SecondFactorRemoved => ("移除第二因素", "removed the second factor"),
            Self::Refunded => ("退款", "refunded"),
            Self::CoinPut => ("设置币种", "set a coin"),
            Self::Deposited => ("入账", "deposited"),
        };
        match lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}

/// What an act did, for the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The kind.
    pub act: OperatorAct,
    /// The object, in words.
    pub about: String,
    /// What was changed, before the act.
    pub before: String,
    /// The same after it.
    pub after: String,
}

impl Act {
    /// An act on an object.
    pub fn new(act: OperatorAct, about: impl Into<String>) -> Self {
        Self { act, about: about.into(), before: String::new(), after: String::new() }
    }

    /// The same, with what it changed.
    #[must_use]
    pub fn changing(self, before: impl Into<String>, after: impl Into<String>) -> Self {
        Self { before: before.into(), after: after.into(), ..self }
    }
}

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// An operator, in a session.
    Session(Digest),
    /// A person on the machine itself, who has the database and its key: every role.
    Machine,
}

/// A command that an operator may give, and its audit record.
pub trait Audited: Command<Platform> {
    /// The role that it needs; `None`: only on the machine itself. No operator gives roles, or takes away a second factor.
    const ROLE: Option<Role>;
    /// Whether it needs a code of the second factor.
    const SECOND_FACTOR: bool = false;

    /// The act; `None` if the command changed nothing.
    fn done(&self, outcome: &Self::Outcome) -> Option<Act>;
}

/// Runs an operator's command and records the act in the same commit; another user is refused with 54.
#[derive(Debug)]
pub struct ByOperator<C> {
    /// Who acts.
    pub by: Actor,
    /// Why, in the operator's words.
    pub reason: String,
    /// The proof of the second factor, if it was given.
    pub second_factor: Option<Proof>,
    /// The command.
    pub command: C,
}

impl<C> ByOperator<C> {
    /// A command in an operator's session, without a reason.
    pub fn new(session: Digest, command: C) -> Self {
        Self { by: Actor::Session(session), reason: String::new(), second_factor: None, command }
    }

    /// A command on the machine itself.
    pub fn machine(reason: impl Into<String>, command: C) -> Self {
        Self { by: Actor::Machine, reason: reason.into(), second_factor: None, command }
    }

    /// The same, with its reason.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..self }
    }

    /// The same, with a proof of the second factor.
    #[must_use]
    pub fn proven(self, second_factor: Proof) -> Self {
        Self { second_factor: Some(second_factor), ..self }
    }
}

impl<C: Audited> Command<Platform> for ByOperator<C> {
    type Outcome = C::Outcome;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<C::Outcome, Stop> {
        let operator = match self.by {
            Actor::Machine => None,
            Actor::Session(session) => {
                let user = signed_in(rows, cx, out, session)?;
                let operator = operator(rows, user)?;
                let operator =
                    operator.filter(|operator| C::ROLE.is_some_and(|role| operator.roles.has(role)));
                let operator = operator.ok_or(Reason::NotAllowed)?;
                if !may_operate(rows, cx, operator, session)? {
                    return Err(Reason::SecondFactorWrong.into());
                }
                if C::SECOND_FACTOR {
                    // A second factor that was never confirmed proves nothing.
                    let confirmed = self.second_factor.as_ref().filter(|_| operator.totp.is_some());
                    let proof = confirmed.ok_or(Reason::SecondFactorWrong)?;
                    proof.check(rows, cx, out, user)?;
                }
                Some(user.id)
            }
        };
        let outcome = self.command.apply(rows, cx, out)?;
        if let Some(act) = self.command.done(&outcome) {
            record(cx, out, operator, act, &self.reason);
        }
        Ok(outcome)
    }
}

/// Records an act.
pub(crate) fn record(
    cx: &Context<'_>,
    out: &mut Changes,
    operator: Option<UserId>,
    Act { act, about, before, after }: Act,
    reason: &str,
) {
    let (id, at, reason) = (AuditId(cx.ids.next()), cx.now, shown_reason(reason));
    out.put(Audit { id, at, operator, act, about, reason, before, after });
}

/// The operator that a user is.
fn operator<'r>(rows: &'r Rows, user: &User) -> Result<Option<&'r Operator>, Stop> {
    if !user.operator || user.frozen {
        return Ok(None);
    }
    Ok(rows.find::<Operator>(&(user.id,))?)
}

/// Whether an operator may act in a session: one with a second factor has given a code in it.
fn may_operate(rows: &Rows, cx: &Context<'_>, operator: &Operator, hash: Digest) -> Result<bool, Stop> {
    // A code of a second factor that was removed since opens nothing.
    Ok(operator.totp.is_none() || session(rows, hash, cx.now)?.second_factor == operator.totp_version)
}

/// The largest number of characters in a reason.
const LONGEST_REASON: usize = 500;

/// A reason as it is stored: a space replaces each character that is invisible or changes the display of its neighbours.
pub(crate) fn shown_reason(reason: &str) -> String {
    let shown = |c: char| if hides(c) { ' ' } else { c };
    reason.trim().chars().map(shown).take(LONGEST_REASON).collect()
}

/// Makes a user an operator with these roles. Only the machine itself does this: there is no address for it.
#[derive(Debug)]
pub struct EnrolOperator {
    /// The user.
    pub user: UserId,
    /// The roles, instead of the present ones.
    pub roles: Roles,
}

impl Command<Platform> for EnrolOperator {
    /// The user and the roles before; `None` if that changed nothing.
    type Outcome = Option<(User, Option<Roles>)>;
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let user = rows.find::<User>(&(self.user,))?.ok_or(Reason::UserUnknown)?;
        let known = rows.find::<Operator>(&(self.user,))?;
        let before = known.filter(|_| user.operator).map(|operator| operator.roles);
        if before == Some(self.roles) {
            return Ok(None);
        }
        out.put(match known {
            Some(operator) => Operator { roles: self.roles, ..operator.clone() },
            None => Operator {
                user: self.user,
                roles: self.roles,
                totp: None,
                totp_version: 0,
                totp_step: 0,
                totp_next: None,
            },
        });
        out.put(User { operator: true, ..user.clone() });
        Ok(Some((user.clone(), before)))
    }
}

impl Audited for EnrolOperator {
    const ROLE: Option<Role> = None;
    fn done(&self, outcome: &Self::Outcome) -> Option<Act> {
        let (user, before) = outcome.as_ref()?;
        let before = before.map(|roles| roles.to_string()).unwrap_or_default();
        Some(Act::new(OperatorAct::Enrolled, &*user.login_name).changing(before, self.roles.to_string()))
    }
}

/// Makes an operator a user like any other, without a second factor.
#[derive(Debug)]
pub struct RemoveOperator(pub UserId);

impl Command<Platform> for RemoveOperator {
    /// The user; `None` if the user is no operator.
    type Outcome = Option<User>;
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<Option<User>, Stop> {
        let user = rows.find::<User>(&(self.0,))?.ok_or(Reason::UserUnknown)?;
        let operator = rows.find::<Operator>(&(self.0,))?;
        if !user.operator && operator.is_none() {
            return Ok(None);
        }
        if operator.is_some() {
            out.delete::<Operator>(&(self.0,));
        }
        let user = User { operator: false, ..user.clone() };
        out.put(user.clone());
        Ok(Some(user))
    }
}

impl Audited for RemoveOperator {
    const ROLE: Option<Role> = None;
    fn done(&self, outcome: &Option<User>) -> Option<Act> {
        outcome.as_ref().map(|user| Act::new(OperatorAct::Removed, &*user.login_name))
    }
}

/// Every operator, with the user.
#[derive(Debug)]
pub struct Operators;

impl Query<Platform> for Operators {
    type Answer = Vec<(User, Operator)>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let operators = rows.list(List::new().ascending(Operator::user))?;
        operators.iter().for_each(|operator| rows.want::<User>(&(operator.user,)));
        let with_user =
            |operator: &Operator| Ok((rows.get::<User>(&(operator.user,))?.clone(), operator.clone()));
        operators.into_iter().map(with_user).collect()
    }
}

/// The operator of a session, and whether the second factor was given in it if there is one; `None` for other users, and for one
/// who is frozen.
#[derive(Debug)]
pub struct OperatorOf(pub Digest);

impl Query<Platform> for OperatorOf {
    type Answer = Option<(Operator, bool)>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        let user = session(rows, self.0, cx.now)?.user;
        let Some(user) = rows.find::<User>(&(user,))? else { return Ok(None) };
        match operator(rows, user)? {
            Some(operator) => Ok(Some((operator.clone(), may_operate(rows, cx, operator, self.0)?))),
            None => Ok(None),
        }
    }
}

impl Audited for FreezeUser {
    const ROLE: Option<Role> = Some(Role::Support);
    fn done(&self, outcome: &Option<User>) -> Option<Act> {
        let act = if self.frozen { OperatorAct::Frozen } else { OperatorAct::Unfrozen };
        outcome.as_ref().map(|user| Act::new(act, format!("{} ({})", user.login_name, user.id)))
    }
}

impl Audited for PutCoin {
    const ROLE: Option<Role> = Some(Role::Money);
    fn done(&self, (): &()) -> Option<Act> {
        let Coin { id, name, decimals, is_active, .. } = &self.0;
        let after = format!("decimals {decimals}, {}", if *is_active { "active" } else { "inactive" });
        Some(Act::new(OperatorAct::CoinPut, format!("{name} ({id})")).changing("", after))
    }
}

impl Audited for Deposit {
    const ROLE: Option<Role> = Some(Role::Money);
    const SECOND_FACTOR: bool = true;
    fn done(&self, (): &()) -> Option<Act> {
        let about = format!("{}: {} of coin {}", self.user, self.amount.as_str(), self.coin);
        Some(Act::new(OperatorAct::Deposited, about))
    }
}

impl Audited for EndSessionsOf {
    const ROLE: Option<Role> = Some(Role::Support);
    fn done(&self, (user, count): &(User, usize)) -> Option<Act> {
        let about = format!("{} ({})", user.login_name, user.id);
        (*count > 0).then(|| Act::new(OperatorAct::SessionsEnded, about).changing(count.to_string(), "0"))
    }
}

impl Audited for ResetPassword {
    const ROLE: Option<Role> = None;
    fn done(&self, user: &User) -> Option<Act> {
        Some(Act::new(OperatorAct::PasswordReset, format!("{} ({})", user.login_name, user.id)))
    }
}

impl Audited for SendAgain {
    const ROLE: Option<Role> = Some(Role::Support);
    fn done(&self, outcome: &Option<DeliveryId>) -> Option<Act> {
        outcome.map(|again| Act::new(OperatorAct::SentAgain, format!("{} → {}", self.0.0, again.0)))
    }
}

/// The last acts of operators, the newest first.
#[derive(Debug)]
pub struct Audits {
    /// The largest number of rows in the answer.
    pub limit: u64,
}

/// An act of an operator.
#[derive(Debug, Clone)]
pub struct ShownAudit {
    /// The audit row.
    pub audit: Audit,
    /// The login name of the operator; `None` for a command on the machine itself.
    pub operator: Option<String>,
}

impl Query<Platform> for Audits {
    type Answer = Vec<ShownAudit>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let audits = rows.list(List::new().descending(Audit::id).limit(self.limit))?;
        audits.iter().filter_map(|audit| audit.operator).for_each(|id| rows.want::<User>(&(id,)));
        let shown = |audit: &Audit| {
            let operator = audit.operator.map(|id| rows.find::<User>(&(id,))).transpose()?.flatten();
            let operator = operator.map(|user| user.login_name.clone());
            Ok(ShownAudit { audit: audit.clone(), operator })
        };
        audits.into_iter().map(shown).collect()
    }
}

/// A callback that waits for an attempt, or is undelivered.
#[derive(Debug, Clone)]
pub struct DeliverySummary {
    /// Its delivery row.
    pub delivery: DeliveryRow,
    /// The name of the app that receives it.
    pub app: String,
    /// The app's own id of the payment that it reports.
    pub about: String,
    /// The last attempt.
    pub last: Option<Attempt>,
    /// Whether it may be sent again.
    pub may_be_sent_again: bool,
}

fn summaries(rows: &Rows, list: List<DeliveryRow>) -> Result<Vec<DeliverySummary>, Stop> {
    let deliveries = rows.list(list)?;
    for row in &deliveries {
        row.want(rows);
        rows.want::<Attempt>(&(row.id, row.attempts));
    }
    let mut found = Vec::new();
    for row in deliveries {
        let subject = row.about(rows)?;
        found.push(DeliverySummary {
            delivery: row.clone(),
            app: subject.app_name().to_owned(),
            about: subject.reference().to_owned(),
            last: rows.find::<Attempt>(&(row.id, row.attempts))?.cloned(),
            may_be_sent_again: subject.delivery() == Some(row.id),
        });
    }
    Ok(found)
}

/// Callbacks that wait after an attempt that failed, the soonest first.
#[derive(Debug)]
pub struct Failing {
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for Failing {
    type Answer = Vec<DeliverySummary>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let waiting =
            summaries(rows, waiting().only(DeliveryRow::attempts.above(0).always()).limit(self.limit))?;
        Ok(waiting.into_iter().map(|one| DeliverySummary { may_be_sent_again: false, ..one }).collect())
    }
}

/// Callbacks that wait, the soonest first.
#[derive(Debug)]
pub struct Upcoming {
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for Upcoming {
    type Answer = Vec<DeliverySummary>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        summaries(rows, waiting().limit(self.limit))
    }
}

/// Callbacks that were given up, the newest first.
#[derive(Debug)]
pub struct Undelivered {
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for Undelivered {
    type Answer = Vec<DeliverySummary>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let exhausted = DeliveryRow::state.is(DeliveryState::Exhausted).always();
        summaries(rows, List::new().only(exhausted).descending(DeliveryRow::id).limit(self.limit))
    }
}
