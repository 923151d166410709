//! Restoration steps whose models come from the catalogue, with stand-ins that do something which
//! can be told from afar: the step runs, in its place, and changes the right pixels.

use image::{ImageFormat, Rgb, RgbImage, Rgba, RgbaImage, imageops};

use super::{
    Folder,
    common::{
        self, Answer, Form, Server,
        onnx::{ANY, F32, Onnx},
        pictures,
    },
};

/// A server with these models, each a name and a file.
fn serve(folder: &Folder, models: &[(&str, Vec<u8>)]) -> Server {
    let mut flags = vec!["--workers=2".to_owned(), "--memory-budget=12GiB".to_owned()];
    for (name, file) in models {
        let file = folder.write(&format!("{name}.onnx"), file);
        flags.push(format!("--model={name}={file}"));
    }
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    common::spawn(&flags)
}

fn restored(server: &Server, query: &str, picture: &[u8]) -> Answer {
    let path = format!("/v1/restore?format=png&{query}");
    let answer = server.post(&path, "image/png", picture);
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{query}: {text}");
    answer
}

fn png(picture: impl Into<image::DynamicImage>) -> Vec<u8> {
    pictures::encoded(picture, ImageFormat::Png)
}

/// A net that maps each value `v` of a channel to `scale * v + shift`.
pub(super) fn mapping(side: i64, scale: [f32; 3], shift: [f32; 3]) -> Vec<u8> {
    let shape = [1, 3, side, side];
    Onnx::default()
        .input("image", F32, &shape)
        .floats("scale", &[1, 3, 1, 1], &scale)
        .floats("shift", &[1, 3, 1, 1], &shift)
        .node("Mul", &["image", "scale"], "scaled", &[])
        .node("Add", &["scaled", "shift"], "mapped", &[])
        .output("mapped", F32, &shape)
        .file()
}

/// Slopes of three colours, with no noise, block or fading in them.
pub(super) fn slopes(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (255 * x / (width - 1), 255 * y / (height - 1));
        Rgb([u as u8, v as u8, ((2 * u + v) / 3) as u8])
    })
}

fn near(a: &[u8], b: &[u8], by: u8) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= by)
}

/// Luminance of sRGB (IEC 61966-2-1), 0 to 1.
fn luminance(pixel: &[u8]) -> f64 {
    let light = |v: u8| match f64::from(v) / 255.0 {
        v if v <= 0.040_45 => v / 12.92,
        v => ((v + 0.055) / 1.055).powf(2.4),
    };
    0.2126 * light(pixel[0]) + 0.7152 * light(pixel[1]) + 0.0722 * light(pixel[2])
}

/// DDColor's contract: grey in, the planes a and b of CIE Lab out. These grow with the grey.
fn colorist() -> Vec<u8> {
    Onnx::default()
        .input("image", F32, &[1, 3, 512, 512])
        .integers("starts", &[0])
        .integers("ends", &[1])
        .integers("channel", &[1])
        .node(
            "Slice",
            &["image", "starts", "ends", "channel"],
            "grey",
            &[],
        )
        .floats("most", &[1, 2, 1, 1], &[50.0, 25.0])
        .node("Mul", &["grey", "most"], "ab", &[])
        .output("ab", F32, &[1, 2, 512, 512])
        .file()
}

#[test]
fn colours_are_laid_on_the_lightness_and_the_detail_of_the_picture() {
    let folder = Folder::new("models");
    let server = serve(&folder, &[("ddcolor-tiny", colorist())]);
    // Fine stripes on a slope, far beyond what a plane of 512 could hold; a part is transparent.
    let grey = RgbaImage::from_fn(1200, 90, |x, _| {
        let v = (20 + x / 8 + 12 * (x / 2 % 2)) as u8;
        Rgba([v, v, v, if x < 1100 { 255 } else { 90 }])
    });
    let answer = restored(&server, "steps=colorize&report=true", &png(grey.clone()));
    assert_eq!(answer.header("x-model"), Some("ddcolor-tiny"));
    assert_eq!(answer.header("x-model-license"), Some("Apache-2.0"));
    let timing = answer.header("server-timing").unwrap();
    assert!(timing.contains("colorize;dur="), "{timing}");
    let colored = answer.picture().to_rgba8();
    for (before, after) in grey.pixels().zip(colored.pixels()) {
        let (dim, now) = (luminance(&before.0), luminance(&after.0));
        assert!((dim - now).abs() < 0.012, "{before:?} became {after:?}");
        assert_eq!(before[3], after[3]);
    }
    let apart = |x: u32| {
        let p = colored.get_pixel(x, 40);
        i32::from(p[0]) - i32::from(p[2])
    };
    assert!(
        apart(40) > 5 && apart(500) > apart(40) + 10,
        "the net saw the grey: {} {}",
        apart(40),
        apart(500)
    );
    let half = restored(&server, "steps=colorize&strength=0.5", &png(grey.clone()));
    let half = half.picture().to_rgba8();
    let (old, new, mixed) = (
        grey.get_pixel(600, 9)[0],
        colored.get_pixel(600, 9)[0],
        half.get_pixel(600, 9)[0],
    );
    assert!(mixed > old && mixed < new, "{old} {mixed} {new}");
    // Nobody has asked for colours here.
    let plain = restored(&server, "steps=fade,contrast", &png(grey.clone()));
    let auto = restored(&server, "", &png(grey));
    for answer in [plain, auto] {
        assert!(answer.picture().to_rgba8().pixels().all(|p| p[0] == p[2]));
        assert_ne!(answer.header("x-model"), Some("ddcolor-tiny"));
    }
    server.assert_books_balance();
}

