//! E9: what is left of a picture in the server's memory, half a second after it was answered.
//! Pieces of the upload, of its pixels, of the tensors and of the answer are looked for.
#![cfg(target_os = "linux")]

mod common;
#[path = "ephemeral_memory/peers.rs"]
mod peers;
#[path = "ephemeral_memory/scan.rs"]
mod scan;
#[path = "ephemeral_memory/uploads.rs"]
mod uploads;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::Path,
    thread,
    time::Duration,
};

use common::{
    Answer, Form, Launch, PROGRAM, Server,
    faults::{Cut, alone, narrow, value},
    http, pictures, shared, skip, spawn,
};
use image::ImageFormat;
use scan::{Kind, Pieces, assert_clean, scan};
use uploads::{BACKGROUND, RgbaNoise, fresh, in_sequence, photograph, send, uncompressed};

fn all_formats() -> Server {
    spawn(&["--formats", "png,jpeg,webp,bmp"])
}

/// E9: sequential requests.
#[test]
fn nothing_of_a_picture_stays_after_its_answer() {
    let _alone = alone();
    let server = all_formats();
    let mut pieces = in_sequence(&server);
    assert_clean(&server, "in sequence", &mut pieces);
}

/// E9: sixteen at once.
#[test]
fn nothing_stays_after_sixteen_at_once() {
    let _alone = alone();
    let server = spawn(&[]);
    let requests: Vec<_> = (0..16)
        .map(|i| {
            let picture = pictures::noise(256, 256, 100 + i);
            let file = match i % 3 {
                0 => uncompressed(&picture),
                1 => photograph(&picture, 200 + i),
                _ => pictures::webp_of(&picture.into(), Some(90.0)),
            };
            let path = match i % 2 {
                0 => format!("{BACKGROUND}?background=white"),
                _ => "/v1/restore?steps=denoise&format=png".to_owned(),
            };
            (path, file)
        })
        .collect();
    let mut pieces = Pieces::default();
    thread::scope(|scope| {
        let sent: Vec<_> = requests
            .iter()
            .enumerate()
            .map(|(i, (path, file))| {
                let server = &server;
                scope.spawn(move || {
                    let mut pieces = Pieces::default();
                    send(server, &mut pieces, path, file, i % 4 < 2);
                    pieces
                })
            })
            .collect();
        for thread in sent {
            let more = thread.join().unwrap();
            pieces.exact.extend(more.exact);
            pieces.rounded.extend(more.rounded);
        }
    });
    assert_clean(&server, "sixteen at once", &mut pieces);
}

/// E9: uploads that are read once more, for the hash in a receipt.
#[test]
fn nothing_stays_of_what_was_hashed_for_a_receipt() {
    let _alone = alone();
    let server = spawn(&["--receipts"]);
    let mut pieces = Pieces::default();
    for (seed, path, status) in [
        (40, format!("{BACKGROUND}?background=white"), 200),
        (41, "/v1/inspect".to_owned(), 200),
        (42, BACKGROUND.to_owned(), 422),
    ] {
        let mut file = uncompressed(&pictures::noise(300, 300, seed));
        if status == 422 {
            file.truncate(file.len() / 2);
        }
        let headers = [
            ("Content-Type", "image/png"),
            ("Deletion-Receipt-Digest", "sha-256"),
        ];
        let answer = http::request(server.address, "POST", &path, &headers, &file).unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.header("deletion-receipt").is_some(), "{path}");
        pieces.file(Kind::Upload, &file);
    }
    assert_clean(&server, "hashed for a receipt", &mut pieces);
}

/// E9: uploads, jobs and downloads whose client goes.
#[test]
fn nothing_stays_of_what_its_client_has_abandoned() {
    let _alone = alone();
    let server = spawn(&["--workers", "1"]);
    let mut pieces = Pieces::default();
    let mut fresh = fresh(&mut pieces, 300);
    for cut in Cut::BOTH {
        // In the upload, raw and in a form.
        let (raw, (mime, form)) = (fresh(352), Form::of(&fresh(352)).finish());
        for (mime, body) in [("image/png", &raw), (mime.as_str(), &form)] {
            let part = &body[..body.len() * 2 / 3];
            let stream = http::begin(server.address, BACKGROUND, mime, body.len(), part);
            server.wait_until(Duration::from_secs(10), "the upload has begun", |m| {
                value(m, "inputs_live") == 1.0
            });
            thread::sleep(Duration::from_millis(50));
            let kept = cut.cut(stream);
            server.wait_until(Duration::from_secs(10), "it is dropped", |m| {
                value(m, "inputs_live") == 0.0
            });
            drop(kept);
        }
        // In the inference.
        let large = fresh(900);
        let path = "/v1/restore?steps=denoise";
        let stream = http::begin(server.address, path, "image/png", large.len(), &large);
        server.wait_until(Duration::from_secs(20), "the job runs", |m| {
            value(m, "leases_live") == 1.0
        });
        // While one waits behind it.
        let small = fresh(256);
        let waiting = http::begin(server.address, BACKGROUND, "image/png", small.len(), &small);
        server.wait_until(Duration::from_secs(10), "one waits", |m| {
            value(m, "queue_depth") == 1.0
        });
        let kept = (cut.cut(waiting), cut.cut(stream));
        server.wait_until(Duration::from_secs(60), "the job has stopped", |m| {
            value(m, "leases_live") == 0.0
        });
        drop(kept);
        // In the download: more than the system's buffers take.
        let large = fresh(1500);
        let mut stream = narrow(server.address);
        let path = "/v1/restore?strength=0";
        let head = http::head("POST", path, &[("Content-Type", "image/png")], large.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&large).unwrap();
        server.wait_until(Duration::from_secs(60), "the answer is there", |m| {
            value(m, "inputs_live") == 0.0
                && value(m, "leases_live") == 1.0
                && value(m, "queue_depth") == 0.0
        });
        thread::sleep(Duration::from_millis(200));
        drop(cut.cut(stream));
    }
    drop(fresh);
    assert_clean(&server, "abandoned", &mut pieces);
}

