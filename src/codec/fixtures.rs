//! Files made in code, for the tests of this module.

use std::io::Cursor;

use super::{Encoded, Encoding, Format, Header, PictureLimits, decode, encode, probe};
use crate::{
    error::Error,
    frame::{Frame, Layout},
};

pub(super) const ALL: [Format; 6] = [
    Format::Jpeg,
    Format::Png,
    Format::Webp,
    Format::Gif,
    Format::Bmp,
    Format::Tiff,
];

/// The default limits, with every format on.
pub(super) fn limits() -> PictureLimits {
    PictureLimits {
        max_pixels: 50_000_000,
        max_side: 16_384,
        formats: ALL.to_vec(),
    }
}

/// What `probe` says with these limits.
pub(super) fn probed(bytes: &[u8]) -> Result<Header, Error> {
    probe(&mut Cursor::new(bytes), &limits())
}

/// The picture of a file.
pub(super) fn decoded(bytes: &[u8]) -> Result<Frame, Error> {
    probed(bytes).and_then(|header| decode(bytes, &header))
}

/// A smooth picture whose four corners differ: dark, red, green, blue.
pub(super) fn picture(width: u32, height: u32, layout: Layout) -> Frame {
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (r, g) = (
                (x * 255 / width.max(2)) as u8,
                (y * 255 / height.max(2)) as u8,
            );
            let pixel = [r, g, (r / 2).max(g / 2), 255 - r / 2];
            data.extend_from_slice(&pixel[..layout.channels()]);
        }
    }
    Frame::new(width, height, layout, data)
}

/// The picture in a format, with the default encoding.
pub(super) fn file(frame: &Frame, format: Encoded) -> Vec<u8> {
    encode(frame, &Encoding::new(format)).expect("the encoder takes any small frame")
}

/// A JPEG of a smooth picture.
pub(super) fn jpeg(width: u32, height: u32) -> Vec<u8> {
    file(&picture(width, height, Layout::Rgb), Encoded::Jpeg)
}

/// A JPEG with a segment behind its SOI marker.
pub(super) fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &len, payload, &jpeg[2..]].concat()
}

/// Where a marker stands in a JPEG that has no other 0xff before it than those of markers.
pub(super) fn find(jpeg: &[u8], marker: u8) -> usize {
    jpeg.windows(2)
        .position(|w| w == [0xff, marker])
        .expect("the marker is there")
}

/// An EXIF block (little-endian) with an orientation as its only entry.
pub(super) fn exif(orientation: u16) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend(orientation.to_le_bytes());
    block.extend([0; 6]);
    block
}

/// A PNG of the chunks given, behind its signature.
pub(super) fn png(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in chunks {
        let body = [kind.as_slice(), data].concat();
        file.extend((data.len() as u32).to_be_bytes());
        file.extend_from_slice(&body);
        file.extend(crc(&body).to_be_bytes());
    }
    file
}

/// The payload of an IHDR chunk.
pub(super) fn ihdr(width: u32, height: u32, bits: u8, color: u8, interlaced: bool) -> Vec<u8> {
    let mut data = [width.to_be_bytes(), height.to_be_bytes()].concat();
    data.extend([bits, color, 0, 0, interlaced.into()]);
    data
}

