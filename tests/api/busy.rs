//! Refusals for lack of time or room: slow uploads, taken permits, full queues, the end.

use std::{fs, io::Write, net::TcpStream, path::Path, thread, time::Duration};

use crate::{
    common::{self, Answer, Form, PROGRAM, Server, faults::Tmpfs, http, pictures, skip},
    errors::{CUT, Case},
};

const SOON: Duration = Duration::from_secs(10);

fn small() -> Vec<u8> {
    pictures::jpeg(64, 48)
}

fn cut(server: &Server) -> Answer {
    server.post(CUT, "image/jpeg", &small())
}

fn setting(answer: &Answer, name: &str) {
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains(name), "{detail}");
}

pub const STALLED: &[Case] = &[
    ("a raw body that stalls", "upload_too_slow", |s| {
        let mut stream = http::begin(s.address, CUT, "image/png", 10_000, b"\x89PNG");
        let answer = http::read(&mut stream).unwrap();
        setting(&answer, "--upload-idle");
        answer
    }),
    ("a body of which nothing comes", "upload_too_slow", |s| {
        let mut stream = http::begin(s.address, CUT, "image/png", 10_000, b"");
        http::read(&mut stream).unwrap()
    }),
    ("a form that stalls", "upload_too_slow", |s| {
        let (mime, body) = Form::of(&small()).finish();
        let half = &body[..body.len() / 2];
        let mut stream = http::begin(s.address, CUT, &mime, body.len(), half);
        http::read(&mut stream).unwrap()
    }),
    ("a picture to inspect that stalls", "upload_too_slow", |s| {
        let mut stream = http::begin(s.address, "/v1/inspect", "image/png", 10_000, b"\x89PNG");
        http::read(&mut stream).unwrap()
    }),
];

pub const DRIPPED: &[Case] = &[("a byte every 50 ms", "upload_too_slow", |s| {
    let mut stream = http::begin(s.address, CUT, "image/png", 10_000, b"\x89PNG");
    let mut writer = stream.try_clone().unwrap();
    thread::scope(|scope| {
        // Bounded, and far beyond the deadline; it ends earlier when the server closes.
        scope.spawn(move || {
            for _ in 0..200 {
                if writer.write_all(b"x").is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(50));
            }
        });
        let answer = http::read(&mut stream).unwrap();
        setting(&answer, "--upload-total");
        answer
    })
})];

/// An upload of which half has come; it holds its permit and its room.
fn half_an_upload(server: &Server, length: usize) -> TcpStream {
    let stream = http::begin(
        server.address,
        CUT,
        "image/png",
        length,
        &vec![7; length / 2],
    );
    server.wait_until(SOON, "the upload is in progress", |m| {
        m.get("safelight_inputs_live") == Some(&1.0)
    });
    stream
}

/// After a refusal for lack of room: when the room is free again, the next client is served.
fn then_served(server: &Server, held: TcpStream) {
    drop(held);
    server.wait_until(SOON, "what was held is given back", |m| {
        m.get("safelight_inputs_live") == Some(&0.0)
            && m.get("safelight_leases_live") == Some(&0.0)
            && m.get("safelight_queue_depth") == Some(&0.0)
    });
    let answer = cut(server);
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
}

fn counted(server: &Server, reason: &str) {
    let name = format!("safelight_rejections_total{{reason=\"{reason}\"}}");
    assert!(server.metric(&name) >= 1.0, "{name}");
}

pub const PERMITS: &[Case] = &[("the permit is taken", "busy", |s| {
    let held = half_an_upload(s, 10_000);
    let answer = cut(s);
    counted(s, "upload_permits");
    setting(&answer, "(at most 1, setting --upload-permits)");
    then_served(s, held);
    answer
})];

pub const SPOOL: &[Case] = &[("the spool budget is taken", "busy", |s| {
    let held = half_an_upload(s, 90 << 10);
    let answer = s.post(CUT, "image/png", &vec![7; 90 << 10]);
    counted(s, "spool_budget");
    setting(&answer, "setting --spool-budget)");
    then_served(s, held);
    answer
})];

