//! `encode`: a frame to the bytes of a file. Pixels only; no metadata is ever written.

mod webp;

use jpeg_encoder::{ColorType, Encoder as JpegEncoder, SamplingFactor};
use png::{BitDepth, DeflateCompression, Filter};

use crate::{
    error::Error,
    frame::{Frame, Layout, blend},
};

/// From this quality up, JPEG keeps colour at full resolution unless told otherwise.
const FULL_COLOR_FROM: u8 = 90;

/// A format that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoded {
    /// PNG: lossless, with alpha.
    Png,
    /// WebP: lossy or lossless, with alpha.
    Webp,
    /// JPEG: lossy, without alpha.
    Jpeg,
}

impl Encoded {
    /// The media type.
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Jpeg => "image/jpeg",
        }
    }

    /// The usual file name extension, without a dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Jpeg => "jpg",
        }
    }

    /// The name in options and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Jpeg => "jpeg",
        }
    }
}

/// How much time PNG and lossless WebP may take to become smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// One pass with a code made for filtered pixels.
    #[default]
    Fast,
    /// PNG: four times the time of `Fast` for a seventh less. WebP: as `Small`.
    Balanced,
    /// PNG: twenty times the time of `Fast` for a fifth less. WebP: ten times, for a quarter less.
    Small,
}

/// At which resolution JPEG keeps colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subsampling {
    /// Half in both directions (4:2:0).
    Half,
    /// Full (4:4:4).
    Full,
}

/// How to write a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// The format.
    pub format: Encoded,
    /// JPEG and lossy WebP: 1..=100; what is outside counts as the nearest of these.
    pub quality: u8,
    /// WebP: keep every visible pixel as it is.
    pub lossless: bool,
    /// PNG and lossless WebP.
    pub compression: Compression,
    /// JPEG: store the whole picture coarsely first.
    pub progressive: bool,
    /// JPEG; `None`: half below quality 90, full from there up.
    pub subsampling: Option<Subsampling>,
}

impl Encoding {
    /// The default way to write a format: quality 85, lossy WebP, fast PNG, baseline JPEG.
    pub const fn new(format: Encoded) -> Self {
        Self {
            format,
            quality: 85,
            lossless: false,
            compression: Compression::Fast,
            progressive: false,
            subsampling: None,
        }
    }
    /// An upper estimate of the bytes that [`encode`] holds beside a frame of so many pixels, those
    /// of the file included.
    pub fn peak(&self, pixels: u64, layout: Layout) -> u64 {
        let alpha = layout == Layout::Rgba;
        // Bytes a pixel, as measured on a photograph and a cutout of 12 megapixels, rounded up.
        let a_pixel = match self.format {
            Encoded::Png => 2 * layout.channels() as u64,
            Encoded::Webp if self.lossless && self.compression == Compression::Fast => 8,
            Encoded::Webp if self.lossless => 29,
            Encoded::Webp if alpha => 21,
            Encoded::Webp => 9,
            Encoded::Jpeg => {
                let flat = if alpha { 3 } else { 0 };
                flat + if self.progressive { 8 } else { 2 }
            }
        };
        pixels * a_pixel + (1 << 20)
    }
}

/// The bytes of a file with the picture. The same frame gives the same bytes. In JPEG,
/// transparency shows white; in WebP a grey frame becomes RGB.
///
/// # Errors
/// [`Error::BadValue`] where the format cannot store sides of that length; [`Error::Internal`]
/// where the encoder fails.
pub fn encode(frame: &Frame, encoding: &Encoding) -> Result<Vec<u8>, Error> {
    match encoding.format {
        Encoded::Png => png(frame, encoding.compression),
        Encoded::Webp => webp::encode(frame, encoding),
        Encoded::Jpeg => jpeg(frame, encoding),
    }
}

fn png(frame: &Frame, compression: Compression) -> Result<Vec<u8>, Error> {
    // Measured on a photograph and on a cutout of 12 megapixels, with every level and filter. Level
    // 1 is hardly smaller than the fast code; levels above 6 double the time for one percent.
    let (deflate, filter) = match compression {
        Compression::Fast => (DeflateCompression::FdeflateUltraFast, Filter::Adaptive),
        Compression::Balanced => (DeflateCompression::Level(2), Filter::Adaptive),
        Compression::Small => (DeflateCompression::Level(6), Filter::MinEntropy),
    };
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, frame.width(), frame.height());
    encoder.set_color(match frame.layout() {
        Layout::Gray => png::ColorType::Grayscale,
        Layout::Rgb => png::ColorType::Rgb,
        Layout::Rgba => png::ColorType::Rgba,
    });
    encoder.set_depth(BitDepth::Eight);
    encoder.set_deflate_compression(deflate);
    encoder.set_filter(filter);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(frame.data())?;
        writer.finish()
    });
    written.map_err(|_| Error::Internal)?;
    Ok(file)
}

fn jpeg(frame: &Frame, encoding: &Encoding) -> Result<Vec<u8>, Error> {
    let side = |side: u32| {
        let fits = u16::try_from(side);
        fits.map_err(|_| {
            Error::bad_value(
                "format",
                "`png` for a picture with a side above 65535 pixels",
            )
        })
    };
    let (width, height) = (side(frame.width())?, side(frame.height())?);
    let quality = encoding.quality.clamp(1, 100);
    let full = match encoding.subsampling {
        Some(subsampling) => subsampling == Subsampling::Full,
        None => quality >= FULL_COLOR_FROM,
    };
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new(&mut file, quality);
    encoder.set_sampling_factor(if full {
        SamplingFactor::F_1_1
    } else {
        SamplingFactor::F_2_2
    });
    encoder.set_progressive(encoding.progressive);
    let written = match frame.layout() {
        Layout::Gray => encoder.encode(frame.data(), width, height, ColorType::Luma),
        Layout::Rgb => encoder.encode(frame.data(), width, height, ColorType::Rgb),
        Layout::Rgba => encoder.encode(&on_white(frame), width, height, ColorType::Rgb),
    };
    written.map_err(|_| Error::Internal)?;
    Ok(file)
}

