//! `safelight bench-quality`: its figures are those of the pictures that it is given.

use std::fs;

use super::{
    Folder,
    common::{
        onnx::{ANY, F32, Onnx},
        pictures,
    },
    run,
};

/// The cells of the rows of a table, without its head.
pub(super) fn table(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let inner = line.trim_matches('|').split('|');
        inner.map(|cell| cell.trim().to_owned()).collect()
    };
    text.lines().skip(2).map(cells).collect()
}

#[test]
fn a_model_that_changes_nothing_has_the_figures_of_the_damage() {
    let folder = Folder::new("models");
    let shape = [1, 3, ANY, ANY];
    let file = Onnx::default()
        .input("x", F32, &shape)
        .node("Identity", &["x"], "y", &[])
        .output("y", F32, &shape)
        .file();
    let file = folder.write("same.onnx", &file);
    let card = "task = 'restore'\nresize = 'tile'\nsize = 64\npeak_mib = 1\n";
    folder.write("same.toml", card.as_bytes());
    folder.write("pairs/a.png", &pictures::png(160, 120));
    folder.write("pairs/b.png", &pictures::png(120, 96));
    folder.write("pairs/notes.txt", b"no picture");
    let (model, pairs) = (format!("--model=same={file}"), folder.path("pairs"));
    let bench = ["bench-quality", &model, "--pairs", &pairs, "--device=cpu"];
    let ran = run(&[
        &bench,
        ["--damage", "noise:25", "--damage", "clean"].as_slice(),
    ]
    .concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = ran.text();
    assert!(
        text.starts_with("| set | n | model | damage | PSNR before | PSNR after |"),
        "{text}"
    );
    let rows = table(&text);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0][..4], ["pairs", "2", "same", "noise 25"]);
    assert_eq!(
        rows[0][4], rows[0][5],
        "nothing is better, nothing is worse"
    );
    // 20 log10(255 / 25) = 20.2 dB; what is cut off at black and white makes it a little more.
    let psnr: f64 = rows[0][4].parse().unwrap();
    assert!((20.1..23.0).contains(&psnr), "{psnr}");
    assert_eq!(rows[1][4..8], ["99.00", "99.00", "1.0000", "1.0000"]);
    // A mask is no picture.
    folder.write("pairs/b.jpg", &pictures::jpeg(120, 96));
    let ran = run(&[&bench, ["--damage=clean"].as_slice()].concat());
    assert_eq!(table(&ran.text())[0][1], "2", "{}", ran.text());
    let ran = run(&[&bench, ["--limit=1", "--damage=jpeg:20"].as_slice()].concat());
    assert_eq!(table(&ran.text())[0][1], "1");
    let ran = run(&[&bench, ["--damage=rain:3"].as_slice()].concat());
    assert_eq!(ran.code, Some(2));
    let ran = run(&["bench-quality", &model, "--pairs", &folder.path("none")]);
    assert!(
        ran.code == Some(1) && ran.stderr.contains("none"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_matte_is_measured_as_the_service_would_answer_it() {
    let folder = Folder::new("models");
    // The stand-in's matte is the red of the picture; so the mask that has it is met.
    let file = folder.write("red.onnx", &super::standins::matte(64, 1).file());
    let card = "task = 'cutout'\nresize = 'stretch'\nsize = 64\npeak_mib = 1\n";
    folder.write("red.toml", card.as_bytes());
    let square = |inside: [u8; 3]| {
        let pixel = |x: u32, y: u32| match (16..48).contains(&x) && (16..48).contains(&y) {
            true => image::Rgb(inside),
            false => image::Rgb([0, 0, 0]),
        };
        let picture = image::RgbImage::from_fn(64, 64, pixel);
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    };
    // By its bytes it is PNG, whatever its name says.
    let picture = square([255, 40, 40]);
    folder.write("pairs/a.jpg", &picture);
    folder.write("pairs/a.png", &square([255, 255, 255]));
    folder.write("pairs/alone.jpg", &square([255, 0, 0]));
    let (model, pairs) = (format!("--model=red={file}"), folder.path("pairs"));
    let ran = run(&[
        "bench-quality",
        &model,
        "--pairs",
        &pairs,
        "--refine=false",
        "--device=cpu",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = ran.text();
    assert!(text.contains("| mIoU | MAE | BF | SAD | ms |"), "{text}");
    assert_eq!(
        table(&text)[0][..8],
        [
            "pairs", "1", "red", "-", "1.0000", "0.0000", "1.0000", "0.00"
        ]
    );
    let alone = "1 of its pictures have no file of their name beside them, and are left out";
    assert!(ran.stderr.contains(alone), "{}", ran.stderr);

    // Masks of another folder, with pictures that are PNG themselves; of a cutout its alpha counts.
    folder.write("pictures/a.png", &picture);
    let whole = square([255, 255, 255]);
    let cutout = pictures::decoded(&whole).to_luma8();
    let cutout = image::RgbaImage::from_fn(64, 64, |x, y| {
        image::Rgba([9, 9, 9, cutout.get_pixel(x, y).0[0]])
    });
    let wide = image::imageops::crop_imm(&cutout, 0, 8, 64, 32).to_image();
    let png = |picture: image::RgbaImage| pictures::encoded(picture, image::ImageFormat::Png);
    let pictures_of = folder.path("pictures");
    let masked = |more: &[&str]| {
        let start = ["bench-quality", &model, "--pairs", &pictures_of];
        let quick = ["--refine=false", "--device=cpu"];
        run(&[start.as_slice(), &quick, more].concat())
    };
    let masks = folder.path("masks");
    for mask in [whole, png(cutout)] {
        folder.write("masks/a.png", &mask);
        let ran = masked(&["--masks", &masks]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(table(&ran.text())[0][4..6], ["1.0000", "0.0000"]);
    }
    folder.write("masks/a.png", &png(wide));
    for (more, code, says) in [
        (
            &["--masks", &masks] as &[&str],
            1,
            "64 x 32 pixels, which is not the shape of 64 x 64",
        ),
        (&[], 1, "1 of its pictures have no file"),
        (
            &["--masks", &masks, "--masks", &masks],
            2,
            "one folder for each",
        ),
        (
            &["--masks", &masks, "--model=restore"],
            2,
            "--model names 2",
        ),
    ] {
        let ran = masked(more);
        assert_eq!(ran.code, Some(code), "{more:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
    }
}

/// A net for one task, written out: a card, and what is between its input and its output.
struct Net(&'static str, Onnx);

impl Net {
    /// One picture in, `planes` of the same size out.
    fn new(card: &'static str, planes: i64, middle: impl Fn(Onnx) -> Onnx) -> Self {
        let file = Onnx::default().input("x", F32, &[1, 3, ANY, ANY]);
        Self(card, middle(file).output("y", F32, &[1, planes, ANY, ANY]))
    }

    /// The rows that `bench-quality` prints of it on this folder.
    fn measured(self, folder: &Folder, more: &[&str]) -> Vec<Vec<String>> {
        let Self(card, file) = self;
        let file = folder.write("net.onnx", &file.file());
        let card = format!("{card}\nresize = 'tile'\nsize = 128\noverlap = 16\npeak_mib = 1\n");
        folder.write("net.toml", card.as_bytes());
        measured(folder, &format!("net={file}"), more)
    }
}

/// The rows that `bench-quality` prints of a model on the folder `pairs`.
fn measured(folder: &Folder, model: &str, more: &[&str]) -> Vec<Vec<String>> {
    let (model, pairs) = (format!("--model={model}"), folder.path("pairs"));
    let bench = ["bench-quality", &model, "--pairs", &pairs, "--device=cpu"];
    let ran = run(&[&bench, more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    table(&ran.text())
}

fn plain(level: u8) -> Vec<u8> {
    let grey = image::RgbImage::from_pixel(150, 130, image::Rgb([level; 3]));
    pictures::encoded(grey, image::ImageFormat::Png)
}

/// So many levels of 255 more.
fn lighter(levels: f32) -> impl Fn(Onnx) -> Onnx {
    move |file| {
        file.floats("more", &[1, 1, 1, 1], &[levels / 255.0])
            .node("Add", &["x", "more"], "y", &[])
    }
}

#[test]
fn a_level_too_much_after_deblurring_has_its_decibels() {
    let folder = Folder::new("models");
    folder.write("pairs/a.png", &plain(100));
    let net = || Net::new("task = 'deblur'", 3, lighter(1.0));
    // 20 log10(255) = 48.13 dB. A plain picture is its own blur.
    let rows = net().measured(&folder, &[]);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][3..6], ["blur 2", "99.00", "48.13"]);
    folder.write("pairs/a.png", &pictures::png(160, 120));
    let rows = net().measured(&folder, &["--damage=blur:1", "--damage=blur:4"]);
    let before = |row: usize| rows[row][4].parse::<f64>().unwrap();
    assert!(before(0) > before(1) + 2.0 && before(0) < 45.0, "{rows:?}");
}

#[test]
fn enlarging_is_measured_against_the_picture_that_was_made_small() {
    let folder = Folder::new("models");
    let twice = |more: f32| {
        Net::new("task = 'upscale'\nfactor = 2", 3, move |file| {
            file.repeated("x", 2, "large")
                .floats("more", &[1, 1, 1, 1], &[more / 255.0])
                .node("Add", &["large", "more"], "y", &[])
        })
    };
    folder.write("pairs/a.png", &plain(100));
    let rows = twice(0.0).measured(&folder, &[]);
    assert_eq!(rows[0][3..8], ["-", "99.00", "99.00", "1.0000", "1.0000"]);
    let rows = twice(1.0).measured(&folder, &[]);
    assert_eq!(rows[0][4..6], ["99.00", "48.13"]);
    // Of a picture with edges both are below that, and each says what it measures.
    folder.write("pairs/a.png", &pictures::png(160, 120));
    let row = &twice(0.0).measured(&folder, &[])[0];
    let built_in = &measured(&folder, "upscale2", &[])[0];
    assert_eq!((&row[2], &built_in[2]), (&"net".into(), &"upscale2".into()));
    assert_eq!(row[4], built_in[4], "Lanczos, whatever the model");
    assert!(row[5].parse::<f64>().unwrap() < 60.0, "{row:?}");
    assert_ne!(row[5], built_in[5]);
}

#[test]
fn filling_is_measured_in_the_hole_alone() {
    let folder = Folder::new("models");
    folder.write("pairs/a.png", &plain(100));
    // Holes are painted with a level whatever is around them.
    let painter = |level: f32| {
        let file = Onnx::default()
            .input("x", F32, &[1, 4, ANY, ANY])
            .floats("none", &[1, 1, 1, 1], &[0.0])
            .floats("level", &[1, 1, 1, 1], &[level / 255.0])
            .integers("starts", &[0])
            .integers("ends", &[3])
            .integers("channel", &[1])
            .node("Slice", &["x", "starts", "ends", "channel"], "picture", &[])
            .node("Mul", &["picture", "none"], "black", &[])
            .node("Add", &["black", "level"], "y", &[])
            .output("y", F32, &[1, 3, ANY, ANY]);
        Net("task = 'inpaint'\ninputs = ['image-mask']", file)
    };
    // The marks are of level 235, 135 too light: 20 log10(255 / 135) = 5.52 dB.
    let rows = painter(110.0).measured(&folder, &[]);
    assert_eq!(rows[0][4..6], ["5.52", "28.13"]);
    let rows = painter(100.0).measured(&folder, &[]);
    assert_eq!(rows[0][4..6], ["5.52", "99.00"]);
    // A hole that is shown: all of the picture, which the mark has 135 levels too light.
    folder.write("holes/a.png", &plain(255));
    let holes = format!("--masks={}", folder.path("holes"));
    let rows = painter(110.0).measured(&folder, &[&holes]);
    assert_eq!(rows[0][4..6], ["5.52", "28.13"]);
    folder.write("holes/a.png", &plain(0));
    let rows = painter(110.0).measured(&folder, &[&holes]);
    assert_eq!(rows[0][4..6], ["-", "-"], "there is nothing to fill");
    // Such a picture does not count among others.
    folder.write("pairs/b.png", &plain(100));
    folder.write("holes/b.png", &plain(255));
    let rows = painter(110.0).measured(&folder, &[&holes]);
    assert_eq!(rows[0][4..6], ["5.52", "28.13"]);
    fs::remove_file(folder.path("pairs/b.png")).unwrap();
    let after = measured(&folder, "inpaint", &[])[0][5].clone();
    assert!(after.parse::<f64>().unwrap() > 15.0, "{after}");
}

#[test]
fn found_damage_is_measured_by_its_overlap_with_what_was_made() {
    let folder = Folder::new("models");
    folder.write("pairs/a.png", &plain(60));
    // Whatever is lighter than `from`, or darker where the slope goes down.
    let finder = |from: f32, slope: f32| {
        Net::new("task = 'scratch'", 1, move |file| {
            file.floats("from", &[1, 1, 1, 1], &[-from])
                .floats("slope", &[1, 1, 1, 1], &[slope])
                .integers("starts", &[0])
                .integers("ends", &[1])
                .integers("channel", &[1])
                .node("Slice", &["x", "starts", "ends", "channel"], "red", &[])
                .node("Add", &["red", "from"], "apart", &[])
                .node("Mul", &["apart", "slope"], "steep", &[])
                .node("Sigmoid", &["steep"], "y", &[])
        })
    };
    assert_eq!(finder(0.5, 1000.0).measured(&folder, &[])[0][4], "1.0000");
    assert_eq!(finder(0.5, -1000.0).measured(&folder, &[])[0][4], "0.0000");
    // Everything is marked: the overlap is the share of what is damaged, thin lines.
    let share: f64 = finder(-0.5, 1000.0).measured(&folder, &[])[0][4]
        .parse()
        .unwrap();
    assert!((0.005..0.2).contains(&share), "{share}");
    // Damage that is there already, and known.
    let half = |inside: u8, outside: u8| {
        let pixel = |x: u32, _| image::Rgb([if x < 75 { inside } else { outside }; 3]);
        pictures::encoded(
            image::RgbImage::from_fn(150, 130, pixel),
            image::ImageFormat::Png,
        )
    };
    folder.write("pairs/a.png", &half(200, 60));
    folder.write("known/a.png", &half(255, 0));
    let known = format!("--masks={}", folder.path("known"));
    let score = |slope| finder(0.5, slope).measured(&folder, &[&known])[0][4].clone();
    assert_eq!([score(1000.0), score(-1000.0)], ["1.0000", "0.0000"]);
    folder.write("pairs/a.png", &plain(60));
    let found: f64 = measured(&folder, "scratch", &[])[0][4].parse().unwrap();
    assert!(found > 0.2, "{found}");
}

#[test]
fn pairs_of_files_are_measured_as_they_are() {
    let folder = Folder::new("models");
    folder.write("pairs/a.png", &plain(100));
    folder.write("pairs/alone.png", &plain(100));
    let webp = |level: u8| {
        let grey = image::RgbImage::from_pixel(150, 130, image::Rgb([level; 3]));
        pictures::webp_of(&grey.into(), None)
    };
    folder.write("noisy/a.webp", &webp(110));
    let noisy = format!("--degraded={}", folder.path("noisy"));
    // Ten levels too light: 20 log10(255 / 10) = 28.13 dB.
    let rows = Net::new("task = 'restore'", 3, lighter(-10.0)).measured(&folder, &[&noisy]);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][..4], ["pairs", "1", "net", "noisy"]);
    assert_eq!(rows[0][4..6], ["28.13", "99.00"]);

    let small = pictures::subject(80, 60);
    let large = image::imageops::resize(&small, 160, 120, image::imageops::FilterType::Nearest);
    let png = |picture| pictures::encoded(picture, image::ImageFormat::Png);
    folder.write("pairs/a.png", &png(large));
    folder.write("small/a.png", &png(small));
    let smaller = format!("--degraded={}", folder.path("small"));
    let net = Net::new("task = 'upscale'\nfactor = 2", 3, |file| {
        file.repeated("x", 2, "y")
    });
    let rows = net.measured(&folder, &[&smaller]);
    assert_eq!(rows[0][5], "99.00", "no other reduction comes between");
    assert!(rows[0][4].parse::<f64>().unwrap() < 60.0, "{rows:?}");

    let model = format!("--model=net={}", folder.path("net.onnx"));
    let pairs = format!("--pairs={}", folder.path("pairs"));
    for (flags, code, says) in [
        (
            [&model, &noisy].as_slice(),
            1,
            "150 x 130 pixels, 80 x 60 are needed",
        ),
        (
            &[&model, &smaller, &"--damage=clean".into()],
            2,
            "cannot be used with",
        ),
        (&[&model, &smaller, &smaller], 2, "one folder for each"),
        (&[&smaller], 2, "not for cutout"),
    ] {
        let flags = flags.iter().map(|flag| flag.as_str());
        let ran = run(&[
            ["bench-quality", &pairs].as_slice(),
            &flags.collect::<Vec<_>>(),
        ]
        .concat());
        assert_eq!(
            ran.code,
            Some(code),
            "{flags:?}: {}",
            ran.stderr,
            flags = says
        );
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
    }
}
