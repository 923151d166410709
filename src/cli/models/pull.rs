//! `safelight models pull`: gets a file from one of several places, and installs it only when it
//! is the one that the catalogue means.

use std::{
    fs::{self, File},
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{download, named, part::Part, size};
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
        if digest::of_file(&target).is_ok_and(|found| found == entry.sha256) {
            return done("is already in");
        }
        let mut places = from.to_vec();
        if places.is_empty() {
            // What rembg has already is not fetched again.
            if let Place::Rembg(file) = library.place(entry) {
                places.push(file.display().to_string());
            }
            places.extend(entry.urls.iter().cloned());
        }
        if places.is_empty() {
            return Err("nobody publishes this file; name it with --from FILE".to_owned());
        }
        fs::create_dir_all(self.folder).map_err(|e| self.trouble(&e))?;
        let mut part = Part::open(&self.folder.join(format!("{}.part", entry.name)))
            .map_err(|e| self.trouble(&e))?;
        let mut reasons = Vec::new();
        for place in &places {
            match self.fetch(place, &mut part) {
                Ok(()) => {
                    part.install(&target).map_err(|e| self.trouble(&e))?;
                    return done("installed as");
                }
                Err(Fault::Here(why)) => {
                    reasons.push(why);
                    break;
                }
                Err(Fault::There(why)) => reasons.push(format!("{place}: {why}")),
            }
        }
        let kept = part.close();
        let mut text = reasons.join("; ");
        if kept > 0 {
            text += &format!(
                "; the {} that came are kept, and the next pull goes on there",
                size(kept)
            );
        }
        Err(text)
    }

    /// Brings the whole file into `part`, and checks it.
    fn fetch(&self, place: &str, part: &mut Part) -> Result<(), Fault> {
        let remote = place.starts_with("https://") || place.starts_with("http://");
        let mut before = part.length;
        for tries in 1.. {
            let end = match remote {
                true => self.take_remote(place, part),
                false => self.take_local(Path::new(place), part),
            };
            match end {
                Ok(()) => break,
                // What broke off is taken up again where it was, while that leads anywhere.
                Err(Fault::There(_)) if remote && tries < TRIES && part.length > before => {
                    before = part.length;
                }
                Err(fault) => return Err(fault),
            }
        }
        let found = std::mem::take(&mut part.sum).finish();
        if found != self.entry.sha256 {
            part.clear().map_err(|e| Fault::Here(self.trouble(&e)))?;
            return Err(Fault::There(format!(
                "is another file: its SHA-256 is {found}, the catalogue's {}; it is removed",
                self.entry.sha256
            )));
        }
        Ok(())
    }

    fn take_local(&self, file: &Path, part: &mut Part) -> Result<(), Fault> {
        let there = |e: io::Error| Fault::There(e.to_string());
        let source = File::open(file).map_err(there)?;
        let length = source.metadata().map_err(there)?.len();
        self.check_length(length)?;
        part.clear().map_err(|e| Fault::Here(self.trouble(&e)))?;
        self.copy(source, length, part)
    }

    fn take_remote(&self, url: &str, part: &mut Part) -> Result<(), Fault> {
        let here = |e: io::Error| Fault::Here(self.trouble(&e));
        if self.entry.bytes > 0 && part.length >= self.entry.bytes {
            // All of it, or too much: only the sum can tell which.
            return match part.length == self.entry.bytes {
                true => Ok(()),
                false => part
                    .clear()
                    .map_err(here)
                    .and_then(|()| self.take_remote(url, part)),
            };
        }
        let answer = self
            .client
            .get(url, part.length, part.validator().as_deref());
        let answer = answer.map_err(Fault::There)?;
        if !answer.continues && part.length > 0 {
            part.clear().map_err(here)?;
        }
        let total = answer.length.map(|rest| part.length + rest);
        if let Some(total) = total {
            self.check_length(total)?;
        }
        part.keep_validator(answer.validator.as_deref())
            .map_err(here)?;
        let total = total.unwrap_or(self.entry.bytes);
        self.copy(answer.body, total, part)
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
                    let got = size(part.length);
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
                size(part.length),
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
                size(free),
                size(needed)
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
