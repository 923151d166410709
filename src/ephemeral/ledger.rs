//! `Ledger`: every input that was opened, every byte that is alive, and how each one ended.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    error::{Error, Resource},
    observe::Metrics,
};

/// Why an input was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It was decoded; the good case.
    Decoded,
    /// It was refused or broken.
    Error,
    /// Its client went away.
    Disconnect,
    /// A deadline passed.
    Deadline,
    /// Code panicked over it.
    Panic,
    /// The service stopped.
    Shutdown,
}

impl Reason {
    /// The label in `safelight_inputs_deleted_total{reason}`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Decoded => "decoded",
            Self::Error => "error",
            Self::Disconnect => "disconnect",
            Self::Deadline => "deadline",
            Self::Panic => "panic",
            Self::Shutdown => "shutdown",
        }
    }

    /// Every reason, for metrics that exist from the start.
    pub const ALL: [Self; 6] = [
        Self::Decoded,
        Self::Error,
        Self::Disconnect,
        Self::Deadline,
        Self::Panic,
        Self::Shutdown,
    ];
}

impl From<&Error> for Reason {
    fn from(error: &Error) -> Self {
        match error {
            Error::Cancelled => Self::Disconnect,
            Error::ShuttingDown => Self::Shutdown,
            Error::UploadTooSlow { .. }
            | Error::DeadlinePassed { .. }
            | Error::Busy {
                what: Resource::QueueWait,
                ..
            } => Self::Deadline,
            _ => Self::Error,
        }
    }
}

/// Counts the inputs and the bytes of one spool. Every opened input is entered and, once, crossed
/// out; every reserved byte is given back.
#[derive(Debug)]
pub struct Ledger {
    budget: u64,
    held: AtomicU64,
    next: AtomicU64,
    open: Mutex<BTreeMap<u64, Instant>>,
    metrics: Arc<Metrics>,
}

impl Ledger {
    pub(super) fn new(budget: u64, metrics: Arc<Metrics>) -> Self {
        metrics.spool_budget.set(budget as i64);
        Self {
            budget,
            held: 0.into(),
            next: 0.into(),
            open: Mutex::default(),
            metrics,
        }
    }

    /// Takes `bytes` out of the budget, all of them or none.
    pub(super) fn reserve(&self, bytes: u64) -> Result<(), Error> {
        let fits = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= self.budget);
        match self
            .held
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits)
        {
            Ok(before) => {
                self.metrics.spool_bytes.set((before + bytes) as i64);
                Ok(())
            }
            Err(_) => Err(Error::Busy {
                what: Resource::SpoolBudget,
                limit: self.budget,
                retry_after: Duration::from_secs(2),
            }),
        }
    }

    pub(super) fn give_back(&self, bytes: u64) {
        let before = self.held.fetch_sub(bytes, Ordering::AcqRel);
        self.metrics.spool_bytes.set((before - bytes) as i64);
    }

    pub(super) fn enter(&self) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.open().insert(id, Instant::now());
        self.metrics.inputs_opened.inc();
        self.metrics.inputs_live.inc();
        id
    }

    /// Notes the end of an input, once; how long it lived.
    pub(super) fn cross_out(&self, id: u64, reason: Reason) -> Duration {
        let since = self.open().remove(&id);
        let held = since.map(|since| since.elapsed());
        if let Some(held) = held {
            self.metrics.inputs_live.dec();
            self.metrics
                .inputs_deleted
                .with_label_values(&[reason.label()])
                .inc();
            self.metrics.input_lifetime.observe(held.as_secs_f64());
        }
        held.unwrap_or_default()
    }

    /// Age of the oldest input that is alive, in seconds; 0 when there is none.
    pub fn oldest_seconds(&self) -> f64 {
        self.open()
            .values()
            .next()
            .map_or(0.0, |since| since.elapsed().as_secs_f64())
    }

    /// Inputs that are alive.
    pub fn live(&self) -> usize {
        self.open().len()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        // No code panics while it holds the lock; if it ever does, the map is still whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
