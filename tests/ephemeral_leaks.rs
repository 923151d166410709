//! Where a picture or what a client says of it must not come out: logs, metrics, errors, other
//! answers, routes.
#![cfg(target_os = "linux")]

mod common;

use std::{collections::BTreeMap, fs, io::Write, thread};

use common::{
    Answer, Form, Server,
    faults::alone,
    http::{self, CANARY},
    pictures, shared, skip, spawn,
};
use image::{DynamicImage, ImageFormat};
use pictures::crafted;

const BACKGROUND: &str = "/v1/remove-background";

/// The canary as UTF-16, in which EXIF keeps some of its texts.
fn wide() -> Vec<u8> {
    CANARY.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn assert_silent(what: &str, bytes: &[u8]) {
    let lower = bytes.to_ascii_lowercase();
    assert!(
        !contains(&lower, CANARY.as_bytes()),
        "{what} repeats the client"
    );
    assert!(!contains(&lower, &wide()), "{what} repeats the client");
}

/// EXIF with a position, a maker, a comment and a thumbnail (EXIF 2.32; offsets from `II`).
fn exif() -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    let long = |tag: u16, kind: u16, count: u32, value: u32| {
        let mut entry = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
        entry.extend_from_slice(&count.to_le_bytes());
        entry.extend_from_slice(&value.to_le_bytes());
        entry
    };
    let text = format!("{CANARY} GPS \0");
    let length = text.len() as u32;
    // IFD0: maker, description, pointer to the position; then IFD1 with a thumbnail.
    let (first, gps, second) = (8, 8 + 2 + 3 * 12 + 4, 8 + 2 + 3 * 12 + 4 + 2 + 2 * 12 + 4);
    let data = second + 2 + 2 * 12 + 4;
    let thumbnail = pictures::jpeg(16, 16);
    assert_eq!(tiff.len(), first);
    tiff.extend_from_slice(&3u16.to_le_bytes());
    tiff.extend(long(0x010e, 2, length, data as u32));
    tiff.extend(long(0x010f, 2, length, data as u32));
    tiff.extend(long(0x8825, 4, 1, gps as u32));
    tiff.extend_from_slice(&(second as u32).to_le_bytes());
    tiff.extend_from_slice(&2u16.to_le_bytes());
    tiff.extend(long(0x0001, 2, 2, u32::from(b'N')));
    tiff.extend(long(0x001d, 2, length, data as u32));
    tiff.extend_from_slice(&0u32.to_le_bytes());
    tiff.extend_from_slice(&2u16.to_le_bytes());
    tiff.extend(long(0x0201, 4, 1, data as u32 + length));
    tiff.extend(long(0x0202, 4, 1, thumbnail.len() as u32));
    tiff.extend_from_slice(&0u32.to_le_bytes());
    assert_eq!(tiff.len(), data);
    tiff.extend_from_slice(text.as_bytes());
    tiff.extend_from_slice(&thumbnail);
    tiff.extend_from_slice(&wide());
    tiff
}

fn xmp() -> Vec<u8> {
    format!("<x:xmpmeta><exif:GPSLatitude>{CANARY}</exif:GPSLatitude></x:xmpmeta>").into_bytes()
}

/// A JPEG with metadata of every kind.
fn tagged_jpeg() -> Vec<u8> {
    let jpeg = pictures::jpeg(120, 90);
    let segments: [(u8, Vec<u8>); 6] = [
        (0xfe, CANARY.as_bytes().to_vec()),
        (0xe1, [b"Exif\0\0".to_vec(), exif()].concat()),
        (
            0xe1,
            [b"http://ns.adobe.com/xap/1.0/\0".to_vec(), xmp()].concat(),
        ),
        (
            0xed,
            [
                b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0".to_vec(),
                CANARY.into(),
            ]
            .concat(),
        ),
        (0xe2, [b"MPF\0".to_vec(), CANARY.into()].concat()),
        (0xec, [b"Ducky".to_vec(), CANARY.into()].concat()),
    ];
    let tagged = segments.iter().fold(jpeg, |jpeg, (marker, payload)| {
        pictures::with_segment(&jpeg, *marker, payload)
    });
    // Some cameras append a second picture or a film.
    [tagged, CANARY.into()].concat()
}

