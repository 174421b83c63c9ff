//! The private and the public operation of up to eight keys at once.

use zeroize::Zeroizing;

use crate::digits::{from_bytes, plus_product, to_bytes};
use crate::keys::{Blinding, Modulus, Prime, PrivateKey, PublicKey, Size};
use crate::lanes::{Moduli, Wide, Windows, are_there, load, product_and_sum, store, sum};
use crate::{LANES, Random};

/// The random bits that make an exponent longer, so that it is another one each time.
const EXPONENT_BLINDING: usize = 64;

#[target_feature(enable = "avx512f,avx512ifma")]
fn moduli<const K: usize>(moduli: [&Modulus; LANES]) -> Moduli<K> {
    Moduli::new(moduli.map(|modulus| modulus.m.as_slice()), moduli.map(|modulus| modulus.k0))
}

/// Which exponent of a prime.
type Exponent = fn(&Prime) -> &[u64];

/// `c` to the power of an exponent modulo one prime of each key: `c` is below twice the key's modulus, the result below the prime.
#[target_feature(enable = "avx512f,avx512ifma")]
fn modulo_prime<const K: usize>(
    halves: &[Wide<K>; 2],
    primes: [&Prime; LANES],
    exponent: Exponent,
    bits: usize,
    random: &[u64; LANES],
) -> Wide<K> {
    let p = moduli::<K>(primes.map(|prime| &prime.modulus));
    let of = |number: fn(&Prime) -> &[u64]| load::<K>(primes.map(number));
    let (one, r2, r3) =
        (of(|prime| &prime.modulus.one), of(|prime| &prime.modulus.r2), of(|prime| &prime.r3));
    // c = low + R high, and R c = low R² / R + high R³ / R.
    let base = sum(&p.times(&halves[0], &r2), &p.times(&halves[1], &r3));
    let longer = |lane: usize| plus_product(exponent(primes[lane]), random[lane], &primes[lane].less_one);
    let mut exponents: [Vec<u64>; LANES] = std::array::from_fn(longer);
    let windows = Windows::new(&exponents, bits + EXPONENT_BLINDING);
    exponents.iter_mut().for_each(zeroize::Zeroize::zeroize);
    let power = p.power(&base, &windows, &one);
    let mut unit = vec![0; K];
    unit[0] = 1;
    p.reduced(&p.times(&power, &load([&unit; LANES])))
}

/// `c` to the power of an exponent modulo each key's modulus, by its primes (RFC 8017, section 5.1.2).
#[target_feature(enable = "avx512f,avx512ifma")]
fn by_primes<const K: usize, const L: usize>(
    c: &Wide<L>,
    keys: [&PrivateKey; LANES],
    exponent: Exponent,
    random: &[[u64; LANES]; 2],
) -> Wide<L> {
    let bits = keys[0].size.bits() / 2;
    let half = |from: usize| std::array::from_fn(|at| c[from + at]);
    let halves: [Wide<K>; 2] = [half(0), half(K)];
    let of_p = modulo_prime(&halves, keys.map(|key| &key.p), exponent, bits, &random[0]);
    let of_q = modulo_prime(&halves, keys.map(|key| &key.q), exponent, bits, &random[1]);
    let p = moduli::<K>(keys.map(|key| &key.p.modulus));
    let qinv = load::<K>(keys.map(|key| key.qinv.as_slice()));
    let h = p.reduced(&p.times(&p.difference(&of_p, &of_q), &qinv));
    let q = load::<K>(keys.map(|key| key.q.modulus.m.as_slice()));
    product_and_sum(&h, &q, &of_q)
}

/// `x` to the power of 65537, for an `x` below the moduli.
#[target_feature(enable = "avx512f,avx512ifma")]
fn public<const L: usize>(n: &Moduli<L>, r2: &Wide<L>, x: &Wide<L>) -> Wide<L> {
    let mut power = n.times(x, r2);
    for _ in 0..16 {
        n.square(&mut power);
    }
    n.multiply(&mut power, x);
    n.reduced(&power)
}

