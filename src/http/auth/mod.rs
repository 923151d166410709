//! Who may ask, and how often: API keys, and a limit per client address for who has none. All of it
//! is decided before a byte of the body is read; only the megapixels of a picture are counted later,
//! when its header is known.
//!
//! A key can only restrict (contract E18): operations, requests, megapixels. Nothing else in the
//! service learns which key it was, so that no answer, record or metric can depend on it.

mod address;
mod key;
mod meter;
mod pass;
mod ring;
mod upkeep;

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use actix_web::{HttpRequest, http::header::HeaderMap};

use super::routes;
use crate::{
    config::{KeyEntry, Network, Rate, Settings, read_keys},
    error::Error,
    observe::Log,
};
use address::Addresses;
pub use key::{NewKey, new_key};
pub use pass::{Pass, charge, check};
use ring::Ring;
pub use upkeep::upkeep;

/// What a reload has read.
#[derive(Debug)]
pub struct Reloaded {
    /// The settings.
    pub settings: Settings,
    /// The flags of other settings that have changed, which takes a restart.
    pub restart: Vec<String>,
}

/// How settings are read again, where there is a file to read them from.
pub type Source = Box<dyn Fn() -> Result<Reloaded, String> + Send + Sync>;

/// The rules in force, and what was used under them.
pub struct Access {
    rules: RwLock<Arc<Rules>>,
    addresses: Mutex<Addresses>,
    source: Option<Source>,
    warned: AtomicBool,
}

#[derive(Debug, Default)]
struct Rules {
    keys: Option<Ring>,
    per_address: Option<Rate>,
    proxies: Vec<Network>,
}

impl Access {
    /// The rules of `settings`; with a `source` they can be reloaded.
    ///
    /// # Errors
    /// A sentence, where the keys file is not as it should be.
    pub fn new(settings: &Settings, source: Option<Source>) -> Result<Self, String> {
        Ok(Self {
            rules: RwLock::new(Arc::new(Rules::read(settings, None)?)),
            addresses: Mutex::new(Addresses::new(Instant::now())?),
            source,
            warned: AtomicBool::new(false),
        })
    }

    /// The number of keys; none where keys are off.
    pub fn key_count(&self) -> Option<usize> {
        self.rules().keys.as_ref().map(Ring::len)
    }

    /// Whether there is a file to reload.
    pub fn can_reload(&self) -> bool {
        self.source.is_some()
    }

    /// Reads keys and limits again and says how that went. What is broken changes nothing.
    pub fn reload(&self, log: &Log) {
        self.tell_use(log);
        let Some(source) = &self.source else { return };
        let before = self.rules();
        let read = source().and_then(|reloaded| {
            let rules = Rules::read(&reloaded.settings, Some(&before))?;
            Ok((rules, reloaded.restart))
        });
        match read {
            Ok((rules, mut restart)) => {
                if before.keys.is_some() && rules.keys.is_none() {
                    // By a slip of the pen the whole service would be open.
                    restart.push("--keys (switched off)".to_owned());
                    log.say("warn", "reload", Self::kept(&needs_restart(&restart)));
                    return;
                }
                let mut said = format!("read again: {}", rules.summary());
                if !restart.is_empty() {
                    said = format!("{said}; {}", needs_restart(&restart));
                }
                *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
                log.say("info", "reload", said);
            }
            Err(why) => log.say("warn", "reload", Self::kept(&why)),
        }
    }

    fn kept(why: &str) -> String {
        // A parser's message may have several lines.
        let line = why.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("everything stays as it was: {line}")
    }

    /// Forgets addresses whose time is over.
    pub fn tidy(&self) {
        if let Some(rate) = self.rules().per_address {
            self.addresses().forget(rate, Instant::now());
        }
    }

    /// Says how often each key was used since this was last said: requests, and nothing of a
    /// picture. Told together, they cannot be matched with the records of requests.
    pub fn tell_use(&self, log: &Log) {
        let counts = self.rules().keys.as_ref().map(Ring::counts);
        for (id, counts) in counts.into_iter().flatten() {
            let (admitted, refused) = (counts.admitted, counts.refused);
            let said = format!("key {id}: {admitted} requests let in, {refused} refused");
            log.say("info", "keys", said);
        }
    }

