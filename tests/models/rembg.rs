//! The same network gives the same matte here and in rembg.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use safelight::{
    cancel::Cancel,
    config::{Device, EngineSettings, Settings},
    engine::{Engine, Loading},
    frame::{Frame, Layout},
    observe::Metrics,
};

use super::{
    Folder,
    common::{pictures, python_tool, shared, skip},
    run,
};

/// What rembg does with a picture, in its own libraries: Pillow and ONNX Runtime's own package.
/// Writes the picture without loss, and the mask before and after it grows to the picture's size.
const REMBG: &str = r#"
import sys
import numpy, onnxruntime
from PIL import Image
model, source, picture, mask, whole = sys.argv[1:]
image = Image.open(source).convert("RGB")
image.save(picture)
small = numpy.array(image.resize((320, 320), Image.Resampling.LANCZOS))
small = small / max(numpy.max(small), 1e-6)
planes = (small - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
planes = planes.transpose(2, 0, 1)[None].astype(numpy.float32)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
found = session.run(None, {session.get_inputs()[0].name: planes})[0][:, 0, :, :]
found = (found - found.min()) / (found.max() - found.min())
found = Image.fromarray((found[0].clip(0, 1) * 255).astype("uint8"), mode="L")
found.save(mask)
found.resize(image.size, Image.Resampling.LANCZOS).save(whole)
"#;

#[test]
fn u2netp_gives_the_mask_that_rembg_gives() {
    const TEST: &str = "u2netp_gives_the_mask_that_rembg_gives";
    let (Some(model), Some(photos)) = (shared("models/u2netp.onnx"), shared("data/eval/people"))
    else {
        return skip(TEST, "../shared");
    };
    let Some(python) = python_tool("python") else {
        return skip(TEST, "Python with onnxruntime");
    };
    let mut probe = Command::new(&python);
    let probe = probe
        .args(["-c", "import onnxruntime, numpy, PIL"])
        .stderr(Stdio::null());
    if !probe.status().is_ok_and(|status| status.success()) {
        return skip(TEST, "Python with onnxruntime");
    }
    let mut settings = EngineSettings {
        workers: Some(1),
        device: Device::Cpu,
        ..Settings::default().engine
    };
    settings.models.model = vec![format!("u2netp={}", model.display()).parse().unwrap()];
    let metrics = Arc::new(Metrics::new("test"));
    let engine = Engine::open(&settings, metrics, Loading::OnDemand).unwrap();
    let folder = Folder::new("models");
    for photo in ["0001.jpg", "0002.jpg", "0003.jpg"] {
        let [picture, mask, whole, ours] =
            ["picture.png", "mask.png", "whole.png", "ours.png"].map(|name| folder.path(name));
        let mut python = Command::new(&python);
        let source = photos.join(photo);
        python
            .args(["-c", REMBG])
            .args([&model, &source])
            .args([&picture, &mask, &whole]);
        assert!(python.status().unwrap().success());
        let theirs = pictures::decoded(&std::fs::read(&mask).unwrap()).to_luma8();
        let frame = frame(picture.as_ref());
        let matte = engine
            .matte(Some("u2netp"), &frame, &Cancel::new())
            .unwrap();
        assert_eq!((matte.width(), matte.height()), (320, 320));
        let found = theirs.as_raw().iter().filter(|v| **v > 200).count();
        assert!(found > 1000, "{photo}: there is somebody in it");
        assert_same(&format!("{photo} at 320 x 320"), matte.data(), &theirs);

        // And what a person gets who asks for the mask as the model gives it.
        let file = format!("--model=u2netp={}", model.display());
        let ran = run(&[
            ["remove-background", &picture, "-o", &ours].as_slice(),
            &["--output=mask", "--refine=false", "--force", "--device=cpu"],
            &["--model=u2netp", &file],
        ]
        .concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let [ours, theirs] =
            [ours, whole].map(|file| pictures::decoded(&std::fs::read(file).unwrap()).to_luma8());
        assert_eq!(ours.dimensions(), theirs.dimensions());
        assert_same(&format!("{photo} at its size"), ours.as_raw(), &theirs);
    }
}

#[track_caller]
fn assert_same(what: &str, ours: &[u8], theirs: &image::GrayImage) {
    let pairs = ours.iter().zip(theirs.as_raw());
    let worst = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(worst <= 2, "{what}: {worst}/255");
}

fn frame(file: &Path) -> Frame {
    let picture = pictures::decoded(&std::fs::read(file).unwrap()).to_rgb8();
    Frame::new(
        picture.width(),
        picture.height(),
        Layout::Rgb,
        picture.into_raw(),
    )
}
