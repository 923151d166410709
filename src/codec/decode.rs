//! `decode`: a probed file to an upright sRGB frame.

mod jpeg;
mod png;
mod scaled;

use std::io::Cursor;

use image::{
    DynamicImage, ImageDecoder, ImageResult, Limits,
    codecs::{bmp::BmpDecoder, gif::GifDecoder, tiff::TiffDecoder, webp::WebPDecoder},
};

use super::{
    Format, Header,
    color::{Raw, Samples},
};
use crate::{
    error::Error,
    frame::{Frame, Orientation, divide_by_alpha},
};

/// What a decoder may allocate beside the file, whatever the picture's size, in bytes.
const ALLOC_BASE: u64 = 32 << 20;
/// And never more than this.
const ALLOC_MOST: u64 = 512 << 20;

/// The picture, upright, in sRGB, 8 bits a sample: RGBA where the file has transparency, else RGB.
/// `header` is what [`probe`](super::probe()) found in these very bytes.
///
/// # Errors
/// [`Error::BrokenPicture`] where the data is truncated, corrupt, of a form that is not decoded
/// here, or belongs to another header; [`Error::Bomb`] where the decoder would need more memory
/// than such a picture can.
pub fn decode(bytes: &[u8], header: &Header) -> Result<Frame, Error> {
    let raw = match header.format {
        Format::Jpeg => jpeg::decode(bytes, header)?,
        Format::Png => png::decode(bytes, header)?,
        Format::Webp => through_image(WebPDecoder::new(Cursor::new(bytes)), header)?,
        Format::Gif => through_image(GifDecoder::new(Cursor::new(bytes)), header)?,
        Format::Bmp => through_image(BmpDecoder::new(Cursor::new(bytes)), header)?,
        Format::Tiff => through_image(TiffDecoder::new(Cursor::new(bytes)), header)?,
    };
    Ok(finished(raw, header))
}

/// The same picture, or one at a half, a quarter or an eighth of its size that is still larger than
/// `least` (width and height, upright): where that is faster, and what is made of it is no larger.
/// Its last column and row stand for what is left of the picture there; `even`: they are to stand for
/// as much as all the others.
///
/// # Errors
/// As [`decode`].
pub fn decode_down_to(
    bytes: &[u8],
    header: &Header,
    least: (u32, u32),
    even: bool,
) -> Result<Frame, Error> {
    // Turned upright, they would be the first ones.
    let even = even || header.orientation != Orientation::Upright;
    let least = match header.orientation.swaps_sides() {
        true => (least.1, least.0),
        false => least,
    };
    match jpeg::decode_down_to(bytes, header, least, even) {
        Some(raw) => Ok(finished(raw, header)),
        None => decode(bytes, header),
    }
}

/// Upright and in sRGB.
fn finished(raw: Raw, header: &Header) -> Frame {
    let frame = raw.into_srgb();
    // Some decoders give alpha whether the file has it or not.
    let frame = if header.has_alpha {
        frame
    } else {
        frame.without_alpha()
    };
    frame.oriented(header.orientation)
}

/// Bytes that a decoder of `image` may allocate.
fn max_alloc(header: &Header) -> u64 {
    (2 * header.frame_bytes() + ALLOC_BASE).min(ALLOC_MOST)
}

