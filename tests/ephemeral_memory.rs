//! E9: what is left of a picture in the server's memory, half a second after it was answered.
//!
//! The scanner reads all writable memory of the process and looks for 16-byte pieces of the
//! upload, of its pixels, of the tensors and of the answer. Pieces are taken every 16 bytes and
//! looked for at every place, so a rest of 31 bytes cannot be missed.
#![cfg(target_os = "linux")]

mod common;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
    thread,
    time::Duration,
};

use common::{
    Answer, Form, Launch, PROGRAM, Server,
    faults::{Cut, alone, narrow, value},
    http, pictures, shared, skip, spawn,
};
use image::{DynamicImage, ImageFormat, RgbImage};

/// What a piece was cut from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Upload,
    Rgb,
    Rgba,
    Tensor,
    Answer,
    AnswerPixels,
    AnswerTensor,
}

/// The pieces that are looked for.
#[derive(Default)]
struct Pieces {
    exact: Vec<(u128, Kind)>,
    /// Eight samples of a plane in a row: a tensor of the answer rounds to them.
    rounded: Vec<u64>,
    /// One bit for the start of each piece, so that almost every place is passed in one step.
    bits: Vec<u64>,
    shift: u32,
}

fn slot(start: u64) -> u64 {
    start.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn distinct(piece: &[u8]) -> usize {
    let mut seen = piece.to_vec();
    seen.sort_unstable();
    seen.dedup();
    seen.len()
}

impl Pieces {
    fn bytes(&mut self, kind: Kind, bytes: &[u8]) {
        for piece in bytes.as_chunks::<16>().0 {
            // Plain areas and tables are not the picture's alone.
            if distinct(piece) >= 9 {
                self.exact.push((u128::from_le_bytes(*piece), kind));
            }
        }
    }

    /// A file, without what files of its format have in common: heads and tables.
    fn file(&mut self, kind: Kind, bytes: &[u8]) {
        let data = match image::guess_format(bytes) {
            Ok(ImageFormat::Jpeg) => {
                bytes.windows(2).rposition(|w| w == [0xff, 0xda]).unwrap() + 16
            }
            _ => 256,
        };
        self.bytes(kind, &bytes[data.min(bytes.len())..]);
    }

    /// Pixels as they lie in memory, and as planes of floats.
    fn pixels(&mut self, picture: &DynamicImage) {
        let rgb = picture.to_rgb8();
        self.bytes(Kind::Rgb, &rgb);
        self.bytes(Kind::Rgba, &picture.to_rgba8());
        for c in 0..3 {
            let plane: Vec<f32> = rgb.pixels().map(|p| f32::from(p[c]) / 255.0).collect();
            for four in plane.as_chunks::<4>().0 {
                let bytes = four.map(f32::to_le_bytes).concat();
                if distinct(&bytes) >= 4 {
                    let piece = u128::from_le_bytes(bytes.try_into().unwrap());
                    self.exact.push((piece, Kind::Tensor));
                }
            }
        }
    }

    fn answer(&mut self, bytes: &[u8], restored: bool) {
        if bytes.starts_with(b"PK") {
            for (_, file) in pictures::unzipped(bytes) {
                self.answer(&file, restored);
            }
            return;
        }
        self.file(Kind::Answer, bytes);
        let picture = pictures::decoded(bytes);
        self.bytes(Kind::AnswerPixels, &picture.to_rgb8());
        self.bytes(Kind::AnswerPixels, &picture.to_rgba8());
        if restored {
            let rgb = picture.to_rgb8();
            for c in 0..3 {
                let plane: Vec<u8> = rgb.pixels().map(|p| p[c]).collect();
                let eights = plane.as_chunks::<8>().0.iter();
                self.rounded.extend(
                    eights
                        .filter(|eight| distinct(*eight) >= 6)
                        .map(|eight| u64::from_be_bytes(*eight)),
                );
            }
        }
    }

    fn seal(&mut self) {
        self.exact.sort_unstable();
        self.rounded.sort_unstable();
        let places = ((self.exact.len() + self.rounded.len()) * 16)
            .next_power_of_two()
            .max(64);
        self.bits = vec![0; places / 64];
        self.shift = 64 - places.trailing_zeros();
        let starts = self.exact.iter().map(|(piece, _)| *piece as u64);
        for start in starts.chain(self.rounded.iter().copied()) {
            let at = slot(start) >> self.shift;
            self.bits[at as usize / 64] |= 1 << (at % 64);
        }
    }

    fn may_start(&self, start: u64) -> bool {
        let at = slot(start) >> self.shift;
        self.bits[at as usize / 64] >> (at % 64) & 1 == 1
    }

    /// Calls `found` with each piece in `memory` and its offset there.
    fn find(&self, memory: &[u8], mut found: impl FnMut(Kind, usize)) {
        for (at, window) in memory.windows(16).enumerate() {
            let start = u64::from_le_bytes(window[..8].try_into().unwrap());
            if start != 0 && self.may_start(start) {
                let piece = u128::from_le_bytes(window.try_into().unwrap());
                if let Ok(i) = self.exact.binary_search_by_key(&piece, |(piece, _)| *piece) {
                    found(self.exact[i].1, at);
                }
            }
        }
        if self.rounded.is_empty() {
            return;
        }
        let (mut eight, mut run) = (0u64, 0);
        for (i, bytes) in memory.as_chunks::<4>().0.iter().enumerate() {
            let sample = f32::from_le_bytes(*bytes) * 255.0;
            if !(-64.0..320.0).contains(&sample) {
                run = 0;
                continue;
            }
            run += 1;
            eight = eight << 8 | u64::from(sample.round().clamp(0.0, 255.0) as u8);
            if run >= 8 && self.may_start(eight) && self.rounded.binary_search(&eight).is_ok() {
                found(Kind::AnswerTensor, (i - 7) * 4);
            }
        }
    }
}

/// What a scan found: how many pieces of each kind, and in which mapping the first ones lie.
#[derive(Debug, Default)]
struct Found {
    counts: BTreeMap<Kind, usize>,
    first: Vec<String>,
    scanned: u64,
}

impl Found {
    fn all(&self) -> usize {
        self.counts.values().sum()
    }

    fn of(&self, kind: Kind) -> usize {
        self.counts.get(&kind).copied().unwrap_or(0)
    }
}

/// Reads all writable memory of a process; `None` where that is not allowed.
fn scan(pid: u32, pieces: &Pieces) -> Option<Found> {
    const STEP: usize = 1 << 20;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut found = Found::default();
    let mut buffer = vec![0; STEP + 32];
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next()?, words.next()?);
        let (start, end) = range.split_once('-')?;
        let [start, end] = [start, end].map(|n| u64::from_str_radix(n, 16).unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let name = words.nth(3).unwrap_or("anonymous");
        let mut at = start;
        while at < end {
            let want = ((end - at) as usize).min(STEP + 32);
            let Ok(got) = memory.read_at(&mut buffer[..want], at) else {
                break;
            };
            if got == 0 {
                break;
            }
            found.scanned += got.min(STEP) as u64;
            pieces.find(&buffer[..got], |kind, offset| {
                if offset >= STEP {
                    return;
                }
                *found.counts.entry(kind).or_default() += 1;
                if found.first.len() < 40 {
                    let place = at + offset as u64;
                    found.first.push(format!(
                        "{kind:?} at {place:x} ({name} {range} + {:x})",
                        place - start
                    ));
                }
            });
            at += got.min(STEP) as u64;
        }
    }
    Some(found)
}

