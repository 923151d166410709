//! `pipeline`: the order of operations, refusals before any work, further pictures, timings.

use image::ImageFormat;

use crate::common::{self, Answer, Form, Server, http, pictures, skip, spawn};

const PATH: &str = "/v1/pipeline";

fn ask(server: &Server, ops: &str, picture: &[u8]) -> Answer {
    server.form(PATH, Form::of(picture).text("ops", ops))
}

#[test]
fn operations_run_in_their_order_and_give_what_single_requests_give() {
    let server = spawn(&[]);
    let picture = pictures::png(320, 240);
    let ops = r#"[{"op":"remove-background","feather":2},
                  {"op":"transform","width":100,"pad":[5,6],"background":"red","flatten":true}]"#;
    let answer = ask(&server, ops, &picture);
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    assert_eq!(answer.header("x-model"), Some("cutout"));
    assert!(answer.header("x-mask-confidence").is_some());
    let cut = server
        .post("/v1/remove-background?feather=2", "image/png", &picture)
        .body;
    let query = "width=100&pad=5,6&background=red&flatten=true";
    let both = server.post(&format!("/v1/transform?{query}"), "image/png", &cut);
    assert!(
        answer.body == both.body,
        "two requests give the same picture"
    );

    // The other way round is another picture.
    let turned = ask(
        &server,
        r#"[{"op":"transform","width":100},{"op":"remove-background","output":"mask"},
            {"op":"transform","rotate":90}]"#,
        &picture,
    );
    let turned = turned.picture();
    assert_eq!((turned.width(), turned.height()), (75, 100));

    // The list may be a parameter, with the picture as the body.
    let query = "ops=%5B%7B%22op%22%3A%22transform%22%2C%22width%22%3A50%7D%5D&format=jpeg";
    let answer = server.post(&format!("{PATH}?{query}"), "image/png", &picture);
    assert_eq!(answer.header("content-type"), Some("image/jpeg"));
    assert_eq!(answer.header("x-image-width"), Some("50"));
    server.assert_books_balance();
    let counted = "safelight_requests_total{operation=\"pipeline\",outcome=\"ok\"}";
    assert_eq!(server.metric(counted), 3.0);
}

#[test]
fn each_stage_says_which_operation_it_belongs_to() {
    let server = spawn(&[]);
    let ops = r#"[{"op":"restore","steps":"denoise"},{"op":"remove-background"},
                  {"op":"transform","width":60}]"#;
    let answer = ask(&server, ops, &pictures::jpeg(160, 120));
    let timing = answer.header("server-timing").unwrap();
    let stages: Vec<_> = timing.split(", ").collect();
    let named: Vec<_> = stages
        .iter()
        .map(|stage| stage.split(";dur=").next().unwrap())
        .collect();
    let expected = [
        "upload",
        "queue",
        "decode",
        r#"measure;desc="operation 1""#,
        r#"denoise;desc="operation 1""#,
        r#"inference;desc="operation 2""#,
        r#"refine;desc="operation 2""#,
        r#"compose;desc="operation 2""#,
        r#"resize;desc="operation 3""#,
        r#"finish;desc="operation 3""#,
        "encode",
    ];
    assert_eq!(named, expected);
}

