//! Signs for several threads at once: what comes while a batch is under way goes into the next one, so that nothing waits for company.

use std::fmt;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::rand::{SecureRandom as _, SystemRandom};
use rsa::pkcs1;
use sha1::Digest as _;
use wallet_core::crypto::{RsaSigner, RsaVerifier, SigningFailed};
use wallet_rsa8::{LANES, Parts, Size};

use crate::rsa::{DIGEST_INFO, KeyError, PrivateKey, PublicKey};

/// From so many signatures on, eight lanes are faster than one after the other: `cargo bench --bench signing`.
const fn worth_signing(size: Size) -> usize {
    match size {
        Size::Bits1024 => 2,
        Size::Bits2048 => 3,
        Size::Bits4096 => 5,
    }
}

/// The same of verifications, for each size.
const WORTH_VERIFYING: usize = 2;

/// Makes signatures of several threads in one batch where the machine has the instructions for it. Clones share it.
#[derive(Clone)]
pub struct BatchSigner {
    queue: Arc<Mutex<Queue>>,
}

impl fmt::Debug for BatchSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchSigner").finish_non_exhaustive()
    }
}

struct Queue {
    /// The threads that sign.
    signing: usize,
    most: usize,
    /// In order; empty while fewer sign than may.
    waiting: Vec<Waiting>,
}

/// A signature that a thread waits for.
struct Job {
    key: Arc<Key>,
    message: Vec<u8>,
}

struct Waiting {
    job: Arc<Job>,
    turn: Sender<Turn>,
}

/// What a thread that waits gets.
enum Turn {
    Signed(Result<Vec<u8>, SigningFailed>),
    /// It signs its own and these.
    Sign(Vec<Waiting>),
}

type Signed = Result<Vec<u8>, SigningFailed>;

impl BatchSigner {
    /// One with which so many threads sign at once; others wait. A waiting one takes up to seven others along.
    pub fn new(at_once: usize) -> Self {
        let queue = Queue { signing: 0, most: at_once.max(1), waiting: Vec::new() };
        Self { queue: Arc::new(Mutex::new(queue)) }
    }

    /// A key that signs in batches.
    ///
    /// # Errors
    /// [`KeyError::Damaged`].
    pub fn signer(&self, key: &PrivateKey) -> Result<BatchedKey, KeyError> {
        let one = crate::rsa_signer(key)?;
        let lanes = if wallet_rsa8::is_available() { lanes(key) } else { None };
        Ok(BatchedKey { batch: self.clone(), key: Arc::new(Key { one, lanes }) })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sign(&self, job: Job) -> Signed {
        let job = Arc::new(job);
        let waiting = {
            let mut queue = self.queue();
            if queue.signing < queue.most {
                queue.signing += 1;
                drop(queue);
                return self.sign_with(&job, Vec::new());
            }
            let (turn, waiting) = mpsc::channel();
            queue.waiting.push(Waiting { job: job.clone(), turn });
            waiting
        };
        match waiting.recv() {
            Ok(Turn::Signed(signed)) => signed,
            Ok(Turn::Sign(others)) => self.sign_with(&job, others),
            Err(_) => Err(SigningFailed),
        }
    }

    /// Signs a job of this thread and those of others, and hands the place on.
    fn sign_with(&self, own: &Job, others: Vec<Waiting>) -> Signed {
        let _place = Place(self);
        let jobs = std::iter::once(own).chain(others.iter().map(|other| &*other.job));
        let messages: Vec<(&Key, &[u8])> = jobs.map(|job| (&*job.key, &job.message[..])).collect();
        let mut signed = sign_each(&messages).into_iter();
        let first = signed.next().unwrap_or(Err(SigningFailed));
        for (other, signed) in others.iter().zip(signed) {
            let _ = other.turn.send(Turn::Signed(signed)); // it waits
        }
        first
    }
}

/// The place of a thread that signs.
struct Place<'a>(&'a BatchSigner);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        let mut next = queue.take(LANES);
        if next.is_empty() {
            queue.signing -= 1;
            return;
        }
        drop(queue);
        let first = next.remove(0);
        let _ = first.turn.send(Turn::Sign(next)); // it waits
    }
}

impl Queue {
    /// The signatures that wait longest.
    fn take(&mut self, most: usize) -> Vec<Waiting> {
        let count = self.waiting.len().min(most);
        self.waiting.drain(..count).collect()
    }
}

/// A private key of both ways.
struct Key {
    one: Box<dyn RsaSigner>,
    /// `None` if the lanes cannot take it.
    lanes: Option<wallet_rsa8::PrivateKey>,
}

/// A key that signs in batches.
pub struct BatchedKey {
    batch: BatchSigner,
    key: Arc<Key>,
}

impl fmt::Debug for BatchedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchedKey").finish_non_exhaustive()
    }
}

impl RsaSigner for BatchedKey {
    fn sign_sha1(&self, message: &[u8]) -> Signed {
        self.batch.sign(Job { key: self.key.clone(), message: message.to_vec() })
    }
}