/// Half a second after the last answer nothing of `pieces` is left.
fn assert_clean(server: &Server, what: &str, pieces: &mut Pieces) {
    server.wait_until(Duration::from_secs(30), "all requests have ended", |m| {
        value(m, "in_flight") == 0.0 && value(m, "leases_live") == 0.0
    });
    pieces.seal();
    thread::sleep(Duration::from_millis(500));
    let Some(found) = scan(server.pid(), pieces) else {
        return skip(what, "root or CAP_SYS_PTRACE, to read the server's memory");
    };
    println!(
        "{what}: {} pieces looked for in {} MiB: {} found",
        pieces.exact.len() + pieces.rounded.len(),
        found.scanned >> 20,
        found.all()
    );
    assert!(
        found.scanned > 10 << 20,
        "too little was read to say anything"
    );
    assert!(pieces.exact.len() > 1000, "too little was looked for");
    assert_eq!(found.all(), 0, "{what}: {found:#?}");
}

const BACKGROUND: &str = "/v1/remove-background";

fn uncompressed(picture: &RgbImage) -> Vec<u8> {
    let (width, height) = picture.dimensions();
    let rows = picture.rows().flat_map(|row| {
        let samples = row.flat_map(|pixel| pixel.0);
        [0].into_iter().chain(samples).collect::<Vec<_>>()
    });
    let head = pictures::crafted::ihdr(width, height, 8, 2, false);
    let data = pictures::crafted::zlib_stored(&rows.collect::<Vec<_>>());
    pictures::crafted::png(&[(b"IHDR", &head), (b"IDAT", &data), (b"IEND", b"")])
}

