//! From frequencies to samples, of which there may be fewer.

/// From a block of coefficients, in columns, to samples in a plane of the given stride.
pub type Inverse = fn(&[f32; 64], &mut [u8], usize);

/// The inverse transform to so many samples across and down.
pub fn inverse(across: usize, down: usize) -> Option<Inverse> {
    Some(match (across, down) {
        (1, 1) => inverted::<1, 1>,
        (1, 2) => inverted::<1, 2>,
        (2, 1) => inverted::<2, 1>,
        (2, 2) => inverted::<2, 2>,
        (2, 4) => inverted::<2, 4>,
        (4, 2) => inverted::<4, 2>,
        (4, 4) => inverted::<4, 4>,
        (4, 8) => inverted::<4, 8>,
        (8, 4) => inverted::<8, 4>,
        (8, 8) => inverted::<8, 8>,
        _ => return None,
    })
}

/// The `W x H` low frequencies of a block as samples.
fn inverted<const W: usize, const H: usize>(block: &[f32; 64], target: &mut [u8], stride: usize) {
    let mut columns = [[0.0f32; H]; W];
    for (column, from) in columns.iter_mut().zip(block.as_chunks::<8>().0) {
        column.copy_from_slice(&from[..H]);
    }
    let columns = transformed(columns);
    let mut rows = [[0.0f32; W]; H];
    for (x, column) in columns.iter().enumerate() {
        for (y, v) in column.iter().enumerate() {
            rows[y][x] = *v;
        }
    }
    for (y, row) in transformed(rows).iter().enumerate() {
        target[y * stride..][..W].copy_from_slice(&row.map(sample));
    }
}

/// A sample without its level shift, rounded: from 2^23 on a float's last bits count ones. In this
/// form it is done for several at once.
#[inline]
pub fn sample(v: f32) -> u8 {
    let v = v + 128.0;
    let v = if v > 0.0 { v } else { 0.0 };
    let v = if v < 255.0 { v } else { 255.0 };
    (v + 8_388_608.0).to_bits() as u8
}

/// The inverse cosine transform of `N` frequencies (T.81, A.3.3, for any `N`), for `L` of them side
/// by side: of the basis that is orthonormal for 8, so that a mean stays the mean for every `N`.
#[inline]
fn transformed<const N: usize, const L: usize>(f: [[f32; L]; N]) -> [[f32; L]; N] {
    // Half of the cosines' square root of two: 1 / sqrt(8) for the mean, cos / 2 for the others.
    let mut out = [[0.0; L]; N];
    let mean = std::f32::consts::FRAC_1_SQRT_2 / 2.0;
    match N {
        1 => {
            for l in 0..L {
                out[0][l] = f[0][l] * mean;
            }
        }
        2 => {
            for l in 0..L {
                let (a, b) = (f[0][l] * mean, f[1][l] * mean);
                (out[0][l], out[1][l]) = (a + b, a - b);
            }
        }
        4 => {
            // cos(pi / 8) / 2 and cos(3 pi / 8) / 2.
            const C: [f32; 2] = [0.461_939_77, 0.191_341_72];
            for l in 0..L {
                let (a, b) = (f[0][l] * mean, f[2][l] * mean);
                let (e0, e1) = (a + b, a - b);
                let o0 = C[0] * f[1][l] + C[1] * f[3][l];
                let o1 = C[1] * f[1][l] - C[0] * f[3][l];
                (out[0][l], out[3][l]) = (e0 + o0, e0 - o0);
                (out[1][l], out[2][l]) = (e1 + o1, e1 - o1);
            }
        }
        _ => {
            const C: [f32; 2] = [0.461_939_77, 0.191_341_72];
            // cos(k pi / 16) / 2 for k = 1, 3, 5, 7.
            const S: [f32; 4] = [0.490_392_64, 0.415_734_8, 0.277_785_12, 0.097_545_16];
            for l in 0..L {
                let (a, b) = (f[0][l] * mean, f[4][l] * mean);
                let (c, d) = (f[2][l], f[6][l]);
                let (x, y) = (C[0] * c + C[1] * d, C[1] * c - C[0] * d);
                let even = [a + b + x, a - b + y, a - b - y, a + b - x];
                let (p, q, r, s) = (f[1][l], f[3][l], f[5][l], f[7][l]);
                let odd = [
                    S[0] * p + S[1] * q + S[2] * r + S[3] * s,
                    S[1] * p - S[3] * q - S[0] * r - S[2] * s,
                    S[2] * p - S[0] * q + S[3] * r + S[1] * s,
                    S[3] * p - S[2] * q + S[1] * r - S[0] * s,
                ];
                for i in 0..4 {
                    out[i][l] = even[i] + odd[i];
                    out[7 - i][l] = even[i] - odd[i];
                }
            }
        }
    }
    out
}
