//! The check of a receipt: is it signed by this key, and does it say what it should.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::Signature;
use serde::Serialize;

use super::{ALGORITHM, Head, Jwk, KIND, Receipt, VERSION};

/// Bytes of a receipt at most; one with a dozen hashes has a tenth of it.
const MAX_LENGTH: usize = 16 << 10;
/// How far the clock of the service may be ahead of ours.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// What a receipt is held against, beside the key; `None` is not looked at.
#[derive(Debug, Default)]
pub struct Expected {
    /// The nonce that was sent.
    pub nonce: Option<String>,
    /// The inputs that were sent: size and SHA-256, in the order in which they were sent.
    pub inputs: Option<Vec<(u64, String)>>,
    /// How old it may be.
    pub max_age: Option<Duration>,
    /// The SHA-256 of the program that should have made it.
    pub build: Option<String>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub check: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What was found.
    pub found: String,
}

/// What was found about a receipt.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether all of it holds.
    pub valid: bool,
    /// What was looked at, in this order. Where the signature does not hold, nothing that is said
    /// below it is worth a look.
    pub checks: Vec<Check>,
    /// What the receipt says; only where its signature holds.
    pub receipt: Option<Receipt>,
}

/// Checks `text` against `key` and what was `expected`.
pub fn verify(text: &str, key: &Jwk, expected: &Expected) -> Report {
    let mut checks = Vec::new();
    let receipt = match signed(text, key) {
        Ok(receipt) => {
            let found = format!("signed by the key {}", key.kid());
            checks.push(holds("signature", found));
            content(&receipt, expected, &mut checks);
            Some(receipt)
        }
        Err((check, found)) => {
            checks.push(fails(check, found));
            None
        }
    };
    Report {
        valid: checks.iter().all(|check| check.holds),
        checks,
        receipt,
    }
}

fn holds(check: &'static str, found: impl Into<String>) -> Check {
    Check {
        check,
        holds: true,
        found: found.into(),
    }
}

fn fails(check: &'static str, found: impl Into<String>) -> Check {
    Check {
        holds: false,
        ..holds(check, found)
    }
}

/// The statement of a receipt, if the key has signed it; else which check fails, and why.
fn signed(text: &str, key: &Jwk) -> Result<Receipt, (&'static str, &'static str)> {
    let form = |why| ("form", why);
    if text.len() > MAX_LENGTH {
        return Err(form("it is far too long to be a receipt"));
    }
    let parts: Vec<&str> = text.split('.').collect();
    let &[head, payload, signature] = parts.as_slice() else {
        return Err(form(
            "a receipt has three parts between two dots (JWS, RFC 7515)",
        ));
    };
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let signature = decoded(signature).ok_or(form("its signature is not base64url"))?;
    let payload = decoded(payload).ok_or(form("what it says is not base64url"))?;
    let head = decoded(head).ok_or(form("its head is not base64url"))?;
    let names = serde_json::from_slice::<serde_json::Value>(&head).unwrap_or_default();
    // Before anything else: a receipt must not choose how it is checked (RFC 8725, section 3.1).
    if names["alg"] != ALGORITHM {
        return Err((
            "algorithm",
            "it is not signed with EdDSA, the one algorithm of receipts",
        ));
    }
    let head: Head = serde_json::from_value(names)
        .map_err(|_| form("its head has other members than alg, kid and typ"))?;
    if head.typ != KIND {
        return Err(form(
            "it is signed, but for another purpose than a receipt's",
        ));
    }
    if head.kid != key.kid() {
        return Err(("key", "it names another key than the one given"));
    }
    let wrong = (
        "signature",
        "the signature does not fit this key and these words",
    );
    let signature = Signature::from_slice(&signature).map_err(|_| wrong)?;
    let end = text.rfind('.').unwrap_or_default();
    key.key()
        .verify_strict(&text.as_bytes()[..end], &signature)
        .map_err(|_| wrong)?;
    let receipt: Receipt = serde_json::from_slice(&payload)
        .map_err(|_| form("it is signed, but says other things than a receipt of version 1"))?;
    if receipt.v != VERSION {
        return Err(form("it is signed, but is not of version 1"));
    }
    if receipt.kid != key.kid() {
        return Err((
            "key",
            "what it says names another key than the one that signed it",
        ));
    }
    Ok(receipt)
}

