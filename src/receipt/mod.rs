//! Deletion receipts: a signed statement of how the inputs of one request ended.
//!
//! A receipt shows that whoever holds the key said so of these bytes. It does not show that no copy
//! exists, nor which program holds the key: only an attestation of the hardware could.
//!
//! It is a JWS in compact form (RFC 7515) with EdDSA over Ed25519 (RFC 8037). The key is born when
//! the service starts and dies with it; it is never written anywhere. Nothing is kept of a receipt.

mod jwk;
mod verify;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use jwk::Jwk;
pub use verify::{Check, Expected, Report, verify};

use crate::ephemeral::Ended;

/// The version of the receipts that are made and read.
pub const VERSION: u32 = 1;
/// The signature algorithm, as the JWS head names it.
const ALGORITHM: &str = "EdDSA";
/// What kind of JWS it is.
const KIND: &str = "deletion-receipt";
/// Characters of a nonce at most: 48 random bytes in base64url.
pub const MAX_NONCE: usize = 64;

/// The head of the JWS.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    alg: String,
    kid: String,
    typ: String,
}

/// What a receipt says. It speaks of every input of the request together: a request may bring more
/// than one, such as a new background.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`VERSION`].
    pub v: u32,
    /// The client's own random word: the receipt was made for this request and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// How many inputs there were.
    pub inputs: usize,
    /// SHA-256 of the inputs in hexadecimal, in the order in which they arrived; only where the
    /// client asked for it and every input was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_sha256: Option<Hashes>,
    /// Bytes of all inputs.
    pub in_bytes: u64,
    /// Where they lay: `tmpfs/O_TMPFILE`, nameless and in memory.
    pub store: String,
    /// Whether every byte of them was overwritten before its file was closed.
    pub overwritten: bool,
    /// When the last of them was closed, in UTC (RFC 3339), by the service's clock.
    pub closed_at: String,
    /// How long the one that was held longest was held, in milliseconds.
    pub held_ms: f64,
    /// SHA-256 of the program that made the receipt, in hexadecimal; by its own account.
    pub build: String,
    /// The key: its thumbprint (RFC 7638).
    pub kid: String,
}

/// One hash as it is, more as a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Hashes {
    /// Of the only input.
    One(String),
    /// Of each input.
    Many(Vec<String>),
}

impl Hashes {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(hash) => std::slice::from_ref(hash),
            Self::Many(hashes) => hashes,
        }
    }
}

impl Receipt {
    /// The statement of these inputs; `None` where there was none, and so nothing was deleted.
    fn of(inputs: &[Ended], nonce: Option<&str>, build: &str, kid: &str) -> Option<Self> {
        let last = inputs.iter().map(|input| input.closed_at).max()?;
        let held = inputs.iter().map(|input| input.held).max()?;
        // Where they differ, the one that is not as it should be is what has to be said.
        let store = |input: &&Ended| (input.in_memory, input.nameless);
        let store = inputs.iter().min_by_key(store)?.store();
        let hashes: Option<Vec<_>> = inputs.iter().map(|input| input.sha256.clone()).collect();
        Some(Self {
            v: VERSION,
            nonce: nonce.map(str::to_owned),
            inputs: inputs.len(),
            in_sha256: hashes.map(|mut hashes| match hashes.len() {
                1 => Hashes::One(hashes.remove(0)),
                _ => Hashes::Many(hashes),
            }),
            in_bytes: inputs.iter().map(|input| input.bytes).sum(),
            store: store.to_owned(),
            overwritten: inputs.iter().all(|input| input.overwritten),
            closed_at: humantime::format_rfc3339_millis(last).to_string(),
            held_ms: milliseconds(held),
            build: build.to_owned(),
            kid: kid.to_owned(),
        })
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Makes receipts. It owns the key, which is overwritten when it is dropped.
pub struct Signer {
    /// In a place of its own, so that the key is not copied when its owner is moved.
    key: Box<SigningKey>,
    jwk: Jwk,
    build: String,
}

impl Signer {
    /// One with a key of its own, new and random; `build` is the hash of this program.
    ///
    /// # Errors
    /// A sentence, where the system has no random bytes.
    pub fn new(build: String) -> Result<Self, String> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed)
            .map_err(|e| format!("--receipts: the system gives no random bytes: {e}"))?;
        Ok(Self::from_seed(&seed, build))
    }

