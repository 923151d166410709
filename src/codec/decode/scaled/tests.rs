use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::*;

/// A smooth picture with some structure, as RGB.
fn samples(width: usize, height: usize) -> Vec<u8> {
    let value = |x: usize, y: usize, c: usize| {
        let (x, y) = (x as f32, y as f32);
        let wave = (x * 0.07 + c as f32).sin() * (y * 0.05 + 0.3 * c as f32).cos();
        (128.0
            + 90.0 * wave
            + if (x as usize / 24 + y as usize / 24).is_multiple_of(2) {
                12.0
            } else {
                0.0
            }) as u8
    };
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    places
        .flat_map(|(x, y)| [0, 1, 2].map(|c| value(x, y, c)))
        .collect()
}

fn jpeg((width, height): (usize, usize), change: impl Fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 92);
    change(&mut encoder);
    let data = samples(width, height);
    encoder
        .encode(&data, width as u16, height as u16, ColorType::Rgb)
        .unwrap();
    bytes
}

/// The means over squares of the full picture, as another decoder sees it; its border repeats.
fn means(bytes: &[u8], (width, height): (usize, usize), divisor: usize) -> Vec<f32> {
    let full = crate::codec::fixtures::decoded(bytes).unwrap();
    let mut means = Vec::new();
    for y in 0..height.div_ceil(divisor) {
        for x in 0..width.div_ceil(divisor) {
            for c in 0..3 {
                let mut sum = 0.0;
                for i in 0..divisor * divisor {
                    let row = (y * divisor + i / divisor).min(height - 1);
                    let column = (x * divisor + i % divisor).min(width - 1);
                    sum += f32::from(full.data()[(row * width + column) * 3 + c]);
                }
                means.push(sum / (divisor * divisor) as f32);
            }
        }
    }
    means
}

#[test]
fn every_fraction_of_every_usual_form_is_near_the_mean_of_the_whole() {
    use SamplingFactor as S;
    for size in [(160, 112), (161, 113), (7, 3), (250, 17)] {
        for sampling in [S::F_1_1, S::F_2_1, S::F_1_2, S::F_2_2] {
            for restart in [0, 3] {
                let bytes = jpeg(size, |encoder| {
                    encoder.set_sampling_factor(sampling);
                    encoder.set_restart_interval(restart);
                });
                for divisor in [2, 4, 8] {
                    let scaled = decode(&bytes, size, divisor).expect("it is read here");
                    let wanted = (size.0.div_ceil(divisor), size.1.div_ceil(divisor));
                    assert_eq!((scaled.width, scaled.height), wanted);
                    let means = means(&bytes, size, divisor);
                    let off = scaled
                        .data
                        .iter()
                        .zip(&means)
                        .map(|(a, b)| (f32::from(*a) - b).abs());
                    let off: f32 = off.sum::<f32>() / means.len() as f32;
                    assert!(off < 2.5, "{size:?} {sampling:?} 1/{divisor}: {off}");
                }
            }
        }
    }
}

#[test]
fn gray_stays_gray() {
    let mut bytes = Vec::new();
    let data: Vec<u8> = (0..64 * 64).map(|i| (i % 64 * 3) as u8).collect();
    Encoder::new(&mut bytes, 95)
        .encode(&data, 64, 64, ColorType::Luma)
        .unwrap();
    let scaled = decode(&bytes, (64, 64), 8).unwrap();
    assert!(scaled.gray && scaled.data.len() == 64);
    for (x, v) in scaled.data[..8].iter().enumerate() {
        assert!(v.abs_diff((x * 24 + 10) as u8) <= 2, "{x}: {v}");
    }
}

#[test]
fn what_is_unusual_broken_or_cut_is_left_to_the_other_decoder() {
    let size = (80, 60);
    let plain = jpeg(size, |_| ());
    assert!(decode(&plain, size, 2).is_some());
    assert!(decode(&plain, (80, 61), 2).is_none(), "another picture");
    let progressive = jpeg(size, |encoder| encoder.set_progressive(true));
    assert!(decode(&progressive, size, 2).is_none());
    for len in 0..plain.len() {
        assert!(
            decode(&plain[..len], size, 2).is_none(),
            "{len} of {}",
            plain.len()
        );
    }
    // Whatever is made of it: no panic, and nothing of another size.
    let restarts = jpeg((40, 30), |encoder| encoder.set_restart_interval(1));
    for at in 0..restarts.len() {
        for value in [0, 0xff, restarts[at] ^ 1, restarts[at] ^ 0x80] {
            let mut changed = restarts.clone();
            changed[at] = value;
            if let Some(scaled) = decode(&changed, (40, 30), 2) {
                assert_eq!(scaled.data.len(), 20 * 15 * if scaled.gray { 1 } else { 3 });
            }
        }
    }
}
