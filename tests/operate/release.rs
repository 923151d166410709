//! What goes with a release: the bill of materials names everything, the numbers that stand in
//! several places agree, and the Dockerfile is what it says.

use std::{collections::BTreeSet, process::Command};

use super::project;
use crate::common;

#[test]
fn the_bill_of_materials_names_every_crate_the_runtime_and_the_models() {
    const TEST: &str = "the_bill_of_materials_names_every_crate_the_runtime_and_the_models";
    let Some(python) = common::tool(&["python3"]) else {
        return common::skip(TEST, "Python");
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/sbom.py");
    let ran = common::run(Command::new(python).arg(script), b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let document: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let components = document["components"].as_array().unwrap();
    let named: BTreeSet<_> = components
        .iter()
        .map(|c| {
            let text = |key: &str| c[key].as_str().unwrap_or_default().to_owned();
            let hash = c["hashes"][0]["content"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            (text("name"), text("version"), hash)
        })
        .collect();
    let lock = project("Cargo.lock");
    let field = |block: &str, key: &str| {
        let start = format!("{key} = \"");
        let line = block
            .lines()
            .find_map(|line| line.strip_prefix(start.as_str()));
        line.map(|rest| rest.trim_end_matches('"').to_owned())
    };
    let mut crates = 0;
    for block in lock.split("[[package]]").skip(1) {
        // Our own crates have no checksum.
        if let Some(checksum) = field(block, "checksum") {
            let name = field(block, "name").unwrap();
            let key = (name, field(block, "version").unwrap(), checksum);
            assert!(named.contains(&key), "{key:?} is not in it");
            crates += 1;
        }
    }
    assert!(crates > 100, "{crates} crates");
    let manifest = project("models/manifest.toml");
    for block in manifest.split("[[model]]").skip(1) {
        let shipped = block.contains("built_in = true");
        let hash = field(block, "sha256").unwrap();
        let found = named.iter().any(|(_, _, content)| *content == hash);
        assert_eq!(found, shipped, "{:?}", field(block, "name"));
    }
    let fetch = project("scripts/fetch_onnxruntime.py");
    let runtime = named
        .iter()
        .find(|(name, ..)| name == "onnxruntime")
        .expect("it is named");
    assert!(
        fetch.contains(&runtime.1) && fetch.contains(&runtime.2),
        "{runtime:?}"
    );
    let bare: Vec<_> = components
        .iter()
        .filter(|c| !c["licenses"].is_array())
        .map(|c| &c["name"])
        .collect();
    assert!(bare.is_empty(), "no licence: {bare:?}");

    const VALIDATE: &str = "import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
fault = JsonStrictValidator(SchemaVersion.V1_5).validate_str(sys.stdin.read())
sys.exit(str(fault) if fault else 0)";
    let Some(python) = super::common::python_tool("python") else {
        return common::skip(TEST, "cyclonedx-python-lib");
    };
    let ran = common::run(Command::new(python).args(["-c", VALIDATE]), &ran.stdout);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn the_oldest_rust_is_the_same_wherever_it_stands() {
    let manifest = project("Cargo.toml");
    let line = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \""));
    let oldest = line.expect("it is stated").trim_end_matches('"');
    for (file, text) in [
        // clippy::incompatible_msrv judges by it, in `make lint`.
        ("clippy.toml", format!("msrv = \"{oldest}\"")),
        ("scripts/check_tools.sh", format!("least_rust={oldest}\n")),
        ("README.md", format!("Rust {oldest} or later")),
        ("CONTRIBUTING.md", format!("Rust {oldest} or newer")),
    ] {
        assert!(
            project(file).contains(&text),
            "{file} does not say `{text}`"
        );
    }
}

#[test]
fn the_image_has_no_shell_a_numeric_user_and_pinned_parts() {
    let dockerfile = project("Dockerfile");
    let (_, last) = dockerfile.rsplit_once("\nFROM ").expect("stages");
    assert!(
        last.starts_with("gcr.io/distroless/cc-debian12:nonroot\n"),
        "{last}"
    );
    let words: Vec<_> = last
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(!words.contains(&"RUN"), "there is nothing to run it with");
    for text in [
        "\nUSER 65532:65532\n",
        "\nHEALTHCHECK ",
        "CMD [\"/usr/local/bin/safelight\", \"health\"]",
        "\"--ephemerality\", \"strict\", \"--spool\", \"/spool\"]",
        "\"--listen\", \"0.0.0.0:8080\", \"--metrics-listen\", \"0.0.0.0:9464\"",
        "org.opencontainers.image.licenses=\"Apache-2.0\"",
        "org.opencontainers.image.version=",
        "org.opencontainers.image.revision=",
    ] {
        assert!(last.contains(text), "{text}");
    }
    let fetch = project("scripts/fetch_onnxruntime.py");
    for machine in ["(\"Linux\", \"x86_64\")", "(\"Linux\", \"aarch64\")"] {
        assert!(fetch.contains(machine), "{machine} has no pinned library");
    }
}

#[test]
fn workflows_call_what_a_laptop_can_call() {
    let ci = project(".ci/run");
    for (what, text) in [
        ("the tests", "make test"),
        ("the lint", "make lint"),
        ("the image's RUN lines", "scripts/image_steps.py"),
    ] {
        assert!(ci.contains(text), "{what}");
    }
    let workflow = project(".github/workflows/ci.yml");
    assert!(workflow.contains(" .ci/run\n"));
    let release = project(".github/workflows/release.yml");
    for script in ["scripts/build_release.sh", "scripts/sbom.py"] {
        assert!(release.contains(script), "{script}");
        assert!(!project(script).is_empty());
    }
    assert!(release.contains("run: make reproducible\n"));
    assert!(project("Makefile").contains("\n\t@scripts/reproducible.sh\n"));
    // What is compared is built the way that the shipped one and the image's one are.
    let both = ["scripts/reproducible.sh", "Dockerfile"];
    assert!(
        both.iter()
            .all(|file| project(file).contains("scripts/build_release.sh"))
    );
    assert!(workflow.contains("- run: scripts/deny.sh\n"));
}
