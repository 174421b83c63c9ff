//! Payments in both directions (R18 to R21, R23, R28, R33 to R35, R38).

use indexmap::IndexSet;
use wallet_api::fomo::{
    ClientId, CoinId, Direction, RedirectUri, Refusal, ServerUri, State, TradeId, TransferId, TransferStatus,
    UserId, get_transfer_detail, lifetimes, pre_pay,
};
use wallet_core::{Amount, Units, UnixTime};
use wallet_engine::{Command, Halt, Query, Row as _, journal, rows};

use crate::coins::Coin;
use crate::deliveries::{CallbackKind, DeliveryId};
use crate::fomo::apps::{App, AppId, AppKeys, ClientName, FindApp};
use crate::fomo::by_transfer;
use crate::fomo::events::{Event, EventId, EventKind, EventMark, Feed};
use crate::fomo::oauth::{bearer, scope_of};
use crate::money::{Account, Movement, TransferSeq, moving_units};
use crate::passwords::Proof;
use crate::refusal::{Reason, Stop};
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users::{User, signed_in};
use crate::vault::{Digest, Vault};
use crate::{coins, deliveries};

impl Vault {
    /// The id of a transfer on the wire: its row number, permuted (R30).
    pub fn transfer_id(&self, seq: TransferSeq) -> TransferId {
        TransferId::new(self.permute(seq.0))
    }

    /// The row number of a transfer id; `None` if no row has it.
    pub fn transfer_seq(&self, id: TransferId) -> Option<TransferSeq> {
        self.permuted(id.get()).map(TransferSeq)
    }
}

rows! { in Platform;
    /// A payment, in either direction.
    transfer: Transfer {
        key {
            /// Its row number.
            id: TransferSeq,
        }
        /// The app's row id.
        app: AppId,
        /// The direction: user to app, or app to user.
        direction: Direction,
        /// The user who pays.
        payer: UserId,
        /// The user who receives.
        payee: UserId,
        /// The coin.
        coin: CoinId,
        /// Amount in base units.
        amount: Units,
        /// The amount as it was given.
        amount_text: Amount<'static>,
        /// The fee, which the receiver pays.
        cut: Units,
        /// The app's own id of the payment.
        trade_id: TradeId<'static>,
        /// The app's state, returned unchanged.
        state: State<'static>,
        /// The callback's address.
        server_uri: ServerUri<'static>,
        /// The front end's address.
        redirect_uri: RedirectUri<'static>,
        /// Whether the money has moved.
        done: bool,
        /// The time at which the transfer was made.
        created_at: UnixTime,
        /// The time at which the money moved; before that, `created_at`.
        updated_at: UnixTime,
        /// The callback that reports it; `None` before the money has moved.
        delivery: Option<DeliveryId>,
        /// What was refunded, in base units (R87).
        refunded: Units,
    }

    /// Makes trade_ids unique for each app (R21).
    trade: TradeName {
        key {
            /// The app's row id.
            app: AppId,
            /// The app's own id of the payment.
            trade_id: TradeId<'static>,
        }
        /// The transfer.
        transfer: TransferSeq,
    }
}

impl Transfer {
    /// The last moment at which it can be confirmed.
    pub fn expires_at(&self) -> UnixTime {
        self.created_at + lifetimes::UNCONFIRMED_PAYMENT
    }

    /// The status at a time; each read computes the expiry, so it is exact for every reader (R20).
    pub fn status(&self, now: UnixTime) -> TransferStatus {
        if self.done {
            TransferStatus::Done
        } else if now > self.expires_at() {
            TransferStatus::Expired
        } else {
            TransferStatus::Waiting
        }
    }

    /// The user, in both directions: the one who is not the app's owner (R35).
    pub fn user(&self) -> UserId {
        match self.direction {
            Direction::UserToApp => self.payer,
            Direction::AppToUser => self.payee,
        }
    }
}

/// Appends an event to an app's feed.
pub(crate) fn record_event(
    rows: &Rows,
    cx: &Context<'_>,
    out: &mut Changes,
    app: AppId,
    kind: EventKind,
    transfer: TransferSeq,
) -> Result<(), Stop> {
    record_events(rows, cx, out, app, &[kind], transfer)
}

