//! An app's own orders: their links and their bookings. Each order is booked once, however often its callback comes.

use std::collections::HashMap;
use std::fmt;

use wallet_api::vas::{Address, AppUuid, AssetType, CallbackUrl, OrderId, limits, pay};
use wallet_chain::{Expected, Transaction, Verdict, judge};
use wallet_core::Amount;

use super::VasPayment;

/// An order as the app's own server keeps it.
///
/// ```
/// use wallet_api::vas::Profile;
/// use wallet_client::Order;
/// use wallet_core::link::OutgoingLink as _;
///
/// # fn example(key: &dyn wallet_core::crypto::RsaSigner, now: wallet_core::UnixTime) -> Result<(), Box<dyn std::error::Error>> {
/// let order = Order {
///     order_id: "201911087855441".into(),
///     to_addr: "Vt1LBNcKVQR45vWpAxxhZs4PLNASqEXYE7".into(),
///     asset: Profile::Vas.asset().into(),
///     amount: "0.001".parse()?,
///     callback_url: "https://www.shop.example/pay".into(),
/// };
/// let link = order.link("8888-9999-1111-6666");
/// let signer = wallet_core::Signer::rsa(key, now);
/// let qr = link.qr(Some(&signer))?; // the text of the QR code
/// let app = link.app(Profile::Vas.scheme(), Some(&signer))?; // the link of a button
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The app's own id; used once, ever.
    pub order_id: OrderId<'static>,
    /// The address of the receiver.
    pub to_addr: Address<'static>,
    /// The asset.
    pub asset: AssetType<'static>,
    /// The amount, with at most 8 decimals.
    pub amount: Amount<'static>,
    /// The URL of the callback; its host is the app's safe domain.
    pub callback_url: CallbackUrl<'static>,
}

impl Order {
    /// The link that asks a user to pay the order, without the fields that a QR code must not carry (R68).
    pub fn link(&self, uuid: &str) -> pay::Link<'static> {
        pay::Link::new(
            AppUuid::new(uuid.to_owned()),
            self.order_id.clone(),
            self.to_addr.clone(),
            self.asset.clone(),
            self.amount.clone(),
            self.callback_url.clone(),
        )
    }

    /// Compares a callback with the order. `booked` is the txid of an earlier booking.
    ///
    /// # Errors
    /// [`NotBooked`]: the callback is genuine but differs from this order, or another transaction paid the order.
    pub fn book(&self, booked: Option<&str>, payment: &VasPayment<'_>) -> Result<Booked, NotBooked> {
        let paid = payment.payment();
        let differs = match () {
            () if paid.order_id.as_str() != self.order_id.as_str() => Some("orderId"),
            () if paid.to_addr.as_str() != self.to_addr.as_str() => Some("toAddr"),
            () if paid.asset_type.as_str() != self.asset.as_str() => Some("assetType"),
            () if paid.amount != self.amount => Some("amount"),
            () => None,
        };
        match (differs, booked) {
            (Some(field), _) => Err(NotBooked::Differs(field)),
            (None, None) => Ok(Booked::Now),
            (None, Some(txid)) if txid == paid.txid.as_str() => Ok(Booked::Before),
            (None, Some(_)) => Err(NotBooked::PaidTwice),
        }
    }
}

/// The result of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booked {
    /// Booked for the first time: deliver the order.
    Now,
    /// Booked before: acknowledge again, and do nothing else.
    Before,
}

/// Why a genuine callback books nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotBooked {
    /// There is no such order.
    Unknown,
    /// This member differs from the order's.
    Differs(&'static str),
    /// The order was booked with another transaction: it was paid twice.
    PaidTwice,
}

impl fmt::Display for NotBooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such order"),
            Self::Differs(field) => write!(f, "the {field} of the callback differs from the order's"),
            Self::PaidTwice => f.write_str("the order was paid by another transaction before"),
        }
    }
}

impl std::error::Error for NotBooked {}

/// Orders in memory. An app with a database keeps its orders there and calls [`Order::book`] within the transaction that
/// marks one paid.
#[derive(Debug, Default)]
pub struct OrderBook {
    orders: HashMap<String, (Order, Option<String>)>,
}

impl OrderBook {
    /// No orders.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a new order; false when its id was used before.
    pub fn open(&mut self, order: Order) -> bool {
        let id = order.order_id.as_str().to_owned();
        match self.orders.contains_key(&id) {
            true => false,
            false => self.orders.insert(id, (order, None)).is_none(),
        }
    }

    /// An order, and the transaction that has paid it.
    pub fn order(&self, order_id: &str) -> Option<(&Order, Option<&str>)> {
        self.orders.get(order_id).map(|(order, txid)| (order, txid.as_deref()))
    }

    /// Books the order of a callback, once.
    ///
    /// # Errors
    /// [`NotBooked`].
    pub fn book(&mut self, payment: &VasPayment<'_>) -> Result<Booked, NotBooked> {
        let paid = payment.payment();
        let (order, txid) = self.orders.get_mut(paid.order_id.as_str()).ok_or(NotBooked::Unknown)?;
        let booked = order.book(txid.as_deref(), payment)?;
        txid.get_or_insert_with(|| paid.txid.as_str().to_owned());
        Ok(booked)
    }
}

/// Why an order is not paid on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotPaid {
    /// The payment is right, and has too few confirmations yet.
    Unconfirmed {
        /// The confirmations so far.
        confirmations: u64,
    },
    /// The transaction does not pay this order.
    Wrong(Verdict),
}

impl fmt::Display for NotPaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unconfirmed { confirmations } => {
                write!(f, "the payment has only {confirmations} confirmations; wait for more blocks")
            }
            Self::Wrong(verdict) => write!(f, "the transaction does not pay the order: {verdict}"),
        }
    }
}

impl std::error::Error for NotPaid {}

/// Whether a transaction pays an order, by its data on the chain (the document's section 2.1). Transactions come from
/// a node: [`Node::transaction`](wallet_chain::rpc::Node::transaction).
///
/// # Errors
/// [`NotPaid`].
pub fn verify_on_chain(
    order: &Order,
    transaction: &Transaction,
    min_confirmations: u64,
) -> Result<(), NotPaid> {
    let expected = Expected {
        order_id: order.order_id.as_str(),
        to: order.to_addr.as_str(),
        asset: order.asset.as_str(),
        amount: &order.amount,
        decimals: limits::AMOUNT_DECIMALS as u8,
    };
    match judge(transaction, &expected) {
        Verdict::Pays { confirmations } if confirmations >= min_confirmations => Ok(()),
        Verdict::Pays { confirmations } => Err(NotPaid::Unconfirmed { confirmations }),
        other => Err(NotPaid::Wrong(other)),
    }
}
