//! What a restoration must not do: touch what is sound, miss what is not, take more memory than it
//! has reserved.

use std::fs;

use image::{ImageFormat, RgbImage};

use crate::common::{Answer, Server, pictures, shared, skip, spawn};

fn restored(server: &Server, mime: &str, query: &str, bytes: &[u8]) -> Answer {
    let answer = server.post(&format!("/v1/restore?format=png&{query}"), mime, bytes);
    assert_eq!(answer.status, 200, "{query}");
    answer
}

/// The steps of a report, but for the measuring.
fn steps(answer: &Answer) -> Vec<String> {
    let report = answer.header("x-restoration-report").expect("a report");
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    let steps = report["steps"].as_array().unwrap().iter();
    let names = steps.map(|step| step["step"].as_str().unwrap().to_owned());
    names.filter(|name| name != "measure").collect()
}

/// Modern photographs pass nearly untouched (40 dB), the ones full of fur, leaves and stones too.
#[test]
fn clean_photographs_are_left_alone() {
    let name = "clean_photographs_are_left_alone";
    let folders = [
        "data/eval/restore-kodak",
        "data/eval/restore-set14",
        "data/photos",
    ];
    let server = spawn(&[]);
    let mut seen = 0;
    for folder in folders.map(shared) {
        let Some(folder) = folder else {
            return skip(name, "../shared/data");
        };
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let answer = restored(&server, "image/png", "", &bytes);
            let before = pictures::decoded(&bytes).to_rgb8();
            let apart = pictures::error(&answer.picture().to_rgb8(), &before);
            // 20 log10(255 / 2.55) is 40.
            assert!(apart <= 2.55, "{}: {apart}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 45, "{seen}");
    server.assert_books_balance();
}

/// The other side of it: damage that is to be seen is found, in every picture.
#[test]
fn noise_and_blocks_are_found_in_every_photograph() {
    let Some(folder) = shared("data/eval/restore-kodak") else {
        return skip(
            "noise_and_blocks_are_found_in_every_photograph",
            "../shared/data",
        );
    };
    let server = spawn(&[]);
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (mut seen, mut judged) = (0, 0);
    for (i, path) in paths.enumerate() {
        seen += 1;
        // A part of each: finding it is the question, and a quarter is enough for that.
        let clean = pictures::decoded(&fs::read(&path).unwrap());
        let clean: RgbImage = clean.crop_imm(100, 100, 256, 256).to_rgb8();
        let name = path.display();
        for (sigma, gain) in [(10.0, 0.85), (25.0, 0.6)] {
            let noisy = pictures::noisy(&clean, sigma, i as u32 + 1);
            let bytes = pictures::encoded(noisy.clone(), ImageFormat::Png);
            let answer = restored(&server, "image/png", "report=true", &bytes);
            let done = steps(&answer);
            assert!(
                done.contains(&"denoise".to_owned()),
                "{name} {sigma}: {done:?}"
            );
            let before = pictures::error(&noisy, &clean);
            let only = restored(&server, "image/png", "steps=denoise", &bytes).picture();
            let all = pictures::error(&only.to_rgb8(), &clean);
            assert!(all < gain * before, "{name} {sigma}: {before}, {all} alone");
            // Where something else was done too, the difference is not the noise's alone.
            if done.len() == 1 {
                judged += 1;
                let after = pictures::error(&answer.picture().to_rgb8(), &clean);
                assert!(
                    after < gain * before,
                    "{name} {sigma}: {before} became {after}"
                );
                assert!(
                    after < 1.1 * all,
                    "{name} {sigma}: {after}, where {all} is possible"
                );
            }
        }
        for quality in [20, 40] {
            let rgb = pictures::JpegColor::Rgb;
            let jpeg = pictures::jpeg_of(&clean, (256, 256), rgb, quality, false);
            let done = steps(&restored(&server, "image/jpeg", "report=true", &jpeg));
            let found = ["denoise", "dejpeg"]
                .iter()
                .any(|step| done.contains(&(*step).to_owned()));
            assert!(found, "{name} {quality}: {done:?}");
        }
    }
    println!("{judged} judged of {seen} pictures with two kinds of noise");
    // Of 24 pictures, twice each, 43 get nothing but `denoise`.
    assert!(seen >= 20 && judged >= 38, "{judged} of 2 x {seen}");
    server.assert_books_balance();
}

/// What a job reserves is at least what it takes, whichever step takes the most: what the process
/// has grown by is that, and what stays of the first use of a library.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_within_what_was_reserved() {
    use std::{thread, time::Duration};
    /// What the upload, the answer and the first use of libraries and heaps take: no part of a job.
    const BESIDE: f64 = 16e6;
    let high = |server: &Server| -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? * 1024.0)
    };
    for (path, size) in [
        // Long and low: many tiles, and each buffer of the whole picture counts.
        (
            "/v1/restore?steps=fade,contrast,deblur&strength=0.5",
            (12_000, 1_500),
        ),
        // So large that a smaller copy is looked at too.
        ("/v1/restore?steps=scratches", (2_400, 2_000)),
        (
            "/v1/restore?steps=scratches,denoise,deblur,fade,contrast",
            (2_400, 1_250),
        ),
        ("/v1/restore?steps=denoise", (1_700, 900)),
        ("/v1/restore?steps=upscale&scale=2", (900, 500)),
        ("/v1/restore?steps=upscale&scale=4", (500, 320)),
        ("/v1/enhance?denoise=1&scale=2&strength=0.7", (900, 500)),
        ("/v1/enhance?denoise=0", (12_000, 1_500)),
    ] {
        // A process of its own for each: what the C heap keeps of one job is not the next one's.
        let server = spawn(&["--workers=2", "--memory-budget=4GiB"]);
        let Some(before) = high(&server) else {
            return skip(
                "memory_stays_within_what_was_reserved",
                "/proc of another process",
            );
        };
        let scratched = RgbImage::from_fn(size.0, size.1, |x, y| {
            let shade = (60 + x * 120 / size.0 + (x * 7 + y * 13) % 23) as u8;
            let light = (x + y / 9) % 300 < 3;
            image::Rgb(if light {
                [235; 3]
            } else {
                [shade, shade / 2 + 40, 90]
            })
        });
        let picture = pictures::encoded(scratched, ImageFormat::Jpeg);
        let url = format!("{path}&format=jpeg");
        let mut reserved: f64 = 0.0;
        thread::scope(|scope| {
            let work = scope.spawn(|| server.post(&url, "image/jpeg", &picture));
            while !work.is_finished() {
                reserved = reserved.max(server.metric("safelight_memory_reserved_bytes"));
                thread::sleep(Duration::from_millis(5));
            }
            assert_eq!(work.join().unwrap().status, 200, "{path}");
        });
        let grown = high(&server).unwrap() - before;
        println!("{path}: {:.0} MB of {:.0}", grown / 1e6, reserved / 1e6);
        assert!(grown < reserved + BESIDE, "{path}: {grown} of {reserved}");
        assert!(reserved < 0.9e9, "{path}: {reserved}");
        server.assert_books_balance();
    }
}
