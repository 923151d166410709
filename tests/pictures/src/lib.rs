//! Pictures made in code, so that nothing has to be checked in or fetched.

use std::io::Cursor;

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
