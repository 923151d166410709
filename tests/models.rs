//! Models: the catalogue's contracts, what a file must be, the operator's own, devices.

mod common;

#[path = "models/contracts.rs"]
mod contracts;
#[path = "models/installed.rs"]
mod installed;
#[path = "models/proxies.rs"]
mod proxies;
#[path = "models/published.rs"]
mod published;
#[path = "models/pull.rs"]
mod pull;
#[path = "models/quality.rs"]
mod quality;
#[path = "models/quality_tasks.rs"]
mod quality_tasks;
#[path = "models/rembg.rs"]
mod rembg;
#[path = "models/served.rs"]
mod served;
#[path = "models/server.rs"]
mod server;
#[path = "models/standins.rs"]
mod standins;
#[path = "models/steps.rs"]
mod steps;
#[path = "models/tls.rs"]
mod tls;

use std::{fs, path::Path, process::Command};

use common::{Folder, PROGRAM, Ran};

/// Runs the program with these arguments.
fn run(arguments: &[&str]) -> Ran {
    common::run(Command::new(PROGRAM).args(arguments), b"")
}

/// A digest as the catalogue writes it.
fn sum(bytes: &[u8]) -> String {
    safelight::digest::of(bytes)
}

/// A catalogue of one model, `tiny`, which is this file.
fn catalogue(folder: &Folder, file: &[u8], more: &str) -> String {
    let text = format!(
        "[[model]]\nname = 'tiny'\ntask = 'cutout'\nsha256 = '{}'\nbytes = {}\n\
         license = 'Apache-2.0'\nresize = 'stretch'\nsize = 64\npeak_mib = 1\n{more}\n",
        sum(file),
        file.len()
    );
    folder.write("catalogue.toml", text.as_bytes())
}

#[test]
fn models_are_listed_and_shown_without_being_loaded() {
    let ran = run(&["models", "list"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = ran.text();
    let row = |name: &str| {
        let mut lines = text.lines();
        lines
            .find(|line| line.starts_with(&format!("{name} ")))
            .unwrap()
    };
    for part in ["Apache-2.0", "yes", "built in, default", "MB"] {
        assert!(row("cutout").contains(part), "{part}: {}", row("cutout"));
    }
    assert!(row("u2netp").contains("missing") && row("u2netp").contains("4.6 MB"));
    assert!(row("bria-rmbg").contains("  no  "));
    assert!(row("ddcolor").contains("unknown"), "nobody states its size");
    assert!(text.lines().count() > 35);

    let ran = run(&["models", "show", "yunet", "lama"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for part in [
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        "232589 bytes",
        "not run by us",
        "models pull yunet",
        "https://huggingface.co/Carve/LaMa-ONNX/",
        "tiles of 384 px",
    ] {
        assert!(ran.text().contains(part), "{part}: {}", ran.text());
    }
    let ran = run(&["models", "show", "u2netp", "ddcolor", "realesrgan-x2plus"]);
    for part in [
        "stretched to 320 x 320 (Lanczos), RGB, divided by the largest sample, \
         less (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225)",
        "number 0, stretched to 0 to 1",
        "a and b of CIE Lab",
        "2 times as wide and high",
        "size    unknown\n",
    ] {
        assert!(ran.text().contains(part), "{part}: {}", ran.text());
    }
    let ran = run(&["models", "show", "u2nett"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("u2netp"), "{}", ran.stderr);
}

/// The table of `docs/models.md` is the catalogue, row for row.
#[test]
fn the_catalogue_is_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/models.md");
    let text = fs::read_to_string(path).unwrap();
    for entry in safelight::engine::catalogue::catalogue() {
        let start = format!("| `{}` | {} |", entry.name, entry.task.name());
        let row = text.lines().find(|line| line.starts_with(&start));
        let row =
            row.unwrap_or_else(|| panic!("no row for {}: scripts/models_table.py", entry.name));
        let commercial = if entry.commercial_use { "yes" } else { "no" };
        assert!(row.contains(&format!("| {commercial} |")), "{row}");
        let size = match entry.bytes {
            0 => "?".to_owned(),
            1_000_000.. => format!("{:.1} MB", entry.bytes as f64 / 1e6),
            _ => format!("{:.1} kB", entry.bytes as f64 / 1e3),
        };
        assert!(
            row.contains(&format!("| {size} | {} |", entry.license)),
            "{size} is the size now; scripts/models_table.py writes it: {row}"
        );
        let tested = if entry.tested { "yes" } else { "stand-in" };
        assert!(row.ends_with(&format!("| {tested} |")), "{row}");
    }
}
