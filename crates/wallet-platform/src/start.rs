//! Preparation of a database, once before its use.

use std::sync::Arc;

use wallet_core::crypto::Crypto;
use wallet_core::{Secret, UnixTime};
use wallet_engine::{Backend, Command, Engine, Query, StoreError, job};

use crate::deliveries::{LeasedDeliveries, ReleaseLeases};
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Failure, Platform, Rows};
use crate::vault::{PERMUTATION_KEY, SealedKey, Vault};

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

/// A vault with the master key only. [`start`] reads the permutation key with it and returns the complete vault.
pub fn locked_vault(crypto: Arc<dyn Crypto>, master: &Secret<[u8; 32]>) -> Vault {
    Vault::new(crypto, master, [0; 32])
}

/// Completes the keys of the platform (the permutation's key is made once for each database and sealed in it, R30), and
/// releases the leases of a dead process. `engine` has a [`locked_vault`].
///
/// # Errors
/// [`StartError`].
pub fn start<B: Backend<Platform>>(
    engine: &mut Engine<Platform, B>,
    master: &Secret<[u8; 32]>,
    now: UnixTime,
) -> Result<Vault, StartError> {
    let locked = engine.vault().clone();
    let sealed = match engine.read(now, FindPermutation)? {
        Some(sealed) => sealed,
        None => {
            let mut key = [0; 32];
            locked.crypto().fill(&mut key);
            let sealed = locked.seal(&locked.seed(), PERMUTATION_KEY, &key);
            run(engine, now, KeepPermutation(sealed))?;
            // Of several processes that start at once, the first one's key is kept.
            engine.read(now, FindPermutation)?.ok_or(StoreError::damaged("sealed_key"))?
        }
    };
    let permutation = locked.open(PERMUTATION_KEY, &sealed);
    let permutation = permutation.and_then(|key| key.expose().as_slice().try_into().ok());
    let permutation = permutation.ok_or(StartError::WrongMasterKey)?;
    let vault = Vault::new(locked.shared_crypto(), master, permutation);
    engine.set_vault(vault.clone());
    // In a shared database they may be of a process that lives; there they run out.
    let leased = if B::SHARED { Vec::new() } else { engine.read(now, LeasedDeliveries)? };
    if !leased.is_empty() {
        run(engine, now, ReleaseLeases(leased))?;
    }
    Ok(vault)
}

/// Checks that a database is one of this platform, and that the engine's [`locked_vault`] has its master key.
///
/// # Errors
/// [`StartError`].
pub fn check_master_key<B: Backend<Platform>>(
    engine: &mut Engine<Platform, B>,
    now: UnixTime,
) -> Result<(), StartError> {
    let sealed = engine.read(now, FindPermutation)?.ok_or(StoreError::damaged("sealed_key"))?;
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

/// A command that changes nothing: whether the writer answers.
#[derive(Debug)]
pub struct Ping;

impl Command<Platform> for Ping {
    type Outcome = ();
    fn apply(&self, _: &Rows, _: &Context<'_>, _: &mut Changes) -> Result<(), Stop> {
        Ok(())
    }
}

struct FindPermutation;

impl Query<Platform> for FindPermutation {
    type Answer = Option<Vec<u8>>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        Ok(rows.find::<SealedKey>(&(PERMUTATION_KEY.to_owned(),))?.map(|row| row.sealed.clone()))
    }
}

struct KeepPermutation(Vec<u8>);

impl Command<Platform> for KeepPermutation {
    type Outcome = ();
    fn apply(&self, rows: &Rows, _: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        let name = PERMUTATION_KEY.to_owned();
        if rows.find::<SealedKey>(&(name.clone(),))?.is_none() {
            out.put(SealedKey { name, sealed: self.0.clone() });
        }
        Ok(())
    }
}
