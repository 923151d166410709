//! Client addresses: which one a request comes from, and a limit that counts them without knowing
//! them.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use actix_web::http::header::HeaderMap;
use sha2::{Digest, Sha256};

use super::{
    key::random,
    meter::{Bucket, Reading},
};
use crate::config::{Network, Rate};

/// The header in which proxies list the addresses that a request has come through.
const FORWARDED: &str = "x-forwarded-for";

/// The client's address: that of the connection, or, where it is a trusted proxy's, the right-most
/// one of X-Forwarded-For that is not. Whatever stands left of it was written by strangers.
pub fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    let lines: Vec<_> = headers.get_all(FORWARDED).collect();
    // Several headers are one list in their order (RFC 9110, section 5.3).
    let hops = lines
        .iter()
        .rev()
        .flat_map(|line| line.as_bytes().rsplit(|c| *c == b','));
    for hop in hops {
        // What is no address was not written by a proxy that knows its job: its own address counts.
        let (true, Some(address)) = (trusted(client), parse(hop)) else {
            break;
        };
        client = address;
    }
    client
}

/// Whether a request names a client for whom its sender is not trusted to speak.
pub fn forwarded_by_stranger(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> bool {
    let peer = peer.to_canonical();
    headers.contains_key(FORWARDED) && !proxies.iter().any(|network| network.contains(peer))
}

/// An address, as proxies write it: plain, in brackets, with a port.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    let address = plain.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    address
        .or_else(with_port)
        .map(|address| address.to_canonical())
}

/// The network that is counted as one client: an IPv4 address; of IPv6 the 64 bits that a provider
/// gives to one connection (RFC 6177), since the other half is the client's own choice.
fn network(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)),
    }
}

/// Clients that are remembered at once in each half; 8 MiB of memory at most in all.
const PLACES: usize = 32_768;
/// The time after which the key of the hashes is replaced.
const DAY: Duration = Duration::from_secs(86_400);

/// The buckets of client addresses. It holds no address, only SHA-256 of a random key and the
/// address: the key never leaves this process and is replaced every day.
///
/// It has two halves. Whoever asks is in the younger one; when that is full, or as old as a bucket
/// takes to fill up, it becomes the older one, whose content is forgotten. So its size is bounded,
/// the least recent ones are forgotten first, and nobody is remembered for longer than two periods.
pub struct Addresses {
    key: [u8; 32],
    keyed: Instant,
    turned: Instant,
    young: HashMap<[u8; 16], Bucket>,
    old: HashMap<[u8; 16], Bucket>,
}

/// Neither the key nor the hashes are to be seen.
impl std::fmt::Debug for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Addresses")
    }
}

impl Addresses {
    /// Nobody is known.
    ///
    /// # Errors
    /// A sentence, where the system has no randomness.
    pub fn new(now: Instant) -> Result<Self, String> {
        Ok(Self {
            key: random()?,
            keyed: now,
            turned: now,
            young: HashMap::new(),
            old: HashMap::new(),
        })
    }

    /// Takes one request out of an address's bucket.
    pub fn take(
        &mut self,
        address: IpAddr,
        rate: Rate,
        now: Instant,
    ) -> (Result<(), Duration>, Reading) {
        self.forget(rate, now);
        let hash = Sha256::new()
            .chain_update(self.key)
            .chain_update(network(address).octets())
            .finalize();
        let mut place = [0; 16];
        place.copy_from_slice(&hash[..16]);
        let known = self.old.remove(&place);
        let fresh = || known.unwrap_or_else(|| Bucket::full(rate.requests, now));
        let bucket = self.young.entry(place).or_insert_with(fresh);
        bucket.take(rate, rate.requests, now)
    }

