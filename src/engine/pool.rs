//! `Pool`: N instances of one model, checked out by the threads that work with them.

use std::{
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, PoisonError},
};

use super::session::Model;

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

    /// Waits for an instance. There are as many as workers, so the wait is short; it comes back
    /// when the guard is dropped, after a panic too.
    pub fn check_out(&self) -> CheckedOut<'_> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(model) = idle.pop() {
                return CheckedOut {
                    model: Some(model),
                    pool: self,
                };
            }
            idle = self
                .returned
                .wait(idle)
                .unwrap_or_else(PoisonError::into_inner);
        }
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
