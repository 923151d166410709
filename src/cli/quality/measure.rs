//! The figures of one picture: what the service would do with it, held against the truth.

use std::{path::Path, time::Instant};

use super::{
    Bench,
    damage::{self, Damage},
    metrics::{self, Row},
    pairs::{self, Pair, channel},
};
use crate::{
    cancel::Cancel,
    engine::{Face, KINDS, Subject, manifest::Task},
    error::Error,
    frame::{Filter, Frame, Mask, Rect},
    observe::Stages,
    ops::{self, Context, Kind, Recipe, Source},
};

/// The figures, and the seconds of the work.
type Measured = Result<(Row, f64), Error>;

/// The kind of thing that the pictures of a folder show, which is its name.
///
/// # Errors
/// A sentence with the names that are known.
pub fn kind(folder: &Path) -> Result<Subject, String> {
    let name = pairs::name(folder);
    let found = KINDS.into_iter().find(|kind| kind.name() == name);
    found.ok_or_else(|| {
        let known = KINDS.map(Subject::name).join(", ");
        format!("a model for kind is measured on folders that are named after what their pictures show: {known}")
    })
}

impl Bench<'_> {
    /// The figures of one picture, and the seconds of the work; `truth` is the kind of its subject.
    pub(super) fn picture(
        &self,
        pair: &Pair,
        damage: Option<Damage>,
        seed: u64,
        truth: Option<Subject>,
    ) -> Result<(Row, f64), String> {
        let clean = pairs::read(&pair.picture)?;
        let (mut mask, mut other) = (None, None);
        if let Some(file) = &pair.other {
            match self.entry.task {
                Task::Cutout | Task::Scratch | Task::Inpaint | Task::FaceDetect => {
                    mask = Some(pairs::mask(file, &clean)?);
                }
                _ => other = Some(pairs::read(file)?),
            }
        }
        if let Some(other) = &other {
            pairs::fits(other, &clean, self.entry.factor)?;
        }
        let run = || -> Measured {
            let damaged = match (damage, other) {
                (_, Some(other)) => other,
                (Some(damage), None) => damage.apply(&clean, seed)?,
                (None, None) => clean.clone(),
            };
            match (self.entry.task, mask) {
                (Task::Cutout, Some(mask)) => self.matte(damaged, &mask),
                (Task::FaceDetect, Some(mask)) => self.detected(&damaged, &mask),
                (Task::Scratch, mask) => self.found(&clean, damaged, mask, seed),
                (Task::Inpaint, mask) => self.filled(&clean, damaged, mask, seed),
                (Task::Upscale, _) => self.enlarged(&clean, damaged),
                (Task::Colorize, _) => self.coloured(&clean, damaged),
                (Task::FaceRestore, _) => self.faces(&clean, damaged),
                (Task::Kind, _) => self.recognised(&damaged, truth),
                (Task::Restore | Task::Deblur, _) => self.restored(&clean, damaged),
                // They are paired with masks.
                (Task::Cutout | Task::FaceDetect, None) => Err(Error::Internal),
            }
        };
        run().map_err(|e| e.to_string())
    }

    fn name(&self) -> Option<&str> {
        Some(self.entry.name.as_str())
    }

    fn matte(&self, frame: Frame, truth: &Mask) -> Measured {
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

    fn enlarged(&self, clean: &Frame, given: Frame) -> Measured {
        let (width, height, factor) = (clean.width(), clean.height(), self.entry.factor);
        let (w, h) = ((width / factor).max(1), (height / factor).max(1));
        let whole = Rect {
            x: 0,
            y: 0,
            width: (w * factor).min(width),
            height: (h * factor).min(height),
        };
        let clean = clean.cropped(whole);
        // One that was given degraded is small already.
        let small = match (given.width(), given.height()) == (width, height) {
            true => given.cropped(whole).resized(w, h, Filter::Bicubic),
            false => given,
        };
        let before = small.resized(whole.width, whole.height, Filter::Lanczos3);
        let run = |cancel: &Cancel| self.engine.upscale(self.name(), &small, factor, cancel);
        let (after, seconds) = timed(run)?;
        let after = after.resized(whole.width, whole.height, Filter::Box);
        Ok((metrics::compared(&clean, &before, &after), seconds))
    }

    /// `given` are the holes; where they are missing, they are made.
    fn filled(&self, clean: &Frame, frame: Frame, given: Option<Mask>, seed: u64) -> Measured {
        let (width, height) = (clean.width(), clean.height());
        let holes = match given {
            Some(mask) => pairs::sized(mask, width, height),
            None => damage::scratches(width, height, seed),
        };
        let before = damage::marked(&frame, &holes);
        let (picture, mask) = (before.clone(), holes.clone());
        let (after, seconds) =
            timed(|cancel| self.engine.inpaint(self.name(), picture, mask, cancel))?;
        let inside = |i: usize| holes.data()[i] > 0;
        let score = |frame| metrics::psnr(frame, clean, inside);
        Ok((vec![score(&before), score(&after)], seconds))
    }

    /// `given` is the damage that is in the picture; where it is missing, it is made.
    fn found(&self, clean: &Frame, frame: Frame, given: Option<Mask>, seed: u64) -> Measured {
        let (width, height) = (clean.width(), clean.height());
        let (truth, damaged) = match given {
            Some(mask) => (pairs::sized(mask, width, height), frame),
            None => {
                let made = damage::scratches(width, height, seed);
                let damaged = damage::marked(&frame, &made);
                (made, damaged)
            }
        };
        let (found, seconds) = timed(|cancel| self.engine.damage(self.name(), &damaged, cancel))?;
        Ok((vec![metrics::overlap(&found, &truth)], seconds))
    }

    fn restored(&self, clean: &Frame, damaged: Frame) -> Measured {
        let (before, task) = (damaged.clone(), self.entry.task);
        let run = |cancel: &Cancel| self.engine.restore(task, self.name(), damaged, 1.0, cancel);
        let (after, seconds) = timed(run)?;
        Ok((metrics::compared(clean, &before, &after), seconds))
    }

    fn coloured(&self, clean: &Frame, grey: Frame) -> Measured {
        let before = grey.clone();
        let (after, seconds) = timed(|cancel| self.engine.colorize(self.name(), grey, cancel))?;
        let psnr = |frame| metrics::psnr(frame, clean, |_| true);
        let row = vec![
            psnr(&before),
            psnr(&after),
            metrics::colourfulness(&after),
            metrics::colourfulness(clean),
        ];
        Ok((row, seconds))
    }

    /// Faces are looked for in the damaged picture, as the service does it; those of the clean one
    /// say where it is measured.
    fn faces(&self, clean: &Frame, damaged: Frame) -> Measured {
        let truth = self.engine.faces(None, clean, &Cancel::new())?;
        let truth = boxes(&truth, (clean.width(), clean.height()));
        let before = damaged.clone();
        let ((count, after), seconds) = timed(|cancel| {
            let faces = self.engine.faces(None, &damaged, cancel)?;
            let strength = ops::FACE_STRENGTH;
            let name = self.name();
            let after = self
                .engine
                .restore_faces(name, damaged, &faces, strength, cancel)?;
            Ok((faces.len(), after))
        })?;
        let score = |frame| metrics::psnr(frame, clean, |i| truth.data()[i] > 0);
        Ok((vec![count as f64, score(&before), score(&after)], seconds))
    }

    fn detected(&self, frame: &Frame, truth: &Mask) -> Measured {
        let (faces, seconds) = timed(|cancel| self.engine.faces(self.name(), frame, cancel))?;
        let (width, height) = (frame.width(), frame.height());
        let found = boxes(&faces, (width, height));
        let truth = pairs::sized(truth.clone(), width, height);
        let score = metrics::overlap(&found, &truth);
        Ok((vec![faces.len() as f64, score], seconds))
    }

    /// With the matte that the service would look at.
    fn recognised(&self, frame: &Frame, truth: Option<Subject>) -> Measured {
        let coarse = self.engine.matte(None, frame, &Cancel::new())?;
        let (found, seconds) = timed(|cancel| self.engine.subject(frame, &coarse, cancel))?;
        let right = Some(found) == truth;
        Ok((vec![f64::from(u8::from(right))], seconds))
    }
}

/// What some work gives, and the seconds that it takes.
fn timed<T>(work: impl FnOnce(&Cancel) -> Result<T, Error>) -> Result<(T, f64), Error> {
    let start = Instant::now();
    let done = work(&Cancel::new())?;
    Ok((done, start.elapsed().as_secs_f64()))
}

/// The pixels of all faces' boxes.
fn boxes(faces: &[Face], (width, height): (u32, u32)) -> Mask {
    let mut mask = Mask::new(width, height, vec![0; width as usize * height as usize]);
    let within = |from: f32, to: f32, side: u32| {
        let at = |v: f32| v.round().clamp(0.0, side as f32) as usize;
        at(from)..at(to)
    };
    for face in faces {
        let columns = within(face.x, face.x + face.width, width);
        for y in within(face.y, face.y + face.height, height) {
            mask.data_mut()[y * width as usize..][columns.clone()].fill(255);
        }
    }
    mask
}
