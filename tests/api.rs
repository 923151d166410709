//! The service over a socket: each route, and in the modules below it each error, each option and
//! each kind of input.

mod common;

#[path = "api/batch.rs"]
mod batch;
#[path = "api/busy.rs"]
mod busy;
#[path = "api/early.rs"]
mod early;
#[path = "api/enhance.rs"]
mod enhance;
#[path = "api/errors.rs"]
mod errors;
#[path = "api/inputs.rs"]
mod inputs;
#[path = "api/mistakes.rs"]
mod mistakes;
#[path = "api/options.rs"]
mod options;
#[path = "api/patience.rs"]
mod patience;
#[path = "api/photo_options.rs"]
mod photo_options;
#[path = "api/pipeline.rs"]
mod pipeline;
#[path = "api/pixels.rs"]
mod pixels;
#[path = "api/progress.rs"]
mod progress;
#[path = "api/restore.rs"]
mod restore;
#[path = "api/restore_limits.rs"]
mod restore_limits;
#[path = "api/restore_seams.rs"]
mod restore_seams;
#[path = "api/restore_steps.rs"]
mod restore_steps;
#[path = "api/transform.rs"]
mod transform;
#[path = "api/values.rs"]
mod values;

use common::{Form, Server, http, pictures, spawn};
use serde_json::json;

/// Routes that other services have, and that refuse here or want their own form: see compat.rs.
const COMPAT: [(&str, &str); 5] = [
    ("POST", "/api/remove"),
    ("GET", "/api/remove"),
    ("POST", "/v1.0/removebg"),
    ("GET", "/v1.0/account"),
    ("POST", "/v1.0/improve"),
];

/// Every other route of the service listener: method, path, and the media type of its answer.
const ROUTES: [(&str, &str, &str); 15] = [
    ("POST", "/v1/remove-background", "image/png"),
    ("POST", "/v1/restore", "image/jpeg"),
    ("POST", "/v1/enhance", "image/jpeg"),
    ("POST", "/v1/transform", "image/jpeg"),
    ("POST", "/v1/pipeline", "image/jpeg"),
    ("POST", "/v1/batch", "application/zip"),
    ("POST", "/v1/inspect", "application/json"),
    ("GET", "/v1/models", "application/json"),
    ("GET", "/v1/privacy", "application/json"),
    ("GET", "/v1/transparency", "application/json"),
    ("GET", "/openapi.json", "application/json"),
    ("GET", "/healthz", "text/plain; charset=utf-8"),
    ("GET", "/readyz", "text/plain; charset=utf-8"),
    ("GET", "/docs", "text/html; charset=utf-8"),
    ("GET", "/", "text/html; charset=utf-8"),
];

fn ask(server: &Server, method: &str, path: &str) -> common::Answer {
    let form = Form::of(&pictures::jpeg(160, 120));
    match method {
        "POST" if path.ends_with("pipeline") || path.ends_with("batch") => {
            server.form(path, form.text("ops", r#"[{"op":"transform"}]"#))
        }
        "POST" => server.form(path, form),
        _ => server.get(path),
    }
}

#[test]
fn every_route_answers_and_the_document_lists_them_all() {
    let server = spawn(&[]);
    for (method, path, mime) in ROUTES {
        let answer = ask(&server, method, path);
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 200, "{method} {path}: {text}");
        assert_eq!(answer.header("content-type"), Some(mime), "{method} {path}");
        assert!(!answer.body.is_empty(), "{method} {path}");
    }
    let document = server.get("/openapi.json").json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut documented = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            documented.push((method.to_uppercase(), path.clone()));
        }
    }
    let watched = ("GET", "/v1/progress/{id}", "");
    let served = ROUTES.into_iter().chain([watched]);
    let mut served: Vec<_> = served
        .map(|(method, path, _)| (method.to_owned(), path.to_owned()))
        .chain(COMPAT.map(|(method, path)| (method.to_owned(), path.to_owned())))
        .collect();
    served.sort();
    documented.sort();
    assert_eq!(documented, served);
    let codes = &document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
    let known: Vec<_> = safelight::error::CODES.iter().map(|(c, _)| *c).collect();
    assert_eq!(*codes, json!(known), "the document lists every error code");
    server.assert_books_balance();
}

