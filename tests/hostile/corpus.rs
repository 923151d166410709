//! The odd, broken and hostile files of public test suites, where they are beside the project.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    CUT, DECODE, answered, assert_unharmed,
    common::{pictures, shared, spawn},
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

#[test]
fn public_suites_of_odd_and_hostile_files_get_a_picture_or_4xx() {
    let Some(folder) = shared("corpus") else {
        // Those who have only the project cannot get these files: this is no failure for them.
        println!("skipped: needs ../shared/corpus");
        return;
    };
    let rows = rows(&fs::read_to_string(folder.join("MANIFEST.csv")).unwrap());
    assert!(rows.len() > 1000, "only {} rows", rows.len());
    let server = spawn(&["--formats=jpeg,png,webp,gif,bmp,tiff"]);
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let statuses = Mutex::new(BTreeMap::new());
    let one = |row: &[String]| {
        let [path, _, format, class, _] = row else {
            panic!("five fields: {row:?}");
        };
        let Ok(bytes) = fs::read(folder.join(path)) else {
            panic!("{path} is in the list and not in the folder");
        };
        if bytes.is_empty() {
            return;
        }
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
            "invalid" if format == "-" => status == 415,
            _ => true,
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
    println!("{:#?}", statuses.into_inner().unwrap());
    assert!(
        wrong.is_empty(),
        "{} files:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_unharmed(&server);
}