/// New blindings, one for each lane. `None` without randomness.
#[target_feature(enable = "avx512f,avx512ifma")]
fn new_blindings<const K: usize, const L: usize>(
    keys: [&PrivateKey; LANES],
    random: &mut Random<'_>,
) -> Option<[Blinding; LANES]> {
    let bytes = keys[0].size.bytes();
    let mut numbers: [Zeroizing<Vec<u64>>; LANES] = Default::default();
    for number in &mut numbers {
        let mut fresh = Zeroizing::new(vec![0; bytes]);
        if !random(&mut fresh) {
            return None;
        }
        fresh[0] &= 0x7f; // below the modulus, whose first bit is set
        *number = Zeroizing::new(from_bytes(&fresh, L));
    }
    let r = load::<L>(std::array::from_fn(|lane| numbers[lane].as_slice()));
    let n = moduli::<L>(keys.map(|key| &key.n));
    let r2 = load::<L>(keys.map(|key| key.n.r2.as_slice()));
    let inverse = by_primes::<K, L>(&r, keys, |prime| &prime.inverting, &exponent_blindings(random)?);
    let (hides, shows) = (store(&n.times(&public(&n, &r2, &r), &r2)), store(&n.times(&inverse, &r2)));
    let mut pairs = hides.into_iter().zip(shows);
    let mut next = || pairs.next().unwrap_or_default();
    Some(std::array::from_fn(|_| {
        let (hides, shows) = next();
        Blinding { hides, shows, uses: 0 }
    }))
}

fn exponent_blindings(random: &mut Random<'_>) -> Option<[[u64; LANES]; 2]> {
    let mut bytes = Zeroizing::new([[[0; 8]; LANES]; 2]);
    random(bytes.as_flattened_mut().as_flattened_mut())
        .then(|| bytes.map(|bytes| bytes.map(u64::from_le_bytes)))
}

/// The signatures of blocks by their keys, all of one size; `None` for a lane whose result is wrong.
#[target_feature(enable = "avx512f,avx512ifma")]
fn sign_lanes<const K: usize, const L: usize>(
    keys: [&PrivateKey; LANES],
    blocks: [&[u64]; LANES],
    lanes: usize,
    random: &mut Random<'_>,
) -> Option<[Option<Vec<u8>>; LANES]> {
    let mut own: Vec<Option<Blinding>> = keys[..lanes].iter().map(|key| key.take_blinding()).collect();
    if own.iter().any(Option::is_none) {
        // All of them, so that they end at one time.
        own = new_blindings::<K, L>(keys, random)?.into_iter().take(lanes).map(Some).collect();
    }
    let blindings: [Option<&Blinding>; LANES] =
        std::array::from_fn(|lane| own.get(lane).unwrap_or(&own[0]).as_ref());
    let of = |number: fn(&Blinding) -> &[u64]| {
        load::<L>(blindings.map(|blinding| blinding.map_or(&[][..], number)))
    };
    let (hides, shows) = (of(|blinding| &blinding.hides), of(|blinding| &blinding.shows));
    let n = moduli::<L>(keys.map(|key| &key.n));
    let r2 = load::<L>(keys.map(|key| key.n.r2.as_slice()));
    let block = load::<L>(blocks);

    let hidden = n.times(&block, &hides);
    let power = by_primes::<K, L>(&hidden, keys, |prime| &prime.exponent, &exponent_blindings(random)?);
    let signature = n.reduced(&n.times(&power, &shows));
    // A fault of the machine in one of the primes would give the key away (Boneh, DeMillo and Lipton 1997).
    let checked = store(&public(&n, &r2, &signature));

    let is_right = |lane: usize| {
        checked[lane].iter().zip(blocks[lane]).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    };

    let squared = store(&n.times(&hides, &hides)).into_iter().zip(store(&n.times(&shows, &shows)));
    for (lane, (hides, shows)) in squared.enumerate().take(lanes).filter(|(lane, _)| is_right(*lane)) {
        let uses = blindings[lane].map_or(u32::MAX, |blinding| blinding.uses.saturating_add(1));
        keys[lane].keep_blinding(Blinding { hides, shows, uses });
    }
    let signatures = store(&signature);
    Some(std::array::from_fn(|lane| {
        is_right(lane).then(|| to_bytes(&signatures[lane], keys[lane].size.bytes()))
    }))
}

