//! What is sent: noise and photographs in every format that is read, to every kind of answer.

use image::{ImageFormat, RgbImage};

use crate::{
    common::{Answer, Form, Server, pictures},
    scan::{Kind, Pieces},
};

pub const BACKGROUND: &str = "/v1/remove-background";

pub fn uncompressed(picture: &RgbImage) -> Vec<u8> {
    let (width, height) = picture.dimensions();
    let rows = picture.rows().flat_map(|row| {
        let samples = row.flat_map(|pixel| pixel.0);
        [0].into_iter().chain(samples).collect::<Vec<_>>()
    });
    let head = pictures::crafted::ihdr(width, height, 8, 2, false);
    let data = pictures::crafted::zlib_stored(&rows.collect::<Vec<_>>());
    pictures::crafted::png(&[(b"IHDR", &head), (b"IDAT", &data), (b"IEND", b"")])
}

/// A JPEG with a camera's notes, which are noise here.
pub fn photograph(picture: &RgbImage, seed: u32) -> Vec<u8> {
    let jpeg = pictures::encoded(picture.clone(), ImageFormat::Jpeg);
    let notes = pictures::noise(64, 64, seed).into_raw();
    let exif = [pictures::exif_orientation(1), notes].concat();
    pictures::with_segment(&jpeg, 0xe1, &exif)
}

/// Makes pictures of a given side, none like another, each noted to be looked for.
pub fn fresh(pieces: &mut Pieces, mut seed: u32) -> impl FnMut(u32) -> Vec<u8> {
    move |side| {
        seed += 1;
        let picture = pictures::noise(side, side, seed);
        let file = uncompressed(&picture);
        pieces.file(Kind::Upload, &file);
        pieces.pixels(&picture.into());
        file
    }
}

/// Sends a picture, raw or in a form, and notes what to look for afterwards.
pub fn send(server: &Server, pieces: &mut Pieces, path: &str, file: &[u8], form: bool) -> Answer {
    let answer = if form {
        server.form(path, Form::of(file))
    } else {
        server.post(path, "image/png", file)
    };
    let text = String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]);
    assert_eq!(answer.status, 200, "{path}: {text}");
    pieces.file(Kind::Upload, file);
    pieces.pixels(&pictures::decoded(file));
    let restored = path.contains("denoise");
    pieces.answer(&answer.body, restored);
    answer
}

/// One after the other: every format that is read, every format that is written.
pub fn in_sequence(server: &Server) -> Pieces {
    let mut pieces = Pieces::default();
    let mut all = |path: &str, file: &[u8], form| {
        send(server, &mut pieces, path, file, form);
    };
    // Of the nets' own size, so that the tensor holds the samples as they are.
    let noise = |seed| pictures::noise(352, 352, seed);
    let white = format!("{BACKGROUND}?background=white&format=png");
    all(&white, &uncompressed(&noise(1)), true);
    let bitmap = pictures::encoded(pictures::noise(256, 256, 2), ImageFormat::Bmp);
    all("/v1/restore?steps=denoise&format=png", &bitmap, false);
    all(BACKGROUND, &photograph(&noise(3), 30), true);
    let both = format!("{BACKGROUND}?output=both");
    let clear = pictures::noise(352, 352, 4);
    let clear = RgbaNoise::of(&clear);
    all(&both, &pictures::encoded(clear, ImageFormat::Png), false);
    let webp = pictures::webp_of(&noise(5).into(), None);
    all(
        "/v1/restore?strength=0&format=webp&lossless=true",
        &webp,
        false,
    );
    all(
        "/v1/restore?steps=denoise&format=jpeg",
        &photograph(&noise(6), 60),
        false,
    );
    all(
        "/v1/restore?strength=0&format=webp",
        &uncompressed(&noise(7)),
        true,
    );
    all(
        "/v1/restore?strength=0&compression=balanced",
        &pictures::crafted::interlaced(&noise(8)),
        false,
    );
    let subject = pictures::noisy(&pictures::subject(352, 352), 9.0, 9);
    let blur = format!("{BACKGROUND}?background=blur&shadow=drop&crop=true&format=webp");
    all(&blur, &uncompressed(&subject), false);
    let ground = uncompressed(&pictures::noise(300, 300, 10));
    let form = Form::of(&uncompressed(&subject)).file("background_file", "ground", &ground);
    let answer = server.form(BACKGROUND, form);
    assert_eq!(answer.status, 200);
    pieces.file(Kind::Upload, &ground);
    pieces.pixels(&pictures::decoded(&ground));
    pieces.answer(&answer.body, false);
    // Decoded at a quarter of its size, on a way of its own.
    let jpeg = photograph(&pictures::noise(1200, 900, 12), 120);
    send(
        server,
        &mut pieces,
        "/v1/transform?width=200&format=webp&lossless=true",
        &jpeg,
        true,
    );
    let noise = uncompressed(&pictures::noise(352, 352, 13));
    let turned = "/v1/transform?rotate=90&flip=h&pad=3&radius=9&compression=small";
    send(server, &mut pieces, turned, &noise, false);
    let list = r#"[{"op":"restore","strength":0},{"op":"transform","flip":"v"}]"#;
    let piped = uncompressed(&pictures::noise(352, 352, 14));
    let answer = server.form("/v1/pipeline", Form::of(&piped).text("ops", list));
    assert_eq!(answer.status, 200);
    pieces.file(Kind::Upload, &piped);
    pieces.pixels(&pictures::decoded(&piped));
    pieces.answer(&answer.body, false);
    let batch = [15, 16].map(|seed| uncompressed(&pictures::noise(352, 352, seed)));
    let form = Form::of(&batch[0]).file("file", "b", &batch[1]);
    let answer = server.form("/v1/batch", form.text("ops", list));
    assert_eq!(answer.status, 200);
    for file in &batch {
        pieces.file(Kind::Upload, file);
        pieces.pixels(&pictures::decoded(file));
    }
    pieces.answer(&answer.joined().expect("all of the ZIP"), false);
    let inspected = uncompressed(&pictures::noise(300, 300, 11));
    assert_eq!(server.form("/v1/inspect", Form::of(&inspected)).status, 200);
    pieces.file(Kind::Upload, &inspected);
    pieces
}

pub struct RgbaNoise;

impl RgbaNoise {
    /// Noise with noise as its alpha.
    pub fn of(rgb: &RgbImage) -> image::RgbaImage {
        image::RgbaImage::from_fn(rgb.width(), rgb.height(), |x, y| {
            let [r, g, b] = rgb.get_pixel(x, y).0;
            image::Rgba([r, g, b, (r ^ g).max(1)])
        })
    }
}
