//! The pictures of a run, made here: plain ones, ones full of metadata, and ones that are wrong.

use crate::{
    codec::{Encoded, Encoding, encode},
    frame::{Frame, Layout},
};

/// Width and height of every picture.
const SIZE: (u32, u32) = (96, 72);

/// A shaded ball on a plain ground, in another colour and place for each `variant`.
fn ball(variant: u8) -> Frame {
    let (width, height) = SIZE;
    let (cx, cy) = (34 + i32::from(variant % 4) * 9, 36);
    let color = [
        u32::from(variant.wrapping_mul(67) | 128),
        140,
        u32::from(variant.wrapping_mul(29)),
    ];
    let mut data = Vec::new();
    for y in 0..height as i32 {
        for x in 0..width as i32 {
            let far = (x - cx).pow(2) + (y - cy).pow(2);
            let shade = 256 - (far / 5).clamp(0, 200) as u32;
            let pixel = color.map(|c| match far < 28 * 28 {
                true => (c * shade / 256) as u8,
                false => 40 + (y / 4) as u8,
            });
            data.extend_from_slice(&pixel);
        }
    }
    Frame::new(width, height, Layout::Rgb, data)
}

/// A plain picture.
pub(super) fn plain(format: Encoded, variant: u8) -> Vec<u8> {
    // Sides of this length and a frame of RGB can be written in every format.
    encode(&ball(variant), &Encoding::new(format)).unwrap_or_default()
}