/// A JPEG with a camera's notes, which are noise here.
fn photograph(picture: &RgbImage, seed: u32) -> Vec<u8> {
    let jpeg = pictures::encoded(picture.clone(), ImageFormat::Jpeg);
    let notes = pictures::noise(64, 64, seed).into_raw();
    let exif = [pictures::exif_orientation(1), notes].concat();
    pictures::with_segment(&jpeg, 0xe1, &exif)
}

/// Sends a picture, raw or in a form, and notes what to look for afterwards.
fn send(server: &Server, pieces: &mut Pieces, path: &str, file: &[u8], form: bool) -> Answer {
    let answer = if form {
        server.form(path, Form::of(file))
    } else {
        server.post(path, "image/png", file)
    };
    let text = String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]);
    assert_eq!(answer.status, 200, "{path}: {text}");
    pieces.file(Kind::Upload, file);
    pieces.pixels(&pictures::decoded(file));
    let restored = path.contains("denoise");
    pieces.answer(&answer.body, restored);
    answer
}

/// One after the other: every format that is read, every format that is written.
fn in_sequence(server: &Server) -> Pieces {
    let mut pieces = Pieces::default();
    let mut all = |path: &str, file: &[u8], form| {
        send(server, &mut pieces, path, file, form);
    };
    // Of the nets' own size, so that the tensor holds the samples as they are.
    let noise = |seed| pictures::noise(352, 352, seed);
    let white = format!("{BACKGROUND}?background=white&format=png");
    all(&white, &uncompressed(&noise(1)), true);
    let bitmap = pictures::encoded(pictures::noise(256, 256, 2), ImageFormat::Bmp);
    all("/v1/restore?steps=denoise&format=png", &bitmap, false);
    all(BACKGROUND, &photograph(&noise(3), 30), true);
    let both = format!("{BACKGROUND}?output=both");
    let clear = pictures::noise(352, 352, 4);
    let clear = RgbaNoise::of(&clear);
    all(&both, &pictures::encoded(clear, ImageFormat::Png), false);
    let webp = pictures::webp_of(&noise(5).into(), None);
    all(
        "/v1/restore?strength=0&format=webp&lossless=true",
        &webp,
        false,
    );
    all(
        "/v1/restore?steps=denoise&format=jpeg",
        &photograph(&noise(6), 60),
        false,
    );
    all(
        "/v1/restore?strength=0&format=webp",
        &uncompressed(&noise(7)),
        true,
    );
    all(
        "/v1/restore?strength=0&compression=balanced",
        &pictures::crafted::interlaced(&noise(8)),
        false,
    );
    let subject = pictures::noisy(&pictures::subject(352, 352), 9.0, 9);
    let blur = format!("{BACKGROUND}?background=blur&shadow=drop&crop=true&format=webp");
    all(&blur, &uncompressed(&subject), false);
    let ground = uncompressed(&pictures::noise(300, 300, 10));
    let form = Form::of(&uncompressed(&subject)).file("background_file", "ground", &ground);
    let answer = server.form(BACKGROUND, form);
    assert_eq!(answer.status, 200);
    pieces.file(Kind::Upload, &ground);
    pieces.pixels(&pictures::decoded(&ground));
    pieces.answer(&answer.body, false);
    let inspected = uncompressed(&pictures::noise(300, 300, 11));
    assert_eq!(server.form("/v1/inspect", Form::of(&inspected)).status, 200);
    pieces.file(Kind::Upload, &inspected);
    pieces
}

struct RgbaNoise;

impl RgbaNoise {
    /// Noise with noise as its alpha.
    fn of(rgb: &RgbImage) -> image::RgbaImage {
        image::RgbaImage::from_fn(rgb.width(), rgb.height(), |x, y| {
            let [r, g, b] = rgb.get_pixel(x, y).0;
            image::Rgba([r, g, b, (r ^ g).max(1)])
        })
    }
}

fn all_formats() -> Server {
    spawn(&["--formats", "png,jpeg,webp,bmp"])
}

/// E9: sequential requests.
#[test]
fn nothing_of_a_picture_stays_after_its_answer() {
    let _alone = alone();
    let server = all_formats();
    let mut pieces = in_sequence(&server);
    assert_clean(&server, "in sequence", &mut pieces);
}

