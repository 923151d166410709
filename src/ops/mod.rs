//! Operations: one enum, a checked list of them, and the loop that applies it.

mod background;
mod blur;
pub mod compose;
pub mod edge;
pub mod foreground;
pub mod geometry;
pub mod matting;
pub mod options;
mod pyramid;
mod restore;

use options::{Options, Output, RemoveBackground, Restore, Spec};

use crate::{
    cancel::Cancel,
    engine::{Engine, manifest::Task},
    error::Error,
    frame::{Frame, Mask, Rect},
    observe::Stages,
};

/// The operations by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Cuts the subject out.
    RemoveBackground,
    /// Repairs damage.
    Restore,
}

impl Kind {
    /// Every operation.
    pub const ALL: [Self; 2] = [Self::RemoveBackground, Self::Restore];

    /// The name in routes, metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RemoveBackground => "remove-background",
            Self::Restore => "restore",
        }
    }

    /// What it does, in a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Self::RemoveBackground => "Removes the background of a picture, or replaces it.",
            Self::Restore => "Removes noise and JPEG artefacts from a picture.",
        }
    }

    /// Its own options, without those of the output.
    pub const fn specs(self) -> &'static [Spec] {
        match self {
            Self::RemoveBackground => RemoveBackground::SPECS,
            Self::Restore => Restore::SPECS,
        }
    }

    /// Further pictures that it takes, by field name, with what they are.
    pub const fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::RemoveBackground => &[(
                "background_file",
                "A picture that the cutout is put on; it covers, centred.",
            )],
            Self::Restore => &[],
        }
    }

    /// Whether `--long-timeout` holds for it.
    pub const fn is_long(self) -> bool {
        matches!(self, Self::Restore)
    }

    fn with_defaults(self) -> Op {
        match self {
            Self::RemoveBackground => Op::RemoveBackground(Box::default()),
            Self::Restore => Op::Restore(Restore::default()),
        }
    }
}

/// One operation with its options.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Cuts the subject out.
    RemoveBackground(Box<RemoveBackground>),
    /// Repairs damage.
    Restore(Restore),
}

impl Op {
    /// Which operation it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::RemoveBackground(_) => Kind::RemoveBackground,
            Self::Restore(_) => Kind::Restore,
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<bool, Error> {
        match self {
            Self::RemoveBackground(options) => options.set(name, value),
            Self::Restore(options) => options.set(name, value),
        }
    }

    /// The model's name, where the operation runs one.
    fn model(&self) -> (Task, Option<&str>) {
        match self {
            Self::RemoveBackground(o) => (Task::Cutout, o.model.as_ref().map(|m| m.0.as_str())),
            Self::Restore(o) => (Task::Restore, o.model.as_ref().map(|m| m.0.as_str())),
        }
    }
}

