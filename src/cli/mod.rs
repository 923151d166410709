//! The commands: parse, dispatch, exit code.

mod checks;
mod doctor;
mod files;
mod health;
mod inputs;
mod keys;
mod models;
mod output;
mod privacy;
mod prove;
mod quality;
mod receipt;
mod reload;
mod serve;

use std::{ffi::OsString, io::Write, process::ExitCode};

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::{
    config::{self, Settings},
    engine::Engine,
    harden::process::Hardening,
    http, ops,
};

/// Some inputs failed, or `doctor` found something.
const FAILED: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;
/// Refused to start (EX_CONFIG of sysexits.h).
const REFUSED: u8 = 78;

/// How a command ended, if not well.
#[derive(Debug)]
pub enum Failure {
    /// Something failed and was reported already, or is reported by this text.
    Failed(String),
    /// The command line is wrong.
    Usage(String),
    /// The service refuses to start.
    Refused(String),
}

impl Failure {
    fn report(self) -> ExitCode {
        let code = match self {
            Self::Failed(_) => FAILED,
            Self::Usage(_) => USAGE,
            Self::Refused(_) => REFUSED,
        };
        let text = self.into_text();
        if !text.is_empty() {
            tell(&text);
        }
        ExitCode::from(code)
    }

    fn into_text(self) -> String {
        let (Self::Failed(text) | Self::Usage(text) | Self::Refused(text)) = self;
        text
    }
}

/// Writes a line to standard error; where that is closed there is nobody to tell.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "safelight: {text}");
}

/// Says which models do not run on what was asked for, and why.
fn tell_notes(engine: &Engine) {
    for note in engine.take_notes() {
        tell(&note);
    }
}

/// Runs the command that `arguments` (the program's name first) write.
pub fn run(given: Vec<OsString>, hardening: Hardening) -> ExitCode {
    let arguments = match with_file(given.clone()) {
        Ok(arguments) => arguments,
        Err(text) => return Failure::Usage(text).report(),
    };
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    match dispatch(&matches, &given, hardening) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Puts the settings of `serve`'s file before its flags, so that flags win; `doctor` and
/// `privacy` look at the same. Names of files need be no text.
fn with_file(mut arguments: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let reads_settings = |name: &OsString| ["serve", "doctor", "privacy"].iter().any(|n| name == n);
    if arguments.get(1).is_some_and(reads_settings) {
        let words = arguments.iter().map(|word| word.to_string_lossy());
        let words: Vec<_> = words.map(|word| word.into_owned()).collect();
        if let Some(file) = config::named_file(&words) {
            let from_file = config::file_arguments(&file, &words[2..])?;
            arguments.splice(2..2, from_file.into_iter().map(OsString::from));
        }
    }
    Ok(arguments)
}

/// A command with the settings `A` added. It keeps its own description: `augment_args` would put that
/// of the settings in its place.
fn with<A: Args>(command: Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    A::augment_args(command).about(about)
}

fn command() -> Command {
    let serve = Command::new("serve").about("Runs the HTTP service");
    let mut command = Command::new("safelight")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Removes backgrounds, restores and transforms pictures, and keeps nothing")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with::<Settings>(serve).args_override_self(true));
    for recipe in recipes() {
        command = command.subcommand(files::command(recipe));
    }
    command
        .subcommand(files::inspect_command())
        .subcommand(models::command())
        .subcommand(keys::command())
        .subcommand(doctor::command())
        .subcommand(privacy::command())
        .subcommand(receipt::command())
        .subcommand(health::command())
        .subcommand(prove::command())
        .subcommand(quality::command())
        .subcommand(Command::new("openapi").about("Prints the OpenAPI document"))
}

/// What runs on files.
fn recipes() -> impl Iterator<Item = ops::Recipe> {
    let single = ops::Kind::ALL.into_iter().map(ops::Recipe::Single);
    single.chain([ops::Recipe::Pipeline])
}

fn dispatch(matches: &ArgMatches, given: &[OsString], hardening: Hardening) -> Result<(), Failure> {
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Failure::Usage("name a command".to_owned()));
    };
    if let Some(recipe) = recipes().find(|recipe| recipe.name() == name) {
        return files::run(recipe, matches);
    }
    match name {
        "serve" => {
            let source = reload::source(given, matches);
            serve::run(settings(matches)?, source, hardening)
        }
        "inspect" => files::inspect(matches),
        "key" => keys::run(matches),
        "models" => models::run(matches),
        "privacy" => privacy::run(matches),
        "receipt" => receipt::run(matches),
        "health" => health::run(matches),
        "prove" => prove::run(matches),
        "bench-quality" => quality::run(matches),
        "doctor" => doctor::run(matches, hardening),
        _ => print(&http::openapi_document(&[])),
    }
}

fn settings(matches: &ArgMatches) -> Result<Settings, Failure> {
    let settings =
        Settings::from_arg_matches(matches).map_err(|e| Failure::Usage(e.to_string()))?;
    settings.validate().map_err(Failure::Usage)?;
    Ok(settings)
}

/// Prints to standard output; a closed pipe is the reader's wish, not a failure.
fn print(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Failed(e.to_string())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_well_formed() {
        command().debug_assert();
    }
}
