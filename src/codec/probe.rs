//! `probe`: what a file is, and whether it may be decoded. Reads headers only; nothing is
//! inflated or decoded.
//!
//! The cost is bounded by the file's size: the walk never goes back, except where a format stores
//! offsets (TIFF), where it takes a bounded number of steps.

mod exif;
mod jpeg;
mod other;
mod png;
mod source;
mod tiff;
mod webp;

use std::io::{Read, Seek};

use super::{Format, Header, PictureLimits};
use crate::error::Error;
use source::Source;

/// Steps of a walk over chunks, blocks or entries that mean the same in every picture that a real
/// program writes: no more than these.
const MAX_CHUNKS: u64 = 4096;

/// What the file is, refused where it is not a picture within `limits`. The reader is at its
/// start afterwards.
///
/// # Errors
/// [`Error::UnknownFormat`], [`Error::FormatDisabled`], [`Error::BrokenPicture`] (truncated, or a
/// header that contradicts itself, or a form of the format that is not decoded here),
/// [`Error::SideTooLong`], [`Error::TooManyPixels`], [`Error::Bomb`]; [`Error::Internal`] where
/// reading fails.
pub fn probe<R: Read + Seek>(reader: &mut R, limits: &PictureLimits) -> Result<Header, Error> {
    let found = Source::new(reader).and_then(|mut source| walk(&mut source, limits));
    reader.rewind().map_err(|_| Error::Internal)?;
    found
}

fn walk<R: Read + Seek>(source: &mut Source<R>, limits: &PictureLimits) -> Result<Header, Error> {
    let head = source.peek()?;
    let Some(format) = sniff(head) else {
        return Err(Error::UnknownFormat {
            enabled: limits.format_names(),
        });
    };
    if !limits.formats.contains(&format) {
        let (format, enabled) = (format.name(), limits.format_names());
        return Err(Error::FormatDisabled { format, enabled });
    }
    match format {
        Format::Jpeg => jpeg::walk(source, limits),
        Format::Png => png::walk(source, limits),
        Format::Webp => webp::walk(source, limits),
        Format::Gif => other::gif(source, limits),
        Format::Bmp => other::bmp(source, limits),
        Format::Tiff => tiff::walk(source, limits),
    }
}

/// The format whose magic bytes a file begins with.
fn sniff(head: &[u8]) -> Option<Format> {
    match head {
        [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Png),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some(Format::Webp),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Format::Tiff),
        // Two letters are little: the size of the information header has to be a known one too.
        [b'B', b'M', ..]
            if matches!(
                head.get(14..18),
                Some([12 | 40 | 52 | 56 | 108 | 124, 0, 0, 0])
            ) =>
        {
            Some(Format::Bmp)
        }
        _ => None,
    }
}

/// Refuses a picture without pixels, and one over the limits.
fn check_size((width, height): (u32, u32), limits: &PictureLimits) -> Result<(), Error> {
    if width == 0 || height == 0 {
        return Err(Error::BrokenPicture);
    }
    let (limit, actual) = (limits.max_side, width.max(height));
    if actual > limit {
        return Err(Error::SideTooLong { limit, actual });
    }
    let (limit, actual) = (limits.max_pixels, u64::from(width) * u64::from(height));
    if actual > limit {
        return Err(Error::TooManyPixels { limit, actual });
    }
    Ok(())
}

