//! `transform`: every option, good and bad, and what holds for all of them.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use safelight::ops::options::{Options, Transform};

use crate::common::{Answer, Form, Server, pictures, spawn};

const PATH: &str = "/v1/transform";

fn ask(server: &Server, query: &str, picture: &[u8]) -> Answer {
    server.post(&format!("{PATH}?{query}"), "image/png", picture)
}

fn done(server: &Server, query: &str, picture: &[u8]) -> DynamicImage {
    let answer = ask(server, query, picture);
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{query}: {text}");
    let picture = answer.picture();
    let head = |name| answer.header(name).unwrap().parse::<u32>().unwrap();
    let said = (head("x-image-width"), head("x-image-height"));
    assert_eq!(said, (picture.width(), picture.height()), "{query}");
    picture
}

/// What an option is tried with, its name, a value, and the size and transparency of what comes of
/// 320 x 240.
type Try = (&'static str, &'static str, &'static str, (u32, u32), bool);

const EACH: &[Try] = &[
    ("", "width", "100", (100, 75), false),
    ("", "height", "60", (80, 60), false),
    ("width=50&height=50", "fit", "cover", (50, 50), false),
    (
        "width=50&height=50&fit=cover",
        "gravity",
        "west",
        (50, 50),
        false,
    ),
    ("width=640", "enlarge", "true", (640, 480), false),
    ("width=100", "filter", "nearest", (100, 75), false),
    ("", "crop", "10%25,20,50%25,100", (160, 100), false),
    ("", "rotate", "90", (240, 320), false),
    ("", "flip", "h", (320, 240), false),
    ("", "grayscale", "true", (320, 240), false),
    ("", "blur", "2.5", (320, 240), false),
    ("", "sharpen", "1.5", (320, 240), false),
    ("", "radius", "20", (320, 240), true),
    ("", "pad", "10", (340, 260), true),
    ("pad=10", "background", "red", (340, 260), false),
    ("pad=10", "flatten", "true", (340, 260), false),
    ("", "watermark_position", "tile", (320, 240), false),
    ("", "watermark_opacity", "0.5", (320, 240), false),
];

#[test]
fn every_option_does_its_work_as_parameter_and_as_field() {
    let mut listed: Vec<_> = EACH.iter().map(|(_, name, ..)| *name).collect();
    let mut known: Vec<_> = Transform::SPECS.iter().map(|spec| spec.name).collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known, "every option has its line here");

    let server = spawn(&[]);
    let mark = pictures::encoded(pictures::plain(30, 20), ImageFormat::Png);
    for (base, name, value, size, clear) in EACH {
        let form = || match name.starts_with("watermark") {
            true => Form::of(&pictures::png(320, 240)).file("watermark_file", "m", &mark),
            false => Form::of(&pictures::png(320, 240)),
        };
        let without = server.form(&format!("{PATH}?{base}"), form());
        let parameter = server.form(&format!("{PATH}?{base}&{name}={value}"), form());
        let field = form().text(name, &value.replace("%25", "%"));
        let field = server.form(&format!("{PATH}?{base}"), field);
        assert_eq!(
            parameter.status,
            200,
            "{name}: {:?}",
            String::from_utf8_lossy(&parameter.body)
        );
        assert!(
            parameter.body == field.body,
            "{name}: parameter and field differ"
        );
        assert!(parameter.body != without.body, "{name} changes nothing");
        let picture = parameter.picture();
        assert_eq!((picture.width(), picture.height()), *size, "{name}");
        assert_eq!(picture.color().has_alpha(), *clear, "{name}");
        assert_eq!(parameter.header("x-model"), None, "{name}: no model ran");
    }
    server.assert_books_balance();
}