/// The RGB samples of an RGBA frame over white.
fn on_white(frame: &Frame) -> Vec<u8> {
    let mut rgb = vec![255; frame.pixels() * 3];
    let pixels = frame.data().as_chunks::<4>().0;
    for (&[r, g, b, a], target) in pixels.iter().zip(rgb.as_chunks_mut::<3>().0) {
        *target = [r, g, b].map(|v| blend(v, 255, a));
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::fixtures::{decoded, picture};

    fn written(frame: &Frame, change: impl Fn(&mut Encoding), format: Encoded) -> Vec<u8> {
        let mut encoding = Encoding::new(format);
        change(&mut encoding);
        encode(frame, &encoding).expect("any small frame can be written")
    }

    #[test]
    fn png_has_three_kinds_of_chunks_only() {
        let file = written(&picture(9, 9, Layout::Rgba), |_| (), Encoded::Png);
        let mut rest = &file[8..];
        let mut kinds = Vec::new();
        while let Some((len, tail)) = rest.split_first_chunk() {
            kinds.push(tail[..4].to_vec());
            rest = &tail[u32::from_be_bytes(*len) as usize + 8..];
        }
        assert_eq!(kinds, [b"IHDR", b"IDAT", b"IEND"]);
    }

    #[test]
    fn every_compression_of_png_is_lossless_and_ever_smaller() {
        let frame = picture(200, 150, Layout::Rgba);
        let [fast, balanced, small] =
            [Compression::Fast, Compression::Balanced, Compression::Small]
                .map(|compression| written(&frame, |e| e.compression = compression, Encoded::Png));
        assert!(fast.len() > balanced.len() && balanced.len() >= small.len());
        for file in [fast, balanced, small] {
            assert_eq!(decoded(&file), Ok(frame.clone()));
        }
    }

    #[test]
    fn lossless_webp_keeps_what_is_visible() {
        let frame = picture(31, 22, Layout::Rgba);
        for compression in [Compression::Fast, Compression::Small] {
            let change = |e: &mut Encoding| (e.lossless, e.compression) = (true, compression);
            assert_eq!(
                decoded(&written(&frame, change, Encoded::Webp)),
                Ok(frame.clone())
            );
        }
    }

    #[test]
    fn webp_has_no_chunk_of_metadata() {
        for lossless in [false, true] {
            let frame = picture(31, 22, Layout::Rgba);
            let file = written(&frame, |e| e.lossless = lossless, Encoded::Webp);
            let has = |kind: &[u8]| file.windows(4).any(|window| window == kind);
            assert!(!has(b"EXIF") && !has(b"ICCP") && !has(b"XMP "));
        }
    }

    #[test]
    fn transparency_shows_white_in_jpeg() {
        let frame = Frame::filled(16, 16, Layout::Rgba, [0, 0, 0, 0]);
        let back = decoded(&written(&frame, |_| (), Encoded::Jpeg));
        assert_eq!(back, Ok(Frame::filled(16, 16, Layout::Rgb, [255; 4])));
    }

    #[test]
    fn masks_are_written_in_every_format() {
        let mask = picture(20, 10, Layout::Gray);
        let png = decoded(&written(&mask, |_| (), Encoded::Png)).expect("it is valid");
        assert!(
            png.data()
                .as_chunks::<3>()
                .0
                .iter()
                .zip(mask.data())
                .all(|(p, &v)| *p == [v; 3])
        );
        for format in [Encoded::Webp, Encoded::Jpeg] {
            let back = decoded(&written(&mask, |_| (), format)).expect("it is valid");
            assert_eq!(
                (back.width(), back.height(), back.layout()),
                (20, 10, Layout::Rgb)
            );
        }
    }

    #[test]
    fn the_same_frame_gives_the_same_bytes() {
        let frame = picture(64, 48, Layout::Rgba);
        for format in [Encoded::Png, Encoded::Webp, Encoded::Jpeg] {
            assert_eq!(
                written(&frame, |_| (), format),
                written(&frame, |_| (), format)
            );
        }
    }

    #[test]
    fn quality_and_subsampling_change_the_size() {
        let frame = picture(64, 64, Layout::Rgb);
        let size = |quality, subsampling| {
            let change = |e: &mut Encoding| (e.quality, e.subsampling) = (quality, subsampling);
            written(&frame, change, Encoded::Jpeg).len()
        };
        assert!(size(0, None) == size(1, None) && size(1, None) < size(100, None));
        assert_eq!(size(89, None), size(89, Some(Subsampling::Half)));
        assert_eq!(size(90, None), size(90, Some(Subsampling::Full)));
        assert!(size(90, Some(Subsampling::Half)) < size(90, None));
    }

    #[test]
    fn sides_that_a_format_cannot_store_are_refused() {
        let wide = |width| Frame::filled(width, 1, Layout::Rgb, [0; 4]);
        for (frame, format) in [(wide(16_384), Encoded::Webp), (wide(65_536), Encoded::Jpeg)] {
            let refused = encode(&frame, &Encoding::new(format));
            assert!(matches!(
                refused,
                Err(Error::BadValue {
                    option: "format",
                    ..
                })
            ));
        }
        assert!(encode(&wide(65_536), &Encoding::new(Encoded::Png)).is_ok());
    }
}
