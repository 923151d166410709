//! The orientation out of an EXIF block, and nothing else of it.

use crate::frame::Orientation;

/// Longest part of an EXIF block that is looked at, in bytes: a JPEG segment holds no more.
pub(super) const LONGEST: usize = 65_535;

/// The orientation that an EXIF block states (EXIF 2.32, a TIFF structure of which only the first
/// directory is read); upright where it states none, or is broken. JPEG and some WebP files put
/// `Exif\0\0` before it.
pub(super) fn orientation(block: &[u8]) -> Orientation {
    let tiff = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    find(tiff).map_or(Orientation::Upright, Orientation::from_exif)
}

fn find(tiff: &[u8]) -> Option<u16> {
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    let u32_at = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    };
    let directory = u32_at(4)? as usize;
    let entries = usize::from(u16_at(directory)?);
    let entry = (0..entries)
        .map(|i| directory.saturating_add(2 + 12 * i))
        .take_while(|&at| at < tiff.len())
        .find(|&at| u16_at(at) == Some(0x0112))?;
    match u16_at(entry + 2)? {
        // SHORT, as the standard demands; LONG, as some programs write.
        3 => u16_at(entry + 8),
        4 => u32_at(entry + 8).and_then(|value| value.try_into().ok()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with the orientation as its only entry.
    fn block(little: bool, kind: u16, value: u16) -> Vec<u8> {
        let short = |v: u16| {
            if little {
                v.to_le_bytes()
            } else {
                v.to_be_bytes()
            }
        };
        let long = |v: u32| {
            if little {
                v.to_le_bytes()
            } else {
                v.to_be_bytes()
            }
        };
        let mut block = if little {
            b"II*\0".to_vec()
        } else {
            b"MM\0*".to_vec()
        };
        block.extend(long(8));
        block.extend(short(1));
        block.extend(short(0x0112));
        block.extend(short(kind));
        block.extend(long(1));
        if kind == 4 {
            block.extend(long(value.into()))
        } else {
            block.extend(short(value))
        }
        block.resize(30, 0);
        block
    }

    #[test]
    fn both_byte_orders_and_both_types_are_read() {
        for (little, kind) in [(true, 3), (false, 3), (true, 4), (false, 4)] {
            assert_eq!(orientation(&block(little, kind, 6)), Orientation::Rotate90);
        }
        let prefixed = [b"Exif\0\0".as_slice(), &block(true, 3, 8)].concat();
        assert_eq!(orientation(&prefixed), Orientation::Rotate270);
    }

    #[test]
    fn broken_blocks_are_upright() {
        let whole = block(true, 3, 6);
        for cut in 0..whole.len() - 12 {
            assert_eq!(orientation(&whole[..cut]), Orientation::Upright, "{cut}");
        }
        assert_eq!(orientation(&block(true, 3, 9)), Orientation::Upright);
        let mut far = whole.clone();
        far[4..8].fill(0xff);
        assert_eq!(orientation(&far), Orientation::Upright);
    }
}
