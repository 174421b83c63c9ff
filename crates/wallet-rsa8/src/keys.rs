//! What a key needs in the lanes, worked out once.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use crate::digits::{BITS, MASK, doubled, from_bytes, less, limbs, negated_inverse};

/// A size of keys: the bits of the modulus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Size {
    /// 1024 bits.
    Bits1024,
    /// 2048 bits.
    Bits2048,
    /// 4096 bits.
    Bits4096,
}

impl Size {
    /// Every size.
    pub const ALL: [Self; 3] = [Self::Bits1024, Self::Bits2048, Self::Bits4096];

    /// The bits of the modulus.
    pub const fn bits(self) -> usize {
        match self {
            Self::Bits1024 => 1024,
            Self::Bits2048 => 2048,
            Self::Bits4096 => 4096,
        }
    }

    /// The bytes of the modulus and of a signature.
    pub const fn bytes(self) -> usize {
        self.bits() / 8
    }

    /// The digits of a prime.
    pub(crate) const fn half_digits(self) -> usize {
        match self {
            Self::Bits1024 => 10,
            Self::Bits2048 => 20,
            Self::Bits4096 => 40,
        }
    }

    fn of(bytes: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.bytes() == bytes)
    }
}

/// An odd modulus, with what multiplications modulo it need. `R` is `2^52` to the number of its digits.
pub(crate) struct Modulus {
    pub(crate) m: Zeroizing<Vec<u64>>,
    /// `-1 / m` modulo `2^52`.
    pub(crate) k0: u64,
    /// `R` modulo `m`.
    pub(crate) one: Zeroizing<Vec<u64>>,
    /// `R²` modulo `m`.
    pub(crate) r2: Zeroizing<Vec<u64>>,
}

impl Modulus {
    /// `None` unless the number is odd, and has all the bits of its bytes.
    fn new(bytes: &[u8], digits: usize) -> Option<Self> {
        if bytes.first()? >> 7 != 1 || bytes.last()? & 1 != 1 {
            return None;
        }
        let m = Zeroizing::new(from_bytes(bytes, digits));
        let mut unit = vec![0; digits];
        unit[0] = 1;
        let one = doubled(unit, digits * BITS, &m);
        let r2 = doubled(one.clone(), digits * BITS, &m);
        Some(Self { k0: negated_inverse(m[0] & MASK), m, one: Zeroizing::new(one), r2: Zeroizing::new(r2) })
    }
}

/// A prime of a key.
pub(crate) struct Prime {
    pub(crate) modulus: Modulus,
    /// `R³` modulo the prime.
    pub(crate) r3: Zeroizing<Vec<u64>>,
    /// The prime less one, in 64-bit limbs.
    pub(crate) less_one: Zeroizing<Vec<u64>>,
    /// The private exponent modulo that.
    pub(crate) exponent: Zeroizing<Vec<u64>>,
    /// The exponent that inverts: the prime less two.
    pub(crate) inverting: Zeroizing<Vec<u64>>,
}

impl Prime {
    fn new(prime: &[u8], exponent: &[u8], size: Size) -> Option<Self> {
        let (digits, limb_count) = (size.half_digits(), size.bits() / 128);
        let modulus = Modulus::new(prime, digits)?;
        let r3 = Zeroizing::new(doubled(modulus.r2.to_vec(), digits * BITS, &modulus.m));
        let number = Zeroizing::new(limbs(prime, limb_count));
        Some(Self {
            modulus,
            r3,
            less_one: Zeroizing::new(less(&number, 1)),
            exponent: Zeroizing::new(limbs(exponent, limb_count)),
            inverting: Zeroizing::new(less(&number, 2)),
        })
    }
}

/// The numbers of a private key, in big-endian bytes without leading zeros (RFC 8017, appendix A.1.2).
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// The modulus.
    pub n: &'a [u8],
    /// The public exponent.
    pub e: &'a [u8],
    /// The first prime.
    pub p: &'a [u8],
    /// The second prime.
    pub q: &'a [u8],
    /// The private exponent modulo `p - 1`.
    pub dp: &'a [u8],
    /// The private exponent modulo `q - 1`.
    pub dq: &'a [u8],
    /// `1 / q` modulo `p`.
    pub qinv: &'a [u8],
}

/// The only public exponent that the lanes know: 65537.
pub(crate) const EXPONENT: [u8; 3] = [1, 0, 1];

/// A factor that hides what a private operation works on, and its counterpart. Both have the factor `R`.
pub(crate) struct Blinding {
    /// `r^e` modulo `n`.
    pub(crate) hides: Zeroizing<Vec<u64>>,
    /// `1 / r` modulo `n`.
    pub(crate) shows: Zeroizing<Vec<u64>>,
    pub(crate) uses: u32,
}

/// The most uses of a blinding: each squares it.
pub(crate) const USES: u32 = 32;
/// The most blindings that a key keeps.
const KEPT: usize = 16;

/// A private key.
pub struct PrivateKey {
    pub(crate) size: Size,
    pub(crate) n: Modulus,
    pub(crate) p: Prime,
    pub(crate) q: Prime,
    /// `1 / q` modulo `p`, with the factor `R`.
    pub(crate) qinv: Zeroizing<Vec<u64>>,
    blindings: Mutex<Vec<Blinding>>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("size", &self.size).finish_non_exhaustive()
    }
}

impl PrivateKey {
    /// `None` for a key that the lanes cannot take: of another size, with primes of different lengths, or with another public exponent
    /// than 65537.
    pub fn new(parts: &Parts<'_>) -> Option<Self> {
        let size = Size::of(parts.n.len())?;
        let half = size.bytes() / 2;
        let fits = parts.e == EXPONENT
            && [parts.p, parts.q].iter().all(|prime| prime.len() == half)
            && [parts.dp, parts.dq, parts.qinv].iter().all(|number| number.len() <= half);
        if !fits {
            return None;
        }
        let digits = size.half_digits();
        let p = Prime::new(parts.p, parts.dp, size)?;
        let qinv = from_bytes(parts.qinv, digits);
        let qinv = Zeroizing::new(doubled(qinv, digits * BITS, &p.modulus.m));
        Some(Self {
            size,
            n: Modulus::new(parts.n, 2 * digits)?,
            q: Prime::new(parts.q, parts.dq, size)?,
            p,
            qinv,
            blindings: Mutex::default(),
        })
    }

    /// The size.
    pub fn size(&self) -> Size {
        self.size
    }

    pub(crate) fn take_blinding(&self) -> Option<Blinding> {
        self.blindings.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(crate) fn keep_blinding(&self, blinding: Blinding) {
        let mut kept = self.blindings.lock().unwrap_or_else(PoisonError::into_inner);
        if blinding.uses < USES && kept.len() < KEPT {
            kept.push(blinding);
        }
    }
}

/// A public key.
pub struct PublicKey {
    pub(crate) size: Size,
    pub(crate) n: Modulus,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("size", &self.size).finish_non_exhaustive()
    }
}

impl PublicKey {
    /// The modulus and the public exponent in big-endian bytes without leading zeros; `None` for a key that the lanes cannot take.
    pub fn new(n: &[u8], e: &[u8]) -> Option<Self> {
        let size = Size::of(n.len())?;
        let n = Modulus::new(n, 2 * size.half_digits())?;
        (e == EXPONENT).then_some(Self { size, n })
    }

    /// The size.
    pub fn size(&self) -> Size {
        self.size
    }
}
