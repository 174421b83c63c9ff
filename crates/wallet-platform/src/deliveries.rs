//! Callbacks under delivery. [`Delivery`] alone decides when the next attempt is due.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wallet_core::crypto::RsaSigner;
use wallet_core::{
    CallbackMeta, Delivery, DeliveryState, Input, Lang, Output, Secret, Snapshot, UnixTime, acknowledges,
};
use wallet_engine::{Command, Halt, List, Query, row_ids, rows};

use crate::accounts::UserId;
use crate::receivers::{Ended, Receiver, ReceiverEvent};
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};
use crate::spans::is_ahead;
use crate::vault::Vault;
use crate::workers::Share;
use crate::{fomo, vas};

row_ids! {
    /// The row number of a delivery.
    DeliveryId;
    /// The row number of the app that receives a callback: one counter numbers the apps of all platforms.
    ReceiverId;
}

rows! { in Platform;
    /// A callback under delivery.
    delivery: DeliveryRow {
        key {
            /// The delivery's row id.
            id: DeliveryId,
        }
        /// The row id of the payment that it reports: a transfer or an order, by [`DeliveryRow::callback`].
        subject: u64,
        /// The app that receives it.
        app: ReceiverId,
        /// Waiting, acknowledged or exhausted.
        state: DeliveryState,
        /// The number of attempts that have ended.
        attempts: u32,
        /// The time at which the next attempt is due.
        next_at: UnixTime,
        /// The end of the lease of the attempt under way; 0 without one.
        leased_until: UnixTime,
        /// The kind of callback.
        callback: CallbackKind,
    }

    /// One attempt of a delivery.
    attempt: Attempt {
        key {
            /// The delivery's row id.
            delivery: DeliveryId,
            /// The number of the attempt, from 1.
            n: u32,
        }
        /// The time at which the attempt began.
        started_at: UnixTime,
        /// The time at which the attempt ended.
        ended_at: UnixTime,
        /// The receiver's HTTP status.
        http_status: Option<u16>,
        /// The cause of a failure, in words.
        failure: Option<String>,
        /// The beginning of the reply's body; `None` if the body was empty or not read.
        reply: Option<String>,
    }

    /// The parameters of a callback that the app's own key signs once; every attempt sends the same ones (R51).
    vas_callback: SignedCallback {
        key {
            /// The delivery's row id.
            delivery: DeliveryId,
        }
        /// The signed parameters, form-encoded.
        query: String,
    }
}

/// The kind of callback that a delivery makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallbackKind {
    /// FOMO's callback, which reports a transfer.
    PaymentResult,
    /// The callback of the VAS and Lafi wallets, which reports an order.
    Payment,
}

impl CallbackKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::PaymentResult, Self::Payment];

    /// The protocol's implementation of this kind. A protocol with callbacks registers them here.
    fn source(self) -> &'static dyn Source {
        match self {
            Self::PaymentResult => &fomo::callbacks::PaymentResult,
            Self::Payment => &vas::callbacks::Payment,
        }
    }

    /// The callback's entry in the spec.
    pub fn meta(self) -> &'static CallbackMeta {
        self.source().meta()
    }
}

/// A protocol's implementation of one kind of callback. A row's `subject` is a row id of the protocol.
pub(crate) trait Source: Sync {
    /// The callback's entry in the spec.
    fn meta(&self) -> &'static CallbackMeta;

    /// Requests ahead the rows of a subject whose keys the delivery names.
    fn want(&self, rows: &Rows, row: &DeliveryRow);

    /// Requests ahead the rows whose keys are in the rows of [`Source::want`].
    ///
    /// # Errors
    /// [`Stop`] if a row is not loaded, or damaged.
    fn want_more(&self, rows: &Rows, row: &DeliveryRow) -> Result<(), Stop>;

    /// The payment that a delivery reports.
    ///
    /// # Errors
    /// [`Stop`] if a row is not loaded, missing or damaged.
    fn subject(&self, rows: &Rows, row: &DeliveryRow) -> Result<Arc<dyn Subject>, Stop>;

    /// The owner of the app that receives it. The rows of [`Source::want`] are enough.
    ///
    /// # Errors
    /// [`Stop`] if a row is not loaded, missing or damaged.
    fn owner(&self, rows: &Rows, row: &DeliveryRow) -> Result<(UserId, String), Stop>;

