//! Files built byte by byte, right and wrong, for what no encoder writes.

/// The signature of a PNG.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// CRC-32 of a PNG chunk (PNG specification, annex D).
fn crc(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// One chunk of a PNG.
pub fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let crc = crc(kind.iter().chain(data).copied());
    let length = (data.len() as u32).to_be_bytes();
    [&length, kind.as_slice(), data, &crc.to_be_bytes()].concat()
}

/// A PNG of these chunks.
pub fn png(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let chunks = chunks.iter().map(|(kind, data)| chunk(kind, data));
    [PNG.to_vec()].into_iter().chain(chunks).flatten().collect()
}

/// The head of a PNG: `color` as the specification numbers it (0 grey, 2 RGB, 3 palette ...).
pub fn ihdr(width: u32, height: u32, bits: u8, color: u8, interlaced: bool) -> Vec<u8> {
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend_from_slice(&[bits, color, 0, 0, u8::from(interlaced)]);
    head
}

/// A whole PNG of one pixel with further chunks before its data.
pub fn pixel_with(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let (head, data) = (ihdr(1, 1, 8, 2, false), zlib_stored(&[0, 1, 2, 3]));
    let mut all: Vec<(&[u8; 4], &[u8])> = vec![(b"IHDR", &head)];
    all.extend_from_slice(chunks);
    all.extend_from_slice(&[(b"IDAT", data.as_slice()), (b"IEND", b"".as_slice())]);
    png(&all)
}

/// A PNG with one more chunk after its head.
pub fn with_chunk(png: &[u8], kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    // Signature, and a head of length, kind, 13 bytes and checksum.
    let (head, rest) = png.split_at(8 + 25);
    [head, &chunk(kind, data), rest].concat()
}

/// A zlib stream (RFC 1950) of stored blocks.
pub fn zlib_stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let last = data.len().saturating_sub(1) / 65_535;
    for (i, block) in data.chunks(65_535).enumerate() {
        let length = block.len() as u16;
        stream.push(u8::from(i == last));
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    let (mut a, mut b) = (1u32, 0u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    stream.extend_from_slice(&(b << 16 | a).to_be_bytes());
    stream
}

/// A zlib stream of so many MiB of zeros, about a thousandth of that long.
pub fn zlib_zeros(mib: u32) -> Vec<u8> {
    // A grey picture whose rows have 1,024 bytes, the one that names the filter included.
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 1023, mib << 10);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header().expect("a head");
    let zeros = vec![0; 1023 * (mib as usize) << 10];
    writer.write_image_data(&zeros).expect("the data");
    drop(writer);
    let mut stream = Vec::new();
    let mut rest = &file[8..];
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if after.starts_with(b"IDAT") {
            stream.extend_from_slice(&after[4..4 + length]);
        }
        rest = &after[4 + length + 4..];
    }
    stream
}

/// An interlaced RGB PNG (PNG specification, section 8.2: Adam7).
pub fn interlaced(picture: &image::RgbImage) -> Vec<u8> {
    let (width, height) = picture.dimensions();
    let passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ];
    let mut rows = Vec::new();
    for (x0, y0, dx, dy) in passes {
        for y in (y0..height).step_by(dy).filter(|_| x0 < width) {
            rows.push(0);
            for x in (x0..width).step_by(dx) {
                rows.extend_from_slice(&picture.get_pixel(x, y).0);
            }
        }
    }
    let head = ihdr(width, height, 8, 2, true);
    png(&[
        (b"IHDR", &head),
        (b"IDAT", &zlib_stored(&rows)),
        (b"IEND", b""),
    ])
}

/// A RIFF container of WebP with these chunks.
pub fn webp(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (kind, data) in chunks {
        body.extend_from_slice(*kind);
        body.extend_from_slice(&(data.len() as u32).to_le_bytes());
        body.extend_from_slice(data);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// A GIF89a of this canvas whose one frame announces another size and holds no pixels.
pub fn gif(canvas: (u16, u16), frame: (u16, u16)) -> Vec<u8> {
    let two = |(a, b): (u16, u16)| [a.to_le_bytes(), b.to_le_bytes()].concat();
    let mut file = [b"GIF89a", two(canvas).as_slice(), &[0x80, 0, 0], &[0; 6]].concat();
    file.extend_from_slice(&[0x2c, 0, 0, 0, 0]);
    file.extend_from_slice(&two(frame));
    file.extend_from_slice(&[0, 2, 2, 0x44, 1, 0, 0x3b]);
    file
}

/// A bitmap of this size that holds 46 bytes of data; `compression` 1 is RLE8.
pub fn bmp(width: i32, height: i32, bits: u16, compression: u32) -> Vec<u8> {
    let mut file = b"BM\x64\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    file.extend_from_slice(&width.to_le_bytes());
    file.extend_from_slice(&height.to_le_bytes());
    file.extend_from_slice(&1u16.to_le_bytes());
    file.extend_from_slice(&bits.to_le_bytes());
    file.extend_from_slice(&compression.to_le_bytes());
    file.resize(54 + 46, 0);
    file
}

/// A grey TIFF of one strip; `compression` 8 is Deflate.
pub fn tiff(width: u32, height: u32, compression: u32, data: &[u8]) -> Vec<u8> {
    let entries = [
        (256, width),
        (257, height),
        (258, 8),
        (259, compression),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, height),
        (279, data.len() as u32),
    ];
    let mut file = b"II*\0".to_vec();
    file.extend_from_slice(&(8 + data.len() as u32).to_le_bytes());
    file.extend_from_slice(data);
    file.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    for (tag, value) in entries {
        file.extend_from_slice(&u16::to_le_bytes(tag));
        file.extend_from_slice(&[4, 0, 1, 0, 0, 0]);
        file.extend_from_slice(&value.to_le_bytes());
    }
    file.extend_from_slice(&[0; 4]);
    file
}
