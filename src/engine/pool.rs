//! `Pool`: up to N instances of one model, checked out by the threads that work with them.

use std::{
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::session::Model;
use crate::{cancel::Cancel, error::Error};

/// How often a wait looks whether anybody still waits for the work.
const LOOK: Duration = Duration::from_millis(50);

/// Makes one more instance; none where that is not possible any more.
pub type Open = dyn Fn() -> Option<Box<dyn Model>> + Send + Sync;

/// Instances of one model.
pub struct Pool {
    instances: Mutex<Instances>,
    returned: Condvar,
    open: Box<Open>,
}

struct Instances {
    idle: Vec<Box<dyn Model>>,
    /// How many more may be opened, each when all others are in use.
    unopened: usize,
}

impl Pool {
    /// A pool of these instances, to which `open` adds up to `more` when they are needed. A
    /// machine with many cores would start slowly otherwise, and hold memory that nobody uses.
    pub fn new(models: Vec<Box<dyn Model>>, more: usize, open: Box<Open>) -> Self {
        Self {
            instances: Mutex::new(Instances {
                idle: models,
                unopened: more,
            }),
            returned: Condvar::new(),
            open,
        }
    }

    /// Waits for an instance, as long as `cancel` lets it: of a large model there may be one for all
    /// workers. It comes back when the guard is dropped, after a panic too.
    ///
    /// # Errors
    /// [`Error::Cancelled`], [`Error::DeadlinePassed`].
    pub fn check_out(&self, cancel: &Cancel) -> Result<CheckedOut<'_>, Error> {
        loop {
            if let Some(model) = self.try_check_out() {
                return Ok(model);
            }
            cancel.check()?;
            let instances = self.lock();
            if instances.idle.is_empty() {
                let waited = self.returned.wait_timeout(instances, LOOK);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// An instance, where one is idle or can be opened.
    pub fn try_check_out(&self) -> Option<CheckedOut<'_>> {
        let mut instances = self.lock();
        let model = match instances.idle.pop() {
            Some(model) => model,
            None => {
                instances.unopened = instances.unopened.checked_sub(1)?;
                drop(instances);
                (self.open)()?
            }
        };
        Some(CheckedOut {
            model: Some(model),
            pool: self,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Instances> {
        self.instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// An instance that is in use.
pub struct CheckedOut<'a> {
    model: Option<Box<dyn Model>>,
    pool: &'a Pool,
}

impl Deref for CheckedOut<'_> {
    type Target = dyn Model;

    fn deref(&self) -> &Self::Target {
        self.model
            .as_deref()
            .expect("only `drop` takes the model out")
    }
}

impl DerefMut for CheckedOut<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.model
            .as_deref_mut()
            .expect("only `drop` takes the model out")
    }
}

impl Drop for CheckedOut<'_> {
    fn drop(&mut self) {
        if let Some(model) = self.model.take() {
            self.pool.lock().idle.push(model);
            self.pool.returned.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use ndarray::ArrayD;

    use super::*;

    struct Idle;

    impl Model for Idle {
        fn run(&mut self, _: Vec<ArrayD<f32>>) -> Result<Vec<ArrayD<f32>>, Error> {
            Ok(Vec::new())
        }
    }

    fn pool(more: usize, opens: bool) -> (Pool, Arc<AtomicUsize>) {
        let opened = Arc::new(AtomicUsize::new(0));
        let count = opened.clone();
        let open = move || {
            count.fetch_add(1, Ordering::Relaxed);
            opens.then(|| Box::new(Idle) as Box<dyn Model>)
        };
        (
            Pool::new(vec![Box::new(Idle)], more, Box::new(open)),
            opened,
        )
    }

    #[test]
    fn instances_are_opened_when_all_others_are_in_use_and_only_so_many() {
        let (pool, opened) = pool(2, true);
        for _ in 0..3 {
            drop(pool.try_check_out().unwrap());
        }
        assert_eq!(opened.load(Ordering::Relaxed), 0, "one is enough");
        let all: Vec<_> = (0..3).map(|_| pool.try_check_out().unwrap()).collect();
        assert_eq!(opened.load(Ordering::Relaxed), 2);
        assert!(pool.try_check_out().is_none());
        drop(all);
        let again: Vec<_> = (0..3).map(|_| pool.try_check_out().unwrap()).collect();
        assert_eq!((opened.load(Ordering::Relaxed), again.len()), (2, 3));
    }

    #[test]
    fn one_that_cannot_be_opened_leaves_the_others() {
        let (pool, opened) = pool(1, false);
        let one = pool.try_check_out().unwrap();
        assert!(pool.try_check_out().is_none() && pool.try_check_out().is_none());
        assert_eq!(opened.load(Ordering::Relaxed), 1, "it is tried once");
        drop(one);
        assert!(pool.check_out(&Cancel::new()).is_ok());
    }
}
