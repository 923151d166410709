//! Pictures made in code, so that nothing has to be checked in or fetched.

pub mod crafted;
pub mod kinds;

use std::io::{Cursor, Read};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

/// A subject that a salient-object net finds: a large, bright, shaded ball on a dark, plain
/// ground, with a soft shadow.
pub fn subject(width: u32, height: u32) -> RgbImage {
    let (cx, cy) = (f64::from(width) * 0.5, f64::from(height) * 0.52);
    let radius = f64::from(width.min(height)) * 0.33;
    RgbImage::from_fn(width, height, |x, y| {
        let (dx, dy) = ((f64::from(x) - cx) / radius, (f64::from(y) - cy) / radius);
        let d2 = dx * dx + dy * dy;
        if d2 < 1.0 {
            // Lambert's law with a light from the upper left.
            let normal = (1.0 - d2).sqrt();
            let light = (0.25 + 0.75 * (-0.45 * dx - 0.55 * dy + 0.7 * normal)).clamp(0.1, 1.0);
            let stripe = if ((dx * 6.0).floor() as i64).rem_euclid(2) == 0 {
                1.0
            } else {
                0.8
            };
            Rgb([
                (250.0 * light) as u8,
                (130.0 * light * stripe) as u8,
                (40.0 * light * stripe) as u8,
            ])
        } else {
            let fall = 0.75 + 0.25 * f64::from(y) / f64::from(height);
            Rgb([
                (60.0 * fall) as u8,
                (75.0 * fall) as u8,
                (92.0 * fall) as u8,
            ])
        }
    })
}

/// A plain picture in which there is nothing to find.
pub fn plain(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb([120, 120, 120]))
}

/// A file of this length that begins as a sound picture does, so that nothing refuses its head.
pub fn long(length: usize) -> Vec<u8> {
    let mut file = png(64, 48);
    file.resize(length, 7);
    file
}

/// A picture of pseudo-random samples: nothing compresses, everything is different.
pub fn noise(width: u32, height: u32, seed: u32) -> RgbImage {
    let mut state = seed.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    RgbImage::from_fn(width, height, |_, _| Rgb([next(), next(), next()]))
}

/// The subject on a ground with a fine, faint pattern.
pub fn patterned(width: u32, height: u32) -> RgbImage {
    let mut picture = subject(width, height);
    for (x, y, Rgb([r, g, b])) in picture.enumerate_pixels_mut() {
        let ground = *b > *r;
        let add = if (x / 3 + y / 3) % 2 == 0 { 24 } else { 0 };
        if ground {
            (*r, *g, *b) = (*r + add, *g + add, *b + add);
        }
    }
    picture
}

/// A picture with noise of this standard deviation, the same one every time.
pub fn noisy(picture: &RgbImage, sigma: f64, seed: u32) -> RgbImage {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 24)
    };
    // The sum of twelve uniform values is near enough to a bell curve of deviation 1.
    let mut gauss = move || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    let mut picture = picture.clone();
    for sample in picture.iter_mut() {
        *sample = (f64::from(*sample) + sigma * gauss())
            .round()
            .clamp(0.0, 255.0) as u8;
    }
    picture
}

/// The root of the mean squared difference of two pictures of one size.
pub fn error(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let squares = a
        .iter()
        .zip(b.iter())
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    (squares.sum::<f64>() / a.len() as f64).sqrt()
}

/// How the samples of [`jpeg_of`] are coded.
pub use jpeg_encoder::ColorType as JpegColor;

/// A JPEG of these samples.
pub fn jpeg_of(
    samples: &[u8],
    (width, height): (u16, u16),
    color: JpegColor,
    quality: u8,
    progressive: bool,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
    encoder.set_progressive(progressive);
    encoder
        .encode(samples, width, height, color)
        .expect("a JPEG");
    bytes
}

/// A WebP by libwebp; `None` as quality is without loss.
pub fn webp_of(picture: &DynamicImage, quality: Option<f32>) -> Vec<u8> {
    let (width, height) = (picture.width(), picture.height());
    let samples = picture.as_bytes();
    let encoder = match picture.color().has_alpha() {
        true => webp::Encoder::from_rgba(samples, width, height),
        false => webp::Encoder::from_rgb(samples, width, height),
    };
    let bytes = match quality {
        Some(quality) => encoder.encode(quality),
        None => encoder.encode_lossless(),
    };
    bytes.to_vec()
}

/// The names and contents of a ZIP's files.
pub fn unzipped(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("a ZIP");
    let count = archive.len();
    let file = |i| {
        let mut file = archive.by_index(i).expect("a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("its checksum is right");
        let name = file.name().expect("a name of text").into_owned();
        (name, bytes)
    };
    (0..count).map(file).collect()
}

/// The subject with its left half fully transparent.
pub fn half_transparent(width: u32, height: u32) -> RgbaImage {
    let rgb = subject(width, height);
    RgbaImage::from_fn(width, height, |x, y| {
        let Rgb([r, g, b]) = *rgb.get_pixel(x, y);
        Rgba([r, g, b, if x < width / 2 { 0 } else { 255 }])
    })
}

/// The bytes of a file.
pub fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture
        .into()
        .write_to(&mut bytes, format)
        .expect("an encoder of the crate");
    bytes.into_inner()
}

/// A picture, decoded by a crate that is not ours.
pub fn decoded(bytes: &[u8]) -> DynamicImage {
    let format = image::guess_format(bytes).expect("a picture");
    image::load_from_memory_with_format(bytes, format).expect("a whole picture")
}

/// Width and height that the head of a file tells, by a crate that is not ours.
pub fn stored_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let reader = image::ImageReader::new(Cursor::new(bytes));
    reader.with_guessed_format().ok()?.into_dimensions().ok()
}

/// The subject as JPEG.
pub fn jpeg(width: u32, height: u32) -> Vec<u8> {
    encoded(subject(width, height), ImageFormat::Jpeg)
}

/// The subject as PNG.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    encoded(subject(width, height), ImageFormat::Png)
}

/// A JPEG with `segment` (marker and payload) right after its start, as metadata has it.
pub fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend_from_slice(&[0xff, marker]);
    bytes.extend_from_slice(&(payload.len() as u16 + 2).to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&jpeg[2..]);
    bytes
}

/// The payload of an EXIF segment that holds an orientation and nothing else (EXIF 2.32).
pub fn exif_orientation(value: u16) -> Vec<u8> {
    let mut tiff = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    tiff.extend_from_slice(&0x0112u16.to_le_bytes());
    tiff.extend_from_slice(&3u16.to_le_bytes());
    tiff.extend_from_slice(&1u32.to_le_bytes());
    tiff.extend_from_slice(&u32::from(value).to_le_bytes());
    tiff.extend_from_slice(&0u32.to_le_bytes());
    tiff
}
