//! E6: the client goes, by FIN and by RST, in each phase of its request.

use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

use crate::{
    BACKGROUND, LONG, RESTORE, SOON, begin,
    common::{
        Form,
        faults::{Cut, Failing, alone, deleted, narrow, value},
        http, skip, spawn,
    },
    noise,
};

/// E6: in the head and in the upload.
#[test]
fn an_input_goes_with_a_client_that_goes_while_it_sends() {
    let _alone = alone();
    let server = spawn(&[]);
    let picture = noise(600, 3);
    let (mime, form) = Form::of(&picture).finish();
    for cut in Cut::BOTH {
        let mut stream = http::connect(server.address).unwrap();
        stream
            .write_all(b"POST /v1/restore HTTP/1.1\r\nHost: te")
            .unwrap();
        thread::sleep(Duration::from_millis(50));
        drop(cut.cut(stream));
        for (mime, body) in [("image/png", &picture), (mime.as_str(), &form)] {
            let before = server.metrics();
            let half = &body[..body.len() / 2];
            let stream = http::begin(server.address, BACKGROUND, mime, body.len(), half);
            server.wait_until(LONG, "the input is there", |m| {
                value(m, "inputs_live") == 1.0
            });
            thread::sleep(Duration::from_millis(50));
            let kept = cut.cut(stream);
            server.wait_until(SOON, "the input is gone", |m| {
                value(m, "inputs_live") == 0.0
                    && value(m, "in_flight") == 0.0
                    && deleted(m, "disconnect") == deleted(&before, "disconnect") + 1.0
            });
            drop(kept);
        }
    }
    let gone = r#"requests_total{operation="remove-background",outcome="client_gone"}"#;
    assert_eq!(value(&server.metrics(), gone), 4.0);
    server.assert_books_balance();
}

/// E6: in the queue and in the inference.
#[test]
fn an_input_goes_with_a_client_that_goes_while_it_waits() {
    let _alone = alone();
    let server = spawn(&["--workers", "1"]);
    let (large, small) = (noise(1400, 4), noise(300, 5));
    for cut in Cut::BOTH {
        let busy = begin(&server, RESTORE, &large);
        server.wait_until(LONG, "the worker is busy, its input gone", |m| {
            value(m, "leases_live") == 1.0 && value(m, "inputs_live") == 0.0
        });
        let waiting = begin(&server, BACKGROUND, &small);
        server.wait_until(LONG, "another waits", |m| {
            value(m, "queue_depth") == 1.0 && value(m, "inputs_live") == 1.0
        });
        let before = server.metrics();
        let kept = cut.cut(waiting);
        server.wait_until(SOON, "it has left the queue", |m| {
            value(m, "queue_depth") == 0.0
                && value(m, "inputs_live") == 0.0
                && deleted(m, "disconnect") == deleted(&before, "disconnect") + 1.0
        });
        assert_eq!(
            server.metric("safelight_leases_live"),
            1.0,
            "the other one goes on"
        );
        drop(kept);
        let tiles = r#"inference_duration_seconds_count{model="restore"}"#;
        let kept = cut.cut(busy);
        let at_cut = value(&server.metrics(), tiles);
        server.wait_until(LONG, "the job has stopped", |m| {
            value(m, "leases_live") == 0.0
        });
        let more = value(&server.metrics(), tiles) - at_cut;
        assert!(
            more <= 2.0,
            "{cut:?}: it stops at the next tile, not after {more}"
        );
        drop(kept);
    }
    server.assert_books_balance();
}

/// E6: in the download; a client that does not read holds no input, and not its answer for long.
#[test]
fn a_client_that_does_not_read_holds_no_input_and_is_dropped() {
    const READ_TIMEOUT: Duration = Duration::from_secs(2);
    let _alone = alone();
    let server = spawn(&["--read-timeout", "2s"]);
    // Of 12 MB: more than the system's own buffers take.
    let picture = noise(2000, 6);
    let download = || {
        let before = server.metrics();
        let mut stream = narrow(server.address);
        let headers = [("Content-Type", "image/png")];
        let head = http::head("POST", "/v1/restore?strength=0", &headers, picture.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&picture).unwrap();
        server.wait_until(LONG, "the input is gone, the answer is not", |m| {
            deleted(m, "decoded") == deleted(&before, "decoded") + 1.0
                && value(m, "inputs_live") == 0.0
                && value(m, "spool_bytes") == 0.0
                && value(m, "leases_live") == 1.0
        });
        // The stages are over when the answer's size is all that is reserved.
        server.wait_until(LONG, "the answer waits for its reader", |m| {
            value(m, "memory_reserved_bytes") < 13e6
        });
        thread::sleep(Duration::from_millis(300));
        assert_eq!(
            server.metric("safelight_leases_live"),
            1.0,
            "the body is unsent"
        );
        stream
    };
    for cut in Cut::BOTH {
        let kept = cut.cut(download());
        let what = format!("the answer goes with its client: {cut:?}");
        // Who has sent FIN and does not read may still be about to: it is one that does not read.
        let limit = match cut {
            Cut::Fin => 10 * READ_TIMEOUT,
            Cut::Rst => SOON,
        };
        server.wait_until(limit, &what, |m| value(m, "leases_live") == 0.0);
        drop(kept);
    }
    let stalled = download();
    let since = Instant::now();
    server.wait_until(LONG, "who does not read is dropped", |m| {
        value(m, "leases_live") == 0.0 && value(m, "memory_reserved_bytes") == 0.0
    });
    let took = since.elapsed();
    assert!(took < 10 * READ_TIMEOUT, "{took:?}");
    drop(stalled);
    server.assert_books_balance();
}

/// E6: in the decoder and in the encoder, which cannot be interrupted: the job stops right after.
#[test]
fn a_job_stops_after_the_step_in_which_its_client_goes() {
    let _alone = alone();
    let Some(failing) = Failing::start(&["--workers", "1"], None) else {
        return skip("E6 in the decoder", "SAFELIGHT_TEST_HOOKS_BIN (HOOKS=1)");
    };
    let server = &failing.server;
    let picture = noise(300, 7);
    let ran = r#"inference_duration_seconds_count{model="cutout"}"#;
    let gone = r#"requests_total{operation="remove-background",outcome="client_gone"}"#;
    for (place, inferences) in [("decode", 0.0), ("operation", 0.0), ("encode", 1.0)] {
        for cut in Cut::BOTH {
            let before = server.metrics();
            failing.arm(&format!("{place}:wait"));
            let stream = begin(server, BACKGROUND, &picture);
            // The input is closed when it is decoded.
            let held = f64::from(u8::from(place == "decode"));
            server.wait_until(LONG, "the job has come to this step", |m| {
                value(m, "leases_live") == 1.0
                    && value(m, "inputs_live") == held
                    && value(m, ran) == value(&before, ran) + inferences
            });
            let kept = cut.cut(stream);
            server.wait_until(SOON, "its end is noticed", |m| {
                value(m, gone) == value(&before, gone) + 1.0 && value(m, "in_flight") == 0.0
            });
            failing.disarm();
            server.wait_until(SOON, "the job stops, and holds nothing", |m| {
                value(m, "leases_live") == 0.0
                    && value(m, "inputs_live") == 0.0
                    && value(m, "memory_reserved_bytes") == 0.0
            });
            let after = server.metrics();
            assert_eq!(
                value(&after, ran),
                value(&before, ran) + inferences,
                "{place}, {cut:?}"
            );
            assert_eq!(
                deleted(&after, "decoded"),
                deleted(&before, "decoded") + 1.0
            );
            drop(kept);
        }
    }
    server.assert_books_balance();
}
