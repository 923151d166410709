//! `safelight privacy`: the notice that `serve` with the same settings gives.

use clap::{Arg, ArgMatches, Command};

use super::{Failure, print, settings, with};
use crate::{
    config::{Settings, runtime_dir},
    ephemeral::storage,
    observe::Metrics,
    privacy::{Form, Notice},
};

pub(super) fn command() -> Command {
    let command = Command::new("privacy").about(
        "Prints the privacy notice of a configuration: what is received, kept, logged, measured",
    );
    with::<Settings>(command).args_override_self(true).arg(
        Arg::new("format")
            .long("format")
            .value_parser(["text", "markdown", "json"])
            .default_value("text")
            .help("How it is written"),
    )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let settings = settings(matches)?;
    let storage =
        storage::inspect(settings.spool.as_deref(), runtime_dir()).map_err(Failure::Failed)?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
    let form = match matches.get_one::<String>("format").map(String::as_str) {
        Some("json") => Form::Json,
        Some("markdown") => Form::Markdown,
        _ => Form::Text,
    };
    let notice = Notice::new(&settings, &storage, &metrics);
    print(notice.written(form).trim_end())
}
