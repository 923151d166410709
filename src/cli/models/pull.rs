//! `safelight models pull`: gets a file from one of several places, and installs it only when it
//! is the one that the catalogue means.

use std::{
    fs::{self, File},
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{amount, download, named, origin::Origin, part::Part, size};
use crate::{
    cli::{Failure, print, tell},
    config::{ModelSettings, certificate_file},
    digest,
    engine::{
        library::{Library, Place, file_name},
        manifest::Entry,
    },
};

/// Bytes of a file whose size nobody knows, at most.
const MOST: u64 = 8 << 30;
/// Tries of one place, as long as each brings the file forward.
const TRIES: usize = 3;

pub(super) fn run(
    settings: &ModelSettings,
    library: &Library,
    matches: &ArgMatches,
) -> Result<(), Failure> {
    let entries = named(library, matches)?;
    let from: Vec<String> = matches
        .get_many("from")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    if entries.len() > 1 && !from.is_empty() {
        return Err(Failure::Usage(
            "--from is for one model at a time".to_owned(),
        ));
    }
    let folder = library
        .folder()
        .ok_or_else(|| Failure::Usage("name --models-dir DIR: this user has no home".to_owned()))?;
    let trusted = matches
        .get_one::<PathBuf>("ca-file")
        .cloned()
        .or_else(certificate_file);
    let client = download::Client::new(trusted.as_deref()).map_err(Failure::Usage)?;
    let mut failed = Vec::new();
    for entry in entries {
        if library.needs_acceptance(entry) && !settings.accepts(&entry.name) {
            tell(&format!(
                "{}: its licence ({}) forbids commercial use; --accept-license {} says that you \
                 know, here and at `safelight serve`",
                entry.name, entry.license, entry.name
            ));
            failed.push(entry.name.as_str());
            continue;
        }
        let pull = Pull {
            entry,
            folder,
            client: &client,
        };
        match pull.install(library, &from) {
            Ok(line) => print(&line)?,
            Err(why) => {
                tell(&format!("{}: {why}", entry.name));
                failed.push(&entry.name);
            }
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failure::Failed(format!(
            "not installed: {}",
            failed.join(", ")
        ))),
    }
}

struct Pull<'a> {
    entry: &'a Entry,
    folder: &'a Path,
    client: &'a download::Client,
}

