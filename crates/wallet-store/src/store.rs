//! The store as the server uses it: a writer thread, read threads, and a queue before each.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_channel::oneshot;
use rusqlite::{Connection, OpenFlags};
use wallet_core::crypto::Crypto;
use wallet_core::{Secret, UnixTime};
use wallet_platform::{
    Command, LeasedDeliveries, Loader, PERMUTATION_KEY, Query, ReleaseLeases, SealedKey, Seed, Vault,
};

use crate::backend::Backend;
use crate::clock::Clock;
use crate::engine::{Engine, Job, job};
use crate::error::{Failure, StoreError};
use crate::memory::Memory;
use crate::migrations;
use crate::sqlite::{FIRST_ID, Sqlite, WriterSettings, prepare_for_writing, prepare_reader};

/// What a store is opened with.
#[derive(Clone)]
pub struct Options {
    /// What decisions take `now` from.
    pub clock: Arc<dyn Clock>,
    /// The crypto backend.
    pub crypto: Arc<dyn Crypto>,
    /// The key that everything secret hangs on. It is kept outside the database.
    pub master: Secret<[u8; 32]>,
    /// How many commands may wait; beyond it [`StoreError::Overloaded`].
    pub queue: usize,
    /// How many connections read.
    pub readers: usize,
}

