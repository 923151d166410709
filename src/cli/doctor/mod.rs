//! `safelight doctor`: what holds on this machine and what does not. It takes the settings of
//! `serve`, from the same flags, variables and file, and looks at what that would meet.

mod machine;

use std::{fmt::Write, sync::Arc};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{
    Failure,
    checks::{self, Check},
    print, settings, with,
};
use crate::{
    config::{EngineSettings, Settings, runtime_dir},
    engine::{Engine, Loading},
    ephemeral::storage,
    harden::process::Hardening,
    observe::Metrics,
};

pub(super) fn command() -> Command {
    let command = Command::new("doctor").about("Says what holds on this machine and what does not");
    with::<Settings>(command).args_override_self(true).arg(
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Print one JSON object"),
    )
}

pub(super) fn run(matches: &ArgMatches, hardening: Hardening) -> Result<(), Failure> {
    let settings = settings(matches)?;
    let mut checks = spool(&settings, hardening);
    checks.extend(machine::checks(&settings));
    checks.extend(models(&settings.engine));
    let faults = checks.iter().filter(|c| c.holds == Some(false)).count();
    match matches.get_flag("json") {
        true => print(&json(&checks, faults))?,
        false => print(text(&checks).trim_end())?,
    }
    match faults {
        0 => Ok(()),
        n => Err(Failure::Failed(format!("{n} of these do not hold"))),
    }
}

fn spool(settings: &Settings, hardening: Hardening) -> Vec<Check> {
    let storage = match storage::inspect(settings.spool.as_deref(), runtime_dir()) {
        Err(why) => return vec![Check::new("spool", false, why)],
        Ok(storage) => storage,
    };
    let folder = storage.folder.display();
    let chosen = format!("spool {folder} ({})", storage.chosen_by);
    let mut checks = vec![Check::new("spool", true, chosen)];
    checks.extend(checks::ephemerality(&storage, hardening));
    checks.push(machine::spool_room(&storage.folder, settings));
    checks
}

fn models(settings: &EngineSettings) -> Vec<Check> {
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    // One instance of each model shows as much as one for each worker.
    let one = EngineSettings {
        workers: Some(1),
        ..settings.clone()
    };
    let engine = match Engine::open(&one, metrics, Loading::AtOnce) {
        Err(why) => return vec![Check::new("onnxruntime", false, why)],
        Ok(engine) => engine,
    };
    let loaded = engine.models().filter(|model| model.loaded);
    let names: Vec<_> = loaded.map(|model| model.entry.name.as_str()).collect();
    let run = engine.warm_up();
    let device = engine.device().name();
    let mut checks = vec![
        Check::new(
            "onnxruntime",
            true,
            format!("ONNX Runtime {}", engine.runtime_version()),
        ),
        Check::of(
            "models",
            run.map(|()| format!("models that run (on {device}): {}", names.join(", "))),
        ),
    ];
    let notes = engine.take_notes().into_iter();
    checks.extend(notes.map(|note| Check::fact("device", note)));
    checks
}

fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let mark = match check.holds {
            Some(true) => "ok  ",
            Some(false) => "FAIL",
            None => "note",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{mark} {}", check.detail);
        if let Some(remedy) = &check.remedy {
            let _ = writeln!(text, "     {remedy}");
        }
    }
    text
}

fn json(checks: &[Check], faults: usize) -> String {
    let report = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "holds": faults == 0,
        "checks": checks,
    });
    // Text and truth values: there is nothing in it that JSON cannot hold.
    serde_json::to_string_pretty(&report).unwrap_or_default()
}