impl Pull<'_> {
    /// Installs the model; a line on what was done.
    fn install(&self, library: &Library, from: &[String]) -> Result<String, String> {
        let (entry, target) = (self.entry, self.folder.join(file_name(self.entry)));
        let done = |what: &str| {
            let license = &entry.license;
            Ok(format!(
                "{}: {what} {} ({license})",
                entry.name,
                target.display()
            ))
        };
        if entry.built_in {
            return Ok(format!("{} is part of the program", entry.name));
        }
        let is_in = || digest::of_file(&target).is_ok_and(|found| found == entry.sha256);
        if is_in() {
            return done("is already in");
        }
        let mut origins: Vec<_> = from.iter().map(|text| Origin::new(text)).collect();
        if origins.is_empty() {
            // What rembg has already is not fetched again.
            if let Place::Rembg(file) = library.place(entry) {
                origins.push(Origin::File(file));
            }
            origins.extend(entry.urls.iter().map(|url| Origin::new(url)));
        }
        if origins.is_empty() {
            return Err("nobody publishes this file; name it with --from FILE".to_owned());
        }
        fs::create_dir_all(self.folder).map_err(|e| self.trouble(&e))?;
        let mut part = Part::open(&self.folder.join(format!("{}.part", entry.name)))
            .map_err(|e| self.trouble(&e))?;
        // Another pull may have come to its end before this one had the lock.
        if is_in() {
            part.close();
            return done("is already in");
        }
        let mut reasons = Vec::new();
        for origin in &origins {
            match self.fetch(origin, &mut part) {
                Ok(()) => {
                    part.install(&target).map_err(|e| self.trouble(&e))?;
                    return done("installed as");
                }
                Err(Fault::Here(why)) => {
                    reasons.push(why);
                    break;
                }
                Err(Fault::There(why)) => reasons.push(format!("{origin}: {why}")),
            }
        }
        let kept = part.close();
        let mut text = reasons.join("; ");
        if kept > 0 {
            text += &format!(
                "; the {} that came are kept, and the next pull goes on there",
                amount(kept)
            );
        }
        Err(text)
    }

    /// Brings the whole file into `part`, and checks it.
    fn fetch(&self, origin: &Origin, part: &mut Part) -> Result<(), Fault> {
        loop {
            let earlier = part.length > 0;
            self.take(origin, part)?;
            let found = std::mem::take(&mut part.sum).finish();
            if found == self.entry.sha256 {
                return Ok(());
            }
            part.clear().map_err(|e| Fault::Here(self.trouble(&e)))?;
            // What is wrong may be what an earlier pull left: then the whole of it is asked for.
            if !earlier {
                return Err(self.other(&found));
            }
        }
    }

    /// What is missing of the file.
    fn take(&self, origin: &Origin, part: &mut Part) -> Result<(), Fault> {
        let url = match origin {
            Origin::File(file) => return self.take_local(file, part),
            Origin::Web(url) => url,
        };
        let mut before = part.length;
        for tries in 1.. {
            match self.take_remote(url, part) {
                // What broke off is taken up again where it was, while that leads anywhere.
                Err(Fault::There(_)) if tries < TRIES && part.length > before => {
                    before = part.length;
                }
                end => return end,
            }
        }
        Ok(())
    }

    fn other(&self, found: &str) -> Fault {
        Fault::There(format!(
            "is another file: its SHA-256 is {found}, the catalogue's {}",
            self.entry.sha256
        ))
    }

    /// It is read once more to be copied: what a download left stays unless it is the right one.
    fn take_local(&self, file: &Path, part: &mut Part) -> Result<(), Fault> {
        let there = |e: io::Error| Fault::There(e.to_string());
        let known = file.metadata().map_err(there)?;
        if !known.is_file() {
            return Err(Fault::There("is not a file".to_owned()));
        }
        self.check_length(known.len())?;
        let found = digest::of_file(file).map_err(there)?;
        if found != self.entry.sha256 {
            return Err(self.other(&found));
        }
        let source = File::open(file).map_err(there)?;
        part.clear().map_err(|e| Fault::Here(self.trouble(&e)))?;
        self.copy(source, known.len(), part)
    }

    fn take_remote(&self, url: &str, part: &mut Part) -> Result<(), Fault> {
        let here = |e: io::Error| Fault::Here(self.trouble(&e));
        let known = self.entry.bytes;
        if known > 0 && part.length > known {
            part.clear().map_err(here)?;
        }
        if known > 0 && part.length == known {
            return Ok(()); // whether it is the right one its sum tells
        }
        let validator = part.validator(url);
        let answer = self.client.get(url, part.length, validator.as_deref());
        let answer = answer.map_err(Fault::There)?;
        let kept = if answer.continues { part.length } else { 0 };
        let total = answer.length.map(|rest| kept + rest);
        if let Some(total) = total {
            self.check_length(total)?;
        }
        if kept < part.length {
            part.clear().map_err(here)?;
        }
        let validator = answer.validator.as_deref();
        part.keep_validator(validator.map(|validator| (url, validator)))
            .map_err(here)?;
        self.copy(answer.body, total.unwrap_or(known), part)
    }

    /// Before a byte of it is taken: a page that says "not found" is no model.
    fn check_length(&self, length: u64) -> Result<(), Fault> {
        let known = self.entry.bytes;
        match known {
            0 if length <= MOST => Ok(()),
            _ if known == length => Ok(()),
            _ => Err(Fault::There(format!(
                "has {length} bytes, the catalogue says {known}"
            ))),
        }
    }

    /// Everything that comes, up to the size that is known.
    fn copy(&self, mut from: impl Read, total: u64, part: &mut Part) -> Result<(), Fault> {
        self.check_room(total.saturating_sub(part.length))?;
        let bar = self.bar(total);
        bar.set_position(part.length);
        let most = if total > 0 { total } else { MOST };
        let mut chunk = vec![0; 256 << 10];
        loop {
            let n = match from.read(&mut chunk) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    let got = amount(part.length);
                    return Err(Fault::There(format!(
                        "broke off after {got} of {}: {e}",
                        size(total)
                    )));
                }
            };
            if n == 0 {
                break;
            }
            if part.length + n as u64 > most {
                let clear = part.clear().map_err(|e| Fault::Here(self.trouble(&e)));
                return clear.and(Err(Fault::There(format!("sends more than {most} bytes"))));
            }
            part.write(&chunk[..n])
                .map_err(|e| Fault::Here(self.trouble(&e)))?;
            bar.set_position(part.length);
        }
        bar.finish_and_clear();
        match part.length < total {
            true => Err(Fault::There(format!(
                "broke off after {} of {}",
                amount(part.length),
                size(total)
            ))),
            false => Ok(()),
        }
    }

    /// Refuses what cannot fit, before it is fetched.
    fn check_room(&self, needed: u64) -> Result<(), Fault> {
        let Ok(found) = rustix::fs::statvfs(self.folder) else {
            return Ok(());
        };
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        match free < needed {
            true => Err(Fault::Here(format!(
                "{} has {} free, {} are needed",
                self.folder.display(),
                amount(free),
                amount(needed)
            ))),
            false => Ok(()),
        }
    }

    fn trouble(&self, e: &io::Error) -> String {
        let folder = self.folder.display();
        match e.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                format!("there is no space left in {folder}")
            }
            io::ErrorKind::WouldBlock => format!("another pull is at work in {folder}"),
            _ => format!("{folder}: {e}"),
        }
    }

    fn bar(&self, total: u64) -> ProgressBar {
        let target = match io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let style = "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_prefix(self.entry.name.clone());
        bar
    }
}

/// Why a place did not give the file.
enum Fault {
    /// Another place may.
    There(String),
    /// No other will do better.
    Here(String),
}
