//! Column values in PostgreSQL's binary format: integers as `bigint`, 128-bit integers as `numeric`, text and `bytea`.

use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};
use wallet_engine::{Cell, ColumnKind};

/// The name of a column's type in SQL.
pub(super) const fn type_name(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Int => "bigint",
        ColumnKind::Wide => "numeric",
        ColumnKind::Text => "text",
        ColumnKind::Blob => "bytea",
    }
}

/// A `numeric` has digits of base 10,000.
const BASE: u128 = 10_000;
const NEGATIVE: u16 = 0x4000;

/// Writes an integer as a `numeric`: the number of digits, the weight of the first, the sign, no decimals, the digits.
fn put_numeric(units: i128, out: &mut BytesMut) {
    let mut digits = Vec::new();
    let mut rest = units.unsigned_abs();
    while rest > 0 {
        digits.push(u16::try_from(rest % BASE).unwrap_or_default());
        rest /= BASE;
    }
    let weight = digits.len().saturating_sub(1);
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..zeros);
    out.put_u16(u16::try_from(digits.len()).unwrap_or_default());
    out.put_u16(u16::try_from(weight).unwrap_or_default());
    out.put_u16(if units < 0 { NEGATIVE } else { 0 });
    out.put_u16(0);
    digits.iter().rev().for_each(|digit| out.put_u16(*digit));
}

/// The integer in a `numeric`; `None` if it has decimals, is no number, or does not fit.
fn numeric(bytes: &[u8]) -> Option<i128> {
    let (words, rest) = bytes.as_chunks::<2>();
    let mut words = words.iter().map(|word| u16::from_be_bytes(*word));
    let (count, weight, sign) = (words.next()?, words.next()?.cast_signed(), words.next()?);
    let _decimals = words.next()?;
    let (mut magnitude, mut power) = (0_u128, i32::from(weight));
    for digit in words.by_ref().take(usize::from(count)) {
        let digit = u128::from(digit).checked_mul(BASE.checked_pow(u32::try_from(power).ok()?)?)?;
        magnitude = magnitude.checked_add(digit)?;
        power -= 1;
    }
    if !rest.is_empty() || words.next().is_some() || i32::from(weight) - power != i32::from(count) {
        return None;
    }
    match sign {
        0 => i128::try_from(magnitude).ok(),
        NEGATIVE => 0_i128.checked_sub_unsigned(magnitude),
        _ => None, // NaN, infinity
    }
}

/// Writes a value that is not null.
fn put_value(cell: Cell<'_>, out: &mut BytesMut) {
    match cell {
        Cell::Null => {}
        Cell::Int(int) => out.put_i64(int),
        Cell::Wide(units) => put_numeric(units, out),
        Cell::Text(text) => out.put_slice(text.as_bytes()),
        Cell::Blob(bytes) => out.put_slice(bytes),
    }
}

/// A value, or the values of a column over several rows, as a parameter of a statement.
#[derive(Debug)]
pub(super) enum Parameter {
    One { value: BytesMut, null: bool },
    Many { values: BytesMut, count: i32, nulls: bool },
}

impl Parameter {
    pub(super) fn one(cell: Cell<'_>) -> Self {
        let mut value = BytesMut::new();
        put_value(cell, &mut value);
        Self::One { value, null: cell == Cell::Null }
    }

    pub(super) fn many() -> Self {
        Self::Many { values: BytesMut::new(), count: 0, nulls: false }
    }

    /// Appends a value to an array.
    pub(super) fn push(&mut self, cell: Cell<'_>) {
        let Self::Many { values, count, nulls } = self else { return };
        *count += 1;
        if cell == Cell::Null {
            *nulls = true;
            return values.put_i32(-1);
        }
        let length_at = values.len();
        values.put_i32(0);
        put_value(cell, values);
        let length = i32::try_from(values.len() - length_at - 4).unwrap_or(i32::MAX);
        if let Some(place) = values.get_mut(length_at..length_at + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// The type of an array's elements.
fn element(array: &Type) -> Option<u32> {
    match array.kind() {
        tokio_postgres::types::Kind::Array(element) => Some(element.oid()),
        _ => None,
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::One { null: true, .. } => return Ok(IsNull::Yes),
            Self::One { value, .. } => out.put_slice(value),
            Self::Many { values, count, nulls } => {
                let element = element(ty).ok_or_else(|| format!("{ty} is no array"))?;
                out.put_i32(1); // one dimension
                out.put_i32(i32::from(*nulls));
                out.put_u32(element);
                out.put_i32(*count);
                out.put_i32(1); // the first index
                out.put_slice(values);
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true // each statement names the types of its parameters
    }

    to_sql_checked!();
}

/// A column of a row as it came.
pub(super) struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    accepts!(INT8, NUMERIC, TEXT, BYTEA);
}

impl<'a> Raw<'a> {
    pub(super) fn cell(self, kind: ColumnKind) -> Option<Cell<'a>> {
        let Some(bytes) = self.0 else { return Some(Cell::Null) };
        Some(match kind {
            ColumnKind::Int => Cell::Int(i64::from_be_bytes(bytes.try_into().ok()?)),
            ColumnKind::Wide => Cell::Wide(numeric(bytes)?),
            ColumnKind::Text => Cell::Text(std::str::from_utf8(bytes).ok()?),
            ColumnKind::Blob => Cell::Blob(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numeric_is_read_as_it_was_written() {
        let tens = (0..38)
            .flat_map(|power| [10_i128.pow(power), -(10_i128.pow(power)) + 1, 10_i128.pow(power) * 3 - 7]);
        for units in tens.chain([0, 9_999, 10_000, 10_001, 100_000_000, i128::MAX, i128::MIN]) {
            let mut out = BytesMut::new();
            put_numeric(units, &mut out);
            assert_eq!(numeric(&out), Some(units), "{units}");
        }
        // 1.5: a digit of a negative weight. NaN. A word too many, a word too few.
        assert_eq!(numeric(&[0, 2, 0, 0, 0, 0, 0, 1, 0, 1, 0x13, 0x88]), None);
        assert_eq!(numeric(&[0, 0, 0, 0, 0xc0, 0, 0, 0]), None);
        assert_eq!(numeric(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2]), None);
        assert_eq!(numeric(&[0, 2, 0, 0, 0, 0, 0, 0, 0, 1]), None);
    }
}
