//! Eight numbers at once, one in each 64-bit lane of AVX-512 registers, with digits of 52 bits for the multipliers of IFMA.
//!
//! Values stay below twice their modulus between multiplications: the digits of a number have 8 to 64 bits more than its modulus, so a
//! product is below twice the modulus again without a subtraction ("almost Montgomery", Gueron and Krasnov 2012). No branch and no address depends on a digit.

use std::arch::x86_64::{
    __m512i, __mmask8, _mm_cvtsi128_si64, _mm512_add_epi64, _mm512_alignr_epi64, _mm512_and_si512,
    _mm512_castsi512_si128, _mm512_cmpeq_epi64_mask, _mm512_cmplt_epi64_mask, _mm512_madd52hi_epu64,
    _mm512_madd52lo_epu64, _mm512_mask_blend_epi64, _mm512_mask_mov_epi64, _mm512_set_epi64,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_srai_epi64, _mm512_srli_epi64, _mm512_sub_epi64,
};
use std::hint::black_box;

use zeroize::Zeroizing;

use crate::LANES;
use crate::digits::MASK;

/// The bits of an exponent that one multiplication takes.
const WINDOW: usize = 4;

/// One digit of eight numbers.
type V = __m512i;

/// Eight numbers of `K` digits.
pub(crate) type Wide<const K: usize> = [V; K];

/// A modulus in each lane.
pub(crate) struct Moduli<const K: usize> {
    m: Wide<K>,
    /// `-1 / m` modulo `2^52`.
    k0: V,
}

/// Whether this machine has the instructions.
pub(crate) fn are_there() -> bool {
    std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512ifma")
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn lanes(of: impl Fn(usize) -> u64) -> V {
    let of = |lane| of(lane).cast_signed();
    _mm512_set_epi64(of(7), of(6), of(5), of(4), of(3), of(2), of(1), of(0))
}

/// Takes a number for each lane.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn load<const K: usize>(numbers: [&[u64]; LANES]) -> Wide<K> {
    let mut wide = [_mm512_setzero_si512(); K];
    for (at, digits) in wide.iter_mut().enumerate() {
        *digits = lanes(|lane| numbers[lane].get(at).copied().unwrap_or(0));
    }
    wide
}

/// The number of each lane.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn store<const K: usize>(wide: &Wide<K>) -> [Zeroizing<Vec<u64>>; LANES] {
    macro_rules! lane {
        ($n:literal) => {{
            let first = |digits: V| {
                let turned = _mm512_alignr_epi64::<$n>(digits, digits);
                _mm_cvtsi128_si64(_mm512_castsi512_si128(turned)).cast_unsigned()
            };
            Zeroizing::new(wide.iter().map(|digits| first(*digits)).collect())
        }};
    }
    [lane!(0), lane!(1), lane!(2), lane!(3), lane!(4), lane!(5), lane!(6), lane!(7)]
}

impl<const K: usize> Moduli<K> {
    /// Odd moduli, each with its `-1 / m` modulo `2^52`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn new(moduli: [&[u64]; LANES], k0: [u64; LANES]) -> Self {
        Self { m: load(moduli), k0: lanes(|lane| k0[lane]) }
    }

    /// Replaces `x` by `x · b / 2^(52 K)` modulo the moduli, below twice them (Montgomery). Takes factors whose product is below `2^(52 K)`
    /// times their modulus.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn multiply(&self, x: &mut Wide<K>, b: &Wide<K>) {
        match K {
            10 => multiply_10(same_mut(x), same(b), same(&self.m), self.k0),
            20 => multiply_20(same_mut(x), same(b), same(&self.m), self.k0),
            _ => multiply_in_memory(x, b, &self.m, self.k0),
        }
    }

    /// The same for `x · x`, in fewer steps.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn square(&self, x: &mut Wide<K>) {
        match K {
            10 => square_10(same_mut(x), same(&self.m), self.k0),
            20 => square_20(same_mut(x), same(&self.m), self.k0),
            _ => square_in_memory(x, &self.m, self.k0),
        }
    }

    /// `a · b`, as [`multiply`](Self::multiply) makes it.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn times(&self, a: &Wide<K>, b: &Wide<K>) -> Wide<K> {
        let mut product = *a;
        self.multiply(&mut product, b);
        product
    }

    /// The number below the modulus, of one below twice it.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn reduced(&self, x: &Wide<K>) -> Wide<K> {
        let mut less = *x;
        for (less, m) in less.iter_mut().zip(&self.m) {
            *less = _mm512_sub_epi64(*less, *m);
        }
        let borrow = carried(&mut less);
        let is_below = _mm512_cmplt_epi64_mask(borrow, _mm512_setzero_si512());
        chosen(is_below, x, &less)
    }

    /// `base` to the power of each lane's exponent. `base`, `one` and the result have the factor `2^(52 K)`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn power(&self, base: &Wide<K>, exponents: &Windows, one: &Wide<K>) -> Wide<K> {
        let mut powers = [*one; 1 << WINDOW];
        powers[1] = *base;
        for at in 2..powers.len() {
            powers[at] = self.times(&powers[at - 1], base);
        }
        let mut product = *one;
        for (at, window) in exponents.0.iter().rev().enumerate() {
            if at > 0 {
                for _ in 0..WINDOW {
                    self.square(&mut product);
                }
            }
            self.multiply(&mut product, &picked(&powers, lanes(|lane| window[lane])));
        }
        product
    }

    /// `x - y + 2 m`, for an `x` below `m` and a `y` below `2 m`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn difference(&self, x: &Wide<K>, y: &Wide<K>) -> Wide<K> {
        let mut difference = *x;
        for ((difference, y), m) in difference.iter_mut().zip(y).zip(&self.m) {
            let twice = _mm512_add_epi64(*m, *m);
            *difference = _mm512_add_epi64(*difference, _mm512_sub_epi64(twice, *y));
        }
        carried(&mut difference);
        difference
    }
}

