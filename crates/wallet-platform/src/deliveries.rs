//! Callbacks under delivery. When the next attempt is due is [`Delivery`]'s to say, never a store's or a worker's.

use std::borrow::Cow;
use std::time::Duration;

use wallet_api::fomo::payment_result;
use wallet_api::vas::{self, payment};
use wallet_core::{
    Callback as _, CallbackMeta, Delivery, DeliveryState, Input, Lang, Output, Snapshot, UnixTime,
    acknowledges, link,
};
use wallet_engine::{Command, Halt, List, Query, Row as _, row_ids, rows};

use crate::coins::Coin;
use crate::events::EventKind;
use crate::fomo::apps::{App, AppId};
use crate::fomo::payments::{Transfer, TransferSeq, tell};
use crate::fomo::wire::payment_result_request;
use crate::refusal::{Stop, damaged};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::vas::apps::{VasApp, VasAppId};
use crate::vas::orders::{OrderSeq, VasCallback, VasOrder};
use crate::vas::returns::callable;
use crate::vault::Vault;

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
            /// Its number.
            id: DeliveryId,
        }
        /// The row that it tells of: a transfer's or an order's, as [`DeliveryRow::callback`] says.
        subject: u64,
        /// Whom it tells.
        app: ReceiverId,
        /// Waiting, acknowledged or exhausted.
        state: DeliveryState,
        /// Attempts that have ended.
        attempts: u32,
        /// When the next one is due.
        next_at: UnixTime,
        /// The end of the lease of the attempt under way; 0 while nobody holds one.
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
        /// When it was begun.
        started_at: UnixTime,
        /// When it ended.
        ended_at: UnixTime,
        /// The receiver's HTTP status.
        http_status: Option<u16>,
        /// Why it failed, in words.
        failure: Option<String>,
        /// The beginning of what the receiver answered, where it was read.
        reply: Option<String>,
    }
}

impl From<AppId> for ReceiverId {
    fn from(app: AppId) -> Self {
        Self(app.0)
    }
}

impl From<VasAppId> for ReceiverId {
    fn from(app: VasAppId) -> Self {
        Self(app.0)
    }
}

/// The kind of callback that a delivery makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallbackKind {
    /// FOMO's, of a transfer.
    PaymentResult,
    /// That of the VAS and Lafi wallets, of an order.
    Payment,
}

impl CallbackKind {
    /// What the spec says of it.
    pub fn meta(self) -> &'static CallbackMeta {
        match self {
            Self::PaymentResult => payment_result::Callback::META,
            Self::Payment => payment::Callback::META,
        }
    }
}

/// What a delivery tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A transfer.
    Transfer(TransferSeq),
    /// An order.
    Order(OrderSeq),
}

impl Subject {
    /// As a row keeps it.
    pub(crate) fn parts(self) -> (CallbackKind, u64) {
        match self {
            Self::Transfer(id) => (CallbackKind::PaymentResult, id.0),
            Self::Order(id) => (CallbackKind::Payment, id.0),
        }
    }
}

impl DeliveryRow {
    /// What it tells of.
    pub fn tells_of(&self) -> Subject {
        match self.callback {
            CallbackKind::PaymentResult => Subject::Transfer(TransferSeq(self.subject)),
            CallbackKind::Payment => Subject::Order(OrderSeq(self.subject)),
        }
    }

    /// What the delivery's state machine keeps.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { state: self.state, attempts: self.attempts, next_at: self.next_at }
    }
}

fn restore(row: &DeliveryRow) -> Delivery {
    Delivery::restore(row.callback.meta().schedule, row.snapshot())
}

