//! Restoration: finds out what a picture suffers from, and repairs that.
//!
//! The order of the steps is fixed, whatever the order in which they are named: what is broken is
//! filled in first, so that nothing else spreads it; then noise, before anything makes it stronger;
//! then sharpness, tones, colours, faces, and size last, since everything before it costs less on
//! fewer pixels.

mod damage;
mod pieces;
mod report;
mod todo;

use report::Found;
pub use report::Report;
use todo::Todo;

use super::{
    Context, Limits, Outcome, Shape,
    nets::{self, Ran},
    options::{Restore, Sepia, Steps},
    photo::{
        self, contrast, levels,
        measure::{Findings, Tone},
        sharpen,
    },
    transform::grayscale,
};
use crate::{
    engine::{Engine, manifest::Task},
    error::Error,
    frame::Frame,
};

/// A picture of the places that are damaged.
pub const MASK: &str = "mask_file";

/// Refuses steps that cannot be done here.
///
/// # Errors
/// [`Error::StepMissing`] with the first such step and the models that it lacks;
/// [`Error::BadValue`] and [`Error::ModelMissing`] where a model is named.
pub fn check(options: &Restore, engine: &Engine) -> Result<(), Error> {
    if let Some(name) = &options.model {
        engine.entry(Task::Restore, Some(&name.0))?;
    }
    let todo = Todo::at_most(options);
    // Whether a mask comes along is not known yet; [`outline`] knows.
    let needs = match options.steps {
        Steps::Auto if todo.times == 1 => return Ok(()),
        Steps::Auto => vec![("upscale", Task::Upscale)],
        Steps::Named(_) => todo.needs(true),
    };
    missing(&needs, todo.times, engine)
}

/// Refuses a mask that no step takes.
///
/// # Errors
/// [`Error::OptionsConflict`].
pub fn check_masked(options: &Restore) -> Result<(), Error> {
    match Todo::at_most(options).scratches {
        true => Ok(()),
        false => Err(Error::OptionsConflict(
            "`mask_file` needs `scratches` among the `steps`.",
        )),
    }
}

