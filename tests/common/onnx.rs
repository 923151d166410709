//! Small ONNX files, written field by field (the messages of `onnx.proto3`): stand-ins with the
//! inputs and outputs of models that are too large, or not free enough, to be in a test.

/// Element types, by their numbers in `TensorProto.DataType`.
pub const F32: u64 = 1;
pub const U8: u64 = 2;
pub const I64: u64 = 7;
pub const F16: u64 = 10;
pub const F64: u64 = 11;

/// A side that a file leaves open.
pub const ANY: i64 = -1;

/// A graph in the making.
#[derive(Default, Clone)]
pub struct Onnx {
    graph: Vec<u8>,
    names: u32,
}

impl Onnx {
    /// An input of an element type and a shape.
    pub fn input(mut self, name: &str, element: u64, shape: &[i64]) -> Self {
        let value = value_info(name, element, shape);
        message(&mut self.graph, 11, &value);
        self
    }

    /// An output of an element type and a shape.
    pub fn output(mut self, name: &str, element: u64, shape: &[i64]) -> Self {
        let value = value_info(name, element, shape);
        message(&mut self.graph, 12, &value);
        self
    }

    /// A constant of 32-bit numbers.
    pub fn floats(self, name: &str, shape: &[i64], values: &[f32]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, F32, shape, &raw)
    }

    /// A constant of integers.
    pub fn integers(self, name: &str, values: &[i64]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, I64, &[values.len() as i64], &raw)
    }

    fn constant(mut self, name: &str, element: u64, shape: &[i64], raw: &[u8]) -> Self {
        let mut tensor = Vec::new();
        for &side in shape {
            number(&mut tensor, 1, side as u64);
        }
        number(&mut tensor, 2, element);
        message(&mut tensor, 8, name.as_bytes());
        message(&mut tensor, 9, raw);
        message(&mut self.graph, 5, &tensor);
        self
    }

    /// Each pixel of a picture `factor` times in both directions.
    pub fn repeated(self, picture: &str, factor: i64, output: &str) -> Self {
        let copies = vec![picture; (factor * factor) as usize];
        self.node("Concat", &copies, "deep", &[("axis", &[1])])
            .node(
                "DepthToSpace",
                &["deep"],
                output,
                &[("blocksize", &[factor])],
            )
    }

    /// A node with integer attributes; those with one value are scalars.
    pub fn node(
        mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, &[i64])],
    ) -> Self {
        let mut node = Vec::new();
        for input in inputs {
            message(&mut node, 1, input.as_bytes());
        }
        message(&mut node, 2, output.as_bytes());
        self.names += 1;
        message(&mut node, 3, format!("node{}", self.names).as_bytes());
        message(&mut node, 4, operator.as_bytes());
        for (name, values) in attributes {
            let mut attribute = Vec::new();
            message(&mut attribute, 1, name.as_bytes());
            match values {
                [value] => {
                    number(&mut attribute, 3, *value as u64);
                    number(&mut attribute, 20, 2);
                }
                _ => {
                    for &value in *values {
                        number(&mut attribute, 8, value as u64);
                    }
                    number(&mut attribute, 20, 7);
                }
            }
            message(&mut node, 5, &attribute);
        }
        message(&mut self.graph, 1, &node);
        self
    }

    /// The bytes of the file.
    pub fn file(mut self) -> Vec<u8> {
        message(&mut self.graph, 2, b"stand-in");
        let mut opset = Vec::new();
        number(&mut opset, 2, 17);
        let mut model = Vec::new();
        number(&mut model, 1, 8);
        message(&mut model, 8, &opset);
        message(&mut model, 7, &self.graph);
        model
    }
}

fn value_info(name: &str, element: u64, shape: &[i64]) -> Vec<u8> {
    let mut sides = Vec::new();
    for (i, &side) in shape.iter().enumerate() {
        let mut dimension = Vec::new();
        match side {
            ANY => message(&mut dimension, 2, format!("{name}{i}").as_bytes()),
            side => number(&mut dimension, 1, side as u64),
        }
        message(&mut sides, 1, &dimension);
    }
    let mut tensor = Vec::new();
    number(&mut tensor, 1, element);
    message(&mut tensor, 2, &sides);
    let mut kind = Vec::new();
    message(&mut kind, 1, &tensor);
    let mut value = Vec::new();
    message(&mut value, 1, name.as_bytes());
    message(&mut value, 2, &kind);
    value
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 127 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn number(bytes: &mut Vec<u8>, field: u64, value: u64) {
    varint(bytes, field << 3);
    varint(bytes, value);
}

fn message(bytes: &mut Vec<u8>, field: u64, content: &[u8]) {
    varint(bytes, field << 3 | 2);
    varint(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}
