//! Masks of damage: from a model's guess, or from a client's picture, to holes that are filled.

use crate::{
    frame::{Filter, Frame, Mask},
    ops::photo::measure::luma,
};

/// From this probability (0.7, in 255ths) on a pixel counts as damaged. From 0.5 on more of the faint
/// scratches are found, and an eye in an old portrait too.
const DAMAGED: u8 = 178;
/// By how many pixels a guess is grown: the soft edge of a scratch is damaged too, and would be
/// taken for a neighbour by what fills the hole.
const GROWN: usize = 2;
/// Less than this share of damaged pixels is not worth the risk that it is none; more than that is
/// no damage, but what the picture is like.
const PLAUSIBLE: std::ops::Range<f32> = 0.0002..0.3;

/// The holes of a model's guess: where it is sure, and a little around it, softly.
pub fn holes(guess: &Mask) -> Mask {
    let sure = |&v: &u8| if v >= DAMAGED { 255 } else { 0 };
    let mut core = Mask::new(
        guess.width(),
        guess.height(),
        guess.data().iter().map(sure).collect(),
    );
    grow(&mut core, GROWN, 0);
    // One more pixel is half taken.
    grow(&mut core, 1, 128);
    core
}

/// The holes that a client's picture shows: what is light in it, and not transparent.
pub fn given(mask: Frame, frame: &Frame) -> Mask {
    let (width, height) = (frame.width(), frame.height());
    let mask = mask
        .flattened([0; 3])
        .resized(width, height, Filter::Bilinear);
    let light = |pixel: &[u8]| if luma(pixel) >= 128.0 { 255 } else { 0 };
    let n = mask.layout().channels();
    let holes = mask.data().chunks_exact(n).map(light).collect();
    Mask::new(width, height, holes)
}

/// The share of pixels that are holes.
pub fn share(holes: &Mask) -> f32 {
    let count = holes.data().iter().filter(|&&v| v == 255).count();
    count as f32 / holes.data().len() as f32
}

/// Whether so much damage is worth to be repaired unasked.
pub fn is_plausible(share: f32) -> bool {
    PLAUSIBLE.contains(&share)
}

/// Grows what is above 0 by a square of `radius` pixels around each; new pixels get `value`, or
/// that of their neighbour where it is 0.
fn grow(mask: &mut Mask, radius: usize, value: u8) {
    let (w, h) = (mask.width() as usize, mask.height() as usize);
    let data = mask.data_mut();
    let spread = |old: u8, near: u8| match (old, near) {
        (0, 0) => 0,
        (0, near) => {
            if value > 0 {
                value
            } else {
                near
            }
        }
        (old, _) => old,
    };
    for row in data.chunks_exact_mut(w) {
        grow_line(w, radius, |i| row[i], spread)
            .into_iter()
            .enumerate()
            .for_each(|(i, v)| row[i] = v);
    }
    for x in 0..w {
        let column = grow_line(h, radius, |i| data[i * w + x], spread);
        for (y, v) in column.into_iter().enumerate() {
            data[y * w + x] = v;
        }
    }
}

fn grow_line(
    length: usize,
    radius: usize,
    at: impl Fn(usize) -> u8,
    spread: impl Fn(u8, u8) -> u8,
) -> Vec<u8> {
    let near = |i: usize| {
        let around = i.saturating_sub(radius)..(i + radius + 1).min(length);
        around.map(&at).max().unwrap_or(0)
    };
    (0..length).map(|i| spread(at(i), near(i))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

    #[test]
    fn holes_are_grown_with_a_soft_edge() {
        let mut guess = Mask::new(20, 20, vec![60; 400]);
        guess.data_mut()[10 * 20 + 10] = 200;
        let holes = holes(&guess);
        assert_eq!(
            holes.row(10)[6..15],
            [0, 128, 255, 255, 255, 255, 255, 128, 0]
        );
        assert_eq!(holes.data()[7 * 20 + 10], 128);
        assert_eq!(holes.data()[6 * 20 + 10], 0);
        assert_eq!(share(&holes), 25.0 / 400.0);
    }

    #[test]
    fn a_clients_mask_is_what_is_light_at_any_size() {
        let frame = Frame::filled(40, 20, Layout::Rgb, [9; 4]);
        let mut mask = Frame::filled(20, 10, Layout::Rgba, [255; 4]);
        for (i, pixel) in mask.data_mut().chunks_exact_mut(4).enumerate() {
            match i % 20 {
                0..5 => {}
                5..10 => pixel[3] = 0,
                _ => pixel[..3].fill(40),
            }
        }
        let holes = given(mask, &frame);
        assert_eq!((holes.width(), holes.height()), (40, 20));
        assert!(holes.row(10)[..9].iter().all(|&v| v == 255));
        assert!(holes.row(10)[11..].iter().all(|&v| v == 0));
        assert!(!is_plausible(0.0) && is_plausible(0.01) && !is_plausible(0.5));
    }
}