/// Appends the events of a command to an app's feed: all in one call, as a second one would not see the first.
pub(crate) fn record_events(
    rows: &Rows,
    cx: &Context<'_>,
    out: &mut Changes,
    app: AppId,
    kinds: &[EventKind],
    transfer: TransferSeq,
) -> Result<(), Stop> {
    let (mut last, mut previous) =
        rows.find::<Feed>(&(app,))?.map_or((0, None), |feed| (feed.last, feed.last_event));
    for kind in kinds {
        let (id, n) = (EventId(cx.ids.next()), last + 1);
        out.put(Event { id, app, n, previous, kind: *kind, transfer, at: cx.now });
        if journal::has_mark(n) {
            out.put(EventMark { app, n, event: id });
        }
        (last, previous) = (n, Some(id));
    }
    if !kinds.is_empty() {
        out.put(Feed { app, last, last_event: previous });
    }
    Ok(())
}

/// Refuses a used trade_id with 211, the first transfer and its state (R21), unless that was deleted (R90).
fn fresh_trade(rows: &Rows, cx: &Context<'_>, app: AppId, trade_id: &TradeId<'static>) -> Result<(), Stop> {
    let Some(trade) = rows.find::<TradeName>(&(app, trade_id.clone()))? else { return Ok(()) };
    Err(match rows.find::<Transfer>(&(trade.transfer,))? {
        Some(first) => by_transfer(rows, cx, Refusal::TradeIdTaken, first),
        None => Refusal::TradeIdTaken.into(),
    })
}

fn fee(app: &App, direction: Direction, amount: Units) -> Result<Units, Halt> {
    let parts = match direction {
        Direction::UserToApp => app.fee_user_to_app,
        Direction::AppToUser => app.fee_app_to_user,
    };
    // Amounts are below 10^36 and rates are at most 10^6.
    amount.millionths_rounded_up(parts).map_err(|_| Halt::Damaged { table: App::TABLE.name })
}

/// Moves a transfer's money and writes its callback in the same commit.
fn complete(
    rows: &Rows,
    cx: &Context<'_>,
    out: &mut Changes,
    transfer: &Transfer,
) -> Result<DeliveryId, Stop> {
    rows.want::<Feed>(&(transfer.app,));
    let (from, to, coin) = (transfer.payer, transfer.payee, transfer.coin);
    let (amount, cut, id) = (transfer.amount, transfer.cut, Some(transfer.id));
    Movement { from, to, coin, amount, cut, transfer: id }.apply(rows, cx, out)?;
    let delivery =
        deliveries::begin(cx, out, CallbackKind::PaymentResult, transfer.id.0, transfer.app.into());
    record_event(rows, cx, out, transfer.app, EventKind::Paid, transfer.id)?;
    Ok(delivery)
}

/// The app's keys, which verify the signature of a pre_pay. The access token must have the scope of pre_pay: a caller
/// without such a token learns nothing about signatures.
#[derive(Debug)]
pub struct PaymentKeys {
    /// The user's access token.
    pub token: Digest,
    /// The app that has signed.
    pub client_id: ClientId<'static>,
}

impl Query<Platform> for PaymentKeys {
    type Answer = AppKeys;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<AppKeys, Stop> {
        rows.want::<ClientName>(&(self.client_id.clone(),));
        bearer(rows, cx.now, self.token, scope_of::<pre_pay::Endpoint>())?;
        FindApp::new(self.client_id.as_str()).read(rows, cx)
    }
}

/// An app asks its user for a payment. The signature has been checked.
#[derive(Debug)]
pub struct PrePay {
    /// The user's access token.
    pub token: Digest,
    /// The client_id; must be that of the token's app.
    pub client_id: ClientId<'static>,
    /// The app's own id of the payment.
    pub trade_id: TradeId<'static>,
    /// The amount.
    pub amount: Amount<'static>,
    /// The coin.
    pub coin: CoinId,
    /// The address that receives the callback.
    pub server_uri: ServerUri<'static>,
    /// The redirect_uri; must be the registered one.
    pub redirect_uri: RedirectUri<'static>,
    /// The app's state, returned unchanged.
    pub state: State<'static>,
}

