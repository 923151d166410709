//! The parts of a request and the whole of it, at 1 and at 12 megapixels, on one thread.

#[path = "parts/mod.rs"]
mod parts;

use std::io::Cursor;

use divan::{Bencher, black_box};
use safelight::{
    cancel::Cancel,
    codec::{self, Encoded, Encoding},
    config::Settings,
    frame::{Filter, Frame, Mask},
    job::{Accept, Input, Job, Site},
    observe::Stages,
    ops::{Kind, Plan, foreground, matting},
};

use parts::{ENGINE, jpeg, scene};

fn main() {
    divan::main();
}

const SIZES: [(u32, u32); 2] = [(1152, 864), (4000, 3000)];

fn coarse(frame: &Frame) -> Mask {
    ENGINE.matte(None, frame, &Cancel::new()).unwrap()
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
    let frame = scene((320, 320));
    bencher.bench(|| coarse(&frame));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn guided_upsampling(bencher: Bencher, size: (u32, u32)) {
    let frame = scene(size);
    let matte = coarse(&frame);
    bencher.bench(|| matting::refine(&frame, &matte, None));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn foreground_estimation(bencher: Bencher, size: (u32, u32)) {
    let frame = scene(size);
    let matte = matting::refine(&frame, &coarse(&frame), None);
    bencher.bench(|| foreground::estimate(&frame, &matte));
}

#[divan::bench(args = SIZES, consts = [0, 1, 2], sample_count = 10)]
fn encode<const FORMAT: usize>(bencher: Bencher, size: (u32, u32)) {
    let frame = scene(size);
    let matte = matting::refine(&frame, &coarse(&frame), None);
    let cutout = foreground::estimate(&frame, &matte);
    let encoding = Encoding::new([Encoded::Png, Encoded::Webp, Encoded::Jpeg][FORMAT]);
    bencher.bench(|| codec::encode(&cutout, &encoding).unwrap());
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn whole_job(bencher: Bencher, size: (u32, u32)) {
    let (file, settings) = (jpeg(size), Settings::default().engine);
    let plan = Plan::single(Kind::RemoveBackground, []).unwrap();
    let (limits, budget) = (settings.limits(), settings.memory_budget_bytes());
    let site = Site {
        limits: &limits,
        budget,
        engine: &ENGINE,
    };
    bencher.bench_local(|| {
        let input = Input::Memory(file.clone());
        let job = Job::prepare(input, Vec::new(), plan.clone(), Accept::default(), &site).unwrap();
        job.run(&ENGINE, &Cancel::new(), &mut Stages::default())
            .unwrap()
    });
}
