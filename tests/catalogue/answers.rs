//! Every model of the catalogue, by its entry, on files that are what their publishers state: the
//! right numbers go in, and the right output counts, read as it is meant.

use std::{collections::BTreeSet, sync::Arc};

use safelight::{
    cancel::Cancel,
    config::{Device, EngineSettings, Settings},
    engine::{
        Engine, Loading,
        catalogue::catalogue,
        manifest::{Entry, Task},
    },
    frame::{Frame, Layout, Mask},
    observe::Metrics,
};

use crate::{
    common::{Folder, skip},
    published::{After, Contract, Does, Fit, Unit, contracts},
    standins::{self, AB, GROUND, MATTE, STEEP, TINT},
};

/// The entries of the catalogue that have a file of somebody else's.
fn entries() -> Vec<Entry> {
    let all = catalogue().into_iter();
    all.filter(|entry| !entry.built_in).collect()
}

#[test]
fn every_model_of_the_catalogue_has_a_published_contract() {
    let rows = contracts();
    let mut named = BTreeSet::new();
    for name in rows.iter().flat_map(|row| &row.models) {
        assert!(named.insert(name.as_str()), "{name} is there twice");
    }
    let entries = entries();
    let known: BTreeSet<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(named, known, "published.toml, and models/manifest.toml");
}

/// What is written down of the files elsewhere than in the manifest: digests and sizes of each.
#[test]
fn every_file_of_the_catalogue_is_the_one_that_was_looked_up() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/docs/PEERS.md");
    let Ok(text) = std::fs::read_to_string(path) else {
        return skip("every_file_of_the_catalogue", "../shared/docs/PEERS.md");
    };
    // Digits are in groups there, apart by spaces of several kinds.
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    for entry in entries() {
        let (name, bytes) = (&entry.name, entry.bytes.to_string());
        assert!(text.contains(&entry.sha256), "{name}: {}", entry.sha256);
        assert!(entry.bytes == 0 || text.contains(&bytes), "{name}: {bytes}");
        for url in &entry.urls {
            let file = url.rsplit('/').next().unwrap();
            assert!(file.ends_with(".onnx"), "{name}: {url}");
        }
    }
}