    /// Forgets whose time is over.
    pub fn forget(&mut self, rate: Rate, now: Instant) {
        if now.saturating_duration_since(self.keyed) >= DAY {
            // Should the system have no randomness any more, the old key has to do.
            self.key = random().unwrap_or(self.key);
            self.keyed = now;
            self.young.clear();
            self.old.clear();
        }
        let age = now.saturating_duration_since(self.turned);
        if self.young.len() >= PLACES || age >= rate.period {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
            // After two periods without a request the older half is full of full buckets as well.
            if age >= rate.period * 2 {
                self.old.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn seen(peer: &str, lines: &[&'static str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = HeaderName::from_static(FORWARDED);
            headers.append(name, HeaderValue::from_static(line));
        }
        let proxies: Vec<Network> = proxies.iter().map(|p| p.parse().unwrap()).collect();
        client(ip(peer), &headers, &proxies).to_string()
    }

    #[test]
    fn the_right_most_address_that_no_trusted_proxy_has_is_the_client() {
        let proxies = ["10.0.0.0/8", "fd00::/8"];
        for (peer, lines, expected) in [
            // Nobody is believed without being trusted.
            ("9.9.9.9", vec!["1.2.3.4"], "9.9.9.9"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["1.2.3.4"], "1.2.3.4"),
            // What the client wrote itself stands further left.
            ("10.0.0.1", vec!["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", vec!["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", vec!["6.6.6.6,1.2.3.4 , 10.9.9.9"], "1.2.3.4"),
            (
                "10.0.0.1",
                vec!["10.6.6.6, 1.2.3.4,10.0.0.2", "10.0.0.3"],
                "1.2.3.4",
            ),
            // All of them trusted: the first one.
            ("10.0.0.1", vec!["10.0.0.5,10.0.0.4"], "10.0.0.5"),
            // No address: who sent that is the client.
            ("10.0.0.1", vec!["1.2.3.4, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
            ("10.0.0.1", vec!["1.2.3.4:5678"], "1.2.3.4"),
            ("fd00::1", vec!["[2001:db8::1]:443"], "2001:db8::1"),
            ("fd00::1", vec!["[2001:db8::1]"], "2001:db8::1"),
            ("::ffff:10.0.0.1", vec!["::ffff:1.2.3.4"], "1.2.3.4"),
        ] {
            assert_eq!(seen(peer, &lines, &proxies), expected, "{peer} {lines:?}");
        }
        assert_eq!(seen("10.0.0.1", &["1.2.3.4"], &[]), "10.0.0.1");
    }

    #[test]
    fn a_client_is_an_address_or_an_ipv6_network_of_64_bits() {
        let rate: Rate = "1/min".parse().unwrap();
        let now = Instant::now();
        let mut all = Addresses::new(now).unwrap();
        let mut free = |address| all.take(ip(address), rate, now).0.is_ok();
        assert!(free("1.2.3.4") && !free("1.2.3.4") && free("1.2.3.5"));
        assert!(free("2001:db8:0:1::1") && !free("2001:db8:0:1:ffff::2"));
        assert!(free("2001:db8:0:2::1"));
    }

    #[test]
    fn nobody_is_remembered_beyond_two_periods_and_the_table_stays_small() {
        let rate: Rate = "1/min".parse().unwrap();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut all = Addresses::new(start).unwrap();
        assert!(all.take(ip("1.2.3.4"), rate, start).0.is_ok());
        assert!(all.take(ip("1.2.3.4"), rate, after(59)).0.is_err());
        assert!(all.take(ip("1.2.3.5"), rate, after(61)).0.is_ok());
        assert_eq!(all.young.len() + all.old.len(), 2);
        all.take(ip("1.2.3.6"), rate, after(122)).0.unwrap();
        assert_eq!(all.young.len() + all.old.len(), 2, "the first is forgotten");
        all.take(ip("1.2.3.7"), rate, after(400)).0.unwrap();
        assert_eq!(all.young.len() + all.old.len(), 1);
        for n in 0..3 * PLACES as u32 {
            let _ = all.take(IpAddr::V4(n.into()), rate, after(401));
        }
        assert!(all.young.len() + all.old.len() <= 2 * PLACES);
        let key = all.key;
        let _ = all.take(ip("1.2.3.4"), rate, after(86_500));
        assert_ne!(all.key, key, "the next day has another key");
        assert_eq!(all.young.len() + all.old.len(), 1);
    }
}
