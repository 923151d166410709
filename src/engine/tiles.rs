//! Runs a model of the `tile` kind over a picture of any size in bounded memory.

use ndarray::{Array4, ArrayD};

use super::{manifest::Entry, tensor};
use crate::{
    error::Error,
    frame::{Frame, Rect},
};

/// The picture with every tile replaced by what `run` makes of it.
///
/// A tile is read with `entry.overlap` more pixels on each side and only its core is written. The
/// overlap is at least the model's receptive field, so a core does not depend on where the tile
/// was cut, and there is no seam to blend.
///
/// # Errors
/// The first error of `run`.
pub fn apply(
    frame: Frame,
    entry: &Entry,
    strength: f32,
    mut run: impl FnMut(Array4<f32>) -> Result<ArrayD<f32>, Error>,
) -> Result<Frame, Error> {
    let mut result = frame.clone();
    let core = entry.size;
    for y in (0..frame.height()).step_by(core as usize) {
        for x in (0..frame.width()).step_by(core as usize) {
            let width = core.min(frame.width() - x);
            let height = core.min(frame.height() - y);
            let target = Rect {
                x,
                y,
                width,
                height,
            };
            let source = widened(target, entry.overlap, frame.width(), frame.height());
            let padded = |side: u32| side.next_multiple_of(entry.multiple_of);
            let input = tensor::tile(
                &frame,
                source,
                padded(source.width),
                padded(source.height),
                entry,
            );
            let output = run(input)?;
            let corner = (target.x - source.x, target.y - source.y);
            tensor::paste(&mut result, target, &output, corner, strength)?;
        }
    }
    Ok(result)
}

fn widened(core: Rect, by: u32, width: u32, height: u32) -> Rect {
    let (x, y) = (core.x.saturating_sub(by), core.y.saturating_sub(by));
    let right = (core.x + core.width + by).min(width);
    let bottom = (core.y + core.height + by).min(height);
    Rect {
        x,
        y,
        width: right - x,
        height: bottom - y,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::manifest::catalogue, frame::Layout};

    /// A blur of `2 * radius + 1` pixels stands in for a net with that receptive field.
    fn blur(input: &Array4<f32>, radius: isize) -> ArrayD<f32> {
        let (_, _, h, w) = input.dim();
        let at = |c: usize, y: isize, x: isize| {
            let y = y.clamp(0, h as isize - 1) as usize;
            input[[0, c, y, x.clamp(0, w as isize - 1) as usize]]
        };
        let output = Array4::from_shape_fn((1, 3, h, w), |(_, c, y, x)| {
            let around = -radius..=radius;
            let sum: f32 = around
                .clone()
                .map(|d| at(c, y as isize + d, x as isize + d))
                .sum();
            sum / around.count() as f32
        });
        output.into_dyn()
    }

    #[test]
    fn tiles_leave_no_seam() {
        let mut entry = catalogue()
            .into_iter()
            .find(|e| e.name == "restore")
            .unwrap();
        (entry.size, entry.overlap) = (16, 6);
        let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8;
        let data = (0..67 * 45 * 3).map(noise).collect();
        let frame = Frame::new(67, 45, Layout::Rgb, data);
        let tiled = apply(frame.clone(), &entry, 1.0, |t| Ok(blur(&t, 5))).unwrap();
        entry.size = 128;
        let whole = apply(frame.clone(), &entry, 1.0, |t| Ok(blur(&t, 5))).unwrap();
        // The padding to even sides repeats the last pixel, as the blur does at an edge.
        assert!(tiled == whole);
        let none = apply(frame.clone(), &entry, 0.0, |t| Ok(blur(&t, 5))).unwrap();
        assert!(none == frame, "strength 0 is the identity");
    }
}
