//! The settings file: its keys become flags, so that one parser checks them all.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use clap::CommandFactory;

use super::Alone;

/// The settings of a TOML file as command line arguments, to be placed before the `given` ones;
/// without those that are given there or by their variable.
///
/// # Errors
/// A sentence that names the file and the key: unreadable, not TOML, an unknown key, or a value
/// that is neither text, number, truth value nor a list of these.
pub fn file_arguments(path: &Path, given: &[String]) -> Result<Vec<String>, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|e| format!("{name} cannot be read: {e}"))?;
    let table: toml::Table = text
        .parse()
        .map_err(|e| format!("{name} is not TOML: {e}"))?;
    let command = Alone::command();
    let mut arguments = Vec::new();
    for (key, value) in table {
        let flag = key.replace('_', "-");
        let known = command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(&flag));
        let Some(arg) = known.filter(|arg| arg.get_long() != Some("config")) else {
            return Err(format!("{name}: there is no setting {key:?}"));
        };
        let long = format!("--{flag}");
        let on_line = given
            .iter()
            .any(|argument| argument.split('=').next() == Some(&long));
        if on_line
            || arg
                .get_env()
                .is_some_and(|variable| env::var_os(variable).is_some())
        {
            continue;
        }
        let value = plain(&value).ok_or_else(|| format!("{name}: {key:?} has no plain value"))?;
        arguments.push(format!("--{flag}={value}"));
    }
    Ok(arguments)
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(list) => Some(
            list.iter()
                .map(plain)
                .collect::<Option<Vec<_>>>()?
                .join(","),
        ),
        _ => None,
    }
}

/// The file that `--config FILE`, `--config=FILE` or `SAFELIGHT_CONFIG` names, before anything
/// else is parsed.
pub fn named_file(arguments: &[String]) -> Option<PathBuf> {
    let mut found = env::var_os("SAFELIGHT_CONFIG").map(PathBuf::from);
    for (i, argument) in arguments.iter().enumerate() {
        if let Some(file) = argument.strip_prefix("--config=") {
            found = Some(file.into());
        } else if argument == "--config" {
            found = arguments.get(i + 1).map(PathBuf::from).or(found);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;
    use clap::Parser;

    #[test]
    fn a_file_becomes_flags_and_unknown_keys_are_refused() {
        let dir = tempdir();
        let file = dir.join("safelight.toml");
        fs::write(
            &file,
            "max_megapixels = 12.5\nformats = [\"png\", \"jpeg\"]\n",
        )
        .unwrap();
        let mut arguments = vec!["safelight".to_owned()];
        let given = ["--formats=webp".to_owned()];
        arguments.extend(file_arguments(&file, &given).unwrap());
        arguments.extend(given);
        let settings = Alone::parse_from(&arguments).settings;
        assert_eq!(settings.engine.max_megapixels, 12.5);
        assert_eq!(
            settings.engine.formats,
            [Format::Webp],
            "a flag wins over the file"
        );
        fs::write(&file, "colour = 1\n").unwrap();
        assert!(file_arguments(&file, &[]).unwrap_err().contains("colour"));
        fs::remove_dir_all(dir).unwrap();
    }

    fn tempdir() -> PathBuf {
        let dir = env::temp_dir().join(format!("safelight-config-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }
}
