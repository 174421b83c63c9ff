//! RSA in eight lanes, beside AWS-LC and `rsa`.

use std::sync::Arc;

use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use wallet_core::crypto::RsaSigner as _;
use wallet_crypto::{
    AwsLcSign, BatchSigner, BatchedKey, BatchedPublicKey, PrivateKey, RsaSign, sign_all, verify_all,
};
use wallet_rsa8::Parts;
use wallet_tests::trials;

fn key(file: &str) -> PrivateKey {
    let path = format!("{}/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    PrivateKey::load(std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A message of this number, of all lengths up to a thousand bytes.
fn message(n: usize) -> Vec<u8> {
    (0..n * 7 % 1_000).map(|at| (at * 31 + n * 17) as u8).collect()
}

#[test]
fn signatures_are_those_of_other_programs() {
    let counts = [trials(5, 60), trials(2, 40), trials(0, 4)];
    let messages = trials(2_000, 100_000) as usize;
    let mut keys: Vec<PrivateKey> = [(1024, counts[0]), (2048, counts[1]), (4096, counts[2])]
        .into_iter()
        .flat_map(|(bits, count)| (0..count).map(move |_| PrivateKey::generate(bits).unwrap()))
        .collect();
    keys.extend([key("rsa-1024.pem"), key("rsa-4096.pem")]);
    let batch = BatchSigner::new(1);
    let batched: Vec<BatchedKey> = keys.iter().map(|key| batch.signer(key).unwrap()).collect();
    let public: Vec<BatchedPublicKey> =
        keys.iter().map(|key| BatchedPublicKey::new(&key.public()).unwrap()).collect();
    let others: Vec<(AwsLcSign, RsaSign)> =
        keys.iter().map(|key| (AwsLcSign::new(key).unwrap(), RsaSign::new(key).unwrap())).collect();
    // Of each size several keys in one batch, in any order, and more than fit at once.
    for from in (0..messages).step_by(20) {
        let batch: Vec<(usize, Vec<u8>)> =
            (from..from + 20).map(|n| ((n * n + n / 20) % keys.len(), message(n))).collect();
        let together: Vec<(&BatchedKey, &[u8])> =
            batch.iter().map(|(key, message)| (&batched[*key], &message[..])).collect();
        let signed: Vec<Vec<u8>> = sign_all(&together).into_iter().map(Result::unwrap).collect();
        for ((key, message), signed) in batch.iter().zip(&signed) {
            assert!(others[*key].0.sign_sha1(message).unwrap() == *signed, "aws-lc, {key}");
            // The slow one for some.
            if (message.len() + key) % 11 == 0 {
                assert!(others[*key].1.sign_sha1(message).unwrap() == *signed, "rsa, {key}");
            }
        }
        let mut checks: Vec<(&BatchedPublicKey, &[u8], Vec<u8>)> = batch
            .iter()
            .zip(signed)
            .map(|((key, message), signed)| (&public[*key], &message[..], signed))
            .collect();
        // Every third signature is changed in one bit.
        for (n, (_, _, signature)) in checks.iter_mut().enumerate().filter(|(n, _)| n % 3 == 0) {
            let at = (from + n) % signature.len();
            signature[at] ^= 1 << (n % 8);
        }
        let checks: Vec<_> =
            checks.iter().map(|(key, message, signature)| (*key, *message, &signature[..])).collect();
        let valid = verify_all(&checks);
        assert!(valid.iter().enumerate().all(|(n, valid)| *valid == (n % 3 != 0)), "{valid:?}");
    }
}

#[test]
fn threads_share_batches_and_each_gets_its_own_signature() {
    // The lanes do not take the first one.
    let keys =
        [PrivateKey::generate(1_536).unwrap(), key("rsa-1024.pem"), key("rsa-1024.pem"), key("rsa-4096.pem")];
    let batch = BatchSigner::new(2);
    let batched: Vec<Arc<BatchedKey>> = keys.iter().map(|key| Arc::new(batch.signer(key).unwrap())).collect();
    let others: Vec<AwsLcSign> = keys.iter().map(|key| AwsLcSign::new(key).unwrap()).collect();
    std::thread::scope(|scope| {
        for thread in 0..24 {
            let (batched, others) = (&batched, &others);
            scope.spawn(move || {
                for n in 0..12 {
                    let (key, message) = ((thread + n) % 4, message(thread * 100 + n));
                    let signed = batched[key].sign_sha1(&message).unwrap();
                    assert!(signed == others[key].sign_sha1(&message).unwrap(), "{thread} {n}");
                }
            });
        }
    });
}

/// The numbers of a key, which a test may change.
struct Numbers([Vec<u8>; 7]);

impl Numbers {
    fn of(key: &PrivateKey) -> Self {
        let mut key = rsa::RsaPrivateKey::from_pkcs1_der(key.pkcs1().expose()).unwrap();
        key.precompute().unwrap();
        let [p, q] = key.primes() else { panic!("two primes") };
        let qinv = key.crt_coefficient().unwrap();
        let numbers = [key.n(), key.e(), p, q, key.dp().unwrap(), key.dq().unwrap(), &qinv];
        Self(numbers.map(rsa::BigUint::to_bytes_be))
    }

    fn parts(&self) -> Parts<'_> {
        let [n, e, p, q, dp, dq, qinv] = &self.0;
        Parts { n, e, p, q, dp, dq, qinv }
    }
}

fn random(bytes: &mut [u8]) -> bool {
    use std::io::Read as _;
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(bytes)).is_ok()
}

