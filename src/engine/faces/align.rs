//! How a face is taken out of a picture upright and at a model's size, and put back.

use ndarray::{Array4, ArrayD};

use super::Face;
use crate::{
    cancel::Cancel,
    engine::{
        manifest::{Entry, Input},
        tensor,
        tiles::{self, Run},
    },
    error::Error,
    frame::{Frame, Layout, Rect},
};

/// Where the five points of an aligned face lie, as shares of its side: the template of FFHQ as
/// GFPGAN's code and those after it use it.
const TEMPLATE: [(f32, f32); 5] = [
    (0.3769, 0.4686),
    (0.6229, 0.4691),
    (0.5012, 0.6133),
    (0.3931, 0.7254),
    (0.6115, 0.7249),
];

/// The part of an aligned face's side over which it passes into the picture again.
const BORDER: f32 = 0.15;

/// From pixels of the picture to pixels of the aligned face: a turn, a scale and a shift.
#[derive(Debug, Clone, Copy)]
struct Align {
    cos: f32,
    sin: f32,
    shift: (f32, f32),
}

impl Align {
    /// The one that brings the face's points nearest to the template (least squares).
    fn new(face: &Face, side: f32) -> Option<Self> {
        let mean = |points: &[(f32, f32)]| {
            let n = points.len() as f32;
            let sum = points
                .iter()
                .fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
            (sum.0 / n, sum.1 / n)
        };
        let target = TEMPLATE.map(|(x, y)| (x * side, y * side));
        let (from, to) = (mean(&face.points), mean(&target));
        let (mut dot, mut cross, mut size) = (0.0, 0.0, 0.0);
        for (p, q) in face.points.iter().zip(&target) {
            let (px, py, qx, qy) = (p.0 - from.0, p.1 - from.1, q.0 - to.0, q.1 - to.1);
            dot += px * qx + py * qy;
            cross += px * qy - py * qx;
            size += px * px + py * py;
        }
        let (cos, sin) = (dot / size, cross / size);
        let shift = (
            to.0 - (cos * from.0 - sin * from.1),
            to.1 - (sin * from.0 + cos * from.1),
        );
        let usable = size > 1.0 && (cos * cos + sin * sin).is_normal();
        usable.then_some(Self { cos, sin, shift })
    }

    fn forward(&self, x: f32, y: f32) -> (f32, f32) {
        (
            self.cos * x - self.sin * y + self.shift.0,
            self.sin * x + self.cos * y + self.shift.1,
        )
    }

    fn back(&self, x: f32, y: f32) -> (f32, f32) {
        let (x, y) = (x - self.shift.0, y - self.shift.1);
        let square = self.cos * self.cos + self.sin * self.sin;
        (
            (self.cos * x + self.sin * y) / square,
            (self.cos * y - self.sin * x) / square,
        )
    }

    /// Pixels of the picture for one of the aligned face.
    fn reduction(&self) -> f32 {
        1.0 / self.cos.hypot(self.sin)
    }
}

/// The picture with each of the faces restored; `strength` says how much of that is mixed in.
///
/// # Errors
/// [`Error::Cancelled`], [`Error::DeadlinePassed`], [`Error::ModelFailed`].
pub fn restore(
    frame: Frame,
    faces: &[Face],
    strength: f32,
    entry: &Entry,
    cancel: &Cancel,
    run: &mut Run<'_>,
) -> Result<Frame, Error> {
    let mut frame = match frame.layout() {
        Layout::Gray => frame.in_color(),
        _ => frame,
    };
    for (i, face) in faces.iter().enumerate() {
        cancel.check()?;
        if let Some(align) = Align::new(face, entry.size as f32) {
            let aligned = taken(&frame, align, entry.size);
            let (image, _) = tensor::fitted(&aligned, entry);
            let inputs = entry.inputs.iter().map(|input| match input {
                Input::Fidelity => ArrayD::from_elem(vec![1], entry.fidelity),
                _ => image.clone().into_dyn(),
            });
            let output = tiles::first(run, inputs.collect())?;
            let mut better = aligned;
            let whole = Rect {
                x: 0,
                y: 0,
                width: entry.size,
                height: entry.size,
            };
            tensor::paste(&mut better, whole, &output, (0, 0), entry, |_, _| 1.0)?;
            put_back(&mut frame, &better, align, strength);
        }
        cancel.reached((i + 1) as f32 / faces.len() as f32);
    }
    Ok(frame)
}

/// The aligned face. Where it is smaller than in the picture, each pixel is the mean of several.
fn taken(frame: &Frame, align: Align, side: u32) -> Frame {
    let n = (align.reduction().ceil() as u32).clamp(1, 8);
    let mut data = Vec::with_capacity((side * side * 3) as usize);
    for y in 0..side {
        for x in 0..side {
            let mut sum = [0.0; 3];
            for i in 0..n * n {
                let part = |i: u32| (i as f32 + 0.5) / n as f32 - 0.5;
                let (px, py) = align.back(x as f32 + part(i % n), y as f32 + part(i / n));
                let color = sampled(frame, px, py);
                for (sum, v) in sum.iter_mut().zip(color) {
                    *sum += v;
                }
            }
            data.extend(sum.map(|v| (v / (n * n) as f32).round() as u8));
        }
    }
    Frame::new(side, side, Layout::Rgb, data)
}

