//! Keys: who needs one, what a wrong one is told, what one allows.

use std::{collections::BTreeSet, process::Command};

use super::{CUT, INSPECT, Keys, send, send_picture, with_key};
use crate::common::{self, Answer, PROGRAM, http, pictures, spawn};

#[test]
fn with_keys_off_any_key_header_is_ignored() {
    let server = spawn(&["--workers=1"]);
    for headers in [
        [("Authorization", "Bearer k_0.zq7canary")],
        [("Authorization", "Basic eDp5")],
        [("X-API-Key", "zq7canary")],
    ] {
        let answer = send(&server, INSPECT, &headers);
        assert_eq!(answer.status, 200, "{headers:?}");
        assert_eq!(answer.header("x-ratelimit-limit"), None);
    }
}

#[test]
fn whatever_works_on_a_picture_needs_a_key_and_all_else_is_open() {
    let mut keys = Keys::new();
    let key = keys.add("shop", "");
    let server = keys.spawn(&[]);
    let document = server.get("/openapi.json").json();
    let schemes = document["components"]["securitySchemes"]
        .as_object()
        .unwrap();
    assert_eq!(schemes.keys().collect::<Vec<_>>(), ["apiKey", "bearer"]);
    let mut asked = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let named = format!("{method} {path}");
            let answer = match method.as_str() {
                "post" => send(&server, path, &[]),
                _ => server.get(path),
            };
            // The routes of other services refuse in their own shape: tests/compat/keys.rs.
            let peers = path.starts_with("/api/") || path.starts_with("/v1.0/");
            match operation.get("security") {
                Some(_) if peers => {
                    assert!(matches!(answer.status, 401 | 403), "{named}");
                    let status = answer.status.to_string();
                    for status in [status.as_str(), "403", "429"] {
                        assert!(
                            operation["responses"][status].is_object(),
                            "{named} {status}"
                        );
                    }
                    asked.insert(path.clone());
                }
                Some(_) => {
                    answer.assert_problem(&named, 401, "missing_key");
                    let bearer = answer.header("www-authenticate").unwrap();
                    assert_eq!(bearer, "Bearer realm=\"safelight\"", "{named}");
                    for status in ["401", "403", "429"] {
                        assert!(
                            operation["responses"][status].is_object(),
                            "{named} {status}"
                        );
                    }
                    asked.insert(path.clone());
                }
                None => assert_eq!(answer.status, 200, "{named}"),
            }
        }
    }
    assert!(
        [CUT, INSPECT, "/v1/restore", "/api/remove", "/v1.0/removebg"]
            .iter()
            .all(|path| asked.contains(*path))
    );
    // A path that is written in another way is the same path.
    for path in [
        "/v1/%69nspect",
        "/v1/remove%2Dbackground",
        "/v1/inspect?x=1",
    ] {
        let answer = send(&server, path, &[]);
        answer.assert_problem(path, 401, "missing_key");
    }
    let put = http::request(server.address, "PUT", INSPECT, &[], b"").unwrap();
    put.assert_problem("another method", 401, "missing_key");
    assert_eq!(server.get("/assets/app.css").status, 200);
    server
        .get("/v1/unheard-of")
        .assert_problem("no route", 404, "not_found");

    let bearer = format!("Bearer {key}");
    for headers in [("Authorization", bearer.as_str()), ("X-API-Key", &key)] {
        assert_eq!(send(&server, CUT, &[headers]).status, 200, "{}", headers.0);
    }
    server.assert_books_balance();
}

/// An answer without what differs between any two.
fn comparable(answer: Answer) -> String {
    let id = answer.header("x-request-id").unwrap().to_owned();
    let mut headers: Vec<_> = answer.headers.iter().filter(|(n, _)| n != "date").collect();
    headers.sort();
    let text = format!(
        "{} {headers:?} {}",
        answer.status,
        String::from_utf8(answer.body.clone()).unwrap()
    );
    text.replace(&id, "ID")
}

#[test]
fn a_wrong_secret_an_unknown_id_and_nonsense_are_told_the_same() {
    let mut keys = Keys::new();
    let key = keys.add("shop", "");
    let other = keys.add("press", "");
    let server = keys.spawn(&[]);
    let (_, secret) = key.split_once('.').unwrap();
    let wrong = "0".repeat(64);
    let first = with_key(&server, INSPECT, &format!("shop.{wrong}"));
    first.assert_problem("a wrong secret", 401, "wrong_key");
    assert!(
        first
            .header("www-authenticate")
            .unwrap()
            .contains("error=\"invalid_token\"")
    );
    let first = comparable(first);
    for sent in [
        format!("nobody.{secret}"),
        format!("press.{secret}"),
        format!("shop.{}", &secret[1..]),
        format!("{key}0"),
        format!("Shop.{secret}"),
        secret.to_owned(),
        "shop".to_owned(),
        "shop.".to_owned(),
        ".".to_owned(),
        String::new(),
        "x".repeat(5000),
        format!("{key} {other}"),
    ] {
        assert_eq!(
            comparable(with_key(&server, INSPECT, &sent)),
            first,
            "{sent}"
        );
    }
    assert_eq!(with_key(&server, INSPECT, &key).status, 200);
    assert_eq!(with_key(&server, INSPECT, &other).status, 200);
}

