use super::*;
use crate::{frame::Layout, ops::options::Options};

const LIMITS: Limits = Limits {
    max_pixels: 1_000_000,
    max_side: 4000,
};

fn options(pairs: &[(&str, &str)]) -> Transform {
    let mut options = Transform::default();
    for (name, value) in pairs {
        assert_eq!(options.set(name, value), Ok(true), "{name}={value}");
    }
    options
}

fn picture(width: u32, height: u32, layout: Layout) -> Frame {
    let n = layout.channels() as u32;
    let data = (0..width * height * n).map(|i| (i * 37 % 251) as u8);
    Frame::new(width, height, layout, data.collect())
}

/// What [`apply`] does, without a model.
fn done(frame: Frame, options: &Transform) -> Frame {
    let frame = turn(frame, options).unwrap();
    let size = (frame.width(), frame.height());
    let frame = match fit::fitted(size, options, options.gravity.shares()) {
        Some(fitted) => resize(frame, &fitted, options),
        None => frame,
    };
    finish(frame, options, None)
}

/// A reproducible stream of choices.
struct Dice(u32);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % n
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

#[test]
fn any_combination_of_options_gives_the_size_that_was_foretold() {
    let mut dice = Dice(1);
    let fits = ["inside", "contain", "cover", "fill", "outside"];
    let sides = ["", "", "1", "7", "50", "333"];
    for round in 0..4000 {
        let pairs = [
            ("crop", dice.of(&["", "", "0,0,1,1", "10%,0,50%,100%"])),
            ("rotate", dice.of(&["0", "90", "180", "270"])),
            ("flip", dice.of(&["none", "h", "v"])),
            ("width", dice.of(&sides)),
            ("height", dice.of(&sides)),
            ("fit", dice.of(&fits)),
            (
                "gravity",
                dice.of(&["center", "northwest", "east", "south"]),
            ),
            ("enlarge", dice.of(&["true", "false"])),
            (
                "filter",
                dice.of(&["nearest", "box", "bilinear", "bicubic", "lanczos3"]),
            ),
            ("grayscale", dice.of(&["true", "false"])),
            ("blur", dice.of(&["0", "0.3", "40"])),
            ("sharpen", dice.of(&["0", "1.5"])),
            ("radius", dice.of(&["", "0", "3", "50%", "60000"])),
            ("pad", dice.of(&["0", "3", "0 10%", "1,2,3,4"])),
            ("background", dice.of(&["", "red", "#00ff0080"])),
            ("flatten", dice.of(&["true", "false"])),
        ];
        let options = options(&pairs);
        let (w, h) = (1 + dice.below(40) as u32, 1 + dice.below(40) as u32);
        let layout = [Layout::Rgb, Layout::Rgba][dice.below(2)];
        let frame = picture(w, h, layout);
        match outline(&options, Shape::of(&frame), &LIMITS) {
            Ok((peak, foretold)) => {
                let done = done(frame, &options);
                assert_eq!(Shape::of(&done).size, foretold.size, "{round}: {pairs:?}");
                let alpha = done.layout() == Layout::Rgba;
                assert!(foretold.alpha || !alpha, "{round}: {pairs:?}");
                assert!(peak >= foretold.bytes());
            }
            Err(Error::ResultTooLarge { .. } | Error::RoiOutside { .. }) => {}
            Err(error) => panic!("{error}: {pairs:?}"),
        }
    }
}

#[test]
fn without_options_nothing_changes_and_a_second_fit_changes_nothing() {
    for layout in [Layout::Rgb, Layout::Rgba] {
        let frame = picture(31, 17, layout);
        assert!(done(frame.clone(), &Transform::default()) == frame);
        for fit in ["inside", "contain", "cover", "fill", "outside"] {
            let options = options(&[("width", "20"), ("height", "12"), ("fit", fit)]);
            let once = done(frame.clone(), &options);
            let twice = done(once.clone(), &options);
            // `outside` gives a side of its own, which the next one shrinks no further.
            assert!(once == twice, "{fit}");
        }
        let turned = done(frame.clone(), &options(&[("rotate", "90")]));
        let back = done(turned, &options(&[("rotate", "270")]));
        assert!(back == frame);
    }
}