/// The lanes alone: [`sign_all`] falls back to AWS-LC for a lane that fails, so the tests above would pass with broken lanes.
#[test]
fn the_lanes_sign_and_recover_every_block() {
    if !wallet_rsa8::is_available() {
        return;
    }
    let mut keys: Vec<PrivateKey> = (0..4).map(|_| PrivateKey::generate(1024).unwrap()).collect();
    keys.extend([
        PrivateKey::generate(2048).unwrap(),
        PrivateKey::generate(2048).unwrap(),
        key("rsa-4096.pem"),
    ]);
    let numbers: Vec<Numbers> = keys.iter().map(Numbers::of).collect();
    let private: Vec<_> =
        numbers.iter().map(|numbers| wallet_rsa8::PrivateKey::new(&numbers.parts()).unwrap()).collect();
    let public: Vec<_> = numbers
        .iter()
        .map(|numbers| wallet_rsa8::PublicKey::new(&numbers.0[0], &numbers.0[1]).unwrap())
        .collect();
    let aws: Vec<AwsLcSign> = keys.iter().map(|key| AwsLcSign::new(key).unwrap()).collect();
    // Batches of every length; more than 32 of each key, so that blindings are made again.
    for n in 0..80 {
        let these: Vec<usize> = (0..n % 17 + 1).map(|at| (n + at * 5) % keys.len()).collect();
        let text = message(n);
        let signatures: Vec<Vec<u8>> = these.iter().map(|at| aws[*at].sign_sha1(&text).unwrap()).collect();
        let operations: Vec<_> =
            these.iter().zip(&signatures).map(|(at, signature)| (&public[*at], &signature[..])).collect();
        let blocks: Vec<Vec<u8>> =
            wallet_rsa8::recover(&operations).into_iter().map(Option::unwrap).collect();
        let digest = <sha1::Sha1 as sha1::Digest>::digest(&text);
        assert!(blocks.iter().all(|block| block.starts_with(&[0, 1, 0xff]) && block.ends_with(&digest)));
        let operations: Vec<_> =
            these.iter().zip(&blocks).map(|(at, block)| (&private[*at], &block[..])).collect();
        let signed: Vec<Vec<u8>> =
            wallet_rsa8::sign(&operations, &mut random).into_iter().map(Option::unwrap).collect();
        assert!(signed == signatures, "{n}");
    }
}

/// A signature that is wrong in one prime gives the key away; none leaves.
#[test]
fn a_wrong_signature_does_not_leave() {
    if !wallet_rsa8::is_available() {
        return;
    }
    let numbers = Numbers::of(&key("rsa-1024.pem"));
    let right = wallet_rsa8::PrivateKey::new(&numbers.parts()).unwrap();
    let block = [&[0, 1][..], &[7; 126]].concat();
    let expected = wallet_rsa8::sign(&[(&right, &block)], &mut random).remove(0).unwrap();
    // The numbers after the primes, each with one bit changed; and the primes themselves.
    for (number, bit) in [(2, 1), (3, 1), (4, 0), (4, 3), (5, 0), (5, 6), (6, 2)] {
        let mut numbers = Numbers::of(&key("rsa-1024.pem"));
        *numbers.0[number].last_mut().unwrap() ^= 1 << bit;
        let wrong = wallet_rsa8::PrivateKey::new(&numbers.parts()).unwrap();
        for _ in 0..2 {
            let signed =
                wallet_rsa8::sign(&[(&right, &block), (&wrong, &block), (&right, &block)], &mut random);
            assert_eq!(signed, [Some(expected.clone()), None, Some(expected.clone())], "{number} {bit}");
        }
    }
}

