//! `safelight bench-quality`: how good a model is on a folder of pictures, measured through the code
//! that the service runs, with everything before and after the model.

mod command;
mod damage;
mod measure;
mod metrics;
mod pairs;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{ArgMatches, FromArgMatches};

use super::{Failure, print, tell, tell_notes};
use crate::{
    config::EngineSettings,
    engine::{
        Engine, Loading,
        manifest::{Entry, Task},
    },
    observe::Metrics,
};
pub(super) use command::command;
use damage::Damage;
use metrics::Row;
use pairs::Other;

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let settings =
        EngineSettings::from_arg_matches(matches).map_err(|e| Failure::Usage(e.to_string()))?;
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    let engine = Engine::open(&settings, metrics, Loading::OnDemand).map_err(Failure::Failed)?;
    let entry = measured(&engine, &settings)?;
    let bench = Bench {
        engine: &engine,
        entry,
        refine: matches.get_one("refine").copied().unwrap_or(true),
        limit: matches.get_one("limit").copied().unwrap_or(usize::MAX),
        damages: matches
            .get_many("damage")
            .into_iter()
            .flatten()
            .copied()
            .collect(),
    };
    let folders = |name: &str| -> Vec<&PathBuf> {
        let given = matches.get_many(name).into_iter().flatten();
        given.collect()
    };
    let clean = folders("pairs");
    let with = |option: &str, tasks: &[Task]| {
        let given = folders(option);
        if !given.is_empty() && !tasks.contains(&entry.task) {
            let names: Vec<_> = tasks.iter().map(|task| task.name()).collect();
            let (names, task) = (names.join(", "), entry.task.name());
            return Err(Failure::Usage(format!(
                "--{option} is for {names}, not for {task}"
            )));
        }
        if !given.is_empty() && given.len() != clean.len() {
            return Err(Failure::Usage(format!(
                "--{option} names one folder for each of --pairs, in the same order"
            )));
        }
        Ok(given)
    };
    let degraded = with(
        "degraded",
        &[
            Task::Restore,
            Task::Deblur,
            Task::Upscale,
            Task::Colorize,
            Task::FaceRestore,
        ],
    )?;
    let masks = with(
        "masks",
        &[Task::Cutout, Task::Scratch, Task::Inpaint, Task::FaceDetect],
    )?;
    if entry.task == Task::FaceDetect && masks.is_empty() {
        let why = "a model for face-detect is measured with --masks, white where faces are";
        return Err(Failure::Usage(why.to_owned()));
    }
    for (i, folder) in clean.iter().enumerate() {
        let other = match (masks.get(i), degraded.get(i)) {
            (Some(masks), _) => Other::Mask(Some(masks)),
            (_, Some(degraded)) => Other::Degraded(degraded),
            _ if entry.task == Task::Cutout => Other::Mask(None),
            _ => Other::None,
        };
        let table = bench.folder(folder, other, i == 0).map_err(|why| {
            let notes = engine.take_notes().join(" ");
            Failure::Failed(
                format!("{}: {why} {notes}", folder.display())
                    .trim_end()
                    .to_owned(),
            )
        })?;
        tell_notes(&engine);
        print(&table)?;
    }
    Ok(())
}

/// The model that is measured: the one that is named, beside those that it cannot do without.
fn measured<'a>(engine: &'a Engine, settings: &EngineSettings) -> Result<&'a Entry, Failure> {
    let named = settings.models.model.iter().map(|spec| &spec.name);
    let named: Vec<_> = named
        .filter_map(|name| engine.models().map(|m| m.entry).find(|e| e.name == *name))
        .collect();
    let helps = |task| match task {
        Task::FaceRestore => Some(Task::FaceDetect),
        Task::Kind => Some(Task::Cutout),
        _ => None,
    };
    let mut alone = named
        .iter()
        .filter(|entry| !named.iter().any(|e| helps(e.task) == Some(entry.task)));
    match (settings.models.model.len(), alone.next(), alone.next()) {
        (0, ..) => {
            let usual = engine.entry(Task::Cutout, None);
            usual.map_err(|_| Failure::Usage("name --model NAME".to_owned()))
        }
        (_, Some(entry), None) => Ok(entry),
        (1, ..) => Err(Failure::Usage("name --model NAME".to_owned())),
        (count, ..) => Err(Failure::Usage(format!(
            "one model is measured at a time; --model names {count}"
        ))),
    }
}

struct Bench<'a> {
    engine: &'a Engine,
    entry: &'a Entry,
    refine: bool,
    limit: usize,
    damages: Vec<Damage>,
}

