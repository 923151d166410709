//! E11: what a client says is repeated nowhere.

use std::io::Write;

use crate::{
    BACKGROUND, assert_silent,
    common::{
        Answer, Form,
        faults::alone,
        http::{self, CANARY},
        pictures, spawn,
    },
    schema::{assert_log_is_closed, assert_metrics_are_closed},
    tagged::{tagged_jpeg, tagged_png, tagged_webp},
};

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
    assert_metrics_are_closed(&server);
    let requests = assert_log_is_closed(&server);
    println!("{sent} requests with canaries, {requests} log lines");
    assert!(requests > 30, "the log was written");
}
