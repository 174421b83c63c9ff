//! A server's data directory: its database, and the master key beside it.

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wallet_core::Secret;
use wallet_core::crypto::{Crypto, Entropy as _, from_hex, hex_text};
use wallet_crypto::Portable;
use wallet_store::{Clock, OpenError};

use crate::store::{Options, Store, open};

/// The database's file name.
const DATABASE: &str = "wallop.db";
/// The master key's file name: 64 hexadecimal characters.
const MASTER_KEY: &str = "master.key";

/// A data directory.
#[derive(Debug, Clone)]
pub struct DataDirectory(PathBuf);

impl DataDirectory {
    /// The directory at `path`; it need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Opens the store. Creates the directory, the master key and the database if they do not exist.
    ///
    /// # Errors
    /// [`OpenError`] with the cause and the next step.
    pub fn open(&self, clock: Arc<dyn Clock>) -> Result<Store, OpenError> {
        if self.0.join(MASTER_KEY).exists() && !self.0.join(DATABASE).exists() {
            return Err(OpenError::new(format!(
                "{DATABASE} is missing in {}, but {MASTER_KEY} is there: restore the database from a backup; to begin with \
                 an empty one, move {MASTER_KEY} away",
                self.0.display()
            )));
        }
        let crypto = Arc::new(Portable::new());
        let master = self.master_key(&crypto)?;
        open(&self.0.join(DATABASE), Options::new(clock, crypto as Arc<dyn Crypto>, master))
    }

    /// Opens the store in the PostgreSQL database of a URL, at the time of `clock`. The directory has the master key.
    ///
    /// # Errors
    /// [`OpenError`] with the cause and the next step.
    #[cfg(feature = "postgres")]
    pub fn open_postgres_at(&self, url: &str, clock: Arc<dyn Clock>) -> Result<Store, OpenError> {
        let crypto = Arc::new(Portable::new());
        let master = self.master_key(&crypto)?;
        crate::store::open_postgres_at(url, Options::new(clock, crypto as Arc<dyn Crypto>, master))
    }

    /// Opens the store of a stopped server; fails if the database does not exist.
    ///
    /// # Errors
    /// [`OpenError`] with the cause and the next step, also if the database does not exist.
    pub fn open_existing(&self, clock: Arc<dyn Clock>) -> Result<Store, OpenError> {
        if !self.0.join(DATABASE).exists() {
            return Err(OpenError::new(format!(
                "cannot open {DATABASE} in {}: no such file; give the directory that the server was started with",
                self.0.display()
            )));
        }
        self.open(clock)
    }

    /// The key that encrypts every secret of the database. The first start creates it, readable by the owner only.
    fn master_key(&self, crypto: &Portable) -> Result<Secret<[u8; 32]>, OpenError> {
        let failed = |what: &str, error: &dyn Display| {
            OpenError::new(format!(
                "cannot {what} in {}: {error}; check that the directory exists and that this user may write to it",
                self.0.display()
            ))
        };
        std::fs::create_dir_all(&self.0).map_err(|error| failed("create the directory", &error))?;
        let path = self.0.join(MASTER_KEY);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if self.0.join(DATABASE).exists() {
                    return Err(OpenError::new(format!(
                        "cannot open the database: {} is missing; restore it or use an empty directory",
                        path.display()
                    )));
                }
                let mut key = [0; 32];
                crypto.fill(&mut key);
                self.write_key(&key).map_err(|error| failed("write the master key", &error))?;
                return Ok(Secret::new(key));
            }
            Err(error) => return Err(failed("read the master key", &error)),
        };
        let key = from_hex(text.trim()).and_then(|bytes| bytes.try_into().ok());
        key.map(Secret::new).ok_or_else(|| {
            OpenError::new(format!(
                "cannot read {}: not 64 hexadecimal characters; restore it or use an empty directory",
                path.display()
            ))
        })
    }

    /// Writes the key to `master.key.new`, then renames it: an interrupted start leaves no partial key.
    fn write_key(&self, key: &[u8; 32]) -> std::io::Result<()> {
        let unfinished = self.0.join("master.key.new");
        let mut options = std::fs::File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&unfinished)?;
        file.write_all(hex_text(key).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, self.0.join(MASTER_KEY))
    }
}
