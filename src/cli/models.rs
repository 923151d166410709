//! `safelight models`: what there is, and under which licence.

use std::{fmt::Write, sync::Arc};

use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::{Failure, print};
use crate::{config::EngineSettings, engine::Engine, observe::Metrics};

pub(super) fn command() -> Command {
    let list = Command::new("list").about("Lists the models with their licences");
    Command::new("models")
        .about("The models that this program knows")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(EngineSettings::augment_args(list))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((_, matches)) = matches.subcommand() else {
        return Err(Failure::Usage("name what to do with the models".to_owned()));
    };
    let settings =
        EngineSettings::from_arg_matches(matches).map_err(|e| Failure::Usage(e.to_string()))?;
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    let engine = Engine::open(&settings, metrics).map_err(Failure::Failed)?;
    let mut table = format!(
        "{:<12} {:<9} {:<14} {:>8}  {:<10} about\n",
        "name", "task", "licence", "KiB", "state"
    );
    for (entry, loaded, default) in engine.models() {
        let state = match (loaded, default) {
            (true, true) => "default",
            (true, false) => "loaded",
            _ => "missing",
        };
        let task = format!("{:?}", entry.task).to_lowercase();
        let kib = entry.bytes.div_ceil(1024);
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "{:<12} {task:<9} {:<14} {kib:>8}  {state:<10} {}",
            entry.name, entry.license, entry.about
        );
    }
    print(table.trim_end())
}
