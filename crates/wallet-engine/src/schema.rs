//! Schemas, and the macros that declare them.

use std::fmt::Debug;
use std::hash::Hash;

use crate::backend::Backend;
use crate::column::{Cell, CellSource, Column, ColumnKind};
use crate::command::Stop;
use crate::error::StoreError;
use crate::rows::{Change, Table};

/// A set of tables, what decisions on them may know, and how they refuse. [`schema!`](crate::schema) implements it.
pub trait Schema: Sized + 'static {
    /// Keys and settings that decisions may use beside rows, time and row numbers; `()` for a schema that needs none.
    type Vault: Clone + Send + Sync + 'static;
    /// How a decision ends early.
    type Stop: Stop;
    /// The tables of a working set.
    type Tables: Default + Debug + Send;
    /// A row of any table.
    type AnyRow: Clone + Debug + Send + 'static;
    /// A key of any table.
    type AnyKey: Clone + Debug + Eq + Hash + Send + 'static;
    /// Every table, in the order in which a batch writes them.
    const TABLES: &'static [&'static TableMeta];

    /// Records the backend's row of a key, unless the key is known already.
    fn loaded(tables: &mut Self::Tables, key: Self::AnyKey, row: Option<Self::AnyRow>);
    /// Applies one change.
    fn absorb(tables: &mut Self::Tables, change: Change<Self>);
    /// Writes every changed row, table by table, each by key.
    ///
    /// # Errors
    /// The backend's.
    fn write<B: Backend<Self>>(tables: &Self::Tables, backend: &mut B) -> Result<(), StoreError>;
    /// Whether any row has changed.
    fn is_dirty(tables: &Self::Tables) -> bool;
    /// Forgets every row and keeps the memory.
    fn clear(tables: &mut Self::Tables);
    /// Keeps rows for the next batch, now that the changes are committed.
    fn keep(tables: &mut Self::Tables);
    /// Reads a row of table `at` of [`TABLES`](Self::TABLES); `None` if a column holds a value that its type does not have.
    fn read(at: usize, cells: &dyn CellSource) -> Option<Self::AnyRow>;
    /// Passes the value of each column of a row to `put`, keys first.
    fn cells(row: &Self::AnyRow, put: &mut dyn FnMut(Cell<'_>));
    /// The key of a row.
    fn key(row: &Self::AnyRow) -> Self::AnyKey;
    /// Passes the value of each column of a key to `put`.
    fn key_cells(key: &Self::AnyKey, put: &mut dyn FnMut(Cell<'_>));
    /// The position of a key's table in [`TABLES`](Self::TABLES).
    fn table_of_key(key: &Self::AnyKey) -> usize;
    /// The position of a row's table in [`TABLES`](Self::TABLES).
    fn table_of(row: &Self::AnyRow) -> usize;
}

/// A table, as backends need it.
#[derive(Debug, PartialEq, Eq)]
pub struct TableMeta {
    /// Its name.
    pub name: &'static str,
    /// Its columns, keys first.
    pub columns: &'static [ColumnMeta],
}

/// A column.
#[derive(Debug, PartialEq, Eq)]
pub struct ColumnMeta {
    /// Its name.
    pub name: &'static str,
    /// The kind of its values.
    pub kind: ColumnKind,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether it is part of the key.
    pub key: bool,
}

impl ColumnMeta {
    /// A column of schema `S` that holds values of `C`.
    pub const fn of<S, C: Column<S>>(name: &'static str, key: bool) -> Self {
        Self { name, kind: C::KIND, nullable: C::NULLABLE, key }
    }
}

/// A row of one table. [`rows!`](crate::rows) implements it.
pub trait Row: Clone + Debug + Sized + Send + 'static {
    /// The schema that declares it, and with it how its columns are stored.
    type Schema: Schema;
    /// Its key.
    type Key: Clone + Debug + Ord + Hash + Send;
    /// Its table.
    const TABLE: &'static TableMeta;
    /// The key of this row.
    fn key(&self) -> Self::Key;
    /// Passes the value of each column to `put`, keys first.
    fn cells(&self, put: &mut dyn FnMut(Cell<'_>));
    /// Passes the value of each key column to `put`.
    fn key_cells(key: &Self::Key, put: &mut dyn FnMut(Cell<'_>));
    /// Reads a row; `None` if a column holds a value that its type does not have.
    fn read(cells: &dyn CellSource) -> Option<Self>;
}

/// A schema that has the table of row type `E`. [`schema!`](crate::schema) implements it for each table that it lists.
///
/// Several schemas may list one row type: commands that are generic over `S: HasTable<E>` run in each of them.
pub trait HasTable<E: Row>: Schema {
    /// The position of the table in [`Schema::TABLES`].
    const AT: usize;
    /// The table in a working set.
    fn table(tables: &Self::Tables) -> &Table<E>;
    /// The table in a working set.
    fn table_mut(tables: &mut Self::Tables) -> &mut Table<E>;
    /// The row as a row of any table.
    fn any_row(row: E) -> Self::AnyRow;
    /// The row, if it is of this table.
    fn row_of(any: &Self::AnyRow) -> Option<&E>;
    /// The key as a key of any table.
    fn any_key(key: E::Key) -> Self::AnyKey;
}

/// Declares the row types of some tables of a schema. Each column is also a constant of its row type, for
/// [`List`](crate::List). See the [crate's](crate) example.
#[macro_export]
macro_rules! rows {
    (in $Schema:ty; $(
        $(#[$doc:meta])*
        $table:ident: $Row:ident {
            key { $($(#[$kdoc:meta])* $k:ident: $K:ty,)+ }
            $($(#[$cdoc:meta])* $c:ident: $C:ty,)*
        }
    )+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $Row {
            $($(#[$kdoc])* pub $k: $K,)+
            $($(#[$cdoc])* pub $c: $C,)*
        }

        const _: () = {
            #[allow(non_camel_case_types)]
            enum At { $($k,)+ $($c,)* }

            #[allow(non_upper_case_globals)]
            impl $Row {
                $(
                    #[doc = concat!("The column `", stringify!($k), "`.")]
                    pub const $k: $crate::Col<Self, $K> = $crate::Col::new(At::$k as usize);
                )+
                $(
                    #[doc = concat!("The column `", stringify!($c), "`.")]
                    pub const $c: $crate::Col<Self, $C> = $crate::Col::new(At::$c as usize);
                )*
            }

            impl $crate::Row for $Row {
                type Schema = $Schema;
                type Key = ($($K,)+);
                const TABLE: &'static $crate::TableMeta = &$crate::TableMeta {
                    name: stringify!($table),
                    columns: &[
                        $($crate::ColumnMeta::of::<$Schema, $K>(stringify!($k), true),)+
                        $($crate::ColumnMeta::of::<$Schema, $C>(stringify!($c), false),)*
                    ],
                };
                fn key(&self) -> Self::Key {
                    ($(self.$k.clone(),)+)
                }
                fn cells(&self, put: &mut dyn FnMut($crate::Cell<'_>)) {
                    $(put($crate::Column::<$Schema>::cell(&self.$k));)+
                    $(put($crate::Column::<$Schema>::cell(&self.$c));)*
                }
                fn key_cells(key: &Self::Key, put: &mut dyn FnMut($crate::Cell<'_>)) {
                    let ($($k,)+) = key;
                    $(put($crate::Column::<$Schema>::cell($k));)+
                }
                fn read(cells: &dyn $crate::CellSource) -> ::core::option::Option<Self> {
                    ::core::option::Option::Some(Self {
                        $($k: {
                            let cell = cells.cell(At::$k as usize, <$K as $crate::Column<$Schema>>::KIND)?;
                            <$K as $crate::Column<$Schema>>::from_cell(cell)?
                        },)+
                        $($c: {
                            let cell = cells.cell(At::$c as usize, <$C as $crate::Column<$Schema>>::KIND)?;
                            <$C as $crate::Column<$Schema>>::from_cell(cell)?
                        },)*
                    })
                }
            }
        };
    )+ };
}

/// Declares a schema: its tables by row type, what decisions may use, and how they refuse. Makes `AnyRow`, `AnyKey` and
/// `Tables` beside it. See the [crate's](crate) example.
#[macro_export]
macro_rules! schema {
    (
        $(#[$doc:meta])*
        $vis:vis struct $Schema:ident;
        vault: $Vault:ty;
        stop: $Stop:ty;
        $($table:ident: $Row:ident,)+
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis struct $Schema;

        /// The position of each table.
        #[derive(Clone, Copy)]
        enum Position { $($Row,)+ }

        /// A row of any table.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(clippy::large_enum_variant)] // most rows are large
        $vis enum AnyRow { $(#[doc = concat!("Of table `", stringify!($table), "`.")] $Row($Row),)+ }

        /// A key of any table.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        $vis enum AnyKey {
            $(#[doc = concat!("Of table `", stringify!($table), "`.")] $Row(<$Row as $crate::Row>::Key),)+
        }

        /// The tables of a working set.
        #[derive(Debug, Default)]
        $vis struct Tables { $($table: $crate::Table<$Row>,)+ }

        impl $crate::Schema for $Schema {
            type Vault = $Vault;
            type Stop = $Stop;
            type Tables = Tables;
            type AnyRow = AnyRow;
            type AnyKey = AnyKey;
            const TABLES: &'static [&'static $crate::TableMeta] = &[$(<$Row as $crate::Row>::TABLE,)+];

            fn loaded(tables: &mut Tables, key: AnyKey, row: ::core::option::Option<AnyRow>) {
                match key {
                    $(AnyKey::$Row(key) => {
                        let row = row.and_then(|row| match row {
                            AnyRow::$Row(row) => ::core::option::Option::Some(row),
                            #[allow(unreachable_patterns)] // a schema may have one table
                            _ => ::core::option::Option::None,
                        });
                        tables.$table.loaded(key, row);
                    })+
                }
            }
            fn absorb(tables: &mut Tables, change: $crate::Change<Self>) {
                match change {
                    $(
                        $crate::Change::Put(AnyRow::$Row(row)) => tables.$table.put($crate::Row::key(&row), Some(row)),
                        $crate::Change::Delete(AnyKey::$Row(key)) => tables.$table.put(key, None),
                    )+
                }
            }
            fn write<B: $crate::Backend<Self>>(
                tables: &Tables,
                backend: &mut B,
            ) -> ::core::result::Result<(), $crate::StoreError> {
                $(tables.$table.write(backend)?;)+
                ::core::result::Result::Ok(())
            }
            fn is_dirty(tables: &Tables) -> bool {
                false $(|| tables.$table.is_dirty())+
            }
            fn clear(tables: &mut Tables) {
                $(tables.$table.clear();)+
            }
            fn keep(tables: &mut Tables) {
                $(tables.$table.keep();)+
            }
            fn read(at: usize, cells: &dyn $crate::CellSource) -> ::core::option::Option<AnyRow> {
                $(if at == Position::$Row as usize {
                    return <$Row as $crate::Row>::read(cells).map(AnyRow::$Row);
                })+
                ::core::option::Option::None
            }
            fn cells(row: &AnyRow, put: &mut dyn FnMut($crate::Cell<'_>)) {
                match row { $(AnyRow::$Row(row) => $crate::Row::cells(row, put),)+ }
            }
            fn key(row: &AnyRow) -> AnyKey {
                match row { $(AnyRow::$Row(row) => AnyKey::$Row($crate::Row::key(row)),)+ }
            }
            fn key_cells(key: &AnyKey, put: &mut dyn FnMut($crate::Cell<'_>)) {
                match key { $(AnyKey::$Row(key) => <$Row as $crate::Row>::key_cells(key, put),)+ }
            }
            fn table_of_key(key: &AnyKey) -> usize {
                match key { $(AnyKey::$Row(_) => Position::$Row as usize,)+ }
            }
            fn table_of(row: &AnyRow) -> usize {
                match row { $(AnyRow::$Row(_) => Position::$Row as usize,)+ }
            }
        }

        $(
            impl $crate::HasTable<$Row> for $Schema {
                const AT: usize = Position::$Row as usize;
                fn table(tables: &Tables) -> &$crate::Table<$Row> {
                    &tables.$table
                }
                fn table_mut(tables: &mut Tables) -> &mut $crate::Table<$Row> {
                    &mut tables.$table
                }
                fn any_row(row: $Row) -> AnyRow {
                    AnyRow::$Row(row)
                }
                fn row_of(any: &AnyRow) -> ::core::option::Option<&$Row> {
                    match any {
                        AnyRow::$Row(row) => ::core::option::Option::Some(row),
                        #[allow(unreachable_patterns)] // a schema may have one table
                        _ => ::core::option::Option::None,
                    }
                }
                fn any_key(key: <$Row as $crate::Row>::Key) -> AnyKey {
                    AnyKey::$Row(key)
                }
            }
        )+
    };
}
