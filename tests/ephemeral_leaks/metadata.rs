//! E12: nothing that came with the pixels goes out with them.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use image::ImageFormat;

use crate::{
    BACKGROUND, assert_silent,
    common::{faults::alone, http::CANARY, pictures, shared, skip, spawn},
    contains,
    tagged::{tagged_jpeg, tagged_png, tagged_webp},
};

/// What a file of ours is made of: the names of its parts, which must all be of a short list.
fn parts(bytes: &[u8]) -> Vec<String> {
    match image::guess_format(bytes) {
        Ok(ImageFormat::Png) => {
            let mut rest = &bytes[8..];
            let mut kinds = Vec::new();
            while let Some((length, after)) = rest.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*length) as usize;
                kinds.push(String::from_utf8_lossy(&after[..4]).into_owned());
                rest = &after[8 + length..];
            }
            assert!(rest.is_empty(), "bytes after the end");
            kinds
        }
        Ok(ImageFormat::WebP) => {
            let mut rest = &bytes[12..];
            let mut kinds = Vec::new();
            while rest.len() >= 8 {
                let length = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
                kinds.push(String::from_utf8_lossy(&rest[..4]).into_owned());
                rest = &rest[8 + length.next_multiple_of(2)..];
            }
            assert!(rest.is_empty(), "bytes after the end");
            kinds
        }
        Ok(ImageFormat::Jpeg) => {
            let mut at = 2;
            let mut kinds = Vec::new();
            while bytes[at + 1] != 0xda {
                assert_eq!(bytes[at], 0xff, "a marker");
                let length = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
                kinds.push(format!("{:02x}", bytes[at + 1]));
                if bytes[at + 1] == 0xe0 {
                    let jfif = &bytes[at + 4..at + 2 + length];
                    assert!(jfif.starts_with(b"JFIF\0"));
                    assert_eq!(jfif[12..], [0, 0], "a thumbnail");
                }
                at += 2 + length;
            }
            assert_eq!(
                bytes[bytes.len() - 2..],
                [0xff, 0xd9],
                "bytes after the end"
            );
            kinds
        }
        other => panic!("{other:?}"),
    }
}

/// Only pixels, and what is needed to read them.
fn assert_bare(what: &str, answer: &[u8]) {
    assert_silent(what, answer);
    let known = [
        "IHDR", "IDAT", "IEND", "VP8 ", "VP8L", "VP8X", "ALPH", "e0", "db", "c0", "c4", "dd",
    ];
    for part in parts(answer) {
        assert!(known.contains(&part.as_str()), "{what}: {part}");
    }
    for marker in [
        &b"Exif\0\0"[..],
        b"<x:xmpmeta",
        b"ICC_PROFILE",
        b"Photoshop",
        b"GPS ",
    ] {
        assert!(!contains(answer, marker), "{what}: {marker:?}");
    }
}

/// E12: no metadata of an input is in an output; the same input gives the same bytes.
#[test]
fn an_answer_holds_pixels_and_nothing_else() {
    let _alone = alone();
    let server = spawn(&[]);
    let inputs = [
        ("jpeg", tagged_jpeg()),
        ("png", tagged_png()),
        ("webp", tagged_webp()),
    ];
    for (from, bytes) in &inputs {
        assert!(contains(bytes, CANARY.as_bytes()));
        for to in ["png", "jpeg", "webp"] {
            for path in [
                format!("{BACKGROUND}?format={to}"),
                format!("{BACKGROUND}?output=mask&format={to}"),
                format!("/v1/restore?strength=0&format={to}"),
            ] {
                let what = format!("{from} to {path}");
                let send = || server.post(&path, "image/png", bytes);
                let answer = send();
                let said = String::from_utf8_lossy(&answer.body[..200.min(answer.body.len())]);
                assert_eq!(answer.status, 200, "{what}: {said}");
                assert_bare(&what, &answer.body);
                assert!(
                    answer.body == send().body,
                    "{what}: not the same bytes twice"
                );
            }
        }
        let both = server.post(&format!("{BACKGROUND}?output=both"), "image/png", bytes);
        assert_silent("both", &both.body);
        for (name, file) in pictures::unzipped(&both.body) {
            assert_bare(&name, &file);
        }
        let facts = server.post("/v1/inspect", "image/png", bytes);
        assert_silent("inspect", &facts.body);
    }
}

