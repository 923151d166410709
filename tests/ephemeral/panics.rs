//! E7: code panics, and only the request that met it fails.
//!
//! The test build panics where it is told to: in the upload, the probe, the decoder, the operation,
//! the inference, the encoder, the head of the answer and its body.

use std::{fs, io::Write};

use crate::{
    BACKGROUND, LONG,
    common::{
        Answer, Form, PROGRAM,
        faults::{Failing, Tmpfs, alone, deleted, hooks, value},
        http, skip,
    },
    noise,
};

/// Each place, with the answer to a request that panics there, and whether its input was alive.
const PLACES: [(&str, u16, &str, bool); 7] = [
    ("upload", 500, "internal", true),
    ("probe", 500, "internal", true),
    ("decode", 422, "broken_picture", true),
    ("operation", 500, "internal", false),
    ("inference", 500, "internal", false),
    ("encode", 500, "internal", false),
    ("response", 500, "internal", false),
];

const RESTORE: &str = "/v1/restore?steps=denoise";

#[test]
fn a_panic_anywhere_ends_its_own_request_and_nothing_else() {
    const ROUNDS: usize = 105;
    let _alone = alone();
    let tmpfs = Tmpfs::mount("panics", 32);
    let spool = tmpfs.as_ref().map(|spool| spool.folder.as_path());
    let Some(failing) = Failing::start(&["--workers", "2"], spool) else {
        return skip("E7", "SAFELIGHT_TEST_HOOKS_BIN (HOOKS=1)");
    };
    let server = &failing.server;
    let baseline = tmpfs.as_ref().map(Tmpfs::used);
    let (good, other) = (noise(96, 1), noise(200, 2));
    let whole = server.post(BACKGROUND, "image/png", &good);
    assert_eq!(whole.status, 200);
    let (mut panics, mut alive) = (0.0, 0.0);
    for round in 0..ROUNDS {
        let (place, status, code, holds) = PLACES[round % PLACES.len()];
        let path = [BACKGROUND, RESTORE][round / PLACES.len() % 2];
        // Somebody else is in the middle of an upload.
        let mut beside = http::begin(server.address, BACKGROUND, "image/png", other.len(), b"");
        server.wait_until(LONG, "the other upload has begun", |m| {
            value(m, "inputs_live") == 1.0
        });
        failing.arm(place);
        let answer = match round % 2 {
            0 => server.post(path, "image/png", &good),
            _ => server.form(path, Form::of(&good)),
        };
        failing.disarm();
        says_nothing(place, &answer, status, code);
        panics += 1.0;
        alive += f64::from(u8::from(holds));
        beside.write_all(&other).unwrap();
        let beside = http::read(&mut beside).expect("an answer");
        assert_eq!(
            beside.status, 200,
            "round {round}: beside a panic in {place}"
        );
        let after = server.post(BACKGROUND, "image/png", &good);
        assert!(
            after.body == whole.body,
            "round {round}: after a panic in {place}"
        );
    }
    // The head of the answer has been sent: all that is left is to break off.
    for _ in 0..5 {
        failing.arm("body");
        let headers = [("Content-Type", "image/png")];
        let broken = http::request(server.address, "POST", BACKGROUND, &headers, &good);
        failing.disarm();
        assert!(broken.is_err(), "it is no whole answer: {broken:?}");
        panics += 1.0;
        assert_eq!(server.post(BACKGROUND, "image/png", &good).status, 200);
    }
    // A route that decodes nothing.
    failing.arm("probe");
    let answer = server.post("/v1/inspect", "image/png", &good);
    failing.disarm();
    says_nothing("inspect", &answer, 500, "internal");
    (panics, alive) = (panics + 1.0, alive + 1.0);

    server.assert_books_balance();
    let metrics = server.metrics();
    assert_eq!(value(&metrics, "panics_total"), panics);
    assert_eq!(
        deleted(&metrics, "panic"),
        alive,
        "each input that was alive went with its panic"
    );
    assert_eq!(deleted(&metrics, "disconnect"), 0.0);
    assert_eq!(value(&metrics, "in_flight"), 0.0);
    let failed: f64 = metrics
        .iter()
        .filter(|(name, _)| name.contains("requests_total{") && name.contains("\"server_error\""))
        .map(|(_, value)| value)
        .sum();
    let decoder = (ROUNDS / PLACES.len()) as f64;
    assert_eq!(
        failed,
        panics - decoder,
        "but for those of a decoder, which are the picture's fault"
    );
    assert_eq!(
        tmpfs.as_ref().map(Tmpfs::used),
        baseline,
        "0 bytes are left"
    );
    let lines = server.log();
    let told = lines
        .iter()
        .filter(|line| line.contains("\"event\":\"panic\""))
        .count();
    assert_eq!(told as f64, panics);
    assert_eq!(server.get("/readyz").status, 200);
    println!(
        "{panics} panics in {} places: only their own requests failed",
        PLACES.len() + 1
    );
}

/// It is an error like others, and does not say what has happened.
fn says_nothing(place: &str, answer: &Answer, status: u16, code: &str) {
    answer.assert_problem(place, status, code);
    if status == 500 {
        assert_eq!(answer.json()["detail"], "The service failed; try again.");
    }
    let text = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    for word in ["panic", "failpoint", "src/", ".rs"] {
        assert!(!text.contains(word), "{place}: {text}");
    }
}

#[test]
fn the_plain_program_has_no_failpoints() {
    const NAMES: [&str; 4] = [
        "SAFELIGHT_TEST_FAULTS",
        "SAFELIGHT_TEST_MACHINE",
        "armed failpoint",
        "safelight_test",
    ];
    let holds = |program: &[u8], name: &str| {
        program
            .windows(name.len())
            .any(|window| window.eq_ignore_ascii_case(name.as_bytes()))
    };
    let plain = fs::read(PROGRAM).unwrap();
    for name in NAMES {
        assert!(!holds(&plain, name), "{name}");
    }
    // The control: in the test build they are found.
    match hooks() {
        None => skip(
            "the control of the failpoints' names",
            "SAFELIGHT_TEST_HOOKS_BIN (HOOKS=1)",
        ),
        Some(program) => {
            let program = fs::read(program).unwrap();
            for name in NAMES {
                assert!(
                    holds(&program, name),
                    "{name} is not even in the test build"
                );
            }
        }
    }
}
