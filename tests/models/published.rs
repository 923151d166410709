//! The contracts of the catalogue's files as their publishers state them: `published.toml`.
#![allow(dead_code, reason = "each test file uses its part of this")]

use safelight::engine::manifest::InputFilter;
use serde::Deserialize;

use crate::common::onnx::{ANY, F16, F32, F64, U8};

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Does {
    Matte,
    Classes,
    Picture,
    Larger,
    Fill,
    Ab,
    Rgb,
    Faces,
    Face,
}

/// Units of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    #[default]
    One,
    Largest,
    Byte,
    Signed,
}

/// How a picture is brought to the input's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    Stretch,
    Corner,
    Short,
    #[default]
    Tile,
}

/// What is done with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    Sigmoid,
    Stretched,
}

/// One row of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    pub models: Vec<String>,
    inputs: Vec<String>,
    outputs: Vec<String>,
    pub answer: String,
    pub does: Does,
    #[serde(default)]
    pub unit: Unit,
    #[serde(default)]
    pub mean: [f32; 3],
    #[serde(default = "ones")]
    pub std: [f32; 3],
    #[serde(default)]
    pub blue_first: bool,
    #[serde(default)]
    pub fit: Fit,
    #[serde(default)]
    pub filter: InputFilter,
    #[serde(default)]
    pub side: u32,
    #[serde(default)]
    pub open: i64,
    #[serde(default)]
    pub times: i64,
    #[serde(default)]
    pub hole: u8,
    #[serde(default)]
    pub after: Vec<After>,
    #[serde(default)]
    pub gives: Unit,
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

/// A name, an element type and a shape.
pub struct Tensor {
    pub name: String,
    pub element: u64,
    pub shape: Vec<i64>,
}

impl Contract {
    /// The inputs of the file.
    pub fn inputs(&self) -> Vec<Tensor> {
        self.inputs.iter().flat_map(|text| tensors(text)).collect()
    }

    /// The outputs of the file.
    pub fn outputs(&self) -> Vec<Tensor> {
        self.outputs.iter().flat_map(|text| tensors(text)).collect()
    }

    /// Width and height of the first input.
    pub fn size(&self) -> u32 {
        let shape = &self.inputs()[0].shape;
        u32::try_from(shape[3]).unwrap_or(self.side)
    }
}

/// Every row.
pub fn contracts() -> Vec<Contract> {
    #[derive(Deserialize)]
    struct Table {
        contract: Vec<Contract>,
    }
    let table: Table = toml::from_str(include_str!("published.toml")).expect("it is well formed");
    table.contract
}

/// `NAME TYPE SHAPE`, and how many of them there are.
fn tensors(text: &str) -> Vec<Tensor> {
    let words: Vec<_> = text.split(' ').collect();
    let element = match words[1] {
        "f32" => F32,
        "f16" => F16,
        "f64" => F64,
        "u8" => U8,
        other => panic!("{other} is no type"),
    };
    let side = |side: &str| match side.parse() {
        Ok(0) => ANY,
        side => side.expect("a side"),
    };
    let shape: Vec<_> = words[2].split('x').map(side).collect();
    let count = words
        .get(3)
        .map(|count| count[1..].parse().expect("a count"));
    (0..count.unwrap_or(1))
        .map(|i| Tensor {
            name: count.map_or_else(|| words[0].to_owned(), |_| format!("{}{i}", words[0])),
            element,
            shape: shape.clone(),
        })
        .collect()
}
