//! The keys that are in force: found by id, compared in constant time, metered each by itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    key::{self, Hash, parts},
    meter::{Bucket, Reading, Window},
};
use crate::{config::KeyEntry, error::Error};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Every key of the keys file.
#[derive(Debug, Default)]
pub struct Ring(HashMap<String, Arc<Key>>);

/// One key.
pub struct Key {
    hash: Hash,
    entry: KeyEntry,
    usage: Arc<Mutex<Usage>>,
}

/// Neither the hash nor what was used is to be seen.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// What a key has used. It outlives a reload.
struct Usage {
    bucket: Option<Bucket>,
    hour: Window,
    day: Window,
    counts: Counts,
}

/// Requests of a key since they were last told. There is nothing of a picture in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Let in.
    pub admitted: u64,
    /// Refused: 403 and 429.
    pub refused: u64,
}

impl Ring {
    /// The keys of these entries; what a key has used is taken over from `before`.
    ///
    /// # Errors
    /// A sentence that names an entry's scope that is none of `operations`.
    pub fn new(
        entries: Vec<KeyEntry>,
        before: Option<&Self>,
        operations: &[&str],
    ) -> Result<Self, String> {
        let mut ring = HashMap::new();
        for (i, entry) in entries.into_iter().enumerate() {
            let unknown = |scope: &&String| !operations.contains(&scope.as_str());
            if entry.scopes.iter().flatten().any(|scope| unknown(&scope)) {
                let (n, known) = (i + 1, operations.join(", "));
                return Err(format!("entry {n}: `scopes` takes names out of {known}"));
            }
            let hash = key::unhex(&entry.hash)
                .ok_or_else(|| format!("entry {}: `hash` is none", i + 1))?;
            let known = before.and_then(|ring| ring.0.get(&entry.id));
            let usage = known.map_or_else(
                || Arc::new(Mutex::new(Usage::new())),
                |key| key.usage.clone(),
            );
            ring.insert(entry.id.clone(), Arc::new(Key { hash, entry, usage }));
        }
        Ok(Self(ring))
    }

    /// The key that was presented. A wrong secret takes as long as an unknown id.
    pub fn find(&self, presented: &[u8]) -> Option<Arc<Key>> {
        let (id, secret) = parts(presented);
        let key = std::str::from_utf8(id).ok().and_then(|id| self.0.get(id));
        key::matches(secret, key.map(|key| &key.hash)).then(|| key.cloned())?
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The id and the counts of every key that was used since this was last asked, in the order of
    /// the ids.
    pub fn counts(&self) -> Vec<(String, Counts)> {
        let counts = |key: &Arc<Key>| std::mem::take(&mut key.usage().counts);
        let all = self.0.iter().map(|(id, key)| (id.clone(), counts(key)));
        let mut used: Vec<_> = all
            .filter(|(_, counts)| *counts != Counts::default())
            .collect();
        used.sort_by(|a, b| a.0.cmp(&b.0));
        used
    }
}

impl Usage {
    fn new() -> Self {
        Self {
            bucket: None,
            hour: Window::new(HOUR),
            day: Window::new(DAY),
            counts: Counts::default(),
        }
    }
}

impl Key {
    /// Lets one request for an operation in, or not. The reading is that of the key's rate, where it
    /// has one.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::RateLimited`].
    pub fn admit(
        &self,
        operation: &'static str,
        now: Instant,
    ) -> (Result<(), Error>, Option<Reading>) {
        let mut usage = self.usage();
        let (result, reading) = match self.allows(operation) {
            true => self.take(&mut usage, now),
            false => (Err(Error::NotAllowed { operation }), None),
        };
        match result {
            Ok(()) => usage.counts.admitted += 1,
            Err(_) => usage.counts.refused += 1,
        }
        (result, reading)
    }

    /// Whether it may ask for this operation; an empty name stands for what any key may.
    pub fn allows(&self, operation: &str) -> bool {
        let scopes = self.entry.scopes.as_ref();
        operation.is_empty()
            || scopes.is_none_or(|scopes| scopes.iter().any(|scope| scope == operation))
    }

    fn take(&self, usage: &mut Usage, now: Instant) -> (Result<(), Error>, Option<Reading>) {
        let Some(rate) = self.entry.rate else {
            return (Ok(()), None);
        };
        let burst = self.entry.burst.unwrap_or(rate.requests);
        let bucket = usage.bucket.get_or_insert_with(|| Bucket::full(burst, now));
        let (taken, reading) = bucket.take(rate, burst, now);
        let refused = |retry_after| Error::RateLimited {
            whose: "this key",
            rate: rate.to_string(),
            retry_after,
        };
        (taken.map_err(refused), Some(reading))
    }

    /// Counts the pixels of a picture, once its header is read.
    ///
    /// # Errors
    /// [`Error::KeyPixels`] where the key never allows so many, [`Error::QuotaExceeded`].
    pub fn charge(&self, pixels: u64, now: Instant) -> Result<(), Error> {
        let entry = &self.entry;
        let quotas =
            [entry.megapixels_per_hour, entry.megapixels_per_day].map(|mp| mp.map(millions));
        let most = quotas
            .into_iter()
            .chain([entry.max_megapixels.map(millions)]);
        if let Some(limit) = most.flatten().min().filter(|limit| pixels > *limit) {
            return Err(Error::KeyPixels {
                limit,
                actual: pixels,
            });
        }
        let mut usage = self.usage();
        let usage = &mut *usage;
        let mut windows = [
            (&mut usage.hour, quotas[0], "hour"),
            (&mut usage.day, quotas[1], "day"),
        ];
        for (window, limit, period) in &mut windows {
            let Some(limit) = *limit else { continue };
            let reading = window.reading(limit, now);
            if reading.remaining < pixels as f64 {
                return Err(Error::QuotaExceeded {
                    limit,
                    left: reading.remaining as u64,
                    actual: pixels,
                    period,
                    retry_after: reading.reset,
                });
            }
        }
        for (window, ..) in &mut windows {
            window.add(pixels, now);
        }
        Ok(())
    }