    /// Records `again` as the newest delivery of a subject.
    ///
    /// # Errors
    /// [`Stop`] if a row is not loaded, missing or damaged.
    fn renew(&self, rows: &Rows, out: &mut Changes, row: &DeliveryRow, again: DeliveryId)
    -> Result<(), Stop>;

    /// Records what the end of an attempt means for the app.
    ///
    /// # Errors
    /// [`Stop`] if a row is not loaded, missing or damaged.
    fn record(
        &self,
        rows: &Rows,
        cx: &Context<'_>,
        out: &mut Changes,
        row: &DeliveryRow,
        events: &[ReceiverEvent],
    ) -> Result<(), Stop>;
}

/// The payment that a callback reports, with everything that its request needs: a FOMO transfer, or an order of the VAS
/// and Lafi wallets.
pub trait Subject: fmt::Debug + Send + Sync {
    /// The name of the app that receives it.
    fn app_name(&self) -> &str;

    /// The app's own id of the payment.
    fn reference(&self) -> &str;

    /// The amount that was paid, with its unit.
    fn amount(&self) -> String;

    /// The address as the app gave it.
    fn given_address(&self) -> &str;

    /// The address of the callback, in the form that an HTTP request takes.
    fn address(&self) -> Cow<'_, str>;

    /// The time of the payment.
    fn paid_at(&self) -> UnixTime;

    /// Its newest delivery.
    fn delivery(&self) -> Option<DeliveryId>;

    /// The app's private key, in base64; `None` if the app's key does not sign the callback's parameters.
    ///
    /// # Errors
    /// [`Stop`] if the sealed key does not open.
    fn private_key(&self, vault: &Vault) -> Result<Option<Secret<String>>, Stop>;

    /// The signed parameters. Signing takes milliseconds: call it outside of the store's writer.
    ///
    /// # Errors
    /// [`Halt::Damaged`] if a row holds a value that cannot be sent, or the key cannot sign.
    fn sign(&self, key: &dyn RsaSigner, now: UnixTime) -> Result<String, Halt>;

    /// The request of an attempt; `signed` holds the parameters that the app's key has signed, if it signs them.
    ///
    /// # Errors
    /// [`Halt::Damaged`] if a row holds a value that cannot be sent, or the parameters are not signed yet.
    fn request(
        &self,
        vault: &Vault,
        now: UnixTime,
        signed: Option<&str>,
    ) -> Result<http::Request<Vec<u8>>, Halt>;
}

impl DeliveryRow {
    /// The state of the delivery's state machine.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { state: self.state, attempts: self.attempts, next_at: self.next_at }
    }

    fn source(&self) -> &'static dyn Source {
        self.callback.source()
    }

    /// Requests ahead the payment that it reports, and its signed parameters.
    pub(crate) fn want(&self, rows: &Rows) {
        self.source().want(rows, self);
        rows.want::<SignedCallback>(&(self.id,));
    }

    /// The payment that it reports.
    ///
    /// # Errors
    /// [`Stop`] if a row is not loaded, missing or damaged.
    pub(crate) fn about(&self, rows: &Rows) -> Result<Arc<dyn Subject>, Stop> {
        self.source().subject(rows, self)
    }

    fn signed(&self, rows: &Rows) -> Result<Option<String>, Stop> {
        Ok(rows.find::<SignedCallback>(&(self.id,))?.map(|kept| kept.query.clone()))
    }
}

fn restore(row: &DeliveryRow) -> Delivery {
    Delivery::restore(row.callback.meta().schedule, row.snapshot())
}

/// A delivery whose first wait begins now.
pub(crate) fn begin(
    cx: &Context<'_>,
    out: &mut Changes,
    callback: CallbackKind,
    subject: u64,
    app: ReceiverId,
) -> DeliveryId {
    let first = Delivery::new(callback.meta().schedule, cx.now).snapshot();
    let id = DeliveryId(cx.ids.next());
    out.put(DeliveryRow {
        id,
        subject,
        app,
        state: first.state,
        attempts: first.attempts,
        next_at: first.next_at,
        leased_until: UnixTime::default(),
        callback,
    });
    id
}

