//! The header `Deletion-Receipt`: that it is there, and that what it says is so.

use std::{
    fs,
    io::Write,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{CUT, on_disk, part, post, said, sha256};
use crate::common::{
    Form, Launch, PROGRAM, Server, folder,
    http::{self, CANARY},
    pictures, skip, spawn, tool,
};

const DIGEST: (&str, &str) = ("Deletion-Receipt-Digest", "sha-256");

fn with_receipts() -> Server {
    spawn(&["--workers=1", "--receipts"])
}

#[test]
fn a_receipt_speaks_of_the_input_that_was_sent() {
    let server = with_receipts();
    let picture = pictures::png(120, 90);
    let nonce = ("Deletion-Receipt-Nonce", "Abc-123_x");
    let key = server.get("/v1/transparency").json();
    for path in [CUT, "/v1/restore?steps=denoise", "/v1/inspect"] {
        let (before, start) = (SystemTime::now(), Instant::now());
        let answer = post(&server, path, &[nonce, DIGEST], &picture);
        let took = start.elapsed().as_secs_f64() * 1e3;
        assert_eq!(answer.status, 200, "{path}");
        let receipt = answer.header("deletion-receipt").unwrap();
        let kid = &key["receipt_key"]["kid"];
        let head = json!({"alg": "EdDSA", "kid": kid, "typ": "deletion-receipt"});
        assert_eq!(part(receipt, 0), head, "{path}");
        let said = said(&answer);
        let mut members: Vec<_> = said.as_object().unwrap().keys().collect();
        members.sort();
        let known = [
            "build",
            "closed_at",
            "held_ms",
            "in_bytes",
            "in_sha256",
            "inputs",
            "kid",
            "nonce",
            "overwritten",
            "store",
            "v",
        ];
        assert_eq!(members, known, "{path}");
        assert_eq!(said["v"], 1);
        assert_eq!(said["nonce"], nonce.1);
        assert_eq!(said["inputs"], 1);
        assert_eq!(said["in_bytes"], picture.len());
        assert_eq!(said["in_sha256"], sha256(&picture));
        assert_eq!(said["overwritten"], true);
        assert_eq!(said["kid"], *kid);
        assert_eq!(said["build"], key["build"]["sha256"]);
        let held = said["held_ms"].as_f64().unwrap();
        assert!(held > 0.0 && held <= took, "{path}: {held} of {took}");
        let closed = humantime::parse_rfc3339(said["closed_at"].as_str().unwrap()).unwrap();
        let milli = Duration::from_millis(1);
        assert!(before - milli <= closed && closed <= SystemTime::now() + milli);
    }
    server.assert_books_balance();
}

/// Ed25519 by another program than ours (RFC 8410: how it reads a key).
#[test]
fn the_signature_holds_for_openssl() {
    let Some(openssl) = tool(&["openssl"]) else {
        return skip("receipts checked by another program", "openssl");
    };
    let server = with_receipts();
    let answer = server.post(CUT, "image/png", &pictures::png(64, 48));
    let receipt = answer.header("deletion-receipt").unwrap();
    let (signed, signature) = receipt.rsplit_once('.').unwrap();
    let key = server.get("/v1/transparency").json();
    let x = URL_SAFE_NO_PAD
        .decode(key["receipt_key"]["x"].as_str().unwrap())
        .unwrap();
    let head = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    let files = folder("openssl");
    fs::write(files.join("key"), [&head[..], &x].concat()).unwrap();
    fs::write(
        files.join("signature"),
        URL_SAFE_NO_PAD.decode(signature).unwrap(),
    )
    .unwrap();
    let holds = |text: &str| {
        fs::write(files.join("signed"), text).unwrap();
        let ran = Command::new(&openssl)
            .args([
                "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key",
            ])
            .args(["-rawin", "-in", "signed", "-sigfile", "signature"])
            .current_dir(&files)
            .output()
            .unwrap();
        ran.status.success()
    };
    assert!(holds(signed));
    assert!(!holds(&signed.replacen('e', "f", 1)));
    let _ = fs::remove_dir_all(files);
}

#[test]
fn a_receipt_covers_every_input_of_the_request() {
    let server = with_receipts();
    let (picture, ground) = (pictures::jpeg(120, 90), pictures::png(60, 60));
    let form = || Form::of(&picture).file("background_file", "ground", &ground);
    let (mime, body) = form().finish();
    let headers = [("Content-Type", mime.as_str()), DIGEST];
    let answer = http::request(server.address, "POST", CUT, &headers, &body).unwrap();
    assert_eq!(answer.status, 200);
    let two = said(&answer);
    assert_eq!(two["inputs"], 2);
    assert_eq!(two["in_bytes"], picture.len() + ground.len());
    assert_eq!(two["in_sha256"], json!([sha256(&picture), sha256(&ground)]));
    // An empty part, which a browser sends for a field that nobody filled, is no input.
    let empty = Form::of(&picture).file("background_file", "", b"");
    let one = said(&server.form(CUT, empty));
    assert_eq!(
        (&one["inputs"], &one["in_bytes"]),
        (&json!(1), &json!(picture.len()))
    );
}

/// The time is that of the input's file, which is open while the client is slow.
#[test]
fn a_slow_upload_was_held_for_long() {
    let server = with_receipts();
    let picture = pictures::png(120, 90);
    let (first, rest) = picture.split_at(picture.len() / 2);
    let mut stream = http::begin(server.address, CUT, "image/png", picture.len(), first);
    server.wait_until(Duration::from_secs(10), "the upload has begun", |m| {
        m["safelight_inputs_live"] == 1.0
    });
    thread::sleep(Duration::from_millis(600));
    stream.write_all(rest).unwrap();
    let answer = http::read(&mut stream).unwrap();
    assert_eq!(answer.status, 200);
    let held = said(&answer)["held_ms"].as_f64().unwrap();
    assert!(held >= 600.0, "{held}");
}

#[test]
fn the_store_is_the_one_that_is_used() {
    let picture = pictures::png(64, 48);
    if cfg!(target_os = "linux") {
        let server = with_receipts();
        let store = said(&server.post(CUT, "image/png", &picture))["store"].clone();
        assert_eq!(store, "tmpfs/O_TMPFILE");
    }
    let Some(disk) = on_disk() else {
        return skip("a receipt of a spool on a disk", "a folder on a disk");
    };
    let spool = disk.join(format!("receipts-{}", std::process::id()));
    fs::create_dir_all(&spool).unwrap();
    let launch = Launch {
        spool: Some(&spool),
        flags: &["--workers=1", "--receipts"],
        ..Launch::default()
    };
    let server = launch.start();
    let store = said(&server.post(CUT, "image/png", &picture))["store"].clone();
    assert!(store.as_str().unwrap().starts_with("not-tmpfs/"), "{store}");
}

#[test]
fn a_refused_picture_gets_a_receipt_too() {
    let server = with_receipts();
    let broken = &pictures::png(300, 200)[..200];
    for (path, body, code, hashed) in [
        (CUT, broken, "broken_picture", true),
        (CUT, b"no picture at all", "unknown_format", true),
        ("/v1/inspect", b"no picture at all", "unknown_format", true),
    ] {
        let answer = post(&server, path, &[DIGEST], body);
        assert_eq!(answer.code(), code);
        let said = said(&answer);
        assert_eq!(
            (&said["inputs"], &said["in_bytes"]),
            (&json!(1), &json!(body.len()))
        );
        assert_eq!(said["overwritten"], true);
        assert_eq!(said["in_sha256"] == sha256(body), hashed, "{code}");
    }
    // A wrong option in the form is found after the picture has come; it is not looked at.
    let picture = pictures::png(64, 48);
    let (mime, body) = Form::of(&picture).text("feather", "much").finish();
    let headers = [("Content-Type", mime.as_str()), DIGEST];
    let answer = http::request(server.address, "POST", CUT, &headers, &body).unwrap();
    assert_eq!(answer.code(), "bad_value");
    let option = said(&answer);
    assert_eq!(option["in_bytes"], picture.len());
    assert_eq!(option.get("in_sha256"), None);
    // Where nothing was received, there is nothing to speak of.
    let unread = post(&server, &format!("{CUT}?feather=much"), &[], &picture);
    assert_eq!(unread.code(), "bad_value");
    assert_eq!(unread.header("deletion-receipt"), None);
    assert_eq!(server.get("/v1/models").header("deletion-receipt"), None);
    server.assert_books_balance();
}

#[test]
fn hashes_are_made_only_where_they_are_asked_for() {
    let server = with_receipts();
    let picture = pictures::png(64, 48);
    let plain = said(&post(&server, CUT, &[], &picture));
    assert_eq!(plain.get("in_sha256"), None);
    assert_eq!(plain.get("nonce"), None);
    let asked = said(&post(
        &server,
        CUT,
        &[("Deletion-Receipt-Digest", "SHA-256")],
        &picture,
    ));
    assert_eq!(asked["in_sha256"], sha256(&picture));
}

#[test]
fn a_wrong_wish_is_refused_before_the_body_is_read() {
    let server = with_receipts();
    let picture = pictures::png(64, 48);
    let long = "a".repeat(65);
    let canary = format!("{CANARY}!");
    let wrong = [
        ("Deletion-Receipt-Nonce", ""),
        ("Deletion-Receipt-Nonce", "a b"),
        ("Deletion-Receipt-Nonce", "a.b"),
        ("Deletion-Receipt-Nonce", "<b>"),
        ("Deletion-Receipt-Nonce", "\u{e9}"),
        ("Deletion-Receipt-Nonce", &long),
        ("Deletion-Receipt-Nonce", &canary),
        ("Deletion-Receipt-Digest", "md5"),
        ("Deletion-Receipt-Digest", ""),
        ("Deletion-Receipt-Digest", &canary),
    ];
    for path in [CUT, "/v1/restore", "/v1/inspect"] {
        for header in wrong {
            let answer = post(&server, path, &[header], &picture);
            answer.assert_problem(&format!("{header:?}"), 400, "bad_value");
            assert_eq!(answer.header("deletion-receipt"), None, "{header:?}");
        }
        let twice = [
            ("Deletion-Receipt-Nonce", "a"),
            ("Deletion-Receipt-Nonce", "b"),
        ];
        let answer = post(&server, path, &twice, &picture);
        answer.assert_problem("two nonces", 400, "bad_value");
    }
    assert_eq!(server.metric("safelight_inputs_opened_total"), 0.0);
    let longest = "a".repeat(64);
    let answer = post(
        &server,
        CUT,
        &[("Deletion-Receipt-Nonce", &longest)],
        &picture,
    );
    assert_eq!(said(&answer)["nonce"], longest);
}

#[test]
fn a_nonce_comes_back_and_nothing_else_does() {
    let server = with_receipts();
    let nonce = "zq7nonce-of-the-client";
    let picture = pictures::png(64, 48);
    let headers = [
        ("Deletion-Receipt-Nonce", nonce),
        DIGEST,
        ("Deletion-Receipt", CANARY),
        ("User-Agent", CANARY),
        ("Authorization", CANARY),
        ("X-Request-Id", CANARY),
    ];
    let mut receipts = Vec::new();
    for (path, status) in [
        (CUT, 200),
        ("/v1/inspect", 200),
        ("/v1/restore?strength=9", 400),
    ] {
        let answer = post(&server, path, &headers, &picture);
        assert_eq!(answer.status, status);
        for (name, value) in &answer.headers {
            assert!(!value.contains(nonce) && !value.contains(CANARY), "{name}");
        }
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!body.contains(nonce) && !body.contains(CANARY), "{path}");
        if let Some(receipt) = answer.header("deletion-receipt") {
            assert!(!part(receipt, 0).to_string().contains(CANARY));
            let said = part(receipt, 1).to_string();
            assert!(said.contains(nonce) && !said.contains(CANARY), "{said}");
            receipts.push(receipt.to_owned());
        }
    }
    assert_eq!(receipts.len(), 2);
    server.assert_books_balance();
    let key = server.get("/v1/transparency").json();
    let hash = sha256(&picture);
    let mut traces = vec![nonce, &hash, key["receipt_key"]["kid"].as_str().unwrap()];
    traces.extend(
        receipts
            .iter()
            .map(|receipt| receipt.rsplit('.').next().unwrap()),
    );
    let metrics = http::request(server.metrics, "GET", "/metrics", &[], b"").unwrap();
    let seen = server.log().join("\n") + &String::from_utf8(metrics.body).unwrap();
    assert!(
        seen.contains("\"event\":\"request\""),
        "the log was written"
    );
    for trace in traces {
        assert!(
            !seen.contains(trace),
            "{trace} is in a log line or a metric"
        );
    }
    let others = [
        "/v1/transparency",
        "/v1/privacy",
        "/v1/models",
        "/openapi.json",
    ];
    for path in others {
        let body = String::from_utf8(server.get(path).body).unwrap();
        assert!(!body.contains(nonce) && !body.contains(&hash), "{path}");
    }
}

