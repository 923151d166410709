//! Pictures with metadata of every kind, all of which hold the canary.

use crate::{
    common::{
        http::CANARY,
        pictures::{self, crafted},
    },
    wide,
};

/// EXIF with a position, a maker, a comment and a thumbnail (EXIF 2.32; offsets from `II`).
fn exif() -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    let long = |tag: u16, kind: u16, count: u32, value: u32| {
        let mut entry = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
        entry.extend_from_slice(&count.to_le_bytes());
        entry.extend_from_slice(&value.to_le_bytes());
        entry
    };
    let text = format!("{CANARY} GPS \0");
    let length = text.len() as u32;
    // IFD0: maker, description, pointer to the position; then IFD1 with a thumbnail.
    let (first, gps, second) = (8, 8 + 2 + 3 * 12 + 4, 8 + 2 + 3 * 12 + 4 + 2 + 2 * 12 + 4);
    let data = second + 2 + 2 * 12 + 4;
    let thumbnail = pictures::jpeg(16, 16);
    assert_eq!(tiff.len(), first);
    tiff.extend_from_slice(&3u16.to_le_bytes());
    tiff.extend(long(0x010e, 2, length, data as u32));
    tiff.extend(long(0x010f, 2, length, data as u32));
    tiff.extend(long(0x8825, 4, 1, gps as u32));
    tiff.extend_from_slice(&(second as u32).to_le_bytes());
    tiff.extend_from_slice(&2u16.to_le_bytes());
    tiff.extend(long(0x0001, 2, 2, u32::from(b'N')));
    tiff.extend(long(0x001d, 2, length, data as u32));
    tiff.extend_from_slice(&0u32.to_le_bytes());
    tiff.extend_from_slice(&2u16.to_le_bytes());
    tiff.extend(long(0x0201, 4, 1, data as u32 + length));
    tiff.extend(long(0x0202, 4, 1, thumbnail.len() as u32));
    tiff.extend_from_slice(&0u32.to_le_bytes());
    assert_eq!(tiff.len(), data);
    tiff.extend_from_slice(text.as_bytes());
    tiff.extend_from_slice(&thumbnail);
    tiff.extend_from_slice(&wide());
    tiff
}

fn xmp() -> Vec<u8> {
    format!("<x:xmpmeta><exif:GPSLatitude>{CANARY}</exif:GPSLatitude></x:xmpmeta>").into_bytes()
}

/// A JPEG with metadata of every kind.
pub fn tagged_jpeg() -> Vec<u8> {
    let jpeg = pictures::jpeg(120, 90);
    let segments: [(u8, Vec<u8>); 6] = [
        (0xfe, CANARY.as_bytes().to_vec()),
        (0xe1, [b"Exif\0\0".to_vec(), exif()].concat()),
        (
            0xe1,
            [b"http://ns.adobe.com/xap/1.0/\0".to_vec(), xmp()].concat(),
        ),
        (
            0xed,
            [
                b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0".to_vec(),
                CANARY.into(),
            ]
            .concat(),
        ),
        (0xe2, [b"MPF\0".to_vec(), CANARY.into()].concat()),
        (0xec, [b"Ducky".to_vec(), CANARY.into()].concat()),
    ];
    let tagged = segments.iter().fold(jpeg, |jpeg, (marker, payload)| {
        pictures::with_segment(&jpeg, *marker, payload)
    });
    // Some cameras append a second picture or a film.
    [tagged, CANARY.into()].concat()
}

/// A PNG with metadata of every kind.
pub fn tagged_png() -> Vec<u8> {
    let text = |key: &str, rest: &str| format!("{key}\0{rest}{CANARY}").into_bytes();
    let packed = [
        b"Comment\0\0".to_vec(),
        crafted::zlib_stored(CANARY.as_bytes()),
    ]
    .concat();
    let chunks: [(&[u8; 4], Vec<u8>); 7] = [
        (b"tEXt", text("Author", "")),
        (b"zTXt", packed),
        (b"iTXt", text("XML:com.adobe.xmp", "\0\0\0\0")),
        (b"eXIf", exif()),
        (b"tIME", vec![7, 233, 1, 2, 3, 4, 5]),
        (b"sPLT", text("palette", "\x08")),
        (b"prVt", CANARY.into()),
    ];
    let png = pictures::png(120, 90);
    let tagged = chunks.iter().fold(png, |png, (kind, data)| {
        crafted::with_chunk(&png, kind, data)
    });
    [tagged, CANARY.into()].concat()
}

/// A WebP with metadata of every kind.
pub fn tagged_webp() -> Vec<u8> {
    let plain = pictures::webp_of(&pictures::subject(120, 90).into(), Some(90.0));
    let kind: &[u8; 4] = plain[12..16].try_into().unwrap();
    let length = u32::from_le_bytes(plain[16..20].try_into().unwrap()) as usize;
    // VP8X (RFC 9649, section 2.7): flags of EXIF and XMP, then the canvas less one.
    let head = [0x0c, 0, 0, 0, 119, 0, 0, 89, 0, 0];
    crafted::webp(&[
        (b"VP8X", &head),
        (kind, &plain[20..20 + length]),
        (b"EXIF", &exif()),
        (b"XMP ", &xmp()),
    ])
}
