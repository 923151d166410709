//! What `--compat` switches: which paths answer, what the document lists, who needs a key.

use std::{collections::BTreeSet, fs};

use serde_json::json;

use crate::{
    BACKGROUNDREMOVER, WITHOUTBG,
    common::{self, Answer, Form, Launch, Server, http, spawn},
    fields::base64,
    keys::{keys, whole},
    picture, send,
};

/// The routes that each contract brings: method, path, and what is answered without it.
const ROUTES: [(&str, &str, &str, u16); 5] = [
    ("withoutbg", "POST", "/v1.0/alpha-channel-base64", 404),
    ("withoutbg", "GET", "/health", 404),
    ("withoutbg", "GET", "/ready", 404),
    ("withoutbg", "GET", "/v1/licenses", 404),
    ("backgroundremover", "POST", "/", 405),
];

fn asked(server: &Server, method: &str, path: &str) -> u16 {
    let answer = http::request(server.address, method, path, &[], b"");
    answer.unwrap().status
}

/// The methods and paths of the document.
fn documented(server: &Server) -> BTreeSet<(String, String)> {
    let document = server.get("/openapi.json").json();
    let paths = document["paths"].as_object().unwrap().iter();
    let each = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(|method| (method.to_uppercase(), path.clone()))
    });
    each.collect()
}

#[test]
fn each_contract_is_off_until_it_is_switched_on() {
    let off = spawn(&[]);
    let all = documented(&off);
    for (on, flags) in [
        (&[][..], &[][..]),
        (&["withoutbg"], WITHOUTBG),
        (&["backgroundremover"], BACKGROUNDREMOVER),
        (
            &["withoutbg", "backgroundremover"],
            &["--compat", "withoutbg", "--compat", "backgroundremover"],
        ),
        (
            &["withoutbg", "backgroundremover"],
            &["--compat=withoutbg,backgroundremover"],
        ),
    ] {
        let server = spawn(flags);
        let mut expected = all.clone();
        for (name, method, path, without) in ROUTES {
            let status = asked(&server, method, path);
            match on.contains(&name) {
                true => {
                    expected.insert((method.to_owned(), path.to_owned()));
                    assert_eq!(
                        status,
                        if method == "GET" { 200 } else { 400 },
                        "{on:?} {path}"
                    );
                }
                false => assert_eq!(status, without, "{on:?} {method} {path}"),
            }
        }
        assert_eq!(documented(&server), expected, "{on:?}");
        let modes = server.get("/v1/transparency").json()["modes"]["compat"].take();
        assert_eq!(modes, json!(on));
        let body = format!("{{\"image\":\"{}\"}}", base64(&picture()));
        let answer = send(
            &server,
            "/v1/remove-background",
            "application/json",
            &[],
            body.as_bytes(),
        );
        let switched = on.contains(&"withoutbg");
        assert_eq!(
            answer.status,
            if switched { 200 } else { 400 },
            "{on:?}: JSON"
        );
        let page = server.get("/?url=http://127.0.0.1/").status;
        let switched = on.contains(&"backgroundremover");
        assert_eq!(page, if switched { 400 } else { 200 }, "{on:?}: a URL");
    }
    let named = Launch {
        variables: &[("SAFELIGHT_COMPAT", "backgroundremover")],
        ..Launch::default()
    };
    assert_eq!(asked(&named.start(), "POST", "/"), 400, "by the variable");
    let folder = common::folder("compat");
    let file = folder.join("safelight.toml");
    fs::write(&file, "compat = [\"withoutbg\"]\n").unwrap();
    let server = spawn(&[&format!("--config={}", file.display())]);
    assert_eq!(asked(&server, "GET", "/health"), 200, "by the file");
    fs::remove_dir_all(folder).unwrap();
    let ran = common::run(
        std::process::Command::new(common::PROGRAM).args(["serve", "--compat=clipdrop"]),
        b"",
    );
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("withoutbg"), "{}", ran.stderr);
}

