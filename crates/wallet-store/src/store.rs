//! The store as a server uses it: a writer thread, read threads, and a queue before each.

use std::fmt;

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wallet_core::UnixTime;
use wallet_engine::{
    Awaited, Backend, Command, Engine, Failure, Job, Query, QueryJob, RefusedOf, Schema, StoreError, job,
    query_job,
};

use crate::clock::Clock;
use crate::error::OpenError;
use crate::log::Log;
use crate::measure::{Measured, Measures};
use crate::memory::Memory;
#[cfg(feature = "postgres")]
use crate::postgres::Shared;
use crate::sqlite::{self, Database, Locks, WriterSettings};

/// How a store runs.
#[derive(Clone)]
pub struct Options {
    /// The clock that decisions use.
    pub clock: Arc<dyn Clock>,
    /// The number of commands that may wait; more fail with [`StoreError::Overloaded`].
    pub queue: usize,
    /// The number of connections that read.
    pub readers: usize,
}

impl Options {
    /// The default sizes.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, queue: 4096, readers: 2 }
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

/// A store. Clones share it; it stops when the last one is dropped.
pub struct Store<S: Schema> {
    inner: Arc<Inner<S>>,
}

impl<S: Schema> Clone for Store<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

struct Inner<S: Schema> {
    commands: Option<SyncSender<Box<dyn Job<S>>>>,
    queries: Option<SyncSender<Box<dyn QueryJob<S>>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    vault: S::Vault,
    clock: Arc<dyn Clock>,
    shared: Arc<Reported>,
    settings: Option<WriterSettings>,
    log: Option<Arc<Log>>,
    is_shared: bool,
    /// The lock of the database file, held as long as the store lives: one process per database.
    _lock: Option<Locks>,
}

/// What a store runs on.
enum Kind {
    Memory,
    /// A file of SQLite, locked for this process.
    File(WriterSettings, Arc<Log>, Locks),
    /// A database that several processes share.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code))]
    Shared,
}

/// The state that the writer thread reports.
#[derive(Default)]
struct Reported {
    measures: Measures,
    broken: Mutex<Option<StoreError>>,
}

impl<S: Schema> fmt::Debug for Store<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// The largest number of commands in a batch.
const MAX_BATCH: usize = 1024;
/// The same on a shared database, where others wait for their turn meanwhile.
const MAX_TURN: usize = 256;
/// After a batch of several commands: the idle time that closes the next batch, so that callers that were
/// just answered come back in one batch. They arrive while the commands before them are decided.
const QUIET: Duration = Duration::from_micros(20);
/// The time that the thread polls for the first of them before it sleeps: a wake-up takes longer.
const AWAKE: Duration = Duration::from_micros(100);

/// The next job, if one arrives before the time is up.
fn soon<J>(queue: &Receiver<J>, limit: Duration) -> Option<J> {
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
                // Without this the callers that were just answered would wait for this thread's core.
                std::thread::yield_now();
            }
        }
    }
}

/// The writer thread.
fn write<S: Schema, B: Backend<S>>(
    mut engine: Engine<S, B>,
    queue: &Receiver<Box<dyn Job<S>>>,
    clock: &dyn Clock,
    shared: &Reported,
) {
    let (mut quiet, mut awake) = (Duration::ZERO, Duration::ZERO);
    let most = if B::SHARED { MAX_TURN } else { MAX_BATCH };
    while let Some(first) = soon(queue, awake).or_else(|| queue.recv().ok()) {
        let (mut first, mut taken) = (Some(first), 0_usize);
        let jobs = std::iter::from_fn(|| {
            let next = first.take().or_else(|| (taken < most).then(|| soon(queue, quiet)).flatten());
            taken += usize::from(next.is_some());
            next
        });
        let began = Instant::now();
        let done = engine.batch(&|| clock.now(), jobs);
        (quiet, awake) = if taken > 1 { (QUIET, AWAKE) } else { (Duration::ZERO, Duration::ZERO) };
        shared.measures.batch(taken, began.elapsed());
        if let Err(error) = done {
            tracing::error!(%error, "the store stops");
            *shared.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            return;
        }
    }
}

