//! JPEG through `zune-jpeg` directly, since `image` forces RGB and so loses CMYK's profile.

use std::borrow::Cow;

use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::scaled;
use crate::{
    codec::{
        Color, Format, Header, MAX_PROFILE,
        color::{Raw, Samples},
    },
    error::Error,
};

pub(super) fn decode(bytes: &[u8], header: &Header) -> Result<Raw, Error> {
    let bytes = without_rgb_flag(bytes, header)?;
    let target = match header.color {
        Color::Gray => ColorSpace::Luma,
        Color::Cmyk => ColorSpace::CMYK,
        Color::Ycck => ColorSpace::YCCK,
        // Asked for what it believes to have, the decoder passes the samples through.
        _ if header.hints.rgb_flag.is_some() => ColorSpace::YCbCr,
        _ => ColorSpace::RGB,
    };
    let options = DecoderOptions::default()
        .set_max_width(header.width as usize)
        .set_max_height(header.height as usize)
        // Without it, half a file is a whole picture with a grey end.
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(target);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&*bytes), options);
    decoder.decode_headers().map_err(|_| Error::BrokenPicture)?;
    let size = (header.width as usize, header.height as usize);
    if decoder.dimensions() != Some(size) || decoder.output_colorspace() != Some(target) {
        return Err(Error::BrokenPicture);
    }
    let mut data = vec![0; size.0 * size.1 * target.num_components()];
    decoder
        .decode_into(&mut data)
        .map_err(|_| Error::BrokenPicture)?;
    let samples = match target {
        ColorSpace::Luma => Samples::Gray,
        ColorSpace::CMYK | ColorSpace::YCCK => Samples::Cmyk,
        _ => Samples::Rgb,
    };
    if target == ColorSpace::YCCK {
        ycck_to_cmyk(&mut data);
    }
    if samples == Samples::Cmyk && header.hints.adobe {
        // Adobe's programs store ink inverted, and everybody follows them.
        for sample in &mut data {
            *sample = 255 - *sample;
        }
    }
    let profile = decoder
        .icc_profile()
        .filter(|profile| profile.len() <= MAX_PROFILE);
    Ok(Raw {
        width: header.width,
        height: header.height,
        samples,
        data,
        profile,
    })
}

/// How much larger than what is made of it a picture has to be decoded, so that the filter of the
/// resize, and not the blocks of the file, decides what is seen.
const ROOM: f64 = 1.5;

/// The picture at a fraction of its size; `None` where the whole has to be decoded.
pub(super) fn decode_down_to(
    bytes: &[u8],
    header: &Header,
    least: (u32, u32),
    even: bool,
) -> Option<Raw> {
    let plain = header.format == Format::Jpeg && header.hints.rgb_flag.is_none();
    if !plain || !matches!(header.color, Color::Gray | Color::Rgb) {
        return None;
    }
    let enough = |full: u32, least: u32, divisor: u32| {
        let fits = f64::from(full) >= ROOM * f64::from(least) * f64::from(divisor);
        fits && (full.is_multiple_of(divisor) || !even)
    };
    let divisor = [8, 4, 2].into_iter().find(|divisor| {
        enough(header.width, least.0, *divisor) && enough(header.height, least.1, *divisor)
    })?;
    let size = (header.width as usize, header.height as usize);
    let scaled = scaled::decode(bytes, size, divisor as usize)?;
    let profile = if header.has_profile {
        let mut decoder = JpegDecoder::new(ZCursor::new(bytes));
        decoder.decode_headers().ok()?;
        decoder
            .icc_profile()
            .filter(|profile| profile.len() <= MAX_PROFILE)
    } else {
        None
    };
    Some(Raw {
        width: scaled.width as u32,
        height: scaled.height as u32,
        samples: if scaled.gray {
            Samples::Gray
        } else {
            Samples::Rgb
        },
        data: scaled.data,
        profile,
    })
}

/// The file with an Adobe segment that says YCbCr where it says RGB: the decoder takes the latter
/// for CMYK in any picture, and would refuse three components.
fn without_rgb_flag<'b>(bytes: &'b [u8], header: &Header) -> Result<Cow<'b, [u8]>, Error> {
    let Some(place) = header.hints.rgb_flag else {
        return Ok(Cow::Borrowed(bytes));
    };
    let mut copy = bytes.to_vec();
    *copy.get_mut(place).ok_or(Error::BrokenPicture)? = 1;
    Ok(Cow::Owned(copy))
}

