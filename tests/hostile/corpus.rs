//! The odd, broken and hostile files of public test suites, where they are beside the project.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    ALL, CUT, DECODE, answered, assert_unharmed,
    common::{faults::status_kib, pictures, shared, skip, spawn},
};

/// The rows of a CSV file (RFC 4180) of which no field holds a line break.
fn rows(text: &str) -> Vec<Vec<String>> {
    let row = |line: &str| {
        let (mut fields, mut quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                c => fields.last_mut().unwrap().push(c),
            }
        }
        fields
    };
    text.lines().skip(1).map(row).collect()
}

/// The folder and the rows of its list: path, bytes, format, class, what is expected.
fn listed() -> Option<(PathBuf, Vec<Vec<String>>)> {
    let Some(folder) = shared("corpus") else {
        skip("E15 and E16 on public suites", "../shared/corpus");
        return None;
    };
    let rows = rows(&fs::read_to_string(folder.join("MANIFEST.csv")).unwrap());
    assert!(rows.len() > 1000, "only {} rows", rows.len());
    Some((folder, rows))
}

#[test]
fn public_suites_of_odd_and_hostile_files_get_a_picture_or_4xx() {
    let Some((folder, rows)) = listed() else {
        return;
    };
    let server = spawn(&[ALL]);
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let statuses = Mutex::new(BTreeMap::new());
    let one = |row: &[String]| {
        let [path, _, format, class, _] = row else {
            panic!("five fields: {row:?}");
        };
        let Ok(bytes) = fs::read(folder.join(path)) else {
            panic!("{path} is in the list and not in the folder");
        };
        // What a person would send takes the whole way; the rest is about decoding.
        let route = if class == "valid" { CUT } else { DECODE };
        let answer = answered(&server, route, path, &bytes);
        let status = answer.status;
        if class == "valid" && status == 200 {
            let side = |name| answer.header(name).unwrap().parse().unwrap();
            let size: (u32, u32) = (side("x-image-width"), side("x-image-height"));
            // The size in the file's head, on its side where the orientation says so.
            let (width, height) = pictures::stored_size(&bytes).expect("a size");
            let turned = path.starts_with("exif-orientation") || path.starts_with("gps");
            if size != (width, height) && !(turned && size == (height, width)) {
                let line = format!("{path}: {size:?} of {width} x {height}");
                wrong.lock().unwrap().push(line);
            }
        }
        *statuses
            .lock()
            .unwrap()
            .entry((class.clone(), status))
            .or_insert(0) += 1;
        let expected = match class.as_str() {
            "valid" => status == 200,
            "invalid" if format == "-" => status == 415 || bytes.is_empty() && status == 400,
            "invalid" => status != 200,
            // From fuzzers, or such that decoders differ: a picture or an error.
            "hostile" | "valid-disputed" => true,
            other => panic!("{path}: no class {other}"),
        };
        if !expected {
            wrong
                .lock()
                .unwrap()
                .push(format!("{path} ({format}, {class}): {status}"));
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    one(row);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    let statuses = statuses.into_inner().unwrap();
    println!("{statuses:#?}");
    assert_eq!(statuses.values().sum::<usize>(), rows.len(), "every file");
    assert!(
        wrong.is_empty(),
        "{} files:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_unharmed(&server);
}

/// E15: what a hostile file costs is bounded by the pixels that it announces, and a picture of a
/// few pixels costs next to nothing, whatever else is in the file.
#[test]
#[cfg(target_os = "linux")]
fn hostile_files_cost_no_more_than_their_pixels() {
    let Some((folder, rows)) = listed() else {
        return;
    };
    let server = spawn(&[ALL, "--workers=1"]);
    let pid = server.pid();
    // The peak of memory can be set back by root only.
    let reset = || fs::write(format!("/proc/{pid}/clear_refs"), "5").is_ok();
    if !reset() {
        return skip(
            "E15 on public suites",
            "root, to set the peak of memory back",
        );
    }
    let ticks = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // User and system time, 100 to the second (proc_pid_stat(5)), after the name in brackets.
        let words = stat.rsplit(')').next().unwrap().split_whitespace();
        words
            .skip(11)
            .take(2)
            .map(|t| t.parse::<u64>().unwrap())
            .sum()
    };
    let (mut tried, mut most, mut slowest) = (0, (0, String::new()), (0, String::new()));
    let mut wrong = Vec::new();
    for row in rows.iter().filter(|row| row[3] == "hostile") {
        let path = &row[0];
        let bytes = fs::read(folder.join(path)).unwrap();
        reset();
        let before = (status_kib(pid, "VmRSS"), ticks());
        let _ = answered(&server, DECODE, path, &bytes);
        let grown = status_kib(pid, "VmHWM").saturating_sub(before.0);
        let spent = ticks() - before.1;
        tried += 1;
        let (width, height) = pictures::stored_size(&bytes).unwrap_or_default();
        // What is beyond the limits is refused and must cost nothing.
        let pixels = u64::from(width) * u64::from(height);
        let pixels = if pixels > 50_000_000 { 0 } else { pixels };
        // 16 bits a sample, four samples, decoded and again as what is answered.
        if grown > (64 << 10) + pixels * 24 / 1024 {
            wrong.push(format!("{path}: {grown} KiB for {width} x {height}"));
        }
        // Ten times the contract's 250 ms, and ten seconds for what takes the service a second.
        if spent > 250 + pixels / 10_000 {
            wrong.push(format!("{path}: {spent} ticks for {width} x {height}"));
        }
        most = most.max((grown, path.clone()));
        slowest = slowest.max((spent, path.clone()));
    }
    println!("{tried} files; most: {most:?} KiB; slowest: {slowest:?} hundredths of a second");
    assert!(tried > 1000, "{tried}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_unharmed(&server);
}