/// A delivery whose first wait begins now.
pub(crate) fn begin(cx: &Context<'_>, out: &mut Changes, subject: Subject, app: ReceiverId) -> DeliveryId {
    let (callback, subject) = subject.parts();
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

/// Takes a delivery back, with its attempts: it is as if it had never been. An attempt that is under way ends without a
/// trace.
pub(crate) fn forget(rows: &Rows, out: &mut Changes, id: DeliveryId) -> Result<(), Stop> {
    let Some(row) = rows.find::<DeliveryRow>(&(id,))? else { return Ok(()) };
    for attempt in rows.find_all::<Attempt>((1..=row.attempts).map(|n| (id, n)))? {
        out.delete::<Attempt>(&(id, attempt.n));
    }
    if rows.find::<VasCallback>(&(id,))?.is_some() {
        out.delete::<VasCallback>(&(id,));
    }
    out.delete::<DeliveryRow>(&(id,));
    Ok(())
}

/// Deliveries that wait for an attempt and are not leased, the earliest first. The constant conditions are those of the
/// index `delivery_due`.
pub(crate) fn waiting() -> List<DeliveryRow> {
    List::new()
        .only(DeliveryRow::state.is(DeliveryState::Waiting).always())
        .only(DeliveryRow::leased_until.is(UnixTime::default()).always())
        .ascending(DeliveryRow::next_at)
        .ascending(DeliveryRow::id)
}

/// The same without those of some apps.
fn due(except: &[ReceiverId]) -> List<DeliveryRow> {
    waiting().only(DeliveryRow::app.none_of(except))
}

/// Deliveries that are due by a time and not leased, the earliest first, each with its app.
#[derive(Debug)]
pub struct DueDeliveries {
    /// By when.
    pub by: UnixTime,
    /// Apps to pass over, since as many of their attempts are under way as may be.
    pub except: Vec<ReceiverId>,
    /// How many at most.
    pub limit: u64,
}

impl Query<Platform> for DueDeliveries {
    type Answer = Vec<(DeliveryId, ReceiverId)>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let list = due(&self.except).only(DeliveryRow::next_at.at_most(self.by)).limit(self.limit);
        Ok(rows.list(list)?.into_iter().map(|row| (row.id, row.app)).collect())
    }
}

/// When the next delivery is due that nobody has leased.
#[derive(Debug, Default)]
pub struct NextDue {
    /// Apps to pass over.
    pub except: Vec<ReceiverId>,
}

impl Query<Platform> for NextDue {
    type Answer = Option<UnixTime>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let next = rows.list(due(&self.except).limit(1))?;
        Ok(next.first().map(|row| row.next_at))
    }
}

/// Takes deliveries for an attempt each. What is not due, or leased, is passed over.
#[derive(Debug)]
pub struct Claim {
    /// Which.
    pub deliveries: Vec<DeliveryId>,
    /// For how long; longer than an attempt may take.
    pub lease: Duration,
}

/// An attempt to be made.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Whom it tells.
    pub app: ReceiverId,
    /// Which callback.
    pub callback: CallbackKind,
    /// What it tells.
    pub news: News,
}

/// What a callback tells.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)]
pub enum News {
    /// A transfer of FOMO is done.
    Transfer {
        /// Which.
        transfer: Transfer,
        /// Its coin.
        coin: Coin,
        /// Whose.
        app: App,
    },
    /// An order is paid.
    Order {
        /// Which.
        order: VasOrder,
        /// Whose.
        app: VasApp,
        /// The parameters, once they are signed.
        signed: Option<String>,
    },
}

impl News {
    pub(crate) fn of(rows: &Rows, row: &DeliveryRow) -> Result<Self, Stop> {
        match row.tells_of() {
            Subject::Transfer(id) => {
                let transfer = rows.get::<Transfer>(&(id,))?.clone();
                let coin = rows.get::<Coin>(&(transfer.coin,))?.clone();
                let app = rows.get::<App>(&(transfer.app,))?.clone();
                Ok(Self::Transfer { transfer, coin, app })
            }
            Subject::Order(id) => {
                let order = rows.get::<VasOrder>(&(id,))?.clone();
                let app = rows.get::<VasApp>(&(order.app,))?.clone();
                let signed = rows.find::<VasCallback>(&(row.id,))?.map(|kept| kept.query.clone());
                Ok(Self::Order { order, app, signed })
            }
        }
    }

    /// The newest delivery of it.
    pub(crate) fn delivery(&self) -> Option<DeliveryId> {
        match self {
            Self::Transfer { transfer, .. } => transfer.delivery,
            Self::Order { order, .. } => order.delivery,
        }
    }