/// The blocks that signatures are of.
#[target_feature(enable = "avx512f,avx512ifma")]
fn recover_lanes<const L: usize>(keys: [&PublicKey; LANES], signatures: [&[u64]; LANES]) -> [Vec<u8>; LANES] {
    let n = moduli::<L>(keys.map(|key| &key.n));
    let r2 = load::<L>(keys.map(|key| key.n.r2.as_slice()));
    let blocks = store(&public(&n, &r2, &load::<L>(signatures)));
    std::array::from_fn(|lane| to_bytes(&blocks[lane], keys[lane].size.bytes()))
}

/// The digits of a number that is as long as a modulus of this size, and below it.
fn digits_below(number: &[u8], modulus: &Modulus, size: Size) -> Option<Vec<u64>> {
    if number.len() != size.bytes() {
        return None;
    }
    let number = from_bytes(number, 2 * size.half_digits());
    let less = |borrow: u64, (a, m): (&u64, &u64)| a.wrapping_sub(*m).wrapping_sub(borrow) >> 63;
    (number.iter().zip(modulus.m.iter()).fold(0, less) == 1).then_some(number)
}

/// One operation: its place among all, its key and its number.
type One<'a, K> = (usize, &'a K, Vec<u64>);

/// The operations of one size, in eights. A lane that is free repeats the first one.
fn in_eights<'a, K>(
    of_size: &'a [One<'a, K>],
) -> impl Iterator<Item = (&'a [One<'a, K>], [&'a K; LANES], [&'a [u64]; LANES])> {
    of_size.chunks(LANES).map(|eight| {
        let at = |lane: usize| eight.get(lane).unwrap_or(&eight[0]);
        (eight, std::array::from_fn(|lane| at(lane).1), std::array::from_fn(|lane| at(lane).2.as_slice()))
    })
}

/// The private operation: each block's signature by its key, in order. A block is as long as its key's modulus, and below it. `None` for
/// a block of another length, without randomness, or if the machine made a mistake. Blocks of keys of one size go in eights.
///
/// Without the instructions, every result is `None`: see [`is_available`].
pub fn sign(operations: &[(&PrivateKey, &[u8])], random: &mut Random<'_>) -> Vec<Option<Vec<u8>>> {
    let mut signed = vec![None; operations.len()];
    for size in Size::ALL.into_iter().filter(|_| are_there()) {
        let of_size = operations.iter().enumerate().filter(|(_, (key, _))| key.size == size);
        let of_size =
            of_size.filter_map(|(at, (key, block))| Some((at, *key, digits_below(block, &key.n, size)?)));
        for (eight, keys, blocks) in in_eights(&of_size.collect::<Vec<_>>()) {
            // SAFETY: the machine has the instructions.
            let done = unsafe {
                match size {
                    Size::Bits1024 => sign_lanes::<10, 20>(keys, blocks, eight.len(), random),
                    Size::Bits2048 => sign_lanes::<20, 40>(keys, blocks, eight.len(), random),
                    Size::Bits4096 => sign_lanes::<40, 80>(keys, blocks, eight.len(), random),
                }
            };
            eight.iter().zip(done.into_iter().flatten()).for_each(|((at, ..), done)| signed[*at] = done);
        }
    }
    signed
}

/// The public operation: the block that each signature is of, in order. `None` for a signature of another length than the key's modulus,
/// or not below it.
///
/// Without the instructions, every result is `None`: see [`is_available`].
pub fn recover(operations: &[(&PublicKey, &[u8])]) -> Vec<Option<Vec<u8>>> {
    let mut recovered = vec![None; operations.len()];
    for size in Size::ALL.into_iter().filter(|_| are_there()) {
        let of_size = operations.iter().enumerate().filter(|(_, (key, _))| key.size == size);
        let of_size = of_size
            .filter_map(|(at, (key, signature))| Some((at, *key, digits_below(signature, &key.n, size)?)));
        for (eight, keys, signatures) in in_eights(&of_size.collect::<Vec<_>>()) {
            // SAFETY: the machine has the instructions.
            let blocks = unsafe {
                match size {
                    Size::Bits1024 => recover_lanes::<20>(keys, signatures),
                    Size::Bits2048 => recover_lanes::<40>(keys, signatures),
                    Size::Bits4096 => recover_lanes::<80>(keys, signatures),
                }
            };
            eight.iter().zip(blocks).for_each(|((at, ..), block)| recovered[*at] = Some(block));
        }
    }
    recovered
}

/// Whether this machine has the instructions: AVX-512 with IFMA.
pub fn is_available() -> bool {
    are_there()
}
