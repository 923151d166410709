//! Enhancement: it does what each option says, and no harm when it is done again.

use image::{ImageFormat, Rgb, RgbImage};

use crate::common::{Answer, Server, pictures, spawn};

fn enhanced(server: &Server, query: &str, picture: &[u8]) -> Answer {
    let path = format!("/v1/enhance?format=png&{query}");
    let answer = server.post(&path, "image/png", picture);
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{query}: {text}");
    answer
}

fn pixels(server: &Server, query: &str, picture: &RgbImage) -> RgbImage {
    let bytes = pictures::encoded(picture.clone(), ImageFormat::Png);
    enhanced(server, query, &bytes).picture().to_rgb8()
}

/// A picture that is dim, flat, and lit by a warm lamp.
fn dim() -> RgbImage {
    RgbImage::from_fn(320, 240, |x, y| {
        let (u, v) = (f64::from(x) / 320.0, f64::from(y) / 240.0);
        let bars = if (x / 40 + y / 40) % 2 == 0 {
            25.0
        } else {
            0.0
        };
        let base = [
            20.0 + 90.0 * u + bars,
            20.0 + 85.0 * u + bars,
            15.0 + 60.0 * v + bars,
        ];
        Rgb(base.map(|s| s as u8))
    })
}

/// The mean of each channel.
fn means(picture: &RgbImage) -> [f64; 3] {
    let count = f64::from(picture.width() * picture.height());
    [0, 1, 2].map(|c| picture.pixels().map(|p| f64::from(p[c])).sum::<f64>() / count)
}

/// The standard deviation of green.
fn spread(picture: &RgbImage) -> f64 {
    let mean = means(picture)[1];
    let squares = picture.pixels().map(|p| (f64::from(p[1]) - mean).powi(2));
    (squares.sum::<f64>() / f64::from(picture.width() * picture.height())).sqrt()
}

/// The mean step between neighbours of a row, in green.
fn steps(picture: &RgbImage) -> f64 {
    let row = |y: u32| (1..picture.width()).map(move |x| (x, y));
    let step = |(x, y): (u32, u32)| {
        f64::from(picture.get_pixel(x, y)[1].abs_diff(picture.get_pixel(x - 1, y)[1]))
    };
    (0..picture.height()).flat_map(row).map(step).sum::<f64>()
        / f64::from(picture.width() * picture.height())
}

const NOTHING: &str = "tone=none&white_balance=none&sharpen=0&denoise=0";

#[test]
fn each_option_does_its_own_part() {
    let server = spawn(&[]);
    let dim = dim();
    assert!(
        pixels(&server, NOTHING, &dim) == dim,
        "nothing asked for, nothing done"
    );
    assert!(
        pixels(&server, "strength=0", &dim) == dim,
        "0 is the identity"
    );
    let only = |option: &str| {
        let name = option.split('=').next().unwrap();
        let others: Vec<_> = NOTHING
            .split('&')
            .filter(|other| !other.starts_with(name))
            .collect();
        pixels(&server, &format!("{}&{option}", others.join("&")), &dim)
    };
    let tone = only("tone=auto");
    assert!(
        spread(&tone) > 1.15 * spread(&dim),
        "{}: {}",
        spread(&dim),
        spread(&tone)
    );
    assert!(means(&tone)[1] > means(&dim)[1] + 5.0, "it is lighter");

    let balanced = only("white_balance=auto");
    let warmth = |picture: &RgbImage| means(picture)[0] - means(picture)[2];
    assert!(
        warmth(&balanced) < 0.9 * warmth(&dim),
        "{} {}",
        warmth(&dim),
        warmth(&balanced)
    );
    assert!(warmth(&balanced) > 0.0, "warm light stays warm");

    let (little, much) = (only("sharpen=0.5"), only("sharpen=2"));
    assert!(steps(&little) > steps(&dim) && steps(&much) > steps(&little));

    let noisy = pictures::noisy(&dim, 15.0, 5);
    let quiet = NOTHING.replace("denoise=0", "");
    let error = |denoise: &str| {
        pictures::error(
            &pixels(&server, &format!("{quiet}denoise={denoise}"), &noisy),
            &dim,
        )
    };
    let (auto, all, half, none) = (error("auto"), error("1"), error("0.5"), error("0"));
    assert!(
        (auto - all).abs() < 1e-9,
        "auto sees the noise: {auto} {all}"
    );
    assert!(all < half && half < none, "{all} {half} {none}");
    server.assert_books_balance();
}

#[test]
fn strength_is_between_and_a_second_time_does_less() {
    let server = spawn(&[]);
    let dim = dim();
    let once = pixels(&server, "", &dim);
    let first = pictures::error(&once, &dim);
    assert!(first > 5.0, "something was to be done: {first}");
    let half = pictures::error(&pixels(&server, "strength=0.5", &dim), &dim);
    assert!(
        half > 0.3 * first && half < 0.7 * first,
        "{half} of {first}"
    );
    let mut rounds = vec![dim, once];
    for _ in 0..4 {
        rounds.push(pixels(&server, "", rounds.last().unwrap()));
    }
    let changes: Vec<_> = rounds
        .windows(2)
        .map(|two| pictures::error(&two[1], &two[0]))
        .collect();
    assert!(changes[1] < 0.7 * first, "{changes:?}");
    assert!(changes[4] < 0.1 * first, "it comes to an end: {changes:?}");
    // Five times is no disaster: hardly a sample has lost what it told, and what was to be done is.
    let (dim, last) = (&rounds[0], &rounds[5]);
    let lost = |sample: u8| {
        let lost = last.iter().filter(|s| **s == sample).count();
        lost as f64 / last.len() as f64
    };
    let (black, white) = (lost(0), lost(255));
    assert!(black < 0.01 && white < 0.01, "{black} {white}");
    let mean = means(last)[1];
    assert!((90.0..165.0).contains(&mean), "{mean}");
    let (before, after) = (spread(dim), spread(last));
    assert!(after > 1.5 * before, "{before} {after}");
    server.assert_books_balance();
}

#[test]
fn alpha_stays_and_the_stages_are_named() {
    let server = spawn(&[]);
    let clear = pictures::half_transparent(200, 100);
    let bytes = pictures::encoded(clear.clone(), ImageFormat::Png);
    let answer = enhanced(&server, "", &bytes);
    let timing = answer.header("server-timing").unwrap().to_owned();
    for stage in ["measure", "tone", "sharpen"] {
        assert!(timing.contains(stage), "{timing}");
    }
    let out = answer.picture().to_rgba8();
    assert!(out.pixels().zip(clear.pixels()).all(|(a, b)| a[3] == b[3]));
    for (width, height) in [(1, 1), (3, 200), (17, 16)] {
        let tiny = pictures::encoded(pictures::subject(width, height), ImageFormat::Png);
        let out = enhanced(&server, "", &tiny).picture();
        assert_eq!((out.width(), out.height()), (width, height));
    }
    let list = r#"[{"op":"enhance","sharpen":0},{"op":"transform","width":50}]"#;
    let path = format!("/v1/pipeline?ops={}", list.replace('"', "%22"));
    let answer = server.post(&path, "image/png", &bytes);
    assert_eq!(answer.header("x-image-width"), Some("50"));
    server.assert_books_balance();
}
