//! A watermark on a picture.

use crate::{
    frame::{Filter, Frame, Layout, blend, div255},
    ops::{compose::over, options::Spot},
};

/// The picture with the mark on it, once at its place or side by side everywhere. A mark that is
/// larger than the picture is made to fit.
pub fn mark(frame: Frame, mark: Frame, spot: Spot, opacity: f32) -> Frame {
    let mark = fitting(mark, frame.width(), frame.height()).with_alpha();
    let opacity = (opacity.clamp(0.0, 1.0) * 255.0).round() as u8;
    let mut frame = frame;
    match spot {
        Spot::At(gravity) => {
            let (x, y) = gravity.shares();
            let at = |room: u32, share: f64| (f64::from(room) * share) as u32;
            let place = (
                at(frame.width() - mark.width(), x),
                at(frame.height() - mark.height(), y),
            );
            put(&mut frame, &mark, place, opacity);
        }
        Spot::Tile => {
            for y in (0..frame.height()).step_by(mark.height() as usize) {
                for x in (0..frame.width()).step_by(mark.width() as usize) {
                    put(&mut frame, &mark, (x, y), opacity);
                }
            }
        }
    }
    frame
}

fn fitting(mark: Frame, width: u32, height: u32) -> Frame {
    let (w, h) = (f64::from(mark.width()), f64::from(mark.height()));
    let scale = (f64::from(width) / w).min(f64::from(height) / h);
    if scale >= 1.0 {
        return mark;
    }
    let side = |side: f64, most: u32| ((side * scale).round() as u32).clamp(1, most);
    mark.resized(side(w, width), side(h, height), Filter::Lanczos3)
}

/// Lays the mark over the picture from `(x, y)` on, as far as it reaches.
fn put(frame: &mut Frame, mark: &Frame, (x, y): (u32, u32), opacity: u8) {
    let columns = mark.width().min(frame.width() - x) as usize;
    let (layout, stride) = (frame.layout(), frame.stride());
    let n = layout.channels();
    for row in 0..mark.height().min(frame.height() - y) {
        let start = (y + row) as usize * stride + x as usize * n;
        let below = frame.data_mut()[start..start + columns * n].chunks_exact_mut(n);
        for (px, &[r, g, b, a]) in below.zip(mark.row(row).as_chunks::<4>().0) {
            let a = div255(u32::from(a) * u32::from(opacity));
            match (layout, px) {
                (Layout::Rgba, px) => {
                    let under = [px[0], px[1], px[2], px[3]];
                    px.copy_from_slice(&over([r, g, b, a], under));
                }
                (_, px) => {
                    for (v, top) in px.iter_mut().zip([r, g, b]) {
                        *v = blend(top, *v, a);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::options::Gravity;

    fn marked(spot: Spot, opacity: f32, size: u32) -> Frame {
        let ground = Frame::filled(11, 7, Layout::Rgb, [0; 4]);
        let stamp = Frame::filled(size, size, Layout::Rgb, [200, 100, 50, 0]);
        mark(ground, stamp, spot, opacity)
    }

    fn seen(frame: &Frame) -> Vec<(usize, usize)> {
        let pixels = frame.data().as_chunks::<3>().0;
        let at = |i: usize| (i % 11, i / 11);
        (0..77).filter(|i| pixels[*i] != [0; 3]).map(at).collect()
    }

    #[test]
    fn a_mark_lies_where_it_is_told_to() {
        for (gravity, first) in [
            (Gravity::Northwest, (0, 0)),
            (Gravity::Center, (4, 2)),
            (Gravity::Southeast, (9, 5)),
            (Gravity::West, (0, 2)),
        ] {
            let seen = seen(&marked(Spot::At(gravity), 1.0, 2));
            assert_eq!((seen.len(), seen[0]), (4, first), "{gravity:?}");
        }
        let tiled = marked(Spot::Tile, 1.0, 2);
        assert_eq!(seen(&tiled).len(), 77, "tiles are cut at the border");
        assert_eq!(marked(Spot::Tile, 0.5, 2).row(0)[..3], [100, 50, 25]);
    }

    #[test]
    fn a_mark_that_is_too_large_is_made_to_fit() {
        let seen = seen(&marked(Spot::At(Gravity::East), 1.0, 100));
        assert_eq!((seen.len(), seen[0]), (49, (4, 0)));
    }

    #[test]
    fn on_a_transparent_picture_only_the_mark_is_seen() {
        let clear = Frame::filled(4, 4, Layout::Rgba, [0; 4]);
        let stamp = Frame::filled(2, 2, Layout::Rgba, [9, 8, 7, 255]);
        let done = mark(clear, stamp, Spot::At(Gravity::Northwest), 1.0);
        assert_eq!(
            done.row(0),
            [9, 8, 7, 255, 9, 8, 7, 255, 0, 0, 0, 0, 0, 0, 0, 0]
        );
    }
}
