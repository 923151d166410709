//! Operations: one enum, and what they work with.

mod background;
mod blur;
pub mod compose;
pub mod edge;
mod enhance;
pub mod foreground;
pub mod geometry;
pub mod matting;
mod nets;
pub mod options;
mod photo;
mod plan;
mod pyramid;
mod restore;
mod shape;
mod transform;

use std::time::Duration;

use options::{Enhance, Options, RemoveBackground, Restore, Spec, Transform};
pub use plan::{OPS, Outline, Plan, Recipe};
use restore::MASK;
pub use restore::{FACE_STRENGTH, Report};
pub use shape::{Limits, Sampled, Shape};
use transform::WATERMARK;
pub use transform::grayscale;

use crate::{
    cancel::Cancel,
    engine::{Engine, Subject, manifest::Task},
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
    /// Makes an ordinary photograph better.
    Enhance,
    /// Cuts, turns, resizes, marks, converts.
    Transform,
}

/// The picture that a cutout is put on.
pub const BACKGROUND: &str = "background_file";

/// Further pictures that operations take, by field name, with what they are: those of
/// [`Kind::RemoveBackground`], of [`Kind::Restore`], of [`Kind::Transform`].
const FILES: [(&str, &str); 3] = [
    (
        BACKGROUND,
        "A picture that the cutout is put on; it covers, centred.",
    ),
    (
        MASK,
        "A picture that is light where the other is damaged; stretched to its size.",
    ),
    (
        WATERMARK,
        "A picture that is laid on the other; made to fit where it is larger.",
    ),
];

impl Kind {
    /// Every operation.
    pub const ALL: [Self; 4] = [
        Self::RemoveBackground,
        Self::Restore,
        Self::Enhance,
        Self::Transform,
    ];

    /// The name in routes, metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RemoveBackground => "remove-background",
            Self::Restore => "restore",
            Self::Enhance => "enhance",
            Self::Transform => "transform",
        }
    }

    /// What it does, in a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Self::RemoveBackground => "Removes the background of a picture, or replaces it.",
            Self::Restore => {
                "Repairs an old or damaged picture: scratches, noise, JPEG artefacts, blur, fading."
            }
            Self::Enhance => {
                "Makes an ordinary photograph better: noise, tones, colour of the light, sharpness."
            }
            Self::Transform => "Cuts, turns, resizes, marks or converts a picture.",
        }
    }

    /// Its own options, without those of the output.
    pub const fn specs(self) -> &'static [Spec] {
        match self {
            Self::RemoveBackground => RemoveBackground::SPECS,
            Self::Restore => Restore::SPECS,
            Self::Enhance => Enhance::SPECS,
            Self::Transform => Transform::SPECS,
        }
    }

    /// Further pictures that it takes, by field name, with what they are.
    pub const fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::RemoveBackground => FILES.split_at(1).0,
            Self::Restore => FILES.split_at(1).1.split_at(1).0,
            Self::Enhance => &[],
            Self::Transform => FILES.split_at(2).1,
        }
    }

    /// Whether `--long-timeout` holds for it.
    pub const fn is_long(self) -> bool {
        matches!(self, Self::Restore | Self::Enhance)
    }

    /// What it is expected to take one thread on so many pixels: its cost whatever the picture,
    /// and that of each megapixel, in milliseconds (docs/performance.md, docs/restoration.md; of
    /// the nets of restoration one run). They order the queue, for which a factor of two does not
    /// matter.
    fn time(self, pixels: u64) -> Duration {
        let (fixed, per_megapixel) = match self {
            Self::RemoveBackground => (50, 15),
            Self::Restore => (0, 900),
            Self::Enhance => (0, 250),
            Self::Transform => (0, 5),
        };
        Duration::from_micros(fixed * 1000 + per_megapixel * pixels / 1000)
    }

    fn with_defaults(self) -> Op {
        match self {
            Self::RemoveBackground => Op::RemoveBackground(Box::default()),
            Self::Restore => Op::Restore(Restore::default()),
            Self::Enhance => Op::Enhance(Enhance::default()),
            Self::Transform => Op::Transform(Box::default()),
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
    /// Makes an ordinary photograph better.
    Enhance(Enhance),
    /// Cuts, turns, resizes, marks, converts.
    Transform(Box<Transform>),
}

impl Op {
    /// Which operation it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::RemoveBackground(_) => Kind::RemoveBackground,
            Self::Restore(_) => Kind::Restore,
            Self::Enhance(_) => Kind::Enhance,
            Self::Transform(_) => Kind::Transform,
        }
    }

    /// The model's name, where the operation always runs one.
    fn model(&self) -> Option<(Task, Option<&str>)> {
        match self {
            Self::RemoveBackground(o) => {
                Some((Task::Cutout, o.model.as_ref().map(|m| m.0.as_str())))
            }
            // Theirs are many, and part of their outline.
            Self::Restore(_) | Self::Enhance(_) => None,
            Self::Transform(o) => transform::model(o),
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<bool, Error> {
        match self {
            Self::RemoveBackground(options) => options.set(name, value),
            Self::Restore(options) => options.set(name, value),
            Self::Enhance(options) => options.set(name, value),
            Self::Transform(options) => options.set(name, value),
        }
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
    /// Further pictures by field name, decoded.
    pub files: Vec<(&'static str, Frame)>,
    /// What a result may be.
    pub limits: Limits,
    /// What is known of the input beyond its pixels.
    pub source: Source,
}

impl Context<'_> {
    fn take_file(&mut self, name: &str) -> Option<Frame> {
        let at = self.files.iter().position(|(known, _)| *known == name)?;
        Some(self.files.swap_remove(at).1)
    }
}

/// What is known of an input beyond its pixels.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source {
    /// The quality with which a JPEG was written, estimated from its tables; `None` for others.
    pub jpeg_quality: Option<u8>,
    /// Width and height of the picture, upright; it may have been decoded at a fraction of them.
    pub size: Option<(u32, u32)>,
}

/// What came out.
#[derive(Debug)]
pub struct Outcome {
    /// The result.
    pub frame: Frame,
    /// The matte beside it, where both were asked for.
    pub matte: Option<Mask>,
    /// The model that ran, and its licence; where several did, they are separated by commas.
    pub model: Option<(String, String)>,
    /// How sure the matte is, 0 to 1.
    pub confidence: Option<f32>,
    /// Where the subject is in the result, where a subject was looked for and found.
    pub subject: Option<Rect>,
    /// Width and height that the result would have without `max_megapixels`.
    pub full_size: (u32, u32),
    /// What was found and done, where that was asked for.
    pub report: Option<Report>,
    /// What kind of thing the subject is, where that was asked for.
    pub kind: Option<Subject>,
}

impl Outcome {
    /// A result of which nothing more is known.
    pub fn of(frame: Frame) -> Self {
        Self {
            full_size: (frame.width(), frame.height()),
            frame,
            matte: None,
            model: None,
            confidence: None,
            subject: None,
            report: None,
            kind: None,
        }
    }
}
