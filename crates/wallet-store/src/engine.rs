//! Batches of commands on a backend.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_channel::oneshot;
use wallet_core::UnixTime;
use wallet_platform::{Changes, Command, Context, Ids, Query, Refused, Rows, Stop, Vault};

use crate::backend::Backend;
use crate::error::{Failure, StoreError};

/// A command on its way, with whoever waits for its outcome.
pub trait Job: Send {
    /// Decides; false when rows are missing.
    fn run(&mut self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> bool;
    /// Answers with what was decided, or with why it was not.
    fn answer(self: Box<Self>, result: Result<(), StoreError>);
}

struct Task<C: Command> {
    command: C,
    decided: Option<Result<C::Outcome, Box<Refused>>>,
    reply: oneshot::Sender<Result<C::Outcome, Failure>>,
}

impl<C: Command> Job for Task<C> {
    fn run(&mut self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> bool {
        self.decided = match self.command.apply(rows, cx, out) {
            Ok(outcome) => Some(Ok(outcome)),
            Err(Stop::Refused(refused)) => Some(Err(refused)),
            Err(Stop::Missing) => None,
        };
        self.decided.is_some()
    }

    fn answer(self: Box<Self>, result: Result<(), StoreError>) {
        let answer = match (result, self.decided) {
            (Err(error), _) => Err(Failure::Store(error)),
            (Ok(()), Some(Ok(outcome))) => Ok(outcome),
            (Ok(()), Some(Err(refused))) => Err(Failure::Refused(refused)),
            (Ok(()), None) => Err(Failure::Store(StoreError::Stopped)),
        };
        // Whoever asked may have gone; the decision stands.
        let _ = self.reply.send(answer);
    }
}

/// Where the outcome of a job will come.
pub type Awaited<T> = oneshot::Receiver<Result<T, Failure>>;

/// A command as a job, and where its outcome will come.
pub fn job<C: Command>(command: C) -> (Box<dyn Job>, Awaited<C::Outcome>) {
    let (reply, receiver) = oneshot::channel();
    (Box::new(Task { command, decided: None, reply }), receiver)
}

/// Runs batches on a backend, on the caller's thread. [`Store`](crate::Store) runs one on a thread of its own; a
/// simulation runs one by hand.
#[derive(Debug)]
pub struct Engine<B> {
    backend: B,
    vault: Vault,
    ids: Ids,
    rows: Rows,
    changes: Changes,
}

impl<B: Backend> Engine<B> {
    /// An engine that goes on with row number `next_id`.
    pub fn new(backend: B, vault: Vault, next_id: u64) -> Self {
        Self {
            backend,
            vault,
            ids: Ids::starting_at(next_id),
            rows: Rows::default(),
            changes: Changes::default(),
        }
    }

    /// The backend.
    pub fn backend(&mut self) -> &mut B {
        &mut self.backend
    }

    /// The vault.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Runs a batch: decides each job in order on one working set, commits once, then answers all. Jobs are decided as
    /// they come, each at the time at which it came, so nothing is decided at a time before it was submitted.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the store must not go on. Everything else is the jobs' own answer.
    pub fn batch(
        &mut self,
        now: &dyn Fn() -> UnixTime,
        jobs: impl IntoIterator<Item = Box<dyn Job>>,
    ) -> Result<(), StoreError> {
        let before = self.ids.peek();
        let mut taken = Vec::new();
        let error = match self.commit(now, &mut jobs.into_iter(), &mut taken) {
            Ok(()) => {
                for (job, failure) in taken {
                    job.answer(failure.map_or(Ok(()), Err));
                }
                return Ok(());
            }
            Err(error) => error,
        };
        self.ids.reset(before);
        let broken = matches!(error, StoreError::Broken(_));
        if taken.len() > 1 && !broken {
            // Something in the batch is refused by the database: singly, so that only the culprit hears of it.
            return taken.into_iter().try_for_each(|(job, _)| self.batch(now, [job]));
        }
        for (job, _) in taken {
            job.answer(Err(error.clone()));
        }
        if broken { Err(error) } else { Ok(()) }
    }