/// A zlib stream that stores `data` as it is (RFC 1950, RFC 1951 section 3.2.4).
pub(super) fn stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let blocks = data.chunks(65_535);
    let last = blocks.len().saturating_sub(1);
    for (i, block) in blocks.enumerate() {
        let len = block.len() as u16;
        stream.push((i == last).into());
        stream.extend([len.to_le_bytes(), (!len).to_le_bytes()].concat());
        stream.extend_from_slice(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for &byte in data {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}

/// Rows of samples with filter 0 before each, as a zlib stream.
pub(super) fn rows(rows: &[&[u8]]) -> Vec<u8> {
    let data: Vec<u8> = rows.iter().flat_map(|row| [&[0], *row].concat()).collect();
    stored(&data)
}

/// The CRC of PNG (annex D of the specification).
fn crc(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc: u32, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}

/// A RIFF file of WebP chunks.
pub(super) fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (kind, data) in chunks {
        body.extend_from_slice(*kind);
        body.extend((data.len() as u32).to_le_bytes());
        body.extend_from_slice(data);
        body.extend(vec![0; data.len() % 2]);
    }
    [
        b"RIFF".as_slice(),
        &(body.len() as u32).to_le_bytes(),
        &body,
    ]
    .concat()
}

/// The payload of a VP8X chunk.
pub(super) fn vp8x(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let mut data = vec![flags, 0, 0, 0];
    data.extend_from_slice(&(width - 1).to_le_bytes()[..3]);
    data.extend_from_slice(&(height - 1).to_le_bytes()[..3]);
    data
}

/// A GIF of one colour table and the frames given as (x, y, width, height), each filled with index
/// 1; `transparent` is the index that a control extension makes so.
pub(super) fn gif(
    width: u16,
    height: u16,
    transparent: Option<u8>,
    frames: &[[u16; 4]],
) -> Vec<u8> {
    let mut file = b"GIF89a".to_vec();
    file.extend([width.to_le_bytes(), height.to_le_bytes()].concat());
    // Four colours: black, red, green, blue.
    file.extend([0x81, 0, 0, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255]);
    for &[x, y, w, h] in frames {
        if let Some(index) = transparent {
            file.extend([0x21, 0xf9, 4, 1, 0, 0, index, 0]);
        }
        file.push(0x2c);
        file.extend([x, y, w, h].map(u16::to_le_bytes).concat());
        file.extend([0, 2]);
        // LZW with codes of three bits: a clear code before every second sample, so that they
        // never grow.
        let mut codes = Vec::new();
        for i in 0..u32::from(w) * u32::from(h) {
            if i % 2 == 0 {
                codes.push(4);
            }
            codes.push(1);
        }
        codes.push(5);
        let mut packed = vec![0; (codes.len() * 3).div_ceil(8)];
        for (i, code) in codes.iter().enumerate() {
            for bit in 0..3 {
                packed[(3 * i + bit) / 8] |= (code >> bit & 1) << ((3 * i + bit) % 8);
            }
        }
        for block in packed.chunks(255) {
            file.push(block.len() as u8);
            file.extend_from_slice(block);
        }
        file.push(0);
    }
    file.push(0x3b);
    file
}

/// A BMP with 24 bits a pixel, of one colour.
pub(super) fn bmp(width: i32, height: i32, [r, g, b]: [u8; 3]) -> Vec<u8> {
    let mut file = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    file.extend([width.to_le_bytes(), height.to_le_bytes()].concat());
    file.extend([1, 0, 24, 0]);
    file.extend([0; 24]);
    let row = (3 * width.unsigned_abs() as usize).next_multiple_of(4);
    for _ in 0..height.unsigned_abs() {
        let end = file.len() + row;
        file.extend([b, g, r].repeat(width.unsigned_abs() as usize));
        file.resize(end, 0);
    }
    file
}

/// A little-endian TIFF with one strip of `data` and the entries given as (tag, value), all LONG,
/// sorted by tag.
pub(super) fn tiff(entries: &[(u16, u32)], data: &[u8]) -> Vec<u8> {
    let mut file = [
        b"II*\0".as_slice(),
        &(8 + data.len() as u32).to_le_bytes(),
        data,
    ]
    .concat();
    file.extend((entries.len() as u16).to_le_bytes());
    for &(tag, value) in entries {
        file.extend([tag.to_le_bytes(), 4_u16.to_le_bytes()].concat());
        file.extend([1_u32.to_le_bytes(), value.to_le_bytes()].concat());
    }
    file.extend([0; 4]);
    file
}
