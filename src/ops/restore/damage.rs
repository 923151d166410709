//! Masks of damage: from a model's guess, or from a client's picture, to holes that are filled.

use super::pieces;
use crate::{
    frame::{Filter, Frame, Mask},
    ops::{edge, photo::measure::luma},
};

/// Less than this share of damaged pixels is not worth the risk that it is none; more than that is
/// no damage, but what the picture is like.
const PLAUSIBLE: std::ops::Range<f32> = 0.0002..0.3;

/// The holes of a model's guess: what is surely damage, and two pixels around it, the outer one
/// half taken. The soft edge of a scratch is damaged too, and would be taken for a neighbour by
/// what fills the hole.
pub fn holes(guess: Mask) -> Mask {
    let mut holes = guess;
    pieces::keep_damage(&mut holes);
    edge::dilate(&mut holes);
    let mut wider = holes.clone();
    edge::dilate(&mut wider);
    for (hole, wide) in holes.data_mut().iter_mut().zip(wider.data()) {
        *hole = (*hole).max(wide / 255 * 128);
    }
    holes
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

    #[test]
    fn holes_are_grown_with_a_soft_edge() {
        let mut guess = Mask::new(20, 20, vec![60; 400]);
        for x in 8..12 {
            guess.data_mut()[10 * 20 + x] = 252;
        }
        let holes = holes(guess);
        assert_eq!(
            holes.row(10)[5..15],
            [0, 128, 255, 255, 255, 255, 255, 255, 128, 0]
        );
        assert_eq!(holes.row(9)[6..8], [128, 255]);
        assert_eq!(holes.row(8)[5..8], [0, 128, 128]);
        assert_eq!(holes.row(7)[10], 0);
        assert_eq!(share(&holes), 18.0 / 400.0);
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
