//! `safelight prove URL`: what of the contract can be seen from outside, tried against a service
//! that runs.
//!
//! It sends some two hundred small requests, a few at a time, and reads every answer. Nothing that
//! it finds proves more than these tries can show; what nobody can see from outside it names.

mod answers;
mod canaries;
mod clients;
mod files;
mod hostile;
mod parts;
mod receipts;
mod report;
mod routes;
mod session;
mod wire;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::{Arg, ArgMatches, Command, value_parser};

use super::{Failure, print};
use report::{Report, Verdict};
use session::Session;
use wire::Target;

pub(super) fn command() -> Command {
    Command::new("prove")
        .about("Tries against a running service what of its promise can be seen from outside")
        .arg(
            Arg::new("url")
                .value_name("URL")
                .required(true)
                .value_parser(Target::checked)
                .help("The service: http://HOST[:PORT][/PATH]"),
        )
        .arg(
            Arg::new("metrics")
                .long("metrics")
                .value_name("URL")
                .value_parser(Target::checked)
                .help("Its metrics, for the counters; often http://127.0.0.1:9464/metrics"),
        )
        .arg(
            Arg::new("key")
                .long("key")
                .env("SAFELIGHT_PROVE_KEY")
                .hide_env_values(true)
                .help("Key that the service asks for (Authorization: Bearer)"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help(
                    "Writes the findings as JSON too; - is standard output, instead of the table",
                ),
        )
        .arg(
            Arg::new("patience")
                .long("patience")
                .value_name("TIME")
                .default_value("45s")
                .value_parser(humantime::parse_duration)
                .help("The longest wait for any answer; more than the longest upload that drips"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((url, target)) = matches.get_one::<(String, Target)>("url") else {
        return Err(Failure::Usage("name a URL".to_owned()));
    };
    let metrics = matches.get_one::<(String, Target)>("metrics");
    let metrics = metrics.map(|(_, target)| target.clone());
    let key = matches.get_one::<String>("key");
    let patience = matches.get_one::<Duration>("patience");
    let patience = patience.copied().unwrap_or(Duration::from_secs(45));
    let begin = Instant::now();
    let session = Session::begin(target.clone(), metrics, key.map(String::as_str), patience)
        .map_err(|why| Failure::Failed(format!("{url}: {why}")))?;
    let report = Report {
        url: url.clone(),
        findings: checks(&session),
        requests: session.journal().requests,
        took: begin.elapsed(),
    };
    write(&report, matches.get_one::<PathBuf>("json"))?;
    match report.count(Verdict::NotHeld) {
        0 => Ok(()),
        n => Err(Failure::Failed(format!("{n} of these did not hold"))),
    }
}

/// Every check, in the order in which the next can build on the last: the counters come when
/// everything else is over.
fn checks(session: &Session) -> Vec<report::Finding> {
    let said = answers::say(session);
    let [bare, same] = answers::pictures(session);
    let mut found = vec![
        bare,
        same,
        answers::neighbours(session),
        routes::closed(session),
        hostile::inputs(session),
        clients::slow(session),
        clients::dropped(session),
        clients::books(session),
        receipts::verify(session),
    ];
    let [mut silence, headers] = session.conclude();
    if let Err(why) = said {
        silence.unseen(why);
    }
    found.insert(0, silence);
    found.insert(1, headers);
    found
}

fn write(report: &Report, json: Option<&PathBuf>) -> Result<(), Failure> {
    let text = || format!("{:#}", report.json());
    match json {
        Some(file) if file.as_os_str() == "-" => return print(&text()),
        Some(file) => std::fs::write(file, text() + "\n")
            .map_err(|e| Failure::Failed(format!("{}: {e}", file.display())))?,
        None => {}
    }
    print(&report.table())
}
