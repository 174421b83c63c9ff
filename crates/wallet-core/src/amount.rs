//! Amounts of money: the text as it was given and its exact value. Never a float.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Every amount, in base units of its coin, is below 10^36 (R12), so that sums stay far from `i128`'s end.
const MAX_DIGITS: usize = 36;

/// A decimal amount as the wire carries it: `^(0|[1-9][0-9]*)(\.[0-9]+)?$`, at most 36 digits that count (R12).
///
/// The text is kept as it was received; comparing goes by value.
#[derive(Clone)]
pub struct Amount<'a> {
    text: Cow<'a, str>,
    /// All digits as one number, and the number of digits after the point.
    mantissa: i128,
    scale: u8,
}

/// Why a text is not an amount, or not one of this coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AmountError {
    /// Not of the form `12` or `12.5`: no sign, no exponent, no leading zeros, digits on both sides of the point.
    Malformed,
    /// 10^36 base units or more.
    TooLarge,
    /// More decimals than the coin has.
    TooPrecise,
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a decimal amount such as 12 or 12.5",
            Self::TooLarge => "the amount is 10^36 base units or more",
            Self::TooPrecise => "more digits behind the point than the coin has",
        })
    }
}

impl std::error::Error for AmountError {}

impl<'a> Amount<'a> {
    /// Reads an amount.
    ///
    /// # Errors
    /// [`AmountError::Malformed`] or [`AmountError::TooLarge`].
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, AmountError> {
        let text = text.into();
        let (mut mantissa, mut point): (i128, _) = (0, None);
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    mantissa = mantissa.saturating_mul(10).saturating_add(i128::from(byte - b'0'));
                }
                b'.' if point.is_none() => point = Some(at),
                _ => return Err(AmountError::Malformed),
            }
        }
        let whole = point.unwrap_or(text.len());
        let fraction = point.map(|at| text.len() - at - 1);
        if whole == 0 || (whole > 1 && text.starts_with('0')) || fraction == Some(0) {
            return Err(AmountError::Malformed);
        }
        let fraction = fraction.unwrap_or(0);
        if fraction > MAX_DIGITS || mantissa >= power_of_ten(MAX_DIGITS) {
            return Err(AmountError::TooLarge);
        }
        let scale = fraction as u8; // at most 36
        Ok(Self { text, mantissa, scale })
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The amount in base units of a coin with so many decimals.
    ///
    /// # Errors
    /// [`AmountError::TooPrecise`] when the text has more digits behind the point than the coin (nothing is ever
    /// rounded), [`AmountError::TooLarge`] at 10^36 base units.
    pub fn units(&self, decimals: u8) -> Result<Units, AmountError> {
        let missing = decimals.checked_sub(self.scale).ok_or(AmountError::TooPrecise)?;
        let factor =
            if usize::from(missing) <= MAX_DIGITS { power_of_ten(missing.into()) } else { i128::MAX };
        match self.mantissa.checked_mul(factor) {
            Some(units) if units < power_of_ten(MAX_DIGITS) => Ok(Units(units)),
            _ => Err(AmountError::TooLarge),
        }
    }

    /// Whether the amount is 0.
    pub fn is_zero(&self) -> bool {
        self.mantissa == 0
    }

    /// Converts to an owned value.
    pub fn into_owned(self) -> Amount<'static> {
        Amount { text: Cow::Owned(self.text.into_owned()), mantissa: self.mantissa, scale: self.scale }
    }
}

/// 10^exponent for exponents up to 36.
fn power_of_ten(exponent: usize) -> i128 {
    10_i128.pow(exponent.min(MAX_DIGITS) as u32)
}

impl FromStr for Amount<'static> {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        Self::parse(text.to_owned())
    }
}

impl PartialEq for Amount<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Amount<'_> {}

impl PartialOrd for Amount<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // Whole parts first: bringing both to one scale could overflow.
        let (one, two) = (power_of_ten(self.scale.into()), power_of_ten(other.scale.into()));
        (self.mantissa / one).cmp(&(other.mantissa / two)).then_with(|| {
            let aligned = |rest: i128, scale: u8| rest * power_of_ten(MAX_DIGITS - usize::from(scale));
            aligned(self.mantissa % one, self.scale).cmp(&aligned(other.mantissa % two, other.scale))
        })
    }
}

impl fmt::Debug for Amount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Amount({})", self.text)
    }
}

impl fmt::Display for Amount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An exact number of base units of one coin. Signed, so that entries can be summed; overflow is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Units(i128);

impl Units {
    /// Zero.
    pub const ZERO: Units = Units(0);

    /// The exclusive upper bound of amounts: 10^36 (R12).
    pub const LIMIT: Units = Units(10_i128.pow(MAX_DIGITS as u32));

    /// From a number of base units.
    pub const fn new(units: i128) -> Self {
        Self(units)
    }

    /// The number.
    pub const fn get(self) -> i128 {
        self.0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`AmountError::TooLarge`] if it leaves `i128`; likewise for the other operations.
    pub fn plus(self, other: Units) -> Result<Units, AmountError> {
        self.0.checked_add(other.0).map(Units).ok_or(AmountError::TooLarge)
    }

    /// The difference.
    ///
    /// # Errors
    /// As [`plus`](Self::plus).
    pub fn minus(self, other: Units) -> Result<Units, AmountError> {
        self.0.checked_sub(other.0).map(Units).ok_or(AmountError::TooLarge)
    }

