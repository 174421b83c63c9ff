//! Orders of the VAS and Lafi wallets: one payment each, decided when it is submitted, watched on the chain until nothing
//! can undo it, and reported by a callback (R53, R56, R65, R71).
//!
//! ```text
//!            submit                  confirmed
//!   open ──────────────▶ submitted ─────────────▶ paid ──▶ final, not watched any more
//!    ▲  double spend, wrong   │  ▲   reorganised   │
//!    └────────────────────────┘  └─────────────────┘
//! ```

use wallet_api::vas::{
    Address, AnyLink, AppUuid, AssetType, CallbackUrl, OpenCallbackType, OrderFault, OrderId, OrderState,
    Refusal, Txid, lifetimes, limits, pay,
};
use wallet_chain::embedded::{ChainVault as _, DevPay};
use wallet_chain::{Expected, Transaction, Verdict, judge};
use wallet_core::link::Payload;
use wallet_core::{Amount, DeliveryState, Units, UnixTime, Unverified, crypto};
use wallet_engine::{Command, List, Query, row_ids, rows};

use crate::accounts::UserId;
use crate::deliveries;
use crate::deliveries::{CallbackKind, DeliveryId, DeliveryRow};
use crate::passwords::Proof;
use crate::refusal::{Refused, Stop};
use crate::returns::callable;
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users::{User, signed_in};
use crate::vas::apps::{VasApp, VasAppId, VasAppName, by_uuid, proven, session_unknown};
use crate::vas::chain::OrderChain;
use crate::vault::{Digest, Vault};

row_ids! {
    /// The row number of an order of the VAS and Lafi wallets.
    OrderSeq;
}

rows! { in Platform;
    /// An order that an app asks to be paid (R65).
    vas_order: VasOrder {
        key {
            /// The order's row id.
            id: OrderSeq,
        }
        /// The app's row id.
        app: VasAppId,
        /// The app's own id of the order.
        order_id: OrderId<'static>,
        /// The receiver's address.
        to_addr: Address<'static>,
        /// The asset.
        asset: AssetType<'static>,
        /// The amount, as the app sent it.
        amount: Amount<'static>,
        /// The callback's address.
        callback_url: CallbackUrl<'static>,
        /// The state of the order.
        state: OrderState,
        /// The last transaction that was submitted for the order.
        txid: Option<Txid<'static>>,
        /// The user who submitted it.
        payer: UserId,
        /// The address that paid; the payer's own until the chain has shown the transaction.
        from_addr: Address<'static>,
        /// The fault of the last payment.
        fault: Option<OrderFault>,
        /// Whether the chain has shown that its transaction pays the order.
        known: bool,
        /// The time since which the chain lacks its transaction.
        missing_since: Option<UnixTime>,
        /// Whether its transaction is still watched.
        watched: bool,
        /// The callback that reports it, once it is paid.
        delivery: Option<DeliveryId>,
        /// The time of the first submission.
        created_at: UnixTime,
    }

    /// Finds an order by the app's own id.
    vas_order_name: VasOrderName {
        key {
            /// The app's row id.
            app: VasAppId,
            /// The app's own id of the order.
            order_id: OrderId<'static>,
        }
        /// The order.
        order_seq: OrderSeq,
    }

    /// The order that a transaction was submitted for: it pays at most one order of the same owner's apps.
    vas_payment: VasPayment {
        key {
            /// The owner of the apps.
            owner: UserId,
            /// The transaction.
            txid: Txid<'static>,
        }
        /// The order.
        order_seq: OrderSeq,
    }
}

/// The user pays an order. The link's signature has been checked.
#[derive(Debug)]
pub struct SubmitPay {
    /// The session of the user.
    pub session: Digest,
    /// The proof of the payment password.
    pub proof: Proof,
    /// The order.
    pub link: pay::Link<'static>,
    /// The transaction, when the wallet has broadcast one itself.
    pub txid: Option<Txid<'static>>,
    /// The transaction as the chain reports it now; `None` if the chain does not have it.
    pub seen: Option<Transaction>,
    /// The transaction that was submitted before, if the chain has just reported it as unknown.
    pub missing: Option<Txid<'static>>,
    /// The chain, and what it says of the receiver's address.
    pub chain: OrderChain,
}

