//! TIFF 6.0 and BigTIFF: reads the first directory. Off by default.

use std::io::{Read, Seek};

use super::{MAX_CHUNKS, check_count, check_size, source::Source};
use crate::{
    codec::{Color, Format, Header, PictureLimits},
    error::Error,
    frame::Orientation,
};

/// Strips or tiles at most: one for each row of the largest side, and some.
const MAX_PARTS: u64 = 65_536;

/// Tags of TIFF 6.0, section 8 and part 2.
mod tag {
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS: u16 = 258;
    pub const PHOTOMETRIC: u16 = 262;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES: u16 = 277;
    pub const STRIP_BYTES: u16 = 279;
    pub const PLANAR: u16 = 284;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_HEIGHT: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTES: u16 = 325;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const PROFILE: u16 = 34675;
}

/// Reads numbers in the file's byte order and width.
struct Reader<'s, 'r, R> {
    source: &'s mut Source<'r, R>,
    little: bool,
    big: bool,
}

impl<R: Read + Seek> Reader<'_, '_, R> {
    fn u16(&mut self) -> Result<u16, Error> {
        if self.little {
            self.source.u16_le()
        } else {
            self.source.u16_be()
        }
    }

    fn u32(&mut self) -> Result<u32, Error> {
        if self.little {
            self.source.u32_le()
        } else {
            self.source.u32_be()
        }
    }

    fn u64(&mut self) -> Result<u64, Error> {
        let bytes = self.source.array()?;
        Ok(if self.little {
            u64::from_le_bytes(bytes)
        } else {
            u64::from_be_bytes(bytes)
        })
    }

    /// An offset or count: 4 bytes, in BigTIFF 8.
    fn word(&mut self) -> Result<u64, Error> {
        if self.big {
            self.u64()
        } else {
            self.u32().map(u64::from)
        }
    }
}

/// The entries of the first directory that are used.
#[derive(Default)]
struct Directory {
    width: u64,
    height: u64,
    bits: Option<u64>,
    photometric: u64,
    orientation: u64,
    samples: Option<u64>,
    planar: bool,
    tile: Option<(u64, u64)>,
    parts: u64,
    premultiplied: bool,
    profile: Option<u64>,
    next: u64,
}

pub(super) fn walk<R: Read + Seek>(
    source: &mut Source<R>,
    limits: &PictureLimits,
) -> Result<Header, Error> {
    let order: [u8; 4] = source.array()?;
    let (little, big) = (order[0] == b'I', order[2..].contains(&43));
    let mut reader = Reader {
        source,
        little,
        big,
    };
    if big && (reader.u16()?, reader.u16()?) != (8, 0) {
        return Err(Error::BrokenPicture);
    }
    let place = reader.word()?;
    let found = directory(&mut reader, place)?;
    let side = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    check_size((side(found.width), side(found.height)), limits)?;
    // A directory that names itself, or one before it that we came through, as its successor.
    if found.next == place || found.parts == 0 {
        return Err(Error::BrokenPicture);
    }
    header(&found, limits)
}

/// Reads the directory at `place` (section 2).
fn directory<R: Read + Seek>(r: &mut Reader<R>, place: u64) -> Result<Directory, Error> {
    r.source.seek(place)?;
    let entries = if r.big { r.u64()? } else { r.u16()?.into() };
    check_count("TIFF entries", MAX_CHUNKS, entries)?;
    let mut found = Directory::default();
    for _ in 0..entries {
        let (tag, kind, count) = (r.u16()?, r.u16()?, r.word()?);
        let after = r.source.position() + if r.big { 8 } else { 4 };
        let value = first_value(r, kind, count)?;
        match tag {
            tag::WIDTH => found.width = value,
            tag::HEIGHT => found.height = value,
            tag::BITS => found.bits = Some(value),
            tag::PHOTOMETRIC => found.photometric = value,
            tag::ORIENTATION => found.orientation = value,
            tag::SAMPLES => found.samples = Some(value),
            tag::PLANAR => found.planar = value == 2,
            tag::TILE_WIDTH => found.tile = Some((value, found.tile.map_or(0, |t| t.1))),
            tag::TILE_HEIGHT => found.tile = Some((found.tile.map_or(0, |t| t.0), value)),
            tag::STRIP_OFFSETS | tag::STRIP_BYTES | tag::TILE_OFFSETS | tag::TILE_BYTES => {
                check_count("TIFF strips or tiles", MAX_PARTS, count)?;
                found.parts = found.parts.max(count);
            }
            tag::EXTRA_SAMPLES => found.premultiplied = value == 1,
            tag::PROFILE => found.profile = Some(count),
            _ => {}
        }
        r.source.seek(after)?;
    }
    found.next = r.word().unwrap_or(0);
    Ok(found)
}