/// The square of the picture in which the face lies as the face models want it, and YuNet's
/// contract with that face, or with none.
const FACE: (f32, f32, f32) = (210.0, 130.0, 190.0);

pub(super) fn detector(found: bool) -> Vec<u8> {
    // The template of FFHQ.
    const POINTS: [(f32, f32); 5] = [
        (0.3769, 0.4686),
        (0.6229, 0.4691),
        (0.5012, 0.6133),
        (0.3931, 0.7254),
        (0.6115, 0.7249),
    ];
    let (column, row) = (19.0, 14.0);
    let mut file = Onnx::default().input("image", F32, &[1, 3, 640, 640]);
    for (kind, width) in [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)] {
        for (stride, cells) in [(8, 6400), (16, 1600), (32, 400)] {
            let mut values = vec![0.0f32; cells * width];
            if found && stride == 16 {
                let cell = &mut values[(14 * 40 + 19) * width..][..width];
                match kind {
                    "cls" | "obj" => cell[0] = 0.95,
                    "bbox" => cell.copy_from_slice(&[0.0, 0.0, 2.0, 2.0]),
                    _ => {
                        let (x, y, side) = FACE;
                        for (place, (u, v)) in cell.chunks_mut(2).zip(POINTS) {
                            place[0] = (x + u * side) / 16.0 - column;
                            place[1] = (y + v * side) / 16.0 - row;
                        }
                    }
                }
            }
            let (name, shape) = (format!("{kind}_{stride}"), [1, cells as i64, width as i64]);
            let constant = format!("{name}_values");
            file = file
                .floats(&constant, &shape, &values)
                .node("Identity", &[&constant], &name, &[])
                .output(&name, F32, &shape);
        }
    }
    file.file()
}

#[test]
fn faces_are_pasted_back_where_the_detector_says_and_nothing_else_changes() {
    let folder = Folder::new("models");
    // Red is turned over: its values are -1 to 1.
    let painter = mapping(512, [-1.0, 1.0, 1.0], [0.0; 3]);
    let models = [
        ("yunet", detector(true)),
        ("restoreformer-plus-plus", painter.clone()),
    ];
    let server = serve(&folder, &models);
    let picture = slopes(640, 480);
    let answer = restored(&server, "steps=faces&report=true", &png(picture.clone()));
    assert_eq!(
        answer.header("x-model"),
        Some("yunet, restoreformer-plus-plus")
    );
    let report = answer.header("x-restoration-report").unwrap();
    assert!(report.contains("\"faces\":1"), "{report}");
    let out = answer.picture().to_rgb8();
    let (x, y, side) = FACE;
    let (mut inside, mut outside) = (0, 0);
    for (px, py, before) in picture.enumerate_pixels() {
        let after = out.get_pixel(px, py);
        // How deep it lies in the square.
        let (fx, fy) = (px as f32 - x, py as f32 - y);
        let depth = fx.min(fy).min(side - fx).min(side - fy) / side;
        if depth < -0.01 {
            assert_eq!(before, after, "{px}, {py}");
            outside += 1;
        } else if depth > 0.17 {
            // Four fifths of what the model says.
            let red = 0.2 * f32::from(before[0]) + 0.8 * (255.0 - f32::from(before[0]));
            let expected = [red.round() as u8, before[1], before[2]];
            assert!(
                near(&after.0, &expected, 3),
                "{px}, {py}: {before:?} {after:?}"
            );
            inside += 1;
        }
    }
    assert!(inside > 10_000 && outside > 200_000, "{inside} {outside}");

    let grey = imageops::grayscale(&picture);
    let answer = restored(&server, "steps=faces", &png(grey.clone()));
    let out = answer.picture().to_rgb8();
    assert!(
        out.pixels().all(|p| p[0] == p[1] && p[1] == p[2]),
        "monochrome stays monochrome"
    );
    assert_ne!(out.get_pixel(300, 220)[0], grey.get_pixel(300, 220)[0]);
    server.assert_books_balance();

    // Where there are no faces nothing runs but the detector.
    let models = [
        ("yunet", detector(false)),
        ("restoreformer-plus-plus", painter),
    ];
    let server = serve(&folder, &models);
    let answer = restored(&server, "steps=faces&report=true", &png(picture.clone()));
    assert!(answer.picture().to_rgb8() == picture);
    assert_eq!(answer.header("x-model"), None);
    let report = answer.header("x-restoration-report").unwrap();
    assert!(report.contains("\"faces\":0"), "{report}");
    server.assert_books_balance();
}

