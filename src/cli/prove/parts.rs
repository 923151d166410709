//! What a picture file is made of: its parts by name, so that what is neither pixels nor needed to
//! read them is seen.

/// What of a file is more than pixels; empty where there is nothing.
pub(super) fn beside_pixels(bytes: &[u8]) -> Vec<String> {
    let named = |kind: &[u8]| format!("a part {}", kind.escape_ascii());
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => {
            let parts = png(bytes);
            let known: &[&[u8]] = &[b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"sRGB"];
            let length: usize = parts.iter().map(|(_, data)| 12 + data.len()).sum();
            let kinds = parts.iter().map(|(kind, _)| *kind);
            let more = kinds.filter(|kind| !known.contains(kind)).map(named);
            more.chain(after(bytes, 8 + length)).collect()
        }
        [b'R', b'I', b'F', b'F', ..] => {
            let parts = webp(bytes);
            let known: &[&[u8]] = &[b"VP8 ", b"VP8L", b"VP8X", b"ALPH"];
            let length = |data: &[u8]| 8 + data.len().next_multiple_of(2);
            let length: usize = parts.iter().map(|(_, data)| length(data)).sum();
            let kinds = parts.iter().map(|(kind, _)| *kind);
            let more = kinds.filter(|kind| !known.contains(kind)).map(named);
            more.chain(after(bytes, 12 + length)).collect()
        }
        [0xff, 0xd8, ..] => jpeg(bytes),
        _ => vec!["neither PNG, WebP nor JPEG".to_owned()],
    }
}

fn after(bytes: &[u8], end: usize) -> Option<String> {
    (bytes.len() != end).then(|| "bytes after its end, or a broken part".to_owned())
}

/// The chunks of a PNG, as far as they are whole.
pub(super) fn png(bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    let mut parts = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (Some(kind), Some(data)) = (after.get(..4), after.get(4..length.saturating_add(4)))
        else {
            break;
        };
        let Some(next) = after.get(length + 8..) else {
            break;
        };
        parts.push((kind, data));
        rest = next;
        if kind == b"IEND" {
            break;
        }
    }
    parts
}

fn webp(bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut rest = bytes.get(12..).unwrap_or_default();
    let mut parts = Vec::new();
    while let Some((kind, after)) = rest.split_first_chunk::<4>() {
        let Some((length, data)) = after.split_first_chunk::<4>() else {
            break;
        };
        let length = u32::from_le_bytes(*length) as usize;
        let Some(content) = data.get(..length) else {
            break;
        };
        parts.push((kind.as_slice(), content));
        rest = data.get(length.next_multiple_of(2)..).unwrap_or_default();
    }
    parts
}

/// A JPEG's segments before its scan, and what follows its end.
fn jpeg(bytes: &[u8]) -> Vec<String> {
    let mut more = Vec::new();
    let mut rest = &bytes[2..];
    loop {
        let [0xff, marker, high, low, after @ ..] = rest else {
            more.push("a broken segment".to_owned());
            return more;
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let content = length.checked_sub(2).and_then(|n| after.get(..n));
        let Some(content) = content else {
            more.push("a broken segment".to_owned());
            return more;
        };
        match marker {
            // JFIF's last two bytes are the size of a thumbnail. 0xee: Adobe's colour transform.
            0xe0 if content.starts_with(b"JFIF\0") && content.ends_with(&[0, 0]) => {}
            0xee if content.starts_with(b"Adobe") && content.len() == 12 => {}
            0xc0 | 0xc1 | 0xc2 | 0xc4 | 0xdb | 0xdd => {}
            0xda => break,
            marker => more.push(format!("a segment ff{marker:02x}")),
        }
        rest = &after[content.len()..];
    }
    // Inside of scans 0xff 0xd9 cannot stand, but at the end.
    let end = rest.windows(2).position(|window| window == [0xff, 0xd9]);
    if end.is_none_or(|end| end + 2 != rest.len()) {
        more.push("bytes after its end".to_owned());
    }
    more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::prove::files, codec::Encoded};

    #[test]
    fn plain_pictures_have_nothing_beside_and_tagged_ones_have() {
        for format in [Encoded::Jpeg, Encoded::Png, Encoded::Webp] {
            let bytes = files::plain(format, 1);
            assert!(beside_pixels(&bytes).is_empty(), "{format:?}");
            let more = [bytes.as_slice(), b"more"].concat();
            assert_eq!(beside_pixels(&more).len(), 1, "{format:?}");
        }
        for (name, bytes) in files::tagged("word") {
            assert!(beside_pixels(&bytes).len() >= 2, "{name}");
        }
        assert_eq!(beside_pixels(b"PK\x03\x04").len(), 1);
    }
}