/// A job that takes the only worker for some seconds, unless its client leaves.
fn long_job(server: &Server) -> TcpStream {
    let body = pictures::encoded(pictures::plain(3600, 2400), image::ImageFormat::Jpeg);
    let path = "/v1/restore?steps=denoise";
    let stream = http::begin(server.address, path, "image/jpeg", body.len(), &body);
    server.wait_until(SOON, "a worker has it", |m| {
        m.get("safelight_leases_live") == Some(&1.0)
    });
    stream
}

/// A complete upload that waits for the worker.
fn waiting_job(server: &Server) -> TcpStream {
    let body = small();
    let stream = http::begin(server.address, CUT, "image/jpeg", body.len(), &body);
    server.wait_until(SOON, "it waits", |m| {
        m.get("safelight_queue_depth") == Some(&1.0)
    });
    stream
}

pub const QUEUE: &[Case] = &[("every place in the queue is taken", "busy", |s| {
    let long = long_job(s);
    let waiting = waiting_job(s);
    let answer = cut(s);
    counted(s, "queue_full");
    setting(&answer, "(at most 1, setting --queue)");
    drop(waiting);
    then_served(s, long);
    answer
})];

pub const QUEUE_WAIT: &[Case] = &[("no worker in time", "busy", |s| {
    let long = long_job(s);
    let answer = cut(s);
    counted(s, "queue_wait");
    setting(&answer, "setting --queue-wait)");
    then_served(s, long);
    answer
})];

pub const STOPPING: &[Case] = &[("the service stops", "shutting_down", |s| {
    let long = long_job(s);
    let mut waiting = waiting_job(s);
    s.signal(rustix::process::Signal::TERM);
    let started = std::time::Instant::now();
    while s.get("/readyz").status == 200 {
        assert!(started.elapsed() < SOON, "it says that it is ready");
    }
    let answer = cut(s);
    // The grace is over before a worker is free.
    let told = http::read(&mut waiting).expect("what waits is told");
    told.assert_problem("a complete upload", 503, "shutting_down");
    drop(long);
    answer
})];

#[test]
fn work_in_progress_ends_after_sigterm() {
    let mut server = common::spawn(&["--workers=1"]);
    let body = pictures::jpeg(1600, 1200);
    let path = "/v1/restore?steps=denoise";
    let mut stream = http::begin(server.address, path, "image/jpeg", body.len(), &body);
    server.wait_until(SOON, "a worker has it", |m| {
        m.get("safelight_leases_live") == Some(&1.0)
    });
    server.signal(rustix::process::Signal::TERM);
    let answer = http::read(&mut stream).unwrap();
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    assert_eq!(answer.picture().width(), 1600);
    assert!(server.wait(Duration::from_secs(40)).success());
    assert_eq!(fs::read_dir(&server.spool).unwrap().count(), 0);
}

/// The answer is there before the body is: it must not be lost in a reset, and a client that sends
/// all before it reads must find it.
#[test]
fn who_is_refused_while_sending_reads_why() {
    let server = common::spawn(&["--max-upload", "64KiB"]);
    let large = vec![7; 1 << 20];
    let mut stream = http::begin(server.address, CUT, "image/png", large.len(), &[]);
    for part in large.chunks(64 << 10) {
        stream.write_all(part).expect("the connection is open");
        thread::sleep(Duration::from_millis(40));
    }
    http::read(&mut stream).expect("an answer").assert_problem(
        "sent slowly",
        413,
        "body_too_large",
    );
}

#[test]
fn a_full_spool_is_answered_with_507() {
    let Some(tmpfs) = Tmpfs::mount("small", 8) else {
        return skip("a_full_spool_is_answered_with_507", "root");
    };
    let folder = tmpfs.folder.to_str().unwrap();
    let server = Server::start(Path::new(PROGRAM), &["--spool", folder]);
    let large = pictures::long(9 << 20);
    server
        .post(CUT, "image/png", &large)
        .assert_problem("9 MiB, announced", 507, "spool_full");
    http::chunked(server.address, CUT, "image/png", &large)
        .unwrap()
        .assert_problem("9 MiB, in chunks", 507, "spool_full");
    assert_eq!(cut(&server).status, 200, "others are not affected");
}
