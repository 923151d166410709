//! The scanner: pieces of what was sent and answered, looked for in all writable memory of the
//! process. Pieces are taken every 16 bytes and looked for at every place, so a rest of 31 bytes
//! cannot be missed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    ops::Range,
    os::unix::fs::FileExt,
    thread,
    time::Duration,
};

use image::{DynamicImage, ImageFormat};

use crate::common::{Server, faults::value, pictures, skip};

/// What a piece was cut from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
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
pub struct Pieces {
    pub exact: Vec<(u128, Kind)>,
    /// Eight samples of a plane in a row: a tensor of the answer rounds to them.
    pub rounded: Vec<u64>,
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
    pub fn bytes(&mut self, kind: Kind, bytes: &[u8]) {
        for piece in bytes.as_chunks::<16>().0 {
            // Plain areas and tables are not the picture's alone.
            if distinct(piece) >= 9 {
                self.exact.push((u128::from_le_bytes(*piece), kind));
            }
        }
    }

    /// A file, without what files of its format have in common: heads and tables.
    pub fn file(&mut self, kind: Kind, bytes: &[u8]) {
        let data = match image::guess_format(bytes) {
            Ok(ImageFormat::Jpeg) => {
                bytes.windows(2).rposition(|w| w == [0xff, 0xda]).unwrap() + 16
            }
            _ => 256,
        };
        self.bytes(kind, &bytes[data.min(bytes.len())..]);
    }

    /// Pixels as they lie in memory, and as planes of floats.
    pub fn pixels(&mut self, picture: &DynamicImage) {
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

    pub fn answer(&mut self, bytes: &[u8], restored: bool) {
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

    pub fn seal(&mut self) {
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

    pub fn may_start(&self, start: u64) -> bool {
        let at = slot(start) >> self.shift;
        self.bits[at as usize / 64] >> (at % 64) & 1 == 1
    }

    /// Calls `found` with each piece in `memory` and its offset there.
    pub fn find(&self, memory: &[u8], mut found: impl FnMut(Kind, usize)) {
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
pub struct Found {
    pub counts: BTreeMap<Kind, usize>,
    first: Vec<String>,
    scanned: u64,
}

impl Found {
    pub fn all(&self) -> usize {
        self.counts.values().sum()
    }

    pub fn of(&self, kind: Kind) -> usize {
        self.counts.get(&kind).copied().unwrap_or(0)
    }
}

/// Reads all writable memory of a process; `None` where that is not allowed.
pub fn scan(pid: u32, pieces: &Pieces) -> Option<Found> {
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
                    let whose = stack_of(pid, start..end).unwrap_or_else(|| name.to_owned());
                    let from_end = end - place;
                    found.first.push(format!(
                        "{kind:?} at {place:x} ({whose} {range}, {from_end:#x} before its end): \
                         {:02x?}",
                        &buffer[offset..got.min(offset + 48)]
                    ));
                }
            });
            at += got.min(STEP) as u64;
        }
    }
    Some(found)
}

/// The thread whose stack lies there, by its name.
fn stack_of(pid: u32, range: Range<u64>) -> Option<String> {
    let mut threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    threads.find_map(|thread| {
        // The last but one number is the stack pointer of a thread that waits.
        let call = fs::read_to_string(thread.path().join("syscall")).ok()?;
        let pointer = call.split_whitespace().rev().nth(1)?;
        let pointer = u64::from_str_radix(pointer.strip_prefix("0x")?, 16).ok()?;
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        let depth = range.end.saturating_sub(pointer);
        let stack = format!("stack of {}, now {depth:#x} deep,", name.trim());
        range.contains(&pointer).then_some(stack)
    })
}

/// Half a second after the last answer nothing of `pieces` is left.
pub fn assert_clean(server: &Server, what: &str, pieces: &mut Pieces) {
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
