//! One small picture in each way of storing it that there is a decoder for.

use image::{DynamicImage, ImageFormat, RgbImage};

use crate::{
    JpegColor, crafted, encoded, exif_orientation, half_transparent, jpeg_of, noisy, subject,
    webp_of, with_segment,
};

/// Width and height of each but those that say otherwise in their name.
pub const SIZE: (u32, u32) = (48, 36);

/// Every kind with its name; all of them are whole and right.
pub fn every_kind() -> Vec<(&'static str, Vec<u8>)> {
    let picture = noisy(&subject(SIZE.0, SIZE.1), 8.0, 3);
    let mut kinds = jpegs(&picture);
    kinds.extend(pngs(&picture));
    let all = DynamicImage::from(picture.clone());
    let clear = DynamicImage::from(half_transparent(SIZE.0, SIZE.1));
    kinds.extend([
        ("lossy WebP", webp_of(&all, Some(80.0))),
        ("lossless WebP", webp_of(&all, None)),
        ("lossy WebP with alpha", webp_of(&clear, Some(80.0))),
        ("lossless WebP with alpha", webp_of(&clear, None)),
        ("GIF", encoded(picture.clone(), ImageFormat::Gif)),
        ("BMP", encoded(picture.clone(), ImageFormat::Bmp)),
        ("BMP with alpha", encoded(clear.clone(), ImageFormat::Bmp)),
        ("grey BMP", encoded(all.to_luma8(), ImageFormat::Bmp)),
        ("TIFF", encoded(picture.clone(), ImageFormat::Tiff)),
        ("TIFF with alpha", encoded(clear, ImageFormat::Tiff)),
        ("TIFF of 16 bits", encoded(all.to_rgb16(), ImageFormat::Tiff)),
        (
            "deflated TIFF",
            crafted::tiff(SIZE.0, SIZE.1, 8, &crafted::zlib_stored(&all.to_luma8())),
        ),
    ]);
    kinds
}

fn jpegs(picture: &RgbImage) -> Vec<(&'static str, Vec<u8>)> {
    let size = (SIZE.0 as u16, SIZE.1 as u16);
    let of = |samples: &[u8], color, progressive| jpeg_of(samples, size, color, 85, progressive);
    let gray = DynamicImage::from(picture.clone()).into_luma8();
    let pixels = picture.pixels().zip(gray.iter());
    let inks: Vec<u8> = pixels
        .flat_map(|(rgb, k)| [rgb.0[0], rgb.0[1], rgb.0[2], *k])
        .collect();
    let baseline = of(picture, JpegColor::Rgb, false);
    vec![
        ("baseline JPEG", baseline.clone()),
        ("progressive JPEG", of(picture, JpegColor::Rgb, true)),
        ("grey JPEG", of(&gray, JpegColor::Luma, false)),
        ("JPEG in CMYK", of(&inks, JpegColor::Cmyk, false)),
        ("JPEG in YCCK", of(&inks, JpegColor::CmykAsYcck, false)),
        (
            "JPEG on its side",
            with_segment(&baseline, 0xe1, &exif_orientation(6)),
        ),
        (
            "JPEG with a broken profile",
            with_segment(&baseline, 0xe2, b"ICC_PROFILE\0\x01\x01profile"),
        ),
    ]
}

fn pngs(picture: &RgbImage) -> Vec<(&'static str, Vec<u8>)> {
    let all = DynamicImage::from(picture.clone());
    let png = encoded(picture.clone(), ImageFormat::Png);
    let profile = [b"icc\0\0".as_slice(), &crafted::zlib_stored(&[7; 400])].concat();
    // Two bits a pixel: twelve bytes a row, and the one that names the filter.
    let rows: Vec<u8> = (0..SIZE.1)
        .flat_map(|y| [0].into_iter().chain([0x1b ^ y as u8; 12]))
        .collect();
    let palette = crafted::png(&[
        (b"IHDR", &crafted::ihdr(SIZE.0, SIZE.1, 2, 3, false)),
        (b"PLTE", &[0, 0, 0, 90, 9, 9, 9, 90, 9, 250, 250, 250]),
        (b"tRNS", &[0, 90]),
        (b"IDAT", &crafted::zlib_stored(&rows)),
        (b"IEND", b""),
    ]);
    vec![
        ("PNG", png.clone()),
        ("grey PNG", encoded(all.to_luma8(), ImageFormat::Png)),
        ("PNG of 16 bits", encoded(all.to_rgb16(), ImageFormat::Png)),
        (
            "PNG with alpha",
            encoded(half_transparent(SIZE.0, SIZE.1), ImageFormat::Png),
        ),
        ("PNG with a palette", palette),
        (
            "PNG with a profile",
            crafted::with_chunk(&png, b"iCCP", &profile),
        ),
        ("interlaced PNG", crafted::interlaced(picture)),
    ]
}
