//! The request signature: SHA-1 over client_secret and timestamp, beside the hashes alone. And RSA: each backend, each
//! size, one and two threads, beside `openssl speed` of the same machine in the same rounds. The lanes make eight at once.
//!
//! Known: `openssl speed` signs and verifies a digest that is ready; ours hash a text of some 200 bytes besides (0.2 µs).

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use ring::digest;
use sha1::Digest as _;
use wallet_api::fomo::Fomo;
use wallet_benches::{Counting, Figure, ROUNDS, allocations, interleaved, report, subject};
use wallet_core::crypto::{RsaSigner, RsaVerifier};
use wallet_core::{Canonical, FieldWriter, Platform as _, Signature, Signer, UnixTime, lead};
use wallet_crypto::{
    AwsLcSign, AwsLcVerify, BatchSigner, BatchedPublicKey, Portable, PrivateKey, RsaSign, RsaVerify,
    sign_all, verify_all,
};
use wallet_rsa8::LANES;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let (secret, timestamp) = ("d1301e2dac45eaa8cbb2610e0ce51f1665792635", "1574510444");
    let rule = Fomo::META.signings[0];
    let crypto = Portable::new();
    let signer = Signer::secret(&crypto, secret, UnixTime::from_secs(1_574_510_444));
    let parts = |canonical: &mut Canonical<'_>| {
        canonical.key(&lead!("client_secret"));
        canonical.now(&lead!("timestamp"));
    };
    let made = Signature::new(&signer, rule, parts).expect("signed");
    let mut written = Vec::new();
    made.write_sign(&lead!("sign"), &mut FieldWriter::form(&mut written));
    assert_eq!(written, b"sign=873b0ce5134c4007e61dbd453d1b3f72c79e1d5a");
    let mut figures = interleaved(vec![
        subject("sign a request (timestamp, SHA-1, hex)", || Signature::new(&signer, rule, parts)),
        subject("SHA-1 alone: sha1", || {
            sha1::Sha1::new().chain_update(secret).chain_update(timestamp).finalize()
        }),
        subject("SHA-1 alone: ring", || {
            let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
            context.update(secret.as_bytes());
            context.update(timestamp.as_bytes());
            context.finish()
        }),
    ]);
    figures.extend(rsa());
    report("signing", &figures);
}

const SIZES: [usize; 3] = [1024, 2048, 4096];
/// How long one subject runs in one round.
const SLICE: Duration = Duration::from_millis(250);
/// What is signed: as long as a pay link's canonical text.
const TEXT: &[u8] = &[b'x'; 200];

