//! GIF (89a) and BMP (the Windows headers of 12 to 124 bytes): formats that are off by default.

use std::io::{Read, Seek};

use super::{check_count, check_size, source::Source};
use crate::{
    codec::{Color, Format, Header, PictureLimits},
    error::Error,
};

/// Sub-blocks of 1 to 255 bytes that are walked over at most, in GIF.
const MAX_SUB_BLOCKS: u64 = 1 << 20;

/// Walks up to the second frame, which is all that is to know of an animation.
pub(super) fn gif<R: Read + Seek>(
    s: &mut Source<R>,
    limits: &PictureLimits,
) -> Result<Header, Error> {
    s.skip(6)?; // GIF89a
    let size = (s.u16_le()?.into(), s.u16_le()?.into());
    let [packed, _, _] = s.array()?;
    check_size(size, limits)?;
    s.skip(color_table(packed))?;
    let mut header = Header::new(Format::Gif, size, Color::Palette, 8);
    let (mut frames, mut steps) = (0, 0);
    while frames < 2 && s.left() > 0 {
        match s.byte()? {
            0x2c => {
                frames += 1;
                if frames == 1 {
                    first_frame(s, &mut header, limits)?;
                    sub_blocks(s, &mut steps, |_| ())?;
                }
            }
            0x21 => {
                // The transparency flag of a graphic control extension (section 23).
                let control = s.byte()? == 0xf9;
                sub_blocks(s, &mut steps, |byte| {
                    header.has_alpha |= control && frames == 0 && byte & 1 == 1;
                })?;
            }
            0x3b => break,
            // Programs leave a terminator too many.
            0x00 => {}
            _ if frames > 0 => break,
            _ => return Err(Error::BrokenPicture),
        }
        steps += 1;
        check_count("GIF blocks", MAX_SUB_BLOCKS, steps)?;
    }
    if frames == 0 {
        return Err(Error::BrokenPicture);
    }
    header.animated = frames > 1;
    Ok(header)
}

/// Bytes of the colour table that a packed field announces (section 18).
fn color_table(packed: u8) -> u64 {
    if packed & 0x80 == 0 {
        0
    } else {
        3 << ((packed & 7) + 1)
    }
}

/// The image descriptor (section 20) of the first frame. What of it lies beyond the canvas is not
/// seen.
fn first_frame<R: Read + Seek>(
    s: &mut Source<R>,
    header: &mut Header,
    limits: &PictureLimits,
) -> Result<(), Error> {
    let [x, y] = [s.u16_le()?, s.u16_le()?].map(u32::from);
    let [width, height] = [s.u16_le()?, s.u16_le()?].map(u32::from);
    let packed = s.byte()?;
    check_size((width, height), limits)?;
    let covers = (x, y) == (0, 0) && (width, height) == (header.width, header.height);
    header.has_alpha |= !covers;
    // Decoded as RGBA whatever there is; a smaller frame in a buffer of its own first.
    let frame = if covers {
        0
    } else {
        u64::from(width) * u64::from(height) * 4
    };
    header.hints.scratch = frame
        + if header.has_alpha {
            0
        } else {
            4 * header.pixels()
        };
    s.skip(color_table(packed) + 1) // and the code size
}

/// Passes over sub-blocks (section 15), showing the first byte of the first.
fn sub_blocks<R: Read + Seek>(
    s: &mut Source<R>,
    steps: &mut u64,
    mut first: impl FnMut(u8),
) -> Result<(), Error> {
    let mut started = false;
    loop {
        let len = s.byte()?;
        if len == 0 {
            return Ok(());
        }
        let byte = s.byte()?;
        if !started {
            first(byte);
            started = true;
        }
        s.skip(u64::from(len) - 1)?;
        *steps += 1;
        check_count("GIF blocks", MAX_SUB_BLOCKS, *steps)?;
    }
}

/// Reads both headers, and whether the rows can be in the file.
pub(super) fn bmp<R: Read + Seek>(
    s: &mut Source<R>,
    limits: &PictureLimits,
) -> Result<Header, Error> {
    let whole = s.left();
    s.skip(10)?;
    let offset = u64::from(s.u32_le()?);
    let kind = s.u32_le()?;
    let (width, height) = if kind == 12 {
        (i32::from(s.u16_le()?), i32::from(s.u16_le()?))
    } else {
        (s.u32_le()?.cast_signed(), s.u32_le()?.cast_signed())
    };
    // A negative height means that the first row is stored first.
    let size = (
        u32::try_from(width).map_err(|_| Error::BrokenPicture)?,
        height.unsigned_abs(),
    );
    check_size(size, limits)?;
    let (planes, bits) = (s.u16_le()?, s.u16_le()?);
    let compression = if kind == 12 { 0 } else { s.u32_le()? };
    if planes != 1 || !matches!(bits, 1 | 2 | 4 | 8 | 16 | 24 | 32) {
        return Err(Error::BrokenPicture);
    }
    // 0: plain; 3 and 6: plain with masks; 1 and 2: run lengths; 4 and 5: a JPEG or PNG inside.
    let row = (u64::from(size.0) * u64::from(bits)).div_ceil(32) * 4;
    match compression {
        0 | 3 | 6 if offset + row * u64::from(size.1) > whole + 3 => {
            return Err(Error::BrokenPicture);
        }
        0 | 1 | 2 | 3 | 6 => {}
        _ => return Err(Error::BrokenPicture),
    }
    // Behind the remaining 20 bytes of the basic header stand masks of red, green, blue, alpha.
    let masked = matches!(compression, 3 | 6) && kind >= 56;
    let alpha = masked && {
        s.skip(20 + 12)?;
        s.u32_le()? != 0
    };
    let color = match (bits, alpha) {
        (..=8, _) => Color::Palette,
        (_, true) => Color::Rgba,
        (_, false) => Color::Rgb,
    };
    let mut header = Header::new(
        Format::Bmp,
        size,
        color,
        if bits <= 8 { bits as u8 } else { 8 },
    );
    // Decoded with alpha where the decoder assumes some, which is dropped after.
    header.hints.scratch = 2 * row
        + if bits >= 16 && !alpha {
            4 * header.pixels()
        } else {
            0
        };
    Ok(header)
}

#[cfg(test)]
mod tests {
    use crate::codec::fixtures::{bmp, gif as gif_file, probed};
    use crate::error::Error;

    #[test]
    fn transparency_and_animation_of_gif_are_seen() {
        let whole = [0, 0, 5, 4];
        let facts = |transparent, frames: &[[u16; 4]]| {
            probed(&gif_file(5, 4, transparent, frames)).map(|h| (h.has_alpha, h.animated))
        };
        assert_eq!(facts(None, &[whole]), Ok((false, false)));
        assert_eq!(facts(Some(1), &[whole]), Ok((true, false)));
        assert_eq!(facts(None, &[whole, whole]), Ok((false, true)));
        assert_eq!(facts(None, &[[1, 0, 4, 4]]), Ok((true, false)));
        assert_eq!(facts(None, &[]), Err(Error::BrokenPicture));
    }

    #[test]
    fn a_bmp_holds_its_rows_or_is_broken() {
        let file = bmp(5, -3, [1, 2, 3]);
        assert_eq!(probed(&file).map(|h| (h.width, h.height)), Ok((5, 3)));
        assert_eq!(probed(&file[..file.len() - 4]), Err(Error::BrokenPicture));
        assert_eq!(probed(&bmp(-5, 3, [0; 3])), Err(Error::BrokenPicture));
    }
}
