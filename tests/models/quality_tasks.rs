//! `safelight bench-quality` of the tasks that need more than a picture and its damage: colours,
//! faces, and what a picture shows.

use image::{ImageFormat, Rgb, RgbImage};

use super::{
    Folder,
    common::{
        onnx::{F32, Onnx},
        pictures,
    },
    quality::table,
    run,
    steps::{detector, mapping, slopes},
};

fn png(picture: RgbImage) -> Vec<u8> {
    pictures::encoded(picture, ImageFormat::Png)
}

/// The flags of a model of this name.
fn model(folder: &Folder, name: &str, file: &[u8]) -> String {
    let file = folder.write(&format!("{name}.onnx"), file);
    format!("--model={name}={file}")
}

/// The first row, from the damage on, of what `bench-quality` prints with these flags.
fn measured(flags: &[&str]) -> Vec<String> {
    let ran = run(&[["bench-quality", "--device=cpu"].as_slice(), flags].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    table(&ran.text()).remove(0).split_off(3)
}

fn figure(cell: &str) -> f64 {
    cell.parse().unwrap()
}

/// Says the same planes a and b of CIE Lab of every picture.
fn one_colour(a: f32, b: f32) -> Vec<u8> {
    Onnx::default()
        .input("image", F32, &[1, 3, 512, 512])
        .integers("starts", &[0])
        .integers("ends", &[2])
        .integers("channel", &[1])
        .node("Slice", &["image", "starts", "ends", "channel"], "two", &[])
        .floats("none", &[1, 1, 1, 1], &[0.0])
        .floats("colour", &[1, 2, 1, 1], &[a, b])
        .node("Mul", &["two", "none"], "empty", &[])
        .node("Add", &["empty", "colour"], "ab", &[])
        .output("ab", F32, &[1, 2, 512, 512])
        .file()
}

#[test]
fn colours_are_measured_against_those_that_were_taken_away() {
    let folder = Folder::new("models");
    let plain = RgbImage::from_pixel(150, 130, Rgb([200, 120, 60]));
    folder.write("pairs/a.png", &png(plain));
    let pairs = folder.path("pairs");
    let colours = |a, b| {
        let net = model(&folder, "ddcolor-tiny", &one_colour(a, b));
        measured(&[&net, "--pairs", &pairs])
    };
    // What (200, 120, 60) is in Lab. Grey of its luma, 137, is 63, 17 and 77 levels away: 12.82 dB.
    let right = colours(26.18, 45.19);
    assert_eq!(right[0], "grey");
    assert!((figure(&right[1]) - 12.82).abs() < 0.02, "{right:?}");
    assert!(figure(&right[2]) > 28.0, "{right:?}");
    let (found, truth) = (figure(&right[3]), figure(&right[4]));
    // 0.3 times the length of (200 - 120, (200 + 120) / 2 - 60).
    assert!((truth - 38.42).abs() < 0.01, "{right:?}");
    assert!((found - truth).abs() < 4.0, "{right:?}");
    let none = colours(0.0, 0.0);
    assert_eq!((&none[1], none[3].as_str()), (&right[1], "0.00"));
    assert!((figure(&none[2]) - 12.82).abs() < 0.5, "{none:?}");
}

#[test]
fn faces_are_measured_where_they_are() {
    let folder = Folder::new("models");
    let picture = slopes(640, 480);
    folder.write("pairs/a.png", &png(picture.clone()));
    let mut turned = picture;
    for pixel in turned.pixels_mut() {
        pixel[0] = 255 - pixel[0];
    }
    folder.write("turned/a.png", &png(turned));
    let (pairs, turned) = (folder.path("pairs"), folder.path("turned"));
    let painter = mapping(512, [-1.0, 1.0, 1.0], [0.0; 3]);
    let net = model(&folder, "restoreformer-plus-plus", &painter);
    let faces = |found| {
        let finder = model(&folder, "yunet", &detector(found));
        measured(&[&net, &finder, "--pairs", &pairs, "--degraded", &turned])
    };
    // Four fifths of the way back leave a fifth of the error: 20 log10(5) = 13.98 dB.
    let row = faces(true);
    assert_eq!(row[..2], ["turned", "1.00"]);
    let gain = figure(&row[3]) - figure(&row[2]);
    assert!((gain - 13.98).abs() < 0.3, "{row:?}");
    let row = faces(false);
    assert_eq!(row[1..4], ["0.00", "-", "-"], "nowhere is a face");
}

#[test]
fn a_detector_is_measured_by_the_boxes_of_its_faces() {
    let folder = Folder::new("models");
    folder.write("pairs/a.png", &png(slopes(640, 480)));
    let (pairs, masks) = (folder.path("pairs"), folder.path("masks"));
    let finder = model(&folder, "yunet", &detector(true));
    // Its box is e squared cells of 16 pixels wide and high, around (304, 224).
    for (left, score) in [(245, "1.0000"), (304, "0.5000"), (400, "0.0000")] {
        let inside = |x: u32, y: u32| (left..363).contains(&x) && (165..283).contains(&y);
        let mask = RgbImage::from_fn(640, 480, |x, y| {
            match inside(x, y) || (left == 400 && x < 9) {
                true => Rgb([255; 3]),
                false => Rgb([0; 3]),
            }
        });
        folder.write("masks/a.png", &png(mask));
        let row = measured(&[&finder, "--pairs", &pairs, "--masks", &masks]);
        assert_eq!(row[1..3], ["1.00", score], "{left}");
    }
    let ran = run(&["bench-quality", &finder, "--pairs", &pairs]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("--masks, white"), "{}", ran.stderr);
}

#[test]
fn a_kind_is_right_where_the_folder_is_named_after_it() {
    let folder = Folder::new("models");
    // As sure as can be that it is an animal.
    let animal = Onnx::default()
        .input("subject", F32, &[1, 4, 64, 64])
        .floats("likely", &[1, 4], &[0.0, 1.0, 0.0, 0.0])
        .node("Identity", &["likely"], "kind", &[])
        .output("kind", F32, &[1, 4])
        .file();
    let net = model(&folder, "sure", &animal);
    folder.write(
        "sure.toml",
        b"task = 'kind'\ninputs = ['subject']\nresize = 'stretch'\nsize = 64\npeak_mib = 1\n",
    );
    let subject = png(pictures::subject(320, 240));
    for (name, right) in [("animal", "1.0000"), ("person", "0.0000")] {
        folder.write(&format!("{name}/a.png"), &subject);
        let row = measured(&[&net, "--pairs", &folder.path(name)]);
        assert_eq!(row[1], right, "{name}");
    }
    folder.write("pets/a.png", &subject);
    let ran = run(&["bench-quality", &net, "--pairs", &folder.path("pets")]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let known = "person, animal, product, other";
    assert!(ran.stderr.contains(known), "{}", ran.stderr);
}
