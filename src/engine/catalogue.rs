//! The models that the program knows, and those that are part of it.

use serde::Deserialize;

use super::manifest::Entry;

#[derive(Deserialize)]
struct File {
    model: Vec<Entry>,
}

/// Every known model, from `models/manifest.toml`.
///
/// # Panics
/// If the file in the repository is wrong; a test reads it.
pub fn catalogue() -> Vec<Entry> {
    let text = include_str!("../../models/manifest.toml");
    toml::from_str::<File>(text)
        .expect("models/manifest.toml is checked by a test")
        .model
}

/// The weights that are part of the program, by file name.
pub fn built_in(file: &str) -> Option<&'static [u8]> {
    match file {
        "cutout.onnx" => Some(include_bytes!("../../models/cutout.onnx")),
        "restore.onnx" => Some(include_bytes!("../../models/restore.onnx")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::manifest::Task;

    #[test]
    fn built_in_models_are_the_ones_that_the_manifest_names() {
        let built: Vec<_> = catalogue()
            .into_iter()
            .filter(|entry| entry.built_in)
            .collect();
        assert!(built.len() >= 2);
        for entry in built {
            let bytes = built_in(&entry.file).expect("a built-in file is embedded");
            assert_eq!(
                (bytes.len() as u64, crate::digest::of(bytes)),
                (entry.bytes, entry.sha256),
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn each_task_has_one_default_and_each_model_a_licence() {
        let all = catalogue();
        for task in [Task::Cutout, Task::Restore] {
            let defaults = all.iter().filter(|e| e.task == task && e.default).count();
            assert_eq!(defaults, 1, "{task:?}");
        }
        for entry in &all {
            assert!(
                entry.license != "unknown" && entry.sha256.len() == 64,
                "{}",
                entry.name
            );
            assert_eq!(entry.check(), Ok(()), "{}", entry.name);
        }
    }
}