/// Makes digits of 52 bits of larger and negative ones; returns what is left above the last one.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn carried<const K: usize>(digits: &mut Wide<K>) -> V {
    let mask = _mm512_set1_epi64(MASK.cast_signed());
    let mut carry = _mm512_setzero_si512();
    for digit in digits {
        let sum = _mm512_add_epi64(*digit, carry);
        (*digit, carry) = (_mm512_and_si512(sum, mask), _mm512_srai_epi64(sum, 52));
    }
    carry
}

/// `a` in the lanes of the mask, `b` in the others.
#[target_feature(enable = "avx512f,avx512ifma")]
fn chosen<const K: usize>(mask: __mmask8, a: &Wide<K>, b: &Wide<K>) -> Wide<K> {
    let mut chosen = *b;
    for (chosen, a) in chosen.iter_mut().zip(a) {
        *chosen = _mm512_mask_blend_epi64(mask, *chosen, *a);
    }
    chosen
}

/// The power that each lane's index names. All of them are read, whatever the indices are.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn picked<const K: usize>(powers: &[Wide<K>; 1 << WINDOW], index: V) -> Wide<K> {
    let mut picked = powers[0];
    let mut at = _mm512_setzero_si512();
    for power in &powers[1..] {
        at = _mm512_add_epi64(at, _mm512_set1_epi64(1));
        let is_it = _mm512_cmpeq_epi64_mask(index, at);
        for (picked, digit) in picked.iter_mut().zip(power) {
            *picked = _mm512_mask_mov_epi64(*picked, is_it, *digit);
        }
    }
    picked
}

/// The sum of two numbers, below `2^(52 K)`.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn sum<const K: usize>(a: &Wide<K>, b: &Wide<K>) -> Wide<K> {
    let mut sum = *a;
    for (sum, b) in sum.iter_mut().zip(b) {
        *sum = _mm512_add_epi64(*sum, *b);
    }
    carried(&mut sum);
    sum
}

/// `a · b + c` in twice the digits.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn product_and_sum<const K: usize, const L: usize>(
    a: &Wide<K>,
    b: &Wide<K>,
    c: &Wide<K>,
) -> Wide<L> {
    let mut product = [_mm512_setzero_si512(); L];
    product[..K].copy_from_slice(c);
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            product[i + j] = _mm512_madd52lo_epu64(product[i + j], *a, *b);
            product[i + j + 1] = _mm512_madd52hi_epu64(product[i + j + 1], *a, *b);
        }
    }
    carried(&mut product);
    product
}

/// The exponents of all lanes in windows, the lowest first.
pub(crate) struct Windows(Vec<[u64; LANES]>);

