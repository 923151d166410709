//! JPEG (ITU-T T.81): walks the segments, counts the scans, reads no coefficient.

mod quality;
mod segments;

use std::io::{Read, Seek};

use super::{check_count, check_size, source::Source};
use crate::{
    codec::{Color, Format, Header, PictureLimits},
    error::Error,
};
use segments::{
    Component, Findings, FrameHeader, app1, app2, app14, frame_header, segment, tables,
};

/// Scans at most: each makes the decoder walk over the whole picture again. Encoders write 1 to
/// about 10.
const MAX_SCANS: u64 = 32;
/// Segments at most, scans included; a profile of 4 MiB takes 65 of them.
const MAX_SEGMENTS: u64 = 4096;

/// Markers (T.81 table B.1), without their 0xff.
mod marker {
    pub const TEM: u8 = 0x01;
    pub const SOF0: u8 = 0xc0;
    pub const SOF2: u8 = 0xc2;
    pub const SOF15: u8 = 0xcf;
    pub const RST0: u8 = 0xd0;
    pub const RST7: u8 = 0xd7;
    pub const SOI: u8 = 0xd8;
    pub const EOI: u8 = 0xd9;
    pub const SOS: u8 = 0xda;
    pub const DQT: u8 = 0xdb;
    pub const DNL: u8 = 0xdc;
    pub const APP1: u8 = 0xe1;
    pub const APP2: u8 = 0xe2;
    pub const APP14: u8 = 0xee;
}

pub(super) fn walk<R: Read + Seek>(
    source: &mut Source<R>,
    limits: &PictureLimits,
) -> Result<Header, Error> {
    let mut found = Findings::default();
    let (mut scans, mut segments) = (0, 0);
    source.skip(2)?; // SOI
    loop {
        // A file without an end marker was cut. The decoder cannot tell whether the last blocks
        // are data or the zeros that it puts in their place.
        let marker = next_marker(source)?.ok_or(Error::BrokenPicture)?;
        segments += 1;
        check_count("JPEG segments", MAX_SEGMENTS, segments)?;
        match marker {
            marker::EOI => break,
            marker::TEM | marker::RST0..=marker::RST7 => {}
            // A second picture inside this one, or a height that is told only after the scan.
            marker::SOI | marker::DNL => return Err(Error::BrokenPicture),
            marker::SOF0..=marker::SOF2 => {
                if found.frame.is_some() {
                    return Err(Error::BrokenPicture);
                }
                let frame = frame_header(source, marker == marker::SOF2)?;
                check_size(frame.size, limits)?;
                found.frame = Some(frame);
            }
            // Arithmetic coding, lossless and hierarchical forms: no program of today writes them.
            0xc3 | 0xc5..=marker::SOF15 => return Err(Error::BrokenPicture),
            marker::SOS => {
                let frame = found.frame.as_ref().ok_or(Error::BrokenPicture)?;
                scans += 1;
                check_count("JPEG scans", MAX_SCANS, scans)?;
                let components = segment(source, |source, len| {
                    let empty = len == 0;
                    if empty {
                        Err(Error::BrokenPicture)
                    } else {
                        source.byte()
                    }
                })?;
                if scans == 1 {
                    found.first_scan_is_whole = usize::from(components) == frame.components.len();
                }
                skip_entropy(source)?;
            }
            marker::DQT if scans == 0 => segment(source, |s, len| tables(s, len, &mut found))?,
            marker::APP1 => segment(source, |s, len| app1(s, len, &mut found))?,
            marker::APP2 => segment(source, |s, len| app2(s, len, &mut found))?,
            marker::APP14 => segment(source, |s, len| app14(s, len, &mut found))?,
            _ => segment(source, |_, len| {
                found.metadata += len as u64;
                Ok(())
            })?,
        }
    }
    if scans == 0 {
        return Err(Error::BrokenPicture);
    }
    header(found)
}

/// The next marker; `None` at the end of the file. As in libjpeg, what lies between segments is
/// passed over.
fn next_marker<R: Read + Seek>(source: &mut Source<R>) -> Result<Option<u8>, Error> {
    loop {
        skip_to_ff(source)?;
        while source.peek()?.first() == Some(&0xff) {
            source.consume(1);
        }
        match source.peek()?.first() {
            None => return Ok(None),
            Some(&marker) => {
                source.consume(1);
                if marker != 0 {
                    return Ok(Some(marker));
                }
            }
        }
    }
}

