//! The built program on the command line: exit codes, messages, and what it writes.

mod common;

#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/names.rs"]
mod names;
#[path = "cli/pipeline.rs"]
mod pipeline;
#[path = "cli/serving.rs"]
mod serving;

use std::{fs, path::Path, process::Command};

use common::{Folder, PROGRAM, Ran, pictures};

/// The program with these arguments and this standard input.
fn piped(arguments: &[&str], input: &[u8]) -> Ran {
    common::run(Command::new(PROGRAM).args(arguments), input)
}

fn run(arguments: &[&str]) -> Ran {
    piped(arguments, b"")
}

fn assert_cutout(bytes: &[u8], size: (u32, u32)) {
    let picture = pictures::decoded(bytes).to_rgba8();
    assert_eq!(picture.dimensions(), size);
    assert_eq!(picture.get_pixel(2, 2).0, [0; 4], "the ground is gone");
    assert_eq!(picture.get_pixel(size.0 / 2, size.1 / 2)[3], 255);
}

#[test]
fn a_file_is_cut_out_and_nothing_is_overwritten_without_force() {
    let folder = Folder::new("cli");
    let input = folder.write("in.jpg", &pictures::jpeg(160, 120));
    let out = folder.path("below/out.png");
    let first = run(&["remove-background", &input, "-o", &out, "--workers=1"]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_eq!(
        (first.stdout.as_slice(), first.stderr.as_str()),
        (b"".as_slice(), "")
    );
    assert_cutout(&fs::read(&out).unwrap(), (160, 120));
    assert_eq!(
        folder.files("below"),
        ["out.png"],
        "and no half-written file"
    );

    fs::write(&out, "precious").unwrap();
    let second = run(&["remove-background", &input, "-o", &out, "--workers=1"]);
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert!(
        second
            .stderr
            .contains(&format!("{out} exists; --force overwrites it"))
    );
    assert_eq!(fs::read(&out).unwrap(), b"precious");

    let third = run(&[
        "remove-background",
        &input,
        "--out",
        &out,
        "--force",
        "--crop=true",
    ]);
    assert_eq!(third.code, Some(0), "{}", third.stderr);
    let cropped = pictures::decoded(&fs::read(&out).unwrap());
    assert!(
        cropped.width() < 120,
        "options are heard: {}",
        cropped.width()
    );
}

#[test]
fn a_folder_becomes_a_folder_and_one_bad_file_does_not_stop_the_others() {
    let folder = Folder::new("cli");
    folder.write("in/a.jpg", &pictures::jpeg(160, 120));
    folder.write("in/below/b.PNG", &pictures::png(120, 90));
    folder.write("in/notes.txt", b"no picture");
    let input = folder.path("in");
    let (out, again) = (folder.path("out"), folder.path("again"));
    let good = run(&[
        "remove-background",
        &input,
        "-o",
        &out,
        "--workers=1",
        "--jobs=2",
    ]);
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    assert_eq!(folder.files("out"), ["a.png", "below/b.png"]);
    assert_cutout(
        &fs::read(folder.path("out/below/b.png")).unwrap(),
        (120, 90),
    );

    let bad = folder.write("in/bad.jpg", &pictures::jpeg(160, 120)[..900]);
    let mixed = run(&["remove-background", &input, "-o", &again, "--workers=1"]);
    assert_eq!(mixed.code, Some(1), "{}", mixed.stderr);
    assert_eq!(
        folder.files("again"),
        ["a.png", "below/b.png"],
        "the others are done"
    );
    assert!(
        mixed
            .stderr
            .contains(&format!("{bad}: The picture is broken")),
        "{}",
        mixed.stderr
    );
    assert!(
        mixed.stderr.contains("2 of 3 done, 1 failed"),
        "{}",
        mixed.stderr
    );

    let missing = folder.path("in/gone.jpg");
    let named = [folder.path("in/a.jpg"), missing.clone()];
    let some = run(&[
        "restore",
        &named[0],
        &named[1],
        "-o",
        &folder.path("some"),
        "--workers=1",
    ]);
    assert_eq!(some.code, Some(1), "{}", some.stderr);
    assert!(some.stderr.contains(&missing), "{}", some.stderr);
    assert_eq!(folder.files("some"), ["a.jpg"]);
}

#[test]
fn a_restoration_reports_and_a_photograph_is_enhanced() {
    let folder = Folder::new("cli");
    let input = folder.write("in.png", &pictures::png(96, 64));
    let out = folder.path("out.png");
    let ran = run(&[
        "restore",
        &input,
        "-o",
        &out,
        "--workers=1",
        "--report=true",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let line = ran.stderr.lines().find_map(|line| line.split_once(": {"));
    let (file, report) = line.unwrap_or_else(|| panic!("no report: {}", ran.stderr));
    assert_eq!(file, input);
    let report: serde_json::Value = serde_json::from_str(&format!("{{{report}")).unwrap();
    assert!(report["found"]["noise_sigma"].is_number(), "{report}");

    let options = [
        "--scale=2",
        "--sharpen=0.5",
        "--white-balance=none",
        "--force",
    ];
    let arguments = ["enhance", &input, "-o", &out, "--workers=1"];
    let ran = run(&[arguments.as_slice(), &options].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(pictures::decoded(&fs::read(&out).unwrap()).width(), 192);

    // The mask is a file, and needs a step that takes it.
    let mask = folder.write("mask.png", &pictures::png(96, 64));
    let named = [
        "restore",
        &input,
        "-o",
        &out,
        "--force",
        "--mask-file",
        &mask,
    ];
    let ran = run(&[named.as_slice(), &["--steps=scratches"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ran = run(&[named.as_slice(), &["--steps=fade"]].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let ran = run(&["restore", &input, "-o", &out, "--force", "--steps=faces"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("safelight models pull"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_name_of_the_result_says_its_format_and_an_option_overrules_it() {
    let folder = Folder::new("cli");
    let input = folder.write("in.jpg", &pictures::jpeg(64, 48));
    for (name, more, start) in [
        ("out.png", "--steps=denoise", b"\x89PNG".as_slice()),
        ("out.jpg", "--steps=denoise", b"\xff\xd8\xff"),
        ("out.webp", "--steps=denoise", b"RIFF"),
        ("out", "--steps=denoise", b"\xff\xd8\xff"),
        ("other.png", "--format=webp", b"RIFF"),
    ] {
        let out = folder.path(name);
        let ran = run(&["restore", &input, "-o", &out, "--workers=1", more]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(fs::read(&out).unwrap().starts_with(start), "{name} {more}");
    }
}

#[test]
fn a_picture_goes_through_a_pipe() {
    let arguments = ["remove-background", "-", "-o", "-", "--workers=1"];
    let ran = piped(&arguments, &pictures::jpeg(160, 120));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_cutout(&ran.stdout, (160, 120));
    assert_eq!(ran.stderr, "");

    let arguments = ["restore", "-", "-o", "-", "--workers=1", "--format=webp"];
    let ran = piped(&arguments, &pictures::jpeg(160, 120));
    assert!(ran.stdout.starts_with(b"RIFF"), "{}", ran.stderr);

    let ran = piped(
        &["remove-background", "-", "-o", "-", "--workers=1"],
        b"no picture",
    );
    assert_eq!((ran.code, ran.stdout.len()), (Some(1), 0));
    assert!(
        ran.stderr
            .contains("standard input: The bytes are not a picture"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_wrong_command_line_is_2_and_says_why() {
    let folder = Folder::new("cli");
    let input = folder.write("in.jpg", &pictures::jpeg(64, 48));
    let out = folder.path("out.png");
    let both = folder.write("two/a.jpg", b"x");
    let cut = ["remove-background", input.as_str(), "-o", out.as_str()];
    for (more, part) in [
        (["--feahter", "2"], "--feather"),
        (["--feather", "99"], "`feather` takes a number from 0 to 50"),
        (["--model", "nosuch"], "--model nosuch is not known"),
        (["--jobs", "0"], "--jobs"),
        (["--background-file", "/nonexistent"], "/nonexistent"),
        (["--onnxruntime", "--"], "--onnxruntime"),
    ] {
        let ran = run(&[cut.as_slice(), &more].concat());
        // A model that cannot be loaded is no mistake of the command line's form.
        let code = if more[1] == "nosuch" {
            Some(1)
        } else {
            Some(2)
        };
        assert_eq!(ran.code, code, "{more:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{more:?}: {}", ran.stderr);
    }
    for (arguments, part) in [
        (vec![], "Usage"),
        (vec!["fly"], "fly"),
        (vec!["remove-background"], "IN"),
        (vec!["remove-background", &input], "--out"),
        (
            vec!["remove-background", &input, &both, "-o", "-"],
            "one picture",
        ),
        (vec!["models"], "list"),
        (vec!["serve", "--queue", "many"], "--queue"),
        (vec!["serve", "--timeout", "soon"], "a time such as 30s"),
        (vec!["serve", "--spool-budget", "1MiB"], "--max-upload"),
    ] {
        let ran = run(&arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.stderr);
    }
    assert!(!Path::new(&out).exists());
    let help = run(&["remove-background", "--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for option in [
        "--background",
        "--crop-margin",
        "--max-megapixels",
        "--limit-megapixels",
    ] {
        assert!(help.text().contains(option), "{option}");
    }
    let version = run(&["--version"]);
    assert_eq!(
        version.text().trim(),
        concat!("safelight ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn each_command_says_what_it_does_and_no_two_the_same() {
    let list = run(&["--help"]).text();
    let lines = list.lines().skip_while(|line| *line != "Commands:").skip(1);
    let mut commands: Vec<(&str, String)> = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let words = line.trim();
        match (line.find(words), commands.last_mut()) {
            (Some(2), _) => {
                let (name, about) = words.split_once("  ").unwrap();
                commands.push((name, about.trim().to_owned()));
            }
            // A long description goes on below its own beginning.
            (_, Some((_, about))) => *about += &format!(" {words}"),
            (_, None) => panic!("{list}"),
        }
    }
    commands.retain(|(name, _)| *name != "help");
    assert!(commands.len() >= 15, "{list}");
    let mut seen = std::collections::HashSet::new();
    for (name, about) in commands {
        assert!(!about.starts_with("Settings "), "{name}: {about}");
        let help = run(&[name, "--help"]).text();
        let own = help.lines().take_while(|line| !line.is_empty());
        assert_eq!(own.collect::<Vec<_>>().join(" "), about, "{name}");
        assert!(seen.insert(about), "{name}: said of another too");
    }
}

#[test]
fn inspect_prints_a_line_of_json_for_each_picture() {
    let folder = Folder::new("cli");
    let a = folder.write("a.jpg", &pictures::jpeg(64, 48));
    let b = folder.write("b.png", &pictures::png(30, 20));
    let bad = folder.write("bad.png", b"\x89PNG\r\n\x1a\n");
    let ran = run(&["inspect", &a, &bad, &b]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let text = ran.text();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["file"], &lines[0]["type"]),
        (&a.into(), &"jpeg".into())
    );
    assert_eq!(
        (&lines[1]["file"], &lines[1]["width"]),
        (&b.clone().into(), &30.into())
    );
    assert!(
        ran.stderr.contains(&bad) && ran.stderr.contains("1 failed"),
        "{}",
        ran.stderr
    );
    assert_eq!(run(&["inspect", &b]).code, Some(0));
}

#[test]
fn models_and_the_document_are_printed() {
    let ran = run(&["models", "list"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = ran.text();
    let row = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(row("cutout").contains("default") && row("cutout").contains("Apache-2.0"));
    assert!(row("restore").contains("default"));
    assert!(row("u2netp").contains("missing"));

    let ran = run(&["openapi"]);
    assert_eq!(ran.code, Some(0));
    let document: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert!(document["paths"]["/v1/remove-background"]["post"].is_object());
}

/// A folder that is not on a tmpfs, if this machine has one here.
fn on_disk() -> Option<&'static str> {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let found = rustix::fs::statfs(folder).ok()?;
    (found.f_type as i128 != 0x0102_1994).then_some(folder)
}
