//! What models do with pictures: one method a task.

use std::time::Instant;

use ndarray::ArrayD;

use super::{
    Engine, Known, colorize, faces,
    faces::Face,
    inpaint, kind,
    kind::Subject,
    loading::on_all_cores,
    manifest::{Entry, Resize, Task},
    pool::CheckedOut,
    tensor,
    tiles::{self, Help, Run},
    upscale,
};
use crate::{
    cancel::Cancel,
    cores,
    error::Error,
    frame::{Frame, Layout, Mask},
    harden::heap,
};

/// All of these look at `cancel` before each run of a model, and tell it how far they are. Their
/// errors: as [`Engine::entry`]; [`Error::ModelFailed`]; [`Error::Cancelled`];
/// [`Error::DeadlinePassed`].
impl Engine {
    /// The coarse matte of a picture, of the model's own size.
    ///
    /// # Errors
    /// See above.
    pub fn matte(&self, name: Option<&str>, frame: &Frame, cancel: &Cancel) -> Result<Mask, Error> {
        self.with(self.known(Task::Cutout, name)?, cancel, |entry, run| {
            let (input, part) = tensor::fitted(frame, entry);
            cancel.check()?;
            let output = tiles::first(run, vec![input.into_dyn()])?;
            tensor::matte(&output, part, entry)
        })
    }

    /// A better picture by a model for [`Task::Restore`] or [`Task::Deblur`], mixed with the
    /// original: `strength` 1 is all restored.
    ///
    /// # Errors
    /// See above.
    pub fn restore(
        &self,
        task: Task,
        name: Option<&str>,
        frame: Frame,
        strength: f32,
        cancel: &Cancel,
    ) -> Result<Frame, Error> {
        debug_assert!(matches!(task, Task::Restore | Task::Deblur));
        self.with_help(self.known(task, name)?, cancel, |entry, run, help| {
            tiles::apply(frame, entry, strength, cancel, run, help)
        })
    }

    /// The probability of damage (scratches, dust, tears) of each pixel: 255 is certain.
    ///
    /// # Errors
    /// See above.
    pub fn damage(
        &self,
        name: Option<&str>,
        frame: &Frame,
        cancel: &Cancel,
    ) -> Result<Mask, Error> {
        self.with_help(
            self.known(Task::Scratch, name)?,
            cancel,
            |entry, run, help| tiles::mask(frame, entry, cancel, run, help),
        )
    }

    /// The picture with its holes filled. Every value of `holes` above 0 is a hole for the model;
    /// the value says how much of the filling is taken (255: all). Nothing else changes.
    ///
    /// # Errors
    /// See above; [`Error::Internal`] where the mask is not of the picture's size.
    pub fn inpaint(
        &self,
        name: Option<&str>,
        frame: Frame,
        holes: Mask,
        cancel: &Cancel,
    ) -> Result<Frame, Error> {
        self.with_help(
            self.known(Task::Inpaint, name)?,
            cancel,
            |entry, run, help| inpaint::fill(frame, holes, entry, cancel, run, help),
        )
    }

    /// The picture at `factor` times its width and height.
    ///
    /// # Errors
    /// See above; [`Error::BadValue`] where the model is not for that factor.
    pub fn upscale(
        &self,
        name: Option<&str>,
        frame: &Frame,
        factor: u32,
        cancel: &Cancel,
    ) -> Result<Frame, Error> {
        self.with_help(
            self.upscale_model(name, factor)?,
            cancel,
            |entry, run, help| upscale::enlarge(frame, factor, entry, cancel, run, help),
        )
    }

    /// The picture with a model's colours and its own lightness.
    ///
    /// # Errors
    /// See above.
    pub fn colorize(
        &self,
        name: Option<&str>,
        frame: Frame,
        cancel: &Cancel,
    ) -> Result<Frame, Error> {
        self.with(self.known(Task::Colorize, name)?, cancel, |entry, run| {
            colorize::colorize(frame, entry, cancel, run)
        })
    }

    /// The faces of a picture, the surest first.
    ///
    /// # Errors
    /// See above.
    pub fn faces(
        &self,
        name: Option<&str>,
        frame: &Frame,
        cancel: &Cancel,
    ) -> Result<Vec<Face>, Error> {
        self.with(self.known(Task::FaceDetect, name)?, cancel, |entry, run| {
            faces::detect(frame, entry, cancel, run)
        })
    }

    /// The picture with these faces restored; `strength` 1 is all restored.
    ///
    /// # Errors
    /// See above.
    pub fn restore_faces(
        &self,
        name: Option<&str>,
        frame: Frame,
        found: &[Face],
        strength: f32,
        cancel: &Cancel,
    ) -> Result<Frame, Error> {
        self.with(
            self.known(Task::FaceRestore, name)?,
            cancel,
            |entry, run| faces::restore(frame, found, strength, entry, cancel, run),
        )
    }

