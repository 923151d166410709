//! Masks of damage: from a model's guess, or from a client's picture, to holes that are filled.

use super::pieces;
use crate::{
    cancel::Cancel,
    error::Error,
    frame::{Filter, Frame, Mask},
    ops::{Shape, edge, photo::measure::luma},
};

/// Less than this share of damaged pixels is not worth the risk that it is none; more than that is
/// no damage, but what the picture is like.
const PLAUSIBLE: std::ops::Range<f32> = 0.0002..0.3;

/// A copy of half the size is looked at too where its shorter side has this many pixels, and again
/// one of half its size. The net was trained on straight scratches of up to 2.6 pixels and cracks of
/// up to 6; one of 0.2 mm has 5 where a print is scanned at 600 dots an inch.
const LEAST_SIDE: u32 = 700;

/// How many times smaller the copies are that are looked at, the smallest first; 1 is the picture.
fn looks((width, height): (u32, u32)) -> impl Iterator<Item = u32> {
    let halvings = (width.min(height) / LEAST_SIDE).max(1).ilog2();
    (0..=halvings).rev().map(|times| 1 << times)
}

/// Bytes that [`find`] holds, the net's own apart: while a copy is made, and beside the net while
/// it looks at the picture itself.
pub fn copy_bytes(shape: Shape) -> (u64, u64) {
    match looks(shape.size).count() {
        1 => (0, 0),
        _ => {
            // Of half the height, before it has half the width; what has alpha is first copied.
            let made = shape.bytes() / 2 + shape.bytes() / 4;
            let weighted = if shape.alpha { shape.bytes() } else { 0 };
            (
                made + weighted,
                shape.pixels() / 4 + u64::from(shape.size.0 + shape.size.1),
            )
        }
    }
}

/// The holes of a picture as a net sees them: what is surely damage, and two pixels around it, the
/// outer one half taken. The soft edge of a scratch is damaged too, and would be taken for a
/// neighbour by what fills the hole.
///
/// What is too wide for the net is found in smaller copies of a large picture.
///
/// # Errors
/// Those of the net.
pub fn find(
    frame: &Frame,
    cancel: &Cancel,
    net: impl Fn(&Frame, &Cancel) -> Result<Mask, Error>,
) -> Result<Mask, Error> {
    let size = (frame.width(), frame.height());
    let copy =
        |times: u32| frame.resized(size.0.div_ceil(times), size.1.div_ceil(times), Filter::Box);
    let work = |times: u32| 1.0 / (times * times) as f32;
    let all: f32 = looks(size).map(work).sum();
    let (mut wider, mut done) = (None, 0.0);
    for times in looks(size) {
        let part = cancel.part(done / all, (done + work(times)) / all);
        done += work(times);
        let mut found = match times {
            1 => net(frame, &part)?,
            _ => net(&copy(times), &part)?,
        };
        pieces::keep_damage(&mut found);
        if let Some(mut wider) = wider.take() {
            edge::dilate(&mut wider);
            add_twice_as_large(&mut found, &wider);
        }
        wider = Some(found);
    }
    Ok(grown(wider.expect("the picture itself is looked at")))
}

/// Adds what a mask of half the size shows.
fn add_twice_as_large(mask: &mut Mask, half: &Mask) {
    let width = mask.width() as usize;
    for (y, row) in mask.data_mut().chunks_exact_mut(width).enumerate() {
        for (pair, &wide) in row.chunks_mut(2).zip(half.row(y as u32 / 2)) {
            pair.iter_mut().for_each(|v| *v = (*v).max(wide));
        }
    }
}

/// See [`find`].
fn grown(mut holes: Mask) -> Mask {
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

    fn black(width: u32, height: u32) -> Frame {
        Frame::filled(width, height, Layout::Rgb, [0; 4])
    }

    #[test]
    fn a_large_picture_is_looked_at_in_smaller_copies_too() {
        let look = |frame: &Frame, at: u32, seen: &mut Vec<(u32, u32)>| {
            let (width, height) = (frame.width(), frame.height());
            seen.push((width, height));
            let mut guess = Mask::new(width, height, vec![0; frame.pixels()]);
            if width == at {
                let row = 50 * width as usize;
                guess.data_mut()[row + 40..row + 60].fill(255);
            }
            guess
        };
        for (size, at, asked, hole) in [
            ((60, 1399), 60, vec![(60, 1399)], (38, 48, 59, 52)),
            ((1399, 1399), 7, vec![(1399, 1399)], (0, 0, 0, 0)),
            // Half and whole; what only one of them has found is a hole.
            (
                (1401, 1403),
                1401,
                vec![(701, 702), (1401, 1403)],
                (38, 48, 61, 52),
            ),
            // 20 by 1 become 22 by 3, then 44 by 6, and two more on each side.
            (
                (1401, 1403),
                701,
                vec![(701, 702), (1401, 1403)],
                (76, 96, 123, 105),
            ),
            (
                (2800, 2900),
                700,
                vec![(700, 725), (1400, 1450), (2800, 2900)],
                (152, 192, 247, 211),
            ),
        ] {
            let seen = std::cell::RefCell::default();
            let net = |frame: &Frame, _: &Cancel| Ok(look(frame, at, &mut seen.borrow_mut()));
            let holes = find(&black(size.0, size.1), &Cancel::new(), net).unwrap();
            assert_eq!((holes.width(), holes.height()), size);
            assert_eq!(seen.into_inner(), asked);
            let bounds = holes.bounds(1).map_or((0, 0, 0, 0), |r| {
                (r.x, r.y, r.x + r.width - 1, r.y + r.height - 1)
            });
            assert_eq!(bounds, hole, "{size:?}, seen at {at}");
        }
    }

    #[test]
    fn each_look_has_its_part_of_the_step_and_an_error_ends_it() {
        let (cancel, looks) = (Cancel::new(), std::cell::Cell::new(0));
        let failed = find(&black(2000, 2000), &cancel, |frame, cancel| {
            looks.set(looks.get() + 1);
            assert_eq!(cancel.progress(), [0.0, 0.2][looks.get() - 1]);
            cancel.reached(1.0);
            match looks.get() {
                1 => Ok(Mask::new(
                    frame.width(),
                    frame.height(),
                    vec![0; frame.pixels()],
                )),
                _ => Err(Error::ModelFailed),
            }
        });
        assert!(matches!(failed, Err(Error::ModelFailed)));
        assert_eq!(looks.get(), 2);
        assert_eq!(cancel.progress(), 1.0);
    }

    #[test]
    fn holes_are_grown_with_a_soft_edge() {
        let mut guess = Mask::new(20, 20, vec![60; 400]);
        for x in 8..12 {
            guess.data_mut()[10 * 20 + x] = 252;
        }
        let holes = find(&black(20, 20), &Cancel::new(), |_, _| Ok(guess.clone())).unwrap();
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