fn content(receipt: &Receipt, expected: &Expected, checks: &mut Vec<Check>) {
    checks.push(match receipt.overwritten {
        true => holds("overwritten", "every byte was overwritten, it says"),
        false => fails(
            "overwritten",
            "it says itself that not every byte was overwritten",
        ),
    });
    if let Some(nonce) = &expected.nonce {
        checks.push(match &receipt.nonce {
            Some(said) if said == nonce => holds("nonce", "the nonce is the one that was sent"),
            Some(_) => fails("nonce", "it was made for another nonce"),
            None => fails("nonce", "it was made for a request without a nonce"),
        });
    }
    if let Some(inputs) = &expected.inputs {
        checks.push(same_inputs(receipt, inputs));
    }
    if let Some(limit) = expected.max_age {
        checks.push(age(receipt, limit, SystemTime::now()));
    }
    if let Some(build) = &expected.build {
        checks.push(match receipt.build == *build {
            true => holds("build", "the program is the one that the service names"),
            false => fails(
                "build",
                "it was made by another program than the service names",
            ),
        });
    }
}

fn same_inputs(receipt: &Receipt, inputs: &[(u64, String)]) -> Check {
    let bytes: u64 = inputs.iter().map(|(bytes, _)| bytes).sum();
    let hashes = receipt.in_sha256.as_ref().map(super::Hashes::all);
    let same = |hashes: &[String]| hashes.iter().eq(inputs.iter().map(|(_, hash)| hash));
    match hashes {
        _ if (receipt.inputs, receipt.in_bytes) != (inputs.len(), bytes) => fails(
            "input",
            format!(
                "it speaks of {} of {} bytes; given {} of {bytes}",
                files(receipt.inputs),
                receipt.in_bytes,
                files(inputs.len()),
            ),
        ),
        Some(hashes) if same(hashes) => holds("input", "it speaks of the very bytes given"),
        Some(_) => fails("input", "it speaks of other bytes than those given"),
        None => fails(
            "input",
            "the size is the same, but it names no hash: nothing shows that it is of these bytes \
             (send Deletion-Receipt-Digest: sha-256)",
        ),
    }
}

fn files(number: usize) -> String {
    format!("{number} input{}", if number == 1 { "" } else { "s" })
}

fn age(receipt: &Receipt, limit: Duration, now: SystemTime) -> Check {
    let Ok(closed) = humantime::parse_rfc3339(&receipt.closed_at) else {
        return fails("age", "it does not say when");
    };
    match now.duration_since(closed) {
        Ok(age) if age <= limit => holds("age", format!("{:.0} s old", age.as_secs_f64())),
        Ok(age) => fails(
            "age",
            format!("{:.0} s old, where {limit:?} is allowed", age.as_secs_f64()),
        ),
        Err(ahead) if ahead.duration() <= CLOCK_SKEW => holds("age", "of this minute"),
        Err(_) => fails("age", "it is of a time to come"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::{Signer, tests::ended};

    fn made(nonce: Option<&str>) -> (String, Jwk) {
        let signer = Signer::new("cd".repeat(32)).unwrap();
        let text = signer.sign(&[ended(5, Some("aa"))], nonce).unwrap();
        (text, signer.jwk().clone())
    }

    fn failed(text: &str, key: &Jwk, expected: &Expected) -> Vec<&'static str> {
        let report = verify(text, key, expected);
        let failed = report.checks.iter().filter(|check| !check.holds);
        failed.map(|check| check.check).collect()
    }

    #[test]
    fn a_receipt_holds_against_what_it_was_made_for_and_nothing_else() {
        let (text, key) = made(Some("n1"));
        let right = Expected {
            nonce: Some("n1".into()),
            inputs: Some(vec![(5, "aa".into())]),
            max_age: None,
            build: Some("cd".repeat(32)),
        };
        assert!(verify(&text, &key, &right).valid);
        let wrong = Expected {
            nonce: Some("n2".into()),
            inputs: Some(vec![(5, "bb".into())]),
            max_age: Some(Duration::from_secs(1)),
            build: Some("ce".repeat(32)),
        };
        // The receipt's time is in the year 2027.
        assert_eq!(
            failed(&text, &key, &wrong),
            ["nonce", "input", "age", "build"]
        );
    }

    #[test]
    fn no_change_to_any_byte_goes_unnoticed() {
        let (text, key) = made(None);
        let none = Expected::default();
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(!verify(&changed, &key, &none).valid, "byte {at}");
        }
        for cut in 0..text.len() {
            assert!(!verify(&text[..cut], &key, &none).valid, "cut at {cut}");
        }
    }

    #[test]
    fn the_receipt_does_not_choose_its_algorithm() {
        let (text, key) = made(None);
        let rest = text.split_once('.').unwrap().1;
        for alg in ["none", "HS256", "ES256", "Ed448"] {
            let head = format!(r#"{{"alg":"{alg}","kid":"{}","typ":"{KIND}"}}"#, key.kid());
            let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(head));
            assert_eq!(failed(&forged, &key, &Expected::default()), ["algorithm"]);
        }
    }
}