/// E9: sixteen at once.
#[test]
fn nothing_stays_after_sixteen_at_once() {
    let _alone = alone();
    let server = spawn(&[]);
    let requests: Vec<_> = (0..16)
        .map(|i| {
            let picture = pictures::noise(256, 256, 100 + i);
            let file = match i % 3 {
                0 => uncompressed(&picture),
                1 => photograph(&picture, 200 + i),
                _ => pictures::webp_of(&picture.into(), Some(90.0)),
            };
            let path = match i % 2 {
                0 => format!("{BACKGROUND}?background=white"),
                _ => "/v1/restore?steps=denoise&format=png".to_owned(),
            };
            (path, file)
        })
        .collect();
    let mut pieces = Pieces::default();
    thread::scope(|scope| {
        let sent: Vec<_> = requests
            .iter()
            .enumerate()
            .map(|(i, (path, file))| {
                let server = &server;
                scope.spawn(move || {
                    let mut pieces = Pieces::default();
                    send(server, &mut pieces, path, file, i % 4 < 2);
                    pieces
                })
            })
            .collect();
        for thread in sent {
            let more = thread.join().unwrap();
            pieces.exact.extend(more.exact);
            pieces.rounded.extend(more.rounded);
        }
    });
    assert_clean(&server, "sixteen at once", &mut pieces);
}

/// E9: uploads that are read once more, for the hash in a receipt.
#[test]
fn nothing_stays_of_what_was_hashed_for_a_receipt() {
    let _alone = alone();
    let server = spawn(&["--receipts"]);
    let mut pieces = Pieces::default();
    for (seed, path, status) in [
        (40, format!("{BACKGROUND}?background=white"), 200),
        (41, "/v1/inspect".to_owned(), 200),
        (42, BACKGROUND.to_owned(), 422),
    ] {
        let mut file = uncompressed(&pictures::noise(300, 300, seed));
        if status == 422 {
            file.truncate(file.len() / 2);
        }
        let headers = [
            ("Content-Type", "image/png"),
            ("Deletion-Receipt-Digest", "sha-256"),
        ];
        let answer = http::request(server.address, "POST", &path, &headers, &file).unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.header("deletion-receipt").is_some(), "{path}");
        pieces.file(Kind::Upload, &file);
    }
    assert_clean(&server, "hashed for a receipt", &mut pieces);
}

/// E9: uploads, jobs and downloads whose client goes.
#[test]
fn nothing_stays_of_what_its_client_has_abandoned() {
    let _alone = alone();
    let server = spawn(&["--workers", "1"]);
    let mut pieces = Pieces::default();
    let mut seed = 300;
    let mut fresh = |width| {
        seed += 1;
        let picture = pictures::noise(width, width, seed);
        let file = uncompressed(&picture);
        pieces.file(Kind::Upload, &file);
        pieces.pixels(&picture.into());
        file
    };
    for cut in Cut::BOTH {
        // In the upload, raw and in a form.
        let (raw, (mime, form)) = (fresh(352), Form::of(&fresh(352)).finish());
        for (mime, body) in [("image/png", &raw), (mime.as_str(), &form)] {
            let part = &body[..body.len() * 2 / 3];
            let stream = http::begin(server.address, BACKGROUND, mime, body.len(), part);
            server.wait_until(Duration::from_secs(10), "the upload has begun", |m| {
                value(m, "inputs_live") == 1.0
            });
            thread::sleep(Duration::from_millis(50));
            let kept = cut.cut(stream);
            server.wait_until(Duration::from_secs(10), "it is dropped", |m| {
                value(m, "inputs_live") == 0.0
            });
            drop(kept);
        }
        // In the inference.
        let large = fresh(900);
        let path = "/v1/restore?steps=denoise";
        let stream = http::begin(server.address, path, "image/png", large.len(), &large);
        server.wait_until(Duration::from_secs(20), "the job runs", |m| {
            value(m, "leases_live") == 1.0
        });
        // While one waits behind it.
        let small = fresh(256);
        let waiting = http::begin(server.address, BACKGROUND, "image/png", small.len(), &small);
        server.wait_until(Duration::from_secs(10), "one waits", |m| {
            value(m, "queue_depth") == 1.0
        });
        let kept = (cut.cut(waiting), cut.cut(stream));
        server.wait_until(Duration::from_secs(60), "the job has stopped", |m| {
            value(m, "leases_live") == 0.0
        });
        drop(kept);
        // In the download: more than the system's buffers take.
        let large = fresh(1500);
        let mut stream = narrow(server.address);
        let path = "/v1/restore?strength=0";
        let head = http::head("POST", path, &[("Content-Type", "image/png")], large.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&large).unwrap();
        server.wait_until(Duration::from_secs(60), "the answer is there", |m| {
            value(m, "inputs_live") == 0.0
                && value(m, "leases_live") == 1.0
                && value(m, "queue_depth") == 0.0
        });
        thread::sleep(Duration::from_millis(200));
        drop(cut.cut(stream));
    }
    assert_clean(&server, "abandoned", &mut pieces);
}

