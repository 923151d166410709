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

/// Some photographs of a folder.
fn photographs(below: &str) -> Option<Vec<PathBuf>> {
    let files = fs::read_dir(shared(below)?).ok()?.flatten();
    let is = |path: &PathBuf| path.extension().is_some_and(|e| e == "jpg" || e == "webp");
    let mut files: Vec<_> = files.map(|file| file.path()).filter(is).collect();
    files.sort();
    Some(files.into_iter().step_by(3).take(20).collect())
}

/// Pictures that nothing was trained on, or chosen with. Not each of them has to be known: what is
/// claimed has to be right.
#[test]
fn people_are_people_and_animals_are_animals() {
    let server = spawn(&[]);
    for (below, right, least) in [
        ("data/eval/people", "person", 12),
        ("data/eval/people-varied", "person", 8),
        ("data/eval/animals", "animal", 2),
    ] {
        let Some(files) = photographs(below) else {
            return skip("kinds::people_are_people", "../shared/data/eval");
        };
        let said = files
            .iter()
            .map(|file| kind(&server, &fs::read(file).unwrap()));
        let said: Vec<_> = said.collect();
        let count = |word: &str| said.iter().filter(|kind| *kind == word).count();
        let wrong = said.len() - count(right) - count("other") - count("nothing");
        assert!(count(right) >= least && wrong <= 1, "{below}: {said:?}");
    }
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
