//! Lists: which rows of a table a query wants, as data. Each backend interprets it.

use std::fmt;
use std::marker::PhantomData;

use crate::column::{Cell, Column};
use crate::schema::{HasTable, Row};

/// A column of row `R` that holds values of `T`. [`rows!`](crate::rows) makes one for each column.
pub struct Col<R, T>(usize, PhantomData<fn() -> (R, T)>);

impl<R, T> Clone for Col<R, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, T> Copy for Col<R, T> {}

impl<R: Row, T> fmt::Debug for Col<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(R::TABLE.columns.get(self.0).map_or("?", |column| column.name))
    }
}

impl<R, T> Col<R, T> {
    #[doc(hidden)]
    pub const fn new(at: usize) -> Self {
        Self(at, PhantomData)
    }
}

impl<R: Row, T: Column<R::Schema>> Col<R, T> {
    fn filter(self, test: Test, value: &T) -> Filter<R> {
        self.made(test, value.cell().into())
    }

    fn made(self, test: Test, operand: Operand) -> Filter<R> {
        Filter(Condition { column: self.0, test, operand, literal: false }, PhantomData)
    }

    /// Equal to a value.
    pub fn is(self, value: T) -> Filter<R> {
        self.filter(Test::Equal, &value)
    }

    /// Less than a value.
    pub fn below(self, value: T) -> Filter<R> {
        self.filter(Test::Less, &value)
    }

    /// Less than a value, or equal.
    pub fn at_most(self, value: T) -> Filter<R> {
        self.filter(Test::LessOrEqual, &value)
    }

    /// Greater than a value.
    pub fn above(self, value: T) -> Filter<R> {
        self.filter(Test::Greater, &value)
    }

    /// Greater than a value, or equal.
    pub fn at_least(self, value: T) -> Filter<R> {
        self.filter(Test::GreaterOrEqual, &value)
    }

    /// In one of so many equal shares, by [`share_of`]. Only for columns that hold integers.
    pub fn in_share(self, share: u32, of: u32) -> Filter<R> {
        self.made(Test::InShare { of: of.max(1) }, Operand::Int(i64::from(share)))
    }

    /// None of these values. Only for columns that hold integers.
    pub fn none_of(self, values: &[T]) -> Filter<R> {
        let ints = values.iter().map(|value| match value.cell() {
            Cell::Int(int) => int,
            other => unreachable!("{self:?} holds integers, not {other:?}"), // a fault of the declaration
        });
        let ints = ints.collect();
        self.made(Test::NoneOf, Operand::Ints(ints))
    }
}

/// One condition on rows of `R`.
#[derive(Debug)]
pub struct Filter<R>(Condition, PhantomData<fn() -> R>);

impl<R> Filter<R> {
    /// Marks the value as a constant. The backend writes it into the SQL text instead of binding it, so that a partial index
    /// with this condition can serve the list. Only for integers.
    #[must_use]
    pub fn always(self) -> Self {
        Self(Condition { literal: true, ..self.0 }, PhantomData)
    }
}

/// The rows of a table that meet every filter, in an order, at most so many.
///
/// The rows come from what is committed, so only queries ask for lists. See [`Rows::list`](crate::Rows::list).
#[derive(Debug)]
pub struct List<R> {
    conditions: Vec<Condition>,
    order: Vec<Order>,
    limit: Option<u64>,
    row: PhantomData<fn() -> R>,
}

impl<R: Row> Default for List<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Row> List<R> {
    /// Every row, in no particular order.
    pub fn new() -> Self {
        Self { conditions: Vec::new(), order: Vec::new(), limit: None, row: PhantomData }
    }

    /// Only rows that meet this filter too.
    #[must_use]
    pub fn only(mut self, filter: Filter<R>) -> Self {
        self.conditions.push(filter.0);
        self
    }

    /// Only rows that meet this filter too, if there is one.
    #[must_use]
    pub fn only_if(self, filter: Option<Filter<R>>) -> Self {
        match filter {
            Some(filter) => self.only(filter),
            None => self,
        }
    }

