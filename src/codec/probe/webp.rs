//! WebP (RFC 9649): walks the RIFF chunks, reads the heads of both bit streams.

use std::io::{Read, Seek};

use super::{MAX_CHUNKS, check_count, check_size, exif, source::Source};
use crate::{
    codec::{Color, Format, Header, PictureLimits},
    error::Error,
};

/// Flags of the extended header (section 2.7.1.2).
mod flag {
    pub const ANIMATION: u8 = 0x02;
    pub const ALPHA: u8 = 0x10;
    pub const PROFILE: u8 = 0x20;
}

/// One of the two bit streams.
struct Stream {
    size: (u32, u32),
    alpha: bool,
    lossless: bool,
}

/// The extended header.
struct Canvas {
    flags: u8,
    size: (u32, u32),
}

pub(super) fn walk<R: Read + Seek>(
    source: &mut Source<R>,
    limits: &PictureLimits,
) -> Result<Header, Error> {
    source.skip(4)?; // RIFF
    let end = 8 + u64::from(source.u32_le()?);
    source.skip(4)?; // WEBP
    // The last byte may be the padding of an odd chunk, which some programs do not write.
    if end > source.position() + source.left() + 1 {
        return Err(Error::BrokenPicture);
    }
    let mut found = Found::default();
    let mut chunks = 0;
    while source.position() + 8 <= end && source.left() >= 8 {
        chunks += 1;
        check_count("WebP chunks", MAX_CHUNKS, chunks)?;
        let (kind, len) = (source.array()?, source.u32_le()?);
        let next = source.position() + u64::from(len) + u64::from(len & 1);
        if source.position() + u64::from(len) > end {
            return Err(Error::BrokenPicture);
        }
        found.chunk(source, &kind, len, limits)?;
        if found.is_enough() {
            break;
        }
        source.seek(next.min(source.position() + source.left()))?;
    }
    found.header(limits)
}

#[derive(Default)]
struct Found {
    canvas: Option<Canvas>,
    stream: Option<Stream>,
    frame: bool,
    second_frame: bool,
    profile: Option<u32>,
    orientation: crate::frame::Orientation,
}

impl Found {
    fn chunk<R: Read + Seek>(
        &mut self,
        source: &mut Source<R>,
        kind: &[u8; 4],
        len: u32,
        limits: &PictureLimits,
    ) -> Result<(), Error> {
        match kind {
            b"VP8X" if self.canvas.is_none() && self.stream.is_none() => {
                let canvas = canvas(source)?;
                check_size(canvas.size, limits)?;
                self.canvas = Some(canvas);
            }
            b"VP8X" => return Err(Error::BrokenPicture),
            b"VP8 " if self.stream.is_none() => self.stream = Some(lossy(source)?),
            b"VP8L" if self.stream.is_none() => self.stream = Some(lossless(source)?),
            b"ANMF" if self.frame => self.second_frame = true,
            b"ANMF" => {
                self.frame = true;
                let canvas = self.canvas.as_ref().ok_or(Error::BrokenPicture)?;
                check_frame(source, canvas.size, len)?;
            }
            b"ICCP" => self.profile = Some(len),
            b"EXIF" => {
                let block = source.bytes((len as usize).min(exif::LONGEST))?;
                self.orientation = exif::orientation(&block);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether nothing that follows matters: a file in the simple form ends with its stream.
    fn is_enough(&self) -> bool {
        self.canvas.is_none() && self.stream.is_some()
    }

    fn header(self, limits: &PictureLimits) -> Result<Header, Error> {
        let animated = self
            .canvas
            .as_ref()
            .is_some_and(|c| c.flags & flag::ANIMATION != 0);
        let (size, alpha, lossless) = match (&self.canvas, &self.stream) {
            (Some(canvas), _) if animated && self.frame => {
                (canvas.size, canvas.flags & flag::ALPHA != 0, true)
            }
            // The decoder trusts the canvas, and the stream would be larger or smaller.
            (Some(canvas), Some(stream)) if !animated && canvas.size == stream.size => (
                canvas.size,
                canvas.flags & flag::ALPHA != 0,
                stream.lossless,
            ),
            (None, Some(stream)) => (stream.size, stream.alpha, stream.lossless),
            _ => return Err(Error::BrokenPicture),
        };
        check_size(size, limits)?;
        let color = if alpha { Color::Rgba } else { Color::Rgb };
        let mut header = Header::new(Format::Webp, size, color, 8);
        header.animated = animated && self.second_frame;
        let announced = self.canvas.is_some_and(|c| c.flags & flag::PROFILE != 0);
        if let Some(len) = self.profile.filter(|_| announced) {
            header.add_profile(len.into());
        }
        header.orientation = self.orientation;
        header.hints.scratch = scratch(&header, animated, lossless);
        Ok(header)
    }
}

/// Section 2.7.1.2.
fn canvas<R: Read + Seek>(source: &mut Source<R>) -> Result<Canvas, Error> {
    let [flags, _, _, _, w0, w1, w2, h0, h1, h2] = source.array()?;
    let side = |bytes: [u8; 3]| 1 + u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
    Ok(Canvas {
        flags,
        size: (side([w0, w1, w2]), side([h0, h1, h2])),
    })
}

/// The frame header of VP8 (RFC 6386, section 9.1).
fn lossy<R: Read + Seek>(source: &mut Source<R>) -> Result<Stream, Error> {
    let [tag, _, _, s0, s1, s2] = source.array()?;
    let (width, height) = (source.u16_le()?, source.u16_le()?);
    let key_frame = tag & 1 == 0;
    if !key_frame || [s0, s1, s2] != [0x9d, 0x01, 0x2a] {
        return Err(Error::BrokenPicture);
    }
    // The two bits above are a wish for scaling, which nothing follows.
    let size = (u32::from(width & 0x3fff), u32::from(height & 0x3fff));
    Ok(Stream {
        size,
        alpha: false,
        lossless: false,
    })
}

/// The head of VP8L (RFC 9649, section 3.4).
fn lossless<R: Read + Seek>(source: &mut Source<R>) -> Result<Stream, Error> {
    let signature = source.byte()?;
    let bits = source.u32_le()?;
    if signature != 0x2f || bits >> 29 != 0 {
        return Err(Error::BrokenPicture);
    }
    let size = (1 + (bits & 0x3fff), 1 + ((bits >> 14) & 0x3fff));
    Ok(Stream {
        size,
        alpha: bits >> 28 & 1 == 1,
        lossless: true,
    })
}

/// Refuses a first frame that leaves the canvas (section 2.7.1.1).
fn check_frame<R: Read + Seek>(
    source: &mut Source<R>,
    canvas: (u32, u32),
    len: u32,
) -> Result<(), Error> {
    if len < 16 {
        return Err(Error::BrokenPicture);
    }
    let bytes: [u8; 12] = source.array()?;
    let at = |i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], 0]);
    let (right, bottom) = (2 * at(0) + at(6) + 1, 2 * at(3) + at(9) + 1);
    if right > canvas.0 || bottom > canvas.1 {
        Err(Error::BrokenPicture)
    } else {
        Ok(())
    }
}