/// E9: refused, broken, malformed, too large, too slow, sent to where nothing is taken.
#[test]
fn nothing_stays_of_what_was_refused() {
    let _alone = alone();
    let server = spawn(&["--max-upload", "1MiB", "--upload-idle", "500ms"]);
    let mut pieces = Pieces::default();
    let mut fresh = fresh(&mut pieces, 400);
    let png = "image/png";
    let half = |file: Vec<u8>| file[..file.len() / 2].to_vec();
    let expect = |what: &str, status: u16, answer: Answer| {
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{what}: {text}");
    };
    expect(
        "truncated",
        422,
        server.post(BACKGROUND, png, &half(fresh(352))),
    );
    let jpeg = photograph(&pictures::decoded(&fresh(352)).to_rgb8(), 500);
    expect(
        "truncated JPEG",
        422,
        server.form(BACKGROUND, Form::of(&half(jpeg))),
    );
    let mut unknown = fresh(352);
    unknown[..8].copy_from_slice(b"nonsense");
    expect("no format", 415, server.post(BACKGROUND, png, &unknown));
    expect(
        "an option after the picture",
        400,
        server.form(BACKGROUND, Form::of(&fresh(352)).text("nonsense", "1")),
    );
    expect(
        "two pictures",
        400,
        server.form(
            BACKGROUND,
            Form::of(&fresh(352)).file("image", "b", &fresh(352)),
        ),
    );
    let (mime, form) = Form::of(&fresh(352)).finish();
    let part = &form[..form.len() * 2 / 3];
    expect("no boundary", 400, server.post(BACKGROUND, &mime, part));
    // From here on the client neither hangs up nor reads on once it has its answer.
    let mut held = Vec::new();
    let mut refuse = |what: &str, status, address, path: &str, mime: &str, body: &[u8]| {
        let mut stream = http::begin(address, path, mime, body.len(), body);
        expect(what, status, http::read(&mut stream).expect("an answer"));
        held.push(stream);
    };
    let (service, metrics) = (server.address, server.metrics);
    refuse("a route", 404, service, "/nowhere", png, &fresh(352));
    refuse("a method", 405, service, "/v1/models", png, &fresh(352));
    refuse(
        "no picture",
        400,
        service,
        BACKGROUND,
        "text/plain",
        &fresh(352),
    );
    refuse(
        "a query",
        400,
        service,
        "/v1/restore?nonsense=1",
        png,
        &fresh(352),
    );
    refuse("too large", 413, service, BACKGROUND, png, &fresh(700));
    refuse("the wrong port", 404, metrics, "/metrics", png, &fresh(352));
    let chunked = http::chunked(service, BACKGROUND, png, &fresh(700));
    expect("too large", 413, chunked.expect("an answer"));
    let file = fresh(352);
    let mut stream = http::begin(service, BACKGROUND, png, file.len(), &half(file));
    expect("stalled", 408, http::read(&mut stream).expect("an answer"));
    held.push(stream);
    // No request at all, and one whose body follows a broken head.
    for junk in [
        fresh(352),
        [b"POST / HTTP/1.1\r\nno colon\r\n\r\n", &fresh(352)[..]].concat(),
    ] {
        let mut stream = http::connect(service).unwrap();
        let _ = stream.write_all(&junk);
        let _ = http::read(&mut stream);
        held.push(stream);
    }
    drop(fresh);
    assert_clean(&server, "refused", &mut pieces);
}