    /// The negated value.
    ///
    /// # Errors
    /// As [`plus`](Self::plus).
    pub fn negated(self) -> Result<Units, AmountError> {
        self.0.checked_neg().map(Units).ok_or(AmountError::TooLarge)
    }

    /// `parts` millionths of this, rounded up to a whole base unit (R23: a fee is rounded up, once).
    ///
    /// # Errors
    /// As [`plus`](Self::plus).
    pub fn millionths_rounded_up(self, parts: u32) -> Result<Units, AmountError> {
        const MILLION: i128 = 1_000_000;
        let parts = i128::from(parts);
        let (whole, rest) = (self.0.div_euclid(MILLION), self.0.rem_euclid(MILLION));
        let part = (rest * parts + MILLION - 1) / MILLION; // `rest` is below 10^6, `parts` below 2^32
        let units = whole.checked_mul(parts).and_then(|whole| whole.checked_add(part));
        units.map(Units).ok_or(AmountError::TooLarge)
    }

    /// As a decimal text of a coin with so many decimals, without trailing zeros: `1500000` of 6 is `1.5`. Negative units
    /// have a minus sign, so the text is not always an [`Amount`].
    pub fn to_decimal(self, decimals: u8) -> String {
        let digits = format!("{:0>width$}", self.0.unsigned_abs(), width = usize::from(decimals) + 1);
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(decimals));
        let fraction = fraction.trim_end_matches('0');
        let sign = if self.0 < 0 { "-" } else { "" };
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// As an amount of a coin with so many decimals, without trailing zeros.
    ///
    /// # Errors
    /// [`AmountError`] if [`Amount::parse`] refuses the text: the units are negative or too large.
    pub fn to_amount(self, decimals: u8) -> Result<Amount<'static>, AmountError> {
        Amount::parse(self.to_decimal(decimals))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r12_only_plain_decimals_are_amounts() {
        for good in ["0", "1", "10", "0.1", "1.4600", "0.000000000000000000000000000000000001"] {
            assert_eq!(Amount::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "", ".", "1.", ".5", "01", "00", "-1", "+1", "1e3", "1,5", " 1", "1 ", "1.5.1", "１", "0x1",
            "NaN",
        ] {
            assert_eq!(Amount::parse(bad), Err(AmountError::Malformed), "{bad}");
        }
        let largest = "9".repeat(36);
        assert!(Amount::parse(largest.as_str()).is_ok());
        assert_eq!(Amount::parse(format!("1{}", "0".repeat(36))), Err(AmountError::TooLarge));
        assert_eq!(Amount::parse("9".repeat(5000)), Err(AmountError::TooLarge));
    }

    #[test]
    fn r12_units_are_exact_or_refused() {
        let units =
            |text: &str, decimals| Amount::parse(text.to_owned()).unwrap().units(decimals).map(Units::get);
        assert_eq!(units("1.5", 6), Ok(1_500_000));
        assert_eq!(units("0.000001", 6), Ok(1));
        assert_eq!(units("0.0000001", 6), Err(AmountError::TooPrecise));
        assert_eq!(units("1.0", 0), Err(AmountError::TooPrecise));
        assert_eq!(units("1000000000000000000", 18), Err(AmountError::TooLarge));
        assert_eq!(units("999999999999999999", 18), Ok(999_999_999_999_999_999 * 10_i128.pow(18)));
    }

    #[test]
    fn amounts_compare_by_value() {
        let amount = |text: &str| Amount::parse(text.to_owned()).unwrap();
        assert_eq!(amount("1.46"), amount("1.4600"));
        assert!(amount("0.9") < amount("1"));
        assert!(amount("9".repeat(36).as_str()) > amount("0.1"));
    }

    #[test]
    fn units_round_up_once_and_print_without_trailing_zeros() {
        let part = |units, parts| Units(units).millionths_rounded_up(parts).map(Units::get);
        assert_eq!(part(1, 1), Ok(1));
        assert_eq!(part(1_000_000, 1), Ok(1));
        assert_eq!(part(1_000_001, 1), Ok(2));
        assert_eq!(part(-1_000_001, 1), Ok(-1));
        assert_eq!(part(10_i128.pow(36) - 1, 1_000_000), Ok(10_i128.pow(36) - 1));
        assert_eq!(Units(1_500_000).to_decimal(6), "1.5");
        assert_eq!(Units(0).to_decimal(6), "0");
        assert_eq!(Units(-1).to_decimal(6), "-0.000001");
        assert_eq!(Units(5).to_decimal(0), "5");
    }

    #[test]
    fn arithmetic_that_leaves_i128_is_an_error() {
        let (least, most) = (Units(i128::MIN), Units(i128::MAX));
        assert_eq!(most.millionths_rounded_up(u32::MAX), Err(AmountError::TooLarge));
        assert_eq!(most.plus(Units(1)), Err(AmountError::TooLarge));
        assert_eq!(least.minus(Units(1)), Err(AmountError::TooLarge));
        assert_eq!(least.negated(), Err(AmountError::TooLarge));
    }

    #[test]
    fn units_become_an_amount_only_if_its_text_is_one() {
        assert_eq!(Units(1_500_000).to_amount(6).unwrap(), Amount::parse("1.5").unwrap());
        assert_eq!(Units(-1).to_amount(6), Err(AmountError::Malformed));
        assert_eq!(Units(10_i128.pow(36)).to_amount(0), Err(AmountError::TooLarge));
        assert_eq!(Units(1).to_amount(40), Err(AmountError::TooLarge));
    }
}