#[test]
fn what_an_option_does_not_take_is_refused_and_not_repeated() {
    let server = spawn(&[]);
    let picture = pictures::png(64, 48);
    for spec in Transform::SPECS {
        let answer = ask(&server, &format!("{}=zq7canary%01", spec.name), &picture);
        answer.assert_problem(spec.name, 400, "bad_value");
    }
    for query in [
        "width=0",
        "width=65536",
        "height=-1",
        "fit=stretch",
        "gravity=up",
        "crop=0,0,10",
        "crop=-1,0,5,5",
        "rotate=45",
        "flip=both",
        "pad=-1",
        "background=blur",
        "blur=101",
        "sharpen=5.1",
        "filter=sinc",
        "radius=101%25",
        "watermark_position=smart",
        "watermark_opacity=2",
        "subsampling=4:1:1",
        "progressive=some",
    ] {
        let answer = ask(&server, query, &picture);
        answer.assert_problem(query, 400, "bad_value");
        let name = query.split('=').next().unwrap();
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.starts_with(&format!("`{name}` takes ")),
            "{query}: {detail}"
        );
    }
    let answer = ask(&server, "widht=5", &picture);
    answer.assert_problem("a typing error", 400, "unknown_option");
    assert!(
        answer.json()["detail"]
            .to_string()
            .contains("Did you mean `width`?")
    );
    server.assert_books_balance();
}

#[test]
fn options_that_need_others_are_refused_without_them() {
    let server = spawn(&[]);
    for (query, word) in [
        ("fit=cover&width=5", "`height`"),
        ("fit=contain", "`width`"),
        ("gravity=north", "`fit=cover`"),
        ("gravity=smart&fit=contain&width=5&height=5", "`fit=cover`"),
        ("flatten=true&background=%2300000080", "opaque"),
        ("watermark_position=tile", "`watermark_file`"),
        ("watermark_opacity=0.5", "`watermark_file`"),
    ] {
        let answer = ask(&server, query, &pictures::png(64, 48));
        answer.assert_problem(query, 400, "options_conflict");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains(word), "{query}: {detail}");
    }
    server.assert_books_balance();
}

#[test]
fn a_result_may_not_be_larger_than_a_picture() {
    let server = spawn(&["--max-side=1000", "--max-megapixels=0.5"]);
    let picture = pictures::png(64, 48);
    for (query, parts) in [
        ("width=1001&enlarge=true", ["1001", "1000", "--max-side"]),
        ("width=900&enlarge=true", ["0.6", "0.5", "--max-megapixels"]),
        ("pad=500", ["1064", "1000", "--max-side"]),
        (
            "width=900&height=900&fit=contain",
            ["0.8", "0.5", "--max-megapixels"],
        ),
        (
            "height=900&enlarge=true&rotate=90",
            ["0.6", "0.5", "--max-megapixels"],
        ),
    ] {
        let answer = ask(&server, query, &picture);
        answer.assert_problem(query, 422, "result_too_large");
        let detail = answer.json()["detail"].to_string();
        assert!(
            parts.iter().all(|part| detail.contains(part)),
            "{query}: {detail}"
        );
    }
    // A margin around the subject is held to it too, once the subject is known.
    let margin = "/v1/remove-background?crop=true&crop_margin=900";
    let answer = server.post(margin, "image/png", &pictures::png(320, 240));
    answer.assert_problem(margin, 422, "result_too_large");
    for query in ["crop=60,0,10,10", "crop=0,0,0,10"] {
        let answer = ask(&server, query, &picture);
        answer.assert_problem(query, 422, "roi_outside");
        assert!(answer.json()["detail"].to_string().contains("`crop`"));
    }
    server.assert_books_balance();
}

#[test]
fn gravity_smart_keeps_the_subject() {
    let server = spawn(&[]);
    // The ball at the far right of a wide picture.
    let ball = pictures::subject(240, 240);
    let wide = RgbImage::from_fn(960, 240, |x, y| match x.checked_sub(700) {
        Some(x) if x < 240 => *ball.get_pixel(x, y),
        _ => *ball.get_pixel(0, y),
    });
    let wide = pictures::encoded(wide, ImageFormat::Png);
    let orange = |query: &str| {
        let picture = done(&server, query, &wide).to_rgb8();
        picture.pixels().filter(|Rgb([r, _, b])| *r > *b).count()
    };
    let square = "width=120&height=120&fit=cover";
    let all = orange("height=120");
    assert_eq!(orange(square), 0, "the middle holds nothing of it");
    let smart = ask(&server, &format!("{square}&gravity=smart"), &wide);
    assert_eq!(smart.header("x-model"), Some("cutout"));
    let kept = orange(&format!("{square}&gravity=smart"));
    assert!(kept * 100 >= all * 97, "{kept} of {all}");
    // Where there is nothing to find it is the middle.
    let plain = pictures::encoded(pictures::plain(300, 100), ImageFormat::Png);
    done(&server, &format!("{square}&gravity=smart"), &plain);
    server.assert_books_balance();
}

