//! Ends that nobody planned: the process is killed, the client goes, the service is told to stop.
#![cfg(target_os = "linux")]

mod common;

use std::{
    io::Write,
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use common::{
    Form, Launch, Server,
    faults::{Cut, Tmpfs, alone, deleted, narrow, value},
    http, pictures, skip, spawn,
};
use image::ImageFormat;
use rustix::process::Signal;

const BACKGROUND: &str = "/v1/remove-background";
const RESTORE: &str = "/v1/restore?steps=denoise&format=png";

/// Ten times the contract's 100 ms, as everywhere where a wall clock is asked.
const SOON: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(60);

fn noise(side: u32, seed: u32) -> Vec<u8> {
    pictures::encoded(pictures::noise(side, side, seed), ImageFormat::Png)
}

/// Sends a whole upload and does not read the answer.
fn begin(server: &Server, path: &str, body: &[u8]) -> TcpStream {
    http::begin(server.address, path, "image/png", body.len(), body)
}

/// E3: SIGKILL at random moments under load leaves no byte in the spool.
#[test]
fn a_killed_server_leaves_nothing_in_the_spool() {
    const KILLS: u32 = 40;
    let _alone = alone();
    let Some(spool) = Tmpfs::mount("killed", 64) else {
        return skip("E3", "root, to mount a tmpfs");
    };
    let baseline = spool.used();
    let (small, large) = (noise(300, 1), noise(800, 2));
    let (mut held, mut most) = (0, 0);
    let start = Instant::now();
    let mut kills = 0;
    // The bound keeps a slow machine from taking minutes; half of the kills are asked for at least.
    while kills < KILLS && (kills < KILLS / 2 || start.elapsed() < Duration::from_secs(50)) {
        kills += 1;
        let launch = Launch {
            spool: Some(&spool.folder),
            flags: &["--workers", "1"],
            ..Launch::default()
        };
        let mut server = launch.start();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for i in 0..6 {
                let (server, over) = (server.address, &over);
                let picture = if i % 2 == 0 { &small } else { &large };
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let Ok(mut stream) = http::connect(server) else {
                            continue;
                        };
                        let headers = [("Content-Type", "image/png")];
                        let head = http::head("POST", BACKGROUND, &headers, picture.len());
                        let _ = stream.write_all(head.as_bytes());
                        for part in picture.chunks(picture.len() / 5) {
                            let _ = stream.write_all(part);
                            thread::sleep(Duration::from_millis(3));
                        }
                        let _ = stream.set_read_timeout(Some(Duration::from_millis(400)));
                        let _ = http::read(&mut stream);
                    }
                });
            }
            // A multiple of a prime, so that the moments are spread and the same in each run.
            thread::sleep(Duration::from_millis(u64::from(kills * 37 % 160)));
            let used = spool.used().saturating_sub(baseline);
            server.signal(Signal::KILL);
            let _ = server.wait(LONG);
            over.store(true, Ordering::Relaxed);
            held += u32::from(used > 0);
            most = most.max(used);
        });
        let deadline = Instant::now() + SOON;
        while spool.used() != baseline {
            assert!(
                Instant::now() < deadline,
                "{} bytes are left after kill {kills}",
                spool.used() - baseline
            );
            thread::sleep(Duration::from_millis(5));
        }
        let names = std::fs::read_dir(&spool.folder).unwrap().count();
        assert_eq!(names, 0, "kill {kills}");
    }
    println!("{kills} kills, {held} of them over held uploads (up to {most} bytes): 0 bytes left");
    assert!(
        held * 3 >= kills,
        "the kills came at moments when nothing was held: {held}"
    );
}

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
        server.wait_until(2 * SOON, &what, |m| value(m, "leases_live") == 0.0);
        drop(kept);
    }
    let stalled = download();
    let since = Instant::now();
    server.wait_until(LONG, "who does not read is dropped", |m| {
        value(m, "leases_live") == 0.0 && value(m, "memory_reserved_bytes") == 0.0
    });
    let took = since.elapsed();
    assert!(
        took < Duration::from_secs(20),
        "{took:?}, ten times the limit of 2 s"
    );
    drop(stalled);
    server.assert_books_balance();
}

/// E8: SIGTERM lets the work in progress end, and takes no new.
#[test]
fn sigterm_ends_the_work_in_progress_and_nothing_else() {
    let _alone = alone();
    let mut server = spawn(&["--workers", "1", "--shutdown-grace", "120s"]);
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
    let waited = waiting.join().unwrap().expect("an answer");
    assert_eq!(
        (waited.status, waited.code().as_str()),
        (503, "shutting_down")
    );
    assert!(waited.header("retry-after").is_some());
    // A new connection is refused, by the system or by us; neither is it ready nor takes it work.
    let ready = http::request(address, "GET", "/readyz", &[], b"");
    assert!(
        ready.as_ref().map_or(true, |answer| answer.status == 503),
        "{ready:?}"
    );
    let late = post(small.clone(), BACKGROUND).join().unwrap();
    assert!(
        late.as_ref().map_or(true, |answer| answer.status == 503),
        "{late:?}"
    );
    // What is on its way may be sent, and is then refused.
    sending.write_all(&small[half..]).unwrap();
    let sent = http::read(&mut sending).expect("an answer");
    assert_eq!((sent.status, sent.code().as_str()), (503, "shutting_down"));
    let ran = running.join().unwrap().expect("an answer");
    assert_eq!(ran.status, 200);
    let picture = ran.picture();
    assert_eq!(
        (picture.width(), picture.height()),
        (1000, 1000),
        "the answer is whole"
    );
    assert_eq!(server.wait(LONG).code(), Some(0));
    let log = server.log();
    let ended = |outcome: &str| {
        let outcome = format!("\"outcome\":\"{outcome}\"");
        log.iter()
            .filter(|line| line.contains("\"event\":\"request\"") && line.contains(&outcome))
            .count()
    };
    let late = usize::from(late.is_ok());
    assert_eq!(
        (ended("ok"), ended("busy")),
        (1, 2 + late),
        "{}",
        log.join("\n")
    );
    let all = log
        .iter()
        .filter(|line| line.contains("\"event\":\"request\""))
        .count();
    assert_eq!(all, 3 + late, "each request has ended once");
    assert_eq!(std::fs::read_dir(&server.spool).unwrap().count(), 0);
}

/// E8: who does not end in time is dropped; the exit is an ordinary one.
#[test]
fn a_stalled_upload_does_not_hold_up_the_end() {
    let _alone = alone();
    let Some(spool) = Tmpfs::mount("stopped", 16) else {
        return skip("E8 on a tmpfs of its own", "root, to mount a tmpfs");
    };
    let baseline = spool.used();
    let launch = Launch {
        spool: Some(&spool.folder),
        flags: &["--shutdown-grace", "1s", "--upload-idle", "1m"],
        ..Launch::default()
    };
    let mut server = launch.start();
    let picture = noise(600, 9);
    let half = &picture[..picture.len() / 2];
    let stalled = http::begin(server.address, BACKGROUND, "image/png", picture.len(), half);
    server.wait_until(LONG, "the upload has begun", |m| {
        value(m, "inputs_live") == 1.0
    });
    assert!(spool.used() > baseline);
    let start = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait(LONG).code(), Some(0));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!(spool.used(), baseline, "nothing is left");
    let log = server.log().join("\n");
    assert!(
        log.contains("\"outcome\":\"client_gone\""),
        "its end is in the log: {log}"
    );
    drop(stalled);
}