/// Passes over entropy-coded data, up to the marker that ends it.
fn skip_entropy<R: Read + Seek>(source: &mut Source<R>) -> Result<(), Error> {
    loop {
        skip_to_ff(source)?;
        // Both bytes of a marker may lie in different buffers, so the place is taken first.
        let place = source.position();
        source.consume(1);
        match source.peek()?.first() {
            // A stuffed 0xff, or a restart marker.
            Some(0 | marker::RST0..=marker::RST7) => source.consume(1),
            Some(_) => return source.seek(place),
            None => return Ok(()),
        }
    }
}

/// Goes to the next 0xff, or to the end.
fn skip_to_ff<R: Read + Seek>(source: &mut Source<R>) -> Result<(), Error> {
    loop {
        let part = source.peek()?;
        if part.is_empty() {
            return Ok(());
        }
        // Whole blocks are compared at once (the compiler makes vector code of this), so that
        // scanning costs a small part of decoding.
        let (blocks, _) = part.as_chunks::<32>();
        let clean = |block: &&[u8; 32]| !block.iter().fold(false, |hit, &b| hit | (b == 0xff));
        let skipped = 32 * blocks.iter().take_while(clean).count();
        let at = part[skipped..].iter().position(|&b| b == 0xff);
        let n = at.map_or(part.len(), |at| skipped + at);
        source.consume(n);
        if at.is_some() {
            return Ok(());
        }
    }
}
fn header(found: Findings) -> Result<Header, Error> {
    let frame = found.frame.as_ref().ok_or(Error::BrokenPicture)?;
    let color = match (frame.components.len(), found.adobe) {
        (1, _) => Color::Gray,
        (3, _) => Color::Rgb,
        (_, Some((2, _))) => Color::Ycck,
        (_, _) => Color::Cmyk,
    };
    let mut header = Header::new(Format::Jpeg, frame.size, color, 8);
    header.orientation = found.exif.unwrap_or_default();
    if found.profile > 0 {
        header.add_profile(found.profile);
    }
    header.jpeg_quality = found.tables[frame.components[0].table]
        .as_ref()
        .map(quality::estimate);
    header.hints.adobe = found.adobe.is_some();
    // Components that are named R, G and B are taken for RGB without help.
    let named = frame.components.iter().map(|c| c.id).eq(*b"RGB");
    header.hints.rgb_flag = match found.adobe {
        Some((0, place)) if color == Color::Rgb && !named => Some(place),
        _ => None,
    };
    header.hints.scratch = found.metadata + scratch(frame, found.first_scan_is_whole, color);
    Ok(header)
}

/// Bytes that the decoder holds beside its output: every coefficient of a picture in more than one
/// scan, else a row of blocks; and what four colours take more than the three they become.
fn scratch(frame: &FrameHeader, first_scan_is_whole: bool, color: Color) -> u64 {
    let most = |of: fn(&Component) -> u64| frame.components.iter().map(of).max().unwrap_or(1);
    let (h, v) = (most(|c| c.horizontal), most(|c| c.vertical));
    let (width, height) = (u64::from(frame.size.0), u64::from(frame.size.1));
    let (across, down) = (width.div_ceil(8 * h), height.div_ceil(8 * v));
    let sampled: u64 = frame
        .components
        .iter()
        .map(|c| c.horizontal * c.vertical)
        .sum();
    // Coefficients have two bytes; a block has 64 of them. A row of blocks is held four times: as
    // decoded, upsampled, and the seam to the next row twice.
    let row = 2 * 64 * across * h * v * frame.components.len() as u64;
    let scans = frame.progressive || !first_scan_is_whole;
    let all = 2 * 64 * across * down * sampled;
    let decoder = 4 * row + if scans { all } else { 0 };
    let pixels = width * height;
    match color {
        // Four bytes a pixel, later beside the three that they become.
        Color::Cmyk | Color::Ycck => pixels + decoder.max(3 * pixels),
        // One, later beside three.
        Color::Gray => decoder.saturating_sub(2 * pixels).max(pixels),
        _ => decoder,
    }
}

