//! `safelight doctor`: what holds on this machine and what does not.

use std::{fmt::Write, path::PathBuf, sync::Arc};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::{Failure, print};
use crate::{
    config::{EngineSettings, runtime_dir},
    engine::Engine,
    ephemeral::storage,
    harden::process::Hardening,
    observe::Metrics,
};

pub(super) fn command() -> Command {
    let command = Command::new("doctor").about("Says what holds on this machine and what does not");
    EngineSettings::augment_args(command).arg(
        Arg::new("spool")
            .long("spool")
            .value_name("DIR")
            .env("SAFELIGHT_SPOOL")
            .value_parser(value_parser!(PathBuf))
            .help("Folder on a tmpfs for uploads"),
    )
}

pub(super) fn run(matches: &ArgMatches, hardening: Hardening) -> Result<(), Failure> {
    let settings =
        EngineSettings::from_arg_matches(matches).map_err(|e| Failure::Usage(e.to_string()))?;
    let mut report = Report::default();
    match storage::inspect(
        matches.get_one::<PathBuf>("spool").map(PathBuf::as_path),
        runtime_dir(),
    ) {
        Err(why) => report.line(false, why),
        Ok(storage) => {
            report.line(
                true,
                format!("spool {} ({})", storage.folder.display(), storage.chosen_by),
            );
            report.line(
                storage.in_memory,
                match storage.noswap {
                    true => "the spool is on a tmpfs (noswap)",
                    false => "the spool is on a tmpfs",
                },
            );
            report.line(
                storage.nameless,
                "files in the spool have no name (O_TMPFILE)",
            );
            let swap = !storage.swap_on || !storage.swap_allowed;
            report.line(swap, "memory cannot be swapped out to a disk");
            for objection in storage.objections() {
                report.note(&objection);
            }
        }
    }
    report.line(
        hardening.not_dumpable,
        "the process cannot be dumped or traced by its own user",
    );
    report.line(hardening.no_core, "no core file is written");
    report.line(
        hardening.c_heap_wiped,
        "memory freed by C libraries is overwritten",
    );
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    match Engine::open(&settings, metrics) {
        Err(why) => report.line(false, why),
        Ok(engine) => {
            report.line(true, format!("ONNX Runtime {}", engine.runtime_version()));
            let names = engine.models().filter(|(_, loaded, _)| *loaded);
            let names: Vec<_> = names.map(|(entry, ..)| entry.name.as_str()).collect();
            match engine.warm_up() {
                Ok(()) => report.line(true, format!("models that run: {}", names.join(", "))),
                Err(why) => report.line(false, why),
            }
        }
    }
    report.line(true, format!("{} workers", settings.worker_count()));
    report.line(
        true,
        format!(
            "{} MiB of memory for jobs",
            settings.memory_budget_bytes() >> 20
        ),
    );
    print(report.text.trim_end())?;
    match report.faults {
        0 => Ok(()),
        n => Err(Failure::Failed(format!("{n} of these do not hold"))),
    }
}

#[derive(Default)]
struct Report {
    text: String,
    faults: usize,
}

impl Report {
    fn line(&mut self, holds: bool, what: impl AsRef<str>) {
        self.faults += usize::from(!holds);
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.text,
            "{} {}",
            if holds { "ok  " } else { "FAIL" },
            what.as_ref()
        );
    }

    fn note(&mut self, text: &str) {
        let _ = writeln!(self.text, "     {text}");
    }
}