    /// Then by this column, the smallest value first.
    #[must_use]
    pub fn ascending<T>(self, column: Col<R, T>) -> Self {
        self.ordered(column, false)
    }

    /// Then by this column, the greatest value first.
    #[must_use]
    pub fn descending<T>(self, column: Col<R, T>) -> Self {
        self.ordered(column, true)
    }

    fn ordered<T>(mut self, Col(column, _): Col<R, T>, descending: bool) -> Self {
        self.order.push(Order { column, descending });
        self
    }

    /// At most so many rows.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// As plain data, of a table of this schema.
    pub fn into_data<S: HasTable<R>>(self) -> ListOf {
        ListOf { table: S::AT, conditions: self.conditions, order: self.order, limit: self.limit }
    }
}

/// A list, as plain data: what a backend interprets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListOf {
    /// Its table's position in [`Schema::TABLES`](crate::Schema::TABLES).
    pub table: usize,
    /// The conditions that each row meets.
    pub conditions: Vec<Condition>,
    /// The columns of the order.
    pub order: Vec<Order>,
    /// The largest number of rows in the answer.
    pub limit: Option<u64>,
}

/// A condition on a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The column's position in its table.
    pub column: usize,
    /// The comparison.
    pub test: Test,
    /// The operand.
    pub operand: Operand,
    /// Whether the operand is the same in every such list; see [`Filter::always`].
    pub literal: bool,
}

/// A comparison of a column with an operand. Null meets none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Test {
    /// Equal.
    Equal,
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterOrEqual,
    /// Equal to none of [`Operand::Ints`].
    NoneOf,
    /// Its [share](share_of) is the operand.
    InShare {
        /// The number of shares, above 0.
        of: u32,
    },
}

/// The number of integers in a row that are in the same share.
pub const IN_A_ROW: i64 = 64;

/// The share of an integer among so many. Row numbers of one kind have steps in common, which may be all even, so neighbours
/// are in the same share.
pub const fn share_of(int: i64, of: u32) -> i64 {
    int / IN_A_ROW % of as i64
}

/// The operand of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operand {
    /// No value: the condition is met by no row.
    Null,
    /// An integer.
    Int(i64),
    /// A 128-bit integer.
    Wide(i128),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// Integers, for [`Test::NoneOf`].
    Ints(Vec<i64>),
}

impl From<Cell<'_>> for Operand {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Int(int) => Self::Int(int),
            Cell::Wide(wide) => Self::Wide(wide),
            Cell::Text(text) => Self::Text(text.to_owned()),
            Cell::Blob(bytes) => Self::Blob(bytes.to_owned()),
        }
    }
}

impl Operand {
    /// The value; null for [`Ints`](Self::Ints), which no single column equals.
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null | Self::Ints(_) => Cell::Null,
            Self::Int(int) => Cell::Int(*int),
            Self::Wide(wide) => Cell::Wide(*wide),
            Self::Text(text) => Cell::Text(text),
            Self::Blob(bytes) => Cell::Blob(bytes),
        }
    }
}

impl Condition {
    /// Whether a value meets it.
    pub fn accepts(&self, cell: Cell<'_>) -> bool {
        let operand = match (&self.operand, cell) {
            (Operand::Null, _) | (_, Cell::Null) => return false,
            (Operand::Ints(ints), Cell::Int(int)) => return !ints.contains(&int),
            (operand, _) => operand.cell(),
        };
        match self.test {
            Test::Equal => cell == operand,
            Test::Less => cell < operand,
            Test::LessOrEqual => cell <= operand,
            Test::Greater => cell > operand,
            Test::GreaterOrEqual => cell >= operand,
            Test::NoneOf => cell != operand,
            Test::InShare { of } => match (cell, operand) {
                (Cell::Int(int), Cell::Int(share)) => share_of(int, of) == share,
                _ => false,
            },
        }
    }
}

/// One column of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Order {
    /// The column's position in its table.
    pub column: usize,
    /// Whether the greatest value comes first.
    pub descending: bool,
}