/// Everything in a file that is not needed to read its pixels, by kind: segments of a JPEG and what
/// follows its end, ancillary chunks of a PNG, chunks of a WebP.
fn metadata(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let be = |at: usize| {
        bytes
            .get(at..at + 2)
            .map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])))
    };
    let mut found = Vec::new();
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => {
            let mut at = 2;
            while let (Some(0xff), Some(length)) = (bytes.get(at), be(at + 2)) {
                let marker = bytes[at + 1];
                if marker == 0xda {
                    // Some cameras append a film, a map of gains, a second picture.
                    let end = bytes[at..].windows(2).position(|w| w == [0xff, 0xd9]);
                    let rest = end.map_or(&[][..], |end| &bytes[at + end + 2..]);
                    found.push(("after the end".to_owned(), rest.to_vec()));
                    break;
                }
                let Some(payload) = bytes.get(at + 4..at + 2 + length) else {
                    break;
                };
                let kind = match payload {
                    [b'E', b'x', b'i', b'f', ..] => "EXIF",
                    [b'h', b't', b't', b'p', ..] => "XMP",
                    [b'I', b'C', b'C', ..] => "a profile",
                    [b'P', b'h', b'o', b't', b'o', ..] => "IPTC",
                    _ if marker == 0xfe => "a comment",
                    _ => "other",
                };
                if marker >= 0xe1 {
                    found.push((kind.to_owned(), payload.to_vec()));
                }
                at += 2 + length;
            }
        }
        Ok(ImageFormat::Png) => {
            let mut rest = bytes.get(8..).unwrap_or_default();
            while let Some((length, after)) = rest.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*length) as usize;
                let (Some(kind), Some(data)) = (after.get(..4), after.get(4..4 + length)) else {
                    break;
                };
                // A small first letter: not needed (PNG, section 5.4).
                if kind[0].is_ascii_lowercase() {
                    found.push((String::from_utf8_lossy(kind).into_owned(), data.to_vec()));
                }
                rest = after.get(8 + length..).unwrap_or_default();
            }
        }
        Ok(ImageFormat::WebP) => {
            let mut rest = bytes.get(12..).unwrap_or_default();
            while let (Some(kind), Some(length)) = (rest.get(..4), rest.get(4..8)) {
                let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
                let Some(data) = rest.get(8..8 + length) else {
                    break;
                };
                if [b"EXIF".as_slice(), b"XMP ", b"ICCP"].contains(&kind) {
                    found.push((String::from_utf8_lossy(kind).into_owned(), data.to_vec()));
                }
                rest = rest
                    .get(8 + length.next_multiple_of(2)..)
                    .unwrap_or_default();
            }
        }
        _ => {}
    }
    found
}

/// Pieces of sixteen bytes, with a filter for their first four.
#[derive(Default)]
struct Marks {
    pieces: HashSet<[u8; 16]>,
    starts: HashSet<[u8; 4]>,
}

impl Marks {
    /// Marks of metadata, without those that a picture that has none gives too: tables.
    fn of(metadata: &[(String, Vec<u8>)], common: &[Vec<u8>]) -> Self {
        let mut marks = Self::default();
        for piece in metadata
            .iter()
            .flat_map(|(_, data)| data.as_chunks::<16>().0)
        {
            let mut distinct = piece.to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            if distinct.len() >= 6 {
                marks.pieces.insert(*piece);
            }
        }
        for bytes in common {
            for piece in bytes.windows(16) {
                marks.pieces.remove(piece);
            }
        }
        marks.starts = marks
            .pieces
            .iter()
            .map(|piece| *piece.first_chunk().unwrap())
            .collect();
        marks
    }

    fn found_in(&self, bytes: &[u8]) -> usize {
        let is =
            |w: &&[u8]| self.starts.contains(w.first_chunk().unwrap()) && self.pieces.contains(*w);
        bytes.windows(16).filter(is).count()
    }
}

