//! `Frame` and `Mask`: decoded pixels, their layout, resizing and alpha.
//!
//! Rows are stored top to bottom without padding, samples are 8-bit sRGB, alpha is straight (not
//! premultiplied). Everything here is a plain function on memory.

mod mask;
mod orientation;
mod resize;

pub use mask::Mask;
pub use orientation::Orientation;
pub use resize::Filter;

/// How the samples of a pixel lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One grey sample. Decoding never makes it; it exists to encode masks.
    Gray,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, straight alpha.
    Rgba,
}

impl Layout {
    /// Samples (bytes) of one pixel: 1, 3 or 4.
    pub const fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

/// A rectangle of pixels inside a picture: `x + width <= picture width`, likewise for the height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width, at least 1.
    pub width: u32,
    /// Height, at least 1.
    pub height: u32,
}

/// A decoded picture.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    width: u32,
    height: u32,
    layout: Layout,
    data: Vec<u8>,
}

/// Pixels never reach a log, so only the shape is printed.
impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Frame({} x {}, {:?})",
            self.width, self.height, self.layout
        )
    }
}

impl Frame {
    /// A frame of the given pixels.
    ///
    /// # Panics
    /// If a side is 0 or `data` is not exactly `width * height * channels` bytes long.
    pub fn new(width: u32, height: u32, layout: Layout, data: Vec<u8>) -> Self {
        assert!(width > 0 && height > 0, "a frame has at least one pixel");
        assert_eq!(
            data.len(),
            width as usize * height as usize * layout.channels()
        );
        Self {
            width,
            height,
            layout,
            data,
        }
    }