/// Deletes a delivery, its attempts and its signed parameters. The result of an attempt that is under way is not
/// recorded.
pub(crate) fn forget(rows: &Rows, out: &mut Changes, id: DeliveryId) -> Result<(), Stop> {
    let Some(row) = rows.find::<DeliveryRow>(&(id,))? else { return Ok(()) };
    for attempt in rows.find_all::<Attempt>((1..=row.attempts).map(|n| (id, n)))? {
        out.delete::<Attempt>(&(id, attempt.n));
    }
    if rows.find::<SignedCallback>(&(id,))?.is_some() {
        out.delete::<SignedCallback>(&(id,));
    }
    out.delete::<DeliveryRow>(&(id,));
    Ok(())
}

/// Deliveries that wait for an attempt, the earliest first, by the index `delivery_due`, whose condition is the constant one.
pub(crate) fn waiting() -> List<DeliveryRow> {
    List::new()
        .only(DeliveryRow::state.is(DeliveryState::Waiting).always())
        .ascending(DeliveryRow::next_at)
        .ascending(DeliveryRow::id)
}

/// The deliveries of [`waiting`] that nobody has leased. A lease that has run out is of a process that is gone.
fn free(now: UnixTime) -> List<DeliveryRow> {
    waiting().only(DeliveryRow::leased_until.at_most(now))
}

/// Deliveries that are due by a time and not leased, the earliest first, each with its app.
#[derive(Debug)]
pub struct DueDeliveries {
    /// The latest due time.
    pub by: UnixTime,
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for DueDeliveries {
    type Answer = Vec<(DeliveryId, ReceiverId)>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        let list = free(cx.now).only(DeliveryRow::next_at.at_most(self.by)).limit(self.limit);
        Ok(rows.list(list)?.into_iter().map(|row| (row.id, row.app)).collect())
    }
}

/// The time of the next due delivery without a lease.
#[derive(Debug)]
pub struct NextDue;

impl Query<Platform> for NextDue {
    type Answer = Option<UnixTime>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        let next = rows.list(free(cx.now).limit(1))?;
        Ok(next.first().map(|row| row.next_at))
    }
}

/// The newest delivery.
#[derive(Debug)]
pub struct NewestDelivery;

impl Query<Platform> for NewestDelivery {
    type Answer = Option<DeliveryId>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let newest = rows.list(List::new().descending(DeliveryRow::id).limit(1))?;
        Ok(newest.first().map(|row: &&DeliveryRow| row.id))
    }
}

/// The deliveries that were begun after one, in order, each with its app and the time of its first attempt. Their ids are in the
/// order of their commits, so none is passed over.
#[derive(Debug)]
pub struct NewDeliveries {
    /// Only deliveries after this one.
    pub after: DeliveryId,
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for NewDeliveries {
    type Answer = Vec<(DeliveryId, ReceiverId, UnixTime)>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let new = List::new().only(DeliveryRow::id.above(self.after)).ascending(DeliveryRow::id);
        Ok(rows.list(new.limit(self.limit))?.into_iter().map(|row| (row.id, row.app, row.next_at)).collect())
    }
}

/// The deliveries of an app that wait, by the index `delivery_of_app_due`.
fn waiting_of() -> List<DeliveryRow> {
    List::new()
        .only(DeliveryRow::state.is(DeliveryState::Waiting).always())
        .ascending(DeliveryRow::app)
        .ascending(DeliveryRow::next_at)
        .ascending(DeliveryRow::id)
}

/// The apps for which callbacks wait, by their row ids, each with the time of its earliest one.
#[derive(Debug)]
pub struct WaitingApps {
    /// Only apps after this one.
    pub after: ReceiverId,
    /// The largest number of apps in the answer.
    pub limit: usize,
}

impl Query<Platform> for WaitingApps {
    type Answer = Vec<(ReceiverId, UnixTime)>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let (mut found, mut after) = (Vec::new(), self.after);
        while found.len() < self.limit {
            // From one app to the next, whatever the number of callbacks that wait for it.
            let next = rows.list(waiting_of().only(DeliveryRow::app.above(after)).limit(1))?;
            let Some(row) = next.first() else { break };
            after = row.app;
            found.push((row.app, row.next_at));
        }
        Ok(found)
    }
}

/// The longest wait between two attempts of a kind.
fn longest_wait(kind: CallbackKind) -> Duration {
    let waits = kind.meta().schedule.stretches.iter().map(|stretch| stretch.wait_ms);
    Duration::from_millis(waits.max().unwrap_or_default())
}