/// How often a second `run` goes in so many threads.
fn rate(threads: usize, run: &(dyn Fn() + Sync)) -> f64 {
    let began = Instant::now();
    let done: u64 = std::thread::scope(|scope| {
        let counting = || {
            let mut count = 0_u64;
            while began.elapsed() < SLICE {
                run();
                count += 1;
            }
            count
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(counting)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    done as f64 / began.elapsed().as_secs_f64()
}

/// What `openssl speed` says: signatures and verifications a second; none without the program.
fn openssl(bits: usize, threads: usize) -> Option<(f64, f64)> {
    let mut command = Command::new("openssl");
    command.args(["speed", "-seconds", "1", "-mr"]);
    if threads > 1 {
        command.args(["-multi", &threads.to_string()]);
    }
    let said = command.arg(format!("rsa{bits}")).output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    // `+F2:2:2048:1934.0:35909.0`, or `+F2:` with the sums of all threads.
    let line = said.lines().rfind(|line| line.starts_with("+F2:"))?;
    let mut numbers = line.split(':').skip(3).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn rsa() -> Vec<Figure> {
    let keys: Vec<PrivateKey> =
        SIZES.iter().map(|bits| PrivateKey::generate(*bits).expect("a key of a usual size")).collect();
    type Run<'a> = Box<dyn Fn() + Sync + 'a>;
    // Each with the number of signatures of one run.
    let mut subjects: Vec<(String, usize, Run<'_>)> = Vec::new();
    for (bits, key) in SIZES.iter().zip(&keys) {
        let signers: [(&str, Box<dyn RsaSigner>); 2] = [
            ("aws-lc", Box::new(AwsLcSign::new(key).expect("a key"))),
            ("rsa", Box::new(RsaSign::new(key).expect("a key"))),
        ];
        let verifiers: [(&str, Box<dyn RsaVerifier>); 2] = [
            ("aws-lc", Box::new(AwsLcVerify::new(&key.public()).expect("a key"))),
            ("ring", Box::new(RsaVerify::new(&key.public()))),
        ];
        let signature = signers[0].1.sign_sha1(TEXT).expect("signed");
        for (backend, signer) in signers {
            assert_eq!(signer.sign_sha1(TEXT).expect("signed"), signature, "every backend signs alike");
            let run = Box::new(move || drop(std::hint::black_box(signer.sign_sha1(TEXT))));
            subjects.push((format!("sign {bits}: {backend}"), 1, run));
        }
        for (backend, verifier) in verifiers {
            assert!(verifier.verify_sha1(TEXT, &signature));
            let signature = signature.clone();
            let run = Box::new(move || assert!(std::hint::black_box(verifier.verify_sha1(TEXT, &signature))));
            subjects.push((format!("verify {bits}: {backend}"), 1, run));
        }
        let batched = BatchSigner::new(1).signer(key).expect("a key");
        let public = BatchedPublicKey::new(&key.public()).expect("a key");
        for signed in sign_all(&[(&batched, TEXT); LANES]) {
            assert_eq!(signed.expect("signed"), signature, "every backend signs alike");
        }
        let run = move || drop(std::hint::black_box(sign_all(&[(&batched, TEXT); LANES])));
        subjects.push((format!("sign {bits}: lanes"), LANES, Box::new(run)));
        let run = move || {
            let valid = std::hint::black_box(verify_all(&[(&public, TEXT, &signature[..]); LANES]));
            assert_eq!(valid, [true; LANES]);
        };
        subjects.push((format!("verify {bits}: lanes"), LANES, Box::new(run)));
    }
    let counted: Vec<f64> = subjects.iter().map(|(_, each, run)| allocations(run) / *each as f64).collect();
    let mut rates: BTreeMap<(usize, String), Vec<f64>> = BTreeMap::new();
    // Fewer rounds than elsewhere: `openssl speed` takes two seconds a piece.
    for _ in 0..ROUNDS.min(7) {
        for threads in [1, 2] {
            for (name, each, run) in &subjects {
                let rate = rate(threads, run) * *each as f64;
                rates.entry((threads, name.clone())).or_default().push(rate);
            }
            for bits in SIZES {
                let Some((sign, verify)) = openssl(bits, threads) else { continue };
                rates.entry((threads, format!("sign {bits}: openssl speed"))).or_default().push(sign);
                rates.entry((threads, format!("verify {bits}: openssl speed"))).or_default().push(verify);
            }
        }
    }
    let mut figures = Vec::new();
    for threads in [1, 2] {
        let of = |name: &str| rates.get(&(threads, name.to_owned())).cloned().unwrap_or_default();
        let in_threads = if threads == 1 { "one thread" } else { "two threads" };
        for (what, backends) in
            [("sign", ["lanes", "aws-lc", "rsa"]), ("verify", ["lanes", "aws-lc", "ring"])]
        {
            for bits in SIZES {
                let base = of(&format!("{what} {bits}: openssl speed"));
                for backend in backends.iter().copied().chain(["openssl speed"]) {
                    let name = format!("{what} {bits}: {backend}");
                    let values = of(&name);
                    if values.is_empty() {
                        continue;
                    }
                    let ratios: Vec<f64> = values.iter().zip(&base).map(|(ours, base)| ours / base).collect();
                    let mut figure = Figure::of(format!("{name}, {in_threads}"), "/s", values);
                    let at = subjects.iter().position(|(known, ..)| *known == name);
                    figure.allocations = at.map(|at| counted[at]);
                    if backend != "openssl speed" && !ratios.is_empty() {
                        let ratio = Figure::of("", "", ratios);
                        figure.note =
                            format!("{:.2} [{:.2} – {:.2}] × openssl", ratio.median, ratio.q1, ratio.q3);
                    }
                    figures.push(figure);
                }
            }
        }
    }
    figures
}
