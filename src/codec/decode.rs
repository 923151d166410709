//! `decode`: a probed file to an upright sRGB frame.

mod jpeg;
mod png;

use std::io::Cursor;

use image::{
    DynamicImage, ImageDecoder, ImageResult, Limits,
    codecs::{bmp::BmpDecoder, gif::GifDecoder, tiff::TiffDecoder, webp::WebPDecoder},
};

use super::{
    Format, Header,
    color::{Raw, Samples},
};
use crate::{error::Error, frame::Frame};

/// What a decoder may allocate beside the file, whatever the picture's size, in bytes.
const ALLOC_BASE: u64 = 32 << 20;
/// And never more than this.
const ALLOC_MOST: u64 = 512 << 20;

/// The picture, upright, in sRGB, 8 bits a sample: RGBA where the file has transparency, else RGB.
/// `header` is what [`probe`](super::probe) found in these very bytes.
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
    let frame = raw.into_srgb();
    // Some decoders give alpha whether the file has it or not.
    let frame = if header.has_alpha {
        frame
    } else {
        frame.without_alpha()
    };
    Ok(frame.oriented(header.orientation))
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

/// Premultiplied colours to straight ones, rounded.
fn divide_by_alpha(data: &mut [u8]) {
    for [colors @ .., a] in data.as_chunks_mut::<4>().0 {
        let a = u32::from(*a);
        for v in colors {
            *v = (u32::from(*v) * 255 + a / 2)
                .checked_div(a)
                .unwrap_or(0)
                .min(255) as u8;
        }
    }
}