    /// A frame of one colour; the samples after `layout`'s channels are ignored.
    pub fn filled(width: u32, height: u32, layout: Layout, color: [u8; 4]) -> Self {
        let pixels = width as usize * height as usize;
        let data = color[..layout.channels()].repeat(pixels);
        Self::new(width, height, layout, data)
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The layout of a pixel.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Width times height.
    pub fn pixels(&self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Bytes of one row.
    pub fn stride(&self) -> usize {
        self.width as usize * self.layout.channels()
    }

    /// All samples, row by row.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// All samples, row by row, to change.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The samples, by value.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// One row of samples.
    pub fn row(&self, y: u32) -> &[u8] {
        let stride = self.stride();
        &self.data[y as usize * stride..][..stride]
    }

    /// The picture at another size; the same picture when the size is the same. Colours are
    /// weighted with their alpha, so that invisible pixels do not bleed into visible ones.
    pub fn resized(&self, width: u32, height: u32, filter: Filter) -> Self {
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        let part = [0.0, 0.0, f64::from(self.width), f64::from(self.height)];
        self.resized_part(part, width, height, filter)
    }

    /// A part of the picture (left, top, width, height, in pixels and fractions of them) at
    /// another size, as [`Frame::resized`]. What of the part lies outside is left out.
    pub fn resized_part(&self, part: [f64; 4], width: u32, height: u32, filter: Filter) -> Self {
        let size = (self.width, self.height);
        let data = resize::resize(&self.data, size, part, (width, height), self.layout, filter);
        Self::new(width, height, self.layout, data)
    }

    /// The pixels inside `rect`.
    pub fn cropped(&self, rect: Rect) -> Self {
        let n = self.layout.channels();
        let mut data = Vec::with_capacity(rect.width as usize * rect.height as usize * n);
        for y in rect.y..rect.y + rect.height {
            data.extend_from_slice(&self.row(y)[rect.x as usize * n..][..rect.width as usize * n]);
        }
        Self::new(rect.width, rect.height, self.layout, data)
    }

    /// The picture turned or mirrored to be seen upright.
    pub fn oriented(self, orientation: Orientation) -> Self {
        if orientation == Orientation::Upright {
            return self;
        }
        match self.layout {
            Layout::Gray => self.oriented_by::<1>(orientation),
            Layout::Rgb => self.oriented_by::<3>(orientation),
            Layout::Rgba => self.oriented_by::<4>(orientation),
        }
    }

    fn oriented_by<const N: usize>(self, orientation: Orientation) -> Self {
        let (w, h) = (self.width as usize, self.height as usize);
        let (out_w, out_h) = if orientation.swaps_sides() {
            (h, w)
        } else {
            (w, h)
        };
        let (source, _) = self.data.as_chunks::<N>();
        let mut data = vec![0; self.data.len()];
        let (target, _) = data.as_chunks_mut::<N>();
        // Blocks of 32 x 32 pixels, so that both the rows read and the rows written stay cached.
        const BLOCK: usize = 32;
        for (by, bx) in (0..out_h)
            .step_by(BLOCK)
            .flat_map(|y| (0..out_w).step_by(BLOCK).map(move |x| (y, x)))
        {
            for y in by..(by + BLOCK).min(out_h) {
                for x in bx..(bx + BLOCK).min(out_w) {
                    let (sx, sy) = match orientation {
                        Orientation::Upright => (x, y),
                        Orientation::FlipH => (w - 1 - x, y),
                        Orientation::Rotate180 => (w - 1 - x, h - 1 - y),
                        Orientation::FlipV => (x, h - 1 - y),
                        Orientation::Transpose => (y, x),
                        Orientation::Rotate90 => (y, h - 1 - x),
                        Orientation::Transverse => (w - 1 - y, h - 1 - x),
                        Orientation::Rotate270 => (w - 1 - y, x),
                    };
                    target[y * out_w + x] = source[sy * w + sx];
                }
            }
        }
        Self::new(out_w as u32, out_h as u32, self.layout, data)
    }

    /// The same colours without alpha; what is transparent shows `ground`.
    pub fn flattened(self, ground: [u8; 3]) -> Self {
        if self.layout != Layout::Rgba {
            return self;
        }
        let (pixels, _) = self.data.as_chunks::<4>();
        let mut data = Vec::with_capacity(pixels.len() * 3);
        for &[r, g, b, a] in pixels {
            let over = |c: u8, ground: u8| blend(c, ground, a);
            data.extend_from_slice(&[over(r, ground[0]), over(g, ground[1]), over(b, ground[2])]);
        }
        Self::new(self.width, self.height, Layout::Rgb, data)
    }

    /// The same colours with an alpha channel (opaque where there was none).
    pub fn with_alpha(self) -> Self {
        match self.layout {
            Layout::Rgba => self,
            Layout::Rgb => {
                let (pixels, _) = self.data.as_chunks::<3>();
                let mut data = Vec::with_capacity(pixels.len() * 4);
                for &[r, g, b] in pixels {
                    data.extend_from_slice(&[r, g, b, 255]);
                }
                Self::new(self.width, self.height, Layout::Rgba, data)
            }
            Layout::Gray => {
                let data = self.data.iter().flat_map(|&v| [v, v, v, 255]).collect();
                Self::new(self.width, self.height, Layout::Rgba, data)
            }
        }
    }

    /// The alpha channel; `None` where the layout has none.
    pub fn alpha(&self) -> Option<Mask> {
        if self.layout != Layout::Rgba {
            return None;
        }
        let data = self.data.as_chunks::<4>().0.iter().map(|p| p[3]).collect();
        Some(Mask::new(self.width, self.height, data))
    }

    /// The smallest rectangle that holds every pixel whose alpha is at least `least`; `None` where
    /// there is none, or no alpha channel.
    pub fn alpha_bounds(&self, least: u8) -> Option<Rect> {
        if self.layout != Layout::Rgba {
            return None;
        }
        mask::bounds((self.width, self.height), least, |y| {
            self.row(y).as_chunks::<4>().0.iter().map(|px| px[3])
        })
    }

    /// The colours without the alpha channel, not composed on anything.
    pub fn without_alpha(self) -> Self {
        if self.layout != Layout::Rgba {
            return self;
        }
        let pixels = self.data.as_chunks::<4>().0.iter();
        let data = pixels.flat_map(|p| [p[0], p[1], p[2]]).collect();
        Self::new(self.width, self.height, Layout::Rgb, data)
    }

    /// The same with three channels of colour and no other.
    pub fn in_color(self) -> Self {
        match self.layout {
            Layout::Gray => {
                let data = self.data.iter().flat_map(|&v| [v; 3]).collect();
                Self::new(self.width, self.height, Layout::Rgb, data)
            }
            Layout::Rgb | Layout::Rgba => self.without_alpha(),
        }
    }

    /// Whether any pixel is not fully opaque.
    pub fn has_transparency(&self) -> bool {
        self.layout == Layout::Rgba && self.data.as_chunks::<4>().0.iter().any(|p| p[3] != 255)
    }
}

/// `top` over `bottom` with 8-bit `alpha`, rounded exactly.
pub fn blend(top: u8, bottom: u8, alpha: u8) -> u8 {
    let sum = top as u32 * alpha as u32 + bottom as u32 * (255 - alpha as u32);
    div255(sum)
}

/// `x / 255`, rounded to nearest, for `x <= 255 * 255` (the two-shift form is exact there).
pub fn div255(x: u32) -> u8 {
    let x = x + 128;
    ((x + (x >> 8)) >> 8) as u8
}

/// Premultiplied RGBA to straight colours, rounded; what is fully transparent becomes black.
pub fn divide_by_alpha(data: &mut [u8]) {
    for [colors @ .., a] in data.as_chunks_mut::<4>().0 {
        let a = u32::from(*a);
        for v in colors {
            *v = (u32::from(*v) * 255 + a / 2)
                .checked_div(a)
                .unwrap_or(0)
                .min(255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(width: u32, height: u32) -> Frame {
        let data = (0..width * height)
            .flat_map(|i| [i as u8, 0, 255 - i as u8])
            .collect();
        Frame::new(width, height, Layout::Rgb, data)
    }

    #[test]
    fn quarter_turns_swap_sides_and_four_of_them_are_none() {
        let frame = numbered(5, 3);
        let turned = frame.clone().oriented(Orientation::Rotate90);
        assert_eq!((turned.width(), turned.height()), (3, 5));
        // The first pixel of the last row becomes the first of the first row.
        assert_eq!(turned.row(0)[..3], frame.row(2)[..3]);
        let back = turned.oriented(Orientation::Rotate270);
        assert!(back == frame);
    }

    #[test]
    fn mirrored_orientations_are_their_own_inverse() {
        for o in [2, 3, 4, 5, 7].map(Orientation::from_exif) {
            let frame = numbered(37, 41);
            assert!(frame.clone().oriented(o).oriented(o) == frame, "{o:?}");
        }
    }

    #[test]
    fn resizing_does_not_let_invisible_colours_bleed() {
        let mut data = [255, 0, 0, 255].repeat(8);
        data.extend([0, 255, 0, 0].repeat(8));
        let small = Frame::new(4, 4, Layout::Rgba, data).resized(2, 2, Filter::Bilinear);
        for &[r, g, _, a] in small.data().as_chunks::<4>().0 {
            assert!(a == 0 || (r >= 254 && g == 0), "green bled in: {r} {g} {a}");
        }
    }

    #[test]
    fn division_by_255_is_exact() {
        for x in 0..=255 * 255u32 {
            assert_eq!(div255(x) as u32, (x + 127) / 255, "{x}");
        }
    }
}
