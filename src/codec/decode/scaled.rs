//! JPEG at a half, a quarter or an eighth of its size, out of the low frequencies of each block.
//!
//! A picture that is made smaller at once need not be decoded at its full size: a block of 8 x 8
//! samples whose higher frequencies are left out is one of 4 x 4, 2 x 2 or 1 x 1, already low-pass
//! filtered, at a fraction of the work (ITU-T T.81, sections A.3.3 and F.2). Chroma that is stored
//! at half the resolution keeps twice as many frequencies, and so needs no interpolation.
//!
//! Only what cameras and programs write nearly always is read here: sequential, Huffman-coded,
//! 8 bits, one scan, grey or YCbCr. Whatever is different, broken or cut off is `None`, and left
//! to the decoder of full pictures, which has the last word on it.

mod bits;
mod cosine;
mod head;

use bits::{Bits, SHORT};
use cosine::{Inverse, inverse, sample};
use head::{Component, Head};

/// Zigzag place to place in columns (T.81, figure A.6).
const NATURAL: [u8; 64] = [
    0, 8, 1, 2, 9, 16, 24, 17, 10, 3, 4, 11, 18, 25, 32, 40, 33, 26, 19, 12, 5, 6, 13, 20, 27, 34,
    41, 48, 56, 49, 42, 35, 28, 21, 14, 7, 15, 22, 29, 36, 43, 50, 57, 58, 51, 44, 37, 30, 23, 31,
    38, 45, 52, 59, 60, 53, 46, 39, 47, 54, 61, 62, 55, 63,
];

/// A picture at a fraction of its size.
pub struct Scaled {
    /// Width in pixels: that of the file divided, rounded up.
    pub width: usize,
    /// Height in pixels, likewise.
    pub height: usize,
    /// RGB, or grey where `gray`.
    pub data: Vec<u8>,
    /// Whether there is one sample a pixel.
    pub gray: bool,
}

/// The picture of `size` at one over `divisor` (2, 4 or 8) of it; `None` where it is better left to
/// another decoder.
pub fn decode(bytes: &[u8], size: (usize, usize), divisor: usize) -> Option<Scaled> {
    let head = Head::read(bytes).filter(|head| (head.width, head.height) == size)?;
    let side = 8 / divisor;
    let out = |full: usize| full.div_ceil(divisor);
    let (width, height) = (out(head.width), out(head.height));
    let gray = head.components.len() == 1;
    let n = if gray { 1 } else { 3 };
    let mut data = vec![0; width * height * n];
    let (most_h, most_v) = (head.components[0].h, head.components[0].v);
    let across = head.width.div_ceil(8 * most_h);
    let down = head.height.div_ceil(8 * most_v);
    // A row of the file's largest units, one buffer a component, all of the same size.
    let (stride, rows) = (across * side * most_h, side * most_v);
    let mut planes: Vec<Vec<u8>> = head
        .components
        .iter()
        .map(|_| vec![0; stride * rows])
        .collect();
    let inverses: Vec<Inverse> = head
        .components
        .iter()
        .map(|c| inverse(side * most_h / c.h, side * most_v / c.v))
        .collect::<Option<_>>()?;
    let mut bits = Bits::new(&bytes[head.scan..]);
    let mut last = [0i32; 3];
    let mut until_restart = head.restart;
    for line in 0..down {
        for unit in 0..across {
            if head.restart > 0 {
                if until_restart == 0 {
                    bits.restart()?;
                    last = [0; 3];
                    until_restart = head.restart;
                }
                until_restart -= 1;
            }
            for (i, component) in head.components.iter().enumerate() {
                let (block_w, block_h) = (stride / across / component.h, rows / component.v);
                for v in 0..component.v {
                    for h in 0..component.h {
                        let mut block = [0.0; 64];
                        let plain = component.block(&mut bits, &mut last[i], &mut block)?;
                        let at = v * block_h * stride + (unit * component.h + h) * block_w;
                        let target = &mut planes[i][at..];
                        if plain {
                            let value = sample(block[0] * 0.125);
                            for row in target.chunks_mut(stride).take(block_h) {
                                row[..block_w].fill(value);
                            }
                        } else {
                            inverses[i](&block, target, stride);
                        }
                    }
                }
            }
        }
        let first = line * rows;
        for y in first..height.min(first + rows) {
            let row = &mut data[y * width * n..][..width * n];
            let from = (y - first) * stride;
            let plane = |i: usize| &planes[i][from..from + width];
            if gray {
                row.copy_from_slice(plane(0));
            } else {
                to_rgb(plane(0), plane(1), plane(2), row);
            }
        }
    }
    bits.end()?;
    Some(Scaled {
        width,
        height,
        data,
        gray,
    })
}

/// YCbCr to RGB (JFIF 1.02), with factors times 2^14.
fn to_rgb(y: &[u8], cb: &[u8], cr: &[u8], rgb: &mut [u8]) {
    let pixels = rgb.as_chunks_mut::<3>().0.iter_mut();
    for (((px, &y), &cb), &cr) in pixels.zip(y).zip(cb).zip(cr) {
        let (luma, b, r) = (
            (i32::from(y) << 14) + (1 << 13),
            i32::from(cb) - 128,
            i32::from(cr) - 128,
        );
        *px = [
            ((luma + 22_970 * r) >> 14).clamp(0, 255) as u8,
            ((luma - 5_638 * b - 11_700 * r) >> 14).clamp(0, 255) as u8,
            ((luma + 29_032 * b) >> 14).clamp(0, 255) as u8,
        ];
    }
}

impl Component {
    /// Reads one block, dequantized, in columns. `true`: it has one value all over.
    #[inline]
    fn block(&self, bits: &mut Bits, last: &mut i32, block: &mut [f32; 64]) -> Option<bool> {
        bits.fill();
        let size = self.dc.symbol(bits)?;
        if size > 11 {
            return None;
        }
        *last += bits.value(u32::from(size));
        // A mean of 8-bit samples has 11 bits and a sign, before it is divided by its step.
        if last.abs() > 1 << 12 {
            return None;
        }
        block[0] = *last as f32 * self.steps[0];
        let mut k = 1;
        while k < 64 {
            bits.fill();
            let entry = self.ac.short[bits.peek(SHORT)];
            let (run, value) = if entry.whole {
                bits.skip(entry.length.into());
                (usize::from(entry.run), i32::from(entry.value))
            } else {
                let symbol = self.ac.symbol(bits)?;
                let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
                if size == 0 {
                    if run == 15 {
                        k += 16;
                        continue;
                    }
                    // The end of the block.
                    if run > 0 {
                        return None;
                    }
                    break;
                }
                (run, bits.value(size))
            };
            k += run;
            if k > 63 {
                return None;
            }
            block[usize::from(NATURAL[k])] = value as f32 * self.steps[k];
            k += 1;
        }
        if bits.over { None } else { Some(k == 1) }
    }
}

#[cfg(test)]
mod tests;
