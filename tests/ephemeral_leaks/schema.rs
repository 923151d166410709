//! E11: logs and metrics can only hold what is listed here; anything else is a failure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    assert_silent,
    common::{Server, http},
};

const OPERATIONS: &[&str] = &[
    "remove-background",
    "restore",
    "enhance",
    "inspect",
    "rembg",
    "removebg",
    "withoutbg",
    "backgroundremover",
];
const OUTCOMES: &[&str] = &["ok", "client_error", "client_gone", "busy", "server_error"];
const MODELS: &[&str] = &[
    "cutout", "inpaint", "kind", "restore", "scratch", "upscale2", "upscale4",
];
const STAGES: &[&str] = &[
    "upload",
    "queue",
    "decode",
    "inference",
    "classify",
    "refine",
    "compose",
    "measure",
    "detect",
    "scratches",
    "denoise",
    "dejpeg",
    "deblur",
    "fade",
    "contrast",
    "colorize",
    "faces",
    "tone",
    "sharpen",
    "mix",
    "upscale",
    "encode",
];
const REASONS: &[&str] = &[
    "decoded",
    "error",
    "disconnect",
    "deadline",
    "panic",
    "shutdown",
];
const REFUSALS: &[&str] = &[
    "upload_permits",
    "spool_budget",
    "queue_full",
    "queue_wait",
    "watchers",
];
const FORMATS: &[&str] = &["jpeg", "png", "webp", "gif", "bmp", "tiff"];
const LICENSES: &[&str] = &["Apache-2.0"];

/// What is wrong with a line of the log, if anything is.
fn fault_of_line(line: &str) -> Option<String> {
    let Ok(Value::Object(record)) = serde_json::from_str(line) else {
        return Some("it is no object of JSON".to_owned());
    };
    let request = record.get("event").is_some_and(|event| event == "request");
    let is_number = |value: &Value| value.is_number();
    for (key, value) in &record {
        let word = |words: &[&str]| value.as_str().is_some_and(|word| words.contains(&word));
        let right = match key.as_str() {
            "time" => value
                .as_str()
                .is_some_and(|time| humantime::parse_rfc3339(time).is_ok()),
            "level" => word(&["info", "warn", "error"]),
            "event" => word(&[
                "request", "start", "models", "ready", "stop", "storage", "panic",
            ]),
            // A sentence about start and stop; never beside a request.
            "message" => !request && value.is_string(),
            "request_id" => value
                .as_str()
                .is_some_and(|id| uuid::Uuid::parse_str(id).is_ok()),
            "operation" => word(OPERATIONS),
            "outcome" => word(OUTCOMES),
            "code" => safelight::error::CODES
                .iter()
                .any(|(code, _)| value == code),
            "input_type" => word(FORMATS),
            // Where several ran, each is named.
            "model" => value
                .as_str()
                .is_some_and(|names| names.split(", ").all(|name| MODELS.contains(&name))),
            "width" | "height" | "bytes_in" | "bytes_out" => value.is_u64(),
            "duration_ms" => is_number(value),
            "stages_ms" => value.as_array().is_some_and(|stages| {
                stages.iter().all(|stage| {
                    stage.as_array().is_some_and(|pair| match pair.as_slice() {
                        [name, time] => {
                            name.as_str().is_some_and(|name| STAGES.contains(&name))
                                && is_number(time)
                        }
                        _ => false,
                    })
                })
            }),
            _ => return Some(format!("an unknown key {key}")),
        };
        if !right {
            return Some(format!("{key}: {value}"));
        }
    }
    let needed = match request {
        true => &[
            "time",
            "level",
            "request_id",
            "operation",
            "outcome",
            "bytes_in",
        ][..],
        false => &["time", "level", "event", "message"][..],
    };
    let absent = needed.iter().find(|key| !record.contains_key(**key));
    absent.map(|key| format!("no {key}"))
}

