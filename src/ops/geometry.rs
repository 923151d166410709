//! Where things go: covering a size, cropping to the subject, placing the subject.

use super::options::Region;
use crate::frame::{Filter, Frame, Layout, Rect};

/// A length in pixels, or as a share of the subject.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// Pixels.
    Px(f32),
    /// Percent of the subject's height (above and below it) or width (beside it).
    Percent(f32),
}

impl Default for Length {
    fn default() -> Self {
        Self::Px(0.0)
    }
}

impl Length {
    /// Whole pixels on a side of `side` pixels.
    pub fn pixels(self, side: u32) -> i64 {
        let exact = match self {
            Self::Px(px) => px,
            Self::Percent(share) => share / 100.0 * side as f32,
        };
        exact.round() as i64
    }
}

/// Room around the subject; negative lengths cut into it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Margin {
    /// Above the subject.
    pub top: Length,
    /// To the right of it.
    pub right: Length,
    /// Below it.
    pub bottom: Length,
    /// To the left of it.
    pub left: Length,
}

/// A rectangle that may reach beyond the picture, in its coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canvas {
    /// Left edge.
    pub x: i64,
    /// Upper edge.
    pub y: i64,
    /// Width, at least 1.
    pub width: u32,
    /// Height, at least 1.
    pub height: u32,
}

/// Where the subject goes on the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Position {
    /// Its centre stays where it was, as far as the scaled subject fits there.
    #[default]
    Original,
    /// 0 touches the left or upper edge, 1 the right or lower one, 0.5 is the middle.
    At {
        /// Across, 0..=1.
        x: f32,
        /// Down, 0..=1.
        y: f32,
    },
}

/// The picture scaled to fill `width x height`, its sides in proportion; what is too much is cut
/// off evenly on two sides.
///
/// # Panics
/// If a side is 0.
pub fn cover(frame: Frame, width: u32, height: u32) -> Frame {
    assert!(width > 0 && height > 0, "a frame has at least one pixel");
    let (w, h) = (u64::from(frame.width()), u64::from(frame.height()));
    let (out_w, out_h) = (u64::from(width), u64::from(height));
    // The largest rectangle of the wanted shape, to the nearest pixel.
    let near = |a: u64, b: u64| ((a + b / 2) / b).max(1);
    let (keep_w, keep_h) = if w * out_h > h * out_w {
        (near(h * out_w, out_h).min(w), h)
    } else {
        (w, near(w * out_h, out_w).min(h))
    };
    let rect = centred(frame.width(), frame.height(), keep_w as u32, keep_h as u32);
    let frame = if (keep_w, keep_h) == (w, h) {
        frame
    } else {
        frame.cropped(rect)
    };
    if (frame.width(), frame.height()) == (width, height) {
        return frame;
    }
    frame.resized(width, height, Filter::Lanczos3)
}

/// The rectangle that a region means in a picture of `size`; `None` where it does not lie inside,
/// or holds nothing.
pub fn region(region: Region, size: (u32, u32)) -> Option<Rect> {
    let (Region::Sized([left, top, a, b]) | Region::Corners([left, top, a, b])) = region;
    let span = |from: Length, other: Length, side: u32| {
        let (from, other) = (from.pixels(side), other.pixels(side));
        let len = match region {
            Region::Sized(_) => other,
            Region::Corners(_) => other - from,
        };
        let inside = from >= 0 && len > 0 && from + len <= i64::from(side);
        inside.then_some((from as u32, len as u32))
    };
    let (x, width) = span(left, a, size.0)?;
    let (y, height) = span(top, b, size.1)?;
    Some(Rect {
        x,
        y,
        width,
        height,
    })
}

/// A rectangle of a picture that is scaled from one size to another; at least one pixel.
pub fn scaled(rect: Rect, from: (u32, u32), to: (u32, u32)) -> Rect {
    let span = |at: u32, len: u32, from: u32, to: u32| {
        let edge = |v: u32| (f64::from(v) * f64::from(to) / f64::from(from)).round() as u32;
        let start = edge(at).min(to - 1);
        (start, edge(at + len).clamp(start + 1, to) - start)
    };
    let (x, width) = span(rect.x, rect.width, from.0, to.0);
    let (y, height) = span(rect.y, rect.height, from.1, to.1);
    Rect {
        x,
        y,
        width,
        height,
    }
}