/// The deliveries of an app that are due later than any schedule says: the clock was set back since.
#[derive(Debug)]
pub struct DueTooLate {
    /// The app.
    pub app: ReceiverId,
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl DueTooLate {
    /// Whether this is a time at which no attempt is due.
    pub fn is_one(now: UnixTime, at: UnixTime) -> bool {
        let longest = CallbackKind::ALL.into_iter().map(longest_wait).max().unwrap_or_default();
        is_ahead(now, at, longest)
    }
}

impl Query<Platform> for DueTooLate {
    type Answer = Vec<DeliveryId>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        let later = waiting_of().only(DeliveryRow::app.is(self.app)).only(DeliveryRow::next_at.above(cx.now));
        let found = rows.list(later.limit(self.limit))?;
        let late = found.into_iter().filter(|row| is_ahead(cx.now, row.next_at, longest_wait(row.callback)));
        Ok(late.map(|row| row.id).collect())
    }
}

/// Makes deliveries due now that are due later than their schedule says.
#[derive(Debug)]
pub struct BringForward(pub Vec<DeliveryId>);

impl Command<Platform> for BringForward {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let known = rows.find_all::<DeliveryRow>(self.0.iter().map(|id| (*id,)))?;
        let late = known.into_iter().filter(|row| {
            row.state == DeliveryState::Waiting && is_ahead(cx.now, row.next_at, longest_wait(row.callback))
        });
        for row in late {
            out.put(DeliveryRow { next_at: cx.now, ..row.clone() });
        }
        Ok(())
    }
}

/// Where to look for due callbacks of an app.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The app.
    pub app: ReceiverId,
    /// No callback that waits has an earlier time. Without this bound, each look would pass over the index entries of
    /// everything that was delivered since the database last cleaned up.
    pub low: UnixTime,
    /// The largest number of callbacks to find.
    pub limit: u64,
}

/// What is due for an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueOfApp {
    /// The app.
    pub app: ReceiverId,
    /// The app's owner; `None` if no callback of it waits.
    pub owner: Option<UserId>,
    /// The deliveries, the earliest first.
    pub due: Vec<DeliveryId>,
    /// The time of the earliest callback that nobody has leased.
    pub earliest: Option<UnixTime>,
    /// The time at which another one is due for this worker; a time that has passed if there are more.
    pub next: Option<UnixTime>,
    /// Whether the receiver fails.
    pub fails: bool,
}

/// The time after which a callback that is due is every worker's, whichever share it is in.
const LATE: Duration = Duration::from_secs(2);

/// What is due for some apps, in one worker's share.
#[derive(Debug)]
pub struct DueOf {
    /// The apps.
    pub looks: Vec<Look>,
    /// The latest due time.
    pub by: UnixTime,
    /// The share.
    pub share: Share,
}

impl DueOf {
    fn lists(&self, look: &Look, now: UnixTime) -> [Option<List<DeliveryRow>>; 2] {
        let free = || {
            waiting_of()
                .only(DeliveryRow::app.is(look.app))
                .only(DeliveryRow::next_at.at_least(look.low))
                .only(DeliveryRow::leased_until.at_most(now))
                .limit(look.limit.saturating_add(1)) // one more: the next one
        };
        let own = DeliveryRow::id.in_share(self.share.number, self.share.of);
        match self.share {
            Share::ALL => [Some(free()), None],
            _ => [Some(free().only(own)), Some(free())],
        }
    }
}

impl Query<Platform> for DueOf {
    type Answer = Vec<DueOfApp>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        // Requested all at once; otherwise this function would run again for each of them.
        for look in &self.looks {
            rows.want::<Receiver>(&(look.app,));
            self.lists(look, cx.now).into_iter().flatten().for_each(|list| drop(rows.list(list)));
        }
        let mut found = Vec::new();
        for look in &self.looks {
            let [own, others] = self.lists(look, cx.now);
            let own = own.map(|list| rows.list(list)).transpose()?.unwrap_or_default();
            let others = others.map(|list| rows.list(list)).transpose()?.unwrap_or_default();
            // Of the others' callbacks, those that are late.
            let mut waiting: Vec<(UnixTime, DeliveryId)> =
                own.iter().map(|row| (row.next_at, row.id)).collect();
            waiting.extend(others.iter().map(|row| (row.next_at + LATE, row.id)));
            waiting.sort_unstable();
            let mut seen = HashSet::new();
            waiting.retain(|(_, id)| seen.insert(*id));
            let limit = usize::try_from(look.limit).unwrap_or(usize::MAX);
            let owner =
                own.first().or(others.first()).map(|row| row.source().owner(rows, row)).transpose()?;
            let due = waiting.iter().take(limit).take_while(|(at, _)| *at <= self.by);
            let due: Vec<DeliveryId> = due.map(|(_, id)| *id).collect();
            found.push(DueOfApp {
                app: look.app,
                owner: owner.map(|(owner, _)| owner),
                earliest: own.iter().chain(&others).map(|row| row.next_at).min(),
                next: waiting.get(due.len()).map(|(at, _)| *at),
                due,
                fails: Receiver::fails(rows, look.app)?,
            });
        }
        Ok(found)
    }
}

