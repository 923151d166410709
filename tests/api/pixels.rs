//! What each option of background removal does, shown on the pixels that come out.

use image::{GrayImage, RgbImage, Rgba, RgbaImage};

use crate::{
    common::{Form, pictures, spawn},
    errors::CUT,
    options::{SIZE, ask, cut, picture, send},
};

/// Alpha from which a pixel counts as seen: 5 %, as for the crop.
const VISIBLE: u8 = 13;

/// The sum of all alpha in pixels.
fn area(picture: &RgbaImage) -> f64 {
    picture.pixels().map(|p| f64::from(p[3]) / 255.0).sum()
}

fn soft(picture: &RgbaImage) -> usize {
    picture
        .pixels()
        .filter(|p| (8..248).contains(&p[3]))
        .count()
}

/// Left, top, width and height of what is seen.
fn bounds(picture: &RgbaImage) -> [u32; 4] {
    let seen = || picture.enumerate_pixels().filter(|(.., p)| p[3] >= VISIBLE);
    let (left, top) = (
        seen().map(|p| p.0).min().unwrap(),
        seen().map(|p| p.1).min().unwrap(),
    );
    let (right, bottom) = (
        seen().map(|p| p.0).max().unwrap(),
        seen().map(|p| p.1).max().unwrap(),
    );
    [left, top, right - left + 1, bottom - top + 1]
}

fn near(a: u32, b: u32, most: u32) -> bool {
    a.abs_diff(b) <= most
}

#[test]
fn mask_and_both_answer_with_the_matte() {
    let server = spawn(&[]);
    let cutout = cut(&server, "");
    let mask = ask(&server, "output=mask");
    assert_eq!(mask.header("content-type"), Some("image/png"));
    let image::DynamicImage::ImageLuma8(mask) = mask.picture() else {
        panic!("a matte is grey");
    };
    let alpha = GrayImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        image::Luma([cutout.get_pixel(x, y)[3]])
    });
    assert!(mask == alpha, "the mask is the cutout's alpha");
    assert_eq!(
        (mask.get_pixel(160, 125)[0], mask.get_pixel(3, 3)[0]),
        (255, 0)
    );

    for (format, extension) in [("auto", "png"), ("jpeg", "jpg"), ("webp", "webp")] {
        let both = ask(&server, &format!("output=both&format={format}"));
        assert_eq!(both.header("content-type"), Some("application/zip"));
        let files = pictures::unzipped(&both.body);
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [&format!("color.{extension}"), "alpha.png"]);
        let color = pictures::decoded(&files[0].1);
        assert!(!color.color().has_alpha(), "the colours stand alone");
        assert_eq!((color.width(), color.height()), SIZE);
        assert!(
            pictures::decoded(&files[1].1).to_luma8() == mask,
            "{format}"
        );
    }
}

