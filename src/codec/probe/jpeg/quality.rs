//! The quality of a JPEG, estimated from its luminance quantisation table.

/// The quality 1..=100 whose table, as libjpeg would write it, is nearest to `table` (in zigzag
/// order).
pub(super) fn estimate(table: &[u16; 64]) -> u8 {
    let distance = |quality: u32| -> u64 {
        // jcparam.c of libjpeg: `jpeg_quality_scaling`, `jpeg_add_quant_table`.
        let scale = if quality < 50 {
            5000 / quality
        } else {
            200 - 2 * quality
        };
        let scaled = LUMINANCE
            .iter()
            .map(|&base| ((base * scale + 50) / 100).clamp(1, 255));
        table
            .iter()
            .zip(scaled)
            .map(|(&a, b)| u64::from(a).abs_diff(b.into()))
            .sum()
    };
    (1..=100)
        .min_by_key(|&quality| distance(quality))
        .map_or(100, |quality| quality as u8)
}

/// T.81 table K.1, in the zigzag order (figure A.6) in which files store it.
#[rustfmt::skip]
const LUMINANCE: [u32; 64] = [
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
    26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
    56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
    95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
];