/// Leases deliveries for one attempt each. A delivery that is not due, or already leased, is skipped.
#[derive(Debug)]
pub struct Claim {
    /// The deliveries, by their row ids.
    pub deliveries: Vec<DeliveryId>,
    /// The length of the lease; longer than an attempt may take.
    pub lease: Duration,
}

/// An attempt to be made.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The delivery's row id.
    pub delivery: DeliveryId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The time at which the attempt was due.
    pub due_at: UnixTime,
    /// The app that receives it.
    pub app: ReceiverId,
    /// The kind of callback.
    pub callback: CallbackKind,
    /// The payment that it reports.
    pub subject: Arc<dyn Subject>,
    /// Its parameters, once they are signed.
    pub signed: Option<String>,
}

impl Command<Platform> for Claim {
    type Outcome = Vec<Claimed>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Vec<Claimed>, Stop> {
        for id in &self.deliveries {
            rows.want::<DeliveryRow>(&(*id,));
        }
        let mut due = Vec::new();
        for id in &self.deliveries {
            let Some(row) = rows.find::<DeliveryRow>(&(*id,))? else { continue };
            if row.leased_until <= cx.now && restore(row).poll_output(cx.now) == Output::Transmit {
                due.push(row);
            }
        }
        // Requested all at once; otherwise this function would run again for each row.
        due.iter().for_each(|row| row.want(rows));
        for row in &due {
            row.source().want_more(rows, row)?;
        }
        let mut claimed = Vec::new();
        for row in due {
            let (subject, signed) = (row.about(rows)?, row.signed(rows)?);
            let (delivery, attempt, app, callback) = (row.id, row.attempts + 1, row.app, row.callback);
            let due_at = row.next_at;
            claimed.push(Claimed { delivery, attempt, due_at, app, callback, subject, signed });
            out.put(DeliveryRow { leased_until: cx.now + self.lease, ..row.clone() });
        }
        Ok(claimed)
    }
}

/// The wait of a delivery whose payload cannot be read: an operator may restore its rows meanwhile.
const DAMAGED_WAIT: Duration = Duration::from_secs(600);

/// Postpones a delivery whose payload cannot be read, without counting an attempt.
#[derive(Debug)]
pub struct PostponeDamaged(pub DeliveryId);

impl Command<Platform> for PostponeDamaged {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let row = rows.find::<DeliveryRow>(&(self.0,))?;
        if let Some(row) = row.filter(|row| row.state == DeliveryState::Waiting && row.leased_until <= cx.now)
        {
            out.put(DeliveryRow { next_at: cx.now + DAMAGED_WAIT, ..row.clone() });
        }
        Ok(())
    }
}

/// Sends an undelivered callback again: begins a new delivery at the first attempt.
#[derive(Debug)]
pub struct SendAgain(pub DeliveryId);

impl Command<Platform> for SendAgain {
    /// The new delivery; `None` if the old one is not [`DeliveryState::Exhausted`], or was sent again before.
    type Outcome = Option<DeliveryId>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let Some(row) = rows.find::<DeliveryRow>(&(self.0,))? else { return Ok(None) };
        if row.state != DeliveryState::Exhausted {
            return Ok(None);
        }
        if row.about(rows)?.delivery() != Some(row.id) {
            return Ok(None);
        }
        let signed = row.signed(rows)?;
        let again = begin(cx, out, row.callback, row.subject, row.app);
        if let Some(query) = signed {
            out.put(SignedCallback { delivery: again, query });
        }
        row.source().renew(rows, out, row, again)?;
        Ok(Some(again))
    }
}

