//! Preparation of a database, once before its use.

use std::sync::Arc;

use wallet_core::crypto::Crypto;
use wallet_core::{Secret, UnixTime};
use wallet_engine::{Backend, Command, Engine, Query, StoreError, job};

use crate::deliveries::{LeasedDeliveries, ReleaseLeases};
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Failure, Platform, Rows};
use crate::vault::{PERMUTATION_KEY, SealedKey, TOKEN_KEYS, TokenKeys, Vault};

/// The error of [`start`].
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The database was made with another master key.
    WrongMasterKey,
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for StartError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => Self::Store(error),
            // The commands of this module never refuse.
            Failure::Refused(refused) => Self::Store(StoreError::Panicked(refused.to_string())),
        }
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::WrongMasterKey => f.write_str(
                "this master key does not open the database: start with the master key that the database was made with",
            ),
            Self::Store(error) => write!(f, "cannot prepare the database: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// The master key of a database, and those that it had before or gets next, during a change of it.
#[derive(Debug, Clone)]
pub struct MasterKeys {
    /// The key that seals.
    pub current: Secret<[u8; 32]>,
    /// The key before, whose change to the current one is under way.
    pub previous: Option<Secret<[u8; 32]>>,
    /// The key that other nodes may seal with already.
    pub next: Option<Secret<[u8; 32]>>,
}

impl MasterKeys {
    /// One key, and no change under way.
    pub const fn only(current: Secret<[u8; 32]>) -> Self {
        Self { current, previous: None, next: None }
    }

    fn others(&self) -> Vec<Secret<[u8; 32]>> {
        [&self.previous, &self.next].into_iter().flatten().cloned().collect()
    }
}

/// A vault with the master keys only. [`start`] reads the other keys with it and returns the complete vault.
pub fn locked_vault(crypto: Arc<dyn Crypto>, keys: &MasterKeys) -> Vault {
    Vault::new(crypto, &keys.current, [0; 32]).opening(&keys.others())
}

/// Completes the keys of the platform, and releases the leases of a dead process. `engine` has a [`locked_vault`].
///
/// The permutation's key is made once for each database and sealed in it (R30). The keys behind tokens are those of the first
/// master key: the first change of it seals them in the database.
///
/// # Errors
/// [`StartError`].
pub fn start<B: Backend<Platform>>(
    engine: &mut Engine<Platform, B>,
    keys: &MasterKeys,
    now: UnixTime,
) -> Result<Vault, StartError> {
    let locked = engine.vault().clone();
    let fresh = || {
        let mut key = [0; 32];
        locked.crypto().fill(&mut key);
        key.to_vec()
    };
    let permutation = kept(engine, now, PERMUTATION_KEY, Some(&fresh))?;
    let permutation = permutation.and_then(|key| key.expose().as_slice().try_into().ok());
    let permutation = permutation.ok_or(StartError::WrongMasterKey)?;
    let of_previous = keys.previous.as_ref().map(|previous| TokenKeys::of(locked.crypto(), previous));
    let of_previous = of_previous.map(|tokens| move || tokens.to_bytes().to_vec());
    let make = of_previous.as_ref().map(|make| make as &dyn Fn() -> Vec<u8>);
    let mut vault = locked.with_permutation(permutation);
    if let Some(tokens) = kept(engine, now, TOKEN_KEYS, make)? {
        vault = vault.with_tokens(TokenKeys::from_bytes(tokens.expose()).ok_or(StartError::WrongMasterKey)?);
    }
    engine.set_vault(vault.clone());
    // In a shared database they may be of a process that lives; there they run out.
    let leased = if B::SHARED { Vec::new() } else { engine.read(now, LeasedDeliveries)? };
    if !leased.is_empty() {
        run(engine, now, ReleaseLeases(leased))?;
    }
    Ok(vault)
}

/// The key that a database keeps under a name, opened. A missing one is made first, if `make` is given.
fn kept<B: Backend<Platform>>(
    engine: &mut Engine<Platform, B>,
    now: UnixTime,
    name: &'static str,
    make: Option<&dyn Fn() -> Vec<u8>>,
) -> Result<Option<Secret<Vec<u8>>>, StartError> {
    let locked = engine.vault().clone();
    let mut sealed = engine.read(now, FindKey(name))?;
    if let Some(make) = make.filter(|_| sealed.is_none()) {
        run(engine, now, KeepKey(name, locked.seal(&locked.seed(), name, &make())))?;
        // Of several processes that start at once, the first one's key is kept.
        sealed = Some(engine.read(now, FindKey(name))?.ok_or(StoreError::damaged("sealed_key"))?);
    }
    sealed.map(|sealed| locked.open(name, &sealed).ok_or(StartError::WrongMasterKey)).transpose()
}

/// Checks that a database is one of this platform, and that the engine's [`locked_vault`] has its master key.
///
/// # Errors
/// [`StartError`].
pub fn check_master_key<B: Backend<Platform>>(
    engine: &mut Engine<Platform, B>,
    now: UnixTime,
) -> Result<(), StartError> {
    let sealed = engine.read(now, FindKey(PERMUTATION_KEY))?.ok_or(StoreError::damaged("sealed_key"))?;
    engine.vault().open(PERMUTATION_KEY, &sealed).map(drop).ok_or(StartError::WrongMasterKey)
}

/// Runs one command that never refuses.
fn run<B: Backend<Platform>>(
    engine: &mut Engine<Platform, B>,
    now: UnixTime,
    command: impl Command<Platform>,
) -> Result<(), StartError> {
    let (job, mut outcome) = job(command);
    engine.batch(&|| now, [job])?;
    outcome.take().unwrap_or(Err(StoreError::Stopped.into()))?;
    Ok(())
}

struct FindKey(&'static str);

impl Query<Platform> for FindKey {
    type Answer = Option<Vec<u8>>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        Ok(rows.find::<SealedKey>(&(self.0.to_owned(),))?.map(|row| row.sealed.clone()))
    }
}

struct KeepKey(&'static str, Vec<u8>);

impl Command<Platform> for KeepKey {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let name = self.0.to_owned();
        if rows.find::<SealedKey>(&(name.clone(),))?.is_none() {
            out.put(SealedKey { name, sealed: self.1.clone() });
        }
        Ok(())
    }
}
