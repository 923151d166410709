//! `Plan`: a checked list of operations, and the loop that applies it.

mod list;

use std::time::Duration;

pub use list::OPS;
use list::operations;

use super::{
    Context, Kind, Limits, MASK, Op, Outcome, Sampled, Shape, Source, WATERMARK, background,
    enhance,
    options::{self, Options, Output, Spec},
    restore, transform,
};
use crate::{
    engine::{Engine, manifest::Task},
    error::Error,
    frame::{Frame, Layout},
};

/// What can be asked for in one request: one operation, or a list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipe {
    /// One operation, whose options are those of the request.
    Single(Kind),
    /// The operations of the option `ops`.
    Pipeline,
}

impl Recipe {
    /// The name in routes, metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single(kind) => kind.name(),
            Self::Pipeline => "pipeline",
        }
    }

    /// What it does, in a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Single(kind) => kind.about(),
            Self::Pipeline => "Applies up to ten operations to a picture, in their order.",
        }
    }

    /// Its options, those of the output included.
    pub fn specs(self) -> impl Iterator<Item = &'static Spec> + Clone {
        let own = match self {
            Self::Single(kind) => kind.specs(),
            Self::Pipeline => std::slice::from_ref(&OPS),
        };
        own.iter().chain(Output::SPECS)
    }

    /// Further pictures that it takes, by field name, with what they are.
    pub const fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Single(kind) => kind.files(),
            Self::Pipeline => &super::FILES,
        }
    }

    /// The plan that these options write; later pairs win. `None` where options of a pipeline that
    /// are right so far do not hold its list yet.
    ///
    /// # Errors
    /// [`Error::UnknownOption`], [`Error::BadValue`], [`Error::FieldTooLong`]; within
    /// [`Error::InStep`] where an operation of the list is wrong.
    pub fn plan<'a>(
        self,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Option<Plan>, Error> {
        match self {
            Self::Single(kind) => Plan::single(kind, pairs).map(Some),
            Self::Pipeline => Plan::listed(pairs),
        }
    }
}

/// What to do with a picture: operations in their order, and how the result is written. A plan
/// that exists is right as far as can be known without the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    ops: Vec<Op>,
    output: Output,
    /// Whether an error names the operation's place.
    listed: bool,
    /// Whether the kind of the subject is to be named.
    names_kind: bool,
}

/// What is known of a plan's work before any of it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// Bytes held at the peak, the picture and every further one included.
    pub peak: u64,
    /// The most pixels that the result can have.
    pub pixels: u64,
    /// What all operations are expected to take one thread.
    pub time: Duration,
}

impl Plan {
    /// A plan of one operation with options as pairs of name and value; later pairs win.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] or [`Error::BadValue`].
    pub fn single<'a>(
        kind: Kind,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Error> {
        let (mut op, mut output) = (kind.with_defaults(), Output::default());
        for (name, value) in pairs {
            if !op.set(name, value)? && !output.set(name, value)? {
                return Err(unknown(name, kind.specs().iter().chain(Output::SPECS)));
            }
        }
        Ok(Self {
            ops: vec![op],
            output,
            listed: false,
            names_kind: false,
        })
    }

    /// A plan of the operations that `ops` lists, with the options of the output beside it.
    fn listed<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Option<Self>, Error> {
        let (mut list, mut own) = (None, Vec::new());
        for (name, value) in pairs {
            match name {
                "ops" => list = Some(value),
                _ => own.push((name, value)),
            }
        }
        let mut output = Output::default();
        let ops = list.map(|list| operations(list, &mut output)).transpose()?;
        // What stands beside the list is nearer to the request than what stands in it.
        for (name, value) in own {
            if !output.set(name, value)? {
                return Err(unknown(name, Recipe::Pipeline.specs()));
            }
        }
        Ok(ops.map(|ops| Self {
            ops,
            output,
            listed: true,
            names_kind: false,
        }))
    }

    /// The same, and background removal says what kind of thing the subject is: no option of ours,
    /// but other services' clients read it.
    pub fn naming_the_kind(self) -> Self {
        Self {
            names_kind: true,
            ..self
        }
    }

