//! The parts of a request and the whole of it, at 1 and at 12 megapixels, on one thread.
//!
//! The picture is made here: a shaded ball on a plain ground, with a little noise so that codecs
//! have the work that a photograph gives them.

use std::{io::Cursor, sync::Arc};

use divan::{Bencher, black_box};
use safelight::{
    cancel::Cancel,
    codec::{self, Encoded, Encoding},
    config::Settings,
    engine::{Engine, Loading},
    frame::{Filter, Frame, Layout, Mask},
    job::{Accept, Input, Job, Site},
    observe::{Metrics, Stages},
    ops::{Kind, Plan, foreground, matting},
};

fn main() {
    divan::main();
}

const SIZES: [(u32, u32); 2] = [(1152, 864), (4000, 3000)];

fn scene((width, height): (u32, u32)) -> Frame {
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

fn jpeg(size: (u32, u32)) -> Vec<u8> {
    codec::encode(&scene(size), &Encoding::new(Encoded::Jpeg)).unwrap()
}

fn engine() -> Engine {
    let mut settings = Settings::default().engine;
    settings.workers = Some(1);
    Engine::open(&settings, Arc::new(Metrics::new("bench")), Loading::AtOnce).unwrap()
}

fn coarse(engine: &Engine, frame: &Frame) -> Mask {
    engine.matte(None, frame, &Cancel::new()).unwrap()
}

#[divan::bench(args = SIZES)]
fn probe(bencher: Bencher, size: (u32, u32)) {
    let (file, limits) = (jpeg(size), Settings::default().engine.limits());
    bencher.bench(|| codec::probe(&mut Cursor::new(&file), &limits).unwrap());
}

#[divan::bench(args = SIZES, sample_count = 20)]
fn decode(bencher: Bencher, size: (u32, u32)) {
    let (file, limits) = (jpeg(size), Settings::default().engine.limits());
    let header = codec::probe(&mut Cursor::new(&file), &limits).unwrap();
    bencher.bench(|| codec::decode(&file, &header).unwrap());
}

#[divan::bench(args = SIZES, sample_count = 20)]
fn preprocess(bencher: Bencher, size: (u32, u32)) {
    let frame = scene(size);
    bencher.bench(|| black_box(&frame).resized(320, 320, Filter::Bilinear));
}

#[divan::bench(sample_count = 20)]
fn inference(bencher: Bencher) {
    let (engine, frame) = (engine(), scene((320, 320)));
    bencher.bench_local(|| coarse(&engine, &frame));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn guided_upsampling(bencher: Bencher, size: (u32, u32)) {
    let frame = scene(size);
    let matte = coarse(&engine(), &frame);
    bencher.bench(|| matting::refine(&frame, &matte, None));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn foreground_estimation(bencher: Bencher, size: (u32, u32)) {
    let frame = scene(size);
    let matte = matting::refine(&frame, &coarse(&engine(), &frame), None);
    bencher.bench(|| foreground::estimate(&frame, &matte));
}

#[divan::bench(args = SIZES, consts = [0, 1, 2], sample_count = 10)]
fn encode<const FORMAT: usize>(bencher: Bencher, size: (u32, u32)) {
    let frame = scene(size);
    let matte = matting::refine(&frame, &coarse(&engine(), &frame), None);
    let cutout = foreground::estimate(&frame, &matte);
    let encoding = Encoding::new([Encoded::Png, Encoded::Webp, Encoded::Jpeg][FORMAT]);
    bencher.bench(|| codec::encode(&cutout, &encoding).unwrap());
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn whole_job(bencher: Bencher, size: (u32, u32)) {
    let (file, engine, settings) = (jpeg(size), engine(), Settings::default().engine);
    let plan = Plan::single(Kind::RemoveBackground, []).unwrap();
    let (limits, budget) = (settings.limits(), settings.memory_budget_bytes());
    let site = Site {
        limits: &limits,
        budget,
        engine: &engine,
    };
    bencher.bench_local(|| {
        let input = Input::Memory(file.clone());
        let job = Job::prepare(input, Vec::new(), plan.clone(), Accept::default(), &site).unwrap();
        job.run(&engine, &Cancel::new(), &mut Stages::default())
            .unwrap()
    });
}
