//! `safelight receipt verify`: checks a deletion receipt, without asking anyone.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use serde_json::Value;

use super::{Failure, print};
use crate::{
    config::duration,
    digest,
    receipt::{Expected, Jwk, Report, verify},
};

/// Bytes of a receipt, a key or a statement that are read at most.
const MAX_TEXT: u64 = 1 << 20;

pub(super) fn command() -> Command {
    let file = |name: &'static str, about: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help(about)
    };
    let verify = Command::new("verify")
        .about("Checks a deletion receipt against a key; opens no connection")
        .after_help(
            "The key is what GET /v1/transparency of the service says, fetched by you:\n  \
             curl -o statement.json https://SERVER/v1/transparency\n\n\
             Exit codes: 0 all of it holds, 1 some of it does not, 2 it could not be checked.",
        )
        .arg(
            Arg::new("receipt")
                .value_name("RECEIPT")
                .help("The receipt; `-` or nothing reads it from standard input"),
        )
        .arg(
            file(
                "file",
                "File with the receipt, or with the answer's headers (curl -D FILE)",
            )
            .conflicts_with("receipt"),
        )
        .arg(file("key", "Public key as a JWK"))
        .arg(file(
            "transparency",
            "Answer of GET /v1/transparency; its build is checked too",
        ))
        .group(
            ArgGroup::new("with")
                .args(["key", "transparency"])
                .required(true),
        )
        .arg(
            Arg::new("nonce")
                .long("nonce")
                .value_name("NONCE")
                .help("The nonce that was sent"),
        )
        .arg(
            file(
                "input",
                "A file that was sent; repeat it where the request had more, in order",
            )
            .action(ArgAction::Append),
        )
        .arg(
            Arg::new("max-age")
                .long("max-age")
                .value_name("TIME")
                .value_parser(duration)
                .help("How old it may be, such as 5m"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Prints what was found as JSON"),
        );
    Command::new("receipt")
        .about("Deletion receipts")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(verify)
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((_, matches)) = matches.subcommand() else {
        return Err(Failure::Usage(
            "name what to do with the receipt".to_owned(),
        ));
    };
    let text = receipt(matches)?;
    let (key, build) = key(matches)?;
    let inputs = match matches.get_many::<PathBuf>("input") {
        Some(files) => Some(files.map(|file| input(file)).collect::<Result<_, _>>()?),
        None => None,
    };
    let expected = Expected {
        nonce: matches.get_one::<String>("nonce").cloned(),
        inputs,
        max_age: matches.get_one::<Duration>("max-age").copied(),
        build,
    };
    let report = verify(&text, &key, &expected);
    if matches.get_flag("json") {
        print(&serde_json::to_string_pretty(&report).unwrap_or_default())?;
    } else {
        print(&shown(&report))?;
    }
    match report.valid {
        true => Ok(()),
        false => Err(Failure::Failed("the receipt does not hold".to_owned())),
    }
}

fn shown(report: &Report) -> String {
    let mut lines = Vec::new();
    for check in &report.checks {
        let word = if check.holds { "ok  " } else { "FAIL" };
        lines.push(format!("{word} {}: {}", check.check, check.found));
    }
    if let Some(said) = &report.receipt {
        lines.push(format!(
            "It says: {} input{} of {} bytes lay in {}; the last was closed at {}, held for at most \
             {} ms.",
            said.inputs,
            if said.inputs == 1 { "" } else { "s" },
            said.in_bytes,
            said.store,
            said.closed_at,
            said.held_ms,
        ));
        lines.push(
            "That the holder of the key said so is all it shows: not that no copy exists, nor which \
             program holds the key."
                .to_owned(),
        );
    }
    lines.join("\n")
}

/// The receipt's text: the argument, or a file, or standard input; bare, or a header among others.
fn receipt(matches: &ArgMatches) -> Result<String, Failure> {
    let given = matches.get_one::<String>("receipt").map(String::as_str);
    let text = match (given, matches.get_one::<PathBuf>("file")) {
        (Some(text), _) if text != "-" => text.to_owned(),
        (_, Some(file)) => read(file)?,
        _ => read(Path::new("-"))?,
    };
    let header = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("deletion-receipt")
            .then_some(value)
    });
    Ok(header.unwrap_or(&text).trim().to_owned())
}

/// The key, and the program's hash where a whole statement is given.
fn key(matches: &ArgMatches) -> Result<(Jwk, Option<String>), Failure> {
    let json = |file: &Path| -> Result<Value, Failure> {
        serde_json::from_str(&read(file)?)
            .map_err(|_| Failure::Usage(format!("{} is not JSON", file.display())))
    };
    let parsed = |file: &Path, value: &Value| {
        Jwk::parse(value).map_err(|why| Failure::Usage(format!("{}: {why}", file.display())))
    };
    if let Some(file) = matches.get_one::<PathBuf>("key") {
        return Ok((parsed(file, &json(file)?)?, None));
    }
    let Some(file) = matches.get_one::<PathBuf>("transparency") else {
        return Err(Failure::Usage(
            "name a key with --key or --transparency".to_owned(),
        ));
    };
    let statement = json(file)?;
    if statement["receipt_key"].is_null() {
        return Err(Failure::Usage(format!(
            "{} names no receipt key: it is no transparency statement, or of a service that gives \
             no receipts",
            file.display()
        )));
    }
    let build = statement["build"]["sha256"].as_str().map(str::to_owned);
    Ok((parsed(file, &statement["receipt_key"])?, build))
}

fn input(file: &Path) -> Result<(u64, String), Failure> {
    let size = fs::metadata(file).map(|data| data.len());
    let found = size.and_then(|size| Ok((size, digest::of_file(file)?)));
    found.map_err(|e| unreadable(file, &e))
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match file == Path::new("-") {
        true => io::stdin().lock().take(MAX_TEXT).read_to_string(&mut text),
        false => {
            fs::File::open(file).and_then(|file| file.take(MAX_TEXT).read_to_string(&mut text))
        }
    };
    match read {
        Ok(_) => Ok(text),
        // What is not even text is no receipt and no JSON, and is found out by whoever reads it.
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Ok(String::new()),
        Err(e) => Err(unreadable(file, &e)),
    }
}

fn unreadable(file: &Path, e: &io::Error) -> Failure {
    Failure::Usage(format!("{} cannot be read: {e}", file.display()))
}