impl Command<Platform> for PrePay {
    type Outcome = TransferSeq;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<TransferSeq, Stop> {
        rows.want::<Coin>(&(self.coin,));
        let family = bearer(rows, cx.now, self.token, scope_of::<pre_pay::Endpoint>())?;
        rows.want::<TradeName>(&(family.app, self.trade_id.clone()));
        rows.want::<Feed>(&(family.app,));
        rows.want::<User>(&(family.user,));
        let app = rows.find::<App>(&(family.app,))?.ok_or(Refusal::ClientIdDiffers)?;
        if app.client_id != self.client_id {
            return Err(Refusal::ClientIdDiffers.into());
        }
        if !app.returns_to(&self.redirect_uri, cx.now) {
            return Err(Refusal::RedirectUriDiffers.into());
        }
        // It would move nothing.
        if app.owner == family.user {
            return Err(Refusal::OwnPayment.into());
        }
        rows.want::<User>(&(app.owner,));
        rows.find::<User>(&(family.user,))?.ok_or(Refusal::UserUnknown)?.may_move_money()?;
        rows.find::<User>(&(app.owner,))?.ok_or(Refusal::UserUnknown)?.may_move_money()?;
        let coin = coins::usable(rows, self.coin)?;
        let amount = moving_units(&self.amount, coin)?;
        fresh_trade(rows, cx, app.id, &self.trade_id)?;
        let id = TransferSeq(cx.ids.next());
        out.put(TradeName { app: app.id, trade_id: self.trade_id.clone(), transfer: id });
        out.put(Transfer {
            id,
            app: app.id,
            direction: Direction::UserToApp,
            payer: family.user,
            payee: app.owner,
            coin: coin.id,
            amount,
            amount_text: self.amount.clone().into_owned(),
            cut: fee(app, Direction::UserToApp, amount)?,
            trade_id: self.trade_id.clone(),
            state: self.state.clone(),
            server_uri: self.server_uri.clone(),
            redirect_uri: self.redirect_uri.clone(),
            done: false,
            created_at: cx.now,
            updated_at: cx.now,
            delivery: None,
            refunded: Units::ZERO,
        });
        record_event(rows, cx, out, app.id, EventKind::Created, id)?;
        Ok(id)
    }
}

/// The transfer that both ids name; 212 unless both match (R18).
fn both_ids<'r>(
    rows: &'r Rows,
    id: Option<TransferSeq>,
    trade_id: &TradeId<'static>,
) -> Result<&'r Transfer, Stop> {
    let id = id.ok_or(Refusal::TransferUnknown)?;
    let transfer = rows.find::<Transfer>(&(id,))?.filter(|transfer| transfer.trade_id == *trade_id);
    transfer.ok_or(Refusal::TransferUnknown.into())
}

/// Refuses a transfer that no longer waits: a done one with 214, an expired one with 213, both with its data.
fn still_waiting(rows: &Rows, cx: &Context<'_>, transfer: &Transfer) -> Result<(), Stop> {
    match transfer.status(cx.now) {
        // A closed app takes no payment any more (R29).
        TransferStatus::Waiting if !rows.find::<App>(&(transfer.app,))?.is_some_and(App::is_open) => {
            Err(by_transfer(rows, cx, Refusal::TransferExpired, transfer))
        }
        TransferStatus::Waiting => rows.get::<App>(&(transfer.app,))?.may_act(),
        TransferStatus::Done => Err(by_transfer(rows, cx, Refusal::TransferDone, transfer)),
        TransferStatus::Expired => Err(by_transfer(rows, cx, Refusal::TransferExpired, transfer)),
    }
}

/// The user confirms a payment; `proof` proves the payment password.
#[derive(Debug)]
pub struct ConfirmPay {
    /// The session of the user who confirms.
    pub session: Digest,
    /// The transfer; `None` if the id on the wire is not one of this platform.
    pub transfer: Option<TransferSeq>,
    /// The trade_id; must be the transfer's.
    pub trade_id: TradeId<'static>,
    /// The proof of the payment password.
    pub proof: Proof,
}

/// A payment that was confirmed.
#[derive(Debug)]
pub struct ConfirmedPay(pub Transfer);

