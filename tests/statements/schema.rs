//! E11 and E18: the closed lists of settings, of log fields and of labels. Whatever is added to one
//! of them has to be added here as well, by someone who has thought of what it says about a client.

use std::collections::BTreeSet;

use safelight::{
    config::Settings,
    observe::{Metrics, Record},
};

use super::{CUT, run};
use crate::common::{folder, http, pictures, spawn};

/// Every setting of the service. Each holds for all requests alike: none names a key, a client or an
/// address of one.
const SETTINGS: &[&str] = &[
    "--accept-license",
    "--catalogue",
    "--compat",
    "--config",
    "--cors-origin",
    "--device",
    "--ephemerality",
    "--formats",
    "--head-timeout",
    "--keys",
    "--listen",
    "--log-format",
    "--long-timeout",
    "--max-batch",
    "--max-megapixels",
    "--max-side",
    "--max-upload",
    "--memory-budget",
    "--metrics-listen",
    "--model",
    "--models-dir",
    "--onnxruntime",
    "--queue",
    "--queue-order",
    "--queue-wait",
    "--rate-per-address",
    "--read-timeout",
    "--receipts",
    "--require-device",
    "--shutdown-grace",
    "--spool",
    "--spool-budget",
    "--timeout",
    "--trusted-proxies",
    "--upload-idle",
    "--upload-permits",
    "--upload-total",
    "--workers",
];

/// Those that look at who asks. They restrict: which operations, how often, how much; nothing else
/// of what is done depends on them.
const RESTRICTING: &[&str] = &["--keys", "--rate-per-address"];

/// Every field of a log line. None names who has asked.
const FIELDS: &[&str] = &[
    "bytes_in",
    "bytes_out",
    "code",
    "duration_ms",
    "event",
    "height",
    "input_type",
    "level",
    "message",
    "model",
    "operation",
    "outcome",
    "request_id",
    "stages_ms",
    "time",
    "width",
];

/// Every label of a metric.
const LABELS: &[&str] = &[
    "device",
    "license",
    "model",
    "onnxruntime",
    "operation",
    "outcome",
    "reason",
    "stage",
    "version",
];

/// Words that would say who a client is.
const WHO: &[&str] = &[
    "key", "keys", "tenant", "client", "user", "account", "customer", "address", "peer", "ip",
    "agent", "name", "nonce", "receipt", "hash", "sha256",
];

fn says_who(name: &str) -> bool {
    name.split(['_', '-']).any(|word| WHO.contains(&word))
}

#[test]
fn no_setting_is_per_key() {
    let table = Settings::table();
    let flags: BTreeSet<_> = table.iter().map(|(flag, ..)| flag.as_str()).collect();
    assert_eq!(flags, SETTINGS.iter().copied().collect());
    for flag in SETTINGS {
        // `--receipts` switches them on for all.
        assert!(!says_who(flag) || RESTRICTING.contains(flag), "{flag}");
    }
    // The file of settings has no room for a section of someone's own.
    let folder = folder("schema");
    let file = folder.join("safelight.toml");
    for text in [
        "[key.alice]\nmodel = \"cutout\"\n",
        "[keys]\nalice = \"cutout\"\n",
        "[[client]]\nlog_format = \"text\"\n",
        "[model]\nalice = \"cutout\"\n",
        "[spool]\nalice = \"/tmp\"\n",
        "model = { alice = \"cutout\" }\n",
    ] {
        std::fs::write(&file, text).unwrap();
        let config = format!("--config={}", file.display());
        for command in ["serve", "privacy"] {
            let ran = run(&[command, &config]);
            assert_eq!(ran.code, Some(2), "{command} {text}: {}", ran.stderr);
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn a_log_line_has_these_fields_and_no_others() {
    let fields: BTreeSet<_> = Record::FIELDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(fields, FIELDS.iter().copied().collect());
    for field in FIELDS {
        assert!(!says_who(field), "{field}");
    }
}

#[test]
fn metrics_have_these_labels_and_no_others() {
    let metrics = Metrics::new("test");
    let labels: BTreeSet<_> = metrics
        .definitions()
        .iter()
        .flat_map(|definition| definition.labels.iter().map(String::as_str))
        .collect();
    assert_eq!(labels, LABELS.iter().copied().collect());
    for label in LABELS {
        assert!(!says_who(label), "{label}");
    }
}

#[test]
fn what_says_who_is_found() {
    for name in [
        "key_id",
        "client-address",
        "tenant",
        "request_ip",
        "user_agent",
        "in_sha256",
    ] {
        assert!(says_who(name) || name == "in_sha256", "{name}");
    }
    assert!(!says_who("request_id") && !says_who("license") && !says_who("--receipts"));
}

/// E18: whoever asks gets the same answer of the same model, and leaves the same trace.
#[test]
fn who_asks_makes_no_difference() {
    let server = spawn(&["--workers=1"]);
    let picture = pictures::png(120, 90);
    let alike = [
        "Authorization",
        "X-Api-Key",
        "Cookie",
        "X-Forwarded-For",
        "From",
    ];
    let mut answers = Vec::new();
    for who in ["", "alice", "mallory"] {
        let value = format!("Bearer {who}");
        let mut headers = vec![("Content-Type", "image/png")];
        if !who.is_empty() {
            headers.extend(alike.map(|name| (name, value.as_str())));
        }
        let answer = http::request(server.address, "POST", CUT, &headers, &picture).unwrap();
        assert_eq!(answer.status, 200);
        let model = answer.header("x-model").unwrap().to_owned();
        let names: BTreeSet<_> = answer
            .headers
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        answers.push((answer.body, model, names));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    server.assert_books_balance();
    let lines = server
        .log()
        .into_iter()
        .filter(|line| line.contains("\"event\":\"request\""));
    let mut schemas = BTreeSet::new();
    for line in lines {
        assert!(
            !line.contains("alice") && !line.contains("mallory"),
            "{line}"
        );
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        let keys: Vec<_> = record.as_object().unwrap().keys().cloned().collect();
        schemas.insert(keys);
    }
    assert_eq!(schemas.len(), 1, "{schemas:?}");
}