/// A read thread. Several share one queue.
fn answer<S: Schema, B: Backend<S>>(
    mut engine: Engine<S, B>,
    queue: &Mutex<Receiver<Box<dyn QueryJob<S>>>>,
    clock: &dyn Clock,
) {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    while let Some(query) = next() {
        engine.run_query(clock.now(), query);
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(|error| OpenError::new(format!("cannot start the thread {name}: {error}")))
}

/// Spawns a thread that reports once whether it could start.
fn thread_that_starts(
    name: &str,
    run: impl FnOnce(&dyn Fn(Result<(), StoreError>)) + Send + 'static,
) -> Result<JoinHandle<()>, OpenError> {
    let (ready, is_ready) = sync_channel::<Result<(), StoreError>>(1);
    let thread = thread(name, move || run(&|result| drop(ready.send(result))))?;
    match is_ready.recv() {
        Ok(started) => started.map(|()| thread).map_err(OpenError::from),
        Err(_) => Err(OpenError::new(format!("the thread {name} ended while it started"))),
    }
}

impl<S: Schema> Store<S> {
    /// Runs a database that was opened.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn start(database: Database<S>, vault: S::Vault, options: Options) -> Result<Self, OpenError> {
        let (commands, queue) = sync_channel::<Box<dyn Job<S>>>(options.queue);
        let (queries, asked) = sync_channel::<Box<dyn QueryJob<S>>>(options.queue);
        let (shared, asked) = (Arc::new(Reported::default()), Arc::new(Mutex::new(asked)));
        let readers: Vec<_> =
            (0..options.readers.max(1)).map(|_| database.reader()).collect::<Result<_, _>>()?;
        let (connection, settings, log, lock) = database.into_parts();
        let mut threads = vec![{
            let (vault, clock, shared) = (vault.clone(), options.clock.clone(), shared.clone());
            let log = log.clone();
            thread_that_starts("wallop-writer", move |started| {
                match sqlite::writer(&connection, log, vault) {
                    Ok(engine) => {
                        started(Ok(()));
                        write(engine, &queue, &*clock, &shared);
                    }
                    Err(error) => started(Err(error)),
                }
            })?
        }];
        for connection in readers {
            let (vault, clock, asked) = (vault.clone(), options.clock.clone(), asked.clone());
            threads.push(thread_that_starts("wallop-reader", move |started| {
                match sqlite::reader(&connection, vault) {
                    Ok(engine) => {
                        started(Ok(()));
                        answer(engine, &asked, &*clock);
                    }
                    Err(error) => started(Err(error)),
                }
            })?);
        }
        Ok(Self::of(
            commands,
            queries,
            threads,
            vault,
            options.clock,
            shared,
            Kind::File(settings, log, lock),
        ))
    }

    /// Runs a database in memory: the same decisions, nothing on disk.
    ///
    /// # Errors
    /// [`OpenError`] if a thread cannot be started.
    pub fn start_memory(database: &Memory<S>, vault: S::Vault, options: Options) -> Result<Self, OpenError> {
        let (commands, queue) = sync_channel::<Box<dyn Job<S>>>(options.queue);
        let (queries, asked) = sync_channel::<Box<dyn QueryJob<S>>>(options.queue);
        let shared = Arc::new(Reported::default());
        let writer = {
            let (memory, vault) = (database.clone(), vault.clone());
            let (clock, shared) = (options.clock.clone(), shared.clone());
            thread("wallop-writer", move || write(memory.engine(vault), &queue, &*clock, &shared))?
        };
        let reader = {
            let (memory, vault) = (database.clone(), vault.clone());
            let (clock, asked) = (options.clock.clone(), Mutex::new(asked));
            thread("wallop-reader", move || answer(memory.engine(vault), &asked, &*clock))?
        };
        Ok(Self::of(commands, queries, vec![writer, reader], vault, options.clock, shared, Kind::Memory))
    }

    /// Runs a database that several processes share, at its own clock. Not to be called on a thread of an asynchronous
    /// runtime: it waits.
    ///
    /// # Errors
    /// [`OpenError`].
    #[cfg(feature = "postgres")]
    pub fn start_postgres(database: Shared<S>, vault: S::Vault, options: Options) -> Result<Self, OpenError> {
        let (commands, queue) = sync_channel::<Box<dyn Job<S>>>(options.queue);
        let (queries, asked) = sync_channel::<Box<dyn QueryJob<S>>>(options.queue);
        let (shared, asked) = (Arc::new(Reported::default()), Arc::new(Mutex::new(asked)));
        let clock = database.clock();
        let database = Arc::new(database);
        let mut threads = vec![{
            let (database, vault, clock, shared) =
                (database.clone(), vault.clone(), clock.clone(), shared.clone());
            thread_that_starts("wallop-writer", move |started| match database.writer() {
                Ok(backend) => {
                    started(Ok(()));
                    write(Engine::new(backend, vault, 0), &queue, &*clock, &shared);
                }
                Err(error) => started(Err(error)),
            })?
        }];
        for _ in 0..options.readers.max(1) {
            let (database, vault, clock, asked) =
                (database.clone(), vault.clone(), clock.clone(), asked.clone());
            threads.push(thread_that_starts("wallop-reader", move |started| match database.reader() {
                Ok(backend) => {
                    started(Ok(()));
                    answer(Engine::new(backend, vault, 0), &asked, &*clock);
                }
                Err(error) => started(Err(error)),
            })?);
        }
        Ok(Self::of(commands, queries, threads, vault, clock, shared, Kind::Shared))
    }

    fn of(
        commands: SyncSender<Box<dyn Job<S>>>,
        queries: SyncSender<Box<dyn QueryJob<S>>>,
        threads: Vec<JoinHandle<()>>,
        vault: S::Vault,
        clock: Arc<dyn Clock>,
        shared: Arc<Reported>,
        kind: Kind,
    ) -> Self {
        let is_shared = matches!(kind, Kind::Shared);
        let (settings, log, lock) = match kind {
            Kind::File(settings, log, lock) => (Some(settings), Some(log), Some(lock)),
            Kind::Memory | Kind::Shared => (None, None, None),
        };
        let (commands, queries, threads) = (Some(commands), Some(queries), Mutex::new(threads));
        Self {
            inner: Arc::new(Inner {
                commands,
                queries,
                threads,
                vault,
                clock,
                shared,
                settings,
                log,
                is_shared,
                _lock: lock,
            }),
        }
    }

    /// Submits a command. The answer comes after its commit.
    ///
    /// # Errors
    /// [`Failure`]: the platform refused, or the store failed.
    pub async fn submit<C: Command<S>>(&self, command: C) -> Result<C::Outcome, Failure<RefusedOf<S>>> {
        let (job, outcome) = job(command);
        let measures = &self.inner.shared.measures;
        self.send(self.inner.commands.as_ref(), job, outcome, || measures.queued()).await
    }

    /// Runs a query.
    ///
    /// # Errors
    /// [`Failure`]: the platform refused, or the store failed.
    pub async fn view<Q: Query<S>>(&self, query: Q) -> Result<Q::Answer, Failure<RefusedOf<S>>> {
        let (query, answer) = query_job(query);
        self.send(self.inner.queries.as_ref(), query, answer, || {}).await
    }

    async fn send<M, T>(
        &self,
        queue: Option<&SyncSender<M>>,
        message: M,
        answer: Awaited<S, T>,
        sent: impl FnOnce(),
    ) -> Result<T, Failure<RefusedOf<S>>> {
        let answered = match queue.map(|queue| queue.try_send(message)) {
            Some(Ok(())) => {
                sent();
                answer.await.unwrap_or_else(|| Err(self.stopped().into()))
            }
            Some(Err(TrySendError::Full(_))) => Err(StoreError::Overloaded.into()),
            Some(Err(TrySendError::Disconnected(_))) => Err(self.stopped().into()),
            None => Err(StoreError::Stopped.into()),
        };
        if let Err(Failure::Store(error)) = &answered {
            self.inner.shared.measures.failed(error);
        }
        answered
    }

    fn stopped(&self) -> StoreError {
        self.broken().unwrap_or(StoreError::Stopped)
    }

    /// The error that stopped the store, if any; the process should then stop too.
    pub fn broken(&self) -> Option<StoreError> {
        self.inner.shared.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys and settings of decisions.
    pub fn vault(&self) -> &S::Vault {
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

    /// How long ago the database reported an error, if it ever did.
    pub fn since_failure(&self) -> Option<Duration> {
        self.inner.shared.measures.since_failure()
    }

    /// What the store has counted since it was opened.
    pub fn measured(&self) -> Measured {
        let (measures, log) = (&self.inner.shared.measures, self.inner.log.as_deref());
        measures.measured(log.map_or((0, 0), |log| (log.pages(), log.failed())))
    }

    /// Whether other processes write to the database too: what waits in it may come from them.
    pub fn is_shared(&self) -> bool {
        self.inner.is_shared
    }

    /// The settings of the writer's connection to SQLite; `None` for another store.
    pub fn writer_settings(&self) -> Option<&WriterSettings> {
        self.inner.settings.as_ref()
    }
}

impl<S: Schema> Drop for Inner<S> {
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
