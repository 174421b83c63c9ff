//! Proofs of passwords (R22). Hashing runs in its own small pool. The prover remembers a proven password
//! as a keyed hash, never as plain text.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use indexmap::IndexSet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use wallet_core::Secret;
use wallet_core::crypto::from_hex;
use wallet_crypto::{NoMemory, Passwords, is_old_hash};
use wallet_engine::StoreError;
use wallet_platform::accounts::UserId;
use wallet_platform::{
    Challenge, Digest, Failure, FindPassword, GiveBack, PasswordKind, PasswordState, Proof, Reservation,
    ReservePassword, Vault, Who, open_second_factor,
};

use crate::second_factor::step_of;

use crate::store::Store;

/// How many password hashes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashes {
    /// At once; each takes a core and the memory of its [cost](wallet_crypto::PasswordCost).
    pub at_once: usize,
    /// The number of requests that may wait for one; further requests get HTTP 503.
    pub waiting: usize,
}

impl Default for Hashes {
    fn default() -> Self {
        Self { at_once: 2, waiting: 128 }
    }
}

/// The number of remembered proven passwords.
const REMEMBERED: usize = 10_000;
/// The time without a hash after which the memory of hashes is released.
const RELEASED_AFTER: Duration = Duration::from_secs(10);
/// The longest wait for other attempts of the same user.
const PATIENCE: Duration = Duration::from_secs(10);

/// A proof, and the keyed hash to remember.
pub(crate) struct Proven {
    pub(crate) proof: Proof,
    pub(crate) memory: Option<[u8; 32]>,
}

pub(crate) struct Prover {
    store: Store,
    passwords: Passwords,
    hashes: Hashes,
    pool: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// The key of the remembered hashes, random in each process.
    key: [u8; 32],
    remembered: Mutex<IndexSet<[u8; 32]>>,
    last_hash: Arc<Mutex<LastHash>>,
    /// The hash that is used for an unknown login name, so that its check takes the same time.
    nobody: OnceLock<String>,
}

/// The last hash that was made.
struct LastHash {
    at: Instant,
    /// Whether a task waits until memory can be released.
    is_watched: bool,
}

/// The place at which the user gave a password. The prover remembers a proven password for this place only.
pub(crate) enum Place<'a> {
    /// No place: the password is not remembered.
    Nowhere,
    /// A session, or an app with a version of its secret.
    Here(&'a [&'a [u8]]),
}

impl Prover {
    pub(crate) fn new(store: Store, passwords: Passwords, hashes: Hashes) -> Self {
        let mut key = [0; 32];
        store.vault().crypto().fill(&mut key);
        let (pool, waiting) = (Arc::new(Semaphore::new(hashes.at_once)), AtomicUsize::new(0));
        Self {
            store,
            passwords,
            hashes,
            pool,
            waiting,
            key,
            remembered: Mutex::default(),
            last_hash: Arc::new(Mutex::new(LastHash { at: Instant::now(), is_watched: false })),
            nobody: OnceLock::new(),
        }
    }

    /// The hashes being made, and those that wait for a place.
    pub(crate) fn in_use(&self) -> (usize, usize) {
        let running = self.hashes.at_once.saturating_sub(self.pool.available_permits());
        (running, self.waiting.load(Ordering::Relaxed))
    }

    fn vault(&self) -> &Vault {
        self.store.vault()
    }

