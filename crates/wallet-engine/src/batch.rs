//! Batches of commands, and queries, on a backend.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures_channel::oneshot;
use wallet_core::UnixTime;

use crate::backend::{Backend, Version};
use crate::command::{Command, Context, Halt, Ids, Query, RefusedOf, Stop};
use crate::error::{Failure, StoreError};
use crate::rows::{Changes, Rows};
use crate::schema::Schema;

/// The result of a command or query.
type Answer<S, T> = Result<T, Failure<RefusedOf<S>>>;

/// The future result of a [`job`] or [`query_job`]. It resolves to `None` if the store drops the job without an answer.
#[derive(Debug)]
pub struct Awaited<S: Schema, T>(oneshot::Receiver<Answer<S, T>>);

impl<S: Schema, T> Awaited<S, T> {
    /// The result, if it has arrived.
    pub fn take(&mut self) -> Option<Result<T, Failure<RefusedOf<S>>>> {
        self.0.try_recv().ok().flatten()
    }
}

impl<S: Schema, T> Future for Awaited<S, T> {
    type Output = Option<Answer<S, T>>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

/// A command or query, its result after it has run, and the channel to its caller.
struct Task<S: Schema, A, T> {
    operation: A,
    result: Option<Result<T, Box<RefusedOf<S>>>>,
    reply: oneshot::Sender<Answer<S, T>>,
}

impl<S: Schema, A, T> Task<S, A, T> {
    fn new(operation: A) -> (Self, Awaited<S, T>) {
        let (reply, receiver) = oneshot::channel();
        (Self { operation, result: None, reply }, Awaited(receiver))
    }

    fn record(&mut self, result: Result<T, S::Stop>) -> Result<(), Halt> {
        self.result = Some(match result {
            Ok(outcome) => Ok(outcome),
            Err(stop) => Err(stop.into_refused()?),
        });
        Ok(())
    }

