//! Every option of restore and enhance, as parameter and as form field.

use image::{ImageFormat, Rgb, RgbImage};
use safelight::ops::options::{Enhance, Options, Output, Restore, Spec};

use crate::common::{Form, pictures, spawn};

/// Each option with a value and whether the pixels or the file differ from those without it. The
/// text before it is the query that it is tried with.
type Case = (&'static str, &'static str, &'static str, bool);

const RESTORE: &[Case] = &[
    ("", "steps", "denoise,dejpeg", true),
    ("steps=denoise", "strength", "0.4", true),
    ("steps=denoise", "scale", "2", true),
    ("steps=fade", "sepia", "remove", true),
    // It is told in a header.
    ("steps=fade", "report", "true", false),
    ("steps=denoise", "model", "restore", false),
];

const ENHANCE: &[Case] = &[
    ("", "tone", "none", true),
    ("", "white_balance", "none", true),
    ("", "sharpen", "0.2", true),
    ("", "denoise", "0.9", true),
    ("", "scale", "2", true),
    ("", "strength", "0.3", true),
];

const OUTPUT: &[Case] = &[
    ("", "format", "webp", true),
    ("format=jpeg", "quality", "30", true),
    ("format=webp", "lossless", "true", true),
    ("", "compression", "small", true),
    ("format=jpeg", "progressive", "true", true),
    ("format=jpeg", "subsampling", "4:4:4", true),
];

fn listed(cases: &[Case], specs: &[Spec]) {
    let mut listed: Vec<_> = cases.iter().map(|(_, name, ..)| *name).collect();
    let mut known: Vec<_> = specs.iter().map(|spec| spec.name).collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known, "every option has its line here");
}

#[test]
fn every_option_of_photographs_works_alike_as_parameter_and_as_field() {
    listed(RESTORE, Restore::SPECS);
    listed(ENHANCE, Enhance::SPECS);
    listed(OUTPUT, Output::SPECS);
    let server = spawn(&[]);
    // A little noisy; brown and faded for the one, dim and in warm light for the other, so that
    // each option has something to do.
    let mut brown = pictures::noisy(&pictures::subject(160, 120), 4.0, 3);
    for pixel in brown.pixels_mut() {
        let light = (u32::from(pixel[0]) + 2 * u32::from(pixel[1]) + u32::from(pixel[2])) / 4;
        pixel.0 = [70 + light * 11 / 20, 55 + light / 2, 35 + light * 9 / 20].map(|v| v as u8);
    }
    let dim = RgbImage::from_fn(160, 120, |x, y| {
        let bars = if (x / 20 + y / 20) % 2 == 0 { 25 } else { 0 };
        Rgb([20 + x / 2 + bars, 20 + x / 2 + bars, 15 + y / 2 + bars].map(|v| v as u8))
    });
    let dim = pictures::noisy(&dim, 4.0, 5);
    for (route, own, picture) in [
        ("/v1/restore", RESTORE, brown),
        ("/v1/enhance", ENHANCE, dim),
    ] {
        let picture = pictures::encoded(picture, ImageFormat::Png);
        for (base, name, value, changes) in own.iter().chain(OUTPUT) {
            let base = format!("{route}?{base}");
            let without = server.post(&base, "image/png", &picture);
            let with = server.post(&format!("{base}&{name}={value}"), "image/png", &picture);
            let form = Form::of(&picture).text(name, value);
            let field = server.form(&base, form);
            for answer in [&without, &with, &field] {
                assert_eq!(answer.status, 200, "{base} {name}={value}");
            }
            assert!(
                with.body == field.body,
                "{name}: parameter and field differ"
            );
            assert_eq!(with.body != without.body, *changes, "{base} {name}={value}");
            let reported = with.header("x-restoration-report").is_some();
            assert_eq!(reported, *name == "report", "{name}");
        }
    }
    server.assert_books_balance();
}
