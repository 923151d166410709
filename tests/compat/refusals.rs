//! Every error code of remove.bg, with its title.

use std::collections::BTreeSet;

use crate::{
    REMOVEBG,
    common::{
        Answer, Form, Server,
        http::{self, CANARY},
        pictures, spawn,
    },
    form, picture, refused_as_json, send,
    table::Table,
};

/// What remove.bg answers with status 400: code and title.
const TITLES: &[(&str, &str)] = &[
    (
        "failed_to_read_image",
        "There was an error reading the image.",
    ),
    ("file_too_large", "File too large"),
    ("invalid_bg_color", "Invalid bg_color parameter given"),
    ("invalid_crop_margin", "Invalid crop_margin parameter given"),
    ("invalid_format", "Invalid format parameter given"),
    ("invalid_position", "Invalid position parameter given"),
    ("invalid_roi", "Invalid roi parameter given"),
    ("invalid_scale", "Invalid scale parameter given"),
    (
        "invalid_semitransparency",
        "Invalid semitransparency parameter given",
    ),
    ("invalid_channels", "Invalid value for parameter 'channels'"),
    ("invalid_size", "Invalid value for parameter 'size'"),
    (
        "invalid_bg_image_url",
        "Invalid bg_image_url: Please provide a valid URL.",
    ),
    (
        "invalid_image_url",
        "Invalid image_url: Please provide a valid URL.",
    ),
    ("invalid_dimensions", "Failed to read image dimensions"),
    ("invalid_file_type", "Invalid file type"),
    ("missing_source", "No image given"),
    (
        "multiple_sources",
        "Multiple image sources given: Please provide either the image_url, image_file or \
         image_file_b64 parameter.",
    ),
    (
        "multiple_bg_sources",
        "Multiple background sources given: Please provide either the bg_color, the bg_image_url \
         or the bg_image_file parameter.",
    ),
    ("resolution_too_high", "Image resolution too high"),
    ("roi_exceeds_bounds", "ROI exceeds image bounds"),
    ("roi_region_empty", "ROI region is empty"),
    (
        "unknown_foreground",
        "Could not identify foreground in image. For details and recommendations see \
         https://www.remove.bg/supported-images.",
    ),
];

/// Asserts remove.bg's shape, and that nothing is repeated; gives the code and the detail.
fn refused(what: &str, answer: &Answer, status: u16) -> (String, String) {
    let json = refused_as_json(what, answer, status);
    assert!(answer.header("x-ratelimit-limit").is_some(), "{what}");
    let errors = json["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{what}: {json}");
    for key in errors[0].as_object().unwrap().keys() {
        assert!(
            ["title", "code", "detail"].contains(&key.as_str()),
            "{what}: {key}"
        );
    }
    let word = |key: &str| errors[0][key].as_str().unwrap_or_default().to_owned();
    let (code, title, detail) = (word("code"), word("title"), word("detail"));
    if let Some((_, expected)) = TITLES.iter().find(|(known, _)| *known == code) {
        assert_eq!(title, *expected, "{what}");
    }
    assert!(!title.is_empty(), "{what}");
    (code, detail)
}

fn sent(server: &Server, fields: &[(&str, &str)]) -> Answer {
    server.form(REMOVEBG, form(fields))
}

fn file(server: &Server, bytes: &[u8]) -> Answer {
    server.form(
        REMOVEBG,
        Form::new().file("image_file", "zq7canary.jpg", bytes),
    )
}

