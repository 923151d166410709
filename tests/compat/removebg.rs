//! remove.bg's interface: every field, every header, every form of answer.

use image::RgbaImage;
use serde_json::{Value, json};

use crate::{
    REMOVEBG, SIZE,
    common::{Answer, Form, Server, http, pictures, spawn},
    fields::base64,
    form, good, send,
};

fn asked(server: &Server, fields: &[(&str, &str)]) -> Answer {
    server.form(REMOVEBG, form(fields))
}

fn cut(server: &Server, fields: &[(&str, &str)]) -> RgbaImage {
    good(&format!("{fields:?}"), &asked(server, fields))
}

fn number(answer: &Answer, header: &str) -> u32 {
    let value = answer
        .header(header)
        .unwrap_or_else(|| panic!("no {header}"));
    value.parse().unwrap()
}

#[test]
fn an_answer_says_what_clients_read() {
    let server = spawn(&[]);
    let big = pictures::jpeg(2000, 1500);
    let with = |fields: &[(&str, &str)]| {
        let form = Form::new().file("image_file", "x.jpg", &big);
        let text = |form: Form, (name, value): &(&str, &str)| form.text(name, value);
        server.form(REMOVEBG, fields.iter().fold(form, text))
    };
    let preview = with(&[]);
    let shown = good("preview", &preview);
    assert_eq!(shown.dimensions(), (577, 433), "a quarter of a megapixel");
    assert_eq!(
        (number(&preview, "x-width"), number(&preview, "x-height")),
        (577, 433)
    );
    assert_eq!(
        (
            number(&preview, "x-max-width"),
            number(&preview, "x-max-height")
        ),
        (2000, 1500)
    );
    for (name, value) in [
        ("content-type", "image/png"),
        ("x-credits-charged", "0"),
        ("x-ratelimit-limit", "99999"),
        ("x-ratelimit-remaining", "99999"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(preview.header(name), Some(value), "{name}");
    }
    // A ball is a product; whether the model is sure of this one is no matter here (see `kinds`).
    let kind = preview.header("x-type").unwrap();
    assert!(["product", "other"].contains(&kind), "{kind}");
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let reset: u64 = preview
        .header("x-ratelimit-reset")
        .unwrap()
        .parse()
        .unwrap();
    assert!((now..=now + 120).contains(&reset));
    // The ball is at 50 %, 52 %, a third of the height in radius.
    let near = |header: &str, expected: u32| {
        let found = number(&preview, header);
        assert!(
            found.abs_diff(expected) <= 6,
            "{header}: {found} for {expected}"
        );
    };
    near("x-foreground-left", 288 - 143);
    near("x-foreground-top", 225 - 143);
    near("x-foreground-width", 286);
    near("x-foreground-height", 286);

    for (size, width) in [
        ("medium", 1414),
        ("hd", 2000),
        ("full", 2000),
        ("auto", 2000),
    ] {
        let answer = with(&[("size", size)]);
        assert_eq!(number(&answer, "x-width"), width, "{size}");
        assert_eq!(number(&answer, "x-max-width"), 2000, "{size}");
    }
    assert_eq!(with(&[("type_level", "none")]).header("x-type"), None);

    let cropped = with(&[
        ("crop", "true"),
        ("crop_margin", "100px 50px"),
        ("size", "full"),
    ]);
    let (width, height) = (number(&cropped, "x-width"), number(&cropped, "x-height"));
    assert_eq!(number(&cropped, "x-foreground-left"), 50);
    assert_eq!(number(&cropped, "x-foreground-top"), 100);
    assert_eq!(number(&cropped, "x-foreground-width") + 100, width);
    assert_eq!(number(&cropped, "x-foreground-height") + 200, height);
    let small = with(&[("crop", "true"), ("crop_margin", "100px 50px")]);
    assert_eq!(
        (
            number(&small, "x-max-width"),
            number(&small, "x-max-height")
        ),
        (width, height)
    );
    assert!(number(&small, "x-width") * number(&small, "x-height") <= 250_000);
    server.assert_books_balance();
}

/// The sizes beyond a usual picture: 4 megapixels, 25, and 10 of a PNG.
#[test]
fn large_sizes_are_as_large_as_they_are_called() {
    let server = spawn(&["--workers=1"]);
    // 26.4 megapixels.
    let huge = pictures::jpeg(6000, 4400);
    for (size, format, megapixels) in [
        ("hd", "png", 4.0),
        ("hd", "jpg", 4.0),
        ("full", "png", 10.0),
        ("4k", "jpg", 25.0),
        ("50MP", "jpg", 26.4),
    ] {
        let form = Form::new().file("image_file", "x.jpg", &huge);
        let form = form.text("size", size).text("format", format);
        let answer = server.form(REMOVEBG, form);
        assert_eq!(answer.status, 200, "{size} {format}");
        let said = (number(&answer, "x-width"), number(&answer, "x-height"));
        assert_eq!(pictures::stored_size(&answer.body), Some(said));
        let (width, height) = (f64::from(said.0), f64::from(said.1));
        // Sides are whole pixels, rounded down.
        let found = width * height / 1e6;
        assert!(
            found <= megapixels && found > 0.998 * megapixels,
            "{size} {format}: {found}"
        );
        assert!((width / height - 6000.0 / 4400.0).abs() < 0.002, "{said:?}");
    }
    server.assert_books_balance();
}

#[test]
fn json_holds_the_same_picture_and_its_box() {
    let server = spawn(&[]);
    let (mime, body) = form(&[("crop", "true")]).finish();
    let raw = send(&server, REMOVEBG, &mime, &[], &body);
    let accept = [("Accept", "application/json")];
    let answer = send(&server, REMOVEBG, &mime, &accept, &body);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let json = answer.json();
    let data = json["data"].as_object().unwrap();
    let keys: Vec<_> = data.keys().map(String::as_str).collect();
    let sides = ["height", "left", "top", "width"].map(|side| format!("foreground_{side}"));
    assert_eq!(
        keys,
        [
            sides.each_ref().map(String::as_str).as_slice(),
            &["result_b64"]
        ]
        .concat()
    );
    assert!(
        data["result_b64"] == Value::String(base64(&raw.body)),
        "the same picture"
    );
    for side in ["top", "left", "width", "height"] {
        let header = number(&raw, &format!("x-foreground-{side}"));
        assert_eq!(data[&format!("foreground_{side}")], json!(header), "{side}");
        assert_eq!(number(&answer, &format!("x-foreground-{side}")), header);
    }
    // A library that takes anything is sent the picture.
    let accept = [("Accept", "application/json, text/plain, */*")];
    let any = send(&server, REMOVEBG, &mime, &accept, &body);
    assert!(any.body == raw.body);
    // In JSON the guards end as they do elsewhere.
    server.assert_books_balance();
}

#[test]
fn a_zip_holds_the_colours_and_the_transparency_of_the_result() {
    let server = spawn(&[]);
    let reference = cut(&server, &[]);
    let composed = |fields: &[(&str, &str)]| {
        let mut all = vec![("format", "zip")];
        all.extend(fields);
        let answer = asked(&server, &all);
        assert_eq!(answer.header("content-type"), Some("application/zip"));
        let files = pictures::unzipped(&answer.body);
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["color.jpg", "alpha.png"]);
        let color = pictures::decoded(&files[0].1).to_rgb8();
        let alpha = pictures::decoded(&files[1].1);
        assert_eq!(alpha.color(), image::ColorType::L8, "a grey PNG");
        let alpha = alpha.to_luma8();
        RgbaImage::from_fn(color.width(), color.height(), |x, y| {
            let image::Rgb([r, g, b]) = *color.get_pixel(x, y);
            image::Rgba([r, g, b, alpha.get_pixel(x, y).0[0]])
        })
    };
    let apart = |a: &RgbaImage, b: &RgbaImage| {
        let seen = |p: &image::Rgba<u8>| p.0.map(|v| f64::from(v) * f64::from(p.0[3]) / 255.0);
        let error = a.pixels().zip(b.pixels()).map(|(a, b)| {
            let (a, b) = (seen(a), seen(b));
            (0..4).map(|i| (a[i] - b[i]).abs()).fold(0.0, f64::max)
        });
        error.sum::<f64>() / f64::from(a.width() * a.height())
    };
    let zip = composed(&[]);
    assert!(
        zip.pixels()
            .zip(reference.pixels())
            .all(|(a, b)| a.0[3] == b.0[3])
    );
    assert!(apart(&zip, &reference) < 1.5, "{}", apart(&zip, &reference));
    // What stands behind the subject is part of the result.
    let on = composed(&[("bg_color", "white")]);
    assert!(on.pixels().all(|p| p.0[3] == 255));
    assert!(on.get_pixel(1, 1).0.iter().all(|v| *v >= 252));
    let shadow = composed(&[("add_shadow", "true")]);
    let png = cut(&server, &[("add_shadow", "true")]);
    assert!(
        shadow
            .pixels()
            .zip(png.pixels())
            .all(|(a, b)| a.0[3] == b.0[3])
    );
}

