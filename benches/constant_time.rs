//! Whether the time of a private operation depends on what is signed or on the exponent: Welch's t of two classes of runs, in random order
//! (Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?", 2017). Below 4.5 in absolute value nothing is seen. The exponents
//! are compared without their blinding, which would make them alike.
//!
//! `WALLOP_LONG=1` takes 1,000,000 runs of each pair; without it, 50,000.

use std::hint::black_box;
use std::time::Instant;

use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use wallet_benches::people::Random;
use wallet_benches::{Figure, report};
use wallet_crypto::PrivateKey;
use wallet_rsa8::{LANES, Parts};
use wallet_tests::trials;

/// The bytes that blind exponents: of 64 bits for each lane and prime. Base blindings take as many as the modulus has.
const EXPONENT_BLINDINGS: usize = LANES * 2 * 8;

/// Random bytes that cost the same each time; zeros for exponents.
fn fill(random: &mut Random, bytes: &mut [u8]) -> bool {
    let blinds = bytes.len() != EXPONENT_BLINDINGS;
    bytes.iter_mut().for_each(|byte| *byte = random.below(256) as u8 * u8::from(blinds));
    true
}

/// Mean and variance of what was added.
#[derive(Default)]
struct Welch {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Welch {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let difference = value - self.mean;
        self.mean += difference / self.count;
        self.squares += difference * (value - self.mean);
    }
}

/// Welch's t of two classes, of the runs that took no longer than `most`: the others were interrupted.
fn t(runs: &[(bool, f64)], most: f64) -> f64 {
    let mut classes = [Welch::default(), Welch::default()];
    for (class, time) in runs.iter().filter(|(_, time)| *time <= most) {
        classes[usize::from(*class)].add(*time);
    }
    let [a, b] = classes;
    let variance = |one: &Welch| one.squares / (one.count - 1.0) / one.count;
    (a.mean - b.mean) / (variance(&a) + variance(&b)).sqrt()
}

/// Runs both classes in random order; the t of all runs, and without the slowest tenth.
fn compared(name: &str, mut run: impl FnMut(bool, &mut Random) -> f64, figures: &mut Vec<Figure>) {
    let count = trials(50_000, 1_000_000);
    let mut random = Random(0x5eed);
    let mut runs = Vec::new();
    for n in 0..count + 1_000 {
        let class = random.below(2) == 1;
        let time = run(class, &mut random);
        if n >= 1_000 {
            runs.push((class, time)); // after the warm-up
        }
        if n % 100_000 == 0 {
            eprintln!("{name}: run {n} of {count}");
        }
    }
    let mut times: Vec<f64> = runs.iter().map(|(_, time)| *time).collect();
    times.sort_by(f64::total_cmp);
    for (part, of) in [(1.0, "all runs"), (0.9, "without the slowest tenth")] {
        let most = times[((times.len() - 1) as f64 * part) as usize];
        let t = t(&runs, most);
        eprintln!("{name}, {of}: t = {t:.2}");
        figures.push(Figure::of(format!("{name}, {count} runs, {of}: |t|"), "", vec![t.abs()]));
    }
}

fn main() {
    if !wallet_rsa8::is_available() {
        eprintln!("this machine has no AVX-512 with IFMA: nothing to measure");
        return;
    }
    let key = PrivateKey::generate(2048).expect("a key");
    let mut key = rsa::RsaPrivateKey::from_pkcs1_der(key.pkcs1().expose()).expect("a key");
    key.precompute().expect("two primes");
    let qinv = key.crt_coefficient().expect("two primes");
    let [p, q] = key.primes() else { panic!("two primes") };
    let bytes = rsa::BigUint::to_bytes_be;
    let (n, p, q, qinv) = (bytes(key.n()), bytes(p), bytes(q), bytes(&qinv));
    let (dp, dq) = (bytes(key.dp().expect("precomputed")), bytes(key.dq().expect("precomputed")));
    let with = |dp: &[u8], dq: &[u8]| {
        let parts = Parts { n: &n, e: &[1, 0, 1], p: &p, q: &q, dp, dq, qinv: &qinv };
        wallet_rsa8::PrivateKey::new(&parts).expect("a key of a usual size")
    };
    let mut random = Random(7);
    let mut figures = Vec::new();
    let mut time = |key: &wallet_rsa8::PrivateKey, block: &[u8]| {
        let began = Instant::now();
        black_box(wallet_rsa8::sign(&[(key, block); LANES], &mut |bytes| fill(&mut random, bytes)));
        began.elapsed().as_nanos() as f64
    };

    let right = with(&dp, &dq);
    // Not a block of zeros: no factor hides zero, and no padding makes it.
    let (mut block, mut fresh) = (vec![0; n.len()], vec![0; n.len()]);
    let fixed = [&[0][..], &vec![0x35; n.len() - 1]].concat();
    let texts = |class: bool, random: &mut Random| {
        fresh[1..].iter_mut().for_each(|byte| *byte = random.below(256) as u8);
        block.copy_from_slice([&fixed, &fresh][usize::from(class)]);
        time(&right, &block)
    };
    compared("sign 2048: one block and random ones", texts, &mut figures);

    // Exponents with one bit, and with all bits: both are wrong, so neither signature leaves.
    let half = p.len();
    let (sparse, dense) = ([&[0x80][..], &vec![0; half - 1]].concat(), vec![0xff; half]);
    let keys = [with(&sparse, &sparse), with(&dense, &dense)];
    let block = vec![0x35; n.len()];
    compared(
        "sign 2048: exponents with one bit and with all bits",
        |class, _| time(&keys[usize::from(class)], &block),
        &mut figures,
    );
    report("constant_time", &figures);
}
