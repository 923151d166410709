//! Requests that break the protocol, or are read in two ways: each one refused with its status, the
//! connection closed, and nothing of what follows served.

use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

use crate::{
    CUT,
    common::{
        http::{self, CANARY},
        pictures, spawn,
    },
};

/// What would be served, were a request before it read as if it ended earlier.
const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

fn cases() -> Vec<(&'static str, Vec<u8>, u16)> {
    let post = format!("POST {CUT} HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\n");
    let chunked = format!("{post}Transfer-Encoding: chunked\r\n\r\n");
    let form = |boundary: &str, body: &str| {
        format!(
            "POST {CUT} HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; \
             boundary={boundary}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let many: String = (0..97).map(|i| format!("X-{i}: 1\r\n")).collect();
    let get = |rest: &str| format!("GET /healthz HTTP/1.1\r\n{rest}\r\n");
    let cases: Vec<(&str, String, u16)> = vec![
        // Where a request ends is said twice, or not clearly (RFC 9112, section 6.3).
        (
            "length and chunks",
            format!(
                "{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"
            ),
            400,
        ),
        (
            "chunks and length",
            format!(
                "{post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{SMUGGLED}"
            ),
            400,
        ),
        (
            "two lengths",
            format!("{post}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd{SMUGGLED}"),
            400,
        ),
        (
            "the same length twice",
            format!("{post}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc{SMUGGLED}"),
            400,
        ),
        (
            "a list of lengths",
            format!("{post}Content-Length: 3, 3\r\n\r\nabc{SMUGGLED}"),
            400,
        ),
        (
            "a negative length",
            format!("{post}Content-Length: -1\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "a length with a sign",
            format!("{post}Content-Length: +3\r\n\r\nabc{SMUGGLED}"),
            400,
        ),
        (
            "a length that is no number",
            format!("{post}Content-Length: {CANARY}\r\n\r\n"),
            400,
        ),
        (
            "chunks that are not last",
            format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "an unknown encoding",
            format!("{post}Transfer-Encoding: {CANARY}\r\n\r\n0\r\n\r\n"),
            400,
        ),
        (
            "chunks twice",
            format!(
                "{post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"
            ),
            400,
        ),
        (
            "chunks in HTTP/1.0",
            chunked.replacen("HTTP/1.1", "HTTP/1.0", 1) + "0\r\n\r\n",
            400,
        ),
        (
            "a folded header",
            format!("{post}X: a\r\n Content-Length: 3\r\n\r\nabc"),
            400,
        ),
        ("a blank before the colon", get("Host : a\r\n"), 400),
        ("no host", get(""), 400),
        ("two hosts", get("Host: a\r\nHost: b\r\n"), 400),
        (
            "a null in the path",
            "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            400,
        ),
        ("a null in a header", get("Host: a\r\nX: \0\r\n"), 400),
        ("HTTP/9.9", "GET / HTTP/9.9\r\nHost: a\r\n\r\n".into(), 400),
        ("no request", format!("{CANARY}\r\n\r\n"), 400),
        ("97 headers", get(&format!("Host: a\r\n{many}")), 431),
        (
            "a header of 200 KiB",
            get(&format!("Host: a\r\nX: {}\r\n", "a".repeat(200 << 10))),
            431,
        ),
        // Chunks that are none.
        (
            "a size that is no number",
            format!("{chunked}ZZZ\r\nabc\r\n"),
            400,
        ),
        (
            "a broken second chunk",
            format!("{chunked}3\r\nabc\r\nZZ\r\n"),
            400,
        ),
        (
            "a chunk of 2^68 bytes",
            format!("{chunked}fffffffffffffffff\r\nabc\r\n"),
            400,
        ),
        (
            "a chunk without its end",
            format!("{chunked}3\r\nabcXY\r\n"),
            400,
        ),
        ("a negative chunk", format!("{chunked}-3\r\nabc\r\n"), 400),
        // Forms (RFC 2046, section 5.1.1).
        ("no boundary", form("", "--\r\n"), 400),
        ("a boundary of one letter", form("a", "\n--a.."), 400),
        (
            "a boundary that never comes",
            form(CANARY, &"x".repeat(3000)),
            400,
        ),
        ("an end without a part", form("b", "--b--\r\n"), 400),
        (
            "a part without a head",
            form("b", "--b\r\n\r\nx\r\n--b--\r\n"),
            400,
        ),
        (
            "a part that is no form data",
            form(
                "b",
                "--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n",
            ),
            400,
        ),
        (
            "a form in a form",
            form(
                "b",
                "--b\r\nContent-Disposition: form-data; name=\"file\"\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--\r\n",
            ),
            400,
        ),
    ];
    let mut cases: Vec<_> = cases
        .into_iter()
        .map(|(name, text, status)| (name, text.into_bytes(), status))
        .collect();
    cases.push(("noise", pictures::noise(20, 20, 9).into_raw(), 400));
    let hello = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".repeat(9);
    cases.push(("a TLS hello", hello, 400));
    cases
}

#[test]
fn requests_that_break_the_protocol_are_refused_and_their_connection_closed() {
    let server = spawn(&["--head-timeout=3s"]);
    let cases = cases();
    thread::scope(|scope| {
        for (name, bytes, status) in &cases {
            let server = &server;
            scope.spawn(move || {
                let started = Instant::now();
                let answer = http::exchange(server.address, bytes);
                let answer = answer.unwrap_or_else(|e| panic!("{name}: {e}"));
                let text = String::from_utf8_lossy(&answer);
                let first = format!("HTTP/1.1 {status} ");
                assert!(text.starts_with(&first), "{name}: {text}");
                assert_eq!(
                    text.matches("HTTP/1.1 ").count(),
                    1,
                    "{name}: what follows was served"
                );
                assert!(text.contains("connection: close"), "{name}: {text}");
                assert!(!text.contains(CANARY), "{name} repeats the client: {text}");
                // The end came from the server, which waits for an unread body 10 s at most.
                assert!(started.elapsed() < Duration::from_secs(30), "{name}");
            });
        }
        // A head that never ends, one that drips, and nothing at all.
        for (name, start) in [
            ("stalls", "POST /v1/restore HTTP/1.1\r\nHost: a\r\n"),
            ("drips", "G"),
        ] {
            let server = &server;
            scope.spawn(move || {
                let mut stream = http::connect(server.address).unwrap();
                stream.write_all(start.as_bytes()).unwrap();
                let mut writer = stream.try_clone().unwrap();
                if name == "drips" {
                    scope.spawn(move || {
                        // Bounded, and far beyond the deadline.
                        for _ in 0..100 {
                            if writer.write_all(b"E").is_err() {
                                break;
                            }
                            thread::sleep(Duration::from_millis(100));
                        }
                    });
                }
                let answer = http::read(&mut stream).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(answer.status, 408, "{name}");
            });
        }
    });
    println!("{} requests that break the protocol", cases.len() + 2);
    let picture = pictures::jpeg(64, 48);
    assert_eq!(server.post(CUT, "image/jpeg", &picture).status, 200);
    server.assert_books_balance();
}
