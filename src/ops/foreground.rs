//! Foreground colours without the old background's share, so that a cutout has no halo.
//!
//! As in Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021 (blur-fusion), there are
//! smooth guesses at what subject and ground look like around a pixel, and then one correction by
//! the compositing equation. The guesses are weighted means on a coarse grid, spread by a pyramid
//! as in Germer, Uelwer, Conrad, Harmeling, "Fast Multi-Level Foreground Estimation", ICPR 2020,
//! and are gathered near edges only.

use super::pyramid::{self, Place, Weighted};
use crate::{
    cores,
    frame::{Frame, Layout, Mask},
};

/// Cells along the longer side of the picture, at most. At 12 megapixels a cell has 7 x 7 pixels:
/// finer than colours change across a subject, and coarse enough to be free.
const CELLS: usize = 640;
/// The least side of a cell in pixels: finer ones say the same of colours, and at 1 megapixel cost
/// more than all else here.
const LEAST_CELL: usize = 4;
/// Cells next to those with an edge in them that are gathered from too, for their pure colours.
const MARGIN: usize = 2;
/// Pixels that are tested together, to pass quickly over what is all ground or all subject.
const RUN: usize = 32;

/// The cutout in straight-alpha RGBA: the picture's colours, alpha from the matte (an alpha channel
/// of the picture is ignored), and all four samples 0 where that is 0, which compresses best.
///
/// # Panics
/// If picture and matte differ in size.
pub fn cut(frame: &Frame, matte: &Mask) -> Frame {
    match frame.layout() {
        Layout::Gray => cut_by::<1>(frame, matte, None),
        Layout::Rgb => cut_by::<3>(frame, matte, None),
        Layout::Rgba => cut_by::<4>(frame, matte, None),
    }
}

/// As [`cut`], but where the matte is neither 0 nor 255, the old background's share is taken out
/// of the colours. Where it is 255, colours stay as they are, bit for bit.
///
/// Time is linear in the pixels, and most of it goes to the surroundings of edges. Memory beyond
/// input and output: at most 18 MiB, for a square picture, however large it is.
///
/// # Panics
/// If picture and matte differ in size.
pub fn estimate(frame: &Frame, matte: &Mask) -> Frame {
    match frame.layout() {
        Layout::Gray => cut_by::<1>(frame, matte, Guesses::gather::<1>(frame, matte)),
        Layout::Rgb => cut_by::<3>(frame, matte, Guesses::gather::<3>(frame, matte)),
        Layout::Rgba => cut_by::<4>(frame, matte, Guesses::gather::<4>(frame, matte)),
    }
}

/// The colour of a pixel of one (grey), three or four samples.
fn color<const N: usize>(px: &[u8; N]) -> [u8; 3] {
    if N < 3 {
        [px[0]; 3]
    } else {
        [px[0], px[1], px[2]]
    }
}

fn cut_by<const N: usize>(frame: &Frame, matte: &Mask, guesses: Option<Guesses>) -> Frame {
    assert_eq!(
        (frame.width(), frame.height()),
        (matte.width(), matte.height())
    );
    let width = frame.width() as usize;
    // Zeroed by the system: what lies outside of the subject is never touched.
    let mut data = vec![0; frame.pixels() * 4];
    cores::on_rows(&mut data, 4 * width, |first, rows| {
        cut_rows::<N>(frame, matte, guesses.as_ref(), first, rows);
    });
    Frame::new(frame.width(), frame.height(), Layout::Rgba, data)
}

/// Makes these rows of the cutout, the first of which is row `first` of the picture.
fn cut_rows<const N: usize>(
    frame: &Frame,
    matte: &Mask,
    guesses: Option<&Guesses>,
    first: usize,
    rows: &mut [u8],
) {
    let mut guesses = guesses.map(Row::of);
    for (y, target) in (first..).zip(rows.chunks_exact_mut(4 * frame.width() as usize)) {
        let (pixels, _) = frame.row(y as u32).as_chunks::<N>();
        let (target, _) = target.as_chunks_mut::<4>();
        let alphas = matte.row(y as u32);
        let runs = target
            .chunks_mut(RUN)
            .zip(pixels.chunks(RUN))
            .zip(alphas.chunks(RUN));
        let mut mixed = false;
        for (i, ((target, pixels), alphas)) in runs.enumerate() {
            if all(alphas, 0) {
                continue;
            }
            if guesses.is_none() || all(alphas, 255) {
                for ((t, px), &a) in target.iter_mut().zip(pixels).zip(alphas) {
                    let [r, g, b] = color(px);
                    *t = if a == 0 { [0; 4] } else { [r, g, b, a] };
                }
                continue;
            }
            let guesses = guesses.as_mut().expect("tested above");
            if !mixed {
                guesses.mix(y);
                mixed = true;
            }
            for (k, ((t, px), &a)) in target.iter_mut().zip(pixels).zip(alphas).enumerate() {
                *t = match a {
                    0 => [0; 4],
                    255 => {
                        let [r, g, b] = color(px);
                        [r, g, b, 255]
                    }
                    _ => guesses.correct(i * RUN + k, color(px), a),
                };
            }
        }
    }
}

fn all(values: &[u8], value: u8) -> bool {
    // Without an early return, this is a few vector instructions.
    values.iter().fold(0, |differs, &v| differs | (v ^ value)) == 0
}

/// What subject and ground look like around each pixel.
struct Guesses {
    columns: Vec<Place>,
    rows: Vec<Place>,
    subject: Vec<Weighted>,
    ground: Vec<Weighted>,
    /// Cells a row.
    width: usize,
}

