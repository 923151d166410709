//! What kind of thing the subject of a picture is.

use ndarray::Array4;

use super::{manifest::Entry, tiles, tiles::Run};
use crate::{
    error::Error,
    frame::{Filter, Frame, Mask},
};

/// A kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// One person or more.
    Person,
    /// An animal.
    Animal,
    /// A thing as it is sold: clothes, tools, furniture, bottles, toys.
    Product,
    /// Anything else, and whatever the model is not sure of.
    Other,
}

impl Subject {
    /// The name, in the words of remove.bg.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Animal => "animal",
            Self::Product => "product",
            Self::Other => "other",
        }
    }
}

/// The kinds in the order of the model's output (`models/training/kinds.py`, like the figures below).
pub const KINDS: [Subject; 4] = [
    Subject::Person,
    Subject::Animal,
    Subject::Product,
    Subject::Other,
];
/// Room around the subject's box on each side, in parts of its longer side.
const MARGIN: f64 = 0.1;
/// From this value of the matte on a pixel counts for the box.
const INSIDE: u8 = 128;
/// From this likelihood on each kind is claimed: the least with which 96 of 100 claims were right in
/// either half of the pictures that were kept back (`models/evaluation/evaluate_kind.py`).
const SURE: [f32; 4] = [0.69, 0.92, 0.92, 0.0];
/// What fills the square beyond the picture.
const GREY: f32 = 128.0 / 255.0;

/// The kind of the subject that a coarse matte shows.
///
/// # Errors
/// [`Error::ModelFailed`].
pub fn classify(
    frame: &Frame,
    coarse: &Mask,
    entry: &Entry,
    run: &mut Run<'_>,
) -> Result<Subject, Error> {
    let Some(input) = square(frame, coarse, entry.size) else {
        return Ok(Subject::Other);
    };
    let output = tiles::first(run, vec![input.into_dyn()])?;
    let likely = output.as_slice().ok_or(Error::ModelFailed)?;
    if likely.len() != KINDS.len() {
        return Err(Error::ModelFailed);
    }
    Ok(claimed(likely))
}

fn claimed(likely: &[f32]) -> Subject {
    let all = likely.iter().zip(SURE).zip(KINDS);
    let best = all.max_by(|((a, _), _), ((b, _), _)| a.total_cmp(b));
    match best {
        Some(((likely, sure), kind)) if *likely >= sure => kind,
        _ => Subject::Other,
    }
}

/// The subject in a square of `side` pixels: colours and matte, 0 to 1; none where there is none.
fn square(frame: &Frame, coarse: &Mask, side: u32) -> Option<Array4<f32>> {
    let bounds = coarse.bounds(INSIDE)?;
    let (width, height) = (f64::from(frame.width()), f64::from(frame.height()));
    // Pixels of the picture for one of the matte.
    let (fx, fy) = (
        width / f64::from(coarse.width()),
        height / f64::from(coarse.height()),
    );
    let (left, top) = (f64::from(bounds.x) * fx, f64::from(bounds.y) * fy);
    let (w, h) = (f64::from(bounds.width) * fx, f64::from(bounds.height) * fy);
    let length = w.max(h) * (1.0 + 2.0 * MARGIN);
    let across = span(left + (w - length) / 2.0, length, width, side);
    let down = span(top + (h - length) / 2.0, length, height, side);

    let size = (across.pixels, down.pixels);
    let part = [across.start, down.start, across.length, down.length];
    let colors = frame.resized_part(part, size.0, size.1, Filter::Bilinear);
    let part = [part[0] / fx, part[1] / fy, part[2] / fx, part[3] / fy];
    let matte = coarse.clone().into_frame();
    let matte = matte.resized_part(part, size.0, size.1, Filter::Bilinear);

    let n = side as usize;
    let mut square = Array4::from_elem((1, 4, n, n), GREY);
    square.slice_mut(ndarray::s![0, 3, .., ..]).fill(0.0);
    let channels = colors.layout().channels();
    for y in 0..size.1 {
        let at = |x: u32| ((down.first + y) as usize, (across.first + x) as usize);
        for (x, pixel) in colors.row(y).chunks_exact(channels).enumerate() {
            let (row, column) = at(x as u32);
            for c in 0..3 {
                // A grey picture has one sample for all three.
                let sample = pixel[c.min(channels.min(3) - 1)];
                square[[0, c, row, column]] = f32::from(sample) / 255.0;
            }
        }
        for (x, value) in matte.row(y).iter().enumerate() {
            let (row, column) = at(x as u32);
            square[[0, 3, row, column]] = f32::from(*value) / 255.0;
        }
    }
    Some(square)
}

