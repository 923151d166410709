//! `transform` and `pipeline` on files and folders.

use image::ImageFormat;

use super::{Folder, run};
use crate::common::pictures;

fn size(bytes: &[u8]) -> (u32, u32) {
    let picture = pictures::decoded(bytes);
    (picture.width(), picture.height())
}

#[test]
fn a_folder_is_transformed_with_the_options_of_the_route() {
    let folder = Folder::new("cli");
    folder.write("in/a.jpg", &pictures::jpeg(160, 120));
    folder.write("in/below/b.png", &pictures::png(90, 30));
    let mark = pictures::encoded(pictures::plain(8, 8), ImageFormat::Png);
    let mark = folder.write("mark.png", &mark);
    let (input, out) = (folder.path("in"), folder.path("out"));
    let ran = run(&[
        "transform",
        &input,
        "-o",
        &out,
        "--width=40",
        "--height=40",
        "--fit=cover",
        "--format=webp",
        "--watermark-file",
        &mark,
        "--watermark-position=tile",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(folder.files("out"), ["a.webp", "below/b.webp"]);
    let read = |name: &str| std::fs::read(folder.path(name)).unwrap();
    assert_eq!(size(&read("out/a.webp")), (40, 40));
    // It may not grow: what is too short stays so.
    assert_eq!(size(&read("out/below/b.webp")), (40, 30));
    let plain = pictures::decoded(&read("out/a.webp")).to_rgb8();
    assert!(
        pictures::error(&plain, &pictures::plain(40, 40)) < 2.0,
        "the mark covers it"
    );
}

#[test]
fn a_list_in_a_file_is_applied_to_every_picture_and_a_bad_one_does_not_stop_it() {
    let folder = Folder::new("cli");
    folder.write("in/a.jpg", &pictures::jpeg(160, 120));
    folder.write("in/b.jpg", b"no picture");
    folder.write("in/c.png", &pictures::png(320, 240));
    let ops = r#"[{"op":"remove-background","background":"white"},{"op":"transform","width":80}]"#;
    let ops = folder.write("ops.json", ops.as_bytes());
    let (input, out) = (folder.path("in"), folder.path("out"));
    let ran = run(&[
        "pipeline",
        &input,
        "-o",
        &out,
        "--ops",
        &ops,
        "--quality=70",
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("b.jpg: ") && ran.stderr.contains("2 of 3 done"),
        "{}",
        ran.stderr
    );
    assert_eq!(folder.files("out"), ["a.jpg", "c.png"]);
    let read = |name: &str| std::fs::read(folder.path(name)).unwrap();
    assert_eq!(size(&read("out/a.jpg")), (80, 60));
}

#[test]
fn a_wrong_list_is_wrong_usage_and_says_where() {
    let folder = Folder::new("cli");
    let input = folder.write("a.jpg", &pictures::jpeg(64, 48));
    let out = folder.path("out.png");
    for (list, says) in [
        ("[]", "`ops` takes a JSON list"),
        (
            r#"[{"op":"restore"},{"op":"transform","widht":5}]"#,
            "Operation 2: ",
        ),
        (r#"[{"op":"transform","fit":"cover"}]"#, "Operation 1: "),
        (
            r#"[{"op":"transform","watermark_opacity":0.5}]"#,
            "`watermark_file`",
        ),
    ] {
        let ops = folder.write("ops.json", list.as_bytes());
        let ran = run(&["pipeline", &input, "-o", &out, "--ops", &ops]);
        assert_eq!(ran.code, Some(2), "{list}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{list}: {}", ran.stderr);
    }
    let ran = run(&["pipeline", &input, "-o", &out]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--ops"), "{}", ran.stderr);
    let ran = run(&[
        "pipeline",
        &input,
        "-o",
        &out,
        "--ops",
        &folder.path("none.json"),
    ]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let ran = run(&["transform", &input, "-o", &out, "--gravity=smart"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(!std::path::Path::new(&out).exists());
}
