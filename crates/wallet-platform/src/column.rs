//! Column values between rows and a store.

use wallet_api::fomo::{CoinId, Direction, UserId};
use wallet_api::vas::{Currency, OrderFault, OrderState, Profile, Review};
use wallet_core::{DeliveryState, Secret, Units, UnixTime};

use crate::entities::{CallbackKind, OperatorAct};
use crate::vault::{Digest, TokenKind};

/// A value as a store keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// A 128-bit integer; stores keep its order.
    Wide(i128),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

/// What kind of value a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// A 64-bit integer.
    Int,
    /// A 128-bit integer.
    Wide,
    /// Text.
    Text,
    /// Bytes.
    Blob,
}

/// A row under reading.
pub trait CellSource {
    /// The value of a column; `None` when it is not of this kind.
    fn cell(&self, at: usize, kind: ColumnKind) -> Option<Cell<'_>>;
}

/// A type that stands in a column.
pub trait Column: Sized {
    /// What it is stored as.
    const KIND: ColumnKind;
    /// Whether it may be null.
    const NULLABLE: bool = false;
    /// As a store keeps it.
    fn cell(&self) -> Cell<'_>;
    /// Back from the store; `None` when it cannot be one.
    fn from_cell(cell: Cell<'_>) -> Option<Self>;
}

macro_rules! int_columns {
    ($($type:ty: |$value:ident| $to:expr, |$int:ident| $from:expr;)+) => { $(
        impl Column for $type {
            const KIND: ColumnKind = ColumnKind::Int;
            fn cell(&self) -> Cell<'_> {
                let $value = self;
                Cell::Int($to)
            }
            fn from_cell(cell: Cell<'_>) -> Option<Self> {
                let Cell::Int($int) = cell else { return None };
                $from
            }
        }
    )+ };
}

int_columns! {
    // Numbers stay below 2^63: they come from one counter.
    u64: |value| value.cast_signed(), |int| u64::try_from(int).ok();
    u32: |value| i64::from(*value), |int| u32::try_from(int).ok();
    u16: |value| i64::from(*value), |int| u16::try_from(int).ok();
    u8: |value| i64::from(*value), |int| u8::try_from(int).ok();
    i64: |value| *value, |int| Some(int);
    bool: |value| i64::from(*value), |int| match int { 0 => Some(false), 1 => Some(true), _ => None };
    UnixTime: |value| value.millis(), |int| Some(UnixTime::from_millis(int));
    UserId: |value| value.get().cast_signed(), |int| u64::try_from(int).ok().map(UserId::new);
    CoinId: |value| value.get().cast_signed(), |int| u64::try_from(int).ok().map(CoinId::new);
    Direction: |value| match value { Direction::UserToApp => 1, Direction::AppToUser => 2 },
        |int| match int { 1 => Some(Direction::UserToApp), 2 => Some(Direction::AppToUser), _ => None };
    DeliveryState: |value| match value {
            DeliveryState::Waiting => 0, DeliveryState::Acknowledged => 1, DeliveryState::Exhausted => 2 },
        |int| match int {
            0 => Some(DeliveryState::Waiting), 1 => Some(DeliveryState::Acknowledged),
            2 => Some(DeliveryState::Exhausted), _ => None };
    Profile: |value| match value { Profile::Vas => 1, Profile::Lafi => 2 },
        |int| match int { 1 => Some(Profile::Vas), 2 => Some(Profile::Lafi), _ => None };
    Currency: |value| match value {
            Currency::Cny => 1, Currency::Usd => 2, Currency::Eur => 3, Currency::Gbp => 4, Currency::Jpy => 5,
            Currency::Krw => 6 },
        |int| match int {
            1 => Some(Currency::Cny), 2 => Some(Currency::Usd), 3 => Some(Currency::Eur), 4 => Some(Currency::Gbp),
            5 => Some(Currency::Jpy), 6 => Some(Currency::Krw), _ => None };
    Review: |value| match value {
            Review::Pending => 0, Review::Approved => 1, Review::Rejected => 2 },
        |int| match int {
            0 => Some(Review::Pending), 1 => Some(Review::Approved),
            2 => Some(Review::Rejected), _ => None };
    CallbackKind: |value| match value { CallbackKind::PaymentResult => 1, CallbackKind::Payment => 2 },
        |int| match int { 1 => Some(CallbackKind::PaymentResult), 2 => Some(CallbackKind::Payment), _ => None };
    OrderState: |value| match value { OrderState::Open => 0, OrderState::Submitted => 1, OrderState::Paid => 2 },
        |int| match int {
            0 => Some(OrderState::Open), 1 => Some(OrderState::Submitted), 2 => Some(OrderState::Paid), _ => None };
    OrderFault: |value| match value {
            OrderFault::DoubleSpent => 1, OrderFault::WrongOrder => 2, OrderFault::OwnAddress => 3,
            OrderFault::WrongReceiver => 4, OrderFault::WrongAsset => 5, OrderFault::Underpaid => 6,
            OrderFault::Overpaid => 7, OrderFault::Missing => 8 },
        |int| match int {
            1 => Some(OrderFault::DoubleSpent), 2 => Some(OrderFault::WrongOrder), 3 => Some(OrderFault::OwnAddress),
            4 => Some(OrderFault::WrongReceiver), 5 => Some(OrderFault::WrongAsset), 6 => Some(OrderFault::Underpaid),
            7 => Some(OrderFault::Overpaid), 8 => Some(OrderFault::Missing), _ => None };
    OperatorAct: |value| match value {
            OperatorAct::Enrolled => 1, OperatorAct::Approved => 2, OperatorAct::Rejected => 3,
            OperatorAct::SentAgain => 4 },
        |int| match int {
            1 => Some(OperatorAct::Enrolled), 2 => Some(OperatorAct::Approved), 3 => Some(OperatorAct::Rejected),
            4 => Some(OperatorAct::SentAgain), _ => None };
    TokenKind: |value| match value { TokenKind::Access => 1, TokenKind::Refresh => 2 },
        |int| match int { 1 => Some(TokenKind::Access), 2 => Some(TokenKind::Refresh), _ => None };
}

impl Column for Units {
    const KIND: ColumnKind = ColumnKind::Wide;
    fn cell(&self) -> Cell<'_> {
        Cell::Wide(self.get())
    }
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Wide(units) => Some(Units::new(units)),
            _ => None,
        }
    }
}

impl Column for String {
    const KIND: ColumnKind = ColumnKind::Text;
    fn cell(&self) -> Cell<'_> {
        Cell::Text(self)
    }
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl Column for Secret<String> {
    const KIND: ColumnKind = ColumnKind::Text;
    fn cell(&self) -> Cell<'_> {
        Cell::Text(self.expose())
    }
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        String::from_cell(cell).map(Secret::new)
    }
}

impl Column for Vec<u8> {
    const KIND: ColumnKind = ColumnKind::Blob;
    fn cell(&self) -> Cell<'_> {
        Cell::Blob(self)
    }
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Blob(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

impl Column for Digest {
    const KIND: ColumnKind = ColumnKind::Blob;
    fn cell(&self) -> Cell<'_> {
        Cell::Blob(self.as_bytes())
    }
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Blob(bytes) => bytes.try_into().ok().map(Digest::from_bytes),
            _ => None,
        }
    }
}

impl<T: Column> Column for Option<T> {
    const KIND: ColumnKind = T::KIND;
    const NULLABLE: bool = true;
    fn cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::Null, Column::cell)
    }
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}