    /// The PHC text of a new password.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Failure> {
        let (passwords, password, store) = (self.passwords.clone(), password.to_owned(), self.store.clone());
        self.in_pool(move || passwords.hash(store.vault().crypto(), &password)).await?.map_err(no_memory)
    }

    async fn in_pool<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let done = run(self.permit().await?, work).await;
        self.release_later();
        done
    }

    /// Gives the memory of hashes back once there was no hash for a while.
    fn release_later(&self) {
        let mut last = self.last_hash();
        last.at = Instant::now();
        if std::mem::replace(&mut last.is_watched, true) {
            return;
        }
        let (last, passwords) = (self.last_hash.clone(), self.passwords.clone());
        tokio::spawn(async move {
            loop {
                let at = last.lock().unwrap_or_else(PoisonError::into_inner).at;
                tokio::time::sleep_until(at + RELEASED_AFTER).await;
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.at == at {
                    last.is_watched = false;
                    break passwords.release();
                }
            }
        });
    }

    fn last_hash(&self) -> std::sync::MutexGuard<'_, LastHash> {
        self.last_hash.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place in the pool.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, Failure> {
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= self.hashes.waiting {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(StoreError::Overloaded.into());
        }
        let permit = self.pool.clone().acquire_owned().await;
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        permit.map_err(|_| StoreError::Stopped.into())
    }

    fn memory(&self, place: &[&[u8]], state: &PasswordState, kind: PasswordKind, password: &str) -> [u8; 32] {
        let kind: &[u8] = match kind {
            PasswordKind::Login => b"login",
            PasswordKind::LoginAgain => b"login again",
            PasswordKind::Wallet => b"wallet",
            PasswordKind::Verification => b"verification",
            PasswordKind::SecondFactor => b"second factor",
        };
        let (user, version) = (state.user.get().to_be_bytes(), state.version.to_be_bytes());
        // Lengths first, so that two places never give the same bytes.
        let lengths: Vec<u8> = place.iter().flat_map(|part| (part.len() as u64).to_be_bytes()).collect();
        let mut parts: Vec<&[u8]> = vec![kind, &user, &version, &lengths];
        parts.extend_from_slice(place);
        parts.push(password.as_bytes());
        self.vault().crypto().hmac(&self.key, &parts)
    }

    /// Remembers a proven password. Call it after the decision is committed.
    pub(crate) fn remember(&self, memory: Option<[u8; 32]>) {
        let Some(memory) = memory else { return };
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.shift_remove_index(0);
        }
        remembered.insert(memory);
    }

    /// A proof of the payment password of the session's user, remembered for this session.
    pub(crate) async fn prove_payment(&self, session: Digest, wallet_pwd: &str) -> Result<Proven, Failure> {
        let place = [session.as_bytes().as_slice()];
        self.prove(Who::Session(session), PasswordKind::Wallet, Place::Here(&place), wallet_pwd).await
    }

    /// A proof of a code of the second factor of the session's user.
    pub(crate) async fn prove_second_factor(
        &self,
        session: Digest,
        user: UserId,
        code: &str,
    ) -> Result<Proof, Failure> {
        let (who, kind) = (Who::Session(session), PasswordKind::SecondFactor);
        let challenge = match self.store.submit(ReservePassword { who, kind }).await? {
            Reservation::Challenge(challenge) => challenge,
            Reservation::Busy => return Err(StoreError::Overloaded.into()),
        };
        let sealed = from_hex(challenge.phc());
        let secret = sealed.and_then(|sealed| open_second_factor(self.vault(), user, &sealed));
        match secret.and_then(|secret| step_of(&secret, code, self.store.now())) {
            Some(step) => Ok(challenge.proven_at(step)),
            None => self.fail(challenge).await,
        }
    }

    /// Counts a wrong password; retries while the store is busy: each one must count.
    async fn fail<T>(&self, challenge: Challenge) -> Result<T, Failure> {
        loop {
            match self.store.submit(challenge.clone().failed()).await {
                Ok(never) => match never {},
                Err(Failure::Store(error)) if error.is_retryable() => {
                    tokio::time::sleep(Duration::from_millis(20)).await
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// A proof that `password` is right, or the platform's refusal.
    pub(crate) async fn prove(
        &self,
        who: Who,
        kind: PasswordKind,
        place: Place<'_>,
        password: &str,
    ) -> Result<Proven, Failure> {
        let state = self.store.view(FindPassword { who: who.clone(), kind }).await?;
        let memory = match place {
            Place::Nowhere => None,
            Place::Here(parts) => Some(self.memory(parts, &state, kind, password)),
        };
        let is_known = || {
            let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
            memory.as_ref().is_some_and(|memory| remembered.contains(memory))
        };
        let remembered = || Proven { proof: Proof::remembered(&state, kind), memory };
        if is_known() {
            return Ok(remembered());
        }
        let give_up = Instant::now() + PATIENCE;
        let challenge = loop {
            match self.store.submit(ReservePassword { who: who.clone(), kind }).await? {
                Reservation::Challenge(challenge) => break challenge,
                Reservation::Busy if Instant::now() < give_up => {
                    tokio::time::sleep(Duration::from_millis(10)).await
                }
                Reservation::Busy => return Err(StoreError::Overloaded.into()),
            }
        };
        let (passwords, given, phc) =
            (self.passwords.clone(), password.to_owned(), challenge.phc().to_owned());
        let reserved = Reserved { store: self.store.clone(), challenge: Some(challenge) };
        let nobody = match (phc.is_empty(), self.nobody.get()) {
            (false, _) => None,
            (true, Some(nobody)) => Some(nobody.clone()),
            (true, None) => {
                let hash = self.hash("").await?;
                Some(self.nobody.get_or_init(|| hash).clone())
            }
        };
        let permit = self.permit().await?;
        // Another request may have proven it meanwhile.
        if is_known() {
            return Ok(remembered());
        }
        let Some(challenge) = reserved.keep() else { return Err(StoreError::Stopped.into()) };
        let right = match nobody {
            Some(nobody) => run(permit, move || passwords.verify(&nobody, &given)).await?.map(|_| false),
            None => run(permit, move || passwords.verify(&phc, &given)).await?,
        };
        self.release_later();
        let right = match right {
            Ok(right) => right,
            // Nothing was guessed.
            Err(error) => {
                drop(Reserved { store: self.store.clone(), challenge: Some(challenge) });
                return Err(no_memory(error));
            }
        };
        if !right {
            return self.fail(challenge).await;
        }
        if is_old_hash(challenge.phc(), password)
            && let Ok(phc) = self.hash(password).await
            && let Err(error) = self.store.submit(challenge.renewed(Secret::new(phc))).await
        {
            tracing::debug!(%error, "an old hash stays");
        }
        Ok(Proven { proof: challenge.proven(), memory })
    }
}

fn no_memory(error: NoMemory) -> Failure {
    tracing::error!(%error, "a password was not checked");
    StoreError::Overloaded.into()
}

/// Runs work on a blocking thread. It holds the place in the pool: a running hash counts even after its caller is gone.
async fn run<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(move || {
        let result = work();
        drop(permit);
        result
    });
    done.await.map_err(|error| StoreError::Panicked(error.to_string()).into())
}

/// A reserved attempt whose password is not checked yet. It is given back unless it is kept, also when its caller is gone: otherwise
/// a full pool would lock out users who entered the right password.
struct Reserved {
    store: Store,
    challenge: Option<Challenge>,
}

impl Reserved {
    /// The attempt, which counts from now on.
    fn keep(mut self) -> Option<Challenge> {
        self.challenge.take()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let Some(challenge) = self.challenge.take() else { return };
        let store = self.store.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = store.submit(GiveBack(challenge)).await {
                    tracing::debug!(%error, "a reserved attempt lapses by itself");
                }
            });
        }
    }
}
