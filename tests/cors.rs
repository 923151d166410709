//! Cross-origin calls: a browser lets a page of a named origin use the service and read all of its
//! answers, and no other page anything.

mod common;

use std::{
    net::{SocketAddr, TcpListener},
    process::Command,
};

use common::{http, pictures, spawn};
use serde_json::Value;

const CUT: &str = "/v1/remove-background";

/// A page of another origin, served until the test's process ends.
fn elsewhere() -> SocketAddr {
    const PAGE: &str = "<!doctype html><title>elsewhere</title>";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    http::serve_page(listener, PAGE.to_owned());
    address
}

#[test]
fn a_browser_lets_only_the_named_origin_in() {
    let browser = common::tool(&["chromium", "chromium-browser", "google-chrome"]);
    let (Some(node), Some(browser)) = (common::tool(&["node"]), browser) else {
        return common::skip(
            "a_browser_lets_only_the_named_origin_in",
            "Node and Chromium",
        );
    };
    let (named, other) = (elsewhere(), elsewhere());
    let server = spawn(&[&format!("--cors-origin=http://{named}")]);
    let mut command = Command::new(node);
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cors.mjs"))
        .arg(browser)
        .arg(format!("http://{}", server.address))
        .args([named, other].map(|page| format!("http://{page}/")));
    let ran = common::run(&mut command, b"");
    assert_eq!(ran.code, Some(0), "{}{}", ran.text(), ran.stderr);
    let seen: Value = serde_json::from_str(ran.text().trim()).unwrap();

    let [let_in, kept_out] = [&seen[0], &seen[1]];
    for call in ["form", "raw"] {
        let answer = &let_in[call];
        assert_eq!(answer["status"], 200, "{call}: {answer}");
        assert_eq!(answer["type"], "image/png");
        assert!(answer["bytes"].as_u64().unwrap() > 100);
        let names = answer["names"].to_string();
        for name in [
            "server-timing",
            "x-image-height",
            "x-image-width",
            "x-mask-confidence",
            "x-model",
            "x-model-license",
            "x-request-id",
        ] {
            assert!(names.contains(name), "{name} cannot be read: {names}");
        }
    }
    assert_eq!(let_in["refused"]["status"], 400, "errors can be read too");
    assert_eq!(let_in["refused"]["type"], "application/problem+json");
    assert_eq!(let_in["models"]["status"], 200);
    for call in ["form", "raw", "refused", "models"] {
        assert_eq!(kept_out[call]["error"], "TypeError", "{call}: {kept_out}");
    }
}

/// The headers by which browsers decide.
#[test]
fn only_named_origins_are_answered_and_none_by_default() {
    let file = pictures::jpeg(64, 48);
    let preflight = |address, origin: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type"),
        ];
        http::request(address, "OPTIONS", CUT, &headers, b"").unwrap()
    };
    let post = |address, origin: &str| {
        let headers = [("Origin", origin), ("Content-Type", "image/jpeg")];
        http::request(address, "POST", CUT, &headers, &file).unwrap()
    };
    let allowed = |answer: &common::Answer| {
        let value = answer.header("access-control-allow-origin");
        value.map(str::to_owned)
    };
    let (one, two) = ("https://one.example", "http://two.example:8000");
    let server = spawn(&["--cors-origin", &format!("{one},{two}")]);
    for origin in [one, two] {
        let before = preflight(server.address, origin);
        assert_eq!(before.status, 200);
        assert_eq!(allowed(&before).as_deref(), Some(origin));
        let methods = before.header("access-control-allow-methods").unwrap();
        assert!(methods.contains("POST") && !methods.contains("DELETE"));
        let answer = post(server.address, origin);
        assert_eq!(answer.status, 200);
        assert_eq!(allowed(&answer).as_deref(), Some(origin));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        let vary = answer.header("vary").unwrap().to_lowercase();
        assert!(vary.contains("origin"), "caches keep origins apart: {vary}");
    }
    for origin in ["https://three.example", "null", "https://one.example.org"] {
        assert_eq!(
            allowed(&preflight(server.address, origin)),
            None,
            "{origin}"
        );
        assert_eq!(allowed(&post(server.address, origin)), None, "{origin}");
    }
    let closed = spawn(&[]);
    assert_eq!(preflight(closed.address, one).status, 405);
    assert_eq!(allowed(&post(closed.address, one)), None);
}

#[test]
fn an_origin_that_is_none_is_refused_at_the_start() {
    for wrong in ["*", "https://one.example/", "one.example"] {
        let mut command = Command::new(common::PROGRAM);
        command.args(["serve", "--cors-origin", wrong]);
        let ran = common::run(&mut command, b"");
        assert_eq!(ran.code, Some(2), "{wrong}");
        assert!(ran.stderr.contains("--cors-origin"), "{}", ran.stderr);
    }
}

/// Pages that speak to remove.bg's interface send its key header and read its headers.
#[test]
fn the_routes_of_other_services_are_open_to_the_same_origins() {
    let origin = "https://one.example";
    let server = spawn(&[&format!("--cors-origin={origin}")]);
    for (path, field) in [("/api/remove", "file"), ("/v1.0/removebg", "image_file")] {
        let asks = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "x-api-key"),
        ];
        let before = http::request(server.address, "OPTIONS", path, &asks, b"").unwrap();
        assert_eq!(before.status, 200, "{path}");
        let form = common::Form::new().file(field, "a", &pictures::jpeg(160, 120));
        let (mime, body) = form.finish();
        let headers = [("Origin", origin), ("Content-Type", mime.as_str())];
        let answer = http::request(server.address, "POST", path, &headers, &body).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        for answer in [&before, &answer] {
            let allowed = answer.header("access-control-allow-origin");
            assert_eq!(allowed, Some(origin), "{path}");
        }
        let shown = answer.header("access-control-expose-headers").unwrap();
        let shown = shown.to_ascii_lowercase();
        for (name, _) in &answer.headers {
            let own = name.starts_with("x-") && name != "x-content-type-options";
            assert!(!own || shown.contains(name.as_str()), "{path}: {name}");
        }
    }
}
