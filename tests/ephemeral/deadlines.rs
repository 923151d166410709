//! E5: no input is older than its deadlines.

use std::{
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    BACKGROUND, LONG,
    common::{
        self, Form,
        faults::{Ends, alone, deleted, value},
        http, spawn,
    },
    noise,
};

/// E5: an upload that stalls or drips is ended at its deadline, and its input with it.
#[test]
fn a_slow_upload_is_ended_at_its_deadline() {
    let _alone = alone();
    let server = spawn(&[
        "--upload-idle",
        "400ms",
        "--upload-total",
        "1200ms",
        "--head-timeout",
        "3s",
    ]);
    let picture = noise(300, 3);
    let (mime, form) = Form::of(&picture).finish();
    let mut slow = 0.0;
    let ended = |started: Instant, least: u64, setting: &str, answer: common::Answer| {
        let took = started.elapsed();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (408, "upload_too_slow")
        );
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains(setting), "{detail}");
        assert!(took >= Duration::from_millis(least), "{took:?}");
        // Ten times the deadline.
        assert!(took < Duration::from_secs(12), "{took:?}");
    };
    for (mime, body) in [("image/png", &picture), (mime.as_str(), &form)] {
        let started = Instant::now();
        let half = &body[..body.len() / 2];
        let mut stalled = http::begin(server.address, BACKGROUND, mime, body.len(), half);
        let answer = http::read(&mut stalled).expect("an answer");
        ended(started, 400, "--upload-idle", answer);
        let started = Instant::now();
        let mut drip = http::begin(server.address, BACKGROUND, mime, body.len(), &body[..2000]);
        let mut reader = drip.try_clone().unwrap();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let _ends = Ends(&over);
            scope.spawn(|| {
                for byte in &body[2000..] {
                    if over.load(Ordering::Relaxed) || drip.write_all(&[*byte]).is_err() {
                        break;
                    }
                    thread::sleep(Duration::from_millis(50));
                }
            });
            let answer = http::read(&mut reader).expect("an answer");
            ended(started, 1200, "--upload-total", answer);
        });
        slow += 2.0;
        server.wait_until(LONG, "the inputs are gone", |m| {
            value(m, "inputs_live") == 0.0
                && value(m, "oldest_input_seconds") == 0.0
                && deleted(m, "deadline") == slow
        });
    }
    let mut head = http::connect(server.address).unwrap();
    head.write_all(b"POST /v1/restore HTTP/1.1\r\nHost:")
        .unwrap();
    assert_eq!(
        http::read(&mut head).expect("an answer").status,
        408,
        "a stalled head"
    );
    // No input is older than its deadlines while many of them stall.
    let stalled: Vec<_> = (0..8)
        .map(|_| {
            http::begin(
                server.address,
                BACKGROUND,
                "image/png",
                9000,
                &picture[..500],
            )
        })
        .collect();
    let deadline = Instant::now() + LONG;
    let mut oldest = 0.0_f64;
    while server.metric(r#"safelight_inputs_deleted_total{reason="deadline"}"#) < slow + 8.0 {
        oldest = oldest.max(server.metric("safelight_oldest_input_seconds"));
        assert!(Instant::now() < deadline);
    }
    assert!((0.1..12.0).contains(&oldest), "{oldest} s");
    drop(stalled);
    server.assert_books_balance();
}
