//! Applies the functions found on a small copy to the full picture.

use super::Linear;
use crate::{
    cores,
    frame::{Frame, Layout, Mask},
    ops::pyramid::Place,
};

/// The matte of `frame`: the functions of a small copy of it, `width` a row, interpolated between and
/// applied.
pub fn upsampled(frame: &Frame, functions: &[Linear], width: usize) -> Mask {
    let grid = Grid::new(frame, functions, width);
    let mut data = vec![0; frame.pixels()];
    cores::on_rows(
        &mut data,
        frame.width() as usize,
        |first, rows| match frame.layout() {
            Layout::Gray => grid.apply::<1>(first, rows),
            Layout::Rgb => grid.apply::<3>(first, rows),
            Layout::Rgba => grid.apply::<4>(first, rows),
        },
    );
    Mask::new(frame.width(), frame.height(), data)
}

/// The functions, and where the pixels of the full picture lie between them.
struct Grid<'a> {
    frame: &'a Frame,
    functions: &'a [Linear],
    /// Of each function the value, where it gives 0 or 255 whatever the colour.
    sure: Vec<Option<u8>>,
    width: usize,
    columns: Vec<Place>,
    rows: Vec<Place>,
    /// For each column of functions where in a full row the pixels end that lie before the next one.
    ends: Vec<usize>,
}

/// Where rows are 0, or 255, for sure; `None` in between. Each run ends where the next one starts.
type Runs = Vec<(Option<u8>, usize)>;

impl<'a> Grid<'a> {
    fn new(frame: &'a Frame, functions: &'a [Linear], width: usize) -> Self {
        let height = functions.len() / width;
        let (w, h) = (frame.width() as usize, frame.height() as usize);
        let columns = Place::all(w, width, w as f32 / width as f32);
        Self {
            frame,
            functions,
            sure: functions.iter().map(constant).collect(),
            width,
            ends: (0..width)
                .map(|x| columns.partition_point(|c| c.before <= x))
                .collect(),
            columns,
            rows: Place::all(h, height, h as f32 / height as f32),
        }
    }

    /// Makes these rows of the matte, of which the first is row `first` of the picture.
    fn apply<const N: usize>(&self, first: usize, rows: &mut [u8]) {
        // The functions of one full row, with the last one repeated.
        let mut between = vec![[0.0; 4]; self.width + 1];
        let mut runs = (usize::MAX, Runs::new());
        for (y, target) in (first..).zip(rows.chunks_exact_mut(self.columns.len())) {
            let place = self.rows[y];
            if runs.0 != place.before {
                runs = (place.before, self.runs(place.rows(&self.sure, self.width)));
            }
            place.mix(place.rows(self.functions, self.width), &mut between);
            self.apply_row::<N>(y, target, &between, &runs.1);
        }
    }

    /// Of all full rows between two rows of functions.
    fn runs(&self, [upper, lower]: [&[Option<u8>]; 2]) -> Runs {
        let at = |x: usize| upper[x].filter(|_| lower[x] == upper[x]);
        let mut runs = Runs::new();
        let mut next = at(0);
        for (x, &end) in self.ends.iter().enumerate() {
            let here = next;
            next = at((x + 1).min(self.width - 1));
            let value = here.filter(|_| next == here);
            match runs.last_mut() {
                Some((last, last_end)) if *last == value => *last_end = end,
                _ => runs.push((value, end)),
            }
        }
        runs
    }

    fn apply_row<const N: usize>(
        &self,
        y: usize,
        target: &mut [u8],
        between: &[Linear],
        runs: &[(Option<u8>, usize)],
    ) {
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
                        let f = c.sample(between);
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
}

/// The value of a function that gives 0 or 255 whatever the colour.
fn constant(function: &Linear) -> Option<u8> {
    let value = function[3];
    let fixed = *function == [0.0, 0.0, 0.0, value] && (value == 0.0 || value == 255.0);
    fixed.then_some(value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_the_same_in_whatever_bands() {
        let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8;
        let frame = Frame::new(90, 70, Layout::Rgb, (0..90 * 70 * 3).map(noise).collect());
        // What is sure moves on after every third row.
        let function = |i: u32| match (i % 12 + i / 36 * 2) % 12 {
            0..3 => [0.0; 4],
            3..6 => [0.0, 0.0, 0.0, 255.0],
            _ => [0.3, f32::from(noise(i)) / 500.0, 0.1, 20.0],
        };
        let functions: Vec<Linear> = (0..12 * 9).map(function).collect();
        let whole = upsampled(&frame, &functions, 12);
        let grid = Grid::new(&frame, &functions, 12);
        for height in [1, 7, 64] {
            let mut data = vec![0; frame.pixels()];
            for (i, rows) in data.chunks_mut(height * 90).enumerate() {
                grid.apply::<3>(i * height, rows);
            }
            assert!(data == whole.data(), "bands of {height} rows");
        }
        assert!(whole.data().contains(&0) && whole.data().contains(&255));
    }
}