impl Options {
    /// Usual sizes.
    pub fn new(clock: Arc<dyn Clock>, crypto: Arc<dyn Crypto>, master: Secret<[u8; 32]>) -> Self {
        Self { clock, crypto, master, queue: 4096, readers: 2 }
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

/// Why a store does not open. The text says what happened and what to do.
#[derive(Debug)]
pub struct OpenError(String);

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OpenError {}

/// How large batches were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchSizes {
    /// Batches that were run.
    pub batches: u64,
    /// Commands in them.
    pub commands: u64,
}

#[derive(Default)]
struct Counters {
    batches: AtomicU64,
    commands: AtomicU64,
}

/// A store. Clones share it; it stops when the last one is dropped.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    commands: Option<SyncSender<Box<dyn Job>>>,
    queries: Option<SyncSender<QueryJob>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    vault: Vault,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    settings: Option<WriterSettings>,
    broken: Arc<Mutex<Option<StoreError>>>,
    /// Held as long as the store lives: one process a database.
    _lock: Option<File>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// A query on its way: it runs on whichever reader takes it.
trait QueryTask: Send {
    fn run_sqlite(self: Box<Self>, engine: &mut Engine<Sqlite<'_>>, now: UnixTime);
    fn run_memory(self: Box<Self>, engine: &mut Engine<Memory>, now: UnixTime);
}

type QueryJob = Box<dyn QueryTask>;

struct Asking<Q: Query> {
    query: Q,
    reply: oneshot::Sender<Result<Q::Answer, Failure>>,
}

impl<Q: Query> Asking<Q> {
    fn run<B: Backend>(self, engine: &mut Engine<B>, now: UnixTime) {
        let _ = self.reply.send(engine.read(now, &self.query)); // whoever asked may have gone
    }
}

impl<Q: Query> QueryTask for Asking<Q> {
    fn run_sqlite(self: Box<Self>, engine: &mut Engine<Sqlite<'_>>, now: UnixTime) {
        self.run(engine, now);
    }
    fn run_memory(self: Box<Self>, engine: &mut Engine<Memory>, now: UnixTime) {
        self.run(engine, now);
    }
}

/// How many commands one batch takes at most.
const MAX_BATCH: usize = 1024;
/// After a batch of more than one: how long nothing new must come before the next one is closed, so that callers who were
/// just answered come back in one batch. They come while those before them are decided.
const QUIET: Duration = Duration::from_micros(20);
/// And how long the first of them is looked for before the thread sleeps: waking it takes longer.
const AWAKE: Duration = Duration::from_micros(100);

/// The next job, if one comes before the time is up.
fn soon(queue: &Receiver<Box<dyn Job>>, limit: Duration) -> Option<Box<dyn Job>> {
    let mut since = None;
    loop {
        match queue.try_recv() {
            Ok(job) => return Some(job),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) if limit.is_zero() => return None,
            Err(TryRecvError::Empty) => {
                if since.get_or_insert_with(Instant::now).elapsed() >= limit {
                    return None;
                }
                std::hint::spin_loop();
            }
        }
    }
}

fn write<B: Backend>(
    mut engine: Engine<B>,
    queue: &Receiver<Box<dyn Job>>,
    clock: &dyn Clock,
    counters: &Counters,
    broken: &Mutex<Option<StoreError>>,
) {
    let (mut quiet, mut awake) = (Duration::ZERO, Duration::ZERO);
    while let Some(first) = soon(queue, awake).or_else(|| queue.recv().ok()) {
        let (mut first, mut taken) = (Some(first), 0_usize);
        let jobs = std::iter::from_fn(|| {
            let next = first.take().or_else(|| (taken < MAX_BATCH).then(|| soon(queue, quiet)).flatten());
            taken += usize::from(next.is_some());
            next
        });
        let done = engine.batch(&|| clock.now(), jobs);
        (quiet, awake) = if taken > 1 { (QUIET, AWAKE) } else { (Duration::ZERO, Duration::ZERO) };
        counters.batches.fetch_add(1, Ordering::Relaxed);
        counters.commands.fetch_add(taken as u64, Ordering::Relaxed);
        if let Err(error) = done {
            tracing::error!(%error, "the store stops");
            *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            return;
        }
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(|error| OpenError(format!("cannot start the thread {name}: {error}")))
}

/// The permutation's key, made once for each database (R30).
fn permutation(backend: &mut impl Backend, options: &Options, next_id: u64) -> Result<[u8; 32], OpenError> {
    let failed = |error: StoreError| OpenError(error.to_string());
    let vault = Vault::new(options.crypto.clone(), &options.master, [0; 32]);
    let name = (PERMUTATION_KEY.to_owned(),);
    if let Some(row) = Loader::load::<SealedKey>(backend, &name).map_err(failed)? {
        let key =
            vault.open(PERMUTATION_KEY, &row.sealed).and_then(|key| key.expose().as_slice().try_into().ok());
        return key.ok_or_else(|| {
            OpenError(
                "the master key is not the one that this database was made with: give the right one"
                    .to_owned(),
            )
        });
    }
    let mut key = [0; 32];
    options.crypto.fill(&mut key);
    let mut seed = [0; 32];
    options.crypto.fill(&mut seed);
    let sealed = vault.seal(&Seed::new(seed), PERMUTATION_KEY, &key);
    backend.begin().map_err(failed)?;
    backend.insert(&[&SealedKey { name: name.0, sealed }]).map_err(failed)?;
    backend.commit(next_id).map_err(failed)?;
    Ok(key)
}

/// What the writer thread says once it is ready.
type Ready = Result<(Vault, WriterSettings), OpenError>;

impl Store {
    /// Opens the SQLite database at `path`, making it when it is not there. One process may have it open.
    ///
    /// # Errors
    /// [`OpenError`], in words.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        let (commands, queue) = sync_channel::<Box<dyn Job>>(options.queue);
        let (ready, is_ready) = sync_channel::<Ready>(1);
        let counters = Arc::new(Counters::default());
        let broken = Arc::new(Mutex::new(None));
        let writer = {
            let (path, options, counters, broken) =
                (path.to_owned(), options.clone(), counters.clone(), broken.clone());
            thread("wallop-writer", move || {
                let opened = open_writer(&path);
                let (connection, settings) = match opened {
                    Ok(opened) => opened,
                    Err(error) => return drop(ready.send(Err(error))),
                };
                let prepared = (|| {
                    let mut backend =
                        Sqlite::new(&connection, true).map_err(|error| OpenError(error.to_string()))?;
                    let next_id = backend.next_id().map_err(|error| OpenError(error.to_string()))?;
                    let key = permutation(&mut backend, &options, next_id)?;
                    Ok(Engine::new(
                        backend,
                        Vault::new(options.crypto.clone(), &options.master, key),
                        next_id,
                    ))
                })();
                match prepared {
                    Err(error) => drop(ready.send(Err(error))),
                    Ok(mut engine) => {
                        let freed = free_leases(&mut engine, &*options.clock);
                        let vault = engine.vault().clone();
                        let _ = ready.send(freed.map(|()| (vault, settings)));
                        write(engine, &queue, &*options.clock, &counters, &broken);
                    }
                }
            })?
        };
        let (vault, settings) = is_ready
            .recv()
            .unwrap_or_else(|_| Err(OpenError("the writer thread died while opening".to_owned())))?;
        let (queries, asked) = sync_channel::<QueryJob>(options.queue);
        let asked = Arc::new(Mutex::new(asked));
        let mut threads = vec![writer];
        for _ in 0..options.readers.max(1) {
            let (path, asked, vault, clock) =
                (path.to_owned(), asked.clone(), vault.clone(), options.clock.clone());
            let connection = open_reader(&path)?;
            threads.push(thread("wallop-reader", move || {
                let backend = match Sqlite::new(&connection, false) {
                    Ok(backend) => backend,
                    Err(error) => return tracing::error!(%error, "a reader cannot start"),
                };
                let mut engine = Engine::new(backend, vault, 0);
                while let Some(query) = next_query(&asked) {
                    query.run_sqlite(&mut engine, clock.now());
                }
            })?);
        }
        Ok(Self {
            inner: Arc::new(Inner {
                commands: Some(commands),
                queries: Some(queries),
                threads: Mutex::new(threads),
                vault,
                clock: options.clock,
                counters,
                settings: Some(settings),
                broken,
                _lock: Some(lock),
            }),
        })
    }

    /// A store in memory: the same decisions, nothing on disk.
    ///
    /// # Errors
    /// [`OpenError`] when a thread cannot be started.
    pub fn memory(options: Options) -> Result<(Self, Memory), OpenError> {
        let memory = Memory::default();
        let key = permutation(&mut memory.clone(), &options, FIRST_ID)?;
        let vault = Vault::new(options.crypto.clone(), &options.master, key);
        let (commands, queue) = sync_channel::<Box<dyn Job>>(options.queue);
        let (queries, asked) = sync_channel::<QueryJob>(options.queue);
        let counters = Arc::new(Counters::default());
        let broken = Arc::new(Mutex::new(None));
        let writer = {
            let engine = Engine::new(memory.clone(), vault.clone(), FIRST_ID);
            let (clock, counters, broken) = (options.clock.clone(), counters.clone(), broken.clone());
            thread("wallop-writer", move || write(engine, &queue, &*clock, &counters, &broken))?
        };
        let reader = {
            let mut engine = Engine::new(memory.clone(), vault.clone(), FIRST_ID);
            let (clock, asked) = (options.clock.clone(), Mutex::new(asked));
            thread("wallop-reader", move || {
                while let Some(query) = next_query(&asked) {
                    query.run_memory(&mut engine, clock.now());
                }
            })?
        };
        let store = Self {
            inner: Arc::new(Inner {
                commands: Some(commands),
                queries: Some(queries),
                threads: Mutex::new(vec![writer, reader]),
                vault,
                clock: options.clock,
                counters,
                settings: None,
                broken,
                _lock: None,
            }),
        };
        Ok((store, memory))
    }

    /// Submits a command. The answer comes after its commit.
    ///
    /// # Errors
    /// [`Failure`]: the platform says no, or the store could not.
    pub async fn submit<C: Command>(&self, command: C) -> Result<C::Outcome, Failure> {
        let (job, outcome) = job(command);
        let Some(commands) = &self.inner.commands else { return Err(StoreError::Stopped.into()) };
        match commands.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(StoreError::Overloaded.into()),
            Err(TrySendError::Disconnected(_)) => return Err(self.stopped().into()),
        }
        outcome.await.unwrap_or_else(|_| Err(self.stopped().into()))
    }