    /// Decides and writes. Whatever becomes of it, every job has been taken, each with what went wrong with it alone.
    fn commit(
        &mut self,
        now: &dyn Fn() -> UnixTime,
        jobs: &mut dyn Iterator<Item = Box<dyn Job>>,
        taken: &mut Vec<(Box<dyn Job>, Option<StoreError>)>,
    ) -> Result<(), StoreError> {
        self.rows.clear();
        let done = self.backend.begin().and_then(|()| {
            for mut job in &mut *jobs {
                let decided = self.decide(now(), job.as_mut());
                let (failure, stop) = decided.map_or_else(|error| (None, Some(error)), |alone| (alone, None));
                taken.push((job, failure));
                if let Some(error) = stop {
                    return Err(error);
                }
            }
            if self.rows.is_dirty() {
                self.rows.write(&mut self.backend)?;
                return self.backend.commit(self.ids.peek());
            }
            self.backend.rollback();
            Ok(())
        });
        if done.is_err() {
            self.backend.rollback();
            taken.extend(jobs.map(|job| (job, None)));
        }
        done
    }

    /// Runs one job to its end, loading what it asks for. A panic is that job's failure alone: nothing of it is kept.
    fn decide(&mut self, now: UnixTime, job: &mut dyn Job) -> Result<Option<StoreError>, StoreError> {
        let first_id = self.ids.peek();
        loop {
            self.changes.clear();
            self.ids.reset(first_id);
            let cx = Context { now, ids: &self.ids, vault: &self.vault };
            let (rows, changes) = (&self.rows, &mut self.changes);
            match catch_unwind(AssertUnwindSafe(|| job.run(rows, &cx, changes))) {
                Ok(true) => {
                    self.rows.absorb(&mut self.changes);
                    return Ok(None);
                }
                Ok(false) => {}
                Err(panic) => {
                    self.changes.clear();
                    self.ids.reset(first_id);
                    return Ok(Some(panicked(&*panic)));
                }
            }
            load_wanted(&mut self.rows, &mut self.backend)?;
        }
    }

    /// Reads.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn read<Q: Query>(&mut self, now: UnixTime, query: &Q) -> Result<Q::Answer, Failure> {
        self.rows.clear();
        self.backend.begin()?;
        let answer = loop {
            let cx = Context { now, ids: &self.ids, vault: &self.vault };
            match catch_unwind(AssertUnwindSafe(|| query.read(&self.rows, &cx))) {
                Err(panic) => break Err(panicked(&*panic).into()),
                Ok(Ok(answer)) => break Ok(answer),
                Ok(Err(Stop::Refused(refused))) => break Err(Failure::Refused(refused)),
                Ok(Err(Stop::Missing)) => {
                    if let Err(error) = load_wanted(&mut self.rows, &mut self.backend) {
                        break Err(error.into());
                    }
                }
            }
        };
        self.backend.rollback();
        answer
    }
}

/// What a decision that panicked is answered with: it is that decision's failure alone.
fn panicked(panic: &(dyn std::any::Any + Send)) -> StoreError {
    let why = panic.downcast_ref::<&str>().map(|why| (*why).to_owned());
    let why = why.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(why, "a decision panicked; nothing of it was kept");
    StoreError::Panicked(why)
}

fn load_wanted<B: Backend>(rows: &mut Rows, backend: &mut B) -> Result<(), StoreError> {
    let wanted = rows.take_wanted();
    // A command that stops without asking for anything would stop for ever.
    if wanted.keys.is_empty() && wanted.lists.is_empty() {
        return Err(StoreError::Database("a decision stopped and asked for no row".to_owned()));
    }
    for key in &wanted.keys {
        rows.load(key, backend)?;
    }
    for list in wanted.lists {
        let found = backend.list(&list)?;
        rows.listed(list, found);
    }
    Ok(())
}