/// A payment that was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmittedPay {
    /// The order.
    pub order: OrderSeq,
    /// The transaction.
    pub txid: Txid<'static>,
    /// The address that the wallet opens now; `None` minimises the wallet (R48, R68).
    pub opens: Option<String>,
}

/// Reads the payload of a payment link: 910002 if it is not for a payment.
///
/// # Errors
/// [`Refusal::LinkRefused`].
pub fn read_pay<'a>(payload: &'a Payload<'_>) -> Result<Unverified<'a, pay::Link<'a>>, Refused> {
    match AnyLink::read(payload) {
        Ok((AnyLink::Pay(link), _)) => Ok(link),
        _ => Err(Refused::new(Refusal::LinkRefused)),
    }
}

fn not_payable(field: &'static str) -> Stop {
    Refused::new(Refusal::NotPayable).at(field).into()
}

/// Whether an amount is above 0 and has at most the chain's decimals (R66).
fn is_payable(amount: &Amount<'_>) -> bool {
    amount.units(Vault::DECIMALS).is_ok_and(|units| units > Units::ZERO)
}

impl VasApp {
    /// Whether the platform may call an address: http or https, and its host the safe domain (R49).
    fn may_be_called_at(&self, address: &str) -> bool {
        callable(address).is_some() && self.registered().allows(address)
    }

    /// The address that the wallet opens after a payment; `Err` if the scheme is not the registered one (R67).
    fn opens_after(&self, link: &pay::Link<'_>) -> Result<Option<String>, Stop> {
        let Some(scheme) = link.callback_scheme.as_deref().filter(|scheme| !scheme.is_empty()) else {
            return Ok(None); // R68
        };
        let name = scheme.split_once("://").map_or(scheme, |(name, _)| name);
        if self.scheme.is_empty() || !name.eq_ignore_ascii_case(&self.scheme) {
            return Err(Refusal::NotRegistered.into());
        }
        if link.open_call_back_type == Some(OpenCallbackType::Minimise) {
            return Ok(None);
        }
        Ok(Some(if scheme.contains("://") { scheme.to_owned() } else { format!("{scheme}://") }))
    }
}

impl VasOrder {
    fn new(cx: &Context<'_>, app: &VasApp, payer: UserId, link: &pay::Link<'_>) -> Self {
        Self {
            id: OrderSeq(cx.ids.next()),
            app: app.id,
            order_id: link.order_id.clone().into_owned(),
            to_addr: link.to_addr.clone().into_owned(),
            asset: link.asset_type.clone().into_owned(),
            amount: link.amount.clone().into_owned(),
            callback_url: link.callback_url.clone().into_owned(),
            state: OrderState::Open,
            txid: None,
            payer,
            from_addr: Address::new(""),
            fault: None,
            known: false,
            missing_since: None,
            watched: false,
            delivery: None,
            created_at: cx.now,
        }
    }

    /// Whether a link asks for this very payment (R65): every signed field has the same text.
    fn is_of(&self, link: &pay::Link<'_>) -> bool {
        self.to_addr == link.to_addr
            && self.asset == link.asset_type
            && self.amount.as_str() == link.amount.as_str()
            && self.callback_url == link.callback_url
    }

    /// Whether another payment may be submitted. Any reader of the link could invent a transaction, so a paying one
    /// replaces a transaction that the chain has never shown, once the chain reports it as unknown. A transaction that
    /// the chain has shown may come back: another replaces it after `lifetimes::MISSING_PAYMENT`.
    ///
    /// `instead`: the other is on the chain and pays, and the chain has just reported this order's as unknown.
    pub fn is_free(&self, now: UnixTime, instead: bool) -> bool {
        let gives_way = match self.missing_since {
            Some(since) => !self.known || now > since + lifetimes::MISSING_PAYMENT,
            None => !self.known && instead,
        };
        self.state == OrderState::Open || (self.state == OrderState::Submitted && gives_way)
    }