    /// Asks a query.
    ///
    /// # Errors
    /// [`Failure`]: the platform says no, or the store could not.
    pub async fn view<Q: Query>(&self, query: Q) -> Result<Q::Answer, Failure> {
        let (reply, answer) = oneshot::channel();
        let Some(queries) = &self.inner.queries else { return Err(StoreError::Stopped.into()) };
        match queries.try_send(Box::new(Asking { query, reply })) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(StoreError::Overloaded.into()),
            Err(TrySendError::Disconnected(_)) => return Err(self.stopped().into()),
        }
        answer.await.unwrap_or_else(|_| Err(self.stopped().into()))
    }

    fn stopped(&self) -> StoreError {
        let broken = self.inner.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.clone().unwrap_or(StoreError::Stopped)
    }

    /// Why the store has stopped by itself, if it has: then the process should stop too.
    pub fn broken(&self) -> Option<StoreError> {
        self.inner.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The platform's keys.
    pub fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    /// The store's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The time.
    pub fn now(&self) -> UnixTime {
        self.inner.clock.now()
    }

    /// How large batches were so far.
    pub fn batch_sizes(&self) -> BatchSizes {
        BatchSizes {
            batches: self.inner.counters.batches.load(Ordering::Relaxed),
            commands: self.inner.counters.commands.load(Ordering::Relaxed),
        }
    }

    /// What the writer's connection has set; none for a store in memory.
    pub fn writer_settings(&self) -> Option<&WriterSettings> {
        self.inner.settings.as_ref()
    }
}