/// YCbCr to RGB (JFIF 1.02) in the first three samples. What libjpeg calls CMYK is the inverse of
/// that, so the same inversion as in a CMYK file is left to do.
fn ycck_to_cmyk(data: &mut [u8]) {
    // The factors times 2^16.
    const RED: i32 = 91_881;
    const BLUE: i32 = 116_130;
    const GREEN: (i32, i32) = (22_554, 46_802);
    const HALF: i32 = 1 << 15;
    for [y, cb, cr, _] in data.as_chunks_mut::<4>().0 {
        let (luma, b, r) = (
            i32::from(*y) << 16,
            i32::from(*cb) - 128,
            i32::from(*cr) - 128,
        );
        let ink = |v: i32| 255 - ((v + HALF) >> 16).clamp(0, 255) as u8;
        *y = ink(luma + RED * r);
        *cb = ink(luma - GREEN.0 * b - GREEN.1 * r);
        *cr = ink(luma + BLUE * b);
    }
}

#[cfg(test)]
mod tests {
    use jpeg_encoder::{ColorType, Encoder};

    use crate::codec::{
        Color,
        fixtures::{decoded, find, probed, with_segment},
    };

    /// A 16 x 16 JPEG of one colour.
    fn uniform(color: &[u8], kind: ColorType) -> Vec<u8> {
        let mut bytes = Vec::new();
        let encoded = Encoder::new(&mut bytes, 100).encode(&color.repeat(256), 16, 16, kind);
        encoded.expect("the encoder takes any small frame");
        bytes
    }

    fn adobe(transform: u8) -> Vec<u8> {
        [b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat()
    }

    /// Whether every pixel is within 3 of a colour.
    fn is(bytes: &[u8], color: [u8; 3]) -> bool {
        let frame = decoded(bytes).expect("it is valid");
        let near = |pixel: &[u8; 3]| (0..3).all(|i| pixel[i].abs_diff(color[i]) <= 3);
        frame.data().as_chunks().0.iter().all(near)
    }

    #[test]
    fn cmyk_is_inverted_where_adobe_wrote_it() {
        // The encoder writes an Adobe segment, and ink inverted as it should be there.
        let cyan = uniform(&[255, 0, 0, 0], ColorType::Cmyk);
        assert_eq!(probed(&cyan).map(|header| header.color), Ok(Color::Cmyk));
        assert!(is(&cyan, [0, 255, 255]));
        assert!(is(
            &uniform(&[0, 0, 0, 128], ColorType::Cmyk),
            [127, 127, 127]
        ));
        // Without the segment, ink is stored as it is.
        let at = find(&cyan, 0xee);
        let plain = [&cyan[..at], &cyan[at + 16..]].concat();
        assert!(is(&plain, [0, 0, 0]));
    }

    #[test]
    fn ycck_is_cmyk_in_other_words() {
        for (ink, color) in [
            ([0, 0, 0, 0], [255, 255, 255]),
            ([255, 0, 0, 0], [0, 255, 255]),
            ([0, 255, 255, 0], [255, 0, 0]),
            ([100, 50, 0, 0], [155, 205, 255]),
            ([0, 0, 0, 255], [0, 0, 0]),
        ] {
            let bytes = uniform(&ink, ColorType::CmykAsYcck);
            assert_eq!(probed(&bytes).map(|header| header.color), Ok(Color::Ycck));
            assert!(is(&bytes, color), "{ink:?}");
        }
    }

    #[test]
    fn adobe_rgb_without_transform_is_taken_as_it_is() {
        // A file of YCbCr samples that says they are RGB.
        let bytes = uniform(&[200, 100, 50], ColorType::Ycbcr);
        let flagged = with_segment(&bytes, 0xee, &adobe(0));
        assert!(is(&flagged, [200, 100, 50]));
        assert!(!is(&bytes, [200, 100, 50]));
        assert!(is(
            &with_segment(&uniform(&[200, 100, 50], ColorType::Rgb), 0xee, &adobe(1)),
            [200, 100, 50]
        ));
    }

    #[test]
    fn gray_becomes_rgb() {
        assert!(is(&uniform(&[77], ColorType::Luma), [77, 77, 77]));
    }
}
