//! Applies the functions found on a small copy to the full picture, row by row as they come.

use super::Linear;
use crate::{
    frame::{Frame, Layout, Mask},
    ops::pyramid::Place,
};

/// The full-size matte, made from rows of functions of the small copy as they come.
pub struct Upsampled<'a> {
    frame: &'a Frame,
    data: Vec<u8>,
    /// Full rows made so far.
    done: usize,
    /// Rows of functions that came so far; the last one, and the one before it.
    seen: usize,
    lower: Vec<Linear>,
    upper: Vec<Linear>,
    /// The functions of one full row, with the last one repeated.
    between: Vec<Linear>,
    /// Where full-size columns and rows lie between those of the small copy.
    columns: Vec<Place>,
    rows: Vec<Place>,
    small_height: usize,
}

impl<'a> Upsampled<'a> {
    /// For `frame`, of which `small` is the small copy.
    pub fn new(frame: &'a Frame, small: &Frame) -> Self {
        let (w, h) = (small.width() as usize, small.height() as usize);
        Self {
            frame,
            data: vec![0; frame.pixels()],
            done: 0,
            seen: 0,
            lower: vec![[0.0; 4]; w],
            upper: vec![[0.0; 4]; w],
            between: vec![[0.0; 4]; w + 1],
            columns: Place::all(frame.width() as usize, w, frame.width() as f32 / w as f32),
            rows: Place::all(frame.height() as usize, h, frame.height() as f32 / h as f32),
            small_height: h,
        }
    }

    /// Takes the next row of functions and makes the full rows between it and the one before.
    pub fn push(&mut self, row: &[Linear]) {
        std::mem::swap(&mut self.upper, &mut self.lower);
        self.lower.copy_from_slice(row);
        self.seen += 1;
        if self.small_height == 1 {
            self.upper.copy_from_slice(row);
        }
        let ready = |row: &&Place| (row.before + 2).min(self.small_height) <= self.seen;
        let rows = self.rows[self.done..].iter().take_while(ready).count();
        if rows == 0 {
            return;
        }
        let runs = self.runs();
        for y in self.done..self.done + rows {
            self.rows[y].mix([&self.upper, &self.lower], &mut self.between);
            match self.frame.layout() {
                Layout::Gray => self.apply::<1>(y, &runs),
                Layout::Rgb => self.apply::<3>(y, &runs),
                Layout::Rgba => self.apply::<4>(y, &runs),
            }
        }
        self.done += rows;
    }

    /// Where the full rows between the two rows of functions are 0, or 255, for sure; `None` in
    /// between. Each run ends where the next one starts.
    fn runs(&self) -> Vec<(Option<u8>, usize)> {
        let sure = |x: usize| {
            let x = x.min(self.upper.len() - 1);
            let value = self.upper[x][3];
            let constant =
                self.upper[x] == [0.0, 0.0, 0.0, value] && self.lower[x] == self.upper[x];
            (constant && (value == 0.0 || value == 255.0)).then_some(value as u8)
        };
        let mut runs: Vec<(Option<u8>, usize)> = Vec::new();
        let mut start = 0;
        for x in 0..self.upper.len() {
            let length = self.columns[start..]
                .iter()
                .take_while(|c| c.before == x)
                .count();
            start += length;
            let value = sure(x).filter(|_| sure(x + 1) == sure(x));
            match runs.last_mut() {
                Some((last, end)) if *last == value => *end = start,
                _ => runs.push((value, start)),
            }
        }
        runs
    }

    fn apply<const N: usize>(&mut self, y: usize, runs: &[(Option<u8>, usize)]) {
        let width = self.columns.len();
        let target = &mut self.data[y * width..][..width];
        let (pixels, _) = self.frame.row(y as u32).as_chunks::<N>();
        let mut start = 0;
        for &(value, end) in runs {
            let run = start..end;
            start = end;
            match value {
                Some(0) => {}
                Some(value) => target[run].fill(value),
                None => {
                    let columns = &self.columns[run.clone()];
                    for ((v, px), c) in target[run.clone()]
                        .iter_mut()
                        .zip(&pixels[run])
                        .zip(columns)
                    {
                        let f = c.sample(&self.between);
                        let [r, g, b] = if N < 3 {
                            [px[0]; 3]
                        } else {
                            [px[0], px[1], px[2]]
                        }
                        .map(f32::from);
                        // The cast saturates.
                        *v = (f[0] * r + f[1] * g + f[2] * b + f[3] + 0.5) as u8;
                    }
                }
            }
        }
    }

    /// The matte, when all rows of functions have come.
    pub fn into_mask(self) -> Mask {
        Mask::new(self.frame.width(), self.frame.height(), self.data)
    }
}