    /// Takes pixels back that were counted, where the service failed to work on them.
    pub fn give_back(&self, pixels: u64) {
        let mut usage = self.usage();
        usage.hour.give_back(pixels);
        usage.day.give_back(pixels);
    }

    /// What is left of the quota that is nearest to its end, if there is any.
    pub fn quota(&self, now: Instant) -> Option<Reading> {
        let entry = &self.entry;
        let mut usage = self.usage();
        let hour = entry
            .megapixels_per_hour
            .map(|mp| usage.hour.reading(millions(mp), now));
        let day = entry
            .megapixels_per_day
            .map(|mp| usage.day.reading(millions(mp), now));
        let left = |reading: &Reading| reading.remaining;
        [hour, day]
            .into_iter()
            .flatten()
            .min_by(|a, b| left(a).total_cmp(&left(b)))
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        // Nothing panics while it is held; if it ever did, the counts would still be counts.
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millions(megapixels: f64) -> u64 {
    (megapixels * 1e6) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> KeyEntry {
        KeyEntry {
            id: id.to_owned(),
            hash: "00".repeat(32),
            scopes: None,
            rate: None,
            burst: None,
            megapixels_per_hour: None,
            megapixels_per_day: None,
            max_megapixels: None,
        }
    }

    #[test]
    fn a_quota_counts_pixels_over_the_hour_and_over_the_day() {
        let entry = KeyEntry {
            megapixels_per_hour: Some(10.0),
            megapixels_per_day: Some(15.0),
            ..entry("a")
        };
        let ring = Ring::new(vec![entry], None, &[]).unwrap();
        let key = &ring.0["a"];
        let start = Instant::now();
        let hours = |n| start + HOUR * n;
        assert_eq!(key.charge(9_000_000, start), Ok(()));
        assert_eq!(key.quota(start).unwrap().remaining, 1e6);
        let refused = key.charge(2_000_000, start).unwrap_err();
        assert!(matches!(
            refused,
            Error::QuotaExceeded { period: "hour", .. }
        ));
        assert!(refused.to_string().contains("1.0"), "{refused}");
        // The next hour has room again, but the day has less.
        let refused = key.charge(7_000_000, hours(1)).unwrap_err();
        let Error::QuotaExceeded {
            period,
            retry_after,
            ..
        } = refused
        else {
            panic!("{refused}");
        };
        assert_eq!((period, retry_after), ("day", HOUR * 23));
        assert_eq!(key.charge(6_000_000, hours(1)), Ok(()));
        key.give_back(6_000_000);
        assert_eq!(key.charge(6_000_000, hours(1)), Ok(()));
        assert_eq!(key.charge(10_000_000, hours(25)), Ok(()));
        let never = key.charge(10_000_001, hours(60)).unwrap_err();
        assert!(matches!(
            never,
            Error::KeyPixels {
                limit: 10_000_000,
                ..
            }
        ));
    }

    #[test]
    fn a_reload_keeps_what_was_used_and_takes_new_limits() {
        let rated = |rate: &str| KeyEntry {
            rate: rate.parse().ok(),
            ..entry("a")
        };
        let now = Instant::now();
        let before = Ring::new(vec![rated("2/min")], None, &[]).unwrap();
        assert!(before.0["a"].admit("inspect", now).0.is_ok());
        assert!(before.0["a"].admit("inspect", now).0.is_ok());
        let after = Ring::new(vec![rated("4/min"), entry("b")], Some(&before), &[]).unwrap();
        let (result, reading) = after.0["a"].admit("inspect", now);
        assert!(matches!(result, Err(Error::RateLimited { .. })));
        assert_eq!(reading.unwrap().limit, 4.0);
        assert!(after.0["b"].admit("inspect", now).0.is_ok());
        let told = after.counts();
        let counts = |admitted, refused| Counts { admitted, refused };
        assert_eq!(told[0], ("a".to_owned(), counts(2, 1)));
        assert_eq!(told[1], ("b".to_owned(), counts(1, 0)));
        assert_eq!(after.counts(), []);
    }

    #[test]
    fn a_scope_that_is_no_operation_is_refused_and_one_that_is_holds() {
        let scoped = |name: &str| KeyEntry {
            scopes: Some(vec![name.to_owned()]),
            ..entry("a")
        };
        let known = ["inspect", "restore"];
        let ring = Ring::new(vec![scoped("inspect")], None, &known).unwrap();
        assert!(ring.0["a"].allows("inspect") && !ring.0["a"].allows("restore"));
        assert!(ring.0["a"].allows(""), "what any key may");
        let why = Ring::new(vec![scoped("fly")], None, &known).unwrap_err();
        assert!(why.contains("inspect, restore") && !why.contains("fly"));
    }
}
