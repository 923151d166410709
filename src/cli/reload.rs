//! How a running service reads its files again: the same command line, with what the files say now.

use std::{collections::BTreeMap, ffi::OsString};

use clap::ArgMatches;

use super::{Failure, command, settings, with_file};
use crate::{
    config::Settings,
    http::{Reloaded, Source},
};

/// The settings that a reload changes.
const LIVE: [&str; 3] = ["--keys", "--rate-per-address", "--trusted-proxies"];

/// What each flag was given, in words.
type Values = BTreeMap<String, Vec<OsString>>;

/// How to read the settings of the command line `given` again; none where no file is named, so that
/// there is nothing to read.
pub(super) fn source(given: &[OsString], matches: &ArgMatches) -> Option<Source> {
    let before = values(matches);
    let named = |flag: &str| before.contains_key(flag);
    if !named("--config") && !named("--keys") {
        return None;
    }
    let given = given.to_vec();
    Some(Box::new(move || {
        let matches = command()
            .try_get_matches_from(with_file(given.clone())?)
            .map_err(|e| first_paragraph(&e.to_string()))?;
        let serve = matches.subcommand_matches("serve");
        let serve = serve.ok_or("there is no command serve any more")?;
        let settings = settings(serve).map_err(Failure::into_text)?;
        let restart = changed(&before, &values(serve));
        Ok(Reloaded { settings, restart })
    }))
}

/// An error of the command line parser without its hints.
fn first_paragraph(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    paragraph.trim_start_matches("error: ").to_owned()
}

fn values(matches: &ArgMatches) -> Values {
    let table = Settings::table().into_iter();
    table
        .filter_map(|(flag, ..)| {
            let id = flag.trim_start_matches('-').replace('-', "_");
            let values = matches.get_raw(&id)?.map(OsString::from).collect();
            Some((flag, values))
        })
        .collect()
}

/// The flags that differ and that a reload does not change.
fn changed(before: &Values, after: &Values) -> Vec<String> {
    let flags = before.keys().chain(after.keys());
    let mut changed: Vec<_> = flags
        .filter(|flag| !LIVE.contains(&flag.as_str()) && before.get(*flag) != after.get(*flag))
        .cloned()
        .collect();
    changed.sort();
    changed.dedup();
    changed
}
