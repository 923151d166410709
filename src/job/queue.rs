//! Whose turn it is: the jobs that wait, the cheapest first, and none of them for ever.
//!
//! Pictures of a megapixel must not stand behind restorations of forty. So a job's place is its
//! arrival plus [`PATIENCE`] times the work that it is expected to be: it is overtaken by jobs that
//! are cheaper, but only by those that come before that time is over, so the longest that anybody
//! waits longer than in plain order of arrival is bounded ([`MOST`]). This is shortest job first
//! with aging; the ranks never change, so nothing has to be sorted anew.
//!
//! A thread that has begun a long job is gone for seconds. So while short ones keep coming, one
//! thread is kept for them ([`Queue::next`]), whatever the rank of the long ones: these share the
//! others, in their order. Were the last thread given away after [`MOST`], two restorations of
//! minutes would stop every cutout for as long.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::config::QueueOrder as Order;

/// Seconds that a job may be overtaken in, for each second of its own work: enough that what costs a
/// tenth passes what came a few seconds before it. `benches/order.py` measures it.
const PATIENCE: u32 = 4;
/// The longest time in which a job is overtaken: half of the default of `--queue-wait`, after
/// which it would be sent away.
const MOST: Duration = Duration::from_secs(5);
/// From this much work on a job is long: several times what a cutout of 12 megapixels takes.
const LONG: Duration = Duration::from_secs(1);
/// For so long after a short job came, the next one is waited for.
const EXPECTED: Duration = Duration::from_secs(2);

/// The place of a waiting job: its rank, and a number that no other job has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(Instant, u64);

struct Waiting<T> {
    job: T,
    long: bool,
}

/// What a thread does next.
pub enum Next {
    /// Takes this one.
    Take(Place),
    /// Waits for whatever changes, or until then.
    Wait(Option<Instant>),
}

/// Waiting jobs of type `T`.
pub struct Queue<T> {
    order: Order,
    waiting: BTreeMap<Place, Waiting<T>>,
    number: u64,
    threads: usize,
    long_running: usize,
    last_short: Option<Instant>,
}

impl<T> Queue<T> {
    /// An empty queue before so many threads.
    pub fn new(order: Order, threads: usize) -> Self {
        Self {
            order,
            waiting: BTreeMap::new(),
            number: 0,
            threads,
            long_running: 0,
            last_short: None,
        }
    }

    /// Jobs that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Lines a job up that comes `now` and is expected to take `work` of one thread.
    pub fn push(&mut self, job: T, work: Duration, now: Instant) -> Place {
        let long = work >= LONG;
        let grace = match self.order {
            Order::Cheapest => (work * PATIENCE).min(MOST),
            Order::Arrival => Duration::ZERO,
        };
        if !long {
            self.last_short = Some(now);
        }
        let place = Place(now + grace, self.number);
        self.number += 1;
        self.waiting.insert(place, Waiting { job, long });
        place
    }

    /// Which job an idle thread should take `now`. Where there are several threads, the last one
    /// takes no long job for [`EXPECTED`] after a short one came.
    pub fn next(&self, now: Instant) -> Next {
        let kept_until = match self.order {
            Order::Cheapest if self.threads > 1 && self.long_running + 1 >= self.threads => {
                self.last_short.map(|last| last + EXPECTED)
            }
            _ => None,
        };
        let kept_until = kept_until.filter(|until| *until > now);
        let mut waiting = self.waiting.iter();
        match waiting.find(|(_, entry)| !entry.long || kept_until.is_none()) {
            Some((place, _)) => Next::Take(*place),
            None if self.waiting.is_empty() => Next::Wait(None),
            None => Next::Wait(kept_until),
        }
    }

    /// A waiting job.
    pub fn get(&self, place: Place) -> Option<&T> {
        self.waiting.get(&place).map(|entry| &entry.job)
    }