#[test]
fn formats_grounds_and_places_are_as_asked_for() {
    let server = spawn(&[]);
    for (fields, mime) in [
        (&[][..], "image/png"),
        (&[("bg_color", "white")][..], "image/jpeg"),
        (&[("bg_color", "ffffff80")][..], "image/png"),
        (&[("channels", "alpha")][..], "image/png"),
        (
            &[("channels", "alpha"), ("format", "jpg")][..],
            "image/jpeg",
        ),
        (&[("format", "webp")][..], "image/webp"),
        (&[("format", "jpg")][..], "image/jpeg"),
    ] {
        let answer = asked(&server, fields);
        assert_eq!(answer.header("content-type"), Some(mime), "{fields:?}");
        good(mime, &answer);
    }
    let png = |fields: &[(&str, &str)]| {
        let mut all = vec![("format", "png")];
        all.extend(fields);
        cut(&server, &all)
    };
    assert_eq!(
        png(&[("bg_color", "f0f")]).get_pixel(2, 2).0,
        [255, 0, 255, 255]
    );
    assert_eq!(
        png(&[("bg_color", "81d4fa77")]).get_pixel(2, 2).0,
        [0x81, 0xd4, 0xfa, 0x77]
    );
    // A picture as ground, of the format that is given.
    let ground = pictures::encoded(
        image::RgbImage::from_pixel(30, 30, image::Rgb([10, 200, 30])),
        image::ImageFormat::Png,
    );
    let on = form(&[("format", "png")]).file("bg_image_file", "ground.png", &ground);
    let on = good("a ground", &server.form(REMOVEBG, on));
    assert_eq!(on.get_pixel(2, 2).0, [10, 200, 30, 255]);
    let jpeg = form(&[]).file("bg_image_file", "ground.png", &ground);
    assert_eq!(
        server.form(REMOVEBG, jpeg).header("content-type"),
        Some("image/jpeg")
    );

    let sides = |fields: &[(&str, &str)]| {
        let answer = asked(&server, fields);
        ["left", "top", "width", "height"]
            .map(|side| number(&answer, &format!("x-foreground-{side}")))
    };
    let [left, top, width, height] = sides(&[("scale", "50%")]);
    assert!(height.abs_diff(120) <= 2, "{height}");
    assert!((left * 2 + width).abs_diff(SIZE.0) <= 3 && (top * 2 + height).abs_diff(SIZE.1) <= 3);
    let [left, top, ..] = sides(&[("position", "0% 0%")]);
    assert!(left <= 1 && top <= 1, "{left} {top}");
    // Everything outside the region is ground.
    let half = png(&[("roi", "0% 0% 50% 100%")]);
    assert_eq!(half.get_pixel(200, 125).0[3], 0);
    assert_eq!(half.get_pixel(130, 125).0[3], 255);
}