    /// Asks for its rows ahead, as far as the delivery names them.
    pub(crate) fn want(rows: &Rows, row: &DeliveryRow) {
        match row.tells_of() {
            Subject::Transfer(id) => {
                rows.want::<App>(&(AppId(row.app.0),));
                rows.want::<Transfer>(&(id,));
            }
            Subject::Order(id) => {
                rows.want::<VasApp>(&(VasAppId(row.app.0),));
                rows.want::<VasOrder>(&(id,));
                rows.want::<VasCallback>(&(row.id,));
            }
        }
    }
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
        // All at once, so that a long list is not run through once a row.
        for row in &due {
            News::want(rows, row);
        }
        for row in &due {
            if let Subject::Transfer(id) = row.tells_of() {
                let transfer = rows.get::<Transfer>(&(id,))?;
                rows.want::<Coin>(&(transfer.coin,));
            }
        }
        let mut claimed = Vec::new();
        for row in due {
            let news = News::of(rows, row)?;
            let (delivery, attempt, app, callback) = (row.id, row.attempts + 1, row.app, row.callback);
            claimed.push(Claimed { delivery, attempt, app, callback, news });
            out.put(DeliveryRow { leased_until: cx.now + self.lease, ..row.clone() });
        }
        Ok(claimed)
    }
}

/// How long a delivery waits whose payload cannot be read: an operator may restore its rows meanwhile.
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

/// Keeps the parameters of a callback once they are signed: every attempt sends the same.
#[derive(Debug)]
pub struct KeepSigned {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Form-encoded.
    pub query: String,
}

impl Command<Platform> for KeepSigned {
    /// What is sent: what was kept first.
    type Outcome = String;
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<String, Stop> {
        if let Some(kept) = rows.find::<VasCallback>(&(self.delivery,))? {
            return Ok(kept.query.clone());
        }
        // The payment may have been undone meanwhile.
        if rows.find::<DeliveryRow>(&(self.delivery,))?.is_none() {
            return Err(vas::Refusal::OrderUnknown.into());
        }
        out.put(VasCallback { delivery: self.delivery, query: self.query.clone() });
        Ok(self.query.clone())
    }
}

/// Sends a callback again that was never heard, from the first attempt on: a delivery of its own.
#[derive(Debug)]
pub struct SendAgain(pub DeliveryId);

impl Command<Platform> for SendAgain {
    /// The new delivery; none when the old one is not [`DeliveryState::Exhausted`], or was sent again before.
    type Outcome = Option<DeliveryId>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let Some(row) = rows.find::<DeliveryRow>(&(self.0,))? else { return Ok(None) };
        if row.state != DeliveryState::Exhausted {
            return Ok(None);
        }
        match row.tells_of() {
            Subject::Transfer(id) => {
                let transfer = rows.get::<Transfer>(&(id,))?;
                if transfer.delivery != Some(row.id) {
                    return Ok(None);
                }
                let again = begin(cx, out, row.tells_of(), row.app);
                out.put(Transfer { delivery: Some(again), ..transfer.clone() });
                Ok(Some(again))
            }
            Subject::Order(id) => {
                let order = rows.get::<VasOrder>(&(id,))?;
                if order.delivery != Some(row.id) {
                    return Ok(None);
                }
                let signed = rows.find::<VasCallback>(&(row.id,))?;
                let again = begin(cx, out, row.tells_of(), row.app);
                if let Some(signed) = signed {
                    out.put(VasCallback { delivery: again, query: signed.query.clone() });
                }
                out.put(VasOrder { delivery: Some(again), ..order.clone() });
                Ok(Some(again))
            }
        }
    }
}

/// How much is kept of what a receiver answers, in bytes.
const REPLY_KEPT: usize = 1024;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptResult {
    /// The receiver answered.
    Reply {
        /// Its HTTP status.
        status: u16,
        /// Whether it is what the callback's spec asks for (R4, R52).
        acknowledges: bool,
        /// The beginning of its body, where it was read.
        beginning: Option<String>,
    },
    /// It did not answer in time.
    Timeout,
    /// No exchange took place, for this reason.
    Failed(String),
}

impl AttemptResult {
    /// An answer to a callback, judged by its spec; `body` is empty when only the status counts.
    pub fn reply(callback: CallbackKind, status: u16, body: &[u8]) -> Self {
        let beginning = &body[..body.len().min(REPLY_KEPT)];
        Self::Reply {
            status,
            acknowledges: acknowledges(callback.meta().schedule.acknowledged_by, status, body),
            beginning: (!body.is_empty()).then(|| String::from_utf8_lossy(beginning).into_owned()),
        }
    }
}

/// How an attempt is noted that was not answered in time.
const NO_ANSWER: &str = "no answer within the deadline";

