//! Keys and limits on the routes of other services: their clients' headers are our keys, and who is
//! refused is told so in the shape that its client reads.

use std::{fs, path::PathBuf, process::Command};

use serde_json::json;

use crate::{
    REMBG, REMOVEBG,
    common::{self, Answer, Form, PROGRAM, Server, http, pictures, spawn},
    form, picture,
    table::Table,
};

/// A keys file with a key for each of these lines of limits.
pub fn keys(limits: &[&str]) -> (PathBuf, Vec<String>) {
    let file = common::folder("keys").join("keys.toml");
    let (mut text, mut keys) = (String::new(), Vec::new());
    for (i, more) in limits.iter().enumerate() {
        let id = format!("k{i}");
        let ran = common::run(Command::new(PROGRAM).args(["key", "new", "--id", &id]), b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        text += &format!("{}{more}\n", ran.text());
        let mut words = ran.stderr.split_whitespace();
        let key = words.rfind(|word| word.starts_with(&format!("{id}.")));
        keys.push(key.expect("the key is shown").to_owned());
    }
    fs::write(&file, text).unwrap();
    (file, keys)
}

fn asked(server: &Server, method: &str, path: &str, key: Option<&str>) -> Answer {
    let (mime, body) = match path {
        REMBG => Form::of(&picture()).finish(),
        _ => form(&[]).finish(),
    };
    let mut headers = vec![("Content-Type", mime.as_str())];
    // As remove.bg's own clients write it.
    headers.extend(key.map(|key| ("X-Api-Key", key)));
    let body = if method == "POST" { &body[..] } else { b"" };
    http::request(server.address, method, path, &headers, body).expect("an answer")
}

/// Asserts remove.bg's shape; gives status, code and title.
fn refused(answer: &Answer) -> (u16, String, String) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{text}"
    );
    let json = answer.json();
    let errors = json["errors"].as_array().expect("errors");
    let word = |key: &str| errors[0][key].as_str().unwrap().to_owned();
    (answer.status, word("code"), word("title"))
}

pub fn whole(answer: &Answer, name: &str) -> u64 {
    let value = answer.header(name).unwrap_or_else(|| panic!("no {name}"));
    value.parse().unwrap_or_else(|_| panic!("{name}: {value}"))
}