#[test]
fn a_region_in_pixels_is_of_the_picture_that_was_sent() {
    let server = spawn(&[]);
    let big = pictures::jpeg(1600, 1200);
    let answer = |roi: &str| {
        let form = Form::new().file("image_file", "x", &big).text("roi", roi);
        good(roi, &server.form(REMOVEBG, form))
    };
    let (pixels, percent) = (answer("0 0 800 1200"), answer("0% 0% 50% 100%"));
    assert!(pixels == percent, "though the preview is smaller");
    assert_eq!(pixels.width(), 577);
}

#[test]
fn accounts_are_rich_improvement_is_refused_and_keys_are_ignored() {
    let server = spawn(&[]);
    let account = server.get("/v1.0/account");
    assert_eq!(account.status, 200);
    let attributes = &account.json()["data"]["attributes"];
    for credits in ["total", "subscription", "payg", "enterprise"] {
        assert!(
            attributes["credits"][credits].as_u64().unwrap() >= 99_999,
            "{credits}"
        );
    }
    assert!(attributes["api"]["free_calls"].as_u64().unwrap() >= 99_999);
    assert_eq!(attributes["api"]["sizes"], "all");
    let improve = server.form("/v1.0/improve", form(&[("tag", "x")]));
    assert_eq!(improve.status, 501);
    assert_eq!(improve.json()["errors"][0]["code"], "refused_by_design");
    assert!(improve.json()["errors"][0]["title"].is_string());

    let (mime, body) = form(&[]).finish();
    let plain = send(&server, REMOVEBG, &mime, &[], &body).body;
    for key in [
        ("X-API-Key", "zq7canary"),
        ("X-Api-Key", ""),
        ("Authorization", "Bearer zq7canary"),
    ] {
        assert!(
            send(&server, REMOVEBG, &mime, &[key], &body).body == plain,
            "{key:?}"
        );
        let account = http::request(server.address, "GET", "/v1.0/account", &[key], b"").unwrap();
        assert_eq!(account.status, 200, "{key:?}");
    }
    assert!(!server.log().join("\n").contains("zq7canary"));
    server.assert_books_balance();
}
