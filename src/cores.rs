//! Cores that have nothing to do: what a job may use beyond the thread that it has.
//!
//! Jobs fill the machine when there are enough of them, and dividing them then only costs. So a job takes
//! the core of another only while there is no other: each counts as one, so does each helper, and
//! helpers are there only up to the number of workers.

use std::{
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use crate::harden::{fault, stack::scrubbed};

/// Threads at work: jobs, and those that help them.
static BUSY: AtomicUsize = AtomicUsize::new(0);
/// How many there may be; 0 as long as nobody has said it.
static LIMIT: AtomicUsize = AtomicUsize::new(0);

/// Bytes of a band that one thread takes at a time. Less is done before a thread has begun.
const BAND: usize = 256 << 10;

/// A core in use, until it is dropped.
#[derive(Debug)]
pub struct Busy(());

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Relaxed);
    }
}

/// At most so many threads work at once, jobs included, and no more than the machine has cores.
pub fn limit(threads: usize) {
    LIMIT.store(threads.max(1), Relaxed);
}

fn most() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    match LIMIT.load(Relaxed) {
        0 => cores,
        limit => limit.min(cores),
    }
}

/// A job begins: its core is in use, whether there is one or not.
pub fn busy() -> Busy {
    BUSY.fetch_add(1, Relaxed);
    Busy(())
}

/// A further core for a job; none where all have something to do.
pub fn idle() -> Option<Busy> {
    match fault::divides() {
        Some(true) => return Some(busy()),
        Some(false) => return None,
        None => {}
    }
    let most = most();
    // Whoever asks is at work himself, even where nobody has counted it.
    let free = |busy: usize| (busy.max(1) < most).then_some(busy + 1);
    BUSY.fetch_update(Relaxed, Relaxed, free).ok()?;
    Some(Busy(()))
}

/// Does `work` on all of `data`, which has rows of `length` bytes: in bands side by side where cores are
/// idle, in one piece elsewhere. `work` is given the number of the first row and the rows, and must
/// make of a row the same whichever others come with it.
pub fn on_rows(data: &mut [u8], length: usize, work: impl Fn(usize, &mut [u8]) + Sync) {
    let height = BAND.div_ceil(length.max(1));
    let bands = data.len().div_ceil((height * length).max(1));
    let most = most().min(bands).saturating_sub(1);
    let helpers: Vec<_> = std::iter::from_fn(idle).take(most).collect();
    divided(data, length, height, helpers, work);
}

/// In bands of `height` rows, with the help of so many.
fn divided<H: Send>(
    data: &mut [u8],
    length: usize,
    height: usize,
    helpers: Vec<H>,
    work: impl Fn(usize, &mut [u8]) + Sync,
) {
    if helpers.is_empty() {
        return work(0, data);
    }
    let bands = Mutex::new(data.chunks_mut(height * length).enumerate());
    let next = || bands.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((i, band)) = next() {
            work(i * height, band);
        }
    };
    thread::scope(|scope| {
        for helper in helpers {
            scope.spawn(|| {
                scrubbed(work);
                drop(helper);
            });
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, thread::ThreadId, time::Duration};

    use super::*;

    #[test]
    fn every_row_is_done_once_whoever_helps() {
        for helpers in [0, 1, 3] {
            let mut data = vec![0; 7 * 103];
            let threads = Mutex::new(BTreeSet::new());
            divided(&mut data, 7, 10, vec![(); helpers], |first, rows| {
                let own = format!("{:?}", thread::current().id() as ThreadId);
                threads.lock().unwrap().insert(own);
                for (y, row) in (first..).zip(rows.chunks_exact_mut(7)) {
                    row.iter_mut().for_each(|v| *v += y as u8 + 1);
                }
                thread::sleep(Duration::from_millis(2));
            });
            let rows = data.chunks(7).enumerate();
            for (y, row) in rows {
                assert!(row.iter().all(|v| usize::from(*v) == y + 1), "{y}");
            }
            assert_eq!(threads.into_inner().unwrap().len(), helpers + 1);
        }
    }

    #[test]
    fn nobody_helps_where_every_core_has_a_job() {
        let jobs: Vec<_> = (0..most()).map(|_| busy()).collect();
        assert!(idle().is_none());
        let mut calls = 0;
        let counted = Mutex::new(&mut calls);
        on_rows(&mut vec![0; 4 * BAND], 16, |_, _| {
            **counted.lock().unwrap() += 1;
        });
        assert_eq!(calls, 1, "in one piece");
        drop(jobs);
    }
}
