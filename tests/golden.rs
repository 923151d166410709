//! Results of `transform` beside those of Pillow, for every fit, every filter and every other
//! option that Pillow has too. The tolerances stand in `golden.py`.

#![allow(clippy::disallowed_methods, reason = "tests read their own switches")]

mod common;

use std::{fs, path::PathBuf, process::Command};

use common::{Form, pictures, skip, spawn};
use image::{ImageFormat, Rgba, RgbaImage};

fn script(python: &PathBuf, argument: &str) -> common::Ran {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden.py");
    common::run(Command::new(python).args([script, argument]), b"")
}

#[test]
fn results_are_those_of_pillow_within_their_tolerance() {
    let name = "results_are_those_of_pillow_within_their_tolerance";
    let python = std::env::var_os("SAFELIGHT_TEST_PYTHON").map(PathBuf::from);
    let Some(python) = python.filter(|python| python.exists()) else {
        return skip(name, "Pillow");
    };
    let listed = script(&python, "--list");
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let cases: Vec<(String, String, String, bool)> = serde_json::from_str(&listed.text()).unwrap();
    assert!(cases.len() > 80);

    let mut photo = pictures::noisy(&pictures::patterned(160, 120), 12.0, 7);
    for sample in photo.iter_mut() {
        // Kernels that ring beyond black and white are cut off there after each direction, of which
        // Pillow begins with the other one.
        *sample = 70 + *sample / 2;
    }
    let clear = RgbaImage::from_fn(160, 120, |x, y| {
        let [r, g, b] = photo.get_pixel(x, y).0;
        // A soft edge, and colours below what is not seen at all.
        Rgba([
            r,
            g,
            b,
            (i64::from(x) * 4 - i64::from(y) * 2).clamp(0, 255) as u8,
        ])
    });
    let mark = RgbaImage::from_fn(27, 19, |x, y| Rgba([250, 240, 10, (x * 9 + y) as u8]));
    let inputs = [
        ("photo", pictures::encoded(photo, ImageFormat::Png)),
        ("clear", pictures::encoded(clear, ImageFormat::Png)),
        ("mark", pictures::encoded(mark, ImageFormat::Png)),
    ];
    let input = |name: &str| &inputs.iter().find(|(known, _)| *known == name).unwrap().1;
    let folder = common::folder("golden");
    for (name, bytes) in &inputs {
        fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }
    let server = spawn(&[]);
    for (name, picture, query, marked) in cases {
        let form = match marked {
            true => Form::of(input(&picture)).file("watermark_file", "mark", input("mark")),
            false => Form::of(input(&picture)),
        };
        let answer = server.form(&format!("/v1/transform?{query}"), form);
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 200, "{name}: {text}");
        fs::write(folder.join(format!("out-{name}.png")), answer.body).unwrap();
    }
    let compared = script(&python, folder.to_str().unwrap());
    let _ = fs::remove_dir_all(&folder);
    assert_eq!(
        compared.code,
        Some(0),
        "{}{}",
        compared.text(),
        compared.stderr
    );
    server.assert_books_balance();
}