#[test]
fn with_keys_on_a_clients_key_is_ours_and_refusals_have_remove_bgs_shape() {
    let mut table = Table::of("any (remove.bg)");
    let (file, keys) = keys(&[
        "",
        "scopes = [\"inspect\"]\n",
        "rate = \"6/min\"\nburst = 2\n",
        "megapixels_per_day = 0.1\n",
        "max_megapixels = 0.05\n",
        "scopes = [\"remove-background\"]\n",
    ]);
    let server = spawn(&["--workers=1", &format!("--keys={}", file.display())]);
    let [free, other, quick, poor, small, own] = &keys[..] else {
        panic!()
    };
    let post = |key| asked(&server, "POST", REMOVEBG, key);
    for key in [free, own] {
        assert_eq!(post(Some(key)).status, 200);
    }
    let bearer = [("Authorization", &format!("Bearer {free}")[..])];
    let account = |headers: &[_]| {
        http::request(server.address, "GET", "/v1.0/account", headers, b"").unwrap()
    };
    assert_eq!(account(&bearer).status, 200);
    let unknown = format!("k0.{}", "0".repeat(64));
    let missing = (403, "auth_failed".into(), "Missing API Key".into());
    let invalid = (403, "auth_failed".into(), "API Key invalid".into());
    for (method, path) in [
        ("POST", REMOVEBG),
        ("GET", "/v1.0/account"),
        ("POST", "/v1.0/improve"),
        ("DELETE", REMOVEBG),
    ] {
        assert_eq!(refused(&asked(&server, method, path, None)), missing);
        for key in [&unknown[..], "zq7canary"] {
            let answer = asked(&server, method, path, Some(key));
            assert_eq!(refused(&answer), invalid, "{method} {path}");
            assert!(answer.header("www-authenticate").is_some());
        }
    }
    let mut told = |sent: &str, answer: &Answer| {
        let (status, code, title) = refused(answer);
        table.row(sent, &format!("{status} `{code}`: {title}"));
        (status, code)
    };
    told("keys on: no key", &post(None));
    told("keys on: a key that is none", &post(Some(&unknown)));
    let answer = post(Some(other));
    let said = told("keys on: a key for another operation", &answer);
    assert_eq!(said, (403, "not_allowed".into()));
    // Whatever it may do, a key opens the account.
    assert_eq!(account(&[("X-Api-Key", &other[..])]).status, 200);
    assert_eq!(
        asked(&server, "POST", "/v1.0/improve", Some(other)).status,
        501
    );

    for left in [1, 0] {
        let answer = post(Some(quick));
        assert_eq!(answer.status, 200);
        assert_eq!(whole(&answer, "x-ratelimit-limit"), 2);
        // A slow machine may have refilled a part of it.
        assert!(whole(&answer, "x-ratelimit-remaining") >= left);
    }
    let answer = (0..9)
        .map(|_| post(Some(quick)))
        .find(|answer| answer.status != 200);
    let answer = answer.expect("it is held");
    let said = told("keys on: faster than the key may", &answer);
    assert_eq!(said, (429, "rate_limit_exceeded".into()));
    assert_eq!(whole(&answer, "x-ratelimit-remaining"), 0);
    assert!((1..=10).contains(&whole(&answer, "retry-after")));

    // The picture has 0.0768 megapixels.
    assert_eq!(post(Some(poor)).status, 200);
    let answer = post(Some(poor));
    let said = told("keys on: more megapixels than the key has", &answer);
    assert_eq!(said, (402, "insufficient_credits".into()));
    assert!((1..=86_400).contains(&whole(&answer, "retry-after")));
    assert_eq!(answer.header("x-quota-limit"), Some("0.10"));
    let said = told(
        "keys on: a larger picture than the key may",
        &post(Some(small)),
    );
    assert_eq!(said, (400, "resolution_too_high".into()));
    table.finish_part("keys on");
    server.assert_books_balance();
    let metrics = server.metrics();
    let count = |name: &str| metrics.get(name).copied().unwrap_or(0.0);
    assert!(count("safelight_rejections_total{reason=\"key\"}") >= 13.0);
    assert_eq!(count("safelight_rejections_total{reason=\"quota\"}"), 1.0);
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
}

#[test]
fn with_keys_on_rembgs_route_refuses_in_rembgs_shape() {
    let (file, keys) = keys(&[
        "",
        "scopes = [\"restore\"]\n",
        "rate = \"6/min\"\nburst = 1\n",
    ]);
    let server = spawn(&["--workers=1", &format!("--keys={}", file.display())]);
    let post = |key| asked(&server, "POST", REMBG, key);
    assert_eq!(post(Some(&keys[0])).status, 200);
    let mut table = Table::of("any (rembg)");
    let mut told = |sent: &str, answer: &Answer| {
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(answer.json(), json!({ "detail": detail }));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        // The only word of it that is not the same each time.
        let detail = answer.header("retry-after").map_or(detail.clone(), |wait| {
            detail.replace(&format!(" in {wait} s."), " in N s.")
        });
        table.row(sent, &format!("{} with `detail`: {detail}", answer.status));
        answer.status
    };
    let answer = post(None);
    assert_eq!(told("keys on: no key", &answer), 401);
    let asks = answer.header("www-authenticate").unwrap();
    assert!(asks.starts_with("Bearer "), "{asks}");
    let answer = post(Some("zq7canary"));
    assert_eq!(told("keys on: a key that is none", &answer), 401);
    let answer = post(Some(&keys[1]));
    assert_eq!(told("keys on: a key for another operation", &answer), 403);
    let answer = (0..9).map(|_| post(Some(&keys[2])));
    let answer = answer.into_iter().find(|answer| answer.status != 200);
    let answer = answer.expect("it is held");
    assert_eq!(told("keys on: faster than the key may", &answer), 429);
    assert!((1..=10).contains(&whole(&answer, "retry-after")));
    table.finish_part("keys on");
    let get = asked(&server, "GET", "/api/remove?url=http://x/", None);
    assert_eq!(get.status, 401);
    assert!(get.json()["detail"].is_string());
    server.assert_books_balance();
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
}