impl Command<Platform> for ConfirmPay {
    type Outcome = ConfirmedPay;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<ConfirmedPay, Stop> {
        if let Some(id) = self.transfer {
            rows.want::<Transfer>(&(id,));
        }
        self.proof.want(rows);
        let user = signed_in(rows, cx, out, self.session)?;
        self.proof.check(rows, cx, out, user)?;
        let transfer = both_ids(rows, self.transfer, &self.trade_id)?;
        if transfer.payer != user.id {
            return Err(Refusal::NoPermission.into());
        }
        rows.want::<User>(&(transfer.payee,));
        still_waiting(rows, cx, transfer)?;
        user.may_move_money()?;
        rows.get::<User>(&(transfer.payee,))?.may_move_money()?;
        coins::usable(rows, transfer.coin)?;
        let mut done = Transfer { done: true, updated_at: cx.now, ..transfer.clone() };
        // A refusal undoes the changes of `complete`: otherwise they would be kept.
        let before = out.mark();
        match complete(rows, cx, out, &done) {
            Ok(delivery) => done.delivery = Some(delivery),
            Err(stop) => {
                out.undo_since(before);
                return Err(stop);
            }
        }
        out.put(done.clone());
        Ok(ConfirmedPay(done))
    }
}

/// An app pays a user from its owner's account; `proof` proves the owner's payment password. The signature is checked.
#[derive(Debug)]
pub struct PayUser {
    /// The app.
    pub app: AppId,
    /// The app's own id of the payment.
    pub trade_id: TradeId<'static>,
    /// The amount.
    pub amount: Amount<'static>,
    /// The coin.
    pub coin: CoinId,
    /// The user who receives.
    pub user: UserId,
    /// The address that receives the callback.
    pub server_uri: ServerUri<'static>,
    /// The app's state, returned unchanged.
    pub state: State<'static>,
    /// The proof of the owner's payment password.
    pub proof: Proof,
}

impl Command<Platform> for PayUser {
    type Outcome = Transfer;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Transfer, Stop> {
        rows.want::<Coin>(&(self.coin,));
        rows.want::<User>(&(self.user,));
        rows.want::<TradeName>(&(self.app, self.trade_id.clone()));
        rows.want::<Feed>(&(self.app,));
        self.proof.want(rows);
        // The payer's account: only a proof of the owner is accepted below.
        rows.want::<Account>(&(self.proof.user(), self.coin));
        rows.want::<Account>(&(self.user, self.coin));
        let app = rows.find::<App>(&(self.app,))?.filter(|app| app.is_open());
        let app = app.ok_or(Refusal::ClientIdUnknown)?;
        let owner = rows.find::<User>(&(app.owner,))?.ok_or(Refusal::UserUnknown)?;
        self.proof.check(rows, cx, out, owner)?;
        app.may_act()?;
        owner.may_move_money()?;
        let coin = coins::usable(rows, self.coin)?;
        let amount = moving_units(&self.amount, coin)?;
        fresh_trade(rows, cx, app.id, &self.trade_id)?;
        // Before the receiver is looked at: an app without means must not find out which user ids there are.
        let means =
            rows.find::<Account>(&(app.owner, self.coin))?.map_or(Units::ZERO, |account| account.balance);
        if means < amount {
            return Err(Reason::InsufficientBalance.into());
        }
        rows.find::<User>(&(self.user,))?.ok_or(Refusal::UserUnknown)?.may_move_money()?;
        if self.user == app.owner {
            return Err(Refusal::OwnPayment.into());
        }
        let mut transfer = Transfer {
            id: TransferSeq(cx.ids.next()),
            app: app.id,
            direction: Direction::AppToUser,
            payer: app.owner,
            payee: self.user,
            coin: coin.id,
            amount,
            amount_text: self.amount.clone().into_owned(),
            cut: fee(app, Direction::AppToUser, amount)?,
            trade_id: self.trade_id.clone(),
            state: self.state.clone(),
            server_uri: self.server_uri.clone(),
            redirect_uri: app.redirect_uri.clone(),
            done: true,
            created_at: cx.now,
            updated_at: cx.now,
            delivery: None,
            refunded: Units::ZERO,
        };
        let before = out.mark();
        match complete(rows, cx, out, &transfer) {
            Ok(delivery) => transfer.delivery = Some(delivery),
            Err(stop) => {
                out.undo_since(before);
                return Err(stop);
            }
        }
        out.put(TradeName { app: app.id, trade_id: self.trade_id.clone(), transfer: transfer.id });
        out.put(transfer.clone());
        Ok(transfer)
    }
}

