//! What is told of keys and addresses: ids and counts in lines of their own, never beside a picture,
//! and addresses nowhere (contracts E11 and E18).

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::{CUT, INSPECT, Keys, send, with_key};
use crate::common::http;

#[test]
fn ids_stand_beside_counts_only_and_addresses_and_secrets_nowhere() {
    let mut keys = Keys::new();
    let key = keys.add("zq7shop", "rate = \"4/h\"\n");
    let mut server = keys.spawn(&["--rate-per-address=2/h", "--trusted-proxies=127.0.0.1"]);
    let (_, secret) = key.split_once('.').unwrap();
    let hash = keys.text.split('"').nth(3).unwrap().to_owned();
    let client = ("X-Forwarded-For", "203.0.113.77");
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(with_key(&server, CUT, &key));
        answers.push(send(&server, INSPECT, &[client]));
    }
    answers.push(with_key(&server, INSPECT, &key));
    answers.push(with_key(&server, INSPECT, &key));
    let codes = answers
        .iter()
        .filter(|answer| answer.status != 200)
        .map(|a| a.code());
    let codes: Vec<_> = codes.collect();
    assert_eq!(
        codes,
        ["missing_key", "missing_key", "rate_limited", "rate_limited"]
    );

    let metrics = http::request(server.metrics, "GET", "/metrics", &[], b"").unwrap();
    let metrics = String::from_utf8(metrics.body).unwrap();
    let no_one = ["zq7shop", secret, &hash, "203.0.113.77"];
    for word in no_one {
        assert!(!metrics.contains(word), "{word} in the metrics");
        for answer in &answers {
            let body = String::from_utf8_lossy(&answer.body);
            assert!(!body.contains(word), "{word}: {body}");
            assert!(
                answer
                    .headers
                    .iter()
                    .all(|(_, value)| !value.contains(word)),
                "{word}"
            );
        }
    }
    server.signal(Signal::TERM);
    assert!(server.wait(Duration::from_secs(40)).success());
    let mut told = 0;
    for line in server.log() {
        for word in &no_one[1..] {
            assert!(!line.contains(word), "{word}: {line}");
        }
        if !line.contains("zq7shop") {
            continue;
        }
        told += 1;
        let record: Value = serde_json::from_str(&line).unwrap();
        let fields: Vec<_> = record
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(fields, ["event", "level", "message", "time"], "{line}");
        assert_eq!(record["event"], "keys");
        let message = record["message"].as_str().unwrap();
        assert_eq!(message, "key zq7shop: 4 requests let in, 1 refused");
    }
    assert_eq!(told, 1, "at the end, once for all requests");
}
