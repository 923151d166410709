//! The contract of every model of the catalogue, held by a stand-in of the same inputs and
//! outputs; and what is said of a file that does not fit its entry.

use std::fmt::Write;

use super::{
    Folder,
    common::{
        self,
        onnx::{ANY, F32, Onnx},
        pictures,
    },
    published, run, standins,
};

#[test]
fn every_model_of_the_catalogue_can_be_loaded_and_run() {
    let folder = Folder::new("models");
    let mut arguments = vec!["doctor".to_owned(), "--device=cpu".to_owned()];
    let mut names = Vec::new();
    for contract in published::contracts() {
        let file = standins::of(&contract);
        for name in contract.models {
            let file = folder.write(&format!("{name}.onnx"), &file);
            arguments.push(format!("--model={name}={file}"));
            arguments.push(format!("--accept-license={name}"));
            names.push(name);
        }
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ran = run(&arguments);
    let text = ran.text();
    let models = text.lines().find(|line| line.contains("models that run"));
    let models = models.unwrap_or_else(|| panic!("{text}{}", ran.stderr));
    assert!(names.len() > 35);
    for name in names {
        let listed = models.split([' ', ',']).any(|word| word == name);
        assert!(listed, "{name}: {models}");
    }
}

/// What a card says, and what is said of a file that is something else.
#[test]
fn a_file_that_does_not_fit_its_entry_fails_when_it_is_loaded() {
    let folder = Folder::new("models");
    let picture = folder.write("in.jpg", &pictures::jpeg(64, 48));
    let plain = "task = 'cutout'\nresize = 'stretch'\nsize = 64\npeak_mib = 1\n";
    let same = |shape: &[i64]| {
        Onnx::default()
            .input("x", F32, shape)
            .node("Identity", &["x"], "y", &[])
            .output("y", F32, shape)
    };
    let tiles = "task = 'restore'\nresize = 'tile'\nsize = 64\noverlap = 8\npeak_mib = 1\n";
    let fourth = format!("{plain}output = 3\n");
    let classes = format!("{plain}activation = 'argmax'\n");
    let second = format!("{plain}output = 1\n");
    let flat = Onnx::default()
        .input("x", F32, &[1, 3, 64, 64])
        .node("Flatten", &["x"], "y", &[])
        .output("y", F32, &[1, 12288]);
    let last = Onnx::default()
        .input("x", F32, &[1, 3, 64, 64])
        .node("Transpose", &["x"], "y", &[("perm", &[0, 2, 3, 1])])
        .output("y", F32, &[1, 64, 64, 3]);
    let wide = standins::matte(64, 1)
        .node("Concat", &["out0", "out0"], "wide", &[("axis", &[3])])
        .output("wide", F32, &[1, 1, 64, 128]);
    let quality = format!("{tiles}inputs = ['image', 'quality']\n");
    let any = [1, 3, ANY, ANY];
    let cases: Vec<(&str, &str, Vec<u8>, &[&str])> = vec![
        (
            "side",
            plain,
            same(&[1, 3, 320, 320]).file(),
            &["1 x 3 x 320 x 320", "64 x 64"],
        ),
        (
            "channels",
            plain,
            same(&[1, 1, 64, 64]).file(),
            &["1 x 1 x 64 x 64", "1 x 3 x"],
        ),
        ("rank", plain, same(&[3, 64, 64]).file(), &["3 x 64 x 64"]),
        (
            "inputs",
            plain,
            same(&[1, 3, 64, 64]).input("z", F32, &[1]).file(),
            &["2 inputs", "its entry 1"],
        ),
        (
            "element",
            plain,
            Onnx::default()
                .input("x", 6, &[1, 3, 64, 64])
                .node("Identity", &["x"], "y", &[])
                .output("y", 6, &[1, 3, 64, 64])
                .file(),
            &["type"],
        ),
        (
            "output",
            &fourth,
            same(&[1, 3, 64, 64]).file(),
            &["1 outputs", "number 3"],
        ),
        (
            "fixed",
            tiles,
            same(&[1, 3, 64, 64]).file(),
            &["1 x 3 x 64 x 64", "any"],
        ),
        (
            "planes",
            tiles,
            Onnx::default()
                .input("x", F32, &[1, 3, ANY, ANY])
                .node("Concat", &["x", "x"], "y", &[("axis", &[1])])
                .output("y", F32, &[1, 6, ANY, ANY])
                .file(),
            &["1 x 6 x", "3 planes"],
        ),
        (
            "quality",
            &quality,
            same(&any).input("z", F32, &[1, 1]).file(),
            &["no output after y", "quality"],
        ),
        (
            "numbers",
            &quality,
            same(&any).input("z", F32, &[1, 2]).file(),
            &["input z", "1 x 2", "one number"],
        ),
        ("flat", plain, flat.file(), &["1 x 12288", "1 plane of 64"]),
        (
            "last",
            plain,
            last.file(),
            &["1 x 64 x 64 x 3", "1 plane of"],
        ),
        (
            "colours",
            plain,
            same(&[1, 3, 64, 64]).file(),
            &["1 x 3 x 64 x 64", "1 plane of 64 x 64"],
        ),
        (
            "classes",
            &classes,
            standins::matte(64, 1).file(),
            &["1 x 1 x 64 x 64", "at least 2 planes"],
        ),
        ("wide", &second, wide.file(), &["1 x 1 x 64 x 128"]),
        // What the file leaves open shows when it runs.
        ("open", plain, same(&any).file(), &["model"]),
        ("bytes", plain, b"no model".to_vec(), &["model mine"]),
    ];
    let mut wrong = String::new();
    for (name, card, file, says) in cases {
        let file = folder.write(&format!("{name}.onnx"), &file);
        folder.write(&format!("{name}.toml"), card.as_bytes());
        let model = format!("--model=mine={file}");
        let ran = run(&[
            "remove-background",
            &picture,
            "-o",
            "-",
            "--workers=1",
            &model,
        ]);
        let clear = says.iter().all(|part| ran.stderr.contains(part));
        if ran.code != Some(1) || !clear || !ran.stdout.is_empty() {
            let _ = writeln!(wrong, "{name}: {:?} {}", ran.code, ran.stderr);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// No request finds it out: the service does not begin to listen.
#[test]
fn a_service_does_not_start_with_a_model_that_does_not_fit_its_card() {
    let folder = Folder::new("models");
    let file = folder.write("net.onnx", &standins::matte(320, 1).file());
    let card = |side: u32| {
        let text = format!("task = 'cutout'\nresize = 'stretch'\nsize = {side}\npeak_mib = 1\n");
        folder.write("net.toml", text.as_bytes());
    };
    card(64);
    let model = format!("--model=mine={file}");
    let spool = format!("--spool={}", folder.path("spool"));
    std::fs::create_dir_all(folder.path("spool")).unwrap();
    let serve = [
        "serve",
        "--listen=127.0.0.1:0",
        "--metrics-listen=127.0.0.1:0",
        "--workers=1",
        "--device=cpu",
        &spool,
        &model,
    ];
    let ran = run(&serve);
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    let setting = format!("--model mine={file}");
    for part in [
        "model mine:",
        "1 x 3 x 320 x 320",
        "1 x 3 x 64 x 64",
        &setting,
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("listening"), "{}", ran.stderr);
    // The same file with a card that is right is served.
    card(320);
    drop(common::spawn(&["--workers=1", "--device=cpu", &model]));
}

#[test]
fn an_own_model_runs_as_its_card_says() {
    let folder = Folder::new("models");
    // Red grows from the left to the right, and is what the stand-in gives.
    let ramp = image::RgbImage::from_fn(64, 48, |x, _| image::Rgb([(x * 4) as u8 + 3, 90, 0]));
    let mut png = std::io::Cursor::new(Vec::new());
    ramp.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let picture = folder.write("in.png", png.get_ref());
    let file = folder.write("mine.onnx", &standins::matte(64, 2).file());
    folder.write(
        "mine.toml",
        b"task = 'cutout'\nresize = 'stretch'\nsize = 64\npeak_mib = 1\nlicense = 'MIT'\n",
    );
    let out = folder.path("mask.png");
    let model = format!("--model=mine={file}");
    let flags = ["--output=mask", "--refine=false", "--device=cpu", &model];
    let ran = run(&[
        ["remove-background", &picture, "-o", &out].as_slice(),
        &flags,
    ]
    .concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mask = pictures::decoded(&std::fs::read(&out).unwrap()).to_luma8();
    for x in [4, 32, 60] {
        let (found, red) = (mask.get_pixel(x, 24).0[0], x as u8 * 4 + 3);
        assert!(found.abs_diff(red) <= 2, "{found} for {red}");
    }

    folder.write(
        "mine.toml",
        b"task = 'cutout'\nresize = 'tile'\nsize = 64\npeak_mib = 1\n",
    );
    let ran = run(&["models", "list", &model]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("`resize` does not fit"),
        "{}",
        ran.stderr
    );
}