    /// Takes a job out that will be run; whoever takes it says when it has [ended](Self::end).
    pub fn take(&mut self, place: Place) -> Option<(T, bool)> {
        let entry = self.waiting.remove(&place)?;
        self.long_running += usize::from(entry.long);
        Some((entry.job, entry.long))
    }

    /// A job that was taken has ended; `long` is what [`Queue::take`] said of it.
    pub fn end(&mut self, long: bool) {
        self.long_running -= usize::from(long);
    }

    /// Takes a job out that will not be run.
    pub fn withdraw(&mut self, place: Place) -> Option<T> {
        self.waiting.remove(&place).map(|entry| entry.job)
    }

    /// Takes all out that wait, in their order.
    pub fn drain(&mut self) -> Vec<T> {
        let all = std::mem::take(&mut self.waiting);
        all.into_values().map(|entry| entry.job).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(100);
    const HOUR: Duration = Duration::from_secs(3600);

    /// Everything that waits, in the order in which one thread would take it.
    fn order(queue: &mut Queue<&'static str>, now: Instant) -> Vec<&'static str> {
        let mut order = Vec::new();
        while let Next::Take(place) = queue.next(now) {
            let (job, long) = queue.take(place).unwrap();
            queue.end(long);
            order.push(job);
        }
        order
    }

    #[test]
    fn the_cheaper_goes_first_and_equals_as_they_came() {
        let start = Instant::now();
        let all = [("restore", HOUR), ("one", SHORT), ("two", SHORT)];
        for (by, expected) in [
            (Order::Cheapest, ["one", "two", "restore"]),
            (Order::Arrival, ["restore", "one", "two"]),
        ] {
            let mut queue = Queue::new(by, 1);
            for (name, work) in all {
                queue.push(name, work, start);
            }
            assert_eq!(queue.len(), 3);
            assert_eq!(order(&mut queue, start), expected);
            assert_eq!(queue.len(), 0);
        }
    }

    #[test]
    fn nobody_is_overtaken_for_ever() {
        let start = Instant::now();
        let mut queue = Queue::new(Order::Cheapest, 1);
        queue.push("restore", HOUR, start);
        let mut before = 0;
        // One short job after the other, each of them taken only when the next one is there.
        for tenth in 0..1000 {
            let now = start + SHORT * tenth;
            queue.push("cutout", SHORT, now);
            let Next::Take(place) = queue.next(now) else {
                panic!("something waits")
            };
            match queue.take(place).unwrap() {
                ("restore", true) => break,
                _ => before += 1,
            }
        }
        // 5 s of arrivals at 10 a second, each with 0.4 s of its own.
        assert!((40..=50).contains(&before), "{before}");
    }

    #[test]
    fn one_thread_is_kept_for_short_jobs_while_they_keep_coming() {
        let start = Instant::now();
        let mut queue = Queue::new(Order::Cheapest, 2);
        for name in ["first", "second", "third"] {
            queue.push(name, HOUR, start);
        }
        let take = |queue: &mut Queue<_>, now| match queue.next(now) {
            Next::Take(place) => queue.take(place).map(|(job, _)| job).ok_or(None),
            Next::Wait(until) => Err(until),
        };
        assert_eq!(take(&mut queue, start), Ok("first"));
        // No short job has come yet: both threads work.
        let place = queue.push("short", SHORT, start);
        assert_eq!(queue.withdraw(place), Some("short"));
        assert_eq!(take(&mut queue, start), Err(Some(start + EXPECTED)));
        queue.push("short", SHORT, start + SHORT);
        assert_eq!(take(&mut queue, start + SHORT), Ok("short"));
        let later = start + SHORT + EXPECTED;
        assert_eq!(take(&mut queue, later), Ok("second"));
        assert_eq!(take(&mut queue, later), Ok("third"));
        assert_eq!(take(&mut queue, later), Err(None));
        // With one thread there is none to keep.
        let mut alone = Queue::new(Order::Cheapest, 1);
        alone.push("short", SHORT, start);
        alone.push("long", HOUR, start);
        assert_eq!(order(&mut alone, start), ["short", "long"]);
    }
}
