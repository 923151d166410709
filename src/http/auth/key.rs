//! An API key: how it is made, how it is presented, how it is compared.
//!
//! A key is `ID.SECRET`: the id finds the entry, and the secret is 32 random bytes in hexadecimal.
//! The server knows only the secret's SHA-256. A hash that is slow on purpose would protect a
//! password that somebody chose; nobody can try out 2^256 secrets, however fast.

use actix_web::http::header::{self, HeaderMap};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::is_id;

/// The hash of a secret.
pub type Hash = [u8; 32];

/// A new key and what the server has to know of it.
#[derive(Debug)]
pub struct NewKey {
    /// The key. It is shown once and stored nowhere.
    pub key: String,
    /// The entry for the keys file.
    pub entry: String,
}

/// Makes a key; its id is random where none is given.
///
/// # Errors
/// A sentence, where the id cannot be one or the system has no randomness.
pub fn new_key(id: Option<&str>) -> Result<NewKey, String> {
    let id = match id {
        Some(id) if is_id(id) => id.to_owned(),
        Some(_) => return Err("--id takes 1 to 32 letters, digits, - and _".to_owned()),
        None => format!("k_{}", hex(&random::<4>()?)),
    };
    let secret = hex(&random::<32>()?);
    Ok(NewKey {
        entry: format!("[[key]]\nid = \"{id}\"\nhash = \"{}\"", hex(&hash(&secret))),
        key: format!("{id}.{secret}"),
    })
}

/// Random bytes of the system.
///
/// # Errors
/// A sentence, where it has none.
pub fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| format!("no random bytes: {e}"))?;
    Ok(bytes)
}

/// The key that a request presents, if any: `Authorization: Bearer KEY`, else `X-API-Key: KEY`.
pub fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        // RFC 9110, section 11.1: the name of a scheme has no case.
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(key)
    });
    let plain = || headers.get("x-api-key").map(|value| value.as_bytes());
    bearer.or_else(plain).map(<[u8]>::trim_ascii)
}

/// The id and the secret of a key.
pub fn parts(key: &[u8]) -> (&[u8], &[u8]) {
    match key.iter().position(|c| *c == b'.') {
        Some(dot) => (&key[..dot], &key[dot + 1..]),
        None => (b"", key),
    }
}

/// Whether `secret` is the one whose hash is `expected`. The time it takes depends on the length of
/// what was sent and on nothing else; where there is no such key, `None` is compared as well.
pub fn matches(secret: &[u8], expected: Option<&Hash>) -> bool {
    let sent = hash(secret);
    let equal = sent.ct_eq(expected.unwrap_or(&[0; 32]));
    bool::from(equal) && expected.is_some()
}

/// SHA-256.
fn hash(secret: impl AsRef<[u8]>) -> Hash {
    Sha256::digest(secret).into()
}

/// A hash as it stands in the keys file.
pub fn unhex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    for (i, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(hash)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    #[test]
    fn a_new_key_matches_its_entry_and_no_other() {
        let made = new_key(Some("shop")).unwrap();
        let (id, secret) = parts(made.key.as_bytes());
        assert_eq!((id, secret.len()), (b"shop".as_slice(), 64));
        let stored = made.entry.rsplit('"').nth(1).and_then(unhex).unwrap();
        assert!(matches(secret, Some(&stored)));
        assert!(!matches(&secret[1..], Some(&stored)));
        assert!(!matches(secret, None));
        assert!(!made.entry.contains(std::str::from_utf8(secret).unwrap()));
        let other = new_key(None).unwrap();
        assert!(
            other.key.starts_with("k_") && !matches(parts(other.key.as_bytes()).1, Some(&stored))
        );
        assert!(new_key(Some("a b")).is_err());
    }

    #[test]
    fn a_key_comes_in_one_of_two_headers() {
        let of = |pairs: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in pairs {
                let name = HeaderName::from_static(name);
                map.append(name, HeaderValue::from_static(value));
            }
            presented(&map).map(|key| String::from_utf8(key.to_vec()).unwrap())
        };
        assert_eq!(of(&[("authorization", "bEARER  a.b ")]).unwrap(), "a.b");
        assert_eq!(of(&[("x-api-key", "a.b")]).unwrap(), "a.b");
        let both = [("authorization", "Bearer c.d"), ("x-api-key", "a.b")];
        assert_eq!(of(&both).unwrap(), "c.d");
        // What a proxy uses for itself does not hide the key.
        let proxy = [("authorization", "Basic eDp5"), ("x-api-key", "a.b")];
        assert_eq!(of(&proxy).unwrap(), "a.b");
        assert_eq!(of(&[("authorization", "Basic eDp5")]), None);
        assert_eq!(of(&[("authorization", "Bear")]), None);
    }
}