#[test]
fn pictures_are_converted_and_lose_what_is_not_pixels() {
    let server = spawn(&["--formats", "jpeg,png,webp,gif,bmp,tiff"]);
    let picture = pictures::subject(160, 120);
    for from in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
    ] {
        let bytes = pictures::encoded(picture.clone(), from);
        for to in ["png", "jpeg", "webp"] {
            let answer = ask(&server, &format!("format={to}"), &bytes);
            assert_eq!(answer.header("content-type"), Some(&*format!("image/{to}")));
            // A GIF has 256 colours, and each lossy format its own loss.
            let off = pictures::error(&answer.picture().to_rgb8(), &picture);
            assert!(off < 9.0, "{from:?} to {to}: {off}");
        }
    }
    let exif = pictures::exif_orientation(6);
    let jpeg = pictures::with_segment(&pictures::jpeg(160, 120), 0xe1, &exif);
    let jpeg = pictures::with_segment(&jpeg, 0xfe, b"a comment");
    for format in ["jpeg", "png", "webp"] {
        let answer = ask(&server, &format!("format={format}&width=60"), &jpeg);
        let picture = answer.picture();
        assert_eq!(
            (picture.width(), picture.height()),
            (60, 80),
            "it is upright first"
        );
        for part in [b"Exif".as_slice(), b"a comment", b"eXIf", b"EXIF"] {
            let found = answer.body.windows(part.len()).any(|window| window == part);
            assert!(!found, "{format}");
        }
    }
    server.assert_books_balance();
}

#[test]
fn jpegs_are_progressive_and_subsampled_as_asked() {
    let server = spawn(&[]);
    let picture = pictures::png(64, 48);
    // The start of frame (ITU-T T.81, B.2.2): its kind, and the sampling factors of luma.
    let frame = |query: &str| {
        let bytes = ask(&server, &format!("format=jpeg&{query}"), &picture).body;
        let is_frame = |w: &[u8]| w[0] == 0xff && matches!(w[1], 0xc0..=0xc2) && w[2] == 0;
        let at = bytes.windows(3).position(is_frame).unwrap();
        (bytes[at + 1] == 0xc2, bytes[at + 11])
    };
    assert_eq!(frame(""), (false, 0x22));
    assert_eq!(frame("progressive=true"), (true, 0x22));
    assert_eq!(frame("subsampling=4:4:4"), (false, 0x11));
    assert_eq!(frame("quality=95"), (false, 0x11));
    assert_eq!(frame("quality=95&subsampling=4:2:0"), (false, 0x22));
    server.assert_books_balance();
}

#[test]
fn a_jpeg_that_is_decoded_small_gives_the_same_picture_in_the_same_size() {
    let server = spawn(&[]);
    let coded = |size: (u16, u16), progressive| {
        let whole = pictures::patterned(size.0.into(), size.1.into());
        let rgb = pictures::JpegColor::Rgb;
        pictures::jpeg_of(whole.as_raw(), size, rgb, 95, progressive)
    };
    // Sides of which a fraction is even, and such of which it is not.
    let (even, odd) = ((1600, 1200), (1603, 1201));
    let turned = |bytes: &[u8]| {
        let exif = pictures::exif_orientation(6);
        pictures::with_segment(bytes, 0xe1, &exif)
    };
    // A progressive file is always decoded whole.
    for (small, full) in [
        (coded(odd, false), coded(odd, true)),
        (turned(&coded(odd, false)), turned(&coded(odd, true))),
        (turned(&coded(even, false)), turned(&coded(even, true))),
    ] {
        for query in [
            "width=100",
            "width=201",
            "height=333&rotate=90",
            "width=120&height=120&fit=cover&gravity=east",
            "width=90&height=300&fit=fill&flip=h",
            "width=250&height=200&fit=contain&background=red",
            "width=97&height=203&fit=outside&rotate=270",
        ] {
            let query = format!("{query}&format=png");
            let small = done(&server, &query, &small).to_rgb8();
            let full = done(&server, &query, &full).to_rgb8();
            assert_eq!(small.dimensions(), full.dimensions(), "{query}");
            let off = pictures::error(&small, &full);
            assert!(off < 1.5, "{query}: {off}");
        }
    }
    server.assert_books_balance();
}
