//! `safelight bench-quality`: its figures are those of the pictures that it is given.

use super::{
    Folder,
    common::{
        onnx::{ANY, F32, Onnx},
        pictures,
    },
    run,
};

/// The cells of the rows of a table, without its head.
fn table(text: &str) -> Vec<Vec<String>> {
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
    folder.write("pairs/a.jpg", &square([255, 40, 40]));
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
}
