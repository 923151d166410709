//! One part of the work on a picture, once: what `scripts/instructions.py` counts the instructions
//! of. `instructions PART` runs it, without an argument the parts are listed.
//!
//! No model runs here: the coarse matte is drawn, so that the counts are those of our own code
//! and of the crates that it uses, and do not change with the weights.

use std::{env, hint::black_box, io::Cursor};

use moxcms::ColorProfile;
use safelight::{
    codec::{self, Encoded, Encoding},
    config::Settings,
    cores,
    engine::{catalogue::catalogue, tensor},
    frame::{Filter, Frame, Layout, Mask},
    ops::{compose, foreground, matting},
};

/// A megapixel.
const SIZE: (u32, u32) = (1152, 864);
/// The matte's side, as the built-in model has it.
const COARSE: u32 = 320;

const PARTS: [(&str, fn()); 13] = [
    ("probe-jpeg", probe),
    ("decode-jpeg", || decode(jpeg())),
    ("decode-jpeg-eighth", decode_small),
    ("decode-jpeg-display-p3", || decode(with_profile(jpeg()))),
    ("preprocess", preprocess),
    ("guided-upsampling", upsample),
    ("foreground-estimation", estimate),
    ("encode-png", || encode(Encoded::Png)),
    ("encode-jpeg", || encode(Encoded::Jpeg)),
    ("resize-lanczos", || resize(scene())),
    // Colours are weighted by alpha, and divided by it again.
    ("resize-with-alpha", || resize(cutout())),
    ("over-colour", over_color),
    ("over-picture", over_picture),
];

fn main() {
    // Only what this thread does is counted.
    cores::limit(1);
    let wanted = env::args().nth(1).filter(|name| !name.starts_with("--"));
    let part = wanted.and_then(|wanted| PARTS.iter().find(|(name, _)| *name == wanted));
    match part {
        Some((_, run)) => run(),
        None => PARTS.iter().for_each(|(name, _)| println!("{name}")),
    }
}

/// What is counted: callgrind is told to collect inside of this function only, so it must be one
/// in the binary too.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}

/// A shaded ball on a plain ground, with a little noise so that codecs have the work that a
/// photograph gives them.
fn scene() -> Frame {
    let (width, height) = SIZE;
    let mut seed = 1u32;
    let mut data = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 29) as u8;
            let inside = inside(x as f32 / width as f32, y as f32 / height as f32);
            let [r, g, b] = match inside > 0.0 {
                true => {
                    let light = 0.3 + 0.7 * inside.sqrt();
                    [240.0 * light, 150.0 * light, 60.0 * light]
                }
                false => [70.0, 80.0, 100.0],
            };
            data.extend([r as u8 + noise, g as u8 + noise, b as u8 + noise]);
        }
    }
    Frame::new(width, height, Layout::Rgb, data)
}

/// 1 in the middle of the ball, 0 at its edge, less outside; the arguments are shares of the sides.
fn inside(x: f32, y: f32) -> f32 {
    let (dx, dy) = ((x - 0.5) * 1.333, y - 0.5);
    1.0 - (dx * dx + dy * dy) / (0.36 * 0.36)
}

fn coarse() -> Mask {
    let side = |i: u32| (i as f32 + 0.5) / COARSE as f32;
    let value = |i: u32| (inside(side(i % COARSE), side(i / COARSE)) * 8.0 + 0.5).clamp(0.0, 1.0);
    let data = (0..COARSE * COARSE).map(|i| (value(i) * 255.0) as u8);
    Mask::new(COARSE, COARSE, data.collect())
}

fn jpeg() -> Vec<u8> {
    codec::encode(&scene(), &Encoding::new(Encoded::Jpeg)).expect("a small picture")
}

fn probe() {
    let (file, limits) = (jpeg(), Settings::default().engine.limits());
    counted(&mut || {
        black_box(codec::probe(&mut Cursor::new(&file), &limits)).expect("our own file");
    });
}

/// The file with the profile of a wide gamut, whose colours are converted to sRGB.
fn with_profile(mut file: Vec<u8>) -> Vec<u8> {
    let profile = ColorProfile::new_display_p3().encode().expect("a profile");
    let name = b"ICC_PROFILE\0\x01\x01";
    let length = u16::try_from(2 + name.len() + profile.len()).expect("a segment holds it");
    let marker = [&[0xFF, 0xE2], &length.to_be_bytes()[..], name, &profile].concat();
    file.splice(2..2, marker);
    file
}

fn decode(file: Vec<u8>) {
    let limits = Settings::default().engine.limits();
    let header = codec::probe(&mut Cursor::new(&file), &limits).expect("our own file");
    counted(&mut || {
        black_box(codec::decode(&file, &header)).expect("our own file");
    });
}

fn decode_small() {
    let (file, limits) = (jpeg(), Settings::default().engine.limits());
    let header = codec::probe(&mut Cursor::new(&file), &limits).expect("our own file");
    let least = (SIZE.0 / 8, SIZE.1 / 8);
    counted(&mut || {
        black_box(codec::decode_down_to(&file, &header, least, false)).expect("our own file");
    });
}

/// The tensor of the built-in model that removes backgrounds.
fn preprocess() {
    let (frame, catalogue) = (scene(), catalogue());
    let entry = catalogue.iter().find(|entry| entry.name == "cutout");
    let entry = entry.expect("it is built in");
    counted(&mut || drop(black_box(tensor::fitted(&frame, entry))));
}

fn resize(frame: Frame) {
    let (width, height) = (SIZE.0 / 3, SIZE.1 / 3);
    counted(&mut || drop(black_box(frame.resized(width, height, Filter::Lanczos3))));
}

fn over_color() {
    let mut cutout = Some(cutout());
    let onto = |cutout| compose::over_color(cutout, [250, 240, 230, 255]);
    counted(&mut || drop(black_box(cutout.take().map(onto))));
}

fn over_picture() {
    let (mut cutout, ground) = (Some(cutout()), scene());
    let onto = |cutout| compose::over_picture(cutout, &ground);
    counted(&mut || drop(black_box(cutout.take().map(onto))));
}

fn upsample() {
    let (frame, coarse) = (scene(), coarse());
    counted(&mut || drop(black_box(matting::refine(&frame, &coarse, None))));
}

fn estimate() {
    let frame = scene();
    let matte = matting::refine(&frame, &coarse(), None);
    counted(&mut || drop(black_box(foreground::estimate(&frame, &matte))));
}

/// The ball, cut out.
fn cutout() -> Frame {
    let frame = scene();
    let matte = matting::refine(&frame, &coarse(), None);
    foreground::estimate(&frame, &matte)
}

fn encode(format: Encoded) {
    let cutout = cutout();
    counted(&mut || {
        black_box(codec::encode(&cutout, &Encoding::new(format))).expect("a small picture");
    });
}