fn missing(needs: &[(&'static str, Task)], times: u32, engine: &Engine) -> Result<(), Error> {
    for (step, _) in needs {
        let own = needs.iter().filter(|(of, _)| of == step);
        let tasks: Vec<_> = own.map(|(_, task)| *task).collect();
        nets::check(engine, step, &tasks, times)?;
    }
    Ok(())
}

/// The most bytes that the work holds for a picture of this shape, and the shape of the result.
/// `masked` says whether a mask of the damage came along.
///
/// # Errors
/// [`Error::ResultTooLarge`]; [`Error::StepMissing`] where nothing is installed that could find
/// the scratches that are to be mended.
pub fn outline(
    options: &Restore,
    shape: Shape,
    masked: bool,
    engine: &Engine,
    limits: &Limits,
) -> Result<(u64, Shape), Error> {
    let todo = Todo::at_most(options);
    if options.steps != Steps::Auto {
        missing(&todo.needs(masked), todo.times, engine)?;
    }
    let size = photo::scaled_size(shape.size, todo.times, limits)?;
    let after = Shape { size, ..shape };
    let (frame, pixels) = (shape.bytes(), shape.pixels());
    let kept = match 0.0 < options.strength.0 && options.strength.0 < 1.0 {
        true => frame,
        false => 0,
    };
    let run = |task: Task| nets::peak_bytes(engine, task, None, shape);
    let name = options.model.as_ref().map(|model| model.0.as_str());
    let mut most = photo::measure::PEAK_BYTES;
    if todo.scratches {
        // The net's guess becomes the mask in its place.
        let (copied, beside) = damage::copy_bytes(shape);
        most = most
            .max(copied)
            .max(run(Task::Scratch).max(pixels + pieces::peak_bytes(pixels)) + beside);
        most = most.max(run(Task::Inpaint) + pixels);
    }
    if todo.denoise || todo.dejpeg {
        most = most.max(nets::peak_bytes(engine, Task::Restore, name, shape));
    }
    if todo.deblur {
        let (width, height) = (u64::from(shape.size.0), u64::from(shape.size.1));
        most = most.max(run(Task::Deblur).max(sharpen::peak_bytes(width, height)));
    }
    if todo.colorize {
        most = most.max(run(Task::Colorize));
    }
    if todo.faces {
        most = most.max(run(Task::FaceDetect)).max(run(Task::FaceRestore));
    }
    let mut peak = frame + kept + most;
    if todo.times > 1 {
        peak = peak.max(frame + nets::upscale_bytes(engine, todo.times, shape));
    }
    Ok((peak, after))
}

/// Applies the operation, with a mask of the damage where the client has sent one.
///
/// # Errors
/// Those of the engine; [`Error::StepMissing`].
pub fn apply(
    frame: Frame,
    options: &Restore,
    mask: Option<Frame>,
    context: &mut Context<'_>,
) -> Result<Outcome, Error> {
    let most = Todo::at_most(options);
    photo::scaled_size((frame.width(), frame.height()), most.times, &context.limits)?;
    let strength = options.strength.0;
    let idle = strength == 0.0 && most.times == 1 && !options.report;
    if idle {
        return Ok(Outcome::of(frame));
    }
    let (source, before) = (context.source, context.stages.count());
    let found = context
        .stages
        .time("measure", || Findings::of(&frame, &source));
    let original = (0.0 < strength && strength < 1.0).then(|| frame.clone());
    let mut work = Work {
        todo: most.needed(options, mask.is_some(), &found),
        auto: options.steps == Steps::Auto,
        found: Found::new(found),
        ran: Ran::default(),
        changed: false,
        cleaned: 0.0,
    };
    let mut frame = work.steps(frame, options, mask, context)?;
    if let Some(original) = original {
        context
            .stages
            .time("mix", || photo::mix(&mut frame, &original, strength));
    }
    if most.times > 1 {
        frame = nets::upscale(frame, most.times, &mut work.ran, context)?;
        // Below full strength some of the old tint is there on purpose.
        if !work.todo.colorize
            && (strength == 1.0 || work.found.measured.colors.tone == Tone::Monochrome)
        {
            work.changed = true;
            work.keep_tone(&mut frame, options);
        }
    }
    let report = options
        .report
        .then(|| Report::new(&work.found, context.stages, before));
    Ok(Outcome {
        model: work.ran.model(),
        report,
        ..Outcome::of(frame)
    })
}

/// One picture under repair.
struct Work {
    todo: Todo,
    /// Whether the program chooses the steps: what cannot be done is then left.
    auto: bool,
    found: Found,
    ran: Ran,
    changed: bool,
    /// How much of the noise was taken out, 0 to 1.
    cleaned: f32,
}

impl Work {
    fn steps(
        &mut self,
        frame: Frame,
        options: &Restore,
        mask: Option<Frame>,
        context: &mut Context<'_>,
    ) -> Result<Frame, Error> {
        let mut frame = frame;
        if self.todo.scratches {
            frame = self.mend(frame, mask, context)?;
        }
        if self.todo.denoise || self.todo.dejpeg {
            frame = self.clean(frame, options, context)?;
        }
        if self.todo.deblur {
            frame = self.deblur(frame, context)?;
        }
        if self.todo.fade {
            self.changed = true;
            let colors = &self.found.measured.colors;
            context
                .stages
                .time("fade", || levels::unfaded(colors).apply(&mut frame));
        }
        if self.todo.contrast {
            self.changed = true;
            context
                .stages
                .time("contrast", || contrast::bring_out(&mut frame));
        }
        self.keep_tone(&mut frame, options);
        context.cancel.check()?;
        let (engine, cancel) = (context.engine, context.cancel);
        if self.todo.colorize {
            self.ran.note(engine.entry(Task::Colorize, None)?);
            let run = || engine.colorize(None, frame, cancel);
            frame = context.stages.time("colorize", run)?;
        }
        if self.todo.faces {
            frame = self.faces(frame, options, context)?;
        }
        Ok(frame)
    }

    /// Fills in what is damaged.
    fn mend(
        &mut self,
        frame: Frame,
        mask: Option<Frame>,
        context: &mut Context<'_>,
    ) -> Result<Frame, Error> {
        let (engine, cancel) = (context.engine, context.cancel);
        let needs = self.todo.needs(mask.is_some());
        let mut needs = needs.iter().filter(|(step, _)| *step == "scratches");
        if self.auto && needs.any(|(_, task)| !nets::can(engine, *task, 1)) {
            return Ok(frame);
        }
        let given = mask.is_some();
        let holes = context.stages.time("detect", || match mask {
            Some(mask) => Ok(damage::given(mask, &frame)),
            None => damage::find(&frame, cancel, |copy, cancel| {
                engine.damage(None, copy, cancel)
            }),
        })?;
        let share = damage::share(&holes);
        self.found.scratches = Some(share);
        let needed = match self.auto && !given {
            true => damage::is_plausible(share),
            false => share > 0.0,
        };
        if !needed {
            return Ok(frame);
        }
        self.changed = true;
        if !given {
            self.ran.note(engine.entry(Task::Scratch, None)?);
        }
        self.ran.note(engine.entry(Task::Inpaint, None)?);
        let run = || engine.inpaint(None, frame, holes, cancel);
        context.stages.time("scratches", run)
    }

    /// Takes out noise and what JPEG has made; one model does both.
    fn clean(
        &mut self,
        frame: Frame,
        options: &Restore,
        context: &mut Context<'_>,
    ) -> Result<Frame, Error> {
        let name = options.model.as_ref().map(|model| model.0.as_str());
        let (engine, cancel) = (context.engine, context.cancel);
        self.ran.note(engine.entry(Task::Restore, name)?);
        self.changed = true;
        let step = match self.todo.denoise {
            true => "denoise",
            false => "dejpeg",
        };
        let share = match self.auto {
            true => self.found.measured.cleaning_share(),
            false => 1.0,
        };
        self.cleaned = share;
        let run = || engine.restore(Task::Restore, name, frame, share, cancel);
        context.stages.time(step, run)
    }

    /// Sharpens what is blurred: by a model where one is installed.
    fn deblur(&mut self, frame: Frame, context: &mut Context<'_>) -> Result<Frame, Error> {
        let (engine, cancel) = (context.engine, context.cancel);
        self.changed = true;
        if let Ok(entry) = engine.entry(Task::Deblur, None) {
            self.ran.note(entry);
            let run = || engine.restore(Task::Deblur, None, frame, 1.0, cancel);
            return context.stages.time("deblur", run);
        }
        let Findings { blur, noise, .. } = self.found.measured;
        // What was taken out hides no detail any more.
        let noise = noise * (1.0 - self.cleaned);
        let mut frame = frame;
        context.stages.time("deblur", || {
            sharpen::deblur(&mut frame, blur.max(LEAST_BLUR), noise, cancel)
        })?;
        Ok(frame)
    }

    /// What had no colour, or loses its one hue, has not gained any by what was done so far.
    fn keep_tone(&self, frame: &mut Frame, options: &Restore) {
        let grey = match self.found.measured.colors.tone {
            Tone::Monochrome => self.changed,
            Tone::Tinted => options.sepia == Sepia::Remove && options.strength.0 > 0.0,
            Tone::Color => false,
        };
        if grey {
            grayscale(frame);
        }
    }

    fn faces(
        &mut self,
        frame: Frame,
        options: &Restore,
        context: &mut Context<'_>,
    ) -> Result<Frame, Error> {
        let (engine, cancel) = (context.engine, context.cancel);
        let run = || -> Result<(Frame, usize), Error> {
            let faces = engine.faces(None, &frame, &cancel.part(0.0, 0.1))?;
            match faces.is_empty() {
                true => Ok((frame, 0)),
                false => {
                    let cancel = cancel.part(0.1, 1.0);
                    let better =
                        engine.restore_faces(None, frame, &faces, FACE_STRENGTH, &cancel)?;
                    Ok((better, faces.len()))
                }
            }
        };
        let (mut frame, count) = context.stages.time("faces", run)?;
        self.found.faces = Some(count);
        if count > 0 {
            self.ran.note(engine.entry(Task::FaceDetect, None)?);
            self.ran.note(engine.entry(Task::FaceRestore, None)?);
            if !self.todo.colorize {
                self.changed = true;
                self.keep_tone(&mut frame, options);
            }
        }
        Ok(frame)
    }
}

/// The blur that is undone, in pixels, where it is asked for and hardly any was found.
const LEAST_BLUR: f32 = 0.6;

/// How much of a restored face is taken. Such nets make skin smoother than it was.
pub const FACE_STRENGTH: f32 = 0.8;