/// A PNG with metadata of every kind.
fn tagged_png() -> Vec<u8> {
    let text = |key: &str, rest: &str| format!("{key}\0{rest}{CANARY}").into_bytes();
    let packed = [
        b"Comment\0\0".to_vec(),
        crafted::zlib_stored(CANARY.as_bytes()),
    ]
    .concat();
    let chunks: [(&[u8; 4], Vec<u8>); 7] = [
        (b"tEXt", text("Author", "")),
        (b"zTXt", packed),
        (b"iTXt", text("XML:com.adobe.xmp", "\0\0\0\0")),
        (b"eXIf", exif()),
        (b"tIME", vec![7, 233, 1, 2, 3, 4, 5]),
        (b"sPLT", text("palette", "\x08")),
        (b"prVt", CANARY.into()),
    ];
    let png = pictures::png(120, 90);
    let tagged = chunks.iter().fold(png, |png, (kind, data)| {
        crafted::with_chunk(&png, kind, data)
    });
    [tagged, CANARY.into()].concat()
}

/// A WebP with metadata of every kind.
fn tagged_webp() -> Vec<u8> {
    let plain = pictures::webp_of(&pictures::subject(120, 90).into(), Some(90.0));
    let kind: &[u8; 4] = plain[12..16].try_into().unwrap();
    let length = u32::from_le_bytes(plain[16..20].try_into().unwrap()) as usize;
    // VP8X (RFC 9649, section 2.7): flags of EXIF and XMP, then the canvas less one.
    let head = [0x0c, 0, 0, 0, 119, 0, 0, 89, 0, 0];
    crafted::webp(&[
        (b"VP8X", &head),
        (kind, &plain[20..20 + length]),
        (b"EXIF", &exif()),
        (b"XMP ", &xmp()),
    ])
}

/// What a file of ours is made of: the names of its parts, which must all be of a short list.
fn parts(bytes: &[u8]) -> Vec<String> {
    match image::guess_format(bytes) {
        Ok(ImageFormat::Png) => {
            let mut rest = &bytes[8..];
            let mut kinds = Vec::new();
            while let Some((length, after)) = rest.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*length) as usize;
                kinds.push(String::from_utf8_lossy(&after[..4]).into_owned());
                rest = &after[8 + length..];
            }
            assert!(rest.is_empty(), "bytes after the end");
            kinds
        }
        Ok(ImageFormat::WebP) => {
            let mut rest = &bytes[12..];
            let mut kinds = Vec::new();
            while rest.len() >= 8 {
                let length = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
                kinds.push(String::from_utf8_lossy(&rest[..4]).into_owned());
                rest = &rest[8 + length.next_multiple_of(2)..];
            }
            assert!(rest.is_empty(), "bytes after the end");
            kinds
        }
        Ok(ImageFormat::Jpeg) => {
            let mut at = 2;
            let mut kinds = Vec::new();
            while bytes[at + 1] != 0xda {
                assert_eq!(bytes[at], 0xff, "a marker");
                let length = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
                kinds.push(format!("{:02x}", bytes[at + 1]));
                if bytes[at + 1] == 0xe0 {
                    let jfif = &bytes[at + 4..at + 2 + length];
                    assert!(jfif.starts_with(b"JFIF\0"));
                    assert_eq!(jfif[12..], [0, 0], "a thumbnail");
                }
                at += 2 + length;
            }
            assert_eq!(
                bytes[bytes.len() - 2..],
                [0xff, 0xd9],
                "bytes after the end"
            );
            kinds
        }
        other => panic!("{other:?}"),
    }
}

/// Only pixels, and what is needed to read them.
fn assert_bare(what: &str, answer: &[u8]) {
    assert_silent(what, answer);
    let known = [
        "IHDR", "IDAT", "IEND", "VP8 ", "VP8L", "VP8X", "ALPH", "e0", "db", "c0", "c4", "dd",
    ];
    for part in parts(answer) {
        assert!(known.contains(&part.as_str()), "{what}: {part}");
    }
    for marker in [
        &b"Exif\0\0"[..],
        b"<x:xmpmeta",
        b"ICC_PROFILE",
        b"Photoshop",
        b"GPS ",
    ] {
        assert!(!contains(answer, marker), "{what}: {marker:?}");
    }
}

