//! Numbers as digits of 52 bits, the least significant first; what a key needs once. Nothing here branches on a digit.

use zeroize::Zeroizing;

/// The bits of a digit.
pub(crate) const BITS: usize = 52;
pub(crate) const MASK: u64 = (1 << BITS) - 1;

/// The number in big-endian bytes, as `count` digits. Bytes that do not fit must be zero.
pub(crate) fn from_bytes(bytes: &[u8], count: usize) -> Vec<u64> {
    let digit = |at: usize| {
        let (from, shift) = (at * BITS / 8, at * BITS % 8);
        let end = bytes.len().saturating_sub(from);
        let whole = match bytes[..end].last_chunk() {
            Some(eight) => u64::from_be_bytes(*eight),
            None => bytes[..end].iter().fold(0, |whole, byte| whole << 8 | u64::from(*byte)),
        };
        whole >> shift & MASK
    };
    (0..count).map(digit).collect()
}

/// The number in `length` big-endian bytes.
pub(crate) fn to_bytes(digits: &[u64], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let (mut bits, mut count, mut digits) = (0_u128, 0, digits.iter());
    for eight in bytes.rchunks_mut(8) {
        while count < 64 {
            bits |= u128::from(digits.next().copied().unwrap_or(0)) << count;
            count += BITS;
        }
        let whole = (bits as u64).to_be_bytes();
        eight.copy_from_slice(&whole[8 - eight.len()..]);
        (bits, count) = (bits >> 64, count - 64);
    }
    bytes
}

/// `-1 / m` modulo `2^52`, for an odd number whose last digit is `m`.
pub(crate) fn negated_inverse(m: u64) -> u64 {
    // Each step doubles the number of right bits: 3, 6, 12, 24, 48, 96.
    let inverse =
        (0..5).fold(m, |inverse, _| inverse.wrapping_mul(2_u64.wrapping_sub(m.wrapping_mul(inverse))));
    inverse.wrapping_neg() & MASK
}

/// `x · 2^times` modulo `m`, for an `x` below `m` and an `m` whose last bit of all digits is free.
pub(crate) fn doubled(mut x: Vec<u64>, times: usize, m: &[u64]) -> Vec<u64> {
    let mut less = Zeroizing::new(vec![0; m.len()]);
    for _ in 0..times {
        let mut carry = 0;
        for digit in &mut x {
            let sum = (*digit << 1) | carry;
            (*digit, carry) = (sum & MASK, sum >> BITS);
        }
        let mut borrow = 0_u64;
        for ((less, x), m) in less.iter_mut().zip(&x).zip(m) {
            let difference = x.wrapping_sub(*m).wrapping_sub(borrow);
            (*less, borrow) = (difference & MASK, difference >> 63);
        }
        let keeps = borrow.wrapping_neg(); // all ones if x is below m
        for (x, less) in x.iter_mut().zip(less.iter()) {
            *x = (*x & keeps) | (*less & !keeps);
        }
    }
    x
}

/// The number in big-endian bytes, in 64-bit limbs, the least significant first.
pub(crate) fn limbs(bytes: &[u8], count: usize) -> Vec<u64> {
    let mut limbs = vec![0; count];
    for (at, byte) in bytes.iter().rev().enumerate() {
        if let Some(limb) = limbs.get_mut(at / 8) {
            *limb |= u64::from(*byte) << (at % 8 * 8);
        }
    }
    limbs
}

/// `a - small`, for an `a` that is not below `small`.
pub(crate) fn less(a: &[u64], small: u64) -> Vec<u64> {
    let mut borrow = small;
    let step = |limb: &u64| {
        let (difference, under) = limb.overflowing_sub(borrow);
        borrow = u64::from(under);
        difference
    };
    a.iter().map(step).collect()
}

/// `a + factor · b`, one limb longer than they are.
pub(crate) fn plus_product(a: &[u64], factor: u64, b: &[u64]) -> Vec<u64> {
    let mut carry = 0;
    let step = |(a, b): (&u64, &u64)| {
        let sum = u128::from(*a) + u128::from(factor) * u128::from(*b) + u128::from(carry);
        carry = (sum >> 64) as u64;
        sum as u64
    };
    // Large enough: what a vector leaves behind when it grows would not be wiped.
    let mut sum = Vec::with_capacity(a.len() + 1);
    sum.extend(a.iter().zip(b).map(step));
    sum.push(carry);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_digits_are_the_same_number() {
        for length in [1, 6, 7, 13, 64, 65, 128, 256, 512] {
            let bytes: Vec<u8> = (0..length).map(|n| (n * 37 + 11) as u8).collect();
            let digits = from_bytes(&bytes, length * 8 / BITS + 1);
            assert!(digits.iter().all(|digit| *digit <= MASK));
            assert_eq!(to_bytes(&digits, length), bytes);
            assert_eq!(to_bytes(&digits, length + 3)[..3], [0; 3]);
        }
        assert_eq!(from_bytes(&[1, 0, 0, 0, 0, 0, 0, 0], 2), [0, 1 << 4]);
        assert_eq!(limbs(&[1, 0, 0, 0, 0, 0, 0, 0, 2], 2), [2, 1]);
    }

    #[test]
    fn small_numbers_are_right() {
        for m in [1, 3, 5, 0xf_ffff_ffff_ffff, 0x1_2345_6789_abcd] {
            assert_eq!(m_times(m, negated_inverse(m)), MASK, "-1");
        }
        // 2^100 modulo 1,000,003, by numbers of 128 bits.
        assert_eq!(doubled(vec![1, 0], 100, &[1_000_003, 0]), [((1_u128 << 100) % 1_000_003) as u64, 0]);
        let m = [MASK, MASK >> 3];
        let whole = |digits: &[u64]| u128::from(digits[0]) | u128::from(digits[1]) << BITS;
        let x = [12_345, 678];
        let expected = (0..200).fold(whole(&x), |x, _| x * 2 % whole(&m));
        assert_eq!(whole(&doubled(x.to_vec(), 200, &m)), expected);
        assert_eq!(less(&[0, 0, 1], 2), [u64::MAX - 1, u64::MAX, 0]);
        assert_eq!(plus_product(&[u64::MAX, 1], u64::MAX, &[u64::MAX, u64::MAX]), [0, 1, u64::MAX]);
    }

    fn m_times(a: u64, b: u64) -> u64 {
        a.wrapping_mul(b) & MASK
    }
}
