//! `Lease`: what one request holds beside its input - memory, and the right to be worked on.

use std::{
    fmt,
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::observe::Metrics;

/// The memory that all jobs together may take, in bytes.
pub struct MemoryBudget {
    total: u64,
    reserved: AtomicU64,
    metrics: Arc<Metrics>,
    on_release: OnceLock<Box<dyn Fn() + Send + Sync>>,
    waiting: Mutex<()>,
    released: Condvar,
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryBudget({} bytes)", self.total)
    }
}

impl MemoryBudget {
    /// A budget of `total` bytes.
    pub fn new(total: u64, metrics: Arc<Metrics>) -> Arc<Self> {
        metrics.memory_budget.set(total as i64);
        Arc::new(Self {
            total,
            reserved: 0.into(),
            metrics,
            on_release: OnceLock::new(),
            waiting: Mutex::default(),
            released: Condvar::new(),
        })
    }

    /// The whole budget.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Takes `bytes` out of the budget, or nothing where they are not there.
    pub fn try_reserve(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        let fits = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= self.total);
        let before = self
            .reserved
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits)
            .ok()?;
        self.metrics.memory_reserved.set((before + bytes) as i64);
        Some(Reservation {
            bytes,
            budget: self.clone(),
        })
    }

    /// Takes `bytes` out of the budget as soon as they are there; `None` where they never can be.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        if bytes > self.total {
            return None;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(reservation) = self.try_reserve(bytes) {
                return Some(reservation);
            }
            let woken = self.released.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Calls `wake` whenever memory is given back; the first caller stays.
    pub fn on_release(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _ = self.on_release.set(Box::new(wake));
    }

    fn give_back(&self, bytes: u64) {
        let before = self.reserved.fetch_sub(bytes, Ordering::AcqRel);
        self.metrics.memory_reserved.set((before - bytes) as i64);
        if let Some(wake) = self.on_release.get() {
            wake();
        }
        // Taken once, so that who has looked at the budget and does not sleep yet is not missed.
        drop(self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.released.notify_all();
    }
}

/// Bytes taken out of a [`MemoryBudget`]; given back on drop.
#[derive(Debug)]
pub struct Reservation {
    bytes: u64,
    budget: Arc<MemoryBudget>,
}

impl Reservation {
    /// Gives back all but `bytes`; never grows.
    pub fn shrink_to(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.budget.give_back(surplus);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

/// The request's own guard: it rides in the response body and ends when the last chunk is handed
/// out or the client is gone.
#[derive(Debug)]
pub struct Lease {
    memory: Reservation,
    metrics: Arc<Metrics>,
}

impl Lease {
    /// A lease on `memory`.
    pub fn new(memory: Reservation, metrics: Arc<Metrics>) -> Self {
        metrics.leases_live.inc();
        Self { memory, metrics }
    }

    /// The work is done; only `bytes` of output are still held.
    pub fn shrink_to(&mut self, bytes: u64) {
        self.memory.shrink_to(bytes);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.metrics.leases_live.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_never_over_committed_and_always_given_back() {
        let metrics = Arc::new(Metrics::new("test"));
        let budget = MemoryBudget::new(100, metrics.clone());
        let mut first = budget.try_reserve(60).unwrap();
        assert!(budget.try_reserve(41).is_none());
        first.shrink_to(10);
        let second = budget.try_reserve(90).unwrap();
        assert!(budget.try_reserve(1).is_none());
        let lease = Lease::new(second, metrics.clone());
        assert_eq!(metrics.leases_live.get(), 1);
        drop((first, lease));
        assert_eq!(
            (metrics.leases_live.get(), metrics.memory_reserved.get()),
            (0, 0)
        );
    }

    #[test]
    fn who_waits_for_memory_gets_it_when_another_gives_it_back() {
        let budget = MemoryBudget::new(100, Arc::new(Metrics::new("test")));
        assert!(budget.reserve(101).is_none(), "it would wait for ever");
        let first = budget.reserve(60).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let second = budget.reserve(41);
                tell.send(()).unwrap();
                second
            });
            let patience = std::time::Duration::from_millis(50);
            assert!(told.recv_timeout(patience).is_err(), "over-committed");
            drop(first);
            told.recv().unwrap();
        });
        assert!(budget.try_reserve(100).is_some(), "all of it is given back");
    }
}
