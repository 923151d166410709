//! The picture that is worked on, the engine, and the parts of one cutout called directly.

use std::{
    hint::black_box,
    io::Cursor,
    sync::{Arc, LazyLock},
};

use safelight::{
    cancel::Cancel,
    codec::{self, Encoded, Encoding},
    config::Settings,
    cores,
    engine::{Engine, Loading},
    frame::{Frame, Layout},
    observe::Metrics,
    ops::{foreground, matting},
};

/// A process has one ONNX Runtime, and so one engine: with one thread.
pub static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    cores::limit(1);
    let mut settings = Settings::default().engine;
    settings.workers = Some(1);
    Engine::open(&settings, Arc::new(Metrics::new("bench")), Loading::AtOnce).unwrap()
});

/// A shaded ball on a plain ground, with a little noise so that codecs have the work that a
/// photograph gives them.
pub fn scene((width, height): (u32, u32)) -> Frame {
    let mut seed = 1u32;
    let radius = f64::from(height) * 0.36;
    let mut data = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 29) as u8;
            let (dx, dy) = (
                f64::from(x) - f64::from(width) / 2.0,
                f64::from(y) - f64::from(height) / 2.0,
            );
            let inside = 1.0 - (dx * dx + dy * dy) / (radius * radius);
            let [r, g, b] = if inside > 0.0 {
                let light = 0.3 + 0.7 * inside.sqrt();
                [240.0 * light, 150.0 * light, 60.0 * light]
            } else {
                [70.0, 80.0, 100.0]
            };
            data.extend([r as u8 + noise, g as u8 + noise, b as u8 + noise]);
        }
    }
    Frame::new(width, height, Layout::Rgb, data)
}

/// The scene as a file.
pub fn jpeg(size: (u32, u32)) -> Vec<u8> {
    codec::encode(&scene(size), &Encoding::new(Encoded::Jpeg)).unwrap()
}

/// Cuts a file out, stage by stage: `around` is given the name of each and runs it.
#[allow(dead_code)]
pub fn cut_out(file: &[u8], mut around: impl FnMut(&'static str, &mut dyn FnMut())) {
    let limits = Settings::default().engine.limits();
    let cancel = Cancel::new();
    let (mut header, mut frame, mut coarse) = (None, None, None);
    let (mut matte, mut cutout) = (None, None);
    around("probe", &mut || {
        header = Some(codec::probe(&mut Cursor::new(file), &limits).unwrap());
    });
    let header = header.unwrap();
    around("decode", &mut || {
        frame = Some(codec::decode(file, &header).unwrap());
    });
    let frame = frame.unwrap();
    around("inference", &mut || {
        coarse = Some(ENGINE.matte(None, &frame, &cancel).unwrap());
    });
    let coarse = coarse.unwrap();
    around("refine", &mut || {
        matte = Some(matting::refine(&frame, &coarse, None));
    });
    let matte = matte.unwrap();
    around("compose", &mut || {
        cutout = Some(foreground::estimate(&frame, &matte));
    });
    let cutout = cutout.unwrap();
    around("encode", &mut || {
        black_box(codec::encode(&cutout, &Encoding::new(Encoded::Png)).unwrap());
    });
    // What is freed is overwritten first, where the service's allocator is in use.
    let mut all = Some((frame, coarse, matte, cutout));
    around("free", &mut || drop(all.take()));
}