#[test]
fn shrinking_a_cutout_leaves_no_dark_fringe() {
    // A white disc on transparent black, as many programs write it.
    let inside = |i: u32| {
        let (x, y) = ((i % 200) as f32 - 99.5, (i / 200) as f32 - 99.5);
        x.hypot(y) < 70.0
    };
    let data = (0..200 * 200).flat_map(|i| if inside(i) { [255; 4] } else { [0; 4] });
    let frame = Frame::new(200, 200, Layout::Rgba, data.collect());
    for filter in ["box", "bilinear", "bicubic", "lanczos3"] {
        let options = options(&[("width", "37"), ("filter", filter), ("blur", "0.7")]);
        let small = done(frame.clone(), &options);
        let mut soft = 0;
        for &[r, g, b, a] in small.data().as_chunks::<4>().0 {
            soft += usize::from((20..236).contains(&a));
            let off = 2 + 255 / u16::from(a.max(1));
            let white = [r, g, b].iter().all(|v| u16::from(255 - v) <= off);
            assert!(a < 8 || white, "{filter}: {r} {g} {b} {a}");
        }
        assert!(soft > 30, "{filter}: there is an edge");
        let flat = done(small, &self::options(&[("flatten", "true")]));
        let darkest = flat.data().iter().min();
        assert!(
            darkest >= Some(&252),
            "{filter}: on white it is gone, but for {darkest:?}"
        );
    }
}

#[test]
fn conflicting_options_are_refused_in_words() {
    for (pairs, word) in [
        (&[("fit", "cover"), ("width", "5")][..], "`height`"),
        (&[("gravity", "north")], "`gravity`"),
        (
            &[
                ("gravity", "smart"),
                ("width", "5"),
                ("height", "5"),
                ("fit", "contain"),
            ],
            "smart",
        ),
        (
            &[("flatten", "true"), ("background", "#12345678")],
            "opaque",
        ),
    ] {
        match check(&options(pairs)) {
            Err(Error::OptionsConflict(why)) => assert!(why.contains(word), "{why}"),
            other => panic!("{pairs:?}: {other:?}"),
        }
    }
    assert_eq!(check(&Transform::default()), Ok(()));
    assert!(check_unmarked(&options(&[("watermark_position", "tile")])).is_err());
    assert_eq!(check_unmarked(&Transform::default()), Ok(()));
}

#[test]
fn results_above_the_limits_are_refused_before_they_are_made() {
    let shape = Shape::of(&picture(40, 30, Layout::Rgb));
    let too_large = |pairs: &[(&str, &str)]| outline(&options(pairs), shape, &LIMITS).is_err();
    assert!(too_large(&[("width", "4001"), ("enlarge", "true")]));
    assert!(
        too_large(&[("width", "2000"), ("enlarge", "true")]),
        "1.5 megapixels less one"
    );
    assert!(!too_large(&[("width", "1100"), ("enlarge", "true")]));
    assert!(!too_large(&[("width", "4001")]), "it does not grow");
    assert!(too_large(&[("pad", "60000 0")]));
    let contain = [("width", "3000"), ("height", "3000"), ("fit", "contain")];
    assert!(too_large(&contain), "the canvas counts too");
}

#[test]
fn a_shrinking_resize_says_from_which_size_on_it_may_be_decoded() {
    let of = |pairs: &[(&str, &str)]| {
        sampled(&options(pairs), (4000, 3000)).map(|s| (s.least.0, s.least.1, s.turned))
    };
    assert_eq!(of(&[("width", "1000")]), Some((1000, 750, false)));
    assert_eq!(
        of(&[("width", "1000"), ("rotate", "90")]),
        Some((1333, 1000, true))
    );
    let square = [("width", "600"), ("height", "600"), ("fit", "cover")];
    assert_eq!(of(&square), Some((800, 600, false)));
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[("width", "1000"), ("crop", "0,0,50%,50%")]), None);
}

#[test]
fn the_window_of_a_smart_crop_holds_the_subject() {
    let mut weights = vec![0; 100];
    weights[70..80].fill(255);
    // 30 of 100: every start from 50 to 70 holds all; the middle one is taken.
    assert_eq!(share(&weights, 0.3), 60.0 / 70.0);
    assert_eq!(share(&weights, 1.0), 0.5);
    assert_eq!(share(&[0; 10], 0.5), 0.5);
    weights[0..40].fill(255);
    assert!(
        share(&weights, 0.3) <= 10.0 / 70.0,
        "the heavier one counts"
    );
}
