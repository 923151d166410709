//! `safelight receipt verify`, through the built program, with the service already gone.

use std::{fs, path::PathBuf, process::Command};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{CUT, part, run};
use crate::common::{self, Form, PROGRAM, Ran, folder, http, pictures, spawn};

/// A receipt with all that belongs to it, in files.
struct Case {
    files: PathBuf,
    receipt: String,
    statement: Value,
}

impl Case {
    fn new() -> Self {
        let server = spawn(&["--workers=1", "--receipts"]);
        let (picture, ground) = (pictures::jpeg(90, 60), pictures::png(40, 40));
        let (mime, body) = Form::of(&picture)
            .file("background_file", "ground", &ground)
            .finish();
        let headers = [
            ("Content-Type", mime.as_str()),
            ("Deletion-Receipt-Nonce", "nonce-1"),
            ("Deletion-Receipt-Digest", "sha-256"),
        ];
        let answer = http::request(server.address, "POST", CUT, &headers, &body).unwrap();
        let receipt = answer.header("deletion-receipt").unwrap().to_owned();
        let statement = server.get("/v1/transparency").json();
        let case = Self {
            files: folder("verify"),
            receipt,
            statement,
        };
        let head: String = answer
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        case.write("head.txt", &format!("HTTP/1.1 200 OK\r\n{head}\r\n"));
        case.write("receipt.txt", &format!("{}\n", case.receipt));
        case.write("statement.json", &case.statement.to_string());
        case.write("key.json", &case.statement["receipt_key"].to_string());
        fs::write(case.files.join("picture.jpg"), picture).unwrap();
        fs::write(case.files.join("ground.png"), ground).unwrap();
        case
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.files.join(name), text).unwrap();
    }

    /// `receipt verify` with these words, in the folder of the files.
    fn verify(&self, words: &[&str], input: &str) -> Ran {
        let mut command = Command::new(PROGRAM);
        command
            .args(["receipt", "verify"])
            .args(words)
            .current_dir(&self.files);
        common::run(&mut command, input.as_bytes())
    }

    fn fails(&self, words: &[&str], receipt: &str, line: &str) {
        let ran = self.verify(words, receipt);
        let text = ran.text();
        assert_eq!(ran.code, Some(1), "{words:?}: {text}{}", ran.stderr);
        let found = text
            .lines()
            .any(|l| l.starts_with("FAIL ") && l.contains(line));
        assert!(found, "{words:?}: no {line:?} in\n{text}");
        assert!(ran.stderr.contains("does not hold"), "{}", ran.stderr);
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.files);
    }
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[test]
fn a_receipt_is_verified_with_nothing_but_files() {
    let case = Case::new();
    let key = ["--key", "key.json"];
    let statement = ["--transparency", "statement.json"];
    let (first, second) = (case.receipt.as_str(), "");
    for (words, input) in [
        (vec![first], second),
        (vec!["-"], first),
        (vec![], first),
        (vec!["--file", "receipt.txt"], second),
        (vec!["--file", "head.txt"], second),
        (vec!["--nonce", "nonce-1"], first),
        (vec!["--max-age", "10m"], first),
        (
            vec!["--input", "picture.jpg", "--input", "ground.png"],
            first,
        ),
    ] {
        for with in [key, statement] {
            let ran = case.verify(&[words.as_slice(), &with].concat(), input);
            let text = ran.text();
            assert_eq!(ran.code, Some(0), "{words:?}: {text}{}", ran.stderr);
            assert!(text.contains("ok   signature: "), "{text}");
            assert!(!text.contains("FAIL"), "{text}");
            assert!(
                text.contains("is all it shows"),
                "it says what it does not show: {text}"
            );
            assert_eq!(text.contains("ok   build: "), with == statement, "{text}");
        }
    }
    let ran = case.verify(
        &[first, "--key", "key.json", "--nonce", "nonce-1", "--json"],
        "",
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(report["valid"], true);
    assert_eq!(report["receipt"], part(first, 1));
    let checks: Vec<_> = report["checks"].as_array().unwrap().iter().collect();
    assert!(checks.iter().all(|check| check["holds"] == true));
    assert_eq!(checks.len(), 3, "signature, overwritten, nonce");
}

#[test]
fn every_change_is_found() {
    let case = Case::new();
    let key = ["--key", "key.json"];
    let parts: Vec<_> = case.receipt.split('.').collect();
    let changed = |n: usize, member: &str, value: Value| {
        let mut json = part(&case.receipt, n);
        json[member] = value;
        let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        parts[n] = encoded(&json);
        parts.join(".")
    };
    for (member, value) in [
        ("in_bytes", json!(1)),
        ("overwritten", json!(false)),
        ("nonce", json!("other")),
        ("held_ms", json!(0.1)),
        ("extra", json!(1)),
    ] {
        case.fails(&key, &changed(1, member, value), "signature does not fit");
    }
    let none = json!({"alg": "none"});
    for head in [
        encoded(&none),
        changed(0, "alg", json!("none"))
            .split('.')
            .next()
            .unwrap()
            .into(),
    ] {
        for signature in ["", parts[2]] {
            case.fails(
                &key,
                &format!("{head}.{}.{signature}", parts[1]),
                "not signed with EdDSA",
            );
        }
    }
    case.fails(
        &key,
        &changed(0, "alg", json!("HS256")),
        "not signed with EdDSA",
    );
    case.fails(
        &key,
        &changed(0, "crit", json!(["b64"])),
        "its head has other members",
    );
    case.fails(&key, &changed(0, "kid", json!("x")), "another key");
    case.fails(
        &key,
        &format!("{}.{}.", parts[0], parts[1]),
        "signature does not fit",
    );
    for garbage in [
        "",
        "garbage",
        "a.b",
        "a.b.c.d",
        "...",
        "\u{1f3de}.\u{1f3de}.\u{1f3de}",
    ] {
        case.fails(&key, garbage, "form: ");
    }
    case.fails(&key, &"a".repeat(100_000), "far too long");
    let ran = common::run(
        Command::new(PROGRAM)
            .args(["receipt", "verify", "--key", "key.json"])
            .current_dir(&case.files),
        &[0xff, 0xfe, 0x00],
    );
    assert_eq!(ran.code, Some(1), "bytes that are no text: {}", ran.stderr);

    // A key that never signed it: that of RFC 8037, appendix A.2.
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    case.write(
        "other.json",
        &json!({"kty": "OKP", "crv": "Ed25519", "x": x}).to_string(),
    );
    case.fails(&["--key", "other.json"], &case.receipt, "another key");
    // The same, with a name that lies: the name is computed from the key.
    let lies =
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": part(&case.receipt, 0)["kid"]});
    case.write("lies.json", &lies.to_string());
    case.fails(&["--key", "lies.json"], &case.receipt, "another key");

    let with = |more: &[&str], line: &str| {
        case.fails(&[key.as_slice(), more].concat(), &case.receipt, line);
    };
    with(&["--nonce", "nonce-2"], "another nonce");
    with(&["--max-age", "1ms"], "is allowed");
    with(&["--input", "picture.jpg"], "2 inputs of");
    with(
        &["--input", "ground.png", "--input", "picture.jpg"],
        "other bytes",
    );
    let mut picture = fs::read(case.files.join("picture.jpg")).unwrap();
    let last = picture.len() - 1;
    picture[last] ^= 1;
    fs::write(case.files.join("changed.jpg"), picture).unwrap();
    with(
        &["--input", "changed.jpg", "--input", "ground.png"],
        "other bytes",
    );
    let mut statement = case.statement.clone();
    statement["build"]["sha256"] = json!("00".repeat(32));
    case.write("build.json", &statement.to_string());
    case.fails(
        &["--transparency", "build.json"],
        &case.receipt,
        "another program",
    );

    let ran = case.verify(
        &["--key", "key.json", "--nonce", "x", "--json"],
        &case.receipt,
    );
    assert_eq!(ran.code, Some(1));
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(report["valid"], false);
    let ran = case.verify(&["--key", "key.json", "--json"], "garbage");
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(
        (&report["valid"], &report["receipt"]),
        (&json!(false), &json!(null))
    );
}

#[test]
fn what_cannot_be_checked_is_2() {
    let case = Case::new();
    let receipt = case.receipt.as_str();
    let mut without = case.statement.clone();
    without["receipt_key"] = json!(null);
    case.write("without.json", &without.to_string());
    case.write("rsa.json", r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#);
    case.write("short.json", r#"{"kty":"OKP","crv":"Ed25519","x":"AQAB"}"#);
    case.write("text.json", "not JSON");
    for (words, line) in [
        (vec![receipt], "--key"),
        (
            vec![receipt, "--key", "missing.json"],
            "missing.json cannot be read",
        ),
        (vec![receipt, "--key", "text.json"], "text.json is not JSON"),
        (vec![receipt, "--key", "rsa.json"], "rsa.json"),
        (vec![receipt, "--key", "short.json"], "no public key"),
        (vec![receipt, "--key", "statement.json"], "statement.json"),
        (
            vec![receipt, "--transparency", "without.json"],
            "names no receipt key",
        ),
        (
            vec![receipt, "--transparency", "key.json"],
            "names no receipt key",
        ),
        (
            vec![
                receipt,
                "--key",
                "key.json",
                "--transparency",
                "statement.json",
            ],
            "cannot be used",
        ),
        (
            vec![receipt, "--file", "receipt.txt", "--key", "key.json"],
            "cannot be used",
        ),
        (
            vec!["--file", "missing.txt", "--key", "key.json"],
            "missing.txt cannot be read",
        ),
        (
            vec![receipt, "--key", "key.json", "--input", "missing.jpg"],
            "missing.jpg",
        ),
        (
            vec![receipt, "--key", "key.json", "--max-age", "soon"],
            "a time such as",
        ),
    ] {
        let ran = case.verify(&words, "");
        assert_eq!(ran.code, Some(2), "{words:?}: {}{}", ran.text(), ran.stderr);
        assert!(ran.stderr.contains(line), "{words:?}: {}", ran.stderr);
    }
    assert_eq!(run(&["receipt"]).code, Some(2));
}