#[test]
fn without_the_setting_there_is_no_receipt() {
    let server = spawn(&["--workers=1"]);
    let wishes = [
        ("Deletion-Receipt-Nonce", "not a nonce"),
        ("Deletion-Receipt-Digest", "md5"),
    ];
    let answer = post(&server, CUT, &wishes, &pictures::png(64, 48));
    assert_eq!(
        answer.status, 200,
        "headers of no meaning here are not looked at"
    );
    assert_eq!(answer.header("deletion-receipt"), None);
    let statement = server.get("/v1/transparency").json();
    assert_eq!(statement["receipt_key"], json!(null));
    assert_eq!(statement["modes"]["receipts"], false);
}

#[test]
fn a_variable_switches_receipts_on_and_a_flag_off_again() {
    let modes = |flags: &[&str], value| {
        let variables = [("SAFELIGHT_RECEIPTS", value)];
        let server = Server::start_with(Path::new(PROGRAM), flags, &variables);
        server.get("/v1/transparency").json()["modes"]["receipts"].clone()
    };
    assert_eq!(modes(&["--workers=1"], "1"), true);
    assert_eq!(modes(&["--workers=1"], "false"), false);
    assert_eq!(modes(&["--workers=1", "--receipts=false"], "true"), false);
}

#[test]
fn the_key_is_new_with_each_start() {
    let kid = || with_receipts().get("/v1/transparency").json()["receipt_key"]["kid"].clone();
    let (first, second) = (kid(), kid());
    assert!(first.is_string() && first != second, "{first}");
}
