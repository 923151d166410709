//! `batch`: many pictures, a streamed archive, a broken one among them, a client that leaves.

use std::{io::Read, net::TcpStream, time::Duration};

use crate::common::{Answer, Form, Server, http, pictures, spawn};

const PATH: &str = "/v1/batch";
const OPS: &str = r#"[{"op":"transform","width":40}]"#;
const SOON: Duration = Duration::from_secs(20);

fn unzipped(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{text}");
    assert_eq!(answer.header("content-type"), Some("application/zip"));
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    pictures::unzipped(&answer.joined().expect("it comes to its end"))
}

#[test]
fn every_picture_becomes_an_entry_and_a_broken_one_says_why() {
    let server = spawn(&[]);
    let cut = &pictures::jpeg(64, 48)[..300];
    let form = Form::new()
        .file("file", "zq7canary.png", &pictures::png(80, 60))
        .text("ops", OPS)
        .file("file", "zq7canary/../b", cut)
        .file("image", "zq7canary.txt", b"no picture, zq7canary")
        .file("file", "zq7canary", b"")
        .file("file", "zq7canary.jpg", &pictures::jpeg(160, 120))
        .text("quality", "60");
    let answer = server.form(PATH, form);
    let files = unzipped(&answer);
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "001.png",
        "002.error.json",
        "003.error.json",
        "004.error.json",
        "005.jpg",
    ];
    assert_eq!(names, expected);
    for (i, code) in [
        (1, "broken_picture"),
        (2, "unknown_format"),
        (3, "unknown_format"),
    ] {
        let problem: serde_json::Value = serde_json::from_slice(&files[i].1).unwrap();
        assert_eq!(problem["code"], code);
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(problem["instance"], format!("urn:uuid:{id}"));
    }
    for i in [0, 4] {
        let picture = pictures::decoded(&files[i].1);
        assert_eq!((picture.width(), picture.height()), (40, 30));
    }
    let single = "/v1/transform?width=40&quality=60";
    let single = server.post(single, "image/jpeg", &pictures::jpeg(160, 120));
    assert!(single.body == files[4].1, "as a request of its own");
    let whole = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!whole.contains("zq7canary") && !server.log().join("\n").contains("zq7canary"));
    server.assert_books_balance();
    let counted = "safelight_requests_total{operation=\"batch\",outcome=\"ok\"}";
    assert_eq!(server.metric(counted), 1.0);
}

#[test]
fn a_further_picture_is_there_for_each_one() {
    let server = spawn(&[]);
    let red = image::RgbImage::from_pixel(9, 9, image::Rgb([255, 0, 0]));
    let red = pictures::encoded(red, image::ImageFormat::Png);
    let form = (0..3).fold(Form::new(), |form, _| {
        form.file("file", "x", &pictures::png(80, 60))
    });
    let ops = r#"[{"op":"transform","watermark_position":"northwest"}]"#;
    let form = form.file("watermark_file", "w", &red).text("ops", ops);
    let files = unzipped(&server.form(PATH, form));
    assert_eq!(files.len(), 3);
    for (name, bytes) in files {
        let picture = pictures::decoded(&bytes).to_rgb8();
        assert_eq!(picture.get_pixel(4, 4).0, [255, 0, 0], "{name}");
    }
    server.assert_books_balance();
}

