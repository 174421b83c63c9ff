//! The platform's store: its schema on a database, with its keys.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use wallet_core::Secret;
use wallet_core::crypto::Crypto;
use wallet_platform::{FIRST_ID, Platform, StartError, locked_vault, start};
use wallet_store::{Clock, Database, Memory, OpenError, WALLOP};

/// A store of the platform.
pub type Store = wallet_store::Store<Platform>;

/// What a store is opened with.
#[derive(Clone)]
pub struct Options {
    /// Where decisions take the time from.
    pub clock: Arc<dyn Clock>,
    /// The crypto backend.
    pub crypto: Arc<dyn Crypto>,
    /// The key that protects every secret of the database. It is kept outside of it.
    pub master: Secret<[u8; 32]>,
    /// How many commands may wait.
    pub queue: usize,
    /// How many connections read.
    pub readers: usize,
}

impl Options {
    /// The usual sizes.
    pub fn new(clock: Arc<dyn Clock>, crypto: Arc<dyn Crypto>, master: Secret<[u8; 32]>) -> Self {
        let wallet_store::Options { queue, readers, clock, .. } = wallet_store::Options::new(clock);
        Self { clock, crypto, master, queue, readers }
    }

    fn running(&self) -> wallet_store::Options {
        let usual = wallet_store::Options::new(self.clock.clone());
        wallet_store::Options { queue: self.queue, readers: self.readers, ..usual }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("queue", &self.queue)
            .field("readers", &self.readers)
            .finish_non_exhaustive()
    }
}

fn failed(error: StartError) -> OpenError {
    OpenError::new(error.to_string())
}

/// Opens the SQLite database at `path`, creating it if it does not exist. One process at a time can have it open.
///
/// # Errors
/// [`OpenError`]: what happened and what to do.
pub fn open(path: &Path, options: Options) -> Result<Store, OpenError> {
    let mut database = Database::<Platform>::open(path, WALLOP)?;
    let vault = {
        let mut engine = database.engine(locked_vault(options.crypto.clone(), &options.master))?;
        start(&mut engine, &options.master, options.clock.now()).map_err(failed)?
    };
    Store::start(database, vault, options.running())
}

/// A store in memory: the same decisions, nothing on disk.
///
/// # Errors
/// [`OpenError`] if a thread cannot be started.
pub fn open_memory(options: Options) -> Result<(Store, Memory<Platform>), OpenError> {
    let memory = Memory::starting_at(FIRST_ID);
    let mut engine = memory.engine(locked_vault(options.crypto.clone(), &options.master));
    let vault = start(&mut engine, &options.master, options.clock.now()).map_err(failed)?;
    Ok((Store::start_memory(&memory, vault, options.running())?, memory))
}
