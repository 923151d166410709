//! What is done to a clean picture so that a model can repair it. The same picture and place in
//! the list always give the same damage.

use std::{io::Cursor, str::FromStr};

use crate::{
    codec::{self, Encoded, Encoding, PictureLimits},
    error::Error,
    frame::{Frame, Mask},
    ops,
};

/// One kind of damage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Damage {
    /// Gaussian noise of this standard deviation.
    Noise(f64),
    /// JPEG of this quality.
    Jpeg(u8),
    /// A Gaussian blur of this standard deviation.
    Blur(f64),
    /// No colour: the grey of its luma.
    Grey,
    /// None: what a model does to a picture that needs nothing.
    Clean,
}

impl FromStr for Damage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected noise:SIGMA, jpeg:QUALITY, blur:SIGMA, grey or clean".to_owned();
        match text {
            "clean" => return Ok(Self::Clean),
            "grey" => return Ok(Self::Grey),
            _ => {}
        }
        let (kind, level) = text.split_once(':').ok_or_else(wrong)?;
        let level: f64 = level.parse().map_err(|_| wrong())?;
        match kind {
            "noise" if (0.0..=100.0).contains(&level) => Ok(Self::Noise(level)),
            "jpeg" if (1.0..=100.0).contains(&level) => Ok(Self::Jpeg(level as u8)),
            "blur" if (0.1..=20.0).contains(&level) => Ok(Self::Blur(level)),
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Noise(level) => write!(f, "noise {level}"),
            Self::Jpeg(level) => write!(f, "JPEG {level}"),
            Self::Blur(level) => write!(f, "blur {level}"),
            Self::Grey => f.write_str("grey"),
            Self::Clean => f.write_str("clean"),
        }
    }
}

impl Damage {
    /// The damaged picture; `seed` tells one picture's noise from another's.
    ///
    /// # Errors
    /// Those of the codec.
    pub fn apply(self, clean: &Frame, seed: u64) -> Result<Frame, Error> {
        let mut frame = clean.clone();
        match self {
            Self::Clean => {}
            Self::Grey => ops::grayscale(&mut frame),
            Self::Noise(sigma) => {
                let mut chance = Chance(seed);
                for sample in frame.data_mut() {
                    *sample = (f64::from(*sample) + sigma * chance.normal())
                        .round()
                        .clamp(0.0, 255.0) as u8;
                }
            }
            Self::Jpeg(quality) => {
                let encoding = Encoding {
                    quality,
                    ..Encoding::new(Encoded::Jpeg)
                };
                let bytes = codec::encode(&frame, &encoding)?;
                frame = decoded(&bytes)?;
            }
            Self::Blur(sigma) => frame = blurred(&frame, sigma),
        }
        Ok(frame)
    }
}

/// A picture of any size, with its alpha.
///
/// # Errors
/// Those of the codec.
pub fn decoded(bytes: &[u8]) -> Result<Frame, Error> {
    let limits = PictureLimits {
        max_pixels: 200_000_000,
        max_side: 65_535,
        formats: crate::config::Settings::default().engine.formats,
    };
    let header = codec::probe(&mut Cursor::new(bytes), &limits)?;
    codec::decode(bytes, &header)
}