/// RFC 9110, section 9.3.2: the same head as GET gives, and no body.
#[test]
fn head_is_get_without_the_body() {
    let server = spawn(&[]);
    let ask = |address, method: &str, path: &str| {
        let request = http::head(method, path, &[], 0);
        let bytes = http::exchange(address, request.as_bytes()).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let lines = head.lines().filter(|line| {
            let name = line.split(':').next().unwrap();
            !["date", "x-request-id"].contains(&name)
        });
        let mut lines: Vec<_> = lines.map(str::to_owned).collect();
        lines.sort();
        (lines, body.to_owned())
    };
    let gets = ROUTES.iter().filter(|(method, ..)| *method == "GET");
    let paths = gets.map(|(_, path, _)| (server.address, *path, "200"));
    let others = [
        (server.address, "/assets/app.js", "200"),
        (server.metrics, "/healthz", "200"),
        (server.address, "/nowhere", "404"),
    ];
    for (address, path, status) in paths.chain(others) {
        let (got, body) = ask(address, "GET", path);
        let (head, none) = ask(address, "HEAD", path);
        assert!(!body.is_empty() && none.is_empty(), "{path}: {none}");
        assert_eq!(head, got, "{path}");
        let first = format!("HTTP/1.1 {status} ");
        assert!(
            head.iter().any(|line| line.starts_with(&first)),
            "{path}: {head:?}"
        );
    }
    let (head, none) = ask(server.address, "HEAD", "/v1/restore");
    assert!(none.is_empty());
    assert!(
        head.iter().any(|line| line.starts_with("HTTP/1.1 405 ")),
        "{head:?}"
    );
    assert!(head.contains(&"allow: POST".to_owned()), "{head:?}");
}

#[test]
fn every_answer_has_the_headers_of_a_service_that_keeps_nothing() {
    let server = spawn(&[]);
    let others = [("GET", "/nowhere", ""), ("GET", "/v1/restore", "")];
    for (method, path, _) in ROUTES.into_iter().chain(others) {
        let answer = ask(&server, method, path);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {name}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        let expected = match path {
            "/" | "/docs" => "default-src 'self'; img-src 'self' blob:;",
            _ => "default-src 'none'; sandbox",
        };
        assert!(policy.starts_with(expected), "{path}: {policy}");
        assert_eq!(answer.header("server"), None, "{path}");
        assert_eq!(answer.header("set-cookie"), None, "{path}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{path}: no other origin may read it"
        );
    }
}

#[test]
fn a_picture_says_what_was_done_and_with_which_model() {
    let server = spawn(&[]);
    let path = "/v1/remove-background";
    let answer = server.post(path, "image/jpeg", &pictures::jpeg(160, 120));
    assert_eq!(answer.status, 200);
    let id = uuid::Uuid::parse_str(answer.header("x-request-id").unwrap()).unwrap();
    assert_eq!(id.get_version_num(), 4, "an id that tells nothing");
    assert_eq!(answer.header("x-model"), Some("cutout"));
    assert_eq!(answer.header("x-model-license"), Some("Apache-2.0"));
    assert_eq!(answer.header("vary"), Some("Accept"));
    let sure: f32 = answer.header("x-mask-confidence").unwrap().parse().unwrap();
    assert!(sure > 0.5 && sure <= 1.0, "{sure}");
    let stages: Vec<_> = answer
        .header("server-timing")
        .unwrap()
        .split(", ")
        .map(|stage| stage.split_once(";dur=").unwrap())
        .collect();
    let names: Vec<_> = stages.iter().map(|(name, _)| *name).collect();
    let expected = [
        "upload",
        "queue",
        "decode",
        "inference",
        "refine",
        "compose",
        "encode",
    ];
    assert_eq!(names, expected);
    for (name, time) in stages {
        assert!(time.parse::<f64>().is_ok_and(|ms| ms >= 0.0), "{name}");
    }
    let other = server.post(path, "image/jpeg", &pictures::jpeg(160, 120));
    assert_ne!(other.header("x-request-id"), answer.header("x-request-id"));
}

