//! The manifests under `deploy/`: valid by their published schemas, and true of this program.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use safelight::{
    config::{Ephemerality, Settings},
    ephemeral::storage::Storage,
};

use super::project;
use crate::common;

fn deploy(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(below)
}

#[test]
fn kubernetes_compose_and_workflows_are_valid_by_their_schemas() {
    const TEST: &str = "kubernetes_compose_and_workflows_are_valid_by_their_schemas";
    let (Some(kubernetes), Some(schema)) = (
        common::python_tool("kubernetes-validate"),
        common::python_tool("check-jsonschema"),
    ) else {
        return common::skip(TEST, "kubernetes-validate and check-jsonschema");
    };
    // Every file that the kustomization names, and no other, so that none is forgotten.
    let kustomization = project("deploy/kubernetes/kustomization.yaml");
    let named = kustomization
        .lines()
        .filter_map(|line| line.strip_prefix("  - "));
    let mut named: Vec<_> = named.filter(|name| name.ends_with(".yaml")).collect();
    named.sort_unstable();
    let folder = std::fs::read_dir(deploy("kubernetes")).unwrap();
    let mut there: Vec<_> = folder
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    there.retain(|name| name != "kustomization.yaml");
    there.sort_unstable();
    assert_eq!(named, there);
    let mut command = Command::new(&kubernetes);
    let files = named.iter().map(|name| deploy("kubernetes").join(name));
    let ran = common::run(command.arg("--strict").args(files), b"");
    let said = ran.text() + &ran.stderr;
    assert_eq!(ran.code, Some(0), "{said}");
    for name in &named {
        // A kind of the Prometheus operator, which Kubernetes itself has no schema of.
        let known = *name != "servicemonitor.yaml";
        let passed = format!("{name} passed for resource");
        assert_eq!(said.contains(&passed), known, "{name}: {said}");
    }
    for (kind, file) in [
        ("vendor.compose-spec", "deploy/compose.yaml"),
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
        ("vendor.github-workflows", ".github/workflows/release.yml"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let mut command = Command::new(&schema);
        let ran = common::run(command.args(["--builtin-schema", kind]).arg(path), b"");
        assert_eq!(ran.code, Some(0), "{file}: {}{}", ran.text(), ran.stderr);
    }
}

/// The number after `key`.
fn number(text: &str, key: &str) -> u64 {
    let (_, rest) = text.split_once(key).unwrap_or_else(|| panic!("no {key}"));
    let rest = rest.trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end]
        .parse()
        .unwrap_or_else(|_| panic!("{key} has no number"))
}

#[test]
fn every_manifest_waits_for_the_drain() {
    let grace = Settings::default().shutdown_grace;
    let deployment = project("deploy/kubernetes/deployment.yaml");
    let before = Duration::from_secs(number(&deployment, "preStop: { sleep: { seconds:"));
    let all = Duration::from_secs(number(&deployment, "terminationGracePeriodSeconds:"));
    assert!(all > before + grace, "Kubernetes kills after {all:?}");
    let compose = Duration::from_secs(number(
        &project("deploy/compose.yaml"),
        "stop_grace_period:",
    ));
    assert!(compose > grace, "compose kills after {compose:?}");
    let unit = project("deploy/systemd/safelight.service");
    let unit = Duration::from_secs(number(&unit, "TimeoutStopSec="));
    assert!(unit > grace, "systemd kills after {unit:?}");
    // A proxy must not give up before the service does.
    let longest = Settings::default().long_timeout.as_secs();
    for (file, key) in [
        ("haproxy.cfg", "timeout server"),
        ("nginx.conf", "proxy_read_timeout"),
        ("Caddyfile", "response_header_timeout"),
    ] {
        let text = project(&format!("deploy/proxy/{file}"));
        assert!(number(&text, key) > longest, "{file} {key}");
    }
    let body = (Settings::default().max_upload.0 * 2) >> 20;
    assert_eq!(
        number(&project("deploy/proxy/nginx.conf"), "client_max_body_size"),
        body
    );
    assert_eq!(number(&project("deploy/proxy/Caddyfile"), "max_size"), body);
}

#[test]
fn the_flags_for_a_container_are_the_same_wherever_they_stand() {
    let storage = Storage {
        folder: "/spool".into(),
        chosen_by: "--spool",
        in_memory: false,
        noswap: false,
        nameless: true,
        swap_on: true,
        swap_allowed: true,
    };
    let refusal = storage
        .judge(Ephemerality::Strict)
        .expect_err("a disk and swap");
    let readme = project("README.md");
    let dockerfile = project("Dockerfile");
    for flag in [
        "--tmpfs /spool:uid=65532,mode=0700,size=512m",
        "--memory 2g",
        "--memory-swap 2g",
    ] {
        assert!(
            refusal.contains(flag),
            "exit 78 does not say {flag}: {refusal}"
        );
        assert!(readme.contains(flag), "README: {flag}");
        assert!(dockerfile.contains(flag), "Dockerfile: {flag}");
    }
    let compose = project("deploy/compose.yaml");
    for text in [
        "tmpfs: [\"/spool:uid=65532,mode=0700,size=512m\"]",
        "mem_limit: 2g",
        "memswap_limit: 2g",
        "read_only: true",
        "cap_drop: [ALL]",
        "inside: { internal: true }",
    ] {
        assert!(compose.contains(text), "compose: {text}");
    }
    let twice = (2 * Settings::default().spool_budget.0) >> 20;
    assert_eq!(
        twice,
        number(&compose, "mode=0700,size="),
        "room for the spool twice"
    );
    let deployment = project("deploy/kubernetes/deployment.yaml");
    assert_eq!(twice, number(&deployment, "sizeLimit:"));
}

#[test]
fn systemd_counts_the_unit_as_well_confined() {
    const TEST: &str = "systemd_counts_the_unit_as_well_confined";
    let Some(analyze) = common::tool(&["systemd-analyze"]) else {
        return common::skip(TEST, "systemd-analyze");
    };
    let unit = deploy("systemd/safelight.service");
    let mut command = Command::new(&analyze);
    // In tenths; a unit without any line has 96, and what needs a network cannot have less than 5.
    command.args(["security", "--offline=true", "--threshold=15", "--no-pager"]);
    let ran = common::run(command.arg(&unit), b"");
    assert_eq!(ran.code, Some(0), "{}{}", ran.text(), ran.stderr);
    let ran = common::run(
        Command::new(&analyze)
            .args(["verify", "--man=no"])
            .arg(&unit),
        b"",
    );
    let faults: Vec<_> = ran
        .stderr
        .lines()
        // The program is not installed on the machine that tests it.
        .filter(|line| line.contains("safelight.service") && !line.contains("is not executable"))
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
}