/// That a reply is not the one that is asked for (R4, R52).
fn not_acknowledged(callback: CallbackKind, status: u16, lang: Lang) -> String {
    let wanted = callback.meta().schedule.acknowledged_by.in_words(lang);
    match lang {
        Lang::Zh => format!("HTTP {status}；送达须为 {wanted}"),
        Lang::En => format!("HTTP {status}; only {wanted} acknowledges"),
    }
}

impl Attempt {
    /// How it went, for people; what a network said of itself is in English.
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

/// Whether an attempt that was claimed is still to be made: what it tells may have been undone since.
#[derive(Debug)]
pub struct StillToBeMade {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Which attempt.
    pub attempt: u32,
}

impl Query<Platform> for StillToBeMade {
    type Answer = bool;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<bool, Stop> {
        let row = rows.find::<DeliveryRow>(&(self.delivery,))?;
        Ok(row.is_some_and(|row| row.state == DeliveryState::Waiting && row.attempts + 1 == self.attempt))
    }
}

/// Takes note of the end of an attempt.
#[derive(Debug)]
pub struct FinishAttempt {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Which attempt.
    pub attempt: u32,
    /// When it was begun.
    pub started_at: UnixTime,
    /// How it ended.
    pub result: AttemptResult,
}

/// Where a delivery stands after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Whether it is over.
    pub state: DeliveryState,
    /// When the next attempt is due, while it waits.
    pub next_at: UnixTime,
}

impl Command<Platform> for FinishAttempt {
    type Outcome = Finished;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Finished, Stop> {
        // What it tells was undone while it was under way.
        let Some(row) = rows.find::<DeliveryRow>(&(self.delivery,))? else {
            return Ok(Finished { state: DeliveryState::Exhausted, next_at: cx.now });
        };
        let mut delivery = restore(row);
        // Late or repeated: another attempt has been counted since. That it was due is known, since it was claimed: a
        // clock that was set back meanwhile must not lose it.
        let due = delivery.poll_output(cx.now.max(row.next_at)) == Output::Transmit;
        if row.attempts + 1 != self.attempt || !due {
            return Ok(Finished { state: row.state, next_at: row.next_at });
        }
        let (input, http_status, failure) = match &self.result {
            AttemptResult::Reply { status, acknowledges: true, .. } => {
                (Input::Acknowledged, Some(*status), None)
            }
            // R4, R52: everything else is a failure, and the log says so.
            AttemptResult::Reply { status, .. } => {
                (Input::Refused, Some(*status), Some(not_acknowledged(row.callback, *status, Lang::En)))
            }
            AttemptResult::Timeout => (Input::Timeout, None, Some(NO_ANSWER.to_owned())),
            AttemptResult::Failed(why) => (Input::Failed, None, Some(why.clone())),
        };
        delivery.handle_input(input, cx.now);
        let reply = match &self.result {
            AttemptResult::Reply { beginning, .. } => beginning.clone(),
            AttemptResult::Timeout | AttemptResult::Failed(_) => None,
        };
        let after = delivery.snapshot();
        if let (DeliveryState::Exhausted, Subject::Transfer(transfer)) = (after.state, row.tells_of()) {
            tell(rows, cx, out, AppId(row.app.0), EventKind::CallbackExhausted, transfer)?;
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
        Ok(Finished { state: after.state, next_at: after.next_at })
    }
}

/// The leases that a dead process has left.
#[derive(Debug)]
pub struct LeasedDeliveries;

impl Query<Platform> for LeasedDeliveries {
    type Answer = Vec<DeliveryId>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let leased = List::new().only(DeliveryRow::leased_until.above(UnixTime::default()).always());
        Ok(rows.list(leased)?.into_iter().map(|row| row.id).collect())
    }
}

/// Gives leased deliveries free again; their attempts count as not made.
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

/// Makes the next attempt of a callback due now, out of turn: whoever has mended a receiver need not wait.
#[derive(Debug)]
pub struct AttemptNow(pub DeliveryId);