/// E12: no metadata of an input is in an output; the same input gives the same bytes.
#[test]
fn an_answer_holds_pixels_and_nothing_else() {
    let _alone = alone();
    let server = spawn(&[]);
    let inputs = [
        ("jpeg", tagged_jpeg()),
        ("png", tagged_png()),
        ("webp", tagged_webp()),
    ];
    for (from, bytes) in &inputs {
        assert!(contains(bytes, CANARY.as_bytes()));
        for to in ["png", "jpeg", "webp"] {
            for path in [
                format!("{BACKGROUND}?format={to}"),
                format!("{BACKGROUND}?output=mask&format={to}"),
                format!("/v1/restore?strength=0&format={to}"),
            ] {
                let what = format!("{from} to {path}");
                let send = || server.post(&path, "image/png", bytes);
                let answer = send();
                let said = String::from_utf8_lossy(&answer.body[..200.min(answer.body.len())]);
                assert_eq!(answer.status, 200, "{what}: {said}");
                assert_bare(&what, &answer.body);
                assert!(
                    answer.body == send().body,
                    "{what}: not the same bytes twice"
                );
            }
        }
        let both = server.post(&format!("{BACKGROUND}?output=both"), "image/png", bytes);
        assert_silent("both", &both.body);
        for (name, file) in pictures::unzipped(&both.body) {
            assert_bare(&name, &file);
        }
        let facts = server.post("/v1/inspect", "image/png", bytes);
        assert_silent("inspect", &facts.body);
    }
}

/// E12 on photographs.
#[test]
fn an_answer_to_a_photograph_does_not_say_where_it_was_taken() {
    let _alone = alone();
    let Some(folder) = shared("corpus/gps") else {
        return skip("E12 on photographs", "../shared/corpus");
    };
    let server = spawn(&[]);
    let mut formats = ["png", "jpeg", "webp"].into_iter().cycle();
    let (mut files, mut answered) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let format = formats.next().unwrap();
        let target = format!("{BACKGROUND}?format={format}&max_megapixels=0.3");
        let answer = server.post(&target, "image/jpeg", &bytes);
        files += 1;
        assert!(
            matches!(answer.status, 200 | 415 | 422),
            "{path:?}: {}",
            answer.status
        );
        if answer.status == 200 {
            answered += 1;
            assert_bare(&path.display().to_string(), &answer.body);
        }
    }
    println!("{files} photographs, {answered} answered");
    assert!(answered * 2 > files, "most of them are pictures");
}

/// The keys that a log line may have; `message` only where there is no request.
const KEYS: &[&str] = &[
    "time",
    "level",
    "event",
    "message",
    "request_id",
    "operation",
    "outcome",
    "code",
    "input_type",
    "width",
    "height",
    "bytes_in",
    "bytes_out",
    "duration_ms",
    "stages_ms",
    "model",
];

fn assert_log_is_closed(server: &Server) -> usize {
    let closed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("level", &["info", "warn", "error"][..]),
        (
            "event",
            &["request", "start", "ready", "stop", "storage", "panic"],
        ),
        (
            "operation",
            &[
                "remove-background",
                "restore",
                "inspect",
                "rembg",
                "removebg",
            ],
        ),
        (
            "outcome",
            &["ok", "client_error", "client_gone", "busy", "server_error"],
        ),
        ("input_type", &["jpeg", "png", "webp", "gif", "bmp", "tiff"]),
        ("model", &["cutout", "restore"]),
    ]);
    let mut requests = 0;
    for line in server.log() {
        assert_silent("the log", line.as_bytes());
        let record: serde_json::Value = serde_json::from_str(&line).expect("a line is JSON");
        let record = record.as_object().expect("an object");
        let request = record["event"] == "request";
        requests += usize::from(request);
        for (key, value) in record {
            assert!(KEYS.contains(&key.as_str()), "an unknown key {key}: {line}");
            assert!(!(request && key == "message"), "{line}");
            if let Some(words) = closed.get(key.as_str()) {
                let word = value.as_str().expect("a word");
                assert!(words.contains(&word), "{key}: {line}");
            } else if key == "code" {
                let known = safelight::error::CODES
                    .iter()
                    .any(|(code, _)| value == code);
                assert!(known, "{line}");
            } else if key == "request_id" {
                assert!(
                    uuid::Uuid::parse_str(value.as_str().unwrap()).is_ok(),
                    "{line}"
                );
            } else if key == "stages_ms" {
                for stage in value.as_array().unwrap() {
                    assert!(stage[0].is_string() && stage[1].is_number(), "{line}");
                }
            } else if !["time", "message"].contains(&key.as_str()) {
                assert!(value.is_number(), "{line}");
            }
        }
    }
    requests
}

