//! The queue of complete uploads and the threads that work on them.
//!
//! A job waits for two things at once: a thread, in the order of [`super::queue`], and its memory.
//! Whose turn it is waits for its memory, and nobody passes, so a large job is not starved.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{
    Answer, Job, Shared,
    queue::{Next, Place, Queue},
};
use crate::{
    cancel::Cancel,
    config::QueueOrder,
    cores,
    ephemeral::{Lease, Reason, Reservation},
    error::{Error, Resource},
    harden::stack::scrubbed,
    observe::{Metrics, Stages},
};

/// What becomes of a job: its answer with the lease that holds it, or an error; the stages so far.
pub type Answered = (Result<(Answer, Lease), Error>, Stages);

type Deliver = Box<dyn FnOnce(Answered) + Send>;

/// When it is worth to try again: a job takes a second or less, so the queue moves on by then.
const RETRY_AFTER: Duration = Duration::from_secs(2);

struct Waiting {
    job: Job,
    cancel: Cancel,
    since: Instant,
    deliver: Deliver,
}

struct State {
    queue: Queue<Waiting>,
    stopping: bool,
}

struct Inner {
    state: Mutex<State>,
    changed: Condvar,
    shared: Shared,
    metrics: Arc<Metrics>,
    places: usize,
}

/// The pool. Dropping it ends the threads when their work is done.
pub struct Workers {
    inner: Arc<Inner>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `threads` threads; `places` jobs may wait, in this order.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(
        threads: usize,
        (places, order): (usize, QueueOrder),
        shared: Shared,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let inner = Arc::new(Inner {
            state: Mutex::new(State {
                queue: Queue::new(order, threads),
                stopping: false,
            }),
            changed: Condvar::new(),
            shared,
            metrics,
            places,
        });
        let wake: Weak<Inner> = Arc::downgrade(&inner);
        inner.shared.budget.on_release(move || {
            if let Some(inner) = wake.upgrade() {
                // Taken once, so that a worker between its look at the budget and its sleep is
                // not missed.
                drop(inner.lock());
                inner.changed.notify_all();
            }
        });
        cores::limit(threads);
        let spawn = |i| {
            let inner = inner.clone();
            std::thread::Builder::new()
                .name(format!("worker-{i}"))
                .spawn(move || inner.work())
        };
        let threads = (0..threads).map(spawn).collect::<std::io::Result<_>>()?;
        Ok(Self { inner, threads })
    }

    /// Puts a job into the queue. `deliver` is called once, from a worker or from here on drop of
    /// the queue; it is not called once the job was withdrawn by its ticket.
    ///
    /// # Errors
    /// [`Error::Busy`] where every place is taken, [`Error::ShuttingDown`].
    pub fn submit(
        &self,
        mut job: Job,
        deliver: impl FnOnce(Answered) + Send + 'static,
    ) -> Result<Ticket, Error> {
        let mut state = self.inner.lock();
        let refusal = match () {
            () if state.stopping => Some(Error::ShuttingDown),
            () if state.queue.len() >= self.inner.places => Some(Error::Busy {
                what: Resource::Queue,
                limit: self.inner.places as u64,
                retry_after: RETRY_AFTER,
            }),
            () => None,
        };
        if let Some(error) = refusal {
            job.set_reason((&error).into());
            return Err(error);
        }
        let cancel = Cancel::new();
        let (work, since) = (job.work(), Instant::now());
        let waiting = Waiting {
            job,
            cancel: cancel.clone(),
            since,
            deliver: Box::new(deliver),
        };
        let place = state.queue.push(waiting, work, since);
        self.inner.show_depth(&state);
        drop(state);
        // All of them: the one thread that is woken might be kept for a shorter job.
        self.inner.changed.notify_all();
        Ok(Ticket {
            place,
            cancel,
            inner: self.inner.clone(),
        })
    }

    /// Takes no more jobs and answers those that wait with [`Error::ShuttingDown`]; jobs in
    /// progress go on.
    fn stop(&self) {
        let waiting = {
            let mut state = self.inner.lock();
            state.stopping = true;
            let waiting = state.queue.drain();
            self.inner.show_depth(&state);
            waiting
        };
        self.inner.changed.notify_all();
        for mut entry in waiting {
            entry.job.set_reason(Reason::Shutdown);
            drop(entry.job);
            (entry.deliver)((Err(Error::ShuttingDown), Stages::default()));
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop();
        for thread in self.threads.drain(..) {
            // A worker catches the panics of its jobs, so it ends in the ordinary way.
            let _ = thread.join();
        }
    }
}

/// The right to an answer. When it is dropped the job is taken out of the queue, or told to stop.
pub struct Ticket {
    place: Place,
    cancel: Cancel,
    inner: Arc<Inner>,
}

impl Ticket {
    /// Takes the job out of the queue because it has waited for `limit`, which is too long.
    ///
    /// # Errors
    /// [`Error::Busy`] where it was still waiting; `Ok` where a worker has it, or had it.
    pub fn expire(&self, limit: Duration) -> Result<(), Error> {
        match self.withdraw(Reason::Deadline) {
            true => Err(Error::Busy {
                what: Resource::QueueWait,
                limit: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
                retry_after: RETRY_AFTER,
            }),
            false => Ok(()),
        }
    }

    /// Takes the job out of the queue, if it still waits there, for this reason.
    pub fn withdraw(&self, reason: Reason) -> bool {
        let mut state = self.inner.lock();
        let Some(mut entry) = state.queue.withdraw(self.place) else {
            return false;
        };
        self.inner.show_depth(&state);
        drop(state);
        // The upload is overwritten on drop, which need not hold up the others.
        entry.job.set_reason(reason);
        true
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.withdraw(Reason::Disconnect);
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show_depth(&self, state: &State) {
        self.metrics.queue_depth.set(state.queue.len() as i64);
    }

    fn work(&self) {
        while let Some((entry, long, memory)) = self.next() {
            let mut stages = Stages::default();
            stages.add("queue", entry.since.elapsed());
            let lease = Lease::new(memory, self.metrics.clone());
            let Waiting {
                job,
                cancel,
                deliver,
                ..
            } = entry;
            let engine = &self.shared.engine;
            let core = cores::busy();
            let run = AssertUnwindSafe(|| job.run(engine, &cancel, &mut stages));
            let result = scrubbed(|| catch_unwind(run)).unwrap_or(Err(Error::Internal));
            drop(core);
            let answered = result.map(|answer| {
                let mut lease = lease;
                lease.shrink_to(answer.size());
                (answer, lease)
            });
            deliver((answered, stages));
            if long {
                self.lock().queue.end(long);
                self.changed.notify_all();
            }
        }
    }

    /// Waits for a job and for its memory, and says whether it is a long one; `None` when the pool
    /// stops.
    fn next(&self) -> Option<(Waiting, bool, Reservation)> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let mut until = None;
            match state.queue.next(now) {
                Next::Take(place) => {
                    let cost = state.queue.get(place).map(|entry| entry.job.cost())?;
                    if let Some(memory) = self.shared.budget.try_reserve(cost) {
                        let (entry, long) = state.queue.take(place)?;
                        self.show_depth(&state);
                        return Some((entry, long, memory));
                    }
                }
                Next::Wait(_) if state.stopping => return None,
                Next::Wait(at) => until = at,
            }
            // Woken by a new job, by memory given back, by the end of a long job, or by the end.
            state = match until {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let wait = self.changed.wait_timeout(state, until - now);
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}