impl Drop for Inner {
    /// Finishes what was submitted. The writer ends last: only its connection can fold the log into the file, and SQLite
    /// does that when no other is open.
    fn drop(&mut self) {
        let mut writer = std::mem::take(self.threads.get_mut().unwrap_or_else(PoisonError::into_inner));
        let readers = writer.split_off(writer.len().min(1));
        let join = |threads: Vec<JoinHandle<()>>| {
            for thread in threads {
                // A store may be dropped by one of its own threads; that one ends by itself.
                if thread.thread().id() != std::thread::current().id() {
                    let _ = thread.join();
                }
            }
        };
        self.queries = None;
        join(readers);
        self.commands = None;
        join(writer);
    }
}

fn next_query(asked: &Mutex<Receiver<QueryJob>>) -> Option<QueryJob> {
    asked.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn free_leases<B: Backend>(engine: &mut Engine<B>, clock: &dyn Clock) -> Result<(), OpenError> {
    let failed = |error: Failure| OpenError(format!("cannot free the leases of the process before: {error}"));
    let leased = engine.read(clock.now(), &LeasedDeliveries).map_err(failed)?;
    if !leased.is_empty() {
        let (job, _) = job(ReleaseLeases(leased));
        engine.batch(&|| clock.now(), [job]).map_err(|error| failed(error.into()))?;
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = File::options().create(true).append(true).open(&name).map_err(|error| {
        OpenError(format!(
            "cannot open {}: {error}. Does the directory exist, and may this user write to it?",
            name.display()
        ))
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError(format!(
            "{} is in use by another process: stop it, or use another directory",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(OpenError(format!("cannot lock {}: {error}", name.display()))),
    }
}

fn open_writer(path: &Path) -> Result<(Connection, WriterSettings), OpenError> {
    let failed =
        |error: &dyn fmt::Display| OpenError(format!("cannot open the database {}: {error}", path.display()));
    let mut connection = Connection::open(path).map_err(|error| failed(&error))?;
    let settings = prepare_for_writing(&connection).map_err(|error| failed(&error))?;
    migrations::run(&mut connection).map_err(|error| failed(&error))?;
    Ok((connection, settings))
}

fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .and_then(|connection| prepare_reader(&connection).map(|()| connection))
        .map_err(|error| OpenError(format!("cannot open the database {}: {error}", path.display())))
}
