//! Faces: where they are, and how an aligned one is taken out and put back.

use ndarray::{Array4, ArrayD};

use super::{
    manifest::{Entry, Input},
    tensor,
    tiles::{self, Run},
};
use crate::{
    cancel::Cancel,
    error::Error,
    frame::{Frame, Layout},
};

/// A face: its box and five points, in pixels of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// Left edge; may lie outside.
    pub x: f32,
    /// Upper edge; may lie outside.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// The eye at the left of the picture, the other, the tip of the nose, the corner of the mouth
    /// at the left, the other.
    pub points: [(f32, f32); 5],
    /// How sure the model is, 0 to 1.
    pub score: f32,
}

/// Faces below this score are dropped. OpenCV's example takes 0.9 for modern photographs; damaged
/// ones score lower.
const SCORE: f32 = 0.7;
/// Of two faces that share more than this of their union, the better one stays (OpenCV's value).
const SHARED: f32 = 0.3;
/// Faces at most; a crowd's small faces are beyond what a model can restore.
const MOST: usize = 64;

/// The outputs of YuNet for each stride: classes, objects, boxes and points.
pub const OUTPUTS: [&str; 12] = [
    "cls_8", "cls_16", "cls_32", "obj_8", "obj_16", "obj_32", "bbox_8", "bbox_16", "bbox_32",
    "kps_8", "kps_16", "kps_32",
];

/// The faces of a picture, the surest first.
///
/// # Errors
/// [`Error::Cancelled`], [`Error::DeadlinePassed`], [`Error::ModelFailed`].
pub fn detect(
    frame: &Frame,
    entry: &Entry,
    cancel: &Cancel,
    run: &mut Run<'_>,
) -> Result<Vec<Face>, Error> {
    cancel.check()?;
    let (input, part) = tensor::fitted(frame, entry);
    let outputs = run(vec![input.into_dyn()])?;
    let scale = (
        frame.width() as f32 / (part.0 * entry.size as f32),
        frame.height() as f32 / (part.1 * entry.size as f32),
    );
    let mut faces = Vec::new();
    for (i, stride) in [8u32, 16, 32].into_iter().enumerate() {
        let of = |kind: usize| {
            let output = outputs.get(kind * 3 + i).ok_or(Error::ModelFailed)?;
            output.as_slice().ok_or(Error::ModelFailed)
        };
        let (classes, objects, boxes, points) = (of(0)?, of(1)?, of(2)?, of(3)?);
        let columns = (entry.size / stride) as usize;
        let cells = columns * columns;
        if classes.len() < cells
            || objects.len() < cells
            || boxes.len() < cells * 4
            || points.len() < cells * 10
        {
            return Err(Error::ModelFailed);
        }
        for cell in 0..cells {
            let score = (classes[cell].clamp(0.0, 1.0) * objects[cell].clamp(0.0, 1.0)).sqrt();
            // Also refuses what is not a number.
            if !(score >= SCORE) {
                continue;
            }
            let (column, row) = ((cell % columns) as f32, (cell / columns) as f32);
            let stride = stride as f32;
            let place = |dx: f32, dy: f32| {
                (
                    (column + dx) * stride * scale.0,
                    (row + dy) * stride * scale.1,
                )
            };
            let [dx, dy, w, h] = boxes[cell * 4..][..4] else {
                return Err(Error::ModelFailed);
            };
            let center = place(dx, dy);
            let (width, height) = (w.exp() * stride * scale.0, h.exp() * stride * scale.1);
            let pairs = points[cell * 10..][..10].as_chunks::<2>().0;
            let face = Face {
                x: center.0 - width / 2.0,
                y: center.1 - height / 2.0,
                width,
                height,
                points: std::array::from_fn(|i| place(pairs[i][0], pairs[i][1])),
                score,
            };
            let numbers = face.points.iter().flat_map(|p| [p.0, p.1]);
            if numbers
                .chain([face.x, face.y, width, height])
                .all(f32::is_finite)
            {
                faces.push(face);
            }
        }
    }
    Ok(best(faces))
}

/// Of faces that lie on each other, the surest.
fn best(mut faces: Vec<Face>) -> Vec<Face> {
    faces.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Face> = Vec::new();
    for face in faces {
        if kept.len() < MOST && kept.iter().all(|other| shared(other, &face) <= SHARED) {
            kept.push(face);
        }
    }
    kept
}

/// The share of two boxes' union that belongs to both.
fn shared(a: &Face, b: &Face) -> f32 {
    let overlap =
        |a: (f32, f32), b: (f32, f32)| ((a.0 + a.1).min(b.0 + b.1) - a.0.max(b.0)).max(0.0);
    let both = overlap((a.x, a.width), (b.x, b.width)) * overlap((a.y, a.height), (b.y, b.height));
    both / (a.width * a.height + b.width * b.height - both).max(1e-6)
}

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
        Layout::Gray => frame.with_alpha().without_alpha(),
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
            let whole = crate::frame::Rect {
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

    fn detector() -> Entry {
        let card = "task = 'face-detect'\nresize = 'letterbox'\nsize = 640\nbgr = true\n\
                    range = 'byte'\npeak_mib = 1";
        own_entry(card).unwrap()
    }

    fn restorer() -> Entry {
        let card = "task = 'face-restore'\nresize = 'stretch'\nsize = 512\nmean = [0.5, 0.5, 0.5]\n\
                    std = [0.5, 0.5, 0.5]\noutput_range = 'signed'\npeak_mib = 1";
        own_entry(card).unwrap()
    }

    #[test]
    fn cells_of_the_detector_become_faces_of_the_picture() {
        let mut outputs: Vec<_> = [1, 1, 4, 10]
            .into_iter()
            .flat_map(|n| [6400, 1600, 400].map(|cells| ArrayD::zeros(vec![1, cells, n])))
            .collect();
        // Column 10, row 5 of stride 16, and a neighbour that is less sure of the same face.
        for (cell, score) in [(5 * 40 + 10, 0.96), (5 * 40 + 11, 0.81)] {
            outputs[1][[0, cell, 0]] = score;
            outputs[4][[0, cell, 0]] = 1.0;
            outputs[7][[0, cell, 2]] = 2.0f32.ln();
            outputs[7][[0, cell, 3]] = 3.0f32.ln();
            outputs[10][[0, cell, 0]] = 0.5;
        }
        let frame = Frame::filled(1280, 320, Layout::Rgb, [0; 4]);
        let mut shape = Vec::new();
        let faces = detect(&frame, &detector(), &Cancel::new(), &mut |inputs| {
            shape = inputs[0].shape().to_vec();
            Ok(outputs.clone())
        });
        let faces = faces.unwrap();
        assert_eq!((faces.len(), shape), (1, vec![1, 3, 640, 640]));
        let Face {
            x,
            y,
            width,
            height,
            points,
            score,
        } = faces[0];
        assert_eq!((x, y), (320.0 - 32.0, 160.0 - 48.0));
        assert!((width - 64.0).abs() < 1e-3 && (height - 96.0).abs() < 1e-3);
        assert!(points[0] == (336.0, 160.0) && (score - 0.96f32.sqrt()).abs() < 1e-4);
        let none = detect(&frame, &detector(), &Cancel::new(), &mut |_| Ok(Vec::new()));
        assert_eq!(none, Err(Error::ModelFailed));
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