    fn from_seed(seed: &[u8; 32], build: String) -> Self {
        let key = Box::new(SigningKey::from_bytes(seed));
        let jwk = Jwk::new(&key.verifying_key());
        Self { key, jwk, build }
    }

    /// The public key.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The receipt for these inputs, or `None` where there was none.
    pub fn sign(&self, inputs: &[Ended], nonce: Option<&str>) -> Option<String> {
        let receipt = Receipt::of(inputs, nonce, &self.build, self.jwk.kid())?;
        let head = Head {
            alg: ALGORITHM.to_owned(),
            kid: self.jwk.kid().to_owned(),
            typ: KIND.to_owned(),
        };
        // Plain text and numbers: there is nothing in them that JSON cannot hold.
        let parts = (
            serde_json::to_vec(&head).ok()?,
            serde_json::to_vec(&receipt).ok()?,
        );
        Some(self.compact(&parts.0, &parts.1))
    }

    /// RFC 7515, section 7.1.
    fn compact(&self, head: &[u8], payload: &[u8]) -> String {
        let mut text = URL_SAFE_NO_PAD.encode(head);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut text);
        let signature: Signature = self.key.sign(text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut text);
        text
    }
}

/// Whether `text` can be a nonce: letters, digits, `-` and `_`, so that whatever a client sends, no
/// word or code of its own comes back.
pub fn is_nonce(text: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    (1..=MAX_NONCE).contains(&text.len()) && text.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    /// The key of RFC 8037, appendix A.1.
    const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

    fn signer() -> Signer {
        let seed = URL_SAFE_NO_PAD.decode(SEED).unwrap().try_into().unwrap();
        Signer::from_seed(&seed, "ab".repeat(32))
    }

    pub(super) fn ended(bytes: u64, sha256: Option<&str>) -> Ended {
        Ended {
            bytes,
            sha256: sha256.map(str::to_owned),
            in_memory: true,
            nameless: true,
            overwritten: true,
            closed_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            held: Duration::from_micros(12_345),
        }
    }

    /// RFC 8037, appendix A.4.
    #[test]
    fn the_signature_is_that_of_the_standard() {
        let text = signer().compact(br#"{"alg":"EdDSA"}"#, b"Example of Ed25519 signing");
        assert_eq!(
            text,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn several_inputs_are_one_statement_and_the_worst_of_them_counts() {
        let one = ended(5, Some("aa"));
        let mut other = ended(7, Some("bb"));
        other.overwritten = false;
        other.nameless = false;
        other.held = Duration::from_secs(2);
        let of = |inputs: &[Ended]| Receipt::of(inputs, None, "build", "kid");
        let receipt = of(&[one.clone(), other]).unwrap();
        assert_eq!((receipt.inputs, receipt.in_bytes), (2, 12));
        assert_eq!(receipt.in_sha256.unwrap().all(), ["aa", "bb"]);
        assert_eq!(receipt.store, "tmpfs/unlinked");
        assert!(!receipt.overwritten);
        assert_eq!(receipt.held_ms, 2000.0);
        let partly = of(&[one, ended(1, None)]).unwrap();
        assert_eq!(partly.in_sha256, None, "all hashes or none");
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_nonce_is_short_and_plain() {
        assert!(is_nonce(b"aZ09-_") && is_nonce(&[b'a'; MAX_NONCE]));
        for wrong in [
            &b""[..],
            &[b'a'; MAX_NONCE + 1],
            b"a b",
            b"a.b",
            b"\xc3\xa9",
        ] {
            assert!(!is_nonce(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn keys_are_never_the_same_twice() {
        let born = || Signer::new(String::new()).unwrap();
        assert_ne!(born().jwk().kid(), born().jwk().kid());
    }
}