/// The middle `width x height` pixels of a picture, or all of it on a side that is shorter.
pub fn centred(picture_w: u32, picture_h: u32, width: u32, height: u32) -> Rect {
    let (width, height) = (width.clamp(1, picture_w), height.clamp(1, picture_h));
    Rect {
        x: (picture_w - width) / 2,
        y: (picture_h - height) / 2,
        width,
        height,
    }
}

/// The subject's box with its margin. It may reach outside the `picture` of (width, height); what
/// is returned has at least one pixel.
pub fn crop_box(subject: Rect, margin: Margin, picture: (u32, u32)) -> Canvas {
    debug_assert!(
        subject.x + subject.width <= picture.0 && subject.y + subject.height <= picture.1
    );
    let left = margin.left.pixels(subject.width);
    let top = margin.top.pixels(subject.height);
    let width = i64::from(subject.width) + left + margin.right.pixels(subject.width);
    let height = i64::from(subject.height) + top + margin.bottom.pixels(subject.height);
    let side = |v: i64| v.clamp(1, i64::from(u32::MAX)) as u32;
    Canvas {
        x: i64::from(subject.x) - left,
        y: i64::from(subject.y) - top,
        width: side(width),
        height: side(height),
    }
}

/// What `canvas` shows of the picture. What lies outside the picture is transparent; if there is
/// such, the result has an alpha channel (a grey picture stays grey and is black there).
pub fn crop_to(frame: Frame, canvas: Canvas) -> Frame {
    let (w, h) = (i64::from(frame.width()), i64::from(frame.height()));
    let left = canvas.x.clamp(0, w);
    let top = canvas.y.clamp(0, h);
    let right = (canvas.x + i64::from(canvas.width)).clamp(left, w);
    let bottom = (canvas.y + i64::from(canvas.height)).clamp(top, h);
    let inside = (right - left, bottom - top) == (canvas.width.into(), canvas.height.into());
    if inside && (right - left, bottom - top) == (w, h) {
        return frame;
    }
    let frame = if inside || frame.layout() != Layout::Rgb {
        frame
    } else {
        frame.with_alpha()
    };
    let n = frame.layout().channels();
    let mut out = Frame::filled(canvas.width, canvas.height, frame.layout(), [0; 4]);
    let stride = out.stride();
    let (from, length) = (left as usize * n, (right - left) as usize * n);
    if length > 0 {
        let to = (left - canvas.x) as usize * n;
        for y in top..bottom {
            let row = (y - canvas.y) as usize * stride + to;
            out.data_mut()[row..][..length].copy_from_slice(&frame.row(y as u32)[from..][..length]);
        }
    }
    out
}

/// The subject at another size and place, on a canvas of the cutout's size; what lies outside
/// `subject` is dropped.
///
/// `scale` (0.1..=1): the share of the canvas that the subject's box takes on its relatively
/// larger side; `None` leaves the size.
pub fn place(cutout: Frame, subject: Rect, scale: Option<f32>, position: Position) -> Frame {
    if scale.is_none() && position == Position::Original {
        return cutout;
    }
    let (w, h) = (cutout.width(), cutout.height());
    let (sub_w, sub_h) = (subject.width as f32, subject.height as f32);
    let factor = scale.map_or(1.0, |share| {
        share.clamp(0.1, 1.0) * (w as f32 / sub_w).min(h as f32 / sub_h)
    });
    let side = |length: f32, most: u32| ((length * factor).round() as u32).clamp(1, most);
    let (new_w, new_h) = (side(sub_w, w), side(sub_h, h));
    let part = cutout
        .cropped(subject)
        .resized(new_w, new_h, Filter::Lanczos3);
    let (x, y) = match position {
        Position::At { x, y } => (
            x.clamp(0.0, 1.0) * (w - new_w) as f32,
            y.clamp(0.0, 1.0) * (h - new_h) as f32,
        ),
        Position::Original => (
            subject.x as f32 + (sub_w - new_w as f32) / 2.0,
            subject.y as f32 + (sub_h - new_h as f32) / 2.0,
        ),
    };
    let x = (x.round().max(0.0) as u32).min(w - new_w);
    let y = (y.round().max(0.0) as u32).min(h - new_h);
    crop_to(
        part,
        Canvas {
            x: -i64::from(x),
            y: -i64::from(y),
            width: w,
            height: h,
        },
    )
}

#[cfg(test)]
mod tests;
