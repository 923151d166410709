//! `Cancel`: the flag and the deadline that travel with a job.
//!
//! Work on pixels cannot be interrupted from outside; it looks here between steps and tiles.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::error::Error;

/// Says whether work should go on. Clones share one flag.
#[derive(Debug, Clone)]
pub struct Cancel {
    gone: Arc<AtomicBool>,
    deadline: Option<Deadline>,
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    limit: Duration,
    setting: &'static str,
}

impl Cancel {
    /// A flag without a deadline.
    pub fn new() -> Self {
        Self {
            gone: Arc::default(),
            deadline: None,
        }
    }

    /// The same flag with a deadline `limit` from now; `setting` is named when it passes.
    pub fn with_deadline(&self, limit: Duration, setting: &'static str) -> Self {
        let deadline = Deadline {
            at: Instant::now() + limit,
            limit,
            setting,
        };
        Self {
            gone: self.gone.clone(),
            deadline: Some(deadline),
        }
    }

    /// Nobody waits for the work any more.
    pub fn cancel(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`Error::Cancelled`] or [`Error::DeadlinePassed`]: stop now.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_cancelled() {
            return Err(Error::Cancelled);
        }
        match self.deadline {
            Some(Deadline { at, limit, setting }) if Instant::now() >= at => {
                Err(Error::DeadlinePassed { limit, setting })
            }
            _ => Ok(()),
        }
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_flag_and_a_passed_deadline_names_its_setting() {
        let cancel = Cancel::new();
        let job = cancel.with_deadline(Duration::from_secs(60), "--timeout");
        assert_eq!(job.check(), Ok(()));
        cancel.cancel();
        assert_eq!(job.check(), Err(Error::Cancelled));
        let late = Cancel::new().with_deadline(Duration::ZERO, "--timeout");
        assert!(matches!(
            late.check(),
            Err(Error::DeadlinePassed {
                setting: "--timeout",
                ..
            })
        ));
    }
}