fn with_key(server: &Server, path: &str, key: Option<&str>) -> Answer {
    let (mime, body) = match path {
        "/" => Form::of(&picture()).finish(),
        "/v1/remove-background?output=matte" => ("image/jpeg".to_owned(), picture()),
        _ => {
            let member = match path {
                "/v1.0/alpha-channel-base64" => "image_base64",
                _ => "image",
            };
            let body = format!("{{\"{member}\":\"{}\"}}", base64(&picture()));
            ("application/json".to_owned(), body.into_bytes())
        }
    };
    let headers: Vec<_> = key.map(|key| ("X-API-Key", key)).into_iter().collect();
    send(server, path, &mime, &headers, &body)
}

#[test]
fn keys_and_limits_hold_and_are_told_in_the_clients_shape() {
    for (client, path, members) in [
        ("any (withoutBG)", "/v1/remove-background", &["detail"][..]),
        (
            "any (withoutBG)",
            "/v1/remove-background?output=matte",
            &["error"],
        ),
        (
            "any (withoutBG)",
            "/v1.0/alpha-channel-base64",
            &["detail", "error"],
        ),
        ("any (backgroundremover)", "/", &["error"]),
    ] {
        let (file, keys) = keys(&[
            "",
            "scopes = [\"restore\"]\n",
            "rate = \"6/min\"\nburst = 1\n",
            "megapixels_per_day = 0.1\n",
        ]);
        let server = spawn(&[
            "--compat=withoutbg,backgroundremover",
            "--workers=1",
            &format!("--keys={}", file.display()),
        ]);
        let post = |key: Option<&str>| with_key(&server, path, key);
        let told = |what: &str, answer: &Answer, status: u16| {
            assert_eq!(answer.status, status, "{client} {path}: {what}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let json = answer.json();
            let names: Vec<_> = json.as_object().unwrap().keys().collect();
            assert_eq!(names, members, "{path}: {what}");
        };
        assert_eq!(post(Some(&keys[0])).status, 200, "{path}");
        let answer = post(None);
        told("no key", &answer, 401);
        assert!(answer.header("www-authenticate").is_some(), "{path}");
        told("a key that is none", &post(Some("zq7canary")), 401);
        told("a key for another operation", &post(Some(&keys[1])), 403);
        let late = (0..9).map(|_| post(Some(&keys[2])));
        let late = late.into_iter().find(|answer| answer.status != 200);
        let late = late.expect("it is held");
        told("faster than the key may", &late, 429);
        assert!((1..=10).contains(&whole(&late, "retry-after")));
        assert_eq!(post(Some(&keys[3])).status, 200, "{path}");
        let poor = match path {
            "/v1.0/alpha-channel-base64" => 402,
            _ => 429,
        };
        told(
            "more megapixels than the key has",
            &post(Some(&keys[3])),
            poor,
        );
        for open in ["/", "/health", "/ready", "/v1/licenses"] {
            assert_eq!(server.get(open).status, 200, "{open} needs no key");
        }
        // What is not theirs is refused as ever.
        let ours = server.post("/v1/remove-background", "image/jpeg", &picture());
        ours.assert_problem("ours", 401, "missing_key");
        server.assert_books_balance();
        fs::remove_dir_all(file.parent().unwrap()).unwrap();
    }
}

/// The text and the picture in it are inputs of one receipt, as everywhere.
#[test]
fn receipts_are_given_on_these_routes_too() {
    let server = spawn(&["--compat=withoutbg,backgroundremover", "--receipts"]);
    for (path, inputs) in [
        ("/v1/remove-background", 2),
        ("/v1/remove-background?output=matte", 1),
        ("/v1.0/alpha-channel-base64", 2),
        ("/", 1),
    ] {
        let answer = with_key(&server, path, None);
        assert_eq!(answer.status, 200, "{path}");
        let receipt = answer.header("deletion-receipt").expect("a receipt");
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let said = URL_SAFE_NO_PAD.decode(receipt.split('.').nth(1).unwrap());
        let said: serde_json::Value = serde_json::from_slice(&said.unwrap()).unwrap();
        assert_eq!(said["inputs"], inputs, "{path}: {said}");
        assert_eq!(said["overwritten"], true, "{path}: {said}");
    }
    server.assert_books_balance();
}