/// What each picture is sent to: every operation and every format.
const ROUTES: [&str; 8] = [
    "/v1/remove-background?format=png&max_megapixels=0.2",
    "/v1/remove-background?format=jpeg&max_megapixels=0.2",
    "/v1/remove-background?format=webp&max_megapixels=0.2",
    "/v1/remove-background?output=mask&format=png&max_megapixels=0.2",
    "/v1/remove-background?output=both&max_megapixels=0.2",
    "/v1/restore?strength=0&format=png",
    "/v1/restore?strength=0&format=jpeg",
    "/v1/restore?strength=0&format=webp",
];

/// The pictures of the public suites that carry something beside their pixels, without those of
/// which there are many alike.
fn carriers() -> Option<Vec<PathBuf>> {
    let folder = shared("corpus")?;
    let mut found = Vec::new();
    for below in [
        "gps",
        "exif-orientation",
        "image-png",
        "image-rs",
        "image-webp",
    ] {
        let mut folders = vec![folder.join(below)];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)
                .ok()?
                .flatten()
                .map(|entry| entry.path())
            {
                match entry.is_dir() {
                    true => folders.push(entry),
                    false => files.push(entry),
                }
            }
        }
        files.sort();
        files.retain(|file| fs::metadata(file).is_ok_and(|m| m.len() < 1 << 20));
        let carries =
            |file: &PathBuf| fs::read(file).is_ok_and(|bytes| !metadata(&bytes).is_empty());
        let alike = if below == "exif-orientation" { 2 } else { 40 };
        found.extend(files.into_iter().filter(carries).take(alike));
    }
    Some(found)
}

/// E12 on files of cameras, phones and programs: none of what they say of place, time, maker, owner
/// or colour, and no thumbnail, is in any answer.
#[test]
fn an_answer_to_a_photograph_does_not_say_where_it_was_taken() {
    let _alone = alone();
    let Some(files) = carriers() else {
        return skip("E12 on photographs", "../shared/corpus");
    };
    let server = spawn(&[]);
    let plain = pictures::jpeg(400, 300);
    let reference: Vec<Vec<u8>> = ROUTES
        .iter()
        .map(|path| server.post(path, "image/jpeg", &plain).body)
        .collect();
    let kinds = Mutex::new(BTreeMap::<String, usize>::new());
    let (next, answers, marks_sought) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let one = |i: usize, file: &PathBuf| {
        let bytes = fs::read(file).unwrap();
        let metadata = metadata(&bytes);
        let marks = Marks::of(&metadata, &reference);
        // The control: in the picture itself they are found.
        assert!(
            marks.pieces.is_empty() || marks.found_in(&bytes) > 0,
            "{file:?}"
        );
        let routes = if i < 24 { 4 } else { 2 };
        for route in (0..routes).map(|k| ROUTES[(i + k * 3) % ROUTES.len()]) {
            let answer = server.post(route, "image/jpeg", &bytes);
            let what = format!("{} to {route}", file.display());
            assert!(
                matches!(answer.status, 200 | 422),
                "{what}: {}",
                answer.status
            );
            if answer.status != 200 {
                continue;
            }
            answers.fetch_add(1, Ordering::Relaxed);
            marks_sought.fetch_add(marks.pieces.len(), Ordering::Relaxed);
            let parts = match answer.body.starts_with(b"PK") {
                true => pictures::unzipped(&answer.body),
                false => vec![(String::new(), answer.body)],
            };
            for (name, part) in parts {
                assert_bare(&format!("{what} {name}"), &part);
                assert_eq!(
                    marks.found_in(&part),
                    0,
                    "{what} {name}: metadata came through"
                );
            }
            let mut kinds = kinds.lock().unwrap();
            for (kind, _) in &metadata {
                *kinds.entry(kind.clone()).or_default() += 1;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(i) else { break };
                    one(i, file);
                }
            });
        }
    });
    let (answers, sought) = (answers.into_inner(), marks_sought.into_inner());
    let kinds = kinds.into_inner().unwrap();
    println!(
        "{} files, {answers} answers, {sought} marks looked for: {kinds:?}",
        files.len()
    );
    for kind in [
        "EXIF",
        "XMP",
        "a profile",
        "tEXt",
        "zTXt",
        "iTXt",
        "eXIf",
        "after the end",
    ] {
        assert!(kinds.contains_key(kind), "no file with {kind}: {kinds:?}");
    }
    assert!(answers > files.len() && sought > 10_000);
    server.assert_books_balance();
}
