//! The platform's store: its schema on a database, with its keys.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wallet_core::Secret;
use wallet_core::crypto::Crypto;
use wallet_engine::{Backend, Engine};
use wallet_platform::{
    FIRST_ID, Failure, FindApp, MasterKeys, Platform, StartError, Vault, locked_vault, start,
};
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
    pub master: MasterKeys,
    /// The number of commands that may wait in the queue.
    pub queue: usize,
    /// The number of read connections.
    pub readers: usize,
}

impl Options {
    /// Options with the default sizes.
    pub fn new(clock: Arc<dyn Clock>, crypto: Arc<dyn Crypto>, master: Secret<[u8; 32]>) -> Self {
        let wallet_store::Options { queue, readers, clock, .. } = wallet_store::Options::new(clock);
        Self { clock, crypto, master: MasterKeys::only(master), queue, readers }
    }

    fn locked_vault(&self) -> Vault {
        locked_vault(self.crypto.clone(), &self.master)
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

pub(crate) fn failed(error: StartError) -> OpenError {
    OpenError::new(error.to_string())
}

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl fmt::Debug for Location {
    /// Without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => f.write_str("postgres"),
        }
    }
}

impl Location {
    /// Of `sqlite:PATH`; anything else is the URL of a PostgreSQL database. `None` if this program is built without that.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Some(Self::Sqlite(path.into()));
        }
        #[cfg(feature = "postgres")]
        return Some(Self::Postgres(text.to_owned()));
        #[cfg(not(feature = "postgres"))]
        None
    }

    /// Opens the store, and runs the migrations that its database lacks. A file of SQLite is created if it does not exist.
    ///
    /// # Errors
    /// [`OpenError`] with the cause and the next step.
    pub fn open(&self, options: Options) -> Result<Store, OpenError> {
        match self {
            Self::Sqlite(path) => open(path, options),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => open_postgres(url, options),
        }
    }
}

/// Prepares a database for use.
fn prepare<B: Backend<Platform>>(
    engine: &mut Engine<Platform, B>,
    options: &Options,
) -> Result<Vault, OpenError> {
    start(engine, &options.master, options.clock.now()).map_err(failed)
}

/// Opens the SQLite database at `path`; creates it if it does not exist. Only one process can open it at a time.
///
/// # Errors
/// [`OpenError`] with the cause and the next step.
pub fn open(path: &Path, options: Options) -> Result<Store, OpenError> {
    let mut database = Database::<Platform>::open(path, WALLOP)?;
    let vault = prepare(&mut database.engine(options.locked_vault())?, &options)?;
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
    apart(|| {
        let mut database = open()?;
        let vault = prepare(&mut database.engine(options.locked_vault())?, &options)?;
        Store::start_postgres(database, vault, options.running())
    })
}

/// Runs what waits for PostgreSQL on a thread of its own: the caller may be a thread of an asynchronous runtime.
#[cfg(feature = "postgres")]
pub(crate) fn apart<T: Send>(work: impl FnOnce() -> Result<T, OpenError> + Send) -> Result<T, OpenError> {
    std::thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|_| {
        Err(OpenError::new("work on PostgreSQL panicked: this is a bug, please report it"))
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
        match store.view(FindApp::even_suspended(client_id)).await {
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
    let vault = prepare(&mut memory.engine(options.locked_vault()), &options)?;
    Ok((Store::start_memory(&memory, vault, options.running())?, memory))
}
