//! `safelight models`: what there is and under which licence; installs models and checks them.

mod download;
mod origin;
mod part;
mod pull;
mod show;

use std::{fmt::Write, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, value_parser};

use super::{Failure, print, with};
use crate::{
    config::ModelSettings,
    digest,
    engine::{
        catalogue,
        library::{Library, Place},
        manifest::Entry,
    },
};

pub(super) fn command() -> Command {
    let with = |name: &'static str, about: &'static str| {
        with::<ModelSettings>(Command::new(name).about(about))
    };
    let names = || {
        Arg::new("names")
            .value_name("NAME")
            .required(true)
            .num_args(1..)
            .help("Models, as `safelight models list` names them")
    };
    Command::new("models")
        .about("The models that this program knows, and their files")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with("list", "Lists the models with their licences and where they are"))
        .subcommand(with("show", "Says what is known of a model, with what goes in and comes out").arg(names()))
        .subcommand(
            with("pull", "Downloads models into --models-dir, and checks them")
                .arg(names())
                .arg(
                    Arg::new("from")
                        .long("from")
                        .value_name("FILE|URL")
                        .action(ArgAction::Append)
                        .help("Take the file from here instead; repeat to name others to try"),
                )
                .arg(
                    Arg::new("ca-file")
                        .long("ca-file")
                        .value_name("FILE")
                        .value_parser(value_parser!(PathBuf))
                        .help("Certificate authorities (PEM) to trust instead of Mozilla's [default: $SSL_CERT_FILE]"),
                ),
        )
        .subcommand(with("verify", "Reads every model that is here, and checks that it is whole"))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Failure::Usage("name what to do with the models".to_owned()));
    };
    let settings =
        ModelSettings::from_arg_matches(matches).map_err(|e| Failure::Usage(e.to_string()))?;
    let library = Library::open(&settings).map_err(Failure::Usage)?;
    match name {
        "show" => show::show(&library, matches),
        "pull" => pull::run(&settings, &library, matches),
        "verify" => verify(&library),
        _ => list(&library, &settings),
    }
}

/// The models that the command line names.
fn named<'a>(library: &'a Library, matches: &ArgMatches) -> Result<Vec<&'a Entry>, Failure> {
    let names = matches.get_many::<String>("names").into_iter().flatten();
    names
        .map(|name| {
            library.entry(name).ok_or_else(|| {
                let known: Vec<_> = library.entries().map(|e| e.name.as_str()).collect();
                Failure::Usage(format!(
                    "{name} is not known; known are {}",
                    known.join(", ")
                ))
            })
        })
        .collect()
}

fn list(library: &Library, settings: &ModelSettings) -> Result<(), Failure> {
    let mut rows =
        vec![["name", "task", "size", "licence", "commercial", "state"].map(str::to_owned)];
    // By task; ours first, then by name.
    let mut entries: Vec<_> = library.entries().collect();
    entries.sort_by_key(|entry| (entry.task, !entry.built_in));
    for entry in entries {
        let place = library.place(entry);
        let mut state = match place {
            Place::BuiltIn => "built in",
            Place::Named(_) => "your file",
            Place::Pulled(_) => "installed",
            Place::Rembg(_) => "in rembg's folder",
            Place::Nowhere => "missing",
        }
        .to_owned();
        if place != Place::Nowhere
            && library.needs_acceptance(entry)
            && !settings.accepts(&entry.name)
        {
            state += ", licence not accepted";
        }
        if entry.default {
            state += ", default";
        }
        rows.push([
            entry.name.clone(),
            entry.task.name().to_owned(),
            size(entry.bytes),
            entry.license.clone(),
            if entry.commercial_use { "yes" } else { "no" }.to_owned(),
            state,
        ]);
    }
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..6).map(width).collect();
    let mut table = String::new();
    for row in &rows {
        let mut line = String::new();
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a string cannot fail.
            let _ = match i {
                2 => write!(line, "{cell:>width$}  "),
                _ => write!(line, "{cell:<width$}  "),
            };
        }
        table += line.trim_end();
        table.push('\n');
    }
    print(table.trim_end())
}

/// The size of a file, where it is known.
fn size(bytes: u64) -> String {
    match bytes {
        0 => "unknown".to_owned(),
        _ => amount(bytes),
    }
}

/// Bytes for people.
fn amount(bytes: u64) -> String {
    match bytes {
        1_000_000.. => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} kB", bytes as f64 / 1e3),
    }
}

/// Reads every file that is here.
fn verify(library: &Library) -> Result<(), Failure> {
    let mut wrong = 0;
    for entry in library.entries() {
        let place = library.place(entry);
        let found = match (&place, place.file()) {
            (Place::BuiltIn, _) => catalogue::built_in(&entry.file)
                .map(digest::of)
                .ok_or_else(|| "is not part of this program".to_owned()),
            (_, Some(file)) => {
                digest::of_file(file).map_err(|e| format!("{}: {e}", file.display()))
            }
            (_, None) => continue,
        };
        let shown = place
            .file()
            .map_or_else(|| "built in".to_owned(), |f| f.display().to_string());
        let line = match found {
            Ok(found) if found == entry.sha256 => {
                format!("ok    {}  {found}  {shown}", entry.name)
            }
            // Nothing says what it should be but the operator.
            Ok(found) if entry.sha256.is_empty() => {
                format!("yours {}  {found}  {shown}", entry.name)
            }
            Ok(found) => {
                wrong += 1;
                format!(
                    "WRONG {}  {found}, expected {}  {shown}",
                    entry.name, entry.sha256
                )
            }
            Err(why) => {
                wrong += 1;
                format!("WRONG {}  {why}", entry.name)
            }
        };
        print(&line)?;
    }
    match wrong {
        0 => Ok(()),
        n => Err(Failure::Failed(format!(
            "{n} of the models are not what they should be"
        ))),
    }
}
