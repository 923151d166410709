//! The OpenAPI document, judged by tools that are not ours: a validator, a fuzzer that sends what
//! the document allows and what it does not, and a generator of clients.

mod common;

use std::{fs, path::PathBuf, process::Command};

use common::{Server, http, pictures, spawn};
use serde_json::Value;

/// The flag that switches on what is off by itself.
const COMPAT: &str = "--compat=withoutbg,backgroundremover";

/// The document in a file of a folder that the caller removes.
fn written(server: &Server) -> (PathBuf, PathBuf) {
    let folder = common::folder("openapi");
    let file = folder.join("openapi.json");
    fs::write(&file, server.get("/openapi.json").body).unwrap();
    (folder, file)
}

#[test]
fn a_validator_accepts_the_document_and_refuses_a_broken_one() {
    let Some(validator) = common::python_tool("openapi-spec-validator") else {
        return common::skip("the OpenAPI validator", "SAFELIGHT_TEST_PYTHON");
    };
    let folders = [&["--workers=1"][..], &["--workers=1", COMPAT]].map(|flags| {
        let server = spawn(flags);
        let (folder, file) = written(&server);
        let ran = common::run(Command::new(&validator).arg(&file), b"");
        assert_eq!(ran.code, Some(0), "{flags:?} {}{}", ran.text(), ran.stderr);
        folder
    });
    folders
        .into_iter()
        .for_each(|folder| fs::remove_dir_all(folder).unwrap());
    let server = spawn(&["--workers=1"]);
    let (folder, file) = written(&server);
    let mut document = server.get("/openapi.json").json();
    document["paths"]["/v1/restore"]["post"]["responses"]["200"] = "none".into();
    fs::write(&file, document.to_string()).unwrap();
    let ran = common::run(Command::new(&validator).arg(&file), b"");
    assert_ne!(ran.code, Some(0), "it would notice");
    fs::remove_dir_all(folder).unwrap();
}

/// What is left out of its checks, and why, is in `tests/schemathesis.toml`.
#[test]
fn schemathesis_finds_no_answer_that_the_document_does_not_promise() {
    let Some(schemathesis) = common::python_tool("schemathesis") else {
        return common::skip("schemathesis", "SAFELIGHT_TEST_PYTHON");
    };
    // Everything that a service has without the switch is also there with it.
    let server = spawn(&["--upload-idle=2s", COMPAT]);
    let folder = common::folder("schemathesis");
    let mut command = Command::new(schemathesis);
    command
        .current_dir(&folder)
        .arg("--config-file")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/schemathesis.toml"
        ))
        .arg("run")
        .arg(format!("http://{}/openapi.json", server.address))
        .args(["--phases=examples,coverage,fuzzing", "--max-examples=8"])
        .args(["--generation-deterministic"])
        .args(["--max-time=60", "--request-timeout=30", "--no-color"]);
    let ran = common::run(&mut command, b"");
    let _ = fs::remove_dir_all(folder);
    println!("{}", ran.text());
    assert_eq!(ran.code, Some(0), "{}{}", ran.text(), ran.stderr);
    assert!(
        ran.text().contains("generated"),
        "it did try: {}",
        ran.text()
    );
    write_summary(&ran.text());
    let metrics = server.metrics();
    let requests = metrics.iter();
    let requests: Vec<_> = requests
        .filter(|(name, _)| name.starts_with("safelight_requests_total{"))
        .collect();
    let of = |outcome: &str| -> f64 {
        let label = format!("outcome=\"{outcome}\"");
        let own = requests.iter().filter(|(name, _)| name.contains(&label));
        own.map(|(_, count)| **count).sum()
    };
    assert_eq!(of("server_error"), 0.0, "{requests:?}");
    // It did reach the service, and some of what it made up was good.
    let (good, bad) = (of("ok"), of("client_error"));
    assert!(good > 50.0 && bad > 50.0, "{requests:?}");
    server.assert_books_balance();
}

