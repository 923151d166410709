//! E19, E20: a full spool, and the books after everything that can happen.

use std::{thread, time::Duration};

use crate::{
    BACKGROUND, LONG,
    common::{
        self, Form, Launch,
        faults::{Cut, Tmpfs, alone, deleted, value},
        http, pictures, skip, spawn,
    },
    noise,
};

/// E19: a full spool is said to be full; others go on; it recovers.
#[test]
fn a_full_spool_answers_507_and_recovers() {
    let _alone = alone();
    let Some(spool) = Tmpfs::mount("full", 8) else {
        return skip("E19", "root, to mount a tmpfs");
    };
    let launch = Launch {
        spool: Some(&spool.folder),
        flags: &["--spool-budget", "256MiB"],
        ..Launch::default()
    };
    let server = launch.start();
    let (large, small) = (pictures::long(9 << 20), noise(300, 6));
    let baseline = spool.used();
    let full = |answer: common::Answer| {
        assert_eq!((answer.status, answer.code().as_str()), (507, "spool_full"));
        let seconds: u32 = answer.header("retry-after").expect("when").parse().unwrap();
        assert!((1..=60).contains(&seconds));
    };
    full(server.post(BACKGROUND, "image/png", &large));
    full(server.form(BACKGROUND, Form::of(&large)));
    let chunked = http::chunked(server.address, BACKGROUND, "image/png", &large);
    full(chunked.expect("an answer"));
    assert_eq!(spool.used(), baseline, "nothing stays of it");
    let refused = server.metrics();
    assert_eq!(deleted(&refused, "error"), 3.0, "{refused:#?}");
    // While somebody else holds most of the room, small pictures are served.
    let part = &large[..6 << 20];
    let held = http::begin(server.address, BACKGROUND, "image/png", 7 << 20, part);
    server.wait_until(LONG, "the room is held", |m| value(m, "spool_bytes") > 6e6);
    full(server.post(BACKGROUND, "image/png", &large[..3 << 20]));
    assert_eq!(server.post(BACKGROUND, "image/png", &small).status, 200);
    drop(Cut::Rst.cut(held));
    server.wait_until(LONG, "the room is free", |m| value(m, "inputs_live") == 0.0);
    assert_eq!(spool.used(), baseline);
    // A picture, with much behind its end: there is room for it again.
    assert_eq!(
        server
            .post(BACKGROUND, "image/png", &large[..7 << 20])
            .status,
        200
    );
    assert_eq!(server.form(BACKGROUND, Form::of(&small)).status, 200);
    server.assert_books_balance();
}

/// E20: after sixty requests that end in every way, every count balances.
#[test]
fn the_books_balance_after_chaos() {
    let _alone = alone();
    let server = spawn(&[
        "--upload-idle",
        "500ms",
        "--queue",
        "3",
        "--upload-permits",
        "6",
        "--spool-budget",
        "24MiB",
        "--read-timeout",
        "2s",
    ]);
    let good = noise(300, 7);
    let large = noise(1300, 8);
    let one = |i: usize| {
        let post = |body: &[u8]| {
            let headers = [("Content-Type", "image/png")];
            let _ = http::request(server.address, "POST", BACKGROUND, &headers, body);
        };
        let begin = |path, length, body: &[u8]| {
            http::begin(server.address, path, "image/png", length, body)
        };
        match i % 10 {
            0 | 1 => post(&good),
            2 => post(&good[..good.len() / 2]),
            3 => post(b"no picture at all"),
            4 => drop(Cut::Rst.cut(begin(BACKGROUND, good.len(), &good[..good.len() / 2]))),
            5 => {
                let kept = Cut::Fin.cut(begin(BACKGROUND, good.len(), &good));
                thread::sleep(Duration::from_millis(20));
                drop(kept);
            }
            6 => {
                // Stalls until it is told to go.
                let mut stream = begin(BACKGROUND, good.len(), &good[..100]);
                let _ = http::read(&mut stream);
            }
            7 => {
                let stream = begin("/v1/restore?steps=denoise", large.len(), &large);
                thread::sleep(Duration::from_millis(300));
                drop(Cut::Rst.cut(stream));
            }
            8 => {
                let (mime, form) = Form::of(&good).file("image", "b", &good).finish();
                let headers = [("Content-Type", mime.as_str())];
                let _ = http::request(server.address, "POST", BACKGROUND, &headers, &form);
            }
            _ => post(&vec![0; 25 << 20]),
        }
    };
    thread::scope(|scope| {
        for thread in 0..10 {
            let one = &one;
            scope.spawn(move || (0..6).for_each(|i| one(thread * 7 + i * 3)));
        }
    });
    server.assert_books_balance();
    let metrics = server.metrics();
    let sum = |prefix: &str| -> f64 {
        let prefix = format!("safelight_{prefix}");
        let of = metrics.iter().filter(|(name, _)| name.starts_with(&prefix));
        of.map(|(_, value)| value).sum()
    };
    assert_eq!(value(&metrics, "in_flight"), 0.0);
    assert_eq!(
        value(&metrics, "input_lifetime_seconds_count"),
        value(&metrics, "inputs_opened_total")
    );
    // Each request has one line in the log.
    let requests = sum("requests_total{");
    let lines = server.log();
    let ended = lines
        .iter()
        .filter(|line| line.contains("\"event\":\"request\""))
        .count();
    assert_eq!(ended as f64, requests);
    let outcomes: Vec<_> = metrics
        .iter()
        .filter(|(name, _)| name.contains("requests_total{") || name.contains("deleted_total{"))
        .collect();
    println!("{outcomes:#?}");
    assert!(sum("requests_total{operation=\"remove-background\",outcome=\"ok\"}") >= 1.0);
    assert!(sum("requests_total{operation=\"remove-background\",outcome=\"client_gone\"}") >= 1.0);
    assert!(sum("requests_total{operation=\"remove-background\",outcome=\"client_error\"}") >= 1.0);
    assert!(deleted(&metrics, "disconnect") >= 1.0 && deleted(&metrics, "deadline") >= 1.0);
    // It is as good as new.
    assert_eq!(server.post(BACKGROUND, "image/png", &good).status, 200);
    server.assert_books_balance();
}
