//! The options of `transform`, in the order in which they are applied.

use super::{Extent, Int, Kind, Margins, Num, Options, Region, Rgba, Spec, Value, value::choice};
use crate::{error::Error, frame::Filter};

choice! {
    /// How a picture is brought to a width and a height (the definitions of sharp).
    Fit {
        /// As large as possible with both sides at most as asked.
        Inside = "inside",
        /// The same, on a canvas of exactly the size asked for.
        Contain = "contain",
        /// Exactly the size asked for; what is too much is cut off.
        Cover = "cover",
        /// Exactly the size asked for, stretched.
        Fill = "fill",
        /// As small as possible with both sides at least as asked.
        Outside = "outside",
    }
}

choice! {
    /// Which part of a picture counts.
    Gravity {
        /// The middle.
        Center = "center",
        /// The middle of the upper edge.
        North = "north",
        /// The upper right corner.
        Northeast = "northeast",
        /// The middle of the right edge.
        East = "east",
        /// The lower right corner.
        Southeast = "southeast",
        /// The middle of the lower edge.
        South = "south",
        /// The lower left corner.
        Southwest = "southwest",
        /// The middle of the left edge.
        West = "west",
        /// The upper left corner.
        Northwest = "northwest",
        /// The subject, as background removal finds it.
        Smart = "smart",
    }
}

impl Gravity {
    /// The share of the room that is left over on the left and above: 0, one half or 1 each.
    pub fn shares(self) -> (f64, f64) {
        match self {
            Self::Center | Self::Smart => (0.5, 0.5),
            Self::North => (0.5, 0.0),
            Self::Northeast => (1.0, 0.0),
            Self::East => (1.0, 0.5),
            Self::Southeast => (1.0, 1.0),
            Self::South => (0.5, 1.0),
            Self::Southwest => (0.0, 1.0),
            Self::West => (0.0, 0.5),
            Self::Northwest => (0.0, 0.0),
        }
    }
}

/// Where a watermark is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// At one place; never [`Gravity::Smart`].
    At(Gravity),
    /// Everywhere, side by side.
    Tile,
}

impl Value for Spot {
    const KIND: Kind = Kind::Choice(&[
        "center",
        "north",
        "northeast",
        "east",
        "southeast",
        "south",
        "southwest",
        "west",
        "northwest",
        "tile",
    ]);

    fn parse(text: &str) -> Option<Self> {
        match Gravity::parse(text) {
            Some(Gravity::Smart) => None,
            Some(place) => Some(Self::At(place)),
            None => (text == "tile").then_some(Self::Tile),
        }
    }
}

choice! {
    /// Quarter turns clockwise.
    Rotate {
        /// None.
        None = "0",
        /// One.
        Right = "90",
        /// Two.
        Half = "180",
        /// Three.
        Left = "270",
    }
}

choice! {
    /// Mirroring.
    Flip {
        /// None.
        None = "none",
        /// Left becomes right.
        Horizontal = "h",
        /// Top becomes bottom.
        Vertical = "v",
    }
}

choice! {
    /// How new samples are made of old ones.
    Kernel {
        /// The nearest sample.
        Nearest = "nearest",
        /// The mean of an area.
        Box = "box",
        /// Linear.
        Bilinear = "bilinear",
        /// Cubic (Catmull-Rom).
        Bicubic = "bicubic",
        /// Windowed sinc of three lobes.
        Lanczos3 = "lanczos3",
    }
}

impl From<Kernel> for Filter {
    fn from(kernel: Kernel) -> Self {
        match kernel {
            Kernel::Nearest => Self::Nearest,
            Kernel::Box => Self::Box,
            Kernel::Bilinear => Self::Bilinear,
            Kernel::Bicubic => Self::Bicubic,
            Kernel::Lanczos3 => Self::Lanczos3,
        }
    }
}

options! {
    /// Options of `transform`.
    Transform {
        /// Part of the upright picture that is kept.
        crop: Option<Region> = "",
        /// Degrees clockwise.
        rotate: Rotate = "0",
        /// Mirrors left and right, or top and bottom.
        flip: Flip = "none",
        /// Width in pixels; the height follows where none is named.
        width: Option<Int<1, 65_535>> = "",
        /// Height in pixels; the width follows where none is named.
        height: Option<Int<1, 65_535>> = "",
        /// How the picture is brought to width and height.
        fit: Fit = "inside",
        /// Which part `cover` keeps, and where `contain` puts the picture; smart, for `cover`, is
        /// the subject.
        gravity: Gravity = "center",
        /// Whether a small picture may become larger.
        enlarge: bool = "false",
        /// How new samples are made of old ones.
        filter: Kernel = "lanczos3",
        /// Grey by luma.
        grayscale: bool = "false",
        /// Standard deviation of a blur in pixels.
        blur: Num<0, 100> = "0",
        /// Strength of an unsharp mask of one pixel.
        sharpen: Num<0, 5> = "0",
        /// Where the watermark is put.
        watermark_position: Spot = "southeast",
        /// How much of the watermark is seen.
        watermark_opacity: Num<0, 1> = "1",
        /// Radius of rounded corners; 50% makes a circle of a square.
        radius: Option<Extent> = "",
        /// Room added around the picture, in pixels or percent of its sides.
        pad: Margins = "0",
        /// Colour of added room, and of what `flatten` fills; transparent where none is named.
        background: Option<Rgba> = "",
        /// Fills what is transparent with the background, or with white where none is named.
        flatten: bool = "false",
    }
}