/// The bytes of a receiver's reply that are kept.
const REPLY_KEPT: usize = 1024;

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptResult {
    /// The receiver answered.
    Reply {
        /// Its HTTP status.
        status: u16,
        /// Whether the reply acknowledges the callback, by its spec (R4, R52).
        acknowledges: bool,
        /// The beginning of its body; `None` if the body was empty or not read.
        beginning: Option<String>,
    },
    /// The receiver did not answer within the deadline.
    Timeout,
    /// The exchange failed; holds the cause.
    Failed(String),
}

impl AttemptResult {
    /// A reply to a callback, checked against its spec; `body` is empty when only the status counts.
    pub fn reply(callback: CallbackKind, status: u16, body: &[u8]) -> Self {
        let beginning = &body[..body.len().min(REPLY_KEPT)];
        Self::Reply {
            status,
            acknowledges: acknowledges(callback.meta().schedule.acknowledged_by, status, body),
            beginning: (!body.is_empty()).then(|| String::from_utf8_lossy(beginning).into_owned()),
        }
    }
}

/// A text of another program, as every store can hold it: PostgreSQL has no U+0000.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The recorded failure of an attempt without an answer within the deadline.
const NO_ANSWER: &str = "no answer within the deadline";

/// The failure text of a reply that does not acknowledge the callback (R4, R52).
fn not_acknowledged(callback: CallbackKind, status: u16, lang: Lang) -> String {
    let wanted = callback.meta().schedule.acknowledged_by.in_words(lang);
    match lang {
        Lang::Zh => format!("HTTP {status}；须返回 {wanted} 才算送达"),
        Lang::En => format!("HTTP {status}; only {wanted} acknowledges"),
    }
}

impl Attempt {
    /// The result of the attempt, for people; the text of a network error stays English.
    pub fn in_words(&self, callback: CallbackKind, lang: Lang) -> String {
        match (self.http_status, self.failure.as_deref(), lang) {
            (Some(status), None, _) => format!("HTTP {status}"),
            (Some(status), Some(_), lang) => not_acknowledged(callback, status, lang),
            (None, Some(NO_ANSWER) | None, Lang::Zh) => "没有及时回答".to_owned(),
            (None, Some(why), _) => why.to_owned(),
            (None, None, Lang::En) => NO_ANSWER.to_owned(),
        }
    }
}

/// Whether a claimed attempt must still be made: its payment may have been undone since the claim.
#[derive(Debug)]
pub struct StillToBeMade {
    /// The delivery's row id.
    pub delivery: DeliveryId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

impl Query<Platform> for StillToBeMade {
    type Answer = bool;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<bool, Stop> {
        let row = rows.find::<DeliveryRow>(&(self.delivery,))?;
        Ok(row.is_some_and(|row| row.state == DeliveryState::Waiting && row.attempts + 1 == self.attempt))
    }
}

/// Records the end of an attempt.
#[derive(Debug)]
pub struct FinishAttempt {
    /// The delivery's row id.
    pub delivery: DeliveryId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The time at which the attempt began.
    pub started_at: UnixTime,
    /// The result of the attempt.
    pub result: AttemptResult,
    /// The signed parameters that the attempt sent; the first ones are kept.
    pub signed: Option<String>,
}

/// The state of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// The state: an attempt follows only while it is waiting.
    pub state: DeliveryState,
    /// The time at which the next attempt is due, if the state is waiting.
    pub next_at: UnixTime,
    /// Whether the receiver fails.
    pub fails: bool,
}