/// The same in each format, with metadata of every kind that the format has, all of it `word`.
pub(super) fn tagged(word: &str) -> [(&'static str, Vec<u8>); 3] {
    [
        ("JPEG", tagged_jpeg(word)),
        ("PNG", tagged_png(word)),
        ("WebP", tagged_webp(word)),
    ]
}

fn tagged_jpeg(word: &str) -> Vec<u8> {
    let named = |name: &[u8], content: &[u8]| [name, content].concat();
    let segments = [
        (0xfe, word.as_bytes().to_vec()),
        (0xe1, named(b"Exif\0\0", &exif(word))),
        (0xe1, named(b"http://ns.adobe.com/xap/1.0/\0", &xmp(word))),
        (
            0xed,
            named(b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0", word.as_bytes()),
        ),
        (0xe2, named(b"MPF\0", word.as_bytes())),
    ];
    let plain = plain(Encoded::Jpeg, 1);
    let tagged = segments.iter().fold(plain, |jpeg, (marker, content)| {
        with_segment(&jpeg, *marker, content)
    });
    // Cameras append a second picture or a film.
    [tagged, word.into()].concat()
}

fn tagged_png(word: &str) -> Vec<u8> {
    let text = |before: &str| format!("{before}{word}").into_bytes();
    let packed = [b"Comment\0\0".to_vec(), stored(word.as_bytes())].concat();
    let chunks: [(&[u8; 4], Vec<u8>); 5] = [
        (b"tEXt", text("Author\0")),
        (b"zTXt", packed),
        (b"iTXt", text("XML:com.adobe.xmp\0\0\0\0\0")),
        (b"eXIf", exif(word)),
        (b"prVt", text("")),
    ];
    let plain = plain(Encoded::Png, 1);
    let tagged = chunks
        .iter()
        .fold(plain, |png, (kind, data)| with_chunk(&png, kind, data));
    [tagged, word.into()].concat()
}

fn tagged_webp(word: &str) -> Vec<u8> {
    let plain = plain(Encoded::Webp, 1);
    // VP8X (RFC 9649, section 2.7): flags of EXIF and XMP, then the canvas less one.
    let [width, height] = [SIZE.0, SIZE.1].map(|side| (side - 1).to_le_bytes());
    let head = [&[0x0c, 0, 0, 0], &width[..3], &height[..3]].concat();
    let mut body = [b"WEBPVP8X\x0a\0\0\0", head.as_slice()].concat();
    body.extend_from_slice(plain.get(12..).unwrap_or_default());
    for (kind, data) in [(b"EXIF", exif(word)), (b"XMP ", xmp(word))] {
        body.extend_from_slice(kind);
        body.extend_from_slice(&(data.len() as u32).to_le_bytes());
        body.extend_from_slice(&data);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// EXIF with a description, a maker, a position and a thumbnail (EXIF 2.32; offsets from `II`).
fn exif(word: &str) -> Vec<u8> {
    let text = format!("{word} GPS \0");
    let length = text.len() as u32;
    // The directories: three entries, two of the position, two of the thumbnail.
    let gps = 8 + 2 + 3 * 12 + 4;
    let second = gps + 2 + 2 * 12 + 4;
    let data = second + 2 + 2 * 12 + 4;
    let thumbnail = with_segment(&plain(Encoded::Jpeg, 2), 0xfe, word.as_bytes());
    let directories: [(&[[u32; 4]], u32); 3] = [
        (
            &[
                [0x010e, 2, length, data],
                [0x010f, 2, length, data],
                [0x8825, 4, 1, gps],
            ],
            second,
        ),
        (&[[1, 2, 2, u32::from(b'N')], [0x1d, 2, length, data]], 0),
        (
            &[
                [0x0201, 4, 1, data + length],
                [0x0202, 4, 1, thumbnail.len() as u32],
            ],
            0,
        ),
    ];
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    for (entries, next) in directories {
        tiff.extend_from_slice(&(entries.len() as u16).to_le_bytes());
        for [tag, kind, count, value] in entries {
            tiff.extend_from_slice(&(*tag as u16).to_le_bytes());
            tiff.extend_from_slice(&(*kind as u16).to_le_bytes());
            tiff.extend_from_slice(&count.to_le_bytes());
            tiff.extend_from_slice(&value.to_le_bytes());
        }
        tiff.extend_from_slice(&next.to_le_bytes());
    }
    tiff.extend_from_slice(text.as_bytes());
    tiff.extend_from_slice(&thumbnail);
    tiff.extend(word.encode_utf16().flat_map(u16::to_le_bytes));
    tiff
}

fn xmp(word: &str) -> Vec<u8> {
    format!("<x:xmpmeta><exif:GPSLatitude>{word}</exif:GPSLatitude></x:xmpmeta>").into_bytes()
}

/// A picture whose pixels are `word`, again and again, and lie uncompressed in the file.
pub(super) fn of_word(word: &str) -> Vec<u8> {
    let (width, height) = SIZE;
    let mut letters = word.bytes().cycle();
    let mut rows = Vec::new();
    for _ in 0..height {
        rows.push(0);
        rows.extend(letters.by_ref().take(width as usize * 3));
    }
    png(width, height, &[], &stored(&rows))
}

/// A file that is wrong or too much.
pub(super) struct Odd {
    /// What it is.
    pub(super) name: &'static str,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// Whether it may also be answered with a picture.
    pub(super) may_pass: bool,
}

/// Files that are wrong or too much, each small.
pub(super) fn odd(said: &str) -> Vec<Odd> {
    let [jpeg, png_file, webp] =
        [Encoded::Jpeg, Encoded::Png, Encoded::Webp].map(|format| plain(format, 3));
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let refused = |name, bytes| Odd {
        name,
        bytes,
        may_pass: false,
    };
    let harmless = |name, bytes| Odd {
        name,
        bytes,
        may_pass: true,
    };
    let script = format!("<script>{said}</script>");
    // Text of a PNG that unfolds to eight mebibytes: only a reader of texts would unfold it.
    let zeros = Frame::filled(1023, 8 << 10, Layout::Gray, [0; 4]);
    let zeros = encode(&zeros, &Encoding::new(Encoded::Png)).unwrap_or_default();
    let bomb = [b"Comment\0\0".to_vec(), idat(&zeros)].concat();
    vec![
        refused("an empty body", Vec::new()),
        refused("text", b"this is no picture\n".repeat(9)),
        refused("an SVG", format!("<svg>{said}</svg>").into_bytes()),
        refused("a PDF", format!("%PDF-1.4 {said}").into_bytes()),
        refused("half a JPEG", half(&jpeg)),
        refused("half a PNG", half(&png_file)),
        refused("half a WebP", half(&webp)),
        refused("a signature and nothing after it", png_file[..8].to_vec()),
        refused("a PNG of 65,535 x 65,535", png(65_535, 65_535, &[], &idat(&zeros))),
        refused("a PNG of 2^31 x 2^31", png(i32::MAX as u32, i32::MAX as u32, &[], &[])),
        refused("a PNG of 20,000 chunks", png(1, 1, &[b"teSt"; 20_000], &stored(&[0; 4]))),
        refused("a JPEG of 65,500 x 65,500", sized_jpeg(&jpeg, 65_500)),
        refused("a JPEG of 300 scans", scans(&jpeg, 300)),
        // VP8L: five codes of one symbol each for all of its pixels.
        refused(
            "a WebP of 16,384 x 16,384 in 30 bytes",
            b"RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0\x2f\xff\xff\xff\x0f\x88\x88\x08\0\0".to_vec(),
        ),
        refused(
            "a GIF of 65,535 x 65,535",
            b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;"
                .to_vec(),
        ),
        harmless("a PNG whose text unfolds to 8 MiB", with_chunk(&png_file, b"zTXt", &bomb)),
        harmless("a PNG with a script after it", [png_file, script.into()].concat()),
        harmless("a JPEG with a picture after it", [jpeg.clone(), jpeg].concat()),
    ]
}

/// A JPEG that says it has another size.
fn sized_jpeg(jpeg: &[u8], side: u16) -> Vec<u8> {
    let mut bytes = jpeg.to_vec();
    if let Some(frame) = bytes.windows(2).position(|window| window == [0xff, 0xc0]) {
        bytes[frame + 5..frame + 7].copy_from_slice(&side.to_be_bytes());
        bytes[frame + 7..frame + 9].copy_from_slice(&side.to_be_bytes());
    }
    bytes
}

/// A JPEG whose scan comes so many times more.
fn scans(jpeg: &[u8], times: usize) -> Vec<u8> {
    let end = jpeg.len() - 2;
    let scan = jpeg.windows(2).position(|window| window == [0xff, 0xda]);
    let scan = &jpeg[scan.unwrap_or(end)..end];
    [&jpeg[..end], &scan.repeat(times), &jpeg[end..]].concat()
}

/// A JPEG with a segment right after its start.
fn with_segment(jpeg: &[u8], marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    let (start, rest) = jpeg.split_at(2);
    [start, &[0xff, marker], &length, content, rest].concat()
}

/// A PNG with one more chunk after its head.
fn with_chunk(png: &[u8], kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    // Signature, and a head of length, kind, 13 bytes and checksum.
    let (head, rest) = png.split_at(8 + 25);
    [head, &chunk(kind, data), rest].concat()
}

/// A PNG of RGB with empty chunks of these kinds before its data.
fn png(width: u32, height: u32, kinds: &[&[u8; 4]], data: &[u8]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let head = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[8, 2, 0, 0, 0],
    ]
    .concat();
    file.extend(chunk(b"IHDR", &head));
    kinds.iter().for_each(|kind| file.extend(chunk(kind, &[])));
    file.extend(chunk(b"IDAT", data));
    file.extend(chunk(b"IEND", &[]));
    file
}

/// The compressed data of a PNG.
fn idat(png: &[u8]) -> Vec<u8> {
    super::parts::png(png)
        .into_iter()
        .filter(|(kind, _)| *kind == b"IDAT")
        .flat_map(|(_, data)| data.to_vec())
        .collect()
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    // CRC-32 (PNG specification, annex D).
    let crc = kind.iter().chain(data).fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    let length = (data.len() as u32).to_be_bytes();
    [&length, kind.as_slice(), data, &(!crc).to_be_bytes()].concat()
}

/// A zlib stream (RFC 1950) of one stored block.
fn stored(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    let (a, b) = data.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    [
        &[0x78, 0x01, 0x01],
        &length.to_le_bytes()[..],
        &(!length).to_le_bytes(),
        data,
        &(b << 16 | a).to_be_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{
        cli::prove::canaries::holds,
        codec::{Format, PictureLimits, decode, probe},
    };

    fn opened(bytes: &[u8]) -> Option<Frame> {
        let limits = PictureLimits {
            max_pixels: 50_000_000,
            max_side: 16_384,
            formats: vec![Format::Jpeg, Format::Png, Format::Webp],
        };
        let header = probe(&mut Cursor::new(bytes), &limits).ok()?;
        decode(bytes, &header).ok()
    }

    #[test]
    fn tagged_pictures_are_whole_and_hold_the_word() {
        for (name, bytes) in tagged("zqtword") {
            let frame = opened(&bytes).unwrap_or_else(|| panic!("{name} cannot be opened"));
            assert_eq!((frame.width(), frame.height()), SIZE, "{name}");
            let times = bytes.windows(7).filter(|w| w == b"zqtword").count();
            assert!(times >= 3, "{name}: {times}");
        }
        let pixels = of_word("zqpword");
        assert!(holds(&pixels, "zqpword"));
        assert!(holds(opened(&pixels).expect("a picture").data(), "zqpword"));
    }

    #[test]
    fn odd_files_are_what_they_are_called() {
        for Odd {
            name,
            bytes,
            may_pass,
        } in odd("zqsword")
        {
            assert_eq!(opened(&bytes).is_some(), may_pass, "{name}");
            assert!(bytes.len() < 300 << 10, "{name} is small");
        }
    }
}