/// What of one side of the square lies in the picture.
struct Span {
    /// Where it begins in the picture, and how long it is there, in pixels.
    start: f64,
    length: f64,
    /// The first pixel of the square that it takes, and how many.
    first: u32,
    pixels: u32,
}

/// Of `length` pixels from `start` on, those below `end`; `side` pixels of the square stand for all.
fn span(start: f64, length: f64, end: f64, side: u32) -> Span {
    let (from, to) = (start.max(0.0), (start + length).min(end));
    let pixel = |at: f64| ((at - start) / length * f64::from(side)).round() as u32;
    let first = pixel(from).min(side - 1);
    Span {
        start: from,
        length: to - from,
        first,
        pixels: pixel(to).clamp(first + 1, side) - first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

    /// A matte of 10 x 10 that is 255 from (x, y) on, so wide and high.
    fn matte(x: usize, y: usize, width: usize, height: usize) -> Mask {
        let inside =
            |i: usize| (x..x + width).contains(&(i % 10)) && (y..y + height).contains(&(i / 10));
        let values = (0..100).map(|i| if inside(i) { 255 } else { 0 });
        Mask::new(10, 10, values.collect())
    }

    #[test]
    fn the_subject_is_in_the_middle_with_room_around_it() {
        let frame = Frame::filled(300, 100, Layout::Rgb, [255, 0, 51, 255]);
        // In the picture from (60, 20) on, 150 x 60: a square of 180 whose upper left is (45, -40).
        let square = square(&frame, &matte(2, 2, 5, 6), 90).unwrap();
        let column = |c: usize, x: usize| (0..90).map(move |y| (c, y, x));
        let values = |c: usize, x: usize| -> Vec<f32> {
            column(c, x).map(|(c, y, x)| square[[0, c, y, x]]).collect()
        };
        let middle = values(0, 45);
        assert!(middle[..20].iter().chain(&middle[70..]).all(|v| *v == GREY));
        assert!(middle[20..70].iter().all(|v| *v == 1.0), "the picture");
        assert!(
            values(2, 45)[20..70]
                .iter()
                .all(|v| (*v - 0.2).abs() < 1e-6)
        );
        let alpha = values(3, 45);
        assert!(alpha[..20].iter().chain(&alpha[70..]).all(|v| *v == 0.0));
        assert!(alpha[34..56].iter().all(|v| *v == 1.0), "{alpha:?}");
        assert!(values(3, 0).iter().all(|v| *v < 0.1), "its margin");
        assert!(super::square(&frame, &matte(0, 0, 0, 0), 80).is_none());
    }

    #[test]
    fn a_subject_at_any_edge_of_any_picture_has_a_square() {
        for (width, height) in [(1, 1), (1, 900), (700, 2), (33, 21)] {
            for layout in [Layout::Rgb, Layout::Rgba, Layout::Gray] {
                let frame = Frame::filled(width, height, layout, [9; 4]);
                for (x, y, w, h) in [(0, 0, 1, 1), (9, 9, 1, 1), (0, 3, 10, 1), (0, 0, 10, 10)] {
                    let square = square(&frame, &matte(x, y, w, h), 80).unwrap();
                    assert!(square.iter().all(|v| (0.0..=1.0).contains(v)));
                }
            }
        }
    }

    #[test]
    fn what_is_not_sure_is_other() {
        assert_eq!(claimed(&[0.85, 0.05, 0.05, 0.05]), Subject::Person);
        assert_eq!(claimed(&[0.01, 0.97, 0.01, 0.01]), Subject::Animal);
        assert_eq!(claimed(&[0.01, 0.01, 0.97, 0.01]), Subject::Product);
        for doubtful in [
            [0.5, 0.2, 0.2, 0.1],
            [0.05, 0.85, 0.05, 0.05],
            [0.0, 0.0, 0.01, 0.99],
            [f32::NAN; 4],
        ] {
            assert_eq!(claimed(&doubtful), Subject::Other);
        }
    }
}
