//! JPEG blocks, seen in the pixels: steps between neighbours are larger at every eighth place.
//!
//! The idea is that of Wang, Sheikh and Bovik ("No-Reference Perceptual Quality Assessment of JPEG
//! Compressed Images", 2002); here a step is held against those beside it, so that texture does
//! not count, and only the grid that begins at the corner is looked at.

use crate::frame::Frame;

/// Side of a block of JPEG.
const BLOCK: usize = 8;
/// Lines that are looked at in each direction, at most.
const LINES: usize = 256;
/// A step beyond this is an edge of the picture; it counts as this much.
const MOST: f32 = 8.0;

/// By how much steps at the edges of blocks exceed those elsewhere, in 8-bit samples: the larger
/// figure of the two directions.
pub fn blocking(frame: &Frame) -> f32 {
    let n = frame.layout().channels();
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    // Green stands for luma.
    let green = |x: usize, y: usize| f32::from(frame.data()[(y * w + x) * n + 1]);
    let across = excess(w, h, green);
    let down = excess(h, w, |along, line| green(line, along));
    across.max(down).max(0.0)
}

/// The excess at the grid over `lines` lines of `length` samples.
fn excess(length: usize, lines: usize, at: impl Fn(usize, usize) -> f32) -> f32 {
    if length < 4 * BLOCK {
        return 0.0;
    }
    let (mut sums, mut counts) = ([0.0f64; BLOCK], [0u32; BLOCK]);
    for line in (0..lines).step_by(lines.div_ceil(LINES)) {
        let step = |x: usize| (at(x, line) - at(x - 1, line)).abs();
        let (mut before, mut here) = (step(1), step(2));
        for x in 2..length - 1 {
            let after = step(x + 1);
            let excess = (here - (before + after) / 2.0).clamp(-MOST, MOST);
            sums[x % BLOCK] += f64::from(excess);
            counts[x % BLOCK] += 1;
            (before, here) = (here, after);
        }
    }
    let mean = |i: usize| (sums[i] / f64::from(counts[i].max(1))) as f32;
    let others = (1..BLOCK).map(mean).sum::<f32>() / (BLOCK - 1) as f32;
    mean(0) - others
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

    #[test]
    fn a_grid_of_eight_is_found_and_another_is_not() {
        let stairs = |side: u32| {
            let rise = if side == 1 { 2 } else { 5 };
            let value = move |i: u32| (i % 96) / side * rise + (i / 96) / side;
            let data = (0..96u32 * 64).flat_map(|i| [value(i) as u8; 3]);
            Frame::new(96, 64, Layout::Rgb, data.collect())
        };
        assert!(blocking(&stairs(8)) > 3.0);
        assert!(blocking(&stairs(7)) < 1.0, "{}", blocking(&stairs(7)));
        assert_eq!(blocking(&stairs(1)), 0.0, "a slope has no blocks");
    }
}
