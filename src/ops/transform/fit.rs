//! From the size of a picture and the options to the size of the result: which part is sampled,
//! how large it becomes, on which canvas it lies. Numbers only; no pixel is touched.

use crate::ops::{
    geometry::Canvas,
    options::{Fit, Transform},
};

/// How a picture is brought to another size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fitted {
    /// The part that is sampled: left, top, width, height, in pixels and fractions of them.
    pub part: [f64; 4],
    /// The size that it gets.
    pub size: (u32, u32),
    /// What of that, and of the room around it, is shown; `None`: exactly that.
    pub canvas: Option<Canvas>,
}

impl Fitted {
    /// The same for a picture that was decoded at a fraction of its size.
    pub fn of(self, fraction: f64) -> Self {
        Self {
            part: self.part.map(|side| side * fraction),
            ..self
        }
    }
}

/// How a picture of `size` is brought to the sides that are asked for; `None` where none is.
/// `shares` says how the room that is left over, or what is cut off, is divided: 0 is all of it at
/// the right or the lower end, 1 all at the left or the upper one.
pub fn fitted(
    size: (u32, u32),
    options: &Transform,
    (share_x, share_y): (f64, f64),
) -> Option<Fitted> {
    let width = options.width.map(|width| f64::from(width.0));
    let height = options.height.map(|height| f64::from(height.0));
    let (w, h) = (f64::from(size.0), f64::from(size.1));
    let both = match (width, height) {
        (None, None) => return None,
        (Some(width), Some(height)) => Some((width, height)),
        _ => None,
    };
    let most = if options.enlarge { f64::INFINITY } else { 1.0 };
    let (x, y) = match (width.map(|to| to / w), height.map(|to| to / h)) {
        (Some(x), Some(y)) => match options.fit {
            Fit::Inside | Fit::Contain => (x.min(y), x.min(y)),
            Fit::Cover | Fit::Outside => (x.max(y), x.max(y)),
            Fit::Fill => (x, y),
        },
        (Some(only), _) | (_, Some(only)) => (only, only),
        (None, None) => (1.0, 1.0),
    };
    let (x, y) = (x.min(most), y.min(most));
    // A cast from float to integer saturates; what is too large is refused later.
    let near = |side: f64, scale: f64| ((side * scale).round() as u32).max(1);
    let scaled = (near(w, x), near(h, y));
    let whole = [0.0, 0.0, w, h];
    let plain = Fitted {
        part: whole,
        size: scaled,
        canvas: None,
    };
    Some(match (options.fit, both) {
        (Fit::Cover, Some((width, height))) => {
            let size = (scaled.0.min(width as u32), scaled.1.min(height as u32));
            // A side that is not cut is sampled whole, whatever was rounded on the way.
            let kept = |out: u32, scaled: u32, side: f64, scale: f64| match out == scaled {
                true => side,
                false => (f64::from(out) / scale).min(side),
            };
            let part_w = kept(size.0, scaled.0, w, x);
            let part_h = kept(size.1, scaled.1, h, y);
            Fitted {
                part: [
                    (w - part_w) * share_x,
                    (h - part_h) * share_y,
                    part_w,
                    part_h,
                ],
                size,
                canvas: None,
            }
        }
        (Fit::Contain, Some((width, height))) => {
            let before =
                |to: f64, scaled: u32, share: f64| ((to - f64::from(scaled)) * share) as i64;
            Fitted {
                canvas: Some(Canvas {
                    x: -before(width, scaled.0, share_x),
                    y: -before(height, scaled.1, share_y),
                    width: width as u32,
                    height: height as u32,
                }),
                ..plain
            }
        }
        _ => plain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::options::Options;

    fn of(size: (u32, u32), options: &[(&str, &str)]) -> Fitted {
        let mut transform = Transform::default();
        for (name, value) in options {
            assert_eq!(transform.set(name, value), Ok(true), "{name}");
        }
        fitted(size, &transform, transform.gravity.shares()).unwrap()
    }

    /// Size of the result for 400 x 300 into 200 x 200, for each fit; sharp answers the same.
    #[test]
    fn every_fit_has_the_size_that_sharp_gives_it() {
        for (fit, scaled, shown) in [
            ("inside", (200, 150), None),
            ("contain", (200, 150), Some((200, 200))),
            ("cover", (200, 200), None),
            ("fill", (200, 200), None),
            ("outside", (267, 200), None),
        ] {
            let fitted = of(
                (400, 300),
                &[("width", "200"), ("height", "200"), ("fit", fit)],
            );
            let canvas = fitted.canvas.map(|canvas| (canvas.width, canvas.height));
            assert_eq!((fitted.size, canvas), (scaled, shown), "{fit}");
        }
    }

    #[test]
    fn nothing_grows_unless_it_may() {
        for (fit, kept, grown) in [
            ("inside", (100, 50), (200, 100)),
            ("contain", (100, 50), (200, 100)),
            ("cover", (100, 50), (200, 300)),
            ("fill", (100, 50), (200, 300)),
            ("outside", (100, 50), (600, 300)),
        ] {
            let size = [("width", "200"), ("height", "300"), ("fit", fit)];
            assert_eq!(of((100, 50), &size).size, kept, "{fit}");
            let enlarged = [&size[..], &[("enlarge", "true")]].concat();
            assert_eq!(of((100, 50), &enlarged).size, grown, "{fit}");
        }
        // One side is long enough: what is too much is cut, what is too short stays.
        let cover = [("width", "40"), ("height", "80"), ("fit", "cover")];
        assert_eq!(of((100, 50), &cover).size, (40, 50));
    }

    #[test]
    fn one_side_keeps_the_proportion_and_no_side_becomes_nothing() {
        assert_eq!(of((400, 300), &[("width", "100")]).size, (100, 75));
        assert_eq!(of((400, 300), &[("height", "100")]).size, (133, 100));
        assert_eq!(of((9000, 3), &[("width", "10")]).size, (10, 1));
    }

    #[test]
    fn gravity_says_what_cover_keeps_and_where_contain_puts_it() {
        for (gravity, left) in [("west", 0.0), ("center", 50.0), ("east", 100.0)] {
            let square = [("width", "150"), ("height", "150"), ("gravity", gravity)];
            let cover = of((400, 300), &[&square[..], &[("fit", "cover")]].concat());
            assert_eq!(cover.part, [left, 0.0, 300.0, 300.0]);
        }
        for (gravity, x, y) in [
            ("northwest", 0, 0),
            ("center", 0, -25),
            ("southeast", 0, -50),
        ] {
            let square = [("width", "200"), ("height", "200"), ("gravity", gravity)];
            let contain = of((400, 300), &[&square[..], &[("fit", "contain")]].concat());
            let canvas = contain.canvas.unwrap();
            assert_eq!((canvas.x, canvas.y), (x, y), "{gravity}");
        }
    }
}
