//! Stand-ins for models of the catalogue: the same inputs and outputs, next to nothing between.

use safelight::engine::manifest::{Activation, Colors, Entry, Input, Task};

use crate::common::onnx::{ANY, F16, F32, F64, Onnx, U8};

/// The element type that the file of an entry has, where it is not 32-bit numbers.
fn element(entry: &Entry) -> u64 {
    match entry.name.as_str() {
        "mi-gan" => U8,
        _ => F32,
    }
}

/// A matte that is the red of the picture, as each of so many outputs.
pub fn matte(side: i64, outputs: usize) -> Onnx {
    let mut file = Onnx::default().input("input.1", F32, &[1, 3, side, side]);
    for i in 0..outputs {
        let name = format!("out{i}");
        file = file
            .integers(&format!("start{i}"), &[0])
            .integers(&format!("end{i}"), &[1])
            .integers(&format!("axis{i}"), &[1])
            .node(
                "Slice",
                &[
                    "input.1",
                    &format!("start{i}"),
                    &format!("end{i}"),
                    &format!("axis{i}"),
                ],
                &name,
                &[],
            )
            .output(&name, F32, &[1, 1, side, side]);
    }
    file
}

/// The file of an entry, as its publisher describes it.
pub fn of(entry: &Entry) -> Vec<u8> {
    let side = entry.fixed_side().map_or(ANY, i64::from);
    let element = element(entry);
    let mut file = Onnx::default();
    for input in &entry.inputs {
        file = match input {
            Input::Image => file.input("image", element, &[1, 3, side, side]),
            Input::Subject | Input::ImageMask => {
                file.input("image", element, &[ANY, 4, side, side])
            }
            Input::Mask | Input::Keep => file.input("mask", element, &[1, 1, side, side]),
            Input::Fidelity => file.input("weight", F64, &[1]),
        };
    }
    let of_channel = |file: Onnx, name: &str| {
        file.integers("starts", &[0])
            .integers("ends", &[1])
            .integers("channel", &[1])
            .node("Slice", &["image", "starts", "ends", "channel"], name, &[])
    };
    match entry.task {
        Task::Cutout if entry.activation == Activation::Argmax => of_channel(file, "one")
            .node("Concat", &["image", "one"], "classes", &[("axis", &[1])])
            .output("classes", F32, &[1, 4, side, side])
            .file(),
        // Its answer comes in 16 bits.
        Task::Cutout if entry.name == "ben2" => of_channel(file, "one")
            .node("Cast", &["one"], "alphas", &[("to", &[F16 as i64])])
            .output("alphas", F16, &[1, 1, side, side])
            .file(),
        Task::Cutout | Task::Scratch => of_channel(file, "alphas")
            .output("alphas", F32, &[1, 1, side, side])
            .file(),
        Task::Upscale => {
            let larger = file.repeated("image", i64::from(entry.factor), "large");
            larger.output("large", F32, &[1, 3, ANY, ANY]).file()
        }
        Task::Colorize if entry.colors == Colors::Ab => file
            .integers("starts", &[0])
            .integers("ends", &[2])
            .integers("channel", &[1])
            .node("Slice", &["image", "starts", "ends", "channel"], "ab", &[])
            .output("ab", F32, &[1, 2, side, side])
            .file(),
        Task::FaceDetect => {
            let cells = [6400, 1600, 400];
            for (kind, width) in [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)] {
                for (stride, cells) in [8, 16, 32].into_iter().zip(cells) {
                    let name = format!("{kind}_{stride}");
                    let zeros = vec![0.0; cells * width];
                    let shape = [1, cells as i64, width as i64];
                    let constant = format!("{name}_values");
                    file = file
                        .floats(&constant, &shape, &zeros)
                        .node("Identity", &[&constant], &name, &[])
                        .output(&name, F32, &shape);
                }
            }
            file.file()
        }
        _ => {
            let shape = [1, 3, side, side];
            // Every input must lead somewhere.
            let output = match (entry.inputs.len(), entry.inputs[0]) {
                (1, Input::ImageMask) => file
                    .integers("starts", &[0])
                    .integers("ends", &[3])
                    .integers("channel", &[1])
                    .node(
                        "Slice",
                        &["image", "starts", "ends", "channel"],
                        "whole",
                        &[],
                    ),
                _ => file.node("Identity", &["image"], "whole", &[]),
            };
            output.output("whole", element, &shape).file()
        }
    }
}
