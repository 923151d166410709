//! A real Prometheus scrapes the service while it works: what it then knows is what was sent, the
//! alerts are sound, and every query of the dashboard has an answer.

use std::{
    collections::BTreeSet,
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{
    peer::{Peer, get_json},
    project, with,
};
use crate::common::{self, Server, http, pictures, spawn};

/// What the service was asked, as the client saw it.
#[derive(Default)]
struct Sent {
    ok: u32,
    busy: u32,
    inspected: u32,
    restored: u32,
    wrong: u32,
    bytes_out: usize,
}

impl Sent {
    fn all(&self) -> u32 {
        self.ok + self.busy + self.inspected + self.restored + self.wrong
    }

    /// Some of everything, and then more at once than a queue of one can hold.
    fn send(&mut self, server: &Server) {
        let picture = pictures::jpeg(640, 480);
        let path = "/v1/remove-background?output=mask";
        let count = |sent: &mut Self, answer: common::Answer| match answer.status {
            200 => {
                sent.ok += 1;
                sent.bytes_out += answer.body.len();
            }
            503 => sent.busy += 1,
            other => panic!("{other}"),
        };
        count(self, server.post(path, "image/jpeg", &picture));
        let answer = server.post("/v1/restore", "image/jpeg", &pictures::jpeg(96, 64));
        assert_eq!(answer.status, 200);
        self.restored += 1;
        self.bytes_out += answer.body.len();
        let answer = server.post("/v1/inspect", "image/jpeg", &picture);
        assert_eq!(answer.status, 200);
        // What is inspected is answered with words, which are not counted as pictures.
        self.inspected += 1;
        let answer = server.post(path, "image/jpeg", b"no picture");
        assert_eq!(answer.status, 415);
        self.wrong += 1;
        let answers: Vec<_> = thread::scope(|scope| {
            let ask = || server.post(path, "image/jpeg", &picture);
            let clients: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();
            clients.into_iter().map(|c| c.join().unwrap()).collect()
        });
        answers.into_iter().for_each(|answer| count(self, answer));
    }
}

/// A Prometheus with the shipped rules that looks at `server` every second.
fn prometheus(server: &Server) -> Option<Peer> {
    let program = common::tool(&["prometheus"])?;
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/rules.yml");
    let config = format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n\
         rule_files: ['{rules}']\n\
         scrape_configs:\n\
         - job_name: safelight\n  static_configs: [{{ targets: ['{}'] }}]\n",
        server.metrics
    );
    Some(Peer::start("prometheus", |address, folder| {
        fs::write(folder.join("prometheus.yml"), &config).unwrap();
        let mut command = Command::new(&program);
        command
            .arg(format!("--web.listen-address={address}"))
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .current_dir(folder);
        command
    }))
}

/// The results of an instant query.
fn query(prometheus: &Peer, promql: &str) -> Vec<serde_json::Value> {
    let escape = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(b).to_string(),
        _ => format!("%{b:02X}"),
    };
    let escaped: String = promql.bytes().map(escape).collect();
    let path = format!("/api/v1/query?query={escaped}");
    let answer = get_json(prometheus.address, &path);
    assert_eq!(answer["status"], "success", "{promql}: {answer}");
    answer["data"]["result"].as_array().unwrap().clone()
}

fn sample(result: &serde_json::Value) -> f64 {
    result["value"][1].as_str().unwrap().parse().unwrap()
}

/// The value of a query with one result; NaN where there is none.
fn value(prometheus: &Peer, promql: &str) -> f64 {
    query(prometheus, promql).first().map_or(f64::NAN, sample)
}

/// Looks until `right` has found what it looks for; else the test fails with what it said last. A
/// scrape may be late, or lost, where the machine has other work.
fn wait(prometheus: &Peer, right: impl Fn() -> Result<(), String>) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(wrong) = right() {
        let late = Instant::now() > deadline;
        assert!(!late, "{wrong}\n{}", prometheus.log());
        thread::sleep(Duration::from_millis(100));
    }
}

fn wait_for(prometheus: &Peer, promql: &str, expected: f64) {
    wait(prometheus, || {
        let seen = value(prometheus, promql);
        let right = (seen - expected).abs() < 1e-6;
        right
            .then_some(())
            .ok_or_else(|| format!("{promql} is {seen}, not {expected}"))
    });
}

#[test]
fn prometheus_knows_what_was_sent_and_every_query_of_the_dashboard_has_an_answer() {
    const TEST: &str =
        "prometheus_knows_what_was_sent_and_every_query_of_the_dashboard_has_an_answer";
    let server = spawn(&["--workers=1", "--queue=1", "--queue-wait=2s"]);
    let Some(prometheus) = prometheus(&server) else {
        return common::skip(TEST, "Prometheus");
    };
    let mut sent = Sent::default();
    // Twice, with a scrape in between: a rate needs a counter that was seen before it grew.
    for _ in 0..2 {
        sent.send(&server);
        let total = f64::from(sent.all());
        wait_for(&prometheus, "sum(safelight_requests_total)", total);
    }
    assert!(sent.ok > 2 && sent.busy > 0, "{} {}", sent.ok, sent.busy);
    wait_for(&prometheus, "safelight_in_flight", 0.0);

    for (operation, outcome, expected) in [
        ("remove-background", "ok", sent.ok),
        ("remove-background", "busy", sent.busy),
        ("remove-background", "client_error", sent.wrong),
        ("restore", "ok", sent.restored),
        ("inspect", "ok", sent.inspected),
    ] {
        let labels = format!("operation=\"{operation}\",outcome=\"{outcome}\"");
        let promql = format!("safelight_requests_total{{{labels}}}");
        wait_for(&prometheus, &promql, f64::from(expected));
    }
    assert_eq!((sent.wrong, sent.restored, sent.inspected), (2, 2, 2));
    let megapixels = f64::from(sent.ok) * 0.64 * 0.48;
    for (promql, expected) in [
        ("up{job=\"safelight\"}", 1.0),
        (
            "sum(safelight_request_duration_seconds_count)",
            f64::from(sent.all()),
        ),
        ("sum(safelight_rejections_total)", f64::from(sent.busy)),
        ("safelight_response_bytes_total", sent.bytes_out as f64),
        (
            "sum(safelight_inputs_opened_total) - sum(safelight_inputs_deleted_total)",
            0.0,
        ),
        ("safelight_inputs_live + safelight_leases_live", 0.0),
        (
            "safelight_input_lifetime_seconds_count - safelight_inputs_opened_total",
            0.0,
        ),
        (
            "safelight_spool_bytes + safelight_memory_reserved_bytes",
            0.0,
        ),
        ("safelight_spool_budget_bytes", f64::from(256 << 20)),
        (
            "safelight_megapixels_total{operation=\"remove-background\"}",
            megapixels,
        ),
    ] {
        wait_for(&prometheus, promql, expected);
    }

    check_dashboard(&prometheus);
    check_rules(&prometheus);
    server.assert_books_balance();
}

