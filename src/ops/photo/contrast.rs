//! Local contrast: each place is stretched as far as the tones around it allow.
//!
//! Contrast-limited adaptive histogram equalisation (Zuiderveld, in "Graphics Gems IV", 1994) of
//! luma, with a low limit and only a part of it mixed in, so that flat walls stay flat. Colours
//! move along with their luma, so that grey stays grey.

use super::measure::luma;
use crate::{frame::Frame, ops::pyramid::Place};

/// Places along a side at most, and their least side in pixels.
const PLACES: usize = 8;
const LEAST: usize = 48;
/// How much steeper than even a curve may be; the paper's clip limit.
const LIMIT: f32 = 2.2;
/// How much of the result is mixed in.
const SHARE: f32 = 0.5;

/// One curve of luma.
type Curve = [f32; 256];

/// Brings out local contrast.
pub fn bring_out(frame: &mut Frame) {
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let n = frame.layout().channels();
    let columns = (w / LEAST).clamp(1, PLACES);
    let rows = (h / LEAST).clamp(1, PLACES);
    let curves = curves(frame, columns, rows);
    let across = Place::all(w, columns, w as f32 / columns as f32);
    let down = Place::all(h, rows, h as f32 / rows as f32);
    let stride = w * n;
    for (row, place) in frame.data_mut().chunks_exact_mut(stride).zip(&down) {
        let [upper, lower] = place.rows(&curves, columns);
        for (pixel, column) in row.chunks_exact_mut(n).zip(&across) {
            let level = luma(pixel);
            let left = column.before;
            let right = (left + 1).min(columns - 1);
            let at = |row: &[Curve], i: usize| row[i][level.round() as usize];
            let between =
                |row: &[Curve]| at(row, left) + column.share * (at(row, right) - at(row, left));
            let (a, b) = (between(upper), between(lower));
            let move_by = (SHARE * (a + place.share * (b - a) - level)).round();
            for v in pixel.iter_mut().take(3) {
                // A cast from float to integer saturates.
                *v = (f32::from(*v) + move_by) as u8;
            }
        }
    }
}

/// The curve of each place, row by row.
fn curves(frame: &Frame, columns: usize, rows: usize) -> Vec<Curve> {
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let n = frame.layout().channels();
    let mut counts = vec![[0u32; 256]; columns * rows];
    for y in 0..h {
        let base = y * rows / h * columns;
        for (x, pixel) in frame.row(y as u32).chunks_exact(n).enumerate() {
            // What cannot be seen has no tone.
            if n < 4 || pixel[3] > 0 {
                counts[base + x * columns / w][luma(pixel).round() as usize] += 1;
            }
        }
    }
    counts.iter().map(curve).collect()
}

/// The curve of a histogram: its sum, with what is above the limit spread over all tones.
fn curve(counts: &[u32; 256]) -> Curve {
    let all = counts.iter().sum::<u32>().max(1) as f32;
    let most = LIMIT * all / 256.0;
    let over: f32 = counts
        .iter()
        .map(|&count| (count as f32 - most).max(0.0))
        .sum();
    let share = over / 256.0;
    let mut sum = 0.0;
    std::array::from_fn(|v| {
        let own = (counts[v] as f32).min(most) + share;
        let middle = sum + own / 2.0;
        sum += own;
        255.0 * middle / all
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

    #[test]
    fn a_flat_picture_gains_contrast_and_grey_stays_grey() {
        let dull = |i: u32| [(100 + (i % 200) / 5 % 30 + i / 200 % 7) as u8; 3];
        let data = (0..200 * 120).flat_map(dull).collect();
        let mut frame = Frame::new(200, 120, Layout::Rgb, data);
        let spread = |frame: &Frame| {
            let all = frame.data().iter().map(|&v| f32::from(v));
            let mean = all.clone().sum::<f32>() / frame.data().len() as f32;
            (all.map(|v| (v - mean).powi(2)).sum::<f32>() / frame.data().len() as f32).sqrt()
        };
        let before = spread(&frame);
        bring_out(&mut frame);
        assert!(
            spread(&frame) > 1.2 * before,
            "{before}: {}",
            spread(&frame)
        );
        assert!(
            spread(&frame) < 2.5 * before,
            "{before}: {}",
            spread(&frame)
        );
        assert!(
            frame
                .data()
                .chunks_exact(3)
                .all(|p| p[0] == p[1] && p[1] == p[2])
        );
    }

    #[test]
    fn there_is_no_edge_between_places() {
        // One slow slope: its steps stay small everywhere.
        let data = (0..400u32 * 300)
            .flat_map(|i| [(40 + (i % 400) / 4) as u8; 3])
            .collect();
        let mut frame = Frame::new(400, 300, Layout::Rgb, data);
        bring_out(&mut frame);
        for row in frame.data().chunks_exact(1200) {
            for pair in row
                .chunks_exact(3)
                .map(|p| p[0])
                .collect::<Vec<_>>()
                .windows(2)
            {
                assert!(pair[0].abs_diff(pair[1]) <= 4, "{pair:?}");
            }
        }
    }

    #[test]
    fn any_size_will_do() {
        for (w, h) in [(1, 1), (47, 3), (49, 500)] {
            bring_out(&mut Frame::filled(w, h, Layout::Rgba, [9, 200, 30, 128]));
        }
    }
}
