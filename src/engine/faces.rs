//! Faces: where they are.

mod align;

pub use align::{blank, face_bytes, restore};

use super::{manifest::Entry, tensor, tiles::Run};
use crate::{cancel::Cancel, error::Error, frame::Frame};

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
            if score < SCORE || score.is_nan() {
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

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::{engine::manifest::own_entry, frame::Layout};

    fn detector() -> Entry {
        let card = "task = 'face-detect'\nresize = 'letterbox'\nsize = 640\nbgr = true\n\
                    range = 'byte'\npeak_mib = 1";
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
}
