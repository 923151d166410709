//! E13, E16, E18: no request has to do with another, none is treated in its own way, and no route
//! shows what is inside.

use std::thread;

use image::{DynamicImage, ImageFormat};
use safelight::config::Settings;

use crate::{
    BACKGROUND, assert_silent,
    common::{
        faults::alone,
        http::{self, CANARY},
        pictures, spawn,
    },
    schema::assert_log_is_closed,
};

/// E13: the answer to one client does not depend on others.
#[test]
fn an_answer_is_the_same_whoever_else_is_served() {
    const PAIRS: usize = 100;
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
                    let size = 40 + 5 * i as u32;
                    let picture = pictures::noise(size, 200, i as u32);
                    let format = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP][i % 3];
                    let a = pictures::encoded(DynamicImage::from(picture), format);
                    let a = if i % 5 == 0 {
                        &a[..a.len() / 2]
                    } else {
                        &a[..]
                    };
                    let (with, own) = (paths[i % 2], i / 2 % 2);
                    let send_a = || {
                        let other = server.post(with, "image/png", a);
                        assert!(matches!(other.status, 200 | 422), "{}", other.status);
                    };
                    let answer = thread::scope(|scope| match i % 2 {
                        // Beside A, or after it.
                        0 => {
                            scope.spawn(send_a);
                            server.post(paths[own], "image/jpeg", b)
                        }
                        _ => {
                            send_a();
                            server.post(paths[own], "image/jpeg", b)
                        }
                    });
                    assert!(answer.body == alone[own], "pair {i}: another answer");
                }
            });
        }
    });
    server.assert_books_balance();
}

/// E18: who asks decides nothing. The same picture gives the same bytes by the same model, whatever
/// a client says of itself; and there is no setting for one client alone.
#[test]
fn no_client_is_treated_in_a_way_of_its_own() {
    let _alone = alone();
    let server = spawn(&[]);
    let picture = pictures::jpeg(120, 90);
    let ask = |more: &[(&str, &str)]| {
        let headers = [&[("Content-Type", "image/jpeg")], more].concat();
        let answer = http::request(server.address, "POST", BACKGROUND, &headers, &picture);
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{more:?}");
        let same = |(name, _): &&(String, String)| {
            !["date", "x-request-id", "server-timing"].contains(&name.as_str())
        };
        let mut head: Vec<_> = answer.headers.iter().filter(same).cloned().collect();
        head.sort();
        (head, answer.body)
    };
    let nobody = ask(&[]);
    for (name, value) in [
        ("Authorization", "Bearer k_1234.secret"),
        ("Authorization", "Basic dXNlcjpwYXNz"),
        ("X-Api-Key", "k_1234.secret"),
        ("Cookie", "session=1; model=u2netp; log=debug"),
        ("User-Agent", "somebody in particular"),
        ("X-Forwarded-For", "203.0.113.7"),
        ("From", "somebody@example.org"),
        ("X-Tenant", "first"),
        ("X-Model", "u2netp"),
        ("X-Debug", "1"),
    ] {
        assert!(ask(&[(name, value)]) == nobody, "{name}: another answer");
    }
    // Models, storage and log are settings of the whole service.
    let words = [
        "tenant", "client", "user", "per-key", "sample", "debug", "trace", "keep", "store",
    ];
    for (flag, ..) in Settings::table() {
        assert!(!words.iter().any(|word| flag.contains(word)), "{flag}");
    }
    assert_log_is_closed(&server);
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
        // Of a request that goes on, one can read how far it is, and nothing else.
        assert!(
            !path.contains('{') || path == "/v1/progress/{id}",
            "{path} reads something back by its name"
        );
    }
    assert_eq!(server.get("/v1/models").status, 200);
    assert_log_is_closed(&server);
}