#[test]
fn every_entry_of_the_catalogue_fits_what_its_publisher_states() {
    let folder = Folder::new("models");
    let rows = contracts();
    let mut settings = EngineSettings {
        workers: Some(1),
        device: Device::Cpu,
        ..Settings::default().engine
    };
    for row in &rows {
        let file = standins::of(row);
        for name in &row.models {
            let file = folder.write(&format!("{name}.onnx"), &file);
            settings
                .models
                .model
                .push(format!("{name}={file}").parse().unwrap());
            settings.models.accept_license.push(name.clone());
        }
    }
    let metrics = Arc::new(Metrics::new("test"));
    // All of them are held against their entries here; a process has one ONNX Runtime.
    let engine = Engine::open(&settings, metrics, Loading::OnDemand).unwrap();
    let entries = entries();
    let mut wrong = Vec::new();
    for row in &rows {
        for name in &row.models {
            let entry = entries.iter().find(|entry| entry.name == *name).unwrap();
            if entry.filter != row.filter {
                wrong.push(format!("{name}: the filter is {:?}", row.filter));
            }
            if let Err(why) = answered(&engine, entry, row) {
                wrong.push(format!("{name}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs a model, and compares what it gives with what the row says.
fn answered(engine: &Engine, entry: &Entry, row: &Contract) -> Result<(), String> {
    let (name, cancel) = (Some(entry.name.as_str()), &Cancel::new());
    let failed = |e: safelight::error::Error| e.to_string();
    let color = Frame::filled(300, 210, Layout::Rgb, [200, 100, 40, 0]);
    // As the stand-ins turn colours.
    let turned = [100, 40, 200];
    let is = |frame: &Frame, pixel: [u8; 3]| match near(frame.row(100)[450..453].iter(), &pixel) {
        true => Ok(()),
        false => Err(format!("{:?}, not {pixel:?}", &frame.row(100)[450..453])),
    };
    match row.does {
        Does::Matte | Does::Classes => {
            let (frame, samples) = slope(row);
            let matte = engine.matte(name, &frame, cancel).map_err(failed)?;
            compared(&matte, &samples, row)?;
            if row.fit == Fit::Short {
                // The longer side is no multiple of anything.
                let odd = Frame::filled(700, 530, Layout::Rgb, [200, 100, 40, 0]);
                let matte = engine.matte(name, &odd, cancel).map_err(failed)?;
                if matte.height() != row.side {
                    return Err(format!("{} x {}", matte.width(), matte.height()));
                }
            }
            Ok(())
        }
        Does::Picture => {
            let task = if entry.task == Task::Deblur {
                Task::Deblur
            } else {
                Task::Restore
            };
            let out = engine.restore(task, name, color, 1.0, cancel);
            is(&out.map_err(failed)?, turned)
        }
        Does::Larger => {
            let factor = row.times as u32;
            let out = engine
                .upscale(name, &color, factor, cancel)
                .map_err(failed)?;
            if (out.width(), out.height()) != (300 * factor, 210 * factor) {
                return Err(format!("{} x {}", out.width(), out.height()));
            }
            is(&out, turned)
        }
        Does::Fill => {
            let mut holes = Mask::new(300, 210, vec![0; color.pixels()]);
            for y in 90..110 {
                holes.data_mut()[y * 300 + 140..][..20].fill(255);
            }
            let out = engine.inpaint(name, color, holes, cancel).map_err(failed)?;
            is(&out, turned)?;
            match near(out.row(80)[450..453].iter(), &[200, 100, 40]) {
                true => Ok(()),
                false => Err("what is sound changes".to_owned()),
            }
        }
        Does::Ab | Does::Rgb => {
            let grey = Frame::filled(300, 210, Layout::Rgb, [128; 4]);
            let out = engine.colorize(name, grey, cancel).map_err(failed)?;
            let pixel = &out.row(100)[450..453];
            let found = lab([pixel[0], pixel[1], pixel[2]].map(f64::from));
            let white = 128.0 / 255.0;
            let (a, b) = match row.does {
                Does::Ab => (f64::from(AB[0]) * white, f64::from(AB[1]) * white),
                _ => {
                    let [_, a, b] = lab(TINT.map(|v| f64::from(v) * 128.0));
                    (a, b)
                }
            };
            let expected = [lab([128.0; 3])[0], a, b];
            let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
            match apart.fold(0.0, f64::max) < 2.0 {
                true => Ok(()),
                false => Err(format!("{found:?}, not {expected:?}")),
            }
        }
        Does::Faces => {
            let faces = engine.faces(name, &blue_cell(), cancel).map_err(failed)?;
            let places: Vec<_> = faces
                .iter()
                .map(|f| [f.x, f.y, f.width, f.height])
                .collect();
            match places == [[144.0, 80.0, 32.0, 32.0]] {
                true => Ok(()),
                false => Err(format!("{places:?}")),
            }
        }
        Does::Face => {
            // In a square of 200 pixels at the lower right of the cell.
            let faces = engine
                .faces(Some("yunet"), &blue_cell(), cancel)
                .map_err(failed)?;
            let frame = Frame::filled(640, 320, Layout::Rgb, [200, 100, 40, 0]);
            let out = engine
                .restore_faces(name, frame, &faces, 1.0, cancel)
                .map_err(failed)?;
            let weight = if row.inputs().len() > 1 {
                entry.fidelity
            } else {
                1.0
            };
            let expected = turned.map(|v: u8| (f32::from(v) * weight).round() as u8);
            let pixel = &out.row(96 + 100)[(160 + 100) * 3..][..3];
            match near(pixel.iter(), &expected) {
                true => Ok(()),
                false => Err(format!("{pixel:?}, not {expected:?}")),
            }
        }
    }
}

/// A blue cell of 32 pixels in the sixth column and the fourth row, and a red one.
fn blue_cell() -> Frame {
    let mut frame = Frame::filled(640, 320, Layout::Rgb, [0; 4]);
    for y in 96..128 {
        for (x, c) in [(160, 2), (320, 0)] {
            let pixels = &mut frame.data_mut()[(y * 640 + x) * 3..][..96];
            pixels.iter_mut().skip(c).step_by(3).for_each(|v| *v = 255);
        }
    }
    frame
}

fn near<'a>(found: impl Iterator<Item = &'a u8>, expected: &[u8]) -> bool {
    found.zip(expected).all(|(a, b)| a.abs_diff(*b) <= 2)
}

/// A picture that changes from left to right alone, twice as wide as high, and its columns. It is
/// never white: what a picture is divided by shows.
fn slope(row: &Contract) -> (Frame, Vec<[u8; 3]>) {
    let side = row.size();
    let (width, height) = match row.fit {
        Fit::Short => (2 * side, side),
        _ => (side, side / 2),
    };
    let column = |x: u32| {
        let v = (204 * x / (width - 1)) as u8;
        [v, 204 - v / 2, 60]
    };
    let columns: Vec<_> = (0..width).map(column).collect();
    let data = columns.concat().repeat(height as usize);
    (Frame::new(width, height, Layout::Rgb, data), columns)
}

/// Holds the matte of that picture against what the row makes of each column.
fn compared(matte: &Mask, columns: &[[u8; 3]], row: &Contract) -> Result<(), String> {
    let out = row.outputs();
    let answer = out.iter().find(|out| out.name == row.answer).unwrap();
    let side = u32::try_from(answer.shape[3]).unwrap_or(row.size());
    let shape = match row.fit {
        Fit::Short => (2 * side, side),
        Fit::Corner => (side, side / 2),
        Fit::Stretch | Fit::Tile => (side, side),
    };
    if (matte.width(), matte.height()) != shape {
        return Err(format!(
            "{} x {}, not {shape:?}",
            matte.width(),
            matte.height()
        ));
    }
    let unit = match row.unit {
        Unit::Largest => 204.0,
        _ => 255.0,
    };
    let value = |pixel: &[u8; 3]| {
        let [r, g, b] = pixel.map(|v| f32::from(v) / unit);
        if row.does == Does::Classes {
            return f32::from(u8::from(r.max(g).max(b) > GROUND));
        }
        let ([red, green, blue], zero) = MATTE;
        let v = (red * r + green * g + blue * b - zero).abs();
        match row.after.contains(&After::Sigmoid) {
            true => 1.0 / (1.0 + (2.0 - STEEP * v).exp()),
            false => v,
        }
    };
    let values: Vec<_> = columns.iter().map(value).collect();
    let (low, high) = match row.after.contains(&After::Stretched) {
        true => (
            values.iter().copied().fold(f32::INFINITY, f32::min),
            values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        ),
        false => (0.0, 1.0),
    };
    let found = matte.row(shape.1 / 3);
    for (x, found) in found.iter().enumerate() {
        let at = x * columns.len() / shape.0 as usize;
        let expected = ((values[at] - low) / (high - low) * 255.0).round() as u8;
        if found.abs_diff(expected) > 3 {
            return Err(format!("{found} in column {x}, not {expected}"));
        }
    }
    Ok(())
}

/// CIE Lab (D65) of a pixel of sRGB, 0 to 255.
fn lab(pixel: [f64; 3]) -> [f64; 3] {
    let [r, g, b] = pixel.map(|v| match v / 255.0 {
        v if v <= 0.040_45 => v / 12.92,
        v => ((v + 0.055) / 1.055).powf(2.4),
    });
    let xyz = [
        (0.412_456 * r + 0.357_576 * g + 0.180_437 * b) / 0.950_47,
        0.212_673 * r + 0.715_152 * g + 0.072_175 * b,
        (0.019_334 * r + 0.119_192 * g + 0.950_304 * b) / 1.088_83,
    ];
    let [x, y, z] = xyz.map(|v| match v > 216.0 / 24_389.0 {
        true => v.cbrt(),
        false => (24_389.0 / 27.0 * v + 16.0) / 116.0,
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}