/// A limit per address, with keys off.
#[test]
fn who_comes_too_fast_without_a_key_is_told_so_in_the_clients_shape() {
    let server = spawn(&["--workers=1", "--rate-per-address=6/min"]);
    let limited = |path: &str| {
        let answers = (0..20).map(|_| asked(&server, "POST", path, Some("any")));
        let mut late = answers.filter(|answer| answer.status != 200);
        late.next().expect("it is held")
    };
    let answer = limited(REMOVEBG);
    let (status, code, title) = refused(&answer);
    assert_eq!(
        (status, &code[..], &title[..]),
        (429, "rate_limit_exceeded", "Rate limit exceeded")
    );
    assert_eq!(whole(&answer, "x-ratelimit-limit"), 6);
    assert!((1..=10).contains(&whole(&answer, "retry-after")));
    let answer = limited(REMBG);
    assert_eq!(answer.status, 429);
    assert!(answer.json()["detail"].is_string());
    assert!((1..=10).contains(&whole(&answer, "retry-after")));
    server.assert_books_balance();
}

#[test]
fn a_method_that_a_peers_route_does_not_take_is_refused_in_its_shape() {
    let server = spawn(&["--workers=1"]);
    for (method, path, allow) in [
        ("PUT", REMBG, "GET, HEAD, POST"),
        ("GET", REMOVEBG, "POST"),
        ("POST", "/v1.0/account", "GET, HEAD"),
        ("GET", "/v1.0/improve", "POST"),
    ] {
        let answer = http::request(server.address, method, path, &[], b"").unwrap();
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allow), "{path}");
        match path {
            REMBG => assert!(answer.json()["detail"].is_string()),
            _ => assert_eq!(refused(&answer).1, "method_not_allowed"),
        }
    }
}

/// One receipt speaks of the text that came and of the picture in it.
#[test]
fn receipts_are_given_here_as_elsewhere() {
    let server = spawn(&["--workers=1", "--receipts"]);
    let text = crate::fields::base64(&picture());
    let json = format!("{{\"image_file_b64\":\"{text}\"}}");
    let half = format!("{{\"image_file_b64\":\"{text}");
    let rembg = Form::of(&picture()).finish();
    let multipart = Form::of(&pictures::png(40, 30)[..100]).finish();
    let mime = "application/json";
    for (path, mime, body, status, inputs) in [
        (REMBG, &rembg.0[..], &rembg.1[..], 200, 1),
        (REMBG, &multipart.0, &multipart.1, 422, 1),
        (REMOVEBG, mime, json.as_bytes(), 200, 2),
        (REMOVEBG, mime, half.as_bytes(), 400, 2),
    ] {
        let headers = [
            ("Content-Type", mime),
            ("Deletion-Receipt-Digest", "sha-256"),
            ("Deletion-Receipt-Nonce", "n-1"),
        ];
        let answer = http::request(server.address, "POST", path, &headers, body).unwrap();
        assert_eq!(answer.status, status, "{path}");
        let receipt = answer.header("deletion-receipt").expect("a receipt");
        let said = receipt.split('.').nth(1).unwrap();
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let said: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(said).unwrap()).unwrap();
        assert_eq!(said["inputs"], inputs, "{path}: {said}");
        assert_eq!(said["overwritten"], true, "{said}");
        assert_eq!(said["nonce"], "n-1");
    }
    let wrong = [("Deletion-Receipt-Nonce", "zq7 canary")];
    let answer = http::request(server.address, "POST", REMOVEBG, &wrong, b"").unwrap();
    assert_eq!(refused(&answer).0, 400);
    server.assert_books_balance();
}