#[test]
fn a_model_for_blur_takes_the_place_of_our_own_way() {
    let folder = Folder::new("models");
    let server = serve(
        &folder,
        &[("nafnet-gopro", mapping(ANY, [-1.0; 3], [1.0; 3]))],
    );
    // Larger than a tile of 256 in both directions.
    let picture = slopes(700, 400);
    let answer = restored(&server, "steps=deblur", &png(picture.clone()));
    assert_eq!(answer.header("x-model"), Some("nafnet-gopro"));
    assert_eq!(answer.header("x-model-license"), Some("MIT"));
    let out = answer.picture().to_rgb8();
    for (before, after) in picture.pixels().zip(out.pixels()) {
        assert!(near(&before.0.map(|v| 255 - v), &after.0, 1));
    }
    // `auto` takes it too, where the picture is blurred.
    let soft = imageops::blur(&pictures::subject(400, 300), 2.5);
    let answer = restored(&server, "", &png(soft));
    assert_eq!(answer.header("x-model"), Some("nafnet-gopro"));
    let sharp = restored(&server, "", &png(pictures::subject(400, 300)));
    assert_eq!(sharp.header("x-model"), None);
    server.assert_books_balance();
}

/// Each pixel `factor` times in both directions.
fn repeater(factor: i64) -> Vec<u8> {
    Onnx::default()
        .input("image", F32, &[1, 3, ANY, ANY])
        .repeated("image", factor, "large")
        .output("large", F32, &[1, 3, ANY, ANY])
        .file()
}

#[test]
fn a_model_for_size_is_the_one_that_is_named() {
    let folder = Folder::new("models");
    let models = [
        ("realesr-general-x4v3", repeater(4)),
        ("realesrgan-x2plus", repeater(2)),
    ];
    let server = serve(&folder, &models);
    let picture = slopes(300, 210);
    let bytes = png(picture.clone());
    for (times, model) in [(2, "realesrgan-x2plus"), (4, "realesr-general-x4v3")] {
        for query in [
            "restore?steps=upscale&",
            "restore?strength=0&",
            "enhance?strength=0&",
        ] {
            let path = format!("/v1/{query}format=png&scale={times}");
            let answer = server.post(&path, "image/png", &bytes);
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("x-model"), Some(model), "{path}");
            let out = answer.picture().to_rgb8();
            assert_eq!(out.dimensions(), (300 * times, 210 * times), "{path}");
            for (x, y, pixel) in out.enumerate_pixels() {
                assert_eq!(pixel, picture.get_pixel(x / times, y / times), "{x}, {y}");
            }
        }
    }
    server.assert_books_balance();
}

#[test]
fn a_model_for_noise_is_named_in_the_request_and_one_for_holes_at_the_start() {
    let folder = Folder::new("models");
    // LaMa's contract: a picture whose holes are black, and a mask; pixels come out.
    let holes = Onnx::default()
        .input("image", F32, &[1, 3, 512, 512])
        .input("mask", F32, &[1, 1, 512, 512])
        .floats("white", &[1, 3, 1, 1], &[255.0, 128.0, 0.0])
        .node("Mul", &["mask", "white"], "painted", &[])
        .node("Add", &["image", "painted"], "whole", &[])
        .output("whole", F32, &[1, 3, 512, 512])
        .file();
    let models = [
        ("scunet-psnr", mapping(ANY, [-1.0; 3], [1.0; 3])),
        ("lama", holes),
    ];
    let server = serve(&folder, &models);
    let picture = slopes(640, 480);
    let answer = restored(
        &server,
        "steps=dejpeg&model=scunet-psnr",
        &png(picture.clone()),
    );
    assert_eq!(answer.header("x-model"), Some("scunet-psnr"));
    let out = answer.picture().to_rgb8();
    for (before, after) in picture.pixels().zip(out.pixels()) {
        assert!(near(&before.0.map(|v| 255 - v), &after.0, 1));
    }
    let wrong = server.post("/v1/restore?model=lama", "image/png", &png(picture.clone()));
    wrong.assert_problem("a model of another task", 400, "bad_value");

    let in_hole = |x: u32, y: u32| (380..400).contains(&x) && (100..300).contains(&y);
    let mask = image::GrayImage::from_fn(640, 480, |x, y| {
        image::Luma([if in_hole(x, y) { 255 } else { 0 }])
    });
    let form = Form::of(&png(picture.clone())).file("mask_file", "m", &png(mask));
    let answer = server.form("/v1/restore?steps=scratches&format=png", form);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-model"), Some("lama"));
    let out = answer.picture().to_rgb8();
    for (x, y, pixel) in out.enumerate_pixels() {
        match in_hole(x, y) {
            true => assert_eq!(pixel.0, [255, 128, 0], "{x}, {y}"),
            false => assert_eq!(pixel, picture.get_pixel(x, y), "{x}, {y}"),
        }
    }
    server.assert_books_balance();
}