#[test]
fn a_key_is_asked_for_before_the_body_is_read() {
    let mut keys = Keys::new();
    keys.add("shop", "");
    let server = keys.spawn(&["--max-upload=100KiB", "--upload-idle=20s"]);
    // A body that is announced, too large and never sent: the key comes first all the same.
    for length in [50 << 10, 1 << 30] {
        let mut stream = http::begin(server.address, INSPECT, "image/jpeg", length, b"");
        let answer = http::read(&mut stream).unwrap();
        answer.assert_problem("nothing sent", 401, "missing_key");
    }
    let wrong_option = send(&server, "/v1/remove-background?nonsense=1", &[]);
    wrong_option.assert_problem("an unknown option", 401, "missing_key");
    assert_eq!(server.metric("safelight_inputs_opened_total"), 0.0);
    assert_eq!(
        server.metric("safelight_rejections_total{reason=\"key\"}"),
        3.0
    );
}

#[test]
fn a_key_allows_its_operations_and_no_other() {
    let mut keys = Keys::new();
    let some = keys.add("some", "scopes = [\"inspect\", \"restore\"]\n");
    let cut = keys.add("cut", "scopes = [\"remove-background\"]\n");
    let all = keys.add("all", "");
    let server = keys.spawn(&[]);
    for (key, path, status) in [
        (&some, INSPECT, 200),
        (&some, "/v1/restore?steps=denoise", 200),
        (&some, CUT, 403),
        (&cut, CUT, 200),
        (&cut, INSPECT, 403),
        (&cut, "/v1/restore", 403),
        (&all, CUT, 200),
        (&all, INSPECT, 200),
    ] {
        let answer = with_key(&server, path, key);
        assert_eq!(answer.status, status, "{path}");
        if status == 403 {
            answer.assert_problem(path, 403, "not_allowed");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            let operation = path.rsplit('/').next().unwrap();
            assert!(detail.contains(operation), "{detail}");
        }
    }
    assert_eq!(
        server.metric("safelight_rejections_total{reason=\"scope\"}"),
        3.0
    );
}

#[test]
fn a_key_allows_in_a_list_what_it_allows_alone() {
    let mut keys = Keys::new();
    let lists = "scopes = [\"pipeline\", \"batch\", \"transform\"]\n";
    let lists = keys.add("lists", lists);
    let server = keys.spawn(&[]);
    let allowed = "[{\"op\":\"transform\",\"width\":40}]";
    let refused = "[{\"op\":\"transform\"},{\"op\":\"remove-background\"}]";
    let picture = pictures::png(160, 120);
    let key = ("X-API-Key", lists.as_str());
    for route in ["/v1/pipeline", "/v1/batch"] {
        for (ops, status) in [(allowed, 200), (refused, 403)] {
            // In the form, which is known when the picture is there, and in the query before it.
            let (mime, form) = http::Form::of(&picture).text("ops", ops).finish();
            let encoded: String = ops.bytes().map(|b| format!("%{b:02X}")).collect();
            let query = format!("{route}?ops={encoded}");
            let headers = [("Content-Type", mime.as_str()), key];
            let bare = http::Form::of(&picture).finish();
            let bare_headers = [("Content-Type", bare.0.as_str()), key];
            for (path, headers, body) in [
                (route, headers, &form),
                (query.as_str(), bare_headers, &bare.1),
            ] {
                let answer = http::request(server.address, "POST", path, &headers, body).unwrap();
                assert_eq!(answer.status, status, "{path} {ops}");
                if status == 403 {
                    answer.assert_problem(path, 403, "not_allowed");
                    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
                    assert!(detail.contains("remove-background"), "{detail}");
                }
            }
        }
    }
}

#[test]
fn a_key_that_allows_smaller_pictures_says_so() {
    let mut keys = Keys::new();
    let small = keys.add("small", "max_megapixels = 0.01\n");
    let server = keys.spawn(&[]);
    let answer = with_key(&server, CUT, &small);
    answer.assert_problem("160 x 120", 422, "too_many_pixels");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("0.02") && detail.contains("0.01"),
        "{detail}"
    );
    let less = pictures::jpeg(80, 60);
    let answer = send_picture(&server, CUT, &[("X-API-Key", &small)], &less);
    assert_eq!(answer.status, 200);
    server.assert_books_balance();
}

#[test]
fn a_wrong_keys_file_refuses_to_start_and_names_the_entry() {
    let mut keys = Keys::new();
    keys.add("shop", "");
    let good = keys.text.clone();
    for (text, part) in [
        (String::new(), "no [[key]]"),
        (
            format!("{good}scopes = [\"fly\"]\n"),
            "entry 1: `scopes` takes names out of",
        ),
        (format!("{good}{good}"), "entry 2: its id is taken"),
        (
            format!("{good}storage = \"disk\"\n"),
            "unknown field `storage`",
        ),
        (format!("{good}[[key"), "near line"),
    ] {
        keys.text = text;
        keys.write();
        let flag = keys.flag();
        let serve = [
            "serve",
            "--listen=127.0.0.1:0",
            "--metrics-listen=127.0.0.1:0",
            &flag,
        ];
        let ran = common::run(Command::new(PROGRAM).args(serve), b"");
        assert_eq!(ran.code, Some(78), "{}", ran.stderr);
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
        let hash = good.split('"').nth(3).unwrap();
        assert!(!ran.stderr.contains(hash), "{}", ran.stderr);
    }
}