/// Refuses a count above its limit.
fn check_count(what: &'static str, limit: u64, actual: u64) -> Result<(), Error> {
    if actual > limit {
        Err(Error::Bomb {
            what,
            limit,
            actual,
        })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Seek};

    use super::*;
    use crate::codec::{
        Encoded,
        fixtures::{self, file, limits, picture, probed},
    };
    use crate::frame::Layout;

    #[test]
    fn written_files_are_recognised_and_the_reader_is_rewound() {
        let frame = picture(33, 17, Layout::Rgba);
        for (encoded, format, alpha) in [
            (Encoded::Jpeg, Format::Jpeg, false),
            (Encoded::Png, Format::Png, true),
            (Encoded::Webp, Format::Webp, true),
        ] {
            let mut reader = Cursor::new(file(&frame, encoded));
            let header = probe(&mut reader, &limits()).expect("it is a valid file");
            assert_eq!(reader.stream_position().ok(), Some(0));
            assert_eq!(
                (header.format, header.width, header.height),
                (format, 33, 17)
            );
            assert_eq!((header.has_alpha, header.animated), (alpha, false));
        }
    }

    #[test]
    fn other_formats_are_unknown() {
        let avif = b"\0\0\0\x20ftypavif\0\0\0\0".as_slice();
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>".as_slice();
        for bytes in [
            avif,
            svg,
            b"%PDF-1.7",
            b"BMxxxxxxxxxxxxxxxxxxxx",
            b"RIFF....WAVE",
            b"P6",
            b"",
        ] {
            let found = probed(bytes);
            assert!(
                matches!(found, Err(Error::UnknownFormat { .. })),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_known_format_that_is_off_is_named() {
        let mut limits = limits();
        limits.formats = vec![Format::Png];
        let found = probe(&mut Cursor::new(fixtures::jpeg(8, 8)), &limits);
        let enabled = "png".to_owned();
        assert_eq!(
            found,
            Err(Error::FormatDisabled {
                format: "jpeg",
                enabled
            })
        );
    }

    #[test]
    fn limits_hold_for_sides_and_pixels() {
        let bytes = fixtures::jpeg(40, 30);
        let with = |max_side, max_pixels| {
            let limits = PictureLimits {
                max_side,
                max_pixels,
                ..limits()
            };
            probe(&mut Cursor::new(&bytes), &limits)
        };
        assert!(with(40, 1200).is_ok());
        assert_eq!(
            with(39, 1200),
            Err(Error::SideTooLong {
                limit: 39,
                actual: 40
            })
        );
        assert_eq!(
            with(40, 1199),
            Err(Error::TooManyPixels {
                limit: 1199,
                actual: 1200
            })
        );
    }

    #[test]
    fn heads_that_announce_too_much_are_refused_in_every_format() {
        let png = fixtures::png(&[(b"IHDR", &fixtures::ihdr(65_535, 65_535, 1, 0, false))]);
        let webp = fixtures::riff(&[(b"VP8X", &fixtures::vp8x(0x10, 1 << 24, 1 << 24))]);
        let gif = fixtures::gif(1, 1, None, &[]);
        let gif = [
            &gif[..gif.len() - 1],
            &[0x2c, 0, 0, 0, 0],
            &[0xff; 4],
            &[0, 2, 0],
        ]
        .concat();
        let tiff = fixtures::tiff(&[(256, u32::MAX), (257, u32::MAX), (273, 8)], &[0; 8]);
        let mut jpeg = fixtures::jpeg(8, 8);
        let at = fixtures::find(&jpeg, 0xc0);
        jpeg[at + 5..at + 9].copy_from_slice(&[0x02, 0x58, 0xfd, 0xe8]);
        let bmp = fixtures::bmp(8, 8, [0; 3]);
        let bmp = [&bmp[..18], &60_000_u32.to_le_bytes().repeat(2), &bmp[26..]].concat();
        for bytes in [png, webp, gif, tiff, jpeg, bmp] {
            let found = probed(&bytes);
            assert!(matches!(found, Err(Error::SideTooLong { .. })), "{found:?}");
        }
    }

    #[test]
    fn pictures_without_pixels_are_broken() {
        let png = fixtures::png(&[(b"IHDR", &fixtures::ihdr(0, 5, 8, 2, false))]);
        let gif = fixtures::gif(0, 4, None, &[[0, 0, 1, 1]]);
        let bmp = fixtures::bmp(0, 4, [0; 3]);
        for bytes in [png, gif, bmp, fixtures::tiff(&[], &[])] {
            assert_eq!(probed(&bytes), Err(Error::BrokenPicture));
        }
    }
}