    /// The verdict on a transaction for this order.
    fn verdict(&self, transaction: &Transaction) -> Verdict {
        let expected = Expected {
            order_id: self.order_id.as_str(),
            to: self.to_addr.as_str(),
            asset: self.asset.as_str(),
            amount: &self.amount,
            decimals: Vault::DECIMALS,
        };
        judge(transaction, &expected)
    }

    /// Frees the transaction that was submitted, so that it may be submitted for the order that it pays.
    fn release(&self, rows: &Rows, out: &mut Changes, owner: UserId) -> Result<(), Stop> {
        let Some(txid) = &self.txid else { return Ok(()) };
        let key = (owner, txid.clone());
        if rows.find::<VasPayment>(&key)?.is_some_and(|payment| payment.order_seq == self.id) {
            out.delete::<VasPayment>(&key);
        }
        Ok(())
    }
}

/// Finds an order by the app's own id.
fn order_of(rows: &Rows, app: &VasApp, order_id: &OrderId<'_>) -> Result<Option<VasOrder>, Stop> {
    let Some(name) = rows.find::<VasOrderName>(&(app.id, order_id.clone().into_owned()))? else {
        return Ok(None);
    };
    Ok(Some(rows.get::<VasOrder>(&(name.order_seq,))?.clone()))
}

/// Refuses a link that cannot be paid in any state of its order: by any payer, or from this address.
fn check(
    link: &pay::Link<'_>,
    app: &VasApp,
    from: Option<&str>,
    chain: OrderChain,
    cx: &Context<'_>,
) -> Result<(), Stop> {
    if !app.may_be_called_at(link.callback_url.as_str()) {
        return Err(Refusal::NotRegistered.into());
    }
    if link.asset_type.as_str() != app.profile.asset() || !chain.has_asset() {
        return Err(not_payable("assetType"));
    }
    if !is_payable(&link.amount) {
        return Err(not_payable("amount"));
    }
    if !chain.carries(link.order_id.as_str()) {
        return Err(not_payable("orderId"));
    }
    // R56: a payment to the payer's own address is no payment.
    if !chain.has(cx.vault, link.to_addr.as_str()) || from == Some(link.to_addr.as_str()) {
        return Err(not_payable("toAddr"));
    }
    app.opens_after(link).map(|_| ())
}

/// Whether a link can be paid, before the payment password is asked for. Its signature has been checked.
#[derive(Debug)]
pub struct CheckPay {
    /// The order.
    pub link: pay::Link<'static>,
    /// The payer, if known.
    pub payer: Option<UserId>,
    /// The chain, and what it says of the receiver's address.
    pub chain: OrderChain,
}

impl Query<Platform> for CheckPay {
    type Answer = ();
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<(), Stop> {
        let app = by_uuid(rows, self.link.app_uuid.as_str())?;
        let from = self.payer.and_then(|payer| self.chain.address_of(cx.vault, payer));
        check(&self.link, &app, from.as_deref(), self.chain, cx)
    }
}

impl SubmitPay {
    /// The given txid in lower case: nodes read either case, and one transaction must not have two names.
    fn given(&self) -> Result<Option<Txid<'static>>, Stop> {
        match self.txid.as_ref().map(Txid::as_str) {
            Some(txid) if txid.len() == 64 && crypto::from_hex(txid).is_some() => {
                Ok(Some(txid.to_ascii_lowercase().into()))
            }
            Some(_) => Err(not_payable("txid")),
            // On a real chain only the holder of the user's keys can pay.
            None if self.chain != OrderChain::Embedded => Err(not_payable("txid")),
            None => Ok(None),
        }
    }
}