/// What is wrong with a line of the metrics, if anything is.
fn fault_of_sample(line: &str) -> Option<String> {
    let (name, value) = line.rsplit_once(' ')?;
    if value.parse::<f64>().is_err() {
        return Some(format!("no number: {value}"));
    }
    let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
    if !["safelight_", "process_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
    {
        return Some(format!("an unknown metric {name}"));
    }
    let version = |value: &str| value.chars().all(|c| c.is_ascii_digit() || c == '.');
    for label in labels
        .trim_end_matches('}')
        .split(',')
        .filter(|label| !label.is_empty())
    {
        let Some((label, value)) = label.split_once('=') else {
            return Some(format!("no label: {label}"));
        };
        let value = value.trim_matches('"');
        let known = match label {
            "operation" => OPERATIONS.contains(&value),
            "outcome" => OUTCOMES.contains(&value),
            "stage" => STAGES.contains(&value),
            "reason" if name.ends_with("rejections_total") => REFUSALS.contains(&value),
            "reason" => REASONS.contains(&value),
            "model" => MODELS.contains(&value),
            "license" => LICENSES.contains(&value),
            "device" => value == "cpu",
            "version" | "onnxruntime" => version(value),
            "le" => value == "+Inf" || value.parse::<f64>().is_ok(),
            _ => return Some(format!("an unknown label {label}")),
        };
        if !known {
            return Some(format!("{name}: {label} has the value {value}"));
        }
    }
    None
}

/// Every line that was logged is of the schema and silent; returns how many requests there were.
pub fn assert_log_is_closed(server: &Server) -> usize {
    let lines = server.log();
    for line in &lines {
        assert_silent("the log", line.as_bytes());
        if let Some(fault) = fault_of_line(line) {
            panic!("{fault}: {line}");
        }
    }
    let request = |line: &&String| line.contains("\"event\":\"request\"");
    lines.iter().filter(request).count()
}

/// Every sample has a known name, known labels and values of closed lists.
pub fn assert_metrics_are_closed(server: &Server) {
    let answer = http::request(server.metrics, "GET", "/metrics", &[], b"").expect("metrics");
    let text = String::from_utf8(answer.body).unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let mut series = BTreeMap::<&str, usize>::new();
    for line in samples {
        if let Some(fault) = fault_of_sample(line) {
            panic!("{fault}: {line}");
        }
        *series
            .entry(line.split(['{', ' ']).next().unwrap())
            .or_default() += 1;
    }
    assert!(series.len() > 20, "{series:?}");
}

/// The schema's own control: what must not be in a log or a metric is noticed.
#[test]
fn a_line_that_holds_more_than_the_schema_is_noticed() {
    let good = r#"{"time":"2026-01-02T03:04:05.678Z","level":"info","event":"request",
        "request_id":"5b1f8a3e-8f4e-4b43-9f0a-0c7c0d8e2f11","operation":"restore","outcome":"ok",
        "input_type":"png","width":3,"height":4,"bytes_in":5,"bytes_out":6,"duration_ms":7.5,
        "stages_ms":[["upload",0.1],["decode",2]],"model":"restore"}"#;
    assert_eq!(fault_of_line(good), None);
    for (part, instead) in [
        ("\"width\":3", "\"width\":3,\"filename\":\"a.png\""),
        ("\"width\":3", "\"width\":\"3\""),
        ("\"width\":3", "\"message\":\"all is well\""),
        ("\"png\"", "\"a.png\""),
        ("\"model\":\"restore\"", "\"model\":\"somebody's own\""),
        ("\"ok\"", "\"ok for 203.0.113.7\""),
        ("[\"decode\",2]", "[\"decode of a.png\",2]"),
        ("[\"decode\",2]", "[\"decode\",2,\"a.png\"]"),
        ("\"request_id\":\"5b1f", "\"request_id\":\"k_12"),
        ("\"info\"", "\"debug\""),
        ("\"event\":\"request\"", "\"event\":\"upload\""),
        ("\"bytes_in\":5,", ""),
    ] {
        let bad = good.replacen(part, instead, 1);
        assert_ne!(bad, good);
        assert!(fault_of_line(&bad).is_some(), "{bad}");
    }
    let good = r#"safelight_requests_total{operation="restore",outcome="ok"} 3"#;
    assert_eq!(fault_of_sample(good), None);
    assert_eq!(fault_of_sample("safelight_in_flight 1"), None);
    for bad in [
        r#"safelight_requests_total{operation="restore",outcome="ok",key="k_12"} 3"#,
        r#"safelight_requests_total{operation="resize",outcome="ok"} 3"#,
        r#"safelight_requests_total{operation="restore",outcome="203.0.113.7"} 3"#,
        r#"safelight_megapixels_total{width="640"} 3"#,
        r#"other_total 3"#,
        r#"safelight_in_flight many"#,
    ] {
        assert!(fault_of_sample(bad).is_some(), "{bad}");
    }
}