impl Windows {
    /// Of exponents of so many bits, in 64-bit limbs.
    pub(crate) fn new(exponents: &[Vec<u64>; LANES], bits: usize) -> Self {
        let window = |at: usize| {
            std::array::from_fn(|lane| {
                let limb = exponents[lane].get(at * WINDOW / 64).copied().unwrap_or(0);
                limb >> (at * WINDOW % 64) & ((1 << WINDOW) - 1)
            })
        };
        Self((0..bits.div_ceil(WINDOW)).map(window).collect())
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

fn same<const K: usize, const N: usize>(x: &Wide<K>) -> &Wide<N> {
    let Ok(x) = x.as_slice().try_into() else { unreachable!("{K} is {N}") };
    x
}

fn same_mut<const K: usize, const N: usize>(x: &mut Wide<K>) -> &mut Wide<N> {
    let Ok(x) = x.as_mut_slice().try_into() else { unreachable!("{K} is {N}") };
    x
}

/// The rows of a square from `$from` to `$end`: each adds a digit times those of its own part, and times twice those after the part. The rows
/// of the parts before have added the others.
macro_rules! square_rows {
    ($from:literal..$end:literal, $K:literal, $sums:ident, $a:ident, $twice:ident, $m:ident, $k0:ident, [$($j:literal)+]) => {
        for one in &$a[$from..$end] {
            let (a, twice, m) = (black_box(&*$a), black_box(&$twice), black_box($m));
            // The digit `$end` is doubled without the top bit of the one before, which is not doubled in this part.
            let other = |j: usize| match j {
                $end => _mm512_add_epi64(a[j], a[j]),
                _ if j < $end => a[j],
                _ => twice[j],
            };
            let zero = _mm512_setzero_si512();
            let lowest = if $from == 0 { _mm512_madd52lo_epu64($sums[0], a[0], *one) } else { $sums[0] };
            let y = _mm512_madd52lo_epu64(zero, lowest, $k0);
            let carry = _mm512_srli_epi64(_mm512_madd52lo_epu64(lowest, m[0], y), 52);
            $({
                let sum = $sums[$j];
                let sum = if $j >= $from { _mm512_madd52lo_epu64(sum, other($j), *one) } else { sum };
                let sum = if $j > $from { _mm512_madd52hi_epu64(sum, other($j - 1), *one) } else { sum };
                let sum = _mm512_madd52lo_epu64(sum, m[$j], y);
                $sums[$j - 1] = _mm512_madd52hi_epu64(sum, m[$j - 1], y);
            })+
            $sums[0] = _mm512_add_epi64($sums[0], carry);
            $sums[$K - 1] = _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(zero, other($K - 1), *one), m[$K - 1], y);
        }
    };
}

macro_rules! in_registers {
    ($multiply:ident, $square:ident, $K:literal, $digits:tt, $($from:literal..$end:literal)+: $($j:literal)+) => {
        /// Each row adds `a` times one digit of `b`, and the multiple of the modulus that makes the lowest digit zero, and moves all digits down by
        /// one. The sums stay in registers, so the rows are unrolled: a loop over a constant of the type is half as fast.
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn $multiply(a: &mut Wide<$K>, b: &Wide<$K>, m: &Wide<$K>, k0: V) {
            let zero = _mm512_setzero_si512();
            let mut sums = [zero; $K];
            for b in b {
                // Without this, the compiler copies them to the stack before the loop, where they straddle cache lines.
                let (a, m) = (black_box(&*a), black_box(m));
                let lowest = _mm512_madd52lo_epu64(sums[0], a[0], *b);
                let y = _mm512_madd52lo_epu64(zero, lowest, k0);
                let carry = _mm512_srli_epi64(_mm512_madd52lo_epu64(lowest, m[0], y), 52);
                $({
                    let sum = sums[$j];
                    let sum = _mm512_madd52lo_epu64(sum, a[$j], *b);
                    let sum = _mm512_madd52hi_epu64(sum, a[$j - 1], *b);
                    let sum = _mm512_madd52lo_epu64(sum, m[$j], y);
                    sums[$j - 1] = _mm512_madd52hi_epu64(sum, m[$j - 1], y);
                })+
                sums[0] = _mm512_add_epi64(sums[0], carry);
                sums[$K - 1] = _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(zero, a[$K - 1], *b), m[$K - 1], y);
            }
            carried(&mut sums);
            *a = sums;
        }

        /// The same for a square: most products of two different digits once, by twice one of them.
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn $square(a: &mut Wide<$K>, m: &Wide<$K>, k0: V) {
            let mut twice = [_mm512_add_epi64(a[0], a[0]); $K];
            $(
                let doubled = _mm512_add_epi64(a[$j], a[$j]);
                // The multipliers take 52 bits: the 53rd one goes to the next digit.
                twice[$j] = _mm512_add_epi64(doubled, _mm512_srli_epi64(a[$j - 1], 51));
            )+
            let mut sums = [_mm512_setzero_si512(); $K];
            $(square_rows!($from..$end, $K, sums, a, twice, m, k0, $digits);)+
            carried(&mut sums);
            *a = sums;
        }
    };
}

