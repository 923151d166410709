//! The catalogue of models, by files that are what their publishers state. Apart from the other
//! tests of models, since a process has one ONNX Runtime.

mod common;

#[path = "catalogue/answers.rs"]
mod answers;
#[path = "models/published.rs"]
mod published;
#[path = "models/standins.rs"]
mod standins;
