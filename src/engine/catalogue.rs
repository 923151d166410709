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

/// The models of an operator's own catalogue.
///
/// # Errors
/// What the parser says, or what is wrong with an entry; the text is the operator's own.
pub fn further(text: &str) -> Result<Vec<Entry>, String> {
    let mut file: File = toml::from_str(text).map_err(|e| e.message().to_owned())?;
    for entry in &mut file.model {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name = &entry.name;
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err("a `name` is of letters, digits, - _ .".to_owned());
        }
        entry.check().map_err(|e| format!("{name}: {e}"))?;
        if entry.built_in || entry.sha256.is_empty() {
            return Err(format!("{name}: needs a `sha256`, and is not `built_in`"));
        }
        entry.sha256.make_ascii_lowercase();
    }
    Ok(file.model)
}

/// The weights that are part of the program, by file name.
pub fn built_in(file: &str) -> Option<&'static [u8]> {
    match file {
        "cutout.onnx" => Some(include_bytes!("../../models/cutout.onnx")),
        "kind.onnx" => Some(include_bytes!("../../models/kind.onnx")),
        "inpaint.onnx" => Some(include_bytes!("../../models/inpaint.onnx")),
        "restore.onnx" => Some(include_bytes!("../../models/restore.onnx")),
        "scratch.onnx" => Some(include_bytes!("../../models/scratch.onnx")),
        "upscale2.onnx" => Some(include_bytes!("../../models/upscale2.onnx")),
        "upscale4.onnx" => Some(include_bytes!("../../models/upscale4.onnx")),
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
        for task in Task::ALL {
            for factor in [1, 2, 4] {
                let of = |e: &&Entry| e.task == task && e.factor == factor;
                let models = all.iter().filter(of).count();
                let defaults = all.iter().filter(of).filter(|e| e.default).count();
                assert_eq!(defaults, models.min(1), "{task:?} {factor}");
            }
        }
        let mut names = std::collections::BTreeSet::new();
        for entry in &all {
            let name = &entry.name;
            assert!(names.insert(name), "{name} is there twice");
            assert!(
                entry.license != "unknown" && entry.sha256.len() == 64,
                "{name}"
            );
            assert!(entry.built_in || !entry.urls.is_empty(), "{name}");
            assert!(
                entry.urls.iter().all(|url| url.starts_with("https://")),
                "{name}"
            );
            assert!(entry.peak_mib > 0 && !entry.about.is_empty(), "{name}");
            assert_eq!(entry.check(), Ok(()), "{name}");
        }
    }

    #[test]
    fn an_own_catalogue_is_held_to_the_same_rules() {
        let card = "[[model]]\ntask = 'cutout'\nresize = 'stretch'\nsize = 320\npeak_mib = 1\n";
        // However it is written.
        let sum = "0aF9".repeat(16);
        let good = format!("{card}name = 'mine'\nsha256 = '{sum}'");
        let [mine] = &further(&good).unwrap()[..] else {
            panic!("one model")
        };
        assert_eq!(
            (mine.name.as_str(), &mine.sha256),
            ("mine", &sum.to_lowercase())
        );
        for (wrong, says) in [
            (format!("{card}name = 'mine'"), "sha256"),
            (format!("{card}sha256 = '{sum}'"), "name"),
            (format!("{card}name = '../x'\nsha256 = '{sum}'"), "name"),
            (format!("{good}\nbuilt_in = true"), "built_in"),
            (format!("{good}\nfactor = 2"), "factor"),
        ] {
            assert!(further(&wrong).unwrap_err().contains(says), "{wrong}");
        }
    }
}
