//! The platform's store: its schema on a database, with its keys.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use wallet_core::Secret;
use wallet_core::crypto::Crypto;
use wallet_platform::{FIRST_ID, Failure, FindApp, Platform, StartError, locked_vault, start};
#[cfg(feature = "postgres")]
use wallet_store::Shared;
use wallet_store::{Clock, Database, Memory, OpenError, WALLOP};

/// A store of the platform.
pub type Store = wallet_store::Store<Platform>;

/// The options of a store.
#[derive(Clone)]
pub struct Options {
    /// The clock of all decisions.
    pub clock: Arc<dyn Clock>,
    /// The crypto backend.
    pub crypto: Arc<dyn Crypto>,
    /// The key that encrypts every secret of the database. It is stored outside the database.
    pub master: Secret<[u8; 32]>,
    /// The number of commands that may wait in the queue.
    pub queue: usize,
    /// The number of read connections.
    pub readers: usize,
}

impl Options {
    /// Options with the default sizes.
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

/// Opens the SQLite database at `path`; creates it if it does not exist. Only one process can open it at a time.
///
/// # Errors
/// [`OpenError`] with the cause and the next step.
pub fn open(path: &Path, options: Options) -> Result<Store, OpenError> {
    let mut database = Database::<Platform>::open(path, WALLOP)?;
    let vault = {
        let mut engine = database.engine(locked_vault(options.crypto.clone(), &options.master))?;
        start(&mut engine, &options.master, options.clock.now()).map_err(failed)?
    };
    Store::start(database, vault, options.running())
}

/// Opens the PostgreSQL database of a URL, which any number of processes share, at the database's own time.
///
/// # Errors
/// [`OpenError`] with the cause and the next step.
#[cfg(feature = "postgres")]
pub fn open_postgres(url: &str, options: Options) -> Result<Store, OpenError> {
    open_shared(options, || Shared::open(url, WALLOP))
}

/// The same at the time of `options.clock`, for a sandbox and for tests, whose time is moved.
///
/// # Errors
/// [`OpenError`] with the cause and the next step.
#[cfg(feature = "postgres")]
pub fn open_postgres_at(url: &str, options: Options) -> Result<Store, OpenError> {
    let clock = options.clock.clone();
    open_shared(options, || Shared::open_at(url, WALLOP, clock))
}

#[cfg(feature = "postgres")]
fn open_shared(
    options: Options,
    open: impl FnOnce() -> Result<Shared<Platform>, OpenError> + Send,
) -> Result<Store, OpenError> {
    let opened = || {
        let mut database = open()?;
        let vault = {
            let mut engine = database.engine(locked_vault(options.crypto.clone(), &options.master))?;
            start(&mut engine, &options.master, options.clock.now()).map_err(failed)?
        };
        Store::start_postgres(database, vault, options.running())
    };
    // On a thread of its own: it waits, and the caller may be a thread of an asynchronous runtime.
    let opening = std::thread::scope(|scope| scope.spawn(opened).join());
    opening.unwrap_or_else(|_| {
        Err(OpenError::new("the start on PostgreSQL panicked: this is a bug, please report it"))
    })
}

/// The apps of every sandbox. It prints their secrets, so a database that has them is open to all.
const OF_A_SANDBOX: [&str; 2] = ["demo_app", "corner_cafe"];

/// Whether a sandbox made the data of a store, which everybody knows the passwords and secrets of.
///
/// # Errors
/// The store's.
pub async fn is_of_a_sandbox(store: &Store) -> Result<bool, Failure> {
    for client_id in OF_A_SANDBOX {
        match store.view(FindApp::new(client_id)).await {
            Ok(_) => {}
            Err(Failure::Refused(_)) => return Ok(false),
            Err(failure) => return Err(failure),
        }
    }
    Ok(true)
}

/// A store in memory, with the same decisions and no file.
///
/// # Errors
/// [`OpenError`] if a thread cannot be started.
pub fn open_memory(options: Options) -> Result<(Store, Memory<Platform>), OpenError> {
    let memory = Memory::starting_at(FIRST_ID);
    let mut engine = memory.engine(locked_vault(options.crypto.clone(), &options.master));
    let vault = start(&mut engine, &options.master, options.clock.now()).map_err(failed)?;
    Ok((Store::start_memory(&memory, vault, options.running())?, memory))
}