/// E11: what a client sends beside its pixels is in no log line, no metric and no answer.
#[test]
fn what_a_client_says_is_repeated_nowhere() {
    let _alone = alone();
    let server = spawn(&[]);
    let mut sent = 0;
    let mut check = |what: &str, answer: std::io::Result<Answer>| {
        sent += 1;
        let answer = answer.unwrap_or_else(|e| panic!("{what}: {e}"));
        for (name, value) in &answer.headers {
            assert_silent(what, name.as_bytes());
            assert_silent(what, value.as_bytes());
        }
        assert_silent(what, &answer.body);
        answer.status
    };
    let picture = pictures::jpeg(64, 64);
    let request = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        http::request(server.address, method, path, headers, body)
    };
    let form = |form: Form| {
        let (mime, body) = form.finish();
        request("POST", BACKGROUND, &[("Content-Type", &mime)], &body)
    };
    let jpeg = ("Content-Type", "image/jpeg");
    let file = format!("{CANARY}.jpg");
    let part = format!("file\"; x=\"{CANARY}");
    assert_eq!(
        check(
            "a file name",
            form(Form::new().file("file", &file, &picture))
        ),
        200
    );
    assert_eq!(
        check("a field name", form(Form::of(&picture).text(CANARY, "1"))),
        400
    );
    assert_eq!(
        check(
            "a file field",
            form(Form::new().file(CANARY, "a", &picture))
        ),
        400
    );
    assert_eq!(
        check("a parameter", form(Form::new().file(&part, "a", &picture))),
        200
    );
    for option in [
        "background",
        "model",
        "format",
        "crop",
        "roi",
        "quality",
        "output",
        "scale",
    ] {
        let value = form(Form::of(&picture).text(option, CANARY));
        assert_eq!(check(option, value), 400);
        let query = format!("{BACKGROUND}?{option}={CANARY}");
        assert_eq!(
            check(option, request("POST", &query, &[jpeg], &picture)),
            400
        );
    }
    let query = format!("/v1/restore?steps={CANARY}");
    assert_eq!(
        check("steps", request("POST", &query, &[jpeg], &picture)),
        400
    );
    let query = format!("{BACKGROUND}?{CANARY}=1");
    assert_eq!(
        check(
            "an option's name",
            request("POST", &query, &[jpeg], &picture)
        ),
        400
    );
    for path in [
        format!("/{CANARY}"),
        format!("/?{CANARY}"),
        format!("/v1/models/{CANARY}"),
    ] {
        check("a path", request("GET", &path, &[], b""));
    }
    let mime = format!("image/{CANARY}");
    let type_ = [("Content-Type", mime.as_str())];
    assert_eq!(
        check(
            "a content type",
            request("POST", BACKGROUND, &type_, &picture)
        ),
        200
    );
    let accept = format!("image/{CANARY}, image/webp;q=0.{CANARY}");
    let headers = [
        jpeg,
        ("Accept", accept.as_str()),
        ("User-Agent", CANARY),
        ("Referer", CANARY),
        ("Cookie", CANARY),
        ("Authorization", CANARY),
        ("X-Request-Id", CANARY),
        ("X-Api-Key", CANARY),
        ("Origin", CANARY),
        ("Traceparent", CANARY),
        ("Forwarded", CANARY),
        (CANARY, CANARY),
    ];
    assert_eq!(
        check("headers", request("POST", BACKGROUND, &headers, &picture)),
        200
    );
    let boundary = format!("multipart/form-data; boundary={CANARY}");
    let headers = [("Content-Type", boundary.as_str())];
    assert_eq!(
        check(
            "a boundary",
            request("POST", BACKGROUND, &headers, &picture)
        ),
        400
    );
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{CANARY}\"\r\n\
         Content-Type: {CANARY}/{CANARY}\r\nX-{CANARY}: {CANARY}\r\n\r\nx\r\n--b--\r\n"
    );
    let headers = [("Content-Type", "multipart/form-data; boundary=b")];
    check(
        "a part's type",
        request("POST", BACKGROUND, &headers, body.as_bytes()),
    );
    for tagged in [tagged_jpeg(), tagged_png(), tagged_webp()] {
        assert_eq!(
            check("metadata", request("POST", BACKGROUND, &[jpeg], &tagged)),
            200
        );
        assert_eq!(
            check("metadata", request("POST", "/v1/inspect", &[jpeg], &tagged)),
            200
        );
        let broken = &tagged[..tagged.len() / 2];
        check(
            "broken metadata",
            request("POST", BACKGROUND, &[jpeg], broken),
        );
    }
    assert_eq!(
        check(
            "no picture",
            request("POST", BACKGROUND, &[jpeg], CANARY.as_bytes())
        ),
        415
    );
    let wrong = format!("{}{}", CANARY.repeat(3), "x");
    check("a method", request(&wrong, "/healthz", &[], b""));
    let metrics = http::request(server.metrics, "GET", &format!("/{CANARY}"), &[], b"");
    check("a path of the metrics", metrics);
    for junk in [
        format!("{CANARY}\r\n\r\n"),
        format!("GET / HTTP/9.{CANARY}\r\n\r\n"),
    ] {
        let mut stream = http::connect(server.address).unwrap();
        stream.write_all(junk.as_bytes()).unwrap();
        check("no request", http::read(&mut stream));
    }
    server.assert_books_balance();
    let metrics = http::request(server.metrics, "GET", "/metrics", &[], b"");
    assert_eq!(check("the metrics", metrics), 200);
    let requests = assert_log_is_closed(&server);
    println!("{sent} requests with canaries, {requests} log lines");
    assert!(requests > 30, "the log was written");
}