#[test]
fn a_wrong_batch_is_refused_before_any_work() {
    let server = spawn(&[
        "--max-batch=100KiB",
        "--max-upload=60KiB",
        "--max-side=1000",
    ]);
    let picture = pictures::png(64, 48);
    let refused = |form: Form, what: &str, status: u16, code: &str| {
        server.form(PATH, form).assert_problem(what, status, code);
    };
    refused(Form::of(&picture), "no list", 400, "bad_value");
    refused(
        Form::new().text("ops", OPS),
        "no picture",
        400,
        "missing_picture",
    );
    let wrong = r#"[{"op":"restore"},{"op":"transform","zq7canary":1}]"#;
    refused(
        Form::of(&picture).text("ops", wrong),
        "a wrong list",
        400,
        "unknown_option",
    );
    let ground = Form::of(&picture)
        .text("ops", OPS)
        .file("background_file", "b", &picture);
    refused(
        ground,
        "a picture that nobody takes",
        400,
        "options_conflict",
    );
    let many = (0..101).fold(Form::new(), |form, _| form.file("file", "x", b"x"));
    refused(many.text("ops", OPS), "too many", 400, "too_many_fields");
    let large = Form::new()
        .file("file", "x", &[7; 120 << 10])
        .text("ops", OPS);
    let (mime, body) = large.finish();
    let answer = server.post(PATH, &mime, &body);
    answer.assert_problem("too large", 413, "body_too_large");
    assert!(answer.json()["detail"].to_string().contains("--max-batch"));
    let answer = http::chunked(server.address, PATH, &mime, &body).unwrap();
    answer.assert_problem("too large, in chunks", 413, "body_too_large");
    server.assert_books_balance();
}

/// Begins a batch of so many pictures and reads until the first entry comes.
fn begun(server: &Server, pictures: usize, ops: &str) -> TcpStream {
    let picture = pictures::jpeg(640, 480);
    let form = (0..pictures).fold(Form::new(), |form, _| form.file("file", "x", &picture));
    let (mime, body) = form.text("ops", ops).finish();
    let mut stream = http::begin(server.address, PATH, &mime, body.len(), &body);
    let mut seen = Vec::new();
    let mut chunk = [0; 512];
    while !seen.windows(7).any(|window| window == b"001.png") {
        let n = stream.read(&mut chunk).unwrap();
        assert!(n > 0, "it ended: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&chunk[..n]);
    }
    stream
}

#[test]
fn entries_come_as_they_are_done_and_a_client_that_leaves_ends_the_batch() {
    let server = spawn(&["--workers=1"]);
    let ops = r#"[{"op":"remove-background"},{"op":"transform","width":600,"format":"png"}]"#;
    let stream = begun(&server, 40, ops);
    let metrics = server.metrics();
    let live = metrics["safelight_inputs_live"];
    assert!(
        live > 20.0,
        "the first entry comes before the others are done: {live} wait"
    );
    drop(stream);
    server.wait_until(SOON, "its pictures are gone", |m| {
        m["safelight_inputs_live"] == 0.0
    });
    server.assert_books_balance();
    let gone = "safelight_requests_total{operation=\"batch\",outcome=\"client_gone\"}";
    assert_eq!(server.metric(gone), 1.0);
    let undone = server.metric("safelight_inputs_deleted_total{reason=\"disconnect\"}");
    assert!(undone > 10.0, "{undone} were never worked on");
}

#[test]
fn a_reader_that_stalls_stops_the_work_and_loses_the_rest_in_time() {
    let server = spawn(&["--long-timeout=4s", "--workers=1"]);
    // Noise that nothing compresses: an answer is larger than what the sockets between hold.
    let ops =
        r#"[{"op":"transform","width":1800,"enlarge":true,"format":"png","filter":"nearest"}]"#;
    let picture = pictures::encoded(pictures::noise(900, 700, 3), image::ImageFormat::Jpeg);
    let form = (0..12).fold(Form::new(), |form, _| form.file("file", "x", &picture));
    let (mime, body) = form.text("ops", ops).finish();
    let mut stream = http::begin(server.address, PATH, &mime, body.len(), &body);
    let mut first = [0; 64];
    stream.read_exact(&mut first).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let live = server.metric("safelight_inputs_live");
    assert!(
        live >= 6.0,
        "nothing is worked on that nobody reads: {live} wait"
    );
    server.wait_until(SOON, "what was not read in time is gone", |m| {
        m["safelight_inputs_live"] == 0.0
    });
    let late = server.metric("safelight_inputs_deleted_total{reason=\"deadline\"}");
    assert!(late >= 6.0, "{late}");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(
        !rest.ends_with(b"0\r\n\r\n"),
        "the archive does not pretend to be whole"
    );
    drop(stream);
    server.assert_books_balance();
}