/// Decodes with one of the decoders of `image`, under its limits and ours.
fn through_image<D: ImageDecoder>(decoder: ImageResult<D>, header: &Header) -> Result<Raw, Error> {
    let broken = |_| Error::BrokenPicture;
    let mut decoder = decoder.map_err(broken)?;
    if decoder.dimensions() != (header.width, header.height) {
        return Err(Error::BrokenPicture);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(header.width);
    limits.max_image_height = Some(header.height);
    limits.max_alloc = Some(max_alloc(header));
    decoder.set_limits(limits).map_err(broken)?;
    // `from_decoder` allocates this without asking the limits.
    let (limit, actual) = (max_alloc(header), decoder.total_bytes());
    if actual > limit {
        return Err(Error::Bomb {
            what: "decoded bytes",
            limit,
            actual,
        });
    }
    let profile = if header.has_profile {
        decoder.icc_profile().unwrap_or(None)
    } else {
        None
    };
    let picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    let (samples, mut data) = match picture {
        DynamicImage::ImageLuma8(p) => (Samples::Gray, p.into_raw()),
        DynamicImage::ImageLuma16(_) => (Samples::Gray, picture.into_luma8().into_raw()),
        DynamicImage::ImageLumaA8(p) => (Samples::GrayAlpha, p.into_raw()),
        DynamicImage::ImageLumaA16(_) => {
            (Samples::GrayAlpha, picture.into_luma_alpha8().into_raw())
        }
        DynamicImage::ImageRgb8(p) => (Samples::Rgb, p.into_raw()),
        DynamicImage::ImageRgba8(p) => (Samples::Rgba, p.into_raw()),
        _ if picture.color().has_alpha() => (Samples::Rgba, picture.into_rgba8().into_raw()),
        _ => (Samples::Rgb, picture.into_rgb8().into_raw()),
    };
    if header.hints.premultiplied && samples == Samples::Rgba {
        divide_by_alpha(&mut data);
    }
    Ok(Raw {
        width: header.width,
        height: header.height,
        samples,
        data,
        profile,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{
        Encoded, Encoding, encode,
        fixtures::{bmp, decoded, exif, file, gif, jpeg, picture, probed, tiff, with_segment},
    };
    use crate::frame::Layout;

    /// The largest difference of two samples of two frames of the same shape.
    fn distance(a: &Frame, b: &Frame) -> u8 {
        assert_eq!(
            (a.width(), a.height(), a.layout()),
            (b.width(), b.height(), b.layout())
        );
        a.data()
            .iter()
            .zip(b.data())
            .map(|(a, b)| a.abs_diff(*b))
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn what_is_written_is_read_again() {
        for layout in [Layout::Rgb, Layout::Rgba] {
            let frame = picture(61, 47, layout);
            assert_eq!(decoded(&file(&frame, Encoded::Png)), Ok(frame.clone()));
            let lossy = decoded(&file(&frame, Encoded::Webp)).expect("it is valid");
            assert!(
                distance(&lossy, &frame) < 24,
                "{}",
                distance(&lossy, &frame)
            );
        }
        let frame = picture(61, 47, Layout::Rgb);
        for (quality, progressive) in [(85, false), (85, true), (95, false)] {
            let encoding = Encoding {
                quality,
                progressive,
                ..Encoding::new(Encoded::Jpeg)
            };
            let back = encode(&frame, &encoding).and_then(|bytes| decoded(&bytes));
            assert!(back.is_ok_and(|back| distance(&back, &frame) < 12));
        }
    }

    #[test]
    fn every_orientation_is_applied_once() {
        let plain = jpeg(24, 16);
        let stored = decoded(&plain).expect("it is valid");
        for value in 1..=8 {
            let orientation = Orientation::from_exif(value);
            let block = [b"Exif\0\0".as_slice(), &exif(value)].concat();
            let bytes = with_segment(&plain, 0xe1, &block);
            let size = probed(&bytes).map(|header| header.upright_size());
            assert_eq!(size, Ok(if value < 5 { (24, 16) } else { (16, 24) }));
            assert_eq!(
                decoded(&bytes),
                Ok(stored.clone().oriented(orientation)),
                "{value}"
            );
        }
    }

    #[test]
    fn gif_bmp_and_tiff_become_rgb_or_rgba() {
        let red = Frame::filled(3, 2, Layout::Rgb, [255, 0, 0, 0]);
        assert_eq!(decoded(&gif(3, 2, None, &[[0, 0, 3, 2]])), Ok(red.clone()));
        assert_eq!(decoded(&bmp(3, 2, [255, 0, 0])), Ok(red));
        let clear = decoded(&gif(3, 2, Some(1), &[[0, 0, 3, 2]])).expect("it is valid");
        assert!(
            clear
                .data()
                .as_chunks::<4>()
                .0
                .iter()
                .all(|pixel| pixel[3] == 0)
        );
        // A frame at the right of the canvas, which is transparent elsewhere.
        let part = decoded(&gif(2, 1, None, &[[1, 0, 1, 1]])).expect("it is valid");
        assert_eq!(part.data(), [0, 0, 0, 0, 255, 0, 0, 255]);
        let entries = [
            (256, 2),
            (257, 1),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, 8),
            (278, 1),
            (279, 2),
        ];
        let gray = decoded(&tiff(&entries, &[7, 200])).expect("it is valid");
        assert_eq!(
            (gray.layout(), gray.data()),
            (Layout::Rgb, [7, 7, 7, 200, 200, 200].as_slice())
        );
    }

    #[test]
    fn premultiplied_colours_are_divided() {
        let mut pixels = [10, 20, 40, 128, 255, 0, 0, 255, 9, 9, 9, 0];
        divide_by_alpha(&mut pixels);
        assert_eq!(pixels, [20, 40, 80, 128, 255, 0, 0, 255, 0, 0, 0, 0]);
    }

    #[test]
    fn a_header_of_another_file_is_refused() {
        let (small, large) = (jpeg(16, 16), jpeg(32, 32));
        let header = probed(&small).expect("it is valid");
        assert_eq!(decode(&large, &header), Err(Error::BrokenPicture));
        let webp = file(&picture(16, 16, Layout::Rgb), Encoded::Webp);
        assert_eq!(decode(&webp, &header), Err(Error::BrokenPicture));
    }

    #[test]
    fn a_cut_file_is_never_a_whole_picture() {
        let frame = picture(48, 40, Layout::Rgba);
        let progressive = Encoding {
            progressive: true,
            ..Encoding::new(Encoded::Jpeg)
        };
        let lossless = Encoding {
            lossless: true,
            ..Encoding::new(Encoded::Webp)
        };
        let files = [
            file(&frame, Encoded::Png),
            file(&frame, Encoded::Jpeg),
            encode(&frame, &progressive).expect("it can be written"),
            file(&frame, Encoded::Webp),
            encode(&frame, &lossless).expect("it can be written"),
            gif(48, 40, None, &[[0, 0, 48, 40]]),
            bmp(48, 40, [1, 2, 3]),
        ];
        for bytes in files {
            let whole = decoded(&bytes).expect("it is valid");
            for len in 0..bytes.len() {
                // Where nothing of the picture is lost, it may be shown.
                if let Ok(frame) = decoded(&bytes[..len]) {
                    assert!(frame == whole, "{len} of {}", bytes.len());
                }
            }
            assert!(decoded(&bytes[..bytes.len() / 2]).is_err());
        }
    }

    #[test]
    fn changed_bytes_never_panic() {
        let frame = picture(24, 20, Layout::Rgba);
        let files = [Encoded::Jpeg, Encoded::Png, Encoded::Webp].map(|format| file(&frame, format));
        let others = [gif(9, 7, Some(0), &[[0, 0, 9, 7]; 2]), bmp(9, 7, [0; 3])];
        for bytes in files.into_iter().chain(others) {
            for at in 0..bytes.len().min(800) {
                for value in [0, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x80] {
                    let mut changed = bytes.clone();
                    changed[at] = value;
                    let _ = decoded(&changed);
                }
            }
        }
    }
}
