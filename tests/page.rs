//! The demo page: everything it names is served from here, and a browser does the job with it.

mod common;

#[path = "page/visits.rs"]
mod visits;

use std::{collections::BTreeSet, fs, process::Command};

use common::{Server, spawn};

/// The policy that lets the page load from here and from itself, and nothing else.
const POLICY: &str = "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'none'";

/// What a text names between quotes after one of these words.
fn named(text: &str, words: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for word in words {
        for rest in text.split(word).skip(1) {
            let rest = rest.trim_start_matches([' ', '(']);
            let Some(quote) = rest.chars().next().filter(|c| "\"'".contains(*c)) else {
                continue;
            };
            found.insert(rest[1..].split(quote).next().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn the_documentation_shows_every_route_option_and_error() {
    const TEST: &str = "the_documentation_shows_every_route_option_and_error";
    let browser = common::tool(&["chromium", "chromium-browser", "google-chrome"]);
    let (Some(node), Some(browser)) = (common::tool(&["node"]), browser) else {
        return common::skip(TEST, "Node and Chromium");
    };
    let server = spawn(&[]);
    let folder = common::folder("docs");
    let mut command = Command::new(node);
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs.mjs"))
        .arg(browser)
        .arg(format!("http://{}/docs", server.address))
        .arg(&folder);
    let ran = common::run(&mut command, b"");
    let _ = fs::remove_dir_all(&folder);
    assert_eq!(ran.code, Some(0), "{}{}", ran.text(), ran.stderr);
    let seen: serde_json::Value = serde_json::from_str(ran.text().trim()).unwrap();
    assert_eq!(seen["errors"], serde_json::json!([]));
    assert_eq!(seen["overflow"], 0, "nothing is wider than a phone");
    let shown = seen["text"].as_str().unwrap();
    let api = server.get("/openapi.json").json();
    let paths = api["paths"].as_object().unwrap();
    for (path, methods) in paths {
        assert!(shown.contains(path), "{path} is not shown");
        let fields = &methods["post"]["requestBody"]["content"]["multipart/form-data"];
        let fields = fields["schema"]["properties"].as_object();
        for name in fields.into_iter().flatten().map(|(name, _)| name) {
            assert!(shown.contains(name), "{path}: {name} is not shown");
        }
    }
    for (code, about) in safelight::error::CODES {
        assert!(
            shown.contains(code) && shown.contains(&about.replace('`', "")),
            "{code}"
        );
    }
}

/// The path that `name` means in a file at `from`.
fn resolved(from: &str, name: &str) -> String {
    let folder = &from[..=from.rfind('/').unwrap()];
    format!("{folder}{}", name.trim_start_matches("./"))
}

/// What the page links to and is no part of it.
const DOCUMENTS: [&str; 4] = [
    "/openapi.json",
    "/v1/models",
    "/v1/privacy",
    "/v1/transparency",
];

fn text(server: &Server, path: &str) -> String {
    let answer = server.get(path);
    assert_eq!(answer.status, 200, "{path}");
    let mime = match path.rsplit('.').next().unwrap() {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ if DOCUMENTS.contains(&path) => "application/json",
        _ => "text/html; charset=utf-8",
    };
    assert_eq!(answer.header("content-type"), Some(mime), "{path}");
    assert_eq!(
        answer.header("x-content-type-options"),
        Some("nosniff"),
        "{path}"
    );
    if !DOCUMENTS.contains(&path) {
        assert_eq!(
            answer.header("content-security-policy"),
            Some(POLICY),
            "{path}"
        );
    }
    String::from_utf8(answer.body).expect("text")
}

#[test]
fn everything_that_the_page_names_is_served_from_here_with_its_type() {
    let server = spawn(&["--workers=1"]);
    let html = text(&server, "/");
    let linked = named(&html, &["href=", "src="]);
    let mut waiting: Vec<String> = linked
        .iter()
        .filter(|name| !name.starts_with('#'))
        .map(|name| resolved("/", name))
        .collect();
    let mut seen = BTreeSet::from(["/".to_owned()]);
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let content = text(&server, &path);
        if path == "/docs" {
            let linked = named(&content, &["href=", "src="]);
            let linked = linked.iter().filter(|name| !name.starts_with('#'));
            waiting.extend(linked.map(|name| resolved("/", name)));
        }
        if path.ends_with(".js") {
            let parts = named(&content, &["from ", "import "]);
            waiting.extend(parts.iter().map(|name| resolved(&path, name)));
            // What is asked for while it runs is named from the page.
            let asked = named(&content, &["fetch("]);
            waiting.extend(asked.iter().map(|name| resolved("/", name)));
        }
        if path.ends_with(".css") {
            let parts = content.split("url(").skip(1);
            let parts = parts.map(|rest| rest.split(')').next().unwrap());
            waiting.extend(parts.map(|name| resolved(&path, name.trim_matches('"'))));
        }
        if !DOCUMENTS.contains(&path.as_str()) && path != "/assets/icon.svg" {
            for word in [
                "@import",
                "http://",
                "https://",
                "eval(",
                "innerHTML",
                "localStorage",
                "sessionStorage",
                "indexedDB",
                "document.cookie",
            ] {
                assert!(!content.contains(word), "{path} holds {word}");
            }
        }
    }
    for folder in ["src/http/page"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = match name.as_str() {
                "index.html" => "/".to_owned(),
                "docs.html" => "/docs".to_owned(),
                name => format!("/assets/{name}"),
            };
            assert!(seen.contains(&path), "nothing needs {path}");
        }
    }
    assert!(
        !html.contains("style=") && !html.contains("onclick="),
        "the policy forbids it"
    );
    for path in [
        "/assets/",
        "/assets/../index.html",
        "/assets/app.js.map",
        "/index.html",
    ] {
        server.get(path).assert_problem(path, 404, "not_found");
    }
}