#[test]
fn what_the_lanes_do_not_take() {
    let numbers = Numbers::of(&key("rsa-1024.pem"));
    let [n, e, ..] = &numbers.0;
    assert!(wallet_rsa8::PrivateKey::new(&numbers.parts()).is_some());
    assert!(wallet_rsa8::PublicKey::new(n, e).is_some());
    let between = Numbers::of(&PrivateKey::generate(1_536).unwrap());
    assert!(wallet_rsa8::PrivateKey::new(&between.parts()).is_none(), "another size");
    assert!(wallet_rsa8::PublicKey::new(&between.0[0], e).is_none());
    assert!(wallet_rsa8::PublicKey::new(n, &[3]).is_none(), "another exponent");
    assert!(wallet_rsa8::PrivateKey::new(&Parts { e: &[3], ..numbers.parts() }).is_none());
    assert!(wallet_rsa8::PrivateKey::new(&Parts { p: &numbers.0[2][1..], ..numbers.parts() }).is_none());
    let even = [&n[..n.len() - 1], &[n[n.len() - 1] ^ 1]].concat();
    assert!(wallet_rsa8::PublicKey::new(&even, e).is_none(), "an even modulus");
    let short = [&[0x7f], &n[1..]].concat();
    assert!(wallet_rsa8::PublicKey::new(&short, e).is_none(), "fewer bits than its bytes");
    if !wallet_rsa8::is_available() {
        return;
    }
    let keys = [key("rsa-1024.pem"), PrivateKey::generate(2_048).unwrap(), key("rsa-4096.pem")];
    for numbers in keys.iter().map(Numbers::of) {
        let [n, e, p, q, dp, dq, _] = &numbers.0;
        let private = wallet_rsa8::PrivateKey::new(&numbers.parts()).unwrap();
        // The same key with its primes in the other order: then the first one is the smaller one, or the larger one.
        let number = |bytes: &[u8]| rsa::BigUint::from_bytes_be(bytes);
        let inverse = number(p).modpow(&(number(q) - 2_u8), &number(q)).to_bytes_be();
        let swapped = Parts { n, e, p: q, q: p, dp: dq, dq: dp, qinv: &inverse };
        let swapped = wallet_rsa8::PrivateKey::new(&swapped).unwrap();
        let public = wallet_rsa8::PublicKey::new(n, e).unwrap();
        let of = |value: rsa::BigUint| {
            let bytes = value.to_bytes_be();
            [vec![0; n.len() - bytes.len()], bytes].concat()
        };
        // The smallest and the largest numbers, and multiples of one prime, which no factor hides.
        let d = rsa::RsaPrivateKey::from_p_q(number(p), number(q), number(e)).unwrap();
        let values =
            [number(&[0]), number(&[1]), number(n) - 1_u8, number(p), number(q), number(n) - number(p)];
        for key in [&private, &swapped] {
            let blocks = values.clone().map(of);
            let operations: Vec<_> = blocks.iter().map(|block| (key, &block[..])).collect();
            let expected = values.clone().map(|value| Some(of(value.modpow(d.d(), d.n()))));
            assert_eq!(wallet_rsa8::sign(&operations, &mut random), expected);
        }
        let blocks = values.clone().map(of);
        let operations: Vec<_> = blocks.iter().map(|block| (&public, &block[..])).collect();
        let expected = values.map(|value| Some(of(value.modpow(d.e(), d.n()))));
        assert_eq!(wallet_rsa8::recover(&operations), expected);
        // Numbers that are not below the modulus, or not as long.
        let none: [&[u8]; 3] = [n, &vec![0xff; n.len()], &vec![0; n.len() - 1]];
        assert_eq!(wallet_rsa8::sign(&none.map(|block| (&private, block)), &mut random), [None, None, None]);
        assert_eq!(wallet_rsa8::recover(&none.map(|block| (&public, block))), [None, None, None]);
        let fresh = wallet_rsa8::PrivateKey::new(&numbers.parts()).unwrap();
        assert_eq!(wallet_rsa8::sign(&[(&fresh, &blocks[1])], &mut |_| false), [None], "no randomness");
        // A blinding is used 32 times.
        let mut made = 0;
        for _ in 0..65 {
            let mut random = |bytes: &mut [u8]| {
                made += usize::from(bytes.len() == n.len() && bytes.len() != 128);
                random(bytes)
            };
            assert_eq!(wallet_rsa8::sign(&[(&fresh, &blocks[1])], &mut random), [Some(blocks[1].clone())]);
        }
        if n.len() > 128 {
            assert_eq!(made, 3 * 8, "eight at a time");
        }
    }
    assert!(wallet_rsa8::sign(&[], &mut random).is_empty() && wallet_rsa8::recover(&[]).is_empty());
}