/// The first value of an entry, for the types that hold whole numbers; else 0.
fn first_value<R: Read + Seek>(r: &mut Reader<R>, kind: u16, count: u64) -> Result<u64, Error> {
    let bytes: u64 = match kind {
        1 => 1,
        3 => 2,
        4 | 13 => 4,
        16 => 8,
        _ => return Ok(0),
    };
    let inline = if r.big { 8 } else { 4 };
    if count == 0 {
        return Ok(0);
    }
    if bytes.saturating_mul(count) > inline {
        let place = r.word()?;
        r.source.seek(place)?;
    }
    match bytes {
        1 => r.source.byte().map(u64::from),
        2 => r.u16().map(u64::from),
        4 => r.u32().map(u64::from),
        _ => r.u64(),
    }
}

fn header(found: &Directory, limits: &PictureLimits) -> Result<Header, Error> {
    let (bits, samples) = (found.bits.unwrap_or(1), found.samples.unwrap_or(1));
    // Section "PhotometricInterpretation": 0 and 1 grey, 2 RGB, 3 palette, 5 CMYK, 6 YCbCr.
    let color = match (found.photometric, samples) {
        (0 | 1, 1) => Color::Gray,
        (0 | 1, 2) => Color::GrayAlpha,
        (2, 3) | (6, 3) => Color::Rgb,
        (2, 4) => Color::Rgba,
        (3, 1) => Color::Palette,
        (5, 4 | 5) => Color::Cmyk,
        _ => return Err(Error::BrokenPicture),
    };
    // The decoder panics on tiles in planes.
    if !matches!(bits, 1..=64) || found.planar && samples > 1 && found.tile.is_some() {
        return Err(Error::BrokenPicture);
    }
    let mut part = found.width * found.height;
    if let Some((width, height)) = found.tile {
        // A tile may be larger than the picture, but is decoded as a whole.
        let side = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        check_size((side(width), side(height)), limits)?;
        part = part.max(width * height);
    }
    let size = (found.width as u32, found.height as u32);
    let mut header = Header::new(Format::Tiff, size, color, bits as u8);
    if let Some(bytes) = found.profile {
        header.add_profile(bytes);
    }
    header.hints.premultiplied = found.premultiplied && color == Color::Rgba;
    header.orientation =
        u16::try_from(found.orientation).map_or(Orientation::Upright, Orientation::from_exif);
    // The samples as stored, once for the picture and once for a strip or tile.
    let stored = samples.max(3) * bits.div_ceil(8);
    header.hints.scratch = (header.pixels() + part) * stored;
    Ok(header)
}

#[cfg(test)]
mod tests {
    use crate::codec::Color;
    use crate::codec::fixtures::{probed, tiff};
    use crate::error::Error;
    use crate::frame::Orientation;

    /// Entries of a 2 x 1 RGB picture with one strip behind the header.
    const RGB: [(u16, u32); 9] = [
        (256, 2),
        (257, 1),
        (258, 8),
        (259, 1),
        (262, 2),
        (273, 8),
        (277, 3),
        (278, 1),
        (279, 6),
    ];

    #[test]
    fn the_first_directory_is_read() {
        let mut entries = RGB.to_vec();
        entries.insert(6, (274, 6));
        let header = probed(&tiff(&entries, &[1, 2, 3, 4, 5, 6])).expect("it is valid");
        assert_eq!((header.width, header.height, header.bits), (2, 1, 8));
        assert_eq!(
            (header.color, header.orientation),
            (Color::Rgb, Orientation::Rotate90)
        );
    }

    #[test]
    fn loops_tiles_in_planes_and_missing_strips_are_broken() {
        let mut file = tiff(&RGB, &[0; 6]);
        let (len, place) = (file.len(), file[4..8].to_vec());
        file[len - 4..].copy_from_slice(&place);
        assert_eq!(probed(&file), Err(Error::BrokenPicture));
        let tiles = [(284, 2), (322, 16), (323, 16), (324, 8), (325, 6)];
        assert_eq!(
            probed(&tiff(&[&RGB[..], &tiles].concat(), &[0; 6])),
            Err(Error::BrokenPicture)
        );
        assert_eq!(probed(&tiff(&RGB[..5], &[0; 6])), Err(Error::BrokenPicture));
    }

    #[test]
    fn a_huge_directory_or_tile_is_refused() {
        let mut file = tiff(&RGB, &[0; 6]);
        file[14..16].fill(0xff);
        assert!(matches!(
            probed(&file),
            Err(Error::Bomb {
                what: "TIFF entries",
                ..
            })
        ));
        let tiles = [(322, 1 << 20), (323, 1 << 20), (324, 8)];
        let file = tiff(&[&RGB[..], &tiles].concat(), &[0; 6]);
        assert!(matches!(probed(&file), Err(Error::SideTooLong { .. })));
    }
}
