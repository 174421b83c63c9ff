//! Keeping a database safe: its check, its backup, its copy into another, and its migrations.

use std::path::Path;
use std::sync::Arc;

use wallet_core::Secret;
use wallet_core::crypto::Crypto;
#[cfg(feature = "postgres")]
use wallet_engine::Schema as _;
use wallet_engine::{Engine, Scan};
use wallet_platform::{Checked, MasterKeys, Platform, check, check_master_key, locked_vault};
#[cfg(feature = "postgres")]
use wallet_store::Shared;
use wallet_store::{Clock as _, Database, OpenError, ReadOnly, SystemClock, WALLOP, back_up, restore};

#[cfg(feature = "postgres")]
use crate::store::apart;
use crate::store::{Location, failed};

/// The key of a database, and the crypto that it is used with.
#[derive(Clone)]
pub struct MasterKey {
    /// The crypto backend.
    pub crypto: Arc<dyn Crypto>,
    /// The key.
    pub key: Secret<[u8; 32]>,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey([redacted])")
    }
}

/// Gets each table that is finished, and the number of its rows.
pub type Progress<'p> = &'p (dyn Fn(&'static str, u64) + Sync);

impl Location {
    /// Checks the whole database on one snapshot, while a server may be running on it.
    ///
    /// # Errors
    /// [`OpenError`] if it cannot be read, lacks a migration, or has another master key.
    pub fn check(&self, master: &MasterKey, progress: Progress<'_>) -> Result<Checked, OpenError> {
        fn run<B: Scan<Platform>>(
            mut engine: Engine<Platform, B>,
            progress: Progress<'_>,
        ) -> Result<Checked, OpenError> {
            check_master_key(&mut engine, SystemClock.now()).map_err(failed)?;
            check(&mut engine, progress).map_err(OpenError::from)
        }
        let vault = locked_vault(master.crypto.clone(), &MasterKeys::only(master.key.clone()));
        match self {
            Self::Sqlite(path) => run(ReadOnly::open(path, WALLOP)?.engine(vault)?, progress),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => {
                apart(|| run(Shared::open_to_read(url, WALLOP)?.reading(vault)?, progress))
            }
        }
    }

    /// Writes a copy of a database of SQLite, as it is at this moment, into a new file, while a server may be running on it. The file has
    /// no master key.
    ///
    /// # Errors
    /// [`OpenError`] if the database is not SQLite, or the file cannot be written.
    pub fn back_up(&self, into: &Path) -> Result<(), OpenError> {
        match self {
            Self::Sqlite(path) => back_up(path, into),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Err(OpenError::new(
                "a PostgreSQL database is backed up with PostgreSQL's own tools: pg_basebackup with archived WAL for any \
                 point in time, or pg_dump for one. Keep the master key apart from it",
            )),
        }
    }

    /// Puts a backup in the place of a database that does not exist yet.
    ///
    /// # Errors
    /// [`OpenError`] if the backup is damaged, the master key is not its own, or the database exists.
    pub fn restore(&self, backup: &Path, master: &MasterKey) -> Result<(), OpenError> {
        match self {
            Self::Sqlite(path) => restore(backup, path, |copy| {
                let vault = locked_vault(master.crypto.clone(), &MasterKeys::only(master.key.clone()));
                let mut copy = Database::<Platform>::open(copy, WALLOP)?;
                check_master_key(&mut copy.engine(vault)?, SystemClock.now()).map_err(failed)
            }),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Err(OpenError::new(
                "a PostgreSQL database is restored with PostgreSQL's own tools: pg_restore, or a base backup with its WAL",
            )),
        }
    }

    /// The migrations that the database lacks, in order.
    ///
    /// # Errors
    /// [`OpenError`] if it cannot be opened, or was made by a newer program that this one cannot run beside.
    pub fn missing_migrations(&self) -> Result<Vec<&'static str>, OpenError> {
        match self {
            Self::Sqlite(path) => ReadOnly::<Platform>::missing_migrations(path, WALLOP),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => apart(|| Shared::<Platform>::missing_migrations(url, WALLOP)),
        }
    }

    /// Runs the migrations that the database lacks.
    ///
    /// # Errors
    /// As [`missing_migrations`](Self::missing_migrations).
    pub fn migrate(&self) -> Result<(), OpenError> {
        match self {
            Self::Sqlite(path) => Database::<Platform>::open(path, WALLOP).map(drop),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => apart(|| Shared::<Platform>::open(url, WALLOP).map(drop)),
        }
    }

    /// Copies a database of SQLite, whose server is stopped, into an empty one of PostgreSQL, then compares both row by row.
    /// Returns the number of rows. A copy that was interrupted leaves a database that no program opens.
    ///
    /// # Errors
    /// [`OpenError`] if one of them cannot be opened, the other is not empty, or they differ.
    #[cfg(feature = "postgres")]
    pub fn copy_to(&self, to: &Self, progress: Progress<'_>) -> Result<u64, OpenError> {
        let (Self::Sqlite(from), Self::Postgres(url)) = (self, to) else {
            return Err(OpenError::new("a copy goes from sqlite:PATH to postgres://user@host/name"));
        };
        if !from.exists() {
            return Err(OpenError::new(format!("there is no database {}", from.display())));
        }
        apart(|| {
            // No vault: what is sealed is copied as it is.
            let vault = || {
                let crypto: Arc<dyn Crypto> = Arc::new(wallet_crypto::Portable::new());
                locked_vault(crypto, &MasterKeys::only(Secret::new([0; 32])))
            };
            let mut from = Database::<Platform>::open(from, WALLOP)?;
            let mut from = from.engine(vault())?;
            let next_id = from.next_id();
            let mut from = from.snapshot()?;
            let mut shared = Shared::<Platform>::open(url, WALLOP)?;
            let mut into = shared.engine(vault())?;
            {
                let mut empty = into.snapshot()?;
                for (at, table) in Platform::TABLES.iter().enumerate() {
                    if !empty.page(at, None, 1)?.is_empty() {
                        return Err(OpenError::new(format!(
                            "the database has rows in table {}: copy into an empty one",
                            table.name
                        )));
                    }
                }
            }
            shared.mark_unfinished(true)?;
            for (at, table) in Platform::TABLES.iter().enumerate() {
                let mut count = 0;
                from.pages(at, |_, page| {
                    count += page.len() as u64;
                    into.write(page, next_id)
                })?;
                progress(table.name, count);
            }
            let mut written = shared.reading(vault())?;
            let rows = from.compare(&mut written.snapshot()?, |_, _| {})?;
            let rows = rows.map_err(|difference| {
                OpenError::new(format!("the copy differs in {difference}: remove it, and report this"))
            })?;
            shared.mark_unfinished(false)?;
            Ok(rows)
        })
    }
}
