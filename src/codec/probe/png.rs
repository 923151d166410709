//! PNG (W3C PNG specification, third edition): walks the chunks, inflates nothing.

use std::io::{Read, Seek};

use super::{MAX_CHUNKS, check_count, check_size, exif, source::Source};
use crate::{
    codec::{Color, Format, Header, PictureLimits},
    error::Error,
};

/// Chunks of pixel data at most. Encoders cut them at 8 KiB or more, so that half a GiB fits.
const MAX_DATA_CHUNKS: u64 = 65_536;
/// Longest compressed profile that is inflated, in bytes; deflate makes at most 1,032 times that
/// of it.
const MAX_COMPRESSED_PROFILE: u32 = 64 << 10;

pub(super) fn walk<R: Read + Seek>(
    source: &mut Source<R>,
    limits: &PictureLimits,
) -> Result<Header, Error> {
    source.skip(8)?; // the signature
    if (source.u32_be()?, source.array()?) != (13, *b"IHDR") {
        return Err(Error::BrokenPicture);
    }
    let (mut header, interlaced) = image_header(source)?;
    check_size((header.width, header.height), limits)?;
    let mut found = Chunks {
        count: 1,
        data: 0,
        palette: false,
    };
    while found.next(source, &mut header)? {}
    if found.data == 0 || header.color == Color::Palette && !found.palette {
        return Err(Error::BrokenPicture);
    }
    header.hints.scratch = scratch(&header, interlaced);
    Ok(header)
}

/// Section 11.2.1.
fn image_header<R: Read + Seek>(source: &mut Source<R>) -> Result<(Header, bool), Error> {
    let (width, height) = (source.u32_be()?, source.u32_be()?);
    let [bits, color, compression, filter, interlace] = source.array()?;
    source.skip(4)?; // checked by the decoder
    let color = match (color, bits) {
        (0, 1 | 2 | 4 | 8 | 16) => Color::Gray,
        (2, 8 | 16) => Color::Rgb,
        (3, 1 | 2 | 4 | 8) => Color::Palette,
        (4, 8 | 16) => Color::GrayAlpha,
        (6, 8 | 16) => Color::Rgba,
        _ => return Err(Error::BrokenPicture),
    };
    if compression != 0 || filter != 0 || interlace > 1 {
        return Err(Error::BrokenPicture);
    }
    Ok((
        Header::new(Format::Png, (width, height), color, bits),
        interlace == 1,
    ))
}

/// What is counted while walking.
struct Chunks {
    /// Chunks other than pixel data.
    count: u64,
    /// Chunks of pixel data.
    data: u64,
    palette: bool,
}

impl Chunks {
    /// Reads one chunk; false at the end.
    fn next<R: Read + Seek>(
        &mut self,
        s: &mut Source<R>,
        header: &mut Header,
    ) -> Result<bool, Error> {
        // Nothing after the pixel data is needed, so a file may end there.
        if s.left() < 8 && self.data > 0 {
            return Ok(false);
        }
        let (len, kind) = (s.u32_be()?, s.array()?);
        let end = s.position() + u64::from(len) + 4;
        if end > s.position() + s.left() {
            let after_data = self.data > 0 && kind != *b"IDAT";
            return if after_data {
                Ok(false)
            } else {
                Err(Error::BrokenPicture)
            };
        }
        let before_data = self.data == 0;
        match &kind {
            b"IDAT" => self.data += 1,
            _ => self.count += 1,
        }
        check_count("PNG chunks", MAX_CHUNKS, self.count)?;
        check_count("PNG data chunks", MAX_DATA_CHUNKS, self.data)?;
        match &kind {
            b"IEND" => return Ok(false),
            b"IHDR" => return Err(Error::BrokenPicture),
            b"PLTE" => self.palette = true,
            b"tRNS" if before_data => header.has_alpha = true,
            b"acTL" if before_data => header.animated = true,
            b"iCCP" if before_data => {
                let skip = len > MAX_COMPRESSED_PROFILE;
                header.hints.skip_profile |= skip;
                // Profiles deflate to half of their size, tables of nothing to much less.
                header.add_profile(if skip { 0 } else { 8 * u64::from(len) });
            }
            b"eXIf" => {
                let block = s.bytes((len as usize).min(exif::LONGEST))?;
                header.orientation = exif::orientation(&block);
            }
            _ => {}
        }
        s.seek(end)?;
        Ok(true)
    }
}

