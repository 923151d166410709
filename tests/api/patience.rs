//! Whose turn it is in the queue, and clients that wait for so long and no longer.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    common::{Answer, Server, faults::Failing, http, pictures, skip, spawn},
    errors::CUT,
};

const SOON: Duration = Duration::from_secs(10);
const RESTORE: &str = "/v1/restore?steps=denoise";

fn small() -> Vec<u8> {
    pictures::jpeg(64, 48)
}

fn photograph(width: u32, height: u32) -> Vec<u8> {
    pictures::encoded(pictures::plain(width, height), image::ImageFormat::Jpeg)
}

fn within(server: &Server, path: &str, body: &[u8], millis: &str) -> Answer {
    let headers = [("Content-Type", "image/jpeg"), ("X-Timeout-Ms", millis)];
    http::request(server.address, "POST", path, &headers, body).unwrap()
}

fn too_late(answer: &Answer, what: &str) {
    answer.assert_problem(what, 504, "deadline_passed");
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains("X-Timeout-Ms"), "{what}: {detail}");
}

fn ended_by_deadline(server: &Server) -> f64 {
    server.metric("safelight_inputs_deleted_total{reason=\"deadline\"}")
}

#[test]
fn the_cheaper_picture_is_worked_on_first_unless_arrival_counts() {
    for (order, first) in [("cheapest", "cutout"), ("arrival", "restoration")] {
        // Long enough for a busy machine.
        let wait = "--queue-wait=50s";
        let server = spawn(&["--workers=1", wait, "--queue-order", order]);
        // A job that holds the only worker until its client leaves.
        let long = photograph(3600, 2400);
        let held = http::begin(server.address, RESTORE, "image/jpeg", long.len(), &long);
        server.wait_until(SOON, "a worker has it", |m| {
            m.get("safelight_leases_live") == Some(&1.0)
        });
        let ask = |path: &'static str, body: Vec<u8>, depth: f64| {
            let address = server.address;
            let thread = thread::spawn(move || {
                let head = [("Content-Type", "image/jpeg")];
                let answer = http::request(address, "POST", path, &head, &body).unwrap();
                assert_eq!(answer.status, 200, "{path}");
                Instant::now()
            });
            server.wait_until(SOON, "it waits", move |m| {
                m.get("safelight_queue_depth") == Some(&depth)
            });
            thread
        };
        let restoration = ask(RESTORE, photograph(1200, 800), 1.0);
        let cutout = ask(CUT, small(), 2.0);
        drop(held);
        let (restored, cut) = (restoration.join().unwrap(), cutout.join().unwrap());
        let found = if cut < restored {
            "cutout"
        } else {
            "restoration"
        };
        assert_eq!(found, first, "--queue-order {order}");
    }
}