#[cfg(test)]
mod tests {
    use crate::codec::fixtures::{exif, find, jpeg, picture, probed, with_segment};
    use crate::codec::{Color, Encoded, Encoding, encode};
    use crate::error::Error;
    use crate::frame::{Layout, Orientation};

    #[test]
    fn the_quality_is_estimated_from_the_table() {
        let frame = picture(16, 16, Layout::Rgb);
        for quality in [1, 10, 35, 50, 75, 85, 90, 95, 100] {
            let encoding = Encoding {
                quality,
                ..Encoding::new(Encoded::Jpeg)
            };
            let header = encode(&frame, &encoding).and_then(|bytes| probed(&bytes));
            let found = header.map(|header| header.jpeg_quality);
            assert_eq!(found, Ok(Some(quality)));
        }
    }

    #[test]
    fn orientation_profile_and_gray_are_seen() {
        let bytes = with_segment(&jpeg(16, 8), 0xe2, b"ICC_PROFILE\0\x01\x01nothing");
        let bytes = with_segment(&bytes, 0xe1, &[b"Exif\0\0", exif(6).as_slice()].concat());
        let header = probed(&bytes).expect("it is valid");
        assert_eq!(header.orientation, Orientation::Rotate90);
        assert_eq!(header.upright_size(), (8, 16));
        assert!(header.has_profile);
        let gray = encode(&picture(8, 8, Layout::Gray), &Encoding::new(Encoded::Jpeg));
        let header = gray.and_then(|bytes| probed(&bytes));
        assert_eq!(header.map(|header| header.color), Ok(Color::Gray));
    }

    #[test]
    fn many_scans_are_a_bomb() {
        let bytes = jpeg(16, 16);
        let scan = &bytes[find(&bytes, 0xda)..bytes.len() - 2];
        let many = [&bytes[..bytes.len() - 2], &scan.repeat(40), &[0xff, 0xd9]].concat();
        let bomb = Error::Bomb {
            what: "JPEG scans",
            limit: 32,
            actual: 33,
        };
        assert_eq!(probed(&many), Err(bomb));
        let comments = [&bytes[..2], &[0xff, 0xfe, 0, 2].repeat(5000), &bytes[2..]].concat();
        assert!(matches!(
            probed(&comments),
            Err(Error::Bomb {
                what: "JPEG segments",
                ..
            })
        ));
    }

    #[test]
    fn contradictions_and_rare_forms_are_broken() {
        let bytes = jpeg(16, 16);
        let frame = find(&bytes, 0xc0);
        let twice = [&bytes[..frame], &bytes[frame..frame + 19], &bytes[frame..]].concat();
        assert_eq!(probed(&twice), Err(Error::BrokenPicture));
        // Arithmetic coding, lossless, 12 bits, no components.
        for (at, value) in [(1, 0xc9), (1, 0xc3), (4, 12), (9, 0)] {
            let mut changed = bytes.clone();
            changed[frame + at] = value;
            assert_eq!(probed(&changed), Err(Error::BrokenPicture), "{at} {value}");
        }
        let dnl = [
            &bytes[..bytes.len() - 2],
            &[0xff, 0xdc, 0, 4, 0, 16, 0xff, 0xd9],
        ]
        .concat();
        assert_eq!(probed(&dnl), Err(Error::BrokenPicture));
        assert_eq!(
            probed(&bytes[..find(&bytes, 0xda)]),
            Err(Error::BrokenPicture)
        );
    }

    #[test]
    fn the_end_is_found_across_buffers() {
        // Entropy-coded data that is longer than the buffer, with a marker on its border.
        let bytes = jpeg(16, 16);
        for pad in 65_536 - bytes.len()..65_536 - bytes.len() + 8 {
            let filler = [vec![0x55; pad], vec![0xff, 0, 0xff, 0xd9]].concat();
            let long = [&bytes[..bytes.len() - 2], &filler].concat();
            assert!(probed(&long).is_ok(), "{pad}");
        }
    }
}