/// Every query of every panel, with what Grafana would put for its variables.
fn check_dashboard(prometheus: &Peer) {
    let dashboard = project("deploy/grafana/safelight.json");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    let names = get_json(prometheus.address, "/api/v1/label/__name__/values");
    let names = names["data"].as_array().unwrap().iter();
    let known: BTreeSet<_> = names.filter_map(|name| name.as_str()).collect();
    let mut checked = 0;
    let panels = dashboard["panels"].as_array().unwrap();
    for target in panels
        .iter()
        .filter_map(|p| p["targets"].as_array())
        .flatten()
    {
        let shown = target["expr"].as_str().expect("a query");
        for word in shown.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            let metric = word.starts_with("safelight_") || word.starts_with("process_");
            assert!(!metric || known.contains(word), "{word}");
        }
        let promql = with(shown, "$instance", ".*").replace("$__rate_interval", "1m");
        assert!(
            !promql.contains('$'),
            "a variable that nobody fills: {promql}"
        );
        wait(prometheus, || {
            let results = query(prometheus, &promql);
            let found = results.iter().any(|result| sample(result).is_finite());
            found
                .then_some(())
                .ok_or_else(|| format!("{promql}: {results:?}"))
        });
        checked += 1;
    }
    assert!(checked >= 25, "only {checked} queries");
    let variable = &dashboard["templating"]["list"][1]["query"]["query"];
    assert_eq!(variable, "label_values(safelight_build_info, instance)");
}

/// Prometheus has evaluated every rule, and nothing is wrong with a service that was just busy.
fn check_rules(prometheus: &Peer) {
    let rules = || get_json(prometheus.address, "/api/v1/rules");
    wait(prometheus, || {
        let answer = rules();
        let rules = answer["data"]["groups"][0]["rules"].as_array().unwrap();
        let ill = rules.iter().find(|rule| rule["health"] != "ok");
        ill.map_or(Ok(()), |rule| Err(rule.to_string()))
    });
    let answer = rules();
    let rules = answer["data"]["groups"][0]["rules"].as_array().unwrap();
    let names: BTreeSet<_> = rules
        .iter()
        .filter_map(|rule| rule["name"].as_str())
        .collect();
    for what in [
        "Down",
        "QueueFull",
        "Errors",
        "InputTooOld",
        "InputsLiveWhenIdle",
        "SpoolNearlyFull",
        "ModelSlow",
        "StorageExposed",
    ] {
        assert!(
            names.contains(format!("Safelight{what}").as_str()),
            "{what}"
        );
    }
    for rule in rules {
        // Where the tests' spool is on a disk, that alert is right.
        if rule["name"] != "SafelightStorageExposed" {
            assert_ne!(rule["state"], "firing", "{rule}");
        }
    }
}

#[test]
fn promtool_finds_no_fault_in_the_metrics_and_the_rules_fire_when_they_should() {
    const TEST: &str = "promtool_finds_no_fault_in_the_metrics_and_the_rules_fire_when_they_should";
    let Some(promtool) = common::tool(&["promtool"]) else {
        return common::skip(TEST, "Prometheus");
    };
    let server = spawn(&["--workers=1"]);
    let answer = server.post(
        "/v1/remove-background",
        "image/jpeg",
        &pictures::jpeg(64, 48),
    );
    assert_eq!(answer.status, 200);
    let metrics = http::request(server.metrics, "GET", "/metrics", &[], b"").unwrap();
    let run = |arguments: &[&str], input: &[u8]| {
        let mut command = Command::new(&promtool);
        command
            .args(arguments)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus"));
        let ran = common::run(&mut command, input);
        assert_eq!(
            ran.code,
            Some(0),
            "{arguments:?}: {}{}",
            ran.text(),
            ran.stderr
        );
        assert!(
            !ran.text().contains("FAILED"),
            "{arguments:?}: {}",
            ran.text()
        );
    };
    run(&["check", "metrics"], &metrics.body);
    run(&["check", "rules", "--lint-fatal", "rules.yml"], b"");
    run(&["check", "config", "prometheus.yml"], b"");
    run(&["test", "rules", "rules_test.yml"], b"");
    // An alert that no case makes fire is untested.
    let cases = project("deploy/prometheus/rules_test.yml");
    let rules = project("deploy/prometheus/rules.yml");
    for name in rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
    {
        let case = format!("alertname: {name}\n");
        assert!(cases.contains(&case), "{name} has no case");
    }
}