/// A field with a wrong value, and the code that it gets.
const FIELDS: &[(&str, &str, &str)] = &[
    ("size", "zq7canary", "invalid_size"),
    ("size", "0.25", "invalid_size"),
    ("type", "zq7canary", "invalid_type"),
    ("type_level", "3", "invalid_type_level"),
    ("format", "gif", "invalid_format"),
    ("format", "zq7canary", "invalid_format"),
    ("roi", "1 2 3", "invalid_roi"),
    ("roi", "1 2 3 4 5", "invalid_roi"),
    ("roi", "a b c d", "invalid_roi"),
    ("roi", "0 0 1e9 1", "invalid_roi"),
    ("roi", "0 0 inf nan", "invalid_roi"),
    ("roi", "0% 0% 101% 100%", "roi_exceeds_bounds"),
    ("roi", "-1 0 10 10", "roi_exceeds_bounds"),
    ("roi", "0 0 400 10", "roi_exceeds_bounds"),
    ("roi", "0 0 10 100px", "ok"),
    ("roi", "0 0 10 241", "roi_exceeds_bounds"),
    ("roi", "50 10 50 20", "roi_region_empty"),
    ("roi", "50 10 40 20", "roi_region_empty"),
    ("roi", "50% 0% 10% 100%", "roi_region_empty"),
    ("roi", "50% 0 10px 100%", "roi_region_empty"),
    ("crop", "perhaps", "invalid_crop"),
    ("crop_margin", "zq7canary", "invalid_crop_margin"),
    ("crop_margin", "51%", "invalid_crop_margin"),
    ("crop_margin", "501px", "invalid_crop_margin"),
    ("crop_margin", "1 2 3", "invalid_crop_margin"),
    ("crop_margin", "-1px", "invalid_crop_margin"),
    ("scale", "9%", "invalid_scale"),
    ("scale", "101%", "invalid_scale"),
    ("scale", "80", "invalid_scale"),
    ("position", "middle", "invalid_position"),
    ("position", "10px 10px", "invalid_position"),
    ("position", "101%", "invalid_position"),
    ("channels", "rgb", "invalid_channels"),
    ("add_shadow", "zq7canary", "invalid_add_shadow"),
    ("shadow_type", "zq7canary", "invalid_shadow_type"),
    ("shadow_opacity", "101", "invalid_shadow_opacity"),
    ("semitransparency", "zq7canary", "invalid_semitransparency"),
    ("bg_color", "zq7canary", "invalid_bg_color"),
    ("bg_color", "12345", "invalid_bg_color"),
    ("bg_color", "blur", "invalid_bg_color"),
    ("bg_image_url", "http://zq7canary/", "invalid_bg_image_url"),
];

#[test]
fn every_code_of_remove_bg_is_reached_with_its_title() {
    let server = spawn(&[]);
    let small = spawn(&["--max-upload", "200KiB", "--max-megapixels", "0.5"]);
    let mut reached = BTreeSet::new();
    let mut table = Table::of("any (remove.bg)");
    for (name, value, code) in FIELDS {
        let what = format!("{name}={value}");
        let answer = sent(&server, &[(name, value)]);
        // Only a region of a few pixels at the edge, with nothing in it.
        if *code == "ok" {
            assert_eq!(refused(&what, &answer, 400).0, "unknown_foreground");
            continue;
        }
        let (found, detail) = refused(&what, &answer, 400);
        assert_eq!(found, *code, "{what}: {detail}");
        table.row(&format!("`{what}`"), &format!("400 `{found}`"));
        reached.insert(found);
    }
    let whole = pictures::png(320, 240);
    let mut wrong = pictures::encoded(pictures::plain(64, 48), image::ImageFormat::Png);
    let at = wrong.len() - 30;
    wrong[at] ^= 0x55;
    let b64 = crate::fields::base64(&picture());
    let plain = pictures::encoded(pictures::plain(320, 240), image::ImageFormat::Png);
    let gif = pictures::encoded(pictures::subject(30, 20), image::ImageFormat::Gif);
    let noise = pictures::encoded(pictures::noise(300, 300, 1), image::ImageFormat::Png);
    let urls = |fields: &[(&str, &str)]| {
        let text = |form: Form, (name, value): &(&str, &str)| form.text(name, value);
        server.form(REMOVEBG, fields.iter().fold(Form::new(), text))
    };
    let url = ("image_url", "https://zq7canary/x.jpg");
    for (what, answer, code, in_detail) in [
        (
            "a PNG with wrong data",
            file(&server, &wrong),
            "failed_to_read_image",
            "",
        ),
        (
            "no base64",
            urls(&[("image_file_b64", "zq7canary*")]),
            "failed_to_read_image",
            "",
        ),
        (
            "the first bytes of a PNG",
            file(&server, &whole[..20]),
            "invalid_dimensions",
            "",
        ),
        (
            "text",
            file(&server, b"zq7canary"),
            "invalid_file_type",
            "jpeg",
        ),
        (
            "a GIF",
            file(&server, &gif),
            "invalid_file_type",
            "received gif",
        ),
        (
            "too many bytes",
            file(&small, &noise),
            "file_too_large",
            "exceeds limit of 0MB",
        ),
        (
            "a far too large body",
            file(&small, &vec![b'x'; 500 << 10]),
            "file_too_large",
            "",
        ),
        (
            "0.6 megapixels",
            file(&small, &pictures::jpeg(1000, 600)),
            "resolution_too_high",
            "1 megapixels",
        ),
        (
            "nothing to cut out",
            file(&server, &plain),
            "unknown_foreground",
            "",
        ),
        (
            "no picture",
            urls(&[("size", "auto")]),
            "missing_source",
            "image_file_b64",
        ),
        ("an empty picture", file(&server, b""), "missing_source", ""),
        (
            "no body",
            server.post(REMOVEBG, "text/plain", b""),
            "missing_source",
            "",
        ),
        (
            "a URL",
            urls(&[url]),
            "invalid_image_url",
            "URL input is disabled on this server",
        ),
        (
            "a file and a URL",
            sent(&server, &[url]),
            "multiple_sources",
            "",
        ),
        (
            "a file and base64",
            sent(&server, &[("image_file_b64", &b64)]),
            "multiple_sources",
            "",
        ),
        (
            "base64 and a URL",
            urls(&[url, ("image_file_b64", &b64)]),
            "multiple_sources",
            "",
        ),
        (
            "a colour and a URL",
            sent(
                &server,
                &[("bg_color", "fff"), ("bg_image_url", "http://x/")],
            ),
            "multiple_bg_sources",
            "",
        ),
        (
            "a colour and a picture",
            server.form(
                REMOVEBG,
                form(&[("bg_color", "fff")]).file("bg_image_file", "x", &plain),
            ),
            "multiple_bg_sources",
            "",
        ),
    ] {
        let (found, detail) = refused(what, &answer, 400);
        assert_eq!(found, code, "{what}: {detail}");
        assert!(detail.contains(in_detail), "{what}: {detail}");
        table.row(what, &format!("400 `{found}`"));
        reached.insert(found);
    }
    table.finish();
    let known: BTreeSet<_> = TITLES.iter().map(|(code, _)| (*code).to_owned()).collect();
    let missed: Vec<_> = known.difference(&reached).collect();
    assert!(missed.is_empty(), "not reached: {missed:?}");
    server.assert_books_balance();
    small.assert_books_balance();
    assert!(!server.log().join("\n").contains(CANARY));
}

