//! `safelight bench-quality`: how good a model is on a folder of pictures, measured through the code
//! that the service runs, with everything before and after the model.

mod command;
mod damage;
mod metrics;
mod pairs;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use clap::{ArgMatches, FromArgMatches};

use super::{Failure, print, tell, tell_notes};
use crate::{
    cancel::Cancel,
    config::EngineSettings,
    engine::{
        Engine, Loading,
        manifest::{Entry, Task},
    },
    error::Error,
    frame::{Filter, Frame, Mask},
    observe::{Metrics, Stages},
    ops::{self, Context, Kind, Recipe, Source},
};
pub(super) use command::command;
use damage::Damage;
use metrics::Row;
use pairs::{Other, Pair, channel};

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let settings =
        EngineSettings::from_arg_matches(matches).map_err(|e| Failure::Usage(e.to_string()))?;
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    let engine = Engine::open(&settings, metrics, Loading::OnDemand).map_err(Failure::Failed)?;
    let name = match &settings.models.model[..] {
        [] => None,
        [one] => Some(one.name.as_str()),
        more => {
            let count = more.len();
            return Err(Failure::Usage(format!(
                "one model is measured at a time; --model names {count}"
            )));
        }
    };
    let entry = match name {
        Some(name) => engine
            .models()
            .map(|model| model.entry)
            .find(|entry| entry.name == name),
        None => engine.entry(Task::Cutout, None).ok(),
    };
    let entry = entry.ok_or_else(|| Failure::Usage("name --model NAME".to_owned()))?;
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
    let degraded = with("degraded", &[Task::Restore, Task::Deblur, Task::Upscale])?;
    let masks = with("masks", &[Task::Cutout, Task::Scratch, Task::Inpaint])?;
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
            let (mut sums, mut seconds) = (vec![0.0; columns.len()], 0.0);
            for (i, pair) in pairs.iter().enumerate() {
                let (row, took) = self
                    .picture(pair, damage, i as u64)
                    .map_err(|e| format!("{}: {e}", pair.picture.display()))?;
                seconds += took;
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            let n = pairs.len() as f64;
            let figures: Vec<_> = sums
                .iter()
                .zip(&columns)
                .map(|(sum, column)| {
                    let digits = if column.starts_with("PSNR") || *column == "SAD" {
                        2
                    } else {
                        4
                    };
                    format!("{:.digits$}", sum / n)
                })
                .collect();
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
        if degraded {
            return Ok((PICTURE.to_vec(), vec![None]));
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
            Task::Colorize | Task::FaceDetect | Task::FaceRestore | Task::Kind => {
                return Err(format!(
                    "a model for {} has no measure here",
                    self.entry.task.name()
                ));
            }
        })
    }

    /// The figures of one picture, and the seconds of the work.
    fn picture(
        &self,
        pair: &Pair,
        damage: Option<Damage>,
        seed: u64,
    ) -> Result<(Row, f64), String> {
        let clean = pairs::read(&pair.picture)?;
        let (mut mask, mut other) = (None, None);
        if let Some(file) = &pair.other {
            match self.entry.task {
                Task::Cutout | Task::Scratch | Task::Inpaint => {
                    mask = Some(pairs::mask(file, &clean)?);
                }
                _ => other = Some(pairs::read(file)?),
            }
        }
        if let Some(other) = &other {
            pairs::fits(other, &clean, self.entry.factor)?;
        }
        let run = || -> Result<(Row, f64), Error> {
            let damaged = match damage {
                Some(damage) => damage.apply(&clean, seed)?,
                None => clean.clone(),
            };
            match (self.entry.task, mask) {
                (Task::Cutout, Some(mask)) => self.matte(damaged, &mask),
                (_, mask) => self.better(&clean, other.unwrap_or(damaged), mask, seed),
            }
        };
        run().map_err(|e| e.to_string())
    }

    fn matte(&self, frame: Frame, truth: &Mask) -> Result<(Row, f64), Error> {
        let frame = frame.resized(truth.width(), truth.height(), Filter::Box);
        let refine = self.refine.to_string();
        let options = [
            ("output", "mask"),
            ("model", self.entry.name.as_str()),
            ("refine", &refine),
        ];
        let recipe = Recipe::Single(Kind::RemoveBackground);
        let plan = recipe.plan(options)?.ok_or(Error::Internal)?;
        let mut context = Context {
            engine: self.engine,
            cancel: &Cancel::new(),
            stages: &mut Stages::default(),
            files: Vec::new(),
            limits: ops::Limits {
                max_pixels: u64::MAX,
                max_side: u32::MAX,
            },
            source: Source::default(),
        };
        let start = Instant::now();
        let found = plan.apply(frame, &mut context)?.frame;
        let seconds = start.elapsed().as_secs_f64();
        let score = metrics::matte(&channel(&found), truth);
        Ok((
            vec![score.iou, score.mae, score.boundary, score.sad],
            seconds,
        ))
    }

    /// `given` are the holes, or the damage that is in the picture; where it is missing, it is made.
    fn better(
        &self,
        clean: &Frame,
        damaged: Frame,
        given: Option<Mask>,
        seed: u64,
    ) -> Result<(Row, f64), Error> {
        let (task, name, cancel) = (
            self.entry.task,
            Some(self.entry.name.as_str()),
            &Cancel::new(),
        );
        let (width, height) = (clean.width(), clean.height());
        let start = Instant::now();
        match task {
            Task::Upscale => {
                let factor = self.entry.factor;
                let (w, h) = ((width / factor).max(1), (height / factor).max(1));
                let whole = crate::frame::Rect {
                    x: 0,
                    y: 0,
                    width: (w * factor).min(width),
                    height: (h * factor).min(height),
                };
                let clean = clean.cropped(whole);
                // One that was given degraded is small already.
                let small = match (damaged.width(), damaged.height()) == (width, height) {
                    true => damaged.cropped(whole).resized(w, h, Filter::Bicubic),
                    false => damaged,
                };
                let before = small.resized(whole.width, whole.height, Filter::Lanczos3);
                let start = Instant::now();
                let after = self.engine.upscale(name, &small, factor, cancel)?;
                let seconds = start.elapsed().as_secs_f64();
                Ok((
                    metrics::compared(
                        &clean,
                        &before,
                        &after.resized(whole.width, whole.height, Filter::Box),
                    ),
                    seconds,
                ))
            }
            Task::Inpaint => {
                let holes = match given {
                    Some(mask) => pairs::sized(mask, width, height),
                    None => damage::scratches(width, height, seed),
                };
                let before = damage::marked(&damaged, &holes);
                let after = self
                    .engine
                    .inpaint(name, before.clone(), holes.clone(), cancel)?;
                let seconds = start.elapsed().as_secs_f64();
                let inside = |i: usize| holes.data()[i] > 0;
                let score = |frame| metrics::psnr(frame, clean, inside);
                Ok((vec![score(&before), score(&after)], seconds))
            }
            Task::Scratch => {
                let made = given.is_none();
                let truth = match given {
                    Some(mask) => pairs::sized(mask, width, height),
                    None => damage::scratches(width, height, seed),
                };
                let damaged = match made {
                    true => damage::marked(&damaged, &truth),
                    false => damaged,
                };
                let found = self.engine.damage(name, &damaged, cancel)?;
                let seconds = start.elapsed().as_secs_f64();
                Ok((vec![metrics::overlap(&found, &truth)], seconds))
            }
            _ => {
                let after = self
                    .engine
                    .restore(task, name, damaged.clone(), 1.0, cancel)?;
                let seconds = start.elapsed().as_secs_f64();
                Ok((metrics::compared(clean, &damaged, &after), seconds))
            }
        }
    }
}