impl Command<Platform> for SubmitPay {
    type Outcome = SubmittedPay;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<SubmittedPay, Stop> {
        let link = &self.link;
        rows.want::<VasAppName>(&(link.app_uuid.clone(),));
        let user = signed_in(rows, cx, out, self.session).map_err(session_unknown)?.clone();
        self.proof.check(rows, cx, out, &user)?;
        user.may_move_money()?;
        let app = by_uuid(rows, link.app_uuid.as_str())?;
        rows.get::<User>(&(app.owner,))?.may_move_money()?;
        let from = self.chain.address_of(cx.vault, user.id);
        check(link, &app, from.as_deref(), self.chain, cx)?;
        let from = from.unwrap_or_default();
        let (opens, given) = (app.opens_after(link)?, self.given()?);
        let begun = order_of(rows, &app, &link.order_id)?;
        let order = begun.unwrap_or_else(|| VasOrder::new(cx, &app, user.id, link));
        if !order.is_of(link) {
            return Err(Refusal::OrderDiffers.into());
        }
        // A payment by the platform's own wallet is on the chain with this very commit.
        let shown = match (&given, &self.seen) {
            (None, _) => true,
            (Some(txid), Some(seen)) if seen.txid == txid.as_str() => match order.verdict(seen) {
                Verdict::Pays { .. } => true,
                // It will never pay this order, so it must not occupy it.
                _ => return Err(not_payable("txid")),
            },
            _ => false,
        };
        let missing = self.missing.is_some() && self.missing == order.txid;
        // A transaction that is already submitted keeps its payer.
        let same = given.is_some() && given == order.txid && order.state == OrderState::Submitted;
        let order = match order {
            order if !same && order.is_free(cx.now, shown && missing) => order,
            // The reply to the first submission was lost.
            VasOrder { id, txid: Some(txid), payer, .. }
                if given.as_ref().map_or(payer == user.id, |given| *given == txid) =>
            {
                return Ok(SubmittedPay { order: id, txid, opens });
            }
            _ => return Err(Refusal::OrderTaken.into()),
        };
        let txid = match given {
            Some(txid) => match rows.find::<VasPayment>(&(app.owner, txid.clone()))? {
                Some(payment) if payment.order_seq != order.id => return Err(Refusal::TxidTaken.into()),
                _ => txid,
            },
            None => {
                let (to, asset) = (order.to_addr.to_string(), order.asset.to_string());
                let (amount, data) = (link.amount.clone(), order.order_id.to_string());
                DevPay { from: from.clone(), to, asset, amount, data }.apply(rows, cx, out)?.into()
            }
        };
        order.release(rows, out, app.owner)?;
        out.put(VasOrderName { app: app.id, order_id: order.order_id.clone(), order_seq: order.id });
        out.put(VasPayment { owner: app.owner, txid: txid.clone(), order_seq: order.id });
        let submitted = SubmittedPay { order: order.id, txid: txid.clone(), opens };
        out.put(VasOrder {
            state: OrderState::Submitted,
            txid: Some(txid),
            payer: user.id,
            from_addr: from.into(),
            fault: None,
            known: shown,
            missing_since: None,
            watched: true,
            ..order
        });
        Ok(submitted)
    }
}