/// E13: the answer to one client does not depend on others.
#[test]
fn an_answer_is_the_same_whoever_else_is_served() {
    const PAIRS: usize = 30;
    let _alone = alone();
    let server = spawn(&[]);
    let paths = [BACKGROUND, "/v1/restore?steps=denoise"];
    let b = pictures::jpeg(150, 110);
    let alone = paths.map(|path| server.post(path, "image/jpeg", &b).body);
    thread::scope(|scope| {
        for lane in 0..4 {
            let (server, b, alone) = (&server, &b, &alone);
            scope.spawn(move || {
                for i in (lane..PAIRS).step_by(4) {
                    let size = 40 + 17 * i as u32;
                    let picture = pictures::noise(size, 200, i as u32);
                    let format = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP][i % 3];
                    let a = pictures::encoded(DynamicImage::from(picture), format);
                    let a = if i % 5 == 0 {
                        &a[..a.len() / 2]
                    } else {
                        &a[..]
                    };
                    let (with, own) = (paths[i % 2], i / 2 % 2);
                    let answer = thread::scope(|scope| {
                        let other = scope.spawn(|| server.post(with, "image/png", a));
                        let answer = server.post(paths[own], "image/jpeg", b);
                        let other = other.join().unwrap();
                        assert!(matches!(other.status, 200 | 422), "{}", other.status);
                        answer
                    });
                    assert!(
                        answer.body == alone[own],
                        "pair {i}: another answer beside A"
                    );
                    let after = server.post(paths[own], "image/jpeg", b);
                    assert!(after.body == alone[own], "pair {i}: another answer after A");
                }
            });
        }
    });
    server.assert_books_balance();
}

/// E16: no route shows what is inside, and nothing changes the log at run time.
#[test]
fn there_is_no_door_into_the_running_service() {
    let _alone = alone();
    let server = spawn(&[]);
    let doors = [
        "/debug",
        "/debug/pprof",
        "/admin",
        "/metrics",
        "/log",
        "/log-level",
        "/v1/log-level",
        "/loglevel",
        "/config",
        "/env",
        "/actuator",
        "/status",
        "/v1/images",
        "/v1/results",
        "/uploads",
        "/files",
        "/spool",
        "/dev/shm",
        "/..%2f..%2fetc%2fpasswd",
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/v1/pictures/1",
        "/trace",
        "/server-status",
        "/.env",
    ];
    for path in doors {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let answer = http::request(server.address, method, path, &[], b"");
            let status = answer.expect("an answer").status;
            assert_eq!(status, 404, "{method} {path}");
        }
    }
    let level = server.post("/log-level", "text/plain", b"level=debug");
    assert_eq!(level.status, 404);
    for method in ["TRACE", "DEBUG", "OPTIONS"] {
        let answer = http::request(server.address, method, "/healthz", &[("X-A", CANARY)], b"");
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 405, "{method}");
        assert_silent(method, &answer.body);
    }
    // What the service listens to is the list of routes, and only what takes a picture takes one.
    let document = server.get("/openapi.json").json();
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            assert!(
                ["get", "post"].contains(&method.as_str()),
                "{method} {path}"
            );
        }
        assert!(
            !path.contains('{'),
            "{path} reads something back by its name"
        );
    }
    assert_eq!(server.get("/v1/models").status, 200);
    assert_log_is_closed(&server);
}