impl Command<Platform> for FinishAttempt {
    type Outcome = Finished;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Finished, Stop> {
        // The payment was undone while the attempt was under way.
        let Some(row) = rows.find::<DeliveryRow>(&(self.delivery,))? else {
            return Ok(Finished { state: DeliveryState::Exhausted, next_at: cx.now, fails: false });
        };
        let mut delivery = restore(row);
        // Late or repeated: another attempt has been counted since. A claimed attempt was due; a
        // clock that was set back meanwhile must not lose its result.
        let due = delivery.poll_output(cx.now.max(row.next_at)) == Output::Transmit;
        if row.attempts + 1 != self.attempt || !due {
            let fails = Receiver::fails(rows, row.app)?;
            return Ok(Finished { state: row.state, next_at: row.next_at, fails });
        }
        // Requested with the receiver's row; otherwise this function would run again for each.
        rows.want::<Receiver>(&(row.app,));
        let _ = row.source().owner(rows, row);
        let (input, http_status, failure) = match &self.result {
            AttemptResult::Reply { status, acknowledges: true, .. } => {
                (Input::Acknowledged, Some(*status), None)
            }
            // R4, R52: everything else is a failure, and the log says so.
            AttemptResult::Reply { status, .. } => {
                (Input::Refused, Some(*status), Some(not_acknowledged(row.callback, *status, Lang::En)))
            }
            AttemptResult::Timeout => (Input::Timeout, None, Some(NO_ANSWER.to_owned())),
            AttemptResult::Failed(why) => (Input::Failed, None, Some(storable(why))),
        };
        delivery.handle_input(input, cx.now);
        let reply = match &self.result {
            AttemptResult::Reply { beginning, .. } => beginning.as_deref().map(storable),
            AttemptResult::Timeout | AttemptResult::Failed(_) => None,
        };
        let after = delivery.snapshot();
        let given_up = after.state == DeliveryState::Exhausted;
        let (owner, name) = row.source().owner(rows, row)?;
        let acknowledged = after.state == DeliveryState::Acknowledged;
        let ended = Ended { app: row.app, name: &name, owner, acknowledged, given_up };
        let (fails, turned) = ended.count(rows, cx, out)?;
        let events: Vec<ReceiverEvent> =
            given_up.then_some(ReceiverEvent::GivenUp).into_iter().chain(turned).collect();
        if !events.is_empty() {
            row.source().record(rows, cx, out, row, &events)?;
        }
        if let (Some(query), None) = (&self.signed, rows.find::<SignedCallback>(&(row.id,))?) {
            out.put(SignedCallback { delivery: row.id, query: query.clone() });
        }
        out.put(Attempt {
            delivery: row.id,
            n: self.attempt,
            started_at: self.started_at,
            ended_at: cx.now,
            http_status,
            failure,
            reply,
        });
        out.put(DeliveryRow {
            state: after.state,
            attempts: after.attempts,
            next_at: after.next_at,
            leased_until: UnixTime::default(),
            ..row.clone()
        });
        Ok(Finished { state: after.state, next_at: after.next_at, fails })
    }
}

/// The deliveries that a dead process has left leased.
#[derive(Debug)]
pub struct LeasedDeliveries;

impl Query<Platform> for LeasedDeliveries {
    type Answer = Vec<DeliveryId>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        // By the index of leased ones alone: a great many may wait.
        let leased = List::new().only(DeliveryRow::leased_until.above(UnixTime::default()).always());
        let leased = rows.list(leased.ascending(DeliveryRow::leased_until))?;
        let waiting = leased.into_iter().filter(|row| row.state == DeliveryState::Waiting);
        Ok(waiting.map(|row| row.id).collect())
    }
}

/// Releases leased deliveries; their interrupted attempts do not count.
#[derive(Debug)]
pub struct ReleaseLeases(pub Vec<DeliveryId>);

impl Command<Platform> for ReleaseLeases {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        for id in &self.0 {
            rows.want::<DeliveryRow>(&(*id,));
        }
        for id in &self.0 {
            if let Some(row) = rows.find::<DeliveryRow>(&(*id,))? {
                out.put(DeliveryRow { leased_until: UnixTime::default(), ..row.clone() });
            }
        }
        Ok(())
    }
}

/// The attempts of a delivery so far, in order.
#[derive(Debug)]
pub struct AttemptsOf(pub DeliveryId);

impl Query<Platform> for AttemptsOf {
    type Answer = Vec<Attempt>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let ended = rows.find::<DeliveryRow>(&(self.0,))?.map_or(0, |row| row.attempts);
        let attempts = rows.find_all::<Attempt>((1..=ended).map(|n| (self.0, n)))?;
        Ok(attempts.into_iter().cloned().collect())
    }
}

/// Makes the next attempt of a callback due now: an app that has repaired its receiver need not wait.
#[derive(Debug)]
pub struct AttemptNow(pub DeliveryId);

impl Command<Platform> for AttemptNow {
    /// Whether the delivery waits for an attempt.
    type Outcome = bool;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<bool, Stop> {
        let Some(row) = rows.find::<DeliveryRow>(&(self.0,))? else { return Ok(false) };
        if row.state != DeliveryState::Waiting {
            return Ok(false);
        }
        if row.next_at > cx.now && row.leased_until == UnixTime::default() {
            out.put(DeliveryRow { next_at: cx.now, ..row.clone() });
        }
        Ok(true)
    }
}

