//! What the service says of itself, held against what it does: receipts, the transparency statement,
//! the privacy notice, the closed schemas, and the page of promises.

mod common;

#[path = "statements/privacy.rs"]
mod privacy;
#[path = "statements/promises.rs"]
mod promises;
#[path = "statements/receipts.rs"]
mod receipts;
#[path = "statements/schema.rs"]
mod schema;
#[path = "statements/transparency.rs"]
mod transparency;
#[path = "statements/verify.rs"]
mod verify;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::{Answer, PROGRAM, Ran, Server, http};
use serde_json::Value;

const CUT: &str = "/v1/remove-background";

/// The program with these arguments.
fn run(arguments: &[&str]) -> Ran {
    common::run(Command::new(PROGRAM).args(arguments), b"")
}

/// `POST path` of a raw picture with further headers.
fn post(server: &Server, path: &str, headers: &[(&str, &str)], picture: &[u8]) -> Answer {
    let all = [&[("Content-Type", "image/png")], headers].concat();
    http::request(server.address, "POST", path, &all, picture).expect("an answer")
}

/// A part of a receipt as JSON, read without any of the program's code.
fn part(receipt: &str, n: usize) -> Value {
    let part = receipt.split('.').nth(n).expect("three parts");
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// What the receipt of an answer says.
fn said(answer: &Answer) -> Value {
    part(answer.header("deletion-receipt").expect("a receipt"), 1)
}

fn sha256(bytes: &[u8]) -> String {
    let digest = <sha2::Sha256 as sha2::Digest>::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder that is not on a tmpfs, if this machine has one here.
fn on_disk() -> Option<&'static Path> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let found = rustix::fs::statfs(folder).ok()?;
    (found.f_type as i128 != 0x0102_1994).then_some(folder)
}

/// Whether there is a test `TARGET::FUNCTION`: in `tests/TARGET.rs` or one of the files in
/// `tests/TARGET/`.
fn is_test(name: &str) -> bool {
    let Some((target, function)) = name.split_once("::") else {
        return false;
    };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut files: Vec<PathBuf> = vec![tests.join(format!("{target}.rs"))];
    if let Ok(folder) = fs::read_dir(tests.join(target)) {
        files.extend(folder.map(|entry| entry.unwrap().path()));
    }
    let head = format!("fn {function}() {{");
    files.iter().any(|file| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        // The attribute stands above the function, maybe with another in between.
        let at = lines.iter().position(|line| *line == head);
        at.is_some_and(|at| lines[at.saturating_sub(3)..at].contains(&"#[test]"))
    })
}

#[test]
fn a_test_that_is_not_there_is_not_found() {
    assert!(is_test("statements::a_test_that_is_not_there_is_not_found"));
    assert!(is_test("api::every_error_code_is_reached_and_built_alike"));
    for wrong in [
        "statements::is_test",
        "statements::no_such_test",
        "nowhere::a_test_that_is_not_there_is_not_found",
        "a_test_that_is_not_there_is_not_found",
    ] {
        assert!(!is_test(wrong), "{wrong}");
    }
}
