//! `X-Type` of remove.bg's route: what a model of ours says of the subject, where it is sure.

use std::{fs, path::PathBuf};

use crate::{
    REMOVEBG,
    common::{Answer, Form, Server, folder, pictures, shared, skip, spawn},
    form, picture,
};

/// How often the model has run since the start, where it ran once.
const RUNS: &str = "safelight_inference_duration_seconds_count{model=\"kind\"}";

fn asked(server: &Server, picture: &[u8], fields: &[(&str, &str)]) -> Answer {
    let form = Form::new().file("image_file", "x.jpg", picture);
    let text = |form: Form, (name, value): &(&str, &str)| form.text(name, value);
    server.form(REMOVEBG, fields.iter().fold(form, text))
}

fn kind(server: &Server, picture: &[u8]) -> String {
    let answer = asked(server, picture, &[]);
    match answer.status {
        200 => answer.header("x-type").expect("a type").to_owned(),
        _ => "nothing".to_owned(),
    }
}

/// The photographs of a folder, in the order of their names.
fn photographs(below: &str) -> Option<Vec<PathBuf>> {
    let files = fs::read_dir(shared(below)?).ok()?.flatten();
    let is = |path: &PathBuf| path.extension().is_some_and(|e| e == "jpg" || e == "webp");
    let mut files: Vec<_> = files.map(|file| file.path()).filter(is).collect();
    files.sort();
    Some(files)
}

/// Some of those that the model was not trained on: in folders of training these are two stretches
/// of five in every fifty (`part` in `models/training/kinds.py`).
fn unseen(below: &str) -> Option<Vec<PathBuf>> {
    let all = photographs(below)?.into_iter().enumerate();
    let training = below.starts_with("data/train/");
    let kept = all.filter(|(k, _)| !training || k / 5 % 10 < 2);
    let step = if training { 5 } else { 3 };
    Some(kept.map(|(_, file)| file).step_by(step).take(28).collect())
}

/// Not each of them has to be known: what is claimed has to be right.
#[test]
fn people_animals_and_products_are_called_so() {
    let server = spawn(&[]);
    for (below, right, least) in [
        ("data/eval/people", "person", 20),
        ("data/eval/people-varied", "person", 10),
        ("data/eval/animals", "animal", 2),
        ("data/train/unlabelled-clothing", "product", 16),
    ] {
        let Some(files) = unseen(below) else {
            return skip("kinds::people_animals_and_products", "../shared/data");
        };
        assert!(files.len() >= 19, "{below}: {}", files.len());
        let said = files
            .iter()
            .map(|file| kind(&server, &fs::read(file).unwrap()));
        let said: Vec<_> = said.collect();
        let count = |word: &str| said.iter().filter(|kind| *kind == word).count();
        let wrong = said.len() - count(right) - count("other") - count("nothing");
        println!("{below}: {} of {}, {wrong} wrong", count(right), said.len());
        assert!(count(right) >= least && wrong <= 1, "{below}: {said:?}");
    }
    server.assert_books_balance();
}

/// A shirt as shops show it, drawn; the model gives it 0.995.
fn shirt() -> Vec<u8> {
    const SIDE: u32 = 400;
    let cloth = |x: f64, y: f64| {
        // Half of it, from its middle line outwards.
        let x = (x - 0.5).abs();
        let collar = y < 0.22 - 0.5 * x;
        let sleeve = x + 0.5 * y < 0.58 && y < 0.3 + 0.5 * x;
        !collar && y > 0.11 + 0.34 * x && y < 0.9 && (x < 0.23 || sleeve)
    };
    let picture = image::RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        match cloth(x / f64::from(SIDE), y / f64::from(SIDE)) {
            true => image::Rgb([30, 35, 70]),
            false => image::Rgb([250; 3]),
        }
    });
    pictures::encoded(picture, image::ImageFormat::Png)
}

/// Without any photographs.
#[test]
fn a_shirt_is_a_product() {
    let server = spawn(&["--workers=1"]);
    assert_eq!(kind(&server, &shirt()), "product");
    server.assert_books_balance();
}

#[test]
fn what_is_nothing_known_is_other() {
    let server = spawn(&[]);
    // Noise, and a flat field with a corner of another colour.
    let mut flat = image::RgbImage::from_pixel(200, 160, image::Rgb([90, 120, 90]));
    for (x, y) in (0..60).flat_map(|x| (0..50).map(move |y| (x, y))) {
        flat.put_pixel(x, y, image::Rgb([200, 190, 60]));
    }
    let png = image::ImageFormat::Png;
    for (what, picture) in [
        (
            "noise",
            pictures::encoded(pictures::noise(240, 200, 5), png),
        ),
        ("a corner", pictures::encoded(flat, png)),
    ] {
        let said = kind(&server, &picture);
        assert!(
            ["other", "nothing"].contains(&said.as_str()),
            "{what}: {said}"
        );
    }
}

#[test]
fn it_is_asked_for_by_remove_bgs_clients_alone() {
    let server = spawn(&[]);
    let runs = || server.metric(RUNS);
    let before = runs();
    for path in ["/v1/remove-background", "/api/remove"] {
        let answer = server.form(path, Form::of(&picture()));
        assert_eq!((answer.status, answer.header("x-type")), (200, None));
        assert!(!answer.header("server-timing").unwrap().contains("classify"));
    }
    let none = server.form(REMOVEBG, form(&[("type_level", "none")]));
    assert_eq!((none.status, none.header("x-type")), (200, None));
    assert_eq!(runs(), before, "the model did not run");
    for (i, level) in ["", "1", "2", "latest"].into_iter().enumerate() {
        let answer = server.form(REMOVEBG, form(&[("type_level", level)]));
        assert!(answer.header("x-type").is_some(), "{level}");
        assert!(answer.header("server-timing").unwrap().contains("classify"));
        assert_eq!(answer.header("x-model"), Some("cutout"), "it made no pixel");
        assert_eq!(runs(), before + 1.0 + i as f64);
    }
    // In a region as in the whole picture.
    let region = server.form(REMOVEBG, form(&[("roi", "10% 10% 90% 90%")]));
    assert!(region.header("x-type").is_some());
    server.assert_books_balance();
}

#[test]
fn without_the_model_everything_is_other() {
    let folder = folder("kinds");
    let file = folder.join("catalogue.toml");
    // Another entry of its name wins, and its file is nowhere.
    let sum = "0".repeat(64);
    let entry = format!(
        "[[model]]\nname = \"kind\"\ntask = \"kind\"\nsha256 = \"{sum}\"\nlicense = \"MIT\"\n\
         urls = [\"https://127.0.0.1/kind.onnx\"]\ninputs = [\"subject\"]\nresize = \"stretch\"\n\
         size = 80\npeak_mib = 8\n"
    );
    fs::write(&file, entry).unwrap();
    let server = spawn(&[&format!("--catalogue={}", file.display())]);
    assert_eq!(kind(&server, &picture()), "other");
    if let Some(files) = photographs("data/eval/people") {
        assert_eq!(kind(&server, &fs::read(&files[0]).unwrap()), "other");
    }
    assert_eq!(server.metric(RUNS), 0.0);
    fs::remove_dir_all(folder).unwrap();
}