/// Bytes that the decoder holds beside the frame: grey samples before they become RGB, 16-bit ones
/// of a picture that does not come row by row, some rows, and a window of inflated data.
fn scratch(header: &Header, interlaced: bool) -> u64 {
    let samples = match (header.color, header.has_alpha) {
        (Color::Gray, false) => 1,
        (Color::Gray | Color::GrayAlpha, _) => 2,
        (_, false) => 3,
        (_, true) => 4,
    };
    let gray = if samples < 3 { samples } else { 0 };
    let wide = if header.bits == 16 && interlaced {
        2 * samples
    } else {
        0
    };
    header.pixels() * gray.max(wide) + 48 * u64::from(header.width) + (1 << 20)
}

#[cfg(test)]
mod tests {
    use crate::codec::Color;
    use crate::codec::fixtures::{exif, ihdr, png, probed, rows};
    use crate::error::Error;
    use crate::frame::Orientation;

    fn gray() -> (Vec<u8>, Vec<u8>) {
        (ihdr(2, 1, 8, 0, false), rows(&[&[10, 20]]))
    }

    #[test]
    fn what_the_chunks_say_is_in_the_header() {
        let (head, data) = gray();
        let header = probed(&png(&[
            (b"IHDR", &head),
            (b"iCCP", b"x\0\0"),
            (b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]),
            (b"tRNS", &[0, 10]),
            (b"eXIf", &exif(3)),
            (b"IDAT", &data),
            (b"IEND", b""),
        ]))
        .expect("it is valid");
        assert!(header.has_alpha && header.animated && header.has_profile);
        assert_eq!((header.color, header.bits), (Color::Gray, 8));
        assert_eq!(header.orientation, Orientation::Rotate180);
    }

    #[test]
    fn many_chunks_are_a_bomb_and_small_data_chunks_are_not() {
        let (head, data) = gray();
        let mut chunks: Vec<(&[u8; 4], &[u8])> = vec![(b"IHDR", &head)];
        chunks.extend(
            data.iter()
                .map(|byte| (b"IDAT", std::slice::from_ref(byte))),
        );
        chunks.extend(vec![(b"IDAT", [].as_slice()); 10_000]);
        assert!(probed(&png(&chunks)).is_ok());
        chunks.splice(1..1, vec![(b"teSt", [].as_slice()); 5_000]);
        let bomb = Error::Bomb {
            what: "PNG chunks",
            limit: 4096,
            actual: 4097,
        };
        assert_eq!(probed(&png(&chunks)), Err(bomb));
    }

    #[test]
    fn contradictions_are_broken() {
        let (head, data) = gray();
        let (head, data) = (head.as_slice(), data.as_slice());
        let palette = ihdr(2, 1, 8, 3, false);
        let odd_depth = ihdr(2, 1, 4, 2, false);
        for chunks in [
            vec![(b"IHDR", head), (b"IHDR", head), (b"IDAT", data)],
            vec![(b"gAMA", &[0; 4]), (b"IHDR", head), (b"IDAT", data)],
            vec![(b"IHDR", head), (b"IEND", b"")],
            vec![(b"IHDR", &palette), (b"IDAT", data), (b"IEND", b"")],
            vec![(b"IHDR", &odd_depth), (b"IDAT", data), (b"IEND", b"")],
        ] {
            assert_eq!(probed(&png(&chunks)), Err(Error::BrokenPicture));
        }
    }

    #[test]
    fn the_end_may_lack_but_not_the_data() {
        let (head, data) = gray();
        let whole = png(&[(b"IHDR", &head), (b"IDAT", &data), (b"IEND", b"")]);
        for cut in 0..=12 {
            assert!(probed(&whole[..whole.len() - cut]).is_ok(), "{cut}");
        }
        for cut in 13..whole.len() - 8 {
            assert_eq!(
                probed(&whole[..whole.len() - cut]),
                Err(Error::BrokenPicture),
                "{cut}"
            );
        }
    }
}
