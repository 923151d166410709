//! The settings of models: which ones, where their files lie, what they run on.

use std::{
    env,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use super::ModelChoice;

/// Settings of models, for every command that knows them.
#[derive(Debug, Clone, Default, Args)]
pub struct ModelSettings {
    /// Model used where a request names none; repeat as NAME=FILE to add a model file of your own
    #[arg(
        long,
        env = "SAFELIGHT_MODEL",
        value_name = "NAME[=FILE]",
        value_delimiter = ','
    )]
    pub model: Vec<ModelChoice>,

    /// Folder of the models that `safelight models pull` installs [default:
    /// $XDG_DATA_HOME/safelight/models]
    #[arg(long, env = "SAFELIGHT_MODELS_DIR", value_name = "DIR")]
    pub models_dir: Option<PathBuf>,

    /// TOML file of further models, written like models/manifest.toml
    #[arg(long, env = "SAFELIGHT_CATALOGUE", value_name = "FILE")]
    pub catalogue: Option<PathBuf>,

    /// Use this model although its licence forbids commercial use
    #[arg(
        long,
        env = "SAFELIGHT_ACCEPT_LICENSE",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub accept_license: Vec<String>,
}

impl ModelSettings {
    /// The folder of the models that were pulled; `None` where there is no home either.
    pub fn folder(&self) -> Option<PathBuf> {
        let own = || Some(data_home()?.join("safelight").join("models"));
        self.models_dir.clone().or_else(own)
    }

    /// Whether the operator has accepted this model's licence.
    pub fn accepts(&self, name: &str) -> bool {
        self.accept_license.iter().any(|accepted| accepted == name)
    }
}

/// What models run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Device {
    /// The fastest that the loaded ONNX Runtime offers.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// NVIDIA, through CUDA.
    Cuda,
    /// NVIDIA, through TensorRT.
    Tensorrt,
    /// AMD, through MIGraphX.
    Migraphx,
    /// Windows, through DirectML.
    Directml,
    /// Apple, through CoreML.
    Coreml,
    /// Intel, through OpenVINO.
    Openvino,
}

impl Device {
    /// The name, as the setting writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Tensorrt => "tensorrt",
            Self::Migraphx => "migraphx",
            Self::Directml => "directml",
            Self::Coreml => "coreml",
            Self::Openvino => "openvino",
        }
    }
}

/// The folders in which rembg keeps its models, the likeliest first.
pub fn rembg_folders() -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let below = |folder: &Option<PathBuf>, name: &str| Some(folder.as_ref()?.join(name));
    let data = data_home();
    let places = [
        env::var_os("U2NET_HOME").map(PathBuf::from),
        env::var_os("XDG_DATA_HOME").map(|data| PathBuf::from(data).join(".u2net")),
        below(&home, ".u2net"),
        below(&home, ".rembg/models"),
        below(&data, "rembg"),
    ];
    let mut folders: Vec<_> = places.into_iter().flatten().collect();
    folders.dedup();
    folders
}

/// The file of certificate authorities that this environment names, where it names one.
pub fn certificate_file() -> Option<PathBuf> {
    env::var_os("SSL_CERT_FILE").map(PathBuf::from)
}

/// `$XDG_DATA_HOME`, or where the XDG Base Directory Specification says that it is.
fn data_home() -> Option<PathBuf> {
    let set = env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = || Some(Path::new(&env::var_os("HOME")?).join(".local/share"));
    set.filter(|path| path.is_absolute()).or_else(home)
}
