//! The segments of a JPEG, and what is learnt from them.

use std::io::{Read, Seek};

use super::super::{exif, source::Source};
use crate::{error::Error, frame::Orientation};

/// What the segments before the first scan tell.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) frame: Option<FrameHeader>,
    pub(super) tables: [Option<[u16; 64]>; 4],
    pub(super) exif: Option<Orientation>,
    /// Bytes of profile segments.
    pub(super) profile: u64,
    /// The Adobe transform (0, 1 or 2), and where in the file it stands.
    pub(super) adobe: Option<(u8, usize)>,
    /// Bytes of application segments, which the decoder copies.
    pub(super) metadata: u64,
    /// Whether the first scan holds every component.
    pub(super) first_scan_is_whole: bool,
}

/// The frame header.
pub(super) struct FrameHeader {
    pub(super) progressive: bool,
    pub(super) size: (u32, u32),
    pub(super) components: Vec<Component>,
}

/// A component of the frame.
pub(super) struct Component {
    pub(super) id: u8,
    pub(super) horizontal: u64,
    pub(super) vertical: u64,
    pub(super) table: usize,
}

/// Reads a segment with `parse`, which gets its length without the length field, and goes to its
/// end whatever `parse` has read of it.
pub(super) fn segment<R: Read + Seek, T>(
    source: &mut Source<R>,
    parse: impl FnOnce(&mut Source<R>, usize) -> Result<T, Error>,
) -> Result<T, Error> {
    let len = source
        .u16_be()?
        .checked_sub(2)
        .ok_or(Error::BrokenPicture)?;
    let end = source.position() + u64::from(len);
    let parsed = parse(source, usize::from(len))?;
    if source.position() > end {
        return Err(Error::BrokenPicture);
    }
    source.seek(end)?;
    Ok(parsed)
}

/// T.81 B.2.2.
pub(super) fn frame_header<R: Read + Seek>(
    source: &mut Source<R>,
    progressive: bool,
) -> Result<FrameHeader, Error> {
    segment(source, |source, len| {
        let precision = source.byte()?;
        let (height, width) = (source.u16_be()?, source.u16_be()?);
        let count = source.byte()?;
        // 12 bits exist in medicine only; two components are in no file format.
        if precision != 8 || !matches!(count, 1 | 3 | 4) || len != 6 + 3 * usize::from(count) {
            return Err(Error::BrokenPicture);
        }
        let components = (0..count)
            .map(|_| {
                let [id, sampling, table] = source.array()?;
                let (horizontal, vertical) = (u64::from(sampling >> 4), u64::from(sampling & 15));
                let known = (1..=4).contains(&horizontal) && (1..=4).contains(&vertical);
                if !known || table > 3 {
                    return Err(Error::BrokenPicture);
                }
                Ok(Component {
                    id,
                    horizontal,
                    vertical,
                    table: table.into(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(FrameHeader {
            progressive,
            size: (width.into(), height.into()),
            components,
        })
    })
}

/// Quantisation tables (T.81 B.2.4.1).
pub(super) fn tables<R: Read + Seek>(
    source: &mut Source<R>,
    mut len: usize,
    found: &mut Findings,
) -> Result<(), Error> {
    while len > 0 {
        let head = source.byte()?;
        let bytes = if head >> 4 == 0 { 1 } else { 2 };
        len = len
            .checked_sub(1 + 64 * bytes)
            .ok_or(Error::BrokenPicture)?;
        let mut table = [0; 64];
        for value in &mut table {
            *value = if bytes == 1 {
                source.byte()?.into()
            } else {
                source.u16_be()?
            };
        }
        *found
            .tables
            .get_mut(usize::from(head & 15))
            .ok_or(Error::BrokenPicture)? = Some(table);
    }
    Ok(())
}

/// EXIF (CIPA DC-008); the first block counts.
pub(super) fn app1<R: Read + Seek>(
    s: &mut Source<R>,
    len: usize,
    found: &mut Findings,
) -> Result<(), Error> {
    found.metadata += len as u64;
    if found.exif.is_none() {
        let block = s.bytes(len)?;
        if block.starts_with(b"Exif\0\0") {
            found.exif = Some(exif::orientation(&block));
        }
    }
    Ok(())
}

/// A part of an ICC profile (ICC.1 annex B.4).
pub(super) fn app2<R: Read + Seek>(
    s: &mut Source<R>,
    len: usize,
    found: &mut Findings,
) -> Result<(), Error> {
    // The profile is copied twice: by segments, and put together.
    found.metadata += 2 * len as u64;
    if len >= 12 && s.array()? == *b"ICC_PROFILE\0" {
        found.profile += len as u64;
    }
    Ok(())
}

/// The Adobe segment (technical note 5116, section 18).
pub(super) fn app14<R: Read + Seek>(
    s: &mut Source<R>,
    len: usize,
    found: &mut Findings,
) -> Result<(), Error> {
    if len >= 12 {
        let [b'A', b'd', b'o', b'b', b'e', .., transform] = s.array::<12>()? else {
            return Ok(());
        };
        let place = usize::try_from(s.position() - 1).map_err(|_| Error::BrokenPicture)?;
        found.adobe = Some((transform, place));
    }
    Ok(())
}