/// With `SAFELIGHT_WRITE_TABLE=1`, puts what schemathesis says at its end into docs/openapi.md. It is
/// not compared: how many requests it makes up in its time depends on the machine.
#[allow(clippy::disallowed_methods, reason = "tests read their own switches")]
fn write_summary(text: &str) {
    if std::env::var_os("SAFELIGHT_WRITE_TABLE").is_none() {
        return;
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.md");
    let document = fs::read_to_string(file).unwrap();
    let (before, rest) = document.split_once("<!-- summary -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /summary -->").unwrap();
    let summary = text.split_once("API Operations:").expect("a summary").1;
    let lines = summary.lines().filter(|line| !line.starts_with("Seed"));
    let lines: Vec<_> = lines
        .map(|line| format!("    {line}").trim_end().to_owned())
        .collect();
    let summary = lines.join("\n");
    let written = format!(
        "{before}<!-- summary -->\n\n    API Operations:{}\n\n<!-- /summary -->{after}",
        summary.trim_end()
    );
    fs::write(file, written).unwrap();
}

#[test]
fn a_client_made_from_the_document_works() {
    let (Some(generator), Some(python)) = (
        common::python_tool("openapi-python-client"),
        common::python_tool("python"),
    ) else {
        return common::skip("a generated client", "SAFELIGHT_TEST_PYTHON");
    };
    let server = spawn(&["--workers=1"]);
    let (folder, file) = written(&server);
    let mut command = Command::new(&generator);
    let tools = generator.parent().unwrap().to_str().unwrap();
    command
        .args(["generate", "--meta", "none", "--output-path"])
        .arg(folder.join("safelight_client"))
        .arg("--path")
        .arg(&file)
        .env("PATH", format!("{tools}:/usr/bin:/bin"));
    let ran = common::run(&mut command, b"");
    assert_eq!(ran.code, Some(0), "{}{}", ran.text(), ran.stderr);
    let picture = folder.join("picture.jpg");
    fs::write(&picture, pictures::jpeg(160, 120)).unwrap();
    let mut command = Command::new(python);
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/openapi_client.py"
        ))
        .arg(format!("http://{}", server.address))
        .arg(&picture)
        .env("PYTHONPATH", &folder);
    let ran = common::run(&mut command, b"");
    fs::remove_dir_all(folder).unwrap();
    assert_eq!(ran.code, Some(0), "{}{}", ran.text(), ran.stderr);
    let seen: Value = serde_json::from_str(ran.text().trim()).unwrap();
    assert_eq!(seen["mask"], serde_json::json!(["image/png", "160"]));
    assert_eq!(seen["refused"], "bad_value");
}

/// What means nothing by itself, with what it needs beside it.
fn with_what_it_needs(form: http::Form, name: &str, methods: &Value) -> http::Form {
    let list = schema_of(methods, "ops");
    match name {
        "fit" => form.text("width", "40").text("height", "30"),
        "gravity" => form
            .text("fit", "cover")
            .text("width", "40")
            .text("height", "30"),
        "watermark_position" => form.file("watermark_file", "w", &pictures::png(8, 8)),
        // Of a route that takes a list, every option but the list itself.
        _ if name != "ops" && !list.is_null() => {
            form.text("ops", list["examples"][0].as_str().unwrap())
        }
        _ => form,
    }
}

/// What the document says of a query parameter; null where the route has none of that name.
fn schema_of<'a>(methods: &'a Value, name: &str) -> &'a Value {
    let parameters = methods["post"]["parameters"].as_array();
    let found = parameters.into_iter().flatten().find(|p| p["name"] == name);
    found.map_or(&Value::Null, |parameter| &parameter["schema"])
}

/// Every example, default and choice that the document gives is taken by the service.
#[test]
fn what_the_document_gives_as_examples_is_accepted() {
    let server = spawn(&[]);
    let document = server.get("/openapi.json").json();
    let picture = pictures::encoded(pictures::subject(96, 64), image::ImageFormat::Png);
    let mut sent = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let parameters = methods["post"]["parameters"].as_array();
        for parameter in parameters.into_iter().flatten() {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            let listed = ["examples", "enum"].map(|key| schema[key].as_array());
            let given = listed.into_iter().flatten().flatten();
            for value in given.chain(schema.get("default")) {
                let value = value.as_str().map_or(value.to_string(), str::to_owned);
                let form = http::Form::of(&picture).text(name, &value);
                let form = with_what_it_needs(form, name, methods);
                let answer = server.form(path, form);
                let text = String::from_utf8_lossy(&answer.body);
                assert_eq!(answer.status, 200, "{path}: {name}={value}: {text}");
                sent += 1;
            }
        }
    }
    assert!(sent >= 200, "{sent}");
}