/// The control without which a clean scan says nothing: while a job runs, its pixels are there.
#[test]
fn while_a_job_runs_its_pixels_are_found() {
    let _alone = alone();
    let server = spawn(&["--workers", "1"]);
    let picture = pictures::noise(1200, 1200, 600);
    let file = uncompressed(&picture);
    let mut pieces = Pieces::default();
    pieces.pixels(&picture.into());
    pieces.seal();
    let path = "/v1/restore?steps=denoise";
    let stream = http::begin(server.address, path, "image/png", file.len(), &file);
    server.wait_until(Duration::from_secs(20), "the job runs", |m| {
        value(m, "leases_live") == 1.0 && value(m, "inputs_live") == 0.0
    });
    let Some(found) = scan(server.pid(), &pieces) else {
        return skip("the scanner's control", "root or CAP_SYS_PTRACE");
    };
    println!("control, during a job: {:?}", found.counts);
    assert!(found.of(Kind::Rgb) > 10_000, "{found:#?}");
    drop(Cut::Rst.cut(stream));
}

/// The negative control: the same requests to a program that does not wipe what it frees.
#[test]
fn without_wiping_the_same_scan_finds_all_kinds() {
    let _alone = alone();
    let Some(program) = hooks() else {
        return skip(
            "the scan's negative control",
            "SAFELIGHT_TEST_HOOKS_BIN (HOOKS=1)",
        );
    };
    let launch = Launch {
        program: Some(&program),
        flags: &["--formats", "png,jpeg,webp,bmp"],
        variables: &[("SAFELIGHT_TEST_UNWIPED", "1")],
        ..Launch::default()
    };
    let server = launch.start();
    let mut missing = BTreeSet::from([
        Kind::Upload,
        Kind::Rgb,
        Kind::Rgba,
        Kind::Tensor,
        Kind::Answer,
        Kind::AnswerPixels,
        Kind::AnswerTensor,
    ]);
    let mut pieces = in_sequence(&server);
    // What is freed unwiped may be overwritten by what comes next, so a kind can be missing by
    // chance: then more pictures are sent, and what each of them left is looked for at once.
    for seed in 700..716 {
        pieces.seal();
        thread::sleep(Duration::from_millis(500));
        let Some(found) = scan(server.pid(), &pieces) else {
            return skip("the scan's negative control", "root or CAP_SYS_PTRACE");
        };
        println!("control, unwiped: {:?}", found.counts);
        missing.retain(|kind| found.of(*kind) == 0);
        if missing.is_empty() {
            return;
        }
        let noise = pictures::noise(352, 352, seed);
        let clear = pictures::encoded(RgbaNoise::of(&noise), ImageFormat::Png);
        match seed % 3 {
            0 => send(&server, &mut pieces, BACKGROUND, &clear, false),
            1 => {
                let (path, file) = ("/v1/restore?steps=denoise&format=png", uncompressed(&noise));
                send(&server, &mut pieces, path, &file, false)
            }
            _ => send(&server, &mut pieces, "/v1/transform?flip=h", &clear, false),
        };
    }
    panic!("in memory that is not wiped the scan never finds {missing:?}");
}

/// The switches of the tests are not in the program that ships.
#[test]
fn the_plain_program_does_not_know_the_switches_of_the_tests() {
    let knows = |program: &Path| {
        let bytes = fs::read(program).unwrap();
        bytes.windows(15).any(|window| window == b"SAFELIGHT_TEST_")
    };
    assert!(!knows(Path::new(PROGRAM)));
    match hooks() {
        Some(program) => assert!(knows(&program)),
        None => skip(
            "the names of the switches",
            "SAFELIGHT_TEST_HOOKS_BIN (HOOKS=1)",
        ),
    }
}

#[allow(clippy::disallowed_methods, reason = "a switch of the tests")]
fn hooks() -> Option<std::path::PathBuf> {
    std::env::var_os("SAFELIGHT_TEST_HOOKS_BIN").map(Into::into)
}

/// E9 on photographs, whose metadata counts as well.
#[test]
fn nothing_stays_of_a_photograph_and_its_metadata() {
    let _alone = alone();
    let Some(folder) = shared("corpus/gps") else {
        return skip("E9 on photographs", "../shared/corpus");
    };
    let server = spawn(&[]);
    let mut pieces = Pieces::default();
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let answer = server.post(BACKGROUND, "image/jpeg", &bytes);
        assert!(answer.status < 500);
        pieces.bytes(Kind::Upload, &bytes);
        if answer.status == 200 {
            pieces.answer(&answer.body, false);
        }
    }
    // Tables and profiles that many cameras write are in decoders too.
    let mut seen: BTreeMap<u128, usize> = BTreeMap::new();
    pieces
        .exact
        .iter()
        .for_each(|(piece, _)| *seen.entry(*piece).or_default() += 1);
    pieces.exact.retain(|(piece, _)| seen[piece] == 1);
    assert_clean(&server, "photographs", &mut pieces);
}
