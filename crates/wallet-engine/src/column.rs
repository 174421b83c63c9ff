//! Column values, as rows and backends exchange them.

use wallet_core::{Amount, Secret, Units, UnixTime};

/// A value as a backend stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// A 128-bit integer. Backends preserve its order.
    Wide(i128),
    /// Text, ordered by its bytes.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

/// The kind of value that a column holds.
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

/// A stored row, column by column.
pub trait CellSource {
    /// The value of column `at`; `None` if it is not of this kind.
    fn cell(&self, at: usize, kind: ColumnKind) -> Option<Cell<'_>>;
}

/// A type that a column of schema `S` can hold.
///
/// The schema is a parameter so that a crate can declare how a type of another crate is stored in its own tables.
pub trait Column<S>: Sized {
    /// How it is stored.
    const KIND: ColumnKind;
    /// Whether it may be null.
    const NULLABLE: bool = false;
    /// The stored value.
    fn cell(&self) -> Cell<'_>;
    /// The value that was stored; `None` if no value of this type is stored like that.
    fn from_cell(cell: Cell<'_>) -> Option<Self>;
}

macro_rules! int_columns {
    ($($type:ty: |$value:ident| $to:expr, |$int:ident| $from:expr;)+) => { $(
        impl<S> Column<S> for $type {
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
    // Row numbers come from one counter that never reaches 2^63; a number that a caller made up is as good as the last one.
    u64: |value| i64::try_from(*value).unwrap_or(i64::MAX), |int| u64::try_from(int).ok();
    u32: |value| i64::from(*value), |int| u32::try_from(int).ok();
    u16: |value| i64::from(*value), |int| u16::try_from(int).ok();
    u8: |value| i64::from(*value), |int| u8::try_from(int).ok();
    i64: |value| *value, |int| Some(int);
    bool: |value| i64::from(*value), |int| match int { 0 => Some(false), 1 => Some(true), _ => None };
    UnixTime: |value| value.millis(), |int| Some(UnixTime::from_millis(int));
}

impl<S> Column<S> for Units {
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

/// The text as it was given. A text that is not an amount is a damaged row.
impl<S> Column<S> for Amount<'static> {
    const KIND: ColumnKind = ColumnKind::Text;
    fn cell(&self) -> Cell<'_> {
        Cell::Text(self.as_str())
    }
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Text(text) => Amount::parse(text.to_owned()).ok(),
            _ => None,
        }
    }
}

impl<S> Column<S> for String {
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

impl<S> Column<S> for Secret<String> {
    const KIND: ColumnKind = ColumnKind::Text;
    fn cell(&self) -> Cell<'_> {
        Cell::Text(self.expose())
    }
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        <String as Column<S>>::from_cell(cell).map(Secret::new)
    }
}

impl<S> Column<S> for Vec<u8> {
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

impl<S, T: Column<S>> Column<S> for Option<T> {
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

/// Declares the number that each value of an enum is stored as. It is the only place where the number is written: lists
/// and backends take it from here.
///
/// ```
/// # struct Shop;
/// #[derive(Debug, PartialEq)]
/// enum Size { Small, Large }
/// wallet_engine::numbered! { Shop: Size { Small = 1, Large = 2 } }
///
/// use wallet_engine::{Cell, Column};
/// assert_eq!(Column::<Shop>::cell(&Size::Large), Cell::Int(2));
/// assert_eq!(<Size as Column<Shop>>::from_cell(Cell::Int(3)), None);
/// ```
#[macro_export]
macro_rules! numbered {
    ($($Schema:ty: $Type:ty { $($Value:ident = $number:literal),+ $(,)? })+) => { $(
        impl $crate::Column<$Schema> for $Type {
            const KIND: $crate::ColumnKind = $crate::ColumnKind::Int;
            fn cell(&self) -> $crate::Cell<'_> {
                $crate::Cell::Int(match self { $(Self::$Value => $number,)+ })
            }
            fn from_cell(cell: $crate::Cell<'_>) -> ::core::option::Option<Self> {
                match cell {
                    $($crate::Cell::Int($number) => ::core::option::Option::Some(Self::$Value),)+
                    _ => ::core::option::Option::None,
                }
            }
        }
    )+ };
}

/// Declares newtypes of row numbers.
///
/// ```
/// wallet_engine::row_ids! {
///     /// The row number of a cup.
///     CupId;
/// }
/// assert_eq!(CupId(7).0, 7);
/// ```
#[macro_export]
macro_rules! row_ids {
    ($($(#[$doc:meta])* $Name:ident;)+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(pub u64);
        impl<S> $crate::Column<S> for $Name {
            const KIND: $crate::ColumnKind = $crate::ColumnKind::Int;
            fn cell(&self) -> $crate::Cell<'_> {
                <u64 as $crate::Column<S>>::cell(&self.0)
            }
            fn from_cell(cell: $crate::Cell<'_>) -> ::core::option::Option<Self> {
                <u64 as $crate::Column<S>>::from_cell(cell).map(Self)
            }
        }
    )+ };
}