fn blurred(frame: &Frame, sigma: f64) -> Frame {
    let radius = (3.0 * sigma).ceil() as isize;
    let weights: Vec<f64> = (-radius..=radius)
        .map(|d| (-(d as f64 / sigma).powi(2) / 2.0).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    let n = frame.layout().channels();
    let (w, h) = (frame.width() as isize, frame.height() as isize);
    let pass = |from: &Frame, across: bool| {
        let mut data = Vec::with_capacity(from.data().len());
        for y in 0..h {
            for x in 0..w {
                for c in 0..n {
                    let sum: f64 = (-radius..=radius)
                        .zip(&weights)
                        .map(|(d, weight)| {
                            let (x, y) = if across { (x + d, y) } else { (x, y + d) };
                            let (x, y) = (x.clamp(0, w - 1) as usize, y.clamp(0, h - 1) as u32);
                            weight * f64::from(from.row(y)[x * n + c])
                        })
                        .sum();
                    data.push((sum / total).round() as u8);
                }
            }
        }
        Frame::new(frame.width(), frame.height(), frame.layout(), data)
    };
    pass(&pass(frame, true), false)
}

/// Scratches: thin lines across the picture, a little bent, some of them broken off.
pub fn scratches(width: u32, height: u32, seed: u64) -> Mask {
    let mut chance = Chance(seed);
    let mut mask = Mask::new(width, height, vec![0; width as usize * height as usize]);
    let (w, h) = (f64::from(width), f64::from(height));
    for _ in 0..8 {
        let (mut x, mut y) = (chance.uniform() * w, chance.uniform() * h);
        let mut angle = chance.uniform() * std::f64::consts::TAU;
        let half = 0.5 + chance.uniform() * 1.5;
        let length = (0.2 + 0.6 * chance.uniform()) * w.min(h);
        for _ in 0..(length * 2.0) as usize {
            angle += 0.02 * chance.normal();
            (x, y) = (x + 0.5 * angle.cos(), y + 0.5 * angle.sin());
            for dy in -2..=2 {
                for dx in -2..=2 {
                    let near = f64::from(dx * dx + dy * dy) <= half * half;
                    let (px, py) = (x as i64 + i64::from(dx), y as i64 + i64::from(dy));
                    let inside =
                        (0..i64::from(width)).contains(&px) && (0..i64::from(height)).contains(&py);
                    if near && inside {
                        mask.data_mut()[(py * i64::from(width) + px) as usize] = 255;
                    }
                }
            }
        }
    }
    mask
}

/// The picture with a mask laid over it in white.
pub fn marked(frame: &Frame, mask: &Mask) -> Frame {
    let mut frame = frame.clone();
    let n = frame.layout().channels();
    for (pixel, mask) in frame.data_mut().chunks_exact_mut(n).zip(mask.data()) {
        if *mask > 0 {
            pixel[..n.min(3)].fill(235);
        }
    }
    frame
}

/// Numbers that look like chance and are the same every time (SplitMix64).
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Box and Muller's way.
    fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform().max(1e-300), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

    #[test]
    fn noise_has_the_deviation_that_it_is_named_after_and_is_repeatable() {
        let grey = Frame::filled(128, 128, Layout::Rgb, [128; 4]);
        let noisy = Damage::Noise(10.0).apply(&grey, 3).unwrap();
        let square = |v: &u8| (f64::from(*v) - 128.0).powi(2);
        let mean = noisy.data().iter().map(square).sum::<f64>() / noisy.data().len() as f64;
        assert!((mean.sqrt() - 10.0).abs() < 0.2, "{}", mean.sqrt());
        assert!(noisy == Damage::Noise(10.0).apply(&grey, 3).unwrap());
        assert!(noisy != Damage::Noise(10.0).apply(&grey, 4).unwrap());
    }

    #[test]
    fn damage_is_written_as_its_kind_and_level() {
        for (text, shown) in [
            ("noise:25", "noise 25"),
            ("jpeg:20", "JPEG 20"),
            ("grey", "grey"),
            ("clean", "clean"),
        ] {
            assert_eq!(text.parse::<Damage>().unwrap().to_string(), shown);
        }
        for wrong in [
            "noise", "clean:1", "grey:1", "jpeg:0", "rain:3", "blur:x", "",
        ] {
            assert!(wrong.parse::<Damage>().is_err(), "{wrong}");
        }
        let share = |mask: &Mask| mask.data().iter().filter(|v| **v > 0).count();
        let found = share(&scratches(400, 300, 1));
        assert!((300..12_000).contains(&found), "{found}");
    }
}
