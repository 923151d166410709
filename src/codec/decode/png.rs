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
    use crate::codec::fixtures::{decoded, ihdr, png, rows, stored};
    use crate::error::Error;
    use crate::frame::Layout;

    /// A file of one IHDR, some chunks and one data chunk.
    fn made(head: &[u8], chunks: &[(&[u8; 4], &[u8])], data: &[u8]) -> Vec<u8> {
        let chunks = [
            &[(b"IHDR", head)],
            chunks,
            &[(b"IDAT", data), (b"IEND", b"".as_slice())],
        ];
        png(&chunks.concat())
    }

    /// The layout and samples of what is decoded.
    fn pixels(file: &[u8]) -> (Layout, Vec<u8>) {
        let frame = decoded(file).expect("it is valid");
        (frame.layout(), frame.into_data())
    }

    #[test]
    fn sixteen_bits_become_the_nearest_of_eight() {
        for v in 0..=u16::MAX {
            let mut byte = [0];
            super::narrow(&v.to_be_bytes(), &mut byte);
            assert_eq!(byte[0], (f32::from(v) / 257.0).round() as u8, "{v}");
        }
        let data = rows(&[&[0, 128, 0, 129, 0xff, 0xff]]);
        for interlaced in [false, true] {
            let file = made(&ihdr(1, 1, 16, 2, interlaced), &[], &data);
            assert_eq!(pixels(&file), (Layout::Rgb, vec![0, 1, 255]));
        }
    }

    #[test]
    fn palettes_become_colours_and_with_transparency_rgba() {
        let head = ihdr(3, 1, 2, 3, false);
        let palette = [255, 0, 0, 0, 255, 0, 0, 0, 255];
        let data = rows(&[&[0b00_01_10_00]]);
        let file = made(&head, &[(b"PLTE", &palette)], &data);
        assert_eq!(pixels(&file), (Layout::Rgb, palette.to_vec()));
        let file = made(&head, &[(b"PLTE", &palette), (b"tRNS", &[0, 128])], &data);
        let rgba = vec![255, 0, 0, 0, 0, 255, 0, 128, 0, 0, 255, 255];
        assert_eq!(pixels(&file), (Layout::Rgba, rgba));
    }

    #[test]
    fn gray_of_any_depth_becomes_rgb() {
        let file = made(&ihdr(8, 1, 1, 0, false), &[], &rows(&[&[0b1000_0001]]));
        let (_, data) = pixels(&file);
        assert_eq!(
            (&data[..4], &data[20..]),
            (&[255, 255, 255, 0][..], &[0, 255, 255, 255][..])
        );
        let file = made(&ihdr(1, 1, 8, 4, false), &[], &rows(&[&[90, 30]]));
        assert_eq!(pixels(&file), (Layout::Rgba, vec![90, 90, 90, 30]));
        let file = made(
            &ihdr(2, 1, 8, 0, false),
            &[(b"tRNS", &[0, 9])],
            &rows(&[&[9, 8]]),
        );
        assert_eq!(
            pixels(&file),
            (Layout::Rgba, vec![9, 9, 9, 0, 8, 8, 8, 255])
        );
    }

    #[test]
    fn interlaced_rows_come_into_order() {
        // Four by four: pass 1 has one sample, 4 and 5 two each, then 2 x 2 and 4 x 2 (Adam7).
        let passes: [&[u8]; 6] = [&[0], &[2], &[8, 10], &[1, 3], &[9, 11], &[4, 5, 6, 7]];
        let data = rows(&[&passes[..], &[&[12, 13, 14, 15]]].concat());
        let (_, data) = pixels(&made(&ihdr(4, 4, 8, 0, true), &[], &data));
        let gray: Vec<u8> = data
            .as_chunks::<3>()
            .0
            .iter()
            .map(|pixel| pixel[0])
            .collect();
        assert_eq!(gray, (0..16).collect::<Vec<u8>>());
    }

    #[test]
    fn missing_rows_and_wrong_checksums_are_broken() {
        let head = ihdr(1, 2, 8, 0, false);
        let short = made(&head, &[], &rows(&[&[1]]));
        assert_eq!(decoded(&short), Err(Error::BrokenPicture));
        let mut wrong = made(&head, &[], &rows(&[&[1], &[2]]));
        assert!(decoded(&wrong).is_ok());
        // The sample of the second row.
        let at = wrong.len() - 12 - 4 - 5;
        wrong[at] ^= 1;
        assert_eq!(decoded(&wrong), Err(Error::BrokenPicture));
    }

    #[test]
    fn profiles_that_are_broken_or_too_large_are_ignored() {
        let head = ihdr(1, 1, 8, 2, false);
        let data = rows(&[&[10, 200, 30]]);
        for profile in [vec![0; 10], stored(&[7; 500]), stored(&vec![7; 70_000])] {
            let chunk = [b"name\0\0".as_slice(), &profile].concat();
            let file = made(&head, &[(b"iCCP", &chunk)], &data);
            assert_eq!(pixels(&file), (Layout::Rgb, vec![10, 200, 30]));
        }
    }
}
