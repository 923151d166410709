//! The queue of complete uploads and the threads that work on them.
//!
//! A job waits in order for two things at once: a thread and its memory. The first in the queue
//! is never overtaken, so a large job is not starved by small ones.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{Answer, Job, Shared};
use crate::{
    cancel::Cancel,
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
    id: u64,
    job: Job,
    cancel: Cancel,
    since: Instant,
    deliver: Deliver,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    next: u64,
    stopping: bool,
}

struct Inner {
    queue: Mutex<Queue>,
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
    /// Starts `threads` threads; `places` jobs may wait.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(
        threads: usize,
        places: usize,
        shared: Shared,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let inner = Arc::new(Inner {
            queue: Mutex::default(),
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
        let mut queue = self.inner.lock();
        let refusal = match () {
            () if queue.stopping => Some(Error::ShuttingDown),
            () if queue.waiting.len() >= self.inner.places => Some(Error::Busy {
                what: Resource::Queue,
                retry_after: RETRY_AFTER,
            }),
            () => None,
        };
        if let Some(error) = refusal {
            job.set_reason((&error).into());
            return Err(error);
        }
        let cancel = Cancel::new();
        let id = queue.next;
        queue.next += 1;
        queue.waiting.push_back(Waiting {
            id,
            job,
            cancel: cancel.clone(),
            since: Instant::now(),
            deliver: Box::new(deliver),
        });
        self.inner
            .metrics
            .queue_depth
            .set(queue.waiting.len() as i64);
        drop(queue);
        self.inner.changed.notify_one();
        Ok(Ticket {
            id,
            cancel,
            inner: self.inner.clone(),
        })
    }

    /// Takes no more jobs and answers those that wait with [`Error::ShuttingDown`]; jobs in
    /// progress go on.
    fn stop(&self) {
        let waiting = {
            let mut queue = self.inner.lock();
            queue.stopping = true;
            self.inner.metrics.queue_depth.set(0);
            std::mem::take(&mut queue.waiting)
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
    id: u64,
    cancel: Cancel,
    inner: Arc<Inner>,
}

impl Ticket {
    /// Takes the job out of the queue because it has waited too long.
    ///
    /// # Errors
    /// [`Error::Busy`] where it was still waiting; `Ok` where a worker has it, or had it.
    pub fn expire(&self) -> Result<(), Error> {
        match self.withdraw(Reason::Deadline) {
            true => Err(Error::Busy {
                what: Resource::QueueWait,
                retry_after: RETRY_AFTER,
            }),
            false => Ok(()),
        }
    }

    /// Takes the job out of the queue because the service ends.
    pub fn shut_down(&self) {
        self.withdraw(Reason::Shutdown);
    }

    fn withdraw(&self, reason: Reason) -> bool {
        let mut queue = self.inner.lock();
        let Some(at) = queue.waiting.iter().position(|entry| entry.id == self.id) else {
            return false;
        };
        let entry = queue.waiting.remove(at);
        self.inner
            .metrics
            .queue_depth
            .set(queue.waiting.len() as i64);
        drop(queue);
        // The upload is overwritten on drop, which need not hold up the others.
        if let Some(mut entry) = entry {
            entry.job.set_reason(reason);
        }
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
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some((entry, memory)) = self.next() {
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
            let run = AssertUnwindSafe(|| job.run(engine, &cancel, &mut stages));
            let result = scrubbed(|| catch_unwind(run)).unwrap_or(Err(Error::Internal));
            let answered = result.map(|answer| {
                let mut lease = lease;
                lease.shrink_to(answer.bytes.len() as u64);
                (answer, lease)
            });
            deliver((answered, stages));
        }
    }

    /// Waits for a job and for its memory; `None` when the pool stops.
    fn next(&self) -> Option<(Waiting, Reservation)> {
        let mut queue = self.lock();
        loop {
            if let Some(first) = queue.waiting.front() {
                if let Some(memory) = self.shared.budget.try_reserve(first.job.cost()) {
                    let entry = queue.waiting.pop_front()?;
                    self.metrics.queue_depth.set(queue.waiting.len() as i64);
                    return Some((entry, memory));
                }
            } else if queue.stopping {
                return None;
            }
            // Woken by a new job, by memory given back, or by the end.
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