/// The numbers of a key for the lanes.
fn lanes(key: &PrivateKey) -> Option<wallet_rsa8::PrivateKey> {
    let key = pkcs1::RsaPrivateKey::try_from(key.pkcs1().expose().as_slice()).ok()?;
    wallet_rsa8::PrivateKey::new(&Parts {
        n: key.modulus.as_bytes(),
        e: key.public_exponent.as_bytes(),
        p: key.prime1.as_bytes(),
        q: key.prime2.as_bytes(),
        dp: key.exponent1.as_bytes(),
        dq: key.exponent2.as_bytes(),
        qinv: key.coefficient.as_bytes(),
    })
}

/// `EMSA-PKCS1-v1_5` of a text with SHA-1 (RFC 8017, section 9.2).
fn padded(message: &[u8], size: Size) -> Vec<u8> {
    let end = [&[0][..], &DIGEST_INFO, &sha1::Sha1::digest(message)].concat();
    let filling = vec![0xff; size.bytes() - 2 - end.len()];
    [&[0, 1][..], &filling, &end].concat()
}

/// Each message's signature by its key, in order: what [`BatchedKey`]s of several threads come to.
pub fn sign_all(messages: &[(&BatchedKey, &[u8])]) -> Vec<Signed> {
    let messages: Vec<(&Key, &[u8])> = messages.iter().map(|(key, message)| (&*key.key, *message)).collect();
    sign_each(&messages)
}

fn sign_each(messages: &[(&Key, &[u8])]) -> Vec<Signed> {
    let mut signed: Vec<Option<Vec<u8>>> = vec![None; messages.len()];
    let random = SystemRandom::new();
    for size in Size::ALL {
        let of_size = messages.iter().enumerate().filter_map(|(at, (key, message))| {
            let key = key.lanes.as_ref().filter(|key| key.size() == size)?;
            Some((at, key, padded(message, size)))
        });
        let of_size: Vec<(usize, &wallet_rsa8::PrivateKey, Vec<u8>)> = of_size.collect();
        for eight in of_size.chunks(LANES).filter(|eight| eight.len() >= worth_signing(size)) {
            let operations: Vec<_> = eight.iter().map(|(_, key, block)| (*key, &block[..])).collect();
            let done = wallet_rsa8::sign(&operations, &mut |bytes| random.fill(bytes).is_ok());
            eight.iter().zip(done).for_each(|((at, ..), done)| signed[*at] = done);
        }
    }
    // What is not worth the lanes, what they cannot do, and what they did wrong.
    let each = messages.iter().zip(signed);
    each.map(|((key, message), signed)| signed.map_or_else(|| key.one.sign_sha1(message), Ok)).collect()
}

/// A public key that checks several signatures at once.
pub struct BatchedPublicKey {
    one: Arc<dyn RsaVerifier>,
    lanes: Option<wallet_rsa8::PublicKey>,
}

impl fmt::Debug for BatchedPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchedPublicKey").finish_non_exhaustive()
    }
}

impl BatchedPublicKey {
    /// Takes a key.
    ///
    /// # Errors
    /// [`KeyError::Damaged`].
    pub fn new(key: &PublicKey) -> Result<Self, KeyError> {
        let one = crate::rsa_verifier(key)?;
        let numbers = pkcs1::RsaPublicKey::try_from(key.pkcs1()).map_err(|_| KeyError::Damaged)?;
        let (n, e) = (numbers.modulus.as_bytes(), numbers.public_exponent.as_bytes());
        let lanes = if wallet_rsa8::is_available() { wallet_rsa8::PublicKey::new(n, e) } else { None };
        Ok(Self { one, lanes })
    }
}

/// Whether each signature is one over its message by its key, in order: key, message, signature.
pub fn verify_all(signatures: &[(&BatchedPublicKey, &[u8], &[u8])]) -> Vec<bool> {
    let mut valid = vec![None; signatures.len()];
    for size in Size::ALL {
        let of_size = signatures.iter().enumerate().filter_map(|(at, (key, message, signature))| {
            let key = key.lanes.as_ref().filter(|key| key.size() == size)?;
            Some((at, key, *message, *signature))
        });
        let of_size: Vec<(usize, &wallet_rsa8::PublicKey, &[u8], &[u8])> = of_size.collect();
        for eight in of_size.chunks(LANES).filter(|eight| eight.len() >= WORTH_VERIFYING) {
            let operations: Vec<_> = eight.iter().map(|(_, key, _, signature)| (*key, *signature)).collect();
            for ((at, _, message, _), block) in eight.iter().zip(wallet_rsa8::recover(&operations)) {
                valid[*at] = Some(block.is_some_and(|block| block == padded(message, size)));
            }
        }
    }
    let each = signatures.iter().zip(valid);
    each.map(|((key, message, signature), valid)| {
        valid.unwrap_or_else(|| key.one.verify_sha1(message, signature))
    })
    .collect()
}
