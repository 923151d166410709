//! Restoration: it lowers the error of a damaged picture, and leaves a sound one alone.

use image::{ImageFormat, RgbImage};

use crate::common::{Answer, Server, pictures, spawn};

fn restored(server: &Server, query: &str, picture: &[u8]) -> Answer {
    let path = format!("/v1/restore?format=png&{query}");
    let answer = server.post(&path, "image/png", picture);
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{query}: {text}");
    answer
}

fn pixels(server: &Server, query: &str, picture: &[u8]) -> RgbImage {
    restored(server, query, picture).picture().to_rgb8()
}

#[test]
fn denoise_and_dejpeg_lower_the_error_and_strength_says_how_much() {
    let server = spawn(&[]);
    // Wider than a tile, so that there are seams.
    let clean = pictures::subject(400, 300);
    let noisy = pictures::noisy(&clean, 15.0, 7);
    let bytes = pictures::encoded(noisy.clone(), ImageFormat::Png);
    let before = pictures::error(&noisy, &clean);
    let full = pixels(&server, "steps=denoise,dejpeg", &bytes);
    let after = pictures::error(&full, &clean);
    assert!(after < 0.7 * before, "{before} became {after}");

    assert!(
        pixels(&server, "steps=denoise&strength=0", &bytes) == noisy,
        "0 changes nothing"
    );
    let half = pixels(&server, "steps=denoise,dejpeg&strength=0.5", &bytes);
    let between = pictures::error(&half, &clean);
    assert!(
        after < between && between < before,
        "{after} {between} {before}"
    );

    let answer = restored(&server, "steps=auto", &bytes);
    assert_eq!(answer.header("x-model"), Some("restore"));
    assert_eq!(answer.header("x-model-license"), Some("Apache-2.0"));
    assert!(answer.picture().to_rgb8() == full, "auto sees the noise");
    assert_eq!(answer.header("x-image-width"), Some("400"));
    server.assert_books_balance();
}

#[test]
fn auto_repairs_a_blocky_jpeg_and_leaves_sound_pictures_alone() {
    let server = spawn(&[]);
    let clean = pictures::subject(320, 240);
    let sound = pictures::encoded(clean.clone(), ImageFormat::Png);
    let answer = restored(&server, "steps=auto", &sound);
    assert_eq!(answer.header("x-model"), None, "no model ran");
    assert!(
        answer.picture().to_rgb8() == clean,
        "every pixel is the same"
    );

    let jpeg =
        |quality| pictures::jpeg_of(&clean, (320, 240), pictures::JpegColor::Rgb, quality, false);
    let blocky = jpeg(15);
    let before = pictures::error(&pictures::decoded(&blocky).to_rgb8(), &clean);
    let after = pictures::error(&pixels(&server, "", &blocky), &clean);
    assert!(after < 0.95 * before, "{before} became {after}");

    let fine = restored(&server, "", &jpeg(95));
    assert_eq!(fine.header("x-model"), None);
}

#[test]
fn alpha_stays_and_an_opaque_jpeg_is_answered_with_a_jpeg() {
    let server = spawn(&[]);
    let clear = pictures::half_transparent(200, 100);
    let bytes = pictures::encoded(clear.clone(), ImageFormat::Png);
    let answer = restored(&server, "steps=denoise", &bytes)
        .picture()
        .to_rgba8();
    assert!(
        answer
            .pixels()
            .zip(clear.pixels())
            .all(|(a, b)| a[3] == b[3]),
        "alpha is not restored"
    );
    let answer = server.post("/v1/restore", "image/jpeg", &pictures::jpeg(64, 48));
    assert_eq!(answer.header("content-type"), Some("image/jpeg"));
    assert_eq!(answer.header("x-mask-confidence"), None);
}