/// The largest number of attempts that a list shows for a callback.
const ATTEMPTS_SHOWN: u32 = 20;

/// The last attempts of a delivery, by their keys.
fn last_attempts(row: &DeliveryRow) -> impl Iterator<Item = (DeliveryId, u32)> + Clone + use<> {
    let id = row.id;
    (row.attempts.saturating_sub(ATTEMPTS_SHOWN) + 1..=row.attempts).map(move |n| (id, n))
}

/// A callback, for display.
#[derive(Debug, Clone)]
pub struct ShownCallback {
    /// Its delivery row.
    pub delivery: DeliveryRow,
    /// The payment that it reports.
    pub subject: Arc<dyn Subject>,
    /// Its parameters, once they are signed.
    pub signed: Option<String>,
    /// The last attempts that have ended, the oldest first.
    pub attempts: Vec<Attempt>,
}

impl ShownCallback {
    fn of(rows: &Rows, row: &DeliveryRow) -> Result<Self, Stop> {
        let attempts = rows.find_all::<Attempt>(last_attempts(row))?;
        let attempts = attempts.into_iter().cloned().collect();
        let (subject, signed) = (row.about(rows)?, row.signed(rows)?);
        Ok(Self { delivery: row.clone(), subject, signed, attempts })
    }

    /// Whether it may be sent again: it is undelivered, and was not sent again before.
    pub fn may_be_sent_again(&self) -> bool {
        self.delivery.state == DeliveryState::Exhausted && self.subject.delivery() == Some(self.delivery.id)
    }

    /// This callback as a claimed attempt, for a preview of its request.
    pub fn claimed(self, attempt: u32) -> Claimed {
        let DeliveryRow { id: delivery, app, callback, next_at: due_at, .. } = self.delivery;
        Claimed { delivery, attempt, due_at, app, callback, subject: self.subject, signed: self.signed }
    }
}

/// The callbacks of an app, the newest first.
#[derive(Debug)]
pub struct CallbacksOf {
    /// The app.
    pub app: ReceiverId,
    /// Whether the list holds undelivered callbacks only.
    pub undelivered: bool,
    /// Only callbacks older than this one; `None` begins with the newest.
    pub before: Option<DeliveryId>,
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for CallbacksOf {
    /// The callbacks, and the `before` of the next page; `None` after the last page.
    type Answer = (Vec<ShownCallback>, Option<DeliveryId>);
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let list = List::new()
            .only(DeliveryRow::app.is(self.app))
            .only_if(self.undelivered.then(|| DeliveryRow::state.is(DeliveryState::Exhausted).always()))
            .only_if(self.before.map(|before| DeliveryRow::id.below(before)))
            .descending(DeliveryRow::id)
            .limit(self.limit.saturating_add(1)); // one more, to see whether there are older ones
        let mut found = rows.list(list)?;
        let more = found.len() as u64 > self.limit;
        found.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        // Requested all at once; otherwise this function would run again for each row.
        for row in &found {
            row.want(rows);
            last_attempts(row).for_each(|key| rows.want::<Attempt>(&key));
        }
        let older = found.last().filter(|_| more).map(|last| last.id);
        let shown: Result<Vec<_>, Stop> = found.into_iter().map(|row| ShownCallback::of(rows, row)).collect();
        Ok((shown?, older))
    }
}

/// A callback of an app; `None` if another app receives it.
#[derive(Debug)]
pub struct CallbackOf {
    /// The app.
    pub app: ReceiverId,
    /// The delivery.
    pub delivery: DeliveryId,
}

impl Query<Platform> for CallbackOf {
    type Answer = Option<ShownCallback>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let row = rows.find::<DeliveryRow>(&(self.delivery,))?.filter(|row| row.app == self.app);
        row.map(|row| ShownCallback::of(rows, row)).transpose()
    }
}

impl Claimed {
    /// The callback of this attempt.
    ///
    /// # Errors
    /// [`Halt::Damaged`] if a row holds a value that cannot be sent, or the parameters are not signed yet.
    pub fn request(&self, vault: &Vault, now: UnixTime) -> Result<http::Request<Vec<u8>>, Halt> {
        self.subject.request(vault, now, self.signed.as_deref())
    }
}