/// The transfer, the app and the coin that the wallet shows before the user confirms (R33).
#[derive(Debug)]
pub struct Pending {
    /// The session of the user.
    pub session: Digest,
    /// The transfer.
    pub transfer: Option<TransferSeq>,
    /// The trade_id; must be the transfer's.
    pub trade_id: TradeId<'static>,
}

impl Command<Platform> for Pending {
    type Outcome = (Transfer, App, Coin);
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let user = signed_in(rows, cx, out, self.session)?;
        let transfer = both_ids(rows, self.transfer, &self.trade_id)?;
        if transfer.payer != user.id {
            return Err(Refusal::NoPermission.into());
        }
        still_waiting(rows, cx, transfer)?;
        rows.want::<App>(&(transfer.app,));
        let coin = rows.find::<Coin>(&(transfer.coin,))?.ok_or(Refusal::CoinUnknown)?;
        let app = rows.get::<App>(&(transfer.app,))?;
        Ok((transfer.clone(), app.clone(), coin.clone()))
    }
}

/// A transfer with its users and its coin.
#[derive(Debug)]
pub struct TransferView {
    /// The transfer.
    pub transfer: Transfer,
    /// The user who pays.
    pub from: User,
    /// The user who receives.
    pub to: User,
    /// The coin.
    pub coin: Coin,
}

/// A transfer, read by one of its parties with the app's access token (R28).
#[derive(Debug)]
pub struct TransferDetail {
    /// The access token.
    pub token: Digest,
    /// The transfer.
    pub transfer: Option<TransferSeq>,
}

impl Query<Platform> for TransferDetail {
    type Answer = TransferView;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<TransferView, Stop> {
        let family = bearer(rows, cx.now, self.token, scope_of::<get_transfer_detail::Endpoint>())?;
        let id = self.transfer.ok_or(Refusal::TransferUnknown)?;
        let transfer = rows.find::<Transfer>(&(id,))?.ok_or(Refusal::TransferUnknown)?;
        if transfer.app != family.app || ![transfer.payer, transfer.payee].contains(&family.user) {
            return Err(Refusal::NoPermission.into());
        }
        rows.want::<User>(&(transfer.payer,));
        rows.want::<User>(&(transfer.payee,));
        let coin = rows.find::<Coin>(&(transfer.coin,))?.ok_or(Refusal::CoinUnknown)?;
        let user = |id| rows.find::<User>(&(id,))?.cloned().ok_or(Stop::from(Refusal::UserUnknown));
        let (from, to) = (user(transfer.payer)?, user(transfer.payee)?);
        Ok(TransferView { transfer: transfer.clone(), from, to, coin: coin.clone() })
    }
}

/// A transfer by the app's own id (R38, R83). The signature has been checked.
#[derive(Debug)]
pub struct TradeOf {
    /// The app.
    pub app: AppId,
    /// The app's own id of the payment.
    pub trade_id: TradeId<'static>,
}

impl Query<Platform> for TradeOf {
    type Answer = (Transfer, Coin);
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let trade =
            rows.find::<TradeName>(&(self.app, self.trade_id.clone()))?.ok_or(Refusal::TransferUnknown)?;
        let transfer = rows.find::<Transfer>(&(trade.transfer,))?.ok_or(Refusal::TransferUnknown)?;
        let coin = rows.find::<Coin>(&(transfer.coin,))?.ok_or(Refusal::CoinUnknown)?;
        Ok((transfer.clone(), coin.clone()))
    }
}

/// The last event of an app, and its number.
fn newest_event(rows: &Rows, app: AppId) -> Result<Option<((EventId,), u64)>, Stop> {
    Ok(rows.find::<Feed>(&(app,))?.and_then(|feed| Some(((feed.last_event?,), feed.last))))
}

