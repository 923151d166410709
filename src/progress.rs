//! `Progress`: what a job does just now, and how much of that is done. It travels with the job, and
//! whoever has a clone of it can look.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far a job is. Clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<Moment>>);

/// What can be seen of a job at one moment: a word of this program, and numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moment {
    /// What is done: the name of a stage, as in `Server-Timing`; empty before the first.
    pub step: &'static str,
    /// The operation of a pipeline that it belongs to, counted from 1; 0 for none.
    pub operation: usize,
    /// How much of the step is done, 0 to 1, as far as its tiles tell.
    pub share: f32,
    /// Whether the job is over, well or not.
    pub ended: bool,
}

impl Progress {
    /// A step begins.
    pub fn begin(&self, step: &'static str, operation: usize) {
        let mut moment = self.lock();
        *moment = Moment {
            step,
            operation,
            share: 0.0,
            ended: moment.ended,
        };
    }

    /// So much of the step is done. It never goes back.
    pub fn reach(&self, share: f32) {
        let mut moment = self.lock();
        moment.share = moment.share.max(share.clamp(0.0, 1.0));
    }

    /// The job is over.
    pub fn end(&self) {
        self.lock().ended = true;
    }

    /// How far it is.
    pub fn look(&self) -> Moment {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Moment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_see_the_same_and_a_new_step_begins_at_none() {
        let progress = Progress::default();
        let watcher = progress.clone();
        assert_eq!(watcher.look(), Moment::default());
        progress.begin("denoise", 2);
        progress.reach(0.5);
        progress.reach(0.25);
        let seen = watcher.look();
        assert_eq!((seen.step, seen.operation, seen.share), ("denoise", 2, 0.5));
        progress.begin("encode", 0);
        assert_eq!((watcher.look().share, watcher.look().ended), (0.0, false));
        progress.end();
        assert!(watcher.look().ended);
    }
}