/// Bytes that the decoder holds beside the frame, as measured: the planes of a lossy picture, and
/// its alpha with the four samples it is coded as; a lossless one is decoded in place where it
/// has alpha; a frame of an animation is composed from buffers of its own.
fn scratch(header: &Header, animated: bool, lossless: bool) -> u64 {
    let a_pixel = match (animated, lossless, header.has_alpha) {
        (true, _, _) => 12,
        (_, true, true) => 1,
        (_, true, false) => 5,
        (_, false, true) => 7,
        (_, false, false) => 2,
    };
    // Tables of codes, and the copy of a bit stream.
    header.pixels() * a_pixel + (8 << 20)
}

#[cfg(test)]
mod tests {
    use super::flag::{ALPHA, ANIMATION, PROFILE};
    use crate::codec::Encoded;
    use crate::codec::fixtures::{exif, file, picture, probed, riff, vp8x};
    use crate::error::Error;
    use crate::frame::{Layout, Orientation};

    /// The lossy bit stream of a 16 x 8 picture.
    fn stream() -> Vec<u8> {
        file(&picture(16, 8, Layout::Rgb), Encoded::Webp)[20..].to_vec()
    }

    #[test]
    fn the_extended_form_tells_of_metadata() {
        let header = probed(&riff(&[
            (b"VP8X", &vp8x(PROFILE, 16, 8)),
            (b"ICCP", b"abc"),
            (b"VP8 ", &stream()),
            (b"EXIF", &exif(8)),
        ]))
        .expect("it is valid");
        assert!(header.has_profile && !header.has_alpha && !header.animated);
        assert_eq!(header.orientation, Orientation::Rotate270);
        assert_eq!(header.upright_size(), (8, 16));
    }

    #[test]
    fn a_canvas_of_another_size_is_broken() {
        let file = riff(&[(b"VP8X", &vp8x(0, 17, 8)), (b"VP8 ", &stream())]);
        assert_eq!(probed(&file), Err(Error::BrokenPicture));
    }

    #[test]
    fn a_file_shorter_than_it_says_is_broken() {
        let file = riff(&[(b"VP8 ", &stream())]);
        assert!(probed(&file).is_ok());
        for len in 12..file.len() - 1 {
            assert_eq!(probed(&file[..len]), Err(Error::BrokenPicture), "{len}");
        }
        assert!(probed(&[file, vec![0; 100]].concat()).is_ok());
    }

    #[test]
    fn animations_are_seen_and_their_first_frame_must_fit() {
        // Place and size of a frame: three bytes each, places halved, sizes less one.
        let frame = |x: u8, width: u8| {
            let head = [x, 0, 0, 0, 0, 0, width - 1, 0, 0, 7, 0, 0, 40, 0, 0, 0];
            [
                head.as_slice(),
                b"VP8 ",
                &(stream().len() as u32).to_le_bytes(),
                &stream(),
            ]
            .concat()
        };
        let canvas = vp8x(ANIMATION | ALPHA, 16, 8);
        let file = |frames: &[&[u8]]| {
            let mut chunks: Vec<(&[u8; 4], &[u8])> = vec![(b"VP8X", &canvas), (b"ANIM", &[0; 6])];
            chunks.extend(frames.iter().map(|&frame| (b"ANMF", frame)));
            probed(&riff(&chunks))
        };
        let fits = frame(0, 16);
        assert_eq!(
            file(&[&fits, &fits]).map(|h| (h.animated, h.has_alpha)),
            Ok((true, true))
        );
        assert_eq!(file(&[&fits]).map(|h| h.animated), Ok(false));
        assert_eq!(file(&[&frame(1, 16)]), Err(Error::BrokenPicture));
        assert_eq!(file(&[]), Err(Error::BrokenPicture));
    }
}