fn with_coins(rows: &Rows, transfers: &[&Transfer]) -> Result<Vec<AppPayment>, Stop> {
    transfers.iter().for_each(|transfer| rows.want::<Coin>(&(transfer.coin,)));
    let with_coin = |transfer: &&Transfer| {
        let coin = rows.find::<Coin>(&(transfer.coin,))?.ok_or(Refusal::CoinUnknown)?;
        Ok(AppPayment { transfer: (*transfer).clone(), coin: coin.clone() })
    };
    transfers.iter().map(with_coin).collect()
}

/// A payment of an app, with its coin.
#[derive(Debug, Clone)]
pub struct AppPayment {
    /// The payment.
    pub transfer: Transfer,
    /// Its coin.
    pub coin: Coin,
}

/// The payments of an app, by their last event, the newest first.
#[derive(Debug)]
pub struct PaymentsOf {
    /// The app.
    pub app: AppId,
    /// Only events older than this one.
    pub before: Option<u64>,
    /// The largest number of events that are read.
    pub limit: u64,
}

/// Some payments of an app.
#[derive(Debug)]
pub struct AppPayments {
    /// The payments.
    pub payments: Vec<AppPayment>,
    /// The `before` of the next page; `None` after the last page.
    pub older: Option<u64>,
}

impl Query<Platform> for PaymentsOf {
    type Answer = AppPayments;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<AppPayments, Stop> {
        let newest = newest_event(rows, self.app)?;
        let last = newest.map_or(0, |(_, last)| last);
        let to = self.before.map_or(last, |before| last.min(before.saturating_sub(1)));
        let from = to.saturating_sub(self.limit) + 1;
        let events = journal::read::<Event, _>(rows, self.app, newest, from..=to)?;
        let changes = events.into_iter().filter(|event| event.kind.is_of_the_payment());
        let transfers: IndexSet<TransferSeq> = changes.map(|event| event.transfer).collect();
        let transfers = rows.find_all::<Transfer>(transfers.iter().map(|id| (*id,)))?;
        Ok(AppPayments { payments: with_coins(rows, &transfers)?, older: (from > 1).then_some(from) })
    }
}

/// The payments of an app that were settled after a cursor, the oldest first, each once.
#[derive(Debug)]
pub struct StatementOf {
    /// The app.
    pub app: AppId,
    /// The number of the last event already read; 0 for all.
    pub after: u64,
    /// The largest number of events that are read.
    pub limit: u64,
}

/// A part of an app's statement.
#[derive(Debug)]
pub struct Statement {
    /// The payments.
    pub payments: Vec<AppPayment>,
    /// The `after` of the next page; `None` after the last page.
    pub newer: Option<u64>,
}

impl Query<Platform> for StatementOf {
    type Answer = Statement;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Statement, Stop> {
        let newest = newest_event(rows, self.app)?;
        let last = newest.map_or(0, |(_, last)| last);
        let to = self.after.saturating_add(self.limit);
        let events = journal::read::<Event, _>(rows, self.app, newest, self.after.saturating_add(1)..=to)?;
        let paid = events.into_iter().rev().filter(|event| event.kind == EventKind::Paid);
        let transfers = rows.find_all::<Transfer>(paid.map(|event| (event.transfer,)))?;
        Ok(Statement { payments: with_coins(rows, &transfers)?, newer: (to < last).then_some(to) })
    }
}

/// The events of an app after a cursor, each with its transfer, unless that was deleted (R90).
#[derive(Debug)]
pub struct AppEvents {
    /// The app.
    pub app: AppId,
    /// The number of the last event already seen; 0 for all.
    pub after: u64,
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for AppEvents {
    type Answer = Vec<(Event, Option<Transfer>)>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let newest = newest_event(rows, self.app)?;
        let (from, to) = (self.after.saturating_add(1), self.after.saturating_add(self.limit));
        let events = journal::read::<Event, _>(rows, self.app, newest, from..=to)?;
        for event in &events {
            rows.want::<Transfer>(&(event.transfer,));
        }
        let with_transfer =
            |event: &Event| Ok((event.clone(), rows.find::<Transfer>(&(event.transfer,))?.cloned()));
        events.into_iter().rev().map(with_transfer).collect()
    }
}
