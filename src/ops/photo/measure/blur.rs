//! The blur of a picture, from how much its edges lose when they are blurred once more:
//! Zhuo and Sim, "Defocus map estimation from a single image", 2011, section 3.

use super::spread;
use crate::{frame::Frame, ops::blur::gaussian};

/// Side of the windows that are looked at, and how many along a side at most.
const WINDOW: usize = 96;
const ALONG: usize = 8;
/// What a window's own border spoils: the reach of the second blur, and of a gradient.
const BORDER: usize = 4;
/// Standard deviation of the second blur, in pixels.
const AGAIN: f32 = 1.0;
/// Slopes below this, in 8-bit samples a pixel, are no edges.
const LEAST: f32 = 8.0;
/// Edges that are needed for a figure.
const ENOUGH: usize = 50;

/// The standard deviation in pixels of the blur of the sharpest tenth of edges; 0 where there are
/// no edges.
pub fn sigma(frame: &Frame) -> f32 {
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let (side_x, side_y) = (WINDOW.min(w), WINDOW.min(h));
    if side_x.min(side_y) <= 2 * BORDER {
        return 0.0;
    }
    let (mut edges, mut pixels) = (Vec::new(), 0);
    for top in spread(h, side_y, 0, ALONG) {
        for left in spread(w, side_x, 0, ALONG) {
            look(frame, (left, top), (side_x, side_y), &mut edges);
            pixels += (side_x - 2 * BORDER) * (side_y - 2 * BORDER);
        }
    }
    // Only the steepest tenth of all slopes: the fainter ones are texture.
    let most = pixels / 10;
    if edges.len() > most && most > 0 {
        edges.select_nth_unstable_by(most - 1, |a, b| b.0.total_cmp(&a.0));
        edges.truncate(most);
    }
    if edges.len() < ENOUGH {
        return 0.0;
    }
    // Equation 8 of the paper, with the ratio of the slopes before and after.
    let blur = |(after, before): &(f32, f32)| {
        let ratio = (before / after).max(1.0005);
        AGAIN / (ratio * ratio - 1.0).sqrt()
    };
    let mut blurs: Vec<f32> = edges.iter().map(blur).collect();
    let tenth = blurs.len() / 10;
    *blurs.select_nth_unstable_by(tenth, f32::total_cmp).1
}

/// Puts the slopes of a window's edges into `edges`: after the second blur, and before.
fn look(
    frame: &Frame,
    (left, top): (usize, usize),
    (w, h): (usize, usize),
    edges: &mut Vec<(f32, f32)>,
) {
    let n = frame.layout().channels();
    let mut luma = Vec::with_capacity(w * h);
    for y in top..top + h {
        let row = &frame.row(y as u32)[left * n..(left + w) * n];
        luma.extend(row.chunks_exact(n).map(super::luma));
    }
    let mut soft = luma.clone();
    gaussian(&mut soft, w, h, 1, AGAIN);
    let slope = |plane: &[f32], x: usize, y: usize| {
        let dx = plane[y * w + x + 1] - plane[y * w + x - 1];
        let dy = plane[(y + 1) * w + x] - plane[(y - 1) * w + x];
        dx.hypot(dy) / 2.0
    };
    for y in BORDER..h - BORDER {
        for x in BORDER..w - BORDER {
            let after = slope(&soft, x, y);
            if after >= LEAST {
                edges.push((after, slope(&luma, x, y)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

    #[test]
    fn blur_is_measured_in_pixels() {
        let (w, h) = (200, 150);
        let mut before = 0.0;
        for blurred in [0.0, 1.0, 1.5, 2.5] {
            // Tilted bars with sharp edges.
            let bar = |i: u32| {
                if ((i % w + i / w / 3) / 25).is_multiple_of(2) {
                    40u8
                } else {
                    200
                }
            };
            let mut data: Vec<u8> = (0..w * h).flat_map(|i| [bar(i); 3]).collect();
            gaussian(&mut data, w as usize, h as usize, 3, blurred);
            let found = sigma(&Frame::new(w, h, Layout::Rgb, data));
            assert!(found > before, "{blurred}: {found} after {before}");
            // A sharp edge that is tilted is never sharper than its own steps.
            let off = (found - blurred.max(0.4)).abs();
            assert!(off < 0.5, "{blurred}: {found}");
            before = found;
        }
        let flat = Frame::filled(200, 200, Layout::Rgb, [90, 90, 90, 0]);
        assert_eq!(sigma(&flat), 0.0, "no edge, no figure");
    }
}
