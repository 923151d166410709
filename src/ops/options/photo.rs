//! Options of what makes a photograph better: restoration and enhancement.

use super::{
    ModelName, Num, Options, Spec, Value,
    value::{Kind, choice},
};
use crate::error::Error;

choice! {
    /// How many times as large a result is on each side.
    Factor {
        /// As large as the input.
        One = "1",
        /// Twice.
        Two = "2",
        /// Four times.
        Four = "4",
    }
}

impl Factor {
    /// The number.
    pub const fn times(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
        }
    }
}

choice! {
    /// What becomes of the tint of a picture of one hue.
    Sepia {
        /// It stays.
        Keep = "keep",
        /// The picture becomes grey.
        Remove = "remove",
    }
}

choice! {
    /// Whether the program looks what is needed, or leaves it.
    Auto {
        /// It looks.
        Auto = "auto",
        /// It leaves it.
        None = "none",
    }
}

/// The restoration steps, in the order in which they are applied.
pub const STEPS: &[&str] = &[
    "scratches",
    "denoise",
    "dejpeg",
    "deblur",
    "fade",
    "contrast",
    "colorize",
    "faces",
    "upscale",
];

/// Which restoration steps to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Steps {
    /// Those that the picture needs.
    Auto,
    /// These, each one of [`STEPS`].
    Named(Vec<&'static str>),
}

impl Value for Steps {
    const KIND: Kind = Kind::List(STEPS, &["auto"]);

    fn parse(text: &str) -> Option<Self> {
        if text == "auto" {
            return Some(Self::Auto);
        }
        let known = |word: &str| STEPS.iter().find(|step| **step == word.trim()).copied();
        let named = text.split(',').map(known);
        named.collect::<Option<Vec<_>>>().map(Self::Named)
    }
}

/// How much noise is taken out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Denoise {
    /// All of it where there is much, none where there is little.
    Auto,
    /// This share, 0 to 1, of what the model takes out.
    Share(f32),
}

impl Value for Denoise {
    const KIND: Kind = Kind::Text("`auto`, or a number from 0 to 1", "0.5");

    fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            _ => Num::<0, 1>::parse(text).map(|share| Self::Share(share.0)),
        }
    }
}

options! {
    /// Options of restoration.
    Restore {
        /// What to do: `auto` looks for damage first and does only what is needed; it never adds
        /// colour, faces or pixels.
        steps: Steps = "auto",
        /// How much of the restoration is mixed in.
        strength: Num<0, 1> = "1",
        /// How many times as large the result is on each side.
        scale: Factor = "1",
        /// What becomes of the tint of a brown or otherwise toned picture.
        sepia: Sepia = "keep",
        /// Whether X-Restoration-Report, or on the command line a line to standard error, says
        /// what was found and done, as JSON.
        report: bool = "false",
        /// Model of `denoise` and `dejpeg`; the built-in one where none is named.
        model: Option<ModelName> = "",
    }
}

options! {
    /// Options of enhancement.
    Enhance {
        /// Brings out shadows and highlights, and middle tones that are too dark or too light.
        tone: Auto = "auto",
        /// Takes out a part of the colour of the light.
        white_balance: Auto = "auto",
        /// How much is sharpened.
        sharpen: Num<0, 2> = "1",
        /// How much noise is taken out; auto looks whether there is any to be seen.
        denoise: Denoise = "auto",
        /// How many times as large the result is on each side.
        scale: Factor = "1",
        /// How much of all this is mixed in.
        strength: Num<0, 1> = "1",
    }
}
