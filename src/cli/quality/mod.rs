//! `safelight bench-quality`: how good a model is on a folder of pictures, measured through the code
//! that the service runs, with everything before and after the model.

mod damage;
mod metrics;
mod pairs;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, value_parser};

use super::{Failure, print, tell_notes, with};
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
use damage::Damage;
use metrics::Row;
use pairs::{Other, Pair};

pub(super) fn command() -> Command {
    let command = Command::new("bench-quality")
        .about("Measures how good a model is, on pictures whose truth is known");
    with::<EngineSettings>(command)
        .arg(
            Arg::new("pairs")
                .long("pairs")
                .value_name("DIR")
                .required(true)
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .help("Folder of pictures; for mattes NAME.jpg or NAME.webp with its mask NAME.png"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(usize))
                .help("The first N pictures of each folder"),
        )
        .arg(
            Arg::new("damage")
                .long("damage")
                .value_name("KIND:LEVEL")
                .action(ArgAction::Append)
                .value_parser(value_parser!(Damage))
                .help("What is done to the pictures first: noise:SIGMA, jpeg:QUALITY, blur:SIGMA, clean"),
        )
        .arg(
            Arg::new("degraded")
                .long("degraded")
                .value_name("DIR")
                .action(ArgAction::Append)
                .conflicts_with("damage")
                .value_parser(value_parser!(PathBuf))
                .help("Damaged pictures, each of the name of its clean one in --pairs; one folder for each of those"),
        )
        .arg(
            Arg::new("refine")
                .long("refine")
                .value_name("BOOL")
                .default_value("true")
                .value_parser(value_parser!(bool))
                .help("For mattes: with the refinement of edges at full resolution"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let settings =
        EngineSettings::from_arg_matches(matches).map_err(|e| Failure::Usage(e.to_string()))?;
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    let engine = Engine::open(&settings, metrics, Loading::OnDemand).map_err(Failure::Failed)?;
    let name = settings
        .models
        .model
        .last()
        .map(|choice| choice.name.as_str());
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
    let (clean, degraded) = (folders("pairs"), folders("degraded"));
    if !degraded.is_empty() {
        if !matches!(entry.task, Task::Restore | Task::Deblur | Task::Upscale) {
            return Err(Failure::Usage(format!(
                "--degraded is for restore, deblur and upscale, not for {}",
                entry.task.name()
            )));
        }
        if degraded.len() != clean.len() {
            return Err(Failure::Usage(
                "--degraded names one folder for each of --pairs, in the same order".to_owned(),
            ));
        }
    }
    for (i, folder) in clean.into_iter().enumerate() {
        let degraded = degraded.get(i).map(|folder| folder.as_path());
        let table = bench.folder(folder, degraded, i == 0).map_err(|why| {
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
    fn folder(
        &self,
        folder: &Path,
        degraded: Option<&Path>,
        first: bool,
    ) -> Result<String, String> {
        let other = match (self.entry.task, degraded) {
            (Task::Cutout, _) => Other::Mask,
            (_, Some(folder)) => Other::Degraded(folder),
            (_, None) => Other::None,
        };
        let pairs = pairs::found(folder, other)?;
        let pairs = &pairs[..self.limit.min(pairs.len())];
        if pairs.is_empty() {
            return Err("holds no such pictures".to_owned());
        }
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
        let other = pair.other.as_deref().map(pairs::read).transpose()?;
        if let (Some(other), true) = (&other, self.entry.task != Task::Cutout) {
            pairs::fits(other, &clean, self.entry.factor)?;
        }
        let run = || -> Result<(Row, f64), Error> {
            let damaged = match damage {
                Some(damage) => damage.apply(&clean, seed)?,
                None => clean.clone(),
            };
            match (self.entry.task, other) {
                (Task::Cutout, Some(mask)) => self.matte(damaged, &channel(&mask)),
                (_, other) => self.better(&clean, other.unwrap_or(damaged), seed),
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

    fn better(&self, clean: &Frame, damaged: Frame, seed: u64) -> Result<(Row, f64), Error> {
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
                let holes = damage::scratches(width, height, seed);
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
                let truth = damage::scratches(width, height, seed);
                let found = self
                    .engine
                    .damage(name, &damage::marked(&damaged, &truth), cancel)?;
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

/// The first samples of the pixels: of a grey picture all there is.
fn channel(frame: &Frame) -> Mask {
    let n = frame.layout().channels();
    let data = frame.data().chunks_exact(n).map(|pixel| pixel[0]).collect();
    Mask::new(frame.width(), frame.height(), data)
}