#[test]
fn what_remove_bg_has_no_code_for_has_ours_in_its_shape() {
    let server = spawn(&[]);
    let many = (0..33).fold(Form::new(), |form, i| form.text(&format!("f{i}"), ""));
    let long = "v".repeat(5000);
    let json = |body: &str| send(&server, REMOVEBG, "application/json", &[], body.as_bytes());
    let pairs = |body: &str| {
        send(
            &server,
            REMOVEBG,
            "application/x-www-form-urlencoded",
            &[],
            body.as_bytes(),
        )
    };
    let members: String = (0..33).map(|i| format!("\"f{i}\":1,")).collect();
    for (what, answer, code) in [
        ("33 fields", server.form(REMOVEBG, many), "too_many_fields"),
        (
            "33 members",
            json(&format!("{{{members}\"x\":1}}")),
            "too_many_fields",
        ),
        (
            "a long field",
            sent(&server, &[("size", &long)]),
            "field_too_long",
        ),
        (
            "a long member",
            json(&format!("{{\"size\":\"{long}\"}}")),
            "field_too_long",
        ),
        (
            "a long value",
            pairs(&format!("size={long}")),
            "field_too_long",
        ),
        ("no JSON", json("zq7canary"), "malformed_request"),
        (
            "half of JSON",
            json("{\"image_file_b64\":\"AAAA"),
            "failed_to_read_image",
        ),
        (
            "nested JSON",
            json("{\"size\":{\"zq7canary\":1}}"),
            "malformed_request",
        ),
        ("a list", json("[]"), "malformed_request"),
        ("a broken escape", pairs("size=%zz"), "malformed_request"),
    ] {
        assert_eq!(refused(what, &answer, 400).0, code, "{what}");
    }
    let busy = spawn(&["--max-upload", "100KiB", "--spool-budget", "100KiB"]);
    // Half of an upload holds the whole budget.
    let held = http::begin(busy.address, REMOVEBG, "image/jpeg", 100 << 10, b"x");
    busy.wait_until(
        std::time::Duration::from_secs(10),
        "an upload is held",
        |m| m.get("safelight_inputs_live").copied() == Some(1.0),
    );
    let answer = sent(&busy, &[]);
    let (code, _) = refused("a full service", &answer, 429);
    assert_eq!(code, "rate_limit_exceeded");
    assert_eq!(answer.json()["errors"][0]["title"], "Rate limit exceeded");
    let seconds: u32 = answer
        .header("retry-after")
        .unwrap()
        .parse()
        .expect("whole seconds");
    assert!((1..=60).contains(&seconds));
    assert_eq!(
        busy.metric("safelight_requests_total{operation=\"removebg\",outcome=\"busy\"}"),
        1.0,
        "full is told from wrong"
    );
    drop(held);
    busy.assert_books_balance();
    let slow = spawn(&["--timeout", "1ms"]);
    assert_eq!(
        refused("no time", &sent(&slow, &[]), 504).0,
        "deadline_passed"
    );
    server.assert_books_balance();
}