#[test]
fn a_wrong_list_is_refused_as_a_whole_with_the_place_of_what_is_wrong() {
    let server = spawn(&["--max-side=1000"]);
    let picture = pictures::png(64, 48);
    let eleven = format!("[{}]", [r#"{"op":"restore"}"#; 11].join(","));
    let long = format!("[{}]", " ".repeat(17 << 10));
    let refused = |ops: &str, status: u16, code: &str, start: &str| {
        let answer = ask(&server, ops, &picture);
        let shown: String = ops.chars().take(80).collect();
        answer.assert_problem(&shown, status, code);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(start), "{shown}: {detail}");
    };
    for ops in ["zq7canary", "{}", "[]", &eleven] {
        refused(ops, 400, "bad_value", "`ops` takes a JSON list");
    }
    refused(&long, 400, "field_too_long", "");
    refused(
        r#"[{"op":"zq7canary"}]"#,
        400,
        "bad_value",
        "Operation 1: `op` takes one of",
    );
    refused(
        r#"[{"op":"restore"},{"op":"transform","zq7canary":1}]"#,
        400,
        "unknown_option",
        "Operation 2: ",
    );
    refused(
        r#"[{"op":"restore"},{"op":"transform","width":"zq7canary"}]"#,
        400,
        "bad_value",
        "Operation 2: `width` takes",
    );
    refused(
        r#"[{"op":"restore"},{"op":"restore","steps":"faces"}]"#,
        422,
        "step_missing",
        "Operation 2: ",
    );
    refused(
        r#"[{"op":"remove-background","model":"zq7canary"}]"#,
        400,
        "bad_value",
        "Operation 1: `model`",
    );
    refused(
        r#"[{"op":"restore"},{"op":"transform","fit":"cover"}]"#,
        400,
        "options_conflict",
        "Operation 2: ",
    );
    refused(
        r#"[{"op":"remove-background","output":"both"},{"op":"restore"}]"#,
        400,
        "options_conflict",
        "Operation 1: ",
    );
    refused(
        r#"[{"op":"transform","width":30},{"op":"transform","crop":"0,0,40,10"}]"#,
        422,
        "roi_outside",
        "Operation 2: ",
    );
    refused(
        r#"[{"op":"restore"},{"op":"transform","pad":600}]"#,
        422,
        "result_too_large",
        "Operation 2: ",
    );
    let file = Form::of(&picture).text("ops", r#"[{"op":"restore"}]"#);
    let answer = server.form(PATH, file.file("background_file", "b", &picture));
    answer.assert_problem("a picture that nobody takes", 400, "options_conflict");
    server
        .form(PATH, Form::of(&picture))
        .assert_problem("no list", 400, "bad_value");
    let beside = Form::of(&picture)
        .text("ops", r#"[{"op":"restore"}]"#)
        .text("width", "5");
    server
        .form(PATH, beside)
        .assert_problem("an option beside", 400, "unknown_option");
    // A wrong list in the query is refused before the body is read.
    let stream = http::begin(
        server.address,
        "/v1/pipeline?ops=%5B%5D",
        "image/png",
        9999,
        b"",
    );
    let mut stream = stream;
    http::read(&mut stream)
        .unwrap()
        .assert_problem("a query", 400, "bad_value");
    assert_eq!(
        server.metric("safelight_inference_duration_seconds_count{model=\"restore\"}"),
        1.0,
        "only the warm-up ran"
    );
    server.assert_books_balance();
}

#[test]
fn further_pictures_go_to_the_operations_that_take_them() {
    let server = spawn(&[]);
    let picture = pictures::png(320, 240);
    let ground = pictures::encoded(pictures::plain(50, 50), ImageFormat::Png);
    let red = image::RgbImage::from_pixel(8, 8, image::Rgb([255, 0, 0]));
    let ops = r#"[{"op":"remove-background"},
                  {"op":"transform","watermark_position":"northwest"}]"#;
    let form = Form::of(&picture)
        .text("ops", ops)
        .file("background_file", "b", &ground)
        .file(
            "watermark_file",
            "w",
            &pictures::encoded(red, ImageFormat::Png),
        );
    let answer = server.form(PATH, form);
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    let picture = answer.picture();
    assert!(!picture.color().has_alpha(), "the ground is opaque");
    let picture = picture.to_rgb8();
    assert_eq!(picture.get_pixel(3, 3).0, [255, 0, 0]);
    assert_eq!(picture.get_pixel(300, 200).0, [120, 120, 120]);
    server.assert_books_balance();
}

#[test]
fn an_old_portrait_is_restored_cut_out_and_made_small() {
    let name = "an_old_portrait_is_restored_cut_out_and_made_small";
    let Some(portrait) = common::shared("data/old_photos/old-a.jpg") else {
        return skip(name, "../shared/data/old_photos");
    };
    let server = spawn(&[]);
    let portrait = std::fs::read(portrait).unwrap();
    let ops = r#"[{"op":"restore","steps":"denoise,dejpeg"},{"op":"remove-background"},
                  {"op":"transform","width":200,"height":200,"fit":"cover","gravity":"north"}]"#;
    let answer = ask(&server, ops, &portrait);
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    let picture = answer.picture().to_rgba8();
    assert_eq!(picture.dimensions(), (200, 200));
    let share = |from: u8, to: u8| {
        let all = picture
            .pixels()
            .filter(|p| (from..=to).contains(&p[3]))
            .count();
        all as f64 / f64::from(200 * 200)
    };
    assert!(
        share(250, 255) > 0.3,
        "there is somebody: {}",
        share(250, 255)
    );
    assert!(share(0, 5) > 0.1, "and no ground: {}", share(0, 5));
    server.assert_books_balance();
}
