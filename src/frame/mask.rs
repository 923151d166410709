//! `Mask`: one value a pixel.

use super::{Filter, Frame, Layout, Rect, resize::resize};

/// One 8-bit value a pixel: a matte (255 is foreground) or a damage mask.
#[derive(Clone, PartialEq, Eq)]
pub struct Mask {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

/// As with [`Frame`], only the shape is printed.
impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} x {})", self.width, self.height)
    }
}

impl Mask {
    /// A mask of the given values.
    ///
    /// # Panics
    /// If a side is 0 or `data` is not exactly `width * height` bytes long.
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Self {
        assert!(width > 0 && height > 0, "a mask has at least one pixel");
        assert_eq!(data.len(), width as usize * height as usize);
        Self {
            width,
            height,
            data,
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All values, row by row.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// All values, row by row, to change.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// One row of values.
    pub fn row(&self, y: u32) -> &[u8] {
        &self.data[y as usize * self.width as usize..][..self.width as usize]
    }

    /// The mask at another size.
    pub fn resized(&self, width: u32, height: u32, filter: Filter) -> Self {
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        let size = (self.width, self.height);
        let part = [0.0, 0.0, f64::from(self.width), f64::from(self.height)];
        let to = (width, height);
        let data = resize(&self.data, size, part, to, Layout::Gray, filter);
        Self::new(width, height, data)
    }

    /// The mask as a grey picture.
    pub fn into_frame(self) -> Frame {
        Frame::new(self.width, self.height, Layout::Gray, self.data)
    }

    /// The smallest rectangle that holds every value of at least `least`; `None` if there is none.
    pub fn bounds(&self, least: u8) -> Option<Rect> {
        bounds((self.width, self.height), least, |y| {
            self.row(y).iter().copied()
        })
    }
}

/// The smallest rectangle that holds every value of at least `least`; `row` gives those of a row.
pub(super) fn bounds<R>(
    (width, height): (u32, u32),
    least: u8,
    row: impl Fn(u32) -> R,
) -> Option<Rect>
where
    R: ExactSizeIterator<Item = u8> + DoubleEndedIterator,
{
    let inside = |y: u32| row(y).any(|v| v >= least);
    let top = (0..height).find(|&y| inside(y))?;
    let bottom = (top..height).rev().find(|&y| inside(y))?;
    let (mut left, mut right) = (width - 1, 0);
    for y in top..=bottom {
        if let Some(x) = row(y).position(|v| v >= least) {
            left = left.min(x as u32);
            let last = row(y).rposition(|v| v >= least).unwrap_or(x);
            right = right.max(last as u32);
        }
    }
    Some(Rect {
        x: left,
        y: top,
        width: right - left + 1,
        height: bottom - top + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_every_value_and_nothing_more() {
        let mut mask = Mask::new(10, 8, vec![0; 80]);
        assert_eq!(mask.bounds(1), None);
        mask.data_mut()[2 * 10 + 3] = 200;
        mask.data_mut()[5 * 10 + 7] = 90;
        assert_eq!(
            mask.bounds(1),
            Some(Rect {
                x: 3,
                y: 2,
                width: 5,
                height: 4
            })
        );
        assert_eq!(
            mask.bounds(100),
            Some(Rect {
                x: 3,
                y: 2,
                width: 1,
                height: 1
            })
        );
    }
}