    /// How the result is written.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// The operations of a list, in order; none of a single one, which its route names.
    pub fn list(&self) -> impl Iterator<Item = Kind> {
        let ops = self.listed.then_some(&self.ops);
        ops.into_iter().flatten().map(Op::kind)
    }

    /// The last operation decides what kind of picture comes out.
    pub fn last(&self) -> &Op {
        self.ops
            .last()
            .expect("every constructor makes at least one operation")
    }

    /// Whether `--long-timeout` holds for it.
    pub fn is_long(&self) -> bool {
        self.listed || self.ops.iter().any(|op| op.kind().is_long())
    }

    /// The operation that takes the further picture of this name: the last that can.
    fn taker(&self, file: &str) -> Option<usize> {
        let takes = |op: &Op| op.kind().files().iter().any(|(name, _)| *name == file);
        self.ops.iter().rposition(takes)
    }

    /// Looks every model and step up, and holds the options of each operation against each other,
    /// before any work.
    ///
    /// # Errors
    /// [`Error::BadValue`], [`Error::ModelMissing`], [`Error::StepMissing`],
    /// [`Error::OptionsConflict`].
    pub fn check(&self, engine: &Engine) -> Result<(), Error> {
        for (i, op) in self.ops.iter().enumerate() {
            let check = || {
                if let Some((task, name)) = op.model() {
                    engine.entry(task, name)?;
                }
                match op {
                    Op::Restore(options) => restore::check(options, engine),
                    Op::Enhance(options) => enhance::check(options, engine),
                    Op::RemoveBackground(options) => {
                        let both = options.output == options::Cutout::Both;
                        match both && i + 1 < self.ops.len() {
                            true => Err(Error::OptionsConflict(
                                "`output=both` needs to be in the last operation.",
                            )),
                            false => Ok(()),
                        }
                    }
                    Op::Transform(options) => transform::check(options),
                }
            };
            check().map_err(|error| self.placed(i, error))?;
        }
        Ok(())
    }

