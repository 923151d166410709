//! `Cancel`: the flag and the deadline that travel with a job, and how far it has come.
//!
//! Work on pixels cannot be interrupted from outside; it looks here between steps and tiles, and
//! says here how much of it is done.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{error::Error, progress::Progress};

/// Says whether work should go on. Clones share one flag and one progress.
#[derive(Debug, Clone)]
pub struct Cancel {
    gone: Arc<AtomicBool>,
    deadline: Option<Deadline>,
    progress: Progress,
    /// The part of the step that this clone speaks of, 0 to 1.
    part: (f32, f32),
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
            progress: Progress::default(),
            part: (0.0, 1.0),
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
            deadline: Some(deadline),
            ..self.clone()
        }
    }

    /// The same flag and deadline; whoever watches `progress` is told how far the work is.
    pub fn telling(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// The same flag for a part of the work: what [`Cancel::reached`] is told through it counts
    /// from the share `from` to the share `to` of what this one speaks of (0 to 1 both).
    pub fn part(&self, from: f32, to: f32) -> Self {
        Self {
            part: (self.place(from), self.place(to)),
            ..self.clone()
        }
    }

    /// So much of the step is done, 0 to 1. It never goes back: whoever watches is not interested
    /// in which of two parts reports late.
    pub fn reached(&self, share: f32) {
        self.progress.reach(self.place(share));
    }

    /// How much of the step is done, 0 to 1.
    pub fn progress(&self) -> f32 {
        self.progress.look().share
    }

    fn place(&self, share: f32) -> f32 {
        let (from, to) = self.part;
        from + (to - from) * share.clamp(0.0, 1.0)
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
    fn parts_of_the_work_add_up_and_never_go_back() {
        let cancel = Cancel::new();
        let second = cancel.part(0.5, 1.0);
        second.part(0.0, 0.5).reached(1.0);
        assert!((cancel.progress() - 0.75).abs() < 1e-4);
        cancel.reached(0.1);
        assert!((second.progress() - 0.75).abs() < 1e-4);
        second.reached(7.0);
        assert!((cancel.progress() - 1.0).abs() < 1e-4);
    }

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