/// The control without which a clean scan says nothing: while a job runs, its pixels are there.
#[test]
fn while_a_job_runs_its_pixels_are_found() {
    let _alone = alone();
    let server = spawn(&["--workers", "1"]);
    let picture = pictures::noise(1200, 1200, 600);
    let file = uncompressed(&picture);
    let mut pieces = Pieces::default();
    pieces.pixels(&picture.into());
    pieces.seal();
    let path = "/v1/restore?steps=denoise";
    let stream = http::begin(server.address, path, "image/png", file.len(), &file);
    server.wait_until(Duration::from_secs(20), "the job runs", |m| {
        value(m, "leases_live") == 1.0 && value(m, "inputs_live") == 0.0
    });
    let Some(found) = scan(server.pid(), &pieces) else {
        return skip("the scanner's control", "root or CAP_SYS_PTRACE");
    };
    println!("control, during a job: {:?}", found.counts);
    assert!(found.of(Kind::Rgb) > 10_000, "{found:#?}");
    drop(Cut::Rst.cut(stream));
}

/// The negative control: the same requests to a program that does not wipe what it frees.
#[test]
fn without_wiping_the_same_scan_finds_what_it_looks_for() {
    let _alone = alone();
    let Some(program) = hooks() else {
        return skip(
            "the scan's negative control",
            "SAFELIGHT_TEST_HOOKS_BIN (HOOKS=1)",
        );
    };
    let launch = Launch {
        program: Some(&program),
        flags: &["--formats", "png,jpeg,webp,bmp"],
        variables: &[("SAFELIGHT_TEST_UNWIPED", "1")],
        ..Launch::default()
    };
    let server = launch.start();
    let mut pieces = in_sequence(&server);
    pieces.seal();
    thread::sleep(Duration::from_millis(500));
    let Some(found) = scan(server.pid(), &pieces) else {
        return skip("the scan's negative control", "root or CAP_SYS_PTRACE");
    };
    println!("control, unwiped: {:?}", found.counts);
    for kind in [
        Kind::Upload,
        Kind::Rgb,
        Kind::Rgba,
        Kind::Tensor,
        Kind::Answer,
        Kind::AnswerPixels,
    ] {
        assert!(
            found.of(kind) > 0,
            "{kind:?} is not found: {:?}",
            found.counts
        );
    }
}

/// The switches of the tests are not in the program that ships.
#[test]
fn the_plain_program_does_not_know_the_switches_of_the_tests() {
    let knows = |program: &Path| {
        let bytes = fs::read(program).unwrap();
        bytes.windows(15).any(|window| window == b"SAFELIGHT_TEST_")
    };
    assert!(!knows(Path::new(PROGRAM)));
    match hooks() {
        Some(program) => assert!(knows(&program)),
        None => skip(
            "the names of the switches",
            "SAFELIGHT_TEST_HOOKS_BIN (HOOKS=1)",
        ),
    }
}

#[allow(clippy::disallowed_methods, reason = "a switch of the tests")]
fn hooks() -> Option<std::path::PathBuf> {
    std::env::var_os("SAFELIGHT_TEST_HOOKS_BIN").map(Into::into)
}

/// E9 on photographs, whose metadata counts as well.
#[test]
fn nothing_stays_of_a_photograph_and_its_metadata() {
    let _alone = alone();
    let Some(folder) = shared("corpus/gps") else {
        return skip("E9 on photographs", "../shared/corpus");
    };
    let server = spawn(&[]);
    let mut pieces = Pieces::default();
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let answer = server.post(BACKGROUND, "image/jpeg", &bytes);
        assert!(answer.status < 500);
        pieces.bytes(Kind::Upload, &bytes);
        if answer.status == 200 {
            pieces.answer(&answer.body, false);
        }
    }
    // Tables and profiles that many cameras write are in decoders too.
    let mut seen: BTreeMap<u128, usize> = BTreeMap::new();
    pieces
        .exact
        .iter()
        .for_each(|(piece, _)| *seen.entry(*piece).or_default() += 1);
    pieces.exact.retain(|(piece, _)| seen[piece] == 1);
    assert_clean(&server, "photographs", &mut pieces);
}
