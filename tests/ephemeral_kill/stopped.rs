//! E8: the service is told to stop.

use std::{
    fs,
    io::Write,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    BACKGROUND, LONG, RESTORE,
    common::{
        Launch,
        faults::{Tmpfs, alone, value},
        http, skip, spawn,
    },
    noise,
};

/// The requests that the log says have ended so.
fn ended(log: &[String], part: &str) -> usize {
    log.iter()
        .filter(|line| line.contains("\"event\":\"request\"") && line.contains(part))
        .count()
}

/// What was let in before the signal ends as ever: a running job, one in the queue, an upload of
/// which half has come. What comes later is told 503.
#[test]
fn sigterm_ends_the_work_in_progress_and_takes_no_new() {
    let _alone = alone();
    // Deadlines that no busy machine meets: here the signal alone shall end anything.
    let mut server = spawn(&[
        "--workers=1",
        "--shutdown-grace=120s",
        "--queue-wait=120s",
        "--upload-idle=60s",
        "--upload-total=120s",
    ]);
    let (large, small) = (noise(1000, 7), noise(300, 8));
    let address = server.address;
    let post = |body: Vec<u8>, path: &'static str| {
        let headers = [("Content-Type", "image/png")];
        thread::spawn(move || http::request(address, "POST", path, &headers, &body))
    };
    let running = post(large, RESTORE);
    server.wait_until(LONG, "the job runs", |m| {
        value(m, "leases_live") == 1.0 && value(m, "inputs_live") == 0.0
    });
    let waiting = post(small.clone(), BACKGROUND);
    server.wait_until(LONG, "another waits", |m| value(m, "queue_depth") == 1.0);
    let half = small.len() / 2;
    let mut sending = http::begin(
        address,
        BACKGROUND,
        "image/png",
        small.len(),
        &small[..half],
    );
    server.wait_until(LONG, "a third is sent", |m| value(m, "inputs_live") == 2.0);
    server.signal(Signal::TERM);
    server.wait_for_line("\"event\":\"stop\"");
    // As long as work is left the listener says that no more is taken.
    let ready = server.get("/readyz");
    assert_eq!(
        (ready.status, ready.body.as_slice()),
        (503, b"stopping\n".as_slice())
    );
    assert_eq!(server.get("/healthz").status, 200, "it lives");
    let late = post(small.clone(), BACKGROUND)
        .join()
        .unwrap()
        .expect("an answer");
    late.assert_problem("new work", 503, "shutting_down");
    sending.write_all(&small[half..]).unwrap();
    let sent = http::read(&mut sending).expect("an answer");
    assert_eq!(sent.status, 200, "the upload in progress");
    assert_eq!(sent.picture().width(), 300);
    let waited = waiting.join().unwrap().expect("an answer");
    assert_eq!(waited.status, 200, "the one in the queue");
    let ran = running.join().unwrap().expect("an answer");
    assert_eq!(
        (ran.status, ran.picture().height()),
        (200, 1000),
        "the running one"
    );
    assert_eq!(server.wait(LONG).code(), Some(0));
    let log = server.log();
    assert_eq!(
        (
            ended(&log, "\"outcome\":\"ok\""),
            ended(&log, "\"outcome\":\"busy\"")
        ),
        (3, 1),
        "{}",
        log.join("\n")
    );
    assert_eq!(ended(&log, ""), 4, "each request has ended once");
    assert_eq!(fs::read_dir(&server.spool).unwrap().count(), 0);
}

/// Where the grace is over, everybody who still waits is told so, and the exit is an ordinary one.
#[test]
fn who_has_not_ended_within_the_grace_is_told_503() {
    let _alone = alone();
    let Some(spool) = Tmpfs::mount("stopped", 32) else {
        return skip("E8 on a tmpfs of its own", "root, to mount a tmpfs");
    };
    let baseline = spool.used();
    let launch = Launch {
        spool: Some(&spool.folder),
        flags: &[
            "--shutdown-grace=1s",
            "--upload-idle=1m",
            "--queue-wait=1m",
            "--workers=1",
        ],
        ..Launch::default()
    };
    let mut server = launch.start();
    let (large, picture) = (noise(1800, 9), noise(600, 9));
    let begin = |path, body: &[u8], length: usize| {
        http::begin(server.address, path, "image/png", length, body)
    };
    let running = begin(RESTORE, &large, large.len());
    server.wait_until(LONG, "the job runs", |m| {
        value(m, "leases_live") == 1.0 && value(m, "inputs_live") == 0.0
    });
    let waiting = begin(BACKGROUND, &picture, picture.len());
    server.wait_until(LONG, "another waits", |m| value(m, "queue_depth") == 1.0);
    let stalled = begin(BACKGROUND, &picture[..picture.len() / 2], picture.len());
    server.wait_until(LONG, "the upload has begun", |m| {
        value(m, "inputs_live") == 2.0
    });
    assert!(spool.used() > baseline);
    let start = Instant::now();
    server.signal(Signal::TERM);
    for (what, mut stream) in [
        ("running", running),
        ("waiting", waiting),
        ("sending", stalled),
    ] {
        let told = http::read(&mut stream).unwrap_or_else(|e| panic!("{what}: {e}"));
        told.assert_problem(what, 503, "shutting_down");
        assert!(
            start.elapsed() >= Duration::from_secs(1),
            "{what}: before its time"
        );
    }
    assert_eq!(server.wait(LONG).code(), Some(0));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(spool.used(), baseline, "nothing is left");
    let log = server.log();
    assert_eq!(
        ended(&log, "\"code\":\"shutting_down\""),
        3,
        "{}",
        log.join("\n")
    );
}

/// Nothing is in progress: the end is immediate.
#[test]
fn an_idle_service_stops_at_once() {
    let _alone = alone();
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = spawn(&[]);
        let start = Instant::now();
        server.signal(signal);
        assert_eq!(server.wait(LONG).code(), Some(0));
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{:?}",
            start.elapsed()
        );
    }
}