impl Bench<'_> {
    /// The rows of one folder, with the head of the table where it is the first.
    fn folder(&self, folder: &Path, other: Other<'_>, first: bool) -> Result<String, String> {
        let (pairs, alone) = pairs::found(folder, other)?;
        let pairs = &pairs[..self.limit.min(pairs.len())];
        let missing = format!("{alone} of its pictures have no file of their name beside them");
        match (pairs.is_empty(), alone) {
            (true, 0) => return Err("holds no such pictures".to_owned()),
            (true, _) => return Err(missing),
            (false, 0) => {}
            (false, _) => tell(&format!(
                "{}: {missing}, and are left out",
                folder.display()
            )),
        }
        let degraded = match other {
            Other::Degraded(folder) => Some(folder),
            _ => None,
        };
        let (columns, damages) = self.plan(degraded.is_some())?;
        let kind = match self.entry.task {
            Task::Kind => Some(measure::kind(folder)?),
            _ => None,
        };
        let mut lines = Vec::new();
        if first {
            lines.push(format!(
                "| set | n | model | damage | {} | ms |",
                columns.join(" | ")
            ));
            lines.push(format!(
                "|---|---|---|---|{}---|",
                "---|".repeat(columns.len())
            ));
        }
        for damage in damages {
            let (mut rows, mut seconds) = (Vec::new(), 0.0);
            for (i, pair) in pairs.iter().enumerate() {
                let (row, took) = self
                    .picture(pair, damage, i as u64, kind)
                    .map_err(|e| format!("{}: {e}", pair.picture.display()))?;
                seconds += took;
                rows.push(row);
            }
            let n = pairs.len() as f64;
            // Where there is nothing to measure in a picture, it does not count.
            let mean = |k: usize| {
                let values = rows.iter().map(|row: &Row| row[k]).filter(|v| !v.is_nan());
                let values: Vec<_> = values.collect();
                (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
            };
            let figure = |(k, column): (usize, &&str)| {
                let two = ["PSNR", "SAD", "faces", "colourfulness"];
                let digits = match two.iter().any(|name| column.starts_with(name)) {
                    true => 2,
                    false => 4,
                };
                mean(k).map_or_else(|| "-".to_owned(), |mean| format!("{mean:.digits$}"))
            };
            let figures: Vec<_> = columns.iter().enumerate().map(figure).collect();
            let set = pairs::name(folder);
            lines.push(format!(
                "| {set} | {n} | {} | {} | {} | {:.0} |",
                self.entry.name,
                match (damage, degraded) {
                    (Some(damage), _) => damage.to_string(),
                    (None, Some(folder)) => pairs::name(folder),
                    (None, None) => "-".to_owned(),
                },
                figures.join(" | "),
                1000.0 * seconds / n
            ));
        }
        Ok(lines.join("\n"))
    }

    /// The columns of the task, and what is done to the pictures: nothing where they are
    /// `degraded` already.
    fn plan(&self, degraded: bool) -> Result<(Vec<&'static str>, Vec<Option<Damage>>), String> {
        const PICTURE: [&str; 4] = ["PSNR before", "PSNR after", "SSIM before", "SSIM after"];
        const COLOURS: [&str; 4] = [
            "PSNR before",
            "PSNR after",
            "colourfulness after",
            "colourfulness of the truth",
        ];
        const FACES: [&str; 3] = [
            "faces",
            "PSNR in the faces before",
            "PSNR in the faces after",
        ];
        if degraded {
            let columns = match self.entry.task {
                Task::Colorize => COLOURS.to_vec(),
                Task::FaceRestore => FACES.to_vec(),
                _ => PICTURE.to_vec(),
            };
            return Ok((columns, vec![None]));
        }
        let given: Vec<_> = self.damages.iter().copied().map(Some).collect();
        let or = |other: Vec<Option<Damage>>| {
            if given.is_empty() {
                other
            } else {
                given.clone()
            }
        };
        Ok(match self.entry.task {
            Task::Cutout => (vec!["mIoU", "MAE", "BF", "SAD"], or(vec![None])),
            Task::Restore => {
                let usual = [
                    Damage::Noise(10.0),
                    Damage::Noise(25.0),
                    Damage::Jpeg(20),
                    Damage::Jpeg(40),
                    Damage::Clean,
                ];
                (PICTURE.to_vec(), or(usual.map(Some).to_vec()))
            }
            Task::Deblur => (PICTURE.to_vec(), or(vec![Some(Damage::Blur(2.0))])),
            Task::Upscale => (PICTURE.to_vec(), or(vec![None])),
            Task::Inpaint => (
                vec!["PSNR in the hole before", "PSNR in the hole after"],
                or(vec![None]),
            ),
            Task::Scratch => (vec!["IoU"], or(vec![None])),
            Task::Colorize => (COLOURS.to_vec(), or(vec![Some(Damage::Grey)])),
            Task::FaceDetect => (vec!["faces", "IoU"], or(vec![None])),
            Task::FaceRestore => {
                let usual = [Damage::Blur(2.0), Damage::Jpeg(20)];
                (FACES.to_vec(), or(usual.map(Some).to_vec()))
            }
            Task::Kind => (vec!["right"], or(vec![None])),
        })
    }
}
