//! Stand-ins for models of the catalogue: files with the inputs and outputs that their publishers
//! state, which undo what is to be done to a picture before, so that their answer tells it apart.
#![allow(dead_code, reason = "each test file uses its part of this")]

use super::published::{After, Contract, Does, Unit};
use crate::common::onnx::{ANY, F32, Onnx};

/// How the colours go round in the answer of a net that gives pictures: green, blue, red.
pub const TURN: [[f32; 3]; 3] = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]];
/// The shares of red, green and blue in a matte, and the grey at which it is 0.
pub const MATTE: ([f32; 3], f32) = ([0.5, 0.3, 0.2], 0.5);
/// Logits are so many times the matte, less 2.
pub const STEEP: f32 = 20.0;
/// The level of the first of the classes; the others are red, green and blue.
pub const GROUND: f32 = 0.3;
/// The planes a and b of a white picture.
pub const AB: [f32; 2] = [80.0, -40.0];
/// What comes out beside a picture.
pub const NUMBER: f32 = 0.5;
/// The colour of a white picture.
pub const TINT: [f32; 3] = [1.0, 0.5, 0.5];

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

/// The file of a model.
pub fn of(contract: &Contract) -> Vec<u8> {
    let mut file = Onnx::default();
    for (i, input) in contract.inputs().iter().enumerate() {
        let number = format!("in{i}");
        file = file.input(&input.name, input.element, &input.shape).node(
            "Cast",
            &[&input.name],
            &number,
            &[("to", &[F32 as i64])],
        );
    }
    // Fails on any other size.
    if contract.open > 1 {
        let block = [contract.open];
        file = file
            .node("SpaceToDepth", &["in0"], "blocks", &[("blocksize", &block)])
            .node(
                "DepthToSpace",
                &["blocks"],
                "even",
                &[("blocksize", &block)],
            );
    } else {
        file = file.node("Identity", &["in0"], "even", &[]);
    }
    file = match contract.does {
        Does::Matte => a_matte(file, contract),
        Does::Classes => {
            let mut rows = vec![[0.0; 3]];
            rows.extend([0, 1, 2].map(|c| [0, 1, 2].map(|k| f32::from(u8::from(c == k)))));
            mixed(file, contract, &rows, &[GROUND, 0.0, 0.0, 0.0], "found")
        }
        Does::Picture => {
            let file = mixed(file, contract, &TURN, &[0.0; 3], "turned");
            match contract.inputs().len() {
                1 => file.node("Identity", &["turned"], "found", &[]),
                // Right where the number that comes out beside the picture went in again.
                _ => file
                    .floats("of_number", &[1], &[1.0 / NUMBER])
                    .node("Mul", &["turned", "in1"], "by_number", &[])
                    .node("Mul", &["by_number", "of_number"], "found", &[]),
            }
        }
        Does::Larger => mixed(file, contract, &TURN, &[0.0; 3], "turned").repeated(
            "turned",
            contract.times,
            "found",
        ),
        Does::Fill => a_filling(file, contract),
        // All channels are the same.
        Does::Ab => {
            let rows = AB.map(|v| [v, 0.0, 0.0]);
            mixed(file, contract, &rows, &[0.0; 2], "found")
        }
        Does::Rgb => {
            let rows = TINT.map(|v| [v, 0.0, 0.0]);
            mixed(file, contract, &rows, &[0.0; 3], "found")
        }
        Does::Faces => return faces(file, contract),
        Does::Face => {
            let file = mixed(file, contract, &TURN, &[0.0; 3], "turned");
            match contract.inputs().len() {
                1 => file.node("Identity", &["turned"], "found", &[]),
                _ => file.node("Mul", &["turned", "in1"], "found", &[]),
            }
        }
    };
    let (times, more) = match contract.gives {
        Unit::Byte => (255.0, 0.0),
        Unit::Signed => (2.0, -1.0),
        Unit::One | Unit::Largest => (1.0, 0.0),
    };
    file = file
        .floats("times", &[1], &[times])
        .floats("beyond", &[1], &[more])
        .node("Mul", &["found", "times"], "long", &[])
        .node("Add", &["long", "beyond"], "answer_values", &[]);
    outputs(file, contract).file()
}

/// The outputs: the answer, and others that are nothing like it.
fn outputs(mut file: Onnx, contract: &Contract) -> Onnx {
    file = file.floats("nothing", &[1], &[0.0]);
    file = file.floats("number", &[1, 1], &[NUMBER]);
    for output in contract.outputs() {
        let values = format!("{}_values", output.name);
        let from = if output.name == contract.answer {
            "answer_values"
        } else if output.shape.len() == 2 {
            "number"
        } else {
            file = file.node("Mul", &["answer_values", "nothing"], &values, &[]);
            &values
        };
        let element = output.element as i64;
        file = file
            .node("Cast", &[from], &output.name, &[("to", &[element])])
            .output(&output.name, output.element, &output.shape);
    }
    file
}