    /// Holds the options against the further pictures that came along, by their names.
    ///
    /// # Errors
    /// [`Error::OptionsConflict`].
    pub fn check_files(&self, files: &[&'static str]) -> Result<(), Error> {
        if files.iter().any(|file| self.taker(file).is_none()) {
            return Err(Error::OptionsConflict(
                "No operation takes one of the further pictures.",
            ));
        }
        for (i, op) in self.ops.iter().enumerate() {
            let has = |file| files.contains(&file) && self.taker(file) == Some(i);
            let checked = match op {
                Op::Transform(options) if !has(WATERMARK) => transform::check_unmarked(options),
                Op::Restore(options) if has(MASK) => restore::check_masked(options),
                _ => Ok(()),
            };
            checked.map_err(|error| self.placed(i, error))?;
        }
        Ok(())
    }

    /// The size at which the picture is sampled first, if it is made smaller before anything needs
    /// all of its pixels: it may be decoded at any size from that on.
    pub fn sampled(&self, size: (u32, u32)) -> Option<Sampled> {
        match self.ops.first() {
            Some(Op::Transform(options)) => transform::sampled(options, size),
            _ => None,
        }
    }

    /// Adds up what the work will take for a picture of this shape, with further pictures by name
    /// and number of pixels; refuses what cannot be done with it.
    ///
    /// # Errors
    /// [`Error::RoiOutside`], [`Error::ResultTooLarge`], [`Error::StepMissing`].
    pub fn outline(
        &self,
        shape: Shape,
        files: &[(&'static str, u64)],
        engine: &Engine,
        limits: &Limits,
    ) -> Result<Outline, Error> {
        let (mut shape, mut peak, mut time) = (shape, 0, Duration::ZERO);
        for (i, op) in self.ops.iter().enumerate() {
            let outlined = match op {
                Op::RemoveBackground(options) => Ok(background::outline(options, shape, limits)),
                Op::Restore(options) => {
                    let masked = files.iter().any(|(file, _)| *file == MASK);
                    let masked = masked && self.taker(MASK) == Some(i);
                    restore::outline(options, shape, masked, engine, limits)
                }
                Op::Enhance(options) => enhance::outline(options, shape, engine, limits),
                Op::Transform(options) => transform::outline(options, shape, limits),
            };
            let (own, after) = outlined.map_err(|error| self.placed(i, error))?;
            let model = op
                .model()
                .and_then(|(task, name)| engine.entry(task, name).ok());
            let kind = self.names_kind.then(|| engine.entry(Task::Kind, None).ok());
            // One after the other.
            let models = model.into_iter().chain(kind.flatten());
            let looked_at = match op {
                Op::RemoveBackground(options) => background::looked_at(options, shape.size),
                _ => shape.size,
            };
            let model = models.map(|entry| entry.run_bytes(looked_at)).max();
            let model = model.unwrap_or(0);
            // A further picture waits for its operation, decoded, and is scaled there to cover
            // the picture at most.
            let waits = |(file, pixels): &(&'static str, u64)| match self.taker(file) {
                Some(at) if at > i => pixels * 4,
                Some(at) if at == i => (pixels + shape.pixels().max(after.pixels())) * 4,
                _ => 0,
            };
            peak = peak.max(own + model + files.iter().map(waits).sum::<u64>());
            time += op.kind().time(shape.pixels().max(after.pixels()));
            shape = after;
        }
        Ok(Outline {
            peak,
            pixels: shape.pixels(),
            time,
        })
    }

    /// Applies every operation in its order.
    ///
    /// # Errors
    /// The first error; [`Cancel`](crate::cancel::Cancel) is looked at between operations and
    /// inside long ones.
    pub fn apply(&self, frame: Frame, context: &mut Context<'_>) -> Result<Outcome, Error> {
        let mut outcome = Outcome::of(frame);
        for (i, op) in self.ops.iter().enumerate() {
            context.cancel.check()?;
            if self.listed {
                context.stages.begin_step(i + 1);
            }
            let frame = match outcome.frame {
                // Only as the last word is a matte a grey picture.
                matte if matte.layout() == Layout::Gray => matte.in_color(),
                frame => frame,
            };
            let mut take = |name: &str| match self.taker(name) == Some(i) {
                true => context.take_file(name),
                false => None,
            };
            let done = match op {
                Op::RemoveBackground(options) => {
                    let ground = take(super::BACKGROUND);
                    background::apply(frame, options, ground, self.names_kind, context)
                }
                Op::Restore(options) => {
                    let mask = take(MASK);
                    restore::apply(frame, options, mask, context)
                }
                Op::Enhance(options) => enhance::apply(frame, options, context),
                Op::Transform(options) => {
                    let watermark = take(WATERMARK);
                    transform::apply(frame, options, watermark, context)
                }
            };
            let done = done.map_err(|error| self.placed(i, error))?;
            // What is known of the input says nothing of what was made of it.
            context.source = Source::default();
            outcome = Outcome {
                model: done.model.or(outcome.model),
                confidence: done.confidence.or(outcome.confidence),
                report: done.report.or(outcome.report),
                kind: done.kind.or(outcome.kind),
                ..done
            };
        }
        context.stages.begin_step(0);
        Ok(outcome)
    }

    /// The error of an operation, with its place in the list. What says nothing of the operation
    /// stays as it is.
    fn placed(&self, i: usize, error: Error) -> Error {
        let ours = matches!(
            error,
            Error::Cancelled | Error::DeadlinePassed { .. } | Error::ModelFailed | Error::Internal
        );
        match self.listed && !ours {
            true => in_step(i, error),
            false => error,
        }
    }
}

fn in_step(i: usize, error: Error) -> Error {
    Error::InStep {
        step: i + 1,
        error: Box::new(error),
    }
}

fn unknown(name: &str, specs: impl Iterator<Item = &'static Spec> + Clone) -> Error {
    let names = specs.map(|spec| spec.name);
    Error::UnknownOption {
        known: names.clone().collect::<Vec<_>>().join(", "),
        nearest: options::nearest(name, names),
    }
}

#[cfg(test)]
mod tests;