#[test]
fn inspect_says_what_the_header_says_and_nothing_else() {
    let server = spawn(&["--formats", "jpeg,png,webp,gif,bmp,tiff"]);
    let exif = pictures::exif_orientation(6);
    let turned = pictures::with_segment(&pictures::jpeg(640, 480), 0xe1, &exif);
    let answer = server.post("/v1/inspect", "image/jpeg", &turned);
    assert_eq!(
        answer.json(),
        json!({
            "type": "jpeg", "width": 480, "height": 640, "orientation": 6, "color": "rgb",
            "bits": 8, "alpha": false, "megapixels": 0.31, "animated": false,
        })
    );
    assert!(answer.header("x-request-id").is_some() && answer.header("server-timing").is_some());
    let clear = pictures::half_transparent(1200, 500);
    for format in [image::ImageFormat::Png, image::ImageFormat::WebP] {
        let bytes = pictures::encoded(clear.clone(), format);
        // The declared type is not believed.
        let facts = server.post("/v1/inspect", "image/jpeg", &bytes).json();
        let name = format.extensions_str()[0];
        assert_eq!(
            facts,
            json!({
                "type": name, "width": 1200, "height": 500, "orientation": 1, "color": "rgba",
                "bits": 8, "alpha": true, "megapixels": 0.6, "animated": false,
            })
        );
    }
    for (format, name) in [
        (image::ImageFormat::Gif, "gif"),
        (image::ImageFormat::Bmp, "bmp"),
        (image::ImageFormat::Tiff, "tiff"),
    ] {
        let bytes = pictures::encoded(pictures::subject(30, 20), format);
        let facts = server
            .form("/v1/inspect", Form::new().file("image", "x", &bytes))
            .json();
        assert_eq!(facts["type"], name);
        assert_eq!(
            (&facts["width"], &facts["height"]),
            (&json!(30), &json!(20))
        );
    }
    server.assert_books_balance();
    assert_eq!(
        server.metric("safelight_inference_duration_seconds_count{model=\"cutout\"}"),
        1.0,
        "only the warm-up ran"
    );
}

#[test]
fn models_come_with_their_licence_and_state() {
    let server = spawn(&[]);
    let answer = server.get("/v1/models").json();
    let models = answer["models"].as_array().unwrap();
    let find = |name: &str| models.iter().find(|m| m["name"] == name).unwrap();
    let keys: Vec<_> = models[0].as_object().unwrap().keys().collect();
    let known = [
        "about",
        "built_in",
        "bytes",
        "commercial_use",
        "default",
        "device",
        "factor",
        "input_size",
        "installed",
        "license",
        "loaded",
        "name",
        "sha256",
        "task",
        "tested",
    ];
    assert_eq!(keys, known);
    for (name, task) in [("cutout", "cutout"), ("restore", "restore")] {
        let model = find(name);
        assert_eq!(model["task"], task);
        assert_eq!(model["license"], "Apache-2.0");
        for truth in [
            "loaded",
            "default",
            "built_in",
            "commercial_use",
            "installed",
        ] {
            assert_eq!(model[truth], true, "{name} {truth}");
        }
    }
    let other = find("u2netp");
    assert_eq!(
        (&other["loaded"], &other["default"]),
        (&json!(false), &json!(false))
    );
    for model in models {
        let sum = model["sha256"].as_str().unwrap();
        assert!(sum.len() == 64 && sum.chars().all(|c| c.is_ascii_hexdigit()));
        let bytes = &model["bytes"];
        assert!(bytes.is_null() || bytes.as_u64().unwrap() > 0);
        let device = if model["loaded"] == true {
            json!("cpu")
        } else {
            json!(null)
        };
        assert_eq!(model["device"], device);
    }
    // What is listed is what is embedded.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/models/cutout.onnx");
    let file = std::fs::read(file).unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&file);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(find("cutout")["sha256"], digest);
    assert_eq!(find("cutout")["bytes"], file.len());
}

#[test]
fn health_is_text_and_metrics_are_on_their_own_listener_only() {
    let server = spawn(&[]);
    assert_eq!(server.get("/healthz").body, b"ok\n");
    assert_eq!(server.get("/readyz").body, b"ready\n");
    for path in ["/metrics", "/debug", "/admin", "/debug/pprof", "/v1/keys"] {
        server.get(path).assert_problem(path, 404, "not_found");
    }
    let live = http::request(server.metrics, "GET", "/healthz", &[], b"").unwrap();
    assert_eq!(
        (live.status, live.body.as_slice()),
        (200, b"ok\n".as_slice())
    );
    let page = http::request(server.metrics, "GET", "/v1/models", &[], b"").unwrap();
    assert_eq!(page.status, 404, "and nothing else is there");
    assert!(server.metrics().len() > 20);
}