/// The colour at a place between pixels; beyond the picture, that of its edge.
fn sampled(frame: &Frame, x: f32, y: f32) -> [f32; 3] {
    let n = frame.layout().channels();
    let place = |at: f32, side: u32| {
        let at = at.clamp(0.0, (side - 1) as f32);
        (at as u32, (at as u32 + 1).min(side - 1), at.fract())
    };
    let (left, right, u) = place(x, frame.width());
    let (top, bottom, v) = place(y, frame.height());
    let at = |x: u32, y: u32, c: usize| f32::from(frame.row(y)[x as usize * n + c]);
    std::array::from_fn(|c| {
        let row = |y: u32| at(left, y, c) + (at(right, y, c) - at(left, y, c)) * u;
        row(top) + (row(bottom) - row(top)) * v
    })
}

/// Lays the aligned face over the picture, with a soft border.
fn put_back(frame: &mut Frame, face: &Frame, align: Align, strength: f32) {
    let side = face.width() as f32 - 1.0;
    let corners = [(0.0, 0.0), (side, 0.0), (0.0, side), (side, side)];
    let corners = corners.map(|(x, y)| align.back(x, y));
    let span = |pick: fn((f32, f32)) -> f32, most: u32| {
        let low = corners
            .iter()
            .map(|c| pick(*c))
            .fold(f32::INFINITY, f32::min);
        let high = corners
            .iter()
            .map(|c| pick(*c))
            .fold(f32::NEG_INFINITY, f32::max);
        let inside = |v: f32| v.clamp(0.0, most as f32) as u32;
        inside(low.floor())..inside(high.ceil() + 1.0)
    };
    let (columns, rows) = (span(|c| c.0, frame.width()), span(|c| c.1, frame.height()));
    let (n, stride) = (frame.layout().channels(), frame.stride());
    for y in rows {
        for x in columns.clone() {
            let (fx, fy) = align.forward(x as f32, y as f32);
            let edge = fx.min(fy).min(side - fx).min(side - fy) / (BORDER * side);
            if edge <= 0.0 {
                continue;
            }
            let t = edge.min(1.0);
            let share = t * t * (3.0 - 2.0 * t) * strength;
            let color = sampled(face, fx, fy);
            let pixel = &mut frame.data_mut()[y as usize * stride + x as usize * n..][..3];
            for (sample, value) in pixel.iter_mut().zip(color) {
                let old = f32::from(*sample);
                *sample = (old + (value - old) * share).round() as u8;
            }
        }
    }
}

/// Bytes of an aligned face, before and after, beside the run itself.
pub fn face_bytes(entry: &Entry) -> u64 {
    u64::from(entry.size).pow(2) * (2 * 3 + 2 * 12)
}

/// What goes into a face model that is run for the first time: nothing in particular.
pub fn blank(entry: &Entry) -> Vec<ArrayD<f32>> {
    let side = entry.size as usize;
    let inputs = entry.inputs.iter().map(|input| match input {
        Input::Fidelity => ArrayD::from_elem(vec![1], entry.fidelity),
        _ => Array4::zeros((1, 3, side, side)).into_dyn(),
    });
    inputs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::manifest::own_entry;

    fn restorer() -> Entry {
        let card = "task = 'face-restore'\nresize = 'stretch'\nsize = 512\nmean = [0.5, 0.5, 0.5]\n\
                    std = [0.5, 0.5, 0.5]\noutput_range = 'signed'\npeak_mib = 1";
        own_entry(card).unwrap()
    }

    /// A face of the template, `scale` pixels a side, turned by `angle`.
    fn face(center: (f32, f32), scale: f32, angle: f32) -> Face {
        let points = TEMPLATE.map(|(x, y)| {
            let (x, y) = ((x - 0.5) * scale, (y - 0.5) * scale);
            let (sin, cos) = angle.sin_cos();
            (center.0 + cos * x - sin * y, center.1 + sin * x + cos * y)
        });
        Face {
            x: 0.0,
            y: 0.0,
            width: scale,
            height: scale,
            points,
            score: 1.0,
        }
    }

    #[test]
    fn a_face_comes_back_to_where_it_was_taken_from() {
        let data = (0..400 * 300u32).flat_map(|i| [(i % 400 / 2) as u8, (i / 400 / 2) as u8, 90]);
        let frame = Frame::new(400, 300, Layout::Rgb, data.collect());
        let faces = [
            face((200.0, 150.0), 180.0, 0.4),
            face((60.0, 60.0), 90.0, -0.2),
        ];
        // A model that changes nothing leaves the picture as it is.
        let same = &mut |inputs: Vec<ArrayD<f32>>| Ok(inputs);
        let done = restore(
            frame.clone(),
            &faces,
            1.0,
            &restorer(),
            &Cancel::new(),
            same,
        )
        .unwrap();
        for (a, b) in done.data().iter().zip(frame.data()) {
            assert!(a.abs_diff(*b) <= 2, "{a} for {b}");
        }
        // One that paints white changes the face's middle, and nothing far from it.
        let white = &mut |inputs: Vec<ArrayD<f32>>| Ok(vec![inputs[0].mapv(|_| 1.0)]);
        let done = restore(
            frame.clone(),
            &faces,
            1.0,
            &restorer(),
            &Cancel::new(),
            white,
        )
        .unwrap();
        assert_eq!(done.row(150)[600..603], [255, 255, 255]);
        assert_eq!(done.row(290), frame.row(290));
        assert_eq!(
            done.row(60)[..15],
            frame.row(60)[..15],
            "outside of both squares"
        );
    }

    #[test]
    fn points_that_are_all_one_are_no_face() {
        let mut none = face((50.0, 50.0), 90.0, 0.0);
        none.points = [(50.0, 50.0); 5];
        assert!(Align::new(&none, 512.0).is_none());
    }
}