/// What to do with a picture: operations in their order, and how the result is written. A plan
/// that exists is right as far as can be known without the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    ops: Vec<Op>,
    output: Output,
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
                let names = || {
                    kind.specs()
                        .iter()
                        .chain(Output::SPECS)
                        .map(|spec| spec.name)
                };
                return Err(Error::UnknownOption {
                    known: names().collect::<Vec<_>>().join(", "),
                    nearest: options::nearest(name, names()),
                });
            }
        }
        Ok(Self {
            ops: vec![op],
            output,
        })
    }

    /// How the result is written.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// The last operation decides what kind of picture comes out.
    pub fn last(&self) -> &Op {
        self.ops
            .last()
            .expect("every constructor makes at least one operation")
    }

    /// Whether the answer holds two pictures.
    pub fn answers_with_both(&self) -> bool {
        matches!(self.last(), Op::RemoveBackground(o) if o.output == options::Cutout::Both)
    }

    /// Looks every model and step up, before any work.
    ///
    /// # Errors
    /// [`Error::BadValue`], [`Error::ModelMissing`] or [`Error::StepMissing`].
    pub fn check(&self, engine: &Engine) -> Result<(), Error> {
        for op in &self.ops {
            let (task, name) = op.model();
            engine.entry(task, name)?;
            if let Op::Restore(options) = op {
                restore::check(options)?;
            }
        }
        Ok(())
    }

    /// Bytes that [`Plan::apply`] holds at its peak for a picture of this many pixels, the
    /// decoded picture and a second one of `ground` pixels included.
    pub fn peak_bytes(&self, pixels: u64, ground: u64, engine: &Engine) -> u64 {
        let op = |op: &Op| {
            let (task, name) = op.model();
            let model = engine
                .entry(task, name)
                .map_or(0, |entry| entry.peak_mib << 20);
            let own = match op {
                Op::RemoveBackground(options) => background::peak_bytes(options, pixels),
                Op::Restore(_) => restore::peak_bytes(pixels),
            };
            own + model
        };
        // A ground is decoded (4 bytes a pixel) and scaled to cover the picture.
        let ground = if ground > 0 {
            ground * 4 + pixels * 4
        } else {
            0
        };
        ground + self.ops.iter().map(op).max().unwrap_or(0)
    }

    /// Applies every operation in its order.
    ///
    /// # Errors
    /// The first error; [`Cancel`] is looked at between operations and inside long ones.
    pub fn apply(&self, frame: Frame, context: &mut Context<'_>) -> Result<Outcome, Error> {
        let mut outcome = Outcome {
            full_size: (frame.width(), frame.height()),
            frame,
            matte: None,
            model: None,
            confidence: None,
            subject: None,
        };
        for op in &self.ops {
            context.cancel.check()?;
            let frame = outcome.frame;
            let done = match op {
                Op::RemoveBackground(options) => background::apply(frame, options, context)?,
                Op::Restore(options) => restore::apply(frame, options, context)?,
            };
            outcome = Outcome {
                model: done.model.or(outcome.model),
                confidence: done.confidence.or(outcome.confidence),
                ..done
            };
        }
        Ok(outcome)
    }
}

/// What operations work with.
pub struct Context<'a> {
    /// The models.
    pub engine: &'a Engine,
    /// Whether to go on.
    pub cancel: &'a Cancel,
    /// The times of each step.
    pub stages: &'a mut Stages,
    /// The picture of `background_file`, decoded.
    pub ground: Option<Frame>,
    /// What is known of the input beyond its pixels.
    pub source: Source,
}

/// What is known of an input beyond its pixels.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source {
    /// The quality with which a JPEG was written, estimated from its tables; `None` for others.
    pub jpeg_quality: Option<u8>,
}

/// What came out.
#[derive(Debug)]
pub struct Outcome {
    /// The result.
    pub frame: Frame,
    /// The matte beside it, where both were asked for.
    pub matte: Option<Mask>,
    /// The model that ran, and its licence.
    pub model: Option<(String, String)>,
    /// How sure the matte is, 0 to 1.
    pub confidence: Option<f32>,
    /// Where the subject is in the result, where a subject was looked for and found.
    pub subject: Option<Rect>,
    /// Width and height that the result would have without `max_megapixels`.
    pub full_size: (u32, u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_options_are_refused_with_the_known_ones_and_never_echoed() {
        let error = Plan::single(Kind::RemoveBackground, [("treshold", "0.5")]).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.code(), "unknown_option");
        assert!(
            text.contains("`threshold`") && text.contains("quality") && !text.contains("treshold")
        );
    }

    #[test]
    fn later_pairs_win_and_output_options_are_part_of_every_plan() {
        let pairs = [("feather", "2"), ("feather", "7"), ("quality", "12")];
        let plan = Plan::single(Kind::RemoveBackground, pairs).unwrap();
        let Op::RemoveBackground(options) = plan.last() else {
            panic!("another operation")
        };
        assert_eq!((options.feather.0, plan.output().quality.0), (7.0, 12));
    }

    #[test]
    fn values_that_cannot_be_are_refused_without_being_echoed() {
        let error = Plan::single(Kind::Restore, [("strength", "secret")]).unwrap_err();
        assert_eq!(error, Error::bad_value("strength", "a number from 0 to 1"));
    }
}