    fn answer(self, failure: Option<StoreError>) {
        let answer = match (failure, self.result) {
            (Some(error), _) => Err(Failure::Store(error)),
            (None, Some(Ok(outcome))) => Ok(outcome),
            (None, Some(Err(refused))) => Err(Failure::Refused(refused)),
            (None, None) => Err(Failure::Store(StoreError::Stopped)),
        };
        // If the caller has dropped the receiver, the commit still holds.
        let _ = self.reply.send(answer);
    }
}

/// A queued command with the reply channel of its caller.
pub trait Job<S: Schema>: Send {
    /// Runs the command once on the loaded rows.
    ///
    /// # Errors
    /// [`Halt`]: a row is not loaded, or the database is damaged.
    fn run(&mut self, rows: &Rows<S>, cx: &Context<'_, S>, out: &mut Changes<S>) -> Result<(), Halt>;
    /// Sends the outcome or the refusal to the caller, or `failure` if there is one.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

impl<S: Schema, C: Command<S>> Job<S> for Task<S, C, C::Outcome> {
    fn run(&mut self, rows: &Rows<S>, cx: &Context<'_, S>, out: &mut Changes<S>) -> Result<(), Halt> {
        let result = self.operation.apply(rows, cx, out);
        self.record(result)
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        Task::answer(*self, failure);
    }
}

/// A queued query with the reply channel of its caller.
pub trait QueryJob<S: Schema>: Send {
    /// Runs the query once on the loaded rows.
    ///
    /// # Errors
    /// [`Halt`]: a row is not loaded, or the database is damaged.
    fn run(&mut self, rows: &Rows<S>, cx: &Context<'_, S>) -> Result<(), Halt>;
    /// Sends the answer or the refusal to the caller, or `failure` if there is one.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

impl<S: Schema, Q: Query<S>> QueryJob<S> for Task<S, Q, Q::Answer> {
    fn run(&mut self, rows: &Rows<S>, cx: &Context<'_, S>) -> Result<(), Halt> {
        let result = self.operation.read(rows, cx);
        self.record(result)
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        Task::answer(*self, failure);
    }
}

/// Wraps a command as a job, and returns the future of its result.
pub fn job<S: Schema, C: Command<S>>(command: C) -> (Box<dyn Job<S>>, Awaited<S, C::Outcome>) {
    let (task, awaited) = Task::<S, C, C::Outcome>::new(command);
    (Box::new(task), awaited)
}

/// Wraps a query as a job, and returns the future of its result.
pub fn query_job<S: Schema, Q: Query<S>>(query: Q) -> (Box<dyn QueryJob<S>>, Awaited<S, Q::Answer>) {
    let (task, awaited) = Task::<S, Q, Q::Answer>::new(query);
    (Box::new(task), awaited)
}

/// The largest number of looks at what is committed before a batch's turn. A key that they do not find is loaded during the
/// turn.
const ROUNDS: usize = 4;

/// A job of a batch, with its own failure, if it has one.
type Taken<S> = (Box<dyn Job<S>>, Option<StoreError>);

/// Runs batches on a backend, on the caller's thread. A store runs an engine on its writer thread; a simulation calls it.
pub struct Engine<S: Schema, B> {
    backend: B,
    vault: S::Vault,
    ids: Ids,
    /// The working set. Between batches it keeps rows as they are committed: nobody else writes, or nobody has written since.
    rows: Rows<S>,
    changes: Changes<S>,
    /// Of a shared database: the state that the working set is of.
    as_of: Option<Version>,
    /// Of a shared database: whether no other process wrote between this one's last two turns. Only then a turn begins with the
    /// rows that were kept; otherwise it would find them out of date.
    is_alone: bool,
}

impl<S: Schema, B: fmt::Debug> fmt::Debug for Engine<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("backend", &self.backend).finish_non_exhaustive()
    }
}

impl<S: Schema, B: Backend<S>> Engine<S, B> {
    /// An engine whose next row number is `next_id`.
    pub fn new(backend: B, vault: S::Vault, next_id: u64) -> Self {
        let (rows, changes) = (Rows::default(), Changes::default());
        Self { backend, vault, ids: Ids::starting_at(next_id), rows, changes, as_of: None, is_alone: false }
    }

    /// The backend. The rows that were kept are forgotten: the caller may write others.
    pub fn backend(&mut self) -> &mut B {
        self.forget();
        &mut self.backend
    }

    /// Forgets the rows that were kept.
    fn forget(&mut self) {
        self.rows.clear();
        (self.as_of, self.is_alone) = (None, false);
    }

    /// The next row number; of a [shared](Backend::SHARED) database, that of the last turn.
    pub fn next_id(&self) -> u64 {
        self.ids.peek()
    }

    /// The keys and settings that commands and queries read.
    pub fn vault(&self) -> &S::Vault {
        &self.vault
    }

    /// Replaces the keys and settings that commands and queries read.
    pub fn set_vault(&mut self, vault: S::Vault) {
        self.vault = vault;
    }

    /// Runs a batch: decides each job in order on one working set, commits once, then answers all. Each job runs
    /// when the iterator yields it, at the time `now` returns then, so a job's time is never before its submission. On a
    /// [shared](Backend::SHARED) database the batch is complete before its turn, and has the time of the database.
    ///
    /// # Errors
    /// [`StoreError::Broken`] if the store must stop. The callers of the jobs receive every other failure.
    pub fn batch(
        &mut self,
        now: &dyn Fn() -> UnixTime,
        jobs: impl IntoIterator<Item = Box<dyn Job<S>>>,
    ) -> Result<(), StoreError> {
        if B::SHARED {
            self.take_turn(now, jobs.into_iter().collect())
        } else {
            self.run(now, &[], &mut jobs.into_iter())
        }
    }

    /// Finds out which keys a batch needs, then runs it in its turn.
    fn take_turn(
        &mut self,
        now: &dyn Fn() -> UnixTime,
        mut jobs: Vec<Box<dyn Job<S>>>,
    ) -> Result<(), StoreError> {
        let keys = self.scout(now(), &mut jobs);
        self.run(now, &keys, &mut jobs.into_iter())
    }

    fn run(
        &mut self,
        now: &dyn Fn() -> UnixTime,
        keys: &[S::AnyKey],
        jobs: &mut dyn Iterator<Item = Box<dyn Job<S>>>,
    ) -> Result<(), StoreError> {
        let before = self.ids.peek();
        let mut taken = Vec::new();
        let error = match self.commit(now, keys, jobs, &mut taken) {
            Ok(()) => {
                for (job, failure) in taken {
                    job.answer(failure);
                }
                return Ok(());
            }
            Err(error) => error,
        };
        self.ids.reset(before);
        let several = taken.len() > 1;
        let mut jobs = taken.into_iter().map(|(job, _)| job);
        match error {
            // The backend bounds the repetitions: at last it returns another error.
            StoreError::Interrupted(_) => self.take_turn(now, jobs.collect()),
            // The database rejected a write: rerun each job in its own batch, so that only the job with that write fails.
            StoreError::Database(_) if several => jobs.try_for_each(|job| self.batch(now, [job])),
            error => {
                jobs.for_each(|job| job.answer(Some(error.clone())));
                if matches!(error, StoreError::Broken(_)) { Err(error) } else { Ok(()) }
            }
        }
    }

    /// Fills the working set with the rows that these jobs need, as far as looks at what is committed now can tell. Returns their
    /// keys: if somebody else writes before the turn, the rows are loaded again.
    fn scout(&mut self, now: UnixTime, jobs: &mut [Box<dyn Job<S>>]) -> Vec<S::AnyKey> {
        let first_id = self.ids.peek();
        let (mut keys, mut unfinished) = (Vec::new(), vec![true; jobs.len()]);
        if !self.is_alone {
            self.rows.clear();
        }
        for _ in 0..ROUNDS {
            for (job, unfinished) in jobs.iter_mut().zip(&mut unfinished).filter(|(_, left)| **left) {
                self.changes.clear();
                let cx = Context { now, ids: &self.ids, vault: &self.vault };
                let run = catch_unwind(AssertUnwindSafe(|| job.run(&self.rows, &cx, &mut self.changes)));
                *unfinished = matches!(run, Ok(Err(Halt::Missing)));
            }
            let wanted = self.rows.take_wanted_keys();
            if wanted.is_empty() {
                break;
            }
            let Ok(found) = self.backend.look(&wanted) else { break };
            if self.is_alone && self.as_of != Some(found.version) {
                self.forget();
                unfinished.fill(true);
                continue;
            }
            keys.extend_from_slice(&wanted);
            self.rows.loaded(wanted, found.rows);
            if !unfinished.contains(&true) {
                break;
            }
        }
        self.changes.clear();
        self.ids.reset(first_id);
        keys
    }

    /// Runs the jobs, writes and commits. Moves every job into `taken`, even on error, with its own failure, if any.
    fn commit(
        &mut self,
        now: &dyn Fn() -> UnixTime,
        keys: &[S::AnyKey],
        jobs: &mut dyn Iterator<Item = Box<dyn Job<S>>>,
        taken: &mut Vec<Taken<S>>,
    ) -> Result<(), StoreError> {
        let done = self.begin(keys).and_then(|time| {
            let first_id = self.ids.peek();
            for mut job in &mut *jobs {
                let result = self.decide(time.unwrap_or_else(now), job.as_mut());
                let (failure, stop) = result.map_or_else(|error| (None, Some(error)), |alone| (alone, None));
                taken.push((job, failure));
                if let Some(error) = stop {
                    return Err(error);
                }
            }
            if self.rows.is_dirty() {
                self.rows.write(&mut self.backend)?;
                self.backend.commit(self.ids.peek())?;
                self.as_of = self.as_of.zip(time).map(|(before, at)| Version { batch: before.batch + 1, at });
            } else {
                // What the commands changed may add up to nothing.
                self.ids.reset(first_id);
                self.backend.rollback();
            }
            self.rows.keep();
            Ok(())
        });
        if done.is_err() {
            self.forget();
            self.backend.rollback();
            taken.extend(jobs.map(|job| (job, None)));
        }
        done
    }

    /// Begins a transaction. Of a shared database, the working set holds the rows of these keys; returns its time.
    fn begin(&mut self, keys: &[S::AnyKey]) -> Result<Option<UnixTime>, StoreError> {
        let keys = if self.is_alone { &[][..] } else { keys };
        let (keys, begun) = match self.backend.begin(keys) {
            // Only the job that needs the damaged row fails, when it asks for it.
            Err(StoreError::Damaged(_)) if !keys.is_empty() => {
                self.backend.rollback();
                (&[][..], self.backend.begin(&[])?)
            }
            begun => (keys, begun?),
        };
        let Some(turn) = begun.turn else { return Ok(None) };
        let is_alone = turn.version.is_some() && self.as_of == turn.version;
        if !self.is_alone {
            self.rows.clear();
            self.rows.loaded(keys.to_vec(), begun.rows);
        } else if !is_alone {
            let why = "another process wrote before this turn";
            return Err(StoreError::Interrupted(why.to_owned()));
        }
        (self.as_of, self.is_alone) = (turn.version, is_alone);
        self.ids.reset(turn.next_id);
        Ok(Some(turn.now))
    }

    /// Runs one job until it finishes and loads the rows that it wants. A panic or a damaged row fails this job alone:
    /// the engine discards its changes.
    fn decide(&mut self, now: UnixTime, job: &mut dyn Job<S>) -> Result<Option<StoreError>, StoreError> {
        let first_id = self.ids.peek();
        loop {
            self.changes.clear();
            self.ids.reset(first_id);
            let cx = Context { now, ids: &self.ids, vault: &self.vault };
            let (rows, changes) = (&self.rows, &mut self.changes);
            let failure = match catch_unwind(AssertUnwindSafe(|| job.run(rows, &cx, changes))) {
                Ok(Ok(())) => {
                    if self.changes.mark() == 0 {
                        self.ids.reset(first_id); // what changes nothing keeps no row number
                    }
                    self.rows.absorb(&mut self.changes);
                    return Ok(None);
                }
                Ok(Err(Halt::Missing)) => match self.rows.load_wanted(&mut self.backend) {
                    Ok(()) => continue,
                    Err(error @ StoreError::Damaged(_)) => error,
                    Err(error) => return Err(error),
                },
                Ok(Err(Halt::Damaged { table })) => damaged(table),
                Err(panic) => panicked(&*panic),
            };
            self.changes.clear();
            self.ids.reset(first_id);
            return Ok(Some(failure));
        }
    }

    /// Runs a query and sends the result to its caller.
    pub fn run_query(&mut self, now: UnixTime, mut query: Box<dyn QueryJob<S>>) {
        let failure = self.run_read(|rows, cx| query.run(rows, cx), now).err();
        query.answer(failure);
    }

    /// Runs a query.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn read<Q: Query<S>>(&mut self, now: UnixTime, query: Q) -> Answer<S, Q::Answer> {
        let (query, mut awaited) = query_job::<S, Q>(query);
        self.run_query(now, query);
        awaited.take().unwrap_or(Err(StoreError::Stopped.into()))
    }

    /// Runs a query until it finishes, on one snapshot, and loads the rows that it asks for.
    fn run_read(
        &mut self,
        mut read: impl FnMut(&Rows<S>, &Context<'_, S>) -> Result<(), Halt>,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        loop {
            match self.read_once(&mut read, now) {
                Err(StoreError::Interrupted(_)) => {} // the backend bounds the repetitions
                done => return done,
            }
        }
    }

    fn read_once(
        &mut self,
        read: &mut impl FnMut(&Rows<S>, &Context<'_, S>) -> Result<(), Halt>,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        self.forget();
        let now = match self.backend.begin(&[]) {
            Ok(begun) => begun.turn.map_or(now, |turn| turn.now),
            Err(error) => {
                self.backend.rollback();
                return Err(error);
            }
        };
        let done = loop {
            let cx = Context { now, ids: &self.ids, vault: &self.vault };
            match catch_unwind(AssertUnwindSafe(|| read(&self.rows, &cx))) {
                Ok(Ok(())) => break Ok(()),
                Ok(Err(Halt::Missing)) => {
                    if let Err(error) = self.rows.load_wanted(&mut self.backend) {
                        break Err(error);
                    }
                }
                Ok(Err(Halt::Damaged { table })) => break Err(damaged(table)),
                Err(panic) => break Err(panicked(&*panic)),
            }
        };
        self.forget();
        self.backend.rollback();
        done
    }
}

fn damaged(table: &str) -> StoreError {
    tracing::error!(table, "a row that another row refers to does not exist; nothing was written");
    StoreError::damaged(table)
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> StoreError {
    let why = panic.downcast_ref::<&str>().map(|why| (*why).to_owned());
    let why = why.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(why, "a decision panicked; nothing was written");
    StoreError::Panicked(why)
}