    /// What kind of thing the subject is that the coarse matte of a picture shows;
    /// [`Subject::Other`] too where no model is installed that could tell.
    ///
    /// # Errors
    /// [`Error::ModelFailed`]; [`Error::Cancelled`]; [`Error::DeadlinePassed`].
    pub fn subject(&self, frame: &Frame, coarse: &Mask, cancel: &Cancel) -> Result<Subject, Error> {
        let Ok(known) = self.known(Task::Kind, None) else {
            return Ok(Subject::Other);
        };
        self.with(known, cancel, |entry, run| {
            cancel.check()?;
            kind::classify(frame, coarse, entry, run)
        })
    }

    /// Bytes that the method of this model's task takes at its peak beyond the picture that is
    /// given to it, its result included, for a picture of this size and layout.
    pub fn peak_bytes(entry: &Entry, width: u32, height: u32, layout: Layout) -> u64 {
        let pixels = u64::from(width) * u64::from(height);
        let frame = pixels * layout.channels() as u64;
        // Of a picture of more than one tile, two are worked on at once.
        let helped = entry.resize == Resize::Tile && tiles::is_divided(width, height, entry);
        let run = entry.run_bytes((width, height)) * if helped { 2 } else { 1 };
        run + match entry.task {
            // The matte is small; the task of making it large is another's.
            Task::Cutout => 0,
            Task::Restore | Task::Deblur => frame,
            Task::Scratch => pixels,
            // Models that take the picture as it is get it as numbers.
            Task::Inpaint => match entry.resize {
                Resize::Whole => pixels * 2 * 4 * 4,
                _ => 0,
            },
            // Alpha grows on its own.
            Task::Upscale => {
                let factor = u64::from(entry.factor * entry.factor);
                (frame + if layout == Layout::Rgba { pixels } else { 0 }) * factor
            }
            Task::Colorize => colorize::plane_bytes(entry),
            Task::FaceDetect | Task::Kind => 0,
            Task::FaceRestore => faces::face_bytes(entry),
        }
    }

    /// Runs every loaded model once, so that the first request does not pay for what is done
    /// only once.
    ///
    /// # Errors
    /// A sentence that names the model that cannot be run.
    pub fn warm_up(&self) -> Result<(), String> {
        // Those that take any size are quick with a small picture.
        let frame = Frame::filled(16, 16, Layout::Rgb, [128; 4]);
        let loaded = self
            .models
            .values()
            .filter(|known| known.loaded.get().is_some());
        on_all_cores(loaded, |known| {
            self.warm(known, &frame)
                .map_err(|_| format!("model {} cannot be run", known.entry.name))
        })
    }

    fn warm(&self, known: &Known, frame: &Frame) -> Result<(), Error> {
        let (entry, cancel) = (&known.entry, &Cancel::new());
        let name = Some(entry.name.as_str());
        match entry.task {
            Task::Cutout => self.matte(name, frame, cancel).map(drop),
            Task::Restore | Task::Deblur => {
                let frame = frame.clone();
                self.restore(entry.task, name, frame, 1.0, cancel).map(drop)
            }
            Task::Scratch => self.damage(name, frame, cancel).map(drop),
            Task::Inpaint => {
                let hole = Mask::new(frame.width(), frame.height(), vec![255; frame.pixels()]);
                self.inpaint(name, frame.clone(), hole, cancel).map(drop)
            }
            Task::Upscale => self.upscale(name, frame, entry.factor, cancel).map(drop),
            Task::Colorize => self.colorize(name, frame.clone(), cancel).map(drop),
            Task::FaceDetect => self.faces(name, frame, cancel).map(drop),
            Task::FaceRestore => self.with(known, cancel, |entry, run| {
                tiles::first(run, faces::blank(entry)).map(drop)
            }),
            Task::Kind => self.with(known, cancel, |entry, run| {
                let whole = Mask::new(frame.width(), frame.height(), vec![255; frame.pixels()]);
                kind::classify(frame, &whole, entry, run).map(drop)
            }),
        }
    }

    /// Checks an instance out and works with it; each run is measured.
    fn with<T>(
        &self,
        known: &Known,
        cancel: &Cancel,
        work: impl FnOnce(&Entry, &mut Run<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.with_help(known, cancel, |entry, run, _| work(entry, run))
    }

    /// The same, with a way to a second instance as long as one is idle, and a core for it.
    fn with_help<T>(
        &self,
        known: &Known,
        cancel: &Cancel,
        work: impl FnOnce(&Entry, &mut Run<'_>, &Help<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let pool = self.instances(known)?;
        let entry = &known.entry;
        let duration = &self.metrics.inference_duration;
        let duration = duration.with_label_values(&[&entry.name]);
        let measured = |model: &mut CheckedOut<'_>, inputs: Vec<ArrayD<f32>>| {
            let start = Instant::now();
            let result = model.run(inputs);
            duration.observe(start.elapsed().as_secs_f64());
            result
        };
        let mut model = pool.check_out(cancel)?;
        let help = || {
            let core = cores::idle()?;
            let mut model = pool.try_check_out()?;
            let run = move |inputs| {
                let _in_use = &core;
                measured(&mut model, inputs)
            };
            Some(Box::new(run) as Box<Run<'_>>)
        };
        let done = work(entry, &mut |inputs| measured(&mut model, inputs), &help);
        if matches!(entry.resize, Resize::Tile | Resize::Whole) {
            heap::trim();
        }
        done
    }
}
