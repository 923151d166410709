//! `Pool`: N instances of one model, checked out by the threads that work with them.

use std::{
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use super::session::Model;
use crate::{cancel::Cancel, error::Error};

/// How often a wait looks whether anybody still waits for the work.
const LOOK: Duration = Duration::from_millis(50);

/// Instances of one model.
pub struct Pool {
    idle: Mutex<Vec<Box<dyn Model>>>,
    returned: Condvar,
}

impl Pool {
    /// A pool of these instances.
    pub fn new(models: Vec<Box<dyn Model>>) -> Self {
        Self {
            idle: Mutex::new(models),
            returned: Condvar::new(),
        }
    }

    /// Waits for an instance, as long as `cancel` lets it: of a large model there may be one for all
    /// workers. It comes back when the guard is dropped, after a panic too.
    ///
    /// # Errors
    /// [`Error::Cancelled`], [`Error::DeadlinePassed`].
    pub fn check_out(&self, cancel: &Cancel) -> Result<CheckedOut<'_>, Error> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(model) = idle.pop() {
                return Ok(CheckedOut {
                    model: Some(model),
                    pool: self,
                });
            }
            cancel.check()?;
            let waited = self.returned.wait_timeout(idle, LOOK);
            idle = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// An instance, where one is idle.
    pub fn try_check_out(&self) -> Option<CheckedOut<'_>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop().map(|model| CheckedOut {
            model: Some(model),
            pool: self,
        })
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
            self.pool
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(model);
            self.pool.returned.notify_one();
        }
    }
}
