//! What is known of a picture before its pixels are: how large it is, and how large it may become.

use crate::{
    error::Error,
    frame::{Frame, Layout},
};

/// The shape of a picture between two operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Width and height in pixels, upright.
    pub size: (u32, u32),
    /// Whether it has an alpha channel.
    pub alpha: bool,
    /// Whether that is what it will be; else it is the most that it can be, as after a crop to a
    /// subject that has not been found yet.
    pub exact: bool,
}

impl Shape {
    /// The shape of pixels that are there.
    pub fn of(frame: &Frame) -> Self {
        Self {
            size: (frame.width(), frame.height()),
            alpha: frame.layout() == Layout::Rgba,
            exact: true,
        }
    }

    /// Width times height.
    pub fn pixels(self) -> u64 {
        u64::from(self.size.0) * u64::from(self.size.1)
    }

    /// Bytes of its samples.
    pub fn bytes(self) -> u64 {
        self.pixels() * if self.alpha { 4 } else { 3 }
    }
}

/// How little of a picture is needed, where a smaller one is made of it at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampled {
    /// Width and height, upright, from which on the result is the same.
    pub least: (u32, u32),
    /// Whether it is turned or mirrored before; then a last column or row that stands for less
    /// than the others would come to lie elsewhere.
    pub turned: bool,
}

/// What a result may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Width times height at most.
    pub max_pixels: u64,
    /// Width and height at most.
    pub max_side: u32,
}

impl Limits {
    /// A size within the limits that has as many pixels as this one, or as many as there may be.
    pub fn nearest(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let width = width.min(self.max_side);
        let most = (self.max_pixels / u64::from(width.max(1))).min(self.max_side.into());
        (width, height.min(most as u32).max(1))
    }

    /// Refuses a result of this size where it is too large.
    ///
    /// # Errors
    /// [`Error::ResultTooLarge`].
    pub fn check(&self, (width, height): (u32, u32)) -> Result<(), Error> {
        let side = u64::from(width.max(height));
        let pixels = u64::from(width) * u64::from(height);
        let too_large = |limit, actual, setting| {
            Err(Error::ResultTooLarge {
                limit,
                actual,
                setting,
            })
        };
        match () {
            () if side > self.max_side.into() => {
                too_large(self.max_side.into(), side, "--max-side")
            }
            () if pixels > self.max_pixels => {
                too_large(self.max_pixels, pixels, "--max-megapixels")
            }
            () => Ok(()),
        }
    }
}
