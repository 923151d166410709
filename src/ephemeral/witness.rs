//! `Witness`: what was seen of the inputs of one request - how many bytes each held, where, whether
//! they were overwritten, and when its file was closed.
//!
//! Each input reports its own end, from the one place where inputs end, so a statement that is made
//! of these facts says what happened and not what should have.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

/// How one input ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Bytes that were received into it.
    pub bytes: u64,
    /// SHA-256 of these bytes in hexadecimal, where it was asked for and taken.
    pub sha256: Option<String>,
    /// Whether its file lay on a memory file system.
    pub in_memory: bool,
    /// Whether its file never had a name (`O_TMPFILE`), or else had it removed at once.
    pub nameless: bool,
    /// Whether every one of its bytes was overwritten.
    pub overwritten: bool,
    /// When its file was closed.
    pub closed_at: SystemTime,
    /// How long it was open.
    pub held: Duration,
}

impl Ended {
    /// Where its bytes lay: `tmpfs/O_TMPFILE` where all is as it should be.
    pub fn store(&self) -> &'static str {
        match (self.in_memory, self.nameless) {
            (true, true) => "tmpfs/O_TMPFILE",
            (true, false) => "tmpfs/unlinked",
            (false, true) => "not-tmpfs/O_TMPFILE",
            (false, false) => "not-tmpfs/unlinked",
        }
    }
}

/// Sees the inputs of one request. Clones see the same.
#[derive(Debug, Clone)]
pub struct Witness {
    digests: bool,
    inputs: Arc<Mutex<Vec<Option<Ended>>>>,
}

impl Witness {
    /// One who has seen nothing yet; `digests`: the hash of each input is wanted as well.
    pub fn new(digests: bool) -> Self {
        Self {
            digests,
            inputs: Arc::default(),
        }
    }

    /// How every input that held a byte has ended, in the order in which they were opened; `None`
    /// while one of them is alive, for then there is nothing to say yet.
    pub fn all_ended(&self) -> Option<Vec<Ended>> {
        let all: Option<Vec<Ended>> = self.inputs().iter().cloned().collect();
        let held_bytes = |ended: &Ended| ended.bytes > 0;
        all.map(|all| all.into_iter().filter(held_bytes).collect())
    }

    pub(super) fn wants_digests(&self) -> bool {
        self.digests
    }

    pub(super) fn opened(&self) -> usize {
        let mut inputs = self.inputs();
        inputs.push(None);
        inputs.len() - 1
    }

    pub(super) fn ended(&self, place: usize, how: Ended) {
        self.inputs()[place] = Some(how);
    }

    fn inputs(&self) -> MutexGuard<'_, Vec<Option<Ended>>> {
        // Nothing that can panic is done while it is held, but for a place that was never given.
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