#[test]
fn a_background_is_a_colour_a_blur_or_a_picture() {
    let server = spawn(&[]);
    for (value, color) in [
        ("%23f00", [255, 0, 0, 255]),
        ("00ff00", [0, 255, 0, 255]),
        ("rebeccapurple", [0x66, 0x33, 0x99, 255]),
        ("%230000ff80", [0, 0, 255, 0x80]),
        ("none", [0; 4]),
    ] {
        let picture = cut(&server, &format!("background={value}"));
        assert_eq!(*picture.get_pixel(4, 4), Rgba(color), "{value}");
        assert_eq!(picture.get_pixel(160, 125)[3], 255, "{value}");
    }
    let opaque = ask(&server, "background=white").picture();
    assert!(
        !opaque.color().has_alpha(),
        "nothing is left to see through"
    );

    let source = pictures::patterned(SIZE.0, SIZE.1);
    let bytes = pictures::encoded(source.clone(), image::ImageFormat::Png);
    let contrast = |picture: &RgbImage| -> i64 {
        let steps = (0..240).flat_map(|y| (0..40).map(move |x| (x, y)));
        steps
            .map(|(x, y)| {
                let value = |x| i64::from(picture.get_pixel(x, y)[1]);
                (value(x) - value(x + 1)).abs()
            })
            .sum()
    };
    let blurred = |value: &str| {
        let answer = send(&server, &format!("background={value}"), &bytes).picture();
        assert!(!answer.color().has_alpha(), "{value}");
        answer.to_rgb8()
    };
    let (sharp, little, much) = (contrast(&source), blurred("blur:1"), blurred("blur"));
    assert!(contrast(&little) < sharp, "blur:1");
    assert!(contrast(&much) < contrast(&little), "blur");
    assert!(
        contrast(&much) * 5 < sharp,
        "blur: {} of {sharp}",
        contrast(&much)
    );
    let center = |p: &RgbImage| p.get_pixel(160, 125).0.map(i32::from);
    let moved: i32 = (0..3)
        .map(|c| (center(&much)[c] - center(&source)[c]).abs())
        .sum();
    assert!(moved < 12, "the subject stays sharp");

    // Three squares in a row: what covers the picture, centred, is the middle of them.
    let ground = RgbImage::from_fn(240, 60, |x, _| match x / 80 {
        0 => image::Rgb([255, 0, 0]),
        1 => image::Rgb([0, 255, 0]),
        _ => image::Rgb([0, 0, 255]),
    });
    let ground = pictures::encoded(ground, image::ImageFormat::Png);
    let form = Form::of(&picture()).file("background_file", "b.png", &ground);
    let answer = server.form(CUT, form).picture().to_rgba8();
    assert_eq!(answer.dimensions(), SIZE);
    for (x, y) in [(8, 8), (311, 8), (8, 231), (311, 231)] {
        assert_eq!(*answer.get_pixel(x, y), Rgba([0, 255, 0, 255]), "{x} {y}");
    }
    let without = Form::of(&picture()).file("background_file", "", b"");
    assert!(
        server.form(CUT, without).body == ask(&server, "").body,
        "an empty field is none"
    );
    server.assert_books_balance();
}

#[test]
fn crop_margin_scale_and_position_move_the_subject() {
    let server = spawn(&[]);
    let whole = cut(&server, "");
    let [left, top, width, height] = bounds(&whole);
    assert!(
        near(width, 158, 6) && near(height, 158, 6),
        "{width} {height}"
    );
    let cropped = cut(&server, "crop=true");
    let expected = image::imageops::crop_imm(&whole, left, top, width, height).to_image();
    assert!(cropped == expected, "the crop is the subject's box");
    let margin = |value: &str| cut(&server, &format!("crop=true&crop_margin={value}")).dimensions();
    assert_eq!(margin("10"), (width + 20, height + 20));
    assert_eq!(margin("5+10px"), (width + 20, height + 10));
    assert_eq!(margin("1,2,3,4"), (width + 6, height + 4));
    let tenth = margin("10%25");
    assert!(
        near(tenth.0, width * 12 / 10, 1) && near(tenth.1, height * 12 / 10, 1),
        "{tenth:?}"
    );

    let half = bounds(&cut(&server, "scale=50%25"));
    assert!(near(half[3], 120, 2), "half of the height: {half:?}");
    assert!(near(half[0] + half[2] / 2, 160, 2) && near(half[1] + half[3] / 2, 120, 2));
    for (value, x, y) in [
        ("0%25", 0, 0),
        ("100%25", 320 - width, 240 - height),
        ("0%25+100%25", 0, 240 - height),
        ("center", (320 - width) / 2, (240 - height) / 2),
    ] {
        let moved = bounds(&cut(&server, &format!("position={value}")));
        assert!(
            near(moved[0], x, 1) && near(moved[1], y, 1),
            "{value}: {moved:?}"
        );
        assert!(
            near(moved[2], width, 1) && near(moved[3], height, 1),
            "{value}: {moved:?}"
        );
    }
    let corner = bounds(&cut(&server, "scale=40%25&position=100%25+0%25"));
    assert!(
        near(corner[0] + corner[2], 320, 1) && corner[1] <= 1,
        "{corner:?}"
    );
}

