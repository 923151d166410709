//! Receipts for deleted inputs, where the service sends them.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::{
    files,
    report::Finding,
    session::{CUT, Session},
    wire::Request,
};
use crate::{
    codec::Encoded,
    digest,
    receipt::{self, Expected, Jwk},
};

/// How old a receipt may be that was asked for just now.
const FRESH: Duration = Duration::from_secs(300);

/// E17: a receipt belongs to this upload and verifies with the key that the service shows.
pub(super) fn verify(session: &Session) -> Finding {
    let mut finding = Finding::new(
        "receipts",
        "E17",
        "A receipt for a deleted input verifies with the key that the service shows",
    );
    let picture = files::plain(Encoded::Png, 9);
    // What is refused is gone as well.
    let half = &picture[..picture.len() / 2];
    for (what, bytes) in [("a picture", picture.as_slice()), ("half a picture", half)] {
        if let Err(why) = checked(session, what, bytes, &mut finding) {
            finding.unseen(why);
            break;
        }
    }
    finding.tried(
        "the receipts for a picture and for half of one: signature, nonce, size, hash, age, program",
    )
}

/// Sends a picture and looks at its receipt.
fn checked(
    session: &Session,
    what: &str,
    picture: &[u8],
    finding: &mut Finding,
) -> Result<(), String> {
    let nonce = Uuid::new_v4().simple().to_string();
    let answer = session.send(Request {
        method: "POST",
        path: CUT,
        headers: vec![
            ("Content-Type", "image/png"),
            ("Deletion-Receipt-Nonce", &nonce),
            ("Deletion-Receipt-Digest", "sha-256"),
        ],
        body: picture,
    })?;
    let Some(text) = answer.header("deletion-receipt") else {
        return Err("not offered (the service sends some with --receipts)".to_owned());
    };
    let statement = session.get("/v1/transparency")?;
    let statement: Value = serde_json::from_slice(&statement.body).unwrap_or_default();
    let key = match Jwk::parse(&statement["receipt_key"]) {
        Ok(key) => key,
        Err(why) => {
            finding.object(format!("/v1/transparency shows no key: {why}"));
            return Ok(());
        }
    };
    let expected = Expected {
        nonce: Some(nonce),
        inputs: Some(vec![(picture.len() as u64, digest::of(picture))]),
        max_age: Some(FRESH),
        build: statement["build"]["sha256"].as_str().map(str::to_owned),
    };
    let report = receipt::verify(text, &key, &expected);
    for check in report.checks.iter().filter(|check| !check.holds) {
        finding.object(format!("{what}: {}: {}", check.check, check.found));
    }
    Ok(())
}