in_registers!(multiply_10, square_10, 10, [1 2 3 4 5 6 7 8 9], 0..5 5..10: 1 2 3 4 5 6 7 8 9);
in_registers!(multiply_20, square_20, 20, [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19],
    0..5 5..10 10..15 15..20: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);

/// The rows that are added at once where the sums do not fit into registers.
const ROWS: usize = 2;

/// The same with more sums than registers.
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply_in_memory<const K: usize>(x: &mut Wide<K>, b: &Wide<K>, m: &Wide<K>, k0: V) {
    let mut sums = [_mm512_setzero_si512(); K];
    for b in b.as_chunks().0 {
        add_rows(&mut sums, x, 0, b, m, k0);
    }
    carried(&mut sums);
    *x = sums;
}

/// The same for a square, in five parts.
#[target_feature(enable = "avx512f,avx512ifma")]
fn square_in_memory<const K: usize>(x: &mut Wide<K>, m: &Wide<K>, k0: V) {
    let zero = _mm512_setzero_si512();
    let mut sums = [zero; K];
    let part = K / 5;
    for from in (0..K).step_by(part) {
        // The digits of the part, then twice those after it.
        let mut digits = [zero; K];
        for j in from..K {
            let below = if j > from + part { _mm512_srli_epi64(x[j - 1], 51) } else { zero };
            digits[j] =
                if j < from + part { x[j] } else { _mm512_add_epi64(_mm512_add_epi64(x[j], x[j]), below) };
        }
        for some in x[from..from + part].as_chunks().0 {
            add_rows(&mut sums, &digits, from, some, m, k0);
        }
    }
    carried(&mut sums);
    *x = sums;
}

/// Adds two rows at once, so that each sum is loaded and stored half as often. The digits of `a` before `from` are zero.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn add_rows<const K: usize>(sums: &mut Wide<K>, a: &Wide<K>, from: usize, b: &[V; ROWS], m: &Wide<K>, k0: V) {
    let zero = _mm512_setzero_si512();
    let [b0, b1] = *b;
    let (a0, m0) = (a[0], m[0]);
    let sum = _mm512_madd52lo_epu64(sums[0], a0, b0);
    let y0 = _mm512_madd52lo_epu64(zero, sum, k0);
    let carry = _mm512_srli_epi64(_mm512_madd52lo_epu64(sum, m0, y0), 52);
    let (mut a1, mut m1, mut a2, mut m2) = (a[1], m[1], a0, m0);
    let sum = two_products(two_products(_mm512_add_epi64(sums[1], carry), a1, a0, b0), m1, m0, y0);
    let sum = _mm512_madd52lo_epu64(sum, a0, b1);
    let y1 = _mm512_madd52lo_epu64(zero, sum, k0);
    let carry = _mm512_srli_epi64(_mm512_madd52lo_epu64(sum, m0, y1), 52);
    sums[2] = _mm512_add_epi64(sums[2], carry);
    let from = from.max(ROWS);
    for column in ROWS..from {
        let m = m[column];
        sums[column - ROWS] = two_products(two_products(sums[column], m, m1, y0), m1, m2, y1);
        (m1, m2) = (m, m1);
    }
    for column in from..K {
        let (a, m) = (a[column], m[column]);
        let sum = two_products(two_products(sums[column], a, a1, b0), a1, a2, b1);
        sums[column - ROWS] = two_products(two_products(sum, m, m1, y0), m1, m2, y1);
        (a1, a2, m1, m2) = (a, a1, m, m1);
    }
    let sum = two_products(_mm512_madd52hi_epu64(zero, a1, b0), a1, a2, b1);
    sums[K - 2] = two_products(_mm512_madd52hi_epu64(sum, m1, y0), m1, m2, y1);
    sums[K - 1] = _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(zero, a1, b1), m1, y1);
}

/// Adds the lower digit of `lower · by` and the upper one of `upper · by`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn two_products(sum: V, lower: V, upper: V, by: V) -> V {
    _mm512_madd52hi_epu64(_mm512_madd52lo_epu64(sum, lower, by), upper, by)
}