#[test]
fn feather_shift_refine_and_threshold_shape_the_edge() {
    let server = spawn(&[]);
    let whole = cut(&server, "");
    let grown = area(&cut(&server, "shift=5")) / area(&whole);
    let shrunk = area(&cut(&server, "shift=-5")) / area(&whole);
    // (79 +- 5)^2 / 79^2, with room for an edge that is no circle.
    assert!((1.09..1.17).contains(&grown), "{grown}");
    assert!((0.83..0.91).contains(&shrunk), "{shrunk}");

    let feathered = cut(&server, "feather=10");
    assert!(
        soft(&feathered) > 2 * soft(&whole),
        "{} {}",
        soft(&feathered),
        soft(&whole)
    );
    assert_eq!(feathered.get_pixel(160, 125)[3], 255);

    let hard = cut(&server, "threshold=0.5");
    assert!(
        hard.pixels().all(|p| matches!(p[3], 0 | 255)),
        "no pixel in between"
    );
    assert!((0.95..1.05).contains(&(area(&hard) / area(&whole))));

    // On the rim the ground shows through, unless colours are estimated: it is bluer than the ball.
    let halo = |picture: &RgbaImage| -> f64 {
        let rim = picture.pixels().filter(|p| (60..200).contains(&p[3]));
        let blue: Vec<_> = rim.map(|p| f64::from(p[2]) - f64::from(p[0])).collect();
        blue.iter().sum::<f64>() / blue.len() as f64
    };
    let coarse = cut(&server, "refine=false");
    assert!(
        halo(&whole) + 10.0 < halo(&coarse),
        "{} {}",
        halo(&whole),
        halo(&coarse)
    );
    assert_eq!(coarse.get_pixel(160, 125)[3], 255);
}

#[test]
fn shadow_region_and_size_are_applied() {
    let server = spawn(&[]);
    let whole = cut(&server, "");
    let shaded = cut(&server, "shadow=drop");
    assert!(area(&shaded) > 1.02 * area(&whole));
    let [left, top, width, height] = bounds(&whole);
    let below = shaded.get_pixel(left + width / 2, top + height + 3);
    assert!(
        below[3] > 20 && below.0[..3] == [0; 3],
        "a dark veil below the ball: {below:?}"
    );

    let half = cut(&server, "roi=0,0,50%25,100%25");
    assert_eq!(half.dimensions(), SIZE);
    assert!(
        half.enumerate_pixels()
            .all(|(x, _, p)| x < 160 || p.0 == [0; 4])
    );
    assert!(
        half.get_pixel(120, 125)[3] > 200,
        "the half inside is there"
    );

    let small = ask(&server, "max_megapixels=0.0192");
    let (width, height) = (small.picture().width(), small.picture().height());
    assert_eq!(
        (width, height),
        (160, 120),
        "a quarter of the pixels, in proportion"
    );
    assert_eq!(small.header("x-image-width"), Some("160"));
    assert_eq!(small.header("x-image-height"), Some("120"));
    let size = ask(&server, "max_megapixels=5").picture();
    assert_eq!((size.width(), size.height()), SIZE, "nothing is scaled up");
}

#[test]
fn nothing_found_is_a_transparent_picture_without_confidence() {
    let server = spawn(&[]);
    let plain = pictures::encoded(pictures::plain(320, 240), image::ImageFormat::Png);
    for query in ["", "on_empty=transparent"] {
        let answer = send(&server, query, &plain);
        assert_eq!(answer.header("x-mask-confidence"), Some("0.000"));
        let picture = answer.picture().to_rgba8();
        assert_eq!(picture.dimensions(), SIZE);
        assert!(picture.pixels().all(|p| p.0 == [0; 4]), "nothing is seen");
    }
    let found = send(&server, "on_empty=error", &picture());
    assert_ne!(found.header("x-mask-confidence"), Some("0.000"));
}
