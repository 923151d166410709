//! The settings of models: which ones, where their files lie, what they run on.

use std::{
    env,
    ffi::OsString,
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

/// The folders in which rembg keeps its models, the likeliest first: its homes are named by
/// `U2NET_HOME` and `REMBG_HOME`, `~` included, or lie in `XDG_DATA_HOME` or at the user's own. Its
/// newer releases keep models below `models` there, the older ones at the top.
pub fn rembg_folders() -> Vec<PathBuf> {
    let user = env::var_os("HOME").map(PathBuf::from);
    let below = |folder: &Option<PathBuf>, name: &str| Some(folder.as_ref()?.join(name));
    let named = |name: &str| {
        let path = PathBuf::from(env::var_os(name).filter(|value| !value.is_empty())?);
        match path.strip_prefix("~") {
            Ok(rest) => Some(user.as_ref()?.join(rest)),
            Err(_) => Some(path),
        }
    };
    let data = named("XDG_DATA_HOME");
    let homes = [
        named("U2NET_HOME"),
        named("REMBG_HOME"),
        below(&data, ".u2net"),
        below(&data, "rembg"),
        below(&user, ".u2net"),
        below(&user, ".rembg"),
        below(&data_home(), "rembg"),
    ];
    let homes = homes.into_iter().flatten();
    let mut folders: Vec<_> = homes.flat_map(|home| [home.join("models"), home]).collect();
    folders.dedup();
    folders
}

/// The file of certificate authorities that this environment names, where it names one.
pub fn certificate_file() -> Option<PathBuf> {
    let named = env::var_os("SSL_CERT_FILE").filter(|value| !value.is_empty());
    named.map(PathBuf::from)
}

/// The variable of the environment that names a proxy, and its value: the first that is set, in the
/// order of the HTTP client.
pub fn proxy_variable() -> Option<(&'static str, OsString)> {
    let names = [
        "ALL_PROXY",
        "all_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
    ];
    let mut set = names
        .into_iter()
        .filter_map(|name| Some((name, env::var_os(name)?)));
    set.find(|(_, value)| !value.is_empty())
}

/// `$XDG_DATA_HOME`, or where the XDG Base Directory Specification says that it is.
fn data_home() -> Option<PathBuf> {
    let set = env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = || Some(Path::new(&env::var_os("HOME")?).join(".local/share"));
    set.filter(|path| path.is_absolute()).or_else(home)
}