#[test]
fn who_waits_no_longer_is_told_so_in_the_upload_in_the_queue_and_at_work() {
    let server = spawn(&["--workers=1"]);
    let answer = within(&server, CUT, &small(), "60000");
    assert_eq!(answer.status, 200);

    // In the upload: half a body, long before the upload's own deadlines.
    let head = [("Content-Type", "image/jpeg"), ("X-Timeout-Ms", "300")];
    let mut half = http::head("POST", CUT, &head, 10_000).into_bytes();
    half.extend_from_slice(&[7; 5000]);
    let start = Instant::now();
    let mut stream = http::connect(server.address).unwrap();
    std::io::Write::write_all(&mut stream, &half).unwrap();
    too_late(&http::read(&mut stream).unwrap(), "upload");
    assert!(start.elapsed() >= Duration::from_millis(300), "not before");
    assert_eq!(ended_by_deadline(&server), 1.0);

    // At work: it is answered without waiting for the next tile, and the work stops there.
    let long = photograph(3600, 2400);
    too_late(&within(&server, RESTORE, &long, "1500"), "work");
    server.wait_until(SOON, "the work has stopped", |m| {
        m.get("safelight_leases_live") == Some(&0.0)
    });

    // In the queue, behind a job that holds the worker.
    let held = http::begin(server.address, RESTORE, "image/jpeg", long.len(), &long);
    server.wait_until(SOON, "a worker has it", |m| {
        m.get("safelight_leases_live") == Some(&1.0)
    });
    // The input of the job before may have ended by its deadline, or before that, as it was decoded.
    let before = ended_by_deadline(&server);
    too_late(&within(&server, CUT, &small(), "300"), "queue");
    assert_eq!(ended_by_deadline(&server), before + 1.0);
    assert_eq!(server.metric("safelight_queue_depth"), 0.0);
    drop(held);

    // A batch is one request: what is not done by then is not done. It has come and is unpacked long
    // before that, and no machine is done with one of its pictures.
    let longer = photograph(7200, 4800);
    let form = crate::common::Form::of(&longer).file("file", "two", &longer);
    let (mime, body) = form
        .text("ops", "[{\"op\":\"restore\",\"steps\":\"denoise\"}]")
        .finish();
    let head = [("Content-Type", mime.as_str()), ("X-Timeout-Ms", "3000")];
    let answer = http::request(server.address, "POST", "/v1/batch", &head, &body).unwrap();
    assert_eq!(answer.status, 200);
    let entries = pictures::unzipped(&answer.joined().unwrap_or(answer.body));
    assert_eq!(entries.len(), 2);
    for (name, content) in entries {
        assert!(name.ends_with(".error.json"), "{name}");
        assert!(
            String::from_utf8(content)
                .unwrap()
                .contains("deadline_passed")
        );
    }
    server.assert_books_balance();
}

#[test]
fn a_time_that_is_none_is_refused_and_not_echoed() {
    let server = spawn(&["--workers=1"]);
    for bad in [
        "",
        "0",
        "-1",
        "+5",
        "1.5",
        "1e3",
        "soon",
        "86400001",
        "99999999999999999999999",
    ] {
        for path in [CUT, "/v1/inspect", "/v1/batch", "/v1/transform"] {
            let answer = within(&server, path, &small(), bad);
            answer.assert_problem(&format!("{path} {bad:?}"), 400, "bad_value");
            let detail = answer.json()["detail"].to_string();
            assert!(
                detail.contains("X-Timeout-Ms") && detail.contains("86400000"),
                "{detail}"
            );
            assert!(bad.len() < 3 || !detail.contains(bad), "{detail}");
        }
    }
    let twice = [
        ("Content-Type", "image/jpeg"),
        ("X-Timeout-Ms", "500"),
        ("X-Timeout-Ms", "500"),
    ];
    let answer = http::request(server.address, "POST", CUT, &twice, &small()).unwrap();
    answer.assert_problem("twice", 400, "bad_value");
}

/// A picture that is being decoded cannot be left: who gives up is answered when it is gone.
#[test]
fn no_answer_is_sent_while_an_input_is_still_open() {
    let Some(failing) = Failing::start(&["--workers=1", "--receipts"], None) else {
        return skip(
            "no_answer_is_sent_while_an_input_is_still_open",
            "the test build",
        );
    };
    let server = &failing.server;
    failing.arm("decode:wait");
    let body = small();
    let head = [("Content-Type", "image/jpeg"), ("X-Timeout-Ms", "200")];
    let mut request = http::head("POST", CUT, &head, body.len()).into_bytes();
    request.extend_from_slice(&body);
    let mut stream = http::connect(server.address).unwrap();
    std::io::Write::write_all(&mut stream, &request).unwrap();
    server.wait_until(SOON, "a worker has it", |m| {
        m.get("safelight_leases_live") == Some(&1.0)
    });
    let patience = stream.read_timeout().unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let early = std::io::Read::read(&mut stream, &mut [0; 1]);
    assert!(early.is_err(), "answered while the input was open");
    assert_eq!(server.metric("safelight_inputs_live"), 1.0);
    failing.disarm();
    stream.set_read_timeout(patience).unwrap();
    let answer = http::read(&mut stream).unwrap();
    too_late(&answer, "decoding");
    assert!(answer.header("deletion-receipt").is_some());
    server.assert_books_balance();
}
