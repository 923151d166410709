//! PNG through the `png` crate directly: text is never inflated, nor a profile that is too large.

use std::io::{Cursor, ErrorKind};

use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Reader, Transformations};

use crate::{
    codec::{
        Header, MAX_PROFILE,
        color::{Raw, Samples},
    },
    error::Error,
};

pub(super) fn decode(bytes: &[u8], header: &Header) -> Result<Raw, Error> {
    let broken = |_| Error::BrokenPicture;
    // Rows, chunks and the inflated profile; not the picture.
    let row = header.width as usize * 8;
    let limits = Limits {
        bytes: MAX_PROFILE + 8 * row + (1 << 20),
    };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(header.hints.skip_profile);
    // Palettes to colours, fewer bits to eight, a transparent colour to alpha.
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(broken)?;
    if (reader.info().width, reader.info().height) != (header.width, header.height) {
        return Err(Error::BrokenPicture);
    }
    let profile = reader.info().icc_profile.as_deref().map(<[u8]>::to_vec);
    let (color, depth) = reader.output_color_type();
    let samples = match color {
        ColorType::Grayscale => Samples::Gray,
        ColorType::GrayscaleAlpha => Samples::GrayAlpha,
        ColorType::Rgb => Samples::Rgb,
        ColorType::Rgba => Samples::Rgba,
        ColorType::Indexed => return Err(Error::BrokenPicture),
    };
    let count = header.width as usize * header.height as usize * samples.count();
    let wide = match depth {
        BitDepth::Eight => false,
        BitDepth::Sixteen => true,
        _ => return Err(Error::BrokenPicture),
    };
    let data = if reader.info().interlaced {
        let mut data = vec![0; if wide { 2 * count } else { count }];
        reader.next_frame(&mut data).map_err(broken)?;
        if wide { narrowed(&data) } else { data }
    } else {
        by_rows(
            &mut reader,
            header.width as usize * samples.count(),
            count,
            wide,
        )?
    };
    Ok(Raw {
        width: header.width,
        height: header.height,
        samples,
        data,
        profile,
    })
}

/// Reads row by row, so that 16-bit samples are held for one row only.
fn by_rows(
    reader: &mut Reader<Cursor<&[u8]>>,
    row: usize,
    count: usize,
    wide: bool,
) -> Result<Vec<u8>, Error> {
    let mut data = vec![0; count];
    let mut buffer = vec![0; if wide { 2 * row } else { 0 }];
    for target in data.chunks_exact_mut(row) {
        let read = if wide {
            reader.read_row(&mut buffer)
        } else {
            reader.read_row(target)
        };
        if !matches!(read, Ok(Some(_))) {
            return Err(Error::BrokenPicture);
        }
        if wide {
            narrow(&buffer, target);
        }
    }
    // Goes to the end of the data, so that its checksums are read. Nothing need follow.
    match reader.next_row() {
        Ok(None) => Ok(data),
        Err(DecodingError::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => Ok(data),
        _ => Err(Error::BrokenPicture),
    }
}

fn narrowed(wide: &[u8]) -> Vec<u8> {
    let mut data = vec![0; wide.len() / 2];
    narrow(wide, &mut data);
    data
}

/// 16-bit big-endian samples to the nearest of 8 bits, `v / 257` rounded; exact for every `v`.
fn narrow(wide: &[u8], target: &mut [u8]) {
    for (&pair, target) in wide.as_chunks::<2>().0.iter().zip(target) {
        let v = u32::from(u16::from_be_bytes(pair));
        *target = ((v * 255 + 32_895) >> 16) as u8;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sixteen_bits_become_the_nearest_of_eight() {
        for v in 0..=u16::MAX {
            let mut byte = [0];
            super::narrow(&v.to_be_bytes(), &mut byte);
            assert_eq!(byte[0], (f32::from(v) / 257.0).round() as u8, "{v}");
        }
    }
}