impl Guesses {
    /// `None` if there is nothing to estimate.
    fn gather<const N: usize>(frame: &Frame, matte: &Mask) -> Option<Self> {
        assert_eq!(
            (frame.width(), frame.height()),
            (matte.width(), matte.height())
        );
        let (w, h) = (frame.width() as usize, frame.height() as usize);
        let size = w.max(h).div_ceil(CELLS).max(LEAST_CELL);
        let (width, height) = (w.div_ceil(size), h.div_ceil(size));
        let near = near_edges(matte, size, width, height)?;
        let mut subject: Vec<Weighted> = vec![[0.0; 4]; width * height];
        let mut ground = subject.clone();
        for y in 0..h {
            let (pixels, _) = frame.row(y as u32).as_chunks::<N>();
            let cells = y / size * width..(y / size + 1) * width;
            let guesses = subject[cells.clone()]
                .iter_mut()
                .zip(&mut ground[cells.clone()]);
            let samples = pixels.chunks(size).zip(matte.row(y as u32).chunks(size));
            for (((subject, ground), (pixels, alphas)), _) in guesses
                .zip(samples)
                .zip(&near[cells])
                .filter(|(_, near)| **near)
            {
                for (px, &a) in pixels.iter().zip(alphas) {
                    let [r, g, b] = color(px).map(f32::from);
                    let (s, t) = (WEIGHTS[a as usize], WEIGHTS[255 - a as usize]);
                    for (k, v) in [r, g, b, 1.0].into_iter().enumerate() {
                        subject[k] += s * v;
                        ground[k] += t * v;
                    }
                }
            }
        }
        // Half a cell of pure colour is as good as a whole one.
        let enough = (size * size) as f32 * 0.5;
        for cells in [&mut subject, &mut ground] {
            for cell in cells.iter_mut() {
                let n = 1.0 / cell[3].max(enough);
                *cell = cell.map(|v| v * n);
            }
            pyramid::fill(cells, width, height);
        }
        Some(Self {
            columns: Place::all(w, width, size as f32),
            rows: Place::all(h, height, size as f32),
            subject,
            ground,
            width,
        })
    }
}

/// The guesses for one row of pixels.
struct Row<'a> {
    guesses: &'a Guesses,
    subject: Vec<Weighted>,
    ground: Vec<Weighted>,
}

impl<'a> Row<'a> {
    fn of(guesses: &'a Guesses) -> Self {
        let row = vec![[0.0; 4]; guesses.width + 1];
        Self {
            guesses,
            subject: row.clone(),
            ground: row,
        }
    }

    /// Makes the guesses for row `y` of the picture.
    fn mix(&mut self, y: usize) {
        let Guesses {
            subject,
            ground,
            width,
            ..
        } = self.guesses;
        let place = self.guesses.rows[y];
        place.mix(place.rows(subject, *width), &mut self.subject);
        place.mix(place.rows(ground, *width), &mut self.ground);
    }

    /// The subject's colour at `x` of that row, with its alpha: of all pairs of colours that mix to
    /// this pixel, the subject's one of the pair that is nearest to the guesses (least squares).
    /// Blur-fusion has the factor `a` alone in place of `share`; that takes half-covered hair and
    /// rails for the colour of what is behind them in the subject.
    #[inline]
    fn correct(&self, x: usize, px: [u8; 3], alpha: u8) -> [u8; 4] {
        let column = self.guesses.columns[x];
        let (subject, ground) = (column.sample(&self.subject), column.sample(&self.ground));
        let a = f32::from(alpha) / 255.0;
        let share = a / (a * a + (1.0 - a) * (1.0 - a));
        let [r, g, b] = std::array::from_fn(|k| {
            let unexplained = f32::from(px[k]) - a * subject[k] - (1.0 - a) * ground[k];
            // The cast saturates.
            (subject[k] + share * unexplained + 0.5) as u8
        });
        [r, g, b, alpha]
    }
}

/// How much a pixel of some matte value says about the subject's colour: its 32nd power, so that
/// pixels that show ground too (0.95: 0.2, 0.9: 0.03) count only where there are no others. 255
/// minus the value: how much about the ground's.
static WEIGHTS: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut i = 0;
    while i < 256 {
        let mut power = i as f32 / 255.0;
        let mut doublings = 0;
        while doublings < 5 {
            power *= power;
            doublings += 1;
        }
        table[i] = power;
        i += 1;
    }
    table
};

/// The cells with partly covered pixels in them or within [`MARGIN`] cells; `None` if there are
/// no such pixels.
fn near_edges(matte: &Mask, size: usize, width: usize, height: usize) -> Option<Vec<bool>> {
    let mut edges = vec![false; width * height];
    let mut any = false;
    for (y, row) in matte
        .data()
        .chunks_exact(matte.width() as usize)
        .enumerate()
    {
        let cells = &mut edges[y / size * width..][..width];
        for (i, run) in row
            .chunks(RUN)
            .enumerate()
            .filter(|(_, r)| !all(r, 0) && !all(r, 255))
        {
            for (k, _) in run
                .iter()
                .enumerate()
                .filter(|(_, a)| !matches!(a, 0 | 255))
            {
                cells[(i * RUN + k) / size] = true;
                any = true;
            }
        }
    }
    if !any {
        return None;
    }
    let mut near = edges.clone();
    for (at, _) in edges.iter().enumerate().filter(|(_, edge)| **edge) {
        let (x, y) = (at % width, at / width);
        for y in y.saturating_sub(MARGIN)..(y + MARGIN + 1).min(height) {
            near[y * width..][x.saturating_sub(MARGIN)..(x + MARGIN + 1).min(width)].fill(true);
        }
    }
    Some(near)
}

#[cfg(test)]
mod tests;