/// The watched orders, each with the transaction to look up on the chain.
#[derive(Debug)]
pub struct WatchedOrders {
    /// Only orders after this one.
    pub after: OrderSeq,
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for WatchedOrders {
    type Answer = Vec<(OrderSeq, Txid<'static>)>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let list = List::new()
            .only(VasOrder::watched.is(true).always())
            .only(VasOrder::id.above(self.after))
            .ascending(VasOrder::id)
            .limit(self.limit);
        let orders = rows.list(list)?;
        // A watched order has a transaction.
        Ok(orders.into_iter().filter_map(|order| Some((order.id, order.txid.clone()?))).collect())
    }
}

/// Records what the chain reports about the transaction of an order.
#[derive(Debug)]
pub struct ObservePayment {
    /// The order.
    pub order: OrderSeq,
    /// The transaction that was looked up.
    pub txid: Txid<'static>,
    /// The transaction as the chain reports it; `None` if the chain does not have it.
    pub seen: Option<Transaction>,
    /// The number of confirmations after which an order is paid (R53).
    pub confirmations: u64,
}

/// The effect of an observation on an order.
enum Meaning {
    /// The transaction pays, and has enough confirmations.
    Confirmed {
        /// Whether the payment is final, so that nothing can undo it.
        for_good: bool,
    },
    /// The transaction may still pay.
    Waits,
    /// The transaction will never pay.
    Fails(OrderFault),
}

impl ObservePayment {
    fn meaning(&self, order: &VasOrder, cx: &Context<'_>) -> Result<Meaning, Stop> {
        let Some(transaction) = &self.seen else {
            // The transaction may still arrive, or come back with its block.
            let since = order.missing_since.unwrap_or(cx.now);
            let given_up = !order.known && cx.now > since + lifetimes::MISSING_PAYMENT;
            return Ok(if given_up { Meaning::Fails(OrderFault::Missing) } else { Meaning::Waits });
        };
        let fault = match order.verdict(transaction) {
            Verdict::Pays { confirmations } if confirmations >= self.confirmations.max(1) => {
                let for_good = confirmations >= self.confirmations.max(limits::FINAL_CONFIRMATIONS);
                return Ok(Meaning::Confirmed { for_good });
            }
            Verdict::Pays { .. } => return Ok(Meaning::Waits),
            Verdict::DoubleSpent => return Ok(Meaning::Fails(OrderFault::DoubleSpent)),
            Verdict::WrongOrder => OrderFault::WrongOrder,
            Verdict::OwnAddress => OrderFault::OwnAddress,
            Verdict::WrongAsset => OrderFault::WrongAsset,
            Verdict::Underpaid { .. } => OrderFault::Underpaid,
            Verdict::Overpaid { .. } => OrderFault::Overpaid,
            Verdict::WrongReceiver => OrderFault::WrongReceiver,
        };
        // A transaction never changes: one that has paid and now does not is a node's mistake.
        Ok(if order.known { Meaning::Waits } else { Meaning::Fails(fault) })
    }
}

/// Deletes an unacknowledged callback: its report is no longer true.
fn silence(rows: &Rows, out: &mut Changes, order: &mut VasOrder) -> Result<(), Stop> {
    let Some(delivery) = order.delivery else { return Ok(()) };
    let row = rows.find::<DeliveryRow>(&(delivery,))?;
    if row.is_some_and(|row| row.state != DeliveryState::Acknowledged) {
        deliveries::forget(rows, out, delivery)?;
        order.delivery = None;
    }
    Ok(())
}

impl Command<Platform> for ObservePayment {
    type Outcome = OrderState;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<OrderState, Stop> {
        let order = rows.get::<VasOrder>(&(self.order,))?;
        // Late: the order is no longer watched, or has another transaction.
        if !order.watched || order.txid.as_ref() != Some(&self.txid) {
            return Ok(order.state);
        }
        let before = order;
        let mut order = before.clone();
        order.missing_since = match self.seen {
            None => Some(before.missing_since.unwrap_or(cx.now)),
            Some(_) => None,
        };
        match self.meaning(&order, cx)? {
            Meaning::Confirmed { for_good } => {
                order.known = true;
                order.state = OrderState::Paid;
                order.watched = !for_good;
                let payer =
                    self.seen.iter().flat_map(|seen| &seen.inputs).flat_map(|input| &input.addresses).next();
                order.from_addr = payer.cloned().map_or(order.from_addr, Address::from);
                // A callback acknowledged before a reorganisation is not repeated: the app knows already.
                if order.delivery.is_none() {
                    order.delivery =
                        Some(deliveries::begin(cx, out, CallbackKind::Payment, order.id.0, order.app.into()));
                }
            }
            Meaning::Waits => {
                order.known |= self.seen.is_some();
                order.state = OrderState::Submitted;
                silence(rows, out, &mut order)?;
            }
            Meaning::Fails(fault) => {
                order.state = OrderState::Open;
                order.fault = Some(fault);
                order.watched = false;
                let app = rows.get::<VasApp>(&(order.app,))?;
                order.release(rows, out, app.owner)?;
                silence(rows, out, &mut order)?;
                // Another payment gets a callback of its own.
                order.delivery = None;
            }
        }
        let state = order.state;
        if order != *before {
            out.put(order);
        }
        Ok(state)
    }
}

/// An order, for its app (R71).
#[derive(Debug)]
pub struct OrderOf {
    /// The accessToken.
    pub access_token: Digest,
    /// The appId.
    pub uuid: AppUuid<'static>,
    /// The app's own id of the order.
    pub order_id: OrderId<'static>,
}

impl Query<Platform> for OrderOf {
    type Answer = VasOrder;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<VasOrder, Stop> {
        proven(rows, self.access_token, self.uuid.as_str())?;
        let app = by_uuid(rows, self.uuid.as_str())?;
        order_of(rows, &app, &self.order_id)?.ok_or(Refusal::OrderUnknown.into())
    }
}

/// The orders of an app, the newest first.
#[derive(Debug)]
pub struct OrdersOf {
    /// The app.
    pub app: VasAppId,
    /// Only orders older than this one; `None` begins with the newest.
    pub before: Option<OrderSeq>,
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for OrdersOf {
    /// The orders, and the `before` of the next page; `None` after the last page.
    type Answer = (Vec<VasOrder>, Option<OrderSeq>);
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let list = List::new()
            .only(VasOrder::app.is(self.app))
            .only_if(self.before.map(|before| VasOrder::id.below(before)))
            .descending(VasOrder::id)
            .limit(self.limit.saturating_add(1)); // one more, to see whether there are older ones
        let mut orders = rows.list(list)?;
        let more = orders.len() as u64 > self.limit;
        orders.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        let older = orders.last().filter(|_| more).map(|last| last.id);
        Ok((orders.into_iter().cloned().collect(), older))
    }
}

/// The orders that a user submitted payments for in an asset, the newest first, each with its app's name: the user's own
/// history. An order that another user paid after this user's payment failed is in the other user's history.
#[derive(Debug)]
pub struct OrdersPaidBy {
    /// The user who submitted the payments.
    pub payer: UserId,
    /// In which asset.
    pub asset: AssetType<'static>,
    /// Only orders older than this one; `None` begins with the newest.
    pub before: Option<OrderSeq>,
    /// The largest number of rows in the answer.
    pub limit: u64,
}

impl Query<Platform> for OrdersPaidBy {
    type Answer = Vec<(VasOrder, String)>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let list = List::new()
            .only(VasOrder::payer.is(self.payer))
            .only(VasOrder::asset.is(self.asset.clone()))
            .only_if(self.before.map(|before| VasOrder::id.below(before)))
            .descending(VasOrder::id)
            .limit(self.limit);
        let orders = rows.list(list)?;
        orders.iter().for_each(|order| rows.want::<VasApp>(&(order.app,)));
        let named = |order: &VasOrder| {
            let app = rows.get::<VasApp>(&(order.app,))?;
            Ok((order.clone(), app.name.clone()))
        };
        orders.into_iter().map(named).collect()
    }
}

/// An order, for the pages; of a closed app too.
#[derive(Debug)]
pub struct FindOrder {
    /// The app's uuid.
    pub uuid: AppUuid<'static>,
    /// The app's own id of the order.
    pub order_id: OrderId<'static>,
}

impl Query<Platform> for FindOrder {
    type Answer = VasOrder;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<VasOrder, Stop> {
        let name = rows.find::<VasAppName>(&(self.uuid.clone(),))?.ok_or(Refusal::AppUnknown)?;
        let app = rows.find::<VasApp>(&(name.app,))?.ok_or(Refusal::AppUnknown)?;
        order_of(rows, app, &self.order_id)?.ok_or(Refusal::OrderUnknown.into())
    }
}