impl Command<Platform> for AttemptNow {
    /// Whether it waits for one.
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

/// How many attempts of a callback lists tell.
const ATTEMPTS_TOLD: u32 = 20;

/// The last attempts of a delivery, by their keys.
fn last_attempts(row: &DeliveryRow) -> impl Iterator<Item = (DeliveryId, u32)> + Clone + use<> {
    let id = row.id;
    (row.attempts.saturating_sub(ATTEMPTS_TOLD) + 1..=row.attempts).map(move |n| (id, n))
}

/// A callback, as people look at it.
#[derive(Debug, Clone)]
pub struct ToldCallback {
    /// Where it stands.
    pub delivery: DeliveryRow,
    /// What it tells, or has told.
    pub news: News,
    /// The last attempts that have ended, the oldest first.
    pub attempts: Vec<Attempt>,
}

impl ToldCallback {
    fn of(rows: &Rows, row: &DeliveryRow) -> Result<Self, Stop> {
        let attempts = rows.find_all::<Attempt>(last_attempts(row))?;
        let attempts = attempts.into_iter().cloned().collect();
        Ok(Self { delivery: row.clone(), news: News::of(rows, row)?, attempts })
    }

    /// Whether it may be sent again: nobody has heard it, and it was not sent again before.
    pub fn may_be_sent_again(&self) -> bool {
        self.delivery.state == DeliveryState::Exhausted && self.news.delivery() == Some(self.delivery.id)
    }

    /// What an attempt has told or will tell, to be looked at.
    pub fn claimed(self, attempt: u32) -> Claimed {
        let DeliveryRow { id: delivery, app, callback, .. } = self.delivery;
        Claimed { delivery, attempt, app, callback, news: self.news }
    }
}

/// The callbacks of an app, the newest first.
#[derive(Debug)]
pub struct CallbacksOf {
    /// Whose.
    pub app: ReceiverId,
    /// Whether only those that were never heard.
    pub unheard: bool,
    /// Those before this one; none begins with the newest.
    pub before: Option<DeliveryId>,
    /// How many at most.
    pub limit: u64,
}

impl Query<Platform> for CallbacksOf {
    /// And what to ask for as `before` to go on; none when all are told.
    type Answer = (Vec<ToldCallback>, Option<DeliveryId>);
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let list = List::new()
            .only(DeliveryRow::app.is(self.app))
            .only_if(self.unheard.then(|| DeliveryRow::state.is(DeliveryState::Exhausted).always()))
            .only_if(self.before.map(|before| DeliveryRow::id.below(before)))
            .descending(DeliveryRow::id)
            .limit(self.limit.saturating_add(1)); // one more tells whether there are older ones
        let mut found = rows.list(list)?;
        let more = found.len() as u64 > self.limit;
        found.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        // All at once, so that a long list is not run through once a row.
        for row in &found {
            News::want(rows, row);
            last_attempts(row).for_each(|key| rows.want::<Attempt>(&key));
        }
        let older = found.last().filter(|_| more).map(|last| last.id);
        let told: Result<Vec<_>, Stop> = found.into_iter().map(|row| ToldCallback::of(rows, row)).collect();
        Ok((told?, older))
    }
}

/// A callback of an app; none when it is another's.
#[derive(Debug)]
pub struct CallbackOf {
    /// Whose.
    pub app: ReceiverId,
    /// Which.
    pub delivery: DeliveryId,
}

impl Query<Platform> for CallbackOf {
    type Answer = Option<ToldCallback>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let row = rows.find::<DeliveryRow>(&(self.delivery,))?.filter(|row| row.app == self.app);
        row.map(|row| ToldCallback::of(rows, row)).transpose()
    }
}

impl Claimed {
    /// Where the callback goes, as it stands in a request.
    pub fn address(&self) -> Cow<'_, str> {
        match &self.news {
            News::Transfer { transfer, .. } => transfer.server_uri.as_str().into(),
            News::Order { order, .. } => callable(&order.callback_url).unwrap_or_default().into(),
        }
    }

    /// The callback of this attempt.
    ///
    /// # Errors
    /// A fault of the platform when the app's secret does not open, the stored address is none, or its parameters are not
    /// signed yet.
    pub fn request(&self, vault: &Vault, now: UnixTime) -> Result<http::Request<Vec<u8>>, Halt> {
        match &self.news {
            News::Transfer { transfer, coin, app } => payment_result_request(vault, transfer, coin, app, now),
            News::Order { signed, .. } => {
                let query = signed.as_ref().ok_or(damaged(VasCallback::TABLE))?;
                let address = link::append_query(&self.address(), query);
                // The fragment is for browsers.
                let address = address.split('#').next().unwrap_or_default();
                let method = payment::Callback::META.method.word();
                let request = http::Request::builder().method(method).uri(address);
                request.body(Vec::new()).map_err(|_| damaged(VasOrder::TABLE))
            }
        }
    }
}
