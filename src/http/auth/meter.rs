//! Two meters: a token bucket for requests, a fixed window for megapixels. Both are told the time,
//! so that tests need not wait.

use std::time::{Duration, Instant};

use crate::config::Rate;

/// What a meter shows after it was asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The most that it lets through at once.
    pub limit: f64,
    /// What it would let through now.
    pub remaining: f64,
    /// The time until it is full again.
    pub reset: Duration,
}

/// A token bucket: it holds `burst` requests at most and is refilled at the pace of a rate.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    level: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn full(burst: u32, now: Instant) -> Self {
        let level = f64::from(burst);
        Self { level, at: now }
    }

    /// Takes one request out.
    ///
    /// # Errors
    /// The time until there is one, where there is none.
    pub fn take(
        &mut self,
        rate: Rate,
        burst: u32,
        now: Instant,
    ) -> (Result<(), Duration>, Reading) {
        let limit = f64::from(burst);
        let per_second = f64::from(rate.requests) / rate.period.as_secs_f64();
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + passed * per_second).min(limit);
        self.at = now;
        let seconds = |tokens: f64| Duration::from_secs_f64(tokens / per_second);
        let taken = match self.level >= 1.0 {
            true => {
                self.level -= 1.0;
                Ok(())
            }
            false => Err(seconds(1.0 - self.level)),
        };
        let reading = Reading {
            limit,
            remaining: self.level.floor(),
            reset: seconds(limit - self.level),
        };
        (taken, reading)
    }
}

/// A quota of pixels in a fixed window, which begins with the first picture after the last one
/// ended.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    length: Duration,
    began: Option<Instant>,
    used: u64,
}

impl Window {
    /// An unused window.
    pub fn new(length: Duration) -> Self {
        Self {
            length,
            began: None,
            used: 0,
        }
    }

    /// Begins anew where the window has passed.
    fn turn(&mut self, now: Instant) -> Duration {
        let passed = |began: Instant| now.saturating_duration_since(began);
        match self.began.map(passed).filter(|time| *time < self.length) {
            Some(time) => self.length - time,
            None => {
                (self.began, self.used) = (None, 0);
                self.length
            }
        }
    }

    /// What is left.
    pub fn reading(&mut self, limit: u64, now: Instant) -> Reading {
        let reset = self.turn(now);
        Reading {
            limit: limit as f64,
            remaining: limit.saturating_sub(self.used) as f64,
            reset,
        }
    }

    /// Counts pixels, whether there is room for them or not.
    pub fn add(&mut self, pixels: u64, now: Instant) {
        self.turn(now);
        self.began.get_or_insert(now);
        self.used = self.used.saturating_add(pixels);
    }

    /// Takes pixels back that were counted and not worked on.
    pub fn give_back(&mut self, pixels: u64) {
        self.used = self.used.saturating_sub(pixels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_the_rate() {
        let rate: Rate = "60/min".parse().unwrap();
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut bucket = Bucket::full(3, start);
        for left in [2.0, 1.0, 0.0] {
            let (taken, reading) = bucket.take(rate, 3, start);
            assert_eq!((taken, reading.remaining), (Ok(()), left));
        }
        let (taken, reading) = bucket.take(rate, 3, after(250));
        assert_eq!(taken, Err(Duration::from_millis(750)));
        assert_eq!(reading.reset, Duration::from_millis(2750));
        assert!(bucket.take(rate, 3, after(1000)).0.is_ok());
        assert!(bucket.take(rate, 3, after(1500)).0.is_err());
        // A long pause fills it to the brim and no further.
        assert_eq!(bucket.take(rate, 3, after(60_000)).1.remaining, 2.0);
        // A smaller burst, after a reload, holds at once.
        assert_eq!(bucket.take(rate, 1, after(120_000)).1.remaining, 0.0);
    }

    #[test]
    fn a_window_begins_with_its_first_picture_and_ends_after_its_length() {
        let start = Instant::now();
        let after = |s| start + Duration::from_secs(s);
        let mut hour = Window::new(Duration::from_secs(3600));
        assert_eq!(hour.reading(100, start).remaining, 100.0);
        hour.add(70, after(1000));
        let reading = hour.reading(100, after(2000));
        assert_eq!((reading.remaining, reading.reset.as_secs()), (30.0, 2600));
        hour.give_back(20);
        assert_eq!(hour.reading(100, after(4599)).remaining, 50.0);
        assert_eq!(hour.reading(100, after(4600)).remaining, 100.0);
        hour.add(150, after(9000));
        assert_eq!(hour.reading(100, after(9001)).remaining, 0.0);
    }
}