    /// What of these rules will not work as it may have been meant to, a sentence each.
    pub fn doubts(&self) -> Vec<String> {
        let rules = self.rules();
        let mut doubts = Vec::new();
        if rules.per_address.is_some() && rules.proxies.is_empty() {
            doubts.push(
                "--rate-per-address without --trusted-proxies: behind a reverse proxy all clients \
                 would share the proxy's address, and with it one limit"
                    .to_owned(),
            );
        }
        if rules.per_address.is_none() && !rules.proxies.is_empty() {
            doubts.push("--trusted-proxies has no effect without --rate-per-address".to_owned());
        }
        doubts
    }

    /// What these rules enforce, and what they leave open, a few words each.
    pub fn standing(&self) -> (Vec<String>, Vec<String>) {
        let rules = self.rules();
        let (mut enforced, mut open) = (Vec::new(), Vec::new());
        match &rules.keys {
            Some(_) => enforced.push(rules.key_words()),
            None => open.push("API keys (--keys)".to_owned()),
        }
        match rules.per_address {
            Some(rate) => enforced.push(format!("{rate} for each address without a key")),
            None => open.push("a limit per address (--rate-per-address)".to_owned()),
        }
        (enforced, open)
    }

    /// Lets a request for an operation in, or not. An empty name is that of a route that any key
    /// opens.
    fn admit(
        &self,
        request: &HttpRequest,
        operation: &'static str,
        log: &Log,
    ) -> (Result<(), Error>, Pass) {
        let rules = self.rules();
        let now = Instant::now();
        let headers = request.headers();
        let known = match &rules.keys {
            None => Ok(None),
            Some(ring) => match key::presented(headers) {
                None => Err(Error::MissingKey),
                Some(key) => ring.find(key).map(Some).ok_or(Error::WrongKey),
            },
        };
        if let Ok(Some(key)) = known {
            let (result, rate) = key.admit(operation, now);
            return (result, Pass::of_key(key, rate));
        }
        let peer = request.peer_addr().map(|peer| peer.ip());
        let (Some(rate), Some(peer)) = (rules.per_address, peer) else {
            return (known.map(drop), Pass::default());
        };
        self.warn_once(peer, headers, &rules.proxies, log);
        let client = address::client(peer, headers, &rules.proxies);
        let (taken, reading) = self.addresses().take(client, rate, now);
        let refused = |retry_after| Error::RateLimited {
            whose: "one address",
            rate: rate.to_string(),
            retry_after,
        };
        let result = taken.map_err(refused).and_then(|()| known.map(drop));
        (result, Pass::of_address(reading))
    }

    /// The one sure sign that a limit per address hits a proxy.
    fn warn_once(&self, peer: IpAddr, headers: &HeaderMap, proxies: &[Network], log: &Log) {
        if address::forwarded_by_stranger(peer, headers, proxies)
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            let said = "a request came with X-Forwarded-For from an address that is not in \
                        --trusted-proxies; if that is a proxy of yours, all its clients share one limit";
            log.say("warn", "proxy", said);
        }
    }

    fn rules(&self) -> Arc<Rules> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.clone()
    }

    fn addresses(&self) -> std::sync::MutexGuard<'_, Addresses> {
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn needs_restart(flags: &[String]) -> String {
    format!("changed, but needs a restart: {}", flags.join(", "))
}

impl Rules {
    fn read(settings: &Settings, before: Option<&Self>) -> Result<Self, String> {
        let keys = settings.keys.as_deref().map(|path| {
            let entries: Vec<KeyEntry> = read_keys(path)?;
            let ring = before.and_then(|rules| rules.keys.as_ref());
            Ring::new(entries, ring, &routes::operations())
                .map_err(|why| format!("--keys {}: {why}", path.display()))
        });
        Ok(Self {
            keys: keys.transpose()?,
            per_address: settings.rate_per_address,
            proxies: settings.trusted_proxies.clone(),
        })
    }

    fn summary(&self) -> String {
        let rate = self.per_address.map(|rate| rate.to_string());
        format!(
            "{}, {} per address without a key",
            self.key_words(),
            rate.as_deref().unwrap_or("no limit")
        )
    }

    fn key_words(&self) -> String {
        match self.keys.as_ref().map(Ring::len) {
            None => "no key needed".to_owned(),
            Some(1) => "1 API key".to_owned(),
            Some(n) => format!("{n} API keys"),
        }
    }
}