/// Sums of red, green and blue (0 to 1, as they are in the picture), one plane for each row.
fn mixed(file: Onnx, contract: &Contract, rows: &[[f32; 3]], shift: &[f32], to: &str) -> Onnx {
    let unit = if contract.unit == Unit::Byte {
        255.0
    } else {
        1.0
    };
    let (mut weights, mut biases) = (Vec::new(), Vec::new());
    for (row, shift) in rows.iter().zip(shift) {
        let mut bias = *shift;
        for plane in 0..3 {
            let color = if contract.blue_first {
                2 - plane
            } else {
                plane
            };
            weights.push(row[color] * contract.std[plane] / unit);
            bias += row[color] * contract.mean[plane] / unit;
        }
        biases.push(bias);
    }
    let n = rows.len() as i64;
    file.floats(&format!("{to}_weights"), &[n, 3, 1, 1], &weights)
        .floats(&format!("{to}_bias"), &[n], &biases)
        .node(
            "Conv",
            &["even", &format!("{to}_weights"), &format!("{to}_bias")],
            to,
            &[],
        )
}

/// How far a pixel is from one grey: a wrong mean, scale or order of colours moves its zero.
fn a_matte(file: Onnx, contract: &Contract) -> Onnx {
    let mut file = mixed(file, contract, &[MATTE.0], &[-MATTE.1], "apart").node(
        "Abs",
        &["apart"],
        "distance",
        &[],
    );
    let (size, given) = (contract.size(), contract.outputs()[0].shape[3]);
    let mut last = "distance";
    if given != ANY && i64::from(size) != given {
        let scale = given as f32 / size as f32;
        file = file.floats("scales", &[4], &[1.0, 1.0, scale, scale]).node(
            "Resize",
            &[last, "", "scales"],
            "smaller",
            &[],
        );
        last = "smaller";
    }
    // Where the answer is stretched its unit is free: steep, so that a curve after it shows.
    let after = |after| contract.after.contains(&after);
    let (steep, less) = match (after(After::Sigmoid), after(After::Stretched)) {
        (true, _) => (STEEP, -2.0),
        (false, true) => (STEEP, 0.0),
        (false, false) => (1.0, 0.0),
    };
    file.floats("steep", &[1], &[steep])
        .floats("less", &[1], &[less])
        .node("Mul", &[last, "steep"], "steeper", &[])
        .node("Add", &["steeper", "less"], "found", &[])
}

/// Holes get the turned colour of what is around them.
fn a_filling(file: Onnx, contract: &Contract) -> Onnx {
    let (times, more) = match contract.hole {
        0 => (-1.0 / 255.0, 1.0),
        _ => (1.0, 0.0),
    };
    mixed(file, contract, &TURN, &[0.0; 3], "turned")
        .node("ReduceMax", &["turned"], "colour", &[("axes", &[2, 3])])
        .floats("hole_times", &[1], &[times])
        .floats("hole_more", &[1], &[more])
        .node("Mul", &["in1", "hole_times"], "opened", &[])
        .node("Add", &["opened", "hole_more"], "hole", &[])
        .node("Mul", &["hole", "colour"], "found", &[])
}

/// Where the template of FFHQ has the points of a face, as shares of its side.
const FACE: [f32; 10] = [
    0.3769, 0.4686, 0.6229, 0.4691, 0.5012, 0.6133, 0.3931, 0.7254, 0.6115, 0.7249,
];

/// A face wherever a cell of 32 pixels is blue; its points in a square of 200 from there on.
fn faces(file: Onnx, contract: &Contract) -> Vec<u8> {
    let mut file = mixed(file, contract, &[[0.0, 0.0, 1.0]], &[0.0], "blue")
        .node(
            "AveragePool",
            &["blue"],
            "cells",
            &[("kernel_shape", &[32, 32]), ("strides", &[32, 32])],
        )
        .integers("flat", &[1, 400, 1])
        .node("Reshape", &["cells", "flat"], "answer_values", &[]);
    for output in contract.outputs() {
        let values = format!("{}_values", output.name);
        if output.name == contract.answer {
            file = file.node("Identity", &["answer_values"], &output.name, &[]);
        } else {
            let cells = output.shape[1] as usize;
            let cell = match output.name.split('_').next() {
                Some("obj") => vec![1.0],
                Some("kps") => FACE.map(|v| v * 200.0 / 32.0).to_vec(),
                _ => vec![0.0; output.shape[2] as usize],
            };
            file = file
                .floats(&values, &output.shape, &cell.repeat(cells))
                .node("Identity", &[&values], &output.name, &[]);
        }
        file = file.output(&output.name, output.element, &output.shape);
    }
    file.file()
}
